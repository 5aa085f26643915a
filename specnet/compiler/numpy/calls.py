"""Operations in NumPy: from the arrays of result and operands to calls without arguments.

Decisions and arrays are made once, when a plan is bound: `out` is a positional argument (a keyword for maximum and
minimum, where NumPy deprecates positions), scalars are arrays of shape () and of the run's dtype, sums are products
with a vector of ones, which take a third of a reduction's time. A row or column is repeated before an operation with a
full array, since NumPy would allocate a buffer and take longer than the copy. So no call allocates memory, except the
complex forms, which only check gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from specnet.compiler import operations, value
from specnet.compiler.lowering import Array, Call, Expansions
from specnet.compiler.operations import row_bounds
from specnet.compiler.value import Operation, Value

BoundCall = Callable[[], object]

ERF_LIMIT = 3.832506856900711
ERF_NUMERATOR = (
    0.00022905065861350646,
    0.0034082910107109506,
    0.050955695062380861,
    0.18520832239976145,
    1.128379143519084,
)
ERF_DENOMINATOR = (
    -1.1791602954361697e-7,
    0.000023547966471313185,
    0.0010179625278914885,
    0.014070470171167667,
    0.11098505178285362,
    0.49746925110067538,
    1.0,
)


def erf_float32(out: Array, x: Array, temporaries: tuple[Array, Array, Array]) -> list[BoundCall]:
    """Return calls that write erf(x) into out, which may be x itself, in a third of the time of SciPy's erf.

    SciPy's erf uses no vector instructions. This one is an odd rational function on |x| < 3.83, beyond which erf is 1
    in single precision; its error is at most 4e-7. The coefficients are from the XLA compiler's erf in single precision
    (Apache License 2.0).
    """
    limited, square, numerator = temporaries
    return [
        *_limit(limited, x, ERF_LIMIT),
        partial(np.multiply, limited, limited, square),
        *_polynomial(numerator, square, ERF_NUMERATOR),
        *_polynomial(out, square, ERF_DENOMINATOR),
        partial(np.multiply, numerator, limited, numerator),
        partial(np.divide, numerator, out, out),
        *_limit(out, out, 1.0),  # otherwise gelu of a large negative number would be positive
    ]


def _limit(out: Array, x: Array, limit: float) -> list[BoundCall]:
    high, low = np.array(limit, x.dtype), np.array(-limit, x.dtype)
    return [partial(np.minimum, x, high, out=out), partial(np.maximum, out, low, out=out)]


def _polynomial(out: Array, x: Array, coefficients: tuple[float, ...]) -> list[BoundCall]:
    """Return calls that evaluate a polynomial by Horner's scheme."""
    first, second, *others = (np.array(coefficient, x.dtype) for coefficient in coefficients)
    calls: list[BoundCall] = [partial(np.multiply, x, first, out), partial(np.add, out, second, out)]
    for coefficient in others:
        calls += [partial(np.multiply, out, x, out), partial(np.add, out, coefficient, out)]
    return calls


class Site(NamedTuple):
    """One call of a plan to bind, with functions that create arrays for it.

    Attributes
    ----------
    call
        The call of the plan.
    constant
        Whether each operand is a constant.
    temporary
        Takes a shape, a dtype and a number to distinguish arrays; returns a temporary array for use within the call.
    filled
        Takes a shape and a constant; returns an array filled with the constant.
    """

    call: Call
    constant: tuple[bool, ...]
    temporary: Callable[[tuple[int, ...], np.dtype[Any], int], Array]
    filled: Callable[[tuple[int, ...], Array], Array]


Rendering = Callable[..., list[BoundCall]]
"""Function that takes a site and the arrays of result and operands, and returns the NumPy calls for the site."""


def _sigmoid(x: Value) -> Value:
    return 1 / (1 + operations.exp(-x))  # exp may overflow to inf, which gives the right 0


def _softplus(x: Value) -> Value:
    larger = operations.maximum(x, 0)
    smaller = operations.minimum(0, x)
    return larger + operations.log1p(operations.exp(smaller - larger))  # -|x|, and smooth in the complex forms too


EXPANSIONS: Expansions = {operations.SIGMOID: _sigmoid, operations.SOFTPLUS: _softplus}
"""Operations without a function in NumPy, expressed in other operations."""


def dot(a: Array, b: Array, out: Array) -> BoundCall:
    """Return the fastest call of a matrix product for the memory layout of the result."""
    return partial(a.dot, b, out) if out.flags.c_contiguous else partial(np.matmul, a, b, out)


def copy(target: Array, source: Array | int) -> BoundCall:
    """Return the call that copies the source into a whole array; it is repeated and converted if necessary."""
    return partial(target.__setitem__, Ellipsis, source)


def ones(like: Array, *shape: int) -> Array:
    return np.ones(shape, like.dtype)


def repeated(site: Site, out: Array, operands: Sequence[Array]) -> tuple[list[BoundCall], list[Array]]:
    """Return calls that repeat operands to the result's shape, and the operands to use after these calls."""
    steps: list[BoundCall] = []
    full: list[Array] = []
    into_result = not any(np.may_share_memory(operand, out) for operand in operands)
    for k, operand in enumerate(operands):
        if operand.shape == out.shape:
            full.append(operand)
        elif operand.size == 1:
            full.append(operand.reshape(()))  # NumPy repeats a scalar at no cost
        else:
            into_result = into_result and operand.dtype == out.dtype
            full.append(out if into_result else site.temporary(out.shape, operand.dtype, k))
            steps.append(copy(full[-1], operand))
            into_result = False
    return steps, full


def ufunc(function: Callable[..., Any]) -> Rendering:
    def render(site: Site, out: Array, *operands: Array) -> list[BoundCall]:
        steps, full = repeated(site, out, operands)
        return [*steps, partial(function, *full, out)]

    return render


def extremum(function: Callable[..., Any]) -> Rendering:
    """Return a rendering with arrays instead of scalar constants: maximum and minimum are slower with scalars."""

    def render(site: Site, out: Array, *operands: Array) -> list[BoundCall]:
        pairs = zip(site.constant, operands, strict=True)
        operands = tuple(site.filled(out.shape, operand) if fixed else operand for fixed, operand in pairs)
        steps, full = repeated(site, out, operands)
        return [*steps, partial(function, *full, out=out)]

    return render


def _erf(site: Site, out: Array, x: Array) -> list[BoundCall]:
    if out.dtype == np.float32:
        one, two, three = (site.temporary(out.shape, out.dtype, k) for k in range(3))
        return erf_float32(out, x, (one, two, three))
    from scipy.special import erf

    return [partial(erf, x, out)]


def _copy(site: Site, out: Array, x: Array) -> list[BoundCall]:
    return [copy(out, x)]


def _affine(site: Site, out: Array, block: Array, x: Array) -> list[BoundCall]:
    if len(x) == len(block):  # x includes its row of ones
        return [dot(block.T, x, out)]
    return [dot(block[:-1].T, x, out), *ufunc(np.add)(site, out, out, block[-1:].T)]


def _affine_gradient(site: Site, out: Array, x: Array, d: Array) -> list[BoundCall]:
    if len(x) == len(out):
        return [dot(x, d.T, out)]
    return [dot(x, d.T, out[:-1]), dot(ones(d, 1, d.shape[1]), d.T, out[-1:])]


def _matmul(site: Site, out: Array, a: Array, b: Array) -> list[BoundCall]:
    flip_a, flip_b = site.call.attributes
    return [dot(a.T if flip_a else a, b.T if flip_b else b, out)]


def _matrices(x: Array, count: int, flip: bool) -> Array:
    """Return a view of x with a matrix for each group of interleaved rows, transposed if `flip`; groups come first."""
    of_each = x.reshape(-1, count, x.shape[1])
    return of_each.transpose(1, 2, 0) if flip else of_each.transpose(1, 0, 2)


def _grouped_matmul(site: Site, out: Array, a: Array, b: Array) -> list[BoundCall]:
    count, flip_a, flip_b = site.call.attributes
    return [partial(np.matmul, _matrices(a, count, flip_a), _matrices(b, count, flip_b), _matrices(out, count, False))]


def _copies(x: Array, count: int, each: bool) -> tuple[Array, int]:
    """Return the result of `repeat` as an array with an axis for the copies, and the index of this axis."""
    return (x.reshape(-1, count, x.shape[1]), 1) if each else (x.reshape(count, -1, x.shape[1]), 0)


def _repeat(site: Site, out: Array, x: Array) -> list[BoundCall]:
    copies, axis = _copies(out, *site.call.attributes)
    return [copy(copies, np.expand_dims(x, axis))]


def _fold(site: Site, out: Array, x: Array) -> list[BoundCall]:
    copies, axis = _copies(x, *site.call.attributes)
    return [partial(np.add.reduce, copies, axis=axis, out=out)]


def _to_index(site: Site, out: Array, x: Array) -> list[BoundCall]:
    return [partial(np.copyto, out, x.real, casting="unsafe")]


def _sum(site: Site, out: Array, x: Array) -> list[BoundCall]:
    if not x.flags.c_contiguous:
        return _reduced(np.add, site, out, x)
    if site.call.attributes == "features":
        return [dot(ones(x, 1, len(x)), x, out)]
    x = x.reshape(out.size, -1)
    return [dot(x, ones(x, x.shape[1], 1), out.reshape(-1, 1))]


def _reduced(function: np.ufunc, site: Site, out: Array, x: Array) -> list[BoundCall]:
    return [partial(function.reduce, x, axis=AXES[site.call.attributes], keepdims=out.ndim > 0, out=out)]


def _where(site: Site, out: Array, mask: Array, a: Array, b: Array) -> list[BoundCall]:
    first = [] if np.may_share_memory(out, b) else [copy(out, b)]
    if out.shape == a.shape == mask.shape and out.flags.c_contiguous:
        return [*first, partial(np.putmask, out, mask, a)]
    return [*first, partial(np.copyto, out, a, where=mask)]


def concatenation_slots(out: Array, pieces: Sequence[Array]) -> list[Array]:
    """Return a view of the result's rows for each piece."""
    return [out[low:high] for low, high in row_bounds([piece.shape for piece in pieces])]


def _concatenate(site: Site, out: Array, *pieces: Array) -> list[BoundCall]:
    # If slot and piece share memory, the piece was computed in its slot.
    pairs = zip(concatenation_slots(out, pieces), pieces, strict=True)
    return [copy(slot, piece) for slot, piece in pairs if not np.may_share_memory(slot, piece)]


def _pad(site: Site, out: Array, d: Array) -> list[BoundCall]:
    low, high, _ = site.call.attributes
    others = [part for part in (out[:low], out[high:]) if len(part)]
    return [*(partial(part.fill, 0) for part in others), copy(out[low:high], d)]


def _gather(site: Site, out: Array, table: Array, index: Array) -> list[BoundCall]:
    return [partial(table.take, index[0], 1, out, "clip")]


def _scatter_add(site: Site, out: Array, x: Array, index: Array) -> list[BoundCall]:
    first = np.repeat(np.arange(len(out), dtype=np.intp) * out.shape[1], x.shape[1])  # each row of the flat out
    flat = np.empty(x.shape, np.intp)
    added = partial(np.add.at, out.reshape(-1), flat.reshape(-1), x.reshape(-1))
    positions = partial(np.add, flat.reshape(-1), first, flat.reshape(-1))
    return [copy(flat, index), positions, partial(out.fill, 0), added]


def _one_hot(site: Site, out: Array, index: Array) -> list[BoundCall]:
    numbers = np.repeat(np.arange(len(out), dtype=np.intp)[:, None], out.shape[1], axis=1)
    return ufunc(np.equal)(site, out, numbers, index)


AXES: dict[Any, int | None] = {"features": 0, "batch": 1, "all": None}

UFUNCS = (
    *(operation for operation in operations.SMOOTH if operation not in (operations.ERF, *EXPANSIONS)),
    *(value.NEGATIVE, value.ADD, value.SUBTRACT, value.MULTIPLY, value.DIVIDE),
    *(operations.ABSOLUTE, operations.SIGN, operations.FLOOR, operations.GREATER, operations.EQUAL),
)
"""Operations with a NumPy function of the same name."""
RENDERINGS: dict[Operation, Rendering] = {operation: ufunc(getattr(np, operation.name)) for operation in UFUNCS} | {
    value.CAST: _copy,
    value.EXPAND: _copy,
    value.SUM: _sum,
    operations.ERF: _erf,
    operations.MAXIMUM: extremum(np.maximum),
    operations.MINIMUM: extremum(np.minimum),
    operations.WHERE: _where,
    operations.MAX: partial(_reduced, np.maximum),
    operations.MATMUL: _matmul,
    operations.AFFINE: _affine,
    operations.AFFINE_GRADIENT: _affine_gradient,
    operations.GROUPED_MATMUL: _grouped_matmul,
    operations.REPEAT: _repeat,
    operations.FOLD: _fold,
    operations.PAD: _pad,
    operations.CONCATENATE: _concatenate,
    operations.TO_INDEX: _to_index,
    operations.GATHER: _gather,
    operations.SCATTER_ADD: _scatter_add,
    operations.ONE_HOT: _one_hot,
}
"""The renderings of all operations except leaves, views, names and those in `EXPANSIONS`."""


# ------------------------------------------------------------------------------------------------------ complex forms
# The complex step reads a derivative from the imaginary part, so a switch compares only real parts. If these are equal,
# the second argument is taken, as in the derivative.


def _complex_choice(compare: Callable[..., Any]) -> Rendering:
    def render(site: Site, out: Array, a: Array, b: Array) -> list[BoundCall]:
        return [lambda: np.copyto(out, np.where(compare(a.real, b.real), a, b))]

    return render


def _complex_comparison(compare: Callable[..., Any]) -> Rendering:
    return lambda site, out, a, b: [partial(compare, a.real, b.real, out)]


def _complex_absolute(site: Site, out: Array, x: Array) -> list[BoundCall]:
    return [lambda: np.multiply(x, np.sign(x.real), out)]


def _complex_step(function: Callable[..., Any]) -> Rendering:
    return lambda site, out, x: [lambda: np.copyto(out, function(x.real))]


def _complex_max(site: Site, out: Array, x: Array) -> list[BoundCall]:
    axis = AXES[site.call.attributes]

    def run() -> None:
        hit, keepdims = x.real == x.real.max(axis, keepdims=True), out.ndim > 0
        np.copyto(out, (x * hit).sum(axis, keepdims=keepdims) / hit.sum(axis, keepdims=keepdims))

    return [run]


COMPLEX_RENDERINGS: dict[Operation, Rendering] = RENDERINGS | {
    operations.MAXIMUM: _complex_choice(np.greater),
    operations.MINIMUM: _complex_choice(np.less),
    operations.GREATER: _complex_comparison(np.greater),
    operations.EQUAL: _complex_comparison(np.equal),
    operations.ABSOLUTE: _complex_absolute,
    operations.SIGN: _complex_step(np.sign),
    operations.FLOOR: _complex_step(np.floor),
    operations.MAX: _complex_max,
}
