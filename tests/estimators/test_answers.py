"""What estimators learn and answer: labels, probabilities, scores, values, weights and validation rows."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_diabetes,
    load_digits,
    load_iris,
    make_friedman1,
    make_moons,
    make_multilabel_classification,
)
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import specnet
from specnet import SpecClassifier, SpecRegressor
from specnet.running.fitting import fit_rows

SPECS = Path(__file__).parents[2] / "specs"

MOONS = make_moons(200, noise=0.2, random_state=0)
IRIS = load_iris(return_X_y=True)
QUICK = {"hidden_layer_sizes": [8], "optimizer": {"type": "adam", "learning_rate": 0.02}, "random_state": 0}
"""Arguments of a network that learns in few epochs."""


def mean_score(estimator, X, y):
    """Return the mean score over three folds, without threads that wait for each other."""
    folds = (StratifiedKFold if is_classifier(estimator) else KFold)(3, shuffle=True, random_state=0)
    with threadpool_limits(1, "blas"):
        return float(cross_val_score(estimator, X, y, cv=folds).mean())


STANDARDIZED = make_pipeline(StandardScaler(), MLPRegressor(random_state=0))
BOTH_STANDARDIZED = TransformedTargetRegressor(STANDARDIZED, transformer=StandardScaler())
RIVALS = {
    "digits": (SpecClassifier, [each[::2] for each in load_digits(return_X_y=True)], [MLPClassifier(random_state=0)]),
    "diabetes": (
        *(SpecRegressor, load_diabetes(return_X_y=True)),
        [MLPRegressor(random_state=0), STANDARDIZED, BOTH_STANDARDIZED],
    ),
    "friedman": (SpecRegressor, make_friedman1(300, noise=1, random_state=0), [BOTH_STANDARDIZED]),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("estimator", "data", "rivals"), RIVALS.values(), ids=RIVALS)
def test_scores_are_at_least_those_of_scikit_learn(estimator, data, rivals):
    score = mean_score(estimator(random_state=0), *data)
    assert score > 0.4
    assert all(score >= mean_score(rival, *data) for rival in rivals)


LABELS = [
    *(np.array(["no", "yes"], dtype) for dtype in (str, object)),
    *(np.array(pair) for pair in ([False, True], [-1, 1], [3.0, 7.0])),
    np.array([0, 1], np.uint8),
]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: str(labels.dtype))
def test_labels_come_back_as_they_were(labels):
    X, y = MOONS
    classifier = SpecClassifier(epochs=20, **QUICK).fit(X, labels[y])
    np.testing.assert_array_equal(classifier.classes_, labels)
    answers = classifier.predict(X)
    assert answers.dtype == classifier.classes_.dtype == labels.dtype
    assert (answers == labels[y]).mean() > 0.8


def of_two(scores):
    return np.column_stack([expit(-scores), expit(scores)])


@pytest.mark.parametrize(
    ("data", "arguments", "outputs", "probabilities"),
    [
        (MOONS, {}, 1, of_two),
        (MOONS, {"loss": "categorical_crossentropy"}, 2, of_two),
        ((IRIS[0], IRIS[1] * 10), {}, 3, lambda scores: softmax(scores, axis=1)),
        (make_multilabel_classification(200, n_classes=4, random_state=0), {}, 4, expit),
    ],
    ids=["two", "an output each", "several", "labels"],
)
def test_probabilities_and_classes_follow_from_scores(data, arguments, outputs, probabilities):
    X, y = data
    classifier = SpecClassifier(epochs=60, **QUICK, **arguments).fit(X, y)
    assert classifier.model_.network.outputs == outputs
    scores, found, answers = classifier.decision_function(X), classifier.predict_proba(X), classifier.predict(X)
    assert scores.shape == ((len(X),) if outputs < 3 else (len(X), outputs))
    np.testing.assert_allclose(found, probabilities(scores), rtol=1e-12)
    np.testing.assert_array_equal(classifier.predict_log_proba(X), np.log(found))
    assert answers.shape == y.shape
    expected = found > 0.5 if y.ndim == 2 else classifier.classes_[found.argmax(1)]
    np.testing.assert_array_equal(answers, expected)
    np.testing.assert_array_equal(classifier.classes_, range(4) if y.ndim == 2 else np.unique(y))
    assert classifier.score(X, y) == (answers == y).reshape(len(y), -1).all(1).mean()
    assert (answers == y).mean() > 0.85


def test_margins_have_no_probabilities():
    X, y = MOONS
    classifier = SpecClassifier(loss="hinge", epochs=20, **QUICK)
    assert hasattr(classifier, "predict_proba")
    classifier.fit(X, y)
    assert not hasattr(classifier, "predict_proba")
    assert not hasattr(classifier, "predict_log_proba")
    np.testing.assert_array_equal(classifier.decision_function(X) > 0, classifier.predict(X) == 1)
    assert classifier.score(X, y) > 0.8


def test_several_outputs_each_in_its_units():
    X, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, -1000 * y])
    regressor = SpecRegressor(epochs=50, **QUICK).fit(X, both)
    predicted = regressor.predict(X)
    assert predicted.shape == both.shape
    assert regressor.score(X, both) > 0.5
    assert regressor.score(X, both) == pytest.approx(r2_score(both, predicted))
    column = SpecRegressor(epochs=5, **QUICK).fit(X, y[:, None])
    assert column.predict(X).shape == (442, 1)
    np.testing.assert_array_equal(column.predict(X)[:, 0], SpecRegressor(epochs=5, **QUICK).fit(X, y).predict(X))


def test_a_loss_with_several_outputs_for_a_value():
    X, y = load_diabetes(return_X_y=True)
    regressor = SpecRegressor(loss="gaussian_nll", epochs=50, **QUICK).fit(X, y)
    assert regressor.model_.network.outputs == 2
    assert regressor.predict(X).shape == (442,)
    assert regressor.score(X, y) > 0.5


@pytest.mark.parametrize(
    ("estimator", "data"),
    [(SpecClassifier, IRIS), (SpecClassifier, MOONS), (SpecRegressor, load_diabetes(return_X_y=True))],
)
def test_a_weight_is_a_repetition(estimator, data):
    X, y = data
    weight = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = estimator(epochs=30, batch_size="full", **QUICK).fit(X, y, sample_weight=weight)
    repeated = estimator(epochs=30, batch_size="full", **QUICK).fit(X.repeat(weight, 0), y.repeat(weight))
    np.testing.assert_allclose(weighted.model_.theta, repeated.model_.theta, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(weighted.predict(X), weighted.model_.predict(X))
    assert weighted.loss_ == pytest.approx(repeated.loss_)


def test_class_weights_are_weights_of_rows():
    X, y = MOONS
    names = np.array(["left", "right"])

    def fitted(rows=slice(None), sample_weight=None, **arguments):
        classifier = SpecClassifier(epochs=20, **QUICK, **arguments).set_params(spec__network__preprocessing=())
        return classifier.fit(X[rows], names[y[rows]], sample_weight=sample_weight)

    by_class, by_row = fitted(class_weight={"right": 5}), fitted(sample_weight=1 + 4 * y)
    np.testing.assert_allclose(by_class.model_.theta, by_row.model_.theta, rtol=1e-12)
    assert (by_class.predict(X) == "right").sum() > (fitted().predict(X) == "right").sum() + 10
    few = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:25]])
    balanced = fitted(few, class_weight="balanced")
    spelled = fitted(few, class_weight={"left": 125 / 200, "right": 125 / 50})
    np.testing.assert_allclose(balanced.model_.theta, spelled.model_.theta, rtol=1e-12)


def test_early_stopping_watches_rows_that_are_not_trained_on():
    X, y = load_digits(return_X_y=True)
    classifier = SpecClassifier(early_stopping={"patience": 3}, validation_size=0.2, **QUICK).fit(X, y)
    losses = [record["validation_loss"] for record in classifier.history_]
    assert len(losses) == classifier.n_iter_ < 200
    assert np.argmin(losses) == classifier.n_iter_ - 4
    train, held_out = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0, stratify=y)
    same = specnet.fit(classifier.model_.spec, X[train], y[train], validation=(X[held_out], y[held_out]))
    np.testing.assert_array_equal(same.theta, classifier.model_.theta)
    assert log_loss(y[held_out], classifier.predict_proba(X[held_out])) == pytest.approx(min(losses))


MINIMAL = 'data.type = "make_moons"\nnetwork.layer_sizes = [2, 1]'


WATCHED = [
    ({}, 0),
    ({"validation_size": 0.3}, 60),
    ({"early_stopping": True}, 20),
    ({"early_stopping": True, "validation_size": 0.05}, 10),
    ({"early_stopping": {"monitor": "loss"}}, 0),
    ({"early_stopping": False}, 0),
    ({"spec": SPECS / "moons.toml"}, 0),
    ({"spec": f"data.split.validation_size = 0.2\n{MINIMAL}"}, 40),
]


@pytest.mark.parametrize(("arguments", "watched"), WATCHED)
def test_how_many_rows_are_watched(arguments, watched, monkeypatch):
    counts = {}

    def counting(data, **options):
        counts.update({name: len(rows) for name, rows in data.splits.items()})
        return fit_rows(data, **options)

    monkeypatch.setattr("specnet.estimators.estimator.fit_rows", counting)
    classifier = SpecClassifier(**{"epochs": 1, **arguments}).fit(*MOONS)
    assert counts == {"train": 200 - watched, **({"validation": watched} if watched else {})}
    assert ("validation_loss" in classifier.history_[0]) == bool(watched)


def test_history_and_figures():
    X, y = MOONS
    classifier = SpecClassifier(epochs=12, **QUICK).fit(X, y)
    assert classifier.n_iter_ == 12
    assert [record["epoch"] for record in classifier.history_] == list(range(1, 13))
    assert classifier.loss_ == classifier.history_[-1]["loss"]
    assert classifier.history_ is classifier.model_.history


def test_intervals_and_sets_are_those_of_the_model():
    X, y = load_diabetes(return_X_y=True)
    for target, shape in ((y, (442, 2)), (y[:, np.newaxis], (442, 1, 2)), (np.column_stack([y, -y]), (442, 2, 2))):
        regressor = SpecRegressor(epochs=2, validation_size=0.2, **QUICK).fit(X, target)
        found = regressor.predict_interval(X, 0.8)
        assert found.shape == shape
        np.testing.assert_array_equal(found, regressor.model_.predict_interval(X, 0.8).reshape(shape))
    X, y = MOONS
    classifier = SpecClassifier(epochs=5, validation_size=0.2, **QUICK).fit(X, np.array(["b", "a"])[y])
    for level in (0.5, 0.9):
        np.testing.assert_array_equal(classifier.predict_set(X, level), classifier.model_.predict_set(X, level))
    with pytest.raises(ValueError, match="held-out rows"):
        SpecClassifier(epochs=5, **QUICK).fit(X, y).predict_set(X)
    assert not hasattr(SpecClassifier(loss="hinge", epochs=1, **QUICK).fit(X, y), "predict_set")


def test_contributions_of_a_fitted_model_compare_with_its_training_rows():
    """With at most 100 training rows, the base is the mean prediction for them; each row of contributions adds up."""
    X, y = IRIS[0][::2], IRIS[1][::2]
    estimator = SpecClassifier(**QUICK, epochs=20).fit(X, y)
    explained = estimator.model_.contributions(X[:3])
    np.testing.assert_allclose(explained.base, estimator.predict_proba(X).mean(axis=0), rtol=1e-5)
    added = explained.base + explained.values.sum(axis=1)
    np.testing.assert_allclose(added, estimator.predict_proba(X[:3]), atol=1e-5)
    weighted = SpecClassifier(**QUICK, epochs=2).fit(X, y, sample_weight=np.arange(75) < 50)
    known = weighted.predict_proba(X[:50])
    np.testing.assert_allclose(weighted.model_.contributions(X[:1]).base, known.mean(axis=0), rtol=1e-5)
