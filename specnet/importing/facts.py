"""What `specnet.exporting` has written of a model beside its network."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import parse_object
from specnet.importing.onnx_file import as_texts
from specnet.parts.arrays import Array

FACTS_LIMIT = 2**24
"""Bytes."""


def read_facts(text: str | bytes, what: str) -> dict[str, Any]:
    """Return a text as the JSON object that it is.

    Parameters
    ----------
    text : str or bytes
    what : str
        What it is, for errors.

    Raises
    ------
    FileError
        If it is too long, or no JSON object.
    """
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(content) > FACTS_LIMIT:
        raise FileError(f"{what} has {len(content)} bytes, of which at most {FACTS_LIMIT} can be read")
    return parse_object(content, what)


def labels_of(labels: Any, what: str) -> Array | None:
    """Return class labels, ascending integers or texts, from a list; None where there is none.

    Raises
    ------
    FileError
        If they are something else, or too large.
    """
    if labels is None:
        return None
    kinds = {type(label) for label in labels} if isinstance(labels, list) else set()
    if kinds not in ({int}, {str}) or not all(a < b for a, b in pairwise(labels)):
        raise FileError(f"{what} has labels that are no ascending integers or texts")
    if kinds == {str}:
        return as_texts([label.encode("utf-8", "surrogatepass") for label in labels], what)
    if not -(2**63) <= min(labels) <= max(labels) < 2**63:
        raise FileError(f"{what} has labels that are too large")
    return np.array(labels, np.int64)


def names_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what facts say of the columns' names, as a spec's network says it, to be checked as any spec is."""
    return _known(facts.get("network"), ("feature_names",))


def training_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what facts say of the training, the loss and the metrics, to be checked as any spec is.

    Raises
    ------
    FileError
        If they name no loss.
    """
    known = _known(facts.get("training"), ("loss", "metrics"))
    loss = known.get("loss")
    if not isinstance(loss, str) and not (isinstance(loss, dict) and isinstance(loss.get("type"), str)):
        raise FileError("the spec in this file names no loss")
    return known


def _known(table: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: table[key] for key in keys if key in table} if isinstance(table, dict) else {}
