"""What `specnet.exporting` has written of a model beside its network."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.exporting.archive import MEMBER
from specnet.exporting.model_facts import FACTS, LABELS
from specnet.files.archives import Archive
from specnet.files.tensors import parse_object
from specnet.importing.onnx.onnx_file import as_texts
from specnet.parts.arrays import Array

FACTS_LIMIT = 2**24
"""Bytes."""


def read_facts(text: str, what: str) -> dict[str, Any]:
    """Return a text as the JSON object that it is; an error calls it as `what` says."""
    content = text.encode("utf-8", "surrogatepass")
    if len(content) > FACTS_LIMIT:
        raise FileError(f"{what} has {len(content)} bytes, of which at most {FACTS_LIMIT} can be read")
    return parse_object(content, what)


def read_said(archive: Archive) -> tuple[Array | None, dict[str, Any] | None]:
    """Return class labels and facts of the spec, where an archive is one of `specnet.exporting`'s."""
    if MEMBER not in archive:
        return None, None
    found = parse_object(archive.read(MEMBER, FACTS_LIMIT), MEMBER)
    facts = found.get(FACTS)
    if facts is not None and not isinstance(facts, dict):
        raise FileError(f"{MEMBER}: expected a table for the spec")
    return labels_of(found.get(LABELS), MEMBER), facts


def labels_of(labels: Any, what: str) -> Array | None:
    """Return class labels, ascending integers or texts, from a list, and None from None; errors say of what."""
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


def known_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what facts say of a spec beside its layers, a loss at least, to be checked as any spec is."""
    training = _known(facts.get("training"), ("loss", "metrics"))
    loss = training.get("loss")
    if not isinstance(loss, str) and not (isinstance(loss, dict) and isinstance(loss.get("type"), str)):
        raise FileError("the spec in this file names no loss")
    network = _known(facts.get("network"), ("feature_names",))
    return _known(facts, ("data",)) | {"network": network, "training": training}


def _known(table: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: table[key] for key in keys if table.get(key) is not None} if isinstance(table, Mapping) else {}
