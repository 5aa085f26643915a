"""The folder of a run: what is in it, who may write it, and how an interrupted run is found again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from specnet.errors import FileError
from specnet.files import PathLike, file_errors, read_file, remove_temporary_files, write_file
from specnet.training import Checkpoint

MODEL = "model.safetensors"
HISTORY = "history.jsonl"
METRICS = "metrics.json"
FACTS = "run.json"
RESOLVED = "spec.resolved.json"
CHECKPOINT = "checkpoint.safetensors"
RUN_FILES = ("spec.toml", "spec.json", RESOLVED, MODEL, HISTORY, METRICS, FACTS, CHECKPOINT)
"""All that a run writes; what `force` may replace."""
LARGEST_CHECKPOINT = 2**36
LARGEST_RECORD = 2**30


class FolderTakenError(FileError):
    """The folder that a run should write has something in it."""

    code = "folder-taken"


class RunFolder:
    """The folder that a run writes.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_finished(self) -> bool:
        """Whether a run has come to its end here."""
        return (self.path / FACTS).is_file() and self.facts()["end"] == "finished" and not self._checkpoint.exists()

    def check_same(self, **hashes: str) -> None:
        """Refuse to take a finished run for one of another spec or on other data.

        Raises
        ------
        FileError
            If ``run.json`` has other hashes under these names.
        """
        facts = self.facts()
        if any(facts.get(name) != value for name, value in hashes.items()):
            hint = "give another --out, or --force to replace it"
            raise FileError("the run in this folder is another one, and it has ended", hint=hint, source=str(self.path))

    def facts(self) -> dict[str, Any]:
        """Return what ``run.json`` says."""
        return self._record(FACTS)

    def metrics(self) -> dict[str, dict[str, float | None]]:
        """Return what ``metrics.json`` says."""
        return self._record(METRICS)

    def history(self) -> list[dict[str, Any]]:
        """Return the lines of ``history.jsonl``."""
        lines = read_file(self.path / HISTORY, LARGEST_RECORD).decode().splitlines()
        return [json.loads(line) for line in lines]

    def checkpoint(self, run: str) -> Checkpoint | None:
        """Return the checkpoint of an interrupted run, None if there is none.

        Parameters
        ----------
        run : str
            What the run is about; a checkpoint of another run is an error.
        """
        if not self._checkpoint.exists():
            return None
        with file_errors(self._checkpoint):
            checkpoint = Checkpoint.from_bytes(read_file(self._checkpoint, LARGEST_CHECKPOINT))
            if checkpoint.run != run:
                hint = "only the same spec on the same data can go on from here; --force starts anew"
                raise FileError("this checkpoint is of another run", hint=hint)
        return checkpoint

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in place of the one before."""
        write_file(self._checkpoint, checkpoint.to_bytes())

    def write(self, texts: Mapping[str, str]) -> None:
        """Write text files by name, the facts last, and take away what an earlier run has left."""
        for name in sorted(texts, key=lambda name: name == FACTS):
            write_file(self.path / name, texts[name])
        for stale in {"spec.toml", "spec.json"} - texts.keys():
            (self.path / stale).unlink(missing_ok=True)

    def end(self) -> None:
        """Take the checkpoint away: the run has come to its end."""
        self._checkpoint.unlink(missing_ok=True)

    @property
    def _checkpoint(self) -> Path:
        return self.path / CHECKPOINT

    def _record(self, name: str) -> dict[str, Any]:
        with file_errors(self.path / name):
            try:
                record: dict[str, Any] = json.loads(read_file(self.path / name, LARGEST_RECORD))
            except ValueError as error:
                raise FileError(f"this is no record of a run: {error}") from error
        return record


def new_folder(name: str | None) -> Path:
    """Make and return the folder of the next run of that name: ``runs/<name>/<number>``."""
    runs = Path("runs") / (name or "unnamed")
    with file_errors(runs):
        runs.mkdir(parents=True, exist_ok=True)
        number = 1 + max((int(entry.name) for entry in runs.iterdir() if entry.name.isdecimal()), default=0)
        while True:
            try:
                (runs / str(number)).mkdir()
            except FileExistsError:
                number += 1
            else:
                return runs / str(number)


@contextmanager
def reserved_folder(out: PathLike, *, force: bool, resume: bool) -> Iterator[RunFolder]:
    """Give the folder to write, made if it is missing, and take it away again if the run writes nothing.

    Raises
    ------
    FolderTakenError
        If it has something in it, and neither `force` nor `resume` allows that.
    """
    path = Path(out)
    with file_errors(path):
        is_file = path.exists() and not path.is_dir()
        entries = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    if is_file:
        raise FolderTakenError("this is a file, and a run writes a folder", source=os.fspath(out))
    if entries and not (force or resume):
        what = f"the folder has {entries[0]}" + (f" and {len(entries) - 1} more" if len(entries) > 1 else "") + " in it"
        hint = "give another --out, --resume to go on with an interrupted run, or --force to replace an earlier one"
        raise FolderTakenError(what, hint=hint, source=os.fspath(out))
    folder = RunFolder(path)
    with file_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        remove_temporary_files(path)
        if not resume:
            folder.end()
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            path.rmdir()
        raise
