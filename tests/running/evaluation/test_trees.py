"""The baseline of gradient-boosted trees, against scikit-learn's own on the same rows as data frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

import specnet
from specnet.compiler.thread_limits import limited_threads
from tests.made import data_of
from tests.running.conftest import ROWS, classes, columns
from tests.running.specs import csv_file, spec_on


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of small trees wait for each other far longer than they compute."""
    with threadpool_limits(1):
        yield


TREES: dict[str, Any] = {"baselines": ["trees"], "epochs": 1}


@pytest.mark.parametrize(("count", "weighted"), [(2, True), (3, False)])
def test_trees_of_classes_are_those_of_scikit_learn(ran, rng: np.random.Generator, count: int, weighted: bool):
    X = columns(rng)
    y, weight = classes(rng, X, count), rng.integers(1, 5, ROWS) if weighted else None
    loss = "categorical_crossentropy" if count == 3 else "binary_crossentropy"
    found = ran(X, y, weight, loss=loss, metrics=["accuracy"], **TREES)
    (X_train, y_train, w_train), (X_test, y_test, w_test) = found.train, found.test
    shares = None if w_train is None else w_train / w_train.mean()
    trees = HistGradientBoostingClassifier(random_state=0).fit(X_train, y_train, shares)
    assert found["baselines"]["trees"]["test"] == {
        "loss": pytest.approx(metrics.log_loss(y_test, trees.predict_proba(X_test), sample_weight=w_test)),
        "accuracy": pytest.approx(trees.score(X_test, y_test, w_test)),
    }


@pytest.mark.parametrize(("outputs", "scaled"), [(1, True), (2, False)])
def test_trees_of_values_are_those_of_scikit_learn(ran, rng: np.random.Generator, outputs: int, scaled: bool):
    X = columns(rng)
    y = (30 + 5 * X[:, :outputs] ** 2)[:, 0 if outputs == 1 else slice(None)]
    network = {"target_preprocessing": ["standardize"] if scaled else []}
    found = ran(X, y, loss="mse", metrics=["mean_squared_error"], network=network, **TREES)
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    each = [
        HistGradientBoostingRegressor(random_state=0).fit(X_train, column).predict(X_test)
        for column in y_train.reshape(len(y_train), -1).T
    ]
    error = np.mean((np.transpose(each) - y_test.reshape(len(y_test), -1)) ** 2)
    assert found["baselines"]["trees"]["test"]["mean_squared_error"] == pytest.approx(error, rel=1e-6)


def test_trees_of_several_labels_are_trees_of_each(ran, rng: np.random.Generator):
    X = columns(rng)
    y = (X + rng.normal(size=X.shape) > [0, 0.5, 9]).astype(int)  # of the last one no row has a label
    found = ran(X, y, loss="binary_crossentropy", **TREES)
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    losses = [
        metrics.log_loss(t, HistGradientBoostingClassifier(random_state=0).fit(X_train, target).predict_proba(X_test))
        for target, t in zip(y_train.T[:2], y_test.T, strict=False)
    ]
    losses.append(-np.log(len(y_train) / (len(y_train) + 1)))
    assert found["baselines"]["trees"]["test"]["loss"] == pytest.approx(np.mean(losses))


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
    table["columns"] = {"gone": "numeric", "town": "category"}
    spec = spec_on(table, **TREES)
    found, data = specnet.run(spec, observer=specnet.Observer()), data_of(spec)
    train, test = data.splits["train"].chosen, data.splits["test"].chosen
    trees = HistGradientBoostingClassifier(random_state=0).fit(number[train, None], y[train])
    expected = metrics.log_loss(y[test], trees.predict_proba(number[test, None]))
    assert found.evaluation["baselines"]["trees"]["test"]["loss"] == pytest.approx(expected)


def test_rare_ones_of_too_many_categories_are_missing(tmp_path: Path, rng: np.random.Generator):
    town = np.concatenate([np.repeat(np.arange(240), 20), np.arange(240, 280)])
    rng.shuffle(town)
    y = (town % 2).astype(float)
    rows = ((f"town {place}", value) for place, value in zip(town, y, strict=True))
    spec = spec_on(csv_file(tmp_path / "rows.csv", "town,y", rows), loss="mse", **TREES)
    found, data = specnet.run(spec, observer=specnet.Observer()), data_of(spec)
    test = data.splits["test"].chosen
    rare = town[test] >= 240
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
    y = classes(rng, X, 3)
    told = []
    for threads in (1, 2, 3):
        with limited_threads(threads):
            told.append(ran(X, y, loss="categorical_crossentropy", **TREES)["baselines"])
    assert told[0] == told[1] == told[2]


def test_trees_are_asked_for_by_name(ran, rng: np.random.Generator):
    X = columns(rng)
    found = ran(X, classes(rng, X), loss="binary_crossentropy", epochs=1)
    assert list(found["baselines"]) == ["constant", "linear", "neighbours"]
    names = ["trees", "constant", "neighbours"]
    found = ran(X, classes(rng, X), loss="binary_crossentropy", epochs=1, baselines=names)
    assert list(found["baselines"]) == list(found["gains"]) == names
