"""What an SVG shows, read as any XML is."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

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


def numbers(element: ElementTree.Element, *names: str) -> list[float]:
    """Return attributes of an element that are numbers."""
    return [float(element.attrib[name]) for name in names]


def place_of(element: ElementTree.Element) -> list[float]:
    """Return where a rectangle begins, and its size."""
    return numbers(element, "x", "y", "width", "height")


def decoded(image: bytes) -> NDArray[np.uint8]:
    """Return red, green, blue and opacity (rows, columns, 4) of an indexed PNG, after the PNG specification."""
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    place = 8
    while place < len(image):
        (length,) = struct.unpack(">I", image[place : place + 4])
        kind, content = image[place + 4 : place + 8], image[place + 8 : place + 8 + length]
        assert struct.unpack(">I", image[place + 8 + length : place + 12 + length]) == (zlib.crc32(kind + content),)
        chunks[kind] = chunks.get(kind, b"") + content
        place += 12 + length
    assert list(chunks) == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour, rest) == (8, 3, [0, 0, 0])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    opacity = np.frombuffer(chunks[b"tRNS"], np.uint8)[:, None]
    return np.concatenate([palette, opacity], axis=1)[rows[:, 1:]]


def image_of(element: ElementTree.Element) -> NDArray[np.uint8]:
    """Return the pixels of an image of a picture, as `decoded` does."""
    return decoded(base64.b64decode(element.attrib["href"].removeprefix("data:image/png;base64,")))
