"""A faster way for predictions of a few rows, where programs are compiled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from specnet.compiler import Plan, UnavailableError
from specnet.network.engine_backends import not_available
from specnet.network.layout import Layout
from specnet.parts.arrays import Array
from specnet.spec import Spec

FewRows = Callable[[Array, Array], Array | None]
"""Takes theta and rows, and returns predictions; None if it does not take these."""


def no_rows(theta: Array, X: Array) -> Array | None:
    """Answer for no rows: there is no faster way for a few."""
    return None


def compiled_rows(spec: Spec, predict: Plan, layout: Layout) -> FewRows:
    """Return the compiled function of few rows, or `no_rows` if there is none.

    Raises
    ------
    SpecError
        If it cannot be compiled.
    """
    from specnet.compiler.native import few_rows

    starts = {f"theta.{placed.name}": placed.start for placed in layout.blocks}
    try:
        return few_rows(predict, np.dtype(spec.network.dtype), starts, layout.size) or no_rows
    except UnavailableError as error:
        raise not_available(spec, error) from error
