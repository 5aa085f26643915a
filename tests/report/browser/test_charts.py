"""Charts and diagrams in a browser: texts stay within their picture and apart, as real fonts have it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet.report.network_diagram import NetworkDiagram
from specnet.report.svg.charts import Axis, Chart
from specnet.report.svg.colours import CHART_STYLE, FONTS, theme
from tests.report.browser.checks import script
from tests.report.networks import dense, initial, network, residual

pytestmark = pytest.mark.slow  # a browser is a process


def charts() -> list[str]:
    """Return charts with all kinds of ticks and names, and diagrams of all kinds of networks."""
    made: list[str] = []
    ranges = [[0, 1], [-1.3, 2.4], [1, 20000], [1e-7, 3e-7], [1e9, 1e9 + 5], [3, 3], [-1e300, 1e300], [0.5, 1.8e6]]
    for values, log in [(values, log) for values in ranges for log in (False, True) if values[0] > 0 or not log]:
        axis = Axis.over(values, label="a label", log=log)
        chart = Chart("range", axis, axis)
        for k in range(7):
            chart.line(values, [values[-1]] * 2, f"series-{k}", name=f"layers.{k}", value="0.2993")
        made.append(chart.svg())
    few = ["mean radius", "worst concave points of all", "x", "WWWWWWWWWWWW", "名前名前名前", "iiii"]
    for names in (few, [f"class {k}" for k in range(40)]):
        made.append(Chart("names", Axis.of_names(names, "predicted"), Axis.of_names(names, "true")).svg())
    chart = Chart("texts", Axis(0, 1), Axis(0, 1))
    chart.text(0, 0.2, "at the lower left")
    chart.text(1, 0.9, "at the upper right")
    made.append(chart.svg())
    names = ["one", "another_with_a_long_name"]
    joined = {"type": "concatenate", "inputs": names}
    networks = [
        network(dense(5, "relu"), dense(1)),
        residual(3),
        residual(8),
        network(dense(500, "relu"), {"type": "batch_normalization"}, {"type": "dropout"}, dense(1), inputs=200),
        network(*[dense(20 + k, "relu") for k in range(40)], dense(1)),
        network({"type": "piecewise_linear_embedding"}, dense(3, "softmax"), loss="categorical_crossentropy"),
        network(*[dense(5, "relu", name=name, inputs=["input"]) for name in names], joined, dense(1)),
    ]
    for resolved in networks:
        outputs = ["setosa", "versicolor", "virginica or another"][: resolved.outputs]
        inputs = [f"column {k} of all" for k in range(resolved.inputs)]
        drawn = NetworkDiagram(resolved, initial(resolved), input_names=inputs, output_names=outputs)
        made.append(drawn.svg())
    return made


def found_in(tab: Any, page: Path, pictures: list[str]) -> list[str]:
    style = f"{theme(':root')}{CHART_STYLE} body {{ font-family: {FONTS}; }} svg {{ width: auto; }}"
    # At the size at which they are drawn.
    style += " .specnet-chart, .specnet-network { width: auto; }"
    page.write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style>{''.join(pictures)}", "utf-8")
    tab.goto(page.resolve().as_uri())
    return list(tab.evaluate(script("texts")))


def test_texts_stay_within_their_picture_and_apart(tab: Any, tmp_path: Path) -> None:
    assert not found_in(tab, tmp_path / "page.html", charts())


def test_texts_that_lie_on_each_other_are_caught(tab: Any, tmp_path: Path) -> None:
    chart = Chart("texts", Axis(0, 1), Axis(0, 1))
    chart.text(0.5, 0.5, "one text")
    chart.text(0.52, 0.5, "another text")
    assert len(found_in(tab, tmp_path / "page.html", [chart.svg()])) == 1
    leaving = '<svg role="img" width="50" height="20"><text x="40" y="10">leaves it</text></svg>'
    assert len(found_in(tab, tmp_path / "page.html", [leaving])) == 1


def test_reused_points_have_their_colours(tab: Any, tmp_path: Path) -> None:
    first, second = (Chart("rows", Axis(0, 1), Axis(0, 1), bare=True) for _ in range(2))
    first.points([0.5], [0.5], [1], identity="rows")
    second.surface(np.zeros((2, 2)))
    second.reuse("rows")
    page = tmp_path / "page.html"
    # The first one is out of sight.
    style = f"{theme(':root')}{CHART_STYLE} body {{ margin: 0; }} svg:first-of-type {{ position: fixed; top: 500px; }}"
    page.write_text(f"<!doctype html><style>{style}</style>{first.svg()}{second.svg()}", "utf-8")
    tab.goto(page.resolve().as_uri())
    picture = base64.b64encode(tab.screenshot()).decode()
    assert tab.evaluate(script("colours"), [picture, [[0.5, 0.5]]]) == [[0x1F, 0x6B, 0xB8]]
