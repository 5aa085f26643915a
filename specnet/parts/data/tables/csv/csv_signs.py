"""What the bytes of a CSV file tell before it is read: what DuckDB would pass over, found at the speed of a search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.files import open_file

PIECE = 2**18
"""Bytes that are searched at a time: few enough for a processor's cache."""
_BLANK_LINES = tuple(2**12 // len(end) * end for end in (b"\n", b"\r\n", b"\r"))
"""Less than the two million bytes of them that DuckDB takes, and twice as many are found wherever pieces end."""


class Signs(NamedTuple):
    """What stands below a file's header.

    Attributes
    ----------
    delimiters : int
        How many there are.
    quotes : bool
        Some cells are quoted, and may hold delimiters and line breaks.
    odd : bool
        Some cells may be no numbers though DuckDB takes them for such: ``1_000``, ``+-1`` and ``007``.
    empty_ends : bool
        Some cells are quoted, and some rows may end in an empty cell.
    null : bool
        There is a null character.
    end : str or None
        The line end; None where there are several.
    """

    delimiters: int
    quotes: bool
    odd: bool
    empty_ends: bool
    null: bool
    end: str | None


def read_signs(path: str, start: int, delimiter: str, quote: str) -> Signs:
    """Return what stands in a file from a byte on.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    separator, mark = delimiter.encode(), quote.encode()
    delimiters, breaks, returns, both = 0, 0, 0, 0
    quotes, odd, null = False, False, False
    for last, piece in _pieces(path, start):
        delimiters += int(np.count_nonzero(np.frombuffer(piece, np.uint8) == separator[0]))
        breaks += piece.count(b"\n")
        if b"\r" in piece or last.endswith(b"\r"):
            returns += piece.count(b"\r")
            both += piece.count(b"\r\n") + (last.endswith(b"\r") and piece.startswith(b"\n"))
        odd = odd or _is_odd(last + piece)
        quotes = quotes or mark in piece
        null = null or b"\0" in piece
    empty_ends = quotes and _has_empty_ends(path, start, separator, mark)
    alike = {"\r\n": returns == both == breaks, "\n": not returns, "\r": not breaks}
    end = next((end for end, holds in alike.items() if holds), None) if breaks or returns else ""
    return Signs(delimiters, quotes, odd, empty_ends, null, end)


def has_many_blank_lines(path: str) -> bool:
    """Return whether there are thousands of blank lines one after the other, and nothing between them.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    return any(blank in piece for _, piece in _pieces(path, 0) for blank in _BLANK_LINES)


def _is_odd(text: bytes) -> bool:
    if b"_" in text or (b"+" in text and b"+-" in text):
        return True
    codes: NDArray[np.uint8] = np.frombuffer(text, np.uint8)
    # A zero, a digit behind it, and before it neither a digit nor a point: 1.007 is as it should be.
    digits = (codes[1:] >= ord("0")) & (codes[1:] <= ord("9"))
    places = np.flatnonzero((codes[1:-1] == ord("0")) & digits[1:])
    places = places[places > 0]  # those at the very beginning have been looked at with the piece before
    before = codes[places]
    places = places[((before < ord("0")) | (before > ord("9"))) & (before != ord("."))]
    before, earlier = codes[places], codes[places - 1]
    signed = (before == ord("-")) | (before == ord("+"))
    exponents = np.where(signed, earlier, before) | 0x20 == ord("e")  # 1e-05 is as it should be too
    return not bool(exponents.all())


def _has_empty_ends(path: str, start: int, separator: bytes, mark: bytes) -> bool:
    joined = b""
    for last, piece in _pieces(path, start):
        joined = last + piece
        codes = np.frombuffer(joined, np.uint8)
        ends = (codes[1:] == ord("\n")) | (codes[1:] == ord("\r"))
        if (ends & (codes[:-1] == separator[0])).any() or separator + mark + mark in joined:
            return True
    return joined.endswith(separator)


def _pieces(path: str, start: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield a file from a byte on in pieces, with the three bytes before each."""
    with open_file(path) as (stream, _):
        stream.seek(start)
        last = b"\n\n\n"
        while piece := stream.read(PIECE):
            yield last, piece
            last = (last + piece[-3:])[-3:]
