"""From a spec as written to its long form with every default, with checks that concern the whole spec.

`Resolved` is a spec with all defaults and sizes known.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.errors import Path
from specnet.number_texts import counted
from specnet.parts.activations import Activation, Relu
from specnet.parts.data import Data
from specnet.parts.initializers import Initializer
from specnet.parts.layers import ActivationLayer, Dense, Layer
from specnet.parts.part import Part
from specnet.parts.preprocessing import ClipColumns, Preprocessing, prepared_size
from specnet.spec.document import FORMS, OF_STACKS, ColumnGroup, NetworkSpec, Spec, StepsOrGroups
from specnet.spec.resolving.agreement import (
    Given,
    agreed,
    check_before_layers,
    check_network,
    column_count,
    input_claims,
    last_layer_claim,
    output_claims,
)
from specnet.spec.resolving.expectation_checks import check_expectations
from specnet.spec.resolving.graph import INPUT_INDEX, LAYERS, Node, walk
from specnet.spec.resolving.monotone import check_without_orders, with_orders
from specnet.spec.resolving.problems import Problems

if TYPE_CHECKING:
    from specnet.parts.layers import Embedding


@dataclass(frozen=True, slots=True)
class Resolved:
    """A spec with all defaults and sizes known: its long form, and its layers in order.

    Attributes
    ----------
    spec : Spec
        The spec in its long form, with every default and size filled in.
    nodes : tuple of Node
        The layers in the order of computation, blocks unrolled; the last is the output.
    columns : int
        Number of raw columns, before preprocessing.
    """

    spec: Spec
    nodes: tuple[Node, ...]
    columns: int

    @property
    def inputs(self) -> int:
        """Number of inputs of the network, after preprocessing."""
        return self.spec.network.input_size or 0

    @property
    def category_counts(self) -> dict[int, int]:
        """The number of categories by input index, for inputs that contain category codes."""
        return {index: count for node in self.nodes for index, count in node.layer.category_counts(self.inputs).items()}

    def columns_read(self, node: Node, X: NDArray[Any]) -> NDArray[Any]:
        """Return the columns of X (rows, inputs) that the layer `node` reads, directly or passed on by other layers.

        A feature computed by another layer is replaced by the first column of X, because the layer does not use it.
        """
        (source,) = node.inputs
        return X if source == INPUT_INDEX else X[:, [column or 0 for column in self.nodes[source].columns]]

    @property
    def outputs(self) -> int:
        """Number of outputs of the network."""
        return self.spec.network.output_size or 0

    @property
    def batch_size(self) -> int | Literal["full"]:
        """Number of rows per step."""
        size = self.spec.training.batch_size
        assert size is not None, "the long form has every default"
        return size

    @property
    def log_every(self) -> int:
        """Number of epochs between two records of the history."""
        epochs = self.spec.training.log_every
        assert epochs is not None, "the long form has every default"
        return epochs

    def with_dtype(self, dtype: str) -> "Resolved":
        """Return a copy whose network computes in another dtype."""
        return replace(self, spec=self.spec.with_dtype(dtype))

    def with_members(self, count: int) -> "Resolved":
        """Return a copy whose ensemble has `count` members."""
        ensemble = self.spec.training.ensemble
        return replace(self, spec=self.spec.with_training(ensemble=ensemble and ensemble.with_members(count)))

    def without_early_stopping(self) -> "Resolved":
        """Return a copy without early stopping, so that training ends after its last epoch."""
        return replace(self, spec=self.spec.with_training(early_stopping=None))


DEFAULT_BATCH_SIZE = 32
HISTORY_LINES = 1000
MIXTURES = 39
"""Rows between training rows for each training row of a network with a teacher."""
MAX_SHUFFLED = 2**29
"""Largest size in bytes of all training inputs for which single rows, not blocks, are shuffled by default."""


def resolve(
    spec: Spec,
    *,
    inputs: int | None = None,
    outputs: int | None = None,
    data: Data | None = None,
    rows: int | None = None,
) -> Resolved:
    """Return a spec's long form with every default filled in, and its layers; resolving it again changes nothing.

    Parameters
    ----------
    spec : Spec
        The spec as written, or the spec of a `Resolved`.
    inputs, outputs : int, optional
        Numbers of raw columns and of the network's outputs, if they are known from a source other than the spec.
    data : Data, optional
        Replacement of the spec's data: the same part with the facts known after reading.
    rows : int, optional
        Number of training rows, if `inputs` and `outputs` come from X and y; errors then mention X and y.

    Raises
    ------
    SpecError
        With every conflict between sizes, names and settings, or if a size is unknown.
    """
    if data is not None:
        spec = spec.model_copy(update={"data": data})
    problems = Problems(spec)
    resolved = _resolved(spec, Given(inputs, outputs, rows), problems)
    problems.raise_all()
    for name, size in (("inputs", resolved.columns and resolved.inputs), ("outputs", resolved.outputs)):
        if not size:
            why, hint = "neither the spec nor the data specify it", f"set {name.removesuffix('s')}_size"
            if name == "outputs" or not resolved.columns:  # else only their number after preprocessing is unknown
                hint += f", or pass {name} in Python"
            if spec.data is not None:
                why = "it depends on the rows of the data, which are not read here"
                hint += "; `specnet show --resolved` reads them and prints a spec with all sizes"
            problems.report("unknown-size", f"the number of {name} is unknown: {why}", ("network",), hint=hint)
    problems.raise_all()
    return resolved


def check(spec: Spec) -> None:
    """Raise the `SpecError` of `resolve`, as far as mistakes can be found without sizes that depend on the data."""
    problems = Problems(spec)
    _resolved(spec, Given(), problems)
    problems.raise_all()


def partly_resolved(spec: Spec, given: Given) -> Resolved:
    """Resolve a valid spec as far as possible before its data are read; unknown sizes are 0."""
    return _resolved(spec, given, Problems(spec))


def known_outputs(spec: Spec) -> int | None:
    """Return the number of outputs of a valid spec, or None if it depends on the rows of its data."""
    return partly_resolved(spec, Given()).outputs or None


def _resolved(spec: Spec, given: Given, problems: Problems) -> Resolved:
    """Resolve a spec as far as possible, with 0 for unknown sizes, and report its mistakes."""
    spec = _with_range(spec, problems)
    network, training = spec.network, spec.training
    check_before_layers(spec, problems)
    input_size = agreed([*input_claims(spec, given)], problems)
    claims = [*output_claims(spec, given)]
    output_size = claims[0].size if claims else 0
    preprocessing, embedding = with_ordinals(network.preprocessing or ())
    long = LongForm(spec, output_size, problems, embedding)
    nodes = walk(long.layers, input_size, problems.report)
    of_layers = last_layer_claim(nodes)
    if of_layers is not None and network.hidden_layer_sizes is None:
        claims = [of_layers, *claims]
    output_size = agreed(claims, problems)
    if network.monotone:
        columns = column_count(spec, input_size, given.inputs)
        nodes = with_orders(spec, nodes, columns, output_size, problems)
    else:
        check_without_orders(nodes, problems)
    check_network(spec, long.layers, nodes, input_size, output_size, problems)
    check_expectations(spec, output_size, problems)
    batch_size = training.batch_size or ("full" if training.optimizer.full_batch_only else DEFAULT_BATCH_SIZE)
    shuffle = training.shuffle
    if shuffle is None:
        size = (given.rows or 0) * input_size * np.dtype(network.dtype).itemsize
        shuffle = "blocks" if size > MAX_SHUFFLED else True
    log_every = training.log_every or math.ceil(training.members * training.epochs / HISTORY_LINES)
    long_form = spec.with_network(
        input_size=input_size,
        output_size=output_size,
        preprocessing=tuple(preprocessing),
        **dict.fromkeys((*FORMS, *OF_STACKS)) | {"layers": long.layers},
    ).with_training(batch_size=batch_size, log_every=log_every, shuffle=shuffle)
    if training.teacher is not None and training.mixtures is None:
        long_form = long_form.with_training(mixtures=MIXTURES)
    data = spec.data and spec.data.with_defaults(spec.seed, spec.target_kind)
    long_form = long_form.model_copy(update={"data": data, "sweep": None, "expect": None}).with_origin(
        problems.origin()
    )
    return Resolved(long_form, nodes, column_count(spec, input_size, given.inputs))


def _with_range(spec: Spec, problems: Problems) -> Spec:
    """Return a spec whose first step of the target is a clip to `target_range`, so that it is the last of predictions.

    A clip does not fall, not even in the last bit, and reaches both ends; a scaled sigmoid would do neither, and its
    slope vanishes near them.
    """
    steps, ends = spec.network.target_preprocessing, spec.network.target_range
    if ends is None:
        return spec
    path: Path = ("network", "target_preprocessing")
    problems.written |= {(*path, number + 1): (*path, number) for number in range(len(steps))}
    problems.written[*path, 0] = ("network", "target_range")
    if not steps:
        problems.written[path] = ("network", "target_range")
    clip = ClipColumns(least=ends[0], largest=ends[1])
    return spec.with_network(target_range=None, target_preprocessing=(clip, *steps))


def with_ordinals(written: StepsOrGroups) -> tuple[StepsOrGroups, "Embedding | None"]:
    """Replace `embedding` steps by `ordinal` steps; return the preprocessing and the layer that embeds the codes."""
    found: list[Preprocessing | ColumnGroup] = []
    fields: list[dict[str, Any]] = []
    start = 0
    for group in written:
        if isinstance(group, ColumnGroup):
            from specnet.parts.preprocessing import CategoryEmbedding

            last = group.steps[-1] if group.steps else None
            if isinstance(last, CategoryEmbedding) and last.counts is not None:
                fields.append(last.layer(last.counts, start))
                group = group.model_copy(update={"steps": (*group.steps[:-1], last.ordinal())})
            start += prepared_size(group.steps, len(group.columns)) or 0
        found.append(group)
    if not fields:
        return written, None
    from specnet.parts.layers import Embedding

    columns = tuple(column for layer in fields for column in layer["columns"])
    categories = tuple(count for layer in fields for count in layer["categories"])
    sizes = tuple(size for layer in fields for size in layer["size"] * len(layer["columns"]))
    return tuple(found), Embedding(columns=columns, categories=categories, size=sizes)


class LongForm:
    """The layers of a network in the long form of the resolved spec.

    Parameters
    ----------
    spec : Spec
    outputs : int
        Size of the layer after the layers of `hidden_layer_sizes`; 0 if it is unknown.
    problems : Problems
        Collector of the mistakes, and of the path at which each layer was written.
    first : Layer, optional
        Layer that preprocessing needs before all other layers.

    Attributes
    ----------
    layers : tuple of Layer
    """

    def __init__(self, spec: Spec, outputs: int, problems: Problems, first: Layer | None = None) -> None:
        self.registry, self.report, self.written = spec.registry, problems.report, problems.written
        self.legacy = spec.random_generator == "legacy"
        network = spec.network
        self.initializers = {
            "weight_initializer": network.weight_initializer,
            "bias_initializer": network.bias_initializer,
        }
        output_activation = self.part(Activation, spec.training.loss.output_activation)
        if network.layers is None:
            layers = self._stack(network, outputs, output_activation)
        else:
            layers = self._with_output(network.layers, output_activation)
        if first is not None:
            layers = self._after(first, layers)
        self.layers = tuple(self._filled(layers, LAYERS))

    def _after(self, first: Layer, layers: list[Layer]) -> list[Layer]:
        """Return the layers preceded by the layer that preprocessing needs; shift their paths."""
        written: dict[Path, Path] = {(*LAYERS, index + 1): (*LAYERS, index) for index in range(len(layers))}
        written |= {(*LAYERS, int(path[2]) + 1, *path[3:]): source for path, source in self.written.items()}
        self.written.clear()
        self.written.update({**written, (*LAYERS, 0): ("network", "preprocessing")})
        return [first, *layers]

    def part(self, kind: type[Part], name: str) -> Any:
        """Return the part with this kind and name, with its default settings."""
        part: Any = self.registry.find(kind.kind, name)
        assert part is not None, f'a part uses the {kind.kind} "{name}", which is not registered'
        return part()

    def _stack(self, network: NetworkSpec, outputs: int, output_activation: Activation) -> list[Layer]:
        """Return dense layers for a list of sizes; the last has one unit if the number of outputs is unknown."""
        layers: list[Layer] = []
        sizes = _sizes(network, outputs)
        activations = self._activations(network.activations, len(sizes), output_activation)
        for index, ((units, source), activation) in enumerate(zip(sizes, activations, strict=True)):
            here = (*LAYERS, index)
            self.written[here] = self.written[*here, "units"] = source
            for name in self.initializers:
                self.written[*here, name] = ("network", name)
            if isinstance(network.activations, tuple):
                self.written[*here, "activation"] = ("network", "activations", index)
            elif network.activations is not None and index < len(sizes) - 1:
                self.written[*here, "activation"] = ("network", "activations")
            layers.append(Dense(units=units, activation=activation))
        return layers

    def _activations(
        self, given: Activation | tuple[Activation, ...] | None, count: int, output: Activation
    ) -> list[Activation]:
        """Return the activation of each layer of a stack; report a list of the wrong length."""
        if not isinstance(given, tuple):
            return [*[given or Relu()] * (count - 1), output]
        if len(given) != count:
            message = f"got {counted(len(given), 'activation')} for {counted(count, 'layer')}"
            hint = "give one per layer, or a single one for all hidden layers"
            self.report("activation-count", message, ("network", "activations"), hint=hint)
        return [*given, *[output] * count][:count]

    def _with_output(self, layers: Sequence[Layer], output_activation: Activation) -> list[Layer]:
        """Return the layers with the output activation of the loss at the end, unless they already end with one."""
        last = layers[-1].with_activation(output_activation) if layers else None
        if last is not None:
            return [*layers[:-1], last]
        self.written[*LAYERS, len(layers)] = (*LAYERS, len(layers) - 1) if layers else LAYERS
        return [*layers, ActivationLayer(activation=output_activation)]

    def _filled(self, layers: Sequence[Layer], path: Path) -> Iterator[Layer]:
        for index, layer in enumerate(layers):
            here = (*path, index)
            if layer.layers_field is not None:
                yield layer.with_inner_layers(tuple(self._filled(layer.inner_layers, (*here, layer.layers_field))))
            else:
                after = layers[index + 1] if index + 1 < len(layers) else None
                yield layer.with_defaults(_Surroundings(self, here, _activation_of(after, layer)))


class _Surroundings(NamedTuple):
    """The network around a layer, from which the layer gets its defaults."""

    long_form: LongForm
    path: Path
    activation_after: Activation | None

    def initializer(self, field: str, own: Initializer | None, default: Initializer) -> Initializer:
        of_all = self.long_form.initializers.get(field)
        path: Path
        used, what, path = default, "the default initializer", ("random_generator",)
        if own is not None:
            used, what, path = own, own.part_name(), (*self.path, field)
        elif of_all is not None:
            used, what, path = of_all, of_all.part_name(), ("network", field)
        if self.long_form.legacy and not used.legacy:
            message = f"the legacy generator supports only untruncated normal distributions, got {what}"
            similar = '{ type = "variance_scaling", distribution = "untruncated_normal" }'
            hint = f"set {field} = {similar} in network, or in each of network.layers"
            self.long_form.report("legacy-initializer", message, path, hint=hint)
        return used

    def initializer_before(self, activation: Activation) -> Initializer:
        found: Initializer = self.long_form.part(Initializer, activation.default_initializer)
        return found


def _activation_of(after: Layer | None, layer: Layer) -> Activation | None:
    """Return the activation of the next layer, if it is only an activation and reads this layer; otherwise None."""
    if after is None or after.inputs not in (None, (layer.name,)):
        return None
    rest, activation = after.split_activation()
    return activation if rest is None else None


def _sizes(network: NetworkSpec, outputs: int) -> list[tuple[int, Path]]:
    """Return the size of each layer of a stack, with the path at which it was written."""
    sizes: list[tuple[int, Path]]
    if network.layer_sizes is not None:
        sizes = [(size, ("network", "layer_sizes", index)) for index, size in enumerate(network.layer_sizes)]
        return sizes[1:]
    path: Path = ("network", "hidden_layer_sizes")
    sizes = [(size, (*path, index)) for index, size in enumerate(network.hidden_layer_sizes or ())]
    return [*sizes, (outputs or 1, path)]
