"""The folders of several runs: on folds or with seeds, or a sweep for each fold; the search for runs in any folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from specnet.errors import FileError, SpecnetError
from specnet.files import PathLike, file_errors, is_temporary
from specnet.files.locks import LOCK_NAME
from specnet.files.plain_data import checked
from specnet.files.tensors import parse_object
from specnet.number_texts import count, counted
from specnet.parts.splits import SPLITS
from specnet.run_files import (
    BEGUN_FILES,
    BEST,
    NESTED,
    RESOLVED,
    RUN,
    RUNS_TABLE,
    SERIES,
    SUMMARY,
    SWEEP,
    by_numbers,
    holds_trials,
    kind_of,
    parts_of,
    seed_and_fold,
    written_spec,
)
from specnet.saved.expectations_file import JudgedExpectation, over_runs, read_expectations
from specnet.saved.metrics_file import Metrics, Summary, read_csv, summarized
from specnet.saved.saved_folder import BROKEN, FINISHED, UNFINISHED, SavedFolder
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_sweep import SavedSweep


@dataclass(frozen=True)
class RepeatedRun:
    """One of several runs of a spec: a row of ``runs.csv``.

    Attributes
    ----------
    name : str
        The name of the run's folder.
    seed, fold : int or None
        The seed and the fold of the run, if runs of the series differ in them.
    state : str
        ``finished``; ``diverged`` if its loss was not finite, ``refused`` after any other error, ``unfinished`` if the
        series was interrupted before.
    message : str
        The reason why it has not finished.
    metrics : dict
        The metrics by split and name.
    epochs : int
    seconds : float
    expectations : sequence of JudgedExpectation
        The contents of its ``expectations.json``.
    """

    name: str
    seed: int | None
    fold: int | None
    state: str
    message: str
    metrics: Metrics
    epochs: int
    seconds: float = field(compare=False)
    expectations: Sequence[JudgedExpectation] = field(default=(), compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the run as plain data."""
        return asdict(self)


def read_runs(folder: Path) -> list[RepeatedRun]:
    """Return the runs in the rows of ``runs.csv``.

    Raises
    ------
    FileError
        If the file cannot be read or is invalid.
    """
    return read_csv(folder / RUNS_TABLE, "table of runs", _run)


def _run(row: Mapping[str, str]) -> RepeatedRun:
    metrics: Metrics = {}
    for column, cell in row.items():
        split, dot, name = column.partition(".")
        if dot and split in SPLITS and cell:
            metrics.setdefault(split, {})[name] = float(cell)
    if Path(row["run"]).name != row["run"]:
        raise ValueError(f"{row['run']!r} is not the name of a folder")
    seed, fold = (int(row[name]) if row[name] else None for name in ("seed", "fold"))
    ended = row["state"], row["message"], metrics, int(row["epochs"]), float(row.get("seconds") or 0)
    return RepeatedRun(row["run"], seed, fold, *ended)


def read_summary(folder: Path, *, has_finished: bool) -> Summary:
    """Return the contents of ``summary.json``; if a run `has_finished`, it must have metrics.

    Raises
    ------
    FileError
        If the file cannot be read or is invalid.
    """

    def found(content: bytes) -> Summary:
        record = parse_object(content, "the summary of the runs")
        summary = checked(TypeAdapter(Summary).validate_python, record, "the summary of runs is")
        if has_finished and not (summary and all(summary.values())):
            raise FileError("the summary of runs has no metrics of those that have finished")
        return summary

    return SavedFolder(folder).read(SUMMARY, found)


class SeriesRun(SavedRun):
    """A run of a series; state and metrics come from the table of the series, not from the run's own folder.

    Parameters and attributes are those of `SavedRun`.

    Attributes
    ----------
    seed, fold : int or None
        The seed and the fold of the run, if runs of the series differ in them.
    sweep : SavedSweep or None
        The sweep, if this is the run of its best trial.
    """

    seed: int | None = None
    fold: int | None = None
    sweep: SavedSweep | None = None

    @classmethod
    def of_row(cls, folder: Path, row: RepeatedRun) -> SeriesRun:
        """Return the run of a row of ``runs.csv`` in a folder."""
        run = cls(folder / row.name, row.name)
        run.seed, run.fold, run.state, run.message = row.seed, row.fold, row.state, row.message
        run.metrics, run.epochs = row.metrics, row.epochs or None
        return run

    @classmethod
    def of_sweep(cls, folder: Path) -> SeriesRun:
        """Return the run of the best trial of a fold's sweep, with the metrics of its team; it may not have begun."""
        sweep = SavedSweep(folder)
        run = cls(folder / BEST, folder.name)
        (run.seed, run.fold), run.message = seed_and_fold(folder.name) or (None, None), ""
        if kind_of(folder) is not SWEEP or sweep.best_trial is None or not sweep.has_run:
            run.state, run.metrics, run.epochs = UNFINISHED, {}, None
        else:
            run.state, run.sweep = FINISHED, sweep
            run.metrics = run.evaluation.metrics if sweep.team is None else sweep.team.evaluation.metrics
        return run

    @property
    def own_folder(self) -> Path:
        """The folder of the series that contains this run and its page: the run's or the sweep's."""
        return self.path if self.path.name != BEST else self.path.parent

    @property
    def judged_folder(self) -> Path:
        """The folder of the model that is judged: of the run, or of the team of a sweep that has one."""
        team = None if self.sweep is None else self.sweep.team
        return self.path if team is None else team.path

    @cached_property
    def expectations(self) -> Sequence[JudgedExpectation]:
        return read_expectations(self.judged_folder)

    @property
    def baselines(self) -> Mapping[str, Mapping[str, Mapping[str, float | None]]]:
        """The metrics of baselines by name; empty if the run has not finished."""
        return self.evaluation.baselines if self.state == FINISHED else {}

    def baseline(self, baseline: str, split: str, name: str) -> float | None:
        """Return a metric of a baseline, or None if the run does not have it."""
        return self.baselines.get(baseline, {}).get(split, {}).get(name)


class SavedSeries(SavedFolder):
    """The folder of runs on folds or with seeds, or of a sweep for each fold; metrics are means over the runs.

    Parameters and attributes are those of `SavedFolder`.

    Attributes
    ----------
    inner : sequence of SavedFolder
        The folders of the runs or sweeps.
    """

    def __init__(self, path: Path, name: str | None = None, inner: Sequence[SavedFolder] = ()) -> None:
        super().__init__(path, name)
        self.inner = inner

    @cached_property
    def shown(self) -> list[SeriesRun]:
        """The runs that the page of the series shows."""
        if kind_of(self.path) is SERIES:
            return [SeriesRun.of_row(self.path, row) for row in read_runs(self.path)]
        found = {path.name: path for path in parts_of(self.path, NESTED) if kind_of(path) is SWEEP}
        folds = [f"fold{fold}" for fold in range(_folds(next(iter(found.values()))))] if found else []
        paths = {name: self.path / name for name in folds} | found
        return [SeriesRun.of_sweep(paths[name]) for name in sorted(paths, key=by_numbers)]

    @cached_property
    def first(self) -> SeriesRun | None:
        """The first run that has finished, or None."""
        return next((run for run in self.shown if run.state == FINISHED), None)

    @property
    def baselines(self) -> dict[str, Summary]:
        """The mean metrics of baselines over the runs, by name of the baseline."""
        found = [run.baselines for run in self.shown]
        names = dict.fromkeys(name for each in found for name in each)
        return {name: summarized([each[name] for each in found if name in each]) for name in names}

    @property
    def title(self) -> str:
        """The name in the spec of the runs; empty if no run has finished."""
        if self.first is None:
            return ""
        spec = self.first.read(RESOLVED, lambda content: parse_object(content, "the spec"))
        return str(spec.get("name") or "unnamed")

    @property
    def command(self) -> str:
        """The command that repeats the first finished run, in this folder; empty if no run has finished."""
        first = self.first
        if first is None:
            return ""
        spec = written_spec(first.path) if first.sweep is None else first.sweep.best_spec
        return "" if spec is None else f"specnet run {spec.relative_to(self.path).as_posix()}"

    def conditions(self) -> Iterator[tuple[str, str]]:
        """Yield name and value of each condition that repeating the runs depends on."""
        if self.first is not None:
            facts = self.first.facts
            versions = facts.get("versions")
            if isinstance(versions, Mapping):
                yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
            yield "threads", str(facts.get("threads", ""))
            yield "SHA-256 of the data", str(facts.get("data_sha256", ""))

    @property
    def searched_by(self) -> str:
        """The metric of validation rows by which sweeps compare their trials; empty without sweeps."""
        first = self.first
        return "" if first is None or first.sweep is None else first.sweep.facts.metric.removeprefix("validation_")

    @cached_property
    def summary(self) -> Summary:
        """The contents of ``summary.json``."""
        return read_summary(self.path, has_finished=any(run.state == FINISHED for run in self.shown))

    @property
    def _is_locked(self) -> bool:
        return (self.path / LOCK_NAME).is_file()

    @cached_property
    def _states(self) -> Mapping[str, str]:
        """The state of each planned run by name; of its folder, if it has one."""
        return {each.name: each.state for each in (*self.shown, *self.inner)}

    @cached_property
    def state(self) -> str:
        others = [state for state in self._states.values() if state != FINISHED]
        return UNFINISHED if self._is_locked or UNFINISHED in others else next(iter(others), FINISHED)

    @cached_property
    def message(self) -> str:
        number = [*self._states.values()].count(self.state)
        return f"{count(number)} of {counted(len(self._states), 'run')}" if number and self.state != FINISHED else ""

    @cached_property
    def metrics(self) -> Mapping[str, Mapping[str, float | None]]:
        return {split: {name: each["mean"] for name, each in of.items()} for split, of in self.summary.items()}

    @cached_property
    def deviations(self) -> Mapping[str, Mapping[str, float | None]]:
        return {split: {name: each["std"] for name, each in of.items()} for split, of in self.summary.items()}

    @cached_property
    def seconds(self) -> float | None:
        known = [each.seconds for each in self.inner if each.seconds is not None]
        return sum(known) if known else None

    @cached_property
    def codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(code for each in self.inner for code in each.codes))

    @cached_property
    def expectations(self) -> Sequence[JudgedExpectation]:
        return over_runs([run.expectations for run in self.shown if run.state == FINISHED])

    @cached_property
    def tested_on(self) -> Mapping[str, Any]:
        rows = next((each.tested_on for each in self.inner if each.tested_on), {})
        return {name: value for name, value in rows.items() if name != "fold"}

    @cached_property
    def loss(self) -> str:
        losses = {each.loss for each in self.inner}
        return losses.pop() if len(losses) == 1 else ""

    @cached_property
    def runs(self) -> int | None:
        return len(self._states)


def _folds(sweep: Path) -> int:
    """Return the number of folds for testing that the sweep of one of them was made for; 0 if unknown."""
    found: Any = SavedSweep(sweep).record
    for key in ("identity", "spec", "data", "split", "folds"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, int) else 0


MAX_DEPTH = 3
"""The maximum depth of the search: from the folder that contains ``runs``, ``runs/<name>/<number>`` is found."""
_KINDS = (RUN, SWEEP, SERIES, NESTED)


def find_runs(folder: PathLike) -> list[Path]:
    """Return the folders of runs in and below a folder, sorted by name, with numbers by size.

    A sweep counts as one run. Runs on folds or with seeds also count as one, unless `folder` is their folder. Links to
    folders are not followed.

    Raises
    ------
    FileError
        If `folder` does not exist or is a file.
    """
    top = Path(folder)
    with file_errors(top):
        if not top.is_dir():
            message = "is a file; expected a folder of runs" if top.exists() else "no such folder"
            raise FileError(message, source=str(top))
        os.listdir(top)  # raises if reading is not permitted
    found = _runs_in(top, MAX_DEPTH) if kind_of(top) in (SERIES, NESTED) else _runs_below(top, MAX_DEPTH)
    return sorted(found, key=lambda run: by_numbers(run.relative_to(top).as_posix()))


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder if it has results of a run or of several; otherwise yield such folders below it."""
    try:
        names = set(os.listdir(folder))
    except OSError:
        return
    if kind_of(folder) in _KINDS or names & {*BEGUN_FILES, LOCK_NAME}:
        yield folder
    elif depth and not holds_trials(folder):
        yield from _runs_in(folder, depth)


def _runs_in(folder: Path, depth: int) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False) and not is_temporary(entry.name):
            yield from _runs_below(folder / entry.name, depth - 1)


def saved_in(folder: Path, name: str | None = None) -> SavedFolder:
    """Return the results in a folder of any kind; if files cannot be read, its state is broken, with the reason."""
    kind = kind_of(folder)
    try:
        if kind is RUN:
            saved: SavedFolder = SavedRun(folder, name)
        elif kind is SWEEP:
            saved = SavedSweep(folder, name)
        elif kind is SERIES or kind is NESTED:
            saved = SavedSeries(folder, name, [saved_in(run, run.name) for run in find_runs(folder)])
        else:
            saved = SavedFolder(folder, name)
        saved.row()
    except (SpecnetError, OSError) as error:
        saved = SavedFolder(folder, name)
        saved.state, saved.message = BROKEN, _problem(error, folder)
    return saved


def _problem(error: Exception, folder: Path) -> str:
    if not isinstance(error, SpecnetError):
        return str(error)
    diagnostic = error.diagnostics[0]
    file = Path(diagnostic.source).name if diagnostic.source else ""
    return f"{file}: {diagnostic.message}" if file and file != folder.name else diagnostic.message


def runs_for(folder: Path) -> list[Path]:
    """Return the folders of runs that a folder stands for: itself, runs on folds or with seeds, or a sweep's best run.

    Raises
    ------
    FileError
        If the folder is of folds or seeds, and none of its runs has finished.
    """
    kind = kind_of(folder)
    if kind is SWEEP:
        return [folder / BEST]
    if kind is not SERIES and kind is not NESTED:
        return [folder]
    runs = [path / BEST if kind is NESTED else path for path in parts_of(folder, kind)]
    found = [run for run in runs if kind_of(run) is RUN]
    if not found:
        raise FileError("none of the runs in this folder has finished", source=str(folder))
    return found
