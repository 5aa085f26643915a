"""A table whose target is noise: what a model seems to know of it, it was told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from specnet.parts import Data
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
