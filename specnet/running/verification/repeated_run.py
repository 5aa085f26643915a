"""A run that was made again, beside what its folder keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specnet.errors import DataError, FileError
from specnet.files import file_errors, read_file
from specnet.files.run_files import CHECKPOINT, FACTS, MODEL
from specnet.parts.data import Table
from specnet.running.run_folder import LARGEST_CHECKPOINT
from specnet.running.training_run import Contents
from specnet.running.verification.condition_changes import Facts, input_changes, machine_changes
from specnet.running.verification.file_differences import COMPARED, OF_BEGINNING, file_differences, in_order, kind_of
from specnet.running.verification.prediction_differences import prediction_difference
from specnet.running.verification.result import VerifiedRun
from specnet.spec import Spec
from specnet.training import Checkpoint
from specnet.training.beginning import Beginning

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Kept:
    """What the folder of a run keeps.

    Attributes
    ----------
    path : Path
    facts : mapping
        What its bits depended on, as ``run.json`` has it.
    files : mapping of str to bytes
        Those that are compared.
    beginning : Beginning or None
        What is made again of it, if not all: then only files are compared that say something of its beginning, unless
        there is a checkpoint of its end.
    """

    path: Path
    facts: Facts
    files: Files
    beginning: Beginning | None

    def compared(self, contents: Contents, facts: Facts, spec: Spec, table: Table, name: str = "") -> VerifiedRun:
        """Return what differs.

        Parameters
        ----------
        contents : mapping
            The files of the run as it was made again.
        facts : mapping
            What its bits depend on.
        spec : Spec
        table : Table
        name : str

        Raises
        ------
        FileError
            If a file in the folder is damaged.
        """
        is_whole = self.beginning is None or CHECKPOINT in self.files
        kinds = COMPARED if is_whole else OF_BEGINNING
        then = {name: content for name, content in self.files.items() if kind_of(name) in kinds}
        now = {name: _bytes(content) for name, content in contents.items() if kind_of(name) in kinds}
        differences = tuple(file_differences(self.path, then, now, None if is_whole else self.beginning))
        inputs = tuple(input_changes(self.facts, facts, self.files, now))
        predictions = None
        if not inputs and MODEL in then and MODEL in now and then[MODEL] != now[MODEL]:
            predictions = prediction_difference(then[MODEL], now[MODEL], spec, table)
        machine = tuple(machine_changes(self.facts, facts))
        files = in_order({*then, *now})
        return VerifiedRun(name, tuple(files), differences, inputs, machine, predictions, self.beginning)


def kept_run(path: Path, facts: Facts, epochs: int | None) -> Kept:
    """Return what the folder of a run keeps.

    Parameters
    ----------
    path : Path
    facts : mapping
        What its ``run.json`` says.
    epochs : int or None
        How many epochs are to be made again, at most.

    Raises
    ------
    FileError
        If a file cannot be read.
    DataError
        If there is nothing to compare.
    """
    reached = _reached(path, facts)
    beginning = None if facts["finished"] else Beginning(len(reached) - 1, reached[-1])
    files = {name: content for name, content in read_files(path).items() if name in COMPARED}
    checkpoint = files.pop(CHECKPOINT, None)
    if epochs is not None and epochs < reached[0]:
        beginning = Beginning(0, epochs)
    elif beginning is not None and checkpoint is not None and _is_between_epochs(path, checkpoint):
        files[CHECKPOINT] = checkpoint
    if beginning == (0, 0):
        message = "the run was interrupted before the end of its first epoch: there is nothing to compare"
        raise DataError(message, hint="resume it first", source=str(path))
    return Kept(path, facts, files, beginning)


def read_files(path: Path) -> dict[str, bytes]:
    """Return the files of a folder that are compared.

    Raises
    ------
    FileError
        If one cannot be read.
    """
    with file_errors(path):
        files = [file for file in path.iterdir() if kind_of(file.name) is not None and file.is_file()]
    return {file.name: read_file(file, LARGEST_CHECKPOINT) for file in files}


def facts_of(contents: Contents) -> dict[str, Any]:
    """Return what ``run.json`` says among the files of a run."""
    facts: dict[str, Any] = json.loads(contents[FACTS])
    return facts


def _reached(path: Path, facts: Facts) -> list[int]:
    """Return how many epochs each member of a run was trained that had begun; the only network if it is no ensemble."""
    members = facts.get("members", [facts])
    if isinstance(members, list) and members and all(map(_has_epochs, members)):
        return [each["epochs"] for each in members]
    raise FileError('not a valid record of a run: "epochs" must be a number', source=str(path / FACTS))


def _has_epochs(facts: Any) -> bool:
    return isinstance(facts, Mapping) and type(facts.get("epochs")) is int


def _is_between_epochs(path: Path, content: bytes) -> bool:
    with file_errors(path / CHECKPOINT):
        return not Checkpoint.from_bytes(content).facts["so_far"][0]


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
