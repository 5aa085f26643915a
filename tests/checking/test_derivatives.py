"""Central differences, on numbers whose derivatives and kinks are known; every kind of switch is seen, no other."""

import math

import numpy as np
import pytest

from specnet import compiler as c
from specnet.checking.derivatives import STEP, CentralDifferences, switches
from specnet.compiler import exp, input_value, maximum, sin, state_value, sum_over
from tests.engine import evaluate

SIZE = 6


def differences(number, numbers, limit=SIZE, seed=0):
    return CentralDifferences(number, numbers, 1, limit=limit, generator=np.random.default_rng(seed))


def compared(function, point, gradient):
    array = np.array(point, float)[:, None]
    found = differences(sum_over(function(state_value("point", array.shape)), "all"), {"point": array})
    comparison = found.compare("point", found.arrays["point"], np.array(gradient, float))
    np.testing.assert_array_equal(found.arrays["point"], array)
    return comparison


def test_a_right_gradient_agrees_and_one_off_by_a_thousandth_does_not():
    point = np.linspace(-2, 2, SIZE)
    right = compared(sin, point, np.cos(point))
    assert right.agrees
    assert right.verdict == "ok"
    assert (right.compared, right.left_out) == (SIZE, 0)
    assert right.error < 1e-10
    wrong = compared(sin, point, np.cos(point) * (1 + 1e-3 * (np.arange(SIZE) == 2)))
    assert wrong.verdict == "wrong"
    assert wrong.error == pytest.approx(1e-3 * math.cos(point[2]), rel=1e-4)
    assert wrong.share == pytest.approx(wrong.error / math.cos(point[2]), rel=1e-2)


@pytest.mark.parametrize(("distance", "is_left_out"), [(0, 1), (0.5, 1), (-0.9, 1), (1.1, 0), (-1.5, 0)])
def test_a_kink_is_left_out_exactly_where_it_lies_between_the_evaluations(distance, is_left_out):
    point = [distance * STEP, 1.0, -1.0]
    comparison = compared(lambda x: maximum(x, 0.0), point, [float(point[0] > 0), 1, 0])
    assert comparison.left_out == is_left_out
    assert comparison.compared == 3 - is_left_out
    assert comparison.error < 1e-10


def test_a_kink_is_no_excuse_elsewhere():
    assert compared(lambda x: maximum(x, 0.0), [0.0, 1.0], [0, 0.999]).verdict == "wrong"
    assert compared(lambda x: maximum(x, 0.0), [0.0, 0.0], [0, 0]).verdict == "at kinks"


def test_a_switch_that_turns_and_turns_back_is_a_kink_too():
    assert compared(lambda x: maximum(x * x, 1e-16), [0.0, 1.0], [0, 2]).left_out == 1


def test_steep_stretches_are_walked_in_shorter_steps():
    comparison = compared(lambda x: sin(x * 1e4), [0.3, 0.4], 1e4 * np.cos([3e3, 4e3]))
    assert comparison.agrees
    assert not compared(lambda x: sin(x * 1e4), [0.3, 0.4], 1.001e4 * np.cos([3e3, 4e3])).agrees


def test_what_is_lost_to_rounding_in_a_large_number_is_no_error():
    assert compared(lambda x: x * 1e-3 + 1e6, [1.0], [1e-3]).agrees


@pytest.mark.parametrize(
    ("function", "point", "gradient"),
    [(sin, 1.0, math.nan), (sin, 1.0, math.inf), (exp, 1000.0, 1.0)],
    ids=["nan", "infinite", "overflow"],
)
def test_a_number_that_is_not_finite_is_wrong(function, point, gradient):
    assert compared(function, [0.0, point], [1.0, gradient]).verdict == "wrong"


def test_of_many_coordinates_some_are_drawn_by_the_generator():
    weights = np.random.default_rng(0).normal(size=(20, 50))
    x = state_value("w", weights.shape)
    wrong = 2 * weights * (1 + 1e-3 * (np.arange(50) % 3 == 0))

    def found(limit, seed):
        numbers = differences(sum_over(x * x, "all"), {"w": weights}, limit, seed)
        return numbers.compare("w", numbers.arrays["w"], wrong)

    first, again, other, every = found(30, 0), found(30, 0), found(30, 1), found(1000, 0)
    assert first.shape == (20, 50)
    assert (first.compared, every.compared) == (30, 1000)
    assert first == again
    assert other.error != first.error < every.error
    assert every.error == pytest.approx(abs(wrong - 2 * weights).max(), rel=1e-2)


def test_numbers_that_are_changed_are_read():
    number = differences(sum_over(input_value("x", (2, 1)) * 2, "all"), {"x": np.array([[1.0], [2.0]])})
    assert number() == 6
    number.arrays["x"][...] = 5
    assert number() == 20


SWITCHING = {
    "maximum": lambda x: c.maximum(x, 0.0),
    "minimum": lambda x: c.minimum(x, 0.0),
    "absolute": c.absolute,
    "sign": c.sign,
    "greater": lambda x: x * c.greater(x, 0.0),
    "equal": lambda x: x * c.equal(x, 0.0),
    "where": lambda x: c.where(c.greater(0.0, x), x, x * x),
    "in a custom value": lambda x: c.custom(c.maximum(x, 0.0), [x], lambda d: (d,)),
}
SMOOTH = {
    "softplus": c.softplus,
    "sigmoid": c.sigmoid,
    "tanh": c.tanh,
    "behind a stop": lambda x: x - c.stop_gradient(c.max_over(x, "batch")),
    "in a custom value's rule alone": lambda x: c.custom(c.tanh(x), [x], lambda d: (d * c.maximum(x, 0.0),)),
}


def sides(function, numbers):
    x = c.input_value("x", (1, c.BATCH))
    found = evaluate([function(x), *switches([function(x)])], {"x": np.array([numbers], float)})
    return [mask.tolist() for mask in found[1:]]


@pytest.mark.parametrize("name", SWITCHING)
def test_a_switch_tells_its_sides_apart(name):
    low, tie, high = (sides(SWITCHING[name], [number]) for number in (-1.0, 0.0, 1.0))
    assert low == sides(SWITCHING[name], [-2.0])
    assert low != tie != high != low


def test_an_index_changes_with_the_number_that_it_is_made_from():
    def chosen(x):
        return c.gather(c.state_value("table", (1, 3)), c.to_index(x))

    assert sides(chosen, [2, 0, 1.2]) == sides(chosen, [2.1, 0.5, 1])
    assert sides(chosen, [2, 0, 1]) != sides(chosen, [1.9, 0, 1])


def test_a_whole_number_changes_with_the_number_that_it_is_below():
    assert sides(c.floor, [2, -0.1, 1.2]) == sides(c.floor, [2.1, -1, 1])
    assert sides(c.floor, [2]) != sides(c.floor, [1.9])


@pytest.mark.parametrize("name", SMOOTH)
def test_what_is_smooth_has_none(name):
    assert switches([SMOOTH[name](c.input_value("x", (1, c.BATCH)))]) == []


def test_a_maximum_over_an_axis_tells_which_is_largest():
    def largest(x):
        return c.max_over(x, "batch")

    assert sides(largest, [1, 2, 3]) == sides(largest, [2, 1, 9])
    assert sides(largest, [1, 2, 3]) != sides(largest, [1, 3, 2])
    assert sides(largest, [1, 2, 2]) != sides(largest, [1, 2, 3])
