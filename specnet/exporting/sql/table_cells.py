"""The cells of a table as numbers: expressions that read a column of any type, as specnet reads the column of a file.

A missing cell is NULL, and a cell that is no number infinity, until `checked` replaces both in columns without missing
values, so that no function of a database refuses a number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from specnet.compiler.expressions import CALL, CHOICE, Text
from specnet.errors import UnsupportedError
from specnet.exporting.export_columns import RawColumn
from specnet.exporting.model_program import Program
from specnet.exporting.sql.dialects import SqlDialect, joined
from specnet.exporting.sql.notation_cells import missing_numbers, notation_cell
from specnet.exporting.sql.query import Cell, Query, cell_of
from specnet.parts.data import Csv
from specnet.parts.data.notations import BooleanWords, LocalDatetime, Notation
from specnet.parts.data.tables.cells import PAIRS

LARGEST = float(np.finfo(np.float64).max)


def column_names(program: Program) -> list[str]:
    """Return the names of the raw columns in the table; x1, x2, … if the model has no names."""
    return [column.name or f"x{number}" for number, column in enumerate(program.columns, 1)]


def column_cells(program: Program, query: Query, row: str) -> tuple[list[Cell], list[Cell]]:
    """Return the raw columns of a program as numbers, and the conditions that they can be predicted.

    Parameters
    ----------
    program : Program
    query : Query
    row : str
        The alias of the table.
    """
    dialect, title = query.dialect, "raw columns as numbers"
    csv = program.model.spec.data
    markers = csv.missing_values if isinstance(csv, Csv) else ()
    kinds = program.model.spec.feature_kinds or {}
    decimal = (csv.decimal if isinstance(csv, Csv) else None) or "."
    found, conditions = [], []
    for column, name in zip(program.columns, column_names(program), strict=True):
        place, notation = f"{row}.{dialect.name(name)}", kinds.get(column.name)
        reader = _Reader(dialect, place, list(dict.fromkeys(["", *markers])), decimal)
        if column.codes is not None:
            text = query.stored(Cell(Text(reader.category(), CALL), 0, title=title), query.new_name())
            found.append(cell_of(Text(_code(dialect, text.code, column), CALL), [text], title))
            continue
        code = reader.of(column, notation if isinstance(notation, Notation) else None)
        number = query.stored(Cell(Text(code, CALL), 0, title=title), query.new_name())
        is_number = f"abs({number.code}) <= {dialect.number(LARGEST).code}"
        if column.takes_missing:
            is_number = f"({number.code} IS NULL OR {is_number})"
        conditions.append(cell_of(Text(is_number, CALL), [number], title))
        checked = f"CASE WHEN {is_number} THEN {number.code} ELSE {dialect.number(0.0).code} END"
        found.append(cell_of(Text(checked, CALL), [number], title))
    return found, conditions


def _code(dialect: SqlDialect, text: str, column: RawColumn) -> str:
    """Return the code of a text that is never missing."""
    assert column.codes is not None, "a column of texts"
    cases = [f"WHEN {dialect.literal(known)} THEN {dialect.number(code).code}" for known, code in column.codes.items()]
    other = dialect.number(0.0).code
    return f"CASE {text} {' '.join(cases)} ELSE {other} END" if cases else other


class _Reader:
    """The expressions that read a column.

    Parameters
    ----------
    dialect : SqlDialect
    cell : str
        The column.
    markers : sequence of str
        Texts that mean a missing value.
    decimal : str
        The character before the fraction of a number.
    """

    def __init__(self, dialect: SqlDialect, cell: str, markers: Sequence[str], decimal: str) -> None:
        self.dialect, self.cell, self.markers, self.decimal = dialect, cell, markers, decimal
        self.text = f"trim({dialect.text_of(cell)})"

    def category(self) -> str:
        """Return the text of a category; empty if it is missing."""
        text, others = self.dialect.category_of(self.cell), [each for each in self.markers if each]
        if others:
            text = f"CASE WHEN {self.dialect.text_of(self.cell)} IN ({self._listed(others)}) THEN '' ELSE {text} END"
        return f"coalesce({text}, '')"

    def of(self, column: RawColumn, notation: Notation | None) -> str:
        """Return the number in a cell of a column that is no category."""
        dialect, text = self.dialect, self.text
        if column.kind == "boolean":
            words = [
                f"WHEN '{word}' THEN {dialect.number(float(word == pair[0])).code}" for pair in PAIRS for word in pair
            ]
            read = f"CASE lower({text}) {' '.join(words)} ELSE {self._number()} END"
        elif column.kind == "datetime":
            read = f"coalesce({dialect.days_in(text)}, {self._number()})"
        else:
            read = self._number()
        markers = self.markers
        if notation is not None:
            markers = [*markers, *(notation.missing_values or ())]
            if own := self._in_notation(column, notation):
                read = f"coalesce({own}, {dialect.infinity})"
        read = f"CASE WHEN {self.cell} IS NULL OR {text} IN ({self._listed(markers)}) THEN NULL ELSE {read} END"
        if column.kind not in dialect.read_as_texts:
            read = f"CASE WHEN {dialect.is_text(self.cell)} THEN {read} ELSE {dialect.number_of(self.cell)} END"
        return read if notation is None else missing_numbers(dialect, read, notation)

    def _in_notation(self, column: RawColumn, notation: Notation) -> str:
        """Return the number in a text in a notation; empty if it is a plain notation."""
        if isinstance(notation, (LocalDatetime, BooleanWords)):
            return ""
        if not self.dialect.has_patterns:
            message = f'{self.dialect.title} has no regular expressions, which cells of "{column.name}" need'
            hint = "use the dialect duckdb or postgres, or train with `specnet run` on a table in plain notation"
            raise UnsupportedError(message, hint=hint)
        found = notation_cell(self.dialect, self.text, notation)
        return f"coalesce({found}, {self._number()})" if column.kind == "datetime" else found

    def _number(self) -> str:
        text = self.text
        if self.decimal != ".":
            text = f"replace({text}, {self.dialect.literal(self.decimal)}, '.')"
        return self.dialect.number_in(text)

    def _listed(self, texts: Sequence[str]) -> str:
        return ", ".join(map(self.dialect.literal, texts))


def is_complete(conditions: Sequence[Cell]) -> Cell:
    """Return the condition that all conditions are true."""
    code = joined([cell.text.within(CALL) for cell in conditions], "AND")
    return cell_of(Text(code or "1 = 1", CHOICE), conditions, "rows that can be predicted")
