"""What is simplified keeps every bit; nothing else is simplified."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from specnet import compiler as c
from tests.compiler.running import evaluate
from tests.texts.pinned import Refused

x = c.input_value("x", (3, "batch"))
z = c.input_value("z", (3, "batch"))
row = c.input_value("row", (1, "batch"))


IDENTITIES: dict[str, Callable[[], c.Value]] = {
    "x * 1": lambda: x * 1,
    "1 * x": lambda: 1.0 * x,
    "x + -0": lambda: x + -0.0,
    "-0 + x": lambda: -0.0 + x,
    "x - 0": lambda: x - 0,
    "x / 1": lambda: x / 1,
    "--x": lambda: -(-x),  # noqa: B002 - a minus twice is intended
    "x * -1 * -1": lambda: x * -1 * -1,
    "x ** 1": lambda: x**1,
    "expanded": lambda: c.expand(x, x.shape),
    "summed twice": lambda: c.sum_over(c.sum_over(x, "batch"), "batch").arguments[0],
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_leave_the_value(name: str) -> None:
    assert IDENTITIES[name]() is x


EXTREMES = [0.0, 5e-324, 1e-310, 1e-45, 1e-40, 1e-30, 1.0, 1.5, 3.0, 8.0, 1e30, 3e38, 1e300, np.inf]
NUMBERS = np.array([*EXTREMES, *np.negative(EXTREMES), np.nan])
CONSTANTS = (0.0, 1.0, 2.0, 0.5, 3.0, 2.0**-101, 2.0**99, np.inf)
OPERATORS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "add the negative": lambda a, b: a + -b,
    "add to the negative": lambda a, b: -a + b,
    "subtract the negative": lambda a, b: a - -b,
    "subtract from the negative": lambda a, b: -a - b,
    "negative twice": lambda a, b: -(-a) + b,  # noqa: B002 - a minus twice is meant
}


def bits(array: np.ndarray) -> np.ndarray:
    """The bits of numbers, the same ones for all that are none."""
    return np.where(np.isnan(array), np.array(np.nan, array.dtype), array).view(f"u{array.dtype.itemsize}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPERATORS)
def test_every_simplification_keeps_every_bit(name: str, dtype: type) -> None:
    operate = OPERATORS[name]
    with np.errstate(all="ignore"):
        numbers = NUMBERS.astype(dtype)
        one, other = (grid.reshape(1, -1) for grid in np.meshgrid(numbers, numbers))
        a, b = c.input_value("a", (1, "batch")), c.input_value("b", (1, "batch"))
        symbols, expected = [operate(a, b)], [operate(one, other)]
        for constant in (*CONSTANTS, *np.negative(CONSTANTS).tolist()):
            symbols += [operate(a, constant), operate(c.constant(constant), b)]
            expected += [operate(one, dtype(constant)), operate(dtype(constant), other)]
        found = evaluate(symbols, {"a": one, "b": other}, dtype, {"batch": one.size})
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(bits(ours), bits(theirs))


def test_constants_are_folded() -> None:
    assert c.value.number_of((c.constant(3) * 4 - 2) / 5) == 2.0
    assert c.value.number_of(-1 * c.constant(2) + 1) == -1.0
    assert c.value.number_of(c.constant(2) ** -2) == 0.25
    assert c.value.number_of(c.constant(1) / c.constant(0) * 1) is None  # left to NumPy, which warns


def test_cheaper_forms() -> None:
    for form, operation, operands in (
        (x**2, c.value.MULTIPLY, (x, x)),
        (x + -z, c.value.SUBTRACT, (x, z)),
        (-x + z, c.value.SUBTRACT, (z, x)),
        (x - -z, c.value.ADD, (x, z)),
    ):
        assert (form.operation, form.arguments) == (operation, operands)
    assert c.where(c.greater(x, z), 1, 0).operation is c.value.CAST


def test_only_a_division_by_a_power_of_two_is_a_product() -> None:
    assert (x / 8).operation is c.value.MULTIPLY
    assert (x / 3).operation is c.value.DIVIDE
    assert (1 / x).operation is c.value.DIVIDE


def test_products_with_zero_and_sums_are_left_alone() -> None:
    assert (x * 0).operation is c.value.MULTIPLY  # 0 · ∞ is NaN
    assert ((x + 1) + 2).operation is c.value.ADD
    assert c.value.number_of(((x + 1) + 2).arguments[1]) == 2


@pytest.mark.parametrize("power", [-3, -1, 0, 1, 2, 3, 7, 10])
def test_integer_powers_are_products(power: int) -> None:
    numbers = np.random.default_rng(0).uniform(0.5, 2, (3, 4))
    (ours,) = evaluate([x**power], {"x": numbers})
    np.testing.assert_allclose(ours, numbers**power, rtol=1e-14)


def test_other_powers_are_an_error(refused: Refused) -> None:
    with refused(TypeError):
        x**0.5


def test_repetition_is_left_to_the_end() -> None:
    repeated = c.expand(row, (3, "batch"))
    product = c.exp(repeated) * 2
    assert product.operation is c.value.EXPAND
    assert product.arguments[0].shape == (1, "batch")
    assert (repeated + x).arguments == (row, x)


def test_masks_become_floats_where_they_do_not_choose() -> None:
    mask = c.greater(x, 0)
    for value_of_mask in (mask * x, mask + mask, c.exp(mask), c.greater(mask, 0), c.sum_over(mask, "all")):
        assert value_of_mask.arguments[0].operation is c.value.CAST
    assert c.where(mask, x, mask).arguments[0] is mask
    assert c.where(mask, x, mask).arguments[2].operation is c.value.CAST


def test_sum_along_an_axis_of_length_one_is_no_call() -> None:
    assert c.sum_over(row, "features") is row
    assert c.max_over(row, "features") is row
    assert c.sum_over(c.constant(3), "all").operation is c.value.CONSTANT


def test_values_are_equal_by_identity_and_say_what_they_are() -> None:
    assert (x + z) != (x + z)
    assert len({x, x, z}) == 2
    assert repr(c.sum_over(x, "batch")) == "<sum 'batch' (3, 1) float>"
    assert repr(c.operations.EXP) == "<operation exp>"


def test_a_value_has_at_most_two_axes(refused: Refused) -> None:
    for wrong in (
        lambda: c.input_value("x", (2, 3, "batch")),
        lambda: c.state_value("s", (1, 2, 3)),
        lambda: c.expand(1, (2, 3, 4)),
    ):
        with refused(c.ShapeError):
            wrong()
