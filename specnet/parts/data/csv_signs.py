"""A fast search in the bytes of a CSV file for what DuckDB would read differently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from specnet.files import open_file

PIECE = 2**18
"""Number of bytes searched at a time, which fit into the processor's cache."""

ODD = (b"_", b"\v", b"\f")
"""Bytes that DuckDB accepts in numbers, as it does +-1."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What the bytes below the header contain.

    Attributes
    ----------
    commas : int
        Number of commas.
    quotes : bool
        Some cells are quoted and may contain commas and line breaks.
    odd : bool
        Some cells contain text that DuckDB may accept in a number.
    empty_ends : bool
        Some cells are quoted, and some rows may end in an empty cell.
    """

    commas: int
    quotes: bool
    odd: bool
    empty_ends: bool


def begins_odd(path: str, start: int) -> bool:
    """Return whether the first piece of a file already shows that `read_signs` will find something odd."""
    _, piece = next(_pieces(path, start), (b"", b""))
    return b'"' in piece or _is_odd(piece)


def read_signs(path: str, start: int) -> Signs:
    """Return the signs in a file from a byte on.

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
    """Yield the pieces of a file from a byte on, each with the two bytes before it."""
    with open_file(path) as (stream, _):
        stream.seek(start)
        last = b""
        while piece := stream.read(PIECE):
            yield last, piece
            last = (last + piece[-2:])[-2:]
