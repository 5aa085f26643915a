"""How large steps are: of the gradient, and of what it changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
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


class StepMeter:
    """Measures the first step of epochs. Numbers are copied during training, and sizes computed when asked for.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout) -> None:
        self._weights = layout.weights()
        self._epoch: int | None = None
        self._sizes: dict[str, StepSize] | None = None
        self._vectors: tuple[Array, Array, Array] | None = None

    def before_step(self, theta: Array) -> None:
        """Copy the parameters (parameter_count,) before a step."""
        if self._vectors is None:
            self._vectors = theta.copy(), np.zeros_like(theta), np.zeros_like(theta)
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
            self._sizes = {}
            for key, weights in self._weights.items():
                views = [[tensor.view(placed.view(v)) for v in self._vectors] for _, tensor, placed in weights]
                self._sizes[key] = _step_size(views)
        return self._sizes

    def facts(self) -> dict[str, Any] | None:
        """Return the last sizes as plain data for a checkpoint; None if nothing was measured."""
        return None if self._epoch is None else {"epoch": self._epoch, "sizes": self.sizes(self._epoch)}

    def restore(self, facts: Mapping[str, Any] | None) -> None:
        """Restore the sizes from a checkpoint."""
        if facts is not None:
            self._epoch = facts["epoch"]
            self._sizes = {key: StepSize(*pair) for key, pair in facts["sizes"].items()}


def _step_size(weights: Sequence[Sequence[Array]]) -> StepSize:
    """Return the size of a step, given weights before and after it, and their gradients, of each tensor."""
    before, after, gradient = zip(*weights, strict=True)
    size = root_mean_square(before)
    change = root_mean_square([new - old for old, new in zip(before, after, strict=True)])
    share = change / size if size and change is not None else math.nan
    return StepSize(root_mean_square(gradient), share if math.isfinite(share) else None)


def root_mean_square(arrays: Iterable[Array]) -> float | None:
    """Return the root mean square of all numbers in some arrays, in float64; None if it is not finite."""
    total, count = 0.0, 0
    for array in arrays:
        numbers = array.ravel(order="K").astype(np.float64, copy=False)
        total, count = total + float(numbers @ numbers), count + numbers.size
    return math.sqrt(total / count) if math.isfinite(total) else None
