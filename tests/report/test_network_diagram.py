"""Diagrams of networks: columns, circles, lines, pictures of weights, folds, and names that are only text."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from specnet import Resolved
from specnet.report.diagram_layout import columns_of
from specnet.report.network_diagram import MAX_PIXELS, NetworkDiagram
from specnet.report.svg.markup import text_width
from tests.report.drawn import CLUMSY, Drawn, coordinates, image_of, numbers, place_of
from tests.report.networks import dense, initial, network, residual

MOONS = network(dense(5, "relu"), dense(1))
WIDE = network(dense(3, "relu"), dense(1), inputs=15)
NAMES = [f"column {k}" for k in range(15)]


def drawn(resolved: Resolved, *weights: np.ndarray, **options: object) -> Drawn:
    """Return the diagram of a network with weights of its layers, or its initial ones."""
    given = {f"layers.{k}.weight": weight for k, weight in enumerate(weights)} if weights else initial(resolved)
    return Drawn(NetworkDiagram(resolved, given, **options).svg())


def middles(picture: Drawn) -> dict[str, list[tuple[float, float]]]:
    """Return the middles of all circles by what they show on hover."""
    found: dict[str, list[tuple[float, float]]] = {}
    for circle in picture.all("circle", "unit"):
        found.setdefault(str(circle[0].text).split(", unit")[0], []).append(tuple(numbers(circle, "cx", "cy")))
    return found


def curves_in(picture: Drawn) -> list[list[float]]:
    """Return the coordinates of each curve of the only path without weights."""
    (plain,) = picture.all("path", "plain")
    return [coordinates(curve) for curve in plain.attrib["d"].split("M")[1:]]


def points_of(curve: list[float]) -> list[tuple[float, float]]:
    """Return points of a cubic Bézier curve, given the coordinates of its ends and controls, by its definition."""
    t = np.linspace(0, 1, 200)
    weights = np.stack([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3], axis=1)
    return [(x, y) for x, y in (weights @ np.reshape(curve, (4, 2))).tolist()]


def captions_of(picture: Drawn) -> list[tuple[float, float, float, float]]:
    """Return left, right, top and bottom of the captions below columns, a little less than they may be wide."""
    found = []
    for text in (*picture.all("text", "caption"), *picture.all("text", "detail")):
        (x, y), half = numbers(text, "x", "y"), 0.4 * text_width(text.text or "")
        found.append((x - half, x + half, y - 9, y))
    return found


def test_a_unit_is_a_circle_and_a_layer_a_column() -> None:
    picture = drawn(MOONS)
    assert [len(picture.all("circle", style)) for style in ("inputs", "hidden", "outputs")] == [2, 5, 1]
    columns = middles(picture)
    assert len({x for x, _ in columns["layers.0"]}) == 1
    assert columns["input 1"][0][0] < columns["layers.0"][0][0] < columns["layers.1"][0][0]
    assert picture.texts("inside") == ["1", "2", "3", "4", "5"]
    assert picture.texts("caption") == ["2 inputs", "5 relu", "1 sigmoid"]
    assert picture.texts("detail") == ["15 parameters", "6 parameters"]
    assert picture.root.attrib["aria-label"].startswith("Network 2 → 5 relu → 1 sigmoid, 21 parameters. Lines ")
    assert picture.size[0] == 3 * 128


def test_lines_are_as_wide_as_weights_are_large() -> None:
    first = np.array([[2.0, -1.0], [0.5, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, np.nan]])
    picture = drawn(MOONS, first, np.zeros((1, 5)))
    lines = {
        (style, line[0].text): numbers(line, "stroke-width", "opacity")
        for style in ("positive", "negative")
        for line in picture.all("path", style)
        if line[0].text != "0"
    }
    # 0.4 + 3.6·|w|/max|w| and 0.25 + 0.75·|w|/max|w|
    assert lines == {
        ("positive", "2"): [4.0, 1.0],
        ("positive", "0.5"): [1.3, pytest.approx(0.4375, abs=0.01)],
        ("negative", "−1"): [2.2, pytest.approx(0.625, abs=0.01)],
    }
    # Without the one that is not a number.
    assert len(picture.all("path", "link")) == 9 + 5


def test_lines_connect_the_circles_of_their_weight() -> None:
    first = np.zeros((5, 2))
    first[3, 1] = -7
    picture = drawn(MOONS, first, np.zeros((1, 5)))
    (line,) = picture.all("path", "negative")
    x, y, *steps = coordinates(line.attrib["d"])
    columns = middles(picture)
    (start,), end = columns["input 2"], columns["layers.0"][3]
    assert (x, y) == (start[0] + 11, start[1])
    assert (x + steps[-2], y + steps[-1]) == (end[0] - 11, end[1])


def test_without_weights_lines_are_thin_and_grey() -> None:
    for resolved, counts in ((MOONS, [10, 5]), (WIDE, [3, 3])):
        picture = Drawn(NetworkDiagram(resolved, input_names=NAMES[: resolved.inputs]).svg())
        lines = picture.all("path", "link")
        assert [line.attrib["class"] for line in lines] == ["link plain"] * 2
        assert [line.attrib["d"].count("M") for line in lines] == counts
        assert not picture.all("image")
        assert [name for name in picture.texts() if name.startswith("column")] == NAMES[: resolved.inputs]
    many = [f"column {k}" for k in range(50)]
    hovers = Drawn(NetworkDiagram(network(dense(1), inputs=50), input_names=many).svg()).hovers()
    assert [text for text in hovers if text.startswith("column")] == many


def test_layers_of_more_than_twelve_units_are_bars() -> None:
    picture = drawn(network(dense(12, "relu"), dense(13, "relu"), dense(1500, "relu"), dense(1)))
    circles = {key: len(places) for key, places in middles(picture).items() if "layers" in key}
    assert circles == {"layers.0": 12, "layers.3": 1}
    assert len(picture.all("rect", "unit hidden")) == 2
    assert {"layers.1, 13 units", "layers.2, 1 500 units"} < {*picture.hovers()}


def test_what_only_changes_values_joins_its_layer() -> None:
    tanh = {"type": "activation", "activation": "tanh"}
    picture = drawn(
        network(dense(4), {"type": "batch_normalization"}, tanh, {"type": "dropout", "rate": 0.2}, dense(1))
    )
    assert picture.texts("caption") == ["2 inputs", "4 tanh", "1 sigmoid"]
    assert picture.texts("detail") == ["batch norm", "dropout 0.2", "20 parameters", "5 parameters"]


def test_a_column_stands_where_its_longest_path_ends() -> None:
    resolved = network(
        dense(3, "relu", name="short", inputs=["input"]),
        dense(4, "relu", name="long", inputs=["input"]),
        dense(5, "relu", name="longer"),
        {"type": "concatenate", "inputs": ["short", "longer", "input"]},
        dense(1),
    )
    assert [column.rank for column in columns_of(resolved)[0]] == [0, 1, 1, 2, 3, 4]
    picture = drawn(resolved)
    columns = middles(picture)
    # Parallel branches are stacked in the order of the spec.
    assert columns["layers.short"][0][0] == columns["layers.long"][0][0]
    assert max(y for _, y in columns["layers.short"]) + 22 < min(y for _, y in columns["layers.long"])
    # Both connections over another column are arcs above it, one above the other.
    arcs = [coordinates(arc.attrib["d"]) for arc in picture.all("path", "skip")]
    joint = columns["layers.3"][0][0]
    ends = [(columns["input 1"][0][0], joint), (columns["layers.short"][0][0], joint)]
    assert sorted((arc[0], arc[-2]) for arc in arcs) == ends
    peaks = [min(y for _, y in points_of(arc)) for arc in arcs]
    assert 0 < min(peaks) <= max(peaks) < min(y for places in columns.values() for _, y in places) - 11
    assert abs(peaks[0] - peaks[1]) > 8
    # Concatenated units have the order of the inputs: those of the second come after the three of the first.
    first = curves_in(picture)[0]
    assert (first[1], first[1] + first[-1]) == (columns["layers.longer"][0][1], columns["layers.3"][3][1])


def test_elementwise_layers_draw_unit_to_unit() -> None:
    picture = drawn(residual(1))
    assert [curve[-1] for curve in curves_in(picture)] == [0] * 4
    assert len(picture.all("path", "skip")) == 1


def test_blocks_are_folded_beyond_sixteen_columns() -> None:
    unfolded, folded = drawn(residual(4)), drawn(residual(8))
    assert len(unfolded.texts("caption")) == 2 + 4 * 3 + 1
    assert not unfolded.all("rect", "fold")
    assert folded.texts("caption") == ["× 8", "2 inputs", "4 linear", "4 relu", "4 linear", "4 add", "1 sigmoid"]
    (frame,) = folded.all("rect", "fold")
    left, width = numbers(frame, "x", "width")
    within = {key for key, places in middles(folded).items() if left < places[0][0] < left + width}
    assert within == {"layers.1.0.0", "layers.1.0.branch", "layers.1.0.2"}
    # The layer behind the block reads its last repetition.
    assert columns_of(residual(8))[0][-1].sources == (4,)
    equal = drawn(network(*[dense(16, "relu") for _ in range(40)], dense(1)))
    assert equal.texts("caption") == ["× 39", "2 inputs", "16 relu", "16 relu", "1 sigmoid"]


def test_other_deep_networks_leave_out_their_middle() -> None:
    picture = drawn(network(*[dense(20 + k, "relu") for k in range(40)], dense(1)))
    captions = picture.texts("caption")
    assert [*captions[:3], *captions[-3:]] == ["2 inputs", "20 relu", "21 relu", "59 relu", "1 sigmoid", "⋯"]
    assert len(captions) == 16
    # 42 columns with the input, of which 15 are drawn.
    assert "27 more" in picture.texts("more")
    assert picture.size[0] == 16 * 128
    assert [len(picture.all("rect", "unit")), len(picture.all("image"))] == [13, 13]  # none over the gap


def branches(count: int) -> list[dict[str, object]]:
    layers = [dense(3, "relu", name=f"branch_{k}", inputs=["input"]) for k in range(count)]
    return [*layers, {"type": "concatenate", "inputs": [f"branch_{k}" for k in range(count)]}, dense(1)]


def test_many_branches_are_counted() -> None:
    picture = drawn(network(*branches(10)))
    assert "⋮ 6 more layers" in picture.texts("more")
    assert len(picture.all("circle", "unit")) == 2 + 4 * 3 + 1


@pytest.mark.parametrize(
    ("layers", "inputs"),
    [
        ([dense(500, "relu"), dense(1)], 200),
        ([*[dense(16 + k, "relu") for k in range(40)], dense(1)], 200),
        ([*[dense(16, "relu") for _ in range(300)], dense(1)], 200),
        (branches(60), 3),
    ],
    ids=["wide", "deep", "very deep", "many branches"],
)
def test_diagrams_of_huge_networks_are_small_and_quick(layers: list[dict[str, object]], inputs: int) -> None:
    resolved = network(*layers, inputs=inputs)
    weights = initial(resolved)
    before = time.process_time()
    text = NetworkDiagram(resolved, weights).svg()
    assert time.process_time() - before < 2
    assert len(text) < 200_000
    assert Drawn(text).size[0] <= 16 * 128 + 200


def test_columns_of_embeddings_reach_only_what_is_made_of_them() -> None:
    embedding = {"type": "embedding", "columns": [1, 2], "categories": [3, 4], "size": [2, 3]}
    picture = drawn(network(embedding, dense(1), inputs=4))
    columns = middles(picture)
    heights = {columns[f"input {k + 1}"][0][1]: k for k in range(4)}
    units = [y for _, y in columns["layers.0"]]
    pairs = sorted((units.index(curve[1] + curve[-1]), heights[curve[1]]) for curve in curves_in(picture))
    # The columns that pass come first.
    assert [column for _, column in pairs] == [0, 3, 1, 1, 2, 2, 2]


def test_long_kinds_of_layers_take_several_lines() -> None:
    picture = drawn(network({"type": "piecewise_linear_embedding", "bins": 3}, dense(1)))
    assert {"piecewise linear", "embedding"} <= {*picture.texts("detail")}


@pytest.mark.parametrize("name", CLUMSY)
def test_names_are_text(name: str) -> None:
    classes = network(dense(3, "softmax"), loss="categorical_crossentropy")
    picture = drawn(classes, input_names=[name, "other"], output_names=[name, "b", "c"])
    # Beside two circles, or if it is cut on hover, and on those circles.
    assert [*picture.texts(), *picture.hovers()].count(name) == 4
    assert not picture.all("script")
    alone = Drawn(NetworkDiagram(MOONS, input_names=[name, name]).file())
    assert [*alone.texts(), *alone.hovers()].count(name) == 4


def test_names_stand_beside_their_circles() -> None:
    picture = drawn(MOONS, input_names=["age of the passenger in years", "fare"])
    heights = {element.text: float(element.attrib["y"]) for element in picture.all("text")}
    assert heights["fare"] == middles(picture)["fare"][0][1] + 4
    assert "age of the passenger in years" in picture.hovers()
    assert picture.size[0] > 3 * 128
    # They are left out if there is not one for each.
    assert "fare" not in drawn(MOONS, input_names=["fare"]).texts()


def test_a_file_has_its_own_colours() -> None:
    text = NetworkDiagram(MOONS, initial(MOONS)).file()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg"')
    assert "var(" not in text
    assert "prefers-color-scheme: dark" in text
    picture = Drawn(text)
    assert picture.hovers()[0] == "drawn"
    classes = {word for element in picture.root.iter() for word in element.get("class", "").split()}
    assert all(f".{word}" in text for word in classes)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_many_blocks_share_the_lines() -> None:
    resolved = network(*[dense(12, "tanh") for _ in range(13)], dense(1), inputs=12)
    lines = drawn(resolved).all("path", "link")
    # 13 blocks of 144 weights and one of 12: each draws at most 1000 / 14.
    assert len(lines) == 13 * 71 + 12
    largest = np.sort(np.abs(initial(resolved)["layers.3.weight"]).ravel())[-71:]
    shown = [abs(float(str(line[0].text).replace("−", "-"))) for line in lines]
    assert all(np.isclose(shown, value, rtol=0.01).any() for value in largest)


# -------------------------------------------------------------------------------------------------- pictures of weights


def test_a_cell_is_as_strong_as_its_weight_with_the_largest_rows_first() -> None:
    weight = np.zeros((3, 15))
    weight[0, 4], weight[2, 4], weight[1, 9], weight[2, 0], weight[1, 3] = 4.0, -3.0, -2.0, 1.0, np.nan
    picture = drawn(WIDE, weight, np.ones((1, 3)), input_names=NAMES)
    (image,) = picture.all("image")
    pixels = image_of(image).astype(int)
    assert pixels.shape == (15, 3, 4)
    expected = np.zeros((15, 3))
    expected[:3] = [[4, 0, -3], [0, -2, 0], [0, 0, 1]]
    # 40 steps of opacity; orange is negative, blue positive.
    np.testing.assert_allclose(pixels[..., 3] / 255, np.abs(expected) / 4, atol=0.5 / 39 + 0.002)
    assert pixels[0, 0, 2] > pixels[0, 0, 0]
    assert pixels[0, 2, 0] > pixels[0, 2, 2]
    # Names stand beside their rows, in the same order.
    texts = {element.text: float(element.attrib["y"]) - 4 for element in picture.all("text")}
    _, top, _, height = place_of(image)
    order = [f"column {k}" for k in (4, 9, 0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 14)]
    np.testing.assert_allclose([texts[name] for name in order], top + height * (np.arange(15) + 0.5) / 15, atol=0.1)
    hovers = picture.hovers()
    assert "largest weight 4, from column 4 to layers.0, unit 1" in hovers
    assert "largest weight −2, from column 9 to layers.0, unit 2" in hovers
    assert "weights to ±4" in picture.texts("detail")
    label = picture.root.attrib["aria-label"]
    assert label.endswith(" the largest of several weights. layers.0 ±4")
    assert "Lines are as wide" in label
    # A small block has lines beside pictures of large ones.
    assert len(picture.all("path", "link")) == 3
    assert [len(picture.all(tag, "unit")) for tag in ("rect", "circle")] == [1, 3 + 1]


def test_many_weights_share_a_cell_that_shows_the_largest() -> None:
    weight = np.random.default_rng(0).normal(size=(1000, 1000))
    weight[700, :] += np.linspace(0, 9, 1000)
    picture = drawn(network(dense(1000, "relu"), dense(1), inputs=1000), weight, np.ones((1, 1000)))
    first, second = map(image_of, picture.all("image"))
    assert first[..., 0].size + second[..., 0].size <= MAX_PIXELS
    rows, columns, _ = first.shape
    ordered = weight[:, np.argsort(-(weight**2).sum(axis=0), kind="stable")].T
    cell = ordered[: -(-1000 // rows), : -(-1000 // columns)].ravel()
    largest = cell[np.abs(cell).argmax()]
    assert first[0, 0, 3] / 255 == pytest.approx(abs(largest) / np.abs(weight).max(), abs=0.5 / 39 + 0.002)
    assert (first[0, 0, 2] > first[0, 0, 0]) == (largest > 0)


def test_units_have_one_order_on_both_sides_of_their_bar() -> None:
    first, second = np.zeros((14, 2)), np.zeros((2, 14))
    first[11, 1], second[0, 11] = 5.0, -2.0
    picture = drawn(network(dense(14, "relu"), dense(2, "softmax"), loss="categorical_crossentropy"), first, second)
    before, after = (image_of(image)[..., 3] for image in picture.all("image"))
    # Unit 12, the only one that is read, is the first column of one picture and the first row of the other.
    assert np.argwhere(before).tolist() == [[1, 0]]
    assert np.argwhere(after).tolist() == [[0, 0]]


def test_pictures_stand_apart_from_circles_captions_and_each_other() -> None:
    resolved = network(
        dense(20, "relu", name="wide", inputs=["input"]),
        dense(4, "tanh", name="narrow", inputs=["input"]),
        {"type": "concatenate", "inputs": ["wide", "narrow"]},
        dense(30, "relu"),
        dense(3, "softmax"),
        loss="categorical_crossentropy",
    )
    picture = drawn(resolved, input_names=["a", "b"])
    boxes = sorted(map(place_of, picture.all("image")))
    assert len(boxes) == 3
    points = [numbers(circle, "cx", "cy") for circle in picture.all("circle", "unit")]
    points += [numbers(text, "x", "y") for text in picture.all("text")]
    for left, top, width, height in boxes:
        assert not any(left < x < left + width and top < y < top + height for x, y in points)
    assert all(a[0] + a[2] < b[0] for a, b in pairwise(boxes))


def test_captions_of_branches_are_clear_of_pictures_and_arcs() -> None:
    """The third branch is read by a layer far behind it, and two branches change from few units to many and back."""
    resolved = network(
        dense(6, "relu", name="small", inputs=["input"]),
        dense(90, "relu", name="wide", inputs=["input"]),
        dense(1, name="short", inputs=["input"]),
        dense(128, "relu", name="after_small", inputs=["small"]),
        dense(3, "relu", name="after_wide", inputs=["wide"]),
        {"type": "concatenate", "inputs": ["after_small", "after_wide"]},
        dense(1, name="long"),
        {"type": "add", "inputs": ["long", "short"]},
        {"type": "activation", "activation": "sigmoid"},
        inputs=20,
    )
    picture = drawn(resolved)
    captions = captions_of(picture)
    assert len(captions) > 20
    for left, top, width, height in map(place_of, picture.all("image")):
        for first, last, above, below in captions:
            assert last < left or first > left + width or below < top or above > top + height
    (arc,) = (coordinates(each.attrib["d"]) for each in picture.all("path", "skip"))
    places = points_of(arc)
    assert min(y for _, y in places) > 0
    assert not [p for p in places for box in captions if box[0] < p[0] < box[1] and box[2] < p[1] < box[3]]
