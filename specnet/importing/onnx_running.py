"""Nodes of an ONNX graph, run one by one by onnx's own reference implementation: constants, and formulas at points.

Only operators of a list are run, each on arrays whose result is small: its size is known before it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.errors import FileError
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from onnx import NodeProto

ELEMENTWISE = frozenset(
    {"Abs", "Add", "And", "Celu", "Clip", "Cos", "Div", "Elu", "Erf", "Exp", "Gelu", "Greater", "GreaterOrEqual"}
    | {"HardSwish", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Min", "Mish", "Mul", "Neg", "Not", "Or", "PRelu"}
    | {"Pow", "Reciprocal", "Relu", "Shrink", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Sub", "Sum"}
    | {"Tanh", "ThresholdedRelu", "Where"}
)
"""Operators whose result depends, at each place, on the numbers at that place alone."""
ACROSS = frozenset({"LogSoftmax", "ReduceMax", "ReduceMean", "ReduceSum", "Softmax"})
"""Operators that bring the features of a row together."""
CONDITIONS = frozenset({"And", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or"})
"""Operators that make booleans."""
MOVEMENTS = frozenset(
    {"Concat", "ConstantOfShape", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice", "Split"}
    | {"Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators that put numbers at other places, or make shapes."""
FOLDED_LIMIT = 50_000_000
"""Numbers of all constants together that are computed from others."""

_GROWN_LIMIT = 1_000_000
"""Numbers by which a constant may be larger than those that it is made of."""


class Runner:
    """Runs nodes.

    Parameters
    ----------
    version : int
        Of the standard operators.
    """

    def __init__(self, version: int) -> None:
        self._version = version
        self._evaluators: dict[Any, Any] = {}
        self._attributes: dict[int, list[float]] = {}
        self._folded = 0

    def fold(self, node: NodeProto, arrays: Sequence[Array | None], output: int = 0) -> Array:
        """Return the constant that a node makes of others, as one of its outputs.

        Raises
        ------
        FileError
            If it cannot be computed, or is too large.
        """
        size = _result_size(node.op_type, [array for array in arrays if array is not None])
        self._folded += size
        if self._folded > FOLDED_LIMIT:
            raise FileError(f"computed constants would have more than {FOLDED_LIMIT} numbers")
        return self.run(node, arrays, output)

    def run(self, node: NodeProto, arrays: Sequence[Array | None], output: int = 0) -> Array:
        """Return one output of a node, made of arrays, None standing for an input that is left out.

        Raises
        ------
        FileError
            If they do not fit the operator.
        """
        given = {name: array for name, array in zip(node.input, arrays, strict=True) if array is not None}
        try:
            with np.errstate(all="ignore"):
                result = self._evaluator(node, given).run(None, given)[output]
        except Exception as error:  # of any kind, from within onnx
            shapes = " and ".join(str(array.shape) for array in given.values())
            raise FileError(f"cannot be computed from arrays of shape {shapes}") from error
        return np.asarray(result)

    def attributes(self, node: NodeProto) -> list[float]:
        """Return the numbers among an operator's attributes, those that it has by default included."""
        if id(node) not in self._attributes:
            self._attributes[id(node)] = self._numbers(node)
        return self._attributes[id(node)]

    def _numbers(self, node: NodeProto) -> list[float]:
        from onnx.defs import get_schema

        try:
            schema = get_schema(node.op_type, self._version, node.domain)
        except Exception:  # onnx's own, for an operator that this version does not have
            return [attribute.f for attribute in node.attribute if attribute.type == attribute.FLOAT]
        known = {name: each.default_value for name, each in schema.attributes.items()}
        known |= {attribute.name: attribute for attribute in node.attribute}
        return [attribute.f for attribute in known.values() if attribute.type == attribute.FLOAT]

    def _evaluator(self, node: NodeProto, given: Mapping[str, Array]) -> Any:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        key = id(node), tuple(array.dtype for array in given.values())
        if key not in self._evaluators:
            inputs = [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), None)
                for name, array in given.items()
            ]
            outputs = [helper.make_tensor_value_info(name, 0, None) for name in node.output]
            opsets = [helper.make_opsetid("", self._version), helper.make_opsetid("ai.onnx.ml", 1)]
            graph = helper.make_graph([node], "node", inputs, outputs)
            self._evaluators[key] = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))
        return self._evaluators[key]


def _result_size(operator: str, arrays: Sequence[Array]) -> int:
    """Return about how many numbers an operator makes.

    Raises
    ------
    FileError
        If these are far more than what it reads.
    """
    total = sum(array.size for array in arrays)
    if operator in ("ConstantOfShape", "Expand"):
        if arrays[-1].dtype.kind != "i":
            raise FileError("a shape holds no integers")
        size = math.prod(abs(int(number)) for number in arrays[-1].reshape(-1)[:8])
    elif operator == "Gather" and len(arrays) == 2:
        size = arrays[1].size * (arrays[0].size // max(1, min(arrays[0].shape, default=1)))
    elif operator in ELEMENTWISE:
        try:
            size = math.prod(np.broadcast_shapes(*(array.shape for array in arrays)))
        except ValueError:
            shapes = " and ".join(str(array.shape) for array in arrays)
            raise FileError(f"constants of shapes {shapes} do not fit together") from None
        if size > _GROWN_LIMIT + total:
            raise FileError(f"a constant of {size} numbers is too large")
    else:
        return total
    if size > FOLDED_LIMIT:
        raise FileError(f"a constant of {size} numbers is too large; at most {FOLDED_LIMIT} are computed")
    return size
