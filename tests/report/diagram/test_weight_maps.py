"""Pictures of weights in diagrams: against matrices whose cells are known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from specnet.report.diagram.network_diagram import MOST_PIXELS, NetworkDiagram
from tests.report.drawn import Drawn, image_of, place_of
from tests.report.networks import dense, initial, network

WIDE = network(dense(3, "relu"), dense(1), inputs=15)
NAMES = [f"column {k}" for k in range(15)]


def drawn(weight: np.ndarray, **names: Any) -> Drawn:
    """Return the diagram of a network of 15 inputs with that first matrix."""
    weights = {"layers.0.weight": weight, "layers.1.weight": np.ones((1, 3))}
    return Drawn(NetworkDiagram(WIDE, weights, **names).svg())


def test_a_cell_is_as_strong_as_its_weight_with_the_largest_rows_first() -> None:
    weight = np.zeros((3, 15))
    weight[0, 4], weight[2, 4], weight[1, 9], weight[2, 0] = 4.0, -3.0, -2.0, 1.0
    weight[1, 3] = np.nan
    picture = drawn(weight, input_names=NAMES)
    (image,) = picture.all("image")
    pixels = image_of(image).astype(int)
    assert pixels.shape == (15, 3, 4)
    expected = np.zeros((15, 3))
    expected[0] = [4, 0, -3]
    expected[1] = [0, -2, 0]
    expected[2] = [0, 0, 1]
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
    assert label.endswith(" the largest of several. layers.0 ±4")
    assert "Lines are as wide" in label


def test_small_blocks_keep_their_lines_beside_pictures_of_large_ones() -> None:
    picture = drawn(np.ones((3, 15)))
    assert len(picture.all("image")) == 1
    assert len(picture.all("path", "link")) == 3
    assert [len(picture.all(tag, "unit")) for tag in ("rect", "circle")] == [1, 3 + 1]


def test_many_weights_share_a_cell_that_shows_the_largest() -> None:
    resolved = network(dense(1000, "relu"), dense(1), inputs=1000)
    weight = np.random.default_rng(0).normal(size=(1000, 1000))
    weight[700, :] += np.linspace(0, 9, 1000)
    weights = {"layers.0.weight": weight, "layers.1.weight": np.ones((1, 1000))}
    diagram = NetworkDiagram(resolved, weights)
    first, second = (image_of(image) for image in Drawn(diagram.svg()).all("image"))
    assert first.shape[0] * first.shape[1] + second.shape[0] * second.shape[1] <= MOST_PIXELS
    rows, columns, _ = first.shape
    ordered = weight[:, np.argsort(-(weight**2).sum(axis=0), kind="stable")].T
    cell = ordered[: -(-1000 // rows), : -(-1000 // columns)].ravel()
    largest = cell[np.abs(cell).argmax()]
    assert first[0, 0, 3] / 255 == pytest.approx(abs(largest) / np.abs(weight).max(), abs=0.5 / 39 + 0.002)
    assert (first[0, 0, 2] > first[0, 0, 0]) == (largest > 0)


def test_units_have_one_order_on_both_sides_of_their_bar() -> None:
    resolved = network(dense(14, "relu"), dense(2, "softmax"), loss="categorical_crossentropy")
    first, second = np.zeros((14, 2)), np.zeros((2, 14))
    first[11, 1], second[0, 11] = 5.0, -2.0
    picture = Drawn(NetworkDiagram(resolved, {"layers.0.weight": first, "layers.1.weight": second}).svg())
    before, after = (image_of(image)[..., 3] for image in picture.all("image"))
    # Unit 12, the only one that is read, is the first column of one picture and the first row of the other.
    assert np.argwhere(before).tolist() == [[1, 0]]
    assert np.argwhere(after).tolist() == [[0, 0]]


def test_pictures_stand_apart_from_circles_captions_and_each_other() -> None:
    layers = [
        dense(20, "relu", name="wide", inputs=["input"]),
        dense(4, "tanh", name="narrow", inputs=["input"]),
        {"type": "concatenate", "inputs": ["wide", "narrow"]},
        dense(30, "relu"),
        dense(3, "softmax"),
    ]
    resolved = network(*layers, loss="categorical_crossentropy")
    picture = Drawn(NetworkDiagram(resolved, initial(resolved), input_names=["a", "b"]).svg())
    boxes = [place_of(image) for image in picture.all("image")]
    assert len(boxes) == 3
    circles = [[float(circle.attrib[name]) for name in ("cx", "cy")] for circle in picture.all("circle", "unit")]
    texts = [[float(text.attrib[name]) for name in ("x", "y")] for text in picture.all("text")]
    for left, top, width, height in boxes:
        assert not any(left < x < left + width and top < y < top + height for x, y in circles + texts)
    assert all(a[0] + a[2] < b[0] for a, b in pairwise(sorted(boxes)))


def test_without_weights_bars_are_connected_by_a_line() -> None:
    picture = Drawn(NetworkDiagram(WIDE, input_names=NAMES).svg())
    assert not picture.all("image")
    assert [line.attrib["d"].count("M") for line in picture.all("path", "link plain")] == [3, 3]
    assert [name for name in picture.texts() if name.startswith("column")] == NAMES
    many = [f"column {k}" for k in range(50)]
    hovers = Drawn(NetworkDiagram(network(dense(1), inputs=50), input_names=many).svg()).hovers()
    assert [text for text in hovers if text.startswith("column")] == many
