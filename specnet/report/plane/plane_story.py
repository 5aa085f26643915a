"""How a network of two inputs decides, in pictures of the plane: rows, answer, cuts, their sum, and learning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from specnet.number_texts import count, rounded
from specnet.parts.arrays import Array
from specnet.report.diagram.diagram_columns import Column
from specnet.report.plane.plane_answers import answer_of
from specnet.report.plane.surfaces import Plane, Values, on_grid, without_ties
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.drawings import mark_alone
from specnet.report.svg.pixels import ACTIVATION_HUES, HUES

LARGE, SMALL = (440.0, 330.0), (212.0, 160.0)
"""Sizes of the pair of planes, and of pictures without text."""
MOST_ROWS, MOST_ROWS_IN_SMALL = 400, 150
ROWS, ROWS_IN_SMALL = "plane-rows", "plane-rows-small"
"""Identities under which rows are drawn once on a page."""
MOST_UNITS = 16
MOST_IN_LATER_LAYERS = 24
STRENGTH = 0.62
"""Opacity of the strongest answers, so that rows stand out; of activations and sums it is a little more."""
UNIT_STRENGTH = 0.75


class Section(NamedTuple):
    """Small pictures that belong together.

    Attributes
    ----------
    title, text : str
        A heading, and sentences that explain the pictures.
    pictures : tuple of Figure
        None where the text is all.
    """

    title: str
    text: str
    pictures: tuple[Figure, ...]


class Mark(NamedTuple):
    """What rows of a class look like.

    Attributes
    ----------
    name : str
    chart : Markup
        The mark.
    """

    name: str
    chart: Markup


@dataclass(frozen=True)
class Story:
    """How a network of two inputs decides.

    Attributes
    ----------
    rows, answer : Figure
        The pair of large pictures.
    marks : tuple of Mark
        The legend of rows.
    sections : tuple of Section
    """

    rows: Figure
    answer: Figure
    marks: tuple[Mark, ...]
    sections: tuple[Section, ...]


def story(plane: Plane, moments: Mapping[int, Mapping[str, Array]]) -> Story:
    """Return how a network of two inputs decides.

    Parameters
    ----------
    plane : Plane
    moments : mapping
        Parameters and layer states by name, by the number of finished epochs.
    """
    return _Teller(plane).story(moments)


class _Teller:
    def __init__(self, plane: Plane) -> None:
        self.plane, self.answer = plane, answer_of(plane)
        shown = np.flatnonzero(np.isfinite(plane.columns).all(axis=1))
        order = np.random.default_rng(0).permutation(len(shown))
        self.rows = shown[order[:MOST_ROWS]]
        self.kinds = self.answer.kinds(plane.target)
        self.hues = HUES[: len(self.answer.kind_names)]
        self.rows_are_drawn = False

    def story(self, moments: Mapping[int, Mapping[str, Array]]) -> Story:
        sections = [*self._cuts(), *self._sums(), *self._later_layers(), *self._learned(moments)]
        marks = tuple(Mark(name, mark_alone(kind)) for kind, name in enumerate(self.answer.kind_names))
        return Story(self._large_rows(), self._large_answer(), marks, tuple(sections))

    def _large_rows(self) -> Figure:
        plane, rows = self.plane, self.rows
        total, held = len(plane.columns), int(plane.held_out.sum())
        description = f"{count(total)} rows by {' and '.join(plane.column_names)}, {count(held)} of them held out"
        chart = Chart(description, *plane.axes, width=LARGE[0], height=LARGE[1])
        x, y = plane.columns[rows].T
        chart.points(x, y, self.kinds[rows], held_out=plane.held_out[rows], hover=self._hovers(), identity=ROWS)
        note = "Each point is a row." + self.answer.about_rows
        if held:
            note += " Points with an edge are held-out rows, which the network never learns from."
        if len(rows) < total:
            note += f" {count(len(rows))} of {count(total)} rows, drawn at random."
        return Figure("The rows", note, chart.svg())

    def _hovers(self) -> list[str]:
        plane = self.plane
        return [
            f"{self.answer.named(plane.target[k])} ({rounded(plane.columns[k, 0])}, {rounded(plane.columns[k, 1])})"
            + ", held out" * bool(plane.held_out[k])
            for k in self.rows.tolist()
        ]

    def _large_answer(self) -> Figure:
        surface = self.answer.surface(self.plane.answers(self.plane.points))
        score = self.answer.score(self.plane.answers(self.plane.columns), self.plane.target)
        description = f"{self.answer.description}: {score}"
        chart = Chart(description, *self.plane.axes, width=LARGE[0], height=LARGE[1])
        chart.surface(STRENGTH * surface.strength, surface.hue, self.hues)
        for contour in surface.contours:
            chart.contour(on_grid(contour.values), contour.level, "contour", hover=contour.name)
        for values in surface.boundaries:
            chart.contour(on_grid(values), 0.0)
        chart.reuse(ROWS)
        return Figure("The answer", self.answer.about_answer, chart.svg())

    def _small(self, description: str) -> Chart:
        return Chart(description, *self.plane.axes, width=SMALL[0], height=SMALL[1], bare=True)

    def _add_rows(self, chart: Chart) -> None:
        """Draw rows in a small picture: the first one has them, the others refer to it."""
        if self.rows_are_drawn:
            chart.reuse(ROWS_IN_SMALL)
            return
        rows = self.rows[:MOST_ROWS_IN_SMALL]
        x, y = self.plane.columns[rows].T
        chart.points(x, y, self.kinds[rows], identity=ROWS_IN_SMALL)
        self.rows_are_drawn = True

    def _activation(self, chart: Chart, values: Values) -> None:
        largest = float(np.abs(values).max(initial=0.0)) or 1.0
        surface = on_grid(values)
        chart.surface(UNIT_STRENGTH * np.abs(surface) / largest, surface < 0, ACTIVATION_HUES)

    def _cuts(self) -> Iterator[Section]:
        """Yield the section on the units of a first dense layer."""
        plane, column, meaning = self.plane, self._first_layer(), self.answer.sums
        if column is None:
            return
        sums, outputs = (read(column, plane.layers) for read in (plane.before_activation, plane.after_activation))
        sums_of_rows = plane.before_activation(column, plane.layers_of_rows)
        weights = None if meaning is None else self._output_weights(column)
        silent = _is_silent_below_zero(sums, outputs)
        pictures = []
        for unit in range(min(column.size, MOST_UNITS)):
            share = float(np.mean(sums_of_rows[:, unit] > 0))
            notes = [_fires(share, silent)]
            if meaning is not None and weights is not None and share > 0:
                notes.append(f"{meaning.direction(weights[unit])} ({rounded(float(f'{weights[unit]:.2g}'))})")
            chart = self._small(f"Unit {unit + 1} over the plane: {', '.join(notes)}")
            self._activation(chart, outputs[:, unit])
            self._add_rows(chart)
            chart.contour(on_grid(sums[:, unit]), 0.0)
            pictures.append(Figure(f"unit {unit + 1}", ", ".join(notes), chart.svg()))
        text = "Along its line a unit's weighted sum, with its bias, is 0. "
        if silent:
            text += "On one side the unit is silent; on the other its output grows with the distance (yellow)."
        else:
            text += "Yellow is a positive output and violet a negative one."
        if meaning is not None and weights is not None:
            text += f" Its weight in the output, in brackets, says {meaning.weights}."
        if column.size > MOST_UNITS:
            text += f" The first {MOST_UNITS} of {count(column.size)} units."
        yield Section("Each first-layer unit makes one straight cut", text, tuple(pictures))

    def _first_layer(self) -> Column | None:
        """Return the first hidden layer if its units are weighted sums of both inputs."""
        chain = self.plane.chain
        is_hidden = len(chain) > 2 and all(column.sources != (0,) for column in chain[2:])
        return chain[1] if is_hidden and chain[1].nodes[0].layer.type == "dense" else None

    def _output_weights(self, column: Column) -> Values | None:
        """Return the weights that a single hidden layer's units have in a single output."""
        chain = self.plane.chain
        if len(chain) != 3 or chain[2].size != 1 or len(chain[2].nodes) > 1 or chain[2].nodes[0].layer.type != "dense":
            return None
        node = chain[2].nodes[0]
        weight: Values = self.plane.tensors[f"{node.key}.weight"][0].astype(np.float64)
        scale = np.sqrt(column.size) if getattr(node.layer, "parametrization", "standard") == "ntk" else 1.0
        return weight / scale

    def _sums(self) -> Iterator[Section]:
        """Yield the sections on how a single output adds the units of a single hidden layer."""
        plane, column, meaning = self.plane, self._first_layer(), self.answer.sums
        weights = None if column is None else self._output_weights(column)
        if column is None or weights is None or meaning is None:
            return
        units = plane.after_activation(column, plane.layers) * weights
        units_of_rows = plane.after_activation(column, plane.layers_of_rows) * weights
        output = plane.chain[2]
        bias = plane.tensors.get(f"{output.nodes[0].key}.bias")
        total = np.full(len(units), 0.0 if bias is None else float(bias[0])) - meaning.zero
        total_of_rows = np.full(len(units_of_rows), total[0])
        order = np.argsort(-np.abs(units_of_rows).mean(axis=0), kind="stable")[:MOST_UNITS]
        largest = float(np.abs(total + units.sum(axis=1)).max()) or 1.0
        pictures = []
        for place, unit in enumerate(order.tolist()):
            total, total_of_rows = total + units[:, unit], total_of_rows + units_of_rows[:, unit]
            note = meaning.score(total_of_rows, plane.target)
            chart = self._small(f"Sum of the bias and {place + 1} of {column.size} units: {note}")
            surface = on_grid(total)
            chart.surface(np.minimum(1.4 * np.abs(surface) / largest, UNIT_STRENGTH), surface > 0, self.hues)
            self._add_rows(chart)
            chart.contour(on_grid(without_ties(total)), 0.0)
            title = f"+ unit {unit + 1}" if place else f"{'unit' if bias is None else 'bias and unit'} {unit + 1}"
            pictures.append(Figure(title, note, chart.svg()))
        text = f"From the strongest unit to the weakest. {meaning.text} It bends where it meets a unit's cut."
        if column.size > MOST_UNITS:
            text += f" The {MOST_UNITS} strongest of {count(column.size)} units."
        yield Section("The output adds the units, and straight cuts become one bent line", text, tuple(pictures))
        if meaning.activation:
            yield Section("The sigmoid turns the sum into a probability", meaning.activation, ())

    def _later_layers(self) -> Iterator[Section]:
        """Yield a section for hidden layers behind the first one: the first, the last and one between."""
        first = self._first_layer()
        later = [column for column in self.plane.chain[1:-1] if column is not first]
        chosen = [later[k] for k in sorted({0, len(later) // 2, len(later) - 1})] if later else []
        most = min(MOST_UNITS, MOST_IN_LATER_LAYERS // max(len(chosen), 1))
        for column in chosen:
            values = self.plane.after_activation(column, self.plane.layers)
            of_rows = self.plane.after_activation(column, self.plane.layers_of_rows)
            pictures = []
            for unit in range(min(column.size, most)):
                note = "" if np.ptp(of_rows[:, unit]) else "the same output for every row"
                chart = self._small(f"Output of unit {unit + 1} of {column.key} over the plane")
                self._activation(chart, values[:, unit])
                pictures.append(Figure(f"unit {unit + 1}", note, chart.svg()))
            text = "Yellow is a positive output and violet a negative one."
            if column.size > most:
                text += f" The first {most} of {count(column.size)} units."
            if len(chosen) < len(later):
                text += f" {len(chosen)} of {count(len(later))} layers behind the first are shown."
            yield Section(f"Units of {column.key} over the plane", text, tuple(pictures))

    def _learned(self, moments: Mapping[int, Mapping[str, Array]]) -> Iterator[Section]:
        pictures = []
        for epoch, tensors in sorted(moments.items()):
            surface = self.answer.surface(self.plane.answers(self.plane.points, tensors))
            score = self.answer.score(self.plane.answers(self.plane.columns, tensors), self.plane.target)
            title = f"epoch {count(epoch)}" if epoch else "before training"
            chart = self._small(f"The answer {'after ' if epoch else ''}{title}: {score}")
            chart.surface(STRENGTH * surface.strength, surface.hue, self.hues)
            self._add_rows(chart)
            for values in surface.boundaries:
                chart.contour(on_grid(values), 0.0)
            pictures.append(Figure(title, score, chart.svg()))
        if pictures:
            yield Section("The same plane while it was learned", "", tuple(pictures))


def _is_silent_below_zero(sums: Values, outputs: Values) -> bool:
    """Tell whether units give nothing where their sum is negative, and something elsewhere, as relu units do."""
    negative = sums < 0
    return bool((outputs[negative] == 0).all() and negative.any() and (outputs[sums > 0] > 0).all())


def _fires(share: float, silent: bool) -> str:
    """Return in words for which fraction of rows a unit's sum is positive."""
    what = "fires" if silent else "sum positive"
    if share in (0.0, 1.0):
        return f"{what} on {'every row' if share else 'no row'}"
    return f"{what} on {100 * share:.0f} % of rows"
