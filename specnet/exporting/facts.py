"""What of a model no other tool's file says: written beside the network, for `specnet.importing` to read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from specnet.parts.layers import Layer
from specnet.parts.part import Part
from specnet.parts.registry import built_in_registry
from specnet.spec import Spec

FACTS = "spec"
"""The key under which ONNX's metadata and the text in an archive have the facts."""
_TOLD_BY_OPERATORS = frozenset(
    {"activation", "add", "batch_normalization", "concatenate", "dense", "dropout", "gaussian_noise"}
    | {"layer_normalization", "multiply", "scale"}
)


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


def is_told_by_operators(layer: Layer) -> bool:
    """Whether the operators of a graph tell what a layer is, so that nothing has to be said of it."""
    activation = getattr(layer, "activation", None)
    known = activation is None or built_in_registry().find("activation", activation.type) is type(activation)
    return known and layer.type in _TOLD_BY_OPERATORS


def written(facts: Mapping[str, Any]) -> str:
    """Return facts, or what they are a part of, as a short text."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def short(part: Part) -> Any:
    """Return a part as a spec says it in the fewest words."""
    fields = part.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return {"type": part.type} | fields if fields.keys() - {"type"} else part.type
