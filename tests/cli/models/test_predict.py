"""`specnet predict`, and what it shares with `specnet evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import Model, Network, load_model
from specnet.parts.arrays import Array
from tests.cli.conftest import MOONS, Specnet, arrays_in, csv_rows
from tests.texts.pinned import Pinned

DIABETES = """\
data.type = "diabetes"
network.hidden_layer_sizes = [4]
network.dtype = "float64"
network.target_preprocessing = ["standardize"]
training.loss = "mse"
training.epochs = 2
training.metrics = ["r2", "root_mean_squared_error"]
"""


def test_two_classes_give_the_label_and_both_probabilities(specnet: Specnet, moons: Model, folder: Path) -> None:
    ended = specnet("predict", "moons/model.safetensors", "rows.npz")
    ended.went()
    header, rows = csv_rows(ended.out)
    assert header == ["prediction", "probability_0", "probability_1"]
    X = arrays_in(folder / "rows.npz")["X"]
    assert [int(row[0]) for row in rows] == moons.predict(X).tolist()
    probabilities = np.array([row[1:] for row in rows], moons.theta.dtype)
    np.testing.assert_array_equal(probabilities, moons.predict_proba(X))


def test_each_row_goes_through_the_network_once(
    specnet: Specnet, moons: Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Label, probabilities and sets are of the same outputs."""
    outputs, seen = Network.predict_checked, []

    def counted(self: Network, theta: Array, X: Array, *others: Any, **options: Any) -> Array:
        seen.append(len(X))
        return outputs(self, theta, X, *others, **options)

    monkeypatch.setattr(Network, "predict_checked", counted)
    specnet("predict", "moons/model.safetensors", "rows.npz").went()
    assert sum(seen) == len(arrays_in(folder / "rows.npz")["X"])


def test_labels_of_a_csv_and_columns_by_name(specnet: Specnet, kinds: Model, folder: Path) -> None:
    (folder / "new.csv").write_text("third,other,second,first\n1,x,0,2\n4,y,3.5,-1\n")
    ended = specnet("predict", "kinds/model.safetensors", "new.csv")
    ended.went()
    header, rows = csv_rows(ended.out)
    assert header == ["prediction", "probability_kind a", "probability_kind b", "probability_kind c"]
    X = np.array([[2, 0, 1], [-1, 3.5, 4]])
    assert [row[0] for row in rows] == kinds.predict(X).tolist()
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], np.float32), kinds.predict_proba(X))


def test_values_are_one_column_with_every_digit(specnet: Specnet, folder: Path) -> None:
    (folder / "diabetes.toml").write_text(DIABETES)
    assert specnet("run", "diabetes.toml", "--out", "d", "-q").status == 0
    X = np.random.default_rng(1).normal(size=(5, 10))
    np.savez(folder / "rows.npz", X=X)
    ended = specnet("predict", "d/model.safetensors", "rows.npz")
    header, rows = csv_rows(ended.out)
    assert header == ["prediction"]
    answers = load_model(folder / "d/model.safetensors").predict(X)
    assert [float(row[0]) for row in rows] == answers.tolist()
    assert specnet("predict", "d/model.safetensors", "rows.npz", "--format", "json").document == {
        "errors": [],
        "rows": 5,
        "columns": {"prediction": answers.tolist()},
    }


def test_several_values_are_numbered_columns(specnet: Specnet, folder: Path) -> None:
    rng = np.random.default_rng(2)
    np.savez(folder / "rows.npz", X=rng.normal(size=(40, 3)), y=rng.normal(size=(40, 2)))
    spec = 'data = { type = "npz", path = "rows.npz" }\nnetwork.hidden_layer_sizes = [4]\ntraining.loss = "mse"\n'
    (folder / "two.toml").write_text(spec + "training.epochs = 1\n")
    assert specnet("run", "two.toml", "--out", "two", "-q").status == 0
    header, rows = csv_rows(specnet("predict", "two/model.safetensors", "rows.npz").out)
    assert header == ["prediction_0", "prediction_1"]
    assert len(rows) == 40


def test_predictions_go_to_a_file(specnet: Specnet, moons: Model, folder: Path) -> None:
    printed = specnet("predict", "moons/model.safetensors", "rows.npz").out
    ended = specnet("predict", "moons/model.safetensors", "rows.npz", "-o", "answers.csv")
    assert (ended.status, ended.out, ended.err) == (0, "", "answers.csv   7 rows\n")
    assert (folder / "answers.csv").read_text() == printed
    quiet = specnet("predict", "moons/model.safetensors", "rows.npz", "-q", "--force", "--out", "answers.csv")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    as_json = specnet(
        "predict", "moons/model.safetensors", "rows.npz", "-o", "answers.csv", "--force", "--format", "json"
    )
    assert as_json.document == {"errors": [], "rows": 7, "file": "answers.csv"}


def test_a_file_that_cannot_be_written_is_a_mistake(specnet: Specnet, moons: Model, folder: Path) -> None:
    ended = specnet("predict", "moons", "rows.npz", "-o", "nowhere/answers.csv")
    ended.failed(1, f"{Path('nowhere/answers.csv')}: error[file]: ")


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
@pytest.mark.parametrize(("name", "content"), [("rows.csv", "a,b\n1,2\n"), ("broken.npz", "not an archive")])
def test_rows_that_cannot_be_had_are_a_mistake(
    specnet: Specnet, moons: Model, folder: Path, verb: str, name: str, content: str, pinned: Pinned
) -> None:
    (folder / name).write_text(content)
    pinned(specnet(verb, "moons/model.safetensors", name).failed(1, f"{name}: error[data]: "))
    (error,) = specnet(verb, "moons/model.safetensors", name, "--format", "json").document["errors"]
    assert error["source"] == name


def test_arrays_of_another_shape_are_a_mistake(specnet: Specnet, moons: Model, folder: Path) -> None:
    np.savez(folder / "wide.npz", X=np.zeros((4, 3)), y=np.zeros(4, int))
    for verb in ("predict", "evaluate"):
        said = specnet(verb, "moons/model.safetensors", "wide.npz").failed(1)
        assert "error[data]: " in said
        assert "(4, 3)" in said


def test_a_column_that_is_missing_is_told(specnet: Specnet, kinds: Model, folder: Path) -> None:
    (folder / "new.csv").write_text("first,second\n1,2\n")
    assert "third" in specnet("predict", "kinds/model.safetensors", "new.csv").err
    (folder / "new.csv").write_text("first,second,third\n1,2,3\n")
    assert "kind" in specnet("evaluate", "kinds/model.safetensors", "new.csv").failed(1)


@pytest.mark.parametrize("arguments", [["predict"], ["evaluate"], ["show"]])
def test_a_file_that_is_no_model_is_a_mistake(specnet: Specnet, folder: Path, arguments: list[str]) -> None:
    np.savez(folder / "rows.npz", X=np.zeros((2, 2)), y=np.zeros(2, int))
    (folder / "no.safetensors").write_text(MOONS)
    rows = [] if arguments == ["show"] else ["rows.npz"]
    specnet(*arguments, "no.safetensors", *rows).failed(1, "no.safetensors: error[file]: ")


def test_no_file_is_replaced_unless_it_is_forced(specnet: Specnet, moons: Model, folder: Path) -> None:
    rows = (folder / "rows.npz").read_bytes()
    specnet("predict", "moons/model.safetensors", "rows.npz", "-o", "rows.npz").failed(2, "rows.npz: error[usage]: ")
    assert (folder / "rows.npz").read_bytes() == rows
    (folder / "answers.csv").write_text("old")
    specnet("predict", "moons/model.safetensors", "rows.npz", "-o", "answers.csv").failed(
        2, "answers.csv: error[taken]: "
    )
    assert (folder / "answers.csv").read_text() == "old"
    assert specnet("predict", "moons/model.safetensors", "rows.npz", "-o", "answers.csv", "--force").status == 0
    assert (folder / "answers.csv").read_text().startswith("prediction,")
