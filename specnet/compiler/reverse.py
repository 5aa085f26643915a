"""The backward program from the forward one.

Along elementwise chains two things travel apart: a seed, the derivative by the chain's end, and the local factor by
which it is still to be multiplied. The factors of one seed are added before they meet it, so that `softplus(z) - t * z`
gives `(sigmoid(z) - t) * seed`. Inside a branch of `where` the seed is an open branch: factors are selected when it is
closed, never multiplied by 0, for 0 · ∞ is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from specnet.compiler.operations import custom, where
from specnet.compiler.value import (
    CONSTANT,
    EXPAND,
    MissingRuleError,
    Shape,
    ShapeError,
    Value,
    as_value,
    constant,
    expand,
    number_of,
    sum_to,
)

__all__ = ["gradients", "with_local_derivative"]


class OpenWhere:
    """A `where` that has been passed on the way back and whose branches have not met yet."""

    __slots__ = ("depth", "factor", "mask", "outer")

    def __init__(self, mask: Value, outer: Seed, factor: Value) -> None:
        self.mask, self.outer, self.factor = mask, outer, factor
        self.depth: int = 1 + (outer.branch.depth if outer.branch else 0)


class Seed(NamedTuple):
    """What local factors still have to be multiplied by: an array, or one side of an open `where`."""

    array: Value | None
    branch: OpenWhere | None = None
    taken: bool = True


ONE = constant(1)


def seed_of(array: Value) -> Seed:
    """The seed of an array. Repetition is left to the end, so that equal numbers are one seed in every shape."""
    return Seed(array.arguments[0] if array.operation is EXPAND else array)


Factors = dict[Seed, Value]


def add_factor(factors: Factors, seed: Seed, factor: Value) -> None:
    """Add a local factor to those of the same seed."""
    factors[seed] = factors[seed] + factor if seed in factors else factor


def innermost(factors: Factors) -> OpenWhere | None:
    """The `where` nearest to the leaves that is still open."""
    branches = [seed.branch for seed in factors if seed.branch]
    return max(branches, key=lambda branch: branch.depth, default=None)


def selected(branch: OpenWhere, factors: Factors) -> Value:
    """The factor of a `where` as a whole: each branch's own where it was taken."""
    taken, other = (factors.pop(Seed(None, branch, side), constant(0)) for side in (True, False))
    return branch.factor * where(branch.mask, taken, other)


def close_branches(factors: Factors, keep: int) -> Factors:
    """Close `where`s, the innermost first, while more than `keep` seeds are left."""
    factors = dict(factors)
    while len(factors) > keep and (branch := innermost(factors)):
        add_factor(factors, branch.outer, selected(branch, factors))
    return factors


def product(factors: Factors, shape: Shape) -> Value:
    """Seeds times their factors, added up: the derivative by a value of this shape."""
    closed = close_branches(factors, keep=0).items()
    terms = [factor * seed.array for seed, factor in closed if seed.array is not None]  # factors first: they free more
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return expand(total, shape)


def postorder(outputs: Iterable[Value], operands: Callable[[Value], Sequence[Value]]) -> list[Value]:
    """Every value that the outputs need, each after its operands. Without recursion, so programs may be deep."""
    order: list[Value] = []
    done: set[Value] = set()
    stack = list(outputs)[::-1]
    while stack:
        missing = [argument for argument in operands(stack[-1]) if argument not in done]
        if missing:
            stack.extend(reversed(missing))
        elif (value := stack.pop()) not in done:
            done.add(value)
            order.append(value)
    return order


def differentiable_operands(value: Value) -> Sequence[Value]:
    """The operands to which derivatives may flow, leaves last: on the way back they are complete at once.

    A custom value's operands are its declared inputs.
    """
    operation = value.operation
    if operation.constant_because:
        return ()
    hidden = operation.selects or operation.role == "name"
    return sorted(value.arguments[hidden:], key=lambda argument: argument.operation.role == "leaf")


def flows(y: Value, factors: Factors) -> list[tuple[Value, Seed, Value]]:
    """What y passes on: for each operand a seed and the local factor that belongs to it."""
    operation = y.operation
    ((seed, factor),) = factors.items()
    if operation.selects:
        mask, *branches = y.arguments
        opened = OpenWhere(mask, seed, factor)
        return [(branch, Seed(None, opened, side), ONE) for branch, side in zip(branches, (True, False), strict=True)]
    if operation.slopes is not None:
        slopes = [as_value(slope) for slope in operation.slopes(y, *y.arguments)]
        return [(argument, seed, factor * slope) for argument, slope in zip(y.arguments, slopes, strict=True)]
    if operation.adjoint is not None:
        derivatives = operation.adjoint(product(factors, y.shape), y, *y.arguments)
        pairs = zip(y.arguments, derivatives, strict=True)
        return [(a, seed_of(expand(da, a.shape)), ONE) for a, da in pairs if da is not None]
    raise MissingRuleError(f"{operation.name} has no rule for its derivative")


def gradients(loss: Value, variables: Iterable[Value]) -> dict[Value, Value]:
    """Derivatives of a single number by each of `variables`.

    Parameters
    ----------
    loss
        A value of shape ().
    variables
        Values of any kind of operation, mostly states.

    Returns
    -------
    dict
        From each variables value to its derivative, which has its shape, in the order in which they are complete: to
        commit them in this order halves the memory. Values on which the loss does not depend come last, with zeros.

    Raises
    ------
    ShapeError
        If the loss is no single number.
    MissingRuleError
        If an operation on the way has no rule. The message names it.
    """
    if loss.shape != ():
        raise ShapeError(f"only a single number, of shape (), can be differentiated, not {loss!r}")
    targets = dict.fromkeys(variables)
    found = _backward(loss, targets)
    return found | {value: expand(constant(0), value.shape) for value in targets if value not in found}


def _backward(
    loss: Value, targets: Collection[Value], operands: Callable[[Value], Sequence[Value]] = differentiable_operands
) -> dict[Value, Value]:
    """The pass itself, from a seed of ones, as far back as `operands` go. Finds no zeros."""
    order = postorder([loss], operands)
    needed = set(targets)
    for value in order:
        if any(argument in needed for argument in operands(value)):
            needed.add(value)
    pending: dict[Value, Factors] = {loss: {seed_of(ONE): ONE}}
    found: dict[Value, Value] = {}
    for y in reversed(order):
        factors = close_branches(pending.pop(y, {}), keep=1)
        if not factors or y not in needed:
            continue
        if len(factors) > 1:  # several consumers: their sum is a new seed
            factors = {seed_of(product(factors, y.shape)): ONE}
        if y in targets:
            found[y] = product(factors, y.shape)
        if not any(argument in needed for argument in operands(y)):
            continue
        for argument, seed, factor in flows(y, factors):
            if argument not in needed or number_of(factor) == 0:
                continue
            if argument.shape != y.shape and y.operation.elementwise:
                total = product({seed: factor}, y.shape)
                seed, factor = seed_of(sum_to(total, argument.shape)), ONE
            add_factor(pending.setdefault(argument, {}), seed, factor)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class LocalDerivative:
    """The backward rule of an elementwise value whose slope is computed beside it, before anything that follows."""

    slope: Value

    def __call__(self, d: Value) -> tuple[Value]:
        return (self.slope * d,)


def with_local_derivative(y: Value, x: Value) -> Value:
    """Y, an elementwise function of x, with the advice to compute dy/dx right beside it.

    A training program then keeps one array for the way back instead of x and every intermediate result: a third less
    memory for gelu. y comes back as it is where that would gain nothing or say too little: if its derivative can be
    told from y alone, as that of tanh, or if it depends on more than x and constants.
    """
    # All of these stop at x: behind it lies the program so far, which a deep one must not go through for each layer.
    chain = postorder([y], lambda value: () if value is x else value.arguments)
    if not all(_is_local(value) for value in chain if value is not x) or x not in chain or y.shape != x.shape:
        return y
    slope = _backward(y, [x], lambda value: () if value is x else differentiable_operands(value))[x]
    behind = postorder([slope], lambda value: () if value is x or value is y else value.arguments)
    return custom(y, [x], LocalDerivative(slope)) if x in behind else y


def _is_local(value: Value) -> bool:
    operation = value.operation
    return operation.elementwise or operation.role == "name" or operation in (CONSTANT, EXPAND)
