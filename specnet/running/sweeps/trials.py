"""A trial of a sweep: training without test rows, pruning if it is unlikely to become good, its record and files."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import json_lines, json_text, with_hashes
from specnet.files.tensors import decode, encode
from specnet.parts.data import Table
from specnet.parts.searches import Pruner
from specnet.parts.splits import TRAIN, best_split
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.run_files import FACTS, HELD_OUT, HISTORY, LARGEST_RECORD, METRICS, MODEL, trial_name
from specnet.running.data_rows import SpecData, split_data
from specnet.running.evaluation.evaluation import figures_of
from specnet.running.fitting import FitResult, fit_rows
from specnet.running.repeated_runs import Repetition
from specnet.running.sweeps.search import quiet, required_optuna
from specnet.running.sweeps.trial_judge import Judge, Outputs
from specnet.running.training_run import Contents, HeldOutAnswers, RunOutcome
from specnet.running.workers import Task
from specnet.saved.metrics_file import Evaluation, Metrics, csv_text
from specnet.saved.saved_sweep import RUNGS, RungLosses, Trial, TrialFigure
from specnet.training import Observer, StopTraining, TrainingResult
from specnet.training.members import train_member

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from specnet.network import Network


class PruningObserver(Observer):
    """Asks Optuna's pruner at each rung whether a trial goes on, and stops it otherwise.

    Parameters
    ----------
    pruner : Pruner
    known : bytes
        The pickled trials that the sampler knew when this one was drawn.

    Attributes
    ----------
    curve : dict
        The validation losses that were reported, by rung.
    """

    follows_log = False

    def __init__(self, pruner: Pruner, known: bytes) -> None:
        optuna, trials = required_optuna(), list["FrozenTrial"](pickle.loads(known))
        with quiet():
            self._study = optuna.create_study(pruner=pruner.optuna_pruner(RUNGS))
            self._study.add_trials(trials)
            self._trial = self._study.ask()
        self._epochs = 0
        self.curve: RungLosses = {}

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        self._epochs = epochs

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        rung = rung_of(epoch, self._epochs)
        if rung and rung not in self.curve:
            self.curve[rung] = record[VALIDATION_LOSS]
            self._trial.report(self.curve[rung], rung)
            if self._trial.should_prune():
                raise StopTraining(epoch)


def rung_of(epoch: int, epochs: int) -> int:
    """Return the number of rungs that a trial of `epochs` epochs has reached after `epoch`."""
    return epoch * RUNGS // epochs


def curve_of(history: Iterable[Mapping[str, Any]], epochs: int) -> RungLosses:
    """Return the curve of losses that a `PruningObserver` reports for a trial that trains to the end."""
    curve: RungLosses = {}
    for record in history:
        curve.setdefault(rung_of(record["epoch"], epochs), record[VALIDATION_LOSS])
    return {rung: loss for rung, loss in curve.items() if rung}


@dataclass(frozen=True)
class TrialTask(Task):
    """A run of a trial, or a member of its ensemble; test rows are removed before training.

    Tasks of one run share the spec, the split rows and the network, which are made from its document.

    Attributes
    ----------
    pruning : (Pruner, bytes) or None
        The pruner and the known trials, as for `PruningObserver`; None if the run is not pruned.
    member : int or None
        Index of the ensemble member to train; None to train the whole run.
    members : sequence of TrainingResult
        All ensemble members, if separate tasks have trained them.
    """

    pruning: tuple[Pruner, bytes] | None = None
    member: int | None = None
    members: Sequence[TrainingResult] = ()

    def computed(self, table: Table) -> RunOutcome:
        """Return the outcome of a run (metrics, history, model, outputs for held-out rows) or of a member."""
        data = self._split(table)
        if self.members:
            return _finished(fit_rows(data, self.observer(), train_ensemble=lambda *_, **__: [*self.members]), {})
        if self.member is not None:
            fitted = fit_rows(data, self.observer(), train_ensemble=partial(_alone, self.member))
            return RunOutcome.of(fitted, held_out=_answers_of_member(fitted, self.member), trained=fitted.members[0])
        observer = self.observer() if self.pruning is None else PruningObserver(*self.pruning)
        curve = observer.curve if isinstance(observer, PruningObserver) else {}
        try:
            fitted = fit_rows(data, observer)
        except StopTraining as stop:
            return RunOutcome("pruned", epochs=stop.epoch, curve=curve)
        return _finished(fitted, curve)

    def _split(self, table: Table) -> SpecData:
        """Return the rows by split, without test rows."""
        if "rows" not in self.known:
            self.known["rows"] = split_data(self.spec(table), table, has_test=False)
        return cast(SpecData, self.known["rows"])


def _alone(member: int, *arguments: Any, observer: Observer, **_: Any) -> list[TrainingResult]:
    return [train_member(member, *arguments, observer=observer)]


def _finished(fitted: FitResult, curve: RungLosses) -> RunOutcome:
    fitted.check_whole()
    files: Contents = {MODEL: fitted.model.to_bytes()}
    return RunOutcome.of(
        fitted,
        files=files,
        evaluation=Evaluation({}, figures_of(fitted)),
        curve=curve,
        held_out=_held_out_answers(fitted),
    )


def _held_out_answers(fitted: FitResult) -> HeldOutAnswers | None:
    """Return the outputs for the held-out rows, or None without held-out rows."""
    if fitted.held_out is None:
        return None
    (raw, answers), decoder = fitted.held_out, fitted.model.decoder
    return HeldOutAnswers(fitted.data.held_out, np.arange(len(answers)), decoder.kind, decoder.comparable(raw))


def _answers_of_member(fitted: FitResult, member: int) -> HeldOutAnswers:
    """Return the outputs of an ensemble member, the only trained one, for the held-out rows of its fold."""
    model, rows = fitted.model, fitted.data.splits[TRAIN].in_fold(member)
    ((theta, state),) = model.members
    raw = model.network.predict_checked(theta, fitted.prepared(TRAIN)[rows], state, raw=True)
    return HeldOutAnswers(TRAIN, np.flatnonzero(rows), model.decoder.kind, model.decoder.comparable([raw]))


OUTPUTS = "outputs"
"""The name of the tensor with a run's outputs for held-out rows."""


def trial_of(
    number: int,
    settings: Mapping[str, str | int | float],
    parameters: Mapping[str, Any],
    runs: Sequence[tuple[Repetition, RunOutcome]],
    found: Sequence[float | None],
    metric: str,
) -> Trial:
    """Return the trial of these runs, one for each fold and seed, with a metric value (`found`) for each run."""
    outcomes = [outcome for _, outcome in runs]
    figures = tuple(TrialFigure(each.seed, each.fold, of) for (each, _), of in zip(runs, found, strict=True))
    trial = Trial(
        number,
        "finished",
        settings,
        epochs=sum(outcome.epochs for outcome in outcomes),
        seconds=sum(outcome.seconds for outcome in outcomes),
        curve=outcomes[0].curve if len(outcomes) == 1 else {},
        parameters=parameters,
    )
    failed = next((outcome for outcome in outcomes if outcome.state != "finished"), None)
    if failed is not None:
        return replace(trial, state=failed.state, message=failed.message)
    known = [each.figure for each in figures if each.figure is not None]
    if len(known) < len(figures):
        return replace(trial, state="refused", message=f"{metric} is not defined for the validation rows")
    return replace(trial, figure=fmean(known), figures=figures)


def figure_of(metrics: Metrics, metric: str) -> float | None:
    """Return the value of a sweep's metric on the held-out rows of a run without test rows, or None if undefined."""
    return metrics.get(best_split(metrics.keys() - {TRAIN}), {}).get("loss" if metric == VALIDATION_LOSS else metric)


def measured(
    judge: Judge | None, outcomes: Sequence[RunOutcome], metric: str
) -> tuple[Outputs | None, list[float | None]]:
    """Return the outputs of a trial's runs for held-out rows, or None if not comparable, and each run's metric value.

    Parameters
    ----------
    judge : Judge or None
        The comparison of outputs; None if the spec as written cannot be trained.
    outcomes : sequence of RunOutcome
    metric : str
        The metric of the sweep.
    """
    outputs, figures = None, [figure_of(outcome.metrics, metric) for outcome in outcomes]
    if judge is not None and all(outcome.state == "finished" for outcome in outcomes):
        outputs = judge.outputs([outcome.held_out for outcome in outcomes])
        if outputs is not None and metric == VALIDATION_LOSS:
            figures = list(judge.figures(outputs))
    return outputs, figures


def trial_files(
    trial: Trial,
    runs: Sequence[tuple[Repetition, RunOutcome]],
    spec: Mapping[str, str | bytes],
    outputs: Outputs | None,
) -> Contents:
    """Return the files of a trial's folder.

    Parameters
    ----------
    trial : Trial
    runs : sequence of (Repetition, RunOutcome)
    spec : mapping
        The spec file by its name; empty if the spec is invalid.
    outputs : sequence of ndarray, or None
        The outputs of each run for held-out rows; None if they cannot be compared.
    """
    files: Contents = {**spec}
    if trial.state == "finished":
        several = len(runs) > 1
        lines = [line | _seed_and_fold(each) if several else line for each, outcome in runs for line in outcome.history]
        files[HISTORY] = json_lines(lines)
        files[METRICS] = json_text(_mean([outcome.metrics for _, outcome in runs]))
        for each, outcome in runs:
            files |= {file_of(each, name): file for name, file in outcome.files.items()}
        for (each, _), answered in zip(runs, outputs or (), strict=outputs is not None):
            files[file_of(each, HELD_OUT)] = encode({OUTPUTS: answered}, "")
    return with_hashes(files | {FACTS: json_text(trial.facts())}, FACTS)


def file_of(each: Repetition, name: str) -> str:
    """Return the name, in the folder of a trial, of the file `name` of one of its runs."""
    return f"{each.name}.{name}" if each.name else name


class TrialOutputs(Mapping[int, Outputs]):
    """The outputs of trials of a sweep for held-out rows, by the number of the trial.

    They are read from the trial folders at each access: outputs of many trials on many rows do not fit into memory.

    Parameters
    ----------
    sweep : Path
        The folder of the sweep.
    runs : sequence of Repetition
        The runs of each trial.
    """

    def __init__(self, sweep: Path, runs: Sequence[Repetition]) -> None:
        self._sweep, self._runs = sweep, runs
        self._numbers: set[int] = set()

    def add(self, number: int) -> None:
        """Add a trial; its folder must have its outputs before they are read."""
        self._numbers.add(number)

    def add_written(self, number: int) -> None:
        """Add a trial if its folder has its outputs.

        Raises
        ------
        FileError
            If the file is invalid.
        """
        if self._read(number) is not None:
            self.add(number)

    def _read(self, number: int) -> Outputs | None:
        found = []
        for path in self.files(number, HELD_OUT):
            if not path.exists():
                return None
            with file_errors(path):
                _, tensors = decode(read_file(path, LARGEST_RECORD))
                if tensors.keys() != {OUTPUTS} or tensors[OUTPUTS].ndim != 2:
                    raise FileError("not the answers of a trial for held-out rows")
                found.append(tensors[OUTPUTS])
        return found

    def files(self, number: int, name: str) -> list[Path]:
        """Return, for each run of a trial, the path of its file `name`."""
        return [self._sweep / trial_name(number) / file_of(each, name) for each in self._runs]

    def __getitem__(self, number: int) -> Outputs:
        found = self._read(number) if number in self._numbers else None
        if found is None:
            raise KeyError(number)
        return found

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)


def _seed_and_fold(each: Repetition) -> dict[str, int]:
    return {name: number for name, number in (("seed", each.seed), ("fold", each.fold)) if number is not None}


def _mean(metrics: Sequence[Metrics]) -> Metrics:
    """Return the mean metrics of several runs; a metric is None if it is not defined for some of them."""
    if len(metrics) == 1:
        return metrics[0]
    mean: Metrics = {}
    for split, figures in metrics[0].items():
        columns = {name: [each[split].get(name) for each in metrics] for name in figures}
        mean[split] = {
            name: None if None in values else fmean(value for value in values if value is not None)
            for name, values in columns.items()
        }
    return mean


def table_text(trials: Iterable[Trial], columns: Sequence[str]) -> str:
    """Return the text of ``trials.csv``, with a column for each setting."""
    columns = list(dict.fromkeys(columns))
    header = ["trial", "state", "figure", "seconds", *columns]
    rows = (
        [
            *(trial.number, trial.state, "" if trial.figure is None else trial.figure, round(trial.seconds, 3)),
            *(trial.settings.get(column, "") for column in columns),
        ]
        for trial in trials
    )
    return csv_text(header, rows)
