"""Schedules against their formulas."""

import math

import pytest

from specnet.parts.schedules import Constant, CosineDecay, Warmup


def test_constant_is_one():
    assert {Constant().factor_at(step, 100, 10) for step in range(100)} == {1.0}


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_cosine_decay_by_step(alpha: float):
    for step in range(50):
        expected = (1 - alpha) * (1 + math.cos(math.pi * step / 50)) / 2 + alpha
        assert CosineDecay(alpha=alpha).factor_at(step, 50, 7) == pytest.approx(expected, rel=1e-15)


def test_an_epoch_s_steps_share_a_factor():
    schedule = CosineDecay(unit="epoch")
    factors = [schedule.factor_at(step, 40, 10) for step in range(40)]
    expected = [(1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert factors == pytest.approx([factor for factor in expected for _ in range(10)])


@pytest.mark.parametrize(("unit", "steps"), [("step", 5), ("epoch", 50)])
def test_warmup_rises_to_one_and_hands_over(unit: str, steps: int):
    schedule = Warmup(unit=unit, length=5, then=CosineDecay())
    assert schedule.factor_at(0, 100, 10) == pytest.approx(1 / 5)
    assert schedule.factor_at(steps - 1, 100, 10) == pytest.approx(1)
    for step in range(steps, 100):
        expected = (1 + math.cos(math.pi * (step - steps) / (100 - steps))) / 2
        assert schedule.factor_at(step, 100, 10) == pytest.approx(expected)


def test_a_warmup_longer_than_the_run_only_rises():
    assert [Warmup(length=8).factor_at(step, 4, 4) for step in range(4)] == [1 / 8, 2 / 8, 3 / 8, 4 / 8]
