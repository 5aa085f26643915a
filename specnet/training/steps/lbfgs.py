"""L-BFGS by SciPy over the flat vector of trainable parameters; an epoch is an iteration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any, ClassVar

import numpy as np

from specnet.data.feed import Feed
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.processes.interruptions import Interruptions
from specnet.training.steps.gradient import Gradients
from specnet.training.steps.step_sizes import StepMeter
from specnet.training.steps.trainer import AfterEpoch, Ended, Epoch, EpochSoFar, State

_REASONS = {0: "converged", 1: "max_evaluations reached"}
"""Reason for an early end, by SciPy's status."""


class LbfgsTrainer:
    """Minimizes the loss over all rows. It cannot resume; it starts again, with the same result bit for bit.

    Parameters
    ----------
    network : Network
    theta : (parameter_count,)
        Changed in place.
    feed : Feed
    layer_state : dict
        Initial layer states by name; changed in place.
    member : int, optional
        Number of the member of an ensemble, which has random numbers of its own.

    Attributes
    ----------
    gradient : (trainable parameters,)
        The last gradient.
    step_number : int
        Number of gradient evaluations.
    """

    resumes: ClassVar[bool] = False

    def __init__(
        self, network: Network, theta: Array, feed: Feed, layer_state: State, member: int | None = None
    ) -> None:
        self.theta, self.layer_state, self.step_number = theta, layer_state, 0
        self.is_whole, self.so_far, self.meter = True, EpochSoFar(), StepMeter(network.layout)
        self._network, self._learning = network, theta[: network.layout.trainable_size]
        self.gradient = np.zeros_like(self._learning)
        self._batch = Gradients(network, feed, theta, layer_state, self.gradient, member)[feed.rows]
        self._batch.feed(np.arange(feed.rows))

    def kept(self) -> tuple[Array, State]:
        """Return the current parameters and layer states."""
        return self.theta, self.layer_state

    def tensors(self) -> dict[str, Array]:
        """Return an empty dict: the state of SciPy's optimizer is not accessible."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Return the number of gradient evaluations."""
        numbers = {"steps": self.step_number, "updates": self.step_number, "so_far": list(astuple(self.so_far))}
        return {"engine": self._network.engine, **numbers, "measured": None}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Do nothing: training starts again."""

    def run(self, epoch: Epoch, after_epoch: AfterEpoch, interruptions: Interruptions) -> Ended | None:
        """Minimize the loss; the loss of an epoch is that before its iteration.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C; the parameters are then those of the last iteration, not those of an unfinished line search.
        """
        from scipy.optimize import OptimizeResult, minimize

        training = self._network.spec.training
        losses: list[float] = []
        upcoming: list[Epoch | None] = [epoch]
        accepted = self._learning.copy()

        def loss_and_gradient(point: Array) -> tuple[float, Array]:
            self._learning[:] = point
            loss = self._batch.take(0, with_loss=True)
            self.step_number += 1
            if not losses:
                losses.append(loss)
            interruptions.deliver()
            return loss, self.gradient.astype(np.float64)

        def after_iteration(intermediate_result: OptimizeResult) -> None:
            current = upcoming[-1]
            assert current is not None, "StopIteration ended it"
            if current.is_measured:
                self._learning[:] = accepted
                self.meter.before_step(self.theta)
            self._learning[:] = accepted[:] = intermediate_result.x
            if current.is_measured:
                self.meter.after_step(current.number + 1, self.theta, self.gradient)
            upcoming.append(after_epoch(losses[-1]))
            losses.append(float(intermediate_result.fun))
            if upcoming[-1] is None:
                raise StopIteration

        try:
            found = minimize(
                loss_and_gradient,
                self._learning.astype(np.float64),
                jac=True,
                callback=after_iteration,
                **training.optimizer.minimize_arguments(training.epochs),
            )
        except KeyboardInterrupt:
            self._learning[:] = accepted
            raise
        self._learning[:] = found.x
        if upcoming[-1] is None:
            return None
        return Ended(_REASONS.get(found.status, "line search failed"), losses[-2] if len(losses) > 1 else losses[0])
