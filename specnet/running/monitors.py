"""What is computed of validation rows while a network is trained: their loss, and the metrics that are monitored."""

from __future__ import annotations

from functools import partial
from typing import Any

from numpy.typing import NDArray

from specnet.errors import DataError
from specnet.model import Decoder
from specnet.parts.arrays import Array
from specnet.parts.metrics import Metric
from specnet.parts.watching import LOSS, VALIDATION_LOSS
from specnet.spec import Spec
from specnet.training import TrainingRows
from specnet.training.figures import Monitor
from specnet.training.trainer import State
from specnet.training.watch import watcher_name


def check_monitors(spec: Spec) -> None:
    """Refuse to train without validation rows where somebody watches them.

    Raises
    ------
    DataError
        If early stopping or the schedule does.
    """
    for path, who in spec.training.watchers():
        if who.monitor != LOSS:
            message = f"training.{watcher_name(path)} monitors {who.monitor}, but there are no validation rows"
            raise DataError(message, hint="set data.split.validation_size, or pass validation=(X, y) to fit")


def validation_monitors(
    decoder: Decoder, rows: TrainingRows, target: Array, weight: NDArray[Any] | None
) -> dict[str, Monitor]:
    """Return what computes each figure of the validation rows that the history is to have.

    Parameters
    ----------
    decoder : Decoder
        What turns the network's outputs into predictions.
    rows : TrainingRows
        The validation rows as the network reads them.
    target : (rows,) or (rows, outputs)
        Theirs as metrics compare it: class indices, 0 and 1, or values in their own units.
    weight : (rows,) or None
        How much each counts in a metric.
    """
    network, spec = decoder.network, decoder.network.spec

    def loss(theta: Array, state: State) -> float:
        return network.loss_checked(theta, rows.X, rows.target, rows.weight, state, data_only=True)

    def score(metric: Metric, theta: Array, state: State) -> float:
        compared = decoder.compared([network.predict_checked(theta, rows.X, state)])
        return metric.score(target, *compared, weight)

    monitors: dict[str, Monitor] = {VALIDATION_LOSS: loss}
    for _, who in spec.training.watchers():
        metric = spec.monitored_metric(who.monitor)
        if metric is not None:
            monitors[who.monitor] = partial(score, metric)
    return monitors
