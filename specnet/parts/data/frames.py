"""Reading data frames by the same rules as files: column types decide the kinds, or for texts, the cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic
from specnet.parts.arrays import (
    column_names,
    eager_frame,
    first_few,
    is_missing,
    refuse_null_ends,
    series_numbers,
)
from specnet.parts.data.column_kinds import OF_TEXTS, Column, ColumnKind, Kind, column_of, kind_of
from specnet.parts.data.notations import DatetimeFormat
from specnet.parts.data.tables.cells import (
    LARGEST_WHOLE,
    coded,
    has_zone,
    trimmed,
    values_of,
)
from specnet.parts.data.tables.kinds import (
    EXPECTED,
    SAMPLE,
    DistinctTexts,
    Verdict,
    assumed,
    feature_hint,
    left_as_text,
    mistaken,
    reader_of,
    verdicts,
    without_zone,
)
from specnet.parts.data.tables.sources import repeated_names

_HINT = "rows count from 0"
_NESTED = "nested values and bytes"


def frame_table(
    frame: Any, kinds: Mapping[str, ColumnKind | None] | None = None, name: str = "X"
) -> tuple[NDArray[np.float64], tuple[Column, ...], tuple[Diagnostic, ...]]:
    """Return the numbers of a data frame, its columns, and warnings about columns that remain text.

    Parameters
    ----------
    frame : data frame
        A frame of pandas, Polars, Arrow or another library that narwhals supports.
    kinds : mapping of str to kind or None, optional
        The columns to read, in this order, with their kinds. Columns of kind ``ignore`` may be missing. The kind None
        is judged by the type and the cells of the column. Default: all columns, with judged kinds.
    name : str
        The name of the frame in errors.

    Returns
    -------
    X : ndarray (rows, columns)
        Numbers; NaN for a missing cell.
    columns : tuple of Column
        The columns of X, without ignored columns.
    warnings : tuple of Diagnostic

    Raises
    ------
    DataError
        If a column is missing or duplicate, or a cell is invalid.
    """
    names = list(column_names(frame) or ())
    for _, message in repeated_names(names):
        raise DataError(f"{name} has a {message}")
    if "" in names:
        raise DataError(Diagnostic("unnamed-column", f"{name} has a column whose name is empty"))
    read = eager_frame(frame, name)
    if not len(read):
        raise DataError(f"{name} is empty: shape {read.shape}")
    taken = dict.fromkeys(read.columns) if kinds is None else {k: v for k, v in kinds.items() if v != "ignore"}
    if missing := [f'"{column}"' for column in taken if column not in read.columns]:
        word = "column" if len(missing) == 1 else "columns"
        raise DataError(f"{name} has no {word} {first_few(missing)}", hint=f"choose from {first_few(read.columns)}")
    columns = [_FrameColumn(column, read[column], name) for column in taken]
    texts = {column.name: column.distinct_texts() for column in columns if taken[column.name] is None}
    judged = verdicts({column: each for column, each in texts.items() if each is not None})
    warnings = tuple(
        chain.from_iterable(column.warnings(judged[column.name]) for column in columns if column.name in judged)
    )
    kinds_of = taken | {column: verdict.kind for column, verdict in judged.items()}
    found = [
        numbers
        for column in columns
        if (numbers := column.read(kinds_of[column.name], judged=column.name in judged)) is not None
    ]
    if not found:
        raise DataError(f"{name} has no usable columns", hint=feature_hint(warnings))
    return np.stack([values for _, values in found], axis=1), tuple(column for column, _ in found), warnings


class _FrameColumn:
    """A column of a data frame."""

    def __init__(self, name: str, series: Any, frame: str) -> None:
        import narwhals

        self.name, self.series, self.frame = name, series, frame
        self.numbers: NDArray[Any] | None = None
        self.has_zone = False
        of = series.dtype
        if of.is_nested() or of in (narwhals.Binary, narwhals.Duration):
            raise self._unsupported("durations" if of == narwhals.Duration else _NESTED)
        self.typed: Kind | None = None
        if of in (narwhals.Categorical, narwhals.Enum):
            self.typed = "category"
        elif (numbers := series_numbers(series)) is not None:
            self.typed = "boolean" if numbers.dtype.kind == "b" or of == narwhals.Boolean else "numeric"
            self.numbers = numbers.astype(np.float64)
        elif of in (narwhals.Datetime, narwhals.Date, narwhals.Unknown):
            self._take_dates()

    def _take_dates(self) -> None:
        """Store the days since 1970 of a column of dates; a column of an unknown type is left unless it has dates.

        Raises
        ------
        DataError
            If the column has complex numbers, or dates outside the years 1 to 9999, the range of dates in files.
        """
        import narwhals

        cells = self.series.to_numpy()
        if cells.dtype.kind == "c":
            raise self._unsupported("complex numbers")
        native_type = getattr(self.series.to_native(), "dtype", None)
        self.has_zone = bool(getattr(native_type, "tz", None) or getattr(self.series.dtype, "time_zone", None))
        if cells.dtype.kind != "M" and self.has_zone:  # pandas; narwhals does not know all names of time zones
            cells = self.series.to_native().dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        elif cells.dtype.kind != "M":
            if self.series.dtype == narwhals.Unknown:
                return
            cells = self.series.cast(narwhals.Datetime("us")).to_numpy()
        self.typed = "datetime"
        years = cells.astype("datetime64[Y]").astype(np.int64) + 1970
        wrong = np.flatnonzero(~np.isnat(cells) & ((years < 1) | (years > 9999)))
        if len(wrong):
            day, row = cells[wrong[0]].astype("datetime64[D]"), int(wrong[0])
            message = f'column "{self.name}": the date {day} in row {row} is beyond the years 1 to 9999'
            raise DataError(Diagnostic("not-a-datetime", message, hint=f"{_HINT}; use None if the date is missing"))
        self.numbers = (cells.astype("datetime64[us]") - np.datetime64(0, "us")) / np.timedelta64(1, "D")

    def _unsupported(self, what: str) -> DataError:
        native = self.series.to_native()
        of = native.type if hasattr(native, "type") else native.dtype  # Arrow has `type`, other libraries `dtype`
        message = f'column "{self.name}": {what} are not supported ({of})'
        converted = f"convert {self._cells(self.name)} to numbers, or " if what != _NESTED else ""
        return DataError(message, hint=f"{converted}leave the column out")

    def distinct_texts(self) -> DistinctTexts | None:
        """Return the texts that decide the kind of the column, or None if its type decides."""
        if self._quick(None) is not None or (self.typed == "category" and self.counts):
            return None
        sample = list(self.counts)[:: 1 + len(self.counts) // SAMPLE]
        return DistinctTexts(self.counts.items, sample, are_texts=lambda: self.are_texts)

    @cached_property
    def are_texts(self) -> bool:
        """Whether all cells that are present are texts, rather than numbers, for example."""
        return all(isinstance(cell, str) for cell in self.series.to_list() if not is_missing(cell))

    @cached_property
    def texts(self) -> list[str | None]:
        """The cells as texts, in the notation of a file; None for a missing cell."""
        texts = [self._text(cell) for cell in self.series.to_list()]
        refuse_null_ends(np.array(texts, np.object_), f'column "{self.name}"')
        return texts

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of rows of each text."""
        return Counter(text for text in self.texts if text is not None)

    def warnings(self, found: Verdict) -> Iterator[Diagnostic]:
        """Yield the warnings about the judged kind of the column."""
        warning = left_as_text(self.name, found, None, partial(self._hint, found))
        if warning is not None:
            yield warning
        yield from assumed(self.name, found, None, is_file=False)

    def read(self, kind: ColumnKind | None, *, judged: bool) -> tuple[Column, NDArray[np.float64]] | None:
        """Return the column and its numbers, or None if it is ignored; if the kind is None, its type decides."""
        quick = self._quick(kind)
        if quick is not None:
            return quick
        if kind == "ignore":
            return None
        if kind is None or kind in OF_TEXTS:
            codes, distinct = coded(self.texts)
            return column_of(self.name, kind or "category", distinct), codes
        numbers, wrong = values_of(self.texts, reader_of(kind))
        if wrong:
            raise self._misfit(kind, self.texts[wrong[0]] or "", wrong[0], len(wrong), judged=judged)
        kind = without_zone(kind, numbers, kind == "datetime" and any(map(has_zone, self.counts)))
        return column_of(self.name, kind), numbers

    def _quick(self, specified: ColumnKind | None) -> tuple[Column, NDArray[np.float64]] | None:
        """Return the column and its numbers if its type is enough to read it, else None."""
        kind, numbers = self.typed, self.numbers
        if kind is None or numbers is None or (specified is not None and kind_of(specified) != kind):
            return None
        present = numbers[~np.isnan(numbers)]
        if np.isinf(present).any():
            row = int(np.isinf(numbers).argmax())
            message = f'row {row}: column "{self.name}" is {numbers[row]}; expected a finite number'
            raise DataError(message, hint=_HINT)
        is_inexact = self.series.dtype.is_integer() and bool((abs(present) >= LARGEST_WHOLE).any())
        if is_inexact or not (present.size or specified):
            return None
        if specified is not None and not isinstance(specified, str):
            numbers = np.where(np.isin(numbers, specified.missing_numbers), np.nan, numbers)
            if self.has_zone and not getattr(specified, "format", "").endswith("%z"):
                row = int((~np.isnan(numbers)).argmax())
                message = mistaken(self.name, specified, str(self.series[row]), row, len(present))
                hint = f"{_HINT}; convert {self._cells(self.name)} to local times without a time zone"
                raise DataError(Diagnostic("not-a-datetime", message, hint=hint))
        return column_of(self.name, without_zone(specified or kind, numbers, self.has_zone)), numbers

    def _text(self, cell: Any) -> str | None:
        """Return a cell as text, in the notation of a file, or None for a missing cell."""
        if is_missing(cell):
            return None
        if isinstance(cell, bool | np.bool_):
            return str(bool(cell)).lower()
        if isinstance(cell, list | dict | bytes | bytearray | tuple | set | frozenset | np.ndarray):
            raise self._unsupported(_NESTED)
        if isinstance(cell, timedelta | np.timedelta64):
            raise self._unsupported("durations")
        return trimmed(str(cell)) or None

    def _cells(self, column: str) -> str:
        return f'{self.frame}["{column}"]'

    def _hint(self, found: Verdict, column: str) -> str:
        cells = self._cells(column)
        if found.reason == "unique-text" and not found.notations:
            return f"leave {cells} out"
        if not found.notations:
            return f'use {cells}.astype("category"), or leave the column out'
        if not isinstance(found.notations[0], DatetimeFormat):
            return f"convert {cells} to numbers"
        formats = " or ".join(f'"{each.format}"' for each in found.notations if isinstance(each, DatetimeFormat))
        return f"convert {cells} to datetimes, by the format {formats}"

    def _misfit(self, kind: ColumnKind, text: str, row: int, count: int, *, judged: bool) -> DataError:
        """Return the error about `count` cells that do not fit the column's kind, with `text` in `row` as the first."""
        message = mistaken(self.name, kind, text, row, count)
        hint = f"{_HINT}; correct the cell, or use None if it is missing"
        hint += f', or {self._cells(self.name)}.astype("category") for the column' if judged else ""
        return DataError(Diagnostic(EXPECTED[kind_of(kind)][0], message, hint=hint))
