"""Pictures of a network with two inputs: outputs of its units and of the whole network over the plane of inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from specnet.network import Network
from specnet.number_texts import count, page_metric, percent, rounded
from specnet.parts.arrays import Array
from specnet.report.diagram_layout import DiagramColumn, columns_of, visible_activation
from specnet.report.svg.axes import Axis, unit_of
from specnet.report.svg.charts import Chart, Figure, mark_alone
from specnet.report.svg.colours import ACTIVATION_HUES, HUES, RGB, colour_of

GRID = 90
"""Number of points of the grid along each axis."""
MARGIN = 0.08
"""Space around the rows, as a fraction of their range."""
MIN_PROBABILITY = 1e-12
"""Minimum distance to which probabilities are clipped from 0 and 1 before taking logarithms."""

Values = NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Plane:
    """A network of two inputs, with its parameters and the rows on which it was trained and tested.

    Attributes
    ----------
    network : Network
        Network that is run by NumPy.
    tensors : mapping of str to ndarray
        Parameters and layer states by name; of an ensemble, those of one member.
    columns : ndarray (rows, 2)
        Values along the axes.
    target : ndarray (rows,)
        Indices of classes, or values in the units of the target.
    held_out : ndarray (rows,), bool
        Whether each row was held out from training.
    column_names : (str, str)
    class_names : tuple of str
        Names of the classes; empty for a regression.
    prepare : callable
        Function from points of the plane to inputs of the network (points, 2); by default the identity.
    decode : callable
        Function from the network's first output (points,) to values in the units of the target.
    """

    network: Network
    tensors: Mapping[str, Array]
    columns: Values
    target: NDArray[np.generic]
    held_out: NDArray[np.bool_]
    column_names: tuple[str, str]
    class_names: tuple[str, ...] = ()
    prepare: Callable[[Values], Values] = field(default=lambda values: values)
    decode: Callable[[Values], Values] = field(default=lambda values: values)

    @cached_property
    def axes(self) -> tuple[Axis, Axis]:
        """Both axes, which extend a little beyond the rows."""
        x, y = self.columns.T
        names = self.column_names
        first, second = (
            Axis.over(values, label=name, margin=MARGIN, unit=unit_of(values))
            for name, values in zip(names, (x, y), strict=True)
        )
        return first, second

    @cached_property
    def points(self) -> Values:
        """The points of the grid (GRID², 2), row by row from the bottom."""
        x, y = (np.linspace(axis.low, axis.high, GRID) for axis in self.axes)
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

    @cached_property
    def chain(self) -> tuple[DiagramColumn, ...]:
        """The network's layers as its diagram shows them, the input first."""
        return columns_of(self.network.resolved)[0]

    def units(self, column: DiagramColumn, points: Values) -> tuple[Values, Values]:
        """Return the inputs of a layer's activation and the layer's outputs at points, each (points, units)."""
        theta, state = self._parameters(self.tensors)
        layers = self.network.layer_outputs(theta, self.prepare(points), state)
        first = next((node for node in column.nodes if visible_activation(node.layer)), column.nodes[0])
        read, given = layers[first.key].raw, layers[column.nodes[-1].key].activated
        return read.astype(np.float64), given.astype(np.float64)

    def answers(self, points: Values, tensors: Mapping[str, Array]) -> Values:
        """Return the outputs (points, outputs) of the network with the given parameters and layer states."""
        theta, state = self._parameters(tensors)
        return self.network.predict(theta, self.prepare(points), state).astype(np.float64)

    def _parameters(self, tensors: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
        theta = np.zeros(self.network.parameter_count, self.network.dtype)
        for name, view in self.network.parameters(theta).items():
            view[...] = tensors[name]
        state = {name: np.asarray(tensors[name]) for name in self.network.initial_state()}
        return theta, state


def on_grid(values: NDArray[Number]) -> NDArray[Number]:
    """Return the values at the points of the grid as a matrix (rows, columns)."""
    return values.reshape(GRID, GRID)


def without_ties(values: Values) -> Values:
    """Return the values at the points of the grid with zeros replaced by negative values, which predict the same.

    Where all units are silent a whole region can be 0, for example before training, when biases are 0. The negative
    values continue the values beyond the region's edge linearly, so that the zero line there is smooth.
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
    clipped = np.clip(probability, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.log(clipped) - np.log1p(-clipped)


def leads(scores: Values) -> Values:
    """Return for each class the difference of its score (points, classes) and the largest score of another class."""
    ordered = np.sort(scores, axis=1)
    best, second = ordered[:, -1:], ordered[:, -2:-1]
    return scores - np.where(scores == best, second, best)


LEVELS = (0.1, 0.25, 0.75, 0.9)
"""Probabilities at which dashed contour lines are drawn."""
MAX_LEVELS = 6
STRENGTH = 0.62
"""Opacity of the strongest answers; less than 1 so that rows are visible on them."""

Targets = NDArray[np.generic]


class PlaneAnswer(ABC):
    """The drawing of a network's predictions, and the texts about it, for one task.

    Attributes
    ----------
    plane : Plane
    kind_names : tuple of str
        Meanings of the rows' marks.
    kinds : ndarray (rows,)
        Index of each row's mark in `kind_names`.
    description : str
        Noun phrase for the predictions, such as "Predicted class over x and y".
    about_answer, about_rows : str
        Sentences about the colours and lines, and about the marks of rows; the second may be empty.
    zero : float or None
        Threshold of a single output before its activation: above it the second class, or a value greater than the
        mean, is predicted. None if unknown, or with several outputs.
    about_sums, about_weights, about_activation : str
        Texts about the colours and the line of sums, the weights of the output, and the sigmoid; may be empty.
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
        """Draw the outputs (points, outputs) of the network on the grid: colours, dashed lines and solid lines."""

    @abstractmethod
    def score(self, outputs: Values, target: Targets) -> str:
        """Return a text with the accuracy or R² of outputs (rows, outputs) of the network for targets."""

    def score_of_sums(self, sums: Values, target: Targets) -> str:
        """Return a text with the accuracy or R² of sums minus `zero` (rows,) for targets."""
        return _right((sums > 0) == (target.astype(np.intp) == 1))

    def direction(self, weight: float) -> str:
        """Return in words which prediction a weight of the output layer supports."""
        return f"towards {self.plane.class_names[int(weight > 0)]}"

    def _fill(self, chart: Chart, strength: Values, hue: NDArray[np.generic]) -> None:
        chart.surface(STRENGTH * on_grid(strength), on_grid(hue).astype(np.intp), self.hues)


class _TwoClasses(PlaneAnswer):
    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        below, above = plane.class_names
        self.kinds = plane.target.astype(np.intp)
        what, lines = "margin", "0 on the solid line, −1 and 1"
        if self.gives_probabilities:
            what, lines = "probability", "½ on the solid line, 0.1, 0.25, 0.75 and 0.9"
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
            scores = np.log(np.maximum(outputs, MIN_PROBABILITY))
        else:
            strength, scores = np.minimum(leads(outputs).max(axis=1), 1.0), outputs
        self._fill(chart, strength, colour_of(outputs.argmax(axis=1)))
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
            f"The prediction: {mean}, the mean, on the solid line, higher where it is blue, lower where it is orange."
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
        for level, name in Axis.over(predicted).ticks(MAX_LEVELS):
            chart.contour(on_grid(predicted), level, "contour", hover=name)
        chart.contour(on_grid(beyond), 0.0)

    def score(self, outputs: Values, target: Targets) -> str:
        return _r2(self.plane.decode(outputs[:, 0]), target.astype(np.float64))

    def score_of_sums(self, sums: Values, target: Targets) -> str:
        assert self.zero is not None, "sums are known"
        return _r2(self.plane.decode(sums + self.zero), target.astype(np.float64))

    def direction(self, weight: float) -> str:
        return "raises it" if weight > 0 else "lowers it"


def _output_at(value: float, plane: Plane) -> float | None:
    """Return the output that decodes to a value; None unless the output and its decoding are linear and increasing."""
    first, second, third = plane.decode(np.array([0.0, 1.0, 2.0])).tolist()
    is_linear = abs(third - 2 * second + first) <= 1e-9 * (abs(first) + abs(second) + abs(third))
    if visible_activation(plane.network.nodes[-1].layer) or not is_linear or second <= first:
        return None
    return float((value - first) / (second - first))


def _r2(values: Values, target: Values) -> str:
    spread = float(((target - target.mean()) ** 2).sum())
    return f"R² {page_metric('r2', 1 - float(((target - values) ** 2).sum()) / spread)}" if spread else "R² –"


def _right(right: NDArray[np.bool_]) -> str:
    return f"{percent(float(np.mean(right)))} of rows right"


LARGE, SMALL = (440.0, 330.0), (212.0, 160.0)
"""Width and height of the two large pictures, and of the small pictures."""
MAX_ROWS, MAX_ROWS_IN_SMALL = 400, 150
ROWS, ROWS_IN_SMALL = "plane-rows", "plane-rows-small"
"""Identities of the groups of rows, which are drawn once on a page and then reused."""
MAX_PICTURES = 16
"""Most small pictures of a section, one for each unit."""
UNIT_STRENGTH = 0.75
"""Opacity of the strongest activations and sums, a little more than `STRENGTH`."""

PlaneSection = tuple[str, str, list[Figure]]


class PlaneStory:
    """Pictures that explain how a network of two inputs decides.

    Parameters
    ----------
    plane : Plane
    moments : mapping
        For each number of finished epochs, the parameters and layer states by name.

    Attributes
    ----------
    rows, answer : Figure
        The two large pictures. The answer has a group for each moment of training; the last group is shown.
    moments : list of str
        Captions of these groups; the last is the delivered network.
    marks : list of (Markup, str)
        Legend of the rows' marks.
    sections : list of tuple
        For each section a heading, a text, and the small pictures that the text explains.
    """

    def __init__(self, plane: Plane, moments: Mapping[int, Mapping[str, Array]]) -> None:
        kinds = {"values": _Values, "classes": _SeveralClasses}
        self._plane, self._answers = plane, kinds.get(plane.network.task, _TwoClasses)(plane)
        shown = np.flatnonzero(np.isfinite(plane.columns).all(axis=1))
        self._shown = shown[np.random.default_rng(0).permutation(len(shown))[:MAX_ROWS]]
        self._rows_are_drawn = False
        self.sections = list(self._sections())
        self.marks = [(mark_alone(kind), name) for kind, name in enumerate(self._answers.kind_names)]
        self.rows, self.moments = self._large_rows(), list[str]()
        self.answer = self._large_answer(dict(self._states(moments)))

    def _large_rows(self) -> Figure:
        plane, shown = self._plane, self._shown
        total, unseen = len(plane.columns), int(plane.held_out.sum())
        description = f"{count(total)} rows by {' and '.join(plane.column_names)}, {count(unseen)} of them held out"
        chart = Chart(description, *plane.axes, width=LARGE[0], height=LARGE[1])
        hover = [
            f"{self._answers.named(plane.target[k])} ({rounded(plane.columns[k, 0])}, {rounded(plane.columns[k, 1])})"
            + ", held out" * bool(plane.held_out[k])
            for k in shown.tolist()
        ]
        (x, y), edged = plane.columns[shown].T, plane.held_out[shown]
        chart.points(x, y, self._answers.kinds[shown], held_out=edged, hover=hover, identity=ROWS)
        note = "Each point is a row." + self._answers.about_rows
        if unseen:
            note += " Points with an edge are held out: the network is not trained on them."
        if len(shown) < total:
            note += f" {count(len(shown))} of {count(total)} rows, drawn at random."
        return Figure("The rows", note, chart.svg(), "rows")

    def _states(self, moments: Mapping[int, Mapping[str, Array]]) -> Iterator[tuple[str, Mapping[str, Array]]]:
        """Yield a title and tensors for each moment and, if it differs from the last, for the delivered network."""
        delivered, tensors = self._plane.tensors, None
        for epoch, tensors in sorted(moments.items()):
            yield f"epoch {count(epoch)}" if epoch else "before training", tensors
        if tensors is None or not all(np.array_equal(tensors[name], each) for name, each in delivered.items()):
            yield "the delivered network", delivered

    def _large_answer(self, states: Mapping[str, Mapping[str, Array]]) -> Figure:
        plane, answers = self._plane, self._answers
        for title, tensors in states.items():
            self.moments.append(f"{title}: {answers.score(plane.answers(plane.columns, tensors), plane.target)}")
        description = f"{answers.description}: {self.moments[-1].partition(': ')[2]}"
        chart = Chart(description, *plane.axes, width=LARGE[0], height=LARGE[1])
        for number, tensors in enumerate(states.values(), 1):
            with chart.group("moment" if number < len(states) else "moment delivered shown"):
                answers.draw(chart, plane.answers(plane.points, tensors))
        chart.reuse(ROWS)
        return Figure("The answer", answers.about_answer, chart.svg(), "answer")

    def _picture(
        self,
        title: str,
        note: str,
        description: str,
        surface: tuple[Values, NDArray[Any], Sequence[RGB]],
        zeros: Values,
    ) -> Figure:
        """Return a small picture: a surface, rows, and the lines on which `zeros` is 0.

        The rows are drawn in the first picture; later pictures refer to them.
        """
        chart = Chart(description, *self._plane.axes, width=SMALL[0], height=SMALL[1], bare=True)
        chart.surface(*surface)
        if self._rows_are_drawn:
            chart.reuse(ROWS_IN_SMALL)
        else:
            rows = self._shown[:MAX_ROWS_IN_SMALL]
            x, y = self._plane.columns[rows].T
            chart.points(x, y, self._answers.kinds[rows], identity=ROWS_IN_SMALL)
            self._rows_are_drawn = True
        chart.contour(on_grid(zeros), 0.0)
        return Figure(title, note, chart.svg())

    def _sections(self) -> Iterator[PlaneSection]:
        """Yield the section on the cuts of a first dense layer, and on their sum if it is the only hidden layer."""
        if (column := self._first_layer()) is None:
            return
        weights = None if self._answers.zero is None else self._output_weights(column)
        sums, outputs = self._plane.units(column, self._plane.points)
        sums_of_rows, outputs_of_rows = self._plane.units(column, self._plane.columns)
        yield self._cuts(column, weights, sums, outputs, sums_of_rows)
        if weights is not None:
            yield self._sums(column, outputs * weights, outputs_of_rows * weights)

    def _cuts(
        self, column: DiagramColumn, weights: Values | None, sums: Values, outputs: Values, sums_of_rows: Values
    ) -> PlaneSection:
        """Return the section on the units of a first dense layer."""
        answers, negative = self._answers, sums < 0
        # Whether units behave like relu: their output is 0 where their sum is negative, and positive elsewhere.
        silent = bool((outputs[negative] == 0).all() and negative.any() and (outputs[sums > 0] > 0).all())
        pictures = []
        for unit in range(min(column.size, MAX_PICTURES)):
            share = float(np.mean(sums_of_rows[:, unit] > 0))
            notes = [_fires(share, silent)]
            if weights is not None and share > 0:
                notes.append(f"{answers.direction(weights[unit])} ({rounded(float(f'{weights[unit]:.2g}'))})")
            title, note = f"unit {unit + 1}", ", ".join(notes)
            description = f"{title.capitalize()} over the plane: {note}"
            output, largest = on_grid(outputs[:, unit]), float(np.abs(outputs[:, unit]).max(initial=0.0)) or 1.0
            surface = UNIT_STRENGTH * np.abs(output) / largest, output < 0, ACTIVATION_HUES
            pictures.append(self._picture(title, note, description, surface, sums[:, unit]))
        text = "Along its line a unit's weighted sum, with its bias, is 0. "
        if silent:
            text += "Its output is 0 in one half of the plane, and grows with the distance in the other (yellow)."
        else:
            text += "Yellow is a positive output and violet a negative one."
        if weights is not None:
            text += f" Its weight in the output, in brackets, says {answers.about_weights}."
        if column.size > MAX_PICTURES:
            text += f" The first {MAX_PICTURES} of {count(column.size)} units."
        return "Each first-layer unit draws one straight line", text, pictures

    def _first_layer(self) -> DiagramColumn | None:
        """Return the first hidden layer; None unless it is dense and the only layer that reads the inputs."""
        chain = self._plane.chain
        is_hidden = len(chain) > 2 and all(column.sources != (0,) for column in chain[2:])
        return chain[1] if is_hidden and chain[1].nodes[0].layer.type == "dense" else None

    def _output_weights(self, column: DiagramColumn) -> Values | None:
        """Return the output's weights of the hidden units; None unless one hidden and one dense output of 1 unit."""
        chain = self._plane.chain
        if len(chain) != 3 or chain[2].size != 1 or len(chain[2].nodes) > 1 or chain[2].nodes[0].layer.type != "dense":
            return None
        node = chain[2].nodes[0]
        weight: Values = self._plane.tensors[f"{node.key}.weight"][0].astype(np.float64)
        scale = np.sqrt(column.size) if getattr(node.layer, "parametrization", "standard") == "ntk" else 1.0
        return weight / scale

    def _sums(self, column: DiagramColumn, units: Values, units_of_rows: Values) -> PlaneSection:
        """Return the section on the single output as the sum of hidden units, each multiplied by its weight."""
        plane, answers = self._plane, self._answers
        bias = plane.tensors.get(f"{plane.chain[2].nodes[0].key}.bias")
        total = np.full(len(units), 0.0 if bias is None else float(bias[0])) - (answers.zero or 0.0)
        total_of_rows = np.full(len(units_of_rows), total[0])
        order = np.argsort(-np.abs(units_of_rows).mean(axis=0), kind="stable")[:MAX_PICTURES]
        largest = float(np.abs(total + units.sum(axis=1)).max()) or 1.0
        pictures = []
        for index, unit in enumerate(order.tolist()):
            total, total_of_rows = total + units[:, unit], total_of_rows + units_of_rows[:, unit]
            note = answers.score_of_sums(total_of_rows, plane.target)
            description = f"Sum of the bias and {index + 1} of {column.size} units: {note}"
            sums = on_grid(total)
            surface = np.minimum(1.4 * np.abs(sums) / largest, UNIT_STRENGTH), sums > 0, answers.hues
            title = f"+ unit {unit + 1}" if index else f"{'unit' if bias is None else 'bias and unit'} {unit + 1}"
            pictures.append(self._picture(title, note, description, surface, without_ties(total)))
        text = f"From the strongest unit to the weakest. {answers.about_sums} It bends where it meets a unit's line."
        if column.size > MAX_PICTURES:
            text += f" The {MAX_PICTURES} strongest of {count(column.size)} units."
        text += answers.about_activation
        return "The output adds the units, and straight lines become one bent line", text, pictures


def _fires(share: float, silent: bool) -> str:
    """Return in words the fraction of rows for which a unit's sum is positive."""
    what = "fires" if silent else "sum positive"
    if share in (0.0, 1.0):
        return f"{what} on {'every row' if share else 'no row'}"
    return f"{what} on {percent(share)} of rows"
