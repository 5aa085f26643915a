"""Judging the kind of a column that the spec does not specify, by its distinct texts and the other columns."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from heapq import nsmallest
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.errors import Diagnostic, OneOfMany
from specnet.parts.data.column_kinds import (
    KINDS_IN_WORDS,
    ROWS_TO_A_CATEGORY,
    ColumnKind,
    are_frequent,
    kind_of,
    shown_cell,
)
from specnet.parts.data.notations import (
    DatetimeFormat,
    DurationFormat,
    LocalDatetime,
    Notation,
    NumberFormat,
    notations_of,
)
from specnet.parts.data.tables.cells import (
    PAIRS,
    Reader,
    boolean,
    category,
    days,
    has_zone,
    is_grouped,
    is_inexact,
    number,
)
from specnet.parts.data.tables.setting_hints import column_key, setting

SHARE_OF_ALL = 0.9
"""Minimum share of numbers (or dates) in a column of numbers (or dates); its other cells are mistakes."""
RARE_TEXT = f"mostly text that fewer than {ROWS_TO_A_CATEGORY} rows share"
UNIQUE_TEXT = f"text that no {ROWS_TO_A_CATEGORY} rows share"
USELESS = {
    "text": RARE_TEXT,
    "unique-text": UNIQUE_TEXT,
    "too-large": "mostly whole numbers beyond 2⁵³, which are not exact",
}
"""The description of an ignored column in messages, by the reason."""
MARKERS = frozenset({"n/a", "#N/A", "None", "-", ".", "?"})
"""Texts that mean a missing value if all other cells of the column are numbers."""
MAX_MARKERS = 3
"""Maximum number of distinct texts in a column of numbers that may mean a missing value."""

SAMPLE = 50
"""Approximate number of cells, spread over all rows, that suggest the possible notations of a column."""
EXPECTED = {
    "numeric": ("not-a-number", "a finite number"),
    "boolean": ("not-a-boolean", "true or false, or yes or no"),
    "datetime": ("not-a-datetime", "a date such as 2024-01-31"),
}
"""The error code of a cell that does not fit its column's kind, and the expected cell, by kind."""

Reason = Literal["", "empty", "text", "unique-text", "too-large", "not-a-number", "not-a-datetime"]


class DistinctTexts:
    """The distinct texts of a column, trimmed and not missing, each with its number of rows.

    Parameters
    ----------
    counts : callable
        Returns the texts and their numbers of rows. Each call reads the texts of a large column from DuckDB again.
    sample : sequence of str
        Some of the texts, including the first.
    decimal : str
        The decimal character of plain numbers.
    may_group : bool
        Whether a point may separate thousands; False if the spec specifies the decimal character.
    are_texts : callable
        Returns whether the numbers are texts in their file. If so, other columns help to judge their notation.

    Attributes
    ----------
    present, numbers, dates, zones : int
        Numbers of rows with a text, a plain number, a plain date, and a plain date with a time zone.
    are_pair : bool
        Whether all texts are of one pair of booleans.
    notations, fitting : list of Notation
        Common notations that at least one text of the sample is in; the ones among them that all texts are in.
    is_grouped : bool
        Whether some texts have a point, and each of these points may separate thousands.
    shows_point : bool
        Whether a text has a point that certainly does not separate thousands.
    """

    def __init__(
        self,
        counts: Callable[[], Iterable[tuple[str, int]]],
        sample: Sequence[str],
        decimal: str = ".",
        *,
        may_group: bool = True,
        are_texts: Callable[[], bool] = lambda: True,
    ) -> None:
        self.counts, self.sample, self.are_texts = counts, sample, are_texts
        self.present = self.numbers = self.dates = self.zones = 0
        self.is_grouped = self.shows_point = False
        is_plain = all(boolean(text) is not None or days(text) is not None for text in sample)
        is_plain = is_plain or all(number(text, decimal) is not None for text in sample)
        self.notations = [] if is_plain else notations_of(sample)
        fitting = [(notation, notation.reader) for notation in self.notations]
        pairs = list(PAIRS)
        for text, rows in counts():
            self.present += rows
            if number(text, decimal) is not None:
                self.numbers += rows
            elif days(text) is not None:
                self.dates += rows
                self.zones += rows * has_zone(text)
            if fitting:
                fitting = [each for each in fitting if each[1](text) is not None]
            if pairs:
                lower = text.lower()
                pairs = [pair for pair in pairs if lower in pair]
            if may_group and not self.shows_point and "." in text:
                self.is_grouped = is_grouped(text)
                self.shows_point = not self.is_grouped
        self.are_pair = bool(pairs) and self.present > 0
        self.fitting = [notation for notation, _ in fitting]

    def rows_in(self, notations: Sequence[Notation]) -> list[int]:
        """Return for each notation the number of rows whose text is in it."""
        found, readers = [0] * len(notations), [notation.reader for notation in notations]
        for text, rows in self.counts() if notations else ():
            for index, read in enumerate(readers):
                found[index] += rows * (read(text) is not None)
        return found

    def differ(self, one: Notation, other: Notation) -> bool:
        """Return whether two notations read at least one text as two different numbers."""
        pairs = ((one.reader(text), other.reader(text)) for text, _ in self.counts())
        return any(a is not None and b is not None and a != b and not math.isnan(a) for a, b in pairs)

    def outside(self, notation: Notation) -> dict[str, int]:
        """Return the most frequent texts outside a notation, up to `MAX_MARKERS` + 1, with their numbers of rows."""
        read = notation.reader
        others = ((-rows, text) for text, rows in self.counts() if read(text) is None)
        return {text: -rows for rows, text in nsmallest(MAX_MARKERS + 1, others)}

    def rows_of_categories(self) -> NDArray[np.intp]:
        """Return the number of rows of each category."""
        rows = np.fromiter((rows for _, rows in self.counts()), np.intp)
        same = {text: category(text) for text, _ in self.counts() if text.endswith(".0") and category(text) != text}
        if not same:
            return rows
        found: Counter[str] = Counter()
        for text, count in self.counts():
            found[same.get(text, text)] += count
        return np.array([*found.values()], np.intp)

    def values(self, notation: Notation) -> NDArray[np.float64]:
        """Return the distinct numbers, ascending, that a notation reads from the texts."""
        read = notation.reader
        return np.unique([value for text, _ in self.counts() if (value := read(text)) is not None and value == value])


class Assumption(NamedTuple):
    """An assumption about ambiguous cells of a column: its description, and the kinds for the other readings."""

    text: str
    others: tuple[ColumnKind, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The kind that a column is judged to be.

    Attributes
    ----------
    kind : ColumnKind
    reason : str
        The reason why the column is ignored, or the error code of its cells that do not fit.
    notations : tuple of Notation
        Notations that all or nearly all cells are in, but that are not the kind, because no cell decides between
        several notations, or because some cells are in no notation.
    example : str
        A cell that is in all of `notations`.
    is_open : bool
        Whether all cells are in each of several notations, so that other columns can decide.
    markers : tuple of (str, int)
        Texts that may mean a missing value in the only notation, and their numbers of rows.
    assumption : Assumption or None
        The assumption that the kind depends on, if any.
    """

    kind: ColumnKind
    reason: Reason = ""
    notations: tuple[Notation, ...] = ()
    example: str = ""
    is_open: bool = False
    markers: tuple[tuple[str, int], ...] = ()
    assumption: Assumption | None = None


NUMERIC = Verdict("numeric")
ShowsPoint = Callable[[], bool | None]
"""Returns whether a column of plain numbers has a decimal point; None if its cells are not texts."""


def verdicts(columns: Mapping[str, DistinctTexts | ShowsPoint], decimal: str | None = None) -> dict[str, Verdict]:
    """Return the verdict on each column of a table, by name.

    If the texts of a column are in several notations, the notation that the other columns show decides.

    Parameters
    ----------
    columns : mapping of str to DistinctTexts or callable
        A callable stands for a column of plain numbers whose texts are not needed.
    decimal : str, optional
        The decimal character, if the spec specifies it.
    """
    found = {name: _verdict(each) if isinstance(each, DistinctTexts) else NUMERIC for name, each in columns.items()}
    is_open = [name for name, each in found.items() if each.is_open]
    commas = [each for each in found.values() if isinstance(each.kind, NumberFormat) and each.kind.decimal == ","]
    if not (is_open or commas):
        return found
    points = {name: _shows_point(columns[name]) for name, each in found.items() if each == NUMERIC}
    shown: dict[str, str] = {} if decimal is None else {decimal: ""}
    orders: dict[str, str] = {}
    for name, each in found.items():
        if isinstance(each.kind, DatetimeFormat):
            orders.setdefault(_order(each.kind), name)
        if decimal is not None:
            continue
        if points.get(name):
            shown.setdefault(".", name)
        elif isinstance(each.kind, NumberFormat) and _needs_decimal(each.kind, columns[name]):
            shown.setdefault(each.kind.decimal, name)
    for name in is_open:
        found[name] = _decided(found[name], columns[name], shown, orders)
    if decimal is None and [*shown] == [","]:
        # In these columns of whole numbers, a cell 1.877 of another file means 1877 too.
        whole = [name for name, point in points.items() if found[name].kind == "numeric" and point is False]
        found |= {name: Verdict(NumberFormat(type="numeric", decimal=",")) for name in whole}
    return found


def _shows_point(column: DistinctTexts | ShowsPoint) -> bool | None:
    if not isinstance(column, DistinctTexts):
        return column()
    return column.shows_point if column.are_texts() else None


def _needs_decimal(notation: NumberFormat, column: DistinctTexts | ShowsPoint) -> bool:
    """Return whether fewer texts of a column are numbers if the decimal character is the other one."""
    assert isinstance(column, DistinctTexts), "others are plain numbers"
    own, other = (notation.model_copy(update={"decimal": each}) for each in (notation.decimal, _other(notation)))
    if own in column.fitting:
        return other not in column.fitting
    rows = column.rows_in([own, other])
    return rows[0] > rows[1]


def _other(notation: NumberFormat) -> Literal[".", ","]:
    return "," if notation.decimal == "." else "."


def _order(notation: DatetimeFormat) -> str:
    """Return the order of day, month and year in a format."""
    return "".join(re.findall("%([dmy])", notation.format.replace("%Y", "%y").replace("%b", "%m").replace("%B", "%m")))


def _decided(
    found: Verdict, column: DistinctTexts | ShowsPoint, shown: Mapping[str, str], orders: Mapping[str, str]
) -> Verdict:
    """Return the verdict on an open column after the other columns decide; unchanged if they do not agree.

    `shown` and `orders` have the decimal characters and the orders of day, month and year that other columns show.
    """
    assert isinstance(column, DistinctTexts), "others are not open"
    are_dates = isinstance(found.notations[0], DatetimeFormat)
    known = orders if are_dates else shown
    fitting = [
        each
        for each in found.notations
        if (_order(each) if isinstance(each, DatetimeFormat) else getattr(each, "decimal", "")) in known
    ]
    if len(known) != 1 or len(fitting) != 1:
        return found
    (chosen,), (name,) = fitting, known.values()
    others = tuple(each for each in found.notations if each != chosen)
    is_plain = column.numbers == column.present and isinstance(chosen, NumberFormat) and chosen.decimal == "."
    kind: ColumnKind = "numeric" if is_plain else chosen
    if not name:
        return Verdict(kind)
    text = f'"{shown_cell(found.example)}" is read as {chosen.shown(found.example)}, as in column "{name}"'
    return Verdict(kind, assumption=Assumption(text, others))


def _verdict(column: DistinctTexts) -> Verdict:
    """Return the verdict on a column from its own texts alone."""
    present = column.present
    if not present:
        return Verdict("ignore", "empty")
    if column.are_pair:
        return Verdict("boolean")
    if column.numbers == present and not (column.is_grouped and column.are_texts()):
        return NUMERIC
    if column.dates == present:
        return Verdict("datetime", assumption=_mixed_zones(column))
    markers: Mapping[str, int] = {}
    if column.fitting:
        counts = [(notation, present) for notation in column.fitting]
    else:
        notations = column.notations or notations_of(column.sample)
        counts = list(zip(notations, column.rows_in(notations), strict=True))
        markers = _markers(counts, column)
    marked = present - sum(markers.values()) if markers.keys() <= MARKERS else present
    fitting = [notation for notation, count in counts if count == marked]
    if marked < present:
        fitting = [each.with_missing(sorted(markers)) for each in fitting if not isinstance(each, DatetimeFormat)]
    whole = _distinguished(fitting, column)
    # If some cells have a unit and others are plain numbers, 10 % may mean 0.1 or 10.
    is_mixed = bool(column.numbers) and any(isinstance(each, NumberFormat) and each.unit for each in whole)
    if len(whole) == 1 and not is_mixed:
        return _assuming(whole[0], column)
    is_open = len(whole) > 1 and not is_mixed
    if column.numbers >= SHARE_OF_ALL * present and not is_open:
        return Verdict("numeric", "not-a-number", tuple(whole))
    if column.dates >= SHARE_OF_ALL * present:
        return Verdict("datetime", "not-a-datetime")
    rows_of_texts = column.rows_of_categories()
    kind: ColumnKind = "category" if are_frequent(rows_of_texts) else "ignore"
    reason: Reason = ""
    if kind == "ignore":
        reason = "text" if rows_of_texts.max() >= ROWS_TO_A_CATEGORY else "unique-text"
        if all(map(is_inexact, column.sample)):
            reason = "too-large"
    nearly = whole or [notation for notation, count in counts if count >= SHARE_OF_ALL * present]
    if nearly:
        return Verdict(kind, reason, tuple(nearly), _example(column.sample, nearly), is_open)
    if markers and _are_markers(markers, rows_of_texts, kind == "category"):
        best = max(counts, key=lambda each: each[1])[0]
        example = _example(column.sample, [best])
        return Verdict(kind, reason, (best.with_missing([*markers]),), example, markers=tuple(markers.items()))
    return Verdict(kind, reason)


def _markers(counts: Sequence[tuple[Notation, int]], column: DistinctTexts) -> Mapping[str, int]:
    """Return the texts outside the best notation, with their numbers of rows; empty unless they are a few words."""
    if not counts:
        return {}
    outside = column.outside(max(counts, key=lambda each: each[1])[0])
    are_words = not any(re.search("[0-9]", text) for text in outside)
    return outside if are_words and len(outside) <= MAX_MARKERS else {}


def _are_markers(markers: Mapping[str, int], rows_of_texts: NDArray[np.intp], are_categories: bool) -> bool:
    """Return whether a column of numbers and a few texts has real numbers, rather than codes made of digits."""
    if are_categories:
        return len(markers) == 1 and bool(2 * sum(markers.values()) <= rows_of_texts.sum())
    return len(rows_of_texts) - len(markers) > MAX_MARKERS


def _assuming(notation: Notation, column: DistinctTexts) -> Verdict:
    """Return the verdict on a column whose cells are all in one notation, with the assumption that it needs."""
    if isinstance(notation, DatetimeFormat) and notation.has_short_years:
        return _with_century(notation, column)
    clocks = sorted((text for text in column.sample if text.count(":") == 1), key=len, reverse=True)
    if isinstance(notation, DurationFormat) and clocks and notation.duration == "minutes":
        text = f'"{shown_cell(clocks[0])}" is read as {notation.shown(clocks[0])}'
        others: list[Notation] = [notation.model_copy(update={"duration": "seconds"})]
        time_of_day = DatetimeFormat(type="datetime", format="%H:%M")
        if column.rows_in([time_of_day])[0] == column.present:
            others.append(time_of_day)
        return Verdict(notation, assumption=Assumption(text, tuple(others)))
    return Verdict(notation)


def _with_century(notation: DatetimeFormat, column: DistinctTexts) -> Verdict:
    """Return the verdict on dates with two-digit years, choosing the hundred years that make their range small.

    By default 69 is 1969 and 68 is 2068. If this spreads the years more than necessary, the hundred years end in the
    middle of the longest gap between years of the column instead.
    """
    days = np.floor(column.values(notation)).astype(np.int64).astype("datetime64[D]")
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    short = np.unique(years % 100)
    gaps = np.diff(np.append(short, short[0] + 100))
    widest = int(gaps.argmax())
    first = int(short[(widest + 1) % len(short)])
    span = int((short[widest] - first) % 100)
    found, other = notation, notation.model_copy(update={"last_year": int(years.max()) - 100})
    if years.max() - years.min() > span:
        last_year = 1900 + first + span + int(gaps[widest]) // 2
        found, other = notation.model_copy(update={"last_year": last_year}), notation
    elif years.max() <= datetime.now(UTC).year:
        return Verdict(notation)
    example = next((text for text in column.sample if found.value(text) != other.value(text)), column.sample[0])
    text = f'"{shown_cell(example)}" is read as {found.shown(example)}'
    return Verdict(found, assumption=Assumption(text, (other,)))


def _mixed_zones(column: DistinctTexts) -> Assumption | None:
    """Return the assumption that times without a zone are UTC, if only some of the times have a zone; else None."""
    without = column.present - column.zones
    if without in (0, column.present):
        return None
    return Assumption(f"{without} of {column.present} times have no zone, and are read as UTC")


def _distinguished(notations: Sequence[Notation], column: DistinctTexts) -> list[Notation]:
    """Return the notations that all cells are in, without duplicates that read the same numbers or dates."""
    # May has the same form in %b and %B.
    dates = {each.format.replace("%B", "%b"): each for each in notations if isinstance(each, DatetimeFormat)}
    numbers = [each for each in notations if not isinstance(each, DatetimeFormat)]
    if len(numbers) > 1 and not column.differ(*numbers):
        del numbers[1:]
    return [*dates.values(), *numbers]


def _example(sample: Sequence[str], notations: Sequence[Notation]) -> str:
    """Return the text of a sample that is in all notations and that they read as the most different values."""
    fitting = [text for text in sample if all(_is_number(each, text) for each in notations)]
    return max(fitting, key=lambda text: len({each.value(text) for each in notations}), default=sample[0])


def _is_number(notation: Notation, text: str) -> bool:
    value = notation.value(text)
    return value is not None and not np.isnan(value)


def assumed(name: str, found: Verdict, source: str | None, *, is_file: bool = True) -> Iterator[Diagnostic]:
    """Yield the warning about the assumption behind the kind of a column, if the verdict has one."""
    if found.assumption is None:
        return
    hint = None
    if found.assumption.others and is_file:
        others = setting(column_key(name), *(_written(each) for each in found.assumption.others))
        hint = f"for another reading, {others}"
    message = f'column "{name}": {found.assumption.text}'
    yield Diagnostic("assumed-notation", message, source=source, hint=hint, table_column=name)


def _written(kind: ColumnKind) -> str:
    return f'"{kind}"' if isinstance(kind, str) else kind.written()


def left_as_text(
    name: str, found: Verdict, source: str | None, hint: Callable[[str], str] | None = None
) -> Diagnostic | None:
    """Return the warning about a text column that is ignored, or may be numbers or dates; None for other columns.

    Parameters
    ----------
    name : str
    found : Verdict
    source : str or None
        The file.
    hint : callable, optional
        Returns the hint for a column name; default: the hint to change the spec.
    """
    kind = kind_of(found.kind)
    if kind not in ("ignore", "category") or not (found.notations or found.reason in USELESS):
        return None
    of_many = "are ignored" if kind == "ignore" else "are categories"
    if found.notations:
        code, why, item = "other-notation", doubt(found), f'"{name}" ({doubt(found)})'
        hint = hint or (lambda column: notation_hint(column, found.notations))
    else:
        code, why, item = "ignored-column", f"it is {USELESS[found.reason]}", f'"{name}"'
        of_many += f", {USELESS[found.reason]}"
        # If every text is rare, categories would be useless.
        kinds = ['"category"'] * (found.reason != "unique-text") + ['"ignore"']
        hint = hint or (lambda column: setting(column_key(column), *kinds))
    message = f'column "{name}" is {KINDS_IN_WORDS[kind]}: {why}'
    word, _, settings = hint(name).partition(" ")
    several = OneOfMany(item, of_many, word, settings)
    return Diagnostic(code, message, source=source, hint=hint(name), of_many=several, table_column=name)


def feature_hint(warnings: Iterable[Diagnostic]) -> str:
    """Return the hint how to get features from a table that has none: the first useful hint of its warnings."""
    hints = (each.hint for each in warnings if each.hint and UNIQUE_TEXT not in each.message)
    return next(hints, f"add columns of numbers or dates, or texts that {ROWS_TO_A_CATEGORY} rows or more share")


def notation_hint(name: str, notations: Sequence[Notation]) -> str:
    """Return the hint to set the kind of a column to one of the given notations."""
    return setting(column_key(name), *(each.written() for each in notations))


def doubt(found: Verdict) -> str:
    """Return the reason why a column that resembles numbers or dates is not read as numbers or dates."""
    cell = f'"{shown_cell(found.example)}"'
    if len(found.notations) > 1:
        readings = dict.fromkeys(each.shown(found.example) for each in found.notations)
        if len(readings) == 1:  # in every cell the day equals the month
            readings = dict.fromkeys(each.format for each in found.notations if isinstance(each, DatetimeFormat))
        return f"{cell} can be {' or '.join(readings)}"
    noun = "dates" if isinstance(found.notations[0], DatetimeFormat) else "numbers"
    if found.markers:
        markers = " and ".join(f'"{shown_cell(text)}" in {rows} rows' for text, rows in found.markers)
        return f"its cells are {noun} such as {cell}, but for {markers}"
    return f"most of its cells, but not all, are {noun} such as {cell}"


def reader_of(kind: ColumnKind, decimal: str = ".") -> Reader:
    """Return the function that reads a cell of a kind other than category, with the given decimal character."""
    if not isinstance(kind, str):
        return kind.reader
    if kind == "numeric":
        return number if decimal == "." else partial(number, decimal=decimal)
    return boolean if kind == "boolean" else days


def without_zone(kind: ColumnKind, days: NDArray[np.float64], has_zones: bool) -> ColumnKind:
    """Return the kind of a column, changed to local times if its dates have times and no cell has a time zone.

    Parameters
    ----------
    kind : ColumnKind
    days : ndarray (rows,)
        The numbers of the column, in days if it is of dates.
    has_zones : bool
        Whether a cell has a time zone.
    """
    if kind != "datetime" or has_zones or not (days % 1 > 0).any():
        return kind
    return LocalDatetime(type="datetime", zone=False)


def mistaken(name: str, kind: ColumnKind, cell: str, row: int, count: int) -> str:
    """Return the message about `count` cells that do not fit their column's kind; `cell` in `row` is the first one."""
    expected = EXPECTED[kind_of(kind)][1]
    if isinstance(kind, DatetimeFormat):
        expected = f"a date in the format {kind.format}"
    elif isinstance(kind, LocalDatetime):
        expected = "a date and time without a time zone, as in training"
    more = f", and in {count - 1} more" if count > 1 else ""
    return f'column "{name}": expected {expected}, got "{shown_cell(cell)}" in row {row}{more}'
