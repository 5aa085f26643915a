"""Whole trainings, from rows in memory to a trained network.

Two reference specs are trained beside other tools, and the members of an ensemble beside each other and one by one.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_friedman1
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import specnet
from specnet.compiler.thread_limits import limited_threads
from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import Report, plain
from tests.benchmarks.steps.cases import COMPILED, NUMPY, Bound
from tests.benchmarks.steps.peers import missing_peers
from tests.benchmarks.timing import measured, medians, once
from tests.compiling import missing, usable_cpus

ROUNDS = 3
MEMBERS_ROWS = 1000
MEMBERS_BOUND = Bound(0.6, 0.5)
"""Of five members on two cores the goal is to keep both busy until the end."""
SAME = "the same"
"""What is compared where nothing is left out."""


class Rows(NamedTuple):
    """Training, validation and test rows; a spec without a validation set leaves the second ones out.

    Columns are standardized where the spec does it too.
    """

    X: np.ndarray
    y: np.ndarray
    validation: tuple[np.ndarray, np.ndarray] | None
    test: tuple[np.ndarray, np.ndarray]


Predict = Callable[[np.ndarray], np.ndarray]
"""Gives the classes of rows."""
Contenders = dict[str, tuple[str, Callable[[Rows], Predict]]]
"""By name, what is other in a training than in the spec, and the training."""


def digits_rows() -> Rows:
    """Rows as specs/digits.toml splits them."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X.astype(np.float32), y, test_size=0.2, random_state=0, stratify=y)
    return Rows(X, y, None, (X_test, y_test))


def realmlp_rows() -> Rows:
    """Rows as specs/realmlp.toml splits them."""
    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
    X, X_held_out, y, y_held_out = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    scaler = StandardScaler().fit(X)
    X, X_held_out, X_test = (scaler.transform(some).astype(np.float32) for some in (X, X_held_out, X_test))
    return Rows(X, y, (X_held_out, y_held_out), (X_test, y_test))


@dataclass(frozen=True)
class Whole:
    """A reference spec, its rows, and what scikit-learn has of it."""

    spec: str
    rows: Callable[[], Rows]
    differences: str
    epochs: int
    settings: dict[str, Any]

    def contenders(self, peers: bool = True, share_of_epochs: float = 1.0) -> Contenders:
        """Return the two engines, and the other tools as far as they are installed."""
        engines = {NUMPY: "numpy"} | ({COMPILED: "compiled"} if missing() is None else {})
        found: Contenders = {name: (SAME, partial(self._by_specnet, engine)) for name, engine in engines.items()}
        found["MLPClassifier"] = self.differences, partial(self._by_scikit_learn, round(self.epochs * share_of_epochs))
        if peers and "torch" not in missing_peers():
            from tests.benchmarks.whole import whole_torch

            found["torch"] = SAME, getattr(whole_torch, f"{self.spec}_training")
        return found

    def _by_specnet(self, engine: str, rows: Rows) -> Predict:
        """`specnet.fit`; the library that an engine compiles is there since the first call."""
        return specnet.fit(ROOT / f"specs/{self.spec}.toml", rows.X, rows.y, rows.validation, engine=engine).predict

    def _by_scikit_learn(self, epochs: int, rows: Rows) -> Predict:
        """`MLPClassifier.fit` with Adam, for all epochs."""
        given = {"alpha": 0.0, "max_iter": epochs, "n_iter_no_change": epochs + 1, "random_state": 0}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            return MLPClassifier(**self.settings, **given).fit(rows.X, rows.y).predict


WHOLE = {
    "specs/digits.toml": Whole(
        *("digits", digits_rows, "without dropout and schedule", 60),
        {"hidden_layer_sizes": (128, 64), "batch_size": 32, "learning_rate_init": 0.002},
    ),
    "specs/realmlp.toml": Whole(
        *("realmlp", realmlp_rows),
        *("64-64-64 with relu alone, at a rate of 0.001; no look at the validation set", 128),
        {"hidden_layer_sizes": (64, 64, 64), "batch_size": 128, "learning_rate_init": 0.001, "beta_2": 0.95},
    ),
}


def whole_runs(report: Report) -> None:
    """The time of a training, and how well the network predicts the test set: both have to be compared."""
    report.table("whole training", "computed by", "network, epochs and batches", "s", "CPU s", "test accuracy")
    for title, whole in WHOLE.items():
        rows, contenders, trained = whole.rows(), whole.contenders(), dict[str, Predict]()

        def train(name: str, rows: Rows, training: Callable[[Rows], Predict], trained: dict[str, Predict]) -> None:
            trained[name] = training(rows)

        runs = {name: once(partial(train, name, rows, each, trained)) for name, (_, each) in contenders.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of constant columns
            seconds = measured(runs, ROUNDS, seconds=0)
        for name, (differences, _) in contenders.items():
            accuracy = np.mean(trained[name](rows.test[0]) == rows.test[1])
            report.row(title, name, differences, *(plain(each) for each in seconds[name]), f"{accuracy:.3f}")
    if missing() is None and usable_cpus() > 1:
        runs = {name: once(partial(recipe_training, cores)) for name, cores in (("one core", 1), ("all cores", None))}
        show_members(report, medians(runs, ROUNDS, seconds=0))


def recipe_training(cores: int | None) -> specnet.Model:
    """What `specnet new` writes for a table, by the compiled engine; None is all cores."""
    X, y = make_friedman1(MEMBERS_ROWS, noise=1.0, random_state=0)
    with limited_threads(cores):
        return specnet.SpecRegressor("recipe", engine="compiled").fit(X, y).model_


def show_members(report: Report, seconds: dict[str, float]) -> None:
    """The time of an ensemble on all cores."""
    report.table("five members of the recipe", "all cores, s", "beside", "s", "ratio", "at most (goal)")
    title = f"{MEMBERS_ROWS} rows, {COMPILED}"
    report.compared(title, "one core", seconds["all cores"], seconds["one core"], MEMBERS_BOUND, 1)
