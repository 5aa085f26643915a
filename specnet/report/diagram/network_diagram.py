"""A network as a picture: a column for each layer, a circle for each unit, a line for each weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from specnet.data import Preparation, unfitted
from specnet.number_texts import count, counted, rounded
from specnet.report.diagram.diagram_columns import INPUT, Fold, columns_of, has_matrix
from specnet.report.diagram.placing import (
    EDGE,
    FOLD_LABEL,
    LINE_HEIGHT,
    MOST_FOR_NAMES,
    MOST_UNITS,
    RADIUS,
    Arc,
    Placed,
    place_columns,
)
from specnet.report.overview import Overview
from specnet.report.svg.markup import escaped, hover_text, label, number, picture
from specnet.report.svg.style import NETWORK_STYLE, style_alone

if TYPE_CHECKING:
    from specnet.model import Model
    from specnet.network import Network
    from specnet.spec import Resolved
    from specnet.spec.resolving.graph import Node

MOST_LINES = 1000
"""Lines of weights in a diagram; where blocks have more together, each draws its largest ones."""
FILE_MARGIN = 16.0
"""Units around a diagram that is a file."""
CAPTION_ROOM = 122.0
FOLD_MARGIN, FOLD_INSET = 58.0, 5.0
"""Units from a column's middle to the frame of a fold, less for one within another."""

Parameters = Mapping[str, NDArray[Any]]


class NetworkDiagram:
    """The picture of a network.

    Parameters
    ----------
    resolved : Resolved
    parameters : mapping, optional
        Arrays by name, as of `Network.parameters`: a line is as wide as its weight is large. Without them lines are
        thin and grey.
    input_names, output_names : sequence of str
        What stands beside the circles of inputs and outputs, if there is one for each.
    """

    def __init__(
        self,
        resolved: Resolved,
        parameters: Parameters | None = None,
        *,
        input_names: Sequence[str] = (),
        output_names: Sequence[str] = (),
    ) -> None:
        overview = Overview(resolved)
        self.description = f"Network {overview.summary()}, {counted(overview.parameter_count, 'parameter')}"
        if parameters:
            self.description += (
                "; lines are as wide as weights are large, blue if positive, orange and dashed if negative"
            )
        self.title = resolved.spec.name or self.description
        self.graph, self.parameters = columns_of(resolved), parameters or {}
        self.captions = [column.captions() for column in self.graph.columns]
        self.names = (
            input_names if len(input_names) == resolved.inputs else (),
            output_names if len(output_names) == resolved.outputs else (),
        )
        self.placement = place_columns(self.graph, self.captions, self.names)

    def svg(self, head: str = "", margin: float = 0.0) -> Markup:
        """Return the picture, with what stands before it and units around it."""
        size = self.placement.width, self.placement.height
        return picture("specnet-network", *size, self.description, [head, *self.content()], margin=margin)

    def file(self) -> str:
        """Return the picture as an SVG file with its own colours, light and dark."""
        style = f"<style>\n{style_alone(NETWORK_STYLE, 'specnet-network')}</style>"
        alone = self.svg(f"<title>{escaped(self.title)}</title>{style}", FILE_MARGIN)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{alone}\n'

    def content(self) -> Iterator[str]:
        placement, radius = self.placement, RADIUS
        columns = placement.columns
        yield from map(self._fold, self.graph.folds)
        yield from map(self._arc, placement.arcs)
        for source, target in placement.neighbours:
            yield from self._links(source, target)
        for k, placed in columns.items():
            yield from self._column(k, placed)
            for place, line in enumerate(self.captions[k]):
                height, style = placed.caption + place * LINE_HEIGHT, "detail" if place else "caption"
                yield label(line, placed.x, height, style, "middle", CAPTION_ROOM)
        yield from _beside(self.names[0], columns[INPUT], -radius - EDGE, "end")
        yield from _beside(self.names[1], columns[len(self.graph.columns) - 1], radius + EDGE, "start")
        yield from self._left_out()

    def _links(self, source: int, target: int) -> Iterator[str]:
        """Yield the lines between two columns side by side."""
        column, start, end = self.graph.columns[target], self.placement.columns[source], self.placement.columns[target]
        node = column.nodes[0]
        weight = self.parameters.get(f"{node.key}.weight")
        # Only of a layer that has a single matrix, and whose activation keeps its size.
        if weight is not None and weight.shape == (node.size, sum(node.input_sizes)):
            yield from self._weighted(np.asarray(weight, np.float64), start, end)
            return
        positions = [k for k, other in enumerate(column.sources) if other == source]
        pairs = _pairs(node, positions, start, end)
        curves = "".join(self._curve(start, end, before, after) for before, after in pairs)
        if curves:
            yield f'<path class="link plain" d="{curves}"/>'

    def _weighted(self, weight: NDArray[np.float64], start: Placed, end: Placed) -> Iterator[str]:
        """Yield the largest weights between units that are drawn, the largest of all on top."""
        outputs, inputs = list(end.units), list(start.units)
        shown = weight[np.ix_(outputs, inputs)]
        size = np.where(np.isfinite(shown), np.abs(shown), -1.0)
        largest = size.max(initial=0.0) or 1.0
        most = MOST_LINES // max(len(self.placement.neighbours), 1)
        order = np.argsort(size, axis=None, kind="stable")[-most:]
        for is_negative, style in ((True, "negative"), (False, "positive")):
            drawn = []
            for row, at in zip(*np.unravel_index(order, size.shape), strict=True):
                value, share = shown[row, at], size[row, at] / largest
                if share < 0 or (value < 0) != is_negative:
                    continue
                curve = self._curve(start, end, inputs[at], outputs[row])
                look = f'stroke-width="{0.4 + 3.6 * share:.3g}" opacity="{0.25 + 0.75 * share:.2g}"'
                drawn.append(f'<path d="{curve}" {look}>{hover_text(rounded(float(value)))}</path>')
            if drawn:
                yield f'<g class="link {style}">{"".join(drawn)}</g>'

    def _curve(self, start: Placed, end: Placed, before: int, after: int) -> str:
        above, below = start.units[before], end.units[after]
        left, right = start.x + RADIUS, end.x - RADIUS
        middle = number((right - left) / 2)
        width, height = number(right - left), number(below - above)
        return f"M{number(left)} {number(above)}c{middle} 0 {middle} {height} {width} {height}"

    def _arc(self, arc: Arc) -> str:
        """Return an arc over the columns between two, whose middle has the height of the peak."""
        start, end = self.placement.columns[arc.source], self.placement.columns[arc.target]
        above, below = start.top - 3, end.top - 3
        control = (arc.peak - (above + below) / 8) / 0.75
        reach = min((end.x - start.x) / 4, 60.0)
        first, last = f"{number(start.x)} {number(above)}", f"{number(end.x)} {number(below)}"
        bend = f"{number(start.x + reach)} {number(control)} {number(end.x - reach)} {number(control)}"
        return f'<path class="skip" d="M{first}C{bend} {last}"/>'

    def _column(self, k: int, placed: Placed) -> Iterator[str]:
        column = self.graph.columns[k]
        style = "inputs" if k == INPUT else "outputs" if k == len(self.graph.columns) - 1 else "hidden"
        for unit, y in placed.units.items():
            hover = hover_text(f"{column.key}, unit {unit + 1}" if k else f"input {unit + 1}")
            place = f'cx="{number(placed.x)}" cy="{number(y)}" r="{number(RADIUS)}"'
            yield f'<circle class="unit {style}" {place}>{hover}</circle>'
            if style == "hidden" and column.size <= MOST_UNITS:
                yield label(str(unit + 1), placed.x, y + 4, "inside", "middle")
        if placed.gap is not None:
            left_out = column.size - len(placed.units)
            yield label(f"⋮ {count(left_out)} more", placed.x, placed.gap + 4, "more", "middle")

    def _fold(self, fold: Fold) -> str:
        """Return a frame around columns that stand for several, with their number."""
        placement = self.placement
        columns = {k: placement.columns[k] for k in fold.columns if k in placement.columns}
        if not columns:
            return ""
        margin = FOLD_MARGIN - FOLD_INSET * fold.depth
        left, right = (edge(placed.x for placed in columns.values()) for edge in (min, max))
        arcs = [arc.peak for arc in placement.arcs if arc.source in columns and arc.target in columns]
        top = min([placed.top for placed in columns.values()] + arcs) - 2 * EDGE
        bottom = max(placed.bottom for placed in columns.values()) + FOLD_LABEL
        place = f'x="{number(left - margin)}" y="{number(top)}"'
        size = f'width="{number(right - left + 2 * margin)}" height="{number(bottom - top + EDGE)}" rx="10"'
        text = label(f"× {count(fold.times)}", (left + right) / 2, bottom - 2, "caption", "middle")
        return f'<rect class="fold" {place} {size}/>{text}'

    def _left_out(self) -> Iterator[str]:
        """Yield how many columns are left out, where they would stand."""
        for x, y, branches in self.placement.unseen:
            yield label(f"⋮ {counted(branches, 'more layer')}", x, y, "more", "middle")
        if self.placement.gap is not None:
            x, y = self.placement.gap
            missing = sum(column.times for column in self.graph.columns if column.place in self.graph.hidden)
            yield label("⋯", x, y, "caption", "middle")
            yield label(f"{count(missing)} more", x, y + LINE_HEIGHT, "more", "middle")


def diagram_of(network: Network, model: Model | None = None) -> NetworkDiagram:
    """Return the diagram of a network; of its model with weights, which are those of an ensemble's first member."""
    columns = network.spec.feature_names or ()
    if model is None:
        preparation = Preparation(unfitted(network.spec.network.preprocessing or (), columns))
        return NetworkDiagram(network.resolved, input_names=preparation.named(columns))
    weights = network.parameters(model.members[0][0])
    classes = () if model.labels is None else tuple(map(str, model.labels))
    names = {
        "input_names": model.preprocessing.named(columns),
        "output_names": classes[1:] if network.outputs == 1 else classes,
    }
    return NetworkDiagram(network.resolved, weights, **names)


def _pairs(node: Node, positions: Sequence[int], start: Placed, end: Placed) -> Iterable[tuple[int, int]]:
    """Return the units that are connected, of those that are drawn, by what is known of a layer."""
    sizes, pairs = node.input_sizes, [(before, after) for after in end.units for before in start.units]
    origins = node.layer.origins(sizes) if len(sizes) == 1 else None
    if origins is not None:
        pairs = [(origins[after], after) for after in end.units]
    elif all(size == node.size for size in sizes) and not has_matrix(node):
        pairs = [(unit, unit) for unit in start.units]
    elif len(sizes) > 1 and sum(sizes) == node.size:
        pairs = [(unit, unit + sum(sizes[:position])) for position in positions for unit in start.units]
    return [(before, after) for before, after in pairs if before in start.units and after in end.units]


def _beside(names: Sequence[str], placed: Placed, right: float, anchor: str) -> Iterator[str]:
    for unit, y in placed.units.items() if names else ():
        yield label(names[unit], placed.x + right, y + 4, "", anchor, MOST_FOR_NAMES)
