"""The layers of a network as a graph: blocks unrolled, names looked up, sizes followed from input to output."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from specnet.errors import Path
from specnet.parts.layers import Dense, Layer
from specnet.spec.reading.hints import close_match, either, shown

LAYERS: Path = ("network", "layers")
INPUT = "input"
"""The name of what goes into the network, or into a block for the layers inside it."""
INPUT_INDEX = -1
_MAX_LISTED = 200
"""Columns up to which a hint lists all."""


class Node(NamedTuple):
    """A layer of the graph, with what it reads.

    Attributes
    ----------
    layer : Layer
        Never a block.
    key : str
        The first part of its parameters' names: ``layers.0``, ``layers.head`` for a layer with a name, and for one in a
        block the block, the repetition and the layer: ``layers.3.0.1``.
    path : tuple
        In the resolved spec.
    inputs : tuple of int
        The indices of the nodes that it reads; -1 is the network's input.
    input_sizes : tuple of int
        The number of features of each of these; 0 if it is not known, which is never so in a `Resolved`.
    size : int
        Number of features of its output, or 0.
    columns : tuple of int or None
        For each feature of its output the data column that it passes on unchanged, else None; empty if it passes on
        none, or if a size is not known.
    """

    layer: Layer
    key: str
    path: Path
    inputs: tuple[int, ...]
    input_sizes: tuple[int, ...]
    size: int
    columns: tuple[int | None, ...] = ()

    @property
    def size_path(self) -> Path:
        """The path of the field that sets the size of the layer, or of the layer if its inputs set its size."""
        return self.path if self.layer.size_field is None else (*self.path, self.layer.size_field)


class Report(Protocol):
    """A function that reports a mistake at a path."""

    def __call__(self, code: str, message: str, path: Path, *, hint: str | None = None) -> None: ...


def walk(layers: Sequence[Layer], input_size: int, report: Report) -> tuple[Node, ...]:
    """Return the nodes of layers in the order in which they are computed; the last is the output.

    Mistakes are reported. An input size of 0 is unknown.
    """
    graph = _Graph(input_size, report)
    graph.add(layers, INPUT_INDEX, LAYERS, "layers")
    return tuple(graph.nodes)


def logits_node(nodes: Sequence[Node]) -> int | None:
    """Return the index of the dense layer whose W·x + b the output activation reads; None if it reads another layer.

    Nothing else reads it: all layers lead to the output. W and b times a factor make the logits times that factor.
    """
    number = len(nodes) - 1
    rest, _ = nodes[number].layer.split_activation()
    if rest is None:  # an activation by itself
        (number,) = nodes[number].inputs
        activation = nodes[number].layer.split_activation()[1] if number >= 0 else None
        if activation is not None and not activation.is_identity:
            return None
    return number if number >= 0 and isinstance(nodes[number].layer, Dense) else None


def linear_part(nodes: Sequence[Node]) -> tuple[int, tuple[int, ...]] | None:
    """Return the indices of the dense layer of the network's input and of all dense layers whose sum is the output.

    None if the output is made otherwise, or if these layers have other readers, or are added twice: W and b of all of
    them times a factor are to make the output times that factor, and those of the one to add any linear function.
    """
    from specnet.parts.layers import Add

    last = nodes[-1]
    rest, activation = last.layer.split_activation()
    if rest is None and last.inputs[0] >= 0 and activation is not None and activation.is_identity:
        last = nodes[last.inputs[0]]  # a sum has no activation of its own
    if not isinstance(last.layer, Add):
        return None
    read = [number for node in nodes for number in node.inputs]
    terms = last.inputs
    if not all(number >= 0 and read.count(number) == 1 and _is_affine(nodes[number].layer) for number in terms):
        return None
    parts = [number for number in terms if nodes[number].inputs == (INPUT_INDEX,)]
    layer = nodes[parts[0]].layer if len(parts) == 1 and len(terms) > 1 else None
    is_plain = isinstance(layer, Dense) and layer.use_bias and layer.parametrization == "standard"
    return (parts[0], terms) if is_plain else None


def _is_affine(layer: Layer) -> bool:
    _, activation = layer.split_activation()
    return isinstance(layer, Dense) and (activation is None or activation.is_identity)


def layer_count(layers: Sequence[Layer]) -> int:
    """Return the number of layers, blocks unrolled, without unrolling them."""
    return sum(layer.repetitions * (layer_count(layer.inner_layers) or 1) for layer in layers)


class _Graph:
    def __init__(self, input_size: int, report: Report) -> None:
        self.nodes: list[Node] = []
        self.input_size = input_size
        self.report = report

    def add(self, layers: Sequence[Layer], source: int, path: Path, key: str) -> int:
        """Add layers that read `source`, and return the node of the last one's output."""
        outputs: dict[str, int] = {INPUT: source}  # of the layers with a name
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
        for here in unread.values() if clear else ():  # a wrong name may be what should have read it
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
                close = close_match(name, outputs)
                hint = f'did you mean "{close}"?' if close else f"choose from {either(outputs)}"
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
        """Report a layer for data columns that reads what other layers made, as far as that is known."""
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
"""Stands for a node that a layer names and that does not exist."""
