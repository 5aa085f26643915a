"""The bytes of a large CSV file: a search for faults that DuckDB ignores, and cutting the file into parts.

The search runs while DuckDB reads the same file. DuckDB reads one part at a time, because arrays of the whole file
might not fit into memory.
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
"""Number of bytes that are searched at a time: few enough for a processor's cache."""
_BLANK_LINES = tuple(2**12 // len(end) * end for end in (b"\n", b"\r\n", b"\r"))
"""Runs of blank lines to search for, far shorter than the two million bytes that DuckDB accepts in a line.

A run of twice this length is found even if it crosses the end of a piece.
"""
PART_BYTES = 2**27
LONGEST_LINE = 2**24
"""Maximum number of bytes up to the next line end at which a file can be cut."""
_COPIED_AT_ONCE = 2**20


class Scan(NamedTuple):
    """The result of searching the bytes below the header of a file.

    Attributes
    ----------
    delimiters : int or None
        Number of delimiters; None if quoted cells may contain some.
    is_doubtful : bool
        Whether the file may have a fault that DuckDB ignores: a null character, a different line end, or an extra
        empty cell at the end of a row.
    has_odd_numbers : bool
        Whether some cells may be numbers for DuckDB, but not for specnet: ``1_000``, ``+-1`` and ``007``.
    """

    delimiters: int | None
    is_doubtful: bool
    has_odd_numbers: bool


def scanned(path: str, start: int, delimiter: str, quote: str, line_end: str) -> Scan:
    """Return the scan of a file from the byte `start` on, for a header with the line end `line_end`.

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
    """Return whether a file has thousands of consecutive blank lines.

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
    # Find a zero that a digit follows and that neither a digit nor a point precedes: 007, but not 1.007.
    digits = (codes[1:] >= ord("0")) & (codes[1:] <= ord("9"))
    zeros = np.flatnonzero((codes[1:-1] == ord("0")) & digits[1:])
    zeros = zeros[zeros > 0]  # a zero at index 0 was checked with the previous piece
    before = codes[zeros]
    zeros = zeros[((before < ord("0")) | (before > ord("9"))) & (before != ord("."))]
    before, earlier = codes[zeros], codes[zeros - 1]
    signed = (before == ord("-")) | (before == ord("+"))
    exponents = np.where(signed, earlier, before) | 0x20 == ord("e")  # 1e-05 is a plain number
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
    """Yield the pieces of a file from the byte `start` on, each after the three bytes that precede it."""
    with open_file(path) as (stream, _):
        stream.seek(start)
        last = b"\n\n\n"
        while piece := stream.read(PIECE):
            yield last, piece
            last = (last + piece[-3:])[-3:]


def parts_of(path: str, start: int, quote: str, folder: str) -> Iterator[str]:
    """Yield the paths of temporary files with consecutive lines of a file; each one is overwritten by the next.

    A file with quoted cells cannot be cut at line ends, because such a cell may contain line ends.

    Parameters
    ----------
    path : str
    start : int
        The first byte of a line.
    quote : str
        One character.
    folder : str
        Folder for the parts.

    Raises
    ------
    DuckError
        At the first quote, or if a line is too long.
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
