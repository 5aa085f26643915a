"""Questions about the cells of a table that DuckDB holds: what they are, their numbers, and their texts.

Whatever is fitted is computed elsewhere: DuckDB's own means and quantiles differ from run to run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic
from specnet.parts.data.column_kinds import LONGEST_SHOWN, ColumnKind
from specnet.parts.data.notations import Notation
from specnet.parts.data.tables.cells import (
    LARGEST_WHOLE,
    PAIRS,
    are_pair,
    boolean,
    sql_boolean,
    sql_category,
    sql_days,
    sql_has_zone,
    sql_is_grouped,
    sql_number,
    sql_pair,
    sql_plain_number,
    sql_trimmed,
)
from specnet.parts.data.tables.duck import MOST_EXPRESSIONS, Duck
from specnet.parts.data.tables.judging import MOST_MARKERS, SAMPLE, CellFacts, Verdict, verdicts
from specnet.parts.data.tables.source import Mistake, TableSource
from specnet.parts.data.tables.types import FRACTIONAL, is_number_type, is_whole_type

NUMBERS_AT_ONCE = 2**23
"""How many cells are fetched together: 64 MB."""
FIGURES_AT_ONCE = MOST_EXPRESSIONS // 4
"""Their expressions are long: planning four times as many together takes more than four times as long."""
TEXTS_AT_ONCE = 2**15
LARGEST_TEXTS = 2**30
"""Bytes that the texts of a category may take."""
_NULL_END = "suffix(x, chr(0))"


@dataclass(frozen=True, slots=True)
class Misfits:
    """CellFacts of a column that do not fit its kind: how many, the row of the first, and its text and some others."""

    count: int
    row: int
    cells: tuple[str, ...]


class Store:
    """The cells of a source's files, in DuckDB's table ``cells``.

    Parameters
    ----------
    duck : Duck
    source : TableSource
        Its table is there.
    """

    def __init__(self, duck: Duck, source: TableSource) -> None:
        self._duck, self._source = duck, source
        self._types = source.types
        self._all_quick: set[int] = set()
        self.rows: int = duck.rows("SELECT count(*) FROM cells")[0][0]

    def verdicts(self, places: Sequence[int]) -> dict[int, Verdict]:
        """Return what columns are, judged by all their cells."""
        counts = self._counted(places)
        plain = [place for place in places if counts[place][0] == counts[place][1] > 0]
        points = self._points(plain)
        grouped = {place for place, (with_point, may_group) in points.items() if 0 < may_group == with_point}
        others = [place for place in places if place not in plain or place in grouped]
        # Every so many rows would be the same ones again where cells repeat.
        some = f"(place * 40503) // 64 % {1 + self.rows // SAMPLE} = 0"
        words = self._aggregated(
            others,
            lambda place: [
                f"count(t{place})",
                f"count({sql_days(f't{place}')})",
                *(f"count(*) FILTER ({sql_pair(f't{place}', pair)})" for pair in PAIRS),
                f"arg_min(t{place}, place)",
                f"list(t{place}) FILTER (length(t{place}) <= {LONGEST_SHOWN} AND {some})",
            ],
        )
        names = {place: self._source.names[place] for place in places}
        texts = cache(lambda: frozenset(self._source.number_texts(self._duck, plain)))
        facts = {
            name: self._cells(place, counts[place], words.get(place), points.get(place), texts)
            for place, name in names.items()
        }
        found = verdicts(facts, self._source.decimal if self._source.specifies_decimal else None)
        return {place: found[name] for place, name in names.items()}

    def _cells(
        self,
        place: int,
        counts: tuple[int, ...],
        words: tuple[Any, ...] | None,
        points: tuple[int, int] | None,
        texts: Callable[[], Collection[int]],
    ) -> CellFacts:
        """Return what is known of a column; without words it is numbers."""
        cells, numbers = counts
        present, dates, *pairs, first, some = words or (cells, 0, None, None)
        return CellFacts(
            present,
            numbers,
            dates,
            present in pairs,
            [first, *(some or ())],
            partial(self._fitting, place),
            partial(self._differ, place),
            partial(self._rows_of_texts, place),
            partial(self._outside, place),
            partial(self._values, place),
            lambda: place in texts(),
            points is not None and 0 < points[1] == points[0],
            partial(self._shows_point, place) if points is None else lambda: points[0] > points[1],
            partial(self.zones, place),
        )

    def _fitting(self, place: int, notations: Sequence[Notation]) -> tuple[int, ...]:
        counted = [f"count({notation.sql(f't{place}')})" for notation in notations]
        return self._aggregated([place], lambda _: counted)[place]

    def _differ(self, place: int, one: Notation, other: Notation) -> bool:
        differing = f"count(*) FILTER ({one.sql(f't{place}')} <> {other.sql(f't{place}')})"
        return bool(self._aggregated([place], lambda _: [differing])[place][0])

    def _rows_of_texts(self, place: int) -> NDArray[np.intp]:
        texts = f"SELECT {sql_category(self._text(place))} AS x FROM cells"
        (counts,) = self._duck.columns(f"SELECT count(*) AS n FROM ({texts}) WHERE x IS NOT NULL GROUP BY x")
        return counts

    def _outside(self, place: int, notation: Notation) -> dict[str, int]:
        rows = self._duck.rows(
            f"SELECT t{place}, count(*) AS n FROM ({self._inner([place], f't{place}')}) WHERE t{place} IS NOT NULL"
            f" AND ({notation.sql(f't{place}')}) IS NULL GROUP BY t{place} ORDER BY n DESC, t{place}"
            f" LIMIT {MOST_MARKERS + 1}"
        )
        return dict(rows)

    def _values(self, place: int, notation: Notation) -> NDArray[np.float64]:
        selected = f"SELECT DISTINCT {notation.sql(f't{place}')} AS x FROM ({self._inner([place], f't{place}')})"
        (found,) = self._duck.columns(f"SELECT x FROM ({selected}) WHERE x IS NOT NULL AND NOT isnan(x) ORDER BY x")
        return np.asarray(found, np.float64)

    def _points(self, places: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return how many cells have a point, and in how many it may separate thousands, of columns of texts."""
        if self._source.specifies_decimal:
            return {}
        texts = [place for place in places if self._types[place] == "VARCHAR"]
        return self._aggregated(
            texts,
            lambda place: [
                f"count(*) FILTER (contains(t{place}, '.'))",
                f"count(*) FILTER ({sql_is_grouped(f't{place}')})",
            ],
        )

    def _shows_point(self, place: int) -> bool:
        """Return whether a column of texts that is stored as numbers has a fraction."""
        fractions = f"count(*) FILTER (f{place} <> trunc(f{place}))"
        return bool(self._aggregated([place], lambda _: [fractions])[place][0])

    def zones(self, place: int) -> int:
        """Return how many cells of a column of dates have a time zone."""
        zoned = f"count(*) FILTER ({sql_has_zone(f't{place}')})"
        found: int = self._aggregated([place], lambda _: [zoned])[place][0]
        return found

    def boolean_words(self, place: int) -> tuple[str, str] | None:
        """Return the most frequent text for false and for true, where all cells are of one pair; else None."""
        if is_number_type(self._types[place]):
            return None
        found: dict[float | None, list[str]] = {}
        for (text,) in self._duck.rows(
            f"SELECT t{place} FROM ({self._inner([place], f't{place}')}) WHERE t{place} IS NOT NULL"
            f" GROUP BY t{place} ORDER BY count(*) DESC, t{place}"
        ):
            found.setdefault(boolean(text), []).append(text)
        if found.keys() != {0.0, 1.0}:
            return None
        pairs = {(false.lower(), true.lower()) for false in found[0.0] for true in found[1.0]}
        return (found[0.0][0], found[1.0][0]) if len(pairs) == 1 and are_pair(*pairs) else None

    def _counted(self, places: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Return how many cells columns have, and how many of these are numbers.

        Where all are had quickly, the longer expressions are spared: many columns of them take long to plan.
        """
        counts = self._aggregated(places, lambda place: [f"count(c{place})", f"count(f{place})"])
        self._all_quick |= {place for place, (cells, quick) in counts.items() if cells == quick}
        others = [place for place in places if place not in self._all_quick]
        slow = self._aggregated(others, lambda place: [f"count({self._number(place)})"])
        return counts | {place: (counts[place][0], *slow[place]) for place in others}

    def _number(self, place: int) -> str:
        if place in self._all_quick or is_number_type(self._types[place]):
            return f"f{place}"
        return f"coalesce(f{place}, {sql_number(f'x{place}', self._source.decimal)})"

    def value(self, place: int, kind: ColumnKind) -> str:
        """Return the expression of a column's cells as numbers, of any kind but category."""
        if not isinstance(kind, str):
            if kind.type != "numeric" or not is_number_type(self._types[place]):
                return kind.sql(f"t{place}")
            missing = ", ".join(f"{each!r}::DOUBLE" for each in kind.missing_numbers)
            return f"CASE WHEN f{place} IN ({missing}) THEN 'nan'::DOUBLE ELSE f{place} END" if missing else f"f{place}"
        if kind == "numeric":
            return self._number(place)
        return sql_boolean(f"t{place}") if kind == "boolean" else sql_days(f"t{place}")

    def misfits(self, values: dict[int, str], most: int) -> dict[int, Misfits]:
        """Return which columns have cells that are there without a value; of so many columns at least, if there are.

        Parameters
        ----------
        values : dict of int to str
            An expression for each place.
        most : int
        """

        def of_wrong(place: int) -> list[str]:
            wrong = f"FILTER (t{place} IS NOT NULL AND ({values[place]}) IS NULL)"
            figures = ("count(*)", "min(place)", f"arg_min(t{place}, place)", f"min(t{place})", f"max(t{place})")
            return [f"{figure} {wrong}" for figure in figures]

        found: dict[int, Misfits] = {}
        remaining = iter(values)
        while len(found) < most and (some := list(islice(remaining, FIGURES_AT_ONCE // 2))):
            counts = self._aggregated(some, lambda place: [f"count(c{place})", f"count({values[place]})"])
            suspects = [place for place, (cells, right) in counts.items() if cells > right]
            wrong = self._aggregated(suspects, of_wrong)
            found |= {
                place: Misfits(count, row, tuple(dict.fromkeys(texts)))
                for place, (count, row, *texts) in wrong.items()
                if count
            }
        return found

    def fill(self, table: NDArray[np.float64], values: Sequence[tuple[int, int, str]]) -> None:
        """Fill columns of a table (rows, columns) with expressions as numbers, NaN where these are null.

        Parameters
        ----------
        table : ndarray (rows, columns)
        values : sequence of (int, int, str)
            Which column of the table, and the place and the expression of the column of cells.
        """
        columns = min(len(values), MOST_EXPRESSIONS // 2)
        rows = max(1, NUMBERS_AT_ONCE // max(1, columns))
        for first_row in range(0, self.rows, rows):
            some_rows = slice(first_row, min(first_row + rows, self.rows))
            for start in range(0, len(values), max(1, columns)):
                some = values[start : start + columns]
                selected = ", ".join(f"{value} AS n{index}" for index, _, value in some)
                inner = self._inner([place for _, place, _ in some], selected, some_rows)
                fetched = self._duck.columns(f"SELECT {selected} FROM ({inner})")
                for (index, _, _), column in zip(some, fetched, strict=True):
                    table[some_rows, index] = np.ma.filled(column, np.nan)

    def codes(self, place: int) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
        """Return the index of each cell's text among the distinct ones, NaN where it is missing, and these."""
        text = sql_category(self._text(place))
        self._duck.rows(
            "CREATE OR REPLACE TABLE kept AS SELECT x, row_number() OVER (ORDER BY x) - 1 AS code"
            f" FROM (SELECT DISTINCT {text} AS x FROM cells) WHERE x IS NOT NULL"
        )
        of_all = f"SELECT count(*), coalesce(max(length(x)), 1), count(*) FILTER ({_NULL_END}) FROM kept"
        count, longest, null_ends = self._duck.rows(of_all)[0]
        if null_ends:  # NumPy would make such a text another one's
            first = f"SELECT min(place) FROM (SELECT rowid AS place, {text} AS x FROM cells) WHERE {_NULL_END}"
            row: int = self._duck.rows(first)[0][0]
            message = f'column "{self._source.names[place]}": text ends in a null character in row {row + 1}'
            raise self._source.refusal([Mistake(row, place, "encoding", message)])
        if count * longest * 4 > LARGEST_TEXTS:
            name = self._source.names[place]
            message = f'column "{name}": {count} texts of up to {longest} characters do not fit into memory'
            raise DataError(Diagnostic("too-large", message, source=self._source.paths[0]))
        rows, found = self._duck.columns(
            "SELECT cell.place, kept.code FROM kept"
            f" JOIN (SELECT rowid AS place, {text} AS x FROM cells) cell ON cell.x = kept.x"
        )
        codes = np.full(self.rows, np.nan)
        codes[rows] = found
        del rows, found  # before there are texts too
        texts = np.empty(count, f"U{longest}")
        start = 0
        for some in self._duck.batches("SELECT x FROM kept ORDER BY code", TEXTS_AT_ONCE):
            texts[start : start + len(some)] = [x for (x,) in some]
            start += len(some)
        self._duck.rows("DROP TABLE kept")
        return codes, texts

    def _aggregated(self, places: Sequence[int], expressions: Callable[[int], list[str]]) -> dict[int, tuple[Any, ...]]:
        """Return several figures of each column."""
        found: dict[int, tuple[int, ...]] = {}
        remaining = iter(places)
        step = FIGURES_AT_ONCE // len(expressions(places[0])) if places else 1
        while some := list(islice(remaining, step)):
            asked = [expressions(place) for place in some]
            selected = ", ".join(f"{text} AS a{index}" for index, text in enumerate(chain.from_iterable(asked)))
            (figures,) = self._duck.rows(f"SELECT {selected} FROM ({self._inner(some, selected)})")
            each = iter(figures)
            found |= {place: tuple(islice(each, len(texts))) for place, texts in zip(some, asked, strict=True)}
        return found

    def _inner(self, places: Sequence[int], asked: str, rows: slice | None = None) -> str:
        """Return the query of columns, as far as they are asked for, and of some rows.

        For each there is c…, the cell as it is; t…, its trimmed text, null where it is missing; f…, its number where
        that is quickly had; and x…, the text where it is not.
        """
        used = set(re.findall(r"\b[cfxt][0-9]+\b", asked))
        selected = ["rowid AS place"]
        for place in dict.fromkeys(places):
            fast, text = self._fast(place), self._text(place)
            sparing = f"CASE WHEN {fast} IS NULL THEN {text} END"
            columns = {f"c{place}": f"c{place}", f"t{place}": text, f"f{place}": fast, f"x{place}": sparing}
            selected += [f"{expression} AS {name}" for name, expression in columns.items() if name in used]
        some = "" if rows is None else f" WHERE rowid >= {rows.start} AND rowid < {rows.stop}"
        return f"SELECT {', '.join(selected)} FROM cells{some}"

    def _fast(self, place: int) -> str:
        of, cell = self._types[place], f"c{place}"
        if is_whole_type(of):
            return f"CASE WHEN {cell} BETWEEN -{LARGEST_WHOLE} AND {LARGEST_WHOLE} THEN {cell}::DOUBLE END"
        if of in FRACTIONAL:
            return f"CASE WHEN isfinite({cell}) THEN {cell}::DOUBLE END"
        if is_number_type(of):
            return f"{cell}::DOUBLE"
        if of == "VARCHAR" and self._source.decimal == ".":
            return sql_plain_number(cell, self._source.plain_numbers)
        return "NULL::DOUBLE"

    def _text(self, place: int) -> str:
        of, cell = self._types[place], f"c{place}"
        if of == "VARCHAR":
            return sql_trimmed(cell, self._source.missing)
        if of in FRACTIONAL:
            return f"CASE WHEN NOT isnan({cell}) THEN {cell}::DOUBLE::VARCHAR END"
        return sql_trimmed(f"{cell}::VARCHAR", ("",))
