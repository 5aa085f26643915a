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
from specnet.training.after_epoch import watcher_name
from specnet.training.epoch_metrics import PARTS, CrossFittedOutputs, Monitors, parts_of
from specnet.training.steps.trainer import State


def check_monitors(spec: Spec) -> None:
    """Refuse to train without validation rows where something needs them.

    Raises
    ------
    DataError
        If early stopping, the schedule or calibration does.
    """
    hint = "set data.split.validation_size = 0.2, or pass validation=(X, y) to fit"
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
    groups : (rows,) or None
        Of rows that are not independent of each other.
    """

    rows: TrainingRows
    target: Array
    weight: NDArray[Any] | None
    groups: NDArray[np.generic] | None = None

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

    def __call__(self, member: int) -> tuple[TrainingRows, Monitors]:
        """Return the rows that a member is trained on, and its monitors.

        Nothing is cross-fitted to folds: the mean of all members errs less than the one that has left a fold out, by
        about as much as that one's epoch fits the fold too well.
        """
        training, watched = self.training, self.watched
        if watched is None:
            return training, Monitors()
        if self.folds is None:
            return training, validation_monitors(self.decoder, watched)
        mine = np.equal(self.folds, member)
        return training.some(~mine), validation_monitors(self.decoder, watched.some(mine), cross_fits=False)


def validation_monitors(decoder: Decoder, watched: WatchedRows, *, cross_fits: bool = True) -> Monitors:
    """Return what computes each figure of the validation rows that the history is to have.

    Parameters
    ----------
    decoder : Decoder
        What turns the network's outputs into predictions.
    watched : WatchedRows
    cross_fits : bool
        Whether outputs for them are wanted that have not chosen the epoch, where they choose it.
    """
    network, spec, rows = decoder.network, decoder.network.spec, watched.rows
    target, weights = network.read_target(rows.target, len(rows)), check_weights(rows.weight, len(rows))
    last = np.empty(0)  # losses of the rows, of which parts are scored too

    def loss(theta: Array, state: State) -> float:
        nonlocal last
        last = network.row_losses_checked(theta, rows.X, target, state, data_only=True)
        return weighted_mean(last, weights)

    def score(metric: Metric, theta: Array, state: State) -> float:
        compared = decoder.compared([decoder.averaged(network.predict_checked(theta, rows.X, state))])
        return metric.score(watched.target, *compared, watched.weight)

    monitors = Monitors({VALIDATION_LOSS: loss})
    for _, who in spec.training.watchers():
        metric = spec.monitored_metric(who.monitor)
        if metric is not None:
            monitors[who.monitor] = partial(score, metric)
    parts = parts_of(len(rows), watched.groups)
    stopping = spec.training.early_stopping
    if not cross_fits or stopping is None or stopping.monitor == LOSS or len(np.unique(parts)) < PARTS:
        return monitors
    metric = spec.monitored_metric(stopping.monitor)

    def scores(theta: Array, state: State) -> NDArray[np.float64]:
        others = [parts != part for part in range(PARTS)]
        if metric is None:
            every = [weighted_mean(last[each], None if weights is None else weights[each]) for each in others]
            return np.array(every)
        prediction, probability = decoder.compared([decoder.averaged(network.predict_checked(theta, rows.X, state))])
        found = [
            metric.score(
                watched.target[chosen],
                prediction[chosen],
                None if probability is None else probability[chosen],
                None if watched.weight is None else watched.weight[chosen],
            )
            for chosen in others
        ]
        return np.array(found) * (-1 if metric.larger_is_better else 1)

    monitors.cross_fitted = CrossFittedOutputs(
        parts,
        scores,
        lambda theta, state: network.predict_checked(theta, rows.X, state, raw=True),
        np.zeros((len(rows), network.outputs), network.dtype),
    )
    return monitors
