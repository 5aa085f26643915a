"""From an ONNX graph to a draft: operators that mix features become layers, what lies between is run to be known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Draft
from specnet.importing.onnx_file import TensorReader, newest_version
from specnet.importing.onnx_inputs import read_inputs
from specnet.importing.onnx_running import Runner
from specnet.importing.onnx_terms import Part, Shape, Term, TwoClasses, Value, affine_of, segments
from specnet.importing.recognition import Found, Recognizer
from specnet.parts.arrays import Array
from specnet.spec import Limits

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

STANDARD = ""
"""The domain of the standard operators; files may also write ai.onnx."""
_MOST_NAMED = 5
_MOST_FACTORS = 8
_MOST_BETWEEN = 500


@dataclass(frozen=True)
class _Way:
    """How a term becomes a layer: from these terms, by this."""

    terms: Sequence[Term]
    make: Callable[[list[int]], int]


class Graph:
    """What is known of an ONNX graph: its inputs and constants at first, then what each node makes of them.

    Parameters
    ----------
    model : ModelProto
    tensors : TensorReader
    limits : Limits or None

    Attributes
    ----------
    values : dict
        What each tensor is.
    inputs : Inputs
    draft : Draft
    runner : Runner
    recognizer : Recognizer
    index : int
        The number of the node that is being read.
    """

    def __init__(self, model: ModelProto, tensors: TensorReader, limits: Limits | None) -> None:
        self.graph: GraphProto = model.graph
        self.tensors = tensors
        for part in (*model.opset_import, *self.graph.node):
            if part.domain == "ai.onnx":
                part.domain = STANDARD
        self.versions: dict[str, int] = {opset.domain: opset.version for opset in model.opset_import}
        newest = newest_version()
        if self.version() > newest:
            raise FileError(f"its operators are of version {self.version()}, and those up to {newest} are known")
        if self.graph.sparse_initializer:
            raise FileError("this file has sparse tensors, which are not supported")
        self.values: dict[str, Value | Array] = {tensor.name: tensors.read(tensor) for tensor in self.graph.initializer}
        names = [name for node in self.graph.node for name in node.input]
        self.uses = Counter([*names, *(output.name for output in self.graph.output)])
        # Older files list constants among the inputs, and tf2onnx some that nothing reads any more.
        self.inputs = read_inputs(
            value for value in self.graph.input if value.name not in self.values and self.uses[value.name]
        )
        self.draft = Draft(self.inputs.columns, self._dtype(self.inputs.dtype), limits)
        self.runner = Runner(self.version())
        self.recognizer = Recognizer(self.runner, self.draft.dtype)
        self._found: dict[int, tuple[Term, Found] | None] = {}
        self._count = self.index = 0
        self._bind_inputs()

    def _bind_inputs(self) -> None:
        begin = 0
        for name, shape in self.inputs.shapes.items():
            term = self.leaf(INPUT, shape)
            if len(self.inputs.shapes) > 1:
                self.bind(name, Part(INPUT, np.arange(begin, begin + term.size)))
            else:
                self.bind(name, term)
            begin += term.size

    def version(self, domain: str = STANDARD) -> int:
        """Return the version of the operators of a domain."""
        return self.versions.get(domain, 1)

    def number(self) -> int:
        """Return the number of a new term."""
        self._count += 1
        return self._count

    def leaf(self, layer: int, shape: Shape | None = None) -> Term:
        """Return the output of a layer as a term."""
        return Term(self.number(), shape or (None, self.draft.size(layer)), layer)

    def formula(self, node: NodeProto, shape: Shape, operands: Sequence[Term | Array | None], kind: str) -> Term:
        """Return what a node computes of terms and constants."""
        operands = tuple(each.origin if isinstance(each, Term) else each for each in operands)
        return Term(self.number(), shape, node=node, operands=operands, kind=kind, index=self.index)

    def selected(self, part: Part) -> Term:
        """Return some features of a layer's output as a term."""
        if part.gated:
            raise FileError("it reads a part of the features behind a sigmoid, which glu alone has")
        size = self.draft.size(part.layer)
        if np.array_equal(part.places, np.arange(size)):
            return replace(self.leaf(part.layer), alone=part.alone)
        self.draft.check_numbers(len(part.places) * size)
        weight = np.zeros((len(part.places), size))
        weight[np.arange(len(part.places)), part.places] = 1
        return self.leaf(self.draft.dense(part.layer, weight, None))

    def both(self, classes: TwoClasses) -> int:
        """Return the layer that makes the probabilities of both classes."""
        one = self.draft.affine(classes.second, -1.0, 1.0)
        return self.draft.add({"type": "concatenate"}, [one, classes.second])

    def is_answer(self, name: str) -> bool:
        """Whether a tensor is an output of the graph, and nothing else reads it."""
        return self.uses[name] == 1 and any(output.name == name for output in self.graph.output)

    def bind(self, name: str, value: Value | Array) -> None:
        """Give a tensor its value."""
        if isinstance(value, Term | Part):
            value = replace(value, alone=value.alone and self.uses[name] == 1)
        self.values[name] = value

    def named(self, index: int) -> str:
        """Return a node's name, or its number where it has none, and its operator."""
        node = self.graph.node[index]
        kind = f"{node.domain}.{node.op_type}" if node.domain != STANDARD else node.op_type
        return f"{shown(node.name) if node.name else index} ({shown(kind)[1:-1]})"

    def source(self, term: Term) -> int:
        """Return the layer whose output a term is, made where there is none yet, of what it reads before itself."""
        waiting, ways = [term.origin], dict[int, _Way]()
        self.check_length(term.origin)
        while waiting:
            each = waiting[-1]
            if each.layer is None:
                way = ways[each.number] = ways.get(each.number) or self._way(each)
                missing = [other for other in way.terms if other.layer is None]
                if missing:
                    waiting += missing
                    continue
                each.layer = way.make([int(other.layer) for other in way.terms if other.layer is not None])
            waiting.pop()
        assert term.origin.layer is not None, "it has just been made"
        return term.origin.layer

    def check_length(self, term: Term) -> None:
        """Refuse a term that is further from all layers than any that a network has."""
        waiting, seen = [term], {term.number}
        while waiting:
            new = {each.number: each for each in waiting.pop().terms if each.layer is None and each.number not in seen}
            waiting += new.values()
            seen |= new.keys()
            if len(seen) > _MOST_BETWEEN:
                raise FileError(f"more than {_MOST_BETWEEN} nodes between two layers")

    def recognized(self, term: Term) -> tuple[Term, Found] | None:
        """Return the activation or normalization that ends in a term, and where it begins; None where it is none."""
        if term.number not in self._found:
            found = ((each.start, self.recognizer.find(each)) for each in segments(term))
            self._found[term.number] = next(((start, what) for start, what in found if what is not None), None)
        return self._found[term.number]

    def _way(self, term: Term) -> _Way:
        found = self.recognized(term)
        if found is not None:
            return _Way([found[0]], lambda layers: self._place(layers[0], found[1]))
        base, steps = self.scaled(term)
        if steps:
            return _Way([base], lambda layers: self.draft.affine_steps(layers[0], steps))
        operator, terms = term.node.op_type if term.node else "", term.terms
        sizes = {each.size for each in terms}
        if term.kind == "f" and len(sizes) == 1 and len(terms) == len(term.operands):
            if operator in ("Add", "Sum"):
                return _Way(terms, lambda layers: self.draft.add({"type": "add"}, layers))
            if operator == "Mul":
                return _Way(terms, lambda layers: self.draft.add({"type": "multiply"}, layers))
            if operator == "Sub":
                return _Way(terms, lambda layers: self._difference(*layers))
        if operator == "Pow" and isinstance(term.operands[1], np.ndarray) and term.operands[1].size == 1:
            power = float(term.operands[1].reshape(()))
            if power.is_integer() and 2 <= power <= _MOST_FACTORS:
                return _Way(terms, lambda layers: self.draft.add({"type": "multiply"}, layers * int(power)))
        bounds = [each for each in term.operands if isinstance(each, np.ndarray)]
        if operator in ("Max", "Min") and len(terms) == len(bounds) == 1:
            return _Way(terms, lambda layers: self._bounded(layers[0], bounds[0].astype(np.float64), operator))
        raise self._unknown(term)

    def _bounded(self, source: int, bound: Array, operator: str) -> int:
        """Return the layer that makes max(x, b) = b + relu(x − b), or min(x, b) = b − relu(b − x)."""
        sign = 1.0 if operator == "Max" else -1.0
        above = self.draft.activation(self.draft.affine(source, sign, -sign * bound), "relu")
        return self.draft.affine(above, sign, bound)

    def _difference(self, first: int, second: int) -> int:
        return self.draft.add({"type": "add"}, [first, self.draft.affine(second, -1.0, 0.0)])

    def scaled(self, term: Term) -> tuple[Term, list[tuple[Array, Array]]]:
        """Return the term that a term is made of by constant factors and shifts, and these, the first ones first."""
        steps: list[tuple[Array, Array]] = []
        while term.layer is None and (found := affine_of(term)) is not None and self.recognized(term) is None:
            term, factor, shift = found
            steps.append((factor, shift))
        return term, steps[::-1]

    def _place(self, source: int, found: Found) -> int:
        if found.fields["type"] == "linear":
            return source
        size = self.draft.size(source)
        tensors = {name: np.broadcast_to(array, size) for name, array in found.tensors.items()}
        if found.is_normalization:
            return self.draft.add(found.fields, [source], tensors)
        layer = self.draft.activation(source, found.fields, tensors)
        return layer if found.factor == 1 else self.draft.affine(layer, found.factor, 0.0)

    def _unknown(self, term: Term) -> FileError:
        """Return the error that names the nodes of a term that no layer computes."""
        waiting, indices = [term], set[int]()
        seen = {term.number}
        while waiting and len(indices) < 8 * _MOST_NAMED:
            each = waiting.pop()
            indices.add(each.index)
            for operand in each.terms:
                is_known = operand.layer is not None or self.recognized(operand) is not None
                if operand.number not in seen and operand.operands and not is_known:
                    waiting.append(operand)
                seen.add(operand.number)
        names = ", ".join(map(self.named, sorted(indices)[:_MOST_NAMED]))
        if len(indices) == 1:
            return UnknownFormulaError(f"node {names}: this is no known activation")
        others = " and others" if len(indices) > _MOST_NAMED else ""
        return UnknownFormulaError(f"nodes {names}{others}: together these are no known activation")

    def _dtype(self, default: str) -> str:
        """Return the dtype of the weights, or of the input where there are none."""
        for node in self.graph.node:
            weights = [self.values.get(name) for name in node.input]
            found = [array.dtype for array in weights if isinstance(array, np.ndarray) and array.dtype.kind == "f"]
            if node.op_type in ("Gemm", "MatMul") and found:
                return found[0].name
        return default


class UnknownFormulaError(FileError):
    """Some nodes are nothing that layers here compute; the message says itself which they are."""
