"""Odd specs are swept too, or refused in words."""

from __future__ import annotations

import json
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

import specnet
from specnet import DataError, FileError, SpecError, SpecnetError, TakenError, TrainingError
from specnet.running.sweeps.search import quiet
from tests.running.passed_parts import Halved, Killing, Raising
from tests.running.specs import csv_file, spec_on
from tests.running.sweeps.searches import BASE, GRID, TPE, fingerprint
from tests.texts.pinned import Pinned, Refused

pytestmark = [pytest.mark.slow, pytest.mark.trains]


def sweep(space: str, table: str = "", base: str = BASE, **arguments: Any) -> specnet.SweepResult:
    text = f"{base}[sweep]\n{table}\n[sweep.space]\n{space}\n"
    return specnet.sweep(text, jobs=1, report=False, **arguments)


def states(result: specnet.SweepResult) -> list[str]:
    """Return how the trials ended that were drawn: all but the spec as it is written."""
    written, *drawn = result.trials
    assert written.state == "finished"
    return [trial.state for trial in drawn]


GRID_TABLE = "sampler = 'grid'"


def test_an_ensemble_in_some_trials(tmp_path: Path):
    space = '"training.ensemble" = [{ members = 2, validation = "split" }, { members = 3, validation = "split" }]'
    result = sweep(space, GRID_TABLE, out=tmp_path / "sweep")
    assert states(result) == ["finished"] * 2
    best = specnet.load_model(tmp_path / "sweep/best/model.safetensors")
    trial = tmp_path / f"sweep/trials/{result.best.number:04}"
    assert (trial / "model.safetensors").read_bytes() == (tmp_path / "sweep/best/model.safetensors").read_bytes()
    assert best.spec.training.ensemble is not None
    assert result.best.epochs > 20


FULL = BASE.replace("epochs = 20", "epochs = 5\nbatch_size = 'full'")
SPARSE = BASE.replace('metrics = ["accuracy"]', "")


@pytest.mark.parametrize(
    ("space", "table", "base", "expected"),
    [
        ('"training.optimizer" = ["lbfgs", "sgd"]\n"training.l2" = [0.0, 0.1]', GRID_TABLE, FULL, ["finished"] * 4),
        ('"training.l2" = [0.0]', "trials = 2\nparallel = 64", BASE, ["finished"]),
        ('"training.metrics" = [["raising"], ["accuracy"]]', GRID_TABLE, SPARSE, ["refused", "finished"]),
    ],
    ids=["full batches with lbfgs", "a single trial", "a part that raises"],
)
def test_trials_end_each_for_itself(space: str, table: str, base: str, expected: list[str]):
    result = sweep(space, table, base, parts=[Raising])
    assert states(result) == expected
    assert all("no metric of" in trial.message for trial in result.trials if trial.state == "refused")


def test_numbers_of_either_width(tmp_path: Path):
    result = sweep('"network.dtype" = ["float32", "float64"]', GRID_TABLE, out=tmp_path / "s")
    assert states(result) == ["finished"] * 2
    sizes = [(tmp_path / f"s/trials/000{number}/model.safetensors").stat().st_size for number in (1, 2)]
    assert sizes[0] != sizes[1]


def test_keys_that_clash_only_together_make_refused_trials(tmp_path: Path):
    space = '"network.hidden_layer_sizes" = [[3], [3, 3]]\n"network.activations" = [["relu", "sigmoid"], "relu"]'
    result = sweep(space, GRID_TABLE, out=tmp_path / "sweep")
    assert states(result) == ["finished", "finished", "refused", "finished"]
    folder = tmp_path / "sweep/trials/0003"
    assert {path.name for path in folder.iterdir()} <= {"run.json", "spec.toml"}
    message = json.loads((folder / "run.json").read_text())["message"]
    assert "activations" in message
    again = specnet.sweep(tmp_path / "sweep/spec.toml", tmp_path / "sweep", jobs=1, resume=True, report=False)
    assert again.trials == result.trials


def test_early_stopping_beside_a_pruner():
    table = "sampler = { type = 'tpe', startup_trials = 2 }\ntrials = 8\nparallel = 2\n"
    pruner = "pruner = { type = 'median', startup_trials = 1, warmup = 0.0 }"
    base = BASE.replace("epochs = 20", "epochs = 60\nearly_stopping = { patience = 2, min_delta = 0.01 }")
    space = '"training.optimizer.learning_rate" = { low = 1e-4, high = 1.0, log = true }'
    result = sweep(space, table + pruner, base)
    assert set(states(result)) == {"finished", "pruned"}
    assert any(trial.epochs < 60 for trial in result.trials if trial.state == "finished")


def test_a_pruner_where_not_every_epoch_is_logged():
    base = BASE.replace("epochs = 20", "epochs = 30\nlog_every = 7")
    table = "trials = 6\nparallel = 1\npruner = { type = 'median', startup_trials = 1 }"
    result = sweep('"training.optimizer.learning_rate" = { low = 1e-4, high = 1.0, log = true }', table, base)
    assert all(len(trial.curve) <= 5 for trial in result.trials)
    assert "finished" in states(result)


def test_epochs_are_searched_beside_a_pruner():
    """A rung is a fraction of a trial's own epochs, of which there may be fewer than rungs."""
    table = "trials = 6\nparallel = 1\npruner = { type = 'median', startup_trials = 1 }"
    result = sweep('"training.epochs" = { low = 1, high = 50 }', table)
    for trial in result.trials:
        assert all(1 <= rung <= 20 for rung in trial.curve)
        assert trial.state != "finished" or max(trial.curve) == 20


def test_custom_parts(refused: Refused):
    base = BASE.replace("hidden_layer_sizes = [4]", "hidden_layer_sizes = [4]\nactivations = ['tanh', 'sigmoid']")
    space = '"network.activations" = [["halved", "sigmoid"], ["tanh", "sigmoid"]]'
    result = sweep(space, GRID_TABLE, base, parts=[Halved])
    assert states(result) == ["finished"] * 2
    with refused(SpecError, code="unknown-part"):
        sweep(space, GRID_TABLE, base)


def test_custom_parts_in_processes_and_a_worker_that_dies(tmp_path: Path):
    text = f'{SPARSE}[sweep]\nsampler = "grid"\n[sweep.space]\n"training.metrics" = [["accuracy"], ["killing"]]'
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        options: dict[str, Any] = {"executor": executor, "report": False}
        with pytest.raises(TrainingError, match="a worker process was killed"):
            specnet.sweep(text, tmp_path / "dies", parts=[Killing], **options)
    facts = json.loads((tmp_path / "dies/sweep.json").read_text())
    assert facts["finished"] is False
    resumed = specnet.sweep(text, tmp_path / "dies", parts=[Killing], jobs=1, resume=True, report=False)
    assert states(resumed) == ["finished"] * 2

    class Local(Halved):
        """Cannot be pickled."""

    with ProcessPoolExecutor(1) as executor, pytest.raises(DataError, match="cannot be sent to a worker"):
        specnet.sweep(GRID, tmp_path / "local", parts=[Local], executor=executor, report=False)


class Failing(Executor):
    """An executor that fails, when it is asked or later; or whose processes were killed while nobody looked."""

    def __init__(self, error: Exception, *, at_once: bool) -> None:
        self.error, self.at_once = error, at_once

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        if self.at_once:
            raise self.error
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize(
    ("error", "at_once"),
    [
        (BrokenProcessPool("a child process terminated abruptly"), True),
        (OSError("the network is down"), False),
        (RuntimeError("cannot schedule new futures"), True),
    ],
)
def test_an_executor_that_fails_is_a_clear_error(error: Exception, at_once: bool, tmp_path: Path, refused: Refused):
    executor = Failing(error, at_once=at_once)
    with refused(TrainingError):
        specnet.sweep(GRID, tmp_path / "sweep", executor=executor)
    with refused(TrainingError):
        specnet.run_many(BASE, tmp_path / "runs", folds=2, executor=executor)
    assert json.loads((tmp_path / "sweep/sweep.json").read_text())["finished"] is False


def test_figures_that_are_not_defined(tmp_path: Path, refused: Refused):
    """The area under a curve is none where a class is missing from the validation rows."""
    rng = np.random.default_rng(0)
    parts = ["validation" if row % 6 == 0 else "test" if row % 5 == 0 else "train" for row in range(60)]
    rows = ((rng.normal(), "ab"[row % 2], part) for row, part in enumerate(parts))
    data = csv_file(tmp_path / "t.csv", "x,kind,part", rows, "kind", split={"column": "part"})
    search = {"sampler": "grid", "space": {"training.l2": [0.0, 0.1]}}
    spec = {**spec_on(data, metrics=["roc_auc"]), "sweep": search}
    assert states(specnet.sweep(spec, jobs=1, report=False)) == ["finished"] * 2
    with refused(TrainingError):
        specnet.sweep({**spec, "sweep": {**search, "metric": "roc_auc"}}, jobs=1, report=False)


@pytest.mark.parametrize(
    ("space", "table"),
    [
        ('"training.l2" = { low = nan, high = inf }', ""),
        ('"training.epochs" = { low = 1, high = 99999999999999999999 }', ""),
        ('"training.l2" = [0.1]', "folds = 100"),
        ('"training.ensemble" = [2]', "pruner = 'median'"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_words(space: str, table: str, tmp_path: Path, pinned: Pinned):
    with pytest.raises(SpecnetError) as caught:
        sweep(space, table, out=tmp_path / "sweep")
    pinned(caught.value)
    assert not (tmp_path / "sweep").exists()


def test_whole_tables_are_searched():
    space = """
"network" = [{ hidden_layer_sizes = [3] }, { hidden_layer_sizes = [2, 2], dtype = "float64" }]
"training" = [
  { loss = "binary_crossentropy", epochs = 3 },
  { loss = "binary_crossentropy", epochs = 5, l2 = { low = 0.1, high = 0.2 } },
]
"""
    result = sweep(space, "trials = 6")
    assert set(states(result)) == {"finished"}
    assert {trial.epochs for trial in result.trials[1:]} == {3, 5}


def test_a_name_that_is_odd(tmp_path: Path):
    text = TPE.replace('name = "moons"', 'name = "a.b-c_1"').replace("trials = 9", "trials = 2")
    result = specnet.sweep(text, tmp_path / "an odd # folder", jobs=1)
    assert states(result) == ["finished"]
    assert fingerprint(tmp_path / "an odd # folder")


@pytest.mark.parametrize("folds", [0, 1, "3", True, 2.0])
def test_what_is_no_number_of_folds_is_refused(folds: Any, tmp_path: Path, pinned: Pinned):
    with pytest.raises((DataError, SpecError)) as caught:
        specnet.nested_sweep(GRID, tmp_path / "sweep", folds=folds, jobs=1)
    pinned(caught.value)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize("name", ["trials", "trials/0003", "best", "study.journal", "fold0", "sweep.json", "best.toml"])
def test_a_name_that_is_taken_is_an_error_in_words(name: str, tmp_path: Path, pinned: Pinned):
    """By a file where a folder is written, or the other way round."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if "." in name:
        path.mkdir()
    else:
        path.write_text("taken")
    nested: dict[str, Any] = {"folds": 2, "overrides": ["data.split.test_size=0"]} if name == "fold0" else {}
    with pytest.raises((FileError, TakenError)) as told:
        (specnet.nested_sweep if nested else specnet.sweep)(GRID, tmp_path, jobs=1, force=True, **nested)
    pinned(told.value)


def test_threads_that_call_optuna_at_once_leave_warnings_and_words_as_they_were():
    before, level = list(warnings.filters), optuna.logging.get_verbosity()

    def call() -> None:
        for _ in range(50):
            with quiet():
                time.sleep(0.0005)
                optuna.samplers.TPESampler(constant_liar=True)  # which warns

    with ThreadPoolExecutor(3) as executor:
        for future in [executor.submit(call) for _ in range(3)]:
            future.result()
    assert (list(warnings.filters), optuna.logging.get_verbosity()) == (before, level)
