"""Each activation against figures of PyTorch and Keras, and the checks for authors of parts with further settings."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from specnet.compiler import BATCH, Value, constant, gradients, input_value, sum_over
from specnet.parts.activations import Activation, Prelu
from tests.engine import PRECISIONS, evaluate, near_figures, value_and_slope
from tests.registry import REGISTRY, figures, find, variants

FIRST_SLOPE = 0.25


def with_own_start(part: Activation) -> Callable[[Value], Value]:
    """The activation as it is before training."""
    return lambda x: part.apply(x, [constant(FIRST_SLOPE) for _ in part.own_parameters(1)])


FIGURES = figures("activation")
ACROSS = [part for part in variants("activation") if not part.elementwise]
VARIANTS = [part for part in variants("activation") if part.elementwise]


@pytest.mark.parametrize("kind", REGISTRY.of_kind("activation"))
def test_an_activation_takes_at_most_12_lines_without_its_docstring(kind: type[Activation]):
    lines = [line for line in inspect.getsource(kind).splitlines() if line.strip()]
    assert len(lines) - len([line for line in kind.__doc__.splitlines() if line.strip()]) <= 12


@pytest.mark.parametrize("row", FIGURES["elementwise"], ids=lambda row: str(row["activation"]))
@PRECISIONS
def test_figures_of_the_libraries(row: dict, dtype, tolerance):
    part = find("activation", row["activation"]["type"])(**row["activation"])
    found = value_and_slope(with_own_start(part), np.array([FIGURES["points"]]), dtype)
    for ours, name in zip(found, ("value", "slope"), strict=True):
        near_figures(ours[0], row[name], tolerance, dtype)


@pytest.mark.parametrize("row", FIGURES["across"], ids=lambda row: row["activation"]["type"])
@PRECISIONS
def test_figures_of_activations_across_features(row: dict, dtype, tolerance):
    part = find("activation", row["activation"]["type"])(**row["activation"])
    columns, weights = np.array(row["x"]), np.array(row["weights"])
    x, w = input_value("x", (len(columns), BATCH)), input_value("w", (len(weights), BATCH))
    y = part.apply(x)
    gradient = gradients(sum_over(y * w, "all"), [x])[x]
    found = evaluate([y, gradient], {"x": columns, "w": weights}, dtype)
    for ours, name in zip(found, ("value", "gradient"), strict=True):
        near_figures(ours, row[name], tolerance, dtype)


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
