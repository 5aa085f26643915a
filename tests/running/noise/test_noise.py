"""Noise stays noise: nothing that a run says of rows held out is better than chance where there is nothing to learn.

Accuracy is a mean over many tables. It may differ from one half by 3.5 standard errors of as many coins, no more.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import specnet
from specnet import Observer
from specnet.parts import Data, Preprocessing
from specnet.parts.data import Column, Table, TargetKind

ROWS = 800
GROUPS = 200
COLOURS = np.array(["blue", "green", "red"])
CITIES = np.array([f"city {number:02}" for number in range(60)])
PARTS = np.array(["train", "train", "validation", "test"])
NUMBERS = ("id", "size", "price", "count", "late")
DATES, CATEGORIES = ("when",), ("colour", "city")


class Noise(Data):
    """Numbers with gaps, an id, a date, a boolean and categories; the target is drawn apart from them.

    Where the split keeps the class proportions both classes are equally frequent, else each row throws a coin: so the
    expected accuracy on rows that nobody has seen is exactly one half, whatever the training rows teach.
    """

    type: Literal["noise"] = "noise"
    draw: int
    by_group: bool = False
    """Whether the rows of a group share their label, and the id says the group."""

    def load(self, folder: Path, target: TargetKind) -> Table:
        rng = np.random.default_rng([self.draw, 4])
        groups = rng.permutation(np.arange(ROWS) % GROUPS)
        columns = tuple(self._columns(rng))
        names = (column.name for column, _ in columns)
        X = np.stack([cells for _, cells in columns], axis=1)
        fair = self.split.by_column is None
        y = rng.permutation(np.arange(ROWS) % 2) if fair else rng.integers(0, 2, ROWS)
        if self.by_group:
            X[:, 0], y = groups, rng.permutation(np.arange(GROUPS) % 2)[groups]
        by = {"group": groups, "time": X[:, 5], "column": rng.choice(PARTS, ROWS)}
        split_by = next((by[name] for name in by if getattr(self.split, name) is not None), None)
        kinds = dict(zip(names, (column.kind for column, _ in columns), strict=True)) | {"y": "category"}
        return Table(X, y, target, split_by=split_by, columns=tuple(column for column, _ in columns), kinds=kinds)

    def _columns(self, rng: np.random.Generator) -> Iterator[tuple[Column, np.ndarray]]:
        def gaps(cells: np.ndarray, share: float) -> np.ndarray:
            return np.where(rng.random(ROWS) < share, np.nan, cells)

        yield Column("id", "numeric"), np.arange(1000.0, 1000.0 + ROWS)
        yield Column("size", "numeric"), gaps(rng.normal(size=ROWS), 0.2)
        yield Column("price", "numeric"), np.exp(2 * rng.normal(size=ROWS))
        yield Column("count", "numeric"), gaps(rng.poisson(2, ROWS).astype(float), 0.1)
        yield Column("late", "boolean"), gaps(rng.integers(0, 2, ROWS).astype(float), 0.1)
        yield Column("when", "datetime"), 18000.0 + rng.integers(0, 900, ROWS)
        yield Column("colour", "category", COLOURS), gaps(rng.integers(0, 3, ROWS).astype(float), 0.2)
        yield Column("city", "category", CITIES), gaps(rng.integers(0, len(CITIES), ROWS).astype(float), 0.05)


SEEDS = 10
FEWER_SEEDS = 6
"""Where a leak is planted, which is much larger than chance."""
ERRORS = 3.5
GROUP = {"group": "patient", "test_size": 0.5}


def spec(seed: int, split: dict[str, Any], preprocessing: Any = None, data: Any = None, **training: Any) -> Any:
    network = {"hidden_layer_sizes": [8]} | ({} if preprocessing is None else {"preprocessing": preprocessing})
    fitting = {"epochs": 4, "batch_size": 80, "optimizer": {"type": "adam", "learning_rate": 0.05}}
    return {
        "seed": seed,
        "data": {"type": "noise", "draw": seed, "split": split, **(data or {})},
        "network": network,
        "training": {"loss": "binary_crossentropy", "metrics": ["accuracy"], "baselines": [], **fitting, **training},
    }


def run(document: Any, parts: tuple[type, ...] = ()) -> Any:
    return specnet.run(document, parts=(Noise, *parts), observer=Observer())


def figures(split: dict[str, Any], seeds: int = SEEDS, **training: Any) -> Iterator[Any]:
    for seed in range(seeds):
        yield run(spec(seed, split, **training)).evaluation


def assert_chance(accuracy: float, coins: int) -> None:
    """Refuse a share of right answers that so many thrown coins do not have: ± 0.028 for 10 times 400 of them."""
    assert abs(accuracy - 0.5) <= ERRORS * 0.5 / np.sqrt(coins), (accuracy, coins)


def columns(numbers: Any = None, dates: Any = None, categories: Any = None) -> list[Any]:
    """Return preprocessing that names all columns."""
    steps = {NUMBERS: numbers or ["impute", "standardize"], DATES: dates or ["standardize"]}
    steps[CATEGORIES] = categories or ["one_hot"]
    return [{"columns": list(names), "steps": taken} for names, taken in steps.items()]


PREPROCESSING = {
    "default": None,
    "mean": columns([{"type": "impute", "strategy": "mean"}, "standardize"]),
    "most_frequent": columns([{"type": "impute", "strategy": "most_frequent", "indicator": True}, "robust"]),
    "constant": columns([{"type": "impute", "strategy": "constant", "value": -9.0}, "minmax"]),
    "smooth_clip": columns(["impute", "robust", "smooth_clip"]),
    "log": columns(["impute", "log", "standardize"]),
    "clip": columns(["impute", "clip", "standardize"]),
    "quantile": columns(["impute", "quantile"]),
    "calendar": columns(dates=["calendar", "impute", "standardize"]),
    "one_hot": columns(categories=[{"type": "one_hot", "minimum_count": 1}]),
    "ordinal": columns(categories=["ordinal", "standardize"]),
    "embedding": columns(categories=[{"type": "embedding", "size": 3}]),
}
SPLITS = {
    "tested": {"test_size": 0.5},
    "validated": {"test_size": 0.25, "validation_size": 0.25},
    "group": GROUP,
    "time": {"time": "when", "test_size": 0.5},
    "column": {"column": "part"},
}


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_no_split_tells_of_the_target(split: dict[str, Any]):
    told = list(figures(split))
    assert split != SPLITS["tested"] or np.mean([each["train"]["accuracy"] for each in told]) > 0.55  # they do learn
    for part in set(told[0]) & {"test", "validation"}:
        rows = np.array([each["rows"][part] for each in told])
        right = rows * [each[part]["accuracy"] for each in told]
        assert_chance(right.sum() / rows.sum(), rows.sum())


@pytest.mark.slow
@pytest.mark.parametrize("split", [{"test_size": 0.2}, GROUP], ids=["random", "group"])
def test_ensembles_on_folds_do_not_flatter_themselves(split: dict[str, Any]):
    told = list(figures(split, ensemble=5))
    for part, rows in (("test", "test"), ("out_of_fold", "train")):
        count = sum(each["rows"][rows] for each in told)
        right = sum(each["rows"][rows] * each[part]["accuracy"] for each in told)
        assert_chance(right / count, count)


@pytest.mark.slow
def test_what_early_stopping_chose_on_is_called_validation():
    """It flatters, by more than chance does: the test rows do not."""
    stopping = {"early_stopping": {"monitor": "validation_accuracy", "patience": 20}, "epochs": 20}
    told = list(figures({"test_size": 0.5}, seeds=5, ensemble=5, **stopping))
    assert all("out_of_fold" not in each for each in told)
    rows = 5 * ROWS // 2
    assert_chance(np.mean([each["test"]["accuracy"] for each in told]), rows)
    assert np.mean([each["validation"]["accuracy"] for each in told]) - 0.5 > ERRORS * 0.5 / np.sqrt(rows)


@pytest.mark.slow
def test_rows_of_a_group_tell_of_each_other_unless_the_split_keeps_them_together():
    """What is planted here is found: this table would not stay noise with the wrong split."""

    def accuracy(split: dict[str, Any]) -> float:
        preprocessing = [{"columns": ["id"], "steps": [{"type": "places", "count": GROUPS}]}]
        documents = [spec(seed, split, preprocessing, {"by_group": True}, epochs=10) for seed in range(FEWER_SEEDS)]
        return float(np.mean([run(document, (Places,)).evaluation["test"]["accuracy"] for document in documents]))

    assert_chance(accuracy(GROUP), FEWER_SEEDS * GROUPS // 2)
    assert accuracy({"test_size": 0.5}) > 0.6


class Places(Preprocessing):
    """A column of 0 and 1 for each whole number."""

    type: Literal["places"] = "places"
    count: int

    def output_size(self, columns: int) -> int:
        return self.count

    def fit(self, columns: Any, weight: Any = None, texts: Any = None) -> tuple[Any, dict[str, Any]]:
        return self, {}

    def apply(self, columns: Any, fitted: Any) -> Any:
        return (columns == np.arange(self.count)).astype(float)


class Planned(Noise):
    """The same table with other rows for testing, or other labels for training."""

    type: Literal["planned"] = "planned"
    other_test: bool = False
    other_labels: bool = False

    def load(self, folder: Any, target: Any) -> Any:
        table = super().load(folder, target)
        tests = table.split_by == "test"
        table.X[:, 3] = np.nan_to_num(table.X[:, 3]).astype(int) % len(COLOURS)
        if self.other_test:
            table.X[tests, 1:6] *= 7
            table.X[tests, 6:] = 1
            table.y[tests] = 1 - table.y[tests]
        if self.other_labels:
            table.y[~tests] = np.roll(table.y[~tests], 1)
        return table


def states(preprocessing: Any, **change: bool) -> dict[str, bytes]:
    """Return what preprocessing learned, by name."""
    document = spec(3, {"column": "part"}, preprocessing, {"type": "planned", **change}, epochs=1)
    model = run(document, (Planned,)).model
    return {name: tensor.tobytes() for name, tensor in model.preprocessing.tensors().items()}


@pytest.mark.slow
@pytest.mark.parametrize("preprocessing", PREPROCESSING.values(), ids=PREPROCESSING)
def test_what_is_fitted_knows_training_rows_alone_and_no_target(preprocessing: Any):
    learned = states(preprocessing)
    assert states(preprocessing, other_test=True) == learned
    assert states(preprocessing, other_labels=True) == learned


def test_scaling_is_that_of_the_training_rows():
    document = spec(3, {"column": "part"}, columns([{"type": "impute", "indicator": False}, "standardize"]))
    table = Noise(draw=3, split={"column": "part"}).load(None, "classes")
    train = table.X[table.split_by == PARTS[0]]
    learned = run(document).model.preprocessing.tensors()
    np.testing.assert_allclose(learned["0.0.fill"], np.nanmedian(train[:, :5], axis=0), rtol=1e-12)
    filled = np.where(np.isnan(train[:, :5]), np.nanmedian(train[:, :5], axis=0), train[:, :5])
    np.testing.assert_allclose(learned["0.1.mean"], filled.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(learned["0.1.scale"], filled.std(axis=0), rtol=1e-12)
