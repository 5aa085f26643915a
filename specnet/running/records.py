"""What the folders of runs say, read for tables and comparisons: a broken one is told as such, and no error."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specnet.errors import FileError, SpecnetError
from specnet.files import PathLike, file_errors, read_file
from specnet.files.locks import LOCK_NAME
from specnet.files.runs import FACTS, LARGEST_RECORD, RESOLVED, by_numbers
from specnet.files.tensors import parse_json
from specnet.report.run_table import RunRecord
from specnet.running.folder import CHECKPOINT, RunFolder

FINDINGS = "findings.json"
DEEPEST = 3
"""Folders below the one that is searched: ``runs/<name>/<number>`` from the folder of ``runs`` on."""


def find_runs(folder: PathLike) -> list[Path]:
    """Return the folders of runs in a folder and those below it, in the order of their names, numbers by size.

    Links to folders are not followed.

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
    if names & {FACTS, CHECKPOINT, RESOLVED, LOCK_NAME}:
        yield folder
    elif depth:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _runs_below(folder / entry.name, depth - 1)


def read_record(folder: Path, name: str | None = None) -> RunRecord:
    """Return what the folder of a run says, whatever is in it."""
    name = str(folder) if name is None else name
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
        findings=_findings(folder),
    )


def _figures(run: RunFolder) -> dict[str, dict[str, float | None]]:
    return {
        str(split): {str(name): _number(value) for name, value in figures.items()}
        for split, figures in run.evaluation().metrics.items()
    }


def _findings(folder: Path) -> tuple[str, ...]:
    """Return the codes of a run's findings; none for a run that did not write any."""
    if not (folder / FINDINGS).exists():
        return ()
    with file_errors(folder / FINDINGS):
        found = parse_json(read_file(folder / FINDINGS, LARGEST_RECORD), "the findings of the run")
    entries = found.get("findings") if isinstance(found, dict) else found
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FileError("the findings of the run are not a list", source=str(folder / FINDINGS))
    return tuple(str(entry.get("code")) for entry in entries)


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
