"""Preprocessing steps in a row, with what they learned, and the columns that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """A chain of fitted preprocessing steps, of inputs or of a target; without steps it changes nothing.

    Attributes
    ----------
    steps : tuple of Preprocessing
    fitted : tuple of mappings
        What each step learned: arrays by name.
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
        """Return the steps fitted to training rows (rows, columns), each to what the ones before it make of them.

        Parameters
        ----------
        steps : sequence of Preprocessing
        columns : (rows, columns)
            Finite numbers.
        weight : (rows,), optional
            How much each row counts.
        dtype : numpy.dtype
            Of the result.
        name : str
            What errors call the prepared rows.
        overwrite : bool
            Whether the columns may be written over; the result takes their memory then, where it can.

        Returns
        -------
        Preparation
        array (rows, prepared columns)
            The rows as the network sees them; the columns themselves where there are no steps.

        Raises
        ------
        DataError
            If numbers are too large to prepare, or beyond the dtype.
        """
        resolved: list[Preprocessing] = []
        fitted: list[Mapping[str, NDArray[Any]]] = []
        for unfitted, made in zip(steps, _dtypes(steps, dtype), strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                step, learned = unfitted.fit(columns, weight)
            for array in learned.values():
                _check_size(step, array)
            result = _result(step, columns, made, overwrite)
            for piece, numbers in _applied(step, learned, columns):
                _check_size(step, numbers)
                result[piece] = as_dtype(numbers, made, name, piece.start)
            columns, overwrite = result, True
            resolved.append(step)
            fitted.append(learned)
        return cls(tuple(resolved), tuple(fitted)), columns

    def prepare(
        self, columns: Array, *, dtype: np.dtype[Any] = FLOAT64, name: str = "X", overwrite: bool = False
    ) -> Array:
        """Return columns (rows, columns) as `fit` returns them, by the same arguments.

        Raises
        ------
        DataError
            If numbers become too large, with the place of the first one.
        """
        for step, learned, made in zip(self.steps, self.fitted, _dtypes(self.steps, dtype), strict=True):
            result = _result(step, columns, made, overwrite)
            for piece, numbers in _applied(step, learned, columns):
                check_finite(numbers, name, piece.start)
                result[piece] = as_dtype(numbers, made, name, piece.start)
            columns, overwrite = result, True
        return columns

    def apply(self, columns: Any) -> Any:
        """Return columns (rows, columns) as the network sees them. Operators only, as `Preprocessing.apply`."""
        for step, learned in zip(self.steps, self.fitted, strict=True):
            columns = step.apply(columns, learned)
        return columns

    def invert(self, columns: Any) -> Any:
        """Return columns (rows, columns) that the network made, in their own units."""
        for step, learned in zip(reversed(self.steps), reversed(self.fitted), strict=True):
            columns = step.invert(columns, learned)
        return columns

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, by names such as ``0.1.mean``: group of columns, step, and what it is.

        All columns are one group so far.
        """
        return {
            _tensor_name(index, name): array for index, step in enumerate(self.fitted) for name, array in step.items()
        }

    def replaced(self, replace: Callable[[str, NDArray[Any]], Any]) -> Self:
        """Return the preparation with something in place of all arrays that are not `fixed`, by name and array."""
        fitted = tuple(
            {
                name: array if name in step.fixed else replace(_tensor_name(index, name), array)
                for name, array in learned.items()
            }
            for index, (step, learned) in enumerate(zip(self.steps, self.fitted, strict=True))
        )
        return type(self)(self.steps, fitted)

    @classmethod
    def from_tensors(cls, steps: Sequence[Preprocessing], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Return the preparation whose `tensors` are given, complete and of the shapes that `tensor_shapes` says."""
        fitted = tuple(
            {name: tensors[_tensor_name(index, name)] for name in step.learned} for index, step in enumerate(steps)
        )
        return cls(tuple(steps), fitted)


def tensor_shapes(steps: Sequence[Preprocessing], columns: int) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the tensors of a preparation of so many columns."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, step in enumerate(steps):
        for name, shape in step.shapes(columns).items():
            # Only steps for categories have lengths that they do not know, and nothing fits those to all columns.
            shapes[_tensor_name(index, name)] = tuple(length or 0 for length in shape)
        columns = _output_size(step, columns)
    return shapes


def needed_columns(X: ArrayLike, resolved: Resolved) -> Array:
    """Return the raw columns that a spec needs, checked: of a data frame by name, where the spec has names.

    Raises
    ------
    DataError
        If there are no such columns or they are no finite numbers.
    """
    return check_inputs(select_columns(X, resolved.spec.feature_names), resolved.columns)


def _tensor_name(index: int, name: str) -> str:
    return f"0.{index}.{name}"


def _output_size(step: Preprocessing, columns: int) -> int:
    """Return how many columns a step that was fitted makes of so many."""
    size = step.output_size(columns)
    assert size is not None, "a step that was fitted"
    return size


def _check_size(step: Preprocessing, numbers: Array) -> None:
    """Refuse numbers (…, columns) that became too large."""
    finite = np.isfinite(numbers).reshape(-1, numbers.shape[-1]).all(0)
    if not finite.all():
        raise DataError(f"{step.type}: the numbers in column {int(finite.argmin())} are too large")


def _dtypes(steps: Sequence[Preprocessing], dtype: np.dtype[Any]) -> list[np.dtype[Any]]:
    """Return the dtype of what each step makes: float64 for those after it, and the wanted one at the end."""
    return [FLOAT64] * (len(steps) - 1) + [dtype] * bool(steps)


def _result(step: Preprocessing, columns: Array, dtype: np.dtype[Any], overwrite: bool) -> Array:
    """Return the array for what a step makes of columns: the columns' own where it fits and may be written over."""
    size = _output_size(step, columns.shape[1])
    if size != columns.shape[1]:
        return np.empty((len(columns), size), dtype)
    in_place = overwrite and columns.dtype == dtype and columns.flags.writeable
    return columns if in_place else np.empty_like(columns, dtype)


def _applied(step: Preprocessing, learned: Fitted, columns: Array) -> Iterator[tuple[slice, Array]]:
    """Yield what a step makes of columns, in float64 and some rows after the other, so that temporaries are small."""
    for piece in pieces(columns):
        with np.errstate(over="ignore", invalid="ignore"):
            made = step.apply(columns[piece].astype(FLOAT64, copy=False), learned)
        yield piece, made
