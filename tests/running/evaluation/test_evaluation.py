"""What metrics.json says of a model beyond its figures, against scikit-learn and formulas written anew."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm, ttest_1samp
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.model_selection import train_test_split

import specnet
from specnet.network.random import stream
from specnet.parts.metrics.statistics import mean_statistic
from specnet.running.evaluation.intervals import (
    FEW_RESAMPLES,
    MANY_ROWS,
    RESAMPLES,
    Resampling,
    independent_rows,
    wilson_interval,
)
from tests.made import data_of
from tests.running.conftest import ROWS, classes, columns
from tests.running.specs import cells, csv_file, spec_on


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_tables_of_classes(ran, rng: np.random.Generator, count: int, weighted: bool):
    X = columns(rng)
    y = np.array(["ant", "bee", "cat"])[classes(rng, X, count)]
    weight = rng.integers(1, 5, ROWS) / 2 if weighted else None
    found = ran(X, y, weight, loss="categorical_crossentropy" if count == 3 else "binary_crossentropy", epochs=30)
    (X_test, y_test, w_test), model = found.test, found.result.model
    prediction = model.predict(X_test)
    shares = None if w_test is None else w_test / w_test.mean()
    expected = metrics.confusion_matrix(y_test, prediction, labels=model.labels, sample_weight=shares)
    assert found.tables["labels"] == ["ant", "bee", "cat"][:count]
    np.testing.assert_allclose(found.tables["confusion"], expected, rtol=1e-15 if weighted else 0)
    assert all(isinstance(cell, float if weighted else int) for row in found.tables["confusion"] for cell in row)
    precision, recall, *_ = metrics.precision_recall_fscore_support(
        y_test, prediction, labels=model.labels, sample_weight=w_test, zero_division=np.nan
    )
    for name, numbers in (("precision", precision), ("recall", recall)):
        told = [np.nan if cell is None else cell for cell in found.tables[name]]
        np.testing.assert_allclose(told, numbers)
    assert ("calibration" in found.tables) == (count == 2)


@pytest.mark.parametrize("weighted", [False, True])
def test_calibration_in_ten_bins(ran, rng: np.random.Generator, weighted: bool):
    X = columns(rng)
    y, weight = classes(rng, X), rng.integers(1, 5, ROWS) if weighted else None
    found = ran(X, y, weight, loss="binary_crossentropy", epochs=60)
    X_test, y_test, w_test = found.test
    probability, times = found.result.model.predict_proba(X_test)[:, 1], 1 if w_test is None else w_test
    share, mean = calibration_curve(y_test.repeat(times), probability.repeat(times), n_bins=10)
    rows = np.histogram(probability, np.linspace(0, 1, 11))[0]
    calibration = found.tables["calibration"]
    assert [count for count, *_ in calibration] == rows.tolist()
    assert 0 in rows
    assert all(others == [None, None] for count, *others in calibration if count == 0)
    np.testing.assert_allclose([others for count, *others in calibration if count], np.transpose([mean, share]))
    assert weighted or ran(X, y, loss="hinge").tables["calibration"] is None


def test_tables_of_several_labels(ran, rng: np.random.Generator):
    X = columns(rng)
    y = (X + rng.normal(size=X.shape) > [0, 0.5, 1]).astype(int)
    found = ran(X, y, loss="binary_crossentropy", epochs=30, metrics=["accuracy", "roc_auc"])
    X_test, y_test, _ = found.test
    expected = metrics.multilabel_confusion_matrix(y_test, found.result.model.predict(X_test))
    assert found.tables.keys() == {"outputs", "confusion", "slices"}
    assert (found.tables["outputs"], found.tables["confusion"]) == ([0, 1, 2], expected.tolist())
    assert found["intervals"]["test"]["accuracy"]["method"] == "wilson"
    assert found["intervals"]["test"]["roc_auc"] is None


@pytest.mark.parametrize(("outputs", "weighted"), [(1, False), (2, False), (1, True)])
def test_tables_of_values(ran, rng: np.random.Generator, outputs: int, weighted: bool):
    X = columns(rng)
    y = (100 + 20 * X[:, :outputs] + rng.normal(size=(ROWS, outputs)))[:, 0 if outputs == 1 else slice(None)]
    weight = rng.integers(1, 5, ROWS) if weighted else None
    found = ran(X, y, weight, loss="mse", network={"target_preprocessing": ["standardize"]})
    X_test, y_test, w_test = found.test
    residual = (y_test - found.result.model.predict(X_test)).reshape(-1, outputs)
    residual = residual.repeat(w_test, axis=0) if weighted else residual
    assert found.tables["outputs"] == list(range(outputs))
    np.testing.assert_allclose(found.tables["bias"], -residual.mean(axis=0))
    method = "inverted_cdf" if weighted else "linear"
    expected = np.quantile(residual, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0, method=method).T
    np.testing.assert_allclose(found.tables["residual_quantiles"], expected)


@pytest.mark.parametrize(("outputs", "weighted"), [(1, False), (1, True), (2, False), (2, True), (0, False)])
def test_coverage_of_values_and_of_classes(ran, rng: np.random.Generator, outputs: int, weighted: bool):
    X, weight = columns(rng), rng.integers(1, 5, ROWS) if weighted else None
    values = 20 * X[:, :outputs] + rng.normal(size=(ROWS, outputs))
    y = classes(rng, X, 3) if outputs == 0 else values[:, 0] if outputs == 1 else values
    found = ran(X, y, weight, loss="mse" if outputs else "categorical_crossentropy", ensemble=3, epochs=20)
    (X_test, y_test, w_test), model = found.test, found.result.model
    told = found.tables["coverage"]
    assert [each["level"] for each in told] == [0.5, 0.8, 0.9, 0.95]
    for each in told:
        if outputs:
            low, high = np.moveaxis(model.predict_interval(X_test, each["level"]).reshape(-1, outputs, 2), -1, 0)
            true = y_test.reshape(-1, outputs)
            inside, size = (low <= true) & (true <= high), high - low
        else:
            sets = model.predict_set(X_test, each["level"])
            inside, size = sets[np.arange(len(y_test)), y_test, None], sets.sum(axis=1, keepdims=True)
        assert each["covered"] == pytest.approx(np.average(inside, axis=0, weights=w_test).tolist(), rel=1e-12)
        assert each["size"] == pytest.approx(np.average(size, axis=0, weights=w_test).tolist())


def test_coverage_is_told_of_levels_that_can_be_had(ran, rng: np.random.Generator):
    X = columns(rng)
    few = ran(X, classes(rng, X), loss="binary_crossentropy", network={}, test_size=0.85, ensemble=2)
    assert [each["level"] for each in few.tables["coverage"]] == [0.5, 0.8, 0.9]
    assert "coverage" not in ran(X, classes(rng, X), loss="hinge", ensemble=2).tables
    assert "coverage" not in ran(X, classes(rng, X), loss="binary_crossentropy").tables


def test_gains_and_intervals_are_of_the_same_resamples(ran, rng: np.random.Generator):
    X = columns(rng)
    y = classes(rng, X)
    found = ran(X, y, loss="binary_crossentropy", epochs=30, metrics=["accuracy", "roc_auc", "f1"])
    (_, y_train, _), (X_test, y_test, _) = found.train, found.test
    probability = found.result.model.predict_proba(X_test)[:, 1]
    own = -np.log(np.where(y_test == 1, probability, 1 - probability))
    share = y_train.mean()
    gain = -np.log(np.where(y_test == 1, share, 1 - share)) - own
    drawn = stream(0, "resampling").integers(0, len(own), (1000, len(own)))
    low, high = np.quantile(own[drawn].mean(axis=1), [0.025, 0.975])
    intervals = found["intervals"]["test"]
    assert intervals["loss"] == {"low": pytest.approx(low), "high": pytest.approx(high), "method": "bootstrap"}
    constant, right = found["baselines"]["constant"]["test"], (probability > 0.5) == y_test
    likelier = y_test == (share > 0.5)
    wins, losses = int((right & ~likelier).sum()), int((likelier & ~right).sum())
    better_by = {
        "loss": (constant["loss"] - found.figures["loss"], gain, ttest_1samp(gain, 0).pvalue, 0.2),
        "accuracy": (
            found.figures["accuracy"] - constant["accuracy"],
            right.astype(float) - likelier,
            binomtest(wins, wins + losses).pvalue,
            1e-9,
        ),
    }
    for name, (value, difference, p_value, tolerance) in better_by.items():
        low, high = np.quantile(difference[drawn].mean(axis=1), [0.025, 0.975])
        expected = {"value": pytest.approx(value), "low": pytest.approx(low), "high": pytest.approx(high)}
        # The standard deviation of 1 000 resampled means is 2 % off, and a p-value by more.
        assert found["gains"]["constant"][name] == expected | {"p_value": pytest.approx(p_value, rel=tolerance)}
    assert found["deciding"] == ["accuracy", "loss"]
    assert found["gains"]["constant"].keys() == better_by.keys()
    beside = found["baseline_intervals"]["constant"]
    assert beside["accuracy"] == wilson_interval(int(likelier.sum()), len(likelier))
    low, high = np.quantile((own + gain)[drawn].mean(axis=1), [0.025, 0.975])
    assert beside["loss"] == {"low": pytest.approx(low), "high": pytest.approx(high), "method": "bootstrap"}
    assert intervals["roc_auc"]["low"] < found.figures["roc_auc"] < intervals["roc_auc"]["high"]
    assert intervals["accuracy"]["low"] < found.figures["accuracy"] < intervals["accuracy"]["high"]
    assert intervals["f1"] is None


def by_patient(folder: Path, table: np.ndarray, header: str = "patient,x,y", **data: Any) -> dict[str, Any]:
    return csv_file(folder / "rows.csv", header, cells(table), split={"group": "patient"}, **data)


@pytest.mark.parametrize(("figure", "weighted"), [("loss", False), ("accuracy", False), ("accuracy", True)])
def test_rows_of_a_group_are_resampled_together(tmp_path: Path, rng: np.random.Generator, figure: str, weighted: bool):
    """So that a figure is as uncertain as groups are few."""
    patients = rng.permutation(np.repeat(np.arange(40), 6))
    x, weight = rng.normal(size=(2, len(patients)))
    effect = rng.normal(size=40)[patients]
    y = 10 * effect + x if figure == "loss" else (x + 3 * effect > 0).astype(int)
    rows = np.column_stack([patients, x, 1 + weight**2, y])
    role = {"sample_weight": "w"} if weighted else {"columns": {"w": "ignore"}}
    data = by_patient(tmp_path, rows, "patient,x,w,y", **role)
    training = {"loss": "mse"} if figure == "loss" else {"metrics": ["accuracy"], "epochs": 5}
    spec = spec_on(data, network={"dtype": "float64"}, **training)
    test = data_of(spec).splits["test"].chosen
    found = specnet.run(spec, observer=specnet.Observer())
    prediction, counted = found.model.predict(rows[test, 1:2]), rows[test, 2] if weighted else np.ones(len(test))
    own = counted * ((prediction - y[test]) ** 2 if figure == "loss" else prediction == y[test])
    names = np.unique(patients[test].astype(str))  # a group is a text
    sums = np.array([[each[patients[test] == int(name)].sum() for name in names] for each in (own, counted)])
    drawn = stream(0, "resampling").integers(0, len(names), (1000, len(names)))
    low, high = np.quantile(np.divide(*sums[:, drawn].sum(axis=2)), [0.025, 0.975])
    interval = found.evaluation["intervals"]["test"][figure]
    assert interval == {"low": pytest.approx(low), "high": pytest.approx(high), "method": "bootstrap"}


def test_groups_without_a_mistake_are_so_many_rows(tmp_path: Path):
    x = np.linspace(0.5, 1, 120) * np.where(np.arange(120) < 60, -1, 1)
    rows = np.column_stack([np.arange(120) // 6, x, x > 0])
    spec = spec_on(by_patient(tmp_path, rows), 4, metrics=["accuracy"], optimizer="lbfgs", epochs=30)
    found = specnet.run(spec, observer=specnet.Observer())
    assert found.metrics["test"]["accuracy"] == 1
    assert found.evaluation["intervals"]["test"]["accuracy"] == wilson_interval(5, 5)


@pytest.mark.parametrize("weight", [np.full(ROWS, 3.0), np.arange(ROWS) % 2, np.linspace(0.5, 2, ROWS)])
def test_an_accuracy_of_weighted_rows_has_the_interval_of_their_effective_number(ran, rng, weight: np.ndarray):
    X = columns(rng)
    found = ran(X, classes(rng, X), weight, loss="binary_crossentropy", metrics=["accuracy"])
    _, _, test = found.test
    accuracy, rows = found.figures["accuracy"], test.sum() ** 2 / np.square(test).sum()
    low, high = (found["intervals"]["test"]["accuracy"][end] for end in ("low", "high"))
    for end in (low, high):  # Wilson's ends are the fractions whose own deviation reaches the accuracy
        assert abs(accuracy - end) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / rows), rel=1e-6)
    assert low < accuracy < high
    assert found["intervals"]["test"]["loss"]["method"] == "bootstrap"


def test_rows_of_one_class_leave_out_what_is_not_defined(ran, rng: np.random.Generator):
    X = columns(rng)
    y = np.arange(ROWS) % 2
    _, test = train_test_split(np.arange(ROWS), test_size=0.25, random_state=0)
    y[test] = 1
    found = ran(X, y, loss="binary_crossentropy", metrics=["roc_auc"])
    assert found.figures["roc_auc"] is None
    assert found["intervals"]["test"]["roc_auc"] is None
    assert found.tables["recall"][0] is None
    assert found.tables["confusion"][0] == [0, 0]


def test_one_test_row_says_nothing_of_chance(ran, rng: np.random.Generator):
    X = columns(rng)
    found = ran(X, X[:, 0], loss="mse", test_size=1 / ROWS, metrics=["r2"])
    assert found["rows"] == {"train": ROWS - 1, "test": 1}
    assert found["intervals"] == {"test": {"loss": None, "r2": None}}
    gain = found["gains"]["constant"]["loss"]
    assert (gain["low"], gain["high"]) == (None, None)
    assert gain["value"] is not None


def test_without_test_rows_there_are_only_the_figures(ran, rng: np.random.Generator):
    X = columns(rng)
    found = ran(X, X[:, 0], loss="mse", test_size=0.0)
    names = ("baselines", "tables", "intervals", "baseline_intervals", "gains", "calibration")
    empty: dict[str, Any] = {name: {} for name in names} | {"deciding": []}
    assert found.result.evaluation == {"rows": {"train": ROWS}, **found.result.metrics, **empty}


def test_there_may_be_no_baselines(ran, rng: np.random.Generator):
    X = columns(rng)
    found = ran(X, X[:, 0], loss="mse", baselines=[])
    assert (found["baselines"], found["gains"]) == ({}, {})
    assert found["intervals"]["test"]["loss"]["method"] == "bootstrap"


def test_the_gain_of_an_error_is_by_how_much_it_is_less(ran, rng: np.random.Generator):
    X = columns(rng)
    found = ran(X, X[:, 0], loss="mse", epochs=60, metrics=["root_mean_squared_error"])
    name, constant = "root_mean_squared_error", found["baselines"]["constant"]["test"]
    gain = found["gains"]["constant"][name]
    assert gain["value"] == pytest.approx(constant[name] - found.figures[name])
    assert 0 < gain["low"] < gain["value"] < gain["high"]


@pytest.mark.parametrize("weighted", [False, True])
def test_resamples_are_rows_drawn_with_replacement(weighted: bool):
    rows = 3000
    numbers, weight = np.random.default_rng(1).random((2, rows))
    resampling = Resampling(rows, stream(3, "resampling"), weight if weighted else None)
    (found,) = resampling.figures([mean_statistic(numbers)])
    if not weighted:
        weight = np.ones(rows)
    generator, at_once, drawn = stream(3, "resampling"), 2**20 // rows, list[np.ndarray]()
    while len(drawn) < RESAMPLES:
        drawn += [*generator.integers(0, rows, (min(at_once, RESAMPLES - len(drawn)), rows))]
    expected = [(numbers[places] * weight[places]).sum() / weight[places].sum() for places in drawn]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    interval = resampling.interval(0.5, found)
    assert interval == {
        "low": pytest.approx(sorted(expected)[24], abs=1e-3),
        "high": pytest.approx(sorted(expected)[975], abs=1e-3),
        "method": "bootstrap",
    }
    assert (interval["low"], interval["high"]) == tuple(np.quantile(found, [0.025, 0.975]))


def test_many_rows_take_the_spread_of_few_resamples():
    rows = MANY_ROWS + 1
    numbers = np.random.default_rng(2).random(rows)
    resampling = Resampling(rows, stream(3, "resampling"))
    (found,) = resampling.figures([mean_statistic(numbers)])
    assert found.shape == (FEW_RESAMPLES,)
    half = 1.96 * found.std(ddof=1)
    assert resampling.interval(0.5, found) == {"low": 0.5 - half, "high": 0.5 + half, "method": "normal"}
    assert half == pytest.approx(1.96 * numbers.std() / math.sqrt(rows), rel=0.3)


def test_resamples_without_a_figure_do_not_count():
    resampling = Resampling(3, stream(0, "resampling"))
    figures = np.array([np.nan, 1.0, np.nan, 3.0])
    assert resampling.interval(2.0, figures) == {"low": 1.05, "high": 2.95, "method": "bootstrap"}
    assert resampling.interval(2.0, figures[:1]) is None
    assert resampling.interval(None, figures) is None
    assert Resampling(1, stream(0, "resampling")).interval(2.0, figures) is None


def test_rows_of_groups_are_worth_fewer():
    """As many as the variance of their mean says."""
    generator, groups = np.random.default_rng(3), np.repeat(np.arange(500), 4)
    own, shared = generator.normal(size=2000), generator.normal(size=500)[groups]
    assert independent_rows(own, None) == 2000
    assert independent_rows(own, groups) == pytest.approx(2000, rel=0.1)
    assert independent_rows(shared, groups) == pytest.approx(500, rel=0.01)
    # Variances 1 and 1: the mean's is (1 + 4)/2000, as of 800 rows of variance 2.
    assert independent_rows(own + shared, groups) == pytest.approx(800, rel=0.1)
    assert independent_rows(np.zeros(8), np.arange(8) // 2) == 4
    assert independent_rows(np.arange(8.0), np.zeros(8)) == 1
    assert independent_rows(np.tile([0.0, 1.0], 4), np.arange(8) // 2) == 8


@pytest.mark.parametrize(("right", "rows"), [(0, 1), (1, 1), (0, 50), (17, 50), (50, 50), (9_990, 10_000)])
def test_wilson_s_interval(right: int, rows: int):
    interval, expected = wilson_interval(right, rows), binomtest(right, rows).proportion_ci(0.95, "wilson")
    assert interval == {
        "low": pytest.approx(expected.low, abs=1e-14),
        "high": pytest.approx(expected.high, abs=1e-14),
        "method": "wilson",
    }
    z = norm.ppf(0.975)
    for end in (expected.low, expected.high):  # both ends are as far from the share as chance goes there
        assert abs(right / rows - end) == pytest.approx(z * math.sqrt(end * (1 - end) / rows), abs=1e-12)
