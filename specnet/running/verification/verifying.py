"""The verification of runs: specs are run again, and all files are compared, including tables and teams."""

from __future__ import annotations

import csv
import io
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from specnet.compiler.thread_limits import available_threads, limited_threads
from specnet.data import load_table
from specnet.errors import DataError, FileError, SpecnetError
from specnet.files import PathLike, read_file
from specnet.files.atomic import write_folder
from specnet.files.interruptions import Interruptions
from specnet.files.plain_data import json_text, recorded_hashes
from specnet.parts.part import Part
from specnet.report.terminal.run_progress import shown_progress
from specnet.run_files import (
    BEST,
    LARGEST_RECORD,
    NESTED,
    RUN,
    RUNS_TABLE,
    SERIES,
    SUMMARY,
    SWEEP,
    SWEEP_FACTS,
    TEAM,
    TEAM_OF_SWEEP,
    TRAINING_ROWS,
    TRIAL,
    TRIALS_TABLE,
    WITH_ROWS,
    FolderKind,
    by_numbers,
    check_run,
    clear,
    holds_trials,
    kind_of,
    trial_name,
    written_in,
)
from specnet.running.data_rows import data_hash, split_data
from specnet.running.repeated_runs import repetition_named, series_tables
from specnet.running.run_folder import RunFolder, reserved
from specnet.running.runner import check_count, check_jobs
from specnet.running.sweeps.coordinator import IDENTITY
from specnet.running.sweeps.teams import made_team
from specnet.running.sweeps.trials import TrialOutputs, table_text
from specnet.running.training_run import THREADS, Contents, RunOutcome, train_run
from specnet.running.verification.compared_runs import ComparedRun, ComparedSweep, checked_run, facts_of
from specnet.running.verification.file_differences import OF_MANY, SECONDS, file_differences
from specnet.running.verification.result import Verification, VerifiedRun
from specnet.running.verification.verified_series import MISSING, FoundRuns, Result, folders_in, verified_series
from specnet.running.workers import THREADS as SERIES_THREADS
from specnet.saved.metrics_file import csv_text, summarized
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_series import RepeatedRun, read_runs
from specnet.saved.saved_sweep import Trial, read_trial
from specnet.spec import Limits, text_saying
from specnet.spec.file_paths import input_files
from specnet.training import Observer, Observers
from specnet.training.observer import StopAfter, check_observer

UNDER_WAY = "under way"


def verified_tables(path: Path, found: FoundRuns, results: Mapping[str, Result], sha256: str) -> list[VerifiedRun]:
    """Return the comparisons of the files at the top of a folder of runs, and of each sweep in it.

    Parameters
    ----------
    path : Path
        Folder of folds or seeds, of a sweep, or of a sweep for each fold.
    found : FoundRuns
    results : mapping
        Results of reproduced runs by name. The results of all other runs are read from their folders.
    sha256 : str
        Hash of the table.

    Raises
    ------
    SpecnetError
        If a file is damaged.
    """
    if kind_of(path) is SWEEP:
        return [_of_sweep(found.sweep(path), "", None, results, sha256)]
    sweeps = [each for each in folders_in(path) if kind_of(each) is SWEEP]
    if not sweeps:
        return [_of_series(path, results)]
    tables = []
    for each in sweeps:
        repeated = repetition_named(each.name)
        fold = None if repeated is None else repeated.fold
        tables.append(_of_sweep(found.sweep(each), f"{each.name}/", fold, results, sha256))
    return [*tables, *_missing(found.sweep(sweeps[0]), path), _of_nested(path, sweeps)]


def _of_series(path: Path, results: Mapping[str, Result]) -> VerifiedRun:
    """Return the comparison of the table and the means of runs on folds and with seeds."""
    rows = {row.name: row for row in read_runs(path)} if (path / RUNS_TABLE).is_file() else {}
    inner = {each.name for each in folders_in(path) if kind_of(each) is RUN and repetition_named(each.name)}
    failed = {name for name, row in rows.items() if row.state != FINISHED}
    runs = [_run(path, name, results.get(name), rows.get(name)) for name in sorted(inner | failed, key=by_numbers)]
    return _compared(path, "", series_tables(runs), {})


def _run(path: Path, name: str, result: Result | None, row: RepeatedRun | None) -> RepeatedRun:
    """Return the table row of a run from its reproduction, or else from its folder or its saved row."""
    repeated = repetition_named(name)
    begin = name, *((None, None) if repeated is None else (repeated.seed, repeated.fold))
    if isinstance(result, RunOutcome):
        return RepeatedRun(*begin, result.state, result.message, result.metrics, result.epochs, 0.0)
    if kind_of(path / name) is RUN:
        run = SavedRun(path / name)
        return RepeatedRun(*begin, FINISHED, "", run.evaluation.metrics, run.checked_facts(epochs=int)["epochs"], 0.0)
    assert row is not None, "it is in the table"
    return RepeatedRun(*begin, row.state, row.message, {}, row.epochs, 0.0)


def _of_sweep(
    sweep: ComparedSweep, before: str, fold: int | None, results: Mapping[str, Result], sha256: str
) -> VerifiedRun:
    """Return the comparison of the table of trials, the best spec and the record of a sweep.

    Parameters
    ----------
    sweep : ComparedSweep
    before : str
        Prefix of the names of its runs.
    fold : int or None
        Fold of the sweep in a nested sweep.
    results, sha256
        As for `verified_tables`.
    """
    made = [results.get(f"{before}{trial_name(trial.number)}", trial) for trial in sweep.all_ended]
    trials = [each for each in made if isinstance(each, Trial) and each.number < sweep.count]
    best, now = sweep.best_of(trials)
    facts, states = {**sweep.record}, [trial.state for trial in trials]
    identity = {**facts[IDENTITY], "data_sha256": sha256}
    if fold is not None and isinstance(identity["spec"].get("data"), dict):
        data = identity["spec"]["data"]
        identity["spec"] = {**identity["spec"], "data": {**data, "split": {**data["split"], "fold": fold}}}
    facts[IDENTITY] = identity
    if facts.get("end") != UNDER_WAY:
        facts["states"] = {state: states.count(state) for state in dict.fromkeys(states)}
        facts["best"] = None if best is None else {"trial": best.number, "figure": best.figure}
    now |= {TRIALS_TABLE: table_text(trials, sweep.columns), SWEEP_FACTS: json_text(facts)}
    return _compared(sweep.path, before.removesuffix("/"), now, recorded_hashes(sweep.record))


def _of_nested(path: Path, sweeps: list[Path]) -> VerifiedRun:
    """Return the comparison of the means of sweeps on folds, from the metrics of their teams or best runs."""
    metrics = []
    for sweep in sweeps:
        ends = [sweep / TEAM] if kind_of(sweep / TEAM) is TEAM_OF_SWEEP else [sweep / BEST]
        metrics += [SavedRun(end).evaluation.metrics for end in ends if kind_of(end) is not None]
    return _compared(path, "", {SUMMARY: json_text(summarized(metrics))}, {})


def _missing(sweep: ComparedSweep, path: Path) -> list[VerifiedRun]:
    """Return an entry for each sweep of a nested sweep whose folder is missing in `path`."""
    split = sweep.facts.identity.spec.get("data", {}).get("split", {})
    names = [f"fold{fold}" for fold in range(split.get("folds") or 0)]
    return [VerifiedRun(name, message=MISSING) for name in names if kind_of(path / name) is not SWEEP]


def _compared(path: Path, name: str, made: Mapping[str, str], hashes: Mapping[str, str]) -> VerifiedRun:
    """Return the comparison of files in a folder; seconds in tables are ignored."""
    files = {each: read_file(path / each, LARGEST_RECORD) for each in OF_MANY if (path / each).is_file()}
    then = {each: content for each, content in files.items() if each in made}
    now = {
        each: (_with_seconds(text, then[each]) if each in then and each.endswith(".csv") else text).encode()
        for each, text in made.items()
    }
    return checked_run(name, files, hashes, now, file_differences(path, then, now, None), SWEEP_FACTS)


def _with_seconds(text: str, then: bytes) -> str:
    """Return a table with the seconds of a saved table that has the same rows."""
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    before = [*csv.reader(io.StringIO(then.decode(errors="replace"), newline=""))]
    column = next((index for index, name in enumerate(header) if name in SECONDS), None)
    if column is None or before[:1] != [header] or len(before) != len(rows) + 1:
        return text
    for row, other in zip(rows, before[1:], strict=True):
        if len(other) == len(row) and _is_number(other[column]):
            row[column] = other[column]
    return csv_text(header, rows)


def _is_number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


def with_conditions(tables: list[VerifiedRun], runs: tuple[VerifiedRun, ...]) -> list[VerifiedRun]:
    """Return comparisons of tables with the input and machine changes of the first run that has any."""
    cause = next((run for run in runs if run.inputs or run.machine), None)
    if cause is None:
        return tables
    return [replace(table, inputs=cause.inputs, machine=cause.machine) for table in tables]


def verified_team(sweep: ComparedSweep, name: str, out: Path | None) -> VerifiedRun | None:
    """Return the comparison of a sweep's team, chosen and evaluated again; None if it neither has nor needs a team.

    Parameters
    ----------
    sweep : ComparedSweep
    name : str
        Name of the team.
    out : Path or None
        Folder to write the team to.

    Raises
    ------
    SpecnetError
        If a file of the sweep is damaged or missing.
    """
    table, planned = load_table(sweep.spec), sweep.repetitions(sweep.spec)
    outputs = TrialOutputs(sweep.path, planned)
    for trial in sweep.all_ended:
        if trial.state == FINISHED and trial.number < sweep.facts.trials:
            outputs.add_written(trial.number)
    judge, contents = sweep.judge(table), Contents()
    if judge is not None and outputs:
        contents = made_team(sweep.spec, judge, outputs, split_data(sweep.spec, table)).contents()
    team = ComparedRun(sweep.path / TEAM, name, sweep=sweep)
    if not team.files and not contents:
        return None
    if out is not None:
        clear(out, TEAM_OF_SWEEP)
        write_folder(out, contents)
    return team.compared(contents, sweep.conditions_now(data_hash(table)), sweep.spec, table)


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

    All files of a run are compared except ``report.html``; times are ignored. Files that cannot be computed again are
    compared with their recorded SHA-256. If files differ, the result names the first epoch and tensor that differ, the
    size of the difference, and possible causes: rows, versions, BLAS, CPU, threads, engine and compiler. The folder
    itself is only read.

    Parameters
    ----------
    run : path
        The folder of a run, of folds or seeds, of a sweep, of one of its trials, or of its team. For many runs, their
        tables are verified too. For a sweep, these are verified: the trials, the run of the best trial, and the team,
        which is chosen again from the folders of the trials.
    out : path, optional
        The folder to write the runs to; nothing is saved if None.
    epochs : int, optional
        Train only the first `epochs` epochs (of an ensemble, those of its first member), and compare the records of
        these epochs. Schedules are those of the whole run. An interrupted run is trained up to its interruption.
    sample : int, optional
        Number of runs to verify if there are many; they are drawn by a fixed seed. The run of the best trial of a sweep
        is always added. Default: all.
    tolerance : float, optional
        Largest relative difference that is accepted if the machine or the libraries differ, but neither the spec nor
        the rows. It is relative to the largest value of a tensor, or to a number of the history, the layer records or
        the metrics. Default: only equal bytes pass.
    jobs : int, optional
        Number of ensemble members, or of runs, to train in parallel. Default: as for `run` and `run_many`.
    threads : int, optional
        Number of threads of BLAS and of compiled functions. Default: the number that the run had.
    force : bool
        Overwrite the files of earlier runs in `out`.
    parts, limits : optional
        As for `run`.
    observer : Observer, optional
        Follows the training. For many runs, it receives only warnings.
    verbose : bool
        Show the progress on standard error.

    Returns
    -------
    Verification
        The result for each run: the compared files and their differences.

    Raises
    ------
    FileError
        If `run` is not the folder of a run, or a file is damaged or missing.
    SpecError, DataError, TrainingError
        If the run cannot be reproduced, for example because its rows are missing.
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
                stack.enter_context(limited_threads(SERIES_THREADS))  # as when the sweep evaluated its team
                more = [*_teams(path, runs, found.folder), *verified_tables(path, runs, results, sha256)]
                more = with_conditions(more, found.runs)
                found = replace(found, runs=(*found.runs, *more), total=found.total + len(more))
        elif kind is TEAM_OF_SWEEP:
            _refuse("a team, for which nothing is trained", path, epochs=epochs, sample=sample, threads=threads)
            stack.enter_context(limited_threads(SERIES_THREADS))
            team = None if out is None else stack.enter_context(reserved(out, kind, force=force, resume=None))
            found = Verification((_team(path, runs, team),), folder=team)
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
                written = RunFolder(stack.enter_context(reserved(out, RUN, (), inputs, force=force, resume=None)))
            followed = stack.enter_context(shown_progress(observer or Observer(), verbose, calls=0))
            found = _verified(single, written, jobs, threads, followed)
    return replace(found, tolerance=tolerance)


def _check_apart(out: Path, run: Path, kind: FolderKind | None, source: str) -> None:
    """Raise DataError if `out` would overwrite files of the run to verify."""
    whole, hint = run.parent if kind is TEAM_OF_SWEEP else run, "choose another --out"
    if out == run:
        raise DataError("out is the folder of the run to verify", hint=hint, source=source)
    if any(whole in path.parents for path in written_in(out, kind or RUN)):
        raise DataError("out holds files of the run to verify", hint=hint, source=source)


def _refuse(what: str, path: Path, **options: int | None) -> None:
    """Raise DataError if an option without effect is set."""
    if idle := [name for name, value in options.items() if value is not None]:
        raise DataError(f"{idle[0]} has no effect on {what}", source=str(path))


def _teams(path: Path, runs: FoundRuns, out: Path | None) -> Iterator[VerifiedRun]:
    """Yield the comparison of the team of a sweep, or of the team of each fold's sweep."""
    for folder in [path] if kind_of(path) is SWEEP else folders_in(path):
        if kind_of(folder) is not SWEEP:
            continue
        sweep, name = runs.sweep(folder), (folder / TEAM).relative_to(path).as_posix()
        if sweep.has_ended or (folder / TEAM).is_dir():
            try:
                found = verified_team(sweep, name, out and out / name)
            except SpecnetError as error:  # the comparisons of its trials have the details
                found = VerifiedRun(name, message=error.diagnostics[0].message)
            yield from [] if found is None else [found]


def _team(path: Path, runs: FoundRuns, out: Path | None) -> VerifiedRun:
    """Return the comparison of a single team."""
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
    """Return the verification of a single trial."""
    folder = Path(os.path.abspath(path))
    trial = read_trial(folder)
    assert trial is not None, "it has a record"
    sweep = runs.sweep(folder.parent.parent)
    run = runs.trial(sweep, trial, "")
    if trial.state != FINISHED:
        return Verification((run.checked(),))
    runs.add_trial(run)
    return verified_series(path, TRIAL, out, runs, jobs, force, observer, verbose)[0]


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
    given |= {"rows": run.facts.get(TRAINING_ROWS) is not None, "with_rows": run.facts.get(WITH_ROWS) is True}
    given |= {"jobs": jobs, "threads": threads, "cores": cores}
    outcome, fitted = train_run(spec, data, data.identity(), observer, **given)
    fitted.check_whole()
    language, text = text_saying(spec)
    contents = {f"spec.{language}": text, **outcome.files}
    if written is not None:
        written.write(contents)
    found = run.compared(contents, facts_of(contents), spec, table)
    return Verification((found,), folder=None if written is None else written.path)
