"""Selection and checks of the raw columns that a model predicts, by the names and kinds of its training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data.preparation import ColumnTexts
from specnet.errors import DataError, Diagnostic
from specnet.parts.arrays import Array, check_inputs, column_names, select_columns
from specnet.parts.data import KINDS_IN_WORDS, OF_TEXTS, Column, ColumnKind, column_of, kind_of
from specnet.parts.preprocessing.categories import MISSING
from specnet.spec.column_names import may_stand_in_a_spec


@dataclass(frozen=True, slots=True, eq=False)
class RawColumns:
    """Rows for a model, with the kinds of their columns.

    Attributes
    ----------
    X : ndarray (rows, columns)
        Numbers, with NaN for missing cells; for a category the indices of its texts.
    kinds : tuple of Column
        Description of each column; empty if all columns are plain numbers.
    """

    X: Array
    kinds: tuple[Column, ...] = ()

    def __len__(self) -> int:
        return len(self.X)

    def gaps(self) -> NDArray[np.bool_]:
        """Return a mask of missing cells, (rows, columns)."""
        found = np.isnan(self.X)
        for index, texts in enumerate(self.texts):
            if texts is not None and len(empty := np.flatnonzero(texts == MISSING)):
                found[:, index] |= self.X[:, index] == empty[0]
        return found

    def part(self, rows: slice | NDArray[np.bool_]) -> RawColumns:
        """Return the given rows."""
        return replace(self, X=self.X[rows])

    @property
    def texts(self) -> ColumnTexts:
        """The texts of each column."""
        return [column.texts for column in self.kinds]


def raw_columns(
    X: ArrayLike | RawColumns,
    kinds: Mapping[str, ColumnKind] | None,
    columns: int,
    names: Sequence[str] | None,
    name: str = "X",
) -> RawColumns:
    """Return the checked raw columns that a model needs; columns of a data frame are selected by name if possible.

    Parameters
    ----------
    X : (rows, columns), data frame or RawColumns
    kinds : mapping of str to kind or None
        Kinds of the model's columns by name; None if all columns are plain numbers.
    columns : int
        Number of the model's columns.
    names : sequence of str or None
        Names of the model's columns.
    name : str
        Name of X in errors.

    Raises
    ------
    DataError
        If columns are missing, or their cells do not match the kinds of the model's columns.
    """
    if isinstance(X, RawColumns):
        if X.X.shape[1] != columns:
            raise DataError(f"{name} has shape {X.X.shape}; expected (rows, {columns})")
        return X
    if kinds is None:
        return _numbers(select_columns(X, names, name), columns, names, name)
    if column_names(X) is not None:
        return _of_frame(select_columns(X, list(kinds), name), kinds, name)[0]
    texts = [(column, kind) for column, kind in kinds.items() if kind in OF_TEXTS]
    if texts:
        column, kind = texts[0]
        message = f'{name} is an array, but column "{column}" is {KINDS_IN_WORDS[kind_of(kind)]}'
        raise DataError(message, hint="use a data frame with the columns' names")
    known = tuple(column_of(column, kind) for column, kind in kinds.items())
    return RawColumns(check_inputs(X, columns, name), known)


def joined(first: RawColumns, second: RawColumns) -> RawColumns:
    """Return the rows of two tables with the same columns as one table, with the texts that occur in it."""
    table = np.concatenate([first.X, second.X]).astype(np.float64, copy=False)
    kinds = list(first.kinds or second.kinds)
    for index, column in enumerate(kinds):
        if column.texts is not None:
            cells = [raw.X[:, index] for raw in (first, second)]
            is_text = [~np.isnan(each) for each in cells]
            texts = [
                each.texts[index][own[known].astype(np.intp)]  # type: ignore[index] # the tables have the same kinds
                for each, own, known in zip((first, second), cells, is_text, strict=True)
            ]
            distinct, codes = np.unique(np.concatenate(texts), return_inverse=True)
            table[np.concatenate(is_text), index] = codes
            kinds[index] = replace(column, texts=distinct)
    return RawColumns(table, tuple(kinds))


def _numbers(X: ArrayLike, columns: int, names: Sequence[str] | None, name: str) -> RawColumns:
    """Return checked columns of plain numbers; a data frame with these names may have missing cells."""
    try:
        return RawColumns(check_inputs(X, columns, name))
    except DataError:
        if names is None or column_names(X) is None:
            raise
        with suppress(DataError):
            found = _of_frame(X, dict.fromkeys(names, "numeric"), name)[0]
            if found.gaps().any():
                return found
        raise


def frame_columns(
    X: Any, kinds: Mapping[str, ColumnKind | None] | None = None
) -> tuple[RawColumns | None, tuple[Diagnostic, ...]]:
    """Return the columns of a data frame, read by the rules of tables, and warnings about ignored columns.

    Return None if X is no data frame. Columns of numbers whose names are not allowed in a spec have no kinds.

    Raises
    ------
    DataError
        If a column occurs twice, or a cell does not match its kind.
    """
    names = column_names(X)
    if names is None:
        return None, ()
    if kinds is None and not may_stand_in_a_spec(names):
        with suppress(DataError):
            return RawColumns(check_inputs(X, None)), ()
    return _of_frame(X, kinds, "X")


def _of_frame(
    X: Any, kinds: Mapping[str, ColumnKind | None] | None, name: str
) -> tuple[RawColumns, tuple[Diagnostic, ...]]:
    from specnet.parts.data import frame_table  # with the reading of tables

    table, columns, warnings = frame_table(X, kinds, name)
    return RawColumns(table, columns), warnings
