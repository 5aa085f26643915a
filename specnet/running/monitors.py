"""What is computed of validation rows while a network is trained: their loss, and the metrics that are monitored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError
from specnet.model import Decoder
from specnet.parts.arrays import Array, check_weights
from specnet.parts.metrics import Metric
from specnet.parts.metrics.statistics import weighted_mean
from specnet.parts.watchers import LOSS, VALIDATION_LOSS
from specnet.spec import Spec
from specnet.training import TrainingRows
from specnet.training.best_weights import watcher_name
from specnet.training.epoch_metrics import Monitor
from specnet.training.steps.trainer import State


def check_monitors(spec: Spec) -> None:
    """Refuse to train without validation rows where something needs them.

    Raises
    ------
    DataError
        If early stopping, the schedule or calibration does.
    """
    hint = "set data.split.validation_size, or pass validation=(X, y) to fit"
    for path, who in spec.training.watchers():
        if who.monitor != LOSS:
            message = f"training.{watcher_name(path)} monitors {who.monitor}, but there are no validation rows"
            raise DataError(message, hint=hint)
    if spec.training.calibration is not None:
        message = "training.calibration needs validation rows, or an ensemble on folds"
        raise DataError(message, hint=f"{hint}, or set training.ensemble = 5")


@dataclass(frozen=True, eq=False)
class WatchedRows:
    """Validation rows.

    Attributes
    ----------
    rows : TrainingRows
        As the network reads them.
    target : (rows,) or (rows, outputs)
        As metrics compare it: class indices, 0 and 1, or values in their own units.
    weight : (rows,) or None
        How much each row counts in a metric.
    """

    rows: TrainingRows
    target: Array
    weight: NDArray[Any] | None

    def some(self, chosen: NDArray[Any]) -> WatchedRows:
        """Return some of the rows, given a mask or their indices."""
        weight = None if self.weight is None else self.weight[chosen]
        return WatchedRows(self.rows.some(chosen), self.target[chosen], weight)


@dataclass(frozen=True, eq=False)
class MemberRows:
    """What each member of an ensemble is trained on and watches; another process can be given it.

    Attributes
    ----------
    decoder : Decoder
        What turns the network's outputs into predictions.
    training : TrainingRows
        Those of all members.
    watched : WatchedRows or None
        The validation rows of all members; with folds the training rows, without the weights of their classes.
    folds : (rows,) or None
        The member that each training row is for the validation of.
    """

    decoder: Decoder
    training: TrainingRows
    watched: WatchedRows | None
    folds: NDArray[np.intp] | None

    def __call__(self, member: int) -> tuple[TrainingRows, dict[str, Monitor]]:
        """Return the rows that a member is trained on, and its monitors."""
        training, watched = self.training, self.watched
        if self.folds is not None:
            mine = np.equal(self.folds, member)
            training, watched = training.some(~mine), None if watched is None else watched.some(mine)
        return training, {} if watched is None else validation_monitors(self.decoder, watched)


def validation_monitors(decoder: Decoder, watched: WatchedRows) -> dict[str, Monitor]:
    """Return what computes each figure of the validation rows that the history is to have.

    Parameters
    ----------
    decoder : Decoder
        What turns the network's outputs into predictions.
    watched : WatchedRows
    """
    network, spec, rows = decoder.network, decoder.network.spec, watched.rows
    target, weights = network.read_target(rows.target, len(rows)), check_weights(rows.weight, len(rows))

    def loss(theta: Array, state: State) -> float:
        return weighted_mean(network.row_losses_checked(theta, rows.X, target, state, data_only=True), weights)

    def score(metric: Metric, theta: Array, state: State) -> float:
        compared = decoder.compared([network.predict_checked(theta, rows.X, state)])
        return metric.score(watched.target, *compared, watched.weight)

    monitors: dict[str, Monitor] = {VALIDATION_LOSS: loss}
    for _, who in spec.training.watchers():
        metric = spec.monitored_metric(who.monitor)
        if metric is not None:
            monitors[who.monitor] = partial(score, metric)
    return monitors
