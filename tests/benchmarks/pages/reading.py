"""Pages as a reader takes figures from them: texts, tables, hover texts, and positions against labels of axes."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder

import numpy as np
from numpy.typing import NDArray

from tests.running.reports.page import VOID, number

Points = NDArray[np.float64]
POWER = re.compile(r"10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
HALF_TEXT = 0.35 * 12
"""Distance between the middle of a label and its baseline, in units."""
CLOSE = 0.4
"""Distance of a label from its position on a scale, in units: both are rounded."""
HALF_UNIT = 0.0501
"""Coordinates are rounded to a tenth of a unit."""


def matched(pattern: str, text: str) -> str:
    """Return the part of a text that is in parentheses in a pattern, which must match."""
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} is not in {text}"
    return str(found[1])


class _Tree(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._builder = TreeBuilder()
        self.feed(text)
        self.root = self._builder.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in VOID:
            self._builder.end(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._builder.start(tag, {name: value or "" for name, value in attrs})
        self._builder.end(tag)

    def handle_endtag(self, tag: str) -> None:
        self._builder.end(tag)

    def handle_data(self, data: str) -> None:
        self._builder.data(data)


def plain(element: Element) -> str:
    """Return the text of an element, with blanks that break in one line."""
    return re.sub(r"[ \xa0\n]+", " ", "".join(element.itertext())).replace("\u2068", "").replace("\u2069", "").strip()


def classes(element: Element) -> list[str]:
    return element.get("class", "").split()


class Scale:
    """The values of positions along an axis, from its labels.

    Attributes
    ----------
    unit : float
        Half of the last digit of positions, in values; of a logarithmic axis, in logarithms.
    """

    def __init__(self, labels: list[tuple[float, str]]) -> None:
        known = [(position, value) for position, text in labels if (value := _tick(text)) is not None]
        # Labels at the ends may have been moved to stay in the picture.
        for moved, log in itertools.product(range(3), (False, True)):
            (self._slope, self._start), off = _fitted(known, moved, log=log)
            self.is_log = log
            if off < CLOSE:
                break
        else:
            raise ValueError(f"no scale has these labels: {labels}")
        self.unit = HALF_UNIT * abs(self._slope) * 2  # the position of the labels is rounded, too

    def values(self, positions: Any) -> Points:
        found = self._start + self._slope * np.asarray(positions, np.float64)
        return np.exp(found) if self.is_log else found

    def off(self, positions: Any, values: Any) -> Points:
        """Return how far positions are from those of values, in multiples of the rounding of a position."""
        shown = self._start + self._slope * np.asarray(positions, np.float64)
        true = np.log(values) if self.is_log else np.asarray(values, np.float64)
        return np.abs(shown - true) / self.unit


def _tick(text: str) -> float | None:
    power = POWER.fullmatch(text)
    try:
        return number(f"1·10{power[1]}" if power else text)[0]
    except ValueError:
        return None


def _fitted(known: list[tuple[float, float]], moved: int, *, log: bool) -> tuple[tuple[float, float], float]:
    """Return slope and start of values by position, and the largest distance in units of all but some moved labels."""
    if len(known) < 2 + moved or (log and min(value for _, value in known) <= 0):
        return (0.0, 0.0), np.inf
    at, values = np.array(known).T
    values = np.log(values) if log else values
    best: tuple[tuple[float, float], float] = (0.0, 0.0), np.inf
    for first, second in itertools.combinations(range(len(known)), 2):
        if at[first] != at[second] and values[first] != values[second]:
            slope = (values[second] - values[first]) / (at[second] - at[first])
            start = values[first] - slope * at[first]
            off = np.sort(np.abs((values - start) / slope - at))
            if (far := float(off[: len(off) - moved].max())) < best[1]:
                best = (float(slope), float(start)), far
    return best


class Plot:
    """A chart with two axes."""

    def __init__(self, svg: Element) -> None:
        self.svg, self.description = svg, svg.get("aria-label", "")
        grids, previous = [], None
        ends: list[tuple[float, str]] = []
        middles: list[tuple[float, str]] = []
        for each in svg:
            if each.tag == "path" and classes(each) == ["grid"]:
                previous = float(re.findall(r"[-\d.]+", each.get("d", ""))[1])
            elif each.tag == "text" and not each.get("class"):
                text = plain(each) if each.find("title") is None else each.find("title").text or ""
                if each.get("text-anchor") == "end":
                    grids.append(previous)
                    at = float(each.get("y", "")) - HALF_TEXT if previous is None else previous
                    ends.append((at, text))
                elif each.get("text-anchor") == "middle":
                    middles.append((float(each.get("x", "")), text))
                previous = None
        self.names = [text for (_, text), grid in zip(ends, grids, strict=True) if grid is None]
        self.labels_x, self.labels_y = middles, ends

    @property
    def x(self) -> Scale:
        return Scale(self.labels_x)

    @property
    def y(self) -> Scale:
        return Scale(self.labels_y)

    @property
    def hovers(self) -> list[str]:
        return [plain(title) for each in self.svg.iter() if (title := each.find("title")) is not None]

    def marks(self, style: str) -> Iterator[tuple[float, float, str]]:
        """Yield x and y of the middles of circles or marks of a style, with their hover texts."""
        for each in self.svg.iter():
            if style in classes(each):
                title = each.find("title")
                text = "" if title is None else plain(title)
                if each.tag == "circle":
                    yield float(each.get("cx", "")), float(each.get("cy", "")), text
                elif each.tag == "path":
                    for x, y in re.findall(r"M([-\d.]+) ([-\d.]+)[mh]", each.get("d", "")):
                        yield float(x), float(y), text

    def lines(self, style: str) -> Iterator[tuple[Points, str]]:
        """Yield points (points, 2) of lines of a style, with their hover texts."""
        for each in self.svg.iter():
            if each.tag == "path" and {"line", style} <= set(classes(each)):
                title = each.find("title")
                numbers = re.findall(r"[ML]([-\d.]+) ([-\d.]+)", each.get("d", ""))
                yield np.array(numbers, np.float64), "" if title is None else plain(title)


def _rows(table: Element) -> list[dict[str, str]]:
    header = [plain(cell) for cell in next(next(table.iter("thead")).iter("tr"))]
    return [dict(zip(header, map(plain, row), strict=True)) for row in next(table.iter("tbody"))]


class Reading:
    """A page.

    Attributes
    ----------
    text : str
        All that can be read, in one line.
    cards : dict
        Cards by their titles: the text above the chart, and the chart.
    """

    def __init__(self, file: Path) -> None:
        self.source = file.read_text("utf-8")
        self.root = _Tree(self.source).root
        for each in self.root.iter():
            for child in list(each):
                if child.tag in ("script", "style"):
                    child.text = ""
        self.text = plain(self.root)
        self.verdict = plain(next(self.root.iter("h1")))
        self.cards: dict[str, tuple[str, Plot]] = {}
        for each in self.root.iter("figure"):
            caption, svg = each.find("figcaption"), each.find("svg")
            if "card" in classes(each) and caption is not None and svg is not None:
                title = plain(next(caption.iter("b"))).removesuffix(".")
                self.cards[title] = plain(caption), Plot(svg)

    def table(self, label: str) -> list[dict[str, str]]:
        """Return the rows of a table, by the titles of its columns; the first one is called "" if it has none."""
        return _rows(next(each for each in self.root.iter("div") if each.get("aria-label") == label))

    def runs(self) -> list[dict[str, str]]:
        """Return the rows of all tables of runs."""
        tables = map(_rows, self.root.iter("table"))
        return [row for rows in tables for row in rows if next(iter(row)) == "run"]

    def data(self, name: str) -> Any:
        """Return the content of an attribute with data, of the first element that has it."""
        return json.loads(next(each.get(name, "") for each in self.root.iter() if each.get(name)))
