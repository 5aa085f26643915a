"""Slices against SciPy's tests, a planted slice, and tables without structure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from specnet.findings.slices import Errors, Measure, Slice, slice_sentence, slices_of
from specnet.parts.data import Column

ISLANDS = np.array(["Biscoe", "Dream", "Torgersen"])
COLUMNS = [
    Column("island", "category", ISLANDS),
    Column("sex", "boolean"),
    Column("mass", "numeric"),
    Column("day", "datetime"),
    Column("note", "text", np.array([f"note {row}" for row in range(2_000)])),
]
DRAWS = 150


def cells(generator: np.random.Generator, rows: int) -> Any:
    """Return rows whose columns are independent of each other, with missing cells."""
    found = np.column_stack(
        [
            generator.integers(0, len(ISLANDS), rows),
            generator.integers(0, 2, rows),
            generator.normal(4_000, 500, rows).round(),
            generator.integers(10_000, 20_000, rows),
            np.arange(rows),
        ]
    ).astype(np.float64)
    found[generator.random(found.shape) < 0.1] = np.nan
    return found


def errors(generator: np.random.Generator, measure: Measure, rows: int, groups: Any = None) -> Errors:
    """Return errors that do not depend on any column; rows of a group are alike."""
    ids = np.arange(rows) if groups is None else groups
    if measure == "wrong":
        chance = generator.beta(0.5, 2, rows)[ids]
        return Errors(measure, (generator.random(rows) < chance).astype(np.float64), groups)
    return Errors(measure, np.exp(generator.normal(size=rows) + generator.normal(size=rows)[ids]), groups)


@pytest.mark.parametrize("is_grouped", [False, True])
@pytest.mark.parametrize("measure", ["wrong", "absolute_error"])
def test_without_structure_few_tables_have_a_slice(measure: Measure, is_grouped: bool) -> None:
    """At most one in twenty, and what chance adds to that; with groups, rows of a group share their columns."""
    generator, found = np.random.default_rng(0), 0
    for _ in range(DRAWS):
        table, groups = cells(generator, 200), None
        if is_grouped:
            groups = generator.integers(0, 50, 200)
            table = table[groups]
        found += bool(slices_of(errors(generator, measure, 200, groups), COLUMNS, table, table))
    assert found <= stats.binom.ppf(0.999, DRAWS, 0.05)


@pytest.mark.parametrize("measure", ["wrong", "absolute_error", "loss"])
@pytest.mark.parametrize("is_grouped", [False, True])
@pytest.mark.parametrize(
    ("column", "where"),
    [
        (0, "island = Torgersen"),
        (1, "sex = true"),
        (2, "mass from 4353"),
        (3, "day up to 2004-04-16"),
        (2, "mass missing"),
    ],
)
def test_a_planted_slice_is_found(measure: Measure, is_grouped: bool, column: int, where: str) -> None:
    generator = np.random.default_rng(1)
    table = cells(generator, 400)
    known = table[:, column][~np.isnan(table[:, column])]
    low, high = np.quantile(known, (0.25, 0.75), method="inverted_cdf")
    masks = [table[:, 0] == 2, table[:, 1] == 1, table[:, 2] > high, table[:, 3] <= low]
    mask = np.isnan(table[:, 2]) if "missing" in where else masks[column]
    given = errors(generator, measure, 400, generator.permutation(400) if is_grouped else None)
    values = np.where(mask & (generator.random(400) < 0.9), 1.0 if measure == "wrong" else 9.0, given.values * 0.3 // 1)
    first, *others = slices_of(Errors(measure, values, given.groups), COLUMNS, table, table)
    assert (first["where"], first["rows"], first["measure"]) == (where, mask.sum(), measure)
    assert first["column"] == COLUMNS[column].name
    assert first["mean"] == pytest.approx(values[mask].mean())
    assert first["elsewhere"] == values[~mask].mean()
    assert first["p_value"] < 1e-6
    assert len(others) <= 4


def test_p_values_are_those_of_scipy_times_the_number_of_slices() -> None:
    """One column of four values: each of them is tested."""
    generator = np.random.default_rng(2)
    table, columns = np.repeat([0.0, 1.0, 2.0, 3.0], 25)[:, None], [Column("x", "numeric")]
    wrong = (generator.random(100) < np.where(table[:, 0] == 2, 0.5, 0.1)).astype(np.float64)
    mask = table[:, 0] == 2
    (found,) = slices_of(Errors("wrong", wrong), columns, table, table)
    inside, outside = ([each.sum(), (1 - each).sum()] for each in (wrong[mask], wrong[~mask]))
    exact = stats.fisher_exact([inside, outside], alternative="greater").pvalue
    assert found["where"] == "x = 2"
    assert found["p_value"] == pytest.approx(4 * exact, rel=1e-9)
    # Rounded, so that there are ties.
    sizes = generator.exponential(np.where(mask, 4.0, 1.0)).round(1)
    (found,) = slices_of(Errors("absolute_error", sizes), columns, table, table)
    ranks = stats.mannwhitneyu(sizes[mask], sizes[~mask], alternative="greater", method="asymptotic").pvalue
    assert found["p_value"] == pytest.approx(4 * ranks, rel=1e-9)


def test_repeated_rows_of_a_group_are_no_evidence() -> None:
    """A single wrong group of 40 rows is in one island: 40 rows are evidence, one group is not."""
    groups = np.repeat(np.arange(30), 40)
    table = np.repeat(np.arange(30) % 3, 40).astype(np.float64)[:, None]
    wrong = (groups == 5).astype(np.float64)
    (found,) = slices_of(Errors("wrong", wrong), COLUMNS[:1], table, table)
    assert found["where"] == "island = Torgersen"
    assert slices_of(Errors("wrong", wrong, groups), COLUMNS[:1], table, table) == []


def test_columns_that_say_the_same_and_few_rows() -> None:
    table = np.repeat([0.0, 0.0, 1.0, 2.0], [40, 41, 40, 9])[:, None]
    wrong = np.repeat([0.0, 1.0], [81, 49])
    twice = np.hstack([table, table])
    found = slices_of(Errors("wrong", wrong), [COLUMNS[0], Column("again", "category", ISLANDS)], twice, twice)
    # Nine rows of the third island are too few.
    assert [each["where"] for each in found] == ["island = Dream"]
    assert slices_of(Errors("wrong", np.ones(130)), COLUMNS[:1], table, table) == []


@pytest.mark.parametrize(
    ("measure", "mean", "elsewhere", "text"),
    [
        ("wrong", 0.4, 0.04, "Rows with island = Dream: 40.0 % of 1 200 are wrong, elsewhere 4.0 %."),
        ("wrong", 1.0, 0.04, "All 1 200 rows with island = Dream are wrong; elsewhere 4.0 %."),
        ("absolute_error", 4.13, 2.0, "Rows with island = Dream: mean absolute error 4.130 on 1 200, elsewhere 2.000."),
        ("loss", 4.13, 2.0, "Rows with island = Dream: loss 4.130 on 1 200, elsewhere 2.000."),
    ],
)
def test_slices_in_words(measure: Measure, mean: float, elsewhere: float, text: str) -> None:
    found: Slice = {
        "column": "island",
        "where": "island = Dream",
        "rows": 1200,
        "p_value": 0.01,
        "measure": measure,
        "mean": mean,
        "elsewhere": elsewhere,
    }
    assert slice_sentence(found).replace("\N{NO-BREAK SPACE}", " ") == text
