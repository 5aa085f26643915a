"""Runs of folds and seeds, and trials of sweeps, that are made again."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from specnet.data import load_table
from specnet.errors import FileError, TrainingError
from specnet.files import PathLike, file_errors, read_file
from specnet.files.folders import write_folder
from specnet.files.plain_data import json_text, records_of
from specnet.files.recorded_hashes import changed_files, recorded_hashes
from specnet.files.run_files import (
    BEST,
    FACTS,
    HISTORY,
    LARGEST_RECORD,
    RUN,
    RUNS_TABLE,
    SPEC_FOLDER,
    SWEEP,
    TRAINING_ROWS,
    TRIALS,
    FolderKind,
    by_numbers,
    clear,
    kind_of,
    spec_folder,
    written_spec,
)
from specnet.files.tensors import parse_object
from specnet.number_texts import duration
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.report.terminal.run_progress import shown_series
from specnet.running.data_rows import data_hash
from specnet.running.machine import library_versions
from specnet.running.many.repetitions import changed, repetition_named
from specnet.running.many.run_tasks import THREADS, Task
from specnet.running.many.workers import TaskGroup, Workers
from specnet.running.run_folder import RunFolder, reserved
from specnet.running.sweeps.sweep_folder import VERSIONS
from specnet.running.sweeps.trial_judge import Judge
from specnet.running.sweeps.trial_records import measured, trial_files, trial_of
from specnet.running.sweeps.trials import TrialTask, curve_of
from specnet.running.training_run import Contents, RunOutcome
from specnet.running.verification.kept_sweeps import KeptSweep
from specnet.running.verification.repeated_run import Kept, facts_of, kept_beginning, kept_run, read_files
from specnet.running.verification.result import Verification, VerifiedRun
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_series import read_runs
from specnet.saved.saved_trials import Trial
from specnet.spec import Limits, Spec
from specnet.spec.file_paths import input_files
from specnet.spec.parsing import document_saying
from specnet.spec.spec_writing import SpecWriter
from specnet.training import Observer

SAMPLE_SEED = 0
MISSING = "the folder is missing"
Result = RunOutcome | Trial
"""What a run or a trial comes to that is made again."""


@dataclass(frozen=True)
class KeptRun:
    """One of many runs in a folder.

    Attributes
    ----------
    name : str
        Of its folder, as seen from that of all.
    kept : Kept
    spec : Spec
    text : str or None
        What its spec should be, where that follows from other files.
    sweep : KeptSweep or None
        Of a trial.
    trial : Trial or None
    """

    name: str
    kept: Kept
    spec: Spec
    text: str | None = None
    sweep: KeptSweep | None = None
    trial: Trial | None = None

    def tasks(self, sha256: str, *, rows: bool) -> list[Task]:
        """Return what makes it again on a table with that hash; `rows` as for `Task`."""
        document, beginning = document_saying(self.spec), self.kept.beginning
        if self.sweep is None:
            return [Task.of(document.data, self.spec, sha256, rows=rows, beginning=beginning)]
        documents = [changed(document, each.changes, self.name) for each in self.sweep.repetitions(self.spec)]
        return [TrialTask.of(each.data, self.spec, sha256, beginning=beginning) for each in documents]

    def verified(
        self, outcomes: Sequence[RunOutcome], out: Path | None, sha256: str, table: Table, judge: Judge | None
    ) -> tuple[VerifiedRun, Result]:
        """Return what differs of it, made again, and what it comes to; write it if there is a folder for it.

        Parameters
        ----------
        outcomes : sequence of RunOutcome
            Of `tasks`.
        out : Path or None
        sha256 : str
            The hash of the table.
        table : Table
        judge : Judge or None
            Of the sweep.
        """
        failed = next((outcome for outcome in outcomes if outcome.state != FINISHED), None)
        if failed is not None:
            return VerifiedRun(self.name, message=f"{failed.state}: {failed.message}"), _stripped(failed)
        written = written_spec(self.kept.path)
        assert written is not None, "it was read"
        contents: Contents = {written.name: self.kept.files[written.name] if self.text is None else self.text}
        result: Result = _stripped(outcomes[0])
        if self.sweep is None or self.trial is None:
            contents |= outcomes[0].files
            facts = facts_of(contents)
        else:
            result, contents = self._trial(outcomes, contents, judge)
            conditions = {VERSIONS: library_versions(), "threads": THREADS, "data_sha256": sha256}
            facts = conditions | outcomes[0].machine
        if out is not None:
            with file_errors(out):
                out.mkdir(parents=True, exist_ok=True)
            if self.trial is not None:
                write_folder(out, contents)
            else:  # the spec says where its rows are, as seen from the folder of then
                moved = {**facts, SPEC_FOLDER: spec_folder(self.spec.folder, out)}
                RunFolder(out).write({**contents, FACTS: json_text(moved)})
        return self.kept.compared(contents, facts, self.spec, table, self.name), result

    def _trial(
        self, outcomes: Sequence[RunOutcome], spec: Contents, judge: Judge | None
    ) -> tuple[Trial, dict[str, str | bytes]]:
        """Return the trial that was made again, and the files of its folder; of a beginning, the figures of then."""
        assert self.sweep is not None and self.trial is not None, "it is a trial"
        then, metric = self.trial, self.sweep.known.metric
        if then.curve:
            epochs = self.spec.training.epochs
            outcomes = [replace(outcome, curve=curve_of(outcome.history, epochs)) for outcome in outcomes]
        runs = list(zip(self.sweep.repetitions(self.spec), outcomes, strict=True))
        outputs, figures = (None, []) if self.kept.beginning else measured(judge, outcomes, metric)
        made = then
        if not self.kept.beginning:
            made = trial_of(then.number, then.settings, then.parameters, runs, figures, metric)
            made = replace(made, seconds=then.seconds)
        return made, trial_files(made, runs, spec, outputs)


def verified_series(
    path: Path,
    kind: FolderKind,
    out: PathLike | None,
    found: FoundRuns,
    jobs: int | None,
    force: bool,
    observer: Observer | None,
    verbose: bool,
) -> tuple[Verification, dict[str, Result], str]:
    """Make runs in a folder again; return what each differs in and comes to, by its name, and the hash of the table.

    Parameters
    ----------
    path : Path
    kind : FolderKind
        Of `path`: runs on folds or with seeds, a sweep, one of its trials, or a sweep for each fold.
    out, jobs, force, observer, verbose
        As for `verify`.
    found : FoundRuns
        What `KeptRuns` has found there.

    Raises
    ------
    SpecnetError
    """
    if not found.runs:
        raise FileError("none of the runs in this folder has finished", source=str(path))
    runs = {run.name: run for run in found.runs}
    with ExitStack() as stack:
        folder = None
        if out is not None:
            names = [f"{name}/{FACTS}" for name in runs]
            inputs = input_files(found.runs[0].spec)
            folder = stack.enter_context(reserved(out, kind, names, inputs, force=force, resume=None))
        first = found.runs[0]
        table = load_table(first.spec)
        if folder is not None:
            clear(folder, kind)
        sha256, rows = data_hash(table), any(run.kept.facts.get(TRAINING_ROWS) for run in found.runs)
        judges = {id(run.sweep): run.sweep.judge(table) for run in found.runs if run.sweep is not None}
        progress = stack.enter_context(shown_series(verbose, len(runs), "run", observer=observer or Observer()))
        tasks = {name: run.tasks(sha256, rows=rows) for name, run in runs.items()} | {
            name: [Task.of(data, first.spec, sha256, rows=rows)] for name, data in found.failed.items()
        }
        verified: dict[str, VerifiedRun] = {}
        results: dict[str, Result] = {}
        try:
            with Workers(table, jobs=jobs) as workers:
                for group in workers.computed(TaskGroup(name, each) for name, each in tasks.items()):
                    name, outcomes = group.key, group.outcomes
                    if name in found.failed:
                        results[name] = _stripped(outcomes[0])
                        continue
                    run = runs[name]
                    for outcome in outcomes:
                        progress.warned(map(run.spec.document.placed, outcome.warnings))
                    given = folder and folder / name, sha256, table, judges.get(id(run.sweep))
                    verified[name], results[name] = run.verified(outcomes, *given)
                    seconds = sum(outcome.seconds for outcome in outcomes)
                    progress.ended(name, str(verified[name]), duration(seconds))
        except TrainingError as error:  # of a worker, whose hint is for what can be resumed
            hint = "if the system is out of memory, use fewer jobs"
            raise TrainingError(*(replace(problem, hint=hint) for problem in error.diagnostics)) from error
        entries = (*(verified[name] for name in runs), *found.others)
        return Verification(entries, found.total, folder=folder), results, sha256


@dataclass
class FoundRuns:
    """What is in a folder of many runs.

    Attributes
    ----------
    runs : list of KeptRun
        Those to make again.
    others : list of VerifiedRun
        Those that are not made again: trials that were ended early, and folders that are missing.
    failed : dict
        The document of runs without a folder that have not finished, by their names.
    total : int
        How many folders there are.
    """

    runs: list[KeptRun] = field(default_factory=list)
    others: list[VerifiedRun] = field(default_factory=list)
    failed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    total: int = 0

    def add(self, found: FoundRuns) -> None:
        """Add what is in another folder."""
        self.runs += found.runs
        self.others += found.others
        self.failed |= found.failed
        self.total += found.total


@dataclass(frozen=True)
class KeptRuns:
    """Finds the runs in a folder; the fields are parameters of `verify`."""

    epochs: int | None
    parts: tuple[type[Part], ...]
    limits: Limits | None

    def found(self, folder: Path, sample: int | None, before: str = "") -> FoundRuns:
        """Return a sample of the runs in a folder, or all.

        Parameters
        ----------
        folder : Path
        sample : int or None
            Of each sweep, its best run comes in addition.
        before : str
            How names begin.
        """
        if kind_of(folder) is SWEEP:
            return self._in_sweep(self.sweep(folder), sample, before)
        inner = [path for path in folders_in(folder) if kind_of(path) in (RUN, SWEEP)]
        if not any(kind_of(path) is SWEEP for path in inner):
            return self._in_series(folder, inner, sample)
        found = FoundRuns()
        for path in inner:
            found.add(self.found(path, sample, f"{before}{path.name}/"))
        return found

    def sweep(self, folder: Path) -> KeptSweep:
        """Return what the folder of a sweep says."""
        return KeptSweep.of(folder, self.parts, self.limits)

    def _in_sweep(self, sweep: KeptSweep, sample: int | None, before: str) -> FoundRuns:
        finished = [trial for trial in sweep.trials if trial.state == FINISHED]
        chosen = _chosen(finished, sample)
        found = FoundRuns([self.trial(sweep, each, f"{before}{TRIALS}/{each.number:04}") for each in chosen])
        numbers = {trial.number for trial in sweep.trials}
        for trial in sweep.trials:
            if trial.state != FINISHED:
                kept = self.kept_trial(sweep, trial)
                found.others.append(kept.checked(f"{before}{TRIALS}/{trial.number:04}"))
        for number in range(sweep.count):
            if number not in numbers:
                found.others.append(VerifiedRun(f"{before}{TRIALS}/{number:04}", message=MISSING))
        has_best = kind_of(sweep.path / BEST) is RUN
        if has_best:
            told = [trial for trial in sweep.trials if trial.number < sweep.count]
            texts = [*sweep.best(told)[1].values()] if sweep.is_finished else []
            found.runs.insert(0, replace(self._run(sweep.path / BEST, f"{before}{BEST}"), text=next(iter(texts), None)))
        elif sweep.is_finished and finished:
            found.others.append(VerifiedRun(f"{before}{BEST}", message=MISSING))
        found.total = len(finished) + len(found.others) + has_best
        return found

    def _in_series(self, folder: Path, inner: Sequence[Path], sample: int | None) -> FoundRuns:
        rows = {row.name: row for row in read_runs(folder)} if (folder / RUNS_TABLE).is_file() else {}
        names = {path.name for path in inner}
        missing = {name: MISSING for name, row in rows.items() if row.state == FINISHED and name not in names}
        missing |= dict.fromkeys(filter(repetition_named, names - rows.keys()), f"it has no row in {RUNS_TABLE}")
        runs = [self._run(path, path.name) for path in inner if path.name not in missing]
        found = FoundRuns(others=[VerifiedRun(name, message=message) for name, message in sorted(missing.items())])
        if runs:
            first = next((run for run in runs if _has_its_spec(run)), runs[0])
            document = document_saying(first.spec)
            writer = SpecWriter(document, first.spec.registry)
            for place, run in enumerate(runs):
                if each := repetition_named(run.name):
                    runs[place] = replace(run, text=writer.text(each.changes, run.kept.path))
            for name, row in rows.items():
                each = repetition_named(name)
                if each is not None and row.state != FINISHED and name not in names and sample is self.epochs is None:
                    found.failed[name] = changed(document, each.changes, name).data
        found.runs, found.total = _chosen(runs, sample), len(runs) + len(found.others)
        return found

    def _run(self, path: Path, name: str) -> KeptRun:
        run = SavedRun(path, limits=self.limits, parts=self.parts)
        spec = run.given
        if spec is None:
            raise FileError("the run cannot be made again: its folder has no spec", source=str(path))
        return KeptRun(name, kept_run(path, run.facts, self.epochs), spec)

    def trial(self, sweep: KeptSweep, trial: Trial, name: str) -> KeptRun:
        """Return a trial that has finished."""
        path, spec = sweep.trial_path(trial.number), sweep.trial_spec(trial.number)
        if spec is None:
            raise FileError("the trial cannot be made again: its folder has no spec", source=str(path))
        kept = self.kept_trial(sweep, trial)
        with file_errors(path / HISTORY):
            epochs = (record.get("epoch") for record in records_of(kept.files.get(HISTORY, b"")))
            last = max((epoch for epoch in epochs if type(epoch) is int), default=0)
        if self.epochs is not None and self.epochs < last:
            kept = kept_beginning(kept, self.epochs)
        return KeptRun(name, kept, spec, sweep=sweep, trial=trial)

    def kept_trial(self, sweep: KeptSweep, trial: Trial) -> Kept:
        """Return the files of a trial."""
        path = sweep.trial_path(trial.number)
        with file_errors(path / FACTS):
            facts = parse_object(read_file(path / FACTS, LARGEST_RECORD), "the record of a trial")
        return Kept(path, sweep.conditions, read_files(path), recorded_hashes(facts))


def folders_in(path: Path) -> list[Path]:
    """Return the folders in one, in the order of their names, numbers by size."""
    with file_errors(path):
        return sorted((each for each in path.iterdir() if each.is_dir()), key=lambda each: by_numbers(each.name))


def _has_its_spec(run: KeptRun) -> bool:
    """Return whether the spec of a run is the one that it recorded."""
    written = written_spec(run.kept.path)
    assert written is not None, "it was read"
    hashes = {name: value for name, value in run.kept.hashes.items() if name == written.name}
    return bool(hashes) and not any(changed_files(hashes, run.kept.files, FACTS))


def _stripped(outcome: RunOutcome) -> RunOutcome:
    """Return what a run comes to without what is large."""
    return replace(outcome, files={}, history=[], held=None, trained=None)


def _chosen(runs: list[Any], sample: int | None) -> list[Any]:
    """Return a sample of runs in their order; all if there are no more."""
    if sample is None or sample >= len(runs):
        return runs
    return [runs[place] for place in sorted(random.Random(SAMPLE_SEED).sample(range(len(runs)), sample))]
