"""What the folders of runs say, read for tables and comparisons: a broken one is told as such, and no error."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from specnet.errors import FileError, SpecnetError
from specnet.files import PathLike, file_errors, read_file
from specnet.files.locks import LOCK_NAME
from specnet.files.run_files import CHECKPOINT, FACTS, LARGEST_RECORD, RESOLVED, by_numbers
from specnet.files.series_files import BEST, SUMMARY, SWEEP_FACTS, TRIALS_TABLE, holds_trials, is_series, is_sweep
from specnet.report.terminal.run_table import RunRecord
from specnet.running.run_folder import RunFolder
from specnet.running.sweeps.sweep_folder import read_facts

DEEPEST = 3
"""Folders below the one that is searched: ``runs/<name>/<number>`` from the folder of ``runs`` on."""


def find_runs(folder: PathLike) -> list[Path]:
    """Return the folders of runs in a folder and those below it, in the order of their names, numbers by size.

    A sweep counts as one; its trials do not. Links to folders are not followed.

    Raises
    ------
    FileError
        If there is no such folder.
    """
    top = Path(folder)
    with file_errors(top):
        if not top.is_dir():
            message = "is a file; expected a folder of runs" if top.exists() else "no such folder"
            raise FileError(message, source=str(top))
        os.listdir(top)  # which may not be allowed
    return sorted(_runs_below(top, DEEPEST), key=lambda run: by_numbers(run.relative_to(top).as_posix()))


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    names = {entry.name for entry in entries}
    # A folder of folds or seeds is locked while it is written, but what is in it are runs.
    if SWEEP_FACTS in names or (names & {FACTS, CHECKPOINT, RESOLVED, LOCK_NAME} and SUMMARY not in names):
        yield folder
    elif depth and not holds_trials(folder):
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _runs_below(folder / entry.name, depth - 1)


def read_record(folder: Path, name: str | None = None) -> RunRecord:
    """Return what the folder of a run or a sweep says, whatever is in it."""
    name = str(folder) if name is None else name
    if is_sweep(folder):
        try:
            return _sweep_record(folder, name)
        except (SpecnetError, OSError) as error:
            return RunRecord(name, "broken", _problem(error, folder))
    if not (folder / FACTS).is_file():
        return RunRecord(name, "unfinished")
    try:
        return run_record(folder, name)
    except (SpecnetError, OSError) as error:
        return RunRecord(name, "broken", _problem(error, folder))


def run_record(folder: Path, name: str | None = None) -> RunRecord:
    """Return what the folder of a run says.

    Raises
    ------
    FileError
        If a file of it cannot be read.
    """
    run = RunFolder(folder)
    facts = run.facts()
    epochs = facts.get("epochs")
    return RunRecord(
        str(folder) if name is None else name,
        "finished" if facts["finished"] else "interrupted",
        metrics=_figures(run),
        seconds=_number(facts.get("training_seconds")),
        epochs=epochs if isinstance(epochs, int) and not isinstance(epochs, bool) else None,
        findings=tuple(finding.code for finding in run.findings()),
    )


def runs_for(folder: Path) -> list[Path]:
    """Return the runs for which a folder stands: itself, those on folds or with seeds, or the best one of a sweep.

    Raises
    ------
    FileError
        If it is one of folds or seeds, and none of them has finished.
    """
    if is_sweep(folder):
        return [folder / BEST]
    if (folder / FACTS).exists() or not is_series(folder):
        return [folder]
    with file_errors(folder):
        inner = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: by_numbers(path.name))
    runs = [path / BEST if is_sweep(path) else path for path in inner]
    found = [run for run in runs if (run / FACTS).is_file()]
    if not found:
        raise FileError("none of the runs in this folder has finished", source=str(folder))
    return found


def _sweep_record(folder: Path, name: str) -> RunRecord:
    """Return what a sweep has come to: the metrics of the run of its best trial, and the seconds of all trials."""
    facts, path = read_facts(folder), folder / TRIALS_TABLE
    trials, seconds = 0, 0.0
    if path.is_file():
        with file_errors(path):
            try:
                rows = list(csv.DictReader(io.StringIO(read_file(path, LARGEST_RECORD).decode(), newline="")))
                trials, seconds = len(rows), sum(float(row["seconds"]) for row in rows)
            except KeyError as error:
                raise FileError(f"not a valid table of trials: column {error} is missing") from error
            except (TypeError, ValueError, csv.Error) as error:
                raise FileError(f"not a valid table of trials: {error}") from error
    if facts.get("finished") is True and (folder / BEST / FACTS).is_file():
        return replace(run_record(folder / BEST, name), seconds=seconds, epochs=None, trials=trials)
    return RunRecord(name, "unfinished", seconds=seconds, trials=trials)


def _figures(run: RunFolder) -> dict[str, dict[str, float | None]]:
    return {
        str(split): {str(name): _number(value) for name, value in figures.items()}
        for split, figures in run.evaluation().metrics.items()
    }


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if is_number and math.isfinite(value) else None
    except OverflowError:  # an integer of hundreds of digits
        return None


def _problem(error: Exception, folder: Path) -> str:
    if not isinstance(error, SpecnetError):
        return str(error)
    diagnostic = error.diagnostics[0]
    file = Path(diagnostic.source).name if diagnostic.source else ""
    return f"{file}: {diagnostic.message}" if file and file != folder.name else diagnostic.message
