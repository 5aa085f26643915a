"""What files of cells of text have in common: columns of numbers are stored as such at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Sequence

from specnet.parts.data.progress import Progress
from specnet.parts.data.tables.cells import is_grouped, number, sql_is_grouped, sql_plain_number, trimmed
from specnet.parts.data.tables.duck import Duck, DuckError
from specnet.parts.data.tables.source import TableSource

ROWS_LOOKED_AT = 50
"""How many rows tell whether it is worth to read a file as numbers at once."""


class TextSource(TableSource):
    """Files of cells of text."""

    _types: Sequence[str] = ()
    """Of the columns, where some are numbers."""
    _open: frozenset[int] = frozenset()
    """The columns in which a point may separate thousands, as far as the first rows show."""

    @property
    def types(self) -> list[str]:
        return [*self._types] or ["VARCHAR"] * len(self.names)

    def store(
        self, duck: Duck, progress: Progress, numbers: Collection[int] = (), judged: Collection[int] = ()
    ) -> None:
        self._open = self._perhaps_grouped(judged)
        some = self._look_like_numbers([*numbers])
        self._types = ["DOUBLE" if place in some else "VARCHAR" for place in range(len(self.names))]
        try:
            self._store(duck, progress)
        except DuckError:
            # A cell further down is no number, or something else is wrong that has to be told of.
            self._types = ()
            duck.rows("DROP TABLE IF EXISTS cells")
            self._store(duck, progress, refuses=True)

    def _store(self, duck: Duck, progress: Progress, *, refuses: bool = False) -> None:
        """Make the table of cells, of numbers where the types say so; DuckDB's errors may become those of the files."""
        cells = ", ".join(
            f"{self._number_or_error(place)} AS c{place}" if of == "DOUBLE" else f"c{place}"
            for place, of in enumerate(self.types)
        )
        for index in range(len(self.paths)):
            into = "INSERT INTO cells BY NAME" if index else "CREATE TABLE cells AS"
            try:
                self._store_file(index, f"{into} SELECT {cells}", duck, progress)
            except DuckError as error:
                if refuses:
                    self._refuse_faulty(index)
                    raise self.damaged(self.paths[index], error) from None
                raise

    def _number_or_error(self, place: int) -> str:
        """Return the expression of a cell's number, null where it is missing, which ends the query for others."""
        cell, found = f"c{place}", sql_plain_number(f"c{place}", False)
        if place in self._open:
            found = f"CASE WHEN NOT ({sql_is_grouped(cell)}) THEN {found} END"
        return f"CASE WHEN {cell} <> '' THEN coalesce({found}, error('no number')) END"

    def _perhaps_grouped(self, places: Collection[int]) -> frozenset[int]:
        """Return those of the columns in whose first rows no point is one before a fraction for certain."""
        return frozenset()

    @abstractmethod
    def _look_like_numbers(self, places: Sequence[int]) -> list[int]:
        """Return those of the columns of which the first rows of all files hold numbers or nothing."""

    @abstractmethod
    def _store_file(self, index: int, selected: str, duck: Duck, progress: Progress) -> None:
        """Run the query that begins like this, and selects the cells of a file as c0, c1, …"""

    @abstractmethod
    def _refuse_faulty(self, index: int) -> None:
        """Refuse a file in which something is wrong, with its place."""


def is_number(text: str, missing: Collection[str] = ()) -> bool:
    """Return whether a cell holds a number, or what a missing cell holds."""
    return number(text := trimmed(text)) is not None or text in missing


def shows_a_fraction(cells: Iterable[str]) -> bool:
    """Return whether one of some cells has a point that cannot separate thousands."""
    return any("." in cell and not is_grouped(trimmed(cell)) for cell in cells)
