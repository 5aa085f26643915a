"""Runs of folds and seeds, and trials of sweeps, that are made again."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specnet.data import load_table
from specnet.errors import FileError, TrainingError
from specnet.files import PathLike, file_errors
from specnet.files.folders import write_folder
from specnet.files.json_lines import json_text, records_of
from specnet.files.run_files import (
    BEST,
    FACTS,
    HISTORY,
    RUN,
    SPEC_FOLDER,
    SWEEP,
    SWEEP_FACTS,
    TRIALS,
    FolderKind,
    by_numbers,
    clear,
    kind_of,
    spec_folder,
    written_spec,
)
from specnet.number_texts import duration
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.report.terminal.series_progress import shown_series
from specnet.running.machine import library_versions
from specnet.running.many.repetitions import Repetition, changed, repetitions
from specnet.running.many.run_tasks import THREADS, Common, Task, TaskOutcome
from specnet.running.many.workers import Workers, ended
from specnet.running.run_folder import RunFolder, reserved
from specnet.running.saved_runs import given_spec
from specnet.running.sweeps.sweep_folder import IDENTITY, VERSIONS, SweepIdentity, machines_in, read_facts
from specnet.running.sweeps.sweep_report import read_trials
from specnet.running.sweeps.trial_records import Trial, trial_files
from specnet.running.sweeps.trials import TrialTask
from specnet.running.training_run import Contents
from specnet.running.verification.repeated_run import Kept, facts_of, kept_run, read_files
from specnet.running.verification.result import Verification, VerifiedRun
from specnet.spec import Limits, Spec, parse_spec
from specnet.spec.parsing import document_saying
from specnet.training import Observer
from specnet.training.beginning import Beginning

SAMPLE_SEED = 0


@dataclass(frozen=True)
class KeptRun:
    """One of many runs in a folder.

    Attributes
    ----------
    name : str
        Of its folder, as seen from that of all.
    kept : Kept
    spec : Spec
    trial : Trial or None
    repetitions : tuple of Repetition
        Of a trial.
    """

    name: str
    kept: Kept
    spec: Spec
    trial: Trial | None = None
    repetitions: tuple[Repetition, ...] = ()

    def tasks(self, common: Common) -> list[Task]:
        """Return what makes it again."""
        document, beginning = document_saying(self.spec), self.kept.beginning
        if self.trial is None:
            return [Task(common, document.data, beginning=beginning)]
        documents = [changed(document, each.changes, self.name) for each in self.repetitions]
        return [TrialTask(common, each.data, beginning=beginning) for each in documents]

    def verified(self, outcomes: Sequence[TaskOutcome], out: Path | None, common: Common, table: Table) -> VerifiedRun:
        """Return what differs of it, made again, and write that if there is a folder for it."""
        failed = next((outcome for outcome in outcomes if outcome.state != "finished"), None)
        if failed is not None:
            return VerifiedRun(self.name, message=f"{failed.state}: {failed.message}")
        written = written_spec(self.kept.path)
        assert written is not None, "it was read"
        contents: Contents = {written.name: self.kept.files[written.name]}
        if self.trial is None:
            contents |= outcomes[0].files
            facts = facts_of(contents)
        else:
            contents |= trial_files(self.trial, list(zip(self.repetitions, outcomes, strict=True)), {}, None)
            machine, sha256 = outcomes[0].machine, common.sha256
            facts = {VERSIONS: library_versions(), "threads": THREADS, "data_sha256": sha256, **machine}
        if out is not None:
            with file_errors(out):
                out.mkdir(parents=True, exist_ok=True)
            if self.trial is not None:
                write_folder(out, contents)
            else:  # the spec says where its rows are, as seen from the folder of then
                told = {**facts, SPEC_FOLDER: spec_folder(self.spec.folder, out)}
                RunFolder(out).write({**contents, FACTS: json_text(told)})
        return self.kept.compared(contents, facts, self.spec, table, self.name)


def verified_series(
    path: Path,
    kind: FolderKind,
    out: PathLike | None,
    runs: Sequence[KeptRun],
    jobs: int | None,
    force: bool,
    observer: Observer | None,
    verbose: bool,
) -> Verification:
    """Make runs in a folder again; parameters as for `verify`.

    Parameters
    ----------
    path : Path
    kind : FolderKind
        Of `path`: runs on folds or with seeds, a sweep, or a sweep for each fold.
    runs : sequence of KeptRun
        What `KeptRuns` has found there.

    Raises
    ------
    SpecnetError
    """
    if not runs:
        raise FileError("none of the runs in this folder has finished", source=str(path))
    with ExitStack() as stack:
        folder = None
        if out is not None:
            names = [f"{run.name}/{FACTS}" for run in runs]
            folder = stack.enter_context(reserved(out, kind, names, force=force, resume=None))
        table = load_table(runs[0].spec)
        if folder is not None:
            clear(folder, kind)
        common = Common.of(runs[0].spec, table)
        progress = stack.enter_context(shown_series(verbose, len(runs), "run", observer=observer or Observer()))
        known, verified = {run.name: run for run in runs}, {}
        try:
            with Workers(table, jobs=jobs) as workers:
                for name, outcomes in ended(workers, {run.name: run.tasks(common) for run in runs}):
                    run = known[name]
                    for outcome in outcomes:
                        progress.warned(map(run.spec.document.placed, outcome.warnings))
                    verified[name] = run.verified(outcomes, folder and folder / name, common, table)
                    seconds = sum(outcome.seconds for outcome in outcomes)
                    progress.ended(name, str(verified[name]), duration(seconds))
        except TrainingError as error:  # of a worker, whose hint is for what can be resumed
            hint = "if the system is out of memory, use fewer jobs"
            raise TrainingError(*(replace(problem, hint=hint) for problem in error.diagnostics)) from error
        return Verification(tuple(verified[run.name] for run in runs), folder=folder)


@dataclass(frozen=True)
class KeptRuns:
    """Finds the runs in a folder; the fields are parameters of `verify`."""

    epochs: int | None
    parts: tuple[type[Part], ...]
    limits: Limits | None

    def found(self, folder: Path, sample: int | None, before: str = "") -> tuple[list[KeptRun], int]:
        """Return a sample of the runs in a folder, or all, and how many there are.

        Parameters
        ----------
        folder : Path
        sample : int or None
            Of each sweep, its best run comes in addition.
        before : str
            How names begin.
        """
        if kind_of(folder) is SWEEP:
            facts = read_facts(folder)
            with file_errors(folder / SWEEP_FACTS):
                identity = SweepIdentity.from_data(facts.get(IDENTITY))
            known = [trial for trial in read_trials(folder, sys.maxsize) if trial.state == "finished"]
            found = [
                self._trial(folder / TRIALS / name, trial, identity, facts, f"{before}{TRIALS}/{name}")
                for trial in _chosen(known, sample)
                for name in [f"{trial.number:04}"]
            ]
            best = [self._run(folder / BEST, f"{before}{BEST}")] if kind_of(folder / BEST) is RUN else []
            return [*best, *found], len(known) + len(best)
        inner = [path for path in _folders(folder) if kind_of(path) in (RUN, SWEEP)]
        if not any(kind_of(path) is SWEEP for path in inner):
            return [self._run(path, before + path.name) for path in _chosen(inner, sample)], len(inner)
        nested = [self.found(path, sample, f"{before}{path.name}/") for path in inner]
        return [run for runs, _ in nested for run in runs], sum(total for _, total in nested)

    def _run(self, path: Path, name: str) -> KeptRun:
        spec = given_spec(path, limits=self.limits, parts=self.parts)
        if spec is None:
            raise FileError("the run cannot be made again: its folder has no spec", source=str(path))
        return KeptRun(name, kept_run(path, RunFolder(path).facts(), self.epochs), spec)

    def _trial(self, path: Path, trial: Trial, identity: SweepIdentity, facts: Mapping[str, Any], name: str) -> KeptRun:
        written = written_spec(path)
        if written is None:
            raise FileError("the trial cannot be made again: its folder has no spec", source=str(path))
        spec = parse_spec(written, parts=self.parts, limits=self.limits)
        files, planned = read_files(path), planned_runs(identity, spec)
        return KeptRun(
            name, Kept(path, sweep_facts(identity, facts), files, self._beginning(path, files)), spec, trial, planned
        )

    def _beginning(self, path: Path, files: Mapping[str, bytes]) -> Beginning | None:
        with file_errors(path / HISTORY):
            epochs = (record.get("epoch") for record in records_of(files.get(HISTORY, b"")))
            last = max((epoch for epoch in epochs if type(epoch) is int), default=0)
        return None if self.epochs is None or self.epochs >= last else Beginning(0, self.epochs)


def planned_runs(identity: SweepIdentity, spec: Spec) -> tuple[Repetition, ...]:
    """Return the runs of a trial of a sweep."""
    sweep = json.loads(identity.sweep)
    folds, seeds = (sweep.get(name) if type(sweep.get(name)) is int else None for name in ("folds", "seeds"))
    return repetitions(spec, folds, seeds if seeds is not None and seeds > 1 else None, "validation")


def sweep_facts(identity: SweepIdentity, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the bits of the trials of a sweep depended on, as far as they were all made by one machine."""
    machines = machines_in(facts)
    machine = machines[0] if len(machines) == 1 else {}
    sha256 = identity.run.data_sha256
    return {VERSIONS: facts.get(VERSIONS), "threads": facts.get("threads"), "data_sha256": sha256, **machine}


def _folders(path: Path) -> list[Path]:
    """Return the folders in one, in the order of their names, numbers by size."""
    with file_errors(path):
        return sorted((each for each in path.iterdir() if each.is_dir()), key=lambda each: by_numbers(each.name))


def _chosen(runs: list[Any], sample: int | None) -> list[Any]:
    """Return a sample of runs in their order; all if there are no more."""
    if sample is None or sample >= len(runs):
        return runs
    return [runs[place] for place in sorted(random.Random(SAMPLE_SEED).sample(range(len(runs)), sample))]
