"""What sweeps come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from specnet.number_texts import metric as metric_text
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.running.evaluation.evaluation import Metrics
from specnet.running.many.run_tasks import State
from specnet.running.many.summary import Summary
from specnet.running.runner import RunResult
from specnet.running.sweeps.trial_records import Trial


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep.

    Attributes
    ----------
    trials : tuple of Trial
    best : Trial
        The one with the best metric of the validation set; of equals, the earliest.
    metric : str
        What the trials are compared by, on the validation set.
    spec : str
        The best trial's, as ``best.toml`` has it.
    run : RunResult
        The run of that spec, with the metrics of the test set.
    folder : Path or None
        Where the sweep was written.
    """

    trials: tuple[Trial, ...] = field(repr=False)
    best: Trial
    metric: str
    spec: str = field(repr=False)
    run: RunResult
    folder: Path | None

    @property
    def metrics(self) -> Metrics:
        """The metrics of the best trial's run, by part of the split and name."""
        return self.run.metrics

    def best_in_words(self) -> list[str]:
        """Return which trial is best, and its figure: the best of many, and so better than what is to be expected."""
        split, name = "validation", "loss" if self.metric == VALIDATION_LOSS else self.metric
        assert self.best.figure is not None, "it has finished"
        told = [f"{split} {metric_text(name, self.best.figure)} (best of {len(self.trials)})"]
        test = self.metrics.get("test", {}).get(name)
        told += [] if test is None else [f"test {metric_text(name, test)}"]
        return [f"best: trial {self.best.number}", f"{name}: {', '.join(told)}", self.states_in_words()]

    def states_in_words(self) -> str:
        """Return how many trials ended how."""
        states = [trial.state for trial in self.trials]
        return ", ".join(f"{states.count(state)} {state}" for state in get_args(State) if state in states)


@dataclass(frozen=True)
class NestedResult:
    """The result of a sweep on each of several folds, which are the test sets.

    Attributes
    ----------
    sweeps : tuple of SweepResult
        One for each fold.
    summary : dict
        What the best trials come to, on rows that their sweeps never saw: by part of the split and metric, ``mean``,
        ``std`` with n − 1, ``min``, ``max`` and the number of ``runs``.
    folder : Path or None
    """

    sweeps: tuple[SweepResult, ...]
    summary: Summary
    folder: Path | None
