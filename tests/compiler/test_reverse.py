"""The reverse pass as a whole; single rules are tested with their operations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from specnet import compiler as c
from specnet.compiler.numpy.binding import allocate
from tests.compiler.networks import gelu
from tests.compiler.running import complex_step, evaluate, fill, gradient_error
from tests.texts.pinned import Refused

x = c.input_value("x", (3, "batch"))
t = c.input_value("t", (3, "batch"))
ARRAYS = {"x": np.random.default_rng(0).standard_normal((3, 4)), "t": np.random.default_rng(1).random((3, 4))}


def listing_of(*values: c.Value) -> str:
    return "\n".join(c.plan(values).listing())


def test_factors_of_one_seed_are_added_first() -> None:
    loss = c.sum_over(c.softplus(x) - t * x, "all") * c.input_value("1/n", ())
    text = listing_of(c.gradients(loss, [x])[x])
    assert [line.split(" = ")[1].split("(")[0] for line in text.splitlines()] == ["sigmoid", "subtract", "multiply"]


def test_relu_reads_its_result_and_lies_over_its_operand() -> None:
    block = c.state_value("block", (4, 3))
    y = c.maximum(c.affine(block, x), 0)
    loss = c.sum_over(y * t, "all")
    plan = c.plan([c.gradients(loss, [block])[block]])
    (before, after), slots = (plan.calls[5].arguments[0], 5), allocate(plan)[0]
    assert (plan.calls[after].operation.name, slots[before]) == ("maximum", slots[after])
    assert plan.listing()[2].startswith("v6 = greater(v5, 0.0)")


def test_a_branch_not_taken_may_be_infinite_and_have_a_nan_derivative() -> None:
    safe = c.where(c.greater(x, 0), x * c.sqrt(x) * 3.0, c.exp(-1 / c.minimum(x, -1e-300)))
    with np.errstate(all="ignore"):
        (ours,) = evaluate([c.gradients(c.sum_over(safe, "all"), [x])[x]], ARRAYS)
    positive = ARRAYS["x"] > 0
    with np.errstate(all="ignore"):
        expected = np.where(positive, 4.5 * np.sqrt(ARRAYS["x"]), np.exp(-1 / ARRAYS["x"]) / ARRAYS["x"] ** 2)
    np.testing.assert_allclose(ours, expected, rtol=1e-13)


def test_nested_branches_with_outer_factors() -> None:
    y = x
    for k in range(6):
        y = 1.5 * c.where(c.greater(x, k / 3 - 1), c.sin(y), y * y - t)
    assert gradient_error(c.sin(y), [x, t], ARRAYS) < 1e-12


def test_gradients_come_in_the_order_of_completion_with_zeros_last() -> None:
    blocks = [c.state_value(f"block{k}", (4, 3)) for k in range(4)]
    unused, h = c.state_value("unused", (2, 2)), x
    for block in blocks:
        h = c.tanh(c.affine(block, h))
    found = c.gradients(c.sum_over(h, "all"), [unused, *blocks])
    assert list(found) == [*reversed(blocks), unused]
    assert found[unused].shape == unused.shape
    assert not evaluate([found[unused]], {})[0].any()


def test_every_derivative_has_its_values_shape() -> None:
    column, scalar = c.input_value("column", (3, 1)), c.input_value("scalar", ())
    loss = c.sum_over((x + column) * scalar - 2, "all")
    for wanted, derivative in c.gradients(loss, [x, column, scalar]).items():
        assert derivative.shape == wanted.shape
    assert c.gradients(scalar * 2 + 1, [scalar])[scalar].shape == ()


def test_a_value_in_the_middle_can_be_wanted() -> None:
    h = c.tanh(x)
    found = c.gradients(c.sum_over(h * h + x, "all"), [h, x])
    dh, dx = evaluate([found[h], found[x]], ARRAYS)
    np.testing.assert_allclose(dh, 2 * np.tanh(ARRAYS["x"]), rtol=1e-14)
    np.testing.assert_allclose(dx, 1 + dh * (1 - np.tanh(ARRAYS["x"]) ** 2), rtol=1e-13)


def test_second_derivatives() -> None:
    block = c.input_value("block", (4, 3))
    loss = c.sum_over(c.tanh(c.affine(block, x)) * t, "all")
    gradient = c.gradients(loss, [block])[block]
    second = c.sum_over(gradient * gradient, "all")
    arrays = ARRAYS | {"block": np.random.default_rng(2).standard_normal((4, 3))}
    (ours,) = evaluate([c.gradients(second, [block])[block]], arrays)
    (truth,) = complex_step(second, [block], arrays)
    np.testing.assert_allclose(ours, truth, atol=1e-12 * np.abs(truth).max())


def test_custom_replaces_a_derivative_and_gets_d_in_the_results_shape() -> None:
    shapes = []

    def backward(d: c.Value) -> tuple[c.Value, None]:
        shapes.append(d.shape)
        return d * 7, None

    y = c.custom(x * t, [x, t], backward)
    found = c.gradients(c.sum_over(y, "all"), [x, t])
    dx, dt = evaluate([found[x], found[t]], ARRAYS)
    assert shapes == [x.shape]
    assert (dx == 7).all()
    assert (dt == 0).all()


def test_a_custom_that_forgets_an_input_is_an_error(refused: Refused) -> None:
    y = c.custom(x * t, [x, t], lambda d: (d,))
    with refused(c.ShapeError):
        c.gradients(c.sum_over(y, "all"), [x])


def test_a_missing_rule_names_the_operation(refused: Refused) -> None:
    cube_root = c.Operation("cube_root", c.value.broadcast)
    with refused(c.MissingRuleError):
        c.gradients(c.sum_over(c.value.elementwise(cube_root, x), "all"), [x])
    with refused(c.MissingRuleError):
        c.NUMPY.bind(c.plan([c.value.elementwise(cube_root, x)]), float, {"batch": 2})
    with refused(c.MissingRuleError):
        c.value.apply(c.Operation("lonely"), x)


def test_only_a_single_number_can_be_differentiated() -> None:
    with pytest.raises(c.ShapeError):
        c.gradients(x, [x])


@pytest.mark.slow
@pytest.mark.parametrize("deep", [c.sin, lambda y: c.where(c.greater(y, 0.3), y * 0.9, c.sin(y))])
def test_a_chain_of_three_thousand_operations(deep: Callable[[c.Value], c.Value]) -> None:
    y = x
    for _ in range(3000):
        y = deep(y)
    loss = c.sum_over(y, "all")
    arrays, sizes = {"x": ARRAYS["x"][:, :1]}, {"batch": 1}
    value, slope = evaluate([loss, c.gradients(loss, [x])[x]], arrays, sizes=sizes)
    assert np.isfinite(value)
    (truth,) = complex_step(loss, [x], arrays, sizes)
    np.testing.assert_allclose(slope, truth, atol=1e-12 * np.abs(truth).max())


# -------------------------------------------------------------------------------------------- with_local_derivative


Activation = Callable[[c.Value], c.Value]


def early(z: c.Value) -> c.Value:
    return c.with_local_derivative(gelu(z), z)


def gradients_of_layers(activation: Activation, depth: int) -> c.Plan:
    blocks = [c.state_value(f"block{k}", (4, 3)) for k in range(depth)]
    h = x
    for block in blocks:
        h = activation(c.affine(block, h))
    return c.plan(list(c.gradients(c.sum_over(h * t, "all"), blocks).values()))


def test_a_local_derivative_is_computed_beside_its_value() -> None:
    names = [line.split("(")[0].split()[-1] for line in gradients_of_layers(early, 2).listing()]
    first, second = (k for k, name in enumerate(names) if name == "affine")
    assert names[first:second].count("exp") == 1
    assert "exp" not in names[names.index("affine_gradient") :]


def test_a_local_derivative_saves_storage_and_changes_no_result() -> None:
    found = []
    for activation in (early, gelu):
        plan = gradients_of_layers(activation, 4)
        arrays = {f"block{k}": np.random.default_rng(0).standard_normal((4, 3)) for k in range(4)}
        bound = c.NUMPY.bind(plan, np.float64, {"batch": 4}, arrays)
        fill(bound, ARRAYS)
        bound.run()
        found.append(([storage.leaf for storage in allocate(plan)[1]].count(None), bound.outputs[-1]))
    (fewer, ours), (more, theirs) = found
    assert fewer < 0.75 * more
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_without_a_derivative_no_slope_is_computed() -> None:
    assert listing_of(early(x)) == listing_of(gelu(x))


def test_a_local_derivative_is_left_where_it_is_found_when_nothing_is_gained() -> None:
    alpha = c.state_value("alpha", (3, 1))
    for y in (c.tanh(x), c.maximum(x, 0), x * alpha, c.sum_over(x, "features") * x, c.constant(1), c.tanh(t)):
        assert c.with_local_derivative(y, x) is y
    assert early(x).operation is c.operations.CUSTOM
