"""Epochs of steps on batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any, ClassVar

from specnet.data.feed import Feed
from specnet.network import Network
from specnet.network.engine_backends import Engine
from specnet.parts.arrays import Array
from specnet.processes.interruptions import Interruptions
from specnet.training.steps.step_sizes import StepMeter
from specnet.training.steps.stepper import Stepper
from specnet.training.steps.trainer import AfterEpoch, Ended, Epoch, EpochSoFar, State


class SteppingTrainer:
    """Makes one step per batch of a feed.

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
    """

    resumes: ClassVar[bool] = True
    engine: ClassVar[Engine] = "numpy"
    stepper_type: ClassVar[type[Stepper]] = Stepper

    def __init__(
        self, network: Network, theta: Array, feed: Feed, layer_state: State, member: int | None = None
    ) -> None:
        self.theta, self.layer_state = theta, layer_state
        self.is_whole, self.so_far, self.meter = True, EpochSoFar(), StepMeter(network.layout)
        steps = feed.batches_per_epoch
        total = steps * network.spec.training.epochs
        self._stepper = self.stepper_type(
            network, theta, feed, layer_state, member=member, steps_per_epoch=steps, total_steps=total
        )
        self._feed = feed

    @property
    def step_number(self) -> int:
        """Number of steps, including skipped ones."""
        return self._stepper.step_number

    @property
    def gradient(self) -> Array:
        """The gradient of the last step."""
        return self._stepper.gradient

    def run(self, epoch: Epoch, after_epoch: AfterEpoch, interruptions: Interruptions) -> Ended | None:
        """Train until there is no further epoch or a signal arrives."""
        following: Epoch | None = epoch
        while following is not None:
            following = after_epoch(self._loss_of(following, interruptions))
        return None

    def _loss_of(self, epoch: Epoch, interruptions: Interruptions) -> float:
        """Train on the rest of an epoch, and return the mean loss over its batches before their steps.

        Batches count by the sums of their weights.
        """
        step, so_far = self._stepper.step, self.so_far
        done, total, total_weight = so_far.batches, so_far.loss, so_far.weight
        measured = 0 if epoch.is_measured else None
        self._stepper.rate_factor, self.is_whole = epoch.rate_factor, False
        for batch in self._feed.batches(epoch.number, done):
            if done == measured:
                self.meter.before_step(self.theta)
            loss, weight = step(batch, epoch.with_loss)
            if done == measured:
                self.meter.after_step(epoch.number + 1, self.theta, self.gradient)
            total += loss * weight
            total_weight += weight
            done += 1
            if interruptions.pending is not None:
                so_far.set(done, total, total_weight)
                self.is_whole = True
                interruptions.deliver()
                self.is_whole = False
        so_far.set(done, total, total_weight)
        self.is_whole = True
        return total / total_weight if total_weight else 0.0

    def kept(self) -> tuple[Array, State]:
        """Return the parameters and layer states for a model: their averages once averaging has begun."""
        return self._stepper.kept()

    def tensors(self) -> dict[str, Array]:
        """Return all arrays that further steps depend on, by name."""
        return self._stepper.tensors()

    def facts(self) -> dict[str, Any]:
        """Return the numbers that further steps depend on."""
        return {
            "engine": self.engine,
            "steps": self._stepper.step_number,
            "updates": self._stepper.updates,
            "so_far": list(astuple(self.so_far)),
            "measured": self.meter.facts(),
        }

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Restore these numbers."""
        self._stepper.step_number, self._stepper.updates = facts["steps"], facts["updates"]
        self.so_far.set(*facts["so_far"])
        self.meter.restore(facts["measured"])
