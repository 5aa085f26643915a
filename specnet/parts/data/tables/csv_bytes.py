"""The bytes of a large CSV file: what DuckDB passes over in them, and parts of the file.

They are searched while DuckDB reads the same file, and DuckDB makes arrays of one part where it would have no memory
for those of the whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.files import open_file
from specnet.files.large import space_needed
from specnet.parts.data.tables.duck import DuckError

PIECE = 2**18
"""Bytes that are searched at a time: few enough for a processor's cache."""
_BLANK_LINES = tuple(2**12 // len(end) * end for end in (b"\n", b"\r\n", b"\r"))
"""Less than the two million bytes of them that DuckDB takes, and twice as many are found wherever pieces end."""
PART_BYTES = 2**27
LONGEST_LINE = 2**24
"""Bytes within which a line has to end."""
_COPIED_AT_ONCE = 2**20


class Scan(NamedTuple):
    """What the bytes below a file's header show.

    Attributes
    ----------
    delimiters : int or None
        How many there are; None where cells in quotes may contain some.
    is_doubtful : bool
        DuckDB passes over a fault: a null character, another line end, or perhaps an empty cell too many.
    has_odd_numbers : bool
        Some cells may be no numbers though DuckDB takes them for such: ``1_000``, ``+-1`` and ``007``.
    """

    delimiters: int | None
    is_doubtful: bool
    has_odd_numbers: bool


def scanned(path: str, start: int, delimiter: str, quote: str, line_end: str) -> Scan:
    """Return what a file shows from a byte on, below a header with a line end.

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
    alike = {"\r\n": returns == both == breaks, "\n": not returns, "\r": not breaks}
    other_end = bool(breaks or returns) and next((end for end, holds in alike.items() if holds), "") != line_end
    is_doubtful = null or other_end or (quotes and _has_empty_ends(path, start, separator, mark))
    return Scan(None if quotes else delimiters, is_doubtful, odd)


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
    zeros = np.flatnonzero((codes[1:-1] == ord("0")) & digits[1:])
    zeros = zeros[zeros > 0]  # those at the very beginning were in the piece before
    before = codes[zeros]
    zeros = zeros[((before < ord("0")) | (before > ord("9"))) & (before != ord("."))]
    before, earlier = codes[zeros], codes[zeros - 1]
    signed = (before == ord("-")) | (before == ord("+"))
    exponents = np.where(signed, earlier, before) | 0x20 == ord("e")  # 1e-05 is as it should be too
    return not bool(exponents.all())


def _has_empty_ends(path: str, start: int, separator: bytes, mark: bytes) -> bool:
    """Return whether a row may end in an empty cell."""
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


def parts_of(path: str, start: int, quote: str, folder: str) -> Iterator[str]:
    """Yield files that hold the lines of a file from a byte on, in their order; each is gone when the next one comes.

    A cell in quotes may hold line ends: the file cannot be cut before it is understood.

    Parameters
    ----------
    path : str
    start : int
        The first byte of a line.
    quote : str
        One character.
    folder : str
        Where the parts are written.

    Raises
    ------
    DuckError
        At the first cell in quotes, or a line that does not end.
    FileError
        If the file cannot be read, or a part does not fit into the folder for temporary files.
    """
    part = os.path.join(folder, "part.csv")
    try:
        with open_file(path) as (stream, size):
            while start < size:
                stream.seek(start + PART_BYTES)
                last = stream.readline(LONGEST_LINE)
                end = stream.tell() if last else size
                if len(last) == LONGEST_LINE:
                    raise DuckError("a line that does not end")
                stream.seek(start)
                with space_needed(), open(part, "wb") as target:
                    while start < end:
                        piece = stream.read(min(_COPIED_AT_ONCE, end - start))
                        if not piece or quote.encode() in piece:
                            raise DuckError("a cell in quotes")
                        target.write(piece)
                        start += len(piece)
                yield part
    finally:
        if os.path.exists(part):
            os.unlink(part)
