"""Small pictures whose transparency is the value, as PNG: they show the paper beneath and so follow the theme."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

LEVELS = 25
"""Steps from clear to opaque; with ten hues they fit a palette of 256."""
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
    opacity = np.clip(np.nan_to_num(np.asarray(strength, np.float64), nan=0.0), 0.0, 1.0)
    level = np.rint(opacity * (LEVELS - 1)).astype(np.intp)
    index = (level + LEVELS * np.asarray(hue, np.intp)).astype(np.uint8)
    palette = b"".join(bytes(colour) * LEVELS for colour in hues)
    transparency = bytes(round(255 * k / (LEVELS - 1)) for k in range(LEVELS)) * len(hues)
    # Each row begins with the number of its filter, 0 for none.
    rows = np.pad(index, ((0, 0), (1, 0))).tobytes()
    height, width = index.shape
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"tRNS", transparency),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def data_uri(image: bytes) -> str:
    """Return a PNG as the address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"
