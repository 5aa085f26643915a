"""A run that was made again, beside the files in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from specnet.errors import DataError, FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import json_text, records_of
from specnet.files.recorded_hashes import changed_files, recorded_hashes
from specnet.files.run_files import (
    CHECKPOINT,
    FACTS,
    HELD_OUT,
    HISTORY,
    JOURNAL,
    MODEL,
    RESOLVED,
    RUN,
    SWEEP_FACTS,
    TRAINING_ROWS,
    WRITTEN,
    kind_of,
)
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.running.run_folder import LARGEST_CHECKPOINT
from specnet.running.training_run import Contents
from specnet.running.verification.compared_sweep import ComparedSweep
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
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_trials import Trial
from specnet.spec import Limits, Spec
from specnet.training import Checkpoint
from specnet.training.observer import Beginning

Files = Mapping[str, bytes]
_NOT_MADE = (*WRITTEN, FACTS, SWEEP_FACTS, JOURNAL)
"""Files that say more than can be made again: comments, and what depends on the machine and the time."""


class ComparedRun(SavedRun):
    """The folder of a run, a trial or a team whose files are compared with those of the same that is made again.

    Parameters
    ----------
    path : Path
    name : str
        Of the folder, as seen from that of all runs that are compared.
    epochs : int, optional
        How many epochs are made again at most; default: all.
    sweep : ComparedSweep, optional
        Of a trial, or of a team.
    trial : Trial, optional
    parts, limits : optional
        As for `SavedRun`.

    Attributes
    ----------
    text : str or None
        What its spec should be, where that follows from other files.
    conditions : mapping
        What its bits depended on, as ``run.json`` has it.
    files : mapping of str to bytes
        Those that are compared.
    hashes : mapping of str to str
        The SHA-256 that were recorded of them, by which those are checked that are not made again.
    beginning : Beginning or None
        What is made again of it, if not all: then only files are compared that say something of its beginning, unless
        there is a checkpoint of its end.
    """

    def __init__(
        self,
        path: Path,
        name: str = "",
        *,
        epochs: int | None = None,
        sweep: ComparedSweep | None = None,
        trial: Trial | None = None,
        parts: tuple[type[Part], ...] = (),
        limits: Limits | None = None,
    ) -> None:
        super().__init__(path, name, parts=parts, limits=limits)
        self.sweep, self.trial = sweep, trial
        self.text: str | None = None
        self._epochs = epochs

    @cached_property
    def conditions(self) -> Facts:
        return self.facts if self.sweep is None else self.sweep.conditions

    @cached_property
    def files(self) -> Files:
        if not self.path.is_dir():
            return {}
        with file_errors(self.path):
            files = [file for file in self.path.iterdir() if file_kind(file.name) in COMPARED and file.is_file()]
        kinds = OF_BEGINNING if self._is_cut else COMPARED
        return {file.name: read_file(file, LARGEST_CHECKPOINT) for file in files if file_kind(file.name) in kinds}

    @cached_property
    def hashes(self) -> Mapping[str, str]:
        if kind_of(self.path) is not RUN:  # of teams none are recorded
            return {}
        hashes = recorded_hashes(self.facts)
        if not hashes and self.sweep is None and isinstance(self.facts.get("model_sha256"), str):
            hashes = {MODEL: self.facts["model_sha256"]}  # as it was before there were others
        return {name: value for name, value in hashes.items() if not self._is_cut or name in (*WRITTEN, RESOLVED)}

    @cached_property
    def beginning(self) -> Beginning | None:
        if self._epochs is not None and self._is_cut:
            return Beginning(0, self._epochs)
        if self.sweep is not None or self.facts["finished"]:
            return None
        beginning = Beginning(len(self._reached) - 1, self._reached[-1])
        if beginning == (0, 0):
            message = "the run was interrupted before the end of its first epoch: there is nothing to compare"
            raise DataError(message, hint="resume it first", source=str(self.path))
        return beginning

    @cached_property
    def spec_again(self) -> Spec:
        """The spec that it is made again by.

        Raises
        ------
        SpecError, FileError
        """
        if self.given is None:
            what = "run" if self.trial is None else "trial"
            message = f"the {what} cannot be made again: its folder has no spec"
            raise FileError(message, source=str(self.path))
        return self.given

    def checked_again(self) -> Self:
        """Return it, if it can be made again and compared.

        Raises
        ------
        SpecnetError
        """
        _ = self.spec_again
        self.check_files()
        return self

    def check_files(self) -> None:
        """Read what is compared.

        Raises
        ------
        FileError
            If a file cannot be read.
        DataError
            If there is nothing to compare.
        """
        _ = self._reached, self.beginning, self.files, self.hashes

    @property
    def _is_cut(self) -> bool:
        """Whether fewer epochs are made again than it had."""
        return self._epochs is not None and self._epochs < self._reached[0]

    @cached_property
    def _reached(self) -> list[int]:
        """How many epochs each member was trained that had begun; the only network if it is no ensemble."""
        if self.trial is not None:
            history: list[dict[str, Any]] = self.read(HISTORY, lambda content: list(records_of(content)), [])
            epochs = (line.get("epoch") for line in history)
            return [max((epoch for epoch in epochs if type(epoch) is int), default=0)]
        return [each["epochs"] for each in self.checked_members(epochs=int)]

    def compared(self, contents: Contents, facts: Facts, spec: Spec, table: Table) -> VerifiedRun:
        """Return what differs.

        Parameters
        ----------
        contents : mapping
            The files as they were made again.
        facts : mapping
            What its bits depend on.
        spec : Spec
        table : Table

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
        inputs = tuple(input_changes(self.conditions, facts, self.files, now))
        predictions = None
        if not inputs and MODEL in then and MODEL in now and then[MODEL] != now[MODEL]:
            predictions = prediction_difference(then[MODEL], now[MODEL], spec, table)
        machine = tuple(machine_changes(self.conditions, facts))
        return checked_run(
            *(self.name, self.files, self.hashes, [*then, *now], found),
            beginning=self.beginning,
            inputs=inputs,
            machine=machine,
            predictions=predictions,
        )

    def checked(self) -> VerifiedRun:
        """Return which files were changed after the run, where none is made again."""
        new = in_order(self.files.keys() - self.hashes.keys() if self.hashes else ())
        found = [FileDifference(each, "the file", then="missing", now="exists") for each in new]
        return checked_run(self.name, self.files, self.hashes, [], found)

    @property
    def _has_end(self) -> bool:
        """Whether an interrupted run can be made again as far as it came: the checkpoint is one between epochs."""
        if CHECKPOINT not in self.files or self.conditions.get("finished") is not False:
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


def facts_of(contents: Contents) -> dict[str, Any]:
    """Return what ``run.json`` says among the files of a run."""
    facts: dict[str, Any] = json.loads(contents[FACTS])
    return facts


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
