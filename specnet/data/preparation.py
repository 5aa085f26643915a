"""Chains of fitted preprocessing steps, and the columns that they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.errors import DataError
from specnet.parts.arrays import FLOAT64, Array, as_dtype, check_finite, check_inputs, pieces, select_columns
from specnet.parts.preprocessing import Fitted, Preprocessing
from specnet.spec import Resolved


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """A chain of fitted preprocessing steps for inputs or a target; without steps it is the identity.

    Attributes
    ----------
    steps : tuple of Preprocessing
    fitted : tuple of mappings
        Fitted arrays of each step, by name.
    """

    steps: tuple[Preprocessing, ...] = ()
    fitted: tuple[Mapping[str, NDArray[Any]], ...] = ()

    @classmethod
    def fit(
        cls,
        steps: Sequence[Preprocessing],
        columns: Array,
        weight: NDArray[np.float64] | None = None,
        *,
        dtype: np.dtype[Any] = FLOAT64,
        name: str = "X",
        overwrite: bool = False,
    ) -> tuple[Self, Array]:
        """Fit steps to training rows (rows, columns), each to the result of the previous one.

        Parameters
        ----------
        steps : sequence of Preprocessing
        columns : (rows, columns)
            Finite numbers.
        weight : (rows,), optional
            How much each row counts.
        dtype : numpy.dtype
            Dtype of the result.
        name : str
            Name of the prepared rows in errors.
        overwrite : bool
            Allow overwriting the columns; the result then reuses their memory if possible.

        Returns
        -------
        Preparation
        array (rows, prepared columns)
            The prepared rows; the columns themselves without steps.

        Raises
        ------
        DataError
            If numbers overflow in a step, or exceed the range of the dtype.
        """
        fitted: list[Mapping[str, NDArray[Any]]] = []

        def check(step: Preprocessing, finite: Array) -> None:
            if not finite.all():
                raise DataError(f"{step.type}: the numbers in column {int(finite.argmin())} are too large")

        for step, made in zip(steps, _dtypes(steps, dtype), strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                learned = step.fit(columns, weight)
            check(step, np.logical_and.reduce([np.isfinite(array) for array in learned.values()]))
            result = _result(step, columns, made, overwrite)
            for piece, numbers in _applied(step, learned, columns):
                check(step, np.logical_and.reduce(np.isfinite(numbers)))
                result[piece] = as_dtype(numbers, made, name, piece.start)
            columns, overwrite = result, True
            fitted.append(learned)
        return cls(tuple(steps), tuple(fitted)), columns

    def prepare(
        self, columns: Array, *, dtype: np.dtype[Any] = FLOAT64, name: str = "X", overwrite: bool = False
    ) -> Array:
        """Return prepared columns as `fit` does, with the same arguments.

        Raises
        ------
        DataError
            If numbers overflow, with the place of the first one.
        """
        for step, learned, made in zip(self.steps, self.fitted, _dtypes(self.steps, dtype), strict=True):
            result = _result(step, columns, made, overwrite)
            for piece, numbers in _applied(step, learned, columns):
                check_finite(numbers, name, piece.start)
                result[piece] = as_dtype(numbers, made, name, piece.start)
            columns, overwrite = result, True
        return columns

    def apply(self, columns: Any) -> Any:
        """Return prepared columns (rows, columns), using only operators, like `Preprocessing.apply`."""
        for step, learned in zip(self.steps, self.fitted, strict=True):
            columns = step.apply(columns, learned)
        return columns

    def invert(self, columns: Any) -> Any:
        """Return outputs of the network (rows, columns) in the original units."""
        for step, learned in zip(reversed(self.steps), reversed(self.fitted), strict=True):
            columns = step.invert(columns, learned)
        return columns

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the fitted arrays by names such as ``0.1.mean``: group of columns, step and array.

        All columns currently form one group.
        """
        return {
            _tensor_name(index, name): array for index, step in enumerate(self.fitted) for name, array in step.items()
        }

    @classmethod
    def from_tensors(cls, steps: Sequence[Preprocessing], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Return the preparation with these `tensors`, whose names and shapes are those of `tensor_shapes`."""
        fitted = tuple(
            {name: tensors[_tensor_name(index, name)] for name in step.learned} for index, step in enumerate(steps)
        )
        return cls(tuple(steps), fitted)


def tensor_shapes(steps: Sequence[Preprocessing], columns: int) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the tensors of a preparation for a number of columns."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, step in enumerate(steps):
        shapes |= {_tensor_name(index, name): (columns,) for name in step.learned}
        columns = step.output_size(columns)
    return shapes


def needed_columns(X: ArrayLike, resolved: Resolved) -> Array:
    """Return the raw columns that a spec needs after checking them; a data frame's by name if the spec has names.

    Raises
    ------
    DataError
        If columns are missing or do not hold finite numbers.
    """
    return check_inputs(select_columns(X, resolved.spec.feature_names), resolved.columns)


def _tensor_name(index: int, name: str) -> str:
    return f"0.{index}.{name}"


def _dtypes(steps: Sequence[Preprocessing], dtype: np.dtype[Any]) -> list[np.dtype[Any]]:
    """Return the dtype of each step's result: float64, except for the last one."""
    return [FLOAT64] * (len(steps) - 1) + [dtype] * bool(steps)


def _result(step: Preprocessing, columns: Array, dtype: np.dtype[Any], overwrite: bool) -> Array:
    """Return the array for the result of a step: that of the columns if it fits and may be overwritten."""
    size = step.output_size(columns.shape[1])
    if size != columns.shape[1]:
        return np.empty((len(columns), size), dtype)
    in_place = overwrite and columns.dtype == dtype and columns.flags.writeable
    return columns if in_place else np.empty_like(columns, dtype)


def _applied(step: Preprocessing, learned: Fitted, columns: Array) -> Iterator[tuple[slice, Array]]:
    """Yield the results of a step in float64 for some rows at a time, which keeps temporary arrays small."""
    for piece in pieces(columns):
        with np.errstate(over="ignore", invalid="ignore"):
            made = step.apply(columns[piece].astype(FLOAT64, copy=False), learned)
        yield piece, made
