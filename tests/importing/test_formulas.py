"""The normal form of formulas changes no value, and finds activations however they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import erf, expit

from specnet.importing import functions as fn
from specnet.importing.algebra import Formula, TooInvolvedError, reciprocal, relu, sigmoid
from specnet.importing.functions import algebra_of
from specnet.importing.recognition import Recognizer

ROWS, FEATURES = 60, 3
VALUES: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "log": np.log,
    "softplus": lambda v: np.logaddexp(0, v),
    "sigmoid": expit,
    "erf": erf,
    "sqrt": np.sqrt,
    "relu": lambda v: np.maximum(v, 0),
    "positive": lambda v: v > 0,
    "not_negative": lambda v: v >= 0,
    "mean": lambda v: v.mean(1, keepdims=True),
    "largest": lambda v: v.max(1, keepdims=True),
    "sum": lambda v: v,
}


def value(formula: Formula, x: np.ndarray) -> np.ndarray:
    """What a formula is at x, computed from its terms alone."""
    total = np.zeros_like(x)
    for monomial, number in formula.terms.items():
        product = np.broadcast_to(number, x.shape).astype(float)
        for index, power in monomial:
            atom = formula.algebra.atoms[index]
            factor = x if atom is None else VALUES[atom.function](value(atom.argument, x)).astype(float)
            product = product * factor**power
        total = total + product
    return total


UNARY: list[tuple[Callable[[Formula], Formula], Callable[[Any], Any]]] = [
    (relu, lambda v: np.maximum(v, 0)),
    (sigmoid, expit),
    (fn.tanh, np.tanh),
    (fn.erf, erf),
    (fn.softplus, lambda v: np.logaddexp(0, v)),
    (fn.absolute, np.abs),
    (fn.sign, np.sign),
    (fn.positive, lambda v: (v > 0) * 1.0),
    (fn.not_negative, lambda v: (v >= 0) * 1.0),
    (lambda p: fn.exp(fn.tanh(p)), lambda v: np.exp(np.tanh(v))),
    (lambda p: fn.log(fn.exp(p) + 1.0), lambda v: np.log1p(np.exp(v))),
    (lambda p: fn.log(p * p + 0.5), lambda v: np.log(v * v + 0.5)),
    (lambda p: fn.sqrt(p * p + 0.3), lambda v: np.sqrt(v * v + 0.3)),
    (lambda p: reciprocal(p * p + 1.5), lambda v: 1 / (v * v + 1.5)),
    (lambda p: reciprocal(fn.exp(-p) + 1.0), expit),
    (lambda p: reciprocal(fn.sqrt(p * p + 2.0)), lambda v: 1 / np.sqrt(v * v + 2)),
    (fn.mean, lambda v: v.mean(1, keepdims=True) + 0 * v),
    (fn.largest, lambda v: v.max(1, keepdims=True) + 0 * v),
    (lambda p: -p, lambda v: -v),
    (lambda p: p**2, lambda v: v**2),
]
BINARY: list[tuple[Callable[[Formula, Formula], Formula], Callable[[Any, Any], Any]]] = [
    (lambda p, q: p + q, np.add),
    (lambda p, q: p - q, np.subtract),
    (lambda p, q: p * q, np.multiply),
    (fn.maximum, np.maximum),
    (fn.minimum, np.minimum),
    (lambda p, q: fn.where(fn.positive(p), q, p), lambda v, w: np.where(v > 0, w, v)),
    (lambda p, q: fn.where(fn.not_negative(p - 0.5), p, q), lambda v, w: np.where(v >= 0.5, v, w)),
]


def random_formula(rng: np.random.Generator, x: Formula, v: np.ndarray, depth: int) -> tuple[Formula, np.ndarray]:
    """A formula, and its value by plain NumPy."""
    if depth == 0 or rng.random() < 0.1:
        kind = rng.random()
        if kind < 0.6:
            return x, v
        number = np.round(rng.normal(size=FEATURES if kind < 0.75 else ()), 2)
        return x.algebra.constant(number) + x * 0.5, number + v * 0.5
    if rng.random() < 0.5:
        make, compute = UNARY[rng.integers(len(UNARY))]
        p, w = random_formula(rng, x, v, depth - 1)
        return make(p), compute(w)
    make_two, compute_two = BINARY[rng.integers(len(BINARY))]
    (p, w), (q, u) = (random_formula(rng, x, v, depth - 1) for _ in range(2))
    return make_two(p, q), compute_two(w, u)


def test_the_normal_form_of_random_formulas_has_their_values():
    rng = np.random.default_rng(0)
    v = np.concatenate([rng.normal(0, 1.5, (ROWS, FEATURES)), np.zeros((1, FEATURES)), np.full((1, FEATURES), 0.5)])
    compared = 0
    for _ in range(1500):
        algebra = algebra_of(1e-12)
        try:
            with np.errstate(all="ignore"):
                formula, wanted = random_formula(rng, algebra.x, v, int(rng.integers(1, 5)))
                found = value(formula, v)
        except TooInvolvedError:
            continue
        sound = np.isfinite(found) & np.isfinite(wanted)
        scale = np.maximum(1, abs(wanted[sound]).max(initial=0))
        np.testing.assert_allclose(found[sound], np.broadcast_to(wanted, v.shape)[sound], rtol=1e-9, atol=1e-9 * scale)
        compared += sound.all()
    assert compared > 1000


def test_substitution_is_composition():
    algebra = algebra_of(1e-12)
    x, v = algebra.x, np.linspace(-3, 3, 30).reshape(-1, 3)
    formula = x * sigmoid(x) + fn.sqrt(x * x + 0.5) / (fn.absolute(x) + 1.0)
    inner = fn.tanh(x) * 2.0 - 0.25
    np.testing.assert_allclose(value(formula.substituted(inner), v), value(formula, 2 * np.tanh(v) - 0.25), rtol=1e-12)


@pytest.mark.parametrize(
    ("formula", "part"),
    [
        (lambda x: x * fn.tanh(fn.log(fn.exp(x) + 1.0)), {"type": "mish"}),
        (lambda x: 0.5 * x * (1.0 - fn.erf(-x * 0.7071067811865476)), {"type": "gelu"}),
        (lambda x: x / (fn.exp(-x) + 1.0), {"type": "silu"}),
        (lambda x: fn.minimum(fn.maximum(x, x.algebra.constant(-1.0)), x.algebra.constant(1.0)), {"type": "hard_tanh"}),
        (lambda x: fn.maximum(fn.minimum(x, x.algebra.constant(1.0)), x.algebra.constant(-1.0)), {"type": "hard_tanh"}),
        (lambda x: relu(x) - relu(x - 6.0), {"type": "relu6"}),
        (lambda x: relu(x) + fn.softplus(-fn.absolute(x)), {"type": "softplus"}),
        (lambda x: x - fn.softplus(x), {"type": "log_sigmoid"}),
    ],
)
def test_other_ways_to_write_an_activation(formula: Callable[[Formula], Formula], part: dict[str, Any]):
    algebra = algebra_of(1e-12)
    found = Recognizer(algebra, float).recognize(formula(algebra.x), FEATURES)
    assert found is not None
    assert found.part == part
    assert found.is_plain


@pytest.mark.parametrize(
    "formula",
    [
        lambda x: x * sigmoid(1.702 * x),
        lambda x: 0.5 * x * (1.0 + fn.erf(x * 0.7)),
        lambda x: 0.5 * x * (1.0 + fn.tanh(0.79788 * (x + 0.0447 * x**3))),
        lambda x: x * fn.tanh(fn.softplus(2.0 * x)),
        lambda x: relu(x) + fn.exp(x) - 1.0,
        lambda x: x * fn.positive(x - 0.1) * fn.positive(x - 0.2),
        lambda x: (x - fn.mean(x)) / fn.sqrt(fn.mean(x * x) + 1e-5),
        lambda x: fn.exp(x) / fn.mean(fn.exp(x)),
    ],
)
def test_what_only_looks_like_an_activation_is_none(formula: Callable[[Formula], Formula]):
    algebra = algebra_of(1e-12)
    assert Recognizer(algebra, float).recognize(formula(algebra.x), FEATURES) is None


def test_formulas_do_not_grow_without_end():
    x = algebra_of(1e-12).x
    with pytest.raises(TooInvolvedError):
        (x + fn.exp(x) + fn.erf(x) + sigmoid(x)) ** 9
