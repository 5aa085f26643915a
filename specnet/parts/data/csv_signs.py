"""What the bytes of a CSV file tell before it is read: what DuckDB would pass over, found at the speed of a search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specnet.files import open_file
from specnet.parts.data.progress import Progress

PIECE = 2**22
"""Bytes that are searched at a time."""

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
        Some rows end in an empty cell.
    """

    commas: int
    quotes: bool
    odd: bool
    empty_ends: bool


def read_signs(path: str, start: int, progress: Progress) -> Signs:
    """Return what stands in a file from a byte on.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    commas, last = 0, b""
    quotes = odd = empty_ends = False
    with open_file(path) as (stream, size):
        stream.seek(start)
        while piece := stream.read(PIECE):
            joined = last + piece
            codes = np.frombuffer(joined, np.uint8)
            is_comma = codes == ord(",")
            commas += int(np.count_nonzero(is_comma[len(last) :]))
            is_break = (codes == ord("\n")) | (codes == ord("\r"))
            empty_ends = empty_ends or bool((is_comma[:-1] & is_break[1:]).any())
            odd = odd or any(sign in joined for sign in ODD) or (b"+" in joined and b"+-" in joined)
            if b'"' in joined:
                quotes, empty_ends = True, empty_ends or b',""' in joined
            last = joined[-2:]
            progress(0, size)
    return Signs(commas, quotes, odd or quotes, empty_ends or last.endswith(b","))
