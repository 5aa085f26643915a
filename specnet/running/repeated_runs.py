"""A series: runs of one spec on several folds and with several seeds, with a table, a summary and a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specnet.compiler.thread_limits import limited_threads
from specnet.data import load_table, split_rows
from specnet.data.target_errors import parsed_for_target
from specnet.errors import DataError, Position, SpecError, TrainingError
from specnet.errors import Path as DocumentPath
from specnet.files import PathLike, read_file, write_files
from specnet.files.atomic import remove_temporary_folders, write_folder
from specnet.files.interruptions import Interruptions
from specnet.files.plain_data import json_text, with_hashes
from specnet.number_texts import count, counted, duration
from specnet.parts.data import Table
from specnet.parts.data.base import FoldPart
from specnet.parts.part import Part
from specnet.report.terminal.run_progress import SeriesProgress, shown_series
from specnet.report.terminal.scores import scores_line
from specnet.run_files import FACTS, LARGEST_RECORD, RUNS_TABLE, SERIES, SUMMARY, clear, seed_and_fold
from specnet.running.data_rows import data_hash, split_data, split_errors_at
from specnet.running.folder_pages import attempted, remove_report, write_page
from specnet.running.run_folder import RunFolder, other_run, reserved
from specnet.running.runner import RunInterrupted, check_count, check_resume, judge_again
from specnet.running.training_run import RunOutcome
from specnet.running.workers import THREADS, Task, TaskGroup, Workers
from specnet.saved.expectations_file import JudgedExpectation, over_runs
from specnet.saved.metrics_file import Summary, cells_of, columns_of, csv_text, summarized
from specnet.saved.saved_folder import FINISHED, UNFINISHED
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_series import RepeatedRun
from specnet.spec import Limits, Spec, SpecSource, parse_spec, with_engine
from specnet.spec.file_paths import input_files
from specnet.spec.parsing import document_saying
from specnet.spec.reading.reader import document_of, with_change
from specnet.spec.reading.source_document import Document, Override, SourceText
from specnet.spec.spec_writing import Change, SpecWriter, Written
from specnet.training import Observer
from specnet.training.observer import check_observer

SPLIT: DocumentPath = ("data", "split")


@dataclass(frozen=True)
class Repetition:
    """One of many runs of a spec.

    Attributes
    ----------
    name : str
        Name of its folder, such as ``seed1_fold0``.
    seed, fold : int or None
        Seed and fold of the run, if runs differ in them.
    changes : tuple of Change
        Changes of the spec.
    """

    name: str
    seed: int | None
    fold: int | None
    changes: tuple[Change, ...]


def repetition_named(name: str) -> Repetition | None:
    """Return the repetition with a folder name, with its changes relative to its series; None for any other name."""
    found = seed_and_fold(name)
    if found is None:
        return None
    seed, fold = found
    changes = [Change(("seed",), seed)] if seed is not None else []
    changes += [Change((*SPLIT, "fold"), fold)] if fold is not None else []
    return Repetition(name, seed, fold, tuple(changes))


def repetitions(spec: Spec, folds: int | None, seeds: int | None, part: FoldPart = "test") -> tuple[Repetition, ...]:
    """Return the runs of a spec on `folds` folds and with `seeds` seeds: every seed on every fold.

    Seeds affect only training. The data and their split also depend on the spec's seed, so their random states are
    written out.

    Parameters
    ----------
    spec : Spec
    folds : int, optional
        Number of folds. Each is the test or the validation set once, instead of a set by size.
    seeds : int, optional
        Number of seeds, starting from the spec's seed.
    part : "test" or "validation"

    Raises
    ------
    SpecError
        If the spec's data cannot be split into folds.
    DataError
        If the spec already holds out a fold.
    """
    if folds is not None and spec.data is not None and spec.data.split.folds is not None:
        message = "the spec holds out a fold already"
        raise DataError(spec.diagnostic("split", message, (*SPLIT, "folds"), hint="remove data.split.folds"))
    found = []
    for seed in (None,) if seeds is None else range(spec.seed, spec.seed + seeds):
        for fold in (None,) if folds is None else range(folds):
            seeded = [] if seed is None else [*_data_changes(spec), Change(("seed",), seed)]
            folded = [] if fold is None or folds is None else list(_folded(spec, folds, fold, part))
            names = ([] if seed is None else [f"seed{seed}"]) + ([] if fold is None else [f"fold{fold}"])
            found.append(Repetition("_".join(names), seed, fold, (*seeded, *folded)))
    if found[0].changes:
        _parsed(spec, found[0], folds, seeds, part)
    return tuple(found)


def check_rows_of(
    spec: Spec, planned: Sequence[Repetition], table: Table, folds: int | None, part: FoldPart = "test"
) -> None:
    """Check that there are enough rows for the folds; parameters as for `repetitions`.

    Raises
    ------
    DataError
        If there are too few.
    """
    if folds is not None:
        first = _parsed(spec, planned[0], folds, None, part)
        assert first.data is not None, "there is a table"
        with split_errors_at(first):
            split_rows(table, first.data.split, first.seed, first.training.ensemble)


def _parsed(spec: Spec, each: Repetition, folds: int | None, seeds: int | None, part: FoldPart) -> Spec:
    options = ("--folds", "--seeds") if part == "test" else ("sweep.folds", "sweep.seeds")
    given = dict(zip(options, (folds, seeds), strict=True))
    source = " ".join(f"{option} {number}" for option, number in given.items() if number is not None)
    document = changed(document_saying(spec), each.changes, source)
    return parse_spec(document, parts=spec.registry, limits=spec.origin.limits)


def changed(document: Document, changes: Iterable[Change], source: str) -> Document:
    """Return a document with changes; errors about the changes have `source` as their location."""
    data, text, overrides = document.data, SourceText(source, source), []
    whole = Position(1, 1, max(1, len(source)))
    for change in changes:
        data, path = with_change(data, list(map(str, change.path)), change.value, change.removed)
        overrides.append(Override(text, path, (whole,) * len(path), whole, change.removed))
    return replace(document, data=data, overrides=(*document.overrides, *overrides))


def _data_changes(spec: Spec) -> Iterator[Change]:
    """Yield changes that set the random states of data and split, if the spec derives them from its seed."""
    data = spec.data
    if data is None:
        return
    resolved = data.with_defaults(spec.seed, spec.target_kind)
    if "random_state" in type(data).model_fields:
        yield from _written_out(data, resolved, ("data", "random_state"))
    if data.split.draws_rows:
        yield from _written_out(data.split, resolved.split, (*SPLIT, "random_state"))


def _written_out(given: Any, resolved: Any, path: DocumentPath) -> Iterator[Change]:
    if given.random_state is None:
        yield Change(path, resolved.random_state)


def _folded(spec: Spec, folds: int, fold: int, part: FoldPart) -> Iterator[Change]:
    split = _document_table(spec, SPLIT)
    if f"{part}_size" in split:
        yield Change((*SPLIT, f"{part}_size"), removed=True)
    yield Change((*SPLIT, "folds"), folds)
    yield Change((*SPLIT, "fold"), fold)
    if part != "test":
        yield Change((*SPLIT, "fold_part"), part)


def _document_table(spec: Spec, path: DocumentPath) -> Mapping[str, Any]:
    table: Any = document_saying(spec).data
    for step in path:
        table = table.get(step, {}) if isinstance(table, Mapping) else {}
    return table if isinstance(table, Mapping) else {}


@dataclass(frozen=True)
class RepeatedResult:
    """The result of many runs of a spec.

    Attributes
    ----------
    runs : tuple of RepeatedRun
        In order of seeds, then folds.
    summary : dict
        By split and metric: ``mean``, ``std`` with n − 1, ``min``, ``max`` and the number of ``runs``.
    folder : Path or None
        Folder of the runs; None if nothing was saved.
    """

    runs: tuple[RepeatedRun, ...]
    summary: Summary
    folder: Path | None

    @property
    def expectations(self) -> list[JudgedExpectation]:
        """The outcome of each expectation of the spec over the finished runs, with the number of runs that meet it."""
        return over_runs([run.expectations for run in self.runs if run.state == FINISHED])

    @property
    def failure(self) -> TrainingError:
        """The error of the runs that have not finished."""
        problems = [f"{run.name}: {run.state}: {run.message}" for run in self.failed]
        return TrainingError(*problems, source=None if self.folder is None else str(self.folder))

    @property
    def failed(self) -> tuple[RepeatedRun, ...]:
        """The runs that have not finished."""
        return tuple(run for run in self.runs if run.state != FINISHED)


def run_many(
    spec: SpecSource | Spec,
    out: PathLike | None = None,
    *,
    folds: int | None = None,
    seeds: int | None = None,
    jobs: int | None = None,
    executor: Executor | None = None,
    force: bool = False,
    resume: bool = False,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    engine: str | None = None,
    limits: Limits | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
    rows: bool = True,
) -> RepeatedResult:
    """Train and evaluate the network of a spec many times: on each fold of its data, with several seeds, or both.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
    out : path, optional
        The folder to write: a run's folder for each run, ``runs.csv``, ``summary.json`` and ``report.html``. Nothing is
        written if None.
    folds : int, optional
        Number of folds. Each is the test set once, so that every row is tested once.
    seeds : int, optional
        Number of seeds, starting from the spec's seed. The data and their split are the same for all seeds.
    jobs : int, optional
        Number of processes. They are started only if the remaining runs would take more than ten seconds in this
        process. Default: the number of physical cores.
    executor : concurrent.futures.Executor, optional
        Computes the runs, instead of processes that `run_many` starts.
    force : bool
        Overwrite the runs of an earlier call in `out`.
    resume : bool
        Keep the finished runs in `out`, and compute the missing ones.
    parts, overrides, engine, limits : optional
        As for `run`. With several jobs, custom parts must be defined at the top level of a module.
    observer : Observer, optional
        Receives the warnings; only its method `warned` is called. Without it, each warning is a `SpecnetWarning`.
    verbose : bool
        Show the progress on standard error.
    report : bool
        Write ``report.html``.
    rows : bool
        As for `run`.

    Returns
    -------
    RepeatedResult
        All runs, and a summary of their metrics.

    Raises
    ------
    SpecError, DataError, FileError, TakenError
        As `run` does, before the first run. An error of a single run ends only that run.
    TrainingError
        If a worker was killed.

    Notes
    -----
    Each run has one thread for BLAS and compiled functions. Its files are therefore the same for any number of jobs and
    any executor, except ``run.json`` and seconds.
    """
    if folds is None and seeds is None:
        raise DataError("folds or seeds must be given", hint="use run for a single run")
    check_resume(out, force=force, resume=resume)
    check_observer(observer)
    check_count("folds", folds)
    check_count("seeds", seeds)
    check_count("jobs", jobs)
    parsed = parsed_for_target(spec, load_table, parts=parts, overrides=with_engine(overrides, engine), limits=limits)
    planned = repetitions(parsed, folds, seeds)
    with ExitStack() as stack:
        folder = None
        if out is not None:
            names = [f"{each.name}/{FACTS}" for each in planned]
            folder = stack.enter_context(reserved(out, SERIES, names, input_files(parsed), force=force, resume=resume))
            remove_temporary_folders(folder)
        stack.enter_context(Interruptions(terminates=True))
        progress = stack.enter_context(shown_series(verbose, len(planned), "run", observer=observer))
        table = load_table(parsed)
        check_rows_of(parsed, planned, table, folds)
        if folder is not None and force:
            clear(folder, SERIES)
        elif folder is not None:
            remove_report(folder)
        series = _Series(parsed, planned, table, folder, progress, resumes=resume, rows=rows)
        try:
            with Workers(table, jobs=jobs, executor=executor) as workers:
                series.run(workers)
        except KeyboardInterrupt as cause:
            if folder is None:
                raise
            series.write_tables()
            end = f"{count(len(series.runs))} of {counted(len(planned), 'run')} are done"
            raise RunInterrupted(cause, end, folder, finished=False) from None
        if folder is not None and report:
            progress.warned(attempted(write_page, folder))
        return RepeatedResult(series.runs, series.summary, folder)


class _Series:
    """The planned and the completed runs of a series."""

    def __init__(
        self,
        parsed: Spec,
        planned: Sequence[Repetition],
        table: Table,
        folder: Path | None,
        progress: SeriesProgress,
        *,
        resumes: bool,
        rows: bool,
    ) -> None:
        self._planned, self._folder, self._progress, self._resumes = planned, folder, progress, resumes
        self._document = document_saying(parsed)
        self._writer = SpecWriter(self._document, parsed.registry)
        self._parsed, self._table, self._sha256, self._rows = parsed, table, data_hash(table), rows
        self._texts: dict[Repetition, Written] = {}
        self._done: dict[Repetition, RepeatedRun] = {}

    @property
    def runs(self) -> tuple[RepeatedRun, ...]:
        """The completed runs, in the order of the plan."""
        return tuple(self._done[each] for each in self._planned if each in self._done)

    @property
    def summary(self) -> Summary:
        """The summary of the metrics of finished runs."""
        return summarized([run.metrics for run in self.runs if run.state == FINISHED])

    def run(self, workers: Workers) -> None:
        """Compute the runs that are not finished in the folder yet."""
        for each in self._planned if self._resumes else ():
            if (run := self._finished(each)) is not None:
                self._done[each] = run
        if self._done:
            self.write_tables()
        self._progress.resumed(len(self._done))
        left = [each for each in self._planned if each not in self._done]
        for group in workers.computed(TaskGroup(each, [self._task(each)]) for each in left):
            self._end(group.key, *group.outcomes)

    def _task(self, each: Repetition) -> Task:
        """Return the task of a run; if runs are saved, its document has paths relative to the run's folder."""
        if self._folder is None:
            data, folder = changed(self._document, each.changes, each.name).data, self._parsed.folder
        else:
            data, folder = self._written(each).data, self._folder / each.name
        return Task.of(data, self._parsed, self._sha256, rows=self._rows, folder=folder)

    def _end(self, each: Repetition, outcome: RunOutcome) -> None:
        if self._folder is not None and outcome.state == FINISHED:
            contents = with_hashes({self._spec_name: self._written(each).text, **outcome.files}, FACTS)
            write_folder(self._folder / each.name, contents)
        self._progress.warned(map(self._document.located, outcome.warnings))
        metrics, ended = outcome.metrics, (outcome.epochs, outcome.seconds)
        run = RepeatedRun(
            each.name, each.seed, each.fold, outcome.state, outcome.message, metrics, *ended, outcome.expectations
        )
        self._done[each] = run
        self.write_tables()
        text = f"{run.state}: {run.message}" if run.message else scores_line(metrics)
        self._progress.ended(each.name, text, duration(outcome.seconds))

    def write_tables(self) -> None:
        """Write the table of all planned runs and the summary of the finished ones."""
        if self._folder is not None:
            rows = [self._done.get(each) or _unfinished(each) for each in self._planned]
            write_files({self._folder / name: text for name, text in series_tables(rows).items()})

    @property
    def _spec_name(self) -> str:
        return f"spec.{self._writer.format}"

    def _written(self, each: Repetition) -> Written:
        assert self._folder is not None, "it is written"
        if each not in self._texts:
            self._texts[each] = self._writer.written(each.changes, self._folder / each.name)
        return self._texts[each]

    def _finished(self, each: Repetition) -> RepeatedRun | None:
        """Return a run that has already finished in the folder, or None; other expectations are judged again.

        Raises
        ------
        FileError
            If the folder holds a run of another spec or on other data.
        """
        assert self._folder is not None, "only what was written can be resumed"
        path = self._folder / each.name
        if not (path / FACTS).is_file():
            return None
        run = SavedRun(path, parts=self._parsed.registry.added, limits=self._parsed.origin.limits)
        facts = run.checked_facts(epochs=int, seconds=int | float)
        text, written = self._written(each).text, read_file(path / self._spec_name, LARGEST_RECORD)
        if written != text.encode():
            try:
                document_of(written, str(path / self._spec_name))
            except SpecError:
                raise other_run(path, same_spec=False) from None
            spec, folder = self._task(each).spec(self._table), RunFolder(path, resumes=True)
            data = split_data(spec, self._table)
            if not folder.is_finished(data.identity(self._sha256)):
                return None
            with limited_threads(THREADS):  # as workers compute
                judge_again(folder, spec, run, data, {self._spec_name: text})
        elif facts.get("data_sha256") != self._sha256:
            raise other_run(path, same_spec=True)
        results = run.evaluation.metrics, facts["epochs"], facts["seconds"], run.expectations
        return RepeatedRun(each.name, each.seed, each.fold, FINISHED, "", *results)


def _unfinished(each: Repetition) -> RepeatedRun:
    """Return the row of a run that has not ended, so that the table of an interrupted series has all planned runs."""
    return RepeatedRun(each.name, each.seed, each.fold, UNFINISHED, "", {}, 0, 0.0)


def series_tables(runs: Sequence[RepeatedRun]) -> dict[str, str]:
    """Return the contents of ``runs.csv`` and ``summary.json`` by file name."""
    columns = columns_of([run.metrics for run in runs])
    header = ["run", "seed", "fold", "state", *(f"{split}.{name}" for split, name in columns)]
    rows = [
        [
            *(run.name, run.seed, run.fold, run.state),
            *cells_of(run.metrics, columns),
            *(run.epochs, round(run.seconds, 3), run.message),
        ]
        for run in runs
    ]
    summary = summarized([run.metrics for run in runs if run.state == FINISHED])
    return {
        RUNS_TABLE: csv_text([*header, "epochs", "seconds", "message"], rows),
        SUMMARY: json_text(summary),
    }
