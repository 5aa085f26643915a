"""The course of a sweep: one coordinator draws trials, has them computed, tells them in their turn, and writes."""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from specnet.errors import Diagnostic, FileError, SpecError, SpecnetError, TrainingError
from specnet.files.folders import write_folder
from specnet.files.run_files import BEST_SPECS, JOURNAL, TRIALS_TABLE, WRITTEN
from specnet.number_texts import duration
from specnet.number_texts import metric as metric_text
from specnet.parts.data import Table
from specnet.report.terminal.run_progress import SeriesProgress
from specnet.running.data_rows import data_hash, split_data
from specnet.running.machine import library_versions
from specnet.running.many.repetitions import changed, check_rows_of, repetitions
from specnet.running.many.run_tasks import MACHINE, THREADS, perform, this_machine
from specnet.running.many.workers import Workers
from specnet.running.sweeps.optuna_calls import required_optuna
from specnet.running.sweeps.search import Search
from specnet.running.sweeps.space import Drawn, columns
from specnet.running.sweeps.sweep_folder import IDENTITY, MACHINES, VERSIONS, SweepFolder, SweepIdentity
from specnet.running.sweeps.teams import Candidates
from specnet.running.sweeps.trial_judge import Judge
from specnet.running.sweeps.trial_records import (
    TrialOutputs,
    measured,
    read_outputs,
    table_text,
    trial_files,
    trial_of,
)
from specnet.running.sweeps.trials import TrialTask
from specnet.running.training_run import RunOutcome
from specnet.saved.saved_trials import Trial, best_trial, read_trial
from specnet.spec import Spec
from specnet.spec.parsing import document_saying
from specnet.spec.searching import PRUNED_AFTER
from specnet.spec.spec_writing import SWEEP, Change, SpecWriter

_PART = re.compile(r'(?:\{ type = )?"(\w+)"')
LONGEST_SETTING = 40
"""Characters of a value that a terminal shows."""
FIRST_TRIALS = 20
"""If none of so many finishes, none is expected to."""


@dataclass(eq=False)
class _Piece:
    """A run of a trial, given by its place among them, or a member of the run's ensemble."""

    run: int
    member: int | None
    outcome: Future[RunOutcome]


@dataclass(eq=False)
class _UnderWay:
    """A trial that was drawn and is not told yet."""

    number: int
    drawn: Drawn
    parameters: dict[str, Any]
    best: Trial | None
    """The best trial when this one was drawn."""
    spec: str | None = None
    runs: list[TrialTask] = field(default_factory=list)
    pieces: list[_Piece] = field(default_factory=list)
    ended_by: str = ""
    """Why it was ended early."""
    trial: Trial | None = None


class Coordinator:
    """A sweep of one spec.

    Parameters
    ----------
    spec : Spec
        With its ``[sweep]``.
    table : Table
        Its rows.
    folder : SweepFolder
    progress : SeriesProgress
    """

    def __init__(self, spec: Spec, table: Table, folder: SweepFolder, progress: SeriesProgress) -> None:
        assert spec.sweep is not None, "parse_sweep returns it"
        self.spec, self.sweep, self.folder = spec, spec.sweep, folder
        document = document_saying(spec)
        self._document = document.without(SWEEP)
        self.writer = SpecWriter(document, spec.registry)
        self._begin = time.perf_counter()
        base = spec.model_copy(update={"sweep": None})
        self._sha256 = data_hash(table)
        self.data = split_data(base, table)
        self.identity = SweepIdentity.of(self.data.identity(self._sha256), self.sweep)
        seeds = self.sweep.seeds if self.sweep.seeds > 1 else None
        self.repetitions = repetitions(base, self.sweep.folds, seeds, "validation")
        check_rows_of(base, self.repetitions, table, self.sweep.folds, "validation")
        self._tasks = len(self.repetitions) * (base.training.folds or 1)
        self._table, self._count, self._progress = table, self.sweep.trial_count, progress
        self.judge: Judge | None = None
        with suppress(SpecnetError):  # a spec that cannot be trained as it is written measures nothing
            self.judge = Judge.of(spec, self.repetitions, table, self.sweep.metric, self.data)
        metric = spec.monitored_metric(self.sweep.metric)
        self.larger_is_better = metric is not None and metric.larger_is_better
        seed = spec.seed if self.sweep.seed is None else self.sweep.seed
        self._search = Search(self.sweep, seed, self.larger_is_better, self._document.data)
        self._under_way: deque[_UnderWay] = deque()
        self._kept: dict[int, Trial] = {}
        self.told: list[Trial] = []
        self.best: Trial | None = None
        self.outputs = TrialOutputs(folder.trial_path, self.repetitions)
        """Of trials that have finished, and can be compared row by row."""
        self._machines: list[dict[str, Any]] = [this_machine()]

    @property
    def candidates(self) -> Candidates | None:
        """The trials that a team can be chosen of; None if there are none."""
        if self.judge is None or not self.outputs:
            return None
        base = self.spec.model_copy(update={"sweep": None})
        return Candidates(base, self.folder.path, self.repetitions, self.judge, self.outputs)

    def run(self, workers: Workers) -> None:
        """Compute the trials that are not there yet, and write all that follows from them."""
        self.folder.prepare()
        trials = map(self._read, range(self._count))
        self._kept = {trial.number: trial for trial in trials if trial is not None}
        self._progress.kept(len(self._kept))
        for machine in self.folder.machines():
            self._compare(machine)
        self._write_facts("under way")
        self._search.begin_journal(self.folder.path / JOURNAL, self.spec.name or "sweep")
        at_once, finished = self.sweep.at_once(workers.jobs), False
        try:
            for number in range(self._count):
                while len(self._under_way) == at_once:
                    self._tell_next(workers)
                self._draw(number, workers)
            while self._under_way:
                self._tell_next(workers)
            finished = True
        finally:
            self._write_table()
            self._write_facts("all trials" if finished else f"after {len(self.told)} trials", finished=finished)
        self.folder.check()

    def idle_jobs(self, jobs: int) -> Iterator[Diagnostic]:
        """Yield what is to be told if only some of so many processes will have something to do."""
        used = self.sweep.at_once(jobs) * self._tasks
        if used < min(jobs, self._count * self._tasks):
            message = f"only {used} of {jobs} jobs are used: sweep.parallel is {self.sweep.parallel}"
            hint = f"set sweep.parallel = {math.ceil(2 * jobs / self._tasks)}"
            hint += "; other values are drawn then" * self.sweep.adapts
            yield self.spec.diagnostic("idle-jobs", message, ("sweep", "parallel"), hint=hint)

    def _read(self, number: int) -> Trial | None:
        """Return a trial that has ended before."""
        trial = read_trial(self.folder.trial_path(number))
        if trial is not None and not self._search.might_draw(trial):
            message = "not a valid record of a trial: its settings are not in the space of this sweep"
            raise FileError(message, source=str(self.folder.trial_path(number)))
        is_finished = trial is not None and trial.state == "finished" and self.judge is not None
        if is_finished and read_outputs(self.folder.trial_path(number), self.repetitions) is not None:
            self.outputs.add(number)
        return trial

    def changes(self, drawn: Drawn) -> tuple[Change, ...]:
        """Return what a trial puts over the spec."""
        return tuple(Change(path, value) for path, value in drawn.changes)

    def _draw(self, number: int, workers: Workers) -> None:
        known = self._kept.get(number)
        drawn = self._search.draw(number, None if known is None else known.parameters)
        entry = _UnderWay(number, drawn, self._search.parameters(number), self.best, trial=known)
        self._under_way.append(entry)
        if known is not None:
            return
        pruning, folds = self._search.pruning(), None
        document = changed(self._document, self.changes(drawn), f"trial {number}")
        with suppress(SpecError):  # whoever computes it refuses it
            entry.spec, data = self.writer.written(
                self.changes(drawn), self.folder.start or self.folder.trial_path(number)
            )
            document = replace(document, data=data)
        for each in self.repetitions:
            data = changed(document, each.changes, f"trial {number}").data
            entry.runs.append(TrialTask.of(data, self.spec, self._sha256, pruning=pruning))
        with suppress(SpecnetError):  # whoever computes it refuses it
            folds = entry.runs[0].spec(self._table).training.folds
        for run, task in enumerate(entry.runs):
            for member in [None] if folds is None else range(folds):
                entry.pieces.append(_Piece(run, member, workers.submit(replace(task, member=member))))

    def _tell_next(self, workers: Workers) -> None:
        """Tell the first trial that is not told yet, when it has ended."""
        entry = self._under_way[0]
        while entry.trial is None:
            left = sum(not piece.outcome.done() for each in self._under_way for piece in each.pieces)
            drawn = len(self.told) + len(self._under_way)
            workers.advance(left + (self._count - drawn) * self._tasks)
            for each in self._under_way:
                if each.trial is None:
                    self._look_at_folds(each, workers)
                    if all(piece.outcome.done() for piece in each.pieces):
                        self._end(each)
            self.folder.check(waits=False)
        self._tell(self._under_way.popleft())

    def _look_at_folds(self, entry: _UnderWay, workers: Workers) -> None:
        """End a trial whose first folds are done and show that it is worse than the best one when it was drawn."""
        pruner, first = self.sweep.pruner, entry.pieces[:PRUNED_AFTER]
        is_time = len(entry.pieces) > len(first) and all(piece.outcome.done() for piece in first)
        if pruner is None or not pruner.of_folds or not is_time or self.judge is None:
            return
        outcomes = [piece.outcome.result() for piece in first]
        if all(outcome.state == "finished" for outcome in outcomes):
            if entry.best is None or entry.best.number not in self.outputs:
                return
            self.folder.check()  # until they are written
            outputs = self.outputs[entry.best.number]
            ours = self.judge.parts([(piece.run, each.held) for piece, each in zip(first, outcomes, strict=True)])
            if ours is None:
                return
            best = [replace(part, raw=outputs[piece.run][part.rows]) for piece, part in zip(first, ours, strict=True)]
            losses, of_best = (np.concatenate(self.judge.losses(parts)) for parts in (ours, best))
            if not pruner.is_worse(losses, of_best):
                return
            entry.ended_by = f"worse than trial {entry.best.number} after {PRUNED_AFTER} folds"
        workers.drop(piece.outcome for piece in entry.pieces[PRUNED_AFTER:])
        entry.pieces = first

    def _end(self, entry: _UnderWay) -> None:
        """Take what a trial has come to, and write it, whatever its turn."""
        runs = [(self.repetitions[run], outcome) for run, outcome in self._outcomes(entry)]
        judge = None if entry.ended_by else self.judge
        outputs, figures = measured(judge, [outcome for _, outcome in runs], self.sweep.metric)
        if outputs is not None:
            self.outputs.add(entry.number)
        settings = entry.drawn.shown
        entry.trial = trial_of(entry.number, settings, entry.parameters, runs, figures, self.sweep.metric)
        if entry.ended_by:
            entry.trial = replace(entry.trial, state="pruned", message=entry.ended_by, figure=None, figures=())
        for _, outcome in runs:
            self._progress.warned(map(self._document.placed, outcome.warnings))
        spec = {} if entry.spec is None else {f"spec.{self.writer.format}": entry.spec}
        path, files = self.folder.trial_path(entry.number), trial_files(entry.trial, runs, spec, outputs)
        self.folder.later(write_folder, path, files)

    def _outcomes(self, entry: _UnderWay) -> Iterator[tuple[int, RunOutcome]]:
        """Yield what each run has come to; of a trial that was ended early, what its pieces have."""
        for run, pieces in groupby(entry.pieces, lambda piece: piece.run):
            found = [(piece.member, piece.outcome.result()) for piece in pieces]
            outcomes = [outcome for _, outcome in found]
            for outcome in outcomes:
                self._compare(outcome.machine)
            whole = next((outcome for outcome in outcomes if outcome.state != "finished"), outcomes[0])
            if found[0][0] is not None and whole.state == "finished" and not entry.ended_by:
                members = [outcome.trained for outcome in outcomes if outcome.trained is not None]
                whole = perform(replace(entry.runs[run], members=members), self._table)
            seconds, epochs = sum(each.seconds for each in outcomes), sum(each.epochs for each in outcomes)
            yield run, replace(whole, seconds=seconds, epochs=epochs)

    def _tell(self, entry: _UnderWay) -> None:
        trial = entry.trial
        assert trial is not None, "it has ended"
        self._search.tell(trial)
        self.told.append(trial)
        best, self.best = self.best, best_trial(filter(None, (self.best, trial)), self.larger_is_better)
        if self.best is not best:
            text = self.writer.text(self.changes(entry.drawn), self.folder.start or self.folder.path)
            self.folder.write(f"best.{self.writer.format}", text)
        self._write_table()
        self.folder.later(self._search.record, self._search.last_told(trial.number))
        if entry.pieces:  # it was computed now
            self._progress.ended(*trial_line(trial, self.sweep.metric), best=self._best_told())
        if len(self.told) == min(FIRST_TRIALS, self._count) and self.best is None:
            raise self._nothing_finished()

    def _best_told(self) -> str:
        best = self.best
        return "" if best is None else f"best {figure_text(best, self.sweep.metric)} (trial {best.number})"

    def _nothing_finished(self) -> TrainingError:
        told = (f"; trial {trial.number} {trial.state}: {trial.message}" for trial in self.told if trial.message)
        problem = f"none of the first {len(self.told)} trials has finished{next(told, '')}"
        return TrainingError(problem, source=self.folder.source)

    def _compare(self, machine: dict[str, Any]) -> None:
        """Note a worker whose bits may be others than those of this process."""
        if machine not in self._machines:
            ours = self._machines[0]
            self._machines.append(machine)
            other = " and ".join(
                f"{name} {_machine_text(machine[name])}, here {_machine_text(ours[name])}"
                for name in MACHINE
                if machine[name] != ours[name]
            )
            hint = "set OPENBLAS_CORETYPE and NPY_DISABLE_CPU_FEATURES alike on all machines"
            message = f"a worker has another processor: {other}; its results may differ in their last bits"
            self._progress.warned([Diagnostic("machine", message, hint=hint)])

    def _write_table(self) -> None:
        settings = (key for candidate in self.sweep.candidates for key in candidate)
        self.folder.write(TRIALS_TABLE, table_text(self.told, [*columns(self.sweep.space), *settings]))

    def _write_facts(self, end: str, *, finished: bool = False) -> None:
        states = [trial.state for trial in self.told]
        facts = {
            IDENTITY: self.identity.data(),
            "name": self.spec.name,
            "metric": self.sweep.metric,
            "larger_is_better": self.larger_is_better,
            VERSIONS: {**library_versions(), "optuna": required_optuna().__version__},
            "threads": THREADS,
            MACHINES: self._machines,
            "trials": self._count,
            "states": {state: states.count(state) for state in dict.fromkeys(states)},
            "best": None if self.best is None else {"trial": self.best.number, "figure": self.best.figure},
            "finished": finished,
            "end": end,
            "seconds": time.perf_counter() - self._begin,
        }
        self.folder.write_facts(facts, hashed=(*WRITTEN, *BEST_SPECS, JOURNAL) if self.told else WRITTEN)


def trial_line(trial: Trial, metric: str) -> Sequence[str]:
    """Return what a terminal shows of a trial."""
    state = figure_text(trial, metric) if trial.state == "finished" else trial.state
    told = f"{state}: {trial.message}" if trial.message else state
    settings = [f"{name.rpartition('.')[2]} {_setting_text(value)}" for name, value in trial.settings.items()]
    return [f"trial {trial.number}", told, *settings, duration(trial.seconds)]


def figure_text(trial: Trial, metric: str) -> str:
    """Return the figure of a trial with its name."""
    assert trial.figure is not None, "it has finished"
    return f"{metric} {metric_text(metric, trial.figure)}"


def _setting_text(value: str | int | float) -> str:
    """Return a value that was drawn, of a part its type alone."""
    if isinstance(value, float):
        return f"{value:.3g}"
    part, text = _PART.match(str(value)), str(value)
    return part[1] if part else text if len(text) <= LONGEST_SETTING else f"{text[: LONGEST_SETTING - 1]}…"


def _machine_text(fact: Any) -> str:
    return " ".join(str(value) for value in (fact.values() if isinstance(fact, dict) else fact))
