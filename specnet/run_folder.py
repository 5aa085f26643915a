"""The folder of a run: what is in it, who may write it, and how an interrupted run is found again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from specnet.errors import FileError, TakenError
from specnet.files import (
    PathLike,
    check_place,
    file_errors,
    read_file,
    remove_temporary_files,
    write_file,
    write_files,
)
from specnet.spec.document import TrainingSpec
from specnet.tensor_file import parse_object
from specnet.training import Checkpoint
from specnet.training.checkpoint import checked_history, is_number

MODEL = "model.safetensors"
HISTORY = "history.jsonl"
METRICS = "metrics.json"
FACTS = "run.json"
RESOLVED = "spec.resolved.json"
CHECKPOINT = "checkpoint.safetensors"
RUN_FILES = ("spec.toml", "spec.json", RESOLVED, MODEL, HISTORY, METRICS, FACTS, CHECKPOINT)
"""All that a run writes; what `force` may replace."""
ENDS = ("finished", "interrupted")
LARGEST_CHECKPOINT = 2**36
LARGEST_RECORD = 2**30


class RunIdentity(NamedTuple):
    """What a run is about: the same spec on the same data give the same run.

    Attributes
    ----------
    spec_sha256 : str
        Of the resolved spec.
    data_sha256 : str
        Of what was read.
    """

    spec_sha256: str
    data_sha256: str

    def __str__(self) -> str:
        return " ".join(self)


class RunFolder:
    """The folder that a run writes.

    Parameters
    ----------
    path : Path
    resumes : bool
        Whether the run goes on from a checkpoint that is there; otherwise that is of an earlier run.
    """

    def __init__(self, path: Path, *, resumes: bool = False) -> None:
        self.path = path
        self._owns_checkpoint = resumes

    @property
    def is_finished(self) -> bool:
        """Whether a run has come to its end here."""
        return (self.path / FACTS).is_file() and self.facts()["end"] == "finished" and not self._checkpoint.exists()

    def check_same(self, identity: RunIdentity) -> None:
        """Refuse to take a finished run for one of another spec or on other data.

        Raises
        ------
        FileError
            If ``run.json`` is about another run.
        """
        facts = self.facts()
        if any(facts.get(name) != value for name, value in identity._asdict().items()):
            hint = "give another --out, or --force to replace it"
            raise FileError("the run in this folder is another one, and it has ended", hint=hint, source=str(self.path))

    def facts(self) -> dict[str, Any]:
        """Return what ``run.json`` says."""
        facts = self._record(FACTS)
        if facts.get("end") not in ENDS:
            raise FileError("this is no record of a run: it does not say how it ended", source=str(self.path / FACTS))
        return facts

    def metrics(self) -> dict[str, dict[str, float | None]]:
        """Return what ``metrics.json`` says."""
        metrics = self._record(METRICS)
        for split, figures in metrics.items():
            if not isinstance(figures, dict) or not all(item is None or is_number(item) for item in figures.values()):
                raise FileError(f"the figures of {split!r} are no numbers", source=str(self.path / METRICS))
        return metrics

    def history(self) -> list[dict[str, Any]]:
        """Return the lines of ``history.jsonl``."""
        with file_errors(self.path / HISTORY):
            lines = read_file(self.path / HISTORY, LARGEST_RECORD).splitlines()
            return checked_history([parse_object(line, f"line {number}") for number, line in enumerate(lines, 1)])

    def checkpoint(self, identity: RunIdentity, training: TrainingSpec) -> Checkpoint | None:
        """Return the checkpoint of an interrupted run, None if there is none.

        Parameters
        ----------
        identity : RunIdentity
            A checkpoint of another run is an error.
        training : TrainingSpec
            How it trains; a checkpoint that cannot be of such a run is an error.
        """
        if not self._owns_checkpoint or not self._checkpoint.exists():
            return None
        with file_errors(self._checkpoint):
            checkpoint = Checkpoint.from_bytes(read_file(self._checkpoint, LARGEST_CHECKPOINT))
            if checkpoint.run != str(identity):
                hint = "only the same spec on the same data can go on from here; --force starts anew"
                raise FileError("this checkpoint is of another run", hint=hint)
            reached, plateau = checkpoint.facts["epochs"], training.optimizer.plateau()
            if reached >= training.epochs:
                raise FileError(f"this checkpoint is damaged: it is of epoch {reached} of {training.epochs}")
            if (checkpoint.facts["plateau"] is None) != (plateau is None):
                raise FileError("this checkpoint is damaged: it is of another schedule")
        return checkpoint

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in place of the one before."""
        content = checkpoint.to_bytes()
        try:
            write_file(self._checkpoint, content)
        except BaseException:
            # Ctrl-C may come when it is there already, and not yet forced to the disk.
            self._owns_checkpoint |= self._checkpoint.is_file() and self._checkpoint.read_bytes() == content
            raise
        self._owns_checkpoint = True

    def write(self, contents: Mapping[str, str | bytes]) -> None:
        """Write files by name, the facts last, and take away what an earlier run has left; or write none of them."""
        write_files({self.path / name: contents[name] for name in sorted(contents, key=lambda name: name == FACTS)})
        for stale in {"spec.toml", "spec.json"} - contents.keys():
            (self.path / stale).unlink(missing_ok=True)
        if not self._owns_checkpoint:
            self.end()

    def end(self) -> None:
        """Take the checkpoint away: the run has come to its end."""
        self._checkpoint.unlink(missing_ok=True)

    @property
    def _checkpoint(self) -> Path:
        return self.path / CHECKPOINT

    def _record(self, name: str) -> dict[str, Any]:
        with file_errors(self.path / name):
            return parse_object(read_file(self.path / name, LARGEST_RECORD), "this record of a run")


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
    """Give the folder to write, made if it is missing, and take it away again then if the run writes nothing.

    Raises
    ------
    TakenError
        If it has something in it, and neither `force` nor `resume` allows that, or the name of a file to be written is
        taken by something else.
    """
    path = Path(out)
    with file_errors(path):
        is_file = path.exists() and not path.is_dir()
        entries = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    if is_file:
        raise TakenError("this is a file, and a run writes a folder", source=os.fspath(out))
    if entries and not (force or resume):
        what = f"the folder has {entries[0]}" + (f" and {len(entries) - 1} more" if len(entries) > 1 else "") + " in it"
        hint = "give another --out, --resume to go on with an interrupted run, or --force to replace an earlier one"
        raise TakenError(what, hint=hint, source=os.fspath(out))
    for name in RUN_FILES:
        try:
            check_place(path / name)
        except FileError as error:
            raise TakenError(*error.diagnostics) from error
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        with file_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            remove_temporary_files(path)
        yield RunFolder(path, resumes=resume)
    except BaseException:
        with suppress(OSError):
            for folder in missing:
                folder.rmdir()
        raise
