"""Legal graphs that are easily misread: each is answered as onnxruntime answers it, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import specnet
from tests.importing.answers import onnx_answers
from tests.texts.pinned import Refused

RNG = np.random.default_rng(1)
CONSTANTS: dict[str, Any] = {
    "W": RNG.normal(size=(3, 3)), "V": RNG.normal(size=(3, 3)), "U": RNG.normal(size=(3, 1)),
    "b": RNG.normal(size=3), "m": np.array([1.0, 2.0, 3.0]), "a": np.array([0.3, 0.6, 0.9]),
    "c": np.array([2.0, 0.5, 1.5]), "ones": np.ones(3), "one": np.ones(()), "two": np.full((), 2.0),
    "zero": np.zeros(()), "tenth": np.full((), 0.1), "half": np.full((), 0.5), "axis": np.array([1]),
    "swapped": np.array([2, 0, 1, 2]), "below": np.array([-1, 1]), "table": np.array([-1, 3]), "pair": np.array([2]),
    "halves": np.array(2), "seven": np.array([7, 3]), "many": np.arange(9).repeat(4), "four": np.array([4]),
    "none": np.array(0), "first": np.array([0]), "rest": np.array([-1]), "all": np.array([0, 1, 2]),
    "wide": np.array([1, 4]), "far": np.array([-9]),
}  # fmt: skip # several to a line
WHOLE = [name for name, array in CONSTANTS.items() if np.asarray(array).dtype.kind == "i"]


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    domain = "ai.onnx.ml" if operator in ("Scaler", "FeatureVectorizer", "Binarizer") else ""
    return helper.make_node(operator, inputs.split(), outputs.split(), domain=domain, **attributes)


# Another reader of what a constant is added to, so that it may become no part of the layer.
COLUMNS_BESIDE = [
    node("Sub", "z m", "s"),
    node("MatMul", "s W", "p"),
    node("MatMul", "X V", "q"),
    node("Add", "p q", "Y"),
]
OUTPUT_BESIDE = [node("Add", "z b", "k"), node("Tanh", "k", "t"), node("MatMul", "h V", "q"), node("Add", "t q", "Y")]
DENSE, DEPARTURE = node("MatMul", "X W", "h"), [node("Tanh", "h", "f"), node("Sub", "f h", "d")]
MOVED = [DENSE, node("Sub", "h m", "d"), node("Add", "d b", "e"), node("Mul", "e a", "f")]

ELSEWHERE = TensorProto(data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
ELSEWHERE.external_data.add(key="location", value="m.onnx")
ROWS = [node("Shape", "X", "rows_and_columns"), node("Slice", "rows_and_columns first axis", "n")]

ANSWERED: dict[str, list[Any]] = {
    "columns times 1, beside the columns": [node("Mul", "X one", "z"), *COLUMNS_BESIDE],
    "columns negated twice": [node("Neg", "X", "n"), node("Neg", "n", "z"), *COLUMNS_BESIDE],
    "columns and 0": [node("Add", "X zero", "z"), *COLUMNS_BESIDE],
    "columns concatenated alone": [node("Concat", "X", "z", axis=1), *COLUMNS_BESIDE],
    "columns chosen one by one": [node("Gather", "X all", "z", axis=1), *COLUMNS_BESIDE],
    "features chosen one by one, shifted beside all": [
        DENSE, node("Gather", "h all", "z", axis=1), node("Add", "z b", "k"), node("Add", "k h", "Y")
    ],
    "the standard domain by its other name": [
        helper.make_node("MatMul", ["X", "W"], ["h"], domain="ai.onnx"),
        helper.make_node("Tanh", ["h"], ["Y"], domain="ai.onnx"),
    ],
    "columns split and put together": [
        node("Split", "X", "u v w", axis=1, num_outputs=3), node("Concat", "u v w", "z", axis=1), *COLUMNS_BESIDE
    ],
    "a scaler beside the columns": [
        node("Mul", "X one", "z"), node("Scaler", "z", "s", offset=[1.0, 2.0, 3.0], scale=[0.5, 1.0, 2.0]),
        *COLUMNS_BESIDE[1:],
    ],
    "an output times 1": [DENSE, node("Mul", "h one", "z"), *OUTPUT_BESIDE],
    "an output negated twice": [DENSE, node("Neg", "h", "n"), node("Neg", "n", "z"), *OUTPUT_BESIDE],
    "a normalization times 1": [
        node("LayerNormalization", "X ones", "h", axis=1), node("Mul", "h one", "z"), *OUTPUT_BESIDE
    ],
    "moved, shifted and only then scaled": [*MOVED, node("Tanh", "f", "Y")],
    "the same before weights": [*MOVED, node("MatMul", "f V", "Y")],
    "two shares of a departure": [
        DENSE, *DEPARTURE, node("Mul", "d a", "d1"), node("Mul", "d1 c", "d2"), node("Add", "h d2", "Y")
    ],
    "a departure that is a layer": [
        DENSE, *DEPARTURE, node("MatMul", "d V", "g"), node("Mul", "d a", "d1"), node("Add", "d d1", "y"),
        node("Add", "y g", "Y"),
    ],
    "a shape from the number of rows": [
        DENSE, node("Shape", "h", "s"), node("Gather", "s none", "n"), node("Unsqueeze", "n first", "u"),
        node("Concat", "u rest", "shape", axis=0), node("Reshape", "h shape", "r"), node("MatMul", "r V", "Y"),
    ],
    "one feature made many": [node("MatMul", "X U", "h"), node("Expand", "h wide", "Y")],
    "features chosen in another order, one twice": [
        DENSE, node("Gather", "h swapped", "z", axis=1), node("Tanh", "z", "Y")
    ],
    "a gate of chosen features": [
        DENSE, node("Gather", "h swapped", "z", axis=1), node("Split", "z", "u v", axis=1, num_outputs=2),
        node("Sigmoid", "v", "s"), node("Mul", "u s", "Y"),
    ],
    "one activation of some features": [
        DENSE, node("Slice", "h first pair axis", "u"), node("Sigmoid", "u", "s"), node("Mul", "u s", "Y")
    ],
    "zeros for each row": [
        DENSE, node("Shape", "h", "s"), node("ConstantOfShape", "s", "o"), node("Max", "h o", "Y")
    ],
    "values of all rows below each other": [
        DENSE, node("Reshape", "h below", "d"), node("Tanh", "d", "t"), node("Reshape", "t table", "r"),
        node("MatMul", "r V", "Y"),
    ],
    "a mean, summed": [
        node("ReduceMax", "X axis", "x"), node("Sub", "X x", "z"), node("Exp", "z", "e"),
        node("ReduceMean", "e axis", "r"), node("ReduceSum", "r axis", "s"), node("Div", "e s", "Y"),
    ],
}  # fmt: skip # several to a line
REFUSED: dict[str, list[Any]] = {
    "a quotient of integers": [
            DENSE, node("Greater", "h one", "g"), node("Cast", "g", "i", to=TensorProto.INT64),
            node("Div", "i halves", "j"), node("Cast", "j", "k", to=TensorProto.FLOAT), node("Mul", "h k", "Y"),
        ],
    "0 by 0": [DENSE, node("Relu", "h", "r"), node("Div", "r r", "o"), node("Add", "o h", "Y")],
    "shrunk by less than nothing": [DENSE, node("Shrink", "h", "Y", lambd=-1.0, bias=-1.0)],
    "the winner of one": [node("MatMul", "X U", "h"), node("Sigmoid", "h", "p"), node("ArgMax", "p", "Y", axis=1)],
    "the winner that is the last of the largest": [DENSE, node("ArgMax", "h", "Y", axis=1, select_last_index=1)],
    "two winners": [
            DENSE, node("ArgMax", "h", "i", axis=1), node("ArgMax", "h", "j", axis=1), node("Add", "i j", "k"),
            node("Gather", "many k", "Y"),
        ],
    "labels beyond another boundary": [
            DENSE, node("Sigmoid", "h", "p"), node("Greater", "p tenth", "g"),
            node("Cast", "g", "Y", to=TensorProto.INT64),
        ],
    "parts that became integers": [
            DENSE, node("Split", "h", "u v w", axis=1, num_outputs=3), node("Cast", "u", "i", to=TensorProto.INT64),
            node("Cast", "i", "j", to=TensorProto.FLOAT), node("Concat", "j v w", "Y", axis=1),
        ],
    "the number of rows as a number": [
            DENSE, *ROWS, node("Cast", "n", "f", to=TensorProto.FLOAT), node("Mul", "h f", "Y")
        ],
    "the number of rows compared": [DENSE, *ROWS, node("Greater", "n four", "g"), node("Where", "g h X", "Y")],
    "a table asked by the number of rows": [
            DENSE, *ROWS, node("Gather", "many n", "k"), node("Cast", "k", "f", to=TensorProto.FLOAT),
            node("Mul", "h f", "Y"),
        ],
    "as many features as rows": [DENSE, *ROWS, node("Slice", "h first n axis", "z"), node("MatMul", "z W", "Y")],
    "a mean over the rows": [DENSE, node("ReduceMean", "h first", "d"), node("Sub", "h d", "Y")],
    "the first rows": [DENSE, node("Slice", "h first pair first", "Y")],
    "one row": [DENSE, node("Gather", "h first", "z", axis=0), node("Add", "h z", "Y")],
    "the rows backwards": [DENSE, node("Slice", "h rest far first rest", "Y")],
    "so many rows only": [DENSE, node("Reshape", "h seven", "Y")],
    "all features below each other": [DENSE, node("Reshape", "h below", "z"), node("Softmax", "z", "Y", axis=1)],
    "columns and rows changed over": [DENSE, node("Transpose", "h", "t"), node("MatMul", "W t", "Y")],
    "columns taken twice": [node("FeatureVectorizer", "X X", "v", inputdimensions=[2, 1]), node("MatMul", "v W", "Y")],
    "a node that holds another graph": [
            helper.make_node("Relu", ["X"], ["Y"], inner=helper.make_graph([], "g", [], []))
        ],
    "a filling that is kept elsewhere": [
            DENSE, node("Shape", "h", "s"), node("ConstantOfShape", "s", "o", value=ELSEWHERE), node("Add", "h o", "Y")
        ],
    "statistics of the batch": [DENSE, node("BatchNormalization", "h ones m m ones", "Y n v", training_mode=1)],
}  # fmt: skip # several to a line


def written(nodes: list[Any], path: Path, inputs: dict[str, int] | None = None) -> bytes:
    read = {name for each in nodes for name in each.input}
    constants = [
        numpy_helper.from_array(array if name in WHOLE else np.asarray(array, np.float32), name)
        for name, array in CONSTANTS.items()
        if name in read
    ]
    columns = inputs or {"X": 3}
    tables = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size]) for name, size in columns.items()]
    output = TensorProto.INT64 if nodes[-1].op_type in ("ArgMax", "Cast", "Gather") else TensorProto.FLOAT
    graph = helper.make_graph(nodes, "graph", tables, [helper.make_tensor_value_info("Y", output, None)], constants)
    versions = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(graph, opset_imports=versions, ir_version=9).SerializeToString()
    path.write_bytes(content)
    return content


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERED)
def test_answered_as_onnxruntime_does(name: str, tmp_path: Path):
    content = written(ANSWERED[name], tmp_path / "m.onnx")
    X = np.random.default_rng(0).normal(0, 2, (64, 3)).astype(np.float32)
    (wanted,) = onnx_answers(content, X).values()
    found = specnet.import_model(tmp_path / "m.onnx").predict(X).reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path, refused: Refused):
    written(REFUSED[name], tmp_path / "m.onnx")
    with refused(specnet.FileError, at="m.onnx"):
        specnet.import_model(tmp_path / "m.onnx")


def test_columns_that_are_put_together_twice(tmp_path: Path):
    nodes = [node("Concat", "A B", "z", axis=1), node("Concat", "A B", "X", axis=1), *COLUMNS_BESIDE]
    content = written(nodes, tmp_path / "m.onnx", {"A": 2, "B": 1})
    X = np.random.default_rng(0).normal(0, 2, (64, 3)).astype(np.float32)
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"A": X[:, :2], "B": X[:, 2:]})
    np.testing.assert_allclose(specnet.import_model(tmp_path / "m.onnx").predict(X), wanted, rtol=0, atol=5e-6)


@pytest.mark.parametrize(
    "ending",
    [
        [node("Greater", "p half", "g"), node("Cast", "g", "Y", to=TensorProto.INT64)],
        [node("Less", "half p", "g"), node("Cast", "g", "Y", to=TensorProto.INT64)],
        [node("LessOrEqual", "p half", "g"), node("Not", "g", "n"), node("Cast", "n", "Y", to=TensorProto.INT64)],
        [
            node("Sub", "one p", "q"), node("Concat", "q p", "d", axis=1), node("ArgMax", "d", "i", axis=1, keepdims=0),
            node("Gather", "all i", "Y"),
        ],
    ],
    ids=["above", "below", "not", "of both"],
)  # fmt: skip # several to a line
def test_labels_of_two_classes_however_they_are_decided(ending: list[Any], tmp_path: Path):
    content = written([node("MatMul", "X U", "h"), node("Sigmoid", "h", "p"), *ending], tmp_path / "m.onnx")
    X = np.random.default_rng(0).normal(0, 2, (64, 3)).astype(np.float32)
    (wanted,) = onnx_answers(content, X).values()
    model = specnet.import_model(tmp_path / "m.onnx")
    assert model.spec.training.loss.type == "binary_crossentropy"
    np.testing.assert_array_equal(model.predict(X), wanted.reshape(-1))


def test_flags_alone_are_those_of_each_output(tmp_path: Path):
    nodes = [DENSE, node("Sigmoid", "h", "p"), node("Binarizer", "p", "Y", threshold=0.5)]
    content = written(nodes, tmp_path / "m.onnx")
    X = np.random.default_rng(0).normal(0, 2, (64, 3)).astype(np.float32)
    (wanted,) = onnx_answers(content, X).values()
    np.testing.assert_array_equal(specnet.import_model(tmp_path / "m.onnx").predict(X), wanted)


@pytest.mark.slow
def test_activations_of_too_many_numbers_are_refused_soon(tmp_path: Path, refused: Refused):
    nodes = []
    for block in range(60):
        numbers = [f"n{block}_{place}" for place in range(4)]
        CONSTANTS.update({name: np.full((), 1.1 + 0.37 * place + 0.013 * block) for place, name in enumerate(numbers)})
        nodes += [
            node("Greater", f"X {numbers[0]}", f"g{block}"), node("Mul", f"X {numbers[1]}", f"m{block}"),
            node("Add", f"m{block} {numbers[2]}", f"a{block}"),
            node("Where", f"g{block} a{block} {numbers[3]}", f"v{block}"), node("Sigmoid", f"v{block}", f"s{block}"),
        ]  # fmt: skip # several to a line
    nodes.append(node("Sum", " ".join(f"s{block}" for block in range(60)), "Y"))
    written(nodes, tmp_path / "m.onnx")
    with refused(specnet.FileError, at="m.onnx"):
        specnet.import_model(tmp_path / "m.onnx")


def test_an_answer_may_lose_its_axis(tmp_path: Path, refused: Refused):
    nodes = [node("MatMul", "X U", "h"), node("Sigmoid", "h", "p"), node("Squeeze", "p axis", "Y")]
    content = written(nodes, tmp_path / "m.onnx")
    X = np.random.default_rng(0).normal(0, 2, (64, 3)).astype(np.float32)
    (wanted,) = onnx_answers(content, X).values()
    model = specnet.import_model(tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], wanted, rtol=0, atol=2e-6)
    written([*nodes[:-1], node("Squeeze", "p axis", "s"), node("Add", "s b", "Y")], tmp_path / "m.onnx")
    with refused(specnet.FileError, at="m.onnx"):
        specnet.import_model(tmp_path / "m.onnx")
