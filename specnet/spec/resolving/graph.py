"""The layers of a network as a graph: blocks unrolled, names resolved, sizes propagated from input to output."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from specnet.compiler import Value
from specnet.errors import Path
from specnet.parts.activations import Activation
from specnet.parts.layers import Dense, Layer
from specnet.parts.mirrored import Mirrored
from specnet.parts.orders import Orders
from specnet.spec.reading.hints import either, shown
from specnet.suggestions import instead, is_certain, perhaps

LAYERS: Path = ("network", "layers")
INPUT = "input"
"""The reserved name of the network's input, or of a block's input for the layers inside the block."""
INPUT_INDEX = -1
_MAX_LISTED = 200
"""Maximum number of columns that a hint lists completely."""


class Node(NamedTuple):
    """A layer of the graph, with its inputs.

    Attributes
    ----------
    layer : Layer
        The layer; never a block.
    key : str
        Prefix of its parameters' names: ``layers.0``, ``layers.head`` for a layer with a name, and block, repetition
        and layer for a layer in a block: ``layers.3.0.1``.
    path : tuple
        Path within the resolved spec.
    inputs : tuple of int
        Indices of the nodes that it reads; -1 is the network's input.
    input_sizes : tuple of int
        Number of features of each input; 0 if unknown, which does not occur in a `Resolved`.
    size : int
        Number of features of its output; 0 if unknown.
    columns : tuple of int or None
        For each feature of its output the index of the data column that it passes on unchanged, or None. Empty if it
        passes on no columns, or if a size is unknown.
    orders : tuple of int
        The order of each feature of its output; empty in a network without monotone columns.
    input_orders : tuple of tuple of int
        The orders of each input's features; empty in a network without monotone columns.
    forms : tuple of int
        The form of its activation for each unit; empty if all have the activation itself.
    """

    layer: Layer
    key: str
    path: Path
    inputs: tuple[int, ...]
    input_sizes: tuple[int, ...]
    size: int
    columns: tuple[int | None, ...] = ()
    orders: Orders = ()
    input_orders: tuple[Orders, ...] = ()
    forms: tuple[int, ...] = ()

    def split_activation(self) -> tuple[Layer | None, Activation | None]:
        """Return the layer without its last activation, and this activation in the forms that the units have."""
        layer, activation = self.layer.split_activation()
        if activation is not None and self.forms:
            activation = Mirrored(activation=self.ordered_activation or activation, free=activation, forms=self.forms)
        return layer, activation

    @property
    def ordered_activation(self) -> Activation | None:
        """The activation of units that monotone columns move."""
        return getattr(self.layer, "monotone", None) or self.layer.split_activation()[1]

    def used(self, parameters: Sequence[Value]) -> Sequence[Value]:
        """Return the blocks that the layer computes with, given the learned ones: signs may follow from the orders."""
        return self.layer.ordered(parameters, self.input_orders, self.orders) if self.has_order else parameters

    @property
    def has_order(self) -> bool:
        """Whether a monotone column moves one of its inputs."""
        return any(map(any, self.input_orders))

    @property
    def size_path(self) -> Path:
        """The path of the field that sets the layer's size, or of the layer itself if its inputs determine the size."""
        return self.path if self.layer.size_field is None else (*self.path, self.layer.size_field)


class Report(Protocol):
    """A function that reports a mistake at a path."""

    def __call__(self, code: str, message: str, path: Path, *, hint: str | None = None) -> None: ...


def walk(layers: Sequence[Layer], input_size: int, report: Report) -> tuple[Node, ...]:
    """Return the nodes of layers in the order of computation; the last is the output.

    Mistakes are passed to `report`. An input size of 0 is unknown.
    """
    graph = _Graph(input_size, report)
    graph.add(layers, INPUT_INDEX, LAYERS, "layers")
    nodes = tuple(graph.nodes)
    for number, node in enumerate(nodes):
        if node.layer.separates_losses and number != separating_node(nodes):
            message = f"{node.layer.type} trains each of its inputs by its own loss, so it must be the last layer"
            report("layer-place", message, node.path, hint='use "add" or "concatenate" before other layers')
    return nodes


def before_activation(nodes: Sequence[Node]) -> int:
    """Return the index of the last layer, or of the layer before it if the last one is only an activation."""
    last = nodes[-1]
    is_alone = last.layer.split_activation()[0] is None and last.inputs[0] >= 0
    return last.inputs[0] if is_alone else len(nodes) - 1


def separating_node(nodes: Sequence[Node]) -> int | None:
    """Return the index of the last layer if it separates the losses of its inputs, such as `average`; else None."""
    number = before_activation(nodes)
    return number if nodes[number].layer.separates_losses else None


def logits_nodes(nodes: Sequence[Node]) -> tuple[int, ...]:
    """Return the indices of the dense layers whose W·x + b are the logits, or have them as their mean.

    No other layer reads them. Multiplying W and b of all by a factor multiplies the logits by this factor. Empty if the
    output activation reads another layer, or if another layer reads one of them.
    """
    last = before_activation(nodes)
    activation = nodes[last].layer.split_activation()[1]
    if last < len(nodes) - 1 and activation is not None and not activation.is_identity:
        return ()
    if separating_node(nodes) is None:
        return (last,) if isinstance(nodes[last].layer, Dense) else ()
    return averaged_terms(nodes)


def averaged_terms(nodes: Sequence[Node]) -> tuple[int, ...]:
    """Return the indices of the dense layers that the last layer averages; empty if it averages anything else.

    No other layer reads them, so multiplying W and b of one by a factor changes its share of the mean.
    """
    number = separating_node(nodes)
    return () if number is None or not _are_affine_terms(nodes, nodes[number].inputs) else nodes[number].inputs


def linear_part(nodes: Sequence[Node]) -> tuple[int, tuple[int, ...]] | None:
    """For an output that is a sum of dense layers, return the index of the linear layer and the indices of all terms.

    The linear layer is the one term that reads the network's input. None if the output is not such a sum, or if a term
    has other readers or is added twice. So multiplying W and b of all terms by a factor multiplies the output by this
    factor, and changing W and b of the linear layer adds any linear function to the output.
    """
    from specnet.parts.layers import Add

    last = nodes[-1]
    rest, activation = last.layer.split_activation()
    if rest is None and last.inputs[0] >= 0 and activation is not None and activation.is_identity:
        last = nodes[last.inputs[0]]  # the layer add has no activation field
    if not isinstance(last.layer, Add):
        return None
    terms = last.inputs
    if not _are_affine_terms(nodes, terms):
        return None
    parts = [number for number in terms if nodes[number].inputs == (INPUT_INDEX,)]
    layer = nodes[parts[0]].layer if len(parts) == 1 and len(terms) > 1 else None
    is_plain = isinstance(layer, Dense) and layer.use_bias and layer.parametrization == "standard"
    return (parts[0], terms) if is_plain else None


def _are_affine_terms(nodes: Sequence[Node], numbers: Sequence[int]) -> bool:
    """Return whether layers are dense layers without an activation that only one layer reads, and only once."""
    read = [number for node in nodes for number in node.inputs]
    return all(number >= 0 and read.count(number) == 1 and _is_affine(nodes[number].layer) for number in numbers)


def _is_affine(layer: Layer) -> bool:
    _, activation = layer.split_activation()
    return isinstance(layer, Dense) and (activation is None or activation.is_identity)


def layer_count(layers: Sequence[Layer]) -> int:
    """Return the number of layers after unrolling of blocks, computed without unrolling them."""
    return sum(layer.repetitions * (layer_count(layer.inner_layers) or 1) for layer in layers)


class _Graph:
    def __init__(self, input_size: int, report: Report) -> None:
        self.nodes: list[Node] = []
        self.input_size = input_size
        self.report = report

    def add(self, layers: Sequence[Layer], source: int, path: Path, key: str) -> int:
        """Add layers whose input is the node `source`, and return the index of the output node."""
        outputs: dict[str, int] = {INPUT: source}  # output nodes by layer name
        unread: dict[int, Path] = {}
        later = {layer.name for layer in layers if layer.name}
        output, clear = source, True
        for index, layer in enumerate(layers):
            here = (*path, index)
            inputs = tuple(self._named(layer, here, outputs, later)) if layer.inputs else (output,)
            for number in inputs:
                unread.pop(number, None)
            clear &= self._count_fits(layer, here, inputs) and _UNKNOWN not in inputs
            output = self._append(layer, inputs, here, f"{key}.{layer.name or index}")
            unread[output] = here
            if layer.name in outputs:
                clear = False
                reserved = layer.name == INPUT
                message = (
                    f'"{INPUT}" is reserved for the input' if reserved else f"duplicate layer name {shown(layer.name)}"
                )
                self.report("reserved-name" if reserved else "duplicate-name", message, (*here, "name"))
            elif layer.name:
                outputs[layer.name] = output
        unread.pop(output, None)
        for here in unread.values() if clear else ():  # after other mistakes, a layer may only seem unread
            hint = "add its name to another layer's inputs, or remove the layer"
            self.report("unread-layer", "the output of this layer is never used", here, hint=hint)
        return output

    def _named(self, layer: Layer, here: Path, outputs: dict[str, int], later: set[str]) -> list[int]:
        found = []
        for position, name in enumerate(layer.inputs or ()):
            if name in outputs:
                found.append(outputs[name])
                continue
            if name in later:
                hint = f"move layer {shown(name)} above this one"
            else:
                is_input = is_certain(INPUT, name, outputs)
                hint = instead(INPUT) if is_input else perhaps(name, outputs) or f"choose from {either(outputs)}"
            self.report(
                "unknown-layer", f"no layer {shown(name)} above this one", (*here, "inputs", position), hint=hint
            )
            found.append(_UNKNOWN)
        return found

    def _count_fits(self, layer: Layer, here: Path, inputs: tuple[int, ...]) -> bool:
        if layer.input_count == "several" and len(inputs) < 2:
            hint = f'name them: inputs = ["…", "{INPUT}"]'
            self.report("layer-inputs", f"{layer.type} needs at least two inputs", here, hint=hint)
        elif layer.input_count == "one" and len(inputs) > 1:
            message = f"{layer.type} takes one input, got {len(inputs)}"
            self.report("layer-inputs", message, (*here, "inputs"), hint='combine them with "add" or "concatenate"')
        return (layer.input_count == "one") == (len(inputs) == 1)

    def _append(self, layer: Layer, inputs: tuple[int, ...], here: Path, key: str) -> int:
        if layer.layers_field is not None:
            output = inputs[0]
            for repetition in range(layer.repetitions):
                output = self.add(layer.inner_layers, output, (*here, layer.layers_field), f"{key}.{repetition}")
            return output
        if layer.reads_columns and any(number >= 0 for number in inputs):
            self._check_passed(layer, inputs, here)
        sizes = tuple(map(self._size_of, inputs))
        size = self._size(layer, sizes, here)
        self.nodes.append(Node(layer, key, here, inputs, sizes, size, self._passed(layer, inputs, sizes, size)))
        return len(self.nodes) - 1

    def _check_passed(self, layer: Layer, inputs: tuple[int, ...], here: Path) -> None:
        """Report a layer for data columns that reads outputs of other layers, as far as the sizes are known."""
        may_pass = layer.reads_passed_columns and len(inputs) == 1
        known = self._columns_of(inputs[0]) if may_pass else ()
        if may_pass and not self._size_of(inputs[0]):
            return
        if known and all(index < len(known) and known[index] is not None for index in layer.chosen(len(known))):
            return
        passed = [index for index, column in enumerate(known) if column is not None]
        listed = passed if len(passed) <= _MAX_LISTED else f"[{passed[0]}, {passed[1]}, …, {passed[-1]}]"
        hint = f"set columns = {listed}" if passed else f'put it first, or set inputs = ["{INPUT}"]'
        self.report("layer-place", f"{layer.type} reads data columns, not the output of a layer", here, hint=hint)

    def _passed(
        self, layer: Layer, inputs: tuple[int, ...], sizes: tuple[int, ...], size: int
    ) -> tuple[int | None, ...]:
        passed = layer.passed(sizes) if size and len(sizes) == 1 and all(sizes) else ()
        before = self._columns_of(inputs[0]) if passed else ()
        return tuple(None if index is None else before[index] for index in passed) if before else ()

    def _columns_of(self, number: int) -> tuple[int | None, ...]:
        return tuple(range(self.input_size)) if number == INPUT_INDEX else self.nodes[number].columns

    def _size(self, layer: Layer, sizes: tuple[int, ...], here: Path) -> int:
        unknown = 0 in sizes or (layer.input_count == "one") != (len(sizes) == 1)
        try:
            return (layer.declared_size() or 0) if unknown else layer.output_size(sizes)
        except ValueError as error:
            self.report("layer-sizes", str(error), here)
            return 0

    def _size_of(self, number: int) -> int:
        return self.input_size if number == INPUT_INDEX else 0 if number == _UNKNOWN else self.nodes[number].size


_UNKNOWN = -2
"""The index for an input whose name does not exist."""
