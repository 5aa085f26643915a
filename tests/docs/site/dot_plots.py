"""Dot plots of the benchmark, made of the figures in the tables of its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "benchmark.md"
STEP = re.compile(r"^\| ([^|]+) \| (NumPy engine|compiled engine|jax|scikit-learn|torch|Keras) \| ([\d.]+) \|", re.M)
GAIN = re.compile(r"^\| (\w+) \| (MLP|boosting|linear) \| [\d.]+ \| ([+-][\d.]+) ± ([\d.]+) \|", re.M)
OURS = ("NumPy engine", "compiled engine")
LINE, AXIS = 21.0, 56.0
"""Heights of a line and of the axis below, in units."""


def figures() -> Iterator[tuple[str, list[Figure]]]:
    """Yield the name of each plot, and one chart for each network or table."""
    text = PAGE.read_text("utf-8")
    yield "steps", [_steps(network, rows) for network, rows in _grouped(STEP.findall(text))]
    yield "gains", [_gains(table, rows) for table, rows in _grouped(GAIN.findall(text))]


def _grouped(rows: list[tuple[str, ...]]) -> list[tuple[str, list[tuple[str, ...]]]]:
    names = dict.fromkeys(row[0] for row in rows)
    return [(name, [row[1:] for row in rows if row[0] == name]) for name in names]


def _steps(network: str, rows: list[tuple[str, ...]]) -> Figure:
    names, times = [name for name, _ in rows], [float(time) for _, time in rows]
    texts = [
        f"{name} {time:,.{0 if time >= 100 else 3}{'f' if time >= 100 else 'g'}}".replace(",", " ")
        for name, time in zip(names, times, strict=True)
    ]
    x = Axis.over(times, label="µs for a step, logarithmic", log=True, margin=0.05)
    chart = Chart(f"{network}: {', '.join(texts)} µs", x, Axis.of_names(texts), height=AXIS + LINE * len(rows))
    styles = ["class-1" if name in OURS else "plain" for name in names]
    for place, (time, style, text) in enumerate(zip(times, styles, texts, strict=True)):
        chart.points([time], [place], radius=4.0, style=style, hover=[f"{text} µs"])
    return Figure(network.partition(",")[0], network.partition(", ")[2], chart.svg())


def _gains(table: str, rows: list[tuple[str, ...]]) -> Figure:
    names = [name for name, _, _ in rows]
    gains = [100 * float(gain) for _, gain, _ in rows]
    errors = [200 * float(error) for _, _, error in rows]
    ends = [end for gain, error in zip(gains, errors, strict=True) for end in (gain - error, gain + error)]
    texts = [f"{name} {gain:+.1f}".replace("-", "−") for name, gain in zip(names, gains, strict=True)]
    x = Axis.over([0.0, *ends], label="points in favour of the recipe", margin=0.05)
    chart = Chart(f"{table}: recipe minus {', '.join(texts)} points", x, Axis.of_names(texts), height=AXIS + LINE * 3)
    chart.line([0.0, 0.0], [-0.5, len(rows) - 0.5], "grid")
    for place, (gain, error) in enumerate(zip(gains, errors, strict=True)):
        chart.line([gain - error, gain + error], [place, place], "whisker")
        chart.points([gain], [place], radius=4.0, style="class-1")
    return Figure(table, "Lines are two standard errors.", chart.svg())
