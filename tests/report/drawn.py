"""What an SVG shows, read as any XML is."""

from __future__ import annotations

import re
from xml.etree import ElementTree

NAMESPACE = "{http://www.w3.org/2000/svg}"

CLUMSY = ["<b>bold</b>", "a & b", "\"quoted\" 'name'", "]]>", "<script>alert(1)</script>", "&lt;", "名前 é"]
"""Names that must stay text."""
Point = tuple[float, float]


class Drawn:
    """An SVG that is well-formed XML.

    Parameters
    ----------
    text : str
    """

    def __init__(self, text: str) -> None:
        self.root = ElementTree.fromstring(text)

    @property
    def size(self) -> Point:
        """Width and height of the view."""
        _, _, width, height = map(float, self.root.attrib["viewBox"].split())
        return width, height

    def all(self, tag: str, style: str = "") -> list[ElementTree.Element]:
        """Return the elements of a tag that have all these classes."""
        wanted = set(style.split())
        return [
            element
            for element in self.root.iter(f"{NAMESPACE}{tag}")
            if wanted <= set(element.get("class", "").split())
        ]

    def windows(self) -> list[ElementTree.Element]:
        """Return the pictures within it, which cut off what is beyond them."""
        return [element for element in self.all("svg") if element is not self.root]

    def texts(self, style: str = "") -> list[str]:
        """Return what is written, without what is shown on hover."""
        return [element.text or (element[0].tail if len(element) else "") or "" for element in self.all("text", style)]

    def hovers(self) -> list[str]:
        """Return what is shown on hover."""
        return [element.text or "" for element in self.root.iter(f"{NAMESPACE}title")]

    def lines(self, style: str) -> list[list[Point]]:
        """Return the points of straight lines, a list for each piece."""
        return [piece for path in self.all("path", style) for piece in pieces(path.attrib["d"])]

    def cuts(self) -> list[list[Point]]:
        """Return the points of the strong lines, of which no style makes another, a list for each piece."""
        strong = [path for path in self.all("path", "line") if path.attrib["class"] == "line"]
        return [piece for path in strong for piece in pieces(path.attrib["d"])]


def pieces(data: str) -> list[list[Point]]:
    """Return the points of a path of straight lines."""
    return [
        [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", piece)]
        for piece in data.split("M")
        if piece
    ]


def coordinates(data: str) -> list[float]:
    """Return all numbers of a path."""
    return [float(text) for text in re.findall(r"-?[\d.]+", data)]


def place_of(element: ElementTree.Element) -> list[float]:
    """Return where a rectangle begins, and its size."""
    return [float(element.attrib[name]) for name in ("x", "y", "width", "height")]
