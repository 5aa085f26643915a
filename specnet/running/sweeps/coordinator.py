"""A sweep in progress: a coordinator draws trials, has them computed, reports results in order, and writes files.

The trials in its folder are the only state of a sweep; the same spec, space and data give the same trials.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from specnet.errors import Diagnostic, FileError, SpecError, SpecnetError, TrainingError
from specnet.files import file_errors, read_file, write_file
from specnet.files.atomic import remove_temporary_folders, write_folder
from specnet.files.plain_data import json_text, with_hashes
from specnet.number_texts import duration
from specnet.number_texts import metric as metric_text
from specnet.parts.data import Table
from specnet.report.terminal.run_progress import SeriesProgress
from specnet.run_files import (
    BEST_SPECS,
    JOURNAL,
    LARGEST_RECORD,
    SWEEP_FACTS,
    TRIALS,
    TRIALS_TABLE,
    WRITTEN,
    trial_name,
)
from specnet.running.data_rows import data_hash, split_data
from specnet.running.repeated_runs import Repetition, changed, check_rows_of, repetitions
from specnet.running.run_folder import START_ANEW, RunFolder
from specnet.running.sweeps.search import Search, Settings, columns, required_optuna
from specnet.running.sweeps.trial_judge import Judge
from specnet.running.sweeps.trials import TrialOutputs, TrialTask, measured, table_text, trial_files, trial_of
from specnet.running.training_run import BLAS, CPU_FEATURES, RunOutcome, library_versions
from specnet.running.workers import MACHINE, THREADS, TaskGroup, Workers, perform, this_machine
from specnet.saved.saved_sweep import CALIBRATED_LOSS, Trial, best_trial, read_sweep_facts, read_trial
from specnet.spec import Spec
from specnet.spec.parsing import document_saying, text_saying
from specnet.spec.searching import PRUNED_AFTER
from specnet.spec.spec_writing import SWEEP, Change, SpecWriter
from specnet.spec.sweep_section import SweepSpec
from specnet.training import RunIdentity
from specnet.training.checkpoint import in_words

IDENTITY, MACHINES, VERSIONS = "identity", "machines", "versions"


def identity_of(run: RunIdentity, sweep: SweepSpec) -> dict[str, Any]:
    """Return the identity of a sweep: spec, ``[sweep]`` without the number of trials, and hashes of spec and data."""
    return {
        "spec": json.loads(run.spec),
        "sweep": sweep.model_copy(update={"trials": None}).model_dump(mode="json", exclude_none=True),
        "spec_sha256": run.spec_sha256,
        "data_sha256": run.data_sha256,
    }


def identity_in(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the identity of a sweep, as of `identity_of`, from the contents of ``sweep.json``.

    Raises
    ------
    FileError
        If the identity is missing or invalid.
    """
    found = facts.get(IDENTITY)
    if not isinstance(found, Mapping) or not {"spec", "sweep", "data_sha256"} <= found.keys():
        raise FileError("not a valid record of a sweep: its identity is missing")
    for name in ("sweep", "spec"):
        if not isinstance(found[name], Mapping):
            raise FileError(f'not a valid record of a sweep: "{name}" must be a table')
    return found


def _as_run(identity: Mapping[str, Any]) -> RunIdentity:
    """Return the identity of a sweep as the identity of a run whose spec has ``[sweep]`` at its end."""
    document = {**identity["spec"], "sweep": identity["sweep"]}
    return RunIdentity(json.dumps(document, ensure_ascii=False), str(identity["data_sha256"]))


class SweepFolder:
    """The folder of a sweep. A separate thread writes its files, in order, while trials are computed.

    Parameters
    ----------
    path : Path
        The folder, locked by this process.
    start : Path or None
        Folder that relative paths of all written specs start from, if `path` is temporary. If None, the paths of each
        spec start from its own folder.
    """

    def __init__(self, path: Path, start: Path | None = None) -> None:
        self.path, self.start = path, start
        self._disk = ThreadPoolExecutor(1, "specnet-disk")
        self._written: list[Future[Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._disk.shutdown()
        if error is None:
            self.check()

    def check(self, *, waits: bool = True) -> None:
        """Raise the first error of the writing thread; unless `waits`, only check the writes that are done already.

        Raises
        ------
        FileError
            If a file could not be written.
        """
        done = [each for each in self._written if waits or each.done()]
        self._written = [each for each in self._written if each not in done]
        for each in done:
            each.result()

    def resumed(self, identity: Mapping[str, Any]) -> Iterator[Diagnostic]:
        """Yield a warning if the sweep in this folder was begun with another version of Optuna.

        Raises
        ------
        FileError
            If the folder holds another sweep or none.
        """
        if not (self.path / SWEEP_FACTS).exists():
            if any(self.path.glob(f"{TRIALS}/*")):
                message = f"nothing to resume: the folder has no {SWEEP_FACTS}"
                raise FileError(message, hint=START_ANEW, source=str(self.path))
            return
        facts = read_sweep_facts(self.path)
        differences = _as_run(identity_in(facts)).differences(_as_run(identity))
        if differences:
            message = f"this folder holds another sweep: {in_words(differences)}"
            raise FileError(message, hint=START_ANEW, source=str(self.path))
        versions, now = facts.get(VERSIONS), required_optuna().__version__
        then = versions.get("optuna") if isinstance(versions, Mapping) else None
        if then != now:
            message = f"this sweep was begun with Optuna {then}, now {now}; its trials may be others from here on"
            yield Diagnostic("optuna-version", message, source=str(self.path))

    def machines(self) -> list[dict[str, Any]]:
        """Return the facts about the machines that computed the trials in this folder."""
        return machines_in(read_sweep_facts(self.path)) if (self.path / SWEEP_FACTS).exists() else []

    def prepare(self) -> None:
        """Create the folder of trials, and remove temporary folders that an interrupted sweep left there."""
        with file_errors(self.path):
            (self.path / TRIALS).mkdir(exist_ok=True)
        remove_temporary_folders(self.path / TRIALS)

    @property
    def source(self) -> str | None:
        """The folder that an error message names; None if the folder is temporary."""
        return str(self.path) if self.start is None else None

    def write_facts(self, facts: Mapping[str, Any], hashed: Iterable[str]) -> None:
        """Write ``sweep.json`` with the SHA-256 of the files named in `hashed`, as far as they exist by then."""
        self.later(self._write_facts, facts, hashed)

    def _write_facts(self, facts: Mapping[str, Any], hashed: Iterable[str]) -> None:
        paths = [self.path / name for name in hashed if (self.path / name).is_file()]
        files = {path.name: read_file(path, LARGEST_RECORD) for path in paths}
        contents = with_hashes({**files, SWEEP_FACTS: json_text(facts)}, SWEEP_FACTS)
        write_file(self.path / SWEEP_FACTS, contents[SWEEP_FACTS])

    def write(self, name: str, content: str) -> None:
        """Write a file of the folder, in the order of calls."""
        self.later(write_file, self.path / name, content)

    def later(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function in the writing thread, in the order of calls."""
        self._written.append(self._disk.submit(function, *arguments))


def machines_in(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the valid entries about machines from the contents of ``sweep.json``."""
    known, kinds = facts.get(MACHINES), {BLAS: dict, CPU_FEATURES: list}
    return [
        each
        for each in (known if isinstance(known, list) else [])
        if isinstance(each, dict) and all(isinstance(each.get(name), kind) for name, kind in kinds.items())
    ]


_PART = re.compile(r'(?:\{ type = )?"(\w+)"')
MAX_SETTING_LENGTH = 40
"""The maximum number of characters of a value in a terminal."""
FIRST_TRIALS = 20
"""The number of first trials after which a sweep stops if no trial has finished."""


class _DrawnTrial(TaskGroup[int]):
    """A drawn trial whose result is not reported to the search yet; its key is its number.

    Its tasks are its runs or, if a run is an ensemble, the members of each run, run by run.

    Parameters
    ----------
    number : int
    changes : sequence of Change
        The changes of the spec.
    settings : dict
        The drawn values as a table of trials shows them.
    parameters : dict
        The drawn values as parameters of Optuna.
    best : Trial or None
        The best trial when this one was drawn.
    """

    def __init__(
        self, number: int, changes: list[Change], settings: Settings, parameters: dict[str, Any], best: Trial | None
    ) -> None:
        super().__init__(number, ())
        self.changes, self.settings, self.parameters, self.best = changes, settings, parameters, best
        self.runs: list[TrialTask] = []
        self.members: Sequence[int | None] = [None]
        """The ensemble members of a run, with one task for each; [None] if a run is one task."""
        self.spec: str | None = None
        self.ended_by = ""
        """The reason why the trial was ended early; empty if it was not."""
        self.trial: Trial | None = None


def _differs(path: Path, text: str) -> bool:
    """Return whether a file exists and has another text."""
    return path.is_file() and read_file(path, LARGEST_RECORD).decode(errors="replace") != text


class Coordinator:
    """A sweep of one spec.

    Parameters
    ----------
    spec : Spec
        The spec, with its section ``[sweep]``.
    table : Table
        The rows of the spec.
    folder : SweepFolder
    progress : SeriesProgress
    """

    def __init__(self, spec: Spec, table: Table, folder: SweepFolder, progress: SeriesProgress) -> None:
        assert spec.sweep is not None, "parse_sweep returns it"
        self.spec, self.sweep, self.folder = spec, spec.sweep, folder
        document = document_saying(spec)
        self._document = document.without(SWEEP)
        self.writer = SpecWriter(document, spec.registry)
        language, text = text_saying(spec)
        self._was_edited = _differs(folder.path / f"spec.{language}", text)
        self._begin = time.perf_counter()
        base = spec.model_copy(update={"sweep": None})
        self._sha256 = data_hash(table)
        self.data = split_data(base, table)
        self.identity = identity_of(self.data.identity(self._sha256), self.sweep)
        seeds = self.sweep.seeds if self.sweep.seeds > 1 else None
        self.repetitions = repetitions(base, self.sweep.folds, seeds, "validation")
        check_rows_of(base, self.repetitions, table, self.sweep.folds, "validation")
        self._tasks = len(self.repetitions) * (base.training.folds or 1)
        self._table, self._count, self._progress = table, self.sweep.trial_count, progress
        self.judge: Judge | None = None
        with suppress(SpecnetError):  # no judge if the spec as written cannot be trained
            self.judge = Judge.of(spec, self.repetitions, table, self.sweep.metric, self.data)
        self.figure_name = self.sweep.metric
        if self.judge is not None and self.judge.is_calibrated:
            self.figure_name = CALIBRATED_LOSS
        metric = spec.monitored_metric(self.sweep.metric)
        self.larger_is_better = metric is not None and metric.larger_is_better
        seed = spec.seed if self.sweep.seed is None else self.sweep.seed
        self._search = Search(self.sweep, seed, self.larger_is_better, self._document.data)
        self._under_way: deque[_DrawnTrial] = deque()
        self._saved: dict[int, Trial] = {}
        self.reported: list[Trial] = []
        self.best: Trial | None = None
        self.outputs = TrialOutputs(folder.path, self.repetitions)
        """The outputs of finished trials that can be compared row by row."""
        self._machines: list[dict[str, Any]] = [this_machine()]

    def run(self, workers: Workers) -> None:
        """Compute the trials that are not saved yet, and write all results of the sweep."""
        self.folder.prepare()
        trials = map(self._read, range(self._count))
        self._saved = {trial.number: trial for trial in trials if trial is not None}
        self._progress.resumed(len(self._saved))
        for machine in self.folder.machines():
            self._compare(machine)
        self._write_facts("under way")
        self._search.begin_journal(self.folder.path / JOURNAL, self.spec.name or "sweep")
        at_once, finished = self.sweep.at_once(workers.jobs), False
        try:
            for drawn in workers.computed(self._plan(at_once), later=self._tasks_to_draw, enough=self._is_worse):
                self._end(drawn)
            finished = True
        finally:
            self._write_table()
            self._write_facts("all trials" if finished else f"after {len(self.reported)} trials", finished=finished)
        self.folder.check()

    def idle_jobs(self, jobs: int) -> Iterator[Diagnostic]:
        """Yield a warning if some of the processes (`jobs`) will have nothing to compute."""
        used = self.sweep.at_once(jobs) * self._tasks
        if used < min(jobs, self._count * self._tasks):
            message = f"only {used} of {jobs} jobs are used: sweep.parallel is {self.sweep.parallel}"
            hint = f"set sweep.parallel = {math.ceil(2 * jobs / self._tasks)}"
            hint += "; other values are drawn then" * self.sweep.adapts
            yield self.spec.diagnostic("idle-jobs", message, ("sweep", "parallel"), hint=hint)

    def _path(self, number: int) -> Path:
        return self.folder.path / trial_name(number)

    def _read(self, number: int) -> Trial | None:
        """Return a trial from its folder, or None if it is not saved there."""
        path = self._path(number)
        trial = read_trial(path)
        if trial is not None and not self._search.might_draw(trial):
            message = "not a valid record of a trial: its settings are not in the space of this sweep"
            raise FileError(message, source=str(path))
        if trial is not None and trial.state == "finished" and self.judge is not None:
            self.outputs.add_written(number)
        return trial

    def _plan(self, at_once: int) -> Iterator[_DrawnTrial | None]:
        """Yield the trials to compute, and None to wait while `at_once` drawn trials are not reported yet."""
        for number in range(self._count):
            if len(self._under_way) == at_once:
                yield from self._report_next()
            drawn = self._draw(number)
            if drawn.trial is None:
                yield drawn
        while self._under_way:
            yield from self._report_next()

    def _tasks_to_draw(self) -> int:
        return (self._count - len(self.reported) - len(self._under_way)) * self._tasks

    def _draw(self, number: int) -> _DrawnTrial:
        known = self._saved.get(number)
        changes, settings = self._search.draw(number, None if known is None else known.parameters)
        drawn = _DrawnTrial(number, changes, settings, self._search.parameters(number), self.best)
        self._under_way.append(drawn)
        if known is not None:
            drawn.trial = known
            if self._was_edited:
                self._rewrite_spec(number, changes)
            return drawn
        pruning, folds = self._search.pruning(), None
        document = changed(self._document, changes, f"trial {number}")
        with suppress(SpecError):  # the task of the trial reports the error
            start = self.folder.start or self._path(number)
            drawn.spec, data = self.writer.written(changes, start)
            document = replace(document, data=data)
        documents = [changed(document, each.changes, f"trial {number}") for each in self.repetitions]
        drawn.runs = [TrialTask.of(each.data, self.spec, self._sha256, pruning=pruning) for each in documents]
        with suppress(SpecnetError):  # the task of the trial reports the error
            folds = drawn.runs[0].spec(self._table).training.folds
        drawn.members = [None] if folds is None else range(folds)
        drawn.tasks = [replace(task, member=member) for task in drawn.runs for member in drawn.members]
        return drawn

    def _rewrite_spec(self, number: int, changes: list[Change]) -> None:
        """Write the spec of a saved trial again, which has other expectations or comments than before."""
        path, name = self._path(number), f"spec.{self.writer.format}"
        with suppress(SpecError):  # a trial that was refused has none
            text = self.writer.text(changes, self.folder.start or path)
            if _differs(path / name, text):
                self.folder.later(RunFolder(path).rewrite, {name: text})

    def _report_next(self) -> Iterator[None]:
        """Report the first trial under way as soon as it has ended; yield None until then."""
        while self._under_way[0].trial is None:
            yield
            self.folder.check(waits=False)
        self._report(self._under_way.popleft())

    def _is_worse(self, drawn: _DrawnTrial) -> bool:
        """End a trial and return True if its first folds are worse than those of the best trial when it was drawn."""
        pruner, first = self.sweep.pruner, range(PRUNED_AFTER)
        is_time = len(drawn.tasks) > len(first) and drawn.done.keys() >= {*first}
        if pruner is None or not pruner.of_folds or not is_time or self.judge is None:
            return False
        outcomes = [drawn.done[index] for index in first]
        if all(outcome.state == "finished" for outcome in outcomes):
            if drawn.best is None or drawn.best.number not in self.outputs:
                return False
            self.folder.check()  # waits until the outputs are written
            answers = [
                (index // len(drawn.members), each.held_out) for index, each in zip(first, outcomes, strict=True)
            ]
            losses = self.judge.losses_beside(answers, self.outputs[drawn.best.number])
            if losses is None or not pruner.is_worse(*losses):
                return False
            drawn.ended_by = f"worse than trial {drawn.best.number} after {PRUNED_AFTER} folds"
        drawn.keep_first(PRUNED_AFTER)
        return True

    def _end(self, drawn: _DrawnTrial) -> None:
        """Record the result of a finished trial and save it, even if earlier trials are still running."""
        runs = list(self._outcomes(drawn))
        judge = None if drawn.ended_by else self.judge
        outputs, figures = measured(judge, [outcome for _, outcome in runs], self.sweep.metric)
        if outputs is not None:
            self.outputs.add(drawn.key)
        drawn.trial = trial_of(drawn.key, drawn.settings, drawn.parameters, runs, figures, self.sweep.metric)
        if drawn.ended_by:
            drawn.trial = replace(drawn.trial, state="pruned", message=drawn.ended_by, figure=None, figures=())
        for _, outcome in runs:
            self._progress.warned(map(self._document.located, outcome.warnings))
        spec = {} if drawn.spec is None else {f"spec.{self.writer.format}": drawn.spec}
        path, files = self._path(drawn.key), trial_files(drawn.trial, runs, spec, outputs)
        self.folder.later(write_folder, path, files)

    def _outcomes(self, drawn: _DrawnTrial) -> Iterator[tuple[Repetition, RunOutcome]]:
        """Yield each run of a trial with its outcome; only runs with finished tasks if the trial was ended early."""
        for run, each in enumerate(self.repetitions):
            first = run * len(drawn.members)
            indices = range(first, first + len(drawn.members))
            outcomes = [drawn.done[index] for index in indices if index in drawn.done]
            if not outcomes:
                return
            for outcome in outcomes:
                self._compare(outcome.machine)
            whole = next((one for one in outcomes if one.state != "finished"), outcomes[0])
            if drawn.members[0] is not None and whole.state == "finished" and not drawn.ended_by:
                members = [outcome.trained for outcome in outcomes if outcome.trained is not None]
                whole = perform(replace(drawn.runs[run], members=members), self._table)
            seconds, epochs = sum(one.seconds for one in outcomes), sum(one.epochs for one in outcomes)
            yield each, replace(whole, seconds=seconds, epochs=epochs)

    def _report(self, drawn: _DrawnTrial) -> None:
        trial = drawn.trial
        assert trial is not None, "it has ended"
        self._search.report(trial)
        self.reported.append(trial)
        best, self.best = self.best, best_trial(filter(None, (self.best, trial)), self.larger_is_better)
        if self.best is not best:
            text = self.writer.text(drawn.changes, self.folder.start or self.folder.path)
            self.folder.write(f"best.{self.writer.format}", text)
        self._write_table()
        self.folder.later(self._search.record, self._search.last_reported(trial.number))
        if drawn.tasks:  # it was computed now
            self._progress.ended(*trial_line(trial, self.figure_name), best=self._best_text())
        if len(self.reported) == min(FIRST_TRIALS, self._count) and self.best is None:
            raise self._nothing_finished()

    def _best_text(self) -> str:
        best = self.best
        return "" if best is None else f"best {figure_text(best, self.figure_name)} (trial {best.number})"

    def _nothing_finished(self) -> TrainingError:
        problems = (
            f"; trial {trial.number} {trial.state}: {trial.message}" for trial in self.reported if trial.message
        )
        problem = f"none of the first {len(self.reported)} trials has finished{next(problems, '')}"
        return TrainingError(problem, source=self.folder.source)

    def _compare(self, machine: dict[str, Any]) -> None:
        """Warn of a worker on another kind of processor, whose results may differ in their last bits."""
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
        self.folder.write(TRIALS_TABLE, table_text(self.reported, [*columns(self.sweep.space), *settings]))

    def _write_facts(self, end: str, *, finished: bool = False) -> None:
        states = [trial.state for trial in self.reported]
        facts = {
            IDENTITY: self.identity,
            "name": self.spec.name,
            "metric": self.sweep.metric,
            "figure": self.figure_name,
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
        self.folder.write_facts(facts, hashed=(*WRITTEN, *BEST_SPECS, JOURNAL) if self.reported else WRITTEN)


def trial_line(trial: Trial, figure_name: str) -> Sequence[str]:
    """Return the texts that a terminal shows for a trial: number, result, settings and duration."""
    state = figure_text(trial, figure_name) if trial.state == "finished" else trial.state
    text = f"{state}: {trial.message}" if trial.message else state
    settings = [f"{name.rpartition('.')[2]} {_setting_text(value)}" for name, value in trial.settings.items()]
    return [f"trial {trial.number}", text, *settings, duration(trial.seconds)]


def figure_text(trial: Trial, name: str) -> str:
    """Return the name and value of the figure of a finished trial."""
    assert trial.figure is not None, "it has finished"
    return f"{name} {metric_text(name, trial.figure)}"


def _setting_text(value: str | int | float) -> str:
    """Return a drawn value as a short text; a part is shown by its type alone."""
    if isinstance(value, float):
        return f"{value:.3g}"
    part, text = _PART.match(str(value)), str(value)
    return part[1] if part else text if len(text) <= MAX_SETTING_LENGTH else f"{text[: MAX_SETTING_LENGTH - 1]}…"


def _machine_text(fact: Any) -> str:
    return " ".join(str(value) for value in (fact.values() if isinstance(fact, dict) else fact))
