"""Texts in the notations of columns as numbers: separators of thousands, units, durations, and formats of dates."""

from __future__ import annotations

from specnet.exporting.sql.dialects import SqlDialect, joined
from specnet.parts.data.notations import (
    LAST_YEAR,
    MONTH_NUMBERS,
    SECONDS,
    DatetimeFormat,
    DurationFormat,
    Notation,
    NumberFormat,
)

_SECONDS_OF_DAY = 86_400
_SIGNS = r"\1\2"
"""What remains of a unit and a sign beside it."""


def notation_cell(dialect: SqlDialect, text: str, notation: Notation) -> str:
    """Return the number in a text, which is missing if the text is not in the notation; empty for plain notations."""
    match notation:
        case NumberFormat():
            return _number(dialect, text, notation)
        case DurationFormat():
            return _duration(dialect, text, notation)
        case DatetimeFormat():
            return _date(dialect, text, notation)
    return ""


def _double(dialect: SqlDialect, text: str) -> str:
    return f"CAST({text} AS {dialect.double})"


def _number(dialect: SqlDialect, text: str, notation: NumberFormat) -> str:
    is_number, plain = dialect.matches(text, notation.pattern), text
    if notation.unit:
        plain = f"regexp_replace({plain}, {dialect.literal(notation.around)}, {dialect.literal(_SIGNS)}, 'g')"
    plain = f"replace(translate({plain}, {dialect.literal(notation.separators)}, ''), ',', '.')"
    return f"CASE WHEN {is_number} THEN {_double(dialect, plain)} END"


def _duration(dialect: SqlDialect, text: str, notation: DurationFormat) -> str:
    cases = []
    for pattern, units in notation.forms:
        groups = [f"nullif({dialect.found(text, pattern, group)}, '')" for group in range(1, len(units) + 1)]
        numbers = [_double(dialect, f"replace({group}, ',', '.')") for group in groups]
        parts = [f"{SECONDS[unit]} * coalesce({number}, 0)" for unit, number in zip(units, numbers, strict=True)]
        cases.append(f"WHEN {dialect.matches(text, pattern)} THEN {joined(parts, '+')}")
    sign = f"CASE WHEN {text} LIKE '-%' THEN -1 ELSE 1 END"
    unit = dialect.number(float(SECONDS[notation.duration])).code
    return f"{sign} * (CASE {' '.join(cases)} END) / {unit}"


def _date(dialect: SqlDialect, text: str, notation: DatetimeFormat) -> str:
    pattern, directives = notation.fields
    fields = {directive: dialect.found(text, pattern, group) for group, directive in enumerate(directives, 1)}

    def whole(directive: str, default: str) -> str:
        return f"CAST({fields[directive]} AS int)" if directive in fields else default

    year, last = whole("Y", "1900"), notation.last_year or LAST_YEAR
    if "y" in fields:
        # Remainders of negative numbers are negative in SQL, and the year is below 100.
        year = f"({last} - ({last} - {whole('y', '0')}) % 100)"
    month = whole("m", "1")
    for directive in "bB":
        if directive in fields:
            cases = " ".join(f"WHEN '{name}' THEN {number}" for name, number in MONTH_NUMBERS.items())
            month = f"(CASE lower(substr({fields[directive]}, 1, 3)) {cases} END)"
    days = dialect.day(year, month, whole("d", "1"))
    hours = whole("H", "0")
    if "I" in fields:
        after = f"CASE WHEN lower({fields['p']}) = 'pm' THEN 12 ELSE 0 END" if "p" in fields else "0"
        hours = f"({whole('I', '0')} % 12 + {after})"
    seconds = [f"3600 * {hours}", f"60 * {whole('M', '0')}", whole("S", "0")]
    if "f" in fields:
        seconds.append(_double(dialect, f"('0.' || {fields['f']})"))
    if "z" in fields:
        zone = fields["z"]
        offset = f"(3600 * CAST(substr({zone}, 2, 2) AS int) + 60 * CAST(right({zone}, 2) AS int))"
        seconds.append(f"CASE WHEN {zone} = 'Z' THEN 0 WHEN {zone} LIKE '-%' THEN {offset} ELSE -{offset} END")
    if "j" in fields:
        days = f"{days} + {whole('j', '1')} - 1"
    of_day = f"CAST({joined(seconds, '+')} AS {dialect.double}) / {_SECONDS_OF_DAY}"
    return f"CASE WHEN {dialect.matches(text, pattern)} THEN {days} + {of_day} END"


def missing_numbers(dialect: SqlDialect, number: str, notation: Notation) -> str:
    """Return a number that is missing if it is one of those that mean a missing value in the notation."""
    for each in dict.fromkeys(notation.missing_numbers):
        if each == each:
            number = f"nullif({number}, {dialect.number(each).code})"
    return number
