"""How many rows the recipe's intervals and sets cover: `python -m tests.benchmarks.tables.coverage FOLDER [TABLE …]`.

FOLDER has CSV files and `tables.json`, which says of each table its `target` and its `kind`, values or classes;
scikit-learn's diabetes joins them. On splits 0 to 4, which hold out a fifth of the rows (of classes stratified), what
`specnet new` writes for the training rows is fitted to them. The table printed has the share of test rows that are
covered, and beside it the width of the intervals over the standard deviation of the target, or the mean number of
classes in a set. The exit status is 1 if a mean over the tables is more than 2 points off its level, or a table is
more than 6 points below. Run it with one thread (`OMP_NUM_THREADS=1`).
"""

import json
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from specnet import SpecClassifier, SpecRegressor
from tests.benchmarks.report import Report, plain

SPLITS, TEST_SIZE = 5, 0.2
LEVELS = (0.8, 0.9, 0.95)
OFF, BELOW = 0.02, 0.06


@dataclass(frozen=True, eq=False)
class CoveredTable:
    """A table: its columns, and its target, numbers or texts."""

    name: str
    X: Any
    y: NDArray[Any]

    @property
    def has_values(self) -> bool:
        """Whether the target is numbers."""
        return self.y.dtype.kind == "f"

    def cut(self, split: int) -> list[Any]:
        """Return the columns of a split's training and test rows, and their targets."""
        even = self.y if not self.has_values and min(np.unique(self.y, return_counts=True)[1]) > 1 else None
        cut: dict[str, Any] = {"test_size": TEST_SIZE, "random_state": split, "stratify": even}
        return train_test_split(self.X, self.y, **cut)

    def covered(self, split: int, **settings: Any) -> NDArray[np.float64]:
        """Return what is covered and how large intervals or sets are, (levels, 2), on the test rows of a split."""
        X, X_test, y, y_test = self.cut(split)
        estimator = SpecRegressor if self.has_values else SpecClassifier
        made, found = estimator("recipe", random_state=split, **settings).fit(X, y), []
        for level in LEVELS:
            if isinstance(made, SpecRegressor):
                lower, upper = made.predict_interval(X_test, level).T
                inside, sizes = (lower <= y_test) & (y_test <= upper), (upper - lower) / self.y.std()
            else:
                sets = made.predict_set(X_test, level)
                inside, sizes = (sets & (made.classes_ == y_test[:, np.newaxis])).any(axis=1), sets.sum(axis=1)
            found.append((inside.mean(), sizes.mean()))
        return np.array(found)


def tables(folder: Path, names: list[str]) -> Iterator[CoveredTable]:
    """Yield the tables of these names, all if there are none."""
    known = json.loads((folder / "tables.json").read_text("utf-8"))
    for name in names or known:
        if name in known:
            X = pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""])
            y = X.pop(known[name]["target"])
            yield CoveredTable(name, X, y.to_numpy(float) if known[name]["kind"] == "values" else y.to_numpy(str))
    if not names or "diabetes" in names:
        yield CoveredTable("diabetes", *load_diabetes(return_X_y=True))


def main(arguments: list[str]) -> int:
    folder, *names = arguments
    report, kinds = Report(), dict[str, list[NDArray[np.float64]]]()
    report.table("table", "kind", *(f"{level:.0%}" for level in LEVELS))
    for table in tables(Path(folder), names):
        kind = "intervals" if table.has_values else "sets"
        found = np.mean([table.covered(split) for split in range(SPLITS)], axis=0)
        kinds.setdefault(kind, []).append(found)
        report.row(table.name, kind, *(f"{covered:.1%} ({plain(size)})" for covered, size in found))
        for level, (covered, _) in zip(LEVELS, found, strict=True):
            report.judge(f"{table.name}: {covered:.1%} for {level:.0%}", bool(covered >= level - BELOW))
    for kind, each in kinds.items():
        means = np.mean(each, axis=0)
        report.row("mean", kind, *(f"{covered:.1%} ({plain(size)})" for covered, size in means))
        for level, (covered, _) in zip(LEVELS, means, strict=True):
            report.judge(f"mean of {kind}: {covered:.1%} for {level:.0%}", bool(abs(covered - level) <= OFF))
    return report.exit_status()


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # columns of these tables that no model can use
    sys.exit(main(sys.argv[1:]))
