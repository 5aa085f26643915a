"""What happens to columns before the network sees them, fitted on training rows and kept with the model."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from specnet.parts.kind import PartKind

BLOCK = 2**20
"""Numbers that are copied together while a step is fitted."""

Fitted = Mapping[str, Any]
"""What a step learned, by name: arrays (columns,), or symbolic values in their place."""


class Preprocessing(PartKind):
    """A step from columns to columns that can be undone."""

    kind: ClassVar[str] = "preprocessing"
    learned: ClassVar[tuple[str, ...]]
    """Names of what `fit` returns."""

    def output_size(self, columns: int) -> int:
        """Return how many columns it makes of so many."""
        return columns

    def fit(self, columns: NDArray[Any], weight: NDArray[np.float64] | None = None) -> dict[str, NDArray[Any]]:
        """Return what the step learns from training rows (rows, columns): arrays by name, each (columns,).

        The columns are numbers of any type, and what is learned is computed in float64; see `float64_blocks`.
        A row of weight 2, (rows,), counts as two equal rows do, and one of weight 0 as none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no fit")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        """Return the columns, prepared. Operators only, so that symbolic values can take the arrays' place."""
        raise NotImplementedError(f"{type(self).__name__} has no apply")

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        """Return prepared columns in their own units again. Operators only."""
        raise NotImplementedError(f"{type(self).__name__} has no invert")


def float64_blocks(columns: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """Yield some of the columns (rows, columns) after the other in float64, so that few are copied together.

    Each block has two columns at least, where there are two: NumPy adds up the rows of a single column in another
    order, which gives other bits.
    """
    rows, count = columns.shape
    starts = list(range(0, count, max(2, BLOCK // max(1, rows))))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    for start, stop in pairwise([*starts, count]):
        yield columns[:, start:stop].astype(np.float64, copy=False)


def prepared_size(steps: Iterable[Preprocessing], columns: int) -> int:
    """Return how many columns steps make of so many, one after the other."""
    for step in steps:
        columns = step.output_size(columns)
    return columns
