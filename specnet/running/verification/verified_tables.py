"""The files beside the folders of runs, written again from what these come to: tables, means, and the best spec."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from specnet.files import read_file
from specnet.files.plain_data import json_text
from specnet.files.recorded_hashes import recorded_hashes
from specnet.files.run_files import (
    BEST,
    LARGEST_RECORD,
    RUN,
    RUNS_TABLE,
    SUMMARY,
    SWEEP,
    SWEEP_FACTS,
    TEAM,
    TEAM_OF_SWEEP,
    TRIALS_TABLE,
    by_numbers,
    kind_of,
    trial_name,
)
from specnet.running.many.repeated_runs import series_tables
from specnet.running.many.repetitions import repetition_named
from specnet.running.sweeps.sweep_folder import IDENTITY
from specnet.running.sweeps.trial_records import table_text
from specnet.running.training_run import RunOutcome
from specnet.running.verification.compared_run import checked_run
from specnet.running.verification.compared_sweep import ComparedSweep
from specnet.running.verification.file_differences import OF_MANY, SECONDS, file_differences
from specnet.running.verification.found_runs import MISSING, FoundRuns, folders_in
from specnet.running.verification.result import VerifiedRun
from specnet.running.verification.verified_series import Result
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_series import RepeatedRun, read_runs
from specnet.saved.saved_trials import Trial
from specnet.saved.summary import csv_text, summarized

UNDER_WAY = "under way"


def verified_tables(path: Path, found: FoundRuns, results: Mapping[str, Result], sha256: str) -> list[VerifiedRun]:
    """Return what differs of the files beside runs in a folder, and in the sweeps in it.

    Parameters
    ----------
    path : Path
        Of folds or seeds, of a sweep, or of a sweep for each fold.
    found : FoundRuns
    results : mapping
        What runs come to that were made again, by their names; of the others, their folders say it.
    sha256 : str
        The hash of their table.

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
    """Return what differs of the table and the means of runs on folds and with seeds."""
    rows = {row.name: row for row in read_runs(path)} if (path / RUNS_TABLE).is_file() else {}
    inner = {each.name for each in folders_in(path) if kind_of(each) is RUN and repetition_named(each.name)}
    failed = {name for name, row in rows.items() if row.state != FINISHED}
    runs = [_run(path, name, results.get(name), rows.get(name)) for name in sorted(inner | failed, key=by_numbers)]
    return _compared(path, "", series_tables(runs), {})


def _run(path: Path, name: str, result: Result | None, row: RepeatedRun | None) -> RepeatedRun:
    """Return what a run comes to that was made again, or else what its folder or its row says."""
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
    """Return what differs of the table of trials, the best spec and the record of a sweep.

    Parameters
    ----------
    sweep : ComparedSweep
    before : str
        How the names of its runs begin.
    fold : int or None
        Which one it is of several sweeps.
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
    """Return what differs of the means of sweeps on folds, which their teams or best runs say."""
    metrics = []
    for sweep in sweeps:
        ends = [sweep / TEAM] if kind_of(sweep / TEAM) is TEAM_OF_SWEEP else [sweep / BEST]
        metrics += [SavedRun(end).evaluation.metrics for end in ends if kind_of(end) is not None]
    return _compared(path, "", {SUMMARY: json_text(summarized(metrics))}, {})


def _missing(sweep: ComparedSweep, path: Path) -> list[VerifiedRun]:
    """Return the sweeps that are missing beside one of several, each on a fold."""
    split = sweep.facts.identity.spec.get("data", {}).get("split", {})
    names = [f"fold{fold}" for fold in range(split.get("folds") or 0)]
    return [VerifiedRun(name, message=MISSING) for name in names if kind_of(path / name) is not SWEEP]


def _compared(path: Path, name: str, made: Mapping[str, str], hashes: Mapping[str, str]) -> VerifiedRun:
    """Return what differs of files in a folder; seconds in tables do not count."""
    files = {each: read_file(path / each, LARGEST_RECORD) for each in OF_MANY if (path / each).is_file()}
    then = {each: content for each, content in files.items() if each in made}
    now = {
        each: (_with_seconds(text, then[each]) if each in then and each.endswith(".csv") else text).encode()
        for each, text in made.items()
    }
    return checked_run(name, files, hashes, now, file_differences(path, then, now, None), SWEEP_FACTS)


def _with_seconds(text: str, then: bytes) -> str:
    """Return a table with the seconds of another one with the same rows."""
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    before = [*csv.reader(io.StringIO(then.decode(errors="replace"), newline=""))]
    column = next((place for place, name in enumerate(header) if name in SECONDS), None)
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
    """Return what differs of tables, and may differ because of the first run whose conditions do."""
    cause = next((run for run in runs if run.inputs or run.machine), None)
    if cause is None:
        return tables
    return [replace(table, inputs=cause.inputs, machine=cause.machine) for table in tables]
