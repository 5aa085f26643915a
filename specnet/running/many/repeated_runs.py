"""Folds and seeds: many ordinary runs of one spec in one folder, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from specnet.data import load_table
from specnet.data.target_errors import parsed_for_target
from specnet.errors import DataError, TrainingError
from specnet.files import PathLike, read_file, write_files
from specnet.files.folders import remove_temporary_folders, write_folder
from specnet.files.interruptions import Interruptions
from specnet.files.plain_data import json_text
from specnet.files.recorded_hashes import with_hashes
from specnet.files.run_files import FACTS, LARGEST_RECORD, RUNS_TABLE, SERIES, SUMMARY, clear
from specnet.number_texts import count, counted, duration
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.report.terminal.run_progress import SeriesProgress, shown_series
from specnet.report.terminal.scores import scores_line
from specnet.running.data_rows import data_hash
from specnet.running.many.repetitions import Repetition, changed, check_rows_of, repetitions
from specnet.running.many.run_tasks import Task
from specnet.running.many.workers import TaskGroup, Workers
from specnet.running.reports.folder_pages import write_page
from specnet.running.reports.run_report import attempted, remove_report
from specnet.running.run_folder import other_run, reserved
from specnet.running.runner import RunInterrupted, check_count, check_resume
from specnet.running.training_run import RunOutcome
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_series import RepeatedRun
from specnet.saved.summary import Summary, cells_of, columns_of, csv_text, summarized
from specnet.spec import Limits, Spec, SpecSource, with_engine
from specnet.spec.file_paths import input_files
from specnet.spec.parsing import document_saying
from specnet.spec.spec_writing import SpecWriter, Written
from specnet.training import Observer
from specnet.training.observer import check_observer


@dataclass(frozen=True)
class RepeatedResult:
    """The result of many runs of a spec.

    Attributes
    ----------
    runs : tuple of RepeatedRun
        In order of seeds, then folds.
    summary : dict
        By part of the split and metric: ``mean``, ``std`` with n − 1, ``min``, ``max`` and the number of ``runs``.
    folder : Path or None
        Where they were written.
    """

    runs: tuple[RepeatedRun, ...]
    summary: Summary
    folder: Path | None

    @property
    def failure(self) -> TrainingError:
        """The error of the runs that have not finished."""
        told = [f"{run.name}: {run.state}: {run.message}" for run in self.failed]
        return TrainingError(*told, source=None if self.folder is None else str(self.folder))

    @property
    def failed(self) -> tuple[RepeatedRun, ...]:
        """The runs that have not finished."""
        return tuple(run for run in self.runs if run.state != "finished")


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
        Number of folds; each of them is the test set once, so that every row is tested once.
    seeds : int, optional
        Number of seeds, from the spec's on. The data and their split stay the same.
    jobs : int, optional
        Number of processes; they are started if what is left would take more than ten seconds in this one. Default: the
        number of physical cores.
    executor : concurrent.futures.Executor, optional
        Computes the runs, in place of processes of its own.
    force : bool
        Overwrite the runs of an earlier call in `out`.
    resume : bool
        Keep the finished runs in `out`, and compute the others.
    parts, overrides, engine, limits : optional
        As for `run`. With several jobs, custom parts must be defined at the top level of a module.
    observer : Observer, optional
        Is told of rows that look as if training made no sense, by `warned` alone; without one these are a
        `SpecnetWarning`.
    verbose : bool
        Show the progress on standard error.
    report : bool
        Write ``report.html``.
    rows : bool
        As for `run`.

    Returns
    -------
    RepeatedResult
        Each run, and what they come to together.

    Raises
    ------
    SpecError, DataError, FileError, TakenError
        As `run` does, before the first run. An error of a single run ends only that run.
    TrainingError
        If a worker was killed.

    Notes
    -----
    Each run has one thread for BLAS and compiled functions: its files are the same for any number of jobs and any
    executor, but for seconds and ``run.json``.
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
        course = _Course(parsed, planned, table, folder, progress, resumes=resume, rows=rows)
        try:
            with Workers(table, jobs=jobs, executor=executor) as workers:
                course.run(workers)
        except KeyboardInterrupt as cause:
            if folder is None:
                raise
            course.write_tables()
            end = f"{count(len(course.runs))} of {counted(len(planned), 'run')} are done"
            raise RunInterrupted(cause, end, folder, finished=False) from None
        if folder is not None and report:
            progress.warned(attempted(write_page, folder))
        return RepeatedResult(course.runs, course.summary, folder)


class _Course:
    """Runs that are planned, and those that are done."""

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
        self._parsed, self._sha256, self._rows = parsed, data_hash(table), rows
        self._texts: dict[Repetition, Written] = {}
        self._done: dict[Repetition, RepeatedRun] = {}

    @property
    def runs(self) -> tuple[RepeatedRun, ...]:
        """Those that are done, in the order in which they were planned."""
        return tuple(self._done[each] for each in self._planned if each in self._done)

    @property
    def summary(self) -> Summary:
        """What those that have finished come to."""
        return summarized([run.metrics for run in self.runs if run.state == "finished"])

    def run(self, workers: Workers) -> None:
        """Compute what is not done yet."""
        for each in self._planned if self._resumes else ():
            if (run := self._kept(each)) is not None:
                self._done[each] = run
        if self._done:
            self.write_tables()
        self._progress.resumed(len(self._done))
        left = [each for each in self._planned if each not in self._done]
        for group in workers.computed(TaskGroup(each, [self._task(each)]) for each in left):
            self._end(group.key, *group.outcomes)

    def _task(self, each: Repetition) -> Task:
        """Return a run, of the document that is written of it, whose paths start in its folder."""
        is_written = self._folder is not None
        data = self._written(each).data if is_written else changed(self._document, each.changes, each.name).data
        return Task.of(data, self._parsed, self._sha256, rows=self._rows)

    def _end(self, each: Repetition, outcome: RunOutcome) -> None:
        if self._folder is not None and outcome.state == "finished":
            contents = with_hashes({self._spec_name: self._written(each).text, **outcome.files}, FACTS)
            write_folder(self._folder / each.name, contents)
        self._progress.warned(map(self._document.located, outcome.warnings))
        metrics, ended = outcome.metrics, (outcome.epochs, outcome.seconds)
        run = RepeatedRun(each.name, each.seed, each.fold, outcome.state, outcome.message, metrics, *ended)
        self._done[each] = run
        self.write_tables()
        told = f"{run.state}: {run.message}" if run.message else scores_line(metrics)
        self._progress.ended(each.name, told, duration(outcome.seconds))

    def write_tables(self) -> None:
        """Write what those that are done come to."""
        if self._folder is not None:
            write_files({self._folder / name: text for name, text in series_tables(self.runs).items()})

    @property
    def _spec_name(self) -> str:
        return f"spec.{self._writer.format}"

    def _written(self, each: Repetition) -> Written:
        assert self._folder is not None, "it is written"
        if each not in self._texts:
            self._texts[each] = self._writer.written(each.changes, self._folder / each.name)
        return self._texts[each]

    def _kept(self, each: Repetition) -> RepeatedRun | None:
        """Return a run that has finished in the folder before, None if there is none.

        Raises
        ------
        FileError
            If it is one of another spec or on other data.
        """
        assert self._folder is not None, "only what was written can be resumed"
        path = self._folder / each.name
        if not (path / FACTS).is_file():
            return None
        run = SavedRun(path)
        facts = run.checked_facts(epochs=int, seconds=int | float)
        written = read_file(path / self._spec_name, LARGEST_RECORD).decode(errors="replace")
        same_spec = written == self._written(each).text
        if not same_spec or facts.get("data_sha256") != self._sha256:
            raise other_run(path, same_spec=same_spec)
        told = run.evaluation.metrics, facts["epochs"], facts["seconds"]
        return RepeatedRun(each.name, each.seed, each.fold, "finished", "", *told)


def series_tables(runs: Sequence[RepeatedRun]) -> dict[str, str]:
    """Return ``runs.csv`` and ``summary.json``."""
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
    summary = summarized([run.metrics for run in runs if run.state == "finished"])
    return {
        RUNS_TABLE: csv_text([*header, "epochs", "seconds", "message"], rows),
        SUMMARY: json_text(summary),
    }
