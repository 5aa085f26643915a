"""From an ONNX graph to a draft: operators that mix features become layers, what lies between is run to be known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Draft
from specnet.importing.onnx_file import TensorReader, newest_version
from specnet.importing.onnx_inputs import features, read_inputs
from specnet.importing.onnx_running import Runner
from specnet.importing.onnx_terms import Features, Shapes, Term, Value, affine_of, segments
from specnet.importing.recognition import Found, Recognizer
from specnet.parts.arrays import Array
from specnet.spec import Limits

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

STANDARD = ""
"""The domain of the standard operators; files may also write ai.onnx."""
_ROWS = (2, 3)
"""The numbers of rows that a graph is read for, unless it takes only another."""
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
        self.version = next((opset.version for opset in model.opset_import if opset.domain == STANDARD), 1)
        if self.version > (newest := newest_version()):
            raise FileError(f"its operators are of version {self.version}, and those up to {newest} are known")
        if self.graph.sparse_initializer:
            raise FileError("this file has sparse tensors, which are not supported")
        self.values: dict[str, Value] = {tensor.name: tensors.read(tensor) for tensor in self.graph.initializer}
        names = [name for node in self.graph.node for name in node.input]
        self.uses = Counter([*names, *(output.name for output in self.graph.output)])
        # Older files list constants among the inputs, and tf2onnx some that nothing reads any more.
        self.inputs = read_inputs(
            value for value in self.graph.input if value.name not in self.values and self.uses[value.name]
        )
        self.rows = (self.inputs.rows,) if self.inputs.rows else _ROWS
        self.draft = Draft(self.inputs.columns, self._dtype(self.inputs.dtype), limits)
        self.runner = Runner(self.version)
        self.recognizer = Recognizer(self.runner, self.draft.dtype)
        self.classes: Array | None = None
        self._found: dict[int, tuple[Term, Found] | None] = {}
        self._chosen: dict[tuple[int, bytes], Term] = {}
        self._count = self.index = 0
        self._bind_inputs()

    def _bind_inputs(self) -> None:
        columns = self.leaf(INPUT, tuple((count, self.inputs.columns) for count in self.rows))
        begin = 0
        for name, shape in self.inputs.shapes.items():
            shapes = tuple(tuple(count if size is None else size for size in shape) for count in self.rows)
            if len(self.inputs.shapes) == 1:
                self.bind(name, replace(columns, shapes=shapes))
                return
            end = begin + features(shape)
            moved = [table[:, begin:end].reshape(each) for table, each in zip(columns.places, shapes, strict=True)]
            self.bind(name, Features(columns.term, self.rows, shapes, tuple(moved)))
            begin = end

    def leaf(self, layer: int, shapes: Shapes) -> Features:
        """Return the output of a layer."""
        self._count += 1
        return Features(Term(self._count, self.draft.size(layer), layer), self.rows, shapes)

    def computed(
        self, node: NodeProto, shapes: Shapes, operands: Sequence[Term | Array | None], kind: str = "f"
    ) -> Features:
        """Return what a node computes of terms and constants."""
        self._count += 1
        size = math.prod(shapes[0]) // self.rows[0]
        term = Term(self._count, size, node=node, operands=tuple(operands), kind=kind, index=self.index)
        return Features(term, self.rows, shapes)

    def tensor(self, read: Sequence[Features], places: Sequence[Array]) -> Features:
        """Return numbers of a term that stand at other places than in the tensors that have been read."""
        term, ordered = read[0].term, True
        for count, array in zip(self.rows, places, strict=True):
            ordered = ordered and np.array_equal(array.reshape(-1), np.arange(count * term.size))
        shapes, alone = tuple(array.shape for array in places), all(value.alone for value in read)
        return Features(term, self.rows, shapes, None if ordered else tuple(places), alone)

    def term(self, value: Features) -> Term:
        """Return features as a term: their own, or some columns of it."""
        origin, columns = value.term, value.columns
        if np.array_equal(columns, np.arange(origin.size)):
            return origin
        key = origin.number, columns.tobytes()
        if key not in self._chosen:
            self._count += 1
            self._chosen[key] = Term(
                self._count, columns.size, operands=(origin,), kind=origin.kind, index=self.index, columns=columns
            )
        return self._chosen[key]

    def bind(self, name: str, value: Value) -> None:
        """Give a tensor its value."""
        if isinstance(value, Features):
            value = replace(value, alone=value.alone and self.uses[name] == 1)
        self.values[name] = value

    def named(self, index: int) -> str:
        """Return a node's name, or its number where it has none, and its operator."""
        node = self.graph.node[index]
        kind = f"{node.domain}.{node.op_type}" if node.domain != STANDARD else node.op_type
        return f"{shown(node.name) if node.name else index} ({shown(kind)[1:-1]})"

    def whole_weight(self, weight: Array, term: Term) -> Array:
        """Return a weight (outputs, columns) on some columns of a term as one on all that it has, with zeros."""
        (origin,) = term.terms
        assert term.columns is not None, "asked before"
        self.draft.check_numbers(len(weight) * origin.size)
        whole = np.zeros((len(weight), origin.size), weight.dtype)
        np.add.at(whole.T, term.columns, weight.T)  # which may be there twice
        return whole

    def source(self, term: Term) -> int:
        """Return the layer whose output a term is, made where there is none yet, of what it reads before itself."""
        waiting, ways = [term], dict[int, _Way]()
        self.check_length(term)
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
        assert term.layer is not None, "it has just been made"
        return term.layer

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
        if term.columns is not None:
            weight = self.whole_weight(np.eye(term.size), term)
            return _Way(term.terms, lambda layers: self.draft.dense(layers[0], weight, None))
        gated = _gated(term)
        if gated is not None:
            fields, size = {"type": "activation", "activation": "glu"}, term.size
            return _Way([gated], lambda layers: self.draft.add(fields, layers, size=size))
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


def _gated(term: Term) -> Term | None:
    """Return the term one half of which is multiplied by the sigmoid of the other, as glu does; None where none is."""
    factors = term.terms if term.node is not None and term.node.op_type == "Mul" else []
    gates = [each for each in factors if each.node is not None and each.node.op_type == "Sigmoid"]
    if len(factors) != 2 or len(gates) != 1:
        return None
    (passed,), (gate,) = (each for each in factors if each is not gates[0]), gates[0].terms
    if passed.columns is None or gate.columns is None or passed.terms != gate.terms:
        return None
    (origin,) = passed.terms
    return origin if np.array_equal([*passed.columns, *gate.columns], np.arange(origin.size)) else None


class UnknownFormulaError(FileError):
    """Some nodes are nothing that layers here compute; the message says itself which they are."""
