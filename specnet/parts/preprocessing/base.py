"""The base class of preprocessing steps, and iteration over columns while a step is fitted."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError
from specnet.parts.arrays import RowView
from specnet.parts.orders import Orders
from specnet.parts.registry import PartKind

BLOCK = 2**20
"""Number of elements that are copied at once while a step is fitted."""
VIEW_BLOCK = 2**24
"""The same for a view, in which reading a row costs about the same for few and for more columns."""
ROWS_AT_ONCE = 2**20
"""Number of rows that are summed at once."""
FEW_PARTS = 8
"""Largest number of parts for which partitioning finds quantiles faster than sorting all numbers."""
_SLIVER = 1e-9
"""Fraction of a row by which rounding may shift a quantile."""
_WHOLE = 1 - _SLIVER

NUMBERS = frozenset({"numeric", "boolean", "datetime"})
"""The kinds of raw columns that are numbers."""

Fitted = Mapping[str, Any]
"""The fitted arrays of a step by name, or symbolic values instead: (length, 1), or the shape of a table."""
Texts = tuple[NDArray[np.str_], ...]
"""The distinct texts of each column; its cells are indices of these texts."""
Learned = dict[str, NDArray[Any]]
Weight = NDArray[np.float64] | None
"""The weight of each training row, (rows,); None if all rows count equally."""
Columns = NDArray[Any] | RowView
"""Columns (rows, columns) that a step is fitted to."""
TargetArray = NDArray[Any]
"""The target of training rows: class indices (rows,) of an integer type, or values (rows, values) of float64."""


class Preprocessing(PartKind):
    """A step from columns to columns.

    Attributes
    ----------
    learned : tuple of str
        Names of the arrays that `fit` returns.
    takes : frozenset of str
        Kinds of raw columns for which the step can be the first one.
    takes_missing : bool
        Whether columns may have missing cells, which are NaN.
    reads_texts : bool
        Whether the columns are indices of texts, of which `coder` makes the numbers that `apply` reads.
    invertible : bool
        Whether `invert` is exact, which steps of a target require. In other steps, `invert` serves the proof of an
        export: it returns columns that the step converts to about the given ones.
    fits_views : bool
        Whether `fit` only reads columns by slices of rows or of columns, so that its argument may be a `RowView`
        instead of an array.
    keeps_order : bool
        Whether each output column rises or stays where the input column at the same position rises, and further output
        columns depend only on which cells are missing.
    keeps_last_bit : bool
        Whether this is true of rounded columns too, also of `invert`.
    dtypes : mapping of str to str
        Dtypes of learned arrays by name; float64 for names that are missing.
    tables : frozenset of str
        Names of learned arrays (width, entries) that keep their shape as symbolic values, for `looked_up`.
    fixed : frozenset of str
        Names of learned arrays that remain arrays if symbolic values replace the others, because they determine the
        number of output columns.
    """

    kind: ClassVar[str] = "preprocessing"
    learned: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[frozenset[str]] = NUMBERS
    takes_missing: ClassVar[bool] = False
    reads_texts: ClassVar[bool] = False
    invertible: ClassVar[bool] = False
    fits_views: ClassVar[bool] = False
    keeps_order: ClassVar[bool] = False
    keeps_last_bit: ClassVar[bool] = False
    tables: ClassVar[frozenset[str]] = frozenset()
    fixed: ClassVar[frozenset[str]] = frozenset()
    dtypes: ClassVar[Mapping[str, str]] = {}

    def output_size(self, columns: int) -> int | None:
        """Return the number of output columns for `columns` inputs; None if it is only known after `fit`."""
        return columns

    def input_size(self, outputs: int) -> int:
        """Return the number of input columns for `outputs` output columns, if that is defined."""
        return outputs

    def orders(self, columns: Orders) -> Orders | None:
        """Return the orders of the output columns, given those of the columns; None if the step does not keep them."""
        size = self.output_size(len(columns)) or 0
        if not any(columns):
            return (0,) * size
        return (*columns, *[0] * (size - len(columns))) if self.keeps_order else None

    def shapes(self, columns: int) -> dict[str, tuple[int | None, ...]]:
        """Return the shapes of the learned arrays for `columns` columns; None for a length that depends on the rows."""
        return dict.fromkeys(self.learned, (columns,))

    def named(self, columns: Sequence[str], fitted: Fitted) -> list[str]:
        """Return the names of the columns after the fitted step, given the names before it.

        By default, names do not change; if the number of columns differs, they are the step's name and a number.
        """
        made = self.output_size(len(columns)) or 0
        return list(columns) if made == len(columns) else [f"{self.type} {number}" for number in range(1, made + 1)]

    def fit(self, columns: Any, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        """Fit the step: return it with all sizes that depend on the rows, and the learned arrays by name.

        Parameters
        ----------
        columns : (rows, columns)
            Training rows: numbers of any type. Learned arrays are computed in float64; see `float64_blocks`. May be a
            `RowView` if the step `fits_views`.
        weight : (rows,), optional
            Weights, of which only the ratios are significant; a row of weight 0 is ignored. A minimum number of rows
            counts rows independently of their weights.
        texts : tuple of (categories,) arrays, optional
            Distinct texts of each column in ascending order; the columns are indices of these texts. Only steps for
            categories need them.

        Raises
        ------
        DataError
            If the step does not support these columns.
        """
        raise NotImplementedError(f"{type(self).__name__} has no fit")

    @property
    def reads_target(self) -> bool:
        """Whether the step is fitted with the target, by `fit_to_target` after `fit`; it must be a group's first."""
        return False

    def fit_to_target(
        self, columns: Columns, fitted: Fitted, target: TargetArray, weight: Weight = None, texts: Texts | None = None
    ) -> tuple[Self, Learned]:
        """Return a step that `reads_target`, and its learned arrays, fitted to the target of training rows.

        Parameters
        ----------
        columns : (rows, columns)
            The training rows, as in `fit`.
        fitted : mapping
            The learned arrays of `fit`.
        target : (rows,) or (rows, values)
            The target; see `TargetArray`.
        weight, texts : optional
            As in `fit`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no fit_to_target")

    def out_of_fold(
        self,
        columns: Columns,
        fitted: Fitted,
        target: TargetArray,
        folds: NDArray[np.intp],
        weight: Weight = None,
        texts: Texts | None = None,
    ) -> NDArray[np.float64]:
        """Return the prepared training rows of a fitted step that `reads_target`: (rows, outputs).

        Whatever depends on the target is from a fit to the rows of the other folds, so no row's own target is in its
        columns: a network would trust them more than they deserve for new rows (Wolpert 1992, stacked generalization).

        Parameters
        ----------
        columns, fitted, target
            As in `fit_to_target`.
        folds : (rows,)
            The fold of each row.
        weight, texts : optional
            As in `fit`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no out_of_fold")

    def check(self, fitted: Fitted) -> None:
        """Raise an error if `fit` cannot have returned these arrays from a file; their shapes are already checked.

        Raises
        ------
        DataError
        """
        for name in self.learned:
            self.require(bool(np.isfinite(fitted[name]).all()), f"{name} is not finite")

    def coder(self, texts: Texts, fitted: Fitted) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
        """Return a function from text indices (rows, columns) to what `apply` reads, for a step that `reads_texts`.

        The texts may differ from the texts of `fit`, and be in any order. NaN is a missing cell.
        """
        raise NotImplementedError(f"{type(self).__name__} has no coder")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        """Return the prepared columns.

        Use only operators and the functions of `specnet.parts.preprocessing.column_operations`, so that symbolic values
        can replace arrays.
        """
        raise NotImplementedError(f"{type(self).__name__} has no apply")

    def trained_gaps(self, fitted: Fitted) -> tuple[int, ...] | None:
        """Return the indices of columns whose missing cells the step fills or codes, and that had some in training.

        Return None if missing cells remain for a later step; added columns must then come after the original ones.
        """
        return ()

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        """Convert prepared columns back to their original units; symbolic values too if the step is invertible."""
        raise NotImplementedError(f"{type(self).__name__} has no invert")

    def require(self, holds: bool, message: str) -> None:
        """Raise a DataError that begins with the step's name unless a condition is true."""
        if not holds:
            raise DataError(f"{self.type}: {message}")


def prepared_size(steps: Iterable[Preprocessing], columns: int) -> int | None:
    """Return the number of columns after all steps, given the number before; None if it is only known after a fit."""
    size: int | None = columns
    for step in steps:
        size = None if size is None else step.output_size(size)
    return size


def raw_size(steps: Sequence[Preprocessing], outputs: int) -> int | None:
    """Return the number of columns before all steps, given the number after them; None if it is unknown."""
    size = outputs
    for step in reversed(steps):
        size = step.input_size(size)
    return size if size > 0 and prepared_size(steps, size) == outputs else None


def float64_blocks(columns: Columns) -> Iterator[NDArray[np.float64]]:
    """Yield blocks of columns in float64, so that only a part of (rows, columns) is copied at once.

    If there are two columns or more, each block has at least two: NumPy sums the rows of a single column in another
    order, which gives different bits.
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

    A sum over blocks has different bits than a single sum, and smaller rounding errors.
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
    """Return the quantiles of numbers at 0, 1/parts, 2/parts, … and 1: (parts + 1,).

    Quantiles are interpolated between sorted numbers, as by NumPy's default; between equal numbers they are exact. With
    weights, the n sorted numbers divide a length of n, and a quantile between the ends is the mean over a length of 1:
    equal weights give the unweighted result, and quantiles are continuous in the weights.
    """
    at = np.arange(parts + 1) * (len(values) - 1.0) / parts
    if weight is None:
        low = np.floor(at)
        below, above = (np.minimum(number, len(values) - 1).astype(np.intp) for number in (low, low + 1))
        # A few quantiles are found without sorting all numbers.
        ordered = np.partition(values, np.union1d(below, above)) if parts <= FEW_PARTS else np.sort(values)
        share = at - low
        # The difference of two numbers may overflow; the difference of their halves does not.
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
    """Return half the difference between the mean of sorted numbers over a length of 1 and the first number."""
    covered = np.diff(np.minimum(ends[first : last + 1], start + 1), prepend=start)
    return float(covered @ (0.5 * ordered[first : last + 1] - 0.5 * ordered[first]))
