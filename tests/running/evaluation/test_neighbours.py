"""The baseline of nearest neighbours, against scikit-learn's, and what bounds the rows that baselines are fitted on."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import specnet
from specnet.network.random import stream
from specnet.running.evaluation import baselines
from specnet.running.evaluation.baselines import neighbour_rows
from tests.running.conftest import ROWS, classes, columns
from tests.running.specs import spec_on

SCALES = np.array([1.0, 100.0, 0.01])


@pytest.mark.parametrize("count", [2, 3])
def test_neighbours_of_classes_are_those_of_scikit_learn(ran, rng: np.random.Generator, count: int):
    X = columns(rng) * SCALES
    y = classes(rng, X / SCALES, count)
    loss = "categorical_crossentropy" if count == 3 else "binary_crossentropy"
    found = ran(X, y, loss=loss, metrics=["accuracy"], baselines=["neighbours"])
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    scaler = StandardScaler().fit(X_train)
    model = KNeighborsClassifier(15).fit(scaler.transform(X_train), y_train)
    shares = model.predict_proba(scaler.transform(X_test))
    frequencies = np.bincount(y_train) / len(y_train)
    probability = (15 * shares + frequencies) / 16
    told = found["baselines"]["neighbours"]["test"]
    assert told["loss"] == pytest.approx(metrics.log_loss(y_test, probability))
    assert told["accuracy"] == pytest.approx(np.mean(probability.argmax(axis=1) == y_test))
    assert told["accuracy"] > 0.5


def test_neighbours_of_values_have_their_mean(ran, rng: np.random.Generator):
    X = columns(rng) * SCALES
    y = np.sin(X[:, :1]) + X[:, 1:2] / 100 * [1, 2] + 40
    found = ran(X, y, loss="mse", metrics=["mean_squared_error"], baselines=["neighbours"])
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    prediction = make_pipeline(StandardScaler(), KNeighborsRegressor(15)).fit(X_train, y_train).predict(X_test)
    expected = metrics.mean_squared_error(y_test, prediction)
    assert found["baselines"]["neighbours"]["test"]["mean_squared_error"] == pytest.approx(expected)


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
    found = ran(X, X[:, 0], loss="mse", baselines=["neighbours", "constant"])
    told = found["baselines"]
    assert told["neighbours"]["test"]["loss"] == pytest.approx(told["constant"]["test"]["loss"])


def test_neighbours_of_spreads_and_of_several_labels(ran, rng: np.random.Generator):
    X = columns(rng)
    found = ran(X, X[:, 0] * 3, loss="gaussian_nll", baselines=["neighbours", "constant"])
    losses = {name: parts["test"]["loss"] for name, parts in found["baselines"].items()}
    assert losses["neighbours"] < losses["constant"] - 0.2
    y = (columns(rng) > 0).astype(int)
    y[:, 0] = X[:, 0] > 0
    found = ran(X, y, loss="binary_crossentropy", metrics=["accuracy"], baselines=["neighbours"])
    (X_train, y_train, _), (X_test, y_test, _) = found.train, found.test
    model = make_pipeline(StandardScaler(), KNeighborsRegressor(15)).fit(X_train, y_train)
    probability = (15 * model.predict(X_test) + y_train.mean(axis=0)) / 16
    expected = -np.mean(np.where(y_test == 1, np.log(probability), np.log(1 - probability)))
    assert found["baselines"]["neighbours"]["test"]["loss"] == pytest.approx(expected)


def test_rows_for_validation_have_baselines_too():
    split = {"test_size": 0.2, "validation_size": 0.3}
    spec = spec_on({"type": "make_moons", "n_samples": 100, "noise": 0.2, "split": split})
    found = specnet.run(spec).evaluation["baselines"]
    assert {name: set(parts) for name, parts in found.items()} == {
        name: {"validation", "test"} for name in ("constant", "linear", "neighbours")
    }
    spec["data"]["split"]["test_size"] = 0
    assert set(specnet.run(spec).evaluation["baselines"]["linear"]) == {"validation"}


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
    assert neighbour_rows(rows, held) == expected


def test_a_sample_of_many_rows_gives_nearly_the_same_baselines(ran, rng: np.random.Generator, monkeypatch):
    X = rng.normal(size=(4000, 3))
    y = (X[:, 0] + 0.3 * rng.normal(size=4000) > 0).astype(int)
    kept: list[np.ndarray] = []
    for name in ("fitted_linear", "fitted_neighbours"):
        fit = getattr(baselines, name)
        monkeypatch.setattr(baselines, name, lambda *given, fit=fit: [kept.append(given[1].target), fit(*given)][1])
    arguments: dict[str, Any] = {"loss": "binary_crossentropy", "metrics": ["accuracy"], "epochs": 1}

    def accuracies() -> list[float]:
        found = ran(X, y, **arguments)["baselines"]
        return [found[name]["test"]["accuracy"] for name in ("linear", "neighbours")]

    whole = accuracies()
    for name, most in (("MOST_NUMBERS", 3 * 900), ("MOST_NEIGHBOUR_ROWS", 500), ("LEAST_NEIGHBOUR_ROWS", 100)):
        monkeypatch.setattr(baselines, name, most)
    part = accuracies()
    assert [len(target) for target in kept] == [3000, 3000, 900, 500]
    places = train_test_split(np.arange(4000), test_size=0.25, random_state=0)[0]
    for number, (rows, target) in enumerate(zip((900, 500), kept[2:], strict=True)):
        places = places[np.sort(stream(0, "baselines", number).choice(len(places), rows, replace=False))]
        np.testing.assert_array_equal(target, y[places])
    assert part != whole
    np.testing.assert_allclose(part, whole, atol=0.03)
    monkeypatch.setattr(baselines, "MOST_DISTANCES", 50_000)
    assert set(ran(X, y, **arguments)["baselines"]) == {"constant", "linear"}
