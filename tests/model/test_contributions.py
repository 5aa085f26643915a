"""Contributions of columns: Shapley values by their definition, by another package, and by random orders."""

from __future__ import annotations

import json
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from specnet import DataError, Model, fit
from specnet.model import contributions as own
from tests.exporting.models import team_of
from tests.exporting.test_texts import model_of, rows_of
from tests.model.contributed import explained_cases, linear, wide_model
from tests.model.models import make_model

SHAP = json.loads((Path(__file__).parents[1] / "figures/contributions.json").read_text())


def predicted(model: Model, X: object) -> np.ndarray:
    """Return what `predict_proba` or else `predict` gives, (rows, outputs)."""
    given = model.predict_proba(X) if model.gives_probabilities else model.predict(X)
    return np.asarray(given, np.float64).reshape(len(given), -1)


def by_definition(model: Model, row: pd.DataFrame, background: pd.DataFrame) -> np.ndarray:
    """Return the mean of what each column adds, over all orders and all background rows."""
    columns = list(background)

    @cache
    def worth(coalition: frozenset[int]) -> np.ndarray:
        mixed = background.copy()
        for index in coalition:
            mixed[columns[index]] = [row[columns[index]].iloc[0]] * len(mixed)
        return predicted(model, mixed).mean(axis=0)

    orders = list(permutations(range(len(columns))))
    total = np.zeros((len(columns), len(worth(frozenset()))))
    for order in orders:
        for place, index in enumerate(order):
            before = frozenset(order[:place])
            total[index] += (worth(before | {index}) - worth(before)) / len(orders)
    return total


def check(model: Model, rows: pd.DataFrame, background: pd.DataFrame, tolerance: float = 1e-9) -> None:
    found = model.contributions(rows, background)
    assert found.errors is None
    np.testing.assert_allclose(found.base, predicted(model, background).mean(axis=0), rtol=tolerance, atol=tolerance)
    total = found.base + found.values.sum(axis=1)
    np.testing.assert_allclose(total, predicted(model, rows), rtol=tolerance, atol=tolerance)
    for number, values in enumerate(found.values):
        expected = by_definition(model, rows.iloc[[number]], background)
        np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "classes, text", "value", "values"])
def test_contributions_are_those_of_the_definition(kind: str) -> None:
    model = make_model(kind)
    table = pd.DataFrame(np.random.default_rng(3).normal(5, 3, (8, 3)))
    check(model, table[:2], table[2:])


@pytest.mark.parametrize("kind", ["value", "classes"])
def test_of_a_team_they_are_of_its_mean(kind: str) -> None:
    model = team_of(kind, "float64")
    table = pd.DataFrame(np.random.default_rng(4).normal(5, 3, (6, model.network.resolved.columns)))
    found = model.contributions(table[:1], table[1:])
    total = found.base + found.values.sum(axis=1)
    np.testing.assert_allclose(total, predicted(model, table[:1]), rtol=1e-9)
    np.testing.assert_allclose(found.values[0], by_definition(model, table[:1], table[1:]), rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    generator, count = np.random.default_rng(0), 60
    return pd.DataFrame(
        {
            "size": np.where(generator.random(count) < 0.2, np.nan, generator.normal(size=count)),
            "city": generator.choice(["Bonn", "Rome", "Oslo", ""], count),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 999, count), "D"),
            "open": generator.choice([True, False], count),
        }
    )


@pytest.fixture(scope="module")
def mixed(table: pd.DataFrame) -> Model:
    """A small ensemble of a table with gaps, categories, dates and booleans."""
    spec = {
        "network": {
            "hidden_layer_sizes": [4],
            "dtype": "float64",
            "preprocessing": [
                {"columns": ["size"], "steps": ["impute", "standardize"]},
                {"columns": ["city"], "steps": ["one_hot"]},
                {"columns": ["since"], "steps": ["standardize"]},
                {"columns": ["open"], "steps": []},
            ],
        },
        "training": {"loss": "categorical_crossentropy", "epochs": 2, "ensemble": 2},
    }
    return fit(spec, table, np.arange(len(table)) % 3)


def test_a_category_a_gap_and_a_date_are_one_column_each(mixed: Model, table: pd.DataFrame) -> None:
    """The rows have a category and a gap that the background has not, and the other way round."""
    gap = int(np.flatnonzero(table["size"].isna())[0])
    oslo = int(np.flatnonzero(table["city"] == "Oslo")[0])
    others = table[(table["city"] != "Oslo") & table["size"].notna()][:5]
    check(mixed, table.iloc[[gap, oslo]], others)
    check(mixed, others[:1], table.iloc[[gap, oslo]])


def test_a_free_text_is_one_column() -> None:
    """The rows have a text, and a gap in another column of texts; the background has texts with other words."""
    rows = rows_of(1)
    check(model_of(), rows[:2], rows[2:6])


@pytest.mark.parametrize("name", ["classes", "binary", "value", "wide value", "wide classes"])
def test_they_agree_with_those_of_shap(name: str) -> None:
    model, rows, background = next(rest for each, *rest in explained_cases() if each == name)
    found, theirs = model.contributions(rows, background), SHAP[name]
    np.testing.assert_allclose(found.base, theirs["base"], rtol=1e-9)
    if found.errors is None:
        np.testing.assert_allclose(found.values, theirs["exact"], rtol=1e-8, atol=1e-10)
        return
    # The differences are as large as the errors say: their mean square is 1 in units of the error, within noise.
    apart = found.values - theirs["exact"]
    scaled = (apart / found.errors)[..., : None if len(found.base) == 1 else -1]
    assert 0.4 < np.sqrt(np.mean(scaled**2)) < 1.7
    own_error, their_error = np.abs(apart).mean(), np.abs(np.subtract(theirs["drawn"], theirs["exact"])).mean()
    assert own_error < 2 * their_error


def test_random_orders_are_exact_for_a_sum_and_always_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    model = wide_model(11)
    generator = np.random.default_rng(5)
    rows, background = generator.normal(size=(3, 11)), generator.normal(size=(7, 11))
    found = model.contributions(rows, background)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), predicted(model, rows), rtol=1e-12)
    line = linear(np.arange(11.0))
    sums = line.contributions(rows, background)
    np.testing.assert_allclose(sums.values[..., 0], np.arange(11) * (rows - background.mean(axis=0)), atol=1e-9)
    assert sums.errors.max() < 1e-9
    # A row has the same contributions whatever the other rows are, and however many are predicted together.
    monkeypatch.setattr(own, "ROWS_AT_ONCE", 30)
    alone = model.contributions(rows[1:2], background)
    np.testing.assert_allclose(alone.values[0], found.values[1], rtol=1e-10)
    monkeypatch.setattr(own, "EXACT_COLUMNS", 11)
    exact = model.contributions(rows[:1], background)
    assert exact.errors is None
    assert np.abs(found.values[0] - exact.values[0]).max() < 5 * found.errors[0].max()


@pytest.mark.parametrize("columns", [3, 11])
def test_progress_counts_every_prediction_from_the_first_on(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "ROWS_AT_ONCE", 30)
    generator, calls = np.random.default_rng(5), list[tuple[int, int]]()
    rows, background = generator.normal(size=(3, columns)), generator.normal(size=(7, columns))
    wide_model(columns).contributions(rows, background, progress=lambda *call: calls.append(call))
    done, totals = zip(*calls, strict=True)
    assert len(calls) > len(rows)
    assert [*done] == sorted(done)
    assert {*totals} == {done[-1]}


def test_without_rows_to_compare_to_it_is_said_what_to_do() -> None:
    model = make_model("value")
    with pytest.raises(DataError, match="contributions need rows to compare to, and the model has none"):
        model.contributions(np.zeros((1, 3)))
    with pytest.raises(DataError):
        model.contributions(np.zeros((1, 3)), np.zeros((0, 3)))
    with pytest.raises(DataError):
        model.contributions(np.zeros((1, 3)), np.zeros((2, 4)))
