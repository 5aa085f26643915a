"""Runs: what they write, that they write it whole or not at all, and that they write the same bytes again."""

import json
import platform
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import specnet
from specnet import DataError, Observer, SpecError, TakenError
from specnet.files.run_files import RUN_FILES
from specnet.running.data_rows import data_hash
from specnet.running.run_folder import new_folder
from tests.made import data_of
from tests.running.moons import Interrupting
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
WRITTEN = set(RUN_FILES) - {"spec.json", "checkpoint.safetensors"}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SPEC)
    return path


@pytest.mark.parametrize(("out", "force"), [(None, False), ("out", True)])
def test_resuming_needs_a_folder_that_is_not_to_be_replaced(
    spec: Path, tmp_path: Path, out: str | None, force: bool, refused: Refused
):
    with refused(DataError):
        specnet.run(spec, out and tmp_path / out, resume=True, force=force)
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
    hashes = facts.pop("sha256")
    assert hashes.keys() == {path.name for path in folder.iterdir()} - {"report.html"}
    for name in hashes.keys() - {"run.json"}:
        assert hashes[name] == sha256((folder / name).read_bytes()).hexdigest()
    names = {"name": "internal_api", "version": "version", "architecture": "architecture"}
    blas = [{key: each.get(name) for key, name in names.items()} for each in threadpool_info()]
    assert facts.pop("blas") in (blas or [dict.fromkeys(names)])
    resolved, content = ((folder / name).read_bytes() for name in ("spec.resolved.json", "model.safetensors"))
    table = data_of(spec).table
    assert table is not None
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
        "data_sha256": data_hash(table),
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
    with pytest.raises(KeyboardInterrupt):
        specnet.run(spec, tmp_path / "out", observer=Interrupting(7))
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN | {"checkpoint.safetensors"}
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (facts["end"], facts["epochs"]) == ("interrupted after epoch 7", 7)
    expected = specnet.run(spec, overrides=["training.epochs=7"]).model.theta
    np.testing.assert_array_equal(specnet.load_model(tmp_path / "out" / "model.safetensors").theta, expected)


def test_a_spec_without_data_says_so(tmp_path: Path, refused: Refused):
    with refused(SpecError, code="missing-key", at="<text>:1:1"):
        specnet.run(SPEC.split("[data]", maxsplit=1)[0] + "[network]" + SPEC.split("[network]")[1])


def test_errors_about_data_point_into_the_spec(tmp_path: Path, refused: Refused):
    (tmp_path / "rows.csv").write_text("a,b,y\n1,2,0\n3,4,1\n")
    spec = tmp_path / "csv.toml"
    text = SPEC.replace('type = "make_moons"\nn_samples = 60', 'type = "csv"\npath = "rows.csv"\ntarget = "z"')
    spec.write_text(text)
    with refused(DataError, code="unknown-column"):
        specnet.run(spec)


def test_an_impossible_split_points_into_the_spec(refused: Refused):
    with refused(DataError, code="split"):
        specnet.run(SPEC.replace("test_size = 0.2, ", "test_size = 0.01, "))


CLASS_WEIGHT = 'loss = "binary_crossentropy"\nclass_weight = { 0 = 1, no = 2, yes = 3 }'


def test_weights_of_unknown_labels_point_at_each_of_them(refused: Refused):
    text = SPEC.replace('loss = "binary_crossentropy"', CLASS_WEIGHT)
    with refused(DataError, code="class-weight"):
        specnet.run(text)
    with refused(DataError, code="class-weight"):
        specnet.run(SPEC, overrides=["training.epochs=2", "training.class_weight.no=2"])
    with refused(DataError, code="class-weight", at="training.class_weight"):
        specnet.run(SPEC, overrides=["training.class_weight={0=0, 1=0}"])


def test_a_checkout_that_is_not_installed_runs(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def version_of(name: str) -> str:
        if name == "specnet":
            raise PackageNotFoundError(name)
        return version(name)

    for name in ("importlib.metadata.version", "specnet.running.machine.version"):
        monkeypatch.setattr(name, version_of)
    specnet.run(spec, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert facts["versions"]["specnet"] == specnet.__version__ == version("specnet")


@pytest.mark.parametrize("observer", [3, Observer])
def test_what_is_no_observer_is_refused(observer: object, refused: Refused):
    X, y = np.zeros((4, 2)), np.array([0, 1, 0, 1])
    for call in (
        lambda: specnet.run(SPEC, observer=observer),
        lambda: specnet.fit(SPEC, X, y, observer=observer),
    ):
        with refused(DataError):
            call()
