"""Texts in CSV files that spreadsheets would compute as formulas, whoever has written them into a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from specnet.errors import Diagnostic
from specnet.number_texts import counted
from specnet.parts.data.column_kinds import shown_cell
from specnet.parts.data.tables.cells import number, trimmed

_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Formulas:
    """Counts such cells as they are written, or makes mere texts of them by an apostrophe in front.

    Parameters
    ----------
    escape : bool
    """

    def __init__(self, escape: bool) -> None:
        self._escape = escape
        self._count, self._first = 0, ""

    def written(self, cells: Iterable[Any]) -> list[Any]:
        """Return cells as they are to be written."""
        return [self._written(cell) if isinstance(cell, str) and _is_formula(cell) else cell for cell in cells]

    def warnings(self, source: str) -> Iterator[Diagnostic]:
        """Yield the warning about cells that were written as they are, if there were any."""
        if not self._count:
            return
        cells = f"{counted(self._count, 'cell')} {'is a formula' if self._count == 1 else 'are formulas'}"
        message = f'{cells} to spreadsheets, such as "{shown_cell(self._first)}"'
        hint = "use --escape-formulas to write an apostrophe before them"
        yield Diagnostic("formula", message, source=source, hint=hint)

    def _written(self, cell: str) -> str:
        if self._escape:
            return f"'{cell}"
        self._first = self._first or cell
        self._count += 1
        return cell


def _is_formula(cell: str) -> bool:
    return cell.startswith(_STARTS) and number(trimmed(cell)) is None
