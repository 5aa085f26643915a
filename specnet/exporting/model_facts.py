"""What of a model no other tool's file says: written beside the network, for `specnet.importing` to read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from specnet.parts.part import short as short
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
