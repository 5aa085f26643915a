"""Runs of folds and seeds, and trials of sweeps, that are made again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from specnet.data import load_table
from specnet.errors import FileError, TrainingError
from specnet.files import PathLike, file_errors
from specnet.files.folders import write_folder
from specnet.files.plain_data import json_text
from specnet.files.run_files import (
    FACTS,
    SPEC_FOLDER,
    TRAINING_ROWS,
    FolderKind,
    clear,
    spec_folder,
)
from specnet.number_texts import duration
from specnet.parts.data import Table
from specnet.report.terminal.run_progress import shown_series
from specnet.running.data_rows import data_hash
from specnet.running.many.repetitions import changed
from specnet.running.many.run_tasks import Task
from specnet.running.many.workers import TaskGroup, Workers
from specnet.running.run_folder import RunFolder, reserved
from specnet.running.sweeps.trial_judge import Judge
from specnet.running.sweeps.trial_records import measured, trial_files, trial_of
from specnet.running.sweeps.trials import TrialTask, curve_of
from specnet.running.training_run import Contents, RunOutcome
from specnet.running.verification.compared_run import ComparedRun, facts_of
from specnet.running.verification.found_runs import FoundRuns
from specnet.running.verification.result import Verification, VerifiedRun
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_trials import Trial
from specnet.spec.file_paths import input_files
from specnet.spec.parsing import document_saying
from specnet.training import Observer

Result = RunOutcome | Trial
"""What a run or a trial comes to that is made again."""


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
        What is there.

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
            inputs = input_files(found.runs[0].spec_again)
            folder = stack.enter_context(reserved(out, kind, names, inputs, force=force, resume=None))
        first = found.runs[0]
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
        except TrainingError as error:  # of a worker, whose hint is for what can be resumed
            hint = "if the system is out of memory, use fewer jobs"
            raise TrainingError(*(replace(problem, hint=hint) for problem in error.diagnostics)) from error
        entries = (*(verified[name] for name in runs), *found.others)
        return Verification(entries, found.total, folder=folder), results, sha256


def _tasks(run: ComparedRun, sha256: str, *, rows: bool) -> list[Task]:
    """Return what makes a run or a trial again on a table with that hash; `rows` as for `Task`."""
    spec = run.spec_again
    document, beginning = document_saying(spec), run.beginning
    if run.sweep is None:
        return [Task.of(document.data, spec, sha256, rows=rows, beginning=beginning)]
    documents = [changed(document, each.changes, run.name) for each in run.sweep.repetitions(spec)]
    return [TrialTask.of(each.data, spec, sha256, beginning=beginning) for each in documents]


def _verified(
    run: ComparedRun, outcomes: Sequence[RunOutcome], out: Path | None, sha256: str, table: Table, judge: Judge | None
) -> tuple[VerifiedRun, Result]:
    """Return what differs of a run, made again, and what it comes to; write it if there is a folder for it.

    Parameters
    ----------
    run : ComparedRun
    outcomes : sequence of RunOutcome
        Of its tasks.
    out : Path or None
    sha256 : str
        The hash of the table.
    table : Table
    judge : Judge or None
        Of the sweep.
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
        else:  # the spec says where its rows are, as seen from the folder of then
            moved = {**facts, SPEC_FOLDER: spec_folder(spec.folder, out)}
            RunFolder(out).write({**contents, FACTS: json_text(moved)})
    return run.compared(contents, facts, spec, table), result


def _trial(
    run: ComparedRun, outcomes: Sequence[RunOutcome], written: Contents, judge: Judge | None
) -> tuple[Trial, Contents]:
    """Return the trial that was made again, and the files of its folder; of a beginning, the figures of then."""
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
    """Return what a run comes to without what is large."""
    return replace(outcome, files={}, history=[], held=None, trained=None)
