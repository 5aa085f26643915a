"""L-BFGS by SciPy over the flat vector of trainable parameters; an epoch is an iteration."""

from __future__ import annotations

import numpy as np

from specnet.data.feed import Feed
from specnet.files.interruptions import Interruptions
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.training.steps.trainer import Ended, EpochSpan, Gradients, Progress, State, Trainer

_REASONS = {0: "converged", 1: "max_evaluations reached"}
"""Reason for an early end, by SciPy's status."""


class LbfgsTrainer(Trainer):
    """Minimizes the loss over all rows. It cannot resume; it starts again, with the same result bit for bit.

    Parameters
    ----------
    network : Network
    theta : (parameter_count,)
        Initial parameters; changed in place.
    feed : Feed
    layer_state : dict
        Initial layer states by name; changed in place.
    member : int, optional
        Number of an ensemble member; it selects the member's random numbers.
    """

    resumes = False

    def __init__(
        self, network: Network, theta: Array, feed: Feed, layer_state: State, member: int | None = None
    ) -> None:
        super().__init__(network, theta, layer_state)
        self._learning = theta[: network.layout.trainable_size]
        self._batch = Gradients(self, feed, member)[feed.rows]
        self._batch.feed(np.arange(feed.rows))

    def run(self, span: EpochSpan, progress: Progress, interruptions: Interruptions) -> Ended | None:
        """Minimize the loss; the loss of an epoch is the loss before its iteration.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C; the parameters are then those of the last iteration, not of an unfinished line search.
        """
        from scipy.optimize import OptimizeResult, minimize

        training = self.network.spec.training
        losses: list[float] = []
        upcoming: list[EpochSpan | None] = [span]
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
                self.meter.after_step(current.first + 1, self.theta, self.gradient)
            upcoming.append(progress.after_epoch(losses[-1]))
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
