"""The metrics of an epoch: its loss, and metrics of the validation set, computed on request."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from specnet.errors import NotFiniteError, TrainingError
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.watchers import LOSS, VALIDATION_LOSS
from specnet.training.cross_fitted import CrossFittedOutputs
from specnet.training.steps.trainer import State

Monitor = Callable[[Array, State], float]
"""Computes a metric from the parameters and the layer states of a model."""


class Monitors(dict[str, Monitor]):
    """What computes entries of the history, by their names.

    Attributes
    ----------
    cross_fitted : CrossFittedOutputs or None
        Follows the epochs too, where the best one is restored.
    """

    cross_fitted: CrossFittedOutputs | None = None


class EpochMetrics(dict[str, float]):
    """The metrics of one epoch by name, each computed on first access.

    Parameters
    ----------
    network : Network
    epoch : int
        From 1.
    loss : float
    monitors : mapping
        Functions that compute metrics, by name.
    kept : callable
        Returns the parameters and the layer states to evaluate.
    """

    def __init__(
        self,
        network: Network,
        epoch: int,
        loss: float,
        monitors: Mapping[str, Monitor],
        kept: Callable[[], tuple[Array, State]],
    ) -> None:
        super().__init__()
        self._network, self._epoch, self._monitors, self._kept = network, epoch, monitors, kept
        self[LOSS] = loss

    def __missing__(self, name: str) -> float:
        self[name] = self._monitors[name](*self._kept())
        return self[name]

    def __setitem__(self, name: str, figure: float) -> None:
        """Set a metric.

        Raises
        ------
        TrainingError
            If it is not finite.
        """
        check_figure(self._network, name, figure, self._epoch)
        super().__setitem__(name, figure)


def check_figure(network: Network, name: str, figure: float, epoch: int) -> None:
    """Check a metric of an epoch.

    Raises
    ------
    TrainingError
        If it is not finite.
    """
    if math.isfinite(figure):
        return
    what = f"{'the loss' if name == LOSS else name} is {figure} in epoch {epoch}"
    if name in (LOSS, VALIDATION_LOSS):
        raise not_finite(network, what)
    raise TrainingError(what, hint=f'monitor "{VALIDATION_LOSS}": this metric needs other validation rows')


def not_finite(network: Network, what: str) -> NotFiniteError:
    """Return the error for a value that is not finite, with likely remedies."""
    optimizer, remedies = network.spec.training.optimizer.stepping, []
    if optimizer is not None:
        remedies.append(f"lower training.optimizer.learning_rate (now {optimizer.learning_rate})")
    if not network.spec.network.preprocessing:
        remedies.append('set network.preprocessing = ["standardize"]')
    return NotFiniteError(what, hint=", or ".join(remedies) or None)
