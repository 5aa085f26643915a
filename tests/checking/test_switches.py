"""Where a program chooses: every kind of switch is seen, each on both of its sides, and nothing else is."""

import numpy as np
import pytest

from specnet import compiler as c
from specnet.checking.switches import switches
from tests.engine import evaluate

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
