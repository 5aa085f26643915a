"""Whole trainings, from rows in memory to a trained network.

Two reference specs are trained beside other tools, and the members of an ensemble side by side beside one by one.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_friedman1
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import specnet
from specnet.compiler.thread_limits import limited_threads
from specnet.cpus import usable_cpus
from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import Report, plain
from tests.benchmarks.steps.cases import COMPILED, NUMPY, Bound
from tests.benchmarks.steps.peers import missing_peers
from tests.benchmarks.timing import Run, measured, medians, once
from tests.compiling import missing

ROUNDS = 3
MEMBERS_ROWS = 1000
MEMBERS_BOUND = Bound(0.6, 0.5)
"""Of five members on two cores the goal is to keep both busy until the end."""
SAME = "the same"
"""What is compared where nothing is left out."""


@dataclass(frozen=True)
class Rows:
    """Training, validation and test rows; a spec without a validation set leaves the second ones out.

    Columns are standardized where the spec does it too.
    """

    X: np.ndarray
    y: np.ndarray
    validation: tuple[np.ndarray, np.ndarray] | None
    test: tuple[np.ndarray, np.ndarray]


class Contender:
    """A way to train, and what is other in it than in the spec.

    Attributes
    ----------
    predict
        The classes of rows, by the network that was trained last.
    """

    def __init__(self, differences: str, train: Callable[[], Callable[[np.ndarray], np.ndarray]]) -> None:
        self.differences, self._train = differences, train

    def run(self) -> Run:
        """Trainings, each from the beginning."""
        return once(self._train_once)

    def accuracy(self, rows: Rows) -> float:
        """The fraction of test rows that the network predicts right."""
        X, y = rows.test
        return float(np.mean(self.predict(X) == y))

    def _train_once(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of constant columns, and that it has not converged
            self.predict = self._train()


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


def specnet_training(spec: str, engine: str, rows: Rows) -> Callable[[np.ndarray], np.ndarray]:
    """`specnet.fit` of a reference spec; the library that an engine compiles is there since the first call."""
    return specnet.fit(ROOT / "specs" / spec, rows.X, rows.y, rows.validation, engine=engine).predict


def scikit_learn_training(
    hidden: tuple[int, ...], epochs: int, batch: int, rate: float, beta_2: float, rows: Rows
) -> Callable[[np.ndarray], np.ndarray]:
    """`MLPClassifier.fit` with Adam, for all epochs."""
    model = MLPClassifier(
        hidden,
        alpha=0.0,
        learning_rate_init=rate,
        beta_2=beta_2,
        batch_size=batch,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=0,
    )
    return model.fit(rows.X, rows.y).predict


def digits_contenders(rows: Rows) -> dict[str, Contender]:
    """The two engines, and the other tools as far as they are installed."""
    found = _engines("digits.toml", rows)
    other = partial(scikit_learn_training, (128, 64), 60, 32, 0.002, 0.999)
    found["MLPClassifier"] = Contender("without dropout and schedule", partial(other, rows))
    if "torch" not in missing_peers():
        from tests.benchmarks.whole.whole_torch import digits_training

        found["torch"] = Contender(SAME, partial(digits_training, rows))
    return found


def realmlp_contenders(rows: Rows) -> dict[str, Contender]:
    """The two engines, and the other tools as far as they are installed."""
    found = _engines("realmlp.toml", rows)
    differences = "64-64-64 with relu alone, at a rate of 0.001; no look at the validation set"
    other = partial(scikit_learn_training, (64, 64, 64), 128, 128, 0.001, 0.95)
    found["MLPClassifier"] = Contender(differences, partial(other, rows))
    if "torch" not in missing_peers():
        from tests.benchmarks.whole.whole_torch import realmlp_training

        found["torch"] = Contender(SAME, partial(realmlp_training, rows))
    return found


def _engines(spec: str, rows: Rows) -> dict[str, Contender]:
    names = {"numpy": NUMPY} | ({"compiled": COMPILED} if missing() is None else {})
    return {name: Contender(SAME, partial(specnet_training, spec, engine, rows)) for engine, name in names.items()}


WHOLE = {
    "specs/digits.toml": (digits_rows, digits_contenders),
    "specs/realmlp.toml": (realmlp_rows, realmlp_contenders),
}


def whole_runs(report: Report) -> None:
    """The time of a training, and how well the network predicts the test set: both have to be compared."""
    report.table("whole training", "", "network, epochs and batches", "s", "CPU s", "test accuracy")
    for title, (make_rows, make_contenders) in WHOLE.items():
        rows = make_rows()
        contenders = make_contenders(rows)
        seconds = measured({name: contender.run() for name, contender in contenders.items()}, ROUNDS, seconds=0)
        for name, contender in contenders.items():
            wall, cpu = seconds[name]
            cells = [plain(wall), plain(cpu), f"{contender.accuracy(rows):.3f}"]
            report.row(title, name, contender.differences, *cells)
    if missing() is None and usable_cpus() > 1:
        members_side_by_side(report)


def recipe_training(cores: int | None, rows: int = MEMBERS_ROWS, **settings: object) -> specnet.Model:
    """What `specnet new` writes for a table of so many rows, by the compiled engine; None is all cores."""
    X, y = make_friedman1(rows, noise=1.0, random_state=0)
    with limited_threads(cores):
        return specnet.SpecRegressor("recipe", engine="compiled", **settings).fit(X, y).model_


def members_side_by_side(report: Report) -> None:
    """The time of an ensemble on all cores."""
    report.table("five members of the recipe", "all cores, s", "beside", "s", "ratio", "at most (goal)")
    runs = {name: once(partial(recipe_training, cores)) for name, cores in (("one core", 1), ("all cores", None))}
    seconds = medians(runs, ROUNDS, seconds=0)
    one, all_cores = seconds["one core"], seconds["all cores"]
    report.compared(f"{MEMBERS_ROWS} rows, {COMPILED}", "one core", all_cores, one, MEMBERS_BOUND, 1)
