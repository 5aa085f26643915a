"""Counts of unfamiliar cells: missing values in columns that had none in training, and unknown categories."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from specnet.data import Preparation, RawColumns, filled_gaps, known_texts, trained_gaps
from specnet.errors import DataError, Diagnostic, OneOfMany, SpecnetWarning, rendered
from specnet.number_texts import count, counted
from specnet.parts.arrays import Array, pieces
from specnet.parts.data import Column
from specnet.parts.data.column_kinds import shown_cell
from specnet.parts.preprocessing.categories import MISSING


def unfamiliar_cells(preparations: Sequence[Preparation], raw: RawColumns, source: str) -> tuple[Diagnostic, ...]:
    """Return the warnings about unfamiliar cells in all rows, given the fitted preprocessing of each network."""
    cells = UnfamiliarCells(preparations, raw.kinds)
    for piece in pieces(raw.X):
        cells.add(raw.part(piece))
    return cells.warnings(source)


def untrained_missing_values(preparations: Sequence[Preparation], raw: RawColumns) -> Array:
    """Return a mask (rows, columns) of missing cells in columns that had no missing cells in training.

    Parameters
    ----------
    preparations : sequence of Preparation
        Fitted preprocessing of each network of the model.
    raw : RawColumns
        Rows of a file, as returned by `specnet.data.read_inputs`, or of a data frame.
    """
    return _missing_outside(raw, [trained_gaps(each, raw.X.shape[1]) for each in preparations])


def unfilled_missing_values(preparations: Sequence[Preparation], raw: RawColumns) -> Array:
    """Return a mask (rows, columns) of missing cells that not every network's preprocessing fills or codes."""
    return _missing_outside(raw, [filled_gaps(each, raw.X.shape[1]) for each in preparations])


def warn_of_unfamiliar(preparations: Sequence[Preparation], raw: RawColumns, source: str, stacklevel: int) -> None:
    """Warn of unfamiliar cells in all rows, for the caller at this level of the stack.

    Raises
    ------
    DataError
        If the preprocessing does not fill a missing cell.
    """
    refuse_unfilled(preparations, raw, source)
    for text in rendered(unfamiliar_cells(preparations, raw, source)):
        warnings.warn(text, SpecnetWarning, stacklevel=stacklevel)


def refuse_unfilled(preparations: Sequence[Preparation], raw: RawColumns, source: str) -> None:
    """Raise an error about the first cell of `unfilled_missing_values`, if there is one.

    Raises
    ------
    DataError
    """
    missing = unfilled_missing_values(preparations, raw)
    if missing.any():
        row, index = np.argwhere(missing)[0].tolist()
        message = f'{source}: column "{raw.kinds[index].name}" is empty at row {row}, and the model does not fill it'
        hint = 'fill it in, remove such rows, or train with "impute" in network.preprocessing'
        raise DataError(message, hint=hint)


def _missing_outside(raw: RawColumns, columns: Sequence[NDArray[np.bool_]]) -> Array:
    """Return a mask (rows, columns) of missing cells, except in columns that are true in all of `columns`."""
    missing = raw.gaps() if raw.kinds else np.zeros(raw.X.shape, np.bool_)
    missing[:, np.all(columns, axis=0)] = False
    return missing


class UnfamiliarCells:
    """Counts unfamiliar cells of each column: missing values, and categories without a code in some network.

    Parameters
    ----------
    preparations : sequence of Preparation
        Fitted preprocessing of each network of the model.
    kinds : sequence of Column
        Kinds of the columns; empty for an array of numbers, which has no unfamiliar cells.
    """

    def __init__(self, preparations: Sequence[Preparation], kinds: Sequence[Column]) -> None:
        self._kinds, self._rows = kinds, 0
        preparations = preparations if kinds else [Preparation()]
        self._trained = np.all([trained_gaps(each, len(kinds)) for each in preparations], axis=0)
        self._missing = np.zeros(len(kinds), np.intp)
        self._unknown, self._cells = dict[int, np.ndarray](), dict[int, np.ndarray]()
        for preparation in preparations:
            for index, known in known_texts(preparation, len(kinds)).items():
                texts = kinds[index].texts
                assert texts is not None, "only categories have codes"
                unknown = ~np.isin(texts, [*known, MISSING])
                self._unknown[index] = unknown | self._unknown.get(index, False)
                self._cells[index] = np.zeros(len(texts), np.intp)

    def add(self, raw: RawColumns) -> None:
        """Add the cells of further rows to the counts."""
        if not self._kinds:
            return
        self._rows += len(raw)
        self._missing += raw.gaps().sum(axis=0)
        for index, cells in self._cells.items():
            column = raw.X[:, index]
            cells += np.bincount(column[~np.isnan(column)].astype(np.intp), minlength=len(cells))

    def warnings(self, source: str, *, missing: bool = True) -> tuple[Diagnostic, ...]:
        """Return the warnings about unknown categories, and about missing values if `missing`."""
        return (*(self._about_missing(source) if missing else ()), *self._about_categories(source))

    def _about_missing(self, source: str) -> Iterator[Diagnostic]:
        for index in np.flatnonzero((self._missing > 0) & ~self._trained).tolist():
            number = int(self._missing[index])
            what = f"{'is' if number == 1 else 'are'} missing; the training set had no missing values here"
            hint = "such cells are filled as other missing values are, or count as a rare category"
            of_many = OneOfMany("", "have missing values, but had none in the training set", hint)
            yield self._warning("untrained-gap", index, number, what, source, of_many)

    def _about_categories(self, source: str) -> Iterator[Diagnostic]:
        for index, cells in self._cells.items():
            unknown = np.where(self._unknown[index], cells, 0)
            if unknown.any():
                texts, number = self._kinds[index].texts, int(unknown.sum())
                assert texts is not None, "a category"
                first = shown_cell(str(texts[unknown.argmax()]))
                what = f'{"has" if number == 1 else "have"} a rare or unseen category, such as "{first}"'
                hint = "check the spelling; the model takes all such categories for the same one"
                of_many = OneOfMany(f', such as "{first}"', "have rare or unseen categories", hint)
                yield self._warning("unknown-category", index, number, what, source, of_many)

    def _warning(self, code: str, index: int, cells: int, what: str, source: str, of_many: OneOfMany) -> Diagnostic:
        """Return a warning about a column; the item of `of_many` is appended to the number of cells."""
        name = f'"{self._kinds[index].name}"'
        message = f"column {name}: {count(cells)} of {counted(self._rows, 'cell')} {what}"
        of_many = of_many._replace(item=f"{name} ({counted(cells, 'cell')}{of_many.item})")
        return Diagnostic(code, message, source=source, hint=of_many.hint, of_many=of_many)
