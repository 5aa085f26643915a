"""The words of a file for the cells of columns: for false and true, dates, and numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from specnet.errors import SpecnetError
from specnet.findings.slices import cell_in_words
from specnet.number_texts import are_years, fixed
from specnet.parts.data import Column
from specnet.parts.data.notations import DatetimeFormat
from specnet.parts.data.tables.cells import boolean, trimmed
from specnet.parts.splits import TRAIN

if TYPE_CHECKING:
    from specnet.running.data_rows import Rows, SpecData

MAX_DECIMALS = 4
"""The maximum number of decimals that are written for a column; numbers with more have significant digits instead."""
FEW_STEPS = 20
"""A target with fewer steps between its ends has one more decimal in predictions."""
FIRST_ROWS = 2_000
"""The number of rows of a file in which the words for false and true are searched."""


def boolean_words(data: SpecData) -> dict[str, tuple[str, str]]:
    """Return the most frequent words for false and true of each column of booleans, by name.

    They are ``false`` and ``true`` if the rows are not of a file, or the first rows do not have both.
    """
    from specnet.parts.data import TableFile  # imports the readers of files

    spec, names = data.resolved.spec, [column.name for column in data.splits[TRAIN].kinds if column.kind == "boolean"]
    found = dict.fromkeys(names, ("false", "true"))
    if not names or not isinstance(spec.data, TableFile):
        return found
    with suppress(SpecnetError):
        for name, cells in next(spec.data.read_cells(spec.folder, names, FIRST_ROWS), {}).items():
            counts = Counter(trimmed(str(text)) for text in cells.texts if text is not None)
            words = [next((text for text, _ in counts.most_common() if boolean(text) == of), "") for of in (0.0, 1.0)]
            if all(words):
                found[name] = (words[0], words[1])
    return found


def cell_text_of(column: Column, cell: float, words: Mapping[str, tuple[str, str]], decimals: int | None = None) -> str:
    """Return a raw cell in the words of its file, given those of `boolean_words`; a missing cell is ``missing``.

    A number has so many `decimals`, or four digits if they are None.
    """
    if column.kind == "boolean" and not np.isnan(cell):
        return words[column.name][int(cell != 0)]
    if isinstance(column.notation, DatetimeFormat) and not np.isnan(cell):
        return (datetime(1970, 1, 1) + timedelta(days=cell)).strftime(column.notation.format)
    return cell_in_words(column, cell) if decimals is None or np.isnan(cell) else fixed(cell, decimals)


def date_format(column: Column, days: NDArray[np.float64]) -> str:
    """Return the format of a column's dates: that of its notation, otherwise ISO, with a time if a cell has one."""
    if isinstance(column.notation, DatetimeFormat):
        return column.notation.format
    if are_years(days.tolist()):
        return "%Y"
    seconds = np.rint(days * 86_400)
    if not (seconds % 86_400).any():
        return "%Y-%m-%d"
    return "%Y-%m-%d %H:%M:%S" if (seconds % 60).any() else "%Y-%m-%d %H:%M"


def decimals_of_targets(train: Rows) -> list[int | None]:
    """Return the number of decimals of each target's predictions: those of its values, one more if these are few."""
    found: list[int | None] = []
    for values in np.asarray(train.y, np.float64).reshape(len(train), -1).T:
        decimals = decimals_of(values)
        if decimals is not None and decimals < MAX_DECIMALS and np.ptp(values) * 10**decimals < FEW_STEPS:
            decimals += 1
        found.append(decimals)
    return found


def decimals_of(values: NDArray[np.float64]) -> int | None:
    """Return the number of decimals that write all values exactly, or None if it is above `MAX_DECIMALS`."""
    near = 1e-12 * np.abs(values)
    return next((n for n in range(MAX_DECIMALS + 1) if (np.abs(np.round(values, n) - values) <= near).all()), None)
