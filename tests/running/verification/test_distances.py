"""How far numbers are apart: bits, units in the last place, and sizes."""

import math

import numpy as np
import pytest

from specnet.running.verification.file_differences import are_same, distance


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [1.0, -1.0, 3e-5, 0.0, -1e30])
def test_each_next_number_is_one_ulp_away(dtype, value):
    then = np.array([value, 2.0], dtype)
    now = then.copy()
    for steps in range(1, 4):
        now[0] = np.nextafter(now[0], dtype(np.inf))
        found = distance(then, now)
        assert (found.count, found.size, found.ulps) == (1, 2, steps)
        assert found.absolute == abs(float(now[0]) - float(then[0]))
        assert found.relative == found.absolute / max(abs(float(then[0])), 2.0)


def test_ulps_across_zero_count_the_numbers_between():
    smallest = np.nextafter(np.float32(0), np.float32(1))
    found = distance(np.array([-smallest]), np.array([smallest]))
    assert found.ulps == 3  # over -0 and 0
    assert distance(np.array([-np.inf]), np.array([np.inf])).ulps == 2 * int(np.array(np.inf).view(np.uint64)) + 1


def test_the_sign_of_zero_is_a_bit():
    then, now = np.array([0.0]), np.array([-0.0])
    assert not are_same(then, now)
    found = distance(then, now)
    assert (found.count, found.ulps, found.absolute, found.relative) == (1, 1, 0.0, 0.0)


def test_where_all_was_zero_no_difference_is_small():
    assert distance(np.zeros(2), np.array([0.0, 1e-300])).relative == math.inf


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_longer_finite_is_infinitely_far_away(number):
    then = np.array([number, 1.0])
    assert (distance(then, np.array([1.0, 1.0])).relative, distance(np.ones(2), then).relative) == (math.inf, math.inf)
    assert distance(then, np.array([number, 1.5])).relative == 0.5


def test_numbers_of_documents_are_those_of_their_digits():
    found = distance("0.1", repr(math.nextafter(0.1, 1)))
    assert (found.ulps, found.size) == (1, 1)
    assert found.relative == pytest.approx(1.4e-16, rel=0.1)
    assert are_same("0.1", "0.1")


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("1", "2"),  # numbers of rows
        ("1", "1.0"),
        ('"a"', '"b"'),
        ("null", "0.5"),
        (None, "0.5"),
        (np.ones(2), np.ones(3)),
        (np.ones(2), np.ones(2, np.float32)),
        (np.array([1, 2]), np.array([1, 3])),
        (np.ones(1), "1.0"),
    ],
)
def test_what_is_no_matter_of_rounding_has_no_distance(then, now):
    assert not are_same(then, now)
    assert distance(then, now) is None
