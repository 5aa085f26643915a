"""Tables of short texts: plain columns for files and pipes, rich's on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.table

GAP = 3
NARROWEST = 12
"""Characters to which a column is folded at most."""


@dataclass(frozen=True)
class TextTable:
    """Rows under a header.

    Attributes
    ----------
    header : sequence of str
        One title for each column.
    rows : sequence of sequences of str
        The cells, as many in each row as there are titles.
    right : frozenset of int
        The columns whose cells end at one edge, as numbers do.
    folded : frozenset of int
        The columns whose cells may take several lines where a window is narrow.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()
    folded: frozenset[int] = frozenset()

    @property
    def widths(self) -> list[int]:
        """The widest cell of each column."""
        return [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]

    @property
    def least_width(self) -> int:
        """How narrow the table can be folded."""
        widths = [min(width, NARROWEST) if column in self.folded else width for column, width in enumerate(self.widths)]
        return sum(widths) + GAP * (len(widths) - 1)

    def lines(self) -> list[str]:
        """Return the table as plain text, without blanks at the ends of lines."""
        widths = self.widths
        return [
            (" " * GAP)
            .join(
                cell.rjust(width) if column in self.right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            .rstrip()
            for row in (self.header, *self.rows)
        ]

    def for_terminal(self) -> rich.table.Table:
        """Return the same table for a terminal, which folds it into the window's width."""
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
        for column, (title, width) in enumerate(zip(self.header, self.widths, strict=True)):
            folds = column in self.folded
            table.add_column(
                Text(title),
                justify="right" if column in self.right else "left",
                overflow="fold",
                no_wrap=not folds,
                min_width=min(width, NARROWEST) if folds else width,
            )
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows without a header as lines whose columns begin at one edge."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (" " * GAP).join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
