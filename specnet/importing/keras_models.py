"""From Keras's models to a draft: each layer in order, and in the place of a model inside another its own layers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Draft, Scaling
from specnet.importing.keras_description import FUNCTIONAL, INPUT_LAYER, Described
from specnet.importing.keras_layers import LAYERS, KerasLayer, dtype_of
from specnet.importing.keras_weights import Weights
from specnet.spec import Limits

_TENSOR = "__keras_tensor__"
_DTYPES = ("float32", "float64")


def read_model(model: Described, weights: Weights, limits: Limits | None) -> tuple[Draft, int]:
    """Return a draft of a file's network, and the layer whose output is the network's.

    Raises
    ------
    FileError
        If something in it is not understood; names it.
    """
    if len(model.inputs) > 1:
        raise FileError("the model has several inputs, and a network here has one")
    draft = Draft(_columns(model.inputs[0]), _dtype(model), limits)
    reader = _Reader(draft, weights)
    output = reader.model(model, [reader.made(INPUT)], ()).number
    return draft, draft.activation(INPUT, "linear") if output == INPUT else output


@dataclass(frozen=True)
class _Made:
    """What a layer of Keras's is in the draft.

    Attributes
    ----------
    number : int
        The layer there.
    preparation, target : Scaling or None
        Those of the draft when it was made: if one came later, its columns or outputs are in other units.
    calls : tuple of int
        The numbers that Keras may give its only use: a Functional has been used once by being made.
    """

    number: int
    preparation: Scaling | None
    target: Scaling | None
    calls: tuple[int, ...] = (0,)


class _Reader:
    def __init__(self, draft: Draft, weights: Weights) -> None:
        self.draft, self.weights = draft, weights

    def made(self, number: int) -> _Made:
        """Return a layer that the draft has now."""
        return _Made(number, self.draft.preparation, self.draft.target)

    def model(self, model: Described, given: Sequence[_Made], place: tuple[str, ...]) -> _Made:
        """Add a model's layers, and return what its output is.

        Parameters
        ----------
        model : Described
        given : sequence of _Made
            What it reads.
        place : tuple of str
            Under which names the file keeps the weights of its layers.
        """
        if len(given) != len(model.inputs):
            raise FileError(f"{model.where}: it reads {len(given)} layers, and has {len(model.inputs)} inputs")
        for layer, source in zip(model.inputs, given, strict=True):
            self._check_input(layer, source, is_outermost=not place)
        sources = {layer.name: source for layer, source in zip(model.inputs, given, strict=True)}
        places = Counter[str]()
        last = given[0]
        for layer in model.layers:
            inner = (*place, _place(layer.kind, places))
            if layer.kind != INPUT_LAYER:
                read = [last] if model.is_stack else self._read(layer, sources)
                last = sources[layer.name] = self._layer(layer, read, inner)
        return last if model.is_stack else self._output(model, sources)

    def _check_input(self, layer: Described, source: _Made, *, is_outermost: bool) -> None:
        columns, size, dtype = _columns(layer), self.draft.size(source.number), dtype_of(layer.config)
        if columns != size:
            raise FileError(f"{layer.where}: it takes {columns} columns, and is given {size}")
        # Double precision holds all numbers of single precision, and a network's own columns are whatever they are.
        if dtype not in (_DTYPES if is_outermost else (self.draft.dtype, "float64")):
            raise FileError(f"{layer.where}: it rounds its columns to {dtype}")

    def _layer(self, layer: Described, read: Sequence[_Made], place: tuple[str, ...]) -> _Made:
        if layer.layers:
            made = self.model(layer, read, place)
            return replace(made, calls=(0, 1) if layer.kind == FUNCTIONAL else (0,))
        if self.draft.target is not None:
            raise FileError(f"{layer.where}: it stands behind the Normalization that makes values of the outputs")
        numbers = [source.number for source in read]
        weights = partial(self.weights.read, place)
        number = LAYERS[layer.kind](KerasLayer(self.draft, layer.config, numbers, layer.where, weights))
        return self.made(number)

    def _read(self, layer: Described, sources: Mapping[str, _Made]) -> list[_Made]:
        """Return what a layer of a Functional reads."""
        where, nodes = layer.where, layer.nodes
        if not isinstance(nodes, list) or len(nodes) != 1 or not isinstance(nodes[0], dict):
            raise FileError(f"{where}: it is used {len(nodes) if isinstance(nodes, list) else 0} times, not once")
        arguments, options = nodes[0].get("args"), nodes[0].get("kwargs", {})
        if not isinstance(arguments, list) or len(arguments) != 1 or not isinstance(options, dict):
            raise FileError(f"{where}: it does not read one tensor or one list of tensors")
        if any(_is_given(value) and key != "training" for key, value in options.items()) or options.get("training"):
            raise FileError(f"{where}: it is called with options that are not understood")
        tensors = arguments[0] if isinstance(arguments[0], list) else arguments
        return [self._source(tensor, where, sources) for tensor in tensors]

    def _source(self, tensor: Any, where: str, sources: Mapping[str, _Made]) -> _Made:
        history = None
        if isinstance(tensor, dict) and tensor.get("class_name") == _TENSOR and isinstance(tensor.get("config"), dict):
            history = tensor["config"].get("keras_history")
        if not isinstance(history, list) or len(history) != 3:
            raise FileError(f"{where}: it reads something else than another layer's only output")
        name = history[0]
        if not isinstance(name, str) or name not in sources:
            raise FileError(f"{where}: it reads {shown(str(name))}, which no layer before it is")
        if not _is_only_output(sources[name], history):
            raise FileError(f"{where}: it reads something else than another layer's only output")
        return self._prepared(name, where, sources)

    def _prepared(self, name: str, where: str, sources: Mapping[str, _Made]) -> _Made:
        """Return what a layer is in the draft, whose units those of the network have to be."""
        found = sources[name]
        if found.preparation is not self.draft.preparation or found.target is not self.draft.target:
            message = "without the Normalization of it, which a network here has for all that reads it"
            raise FileError(f"{where}: it reads {shown(name)} {message}")
        return found

    def _output(self, model: Described, sources: Mapping[str, _Made]) -> _Made:
        """Return what a Functional's output is."""
        outputs = model.config.get("output_layers")
        if isinstance(outputs, list) and len(outputs) == 1 and isinstance(outputs[0], list):
            (outputs,) = outputs
        if not isinstance(outputs, list) or len(outputs) != 3 or not isinstance(outputs[0], str):
            raise FileError(f"{model.where} has several outputs, and a network here has one")
        if outputs[0] not in sources:
            raise FileError(f"{model.where} has the output {shown(outputs[0])}, which no layer is")
        if not _is_only_output(sources[outputs[0]], outputs):
            raise FileError(f"{model.where} has an output that is not a layer's only one")
        return self._prepared(outputs[0], f"the output of {model.where}", sources)


def _is_given(option: Any) -> bool:
    """Whether an option of a call is something: a mask of several inputs is a list of nothing."""
    return any(value is not None for value in option) if isinstance(option, list) else option is not None


def _is_only_output(made: _Made, history: Sequence[Any]) -> bool:
    return any(history[1:] == [call, 0] for call in made.calls)


def _place(kind: str, places: Counter[str]) -> str:
    """Return under which name the file keeps a layer's weights: that of its class, and its number among these."""
    snake = re.sub(r"\W+", "", kind)
    snake = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", snake)
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
    places[snake] += 1
    return snake if places[snake] == 1 else f"{snake}_{places[snake] - 1}"


def _dtype(model: Described) -> str:
    # Columns and targets are prepared in float64 whatever the network computes in.
    found = {dtype_of(layer.config) for layer in model.computing() if layer.kind != "Normalization"} or {"float32"}
    if len(found) > 1 or not found <= set(_DTYPES):
        raise FileError(f"the layers compute in {', '.join(sorted(found))}; all in float32 or all in float64 is needed")
    return found.pop()


def _columns(layer: Described) -> int:
    shape = layer.config.get("batch_shape")
    if not isinstance(shape, list) or len(shape) != 2 or type(shape[1]) is not int or shape[1] < 1:
        raise FileError(f"{layer.where} has the shape {shown(str(shape))}, and (rows, columns) is needed")
    return shape[1]
