"""What a network's answers over a plane look like and are called: of two classes, of more, or values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from specnet.number_texts import rounded
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


class Answer(Protocol):
    """What answers look like, and the words about them."""

    @property
    def kind_names(self) -> tuple[str, ...]:
        """What the marks of rows mean."""

    @property
    def sums(self) -> Sums | None:
        """What sums of a single output mean; None if that is not known, or if there are several outputs."""

    @property
    def description(self) -> str:
        """What the answer is."""

    @property
    def about_rows(self) -> str:
        """A sentence on the marks of rows, or nothing."""

    @property
    def about_answer(self) -> str:
        """A sentence on colours and lines."""

    def kinds(self, target: Targets) -> NDArray[np.intp]:
        """Return the place of each row's mark in `kind_names`."""

    def named(self, target: np.generic) -> str:
        """Return a row's target in words."""

    def surface(self, outputs: Values) -> Surface:
        """Return how outputs (points, outputs) of the network look on the grid."""

    def score(self, outputs: Values, target: Targets) -> str:
        """Return how good outputs (rows, outputs) of the network are."""


def answer_of(plane: Plane) -> Answer:
    """Return what a network's answers look like, by its task."""
    match plane.network.task:
        case "values":
            return _Numbers(plane)
        case "classes":
            return _SeveralClasses(plane)
        case _:
            return _TwoClasses(plane)


class _TwoClasses:
    about_rows = ""

    def __init__(self, plane: Plane) -> None:
        self._has_probabilities = plane.network.spec.training.loss.gives_probabilities
        self.kind_names = plane.class_names
        below, above = plane.class_names
        over = " and ".join(plane.column_names)
        sigmoid = ""
        if self._has_probabilities:
            self.description = f"Probability of {above} over {over}"
            self.about_answer = (
                f"The probability of {above}: ½ on the strong line, 0.1, 0.25, 0.75 and 0.9 on the dashed ones."
            )
            sigmoid = "A sum of 0 becomes ½, 2.2 becomes 0.9 and −2.2 becomes 0.1. That is the coloured plane above."
        else:
            self.description = f"Margin of {above} over {over}"
            self.about_answer = f"The margin of {above}: 0 on the strong line, −1 and 1 on the dashed ones."
        text = (
            f"Blue is a positive sum, which predicts {above}, and orange a negative one, which predicts {below}. "
            "On the line the sum is 0."
        )
        activation = plane.network.nodes[-1].layer.split_activation()[1]
        usual = "sigmoid" if self._has_probabilities else "linear"
        is_usual = activation is not None and activation.type == usual
        sums = Sums(0.0, self._score, self._direction, text, "which class it supports", sigmoid)
        self.sums = sums if is_usual else None

    def kinds(self, target: Targets) -> NDArray[np.intp]:
        return target.astype(np.intp)

    def named(self, target: np.generic) -> str:
        return self.kind_names[int(target)]

    def _direction(self, weight: float) -> str:
        return f"towards {self.kind_names[int(weight > 0)]}"

    def surface(self, outputs: Values) -> Surface:
        output = outputs[:, 0]
        if self._has_probabilities:
            odds, strength = log_odds(output), np.abs(2 * output - 1)
            contours = [Contour(odds, float(log_odds(np.array(level))), rounded(level)) for level in LEVELS]
        else:
            odds, strength = output, np.minimum(np.abs(output), 2.0) / 2
            contours = [Contour(odds, level, rounded(level)) for level in (-1.0, 1.0)]
        return Surface(on_grid(strength), on_grid(odds > 0).astype(np.intp), [without_ties(odds)], contours)

    def _score(self, sums: Values, target: Targets) -> str:
        return _right((sums > 0) == (target.astype(np.intp) == 1))

    def score(self, outputs: Values, target: Targets) -> str:
        return self._score(outputs[:, 0] - (0.5 if self._has_probabilities else 0.0), target)


class _SeveralClasses:
    about_rows = ""
    sums = None

    def __init__(self, plane: Plane) -> None:
        self._has_probabilities = plane.network.spec.training.loss.gives_probabilities
        self.kind_names = plane.class_names
        self.description = f"Predicted class over {' and '.join(plane.column_names)}"
        sure = "its probability" if self._has_probabilities else "its lead over the next one"
        self.about_answer = f"The colour is the predicted class, its strength {sure}. On a line two classes tie."

    def kinds(self, target: Targets) -> NDArray[np.intp]:
        return target.astype(np.intp)

    def named(self, target: np.generic) -> str:
        return self.kind_names[int(target)]

    def surface(self, outputs: Values) -> Surface:
        classes = outputs.shape[1]
        if self._has_probabilities:
            strength = (outputs.max(axis=1) * classes - 1) / (classes - 1)
            scores = np.log(np.maximum(outputs, LEAST_PROBABILITY))
        else:
            strength, scores = np.minimum(leads(outputs).max(axis=1), 1.0), outputs
        hue = on_grid(outputs.argmax(axis=1)) % len(HUES)
        ahead = leads(scores)
        return Surface(on_grid(strength), hue, list(ahead.T), [])

    def score(self, outputs: Values, target: Targets) -> str:
        return _right(outputs.argmax(axis=1) == target.astype(np.intp))


class _Numbers:
    def __init__(self, plane: Plane) -> None:
        self._decode = plane.decode
        values = plane.target.astype(np.float64)
        trained = values[~plane.held_out]
        self._mean = float((trained if trained.size else values).mean())
        mean = rounded(self._mean)
        self.kind_names = (f"less than {mean}", f"more than {mean}")
        self.description = f"Prediction over {' and '.join(plane.column_names)}"
        self.about_rows = f" Blue ones are above {mean}, the mean of the training rows, orange ones below."
        self.about_answer = (
            f"The prediction: {mean}, the mean, on the strong line, higher where it is blue, lower where it is orange."
        )
        text = f"Blue is a prediction of more than {mean}, orange of less. On the line it is equal to it."
        zero = self._sum_at_mean() if _is_linear(plane) else None
        self.sums = (
            None
            if zero is None
            else Sums(
                zero,
                lambda sums, target: self._r2(self._decode(sums + zero), target),
                self._direction,
                text,
                "whether it raises or lowers the prediction",
            )
        )

    def _sum_at_mean(self) -> float | None:
        """Return the output that is decoded as the mean, if decoding is linear and increasing."""
        first, second, third = self._decode(np.array([0.0, 1.0, 2.0])).tolist()
        is_linear = abs(third - 2 * second + first) <= 1e-9 * (abs(first) + abs(second) + abs(third))
        return (self._mean - first) / (second - first) if is_linear and second > first else None

    def kinds(self, target: Targets) -> NDArray[np.intp]:
        return (target.astype(np.float64) > self._mean).astype(np.intp)

    def named(self, target: np.generic) -> str:
        return rounded(float(target))

    def _direction(self, weight: float) -> str:
        return "raises it" if weight > 0 else "lowers it"

    def surface(self, outputs: Values) -> Surface:
        values = self._decode(outputs[:, 0])
        above = values - self._mean
        largest = float(np.abs(above).max()) or 1.0
        contours = [Contour(values, level, name) for level, name in Axis.over(values).ticks(MOST_LEVELS)]
        hue = on_grid(above > 0).astype(np.intp)
        return Surface(on_grid(np.abs(above) / largest), hue, [above], contours)

    def score(self, outputs: Values, target: Targets) -> str:
        return self._r2(self._decode(outputs[:, 0]), target)

    def _r2(self, values: Values, targets: Targets) -> str:
        target = targets.astype(np.float64)
        spread = float(((target - target.mean()) ** 2).sum())
        return f"R² {rounded(1 - float(((target - values) ** 2).sum()) / spread)}" if spread else "R² –"


def _is_linear(plane: Plane) -> bool:
    activation = plane.network.nodes[-1].layer.split_activation()[1]
    return activation is None or activation.is_identity


def _right(right: NDArray[np.bool_]) -> str:
    return f"{100 * float(np.mean(right)):.0f} % of rows right"
