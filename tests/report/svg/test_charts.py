"""Charts: axes and ticks, what is drawn where, what is left out, names that are only text, and colours."""

from __future__ import annotations

import math
import re
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specnet.report.svg import charts, markup
from specnet.report.svg import colours as palette
from specnet.report.svg.axes import unit_of
from specnet.report.svg.charts import Axis, Chart
from tests.report.drawn import CLUMSY, Drawn, decoded, numbers, place_of

TEN, ONE = Axis(0, 10), Axis(0, 1)
GAPS = [math.nan, math.inf, -math.inf, 1e305]
SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
VALUES = {False: st.floats(-1e12, 1e12), True: st.floats(1e-30, 1e30)}


def drawn(chart: Chart) -> Drawn:
    return Drawn(chart.svg())


def bare(x: Axis = TEN, y: Axis = ONE) -> Chart:
    """Return a chart whose frame is 100 × 50 units from (4, 4)."""
    return Chart("a chart", x, y, width=108, height=58, bare=True)


# --------------------------------------------------------------------------------------------------------------- axes


def value_of(text: str) -> float:
    """Return the number in a tick, such as −1.5·10⁻⁷."""
    digits, power = re.fullmatch("(.*?)(?:·?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", text.replace(" ", "")).groups()
    return float(f"{digits or 1}e{power or 0}".translate(SUPERSCRIPTS))


@pytest.mark.parametrize("log", [False, True])
@given(data=st.data(), most=st.integers(2, 7))
def test_ticks_ascend_within_the_axis_and_say_their_values(log: bool, data: st.DataObject, most: int) -> None:
    axis = Axis.over(data.draw(st.lists(VALUES[log], min_size=1, max_size=5)), log=log)
    ticks = axis.ticks(most)
    places = [value for value, _ in ticks]
    assert log <= len(ticks) <= most
    assert all(first < second for first, second in pairwise(places))
    assert len({text for _, text in ticks}) == len(ticks)
    assert np.all(np.abs(axis.positions(places) - 0.5) <= 0.5 + 1e-6)
    near = {"rel": 1e-3} if log else {"abs": 1e-3 * (axis.high - axis.low)}
    assert [value_of(text) for _, text in ticks] == pytest.approx(places, **near)
    if not log:
        np.testing.assert_allclose(np.diff(places), np.diff(places)[:1].repeat(len(places) - 1), rtol=1e-3)
        assert len(axis.ticks(5)) >= 2


def test_what_cannot_be_shown_is_left_out() -> None:
    assert Axis.over([*GAPS, 2, 5]) == Axis(2, 5)
    assert Axis.over([*GAPS, -1, 0, 2, 5], log=True) == Axis(2, 5, log=True)
    assert Axis.over() == Axis.over([]) == Axis.over(GAPS) == ONE
    assert Axis.over([-1.0], log=True) == Axis(1, 10, log=True)
    np.testing.assert_array_equal(TEN.positions([*GAPS, 5, 20]), [np.nan] * 4 + [0.5, 2.0])
    assert np.isnan(Axis(1, 100, log=True).positions([0, -1, math.nan])).all()


@pytest.mark.parametrize(
    ("value", "log"),
    [*((value, False) for value in (0.0, 3.0, -2e-9, 7e200, 5e-324)), (1e-300, True), (0.2, True), (1e300, True)],
)
def test_a_single_value_lies_in_the_middle(value: float, log: bool) -> None:
    assert Axis.over([value, value], log=log).positions([value]).tolist() == [pytest.approx(0.5)]


def test_ranges_of_axes() -> None:
    np.testing.assert_allclose(Axis(1, 10000, log=True).positions([1, 10, 100, 1000, 10000]), np.linspace(0, 1, 5))
    assert Axis.over([-1e300, 1e300]).positions([0.0]).tolist() == [0.5]
    assert len(Axis.over([5e-324, 1e300], log=True).ticks(5)) > 1
    for low, start in ((0.2, 0), (0.5, 0.5), (-0.2, -0.2)):
        assert Axis.over([low, 0.9], zero=True).low == start
    assert Axis.over([0, 10], margin=0.1) == Axis(-1, 11)
    axis = Axis.over([1, 100], log=True, margin=0.5)
    assert (axis.low, axis.high) == (pytest.approx(0.1), pytest.approx(1000))
    assert Axis.of_names(["first", "second"]).positions([0, 1]).tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("axis", "texts"),
    [
        (ONE, "0 | 0.25 | 0.50 | 0.75 | 1.00"),
        (Axis(0, 20000), "0 | 5 000 | 10 000 | 15 000 | 20 000"),
        (Axis(-1.3, 2.4), "−1 | 0 | 1 | 2"),
        (Axis(1e-6, 3e-6), "1.0·10⁻⁶ | 1.5·10⁻⁶ | 2.0·10⁻⁶ | 2.5·10⁻⁶ | 3.0·10⁻⁶"),
        (Axis(1, 20000, log=True), "1 | 10 | 100 | 1 000 | 10 000"),
        (Axis(1e-7, 3, log=True), "10⁻⁷ | 10⁻⁵ | 10⁻³ | 10⁻¹"),
        (Axis(0.15, 6, log=True), "0.2 | 0.5 | 1 | 2 | 5"),
        (Axis.of_names(["first", "second"], "column"), "first | second"),
        (Axis.of_names([]), ""),
        (Axis.over([2005, 2010], unit="year"), "2006 | 2008 | 2010"),
        (Axis.over([2007, 2008, 2009], unit="year"), "2007 | 2008 | 2009"),
        (Axis.over([2007], unit="year"), "2006 | 2007 | 2008"),
        (Axis.over([7305, 18262], unit="day"), "1990 | 2000 | 2010 | 2020"),
        (Axis.over([14245, 15706], unit="day"), "2009 | 2010 | 2011 | 2012 | 2013"),
        (Axis.over([18200, 18500], unit="day"), "2020-01 | 2020-04 | 2020-07"),
        (Axis.over([18290, 18299], unit="day"), "2020-01-29 | 2020-01-31 | 2020-02-02 | 2020-02-04 | 2020-02-06"),
        (Axis.over([18262, 18262], unit="day"), "2019-12-31 | 2020-01-01 | 2020-01-02"),
        (Axis(0.55, 0.7, unit="percent"), "55 | 60 | 65 | 70"),
        (Axis(1, 2, unit="whole"), "1 | 2"),
        (Axis.over([70, 78], unit="whole"), "70 | 72 | 74 | 76 | 78"),
        (Axis.over([0, 0.987], unit="percent"), "0 | 25 | 50 | 75 | 100"),
        (Axis.over([0.9, 0.996], unit="percent"), "90.0 | 92.5 | 95.0 | 97.5 | 100.0"),
        (Axis.over([0, 0.81], unit="percent"), "0 | 20 | 40 | 60 | 80"),
        (Axis(1, 15, unit="whole"), "5 | 10 | 15"),
        (Axis(0.03, 2, log=True), "0.03 | 0.1 | 0.3 | 1"),
    ],
)
def test_ticks_read_well(axis: Axis, texts: str) -> None:
    assert " | ".join(text for _, text in axis.ticks(5)) == texts


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([1800, 2007.0, np.nan], "year"),
        ([2100], "year"),
        ([2007.5, 2008], "number"),
        ([1799, 1900], "whole"),
        ([1990, 2101], "whole"),
        ([70, 82, np.nan], "whole"),
        ([np.nan], "number"),
        ([], "number"),
    ],
)
def test_whole_numbers_have_whole_ticks_and_those_of_our_centuries_are_years(values: list[float], unit: str) -> None:
    assert unit_of(values) == unit


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[1, 2], [0.001, 0.00102], [1, 1e9], [1e-12, 1e12], [123456, 123457], [5, 5]])
@pytest.mark.parametrize("width", [200, 340, 440])
def test_ticks_along_x_do_not_overlap_and_lie_within(values: list[float], log: bool, width: float) -> None:
    axes = (Axis.over(values, log=log, label=name) for name in "xy")
    texts = drawn(Chart("range", *axes, width=width)).all("text")
    boxes = {anchor: [] for anchor in ("start", "middle", "end")}
    for element in texts:
        x, y = numbers(element, "x", "y")
        size, anchor = markup.text_width(element.text or ""), element.get("text-anchor", "start")
        left = x - {"middle": 0.5, "end": 1.0}.get(anchor, 0.0) * size
        assert -1 <= left <= left + size <= width + 1
        assert 8 < y < 236
        if element.text != "no values to show":
            boxes[anchor].append((left, left + size))
    assert boxes["middle"]
    assert all(right < left for (_, right), (left, _) in pairwise(boxes["middle"]))


# -------------------------------------------------------------------------------------------------------------- lines


@pytest.mark.parametrize(
    ("axes", "x", "y", "pieces"),
    [
        ((TEN, ONE), [0, 5, 10], [0, 1, 0.5], [[(4, 54), (54, 4), (104, 29)]]),
        ((Axis(1, 100, log=True), Axis(0.01, 1, log=True)), [1, 10, 100], [1, 0.1, 1], [[(4, 4), (54, 29), (104, 4)]]),
        ((TEN, ONE), [0, 2, 3, 5, 7, 10], [0, 1, np.nan, 0, np.inf, 1], [[(4, 54), (24, 4)], [(54, 54)], [(104, 4)]]),
    ],
    ids=["linear", "logarithmic", "with gaps"],
)
def test_a_line_goes_through_its_points(axes: tuple[Axis, Axis], x: list[float], y: list[float], pieces: object):
    chart = bare(*axes)
    chart.line(x, y)
    assert drawn(chart).lines("line series-0") == pieces


def test_a_line_without_values_is_left_out_and_an_empty_chart_says_so() -> None:
    chart = bare(y=Axis(1, 10, log=True))
    chart.line([1, 2], [np.nan, -1], name="nothing")
    assert not drawn(chart).all("path")
    assert drawn(chart).texts() == ["no values to show"]
    assert "no values to show" in drawn(Chart("empty", Axis.over([]), Axis.over([]))).texts()


def test_a_line_beyond_the_axes_is_cut_off() -> None:
    beyond, within = bare(), bare()
    beyond.line([0, 10], [0.5, 100])
    within.line([0, 10], [0, 1])
    (window,) = drawn(beyond).windows()
    # A line ends at most a unit beyond the frame, half of what it is wide.
    assert place_of(window) == [3, 3, 102, 52]
    assert window.attrib["viewBox"] == "3 3 102 52"
    assert not drawn(within).windows()


def test_spikes_of_long_lines_are_seen() -> None:
    x = np.arange(200_000.0)
    y = np.full(len(x), 0.5)
    y[123_456], y[77_000] = 1.0, 0.0
    chart = bare(Axis.over(x))
    chart.line(x, y)
    (points,) = drawn(chart).lines("line")
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
    hovers = drawn(chart).hovers()
    assert (hovers[0], hovers[-1], len(hovers)) == ("epoch 0: 0.0", "epoch 999: 999.0", 40)


@pytest.mark.parametrize("seed", range(5))
def test_a_simplified_line_differs_by_less_than_is_seen(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = np.linspace(0, 300, 400), 50 + np.cumsum(rng.normal(scale=0.3, size=400))
    chosen = charts.simplified(x, y)
    assert {0, 399} <= set(chosen.tolist())
    assert len(chosen) < 400
    assert np.abs(np.interp(x, x[chosen], y[chosen]) - y).max() < 0.2
    assert charts.simplified(x, 2 * x).tolist() == [0, 399]
    angle = np.linspace(0, 2 * np.pi, 200)
    assert len(charts.simplified(9 * np.cos(angle), 9 * np.sin(angle))) > 8


# ------------------------------------------------------------------------------------- points, surfaces and rectangles


def test_points_have_the_marks_of_their_classes() -> None:
    chart = Chart("rows", ONE, ONE)
    x = np.linspace(0.1, 0.9, 6)
    chart.points([*x, np.nan, 7], [*x, 0, 0], [0, 1, 2, 3, 0, 1, 0, 0], held_out=[1, *[0] * 7], hover=list("abcdefgh"))
    marks = drawn(chart).all("path", "point")
    assert drawn(chart).hovers() == list("abcdef")
    shapes = [mark.attrib["d"].split("m")[1] for mark in marks]
    assert [shapes.index(shape) for shape in shapes] == [0, 1, 2, 3, 0, 1]
    assert [mark.attrib["class"] for mark in marks] == [
        f"point class-{k}{' held-out' * (place == 0)}" for place, k in enumerate([0, 1, 2, 3, 0, 1])
    ]


def test_small_pictures_draw_each_kind_of_point_at_once_and_reuse_them() -> None:
    chart, other = bare(), bare()
    chart.points([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1], identity="rows")
    assert [mark.attrib["d"].count("M") for mark in drawn(chart).all("path", "point")] == [2, 2]
    assert [group.attrib["id"] for group in drawn(chart).all("g")] == ["rows"]
    other.reuse("rows")
    assert [use.attrib["href"] for use in drawn(other).all("use")] == ["#rows"]


def test_plain_points_have_radii() -> None:
    chart = bare()
    chart.points([2, np.inf, 4], [0.5, 0.5, 1.0], radius=[1, 2, 3])
    assert [numbers(dot, "cx", "cy", "r") for dot in drawn(chart).all("circle")] == [[24, 29, 1], [44, 4, 3]]


def test_a_contour_lies_where_a_sigmoid_is_a_half() -> None:
    x, y = np.linspace(-2, 3, 90), np.linspace(-1, 2, 90)
    grid = np.stack(np.meshgrid(x, y), -1)
    chart = Chart("plane", Axis(-2, 3), Axis(-1, 2), width=508, height=308, bare=True)
    chart.contour(1 / (1 + np.exp(-(1.5 * grid[..., 0] - 2 * grid[..., 1] + 0.3))), 0.5, hover="0.5")
    (line,) = drawn(chart).cuts()
    across, down = np.array(line).T
    np.testing.assert_allclose(1.5 * (-2 + (across - 4) / 100) - 2 * (2 - (down - 4) / 100) + 0.3, 0, atol=0.02)
    assert {down[0], down[-1]} == {4, 304}
    assert drawn(chart).hovers() == ["0.5"]


def test_contours_leave_out_what_is_not_finite() -> None:
    surface = np.add.outer(np.linspace(0, 1, 20), np.zeros(30))
    surface[:, :15] = np.nan
    chart = bare()
    chart.contour(surface, 0.5)
    chart.contour(surface, 7.0)
    (line,) = drawn(chart).cuts()
    assert [y for _, y in line] == [29, 29]
    assert min(x for x, _ in line) > 50


def test_transparency_is_the_value() -> None:
    hues = ((200, 0, 0), (0, 0, 200))
    strength = np.array([[0, 0.5, 1], [np.nan, 2, -1]])
    image = decoded(palette.png(strength, np.array([[0, 0, 1], [1, 1, 0]]), hues))
    assert image[..., 3].tolist() == [[0, pytest.approx(127.5, abs=255 / 39), 255], [0, 255, 0]]
    assert image[0, 1:, :3].tolist() == [[200, 0, 0], [0, 0, 200]]
    ten = decoded(palette.png(np.ones((1, 10)), np.arange(10)[None], tuple((k, k, k) for k in range(10))))
    assert ten[0, :, 0].tolist() == list(range(10))


def test_a_surface_has_its_lowest_row_at_the_bottom_and_its_corners_on_the_frame() -> None:
    values = np.zeros((3, 5))
    values[0, 0] = 1
    chart = bare()
    chart.surface(values)
    (window,) = drawn(chart).windows()
    assert place_of(window) == [4, 4, 100, 50]
    # The middles of the outer pixels are the corners.
    assert window.attrib["viewBox"] == "0.5 0.5 4 2"
    (image,) = drawn(chart).all("image")
    assert image.attrib["href"] == palette.data_uri(palette.png(values[::-1], np.zeros((3, 5), int), palette.HUES))


def test_a_rectangle_lies_between_its_values() -> None:
    chart = bare(y=Axis.of_names(["first", "second"]))
    chart.rectangle((0, 5), (-0.5, 0.5), "bar", hover="first: 5")
    chart.rectangle((-5, 20), (0.5, 1.5), "bar", opacity=0.25)
    chart.rectangle((np.nan, 1), (0, 1), "bar")
    first, second = drawn(chart).all("rect", "bar")
    # The frame of a chart without axes has y upwards.
    assert [place_of(first), place_of(second)] == [[4, 29, 50, 25], [4, 4, 100, 25]]
    assert second.attrib["opacity"] == "25%"
    assert drawn(chart).hovers() == ["first: 5"]


def test_names_along_y_begin_at_the_top() -> None:
    chart = Chart("bars", ONE, Axis.of_names(["first", "second", "third"]))
    chart.rectangle((0, 1), (-0.4, 0.4), "bar")
    heights = {element.text: float(element.attrib["y"]) for element in drawn(chart).all("text")}
    assert heights["first"] < heights["second"] < heights["third"]
    ((_, top, _, height),) = map(place_of, drawn(chart).all("rect", "bar"))
    assert abs(top + height / 2 - heights["first"]) < 6


# -------------------------------------------------------------------------------------------------------------- texts


@pytest.mark.parametrize("name", CLUMSY)
def test_names_are_text(name: str) -> None:
    chart = Chart(name, Axis(0, 1, name), Axis(0, 1, name))
    chart.line([0, 1], [0, 1], name=name, value=name, hover=lambda x, y: name)
    chart.points([0.5], [0.5], [0], hover=[name])
    chart.text(0.5, 0.5, name)
    chart.rectangle((0, 1), (0, 1), "bar", hover=name)
    picture = drawn(chart)
    assert picture.root.attrib["aria-label"] == name
    assert (picture.texts() + picture.hovers()).count(name) >= 7
    assert not picture.all("script") + picture.all("b")
    names = Chart("names", *[Axis.of_names([name, "other"])] * 2)
    names.text(0, 0, "1")
    assert (drawn(names).texts() + drawn(names).hovers()).count(name) == 2


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\ud800", "\uffff"])
def test_what_no_xml_can_hold_is_replaced(character: str) -> None:
    picture = drawn(Chart(f"a{character}b", Axis(0, 1, f"a{character}b"), ONE))
    assert picture.root.attrib["aria-label"] == "a\ufffdb"
    assert "a\ufffdb" in picture.texts()
    assert markup.escaped("tab\there") == "tab\there"


@pytest.mark.parametrize("count", [2, 5, 12, 40])
def test_names_at_the_ends_of_lines_do_not_touch(count: int) -> None:
    chart = Chart("layers", ONE, ONE)
    for k in range(count):
        chart.line([0, 1], [0.5, 0.5 + 1e-3 * k], f"series-{k % 10}", name=f"layer {k}", value="0.5")
    texts = [(element.text or "", float(element.attrib["y"])) for element in drawn(chart).all("text")]
    ends = sorted(y for text, y in texts if text.startswith("layer") or text == "0.5")
    assert all(below - above > 11 for above, below in pairwise(ends))
    assert 0 < ends[0] <= ends[-1] < 236
    names = [text for text, _ in texts if text.startswith("layer")]
    assert names.index(f"layer {count - 1}") < names.index("layer 0")


@pytest.mark.parametrize("count", [1, 8])
def test_names_at_the_ends_of_lines_are_above_the_ticks(count: int) -> None:
    """A tick at the end of the axis extends to the right as far as the names begin."""
    chart = Chart("layers", Axis(0, 100, "epoch"), Axis(0, 1))
    for k in range(count):
        chart.line([0, 100], [0.5, 0.0], f"series-{k}", name=f"layer {k}")
    baselines = {element.text: float(element.attrib["y"]) for element in drawn(chart).all("text")}
    names = [y for text, y in baselines.items() if str(text).startswith("layer")]
    assert len(names) == count
    assert max(names) + 3 < baselines["100"] - 8


def test_texts_are_moved_into_the_chart() -> None:
    chart = Chart("texts", ONE, ONE)
    for x, y in product((0, 1), repeat=2):
        chart.text(x, y, "a rather long text", "strong", anchor="middle")
    half = markup.text_width("a rather long text") / 2
    for x, y in (numbers(element, "x", "y") for element in drawn(chart).all("text", "strong")):
        assert half <= x <= 340 - half
        assert 10 < y < 236


def test_long_names_are_shortened_and_whole_on_hover() -> None:
    name = "a name that is far too long to stand at the end of a line"
    chart = Chart("long", ONE, ONE)
    chart.line([0, 1], [0, 1], name=name)
    (shown,) = drawn(chart).texts("name-0")
    start, end = shown.split("…")
    assert name.startswith(start)
    assert name.endswith(end)
    assert len(start) > len(end) > 1
    assert drawn(chart).hovers() == [name]
    assert (markup.shortened("short", 100), markup.shortened("", 0)) == ("short", "")
    assert markup.text_width("wide") > markup.text_width("thin") > markup.text_width("\u0301") == 0


def test_shortened_names_that_differ_at_their_ends_are_told_apart() -> None:
    names = [f"class number {place:02}" for place in range(40)]
    for width, different in {28.0: 10, 80.0: 40}.items():
        shown = [markup.shortened(name, width) for name in names]
        assert max(map(markup.text_width, shown)) <= width
        assert len(set(shown)) == different
    assert markup.text_width(markup.shortened("long " * 20_000, 80.0)) <= 80.0


def test_the_description_stands_for_the_chart() -> None:
    picture = Drawn(Chart("Loss by epoch: 0.8 at first, 0.3 at last", ONE, ONE).svg("large"))
    attributes = {name: picture.root.attrib[name] for name in ("role", "aria-label", "class")}
    assert list(attributes.values()) == ["img", "Loss by epoch: 0.8 at first, 0.3 at last", "specnet-chart large"]
    assert picture.size == (340, 236)
    assert [markup.number(value) for value in (0.04, -0.04, 5, 5.25, -3.0)] == ["0", "0", "5", "5.2", "-3"]


def test_moving_apart_moves_as_little_as_possible() -> None:
    assert charts.moved_apart([0, 100], [10, 10]) == [0, 100]
    assert charts.moved_apart([50, 50, 90], [10, 10, 10]) == [45, 55, 90]
    assert charts.moved_apart([], []) == []
    rng = np.random.default_rng(0)
    for _ in range(20):
        starts, lengths = np.sort(rng.uniform(0, 60, 6)), rng.uniform(5, 20, 6)
        moved = np.array(charts.moved_apart(starts.tolist(), lengths.tolist()))
        assert np.all(np.diff(moved) >= lengths[:-1] - 1e-9)
        # A projection onto a convex set: no feasible point is nearer.
        others = moved + rng.normal(scale=2, size=(50, 6))
        feasible = others[np.all(np.diff(others) >= lengths[:-1], axis=1)]
        assert np.all(((moved - starts) ** 2).sum() <= ((feasible - starts) ** 2).sum(axis=1) + 1e-9)


# ------------------------------------------------------------------------------------------------------------ colours


def test_every_class_has_its_colours() -> None:
    assert palette.LIGHT.keys() == palette.DARK.keys() == palette.PRINT.keys()
    assert {name.split(")")[0] for name in palette.CHART_STYLE.split("var(--")[1:]} <= palette.LIGHT.keys()
    # The contract of pages names these.
    shown = [(colours["class-0"], colours["class-1"]) for colours in (palette.LIGHT, palette.DARK)]
    assert shown == [("#bd5f10", "#1f6bb8"), ("#f0994a", "#6fb0f2")]
    alone = palette.style_alone(palette.CHART_STYLE, "specnet-chart")
    assert "var(" not in alone
    assert alone.count("{") == alone.count("}")
    assert palette.theme(":root").count("--ink:") == 3


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK, palette.PRINT])
def test_colours_are_told_from_the_paper(colours: dict[str, str]) -> None:
    def luminance(name: str) -> float:
        """Return the relative luminance of WCAG 2."""
        parts = np.array([int(colours[name][k : k + 2], 16) / 255 for k in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    def contrast(one: str, other: str) -> float:
        dark, light = sorted(map(luminance, (one, other)))
        return (light + 0.05) / (dark + 0.05)

    for paper in ("paper", "card"):
        assert contrast("class-0", paper) > 3
        for text in ("ink", "muted", "class-0-text", *(f"class-{k}" for k in range(1, 10))):
            assert contrast(text, paper) > 4.5, (text, paper)
    assert all(contrast("on-unit", unit) > 3 for unit in ("hidden", "inputs", "outputs"))
