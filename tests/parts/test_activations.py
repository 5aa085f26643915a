"""Each activation against figures of PyTorch and Keras, and the checks for authors of parts with further settings."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from specnet.compiler import BATCH, Value, constant, gradients, input_value, sum_over
from specnet.parts.activations import Activation
from tests.engine import PRECISIONS, evaluate, near_figures, value_and_slope
from tests.registry import REGISTRY, figures, part, variants

FIRST_SLOPE = 0.25


def with_own_start(activation: Activation) -> Callable[[Value], Value]:
    """The activation as it is before training."""
    return lambda x: activation.apply(x, [constant(FIRST_SLOPE) for _ in activation.own_parameters(1)])


FIGURES = figures("activation")
ACROSS = [each for each in variants("activation") if not each.elementwise]
VARIANTS = [each for each in variants("activation") if each.elementwise]


@pytest.mark.parametrize("kind", REGISTRY.of_kind("activation"))
def test_an_activation_takes_at_most_12_lines_without_its_docstring(kind: type[Activation]):
    lines = [line for line in inspect.getsource(kind).splitlines() if line.strip()]
    assert len(lines) - len([line for line in kind.__doc__.splitlines() if line.strip()]) <= 12


@pytest.mark.parametrize("row", FIGURES["elementwise"], ids=lambda row: str(row["activation"]))
@PRECISIONS
def test_figures_of_the_libraries(row: dict, dtype, tolerance):
    found = value_and_slope(with_own_start(part("activation", row["activation"])), np.array([FIGURES["points"]]), dtype)
    for ours, name in zip(found, ("value", "slope"), strict=True):
        near_figures(ours[0], row[name], tolerance, dtype)


@pytest.mark.parametrize("row", FIGURES["across"], ids=lambda row: row["activation"]["type"])
@PRECISIONS
def test_figures_of_activations_across_features(row: dict, dtype, tolerance):
    columns, weights = np.array(row["x"]), np.array(row["weights"])
    x, w = input_value("x", (len(columns), BATCH)), input_value("w", (len(weights), BATCH))
    y = part("activation", row["activation"]).apply(x)
    gradient = gradients(sum_over(y * w, "all"), [x])[x]
    found = evaluate([y, gradient], {"x": columns, "w": weights}, dtype)
    for ours, name in zip(found, ("value", "gradient"), strict=True):
        near_figures(ours, row[name], tolerance, dtype)


@pytest.mark.parametrize("activation", VARIANTS, ids=str)
def test_a_parametric_one_is_mixed_with_its_input(activation: Activation):
    mixed = activation.model_copy(update={"parametric": True})
    x, alpha = input_value("x", (2, BATCH)), input_value("alpha", (2, 1))
    own = [constant(FIRST_SLOPE) for _ in activation.own_parameters(2)]
    y = mixed.apply(x, [*own, alpha])
    derivatives = gradients(sum_over(y, "all"), [x, alpha])
    rng = np.random.default_rng(3)
    arrays = {"x": rng.normal(0, 2, (2, 9)), "alpha": np.array([[0.3], [1.5]])}
    value, by_x, by_alpha = evaluate([y, derivatives[x], derivatives[alpha]], arrays)
    plain, slope = value_and_slope(with_own_start(activation), arrays["x"])
    np.testing.assert_allclose(value, arrays["x"] + arrays["alpha"] * (plain - arrays["x"]), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(by_x, 1 + arrays["alpha"] * (slope - 1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(by_alpha, (plain - arrays["x"]).sum(1, keepdims=True), rtol=1e-12, atol=1e-12)
    assert [block.tensors[0].name for block in mixed.parameters(2)][-1] == "mixture"


@pytest.mark.parametrize("activation", ACROSS, ids=str)
def test_activations_across_features_have_the_automatic_derivative_at_any_size(activation: Activation):
    logits = np.array([[1000.0, 0.3, -2.0], [-1000.0, 0.1, -2.0], [999.0, -0.7, -2.0], [0.5, 3.0, -2.0]])
    x = input_value("x", (4, BATCH))
    y = activation.apply(x)
    assert y.shape == (activation.output_size(4), BATCH)
    weights = input_value("w", y.shape)
    seeds = np.random.default_rng(0).normal(size=(activation.output_size(4), 3))
    by_rule = gradients(sum_over(y * weights, "all"), [x])[x]
    automatic = gradients(sum_over(activation.expression(x) * weights, "all"), [x])[x]
    value, rule, truth = evaluate([y, by_rule, automatic], {"x": logits, "w": seeds})
    expected = {
        "softmax": softmax(logits, axis=0),
        "log_softmax": log_softmax(logits, axis=0),
        "glu": logits[:2] * expit(logits[2:]),
    }
    np.testing.assert_allclose(value, expected[activation.type], rtol=1e-14)
    np.testing.assert_allclose(rule, truth, rtol=1e-12, atol=1e-15)
