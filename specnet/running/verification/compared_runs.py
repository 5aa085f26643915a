"""The comparison of a reproduced run, trial or team with the files in its folder and in its sweep's folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from specnet.errors import DataError, FileError, SpecnetError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import changed_files, json_text, recorded_hashes, records_of
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.run_files import (
    BACKGROUND,
    BEST_SPECS,
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
    TRIALS_TABLE,
    WRITTEN,
    kind_of,
    resume_hint,
    trial_name,
    written_spec,
)
from specnet.running.repeated_runs import Repetition, repetitions
from specnet.running.run_folder import LARGEST_CHECKPOINT
from specnet.running.sweeps.coordinator import VERSIONS, identity_in, machines_in
from specnet.running.sweeps.teams import AS_WRITTEN
from specnet.running.sweeps.trial_judge import Judge
from specnet.running.training_run import Contents, library_versions
from specnet.running.verification.file_differences import (
    COMPARED,
    OF_BEGINNING,
    FileDifference,
    file_differences,
    file_kind,
    in_order,
)
from specnet.running.verification.result import (
    Facts,
    VerifiedRun,
    input_changes,
    machine_changes,
    prediction_difference,
)
from specnet.running.workers import THREADS, this_machine
from specnet.saved.metrics_file import read_csv
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_sweep import SavedSweep, Trial, best_trial, read_trials
from specnet.spec import Limits, Spec, parse_spec
from specnet.spec.expectations import EXPECT
from specnet.spec.parsing import document_saying
from specnet.spec.reading.source_document import Document
from specnet.spec.spec_writing import SpecWriter
from specnet.training import Checkpoint
from specnet.training.observer import Beginning


class ComparedSweep(SavedSweep):
    """The folder of a sweep, with the data to reproduce its trials, its best run and its team.

    Parameters and attributes are those of `SavedSweep`.
    """

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """The identity of the sweep: its spec, ``[sweep]`` and hashes of spec and data."""
        with file_errors(self.path / SWEEP_FACTS):
            return identity_in(self.record)

    @cached_property
    def all_ended(self) -> list[Trial]:
        """All trials that have ended, including trials that are not in the sweep's table of trials."""
        return read_trials(self.path, sys.maxsize)

    @cached_property
    def count(self) -> int:
        """The number of trials in the sweep's table of trials, which are the first ones."""
        path = self.path / TRIALS_TABLE
        return len(read_csv(path, "table of trials", dict) if path.is_file() else self.all_ended)

    @property
    def columns(self) -> list[str]:
        """The names of all settings that a trial may have."""
        sweep = self.facts.identity.sweep
        return [*(each.name for each in self.facts.dimensions()), *(key for each in sweep.candidates for key in each)]

    def trial_path(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.path / trial_name(number)

    def trial_spec(self, number: int) -> Spec | None:
        """Return the spec of a trial, or None if its folder has no spec."""
        path = written_spec(self.trial_path(number))
        return None if path is None else parse_spec(path, parts=self.parts, limits=self.limits)

    def best_of(self, trials: list[Trial]) -> tuple[Trial | None, dict[str, str]]:
        """Return the best of some trials (or None), and the name and text of the sweep's file with its spec."""
        best = best_trial(trials, self.facts.larger_is_better)
        spec = None if best is None else self.trial_spec(best.number)
        if spec is None:
            return best, {}
        writer = SpecWriter(document_saying(spec), spec.registry)
        return best, {f"best.{writer.format}": writer.text((), self.path)}

    @cached_property
    def spec(self) -> Spec:
        """The spec without ``[sweep]``; the paths of its data are read from the spec of a trial.

        Raises
        ------
        SpecError, FileError
            If the saved spec is invalid or missing.
        """
        found = self.trial_spec(AS_WRITTEN)
        if found is None:
            found = parse_spec(self.best_spec or self.path / BEST_SPECS[0], parts=self.parts, limits=self.limits)
        document = document_saying(found)
        resolved = self.identity["spec"]
        network = {key: value for key, value in resolved["network"].items() if key != "input_size"}
        of_folder = {key: document.data[key] for key in ("data", EXPECT) if key in document.data}
        data = {**resolved, "network": network, **of_folder}  # folds may have fewer categories
        return parse_spec(Document(data, folder=document.folder), parts=self.parts, limits=self.limits)

    def repetitions(self, spec: Spec) -> tuple[Repetition, ...]:
        """Return the repetitions (folds and seeds) of a trial with this spec."""
        sweep = self.identity["sweep"]
        folds, seeds = (sweep.get(name) if type(sweep.get(name)) is int else None for name in ("folds", "seeds"))
        return repetitions(spec, folds, seeds if seeds is not None and seeds > 1 else None, "validation")

    def judge(self, table: Table) -> Judge | None:
        """Return the judge of the trials, or None if the spec as written cannot be trained."""
        with suppress(SpecnetError):
            return Judge.of(self.spec, self.repetitions(self.spec), table, self.facts.metric)
        return None

    @staticmethod
    def conditions_now(sha256: str) -> dict[str, Any]:
        """Return the conditions that the exact results of trials depend on now, given the hash of their table."""
        return {VERSIONS: library_versions(), "threads": THREADS, "data_sha256": sha256, **this_machine()}

    @property
    def conditions(self) -> dict[str, Any]:
        """The recorded conditions of the trials; without a machine unless a single one computed all trials."""
        machines = machines_in(self.record)
        machine = machines[0] if len(machines) == 1 else {}
        sha256 = str(self.identity["data_sha256"])
        return {
            VERSIONS: self.record.get(VERSIONS),
            "threads": self.record.get("threads"),
            "data_sha256": sha256,
            **machine,
        }


Files = Mapping[str, bytes]
_NOT_MADE = (*WRITTEN, FACTS, SWEEP_FACTS, JOURNAL)
"""Files with content that cannot be reproduced: comments, and facts about the machine and the time."""


class ComparedRun(SavedRun):
    """The folder of a run, a trial or a team, whose files are compared with reproduced files.

    Parameters
    ----------
    path : Path
    name : str
        Name of the folder, relative to the folder of all compared runs.
    epochs : int, optional
        Maximum number of epochs to reproduce. Default: all.
    sweep : ComparedSweep, optional
        Sweep of the trial or of the team.
    trial : Trial, optional
    parts, limits : optional
        As for `SavedRun`.

    Attributes
    ----------
    text : str or None
        The expected text of its spec file, if other files determine it.
    conditions : mapping
        The recorded conditions that its exact results depended on, as in ``run.json``.
    files : mapping of str to bytes
        The compared files by name.
    hashes : mapping of str to str
        The recorded SHA-256 of files. They check the files that are not reproduced.
    beginning : Beginning or None
        The part of the training that is reproduced; None for all of it. With a beginning, only files with data about it
        are compared, unless the folder has a checkpoint of its end.
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
        if kind_of(self.path) is not RUN:  # no hashes are recorded for teams
            return {}
        hashes = recorded_hashes(self.facts)
        if not hashes and self.sweep is None and isinstance(self.facts.get("model_sha256"), str):
            hashes = {MODEL: self.facts["model_sha256"]}  # earlier versions recorded only this hash
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
            raise DataError(message, hint=resume_hint(self.path), source=str(self.path))
        return beginning

    @cached_property
    def spec_again(self) -> Spec:
        """The spec that reproduces the run or trial.

        Raises
        ------
        SpecError, FileError
            If the spec in the folder is invalid or missing.
        """
        if self.given is None:
            what = "run" if self.trial is None else "trial"
            message = f"the {what} cannot be made again: its folder has no spec"
            raise FileError(message, source=str(self.path))
        return self.given

    def checked_again(self) -> Self:
        """Return this run, after checking that it can be reproduced and compared.

        Raises
        ------
        SpecnetError
            If it cannot.
        """
        _ = self.spec_again
        self.check_files()
        return self

    def check_files(self) -> None:
        """Read the compared files.

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
        """Whether fewer epochs are reproduced than the run had."""
        return self._epochs is not None and self._epochs < self._reached[0]

    @cached_property
    def _reached(self) -> list[int]:
        """The number of epochs of each ensemble member that has begun; of the only network without an ensemble."""
        if self.trial is not None:
            history: list[dict[str, Any]] = self.read(HISTORY, lambda content: list(records_of(content)), [])
            epochs = (line.get("epoch") for line in history)
            return [max((epoch for epoch in epochs if type(epoch) is int), default=0)]
        return [each["epochs"] for each in self.checked_members(epochs=int)]

    def compared(self, contents: Contents, facts: Facts, spec: Spec, table: Table) -> VerifiedRun:
        """Return the comparison with reproduced files.

        Parameters
        ----------
        contents : mapping
            The reproduced files by name.
        facts : mapping
            The conditions now that the exact results depend on.
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
            if recorded.get(TRAINING_ROWS) is None:  # also None if the run saved no training rows
                made.pop(TRAINING_ROWS, None)
            now[FACTS] = json_text({key: value for key, value in made.items() if key in recorded}).encode()
        if not self.hashes:  # earlier versions did not save the outputs of trials
            now = {name: content for name, content in now.items() if name in then or file_kind(name) != HELD_OUT}
        if BACKGROUND not in self.files and BACKGROUND not in self.hashes:  # a run without rows, or of earlier versions
            now.pop(BACKGROUND, None)
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
        """Return the files that were changed after the run, by their recorded SHA-256; nothing is reproduced."""
        new = in_order(self.files.keys() - self.hashes.keys() if self.hashes else ())
        found = [FileDifference(each, "the file", then="missing", now="exists") for each in new]
        return checked_run(self.name, self.files, self.hashes, [], found)

    @property
    def _has_end(self) -> bool:
        """Whether an interrupted run can be reproduced to its end, because its checkpoint is between two epochs."""
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
    """Return the comparison of a folder: differences from reproduced files and from the recorded SHA-256.

    Parameters
    ----------
    name : str
        Name of the folder.
    files : mapping of str to bytes
        Files of the folder by name.
    hashes : mapping of str to str
        The recorded SHA-256.
    made : iterable of str
        Names of files that were reproduced or must exist.
    found : iterable of FileDifference
        Differences between files and reproduced files.
    record : str
        The file with the recorded SHA-256.
    **others
        Further attributes of `VerifiedRun`.
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
    """Return the contents of ``run.json`` from the files of a run."""
    facts: dict[str, Any] = json.loads(contents[FACTS])
    return facts


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
