"""The record in a run's folder: written by each run, read again, and the same however the run came about."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer, TrainingError
from specnet.saved.saved_run import SavedRun
from specnet.training.layer_recorder import look_epochs
from specnet.training.steps.compiled_steps import CompiledStepper
from specnet.training.steps.stepper import DENORMAL_INTERVAL
from tests.compiling import compiles
from tests.made import tensors_in
from tests.running.moons import MOONS, Interrupting, contents

RECORD = ("layers.jsonl", "snapshots.safetensors")
ENGINES = ["numpy", pytest.param("compiled", marks=[pytest.mark.slow, compiles])]


def run(out: Path | None = None, *overrides: str, **options: Any) -> Any:
    return specnet.run(MOONS, out, overrides=overrides, **{"observer": Observer(), "report": False, **options})


def written(out: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(out).items() if name in RECORD}


def test_a_run_writes_what_it_returns(tmp_path: Path):
    result = run(tmp_path)
    assert [json.loads(line) for line in (tmp_path / "layers.jsonl").read_text().splitlines()] == result.looks
    assert [look["epoch"] for look in result.looks] == look_epochs(12, rows=48)
    layers = [layer["layer"] for layer in result.looks[0]["layers"]]
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
    result, folder = run(tmp_path), SavedRun(tmp_path)
    assert folder.looks == result.looks
    again = run(tmp_path, resume=True)  # which is finished
    assert again.looks == result.looks
    assert again.evaluation == result.evaluation
    assert list(again.snapshots) == list(folder.snapshots) == list(result.snapshots) == [0, 1, 2, 12]
    for epoch, arrays in result.snapshots.items():
        assert arrays.keys() == again.snapshots[epoch].keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(again.snapshots[epoch][name], array)
    for name in RECORD:
        (tmp_path / name).unlink()
    folder = SavedRun(tmp_path)
    assert (folder.looks, folder.snapshots) == ([], {})


@pytest.mark.slow
def test_snapshots_of_an_earlier_run_are_taken_away(tmp_path: Path):
    run(tmp_path)
    result = run(tmp_path, "network.hidden_layer_sizes=[2500]", "training.epochs=1", force=True)
    assert result.snapshots == {}
    assert not (tmp_path / "snapshots.safetensors").exists()
    assert len((tmp_path / "layers.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("epoch", [1, 5, 11])
def test_a_run_that_was_interrupted_writes_the_same_bytes(tmp_path: Path, epoch: int, engine: str):
    settings = ["training.batch_size=7", "training.epochs=12", f"training.engine={engine}"]
    run(tmp_path / "whole", *settings)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", *settings, observer=Interrupting(epoch))
    looks = SavedRun(tmp_path / "broken").looks
    assert [look["epoch"] for look in looks] == [each for each in look_epochs(12, rows=48) if each <= epoch]
    run(tmp_path / "broken", *settings, resume=True)
    assert written(tmp_path / "broken") == written(tmp_path / "whole")


@pytest.mark.slow
def test_an_ensemble_records_its_first_member(tmp_path: Path):
    result = run(tmp_path / "a", "training.ensemble=3")
    theta, _ = result.model.members[0]
    network = result.model.network
    for name, array in network.parameters(theta).items():
        np.testing.assert_array_equal(result.snapshots[12][name], array)
        np.testing.assert_array_equal(
            result.snapshots[0][name], network.parameters(network.initial_parameters(0))[name]
        )
    assert [look["epoch"] for look in result.looks] == look_epochs(12, rows=48)


@pytest.mark.slow
@pytest.mark.usefixtures("born_loaded")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_first_member_tells_its_looks(jobs: int):
    settings = ["training.ensemble=2", "training.optimizer={type='sgd', learning_rate=1e30}", "training.loss='hinge'"]
    with pytest.raises(TrainingError) as caught:
        run(None, *settings, "training.epochs=400", jobs=jobs)
    assert [look["epoch"] for look in caught.value.looks][:2] == [0, 1]
    assert caught.value.looks[-1]["layers"][0]["weight"] > 1e20


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
    result = run(None, "training.engine=compiled", *long)
    seen = {*(look["epoch"] for look in result.looks), *result.snapshots}
    logged = {record["epoch"] for record in result.history}
    assert logged == {1, 1001, 2001, 3000}
    assert len(ends) > 1
    # The first step of an epoch that is seen is measured, and tiny numbers are flushed.
    looked_at = {epoch - before for epoch in seen | {3000} for before in (0, 1)}
    assert {end for end in ends if end % DENORMAL_INTERVAL} <= looked_at
    assert logged - looked_at
    assert not ends & (logged - looked_at)
