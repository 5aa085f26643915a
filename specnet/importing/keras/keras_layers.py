"""Which layers here are Keras's, class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import Shape, shown
from specnet.importing.draft import INPUT, Scaling
from specnet.importing.foreign import ForeignLayer, named_parts, same
from specnet.parts.arrays import Array
from specnet.parts.layers import Dropout, LayerNormalization
from specnet.parts.part import Names

_ACTIVATIONS: dict[str, str | dict[str, Any]] = {
    name: part.part_name() for name, part in named_parts(lambda names: names.keras).items() if name != "linear"
} | {"leaky_relu": {"type": "leaky_relu", "negative_slope": 0.2}}
"""Functions under `keras.activations`, with the arguments that they have by default."""

_RELU = {"max_value": None, "negative_slope": 0, "threshold": 0}
"""What a ReLU has besides, and when it is as if it had not."""
_FUNCTION_MODULES = ("builtins", "keras.activations", "keras.src.activations.activations")


@dataclass(frozen=True)
class KerasLayer(ForeignLayer):
    """A layer of a Keras file, by its configuration and what returns its arrays, given their shapes."""

    config: Mapping[str, Any]
    weights: Callable[[list[Shape]], list[Array]]

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

    def numbers(self, name: str) -> Array:
        """Return a field that is a number, or one for each feature."""
        try:
            return np.broadcast_to(np.asarray(self.config.get(name), np.float64).reshape(-1), self.size)
        except (ValueError, TypeError, OverflowError) as error:
            raise FileError(f"{name} is not one number per feature") from error

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return a field that is true or false."""
        value = self.config.get(name, default)
        if not isinstance(value, bool):
            raise FileError(f"{name} is {shown(str(value))}, expected true or false")
        return value


def _dense(layer: KerasLayer) -> int:
    units: Any = layer.config.get("units")
    for name in ("lora_rank", "quantization_config"):
        if layer.config.get(name) is not None:
            raise FileError(f"{name} is not supported")
    shapes: list[Shape] = [(layer.size, units), (units,)]  # which no array has where it is no number
    kernel, *bias = layer.weights(shapes if layer.flag("use_bias") else shapes[:1])
    return _activated(layer, layer.draft.dense(layer.source, kernel.T, *bias))


def _activated(layer: KerasLayer, source: int) -> int:
    """Add the function that the field `activation` names behind a layer."""
    value = layer.config.get("activation")
    if isinstance(value, dict):
        module, kind = value.get("module"), value.get("class_name")
        if module not in _FUNCTION_MODULES or kind != "function":
            raise FileError(
                f"its activation is {shown(str(kind))} from the module {shown(str(module))}, not Keras's own"
            )
        value = value.get("config")
    if value in (None, "linear"):
        return source
    if not isinstance(value, str) or value not in _ACTIVATIONS:
        raise FileError(f"the activation {shown(str(value))} is not supported")
    return layer.draft.activation(source, _ACTIVATIONS[value])


def _relu(layer: KerasLayer) -> int:
    bends = {name: layer.config.get(name) for name, usual in _RELU.items() if layer.config.get(name) != usual}
    if len(bends) > 1:
        raise FileError(f"a relu with {' and '.join(bends)} is not supported")
    if "max_value" in bends:
        return layer.clip(0, bends["max_value"])
    kind = "threshold" if "threshold" in bends else "leaky_relu" if bends else "relu"
    return layer.draft.activation(layer.source, {"type": kind, **bends})


def _layer_normalization(layer: KerasLayer) -> int:
    if layer.config.get("rms_scaling"):
        raise FileError("a normalization without the mean is not supported")
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
        raise FileError("a variance is below 0")
    scaling = Scaling(mean.astype(np.float64), np.maximum(np.sqrt(variance.astype(np.float64)), 1e-7))
    if layer.flag("invert", False):
        if draft.target is not None:
            raise FileError("there is an inverted Normalization before it")
        draft.target = scaling
    elif layer.source != INPUT or draft.preparation is not None or draft.steps:
        raise FileError("a Normalization is understood as the first layer, or inverted as the last one")
    else:
        draft.preparation = scaling
    return layer.source


def _flatten(layer: KerasLayer) -> int:
    if layer.config.get("data_format") not in (None, "channels_last"):
        raise FileError("a Flatten that puts the first axis last is not supported")
    return layer.source


def _rescaling(layer: KerasLayer) -> int:
    return layer.draft.affine(layer.source, layer.numbers("scale"), layer.numbers("offset"))


LAYERS: dict[str, Callable[[KerasLayer], int]] = {
    **{
        name: partial(KerasLayer.add, part=part)
        for name, part in named_parts(lambda names: names.keras_layer[0]).items()
    },
    # What they do while training differs; what is dropped on average does not.
    **dict.fromkeys(["AlphaDropout", "GaussianDropout"], partial(KerasLayer.add, part=Dropout)),
    **dict.fromkeys(["ActivityRegularization", "Identity"], same),
    "Activation": lambda layer: _activated(layer, layer.source),
    "Dense": _dense,
    "Flatten": _flatten,
    "LayerNormalization": _layer_normalization,
    "Normalization": _normalization,
    "ReLU": _relu,
    "Rescaling": _rescaling,
}
"""The classes of `keras.layers` that are supported."""
