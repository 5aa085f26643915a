"""Data frames, by the rules of files: kinds by the types of columns, and those of text by their cells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic
from specnet.parts.arrays import first_few, is_missing, refuse_null_ends
from specnet.parts.data.column_kinds import Column, ColumnKind, Kind, column_of, kind_of
from specnet.parts.data.notations import DatetimeFormat, Notation, NumberFormat
from specnet.parts.data.tables.cells import (
    LARGEST_WHOLE,
    PAIRS,
    boolean,
    category,
    coded,
    days,
    days_of_microseconds,
    number,
    trimmed,
)
from specnet.parts.data.tables.judging import EXPECTED, SAMPLE, CellFacts, Verdict, left_as_text, mistaken, verdict
from specnet.parts.data.tables.source import repeated_names

_HINT = "rows count from 0"


def frame_table(
    frame: Any, kinds: Mapping[str, ColumnKind] | None = None, name: str = "X"
) -> tuple[NDArray[np.float64], tuple[Column, ...], tuple[Diagnostic, ...]]:
    """Return a data frame as the numbers of a table, what its columns are, and warnings about those left as text.

    Parameters
    ----------
    frame : data frame
        Of pandas, Polars or another library that narwhals knows.
    kinds : mapping of str to kind, optional
        The columns to take, in this order, and their kinds; those that are ignored are not needed. All columns, and
        judged, where None.
    name : str
        What errors call the frame.

    Returns
    -------
    X : ndarray (rows, columns)
        NaN where a cell is missing.
    columns : tuple of Column
        Without those that are ignored.
    warnings : tuple of Diagnostic

    Raises
    ------
    DataError
        If a column is missing, or there twice, or a cell is not what it should be.
    """
    import narwhals

    names = [str(column) for column in frame.columns] if hasattr(frame, "columns") else []
    for _, message in repeated_names(names):
        raise DataError(f"{name} has a {message}")
    if "" in names:
        raise DataError(Diagnostic("unnamed-column", f"{name} has a column whose name is empty"))
    try:
        read = narwhals.from_native(frame, eager_only=True)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} is not a data frame: {error}") from None
    if not len(read):
        raise DataError(f"{name} is empty: shape {read.shape}")
    wanted = [column for column, kind in (kinds or {}).items() if kind != "ignore"] if kinds else list(read.columns)
    if missing := [f'"{column}"' for column in wanted if column not in read.columns]:
        word = "column" if len(missing) == 1 else "columns"
        raise DataError(f"{name} has no {word} {first_few(missing)}", hint=f"choose from {first_few(read.columns)}")
    frames = [_Frame(column, read[column], name) for column in wanted]
    read_columns = [frame.read(kinds[frame.name] if kinds else None) for frame in frames]
    taken = [found for found in read_columns if found is not None]
    warnings = tuple(frame.warning for frame in frames if frame.warning is not None)
    if not taken:
        raise DataError(f"{name} has no usable columns", hint=next((each.hint for each in warnings), None))
    return np.stack([values for _, values in taken], axis=1), tuple(column for column, _ in taken), warnings


class _Frame:
    """A column of a data frame."""

    def __init__(self, name: str, series: Any, frame: str) -> None:
        import narwhals

        self.name, self.series, self.frame = name, series, frame
        self.warning: Diagnostic | None = None
        self.typed: Kind | None = None
        if isinstance(series.dtype, narwhals.Datetime | narwhals.Date):
            self.typed = "datetime"
        elif series.dtype == narwhals.Boolean:
            self.typed = "boolean"
        elif isinstance(series.dtype, narwhals.Categorical | narwhals.Enum):
            self.typed = "category"
        elif series.dtype.is_numeric():
            self.typed = "numeric"

    def read(self, said: ColumnKind | None) -> tuple[Column, NDArray[np.float64]] | None:
        """Return the column and its numbers, None where it is ignored."""
        quick = self._quick(said)
        if quick is not None:
            return quick
        texts = [self._text(cell) for cell in self.series.to_list()]
        refuse_null_ends(np.array(texts, np.object_), f'column "{self.name}"')
        counts = Counter(text for text in texts if text is not None)
        kind = said or self._judged(counts)
        if kind == "ignore":
            return None
        if kind == "category":
            codes, distinct = coded(texts)
            return Column(self.name, "category", distinct), codes
        of = _VALUES[kind] if isinstance(kind, str) else kind.value
        values = {text: of(text) for text in counts}
        self._refuse_misfit(kind, values, texts, judged=said is None)
        numbers = [math.nan if text is None else values[text] for text in texts]
        return column_of(self.name, kind), np.array(numbers, np.float64)

    def _quick(self, said: ColumnKind | None) -> tuple[Column, NDArray[np.float64]] | None:
        """Return the column where its type says it all."""
        kind = self.typed
        if kind is None or kind == "category" or (said is not None and kind_of(said) != kind):
            return None
        numbers = self._days() if kind == "datetime" else self._floats()
        if kind != "datetime":
            present = numbers[~np.isnan(numbers)]
            if np.isinf(present).any():
                row = int(np.isinf(numbers).argmax())
                message = f'row {row}: column "{self.name}" is {numbers[row]}; expected a finite number'
                raise DataError(message, hint=_HINT)
            is_inexact = self.series.dtype.is_integer() and bool((abs(present) >= LARGEST_WHOLE).any())
            if is_inexact or not (present.size or said):
                return None
        return Column(self.name, kind), numbers

    def _floats(self) -> NDArray[np.float64]:
        import narwhals

        if self.series.null_count() or self.typed == "boolean" or self.series.dtype.is_decimal():
            return _numbers(self.series, float)
        found: NDArray[np.float64] = self.series.cast(narwhals.Float64).to_numpy()
        return found.astype(np.float64)

    def _days(self) -> NDArray[np.float64]:
        import narwhals

        moments = self.series.cast(narwhals.Datetime("us")) if self.series.dtype == narwhals.Date else self.series
        return _numbers(moments.dt.timestamp("us"), lambda cell: days_of_microseconds(int(cell)))

    def _text(self, cell: Any) -> str | None:
        """Return a cell as a file would have it, None where it is missing."""
        if is_missing(cell):
            return None
        if isinstance(cell, bool | np.bool_):
            return str(bool(cell)).lower()
        if isinstance(cell, list | dict | bytes | tuple | set):
            raise DataError(f'column "{self.name}": nested values and bytes are not supported')
        return trimmed(str(cell)) or None

    def _judged(self, counts: Counter[str]) -> ColumnKind:
        """Return what the column is, and keep the warning about it."""
        if self.typed == "category" and counts:
            return "category"

        def count(value: Callable[[str], float | None]) -> int:
            return sum(rows for text, rows in counts.items() if value(text) is not None)

        def rows_of_texts() -> NDArray[np.intp]:
            categories: Counter[str] = Counter()
            for text, rows in counts.items():
                categories[category(text)] += rows
            return np.array([*categories.values()], np.intp)

        def differ(one: Notation, other: Notation) -> bool:
            pairs = ((one.value(text), other.value(text)) for text in counts)
            return any(None not in pair and pair[0] != pair[1] for pair in pairs)

        words, texts = {text.lower() for text in counts}, list(counts)
        found = verdict(
            CellFacts(
                present=counts.total(),
                numbers=count(number),
                dates=count(days),
                are_pair=bool(words) and any(words <= set(pair) for pair in PAIRS),
                sample=texts[:: 1 + len(texts) // SAMPLE],
                fitting=lambda notations: [count(each.value) for each in notations],
                differ=differ,
                rows_of_texts=rows_of_texts,
            )
        )
        self.warning = left_as_text(self.name, found, None, partial(self._hint, found))
        return found.kind

    def _cells(self, column: str) -> str:
        return f'{self.frame}["{column}"]'

    def _hint(self, found: Verdict, column: str) -> str:
        cells = self._cells(column)
        if not found.notations:
            return f'use {cells}.astype("category"), or leave the column out'
        if isinstance(found.notations[0], NumberFormat):
            return f"convert {cells} to numbers"
        formats = " or ".join(f'"{each.format}"' for each in found.notations if isinstance(each, DatetimeFormat))
        return f"convert {cells} to datetimes, by the format {formats}"

    def _refuse_misfit(
        self, kind: ColumnKind, values: Mapping[str, float | None], texts: Sequence[str | None], *, judged: bool
    ) -> None:
        wrong = [(row, text) for row, text in enumerate(texts) if text is not None and values[text] is None]
        if wrong:
            row, text = wrong[0]
            message = mistaken(self.name, kind, text, row, len(wrong))
            hint = f"{_HINT}; correct the cell, or use None if it is missing"
            hint += f', or {self._cells(self.name)}.astype("category") for the column' if judged else ""
            raise DataError(Diagnostic(EXPECTED[kind_of(kind)][0], message, hint=hint))


def _numbers(series: Any, of: Callable[[Any], float]) -> NDArray[np.float64]:
    """Return the numbers of a series' cells, NaN where they are missing."""
    return np.array([math.nan if is_missing(cell) else of(cell) for cell in series.to_list()], np.float64)


_VALUES: dict[str, Callable[[str], float | None]] = {"numeric": number, "boolean": boolean, "datetime": days}
