"""Which kind a column is of, by all its cells, as far as nobody has said so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specnet.errors import Diagnostic, OneOfMany
from specnet.parts.data.column_kinds import KINDS_IN_WORDS, ColumnKind, kind_of
from specnet.parts.data.notations import DatetimeFormat, Notation, NumberFormat, notations_of
from specnet.parts.data.tables.cells import is_inexact
from specnet.parts.data.tables.setting_hints import column_key, setting

SHARE_OF_ALL = 0.9
"""From this share on a column is meant to be numbers or dates, and what is none in it is a mistake."""
ROWS_TO_A_CATEGORY = 5
"""A text that so many rows share is frequent; a column is one of categories if at least half of its rows have such."""
RARE_TEXT = f"mostly text that fewer than {ROWS_TO_A_CATEGORY} rows share"
USELESS = {"text": RARE_TEXT, "too-large": "mostly whole numbers beyond 2⁵³, which are not exact"}
"""What a column that is ignored is, by the reason."""

SAMPLE = 50
"""About how many cells of a column tell which notations it may be in."""
LONGEST_SHOWN = 40
"""Characters of a cell in a message."""
EXPECTED = {
    "numeric": ("not-a-number", "a finite number"),
    "boolean": ("not-a-boolean", "true or false, or yes or no"),
    "datetime": ("not-a-datetime", "a date such as 2024-01-31"),
}
"""The code of a cell that does not fit its column's kind, and what was expected of it."""

Reason = Literal["", "empty", "text", "too-large", "not-a-number", "not-a-datetime"]


@dataclass(frozen=True, slots=True)
class CellFacts:
    """What is known of a column's cells, and can be asked.

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
    """

    present: int
    numbers: int
    dates: int
    are_pair: bool
    sample: Sequence[str]
    fitting: Callable[[Sequence[Notation]], Sequence[int]]
    differ: Callable[[Notation, Notation], bool]
    rows_of_texts: Callable[[], NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a column is.

    Attributes
    ----------
    kind : ColumnKind
    reason : str
        Why it is ignored, or the code of the mistake that some of its cells are.
    notations : tuple of Notation
        Those that nearly all cells are in, where the kind is none of them: no cell decides between several, or some
        cells are in none.
    example : str
        A cell that is in all of these.
    """

    kind: ColumnKind
    reason: Reason = ""
    notations: tuple[Notation, ...] = ()
    example: str = ""


def verdict(cells: CellFacts) -> Verdict:
    """Return what a column is."""
    present = cells.present
    if not present:
        return Verdict("ignore", "empty")
    if cells.are_pair:
        return Verdict("boolean")
    if cells.numbers == present:
        return Verdict("numeric")
    if cells.dates == present:
        return Verdict("datetime")
    notations = notations_of(cells.sample)
    counts = list(zip(notations, cells.fitting(notations) if notations else (), strict=True))
    whole = _distinguished([notation for notation, count in counts if count == present], cells)
    # Beside 0.1, a cell of 10 % may be 0.1 too.
    is_mixed = bool(cells.numbers) and any(isinstance(each, NumberFormat) and each.unit for each in whole)
    if len(whole) == 1 and not is_mixed:
        return Verdict(whole[0])
    if cells.numbers >= SHARE_OF_ALL * present:
        return Verdict("numeric", "not-a-number", tuple(whole))
    if cells.dates >= SHARE_OF_ALL * present:
        return Verdict("datetime", "not-a-datetime")
    nearly = whole or [notation for notation, count in counts if count >= SHARE_OF_ALL * present]
    said = (tuple(nearly), _example(cells.sample, nearly)) if nearly else ()
    if are_frequent(cells.rows_of_texts()):
        return Verdict("category", "", *said)
    return Verdict("ignore", "too-large" if all(map(is_inexact, cells.sample)) else "text", *said)


def are_frequent(counts: NDArray[np.intp]) -> bool:
    """Return whether at least half of some rows have a text that is frequent, of the rows of each text."""
    return bool(2 * counts[counts >= ROWS_TO_A_CATEGORY].sum() >= counts.sum())


def _distinguished(notations: Sequence[Notation], cells: CellFacts) -> list[Notation]:
    """Return those of some notations that all cells are in which say different things of them."""
    dates = {each.format.replace("%B", "%b"): each for each in notations if isinstance(each, DatetimeFormat)}  # May
    numbers = [each for each in notations if isinstance(each, NumberFormat)]
    if len(numbers) > 1 and not cells.differ(*numbers):
        del numbers[1:]
    return [*dates.values(), *numbers]


def _example(sample: Sequence[str], notations: Sequence[Notation]) -> str:
    """Return a text that is in all of some notations, and as different as one is in them."""
    fitting = [text for text in sample if all(each.value(text) is not None for each in notations)]
    return max(fitting, key=lambda text: len({each.value(text) for each in notations}), default=sample[0])


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
        code, why, item = "other-notation", _doubt(found), f'"{name}" ({_doubt(found)})'
        hint = hint or (lambda column: notation_hint(column, found.notations))
    else:
        code, why, item = "ignored-column", f"it is {USELESS[found.reason]}", f'"{name}"'
        of_many += f", {USELESS[found.reason]}"
        hint = hint or (lambda column: setting(column_key(column), '"category"', '"ignore"'))
    message = f'column "{name}" is {KINDS_IN_WORDS[kind]}: {why}'
    told = OneOfMany(item, of_many, hint("NAME"))
    return Diagnostic(code, message, source=source, hint=hint(name), of_many=told)


def notation_hint(name: str, notations: Sequence[Notation]) -> str:
    """Return how a column is read in one of some notations."""
    return setting(column_key(name), *(each.written() for each in notations))


def _doubt(found: Verdict) -> str:
    cell = f'"{shown_cell(found.example)}"'
    if len(found.notations) > 1:
        return f"{cell} can be {' or '.join(each.shown(found.example) for each in found.notations)}"
    noun = "dates" if isinstance(found.notations[0], DatetimeFormat) else "numbers"
    return f"most of its cells, but not all, are {noun} such as {cell}"


def mistaken(name: str, kind: ColumnKind, cell: str, row: int, count: int) -> str:
    """Return what to say of the first of so many cells that do not fit their column's kind."""
    expected = EXPECTED[kind_of(kind)][1]
    if isinstance(kind, DatetimeFormat):
        expected = f"a date in the format {kind.format}"
    more = f", and in {count - 1} more" if count > 1 else ""
    return f'column "{name}": expected {expected}, got "{shown_cell(cell)}" in row {row}{more}'


def shown_cell(cell: str) -> str:
    """Return a cell as a message shows it."""
    return cell if cell.isprintable() and len(cell) <= LONGEST_SHOWN else repr(cell[:LONGEST_SHOWN])[1:-1]
