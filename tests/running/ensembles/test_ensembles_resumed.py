"""Ensembles that are interrupted, resumed and kept in files: the same bytes, whatever came between."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import DataError, FileError
from specnet.training import Checkpoint
from tests.made import tensors_in
from tests.running.ensembles.test_ensembles import MOONS
from tests.running.moons import Interrupting, contents
from tests.texts.pinned import Refused


def test_the_file_has_a_tensor_for_each_member(tmp_path: Path):
    model = specnet.run(MOONS, tmp_path).model
    tensors = tensors_in(tmp_path / "model.safetensors")
    shared = {name for name in tensors if not name.startswith("members.")}
    assert shared == {"preprocessing.0.0.mean", "preprocessing.0.0.scale", "labels", "error_quantiles"}
    for member, (theta, state) in enumerate(model.members):
        for name, array in {**model.network.parameters(theta), **state}.items():
            np.testing.assert_array_equal(tensors[f"members.{member}.{name}"], array)
    loaded = specnet.load_model(tmp_path)
    assert loaded.to_bytes() == model.to_bytes()
    X = np.random.default_rng(0).normal(size=(7, 2))
    for copy in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert repr(loaded) == "<Model moons, 3 members, 2 inputs, 111 parameters>"
    single = model.astype("float32")
    assert single.predict_proba(X).dtype == np.float32
    np.testing.assert_allclose(single.predict_proba(X), model.predict_proba(X), rtol=1e-5)
    assert single.astype("float32").to_bytes() == single.to_bytes()


def test_a_model_of_other_members_than_its_spec_is_not_saved(refused: Refused):
    network = specnet.build(MOONS, overrides=["network.preprocessing="])
    with refused(FileError):
        specnet.Model(network, network.initial_parameters()).to_bytes()
    model = specnet.Model(network, np.stack([network.initial_parameters(member) for member in range(3)]))
    assert model.state["layers.2.running_mean"].shape == (3, 6)
    assert len(model.to_bytes())
    with refused(DataError):
        specnet.Model(network, np.zeros((3, 4)))
    with refused(DataError):
        specnet.Model(network, network.initial_parameters()).predict_spread([[1.0, 2.0]])


SETTINGS = {
    name: [f"training.optimizer={name}", "training.early_stopping={patience=3}", *others]
    for name, others in {
        "adam": [],
        "lbfgs": ["network.layers=", "network.hidden_layer_sizes=[4]", "training.batch_size=full"],
    }.items()
}


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[specnet.RunResult, dict[str, bytes]]]:
    """A run that was never interrupted, with each optimizer, and its files."""
    top = tmp_path_factory.mktemp("wholes")
    return {
        name: (specnet.run(MOONS, top / name, overrides=settings, report=False), contents(top / name))
        for name, settings in SETTINGS.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", SETTINGS)
@pytest.mark.parametrize(("member", "epoch"), [(0, 2), (1, 1), (1, 3), (2, 3)])
def test_a_run_that_is_interrupted_in_a_member_resumes_there(
    tmp_path: Path, wholes: dict[str, Any], member: int, epoch: int, optimizer: str
):
    settings, (whole, expected) = SETTINGS[optimizer], wholes[optimizer]
    with pytest.raises(KeyboardInterrupt, match=rf"of member {member}"):
        specnet.run(MOONS, tmp_path / "parts", observer=Interrupting(epoch, member), overrides=settings, report=False)
    facts = json.loads((tmp_path / "parts" / "run.json").read_text())
    assert len(facts["members"]) == member + 1
    so_far = specnet.load_model(tmp_path / "parts")
    assert len(so_far.members) == member + 1
    np.testing.assert_array_equal(so_far.theta[:member], whole.model.theta[:member])
    specnet.run(MOONS, tmp_path / "parts", resume=True, overrides=settings, report=False)
    found = contents(tmp_path / "parts")
    assert expected.keys() == found.keys()
    assert all(expected[name] == found[name] for name in expected if name != "run.json")


def test_an_ensemble_trains_longer_while_no_member_has_finished(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        specnet.run(MOONS, tmp_path, observer=Interrupting(2, 0))
    longer = specnet.run(MOONS, tmp_path, resume=True, overrides=["training.epochs=6"])
    whole = specnet.run(MOONS, overrides=["training.epochs=6"])
    np.testing.assert_array_equal(longer.model.theta, whole.model.theta)
    assert longer.history == whole.history


def test_an_ensemble_whose_members_have_finished_is_not_trained_longer(tmp_path: Path, refused: Refused):
    with pytest.raises(KeyboardInterrupt):
        specnet.run(MOONS, tmp_path, observer=Interrupting(2, 1))
    with refused(FileError):
        specnet.run(MOONS, tmp_path, resume=True, overrides=["training.epochs=9"])
    with refused(FileError):
        specnet.run(MOONS, tmp_path, resume=True, overrides=["training.ensemble=2"])


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, refused: Refused):
    with pytest.raises(KeyboardInterrupt):
        specnet.run(MOONS, tmp_path, observer=Interrupting(2, 1))
    path = tmp_path / "checkpoint.safetensors"
    checkpoint = Checkpoint.from_bytes(path.read_bytes())
    (member,) = checkpoint.facts["members"]
    for members in ([{}], [member] * 3, "x", [member | {"epochs": -1}], [member, member]):
        path.write_bytes(replace(checkpoint, facts={**checkpoint.facts, "members": members}).to_bytes())
        with refused(FileError):
            specnet.run(MOONS, tmp_path, resume=True)
