"""Running of single nodes of an ONNX graph with onnx's reference implementation: for constants, and formulas at points.

Only listed operators are run, and only if the result is small; its size is bounded before it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
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
"""Elementwise operators: the result at each position depends only on the numbers at this position."""
ACROSS = frozenset({"LogSoftmax", "ReduceMax", "ReduceMean", "ReduceSum", "Softmax"})
"""Operators that combine the features of a row."""
CONDITIONS = frozenset({"And", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or"})
"""Operators that return booleans."""
MOVEMENTS = frozenset(
    {"Concat", "ConstantOfShape", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice", "Split"}
    | {"Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators that move numbers to other positions, or return shapes."""
FOLDED_LIMIT = 50_000_000
"""Largest number of elements in all constants together that are computed from other constants."""
_GROWN_LIMIT = 1_000_000
"""Largest number of elements by which the result of an elementwise operator may exceed its operands."""
_MAX_AXES = 8


class Runner:
    """Runs ONNX nodes with a given version of the standard operators."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._evaluators: dict[Any, Any] = {}
        self._attributes: dict[int, list[float]] = {}
        self._folded = 0

    def fold(self, node: NodeProto, arrays: Sequence[Array | None], output: int = 0) -> Array:
        """Return one output of a node whose inputs are all constants.

        Raises
        ------
        FileError
            If it cannot be computed, or is too large.
        """
        given = [array for array in arrays if array is not None]
        size, total = _result_size(node.op_type, given), sum(array.size for array in given)
        limit = total + _GROWN_LIMIT if node.op_type in ELEMENTWISE else FOLDED_LIMIT
        self._folded += size
        if size > limit or self._folded > FOLDED_LIMIT:
            raise FileError(
                f"a constant of {size} numbers is too large; all computed ones together may have {FOLDED_LIMIT}"
            )
        return self.run(node, arrays, output)

    def run(self, node: NodeProto, arrays: Sequence[Array | None], output: int = 0) -> Array:
        """Return one output of a node for these inputs; None stands for an omitted input.

        Raises
        ------
        FileError
            If the inputs do not fit the operator.
        """
        given = {name: array for name, array in zip(node.input, arrays, strict=True) if array is not None}
        try:
            with np.errstate(all="ignore"):
                result = self._evaluator(node, given).run(None, given)[output]
        except Exception as error:  # onnx may raise any error
            shapes = " and ".join(str(array.shape) for array in given.values())
            raise FileError(f"cannot be computed from arrays of shape {shapes}") from error
        return np.asarray(result)

    def attributes(self, node: NodeProto) -> list[float]:
        """Return the numeric attributes of a node, including defaults."""
        from onnx.defs import SchemaError, get_schema

        if id(node) not in self._attributes:
            known = {}
            with suppress(SchemaError):  # of an operator that this version does not have
                schema = get_schema(node.op_type, self._version, node.domain)
                known = {name: each.default_value for name, each in schema.attributes.items()}
            known |= {attribute.name: attribute for attribute in node.attribute}
            self._attributes[id(node)] = [each.f for each in known.values() if each.type == each.FLOAT]
        return self._attributes[id(node)]

    def _evaluator(self, node: NodeProto, given: Mapping[str, Array]) -> Any:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        key = id(node), tuple(array.dtype for array in given.values())
        if key not in self._evaluators:
            # Older versions of onnx expand Gelu into nodes, which need the type of the operand.
            types = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in given.items()}
            inputs = [helper.make_tensor_value_info(name, dtype, None) for name, dtype in types.items()]
            outputs = [helper.make_tensor_value_info(name, 0, None) for name in node.output]
            graph = helper.make_graph([node], "node", inputs, outputs)
            # The node is stored too: if it were deleted, another node could get its id.
            self._evaluators[key] = ReferenceEvaluator(graph, opsets={"": self._version, "ai.onnx.ml": 1}), node
        return self._evaluators[key][0]


def _result_size(operator: str, arrays: Sequence[Array]) -> int:
    """Return an upper bound of the size of an operator's result, given its inputs."""
    shapes = [array.shape for array in arrays]
    if operator in ("ConstantOfShape", "Expand"):
        if arrays[-1].dtype.kind != "i" or arrays[-1].size > _MAX_AXES:
            raise FileError(f"a shape has to be at most {_MAX_AXES} integers")
        shapes[-1] = tuple(abs(int(size)) for size in arrays[-1].flat)
    elif operator == "Gather" and len(arrays) == 2:
        return arrays[1].size * (arrays[0].size // max(1, min(arrays[0].shape, default=1)))
    elif operator not in ELEMENTWISE:
        return sum(array.size for array in arrays)
    return math.prod(max(sizes) for sizes in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1))
