"""What a network's answers over a plane look like and are called: of two classes, of more, or values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.number_texts import rounded
from specnet.report.diagram.diagram_columns import visible_activation
from specnet.report.plane.surfaces import LEAST_PROBABILITY, Plane, Values, leads, log_odds, on_grid, without_ties
from specnet.report.svg.axes import Axis
from specnet.report.svg.pixels import HUES

LEVELS = (0.1, 0.25, 0.75, 0.9)
"""Probabilities whose lines are dashed."""
MOST_LEVELS = 6

Targets = NDArray[np.generic]


class Contour(NamedTuple):
    """A dashed line.

    Attributes
    ----------
    values : ndarray (points,)
    level : float
    name : str
        What the answer is there.
    """

    values: Values
    level: float
    name: str


@dataclass(frozen=True, eq=False)
class Surface:
    """Answers on a grid.

    Attributes
    ----------
    strength : ndarray (rows, columns)
        0 to 1.
    hue : ndarray (rows, columns), int
        Classes that the colours are of.
    boundaries : list of ndarray (points,)
        Values that are 0 on the strong lines.
    contours : list of Contour
    """

    strength: Values
    hue: NDArray[np.intp]
    boundaries: list[Values]
    contours: list[Contour]


@dataclass(frozen=True, eq=False)
class Sums:
    """What a single output means before its activation.

    Attributes
    ----------
    zero : float
        The sum above which the second class, or more than the mean, is predicted.
    score : callable
        Returns how good sums less `zero` (rows,) are for the targets.
    direction : callable
        Returns what a weight in the output speaks for.
    text, weights : str
        What colours and the line are; what weights say.
    activation : str
        A sentence on the sigmoid, or nothing.
    """

    zero: float
    score: Callable[[Values, Targets], str]
    direction: Callable[[float], str]
    text: str
    weights: str
    activation: str = ""


@dataclass(frozen=True, eq=False)
class PlaneAnswer:
    """What answers look like, and the words about them.

    Attributes
    ----------
    kind_names : tuple of str
        What the marks of rows mean.
    description : str
        What the answer is.
    about_answer, about_rows : str
        A sentence on colours and lines; one on the marks of rows, or nothing.
    kinds : ndarray (rows,)
        The place of each row's mark in `kind_names`.
    named : callable
        Returns a row's target in words.
    surface : callable
        Returns how outputs (points, outputs) of the network look on the grid.
    score : callable
        Returns how good outputs (rows, outputs) of the network are for targets.
    sums : Sums or None
        What sums of a single output mean; None if that is not known, or if there are several outputs.
    """

    kind_names: tuple[str, ...]
    description: str
    about_answer: str
    kinds: NDArray[np.intp]
    named: Callable[[np.generic], str]
    surface: Callable[[Values], Surface]
    score: Callable[[Values, Targets], str]
    sums: Sums | None = None
    about_rows: str = ""


def answer_of(plane: Plane) -> PlaneAnswer:
    """Return what a network's answers look like, by its task."""
    over = f"over {' and '.join(plane.column_names)}"
    if plane.network.task == "values":
        return _numbers(plane, over)
    is_probability = plane.network.spec.training.loss.gives_probabilities
    make = _several_classes if plane.network.task == "classes" else _two_classes
    return make(plane, over, is_probability)


def _two_classes(plane: Plane, over: str, is_probability: bool) -> PlaneAnswer:
    below, above = plane.class_names
    what, middle = ("probability", 0.5) if is_probability else ("margin", 0.0)
    lines = "½ on the strong line, 0.1, 0.25, 0.75 and 0.9" if is_probability else "0 on the strong line, −1 and 1"

    def surface(outputs: Values) -> Surface:
        output = outputs[:, 0]
        if is_probability:
            odds, strength = log_odds(output), np.abs(2 * output - 1)
            contours = [Contour(odds, float(log_odds(np.array(level))), rounded(level)) for level in LEVELS]
        else:
            odds, strength = output, np.minimum(np.abs(output), 2.0) / 2
            contours = [Contour(odds, level, rounded(level)) for level in (-1.0, 1.0)]
        return Surface(on_grid(strength), on_grid(odds > 0).astype(np.intp), [without_ties(odds)], contours)

    def score(sums: Values, target: Targets) -> str:
        return _right((sums > 0) == (target.astype(np.intp) == 1))

    activation = plane.network.nodes[-1].layer.split_activation()[1]
    is_usual = activation is not None and activation.type == ("sigmoid" if is_probability else "linear")
    sums = Sums(
        0.0,
        score,
        lambda weight: f"towards {above if weight > 0 else below}",
        f"Blue is a positive sum, which predicts {above}, and orange a negative one, which predicts {below}. "
        "On the line the sum is 0.",
        "which class it supports",
        " The sigmoid turns it into a probability: 0 becomes ½, 2.2 becomes 0.9 and −2.2 becomes 0.1."
        if is_probability
        else "",
    )
    return PlaneAnswer(
        plane.class_names,
        f"{what.capitalize()} of {above} {over}",
        f"The {what} of {above}: {lines} on the dashed ones.",
        plane.target.astype(np.intp),
        lambda target: plane.class_names[int(target)],
        surface,
        lambda outputs, target: score(outputs[:, 0] - middle, target),
        sums if is_usual else None,
    )


def _several_classes(plane: Plane, over: str, is_probability: bool) -> PlaneAnswer:
    def surface(outputs: Values) -> Surface:
        classes = outputs.shape[1]
        if is_probability:
            strength = (outputs.max(axis=1) * classes - 1) / (classes - 1)
            scores = np.log(np.maximum(outputs, LEAST_PROBABILITY))
        else:
            strength, scores = np.minimum(leads(outputs).max(axis=1), 1.0), outputs
        hue = on_grid(outputs.argmax(axis=1)) % len(HUES)
        return Surface(on_grid(strength), hue, list(leads(scores).T), [])

    sure = "its probability" if is_probability else "its lead over the next one"
    return PlaneAnswer(
        plane.class_names,
        f"Predicted class {over}",
        f"The colour is the predicted class, its strength {sure}. On a line two classes tie.",
        plane.target.astype(np.intp),
        lambda target: plane.class_names[int(target)],
        surface,
        lambda outputs, target: _right(outputs.argmax(axis=1) == target.astype(np.intp)),
    )


def _numbers(plane: Plane, over: str) -> PlaneAnswer:
    values = plane.target.astype(np.float64)
    trained = values[~plane.held_out]
    mean = float((trained if trained.size else values).mean())
    told, largest = rounded(mean), float(np.abs(values - mean).max()) or 1.0

    def surface(outputs: Values) -> Surface:
        predicted = plane.decode(outputs[:, 0])
        beyond = predicted - mean
        contours = [Contour(predicted, level, name) for level, name in Axis.over(predicted).ticks(MOST_LEVELS)]
        strength = np.minimum(np.abs(beyond) / largest, 1.0)
        return Surface(on_grid(strength), on_grid(beyond > 0).astype(np.intp), [beyond], contours)

    def score(outputs: Values, target: Targets) -> str:
        return _r2(plane.decode(outputs), target.astype(np.float64))

    zero = _output_at(mean, plane)
    sums = zero is not None and Sums(
        zero,
        lambda sums, target: score(sums + zero, target),
        lambda weight: "raises it" if weight > 0 else "lowers it",
        f"Blue is a prediction of more than {told}, orange of less. On the line it is equal to it.",
        "whether it raises or lowers the prediction",
    )
    return PlaneAnswer(
        (f"less than {told}", f"more than {told}"),
        f"Prediction {over}",
        f"The prediction: {told}, the mean, on the strong line, higher where it is blue, lower where it is orange.",
        (values > mean).astype(np.intp),
        lambda target: rounded(float(target)),
        surface,
        lambda outputs, target: score(outputs[:, 0], target),
        sums or None,
        f" Blue ones are above {told}, the mean of the training rows, orange ones below.",
    )


def _output_at(value: float, plane: Plane) -> float | None:
    """Return the sum of a linear output that is decoded as a value, if decoding is linear and increasing."""
    first, second, third = plane.decode(np.array([0.0, 1.0, 2.0])).tolist()
    is_linear = abs(third - 2 * second + first) <= 1e-9 * (abs(first) + abs(second) + abs(third))
    if visible_activation(plane.network.nodes[-1].layer) or not is_linear or second <= first:
        return None
    return float((value - first) / (second - first))


def _r2(values: Values, target: Values) -> str:
    spread = float(((target - target.mean()) ** 2).sum())
    return f"R² {rounded(1 - float(((target - values) ** 2).sum()) / spread)}" if spread else "R² –"


def _right(right: NDArray[np.bool_]) -> str:
    return f"{100 * float(np.mean(right)):.0f} % of rows right"
