"""Ensembles: the mean of networks that are trained alone, each on what the others' folds leave; resumed and saved."""

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error
from sklearn.model_selection import train_test_split

import specnet
from specnet import DataError, FileError, Observer, SpecError, parse_spec
from specnet.running.fitting import fit_rows
from specnet.training import Checkpoint, TrainingRows, train
from specnet.training.observer import Relay
from tests.made import data_of, tensors_in
from tests.running.moons import Interrupting, contents, interrupt
from tests.running.specs import csv_file, spec_on
from tests.texts.pinned import Refused

MOONS = """
name = "moons"
seed = 5
[data]
type = "make_moons"
n_samples = 90
noise = 0.3
split = { test_size = 0.2 }
[network]
dtype = "float64"
preprocessing = ["standardize"]
layers = [{ type = "dense", units = 6, activation = "relu" }, { type = "dropout", rate = 0.2 },
          { type = "batch_normalization" }, { type = "dense", units = 1 }]
[training]
loss = "binary_crossentropy"
epochs = 4
batch_size = 16
ensemble = 3
metrics = ["accuracy", "roc_auc"]
"""

VALUES = {
    "seed": 2,
    "network": {"dtype": "float64", "hidden_layer_sizes": [5], "target_preprocessing": ["log", "standardize"]},
    "training": {"loss": "mean_squared_error", "epochs": 3, "ensemble": {"members": 4, "validation": "none"}},
}


def values(rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(rows, 3))
    return X, np.exp(X @ [1, 2, -1])


def test_the_answer_is_the_mean_of_networks_trained_alone():
    """Written out by hand: each has its own streams, and the rows that are not in its fold."""
    data = data_of(MOONS)
    fitted = fit_rows(data)
    network, train_rows, test = fitted.model.network, data.splits["train"], data.splits["test"]
    X = fitted.model.preprocessing.prepare(train_rows.columns)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)  # of all training rows
    asked = fitted.model.preprocessing.prepare(test.columns)
    probabilities, seen = [], np.zeros(len(X), int)
    own = np.empty(len(X))
    for member in range(3):
        held_out = train_rows.folds == member
        seen += ~held_out
        rows = TrainingRows(X[~held_out], train_rows.y[~held_out].astype(float)[:, None])
        alone = train(network, network.initial_parameters(member), rows, member=member)
        probabilities.append(network.predict(alone.theta, asked, alone.state)[:, 0])
        own[held_out] = network.predict(alone.theta, X[held_out], alone.state)[:, 0]
        last = [record for record in fitted.model.history if record["member"] == member][-1]
        assert last["validation_loss"] == pytest.approx(log_loss(train_rows.y[held_out], own[held_out]), rel=1e-12)
    assert (seen == 2).all()  # and each is in one fold
    expected = (probabilities[0] + probabilities[1] + probabilities[2]) / 3
    found = fitted.model.predict_proba(test.columns)[:, 1]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(fitted.model.predict(test.columns), expected > 0.5)
    np.testing.assert_allclose(fitted.model.predict_spread(test.columns)[:, 0], np.std(probabilities, 0), rtol=1e-12)
    folds = fitted.held_out[1].figures(fitted.model.spec.training.metrics)
    assert folds["loss"] == pytest.approx(log_loss(train_rows.y, own), rel=1e-12)
    assert folds["accuracy"] == accuracy_score(train_rows.y, own > 0.5)


def relative(weights: np.ndarray) -> np.ndarray:
    return weights / weights.mean()


def test_rows_of_folds_count_by_their_weights():
    """In the history and in what is out of fold by their own, in training also by those of their classes."""
    spec = parse_spec(MOONS, overrides=["data.split.test_size=0", "training.class_weight={1 = 5}"])
    data = data_of(spec)
    weights = relative(np.random.default_rng(0).uniform(0.1, 3, len(data.table.y)))
    rows = replace(data.splits["train"], weight=weights)
    fitted = fit_rows(replace(data, splits={"train": rows}))
    network, X = fitted.model.network, fitted.model.preprocessing.prepare(rows.columns)
    own = np.empty(len(X))
    by_class = np.array([1.0, 5.0])
    trained_weights = relative(relative(by_class[rows.y]) * weights)
    for member, (theta, state) in enumerate(fitted.model.members):
        fold = rows.folds == member
        own[fold] = network.predict(theta, X[fold], state)[:, 0]
        trained = TrainingRows(X[~fold], rows.y[~fold].astype(float)[:, None], trained_weights[~fold])
        alone = train(network, network.initial_parameters(member), trained, member=member)
        np.testing.assert_array_equal(alone.theta, theta)
        record = [record for record in fitted.model.history if record["member"] == member][-1]
        assert record["validation_loss"] == pytest.approx(
            log_loss(rows.y[fold], own[fold], sample_weight=weights[fold])
        )
    figures = fitted.held_out[1].figures(fitted.model.spec.training.metrics)
    assert figures["loss"] == pytest.approx(log_loss(rows.y, own, sample_weight=weights), rel=1e-12)
    assert figures["accuracy"] == pytest.approx(accuracy_score(rows.y, own > 0.5, sample_weight=weights), rel=1e-12)


@pytest.mark.parametrize("weighted", [3, 39])
def test_a_fold_without_weight_is_told_of_before_training(weighted: int, refused: Refused):
    X, y = values()
    spec = {"network": {"hidden_layer_sizes": [2]}, "training": {"loss": "mse", "epochs": 1, "ensemble": 40}}
    weight, told = (np.arange(40) < weighted).astype(float), []
    observer = Observer()
    observer.started = observer.warned = lambda *given: told.append(given)
    with refused(DataError, code="sample-weight", at="training.ensemble"):
        specnet.fit(spec, X, y, sample_weight=weight, observer=observer)
    assert not told


def test_a_part_of_the_split_without_weight_is_told_of(tmp_path: Path, refused: Refused):
    X, y = values()
    weight = np.isin(np.arange(40), train_test_split(np.arange(40), test_size=0.25, random_state=2)[0])
    np.savez(tmp_path / "rows.npz", X=X, y=y, sample_weight=weight.astype(float))
    spec = {**VALUES, "data": {"type": "npz", "path": str(tmp_path / "rows.npz")}}
    with refused(DataError, code="sample-weight", at="data.split"):
        specnet.run(spec)


def test_rows_of_a_group_are_in_one_fold(tmp_path: Path):
    generator = np.random.default_rng(0)
    patients = np.repeat(np.arange(20), generator.integers(1, 7, 20))
    rows = ((f"p{patient}", generator.normal(), "yes" if patient % 3 else "no") for patient in patients)
    data = csv_file(tmp_path / "visits.csv", "patient,pressure,ill", rows, "ill", split={"group": "patient"})
    spec = spec_on(data, 3, epochs=2, ensemble=4)
    rows = data_of(spec).splits["train"]
    in_training = patients[rows.chosen]
    assert all(len(np.unique(rows.folds[in_training == patient])) == 1 for patient in in_training)
    assert len(np.unique(rows.folds)) == 4
    assert "out_of_fold" in specnet.run(spec).metrics


def test_members_have_streams_of_their_own_and_the_history_as_many_lines_as_without_them():
    assert specnet.build(MOONS, overrides=["training.epochs=1000", "training.ensemble=4"]).resolved.log_every == 4
    network = specnet.build(MOONS)
    starts = [network.initial_parameters(), *(network.initial_parameters(member) for member in range(3))]
    assert len({start.tobytes() for start in starts}) == 4
    np.testing.assert_array_equal(starts[2], network.initial_parameters(1))
    rows = TrainingRows(np.zeros((8, 2)), np.zeros((8, 1)))
    one = specnet.build(MOONS, overrides=["training.batch_size=4"])
    orders = [np.concatenate(list(rows.feed(one, member).batches(0))).tolist() for member in (None, 0, 1)]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_a_legacy_generator_has_a_seed_for_each_member():
    legacy = {"type": "variance_scaling", "distribution": "untruncated_normal"}
    spec = {
        "seed": 3,
        "random_generator": "legacy",
        "network": {"dtype": "float64", "layer_sizes": [2, 1], "weight_initializer": legacy},
        "training": {"loss": "mse", "ensemble": 2},
    }
    network = specnet.build(spec)
    drawn = [np.random.RandomState(seed).randn(2) for seed in (3, [3, 0], [3, 1])]
    found = [network.initial_parameters(member)[:2] for member in (None, 0, 1)]
    for mine, theirs in zip(found, drawn, strict=True):
        np.testing.assert_allclose(mine / mine[0], theirs / theirs[0], rtol=1e-12)


def test_values_are_averaged_in_the_targets_own_units():
    X, y = values()
    model = specnet.fit(VALUES, X, y)
    alone = []
    for theta, _ in model.members:
        scaled = model.network.predict(theta, X)
        alone.append(model.target_preprocessing.invert(scaled)[:, 0])
    np.testing.assert_allclose(model.predict(X), np.mean(alone, axis=0), rtol=1e-14)
    np.testing.assert_allclose(model.predict_spread(X), np.std(alone, axis=0), rtol=1e-12)
    scaled = [model.target_preprocessing.apply(each[:, None]) for each in (model.predict(X), y)]
    figures = model.evaluate(X, y, metrics="mean_squared_error")
    assert figures["loss"] == pytest.approx(mean_squared_error(*scaled), rel=1e-12)
    assert figures["mean_squared_error"] == pytest.approx(mean_squared_error(y, model.predict(X)), rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "classes"),
    [("binary_crossentropy", 2), ("categorical_crossentropy", 3), ("hinge", 2), ("poisson", 0), ("gaussian_nll", 0)],
)
def test_the_loss_is_that_of_the_mean(loss: str, classes: int, refused: Refused):
    X, y = values(60)
    target = np.argsort(np.argsort(y)) * classes // 60 if classes else np.round(y)
    network = {"dtype": "float64", "hidden_layer_sizes": [5]}
    spec = {"network": network, "training": {"loss": loss, "epochs": 3, "ensemble": 3}}
    model = specnet.fit(spec, X, target)
    raw = model.raw_outputs(X)
    if loss == "poisson":
        np.testing.assert_allclose(np.exp(raw[:, 0]), model.predict(X), rtol=1e-12)
        expected = (np.exp(raw[:, 0]) - target * raw[:, 0]).mean()
    elif loss == "gaussian_nll":
        np.testing.assert_allclose(raw[:, 0], model.predict(X), rtol=1e-12)
        alone = [model.network.raw_outputs(theta, X, state) for theta, state in model.members]
        np.testing.assert_allclose(raw, np.mean(alone, axis=0), rtol=1e-12)
        return
    elif loss == "hinge":
        np.testing.assert_array_equal(raw[:, 0] > 0, model.predict(X))
        expected = np.maximum(1 - np.where(target, 1, -1) * raw[:, 0], 0).mean()
        with refused(DataError):
            model.predict_proba(X)
        assert model.predict_spread(X).shape == (60,)
    else:
        expected = log_loss(target, model.predict_proba(X))
        shown = np.exp(raw) if classes == 3 else 1 / (1 + np.exp(-raw))
        np.testing.assert_allclose(shown, model.predict_proba(X)[:, -raw.shape[1] :], rtol=1e-12)
        assert model.predict_spread(X).shape == (60, classes)
    assert model.evaluate(X, target)["loss"] == pytest.approx(expected, rel=1e-9)


def test_sure_members_that_disagree_have_a_finite_loss():
    spec = {"network": {"layer_sizes": [2, 1]}, "training": {"loss": "binary_crossentropy", "ensemble": 2}}
    network = specnet.build(spec)
    model = specnet.Model(network, [[3e4, 0, 0], [-3e4, 0, 0]])
    rows = np.array([[1.0, 0.0], [-1.0, 0.0]])
    np.testing.assert_array_equal(model.predict_proba(rows), 0.5)
    np.testing.assert_array_equal(model.predict_spread(rows), 0.5)
    assert model.evaluate(rows, [0, 1])["loss"] == pytest.approx(np.log(2), abs=1e-12)


def test_fit_run_and_estimators_give_the_same_model(tmp_path: Path):
    overrides = ["data.split.test_size=0"]
    ran = specnet.run(MOONS, tmp_path, overrides=overrides).model
    data = data_of(MOONS, overrides=overrides)
    fitted = specnet.fit(MOONS, data.table.X, data.table.y, overrides=overrides)
    spec = parse_spec(MOONS, overrides=overrides)
    estimator = specnet.SpecClassifier(spec=spec).fit(data.table.X, data.table.y)
    for other in (fitted, estimator.model_, specnet.load_model(tmp_path)):
        np.testing.assert_array_equal(other.theta, ran.theta)
        np.testing.assert_array_equal(other.predict_proba(data.table.X), ran.predict_proba(data.table.X))
    assert estimator.n_iter_ == 12
    assert estimator.loss_ == np.mean([record["loss"] for record in fitted.history if record["epoch"] == 4])
    decisions = estimator.decision_function(data.table.X)
    np.testing.assert_array_equal(decisions > 0, estimator.predict(data.table.X))


def test_several_labels_have_the_same_folds_everywhere():
    X, y = values()
    labels = np.stack([y > 1, X[:, 0] > 0], axis=1).astype(int)
    spec = spec_on(None, 3, epochs=2, ensemble=3)
    estimator = specnet.SpecClassifier(spec=spec, random_state=0).fit(X.astype(np.float32), labels)
    np.testing.assert_array_equal(estimator.model_.theta, specnet.fit(spec, X.astype(np.float32), labels).theta)


def test_a_warm_start_goes_on_from_each_member(refused: Refused):
    X, y = values()
    estimator = specnet.SpecRegressor(spec=VALUES, warm_start=True).fit(X, y)
    first = estimator.model_.theta.copy()
    second = estimator.fit(X, y).model_.theta
    assert first.shape == second.shape
    assert (first != second).any(axis=1).all()
    with refused(ValueError):
        specnet.SpecRegressor(spec=VALUES).partial_fit(X, y)
    estimator.set_params(spec__training__ensemble__members=2)
    with refused(DataError):
        estimator.fit(X, y)


NONE = ("training.ensemble={members=2, validation='none'}",)

SPLIT = ("training.ensemble={members=2, validation='split'}",)

STOPPING = "training.early_stopping="


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ((), "out_of_fold"),
        ((STOPPING + "{monitor='loss', patience=2}",), "out_of_fold"),
        ((STOPPING + "true",), "validation"),
        (("training.optimizer={type='adam', schedule={type='reduce_on_plateau'}}",), "validation"),
        ((*SPLIT, "data.split.validation_size=0.2"), "validation"),
        (NONE, None),
    ],
)
def test_figures_of_folds_and_of_shared_rows_are_called_what_they_are(settings: tuple[str, ...], name: str | None):
    result = specnet.run(MOONS, overrides=settings)
    assert list(result.metrics) == ["train", *([] if name is None else [name]), "test"]
    assert all(list(metrics) == ["loss", "accuracy", "roc_auc"] for metrics in result.metrics.values())
    assert all(("validation_loss" in record) == (name is not None) for record in result.history)


def test_an_observer_is_told_of_members():
    heard: list[Any] = []
    specnet.run(MOONS, observer=Relay(lambda event, arguments: heard.append((event, arguments))))
    told = [arguments for event, arguments in heard if event in ("started", "member_started", "ended")]
    assert told[0][1:] == ({"train": 72, "test": 18}, 4)
    assert told[1::2] == [(0, 3), (1, 3), (2, 3)]
    assert [(epochs, end) for epochs, _, _, end in told[2::2]] == [(4, "all epochs")] * 3


@pytest.mark.parametrize(
    ("settings", "code", "at"),
    [
        (["data.split.validation_size=0.1"], "ensemble", "--set #1:1:28"),
        ([*NONE, STOPPING + "true"], "no-validation", "--set #2:1:25"),
        (["training.ensemble=0"], "out-of-bounds", "--set #1:1:19"),
        (["training.ensemble=five"], "unknown-value", "--set #1:1:19"),
        (["training.ensemble=3000000"], "too-many-parameters", "--set #1:1:19"),
    ],
)
def test_what_a_spec_may_not_say(settings: list[str], code: str, at: str, refused: Refused):
    with refused(SpecError, code=code, at=at) as caught:
        parse_spec(MOONS, overrides=settings)
    tables = re.findall(r"{.*?}", caught.value.diagnostics[0].hint or "")
    assert bool(tables) == (code == "ensemble")  # which can be set in place of the mere number of members
    for table in tables:
        parse_spec(MOONS, overrides=[*settings, f"training.ensemble={table}"])


def test_validation_rows_beside_folds_are_refused(refused: Refused):
    X, y = values()
    with refused(DataError):
        specnet.fit(VALUES, X, y, validation=(X, y))
    with refused(DataError, code="ensemble"):
        specnet.SpecRegressor(spec=VALUES, validation_size=0.2).fit(X, y)


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
    interrupt(MOONS, tmp_path, 2)
    longer = specnet.run(MOONS, tmp_path, resume=True, overrides=["training.epochs=6"])
    whole = specnet.run(MOONS, overrides=["training.epochs=6"])
    np.testing.assert_array_equal(longer.model.theta, whole.model.theta)
    assert longer.history == whole.history


def test_an_ensemble_whose_members_have_finished_is_not_trained_longer(tmp_path: Path, refused: Refused):
    interrupt(MOONS, tmp_path, 2, 1)
    with refused(FileError):
        specnet.run(MOONS, tmp_path, resume=True, overrides=["training.epochs=9"])
    with refused(FileError):
        specnet.run(MOONS, tmp_path, resume=True, overrides=["training.ensemble=2"])


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, refused: Refused):
    interrupt(MOONS, tmp_path, 2, 1)
    path = tmp_path / "checkpoint.safetensors"
    checkpoint = Checkpoint.from_bytes(path.read_bytes())
    (member,) = checkpoint.facts["members"]
    for members in ([{}], [member] * 3, "x", [member | {"epochs": -1}], [member, member]):
        path.write_bytes(replace(checkpoint, facts={**checkpoint.facts, "members": members}).to_bytes())
        with refused(FileError):
            specnet.run(MOONS, tmp_path, resume=True)
