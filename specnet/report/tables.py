"""Tables of short texts: plain columns for files and pipes, rich's on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.table

GAP = 3


@dataclass(frozen=True)
class Table:
    """Rows under a header.

    Attributes
    ----------
    header : sequence of str
        One title for each column.
    rows : sequence of sequences of str
        The cells, as many in each row as there are titles.
    right : frozenset of int
        The columns whose cells end at one edge, as numbers do.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()

    def lines(self) -> list[str]:
        """Return the table as plain text, without blanks at the ends of lines."""
        cells = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return [
            (" " * GAP)
            .join(
                cell.rjust(width) if column in self.right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            .rstrip()
            for row in cells
        ]

    def for_terminal(self) -> rich.table.Table:
        """Return the same table for a terminal, where long cells are folded at the window's edge."""
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
        for column, title in enumerate(self.header):
            table.add_column(Text(title), justify="right" if column in self.right else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table
