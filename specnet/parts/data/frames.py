"""Data frames, by the rules of files: kinds by the types of columns, and those of text by their cells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic
from specnet.parts.arrays import first_few, is_missing, refuse_null_ends
from specnet.parts.data.columns import Column, ColumnKind, DatetimeFormat, kind_of
from specnet.parts.data.tables.cells import (
    LARGEST_WHOLE,
    PAIRS,
    boolean,
    category,
    days,
    days_of_microseconds,
    number,
    trimmed,
)
from specnet.parts.data.tables.judging import EXPECTED, Verdict, mistaken, verdict
from specnet.parts.data.tables.source import repeated_names

_HINT = "rows count from 0"


def frame_table(
    frame: Any, kinds: Mapping[str, ColumnKind] | None = None, name: str = "X"
) -> tuple[NDArray[np.float64], tuple[Column, ...]]:
    """Return a data frame as the numbers of a table, and what its columns are.

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
    taken: list[tuple[Column, NDArray[np.float64]]] = []
    for column in wanted:
        found = _Frame(column, read[column]).read(kinds[column] if kinds else None)
        if found is not None:
            taken.append(found)
    if not taken:
        raise DataError(f"{name} has no usable columns")
    return np.stack([values for _, values in taken], axis=1), tuple(column for column, _ in taken)


class _Frame:
    """A column of a data frame."""

    def __init__(self, name: str, series: Any) -> None:
        import narwhals

        self.name, self.series = name, series
        self.is_moment = isinstance(series.dtype, narwhals.Datetime | narwhals.Date)
        self.is_number = series.dtype.is_numeric()
        self.is_boolean = series.dtype == narwhals.Boolean
        self.is_category = isinstance(series.dtype, narwhals.Categorical | narwhals.Enum)

    def read(self, said: ColumnKind | None) -> tuple[Column, NDArray[np.float64]] | None:
        """Return the column and its numbers, None where it is ignored."""
        kind: ColumnKind = said or "numeric"
        quick = self._quick(said)
        if quick is not None:
            return quick
        texts = [self._text(cell) for cell in self.series.to_list()]
        refuse_null_ends(np.array(texts, np.object_), f'column "{self.name}"')
        counts = Counter(text for text in texts if text is not None)
        if said is None:
            found = self._judged(counts)
            if found.kind == "ignore":
                return None
            kind = found.kind
        if kind == "category":
            distinct = sorted({category(text) for text in counts})
            places = {text: float(place) for place, text in enumerate(distinct)}
            codes = [math.nan if text is None else places[category(text)] for text in texts]
            return Column(self.name, "category", np.array(distinct, np.str_)), np.array(codes, np.float64)
        of = _VALUES[kind_of(kind)] if isinstance(kind, str) else None
        form = kind.format if isinstance(kind, DatetimeFormat) else None
        values = {text: of(text) if of else days(text, form) for text in counts}
        self._refuse_misfit(kind, values, texts)
        numbers = [math.nan if text is None else values[text] for text in texts]
        return Column(self.name, kind_of(kind)), np.array(numbers, np.float64)

    def _quick(self, said: ColumnKind | None) -> tuple[Column, NDArray[np.float64]] | None:
        """Return the column where its type says it all."""
        kind = None if said is None else kind_of(said)
        if self.is_moment and kind in (None, "datetime"):
            return Column(self.name, "datetime"), self._days()
        if (self.is_number and kind in (None, "numeric")) or (self.is_boolean and kind in (None, "boolean")):
            numbers = np.array(self._floats(), np.float64)
            whole = self.series.dtype.is_integer()
            present = numbers[~np.isnan(numbers)]
            if np.isinf(present).any():
                row = int(np.isinf(numbers).argmax())
                message = f'row {row}: column "{self.name}" is {numbers[row]}; expected a finite number'
                raise DataError(message, hint=_HINT)
            fits = (abs(present) < LARGEST_WHOLE) if whole else np.isfinite(present)
            if fits.all() and (present.size or kind):
                return Column(self.name, "boolean" if self.is_boolean else "numeric"), numbers
        return None

    def _floats(self) -> NDArray[np.float64]:
        import narwhals

        if self.series.null_count() or self.is_boolean or self.series.dtype.is_decimal():
            return np.array([math.nan if is_missing(cell) else float(cell) for cell in self.series.to_list()])
        found: NDArray[np.float64] = self.series.cast(narwhals.Float64).to_numpy()
        return found

    def _days(self) -> NDArray[np.float64]:
        import narwhals

        moments = self.series.cast(narwhals.Datetime("us")) if self.series.dtype == narwhals.Date else self.series
        cells = moments.dt.timestamp("us").to_list()
        return np.array([math.nan if is_missing(cell) else days_of_microseconds(int(cell)) for cell in cells])

    def _text(self, cell: Any) -> str | None:
        """Return a cell as a file would have it, None where it is missing."""
        if is_missing(cell):
            return None
        if isinstance(cell, bool | np.bool_):
            return str(bool(cell)).lower()
        if isinstance(cell, list | dict | bytes | tuple | set):
            raise DataError(f'column "{self.name}": nested values and bytes are not supported')
        return trimmed(str(cell)) or None

    def _judged(self, counts: Counter[str]) -> Verdict:
        if self.is_category and counts:
            return Verdict("category")
        numbers = sum(count for text, count in counts.items() if number(text) is not None)
        dates = sum(count for text, count in counts.items() if days(text) is not None)
        words = {text.lower() for text in counts}
        pair = any(words <= set(pair) for pair in PAIRS)
        return verdict(counts.total(), numbers, pair, dates, lambda: len({category(text) for text in counts}))

    def _refuse_misfit(self, kind: ColumnKind, values: Mapping[str, float | None], texts: Sequence[str | None]) -> None:
        wrong = [row for row, text in enumerate(texts) if text is not None and values[text] is None]
        if wrong:
            text = texts[wrong[0]]
            assert text is not None
            message = mistaken(self.name, kind_of(kind), text, wrong[0], len(wrong))
            raise DataError(Diagnostic(EXPECTED[kind_of(kind)][0], message, hint=_HINT))


_VALUES: dict[str, Callable[[str], float | None]] = {"numeric": number, "boolean": boolean, "datetime": days}
