"""Many runs of one spec as their folder tells of them: on folds, with seeds, or each the best of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specnet.report.pages.headline import main_metric
from specnet.report.terminal.run_table import FINISHED, LOSS, TEST, TRAIN, VALIDATION, RunRecord

Summary = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By part of the split and metric: ``mean``, ``std``, ``min``, ``max`` and the number of ``runs``."""


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
    command : str
        What does one of them again.
    facts : sequence of (name, value)
        What it takes to do them again.
    searched_by : str
        The metric of validation rows by which the sweeps compare their trials; empty where the runs are none of sweeps.
    """

    name: str
    runs: Sequence[RunRecord]
    summary: Summary
    command: str = ""
    facts: Sequence[tuple[str, str]] = ()
    searched_by: str = ""

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
    def finished(self) -> list[RunRecord]:
        """The runs that have finished."""
        return [run for run in self.runs if run.state == FINISHED]

    @property
    def searches(self) -> list[RunRecord]:
        """The runs that are the best of a sweep."""
        return [run for run in self.runs if run.figure is not None]

    @property
    def is_nested(self) -> bool:
        """Whether each run is the best of a sweep."""
        return bool(self.searches)
