"""What all preprocessing steps have in common, and how columns are gone through while one is fitted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError
from specnet.parts.arrays import RowView
from specnet.parts.registry import PartKind

BLOCK = 2**20
"""Numbers that are copied together while a step is fitted."""
VIEW_BLOCK = 2**24
"""The same of a view: reading a row of it costs the same for few columns and for some more."""
ROWS_AT_ONCE = 2**20
"""Rows that are added up together."""
FEW_PARTS = 8
"""Parts up to which quantiles are found faster by partitions than by sorting all numbers."""
_SLIVER = 1e-9
"""Fraction of a row by which rounding may shift a quantile."""
_WHOLE = 1 - _SLIVER

NUMBERS = frozenset({"numeric", "boolean", "datetime"})
"""The kinds of raw columns that are numbers."""

Fitted = Mapping[str, Any]
"""What a step learned, by name: arrays, or symbolic values (length, 1) instead."""
Texts = tuple[NDArray[np.str_], ...]
"""For each column its distinct texts, of which the cells hold the indices."""
Learned = dict[str, NDArray[Any]]
Weight = NDArray[np.float64] | None
"""How much each training row counts, (rows,); None if all count alike."""
Columns = NDArray[Any] | RowView
"""Columns (rows, columns) that a step is fitted to."""


class Preprocessing(PartKind):
    """A step from columns to columns.

    Attributes
    ----------
    learned : tuple of str
        Names of what `fit` returns.
    takes : frozenset of str
        Kinds of raw columns that the step can be the first for.
    takes_missing : bool
        Whether columns may have missing cells, which are NaN.
    invertible : bool
        Whether `invert` undoes it, as a target's step must be undone. For the proof of an export the others return
        columns of which the step makes about those that are given.
    fits_views : bool
        Whether `fit` reads its columns by slices of rows or of columns alone, so that it can be given a `RowView`; it
        is given an array otherwise.
    dtypes : mapping of str to str
        Of what is learned, by name; the others are float64.
    fixed : frozenset of str
        Names of learned arrays that stay arrays if symbolic values replace the others: those that say how many
        columns are made.
    """

    kind: ClassVar[str] = "preprocessing"
    learned: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[frozenset[str]] = NUMBERS
    takes_missing: ClassVar[bool] = False
    invertible: ClassVar[bool] = False
    fits_views: ClassVar[bool] = False
    fixed: ClassVar[frozenset[str]] = frozenset()
    dtypes: ClassVar[Mapping[str, str]] = {}

    def output_size(self, columns: int) -> int | None:
        """Return the number of columns that it makes of `columns`, None if only the step that `fit` returns has it."""
        return columns

    def input_size(self, outputs: int) -> int:
        """Return the number of columns of which it makes `outputs`, where that is defined."""
        return outputs

    def shapes(self, columns: int) -> dict[str, tuple[int | None, ...]]:
        """Return the shapes of what it learns from `columns` columns; None for a length that its fields do not fix."""
        return dict.fromkeys(self.learned, (columns,))

    def named(self, columns: Sequence[str], fitted: Fitted) -> list[str]:
        """Return the names of the columns after the fitted step, given those before it.

        By default these are the same or, if their number differs, the step's name and a number.
        """
        made = self.output_size(len(columns)) or 0
        return list(columns) if made == len(columns) else [f"{self.type} {number}" for number in range(1, made + 1)]

    def fit(self, columns: Any, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        """Fit the step: return it with all sizes that depend on the rows, and the learned arrays by name.

        Parameters
        ----------
        columns : (rows, columns)
            Training rows: numbers of any type. What is learned is computed in float64; see `float64_blocks`. A step
            that `fits_views` may be given a `RowView`.
        weight : (rows,), optional
            Only their ratios mean anything, as of shares of all rows; a row of weight 0 counts as none. What needs so
            many rows counts them, whatever they weigh.
        texts : tuple of (categories,) arrays, optional
            Each column's distinct texts in ascending order, of which the columns hold the indices. Only steps for
            categories need them.

        Raises
        ------
        DataError
            If the step is not for such columns.
        """
        raise NotImplementedError(f"{type(self).__name__} has no fit")

    def check(self, fitted: Fitted) -> None:
        """Raise an error about arrays from a file that `fit` cannot have returned; their shapes are already checked.

        Raises
        ------
        DataError
        """
        for name in self.learned:
            self.require(bool(np.isfinite(fitted[name]).all()), f"{name} is not finite")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        """Return the columns, prepared.

        Operators and the functions of `specnet.parts.preprocessing.column_operations` only, so that symbolic values can
        replace arrays.
        """
        raise NotImplementedError(f"{type(self).__name__} has no apply")

    def trained_gaps(self, fitted: Fitted) -> tuple[int, ...] | None:
        """Return the columns whose gaps the fitted step fills or codes as it did those of training rows.

        None where missing cells stay missing for a later step, with the columns themselves before any that are added.
        """
        return ()

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        """Return prepared columns in their own units again. As in `apply`, symbolic values if it is invertible."""
        raise NotImplementedError(f"{type(self).__name__} has no invert")

    def require(self, holds: bool, message: str) -> None:
        """Raise a DataError that begins with the step's name unless something holds."""
        if not holds:
            raise DataError(f"{self.type}: {message}")


def prepared_size(steps: Iterable[Preprocessing], columns: int) -> int | None:
    """Return the number of columns after all steps, None if only a fit tells."""
    size: int | None = columns
    for step in steps:
        size = None if size is None else step.output_size(size)
    return size


def raw_size(steps: Sequence[Preprocessing], outputs: int) -> int | None:
    """Return the number of columns before all steps, given that after them; None if that is not known."""
    size = outputs
    for step in reversed(steps):
        size = step.input_size(size)
    return size if size > 0 and prepared_size(steps, size) == outputs else None


def float64_blocks(columns: Columns) -> Iterator[NDArray[np.float64]]:
    """Yield blocks of columns in float64, so that few of (rows, columns) are copied at once.

    Each block has two columns at least, where there are two: NumPy adds up the rows of a single column in another
    order, which gives other bits.
    """
    rows, count = columns.shape
    numbers = VIEW_BLOCK if isinstance(columns, RowView) else BLOCK
    starts = list(range(0, count, max(2, numbers // max(1, rows))))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    for start, stop in pairwise([*starts, count]):
        yield columns[:, start:stop].astype(np.float64, copy=False)


def row_blocks(columns: NDArray[Any]) -> list[NDArray[Any]]:
    """Split columns (rows, columns) into blocks of rows that keep temporary arrays small.

    What is added up by parts has other bits than what is added up at once, and fewer rounding errors.
    """
    return [columns[start : start + ROWS_AT_ONCE] for start in range(0, len(columns), ROWS_AT_ONCE)] or [columns]


def present_cells(columns: Columns, weight: Weight) -> Iterator[tuple[NDArray[np.float64], Weight]]:
    """Yield each column's numbers in float64 with their weights, without missing cells and rows of weight 0."""
    for block in float64_blocks(columns):
        for column in block.T:
            present = ~np.isnan(column)
            if weight is not None:
                present &= weight > 0
            yield column[present], None if weight is None else weight[present]


def quantiles(values: NDArray[np.float64], weight: Weight, parts: int) -> NDArray[np.float64]:
    """Return the least number, those at 1/parts, 2/parts … of the way up, and the largest: (parts + 1,).

    Between two numbers in order they are interpolated, as NumPy's default does; between equal ones they are exact. With
    weights, the n numbers in order share a length of n, and a quantile between the ends is the mean over a length of 1:
    equal weights change nothing, and no weight makes it jump.
    """
    at = np.arange(parts + 1) * (len(values) - 1.0) / parts
    if weight is None:
        low = np.floor(at)
        below, above = (np.minimum(number, len(values) - 1).astype(np.intp) for number in (low, low + 1))
        # A few positions are found without sorting all.
        ordered = np.partition(values, np.union1d(below, above)) if parts <= FEW_PARTS else np.sort(values)
        share = at - low
        # The difference of two numbers may be too large where that of their halves is not.
        half_step = (0.5 * ordered[above] - 0.5 * ordered[below]) * share
    else:
        order = np.argsort(values, kind="stable")
        ordered, ends = values[order], np.cumsum(weight[order])
        ends *= len(values) / ends[-1]
        below, above = (np.searchsorted(ends, near).clip(max=len(values) - 1) for near in (at + _SLIVER, at + _WHOLE))
        half_step = np.array([_half_step(ordered, ends, *window) for window in zip(at, below, above, strict=True)])
        below[-1], half_step[[0, -1]] = len(values) - 1, 0.0
    between = 2 * (0.5 * ordered[below] + half_step)
    return np.maximum.accumulate(np.clip(between, ordered[below], ordered[above]))


def _half_step(ordered: NDArray[np.float64], ends: NDArray[np.float64], start: float, first: int, last: int) -> float:
    """Return half of what the mean of ordered numbers over a length of 1 is above the first of them."""
    covered = np.diff(np.minimum(ends[first : last + 1], start + 1), prepend=start)
    return float(covered @ (0.5 * ordered[first : last + 1] - 0.5 * ordered[first]))
