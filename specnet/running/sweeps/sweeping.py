"""Sweeps: a search over keys of a spec, which ends with an ordinary run of the best trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from specnet.data import load_table
from specnet.data.target_errors import parsed_for_target
from specnet.errors import DataError, TrainingError
from specnet.files import PathLike, file_errors, write_file
from specnet.files.interruptions import Interruptions
from specnet.files.plain_data import json_text
from specnet.number_texts import count, counted
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.report.terminal.run_progress import SeriesProgress, shown_series
from specnet.run_files import BEST, NESTED, SUMMARY, SWEEP, TEAM, FolderKind, clear
from specnet.running.data_rows import split_data
from specnet.running.folder_pages import attempted, remove_report, write_page, write_team_report
from specnet.running.repeated_runs import changed, check_rows_of, repetitions
from specnet.running.run_folder import RunFolder, reserved
from specnet.running.runner import RunInterrupted, check_count, check_resume, run_data
from specnet.running.sweeps.coordinator import Coordinator, SweepFolder
from specnet.running.sweeps.search import required_optuna
from specnet.running.sweeps.teams import NestedResult, SweepResult, written_team
from specnet.running.workers import THREADS, Workers
from specnet.saved.metrics_file import Summary, summarized
from specnet.spec import Limits, Spec, SpecSource, parse_spec
from specnet.spec.file_paths import input_files
from specnet.spec.parsing import document_saying, text_saying
from specnet.spec.reading.reader import settings_of
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

    Trials do not see the test rows; only the run of the best trial and the team are evaluated on them, at the end.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
    out : path, optional
        The folder to write; nothing is saved if None.
    jobs : int, optional
        Number of processes. They are started only if the remaining trials would take more than ten seconds in this
        process. Default: the number of physical cores.
    executor : concurrent.futures.Executor, optional
        Computes the trials, instead of processes that `sweep` starts; for example ``client.get_executor()`` of dask or
        the ``MPIPoolExecutor`` of mpi4py.
    trials : int, optional
        Overrides ``sweep.trials``.
    resume : bool
        Keep the trials in `out`, and compute the missing ones.
    force : bool
        Overwrite an earlier sweep in `out`.
    parts, overrides, limits : optional
        As for `run`. With several jobs, custom parts must be defined at the top level of a module.
    observer : Observer, optional
        Receives the warnings; only its method `warned` is called. Without it, each warning is a `SpecnetWarning`.
    verbose : bool
        Show the progress on standard error.
    report : bool
        Write ``report.html`` into `out` and into the folder of the best run.
    rows : bool
        As for `run`. Trials save their outputs for held-out rows, but never the rows.

    Returns
    -------
    SweepResult
        All trials, the best trial, its run, and the team.

    Raises
    ------
    SpecError
        Before the first trial, with all mistakes in the spec and in the values of its ``[sweep]``.
    DataError, FileError, TakenError
        As `run` does.
    TrainingError
        If none of the first trials finishes, if a worker was killed, or if Optuna is not installed.
    RunInterrupted
        After Ctrl-C, SIGTERM or SIGHUP; continue with `resume`.

    Notes
    -----
    The trials are the same, byte for byte, for any number of jobs and any executor, and however often the sweep was
    interrupted. Each run has one thread for BLAS and compiled functions.
    """
    parsed = _parsed(spec, trials, overrides, parts=parts, limits=limits)
    given: dict[str, Any] = {"observer": observer, "verbose": verbose, "report": report, "rows": rows}
    return searched(parsed, out, jobs=jobs, executor=executor, resume=resume, force=force, **given).sweeps[0]


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
    """Search once for each fold of the rows, and test the team of each search on its fold.

    This estimates the quality of the search: each team is tested on rows that its search never saw.

    Parameters
    ----------
    spec, out
        As for `sweep`.
    folds : int
        Number of folds. Each fold is the test set of one sweep, which is saved in ``fold0``, ``fold1``, … of `out`.
    jobs, executor, trials, resume, force, parts, overrides, limits, observer, verbose, report, rows
        As for `sweep`, which raises the same errors.

    Returns
    -------
    NestedResult
        The sweep of each fold, and a summary of their metrics.
    """
    check_count("folds", folds)
    parsed = _parsed(spec, trials, overrides, parts=parts, limits=limits)
    given: dict[str, Any] = {"observer": observer, "verbose": verbose, "report": report, "rows": rows}
    return searched(parsed, out, folds, jobs=jobs, executor=executor, resume=resume, force=force, **given)


def searched(
    parsed: Spec,
    out: PathLike | None,
    folds: int | None = None,
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    resume: bool = False,
    force: bool = False,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
    rows: bool = True,
) -> NestedResult:
    """Search with a spec that `parse_sweep` has returned: once, as `sweep` does, or once for each of `folds`.

    Returns
    -------
    NestedResult
        With a single sweep and an empty summary if `folds` is None.

    Raises
    ------
    DataError
        If an argument is invalid.
    TrainingError
        If Optuna is not installed.
    """
    check_resume(out, force=force, resume=resume)
    check_count("jobs", jobs)
    check_observer(observer)
    required_optuna()
    report = report and out is not None
    if folds is not None and _sweep_of(parsed).folds is not None:
        hint = "set data.split.validation_size, and remove sweep.folds"
        raise DataError("sweep.folds cannot be combined with folds for testing", hint=hint)
    kind = SWEEP if folds is None else NESTED
    found: list[SweepResult] = []
    summary: Summary = {}
    with _folder(out, kind, input_files(parsed), force=force, resume=resume) as path, Interruptions(terminates=True):
        table, progress = load_table(parsed), SeriesProgress(observer)
        if resume:
            remove_report(path)
        with Workers(table, jobs=jobs, executor=executor) as workers:
            for name, spec in [("", parsed)] if folds is None else _on_folds(parsed, table, folds):
                count = _sweep_of(spec).trial_count
                with shown_series(verbose, count, "trial", name, observer, progress) as progress:
                    folder = SweepFolder(path / name, spec.folder if out is None else None)
                    try:
                        with folder:
                            search = Coordinator(spec, table, folder, progress)
                            if force and not found:
                                clear(path, kind)
                            _search(search, workers, progress, jobs if executor is None else None, resume=resume)
                        found.append(_best_run(search, table, progress, resume=resume, report=report, rows=rows))
                    except TrainingError:
                        _write_page(folder.path, progress, report=report)  # the page shows why no trial has finished
                        raise
                    _write_page(folder.path, progress, report=report)
                if folds is not None:
                    summary = summarized([result.worth for result in found])
                    write_file(path / SUMMARY, json_text(summary))
        _write_page(path, progress, report=report and folds is not None)
    if out is None:
        return NestedResult(
            tuple(replace(result, folder=None, run=replace(result.run, folder=None)) for result in found), summary, None
        )
    return NestedResult(tuple(found), summary, path)


def _on_folds(parsed: Spec, table: Table, folds: int) -> Iterator[tuple[str, Spec]]:
    """Yield the folder name and the spec of the sweep on each fold."""
    base = parsed.model_copy(update={"sweep": None})
    planned = repetitions(base, folds, None)
    check_rows_of(base, planned, table, folds)
    for each in planned:
        document = changed(document_saying(parsed), each.changes, f"--folds {folds}")
        yield each.name, parse_spec(document, parts=parsed.registry, limits=parsed.origin.limits)


@contextmanager
def _folder(out: PathLike | None, kind: FolderKind, inputs: list[str], *, force: bool, resume: bool) -> Iterator[Path]:
    """Yield the folder to write, locked for this process; a temporary folder if `out` is None."""
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory(prefix="specnet-"))) if out is None else Path(out)
        try:
            yield stack.enter_context(reserved(path, kind, (), inputs, force=force, resume=resume))
        except RunInterrupted as stopped:
            if out is None:  # nothing is left to resume
                raise KeyboardInterrupt from stopped
            raise


def _sweep_of(parsed: Spec) -> SweepSpec:
    assert parsed.sweep is not None, "parse_sweep returns it"
    return parsed.sweep


def _search(search: Coordinator, workers: Workers, progress: SeriesProgress, jobs: int | None, *, resume: bool) -> None:
    """Compute the trials of a sweep.

    Raises
    ------
    RunInterrupted
    TrainingError
        If none of the trials finishes.
    """
    folder, total = search.folder, search.sweep.trial_count
    with file_errors(folder.path):
        folder.path.mkdir(exist_ok=True)
    remove_report(folder.path)
    if jobs is not None:
        progress.warned(search.idle_jobs(jobs))
    if resume:
        progress.warned(folder.resumed(search.identity))
    language, text = text_saying(search.spec)
    folder.write(f"spec.{language}", text)
    try:
        search.run(workers)
    except KeyboardInterrupt as cause:
        end = f"{count(len(search.reported))} of {counted(total, 'trial')} are done"
        raise RunInterrupted(cause, end, folder.path, finished=False) from None
    if search.best is None:
        raise TrainingError(f"none of {counted(total, 'trial')} has finished", source=folder.source)


def _best_run(
    search: Coordinator, table: Table, progress: SeriesProgress, *, resume: bool, report: bool, rows: bool
) -> SweepResult:
    """Run the best trial of a sweep, after all trials are computed, and choose the team."""
    path, registry, limits = search.folder.path, search.spec.registry, search.spec.origin.limits
    spec = path / f"best.{search.writer.format}"
    parsed = parse_spec(spec, parts=registry, limits=limits)
    data = split_data(parsed, table)
    # A saved run may be of a trial that was the best before.
    identity = data.identity(search.identity["data_sha256"])
    resume = resume and RunFolder(path / BEST, resumes=True).is_of(identity, data.resolved.spec)
    given: dict[str, Any] = {"threads": THREADS, "report": report, "rows": rows, "observer": Observer()}
    run = run_data(parsed, data, path / BEST, force=not resume, resume=resume, **given)
    progress.warned(run.warnings)  # only warnings about test rows are new; trials have reported the rest
    text, team = spec.read_text(encoding="utf-8"), None
    # The rows of the spec as written decide by its threshold, which is not that of a best trial with another one.
    thresholds = {each.training.decision_threshold for each in (run.model.spec, search.spec)}
    if search.judge is not None and search.outputs and len(thresholds) == 1:
        team = written_team(path, search.spec, search.judge, search.outputs, search.data, run.model)
        if report:
            write = partial(write_team_report, parts=registry, limits=limits, model=team.model, data=data)
            progress.warned(attempted(write, path / TEAM))
    assert search.best is not None, "it has run"
    return SweepResult(
        tuple(search.reported), search.best, search.sweep.metric, search.figure_name, text, run, team, path
    )


def _write_page(path: Path, progress: SeriesProgress, *, report: bool) -> None:
    if report:
        progress.warned(attempted(write_page, path))


def _parsed(spec: SpecSource | Spec, trials: int | None, overrides: Iterable[str], **options: Any) -> Spec:
    """Return the spec as `parse_sweep` does, with `trials` as the number of trials unless it is None."""
    check_count("trials", trials)
    given = (*settings_of(overrides), *(() if trials is None else (f"sweep.trials={trials}",)))
    return parsed_for_target(spec, load_table, parse=parse_sweep, overrides=given, **options)
