"""Central differences, on numbers whose derivatives and kinks are known."""

import math

import numpy as np
import pytest

from specnet.checking.central_differences import STEP, Coordinates, Measured, compare
from specnet.compiler import exp, input_value, maximum, sin, state_value, sum_over

SIZE = 6


def compared(function, point, gradient, limit=SIZE):
    array = np.array(point, float)
    measured = Measured(sum_over(function(state_value("point", (array.size, 1))), "all"), 1, {"point": array[:, None]})
    coordinates = Coordinates.of("point", np.arange(array.size), limit, np.random.default_rng(0))
    before = array.copy()
    comparison = compare(measured, array, np.array(gradient, float), coordinates)
    np.testing.assert_array_equal(array, before)
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
    places = np.arange(1000).reshape(20, 50)
    first, again, other = (Coordinates.of("w", places, 30, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.shape == (20, 50)
    assert len(set(first.chosen)) == 30
    np.testing.assert_array_equal(first.chosen, again.chosen)
    assert set(first.chosen) != set(other.chosen)
    assert Coordinates.of("w", places, 1000, np.random.default_rng(0)).chosen.tolist() == list(range(1000))


def test_inputs_have_to_be_filled():
    measured = Measured(sum_over(input_value("x", (2, 1)) * 2, "all"), 1, {})
    measured.inputs["x"][...] = [[1], [2]]
    assert measured() == 6
