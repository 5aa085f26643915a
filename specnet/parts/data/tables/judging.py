"""Which kind a column is of, by all its cells and by the notation of the other columns, where no spec specifies it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
from specnet.parts.data.tables.cells import PAIRS, category, days, has_zone, is_grouped, is_inexact, number
from specnet.parts.data.tables.setting_hints import column_key, setting

SHARE_OF_ALL = 0.9
"""From this share on a column is meant to be numbers or dates, and what is none in it is a mistake."""
RARE_TEXT = f"mostly text that fewer than {ROWS_TO_A_CATEGORY} rows share"
UNIQUE_TEXT = f"text that no {ROWS_TO_A_CATEGORY} rows share"
USELESS = {
    "text": RARE_TEXT,
    "unique-text": UNIQUE_TEXT,
    "too-large": "mostly whole numbers beyond 2⁵³, which are not exact",
}
"""What a column that is ignored is, by the reason."""
MARKERS = frozenset({"n/a", "#N/A", "None", "-", ".", "?"})
"""Texts that mean that a value is missing, where all other cells of a column are numbers."""
MOST_MARKERS = 3
"""More different texts beside numbers are texts of their own."""

SAMPLE = 50
"""How many cells, spread over all rows, tell which notations a column may be in."""
EXPECTED = {
    "numeric": ("not-a-number", "a finite number"),
    "boolean": ("not-a-boolean", "true or false, or yes or no"),
    "datetime": ("not-a-datetime", "a date such as 2024-01-31"),
}
"""The code of a cell that does not fit its column's kind, and what was expected of it."""

Reason = Literal["", "empty", "text", "unique-text", "too-large", "not-a-number", "not-a-datetime"]


@dataclass(frozen=True, slots=True)
class CellFacts:
    """What is known of a column's cells, and can be computed of them.

    Attributes
    ----------
    present, numbers, dates : int
        How many are not missing, and how many of these are numbers, and dates.
    are_pair : bool
        All present ones are of one pair of texts of booleans.
    sample : sequence of str
        Some that are present, the first one among them.
    fitting : callable
        Counts those that are in each of some notations.
    differ : callable
        Whether one of them is not the same number in two notations.
    rows_of_texts : callable
        Counts the rows of each text.
    outside : callable
        Counts the rows of the most frequent texts that are not in a notation, one text more than `MOST_MARKERS`.
    values : callable
        Returns the different numbers of those that are in a notation.
    are_texts : callable
        Returns whether numbers were texts, so that the other columns tell how they are written.
    is_grouped : bool
        All are plain numbers, of which some have a point, and each point may separate thousands.
    shows_point : callable
        Returns whether a point is one before a fraction for certain, where all are plain numbers.
    zones : callable
        Counts the dates with a time zone.
    """

    present: int
    numbers: int
    dates: int
    are_pair: bool
    sample: Sequence[str]
    fitting: Callable[[Sequence[Notation]], Sequence[int]]
    differ: Callable[[Notation, Notation], bool]
    rows_of_texts: Callable[[], NDArray[np.intp]]
    outside: Callable[[Notation], Mapping[str, int]]
    values: Callable[[Notation], NDArray[np.float64]]
    are_texts: Callable[[], bool]
    is_grouped: bool
    shows_point: Callable[[], bool]
    zones: Callable[[], int]


def facts_of_texts(counts: Mapping[str, int]) -> CellFacts:
    """Return what is known of a column whose different texts, trimmed and not empty, are in so many rows each."""
    texts = list(counts)

    def rows_where(is_so: Callable[[str], bool]) -> int:
        return sum(rows for text, rows in counts.items() if is_so(text))

    def rows_of_texts() -> NDArray[np.intp]:
        categories: Counter[str] = Counter()
        for text, rows in counts.items():
            categories[category(text)] += rows
        return np.array([*categories.values()], np.intp)

    def differ(one: Notation, other: Notation) -> bool:
        pairs = ((one.value(text), other.value(text)) for text in texts)
        return any(a is not None and b is not None and a != b and not math.isnan(a) for a, b in pairs)

    def outside(notation: Notation) -> dict[str, int]:
        others = sorted((-rows, text) for text, rows in counts.items() if not notation.reads(text))
        return {text: -rows for rows, text in others[: MOST_MARKERS + 1]}

    def values(notation: Notation) -> NDArray[np.float64]:
        found = (notation.value(text) for text in texts)
        return np.unique([value for value in found if value is not None and not math.isnan(value)])

    return CellFacts(
        present=sum(counts.values()),
        numbers=rows_where(lambda text: number(text) is not None),
        dates=rows_where(lambda text: days(text) is not None),
        are_pair=bool(texts) and any({text.lower() for text in texts} <= {*pair} for pair in PAIRS),
        sample=texts[:: 1 + len(texts) // SAMPLE],
        fitting=lambda notations: [rows_where(each.reads) for each in notations],
        differ=differ,
        rows_of_texts=rows_of_texts,
        outside=outside,
        values=values,
        are_texts=lambda: True,
        is_grouped=0 < rows_where(is_grouped) == rows_where(lambda text: "." in text),
        shows_point=lambda: any("." in text and not is_grouped(text) for text in texts),
        zones=lambda: rows_where(has_zone),
    )


class Assumption(NamedTuple):
    """A reading that the cells of a column leave open: what is assumed, and the kinds that are the other readings."""

    text: str
    others: tuple[ColumnKind, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a column is.

    Attributes
    ----------
    kind : ColumnKind
    reason : str
        Why it is ignored, or the code of the mistake that some of its cells are.
    notations : tuple of Notation
        Those that all or nearly all cells are in, where the kind is none of them: no cell decides between several, or
        some cells are in none.
    example : str
        A cell that is in all of these.
    is_open : bool
        Whether all cells are in each of the notations, so that other columns can decide.
    markers : mapping of str to int
        Texts that are perhaps missing values in the one notation, and their rows.
    assumption : Assumption or None
        What the kind assumes.
    """

    kind: ColumnKind
    reason: Reason = ""
    notations: tuple[Notation, ...] = ()
    example: str = ""
    is_open: bool = False
    markers: tuple[tuple[str, int], ...] = ()
    assumption: Assumption | None = None


def verdicts(columns: Mapping[str, CellFacts], decimal: str | None = None) -> dict[str, Verdict]:
    """Return what columns of one table are, by name.

    Where the cells of a column leave its notation open, it is that of the other columns, if these have one.

    Parameters
    ----------
    columns : mapping of str to CellFacts
    decimal : str, optional
        The character before a number's fraction, where a spec specifies it.
    """
    found = {name: _verdict(cells) for name, cells in columns.items()}
    is_open = [name for name, each in found.items() if each.is_open]
    commas = [each for each in found.values() if isinstance(each.kind, NumberFormat) and each.kind.decimal == ","]
    if not (is_open or commas):
        return found
    shown: dict[str, str] = {} if decimal is None else {decimal: ""}
    for name, each in found.items():
        if decimal is None and (character := _decimal_shown(each, columns[name])):
            shown.setdefault(character, name)
    orders: dict[str, str] = {}
    for name, each in found.items():
        if isinstance(each.kind, DatetimeFormat):
            orders.setdefault(_order(each.kind), name)
    for name in is_open:
        found[name] = _decided(found[name], columns[name], shown, orders)
    if decimal is None and [*shown] == [","]:
        # A later cell 1.877 of these whole numbers is 1877 as well.
        whole = [name for name, each in found.items() if each.kind == "numeric" and _are_whole(columns[name])]
        found |= {name: Verdict(NumberFormat(type="numeric", decimal=",")) for name in whole}
    return found


def _are_whole(cells: CellFacts) -> bool:
    return cells.are_texts() and not cells.shows_point()


def _decimal_shown(found: Verdict, cells: CellFacts) -> str:
    """Return the character before the fractions of a column of numbers, nothing where its cells do not show it."""
    if found.kind == "numeric" and not found.reason:
        return "." if cells.are_texts() and cells.shows_point() else ""
    if not isinstance(found.kind, NumberFormat):
        return ""
    own, other = (
        found.kind.model_copy(update={"decimal": character}) for character in (found.kind.decimal, _other(found.kind))
    )
    fitting = cells.fitting([own, other])
    return found.kind.decimal if fitting[0] > fitting[1] else ""


def _other(notation: NumberFormat) -> Literal[".", ","]:
    return "," if notation.decimal == "." else "."


def _order(notation: DatetimeFormat) -> str:
    """Return the order of day, month and year in a format."""
    return "".join(re.findall("%([dmy])", notation.format.replace("%Y", "%y").replace("%b", "%m").replace("%B", "%m")))


def _decided(found: Verdict, cells: CellFacts, shown: Mapping[str, str], orders: Mapping[str, str]) -> Verdict:
    """Return the verdict on an open column by what the other columns show, as it is if they do not agree."""
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
    is_plain = cells.numbers == cells.present and isinstance(chosen, NumberFormat) and chosen.decimal == "."
    kind: ColumnKind = "numeric" if is_plain else chosen
    if not name:
        return Verdict(kind)
    text = f'"{shown_cell(found.example)}" is read as {chosen.shown(found.example)}, as in column "{name}"'
    return Verdict(kind, assumption=Assumption(text, others))


def _verdict(cells: CellFacts) -> Verdict:
    """Return what a column is by its own cells."""
    present = cells.present
    if not present:
        return Verdict("ignore", "empty")
    if cells.are_pair:
        return Verdict("boolean")
    if cells.numbers == present and not (cells.is_grouped and cells.are_texts()):
        return Verdict("numeric")
    if cells.dates == present:
        return Verdict("datetime", assumption=_mixed_zones(cells))
    notations = notations_of(cells.sample)
    counts = list(zip(notations, cells.fitting(notations) if notations else (), strict=True))
    markers = {} if any(count == present for _, count in counts) else _markers(counts, cells)
    marked = present - sum(markers.values()) if markers.keys() <= MARKERS else present
    fitting = [notation for notation, count in counts if count == marked]
    if marked < present:
        fitting = [each.with_missing(sorted(markers)) for each in fitting if not isinstance(each, DatetimeFormat)]
    whole = _distinguished(fitting, cells)
    # Beside 0.1, a cell of 10 % may be 0.1 too.
    is_mixed = bool(cells.numbers) and any(isinstance(each, NumberFormat) and each.unit for each in whole)
    if len(whole) == 1 and not is_mixed:
        return _assuming(whole[0], cells)
    is_open = len(whole) > 1 and not is_mixed
    if cells.numbers >= SHARE_OF_ALL * present and not is_open:
        return Verdict("numeric", "not-a-number", tuple(whole))
    if cells.dates >= SHARE_OF_ALL * present:
        return Verdict("datetime", "not-a-datetime")
    rows_of_texts = cells.rows_of_texts()
    kind: ColumnKind = "category" if are_frequent(rows_of_texts) else "ignore"
    reason: Reason = ""
    if kind == "ignore":
        reason = "text" if rows_of_texts.max() >= ROWS_TO_A_CATEGORY else "unique-text"
        if all(map(is_inexact, cells.sample)):
            reason = "too-large"
    nearly = whole or [notation for notation, count in counts if count >= SHARE_OF_ALL * present]
    if nearly:
        return Verdict(kind, reason, tuple(nearly), _example(cells.sample, nearly), is_open)
    if markers and _are_meant(markers, rows_of_texts, kind == "category"):
        best = max(counts, key=lambda each: each[1])[0]
        example = _example(cells.sample, [best])
        return Verdict(kind, reason, (best.with_missing([*markers]),), example, markers=tuple(markers.items()))
    return Verdict(kind, reason)


def _markers(counts: Sequence[tuple[Notation, int]], cells: CellFacts) -> Mapping[str, int]:
    """Return the few texts, and their rows, beside which all cells are in one notation; none if there are more."""
    if not counts:
        return {}
    outside = cells.outside(max(counts, key=lambda each: each[1])[0])
    are_words = not any(re.search("[0-9]", text) for text in outside)
    return outside if are_words and len(outside) <= MOST_MARKERS else {}


def _are_meant(markers: Mapping[str, int], rows_of_texts: NDArray[np.intp], are_categories: bool) -> bool:
    """Return whether numbers beside a few texts are more than codes that happen to be digits."""
    if are_categories:
        return len(markers) == 1 and bool(2 * sum(markers.values()) <= rows_of_texts.sum())
    return len(rows_of_texts) - len(markers) > MOST_MARKERS


def _assuming(notation: Notation, cells: CellFacts) -> Verdict:
    """Return the verdict of a notation that all cells are in alone, with what it assumes."""
    if isinstance(notation, DatetimeFormat) and notation.has_short_years:
        return _with_century(notation, cells)
    clocks = sorted((text for text in cells.sample if text.count(":") == 1), key=len, reverse=True)
    if isinstance(notation, DurationFormat) and clocks and notation.duration == "minutes":
        text = f'"{shown_cell(clocks[0])}" is read as {notation.shown(clocks[0])}'
        others: list[Notation] = [notation.model_copy(update={"duration": "seconds"})]
        time_of_day = DatetimeFormat(type="datetime", format="%H:%M")
        if cells.fitting([time_of_day])[0] == cells.present:
            others.append(time_of_day)
        return Verdict(notation, assumption=Assumption(text, tuple(others)))
    return Verdict(notation)


def _with_century(notation: DatetimeFormat, cells: CellFacts) -> Verdict:
    """Return the verdict on dates with years of two digits, which are within one range of years as far as possible.

    By default 69 is 1969 and 68 is 2068. Where the column has years before and behind that, they are of one century,
    and a new one begins in the middle of the years that it does not have.
    """
    days = np.floor(cells.values(notation)).astype(np.int64).astype("datetime64[D]")
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
    example = next((text for text in cells.sample if found.value(text) != other.value(text)), cells.sample[0])
    text = f'"{shown_cell(example)}" is read as {found.shown(example)}'
    return Verdict(found, assumption=Assumption(text, (other,)))


def _mixed_zones(cells: CellFacts) -> Assumption | None:
    """Return what is assumed of times without a zone beside others that have one."""
    without = cells.present - cells.zones()
    if without in (0, cells.present):
        return None
    return Assumption(f"{without} of {cells.present} times have no zone, and are read as UTC")


def _distinguished(notations: Sequence[Notation], cells: CellFacts) -> list[Notation]:
    """Return those of some notations that all cells are in which say different things of them."""
    dates = {each.format.replace("%B", "%b"): each for each in notations if isinstance(each, DatetimeFormat)}  # May
    numbers = [each for each in notations if not isinstance(each, DatetimeFormat)]
    if len(numbers) > 1 and not cells.differ(*numbers):
        del numbers[1:]
    return [*dates.values(), *numbers]


def _example(sample: Sequence[str], notations: Sequence[Notation]) -> str:
    """Return a text that is in all of some notations, and as different as one is in them."""
    fitting = [text for text in sample if all(_is_number(each, text) for each in notations)]
    return max(fitting, key=lambda text: len({each.value(text) for each in notations}), default=sample[0])


def _is_number(notation: Notation, text: str) -> bool:
    value = notation.value(text)
    return value is not None and not np.isnan(value)


def assumed(name: str, found: Verdict, source: str | None, *, is_file: bool = True) -> Iterator[Diagnostic]:
    """Yield the warning about what the kind of a column assumes, if it does."""
    if found.assumption is None:
        return
    hint = None
    if found.assumption.others and is_file:
        others = setting(column_key(name), *(_written(each) for each in found.assumption.others))
        hint = f"for another reading, {others}"
    yield Diagnostic("assumed-notation", f'column "{name}": {found.assumption.text}', source=source, hint=hint)


def _written(kind: ColumnKind) -> str:
    return f'"{kind}"' if isinstance(kind, str) else kind.written()


def left_as_text(
    name: str, found: Verdict, source: str | None, hint: Callable[[str], str] | None = None
) -> Diagnostic | None:
    """Return the warning about a column of text that is left out, or may be numbers or dates; None for others.

    Parameters
    ----------
    name : str
    found : Verdict
    source : str or None
        The file.
    hint : callable, optional
        Returns what to do about a column of a name, where no spec is to be changed.
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
        kinds = ['"category"'] * (found.reason != "unique-text") + ['"ignore"']  # a category without codes is of no use
        hint = hint or (lambda column: setting(column_key(column), *kinds))
    message = f'column "{name}" is {KINDS_IN_WORDS[kind]}: {why}'
    word, _, settings = hint(name).partition(" ")
    return Diagnostic(code, message, source=source, hint=hint(name), of_many=OneOfMany(item, of_many, word, settings))


def feature_hint(warnings: Iterable[Diagnostic]) -> str:
    """Return how a table gets features that has none, by what was said of its columns."""
    hints = (each.hint for each in warnings if each.hint and UNIQUE_TEXT not in each.message)
    return next(hints, f"add columns of numbers or dates, or texts that {ROWS_TO_A_CATEGORY} rows or more share")


def notation_hint(name: str, notations: Sequence[Notation]) -> str:
    """Return how a column is read in one of some notations."""
    return setting(column_key(name), *(each.written() for each in notations))


def doubt(found: Verdict) -> str:
    """Return why a column of numbers or dates is not read as such."""
    cell = f'"{shown_cell(found.example)}"'
    if len(found.notations) > 1:
        readings = dict.fromkeys(each.shown(found.example) for each in found.notations)
        if len(readings) == 1:  # the day is always the month
            readings = dict.fromkeys(each.format for each in found.notations if isinstance(each, DatetimeFormat))
        return f"{cell} can be {' or '.join(readings)}"
    noun = "dates" if isinstance(found.notations[0], DatetimeFormat) else "numbers"
    if found.markers:
        markers = " and ".join(f'"{shown_cell(text)}" in {rows} rows' for text, rows in found.markers)
        return f"its cells are {noun} such as {cell}, but for {markers}"
    return f"most of its cells, but not all, are {noun} such as {cell}"


def without_zone(kind: ColumnKind, days: NDArray[np.float64], zones: Callable[[], int]) -> ColumnKind:
    """Return the kind of a column, which is that of local times where dates have times and none has a time zone.

    Parameters
    ----------
    kind : ColumnKind
    days : ndarray (rows,)
        Its cells, if they are dates.
    zones : callable
        Counts the cells with a time zone.
    """
    if kind != "datetime" or not (days % 1 > 0).any() or zones():
        return kind
    return LocalDatetime(type="datetime", zone=False)


def mistaken(name: str, kind: ColumnKind, cell: str, row: int, count: int) -> str:
    """Return what to say of the first of so many cells that do not fit their column's kind."""
    expected = EXPECTED[kind_of(kind)][1]
    if isinstance(kind, DatetimeFormat):
        expected = f"a date in the format {kind.format}"
    elif isinstance(kind, LocalDatetime):
        expected = "a date and time without a time zone, as in training"
    more = f", and in {count - 1} more" if count > 1 else ""
    return f'column "{name}": expected {expected}, got "{shown_cell(cell)}" in row {row}{more}'
