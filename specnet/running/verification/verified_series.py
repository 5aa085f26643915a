"""The verification of many runs: runs on folds and with seeds, and trials of sweeps."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from specnet.data import load_table
from specnet.errors import FileError, TrainingError
from specnet.files import PathLike, file_errors
from specnet.files.atomic import write_folder
from specnet.files.plain_data import changed_files, json_text
from specnet.number_texts import duration
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.report.terminal.run_progress import shown_series
from specnet.run_files import (
    BEST,
    FACTS,
    RUN,
    RUNS_TABLE,
    SPEC_FOLDER,
    SWEEP,
    TRAINING_ROWS,
    FolderKind,
    by_numbers,
    clear,
    kind_of,
    spec_folder,
    trial_name,
)
from specnet.running.data_rows import data_hash
from specnet.running.repeated_runs import changed, repetition_named
from specnet.running.run_folder import RunFolder, reserved
from specnet.running.sweeps.trial_judge import Judge
from specnet.running.sweeps.trials import TrialTask, curve_of, measured, trial_files, trial_of
from specnet.running.training_run import Contents, RunOutcome
from specnet.running.verification.compared_runs import ComparedRun, ComparedSweep, facts_of
from specnet.running.verification.result import Verification, VerifiedRun
from specnet.running.workers import Task, TaskGroup, Workers
from specnet.saved.saved_folder import FINISHED, UNFINISHED
from specnet.saved.saved_series import read_runs
from specnet.saved.saved_sweep import Trial
from specnet.spec import Limits
from specnet.spec.file_paths import input_files
from specnet.spec.parsing import document_saying
from specnet.spec.spec_writing import SpecWriter
from specnet.training import Observer

SAMPLE_SEED = 0
MISSING = "the folder is missing"


class FoundRuns:
    """The runs in a folder, or a sample of them.

    Parameters
    ----------
    epochs, parts, limits
        As for `verify`.

    Attributes
    ----------
    runs : list of ComparedRun
        The runs to reproduce.
    others : list of VerifiedRun
        The runs that are not reproduced: trials that were ended early, and missing folders.
    failed : dict
        The documents of unfinished runs without a folder, by name.
    total : int
        The number of folders, including folders that were not sampled.
    """

    def __init__(self, epochs: int | None, parts: tuple[type[Part], ...], limits: Limits | None) -> None:
        self.runs: list[ComparedRun] = []
        self.others: list[VerifiedRun] = []
        self.failed: dict[str, Mapping[str, Any]] = {}
        self.total = 0
        self._epochs = epochs
        self._options: dict[str, Any] = {"parts": parts, "limits": limits}
        self._sweeps: dict[Path, ComparedSweep] = {}

    def add(self, folder: Path, sample: int | None, before: str = "") -> None:
        """Add the runs in a folder.

        Parameters
        ----------
        folder : Path
        sample : int or None
            Maximum number of runs, or of trials of each sweep, whose best run is added to them. None for all.
        before : str
            Prefix of the names.
        """
        if kind_of(folder) is SWEEP:
            self._add_sweep(self.sweep(folder), sample, before)
            return
        inner = [path for path in folders_in(folder) if kind_of(path) in (RUN, SWEEP)]
        if not any(kind_of(path) is SWEEP for path in inner):
            self._add_series(folder, inner, sample)
            return
        for path in inner:
            self.add(path, sample, f"{before}{path.name}/")

    def sweep(self, folder: Path) -> ComparedSweep:
        """Return the sweep in a folder."""
        if folder not in self._sweeps:
            sweep = ComparedSweep(folder, **self._options)
            _ = sweep.identity  # refuses a sweep without an identity
            self._sweeps[folder] = sweep
        return self._sweeps[folder]

    def run(self, path: Path, name: str = "") -> ComparedRun:
        """Return the run in a folder."""
        return ComparedRun(path, name, epochs=self._epochs, **self._options)

    def trial(self, sweep: ComparedSweep, trial: Trial, name: str) -> ComparedRun:
        """Return a trial of a sweep."""
        path = sweep.trial_path(trial.number)
        return ComparedRun(path, name, epochs=self._epochs, sweep=sweep, trial=trial, **self._options)

    def add_trial(self, run: ComparedRun) -> None:
        """Add a single trial."""
        self._take([run.checked_again()], [], 1)

    def _add_sweep(self, sweep: ComparedSweep, sample: int | None, before: str) -> None:
        names = {trial.number: f"{before}{trial_name(trial.number)}" for trial in sweep.all_ended}
        trials = [(trial.state, self.trial(sweep, trial, names[trial.number])) for trial in sweep.all_ended]
        finished = [each for state, each in trials if state == FINISHED]
        chosen = [each.checked_again() for each in _chosen(finished, sample)]
        others = [each.checked() for state, each in trials if state != FINISHED]
        missing = (number for number in range(sweep.count) if number not in names)
        others += [VerifiedRun(f"{before}{trial_name(number)}", message=MISSING) for number in missing]
        has_best = kind_of(sweep.path / BEST) is RUN
        if has_best:
            best = self.run(sweep.path / BEST, f"{before}{BEST}").checked_again()
            if sweep.has_ended:
                counted = [trial for trial in sweep.all_ended if trial.number < sweep.count]
                best.text = next(iter(sweep.best_of(counted)[1].values()), None)
            chosen.insert(0, best)
        elif sweep.has_ended and finished:
            others.append(VerifiedRun(f"{before}{BEST}", message=MISSING))
        self._take(chosen, others, len(finished) + has_best)

    def _add_series(self, folder: Path, inner: list[Path], sample: int | None) -> None:
        rows = {row.name: row for row in read_runs(folder)} if (folder / RUNS_TABLE).is_file() else {}
        names = {path.name for path in inner}
        missing = {name: MISSING for name, row in rows.items() if row.state == FINISHED and name not in names}
        missing |= dict.fromkeys(filter(repetition_named, names - rows.keys()), f"it has no row in {RUNS_TABLE}")
        runs = [self.run(path, path.name).checked_again() for path in inner if path.name not in missing]
        if runs:
            first = next(filter(_has_its_spec, runs), runs[0]).spec_again
            document = document_saying(first)
            writer = SpecWriter(document, first.registry)
            for run in runs:
                if each := repetition_named(run.name):
                    run.text = writer.text(each.changes, run.path)
            for name, row in rows.items():
                each = repetition_named(name)
                has_failed = row.state not in (FINISHED, UNFINISHED) and name not in names
                if each is not None and has_failed and sample is self._epochs is None:
                    self.failed[name] = changed(document, each.changes, name).data
        others = [VerifiedRun(name, message=message) for name, message in sorted(missing.items())]
        self._take(_chosen(runs, sample), others, len(runs))

    def _take(self, runs: list[ComparedRun], others: list[VerifiedRun], count: int) -> None:
        """Add runs to reproduce, chosen from `count` runs, and runs that are not reproduced."""
        self.runs += runs
        self.others += others
        self.total += count + len(others)


def folders_in(path: Path) -> list[Path]:
    """Return the folders in a folder, sorted by name, with numbers by size."""
    with file_errors(path):
        return sorted((each for each in path.iterdir() if each.is_dir()), key=lambda each: by_numbers(each.name))


def _has_its_spec(run: ComparedRun) -> bool:
    """Return whether the spec file of a run matches its recorded SHA-256."""
    hashes = {name: value for name, value in run.hashes.items() if name == run.written.name}
    return bool(hashes) and not any(changed_files(hashes, run.files, FACTS))


def _chosen(runs: list[Any], sample: int | None) -> list[Any]:
    """Return a sample of `sample` runs in order, or all runs if there are not more."""
    if sample is None or sample >= len(runs):
        return runs
    return [runs[index] for index in sorted(random.Random(SAMPLE_SEED).sample(range(len(runs)), sample))]


Result = RunOutcome | Trial
"""The result of a reproduced run or trial."""


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
    """Reproduce runs; return their comparisons, their results by name, and the hash of the table.

    Parameters
    ----------
    path : Path
    kind : FolderKind
        Kind of `path`: runs on folds or with seeds, a sweep, one of its trials, or a sweep for each fold.
    out, jobs, force, observer, verbose
        As for `verify`.
    found : FoundRuns
        The runs of the folder.

    Raises
    ------
    SpecnetError
        If the runs cannot be reproduced.
    """
    if not found.runs:
        raise FileError("none of the runs in this folder has finished", source=str(path))
    runs, first = {run.name: run for run in found.runs}, found.runs[0]
    with ExitStack() as stack:
        folder = None
        if out is not None:
            names = [os.path.join(name, FACTS) for name in runs]
            inputs = input_files(first.spec_again)
            folder = stack.enter_context(reserved(out, kind, names, inputs, force=force, resume=None))
        table = load_table(first.spec_again)
        if folder is not None:
            clear(folder, kind)
        sha256, rows = data_hash(table), any(run.conditions.get(TRAINING_ROWS) for run in found.runs)
        judges = {id(run.sweep): run.sweep.judge(table) for run in found.runs if run.sweep is not None}
        progress = stack.enter_context(shown_series(verbose, len(runs), "run", observer=observer or Observer()))
        tasks = {name: _tasks(run, sha256, rows=rows) for name, run in runs.items()} | {
            name: [Task.of(data, first.spec_again, sha256, rows=rows)] for name, data in found.failed.items()
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
                        progress.warned(map(run.spec_again.document.located, outcome.warnings))
                    given = folder and folder / name, sha256, table, judges.get(id(run.sweep))
                    verified[name], results[name] = _verified(run, outcomes, *given)
                    seconds = sum(outcome.seconds for outcome in outcomes)
                    progress.ended(name, str(verified[name]), duration(seconds))
        except TrainingError as error:  # of a worker; its hint is about resuming, which `verify` cannot do
            hint = "if the system is out of memory, use fewer jobs"
            raise TrainingError(*(replace(problem, hint=hint) for problem in error.diagnostics)) from error
        entries = (*(verified[name] for name in runs), *found.others)
        return Verification(entries, found.total, folder=folder), results, sha256


def _tasks(run: ComparedRun, sha256: str, *, rows: bool) -> list[Task]:
    """Return the tasks that reproduce a run or a trial on a table with this hash; `rows` as for `Task`."""
    spec = run.spec_again
    document, beginning = document_saying(spec), run.beginning
    if run.sweep is None:
        return [Task.of(document.data, spec, sha256, rows=rows, folder=spec.folder, beginning=beginning)]
    documents = [changed(document, each.changes, run.name) for each in run.sweep.repetitions(spec)]
    return [TrialTask.of(each.data, spec, sha256, beginning=beginning) for each in documents]


def _verified(
    run: ComparedRun, outcomes: Sequence[RunOutcome], out: Path | None, sha256: str, table: Table, judge: Judge | None
) -> tuple[VerifiedRun, Result]:
    """Return the comparison and the result of a reproduced run, and save it if `out` is given.

    Parameters
    ----------
    run : ComparedRun
    outcomes : sequence of RunOutcome
        Outcomes of its tasks.
    out : Path or None
    sha256 : str
        The hash of the table.
    table : Table
    judge : Judge or None
        Judge of the sweep's trials.
    """
    failed = next((outcome for outcome in outcomes if outcome.state != FINISHED), None)
    if failed is not None:
        return VerifiedRun(run.name, message=f"{failed.state}: {failed.message}"), _stripped(failed)
    spec, written = run.spec_again, run.written.name
    contents: Contents = {written: run.files[written] if run.text is None else run.text}
    result: Result = _stripped(outcomes[0])
    if run.sweep is None:
        contents |= outcomes[0].files
        facts = facts_of(contents)
    else:
        result, contents = _trial(run, outcomes, contents, judge)
        facts = run.sweep.conditions_now(sha256)
    if out is not None:
        with file_errors(out):
            out.mkdir(parents=True, exist_ok=True)
        if run.trial is not None:
            write_folder(out, contents)
        else:  # paths in the spec are relative to the folder of the saved run
            moved = {**facts, SPEC_FOLDER: spec_folder(spec.folder, out)}
            RunFolder(out).write({**contents, FACTS: json_text(moved)})
    return run.compared(contents, facts, spec, table), result


def _trial(
    run: ComparedRun, outcomes: Sequence[RunOutcome], written: Contents, judge: Judge | None
) -> tuple[Trial, Contents]:
    """Return a reproduced trial and the files of its folder; the saved trial if only a beginning was trained."""
    then, sweep, spec = run.trial, run.sweep, run.spec_again
    assert then is not None and sweep is not None, "it is a trial"
    if then.curve:
        outcomes = [replace(each, curve=curve_of(each.history, spec.training.epochs)) for each in outcomes]
    runs = list(zip(sweep.repetitions(spec), outcomes, strict=True))
    if run.beginning:
        return then, trial_files(then, runs, written, None)
    metric = sweep.facts.metric
    outputs, figures = measured(judge, outcomes, metric)
    made = trial_of(then.number, then.settings, then.parameters, runs, figures, metric)
    made = replace(made, seconds=then.seconds)
    return made, trial_files(made, runs, written, outputs)


def _stripped(outcome: RunOutcome) -> RunOutcome:
    """Return the outcome of a run without its large attributes."""
    return replace(outcome, files={}, history=[], held_out=None, trained=None)
