"""Which kind a column is of, by all its cells, as far as nobody has said so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from specnet.errors import Diagnostic
from specnet.files.toml import toml_key
from specnet.parts.data.columns import Kind

SHARE_OF_ALL = 0.9
"""From this share on a column is meant to be numbers or dates, and what is none in it is a mistake."""
ROWS_TO_A_CATEGORY = 5
"""How often a text has to occur on average for a column to be one of categories."""
RARE_TEXT = f"text with fewer than {ROWS_TO_A_CATEGORY} rows to a value"

LONGEST_SHOWN = 40
"""Characters of a cell in a message."""
EXPECTED = {
    "numeric": ("not-a-number", "a finite number"),
    "boolean": ("not-a-boolean", "true or false, or yes or no"),
    "datetime": ("not-a-datetime", "a date such as 2024-01-31"),
}
"""The code of a cell that does not fit its column's kind, and what was expected of it."""

Reason = Literal["", "empty", "text", "not-a-number", "not-a-datetime"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a column is.

    Attributes
    ----------
    kind : str
    reason : str
        Why it is ignored, or the code of the mistake that some of its cells are.
    """

    kind: Kind
    reason: Reason = ""


def verdict(present: int, numbers: int, pair: bool, dates: int, distinct: Callable[[], int]) -> Verdict:
    """Return what a column is.

    Parameters
    ----------
    present, numbers, dates : int
        How many of its cells are not missing, and how many of these are numbers, and dates.
    pair : bool
        All present cells are of one pair of texts of booleans.
    distinct : callable
        Counts the distinct texts.
    """
    if not present:
        return Verdict("ignore", "empty")
    if pair:
        return Verdict("boolean")
    if numbers == present:
        return Verdict("numeric")
    if dates == present:
        return Verdict("datetime")
    if numbers >= SHARE_OF_ALL * present:
        return Verdict("numeric", "not-a-number")
    if dates >= SHARE_OF_ALL * present:
        return Verdict("datetime", "not-a-datetime")
    if present >= ROWS_TO_A_CATEGORY * distinct():
        return Verdict("category")
    return Verdict("ignore", "text")


def ignored_text(name: str, source: str | None, hint: str | None = None) -> Diagnostic:
    """Return the warning about a column that is left out."""
    message = f'column "{name}" is ignored: it is {RARE_TEXT}'
    hint = hint or f'use columns.{toml_key(name)} = "category" or "ignore"'
    return Diagnostic("ignored-column", message, source=source, hint=hint)


def mistaken(name: str, kind: Kind, cell: str, row: int, count: int) -> str:
    """Return what to say of the first of so many cells that do not fit their column's kind."""
    more = f", and in {count - 1} more" if count > 1 else ""
    return f'column "{name}": expected {EXPECTED[kind][1]}, got "{shown_cell(cell)}" in row {row}{more}'


def shown_cell(cell: str) -> str:
    """Return a cell as a message shows it."""
    return cell if cell.isprintable() and len(cell) <= LONGEST_SHOWN else repr(cell[:LONGEST_SHOWN])[1:-1]
