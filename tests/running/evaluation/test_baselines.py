"""The baselines in metrics.json, against scikit-learn's models on the same rows, and against other constants."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize, minimize_scalar
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import specnet
from specnet.compiler.thread_limits import limited_threads
from specnet.network.random import stream
from specnet.running.evaluation import baselines
from specnet.running.evaluation.predictors import (
    constant_outputs,
    logistic_coefficients,
    output_model,
    probabilities_of,
    scores_of,
)
from tests.made import data_of
from tests.running.conftest import ROWS, classes, columns
from tests.running.specs import csv_file, spec_on

SCALES = np.array([1.0, 100.0, 0.01])
CLASSIFIERS: dict[str, Any] = {
    "constant": DummyClassifier(strategy="prior"),
    "linear": LogisticRegression(max_iter=1000, tol=1e-9),
    "neighbours": KNeighborsClassifier(15),
    "trees": HistGradientBoostingClassifier(random_state=0),
}
REGRESSORS: dict[str, Any] = {
    "linear": make_pipeline(StandardScaler(), Ridge()),
    "neighbours": make_pipeline(StandardScaler(), KNeighborsRegressor(15)),
    "trees": MultiOutputRegressor(HistGradientBoostingRegressor(random_state=0)),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of small trees wait for each other far longer than they compute."""
    with threadpool_limits(1):
        yield


def loss_of(count: int) -> str:
    return "categorical_crossentropy" if count == 3 else "binary_crossentropy"


def probability_of(name: str, train: Any, test: Any, scaler: Any = None) -> np.ndarray:
    """Return what scikit-learn's model says of the classes of test rows, whose scaler may have seen further rows."""
    (X_train, y_train, weight), (X_test, *_) = train, test
    scaler = scaler or StandardScaler().fit(X_train, sample_weight=weight)
    given = () if weight is None else (weight / weight.mean(),)  # beside a penalty
    model = CLASSIFIERS[name].fit(scaler.transform(X_train), y_train, *given)
    probability = model.predict_proba(scaler.transform(X_test))
    if name == "neighbours":  # and one more, whose classes are the frequencies
        return (15 * probability + np.bincount(y_train) / len(y_train)) / 16
    return probability


@pytest.mark.parametrize(
    ("name", "count", "weighted"),
    [
        *((name, count, weighted) for name in ("constant", "linear") for count in (2, 3) for weighted in (False, True)),
        *(("neighbours", count, False) for count in (2, 3)),
        *(("trees", 2, True), ("trees", 3, False)),
    ],
)
def test_classes(ran, rng: np.random.Generator, name: str, count: int, weighted: bool):
    X = columns(rng) * SCALES
    y, weight = classes(rng, X / SCALES, count), rng.integers(1, 5, ROWS) if weighted else None
    scores = ["accuracy", "neg_brier_score"]
    balanced = {"class_weight": "balanced"} if name == "constant" else {}  # of which baselines know nothing
    found = ran(X, y, weight, loss=loss_of(count), metrics=scores, baselines=[name], epochs=1, **balanced)
    probability, (_, y_test, w_test) = probability_of(name, found.train, found.test), found.test
    brier = metrics.brier_score_loss(y_test, probability[:, 1] if count == 2 else probability, sample_weight=w_test)
    assert found["baselines"][name]["test"] == {
        "loss": pytest.approx(metrics.log_loss(y_test, probability, sample_weight=w_test), rel=1e-5),
        "accuracy": pytest.approx(np.average(probability.argmax(axis=1) == y_test, weights=w_test)),
        "neg_brier_score": pytest.approx(-brier, rel=1e-5),
    }
    assert [*found["baselines"]] == [name]


@pytest.mark.parametrize("name", REGRESSORS)
def test_several_labels_are_answered_each_by_itself(ran, rng: np.random.Generator, name: str):
    X = columns(rng)
    y = (X + rng.normal(size=X.shape) > [0, 0.5, 9 if name == "trees" else 1]).astype(int)
    found = ran(X, y, loss="binary_crossentropy", baselines=[name], epochs=1)
    (X_train, y_train, _), test = found.train, found.test
    losses = []
    for label, true in zip(y_train.T, test[1].T, strict=True):
        if label.any():
            probability = probability_of(name, (X_train, label, None), test)
        else:  # as if one more row had it
            probability = np.tile([len(label), 1], (len(true), 1)) / (len(label) + 1)
        losses.append(metrics.log_loss(true, probability, labels=[0, 1]))
    assert found["baselines"][name]["test"]["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "outputs", "width", "scaled"),
    [
        *(("linear", *sizes, scaled) for sizes in ((1, 3), (2, 3), (1, 100)) for scaled in (False, True)),
        *(("neighbours", 2, 3, False), ("trees", 1, 3, True), ("trees", 2, 3, False)),
    ],
)
def test_values(ran, rng: np.random.Generator, name: str, outputs: int, width: int, scaled: bool):
    X = rng.normal(size=(ROWS, width)) * np.resize(SCALES, width)
    y = 30 + 5 * X[:, :outputs] + rng.normal(size=(ROWS, outputs))
    network = {"target_preprocessing": ["standardize"] if scaled else []}
    names = [name, "constant"]
    y = y[:, 0] if outputs == 1 else y
    found = ran(X, y, loss="mse", metrics=["mean_squared_error"], baselines=names, network=network)
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    prediction = REGRESSORS[name].fit(X_train, y_train.reshape(len(y_train), -1)).predict(X_test)
    expected = metrics.mean_squared_error(y_test, prediction)
    assert found["baselines"][name]["test"]["mean_squared_error"] == pytest.approx(expected, rel=1e-6)
    assert list(found["baselines"]) == list(found["gains"]) == names
    assert found["gains"][name]["loss"]["value"] < found["gains"]["constant"]["loss"]["value"]


# ---------------------------------------------------------------------------------------------------------- constants


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


def head_of(loss: Any, outputs: int, y: np.ndarray) -> Any:
    """Return a model that answers with its inputs, for a loss and such targets."""
    spec = {"network": {"layer_sizes": [1, outputs]}, "training": {"loss": loss, "epochs": 1}}
    return output_model(specnet.fit(spec, np.zeros((len(y), 1)), y, observer=specnet.Observer()).decoder)


LOSSES = [*["mse", "mae", "huber", "log_cosh", "mean_squared_logarithmic_error", "poisson", "gamma", "tweedie"]]


@pytest.mark.parametrize("loss", [*LOSSES, {"type": "quantile", "quantile": 0.2}], ids=str)
def test_no_other_constant_has_a_smaller_training_loss(rng: np.random.Generator, loss: Any):
    y, weight = rng.gamma(1.5, 4.0, ROWS), rng.integers(1, 5, ROWS) / 2
    head = head_of(loss, 1, y)

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
    head = head_of(loss, outputs, y)

    def mean_loss(given: np.ndarray) -> float:
        return head.network.loss([], np.tile(given, (ROWS, 1)), y)

    found = constant_outputs(head, head.answers(np.zeros((ROWS, outputs)), y))
    starts = [np.resize(y.mean(axis=0), outputs), rng.normal(size=outputs)]
    least = min(minimize(mean_loss, start, method="Nelder-Mead", tol=1e-9).fun for start in starts)
    assert mean_loss(found) <= least + 1e-6 * abs(least)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "categorical_hinge"])
def test_margins_have_a_constant_too(ran, rng: np.random.Generator, loss: str):
    y = np.repeat([0, 1, 2, 2, 2, 2] if loss == "categorical_hinge" else [0, 1, 1, 1, 1, 1], ROWS // 6)
    found = ran(columns(rng), y, loss=loss, metrics=["accuracy"])
    told = found["baselines"]["constant"]["test"]
    assert told["accuracy"] == np.mean(found.test[1] == y.max())
    assert told["loss"] < 1


# ------------------------------------------------------------------------------------------------------ linear models


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
    expected = metrics.mean_squared_error(y[test], REGRESSORS["linear"].fit(X[train], y[train]).predict(X[test]))
    assert found.evaluation["baselines"]["linear"]["test"]["loss"] == pytest.approx(expected)


def test_the_linear_baseline_of_counts_and_of_spreads(ran, rng: np.random.Generator):
    X = columns(rng)
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    found = ran(X, y, loss="poisson", metrics=["mean_absolute_error"], baselines=["linear"])
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    ridge = REGRESSORS["linear"].fit(X_train, y_train)
    mean = np.maximum(ridge.predict(X_test), 0.5)
    assert found["baselines"]["linear"]["test"] == {
        "loss": pytest.approx(np.mean(mean - y_test * np.log(mean))),
        "mean_absolute_error": pytest.approx(metrics.mean_absolute_error(y_test, mean)),
    }
    found = ran(X, y, loss="gaussian_nll", baselines=["linear", "neighbours", "constant"])
    variance = np.mean((y_train - ridge.predict(X_train)) ** 2)
    losses = 0.5 * (np.log(variance) + (y_test - ridge.predict(X_test)) ** 2 / variance)
    told = {name: parts["test"]["loss"] for name, parts in found["baselines"].items()}
    assert told["linear"] == pytest.approx(losses.mean())
    assert told["neighbours"] < told["constant"]


def standardized(columns: np.ndarray) -> np.ndarray:
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


def members_of(scores: np.ndarray) -> np.ndarray:
    """Return the class of the largest score; the first rows have each class once."""
    members = scores.argmax(axis=1)
    members[: scores.shape[1]] = np.arange(scores.shape[1])
    return members


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize(
    ("rows", "columns", "classes", "noise"),
    [(200, 3, 2, 1), (60, 2, 2, 0), (150, 8, 5, 1), (40, 120, 2, 0), (40, 30, 7, 1), (500, 4, 3, 9)],
    ids=["binary", "separable", "classes", "more columns than rows", "few rows to a class", "noise"],
)
def test_logistic_regressions_are_scikit_learns(rows: int, columns: int, classes: int, noise: float, weighted: bool):
    rng = np.random.default_rng(rows)
    features = standardized(rng.standard_t(3, size=(rows, columns)))
    scores = 3 * features @ rng.normal(size=(columns, classes)) + noise * rng.gumbel(size=(rows, classes))
    members, weight = members_of(scores), rng.integers(1, 5, rows).astype(float) if weighted else np.ones(rows)
    found = logistic_coefficients(features, members, classes, weight)
    theirs = LogisticRegression(tol=1e-10, max_iter=20_000).fit(features, members, weight)
    given = rng.normal(size=(50, columns))
    ours = probabilities_of(scores_of(found, given))
    np.testing.assert_allclose(ours, theirs.predict_proba(given), rtol=1e-4, atol=1e-7)


def test_many_columns_and_classes_and_weights_that_differ_much_end_at_the_least_loss():
    """2000 columns of 50 classes would have a Hessian of 80 GB; with rows far away steps would overshoot."""
    rng = np.random.default_rng(0)
    cases = [(rng.normal(size=(60, 2000)), np.arange(60) % 50, np.ones(60))]
    for _ in range(100):
        features = standardized(rng.standard_t(1.2, size=(20, 4)))
        members = members_of(features @ rng.normal(size=(4, 3)) + rng.gumbel(size=(20, 3)))
        cases.append((features, members, 10 ** rng.uniform(-4, 4, 20)))
    for features, members, weight in cases:
        found = logistic_coefficients(features, members, members.max() + 1, weight)
        # By hand, the gradient of the mean loss with its penalty.
        errors = weight[:, None] * (probabilities_of(scores_of(found, features)) - np.eye(found.shape[1])[members])
        gradient = np.vstack([features.T @ errors + found[:-1], errors.sum(axis=0)]) / weight.sum()
        assert np.abs(gradient).max() < 1.1e-10


# --------------------------------------------------------------------------------------------------------- neighbours


def test_neighbours_count_as_much_as_they_weigh_and_not_at_all_without_weight(ran, rng: np.random.Generator):
    X = columns(rng)
    y, weight = X[:, 0] + 10, rng.integers(0, 4, ROWS).astype(float)
    found = ran(X, y, weight, loss="mse", baselines=["neighbours"])
    (X_train, y_train, w_train), (X_test, y_test, w_test) = found.train, found.test
    scaler = StandardScaler().fit(X_train, sample_weight=w_train)
    known = w_train > 0
    train, test = scaler.transform(X_train[known]), scaler.transform(X_test)
    nearest = np.argsort(((test[:, np.newaxis] - train) ** 2).sum(axis=2), axis=1)[:, :15]
    own = w_train[known][nearest]
    prediction = (own * y_train[known][nearest]).sum(axis=1) / own.sum(axis=1)
    expected = np.average((prediction - y_test) ** 2, weights=w_test)
    assert found["baselines"]["neighbours"]["test"]["loss"] == pytest.approx(expected)


def test_fewer_rows_than_neighbours_are_all_of_them(ran, rng: np.random.Generator):
    X = columns(rng)[:12]
    told = ran(X, X[:, 0], loss="mse", baselines=["neighbours", "constant"])["baselines"]
    assert told["neighbours"]["test"]["loss"] == pytest.approx(told["constant"]["test"]["loss"])


@pytest.mark.parametrize(
    ("rows", "held", "expected"),
    [
        (240, 60, 240),
        (240, 50_000, 240),  # few rows are never too few
        (1_000_000, 4_000, 4_096),
        (1_000_000, 10_000, 2_000),
        (1_000_000, 20_000, 1_000),
        (1_000_000, 20_001, None),
        (900, 30_000, None),
    ],
)
def test_neighbours_are_bounded_by_rows_and_distances(rows: int, held: int, expected: int | None):
    assert baselines.neighbour_rows(rows, held) == expected


def test_a_sample_of_many_rows_gives_nearly_the_same_baselines(ran, rng: np.random.Generator, monkeypatch):
    X = rng.normal(size=(4000, 3))
    y = (X[:, 0] + 0.3 * rng.normal(size=4000) > 0).astype(int)
    arguments: dict[str, Any] = {"loss": "binary_crossentropy", "metrics": ["accuracy"], "epochs": 1}
    whole = ran(X, y, **arguments)["baselines"]

    def limit(**limits: int) -> None:
        for name, most in limits.items():
            monkeypatch.setattr(baselines, name, most)

    limit(MAX_NUMBERS=3 * 900, MAX_NEIGHBOUR_ROWS=500, MIN_NEIGHBOUR_ROWS=100)
    found = ran(X, y, **arguments)
    (X_train, y_train, _), test = found.train, found.test
    places, scaler = np.arange(len(X_train)), None
    for number, (rows, name) in enumerate(((900, "linear"), (500, "neighbours"))):
        places = places[np.sort(stream(0, "baselines", number).choice(len(places), rows, replace=False))]
        scaler = scaler or StandardScaler().fit(X_train[places])
        probability = probability_of(name, (X_train[places], y_train[places], None), test, scaler)
        told = found["baselines"][name]["test"]
        assert told["loss"] == pytest.approx(metrics.log_loss(test[1], probability), rel=1e-5)
        assert told["accuracy"] == pytest.approx(whole[name]["test"]["accuracy"], abs=0.03)
    limit(MAX_DISTANCES=50_000)
    assert set(ran(X, y, **arguments)["baselines"]) == {"constant", "linear"}


# -------------------------------------------------------------------------------------------------------------- trees

TREES: dict[str, Any] = {"baselines": ["trees"], "epochs": 1}


def test_trees_read_gaps_and_categories_as_they_are(tmp_path: Path, rng: np.random.Generator):
    number, town = rng.normal(size=300), rng.integers(0, 12, 300)
    y = np.where(number > 0.5, 3.0, 0.0) + rng.normal(size=12)[town] + 0.1 * rng.normal(size=300)
    number[rng.random(300) < 0.2] = np.nan
    names = [f"town {place}" if rng.random() > 0.2 else "" for place in town]
    names[5] = "rare"  # has no code for the network, and one for trees
    rows = zip(["" if np.isnan(each) else each for each in number], names, y, strict=True)
    spec = spec_on(csv_file(tmp_path / "rows.csv", "number,town,y", rows), loss="mse", **TREES)
    data, found = data_of(spec), specnet.run(spec, observer=specnet.Observer())
    train, test = data.splits["train"].chosen, data.splits["test"].chosen
    frame = pd.DataFrame({"number": number, "town": pd.Categorical([name or None for name in names])})
    trees = HistGradientBoostingRegressor(random_state=0, categorical_features="from_dtype")
    expected = trees.fit(frame.iloc[train], y[train]).predict(frame.iloc[test])
    error = metrics.mean_squared_error(y[test], expected)
    assert found.evaluation["baselines"]["trees"]["test"]["loss"] == pytest.approx(error, rel=1e-6)
    assert error < 0.5 * np.var(y[test])


def test_columns_that_training_rows_miss_are_left_alone(tmp_path: Path, rng: np.random.Generator):
    number, y = rng.normal(size=80), rng.integers(0, 2, 80)
    rows = ((a, "", "", b) for a, b in zip(number, y, strict=True))
    table = csv_file(tmp_path / "rows.csv", "number,gone,town,y", rows)
    spec = spec_on({**table, "columns": {"gone": "numeric", "town": "category"}}, **TREES)
    found, data = specnet.run(spec, observer=specnet.Observer()), data_of(spec)
    train, test = data.splits["train"].chosen, data.splits["test"].chosen
    trees = HistGradientBoostingClassifier(random_state=0).fit(number[train, None], y[train])
    expected = metrics.log_loss(y[test], trees.predict_proba(number[test, None]))
    assert found.evaluation["baselines"]["trees"]["test"]["loss"] == pytest.approx(expected)


def test_rare_ones_of_too_many_categories_are_missing(tmp_path: Path, rng: np.random.Generator):
    town = rng.permutation(np.concatenate([np.repeat(np.arange(240), 20), np.arange(240, 280)]))
    rows = ((f"town {place}", place % 2) for place in town)
    spec = spec_on(csv_file(tmp_path / "rows.csv", "town,y", rows), loss="mse", **TREES)
    found = specnet.run(spec, observer=specnet.Observer())
    rare = town[data_of(spec).splits["test"].chosen] >= 240
    assert rare.any()
    assert found.evaluation["baselines"]["trees"]["test"]["loss"] < 0.01 + rare.mean()


def test_enormous_numbers_are_no_trouble(ran, rng: np.random.Generator):
    X = columns(rng)
    y = classes(rng, X)
    X[:, 1] *= 1e307
    network = {"preprocessing": ["robust", "smooth_clip"]}
    found = ran(X, y, loss="binary_crossentropy", metrics=["accuracy"], network=network, **TREES)
    assert found["baselines"]["trees"]["test"]["accuracy"] > 0.6


def test_trees_are_the_same_by_any_number_of_threads(ran, rng: np.random.Generator):
    X = columns(rng)
    y, told = classes(rng, X, 3), []
    for threads in (1, 2, 3):
        with limited_threads(threads):
            told.append(ran(X, y, loss="categorical_crossentropy", **TREES)["baselines"])
    assert told[0] == told[1] == told[2]


def test_baselines_are_chosen_by_name_and_computed_for_each_set_held_out(ran, rng: np.random.Generator):
    X, defaults = columns(rng), ["constant", "linear", "neighbours"]
    y = classes(rng, X)
    assert list(ran(X, y, loss="binary_crossentropy")["baselines"]) == defaults
    names = ["trees", "constant", "neighbours"]
    found = ran(X, y, loss="binary_crossentropy", baselines=names)
    assert list(found["baselines"]) == list(found["gains"]) == names
    split = {"test_size": 0.2, "validation_size": 0.3}
    spec = spec_on({"type": "make_moons", "n_samples": 100, "noise": 0.2, "split": split})
    told = {name: set(parts) for name, parts in specnet.run(spec).evaluation["baselines"].items()}
    assert told == {name: {"validation", "test"} for name in defaults}
    split["test_size"] = 0
    assert set(specnet.run(spec).evaluation["baselines"]["linear"]) == {"validation"}
