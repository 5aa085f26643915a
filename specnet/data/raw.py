"""Raw columns for a model to answer, by name and by the kinds that it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from specnet.data.preparation import ColumnTexts
from specnet.errors import DataError
from specnet.parts.arrays import Array, check_inputs, column_names, select_columns
from specnet.parts.data import Column, frame_table
from specnet.spec import Resolved


@dataclass(frozen=True, slots=True, eq=False)
class RawColumns:
    """Rows that were read for a model, with what their cells mean.

    Attributes
    ----------
    X : ndarray (rows, columns)
        Numbers, NaN for a missing cell; of a category the indices of its texts.
    kinds : tuple of Column
        Empty where all columns are mere numbers.
    """

    X: Array
    kinds: tuple[Column, ...] = ()

    def __len__(self) -> int:
        return len(self.X)

    @property
    def texts(self) -> ColumnTexts:
        """The texts of each column."""
        return [column.texts for column in self.kinds]


def raw_columns(X: ArrayLike | RawColumns, resolved: Resolved, name: str = "X") -> RawColumns:
    """Return the raw columns that a spec needs, checked: of a data frame by name, where the spec has names.

    Raises
    ------
    DataError
        If there are no such columns, or they hold something else than the spec's columns.
    """
    if isinstance(X, RawColumns):
        return X
    kinds, names = resolved.spec.feature_kinds, resolved.spec.feature_names
    if kinds is None:
        return RawColumns(check_inputs(select_columns(X, names), resolved.columns, name))
    if column_names(X) is None:
        return RawColumns(_numbers(X, kinds, resolved, name))
    return RawColumns(*frame_table(select_columns(X, names, name), kinds, name))


def _numbers(X: Any, kinds: dict[str, Any], resolved: Resolved, name: str) -> Array:
    """Return an array's columns for a model whose columns have kinds, none of which is text."""
    texts = [column for column, kind in kinds.items() if kind == "category"]
    if texts:
        message = f'{name} is an array, but column "{texts[0]}" is a category'
        raise DataError(message, hint="use a data frame with the columns' names")
    return check_inputs(X, resolved.columns, name)
