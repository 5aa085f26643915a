"""What of a model no other tool's file says: written beside the network, for `specnet.importing` to read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from specnet.parts.layers import Layer
from specnet.parts.part import Part, Section
from specnet.spec import Spec

FACTS = "spec"
"""The key under which ONNX's metadata and the text in an archive have the facts."""
NUMBERS, LABELS = "numbers", "labels"
"""The keys beside those of a spec: numbers by the names of tensors, and the classes."""


def facts_of(spec: Spec) -> dict[str, Any]:
    """Return what of a resolved spec a network alone does not say: the loss, the metrics, the names of columns.

    It is a small spec itself, without the layers of its network.
    """
    training: dict[str, Any] = {"loss": short(spec.training.loss)}
    if spec.training.metrics:
        training["metrics"] = [short(metric) for metric in spec.training.metrics]
    facts: dict[str, Any] = {"training": training}
    source = spec.data.handed_on() if spec.data is not None else None
    if source is not None:
        facts["data"] = source.model_dump(mode="json", exclude_none=True)
    if spec.network.feature_names is not None:
        facts["network"] = {"feature_names": spec.network.feature_names}
    return facts


def whole_spec(spec: Spec) -> dict[str, Any]:
    """Return a resolved spec as a table that leaves out defaults, and of its data all but the name of a CSV file."""
    whole = {name: short(value) for name, value in _said(spec).items() if name != "data"}
    return whole | {name: table for name, table in facts_of(spec).items() if name == "data"}


def written(facts: Mapping[str, Any]) -> str:
    """Return facts, or what they are a part of, as a short text."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def short(value: Any) -> Any:
    """Return a value of a spec as a document says it in the fewest words."""
    if isinstance(value, Section):
        fields = {name: short(each) for name, each in _said(value).items()}
        if not isinstance(value, Part):
            return fields
        return {"type": value.type} | fields if fields or isinstance(value, Layer) else value.type
    if isinstance(value, list | tuple):
        return [short(each) for each in value]
    return {key: short(each) for key, each in value.items()} if isinstance(value, Mapping) else value


def _said(section: Section) -> dict[str, Any]:
    """Return the fields of a table that are not what they are by default."""
    fields = {name: getattr(section, name) for name in type(section).model_fields if name != "type"}
    defaults = type(section).model_fields
    return {
        name: value
        for name, value in fields.items()
        if value is not None and value != defaults[name].get_default(call_default_factory=True)
    }
