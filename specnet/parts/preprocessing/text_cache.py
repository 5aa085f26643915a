"""A cache of what is computed from the texts of a column, such as their tokens, which many predictions need again."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Made = TypeVar("Made")

_results: dict[int, dict[Hashable, tuple[Sequence[Any], Any]]] = {}
"""For the address of each array of texts: by key, the objects that a result was made of, and the result."""


def cached(texts: NDArray[np.str_], key: Hashable, make: Callable[[], Made], inputs: Sequence[Any] = ()) -> Made:
    """Return the result of `make`, which is cached until the array of texts is deleted.

    Parameters
    ----------
    texts : ndarray (texts,)
        Texts that do not change.
    key : hashable
        Name and settings of the result.
    make : callable
        Returns the result, which depends only on the texts, the key and the inputs.
    inputs : sequence of objects
        Objects that the result depends on too. Only the result of the latest ones is cached, so that many fits to the
        same texts do not fill the memory.
    """
    address = id(texts)
    if address not in _results:
        weakref.finalize(texts, _results.pop, address, None).atexit = False
    results = _results.setdefault(address, {})
    known = results.get(key)
    if known is None or any(one is not other for one, other in zip(known[0], inputs, strict=True)):
        known = results[key] = tuple(inputs), make()
    made: Made = known[1]
    return made
