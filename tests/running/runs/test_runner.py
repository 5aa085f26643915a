"""Runs: what they write, record and return, whole or not at all; and the reference run beside an independent one."""

import json
import platform
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import specnet
from specnet import DataError, Observer, SpecError, TakenError, TrainingError
from specnet.run_files import RUN_FILES
from specnet.running.run_folder import new_folder
from specnet.saved.saved_run import SavedRun
from specnet.training.steps.compiled_steps import CompiledStepper
from specnet.training.steps.stepper import DENORMAL_INTERVAL
from tests.compiling import compiles
from tests.made import tensors_in
from tests.reference import tutorial
from tests.reference.moons import reference_run
from tests.running.moons import MOONS, interrupt
from tests.texts.pinned import Refused

SPEC = """# a comment that stays
name = "small"
[data]
type = "make_moons"
n_samples = 60
split = { test_size = 0.2, validation_size = 0.2 }
[network]
hidden_layer_sizes = [4]
[training]
loss = "binary_crossentropy"
metrics = ["accuracy", "roc_auc"]
epochs = 30
"""
WRITTEN = set(RUN_FILES) - {"spec.json", "checkpoint.safetensors", "expectations.json"}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SPEC)
    return path


def test_resuming_needs_a_folder_that_is_not_to_be_replaced(spec: Path, tmp_path: Path, refused: Refused):
    for options in ({}, {"out": tmp_path / "out", "force": True}):
        with refused(DataError):
            specnet.run(spec, resume=True, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["small.toml"]


def test_a_run_writes_its_files_and_nothing_else(spec: Path, tmp_path: Path):
    result = specnet.run(spec, tmp_path / "out")
    folder = tmp_path / "out"
    assert result.folder == folder
    assert {path.name for path in folder.iterdir()} == WRITTEN
    assert (folder / "spec.toml").read_text() == SPEC
    assert json.loads((folder / "metrics.json").read_text()) == result.evaluation
    assert {name: result.evaluation[name] for name in result.metrics} == result.metrics
    assert result.evaluation["rows"] == {"train": 36, "validation": 12, "test": 12}
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert history == result.history
    assert [record["epoch"] for record in history] == list(range(1, 31))
    assert set(result.metrics) == {"train", "validation", "test"}
    assert all(set(figures) == {"loss", "accuracy", "roc_auc"} for figures in result.metrics.values())
    model = specnet.load_model(folder / "model.safetensors")
    np.testing.assert_array_equal(model.theta, result.model.theta)
    assert specnet.parse_spec(folder / "spec.resolved.json") == result.model.spec
    facts = json.loads((folder / "run.json").read_text())
    assert 0 < facts.pop("training_seconds") < facts.pop("seconds")
    assert facts.pop("engine_reason")
    assert facts.pop("cpu_features")
    assert len(facts.pop("data_sha256")) == 64
    hashes = facts.pop("sha256")
    assert hashes.keys() == {path.name for path in folder.iterdir()} - {"report.html"}
    for name in hashes.keys() - {"run.json"}:
        assert hashes[name] == sha256((folder / name).read_bytes()).hexdigest()
    names = {"name": "internal_api", "version": "version", "architecture": "architecture"}
    blas = [{key: each.get(name) for key, name in names.items()} for each in threadpool_info()]
    assert facts.pop("blas") in (blas or [dict.fromkeys(names)])
    resolved, content = ((folder / name).read_bytes() for name in ("spec.resolved.json", "model.safetensors"))
    assert facts == {
        "end": "all epochs",
        "finished": True,
        "epochs": 30,
        "steps": 30 * 2,
        "warnings": [],
        "overrides": [],
        "spec_folder": "..",
        "seed": 0,
        "spec_sha256": sha256(resolved).hexdigest(),
        "engine": "numpy",
        "compiler": None,
        "threads": 1,
        "versions": {
            "specnet": specnet.__version__,
            **{name: version(name) for name in ("numpy", "scipy", "scikit-learn")},
            "python": platform.python_version(),
        },
        "training_rows": facts["training_rows"],
        "model_sha256": sha256(content).hexdigest(),
    }
    assert list(facts["training_rows"]) == ["hashes", "complete"]


def test_the_resolved_spec_runs_to_the_same_model(spec: Path, tmp_path: Path):
    first = specnet.run(spec, tmp_path / "first")
    again = specnet.run(tmp_path / "first" / "spec.resolved.json", tmp_path / "second")
    np.testing.assert_array_equal(first.model.theta, again.model.theta)
    assert (tmp_path / "second" / "spec.json").read_text() == (tmp_path / "first" / "spec.resolved.json").read_text()
    assert first.metrics == again.metrics


def test_without_a_folder_nothing_is_written(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert specnet.run(spec).folder is None
    assert sorted(tmp_path.rglob("*")) == before


def test_overrides_are_recorded_in_a_folder_that_was_empty(spec: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    result = specnet.run(spec, tmp_path / "out", overrides=["training.epochs=3"])
    assert len(result.history) == 3
    assert json.loads((tmp_path / "out" / "run.json").read_text())["overrides"] == ["training.epochs=3"]
    assert (tmp_path / "out" / "spec.toml").read_text() == SPEC


def test_a_folder_with_something_in_it_is_refused_before_training(spec: Path, tmp_path: Path, refused: Refused):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with refused(TakenError, at="out"):
        specnet.run(spec, out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    specnet.run(spec, out, force=True)
    assert {path.name for path in out.iterdir()} == WRITTEN | {"mine.txt"}
    assert (out / "mine.txt").read_text() == "mine"
    with refused(TakenError, at="mine.txt"):
        specnet.run(spec, out / "mine.txt", force=True)


def test_numbers_of_runs_go_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert [str(new_folder("moons")) for _ in range(3)] == [str(Path("runs") / "moons" / str(n)) for n in (1, 2, 3)]
    (tmp_path / "runs" / "moons" / "41").mkdir()
    assert new_folder("moons") == Path("runs/moons/42")


def test_ctrl_c_writes_what_was_reached(spec: Path, tmp_path: Path):
    interrupt(spec, tmp_path / "out", 7, report=True)
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN | {"checkpoint.safetensors"}
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (facts["end"], facts["epochs"]) == ("interrupted after epoch 7", 7)
    expected = specnet.run(spec, overrides=["training.epochs=7"]).model.theta
    np.testing.assert_array_equal(specnet.load_model(tmp_path / "out" / "model.safetensors").theta, expected)


def test_errors_of_data_point_into_the_spec(tmp_path: Path, refused: Refused):
    with refused(SpecError, code="missing-key", at="<text>:1:1"):
        specnet.run(SPEC.split("[data]", maxsplit=1)[0] + "[network]" + SPEC.split("[network]")[1])
    (tmp_path / "rows.csv").write_text("a,b,y\n1,2,0\n3,4,1\n")
    csv = SPEC.replace('type = "make_moons"\nn_samples = 60', 'type = "csv"\npath = "rows.csv"\ntarget = "z"')
    (tmp_path / "csv.toml").write_text(csv)
    weights = 'loss = "binary_crossentropy"\nclass_weight = { 0 = 1, no = 2, yes = 3 }'
    for code, spec in (
        ("unknown-column", tmp_path / "csv.toml"),
        ("split", SPEC.replace("test_size = 0.2, ", "test_size = 0.01, ")),
        ("class-weight", SPEC.replace('loss = "binary_crossentropy"', weights)),
    ):
        with refused(DataError, code=code):
            specnet.run(spec)
    with refused(DataError, code="class-weight"):
        specnet.run(SPEC, overrides=["training.epochs=2", "training.class_weight.no=2"])
    with refused(DataError, code="class-weight", at="training.class_weight"):
        specnet.run(SPEC, overrides=["training.class_weight={0=0, 1=0}"])


def test_a_checkout_that_is_not_installed_runs(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def version_of(name: str) -> str:
        if name == "specnet":
            raise PackageNotFoundError(name)
        return version(name)

    for name in ("importlib.metadata.version", "specnet.running.training_run.version"):
        monkeypatch.setattr(name, version_of)
    specnet.run(spec, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert facts["versions"]["specnet"] == specnet.__version__ == version("specnet")


@pytest.mark.parametrize("observer", [3, Observer])
def test_what_is_no_observer_is_refused(observer: object, refused: Refused):
    X, y = np.zeros((4, 2)), np.array([0, 1, 0, 1])
    for call in (lambda: specnet.run(SPEC, observer=observer), lambda: specnet.fit(SPEC, X, y, observer=observer)):
        with refused(DataError):
            call()


RECORD = ("layers.jsonl", "snapshots.safetensors")


SEEN = [0, 1, 2, 3, 4, 6, 9, 12]
"""Of 12 epochs, as tests/training has them."""


def quiet_run(out: Path | None = None, *overrides: str, **options: Any) -> Any:
    return specnet.run(MOONS, out, overrides=overrides, **{"observer": Observer(), "report": False, **options})


def test_a_run_writes_what_it_returns(tmp_path: Path):
    result = quiet_run(tmp_path)
    assert [json.loads(line) for line in (tmp_path / "layers.jsonl").read_text().splitlines()] == result.layer_records
    assert [look["epoch"] for look in result.layer_records] == SEEN
    layers = [layer["layer"] for layer in result.layer_records[0]["layers"]]
    assert layers == ["layers.0", "layers.1"]
    tensors = tensors_in(tmp_path / "snapshots.safetensors")
    names = list(result.model.network.parameters(result.model.theta))
    assert set(tensors) == {f"{epoch}/{name}" for epoch in (0, 1, 2, 12) for name in names}
    theta = result.model.network.parameters(result.model.theta)
    start = result.model.network.parameters(result.model.network.initial_parameters())
    for name in names:
        np.testing.assert_array_equal(tensors[f"12/{name}"], theta[name])
        np.testing.assert_array_equal(tensors[f"0/{name}"], start[name])


def test_a_folder_is_read_again(tmp_path: Path):
    result, folder = quiet_run(tmp_path), SavedRun(tmp_path)
    assert folder.layer_records == result.layer_records
    again = quiet_run(tmp_path, resume=True)  # which is finished
    assert again.layer_records == result.layer_records
    assert again.evaluation == result.evaluation
    assert list(again.snapshots) == list(folder.snapshots) == list(result.snapshots) == [0, 1, 2, 12]
    for epoch, arrays in result.snapshots.items():
        assert arrays.keys() == again.snapshots[epoch].keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(again.snapshots[epoch][name], array)
    for name in RECORD:
        (tmp_path / name).unlink()
    folder = SavedRun(tmp_path)
    assert (folder.layer_records, folder.snapshots) == ([], {})


@pytest.mark.slow
def test_snapshots_of_an_earlier_run_are_taken_away(tmp_path: Path):
    quiet_run(tmp_path)
    result = quiet_run(tmp_path, "network.hidden_layer_sizes=[2500]", "training.epochs=1", force=True)
    assert result.snapshots == {}
    assert not (tmp_path / "snapshots.safetensors").exists()
    assert len((tmp_path / "layers.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
def test_an_ensemble_records_its_first_member(tmp_path: Path):
    result = quiet_run(tmp_path / "a", "training.ensemble=3")
    theta, _ = result.model.members[0]
    network = result.model.network
    for name, array in network.parameters(theta).items():
        np.testing.assert_array_equal(result.snapshots[12][name], array)
        np.testing.assert_array_equal(
            result.snapshots[0][name], network.parameters(network.initial_parameters(0))[name]
        )
    assert [look["epoch"] for look in result.layer_records] == SEEN


@pytest.mark.slow
@pytest.mark.usefixtures("born_loaded")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_first_member_tells_its_looks(jobs: int):
    settings = ["training.ensemble=2", "training.optimizer={type='sgd', learning_rate=1e30}", "training.loss='hinge'"]
    with pytest.raises(TrainingError) as caught:
        quiet_run(None, *settings, "training.epochs=400", jobs=jobs)
    assert [look["epoch"] for look in caught.value.layer_records][:2] == [0, 1]
    assert caught.value.layer_records[-1]["layers"][0]["weight"] > 1e20


@pytest.mark.slow
@compiles
def test_compiled_steps_of_a_full_batch_stop_only_where_something_looks(monkeypatch: pytest.MonkeyPatch):
    ends, make = set(), CompiledStepper.make

    def counted(stepper: CompiledStepper, *arguments: Any) -> Any:
        made = make(stepper, *arguments)
        ends.add(stepper.step_number)
        return made

    monkeypatch.setattr(CompiledStepper, "make", counted)
    long = ["training.epochs=3000", "training.log_every=1000", "training.batch_size=full"]
    result = quiet_run(None, "training.engine=compiled", *long)
    seen = {*(look["epoch"] for look in result.layer_records), *result.snapshots}
    logged = {record["epoch"] for record in result.history}
    assert logged == {1, 1001, 2001, 3000}
    assert len(ends) > 1
    # The first step of an epoch that is seen is measured, and tiny numbers are flushed.
    looked_at = {epoch - before for epoch in seen | {3000} for before in (0, 1)}
    assert {end for end in ends if end % DENORMAL_INTERVAL} <= looked_at
    assert logged - looked_at
    assert not ends & (logged - looked_at)


@pytest.fixture(scope="module")
def result():
    return specnet.run("specs/moons.toml")


@pytest.fixture(scope="module")
def reference():
    return reference_run()


@pytest.mark.slow
def test_the_published_figures(result):
    """The figures are the independent implementation's, written out so that both cannot move together."""
    history = result.history
    assert history[0]["epoch"] == 1
    assert history[0]["loss"] == pytest.approx(0.84402, abs=5e-6)
    assert history[-1]["epoch"] == 20_000
    assert history[-1]["loss"] == pytest.approx(0.29931096, abs=5e-9)
    assert result.metrics["train"]["loss"] == pytest.approx(0.29931016, abs=5e-9)
    assert result.metrics["test"]["accuracy"] == 0.85


@pytest.mark.slow
def test_every_weight_is_the_independent_implementations(result, reference):
    expected, _ = reference
    parameters = result.model.network.parameters(result.model.theta)
    assert parameters.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(parameters[name], array, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_every_logged_loss_is_the_independent_implementations(result, reference):
    """An epoch's loss is the one before its update: with a full batch, that of the parameters the epoch began with."""
    _, losses = reference
    logged = [record["epoch"] for record in result.history]
    assert len(logged) > 900
    found = [record["loss"] for record in result.history]
    np.testing.assert_allclose(found, losses[np.array(logged) - 1], rtol=0, atol=1e-9)
    assert result.metrics["train"]["loss"] == pytest.approx(losses[-1], abs=1e-9)


@pytest.mark.slow
def test_the_tutorials_script_computes_the_same(reference):
    """What the times are compared with does the same work: a few hundred of its steps end at the reference's."""
    X, _, y, _ = tutorial.load()
    parameters = tutorial.initialize(2, 5, 1)
    for _ in range(300):
        tutorial.update(parameters, tutorial.backward(parameters, X, y, *tutorial.forward(parameters, X)))
    _, losses = reference
    assert tutorial.cost(tutorial.forward(parameters, X)[-1], y) == pytest.approx(losses[300], abs=1e-12)
