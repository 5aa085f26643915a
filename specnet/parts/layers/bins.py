"""Edges of the bins of a column: quantiles of its numbers, or thresholds of a decision tree for the target.

Where there are fewer edges than requested, bins of width 0 precede the last one.
"""

import numpy as np
from numpy.typing import NDArray

_FEWEST_ROWS = 4
"""Minimum number of rows in a leaf of a tree."""
_SHARE = 8
"""Minimum number of rows in a leaf, as the divisor of the number that each of equally full bins would have."""


def quantile_edges(column: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return quantiles of a column (rows,): edges (bins + 1,).

    A number that more rows share than a bin should have is one edge; the others are quantiles of the remaining rows.
    """
    numbers, counts = np.unique(column, return_counts=True)
    is_common = counts * bins > len(column)
    edges, rest = numbers[is_common], np.repeat(numbers[~is_common], counts[~is_common])
    if len(rest):
        edges = np.union1d(edges, np.quantile(rest, np.linspace(0, 1, bins + 1 - len(edges))))
    return _padded(edges, bins)


def tree_edges(
    column: NDArray[np.float64], bins: int, target: NDArray[np.generic], weight: NDArray[np.floating] | None
) -> NDArray[np.float64]:
    """Return the ends of a column (rows,) and the thresholds of a tree for the target between them: edges (bins + 1,).

    The tree has at most `bins` leaves and is grown best first: each split lowers the impurity the most. A leaf has at
    least an eighth of the rows that it would have if all were equally full, and four rows.

    Parameters
    ----------
    column : (rows,)
    bins : int
    target : (rows,) or (rows, outputs)
        Class indices of an integer type, split by Gini impurity; or numbers, split by squared error. For targets of
        0 and 1 both give the same splits.
    weight : (rows,) or None
        Weights of the rows; rows of weight 0 are ignored, unless all are.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if weight is not None and not weight.any():
        weight = None
    if weight is not None:
        counted = weight > 0
        column, target, weight = column[counted], target[counted], weight[counted]
    numbers, codes = np.unique(column, return_inverse=True)
    edges = numbers[[0, -1]]
    if bins > 1:
        # Trees read float32. Indices of sorted numbers are exact there; large or nearly equal numbers are not.
        kind = DecisionTreeClassifier if np.issubdtype(target.dtype, np.integer) else DecisionTreeRegressor
        fewest = max(_FEWEST_ROWS, len(column) // (_SHARE * bins))
        tree = kind(max_leaf_nodes=bins, min_samples_leaf=fewest, random_state=0)
        tree.fit(codes.reshape(-1, 1), target, sample_weight=weight)
        low = tree.tree_.threshold[tree.tree_.feature >= 0].astype(np.intp)
        edges = np.concatenate([edges, 0.5 * numbers[low] + 0.5 * numbers[low + 1]])
    return _padded(np.unique(edges), bins)


def _padded(edges: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    missing = bins + 1 - len(edges)
    return np.insert(edges, -1, np.full(missing, edges[-2 if len(edges) > 1 else -1]))
