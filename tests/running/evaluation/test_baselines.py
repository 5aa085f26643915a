"""The baselines in metrics.json, against scikit-learn's dummies and linear models, and against other constants."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import specnet
from specnet.running.evaluation.constant import constant_outputs, output_model
from tests.made import data_of
from tests.running.conftest import ROWS, classes, columns
from tests.running.specs import csv_file, spec_on


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_the_constant_of_classes_is_their_frequencies(ran, rng: np.random.Generator, count: int, weighted: bool):
    X = columns(rng)
    y, weight = classes(rng, X, count), rng.integers(1, 5, ROWS) if weighted else None
    loss = "categorical_crossentropy" if count == 3 else "binary_crossentropy"
    found = ran(X, y, weight, loss=loss, metrics=["accuracy", "neg_brier_score"], class_weight="balanced")
    (X_train, y_train, w_train), (X_test, y_test, w_test) = found.train, found.test
    dummy = DummyClassifier(strategy="prior").fit(X_train, y_train, w_train)
    probability = dummy.predict_proba(X_test)
    score = metrics.brier_score_loss if count == 2 else metrics.get_scorer("neg_brier_score")._score_func
    assert found["baselines"]["constant"]["test"] == {
        "loss": pytest.approx(metrics.log_loss(y_test, probability, sample_weight=w_test)),
        "accuracy": pytest.approx(dummy.score(X_test, y_test, w_test)),
        "neg_brier_score": pytest.approx(
            -score(y_test, probability[:, 1] if count == 2 else probability, sample_weight=w_test)
        ),
    }


def test_a_class_that_no_training_row_has_costs_as_if_one_more_row_had_it(ran, rng: np.random.Generator):
    X = columns(rng)
    y = np.zeros(ROWS, int)
    _, test = train_test_split(np.arange(ROWS), test_size=0.25, random_state=0)
    y[test[:9]] = 1
    found = ran(X, y, loss="binary_crossentropy", baselines=["constant", "linear"])
    rows = ROWS - len(test)
    expected = metrics.log_loss(y[test], np.tile([rows / (rows + 1), 1 / (rows + 1)], (len(test), 1)))
    for name in ("constant", "linear"):
        assert found["baselines"][name]["test"]["loss"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("loss", "best"),
    [
        ("mse", np.mean),
        ("mae", np.median),
        ({"type": "quantile", "quantile": 0.9}, partial(np.quantile, q=0.9, method="inverted_cdf")),
    ],
)
@pytest.mark.parametrize("scaled", [False, True])
def test_the_constant_of_values_is_the_loss_s_own(ran, rng: np.random.Generator, loss: Any, best: Any, scaled: bool):
    X = rng.normal(size=(ROWS + 1, 3))
    y = 30 + 5 * rng.exponential(size=ROWS + 1)
    network = {"target_preprocessing": ["standardize"] if scaled else []}
    found = ran(X, y, loss=loss, network=network, test_size=0.3, metrics=["mean_absolute_error", "r2"])
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    assert len(X_train) % 2 == 0
    prediction = DummyRegressor(strategy="constant", constant=best(y_train)).fit(X_train, y_train).predict(X_test)
    told = found["baselines"]["constant"]["test"]
    assert told["mean_absolute_error"] == pytest.approx(metrics.mean_absolute_error(y_test, prediction))
    assert told["r2"] == pytest.approx(metrics.r2_score(y_test, prediction))


LOSSES = [
    *("mse", "mae", "huber", "log_cosh", "mean_squared_logarithmic_error", "poisson", "gamma", "tweedie"),
    {"type": "quantile", "quantile": 0.2},
]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_no_other_constant_has_a_smaller_training_loss(rng: np.random.Generator, loss: Any):
    y, weight = rng.gamma(1.5, 4.0, ROWS), rng.integers(1, 5, ROWS) / 2
    spec = {"network": {"layer_sizes": [1, 1]}, "training": {"loss": loss, "epochs": 1}}
    head = output_model(specnet.fit(spec, rng.normal(size=(ROWS, 1)), y, observer=specnet.Observer()).decoder)

    def mean_loss(output: float) -> float:
        return head.network.loss([], np.full((ROWS, 1), output), y, weight)

    found = constant_outputs(head, head.answers(np.zeros((ROWS, 1)), y, weight))
    expected = minimize_scalar(mean_loss, (-1.0, 10.0), options={"xtol": 1e-12})
    assert mean_loss(found[0]) <= expected.fun + 1e-12 * abs(expected.fun)
    assert found[0] == pytest.approx(expected.x, rel=0.05)


@pytest.mark.parametrize("loss", ["mse", "mae", "cosine_similarity", "kl_divergence", "gaussian_nll"])
def test_no_other_constants_of_several_outputs_have_a_smaller_training_loss(rng: np.random.Generator, loss: str):
    y = rng.dirichlet([1.0, 2.0, 5.0], ROWS)
    outputs = 6 if loss == "gaussian_nll" else 3
    spec = {"network": {"layer_sizes": [1, outputs]}, "training": {"loss": loss, "epochs": 1}}
    head = output_model(specnet.fit(spec, rng.normal(size=(ROWS, 1)), y, observer=specnet.Observer()).decoder)

    def mean_loss(given: np.ndarray) -> float:
        return head.network.loss([], np.tile(given, (ROWS, 1)), y)

    found = constant_outputs(head, head.answers(np.zeros((ROWS, outputs)), y))
    starts = [np.resize(y.mean(axis=0), outputs), rng.normal(size=outputs)]
    least = min(minimize(mean_loss, start, method="Nelder-Mead", tol=1e-9).fun for start in starts)
    assert mean_loss(found) <= least + 1e-6 * abs(least)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "categorical_hinge"])
def test_margins_have_a_constant_too(ran, rng: np.random.Generator, loss: str):
    X = columns(rng)
    y = np.repeat([0, 1, 1, 1, 1, 1], ROWS // 6) if loss != "categorical_hinge" else np.repeat([0, 1, 2, 2, 2, 2], 20)
    found = ran(X, y, loss=loss, metrics=["accuracy"])
    told = found["baselines"]["constant"]["test"]
    assert told["accuracy"] == np.mean(found.test[1] == y.max())
    assert told["loss"] < 1


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_the_linear_baseline_of_classes_is_logistic_regression(
    ran, rng: np.random.Generator, count: int, weighted: bool
):
    X = columns(rng) * [1, 10, 0.1]
    y, weight = classes(rng, X, count), rng.integers(1, 5, ROWS) if weighted else None
    loss = "categorical_crossentropy" if count == 3 else "binary_crossentropy"
    found = ran(X, y, weight, loss=loss, metrics=["accuracy"], baselines=["linear"])
    (X_train, y_train, w_train), (X_test, y_test, w_test) = found.train, found.test
    scaler = StandardScaler().fit(X_train, sample_weight=w_train)
    shares = None if w_train is None else w_train / w_train.mean()  # beside the penalty
    model = LogisticRegression(max_iter=1000, tol=1e-9).fit(scaler.transform(X_train), y_train, shares)
    probability = model.predict_proba(scaler.transform(X_test))
    assert found["baselines"] == {
        "linear": {
            "test": {
                "loss": pytest.approx(metrics.log_loss(y_test, probability, sample_weight=w_test), rel=1e-5),
                "accuracy": pytest.approx(model.score(scaler.transform(X_test), y_test, w_test)),
            }
        }
    }


def test_the_linear_baseline_of_several_labels_is_a_regression_of_each(ran, rng: np.random.Generator):
    X = columns(rng)
    y = (X + rng.normal(size=X.shape) > [0, 0.5, 1]).astype(int)
    found = ran(X, y, loss="binary_crossentropy", baselines=["linear"])
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(tol=1e-9)).fit(X_train, target) for target in y_train.T
    ]
    losses = [metrics.log_loss(t, model.predict_proba(X_test)) for t, model in zip(y_test.T, models, strict=True)]
    assert found["baselines"]["linear"]["test"]["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize(("outputs", "width"), [(1, 3), (2, 3), (1, 100)])
@pytest.mark.parametrize("scaled", [False, True])
def test_the_linear_baseline_of_values_is_ridge_regression(
    ran, rng: np.random.Generator, outputs: int, width: int, scaled: bool
):
    X = rng.normal(size=(ROWS, width))
    y = (30 + 5 * X[:, :outputs] + rng.normal(size=(ROWS, outputs)))[:, 0 if outputs == 1 else slice(None)]
    network = {"target_preprocessing": ["standardize"] if scaled else []}
    found = ran(X, y, loss="mse", metrics=["mean_squared_error"], baselines=["linear", "constant"], network=network)
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    prediction = make_pipeline(StandardScaler(), Ridge()).fit(X_train, y_train).predict(X_test)
    expected = metrics.mean_squared_error(y_test, prediction)
    assert found["baselines"]["linear"]["test"]["mean_squared_error"] == pytest.approx(expected)
    assert list(found["baselines"]) == ["linear", "constant"]
    assert found["gains"]["linear"]["loss"]["value"] < found["gains"]["constant"]["loss"]["value"]


def test_the_linear_baseline_takes_embedded_categories_as_indicators(tmp_path: Path, rng: np.random.Generator):
    towns, number = rng.permutation(np.repeat(np.arange(12), 10)), rng.normal(size=120)
    towns[:3] = 12  # in too few rows for a code of its own
    y = 5 * rng.normal(size=13)[towns] + number
    rows = ((number, f"town {town}", y) for number, town, y in zip(number, towns, y, strict=True))
    table = csv_file(tmp_path / "rows.csv", "number,town,y", rows)
    spec = spec_on(table, network={"dtype": "float64"}, loss="mse", baselines=["linear"])
    data, found = data_of(spec), specnet.run(spec, observer=specnet.Observer())
    assert data.resolved.spec.network.preprocessing[-1].steps[0].type == "ordinal"
    train, test = data.splits["train"].chosen, data.splits["test"].chosen
    known = [town for town in range(13) if (towns[train] == town).sum() >= 5]
    assert 8 < len(known) < 13
    X = np.column_stack([number, towns[:, None] == known])
    model = make_pipeline(StandardScaler(), Ridge()).fit(X[train], y[train])
    expected = metrics.mean_squared_error(y[test], model.predict(X[test]))
    assert found.evaluation["baselines"]["linear"]["test"]["loss"] == pytest.approx(expected)


def test_the_linear_baseline_of_counts_and_of_spreads(ran, rng: np.random.Generator):
    X = columns(rng)
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    found = ran(X, y, loss="poisson", metrics=["mean_absolute_error"], baselines=["linear"])
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    ridge = make_pipeline(StandardScaler(), Ridge()).fit(X_train, y_train)
    mean = np.maximum(ridge.predict(X_test), 0.5)
    assert found["baselines"]["linear"]["test"] == {
        "loss": pytest.approx(np.mean(mean - y_test * np.log(mean))),
        "mean_absolute_error": pytest.approx(metrics.mean_absolute_error(y_test, mean)),
    }
    found = ran(X, y, loss="gaussian_nll", baselines=["linear"])
    variance = np.mean((y_train - ridge.predict(X_train)) ** 2)
    losses = 0.5 * (np.log(variance) + (y_test - ridge.predict(X_test)) ** 2 / variance)
    assert found["baselines"]["linear"]["test"]["loss"] == pytest.approx(losses.mean())
