"""Which layers here are Keras's, class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from pydantic import ValidationError

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Draft, Scaling
from specnet.parts.activations import Activation
from specnet.parts.arrays import Array
from specnet.parts.registry import built_in_registry

Part = str | dict[str, Any]

_ACTIVATIONS: dict[str, dict[str, Any]] = {
    part.names.keras: {"type": part.part_name()}
    for part in built_in_registry().of_kind("activation")
    if part.names.keras not in ("", "linear")
} | {"leaky_relu": {"type": "leaky_relu", "negative_slope": 0.2}}
"""Functions under `keras.activations`, with the arguments that they have by default."""

_LARGEST = np.finfo(np.float64).max
_FUNCTION_MODULES = ("builtins", "keras.activations", "keras.src.activations.activations")


@dataclass(frozen=True)
class KerasLayer:
    """A layer of a Keras file.

    Attributes
    ----------
    draft : Draft
    config : mapping
        Its fields.
    inputs : list of int
        What it reads.
    where : str
        What messages call it.
    weights : callable
        Returns its arrays, given their shapes.
    """

    draft: Draft
    config: Mapping[str, Any]
    inputs: list[int]
    where: str
    weights: Callable[[list[tuple[int, ...]]], list[Array]]

    @property
    def source(self) -> int:
        """The one layer that it reads."""
        if len(self.inputs) != 1:
            self.refuse(f"it reads {len(self.inputs)} layers, expected one")
        return self.inputs[0]

    @property
    def size(self) -> int:
        """The number of features that it reads."""
        return self.draft.size(self.source)

    def refuse(self, reason: str) -> NoReturn:
        """Say that the layer is not supported."""
        raise FileError(f"{self.where}: {reason}")

    def number(self, name: str, default: float | None = None) -> float:
        """Return a field that is a number."""
        value = self.config.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
            self.refuse(f"{name} is {shown(str(value))}, expected a number")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """Return a field that is true or false."""
        value = self.config.get(name, default)
        if not isinstance(value, bool):
            self.refuse(f"{name} is {shown(str(value))}, expected true or false")
        return value

    def along_features(self) -> None:
        """Refuse a layer that works along another axis than the features."""
        axis = self.config.get("axis", -1)
        if axis not in (1, -1, [1], [-1]):
            self.refuse(f"it works along the axis {shown(str(axis))}, which is not that of the features")

    def activation(self) -> Part | None:
        """Return the field `activation` as a spec says it; None where there is none."""
        value = self.config.get("activation")
        if isinstance(value, dict):
            module, kind = value.get("module"), value.get("class_name")
            if module not in _FUNCTION_MODULES or kind != "function":
                self.refuse(
                    f"its activation is {shown(str(kind))} from the module {shown(str(module))}, not Keras's own"
                )
            value = value.get("config")
        if value in (None, "linear"):
            return None
        if not isinstance(value, str) or value not in _ACTIVATIONS:
            self.refuse(f"the activation {shown(str(value))} is not supported")
        return _ACTIVATIONS[value]


def dtype_of(config: Mapping[str, Any]) -> str:
    """Return the dtype in which a layer computes."""
    dtype = config.get("dtype", "float32")
    if isinstance(dtype, dict):
        policy = dtype.get("config")
        dtype = policy.get("name") if isinstance(policy, dict) and dtype.get("class_name") == "DTypePolicy" else None
    return shown(str(dtype))[1:-1]


def _dense(layer: KerasLayer) -> int:
    units = layer.config.get("units")
    if type(units) is not int or units < 1:
        layer.refuse(f"units is {shown(str(units))}, expected a number")
    for name in ("lora_rank", "quantization_config"):
        if layer.config.get(name) is not None:
            layer.refuse(f"{name} is not supported")
    shapes: list[tuple[int, ...]] = [(layer.size, units)]
    if layer.flag("use_bias", True):
        shapes.append((units,))
    kernel, *bias = layer.weights(shapes)
    return _activated(layer, layer.draft.dense(layer.source, kernel.T, bias[0] if bias else None))


def _activation(layer: KerasLayer) -> int:
    return _activated(layer, layer.source)


def _activated(layer: KerasLayer, source: int) -> int:
    part, size = layer.activation(), layer.draft.size(source)
    if part is None:
        return source
    if part != {"type": "glu"}:
        return layer.draft.activation(source, part)
    if size % 2:
        layer.refuse(f"glu halves its input, and {size} features are an odd number")
    return layer.draft.add({"type": "activation", "activation": part}, [source], size=size // 2)


def _relu(layer: KerasLayer) -> int:
    ceiling = None if layer.config.get("max_value") is None else layer.number("max_value")
    slope, threshold = layer.number("negative_slope", 0.0), layer.number("threshold", 0.0)
    if (ceiling is not None) + bool(slope) + bool(threshold) > 1:
        layer.refuse("a relu with more than one of max_value, negative_slope and threshold is not supported")
    part: Part = "relu"
    if slope:
        part = _checked(layer, {"type": "leaky_relu", "negative_slope": slope})
    elif threshold:
        part = {"type": "threshold", "threshold": threshold}
        if threshold < 0:
            layer.refuse(f"threshold is {threshold:g}, expected a positive number")
    elif ceiling is not None:
        part = "relu6" if ceiling == 6 else _checked(layer, {"type": "clip", "minimum": 0.0, "maximum": ceiling})
    return layer.draft.activation(layer.source, part)


def _checked(layer: KerasLayer, fields: dict[str, Any]) -> dict[str, Any]:
    """Return an activation, if a spec can say it."""
    kind = built_in_registry().find("activation", fields["type"])
    assert kind is not None, "a name of this module"
    try:
        kind(**fields)
    except ValidationError as error:
        layer.refuse(f"{error.errors()[0]['loc'][-1]}: {error.errors()[0]['msg']}")
    return fields


def _named(part: type[Activation]) -> Callable[[KerasLayer], int]:
    """Return what reads an activation that is a layer of Keras."""
    _, *arguments = part.names.keras_layer
    defaults = {"negative_slope": 0.3, "alpha": 1.0}

    def read(layer: KerasLayer) -> int:
        if not part.elementwise:
            layer.along_features()
        fields = {name: layer.number(name, defaults[name]) for name in arguments}
        names = [
            tensor.name
            for block in part.model_construct(type=part.part_name()).own_parameters(layer.size)
            for tensor in block.tensors
        ]
        learned = dict(zip(names, layer.weights([(layer.size,)] * len(names)) if names else [], strict=True))
        return layer.draft.activation(layer.source, _checked(layer, {"type": part.part_name(), **fields}), learned)

    return read


def _batch_normalization(layer: KerasLayer) -> int:
    layer.along_features()
    count = layer.flag("scale", True) + layer.flag("center", True) + 2
    arrays = layer.weights([(layer.size,)] * count)
    scale = arrays.pop(0) if layer.flag("scale", True) else np.ones(layer.size)
    shift = arrays.pop(0) if layer.flag("center", True) else np.zeros(layer.size)
    mean, variance = arrays
    momentum = layer.number("momentum", 0.99)
    return layer.draft.normalization(
        layer.source, layer.number("epsilon", 1e-3), scale, shift, mean, variance, momentum=momentum
    )


def _layer_normalization(layer: KerasLayer) -> int:
    layer.along_features()
    if layer.config.get("rms_scaling"):
        layer.refuse("a normalization without the mean is not supported")
    scaled, moved = layer.flag("scale", True), layer.flag("center", True)
    arrays = layer.weights([(layer.size,)] * (scaled + moved))
    scale = arrays.pop(0) if scaled else np.ones(layer.size)
    shift = arrays.pop(0) if moved else np.zeros(layer.size)
    fields = {"type": "layer_normalization", "epsilon": layer.number("epsilon", 1e-3)}
    return layer.draft.add(fields, [layer.source], {"scale": scale, "shift": shift})


def _normalization(layer: KerasLayer) -> int:
    layer.along_features()
    given = layer.config.get("mean"), layer.config.get("variance")
    if given == (None, None):
        # Adapted to data: mean, variance, and the number of rows that they came from.
        mean, variance = layer.weights([(layer.size,), (layer.size,), ()])[:2]
    else:
        mean, variance = (_numbers(layer, value, "its mean or its variance") for value in given)
    if (variance < 0).any():
        layer.refuse("a variance is below 0")
    scaling = Scaling(mean.astype(np.float64), np.maximum(np.sqrt(variance.astype(np.float64)), 1e-7))
    if layer.flag("invert", False):
        return _to_units(layer, scaling)
    if layer.source != INPUT or layer.draft.preparation is not None or layer.draft.steps:
        layer.refuse("a Normalization is understood as the first layer, or inverted as the last one")
    layer.draft.preparation = scaling
    return INPUT


def _to_units(layer: KerasLayer, scaling: Scaling) -> int:
    if layer.draft.target is not None:
        layer.refuse("there is an inverted Normalization before it")
    layer.draft.target = scaling
    return layer.source


def _numbers(layer: KerasLayer, value: Any, what: str) -> Array:
    try:
        return np.broadcast_to(np.asarray(value, np.float64).reshape(-1), layer.size)
    except (ValueError, TypeError, OverflowError):
        layer.refuse(f"{what} is not one number per feature")


def _rescaling(layer: KerasLayer) -> int:
    factor, shift = (_numbers(layer, layer.config.get(name, 0.0), name) for name in ("scale", "offset"))
    return layer.draft.affine(layer.source, factor, shift)


def _several(kind: str) -> Callable[[KerasLayer], int]:
    def combine(layer: KerasLayer) -> int:
        sizes = [layer.draft.size(source) for source in layer.inputs]
        if len(sizes) < 2:
            layer.refuse("it reads one layer, and expected several")
        if kind == "concatenate":
            layer.along_features()
            return layer.draft.add({"type": kind}, layer.inputs, size=sum(sizes))
        if len(set(sizes)) > 1:
            layer.refuse(f"it combines layers of {' and '.join(map(str, sizes))} features")
        return layer.draft.add({"type": kind}, layer.inputs)

    return combine


def _kept(kind: str, name: str) -> Callable[[KerasLayer], int]:
    """Return what reads a layer that acts while training only."""

    def keep(layer: KerasLayer) -> int:
        return layer.draft.add({"type": kind, name: layer.number(name)}, [layer.source])

    return keep


def _nothing(layer: KerasLayer) -> int:
    return layer.source


LAYERS: dict[str, Callable[[KerasLayer], int]] = {
    **{
        part.names.keras_layer[0]: _named(part)
        for part in built_in_registry().of_kind("activation")
        if issubclass(part, Activation) and part.names.keras_layer
    },
    **{kind.title(): _several(kind) for kind in ("add", "concatenate", "multiply")},
    # What they do while training differs; what is dropped on average does not.
    **dict.fromkeys(["AlphaDropout", "Dropout", "GaussianDropout", "SpatialDropout1D"], _kept("dropout", "rate")),
    "Activation": _activation,
    "ActivityRegularization": _nothing,
    "BatchNormalization": _batch_normalization,
    "Dense": _dense,
    "Flatten": _nothing,
    "GaussianNoise": _kept("gaussian_noise", "stddev"),
    "Identity": _nothing,
    "LayerNormalization": _layer_normalization,
    "Normalization": _normalization,
    "ReLU": _relu,
    "Rescaling": _rescaling,
}
"""The classes of `keras.layers` that are supported."""
