"""Students: what they learn, what it is worth, and which teachers are refused."""

import json
import shlex
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import DataError, SpecError, parse_spec
from specnet.data import RawColumns
from specnet.running.data_rows import read_data
from specnet.running.distillation.student_spec import smaller_layers
from tests.running.moons import Interrupting
from tests.running.specs import csv_file

TEACHER = """
name = "moons"
[data]
type = "make_moons"
n_samples = 120
noise = 0.2
split = { test_size = 0.25 }
[network]
hidden_layer_sizes = [32, 32]
preprocessing = ["standardize"]
[training]
loss = "binary_crossentropy"
epochs = 20
ensemble = 3
metrics = ["accuracy"]
[training.optimizer]
type = "adam"
learning_rate = 0.02
"""


@pytest.fixture(scope="module")
def moons(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("distillation") / "moons"
    specnet.run(TEACHER, folder, report=False)
    return folder


def values_on(folder: Path, y: np.ndarray, X: np.ndarray, **training: Any) -> dict[str, Any]:
    data = csv_file(folder / "table.csv", "a,b,y", np.column_stack([X, y]), split={"test_size": 0.2})
    return {
        "data": data,
        "network": {"dtype": "float64", "layer_sizes": [2, 1], "preprocessing": []},
        "training": {"loss": "mean_squared_error", "optimizer": "lbfgs", "epochs": 50, **training},
    }


def student_of(folder: Path, document: dict[str, Any], **training: Any) -> dict[str, Any]:
    kept = {key: value for key, value in document["training"].items() if key != "ensemble"}
    teacher = str(folder / "teacher" / "model.safetensors")
    return {**document, "training": {**kept, "teacher": teacher, "mixtures": 3, **training}}


def test_out_of_fold_answers_do_not_depend_on_the_row_itself(tmp_path):
    """The target of one training row is changed: the answers for it stay, those of the whole ensemble do not."""
    X = np.random.default_rng(0).normal(size=(40, 2))
    y, found = X @ [1, -2] + 0.1 * np.random.default_rng(1).normal(size=40), []
    row = int(read_data(parse_spec(values_on(tmp_path, y, X))).splits["train"].numbers[7])
    for change in (0.0, 50.0):
        changed = y.copy()
        changed[row] += change
        document = values_on(tmp_path, changed, X, ensemble=4)
        specnet.run(document, tmp_path / "teacher", report=False, force=True, observer=specnet.Observer())
        data = read_data(parse_spec(student_of(tmp_path, document)))
        rows, teacher = data.splits["train"], data.teacher
        assert teacher is not None
        assert rows.numbers[7] == row
        columns = RawColumns(np.asarray(rows.columns), rows.kinds)
        found.append((teacher.out_of_fold(columns, rows.numbers)[7, 0], teacher.answers(columns)[7, 0]))
    (honest, mean), (honest_after, mean_after) = found
    assert honest_after == honest
    assert abs(mean_after - mean) > 0.1


def test_a_student_of_a_linear_teacher_has_its_coefficients(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 2))
    document = values_on(tmp_path, X @ [3, -2] + 1, X, ensemble=4)
    specnet.run(document, tmp_path / "teacher", report=False, observer=specnet.Observer())
    result = specnet.run(student_of(tmp_path, document), None, observer=specnet.Observer())
    weight, bias = result.model.network.parameters(result.model.theta).values()
    np.testing.assert_allclose([*weight[0], *bias], [3, -2, 1], atol=1e-3)
    assert result.evaluation["teacher"]["agreement"]["test"]["r2"] == pytest.approx(1, abs=1e-6)
    assert result.evaluation["teacher"]["networks"] == 4


def test_distill_writes_an_ordinary_run_that_can_be_verified(moons, tmp_path):
    out = tmp_path / "small"
    result = specnet.distill(moons, out, overrides=["training.epochs=20"], report=False)
    record = json.loads((out / "metrics.json").read_text())["teacher"]
    assert record["parameters"] == specnet.load_model(moons).theta.size
    assert record["own_parameters"] * 20 <= record["parameters"]
    assert record["agreement"]["test"]["accuracy"] > 0.8
    assert record["metrics"]["test"]["loss"] == pytest.approx(
        json.loads((moons / "metrics.json").read_text())["test"]["loss"], rel=1e-5
    )
    assert result.model.spec.training.ensemble is None
    assert specnet.verify(out).is_same
    assert specnet.run(out, out, resume=True).metrics == result.metrics


def test_another_teacher_is_named_by_verify_and_resume(moons, tmp_path):
    teacher, out = tmp_path / "teacher", tmp_path / "small"
    shutil.copytree(moons, teacher)
    specnet.distill(teacher, out, overrides=["training.epochs=2"], report=False)
    specnet.run(TEACHER, teacher, overrides=["training.epochs=3"], report=False, force=True)
    (run,) = specnet.verify(out).runs
    assert any(each.key == "teacher (SHA-256)" for each in run.inputs)
    with pytest.raises(specnet.FileError, match="the teacher was"):
        specnet.run(out, out, resume=True)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.ensemble=3"], "an ensemble cannot be combined with a teacher"),
        (["training.loss=hinge"], "hinge does not support a teacher"),
        (['training.class_weight="balanced"'], "class_weight cannot be combined with a teacher"),
        (["training.teacher="], "mixtures has no effect without training.teacher"),
    ],
)
def test_settings_that_a_student_cannot_have(moons, overrides, message):
    student = {**student_of(moons.parent, _document()), "name": "s"}
    with pytest.raises(SpecError, match=message):
        parse_spec(student, overrides=overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.noise=0.3"], "the teacher was trained on other data"),
        (["data.split.random_state=1"], "test rows of this spec"),
        (["training.teacher=nowhere.safetensors"], "the teacher cannot be read"),
        (["training.loss=mean_squared_error"], "predicts classes, unlike this spec's loss"),
    ],
)
def test_teachers_of_other_rows_are_refused(moons, overrides, message):
    student = _document()
    student["training"] |= {"teacher": str(moons / "model.safetensors"), "ensemble": None}
    student["training"].pop("ensemble")
    with pytest.raises(DataError, match=message):
        read_data(parse_spec(student, overrides=[*overrides, "training.metrics="]))


def test_a_team_of_folds_teaches_out_of_fold(tmp_path):
    """The mean of the networks that were not trained on a row is computed here by the folds of each trial."""
    search = (
        TEACHER.replace("epochs = 20", "epochs = 4")
        + '[sweep]\ntrials = 2\nsampler = "random"\nspace = { "training.l2" = [0.0, 0.1] }'
    )
    specnet.sweep(search, tmp_path / "search", jobs=1, report=False)
    student = student_of(tmp_path, _document())
    team = tmp_path / "search/team"
    student["training"]["teacher"] = str(team / "model.safetensors")
    data = read_data(parse_spec(student))
    rows, model = data.splits["train"], specnet.load_model(team / "model.safetensors")
    assert data.teacher is not None
    expected, total = np.zeros(len(rows)), np.zeros(len(rows))
    assert len(model.networks) > 1 or model.networks[0].members
    for network, share in zip(model.networks, model.shares, strict=True):
        folds = read_data(network.spec).splits["train"].folds
        for member, outputs in enumerate(network.outputs(network.inputs(rows.raw))):
            unseen = share * (folds == member) / len(network.members)
            expected, total = expected + unseen * outputs[:, 0], total + unseen
    np.testing.assert_allclose(data.teacher.out_of_fold(rows.raw, rows.numbers)[:, 1], expected / total, rtol=1e-6)
    result = specnet.distill(tmp_path / "search", tmp_path / "small", overrides=["training.epochs=2"], report=False)
    assert result.evaluation["teacher"]["networks"] == sum(len(each.members) for each in model.networks)


def test_an_interrupted_student_goes_on_as_if_it_had_not_been(moons, tmp_path):
    settings = ["training.epochs=6", "training.checkpoint_every=2"]
    whole = specnet.distill(moons, tmp_path / "whole", overrides=settings, report=False)
    with pytest.raises(KeyboardInterrupt):
        specnet.distill(moons, tmp_path / "small", overrides=settings, report=False, observer=Interrupting(4))
    result = specnet.run(tmp_path / "small", tmp_path / "small", resume=True, report=False)
    np.testing.assert_array_equal(result.model.theta, whole.model.theta)
    assert result.evaluation == whole.evaluation


@pytest.mark.parametrize("split", [{"group": "g"}, {"time": "t"}])
def test_several_targets_weights_groups_and_times(tmp_path, split):
    """A student without a hidden layer has the coefficients of least squares, weighted as the training rows are."""
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(60, 2)), rng.uniform(0.5, 2, 60)
    Y = X @ [[3, 1], [-2, 0]] + [1, 2] + rng.normal(size=(60, 2))
    cells = np.column_stack([X, weight, np.arange(60) % 12, np.arange(60), Y])
    given = {"target": ["y", "z"], "features": ["a", "b"], "sample_weight": "w", "split": {"test_size": 0.2, **split}}
    data = csv_file(tmp_path / "table.csv", "a,b,w,g,t,y,z", cells.tolist(), **given)
    document = {
        "data": data,
        "network": {"dtype": "float64", "layer_sizes": [2, 2], "preprocessing": []},
        "training": {"loss": "mean_squared_error", "optimizer": "lbfgs", "epochs": 80, "ensemble": 3},
    }
    quiet = specnet.Observer()
    specnet.run(document, tmp_path / "teacher", report=False, observer=quiet)
    student = student_of(tmp_path, document, mixtures=0)
    data_of = read_data(parse_spec(student))
    result, rows = specnet.run(student, None, observer=quiet), data_of.splits["train"]
    targets = data_of.teacher.out_of_fold(rows.raw, rows.numbers)
    root = np.sqrt(rows.weight)[:, np.newaxis]
    design = np.column_stack([rows.raw.X, np.ones(len(rows))])
    expected = np.linalg.lstsq(root * design, root * targets, rcond=None)[0]
    found_weight, bias = result.model.network.parameters(result.model.theta).values()
    np.testing.assert_allclose(np.column_stack([found_weight, bias]).T, expected, atol=1e-3)


def test_an_older_reader_learns_what_it_lacks(moons, tmp_path):
    specnet.distill(moons, tmp_path / "small", overrides=["training.epochs=1"], report=False)
    content = (tmp_path / "small/model.safetensors").read_bytes()
    assert b'\\"needs\\":[\\"teacher\\"]' in content
    assert b'\\"needs\\":[]' in (moons / "model.safetensors").read_bytes()


def test_comments_of_a_student_describe_its_data_alone(tmp_path):
    text = "# The teacher.\n" + TEACHER.replace("noise = 0.2", "noise = 0.2  # of the moons").replace(
        "ensemble = 3", "# Three networks.\nensemble = 3  # three\n# and an end"
    )
    specnet.run(text.replace("epochs = 20", "epochs = 1"), tmp_path / "teacher", report=False)
    specnet.distill(tmp_path / "teacher", tmp_path / "small", overrides=["training.epochs=1"], report=False)
    written = (tmp_path / "small/spec.toml").read_text("utf-8")
    assert [line.partition("#")[2] for line in written.splitlines() if "#" in line] == [" of the moons"]


@pytest.mark.parametrize("validation_size", [0, 0.2])
def test_a_single_network_is_refused_with_the_command_that_trains_it_on_folds(tmp_path, monkeypatch, validation_size):
    monkeypatch.chdir(tmp_path)
    single = ["training.ensemble=", "training.epochs=2", f"data.split.validation_size={validation_size}"]
    specnet.run(TEACHER, "one", overrides=single, report=False)
    with pytest.raises(DataError, match=r"a single network, which was trained on .* training rows") as error:
        specnet.distill("one", "small")
    assert not Path("small").exists()
    words = shlex.split((error.value.diagnostics[0].hint or "").split("`")[1])
    assert words[:5] == ["specnet", "run", "one", "-o", "FOLDER"]
    overrides = [word for option, word in pairwise(words) if option == "--set"]
    assert ("data.split.validation_size=0" in overrides) == bool(validation_size)
    specnet.run("one", "five", overrides=overrides, report=False)
    small = specnet.distill("five", "small", overrides=["training.epochs=1"], report=False)
    assert small.evaluation["teacher"]["networks"] == 5


def test_arrays_have_no_teacher(moons):
    student = _document()
    student.pop("data")
    student["training"].pop("ensemble")
    student["training"]["teacher"] = str(moons / "model.safetensors")
    with pytest.raises(DataError, match="needs the table that the teacher was trained on"):
        specnet.fit(student, np.zeros((4, 2)), [0, 1, 0, 1])


def _document() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(TEACHER)


def test_a_student_of_averaged_networks_has_the_layers_of_the_first():
    first = [{"type": "dense", "units": 64, "activation": "tanh"}, {"type": "dense", "name": "smooth", "units": 2}]
    bins = {"type": "piecewise_linear_embedding", "inputs": ["input"], "bins": 4}
    second = [bins, {"type": "dense", "units": 64}, {"type": "dense", "name": "steps", "units": 2}]
    average = {"type": "average", "inputs": ["smooth", "steps"], "weights": "held_out"}
    assert smaller_layers([*first, *second, average], 16) == [{**first[0], "units": 16}, first[1]]
    shared = [{"type": "scale", "name": "features"}, *first, {**second[1], "inputs": ["features"]}, second[2], average]
    assert smaller_layers(shared, 16) == [shared[0], {**first[0], "units": 16}, first[1]]
