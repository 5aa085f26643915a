"""A logger that writes JSON lines, as ``history.jsonl`` has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specnet.errors import FileError
from specnet.files import PathLike, check_place, file_errors, read_file, refuse_inputs, refuse_taken, write_file
from specnet.files.plain_data import json_lines
from specnet.files.run_files import LARGEST_RECORD, RUN
from specnet.loggers.logger import LoggedRun, Logger, Outcome
from specnet.spec.file_paths import input_files


class JsonLinesLogger(Logger):
    """Writes each record to a file as it comes: at the end the file equals ``history.jsonl``, byte for byte.

    A run that resumes continues the file from its checkpoint.

    Parameters
    ----------
    path : str or path-like
        The file; missing folders are made.
    overwrite : bool
        Overwrite an existing file that is not the log of the run that resumes.
    """

    def __init__(self, path: PathLike, *, overwrite: bool = True) -> None:
        self._path, self._overwrite = Path(path), overwrite

    def start(self, run: LoggedRun) -> None:
        check_place(self._path)
        hint = "choose another file for the log"
        refuse_inputs([self._path], input_files(run.spec), hint)
        if (
            run.folder is not None
            and RUN.has_file(self._path.name)
            and self._path.parent.resolve() == run.folder.resolve()
        ):
            raise FileError("the run writes this file itself", hint=hint, source=str(self._path))
        so_far = json_lines(run.history or ())
        if not self._overwrite and not (run.history is not None and self._continues(so_far)):
            refuse_taken(self._path)
        with file_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self._path, so_far)

    def _continues(self, so_far: str) -> bool:
        """Return whether the file is the log of a run with these lines, perhaps with more of them, or fewer."""
        if not self._path.exists():
            return True
        there, lines = read_file(self._path, LARGEST_RECORD), so_far.encode()
        return there.startswith(lines) or lines.startswith(there)

    def log(self, record: Mapping[str, Any]) -> None:
        # Opened for each line: nothing is left open however the run ends, and each line is in the file at once.
        with self._path.open("ab") as file:
            file.write(json_lines([record]).encode())

    def finish(self, outcome: Outcome) -> None:
        """Do nothing, whatever the outcome: each line is written already."""
