"""The folder of a sweep: its record, its trials, the run of the best one, and its team."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, PositiveInt, TypeAdapter

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import checked
from specnet.files.run_files import (
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
    TRIALS_TABLE,
    kind_of,
    trial_name,
)
from specnet.files.tensors import parse_object
from specnet.number_texts import counted
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.saved.run_curves import Curve, read_curves
from specnet.saved.saved_folder import FINISHED, UNFINISHED, SavedFolder, have_one_loss, loss_in_words
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_trials import RUNGS, Trial, best_trial, read_trials
from specnet.saved.searched_keys import dimensions
from specnet.saved.summary import read_csv
from specnet.spec.sweep_section import Range, Space

_SHARES = TypeAdapter(dict[str, PositiveInt])


class Dimension(NamedTuple):
    """A searched key.

    Attributes
    ----------
    name : str
        As ``trials.csv`` has it.
    choices : tuple of str
        What may be drawn, as TOML; nothing for a range.
    log : bool
        Whether a range is logarithmic.
    """

    name: str
    choices: tuple[str, ...] = ()
    log: bool = False


def read_sweep_facts(folder: Path) -> dict[str, Any]:
    """Return what the ``sweep.json`` of a folder says.

    Raises
    ------
    FileError
    """
    return SavedFolder(folder).read(SWEEP_FACTS, lambda content: parse_object(content, "the record of a sweep"))


def read_shares(folder: Path) -> dict[str, int]:
    """Return how often each trial is in the team of a folder, by its number.

    Raises
    ------
    FileError
    """

    def shares(content: bytes) -> dict[str, int]:
        record = parse_object(content, "the record of a team")
        return checked(_SHARES.validate_python, record.get("shares"), "the record of a team is")

    return SavedFolder(folder).read(TEAM_FACTS, shares)


class SavedSweep(SavedFolder):
    """The folder of a sweep: the figures are those of the run of its best trial, the seconds those of all trials.

    Parameters and attributes are those of `SavedFolder`.
    """

    @cached_property
    def best(self) -> SavedRun:
        """The run of the best trial."""
        return SavedRun(self.path / BEST, self.name, parts=self.parts, limits=self.limits)

    @cached_property
    def is_finished(self) -> bool:
        """Whether all trials have ended, and the best one has been run."""
        return read_sweep_facts(self.path).get("finished") is True and kind_of(self.path / BEST) is RUN

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
        """What ``sweep.json`` says."""
        return SweepFacts.of(self.path)

    @cached_property
    def dimensions(self) -> list[Dimension]:
        """The searched keys."""
        return list(self.facts.dimensions())

    @cached_property
    def recorded(self) -> list[Trial]:
        """The trials that have ended, as they were written."""
        return read_trials(self.path, self.facts.trials)

    @cached_property
    def ended(self) -> list[Trial]:
        """The trials that have ended, with their values of the searched keys alone.

        Written trials may have others than drawn ones; a FileError names one that cannot have been drawn.
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
        """The finished trial with the best figure; None if there is none."""
        return best_trial(self.recorded, self.facts.larger_is_better)

    def losses(self, most: int) -> dict[int, Curve]:
        """Return the validation losses of trials by their numbers, at so many epochs at most.

        Of a pruned trial they are those that the pruner has seen: of the first epochs at which a fraction of them was
        over.
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
        """Whether there is a run of the best trial."""
        return kind_of(self.path / BEST) is RUN

    @cached_property
    def evaluation(self) -> Mapping[str, Any]:
        """What the ``metrics.json`` of that run says; empty if there is none."""
        return self.best.evaluation.record() if self.has_run else {}

    @cached_property
    def has_other_loss(self) -> bool:
        """Whether the losses of that run are in other units than those by which trials are compared."""
        return self.has_run and not have_one_loss([loss_in_words(self.facts.identity.spec), self.best.loss])

    def comparable(self, split: str) -> dict[str, Any]:
        """Return the figures of that run that can be compared with those of trials."""
        left_out = "loss" if self.has_other_loss else None
        return {name: figure for name, figure in self.evaluation.get(split, {}).items() if name != left_out}

    @cached_property
    def team(self) -> SavedRun | None:
        """The folder of its team; None if there is none."""
        return SavedRun(self.path / TEAM) if kind_of(self.path / TEAM) is TEAM_OF_SWEEP else None

    @cached_property
    def shares(self) -> Mapping[str, int]:
        """How often each trial is in the team, by its number; empty without one."""
        return {} if self.team is None else read_shares(self.team.path)

    @property
    def best_spec(self) -> Path | None:
        """The file with the spec of the best trial; None if there is none yet."""
        return next((self.path / name for name in BEST_SPECS if (self.path / name).is_file()), None)


def spec_text(path: Path | None) -> str:
    """Return the text of a file with a spec; nothing without one.

    Raises
    ------
    FileError
    """
    if path is None:
        return ""
    with file_errors(path):
        return read_file(path, LARGEST_RECORD).decode("utf-8-sig", errors="replace")


class _SweepTable(BaseModel):
    """The table ``[sweep]``, as it is recorded."""

    space: Space
    folds: int | None = None
    seeds: int = 1
    seed: int | None = None
    parallel: int | str = ""
    sampler: dict[str, Any] = {}
    pruner: dict[str, Any] = {}
    candidates: list[dict[str, Any]] = []


class _Identity(BaseModel):
    """What a sweep is about, as it is recorded."""

    sweep: _SweepTable
    spec: dict[str, Any]
    data_sha256: str


class SweepFacts(BaseModel):
    """What ``sweep.json`` says."""

    identity: _Identity
    name: str | None
    metric: str
    larger_is_better: bool
    trials: int
    versions: dict[str, Any]
    threads: int

    @classmethod
    def of(cls, folder: Path) -> SweepFacts:
        """Return what that of a folder says.

        Raises
        ------
        FileError
        """
        with file_errors(folder / SWEEP_FACTS):
            return checked(cls.model_validate, read_sweep_facts(folder), "the record of a sweep is")

    def dimensions(self) -> Iterator[Dimension]:
        """Yield the searched keys."""
        for name, entry in dimensions(self.identity.sweep.space).items():
            yield Dimension(name, log=entry.log) if isinstance(entry, Range) else Dimension(name, entry)

    def epochs(self, trial: Trial) -> int:
        """Return how many epochs a trial would have had."""
        epochs = self.identity.spec.get("training", {}).get("epochs", trial.epochs)
        return int(trial.settings.get("training.epochs", epochs))

    def sampler(self) -> str:
        """Return the name of the sampler, with that of the pruner."""
        parts = self.identity.sweep.sampler, self.identity.sweep.pruner
        return ", ".join(str(part["type"]) for part in parts if "type" in part)

    def several(self) -> str:
        """Return what a figure is the mean over."""
        folds, seeds = self.identity.sweep.folds, self.identity.sweep.seeds
        told = [] if folds is None else [counted(folds, "fold")]
        return " and ".join([*told, counted(seeds, "seed")] if seeds > 1 else told)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield what it takes to do the sweep again, by name."""
        sweep = self.identity.sweep
        yield "versions", ", ".join(f"{name} {version}" for name, version in self.versions.items())
        yield "threads", str(self.threads)
        yield "seed of the sampler", str(self.identity.spec.get("seed", "") if sweep.seed is None else sweep.seed)
        yield "trials at once", str(sweep.parallel)
        yield "SHA-256 of the data", self.identity.data_sha256
