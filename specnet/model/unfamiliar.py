"""Cells unlike those of the training rows, counted: a model predicts their rows all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from specnet.data import Preparation, RawColumns, filled_gaps, known_texts, trained_gaps
from specnet.errors import DataError, Diagnostic, OneOfMany
from specnet.number_texts import count, counted
from specnet.parts.arrays import Array, pieces
from specnet.parts.data import Column
from specnet.parts.data.column_kinds import shown_cell
from specnet.parts.preprocessing.categories import MISSING


def unfamiliar_cells(preparations: Sequence[Preparation], raw: RawColumns, source: str) -> tuple[Diagnostic, ...]:
    """Return the warnings about all rows of a source, given the fitted preprocessing of each network of a model."""
    cells = UnfamiliarCells(preparations, raw.kinds)
    for piece in pieces(raw.X):
        cells.add(raw.part(piece))
    return cells.warnings(source)


def untrained_gaps(preparations: Sequence[Preparation], raw: RawColumns) -> Array:
    """Return which cells (rows, columns) are missing, in columns that had no missing cells in training.

    Parameters
    ----------
    preparations : sequence of Preparation
        Of each network of the model.
    raw : RawColumns
        Rows of a file, as `specnet.data.read_inputs` returns them, or of a data frame.
    """
    return _gaps_outside(raw, [trained_gaps(each, raw.X.shape[1]) for each in preparations])


def unfilled_gaps(preparations: Sequence[Preparation], raw: RawColumns) -> Array:
    """Return which cells (rows, columns) are missing, and not filled or coded by the preprocessing of each network."""
    return _gaps_outside(raw, [filled_gaps(each, raw.X.shape[1]) for each in preparations])


def refuse_gaps(preparations: Sequence[Preparation], raw: RawColumns, source: str) -> None:
    """Refuse the first of the `unfilled_gaps`.

    Raises
    ------
    DataError
    """
    gaps = unfilled_gaps(preparations, raw)
    if gaps.any():
        row, place = np.argwhere(gaps)[0].tolist()
        message = f'{source}: column "{raw.kinds[place].name}" is empty at row {row}, and the model does not fill it'
        hint = 'fill it in, remove such rows, or train with "impute" in network.preprocessing'
        raise DataError(message, hint=hint)


def _gaps_outside(raw: RawColumns, columns: Sequence[NDArray[np.bool_]]) -> Array:
    """Return which cells (rows, columns) are missing in other columns than those that each mask has."""
    gaps = raw.gaps() if raw.kinds else np.zeros(raw.X.shape, np.bool_)
    gaps[:, np.all(columns, axis=0)] = False
    return gaps


class UnfamiliarCells:
    """Counts by column: gaps where training had none, and categories without a code, for any network of a model.

    Parameters
    ----------
    preparations : sequence of Preparation
        Of each network of the model.
    kinds : sequence of Column
        Of the columns that are counted; empty where these are mere numbers.
    """

    def __init__(self, preparations: Sequence[Preparation], kinds: Sequence[Column]) -> None:
        self._kinds, self._rows = kinds, 0
        preparations = preparations if kinds else [Preparation()]  # of mere numbers no cell is unfamiliar
        self._trained = np.all([trained_gaps(each, len(kinds)) for each in preparations], axis=0)
        self._gaps = np.zeros(len(kinds), np.intp)
        self._unknown, self._cells = dict[int, np.ndarray](), dict[int, np.ndarray]()
        for preparation in preparations:
            for place, known in known_texts(preparation, len(kinds)).items():
                texts = kinds[place].texts
                assert texts is not None, "only categories have codes"
                unknown = ~np.isin(texts, [*known, MISSING])
                self._unknown[place] = unknown | self._unknown.get(place, False)
                self._cells[place] = np.zeros(len(texts), np.intp)

    def add(self, raw: RawColumns) -> None:
        """Count the cells of some more rows; those of mere numbers have no gaps."""
        if not self._kinds:
            return
        self._rows += len(raw)
        self._gaps += raw.gaps().sum(axis=0)
        for place, cells in self._cells.items():
            column = raw.X[:, place]
            cells += np.bincount(column[~np.isnan(column)].astype(np.intp), minlength=len(cells))

    def warnings(self, source: str, *, gaps: bool = True) -> tuple[Diagnostic, ...]:
        """Return the warnings about such cells, without those about `gaps` where these have been told of."""
        return (*(self._about_gaps(source) if gaps else ()), *self._about_categories(source))

    def _about_gaps(self, source: str) -> Iterator[Diagnostic]:
        for place in np.flatnonzero((self._gaps > 0) & ~self._trained).tolist():
            number = int(self._gaps[place])
            what = f"{'is' if number == 1 else 'are'} missing; the training set had no gaps here"
            hint = "such cells are filled as other gaps are, or count as a rare category"
            of_many = OneOfMany("", "have missing cells, and had no gaps in the training set", hint)
            yield self._warning("untrained-gap", place, number, what, source, of_many)

    def _about_categories(self, source: str) -> Iterator[Diagnostic]:
        for place, cells in self._cells.items():
            unknown = np.where(self._unknown[place], cells, 0)
            if unknown.any():
                texts, number = self._kinds[place].texts, int(unknown.sum())
                assert texts is not None, "a category"
                first = shown_cell(str(texts[unknown.argmax()]))
                what = f'{"has" if number == 1 else "have"} a rare or unseen category, such as "{first}"'
                hint = "check the spelling; the model takes all such categories for the same one"
                of_many = OneOfMany(f', such as "{first}"', "have rare or unseen categories", hint)
                yield self._warning("unknown-category", place, number, what, source, of_many)

    def _warning(self, code: str, place: int, cells: int, what: str, source: str, of_many: OneOfMany) -> Diagnostic:
        """Return a warning; `of_many` has as its item what is said behind the number of cells."""
        name = f'"{self._kinds[place].name}"'
        message = f"column {name}: {count(cells)} of {counted(self._rows, 'cell')} {what}"
        of_many = of_many._replace(item=f"{name} ({counted(cells, 'cell')}{of_many.item})")
        return Diagnostic(code, message, source=source, hint=of_many.hint, of_many=of_many)
