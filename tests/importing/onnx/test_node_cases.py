"""onnx's own cases for each operator: answered as they ask, or refused by the operator's name, and never wrongly."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import specnet
from specnet.importing.onnx.onnx_operators import OPERATORS
from tests.importing.answers import difference, outputs
from tests.importing.conftest import Refuse
from tests.importing.onnx.graphs import written

TOLERANCE = 1e-5
"""The cases' own is 1e-3."""

# Operators that no case of theirs asks for in a way that a network has; the files of other tools hold them.
WITHOUT_ANSWERS = {
    *("And", "Or", "Not", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Where", "Sign"),  # conditions alone
    *("Erf", "Reciprocal", "Sqrt", "ReduceMean"),  # parts of activations and normalizations, and none by themselves
    *("Cast", "ConstantOfShape"),  # shapes, types and places
    *("Expand", "Squeeze"),  # other rows than there are
    *("Erfc", "Expm1"),  # no operators of ONNX
    "FeatureVectorizer",  # a table made of others
    *("ArgMax", "Binarizer", "Scaler", "ZipMap"),  # the ends of classifiers, without one
    *("Sin", "Cos"),  # parts of nothing that is built in
}


@cache
def cases() -> list[Any]:
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        for pool in ("averagepool", "lppool", "maxpool"):  # which compute for seconds, and whose cases are passed over
            patch.setitem(sys.modules, f"onnx.backend.test.case.node.{pool}", ModuleType(pool))
        patch.setattr("onnx.backend.test.case.base.process_snippet", lambda *_: ("", ""))  # texts for a page of theirs
        from onnx.backend.test.case.node import collect_testcases

        return [case for case in collect_testcases("") if case.model is not None]


def variants(case: Any) -> Iterator[tuple[onnx.ModelProto, np.ndarray, np.ndarray]]:
    """The case itself, its tables beside each other where it has several, and smaller models of its node.

    These have constants in place of all inputs but one, and their rows are flattened.
    """
    inputs, answers = case.data_sets[0]
    model = case.model
    if len(inputs) == 1 and isinstance(inputs[0], np.ndarray) and isinstance(answers[0], np.ndarray):
        yield model, inputs[0], answers[0]
    elif inputs and all(is_table(array) and len(array) == len(inputs[0]) for array in [*inputs, *answers[:1]]):
        yield model, np.hstack(inputs), answers[0]
    if len(model.graph.node) != 1 or not answers or not isinstance(answers[0], np.ndarray):
        return
    (node,) = model.graph.node
    named = [name for name in node.input if name]
    for place, x in enumerate(inputs):
        if not isinstance(x, np.ndarray) or x.dtype not in (np.float32, np.float64) or x.ndim < 1:
            continue
        others = [array for index, array in enumerate(inputs) if index != place]
        if not all(isinstance(array, np.ndarray) for array in others) or len(named) != len(inputs):
            continue
        channels_last = node.op_type == "BatchNormalization" and x.ndim > 2
        x, wanted = (np.moveaxis(array, 1, -1) if channels_last else array for array in (x, answers[0]))
        for table, answer in ((x, wanted), (flat(x), flat(wanted))):
            # An axis that counts from the front is another one in a table.
            if table.ndim != x.ndim and any(
                attribute.name == "axis" and attribute.i > 0 for attribute in node.attribute
            ):
                continue
            if table.ndim != 2 or answer.ndim != 2 or len(table) != len(answer) or not table.size:
                continue
            # Constants that vary by row have no form here; where they have no rows, they stay as they are.
            kept = {name: narrow(array, x) for name, array in zip(named, inputs, strict=True) if name != named[place]}
            yield small_model(model, node, named[place], table, answer, kept), table, answer


def is_table(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.ndim == 2


def flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, array.shape[-1]) if array.ndim and array.size else array.reshape(1, -1)


def narrow(array: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A constant without leading axes of one element."""
    while array.ndim > 1 and array.shape[0] == 1 and array.ndim >= x.ndim:
        array = array[0]
    return array


def small_model(model: Any, node: Any, name: str, table: Any, answer: Any, constants: dict[str, Any]) -> Any:
    """A model of one node, some of whose inputs are constants."""
    ends = [
        [helper.make_tensor_value_info(end, helper.np_dtype_to_tensor_dtype(array.dtype), ["N", size])]
        for end, array, size in ((name, table, table.shape[1]), (node.output[0], answer, None))
    ]
    tensors = [numpy_helper.from_array(array, constant) for constant, array in constants.items()]
    return helper.make_model(helper.make_graph([node], "case", *ends, tensors), opset_imports=model.opset_import)


def import_bytes(model: onnx.ModelProto, folder: Path) -> specnet.Model:
    path = folder / "case.onnx"
    path.write_bytes(model.SerializeToString())
    return specnet.import_model(path)


@pytest.mark.slow
def test_no_case_is_answered_wrongly_and_every_refusal_says_what(tmp_path: Path):
    passed: dict[str, int] = {}
    understood = {name for _, name in OPERATORS}
    for case in cases():
        operators = {node.op_type for node in case.model.graph.node}
        if not operators & understood:
            continue
        for model, table, answer in variants(case):
            try:
                found = import_bytes(model, tmp_path)
            except specnet.FileError as error:
                message = error.diagnostics[0].message
                named = any(f"{operator})" in message for operator in operators)
                assert named or message.startswith(("the input ", "the graph ", "the output ", "tensor ")), message
                continue
            table = table.reshape(1 if table.ndim == 1 else len(table), -1)
            answer = answer.reshape(len(table), -1)
            if answer.dtype.kind == "i":
                np.testing.assert_array_equal(found.predict(table), answer.reshape(-1))
            else:
                assert difference(outputs(found, table), answer) <= TOLERANCE, case.name
            for operator in operators:
                passed[operator] = passed.get(operator, 0) + 1
    assert understood - passed.keys() == WITHOUT_ANSWERS


@pytest.mark.parametrize(
    "operator", ["Conv", "LSTM", "If", "Loop", "Attention", "MaxPool", "Round", "CumSum", "TopK", "RMSNormalization"]
)
def test_an_operator_that_is_not_understood_is_named(operator: str, tmp_path: Path, refuse: Refuse):
    node = helper.make_node(operator, ["X"], ["Y"], name="the node")
    refuse(written(tmp_path / "case.onnx", [node]))
