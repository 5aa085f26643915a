"""Charts: what is drawn where, what is left out, and names that are only text."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart
from specnet.report.svg.markup import escaped, number, shortened, text_width
from specnet.report.svg.pixels import HUES, data_uri, png
from tests.report.drawn import CLUMSY, Drawn, decoded, place_of

TEN, ONE = Axis(0, 10), Axis(0, 1)


def bare(x: Axis = TEN, y: Axis = ONE) -> Chart:
    """Return a chart whose frame is 100 × 50 units from (4, 4)."""
    return Chart("a chart", x, y, width=108, height=58, bare=True)


@pytest.mark.parametrize(
    ("axes", "x", "y", "pieces"),
    [
        ((TEN, ONE), [0, 5, 10], [0, 1, 0.5], [[(4, 54), (54, 4), (104, 29)]]),
        (
            (Axis(1, 100, log=True), Axis(0.01, 1, log=True)),
            [1, 10, 100],
            [1, 0.1, 1],
            [[(4, 4), (54, 29), (104, 4)]],
        ),
        ((TEN, ONE), [0, 2, 3, 5, 7, 10], [0, 1, np.nan, 0, np.inf, 1], [[(4, 54), (24, 4)], [(54, 54)], [(104, 4)]]),
    ],
    ids=["linear", "logarithmic", "with gaps"],
)
def test_a_line_goes_through_its_points(axes: tuple[Axis, Axis], x: list[float], y: list[float], pieces: object):
    chart = bare(*axes)
    chart.line(x, y)
    assert Drawn(chart.svg()).lines("line series-0") == pieces


def test_a_line_without_values_is_left_out() -> None:
    chart = bare(y=Axis(1, 10, log=True))
    chart.line([1, 2], [np.nan, -1], name="nothing")
    drawn = Drawn(chart.svg())
    assert not drawn.all("path")
    assert drawn.texts() == ["no values to show"]


def test_a_line_beyond_the_axes_is_cut_off() -> None:
    chart = bare()
    chart.line([0, 10], [0.5, 100])
    (window,) = Drawn(chart.svg()).windows()
    # A line ends at most a unit beyond the frame, half of what it is wide.
    assert place_of(window) == [3, 3, 102, 52]
    assert window.attrib["viewBox"] == "3 3 102 52"
    chart = bare()
    chart.line([0, 10], [0, 1])
    assert not Drawn(chart.svg()).windows()


def test_spikes_of_long_lines_are_seen() -> None:
    x = np.arange(200_000.0)
    y = np.full(len(x), 0.5)
    y[123_456], y[77_000] = 1.0, 0.0
    chart = Chart("loss", Axis.over(x), Axis(0, 1), width=108, height=58, bare=True)
    chart.line(x, y)
    (points,) = Drawn(chart.svg()).lines("line")
    assert (min(points, key=lambda point: point[1])) == (pytest.approx(4 + 100 * 0.61728, abs=0.1), 4)
    assert max(y for _, y in points) == 54
    assert len(points) < 20


@pytest.mark.slow
def test_a_long_noisy_line_stays_small() -> None:
    y = np.random.default_rng(0).normal(size=1_000_000)
    chart = Chart("noise", Axis(0, len(y)), Axis.over(y))
    chart.line(np.arange(len(y)), y, name="train", hover=lambda x, y: f"{x}: {y}")
    assert len(chart.svg()) < 20_000


def test_hover_values_are_those_of_the_line() -> None:
    chart = Chart("loss", Axis(0, 999), Axis(0, 999))
    chart.line(np.arange(1000), np.arange(1000), hover=lambda x, y: f"epoch {x:.0f}: {y:.1f}")
    hovers = Drawn(chart.svg()).hovers()
    assert (hovers[0], hovers[-1], len(hovers)) == ("epoch 0: 0.0", "epoch 999: 999.0", 40)


def test_points_have_the_marks_of_their_classes() -> None:
    chart = Chart("rows", Axis(0, 1), Axis(0, 1))
    x = np.linspace(0.1, 0.9, 6)
    chart.points([*x, np.nan, 7], [*x, 0, 0], [0, 1, 2, 3, 0, 1, 0, 0], held_out=[1, *[0] * 7], hover=list("abcdefgh"))
    drawn = Drawn(chart.svg())
    marks = drawn.all("path", "point")
    assert len(marks) == 6
    assert drawn.hovers() == list("abcdef")
    shapes = [mark.attrib["d"].split("m")[1] for mark in marks]
    assert len(set(shapes)) == 4
    assert (shapes[0], shapes[1]) == (shapes[4], shapes[5])
    assert [len(drawn.all("path", f"class-{k}")) for k in range(4)] == [2, 2, 1, 1]
    assert [mark.attrib["class"] for mark in drawn.all("path", "held-out")] == ["point class-0 held-out"]


def test_small_pictures_draw_each_kind_of_point_at_once_and_reuse_them() -> None:
    chart = bare()
    chart.points([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1], identity="rows")
    drawn = Drawn(chart.svg())
    assert [mark.attrib["d"].count("M") for mark in drawn.all("path", "point")] == [2, 2]
    (group,) = drawn.all("g")
    assert group.attrib["id"] == "rows"
    chart = bare()
    chart.reuse("rows")
    (use,) = Drawn(chart.svg()).all("use")
    assert use.attrib["href"] == "#rows"


def test_plain_points_have_radii() -> None:
    chart = bare()
    chart.points([2, np.inf, 4], [0.5, 0.5, 1.0], radius=[1, 2, 3])
    circles = [[float(dot.attrib[name]) for name in ("cx", "cy", "r")] for dot in Drawn(chart.svg()).all("circle")]
    assert circles == [[24, 29, 1], [44, 4, 3]]


def test_a_contour_lies_where_a_sigmoid_is_a_half() -> None:
    x, y = np.linspace(-2, 3, 90), np.linspace(-1, 2, 90)
    grid = np.stack(np.meshgrid(x, y), -1)
    chart = Chart("plane", Axis(-2, 3), Axis(-1, 2), width=508, height=308, bare=True)
    chart.contour(1 / (1 + np.exp(-(1.5 * grid[..., 0] - 2 * grid[..., 1] + 0.3))), 0.5, hover="0.5")
    drawn = Drawn(chart.svg())
    (line,) = drawn.cuts()
    for across, down in line:
        here = -2 + (across - 4) / 100, 2 - (down - 4) / 100
        assert 1.5 * here[0] - 2 * here[1] + 0.3 == pytest.approx(0, abs=0.02)
    assert {down for _, down in (line[0], line[-1])} == {4, 304}
    assert drawn.hovers() == ["0.5"]


def test_contours_leave_out_what_is_not_finite() -> None:
    surface = np.add.outer(np.linspace(0, 1, 20), np.zeros(30))
    surface[:, :15] = np.nan
    chart = bare()
    chart.contour(surface, 0.5)
    chart.contour(surface, 7.0)
    (line,) = Drawn(chart.svg()).cuts()
    assert [y for _, y in line] == [29, 29]
    assert min(x for x, _ in line) > 50


def test_transparency_is_the_value() -> None:
    hues = ((200, 0, 0), (0, 0, 200))
    strength = np.array([[0, 0.5, 1], [np.nan, 2, -1]])
    image = decoded(png(strength, np.array([[0, 0, 1], [1, 1, 0]]), hues))
    assert image[..., 3].tolist() == [[0, pytest.approx(127.5, abs=255 / 39), 255], [0, 255, 0]]
    assert image[0, 2, :3].tolist() == [0, 0, 200]
    assert image[0, 1, :3].tolist() == [200, 0, 0]
    ten = decoded(png(np.ones((1, 10)), np.arange(10)[None], tuple((k, k, k) for k in range(10))))
    assert ten[0, :, 0].tolist() == list(range(10))


def test_a_surface_has_its_lowest_row_at_the_bottom_and_its_corners_on_the_frame() -> None:
    values = np.zeros((3, 5))
    values[0, 0] = 1
    chart = bare()
    chart.surface(values)
    drawn = Drawn(chart.svg())
    (window,) = drawn.windows()
    assert place_of(window) == [4, 4, 100, 50]
    # The middles of the outer pixels are the corners.
    assert window.attrib["viewBox"] == "0.5 0.5 4 2"
    (image,) = drawn.all("image")
    assert image.attrib["href"] == data_uri(png(values[::-1], np.zeros((3, 5), int), HUES))
    assert decoded(png(values[::-1], 0, HUES))[2, 0, 3] == 255


def test_a_rectangle_lies_between_its_values() -> None:
    chart = bare(y=Axis.of_names(["first", "second"]))
    chart.rectangle((0, 5), (-0.5, 0.5), "bar", hover="first: 5")
    chart.rectangle((-5, 20), (0.5, 1.5), "bar", opacity=0.25)
    chart.rectangle((np.nan, 1), (0, 1), "bar")
    drawn = Drawn(chart.svg())
    first, second = drawn.all("rect", "bar")
    # Names begin at the top.
    # The frame of a chart without axes has y upwards.
    assert sorted(map(place_of, (first, second))) == [[4, 4, 100, 25], [4, 29, 50, 25]]
    assert second.attrib["opacity"] == "25%"
    assert drawn.hovers() == ["first: 5"]


def test_names_along_y_begin_at_the_top() -> None:
    chart = Chart("bars", Axis(0, 1), Axis.of_names(["first", "second", "third"]))
    chart.rectangle((0, 1), (-0.4, 0.4), "bar")
    drawn = Drawn(chart.svg())
    heights = {element.text: float(element.attrib["y"]) for element in drawn.all("text")}
    assert heights["first"] < heights["second"] < heights["third"]
    (bar,) = drawn.all("rect", "bar")
    assert abs(float(bar.attrib["y"]) + float(bar.attrib["height"]) / 2 - heights["first"]) < 6


@pytest.mark.parametrize("name", CLUMSY)
def test_names_are_text(name: str) -> None:
    chart = Chart(name, Axis(0, 1, name), Axis(0, 1, name))
    chart.line([0, 1], [0, 1], name=name, value=name, hover=lambda x, y: name)
    chart.points([0.5], [0.5], [0], hover=[name])
    chart.text(0.5, 0.5, name)
    chart.rectangle((0, 1), (0, 1), "bar", hover=name)
    drawn = Drawn(chart.svg())
    assert drawn.root.attrib["aria-label"] == name
    written = drawn.texts() + drawn.hovers()
    assert written.count(name) >= 7
    assert not drawn.all("script")
    assert not drawn.all("b")
    names = Chart("names", Axis.of_names([name, "other"]), Axis.of_names([name, "other"]))
    names.text(0, 0, "1")
    drawn = Drawn(names.svg())
    assert [*drawn.texts(), *drawn.hovers()].count(name) == 2


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\ud800", "\uffff"])
def test_what_no_xml_can_hold_is_replaced(character: str) -> None:
    chart = Chart(f"a{character}b", Axis(0, 1, f"a{character}b"), Axis(0, 1))
    drawn = Drawn(chart.svg())
    assert drawn.root.attrib["aria-label"] == "a\ufffdb"
    assert "a\ufffdb" in drawn.texts()
    assert escaped("tab\there") == "tab\there"


def test_names_at_the_ends_of_lines_do_not_touch() -> None:
    for count in (2, 5, 12, 40):
        chart = Chart("layers", Axis(0, 1), Axis(0, 1))
        for k in range(count):
            chart.line([0, 1], [0.5, 0.5 + 1e-3 * k], f"series-{k % 10}", name=f"layer {k}", value="0.5")
        drawn = Drawn(chart.svg())
        ends = sorted(
            float(element.attrib["y"])
            for element in drawn.all("text")
            if (element.text or "").startswith("layer") or element.text == "0.5"
        )
        assert all(below - above > 11 for above, below in pairwise(ends))
        assert all(0 < y < 236 for y in ends)
        names = [text for text in drawn.texts() if text.startswith("layer")]
        assert {"layer 0", f"layer {count - 1}"} <= set(names)
        assert names.index(f"layer {count - 1}") < names.index("layer 0")


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[1, 2], [0.001, 0.00102], [1, 1e9], [1e-12, 1e12], [123456, 123457], [5, 5]])
@pytest.mark.parametrize("width", [200, 340, 440])
def test_ticks_along_x_do_not_overlap_and_lie_within(values: list[float], log: bool, width: float) -> None:
    chart = Chart("range", Axis.over(values, log=log, label="x"), Axis.over(values, log=log, label="y"), width=width)
    drawn = Drawn(chart.svg())
    along_x = [element for element in drawn.all("text") if element.get("text-anchor") == "middle"]
    ticks = [(float(e.attrib["x"]), text_width(e.text or "") / 2) for e in along_x if e.text != "no values to show"]
    assert ticks
    assert all(x + half < next_x - other for (x, half), (next_x, other) in pairwise(ticks))
    for element in drawn.all("text"):
        text, x = element.text or "", float(element.attrib["x"])
        before = {"middle": 0.5, "end": 1.0}.get(element.get("text-anchor", ""), 0.0) * text_width(text)
        assert x - before >= -1
        assert x - before + text_width(text) <= width + 1
        assert 8 < float(element.attrib["y"]) < 236


def test_texts_are_moved_into_the_chart() -> None:
    chart = Chart("texts", Axis(0, 1), Axis(0, 1))
    for x, y in product((0, 1), repeat=2):
        chart.text(x, y, "a rather long text", "strong", anchor="middle")
    for element in Drawn(chart.svg()).all("text", "strong"):
        x, y = float(element.attrib["x"]), float(element.attrib["y"])
        half = text_width(element.text or "") / 2
        assert x - half >= 0
        assert x + half <= 340
        assert 10 < y < 236


def test_long_names_are_shortened_and_whole_on_hover() -> None:
    name = "a name that is far too long to stand at the end of a line"
    chart = Chart("long", Axis(0, 1), Axis(0, 1))
    chart.line([0, 1], [0, 1], name=name)
    drawn = Drawn(chart.svg())
    (shown,) = drawn.texts("name-0")
    start, end = shown.split("…")
    assert name.startswith(start)
    assert name.endswith(end)
    assert len(start) > len(end) > 1
    assert drawn.hovers() == [name]
    assert shortened("short", 100) == "short"
    assert shortened("", 0) == ""
    assert text_width("wide") > text_width("thin") > 0
    assert text_width("\u0301") == 0


def test_shortened_names_that_differ_at_their_ends_are_told_apart() -> None:
    names = [f"class number {place:02}" for place in range(40)]
    for room, different in {28.0: 10, 80.0: 40}.items():
        shown = [shortened(name, room) for name in names]
        assert max(map(text_width, shown)) <= room
        assert len(set(shown)) == different
    assert text_width(shortened("long " * 20_000, 80.0)) <= 80.0


def test_a_chart_without_anything_says_so() -> None:
    assert "no values to show" in Drawn(Chart("empty", Axis.over([]), Axis.over([])).svg()).texts()


def test_the_description_stands_for_the_chart() -> None:
    drawn = Drawn(Chart("Loss by epoch: 0.8 at first, 0.3 at last", Axis(0, 1), Axis(0, 1)).svg("large"))
    assert drawn.root.attrib["role"] == "img"
    assert drawn.root.attrib["aria-label"] == "Loss by epoch: 0.8 at first, 0.3 at last"
    assert drawn.root.attrib["class"] == "specnet-chart large"
    assert drawn.size == (340, 236)


def test_numbers_are_short() -> None:
    assert [number(value) for value in (0.04, -0.04, 5, 5.25, -3.0)] == ["0", "0", "5", "5.2", "-3"]
