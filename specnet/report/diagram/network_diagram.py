"""A network as a picture: a column for each layer, a circle for each unit, a line for each weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from specnet.number_texts import count, counted, rounded
from specnet.report.diagram.diagram_columns import INPUT, Columns, Fold, columns_of
from specnet.report.diagram.placing import (
    EDGE,
    FOLD_LABEL,
    LARGE,
    LINE_HEIGHT,
    MOST_FOR_NAMES,
    MOST_UNITS,
    SMALL,
    Circles,
    Placed,
    Placement,
    place_columns,
)
from specnet.report.overview import Overview
from specnet.report.svg.markup import escaped, hover_text, label, number, picture
from specnet.report.svg.style import NETWORK_STYLE, style_alone

if TYPE_CHECKING:
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


def diagram(
    resolved: Resolved,
    parameters: Parameters | None = None,
    *,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    live: str = "",
) -> Markup:
    """Return the picture of a network.

    Parameters
    ----------
    resolved : Resolved
    parameters : mapping, optional
        Arrays by name, as of `Network.parameters`: a line is as wide as its weight is large. Without them lines are
        thin and grey.
    input_names, output_names : sequence of str
        What stands beside the circles of inputs and outputs, if there is one for each.
    live : str
        For a page whose script shows activations: the circles are large, and unit 3 of the first hidden layer has the
        identity ``{live}-unit-1-2``, the text in it ``{live}-value-1-2``.
    """
    width, height, content = _drawn(resolved, parameters, input_names, output_names, live)
    return picture("specnet-network", width, height, _description(resolved, parameters), content)


def diagram_file(
    resolved: Resolved,
    parameters: Parameters | None = None,
    *,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
) -> str:
    """Return the picture of a network as an SVG file with its own colours, light and dark.

    Parameters are those of `diagram`.
    """
    width, height, content = _drawn(resolved, parameters, input_names, output_names, "")
    description = _description(resolved, parameters)
    head = [f"<title>{escaped(resolved.spec.name or description)}</title>"]
    head.append(f"<style>\n{style_alone(NETWORK_STYLE, 'specnet-network')}</style>")
    alone = picture("specnet-network", width, height, description, [*head, *content], margin=FILE_MARGIN)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{alone}\n'


def _description(resolved: Resolved, parameters: Parameters | None) -> str:
    overview = Overview(resolved)
    text = f"Network {overview.summary()}, {counted(overview.parameter_count, 'parameter')}"
    if parameters:
        text += "; lines are as wide as weights are large, blue if positive, orange and dashed if negative"
    return text


def _drawn(
    resolved: Resolved,
    parameters: Parameters | None,
    input_names: Sequence[str],
    output_names: Sequence[str],
    live: str,
) -> tuple[float, float, list[str]]:
    """Return width and height of a diagram, and what it shows."""
    graph = columns_of(resolved)
    captions = [column.captions() for column in graph.columns]
    names = (
        input_names if len(input_names) == resolved.inputs else (),
        output_names if len(output_names) == resolved.outputs else (),
    )
    circles = LARGE if live else SMALL
    placement = place_columns(graph, circles, captions, names)
    content = [_fold(fold, placement, captions) for fold in graph.folds]
    content += [_arc(arc.source, arc.target, arc.peak, placement) for arc in placement.arcs]
    most_lines = MOST_LINES // max(len(placement.neighbours), 1)
    for source, target in placement.neighbours:
        content += _links(graph, source, target, placement, circles, parameters, most_lines)
    for k, placed in placement.columns.items():
        content += _column(k, graph, placed, circles, live)
        content += _caption(captions[k], placed)
    content += _beside(names[0], placement.columns[INPUT], -circles.radius - EDGE, "end")
    content += _beside(names[1], placement.columns[len(graph.columns) - 1], circles.radius + EDGE, "start")
    content += _left_out(graph, placement)
    return placement.width, placement.height, content


def _links(
    graph: Columns,
    source: int,
    target: int,
    placement: Placement,
    circles: Circles,
    parameters: Parameters | None,
    most_lines: int,
) -> Iterator[str]:
    """Yield the lines between two columns side by side."""
    column, start, end = graph.columns[target], placement.columns[source], placement.columns[target]
    node = column.nodes[0]
    weight = _weight(node, parameters)
    if weight is not None:
        yield from _weighted(weight, start, end, circles, most_lines)
        return
    curves = "".join(
        _curve(start, end, circles, start.units[before], end.units[after])
        for before, after in _pairs(node, [k for k, other in enumerate(column.sources) if other == source], start, end)
    )
    if curves:
        yield f'<path class="link plain" d="{curves}"/>'


def _weight(node: Node, parameters: Parameters | None) -> NDArray[np.float64] | None:
    """Return the weight (outputs, inputs) of a layer that has one and whose activation keeps its size."""
    given = (parameters or {}).get(f"{node.key}.weight")
    if given is None or given.shape != (node.size, sum(node.input_sizes)):
        return None
    return np.asarray(given, np.float64)


def _weighted(
    weight: NDArray[np.float64], start: Placed, end: Placed, circles: Circles, most_lines: int
) -> Iterator[str]:
    """Yield the largest weights between units that are drawn, the largest of all on top."""
    outputs, inputs = list(end.units), list(start.units)
    shown = weight[np.ix_(outputs, inputs)]
    size = np.where(np.isfinite(shown), np.abs(shown), -1.0)
    largest = size.max(initial=0.0)
    order = np.argsort(size, axis=None, kind="stable")[-most_lines:]
    for sign, style in ((-1, "negative"), (1, "positive")):
        drawn = []
        for place in order:
            row, at = divmod(int(place), len(inputs))
            value, share = shown[row, at], size[row, at] / (largest or 1.0)
            if size[row, at] < 0 or (value < 0) != (sign < 0):
                continue
            curve = _curve(start, end, circles, start.units[inputs[at]], end.units[outputs[row]])
            look = f'stroke-width="{0.4 + 3.6 * share:.3g}" opacity="{0.25 + 0.75 * share:.2g}"'
            drawn.append(f'<path d="{curve}" {look}>{hover_text(rounded(float(value)))}</path>')
        if drawn:
            yield f'<g class="link {style}">{"".join(drawn)}</g>'


def _pairs(node: Node, positions: Sequence[int], start: Placed, end: Placed) -> Iterator[tuple[int, int]]:
    """Yield the units that are connected, of those that are drawn, by what is known of a layer."""
    origins = node.layer.origins(node.input_sizes) if len(node.inputs) == 1 else None
    if origins is not None:
        yield from ((origins[after], after) for after in end.units if origins[after] in start.units)
        return
    offsets = _offsets(node, positions)
    if offsets:
        yield from ((unit, unit + offset) for offset in offsets for unit in start.units if unit + offset in end.units)
        return
    yield from ((before, after) for after in end.units for before in start.units)


def _offsets(node: Node, positions: Sequence[int]) -> list[int]:
    """Return where the units of inputs lie in the outputs, for layers that keep units apart; else nothing."""
    if all(size == node.size for size in node.input_sizes) and not _has_matrix(node):
        return [0]
    if len(node.inputs) > 1 and sum(node.input_sizes) == node.size:
        return [sum(node.input_sizes[:position]) for position in positions]
    return []


def _has_matrix(node: Node) -> bool:
    return any(len(shape) > 1 for shape in node.layer.tensor_shapes(node.input_sizes).values())


def _curve(start: Placed, end: Placed, circles: Circles, above: float, below: float) -> str:
    left, right = start.x + circles.radius, end.x - circles.radius
    middle = number((right - left) / 2)
    width, height = number(right - left), number(below - above)
    return f"M{number(left)} {number(above)}c{middle} 0 {middle} {height} {width} {height}"


def _arc(source: int, target: int, peak: float, placement: Placement) -> str:
    """Return an arc over the columns between two, whose middle has the height of the peak."""
    start, end = placement.columns[source], placement.columns[target]
    above, below = start.top - 3, end.top - 3
    control = (peak - (above + below) / 8) / 0.75
    reach = min((end.x - start.x) / 4, 60.0)
    first, last = f"{number(start.x)} {number(above)}", f"{number(end.x)} {number(below)}"
    bend = f"{number(start.x + reach)} {number(control)} {number(end.x - reach)} {number(control)}"
    return f'<path class="skip" d="M{first}C{bend} {last}"/>'


def _column(k: int, graph: Columns, placed: Placed, circles: Circles, live: str) -> Iterator[str]:
    column = graph.columns[k]
    style = "inputs" if k == INPUT else "outputs" if k == len(graph.columns) - 1 else "hidden"
    for unit, y in placed.units.items():
        identity = f' id="{escaped(live)}-unit-{k}-{unit}"' if live else ""
        hover = hover_text(f"{column.key}, unit {unit + 1}" if k else f"input {unit + 1}")
        place = f'cx="{number(placed.x)}" cy="{number(y)}" r="{number(circles.radius)}"'
        yield f'<circle class="unit {style}"{identity} {place}>{hover}</circle>'
        if live:
            value = f'id="{escaped(live)}-value-{k}-{unit}" x="{number(placed.x)}" y="{number(y + 4)}"'
            yield f'<text class="inside" {value} text-anchor="middle"></text>'
        if style == "hidden" and column.size <= MOST_UNITS:
            inside = label(str(unit + 1), placed.x, y + 4, "inside", "middle")
            yield label(str(unit + 1), placed.x, y - circles.radius - 4, "detail", "middle") if live else inside
    if placed.gap is not None:
        left_out = column.size - len(placed.units)
        yield label(f"⋮ {count(left_out)} more", placed.x, placed.gap + 4, "more", "middle")


def _caption(lines: Sequence[str], placed: Placed) -> Iterator[str]:
    for k, line in enumerate(lines):
        style = "detail" if k else "caption"
        yield label(line, placed.x, placed.caption + k * LINE_HEIGHT, style, "middle", CAPTION_ROOM)


def _beside(names: Sequence[str], placed: Placed, right: float, anchor: str) -> Iterator[str]:
    for unit, y in placed.units.items() if names else ():
        yield label(names[unit], placed.x + right, y + 4, "", anchor, MOST_FOR_NAMES)


def _fold(fold: Fold, placement: Placement, captions: Sequence[Sequence[str]]) -> str:
    """Return a frame around columns that stand for several, with their number."""
    columns = {k: placement.columns[k] for k in fold.columns if k in placement.columns}
    if not columns:
        return ""
    margin = FOLD_MARGIN - FOLD_INSET * fold.depth
    left, right = (edge(placed.x for placed in columns.values()) for edge in (min, max))
    arcs = [arc.peak for arc in placement.arcs if arc.source in columns and arc.target in columns]
    top = min([placed.top for placed in columns.values()] + arcs) - 2 * EDGE
    ends = [placed.caption + LINE_HEIGHT * (len(captions[k]) - 1) for k, placed in columns.items()]
    bottom = max(ends) + FOLD_LABEL
    place = f'x="{number(left - margin)}" y="{number(top)}"'
    size = f'width="{number(right - left + 2 * margin)}" height="{number(bottom - top + EDGE)}" rx="10"'
    text = label(f"× {count(fold.times)}", (left + right) / 2, bottom - 2, "caption", "middle")
    return f'<rect class="fold" {place} {size}/>{text}'


def _left_out(graph: Columns, placement: Placement) -> Iterator[str]:
    """Yield how many columns are left out, where they would stand."""
    for x, y, branches in placement.unseen:
        yield label(f"⋮ {counted(branches, 'more layer')}", x, y, "more", "middle")
    if placement.gap is not None:
        x, y = placement.gap
        missing = sum(column.times for column in graph.columns if column.place in graph.hidden)
        yield label("⋯", x, y, "caption", "middle")
        yield label(f"{count(missing)} more", x, y + LINE_HEIGHT, "more", "middle")
