"""What sweeps come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from specnet.number_texts import metric as metric_text
from specnet.parts.splits import TEST, TRAIN, VALIDATION
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.running.runner import RunResult
from specnet.running.sweeps.teams import TrialTeam
from specnet.saved.metrics_file import Metrics
from specnet.saved.saved_trials import State, Trial
from specnet.saved.summary import Summary


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
    team : TrialTeam or None
        The trials that answer together; None if trials cannot be compared row by row.
    folder : Path or None
        Where the sweep was written.
    """

    trials: tuple[Trial, ...] = field(repr=False)
    best: Trial
    metric: str
    spec: str = field(repr=False)
    run: RunResult
    team: TrialTeam | None
    folder: Path | None

    @property
    def metrics(self) -> Metrics:
        """The metrics of the best trial's run, by part of the split and name."""
        return self.run.metrics

    @property
    def worth(self) -> Metrics:
        """The metrics of what the sweep ends with: its team, or the best trial's run where there is none."""
        return self.metrics if self.team is None else self.team.metrics

    def best_in_words(self) -> list[str]:
        """Return which trial is best, and its figure: the best of many, and so better than what is to be expected."""
        name = "loss" if self.metric == VALIDATION_LOSS else self.metric
        assert self.best.figure is not None, "it has finished"
        told = [f"{VALIDATION} {metric_text(name, self.best.figure)} (best of {len(self.trials)})"]
        metrics = self.metrics if self.team is None else self.team.best
        test = metrics.get(TEST, {}).get(name)
        told += [] if test is None else [f"{TEST} {metric_text(name, test)}"]
        return [f"best: trial {self.best.number}", f"{name}: {', '.join(told)}", self.states_in_words()]

    def team_in_words(self) -> list[str]:
        """Return the trials of the team, and its figures of rows held out, which chose it, and of the test set."""
        assert self.team is not None, "there is one"
        name = "loss" if self.metric == VALIDATION_LOSS else self.metric
        known = {split: figures[name] for split, figures in self.team.metrics.items() if figures.get(name) is not None}
        told = [f"{split.replace('_', ' ')} {metric_text(name, known[split])}" for split in known if split != TRAIN]
        return [self.team.in_words(), f"{name}: {', '.join(told)}"]

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
        What the teams come to, on rows that their sweeps never saw: by part of the split and metric, ``mean``,
        ``std`` with n − 1, ``min``, ``max`` and the number of ``runs``.
    folder : Path or None
    """

    sweeps: tuple[SweepResult, ...]
    summary: Summary
    folder: Path | None
