"""What a run may be resumed as, and what is refused by its name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.errors import FileError
from specnet.training import Observer
from tests.running.moons import MOONS, Interrupting, contents


def interrupted(out: Path, epoch: int = 6, *overrides: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        specnet.run(MOONS, out, observer=Interrupting(epoch), overrides=overrides)


def resumed(out: Path, *overrides: str) -> Any:
    return specnet.run(MOONS, out, resume=True, overrides=overrides)


def refusal(out: Path, *overrides: str) -> str:
    before = contents(out)
    with pytest.raises(FileError) as caught:
        resumed(out, *overrides)
    assert contents(out) == before
    (problem,) = caught.value.diagnostics
    assert problem.hint
    return problem.message


def test_results_without_a_checkpoint_are_not_overwritten(tmp_path: Path):
    interrupted(tmp_path)
    (tmp_path / "checkpoint.safetensors").unlink()
    assert "checkpoint" in refusal(tmp_path)
    (tmp_path / "run.json").unlink()
    assert "model" in refusal(tmp_path)


def test_what_differs_is_named(tmp_path: Path):
    interrupted(tmp_path)
    message = refusal(tmp_path, "network.hidden_layer_sizes=[5]", "training.l2=0.1", "data.noise=0.3")
    assert "data.noise was " in message
    assert "network.layers.0.units was 4, now 5" in message
    assert "training.l2 was 0.0, now 0.1" in message
    assert "the data was " in message
    assert "seed was 0, now 1" in refusal(tmp_path, "seed=1")
    assert "training.clip_norm was not set, now 1.0" in refusal(tmp_path, "training.clip_norm=1.0")


def test_what_differs_from_a_finished_run_is_named(tmp_path: Path):
    specnet.run(MOONS, tmp_path)
    message = "this folder holds a finished run of another spec: training.l2 was 0.0, now 0.5"
    assert refusal(tmp_path, "training.l2=0.5") == message


def test_many_differences_are_counted(tmp_path: Path):
    interrupted(tmp_path)
    assert refusal(tmp_path, "network.hidden_layer_sizes=[4, 4, 4]").endswith(" more")


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("training.optimizer={type='sgd', momentum=0.9, schedule={type='step_decay', factor=0.5, every=3}}",),
        ("training.average_weights='exponential'", "training.early_stopping={monitor='loss', patience=50}"),
    ],
)
def test_a_longer_run_goes_on_as_if_it_had_been_so_long_from_the_start(tmp_path: Path, settings: tuple[str, ...]):
    whole = specnet.run(MOONS, overrides=[*settings, "training.epochs=20"])
    interrupted(tmp_path, 6, *settings)
    longer = resumed(tmp_path, *settings, "training.epochs=20")
    np.testing.assert_array_equal(longer.model.theta, whole.model.theta)
    assert longer.history == whole.history
    assert json.loads((tmp_path / "run.json").read_text())["epochs"] == 20


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("training.optimizer={type='adam', schedule='cosine_decay'}", "schedule cosine_decay"),
        ("training.optimizer={type='adam', schedule={type='warmup', length=2, then='one_cycle'}}", "schedule warmup"),
        ("training.average_weights='stochastic'", "averaging stochastic"),
    ],
)
def test_a_longer_run_that_would_have_begun_differently_is_refused(tmp_path: Path, setting: str, part: str):
    interrupted(tmp_path, 6, setting)
    message = refusal(tmp_path, setting, "training.epochs=20")
    assert "training.epochs was 12, now 20" in message
    assert part in message


def test_a_longer_run_keeps_the_epochs_of_its_history(tmp_path: Path):
    interrupted(tmp_path)
    message = refusal(tmp_path, "training.epochs=1200")
    assert message.endswith("training.log_every was 1, now 2")


def test_a_shorter_run_is_another_one(tmp_path: Path):
    interrupted(tmp_path)
    assert "training.epochs was 12, now 8" in refusal(tmp_path, "training.epochs=8")


def test_the_time_before_an_interruption_counts(tmp_path: Path):
    heard: dict[str, float] = {}

    class Listening(Observer):
        def resumed(self, epochs: int, seconds: float) -> None:
            heard.update(epochs=epochs, before=seconds)

        def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
            heard.update(steps=steps, after=seconds)

    interrupted(tmp_path)
    first = json.loads((tmp_path / "run.json").read_text())
    specnet.run(MOONS, tmp_path, resume=True, observer=Listening())
    second = json.loads((tmp_path / "run.json").read_text())
    assert heard["epochs"] == 6
    assert heard["steps"] == second["steps"] == 12 * 2
    assert 0 < first["training_seconds"] <= heard["before"] < heard["after"]
    assert second["training_seconds"] == heard["after"]
    assert second["seconds"] > heard["before"]


def test_an_early_stop_is_not_forgotten(tmp_path: Path):
    stopping = "training.early_stopping={monitor='loss', patience=2, min_delta=1e9}"
    whole = specnet.run(MOONS, overrides=[stopping])
    interrupted(tmp_path, 3, stopping)  # at the very epoch that ends it
    again = resumed(tmp_path, stopping)
    assert again.history == whole.history
    np.testing.assert_array_equal(again.model.theta, whole.model.theta)


def test_the_model_of_another_run_is_not_taken_for_this_ones(tmp_path: Path):
    for seed in (0, 1):
        specnet.run(MOONS, tmp_path / str(seed), overrides=[f"seed={seed}"])
    (tmp_path / "0" / "model.safetensors").write_bytes((tmp_path / "1" / "model.safetensors").read_bytes())
    assert "run.json" in refusal(tmp_path / "0")


@pytest.mark.parametrize("setting", ["training.epochs=20", "training.epochs=1200"])
def test_a_finished_run_is_not_trained_longer(tmp_path: Path, setting: str):
    specnet.run(MOONS, tmp_path)
    assert "finished" in refusal(tmp_path, setting)
