"""Runs as a page lays them side by side, read from their folders."""

from __future__ import annotations

from pathlib import Path

from specnet.errors import FileError
from specnet.files.runs import check_run
from specnet.report.comparison import ComparedRun
from specnet.running.folder import RunFolder
from specnet.running.reading import resolved_spec
from specnet.running.records import run_record
from specnet.spec import Limits


def compared_run(folder: Path, limits: Limits | None = None) -> ComparedRun:
    """Return what the folder of a run says.

    Raises
    ------
    SpecError, FileError
        If it is not the folder of a run, or a file of it cannot be read.
    """
    check_run(folder)
    run = RunFolder(folder)
    record, history = run_record(folder), run.history()
    if not history:
        raise FileError("the history of the run is empty", source=str(folder))
    return ComparedRun(record, resolved_spec(folder, limits), history)
