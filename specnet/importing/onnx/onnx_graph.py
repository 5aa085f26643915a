"""Conversion of an ONNX graph to a draft: operators that mix features become layers; nodes between them are run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import INPUT, Draft
from specnet.importing.onnx.onnx_file import TensorReader, copied_inputs, identities, newest_version, read_inputs
from specnet.importing.onnx.onnx_running import Runner
from specnet.importing.onnx.onnx_terms import Shapes, TensorConstant, TensorFeatures, Term, Value, affine_of, segments
from specnet.importing.onnx.recognition import Found, Recognizer
from specnet.parts.arrays import Array
from specnet.spec import Limits

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

STANDARD = ""
"""The domain of the standard operators; files may write ai.onnx instead."""
_ROWS = (1, 2, 3)
"""The numbers of rows for which a graph is read, unless it only accepts another number."""
_MAX_NAMED = 5
_MAX_FACTORS = 8
_MAX_BETWEEN = 500
_MAX_MOVED = 2000


Result = Value | list[Value]
Operator = Callable[["NodeCall"], Result]
_PLAIN = ("FLOAT", "INT", "STRING", "TENSOR", "FLOATS", "INTS", "STRINGS")
"""Types of attributes that contain numbers and texts, not graphs or sparse tensors."""
_Maker = tuple[Sequence[Term], Callable[[list[int]], int]]
"""The terms whose layers a term needs, and a function from these layers to the layer of the term."""


class Graph:
    """The values of an ONNX graph by name: inputs and constants first, then the results of nodes as they are read.

    `index` is the index of the node that is being read; `classes` are labels that the file gives to probabilities. If
    one of several outputs is chosen, only the nodes that it needs are read.
    """

    def __init__(
        self, model: ModelProto, tensors: TensorReader, limits: Limits | None, output: str | None = None
    ) -> None:
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
        self.values: dict[str, Value] = {
            tensor.name: TensorConstant((tensors.read(tensor),)) for tensor in self.graph.initializer
        }
        names = [each.name for each in self.graph.output]
        if output is not None and output not in names:
            hint = f"choose from {', '.join(map(shown, names))}"
            raise FileError(f"the graph has no output {shown(output)}", hint=hint)
        self.copies = {} if output is not None else copied_inputs(self.graph)
        self.outputs = [name for name in names if name == output or (output is None and name not in self.copies)]
        self.needed = range(len(self.graph.node)) if output is None else self._needed(output)
        self.uses = self._uses()
        # Older files list constants among the inputs; tf2onnx lists inputs that no node reads.
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
        self._numbers, self.moves, self.index = count(), count(), 0
        self._bind_inputs()

    def _needed(self, output: str) -> Sequence[int]:
        """Return the indices of the nodes that an output needs."""
        makers: dict[str, list[int]] = {}
        for index, node in enumerate(self.graph.node):
            for name in node.output:
                makers.setdefault(name, []).append(index)
        found, waiting = set[int](), [output]
        while waiting:
            new = [index for index in makers.pop(waiting.pop(), ()) if index not in found]
            found.update(new)
            waiting += [name for index in new for name in self.graph.node[index].input if name]
        return sorted(found)

    def _uses(self) -> Counter[str]:
        """Return how often each tensor is read by nodes and as output, except outputs that are copies of inputs."""
        uses = Counter([*self.outputs, *(name for index in self.needed for name in self.graph.node[index].input)])
        copying = identities(self.graph)
        for name in self.copies:
            while name in copying and not uses[name]:
                name = copying[name]
                uses[name] -= 1
        return uses

    def _bind_inputs(self) -> None:
        columns = self.leaf(INPUT, tuple((rows, self.inputs.columns) for rows in self.rows))
        end = 0
        for name, shape in self.inputs.shapes.items():
            shapes = tuple(tuple(rows if size is None else size for size in shape) for rows in self.rows)
            begin, end = end, end + math.prod(shapes[0]) // self.rows[0]
            value = replace(columns, shapes=shapes)
            if len(self.inputs.shapes) > 1:
                moved = (columns.at(case)[:, begin:end].reshape(each) for case, each in enumerate(shapes))
                value = columns.moved_to(tuple(moved), alone=True)
            self.bind(name, value)

    def leaf(self, layer: int, shapes: Shapes) -> TensorFeatures:
        """Return the features that a layer outputs, with these shapes."""
        return TensorFeatures(Term(next(self._numbers), self.draft.size(layer), layer), self.rows, shapes)

    def computed(
        self, node: NodeProto, shapes: Shapes, operands: Sequence[Term | Array | None], kind: str = "f"
    ) -> TensorFeatures:
        """Return the features that a node computes from terms and constants."""
        size = math.prod(shapes[0]) // self.rows[0]
        term = Term(next(self._numbers), size, node=node, operands=tuple(operands), kind=kind, index=self.index)
        return TensorFeatures(term, self.rows, shapes)

    def term(self, value: TensorFeatures) -> Term:
        """Return a term with exactly these features: the term of the tensor, or a selection of its columns."""
        origin, columns = value.term, value.columns
        if np.array_equal(columns, np.arange(origin.size)):
            return origin
        key = origin.number, columns.tobytes()
        if key not in self._chosen:
            term = Term(next(self._numbers), columns.size, operands=(origin,), kind=origin.kind, index=self.index)
            self._chosen[key] = replace(term, columns=columns)
        return self._chosen[key]

    def bind(self, name: str, value: Value) -> None:
        """Assign a value to the name of a tensor; raise an error if the name exists."""
        if name in self.values:
            raise FileError(f"{shown(name)} already exists")
        if isinstance(value, TensorFeatures):
            value = replace(value, alone=value.alone and self.uses[name] == 1)
        self.values[name] = value

    def named(self, index: int) -> str:
        """Return a text with a node's name, or its index if it has no name, and its operator."""
        node = self.graph.node[index]
        kind = f"{node.domain}.{node.op_type}" if node.domain != STANDARD else node.op_type
        return f"{shown(node.name) if node.name else index} ({shown(kind)[1:-1]})"

    def source(self, term: Term) -> int:
        """Return the layer that outputs a term; layers for the term and its operands are added as needed."""
        waiting, makers = [term], dict[int, _Maker]()
        self.check_length(term)
        while waiting:
            each = waiting[-1]
            if each.layer is None:
                terms, make = makers[each.number] = makers.get(each.number) or self._maker(each)
                missing = [other for other in terms if other.layer is None]
                if missing:
                    waiting += missing
                    continue
                each.layer = make([int(other.layer) for other in terms if other.layer is not None])
            waiting.pop()
        assert term.layer is not None, "it has just been made"
        return term.layer

    def check_length(self, term: Term) -> None:
        """Raise an error if there are too many nodes between a term and the layers that it depends on."""
        if len(_reached(term, lambda each: each.layer is None, _MAX_BETWEEN)) > _MAX_BETWEEN:
            raise FileError(f"more than {_MAX_BETWEEN} nodes between two layers")

    def recognized(self, term: Term) -> tuple[Term, Found] | None:
        """Return the start of an activation or normalization that ends in a term, and its layer; None if unknown."""
        if term.number not in self._found:
            found = ((each.start, self.recognizer.find(each)) for each in segments(term))
            self._found[term.number] = next(((start, what) for start, what in found if what is not None), None)
        return self._found[term.number]

    def _maker(self, term: Term) -> _Maker:
        draft, terms, operator = self.draft, term.terms, term.node.op_type if term.node else ""
        if term.columns is not None:
            return terms, lambda layers: draft.dense(layers[0], self.spread(layers[0], term), None)
        if (gated := _gated(term)) is not None:
            glu = {"type": "activation", "activation": "glu"}
            return [gated], lambda layers: draft.add(glu, layers)
        found = self.recognized(term)
        if found is not None:
            return [found[0]], lambda layers: self._add_found(layers[0], found[1])
        base, steps = self.scaled(term)
        if steps:
            return [base], lambda layers: draft.affine_steps(layers[0], steps)
        if term.kind == "f" and {each.size for each in terms} == {term.size} and len(terms) == len(term.operands):
            if operator in ("Add", "Sum", "Mul"):
                return terms, lambda layers: draft.add({"type": "multiply" if operator == "Mul" else "add"}, layers)
            if operator == "Sub":
                return terms, lambda layers: draft.add({"type": "add"}, [layers[0], draft.affine(layers[1], -1.0, 0.0)])
        constants = [each.astype(np.float64) for each in term.operands if isinstance(each, np.ndarray)]
        if operator == "Pow" and len(terms) == len(constants) == 1 and constants[0].size == 1:
            power = float(constants[0].item())
            if term.operands[0] is terms[0] and power.is_integer() and 2 <= power <= _MAX_FACTORS:
                return terms, lambda layers: draft.add({"type": "multiply"}, layers * int(power))
        if operator in ("Max", "Min") and len(terms) == len(constants) == 1:
            return terms, lambda layers: self._bounded(layers[0], constants[0], 1.0 if operator == "Max" else -1.0)
        raise self._unknown(term)

    def spread(self, layer: int, term: Term, weight: Array | None = None) -> Array:
        """Return the dense weight that selects a term's columns from a layer's output, times `weight` if given."""
        size, outputs = self.draft.size(layer), term.size if weight is None else len(weight)
        self.draft.check_numbers(outputs * size)
        whole = np.zeros((outputs, size), None if weight is None else weight.dtype)
        positions: Any = (np.arange(outputs) if weight is None else slice(None), term.columns)
        np.add.at(whole, positions, 1 if weight is None else weight)  # a column may occur twice
        return whole

    def _bounded(self, source: int, bound: Array, sign: float) -> int:
        """Add layers for max(x, b) = b + relu(x − b), or min(x, b) = b − relu(b − x); return the last one."""
        above = self.draft.activation(self.draft.affine(source, sign, -sign * bound), "relu")
        return self.draft.affine(above, sign, bound)

    def scaled(self, term: Term) -> tuple[Term, list[tuple[Array, Array]]]:
        """Split a term into another term and the constant factors and shifts that are applied to it, in order."""
        steps: list[tuple[Array, Array]] = []
        while term.layer is None and (found := affine_of(term)) is not None and self.recognized(term) is None:
            term, factor, shift = found
            steps.append((factor, shift))
        return term, steps[::-1]

    def _add_found(self, source: int, found: Found) -> int:
        if found.fields["type"] == "linear":
            return source
        size = self.draft.size(source)
        tensors = {name: np.broadcast_to(array, size) for name, array in found.tensors.items()}
        if found.is_normalization:
            return self.draft.add(found.fields, [source], tensors)
        layer = self.draft.activation(source, found.fields, tensors)
        return layer if found.factor == 1 else self.draft.affine(layer, found.factor, 0.0)

    def _unknown(self, term: Term) -> FileError:
        """Return an error that names the nodes of a term that no layer can compute."""

        def is_open(each: Term) -> bool:
            return each.layer is None and self.recognized(each) is None

        indices = {each.index for each in _reached(term, is_open, 8 * _MAX_NAMED)}
        names = ", ".join(map(self.named, sorted(indices)[:_MAX_NAMED]))
        if len(indices) == 1:
            return UnknownFormulaError(f"node {names}: this is no known activation")
        others = " and others" if len(indices) > _MAX_NAMED else ""
        return UnknownFormulaError(f"nodes {names}{others}: together these are no known activation")

    def _dtype(self, default: str) -> str:
        """Return the name of the weights' dtype, or the default if there are no weights."""
        names = (name for node in self.graph.node if node.op_type in ("Gemm", "MatMul") for name in node.input)
        weights = (self.values[name] for name in names if name in self.values)
        dtypes = (weight.at(0).dtype for weight in weights)
        return next((dtype.name for dtype in dtypes if dtype.kind == "f"), default)


def _reached(term: Term, is_open: Callable[[Term], bool], limit: int) -> list[Term]:
    """Return a term and its operands, recursively through open terms; the search ends soon after `limit` terms."""
    found = {term.number: term}
    waiting = [term]
    while waiting and len(found) <= limit:
        new = {each.number: each for each in waiting.pop().terms if each.number not in found and is_open(each)}
        waiting += new.values()
        found |= new
    return list(found.values())


def _gated(term: Term) -> Term | None:
    """Return the operand of a gated linear unit, one half times the sigmoid of the other; None for other terms."""
    factors = term.terms if term.node is not None and term.node.op_type == "Mul" else []
    gates = [each for each in factors if each.node is not None and each.node.op_type == "Sigmoid"]
    if len(factors) != 2 or len(gates) != 1:
        return None
    (passed,), (gate,) = (each for each in factors if each is not gates[0]), gates[0].terms
    if passed.columns is None or gate.columns is None or passed.terms != gate.terms:
        return None
    (origin,) = passed.terms
    return origin if np.array_equal([*passed.columns, *gate.columns], np.arange(origin.size)) else None


class NodeCall:
    """A node with the values of its inputs; None stands for an omitted input."""

    def __init__(self, graph: Graph, node: NodeProto) -> None:
        self.graph, self.node = graph, node
        missing = [name for name in node.input if name and name not in graph.values]
        if missing:
            raise FileError(f"it reads {shown(missing[0])}, which does not exist")
        self.inputs = [graph.values.get(name) for name in node.input]
        self._attributes = {attribute.name: attribute for attribute in node.attribute}
        for name, each in self._attributes.items():  # nodes are run, and must not read other files
            is_plain = each.AttributeType.Name(each.type) in _PLAIN
            if not is_plain or (each.t.data_location and node.op_type != "Constant"):
                raise FileError(f"its attribute {shown(name)} is not supported")

    @property
    def given(self) -> list[Value]:
        """The inputs that are not omitted."""
        return [value for value in self.inputs if value is not None]

    def has(self, index: int) -> bool:
        """Return whether the node has an input with this index."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int = 0) -> Value:
        """Return the value of an input; raise an error if it is missing."""
        found = self.inputs[index] if self.has(index) else None
        if found is None:
            raise FileError("it has too few inputs")
        return found

    def features(self, index: int = 0) -> TensorFeatures:
        """Return an input; raise an error if it is not features."""
        found = self.value(index)
        if not isinstance(found, TensorFeatures):
            raise FileError(f"it reads {found}, expected features")
        return found

    def source(self) -> int:
        """Return the layer that outputs the first input."""
        return self.graph.source(self.graph.term(self.features()))

    def constant(self, index: int) -> Array:
        """Return the array of an input; raise an error if it is not a constant."""
        found = self.value(index)
        if found.varies:
            raise FileError(f"its input {index} is {found}, expected a constant")
        return found.at(0)

    def moved(self) -> Result:
        """Return the results of a node that only moves the numbers of its inputs to other positions."""
        operator, count = self.node.op_type, len(self.inputs)
        count = {"Concat": count, "FeatureVectorizer": count, "ConstantOfShape": 0}.get(operator, 1)
        read = [value for value in self.inputs[:count] if isinstance(value, TensorFeatures)]
        for value in self.inputs[count:]:
            is_shape = isinstance(value, TensorConstant) and operator in ("ConstantOfShape", "Expand", "Reshape")
            if value is not None and value.varies and not is_shape:
                raise FileError(f"it chooses by {value}")
        if len({value.term for value in read}) > 1 or 0 < len(read) < count:
            raise FileError("it puts features of different layers, or constants, beside each other")
        varies = any(value.varies for value in self.given)
        if varies and next(self.graph.moves) > _MAX_MOVED:
            raise FileError(f"more than {_MAX_MOVED} nodes that move features")
        cases = range(len(self.graph.rows) if varies else 1)
        arrays = [[None if value is None else value.at(case) for value in self.inputs] for case in cases]
        results: list[Value] = []
        for output in range(len(self.node.output)):
            try:
                made = tuple(self.graph.runner.fold(self.node, each, output) for each in arrays)
            except FileError as error:
                reason = f"it cannot be computed from {' and '.join(map(str, self.given))}"
                raise FileError(reason) if varies else error from None
            if read and operator != "Shape":
                results.append(read[0].moved_to(made, alone=all(value.alone for value in read)))
            else:
                results.append(
                    TensorConstant(made[:1] if all(np.array_equal(made[0], each) for each in made) else made)
                )
        return results

    def number(self, name: str, default: float) -> float:
        """Return a numeric attribute, rounded from ONNX's single precision."""
        return self.graph.recognizer.rounded(float(np.float32(self.attribute(name, "FLOAT", default))))

    def attribute(self, name: str, kind: str, default: Any = None) -> Any:
        """Return an attribute, which must have this ONNX type; the default if it is missing."""
        from onnx import AttributeProto, helper

        found = self._attributes.get(name)
        if found is None:
            return default
        if found.type != AttributeProto.AttributeType.Value(kind):
            raise FileError(f"its attribute {name} is not of the type {kind}")
        return helper.get_attribute_value(found)


class UnknownFormulaError(FileError):
    """No layer computes some nodes; the message names them."""
