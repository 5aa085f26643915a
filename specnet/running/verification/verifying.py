"""Proof of a run: its spec is run again, and all files are compared with those in its folder."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from specnet.compiler.thread_limits import available_threads, limited_threads
from specnet.data import load_table
from specnet.errors import DataError, FileError, SpecnetError
from specnet.files import PathLike
from specnet.files.interruptions import Interruptions
from specnet.files.run_files import (
    NESTED,
    RUN,
    SERIES,
    SWEEP,
    TEAM,
    TEAM_OF_SWEEP,
    TRAINING_ROWS,
    FolderKind,
    check_run,
    holds_trials,
    kind_of,
    written_in,
)
from specnet.parts.part import Part
from specnet.report.terminal.run_progress import shown_progress
from specnet.running.data_rows import split_data
from specnet.running.machine import THREADS
from specnet.running.many.run_tasks import THREADS as SERIES_THREADS
from specnet.running.run_folder import RunFolder, reserved, reserved_folder
from specnet.running.runner import check_count, check_jobs
from specnet.running.training_run import train_run
from specnet.running.verification.compared_run import ComparedRun, facts_of
from specnet.running.verification.found_runs import FoundRuns, folders_in
from specnet.running.verification.result import Verification, VerifiedRun
from specnet.running.verification.verified_series import verified_series
from specnet.running.verification.verified_tables import verified_tables, with_conditions
from specnet.running.verification.verified_team import verified_team
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_trials import read_trial
from specnet.spec import Limits, text_saying
from specnet.spec.file_paths import input_files
from specnet.training import Observer, Observers
from specnet.training.observer import StopAfter, check_observer


def verify(
    run: PathLike,
    out: PathLike | None = None,
    *,
    epochs: int | None = None,
    sample: int | None = None,
    tolerance: float | None = None,
    jobs: int | None = None,
    threads: int | None = None,
    force: bool = False,
    parts: Iterable[type[Part]] = (),
    limits: Limits | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
) -> Verification:
    """Run the spec in the folder of a run again, and compare all files, byte for byte.

    These are all that a run writes but ``report.html``; times do not count. What cannot be computed again is compared
    with the SHA-256 that was recorded of it. Where files differ, the result says which epoch and which tensor differ
    first, how far, and what else does: rows, versions, BLAS, CPU, threads, engine and compiler. The folder itself is
    only read.

    Parameters
    ----------
    run : path
        The folder of a run, of folds or seeds, of a sweep, of one of its trials, or of its team. Of many runs, the
        tables beside them are verified too; of a sweep, the trials, the run of the best one, and the team, which is
        chosen again by what the folders of the trials say.
    out : path, optional
        The folder to write the runs to; nothing is kept if None.
    epochs : int, optional
        Train only the first epochs, of an ensemble those of its first member, and compare what was recorded until then.
        Schedules are those of the whole run. An interrupted run is trained as far as it came.
    sample : int, optional
        Number of runs to verify of many; they are drawn by a fixed seed. The run of the best trial of a sweep comes in
        addition. Default: all.
    tolerance : float, optional
        Largest relative difference that is accepted where the machine or the libraries differ, but neither the spec nor
        the rows: of a tensor relative to its largest value, of a number in the history, the looks or the metrics
        relative to itself. Without it only equal bytes pass.
    jobs : int, optional
        Number of members of an ensemble, or of runs of many, to train at once. Default: as for `run` and `run_many`.
    threads : int, optional
        Number of threads of BLAS and of compiled functions; default: as many as the run had.
    force : bool
        Overwrite the files of earlier runs in `out`.
    parts, limits : optional
        As for `run`.
    observer : Observer, optional
        Is told of the course of training; of many runs, of suspicious rows alone.
    verbose : bool
        Show the progress on standard error.

    Returns
    -------
    Verification
        What is the same, and where files differ.

    Raises
    ------
    FileError
        If it is not the folder of a run, or a file is damaged or missing.
    SpecError, DataError, TrainingError
        If the run cannot be made again, for example because its rows are gone.
    TakenError
        If `out` is not empty and may not be overwritten.
    """
    for name, count in {"epochs": epochs, "sample": sample, "jobs": jobs, "threads": threads}.items():
        check_count(name, count)
    if tolerance is not None and not _is_tolerance(tolerance):
        raise DataError(f"tolerance must be a number above 0, got {tolerance!r}")
    check_observer(observer)
    path, runs = Path(run), FoundRuns(epochs, tuple(parts), limits)
    kind = kind_of(path)
    if out is not None:
        _check_apart(Path(out).resolve(), path.resolve(), kind, os.fspath(out))
    with ExitStack() as stack:
        stack.enter_context(Interruptions(terminates=True))
        if kind is SWEEP or kind is SERIES or kind is NESTED:
            if threads is not None:
                raise DataError("threads has no effect on many runs: each has one thread", hint="leave threads out")
            runs.add(path, sample)
            found, results, sha256 = verified_series(path, kind, out, runs, jobs, force, observer, verbose)
            if epochs is None:
                stack.enter_context(limited_threads(SERIES_THREADS))  # as while the sweep measured its team
                more = [*_teams(path, runs, found.folder), *verified_tables(path, runs, results, sha256)]
                more = with_conditions(more, found.runs)
                found = replace(found, runs=(*found.runs, *more), total=found.total + len(more))
        elif kind is TEAM_OF_SWEEP:
            _refuse("a team, for which nothing is trained", path, epochs=epochs, sample=sample, threads=threads)
            stack.enter_context(limited_threads(SERIES_THREADS))
            place = None if out is None else stack.enter_context(reserved(out, kind, force=force, resume=None))
            found = Verification((_team(path, runs, place),), folder=place)
        elif kind is RUN and holds_trials(os.path.dirname(os.path.abspath(path))):
            _refuse("a trial, which has one thread", path, sample=sample, threads=threads)
            found = _trial(path, runs, out, jobs, force, observer, verbose)
        else:
            check_run(path)
            if sample is not None:
                raise DataError("sample needs the folder of folds, seeds or a sweep", source=str(path))
            single, written = runs.run(path), None
            if out is not None:
                inputs = [] if single.given is None else input_files(single.given)
                written = stack.enter_context(reserved_folder(out, inputs, force=force, resume=None))
            followed = stack.enter_context(shown_progress(observer or Observer(), verbose, calls=0))
            found = _verified(single, written, jobs, threads, followed)
    return replace(found, tolerance=tolerance)


def _check_apart(out: Path, run: Path, kind: FolderKind | None, source: str) -> None:
    """Refuse to write over what is verified."""
    whole, hint = run.parent if kind is TEAM_OF_SWEEP else run, "choose another folder"
    if out == run:
        raise DataError("out is the folder of the run to verify", hint=hint, source=source)
    if any(whole in path.parents for path in written_in(out, kind or RUN)):
        raise DataError("out holds files of the run to verify", hint=hint, source=source)


def _refuse(what: str, path: Path, **options: int | None) -> None:
    """Refuse options that have no effect."""
    if idle := [name for name, value in options.items() if value is not None]:
        raise DataError(f"{idle[0]} has no effect on {what}", source=str(path))


def _teams(path: Path, runs: FoundRuns, out: Path | None) -> Iterator[VerifiedRun]:
    """Yield what differs of the team of a sweep, or of a sweep for each fold."""
    for folder in [path] if kind_of(path) is SWEEP else folders_in(path):
        if kind_of(folder) is not SWEEP:
            continue
        sweep, name = runs.sweep(folder), (folder / TEAM).relative_to(path).as_posix()
        if sweep.has_ended or (folder / TEAM).is_dir():
            try:
                found = verified_team(sweep, name, out and out / name)
            except SpecnetError as error:  # other folders, of which it is made, say more
                found = VerifiedRun(name, message=error.diagnostics[0].message)
            yield from [] if found is None else [found]


def _team(path: Path, runs: FoundRuns, out: Path | None) -> VerifiedRun:
    """Return what differs of a team alone."""
    folder = Path(os.path.abspath(path)).parent
    if kind_of(folder) is not SWEEP:
        raise FileError("the team cannot be made again: it is not in the folder of its sweep", source=str(path))
    found = verified_team(runs.sweep(folder), "", out)
    assert found is not None, "it has files"
    return found


def _trial(
    path: Path,
    runs: FoundRuns,
    out: PathLike | None,
    jobs: int | None,
    force: bool,
    observer: Observer | None,
    verbose: bool,
) -> Verification:
    """Return what differs of a trial alone."""
    folder = Path(os.path.abspath(path))
    trial = read_trial(folder)
    assert trial is not None, "it has a record"
    sweep = runs.sweep(folder.parent.parent)
    run = runs.trial(sweep, trial, "")
    if trial.state != FINISHED:
        return Verification((run.checked(),))
    runs.add_trial(run)
    return verified_series(path, RUN, out, runs, jobs, force, observer, verbose)[0]


def _is_tolerance(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _verified(
    run: ComparedRun,
    written: RunFolder | None,
    jobs: int | None,
    threads: int | None,
    observer: Observer,
) -> Verification:
    run.check_files()
    spec = run.given
    if spec is None or spec.data is None:
        what = "its folder has no spec" if spec is None else "its spec has no data, as it was trained on arrays"
        hint = "fit the arrays again in Python, and compare the models" if spec is not None else None
        raise DataError(f"the run cannot be made again: {what}", hint=hint, source=str(run.path))
    check_jobs(jobs, spec, observer)
    cores = available_threads() if threads is None else threads
    if threads is None and type(run.facts.get(THREADS)) is int:
        threads = run.facts[THREADS]
    if run.beginning is not None:
        observer, jobs = Observers(observer, StopAfter(run.beginning)), 1
    begin, table = time.perf_counter(), load_table(spec)
    data = split_data(spec, table)
    given: dict[str, Any] = {"begin": begin, "folder": run.path if written is None else written.path}
    given |= {"rows": run.facts.get(TRAINING_ROWS) is not None, "jobs": jobs, "threads": threads, "cores": cores}
    outcome, fitted = train_run(spec, data, data.identity(), observer, **given)
    fitted.check_whole()
    language, text = text_saying(spec)
    contents = {f"spec.{language}": text, **outcome.files}
    if written is not None:
        written.write(contents)
    found = run.compared(contents, facts_of(contents), spec, table)
    return Verification((found,), folder=None if written is None else written.path)
