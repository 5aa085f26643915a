"""The learning rate as a curve and as numbers."""

import json
import math
from typing import Any

import pytest

from specnet.report.terminal.rate_curve import HEIGHT, MAX_EVALUATED, MAX_POINTS, WIDTH, RateCurve
from tests.registry import find
from tests.texts.pinned import Pinned


def schedule(name: str, **fields: Any) -> Any:
    return find("schedule", name)(**fields)


def curve_of(rate: float, followed: Any, epochs: int, steps: int, optimizer: str = "sgd") -> RateCurve:
    return RateCurve(find("optimizer", optimizer)(learning_rate=rate, schedule=followed), epochs, steps)


COSINE, LATE = schedule("cosine_decay"), schedule("step_decay", factor=0.1, every=3)


def heights(curve: RateCurve) -> list[list[int]]:
    """Return the rows, from the bottom, that have a mark in each column."""
    lines = curve.lines()[1 : HEIGHT + 1]
    rows = [line.split("|")[1].ljust(WIDTH) for line in reversed(lines)]
    return [[height for height in range(HEIGHT) if rows[height][column] == "*"] for column in range(WIDTH)]


def test_a_straight_way_down(pinned: Pinned):
    curve = curve_of(0.5, schedule("polynomial_decay"), epochs=61, steps=2)
    pinned(curve.summary())
    pinned("\n".join(curve.lines()))


@pytest.mark.parametrize(
    "followed",
    [
        *map(schedule, ("cosine_decay", "one_cycle", "cosine_log")),
        schedule("step_decay", factor=0.5, every=30),
        schedule("warmup", length=20, then=COSINE),
    ],
    ids=str,
)
@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (3, 1), (20, 3), (61, 1), (50, 7)])
def test_marks_stand_where_the_rates_are(followed, epochs: int, steps: int):
    curve = curve_of(0.01, followed, epochs, steps, "adam")
    rates = [0.01 * followed.factor_at(step, epochs * steps, steps) for step in range(epochs * steps)]
    assert curve.rates == rates
    scale = max(rates) or 1.0
    marked = heights(curve)
    for column in range(WIDTH):
        first = column * len(rates) // WIDTH
        covered = rates[first : max((column + 1) * len(rates) // WIDTH, first + 1)]
        expected = {round(rate / scale * (HEIGHT - 1)) for rate in covered}
        assert (min(marked[column]), max(marked[column])) == (min(expected), max(expected))
        assert marked[column] == list(range(min(expected), max(expected) + 1))


def test_the_lowest_and_the_highest_rate_have_their_places(pinned: Pinned):
    pinned(curve_of(1.0, schedule("warmup", length=4, then=LATE), 5, 2).lines()[-1])


def test_all_lines_fit_into_eighty_characters():
    curve = curve_of(1.2345e-5, COSINE, 2_000_000, 5)
    assert max(map(len, curve.lines())) <= 80
    assert curve.lines()[13].split("  ")[-1].strip() == "10 000 000"


def test_a_long_run_is_looked_at_here_and_there():
    curve = curve_of(0.01, COSINE, 1_000_000, 1)
    assert len(curve.steps) <= MAX_EVALUATED + 1
    assert (curve.steps[0], curve.steps[-1]) == (0, 999_999)
    points = curve.as_dict()["points"]
    assert len(points) <= MAX_POINTS + 1
    assert (points[0]["step"], points[-1]["step"]) == (1, 1_000_000)


def test_a_plateau_is_told_of(pinned: Pinned):
    plateau = schedule("reduce_on_plateau", monitor="loss", factor=0.5)
    pinned(curve_of(0.01, schedule("warmup", length=2, then=plateau), 10, 1).lines()[-1])


def test_rates_as_data():
    curve = curve_of(0.5, schedule("step_decay", factor=0.5, every=2), 2, 2, "rprop")
    points = [{"step": step, "epoch": epoch, "rate": 0.5 / epoch} for step, epoch in enumerate((1, 1, 2, 2), 1)]
    expected = {"epochs": 2, "steps_per_epoch": 2, "lowest": 0.25, "highest": 0.5, "points": points}
    assert curve.as_dict() == expected | {"optimizer": json.loads(curve.optimizer.model_dump_json())}


def test_a_rate_beyond_all_numbers_stands_at_the_top(pinned: Pinned):
    curve = curve_of(0.01, schedule("exponential_decay", decay_rate=1e300), 3, 1)
    assert curve.rates[-1] == math.inf
    assert max(heights(curve)[-1]) == HEIGHT - 1
    assert curve.as_dict()["points"][-1]["rate"] is None
    pinned(curve.lines()[-1])
