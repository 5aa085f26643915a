"""What of a spec no other tool's file says: written beside the network by `specnet.exporting`, and read again here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from specnet.errors import FileError
from specnet.parts.data import Csv
from specnet.parts.part import Part
from specnet.spec import Spec
from specnet.tensor_file import parse_object

FACTS = "spec"
"""The key under which ONNX's metadata and the text in an archive have the facts."""
FACTS_LIMIT = 2**24
"""Bytes."""
_TRAINING = ("loss", "metrics")


def facts_of(spec: Spec) -> dict[str, Any]:
    """Return what of a resolved spec a network alone does not say: the loss, the metrics, the names of columns.

    It is a small spec itself, without layers.
    """
    training: dict[str, Any] = {"loss": _short(spec.training.loss)}
    if spec.training.metrics:
        training["metrics"] = [_short(metric) for metric in spec.training.metrics]
    facts: dict[str, Any] = {"training": training}
    if spec.network.target_preprocessing:
        facts["network"] = {"target_preprocessing": [_short(step) for step in spec.network.target_preprocessing]}
    if isinstance(spec.data, Csv):
        facts["data"] = spec.data.model_dump(mode="json", exclude_none=True)
    return facts


def written(facts: Mapping[str, Any]) -> str:
    """Return facts, or what they are a part of, as a short text."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def read_facts(text: str | bytes, what: str) -> dict[str, Any]:
    """Return what `written` has made a text of.

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


def with_facts(document: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec with what the facts say in place of what was guessed.

    Raises
    ------
    FileError
        If they say nothing of the training; what they say of it is checked as any spec is.
    """
    training = facts.get("training")
    if not isinstance(training, dict) or "loss" not in training:
        raise FileError("what this file says of its spec has no loss")
    known = {"name": document["name"], **({"data": facts["data"]} if "data" in facts else {})}
    return {**known, **document, "training": {key: training[key] for key in _TRAINING if key in training}}


def _short(part: Part) -> Any:
    """Return a part as a spec says it in the fewest words."""
    fields = {"type": part.type} | part.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return part.type if len(fields) == 1 else fields
