"""Inputs of any rank, nodes in any order, layers that read some of the features, and one of several outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.importing import read_network
from tests.importing.answers import session_of
from tests.importing.conftest import Refuse
from tests.importing.onnx.graphs import nodes_of, policy_file, rows, wanted, written

RNG = np.random.default_rng(5)
CONSTANTS: dict[str, Any] = {
    "W": RNG.normal(size=(12, 3)), "V": RNG.normal(size=(3, 2)), "T": RNG.normal(size=(3, 12)), "b": RNG.normal(size=3),
    "U": RNG.normal(size=(4, 3)), "image_mean": RNG.normal(size=(1, 1, 3, 4)), "mean": RNG.normal(size=(3, 4)),
    "half": 0.5, "flat": [-1, 12], "one": [1, 12], "row": [12], "4": [4], "8": [8], "last_axis": [1],
    "every_third": [0, 3, 6, 9], "four_rows": [4, 12], "sizes": [4, 8], "first": [0],
}  # fmt: skip # several to a line

ENDING = "Relu h r; MatMul r V Y"
DENSE = f"Gemm f W b h; {ENDING}"
CASES: dict[str, tuple[list[Any], str]] = {
    "an image": (["N", 3, 4], f"Flatten X f; {DENSE}"),
    "an image with channels, moved": (["N", 1, 3, 4], f"Sub X image_mean m; Reshape m flat f; {DENSE}"),
    "one row of an image": ([1, 1, 3, 4], f"Reshape X one f; {DENSE}"),
    "an image whose numbers are bent first": (
        ["N", 3, 4],
        f"Mul X half m; Sub m mean s; Tanh s t; Flatten t f; {DENSE}",
    ),
    "an image whose axes change places": (["N", 3, 4], f"Transpose X t perm=[0,2,1]; Flatten t f; {DENSE}"),
    "an image whose axes change places for a while": (
        ["N", 3, 4],
        f"Transpose X t perm=[2,0,1]; Transpose t u perm=[1,2,0]; Flatten u f; {DENSE}",
    ),
    "a batch of four": ([4, 12], f"Identity X f; {DENSE}"),
    "a batch of four, row by row": ([4, 3, 4], f"Reshape X four_rows f; {DENSE}"),
    "axes of one": (["N", 1, 1, 12], f"Squeeze X last_axis s; Squeeze s last_axis f; {DENSE}"),
    "one row alone": ([12], "MatMul X W h; Relu h r; MatMul r V Y"),
    "one row behind its weights": ([12], "MatMul T X h; Tanh h r; MatMul r V Y"),
    "one row that becomes a table": ([12], f"Unsqueeze X first f; {DENSE}"),
    "features at the front": (["N", 12], "Slice X first 4 last_axis f; MatMul f U h; MatMul h V Y"),
    "features that are picked": (["N", 12], "Gather X every_third f axis=1; Relu f g; Gemm g U b h; MatMul h V Y"),
    "features that are split": (
        ["N", 12],
        "Split X sizes -> a c axis=1; Slice c first 4 last_axis d; MatMul a U p; MatMul d U q; Add p q h; MatMul h V Y",
    ),
}
COMPARED = "compared with onnxruntime on 240 rows: "


@pytest.mark.slow
@pytest.mark.parametrize("order", ["forwards", "backwards"])
@pytest.mark.parametrize("name", CASES)
def test_answered_as_onnxruntime_does(name: str, order: str, tmp_path: Path):
    shape, text = CASES[name]
    nodes, X = nodes_of(text), rows(12, 20)
    path = written(tmp_path / "forwards.onnx", nodes, CONSTANTS, {"X": shape})
    if shape[0] == "N":
        answer = wanted(path, X.reshape(len(X), *shape[1:]))
    else:
        answer = np.concatenate([wanted(path, batch).reshape(-1, 2) for batch in X.reshape(-1, *shape)])
    path = written(tmp_path / "m.onnx", nodes if order == "forwards" else nodes[::-1], CONSTANTS, {"X": shape})
    imported = read_network(path)
    np.testing.assert_allclose(imported.model.predict(X), answer, rtol=0, atol=2e-5)
    if order == "forwards":
        assert imported.proof.startswith(COMPARED)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (["N", 3, 4], "Gemm X U b Y"),
        (["N", 3, 4], "Transpose X Y perm=[1,0,2]"),
        (["N", 3, 4], "Softmax X Y axis=1"),
        (["N", "M", 4], "Relu X Y"),
    ],
)
def test_messages_name_the_shape_of_the_file(shape: list[Any], text: str, tmp_path: Path, refuse: Refuse):
    refuse(written(tmp_path / "m.onnx", text, CONSTANTS, {"X": shape}))


@pytest.mark.parametrize(
    "shapes", [(["N", 12], [1, 12]), ([1, 12], ["N", 12]), (["N", 12], [12]), (["N", 12], ["M", 12])]
)
def test_inputs_of_one_row_beside_any_number_are_read_row_by_row(shapes: tuple[list[Any], ...], tmp_path: Path):
    inputs = dict(zip("XZ", shapes, strict=True))
    path = written(tmp_path / "m.onnx", f"Add X Z s; MatMul s W h; {ENDING}", CONSTANTS, inputs)
    imported = read_network(path)
    assert imported.proof.startswith(COMPARED)
    assert imported.warnings == ()
    for row in rows(24, 6):
        X, Z = (
            part.reshape([n if isinstance(n, int) else 1 for n in shape])
            for part, shape in zip((row[:12], row[12:]), shapes, strict=True)
        )
        answer = wanted(path, X, Z=Z).reshape(1, -1)
        np.testing.assert_allclose(imported.model.predict(row[None]), answer, rtol=0, atol=2e-5)


COPIES = {
    "as it is": ("M", "", "both are left out"),
    "by nodes": ("copy", "Identity M handed; Identity handed copy; ", "both are left out"),
    "of what the network reads": ("copy", "Identity X copy; ", "it is left out"),
}


@pytest.mark.parametrize("how", COPIES)
def test_an_input_that_is_copied_to_an_output_is_left_out_with_a_remark(how: str, tmp_path: Path):
    copy, text, hint = COPIES[how]
    inputs = {"M": ["N", 2], "X": ["N", 12]} if hint.startswith("both") else {"X": ["N", 12]}
    nodes, outputs = f"{text}Flatten X f; MatMul f W h; {ENDING}", {copy: None, "Y": None}
    path = written(tmp_path / "m.onnx", nodes, CONSTANTS, inputs, outputs)
    with pytest.warns(specnet.SpecnetWarning, match="is a copy of the input") as warned:
        model = specnet.import_model(path)
    assert hint in str(warned[0].message)
    assert read_network(path).proof.startswith(COMPARED)
    X = rows(12, 6)
    (answer,) = session_of(path.read_bytes()).run(["Y"], {name: X[:, :size] for name, (_, size) in inputs.items()})
    np.testing.assert_allclose(model.predict(X), answer, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("identity", "reason"),
    [("Identity X ->", "is not made by any node"), ("Identity X copy domain=custom", "this operator is not supported")],
)
def test_what_is_no_copy_is_told(identity: str, reason: str, tmp_path: Path):
    text, outputs = f"{identity}; MatMul X W h; {ENDING}", {"copy": None, "Y": None}
    path = written(tmp_path / "m.onnx", text, CONSTANTS, {"X": ["N", 12]}, outputs)
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(path)


def test_a_graph_that_only_copies_is_a_network_that_does(tmp_path: Path):
    path, X = written(tmp_path / "m.onnx", "Identity X Y", {}, {"X": ["N", 12]}), rows(12, 6)
    np.testing.assert_array_equal(specnet.import_model(path).predict(X), X)


def test_a_dense_layer_on_some_features_has_zeros_for_the_others(tmp_path: Path):
    shape, text = CASES["features at the front"]
    model = specnet.import_model(written(tmp_path / "m.onnx", text, CONSTANTS, {"X": shape}))
    weight = model.network.parameters(model.theta)["layers.0.weight"]
    np.testing.assert_array_equal(weight[:, :4], CONSTANTS["U"].T.astype(np.float32))
    assert not weight[:, 4:].any()


ROWS = np.random.default_rng(1).normal(0, 1, (50, 3)).astype(np.float32)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return policy_file(tmp_path)


@pytest.mark.parametrize("output", ["action", "value"])
def test_the_output_that_is_chosen_answers(output: str, policy: Path) -> None:
    (expected,) = session_of(policy).run([output], {"X": ROWS})
    imported = read_network(policy, output=output)
    model = imported.model
    found = model.predict_proba(ROWS) if output == "action" else model.predict(ROWS)[:, None]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert "onnxruntime" in imported.proof
    assert specnet.import_model(policy, output=output).to_bytes() == model.to_bytes()


def test_what_only_other_outputs_need_may_be_anything(policy: Path, tmp_path: Path) -> None:
    constants = {"W": np.ones((3, 2), np.float32)}
    nodes = "Gemm X W y; Relu y r; Hardmax r s; Unknown s other domain=com.evil"
    path = written(tmp_path / "m.onnx", nodes, constants, {"X": ("N", 3)}, {"y": ("N", 2), "other": ("N", 2)})
    with pytest.raises(specnet.FileError) as error:
        specnet.import_model(path)
    assert "choose one, such as --output y" in str(error.value)
    np.testing.assert_array_equal(specnet.import_model(path, output="y").predict(ROWS[:1]), ROWS[:1] @ constants["W"])


def test_an_output_of_an_export_can_be_chosen_and_of_other_files_none(policy: Path, tmp_path: Path) -> None:
    model = specnet.import_model(policy, output="action")
    path = specnet.export(model, "onnx", tmp_path / "again.onnx").files[0]
    again = specnet.import_model(path, output="probabilities")
    np.testing.assert_array_equal(again.predict(ROWS), model.predict(ROWS))
    from sklearn.neural_network import MLPRegressor

    with pytest.raises(specnet.DataError, match="an ONNX file alone"):
        specnet.import_model(MLPRegressor(), output="y")
    (tmp_path / "m.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(specnet.FileError, match="an ONNX file alone"):
        specnet.import_model(tmp_path / "m.keras", output="y")
