"""Notations of dates and numbers other than the plain ones: their sections in specs, and their detection from texts.

Each notation converts a trimmed cell to a number, to NaN for a missing value, or to None if the cell does not fit.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Annotated, Any, Literal, Self
from unicodedata import category

from pydantic import Field, StringConstraints

from specnet.files.plain_data import toml_value
from specnet.parts.data.tables.cells import Reader, are_pair, boolean, certain, days, days_since_1970, has_zone
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
    "z": "(?:Z|[+-][0-9]{2}:?[0-5][0-9])",
    "%": "%",
}
"""The regular expression for each directive of a date format."""
MONTH_NUMBERS = {month[:3]: number for number, month in enumerate(_MONTHS, 1)}
LAST_YEAR = 2068
_DAYS, _YEARS = frozenset("djbBm"), frozenset("yY")

_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y", "%B %d %Y"),
)
"""Common date formats. `%y/%m/%d` is left out: it is rare, and would make most dates in `%d/%m/%y` ambiguous."""
_TIME = re.compile(
    r"(?P<before>,? |T)[0-9]{1,2}:[0-9]{2}(?P<seconds>:[0-9]{2}(?P<fraction>\.[0-9]{1,6})?)?"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone> ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?"
)
_THOUSANDS: dict[Literal[".", ","], str] = {".": ",", ",": "."}
_MORE_THOUSANDS = " '\N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
"""The characters that may separate thousands, whatever the decimal character is."""


_UNIT = "^[^\\s0-9.,+'-]([^0-9]*[^\\s0-9.,+'-])?$"
DurationUnit = Literal["seconds", "minutes", "hours", "days"]
SECONDS: dict[DurationUnit, int] = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
_DURATION_WORDS: dict[DurationUnit, str] = {
    "days": "d|days?",
    "hours": "h|hrs?|hours?",
    "minutes": "m|mins?|minutes?",
    "seconds": "s|secs?|seconds?",
}

MissingTexts = Annotated[
    tuple[str, ...] | None,
    Field(strict=False, min_length=1, description="cells of this column alone that mean that a value is missing"),
]


class _Notation(Section):
    missing_values: MissingTexts = None

    def written(self) -> str:
        """Return the notation as TOML text for a spec."""
        fields = self.model_dump(exclude_none=True)
        missing = {name: fields.pop(name) for name in ("missing_values",) if name in fields}
        return toml_value(fields | missing)

    def value(self, text: str) -> float | None:
        """Return the number for a trimmed cell, NaN for a missing value, or None for a cell in another notation."""
        return self.reader(text)

    @property
    def reader(self) -> Reader:
        """The function behind `value`, to be created once for many cells."""
        read, missing = self._reader, frozenset(self.missing_values or ())
        if not missing:
            return read
        numbers = self.missing_numbers

        def value(text: str) -> float | None:
            found = math.nan if text in missing else read(text)
            return math.nan if found in numbers else found

        return value

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """The numbers that mean a missing value, in any form of writing them."""
        found = map(self._reader, self.missing_values or ())
        return tuple(each for each in found if each is not None)

    def with_missing(self, texts: Sequence[str]) -> Self:
        """Return a copy of the notation with more texts that mean a missing value."""
        return self.model_copy(update={"missing_values": (*(self.missing_values or ()), *texts)})

    def reads(self, text: str) -> bool:
        """Return whether a trimmed cell is in the notation."""
        return self.value(text) is not None

    @abstractmethod
    def shown(self, text: str) -> str:
        """Return the plain notation of a cell that is in this notation."""

    @property
    @abstractmethod
    def _reader(self) -> Reader:
        """The function that reads cells that are not missing."""


class DatetimeFormat(_Notation):
    """The kind of a column of dates in a format other than ISO, such as 31/01/2024."""

    type: Literal["datetime"] = Field(description="the kind")
    format: Annotated[str, Field(min_length=1)] = Field(description="the format, such as %d/%m/%Y")
    last_year: Annotated[int, Field(ge=1000, le=9999)] | None = Field(
        None, description="years of two digits are within the hundred years to this one; default: 2068"
    )

    def problems(self) -> Iterator[FieldProblem]:
        used = re.findall("%(.?)", self.format)
        if unknown := [character for character in used if character not in _DIRECTIVES]:
            known = " ".join(f"%{character}" for character in _DIRECTIVES)
            yield FieldProblem(("format",), f'"{self.format}": unknown directive %{unknown[0]}; choose from {known}')
        elif repeated := [character for character in used if character != "%" and used.count(character) > 1]:
            yield FieldProblem(("format",), f'"{self.format}" has %{repeated[0]} twice')
        elif not _YEARS.intersection(used) and _DAYS.intersection(used):
            yield FieldProblem(("format",), f'"{self.format}" has no year; dates need %Y or %y')
        elif not (_YEARS | frozenset("H")).intersection(used):
            yield FieldProblem(("format",), f'"{self.format}" has neither a year nor an hour, such as in %d/%m/%Y')
        elif self.last_year is not None and "y" not in used:
            yield FieldProblem(("last_year",), f'"{self.format}" has no year of two digits, which is %y')

    def shown(self, text: str) -> str:
        days = self._reader(text)
        assert days is not None, "it is in the notation"
        return (datetime(1970, 1, 1) + timedelta(days=days)).date().isoformat()

    @property
    def has_short_years(self) -> bool:
        """Whether years have two digits."""
        return "y" in re.findall("%(.)", self.format)

    @property
    def _reader(self) -> Reader:
        return _date_reader(self.format, self.last_year or LAST_YEAR)

    @property
    def fields(self) -> tuple[str, list[str]]:
        """The pattern of texts in the format, with a group for each directive, and the directives."""
        return _grouped(self.format), [each for each in re.findall("%(.)", self.format) if each != "%"]

    @property
    def with_whole_years(self) -> tuple[str, str]:
        """The format with four-digit years, and a pattern with groups before, in and after a two-digit year."""
        (at,) = (match.start() for match in re.finditer("%(.)", self.format) if match[1] == "y")
        before, after = self.format[:at], self.format[at + 2 :]
        return f"{before}%Y{after}", f"^({_pattern(before)})([0-9]{{2}})({_pattern(after)})$"


class LocalDatetime(_Notation):
    """The kind of a column of dates and times in ISO format without a time zone, such as 2024-01-31T12:00."""

    type: Literal["datetime"] = Field(description="the kind")
    zone: Literal[False] = Field(
        description="false: no cell has a time zone, and predictions refuse cells that have one; a run sets it"
    )

    def shown(self, text: str) -> str:
        return text

    @property
    def _reader(self) -> Reader:
        return lambda text: None if has_zone(text) else days(text)


class BooleanWords(_Notation):
    """The kind of a column of booleans, one of several targets, whose predictions are in the words of its cells."""

    type: Literal["boolean"] = Field(description="the kind")
    words: tuple[str, str] = Field(
        strict=False,
        description='words for false and true in predictions, such as ["No", "Yes"]; a run sets those of the cells',
    )

    def problems(self) -> Iterator[FieldProblem]:
        if not are_pair(self.words):
            message = f"{toml_value(self.words)} are no words for false and true, as no and yes are"
            yield FieldProblem(("words",), message)

    def shown(self, text: str) -> str:
        return text

    @property
    def _reader(self) -> Reader:
        return boolean


class NumberFormat(_Notation):
    """The kind of a column of numbers with separators of thousands, another decimal character or a unit."""

    type: Literal["numeric"] = Field(description="the kind")
    decimal: Literal[".", ","] = Field(
        ".", description="character before the fraction; the other one, a space or an apostrophe may separate thousands"
    )
    unit: Annotated[str, StringConstraints(pattern=_UNIT)] | None = Field(
        None, description='text that may stand before or behind the number, such as "$" or "%"'
    )

    def shown(self, text: str) -> str:
        return f"{self._reader(text):.15g}"

    @property
    def _reader(self) -> Reader:
        is_number, around = re.compile(self.pattern).fullmatch, re.compile(self.around)
        unit, separators, decimal = self.unit, self.separators, self.decimal

        def read(text: str) -> float | None:
            if is_number(text) is None:
                return None
            if unit:
                text = around.sub(r"\1\2", text)
            for character in separators:
                if character in text:
                    text = text.replace(character, "")
            return certain(text if decimal == "." else text.replace(",", "."))

        return read

    @property
    def separators(self) -> str:
        """The characters that may separate thousands."""
        return _THOUSANDS[self.decimal] + _MORE_THOUSANDS

    @property
    def around(self) -> str:
        """The pattern of the unit before and after a number; its groups are a + or - beside the unit."""
        unit = re.escape(self.unit or "")
        return rf"^([+-]?){unit} ?([+-]?)| ?{unit}$"

    @property
    def pattern(self) -> str:
        """The pattern of texts in the notation."""
        point = re.escape(self.decimal)
        grouped = "|".join(f"(?:{re.escape(character)}[0-9]{{3}})+" for character in self.separators)
        digits = rf"(?:(?:0|[1-9][0-9]*|[1-9][0-9]{{0,2}}(?:{grouped}))(?:{point}[0-9]*)?|{point}[0-9]+)"
        pattern = rf"{digits}(?:[eE][+-]?[0-9]+)?"
        if self.unit is None:
            return f"[+-]?{pattern}"
        unit = re.escape(self.unit)
        return rf"(?:[+-]?(?:{unit} ?)?|{unit} ?[+-]){pattern}(?: ?{unit})?"


class DurationFormat(_Notation):
    """The kind of a column of durations, such as 13:02 or 4h 30m, which become numbers of one unit."""

    type: Literal["numeric"] = Field(description="the kind")
    duration: DurationUnit = Field(
        description="unit of the number that a duration such as 13:02:00 or 4h 30m becomes; 13:02 is hours and "
        "minutes, or where the unit is seconds, minutes and seconds"
    )

    def shown(self, text: str) -> str:
        return f"{self._reader(text):.15g} {self.duration}"

    @property
    def _reader(self) -> Reader:
        forms = [(re.compile(pattern).fullmatch, units) for pattern, units in self.forms]

        def read(text: str) -> float | None:
            for fullmatch, units in forms:
                if match := fullmatch(text):
                    seconds = 0.0
                    for unit, part in zip(units, match.groups(), strict=True):
                        seconds += SECONDS[unit] * float((part or "0").replace(",", "."))
                    return (-seconds if text.startswith("-") else seconds) / SECONDS[self.duration]
            return None

        return read

    @property
    def forms(self) -> list[tuple[str, tuple[DurationUnit, ...]]]:
        """The patterns of texts in the notation, each with the units of its groups."""
        number, all_units = "([0-9]{1,15}(?:[.,][0-9]{1,15})?)", tuple(_DURATION_WORDS)
        words = [f"{number} ?(?i:{word})" for word in _DURATION_WORDS.values()]
        hours, minutes, seconds = "([0-9]{1,15})", "([0-5][0-9])", "([0-5][0-9](?:[.,][0-9]{1,15})?)"
        return [
            (f"[+-]?{hours}:{minutes}:{seconds}", ("hours", "minutes", "seconds")),
            (f"[+-]?{hours}:{minutes}", ("minutes", "seconds") if self.duration == "seconds" else ("hours", "minutes")),
            *(
                ("[+-]?" + word + "".join(f"(?: ?{later})?" for later in words[first + 1 :]), all_units[first:])
                for first, word in enumerate(words)
            ),
        ]


Notation = DatetimeFormat | LocalDatetime | BooleanWords | NumberFormat | DurationFormat
NOTATIONS: tuple[type[Notation], ...] = (DatetimeFormat, LocalDatetime, BooleanWords, NumberFormat, DurationFormat)
NOTATION_KINDS = ("datetime", "boolean", "numeric")


def notation_type(kind: str, fields: Collection[str]) -> type[Notation]:
    """Return the class of the notation for a column kind and the fields of its section in a spec."""
    if kind == "datetime":
        return LocalDatetime if "zone" in fields else DatetimeFormat
    if kind == "boolean":
        return BooleanWords
    return DurationFormat if "duration" in fields else NumberFormat


def notations_of(texts: Sequence[str]) -> list[Notation]:
    """Return the common notations that at least one of the texts is in."""
    forms = dict.fromkeys(form for text in texts for form in _date_formats(text))
    given: dict[str, Any] = {"type": "numeric"} | ({"unit": unit} if (unit := _common_unit(texts)) else {})
    numbers = [NumberFormat(decimal=decimal, **given) for decimal in _THOUSANDS]
    return [
        *(DatetimeFormat(type="datetime", format=form) for form in forms),
        *(notation for notation in numbers if any(value is not None for value in map(notation.reader, texts))),
        *_durations(texts),
    ]


def _durations(texts: Sequence[str]) -> Iterator[DurationFormat]:
    """Yield the notation of durations in the smallest unit of the texts, if one text is certainly a duration."""
    units: set[DurationUnit] = set()
    is_clear, forms = False, DurationFormat(type="numeric", duration="minutes").forms
    for text in texts:
        for pattern, own in forms:
            if match := re.fullmatch(pattern, text):
                found = [unit for unit, part in zip(own, match.groups(), strict=True) if part]
                units.update(found)
                # A single letter after a single number, as in 5 m, may be a unit of something else.
                is_clear = is_clear or len(found) > 1 or bool(re.search("h|[a-z]{2}", text.lower()))
                break
    if is_clear:
        yield DurationFormat(type="numeric", duration=min(units, key=lambda unit: SECONDS[unit]))


def _date_formats(text: str) -> Iterator[str]:
    """Yield the formats that a text is in: a common date format, optionally followed by the format of a time."""
    for date in _DATES:
        match = re.match(_pattern(date), text)
        if match and (time := _time_format(text[match.end() :])) is not None:
            yield date + time


def _time_format(text: str) -> str | None:
    """Return the format of the time after a date, an empty text if nothing follows, or None for any other text."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None if text else ""
    found = match.groupdict("")
    half, zone = re.sub("[AaPp][Mm]", "%p", found["half"]), re.sub("Z|[+-].*", "%z", found["zone"])
    seconds, fraction = ":%S" * bool(found["seconds"]), ".%f" * bool(found["fraction"])
    return f"{found['before']}{'%I' if half else '%H'}:%M{seconds}{fraction}{half}{zone}"


def _common_unit(texts: Sequence[str]) -> str | None:
    """Return the currency symbol, % or ‰ in at least half of the texts that have digits, or None."""
    texts = [text for text in texts if re.search("[0-9]", text)]
    counts = Counter(
        character for text in texts for character in {*text} if character in "%‰" or category(character) == "Sc"
    )
    return next((character for character, count in counts.most_common(1) if 2 * count >= len(texts)), None)


@cache
def _pattern(form: str) -> str:
    """Return the regular expression for texts in a valid date format."""
    return re.sub("%(.)|([^%]+)", lambda match: re.escape(match[2]) if match[2] else _DIRECTIVES[match[1]], form)


@cache
def _date_reader(form: str, last_year: int) -> Reader:
    """Return the function that reads dates in a format; two-digit years are in the 100 years up to `last_year`."""
    directives = [directive for directive in re.findall("%(.)", form) if directive != "%"]
    fullmatch = re.compile(_grouped(form)).fullmatch

    order = tuple(directives.index(each) + 1 for each in "YmdHMS" if each in directives)
    is_plain = len(order) == len(directives) and "".join(sorted(directives)) in ("Ydm", "HMYdm", "HMSYdm")

    def read_plain(text: str) -> float | None:
        match = fullmatch(text)
        if match is None:
            return None
        fields: Any = map(int, match.group(*order))
        try:
            return days_since_1970(datetime(*fields))
        except ValueError:
            return None

    def read(text: str) -> float | None:
        match = fullmatch(text)
        if match is None:
            return None
        fields = dict(zip(directives, match.groups(), strict=True))
        try:
            return days_since_1970(_moment(fields, last_year))
        except (ValueError, OverflowError):
            return None

    return read_plain if is_plain else read


def _moment(fields: Mapping[str, str], last_year: int) -> datetime:
    """Return the datetime for the fields of a date, given by their directives.

    Raises
    ------
    ValueError, OverflowError
        If the date does not exist.
    """
    year, month, hour = 1900, 1, 0
    for directive, field in fields.items():
        if directive in "Yy":
            year = int(field) if directive == "Y" else last_year - (last_year - int(field)) % 100
        elif directive in "mbB":
            month = int(field) if directive == "m" else MONTH_NUMBERS[field[:3].lower()]
        elif directive in "HI":
            hour = int(field) if directive == "H" else int(field) % 12 + 12 * (fields.get("p", "").lower() == "pm")
    zone = UTC
    if (offset := fields.get("z", "Z")) != "Z":
        minutes = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
        zone = timezone(-minutes if offset[0] == "-" else minutes)
    minute, second, fraction = (int(fields.get(each, "0").ljust(6 * (each == "f"), "0")) for each in "MSf")
    if "j" not in fields:
        return datetime(year, month, int(fields.get("d", 1)), hour, minute, second, fraction, zone)
    if not 1 <= int(fields["j"]) <= 366:
        raise ValueError("no such day of a year")
    return datetime(year, 1, 1, hour, minute, second, fraction, zone) + timedelta(days=int(fields["j"]) - 1)


def _grouped(form: str) -> str:
    """Return the regular expression for texts in a valid date format, with a group for each directive."""
    return re.sub("%(.)|([^%]+)", lambda match: re.escape(match[2]) if match[2] else _group(match[1]), form)


def _group(directive: str) -> str:
    return "%" if directive == "%" else f"({_DIRECTIVES[directive]})"
