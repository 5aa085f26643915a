"""The learning rate as a curve and as numbers."""

import json
import math

import pytest

from specnet.parts.optimizers import Adam, Rprop, Sgd
from specnet.parts.schedules import (
    CosineDecay,
    CosineLog,
    ExponentialDecay,
    OneCycle,
    PolynomialDecay,
    ReduceOnPlateau,
    StepDecay,
    Warmup,
)
from specnet.report.terminal.rate_curve import HEIGHT, MOST_EVALUATED, MOST_POINTS, WIDTH, RateCurve
from tests.texts.pinned import Pinned


def heights(curve: RateCurve) -> list[list[int]]:
    """Return the rows, from the bottom, that have a mark in each column."""
    lines = curve.lines()[1 : HEIGHT + 1]
    rows = [line.split("|")[1].ljust(WIDTH) for line in reversed(lines)]
    return [[height for height in range(HEIGHT) if rows[height][column] == "*"] for column in range(WIDTH)]


def test_a_straight_way_down(pinned: Pinned):
    curve = RateCurve(Sgd(learning_rate=0.5, schedule=PolynomialDecay()), epochs=61, steps_per_epoch=2)
    pinned(curve.summary())
    pinned("\n".join(curve.lines()))
    assert curve.lines()[1:13] == [
        "  0.5 |****",
        "      |   *******",
        "      |         *******",
        "      |               *******",
        "      |                     *******",
        " 0.25 |                           *******",
        "      |                                  ******",
        "      |                                        ******",
        "      |                                              ******",
        "      |                                                    ******",
        "    0 |                                                          ***",
        "      +" + "-" * 61,
    ]


@pytest.mark.parametrize(
    "schedule",
    [CosineDecay(), OneCycle(), CosineLog(), StepDecay(factor=0.5, every=30), Warmup(length=20, then=CosineDecay())],
    ids=str,
)
@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (3, 1), (20, 3), (61, 1), (50, 7)])
def test_marks_stand_where_the_rates_are(schedule, epochs: int, steps: int):
    curve = RateCurve(Adam(learning_rate=0.01, schedule=schedule), epochs, steps)
    rates = [0.01 * schedule.factor_at(step, epochs * steps, steps) for step in range(epochs * steps)]
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
    schedule = Warmup(length=4, then=StepDecay(factor=0.1, every=3))
    curve = RateCurve(Sgd(learning_rate=1.0, schedule=schedule), 5, 2)
    pinned(curve.lines()[-1])


def test_all_lines_fit_into_eighty_characters():
    curve = RateCurve(Sgd(learning_rate=1.2345e-5, schedule=CosineDecay()), 2_000_000, 5)
    assert max(map(len, curve.lines())) <= 80
    assert curve.lines()[13].split("  ")[-1].strip() == "10 000 000"


def test_a_long_run_is_looked_at_here_and_there():
    curve = RateCurve(Sgd(schedule=CosineDecay()), 1_000_000, 1)
    assert len(curve.steps) <= MOST_EVALUATED + 1
    assert (curve.steps[0], curve.steps[-1]) == (0, 999_999)
    points = curve.as_dict()["points"]
    assert len(points) <= MOST_POINTS + 1
    assert (points[0]["step"], points[-1]["step"]) == (1, 1_000_000)


def test_a_plateau_is_told_of(pinned: Pinned):
    optimizer = Sgd(schedule=Warmup(length=2, then=ReduceOnPlateau(monitor="loss", factor=0.5)))
    pinned(RateCurve(optimizer, 10, 1).lines()[-1])


def test_rates_as_data():
    curve = RateCurve(Rprop(learning_rate=0.5, schedule=StepDecay(factor=0.5, every=2)), 2, 2)
    assert curve.as_dict() == {
        "optimizer": json.loads(curve.optimizer.model_dump_json()),
        "epochs": 2,
        "steps_per_epoch": 2,
        "lowest": 0.25,
        "highest": 0.5,
        "points": [{"step": step, "epoch": epoch, "rate": 0.5 / epoch} for step, epoch in enumerate((1, 1, 2, 2), 1)],
    }


def test_a_rate_beyond_all_numbers_stands_at_the_top(pinned: Pinned):
    curve = RateCurve(Sgd(schedule=ExponentialDecay(decay_rate=1e300)), 3, 1)
    assert curve.rates[-1] == math.inf
    assert max(heights(curve)[-1]) == HEIGHT - 1
    assert curve.as_dict()["points"][-1]["rate"] is None
    pinned(curve.lines()[-1])
