"""Matrices of weights as pictures, in place of lines between many units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from specnet.report.diagram.diagram_columns import DiagramColumn
from specnet.report.diagram.placing import MOST_UNITS
from specnet.report.svg.pixels import HUES, data_uri, png

MOST_PIXELS = 30_000
"""Of the pictures of a diagram together."""

Weight = NDArray[np.float64]


def weights_of(columns: Sequence[DiagramColumn], parameters: Mapping[str, NDArray[np.generic]]) -> dict[int, Weight]:
    """Return the matrix (units, inputs) of each column that has a single one and keeps its size, by its number."""
    found = {}
    for k, column in enumerate(columns[1:], 1):
        node = column.nodes[0]
        weight = parameters.get(f"{node.key}.weight")
        if weight is not None and weight.shape == (node.size, sum(node.input_sizes)):
            found[k] = np.asarray(weight, np.float64)
    return found


def largest_size(weight: Weight) -> float:
    """Return the largest size of a finite weight, 0 if there is none."""
    return float(np.abs(weight[np.isfinite(weight)]).max(initial=0.0))


def unit_order(size: int, readers: Sequence[Weight]) -> NDArray[np.intp]:
    """Return the units of a column in the order in which pictures have them.

    Of many units those with the largest weights in what reads them come first, by the sum of squares.
    """
    if size <= MOST_UNITS or not readers:
        return np.arange(size)
    squares = sum((np.nan_to_num(weight, posinf=0.0, neginf=0.0) ** 2).sum(axis=0) for weight in readers)
    return np.argsort(-np.asarray(squares), kind="stable")


def weight_image(weight: Weight, pixels: int) -> str:
    """Return the address of a picture of weights (rows, columns), blue if positive and orange if negative.

    Where several weights share one of at most so many pixels, it shows the largest.
    """
    most, scale = max(int(pixels**0.5), 1), largest_size(weight) or 1.0
    for axis in (0, 1):
        starts = np.arange(0, weight.shape[axis], -(-weight.shape[axis] // most))
        high, low = (each.reduceat(weight, starts, axis) for each in (np.fmax, np.fmin))
        weight = np.where(high > -low, high, low)
    return data_uri(png(np.abs(weight) / scale, weight > 0, HUES[:2]))
