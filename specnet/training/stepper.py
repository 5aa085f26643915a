"""One training step, bound to its arrays: a batch is fed, its gradient is taken and reduced, the optimizer moves theta.

Gradient and update are bound programs, the first made once for each size of batch. Nothing is allocated while they run.
"""

from __future__ import annotations

import numpy as np

from specnet.compiler import FLAT, Bound
from specnet.data.feed import Feed
from specnet.network import Network
from specnet.network.blueprint import AVERAGE_SHARE, CLIPPING
from specnet.parts.arrays import Array
from specnet.training.clipping import clipping_factor
from specnet.training.gradient import Gradients

BLOCKED_ABOVE = 200_000
"""Parameters from which the optimizer goes through its vectors in blocks."""
UPDATE_BLOCK = 48 * 1024
"""Numbers in such a block, so that theta, gradient, states and scratch of a block stay in the second-level cache."""
DENORMAL_INTERVAL = 512
"""Steps after which the optimizer's tiny numbers become 0."""
TINY = 1e-30
FLUSH_BLOCK = 1024


class Stepper:
    """Makes training steps on a parameter vector.

    Parameters
    ----------
    network : Network
    theta : (parameter_count,)
        Changed in place; C-contiguous and of the network's dtype.
    feed : Feed
    layer_state : mapping
        What layers keep at the start, by name; changed in place.
    steps_per_epoch, total_steps : int
        What the schedule of the learning rate goes by.

    Attributes
    ----------
    step_number : int
        How many steps have been made, those included that were passed over because all rows had a weight of 0.
    updates : int
        How many of them the optimizer has made.
    states : dict
        The optimizer's vectors by name, of what learns.
    layer_state : dict
        What layers keep, by name.
    rate_factor : float
        Multiplies the learning rate, beside what the schedule says for a step.
    """

    def __init__(
        self,
        network: Network,
        theta: Array,
        feed: Feed,
        layer_state: dict[str, Array],
        *,
        steps_per_epoch: int = 1,
        total_steps: int = 1,
    ) -> None:
        training, optimizer = network.spec.training, network.spec.training.optimizer.stepping
        assert optimizer is not None, "the others make no steps"
        self.theta, self.layer_state, self.rate_factor = theta, layer_state, 1.0
        self.step_number = self.updates = 0
        self._gradients = Gradients(network, feed, theta, layer_state)
        self._network, self._steps_per_epoch, self._total_steps = network, steps_per_epoch, total_steps
        self._optimizer, self._constant_rate = optimizer, optimizer.schedule.is_constant
        self._learning_rate, self._decay, self._longest = optimizer.learning_rate, optimizer.decay, training.clip_norm
        self._average: dict[str, Array] = {}
        if training.average_weights is not None:
            self._average = {"theta": theta.copy(), **{name: kept.copy() for name, kept in layer_state.items()}}
        self.states, self._scalars, self._blocks = self._bound_update()

    @property
    def gradient(self) -> Array:
        """The gradient that was taken last, of what learns: (trainable parameters,)."""
        return self._gradients.vector

    def step(self, batch: Array, with_loss: bool = False) -> tuple[float, float]:
        """Make a step on the rows of these indices.

        Returns
        -------
        float, float
            The mean loss before the step (0 without `with_loss`), and the sum of the rows' weights. A batch whose
            weights are all 0 is passed over.
        """
        gradient = self._gradients[len(batch)]
        weight = gradient.feed(batch)
        if not weight:
            self._pass_over()
            return 0.0, 0.0
        loss = gradient.take(self.step_number, with_loss)
        self._reduce()
        self._update()
        return loss, weight

    def _reduce(self) -> None:
        """Make one gradient for the update of those that were taken: of the only one, no longer than is allowed."""
        if self._longest is not None:
            self._scalars[CLIPPING][()] = clipping_factor(self.gradient, self._longest)

    def _update(self) -> None:
        """Move the parameters, and their averages, by the gradient."""
        self._set_scalars()
        for block in self._blocks:
            block.run()
        if self._average and self.layer_state:
            self._average_layer_state()
        self.step_number += 1
        self.updates += 1
        if not self.step_number % DENORMAL_INTERVAL:
            self._flush_denormals()

    def _pass_over(self) -> None:
        """Let the time of a step pass: for the schedule and the average, but not for the optimizer."""
        share = self._average_share() if self._average else 0.0
        for name, current in {"theta": self.theta, **self.layer_state}.items() if share else ():
            self._average[name] += (current - self._average[name]) * share
        self.step_number += 1

    def _set_scalars(self) -> None:
        optimizer = self._optimizer
        rate = self._learning_rate * self.rate_factor
        if not self._constant_rate:
            rate *= optimizer.schedule.factor_at(self.step_number, self._total_steps, self._steps_per_epoch)
        if self._decay:
            self._scalars["decay"][()] = rate * self._decay
        for name, number in optimizer.scalars(self.updates + 1, rate).items():
            self._scalars[name][()] = number
        if self._average:
            self._scalars[AVERAGE_SHARE][()] = self._average_share()

    def _average_share(self) -> float:
        averaging = self._network.spec.training.average_weights
        assert averaging is not None, "there is an average"
        return averaging.share(self.step_number, self._total_steps, self._steps_per_epoch)

    def _average_layer_state(self) -> None:
        share = self._average_share()
        for name, kept in self.layer_state.items():
            self._average[name] += (kept - self._average[name]) * share

    def kept(self) -> tuple[Array, dict[str, Array]]:
        """Return the parameters and layers' states that a model would have now: their averages, once there are any."""
        averaging = self._network.spec.training.average_weights
        if averaging is None or self.step_number <= averaging.begins(self._total_steps, self._steps_per_epoch):
            return self.theta, self.layer_state
        return self._average["theta"], {name: self._average[name] for name in self.layer_state}

    def tensors(self) -> dict[str, Array]:
        """Return all arrays that the steps to come depend on, by name: to be saved, or filled with what was saved."""
        return {
            "theta": self.theta,
            **{f"optimizer.{name}": array for name, array in self.states.items()},
            **{f"state.{name}": array for name, array in self.layer_state.items()},
            **{f"average.{name}": array for name, array in self._average.items()},
        }

    def _flush_denormals(self) -> None:
        """Set the optimizer's tiny numbers to 0: arithmetic with denormal numbers takes several times as long."""
        for state in self.states.values():
            for start in range(0, state.size, FLUSH_BLOCK):  # what compares a whole vector would be as long as it
                block = state[start : start + FLUSH_BLOCK]
                block[np.abs(block) < TINY] = 0

    def _bound_update(self) -> tuple[dict[str, Array], dict[str, Array], list[Bound]]:
        update, layout = self._network.blueprint.update, self._network.layout
        bind = self._network.blueprint.backend.bind
        theta = self.theta[: layout.trainable_size]
        states = {name: np.full_like(theta, start) for name, start in update.states.items()}
        vectors = {"theta": theta, "gradient": self._gradients.vector}
        vectors |= {f"optimizer.{name}": array for name, array in states.items()}
        if self._average:
            vectors["average"] = self._average["theta"][: theta.size]
        vectors["decay_factors"] = layout.decay_factors().astype(theta.dtype)
        vectors["rate_factors"] = layout.rate_factors().astype(theta.dtype)
        scalars = {name: np.zeros((), theta.dtype) for name in update.scalars}
        width = theta.size if theta.size <= BLOCKED_ABOVE else UPDATE_BLOCK
        blocks = []
        for start in range(0, theta.size, max(width, 1)):
            block = {name: vector[start : start + width] for name, vector in vectors.items()}
            blocks.append(bind(update.program, theta.dtype, {FLAT: block["theta"].size}, block | scalars))
        return states, scalars, blocks
