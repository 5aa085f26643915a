"""How a network of two inputs decides, in pictures of the plane: rows, answer while it was learned, cuts, their sum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.number_texts import count, rounded
from specnet.parts.arrays import Array
from specnet.report.diagram.diagram_columns import DiagramColumn
from specnet.report.plane.plane_answers import answer_of
from specnet.report.plane.surfaces import Plane, Values, on_grid, without_ties
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.drawings import mark_alone
from specnet.report.svg.pixels import ACTIVATION_HUES, RGB

LARGE, SMALL = (440.0, 330.0), (212.0, 160.0)
"""Sizes of the pair of planes, and of pictures without text."""
MOST_ROWS, MOST_ROWS_IN_SMALL = 400, 150
ROWS, ROWS_IN_SMALL = "plane-rows", "plane-rows-small"
"""Identities under which rows are drawn once on a page."""
MOST_UNITS = 16
UNIT_STRENGTH = 0.75
"""Opacity of the strongest activations and sums, a little more than that of answers."""

PlaneSection = tuple[str, str, list[Figure]]


class PlaneStory:
    """How a network of two inputs decides.

    Parameters
    ----------
    plane : Plane
    moments : mapping
        Parameters and layer states by name, by the number of finished epochs.

    Attributes
    ----------
    rows, answer : Figure
        The pair of large pictures; the answer has a group for each moment of training, of which the last one is shown.
    moments : list of str
        What is said of each of these groups; the last is the delivered network.
    marks : list of (Markup, str)
        The legend of rows.
    sections : list of tuple
        A heading, sentences that explain small pictures, and these.
    """

    def __init__(self, plane: Plane, moments: Mapping[int, Mapping[str, Array]]) -> None:
        self._plane, self._answers = plane, answer_of(plane)
        shown = np.flatnonzero(np.isfinite(plane.columns).all(axis=1))
        self._shown = shown[np.random.default_rng(0).permutation(len(shown))[:MOST_ROWS]]
        self._rows_are_drawn = False
        self.sections = list(self._sections())
        self.marks = [(mark_alone(kind), name) for kind, name in enumerate(self._answers.kind_names)]
        self.rows, self.moments = self._large_rows(), list[str]()
        self.answer = self._large_answer(dict(self._states(moments)))

    def _large_rows(self) -> Figure:
        plane, shown = self._plane, self._shown
        total, held = len(plane.columns), int(plane.held_out.sum())
        description = f"{count(total)} rows by {' and '.join(plane.column_names)}, {count(held)} of them held out"
        chart = Chart(description, *plane.axes, width=LARGE[0], height=LARGE[1])
        hover = [
            f"{self._answers.named(plane.target[k])} ({rounded(plane.columns[k, 0])}, {rounded(plane.columns[k, 1])})"
            + ", held out" * bool(plane.held_out[k])
            for k in shown.tolist()
        ]
        (x, y), edged = plane.columns[shown].T, plane.held_out[shown]
        chart.points(x, y, self._answers.kinds[shown], held_out=edged, hover=hover, identity=ROWS)
        note = "Each point is a row." + self._answers.about_rows
        if held:
            note += " Points with an edge are held-out rows, which the network never learns from."
        if len(shown) < total:
            note += f" {count(len(shown))} of {count(total)} rows, drawn at random."
        return Figure("The rows", note, chart.svg())

    def _states(self, moments: Mapping[int, Mapping[str, Array]]) -> Iterator[tuple[str, Mapping[str, Array]]]:
        """Yield the tensors of each moment and, unless they are the last of these, of the delivered network."""
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
        return Figure("The answer", answers.about_answer, chart.svg())

    def _picture(
        self,
        title: str,
        note: str,
        description: str,
        surface: tuple[Values, NDArray[Any], Sequence[RGB]],
        zeros: Values,
    ) -> Figure:
        """Return a small picture: a surface, rows, and the lines on which values are 0.

        The first picture has the rows, the others refer to it.
        """
        chart = Chart(description, *self._plane.axes, width=SMALL[0], height=SMALL[1], bare=True)
        chart.surface(*surface)
        if self._rows_are_drawn:
            chart.reuse(ROWS_IN_SMALL)
        else:
            rows = self._shown[:MOST_ROWS_IN_SMALL]
            x, y = self._plane.columns[rows].T
            chart.points(x, y, self._answers.kinds[rows], identity=ROWS_IN_SMALL)
            self._rows_are_drawn = True
        chart.contour(on_grid(zeros), 0.0)
        return Figure(title, note, chart.svg())

    def _sections(self) -> Iterator[PlaneSection]:
        """Yield the sections on the cuts of a first dense layer, and on their sum if it is the only one."""
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
        # As relu units do, they give nothing where their sum is negative, and something elsewhere.
        silent = bool((outputs[negative] == 0).all() and negative.any() and (outputs[sums > 0] > 0).all())
        pictures = []
        for unit in range(min(column.size, MOST_UNITS)):
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
            text += "On one side the unit is silent; on the other its output grows with the distance (yellow)."
        else:
            text += "Yellow is a positive output and violet a negative one."
        if weights is not None:
            text += f" Its weight in the output, in brackets, says {answers.about_weights}."
        if column.size > MOST_UNITS:
            text += f" The first {MOST_UNITS} of {count(column.size)} units."
        return "Each first-layer unit makes one straight cut", text, pictures

    def _first_layer(self) -> DiagramColumn | None:
        """Return the first hidden layer if its units are weighted sums of both inputs."""
        chain = self._plane.chain
        is_hidden = len(chain) > 2 and all(column.sources != (0,) for column in chain[2:])
        return chain[1] if is_hidden and chain[1].nodes[0].layer.type == "dense" else None

    def _output_weights(self, column: DiagramColumn) -> Values | None:
        """Return the weights that a single hidden layer's units have in a single output."""
        chain = self._plane.chain
        if len(chain) != 3 or chain[2].size != 1 or len(chain[2].nodes) > 1 or chain[2].nodes[0].layer.type != "dense":
            return None
        node = chain[2].nodes[0]
        weight: Values = self._plane.tensors[f"{node.key}.weight"][0].astype(np.float64)
        scale = np.sqrt(column.size) if getattr(node.layer, "parametrization", "standard") == "ntk" else 1.0
        return weight / scale

    def _sums(self, column: DiagramColumn, units: Values, units_of_rows: Values) -> PlaneSection:
        """Return the section on how a single output adds the units of a single hidden layer, each times its weight."""
        plane, answers = self._plane, self._answers
        bias = plane.tensors.get(f"{plane.chain[2].nodes[0].key}.bias")
        total = np.full(len(units), 0.0 if bias is None else float(bias[0])) - (answers.zero or 0.0)
        total_of_rows = np.full(len(units_of_rows), total[0])
        order = np.argsort(-np.abs(units_of_rows).mean(axis=0), kind="stable")[:MOST_UNITS]
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
        text = f"From the strongest unit to the weakest. {answers.about_sums} It bends where it meets a unit's cut."
        if column.size > MOST_UNITS:
            text += f" The {MOST_UNITS} strongest of {count(column.size)} units."
        text += answers.about_activation
        return "The output adds the units, and straight cuts become one bent line", text, pictures


def _fires(share: float, silent: bool) -> str:
    """Return in words for which fraction of rows a unit's sum is positive."""
    what = "fires" if silent else "sum positive"
    if share in (0.0, 1.0):
        return f"{what} on {'every row' if share else 'no row'}"
    return f"{what} on {100 * share:.0f} % of rows"
