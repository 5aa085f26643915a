"""Falls of rounded predictions in networks with monotone columns: none to the last bit, or at most a few units of it.

In exact arithmetic no prediction falls, because of signs. A sum in one fixed order, a product with a constant, a
maximum and a minimum do not fall under rounding either, so that a program of these alone keeps the direction to the
last bit, if it computes each row alone. So do functions such as exp, expm1 and tanh in float32 that are computed in
float64 and rounded: between adjacent numbers they rise by far more than the errors of float64. Other functions, and
matrix products of libraries, may fall by some units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.model.model import Model
from specnet.model.trained_network import TrainedNetwork
from specnet.parts.arrays import Array
from specnet.spec import Spec
from specnet.spec.document import MonotoneColumn
from specnet.spec.reading.hints import shown

MOST_ULPS = 4.0
"""The largest fall that is allowed, in units of the last place of the falling prediction."""
MOVED_ROWS = 256
"""Number of rows whose monotone columns are moved after training."""
_POINTS = 12
"""Number of points over its range at which a column is set."""
_SATURATED = (10.0, 1000.0)
"""Distances of points beyond both ends, in widths of the range, where curves such as tanh are as good as flat."""
_BENT_ROWS, _NEAR, _NEARER = 64, 9, 6
"""Number of rows whose bends are found, that of points around a bend, and how often these move together, each time to a
quarter of their distances."""
_SMALLEST = 1 / 4
"""Smaller predictions count as this part of the largest: they are differences of larger numbers, which were rounded."""


def directions(model: Model) -> dict[str, MonotoneColumn]:
    """Return the monotone columns of a model, by name: of a team those of all its networks."""
    first, *others = (trained.spec.network.monotone or {} for trained in model.networks)
    return {name: column for name, column in first.items() if all(each.get(name) == column for each in others)}


def keeps_last_bit(model: Model, *, rounds_once: bool) -> bool:
    """Return whether all functions between monotone columns and predictions keep the direction to the last bit.

    Parameters
    ----------
    model : Model
    rounds_once : bool
        Whether functions such as tanh are computed in float64 and rounded to float32.
    """
    return all(_has_exact_parts(trained, rounds_once) for trained in model.networks)


def promise(model: Model, *, never_falls: bool) -> str:
    """Return in a sentence what holds for the monotone columns of a model; an empty text if there are none.

    Parameters
    ----------
    model : Model
    never_falls : bool
        Whether predictions keep the directions to the last bit.
    """
    monotone = directions(model)
    if not monotone:
        return ""
    moves = [f"{name} {'rises' if column.direction == 'increasing' else 'falls'}" for name, column in monotone.items()]
    listed = " or ".join(filter(None, (", ".join(moves[:-1]), moves[-1])))
    subject, output = "Predictions do", next(iter(monotone.values())).output
    if model.labels is not None:
        subject = f"The probability of {shown(model.labels[-1 if output is None else output].item())} does"
    rounding = (
        "even in the last bit"
        if never_falls
        else f"except by rounding, by at most {MOST_ULPS:g} units of the last place"
    )
    return f"{subject} not fall if {listed}, {'not ' * never_falls}{rounding}."


def _has_exact_parts(trained: TrainedNetwork, rounds_once: bool) -> bool:
    nodes = [node for node in trained.network.nodes if any(node.orders)]
    activations = [node.ordered_activation for node in nodes]
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
    return all(step.keeps_last_bit for step in steps) and all(
        each is None or each.keeps_last_bit or (rounds_once and each.keeps_last_bit_rounded_once)
        for each in activations
    )


def largest_fall(
    model: Model, rows: RawColumns, dtype: np.dtype[np.floating], answer: Callable[[RawColumns], Array]
) -> float:
    """Return the largest fall of an answer while a monotone column of a row moves in its direction.

    Parameters
    ----------
    model : Model
    rows : RawColumns
        Rows whose monotone columns are moved over their ranges in these rows and far beyond both ends, and around the
        sharpest bend of each row's answer. Half of the steps are to the next number in `dtype`.
    dtype : numpy.dtype
        The precision of the columns and of the answers' units.
    answer : callable
        Function from rows to answers, (rows, outputs): values, or probabilities of which the last is that of the last
        class.

    Returns
    -------
    float
        In units of the last place of the falling answer. One that is smaller than a quarter of the largest answer
        within the ranges has the units of that quarter. Answers that are not finite do not count.
    """
    names, worst = _names(model.spec, rows.X.shape[1]), 0.0
    for name, column in directions(model).items():
        index = names.index(name)
        line = np.linspace(np.nanmin(rows.X[:, index]), np.nanmax(rows.X[:, index]), _POINTS)
        points = _beside(_points(model, rows, index, line), dtype)
        found = _rising(model, column, moved_answers(rows, index, points, answer).astype(np.float64))
        within = np.abs(found[(points >= line[0]) & (points <= line[-1])])
        smallest = _SMALLEST * within[np.isfinite(within)].max(initial=0.0)
        is_finite = np.isfinite(found[:-1]) & np.isfinite(found[1:])
        before, after = found[:-1][is_finite], found[1:][is_finite]
        larger = np.maximum(np.maximum(np.abs(before), np.abs(after)), smallest)
        units = np.spacing(larger.astype(dtype)).astype(np.float64)
        worst = max(worst, float(((before - after) / units).max(initial=0.0)))
    return worst


def _points(model: Model, rows: RawColumns, index: int, line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points (points, rows) at which a column is set: a line, points beyond both ends, and around bends."""
    far = np.multiply(_SATURATED, line[-1] - line[0])
    points = np.tile(np.concatenate([line[0] - far, line, line[-1] + far])[:, np.newaxis], len(rows))
    some = replace(rows, X=rows.X[:_BENT_ROWS])
    bends = np.tile(line[:, np.newaxis], len(some))
    for _ in range(_NEARER):
        slopes = np.diff(moved_answers(some, index, bends, partial(outputs_of, model)).astype(np.float64), axis=0)
        sharpest = np.nan_to_num(np.abs(np.diff(slopes, axis=0))).sum(axis=2).argmax(axis=0)
        low, high = (bends[sharpest + offset, np.arange(len(some))] for offset in (0, 2))
        bends = np.linspace(low, high, _NEAR)
    return np.concatenate([points, np.resize(bends.T, (len(rows), _NEAR)).T])


def _beside(points: NDArray[np.float64], dtype: np.dtype[np.floating]) -> NDArray[np.float64]:
    """Return points (points, rows), each followed by the next number in a precision, in ascending order."""
    rounded = points.astype(dtype)
    both: NDArray[np.floating] = np.concatenate([rounded, np.nextafter(rounded, np.inf, dtype=dtype)])
    return np.sort(both, axis=0).astype(np.float64)


def moved_answers(
    rows: RawColumns, index: int, points: NDArray[np.float64], answer: Callable[[RawColumns], Array]
) -> Array:
    """Return the answers (points, rows, outputs) with a column at points, (points, rows) or (points, 1) for all rows.

    Parameters
    ----------
    rows : RawColumns
    index : int
        The column.
    points : ndarray
    answer : callable
        Function from rows to answers, (rows, outputs).
    """
    X = np.repeat(rows.X[np.newaxis], len(points), axis=0)
    X[:, :, index] = points
    return answer(replace(rows, X=X.reshape(-1, X.shape[2]))).reshape(len(points), len(rows), -1)


def _rising(model: Model, column: MonotoneColumn, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return those of the answers (points, rows, outputs) that must not fall, or what is left if they must not rise."""
    sign, output = (1 if column.direction == "increasing" else -1), column.output
    if model.network.task not in ("classes", "binary"):
        return sign * found
    if found.shape[2] > 2:
        return sign * found[:, :, [-1 if output is None else output]]
    # Of two classes the probability of the second is measured, which has larger units than what is left of 1.
    return (-sign if output == 0 else sign) * found[:, :, -1:]


def outputs_of(model: Model, X: Array | RawColumns) -> Array:
    """Return a model's values or probabilities, or margins if it has no probabilities, (rows, outputs)."""
    if model.network.task == "values":
        return model.predict(X).reshape(len(X), -1)
    return model.predict_proba(X) if model.gives_probabilities else model.raw_outputs(X)


def _names(spec: Spec, columns: int) -> tuple[str, ...]:
    """Return the names of columns in ``[network.monotone]``, which are numbers if columns have no names."""
    return spec.feature_names or tuple(map(str, range(columns)))
