"""Keras's ``.keras`` files: an archive of the network as JSON and of its weights as HDF5, neither of them executed.

Only layers of a fixed list are read, field by field; names of modules and functions are compared with that list and
never looked up. A model is a stack or a graph of layers, and has no models inside.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from specnet.errors import FileError
from specnet.files import PathLike, file_errors, open_file
from specnet.files.tensors import parse_object, shown
from specnet.importing.archives import opened
from specnet.importing.draft import INPUT, Draft, Imported
from specnet.importing.foreign import errors_at
from specnet.importing.keras_layers import LAYERS, KerasLayer
from specnet.importing.keras_weights import WEIGHTS, Weights
from specnet.spec import Limits

CONFIG = "config.json"
_CONFIG_LIMIT = 2**24
_WEIGHTS_LIMIT = 2**31
_INPUT_LAYER, _SEQUENTIAL, _FUNCTIONAL = "InputLayer", "Sequential", "Functional"
_PER_LAYER = 8
"""Layers of Keras for each that a network here may have: an activation or an input is one too."""


def import_keras(path: PathLike, limits: Limits | None) -> Imported:
    """Return the network in a ``.keras`` file as a spec and a model.

    Raises
    ------
    FileError
        If the file is damaged, or holds something that is not supported; names it.
    """
    with file_errors(path), open_file(path) as (stream, _):
        with opened(stream) as archive:
            for name in (CONFIG, WEIGHTS):
                if name not in archive:
                    hint = "in Python, specnet.import_model takes a torch.nn.Sequential or an estimator of scikit-learn"
                    raise FileError(f"this archive is neither Keras's nor skops's: it has no {name}", hint=hint)
            config = parse_object(archive.read(CONFIG, _CONFIG_LIMIT), CONFIG)
            content, said = archive.read(WEIGHTS, _WEIGHTS_LIMIT), archive.said()
        with Weights(content) as weights:
            draft, output = _read(config, weights, limits)
            return draft.finish(output, Path(path).stem, labels=said.labels, facts=said.facts)


@dataclass(frozen=True)
class _Layer:
    """A layer as the file describes it."""

    kind: str
    name: str
    where: str
    config: Mapping[str, Any]
    nodes: Any


def _read(model: Mapping[str, Any], weights: Weights, limits: Limits | None) -> tuple[Draft, int]:
    """Return a draft of a file's network, and the layer whose output is the network's."""
    value = _object(model, "the model")
    kind, config = value["class_name"], _config(value, "the model")
    if kind not in (_SEQUENTIAL, _FUNCTIONAL):
        raise _unsupported(kind, "the model")
    layers = _layers(config.get("layers"), limits or Limits())
    inputs = [layer for layer in layers.values() if layer.kind == _INPUT_LAYER]
    if len(inputs) != 1 or (kind == _SEQUENTIAL and next(iter(layers.values())) is not inputs[0]):
        raise FileError(f"the model has {len(inputs)} inputs, expected one InputLayer before all other layers")
    draft = Draft(_columns(inputs[0]), _dtype(layers), limits)
    # What each layer is in the draft, and the preparation and the target that it knew: if one came later, its columns
    # or outputs are in other units.
    made = {inputs[0].name: (INPUT, draft.preparation, draft.target)}
    places, last = Counter[str](), inputs[0].name
    for layer in layers.values():
        place = _place(layer.kind, places)
        if layer is not inputs[0]:
            names = [last] if kind == _SEQUENTIAL else _sources(layer, made)
            _check_units(draft, [made[name] for name in names], layer.where)
            sources = [made[name][0] for name in names]
            with errors_at(layer.where):
                read = KerasLayer(draft, sources, layer.config, partial(weights.read, place))
                made[layer.name] = LAYERS[layer.kind](read), draft.preparation, draft.target
            last = layer.name
    name = last if kind == _SEQUENTIAL else _output(config, made)
    number, preparation, target = made[name]
    if preparation is not draft.preparation or target is not draft.target:
        raise FileError("the output of the model is in other units than what is behind a Normalization")
    return draft, number


def _layers(given: Any, limits: Limits) -> dict[str, _Layer]:
    if not isinstance(given, list) or not given:
        raise FileError("the model has no list of layers")
    if len(given) > _PER_LAYER * limits.layers:
        raise FileError(f"this file has more than {_PER_LAYER * limits.layers} layers")
    layers: dict[str, _Layer] = {}
    for number, entry in enumerate(given):
        value = _object(entry, f"layer {number}")
        kind, config = value["class_name"], _config(value, f"layer {number} ({shown(value['class_name'])})")
        name = config.get("name")
        where = f"layer {shown(str(name))} ({shown(kind)[1:-1]})"
        if not isinstance(name, str) or value.get("name", name) != name or name in layers:
            raise FileError(f"{where}: it has no name, or that of another layer")
        if kind not in LAYERS and kind != _INPUT_LAYER:
            raise _unsupported(kind, where)
        layers[name] = _Layer(kind, name, where, config, value.get("inbound_nodes"))
    return layers


def _object(value: Any, where: str) -> dict[str, Any]:
    """Return the description of an object, if it is one of Keras's own and no custom one."""
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        raise FileError(f"{where} is not described by a class and its configuration")
    module, registered = value.get("module"), value.get("registered_name")
    kind = shown(value["class_name"])
    if not isinstance(module, str) or not (module in ("keras", "keras.layers") or module.startswith("keras.src.")):
        raise FileError(f"{where} ({kind}) is from the module {shown(str(module))}, not from Keras")
    if module.startswith("keras.src.") and not module.startswith("keras.src.models."):
        raise FileError(f"{where} ({kind}) is one of Keras's operations; only layers are supported")
    if registered not in (None, value["class_name"]):
        raise FileError(f"{where} ({kind}) is a custom class, {shown(str(registered))}")
    return value


def _unsupported(kind: str, where: str) -> FileError:
    if kind == "Lambda":
        return FileError(f"{where}: a Lambda is code, which is not executed")
    return FileError(f"{where}: layers of the class {shown(kind)} are not supported")


def _config(value: Mapping[str, Any], where: str) -> dict[str, Any]:
    config = value.get("config")
    if not isinstance(config, dict):
        raise FileError(f"{where} has no configuration")
    return config


def _sources(layer: _Layer, made: Mapping[str, Any]) -> list[str]:
    """Return which layers a layer of a Functional reads."""
    where, nodes = layer.where, layer.nodes
    if not isinstance(nodes, list) or len(nodes) != 1 or not isinstance(nodes[0], dict):
        raise FileError(f"{where}: it is used {len(nodes) if isinstance(nodes, list) else 0} times, not once")
    arguments, options = nodes[0].get("args"), nodes[0].get("kwargs", {})
    if not isinstance(arguments, list) or len(arguments) != 1 or not isinstance(options, dict):
        raise FileError(f"{where}: it does not read one tensor or one list of tensors")
    if any(_is_given(value) and key != "training" for key, value in options.items()) or options.get("training"):
        raise FileError(f"{where}: it is called with options that are not supported")
    tensors = arguments[0] if isinstance(arguments[0], list) else arguments
    return [_source(_history(tensor), where, made) for tensor in tensors]


def _history(tensor: Any) -> Any:
    is_tensor = isinstance(tensor, dict) and tensor.get("class_name") == "__keras_tensor__"
    config = tensor.get("config") if is_tensor else None
    return config.get("keras_history") if isinstance(config, dict) else None


def _source(history: Any, where: str, made: Mapping[str, Any]) -> str:
    """Return the layer whose only output a tensor is."""
    if not isinstance(history, list) or len(history) != 3 or history[1:] != [0, 0]:
        raise FileError(f"{where}: it reads something else than another layer's only output")
    if not isinstance(history[0], str) or history[0] not in made:
        raise FileError(f"{where}: it reads {shown(str(history[0]))}, which no layer before it is")
    return history[0]


def _is_given(option: Any) -> bool:
    """Whether an option of a call is something: a mask of several inputs is a list of nothing."""
    return any(value is not None for value in option) if isinstance(option, list) else option is not None


def _output(config: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    """Return the layer whose output a Functional's is."""
    outputs = config.get("output_layers")
    if isinstance(outputs, list) and len(outputs) == 1 and isinstance(outputs[0], list):
        (outputs,) = outputs
    if not isinstance(outputs, list) or len(outputs) != 3 or not isinstance(outputs[0], str):
        raise FileError("the model has several outputs, expected one")
    return _source(outputs, "the output", made)


def _check_units(draft: Draft, made: list[Any], where: str) -> None:
    """Refuse a layer that reads columns in other units than the network has, or outputs that have units already."""
    if draft.target is not None:
        raise FileError(f"{where}: it stands behind the Normalization that makes values of the outputs")
    if any(preparation is not draft.preparation for _, preparation, _ in made):
        raise FileError(f"{where}: it reads columns without the Normalization that others read them with")


def _place(kind: str, places: Counter[str]) -> str:
    """Return under which name the file keeps a layer's weights: that of its class, and its number among these."""
    snake = re.sub(r"\W+", "", kind)
    snake = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", snake)
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
    places[snake] += 1
    return snake if places[snake] == 1 else f"{snake}_{places[snake] - 1}"


def _dtype(layers: Mapping[str, _Layer]) -> str:
    # Columns and targets are prepared in float64 whatever the network computes in.
    kinds = ("Normalization", _INPUT_LAYER)
    found = {_dtype_of(layer.config) for layer in layers.values() if layer.kind not in kinds} or {"float32"}
    if len(found) > 1 or not found <= {"float32", "float64"}:
        raise FileError(f"the layers compute in {', '.join(sorted(found))}; expected float32 or float64 in all")
    return found.pop()


def _columns(layer: _Layer) -> int:
    shape = layer.config.get("batch_shape")
    if _dtype_of(layer.config) not in ("float32", "float64"):
        raise FileError(f"{layer.where}: it rounds its columns to {_dtype_of(layer.config)}")
    if not isinstance(shape, list) or len(shape) != 2 or type(shape[1]) is not int or shape[1] < 1:
        raise FileError(f"{layer.where} has the shape {shown(str(shape))}, expected (rows, columns)")
    return shape[1]


def _dtype_of(config: Mapping[str, Any]) -> str:
    """Return the dtype in which a layer computes."""
    dtype = config.get("dtype", "float32")
    if isinstance(dtype, dict):
        policy = dtype.get("config")
        dtype = policy.get("name") if isinstance(policy, dict) and dtype.get("class_name") == "DTypePolicy" else None
    return shown(str(dtype))[1:-1]
