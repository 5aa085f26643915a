"""How far the recipe's probabilities are off: `python -m tests.benchmarks.tables.calibration_error FOLDER [TABLE …]`.

FOLDER is that of `coverage`, and the splits are its own. Of each table of classes, what `specnet new` writes for the
training rows is fitted, as it is, without and with a temperature. The table printed has the expected calibration error
on test rows, in 15 bins, and beside it what it would be if the probabilities were right: the mean over classes that are
drawn by them, which is the noise of the bins. The exit status is 1 if a table's error is more than 0.02 above its
noise, in the mean over splits. Run it with one thread (`OMP_NUM_THREADS=1`).
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet import SpecClassifier
from specnet.parts.metrics.probabilities import ExpectedCalibrationError
from tests.benchmarks.report import Report
from tests.benchmarks.tables.coverage import SPLITS, CoveredTable, tables

ABOVE, DRAWS = 0.02, 200


def error_and_noise(probability: NDArray[Any], target: NDArray[Any], seed: int) -> tuple[float, float]:
    """Return the expected calibration error of classes' probabilities, (rows, classes), and its mean if they are right.

    Parameters
    ----------
    probability : ndarray (rows, classes)
    target : ndarray (rows,)
        Which of them is true.
    seed : int
        For the classes that are drawn.
    """
    error, rng = ExpectedCalibrationError(), np.random.default_rng(seed)
    ends = np.cumsum(probability, axis=1)
    drawn = ((rng.random((len(target), 1)) * ends[:, -1:] > ends).sum(axis=1) for _ in range(DRAWS))
    noise = np.mean([error.compute(classes, probability, {}) for classes in drawn])
    return error.compute(target, probability, {}), float(noise)


def measured(table: CoveredTable, split: int, **settings: Any) -> NDArray[np.float64]:
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


def main(arguments: list[str]) -> int:
    folder, *names = arguments
    report = Report()
    report.table("table", "error", "noise", "without a temperature", "noise", "with one", "noise")
    for table in tables(Path(folder), names):
        if table.has_values:
            continue
        found = np.mean([measured(table, split) for split in range(SPLITS)], axis=0)
        report.row(table.name, *(f"{number:.4f}" for number in found.ravel()))
        error, noise = found[0]
        report.judge(f"{table.name}: {error:.4f} beside {noise:.4f}", bool(error <= noise + ABOVE))
    return report.exit_status()


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # columns of these tables that no model can use
    sys.exit(main(sys.argv[1:]))
