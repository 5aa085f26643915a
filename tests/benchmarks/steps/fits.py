"""Whole fits of small networks, where Python between the steps counts: the compiled engine beside NumPy."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

import specnet
from tests.benchmarks.report import Report
from tests.benchmarks.steps.cases import Bound
from tests.benchmarks.timing import Seconds, measured, once
from tests.compiling import missing

ROUNDS = 7
ROWS, HELD_OUT = 256, 100
DROPPED = 0.2
HIDDEN = {"type": "dense", "units": 64, "activation": "relu"}
SMALL = {"layer_sizes": [2, 5, 1], "dtype": "float64"}
DENSE = {"input_size": 30, "layers": [HIDDEN, HIDDEN, {"type": "dense", "units": 2}]}
DROPPING = {**DENSE, "layers": [HIDDEN, {"type": "dropout", "rate": DROPPED}, *DENSE["layers"][1:]]}
BATCHES = {"loss": "categorical_crossentropy", "epochs": 2600, "batch_size": 32}


class Fit(NamedTuple):
    """A fit on random rows of two classes, and how much of NumPy's CPU time the compiled engine may take."""

    network: dict[str, Any]
    training: dict[str, Any]
    bound: Bound

    def train(self, engine: str) -> specnet.Model:
        """Train as long as the spec says; early stopping looks at a loss of other rows, and never ends it."""
        columns = self.network.get("input_size", 2)
        X = np.random.default_rng(0).standard_normal((ROWS + HELD_OUT, columns))
        y = (X[:, 0] * X[:, 1] > 0).astype(np.intp)
        held_out = (X[ROWS:], y[ROWS:]) if "early_stopping" in self.training else None
        spec = {"seed": 0, "network": self.network, "training": {"optimizer": "adam", **self.training}}
        return specnet.fit(spec, X[:ROWS], y[:ROWS], held_out, engine=engine)


BINARY = {"loss": "binary_crossentropy", "epochs": 4000, "batch_size": "full"}
STOPPED = {**BATCHES, "early_stopping": {"patience": 2600}}
FITS = {
    "2-5-1, 4 000 full batches": Fit(SMALL, BINARY, Bound(0.25, 0.2)),
    "30-64-64-2, 2 600 epochs of 8 batches": Fit(DENSE, BATCHES, Bound(0.45, 0.35)),
    f"the same with dropout {DROPPED}": Fit(DROPPING, BATCHES, Bound(0.45, 0.4)),
    "the same without, stopped early by a validation loss": Fit(DENSE, STOPPED, Bound(0.5, 0.4)),
}


def fits(report: Report) -> None:
    """The CPU time of fits, each from a spec and rows in memory to a model."""
    report.table("fit", "compiled, CPU ms", "peer", "peer, CPU ms", "ours ÷ theirs", "at most (goal)")
    if missing() is not None:
        return
    for title, fit in FITS.items():
        runs = {engine: once(partial(fit.train, engine)) for engine in ("compiled", "numpy")}
        show_fit(report, title, fit.bound, measured(runs, ROUNDS, seconds=0))


def show_fit(report: Report, title: str, bound: Bound, seconds: dict[str, Seconds]) -> None:
    """A row of CPU times."""
    report.compared(title, "NumPy engine", seconds["compiled"].cpu, seconds["numpy"].cpu, bound, 1e3)
