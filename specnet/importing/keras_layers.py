"""Which layers here are Keras's, class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from specnet.errors import FileError
from specnet.exporting.targets.keras import SAME_NAMES
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Draft, Scaling
from specnet.parts.arrays import Array

Part = str | dict[str, Any]

_ACTIVATIONS: dict[str, dict[str, Any]] = {
    "leaky_relu": {"type": "leaky_relu", "negative_slope": 0.2},
    "hard_silu": {"type": "hard_swish"},
    **{name: {"type": name} for name in sorted(SAME_NAMES - {"linear"})},
}
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
            self.refuse(f"it reads {len(self.inputs)} layers, and one is needed")
        return self.inputs[0]

    @property
    def size(self) -> int:
        """The number of features that it reads."""
        return self.draft.size(self.source)

    def refuse(self, reason: str) -> NoReturn:
        """Say that the layer is not understood."""
        raise FileError(f"{self.where}: {reason}")

    def number(self, name: str, default: float | None = None) -> float:
        """Return a field that is a number."""
        value = self.config.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
            self.refuse(f"{name} is {shown(str(value))}, and a number is needed")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """Return a field that is true or false."""
        value = self.config.get(name, default)
        if not isinstance(value, bool):
            self.refuse(f"{name} is {shown(str(value))}, and true or false is needed")
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
            self.refuse(f"the activation {shown(str(value))} is not understood")
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
        layer.refuse(f"units is {shown(str(units))}, and a number is needed")
    for name in ("lora_rank", "quantization_config"):
        if layer.config.get(name) is not None:
            layer.refuse(f"{name} is not understood")
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
    if part != "glu":
        return layer.draft.activation(source, part)
    if size % 2:
        layer.refuse(f"glu halves its input, and {size} features are an odd number")
    return layer.draft.add({"type": "activation", "activation": part}, [source], size=size // 2)


def _relu(layer: KerasLayer) -> int:
    ceiling, slope, threshold = (
        layer.config.get("max_value"),
        layer.number("negative_slope", 0.0),
        layer.number("threshold", 0.0),
    )
    if threshold or (ceiling is not None and (slope or ceiling != 6)):
        layer.refuse("a relu with a threshold or a ceiling is understood as relu6 only")
    part: Part = "relu" if ceiling is None else "relu6"
    return layer.draft.activation(layer.source, _leaky(layer, slope) if slope else part)


def _leaky_relu(layer: KerasLayer) -> int:
    return layer.draft.activation(layer.source, _leaky(layer, layer.number("negative_slope", 0.3)))


def _leaky(layer: KerasLayer, slope: float) -> Part:
    if not 0 <= slope < 1:
        layer.refuse(f"a slope of {slope:g} is not between 0 and 1")
    return {"type": "leaky_relu", "negative_slope": slope}


def _elu(layer: KerasLayer) -> int:
    return layer.draft.activation(layer.source, {"type": "elu", "alpha": layer.number("alpha", 1.0)})


def _prelu(layer: KerasLayer) -> int:
    (slope,) = layer.weights([(layer.size,)])
    return layer.draft.activation(layer.source, "prelu", {"negative_slope": slope})


def _softmax(layer: KerasLayer) -> int:
    layer.along_features()
    return layer.draft.activation(layer.source, "softmax")


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
        layer.refuse("a normalization without the mean is not understood")
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
        mean, variance = (_numbers(layer, value) for value in given)
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


def _numbers(layer: KerasLayer, value: Any) -> Array:
    try:
        return np.broadcast_to(np.asarray(value, np.float64).reshape(-1), layer.size)
    except (ValueError, TypeError, OverflowError):
        layer.refuse("its mean or its variance is no number for each feature")


def _several(kind: str) -> Callable[[KerasLayer], int]:
    def combine(layer: KerasLayer) -> int:
        sizes = [layer.draft.size(source) for source in layer.inputs]
        if len(sizes) < 2:
            layer.refuse("it reads one layer, and several are needed")
        if kind == "concatenate":
            layer.along_features()
            return layer.draft.add({"type": kind}, layer.inputs, size=sum(sizes))
        if len(set(sizes)) > 1:
            layer.refuse(f"it combines layers of {' and '.join(map(str, sizes))} features")
        return layer.draft.add({"type": kind}, layer.inputs)

    return combine


def _kept(kind: str, field: str, name: str) -> Callable[[KerasLayer], int]:
    """Return what reads a layer that acts while training only."""

    def keep(layer: KerasLayer) -> int:
        return layer.draft.add({"type": kind, field: layer.number(name)}, [layer.source])

    return keep


def _nothing(layer: KerasLayer) -> int:
    return layer.source


LAYERS: dict[str, Callable[[KerasLayer], int]] = {
    "Activation": _activation,
    "Add": _several("add"),
    "BatchNormalization": _batch_normalization,
    "Concatenate": _several("concatenate"),
    "Dense": _dense,
    "Dropout": _kept("dropout", "rate", "rate"),
    "ELU": _elu,
    "Flatten": _nothing,
    "GaussianNoise": _kept("gaussian_noise", "stddev", "stddev"),
    "Identity": _nothing,
    "LayerNormalization": _layer_normalization,
    "LeakyReLU": _leaky_relu,
    "Multiply": _several("multiply"),
    "Normalization": _normalization,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Softmax": _softmax,
}
"""The classes of `keras.layers` that are understood."""
