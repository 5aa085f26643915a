"""Each activation against formulas written by hand, the complex step, and PyTorch's convention at kinks."""

import math

import numpy as np
import pytest
from scipy.special import erf, expit

from specnet.compiler import BATCH, gradients, input_value, sum_over
from specnet.parts.activations import Activation, Elu, Gelu, LeakyRelu
from specnet.parts.registry import built_in_registry
from tests.engine import complex_step, evaluate, value_and_slope

POINTS = np.array([[0.0, 1e-8, -1e-8, 0.5, -0.5, 3.0, -3.0, 20.0, -20.0, 1000.0, -1000.0]])
ELEMENTWISE = [part for part in built_in_registry().of_kind("activation") if part.elementwise]
VARIANTS = [*(part() for part in ELEMENTWISE), LeakyRelu(negative_slope=0.3), Elu(alpha=0.7), Gelu(approximate=True)]
SQRT_2_PI = math.sqrt(2 / math.pi)
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


def exp_below(x):
    return np.exp(np.minimum(x, 0))


def gelu_inner(x):
    return np.tanh(SQRT_2_PI * (x + 0.044715 * x**3))


# By name: value and derivative. At a kink the derivative is PyTorch's.
FORMULAS = {
    "linear": lambda part, x: (x, np.ones_like(x)),
    "relu": lambda part, x: (np.where(x > 0, x, 0), (x > 0) * 1.0),
    "leaky_relu": lambda part, x: (
        np.where(x > 0, x, part.negative_slope * x),
        np.where(x > 0, 1.0, part.negative_slope),
    ),
    "elu": lambda part, x: (
        np.where(x > 0, x, part.alpha * np.expm1(np.minimum(x, 0))),
        np.where(x > 0, 1.0, part.alpha * exp_below(x)),
    ),
    "selu": lambda part, x: (
        SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0))),
        SCALE * np.where(x > 0, 1.0, ALPHA * exp_below(x)),
    ),
    "gelu": lambda part, x: (
        (x / 2 * (1 + gelu_inner(x)), None)
        if part.approximate
        else (
            x / 2 * (1 + erf(x / math.sqrt(2))),
            (1 + erf(x / math.sqrt(2))) / 2 + x * SQRT_2_PI / 2 * np.exp(-x * x / 2),
        )
    ),
    "silu": lambda part, x: (x * expit(x), expit(x) * (1 + x * expit(-x))),
    "sigmoid": lambda part, x: (expit(x), expit(x) * expit(-x)),
    "tanh": lambda part, x: (np.tanh(x), 1 / np.cosh(np.minimum(abs(x), 300)) ** 2),
    "softplus": lambda part, x: (np.maximum(x, 0) + np.log1p(np.exp(-abs(x))), expit(x)),
}


def test_every_activation_has_a_formula_here():
    assert {part.part_name() for part in ELEMENTWISE} == set(FORMULAS)


@pytest.mark.parametrize("part", VARIANTS, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_value_and_derivative_at_ordinary_and_extreme_points(part: Activation, dtype, tolerance):
    x = np.concatenate([POINTS, np.random.default_rng(0).normal(0, 2, (1, 40))], axis=1).astype(dtype)
    value, slope = FORMULAS[part.type](part, x.astype(np.float64))
    found = value_and_slope(part.apply, x, dtype)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0], value, rtol=tolerance, atol=tolerance)
    if slope is not None:
        np.testing.assert_allclose(found[1], slope, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("part", VARIANTS, ids=str)
def test_derivative_is_that_of_the_value(part: Activation):
    x = np.random.default_rng(1).normal(0, 2, (3, 50))
    _, slope = value_and_slope(part.apply, x)
    np.testing.assert_allclose(slope, complex_step(part.expression, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("part", VARIANTS, ids=str)
def test_derivative_at_a_kink_lies_between_the_one_sided_differences(part: Activation):
    h = 1e-7
    for kink in (0.0, 1.0, -1.0, 3.0, -3.0, 6.0):
        left, middle, right = evaluate_at(part, [kink - h, kink, kink + h])
        _, slope = value_and_slope(part.apply, np.array([[kink]]))
        low, high = sorted(((middle - left) / h, (right - middle) / h))
        assert low - 1e-6 <= slope[0, 0] <= high + 1e-6


@pytest.mark.parametrize("part", VARIANTS, ids=str)
def test_derivative_from_the_output_says_the_same_as_the_automatic_one(part: Activation):
    x = np.concatenate([POINTS, np.random.default_rng(2).normal(0, 2, (1, 40))], axis=1)
    by_output, automatic = (value_and_slope(function, x)[1] for function in (part.apply, part.expression))
    np.testing.assert_allclose(by_output, automatic, rtol=1e-12, atol=1e-12)


def test_softmax_is_a_distribution_at_any_size_and_has_the_automatic_derivative():
    part = built_in_registry().find("activation", "softmax")()
    logits = np.array([[1000.0, 0.3, -2.0], [-1000.0, 0.1, -2.0], [999.0, -0.7, -2.0]])
    x = input_value("x", (3, BATCH))
    weights = input_value("w", (3, BATCH))
    seeds = np.random.default_rng(0).normal(size=(3, 3))
    y = part.apply(x)
    by_rule = gradients(sum_over(y * weights, "all"), [x])[x]
    automatic = gradients(sum_over(part.expression(x) * weights, "all"), [x])[x]
    value, rule, truth = evaluate([y, by_rule, automatic], {"x": logits, "w": seeds})
    shifted = np.exp(logits - logits.max(0))
    np.testing.assert_allclose(value, shifted / shifted.sum(0), rtol=1e-14)
    np.testing.assert_allclose(value.sum(0), 1, rtol=1e-14)
    np.testing.assert_allclose(rule, truth, rtol=1e-12, atol=1e-15)


def evaluate_at(part: Activation, points: list[float]) -> np.ndarray:
    x = input_value("x", (1, BATCH))
    return evaluate([part.expression(x)], {"x": np.array([points])})[0][0]
