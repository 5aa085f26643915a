"""Which layers here are Keras's, class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from specnet.files.tensors import Shape, shown
from specnet.importing.draft import INPUT, Draft, Scaling
from specnet.importing.foreign import ForeignLayer, named_parts, same
from specnet.parts.arrays import Array
from specnet.parts.layers import Dropout, LayerNormalization
from specnet.parts.part import Names

Part = str | dict[str, Any]

_ACTIVATIONS: dict[str, Part] = {
    name: part.part_name() for name, part in named_parts(lambda names: names.keras).items() if name != "linear"
} | {"leaky_relu": {"type": "leaky_relu", "negative_slope": 0.2}}
"""Functions under `keras.activations`, with the arguments that they have by default."""

_LARGEST = np.finfo(np.float64).max
_FUNCTION_MODULES = ("builtins", "keras.activations", "keras.src.activations.activations")


class KerasLayer(ForeignLayer):
    """A layer of a Keras file, by its configuration and what returns its arrays, given their shapes."""

    def __init__(
        self,
        draft: Draft,
        inputs: list[int],
        config: Mapping[str, Any],
        weights: Callable[[list[Shape]], list[Array]],
    ) -> None:
        super().__init__(draft, inputs)
        self.config, self.weights = config, weights

    @property
    def axis(self) -> Any:
        return self.config.get("axis", -1)

    def fields(self, names: Names) -> dict[str, Any]:
        return {name: self.config.get(name) for name in names.keras_layer[1:]}

    def arrays(self, names: Names, shapes: Mapping[str, Shape]) -> dict[str, Array | None]:
        flags = names.keras_flags
        there = [name for name in shapes if name not in flags or self.flag(flags[name])]
        arrays = self.weights([shapes[name] for name in there]) if there else []
        return dict.fromkeys(shapes) | dict(zip(there, arrays, strict=True))

    def number(self, name: str) -> float:
        """Return a field that is a number."""
        value = self.config.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
            self.refuse(f"{name} is {shown(str(value))}, expected a number")
        return float(value)

    def numbers(self, name: str) -> Array:
        """Return a field that is a number, or one for each feature."""
        try:
            return np.broadcast_to(np.asarray(self.config.get(name), np.float64).reshape(-1), self.size)
        except (ValueError, TypeError, OverflowError):
            self.refuse(f"{name} is not one number per feature")

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return a field that is true or false."""
        value = self.config.get(name, default)
        if not isinstance(value, bool):
            self.refuse(f"{name} is {shown(str(value))}, expected true or false")
        return value


def _dense(layer: KerasLayer) -> int:
    units = layer.config.get("units")
    if type(units) is not int or units < 1:
        layer.refuse(f"units is {shown(str(units))}, expected a number")
    for name in ("lora_rank", "quantization_config"):
        if layer.config.get(name) is not None:
            layer.refuse(f"{name} is not supported")
    shapes: list[Shape] = [(layer.size, units), (units,)]
    kernel, *bias = layer.weights(shapes if layer.flag("use_bias") else shapes[:1])
    return _activated(layer, layer.draft.dense(layer.source, kernel.T, *bias))


def _activation(layer: KerasLayer) -> int:
    return _activated(layer, layer.source)


def _activated(layer: KerasLayer, source: int) -> int:
    """Add the function that the field `activation` names behind a layer."""
    value = layer.config.get("activation")
    if isinstance(value, dict):
        module, kind = value.get("module"), value.get("class_name")
        if module not in _FUNCTION_MODULES or kind != "function":
            layer.refuse(f"its activation is {shown(str(kind))} from the module {shown(str(module))}, not Keras's own")
        value = value.get("config")
    if value in (None, "linear"):
        return source
    if not isinstance(value, str) or value not in _ACTIVATIONS:
        layer.refuse(f"the activation {shown(str(value))} is not supported")
    return layer.draft.activation(source, _ACTIVATIONS[value])


def _relu(layer: KerasLayer) -> int:
    ceiling = None if layer.config.get("max_value") is None else layer.number("max_value")
    slope, threshold = layer.number("negative_slope"), layer.number("threshold")
    if (ceiling is not None) + bool(slope) + bool(threshold) > 1:
        layer.refuse("a relu with more than one of max_value, negative_slope and threshold is not supported")
    part: Part = "relu"
    if slope:
        part = {"type": "leaky_relu", "negative_slope": slope}
    elif threshold:
        part = {"type": "threshold", "threshold": threshold}
        if threshold < 0:
            layer.refuse(f"threshold is {threshold:g}, expected a positive number")
    elif ceiling is not None:
        part = "relu6" if ceiling == 6 else {"type": "clip", "minimum": 0.0, "maximum": ceiling}
    return layer.draft.activation(layer.source, part)


def _layer_normalization(layer: KerasLayer) -> int:
    if layer.config.get("rms_scaling"):
        layer.refuse("a normalization without the mean is not supported")
    return layer.add(LayerNormalization)


def _normalization(layer: KerasLayer) -> int:
    layer.along_features()
    draft = layer.draft
    if layer.config.get("mean") is None and layer.config.get("variance") is None:
        # Adapted to data: mean, variance, and the number of rows that they came from.
        mean, variance, _ = layer.weights([(layer.size,), (layer.size,), ()])
    else:
        mean, variance = layer.numbers("mean"), layer.numbers("variance")
    if (variance < 0).any():
        layer.refuse("a variance is below 0")
    scaling = Scaling(mean.astype(np.float64), np.maximum(np.sqrt(variance.astype(np.float64)), 1e-7))
    if layer.flag("invert", False):
        if draft.target is not None:
            layer.refuse("there is an inverted Normalization before it")
        draft.target = scaling
    elif layer.source != INPUT or draft.preparation is not None or draft.steps:
        layer.refuse("a Normalization is understood as the first layer, or inverted as the last one")
    else:
        draft.preparation = scaling
    return layer.source


def _rescaling(layer: KerasLayer) -> int:
    return layer.draft.affine(layer.source, layer.numbers("scale"), layer.numbers("offset"))


LAYERS: dict[str, Callable[[KerasLayer], int]] = {
    **{
        name: partial(KerasLayer.add, part=part)
        for name, part in named_parts(lambda names: names.keras_layer[0] if names.keras_layer else "").items()
    },
    # What they do while training differs; what is dropped on average does not.
    **dict.fromkeys(["AlphaDropout", "GaussianDropout"], partial(KerasLayer.add, part=Dropout)),
    **dict.fromkeys(["ActivityRegularization", "Flatten", "Identity"], same),
    "Activation": _activation,
    "Dense": _dense,
    "LayerNormalization": _layer_normalization,
    "Normalization": _normalization,
    "ReLU": _relu,
    "Rescaling": _rescaling,
}
"""The classes of `keras.layers` that are supported."""
