"""Many runs of one spec as their folder tells of them: on folds, with seeds, or each the best of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specnet.report.pages.headline import main_metric
from specnet.report.svg.overlays import Curves
from specnet.report.terminal.run_table import FINISHED, LOSS, TEST, TRAIN, VALIDATION

Summary = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By part of the split and metric: ``mean``, ``std``, ``min``, ``max`` and the number of ``runs``."""


@dataclass(frozen=True)
class FoldSearch:
    """The sweep that a run is the best trial of.

    Attributes
    ----------
    address : str
        Of its page, as seen from this one.
    trial, trials : int
        The best one, and how many there are.
    metric : str
        What it is the best by.
    figure : float
        On validation rows.
    settings : mapping
        What was drawn for the best trial, by key.
    """

    address: str
    trial: int
    trials: int
    metric: str
    figure: float
    settings: Mapping[str, str]


@dataclass(frozen=True)
class SeriesRun:
    """One of many runs.

    Attributes
    ----------
    name : str
        Of its folder.
    seed, fold : int or None
        What is its own.
    state, message : str
        ``finished``, or how it ended else, and why.
    metrics : mapping
        The figures by part of the split and name.
    epochs : int or None
    curves : mapping
    search : FoldSearch or None
    """

    name: str
    seed: int | None
    fold: int | None
    state: str = FINISHED
    message: str = ""
    metrics: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    epochs: int | None = None
    curves: Curves = field(default_factory=dict)
    search: FoldSearch | None = None

    def score(self, split: str, name: str) -> float | None:
        """Return a figure, None if the run does not have it."""
        return self.metrics.get(split, {}).get(name)


@dataclass(frozen=True)
class SeriesRecord:
    """Many runs as their folder tells of them.

    Attributes
    ----------
    name : str
        Of their spec; nothing if none of them has finished.
    runs : sequence of SeriesRun
    summary : mapping
        As ``summary.json`` has it.
    command : str
        What does one of them again.
    facts : sequence of (name, value)
        What it takes to do them again.
    """

    name: str
    runs: Sequence[SeriesRun]
    summary: Summary
    command: str = ""
    facts: Sequence[tuple[str, str]] = ()

    @property
    def split(self) -> str:
        """The rows that tell most."""
        return next((split for split in (TEST, VALIDATION, TRAIN) if split in self.summary), TEST)

    @property
    def main(self) -> str:
        """The metric by which the runs are judged."""
        return main_metric(self.summary.get(self.split, ())) or LOSS

    @property
    def metrics(self) -> list[str]:
        """All of them, that by which the runs are judged first and the loss last."""
        return sorted(self.summary.get(self.split, ()), key=lambda name: (name != self.main, name == LOSS))

    @property
    def finished(self) -> list[SeriesRun]:
        """The runs that have finished."""
        return [run for run in self.runs if run.state == FINISHED]

    @property
    def is_nested(self) -> bool:
        """Whether each run is the best of a sweep."""
        return any(run.search is not None for run in self.runs)
