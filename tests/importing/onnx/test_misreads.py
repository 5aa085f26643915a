"""Legal graphs that are easily misread: each is answered as onnxruntime answers it, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

import specnet
from tests.importing.answers import session_of
from tests.importing.conftest import Refuse
from tests.importing.onnx.graphs import nodes_of, rows, wanted, written

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
ELSEWHERE = TensorProto(data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
ELSEWHERE.external_data.add(key="location", value="m.onnx")
OBJECTS = {"elsewhere": ELSEWHERE, "graph": helper.make_graph([], "g", [], [])}

# Another reader of what a constant is added to, so that it may become no part of the layer.
COLUMNS_BESIDE = "Sub z m s; MatMul s W p; MatMul X V q; Add p q Y"
OUTPUT_BESIDE = "Add z b k; Tanh k t; MatMul h V q; Add t q Y"
DENSE, DEPARTURE = "MatMul X W h", "Tanh h f; Sub f h d"
MOVED = f"{DENSE}; Sub h m d; Add d b e; Mul e a f"
ROWS = "Shape X rows_and_columns; Slice rows_and_columns first axis n"

ANSWERED = {
    "columns times 1, beside the columns": f"Mul X one z; {COLUMNS_BESIDE}",
    "columns negated twice": f"Neg X n; Neg n z; {COLUMNS_BESIDE}",
    "columns and 0": f"Add X zero z; {COLUMNS_BESIDE}",
    "columns concatenated alone": f"Concat X z axis=1; {COLUMNS_BESIDE}",
    "columns chosen one by one": f"Gather X all z axis=1; {COLUMNS_BESIDE}",
    "features chosen one by one, shifted beside all": f"{DENSE}; Gather h all z axis=1; Add z b k; Add k h Y",
    "the standard domain by its other name": "MatMul X W h domain=ai.onnx; Tanh h Y domain=ai.onnx",
    "columns split and put together": (
        f"Split X -> u v w axis=1 num_outputs=3; Concat u v w z axis=1; {COLUMNS_BESIDE}"
    ),
    "a scaler beside the columns": (
        "Mul X one z; Scaler z s offset=[1.0,2.0,3.0] scale=[0.5,1.0,2.0]; MatMul s W p; MatMul X V q; Add p q Y"
    ),
    "an output times 1": f"{DENSE}; Mul h one z; {OUTPUT_BESIDE}",
    "an output negated twice": f"{DENSE}; Neg h n; Neg n z; {OUTPUT_BESIDE}",
    "a normalization times 1": f"LayerNormalization X ones h axis=1; Mul h one z; {OUTPUT_BESIDE}",
    "moved, shifted and only then scaled": f"{MOVED}; Tanh f Y",
    "the same before weights": f"{MOVED}; MatMul f V Y",
    "two shares of a departure": f"{DENSE}; {DEPARTURE}; Mul d a d1; Mul d1 c d2; Add h d2 Y",
    "a departure that is a layer": f"{DENSE}; {DEPARTURE}; MatMul d V g; Mul d a d1; Add d d1 y; Add y g Y",
    "a shape from the number of rows": (
        f"{DENSE}; Shape h s; Gather s none n; Unsqueeze n first u; Concat u rest shape axis=0; "
        "Reshape h shape r; MatMul r V Y"
    ),
    "one feature made many": "MatMul X U h; Expand h wide Y",
    "features chosen in another order, one twice": f"{DENSE}; Gather h swapped z axis=1; Tanh z Y",
    "a gate of chosen features": (
        f"{DENSE}; Gather h swapped z axis=1; Split z -> u v axis=1 num_outputs=2; Sigmoid v s; Mul u s Y"
    ),
    "one activation of some features": f"{DENSE}; Slice h first pair axis u; Sigmoid u s; Mul u s Y",
    "zeros for each row": f"{DENSE}; Shape h s; ConstantOfShape s o; Max h o Y",
    "values of all rows below each other": f"{DENSE}; Reshape h below d; Tanh d t; Reshape t table r; MatMul r V Y",
    "a mean, summed": "ReduceMax X axis x; Sub X x z; Exp z e; ReduceMean e axis r; ReduceSum r axis s; Div e s Y",
}
REFUSED = {
    "a quotient of integers": (
        f"{DENSE}; Greater h one g; Cast g i to=INT64; Div i halves j; Cast j k to=FLOAT; Mul h k Y"
    ),
    "0 by 0": f"{DENSE}; Relu h r; Div r r o; Add o h Y",
    "shrunk by less than nothing": f"{DENSE}; Shrink h Y bias=-1.0 lambd=-1.0",
    "the winner of one": "MatMul X U h; Sigmoid h p; ArgMax p Y axis=1",
    "the winner that is the last of the largest": f"{DENSE}; ArgMax h Y axis=1 select_last_index=1",
    "two winners": f"{DENSE}; ArgMax h i axis=1; ArgMax h j axis=1; Add i j k; Gather many k Y",
    "labels beyond another boundary": f"{DENSE}; Sigmoid h p; Greater p tenth g; Cast g Y to=INT64",
    "parts that became integers": (
        f"{DENSE}; Split h -> u v w axis=1 num_outputs=3; Cast u i to=INT64; Cast i j to=FLOAT; Concat j v w Y axis=1"
    ),
    "the number of rows as a number": f"{DENSE}; {ROWS}; Cast n f to=FLOAT; Mul h f Y",
    "the number of rows compared": f"{DENSE}; {ROWS}; Greater n four g; Where g h X Y",
    "a table asked by the number of rows": f"{DENSE}; {ROWS}; Gather many n k; Cast k f to=FLOAT; Mul h f Y",
    "as many features as rows": f"{DENSE}; {ROWS}; Slice h first n axis z; MatMul z W Y",
    "a mean over the rows": f"{DENSE}; ReduceMean h first d; Sub h d Y",
    "the first rows": f"{DENSE}; Slice h first pair first Y",
    "one row": f"{DENSE}; Gather h first z axis=0; Add h z Y",
    "the rows backwards": f"{DENSE}; Slice h rest far first rest Y",
    "so many rows only": f"{DENSE}; Reshape h seven Y",
    "all features below each other": f"{DENSE}; Reshape h below z; Softmax z Y axis=1",
    "columns and rows changed over": f"{DENSE}; Transpose h t; MatMul W t Y",
    "columns taken twice": "FeatureVectorizer X X v inputdimensions=[2,1]; MatMul v W Y",
    "a node that holds another graph": "Relu X Y inner=graph",
    "a filling that is kept elsewhere": f"{DENSE}; Shape h s; ConstantOfShape s o value=elsewhere; Add h o Y",
    "statistics of the batch": f"{DENSE}; BatchNormalization h ones m m ones -> Y n v training_mode=1",
}


def graph(text: str, path: Path, **how: Any) -> Path:
    return written(path, nodes_of(text, **OBJECTS), CONSTANTS, **how)


def read(text: str, path: Path) -> tuple[specnet.Model, np.ndarray, Any]:
    """Return the model of a graph, rows, and what onnxruntime answers about them."""
    graph(text, path)
    X = rows()
    return specnet.import_model(path), X, wanted(path, X)


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERED)
def test_answered_as_onnxruntime_does(name: str, tmp_path: Path):
    model, X, answer = read(ANSWERED[name], tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict(X).reshape(answer.shape), answer, rtol=0, atol=5e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path, refuse: Refuse):
    refuse(graph(REFUSED[name], tmp_path / "m.onnx"))


def test_columns_that_are_put_together_twice(tmp_path: Path):
    text, X = f"Concat A B z axis=1; Concat A B X axis=1; {COLUMNS_BESIDE}", rows()
    path = graph(text, tmp_path / "m.onnx", inputs={"A": ["N", 2], "B": ["N", 1]})
    (answer,) = session_of(path.read_bytes()).run(None, {"A": X[:, :2], "B": X[:, 2:]})
    np.testing.assert_allclose(specnet.import_model(path).predict(X), answer, rtol=0, atol=5e-6)


FLAGS = f"{DENSE}; Sigmoid h p; Binarizer p Y threshold=0.5"
ENDINGS = {
    "above": "Greater p half g; Cast g Y to=INT64",
    "below": "Less half p g; Cast g Y to=INT64",
    "not": "LessOrEqual p half g; Not g n; Cast n Y to=INT64",
    "of both": "Sub one p q; Concat q p d axis=1; ArgMax d i axis=1 keepdims=0; Gather all i Y",
}


@pytest.mark.parametrize("name", [*ENDINGS, "flags"])
def test_labels_of_two_classes_however_they_are_decided(name: str, tmp_path: Path):
    """Flags alone are those of each output."""
    text = f"MatMul X U h; Sigmoid h p; {ENDINGS[name]}" if name in ENDINGS else FLAGS
    model, X, answer = read(text, tmp_path / "m.onnx")
    assert model.spec.training.loss.type == "binary_crossentropy"
    np.testing.assert_array_equal(model.predict(X), answer if name == "flags" else answer.reshape(-1))


@pytest.mark.slow
def test_activations_of_too_many_numbers_are_refused_soon(tmp_path: Path, refuse: Refuse):
    parts, numbers = [], {}
    for block in range(60):
        a, b, c, d = (f"n{block}_{place}" for place in range(4))
        numbers |= {name: np.full((), 1.1 + 0.37 * place + 0.013 * block) for place, name in enumerate([a, b, c, d])}
        parts.append(
            f"Greater X {a} g{block}; Mul X {b} m{block}; Add m{block} {c} a{block}; "
            f"Where g{block} a{block} {d} v{block}; Sigmoid v{block} s{block}"
        )
    parts.append(f"Sum {' '.join(f's{block}' for block in range(60))} Y")
    refuse(written(tmp_path / "m.onnx", "; ".join(parts), numbers))


def test_an_answer_may_lose_its_axis(tmp_path: Path, refuse: Refuse):
    model, X, answer = read("MatMul X U h; Sigmoid h p; Squeeze p axis Y", tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], answer, rtol=0, atol=2e-6)
    refuse(graph("MatMul X U h; Sigmoid h p; Squeeze p axis s; Add s b Y", tmp_path / "m.onnx"))
