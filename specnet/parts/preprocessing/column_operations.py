"""Functions of columns, which are arrays (rows, columns) or symbolic values (columns, rows) of the compiler.

NumPy computes a step that only uses these functions and operators; exports write it in other languages.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet import compiler
from specnet.compiler import Value

Function = Callable[..., Any]


def _either(of_values: Function, of_arrays: Function, *operands: Any) -> Any:
    """Call the function of symbolic values if an operand is symbolic, else the function of arrays."""
    return (of_values if any(isinstance(x, Value) for x in operands) else of_arrays)(*operands)


absolute = partial(_either, compiler.absolute, np.abs)
cos = partial(_either, compiler.cos, np.cos)
equal = partial(_either, compiler.equal, np.equal)
exp = partial(_either, compiler.exp, np.exp)
expm1 = partial(_either, compiler.expm1, np.expm1)
floor = partial(_either, compiler.floor, np.floor)
greater = partial(_either, compiler.greater, np.greater)
log1p = partial(_either, compiler.log1p, np.log1p)
maximum = partial(_either, compiler.maximum, np.maximum)
minimum = partial(_either, compiler.minimum, np.minimum)
sign = partial(_either, compiler.sign, np.sign)
sin = partial(_either, compiler.sin, np.sin)
sqrt = partial(_either, compiler.sqrt, np.sqrt)
where = partial(_either, compiler.where, np.where)


def within(columns: Any, low: Any, high: Any) -> Any:
    """Limit numbers to the range from `low` to `high`; NaN remains NaN."""
    return minimum(maximum(columns, low), high)


def with_slope(made: Any, columns: Any, slope: Callable[[], Any]) -> Any:
    """Return `made`, a function of columns, with the given derivative where the rule for its formula is wrong."""
    return compiler.custom(made, [columns], lambda d: (d * slope(),)) if isinstance(columns, Value) else made


def count_of(columns: Any) -> int:
    """Return the number of columns."""
    return int(columns.shape[0] if isinstance(columns, Value) else columns.shape[1])


def picked(columns: Any, indices: Sequence[int]) -> Any:
    """Return the columns at these indices, which ascend."""
    if not isinstance(columns, Value):
        return columns[:, list(indices)]
    return compiler.concatenate(*runs(columns, indices))


def runs(columns: Value, indices: Sequence[int]) -> list[Value]:
    """Return the columns at these indices as pieces of consecutive columns."""
    starts = [k for k, index in enumerate(indices) if not k or index != indices[k - 1] + 1]
    return [compiler.rows(columns, indices[k], indices[end - 1] + 1) for k, end in pairwise([*starts, len(indices)])]


def joined(*pieces: Any) -> Any:
    """Return the columns of each piece, one piece after the other."""
    return compiler.concatenate(*pieces) if isinstance(pieces[0], Value) else np.concatenate(pieces, axis=1)


def repeated(columns: Any, counts: Sequence[int]) -> Any:
    """Repeat each column as often as its count."""
    if not isinstance(columns, Value):
        return np.repeat(columns, counts, axis=1)
    copies = ((compiler.rows(columns, index, index + 1), count) for index, count in enumerate(counts) if count)
    return compiler.concatenate(*(compiler.repeat(column, count) for column, count in copies))


def looked_up(columns: Any, table: Any, starts: NDArray[Any]) -> Any:
    """Return the numbers of a table (width, entries) for columns of indices: `width` columns for each.

    An index is counted from the start of its column, an array (columns,).
    """
    if not isinstance(columns, Value):
        found = table[:, (columns + starts).astype(np.intp)]
        return np.ascontiguousarray(np.moveaxis(found, 0, -1)).reshape(len(columns), -1)
    single = (compiler.rows(columns, index, index + 1) + float(start) for index, start in enumerate(starts))
    return compiler.concatenate(*(compiler.gather(table, compiler.to_index(index)) for index in single))


def numbered(columns: Any, numbers: Sequence[float]) -> Any:
    """Return one number for each column, as a symbolic value if the columns are symbolic, else as an array."""
    if not isinstance(columns, Value):
        return np.array(numbers, np.float64)
    return compiler.concatenate(*(compiler.expand(compiler.constant(number), (1, 1)) for number in numbers))
