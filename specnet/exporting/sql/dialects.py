"""Differences between databases: names, literals, operations, and the reading of cells of any type."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import groupby
from types import MappingProxyType
from typing import ClassVar

from specnet.compiler import Expansions, Operation, exp, log, operations
from specnet.compiler.expressions import (
    ARITHMETIC,
    CALL,
    CHOICE,
    COMPARISON,
    NAME,
    PRODUCT,
    UNARY,
    Form,
    Forms,
    Text,
    number_text,
)
from specnet.compiler.value import CAST, DIVIDE, EXPAND
from specnet.exporting.expression_text import TEXT_EXPANSIONS, function_forms

EXPANSIONS: Expansions = {
    **TEXT_EXPANSIONS,
    operations.EXPM1: lambda x: exp(x) - 1,
    operations.LOG1P: lambda x: log(1 + x),
}
"""Replacements of operations for which databases have no function."""
MOST_ARGUMENTS = 100
"""The largest number of arguments or of terms that are written side by side; SQLite takes 127, and 1000 levels."""
LONGEST_NAME = 63
"""The number of bytes after which PostgreSQL cuts names off."""
LEAST, MOST = -300, 709
"""The range of exponents in PostgreSQL, which refuses results that are too small or too large for a number."""

_FUNCTIONS = {
    operation: form
    for operation, form in function_forms("{}", log="ln").items()
    if operation not in (operations.EXPM1, operations.LOG1P, operations.ERF)
}
_FORMS: dict[Operation, Form] = (
    ARITHMETIC
    | _FUNCTIONS
    | {
        operations.EQUAL: Form("{} = {}", COMPARISON, (COMPARISON + 1, COMPARISON + 1)),
        operations.WHERE: Form("CASE WHEN {} THEN {} ELSE {} END", CALL),
        EXPAND: Form("{}", CHOICE),
    }
)
_STRICT_FORMS: dict[Operation, Form] = {
    operations.MAXIMUM: Form("CASE WHEN {0} < {1} THEN {1} ELSE {0} END"),
    operations.MINIMUM: Form("CASE WHEN {0} > {1} THEN {1} ELSE {0} END"),
}


class SqlDialect(ABC):
    """The SQL of a database.

    Attributes
    ----------
    title : str
        The name of the database.
    forms : mapping
        The forms of elementwise operations. Their operands are never missing, except in preprocessing.
    strict_forms : mapping
        Other forms for preprocessing, whose results are missing where an operand is missing; they repeat operands.
    double : str
        The name of the type of a double.
    string : str
        The name of the type of texts.
    largest, smallest : str
        The names of the functions that return the largest and the smallest of their arguments.
    character : str
        The name of the function that returns the character of a code point.
    fence : str
        What follows a query so that the database does not merge it with the query that reads it, which would repeat
        expressions.
    most_columns : int
        The largest number of columns of a query.
    view : str
        The beginning of a statement that defines a view.
    has_patterns : bool
        Whether texts can be compared with regular expressions.
    read_as_texts : frozenset of str
        The kinds of columns whose cells are read as texts, since the database refuses to read some types as a number.
    """

    title: ClassVar[str]
    forms: ClassVar[Forms]
    strict_forms: ClassVar[Forms]
    double: ClassVar[str]
    string: ClassVar[str]
    largest: ClassVar[str] = "greatest"
    smallest: ClassVar[str] = "least"
    character: ClassVar[str] = "chr"
    fence: ClassVar[str] = ""
    most_columns: ClassVar[int]
    view: ClassVar[str] = "CREATE OR REPLACE VIEW {} AS"
    has_patterns: ClassVar[bool] = True
    read_as_texts: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def number(self, number: float) -> Text:
        """Return a number that is stored as a double, exactly."""

    def weight(self, number: float) -> str:
        """Return a number that is multiplied by a double or added to one, in the fewest characters."""
        return self.number(number).within(UNARY)

    def name(self, name: str) -> str:
        """Return a name of a table or column, in quotes."""
        return '"' + name.replace('"', '""') + '"'

    def literal(self, text: str) -> str:
        """Return a text as an expression, in which no character is lost in an editor or in transport."""
        found: list[str] = []
        for is_printable, group in groupby(text, str.isprintable):
            part = "".join(group)
            found += [self.quoted(part)] if is_printable else [f"{self.character}({ord(each)})" for each in part]
        return f"({' || '.join(found)})" if len(found) > 1 else found[0] if found else "''"

    def quoted(self, text: str) -> str:
        """Return a printable text as a literal."""
        return "'" + text.replace("'", "''") + "'"

    def folded(self, name: str) -> str:
        """Return a text that is equal for names that the database does not distinguish."""
        return name.lower()

    def lists(self, inputs: int, outputs: int) -> bool:
        """Return whether products of a matrix of this size are computed from a list of the inputs."""
        return False

    @abstractmethod
    def is_text(self, cell: str) -> str:
        """Return the condition that a cell of a column of unknown type is a text."""

    @abstractmethod
    def number_of(self, cell: str) -> str:
        """Return the number in a cell that is no text; missing where it is missing or not a number."""

    @abstractmethod
    def number_in(self, text: str) -> str:
        """Return the number in a text that is not missing; infinity if it has none."""

    @abstractmethod
    def days_in(self, text: str) -> str:
        """Return the days since 1970 in UTC of a date in ISO format in a text; missing if it is none."""

    def matches(self, text: str, pattern: str) -> str:
        """Return the condition that a text has a pattern of Python; only if the database has patterns."""
        raise NotImplementedError

    def found(self, text: str, pattern: str, group: int) -> str:
        """Return a group of a pattern that a text has; empty or missing if the group is not in the text."""
        raise NotImplementedError

    def day(self, year: str, month: str, day: str) -> str:
        """Return the days since 1970 of a date given by whole numbers; missing or an error if there is no such day."""
        raise NotImplementedError

    def text_of(self, cell: str) -> str:
        """Return a cell as a text."""
        return f"CAST({cell} AS {self.string})"

    def category_of(self, cell: str) -> str:
        """Return a cell as the text of a category: whole numbers have no fraction."""
        return self.text_of(cell)

    @property
    def infinity(self) -> str:
        """Infinity as a double."""
        return self.number(float("inf")).code


class DuckDb(SqlDialect):
    title = "DuckDB"
    forms = _FORMS | {
        operations.MAXIMUM: Form("greatest({}, {})"),
        operations.MINIMUM: Form("least({}, {})"),
        CAST: Form("CASE WHEN {} THEN 1e0 ELSE 0e0 END"),
    }
    strict_forms = _STRICT_FORMS
    double, string = "DOUBLE", "VARCHAR"
    most_columns = 10_000
    read_as_texts = frozenset({"datetime"})

    def number(self, number: float) -> Text:
        text = number_text(number)
        if text.lstrip("-") in ("inf", "nan"):
            return Text(f"'{text}'::DOUBLE", NAME)
        text = text.removesuffix(".0") + "e0" * ("e" not in text)  # without an exponent it would be a decimal
        return Text(text, UNARY if text[0] == "-" else NAME)

    def lists(self, inputs: int, outputs: int) -> bool:
        return inputs >= 16 and outputs >= 4

    def is_text(self, cell: str) -> str:
        return f"typeof({cell}) = 'VARCHAR'"

    def number_of(self, cell: str) -> str:
        return f"nullif(TRY_CAST({cell} AS DOUBLE), 'nan'::DOUBLE)"

    def number_in(self, text: str) -> str:
        return f"coalesce(TRY_CAST({text} AS DOUBLE), {self.infinity})"

    def days_in(self, text: str) -> str:
        return f"epoch_us(TRY_CAST({text} AS TIMESTAMP)) / 86400e6"

    def matches(self, text: str, pattern: str) -> str:
        return f"regexp_full_match({text}, {self.literal(pattern)})"

    def found(self, text: str, pattern: str, group: int) -> str:
        return f"regexp_extract({text}, {self.literal(f'^(?:{pattern})$')}, {group})"

    def day(self, year: str, month: str, day: str) -> str:
        date = f"TRY_CAST({year} || '-' || {month} || '-' || {day} AS DATE)"
        return f"CAST({date} - DATE '1970-01-01' AS DOUBLE)"

    def category_of(self, cell: str) -> str:
        text = self.text_of(cell)
        return (
            f"CASE WHEN typeof({cell}) IN ('DOUBLE', 'FLOAT') THEN regexp_replace({text}, '\\.0$', '') ELSE {text} END"
        )


class Sqlite(SqlDialect):
    title = "SQLite"
    forms = _FORMS | {
        operations.MAXIMUM: Form("max({}, {})"),
        operations.MINIMUM: Form("min({}, {})"),
        CAST: Form("CASE WHEN {} THEN 1.0 ELSE 0.0 END"),
    }
    strict_forms = MappingProxyType({})
    double, string = "REAL", "TEXT"
    largest, smallest, character = "max", "min", "char"
    fence = "LIMIT -1 OFFSET 0"
    most_columns = 2000
    view = "CREATE VIEW {} AS"
    has_patterns = False

    def number(self, number: float) -> Text:
        text = number_text(number).replace("inf", "9e999")
        text = "NULL" if text == "nan" else text
        return Text(text, UNARY if text[0] == "-" else NAME)

    def folded(self, name: str) -> str:
        return re.sub("[A-Z]+", lambda found: found[0].lower(), name)

    def is_text(self, cell: str) -> str:
        return f"typeof({cell}) IN ('text', 'blob')"

    def number_of(self, cell: str) -> str:
        return f"CAST({cell} AS REAL)"

    def number_in(self, text: str) -> str:
        digits = f"'1' || ltrim({text}, '+-') || '0'"  # which is a number in JSON if the text is a number
        is_number = f"{text} GLOB '*[0-9]*' AND json_valid({digits})"
        return f"CASE WHEN {is_number} THEN CAST({text} AS REAL) ELSE {self.infinity} END"

    def days_in(self, text: str) -> str:
        day = f"substr({text}, 1, 10)"
        is_date = f"{text} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' AND date({day}, '+0 days') = {day}"
        parts = [f"CAST(strftime('%{part}', {text}) AS REAL)" for part in "sfS"]
        return f"CASE WHEN {is_date} THEN ({parts[0]} + ({parts[1]} - {parts[2]})) / 86400.0 END"

    def text_of(self, cell: str) -> str:
        return f"CAST({cell} AS TEXT) COLLATE BINARY"

    def category_of(self, cell: str) -> str:
        whole = f"CAST(CAST({cell} AS INTEGER) AS TEXT)"
        is_whole = f"typeof({cell}) = 'real' AND {cell} = CAST({cell} AS INTEGER)"
        return f"CASE WHEN {is_whole} THEN {whole} ELSE {self.text_of(cell)} END COLLATE BINARY"


class Postgres(SqlDialect):
    title = "PostgreSQL"
    forms = _FORMS | {
        operations.MAXIMUM: Form("greatest({}, {})"),
        operations.MINIMUM: Form("least({}, {})"),
        CAST: Form("CASE WHEN {} THEN 1::float8 ELSE 0::float8 END"),
        operations.ERF: Form("erf({})"),
        operations.EXP: Form(f"exp(least(greatest({{}}, {LEAST}::float8), {MOST}::float8))"),
        operations.LOG: Form("ln(nullif(greatest({}, 0::float8), 0::float8))"),
        DIVIDE: Form("{} / nullif({}, 0::float8)", PRODUCT, (PRODUCT, CHOICE)),
    }
    strict_forms = _STRICT_FORMS | {
        operations.EXP: Form(f"CASE WHEN {{0}} IS NOT NULL THEN {forms[operations.EXP].template.format('{0}')} END")
    }
    double, string = "float8", "text"
    fence = "OFFSET 0"
    most_columns = 1600
    read_as_texts = frozenset({"datetime", "boolean"})

    def folded(self, name: str) -> str:
        return name.encode()[:LONGEST_NAME].decode(errors="ignore")

    def number(self, number: float) -> Text:
        text = number_text(number)
        if text.lstrip("-") in ("inf", "nan"):
            return Text(f"'{text}'::float8", NAME)
        return Text(f"{text}::float8", UNARY if text[0] == "-" else CALL)

    def weight(self, number: float) -> str:
        return number_text(number)

    def quoted(self, text: str) -> str:
        quoted = super().quoted(text)
        return "E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted

    def is_text(self, cell: str) -> str:
        return f"pg_typeof({cell}) IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)"

    def number_of(self, cell: str) -> str:
        return f"nullif(CAST({cell} AS float8), 'nan'::float8)"

    def number_in(self, text: str) -> str:
        is_number = f"{text} ~ '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$'"
        return f"CASE WHEN {is_number} THEN CAST({text} AS float8) ELSE {self.infinity} END"

    def days_in(self, text: str) -> str:
        zoned = f"CASE WHEN {text} ~ ':.*[Z+-]' THEN {text} ELSE {text} || ' UTC' END"
        days = f"CAST(extract(epoch FROM CAST({zoned} AS timestamptz)) AS float8) / 86400"
        return f"CASE WHEN {text} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}' THEN {days} END"

    def matches(self, text: str, pattern: str) -> str:
        return f"{text} ~ {self._pattern(pattern)}"

    def found(self, text: str, pattern: str, group: int) -> str:
        return f"(regexp_match({text}, {self._pattern(pattern)}))[{group}]"

    def _pattern(self, pattern: str) -> str:
        """Return a pattern of a whole text, in which the case of all letters is ignored if that of some is."""
        start = "(?i)" if "(?i:" in pattern else ""
        return self.literal(f"{start}^(?:{pattern.replace('(?i:', '(?:')})$")

    def day(self, year: str, month: str, day: str) -> str:
        date = f"make_date({', '.join(f'CAST({part} AS int)' for part in (year, month, day))})"
        return f"CAST({date} - DATE '1970-01-01' AS float8)"

    def text_of(self, cell: str) -> str:
        return f'CAST({cell} AS text) COLLATE "C"'


DIALECTS: dict[str, SqlDialect] = {"duckdb": DuckDb(), "sqlite": Sqlite(), "postgres": Postgres()}
"""The dialects by their names."""


def joined(terms: Sequence[str], operator: str) -> str:
    """Return terms joined by an operator, with parentheses that limit the depth of the expression."""
    while len(terms) > MOST_ARGUMENTS:
        parts = [terms[start : start + MOST_ARGUMENTS] for start in range(0, len(terms), MOST_ARGUMENTS)]
        terms = [f"({joined(part, operator)})" for part in parts]
    return f" {operator} ".join(terms).replace("+ -", "- ")


def nested(function: str, terms: Sequence[str]) -> str:
    """Return the call of a function such as a maximum of many terms, nested so that no call has too many arguments."""
    while len(terms) > MOST_ARGUMENTS:
        parts = [terms[start : start + MOST_ARGUMENTS] for start in range(0, len(terms), MOST_ARGUMENTS)]
        terms = [f"{function}({', '.join(part)})" if len(part) > 1 else part[0] for part in parts]
    return f"{function}({', '.join(terms)})" if len(terms) > 1 else terms[0]
