"""Facts of a model that other tools' formats cannot express: saved in the file as text, and read on import."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.exporting.export_plan import NetworkPlan
from specnet.exporting.model_program import Program
from specnet.files.archives import Archive
from specnet.files.tensors import parse_object
from specnet.model.file import LABEL_CHARACTERS_LIMIT, quantile_tensors
from specnet.parts.arrays import Array
from specnet.parts.part import short
from specnet.spec import Spec

FACTS = "spec"
"""The key of the facts in ONNX metadata and in the text of an archive."""
NUMBERS, LABELS, INTERVAL, DERIVATIVES, MODELS = "numbers", "labels", "interval", "derivatives", "models"
"""Keys in addition to those of a spec: numbers by tensor name, class labels, interval level, whether there are
derivatives, and a team's models.

A team has the share and the spec of each model instead of a spec."""
MEMBER = "specnet.json"
"""The archive member with the facts; other tools ignore it."""
FACTS_LIMIT = 2**24
"""The largest size of the facts in bytes."""


def facts_of(spec: Spec) -> dict[str, Any]:
    """Return the facts of a resolved spec that a network lacks: loss, metrics, decision threshold, column names.

    The result is a small spec without layers.
    """
    training: dict[str, Any] = {"loss": short(spec.training.loss)}
    if spec.training.metrics:
        training["metrics"] = short(spec.training.metrics)
    if spec.training.decision_threshold is not None:
        training["decision_threshold"] = spec.training.decision_threshold
    facts = {"training": training} | _source(spec)
    if spec.network.feature_names is not None:
        facts["network"] = {"feature_names": spec.network.feature_names}
    return facts


def whole_spec(spec: Spec) -> dict[str, Any]:
    """Return a resolved spec as a dict without defaults; its data section is that of `_source`."""
    return {name: table for name, table in spec.short().items() if name != "data"} | _source(spec)


def written(facts: Mapping[str, Any]) -> str:
    """Return facts, or a dict that contains them, as compact JSON."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def _source(spec: Spec) -> dict[str, Any]:
    """Return the data section of a spec with file names instead of paths; empty if columns have no names."""
    source = spec.data.handed_on() if spec.data is not None else None
    return {} if source is None else {"data": source.model_dump(mode="json", exclude_none=True)}


def with_facts(content: bytes, program: Program) -> bytes:
    """Return an archive with an added member that has the class labels, the spec's hash and the facts of the spec."""
    facts = {LABELS: program.labels, "spec_sha256": program.model.spec.sha256, FACTS: facts_of(program.model.spec)}
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w") as archive:
        for member in before.infolist():
            archive.writestr(member, before.read(member))
        archive.writestr(zipfile.ZipInfo(MEMBER), written(facts))  # a ZipInfo has a fixed date; a bare name does not
    return stream.getvalue()


def graph_facts(program: Program, constants: Mapping[str, Array]) -> dict[str, Any]:
    """Return the spec (or those of a team), class labels, and numbers that are no constant of the graph themselves.

    Parameters
    ----------
    program : Program
    constants : mapping
        The graph's constants by their names.
    """
    known = {name: array for model in program.networks for name, array in _numbers(model)}
    known |= quantile_tensors(program.model.error_quantiles)
    hidden = {
        name: array.ravel().tolist()
        for name, array in known.items()
        if name not in constants or not np.array_equal(constants[name], array)
    }
    specs = [whole_spec(model.trained.spec.with_dtype(program.dtype.name)) for model in program.networks]
    weighted = [{"share": model.share, "spec": spec} for model, spec in zip(program.networks, specs, strict=True)]
    facts = {MODELS: weighted} if program.is_team else specs[0]
    interval = {} if program.interval is None else {INTERVAL: program.interval.level}
    derivatives = {DERIVATIVES: True} if program.has_derivatives else {}
    return facts | {NUMBERS: hidden, LABELS: program.labels, **interval, **derivatives}


def _numbers(network: NetworkPlan) -> Iterator[tuple[str, Array]]:
    """Yield the tensors of a network with the names that they have in a model's file."""
    trained = network.trained
    for name, array in trained.tensors().items():
        yield network.prefix + name, array.astype(network.dtype)
    prepared = {"preprocessing": trained.preprocessing, "target_preprocessing": trained.target_preprocessing}
    for key, preparation in prepared.items():
        for name, array in preparation.tensors().items():
            yield f"{network.prefix}{key}.{name}", array
    if network.prefix:
        for name, array in quantile_tensors(trained.error_quantiles).items():
            yield network.prefix + name, array


def read_facts(text: str, what: str) -> dict[str, Any]:
    """Return the JSON object in a text; `what` names the text in errors."""
    content = text.encode("utf-8", "surrogatepass")
    if len(content) > FACTS_LIMIT:
        raise FileError(f"{what} has {len(content)} bytes, of which at most {FACTS_LIMIT} can be read")
    return parse_object(content, what)


def archive_facts(archive: Archive) -> tuple[Array | None, dict[str, Any] | None]:
    """Return the class labels and the facts of the spec from an exported archive; None for each that is missing."""
    if MEMBER not in archive:
        return None, None
    found = parse_object(archive.read(MEMBER, FACTS_LIMIT), MEMBER)
    facts = found.get(FACTS)
    if facts is not None and not isinstance(facts, dict):
        raise FileError(f"{MEMBER}: expected a table for the spec")
    return labels_of(found.get(LABELS), MEMBER), facts


def labels_of(labels: Any, what: str) -> Array | None:
    """Return an array of class labels from a list of ascending integers or texts, or None; `what` is for errors."""
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
    """Return the unvalidated spec in facts: a loss, and if known metrics, threshold, column names and data."""
    training = _known(facts.get("training"), ("loss", "metrics", "decision_threshold"))
    loss = training.get("loss")
    if not isinstance(loss, str) and not (isinstance(loss, dict) and isinstance(loss.get("type"), str)):
        raise FileError("the spec in this file names no loss")
    network = _known(facts.get("network"), ("feature_names",))
    return _known(facts, ("data",)) | {"network": network, "training": training}


def _known(table: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: table[key] for key in keys if table.get(key) is not None} if isinstance(table, Mapping) else {}


def as_texts(texts: Sequence[bytes], what: str) -> Array:
    """Decode texts from a file and return them as an array; `what` names the file in errors."""
    if len(texts) * max(map(len, texts), default=0) > LABEL_CHARACTERS_LIMIT:
        raise FileError(f"{what} has texts that are too long")
    try:
        decoded = [text.decode() for text in texts]
    except UnicodeDecodeError as error:
        raise FileError(f"{what} has a text that is not UTF-8") from error
    if any(text.endswith("\0") for text in decoded):  # NumPy strings drop trailing null characters
        raise FileError(f"{what} has a text that ends in a null character")
    return np.array(decoded, np.str_)
