"""A run that was made again, beside what its folder keeps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specnet.errors import DataError, FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import json_text
from specnet.files.recorded_hashes import changed_files, recorded_hashes
from specnet.files.run_files import (
    CHECKPOINT,
    FACTS,
    HELD_OUT,
    JOURNAL,
    MODEL,
    RESOLVED,
    SWEEP_FACTS,
    TRAINING_ROWS,
    WRITTEN,
)
from specnet.parts.data import Table
from specnet.running.run_folder import LARGEST_CHECKPOINT
from specnet.running.training_run import Contents
from specnet.running.verification.condition_changes import Facts, input_changes, machine_changes
from specnet.running.verification.file_differences import (
    COMPARED,
    OF_BEGINNING,
    FileDifference,
    file_differences,
    file_kind,
    in_order,
)
from specnet.running.verification.prediction_differences import prediction_difference
from specnet.running.verification.result import VerifiedRun
from specnet.spec import Spec
from specnet.training import Checkpoint
from specnet.training.observer import Beginning

Files = Mapping[str, bytes]
_NOT_MADE = (*WRITTEN, FACTS, SWEEP_FACTS, JOURNAL)
"""Files that say more than can be made again: comments, and what depends on the machine and the time."""


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
    hashes : mapping of str to str
        The SHA-256 that were recorded of them, by which those are checked that are not made again.
    beginning : Beginning or None
        What is made again of it, if not all: then only files are compared that say something of its beginning, unless
        there is a checkpoint of its end.
    """

    path: Path
    facts: Facts
    files: Files
    hashes: Mapping[str, str]
    beginning: Beginning | None = None

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
        is_whole = self.beginning is None or self._has_end
        kinds = [kind for kind in (COMPARED if is_whole else OF_BEGINNING) if self.beginning is None or kind != FACTS]
        then = {name: content for name, content in self.files.items() if file_kind(name) in kinds}
        now = {name: _bytes(content) for name, content in contents.items() if file_kind(name) in kinds}
        if FACTS in then and FACTS in now:  # earlier versions recorded less
            recorded, made = json.loads(then[FACTS]), json.loads(now[FACTS])
            if recorded.get(TRAINING_ROWS) is None:  # nor where it was to store no rows
                made.pop(TRAINING_ROWS, None)
            now[FACTS] = json_text({key: value for key, value in made.items() if key in recorded}).encode()
        if not self.hashes:  # earlier versions did not save what trials answer
            now = {name: content for name, content in now.items() if name in then or file_kind(name) != HELD_OUT}
        found = [*file_differences(self.path, then, now, None if is_whole else self.beginning)]
        inputs = tuple(input_changes(self.facts, facts, self.files, now))
        predictions = None
        if not inputs and MODEL in then and MODEL in now and then[MODEL] != now[MODEL]:
            predictions = prediction_difference(then[MODEL], now[MODEL], spec, table)
        machine = tuple(machine_changes(self.facts, facts))
        return checked_run(
            *(name, self.files, self.hashes, [*then, *now], found),
            beginning=self.beginning,
            inputs=inputs,
            machine=machine,
            predictions=predictions,
        )

    def checked(self, name: str) -> VerifiedRun:
        """Return which files were changed after the run, where none is made again."""
        new = in_order(self.files.keys() - self.hashes.keys() if self.hashes else ())
        found = [FileDifference(each, "the file", then="missing", now="exists") for each in new]
        return checked_run(name, self.files, self.hashes, [], found)

    @property
    def _has_end(self) -> bool:
        """Whether an interrupted run can be made again as far as it came: the checkpoint is one between epochs."""
        if CHECKPOINT not in self.files or self.facts.get("finished") is not False:
            return False
        with file_errors(self.path / CHECKPOINT):
            return not Checkpoint.from_bytes(self.files[CHECKPOINT]).facts["so_far"][0]


def checked_run(
    name: str,
    files: Files,
    hashes: Mapping[str, str],
    made: Iterable[str],
    found: Iterable[FileDifference],
    record: str = FACTS,
    **others: Any,
) -> VerifiedRun:
    """Return what differs of the files of a folder, made again or not, with what their recorded SHA-256 say.

    Parameters
    ----------
    name : str
        Of the folder.
    files : mapping of str to bytes
        What is in it.
    hashes : mapping of str to str
        The recorded SHA-256.
    made : iterable of str
        The files that were made again, or should be there.
    found : iterable of FileDifference
        How they differ.
    record : str
        The file that has the SHA-256.
    **others
        As for `VerifiedRun`.
    """
    differences = {each.file: each for each in found}
    for file, then, now in changed_files(hashes, {file: files[file] for file in hashes if file in files}, record):
        known = differences.get(file) or FileDifference(file, "SHA-256", then=then, now=now or "missing")
        differences[file] = replace(known, is_changed=True, largest=None)
    named = {*files, *made}
    checked = {file for file in made if file_kind(file) not in _NOT_MADE} | (named & hashes.keys())
    return VerifiedRun(
        name,
        tuple(in_order(checked)),
        tuple(differences[file] for file in in_order(differences)),
        unchecked=tuple(in_order(named - checked)),
        **others,
    )


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
    reached, files, hashes = _reached(path, facts), read_files(path), recorded_hashes(facts)
    if not hashes and isinstance(facts.get("model_sha256"), str):  # as it was before there were others
        hashes = {MODEL: facts["model_sha256"]}
    if epochs is not None and epochs < reached[0]:
        return kept_beginning(Kept(path, facts, files, hashes), epochs)
    beginning = None if facts["finished"] else Beginning(len(reached) - 1, reached[-1])
    if beginning == (0, 0):
        message = "the run was interrupted before the end of its first epoch: there is nothing to compare"
        raise DataError(message, hint="resume it first", source=str(path))
    return Kept(path, facts, files, hashes, beginning)


def kept_beginning(kept: Kept, epochs: int) -> Kept:
    """Return what is compared of a run of which only the first epochs are made again."""
    files = {name: content for name, content in kept.files.items() if file_kind(name) in OF_BEGINNING}
    hashes = {name: value for name, value in kept.hashes.items() if name in (*WRITTEN, RESOLVED)}
    return replace(kept, files=files, hashes=hashes, beginning=Beginning(0, epochs))


def read_files(path: Path) -> dict[str, bytes]:
    """Return the files of the folder of a run, a trial or a team that are compared.

    Raises
    ------
    FileError
        If one cannot be read.
    """
    with file_errors(path):
        files = [file for file in path.iterdir() if file_kind(file.name) in COMPARED and file.is_file()]
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


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
