"""The beginning of a run that is made again: up to an epoch, or as far as an interrupted run came."""

import json
import signal
from pathlib import Path

import pytest

from specnet import DataError, Observer, run, verify
from specnet.training.steps.trainer import BatchGradient
from tests.running.moons import Interrupting
from tests.running.verification.folders import FILES, SPEC, change_model, made, one_ulp_up, verified, without_hashes
from tests.texts.pinned import Refused

pytestmark = [pytest.mark.slow, pytest.mark.trains]


class Recording(Observer):
    def __init__(self) -> None:
        self.epochs: list[int] = []

    def logged(self, epoch, record):
        self.epochs.append(epoch)


def test_the_beginning_alone_is_that_of_the_whole_run(tmp_path: Path):
    schedule = 'optimizer = { type = "sgd", learning_rate = 0.1, schedule = "cosine_decay" }\nbatch_size = 16'
    made(tmp_path / "run", SPEC.replace("epochs = 12", f"epochs = 40\n{schedule}\nlog_every = 3"))
    for epochs in (1, 5, 39, 40):
        found = verified(tmp_path / "run", epochs=epochs)
        assert found.is_same
        assert (found.beginning and found.beginning.epochs) == (epochs if epochs < 40 else None)
    lines = (tmp_path / "run/history.jsonl").read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), "loss": 7.0})  # of epoch 7
    (tmp_path / "run/history.jsonl").write_text("\n".join(lines) + "\n")
    assert verified(tmp_path / "run", epochs=6).is_same
    (difference,) = verified(tmp_path / "run", epochs=7).differences
    assert (difference.file, difference.epoch) == ("history.jsonl", 7)
    assert str(verified(tmp_path / "run", epochs=6)) == "the same 5 files up to epoch 6"
    recorder = Recording()
    verify(tmp_path / "run", epochs=6, observer=recorder)
    assert recorder.epochs == [1, 4]
    (tmp_path / "run/history.jsonl").write_text("\n".join(lines[:2] + lines[3:]) + "\n")
    (difference,) = verified(tmp_path / "run").differences
    assert (difference.epoch, difference.name, difference.then) == (7, "loss", "not set")


@pytest.mark.parametrize(
    "training",
    [
        ["optimizer=lbfgs"],
        ["average_weights=exponential", "batch_size=16"],
        ["early_stopping.patience=2", "optimizer.learning_rate=0.1"],
    ],
)
def test_whatever_trains_is_the_same_whole_and_up_to_an_epoch(tmp_path: Path, training: list[str]):
    overrides = [f"training.{setting}" for setting in training]
    made(tmp_path / "run", overrides=[*overrides, "data.split.validation_size=0.2"])
    assert verified(tmp_path / "run").is_same
    assert verified(tmp_path / "run", epochs=3).is_same


def test_an_interrupted_run_is_compared_as_far_as_it_came(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        run(SPEC, tmp_path / "run", observer=Interrupting(5))
    found = verified(tmp_path / "run")
    assert found.is_same
    assert (found.beginning.epochs, str(found)) == (5, f"the same {FILES + 1} files up to epoch 5")
    assert {"checkpoint.safetensors", "model.safetensors", "metrics.json"} <= set(found.files)
    assert verified(tmp_path / "run", epochs=9).files == found.files
    cut = verified(tmp_path / "run", epochs=3)
    assert cut.is_same
    assert not {"checkpoint.safetensors", "model.safetensors"} & set(cut.files)


def test_a_changed_checkpoint_is_found(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        run(SPEC.replace("12", "13"), tmp_path / "run", observer=Interrupting(5))
    with pytest.raises(KeyboardInterrupt):
        run(SPEC.replace("12", "13"), tmp_path / "other", overrides=["training.l2=0.1"], observer=Interrupting(5))
    (tmp_path / "other/checkpoint.safetensors").replace(tmp_path / "run/checkpoint.safetensors")
    (difference,) = verified(tmp_path / "run").differences
    assert difference.file == "checkpoint.safetensors"
    assert difference.distance.count > 0


def test_a_run_that_was_interrupted_within_an_epoch_is_compared_up_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    take = BatchGradient.take

    def interrupted(gradient, step, with_loss):
        if step == 4 * 3 + 1:  # of three steps an epoch
            signal.raise_signal(signal.SIGINT)
        return take(gradient, step, with_loss)

    monkeypatch.setattr(BatchGradient, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(SPEC.replace("epochs = 12", "epochs = 12\nbatch_size = 16"), tmp_path / "run", observer=Observer())
    monkeypatch.undo()
    assert json.loads((tmp_path / "run/run.json").read_text())["end"] == "interrupted in epoch 5"
    found = verified(tmp_path / "run")
    assert (found.is_same, found.beginning.epochs) == (True, 4)
    assert {"model.safetensors", "checkpoint.safetensors", "run.json"} <= set(found.files)
    change_model(tmp_path / "run", "layers.1.bias", one_ulp_up, recorded=False)
    found = verified(tmp_path / "run")
    (difference,) = found.differences
    assert (difference.file, difference.name, found.inputs) == ("model.safetensors", "SHA-256", ())
    without_hashes(tmp_path / "run")
    found = verified(tmp_path / "run")
    assert [each.file for each in found.differences] == ["model.safetensors"]
    assert found.unchecked == ("spec.toml", "metrics.json", "findings.json", "checkpoint.safetensors", "run.json")


def test_a_run_without_an_epoch_has_nothing_to_compare(tmp_path: Path, refused: Refused):
    class AtOnce(Observer):
        def trained(self, epoch, snapshot):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(SPEC, tmp_path / "run", observer=AtOnce())
    with refused(DataError):
        verify(tmp_path / "run")


def test_a_resumed_run_is_as_a_whole_one(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        run(SPEC, tmp_path / "run", observer=Interrupting(5))
    run(SPEC, tmp_path / "run", resume=True, observer=Observer())
    assert verified(tmp_path / "run").is_same


def test_ensembles_whole_begun_and_interrupted(tmp_path: Path):
    overrides = ["training.ensemble=3", "training.epochs=6"]
    made(tmp_path / "run", overrides=overrides)
    assert verified(tmp_path / "run").is_same
    found = verified(tmp_path / "run", epochs=2)
    assert (found.is_same, found.beginning) == (True, (0, 2))

    with pytest.raises(KeyboardInterrupt):
        run(SPEC, tmp_path / "cut", overrides=overrides, observer=Interrupting(3, 1))
    found = verified(tmp_path / "cut")
    assert (found.is_same, found.beginning) == (True, (1, 3))
    assert str(found) == f"the same {FILES + 1} files up to epoch 3 of member 1"
