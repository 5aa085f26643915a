"""A run that goes on from a checkpoint ends in the bytes of one that was never interrupted."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import FileError
from specnet.files.run_files import RUN_FILES
from specnet.files.tensors import decode, encode
from specnet.training import Checkpoint, RunIdentity, TrainingRows, train
from specnet.training.checkpoint import in_words, is_finite
from specnet.training.layer_record import TrainingRecord
from tests.registry import find, names
from tests.running.moons import Interrupting
from tests.texts.pinned import Refused
from tests.training.test_loop import rows_of

EPOCHS = 6
FIELDS = {
    "constant": {"value": 0.1},
    "step_decay": {"factor": 0.5, "every": 2},
    "piecewise_constant": {"boundaries": [2, 4], "factors": [1, 0.5, 0.1]},
    "cosine_decay_restarts": {"first_length": 3},
    "warmup": {"length": 2, "then": "cosine_decay"},
    "reduce_on_plateau": {"monitor": "loss", "patience": 1, "factor": 0.5},
    "exponential": {"decay": 0.9},
    "stochastic": {"start": 0.4},
}


def fields_of(part) -> dict:
    """Return a part's fields: those given above, or a number for each that has no default."""
    given = FIELDS.get(part.part_name(), {}) if part.kind != "optimizer" else {}
    needed = {name for name, field in part.model_fields.items() if field.is_required()}
    known = {name: value for name, value in given.items() if name in part.model_fields}
    return known | dict.fromkeys(needed - given.keys(), 0.5)


def part_of(kind: str, name: str) -> dict:
    part = find(kind, name)
    return {"type": name, **fields_of(part)}


def spec_of(**training) -> dict:
    layers = [
        {"type": "dense", "units": 5, "activation": "tanh"},
        {"type": "batch_normalization"},
        {"type": "dropout", "rate": 0.3},
        {"type": "dense", "units": 2},
    ]
    return {
        "network": {"dtype": "float64", "input_size": 3, "layers": layers},
        "training": {"loss": "mse", "epochs": EPOCHS, "checkpoint_every": 1} | training,
    }


def assert_resumes(spec: dict, rows: TrainingRows) -> None:
    """Train at one go, and again from each of the checkpoints; everything has to be the same."""
    network, kept = specnet.build(spec), []

    def keep(reached):
        kept.append(replace(reached, run=RunIdentity("{}", "0")).to_bytes())

    whole = train(network, network.initial_parameters(), rows, keep_checkpoint=keep)
    for content in kept:
        checkpoint = Checkpoint.from_bytes(content)
        again = train(network, network.initial_parameters(), rows, checkpoint=checkpoint)
        np.testing.assert_array_equal(again.theta, whole.theta)
        assert again.history == whole.history
        assert (again.epochs, again.steps) == (whole.epochs, whole.steps)
        assert again.state.keys() == whole.state.keys()
        for name, array in again.state.items():
            np.testing.assert_array_equal(array, whole.state[name])
    resumable = find("optimizer", network.spec.training.optimizer.type).part_name() != "lbfgs"
    assert len(kept) == (EPOCHS - 1 if resumable else 0)


@pytest.mark.parametrize("name", names("optimizer"))
def test_every_optimizer_resumes(name: str):
    part = find("optimizer", name)
    batch = "full" if part.full_batch_only else 4
    assert_resumes(spec_of(optimizer=part_of("optimizer", name), batch_size=batch), rows_of(10))


@pytest.mark.slow
@pytest.mark.parametrize("name", names("schedule"))
def test_every_schedule_resumes(name: str):
    optimizer = {"type": "adam", "schedule": part_of("schedule", name)}
    assert_resumes(spec_of(optimizer=optimizer, batch_size=4), rows_of(10))


@pytest.mark.parametrize("name", names("averaging"))
def test_every_average_resumes(name: str):
    assert_resumes(spec_of(average_weights=part_of("averaging", name), batch_size=4), rows_of(10))


def test_early_stopping_and_clipping_resume():
    stopping = {"monitor": "loss", "patience": 50}
    assert_resumes(spec_of(early_stopping=stopping, clip_norm=0.1, l2=0.01, log_every=2, batch_size=4), rows_of(10))


def reached_in(epochs: int = 2) -> Checkpoint:
    network = specnet.build(spec_of(batch_size=4))
    return train(network, network.initial_parameters(), rows_of(10), epochs=epochs, records=True).reached


def written(metadata: object, texts: dict[str, object], tensors: dict[str, np.ndarray]) -> bytes:
    """Return a checkpoint's file with other contents than a run's; None is left out."""
    told, kept = decode(replace(reached_in(), run=RunIdentity("{}", "0")).to_bytes())
    if isinstance(metadata, dict):
        whole = json.loads(told)
        facts = {key: value for key, value in metadata.items() if key in whole["facts"]}
        whole |= {"facts": whole["facts"] | facts} | {key: metadata[key] for key in metadata.keys() & whole.keys()}
        metadata = {key: value for key, value in whole.items() if value is not None}
    bare = {name: array for name, array in kept.items() if texts.get(name, name) is not None}
    new = {name: np.frombuffer(json.dumps(text).encode(), np.uint8) for name, text in texts.items() if text is not None}
    return encode(bare | new | tensors, json.dumps(metadata))


@pytest.mark.parametrize(
    ("metadata", "told", "tensors"),
    [
        ({"checkpoint": 4}, {}, {}),
        ([], {}, {}),
        ({"data_sha256": None}, {}, {}),
        ({}, {"history": None}, {}),
        ({}, {"looks": None}, {}),
        ({}, {"spec": None}, {}),
        ({}, {"spec": []}, {}),
        ({"facts": None}, {}, {}),
        ({"engine": "abacus"}, {}, {}),
        ({"epochs": 1}, {}, {}),
        ({"steps": 5, "updates": 6}, {}, {}),
        ({}, {"history": {}}, {}),
        ({}, {"history": [{"epoch": 0}]}, {}),
        ({}, {"history": [{"epoch": 1, "loss": None}]}, {}),
        ({}, {"history": [{"epoch": 1, "loss": "low"}]}, {}),
        ({}, {"history": [{"epoch": 1}, {"epoch": 1}]}, {}),
        ({}, {"history": [{"epoch": 1}, {"epoch": 1, "member": 2}]}, {}),
        ({}, {"looks": [{"epoch": 1, "layers": []}, {"epoch": 1, "layers": []}]}, {}),
        ({}, {"looks": [3]}, {}),
        ({}, {"looks": [{"epoch": 1}]}, {}),
        ({}, {}, {"snapshot/first/theta": np.zeros(1)}),
        ({}, {}, {"snapshot/1/": np.zeros(1)}),
        ({}, {}, {f"snapshot/{'9' * 80}/theta": np.zeros(1)}),
        ({}, {}, {"snapshot/1": np.zeros(1)}),
    ],
)
def test_a_damaged_checkpoint_is_refused(metadata, told, tensors, refused: Refused):
    with refused(FileError):
        Checkpoint.from_bytes(written(metadata, told, tensors))


def test_a_checkpoint_comes_back_from_its_file():
    reached, empty = reached_in(), {"layers.1.nothing": np.zeros((0, 2))}
    given = replace(reached, run=RunIdentity('{"seed": 1}', "abc"), tensors={**reached.tensors, **empty})
    snapshots = {10: {"layers.0/weight": np.ones(2)}, 9: {"a": np.zeros(1), "b": np.zeros((0, 1))}}
    record = TrainingRecord(reached.record.looks, snapshots)
    found = Checkpoint.from_bytes(replace(given, record=record).to_bytes())
    assert (found.facts, found.history, found.run) == (json.loads(json.dumps(given.facts)), given.history, given.run)
    assert found.record.looks == reached.record.looks != []
    assert list(found.record.snapshots) == [9, 10]
    assert {epoch: list(arrays) for epoch, arrays in found.record.snapshots.items()} == {
        9: ["a"],
        10: ["layers.0/weight"],
    }
    assert {name: array.tobytes() for name, array in found.tensors.items()} == {
        name: array.tobytes() for name, array in reached.tensors.items() if array.size
    }
    found.restore(empty)
    assert replace(found, facts={"seconds": 2, "members": [{"seconds": 3}, {"seconds": 4}]}).seconds == 9
    members = [{"epoch": 1}, {"epoch": 9}, {"epoch": 1, "member": 1}, {"epoch": 2, "member": 1}]
    finished = {"epochs": 9, "steps": 1, "seconds": 0.0, "end": "all epochs"}
    content = written({"facts": {**found.facts, "members": [finished]}}, {"history": members}, {})
    assert Checkpoint.from_bytes(content).history == members


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 1)), np.zeros(2, np.float32)])
def test_a_checkpoint_of_other_arrays_is_refused(array: np.ndarray, refused: Refused):
    checkpoint = Checkpoint({"theta": np.ones(2)}, {}, [])
    with refused(FileError):
        checkpoint.restore({"theta": array})
    with refused(FileError):
        checkpoint.restore({"average": np.zeros(2)})
    own = np.zeros(2)
    checkpoint.restore({"theta": own})
    assert own.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, True), (0.5, True), (sys.float_info.max, True), (-sys.float_info.max, True), (10**400, False)]
    + [(value, False) for value in (True, None, "1", np.inf, -np.inf, np.nan)],
)
def test_a_finite_number_of_a_file(value: object, expected: bool):
    assert is_finite(value) == expected


def test_what_differs_between_runs_is_named():
    then = RunIdentity('{"a": {"b": [1, 2], "c": {}, "text": "ä"}, "old": null}', "0123456789")
    now = RunIdentity('{"a": {"b": [1, 3, 4], "c": {}, "text": "ä"}, "new": {"x": "%s"}}' % ("y" * 60), "abcdefghij")
    found = then.differences(now)
    assert [tuple(each) for each in found] == [
        ("a.b.1", "2", "3"),
        ("old", "null", "not set"),
        ("a.b.2", "not set", "4"),
        ("new.x", "not set", f'"{"y" * 60}"'),
        ("the data", "01234567…", "abcdefgh… (SHA-256)"),
    ]
    assert str(found[0]) == "a.b.1 was 2, now 3"
    assert str(found[3]) == f'new.x was not set, now "{"y" * 58}…'
    assert in_words(found) == "; ".join(map(str, found))
    assert in_words([*found, found[0]]) == "; ".join([*map(str, found), "and 1 more"])
    assert then.differences(then) == []
    assert then.spec_sha256 == hashlib.sha256(then.spec.encode()).hexdigest()


RUN = """
seed = 3
[data]
type = "npz"
path = "rows.npz"
split = { test_size = 0.0 }
[network]
hidden_layer_sizes = [16, 16]
[training]
loss = "mse"
epochs = 200
batch_size = 16
checkpoint_every = 1
average_weights = { type = "exponential", decay = 0.99 }
early_stopping = { monitor = "loss", patience = 1000 }
optimizer = { type = "adam", schedule = { type = "reduce_on_plateau", monitor = "loss", patience = 3 } }
"""

# A driver of its own: children are forked from it when everything is imported, and killed after a random time. A run
# that ends before the last kill, as on a fast machine, is followed by the next, in a folder of its own.
DRIVER = """
import os, random, signal, sys, time
import specnet, specnet.running.runner

os.fsync = lambda descriptor: None  # it is killed, and its machine is not
spec, out, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
specnet.run(spec, out + "/whole")
random.seed(0)

def child(run):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            specnet.run(spec, out + f"/killed-{run}", resume=True)
            status = 0
        finally:
            os._exit(status)
    return pid

killed = run = 0
while killed < kills:
    pid = child(run)
    time.sleep(random.uniform(0, 0.15))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    killed += os.WIFSIGNALED(status)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    run += not os.WIFSIGNALED(status)  # one that was killed with all its files written still has its lock
_, status = os.waitpid(child(run), 0)
assert status == 0, status
print(killed)
"""


@pytest.fixture
def spec(tmp_path: Path, trained_by: str) -> Path:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", X=rng.normal(size=(160, 4)), y=rng.normal(size=160))
    path = tmp_path / "run.toml"
    path.write_text(RUN + f'engine = "{trained_by}"\n')  # also in processes of their own
    return path


@pytest.mark.slow
def test_killed_10_times_anywhere(spec: Path, tmp_path: Path):
    command = [sys.executable, "-W", "error", "-c", DRIVER, str(spec), str(tmp_path), "10"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert int(outcome.stdout) == 10
    whole, runs = tmp_path / "whole", list(tmp_path.glob("killed-*"))
    assert runs
    for killed in runs:
        assert sorted(path.name for path in killed.iterdir()) == sorted(path.name for path in whole.iterdir())
        for path in whole.iterdir():
            if path.name != "run.json":
                assert path.read_bytes() == (killed / path.name).read_bytes(), path.name


@pytest.mark.slow
def test_a_finished_run_is_not_run_again(spec: Path, tmp_path: Path):
    first = specnet.run(spec, tmp_path / "out", overrides=["training.epochs=3"])
    facts = (tmp_path / "out" / "run.json").read_bytes()
    again = specnet.run(spec, tmp_path / "out", resume=True, overrides=["training.epochs=3"])
    np.testing.assert_array_equal(again.model.theta, first.model.theta)
    assert (again.history, again.metrics) == (first.history, first.metrics)
    assert (tmp_path / "out" / "run.json").read_bytes() == facts
    assert "checkpoint.safetensors" in RUN_FILES
    assert not (tmp_path / "out" / "checkpoint.safetensors").exists()


def test_a_checkpoint_of_another_run_is_refused(spec: Path, tmp_path: Path, refused: Refused):
    with pytest.raises(KeyboardInterrupt):
        specnet.run(spec, tmp_path / "out", observer=Interrupting(5))
    with refused(FileError, at="checkpoint.safetensors"):
        specnet.run(spec, tmp_path / "out", resume=True, overrides=["seed=4"])
    for content in (b"", b"PK\x03\x04", (tmp_path / "out" / "checkpoint.safetensors").read_bytes()[:-5]):
        (tmp_path / "out" / "checkpoint.safetensors").write_bytes(content)
        with pytest.raises(FileError):
            specnet.run(spec, tmp_path / "out", resume=True)


def test_a_finished_run_of_another_spec_is_not_taken_for_this_one(spec: Path, tmp_path: Path, refused: Refused):
    specnet.run(spec, tmp_path / "out", overrides=["training.epochs=3"])
    for override in ("training.l2=0.5", "network.hidden_layer_sizes=[5]"):
        with refused(FileError, at="out"):
            specnet.run(spec, tmp_path / "out", resume=True, overrides=[override])
    with np.load(tmp_path / "rows.npz") as rows:
        changed = {"X": rows["X"] + 1, "y": rows["y"]}
    np.savez(tmp_path / "rows.npz", **changed)
    with refused(FileError, at="out"):
        specnet.run(spec, tmp_path / "out", resume=True, overrides=["training.epochs=3"])
