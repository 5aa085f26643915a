"""scikit-learn's estimators and other objects, given in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import specnet
from tests.importing.answers import TOLERANCE, difference, outputs
from tests.texts.pinned import Refused

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, (120, 4))
TWO, THREE = (X[:, 0] > X[:, 1]).astype(int), np.digitize(X[:, 0] + X[:, 2], [4, 8])
WORDS = np.array(["dog", "cat", "emu"])
SMALL: dict[str, Any] = {"hidden_layer_sizes": (6, 5), "max_iter": 3, "random_state": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "dtype"),
    [("relu", np.float64), ("tanh", np.float32), ("logistic", np.float64), ("identity", np.float32)],
)
@pytest.mark.parametrize(
    "y", [TWO, TWO == 1, THREE, THREE * 5.0 - 2, WORDS[TWO], WORDS[THREE], np.stack([TWO, THREE > 1, THREE > 0], 1)]
)
def test_classifiers(y: np.ndarray, activation: str, dtype: Any):
    table = X.astype(dtype)
    estimator = make_pipeline(StandardScaler(), MLPClassifier(**SMALL, activation=activation)).fit(table, y)
    model = specnet.import_model(estimator)
    assert model.network.dtype == dtype
    assert difference(model.predict_proba(table), estimator.predict_proba(table)) <= TOLERANCE[model.network.dtype.name]
    np.testing.assert_array_equal(model.predict(table), estimator.predict(table))
    if y.ndim == 1:
        np.testing.assert_array_equal(model.labels, np.unique(y))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_files_of_skops_are_their_estimators(solver: str, tmp_path: Path):
    estimator = make_pipeline(StandardScaler(), MLPClassifier(**SMALL, solver=solver)).fit(X, WORDS[THREE])
    skops.io.dump(estimator, tmp_path / "words.skops")
    found = specnet.import_model(tmp_path / "words.skops")
    np.testing.assert_array_equal(found.predict_proba(X), specnet.import_model(estimator).predict_proba(X))
    assert found.labels is not None
    np.testing.assert_array_equal(found.labels, np.unique(WORDS))
    assert found.spec.name == "words"


@pytest.mark.parametrize("y", [X[:, 0] * X[:, 1], X[:, :2] * 100])
@pytest.mark.parametrize("hidden", [(), (3,), (8, 4)])
def test_regressors(y: np.ndarray, hidden: tuple[int, ...]):
    estimator = MLPRegressor(**{**SMALL, "hidden_layer_sizes": hidden}).fit(X, y)
    model = specnet.import_model(estimator)
    wanted = estimator.predict(X)
    assert model.predict(X).shape == wanted.shape
    assert difference(outputs(model, X), wanted.reshape(len(X), -1)) <= 1e-12
    assert len(model.spec.network.layers or ()) == len(hidden) + 1


def test_a_poisson_regressor_ends_in_an_exponential():
    estimator = MLPRegressor(**SMALL, loss="poisson").fit(X, np.abs(X[:, 0]))
    model = specnet.import_model(estimator)
    assert difference(outputs(model, X), estimator.predict(X)[:, None]) <= 1e-12
    assert model.spec.training.loss.type == "poisson"


def test_scalers_in_a_row_and_of_the_target():
    y = 100 * X[:, 0] + 7
    inside = make_pipeline(StandardScaler(with_std=False), "passthrough", StandardScaler(), MLPRegressor(**SMALL))
    estimator = TransformedTargetRegressor(make_pipeline(inside), transformer=StandardScaler()).fit(X, y)
    model = specnet.import_model(estimator)
    assert difference(outputs(model, X), estimator.predict(X)[:, None]) <= 1e-12
    assert [step.type for step in model.spec.network.target_preprocessing] == ["standardize"]
    unscaled = make_pipeline(StandardScaler(with_mean=False, with_std=False), MLPRegressor(**SMALL)).fit(X, y)
    assert difference(outputs(specnet.import_model(unscaled), X), unscaled.predict(X)[:, None]) <= 1e-12


class Mine(MLPRegressor):
    """A class of one's own, which may do anything."""


@pytest.mark.parametrize(
    "source",
    [
        MLPClassifier(),
        make_pipeline(StandardScaler(), MLPClassifier()),
        TransformedTargetRegressor(MLPRegressor()),
        LinearRegression(),
        make_pipeline(MinMaxScaler(), MLPRegressor()),
        make_pipeline(StandardScaler()),
        Mine(),
        object(),
        None,
        b"bytes",
        TransformedTargetRegressor(MLPRegressor(**SMALL), func=np.log1p, inverse_func=np.expm1),
    ],
)
def test_objects_that_are_not_understood(source: Any, refused: Refused):
    if isinstance(source, TransformedTargetRegressor) and source.func is not None:
        source.fit(X, np.abs(X[:, 0]))
    with refused(specnet.DataError):
        specnet.import_model(source)


def test_labels_that_are_no_whole_numbers_are_refused(refused: Refused):
    estimator = MLPClassifier(**SMALL).fit(X, TWO * 1)
    estimator.classes_ = np.array([0.5, 1.5])
    with refused(specnet.DataError):
        specnet.import_model(estimator)
