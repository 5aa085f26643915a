"""Many runs of one spec as their folder tells of them: on folds, with seeds, or each the best of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from specnet.parts.metrics import main_metric
from specnet.parts.splits import best_split
from specnet.parts.watchers import LOSS
from specnet.report.pages.headline import BASELINES
from specnet.report.terminal.run_table import RunRecord
from specnet.saved.saved_folder import FINISHED

Summary = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By part of the split and metric: ``mean``, ``std``, ``min``, ``max`` and the number of ``runs``."""


class Spread(NamedTuple):
    """Standard deviations of runs with every seed on every fold: of seeds on one fold, and of folds beyond that."""

    seeds: float
    folds: float


class Difference(NamedTuple):
    """By how much networks have more than a simpler predictor on the same folds, with its 95 % interval.

    The sign says whether they are better, as far as chance allows: 1, -1, or 0.
    """

    value: float
    low: float | None = None
    high: float | None = None
    sign: int | None = None


@dataclass(frozen=True)
class SeriesRecord:
    """Many runs as their folder tells of them.

    Attributes
    ----------
    name : str
        Of their spec; nothing if none of them has finished.
    runs : sequence of RunRecord
    summary : mapping
        As ``summary.json`` has it.
    baselines : mapping
        The same of simpler predictors on the rows of the runs that have finished, by their names.
    command : str
        What does one of them again.
    facts : sequence of (name, value)
        What it takes to do them again.
    searched_by : str
        The metric of validation rows by which the sweeps compare their trials; empty where the runs are none of sweeps.
    spread : Spread or None
        Of the main metric, if each fold has every seed.
    difference : Difference or None
        Of the main metric, from that of the simpler predictor beside the networks.
    """

    name: str
    runs: Sequence[RunRecord]
    summary: Summary
    command: str = ""
    facts: Sequence[tuple[str, str]] = ()
    searched_by: str = ""
    baselines: Mapping[str, Summary] = field(default_factory=dict)
    spread: Spread | None = None
    difference: Difference | None = None

    @property
    def split(self) -> str:
        """The rows that tell most."""
        return best_split(self.summary)

    @property
    def main(self) -> str:
        """The metric by which the runs are judged."""
        return main_metric(self.summary.get(self.split, ())) or LOSS

    @property
    def metrics(self) -> list[str]:
        """All of them, that by which the runs are judged first and the loss last."""
        return sorted(self.summary.get(self.split, ()), key=lambda name: (name != self.main, name == LOSS))

    @property
    def finished(self) -> list[RunRecord]:
        """The runs that have finished."""
        return [run for run in self.runs if run.state == FINISHED]

    @property
    def beside(self) -> list[str]:
        """The simpler predictors beside the networks, the linear model first if there is one."""
        return [name for name in BASELINES if self.split in self.baselines.get(name, ())]

    @property
    def reference(self) -> str:
        """The first of them; empty if there is none."""
        return next(iter(self.beside), "")

    @property
    def searches(self) -> list[RunRecord]:
        """The runs that are the best of a sweep."""
        return [run for run in self.runs if run.figure is not None]

    @property
    def is_nested(self) -> bool:
        """Whether each run is the best of a sweep."""
        return bool(self.searches)
