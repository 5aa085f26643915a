"""What the folder of a sweep says of its search, by which trials, the best run and the team are made again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from specnet.errors import SpecnetError
from specnet.files import file_errors
from specnet.files.run_files import BEST_SPECS, SWEEP_FACTS, TRIALS_TABLE, trial_name, written_spec
from specnet.parts.data import Table
from specnet.running.machine import library_versions
from specnet.running.many.repetitions import Repetition, repetitions
from specnet.running.many.run_tasks import THREADS, this_machine
from specnet.running.sweeps.sweep_folder import VERSIONS, identity_in, machines_in
from specnet.running.sweeps.teams import AS_WRITTEN
from specnet.running.sweeps.trial_judge import Judge
from specnet.saved.saved_sweep import SavedSweep, read_sweep_facts
from specnet.saved.saved_trials import Trial, best_trial, read_trials
from specnet.saved.summary import read_csv
from specnet.spec import Spec, parse_spec
from specnet.spec.parsing import document_saying
from specnet.spec.reading.source_document import Document
from specnet.spec.spec_writing import SpecWriter


class ComparedSweep(SavedSweep):
    """The folder of a sweep, with what its trials, its best run and its team are made again by.

    Parameters and attributes are those of `SavedSweep`.
    """

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """What ``sweep.json`` says, also beside what is checked."""
        return read_sweep_facts(self.path)

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """What the sweep is about."""
        with file_errors(self.path / SWEEP_FACTS):
            return identity_in(self.record)

    @property
    def has_ended(self) -> bool:
        """Whether all trials have ended."""
        return self.record.get("finished") is True

    @cached_property
    def all_ended(self) -> list[Trial]:
        """The trials that have ended, also those that the sweep has not taken into account."""
        return read_trials(self.path, sys.maxsize)

    @cached_property
    def count(self) -> int:
        """How many trials the sweep has taken into account, which are the first ones."""
        path = self.path / TRIALS_TABLE
        return len(read_csv(path, "table of trials", dict) if path.is_file() else self.all_ended)

    @property
    def columns(self) -> list[str]:
        """The names of all that a trial may have as settings."""
        sweep = self.facts.identity.sweep
        return [*(each.name for each in self.facts.dimensions()), *(key for each in sweep.candidates for key in each)]

    def trial_path(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.path / trial_name(number)

    def trial_spec(self, number: int) -> Spec | None:
        """Return the spec of a trial, None if there is none."""
        path = written_spec(self.trial_path(number))
        return None if path is None else parse_spec(path, parts=self.parts, limits=self.limits)

    def best_of(self, trials: list[Trial]) -> tuple[Trial | None, dict[str, str]]:
        """Return the best of some trials, and the file of its spec in the folder of the sweep, by its name."""
        best = best_trial(trials, self.facts.larger_is_better)
        spec = None if best is None else self.trial_spec(best.number)
        if spec is None:
            return best, {}
        writer = SpecWriter(document_saying(spec), spec.registry)
        return best, {f"best.{writer.format}": writer.text((), self.path)}

    @cached_property
    def spec(self) -> Spec:
        """The spec without ``[sweep]``; where its rows are, a trial says that has the same data.

        Raises
        ------
        SpecError, FileError
        """
        found = self.trial_spec(AS_WRITTEN)
        if found is None:
            found = parse_spec(self.best_spec or self.path / BEST_SPECS[0], parts=self.parts, limits=self.limits)
        document = document_saying(found)
        data = {**self.identity["spec"], "data": document.data["data"]}
        return parse_spec(Document(data, folder=document.folder), parts=self.parts, limits=self.limits)

    def repetitions(self, spec: Spec) -> tuple[Repetition, ...]:
        """Return the runs of a trial with a spec."""
        sweep = self.identity["sweep"]
        folds, seeds = (sweep.get(name) if type(sweep.get(name)) is int else None for name in ("folds", "seeds"))
        return repetitions(spec, folds, seeds if seeds is not None and seeds > 1 else None, "validation")

    def judge(self, table: Table) -> Judge | None:
        """Return what compares the trials; None if nothing does, as in the sweep."""
        with suppress(SpecnetError):
            return Judge.of(self.spec, self.repetitions(self.spec), table, self.facts.metric)
        return None

    @staticmethod
    def conditions_now(sha256: str) -> dict[str, Any]:
        """Return what the bits of trials that are made now depend on, given the hash of their table."""
        return {VERSIONS: library_versions(), "threads": THREADS, "data_sha256": sha256, **this_machine()}

    @property
    def conditions(self) -> dict[str, Any]:
        """What the bits of the trials depended on, as far as they were all made by one machine."""
        machines = machines_in(self.record)
        machine = machines[0] if len(machines) == 1 else {}
        sha256 = str(self.identity["data_sha256"])
        return {
            VERSIONS: self.record.get(VERSIONS),
            "threads": self.record.get("threads"),
            "data_sha256": sha256,
            **machine,
        }
