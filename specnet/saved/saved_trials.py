"""The trials of a sweep, as its folder keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import checked
from specnet.files.run_files import FACTS, LARGEST_RECORD, TRIALS, trial_name
from specnet.files.tensors import parse_object
from specnet.training.checkpoint import is_finite

State = Literal["finished", "pruned", "diverged", "refused"]
RUNGS = 20
"""Evenly spaced epochs of a trial at which it may be pruned."""
RungLosses = dict[int, float]
"""Validation losses by rung, from 1."""


@dataclass(frozen=True)
class TrialFigure:
    """The metric that a sweep searches by, of one run of a trial."""

    seed: int | None
    fold: int | None
    figure: float | None


@dataclass(frozen=True)
class Trial:
    """What a trial has come to.

    Attributes
    ----------
    number : int
    state : "finished", "pruned", "diverged" or "refused"
    settings : mapping
        What was drawn, by column of the table of trials.
    figure : float or None
        The metric that the sweep searches by, the mean over folds and seeds.
    figures : tuple of TrialFigure
        Of each run.
    epochs : int
        Of all runs.
    seconds : float
        Of all runs.
    message : str
        Why it has no figure.
    curve : dict
        Validation losses by rung, where a pruner looks at them.
    parameters : dict
        What was drawn, as Optuna calls it.
    """

    number: int
    state: State
    settings: Mapping[str, str | int | float]
    figure: float | None = None
    figures: tuple[TrialFigure, ...] = ()
    epochs: int = 0
    seconds: float = field(default=0.0, compare=False)
    message: str = ""
    curve: RungLosses = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return it as plain data, with its seconds."""
        told = asdict(self)
        first = {"trial": told.pop("number"), "state": told.pop("state"), "finished": self.state == "finished"}
        return {**first, **told, "curve": [list(each) for each in self.curve.items()]}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Trial:
        """Return what the facts of a trial say.

        Raises
        ------
        FileError
            If they are none.
        """
        try:
            given = {**facts, "number": facts.get("trial"), "curve": dict(facts.get("curve", ()))}
        except (TypeError, ValueError) as error:
            raise FileError(f"not a valid record of a trial: {error}") from error
        trial = checked(_TRIAL.validate_python, given, "the record of a trial is")
        if (trial.state == "finished") != is_finite(trial.figure):
            raise FileError("not a valid record of a trial: its state and its figure do not fit")
        return trial


_TRIAL = TypeAdapter(Trial)


def read_trial(folder: Path) -> Trial | None:
    """Return the trial that a folder keeps, None if there is no such folder.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    path = folder / FACTS
    if not path.exists():
        return None
    with file_errors(path):
        trial = Trial.from_facts(parse_object(read_file(path, LARGEST_RECORD), "the record of a trial"))
        if trial.number != int(folder.name):
            raise FileError(f"the record of another trial: {trial.number}")
        return trial


def read_trials(folder: Path, most: int) -> list[Trial]:
    """Return the trials that have ended in the folder of a sweep, of the first so many.

    Raises
    ------
    FileError
        If one of them cannot be read.
    """
    trials = folder / TRIALS
    with file_errors(trials):
        numbers = [int(path.name) for path in trials.iterdir() if path.name.isdecimal()] if trials.is_dir() else []
    found = (read_trial(folder / trial_name(number)) for number in sorted(numbers) if number < most)
    return [trial for trial in found if trial is not None]


def best_trial(trials: Iterable[Trial], larger_is_better: bool) -> Trial | None:
    """Return the finished trial with the best figure, of equals the earliest."""
    known = [(trial.figure, trial) for trial in trials if trial.figure is not None]
    return max(known, key=lambda each: each[0] if larger_is_better else -each[0], default=(0.0, None))[1]
