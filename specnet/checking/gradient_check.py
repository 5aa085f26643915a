"""The gradient of a spec's network against central differences, tensor by tensor; on a fault, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from specnet.checking.central_differences import Comparisons, Coordinates, GradientComparison, Measured, compare
from specnet.checking.layer_gradients import LayerComparison, compare_layers
from specnet.checking.layer_starts import LayerStart, layer_starts
from specnet.checking.point import point_of
from specnet.errors import TrainingError
from specnet.network import Network
from specnet.network.programs import INPUTS
from specnet.spec import Spec

Progress = Callable[[int, int], None]
"""Is told how many coordinates of how many have been compared."""

INPUT = "input"
MOST_IN_ALL = 20_000
MOST_EACH, LEAST_EACH = 200, 20


@dataclass(frozen=True)
class GradientCheck(Comparisons):
    """What was found about a network.

    Attributes
    ----------
    network : Network
        In float64, whatever the spec says.
    source : str
        Which rows were used.
    rows : int
    loss : float
        Of these rows, while training.
    limit : int
        How many coordinates of a tensor were compared at most.
    comparisons : tuple of GradientComparison
        By each tensor of parameters while training, then by the network's input in evaluation.
    start : tuple of LayerStart
    layers : tuple of LayerComparison
        Each layer by itself; only where a comparison is wrong.
    """

    network: Network
    source: str
    rows: int
    loss: float
    limit: int
    comparisons: tuple[GradientComparison, ...]
    start: tuple[LayerStart, ...]
    layers: tuple[LayerComparison, ...]

    @property
    def wrong_layers(self) -> list[LayerComparison]:
        """The layers whose own derivatives are wrong."""
        return [layer for layer in self.layers if not layer.agrees]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "name": self.network.spec.name,
            "rows": self.rows,
            "source": self.source,
            "loss": self.loss,
            "agrees": self.agrees,
            "coordinates_each": self.limit,
            "start": [layer.as_dict() for layer in self.start],
            "comparisons": [comparison.as_dict() for comparison in self.comparisons],
            "layers": [layer.as_dict() for layer in self.layers],
        }


def check_spec(spec: Spec, progress: Progress = lambda done, total: None) -> GradientCheck:
    """Compare the gradient of a parsed spec's network with central differences, at its initial parameters.

    Everything is computed in float64. Coordinates that are moved across a kink are left out and counted: whether a
    switch changes sides is seen from the switch itself. Of a large tensor only some coordinates, drawn by the spec's
    seed, are compared: 200, or fewer (20 at least) where a network has so many tensors that it would be more than
    20 000 in all.

    Parameters
    ----------
    spec : Spec
        Parsed.
    progress : callable
        Is told how many coordinates of how many have been compared.

    Raises
    ------
    SpecError, DataError, FileError
        If the spec or its data is at fault.
    TrainingError
        If the loss is not finite, so that there is nothing to compare.
    """
    point = point_of(spec)
    network, theta, X, y, weight = point.network, point.theta, point.X, point.y, point.weight
    kept = {name: array.copy() for name, array in point.state.items()}
    loss, gradient = network.loss_and_gradient(theta, X, y, weight, kept, training=True, step=0)
    if not np.isfinite(loss):
        raise TrainingError(f"the loss is {loss} before the first step; there is no gradient to check")
    tensors = network.layout.views(np.arange(theta.size))
    limit = max(LEAST_EACH, min(MOST_EACH, MOST_IN_ALL // (len(tensors) + 1)))
    generator = np.random.default_rng(network.spec.seed)
    chosen = [Coordinates.of(name, places, limit, generator) for name, places in tensors.items()]
    # The engine has features first, and a user sees rows first.
    places = np.arange(X.size).reshape(X.T.shape).T
    of_input = Coordinates.of(INPUT, places, limit, generator)
    total, done = sum(coordinates.chosen.size for coordinates in (*chosen, of_input)), count(1)

    def tell() -> None:
        progress(next(done), total)

    arrays = point.states()
    measured, in_evaluation = (
        Measured(point.loss(seen), len(X), arrays) for seen in (point.training, point.evaluation)
    )
    point.fill(measured.inputs)
    point.fill(in_evaluation.inputs)
    comparisons = [compare(measured, theta, gradient, coordinates, tell) for coordinates in chosen]
    by_input = network.input_gradient(theta, X, y, weight, point.state).T.reshape(-1)
    moved = in_evaluation.inputs.get(INPUTS, np.empty(0)).reshape(-1)
    comparisons.append(compare(in_evaluation, moved, by_input, of_input, tell))
    agrees = all(comparison.agrees for comparison in comparisons)
    starts, layers = tuple(layer_starts(point, gradient)), () if agrees else tuple(compare_layers(point))
    return GradientCheck(network, point.source, len(X), loss, limit, tuple(comparisons), starts, layers)
