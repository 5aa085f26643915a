"""Colours and the style sheet of charts, which pages, notebooks and files of a single picture share.

Charts only have CSS classes; the classes take their colours from CSS variables. `variables` declares these, and
`CHART_STYLE` contains the rules of `network.css`, `chart.css` and of each class. A file with a single picture has its
colours in the rules instead, since viewers other than browsers do not support variables.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

COLOURS = {
    "paper": ("#fcfbf8", "#14181a"),
    "card": ("#ffffff", "#1b2023"),
    "ink": ("#1d2427", "#e9ebe8"),
    "muted": ("#5a6468", "#a2acae"),
    "rule": ("#e3e0d8", "#30383b"),
    "class-0": ("#bd5f10", "#f0994a"),
    "class-0-text": ("#a8530b", "#f0994a"),
    "class-1": ("#1f6bb8", "#6fb0f2"),
    "class-2": ("#00795a", "#3cc49a"),
    "class-3": ("#a3408a", "#e08bc8"),
    "class-4": ("#6350c0", "#a99af0"),
    "class-5": ("#77680a", "#cdbb4a"),
    "class-6": ("#0b7285", "#58c4d8"),
    "class-7": ("#b3262e", "#ff8d86"),
    "class-8": ("#5c6062", "#b4babc"),
    "class-9": ("#4a7a1e", "#9ccb6a"),
    "inputs": ("#3d9a6c", "#4fb583"),
    "hidden": ("#e5b432", "#e8bd48"),
    "outputs": ("#cf4a4a", "#ec7a76"),
    "on-unit": ("#1b1700", "#1b1700"),
}
"""Colours by variable, on a light and on a dark background."""
LIGHT, DARK = ({name: pair[theme] for name, pair in COLOURS.items()} for theme in (0, 1))
PRINT = LIGHT | {"paper": "#ffffff", "ink": "#000000", "muted": "#444444", "rule": "#cccccc"}
"""Colours by variable in print."""
CLASS_COUNT = 10
"""Number of colours of classes; more classes repeat them."""
SERIES = (1, 0, 2, 3, 4, 5, 6, 7, 8, 9)
"""Index of the class whose colour each curve has, in order of the curves."""
FONTS = '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, Inter, system-ui, sans-serif'

_CLASSES = "".join(f".specnet-chart .class-{k} {{ fill: var(--class-{k}); }}\n" for k in range(CLASS_COUNT)) + "".join(
    f".specnet-chart .series-{k} {{ stroke: var(--class-{hue}); }}\n"
    f".specnet-chart .name-{k} {{ fill: var(--class-{hue}{'' if hue else '-text'}); font-weight: 600; }}\n"
    for k, hue in enumerate(SERIES)
)
NETWORK_STYLE, _CHART = (Path(__file__).with_name(f"{name}.css").read_text("utf-8") for name in ("network", "chart"))
CHART_STYLE = NETWORK_STYLE + _CHART + _CLASSES
"""CSS rules of all charts and diagrams; they need the variables."""


Kinds = TypeVar("Kinds", int, NDArray[np.intp])


def colour_of(kind: Kinds) -> Kinds:
    """Return the number of a class's colour, or of each class's: the same in all charts of a page."""
    return kind % CLASS_COUNT


def class_line(kind: int) -> str:
    """Return the style of a line in the colour of a class: dashed for the second ten classes, and so on."""
    return f"series-{SERIES.index(colour_of(kind))}" + " dashed" * (kind // CLASS_COUNT % 2)


def variables(colours: dict[str, str]) -> str:
    """Return the CSS declarations of the variables, without selector."""
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def theme(selector: str) -> str:
    """Return CSS rules that set the variables for a selector: light, dark if the reader prefers it, and print."""
    return (
        f"{selector} {{ {variables(LIGHT)} }}\n"
        f"@media (prefers-color-scheme: dark) {{ {selector} {{ {variables(DARK)} }} }}\n"
        f"@media print {{ {selector} {{ {variables(PRINT)} }} }}\n"
    )


def with_colours(rules: str, colours: dict[str, str]) -> str:
    """Return CSS rules with colours instead of the variables."""
    return re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], rules)


def style_alone(rules: str, scope: str) -> str:
    """Return CSS rules for a file with a single picture of class `scope`, with a background, light and dark."""
    paper = f".{scope} {{ background: var(--card); font-family: {FONTS}; }}\n"
    coloured = "".join(rule for rule in re.findall(r"[^{}]+{[^{}]*}", rules + paper) if "var(" in rule)
    return (
        f"{with_colours(rules + paper, LIGHT)}"
        f"@media (prefers-color-scheme: dark) {{\n{with_colours(coloured, DARK)}\n}}\n"
    )


MAX_LEVELS, MAX_COLOURS = 40, 256
"""Most levels from transparent to opaque of each hue, and most colours of a palette, which may reduce the levels."""
COMPRESSION = 6
"""Compression level of pictures; the highest level takes ten times as long and saves 3 %."""
HUES = (
    (222, 116, 28),
    (46, 124, 208),
    (0, 150, 110),
    (190, 80, 160),
    (120, 100, 210),
    (150, 130, 30),
    (30, 160, 190),
    (200, 70, 70),
    (120, 120, 120),
    (90, 140, 60),
)
"""Colours of classes in surfaces, for light and dark backgrounds."""
ACTIVATION_HUES = ((214, 160, 20), (120, 110, 160))
"""Colours of a unit's positive and negative activation."""

RGB = tuple[int, int, int]


def png(strength: ArrayLike, hue: ArrayLike, hues: Sequence[RGB]) -> bytes:
    """Return an indexed PNG.

    Parameters
    ----------
    strength : (rows, columns)
        Opacity of each pixel, 0 to 1, top row first; NaN is transparent.
    hue : (rows, columns) or int
        Index of each pixel's colour in `hues`.
    hues : sequence of (red, green, blue)
        At most ten colours, each 0 to 255.
    """
    levels = min(MAX_LEVELS, MAX_COLOURS // len(hues))
    opacity = np.clip(np.nan_to_num(np.asarray(strength, np.float64), nan=0.0), 0.0, 1.0)
    level = np.rint(opacity * (levels - 1)).astype(np.intp)
    index = (level + levels * np.asarray(hue, np.intp)).astype(np.uint8)
    palette = b"".join(bytes(colour) * levels for colour in hues)
    transparency = bytes(round(255 * k / (levels - 1)) for k in range(levels)) * len(hues)
    # Each row begins with the number of its filter, 0 for none.
    rows = np.pad(index, ((0, 0), (1, 0))).tobytes()
    height, width = index.shape
    head, data = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0), zlib.compress(rows, COMPRESSION)
    chunks = {b"IHDR": head, b"PLTE": palette, b"tRNS": transparency, b"IDAT": data, b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks.items()
    )


def data_uri(image: bytes) -> str:
    """Return a PNG as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"
