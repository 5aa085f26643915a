"""Falls of rounded predictions in networks with monotone columns: none to the last bit, or at most a few units of it.

In exact arithmetic no prediction falls, because of signs. A sum in one fixed order, a product with a constant, a
maximum and a minimum do not fall under rounding either, so that a program of these alone keeps the direction to the
last bit, if it computes each row alone. Other functions, and matrix products of libraries, may fall by some units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.model.model import Model
from specnet.model.trained_network import TrainedNetwork
from specnet.parts.arrays import Array
from specnet.spec import Spec

MOST_ULPS = 4.0
"""The largest fall, in units of the last place of the largest prediction."""
MOVED_ROWS = 256
"""Number of rows whose monotone columns are moved after training."""
_POINTS = 16
"""Number of points over its range at which a column is set, each followed by the next larger number."""


def keeps_last_bit(model: Model) -> bool:
    """Return whether all functions between monotone columns and predicted values keep the direction to the last bit."""
    return model.network.task == "values" and all(map(_has_exact_parts, model.networks))


def _has_exact_parts(trained: TrainedNetwork) -> bool:
    activations = [node.ordered_activation for node in trained.network.nodes if any(node.orders)]
    count = trained.network.resolved.columns
    names = _names(trained.spec, count)
    monotone = trained.spec.network.monotone or {}
    moved = [
        step
        for group in trained.preprocessing.groups
        if any(names[index] in monotone for index in group.among(count))
        for step in group.steps
    ]
    steps = [*moved, *trained.target_preprocessing.steps]
    return all(each is None or each.keeps_last_bit for each in (*activations, *steps))


def largest_fall(
    model: Model, rows: RawColumns, dtype: np.dtype[np.floating], answer: Callable[[RawColumns], Array]
) -> float:
    """Return the largest fall of an answer while a monotone column of a row moves in its direction.

    Parameters
    ----------
    model : Model
    rows : RawColumns
        Rows whose monotone columns are moved over their ranges in these rows, both ends included. Half of the steps are
        to the next number in `dtype`.
    dtype : numpy.dtype
        The precision of the columns and of the answers' units.
    answer : callable
        Function from rows to answers, (rows, outputs): values, or probabilities of which the last is that of the last
        class.

    Returns
    -------
    float
        In units of the last place of the largest answer that is finite.
    """
    names = _names(model.spec, rows.X.shape[1])
    worst = 0.0
    for name, column in (model.spec.network.monotone or {}).items():
        index = names.index(name)
        points = _points(rows.X[:, index], dtype)
        X = np.repeat(rows.X[np.newaxis], len(points), axis=0)
        X[:, :, index] = points[:, np.newaxis]
        found = (
            answer(replace(rows, X=X.reshape(-1, X.shape[2]))).astype(np.float64).reshape(len(points), len(rows), -1)
        )
        sign = 1 if column.direction == "increasing" else -1
        if model.network.task in ("classes", "binary"):
            given = -1 if column.output is None else column.output
            sign = -sign if given == 0 and found.shape[2] == 1 else sign
            found = found[:, :, [given if found.shape[2] > 1 else 0]]
        falls = -sign * np.diff(found, axis=0)
        unit = np.spacing(np.abs(found[np.isfinite(found)]).max(initial=0.0).astype(dtype))
        worst = max(worst, float(falls[np.isfinite(falls)].max(initial=0.0)) / float(unit))
    return worst


def outputs_of(model: Model, X: Array | RawColumns) -> Array:
    """Return a model's values or probabilities, or margins if it has no probabilities, (rows, outputs)."""
    if model.network.task == "values":
        return model.predict(X).reshape(len(X), -1)
    return model.predict_proba(X) if model.gives_probabilities else model.raw_outputs(X)


def _names(spec: Spec, columns: int) -> tuple[str, ...]:
    """Return the names of columns in ``[network.monotone]``, which are numbers if columns have no names."""
    return spec.feature_names or tuple(map(str, range(columns)))


def _points(cells: NDArray[np.float64], dtype: np.dtype[np.floating]) -> NDArray[np.float64]:
    """Return ascending numbers from the least to the largest cell, each with the next larger number."""
    line = np.linspace(np.nanmin(cells), np.nanmax(cells), _POINTS).astype(dtype)
    both: NDArray[np.float64] = np.stack([line, np.nextafter(line, np.inf, dtype=line.dtype)], axis=1)
    return both.ravel().astype(np.float64)
