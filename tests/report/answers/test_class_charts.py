"""What charts of a classifier say in numbers, against the rows that they are of."""

from __future__ import annotations

import re

import numpy as np
import pytest

from specnet.model import Answers
from specnet.report.answers.class_charts import class_figures
from specnet.report.svg.charts import Figure
from tests.report.drawn import Drawn, place_of

ROWS = 400


def answers(classes: int) -> Answers:
    """Answers of a model that is right as often as it says."""
    rng = np.random.default_rng(classes)
    probability = rng.dirichlet(np.ones(classes), ROWS)
    target = np.array([rng.choice(classes, p=each) for each in probability])
    losses = -np.log(probability[np.arange(ROWS), target])
    return Answers(target, target, losses, probability.argmax(axis=1), probability, None)


def figures(classes: int, names: list[str]) -> dict[str, Figure]:
    return {figure.title: figure for figure in class_figures(None, names, answers(classes))}


@pytest.mark.parametrize("classes", [2, 3])
def test_calibration_has_a_bar_of_rows_for_each_probability(classes: int) -> None:
    figure = figures(classes, ["a", "b", "c"][:classes])["Calibration"]
    given = answers(classes).probability
    assert given is not None
    probability = given[:, 1] if classes == 2 else given.max(axis=1)
    expected = np.array([np.sum((probability >= k / 20) & (probability < (k + 1) / 20)) for k in range(20)])
    drawn = Drawn(figure.chart)
    bars = drawn.all("rect", "quiet")
    told = [re.fullmatch(r"(\d+) rows?: probability ([\d.]+) to ([\d.]+)", bar[0].text or "") for bar in bars]
    found = {round(20 * float(each[2])): int(each[1]) for each in told if each}
    assert found == {place: count for place, count in enumerate(expected.tolist()) if count}
    tops = [place_of(bar)[3] for bar in bars]
    np.testing.assert_allclose(np.array(tops) / max(tops), expected[expected > 0] / expected.max(), atol=0.005)
    assert f"Grey bars: how many rows have such a probability, at most {expected.max()}." in figure.note


def test_points_of_calibration_stand_in_their_intervals() -> None:
    drawn = Drawn(figures(2, ["a", "b"])["Calibration"].chart)
    whiskers, points = drawn.lines("whisker"), drawn.all("circle", "dot")
    assert len(whiskers) == len(points) == 10
    for ((x, low), (same, high)), point in zip(whiskers, points, strict=True):
        assert x == same == float(point.attrib["cx"])
        assert high < float(point.attrib["cy"]) < low
        assert re.search(r"came true [\d.]+ %, 95 % interval [\d.]+–[\d.]+ %", point[0].text or "")
