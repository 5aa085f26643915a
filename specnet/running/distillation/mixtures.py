"""Mixed rows, for which a teacher predicts the targets of a student (Bucilă et al. 2006, "Model compression").

Each cell of a mixed row is that of a training row or of one of its nearest neighbours, with equal probability. So each
cell has a value that the column has: a category, a missing value or an integer remains one.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from specnet.parts.arrays import Array

NEIGHBOURS = 5
"""Number of nearest training rows, one of which is mixed with a row."""
MAX_SEARCHED = 10_000
"""Maximum number of training rows that are mixed; of more rows, a sample of this size."""


def mixed_rows(
    cells: Array, inputs: Array, codes: Collection[int], count: int, generator: np.random.Generator
) -> tuple[Array, NDArray[np.intp]]:
    """Return mixed rows, and the index of the training row from which each has about half of its cells.

    Parameters
    ----------
    cells : ndarray (rows, columns)
        The raw columns of the training rows.
    inputs : ndarray (rows, inputs)
        The same rows after preprocessing. Neighbours have the smallest Euclidean distance between these, each input
        divided by its standard deviation.
    codes : collection of int
        Inputs that are codes of categories; they are ignored in distances, unless all inputs are codes.
    count : int
        Number of mixed rows.
    generator : numpy.random.Generator

    Returns
    -------
    cells : ndarray (count, columns)
    parents : ndarray (count,)
        Indices of training rows.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(cells) < 2 or not count:
        return cells[:0], np.empty(0, np.intp)
    used = [column for column in range(inputs.shape[1]) if column not in codes] or slice(None)
    points = inputs[:, used].astype(np.float64)
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    pool = np.sort(generator.permutation(len(cells))[:MAX_SEARCHED])
    near = min(NEIGHBOURS, len(pool) - 1)
    # A row is among its own neighbours; rows equal to it may come first, so it is removed by its index.
    found = NearestNeighbors(n_neighbors=near + 1).fit(points[pool]).kneighbors(points[pool], return_distance=False)
    is_other = found != np.arange(len(pool))[:, np.newaxis]
    is_other[is_other.all(axis=1), -1] = False
    neighbours = pool[found[is_other].reshape(len(pool), near)]
    first = generator.integers(0, len(pool), count)
    second = neighbours[first, generator.integers(0, near, count)]
    first = pool[first]
    takes_first = generator.random((count, cells.shape[1])) < 0.5
    return np.where(takes_first, cells[first], cells[second]), first
