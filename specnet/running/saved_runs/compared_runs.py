"""Runs as a page lays them side by side, read from their folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from specnet.errors import FileError
from specnet.files.run_files import check_run
from specnet.report.terminal.run_table import RunRecord
from specnet.running.run_folder import RunFolder
from specnet.running.saved_runs.run_records import run_record
from specnet.running.saved_runs.saved_specs import resolved_spec
from specnet.spec import Limits


def compared_run(folder: Path, limits: Limits | None = None) -> RunRecord:
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
    return replace(record, spec=resolved_spec(folder, limits), history=history)
