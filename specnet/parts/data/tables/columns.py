"""The cells of a table by column: in memory for small files, in DuckDB for large files.

Python alone has the rules for cells (`cells`, `notations`), and applies them to each distinct text of a batch of rows
once. DuckDB converts plain numbers and counts texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import chain, islice
from typing import Any

from numpy.typing import NDArray

from specnet.parts.data.column_kinds import LONGEST_SHOWN
from specnet.parts.data.tables.cells import LARGEST_WHOLE
from specnet.parts.data.tables.duck import (
    FRACTIONAL,
    MAX_EXPRESSIONS,
    Duck,
    is_number_type,
    is_whole_type,
    sql_is_grouped,
    sql_plain_number,
    sql_trimmed,
)
from specnet.parts.data.tables.kinds import SAMPLE, DistinctTexts, ShowsPoint
from specnet.parts.data.tables.sources import TableSource

Texts = list[str | None]
"""Trimmed cells; None for a missing cell."""

NUMBERS_AT_ONCE = 2**23
"""Number of cells that are fetched together: 64 MB."""
TEXTS_AT_ONCE = 2**17
FIGURES_AT_ONCE = MAX_EXPRESSIONS // 4
"""Number of aggregates in a query. Their expressions are long, and planning time grows faster than their number."""
FEW_ROWS = 2**15
"""Maximum number of rows to count texts in Python; for so few rows, a query for each column takes longer."""
_FACTOR, _DIVISOR = 40503, 64
"""The pseudorandom number row * factor // divisor draws rows; if equally spaced, they would miss periodic cells."""


class Columns:
    """The cells of a table in memory.

    Parameters
    ----------
    source : TableSource
    cells : sequence of lists of str or None
        The texts of each column.

    Attributes
    ----------
    rows : int
    """

    rows: int

    def __init__(self, source: TableSource, cells: Sequence[Texts]) -> None:
        self.source, self._cells, self.rows = source, cells, len(cells[0])

    def texts(self, indices: Sequence[int]) -> Iterator[tuple[slice, list[Texts]]]:
        """Yield slices of rows, each with the texts of the columns at `indices` in these rows."""
        yield slice(0, self.rows), [self._cells[index] for index in indices]

    def plain_numbers(self, indices: Iterable[int]) -> set[int]:
        """Return the indices of the columns of plain numbers (or missing cells) that `numbers` can yield."""
        return set()

    def numbers(self, indices: Sequence[int]) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """Yield slices of rows with the numbers of columns of plain numbers; missing cells are masked or NaN."""
        yield from ()

    def judged(self, indices: Sequence[int]) -> dict[int, DistinctTexts | ShowsPoint]:
        """Return for each column the value that `verdicts` needs."""
        return dict(self.distinct(indices))

    def distinct(self, indices: Sequence[int]) -> dict[int, DistinctTexts]:
        """Return the distinct texts of each column, by index."""
        return {index: self._counted(index, self._cells[index]) for index in indices}

    def has_numbers(self, index: int) -> bool:
        """Return whether the column has a numeric type, rather than texts."""
        return False

    def counts(self, index: int) -> Iterable[tuple[str, int]]:
        """Return the distinct texts of a column with their numbers of rows."""
        return Counter(text for text in self._cells[index] if text is not None).items()

    def sorted_texts(self, index: int) -> Iterator[Sequence[str]]:
        """Yield lists of the distinct texts of a column, ascending by code point."""
        yield sorted({text for text in self._cells[index] if text is not None})

    def size_of_texts(self, index: int) -> tuple[int, int]:
        """Return the number of distinct texts of a column and the length of the longest in characters."""
        distinct = {text for text in self._cells[index] if text is not None}
        return len(distinct), max(map(len, distinct), default=1)

    def _counted(self, index: int, texts: Texts) -> DistinctTexts:
        every = 1 + self.rows // SAMPLE
        some = [
            text
            for row, text in enumerate(texts)
            if text and len(text) <= LONGEST_SHOWN and row * _FACTOR // _DIVISOR % every == 0
        ]
        first = islice((text for text in texts if text is not None), 1)
        counts = Counter(text for text in texts if text is not None)
        return self._distinct_texts(index, counts.items, [*first, *some])

    def _distinct_texts(
        self, index: int, counts: Callable[[], Iterable[tuple[str, int]]], sample: Sequence[Any]
    ) -> DistinctTexts:
        source = self.source
        are_texts = cache(lambda: index in self._number_texts([index]))
        may_group = not source.specifies_decimal
        return DistinctTexts(counts, sample, source.decimal, may_group=may_group, are_texts=are_texts)

    def _number_texts(self, indices: Sequence[int]) -> Collection[int]:
        return self.source.number_texts(indices)


class DuckColumns(Columns):
    """The cells in the DuckDB table ``cells`` that a source has stored.

    No statistics are computed here, because DuckDB's means and quantiles differ from run to run.
    """

    def __init__(self, source: TableSource, duck: Duck) -> None:
        self.source, self._duck, self._types = source, duck, source.types
        self._plain: dict[int, bool] = {}
        self.rows = duck.rows("SELECT count(*) FROM cells")[0][0]

    def texts(self, indices: Sequence[int]) -> Iterator[tuple[slice, list[Texts]]]:
        for rows, columns in self._fetched(indices, self._text, TEXTS_AT_ONCE):
            yield rows, [column.tolist() for column in columns]

    def plain_numbers(self, indices: Iterable[int]) -> set[int]:
        unknown = [index for index in indices if index not in self._plain]
        counts = self._aggregated(
            unknown, lambda index: [f"count({self._present(index)})", f"count({self._number(index)})"]
        )
        self._plain |= {index: present == numbers > 0 for index, (present, numbers) in counts.items()}
        return {index for index in indices if self._plain[index]}

    def numbers(self, indices: Sequence[int]) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        return self._fetched(indices, self._number, NUMBERS_AT_ONCE)

    def judged(self, indices: Sequence[int]) -> dict[int, DistinctTexts | ShowsPoint]:
        plain = self.plain_numbers(indices)
        points = self._points(sorted(plain))
        plain -= {index for index, (with_point, grouped) in points.items() if 0 < grouped == with_point}
        number_texts = cache(lambda: frozenset(self._number_texts(sorted(plain))))

        def shows_point(index: int) -> bool | None:
            if index not in number_texts():
                return None
            if index in points:
                with_point, grouped = points[index]
                return with_point > grouped
            if index not in self.source.unclear:
                return True
            fractions = f"count(*) FILTER (c{index} <> trunc(c{index}))"
            return bool(self._aggregated([index], lambda _: [fractions])[index][0])

        texts = self.distinct([index for index in indices if index not in plain])
        return {index: texts[index] if index in texts else partial(shows_point, index) for index in indices}

    def distinct(self, indices: Sequence[int]) -> dict[int, DistinctTexts]:
        if self.rows <= FEW_ROWS:
            step = max(1, TEXTS_AT_ONCE // max(1, self.rows))
            some = (indices[start : start + step] for start in range(0, len(indices), step))
            listed = ((of, columns) for of in some for _, columns in self.texts(of))
            return {
                index: self._counted(index, texts)
                for of, columns in listed
                for index, texts in zip(of, columns, strict=True)
            }
        drawn = f"rowid * {_FACTOR} // {_DIVISOR} % {1 + self.rows // SAMPLE} = 0"
        samples = self._aggregated(
            indices,
            lambda index: [
                f"arg_min({self._text(index)}, rowid)",
                f"list({self._text(index)}) FILTER (length({self._text(index)}) <= {LONGEST_SHOWN} AND {drawn})",
            ],
        )
        return {
            index: self._distinct_texts(index, partial(self.counts, index), [] if first is None else [first, *some])
            for index, (first, some) in samples.items()
        }

    def has_numbers(self, index: int) -> bool:
        return is_number_type(self._types[index])

    def counts(self, index: int) -> Iterator[tuple[str, int]]:
        query = f"SELECT {self._text(index)} AS t, count(*) FROM cells WHERE t IS NOT NULL GROUP BY t"
        return chain.from_iterable(self._duck.batches(query, FEW_ROWS))

    def sorted_texts(self, index: int) -> Iterator[Sequence[str]]:
        query = f"SELECT DISTINCT {self._text(index)} AS t FROM cells WHERE t IS NOT NULL ORDER BY t"
        for some in self._duck.batches(query, FEW_ROWS):
            yield [text for (text,) in some]

    def size_of_texts(self, index: int) -> tuple[int, int]:
        texts = f"SELECT {self._text(index)} AS t FROM cells"
        count, longest = self._duck.rows(f"SELECT count(DISTINCT t), coalesce(max(length(t)), 1) FROM ({texts})")[0]
        return count, longest

    def _number_texts(self, indices: Sequence[int]) -> Collection[int]:
        return self.source.number_texts(indices, self._duck)

    def _points(self, indices: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return for text columns how many cells have a point, and how many a point that may separate thousands."""
        if self.source.specifies_decimal:
            return {}
        return self._aggregated(
            [index for index in indices if self._types[index] == "VARCHAR"],
            lambda index: [
                f"count(*) FILTER (contains(c{index}, '.'))",
                f"count(*) FILTER ({sql_is_grouped(self._text(index))})",
            ],
        )

    def _aggregated(
        self, indices: Sequence[int], expressions: Callable[[int], list[str]]
    ) -> dict[int, tuple[Any, ...]]:
        """Return the values of several aggregate expressions for each column, by index."""
        found: dict[int, tuple[Any, ...]] = {}
        size = len(expressions(0))
        step = FIGURES_AT_ONCE // size
        for start in range(0, len(indices), step):
            some = indices[start : start + step]
            selected = ", ".join(
                f"{text} AS a{index}_{n}" for index in some for n, text in enumerate(expressions(index))
            )
            figures = iter(self._duck.rows(f"SELECT {selected} FROM cells")[0])
            found |= {index: tuple(islice(figures, size)) for index in some}
        return found

    def _fetched(
        self, indices: Sequence[int], expression: Callable[[int], str], at_once: int
    ) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """Yield slices of rows with the values of an expression for each column, at most `at_once` cells at a time."""
        step = max(1, at_once // max(1, min(len(indices), MAX_EXPRESSIONS // 2)))
        for first in range(0, self.rows, step):
            rows = slice(first, min(first + step, self.rows))
            columns: list[NDArray[Any]] = []
            for start in range(0, len(indices), MAX_EXPRESSIONS // 2):
                some = indices[start : start + MAX_EXPRESSIONS // 2]
                selected = ", ".join(f"{expression(index)} AS n{n}" for n, index in enumerate(some))
                where = f"WHERE rowid >= {rows.start} AND rowid < {rows.stop}"
                columns += self._duck.columns(f"SELECT {selected} FROM cells {where}")
            yield rows, columns

    def _present(self, index: int) -> str:
        """Return the SQL expression for a cell, null if it is certainly missing."""
        return f"nullif(c{index}, 'nan')" if self._types[index] in FRACTIONAL else f"c{index}"

    def _number(self, index: int) -> str:
        """Return the SQL expression for the plain number in a cell, null otherwise."""
        of, cell = self._types[index], f"c{index}"
        if is_whole_type(of):
            return f"CASE WHEN {cell} BETWEEN -{LARGEST_WHOLE} AND {LARGEST_WHOLE} THEN {cell}::DOUBLE END"
        if of in FRACTIONAL:
            return f"CASE WHEN isfinite({cell}) THEN {cell}::DOUBLE END"
        if is_number_type(of):
            return f"{cell}::DOUBLE"
        return sql_plain_number(cell) if of == "VARCHAR" and self.source.decimal == "." else "NULL::DOUBLE"

    def _text(self, index: int) -> str:
        """Return the SQL expression for the trimmed text of a cell, null if missing."""
        of, cell = self._types[index], f"c{index}"
        if of == "VARCHAR":
            return sql_trimmed(cell, self.source.missing)
        if of in FRACTIONAL:
            return f"CASE WHEN NOT isnan({cell}) THEN {cell}::DOUBLE::VARCHAR END"
        return sql_trimmed(f"{cell}::VARCHAR", ("",))
