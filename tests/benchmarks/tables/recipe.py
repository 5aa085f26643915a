"""The recipe beside scikit-learn's models: `python -m tests.benchmarks.tables.recipe`, in the repository.

On five public tables, ten folds with each of three split seeds: what `specnet new` writes for the training rows, an
MLP, gradient boosting and a linear model are fitted to the same rows and judged on the same others. Differences are
paired by fold. The exit status is 1 if the recipe misses what it must reach. It takes about ten minutes on two cores.
"""

import os
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from specnet import SpecClassifier, SpecRegressor
from tests.benchmarks.report import Report, installed_versions

TABLES = ("iris", "wine", "breast_cancer", "digits", "diabetes")
VALUES = ("diabetes",)
"""Those whose target is not classes."""
SEEDS, FOLDS = (11, 12, 13), 10
PROCESSES = 2
OURS, MLP = "recipe", "MLP"
BETTER_THAN_MLP = ("iris", "breast_cancer", "digits", "diabetes")
"""Where the recipe is to be better than the MLP by more than a standard error; nowhere is it to be worse than any."""
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Fold(NamedTuple):
    """Training and test rows of a table."""

    table: str
    seed: int
    number: int

    def rows(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
        """Return the table, and which of its rows are for training and for testing."""
        X, y = getattr(datasets, f"load_{self.table}")(return_X_y=True)
        cut = (KFold if self.table in VALUES else StratifiedKFold)(FOLDS, shuffle=True, random_state=self.seed)
        return X, y, *list(cut.split(X, y))[self.number]


class Outcome(NamedTuple):
    """What a model reached on a fold: accuracy or R², log loss of classes, and the CPU seconds of its fit."""

    score: float
    log_loss: float
    seconds: float


def contenders(table: str, seed: int) -> dict[str, Any]:
    """Return the models by name, each with the seed of the split if it draws numbers."""

    def scaled(model: Any) -> Any:
        return make_pipeline(StandardScaler(), model)

    if table in VALUES:
        mlp = TransformedTargetRegressor(scaled(MLPRegressor(random_state=seed)), transformer=StandardScaler())
        models = (
            SpecRegressor("recipe", random_state=seed),
            mlp,
            HistGradientBoostingRegressor(random_state=seed),
            Ridge(),
        )
    else:
        mlp = scaled(MLPClassifier(random_state=seed))
        boosting = HistGradientBoostingClassifier(random_state=seed)
        models = SpecClassifier("recipe", random_state=seed), mlp, boosting, LogisticRegression()
    return dict(zip((OURS, MLP, "boosting", "linear"), (*models[:3], scaled(models[3])), strict=True))


def outcomes(fold: Fold, models: dict[str, Any] | None = None) -> dict[str, Outcome]:
    """Fit each model to the training rows, and judge it on the others; those that are given replace some by name."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y, training, test = fold.rows()
    found = {}
    for name, model in (contenders(fold.table, fold.seed) | (models or {})).items():
        begin = time.process_time()
        model.fit(X[training], y[training])
        seconds = time.process_time() - begin
        loss = np.nan
        if fold.table not in VALUES:
            loss = log_loss(y[test], model.predict_proba(X[test]), labels=model.classes_)
        found[name] = Outcome(model.score(X[test], y[test]), loss, seconds)
    return found


def measured(folds: list[Fold]) -> Iterator[tuple[Fold, dict[str, Outcome]]]:
    """Yield the outcomes of folds as they come, from processes with one thread each."""
    os.environ |= dict.fromkeys(THREADS, "1")  # read by a process when it starts
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        running = {pool.submit(outcomes, fold): fold for fold in folds}
        for count, done in enumerate(as_completed(running), 1):
            print(f"\r{count} of {len(folds)} folds", end="", file=sys.stderr, flush=True)
            yield running[done], done.result()
    print(file=sys.stderr)


def paired(ours: list[float], theirs: list[float]) -> tuple[float, float]:
    """Return the mean difference of folds, and its standard error."""
    differences = np.subtract(ours, theirs)
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))


def judge(report: Report, table: str, found: list[dict[str, Outcome]]) -> None:
    """Print the rows of a table's models, and remember where the recipe misses what it must reach."""
    for name in found[0]:
        score, loss, seconds = (
            np.mean([getattr(fold[name], field) for fold in found]) for field in ("score", "log_loss", "seconds")
        )
        shown = "–"
        if name != OURS:
            gain, error = paired([fold[OURS].score for fold in found], [fold[name].score for fold in found])
            shown = f"{gain:+.4f} ± {error:.4f}"
            report.judge(f"{table}: not worse than {name}, {shown}", gain >= -error)
            if name == MLP and table in BETTER_THAN_MLP:
                report.judge(f"{table}: better than {name}, {shown}", gain > error)
        report.row(table, name, f"{score:.4f}", shown, "–" if np.isnan(loss) else f"{loss:.4f}", f"{seconds:.2f}")


def main() -> int:
    print(f"{installed_versions()}; {FOLDS} folds with each of the split seeds {', '.join(map(str, SEEDS))}.")
    folds = [Fold(table, seed, number) for table in reversed(TABLES) for seed in SEEDS for number in range(FOLDS)]
    found = dict(measured(folds))
    report = Report()
    report.table("table", "model", "accuracy or R²", "recipe − model ± standard error", "log loss", "CPU s")
    for table in TABLES:
        judge(report, table, [found[fold] for fold in folds if fold.table == table])
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
