"""Which nodes of an ONNX graph a formula was made by: to name them, and to see what else reads the same as they."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.onnx_values import Features, Value

if TYPE_CHECKING:
    from onnx import NodeProto

_REDUCTIONS = ("ReduceMax", "ReduceMean", "ReduceSum")
_MOST_NAMED = 5
_MOST_OF_AN_ACTIVATION = 64
"""Nodes, and inputs of each; none is written in as many, and more of them would be walked again and again."""


class UnknownFormulaError(FileError):
    """A formula is none that layers here compute; the message says itself which nodes made it."""


class Origins:
    """What made the values of a graph.

    Parameters
    ----------
    nodes : sequence of NodeProto
    uses : mapping
        How often each tensor is read.
    values : mapping
        What each tensor is, as far as the graph has been read.
    """

    def __init__(
        self, nodes: Sequence[NodeProto], uses: Mapping[str, int], values: Mapping[str, Value | NDArray[Any]]
    ) -> None:
        self._nodes, self._uses, self._values = nodes, uses, values
        self._makers = {name: number for number, node in enumerate(nodes) for name in node.output if name}
        self._reduced = {node.input[0] for node in nodes if node.op_type in _REDUCTIONS and node.input}

    def is_reduced(self, name: str) -> bool:
        """Whether a node makes one number of each row of a tensor, as normalizations and softmax begin."""
        return name in self._reduced

    def reads_alone(self, name: str) -> bool:
        """Whether nothing but what makes a tensor reads that of which its formula is made."""
        numbers = list(islice(self._formula(self._makers[name]), _MOST_OF_AN_ACTIVATION + 1))
        read = Counter(source for number in numbers for source in self._read(number))
        few = len(numbers) <= _MOST_OF_AN_ACTIVATION
        return few and all(self._uses[source] == count for source, count in read.items())

    def maker(self, value: Features) -> int | None:
        """Return the number of the node that made a value, None if it is no tensor of the graph."""
        names = (name for name, other in self._values.items() if other is value)
        return next((self._makers[name] for name in names if name in self._makers), None)

    def named(self, number: int) -> str:
        """Return a node's name, or its number where it has none, and its operator."""
        node = self._nodes[number]
        kind = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        return f"{shown(node.name) if node.name else number} ({shown(kind)[1:-1]})"

    def unknown(self, number: int, is_known: Callable[[Features], bool]) -> UnknownFormulaError:
        """Return the error that names the nodes of a formula which is no activation.

        Parameters
        ----------
        number : int
            The last node of the formula.
        is_known : callable
            Whether a part of the formula is an activation by itself, whose nodes are none to name.
        """
        numbers = sorted(islice(self._formula(number, is_known), _MOST_OF_AN_ACTIVATION))
        names = ", ".join(self.named(each) for each in numbers[:_MOST_NAMED])
        if len(numbers) == 1:
            return UnknownFormulaError(f"node {names}: this is no activation that is known here")
        others = " and others" if len(numbers) > _MOST_NAMED else ""
        return UnknownFormulaError(f"nodes {names}{others}: together these are no activation that is known here")

    def _formula(self, number: int, is_known: Callable[[Features], bool] | None = None) -> Iterator[int]:
        """Yield a node and those before it whose values are formulas, back to layers' outputs or what is known."""
        waiting, seen = [number], {number}
        while waiting:
            yield (number := waiting.pop())
            for name in self._read(number):
                value, maker = self._values[name], self._makers.get(name, number)
                assert isinstance(value, Features)
                if maker not in seen and not value.formula.is_variable and not (is_known and is_known(value)):
                    waiting.append(maker)
                seen.add(maker)

    def _read(self, number: int) -> list[str]:
        """Return the features that a node reads, as often as it does."""
        names = self._nodes[number].input[:_MOST_OF_AN_ACTIVATION]
        return [name for name in names if isinstance(self._values.get(name), Features)]
