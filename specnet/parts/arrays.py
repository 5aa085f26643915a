"""Checks and conversions of arrays from callers and files.

Booleans, integers and floats are converted. Objects, text, complex numbers, NaN, infinities and empty arrays are errors
that name the argument.

A `RowView` is a selection of rows and columns of a table, which are copied only when they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.errors import DataError
from specnet.files.large import new_array


class RowView:
    """Rows and columns of an array (rows, columns) by their indices.

    It is indexed like an array: ``view[rows]``, with a slice, a mask or indices, or ``view[:, columns]``. Each access
    makes a C-contiguous copy of the selection.

    Parameters
    ----------
    array : (all rows, all columns)
    rows : (rows,), optional
        Indices; all rows by default.
    columns : tuple of int, optional
        Indices; all columns by default.
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
        """The number of cells."""
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
        for piece in pieces(self):
            copied[piece] = self[piece]
        return copied

    def taken(self, columns: tuple[int, ...]) -> RowView:
        """Return a view of some columns of this view, given their indices."""
        known = columns if self._columns is None else tuple(self._columns[index] for index in columns)
        return RowView(self._array, self._rows, known)


def _neighbours(indices: tuple[int, ...]) -> slice | list[int]:
    """Return indices as a slice if they are consecutive, which is several times as fast to read, else as a list."""
    first = indices[0] if indices else 0
    are_neighbours = indices == tuple(range(first, first + len(indices)))
    return slice(first, first + len(indices)) if are_neighbours else list(indices)


Array = NDArray[Any]
TargetForm = Literal["values", "binary", "classes"]
"""The form of a target for a loss: numbers, 0 and 1, or class indices."""
Domain = Literal["any", "not negative", "positive", "distribution"]
"""The values that a target may have; the rows of a distribution are not negative and sum to 1."""

NUMBERS_AT_ONCE = 2**16
"""Number of elements that are checked or copied at once, so that they fit into the processor's cache."""
FLOAT64 = np.dtype(np.float64)
KIND_WORDS = {"O": "Python objects", "U": "text", "S": "bytes", "c": "complex numbers", "M": "dates", "m": "durations"}
"""Contents of arrays that are not real numbers, by the kind of their dtype."""
SUM_TOLERANCE = 1e-5
"""Largest difference between the sum of a distribution and 1: rounding in single precision over many classes."""


def as_array(array: ArrayLike, name: str) -> Array:
    """Convert values of any kind to an array; masked entries are an error.

    Raises
    ------
    DataError
        If rows have different lengths, or entries are masked.
    """
    refuse_masked(array, name)
    if hasattr(array, "toarray"):  # NumPy would make one object of it
        raise DataError(f"{name} is a sparse matrix", hint=f"use {name}.toarray()")
    try:
        converted = np.asarray(array)
    except Exception as error:  # the library of the array may raise any error
        raise DataError(f"{name} is not an array: {error}") from None
    if converted.dtype.kind in "OTU":
        refuse_null_ends(array, name)
    return converted


def refuse_masked(array: Any, name: str) -> None:
    """Raise an error about the first masked entry of an array, with its position."""
    if isinstance(array, np.ma.MaskedArray) and array.mask.any():
        index = tuple(int(index) for index in np.argwhere(array.mask)[0])
        hint = f"fill it with {name}.filled(…), or remove such rows"
        raise DataError(f"{name} is masked{_at(index)}; masked values are not supported", hint=hint)


def refuse_misread(array: Any, name: str) -> None:
    """Raise an error about values that scikit-learn would misread as numbers: masked entries, dates, durations.

    Raises
    ------
    DataError
    """
    refuse_masked(array, name)
    if hasattr(array, "__array__") and not hasattr(array, "toarray"):
        kind = as_array(array, name).dtype.kind
        if kind in "mM":
            raise DataError(f"{name} must be numeric, got {KIND_WORDS[kind]}")


def refuse_null_ends(array: Any, name: str) -> None:
    """Refuse text that ends in a null character: NumPy drops it, so that two labels could become one.

    Raises
    ------
    DataError
        With the location of the first text that does. NumPy's text arrays have already lost the character.
    """
    if isinstance(array, np.ndarray) and array.dtype.kind not in "OT":
        return
    for index, text in np.ndenumerate(np.asarray(array, np.object_)):
        if isinstance(text, str) and text.endswith("\0"):
            raise DataError(f"{name} has text that ends in a null character{_at(index)}")


def column_names(table: Any) -> tuple[str, ...] | None:
    """Return the column names of a data frame; None for other objects, or if not all names are text."""
    if hasattr(table, "collect_schema"):  # Polars, whose lazy frames warn of their other property
        return tuple(table.collect_schema().names()) or None
    columns = getattr(table, "column_names" if hasattr(table, "column_names") else "columns", None)  # Arrow, others
    names = tuple(columns) if isinstance(columns, Iterable) else ()
    return names if names and all(isinstance(name, str) for name in names) else None


def select_columns(table: Any, names: Sequence[str] | None, name: str = "X") -> Any:
    """Return the columns of a data frame with these names, in this order; anything else unchanged.

    Raises
    ------
    DataError
        If a column is missing or occurs twice.
    """
    found = column_names(table)
    if found is None or names is None or found == tuple(names):
        return table
    known = set(found)
    if missing := [f'"{column}"' for column in names if column not in known]:
        word = "column" if len(missing) == 1 else "columns"
        raise DataError(f"{name} has no {word} {first_few(missing)}", hint=f"choose from {first_few(found)}")
    if len(known) < len(found) and (repeated := [column for column in names if found.count(column) > 1]):
        raise DataError(f'{name} has more than one column "{repeated[0]}"')
    return table.select(list(names)) if hasattr(table, "select") else table[list(names)]


def first_few(names: Sequence[Any] | Array, most: int = 12) -> str:
    """Return the first names or labels as a comma-separated text that ends in … if there are more."""
    return ", ".join(map(str, names[:most])) + (", …" if len(names) > most else "")


def described_dtype(dtype: np.dtype[Any]) -> str:
    """Return the contents of arrays of a dtype in words."""
    return KIND_WORDS.get(dtype.kind, str(dtype))


def as_numbers(array: ArrayLike, name: str) -> Array:
    """Convert values to an array of finite booleans, integers or floats.

    Raises
    ------
    DataError
        If that is not possible, with the argument's name.
    """
    numbers = as_array(array, name)
    if numbers.dtype.kind == "O":
        for index, item in np.ndenumerate(numbers):
            if is_missing(item):
                raise DataError(f"{name} is empty{_at(index)}", hint="fill it in, or remove such rows")
    if numbers.dtype.kind not in "fiub":
        only_real = numbers.dtype.kind == "O" and all(isinstance(item, Real) for item in numbers.flat)
        hint = f"convert it with {name}.astype(float)" if only_real else None
        raise DataError(f"{name} must be numeric, got {described_dtype(numbers.dtype)}", hint=hint)
    if numbers.size == 0:
        raise DataError(f"{name} is empty: shape {numbers.shape}")
    check_finite(numbers, name)
    return numbers


def pieces(array: Array | RowView) -> Iterator[slice]:
    """Yield slices that divide the rows of an array into pieces with a limited number of entries."""
    step = max(1, NUMBERS_AT_ONCE * len(array) // max(1, array.size))
    return (slice(start, start + step) for start in range(0, len(array), step))


def check_finite(numbers: Array, name: str, first_row: int = 0) -> None:
    """Refuse numbers that are not finite; booleans and integers are always finite.

    Raises
    ------
    DataError
        With the location of the first number that is not finite; `first_row` is the number of the array's first row.
    """
    if (index := first_not_finite(numbers)) is not None:
        raise DataError(f"{name} has {numbers[index]}{_at(index, first_row)}; expected finite numbers")


def first_not_finite(numbers: Array) -> tuple[int, ...] | None:
    """Return the indices of the first number that is not finite, or None if all are finite."""
    if numbers.dtype.kind != "f":
        return None
    if numbers.ndim == 0:
        return None if np.isfinite(numbers) else ()
    for piece in pieces(numbers):
        finite = np.isfinite(numbers[piece])
        if not finite.all():
            row, *others = (int(index) for index in np.argwhere(~finite)[0])
            return (piece.start + row, *others)
    return None


def check_count(number: Any, name: str, at_least: int = 0) -> int:
    """Return an integer that is at least a minimum; booleans are an error.

    Raises
    ------
    DataError
        If the value is not such an integer, with the argument's name.
    """
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or not at_least <= number < 2**63:
        raise DataError(f"{name} must be an integer of at least {at_least}, got {number!r}")
    return int(number)


def check_inputs(X: ArrayLike, columns: int | None, name: str = "X") -> Array:
    """Return valid rows of numbers (rows, columns) as an array; `columns` is the expected number, or None for any.

    Errors about a data frame name the column, and count rows by position from 0.
    """
    names = column_names(X)
    numbers = as_numbers(X, name) if names is None else _frame_numbers(X, names, name)
    if numbers.ndim != 2 or columns not in (None, numbers.shape[1]):
        width = "columns" if columns is None else columns
        hint = f"use {name}.reshape(1, -1) for one row, {name}.reshape(-1, 1) for one column"
        expected = f"{name} has shape {numbers.shape}; expected (rows, {width})"
        raise DataError(expected, hint=hint if numbers.ndim == 1 else None)
    return numbers


def check_row_count(array: Array, rows: int, name: str, inputs: str = "X") -> None:
    """Refuse an array whose first axis does not have the number of rows of the inputs."""
    if array.shape[:1] != (rows,):
        raise DataError(f"{name} has shape {array.shape}, but {inputs} has {rows} row{'s' * (rows != 1)}")


def check_target_axes(y: Array, rows: int, name: str = "y", inputs: str = "X") -> None:
    """Refuse a target that is not (rows,) or (rows, outputs)."""
    check_row_count(y, rows, name, inputs)
    if y.ndim > 2:
        raise DataError(f"{name} has shape {y.shape}; expected (rows,) or (rows, outputs)")


def check_weights(
    sample_weight: ArrayLike | None, rows: int, name: str = "sample_weight"
) -> NDArray[np.float64] | None:
    """Check weights of rows, (rows,), and scale them to a mean of 1; None remains None."""
    if sample_weight is None:
        return None
    weights = as_dtype(as_numbers(sample_weight, name), FLOAT64, name)
    check_row_count(weights, rows, name)
    if weights.ndim != 1:
        raise DataError(f"{name} has shape {weights.shape}; expected ({rows},), one weight per row of X")
    if weights.min() < 0:
        raise DataError(f"{name} has {weights.min()}{_at((int(weights.argmin()),))}; weights must be non-negative")
    if not weights.any():
        raise DataError(f"{name} is 0 for every row")
    return relative_weights(weights)


def relative_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale weights to a mean of 1 over the rows with positive weight: only ratios of weights are significant.

    Weights that differ by a factor of a power of two give the same bits.
    """
    largest = weights.max()
    if not largest:
        return weights
    weights = np.ldexp(weights, -int(np.frexp(largest)[1]))  # sums of the largest numbers would overflow
    return weights / weights[weights > 0].mean()


def as_dtype(numbers: Array, dtype: np.dtype[Any], name: str, first_row: int = 0) -> Array:
    """Convert finite numbers to a float dtype.

    Raises
    ------
    DataError
        If a number is beyond the range of the dtype, with its location; the array begins at row `first_row`.
    """
    if numbers.dtype == dtype:
        return numbers
    with np.errstate(over="ignore"):
        converted = numbers.astype(dtype)
    index = first_not_finite(converted) if numbers.dtype.itemsize > dtype.itemsize else None
    if index is not None:
        hint = 'use network.dtype = "float64"' if dtype.itemsize < 8 else None
        raise DataError(f"{name} has {numbers[index]!s}{_at(index, first_row)}, beyond the range of {dtype}", hint=hint)
    return converted


def check_target(y: ArrayLike, kind: TargetForm, rows: int, outputs: int, name: str = "y") -> Array:
    """Check targets and return them in the form of the engine, with features as the first axis.

    Parameters
    ----------
    y : (rows,) or (rows, outputs)
        Values; 0 and 1; or classes, as indices from 0, one column of indices, or one-hot rows.
    kind : str
        Form of the target that the loss needs.
    rows, outputs : int
        Number of rows of X, and number of outputs of the network.

    Returns
    -------
    array
        (1, rows) indices for classes, otherwise (outputs, rows) numbers.
    """
    target = as_numbers(y, name)
    check_row_count(target, rows, name)
    if kind == "classes":
        return _class_indices(target, outputs, name)[None, :]
    if target.ndim == 1 and outputs == 1:
        target = target[:, None]
    if target.shape != (rows, outputs):
        raise DataError(f"{name} has shape {target.shape}; expected ({rows}, {outputs}), one column per output")
    if kind == "binary" and not (are_binary := (target == 0) | (target == 1)).all():
        raise DataError(f"{name} has {target[~are_binary][0]}; this loss needs 0 and 1")
    return target.T


def check_domain(target: Array, domain: Domain, name: str = "y") -> None:
    """Refuse values, (rows,) or (rows, outputs), for which a loss is not defined; the error has their location."""
    if domain == "any":
        return
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    refused = target <= 0 if domain == "positive" else target < 0
    if refused.any():
        index = tuple(int(index) for index in np.argwhere(refused)[0])
        needed = "positive numbers" if domain == "positive" else "non-negative numbers"
        raise DataError(f"{name} has {target[index]}{_at(index)}; this loss needs {needed}")
    if domain == "distribution":
        sums = target.reshape(len(target), -1).sum(axis=1)
        row = int(abs(sums - 1).argmax())
        if abs(sums[row] - 1) > SUM_TOLERANCE:
            raise DataError(f"{name} sums to {sums[row]:g} at row {row}; this loss needs distributions that sum to 1")


def _class_indices(target: Array, classes: int, name: str) -> NDArray[np.intp]:
    if target.ndim == 2 and target.shape[1] == classes > 1:
        if not (((target == 0) | (target == 1)).all() and (target.sum(axis=1) == 1).all()):
            raise DataError(f"{name} has {classes} columns; expected one-hot rows with a single 1")
        columns: NDArray[np.intp] = target.argmax(axis=1)
        return columns
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    if target.ndim != 1:
        forms = f"({len(target)},) class indices or ({len(target)}, {classes}) one-hot rows"
        raise DataError(f"{name} has shape {target.shape}; expected {forms}")
    with np.errstate(invalid="ignore"):  # numbers beyond the range are refused below
        indices = target.astype(np.intp)
    wrong = target[(indices != target) | (indices < 0) | (indices >= classes)]
    if wrong.size:
        raise DataError(f"{name} has {wrong[0]}; expected class indices from 0 to {classes - 1}")
    return indices


def eager_frame(table: Any, name: str) -> Any:
    """Convert a data frame of any library to a data frame of narwhals.

    Raises
    ------
    DataError
        If narwhals does not support the frame, or the frame is lazy.
    """
    import narwhals

    try:
        return narwhals.from_native(table, eager_only=True)
    except narwhals.exceptions.DuplicateError:
        names = column_names(table) or ()
        repeated = next(column for column in names if names.count(column) > 1)
        raise DataError(f'{name} has more than one column "{repeated}"') from None
    except (TypeError, ValueError):
        kind, can_collect = type(table).__name__, hasattr(table, "collect")
        hint = f"use {name}.collect()" if can_collect else "use a data frame of pandas or Polars, or a pyarrow.Table"
        raise DataError(f"{name} is a {kind}, whose rows cannot be read", hint=hint) from None


def series_numbers(series: Any) -> Array | None:
    """Return a narwhals column of numbers or booleans as an array, NaN for missing cells; None for other types."""
    import narwhals

    of = series.dtype
    if of.is_decimal() or of in (narwhals.Int128, narwhals.UInt128) or (of == narwhals.Boolean and series.null_count()):
        series = series.cast(narwhals.Float64)
    elif not (of.is_numeric() or of in (narwhals.Boolean, narwhals.Unknown)):
        return None
    numbers: Array = series.to_numpy()
    return numbers if numbers.dtype.kind in "fiub" else None


def _frame_numbers(table: Any, names: Sequence[str], name: str) -> Array:
    """Return the finite numbers of a data frame, whose columns may have different types."""
    if hasattr(table, "iloc") and len(set(names)) < len(names):  # pandas; narwhals refuses duplicate names
        whole = np.asarray(table)
        if whole.size and whole.dtype.kind in "fiub" and first_not_finite(whole) is None:
            return whole
    frame, prefix = eager_frame(table, name), "" if name == "X" else f"{name}: "
    columns = [_column_numbers(frame[column], column, prefix) for column in names]
    return as_numbers(np.stack(columns, axis=1), name)


def _column_numbers(series: Any, name: str, prefix: str) -> Array:
    """Return a column of a data frame as finite numbers; raise an error for other contents."""
    import narwhals

    column = series_numbers(series)
    if column is None and series.dtype == narwhals.Object:
        cells = series.to_numpy()
        missing = np.fromiter(map(is_missing, cells), np.bool_, len(cells))
        if all(isinstance(item, Real) for item in cells[~missing]):
            filled = np.where(missing, np.nan, cells)
            column = filled.astype(np.float64) if missing.any() else np.array(cells.tolist())
    if column is None:
        raise DataError(f'{prefix}column "{name}" is not numeric')
    finite = np.isfinite(column)
    if not finite.all():
        row = int(finite.argmin())
        state = "is empty" if np.isnan(column[row]) else f"is {column[row]}; expected a finite number"
        raise DataError(f'{prefix}row {row}: column "{name}" {state}', hint="rows count from 0")
    return column


def is_missing(item: Any) -> bool:
    """Return whether a cell of a data frame or of an array of objects is missing."""
    try:
        return item is None or bool(item != item)
    except TypeError:  # pandas.NA is neither equal to itself nor not
        return True
    except ValueError:  # an array
        return False


def _at(index: tuple[int, ...], first_row: int = 0) -> str:
    """Return the location of a number as the end of a phrase; an empty text if the index is empty."""
    if not index:
        return ""
    return f" at row {first_row + index[0]}" + (f", column {index[1]}" if len(index) > 1 else "")


def spaced_indices(points: int, most: int) -> NDArray[np.intp]:
    """Return the indices of at most `most` evenly spaced points of a curve, including both ends."""
    return np.unique(np.linspace(0, points - 1, min(points, most)).astype(np.intp))
