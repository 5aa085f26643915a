"""What a Keras file says of its network: layers of known classes, of which some are models of layers again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.keras_layers import LAYERS
from specnet.spec import Limits

INPUT_LAYER, SEQUENTIAL, FUNCTIONAL = "InputLayer", "Sequential", "Functional"
_MODELS = (SEQUENTIAL, FUNCTIONAL)
_DEPTH = 16
"""Models inside each other, beside the outermost."""
_PER_LAYER = 8
"""Layers of Keras for each that a network here may have: an activation, an input or a model is one too."""
_NAME_LENGTH = 60


@dataclass(frozen=True)
class Described:
    """A layer, or a model of layers.

    Attributes
    ----------
    kind : str
        Its class.
    name : str
        Distinct in its model.
    where : str
        What messages call it.
    config : mapping
        Its fields.
    nodes : object
        Where it is used, in a Functional.
    layers : list of Described
        Those of a model, each behind what it reads; none in a layer.
    inputs : list of Described
        Those of them that are a model's inputs, in the order in which it is given them.
    """

    kind: str
    name: str
    where: str
    config: Mapping[str, Any]
    nodes: Any = None
    layers: list[Described] = field(default_factory=list)
    inputs: list[Described] = field(default_factory=list)

    @property
    def is_stack(self) -> bool:
        """Whether each layer of the model reads the one before it."""
        return self.kind == SEQUENTIAL

    def computing(self) -> Iterator[Described]:
        """Yield the layers, also those of the models inside, that are no inputs."""
        for layer in self.layers:
            if layer.layers:
                yield from layer.computing()
            elif layer.kind != INPUT_LAYER:
                yield layer


def describe(model: Mapping[str, Any], limits: Limits) -> Described:
    """Return the description of a file's network, of which every class is known.

    Raises
    ------
    FileError
        If something in it is not understood, or there is too much of it.
    """
    where = "the model"
    value = _object(model, where)
    if value["class_name"] not in _MODELS:
        _not_understood(value, where)
    return _Describer(_PER_LAYER * limits.layers).model(value, "", where, (), 0)


class _Describer:
    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0

    def model(self, value: Mapping[str, Any], name: str, where: str, path: tuple[str, ...], depth: int) -> Described:
        """Return the description of a model with the names of those that it lies in, and its own."""
        if depth > _DEPTH:
            raise FileError(f"{where}: it lies in more than {_DEPTH} models")
        kind, config = value["class_name"], _config(value, where)
        given = config.get("layers")
        if not isinstance(given, list) or not given:
            raise FileError(f"{where} has no list of layers")
        self.count += len(given)
        if self.count > self.most:
            raise FileError(f"this file has more than {self.most} layers")
        inside = f" in {shown('/'.join(path))}" if path else ""
        layers: dict[str, Described] = {}
        for number, layer in enumerate(given):
            found = self._layer(_object(layer, f"layer {number}{inside}"), inside, path, depth)
            if found.name in layers:
                raise FileError(f"{found.where}: another layer has its name")
            layers[found.name] = found
        inputs = _stacks_inputs(given, layers, where) if kind == SEQUENTIAL else _inputs(config, layers, where)
        return Described(kind, name, where, config, value.get("inbound_nodes"), list(layers.values()), inputs)

    def _layer(self, value: Mapping[str, Any], inside: str, path: tuple[str, ...], depth: int) -> Described:
        kind = value["class_name"]
        config = _config(value, f"a layer of the class {shown(kind)}{inside}")
        name = config.get("name")
        where = f"layer {shown(str(name))} ({shown(kind)[1:-1]}){inside}"
        if not isinstance(name, str) or value.get("name", name) != name:
            raise FileError(f"{where}: it has no name, or two")
        if kind in _MODELS:
            return self.model(value, name, where, (*path, name[:_NAME_LENGTH]), depth + 1)
        if kind not in LAYERS and kind != INPUT_LAYER:
            _not_understood(value, where)
        return Described(kind, name, where, config, value.get("inbound_nodes"))


def _stacks_inputs(given: list[Any], layers: Mapping[str, Described], where: str) -> list[Described]:
    first, *others = layers.values()
    if first.kind != INPUT_LAYER:
        raise FileError(f"{where}: its first layer is no InputLayer, so that the number of columns is not known")
    for layer in others:
        if layer.kind == INPUT_LAYER:
            raise FileError(f"{layer.where}: it is not the first layer of a Sequential")
    return [first]


def _inputs(config: Mapping[str, Any], layers: Mapping[str, Described], where: str) -> list[Described]:
    """Return the inputs of a Functional in their order, which need not be that of the layers."""
    tensors = config.get("input_layers")
    if isinstance(tensors, dict) and len(tensors) == 1:
        tensors = list(tensors.values())
    if isinstance(tensors, list) and len(tensors) == 3 and isinstance(tensors[0], str):
        tensors = [tensors]
    wanted = [name for name, layer in layers.items() if layer.kind == INPUT_LAYER]
    found = tensors if isinstance(tensors, list) else []
    names = [tensor[0] for tensor in found if isinstance(tensor, list) and tensor[1:] == [0, 0]]
    if len(names) != len(found) or sorted(map(str, names)) != sorted(wanted) or not wanted:
        raise FileError(f"{where}: its inputs are not its InputLayers, each once and in a list")
    return [layers[name] for name in names]


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
