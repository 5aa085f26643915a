"""Conversion of cell texts to numbers, booleans, dates and categories in plain notation.

`notations` has all other notations. Cells are trimmed before conversion.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

SPACE = " \t\n\r\v\f"
"""The characters that are trimmed."""
LARGEST_WHOLE = 2**53
"""Limit of whole numbers. Beyond it, floats are not exact, and a column has identifiers rather than numbers."""
PAIRS = (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"))
"""The texts of booleans, true first, in any case."""

_NUMBER = r"[+-]?((0|[1-9][0-9]*)({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"
PLAIN_NUMBER = _NUMBER.format(point="[.]")
GROUPED = r"[+-]?[1-9][0-9]{0,2}[.][0-9]{3}"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_OFFSET = r"Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?"

_is_number = {decimal: re.compile(_NUMBER.format(point=f"[{decimal}]")).fullmatch for decimal in ".,"}
_is_whole = re.compile(r"[+-]?[0-9]+").fullmatch
_is_long = re.compile(r"[+-]?[1-9][0-9]*").fullmatch
_is_grouped = re.compile(GROUPED).fullmatch
_is_moment = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[T ]{_CLOCK}( ?(?:{_OFFSET}))?)?").fullmatch
_without_fraction = re.compile(r"([+-]?[0-9]+)\.0").fullmatch

_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_OF_DAY = 86_400_000_000.0

_FIRST = 512
"""Number of cells that decide whether most cells are distinct."""

Reader = Callable[[str], float | None]
"""A function that returns the number for a trimmed cell, NaN for a missing value, or None for an invalid cell."""


def trimmed(cell: str) -> str:
    """Return a cell without leading and trailing whitespace."""
    return cell.strip(SPACE)


def number(text: str, decimal: str = ".") -> float | None:
    """Return the number in a trimmed cell, or None if it is not a plain number."""
    if not _is_number[decimal](text):
        return None
    return certain(text if decimal == "." else text.replace(decimal, "."))


def certain(text: str) -> float | None:
    """Return the number in the text of a plain number, or None if it is infinite or a whole number beyond 2⁵³."""
    found = float(text)
    if -LARGEST_WHOLE < found < LARGEST_WHOLE:
        return found
    is_inexact = _is_whole(text) and text.lstrip("+-") != str(LARGEST_WHOLE)
    return found if math.isfinite(found) and not is_inexact else None


def is_grouped(text: str) -> bool:
    """Return whether a trimmed cell is a number whose point may separate thousands, such as 1.500."""
    return _is_grouped(text) is not None


def has_zone(text: str) -> bool:
    """Return whether a trimmed cell, a date in ISO format, has a time zone."""
    return ":" in text and (text[-1] == "Z" or "+" in text or "-" in text[11:])


def is_inexact(text: str) -> bool:
    """Return whether a trimmed cell is a whole number too large for an exact float."""
    return number(text) is None and _is_long(text) is not None


def boolean(text: str) -> float | None:
    """Return 1 or 0 for a trimmed cell that is in one of `PAIRS`, or None."""
    lower = text.lower()
    return next((float(lower == pair[0]) for pair in PAIRS if lower in pair), None)


def are_pair(words: Sequence[str]) -> bool:
    """Return whether two texts are the words for false and true, in this order, of one of `PAIRS`."""
    return tuple(word.lower() for word in reversed(words)) in PAIRS


def days(text: str) -> float | None:
    """Return the days from 1970-01-01 UTC to the date in a trimmed cell, or None if it is not in ISO format."""
    match = _is_moment(text) if text[4:5] == "-" else None
    if match is None:
        return None
    zone = match[1]
    try:
        return days_since_1970(datetime.fromisoformat(text[: match.start(1)] + zone.lstrip() if zone else text))
    except ValueError:
        return None


def days_since_1970(moment: datetime) -> float:
    """Return the days from 1970-01-01 UTC to a datetime; without a time zone, it is in UTC."""
    since = moment - (_EPOCH if moment.tzinfo is None else _EPOCH_UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) / _MICROSECONDS_OF_DAY


def category(text: str) -> str:
    """Return the category of a trimmed cell: its text, but for a whole number without ``.0``."""
    match = _without_fraction(text) if text.endswith(".0") else None
    return match[1] if match else text


def values_of(texts: Sequence[str | None], read: Reader) -> tuple[NDArray[np.float64], list[int]]:
    """Return the numbers of trimmed cells, NaN for missing cells, and the rows of invalid cells."""
    first = texts[:_FIRST]
    if 2 * len({*first}) > len(first) == _FIRST:  # most are unique
        values = [math.nan if text is None else read(text) for text in texts]
    else:
        known = {text: math.nan if text is None else read(text) for text in {*texts}}
        values = [known[text] for text in texts]
    wrong = [row for row, value in enumerate(values) if value is None] if None in values else []
    return np.array(values, np.float64), wrong


def distinct_texts(texts: Iterable[str]) -> NDArray[np.str_]:
    """Return the distinct categories of trimmed cells, ascending by code point."""
    return np.array(sorted(set(map(category, texts))), np.str_)


def codes_of(texts: Sequence[str | None], distinct: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return the index of each trimmed cell's category in `distinct`, NaN for a missing cell."""
    some = sorted(text for text in set(texts) if text is not None)
    found = np.searchsorted(distinct, np.array([category(text) for text in some], np.str_)).tolist() if some else ()
    codes: dict[str | None, float] = dict(zip(some, map(float, found), strict=True))
    codes[None] = math.nan
    return np.fromiter(map(codes.__getitem__, texts), np.float64, len(texts))


def coded(texts: Sequence[str | None]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return each trimmed cell's index into the distinct categories, NaN for a missing cell, and these categories."""
    distinct = distinct_texts(text for text in texts if text is not None)
    return codes_of(texts, distinct), distinct
