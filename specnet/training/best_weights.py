"""The watchers of metrics in one run, and the weights of the best epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from specnet.parts.arrays import Array
from specnet.parts.watchers import Memory
from specnet.spec import Spec
from specnet.training.steps.trainer import State

Memories = Mapping[str, Memory]
"""Memories of watchers, by their paths under training."""


class Watchers:
    """The watchers of a spec.

    Parameters
    ----------
    spec : Spec

    Attributes
    ----------
    memories : mapping
        Their current memories.
    have_ended : bool
        Whether one of them ends training.
    rate_factor : float
        Product of their factors on the learning rate.
    """

    def __init__(self, spec: Spec) -> None:
        self._watchers = {watcher_name(path): who for path, who in spec.training.watchers()}
        metrics = {who.monitor: spec.monitored_metric(who.monitor) for who in self._watchers.values()}
        self._signs = {name: -1 if metric and metric.larger_is_better else 1 for name, metric in metrics.items()}
        self.remember(dict.fromkeys(self._watchers, Memory()))

    def remember(self, memories: Memories) -> None:
        """Set the memories."""
        self.memories, self.have_ended, self.rate_factor = memories, has_ended(memories), 1.0
        for memory in memories.values():
            self.rate_factor *= memory.rate_factor

    def may_end(self) -> bool:
        """Return whether one of them ends training if the next epoch's figures are bad enough."""
        return any(who.after(self.memories[name], math.inf).ends for name, who in self._watchers.items())

    def after(self, figures: Mapping[str, float]) -> Memories:
        """Return their memories after another epoch with these metrics."""
        return {
            name: who.after(self.memories[name], self._signs[who.monitor] * figures[who.monitor])
            for name, who in self._watchers.items()
        }

    def restore(self, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """Restore their memories from a checkpoint."""
        self.remember({name: Memory(**facts[name]) for name in self._watchers})

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return their memories as plain data."""
        return {name: memory.as_dict() for name, memory in self.memories.items()}


def watcher_name(path: tuple[str | int, ...]) -> str:
    """Return the name of a watcher, given its path under training."""
    return ".".join(map(str, path))


def has_ended(memories: Memories) -> bool:
    """Return whether a watcher ends training."""
    return any(memory.ends for memory in memories.values())


class BestWeights:
    """A copy of the parameters and layer states of the best epoch so far."""

    def __init__(self, theta: Array, state: State) -> None:
        self._theta, self._state = theta.copy(), {name: kept.copy() for name, kept in state.items()}

    def replace(self, theta: Array, state: State) -> None:
        """Store a copy."""
        self._theta[:] = theta
        for name, kept in state.items():
            self._state[name][...] = kept

    def kept(self) -> tuple[Array, State]:
        """Return the stored arrays."""
        return self._theta, self._state

    def tensors(self) -> dict[str, Array]:
        """Return all arrays for a checkpoint by name, to be saved or restored in place."""
        return {"best.theta": self._theta, **{f"best.state.{name}": kept for name, kept in self._state.items()}}
