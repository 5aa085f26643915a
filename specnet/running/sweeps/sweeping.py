"""Sweeps: a search over keys of a spec, which ends with an ordinary run of the best trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from specnet.data import load_table
from specnet.data.suspicious_targets import parsed_for_target
from specnet.errors import DataError, TrainingError
from specnet.files import PathLike, file_errors, refuse_link, write_file
from specnet.files.json_lines import json_text
from specnet.files.run_files import REPORT, WRITTEN
from specnet.files.series_files import BEST, BEST_SPECS, JOURNAL, SUMMARY, SWEEP_FACTS, TRIALS_TABLE
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.processes.interruptions import Interruptions
from specnet.report.terminal.series_progress import SeriesProgress, shown_series
from specnet.running.many.repetitions import changed, check_rows_of, repetitions
from specnet.running.many.run_tasks import THREADS
from specnet.running.many.summary import summarized
from specnet.running.many.workers import Workers, physical_cores
from specnet.running.reports.run_report import attempted, remove_report
from specnet.running.run_folder import RunFolder, reserved
from specnet.running.runner import RunInterrupted, check_count, run_table
from specnet.running.sweeps.coordinator import Coordinator
from specnet.running.sweeps.optuna_calls import required_optuna
from specnet.running.sweeps.space import columns
from specnet.running.sweeps.sweep_folder import SweepFolder
from specnet.running.sweeps.sweep_identity import SweepIdentity
from specnet.running.sweeps.sweep_report import write_nested_report, write_sweep_report
from specnet.running.sweeps.sweep_results import NestedResult, SweepResult
from specnet.running.training_run import BegunRun
from specnet.spec import Limits, Spec, SpecSource, parse_spec
from specnet.spec.parsing import document_saying, text_saying
from specnet.spec.reading.words import counted
from specnet.spec.searching import parse_sweep
from specnet.spec.sweep_section import SweepSpec
from specnet.training import Observer
from specnet.training.observer import check_observer

FILES = (REPORT, *WRITTEN, SWEEP_FACTS, TRIALS_TABLE, *BEST_SPECS, JOURNAL)


def sweep(
    spec: SpecSource | Spec,
    out: PathLike | None = None,
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    trials: int | None = None,
    overrides: Iterable[str] = (),
    resume: bool = False,
    force: bool = False,
    keep_models: bool = False,
    parts: Iterable[type[Part]] = (),
    limits: Limits | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
) -> SweepResult:
    """Search over keys of a spec, as its table ``[sweep]`` says, and run the best trial.

    Trials have no test rows: these are read once, for the best trial, at the end.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
    out : path, optional
        The folder to write; nothing is kept if None.
    jobs : int, optional
        Number of processes; they are started if what is left would take more than ten seconds in this one. Default: the
        number of physical cores.
    executor : concurrent.futures.Executor, optional
        Computes the trials, in place of processes of its own, such as ``client.get_executor()`` of dask or the
        ``MPIPoolExecutor`` of mpi4py.
    trials : int, optional
        Overrides ``sweep.trials``.
    resume : bool
        Keep the trials in `out`, and compute the others.
    force : bool
        Overwrite an earlier sweep in `out`.
    keep_models : bool
        Keep the model of each trial.
    parts, overrides, limits : optional
        As for `run`. With several jobs, custom parts must be defined at the top level of a module.
    observer : Observer, optional
        Is told of rows that look as if training made no sense, by `warned` alone; without one these are a
        `SpecnetWarning`.
    verbose : bool
        Show the progress on standard error.
    report : bool
        Write ``report.html`` into `out` and into the folder of the best run.

    Raises
    ------
    SpecError
        With all mistakes in the spec and in the values that its ``[sweep]`` would try, before the first trial.
    DataError, FileError, TakenError
        As `run` does.
    TrainingError
        If none of the first trials finishes, if a worker was killed, or if Optuna is not installed.
    RunInterrupted
        After Ctrl-C, SIGTERM or SIGHUP; `resume` goes on.

    Notes
    -----
    The trials are the same, byte for byte, for any number of jobs and any executor, and however often the sweep was
    interrupted. Each run has one thread for BLAS and compiled functions.
    """
    parsed = parsed_for_target(_parser(spec, trials, parts=parts, overrides=overrides, limits=limits), load_table)
    options = SweepOptions(jobs, executor, resume, force, keep_models, observer, verbose, report)
    return sweep_parsed(parsed, out, options)


def nested_sweep(
    spec: SpecSource | Spec,
    out: PathLike | None = None,
    *,
    folds: int,
    jobs: int | None = None,
    executor: Executor | None = None,
    trials: int | None = None,
    overrides: Iterable[str] = (),
    resume: bool = False,
    force: bool = False,
    keep_models: bool = False,
    parts: Iterable[type[Part]] = (),
    limits: Limits | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
) -> NestedResult:
    """Search on each of several folds of the rows, and test its best trial on the rows of the fold.

    That tells what the search is worth: each best trial is tested on rows that its search never saw.

    Parameters
    ----------
    folds : int
        Each fold is the test set once, and has a sweep of its own, in ``fold0``, ``fold1``, … of `out`.
    spec, out, jobs, executor, trials, overrides, resume, force, keep_models, parts, limits, observer,
    verbose, report
        As for `sweep`, which raises the same errors.
    """
    parsed = parsed_for_target(_parser(spec, trials, parts=parts, overrides=overrides, limits=limits), load_table)
    options = SweepOptions(jobs, executor, resume, force, keep_models, observer, verbose, report)
    return nested_sweep_parsed(parsed, out, folds, options)


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep is computed and written; the fields are parameters of `sweep`."""

    jobs: int | None = None
    executor: Executor | None = None
    resume: bool = False
    force: bool = False
    keep_models: bool = False
    observer: Observer | None = None
    verbose: bool = False
    report: bool = True

    def checked(self, out: PathLike | None) -> SweepOptions:
        """Return the options for what is written there, without reports if nothing is kept.

        Raises
        ------
        DataError
            If an argument is wrong.
        TrainingError
            If Optuna is not installed.
        """
        if self.resume and (self.force or out is None):
            raise DataError("resume needs out and cannot be combined with force")
        check_count("jobs", self.jobs)
        check_observer(self.observer)
        required_optuna()
        return replace(self, report=self.report and out is not None)


def sweep_parsed(parsed: Spec, out: PathLike | None, options: SweepOptions) -> SweepResult:
    """Search over keys of a spec that `parse_sweep` has returned, as `sweep` does."""
    options = options.checked(out)
    with _place(out, FILES, options) as path, Interruptions(terminates=True):
        table = load_table(parsed)
        count = _sweep_of(parsed).trial_count
        with _workers(table, options) as workers, _shown(options, count) as progress:
            result = OneSweep(parsed, table, path, progress, options).run(workers)
        return result if out is not None else replace(result, folder=None)


def nested_sweep_parsed(parsed: Spec, out: PathLike | None, folds: int, options: SweepOptions) -> NestedResult:
    """Search on each of several folds with a spec that `parse_sweep` has returned, as `nested_sweep` does."""
    options = options.checked(out)
    check_count("folds", folds)
    if _sweep_of(parsed).folds is not None:
        hint = "set data.split.validation_size, and remove sweep.folds"
        raise DataError("sweep.folds cannot be combined with folds for testing", hint=hint)
    document = document_saying(parsed)
    base = parsed.model_copy(update={"sweep": None})
    found = []
    with _place(out, (REPORT, SUMMARY), options) as path, Interruptions(terminates=True):
        table = load_table(parsed)
        count = _sweep_of(parsed).trial_count
        progress = SeriesProgress(options.observer)
        remove_report(path)
        with _workers(table, options) as workers:
            planned = repetitions(base, folds, None)
            check_rows_of(base, planned, table, folds)
            for each in planned:
                spec = parse_spec(
                    changed(document, each.changes, f"--folds {folds}"),
                    parts=parsed.registry,
                    limits=parsed.origin.limits,
                )
                with file_errors(path / each.name):
                    refuse_link(path / each.name)
                    (path / each.name).mkdir(exist_ok=True)
                with _shown(options, count, each.name, progress) as progress:
                    found.append(OneSweep(spec, table, path / each.name, progress, options).run(workers))
        summary = summarized([result.metrics for result in found])
        write_file(path / SUMMARY, json_text(summary))
        if options.report:
            progress.warned(attempted(write_nested_report, path))
    if out is None:
        return NestedResult(tuple(replace(result, folder=None) for result in found), summary, None)
    return NestedResult(tuple(found), summary, path)


@contextmanager
def _place(out: PathLike | None, files: Iterable[str], options: SweepOptions) -> Iterator[Path]:
    """Give the folder to write, held for this process; a temporary one if nothing is to be kept."""
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory(prefix="specnet-"))) if out is None else Path(out)
        try:
            yield stack.enter_context(reserved(path, files, force=options.force, resume=options.resume))
        except RunInterrupted as stopped:
            if out is None:  # nothing is left to resume
                raise KeyboardInterrupt from stopped
            raise


def _shown(
    options: SweepOptions, trials: int, name: str = "", before: SeriesProgress | None = None
) -> AbstractContextManager[SeriesProgress]:
    return shown_series(options.verbose, trials, "trial", name, options.observer, before)


def _workers(table: Table, options: SweepOptions) -> Workers:
    return Workers(table, jobs=options.jobs or physical_cores(), executor=options.executor)


def _sweep_of(parsed: Spec) -> SweepSpec:
    assert parsed.sweep is not None, "parse_sweep returns it"
    return parsed.sweep


class OneSweep:
    """A sweep in a folder, which this process holds.

    Parameters
    ----------
    spec : Spec
        As `parse_sweep` returns it.
    table : Table
        Its rows.
    path : Path
    progress : SeriesProgress
    options : SweepOptions
    """

    def __init__(self, spec: Spec, table: Table, path: Path, progress: SeriesProgress, options: SweepOptions) -> None:
        self._spec, self._sweep, self._table, self._path = spec, _sweep_of(spec), table, path
        self._progress, self._options = progress, options

    def run(self, workers: Workers) -> SweepResult:
        """Compute the trials, run the best one, and write the page: also where nothing finishes, as it shows why.

        Raises
        ------
        RunInterrupted
        TrainingError
        """
        try:
            result = self._found(workers)
        except TrainingError:
            self._write_page()
            raise
        self._write_page()
        return result

    def _found(self, workers: Workers) -> SweepResult:
        with SweepFolder(self._path, columns(self._sweep.space)) as folder:
            if self._options.force:
                folder.clear()
            remove_report(self._path)
            course = self._coordinator(folder)
            if self._options.jobs is not None and self._options.executor is None:
                self._progress.warned(course.idle_jobs(self._options.jobs))
            if self._options.resume:
                self._progress.warned(folder.resumed(course.identity))
            language, text = text_saying(self._spec)
            folder.write(f"spec.{language}", text)
            try:
                course.run(workers)
            except KeyboardInterrupt as cause:
                end = f"{len(course.told)} of {counted(self._sweep.trial_count, 'trial')} are done"
                raise RunInterrupted(cause, end, self._path, finished=False) from None
        if course.best is None:
            message = f"none of {counted(self._sweep.trial_count, 'trial')} has finished"
            raise TrainingError(message, source=str(self._path))
        best = self._path / f"best.{course.writer.format}"
        parsed = parse_spec(best, parts=self._spec.registry, limits=self._spec.origin.limits)
        resumes = self._options.resume and self._holds_run_of(parsed, course.identity)
        run = run_table(
            parsed,
            self._table,
            self._path / BEST,
            force=not resumes,
            resume=resumes,
            threads=THREADS,
            report=self._options.report,
            observer=Observer(),
        )
        self._progress.warned(run.warnings)  # trials have told of all but what is wrong with the test rows
        text = best.read_text(encoding="utf-8")
        return SweepResult(tuple(course.told), course.best, self._sweep.metric, text, run, self._path)

    def _holds_run_of(self, best: Spec, identity: SweepIdentity) -> bool:
        """Return whether the run of the best trial has begun before; it may be that of another one."""
        begun = BegunRun.of(best, self._table, time.perf_counter(), sha256=identity.run.data_sha256)
        return RunFolder(self._path / BEST, resumes=True).is_of(begun.identity, begun.data.resolved.spec.training)

    def _write_page(self) -> None:
        if self._options.report:
            self._progress.warned(attempted(write_sweep_report, self._path))

    def _coordinator(self, folder: SweepFolder) -> Coordinator:
        return Coordinator(
            self._spec,
            self._table,
            self._sweep.trial_count,
            folder,
            self._progress,
            keeps_models=self._options.keep_models,
        )


def _parser(
    spec: SpecSource | Spec, trials: int | None, *, overrides: Iterable[str], **options: Any
) -> Callable[[Iterable[str]], Spec]:
    """Return what parses the spec with further settings, and with another number of trials if there is one."""
    check_count("trials", trials)
    overrides = (overrides,) if isinstance(overrides, str) else tuple(overrides)
    if trials is not None:
        overrides = (*overrides, f"sweep.trials={trials}")
    return lambda settings: parse_sweep(spec, overrides=(*overrides, *settings), **options)
