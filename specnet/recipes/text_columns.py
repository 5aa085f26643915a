"""Which columns of a table are free text: those that are ignored because their texts are rare, but that have words.

Only recipes look for them, because a spec without `data.columns` keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns, frame_columns
from specnet.errors import Diagnostic
from specnet.parts.arrays import column_names
from specnet.parts.data import Column, ColumnKind, Table, TableFile
from specnet.parts.data.tables.kinds import RARE_TEXT, UNIQUE_TEXT
from specnet.parts.preprocessing import folded

_Content = TypeVar("_Content")

WORDS = 2
"""Mean number of words from which a text is more than a name or a code."""
SHARED = 0.5
"""The minimum fraction of words that other rows have, too. Words of one row tell nothing about new rows."""
COMMON = 0.9
"""Words in a larger fraction of the rows do not count as shared: they do not distinguish rows."""
_MOST_TEXTS = 5_000
"""Maximum number of distinct texts whose words are counted."""


def read_with_texts(data: TableFile, folder: Path) -> Table:
    """Return a table of all columns, as `TableFile.read_all` does, in which ignored columns of words are texts.

    Raises
    ------
    DataError, FileError
        As in `TableFile.read_all`.
    """
    content = data.read_all(folder)
    candidates = [name for name in _rare(content.warnings) if name not in (*data.columns, *data.targets)]

    def read(names: list[str]) -> Table:
        kinds: dict[str, ColumnKind] = {**data.columns, **dict.fromkeys(names, "text")}
        return data.model_copy(update={"columns": kinds}).read_all(folder)

    return _with_words(candidates, read, lambda table: (table.columns, table.X)) or content


def frame_with_texts(X: Any) -> tuple[RawColumns | None, tuple[Diagnostic, ...]]:
    """Return the columns of a data frame, as `frame_columns` does, in which ignored columns of words are texts.

    Raises
    ------
    DataError
        As in `frame_columns`.
    """
    rows, warnings = frame_columns(X)
    if rows is None or not rows.kinds:
        return rows, warnings

    def read(names: list[str]) -> tuple[RawColumns, tuple[Diagnostic, ...]]:
        kinds: Mapping[str, ColumnKind | None] = {
            name: "text" if name in names else None for name in column_names(X) or ()
        }
        again, fewer = frame_columns(X, kinds)
        assert again is not None, "a data frame"
        return again, fewer

    return _with_words(_rare(warnings), read, lambda result: (result[0].kinds, result[0].X)) or (rows, warnings)


def _with_words(
    candidates: list[str],
    read: Callable[[list[str]], _Content],
    cells: Callable[[_Content], tuple[Sequence[Column], NDArray[np.float64]]],
) -> _Content | None:
    """Return what is read with those candidates as texts that have words, or None if no candidate has words."""
    if not candidates:
        return None
    content = read(candidates)
    found = _of_words(*cells(content), candidates)
    return None if not found else content if found == candidates else read(found)


def has_words(texts: NDArray[np.str_], rows: NDArray[np.intp]) -> bool:
    """Return whether texts are free text: two words or more on average, half of which some other rows have, too.

    Parameters
    ----------
    texts : ndarray (texts,)
        Distinct texts.
    rows : ndarray (texts,)
        The number of rows of each text.
    """
    step = -(-len(texts) // _MOST_TEXTS)
    words = [set(folded(str(text)).split()) for text in texts[::step]]
    own = rows[::step]
    counts: dict[str, int] = {}
    for each, times in zip(words, own.tolist(), strict=True):
        for word in each:
            counts[word] = counts.get(word, 0) + times
    total = sum(len(each) * times for each, times in zip(words, own.tolist(), strict=True))
    most = COMMON * own.sum()
    shared = sum(
        sum(times < counts[word] <= most for word in each if not word.isdigit()) * times
        for each, times in zip(words, own.tolist(), strict=True)
    )
    return bool(total >= WORDS * own.sum() > 0 and shared >= SHARED * total)


def _rare(warnings: tuple[Diagnostic, ...]) -> list[str]:
    """Return the columns that are ignored because their texts are rare."""
    return [
        each.table_column
        for each in warnings
        if each.table_column is not None
        and each.code == "ignored-column"
        and each.message.endswith((RARE_TEXT, UNIQUE_TEXT))
    ]


def _of_words(columns: Sequence[Column], X: NDArray[np.float64], names: list[str]) -> list[str]:
    """Return the named columns that have words, given all columns and their cells."""
    found, indices = [], {column.name: index for index, column in enumerate(columns)}
    for name in names:
        column = columns[indices[name]]
        if column.texts is not None:
            cells = X[:, indices[name]]
            rows = np.bincount(cells[~np.isnan(cells)].astype(np.intp), minlength=len(column.texts))
            if has_words(column.texts, rows):
                found.append(name)
    return found
