"""The columns of a network's diagram: which layers share one, the rank of each, what is folded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from specnet.number_texts import count, counted

if TYPE_CHECKING:
    from specnet.errors import Path
    from specnet.parts.activations import Activation
    from specnet.parts.layers import Layer
    from specnet.spec import Resolved
    from specnet.spec.resolving.graph import Node

MOST_RANKS = 16
"""Columns side by side before repetitions are folded."""
LONGEST_KIND = 13
"""Characters of a layer's kind that fit beside its size."""
INPUT = 0
"""Number of the input's column."""


@dataclass(frozen=True)
class DiagramColumn:
    """A layer, with those behind it that only change its values.

    Attributes
    ----------
    nodes : tuple of Node
        Its layers in order; none for the input.
    sources : tuple of int
        The columns that it reads, by number, in order.
    size : int
        Number of its units.
    rank : int
        Length of the longest path from the input: columns of one rank stand below each other.
    times : int
        How many equal columns in a row it stands for.
    """

    nodes: tuple[Node, ...]
    sources: tuple[int, ...]
    size: int
    rank: int
    times: int = 1

    @property
    def path(self) -> Path:
        """Where its first layer stands in the spec."""
        return self.nodes[0].path if self.nodes else ()

    @property
    def key(self) -> str:
        """The name of its first layer's parameters, or ``input``."""
        return self.nodes[0].key if self.nodes else "input"

    def captions(self) -> list[str]:
        """Return the lines under the column: size and activation, name, what follows it, parameters."""
        if not self.nodes:
            return [counted(self.size, "input")]
        first, *others = self.nodes
        words = [] if first.layer.type == "dense" else [first.layer.type]
        words += [activation.type for node in self.nodes if (activation := visible_activation(node.layer))]
        kind = " ".join(words or ["linear"]).replace("_", " ")
        lines = [f"{count(self.size)} {kind}"] if len(kind) <= LONGEST_KIND else [count(self.size), kind]
        if first.layer.name:
            lines.append(first.layer.name)
        lines += [_following(node.layer) for node in others if node.layer.split_activation()[0] is not None]
        parameters = sum(node.layer.parameter_count(node.input_sizes) for node in self.nodes)
        if parameters:
            lines.append(counted(parameters, "parameter"))
        return lines


Fold = tuple[tuple[int, ...], int, int]
"""The numbers of columns that stand for several repetitions, how many these are, and how many folds lie around it."""


def columns_of(resolved: Resolved) -> tuple[tuple[DiagramColumn, ...], list[Fold], range]:
    """Return the columns of a network's diagram, folded if there are more than 16 side by side.

    Returns
    -------
    columns : tuple of DiagramColumn
        The input first, then in the order in which they are computed.
    folds : list of Fold
    hidden : range
        Ranks, neighbours of each other, that are left out.
    """
    columns = _joined(resolved.nodes, resolved.inputs, folded=False)
    if rank_count(columns) <= MOST_RANKS:
        return columns, [], range(0)
    columns = _without_repeated(_joined(resolved.nodes, resolved.inputs, folded=True))
    folds: list[Fold] = [
        (within, times, depth)
        for path, times, depth in _blocks(resolved.spec.network.layers or (), ("network", "layers"), 0)
        if (within := tuple(k for k, column in enumerate(columns) if column.path[: len(path)] == path))
    ]
    folds += [((number,), column.times, 0) for number, column in enumerate(columns) if column.times > 1]
    left_out = rank_count(columns) - MOST_RANKS
    # One rank is for the gap itself.
    first = MOST_RANKS // 2
    return columns, folds, range(first, first + left_out + 1) if left_out > 0 else range(0)


def rank_count(columns: Sequence[DiagramColumn]) -> int:
    """Return the number of ranks side by side, also those left out."""
    return 1 + max(column.rank for column in columns)


def _joined(nodes: Sequence[Node], inputs: int, *, folded: bool) -> tuple[DiagramColumn, ...]:
    """Return the columns of layers; of folded blocks the first repetition stands for all."""
    first_at: dict[Path, int] = {}
    standing = [first_at.setdefault(node.path, k) if folded else k for k, node in enumerate(nodes)]
    chosen = [k for k, other in enumerate(standing) if other == k]
    read = {k: tuple(standing[source] if source >= 0 else source for source in nodes[k].inputs) for k in chosen}
    readers = Counter(source for sources in read.values() for source in sources)
    columns = [DiagramColumn((), (), inputs, 0)]
    column_of = {-1: INPUT}
    for k in chosen:
        node, sources = nodes[k], read[k]
        source = sources[0]
        if source >= 0 and readers[source] == 1 and _joins(node, nodes[source]):
            number = column_of[k] = column_of[source]
            columns[number] = replace(columns[number], nodes=(*columns[number].nodes, node))
            continue
        numbers = tuple(column_of[source] for source in sources)
        column_of[k] = len(columns)
        columns.append(DiagramColumn((node,), numbers, node.size, 1 + max(columns[number].rank for number in numbers)))
    return tuple(columns)


def _joins(node: Node, source: Node) -> bool:
    """Tell whether a layer only changes values of the one before it, beside which it stands."""
    plain = node.layer.input_count == "one" and not node.layer.reads_columns and not has_matrix(node)
    return plain and node.size == source.size and node.path[:-1] == source.path[:-1]


def has_matrix(node: Node) -> bool:
    """Tell whether a layer has a weight that mixes units."""
    return any(len(shape) > 1 for shape in node.layer.tensor_shapes(node.input_sizes).values())


def _without_repeated(columns: Sequence[DiagramColumn]) -> tuple[DiagramColumn, ...]:
    """Return columns with one in place of several equal ones in a row."""
    readers = Counter(source for column in columns for source in column.sources)
    made: list[DiagramColumn] = []
    new_number: dict[int, int] = {}
    for number, column in enumerate(columns):
        source = column.sources[0] if len(column.sources) == 1 else INPUT
        before = columns[source]
        if source != INPUT and readers[source] == 1 and _look(column) == _look(before):
            stands = new_number[number] = new_number[source]
            made[stands] = replace(made[stands], times=made[stands].times + 1)
            continue
        sources = tuple(new_number[source] for source in column.sources)
        rank = 1 + max(made[source].rank for source in sources) if sources else 0
        new_number[number] = len(made)
        made.append(replace(column, sources=sources, rank=rank))
    return tuple(made)


def _look(column: DiagramColumn) -> Any:
    return column.path[:-1], column.nodes[0].input_sizes, column.captions()


def _blocks(layers: Sequence[Layer], path: Path, depth: int) -> Iterator[tuple[Path, int, int]]:
    """Yield where the layers of each repeated block stand, how often they follow each other, and in how many others."""
    for index, layer in enumerate(layers):
        if layer.layers_field is not None:
            inner, repeated = (*path, index, layer.layers_field), layer.repetitions > 1
            if repeated:
                yield inner, layer.repetitions, depth
            yield from _blocks(layer.inner_layers, inner, depth + repeated)


def visible_activation(layer: Layer) -> Activation | None:
    """Return the activation of a layer, None for one that changes nothing."""
    _, activation = layer.split_activation()
    return None if activation is None or activation.is_identity else activation


def _following(layer: Layer) -> str:
    text = re.sub(r"\(\w+=([^,()]+)\)", r" \1", layer.summary(training=False))
    return text.replace("_", " ").replace("normalization", "norm")
