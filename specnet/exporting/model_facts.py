"""The facts of a model that other tools' files have no form for: written beside the network, and read again."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.exporting.model_program import Program
from specnet.files.archives import Archive
from specnet.files.tensors import parse_object
from specnet.model.file import LABEL_CHARACTERS_LIMIT
from specnet.parts.arrays import Array
from specnet.parts.part import short as short
from specnet.spec import Spec

FACTS = "spec"
"""The key under which ONNX's metadata and the text in an archive have the facts."""
NUMBERS, LABELS, INTERVAL, MODELS = "numbers", "labels", "interval", "models"
"""The keys beside those of a spec: numbers by the names of tensors, the classes, and the level of intervals.

A team has the share and the spec of each model instead of a spec."""
MEMBER = "specnet.json"
"""The text in archives of other tools, which these do not read."""
FACTS_LIMIT = 2**24
"""Bytes."""


def facts_of(spec: Spec) -> dict[str, Any]:
    """Return the facts of a resolved spec that a network lacks: the loss, the metrics, the names of columns.

    It is a small spec itself, without the layers of its network.
    """
    training: dict[str, Any] = {"loss": short(spec.training.loss)}
    if spec.training.metrics:
        training["metrics"] = short(spec.training.metrics)
    facts = {"training": training} | _source(spec)
    if spec.network.feature_names is not None:
        facts["network"] = {"feature_names": spec.network.feature_names}
    return facts


def whole_spec(spec: Spec) -> dict[str, Any]:
    """Return a resolved spec as a table that leaves out defaults, and of its data all but the name of a CSV file."""
    return {name: table for name, table in spec.short().items() if name != "data"} | _source(spec)


def written(facts: Mapping[str, Any]) -> str:
    """Return facts, or what they are a part of, as a short text."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def _source(spec: Spec) -> dict[str, Any]:
    """Return of a spec's data all but the name of a CSV file."""
    source = spec.data.handed_on() if spec.data is not None else None
    return {} if source is None else {"data": source.model_dump(mode="json", exclude_none=True)}


def with_facts(content: bytes, program: Program) -> bytes:
    """Return an archive with its text: class labels, the spec's hash, facts of the spec."""
    facts = {LABELS: program.labels, "spec_sha256": program.model.spec.sha256, FACTS: facts_of(program.model.spec)}
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w") as archive:
        for member in before.infolist():
            archive.writestr(member, before.read(member))
        archive.writestr(zipfile.ZipInfo(MEMBER), written(facts))  # of a fixed date, unlike one by its name alone
    return stream.getvalue()


def read_facts(text: str, what: str) -> dict[str, Any]:
    """Return a text as the JSON object that it is; an error calls it as `what` says."""
    content = text.encode("utf-8", "surrogatepass")
    if len(content) > FACTS_LIMIT:
        raise FileError(f"{what} has {len(content)} bytes, of which at most {FACTS_LIMIT} can be read")
    return parse_object(content, what)


def archive_facts(archive: Archive) -> tuple[Array | None, dict[str, Any] | None]:
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


def as_texts(texts: Sequence[bytes], what: str) -> Array:
    """Return texts of a file as an array."""
    if len(texts) * max(map(len, texts), default=0) > LABEL_CHARACTERS_LIMIT:
        raise FileError(f"{what} has texts that are too long")
    try:
        decoded = [text.decode() for text in texts]
    except UnicodeDecodeError as error:
        raise FileError(f"{what} has a text that is not UTF-8") from error
    if any(text.endswith("\0") for text in decoded):  # NumPy's text would lose it
        raise FileError(f"{what} has a text that ends in a null character")
    return np.array(decoded, np.str_)
