"""Formulas of one array x in a normal form, so that the many ways to write one activation become the same.

A formula is a polynomial in atoms: x itself, and functions of formulas. Coefficients are numbers, or one number for
each feature. Sums and products are multiplied out, and functions are rewritten by identities of real numbers:
``max(p, q)`` is ``q + relu(p − q)``, ``tanh(p)`` is ``2·sigmoid(2p) − 1``, ``1/(1 + exp(−p))`` is ``sigmoid(p)``.
Two formulas that are equal in this form are the same function; the reverse need not hold, and then a file is not
understood, never misread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Monomial = tuple[tuple[int, int], ...]
"""Atoms by number with their powers, in ascending order; the empty one belongs to a constant."""

CONSTANT: Monomial = ()
VARIABLE: Monomial = ((0, 1),)

_MOST_TERMS = 64
_HIGHEST_POWER = 16
STEPS = ("positive", "not_negative")
_NEVER_ZERO = ("exp", "sigmoid", "softplus")


class TooInvolvedError(Exception):
    """A formula with more terms than any activation has."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A function of a formula."""

    function: str
    argument: Formula


class Algebra:
    """Where formulas that are to be compared come from.

    Parameters
    ----------
    tolerance : float
        The relative difference up to which two numbers count as the same.
    functions : mapping
        Those that formulas can have, by name.
    """

    def __init__(self, tolerance: float, functions: Mapping[str, Callable[[Formula], Formula]]) -> None:
        self.tolerance, self.functions = tolerance, functions
        self.atoms: list[Atom | None] = [None]
        self._known: dict[tuple[str, frozenset[Monomial]], list[int]] = {}

    @property
    def x(self) -> Formula:
        """The array itself."""
        return Formula(self, {VARIABLE: np.float64(1)})

    def constant(self, value: Any) -> Formula:
        """Return numbers as a formula: one, or one for each feature."""
        return self.formula({CONSTANT: np.asarray(value, np.float64)})

    def formula(self, terms: dict[Monomial, Any]) -> Formula:
        """Return the sum of terms, without those that are 0."""
        kept = {monomial: _simple(number) for monomial, number in terms.items()}
        kept = {monomial: number for monomial, number in kept.items() if isinstance(number, np.ndarray) or number != 0}
        if len(kept) > _MOST_TERMS:
            raise TooInvolvedError
        return Formula(self, kept)

    def atom(self, function: str, argument: Formula) -> Formula:
        """Return a function of a formula, with the number that an equal one has already."""
        if argument.value is not None:
            raise TooInvolvedError
        same = self._known.setdefault((function, frozenset(argument.terms)), [])
        for number in same:
            if self.atoms[number].argument.equals(argument):  # type: ignore[union-attr]  # only number 0, x itself, is None
                break
        else:
            number = len(self.atoms)
            self.atoms.append(Atom(function, argument))
            same.append(number)
        return Formula(self, {((number, 1),): np.float64(1)})

    def close(self, a: Any, b: Any) -> bool:
        """Whether numbers count as the same."""
        if isinstance(a, float) and isinstance(b, float):  # arrays of one number cost twenty times as much
            return bool(abs(a - b) <= self.tolerance * max(abs(a), abs(b)))
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape and a.size > 1 and b.size > 1:
            return False
        return bool((abs(a - b) <= self.tolerance * np.maximum(abs(a), abs(b))).all())


class Formula:
    """A polynomial in atoms, in normal form; made by an `Algebra` and by operators.

    Attributes
    ----------
    terms : dict of monomials to numbers
        () or (features,), float64.
    """

    __slots__ = ("algebra", "terms")

    def __init__(self, algebra: Algebra, terms: dict[Monomial, Any]) -> None:
        self.algebra, self.terms = algebra, terms

    def __add__(self, other: Formula | float) -> Formula:
        terms = dict(self.terms)
        for monomial, number in self._lifted(other).terms.items():
            terms[monomial] = terms[monomial] + number if monomial in terms else number
        return _without_steps(self.algebra.formula(terms))

    def __mul__(self, other: Formula | float) -> Formula:
        terms: dict[Monomial, Any] = {}
        right = self._lifted(other).terms
        if len(self.terms) * len(right) > _MOST_TERMS**2:
            raise TooInvolvedError
        for a, x in self.terms.items():
            for b, y in right.items():
                monomial = self._product(a, b)
                terms[monomial] = terms[monomial] + x * y if monomial in terms else x * y
        return _without_steps(self.algebra.formula(terms))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Formula:
        return self * -1.0

    def __sub__(self, other: Formula | float) -> Formula:
        return self + -self._lifted(other)

    def __rsub__(self, other: float) -> Formula:
        return -self + other

    def __truediv__(self, other: Formula | float) -> Formula:
        return self * reciprocal(self._lifted(other))

    def __rtruediv__(self, other: float) -> Formula:
        return reciprocal(self) * other

    def __pow__(self, exponent: int) -> Formula:
        if exponent > _HIGHEST_POWER:
            raise TooInvolvedError
        result = self.algebra.constant(1.0)
        for _ in range(exponent):
            result = result * self
        return result

    def equals(self, other: Formula) -> bool:
        """Whether two formulas of one algebra are the same in their normal form."""
        return self.terms.keys() == other.terms.keys() and all(
            self.algebra.close(number, other.terms[monomial]) for monomial, number in self.terms.items()
        )

    @property
    def value(self) -> Any:
        """The number that a formula stands for which does not depend on x; None for any other."""
        if not self.terms:
            return np.float64(0)
        return self.terms.get(CONSTANT) if len(self.terms) == 1 else None

    @property
    def is_variable(self) -> bool:
        """Whether this is x itself."""
        return self.terms.keys() == {VARIABLE} and np.ndim(self.terms[VARIABLE]) == 0 and self.terms[VARIABLE] == 1

    @property
    def affine(self) -> tuple[Any, Any] | None:
        """The factor and the shift, if the formula is x times the one plus the other."""
        if VARIABLE not in self.terms or not self.terms.keys() <= {VARIABLE, CONSTANT}:
            return None
        return self.terms[VARIABLE], self.terms.get(CONSTANT, np.float64(0))

    def in_terms_of(self, other: Formula) -> tuple[Any, Any] | None:
        """Return the factor and the shift with which this is `other` times the one plus the other, if it is."""
        wanted = other.terms.keys() - {CONSTANT}
        if not wanted or self.terms.keys() - {CONSTANT} != wanted:
            return None
        ratios = [self.terms[monomial] / other.terms[monomial] for monomial in wanted]
        if not all(self.algebra.close(ratios[0], ratio) for ratio in ratios[1:]):
            return None
        factor = np.float64(1) if self.algebra.close(ratios[0], 1.0) else ratios[0]
        shift = self.terms.get(CONSTANT, 0.0) - factor * other.terms.get(CONSTANT, 0.0)
        small = self.algebra.tolerance * np.maximum(1.0, abs(np.asarray(other.terms.get(CONSTANT, 0.0) * factor)))
        return factor, _simple(np.where(abs(shift) <= small, 0.0, shift))

    def functions(self) -> Iterator[Atom]:
        """Yield all functions in the formula, the inner ones too."""
        waiting, seen = [self], set[int]()
        while waiting:
            for monomial in waiting.pop().terms:
                for number, _ in monomial:
                    atom = self.algebra.atoms[number]
                    if atom is not None and number not in seen:
                        seen.add(number)
                        yield atom
                        waiting.append(atom.argument)

    def numbers(self) -> set[float]:
        """Return the numbers in the formula, and what its parameters may be by them: reciprocals, doubles, opposites.

        Doubles, because |x| is 2·relu(x) − x, of which a function has the half.
        """
        found = set[float]()
        for formula in [self, *(atom.argument for atom in self.functions())]:
            found |= {float(number) for number in formula.terms.values() if np.ndim(number) == 0}
        found |= {1 / number for number in found if number} | {2 * number for number in found}
        return found | {-number for number in found}

    def substituted(self, value: Formula) -> Formula:
        """Return the formula with another in place of x."""
        result = self.algebra.constant(0.0)
        for monomial, number in self.terms.items():
            product = self.algebra.constant(number)
            for index, power in monomial:
                atom = self.algebra.atoms[index]
                factor = (
                    value if atom is None else self.algebra.functions[atom.function](atom.argument.substituted(value))
                )
                product = product * (factor**power if power > 0 else reciprocal(factor) ** -power)
            result = result + product
        return result

    def _lifted(self, other: Formula | float) -> Formula:
        return other if isinstance(other, Formula) else self.algebra.constant(other)

    def _product(self, a: Monomial, b: Monomial) -> Monomial:
        powers = dict(a)
        for number, power in b:
            atom = self.algebra.atoms[number]
            before = powers.get(number, 0)
            if before * power < 0 and (atom is None or atom.function not in _NEVER_ZERO):
                raise TooInvolvedError  # 0/0 is no number
            powers[number] = before + power
            if atom is not None and atom.function in STEPS:
                powers[number] = min(powers[number], 1)  # 0² = 0 and 1² = 1
        if any(abs(power) > _HIGHEST_POWER for power in powers.values()):
            raise TooInvolvedError
        return tuple(sorted((number, power) for number, power in powers.items() if power))


def _simple(number: Any) -> Any:
    """Return one number in place of an array of equal ones."""
    if isinstance(number, float):
        return number
    array = np.asarray(number, np.float64)
    return np.float64(array.flat[0]) if array.size and (array == array.flat[0]).all() else array


def _without_steps(formula: Formula) -> Formula:
    """Return the formula with relu(p) in place of each p·[p > 0]."""
    algebra = formula.algebra
    present = {number for monomial in formula.terms for number, _ in monomial}
    for number in sorted(present):
        atom = algebra.atoms[number]
        if atom is None or atom.function not in STEPS:
            continue
        quotient: dict[Monomial, Any] = {}
        for monomial, factor in formula.terms.items():
            if (number, 1) in monomial:
                quotient[tuple(pair for pair in monomial if pair[0] != number)] = factor
        found = algebra.formula(quotient).in_terms_of(atom.argument)
        if found is not None and not np.any(found[1]):
            rest = {m: factor for m, factor in formula.terms.items() if (number, 1) not in m}
            formula = algebra.formula(rest) + relu(atom.argument) * algebra.constant(found[0])
    return formula


def sign_of(formula: Formula) -> int:
    """Return the sign of the coefficients of the leading term, 0 where they differ."""
    leading = max(formula.terms, key=lambda monomial: (monomial != CONSTANT, monomial))
    signs = np.unique(np.sign(formula.terms[leading]))
    return int(signs[0]) if signs.size == 1 else 0


def leading_one(formula: Formula) -> tuple[float, Formula]:
    """Return a positive number and the formula divided by it, so that its leading coefficient has the size 1."""
    number = formula.terms[max(formula.terms, key=lambda monomial: (monomial != CONSTANT, monomial))]
    size = float(abs(number)) if np.ndim(number) == 0 else 1.0
    return size, formula * (1 / size)


def reciprocal(p: Formula) -> Formula:
    """Return 1/p."""
    algebra = p.algebra
    if p.value is not None:
        if not np.all(p.value):
            raise TooInvolvedError
        return algebra.constant(1 / p.value)
    if len(p.terms) == 1:
        ((monomial, number),) = p.terms.items()
        return algebra.formula({tuple((atom, -power) for atom, power in monomial): 1 / number})
    exponent = exponent_beside_one(p)
    if exponent is not None:
        return sigmoid(-exponent)
    size, p = leading_one(p)
    ((whole,),) = algebra.atom("sum", p).terms
    return algebra.formula({((whole[0], -1),): 1 / size})


def single(p: Formula) -> tuple[Atom, Any, int] | None:
    """Return function, coefficient and power where p is nothing else."""
    if len(p.terms) != 1:
        return None
    ((monomial, number),) = p.terms.items()
    atom = p.algebra.atoms[monomial[0][0]] if len(monomial) == 1 else None
    return None if atom is None else (atom, number, monomial[0][1])


def exponent_beside_one(p: Formula) -> Formula | None:
    """Return q where p is 1 + exp(q)."""
    found = single(p - 1.0)
    if found is None or not p.algebra.close(p.terms.get(CONSTANT, 0.0), 1.0):
        return None
    atom, number, power = found
    if atom.function != "exp" or power != 1 or not p.algebra.close(number, 1.0):
        return None
    return atom.argument


def sigmoid(p: Formula) -> Formula:
    """Return 1/(1 + exp(−p))."""
    return p.algebra.atom("sigmoid", p)


def relu(p: Formula) -> Formula:
    """Return max(p, 0), with p's leading coefficient 1."""
    if p.value is not None:
        return p.algebra.constant(np.maximum(p.value, 0.0))
    if sign_of(p) < 0:
        return relu(-p) + p
    size, p = leading_one(p)
    clipped = _clipped(p)
    return (p.algebra.atom("relu", p) if clipped is None else clipped) * size


def _clipped(p: Formula) -> Formula | None:
    """Return relu(p) where p has a relu inside that can be seen through, None for any other p.

    For c ≥ 0: relu(relu(q) + c) is relu(q) + c, relu(relu(q) − c) is relu(q − c), and relu(relu(r − c) − r), which is
    c − min(r, c) above c, is relu(−r). So every order of the two sides of a clip becomes one sum.
    """
    algebra = p.algebra
    for monomial, factor in p.terms.items():
        atom = algebra.atoms[monomial[0][0]] if len(monomial) == 1 and monomial[0][1] == 1 else None
        if atom is None or atom.function != "relu" or not algebra.close(factor, 1.0):
            continue
        rest = p - algebra.formula({monomial: factor})
        if rest.value is not None:
            return p if np.all(rest.value >= 0) else relu(atom.argument + rest) if np.all(rest.value <= 0) else None
        distance = (-rest - atom.argument).value
        if distance is not None:
            return relu(rest) if np.all(distance >= 0) else p if np.all(distance <= 0) else None
    return None
