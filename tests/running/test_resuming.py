"""What a run may be resumed as, and what is refused by its name."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import FileError
from specnet.training import Checkpoint
from specnet.training.observer import Relay
from tests.running.moons import MOONS, Interrupting, contents
from tests.texts.pinned import Pinned


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


def test_results_without_a_checkpoint_are_not_overwritten(tmp_path: Path, pinned: Pinned):
    interrupted(tmp_path)
    (tmp_path / "checkpoint.safetensors").unlink()
    pinned(refusal(tmp_path))
    (tmp_path / "run.json").unlink()
    pinned(refusal(tmp_path))


def test_what_differs_is_named(tmp_path: Path, pinned: Pinned):
    interrupted(tmp_path)
    for settings in (
        ("network.hidden_layer_sizes=[5]", "training.l2=0.1", "data.noise=0.3"),
        ("seed=1",),
        ("training.clip_norm=1.0",),
        ("network.hidden_layer_sizes=[4, 4, 4]",),  # many differences
        ("training.epochs=1200",),  # other epochs are logged
        ("training.epochs=8",),
    ):
        # The sum of rows that are computed may differ from one CPU to another.
        pinned(re.sub("[0-9a-f]{8}…", "…", refusal(tmp_path, *settings)))


def test_what_differs_from_a_finished_run_is_named(tmp_path: Path, pinned: Pinned):
    specnet.run(MOONS, tmp_path)
    for setting in ("training.l2=0.5", "training.epochs=20", "training.epochs=1200"):
        pinned(refusal(tmp_path, setting))


@pytest.mark.parametrize(
    ("damage", "missing"),
    [({"training_seconds": None}, "training_seconds"), ({"members": []}, "end"), ({"members": "all"}, "end")],
)
def test_a_finished_run_without_what_its_result_has_is_a_damaged_one(
    tmp_path: Path, damage: dict[str, Any], missing: str
):
    specnet.run(MOONS, tmp_path)
    facts = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(facts | damage))
    with pytest.raises(FileError, match=f'"{missing}" is missing'):
        resumed(tmp_path)


@pytest.mark.slow
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
    "setting",
    [
        "training.optimizer={type='adam', schedule='cosine_decay'}",
        "training.optimizer={type='adam', schedule={type='warmup', length=2, then='one_cycle'}}",
        "training.average_weights='stochastic'",
    ],
)
def test_a_longer_run_that_would_have_begun_differently_is_refused(tmp_path: Path, setting: str, pinned: Pinned):
    interrupted(tmp_path, 6, setting)
    pinned(refusal(tmp_path, setting, "training.epochs=20"))


def test_the_time_before_an_interruption_counts(tmp_path: Path):
    heard: dict[str, tuple[Any, ...]] = {}
    interrupted(tmp_path)
    first = json.loads((tmp_path / "run.json").read_text())
    kept = Checkpoint.from_bytes((tmp_path / "checkpoint.safetensors").read_bytes()).seconds
    specnet.run(MOONS, tmp_path, resume=True, observer=Relay(heard.__setitem__))
    second = json.loads((tmp_path / "run.json").read_text())
    (epochs, before), (_, steps, after, _) = heard["resumed"], heard["ended"]
    assert epochs == 6
    assert steps == second["steps"] == 12 * 2
    assert 0 < kept <= first["training_seconds"]
    assert kept <= before < after
    assert second["training_seconds"] == after
    assert second["seconds"] > before


def test_an_early_stop_is_not_forgotten(tmp_path: Path):
    stopping = "training.early_stopping={monitor='loss', patience=2, min_delta=1e9}"
    whole = specnet.run(MOONS, overrides=[stopping])
    interrupted(tmp_path, 3, stopping)  # at the very epoch that ends it
    again = resumed(tmp_path, stopping)
    assert again.history == whole.history
    np.testing.assert_array_equal(again.model.theta, whole.model.theta)


def test_the_model_of_another_run_is_not_taken_for_this_ones(tmp_path: Path, pinned: Pinned):
    for seed in (0, 1):
        specnet.run(MOONS, tmp_path / str(seed), overrides=[f"seed={seed}"])
    (tmp_path / "0" / "model.safetensors").write_bytes((tmp_path / "1" / "model.safetensors").read_bytes())
    pinned(refusal(tmp_path / "0"))
