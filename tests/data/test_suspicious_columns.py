"""Columns that look suspicious: each planted fault gives its warning and no other, and what is right gives none."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

import specnet
from specnet import Observer, SpecnetWarning
from specnet.data import Labels, TrainingData, column_warnings, leakage
from specnet.errors import Diagnostic, render, rendered
from specnet.parts.data import Column
from tests.data.splits import Rows
from tests.running.specs import csv_file, spec_on
from tests.texts.pinned import Pinned

ROWS = 200
MISSING = np.nan
NUMERIC = [Column(f"x{number}", "numeric") for number in range(5)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)


@pytest.fixture
def table(rng: np.random.Generator) -> np.ndarray:
    """Columns of which none is suspicious: numbers, missing cells, few values, 0 and 1, wholes far apart."""
    columns = rng.normal(size=(ROWS, 5))
    columns[::7, 1] = MISSING
    columns[:, 2] = rng.integers(0, 6, ROWS)
    columns[:, 3] = columns[:, 3] > 0
    columns[:, 4] = rng.permutation(ROWS) * 1000
    return columns


@pytest.fixture
def classes(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 3, ROWS)


def found(
    table: np.ndarray, y: np.ndarray, loss: str = "categorical_crossentropy", kinds: Any = (), **held_out: Rows
) -> tuple[Diagnostic, ...]:
    spec = specnet.parse_spec({"network": {"hidden_layer_sizes": [2]}, "training": {"loss": loss}})
    labels = Labels.from_target(y) if loss == "categorical_crossentropy" else None
    return warnings_of(spec, labels, {"train": Rows(table, y), **held_out}, kinds)


def warnings_of(
    spec: specnet.Spec, labels: Labels | None, splits: dict[str, Rows], kinds: Any = ()
) -> tuple[Diagnostic, ...]:
    return column_warnings(TrainingData(specnet.resolve(spec, inputs=2, outputs=3), labels, splits, kinds))


def codes(*arguments: Any, **keywords: Any) -> list[str]:
    return [diagnostic.code for diagnostic in found(*arguments, **keywords)]


@pytest.fixture
def told(pinned: Pinned) -> Any:
    """Return a function that finds one warning, pins its text, and returns its code."""

    def told(*arguments: Any, **keywords: Any) -> str:
        (warning,) = found(*arguments, **keywords)
        assert warning.path == ()
        pinned(render(warning, "warning"))
        return warning.code

    return told


def with_column(table: np.ndarray, column: np.ndarray) -> np.ndarray:
    return np.column_stack([table, column])


def test_right_columns_give_no_warning(table: np.ndarray, classes: np.ndarray, rng: np.random.Generator):
    held_out = Rows(rng.normal(size=(50, 5)), classes[:50])
    assert codes(table, classes, test=held_out) == []
    assert codes(table, rng.normal(size=ROWS), "mse", test=held_out) == []
    assert codes(table, rng.integers(0, 2, (ROWS, 2)), "binary_crossentropy") == []


@pytest.mark.parametrize("value", [0.0, 3.5, 123456.789, MISSING])
def test_a_constant(table: np.ndarray, classes: np.ndarray, value: float, told: Any):
    assert told(with_column(table, np.full(ROWS, value)), classes) == "constant"
    some = np.full(ROWS, value)
    some[::3] = 3.5 if np.isnan(value) else MISSING
    assert codes(with_column(table, some), classes) == []


@pytest.mark.parametrize(("kind", "value"), [("boolean", 0), ("boolean", 1), ("datetime", 19782.9), ("category", 1)])
def test_a_constant_is_told_as_its_column_is_written(table: np.ndarray, classes: np.ndarray, kind, value, told: Any):
    column = Column("x", kind, np.array(["a", "b c"]) if kind == "category" else None)
    assert told(np.full((ROWS, 1), float(value)), classes, kinds=[column]) == "constant"


def test_a_value_that_rows_held_out_do_not_share_is_no_constant(table: np.ndarray, classes: np.ndarray):
    rare = Rows(with_column(table[:3] + 0.5, np.array([0, 0, 1])), classes[:3])
    assert codes(with_column(table, np.zeros(ROWS)), classes, test=rare) == []
    twice = np.column_stack([table, np.zeros(ROWS), np.zeros(ROWS)])
    assert codes(twice, classes, test=Rows(rare.table[:, [*range(6), 5]], rare.y)) == []
    assert codes(with_column(table, np.full(ROWS, MISSING)), classes, validation=rare) == ["constant"]


def test_one_row_says_nothing():
    assert codes(np.ones((1, 3)), np.array([1.0]), "mse") == []


def test_an_identifier(table: np.ndarray, classes: np.ndarray, rng: np.random.Generator, told: Any):
    numbers = np.arange(ROWS)
    for column in (numbers, rng.permutation(numbers) + 10_000, numbers**2, rng.permutation(2 * numbers)):
        assert told(with_column(table, column), classes) == "identifier", column
    for column in (numbers[::-1] * 3, numbers + 0.5, np.where(numbers == 5, 6, numbers), rng.permutation(numbers * 3)):
        assert codes(with_column(table, column), classes) == [], column
    few = np.arange(20.0)[:, None]
    assert codes(few[:19], np.tile([0, 1], 10)[:19]) == []
    assert codes(few, np.tile([0, 1], 10)) == ["identifier"]
    for changed, expected in ((2 * ROWS - 1, ["identifier"]), (2 * ROWS, [])):
        spread = rng.permutation(numbers)
        spread[spread.argmax()] = changed
        assert codes(with_column(table, spread), classes) == expected


def test_rows_increase_in_the_order_of_their_table(table: np.ndarray, classes: np.ndarray, rng: np.random.Generator):
    table, order = with_column(table, np.arange(ROWS) * 5), rng.permutation(ROWS)[:150]
    spec = specnet.parse_spec({"network": {"hidden_layer_sizes": [2]}, "training": {"loss": "mse"}})
    target = rng.normal(size=150)
    (warning,) = warnings_of(spec, None, {"train": Rows(table, target, order)})
    assert warning.code == "identifier"


def test_an_identifier_in_texts(table: np.ndarray, classes: np.ndarray, rng: np.random.Generator, told: Any):
    texts = np.array([f"name {number}" for number in range(ROWS)])
    kinds = [*NUMERIC, Column("name", "category", texts)]
    assert told(with_column(table, np.arange(ROWS) // 4), classes, kinds=kinds) == "identifier"
    gaps = np.where(np.arange(ROWS) % 9, np.arange(ROWS), MISSING)
    assert told(with_column(table, gaps), classes, kinds=kinds) == "identifier"
    assert codes(with_column(table, rng.permutation(ROWS) % 40), classes, kinds=kinds) == []
    kinds[-1] = Column("day", "datetime")
    assert codes(with_column(table, np.arange(ROWS)), classes, kinds=kinds) == []


@pytest.mark.parametrize("column", [0, 1, 3])
def test_a_copy(table: np.ndarray, classes: np.ndarray, column: int, told: Any):
    assert told(with_column(table, table[:, column]), classes) == "duplicate-column"
    almost = table[:, column].copy()
    almost[0] = 9
    assert codes(with_column(table, almost), classes) == []
    assert codes(with_column(table, np.where(table[:, 3] == 0, -0.0, 1)), classes) == ["duplicate-column"]


def test_a_copy_of_texts(table: np.ndarray, classes: np.ndarray):
    sizes, colours = table[:, 2], np.array(list("abcdef"))
    kinds = [Column("a", "category", colours), Column("b", "category", np.array(list("*abcdef")))]
    assert codes(np.column_stack([sizes, sizes + 1]), classes, kinds=kinds) == ["duplicate-column"]
    assert codes(np.column_stack([sizes, sizes]), classes, kinds=kinds) == []
    kinds[1] = Column("b", "numeric")
    assert codes(np.column_stack([sizes, sizes]), classes, kinds=kinds) == []


def test_what_gives_classes_away(table: np.ndarray, classes: np.ndarray, rng: np.random.Generator, told: Any):
    noise = rng.random(ROWS)
    for column in (classes * 2.5, classes + noise):
        assert told(with_column(table, column), classes) == "gives-target-away"
    for column in (classes + 1.5 * noise, np.where(rng.random(ROWS) < 0.1, 5, classes)):
        assert codes(with_column(table, column), classes) == []
    assert codes(with_column(table[:19], classes[:19] * 2.5), classes[:19]) == []
    assert codes(with_column(table[:20], classes[:20] * 2.5), classes[:20]) == ["gives-target-away"]


def test_being_empty_may_give_the_target_away(table: np.ndarray, rng: np.random.Generator, told: Any):
    target = rng.integers(0, 2, ROWS)
    gaps = with_column(table, np.where(target == 1, MISSING, rng.normal(size=ROWS)))
    assert told(gaps, target) == "gives-target-away"
    several = np.column_stack([rng.integers(0, 2, ROWS), target])
    assert told(gaps, several, "binary_crossentropy") == "gives-target-away"
    assert told(gaps, target.astype(float), "mse") == "gives-target-away"
    mixed = np.where(target == 1, MISSING, rng.permutation(ROWS))
    kinds = [*NUMERIC, Column("when", "category", np.array(list("abcd")))]
    assert told(with_column(table, mixed % 4), target, kinds=kinds) == "gives-target-away"


def test_a_category_has_no_order(table: np.ndarray, rng: np.random.Generator):
    texts = np.array([f"{number:02}" for number in range(40)])
    column = np.arange(ROWS) % 40
    kinds = [Column("city", "category", texts)]
    target = column % 2  # changes from value to value
    assert codes(column[:, None].astype(float), target, kinds=kinds) == ["gives-target-away"]
    assert codes(column[:, None].astype(float), target) == []


def test_what_gives_values_away(table: np.ndarray, rng: np.random.Generator, told: Any):
    target = rng.normal(size=ROWS)
    for column in (target * 3, -np.exp(target), target + 0.01 * rng.normal(size=ROWS)):
        assert told(with_column(table, column), target, "mse") == "gives-target-away"
        assert codes(with_column(table[:30], column[:30]), target[:30], "mse") == ["gives-target-away"]
        gaps = np.where(np.arange(ROWS) % 5, column, MISSING)
        assert codes(with_column(table, gaps), target, "mse") == ["gives-target-away"]
        assert codes(with_column(table[:29], column[:29]), target[:29], "mse") == []
    assert codes(with_column(table, target + 0.3 * rng.normal(size=ROWS)), target, "mse") == []


def parts(rng: np.random.Generator) -> np.ndarray:
    """Columns of prices: net, tax, discount and two that have nothing to do with them."""
    net = rng.lognormal(3, 1, ROWS)
    return np.column_stack([net, net * rng.choice([0.0, 0.5], ROWS), rng.random(ROWS), rng.normal(size=(ROWS, 2))])


@pytest.mark.parametrize(
    ("leaking", "columns"),
    [
        (lambda X, rng: X[:, 0] + X[:, 1], "0 and 1"),
        (lambda X, rng: X[:, 3] - X[:, 4], "3 and 4"),
        (lambda X, rng: 2 * X[:, 2] + X[:, 3] - 5 * X[:, 4] + 0.1 * rng.normal(size=ROWS), "2 and 3 and 4"),
        (lambda X, rng: (X[:, 3] - X[:, 4]).round(1), "3 and 4"),
    ],
)
def test_columns_that_add_up_to_the_target(leaking: Any, columns: str, rng: np.random.Generator):
    X = parts(rng)
    (warning,) = found(X, leaking(X, rng), "mse")
    assert warning.code == "gives-target-away"
    together = f"columns {columns} together almost determine the target: a linear model explains"
    assert warning.message.startswith(together)
    assert warning.hint == "if they are not known beforehand, leave them out"


def test_ten_parts_of_a_sum_and_a_difference_of_dates(rng: np.random.Generator):
    X = rng.lognormal(size=(ROWS, 12))
    (warning,) = found(X, X[:, 1:11].sum(axis=1), "mse")
    assert warning.message.startswith("columns 1 and 2 and 3 and 4 and 5 and 6 and 7 and 8 and 9 and 10 together")
    start = 19_000 + rng.random(ROWS) * 365
    times = np.column_stack([start, start + rng.lognormal(-5, 1, ROWS), rng.normal(size=ROWS)])
    kinds = [Column("start", "datetime"), Column("end", "datetime"), Column("x", "numeric")]
    (warning,) = found(times, (times[:, 1] - times[:, 0]) * 1440, "mse", kinds)
    assert warning.message.startswith('columns "start" and "end" together')


def test_a_linear_model_that_leaves_more_than_one_percent_is_no_leak(rng: np.random.Generator):
    X = rng.normal(size=(ROWS, 5))
    target = X.sum(axis=1)
    noise = rng.normal(size=ROWS) * target.std()
    assert codes(X, target + 0.15 * noise, "mse") == []
    assert codes(X, target + 0.05 * noise, "mse") == ["gives-target-away"]
    assert codes(rng.normal(size=(60, 55)), rng.normal(size=60), "mse") == []
    gaps = np.where(rng.random(X.shape) < 0.3, MISSING, X)
    assert codes(gaps, target, "mse") == []
    gaps = np.where(rng.random(X.shape) < 0.05, MISSING, X)
    assert codes(gaps, target, "mse") == ["gives-target-away"]


def test_a_category_gives_values_away_by_their_means(rng: np.random.Generator):
    product = rng.integers(0, 20, ROWS)
    kinds = [Column("product", "category", np.array([f"p{number:02}" for number in range(20)]))]
    prices = rng.lognormal(size=20)[product]
    assert codes(product[:, None].astype(float), prices, "mse", kinds) == ["gives-target-away"]
    assert codes(product[:, None].astype(float), prices + rng.normal(size=ROWS), "mse", kinds) == []


def test_numbers_of_rows_in_a_table_sorted_by_class_are_a_leak_and_no_mere_identifier():
    numbers, classes = np.arange(1.0, ROWS + 1)[:, None], np.repeat([0, 1, 2, 3], ROWS // 4)
    (warning,) = found(numbers, classes)
    assert warning.code == "gives-target-away"
    assert codes(numbers, np.tile([0, 1, 2, 3], ROWS // 4)) == ["identifier"]


def reference_cost(column: np.ndarray, classes: np.ndarray, is_category: bool) -> int:
    """Return the cost of the contract, value by value; a value with a tie has no majority."""
    majorities, outside = [], 0
    for value in np.unique(column):
        rows = np.bincount(classes[column == value])
        majorities += [int(rows.argmax())] * int(np.count_nonzero(rows == rows.max()) == 1)
        outside += int(rows.sum() - rows.max())
    changes = sum(one != other for one, other in pairwise(majorities))
    return 2 * outside + (0 if is_category else max(0, changes - len(np.unique(classes)) + 1))


def reference_score(column: np.ndarray, classes: np.ndarray) -> float:
    n, (_, counts) = len(classes), np.unique(classes, return_counts=True)
    return 1 - reference_cost(column, classes, False) / (n * (1 - ((counts / n) ** 2).sum()))


def test_the_score_of_classes_is_the_contract_s(rng: np.random.Generator):
    told = []
    for seed in range(60):
        classes = rng.integers(0, 3, 301)
        column = classes + rng.random(301) * (1 + 0.001 * seed)
        column[rng.integers(0, 301, seed // 20)] = rng.integers(0, 3)
        expected = reference_score(column, classes) >= 0.98
        assert leakage.ClassTarget(classes).is_given_away(column) == expected
        told.append(expected)
    assert set(told) == {True, False}


@pytest.mark.parametrize("values", [1, 2, 4, 30, 1000])
def test_what_a_column_costs_is_the_contract_s(values: int, rng: np.random.Generator):
    for count in (2, 3, 5):
        classes = rng.integers(0, count, 200)
        for column in (rng.integers(-9, values, 200) / 4, classes + rng.integers(0, values, 200) / values):
            for is_category in (False, True):
                expected = reference_cost(column, classes, is_category)
                needed = len(np.unique(classes)) - 1
                assert leakage._cost(column, classes, needed, is_category) == expected


def test_ranks_are_scipy_s(rng: np.random.Generator):
    for ties in (False, True):
        first, second = rng.normal(size=(2, 100)).round(1 if ties else 9)
        assert leakage._rank_correlation(first, second) == pytest.approx(abs(spearmanr(first, second).statistic))
    assert leakage._rank_correlation(np.ones(5), np.arange(5.0)) == 0


def test_a_sample_does_not_change_what_is_said(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch):
    classes, values = rng.integers(0, 2, 2000), rng.normal(size=2000)
    given = [
        (target, column)
        for noise in (0.5, 0.99, 1.0, 1.01, 1.02, 1.05, 2)
        for target, column in (
            (leakage.ClassTarget(classes), (classes + noise * rng.random(2000)).round(2)),
            (leakage.ValueTarget(values), values + 0.1 * noise * rng.normal(size=2000)),
        )
    ]
    whole = [target.is_given_away(column) for target, column in given]
    monkeypatch.setattr(leakage, "LARGE", 100)
    monkeypatch.setattr(leakage, "RANK_SAMPLE", 500)
    assert [target.is_given_away(column) for target, column in given] == whole
    assert set(whole) == {True, False}


def test_rows_in_both(table: np.ndarray, classes: np.ndarray, rng: np.random.Generator, told: Any):
    test, target = rng.normal(size=(50, 5)), classes[:50].copy()
    copied = rng.choice(ROWS, 6, replace=False)
    test[:5], target[:6] = table[copied[:5]], classes[copied]
    assert codes(table, classes, test=Rows(test, target)) == []
    test[5] = table[copied[5]]
    assert told(table, classes, test=Rows(test, target)) == "rows-in-both"
    target[0] = (target[0] + 1) % 3
    assert told(table, classes, test=Rows(test, target)) == "rows-in-both"
    test[:, 0] += 1e-9
    assert codes(table, classes, test=Rows(test, target)) == []


@pytest.mark.parametrize(("inputs", "noisy"), [("wholes", True), ("wholes", False), ("texts", False), ("reals", True)])
def test_inputs_that_chance_repeats_are_no_repeated_rows(inputs: str, noisy: bool, rng: np.random.Generator):
    """Of whole numbers up to 9 nearly all pairs occur among the training rows, of five measurements none by chance."""
    X = rng.normal(size=(1500, 5)) if inputs == "reals" else rng.integers(0, 10, (1500, 2)).astype(float)
    y = (3 * X[:, 0] + X[:, 1] ** 2) % 7 + (rng.normal(size=1500) if noisy else 0.0)
    kinds = [Column(name, "category", np.array(list("abcdefghij"))) for name in "ab"] if inputs == "texts" else []
    if inputs == "reals":
        X[1200:1231] = X[:31]
    warnings = found(X[:1200], y[:1200], "mse", kinds, test=Rows(X[1200:], y[1200:]))
    assert [each.code for each in warnings] == ["rows-in-both"] * (inputs == "reals")
    if warnings:
        assert warnings[0].message.startswith("31 of 300 test rows have the inputs of a training row, 31 of them")


def test_copies_of_rows_with_few_inputs_are_found_by_their_targets(rng: np.random.Generator):
    X, y = rng.integers(0, 10, (1500, 2)).astype(float), rng.normal(size=1500)
    X[1200:1240], y[1200:1240] = X[:40], y[:40]
    (warning,) = found(X[:1200], y[:1200], "mse", test=Rows(X[1200:], y[1200:]))
    assert warning.message == "40 of 300 test rows also occur in the training set, with the same target"


def test_many_columns_are_one_warning_that_names_the_first(table: np.ndarray, classes: np.ndarray):
    for count in (2, 12, 13):
        listed = "5, 6, 7, 8, 9, 10, 11, " if count == 13 else ", ".join(map(str, range(5, 5 + count)))
        (text,) = rendered(found(np.column_stack([table, np.ones((ROWS, count))]), classes))
        message, hint = text.splitlines()
        assert message.startswith(f"warning[constant]: {count} columns are constant in all rows: {listed}")
        assert message.endswith(", …") == (count == 13)
        assert hint == "    they teach nothing: leave them out"


def test_each_kind_of_warning_is_told_once(table: np.ndarray, classes: np.ndarray, rng: np.random.Generator):
    numbers, empty = np.arange(ROWS), np.full(ROWS, MISSING)
    given_away = [np.where(classes == 1, MISSING, rng.normal(size=ROWS)) for _ in range(2)]
    planted = [np.ones(ROWS), empty, numbers, table[:, 0], np.zeros(ROWS), empty, 3 * numbers, table[:, 1]]
    columns = np.column_stack([table, *planted, *given_away])
    warnings = found(columns, classes == 1, "binary_crossentropy")
    assert len(warnings) == 10
    assert [text.splitlines()[0] for text in rendered(warnings)] == [
        "warning[constant]: 2 columns are constant in all rows: 5, 9",
        "warning[constant]: 2 columns are empty in all training rows: 6, 10",
        "warning[identifier]: 2 columns look like identifiers: 7, 11",
        "warning[duplicate-column]: 2 columns equal others in all training rows: 8 = 0, 12 = 1",
        "warning[gives-target-away]: 2 columns almost determine the target: 13, 14",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("data", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_public_tables_give_no_false_alarm(data: str, seed: int):
    loss = {"breast_cancer": "binary_crossentropy", "diabetes": "mse"}.get(data, "categorical_crossentropy")
    expected = [0, 32, 39] if data == "digits" else []
    network = {"hidden_layer_sizes": [2], "target_preprocessing": ["standardize"] if loss == "mse" else []}
    spec = {"seed": seed, "data": {"type": data}, "network": network, "training": {"loss": loss, "epochs": 1}}
    warnings = specnet.run(spec, observer=Observer()).warnings
    assert [warning.message for warning in warnings] == [f"column {number} is 0 in all rows" for number in expected]


def test_a_run_says_how_to_leave_a_column_out(tmp_path: Path, rng: np.random.Generator):
    rows = [[row, *numbers] for row, numbers in enumerate(rng.normal(size=(60, 2)).round(3).tolist())]
    data = csv_file(tmp_path / "rows.csv", "number,size,price", rows, target="price")
    (tmp_path / "spec.json").write_text(json.dumps(spec_on(data, loss="mse")))
    with pytest.warns(SpecnetWarning, match=r"warning\[identifier\]") as caught:
        result = specnet.run(tmp_path / "spec.json", tmp_path / "out")
    assert caught[0].filename == __file__
    (warning,) = json.loads((tmp_path / "out" / "run.json").read_text())["warnings"]
    assert [warning] == [diagnostic.as_dict() for diagnostic in result.warnings]
    assert (warning["code"], warning["line"]) == ("identifier", 1)
    assert 'column "number"' in warning["message"]
    assert "data.columns.number" in warning["hint"]


CSV = {"type": "csv", "path": "rows.csv", "target": "y"}


@pytest.mark.parametrize(("data", "named"), [(CSV, True), (CSV, False), ({"type": "make_blobs"}, False)])
def test_a_warning_says_how_a_column_is_left_out(table: np.ndarray, classes: np.ndarray, data, named, pinned: Pinned):
    training = {"loss": "categorical_crossentropy"}
    spec = specnet.parse_spec({"data": data, "network": {"hidden_layer_sizes": [2]}, "training": training})
    kinds = [Column(name, "numeric") for name in ("a", "b", "c", "d", "e", "bill length")] if named else []
    splits = dict.fromkeys(("train", "test"), Rows(with_column(table, np.ones(ROWS)), classes))
    warning, both = warnings_of(spec, Labels.from_target(classes), splits, kinds)
    assert (warning.path, both.path) == (("data", "columns") if named else ("data",), ("data",))
    pinned(render(warning, "warning"))
