"""What a network's answers over a plane look like and are called: of two classes, of more, or values."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from specnet.number_texts import rounded
from specnet.report.diagram.diagram_columns import visible_activation
from specnet.report.plane.surfaces import LEAST_PROBABILITY, Plane, Values, leads, log_odds, on_grid, without_ties
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart
from specnet.report.svg.pixels import HUES

LEVELS = (0.1, 0.25, 0.75, 0.9)
"""Probabilities whose lines are dashed."""
MOST_LEVELS = 6
STRENGTH = 0.62
"""Opacity of the strongest answers, so that rows stand out."""

Targets = NDArray[np.generic]


class PlaneAnswer(ABC):
    """What answers look like, and the words about them.

    Attributes
    ----------
    plane : Plane
    kind_names : tuple of str
        What the marks of rows mean.
    kinds : ndarray (rows,)
        The index of each row's mark in `kind_names`.
    description : str
        What the answer is.
    about_answer, about_rows : str
        A sentence on colours and lines; one on the marks of rows, or nothing.
    zero : float or None
        The sum of a single output before its activation above which the second class, or more than the mean, is
        predicted; None if that is not known, or if there are several outputs.
    about_sums, about_weights, about_activation : str
        What colours and the line of sums are; what weights in the output say; a sentence on the sigmoid, or nothing.
    """

    kinds: NDArray[np.intp]
    description: str
    about_answer: str
    about_rows = ""
    zero: float | None = None
    about_sums = about_weights = about_activation = ""

    def __init__(self, plane: Plane) -> None:
        self.plane, self.kind_names = plane, plane.class_names
        self.over = f"over {' and '.join(plane.column_names)}"
        self.gives_probabilities = plane.network.spec.training.loss.gives_probabilities

    @property
    def hues(self) -> list[tuple[int, int, int]]:
        """The colours of the marks of rows."""
        return list(HUES[: len(self.kind_names)])

    def named(self, target: np.generic) -> str:
        """Return a row's target in words."""
        return self.plane.class_names[int(target)]

    @abstractmethod
    def draw(self, chart: Chart, outputs: Values) -> None:
        """Draw the outputs (points, outputs) of the network on the grid: colours, dashed lines, and strong ones."""

    @abstractmethod
    def score(self, outputs: Values, target: Targets) -> str:
        """Return how good outputs (rows, outputs) of the network are for targets."""

    def score_of_sums(self, sums: Values, target: Targets) -> str:
        """Return how good sums less `zero` (rows,) are for targets."""
        return _right((sums > 0) == (target.astype(np.intp) == 1))

    def direction(self, weight: float) -> str:
        """Return what a weight in the output speaks for."""
        return f"towards {self.plane.class_names[int(weight > 0)]}"

    def _fill(self, chart: Chart, strength: Values, hue: NDArray[np.generic]) -> None:
        chart.surface(STRENGTH * on_grid(strength), on_grid(hue).astype(np.intp), self.hues)


class _TwoClasses(PlaneAnswer):
    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        below, above = plane.class_names
        self.kinds = plane.target.astype(np.intp)
        what, lines = "margin", "0 on the strong line, −1 and 1"
        if self.gives_probabilities:
            what, lines = "probability", "½ on the strong line, 0.1, 0.25, 0.75 and 0.9"
            self.about_activation = (
                " The sigmoid turns it into a probability: 0 becomes ½, 2.2 becomes 0.9 and −2.2 becomes 0.1."
            )
        self.description = f"{what.capitalize()} of {above} {self.over}"
        self.about_answer = f"The {what} of {above}: {lines} on the dashed ones."
        activation = plane.network.nodes[-1].layer.split_activation()[1]
        if activation is not None and activation.type == ("sigmoid" if self.gives_probabilities else "linear"):
            self.zero = 0.0
        self.about_sums = (
            f"Blue is a positive sum, which predicts {above}, and orange a negative one, which predicts {below}. "
            "On the line the sum is 0."
        )
        self.about_weights = "which class it supports"

    def draw(self, chart: Chart, outputs: Values) -> None:
        output = outputs[:, 0]
        if self.gives_probabilities:
            odds, strength = log_odds(output), np.abs(2 * output - 1)
            levels = {level: float(log_odds(np.array(level))) for level in LEVELS}
        else:
            odds, strength, levels = output, np.minimum(np.abs(output), 2.0) / 2, {-1.0: -1.0, 1.0: 1.0}
        self._fill(chart, strength, odds > 0)
        for level, value in levels.items():
            chart.contour(on_grid(odds), value, "contour", hover=rounded(level))
        chart.contour(on_grid(without_ties(odds)), 0.0)

    def score(self, outputs: Values, target: Targets) -> str:
        return self.score_of_sums(outputs[:, 0] - (0.5 if self.gives_probabilities else 0.0), target)


class _SeveralClasses(PlaneAnswer):
    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        self.kinds = plane.target.astype(np.intp)
        self.description = f"Predicted class {self.over}"
        sure = "its probability" if self.gives_probabilities else "its lead over the next one"
        self.about_answer = f"The colour is the predicted class, its strength {sure}. On a line two classes tie."

    def draw(self, chart: Chart, outputs: Values) -> None:
        classes = outputs.shape[1]
        if self.gives_probabilities:
            strength = (outputs.max(axis=1) * classes - 1) / (classes - 1)
            scores = np.log(np.maximum(outputs, LEAST_PROBABILITY))
        else:
            strength, scores = np.minimum(leads(outputs).max(axis=1), 1.0), outputs
        self._fill(chart, strength, outputs.argmax(axis=1) % len(HUES))
        for lead in leads(scores).T:
            chart.contour(on_grid(lead), 0.0)

    def score(self, outputs: Values, target: Targets) -> str:
        return _right(outputs.argmax(axis=1) == target.astype(np.intp))


class _Values(PlaneAnswer):
    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        values = plane.target.astype(np.float64)
        trained = values[~plane.held_out]
        self.mean = float((trained if trained.size else values).mean())
        mean, self.largest = rounded(self.mean), float(np.abs(values - self.mean).max()) or 1.0
        self.kind_names, self.kinds = (f"less than {mean}", f"more than {mean}"), (values > self.mean).astype(np.intp)
        self.description = f"Prediction {self.over}"
        self.about_answer = (
            f"The prediction: {mean}, the mean, on the strong line, higher where it is blue, lower where it is orange."
        )
        self.about_rows = f" Blue ones are above {mean}, the mean of the training rows, orange ones below."
        self.zero = _output_at(self.mean, plane)
        self.about_sums = f"Blue is a prediction of more than {mean}, orange of less. On the line it is equal to it."
        self.about_weights = "whether it raises or lowers the prediction"

    def named(self, target: np.generic) -> str:
        return rounded(float(target))

    def draw(self, chart: Chart, outputs: Values) -> None:
        predicted = self.plane.decode(outputs[:, 0])
        beyond = predicted - self.mean
        self._fill(chart, np.minimum(np.abs(beyond) / self.largest, 1.0), beyond > 0)
        for level, name in Axis.over(predicted).ticks(MOST_LEVELS):
            chart.contour(on_grid(predicted), level, "contour", hover=name)
        chart.contour(on_grid(beyond), 0.0)

    def score(self, outputs: Values, target: Targets) -> str:
        return _r2(self.plane.decode(outputs[:, 0]), target.astype(np.float64))

    def score_of_sums(self, sums: Values, target: Targets) -> str:
        assert self.zero is not None, "sums are known"
        return _r2(self.plane.decode(sums + self.zero), target.astype(np.float64))

    def direction(self, weight: float) -> str:
        return "raises it" if weight > 0 else "lowers it"


def answer_of(plane: Plane) -> PlaneAnswer:
    """Return what a network's answers look like, by its task."""
    if plane.network.task == "values":
        return _Values(plane)
    return _SeveralClasses(plane) if plane.network.task == "classes" else _TwoClasses(plane)


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
