"""Columns that look suspicious: each planted fault gives its warning and no other, and what is right gives none."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

import specnet
from specnet.data import Labels, column_suspicions, leakage
from specnet.data.leakage import ClassTarget, ValueTarget
from specnet.errors import Diagnostic, SpecnetWarning, render, rendered
from specnet.training import Observer
from tests.texts.pinned import Pinned

ROWS = 200
MISSING = np.nan


@dataclass
class Column:
    name: str
    kind: str
    texts: Any = None


@dataclass
class Rows:
    table: np.ndarray
    y: np.ndarray
    chosen: np.ndarray | None = None


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
    return column_suspicions(spec, labels, {"train": Rows(table, y), **held_out}, kinds)


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
    assert (
        codes(
            np.column_stack([table, np.zeros(ROWS), np.zeros(ROWS)]),
            classes,
            test=Rows(rare.table[:, [*range(6), 5]], rare.y),
        )
        == []
    )
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
    (warning,) = column_suspicions(spec, None, {"train": Rows(table, target, order)})
    assert warning.code == "identifier"


def test_an_identifier_in_texts(table: np.ndarray, classes: np.ndarray, rng: np.random.Generator, told: Any):
    texts = np.array([f"name {number}" for number in range(ROWS)])
    kinds = [*(Column(f"x{number}", "numeric") for number in range(5)), Column("name", "category", texts)]
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
    kinds = [
        *(Column(f"x{number}", "numeric") for number in range(5)),
        Column("when", "category", np.array(list("abcd"))),
    ]
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
        assert codes(with_column(table, np.where(np.arange(ROWS) % 5, column, MISSING)), target, "mse") == [
            "gives-target-away"
        ]
        assert codes(with_column(table[:29], column[:29]), target[:29], "mse") == []
    assert codes(with_column(table, target + 0.3 * rng.normal(size=ROWS)), target, "mse") == []


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
        assert ClassTarget(classes).is_given_away(column) == expected
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
            (ClassTarget(classes), (classes + noise * rng.random(2000)).round(2)),
            (ValueTarget(values), values + 0.1 * noise * rng.normal(size=2000)),
        )
    ]
    whole = [target.is_given_away(column) for target, column in given]
    monkeypatch.setattr(leakage, "LARGE", 100)
    monkeypatch.setattr(leakage, "RANK_SAMPLE", 500)
    assert [target.is_given_away(column) for target, column in given] == whole
    assert set(whole) == {True, False}


def test_rows_in_both(table: np.ndarray, classes: np.ndarray, rng: np.random.Generator, told: Any):
    test = rng.normal(size=(50, 5))
    test[:5] = table[rng.integers(0, ROWS, 5)]
    assert codes(table, classes, test=Rows(test, classes[:50])) == []
    test[5] = table[7]
    assert told(table, classes, test=Rows(test, classes[:50])) == "rows-in-both"
    test[:, 0] += 1e-9
    assert codes(table, classes, test=Rows(test, classes[:50])) == []


def test_many_columns_are_one_warning_that_names_the_first(table: np.ndarray, classes: np.ndarray):
    for count, listed in (
        (2, "5, 6"),
        (12, "5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16"),
        (13, "5, 6, 7, 8, 9, 10, 11, "),
    ):
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
@pytest.mark.parametrize(
    ("data", "loss", "expected"),
    [
        ("iris", "categorical_crossentropy", []),
        ("wine", "categorical_crossentropy", []),
        ("breast_cancer", "binary_crossentropy", []),
        ("diabetes", "mse", []),
        ("digits", "categorical_crossentropy", [0, 32, 39]),
    ],
)
def test_public_tables_give_no_false_alarm(data: str, loss: str, expected: list[int], seed: int):
    network = {"hidden_layer_sizes": [2], "target_preprocessing": ["standardize"] if loss == "mse" else []}
    spec = {"seed": seed, "data": {"type": data}, "network": network, "training": {"loss": loss, "epochs": 1}}
    warnings = specnet.run(spec, observer=Observer()).warnings
    assert [warning.message for warning in warnings] == [f"column {number} is 0 in all rows" for number in expected]


def test_a_run_says_how_to_leave_a_column_out(tmp_path: Path, rng: np.random.Generator):
    numbers = rng.normal(size=(60, 2))
    rows = "".join(f"{row},{a:.3f},{b:.3f}\n" for row, (a, b) in enumerate(numbers))
    (tmp_path / "rows.csv").write_text("number,size,price\n" + rows)
    (tmp_path / "spec.toml").write_text(
        '[data]\ntype = "csv"\npath = "rows.csv"\ntarget = "price"\n'
        '[network]\nhidden_layer_sizes = [2]\n[training]\nloss = "mse"\nepochs = 1\n'
    )
    with pytest.warns(SpecnetWarning, match=r"warning\[identifier\]") as caught:
        result = specnet.run(tmp_path / "spec.toml", tmp_path / "out")
    assert caught[0].filename == __file__
    (warning,) = json.loads((tmp_path / "out" / "run.json").read_text())["warnings"]
    assert [warning] == [diagnostic.as_dict() for diagnostic in result.warnings]
    assert (warning["code"], warning["line"]) == ("identifier", 1)
    assert 'column "number"' in warning["message"]
    assert "data.columns.number" in warning["hint"]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"type": "csv", "path": "rows.csv", "target": "y"}, True),
        ({"type": "csv", "path": "rows.csv", "target": "y"}, False),
        ({"type": "make_blobs"}, False),
    ],
)
def test_a_warning_says_how_a_column_is_left_out(
    table: np.ndarray, classes: np.ndarray, data: dict[str, str], named: bool, pinned: Pinned
):
    training = {"loss": "categorical_crossentropy"}
    spec = specnet.parse_spec({"data": data, "network": {"hidden_layer_sizes": [2]}, "training": training})
    kinds = [Column(name, "numeric") for name in ("a", "b", "c", "d", "e", "bill length")] if named else []
    splits = {
        "train": Rows(with_column(table, np.ones(ROWS)), classes),
        "test": Rows(with_column(table, np.ones(ROWS)), classes),
    }
    warning, both = column_suspicions(spec, Labels.from_target(classes), splits, kinds)
    assert (warning.path, both.path) == (("data", "columns") if named else ("data",), ("data",))
    pinned(render(warning, "warning"))
