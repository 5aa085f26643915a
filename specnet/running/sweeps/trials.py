"""A trial of a sweep: computed without test rows, pruned if it is unlikely to become good, and what it comes to."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from specnet.files.run_files import MODEL
from specnet.parts.data import Table
from specnet.parts.searches import Pruner
from specnet.parts.splits import TRAIN
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.running.data_rows import SpecData, split_data
from specnet.running.evaluation.evaluation import figures_of
from specnet.running.fitting import FitResult, fit_rows
from specnet.running.many.run_tasks import Task
from specnet.running.sweeps.optuna_calls import quiet, required_optuna
from specnet.running.training_run import Contents, HeldAnswers, RunOutcome
from specnet.saved.metrics_file import Evaluation
from specnet.saved.saved_trials import RUNGS, RungLosses
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
    """Return how many rungs of a trial are reached after one of its epochs."""
    return epoch * RUNGS // epochs


def curve_of(history: Iterable[Mapping[str, Any]], epochs: int) -> RungLosses:
    """Return what a `PruningObserver` reports of a trial that goes on to the end."""
    curve: RungLosses = {}
    for record in history:
        curve.setdefault(rung_of(record["epoch"], epochs), record[VALIDATION_LOSS])
    return {rung: loss for rung, loss in curve.items() if rung}


@dataclass(frozen=True)
class TrialTask(Task):
    """A run of a trial, or a member of its ensemble: its test rows are cut away before training.

    Tasks of one run share what they make of its document: the spec, the rows in their parts, and the network.

    Attributes
    ----------
    pruning : (Pruner, bytes) or None
        What decides whether it goes on: as for `PruningObserver`.
    member : int or None
        Of an ensemble on folds: the only member that is trained.
    members : sequence of TrainingResult
        All of them, where they have been trained by tasks of their own.
    """

    pruning: tuple[Pruner, bytes] | None = None
    member: int | None = None
    members: Sequence[TrainingResult] = ()

    def computed(self, table: Table) -> RunOutcome:
        """Return what the run comes to: metrics, history, model, and the answers for rows held out; or the member."""
        data = self._split(table)
        if self.members:
            return _finished(fit_rows(data, self.observer(), train_ensemble=lambda *_, **__: [*self.members]), {})
        if self.member is not None:
            fitted = fit_rows(data, self.observer(), train_ensemble=partial(_alone, self.member))
            return RunOutcome.of(fitted, held=_answers_of_member(fitted, self.member), trained=fitted.members[0])
        observer = self.observer() if self.pruning is None else PruningObserver(*self.pruning)
        curve = observer.curve if isinstance(observer, PruningObserver) else {}
        try:
            fitted = fit_rows(data, observer)
        except StopTraining as stop:
            return RunOutcome("pruned", epochs=stop.epoch, curve=curve)
        return _finished(fitted, curve)

    def _split(self, table: Table) -> SpecData:
        """Return the rows in their parts, without those for testing."""
        if "rows" not in self.known:
            self.known["rows"] = split_data(self.spec(table), table, has_test=False)
        return cast(SpecData, self.known["rows"])


def _alone(member: int, *arguments: Any, observer: Observer, **_: Any) -> list[TrainingResult]:
    return [train_member(member, *arguments, observer=observer)]


def _finished(fitted: FitResult, curve: RungLosses) -> RunOutcome:
    fitted.check_whole()
    files: Contents = {MODEL: fitted.model.to_bytes()}
    return RunOutcome.of(
        fitted, files=files, evaluation=Evaluation({}, figures_of(fitted)), curve=curve, held=_held_answers(fitted)
    )


def _held_answers(fitted: FitResult) -> HeldAnswers | None:
    """Return the answers for the rows held out, if there are such rows."""
    if fitted.held_out is None:
        return None
    (raw, answers), decoder = fitted.held_out, fitted.model.decoder
    return HeldAnswers(fitted.data.held_out, np.arange(len(answers)), decoder.kind, decoder.comparable(raw))


def _answers_of_member(fitted: FitResult, member: int) -> HeldAnswers:
    """Return the answers for the fold of a member of an ensemble, which alone was trained."""
    model, rows = fitted.model, fitted.data.splits[TRAIN].in_fold(member)
    ((theta, state),) = model.members
    raw = model.network.predict_checked(theta, fitted.prepared(TRAIN)[rows], state, raw=True)
    return HeldAnswers(TRAIN, np.flatnonzero(rows), model.decoder.kind, model.decoder.comparable([raw]))
