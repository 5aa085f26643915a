"""Preprocessing steps in a row, with what they learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError
from specnet.parts.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """A chain of fitted preprocessing steps; without steps it changes nothing.

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
        cls, steps: Sequence[Preprocessing], columns: NDArray[Any], weight: NDArray[np.float64] | None = None
    ) -> Self:
        """Return the steps fitted to training rows (rows, columns), each to what the ones before it make of them.

        Rows count as their weights (rows,) say.

        Raises
        ------
        DataError
            If numbers are too large to prepare.
        """
        fitted: list[Mapping[str, NDArray[Any]]] = []
        for step in steps:
            with np.errstate(over="ignore", invalid="ignore"):
                learned = step.fit(columns.astype(np.float64, copy=False), weight)
                columns = step.apply(columns, learned)
            finite = np.logical_and.reduce([np.isfinite(array) for array in learned.values()])
            finite &= np.isfinite(columns).all(0)
            if not finite.all():
                raise DataError(f"{step.type} cannot take column {int(finite.argmin())}: its numbers are too large")
            fitted.append(learned)
        return cls(tuple(steps), tuple(fitted))

    def apply(self, columns: Any) -> Any:
        """Return columns (rows, columns) as the network sees them."""
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
    return {f"0.{index}.{name}": (columns,) for index, step in enumerate(steps) for name in step.learned}
