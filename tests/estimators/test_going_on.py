"""Training that goes on: warm starts, and one epoch after the other on rows as they come."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification

from specnet import DataError, SpecClassifier, SpecRegressor
from tests.estimators.test_answers import QUICK

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
CASES = [(SpecClassifier, IRIS), (SpecRegressor, DIABETES)]
SETTINGS = {**QUICK, "l2": 0.0}


def weights_of(estimator):
    return estimator.model_.theta


@pytest.mark.parametrize(("estimator", "data"), CASES)
def test_epochs_one_by_one_are_those_of_a_fit(estimator, data):
    X, y = data
    whole = estimator(epochs=5, batch_size=40, early_stopping=False, **SETTINGS).fit(X, y)
    partial = estimator(epochs=5, batch_size=40, **SETTINGS)
    known = {"classes": np.unique(y)} if estimator is SpecClassifier else {}
    for epoch in range(1, 6):
        assert partial.partial_fit(X, y, **(known if epoch == 1 else {})) is partial
        assert partial.n_iter_ == len(partial.history_) == epoch
    np.testing.assert_array_equal(weights_of(partial), weights_of(whole))
    assert partial.loss_ == whole.loss_
    np.testing.assert_array_equal(partial.predict(X), whole.predict(X))


@pytest.mark.slow
def test_rows_may_come_in_parts_and_with_weights():
    X, y = IRIS
    order = np.random.default_rng(0).permutation(150)
    classifier = SpecClassifier(batch_size=16, class_weight={2: 2.0}, **SETTINGS)
    for _ in range(20):
        for rows in np.array_split(order, 3):
            classifier.partial_fit(X[rows], y[rows], classes=[0, 1, 2], sample_weight=np.ones(len(rows)))
    assert classifier.score(X, y) > 0.9
    assert classifier.n_iter_ == 60


def test_a_part_need_not_have_all_classes_and_must_have_no_others(refused):
    X, y = IRIS
    classifier = SpecClassifier(**SETTINGS)
    with refused(ValueError):
        classifier.partial_fit(X[:50], y[:50])
    classifier.partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert classifier.predict_proba(X).shape == (150, 3)
    with refused(DataError):
        classifier.partial_fit(X[:50], y[:50] + 7)
    with pytest.raises(ValueError, match="X has 3 features, but SpecClassifier is expecting 4"):
        classifier.partial_fit(X[:50, :3], y[:50])


def test_partial_fits_of_several_labels(refused):
    X, y = make_multilabel_classification(200, n_classes=4, random_state=0)
    classifier = SpecClassifier(**SETTINGS)
    for _ in range(60):
        classifier.partial_fit(X, y, classes=range(4))
    assert (classifier.predict(X) == y).mean() > 0.85
    with refused(ValueError):
        classifier.partial_fit(X, y[:, :3])
    with refused(ValueError):
        classifier.partial_fit(X, y[:, 0])


def test_partial_fit_goes_on_from_a_fit_and_after_a_pickle():
    X, y = DIABETES
    regressor = SpecRegressor(epochs=20, **SETTINGS).fit(X, y)
    loss = regressor.model_.evaluate(X, y)["loss"]
    regressor.set_params(batch_size="full").partial_fit(X, y)
    assert regressor.n_iter_ == 1
    copy = pickle.loads(pickle.dumps(regressor)).partial_fit(X, y)
    np.testing.assert_array_equal(weights_of(copy), weights_of(regressor.partial_fit(X, y)))
    assert regressor.loss_ < loss * 1.1


@pytest.mark.parametrize("arguments", [{"optimizer": "lbfgs", "batch_size": "full"}, {"class_weight": "balanced"}])
def test_what_cannot_be_done_in_parts(arguments, refused):
    with refused(ValueError):
        SpecClassifier(**arguments).partial_fit(*IRIS, classes=[0, 1, 2])


@pytest.mark.parametrize(("estimator", "data"), CASES)
def test_a_warm_start_goes_on_from_the_weights_and_the_preprocessing(estimator, data):
    X, y = data
    warm = estimator(epochs=10, batch_size="full", warm_start=True, **SETTINGS).fit(X, y)
    loss, first = warm.model_.evaluate(X, y)["loss"], warm.model_
    np.testing.assert_array_equal(first.theta, weights_of(clone(warm).fit(X, y)))
    warm.set_params(epochs=3).fit(X, y)
    assert warm.n_iter_ == 3
    assert warm.history_[0]["loss"] == pytest.approx(loss, rel=1e-12)
    warm.fit(X * 2, y)
    for kept, before in zip(warm.model_.preprocessing.fitted, first.preprocessing.fitted, strict=True):
        np.testing.assert_array_equal(kept["mean"], before["mean"])
    cold = warm.set_params(warm_start=False, epochs=10).fit(X, y)
    np.testing.assert_array_equal(weights_of(cold), first.theta)


def test_a_warm_start_on_fewer_rows_keeps_what_was_fitted_to_all(refused):
    X, y = IRIS
    spec = {"network": {"preprocessing": [{"type": "quantile", "points": 100}]}}
    warm = SpecClassifier(spec, epochs=1, warm_start=True, **SETTINGS).fit(X, y)
    knots = warm.model_.preprocessing.fitted[0]["knots"]
    assert len(knots) == 100
    warm.fit(X[::3], y[::3])
    for again in (warm, pickle.loads(pickle.dumps(warm)).fit(X[::3], y[::3])):
        np.testing.assert_array_equal(again.model_.preprocessing.fitted[0]["knots"], knots)
    warm.set_params(spec={"network": {"preprocessing": [{"type": "quantile", "points": 50}]}})
    with refused(DataError):
        warm.fit(X[::3], y[::3])


def test_what_a_warm_start_needs(refused):
    X, y = IRIS
    classifier = SpecClassifier(epochs=1, warm_start=True, **SETTINGS).fit(X, y)
    with refused(ValueError):
        classifier.fit(X[:100], y[:100])
    with pytest.raises(ValueError, match="X has 2 features"):
        classifier.fit(X[:, :2], y)
    with refused(DataError):
        classifier.set_params(hidden_layer_sizes=[9]).fit(X, y)


def test_a_fit_that_is_broken_off_leaves_the_estimator_as_it_was(monkeypatch):
    X, y = DIABETES
    regressor = SpecRegressor(epochs=2, **SETTINGS).fit(X, y)
    model = regressor.model_

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("specnet.training.after_epoch.TrainingProgress.after_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        regressor.fit(X, y)
    assert regressor.model_ is model
