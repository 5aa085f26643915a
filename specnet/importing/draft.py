"""A network as it is found in another tool's file, layer by layer, until it is a spec and a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from specnet.errors import DataError, FileError, SpecError
from specnet.importing.facts import names_of, training_of
from specnet.model import Model
from specnet.model.file import model_of, tensor_kinds
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.fields import spec_name
from specnet.parts.registry import installed_registry
from specnet.spec import Limits, parse_spec, resolve

INPUT = -1
"""In place of a layer's number: the network's input."""

_LARGEST_MOVED = 8.0
"""A shift times the factor behind it, up to which both become one layer: a larger one costs digits."""

_NETWORKS_INPUT = "input"

FEATURES_LIMIT = 250_000
"""Columns, or outputs of a layer: images of 256 by 256 points in three colours have fewer."""


@dataclass
class DraftLayer:
    """A layer: its fields as a spec says them, what it reads, its number of outputs, and its numbers by name."""

    fields: dict[str, Any]
    inputs: tuple[int, ...]
    size: int
    tensors: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scaling:
    """What `standardize` learned: (x − mean)/scale, or its inverse for a target; each () or (columns,)."""

    mean: Array
    scale: Array


@dataclass(frozen=True)
class Imported:
    """What an import makes.

    Attributes
    ----------
    document : dict
        The spec, as short as a person would write it.
    model : Model
        Of that spec.
    has_facts : bool
        Whether the file itself said for which loss.
    proof : str
        How far the model agrees with the file, where another tool has run that.
    """

    document: dict[str, Any]
    model: Model
    has_facts: bool = False
    proof: str = ""


class Draft:
    """A network that is being read.

    Parameters
    ----------
    inputs : int
        The number of columns.
    dtype : str
        ``float32`` or ``float64``.
    limits : Limits, optional
        How large it may be.

    Attributes
    ----------
    preparation, target : Scaling or None
        What happens to the columns first, and what turns the outputs into the target's units; set by whoever reads.
    """

    def __init__(self, inputs: int, dtype: str, limits: Limits | None = None) -> None:
        self.inputs, self.dtype, self.limits = inputs, dtype, limits or Limits()
        if inputs > FEATURES_LIMIT:
            raise FileError(f"the inputs have more than {FEATURES_LIMIT} columns")
        if inputs > self.limits.parameters:
            raise FileError(f"{inputs} columns are more than a network may have parameters, {self.limits.parameters}")
        self.steps: list[DraftLayer] = []
        self.preparation: Scaling | None = None
        self.target: Scaling | None = None

    def size(self, source: int) -> int:
        """Return the number of features of the input or of a layer."""
        return self.inputs if source == INPUT else self.steps[source].size

    def add(
        self,
        fields: Mapping[str, Any],
        inputs: Sequence[int],
        tensors: Mapping[str, Array] | None = None,
        *,
        size: int | None = None,
    ) -> int:
        """Add a layer, as large as what it reads where nothing is said, and return its number."""
        if len(self.steps) >= 2 * self.limits.layers:  # a dense layer and its activation become one
            raise FileError(f"this network has more than {self.limits.layers} layers")
        if (size or 0) > FEATURES_LIMIT:
            raise FileError(f"a layer has {size} outputs; at most {FEATURES_LIMIT} are supported")
        numbers = {name: self.numbers(array, name) for name, array in (tensors or {}).items()}
        self.steps.append(DraftLayer(dict(fields), tuple(inputs), size or self.size(inputs[0]), numbers))
        return len(self.steps) - 1

    def dense(self, source: int, weight: Array, bias: Array | None, **fields: Any) -> int:
        """Add a dense layer by its weight (outputs, inputs), its bias (outputs,) and other fields."""
        if weight.ndim != 2 or weight.shape[1] != self.size(source):
            raise FileError(f"a weight of shape {weight.shape} does not fit {self.size(source)} features")
        fields = {"type": "dense", "units": weight.shape[0], **fields}
        tensors = {"weight": weight}
        if bias is None:
            fields["use_bias"] = False
        elif bias.shape != weight.shape[:1]:
            raise FileError(f"a bias of shape {bias.shape} does not fit {weight.shape[0]} outputs")
        else:
            tensors["bias"] = bias
        return self.add(fields, [source], tensors, size=weight.shape[0])

    def activation(self, source: int, part: str | Mapping[str, Any], tensors: Mapping[str, Array] | None = None) -> int:
        """Add an activation, as a spec says it, with what it learned."""
        short = part["type"] if isinstance(part, Mapping) and part.keys() == {"type"} else part
        return self.add({"type": "activation", "activation": short}, [source], tensors)

    def affine(self, source: int, factor: Any, shift: Any) -> int:
        """Add a layer that makes factor·x + shift of x, each () or (features,)."""
        size = self.size(source)
        tensors = {"factor": np.broadcast_to(factor, size), "shift": np.broadcast_to(shift, size)}
        if not tensors["shift"].any():
            return self.add({"type": "scale"}, [source], {"factor": tensors["factor"]})
        return self.add({"type": "scale", "use_shift": True}, [source], tensors)

    def affine_steps(self, source: int, steps: Sequence[tuple[Array, Array]]) -> int:
        """Add what multiplies and shifts by each of these factors and shifts: as few layers as lose no digits."""
        factor, shift = np.ones(()), np.zeros(())
        for number, constant in steps:
            if not (number == 1).all() and np.abs(shift * number).max() > _LARGEST_MOVED:
                source, factor, shift = self.affine(source, factor, shift), np.ones(()), np.zeros(())
            factor, shift = factor * number, shift * number + constant
        return source if (factor == 1).all() and not shift.any() else self.affine(source, factor, shift)

    def take_bias(self, layer: int, bias: Array) -> bool:
        """Give a layer a bias, (features,), if it is a dense one that has none; returns whether it has one now."""
        step = self.steps[layer]
        if step.fields["type"] != "dense" or step.fields.get("use_bias") is not False:
            return False
        step.tensors["bias"] = self.numbers(bias, "bias")
        del step.fields["use_bias"]
        return True

    def check_numbers(self, count: int) -> None:
        """Refuse more numbers than a network may have parameters, before they are made."""
        if count > self.limits.parameters:
            raise FileError(f"a layer has {count} parameters; at most {self.limits.parameters} are allowed")

    def normalization(
        self, source: int, epsilon: float, scale: Array, shift: Array, mean: Array, variance: Array, **fields: Any
    ) -> int:
        """Add a batch normalization by what it learned and kept."""
        tensors = {"scale": scale, "shift": shift, "running_mean": mean, "running_variance": variance}
        return self.add({"type": "batch_normalization", "epsilon": epsilon, **fields}, [source], tensors)

    def numbers(self, array: Array, name: str) -> Array:
        """Return numbers of a file in the network's dtype."""
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
        """Return spec and model.

        Parameters
        ----------
        output : int
            The layer whose output is the network's.
        name : str
            Of the network, from which the spec's name is made.
        labels : ndarray (classes,), optional
            int64 or text, ascending.
        loss : str, optional
            The one that the last activation is made for if None.
        facts : mapping, optional
            What the file itself says of the spec.

        Raises
        ------
        FileError
            If the network is none that a spec can say.
        """
        order = self._needed(output)
        steps = _joined([_copied(self.steps[number], order) for number in order])
        for step in steps:
            step.fields = _shortened(step.fields)
        if facts is not None:
            training = training_of(facts)
            _say_output_activation(steps, training["loss"])
        else:
            guess = "mean_squared_error" if self.target is not None else _loss(steps)
            training = {"loss": loss or guess}
        document = self._document(steps, spec_name(name), training, facts or {})
        model = self._model(document, steps, labels)
        return Imported(document, model, facts is not None)

    def _needed(self, output: int) -> list[int]:
        """Return the layers that the output depends on, in order."""
        needed, waiting = set[int](), [output]
        while waiting:
            number = waiting.pop()
            if number != INPUT and number not in needed:
                needed.add(number)
                waiting += self.steps[number].inputs
        return sorted(needed)

    def _document(
        self, steps: Sequence[DraftLayer], name: str, training: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> dict[str, Any]:
        network: dict[str, Any] = {"dtype": self.dtype} | names_of(facts)
        if self.preparation is not None:
            network["preprocessing"] = ["standardize"]
        if self.target is not None:
            network["target_preprocessing"] = ["standardize"]
        if steps and all(_is_plain_dense(step, number) for number, step in enumerate(steps)):
            network["layer_sizes"] = [self.inputs, *(step.size for step in steps)]
            network["activations"] = [step.fields.get("activation", "linear") for step in steps]
        else:
            network["input_size"] = self.inputs
            network["layers"] = _named(steps)
        source = {} if facts.get("data") is None else {"data": facts["data"]}
        return {"name": name, **source, "network": network, "training": training}

    def _model(
        self,
        document: dict[str, Any],
        steps: Sequence[DraftLayer],
        labels: Array | None,
    ) -> Model:
        try:
            network = Network(resolve(parse_spec(document, limits=self.limits)))
        except SpecError as error:
            reasons = "; ".join(diagnostic.message for diagnostic in error.diagnostics)
            raise FileError(f"not supported by a spec: {reasons}") from error
        added = [getattr(node.layer, "activation", None) for node in network.nodes[len(steps) :]]
        if any(activation is None or activation.type != "linear" for activation in added):
            raise FileError("not supported by a spec: its loss adds an activation to it")
        tensors = {
            f"{node.key}.{name}": array
            for node, step in zip(network.nodes, steps, strict=False)
            for name, array in step.tensors.items()
        }
        for key, scaling in (("preprocessing", self.preparation), ("target_preprocessing", self.target)):
            if scaling is not None:
                tensors |= {f"{key}.0.0.mean": scaling.mean, f"{key}.0.0.scale": scaling.scale}
                if not np.isfinite([*scaling.mean.flat, *scaling.scale.flat]).all() or not scaling.scale.all():
                    raise FileError("columns are divided by 0, or by numbers that are not finite")
        for name, (dtype, shape) in tensor_kinds(network).items():
            if tensors[name].shape not in ((), shape):
                raise FileError(f"{name} has shape {tensors[name].shape}, expected {shape}")
            tensors[name] = np.broadcast_to(tensors[name], shape).astype(dtype)
        count = network.class_count
        if labels is not None and count is None:
            raise FileError("labels for a network without classes")
        if labels is not None and (len(labels) != count or not (labels[1:] > labels[:-1]).all()):
            raise FileError(f"the labels of the classes are not {count}, ascending and each once")
        try:
            return Model(*model_of(network, tensors, labels))
        except DataError as error:
            raise FileError(str(error)) from error


def _copied(step: DraftLayer, order: Sequence[int]) -> DraftLayer:
    """Return a layer whose inputs count among the needed ones."""
    places = {number: place for place, number in enumerate(order)} | {INPUT: INPUT}
    return DraftLayer(dict(step.fields), tuple(places[number] for number in step.inputs), step.size, step.tensors)


def _joined(steps: Sequence[DraftLayer]) -> list[DraftLayer]:
    """Return the layers with each activation that alone reads a dense layer inside that layer."""
    readers = [0] * len(steps)
    for step in steps:
        for number in step.inputs:
            if number != INPUT:
                readers[number] += 1
    joined: list[DraftLayer] = []
    places = {INPUT: INPUT}
    for number, step in enumerate(steps):
        inputs = tuple(places[source] for source in step.inputs)
        before = steps[step.inputs[0]] if step.inputs[0] != INPUT else None
        if (
            step.fields["type"] == "activation"
            and before is not None
            and before.fields["type"] == "dense"
            and "activation" not in joined[inputs[0]].fields
            and readers[step.inputs[0]] == 1
        ):
            dense = joined[inputs[0]]
            dense.fields["activation"] = step.fields["activation"]
            dense.tensors, dense.size = dense.tensors | step.tensors, step.size
            places[number] = inputs[0]
        else:
            places[number] = len(joined)
            joined.append(DraftLayer(step.fields, inputs, step.size, step.tensors))
    return joined


def _shortened(fields: Mapping[str, Any], kind: str = "layer") -> Any:
    """Return a part's fields without those that say what they would be anyway; its name where that is all."""
    part = installed_registry().find(kind, fields["type"])
    assert part is not None
    short = {}
    for name, value in fields.items():
        if name == "activation" and isinstance(value, Mapping):
            value = _shortened(value, "activation")
        if name == "type" or value != part.model_fields[name].default:
            short[name] = value
    return short if kind == "layer" or len(short) > 1 else short["type"]


def _is_plain_dense(step: DraftLayer, number: int) -> bool:
    return (
        step.inputs == (number - 1,)
        and step.fields.keys() <= {"type", "units", "activation"}
        and step.fields["type"] == "dense"
        and step.fields["units"] == step.size
    )


def _named(steps: Sequence[DraftLayer]) -> list[dict[str, Any]]:
    """Return the layers as a spec lists them, with names where one reads another than the one before it."""
    spoken_of = {source for number, step in enumerate(steps) if step.inputs != (number - 1,) for source in step.inputs}
    names = {source: f"{steps[source].fields['type']}_{source}" for source in spoken_of - {INPUT}}
    names[INPUT] = _NETWORKS_INPUT
    layers = []
    for number, step in enumerate(steps):
        layer = {"type": step.fields["type"]}
        if number in names:
            layer["name"] = names[number]
        if step.inputs != (number - 1,):
            layer["inputs"] = [names[source] for source in step.inputs]
        layers.append({**layer, **step.fields})
    return layers


def _say_output_activation(steps: list[DraftLayer], loss: Any) -> None:
    """Say of a last layer without an activation that it has none, if the loss would give it one."""
    kind: Any = installed_registry().find("loss", loss["type"] if isinstance(loss, Mapping) else loss)
    given = kind is None or kind.output_activation != "linear"
    if not steps or not given:
        return
    if steps[-1].fields["type"] == "dense":
        steps[-1].fields.setdefault("activation", "linear")
    elif steps[-1].fields["type"] != "activation":
        steps.append(DraftLayer({"type": "activation", "activation": "linear"}, (len(steps) - 1,), steps[-1].size))


def _last_activation(steps: Sequence[DraftLayer]) -> str | None:
    part = steps[-1].fields.get("activation") if steps else None
    if isinstance(part, Mapping):
        return None if part.get("parametric") else part["type"]
    return part


def _loss(steps: Sequence[DraftLayer]) -> str:
    """Return the loss that a network's last activation is made for."""
    activation = _last_activation(steps)
    if activation == "sigmoid":
        return "binary_crossentropy"
    if activation == "softmax" and steps[-1].size > 1:
        return "categorical_crossentropy"
    return "mean_squared_error"
