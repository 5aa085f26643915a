"""Derivatives: the backward program of a forward program.

In a chain of elementwise operations, a derivative has two factors: a seed, which is the derivative with respect to the
end of the chain, and a local factor. Local factors with the same seed are added before the product, so that
`softplus(z) - t * z` gives `(sigmoid(z) - t) * seed`. Inside a branch of `where` the seed is an open branch. When it is
closed, factors are selected, not multiplied by 0, since 0 · ∞ is NaN.
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
    """A `where` that the backward pass has entered, and whose two branches are not combined yet."""

    __slots__ = ("depth", "factor", "mask", "outer")

    def __init__(self, mask: Value, outer: Seed, factor: Value) -> None:
        self.mask, self.outer, self.factor = mask, outer, factor
        self.depth: int = 1 + (outer.branch.depth if outer.branch else 0)


class Seed(NamedTuple):
    """The first factor of a derivative: an array, or one branch of an open `where`."""

    array: Value | None
    branch: OpenWhere | None = None
    taken: bool = True


ONE = constant(1)


def seed_of(array: Value) -> Seed:
    """Return the seed of an array before repetition, so that an array repeated to several shapes is one seed."""
    return Seed(array.arguments[0] if array.operation is EXPAND else array)


Factors = dict[Seed, Value]


def add_factor(factors: Factors, seed: Seed, factor: Value) -> None:
    """Add a local factor to the factor of its seed."""
    factors[seed] = factors[seed] + factor if seed in factors else factor


def innermost(factors: Factors) -> OpenWhere | None:
    """Return the most deeply nested open `where`, or None."""
    branches = [seed.branch for seed in factors if seed.branch]
    return max(branches, key=lambda branch: branch.depth, default=None)


def selected(branch: OpenWhere, factors: Factors) -> Value:
    """Return the factor of a whole `where`: for each element, the factor of the branch that was taken."""
    taken, other = (factors.pop(Seed(None, branch, is_taken), constant(0)) for is_taken in (True, False))
    return branch.factor * where(branch.mask, taken, other)


def close_branches(factors: Factors, keep: int) -> Factors:
    """Return the factors after closing each `where`, the innermost first, while more than `keep` seeds are left."""
    factors = dict(factors)
    while len(factors) > keep and (branch := innermost(factors)):
        add_factor(factors, branch.outer, selected(branch, factors))
    return factors


def product(factors: Factors, shape: Shape) -> Value:
    """Return the sum of seeds times their factors: the derivative with respect to a value of this shape."""
    closed = close_branches(factors, keep=0).items()
    terms = [factor * seed.array for seed, factor in closed if seed.array is not None]  # factors first: less memory
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return expand(total, shape)


def postorder(outputs: Iterable[Value], operands: Callable[[Value], Sequence[Value]]) -> list[Value]:
    """Return all values that the outputs need, each after its operands; not recursive, since programs may be deep."""
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
    """Return the operands that may have derivatives; leaves are last, so that the backward pass completes them early.

    For a custom value these are its declared inputs.
    """
    operation = value.operation
    if operation.constant_because:
        return ()
    hidden = operation.selects or operation.role == "name"
    return sorted(value.arguments[hidden:], key=lambda argument: argument.operation.role == "leaf")


def flows(y: Value, factors: Factors) -> list[tuple[Value, Seed, Value]]:
    """Return each operand of y with the seed and the local factor that y passes on to it."""
    operation = y.operation
    ((seed, factor),) = factors.items()
    if operation.selects:
        mask, *branches = y.arguments
        opened = OpenWhere(mask, seed, factor)
        return [(x, Seed(None, opened, is_taken), ONE) for x, is_taken in zip(branches, (True, False), strict=True)]
    if operation.slopes is not None:
        slopes = [as_value(slope) for slope in operation.slopes(y, *y.arguments)]
        return [(argument, seed, factor * slope) for argument, slope in zip(y.arguments, slopes, strict=True)]
    if operation.adjoint is not None:
        derivatives = operation.adjoint(product(factors, y.shape), y, *y.arguments)
        pairs = zip(y.arguments, derivatives, strict=True)
        return [(a, seed_of(expand(da, a.shape)), ONE) for a, da in pairs if da is not None]
    raise MissingRuleError(f"{operation.name} has no rule for its derivative")


def gradients(loss: Value, variables: Iterable[Value]) -> dict[Value, Value]:
    """Return the derivatives of a single number with respect to each of `variables`.

    Parameters
    ----------
    loss
        A value of shape ().
    variables
        Any values, mostly states.

    Returns
    -------
    dict
        The derivative of each variable, of the same shape, in the order in which derivatives are complete: commits in
        this order halve the memory. Variables on which the loss does not depend come last, with zeros.

    Raises
    ------
    ShapeError
        If the loss is not a single number.
    MissingRuleError
        If an operation between a variable and the loss has no derivative; the message names the operation.
    """
    if loss.shape != ():
        raise ShapeError(f"only a single number, of shape (), can be differentiated, not {loss!r}")
    targets = dict.fromkeys(variables)
    found = _backward(loss, targets)
    return found | {value: expand(constant(0), value.shape) for value in targets if value not in found}


def _backward(
    loss: Value, targets: Collection[Value], operands: Callable[[Value], Sequence[Value]] = differentiable_operands
) -> dict[Value, Value]:
    """Return the derivatives with respect to the targets on which the loss depends, through the given operands."""
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
    """The backward rule of an elementwise value whose slope is computed right after it."""

    slope: Value

    def __call__(self, d: Value) -> tuple[Value]:
        return (self.slope * d,)


def with_local_derivative(y: Value, x: Value) -> Value:
    """Return y, an elementwise function of x, with the derivative dy/dx computed right after y.

    A training program then stores one array for the backward pass instead of x and every intermediate result: a third
    less memory for gelu. y is returned unchanged if this saves no memory, since the derivative depends on y alone, such
    as that of tanh, or if y depends on more than x and constants.
    """
    # The searches stop at x: the program before x is long, and must not be searched for each layer.
    chain = postorder([y], lambda value: () if value is x else value.arguments)
    if not all(_is_local(value) for value in chain if value is not x) or x not in chain or y.shape != x.shape:
        return y
    slope = _backward(y, [x], lambda value: () if value is x else differentiable_operands(value))[x]
    behind = postorder([slope], lambda value: () if value is x or value is y else value.arguments)
    return custom(y, [x], LocalDerivative(slope)) if x in behind else y


def _is_local(value: Value) -> bool:
    operation = value.operation
    return operation.elementwise or operation.role == "name" or operation in (CONSTANT, EXPAND)
