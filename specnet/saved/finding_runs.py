"""The results in a folder and below it: found, and what each of them is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from specnet.errors import FileError, SpecnetError
from specnet.files import PathLike, file_errors, is_temporary
from specnet.files.locks import LOCK_NAME
from specnet.files.run_files import (
    BEST,
    NESTED,
    RUN,
    SERIES,
    SWEEP,
    UNFINISHED,
    by_numbers,
    holds_trials,
    kind_of,
    parts_of,
)
from specnet.saved.saved_folder import BROKEN, SavedFolder
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_series import SavedSeries
from specnet.saved.saved_sweep import SavedSweep

DEEPEST = 3
"""Folders below the one that is searched: ``runs/<name>/<number>`` from the folder of ``runs`` on."""
_KINDS = (RUN, SWEEP, SERIES, NESTED)


def find_runs(folder: PathLike) -> list[Path]:
    """Return the folders of runs in a folder and those below it, in the order of their names, numbers by size.

    A sweep counts as one, and so do runs on folds or with seeds unless their folder is the one that is searched. Links
    to folders are not followed.

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
    found = _runs_in(top, DEEPEST) if kind_of(top) in (SERIES, NESTED) else _runs_below(top, DEEPEST)
    return sorted(found, key=lambda run: by_numbers(run.relative_to(top).as_posix()))


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder if it is a run or several, else those that are below it."""
    try:
        names = set(os.listdir(folder))
    except OSError:
        return
    if kind_of(folder) in _KINDS or names & {*UNFINISHED, LOCK_NAME}:
        yield folder
    elif depth and not holds_trials(folder):
        yield from _runs_in(folder, depth)


def _runs_in(folder: Path, depth: int) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False) and not is_temporary(entry.name):
            yield from _runs_below(folder / entry.name, depth - 1)


def saved_in(folder: Path, name: str | None = None) -> SavedFolder:
    """Return what a folder holds, whatever is in it; one whose files cannot be read is broken, with what is wrong."""
    kind = kind_of(folder)
    try:
        if kind is RUN:
            saved: SavedFolder = SavedRun(folder, name)
        elif kind is SWEEP:
            saved = SavedSweep(folder, name)
        elif kind is SERIES or kind is NESTED:
            saved = SavedSeries(folder, name, [saved_in(run, run.name) for run in find_runs(folder)])
        else:
            saved = SavedFolder(folder, name)
        saved.row()
    except (SpecnetError, OSError) as error:
        saved = SavedFolder(folder, name)
        saved.state, saved.message = BROKEN, _problem(error, folder)
    return saved


def _problem(error: Exception, folder: Path) -> str:
    if not isinstance(error, SpecnetError):
        return str(error)
    diagnostic = error.diagnostics[0]
    file = Path(diagnostic.source).name if diagnostic.source else ""
    return f"{file}: {diagnostic.message}" if file and file != folder.name else diagnostic.message


def runs_for(folder: Path) -> list[Path]:
    """Return the runs that a folder stands for: itself, those on folds or with seeds, or the best one of a sweep.

    Raises
    ------
    FileError
        If it is one of folds or seeds, and none of them has finished.
    """
    kind = kind_of(folder)
    if kind is SWEEP:
        return [folder / BEST]
    if kind is not SERIES and kind is not NESTED:
        return [folder]
    runs = [path / BEST if kind is NESTED else path for path in parts_of(folder, kind)]
    found = [run for run in runs if kind_of(run) is RUN]
    if not found:
        raise FileError("none of the runs in this folder has finished", source=str(folder))
    return found
