"""A sweep is the same files whoever computes it, and however often it was interrupted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import specnet
from tests.running.many.executors import EXECUTORS, mpi
from tests.running.sweeps.searches import BASE, SWEEPS, fingerprint


def searched(name: str, out: Path, **arguments: Any) -> dict[str, str]:
    specnet.sweep(SWEEPS[name], out, report=False, **arguments)
    return fingerprint(out)


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of each sweep, computed in this process."""
    top = tmp_path_factory.mktemp("serial")
    for name in SWEEPS:
        searched(name, top / name, jobs=1)
    return top


MISSING = [{5}, {0, 1, 4}, {2, 3, 4, 5}]


def states(folder: Path) -> list[str]:
    return [json.loads(path.read_bytes())["state"] for path in sorted(folder.glob("trials/*/run.json"))]


@pytest.mark.slow
def test_the_sweeps_are_worth_comparing(serial: Path):
    """Pruning has begun, and trials differ."""
    assert set(states(serial / "pruned")) == {"finished", "pruned"}
    for name in SWEEPS:
        models = [path.read_bytes() for path in sorted((serial / name).rglob("*model.safetensors"))]
        assert len(models) > 3
        # The best trial's, those of the spec as written, which is in the grid, and those of teams of a single trial.
        twice = {"tpe": 1, "pruned": 1, "grid": 3, "folds": 4, "members": 2}
        assert len(set(models)) == len(models) - twice[name]
    files = set(fingerprint(serial / "tpe"))
    assert {"best.toml", "spec.toml", "sweep.json", "trials.csv", "best/metrics.json", "trials/0008/run.json"} <= files


@pytest.mark.slow
@pytest.mark.usefixtures("born_loaded", "at_once")
def test_with_processes_of_its_own(serial: Path, tmp_path: Path):
    assert searched("pruned", tmp_path / "again", jobs=2) == fingerprint(serial / "pruned")


@pytest.mark.slow
# Which warnings are shown is the process's: a thread that computes may take back what the coordinator has set.
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("kind", EXECUTORS)
def test_with_any_executor(kind: str, serial: Path, tmp_path: Path):
    """Pruned trials by threads too, as processes have them above; "tpe" and "grid" are those again with fewer tasks."""
    with EXECUTORS[kind]() as arguments:
        for name in ("pruned", "members") if kind == "threads" else ("folds", "members"):
            assert searched(name, tmp_path / name, **arguments) == fingerprint(serial / name)


@pytest.mark.slow
def test_with_mpi(serial: Path, tmp_path: Path):
    mpi("tests.running.sweeps.by_mpi", tmp_path)
    for name in SWEEPS:
        assert fingerprint(tmp_path / name) == fingerprint(serial / name)
    specnet.run_many(BASE, tmp_path / "here", folds=3, seeds=2)
    assert fingerprint(tmp_path / "runs") == fingerprint(tmp_path / "here")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "missing"),
    [
        *(("pruned", missing) for missing in MISSING),
        ("tpe", MISSING[1]),  # which is drawn as that is
        ("grid", MISSING[1]),  # whose trials depend on no other, nor do those of folds
        ("folds", MISSING[1]),
        *(("members", missing) for missing in MISSING[1:]),
    ],
)
def test_resumed_with_some_trials_missing(name: str, missing: set[int], serial: Path, tmp_path: Path):
    """Trials end in any order, so that any of them may be missing."""
    shutil.copytree(serial / name, tmp_path / "sweep")
    for number in missing:
        shutil.rmtree(tmp_path / f"sweep/trials/{number:04}")
    for later in ("best", "best.toml", "trials.csv", "study.journal"):
        path = tmp_path / "sweep" / later
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert searched(name, tmp_path / "sweep", jobs=1, resume=True) == fingerprint(serial / name)


@pytest.mark.slow
@pytest.mark.usefixtures("born_loaded", "at_once")
def test_nested_sweeps_with_processes(tmp_path: Path):
    arguments: dict[str, Any] = {"folds": 2, "report": False}
    specnet.nested_sweep(SWEEPS["grid"], tmp_path / "one", jobs=1, **arguments)
    specnet.nested_sweep(SWEEPS["grid"], tmp_path / "two", jobs=2, **arguments)
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    shutil.rmtree(tmp_path / "one/fold1")
    shutil.rmtree(tmp_path / "one/fold0/trials/0002")
    specnet.nested_sweep(SWEEPS["grid"], tmp_path / "one", jobs=1, resume=True, **arguments)
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
