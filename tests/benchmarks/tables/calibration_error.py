"""How far the recipe's probabilities are off: `python -m tests.benchmarks.tables.calibration_error FOLDER [TABLE …]`.

FOLDER has CSV files and `tables.json`, which says of each table its `target` and its `kind`, values or classes. On
splits 0 to 4, which hold out a fifth of the rows, what `specnet new` writes for the training rows of each table of
classes is fitted, as it is, without and with a temperature. The table printed has the expected calibration error on
test rows, in 15 bins, and beside it what it would be if the probabilities were right: the mean over classes that are
drawn by them, which is the noise of the bins. The exit status is 1 if a table's error is more than 0.02 above its
noise, in the mean over splits. Run it with one thread (`OMP_NUM_THREADS=1`).
"""

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from specnet import SpecClassifier
from tests.benchmarks.report import Report
from tests.registry import find

SPLITS, TEST_SIZE = 5, 0.2
ABOVE, DRAWS = 0.02, 200


class ClassTable(NamedTuple):
    """A table of classes: its columns, and its target, texts."""

    name: str
    X: pd.DataFrame
    y: NDArray[np.str_]

    def cut(self, split: int) -> list[Any]:
        """Return the columns of a split's training and test rows, and their targets."""
        even = self.y if min(np.unique(self.y, return_counts=True)[1]) > 1 else None
        return train_test_split(self.X, self.y, test_size=TEST_SIZE, random_state=split, stratify=even)


def tables(folder: Path, names: list[str]) -> Iterator[ClassTable]:
    """Yield the tables of classes of these names, all if there are none."""
    for name, about in json.loads((folder / "tables.json").read_text("utf-8")).items():
        if about["kind"] == "classes" and (not names or name in names):
            X = pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""])
            yield ClassTable(name, X, X.pop(about["target"]).to_numpy(str))


def error_and_noise(probability: NDArray[Any], target: NDArray[Any], seed: int) -> tuple[float, float]:
    """Return the expected calibration error of classes' probabilities, (rows, classes), and its mean if they are right.

    `target` (rows,) is which of them is true, and `seed` is for the classes that are drawn.
    """
    error, rng = find("metric", "expected_calibration_error")(), np.random.default_rng(seed)
    ends = np.cumsum(probability, axis=1)
    drawn = ((rng.random((len(target), 1)) * ends[:, -1:] > ends).sum(axis=1) for _ in range(DRAWS))
    noise = np.mean([error.compute(classes, probability, {}) for classes in drawn])
    return error.compute(target, probability, {}), float(noise)


def measured(table: ClassTable, split: int, **settings: Any) -> NDArray[np.float64]:
    """Return error and noise on the test rows of a split, (of the recipe, without and with a temperature, 2)."""
    X, X_test, y, y_test = table.cut(split)
    made = SpecClassifier("recipe", random_state=split, **settings).fit(X, y)
    names, spec = list(made.model_.feature_names or ()), made.model_.spec.short()
    has_temperature = "calibration" in spec["training"]
    other = {key: value for key, value in spec["training"].items() if key != "calibration"}
    if not has_temperature:
        other["calibration"] = "temperature"
    others = SpecClassifier({"network": spec["network"], "training": other}, random_state=split).fit(X[names], y)
    found = {}
    for temperature, model, rows in ((has_temperature, made, X_test), (not has_temperature, others, X_test[names])):
        target = np.searchsorted(model.classes_, y_test)
        found[temperature] = error_and_noise(model.predict_proba(rows), target, split)
    return np.array([found[has_temperature], found[False], found[True]])


def judge(report: Report, table: str, error: float, noise: float) -> None:
    """Remember an error that is too far above its noise."""
    report.judge(f"{table}: {error:.4f} beside {noise:.4f}", bool(error <= noise + ABOVE))


def main(arguments: list[str]) -> int:
    folder, *names = arguments
    report = Report()
    report.table("table", "error", "noise", "without a temperature", "noise", "with one", "noise")
    for table in tables(Path(folder), names):
        found = np.mean([measured(table, split) for split in range(SPLITS)], axis=0)
        report.row(table.name, *(f"{number:.4f}" for number in found.ravel()))
        judge(report, table.name, *found[0])
    return report.exit_status()


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # columns of these tables that no model can use
    sys.exit(main(sys.argv[1:]))
