"""The functions that formulas have: each rewrites what it is given by identities of real numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from specnet.importing.algebra import (
    CONSTANT,
    STEPS,
    Algebra,
    Atom,
    Formula,
    exponent_beside_one,
    leading_one,
    reciprocal,
    relu,
    sigmoid,
    sign_of,
    single,
)

_SOFTPLUS_IS_LINEAR_FROM = 17.0
"""From here on softplus(x) − x is below half a unit in the last place of x, in single precision."""

_REDUCTIONS = ("mean", "largest")


def algebra_of(tolerance: float) -> Algebra:
    """Return a new algebra with all these functions."""
    return Algebra(tolerance, FUNCTIONS)


def exp(p: Formula) -> Formula:
    """Return the exponential."""
    return p.algebra.atom("exp", p)


def log(p: Formula) -> Formula:
    """Return the natural logarithm."""
    exponent = exponent_beside_one(p)
    if exponent is not None:
        return softplus(exponent)
    found = single(p)
    if found is not None and found[0].function == "sigmoid" and found[2] == 1 and p.algebra.close(found[1], 1.0):
        return -softplus(-found[0].argument)
    size, p = leading_one(p)
    return p.algebra.atom("log", p) + math.log(size)


def softplus(p: Formula) -> Formula:
    """Return ln(1 + exp(p)), with a positive leading coefficient in p; of |q| that is softplus(q) − max(q, 0) + |q|."""
    algebra = p.algebra
    if p.value is None and sign_of(p) < 0:
        return softplus(-p) + p
    for monomial, factor in p.terms.items():
        atom = algebra.atoms[monomial[0][0]] if len(monomial) == 1 and monomial[0][1] == 1 else None
        if atom is not None and atom.function == "relu" and np.all(factor > 0):
            q = algebra.formula({monomial: factor}) - p  # p = 2·relu(q) − q
            if q.equals(atom.argument * algebra.constant(factor / 2)):
                return softplus(q) - relu(q) + p
    return algebra.atom("softplus", p)


def tanh(p: Formula) -> Formula:
    """Return the hyperbolic tangent."""
    return sigmoid(p * 2.0) * 2.0 - 1.0


def erf(p: Formula) -> Formula:
    """Return the error function, which is odd."""
    if p.value is None and sign_of(p) < 0:
        return -erf(-p)
    return p.algebra.atom("erf", p)


def sqrt(p: Formula) -> Formula:
    """Return the square root."""
    if p.value is not None and np.all(p.value >= 0):
        return p.algebra.constant(np.sqrt(p.value))
    found = single(p)
    if found is not None and found[0].function == "sum" and found[2] == -1:
        return reciprocal(sqrt(found[0].argument * p.algebra.constant(1 / found[1])))
    size, p = leading_one(p)
    return p.algebra.atom("sqrt", p) * math.sqrt(size)


def maximum(p: Formula, q: Formula) -> Formula:
    """Return the larger one."""
    return q + relu(p - q)


def minimum(p: Formula, q: Formula) -> Formula:
    """Return the smaller one."""
    return q - relu(q - p)


def absolute(p: Formula) -> Formula:
    """Return the absolute value."""
    return relu(p) + relu(-p)


def positive(p: Formula) -> Formula:
    """Return 1 where p > 0 and 0 elsewhere."""
    return _step("positive", p)


def not_negative(p: Formula) -> Formula:
    """Return 1 where p ≥ 0 and 0 elsewhere."""
    return _step("not_negative", p)


def _step(function: str, p: Formula) -> Formula:
    algebra = p.algebra
    if p.value is not None:
        return algebra.constant(np.where(p.value > 0 if function == "positive" else p.value >= 0, 1.0, 0.0))
    if sign_of(p) < 0:
        (other,) = (name for name in STEPS if name != function)
        return 1.0 - _step(other, -p)
    return algebra.atom(function, leading_one(p)[1])


def sign(p: Formula) -> Formula:
    """Return −1, 0 or 1."""
    return positive(p) - positive(-p)


def where(condition: Formula, yes: Formula, no: Formula) -> Formula:
    """Return `yes` where the condition is 1 and `no` where it is 0."""
    if yes.is_variable and no.equals(softplus(no.algebra.x)) and _only_above(condition, _SOFTPLUS_IS_LINEAR_FROM):
        return no
    return condition * yes + (1.0 - condition) * no


def _only_above(condition: Formula, limit: float) -> bool:
    """Whether the condition is that x is above a number that is at least `limit`, in single precision."""
    found = single(condition)
    if found is None or found[0].function not in STEPS or not condition.algebra.close(found[1], 1.0):
        return False
    distance = (condition.algebra.x - limit - found[0].argument).value
    single_precision = condition.algebra.tolerance > np.finfo(np.float32).eps
    return bool(single_precision and distance is not None and np.all(distance >= 0))


def mean(p: Formula) -> Formula:
    """Return the mean over the features, (rows, 1), with all that is the same for the features in front of it."""
    algebra = p.algebra
    total = algebra.constant(0.0)
    for monomial, number in p.terms.items():
        common = tuple(pair for pair in monomial if _is_of_rows(algebra.atoms[pair[0]]))
        own = tuple(pair for pair in monomial if pair not in common)
        inner = algebra.formula({own: number if np.ndim(number) else np.float64(1)})
        average = algebra.constant(np.mean(number)) if own == CONSTANT else algebra.atom("mean", inner)
        outer = np.float64(1) if np.ndim(number) else number
        total = total + average * algebra.formula({common: np.float64(1) if own == CONSTANT else outer})
    return total


def largest(p: Formula) -> Formula:
    """Return the largest feature, (rows, 1)."""
    return p.algebra.atom("largest", p)


def reduces(p: Formula) -> bool:
    """Whether a formula has one number of all features in it, as a normalization has."""
    return any(atom.function in _REDUCTIONS for atom in p.functions())


def _is_of_rows(atom: Atom | None) -> bool:
    """Whether an atom has one value for each row."""
    if atom is None:
        return False
    return atom.function in _REDUCTIONS or is_of_rows(atom.argument)


def is_of_rows(p: Formula) -> bool:
    """Whether a formula has one value for each row, (rows, 1)."""
    return all(
        np.ndim(number) == 0 and all(_is_of_rows(p.algebra.atoms[atom]) for atom, _ in monomial)
        for monomial, number in p.terms.items()
    )


FUNCTIONS: dict[str, Callable[[Formula], Formula]] = {
    "exp": exp,
    "log": log,
    "softplus": softplus,
    "sigmoid": sigmoid,
    "erf": erf,
    "sqrt": sqrt,
    "relu": relu,
    "positive": positive,
    "not_negative": not_negative,
    "mean": mean,
    "largest": largest,
    "sum": lambda p: p,
}
