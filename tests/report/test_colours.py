"""One colour for a class in all charts of a page, and for nothing else."""

from __future__ import annotations

import re

import numpy as np
import pytest

from specnet.model import Answers
from specnet.report.class_charts import class_figures
from specnet.report.svg.axes import Unit
from specnet.report.svg.charts import mark_alone
from specnet.report.svg.colours import CHART_STYLE
from specnet.report.value_charts import Response, response_figures
from tests.report.drawn import Drawn

NAMES = [f"kind {index}" for index in range(13)]
COLOUR = dict(re.findall(r"\.specnet-chart \.((?:class|series)-\d)[^}]*?var\(--(class-\d)\)", CHART_STYLE))
"""The variable that fills or strokes each style."""


def colours(chart: str, tag: str, style: str) -> list[str]:
    """The colours of the elements of a tag and style, empty for those without the colour of a class."""
    found = [element.attrib["class"].split() for element in Drawn(chart).all(tag, style)]
    return [next((COLOUR[name] for name in names if name in COLOUR), "") for names in found]


def response(outputs: tuple[int, ...], unit: Unit | None) -> Response:
    mean, cells = np.full((len(outputs), 3), 0.5), np.arange(3.0)
    return Response(100, "column", cells, ["0", "1", "2"], unit, outputs, mean, cells * 0, cells * 0 + 1)


@pytest.mark.parametrize("count", [3, 13])
def test_a_class_has_the_colour_of_its_mark_in_its_confusion_table_and_in_responses(count: int) -> None:
    names = NAMES[:count]
    (confusion,) = class_figures(np.eye(count) * 5 + 1, names, None)
    of_marks = [COLOUR[re.findall(r"class-\d", mark_alone(kind))[0]] for kind in range(count)]
    diagonal = [name for name in colours(confusion.chart, "rect", "") if name]
    assert diagonal == of_marks
    assert len(colours(confusion.chart, "rect", "wrong")) == count * (count - 1)
    order = (2, 0) if count == 3 else (12, 3)
    curves, dots = response_figures([response(order, "number"), response(order, None)], names, are_probabilities=True)
    assert colours(curves.chart, "path", "line") == [of_marks[kind] for kind in order]
    assert colours(curves.chart, "path", "band") == [of_marks[order[0]]]
    assert set(colours(dots.chart, "circle", "dot")) == {of_marks[order[0]]}


def test_charts_about_a_class_have_its_colour_and_charts_about_all_have_none() -> None:
    generator = np.random.default_rng(0)
    for classes, of_calibration in [(2, "class-1"), (3, "")]:
        probability = generator.dirichlet([0.3, *[3.0] * (classes - 1)], 200)
        target = (probability.cumsum(axis=1) > generator.random((200, 1))).argmax(axis=1)
        losses = -np.log(probability[np.arange(200), target])
        answers = Answers(target, target, losses, probability.argmax(axis=1), probability, None)
        charts = {figure.title: figure.chart for figure in class_figures(None, NAMES[:classes], answers, answers)}
        assert colours(charts["Calibration"], "path", "line dashed") == [""]
        assert set(colours(charts["Calibration"], "circle", "dot")) == {of_calibration}
        assert of_calibration in colours(charts["Calibration"], "path", "line")
        if classes == 2:
            assert set(colours(charts["ROC curve"], "circle", "dot")) == {"class-1"}
            # The first class is the rare one.
            assert set(colours(charts["Precision and recall"], "circle", "dot")) == {"class-0"}
            assert "class-0" in colours(charts["Precision and recall"], "path", "line")
