"""A view of a network during training, computed on request."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from specnet.network import LayerOutputs, Network
from specnet.parts.arrays import Array
from specnet.training.trainer import Trainer


class Snapshot:
    """A network where its training stands. Each call computes anew; what it returns is read-only, and stays as it is.

    Parameters
    ----------
    network : Network
    trainer : Trainer
    """

    def __init__(self, network: Network, trainer: Trainer) -> None:
        self._network, self._trainer = network, trainer

    def parameters(self) -> dict[str, Array]:
        """Return the parameters from which training goes on, by name: a weight is (outputs, inputs).

        Not their averages, nor the best ones so far.
        """
        return self._by_name(self._trainer.theta.copy())

    def gradient(self) -> dict[str, Array] | None:
        """Return the gradient that was taken last, by the parameters' names; None before the first step.

        It is that of the last batch, at the parameters before its step; 0 for what does not learn.
        """
        if not self._trainer.step_number:
            return None
        found = np.zeros_like(self._trainer.theta)
        learning = self._trainer.gradient
        found[: len(learning)] = learning
        return self._by_name(found)

    def layer_outputs(self, X: ArrayLike) -> dict[str, LayerOutputs]:
        """Return what each layer makes of rows, before its activation and after it, by the layers' names.

        As in a prediction: without dropout, and with running averages where a layer keeps them.

        Parameters
        ----------
        X : (rows, inputs)
            Already preprocessed.
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
