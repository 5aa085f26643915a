"""Each activation against formulas written by hand, figures of PyTorch and Keras, and the complex step."""

import inspect
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf, expit, log_softmax, softmax

from specnet.compiler import BATCH, Value, constant, gradients, input_value, sum_over
from specnet.parts.activations import (
    Activation,
    Celu,
    Clip,
    Elu,
    Gelu,
    Glu,
    HardShrink,
    LeakyRelu,
    LogSoftmax,
    Prelu,
    Softmax,
    SoftShrink,
    Squareplus,
    Threshold,
)
from specnet.parts.registry import built_in_registry
from tests.engine import complex_step, evaluate, value_and_slope
from tests.texts.pinned import Refused

NAMES = {
    "linear",
    "identity",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "swish",
    "mish",
    "sigmoid",
    "logistic",
    "hard_sigmoid",
    "hard_swish",
    "hard_silu",
    "tanh",
    "hard_tanh",
    "clip",
    "softplus",
    "softsign",
    "squareplus",
    "exponential",
    "log_sigmoid",
    "tanh_shrink",
    "soft_shrink",
    "hard_shrink",
    "threshold",
    "softmax",
    "log_softmax",
    "glu",
    "prelu",
}
FIGURES = json.loads((Path(__file__).parents[1] / "figures" / "activations.json").read_text())
POINTS = np.array([[0.0, 1e-8, -1e-8, 0.5, -0.5, 3.0, -3.0, 20.0, -20.0, 1000.0, -1000.0]])
KINKS = [0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0]
REGISTRY = built_in_registry()
ELEMENTWISE = [part for part in REGISTRY.of_kind("activation") if part.elementwise]
VARIANTS = [
    *(part() for part in ELEMENTWISE),
    LeakyRelu(negative_slope=0.3),
    Elu(alpha=0.7),
    Celu(alpha=0.75),
    Gelu(approximate=True),
    SoftShrink(threshold=1.0),
    HardShrink(threshold=1.0),
    Threshold(threshold=-0.5, default_value=2.0),
    Squareplus(b=0.5),
    Clip(minimum=-0.5, maximum=3.0),
]
WITH_RULES = [
    part
    for part in VARIANTS
    if {"derivative_from_output", "value"} & {*vars(type(part))} and not part.own_parameters(1)
]
ACROSS = [Softmax(), LogSoftmax(), Glu()]
FIRST_SLOPE = 0.25
SQRT_2_PI = math.sqrt(2 / math.pi)
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


def with_own_start(part: Activation) -> Callable[[Value], Value]:
    """The activation as it is before training."""
    return lambda x: part.apply(x, [constant(FIRST_SLOPE) for _ in part.own_parameters(1)])


def exp_below(x):
    return np.exp(np.minimum(x, 0))


def gelu_inner(x):
    return np.tanh(SQRT_2_PI * (x + 0.044715 * x**3))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def sech(x):
    return 1 / np.cosh(np.minimum(abs(x), 300))


# By name: value and derivative. At a kink the derivative is PyTorch's.
FORMULAS = {
    "linear": lambda part, x: (x, np.ones_like(x)),
    "relu6": lambda part, x: (np.clip(x, 0, 6), ((x > 0) & (x < 6)) * 1.0),
    "prelu": lambda part, x: (np.where(x > 0, x, 0.25 * x), np.where(x > 0, 1.0, 0.25)),
    "celu": lambda part, x: (
        np.where(x > 0, x, part.alpha * np.expm1(np.minimum(x, 0) / part.alpha)),
        exp_below(x / part.alpha),
    ),
    "threshold": lambda part, x: (np.where(x > part.threshold, x, part.default_value), (x > part.threshold) * 1.0),
    "hard_swish": lambda part, x: (x * np.clip(x / 6 + 0.5, 0, 1), np.where(abs(x) < 3, x / 3 + 0.5, (x > 0) * 1.0)),
    "mish": lambda part, x: (x * np.tanh(softplus(x)), np.tanh(softplus(x)) + x * expit(x) * sech(softplus(x)) ** 2),
    "hard_sigmoid": lambda part, x: (np.clip(x / 6 + 0.5, 0, 1), (abs(x) < 3) / 6),
    "log_sigmoid": lambda part, x: (-softplus(-x), expit(-x)),
    "hard_tanh": lambda part, x: (np.clip(x, -1, 1), (abs(x) < 1) * 1.0),
    "clip": lambda part, x: (np.clip(x, part.minimum, part.maximum), ((x > part.minimum) & (x < part.maximum)) * 1.0),
    "tanh_shrink": lambda part, x: (x - np.tanh(x), np.tanh(x) ** 2),
    "soft_shrink": lambda part, x: (
        np.sign(x) * np.maximum(abs(x) - part.threshold, 0),
        (abs(x) > part.threshold) * 1.0,
    ),
    "hard_shrink": lambda part, x: (x * (abs(x) > part.threshold), (abs(x) > part.threshold) * 1.0),
    "softsign": lambda part, x: (x / (1 + abs(x)), 1 / (1 + abs(x)) ** 2),
    "squareplus": lambda part, x: (
        np.where(x > 0, x + np.hypot(x, part.b**0.5), part.b / (np.hypot(x, part.b**0.5) - x)) / 2,
        (1 + x / np.hypot(x, part.b**0.5)) / 2,
    ),
    "exponential": lambda part, x: (np.exp(x), np.exp(x)),
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
    "tanh": lambda part, x: (np.tanh(x), sech(x) ** 2),
    "softplus": lambda part, x: (softplus(x), expit(x)),
}


def test_no_name_of_the_catalogue_is_missing():
    assert set(REGISTRY.names("activation")) == NAMES
    assert REGISTRY.find("activation", "swish") is REGISTRY.find("activation", "silu")
    assert REGISTRY.find("activation", "hard_silu") is REGISTRY.find("activation", "hard_swish")
    assert REGISTRY.find("activation", "identity") is REGISTRY.find("activation", "linear")
    assert REGISTRY.find("activation", "logistic") is REGISTRY.find("activation", "sigmoid")


def test_every_activation_has_a_formula_and_figures_here():
    names = {part.part_name() for part in REGISTRY.of_kind("activation")}
    assert {part.part_name() for part in ELEMENTWISE} == set(FORMULAS)
    assert names == {*FORMULAS, *(part.type for part in ACROSS)}
    assert names == {entry["activation"]["type"] for key in ("elementwise", "across") for entry in FIGURES[key]}


@pytest.mark.parametrize("kind", REGISTRY.of_kind("activation"))
def test_an_activation_takes_at_most_12_lines_without_its_docstring(kind: type[Activation]):
    lines = [line for line in inspect.getsource(kind).splitlines() if line.strip()]
    assert len(lines) - len([line for line in kind.__doc__.splitlines() if line.strip()]) <= 12


@pytest.mark.parametrize("part", VARIANTS, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_value_and_derivative_at_ordinary_and_extreme_points(part: Activation, dtype, tolerance):
    x = np.concatenate([POINTS, np.random.default_rng(0).normal(0, 2, (1, 40))], axis=1).astype(dtype)
    if part.type == "exponential":
        x = np.minimum(x, 80)
    value, slope = FORMULAS[part.type](part, x.astype(np.float64))
    found = value_and_slope(with_own_start(part), x, dtype)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0], value, rtol=tolerance, atol=tolerance)
    if slope is not None:
        np.testing.assert_allclose(found[1], slope, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("figures", FIGURES["elementwise"], ids=lambda figures: str(figures["activation"]))
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-5)])
def test_figures_of_the_libraries(figures: dict, dtype, tolerance):
    part = activation(figures)
    found = value_and_slope(with_own_start(part), np.array([FIGURES["points"]]), dtype)
    for ours, name in zip(found, ("value", "slope"), strict=True):
        compare(ours[0], figures[name], tolerance, dtype)


@pytest.mark.parametrize("figures", FIGURES["across"], ids=lambda figures: figures["activation"]["type"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-5)])
def test_figures_of_activations_across_features(figures: dict, dtype, tolerance):
    part, columns, weights = activation(figures), np.array(figures["x"]), np.array(figures["weights"])
    x, w = input_value("x", (len(columns), BATCH)), input_value("w", (len(weights), BATCH))
    y = part.apply(x)
    gradient = gradients(sum_over(y * w, "all"), [x])[x]
    found = evaluate([y, gradient], {"x": columns, "w": weights}, dtype)
    for ours, name in zip(found, ("value", "gradient"), strict=True):
        compare(ours, figures[name], tolerance, dtype)


@pytest.mark.parametrize("part", VARIANTS, ids=str)
def test_derivative_is_that_of_the_value(part: Activation):
    x = np.random.default_rng(1).normal(0, 2, (3, 50))
    _, slope = value_and_slope(with_own_start(part), x)
    np.testing.assert_allclose(slope, complex_step(with_own_start(part), x), rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("part", VARIANTS, ids=str)
def test_derivative_at_a_kink_lies_between_the_one_sided_differences(part: Activation):
    h = 1e-7
    for kink in KINKS:
        left, middle, right = evaluate_at(part, [kink - h, kink, kink + h])
        _, slope = value_and_slope(with_own_start(part), np.array([[kink]]))
        low, high = sorted(((middle - left) / h, (right - middle) / h))
        assert low - 1e-6 * max(1, abs(middle)) <= slope[0, 0] <= high + 1e-6 * max(1, abs(middle))


@pytest.mark.parametrize("part", VARIANTS, ids=str)
def test_a_parametric_one_is_mixed_with_its_input(part: Activation):
    mixed = part.model_copy(update={"parametric": True})
    x, alpha = input_value("x", (2, BATCH)), input_value("alpha", (2, 1))
    own = [constant(FIRST_SLOPE) for _ in part.own_parameters(2)]
    y = mixed.apply(x, [*own, alpha])
    derivatives = gradients(sum_over(y, "all"), [x, alpha])
    rng = np.random.default_rng(3)
    arrays = {"x": rng.normal(0, 2, (2, 9)), "alpha": np.array([[0.3], [1.5]])}
    value, by_x, by_alpha = evaluate([y, derivatives[x], derivatives[alpha]], arrays)
    plain, slope = value_and_slope(with_own_start(part), arrays["x"])
    np.testing.assert_allclose(value, arrays["x"] + arrays["alpha"] * (plain - arrays["x"]), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(by_x, 1 + arrays["alpha"] * (slope - 1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(by_alpha, (plain - arrays["x"]).sum(1, keepdims=True), rtol=1e-12, atol=1e-12)
    assert [block.tensors[0].name for block in mixed.parameters(2)][-1] == "mixture"


@pytest.mark.parametrize("part", WITH_RULES, ids=str)
def test_a_rule_of_its_own_says_the_same_as_the_automatic_one(part: Activation):
    x = np.concatenate([POINTS, [KINKS], np.random.default_rng(2).normal(0, 2, (1, 40))], axis=1)
    by_rule, automatic = (value_and_slope(function, x)[1] for function in (part.apply, part.expression))
    np.testing.assert_allclose(by_rule, automatic, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("part", ACROSS, ids=str)
def test_activations_across_features_have_the_automatic_derivative_at_any_size(part: Activation):
    logits = np.array([[1000.0, 0.3, -2.0], [-1000.0, 0.1, -2.0], [999.0, -0.7, -2.0], [0.5, 3.0, -2.0]])
    x = input_value("x", (4, BATCH))
    y = part.apply(x)
    assert y.shape == (part.output_size(4), BATCH)
    weights = input_value("w", y.shape)
    seeds = np.random.default_rng(0).normal(size=(part.output_size(4), 3))
    by_rule = gradients(sum_over(y * weights, "all"), [x])[x]
    automatic = gradients(sum_over(part.expression(x) * weights, "all"), [x])[x]
    value, rule, truth = evaluate([y, by_rule, automatic], {"x": logits, "w": seeds})
    expected = {
        "softmax": softmax(logits, axis=0),
        "log_softmax": log_softmax(logits, axis=0),
        "glu": logits[:2] * expit(logits[2:]),
    }
    np.testing.assert_allclose(value, expected[part.type], rtol=1e-14)
    np.testing.assert_allclose(rule, truth, rtol=1e-12, atol=1e-15)


def test_what_is_not_elementwise_cannot_be_parametric(refused: Refused):
    for part in ACROSS:
        with refused(ValueError, varying=r" \[type=.*"):
            type(part)(parametric=True)


def test_glu_needs_an_even_number_of_features(refused: Refused):
    assert Glu().output_size(6) == 3
    with refused(ValueError):
        Glu().output_size(5)


def test_slopes_of_prelu_are_learned_for_each_feature_and_do_not_decay():
    (block,) = Prelu().parameters(3)
    (slope,) = block.tensors
    assert (slope.name, slope.shape, slope.decays) == ("negative_slope", (3,), False)
    np.testing.assert_array_equal(slope.initializer.draw(np.random.default_rng(0), slope.shape, slope.place), 0.25)
    x, slopes = input_value("x", (2, BATCH)), input_value("slopes", (2, 1))
    y = Prelu().apply(x, [slopes])
    by_slope = gradients(sum_over(y, "all"), [slopes])[slopes]
    arrays = {"x": np.array([[1.0, -2.0, -3.0], [0.0, 4.0, -1.0]]), "slopes": np.array([[0.5], [-1.0]])}
    value, gradient = evaluate([y, by_slope], arrays)
    np.testing.assert_allclose(value, [[1, -1, -1.5], [0, 4, 1]])
    np.testing.assert_allclose(gradient, [[-5], [-1]])


def activation(figures: dict) -> Activation:
    fields = dict(figures["activation"])
    return REGISTRY.find("activation", fields["type"])(**fields)


def compare(ours: np.ndarray, theirs: list, tolerance: float, dtype: type) -> None:
    """Hold ours to a library's figures where these are finite: relative to each, or a few units of rounding at 1."""
    expected = np.array(theirs, float)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(ours[finite], expected[finite], rtol=tolerance, atol=8 * np.finfo(dtype).eps)


def evaluate_at(part: Activation, points: list[float]) -> np.ndarray:
    x = input_value("x", (1, BATCH))
    return evaluate([with_own_start(part)(x)], {"x": np.array([points])})[0][0]
