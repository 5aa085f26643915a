"""How large steps are: of the gradient, and of what it changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from specnet.network.layout import Layout
from specnet.parts.arrays import Array


class StepSize(NamedTuple):
    """The size of a step in the weights of a layer; each is None where it is not a finite number.

    Attributes
    ----------
    gradient : float or None
        Root mean square of the gradient.
    step : float or None
        Root mean square of the change, over that of the weights before it.
    """

    gradient: float | None
    step: float | None


class WeightSizes:
    """Measures the weights of each layer in a vector of the parameters, or of what belongs to each of them.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout) -> None:
        self._numbers = np.zeros(layout.size)
        self._weights = {
            key: [placed.view(self._numbers)[slice(*tensor.rows)].ravel() for _, tensor, placed in weights]
            for key, weights in layout.weights().items()
        }

    def __call__(self, vector: Array) -> dict[str, float | None]:
        """Return the root mean square of the weights of each layer, in float64, by its name.

        It is None where it is not finite.

        Parameters
        ----------
        vector : (parameter_count,) or (trainable parameters,)
        """
        self._numbers[: len(vector)] = vector
        return {key: _root_mean_square(weights) for key, weights in self._weights.items()}


class StepMeter:
    """Measures the first step of epochs. Numbers are copied during training, and sizes computed when asked for.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout) -> None:
        self._weights = WeightSizes(layout)
        self._epoch: int | None = None
        self._sizes: dict[str, StepSize] | None = None
        self._vectors: tuple[Array, Array, Array] | None = None

    def before_step(self, theta: Array) -> None:
        """Copy the parameters (parameter_count,) before a step."""
        if self._vectors is None:
            self._vectors = np.empty_like(theta), np.empty_like(theta), np.zeros_like(theta)
        self._vectors[0][:] = theta

    def after_step(self, epoch: int, theta: Array, gradient: Array) -> None:
        """Copy the parameters after it, and its gradient (trainable parameters,); it was the first one of an epoch."""
        assert self._vectors is not None, "before_step was called"
        _, after, kept = self._vectors
        after[:], kept[: len(gradient)] = theta, gradient
        self._epoch, self._sizes = epoch, None

    def sizes(self, epoch: int) -> dict[str, StepSize] | None:
        """Return the size of the first step of an epoch by the name of the layer; None if it was not measured."""
        if epoch != self._epoch:
            return None
        if self._sizes is None:
            assert self._vectors is not None, "a step was measured"
            before, after, gradient = self._vectors
            weights, changes, gradients = (self._weights(vector) for vector in (before, after - before, gradient))
            self._sizes = {
                key: StepSize(gradients[key], _share(changes[key], weight)) for key, weight in weights.items()
            }
        return self._sizes

    def facts(self) -> dict[str, Any] | None:
        """Return the last sizes as plain data for a checkpoint; None if nothing was measured."""
        return None if self._epoch is None else {"epoch": self._epoch, "sizes": self.sizes(self._epoch)}

    def restore(self, facts: Mapping[str, Any] | None) -> None:
        """Restore the sizes from a checkpoint."""
        if facts is not None:
            self._epoch = facts["epoch"]
            self._sizes = {key: StepSize(*pair) for key, pair in facts["sizes"].items()}


def _share(change: float | None, size: float | None) -> float | None:
    """Return a change over the size of what changes; None if that is not finite."""
    share = change / size if size and change is not None else math.nan
    return share if math.isfinite(share) else None


def _root_mean_square(vectors: Sequence[Array]) -> float | None:
    total = sum(float(numbers @ numbers) for numbers in vectors)
    return math.sqrt(total / sum(map(len, vectors))) if math.isfinite(total) else None
