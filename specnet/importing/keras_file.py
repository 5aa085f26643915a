"""Keras's ``.keras`` files: an archive of the network as JSON and of its weights as HDF5, neither of them executed.

Only layers of a fixed list are understood, each read field by field; names of modules and functions are compared with
that list and never looked up.
"""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from specnet.arrays import Array
from specnet.errors import FileError
from specnet.files import PathLike, file_errors, open_file
from specnet.importing.archives import opened
from specnet.importing.draft import INPUT, Draft, Imported
from specnet.importing.keras_layers import LAYERS, KerasLayer, dtype_of
from specnet.spec import Limits
from specnet.tensor_file import parse_object, shown

CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_CONFIG_LIMIT = 2**24
_WEIGHTS_LIMIT = 2**31
_NUMBERS = ("float32", "float64", "int32", "int64", "uint32", "uint64")
_MODELS = ("Sequential", "Functional")
_TENSOR = "__keras_tensor__"


def import_keras(path: PathLike, limits: Limits | None) -> Imported:
    """Return the network in a ``.keras`` file as a spec and a model.

    Raises
    ------
    FileError
        If the file is damaged, or holds something that is not understood; names it.
    """
    with file_errors(path), open_file(path) as (stream, _):
        with opened(stream) as archive:
            for name in (CONFIG, _WEIGHTS):
                if name not in archive:
                    hint = "in Python, specnet.import_model takes a torch.nn.Sequential or an estimator of scikit-learn"
                    raise FileError(f"this archive is neither Keras's nor skops's: it has no {name}", hint=hint)
            config = parse_object(archive.read(CONFIG, _CONFIG_LIMIT), CONFIG)
            content, said = archive.read(_WEIGHTS, _WEIGHTS_LIMIT), archive.said()
        model = _object(config, "the model")
        if model["class_name"] not in _MODELS:
            _not_understood(model, "the model")
        with _Weights(content) as weights:
            reader = _Reader(model, weights, limits)
            name = Path(path).stem
            return reader.draft.finish(reader.output, name, labels=said.labels, facts=said.facts)


class _Weights:
    """The weights of a ``.keras`` file, by layer."""

    def __init__(self, content: bytes) -> None:
        try:
            import h5py
        except ImportError:
            raise FileError(
                "this is a Keras file, whose weights the package h5py reads", hint="pip install '.[keras]'"
            ) from None
        self._h5py = h5py
        try:
            self._file = h5py.File(io.BytesIO(content), "r")
        except Exception as error:  # h5py passes on whatever a damaged file leads it to
            raise FileError(f"{_WEIGHTS} is no HDF5 file, or a damaged one: {error}") from error

    def __enter__(self) -> _Weights:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, place: str, shapes: list[tuple[int, ...]]) -> list[Array]:
        """Return a layer's arrays, which have to be as many as these shapes and have them."""
        try:
            group = self._group(place)
            names = [] if group is None else sorted(group, key=lambda name: (len(name), name))
            if names != [str(number) for number in range(len(shapes))]:
                raise FileError(f"{place} has {len(names)} arrays, and {len(shapes)} are needed")
            assert group is not None or not shapes
            return [self._array(group, name, shape) for name, shape in zip(names, shapes, strict=True)]
        except FileError:
            raise
        except Exception as error:
            raise FileError(f"{_WEIGHTS} is damaged at {place}: {error}") from error

    def _group(self, place: str) -> Any:
        group = self._file
        for name in ["layers", place, "vars"]:
            group = self._own(group, name)
            if group is None:
                return None
            if not isinstance(group, self._h5py.Group):
                raise FileError(f"{_WEIGHTS} has something else than a group in the place of {place}")
        return group

    def _own(self, group: Any, name: str) -> Any:
        """Return a member of a group, if the file itself has it: a link may lead to any other file."""
        link = group.get(name, getlink=True)
        if link is not None and not isinstance(link, self._h5py.HardLink):
            raise FileError(f"{_WEIGHTS} has a link in the place of {shown(name)}")
        return None if link is None else group[name]

    def _array(self, group: Any, name: str, shape: tuple[int, ...]) -> Array:
        dataset = self._own(group, name)
        where = f"{_WEIGHTS} {group.name}/{name}"
        if not isinstance(dataset, self._h5py.Dataset) or dataset.dtype.name not in _NUMBERS:
            raise FileError(f"{where} is no array of numbers")
        if dataset.shape != shape:
            raise FileError(f"{where} has shape {dataset.shape}, and {shape} is needed")
        if dataset.external or dataset.is_virtual or dataset.chunks is not None:
            raise FileError(f"{where} is not kept in one piece, as Keras keeps it")
        if dataset.id.get_storage_size() != math.prod(shape) * dataset.dtype.itemsize:
            raise FileError(f"{where} does not have the bytes that its shape needs")
        return np.asarray(dataset[()])


class _Reader:
    """Reads a model's layers in order.

    Attributes
    ----------
    draft : Draft
    sources : dict
        What each layer is in the draft, by its name.
    unprepared : set
        The names of those that a Normalization has gone past: they are columns or outputs in other units.
    output : int
        The layer whose output is the network's.
    """

    def __init__(self, model: Mapping[str, Any], weights: _Weights, limits: Limits | None) -> None:
        self.weights = weights
        config = _config(model, "the model")
        layers = config.get("layers")
        if not isinstance(layers, list) or not layers:
            raise FileError("the model has no list of layers")
        self.layers = [_object(layer, f"layer {number}") for number, layer in enumerate(layers)]
        first = self.layers[0]
        if first["class_name"] != "InputLayer":
            raise FileError("the first layer is no InputLayer, so that the number of columns is not known")
        self.draft = Draft(_columns(first), self._dtype(), limits)
        self.sources: dict[str, int] = {}
        self.unprepared: set[str] = set()
        self.last = INPUT
        self.places = Counter[str]()
        output = INPUT
        for number, layer in enumerate(self.layers):
            output = self._add(number, layer, None if model["class_name"] == "Sequential" else layer)
        self.output = output if model["class_name"] == "Sequential" else self._named_output(config)
        if self.output == INPUT:
            self.output = self.draft.activation(INPUT, "linear")

    def _dtype(self) -> str:
        # Columns and targets are prepared in float64 whatever the network computes in.
        kinds = [layer for layer in self.layers[1:] if layer["class_name"] != "Normalization"]
        found = {dtype_of(_config(layer, "a layer")) for layer in kinds} or {"float32"}
        if len(found) > 1 or not found <= {"float32", "float64"}:
            raise FileError(
                f"the layers compute in {', '.join(sorted(found))}; all in float32 or all in float64 is needed"
            )
        return found.pop()

    def _add(self, number: int, layer: Mapping[str, Any], graph: Mapping[str, Any] | None) -> int:
        """Add a layer, which in a Sequential reads the one before it, and return its number in the draft."""
        kind, config = layer["class_name"], _config(layer, f"layer {number}")
        name = config.get("name")
        where = f"layer {shown(str(name))} ({shown(str(kind))[1:-1]})"
        place = self._place(str(kind))
        if kind == "InputLayer":
            if number:
                raise FileError(f"{where}: a network here has one input, the first layer")
            source = INPUT
        else:
            understood = LAYERS.get(kind)
            if understood is None:
                _not_understood(layer, where)
            previous = [self.last] if graph is None else self._inputs(graph, where)
            if self.draft.target is not None:
                raise FileError(f"{where}: it stands behind the Normalization that makes values of the outputs")
            preparation, target = self.draft.preparation, self.draft.target
            source = understood(KerasLayer(self.draft, config, previous, where, self._weights_of(place)))
            if self.draft.preparation is not preparation or self.draft.target is not target:
                self.unprepared |= self.sources.keys()
        if not isinstance(name, str) or name in self.sources:
            raise FileError(f"{where}: there is no name, or another layer has it")
        self.sources[name] = self.last = source
        return source

    def _place(self, kind: str) -> str:
        """Return under which name the file keeps a layer's weights: that of its class, and its number among these."""
        snake = re.sub(r"\W+", "", kind)
        snake = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", snake)
        snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
        self.places[snake] += 1
        return snake if self.places[snake] == 1 else f"{snake}_{self.places[snake] - 1}"

    def _weights_of(self, place: str) -> Any:
        return lambda shapes: self.weights.read(place, shapes)

    def _inputs(self, layer: Mapping[str, Any], where: str) -> list[int]:
        """Return which layers a layer of a Functional reads."""
        nodes = layer.get("inbound_nodes")
        if not isinstance(nodes, list) or len(nodes) != 1 or not isinstance(nodes[0], dict):
            raise FileError(f"{where}: it is used {len(nodes) if isinstance(nodes, list) else 0} times, not once")
        arguments, options = nodes[0].get("args"), nodes[0].get("kwargs", {})
        if not isinstance(arguments, list) or len(arguments) != 1 or not isinstance(options, dict):
            raise FileError(f"{where}: it does not read one tensor or one list of tensors")
        if any(value is not None and key != "training" for key, value in options.items()) or options.get("training"):
            raise FileError(f"{where}: it is called with options that are not understood")
        tensors = arguments[0] if isinstance(arguments[0], list) else arguments
        return [self._source(tensor, where) for tensor in tensors]

    def _source(self, tensor: Any, where: str) -> int:
        history = None
        if isinstance(tensor, dict) and tensor.get("class_name") == _TENSOR and isinstance(tensor.get("config"), dict):
            history = tensor["config"].get("keras_history")
        if not isinstance(history, list) or len(history) != 3 or history[1:] != [0, 0]:
            raise FileError(f"{where}: it reads something else than another layer's only output")
        if not isinstance(history[0], str) or history[0] not in self.sources:
            raise FileError(f"{where}: it reads {shown(str(history[0]))}, which no layer before it is")
        return self._prepared(history[0], where)

    def _prepared(self, name: str, where: str) -> int:
        """Return what a layer is in the draft, whose units those of the network have to be."""
        if name in self.unprepared:
            message = "without the Normalization of it, which a network here has for all that reads it"
            raise FileError(f"{where}: it reads {shown(name)} {message}")
        return self.sources[name]

    def _named_output(self, config: Mapping[str, Any]) -> int:
        outputs = config.get("output_layers")
        if isinstance(outputs, list) and len(outputs) == 1 and isinstance(outputs[0], list):
            (outputs,) = outputs
        if not isinstance(outputs, list) or len(outputs) != 3 or outputs[1:] != [0, 0]:
            raise FileError("the model has several outputs, and a network here has one")
        if not isinstance(outputs[0], str) or outputs[0] not in self.sources:
            raise FileError(f"the model's output is {shown(str(outputs[0]))}, which no layer is")
        return self._prepared(outputs[0], "the model's output")


def _object(value: Any, where: str) -> dict[str, Any]:
    """Return the description of an object, if it is one of Keras's own and no custom one."""
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        raise FileError(f"{where} is not described by a class and its configuration")
    module, registered = value.get("module"), value.get("registered_name")
    if isinstance(module, str) and module.startswith("keras.src.ops."):
        raise FileError(
            f"{where} ({shown(value['class_name'])}) is one of Keras's operations, and layers are understood"
        )
    if not isinstance(module, str) or not (
        module in ("keras", "keras.layers") or module.startswith("keras.src.models.")
    ):
        raise FileError(
            f"{where} ({shown(value['class_name'])}) is from the module {shown(str(module))}, not from Keras"
        )
    if registered not in (None, value["class_name"]):
        raise FileError(f"{where} ({shown(value['class_name'])}) is a custom class, {shown(str(registered))}")
    return value


def _not_understood(value: Mapping[str, Any], where: str) -> NoReturn:
    if value["class_name"] == "Lambda":
        raise FileError(f"{where}: a Lambda is code, which is not executed")
    raise FileError(f"{where}: layers of the class {shown(value['class_name'])} are not understood")


def _config(value: Mapping[str, Any], where: str) -> dict[str, Any]:
    config = value.get("config")
    if not isinstance(config, dict):
        raise FileError(f"{where} has no configuration")
    return config


def _columns(layer: Mapping[str, Any]) -> int:
    shape = _config(layer, "the input").get("batch_shape")
    if not isinstance(shape, list) or len(shape) != 2 or type(shape[1]) is not int or shape[1] < 1:
        raise FileError(f"the input has the shape {shown(str(shape))}, and (rows, columns) is needed")
    return shape[1]
