"""MLflow's own client finds what was logged, in a database of its own."""

import json
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import LoggerError, SpecnetWarning
from specnet.loggers.mlflow import MAX_KEY_LENGTH, MAX_VALUE_LENGTH, flattened
from specnet.training import Observers
from tests.loggers.runs import ENSEMBLE, MOONS, broken_off, resumed
from tests.running.moons import Interrupting


class Store:
    """A database, and its one run."""

    def __init__(self, folder):
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"

    @property
    def client(self):
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    def logger(self, **options):
        return specnet.MLflowLogger(self.uri, **options)

    def runs(self, experiment="moons"):
        number = self.client.get_experiment_by_name(experiment).experiment_id
        return list(self.client.search_runs([number]))

    @property
    def run(self):
        (run,) = self.runs()
        return run

    def points(self, key):
        history = self.client.get_metric_history(self.run.info.run_id, key)
        return sorted((metric.step, metric.value) for metric in history)

    def artifacts(self):
        return {
            item.path: Path(self.client.download_artifacts(self.run.info.run_id, item.path)).read_bytes()
            for item in self.client.list_artifacts(self.run.info.run_id)
        }


@pytest.fixture
def store(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="needs pip install '.[mlflow]'")
    pytest.importorskip("sqlalchemy", reason="needs pip install '.[mlflow]'")
    monkeypatch.chdir(tmp_path)  # where MLflow puts artifacts
    return Store(tmp_path)


def column(history, name, member=0):
    return [(record["epoch"], record[name]) for record in history if record.get("member", 0) == member]


def test_a_run_is_logged_whole(store, tmp_path):
    result = specnet.run(MOONS, tmp_path / "out", observer=store.logger())
    run = store.run
    assert (run.info.status, run.info.run_name) == ("FINISHED", "out")
    assert run.info.end_time >= run.info.start_time
    for name in ("loss", "validation_loss"):
        assert store.points(name) == column(result.history, name)
    for split, figures in result.metrics.items():
        for name, value in figures.items():
            assert store.points(f"{split}/{name}") == [(12, value)]
    assert len(run.data.metrics) == 2 + 3 * 2
    assert run.data.params == flattened(json.loads(result.model.spec.to_json())) | {
        "rows.train": "36",
        "rows.validation": "12",
        "rows.test": "12",
    }
    assert run.data.params["network.layers.0.units"] == "4"
    assert run.data.params["training.optimizer.type"] == "adam"
    assert run.data.params["training.metrics.0.type"] == "accuracy"
    assert store.artifacts() == {
        name: (tmp_path / "out" / name).read_bytes() for name in ("model.safetensors", "report.html")
    }


def test_experiments_are_named_by_the_spec_or_the_caller(store):
    specnet.run(MOONS, observer=store.logger(experiment="mine"))
    specnet.run(MOONS, observer=store.logger(), overrides=["name="])
    assert [len(store.runs(name)) for name in ("mine", "unnamed")] == [1, 1]


def test_without_a_report_the_model_is_the_only_artifact(store, tmp_path):
    specnet.run(MOONS, tmp_path / "out", observer=store.logger(), report=False)
    assert set(store.artifacts()) == {"model.safetensors"}


def test_a_fit_has_no_files(store):
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = specnet.fit(specnet.parse_spec(MOONS, overrides=["data="]), X, X[:, 0] > 0, observer=store.logger())
    assert store.points("loss") == column(model.history, "loss")
    assert (store.run.info.status, store.artifacts()) == ("FINISHED", {})


@pytest.mark.parametrize(("error", "status"), [(RuntimeError(), "FAILED"), (KeyboardInterrupt(), "KILLED")])
@pytest.mark.parametrize("settings", [(), (ENSEMBLE,)])
def test_a_resumed_run_continues(store, tmp_path, error, status, settings):
    member = len(settings)
    broken_off(store.logger(), tmp_path / "out", Interrupting(7, member, error), *settings)
    last = f"member_{member}/loss" if settings else "loss"
    assert store.run.info.status == status
    assert [step for step, _ in store.points(last)] == [1, 2, 3, 4, 5, 6, 7]
    assert store.artifacts() == {}
    assert not any("/accuracy" in key for key in store.run.data.metrics)

    result = resumed(store.logger(), tmp_path / "out", *settings)
    assert store.run.info.status == "FINISHED"
    for number in range(1 + member):
        prefix = f"member_{number}/" if settings else ""
        for name in ("loss", "validation_loss"):
            assert store.points(prefix + name) == column(result.history, name, number)
    assert store.points("test/accuracy") == [(12, result.metrics["test"]["accuracy"])]
    assert set(store.artifacts()) == {"model.safetensors", "report.html"}


def test_a_resumed_run_repairs_what_was_lost(store, tmp_path):
    broken_off(specnet.Observer(), tmp_path / "out", Interrupting(7, error=RuntimeError()))
    result = resumed(store.logger(), tmp_path / "out")
    assert store.points("loss") == column(result.history, "loss")


def test_a_longer_run_says_so_in_a_tag(store, tmp_path):
    broken_off(store.logger(), tmp_path / "out", Interrupting(7, error=RuntimeError()))
    resumed(store.logger(), tmp_path / "out", "training.epochs=20")
    assert store.run.data.params["training.epochs"] == "12"
    assert store.run.data.tags["training.epochs"] == "20"
    assert [step for step, _ in store.points("loss")] == list(range(1, 21))


def test_a_run_that_overwrites_another_is_a_new_one(store, tmp_path):
    for seed in range(2):
        specnet.run(MOONS, tmp_path / "out", observer=store.logger(), force=True, overrides=[f"seed={seed}"])
    assert [run.data.params["seed"] for run in store.runs()] == ["1", "0"]


def test_a_store_that_cannot_be_opened_is_refused_before_training(store, tmp_path):
    logger = specnet.MLflowLogger("wrong://place")
    with pytest.raises(LoggerError, match="MLflowLogger cannot start: "):
        specnet.run(MOONS, tmp_path / "out", observer=logger)
    assert not (tmp_path / "out").exists()


def test_a_store_that_is_lost_ends_no_run(store, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def lost(*_, metrics=(), **__):
        if metrics:
            raise MlflowException("the server is gone")

    monkeypatch.setattr(MlflowClient, "log_batch", lost)
    with pytest.warns(SpecnetWarning, match="MLflowLogger stopped: the server is gone"):
        result = specnet.run(MOONS, observer=Observers(store.logger()))
    assert result.history == specnet.run(MOONS).history


def test_signs_in_names_do_no_harm(store, tmp_path):
    name = """a <b> & "c" 'd' ]]> `e` 100 %"""
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'<x>' if a > 0 else '&y'}" for a, b in rng.normal(size=(40, 2))]
    header = '"{}",b,kind'.format(name.replace('"', '""'))
    (tmp_path / "rows.csv").write_text("\n".join([header, *rows]))
    spec = {
        "name": "signs",
        "data": {"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "kind", "columns": {name: "category"}},
        "network": {"hidden_layer_sizes": [4]},
        "training": {"loss": "binary_crossentropy", "epochs": 2},
    }
    specnet.run(spec, tmp_path / "it's", observer=store.logger())
    (run,) = store.runs("signs")
    assert run.info.run_name == "it's"
    assert json.loads(run.data.params["data.columns"])[name] == "category"
    assert json.loads(run.data.params["network.preprocessing.0.columns"]) == [name]


# ------------------------------------------------------------------------------------------- the spec as parameters


def test_documents_are_flattened_by_path():
    data = {"a": 1, "b": {"c": True, "d": [1, 2]}, "layers": [{"units": 3}, {"rate": 0.5, "name": "x"}], "none": {}}
    assert flattened(data) == {
        "a": "1",
        "b.c": "true",
        "b.d": "[1, 2]",
        "layers.0.units": "3",
        "layers.1.rate": "0.5",
        "layers.1.name": "x",
        "none": "{}",
    }


def test_tables_by_names_of_columns_stay_whole():
    assert flattened({"columns": {"größe <1>": {"type": "number"}}}) == {"columns": '{"größe <1>": {"type": "number"}}'}


def test_long_names_and_values_fit():
    long = {"outer": {"k" * MAX_KEY_LENGTH: 1}, "text": "x" * 10_000}
    found = flattened(long)
    assert found["outer"] == json.dumps(long["outer"])
    assert found["text"] == "x" * (MAX_VALUE_LENGTH - 1) + "…"
