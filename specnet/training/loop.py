"""The training loop: epochs of batches, a history, and a stop where the loss is no longer finite."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import TrainingError
from specnet.network import Network
from specnet.streams import stream
from specnet.training.observer import Observer
from specnet.training.stepper import Stepper, TrainingRows

Array = NDArray[Any]


@dataclass
class TrainingResult:
    """What training reached.

    Attributes
    ----------
    theta : (parameter_count,)
    state : dict
        What layers keep, by name.
    history : list of dict
        A record for each logged epoch.
    epochs, steps : int
        How many were finished.
    seconds : float
        Spent in the loop.
    interrupted : bool
        Whether the user broke it off.
    """

    theta: Array
    state: dict[str, Array]
    history: list[dict[str, Any]] = field(default_factory=list)
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0
    interrupted: bool = False


def train(
    network: Network,
    theta: Array,
    rows: TrainingRows,
    *,
    monitors: Mapping[str, Callable[[Array, dict[str, Array]], float]] | None = None,
    observer: Observer | None = None,
) -> TrainingResult:
    """Train a network on rows.

    Parameters
    ----------
    network : Network
    theta : (parameter_count,)
        Where to start; it is not changed.
    rows : TrainingRows
    monitors : mapping, optional
        Figures for each logged epoch, such as ``validation_loss``, from theta and the layers' state after it.
    observer : Observer, optional
        Is told of each logged epoch.

    Raises
    ------
    TrainingError
        If the loss is not finite at a logged epoch, or a parameter at the end.

    Notes
    -----
    The order of an epoch's rows depends on the seed and the epoch's number alone.
    """
    training, observer = network.spec.training, observer or Observer()
    assert training.batch_size is not None and training.log_every is not None, "a resolved spec has both"
    theta = theta.astype(network.dtype, order="C", copy=True)
    batch_size = len(rows) if training.batch_size == "full" else min(training.batch_size, len(rows))
    starts = range(0, len(rows), batch_size)
    total_steps = len(starts) * training.epochs
    stepper = Stepper(network, theta, rows, steps_per_epoch=len(starts), total_steps=total_steps)
    result = TrainingResult(theta, stepper.layer_state)
    shuffled, seed = training.shuffle and batch_size < len(rows), network.spec.seed
    batches = [np.arange(len(rows))[start : start + batch_size] for start in starts]
    begin = time.perf_counter()
    try:
        with np.errstate(all="ignore"):
            for epoch in range(training.epochs):
                logged = epoch % training.log_every == 0 or epoch == training.epochs - 1
                if shuffled:
                    order = stream(seed, "shuffling", epoch).permutation(len(rows))
                    batches = [order[start : start + batch_size] for start in starts]
                loss = _run_epoch(stepper, batches, logged)
                result.epochs, result.steps = epoch + 1, stepper.step_number
                if logged:
                    if not math.isfinite(loss):
                        raise _not_finite(network, f"the loss is {loss} in epoch {epoch + 1}")
                    record = {"epoch": epoch + 1, "loss": loss}
                    record |= {name: monitor(theta, result.state) for name, monitor in (monitors or {}).items()}
                    result.history.append(record)
                    observer.logged(epoch + 1, record)
    except KeyboardInterrupt:
        result.interrupted = True
    result.seconds = time.perf_counter() - begin
    if not np.isfinite(theta).all():
        raise _not_finite(network, f"parameters are not finite after epoch {result.epochs}")
    observer.ended(result.epochs, result.steps, result.seconds)
    return result


def _run_epoch(stepper: Stepper, batches: Sequence[Array], logged: bool) -> float:
    """Return the mean loss over the batches as they were trained, weighted by their sums of weights."""
    total = total_weight = 0.0
    for indices in batches:
        loss, weight = stepper.step(indices, logged)
        total += loss * weight
        total_weight += weight
    return total / total_weight if total_weight else 0.0


def _not_finite(network: Network, what: str) -> TrainingError:
    optimizer = network.spec.training.optimizer
    remedy = f"lower training.optimizer.learning_rate, which is {optimizer.learning_rate}"
    if not network.spec.network.preprocessing:
        remedy += ', or put network.preprocessing = ["standardize"] before the network'
    return TrainingError(what, hint=remedy)
