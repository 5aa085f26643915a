"""Some rows and columns of a table, which are copied only when they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.files.large import new_array

_CELLS_AT_ONCE = 2**16
"""Cells that are copied together."""


class RowView:
    """Rows and columns of an array (rows, columns) by their places.

    It is read as an array is: ``view[rows]``, by a slice or a mask or indices, or ``view[:, columns]``. Each reading
    makes a copy of what is asked for, C-contiguous.

    Parameters
    ----------
    array : (all rows, all columns)
    rows : (rows,), optional
        Indices; all rows by default.
    columns : tuple of int, optional
        Places; all columns by default.
    """

    ndim = 2

    def __init__(
        self, array: NDArray[Any], rows: NDArray[np.intp] | None = None, columns: tuple[int, ...] | None = None
    ) -> None:
        self._array, self._rows, self._columns = array, rows, columns
        self.dtype = array.dtype
        self.shape = (len(array) if rows is None else len(rows), array.shape[1] if columns is None else len(columns))

    @property
    def size(self) -> int:
        """The number of its cells."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        if self._columns is not None:
            columns = _neighbours(self._columns[columns]) if isinstance(columns, slice) else self._columns[columns]
        if self._rows is None:
            return np.array(self._array[rows][:, columns], order="C")
        chosen = self._rows[rows]
        if isinstance(columns, list):
            return self._array[chosen[:, np.newaxis], columns]
        if columns == slice(None) and self._array.flags.c_contiguous:
            return self._array.take(chosen, axis=0)  # the fastest, but of other arrays it copies all first
        return np.ascontiguousarray(self._array[chosen, columns])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        copied = new_array(self.shape, self.dtype if dtype is None else dtype)
        step = max(1, _CELLS_AT_ONCE // max(1, self.shape[1]))
        for start in range(0, len(self), step):
            copied[start : start + step] = self[start : start + step]
        return copied

    def taken(self, columns: tuple[int, ...]) -> RowView:
        """Return a view of some of its columns."""
        known = columns if self._columns is None else tuple(self._columns[place] for place in columns)
        return RowView(self._array, self._rows, known)


def _neighbours(places: tuple[int, ...]) -> slice | list[int]:
    """Return places as a slice if each is the next of the one before: that is read several times as fast."""
    first = places[0] if places else 0
    are_neighbours = places == tuple(range(first, first + len(places)))
    return slice(first, first + len(places)) if are_neighbours else list(places)
