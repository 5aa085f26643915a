"""The pages of a sweep and of a sweep for each fold, collected from their folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, PositiveInt, TypeAdapter

from specnet.errors import FileError
from specnet.files import file_errors, read_file, write_file
from specnet.files.plain_data import checked
from specnet.files.run_files import (
    BEST,
    BEST_SPECS,
    FACTS,
    HISTORY,
    LARGEST_RECORD,
    NESTED,
    REPORT,
    RUN,
    SWEEP,
    SWEEP_FACTS,
    TEAM,
    TEAM_FACTS,
    TEAM_OF_SWEEP,
    TRIALS,
    kind_of,
    page_of,
    parts_of,
    written_spec,
)
from specnet.files.tensors import parse_object
from specnet.number_texts import counted
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.report.pages.series_page import series_page
from specnet.report.pages.series_record import SeriesRecord
from specnet.report.pages.sweep_charts import Dimension, Ranking, points_of_each
from specnet.report.pages.sweep_page import SweepRecord, sweep_page
from specnet.report.svg.overlays import MOST_POINTS
from specnet.report.terminal.run_table import RunRecord
from specnet.running.many.fold_statistics import with_statistics
from specnet.running.many.series_report import baselines_of, run_facts, run_name
from specnet.running.sweeps.space import dimensions
from specnet.running.sweeps.trial_records import Trial, best_trial, read_trial
from specnet.running.sweeps.trials import RUNGS
from specnet.saved.run_curves import Curve, Curves, read_curves
from specnet.saved.saved_folder import FINISHED, have_one_loss, loss_in_words
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_series import read_summary, read_sweep_facts
from specnet.spec.sweep_section import Range, Space

_SHARES = TypeAdapter(dict[str, PositiveInt])


def write_sweep_report(folder: Path) -> Path:
    """Write the page of a sweep, and return its path.

    Raises
    ------
    FileError
        If something in it cannot be read, or the page not be written.
    """
    path = folder / REPORT
    write_file(path, sweep_page(sweep_record(folder)).encode())
    return path


def write_nested_report(folder: Path) -> Path:
    """Write the page of a folder with a sweep for each fold, and return its path.

    Raises
    ------
    FileError
        If something in it cannot be read, or the page not be written.
    """
    path = folder / REPORT
    write_file(path, series_page(with_statistics(nested_record(folder))).encode())
    return path


def sweep_record(folder: Path) -> SweepRecord:
    """Return what the folder of a sweep says.

    Raises
    ------
    FileError
    """
    facts = SweepFacts.of(folder)
    searched, given = list(facts.dimensions()), 1 + len(facts.identity.sweep.candidates)
    trials = [_drawn(trial, searched, given, folder) for trial in read_trials(folder, facts.trials)]
    most = points_of_each(len(trials))
    swept = [_swept(trial, folder, facts, most) for trial in trials]
    best = folder / BEST
    has_run = kind_of(best) is RUN
    spec = next((folder / name for name in BEST_SPECS if (folder / name).is_file()), None)
    written = written_spec(folder)
    return SweepRecord(
        name=facts.name or "unnamed",
        ranking=Ranking(swept, facts.metric, facts.larger_is_better),
        planned=facts.trials,
        dimensions=searched,
        sampler=facts.sampler(),
        several=facts.several(),
        evaluation=SavedRun(best).evaluation.record() if has_run else {},
        spec_name="" if spec is None else spec.name,
        spec="" if spec is None else _text(spec),
        written="" if written is None else _text(written),
        has_report=(best / REPORT).is_file(),
        facts=list(facts.rows()),
        has_other_loss=has_run and not facts.has_loss_of(SavedRun(best)),
        **_team(folder / TEAM),
    )


def _team(folder: Path) -> dict[str, Any]:
    """Return what the folder of a team says, nothing if there is none."""
    if kind_of(folder) is not TEAM_OF_SWEEP:
        return {}
    has_report = (folder / REPORT).is_file()
    record = SavedRun(folder).evaluation.record()
    return {"team": record, "shares": read_shares(folder), "team_has_report": has_report}


def read_shares(folder: Path) -> dict[str, int]:
    """Return how often each trial is in the team of a folder, by its number.

    Raises
    ------
    FileError
    """
    with file_errors(folder / TEAM_FACTS):
        record = parse_object(read_file(folder / TEAM_FACTS, LARGEST_RECORD), "the record of a team")
        return checked(_SHARES.validate_python, record.get("shares"), "the record of a team is")


def nested_record(folder: Path) -> SeriesRecord:
    """Return what a folder with a sweep for each fold says.

    Raises
    ------
    FileError
    """
    sweeps = [path for path in parts_of(folder, NESTED) if kind_of(path) is SWEEP]
    runs = [_fold(path, fold) for fold, path in enumerate(sweeps)]
    first = next((folder / run.name for run in runs if run.state == FINISHED), None)
    if first is None:
        return SeriesRecord("", runs, read_summary(folder, has_finished=False))
    spec = next(name for name in BEST_SPECS if (first / name).is_file())
    return SeriesRecord(
        run_name(first / BEST),
        runs,
        read_summary(folder, has_finished=True),
        f"specnet run {first.name}/{spec}",
        list(run_facts(first / BEST)),
        SweepFacts.of(first).metric.removeprefix("validation_"),
        baselines_of(runs),
    )


def _fold(folder: Path, fold: int) -> RunRecord:
    """Return the best run of a fold's sweep, with the metrics of its team."""
    facts = SweepFacts.of(folder)
    trials = read_trials(folder, facts.trials)
    best = best_trial(trials, facts.larger_is_better)
    run = folder / BEST
    if best is None or best.figure is None or kind_of(run) is not RUN:
        return RunRecord(folder.name, "unfinished", fold=fold)
    of_run, team = SavedRun(run), folder / TEAM
    evaluation = of_run.evaluation
    return RunRecord(
        folder.name,
        metrics=SavedRun(team).evaluation.metrics if kind_of(team) is TEAM_OF_SWEEP else evaluation.metrics,
        baselines=evaluation.baselines,
        epochs=of_run.epochs,
        trials=len(trials),
        fold=fold,
        trial=best.number,
        figure=best.figure,
        settings=best.settings,
        curves=of_run.curves(MOST_POINTS),
        page=page_of(folder, folder.parent),
    )


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
    found = (read_trial(trials / f"{number:04}") for number in sorted(numbers) if number < most)
    return [trial for trial in found if trial is not None]


def _drawn(trial: Trial, searched: Sequence[Dimension], given: int, folder: Path) -> Trial:
    """Return a trial with its values of the searched keys alone; a written trial may have others than drawn ones.

    Raises
    ------
    FileError
        If a trial that was not written cannot have been drawn from the space of the sweep.
    """
    settings = {}
    for name, choices, _ in searched:
        value = trial.settings.get(name)
        if value is not None and (value in choices if choices else isinstance(value, int | float)):
            settings[name] = value
        elif value is not None and trial.number >= given:
            message = f"not a valid record of a trial: {name} cannot be {value!r}"
            raise FileError(message, source=str(folder / TRIALS / f"{trial.number:04}" / FACTS))
    return replace(trial, settings=settings)


def _swept(trial: Trial, folder: Path, facts: SweepFacts, most: int) -> RunRecord:
    curves: Curves = {}
    if trial.state == FINISHED:
        curves = read_curves(folder / TRIALS / f"{trial.number:04}" / HISTORY, most)
    elif trial.curve:
        # What a pruner has seen: the first epochs at which a fraction of them was over.
        epochs = facts.epochs(trial)
        reached = [min(-(-rung * epochs // RUNGS), trial.epochs) for rung in trial.curve]
        curves = {VALIDATION_LOSS: Curve(reached, list(trial.curve.values()))}
    return RunRecord(
        f"trial {trial.number}",
        trial.state,
        trial.message,
        trial=trial.number,
        figure=trial.figure,
        settings=trial.settings,
        curves=curves,
    )


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

    def has_loss_of(self, run: SavedRun) -> bool:
        """Return whether the losses of a run can be compared with those of the spec as written, as trials' are."""
        return have_one_loss([loss_in_words(self.identity.spec), run.loss])

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


def _text(path: Path) -> str:
    with file_errors(path):
        return read_file(path, LARGEST_RECORD).decode("utf-8-sig", errors="replace")
