"""A view of a network during training, computed on request."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from specnet.network import LayerOutputs, Network
from specnet.parts.arrays import Array
from specnet.training.trainer import Trainer


class Snapshot:
    """The current state of a network in training. Each call computes anew and returns read-only copies.

    Parameters
    ----------
    network : Network
    trainer : Trainer
    """

    def __init__(self, network: Network, trainer: Trainer) -> None:
        self._network, self._trainer = network, trainer

    def parameters(self) -> dict[str, Array]:
        """Return the current parameters by name: a weight is (outputs, inputs).

        These are neither averages nor the best ones so far.
        """
        return self._by_name(self._trainer.theta.copy())

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
        trainer = self._trainer
        found = self._network.layer_outputs(trainer.theta, X, trainer.layer_state)
        _protect(array for outputs in found.values() for array in outputs)
        return found

    def _by_name(self, vector: Array) -> dict[str, Array]:
        _protect([vector])
        return self._network.parameters(vector)


def _protect(arrays: Iterable[Array]) -> None:
    for array in arrays:
        array.flags.writeable = False
