"""Other ways to write dates and numbers than the plain ones, as specs say them, and those that some texts may be in.

Each reads cells in Python and as an expression of DuckDB. One pattern goes before both: DuckDB alone takes the year 21
for `%Y`, and Python alone a ``Z`` for `%z`.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal
from unicodedata import category

from pydantic import Field, StringConstraints

from specnet.files.toml import toml_value
from specnet.parts.data.tables.cells import days_since_1970, number, quoted, sql_epoch_days, sql_number
from specnet.parts.part import FieldProblem, Section

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_DIRECTIVES = {
    "Y": "[1-9][0-9]{3}",
    "y": "[0-9]{2}",
    "m": "(?:1[0-2]|0?[1-9])",
    "d": "(?:3[01]|[12][0-9]|0?[1-9])",
    "j": "[0-9]{3}",
    "b": f"(?i:{'|'.join(month[:3] for month in _MONTHS)})",
    "B": f"(?i:{'|'.join(_MONTHS)})",
    "a": "(?i:mon|tue|wed|thu|fri|sat|sun)",
    "A": "(?i:mon|tues|wednes|thurs|fri|satur|sun)(?i:day)",
    "H": "(?:2[0-3]|[01]?[0-9])",
    "I": "(?:1[0-2]|0?[1-9])",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "f": "[0-9]{1,6}",
    "p": "(?i:am|pm)",
    "z": "(?:Z|[+-][0-9]{2}:?[0-9]{2})",
    "%": "%",
}
"""What stands for each directive of a format."""
_DAYS, _YEARS = frozenset("djbBm"), frozenset("yY")

_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y", "%B %d %Y"),
)
"""Common ways to write a day. `%y/%m/%d` is rare, and would make most of `%d/%m/%y` ambiguous."""
_TIME = re.compile(
    r"(?P<before>,? |T)[0-9]{1,2}:[0-9]{2}(?P<seconds>:[0-9]{2}(?P<fraction>\.[0-9]{1,6})?)?"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone> ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?"
)
_THOUSANDS: dict[Literal[".", ","], str] = {".": ",", ",": "."}
_MORE_THOUSANDS = " '\N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
"""What stands between thousands with any decimal sign."""


_UNIT = "^[^\\s0-9.,+'-]([^0-9]*[^\\s0-9.,+'-])?$"


class _Notation(Section):
    def written(self) -> str:
        """Return the notation as a spec has it."""
        return toml_value(self.model_dump(exclude_none=True))

    @abstractmethod
    def shown(self, text: str) -> str:
        """Return what a cell that is in the notation says, in the plain one."""

    @abstractmethod
    def value(self, text: str) -> float | None:
        """Return the number that a trimmed cell is in a table, or None."""

    @abstractmethod
    def sql(self, text: str) -> str:
        """Return the expression of what `value` says of a trimmed cell."""


class DatetimeFormat(_Notation):
    """The kind of a column of dates that are written in a format of their own."""

    type: Literal["datetime"] = Field(description="the kind")
    format: Annotated[str, Field(min_length=1)] = Field(description="the format, such as %d/%m/%Y")

    def problems(self) -> Iterator[FieldProblem]:
        used = re.findall("%(.?)", self.format)
        if unknown := [sign for sign in used if sign not in _DIRECTIVES]:
            known = " ".join(f"%{sign}" for sign in _DIRECTIVES)
            yield FieldProblem(("format",), f'"{self.format}": unknown directive %{unknown[0]}; choose from {known}')
        elif repeated := [sign for sign in used if sign != "%" and used.count(sign) > 1]:
            yield FieldProblem(("format",), f'"{self.format}" has %{repeated[0]} twice')
        elif not _YEARS.intersection(used) and _DAYS.intersection(used):
            yield FieldProblem(("format",), f'"{self.format}" has no year; dates need %Y or %y')
        elif not (_YEARS | frozenset("H")).intersection(used):
            yield FieldProblem(("format",), f'"{self.format}" has neither a year nor an hour, such as in %d/%m/%Y')

    def shown(self, text: str) -> str:
        return datetime.strptime(text, self.format).date().isoformat()

    def value(self, text: str) -> float | None:
        if not re.fullmatch(_pattern(self.format), text):
            return None
        try:
            return days_since_1970(datetime.strptime(text, self.format))
        except ValueError:
            return None

    def sql(self, text: str) -> str:
        plain = f"regexp_replace({text}, 'Z$', '+0000')" if self.format.endswith("%z") else text
        days = sql_epoch_days(f"try_strptime({plain}, {quoted(self.format)})")
        return f"CASE WHEN regexp_full_match({text}, {quoted(_pattern(self.format))}) THEN {days} END"


class NumberFormat(_Notation):
    """The kind of a column of numbers with separators between thousands, with another decimal sign or with a unit."""

    type: Literal["numeric"] = Field(description="the kind")
    decimal: Literal[".", ","] = Field(
        ".", description="sign before the fraction; the other one, a space or an apostrophe may separate thousands"
    )
    unit: Annotated[str, StringConstraints(pattern=_UNIT)] | None = Field(
        None, description='text that may stand before or behind the number, such as "$" or "%"'
    )

    def shown(self, text: str) -> str:
        return f"{self.value(text):.15g}"

    def value(self, text: str) -> float | None:
        if not re.fullmatch(self.pattern, text):
            return None
        plain = re.sub(self.around, r"\1\2", text) if self.unit else text
        return number(plain.translate({ord(sign): None for sign in self.separators}).replace(",", "."))

    def sql(self, text: str) -> str:
        plain = f"regexp_replace({text}, {quoted(self.around)}, '\\1\\2', 'g')" if self.unit else text
        plain = f"replace(translate({plain}, {quoted(self.separators)}, ''), ',', '.')"
        matched = f"CASE WHEN regexp_full_match({text}, {quoted(self.pattern)}) THEN {plain} END"
        return sql_number(matched, ".")

    @property
    def separators(self) -> str:
        """The signs that may stand between thousands."""
        return _THOUSANDS[self.decimal] + _MORE_THOUSANDS

    @property
    def around(self) -> str:
        """The pattern of the unit before and behind a number, of which the signs of the number remain."""
        unit = re.escape(self.unit or "")
        return rf"^([+-]?){unit} ?([+-]?)| ?{unit}$"

    @property
    def pattern(self) -> str:
        """The pattern of its texts."""
        point = re.escape(self.decimal)
        grouped = "|".join(f"(?:{re.escape(sign)}[0-9]{{3}})+" for sign in self.separators)
        digits = rf"(?:(?:0|[1-9][0-9]*|[1-9][0-9]{{0,2}}(?:{grouped}))(?:{point}[0-9]*)?|{point}[0-9]+)"
        pattern = rf"{digits}(?:[eE][+-]?[0-9]+)?"
        if self.unit is None:
            return f"[+-]?{pattern}"
        unit = re.escape(self.unit)
        return rf"(?:[+-]?(?:{unit} ?)?|{unit} ?[+-]){pattern}(?: ?{unit})?"


Notation = DatetimeFormat | NumberFormat
NOTATIONS: dict[str, type[DatetimeFormat] | type[NumberFormat]] = {"datetime": DatetimeFormat, "numeric": NumberFormat}
"""By the kind of their columns."""


def notations_of(texts: Sequence[str]) -> list[Notation]:
    """Return the common notations that at least one of some texts is in."""
    forms = dict.fromkeys(form for text in texts for form in _date_formats(text))
    said: dict[str, Any] = {"type": "numeric"} | ({"unit": unit} if (unit := _common_unit(texts)) else {})
    numbers = [NumberFormat(decimal=decimal, **said) for decimal in _THOUSANDS]
    return [
        *(DatetimeFormat(type="datetime", format=form) for form in forms),
        *(notation for notation in numbers if any(notation.value(text) is not None for text in texts)),
    ]


def _date_formats(text: str) -> Iterator[str]:
    """Yield the formats of which one of a list of common ones, perhaps with a time behind it, is a text's."""
    for date in _DATES:
        match = re.match(_pattern(date), text)
        if match and (time := _time_format(text[match.end() :])) is not None:
            yield date + time


def _time_format(text: str) -> str | None:
    """Return the format of the time that stands behind a date, empty where there is none; None for anything else."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None if text else ""
    found = match.groupdict("")
    half, zone = re.sub("[AaPp][Mm]", "%p", found["half"]), re.sub("Z|[+-].*", "%z", found["zone"])
    seconds, fraction = ":%S" * bool(found["seconds"]), ".%f" * bool(found["fraction"])
    return f"{found['before']}{'%I' if half else '%H'}:%M{seconds}{fraction}{half}{zone}"


def _common_unit(texts: Sequence[str]) -> str | None:
    """Return the currency symbol or percent sign that at least half of some texts have, if there is one."""
    counts = Counter(sign for text in texts for sign in {*text} if sign in "%‰" or category(sign) == "Sc")
    return next((sign for sign, count in counts.most_common(1) if 2 * count >= len(texts)), None)


@cache
def _pattern(form: str) -> str:
    """Return the pattern of the texts in a format of dates, whose directives are known."""
    return re.sub("%(.)|([^%]+)", lambda match: re.escape(match[2]) if match[2] else _DIRECTIVES[match[1]], form)
