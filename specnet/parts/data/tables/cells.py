"""What a cell of text says: the rules, for single cells in Python and for columns as expressions of DuckDB.

Both read the same patterns. A cell is trimmed before any of them is asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

SPACE = " \t\n\r\v\f"
"""What is trimmed."""
LARGEST_WHOLE = 2**53
"""Beyond it a float does not tell each whole number from the next: such a column is one of names, not of numbers."""
PAIRS = (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"))
"""The texts of booleans, true first, in any case."""

_NUMBER = r"[+-]?((0|[1-9][0-9]*)({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"
_WHOLE = r"[+-]?[0-9]+"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_OFFSET = r"Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?"
_MOMENT = rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:[T ]({_CLOCK})(?: ?({_OFFSET}))?)?"
_GROUPED = r"[+-]?[1-9][0-9]{0,2}[.][0-9]{3}"
_ZONED = rf".*:.*({_OFFSET})"
_WITHOUT_FRACTION = r"([+-]?[0-9]+)\.0"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_OF_DAY = 86_400_000_000


def trimmed(cell: str) -> str:
    """Return a cell without the space around it."""
    return cell.strip(SPACE)


def number(text: str, decimal: str = ".") -> float | None:
    """Return the number that a trimmed cell holds, or None."""
    if not re.fullmatch(_NUMBER.format(point=f"[{decimal}]"), text):
        return None
    found = float(text.replace(decimal, "."))
    if abs(found) >= LARGEST_WHOLE and re.fullmatch(_WHOLE, text) and text.lstrip("+-") != str(LARGEST_WHOLE):
        return None
    return found if math.isfinite(found) else None


def is_grouped(text: str) -> bool:
    """Return whether the point of a trimmed cell, a number, may separate thousands."""
    return re.fullmatch(_GROUPED, text) is not None


def has_zone(text: str) -> bool:
    """Return whether a trimmed cell, a date, has a time zone."""
    return re.fullmatch(_ZONED, text) is not None


def is_inexact(text: str) -> bool:
    """Return whether a trimmed cell holds a whole number that no float is certain to be."""
    return number(text) is None and re.fullmatch(r"[+-]?[1-9][0-9]*", text) is not None


def boolean(text: str) -> float | None:
    """Return 1 or 0 for a trimmed cell of any pair, or None."""
    lower = text.lower()
    return next((float(lower == pair[0]) for pair in PAIRS if lower in pair), None)


def are_pair(words: Sequence[str]) -> bool:
    """Return whether two texts are what one pair has for false and true."""
    return tuple(word.lower() for word in reversed(words)) in PAIRS


def days(text: str) -> float | None:
    """Return the days since 1970-01-01 UTC of a trimmed cell in ISO's form, or None."""
    if not re.fullmatch(_MOMENT, text):
        return None
    try:
        return days_since_1970(datetime.fromisoformat(re.sub(" (?=[Z+-])", "", text)))
    except ValueError:
        return None


def days_since_1970(moment: datetime) -> float:
    """Return the days from 1970-01-01 UTC to a moment, which is UTC itself if it has no zone."""
    there = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return days_of_microseconds((there - _EPOCH) // timedelta(microseconds=1))


def days_of_microseconds(microseconds: int) -> float:
    """Return microseconds as days."""
    return microseconds / _MICROSECONDS_OF_DAY


def category(text: str) -> str:
    """Return the category that a trimmed cell says: its text, a whole number without ``.0``."""
    match = re.fullmatch(_WITHOUT_FRACTION, text)
    return match[1] if match else text


def coded(cells: Sequence[str | None], missing: Sequence[str] = ("",)) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return the index of each cell's text among the distinct ones, NaN where it is missing, and these."""
    texts = {cell: trimmed(cell or "") for cell in set(cells)}
    known = {cell: category(text) for cell, text in texts.items() if text and text not in missing}
    distinct = sorted(set(known.values()))
    places = {text: float(place) for place, text in enumerate(distinct)}
    codes = {cell: places[text] for cell, text in known.items()}
    return np.fromiter((codes.get(cell, np.nan) for cell in cells), np.float64, len(cells)), np.array(distinct, np.str_)


def quoted(text: str) -> str:
    """Return a text as DuckDB's SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def sql_trimmed(cell: str, missing: Sequence[str]) -> str:
    """Return the expression of a trimmed cell, null where it is missing; untrimmed missing cells are null already."""
    trim = f"trim({cell}, {quoted(SPACE)})"
    # Trimming is slow, and few cells need it: all space sorts before the first sign.
    needed = " OR ".join([f"{cell} < '!'", *(f"suffix({cell}, {quoted(sign)})" for sign in SPACE)])
    listed = ", ".join(map(quoted, missing))
    return f"CASE WHEN NOT ({needed}) THEN {cell} WHEN {trim} NOT IN ({listed}) THEN {trim} END"


def sql_plain_number(cell: str, looked_at: bool) -> str:
    """Return the expression of most numbers, of a cell that has not been trimmed; null for anything else.

    With `looked_at` it is known that DuckDB takes nothing for a number that `number` does not.
    """
    found = f"TRY_CAST({cell} AS DOUBLE)"
    pattern = "" if looked_at else f" AND regexp_full_match({cell}, {quoted(_NUMBER.format(point='[.]'))})"
    return f"CASE WHEN abs({found}) < {LARGEST_WHOLE}{pattern} THEN {found} END"


def sql_number(text: str, decimal: str) -> str:
    """Return the expression of what `number` says of a trimmed cell, null for None."""
    pattern = quoted(_NUMBER.format(point=f"[{decimal}]"))
    found = f"TRY_CAST({text} AS DOUBLE)" if decimal == "." else f"TRY_CAST(replace({text}, ',', '.') AS DOUBLE)"
    large = (
        f"abs({found}) >= {LARGEST_WHOLE} AND regexp_full_match({text}, {quoted(_WHOLE)})"
        f" AND ltrim({text}, '+-') <> '{LARGEST_WHOLE}'"
    )
    # The conversion is quicker than the pattern, and says no to most texts.
    return (
        f"CASE WHEN {found} IS NULL OR NOT isfinite({found}) OR NOT regexp_full_match({text}, {pattern}) OR ({large})"
        f" THEN NULL ELSE {found} END"
    )


def sql_is_grouped(text: str) -> str:
    """Return the expression of what `is_grouped` says: cells without a point, which are most, are seen quickly."""
    return f"CASE WHEN contains({text}, '.') THEN regexp_full_match({text}, {quoted(_GROUPED)}) ELSE false END"


def sql_has_zone(text: str) -> str:
    """Return the expression of what `has_zone` says."""
    return f"regexp_full_match({text}, {quoted(_ZONED)})"


def sql_boolean(text: str) -> str:
    """Return the expression of what `boolean` says of a trimmed cell."""
    true, false = (", ".join(quoted(word) for word in words) for words in zip(*PAIRS, strict=True))
    return f"CASE WHEN lower({text}) IN ({true}) THEN 1.0 WHEN lower({text}) IN ({false}) THEN 0.0 END"


def sql_epoch_days(moment: str) -> str:
    """Return the expression of the days from 1970-01-01 UTC to a moment."""
    return f"epoch_us({moment}) / {_MICROSECONDS_OF_DAY}.0::DOUBLE"


def sql_days(text: str) -> str:
    """Return the expression of what `days` says of a trimmed cell.

    Some versions of DuckDB leave the offset out when they convert: it is read here.
    """
    pattern = quoted(_MOMENT)
    date, clock, offset = (f"regexp_extract({text}, {pattern}, {group})" for group in (1, 2, 3))
    moment = f"epoch_us(TRY_CAST({date} || ' ' || coalesce(nullif({clock}, ''), '00:00') AS TIMESTAMP))"
    hours, rest = f"substr({offset}, 2, 2)", f"CASE WHEN length({offset}) > 3 THEN right({offset}, 2) ELSE '0' END"
    minutes = f"coalesce(TRY_CAST({hours} AS INTEGER) * 60 + TRY_CAST({rest} AS INTEGER), 0)"
    shift = f"CASE WHEN left({offset}, 1) = '-' THEN {minutes} ELSE -{minutes} END"
    return (
        f"CASE WHEN regexp_full_match({text}, {pattern}) AND {text} >= '0001'"
        f" THEN ({moment} + {shift} * 60000000::BIGINT)::DOUBLE / {_MICROSECONDS_OF_DAY} END"
    )


def sql_pair(text: str, pair: Sequence[str]) -> str:
    """Return the expression of whether a trimmed cell is one of a pair."""
    return f"lower({text}) IN ({', '.join(quoted(word) for word in pair)})"


def sql_category(text: str) -> str:
    """Return the expression of what `category` says of a trimmed cell."""
    return f"regexp_replace({text}, '^{_WITHOUT_FRACTION}$', '\\1')"
