"""Axes of charts: ranges, positions and ticks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specnet.report.svg.axes import Axis

NOT_SHOWN = [math.nan, math.inf, -math.inf, 1e305]
SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def value_of(text: str) -> float:
    """Return the number that a tick says."""
    text = text.replace("−", "-").replace(" ", "")
    if "10" in text and any(character in text for character in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"):
        digits, _, power = text.rpartition("10")
        return float(f"{digits.removesuffix('·') or '1'}e{power.translate(SUPERSCRIPTS)}")
    return float(text)


numbers = st.floats(-1e12, 1e12, allow_nan=False)


@given(st.lists(numbers, min_size=1, max_size=5), st.integers(2, 7))
def test_linear_ticks_ascend_within_the_axis_and_say_their_values(values: list[float], most: int) -> None:
    axis = Axis.over(values)
    ticks = axis.ticks(most)
    places = [value for value, _ in ticks]
    assert len(ticks) <= most
    assert all(first < second for first, second in pairwise(places))
    span = axis.high - axis.low
    assert all(axis.low - 1e-6 * span <= place <= axis.high + 1e-6 * span for place in places)
    assert len({text for _, text in ticks}) == len(ticks)
    for place, text in ticks:
        assert value_of(text) == pytest.approx(place, abs=1e-3 * span)
    steps = np.diff(places)
    assert np.allclose(steps, steps[:1], rtol=1e-3)


@given(st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=5), st.integers(2, 7))
def test_logarithmic_ticks_ascend_within_the_axis_and_say_their_values(values: list[float], most: int) -> None:
    axis = Axis.over(values, log=True)
    ticks = axis.ticks(most)
    assert 0 < len(ticks) <= most
    assert all(first < second for (first, _), (second, _) in pairwise(ticks))
    for place, text in ticks:
        assert axis.low * (1 - 1e-6) <= place <= axis.high * (1 + 1e-6)
        assert value_of(text) == pytest.approx(place, rel=1e-3)


@given(numbers, numbers)
def test_two_ticks_are_always_found(one: float, other: float) -> None:
    assert len(Axis.over([one, other]).ticks(5)) >= 2


def test_what_cannot_be_shown_is_left_out() -> None:
    assert Axis.over([*NOT_SHOWN, 2, 5]) == Axis(2, 5)
    assert Axis.over([*NOT_SHOWN, -1, 0, 2, 5], log=True) == Axis(2, 5, log=True)
    positions = Axis(0, 10).positions([*NOT_SHOWN, 5, 20])
    assert np.isnan(positions[:4]).all()
    assert positions[4:].tolist() == [0.5, 2.0]
    assert np.isnan(Axis(1, 100, log=True).positions([0, -1, math.nan])).all()


def test_an_axis_without_values_has_a_range() -> None:
    assert Axis.over() == Axis.over([]) == Axis.over(NOT_SHOWN) == Axis(0, 1)
    assert Axis.over([-1.0], log=True) == Axis(1, 10, log=True)


@pytest.mark.parametrize(
    ("value", "log"),
    [*((value, False) for value in (0.0, 3.0, -2e-9, 7e200, 5e-324)), (1e-300, True), (0.2, True), (1e300, True)],
)
def test_a_single_value_lies_in_the_middle(value: float, log: bool) -> None:
    assert Axis.over([value, value], log=log).positions([value]).tolist() == [pytest.approx(0.5)]


def test_equal_ratios_are_equally_far_apart() -> None:
    assert np.allclose(Axis(1, 10000, log=True).positions([1, 10, 100, 1000, 10000]), np.linspace(0, 1, 5))


def test_the_extreme_range_is_shown() -> None:
    assert Axis.over([-1e300, 1e300]).positions([0.0]).tolist() == [0.5]
    assert len(Axis.over([5e-324, 1e300], log=True).ticks(5)) > 1


def test_zero_is_included_if_little_stays_empty() -> None:
    assert Axis.over([0.2, 0.9], zero=True).low == 0
    assert Axis.over([0.5, 0.9], zero=True).low == 0.5
    assert Axis.over([-0.2, 0.9], zero=True).low == -0.2


def test_margins_are_fractions_of_the_range() -> None:
    assert Axis.over([0, 10], margin=0.1) == Axis(-1, 11)
    axis = Axis.over([1, 100], log=True, margin=0.5)
    assert (axis.low, axis.high) == (pytest.approx(0.1), pytest.approx(1000))


@pytest.mark.parametrize(
    ("axis", "texts"),
    [
        (Axis(0, 1), ["0", "0.25", "0.50", "0.75", "1.00"]),
        (Axis(0, 20000), ["0", "5 000", "10 000", "15 000", "20 000"]),
        (Axis(-1.3, 2.4), ["−1", "0", "1", "2"]),
        (Axis(1e-6, 3e-6), ["1.0·10⁻⁶", "1.5·10⁻⁶", "2.0·10⁻⁶", "2.5·10⁻⁶", "3.0·10⁻⁶"]),
        (Axis(1, 20000, log=True), ["1", "10", "100", "1 000", "10 000"]),
        (Axis(1e-7, 3, log=True), ["10⁻⁷", "10⁻⁵", "10⁻³", "10⁻¹"]),
        (Axis(0.15, 6, log=True), ["0.2", "0.5", "1", "2", "5"]),
    ],
)
def test_ticks_read_well(axis: Axis, texts: list[str]) -> None:
    assert [text for _, text in axis.ticks(5)] == texts


def test_names_are_ticks() -> None:
    axis = Axis.of_names(["first", "second"], "column")
    assert axis.ticks(1) == [(0, "first"), (1, "second")]
    assert axis.positions([0, 1]).tolist() == [0.25, 0.75]
    assert Axis.of_names([]).ticks(3) == [(0, "")]
