"""Small pictures whose transparency is the value, as PNG: they show the paper beneath and so follow the theme."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

MOST_LEVELS, MOST_COLOURS = 40, 256
"""Steps from clear to opaque, fewer if a palette has no room for so many of each hue."""
COMPRESSION = 6
"""The highest level takes ten times as long and saves 3 %."""
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
"""Colours of classes in surfaces, between those on light and on dark paper."""
ACTIVATION_HUES = ((214, 160, 20), (120, 110, 160))
"""Colours of a unit's positive and negative activation."""

RGB = tuple[int, int, int]


def png(strength: ArrayLike, hue: ArrayLike, hues: Sequence[RGB]) -> bytes:
    """Return an indexed PNG.

    Parameters
    ----------
    strength : (rows, columns)
        Opacity of each pixel, 0 to 1, top row first; NaN is clear.
    hue : (rows, columns) or int
        Place of its colour in `hues`.
    hues : sequence of (red, green, blue)
        At most ten colours, each 0 to 255.
    """
    levels = min(MOST_LEVELS, MOST_COLOURS // len(hues))
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
    """Return a PNG as the address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"
