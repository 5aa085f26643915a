"""A draft of layers that is filled while a network of another tool is read; spec and model are made from it.

`ForeignLayer` is a layer as another tool describes it. The parts of specnet define their names in other tools.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from specnet.errors import DataError, Diagnostic, FileError, SpecError
from specnet.exporting.model_facts import known_document
from specnet.files.tensors import Shape, shown
from specnet.model import Model
from specnet.model.file import tensor_kinds, trained_network
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.fields import spec_name
from specnet.parts.layers import Dense, Layer
from specnet.parts.part import Names, Part, short
from specnet.parts.registry import built_in_registry, installed_registry
from specnet.spec import Limits, parse_spec, resolve
from specnet.spec.document import raising
from specnet.spec.resolving.graph import INPUT as NETWORK_INPUT

INPUT = -1
"""Stands for the network's input instead of the number of a layer."""

_LARGEST_MOVED = 8.0
"""Largest product of a shift and the next factor that are merged into one layer; a larger one loses digits."""

FEATURES_LIMIT = 250_000
"""Largest number of columns, or of outputs of a layer; an image of 256 × 256 pixels in three colours has fewer."""

PRECISION_HINT = "convert the network to float32, and import it again"
"""The hint for a network in another precision than float32 or float64."""

_LAYER: TypeAdapter[Layer] = TypeAdapter(Layer)


@dataclass
class DraftLayer:
    """A layer of a draft: the part, the layers that it reads, its number of outputs, and its arrays by name."""

    layer: Layer
    inputs: tuple[int, ...]
    size: int
    tensors: dict[str, Array]


@dataclass(frozen=True, slots=True)
class Scaling:
    """Fitted arrays of `standardize`: (x − mean)/scale, or its inverse for a target; each () or (columns,)."""

    mean: Array
    scale: Array

    def then(self, other: Scaling) -> Scaling:
        """Return the scaling that is equivalent to this one followed by `other`."""
        return Scaling(self.mean + self.scale * other.mean, self.scale * other.scale)


@dataclass(frozen=True)
class Prepared:
    """The preprocessing of a network's columns in the notation of a spec, and the fitted arrays of its steps.

    Attributes
    ----------
    written : sequence
        Steps for all columns, or groups of columns with their steps.
    tensors : mapping of str to array
        Fitted arrays by group, step and name.
    names : sequence of str or None
        Names of the raw columns; None if they have none.
    kinds : mapping of str to str or None
        Kinds of the raw columns by name; None if all are numbers with the same steps.
    """

    written: Sequence[Mapping[str, Any] | str]
    tensors: Mapping[str, Array]
    names: Sequence[str] | None = None
    kinds: Mapping[str, str] | None = None

    @classmethod
    def standardized(cls, scaling: Scaling) -> Prepared:
        """Return preprocessing that applies a scaling to all columns."""
        return cls(["standardize"], {"0.0.mean": scaling.mean, "0.0.scale": scaling.scale})


@dataclass(frozen=True)
class Imported:
    """The result of an import: a spec and its model.

    Attributes
    ----------
    document : dict
        Spec in a short form, as a person would write it.
    model : Model
        Model of that spec.
    has_facts : bool
        Whether the file itself names the loss.
    proof : str
        Result of the comparison with the original network; empty if no other tool has run it.
    warnings : tuple of Diagnostic
        Warnings about parts that were left out.
    """

    document: dict[str, Any]
    model: Model
    has_facts: bool = False
    proof: str = ""
    warnings: tuple[Diagnostic, ...] = ()


class Draft:
    """The layers of a network that have been read so far, for a number of columns and a dtype, float32 or float64.

    The reader of a file sets `preparation`, a scaling of all columns, or `columns`, their whole preprocessing. It may
    set `target`, the scaling that gives outputs their units.
    """

    def __init__(self, inputs: int, dtype: str, limits: Limits | None = None) -> None:
        self.inputs, self.dtype, self.limits = inputs, dtype, limits or Limits()
        if dtype not in ("float32", "float64"):
            raise FileError(f"it computes in {dtype}; expected float32 or float64 in all of it", hint=PRECISION_HINT)
        if inputs > FEATURES_LIMIT:
            raise FileError(f"the inputs have more than {FEATURES_LIMIT} columns")
        if inputs > self.limits.parameters:
            message = f"{inputs} columns are more than a network may have parameters, {self.limits.parameters}"
            raise FileError(message, hint=raising("parameters"))
        self.steps: list[DraftLayer] = []
        self.preparation: Scaling | None = None
        self.columns: Prepared | None = None
        self.target: Scaling | None = None

    def size(self, source: int) -> int:
        """Return the number of features of the input or of a layer."""
        return self.inputs if source == INPUT else self.steps[source].size

    def ends_in(self, layer: int, activation: str) -> bool:
        """Return whether a layer ends in an activation with default fields."""
        _, found = self.steps[layer].layer.split_activation()
        return found is not None and short(found) == activation

    def add(
        self, layer: Layer | Mapping[str, Any], inputs: Sequence[int], tensors: Mapping[str, Array] | None = None
    ) -> int:
        """Add a layer and return its index.

        Parameters
        ----------
        layer : Layer or mapping
            The layer, or its fields.
        inputs : sequence of int
            Indices of the layers whose outputs it reads.
        tensors : mapping of str to array, optional
            Its arrays by name.
        """
        if len(self.steps) >= 2 * self.limits.layers:  # a dense layer and its activation become one
            raise FileError(f"this network has more than {self.limits.layers} layers", hint=raising("layers"))
        if not isinstance(layer, Layer):
            layer = layer_of(layer)
        if (layer.input_count == "one") != (len(inputs) == 1):
            raise FileError(f"it reads {'one layer' if len(inputs) == 1 else f'{len(inputs)} layers'}")
        try:
            size = layer.output_size(tuple(map(self.size, inputs)))
        except ValueError as error:
            raise FileError(str(error)) from error
        if size > FEATURES_LIMIT:
            raise FileError(f"a layer has {size} outputs; at most {FEATURES_LIMIT} are supported")
        numbers = {name: self.numbers(array, name) for name, array in (tensors or {}).items()}
        self.steps.append(DraftLayer(layer, tuple(inputs), size, numbers))
        return len(self.steps) - 1

    def dense(self, source: int, weight: Array, bias: Array | None = None) -> int:
        """Add a dense layer with a weight (outputs, inputs) and an optional bias (outputs,); return its number."""
        if weight.ndim != 2 or weight.shape[1] != self.size(source):
            raise FileError(f"a weight of shape {weight.shape} does not fit {self.size(source)} features")
        if bias is not None and bias.shape != weight.shape[:1]:
            raise FileError(f"a bias of shape {bias.shape} does not fit {weight.shape[0]} outputs")
        fields = {"type": "dense", "units": len(weight), "use_bias": bias is not None}
        return self.add(fields, [source], {"weight": weight} | ({} if bias is None else {"bias": bias}))

    def activation(self, source: int, part: str | Mapping[str, Any], tensors: Mapping[str, Array] | None = None) -> int:
        """Add an activation in the notation of a spec, with its learned arrays; return its number."""
        return self.add({"type": "activation", "activation": part}, [source], tensors)

    def affine(self, source: int, factor: Any, shift: Any) -> int:
        """Add a layer that computes factor·x + shift, each () or (features,); return its number."""
        tensors = {"factor": np.asarray(factor), "shift": np.asarray(shift)}
        if not tensors["shift"].any():
            del tensors["shift"]
        return self.add({"type": "scale", "use_shift": "shift" in tensors}, [source], tensors)

    def affine_steps(self, source: int, steps: Sequence[tuple[Array, Array]]) -> int:
        """Add layers that apply pairs of factor and shift in order, as few as possible without loss of precision."""
        factor, shift = np.ones(()), np.zeros(())
        for number, constant in steps:
            if not (number == 1).all() and np.abs(shift * number).max() > _LARGEST_MOVED:
                source, factor, shift = self.affine(source, factor, shift), np.ones(()), np.zeros(())
            factor, shift = factor * number, shift * number + constant
        return source if (factor == 1).all() and not shift.any() else self.affine(source, factor, shift)

    def take_bias(self, layer: int, bias: Array) -> bool:
        """Add a bias (features,) to a dense layer without one; return whether that was possible."""
        step = self.steps[layer]
        if not isinstance(step.layer, Dense) or step.layer.use_bias:
            return False
        step.layer = step.layer.model_copy(update={"use_bias": True})
        step.tensors["bias"] = self.numbers(bias, "bias")
        return True

    def check_numbers(self, count: int) -> None:
        """Raise an error if an array to be made has more numbers than a network may have parameters."""
        if count > self.limits.parameters:
            message = f"a layer has {count} parameters; at most {self.limits.parameters} are allowed"
            raise FileError(message, hint=raising("parameters"))

    def numbers(self, array: Array, name: str) -> Array:
        """Convert an array of a file to the network's dtype; raise an error if numbers are not finite in it."""
        if array.dtype.kind not in "fiu":
            raise FileError(f"{name} holds {array.dtype}, and not numbers")
        with np.errstate(over="ignore"):
            converted: Array = array.astype(self.dtype)
        if not np.isfinite(converted).all():
            raise FileError(f"{name} holds numbers that are not finite in {self.dtype}")
        return converted

    def finish(
        self,
        output: int,
        name: str,
        *,
        labels: Array | None = None,
        loss: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Imported:
        """Return spec and model of the network, given the number of its output layer or `INPUT`.

        Labels are integers or texts, ascending. Facts are the entries of the spec that the file itself states. Without
        a loss and facts, the loss is the usual one for the last activation. An error names any part that no spec can
        express.
        """
        if output == INPUT:
            output = self.activation(INPUT, "linear")
        usual = {"network": {}, "training": {"loss": loss or self._usual_loss(output)}}
        document = usual if facts is None else known_document(facts)
        if self.steps[output].layer.split_activation()[1] is None and _adds_activation(document["training"]["loss"]):
            output = self.activation(output, "linear")
        steps = self._layers(output)
        document = {"name": spec_name(name), **document, "network": document["network"] | self._network(steps)}
        return Imported(document, self._model(document, steps, labels), facts is not None)

    def _usual_loss(self, output: int) -> str:
        """Return the usual loss for the last activation of a network."""
        if self.target is None and self.ends_in(output, "sigmoid"):
            return "binary_crossentropy"
        if self.target is None and self.ends_in(output, "softmax") and self.size(output) > 1:
            return "categorical_crossentropy"
        return "mean_squared_error"

    def _layers(self, output: int) -> list[DraftLayer]:
        """Return the layers that the output depends on; an activation is merged into the layer that only it reads."""
        needed = {output}
        for number in range(output, INPUT, -1):
            needed.update(self.steps[number].inputs if number in needed else ())
        needed.discard(INPUT)
        readers = Counter(source for number in needed for source in self.steps[number].inputs)
        made, numbers = list[DraftLayer](), {INPUT: INPUT}
        for number in sorted(needed):
            step = self.steps[number]
            inputs = tuple(numbers[source] for source in step.inputs)
            rest, activation = step.layer.split_activation()
            before = made[inputs[0]] if rest is None and numbers[step.inputs[0]] != INPUT else None
            if before is not None and activation is not None and readers[step.inputs[0]] == 1:
                joined = before.layer.with_activation(activation)
                if joined not in (None, before.layer):
                    made[inputs[0]] = DraftLayer(joined, before.inputs, step.size, before.tensors | step.tensors)
                    numbers[number] = inputs[0]
                    continue
            numbers[number] = len(made)
            made.append(DraftLayer(step.layer, inputs, step.size, step.tensors))
        return made

    def _prepared(self) -> Prepared | None:
        return self.columns if self.preparation is None else Prepared.standardized(self.preparation)

    def _network(self, steps: Sequence[DraftLayer]) -> dict[str, Any]:
        network: dict[str, Any] = {"dtype": self.dtype}
        if (prepared := self._prepared()) is not None:
            described = {"feature_names": prepared.names, "feature_kinds": prepared.kinds}
            network |= {key: value for key, value in described.items() if value is not None}
            network["preprocessing"] = list(prepared.written)
        if self.target is not None:
            network["target_preprocessing"] = ["standardize"]
        layers = _listed(steps)
        stack = [layer["type"] == "dense" and layer.keys() <= {"type", "units", "activation"} for layer in layers]
        if all(stack) and [layer["units"] for layer in layers] == [step.size for step in steps]:
            network["layer_sizes"] = [self.inputs, *(step.size for step in steps)]
            network["activations"] = [layer.get("activation", "linear") for layer in layers]
        else:
            network |= {"input_size": self.inputs, "layers": layers}
        return network

    def _model(self, document: dict[str, Any], steps: Sequence[DraftLayer], labels: Array | None) -> Model:
        try:
            network = Network(resolve(parse_spec(document, limits=self.limits)))
        except SpecError as error:
            reasons = "; ".join(diagnostic.message for diagnostic in error.diagnostics)
            raise FileError(f"not supported by a spec: {reasons}", hint=limit_hint(error)) from error
        tensors = {
            f"{node.key}.{name}": array
            for node, step in zip(network.nodes, steps, strict=False)  # the last node may be the activation of the loss
            for name, array in step.tensors.items()
        }
        target = None if self.target is None else Prepared.standardized(self.target)
        for key, prepared in (("preprocessing", self._prepared()), ("target_preprocessing", target)):
            for name, array in ({} if prepared is None else prepared.tensors).items():
                tensors[f"{key}.{name}"] = array
                if not np.isfinite(array).all() or (name.endswith(".scale") and not array.all()):
                    raise FileError("columns are divided by 0, or by numbers that are not finite")
        for name, (dtype, shape) in tensor_kinds(network).items():
            found = tensors[name].shape
            sizes = [own if size is None else size for size, own in zip_longest(shape, found)]  # None for any length
            if found != () and found != tuple(sizes):
                raise FileError(f"{name} has shape {found}, expected {shape}")
            tensors[name] = np.broadcast_to(tensors[name], sizes).astype(dtype)
        count = network.class_count
        if labels is not None and (len(labels) != count or not (labels[1:] > labels[:-1]).all()):
            raise FileError(f"the labels of the classes are not {count or 0}, ascending and each once")
        try:
            return Model.of([trained_network(network, tensors, labels)])
        except DataError as error:
            raise FileError(str(error)) from error


def limit_hint(error: SpecError) -> str | None:
    """Return the hint of an error about a limit, or None: other hints refer to a spec that the user did not write."""
    return next((each.hint for each in error.diagnostics if each.code.startswith("too-m")), None)


def layer_of(fields: Mapping[str, Any]) -> Layer:
    """Return a layer, given its fields in a spec; raise a FileError if they are invalid."""
    try:
        return _LAYER.validate_python(fields)
    except ValidationError as error:
        mistake = error.errors()[0]
        raise FileError(f"{mistake['loc'][-1]}: {mistake['msg']}") from error


def _adds_activation(loss: Any) -> bool:
    """Return whether a loss, in the notation of a spec, adds an activation to an output layer without one."""
    kind: Any = installed_registry().find("loss", loss["type"] if isinstance(loss, Mapping) else loss)
    return kind is None or kind.output_activation != "linear"


def _listed(steps: Sequence[DraftLayer]) -> list[dict[str, Any]]:
    """Return the layers in the notation of a spec; a layer gets a name if a layer other than the next one reads it."""
    inputs = [None if step.inputs == (number - 1,) else step.inputs for number, step in enumerate(steps)]
    spoken_of = {source for sources in inputs for source in sources or ()} - {INPUT}
    names = {INPUT: NETWORK_INPUT} | {source: f"{steps[source].layer.type}_{source}" for source in spoken_of}
    layers = []
    for number, (step, sources) in enumerate(zip(steps, inputs, strict=True)):
        read = None if sources is None else [names[source] for source in sources]
        layers.append(short(step.layer.model_copy(update={"name": names.get(number), "inputs": read})))
    return layers


_ABSENT = {"scale": np.ones(()), "shift": np.zeros(())}
"""Arrays that replace those that a layer lacks, without effect."""
_CLIPS = {"hard_tanh": (-1, 1), "relu6": (0, 6)}


@dataclass(frozen=True)
class ForeignLayer(ABC):
    """A layer of another tool and the layers of a draft that it reads; it becomes one or several draft layers."""

    draft: Draft
    inputs: Sequence[int]

    @property
    @abstractmethod
    def axis(self) -> Any:
        """The axis along which the layer works; -1 if it has none."""

    @abstractmethod
    def fields(self, names: Names) -> dict[str, Any]:
        """Return the fields of a part, given the part's names in other tools."""

    @abstractmethod
    def arrays(self, names: Names, shapes: Mapping[str, Shape]) -> dict[str, Array | None]:
        """Return the arrays of a part by name, checked for these shapes; None for arrays that the layer lacks."""

    @property
    def source(self) -> int:
        """The number of the only layer that this layer reads."""
        if len(self.inputs) != 1:
            raise FileError(f"it reads {len(self.inputs)} layers, expected one")
        return self.inputs[0]

    @property
    def size(self) -> int:
        """The number of features that this layer reads."""
        return self.draft.size(self.source)

    def along_features(self) -> None:
        """Raise an error if the layer works along another axis than the features."""
        if self.axis not in (1, -1, [1], [-1]):
            raise FileError(f"it works along the axis {shown(str(self.axis))[1:-1]}, which is not that of the features")

    def add(self, part: type[Part], **fields: Any) -> int:
        """Add a part with the fields and arrays of this layer, in which `fields` replace some; return its number."""
        self.along_features()
        spec = {"type": part.part_name()} | self.fields(part.names) | fields
        layer = layer_of({"type": "activation", "activation": spec} if part.kind == "activation" else spec)
        shapes = layer.tensor_shapes(tuple(map(self.draft.size, self.inputs)))
        arrays = self.arrays(part.names, shapes).items()
        return self.draft.add(layer, self.inputs, {name: _ABSENT[name] if a is None else a for name, a in arrays})

    def clip(self, minimum: Any, maximum: Any) -> int:
        """Add a clip with bounds, or the activation that is equivalent to it; return its number."""
        named = [name for name, bounds in _CLIPS.items() if bounds == (minimum, maximum)]
        clip = {"type": "clip", "minimum": minimum, "maximum": maximum}
        return self.draft.activation(self.source, named[0] if named else clip)


def same(layer: ForeignLayer) -> int:
    """Return the number of the layer that an identity layer reads."""
    return layer.source


def named_parts(name_of: Callable[[Names], str]) -> dict[str, type[Part]]:
    """Return layers and activations by their names in another tool; `name_of` selects the tool."""
    kinds = map(built_in_registry().of_kind, ("layer", "activation"))
    return {name: part for parts in kinds for part in parts if (name := name_of(part.names))}


@contextmanager
def errors_at(where: str, but: type[FileError] | tuple[()] = ()) -> Iterator[None]:
    """Prefix the message of a FileError with its location, except for errors of the type `but`."""
    try:
        yield
    except but:
        raise
    except FileError as error:
        (problem, *_) = error.diagnostics
        raise FileError(f"{where}: {problem.message}", hint=problem.hint) from error
