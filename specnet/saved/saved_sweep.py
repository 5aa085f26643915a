"""The folder of a sweep: its record and searched keys, its trials, the run of the best trial, and its team."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, PositiveInt, TypeAdapter

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import checked, toml_value
from specnet.files.tensors import parse_object
from specnet.number_texts import counted
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.run_files import (
    BEST,
    BEST_SPECS,
    FACTS,
    HISTORY,
    LARGEST_RECORD,
    RUN,
    SWEEP_FACTS,
    TEAM,
    TEAM_FACTS,
    TEAM_OF_SWEEP,
    TRIALS,
    TRIALS_TABLE,
    kind_of,
    trial_name,
)
from specnet.saved.expectations_file import JudgedExpectation
from specnet.saved.metrics_file import read_csv
from specnet.saved.saved_folder import FINISHED, UNFINISHED, SavedFolder, have_one_loss, loss_in_words
from specnet.saved.saved_run import Curve, SavedRun, read_curves
from specnet.spec.sweep_section import Range, Space, plain, ranges_inside
from specnet.training.checkpoint import is_finite


def dimensions(space: Mapping[str, tuple[Any, ...] | Range]) -> dict[str, tuple[str, ...] | Range]:
    """Return the values that a trial may draw, by column name: the texts of a list's values, or a range."""
    found: dict[str, tuple[str, ...] | Range] = {}
    for key, entry in space.items():
        if isinstance(entry, Range):
            found[key] = entry
        else:
            found[key] = tuple(texts_of(entry))
            for index in range(len(entry)):
                found |= {name: bounds for name, (_, bounds) in names_inside(key, entry, index).items()}
    return found


def texts_of(choices: Sequence[Any]) -> list[str]:
    """Return a text for each value of a list; its ranges are left out if the text remains unique."""
    short = [_without_ranges(choice) for choice in choices]
    count = Counter(short)
    return [
        text if text is not None and count[text] == 1 else toml_value(plain(choice))
        for text, choice in zip(short, choices, strict=True)
    ]


def _without_ranges(choice: Any) -> str | None:
    ranges = ranges_inside(choice)
    if not ranges:
        return toml_value(plain(choice))
    rest = {key: plain(value) for key, value in choice.items() if key not in ranges}
    return None if not rest else toml_value(rest["type"] if set(rest) == {"type"} else rest)


def names_inside(key: str, choices: Sequence[Any], index: int) -> dict[str, tuple[str, Range]]:
    """Return the fields with ranges in the value `index` of a list, by the names of their parameters."""
    ranges = ranges_inside(choices[index])
    if not ranges:
        return {}
    types = [choice.get("type") for choice in choices if ranges_inside(choice)]
    part = choices[index].get("type")
    owner = key if part is None else f"{key}.{part}"
    if part is None or types.count(part) > 1:
        owner += f"[{index}]"
    return {f"{owner}.{field}": (field, bounds) for field, bounds in ranges.items()}


State = Literal["finished", "pruned", "diverged", "refused"]
RUNGS = 20
"""The number of evenly spaced epochs of a trial at which it may be pruned."""
RungLosses = dict[int, float]
"""Validation losses by rung, from 1."""


@dataclass(frozen=True)
class TrialFigure:
    """The value of a sweep's metric for one run of a trial."""

    seed: int | None
    fold: int | None
    figure: float | None


@dataclass(frozen=True)
class Trial:
    """The result of a trial.

    Attributes
    ----------
    number : int
    state : "finished", "pruned", "diverged" or "refused"
    settings : mapping
        The drawn values by column of the table of trials.
    figure : float or None
        The value of the sweep's metric, as a mean over folds and seeds; None if the trial has not finished.
    figures : tuple of TrialFigure
        The value of the sweep's metric for each run.
    epochs : int
        The number of epochs of all runs.
    seconds : float
        The duration of all runs.
    message : str
        The reason why the trial has no figure.
    curve : dict
        Validation losses by rung, if the sweep has a pruner.
    parameters : dict
        The drawn values as parameters of Optuna.
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
        """Return the trial as plain data, with its seconds."""
        facts = asdict(self)
        first = {"trial": facts.pop("number"), "state": facts.pop("state"), "finished": self.state == "finished"}
        return {**first, **facts, "curve": [list(each) for each in self.curve.items()]}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Trial:
        """Return the trial of a saved record.

        Raises
        ------
        FileError
            If the record is invalid.
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
    """Return the trial in a folder, or None if the folder has no record of a trial.

    Raises
    ------
    FileError
        If the record cannot be read.
    """
    path = folder / FACTS
    if not path.exists():
        return None
    with file_errors(path):
        trial = Trial.from_facts(parse_object(read_file(path, LARGEST_RECORD), "the record of a trial"))
        if folder.name != Path(trial_name(trial.number)).name:
            raise FileError(f"the record of another trial: {trial.number}")
        return trial


def read_trials(folder: Path, most: int) -> list[Trial]:
    """Return the trials with numbers below `most` that have ended, from the folder of a sweep.

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
    """Return the finished trial with the best figure (the earliest of equals), or None if no trial has finished."""
    known = [(trial.figure, trial) for trial in trials if trial.figure is not None]
    return max(known, key=lambda each: each[0] if larger_is_better else -each[0], default=(0.0, None))[1]


CALIBRATED_LOSS = "calibrated_loss"
"""What trials are compared by if the metric is the loss and outputs are logits: the loss of calibrated outputs."""

_SHARES = TypeAdapter(dict[str, PositiveInt])


class Dimension(NamedTuple):
    """A searched key.

    Attributes
    ----------
    name : str
        The name of its column in ``trials.csv``.
    choices : tuple of str
        The values that may be drawn, as TOML; empty for a range.
    log : bool
        Whether a range is logarithmic.
    """

    name: str
    choices: tuple[str, ...] = ()
    log: bool = False


def read_sweep_facts(folder: Path) -> dict[str, Any]:
    """Return the contents of the ``sweep.json`` in a folder.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    return SavedFolder(folder).read(SWEEP_FACTS, lambda content: parse_object(content, "the record of a sweep"))


def read_shares(folder: Path) -> dict[str, int]:
    """Return the share of each trial in the team in a folder, as a count by trial number.

    Raises
    ------
    FileError
        If the record of the team cannot be read.
    """

    def shares(content: bytes) -> dict[str, int]:
        record = parse_object(content, "the record of a team")
        return checked(_SHARES.validate_python, record.get("shares"), "the record of a team is")

    return SavedFolder(folder).read(TEAM_FACTS, shares)


class SavedSweep(SavedFolder):
    """The folder of a sweep; the metrics are of the run of its best trial, the seconds of all trials.

    Parameters and attributes are those of `SavedFolder`.
    """

    @cached_property
    def best(self) -> SavedRun:
        """The run of the best trial."""
        return SavedRun(self.path / BEST, self.name, parts=self.parts, limits=self.limits)

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """The full contents of ``sweep.json``, including entries that are not checked."""
        return read_sweep_facts(self.path)

    @property
    def has_ended(self) -> bool:
        """Whether all trials have ended."""
        return self.record.get("finished") is True

    @property
    def is_finished(self) -> bool:
        """Whether all trials have ended, and the best trial has been run."""
        return self.has_ended and self.has_run

    @cached_property
    def _seconds(self) -> list[float]:
        path = self.path / TRIALS_TABLE
        return read_csv(path, "table of trials", lambda row: float(row["seconds"])) if path.is_file() else []

    @cached_property
    def state(self) -> str:
        return self.best.state if self.is_finished else UNFINISHED

    @cached_property
    def metrics(self) -> Mapping[str, Mapping[str, float | None]]:
        return self.best.metrics if self.is_finished else {}

    @cached_property
    def codes(self) -> tuple[str, ...]:
        return self.best.codes if self.is_finished else ()

    @cached_property
    def expectations(self) -> Sequence[JudgedExpectation]:
        return (self.team or self.best).expectations if self.is_finished else ()

    @cached_property
    def tested_on(self) -> Mapping[str, Any]:
        return self.best.tested_on if self.is_finished else {}

    @cached_property
    def loss(self) -> str:
        return self.best.loss if self.is_finished else ""

    @cached_property
    def seconds(self) -> float | None:
        return sum(self._seconds, 0.0)

    @cached_property
    def trials(self) -> int | None:
        return len(self._seconds)

    @cached_property
    def facts(self) -> SweepFacts:
        """The checked contents of ``sweep.json``."""
        with file_errors(self.path / SWEEP_FACTS):
            return checked(SweepFacts.model_validate, self.record, "the record of a sweep is")

    @cached_property
    def dimensions(self) -> list[Dimension]:
        """The searched keys."""
        return list(self.facts.dimensions())

    @cached_property
    def recorded(self) -> list[Trial]:
        """The trials that have ended, with their settings as saved."""
        return read_trials(self.path, self.facts.trials)

    @cached_property
    def ended(self) -> list[Trial]:
        """The trials that have ended, with only the settings that are in the space.

        The spec as written and candidates may have other values. A FileError names a drawn trial with such a value.
        """
        return [self._drawn(trial) for trial in self.recorded]

    def _drawn(self, trial: Trial) -> Trial:
        settings, given = {}, 1 + len(self.facts.identity.sweep.candidates)
        for name, choices, _ in self.dimensions:
            value = trial.settings.get(name)
            if value is not None and (value in choices if choices else isinstance(value, int | float)):
                settings[name] = value
            elif value is not None and trial.number >= given:
                message = f"not a valid record of a trial: {name} cannot be {value!r}"
                raise FileError(message, source=str(self.path / trial_name(trial.number) / FACTS))
        return replace(trial, settings=settings)

    @cached_property
    def best_trial(self) -> Trial | None:
        """The finished trial with the best figure, or None if no trial has finished."""
        return best_trial(self.recorded, self.facts.larger_is_better)

    def losses(self, most: int) -> dict[int, Curve]:
        """Return the validation losses of trials by their numbers, at `most` epochs or fewer.

        For a pruned trial these are the losses that the pruner received, at the first epoch of each rung.
        """
        found = {}
        for trial in self.ended:
            if trial.state == FINISHED:
                curves = read_curves(self.path / trial_name(trial.number) / HISTORY, most)
                if VALIDATION_LOSS in curves:
                    found[trial.number] = curves[VALIDATION_LOSS]
            elif trial.curve:
                epochs = self.facts.epochs(trial)
                reached = [min(-(-rung * epochs // RUNGS), trial.epochs) for rung in trial.curve]
                found[trial.number] = Curve(reached, list(trial.curve.values()))
        return found

    @cached_property
    def has_run(self) -> bool:
        """Whether the folder has a run of the best trial."""
        return kind_of(self.path / BEST) is RUN

    @cached_property
    def evaluation(self) -> Mapping[str, Any]:
        """The contents of the best run's ``metrics.json``; empty if the folder has no such run."""
        return self.best.evaluation.record() if self.has_run else {}

    @cached_property
    def has_other_loss(self) -> bool:
        """Whether losses of the best run are in other units than the losses by which trials are compared."""
        return self.has_run and not have_one_loss([loss_in_words(self.facts.identity.spec), self.best.loss])

    def comparable(self, split: str) -> dict[str, Any]:
        """Return the metrics of the best run on a split that are comparable with the metrics of trials."""
        left_out = "loss" if self.has_other_loss else None
        return {name: figure for name, figure in self.evaluation.get(split, {}).items() if name != left_out}

    @cached_property
    def team(self) -> SavedRun | None:
        """The folder of the sweep's team, or None without a team."""
        return SavedRun(self.path / TEAM) if kind_of(self.path / TEAM) is TEAM_OF_SWEEP else None

    @cached_property
    def shares(self) -> Mapping[str, int]:
        """The share of each trial in the team, as a count by trial number; empty without a team."""
        return {} if self.team is None else read_shares(self.team.path)

    @property
    def best_spec(self) -> Path | None:
        """The path of the best trial's spec, or None if it is not written yet."""
        return next((self.path / name for name in BEST_SPECS if (self.path / name).is_file()), None)


def spec_text(path: Path | None) -> str:
    """Return the text of a spec file, or an empty text if `path` is None.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    if path is None:
        return ""
    with file_errors(path):
        return read_file(path, LARGEST_RECORD).decode("utf-8-sig", errors="replace")


class _SweepTable(BaseModel):
    """The section ``[sweep]`` in the record of a sweep."""

    space: Space
    folds: int | None = None
    seeds: int = 1
    seed: int | None = None
    parallel: int | str = ""
    sampler: dict[str, Any] = {}
    pruner: dict[str, Any] = {}
    candidates: list[dict[str, Any]] = []


class _Identity(BaseModel):
    """The identity of a sweep in its record: its spec, ``[sweep]`` and the hash of its data."""

    sweep: _SweepTable
    spec: dict[str, Any]
    data_sha256: str


class SweepFacts(BaseModel):
    """The contents of ``sweep.json``."""

    identity: _Identity
    name: str | None
    metric: str
    figure: str = ""
    larger_is_better: bool
    trials: int
    versions: dict[str, Any]
    threads: int

    def dimensions(self) -> Iterator[Dimension]:
        """Yield the searched keys."""
        for name, entry in dimensions(self.identity.sweep.space).items():
            yield Dimension(name, log=entry.log) if isinstance(entry, Range) else Dimension(name, entry)

    def epochs(self, trial: Trial) -> int:
        """Return the number of epochs that a trial has if it is not ended early."""
        epochs = self.identity.spec.get("training", {}).get("epochs", trial.epochs)
        return int(trial.settings.get("training.epochs", epochs))

    def sampler(self) -> str:
        """Return the names of the sampler and of the pruner, if any."""
        parts = self.identity.sweep.sampler, self.identity.sweep.pruner
        return ", ".join(str(part["type"]) for part in parts if "type" in part)

    def several(self) -> str:
        """Return the folds and seeds that a figure is the mean over, such as "5 folds and 2 seeds"."""
        folds, seeds = self.identity.sweep.folds, self.identity.sweep.seeds
        counts = [] if folds is None else [counted(folds, "fold")]
        return " and ".join([*counts, counted(seeds, "seed")] if seeds > 1 else counts)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield name and value of each condition that repeating the sweep depends on."""
        sweep = self.identity.sweep
        yield "versions", ", ".join(f"{name} {version}" for name, version in self.versions.items())
        yield "threads", str(self.threads)
        yield "seed of the sampler", str(self.identity.spec.get("seed", "") if sweep.seed is None else sweep.seed)
        yield "trials at once", str(sweep.parallel)
        yield "SHA-256 of the data", self.identity.data_sha256
