"""A run that goes on from a checkpoint ends in the bytes of one that was never interrupted."""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import FileError
from specnet.files.tensors import decode, encode
from specnet.training.checkpoint import in_words, is_finite
from tests.networks import Checkpoint, RunIdentity, dense, document, rows_of, trained
from tests.registry import find, names
from tests.running.moons import Interrupting
from tests.texts.pinned import Refused

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


def part_of(kind: str, name: str) -> dict:
    """Return a part with the fields that are given above, or a number for each that has no default."""
    given = FIELDS.get(name, {}) if kind != "optimizer" else {}
    fields = find(kind, name).model_fields
    needed = {name for name, field in fields.items() if field.is_required()}
    known = {name: value for name, value in given.items() if name in fields}
    return {"type": name} | known | dict.fromkeys(needed - given.keys(), 0.5)


def spec_of(**training) -> dict:
    layers = [dense(5, "tanh"), "batch_normalization", {"type": "dropout", "rate": 0.3}, dense(2)]
    return document(*layers, **{"epochs": EPOCHS, "checkpoint_every": 1} | training)


def again(reached: Checkpoint) -> Checkpoint:
    """A checkpoint that was written and read."""
    return Checkpoint.from_bytes(replace(reached, run=RunIdentity("{}", "0")).to_bytes())


OPTIMIZERS = [
    {"optimizer": part_of("optimizer", name), "batch_size": "full" if find("optimizer", name).full_batch_only else 4}
    for name in names("optimizer")
]
STOPPING = {"monitor": "loss", "patience": 50}
RESUMED = [
    *OPTIMIZERS,
    *({"average_weights": part_of("averaging", name)} for name in names("averaging")),
    {"early_stopping": STOPPING, "clip_norm": 0.1, "l2": 0.01, "log_every": 2},
]
SCHEDULES = [{"optimizer": {"type": "adam", "schedule": part_of("schedule", name)}} for name in names("schedule")]


@pytest.mark.parametrize(
    "training", [*RESUMED, *(pytest.param(each, marks=pytest.mark.slow) for each in SCHEDULES)], ids=str
)
def test_from_each_checkpoint_training_ends_the_same(training: dict):
    network, rows, checkpoints = specnet.build(spec_of(**{"batch_size": 4, **training})), rows_of(10), []
    whole = trained(network, rows, keep_checkpoint=lambda reached: checkpoints.append(again(reached)))
    for checkpoint in checkpoints:
        found = trained(network, rows, checkpoint=checkpoint)
        np.testing.assert_array_equal(found.theta, whole.theta)
        assert (found.history, found.epochs, found.steps) == (whole.history, whole.epochs, whole.steps)
        np.testing.assert_equal(found.state, whole.state)
    assert len(checkpoints) == (EPOCHS - 1 if network.spec.training.optimizer.type != "lbfgs" else 0)


def reached_in(epochs: int = 2) -> Checkpoint:
    return trained(specnet.build(spec_of(batch_size=4)), rows_of(10), epochs=epochs, records=True).reached


def written(metadata: object, texts: dict[str, object], tensors: dict[str, np.ndarray]) -> bytes:
    """Return a checkpoint's file with other contents than a run's; None is left out."""
    facts, arrays = decode(replace(reached_in(), run=RunIdentity("{}", "0")).to_bytes())
    if isinstance(metadata, dict):
        whole = json.loads(facts)
        changed = {key: value for key, value in metadata.items() if key in whole["facts"]}
        whole |= {"facts": whole["facts"] | changed} | {key: metadata[key] for key in metadata.keys() & whole.keys()}
        metadata = {key: value for key, value in whole.items() if value is not None}
    bare = {name: array for name, array in arrays.items() if texts.get(name, name) is not None}
    new = {name: np.frombuffer(json.dumps(text).encode(), np.uint8) for name, text in texts.items() if text is not None}
    return encode(bare | new | tensors, json.dumps(metadata))


METADATA: list[Any] = [{"checkpoint": 4}, [], {"data_sha256": None}, {"facts": None}, {"engine": "abacus"}]
METADATA += [{"epochs": 1}, {"steps": 5, "updates": 6}]
HISTORIES: list[Any] = [None, {}, [{"epoch": 0}], [{"epoch": 1, "loss": None}], [{"epoch": 1, "loss": "low"}]]
HISTORIES += [[{"epoch": 1}, {"epoch": 1}], [{"epoch": 1}, {"epoch": 1, "member": 2}]]
LOOKS: list[Any] = [None, [{"epoch": 1, "layers": []}] * 2, [3], [{"epoch": 1}]]
TEXTS = {"history": HISTORIES, "looks": LOOKS, "spec": [None, []]}
DAMAGED: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    *((metadata, {}, {}) for metadata in METADATA),
    *(({}, {name: text}, {}) for name, texts in TEXTS.items() for text in texts),
    *(({}, {}, {f"snapshot/{name}": np.zeros(1)}) for name in ("first/theta", "1/", f"{'9' * 80}/theta", "1")),
]


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_checkpoint_is_refused(damaged, refused: Refused):
    with refused(FileError):
        Checkpoint.from_bytes(written(*damaged))


def test_a_checkpoint_comes_back_from_its_file():
    reached, empty = reached_in(), {"layers.1.nothing": np.zeros((0, 2))}
    given = replace(reached, run=RunIdentity('{"seed": 1}', "abc"), tensors={**reached.tensors, **empty})
    snapshots = {10: {"layers.0/weight": np.ones(2)}, 9: {"a": np.zeros(1), "b": np.zeros((0, 1))}}
    record = replace(reached.record, snapshots=snapshots)
    found = Checkpoint.from_bytes(replace(given, record=record).to_bytes())
    assert (found.facts, found.history, found.run) == (json.loads(json.dumps(given.facts)), given.history, given.run)
    assert found.record.layer_records == reached.record.layer_records != []
    assert list(found.record.snapshots) == [9, 10]
    assert [list(arrays) for arrays in found.record.snapshots.values()] == [["a"], ["layers.0/weight"]]
    assert {name: array.tobytes() for name, array in found.tensors.items()} == {
        name: array.tobytes() for name, array in reached.tensors.items() if array.size
    }
    found.restore(empty)
    assert replace(found, facts={"seconds": 2, "members": [{"seconds": 3}, {"seconds": 4}]}).seconds == 9
    members = [{"epoch": 1}, {"epoch": 9}, {"epoch": 1, "member": 1}, {"epoch": 2, "member": 1}]
    finished = {"epochs": 9, "steps": 1, "seconds": 0.0, "end": "all epochs"}
    content = written({"facts": {**found.facts, "members": [finished]}}, {"history": members}, {})
    assert Checkpoint.from_bytes(content).history == members


def test_a_checkpoint_of_other_arrays_is_refused(refused: Refused):
    checkpoint = Checkpoint({"theta": np.ones(2)}, {}, [])
    for name, array in (
        *(("theta", array) for array in (np.zeros(3), np.zeros((2, 1)), np.zeros(2, np.float32))),
        ("average", np.zeros(2)),
    ):
        with refused(FileError):
            checkpoint.restore({name: array})
    own = np.zeros(2)
    checkpoint.restore({"theta": own})
    assert own.tolist() == [1, 1]


def test_a_finite_number_of_a_file():
    assert all(map(is_finite, (1, 0.5, sys.float_info.max, -sys.float_info.max)))
    assert not any(map(is_finite, (10**400, True, None, "1", np.inf, -np.inf, np.nan)))


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


@pytest.fixture
def spec(tmp_path: Path) -> dict:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", X=rng.normal(size=(160, 4)), y=rng.normal(size=160))
    training = {"loss": "mse", "epochs": 20, "batch_size": 16, "checkpoint_every": 1}
    data = {"type": "npz", "path": str(tmp_path / "rows.npz"), "split": {"test_size": 0.0}}
    return {"seed": 3, "data": data, "network": {"hidden_layer_sizes": [16]}, "training": training}


@pytest.mark.slow
def test_a_finished_run_is_not_run_again(spec: dict, tmp_path: Path):
    first = specnet.run(spec, tmp_path / "out", overrides=["training.epochs=3"])
    facts = (tmp_path / "out" / "run.json").read_bytes()
    again = specnet.run(spec, tmp_path / "out", resume=True, overrides=["training.epochs=3"])
    np.testing.assert_array_equal(again.model.theta, first.model.theta)
    assert (again.history, again.metrics) == (first.history, first.metrics)
    assert (tmp_path / "out" / "run.json").read_bytes() == facts
    assert not (tmp_path / "out" / "checkpoint.safetensors").exists()


def test_a_checkpoint_of_another_run_is_refused(spec: dict, tmp_path: Path, refused: Refused):
    with pytest.raises(KeyboardInterrupt):
        specnet.run(spec, tmp_path / "out", observer=Interrupting(5))
    with refused(FileError, at="checkpoint.safetensors"):
        specnet.run(spec, tmp_path / "out", resume=True, overrides=["seed=4"])
    for content in (b"", b"PK\x03\x04", (tmp_path / "out" / "checkpoint.safetensors").read_bytes()[:-5]):
        (tmp_path / "out" / "checkpoint.safetensors").write_bytes(content)
        with pytest.raises(FileError):
            specnet.run(spec, tmp_path / "out", resume=True)


def test_a_finished_run_of_another_spec_is_not_taken_for_this_one(spec: dict, tmp_path: Path, refused: Refused):
    specnet.run(spec, tmp_path / "out", overrides=["training.epochs=3"])
    for override in ("training.l2=0.5", "network.hidden_layer_sizes=[5]"):
        with refused(FileError, at="out"):
            specnet.run(spec, tmp_path / "out", resume=True, overrides=[override])
    np.savez(tmp_path / "rows.npz", X=np.ones((160, 4)), y=np.arange(160.0))
    with refused(FileError, at="out"):
        specnet.run(spec, tmp_path / "out", resume=True, overrides=["training.epochs=3"])


def averaging(**training) -> specnet.Network:
    normalization = {"type": "batch_normalization", "momentum": 0.5}
    return specnet.build(document(normalization, dense(2), **{"epochs": 50, "batch_size": 4, **training}))


@pytest.mark.parametrize(
    "training", [{}, {"optimizer": "lbfgs"}, {"average_weights": {"type": "exponential", "decay": 0.5}}]
)
def test_layers_start_with_the_arrays_that_are_given(training):
    network, rows = averaging(epochs=1, batch_size="full", **training), rows_of(10)
    given = ({"layers.0.running_mean": np.full(3, value)} for value in (0.0, 7.0))
    first, second = (trained(network, rows, state=state).state["layers.0.running_mean"] for state in given)
    steps = 2 if "optimizer" in training else 1  # L-BFGS computes its loss twice
    np.testing.assert_allclose(second - first, 7.0 * 0.5**steps)


def test_lbfgs_goes_on_from_its_start():
    reached = trained(averaging(optimizer="lbfgs", epochs=2, batch_size="full"), rows_of(10)).reached
    assert (reached.facts["epochs"], reached.facts["steps"], reached.history) == (0, 0, [])
