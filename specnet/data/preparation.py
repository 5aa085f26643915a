"""Preprocessing steps in a row, with what they learned, and the columns that they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.errors import DataError
from specnet.parts.arrays import Array, check_inputs, pieces, select_columns
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
        overwrite : bool
            Whether the columns may be written over; the result takes their memory then, where it can.

        Returns
        -------
        Preparation
        array (rows, prepared columns)
            The rows as the network sees them: float64, or the columns themselves where there are no steps.

        Raises
        ------
        DataError
            If numbers are too large to prepare.
        """
        fitted: list[Mapping[str, NDArray[Any]]] = []
        for step in steps:
            columns, overwrite = _as_float64(columns, overwrite)
            with np.errstate(over="ignore", invalid="ignore"):
                learned = step.fit(columns, weight)
                finite = np.logical_and.reduce([np.isfinite(array) for array in learned.values()])
                if finite.all():
                    columns, overwrite = _applied(step, learned, columns, overwrite), True
                    finite = np.logical_and.reduce([np.isfinite(columns[piece]).all(0) for piece in pieces(columns)])
            if not finite.all():
                raise DataError(f"{step.type} cannot take column {int(finite.argmin())}: its numbers are too large")
            fitted.append(learned)
        return cls(tuple(steps), tuple(fitted)), columns

    def prepare(self, columns: Array, *, overwrite: bool = False) -> Array:
        """Return columns (rows, columns) as `fit` returns them; numbers that became too large are infinite."""
        with np.errstate(over="ignore", invalid="ignore"):
            for step, learned in zip(self.steps, self.fitted, strict=True):
                columns, overwrite = _as_float64(columns, overwrite)
                columns, overwrite = _applied(step, learned, columns, overwrite), True
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
        return {f"0.{index}.{name}": array for index, step in enumerate(self.fitted) for name, array in step.items()}

    @classmethod
    def from_tensors(cls, steps: Sequence[Preprocessing], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Return the preparation whose `tensors` are given, complete and of the shapes that `tensor_shapes` says."""
        fitted = tuple(
            {name: tensors[f"0.{index}.{name}"] for name in step.learned} for index, step in enumerate(steps)
        )
        return cls(tuple(steps), fitted)


def tensor_shapes(steps: Sequence[Preprocessing], columns: int) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the tensors of a preparation of so many columns."""
    return dict(_shapes(steps, columns))


def needed_columns(X: ArrayLike, resolved: Resolved, name: str = "X") -> Array:
    """Return the raw columns that a spec needs, checked: of a data frame by name, where the spec has names.

    Raises
    ------
    DataError
        With the argument's name, if there are no such columns or they are no finite numbers.
    """
    return check_inputs(select_columns(X, resolved.spec.feature_names, name), resolved.columns, name)


def _shapes(steps: Sequence[Preprocessing], columns: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for index, step in enumerate(steps):
        for name in step.learned:
            yield f"0.{index}.{name}", (columns,)
        columns = step.output_size(columns)


def _as_float64(columns: Array, overwrite: bool) -> tuple[Array, bool]:
    """Return columns in float64, and whether these may be written over."""
    converted = columns.astype(np.float64, copy=False)
    return converted, overwrite or converted is not columns


def _applied(step: Preprocessing, learned: Fitted, columns: Array, overwrite: bool) -> Array:
    """Return what a step makes of columns, piece by piece, so that the operators' temporaries are small."""
    size = step.output_size(columns.shape[1])
    result = columns
    if size != columns.shape[1]:
        result = np.empty((len(columns), size))
    elif not (overwrite and columns.flags.writeable):
        result = np.empty_like(columns)
    for piece in pieces(columns):
        result[piece] = step.apply(columns[piece], learned)
    return result
