"""Parts of a large CSV file: DuckDB makes arrays of one part while it would have no room for those of the whole."""

from __future__ import annotations

import os
from collections.abc import Iterator

from specnet.files import open_file
from specnet.files.large import room_needed
from specnet.parts.data.tables.duck import DuckError

PART_BYTES = 2**27
LONGEST_LINE = 2**24
"""Bytes within which a line has to end."""
_COPIED_AT_ONCE = 2**20


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
        If the file cannot be read, or the folder for temporary files has no room for a part.
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
                with room_needed(), open(part, "wb") as target:
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
