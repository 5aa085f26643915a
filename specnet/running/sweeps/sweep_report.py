"""The pages of a sweep and of a sweep for each fold, collected from their folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from specnet.errors import FileError
from specnet.files import file_errors, read_file, write_file
from specnet.files.run_files import FACTS, HISTORY, LARGEST_RECORD, REPORT, by_numbers, written_spec
from specnet.files.series_files import BEST, BEST_SPECS, SWEEP_FACTS, TRIALS, is_sweep
from specnet.number_texts import counted
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.report.pages.series_page import series_page
from specnet.report.pages.series_record import FoldSearch, SeriesRecord, SeriesRun
from specnet.report.pages.sweep_charts import Dimension, Ranking, SweptTrial, points_of_each, shown_setting
from specnet.report.pages.sweep_page import SweepRecord, sweep_page
from specnet.report.svg.overlays import MOST_POINTS, Curve
from specnet.report.terminal.run_table import FINISHED
from specnet.running.many.run_curves import read_curves
from specnet.running.many.series_report import read_summary, run_facts, run_name
from specnet.running.run_folder import RunFolder
from specnet.running.sweeps.space import dimensions
from specnet.running.sweeps.sweep_folder import IDENTITY, read_facts
from specnet.running.sweeps.trial_records import Trial, best_trial, read_trial
from specnet.running.sweeps.trials import RUNGS
from specnet.spec.sweep_section import Range, Space


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
    write_file(path, series_page(nested_record(folder)).encode())
    return path


def sweep_record(folder: Path) -> SweepRecord:
    """Return what the folder of a sweep says.

    Raises
    ------
    FileError
    """
    facts = _Facts(folder)
    trials = read_trials(folder, facts.planned)
    searched = list(facts.dimensions())
    for trial in trials:
        _check(trial, searched, folder)
    most = points_of_each(len(trials))
    swept = [_swept(trial, folder, facts, most) for trial in trials]
    best = folder / BEST
    has_run = (best / FACTS).is_file()
    spec = next((folder / name for name in BEST_SPECS if (folder / name).is_file()), None)
    written = written_spec(folder)
    return SweepRecord(
        name=facts.name,
        ranking=Ranking(swept, facts.metric, facts.larger_is_better),
        planned=facts.planned,
        dimensions=searched,
        sampler=facts.sampler(),
        several=facts.several(),
        evaluation=RunFolder(best).evaluation().record() if has_run else None,
        spec_name="" if spec is None else spec.name,
        spec="" if spec is None else _text(spec),
        written="" if written is None else _text(written),
        has_report=(best / REPORT).is_file(),
        facts=list(facts.rows()),
    )


def nested_record(folder: Path) -> SeriesRecord:
    """Return what a folder with a sweep for each fold says.

    Raises
    ------
    FileError
    """
    with file_errors(folder):
        names = sorted((path.name for path in folder.iterdir() if is_sweep(path)), key=by_numbers)
    runs = [_fold(folder / name, place) for place, name in enumerate(names)]
    first = next((folder / run.name for run in runs if run.state == FINISHED), None)
    if first is None:
        return SeriesRecord("", runs, read_summary(folder))
    spec = next(name for name in BEST_SPECS if (first / name).is_file())
    facts = list(run_facts(first / BEST))
    return SeriesRecord(run_name(first / BEST), runs, read_summary(folder), f"specnet run {first.name}/{spec}", facts)


def _fold(folder: Path, fold: int) -> SeriesRun:
    """Return the best run of a fold's sweep."""
    facts = _Facts(folder)
    trials = read_trials(folder, facts.planned)
    best = best_trial(trials, facts.larger_is_better)
    run = folder / BEST
    if best is None or best.figure is None or not (run / FACTS).is_file():
        return SeriesRun(folder.name, None, fold, "unfinished")
    settings = {name: shown_setting(value) for name, value in best.settings.items()}
    name = facts.metric.removeprefix("validation_")
    search = FoldSearch(f"{folder.name}/{REPORT}", best.number, len(trials), name, best.figure, settings)
    of_run = RunFolder(run)
    return SeriesRun(
        folder.name,
        None,
        fold,
        metrics=of_run.evaluation().metrics,
        epochs=of_run.facts().get("epochs"),
        curves=read_curves(run / HISTORY, MOST_POINTS),
        search=search,
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


def _check(trial: Trial, searched: Sequence[Dimension], folder: Path) -> None:
    """Refuse a trial that cannot have been drawn from the space of the sweep."""
    for name, choices, _ in searched:
        value = trial.settings.get(name)
        is_fine = value in choices if choices else isinstance(value, int | float)
        if value is not None and not is_fine:
            message = f"not a valid record of a trial: {name} cannot be {value!r}"
            raise FileError(message, source=str(folder / TRIALS / f"{trial.number:04}" / FACTS))


def _swept(trial: Trial, folder: Path, facts: _Facts, most: int) -> SweptTrial:
    curve = None
    if trial.state == FINISHED:
        curve = read_curves(folder / TRIALS / f"{trial.number:04}" / HISTORY, most).get(VALIDATION_LOSS)
    elif trial.curve:
        # What a pruner has seen: the first epochs at which a fraction of them was over.
        epochs = facts.epochs(trial)
        reached = [min(-(-rung * epochs // RUNGS), trial.epochs) for rung in trial.curve]
        curve = Curve(reached, list(trial.curve.values()))
    return SweptTrial(trial.number, trial.state, trial.figure, trial.message, trial.settings, curve)


class _Facts:
    """What ``sweep.json`` says."""

    def __init__(self, folder: Path) -> None:
        facts = read_facts(folder)
        with file_errors(folder / SWEEP_FACTS):
            try:
                identity = facts[IDENTITY]
                self._sweep: Mapping[str, Any] = identity["sweep"]
                self._spec: Mapping[str, Any] = identity["spec"]
                self._data = str(identity["data_sha256"])
                self.name = str(facts["name"] or "unnamed")
                self.metric = str(facts["metric"])
                self.larger_is_better = bool(facts["larger_is_better"])
                self.planned = int(facts["trials"])
                self._versions: Mapping[str, Any] = dict(facts["versions"])
                self._threads = facts["threads"]
                self._space: Space = TypeAdapter(Space).validate_python(self._sweep["space"])
            except ValidationError as error:
                raise FileError(f"not a valid record of a sweep: {error.errors()[0]['msg']}") from error
            except KeyError as error:
                raise FileError(f"not a valid record of a sweep: {error} is missing") from error
            except (TypeError, ValueError) as error:
                raise FileError(f"not a valid record of a sweep: {error}") from error

    def dimensions(self) -> Iterator[Dimension]:
        """Yield the searched keys."""
        for name, entry in dimensions(self._space).items():
            yield Dimension(name, log=entry.log) if isinstance(entry, Range) else Dimension(name, entry)

    def epochs(self, trial: Trial) -> int:
        """Return how many epochs a trial would have had."""
        epochs = trial.settings.get("training.epochs", self._spec.get("training", {}).get("epochs", trial.epochs))
        return int(epochs)

    def sampler(self) -> str:
        """Return the name of the sampler, with that of the pruner."""
        names = [self._sweep.get(kind) for kind in ("sampler", "pruner")]
        return ", ".join(str(part["type"]) for part in names if isinstance(part, Mapping) and "type" in part)

    def several(self) -> str:
        """Return what a figure is the mean over."""
        folds, seeds = self._sweep.get("folds"), self._sweep.get("seeds", 1)
        told = [counted(folds, "fold")] if isinstance(folds, int) else []
        return " and ".join([*told, counted(seeds, "seed")] if isinstance(seeds, int) and seeds > 1 else told)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield what it takes to do the sweep again, by name."""
        yield "versions", ", ".join(f"{name} {version}" for name, version in self._versions.items())
        yield "threads", str(self._threads)
        seed = self._sweep.get("seed")
        yield "seed of the sampler", str(self._spec.get("seed", "") if seed is None else seed)
        yield "trials at once", str(self._sweep.get("parallel", ""))
        yield "SHA-256 of the data", self._data


def _text(path: Path) -> str:
    with file_errors(path):
        return read_file(path, LARGEST_RECORD).decode("utf-8-sig", errors="replace")
