"""What is used where nothing is said gives way to what is said, and only that."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from specnet import SpecClassifier, SpecRegressor
from tests.registry import REGISTRY

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
CLASSES = {"binary": (X[:, 0] > 0).astype(int), "classes": np.digitize(X[:, 0], [-0.5, 0.5])}
NUMBERS = np.abs(X[:, 0]) + 0.1
VALUES = {
    "any": X[:, :2] - X[:, 1:],
    "not negative": NUMBERS,
    "positive": NUMBERS,
    "distribution": np.abs(X) / np.abs(X).sum(axis=1, keepdims=True),
}
"""Targets, by which numbers they may hold."""
LOSSES = [part for part in REGISTRY if part.kind == "loss"]
OPTIMIZERS = [part for part in REGISTRY if part.kind == "optimizer"]
LAYERS = [{"type": "dense", "units": 3, "activation": "tanh"}, {"type": "dense", "units": 1}]


@pytest.mark.slow
@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.part_name())
def test_each_loss_goes_with_the_defaults(loss, by_name):
    if loss.target == "values":
        estimator, y = SpecRegressor(), VALUES[loss.domain]
    else:
        estimator, y = SpecClassifier(), CLASSES[loss.target]
    estimator.set_params(**{"spec__training__loss" if by_name else "loss": loss.part_name(), "random_state": 0})
    spec = estimator.fit(X, y).model_.spec
    assert spec.training.loss.type == loss.part_name()
    assert spec.training.batch_size == estimator.default_spec["training"]["batch_size"]
    assert spec.network.preprocessing
    assert bool(spec.network.target_preprocessing) == (loss.target == "values" and loss.domain == "any")
    assert estimator.history_[-1]["loss"] < estimator.history_[0]["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.part_name())
def test_each_optimizer_goes_with_the_defaults(optimizer, by_name):
    said = {"spec__training__optimizer" if by_name else "optimizer": optimizer.part_name(), "random_state": 0}
    for y in (VALUES["any"], *CLASSES.values()):
        estimator = SpecRegressor() if y.ndim == 2 else SpecClassifier()
        spec = estimator.set_params(**said).fit(X, y).model_.spec
        assert spec.training.optimizer.type == optimizer.part_name()
        usual = estimator.default_spec["training"]["batch_size"]
        assert spec.training.batch_size == ("full" if optimizer.full_batch_only else usual)
        assert estimator.history_[-1]["loss"] < estimator.history_[0]["loss"]


def test_another_form_of_the_network_takes_the_place_of_the_default_one():
    for form in ({"spec__network__layers": LAYERS}, {"spec__network__layer_sizes": [3, 3, 1]}):
        spec = SpecClassifier(epochs=1).set_params(**form).fit(X, CLASSES["binary"]).model_.spec
        assert [layer.units for layer in spec.network.layers] == [3, 1]
        assert spec.network.preprocessing


def test_defaults_give_way_in_whatever_order_things_are_said():
    first = SpecRegressor().set_params(spec__training__epochs=3, spec__network__dtype="float32")
    changed = clone(first).set_params(loss="gamma", optimizer={"type": "lbfgs", "history_size": 5})
    for copy in (changed, clone(changed), pickle.loads(pickle.dumps(changed))):
        spec = copy.fit(X, NUMBERS).model_.spec
        assert (spec.training.epochs, spec.training.batch_size, spec.network.dtype) == (3, "full", "float32")
        assert not spec.network.target_preprocessing
    back = changed.set_params(loss=None, optimizer=None).fit(X, NUMBERS).model_.spec
    assert back.training.batch_size == 200
    assert back.network.target_preprocessing


def test_what_gives_way_is_not_listed_and_stays_away_where_the_list_is_set():
    estimator = SpecRegressor(loss="poisson", optimizer="rprop", epochs=2, random_state=0)
    params = estimator.get_params()
    assert "spec__training__batch_size" not in params
    assert "spec__network__target_preprocessing" not in params
    assert params["spec__training__early_stopping__min_delta"] == 1e-4
    copy = SpecRegressor().set_params(**params)
    np.testing.assert_array_equal(copy.fit(X, NUMBERS).model_.theta, estimator.fit(X, NUMBERS).model_.theta)
