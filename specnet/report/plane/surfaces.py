"""A network of two inputs over the plane of its inputs: what each layer and the whole give at each point of a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.report.diagram.diagram_columns import DiagramColumn, columns_of, visible_activation
from specnet.report.svg.axes import Axis

GRID = 90
"""Points of the grid along each axis."""
MARGIN = 0.08
"""Room around the rows, as a fraction of their range."""
LEAST_PROBABILITY = 1e-12
"""Probabilities are held this far from 0 and 1 before their logarithms are taken."""

Values = NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)


def _unchanged(values: Values) -> Values:
    return values


@dataclass(frozen=True, eq=False)
class Plane:
    """A network of two inputs, and the rows that it was trained and tested on.

    Attributes
    ----------
    network : Network
        Run by NumPy.
    tensors : mapping of str to ndarray
        Its parameters and layer states by name; of an ensemble those of one member.
    columns : ndarray (rows, 2)
        What lies along the axes.
    target : ndarray (rows,)
        Indices of classes, or values in the units of the target.
    held_out : ndarray (rows,), bool
        Which rows it was not trained on.
    column_names : (str, str)
    class_names : tuple of str
        None for a regression.
    prepare : callable
        Returns the network's inputs (points, 2) at points of the plane, by default the points.
    decode : callable
        Returns values in the units of the target from the network's first output (points,).
    """

    network: Network
    tensors: Mapping[str, Array]
    columns: Values
    target: NDArray[np.generic]
    held_out: NDArray[np.bool_]
    column_names: tuple[str, str]
    class_names: tuple[str, ...] = ()
    prepare: Callable[[Values], Values] = field(default=_unchanged)
    decode: Callable[[Values], Values] = field(default=_unchanged)

    @cached_property
    def axes(self) -> tuple[Axis, Axis]:
        """The axes, which reach a little beyond the rows."""
        x, y = self.columns.T
        names = self.column_names
        return Axis.over(x, label=names[0], margin=MARGIN), Axis.over(y, label=names[1], margin=MARGIN)

    @cached_property
    def points(self) -> Values:
        """The points of the grid, (GRID², 2), row by row from the lowest."""
        x, y = (np.linspace(axis.low, axis.high, GRID) for axis in self.axes)
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

    @cached_property
    def chain(self) -> tuple[DiagramColumn, ...]:
        """The network's layers as its diagram shows them, the input first."""
        return columns_of(self.network.resolved)[0]

    def units(self, column: DiagramColumn, points: Values) -> tuple[Values, Values]:
        """Return what a column of layers gives its first activation at points, (points, units), and what it returns."""
        theta, state = self._parameters(self.tensors)
        layers = self.network.layer_outputs(theta, self.prepare(points), state)
        first = next((node for node in column.nodes if visible_activation(node.layer)), column.nodes[0])
        read, given = layers[first.key].raw, layers[column.nodes[-1].key].activated
        return read.astype(np.float64), given.astype(np.float64)

    def answers(self, points: Values, tensors: Mapping[str, Array]) -> Values:
        """Return the outputs (points, outputs) of the network with some parameters and layer states."""
        theta, state = self._parameters(tensors)
        return self.network.predict(theta, self.prepare(points), state).astype(np.float64)

    def _parameters(self, tensors: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
        theta = np.zeros(self.network.parameter_count, self.network.dtype)
        for name, view in self.network.parameters(theta).items():
            view[...] = tensors[name]
        state = {name: np.asarray(tensors[name]) for name in self.network.initial_state()}
        return theta, state


def on_grid(values: NDArray[Number]) -> NDArray[Number]:
    """Return values at the points of a grid as a surface (rows, columns)."""
    return values.reshape(GRID, GRID)


def without_ties(values: Values) -> Values:
    """Return values at the points of a grid with negative ones in place of 0, which predict the same.

    Where units are silent a whole region can be 0, as before training, when biases are 0. For the line at its edge to
    be smooth, values go on beyond it as they come from the other side.
    """
    surface = on_grid(values)
    if not (surface == 0).any():
        return values
    around = np.pad(surface, 2)
    beyond, neighbours = np.zeros_like(surface), np.zeros_like(surface)
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        next_one, one_after = (
            around[2 + k * down : 2 + k * down + GRID, 2 + k * right : 2 + k * right + GRID] for k in (1, 2)
        )
        is_neighbour = (next_one != 0) & (one_after != 0)
        beyond += np.where(is_neighbour, 2 * next_one - one_after, 0.0)
        neighbours += is_neighbour
    inside = float(np.abs(surface).max()) or 1.0
    continued = np.abs(beyond) / np.maximum(neighbours, 1)
    return np.where(surface == 0, -np.where(neighbours > 0, continued, inside), surface).ravel()


def log_odds(probability: Values) -> Values:
    """Return log(p/(1 − p))."""
    held = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.log(held) - np.log1p(-held)


def leads(scores: Values) -> Values:
    """Return by how much each column of scores (points, classes) exceeds the largest of the others."""
    ordered = np.sort(scores, axis=1)
    best, second = ordered[:, -1:], ordered[:, -2:-1]
    return scores - np.where(scores == best, second, best)
