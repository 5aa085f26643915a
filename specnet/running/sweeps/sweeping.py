"""Sweeps: a search over keys of a spec, which ends with an ordinary run of the best trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from specnet.data import load_table
from specnet.errors import DataError, TrainingError
from specnet.files import PathLike, file_errors, write_file
from specnet.files.interruptions import Interruptions
from specnet.files.plain_data import json_text
from specnet.files.run_files import BEST, NESTED, SUMMARY, SWEEP, TEAM, FolderKind, clear
from specnet.number_texts import count, counted
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.report.terminal.run_progress import SeriesProgress, shown_series
from specnet.running.data_rows import parsed_with_target, split_data
from specnet.running.many.repetitions import changed, check_rows_of, repetitions
from specnet.running.many.run_tasks import THREADS
from specnet.running.many.workers import Workers
from specnet.running.reports.folder_pages import write_page
from specnet.running.reports.run_report import attempted, remove_report
from specnet.running.run_folder import RunFolder, reserved
from specnet.running.runner import RunInterrupted, check_count, run_table
from specnet.running.sweeps.coordinator import Coordinator
from specnet.running.sweeps.optuna_calls import required_optuna
from specnet.running.sweeps.sweep_folder import SweepFolder, SweepIdentity
from specnet.running.sweeps.sweep_results import NestedResult, SweepResult
from specnet.running.sweeps.team_report import write_team_report
from specnet.running.sweeps.teams import written_team
from specnet.saved.summary import Summary, summarized
from specnet.spec import Limits, Spec, SpecSource, parse_spec
from specnet.spec.file_paths import input_files
from specnet.spec.parsing import document_saying, text_saying
from specnet.spec.searching import parse_sweep
from specnet.spec.sweep_section import SweepSpec
from specnet.training import Observer
from specnet.training.observer import check_observer


def sweep(
    spec: SpecSource | Spec,
    out: PathLike | None = None,
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    trials: int | None = None,
    resume: bool = False,
    force: bool = False,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
    rows: bool = True,
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
    parts, overrides, limits : optional
        As for `run`. With several jobs, custom parts must be defined at the top level of a module.
    observer : Observer, optional
        Is told of rows that look as if training made no sense, by `warned` alone; without one these are a
        `SpecnetWarning`.
    verbose : bool
        Show the progress on standard error.
    report : bool
        Write ``report.html`` into `out` and into the folder of the best run.
    rows : bool
        As for `run`. Trials store what they answer for rows held out, but no rows.

    Returns
    -------
    SweepResult
        All trials, the best one, its run, and the team of the best.

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
    parsed = _parsed(spec, trials, overrides, parts=parts, limits=limits)
    options = SweepOptions(jobs, executor, resume, force, observer, verbose, report, rows)
    return searched(parsed, out, None, options).sweeps[0]


def nested_sweep(
    spec: SpecSource | Spec,
    out: PathLike | None = None,
    *,
    folds: int,
    jobs: int | None = None,
    executor: Executor | None = None,
    trials: int | None = None,
    resume: bool = False,
    force: bool = False,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
    rows: bool = True,
) -> NestedResult:
    """Search on each of several folds of the rows, and test its team on the rows of the fold.

    That tells what the search is worth: each team is tested on rows that its search never saw.

    Parameters
    ----------
    spec, out
        As for `sweep`.
    folds : int
        Each fold is the test set once, and has a sweep of its own, in ``fold0``, ``fold1``, … of `out`.
    jobs, executor, trials, resume, force, parts, overrides, limits, observer, verbose, report, rows
        As for `sweep`, which raises the same errors.

    Returns
    -------
    NestedResult
        The sweep of each fold, and what their tests say together.
    """
    check_count("folds", folds)
    parsed = _parsed(spec, trials, overrides, parts=parts, limits=limits)
    options = SweepOptions(jobs, executor, resume, force, observer, verbose, report, rows)
    return searched(parsed, out, folds, options)


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep is computed and written; the fields are parameters of `sweep`."""

    jobs: int | None = None
    executor: Executor | None = None
    resume: bool = False
    force: bool = False
    observer: Observer | None = None
    verbose: bool = False
    report: bool = True
    rows: bool = True


def searched(parsed: Spec, out: PathLike | None, folds: int | None, options: SweepOptions) -> NestedResult:
    """Search with a spec that `parse_sweep` has returned, as `sweep` does, or on each of so many folds.

    Returns
    -------
    NestedResult
        With a single sweep, and nothing that is summed up, where there are no folds.

    Raises
    ------
    DataError
        If an argument is wrong.
    TrainingError
        If Optuna is not installed.
    """
    if options.resume and (options.force or out is None):
        raise DataError("resume needs out and cannot be combined with force")
    check_count("jobs", options.jobs)
    check_observer(options.observer)
    required_optuna()
    options = replace(options, report=options.report and out is not None)
    if folds is not None and _sweep_of(parsed).folds is not None:
        hint = "set data.split.validation_size, and remove sweep.folds"
        raise DataError("sweep.folds cannot be combined with folds for testing", hint=hint)
    kind = SWEEP if folds is None else NESTED
    found: list[SweepResult] = []
    summary: Summary = {}
    with _place(out, kind, input_files(parsed), options) as path, Interruptions(terminates=True):
        table, progress = load_table(parsed), SeriesProgress(options.observer)
        if options.resume:
            remove_report(path)
        with Workers(table, jobs=options.jobs, executor=options.executor) as workers:
            for name, spec in [("", parsed)] if folds is None else _on_folds(parsed, table, folds):
                count = _sweep_of(spec).trial_count
                with shown_series(options.verbose, count, "trial", name, options.observer, progress) as progress:
                    start = spec.folder if out is None else None
                    replaced = (path, kind) if options.force and not found else None
                    found.append(OneSweep(spec, table, path / name, start, progress, options, replaced).run(workers))
                if folds is not None:
                    summary = summarized([result.worth for result in found])
                    write_file(path / SUMMARY, json_text(summary))
        if folds is not None and options.report:
            progress.warned(attempted(write_page, path))
    if out is None:
        return NestedResult(
            tuple(replace(result, folder=None, run=replace(result.run, folder=None)) for result in found), summary, None
        )
    return NestedResult(tuple(found), summary, path)


def _on_folds(parsed: Spec, table: Table, folds: int) -> Iterator[tuple[str, Spec]]:
    """Yield the spec of the sweep on each fold, by the name of its folder."""
    base = parsed.model_copy(update={"sweep": None})
    planned = repetitions(base, folds, None)
    check_rows_of(base, planned, table, folds)
    for each in planned:
        document = changed(document_saying(parsed), each.changes, f"--folds {folds}")
        yield each.name, parse_spec(document, parts=parsed.registry, limits=parsed.origin.limits)


@contextmanager
def _place(out: PathLike | None, kind: FolderKind, inputs: list[str], options: SweepOptions) -> Iterator[Path]:
    """Give the folder to write, held for this process; a temporary one if nothing is to be kept."""
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory(prefix="specnet-"))) if out is None else Path(out)
        try:
            yield stack.enter_context(reserved(path, kind, (), inputs, force=options.force, resume=options.resume))
        except RunInterrupted as stopped:
            if out is None:  # nothing is left to resume
                raise KeyboardInterrupt from stopped
            raise


def _sweep_of(parsed: Spec) -> SweepSpec:
    assert parsed.sweep is not None, "parse_sweep returns it"
    return parsed.sweep


@dataclass(frozen=True)
class OneSweep:
    """A sweep in a folder, which this process holds.

    Attributes
    ----------
    spec : Spec
        As `parse_sweep` returns it.
    table : Table
        Its rows.
    path, start : Path
        As for `SweepFolder`.
    progress : SeriesProgress
    options : SweepOptions
    replaced : (Path, FolderKind) or None
        The folder from which earlier results are removed before the first trial, and what it becomes.
    """

    spec: Spec
    table: Table
    path: Path
    start: Path | None
    progress: SeriesProgress
    options: SweepOptions
    replaced: tuple[Path, FolderKind] | None = None

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
        sweep, options = _sweep_of(self.spec), self.options
        with SweepFolder(self.path, self.start) as folder:
            course = Coordinator(self.spec, self.table, folder, self.progress)
            if self.replaced is not None:
                clear(*self.replaced)
            with file_errors(self.path):
                self.path.mkdir(exist_ok=True)
            remove_report(self.path)
            if options.jobs is not None and options.executor is None:
                self.progress.warned(course.idle_jobs(options.jobs))
            if options.resume:
                self.progress.warned(folder.resumed(course.identity))
            language, text = text_saying(self.spec)
            folder.write(f"spec.{language}", text)
            try:
                course.run(workers)
            except KeyboardInterrupt as cause:
                end = f"{count(len(course.told))} of {counted(sweep.trial_count, 'trial')} are done"
                raise RunInterrupted(cause, end, self.path, finished=False) from None
        if course.best is None:
            message = f"none of {counted(sweep.trial_count, 'trial')} has finished"
            raise TrainingError(message, source=folder.source)
        best = self.path / f"best.{course.writer.format}"
        parsed = parse_spec(best, parts=self.spec.registry, limits=self.spec.origin.limits)
        resumes = options.resume and self._holds_run_of(parsed, course.identity)
        run = run_table(
            parsed,
            self.table,
            self.path / BEST,
            force=not resumes,
            resume=resumes,
            threads=THREADS,
            report=options.report,
            rows=options.rows,
            observer=Observer(),
        )
        self.progress.warned(run.warnings)  # trials have told of all but what is wrong with the test rows
        text = best.read_text(encoding="utf-8")
        candidates = course.candidates
        team = None if candidates is None else written_team(candidates, course.data, run.model)
        if team is not None and options.report:
            registry, limits = self.spec.registry, self.spec.origin.limits
            data = split_data(parsed, self.table)
            write = partial(write_team_report, parts=registry, limits=limits, model=team.model, data=data)
            self.progress.warned(attempted(write, self.path / TEAM))
        return SweepResult(tuple(course.told), course.best, sweep.metric, text, run, team, self.path)

    def _holds_run_of(self, best: Spec, identity: SweepIdentity) -> bool:
        """Return whether the run of the best trial has begun before; it may be that of another one."""
        data = split_data(best, self.table)
        run = data.identity(identity.run.data_sha256)
        return RunFolder(self.path / BEST, resumes=True).is_of(run, data.resolved.spec.training)

    def _write_page(self) -> None:
        if self.options.report:
            self.progress.warned(attempted(write_page, self.path))


def _parsed(spec: SpecSource | Spec, trials: int | None, overrides: Iterable[str], **options: Any) -> Spec:
    """Return the spec as `parse_sweep` does, with another number of trials if there is one."""
    check_count("trials", trials)
    given = (overrides,) if isinstance(overrides, str) else tuple(overrides)
    given += () if trials is None else (f"sweep.trials={trials}",)
    return parsed_with_target(spec, load_table, parse=parse_sweep, overrides=given, **options)
