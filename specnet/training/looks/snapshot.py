"""A view of a network during training, computed on request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy

import numpy as np
from numpy.typing import ArrayLike

from specnet.network import LayerOutputs, Network
from specnet.parts.arrays import Array
from specnet.training.steps.step_sizes import StepSize, WeightSizes
from specnet.training.steps.trainer import State, Trainer


class Snapshot:
    """The current state of a network in training. Each call computes anew and returns read-only copies.

    Parameters
    ----------
    network : Network
    trainer : Trainer
    """

    def __init__(self, network: Network, trainer: Trainer) -> None:
        # What is looked at now and then is not worth compiling.
        self._network, self._trainer = network.run_by("numpy"), trainer
        self._kept: tuple[Array, State] | None = None
        self._sizes = WeightSizes(network.layout)

    def at(self, theta: Array, state: State) -> Snapshot:
        """Return the same of other parameters and layer states than the current ones; steps are the current ones'."""
        found = copy(self)
        found._kept = theta, state
        return found

    @property
    def _place(self) -> tuple[Array, State]:
        return (self._trainer.theta, self._trainer.layer_state) if self._kept is None else self._kept

    def parameters(self) -> dict[str, Array]:
        """Return the current parameters by name: a weight is (outputs, inputs).

        These are neither averages nor the best ones so far.
        """
        return self._by_name(self._place[0].copy())

    def gradient(self) -> dict[str, Array] | None:
        """Return the last gradient by the names of the parameters; None before the first step.

        It is the gradient for the last batch at the parameters before its step; 0 for frozen parameters.
        """
        if not self._trainer.step_number:
            return None
        found = np.zeros_like(self._trainer.theta)
        learning = self._trainer.gradient
        found[: len(learning)] = learning
        return self._by_name(found)

    def layer_outputs(self, X: ArrayLike) -> dict[str, LayerOutputs]:
        """Return the outputs of each layer for rows, before and after its activation, by the name of the layer.

        Computed in evaluation mode: without dropout, and with running averages.

        Parameters
        ----------
        X : (rows, inputs)
            Preprocessed rows.
        """
        theta, state = self._place
        found = self._network.layer_outputs(theta, X, state)
        _protect(array for outputs in found.values() for array in outputs)
        return found

    def weight_sizes(self) -> dict[str, float | None]:
        """Return the root mean square of the weights of each layer, by its name; None where it is not finite."""
        return self._sizes(self._place[0])

    def layer_state(self) -> dict[str, Array]:
        """Return the current layer states by name, such as running averages; empty for most networks."""
        found = {name: kept.copy() for name, kept in self._place[1].items()}
        _protect(found.values())
        return found

    def step_sizes(self, epoch: int) -> Mapping[str, StepSize] | None:
        """Return how large the first step of an epoch was in the weights of each layer, by the name of the layer.

        None if it was not measured: that is done in epochs with which an observer is called.

        Parameters
        ----------
        epoch : int
            The last finished one.
        """
        return self._trainer.meter.sizes(epoch)

    def _by_name(self, vector: Array) -> dict[str, Array]:
        _protect([vector])
        return self._network.parameters(vector)


def _protect(arrays: Iterable[Array]) -> None:
    for array in arrays:
        array.flags.writeable = False
