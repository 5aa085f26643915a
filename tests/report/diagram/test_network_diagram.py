"""Diagrams of networks: columns, circles, lines, folds, and names that are only text."""

from __future__ import annotations

import time

import numpy as np
import pytest

from specnet import Resolved
from specnet.report.diagram.diagram_columns import columns_of
from specnet.report.diagram.network_diagram import NetworkDiagram
from tests.report.drawn import CLUMSY, Drawn, coordinates
from tests.report.networks import dense, initial, network, residual

MOONS = network(dense(5, "relu"), dense(1))


def drawn(resolved: Resolved, **options: object) -> Drawn:
    """Return the diagram of a network with its initial weights."""
    return Drawn(NetworkDiagram(resolved, initial(resolved), **options).svg())


def middles(picture: Drawn) -> dict[str, list[tuple[float, float]]]:
    """Return the middles of all circles by what they show on hover."""
    found: dict[str, list[tuple[float, float]]] = {}
    for circle in picture.all("circle", "unit"):
        key = str(circle[0].text).split(", unit")[0]
        found.setdefault(key, []).append((float(circle.attrib["cx"]), float(circle.attrib["cy"])))
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
    weights = {
        "layers.0.weight": np.array([[2.0, -1.0], [0.5, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, np.nan]]),
        "layers.1.weight": np.zeros((1, 5)),
    }
    picture = Drawn(NetworkDiagram(MOONS, weights).svg())
    lines = {
        (style, line[0].text): (float(line.attrib["stroke-width"]), float(line.attrib["opacity"]))
        for style in ("positive", "negative")
        for line in picture.all("path", style)
        if line[0].text != "0"
    }
    # 0.4 + 3.6·|w|/max|w| and 0.25 + 0.75·|w|/max|w|
    assert lines == {
        ("positive", "2"): (4.0, 1.0),
        ("positive", "0.5"): (1.3, pytest.approx(0.4375, abs=0.01)),
        ("negative", "−1"): (2.2, pytest.approx(0.625, abs=0.01)),
    }
    # Without the one that is not a number.
    assert len(picture.all("path", "link")) == 9 + 5


def test_lines_connect_the_circles_of_their_weight() -> None:
    weights = {"layers.0.weight": np.zeros((5, 2)), "layers.1.weight": np.zeros((1, 5))}
    weights["layers.0.weight"][3, 1] = -7
    picture = Drawn(NetworkDiagram(MOONS, weights).svg())
    (line,) = picture.all("path", "negative")
    x, y, *steps = coordinates(line.attrib["d"])
    columns = middles(picture)
    (start,), end = columns["input 2"], columns["layers.0"][3]
    assert (x, y) == (start[0] + 11, start[1])
    assert (x + steps[-2], y + steps[-1]) == (end[0] - 11, end[1])


def test_without_weights_lines_are_thin_and_grey() -> None:
    picture = Drawn(NetworkDiagram(MOONS).svg())
    assert [line.attrib["class"] for line in picture.all("path", "link")] == ["link plain"] * 2
    lines = picture.all("path", "link plain")
    assert [line.attrib["d"].count("M") for line in lines] == [10, 5]


def test_layers_of_more_than_twelve_units_are_bars() -> None:
    picture = drawn(network(dense(12, "relu"), dense(13, "relu"), dense(1500, "relu"), dense(1)))
    assert {key: len(places) for key, places in middles(picture).items() if "layers" in key} == {
        "layers.0": 12,
        "layers.3": 1,
    }
    assert len(picture.all("rect", "unit hidden")) == 2
    assert {"layers.1, 13 units", "layers.2, 1 500 units"} < {*picture.hovers()}


def test_what_only_changes_values_joins_its_layer() -> None:
    tanh = {"type": "activation", "activation": "tanh"}
    resolved = network(dense(4), {"type": "batch_normalization"}, tanh, {"type": "dropout", "rate": 0.2}, dense(1))
    picture = drawn(resolved)
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
    assert [column.place for column in columns_of(resolved)[0]] == [0, 1, 1, 2, 3, 4]
    picture = drawn(resolved)
    columns = middles(picture)
    # Parallel branches are stacked in the order of the spec.
    assert columns["layers.short"][0][0] == columns["layers.long"][0][0]
    assert max(y for _, y in columns["layers.short"]) + 22 < min(y for _, y in columns["layers.long"])
    # Both connections over another column are arcs above it, one above the other.
    arcs = [coordinates(arc.attrib["d"]) for arc in picture.all("path", "skip")]
    tops = {key: min(y for _, y in places) for key, places in columns.items()}
    ends = sorted((arc[0], arc[-2]) for arc in arcs)
    joint = columns["layers.3"][0][0]
    assert ends == [(columns["input 1"][0][0], joint), (columns["layers.short"][0][0], joint)]
    peaks = [arc[1] / 8 + 3 * arc[3] / 8 + 3 * arc[5] / 8 + arc[7] / 8 for arc in arcs]
    assert all(0 < peak < min(tops.values()) - 11 for peak in peaks)
    assert abs(peaks[0] - peaks[1]) > 8
    # Concatenated units keep their order: the second input's come after the three of the first.
    (plain,) = picture.all("path", "plain")
    first = coordinates(plain.attrib["d"].split("M")[1])
    assert first[1] == columns["layers.longer"][0][1]
    assert first[1] + first[-1] == columns["layers.3"][3][1]


def test_elementwise_layers_draw_unit_to_unit() -> None:
    picture = drawn(residual(1))
    (plain,) = picture.all("path", "plain")
    curves = [coordinates(curve) for curve in plain.attrib["d"].split("M")[1:]]
    assert len(curves) == 4
    assert all(curve[-1] == 0 for curve in curves)
    assert len(picture.all("path", "skip")) == 1


def test_blocks_are_folded_beyond_sixteen_columns() -> None:
    unfolded, folded = drawn(residual(4)), drawn(residual(8))
    assert len(unfolded.texts("caption")) == 2 + 4 * 3 + 1
    assert not unfolded.all("rect", "fold")
    assert folded.texts("caption") == ["× 8", "2 inputs", "4 linear", "4 relu", "4 linear", "4 add", "1 sigmoid"]
    (frame,) = folded.all("rect", "fold")
    left, width = float(frame.attrib["x"]), float(frame.attrib["width"])
    within = {key for key, places in middles(folded).items() if left < places[0][0] < left + width}
    assert within == {"layers.1.0.0", "layers.1.0.branch", "layers.1.0.2"}
    # The layer behind the block reads its last repetition.
    assert columns_of(residual(8))[0][-1].sources == (4,)


def test_equal_layers_in_a_row_are_folded() -> None:
    picture = drawn(network(*[dense(16, "relu") for _ in range(40)], dense(1)))
    assert picture.texts("caption") == ["× 39", "2 inputs", "16 relu", "16 relu", "1 sigmoid"]


def test_other_deep_networks_leave_out_their_middle() -> None:
    picture = drawn(network(*[dense(20 + k, "relu") for k in range(40)], dense(1)))
    captions = picture.texts("caption")
    assert captions[:3] == ["2 inputs", "20 relu", "21 relu"]
    assert captions[-3:] == ["59 relu", "1 sigmoid", "⋯"]
    assert len(captions) == 16
    # 42 columns with the input, of which 15 are drawn.
    assert "27 more" in picture.texts("more")
    assert picture.size[0] == 16 * 128
    assert len(picture.all("rect", "unit")) == 13
    assert len(picture.all("image")) == 13  # none over the gap


def test_many_branches_are_counted() -> None:
    branches = [dense(3, "relu", name=f"branch_{k}", inputs=["input"]) for k in range(10)]
    joined = {"type": "concatenate", "inputs": [f"branch_{k}" for k in range(10)]}
    picture = drawn(network(*branches, joined, dense(1)))
    assert "⋮ 6 more layers" in picture.texts("more")
    assert len(picture.all("circle", "unit")) == 2 + 4 * 3 + 1


@pytest.mark.parametrize(
    ("layers", "inputs"),
    [
        ([dense(500, "relu"), dense(1)], 200),
        ([dense(16 + k, "relu") for k in range(40)] + [dense(1)], 200),
        ([dense(16, "relu") for _ in range(300)] + [dense(1)], 200),
        ([dense(3, "relu", name=f"b{k}", inputs=["input"]) for k in range(60)]
         + [{"type": "concatenate", "inputs": [f"b{k}" for k in range(60)]}, dense(1)], 3),
    ],
    ids=["wide", "deep", "very deep", "many branches"],
)  # fmt: skip
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
    (plain,) = picture.all("path", "plain")
    columns = middles(picture)
    heights = {columns[f"input {k + 1}"][0][1]: k for k in range(4)}
    curves = [coordinates(curve) for curve in plain.attrib["d"].split("M")[1:]]
    units = [y for _, y in columns["layers.0"]]
    pairs = sorted((units.index(curve[1] + curve[-1]), heights[curve[1]]) for curve in curves)
    # The columns that pass come first.
    assert [column for _, column in pairs] == [0, 3, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("name", CLUMSY)
def test_names_are_text(name: str) -> None:
    picture = drawn(network(dense(3, "softmax"), loss="categorical_crossentropy"),
                    input_names=[name, "other"], output_names=[name, "b", "c"])  # fmt: skip
    # Beside two circles, or if it is cut on hover, and on those circles.
    assert [*picture.texts(), *picture.hovers()].count(name) == 4
    assert not picture.all("script")
    alone = Drawn(NetworkDiagram(MOONS, input_names=[name, name]).file())
    assert [*alone.texts(), *alone.hovers()].count(name) == 4


def test_names_stand_beside_their_circles() -> None:
    picture = drawn(MOONS, input_names=["age of the passenger in years", "fare"])
    places = {element.text: element for element in picture.all("text")}
    assert float(places["fare"].attrib["y"]) == middles(picture)["fare"][0][1] + 4
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
    weights = initial(resolved)
    picture = Drawn(NetworkDiagram(resolved, weights).svg())
    lines = picture.all("path", "link")
    # 13 blocks of 144 weights and one of 12: each draws at most 1000 / 14.
    assert len(lines) == 13 * 71 + 12
    largest = np.sort(np.abs(weights["layers.3.weight"]).ravel())[-71:]
    shown = [abs(float(str(line[0].text).replace("−", "-"))) for line in lines]
    assert all(np.isclose(shown, value, rtol=0.01).any() for value in largest)
