"""What the bytes of a CSV file tell before it is read: what DuckDB would pass over, found at the speed of a search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from specnet.files import open_file

PIECE = 2**18
"""Bytes that are searched at a time: few enough for a processor's cache."""

ODD = (b"_", b"\v", b"\f")
"""DuckDB takes these for parts of numbers, and +-1 for one too."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What stands below a file's header.

    Attributes
    ----------
    commas : int
        How many there are.
    quotes : bool
        Some cells are quoted, and may hold commas and line breaks.
    odd : bool
        Some cells hold what DuckDB might take for a part of a number.
    empty_ends : bool
        Some cells are quoted, and some rows may end in an empty cell.
    """

    commas: int
    quotes: bool
    odd: bool
    empty_ends: bool


def begins_odd(path: str, start: int) -> bool:
    """Return whether `read_signs` will find something odd, as far as the first piece tells."""
    _, piece = next(_pieces(path, start), (b"", b""))
    return b'"' in piece or _is_odd(piece)


def read_signs(path: str, start: int) -> Signs:
    """Return what stands in a file from a byte on.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    commas, quotes, odd = 0, False, False
    for last, piece in _pieces(path, start):
        commas += int(np.count_nonzero(np.frombuffer(piece, np.uint8) == ord(",")))
        odd = odd or _is_odd(last + piece)
        quotes = quotes or b'"' in piece
    return Signs(commas, quotes, odd or quotes, quotes and _has_empty_ends(path, start))


def _is_odd(text: bytes) -> bool:
    return any(sign in text for sign in ODD) or (b"+" in text and b"+-" in text)


def _has_empty_ends(path: str, start: int) -> bool:
    joined = b""
    for last, piece in _pieces(path, start):
        joined = last + piece
        codes = np.frombuffer(joined, np.uint8)
        ends = (codes[1:] == ord("\n")) | (codes[1:] == ord("\r"))
        if (ends & (codes[:-1] == ord(","))).any() or b',""' in joined:
            return True
    return joined.endswith(b",")


def _pieces(path: str, start: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield a file from a byte on in pieces, with the two bytes before each."""
    with open_file(path) as (stream, _):
        stream.seek(start)
        last = b""
        while piece := stream.read(PIECE):
            yield last, piece
            last = (last + piece[-2:])[-2:]
