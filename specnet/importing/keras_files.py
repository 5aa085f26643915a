"""Import of ``.keras`` files: archives with the network as JSON and its weights as HDF5; neither is executed.

Only layers of a fixed list are read, field by field. Names of modules and functions are compared with that list and
never imported. A model is a stack or a graph of layers, without nested models. Start at `import_keras`; `LAYERS`
has the function that reads each class of layer.
"""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from specnet.errors import FileError, install_hint
from specnet.exporting.model_facts import archive_facts
from specnet.files.archives import Archive
from specnet.files.tensors import Shape, parse_object, shown
from specnet.importing.draft import INPUT, Draft, ForeignLayer, Imported, Scaling, errors_at, named_parts, same
from specnet.parts.arrays import Array
from specnet.parts.layers import Dropout, LayerNormalization
from specnet.parts.part import Names
from specnet.spec import Limits
from specnet.spec.document import raising

WEIGHTS = "model.weights.h5"
_NUMBERS = ("float32", "float64", "int32", "int64", "uint32", "uint64")


class Weights:
    """The weights of a ``.keras`` file, by layer."""

    def __init__(self, content: bytes) -> None:
        try:
            import h5py
        except ImportError:
            message = "this is a Keras file, whose weights the package h5py reads"
            raise FileError(message, hint=install_hint("keras")) from None
        self._h5py = h5py
        try:
            self._file = h5py.File(io.BytesIO(content), "r")
        except Exception as error:  # h5py may raise any error for a damaged file
            raise FileError(f"{WEIGHTS} is not a valid HDF5 file: {error}") from error

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, layer: str, shapes: list[tuple[int, ...]]) -> list[Array]:
        """Return the arrays of a layer, by its name in the file; they must have exactly these shapes."""
        try:
            group = self._file
            for name in ("layers", layer, "vars"):
                group = None if group is None else self._own(group, name, self._h5py.Group)
            names = [] if group is None else sorted(group, key=lambda name: (len(name), name))
            if names != [str(number) for number in range(len(shapes))]:
                raise FileError(f"{layer} has {len(names)} arrays, expected {len(shapes)}")
            return [self._array(group, name, shape) for name, shape in zip(names, shapes, strict=True)]
        except FileError:
            raise
        except Exception as error:
            raise FileError(f"{WEIGHTS} is damaged at {layer}: {error}") from error

    def _own(self, group: Any, name: str, kind: type) -> Any:
        """Return a member of a group, None if missing; a link is an error, as it may lead to any other file."""
        link = group.get(name, getlink=True)
        if link is not None and not isinstance(link, self._h5py.HardLink):
            raise FileError(f"{WEIGHTS} has a link instead of {shown(name)}")
        found = None if link is None else group[name]
        if found is not None and not isinstance(found, kind):
            raise FileError(f"{WEIGHTS} has no {kind.__name__} {shown(name)}")
        return found

    def _array(self, group: Any, name: str, shape: tuple[int, ...]) -> Array:
        dataset = self._own(group, name, self._h5py.Dataset)
        where = f"{WEIGHTS} {group.name}/{name}"
        if dataset.dtype.name not in _NUMBERS:
            raise FileError(f"{where} is not an array of numbers")
        if dataset.shape != shape:
            raise FileError(f"{where} has shape {dataset.shape}, expected {shape}")
        if dataset.external or dataset.is_virtual or dataset.chunks is not None:
            raise FileError(f"{where} is not stored in one piece, as Keras does")
        if dataset.id.get_storage_size() != math.prod(shape) * dataset.dtype.itemsize:
            raise FileError(f"{where} does not have the bytes that its shape needs")
        return np.asarray(dataset[()])


CONFIG = "config.json"
_CONFIG_LIMIT = 2**24
_INPUT_LAYER, _SEQUENTIAL, _FUNCTIONAL = "InputLayer", "Sequential", "Functional"
_FLATTEN = "Flatten"
_FACTORS = ("scale", "offset")
_PER_LAYER = 8
"""Allowed Keras layers per layer of a spec: in Keras, activations and inputs are layers too."""


def import_keras(archive: Archive, name: str, limits: Limits | None) -> Imported:
    """Return the network in a ``.keras`` file as a spec and a model; raise an error that names an unsupported part."""
    for member in (CONFIG, WEIGHTS):
        if member not in archive:
            hint = "in Python, specnet.import_model takes a torch.nn.Sequential or an estimator of scikit-learn"
            raise FileError(f"this archive is neither Keras's nor skops's: it has no {member}", hint=hint)
    config = parse_object(archive.read(CONFIG, _CONFIG_LIMIT), CONFIG)
    labels, facts = archive_facts(archive)
    with Weights(archive.read(WEIGHTS)) as weights:
        draft, output = _read(config, weights, limits)
        return draft.finish(output, name, labels=labels, facts=facts)


class _Layer(NamedTuple):
    """A layer as the file describes it."""

    kind: str
    name: str
    where: str
    config: Mapping[str, Any]
    nodes: Any


def _read(model: Mapping[str, Any], weights: Weights, limits: Limits | None) -> tuple[Draft, int]:
    """Return a draft of the network in a file, and the number of its output layer."""
    kind, config = _described(model, "the model")
    if kind not in (_SEQUENTIAL, _FUNCTIONAL):
        raise FileError(f"the model is a {shown(kind)[1:-1]}, expected a {_SEQUENTIAL} or a {_FUNCTIONAL}")
    layers = _layers(config.get("layers"), limits or Limits())
    inputs = [layer for layer in layers if layer.kind == _INPUT_LAYER]
    if len(inputs) != 1 or (kind == _SEQUENTIAL and inputs != layers[:1]):
        raise FileError(f"the model has {len(inputs)} inputs, expected one InputLayer before all other layers")
    (columns,) = inputs
    shape = _shape(columns)
    draft = Draft(math.prod(shape), _dtype(layers), limits)
    made, last, counts = {columns.name: INPUT}, columns.name, Counter[str]()
    unflattened = {columns.name} if len(shape) > 1 else set()
    for layer in layers:
        key = _weights_key(layer.kind, counts)
        if layer is columns:
            continue
        with errors_at(layer.where):
            if draft.target is not None:
                raise FileError("it stands behind the Normalization that makes values of the outputs")
            names = [last] if kind == _SEQUENTIAL else _sources(layer.nodes, made)
            if not unflattened.isdisjoint(names) and layer.kind != _FLATTEN:
                _check_elementwise(layer)
                unflattened.add(layer.name)
            sources, preparation = [made[name] for name in names], draft.preparation
            number = LAYERS[layer.kind](KerasLayer(draft, sources, layer.config, partial(weights.read, key)))
        if draft.preparation is not preparation:
            made.clear()  # of columns in other units
        made[layer.name], last = number, layer.name
    with errors_at("the output of the model"):
        output = last if kind == _SEQUENTIAL else _source(config.get("output_layers"), made)
        if output in unflattened:
            raise FileError(f"it has the shape (rows, {', '.join(map(str, shape))}), expected (rows, outputs)")
        if draft.target is not None and output != last:
            raise FileError("it is in other units than those of the last Normalization")
    return draft, made[output]


def _layers(given: Any, limits: Limits) -> list[_Layer]:
    if not isinstance(given, list) or not given:
        raise FileError("the model has no list of layers")
    if len(given) > _PER_LAYER * limits.layers:
        raise FileError(f"this file has more than {_PER_LAYER * limits.layers} layers", hint=raising("layers"))
    layers: dict[str, _Layer] = {}
    for number, entry in enumerate(given):
        kind, config = _described(entry, f"layer {number}")
        name = config.get("name")
        where = f"layer {shown(str(name))} ({shown(kind)[1:-1]})"
        if not isinstance(name, str) or entry.get("name", name) != name or name in layers:
            raise FileError(f"{where}: it has no name, or that of another layer")
        if kind == "Lambda":
            raise FileError(f"{where}: a Lambda is code, which is not executed")
        if kind == "Average":
            hint = "import its ONNX file, from `specnet export RUN --to onnx`"
            raise FileError(f"{where}: the mean of several networks, as of an ensemble, is not supported", hint=hint)
        if kind not in LAYERS and kind != _INPUT_LAYER:
            raise FileError(f"{where}: layers of the class {shown(kind)} are not supported")
        layers[name] = _Layer(kind, name, where, config, entry.get("inbound_nodes"))
    return list(layers.values())


def _described(value: Any, where: str) -> tuple[str, Mapping[str, Any]]:
    """Return the class and the configuration of an object of Keras; raise an error about a custom class."""
    table = value if isinstance(value, dict) else {}
    kind, config, module, registered = map(table.get, ("class_name", "config", "module", "registered_name"))
    if not isinstance(kind, str) or not isinstance(config, dict):
        raise FileError(f"{where} is not described by a class and its configuration")
    with errors_at(f"{where} ({shown(kind)})"):
        if not isinstance(module, str) or not (module in ("keras", "keras.layers") or module.startswith("keras.src.")):
            raise FileError(f"it is from the module {shown(str(module))}, not from Keras")
        if module.startswith("keras.src.") and not module.startswith("keras.src.models."):
            raise FileError("it is one of Keras's operations; only layers are supported")
        if registered not in (None, kind):
            raise FileError(f"it is a custom class, {shown(str(registered))}")
    return kind, config


def _sources(nodes: Any, made: Mapping[str, Any]) -> list[str]:
    """Return the names of the layers that a layer of a functional model reads in its only call."""
    if not isinstance(nodes, list) or len(nodes) != 1 or not isinstance(nodes[0], dict):
        raise FileError(f"it is used {len(nodes) if isinstance(nodes, list) else 0} times, not once")
    arguments, options = nodes[0].get("args"), nodes[0].get("kwargs", {})
    if not isinstance(arguments, list) or len(arguments) != 1 or not isinstance(options, dict):
        raise FileError("it does not read one tensor or one list of tensors")
    if any(_is_given(value) and key != "training" for key, value in options.items()) or options.get("training"):
        raise FileError("it is called with options that are not supported")
    tensors = arguments[0] if isinstance(arguments[0], list) else arguments
    configs = [tensor.get("config") if isinstance(tensor, dict) else None for tensor in tensors]
    return [_source(config.get("keras_history") if isinstance(config, dict) else None, made) for config in configs]


def _source(history: Any, made: Mapping[str, Any]) -> str:
    """Return the name of the layer whose only output a tensor is, given the tensor's history."""
    if isinstance(history, list) and len(history) == 1:  # of one output, which some versions list
        (history,) = history
    if not isinstance(history, list) or len(history) != 3 or history[1:] != [0, 0]:
        raise FileError("expected the only output of one layer")
    if not isinstance(history[0], str) or history[0] not in made:
        raise FileError(f"it reads {shown(str(history[0]))}, which is no layer before it, or one in other units")
    return history[0]


def _is_given(option: Any) -> bool:
    """Return whether an option of a call is set; an empty mask of several inputs is a list of None."""
    return any(value is not None for value in option) if isinstance(option, list) else option is not None


def _weights_key(kind: str, counts: Counter[str]) -> str:
    """Return the name of a layer's weights in the file: the class in snake case, numbered from the second one on."""
    snake = re.sub(r"\W+", "", kind)
    snake = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", snake)
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
    counts[snake] += 1
    return snake if counts[snake] == 1 else f"{snake}_{counts[snake] - 1}"


def _dtype(layers: Sequence[_Layer]) -> str:
    # Columns and targets are prepared in float64 for any dtype of the network.
    kinds = ("Normalization", _INPUT_LAYER)
    found = {_dtype_of(layer.config) for layer in layers if layer.kind not in kinds}
    return " and ".join(sorted(found)) or "float32"


def _shape(layer: _Layer) -> list[int]:
    """Return the shape of a row, given an input layer."""
    shape = layer.config.get("batch_shape")
    if _dtype_of(layer.config) not in ("float32", "float64"):
        raise FileError(f"{layer.where}: it rounds its columns to {_dtype_of(layer.config)}")
    sizes = shape[1:] if isinstance(shape, list) else []
    if not sizes or not all(type(size) is int and size > 0 for size in sizes):
        raise FileError(f"{layer.where} has the shape {shown(str(shape))}, expected (rows, columns)")
    return sizes


def _check_elementwise(layer: _Layer) -> None:
    """Raise an error about a layer that reads rows of several axes, unless it rescales all numbers by one factor."""
    if layer.kind != "Rescaling" or not all(isinstance(layer.config.get(name), int | float) for name in _FACTORS):
        raise FileError("it reads rows of several axes; only Flatten, and a Rescaling by one number, can do so")


def _dtype_of(config: Mapping[str, Any]) -> str:
    """Return the dtype in which a layer computes."""
    dtype = config.get("dtype", "float32")
    if isinstance(dtype, dict):
        policy = dtype.get("config")
        dtype = policy.get("name") if isinstance(policy, dict) and dtype.get("class_name") == "DTypePolicy" else None
    return shown(str(dtype))[1:-1]


_ACTIVATIONS: dict[str, str | dict[str, Any]] = {
    name: part.part_name() for name, part in named_parts(lambda names: names.keras).items() if name != "linear"
} | {"leaky_relu": {"type": "leaky_relu", "negative_slope": 0.2}}
"""Activations by the name of the function in `keras.activations`, with its default arguments."""

_RELU = {"max_value": None, "negative_slope": 0, "threshold": 0}
"""Further fields of a ReLU layer, with the values that have no effect."""
_FUNCTION_MODULES = ("builtins", "keras.activations", "keras.src.activations.activations")


@dataclass(frozen=True)
class KerasLayer(ForeignLayer):
    """A layer of a Keras file: its configuration, and a function that loads its weights, given the expected shapes."""

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
        """Return a field that is one number, or a number for each feature, as an array (features,)."""
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
    """Add the activation that the field `activation` names after a layer."""
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
    # During training they differ, but on average they drop the same.
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
