"""Pictures of a plane: cuts, sums, answers and learning, against networks that are worked out by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from specnet import Network, Resolved
from specnet.report.plane_story import Plane, PlaneStory, leads, log_odds
from tests.report.drawn import CLUMSY, NAMESPACE, Drawn, image_of, pieces, place_of
from tests.report.networks import dense, initial, network

CORNERS = np.array([[x, y] for x in (0.0, 10.0) for y in (0.0, 5.0)])
"""The plane of these rows is 11.6 × 5.8, from (−0.8, −0.4)."""
TENSORS = {
    "layers.0.weight": np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]),
    "layers.0.bias": np.array([-4.0, -2.0, -100.0]),
    "layers.1.weight": np.array([[1.0, -2.0, 3.0]]),
    "layers.1.bias": np.array([-0.5]),
}
"""relu(x − 4), relu(y − 2), and a unit that never fires."""
TWO = network(dense(3, "relu"), dense(1))
VALUES = network(dense(3, "relu"), dense(1), loss="mean_squared_error")
CLASSES = network(dense(3, "softmax"), loss="categorical_crossentropy")
NORM = network(dense(2), {"type": "batch_normalization"}, {"type": "activation", "activation": "relu"}, dense(1))
DEEP = network(*[dense(20, "relu") for _ in range(6)], dense(1))
JOINED = network(dense(3, "relu", name="a"), {"type": "concatenate", "inputs": ["a", "input"]}, dense(1))
PERIODIC = network({"type": "periodic_embedding", "size": 3}, dense(4, "relu"), dense(1))
CUTS, SUMS = "Each first-layer unit", "The output adds"
Points = list[tuple[float, float]]


def plane_of(
    resolved: Resolved = TWO,
    tensors: Mapping[str, np.ndarray] = TENSORS,
    target: Any = (0, 0, 1, 1),
    classes: tuple[str, ...] = ("no", "yes"),
    **fields: Any,
) -> Plane:
    built, held_out = Network(resolved, "numpy"), np.array([False, False, False, True])
    return Plane(built, tensors, CORNERS, np.asarray(target), held_out, ("x", "y"), classes, **fields)


def story(*given: Any, moments: tuple[int, ...] = (), **fields: Any) -> PlaneStory:
    """Return the story of a plane, with the same network at some moments of training."""
    plane = plane_of(*given, **fields)
    return PlaneStory(plane, dict.fromkeys(moments, plane.tensors))


def all_pictures(told: PlaneStory) -> list[Any]:
    return [told.rows, told.answer, *(picture for _, _, pictures in told.sections for picture in pictures)]


def section(told: PlaneStory, title: str) -> list[Any]:
    (found,) = [pictures for heading, _, pictures in told.sections if heading.startswith(title)]
    return found


def cut(picture: Any) -> Points:
    """Return the points of a strong line in the values of the plane."""
    drawn = Drawn(picture.chart)
    width, height = drawn.size
    points = [point for line in drawn.cuts() for point in line]
    # A small picture has a frame of its own of 4 units.
    return [(-0.8 + 11.6 * (x - 4) / (width - 8), 5.4 - 5.8 * (y - 4) / (height - 8)) for x, y in points]


def answer_cut(told: PlaneStory, moment: int = -1) -> Points:
    """Return the points of the strong line of the answer at a moment, in the values of the plane."""
    drawn = Drawn(told.answer.chart)
    left, top, width, height = place_of(drawn.windows()[0])
    paths = drawn.all("g", "moment")[moment].iter(f"{NAMESPACE}path")
    lines = [line.attrib["d"] for line in paths if line.attrib["class"] == "line"]
    points = [point for line in lines for piece in pieces(line) for point in piece]
    return [(-0.8 + 11.6 * (x - left) / width, 5.4 - 5.8 * (y - top) / height) for x, y in points]


def output(x: float, y: float, first: float = -4.0) -> float:
    """Return what the network computes by hand, with another first bias."""
    return max(x + first, 0) - 2 * max(y - 2, 0) - 0.5


def last_sum_is_the_answer(told: PlaneStory) -> bool:
    """Return whether no point of the last sum's line is far from the line of the answer."""
    line = np.array(answer_cut(told))
    starts, steps = line[:-1], np.diff(line, axis=0)
    for point in np.array(cut(section(told, SUMS)[-1])):
        along = ((point - starts) * steps).sum(axis=1) / np.maximum((steps**2).sum(axis=1), 1e-12)
        nearest = starts + np.clip(along, 0, 1)[:, None] * steps
        if np.linalg.norm(nearest - point, axis=1).min() >= 0.05:
            return False
    return True


@pytest.mark.parametrize(
    ("told", "across", "up", "note"),
    [
        (story(), 4, 2, "fires on 50.0 % of rows, towards yes (1)"),
        (story(network(dense(3, "tanh"), dense(1))), 4, 2, "sum positive on 50.0 % of rows, towards yes (1)"),
        (story(prepare=lambda points: points * [2.0, 1.0]), 2, 2, "fires on 50.0 % of rows, towards yes (1)"),
        (story(VALUES, TENSORS, (10, 20, 45, 0), ()), 4, 2, "fires on 50.0 % of rows, raises it (1)"),
        (
            story(
                NORM,
                initial(NORM) | {
                    "layers.0.weight": np.eye(2),
                    "layers.0.bias": np.zeros(2),
                    "layers.1.running_mean": np.array([3.0, 1.0]),
                },
            ),
            3,
            1,
            "fires on 50.0 % of rows",
        ),
    ],
    ids=["relu", "tanh", "prepared columns", "values", "behind a norm"],
)  # fmt: skip
def test_each_unit_has_its_line_what_it_fires_on_and_its_weight(told: PlaneStory, across: int, up: int, note: str):
    first, second, *_ = section(told, CUTS)
    np.testing.assert_allclose([x for x, _ in cut(first)], across, atol=0.05)
    np.testing.assert_allclose([y for _, y in cut(second)], up, atol=0.05)
    assert first.note.startswith(note)
    assert ("violet" in told.sections[0][1]) == first.note.startswith("sum")


def test_units_have_weights_of_either_sign_or_never_fire() -> None:
    cuts = section(story(), CUTS)
    assert [(picture.title, picture.note) for picture in cuts[1:]] == [
        ("unit 2", "fires on 50.0 % of rows, towards no (−2)"),
        ("unit 3", "fires on no row"),
    ]
    assert cut(cuts[2]) == []


def test_the_output_adds_the_units_from_the_strongest_on() -> None:
    told = story(moments=(7,))
    sums = section(told, SUMS)
    # Mean |weight · activation| over the rows: 3 for unit 1 and for unit 2, 0 for unit 3.
    assert [picture.title for picture in sums] == ["bias and unit 1", "+ unit 2", "+ unit 3"]
    np.testing.assert_allclose([x for x, _ in cut(sums[0])], 4.5, atol=0.1)
    np.testing.assert_allclose([output(x, y) for x, y in cut(sums[1])], 0, atol=0.15)
    # Sums at the rows: −0.5, −6.5, 5.5, −0.5.
    assert [picture.note for picture in sums] == [
        "100.0 % of rows right",
        "75.0 % of rows right",
        "75.0 % of rows right",
    ]
    assert " The sigmoid turns it into a probability: 0 becomes ½, 2.2 becomes 0.9" in told.sections[1][1]
    assert last_sum_is_the_answer(told)


def test_parametrizations_and_missing_biases_are_counted() -> None:
    ntk = network(dense(3, "relu"), dense(1, use_bias=False, parametrization="ntk"))
    told = story(ntk, {name: array for name, array in TENSORS.items() if name != "layers.1.bias"}, moments=(3,))
    assert section(told, CUTS)[0].note == "fires on 50.0 % of rows, towards yes (0.58)"
    assert section(told, SUMS)[0].title == "unit 1"
    assert last_sum_is_the_answer(told)


def test_the_answer_has_each_moment_and_last_the_delivered_network() -> None:
    other = TENSORS | {"layers.1.weight": np.zeros((1, 3)), "layers.1.bias": np.array([-3.0])}
    moved = TENSORS | {"layers.0.bias": np.array([-5.0, -2.0, -100.0])}
    told = PlaneStory(plane_of(), {20: moved, 0: other})
    names = [moment.partition(":")[0] for moment in told.moments]
    assert names == ["before training", "epoch 20", "the delivered network"]
    drawn = Drawn(told.answer.chart)
    groups = drawn.all("g", "moment")
    assert [group.attrib["class"] for group in groups] == ["moment", "moment", "moment delivered shown"]
    assert answer_cut(told, 0) == []
    for moment, bias in ((1, -5.0), (2, -4.0)):
        np.testing.assert_allclose([output(x, y, bias) for x, y in answer_cut(told, moment)], 0, atol=0.15)
    assert drawn.root.attrib["aria-label"].endswith(told.moments[-1].partition(":")[2])
    # The same probability everywhere: opacity 0.62·|2p − 1|.
    (flat,) = groups[0].iter(f"{NAMESPACE}image")
    probability = 1 / (1 + np.exp(3))
    np.testing.assert_allclose(image_of(flat)[..., 3] / 255, 0.62 * (1 - 2 * probability), atol=0.5 / 39 + 0.002)


@pytest.mark.parametrize(
    ("loss", "levels", "has_sigmoid"),
    [("binary_crossentropy", ["0.1", "0.25", "0.75", "0.9"], True), ("hinge", ["−1", "1"], False)],
)
def test_the_answer_has_lines_at_probabilities_or_margins(loss: str, levels: list[str], has_sigmoid: bool) -> None:
    told = story(network(dense(3, "relu"), dense(1), loss=loss), moments=(1,))
    drawn = Drawn(told.answer.chart)
    assert [contour[0].text for contour in drawn.all("path", "contour")] == levels
    assert len(drawn.cuts()) == 1
    assert drawn.size == (440, 330)
    assert any("sigmoid" in text for _, text, _ in told.sections) == has_sigmoid
    assert told.moments == ["epoch 1: 75.0 % of rows right"]
    if has_sigmoid:
        assert drawn.root.attrib["aria-label"] == "Probability of yes over x and y: 75.0 % of rows right"


def test_lines_of_several_classes_are_where_two_tie() -> None:
    weight, bias = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), np.array([-5.0, -5.0, 0.0])
    tensors = {"layers.0.weight": weight, "layers.0.bias": bias}
    told = story(CLASSES, tensors, (2, 1, 0, 0), ("a", "b", "c"), moments=(1,))
    best = np.sort(np.array(answer_cut(told)) @ weight.T + bias)
    assert len(best)
    np.testing.assert_allclose(best[:, -1], best[:, -2], atol=0.12)
    assert told.moments == ["epoch 1: 100.0 % of rows right"]
    assert told.sections == []
    assert [name for _, name in told.marks] == ["a", "b", "c"]
    assert "two classes tie" in told.answer.note


def test_a_regression_has_the_mean_on_its_line() -> None:
    # Standardized by mean 20 and deviation 10: the mean of the training rows, 25, is an output of 0.5.
    told = story(VALUES, TENSORS, (10, 20, 45, 0), (), decode=lambda output: 20 + 10 * output, moments=(1,))
    assert [name for _, name in told.marks] == ["less than 25", "more than 25"]
    assert answer_cut(told)
    np.testing.assert_allclose([20 + 10 * output(x, y) for x, y in answer_cut(told)], 25, atol=1.5)
    assert last_sum_is_the_answer(told)
    predicted, target = np.array([15.0, -45.0, 75.0, 15.0]), np.array([10.0, 20.0, 45.0, 0.0])
    r2 = 1 - ((target - predicted) ** 2).sum() / ((target - target.mean()) ** 2).sum()
    assert told.moments == [f"epoch 1: R² {r2:.3f}".replace("-", "−")]
    assert section(told, CUTS)[1].note == "fires on 50.0 % of rows, lowers it (−2)"


@pytest.mark.parametrize(
    ("told", "titles"),
    [
        (story(VALUES, TENSORS, (1, 2, 3, 4), (), decode=np.exp), [CUTS]),
        (story(DEEP, initial(DEEP)), [CUTS]),
        (story(JOINED, initial(JOINED)), [f"{CUTS} draws one straight line"]),
        (story(PERIODIC, initial(PERIODIC)), []),
        (story(network(dense(1)), initial(network(dense(1)))), []),
    ],
    ids=["a target that is not decoded linearly", "deep", "a shortcut", "no first dense layer", "no hidden layer"],
)
def test_what_is_no_sum_of_units_has_cuts_alone_or_none(told: PlaneStory, titles: list[str]) -> None:
    assert [found[: len(title)] for (found, _, _), title in zip(told.sections, titles, strict=True)] == titles


def test_of_deep_networks_the_first_cuts_and_the_answer_are_shown() -> None:
    told = story(DEEP, initial(DEEP))
    ((_, text, pictures),) = told.sections
    assert len(pictures) == 16
    assert "The first 16 of 20 units." in text
    assert "weight in the output" not in text
    assert len(told.moments) == 1


def test_rows_are_drawn_once_and_reused() -> None:
    told = story(moments=(0, 5))
    page = "".join(picture.chart for picture in all_pictures(told))
    assert sorted(re.findall(r'id="([^"]+)"', page)) == ["plane-rows", "plane-rows-small"]
    # Large: once more, over all moments; small: three cuts and three sums, the first of which draws them.
    assert page.count('href="#plane-rows"') == 1
    assert page.count('href="#plane-rows-small"') == 5
    assert len(told.moments) == 2


def test_of_many_rows_some_are_drawn() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5000, 2))
    rows[:10] = np.nan
    many = {"columns": rows, "target": rng.integers(0, 2, 5000), "held_out": rng.random(5000) < 0.2}
    told = PlaneStory(replace(plane_of(prepare=np.nan_to_num), **many), {})
    assert len(Drawn(told.rows.chart).all("path", "point")) == 400
    assert "400 of 5 000 rows" in told.rows.note
    assert "held out" in told.rows.note
    small = Drawn(section(told, CUTS)[0].chart)
    assert sum(path.attrib["d"].count("M") for path in small.all("path", "point")) == 150


@pytest.mark.parametrize("name", CLUMSY)
def test_names_are_text(name: str) -> None:
    told = PlaneStory(replace(plane_of(classes=(name, "other")), column_names=(name, name)), {0: TENSORS})
    drawn = [Drawn(picture.chart) for picture in all_pictures(told)]
    assert not any(element.tag in ("script", "b") for picture in drawn for element in picture.root.iter())
    assert drawn[0].texts("axis-label").count(name) == 2
    assert any(hover.startswith(name) for hover in drawn[0].hovers())
    assert told.marks[0][1] == name


@pytest.mark.slow
def test_a_story_is_small() -> None:
    large = network(dense(64, "relu"), dense(64, "relu"), dense(10, "softmax"), loss="categorical_crossentropy")
    rng = np.random.default_rng(0)
    columns, target, held_out = rng.normal(size=(1000, 2)), rng.integers(0, 10, 1000), rng.random(1000) < 0.2
    plane = plane_of(large, initial(large), classes=tuple(f"class {k}" for k in range(10)))
    told = PlaneStory(
        replace(plane, columns=columns, target=target, held_out=held_out),
        dict.fromkeys((0, 1, 5, 20, 100), initial(large)),
    )
    assert sum(len(picture.chart) for picture in all_pictures(told)) < 250_000


def test_every_picture_is_described() -> None:
    pictures = all_pictures(story(moments=(0,)))
    descriptions = [Drawn(picture.chart).root.attrib["aria-label"] for picture in pictures]
    assert len(set(descriptions)) == len(descriptions)
    assert descriptions[0] == "4 rows by x and y, 1 of them held out"
    assert descriptions[2] == "Unit 1 over the plane: fires on 50.0 % of rows, towards yes (1)"


def test_what_leads_and_log_odds_are() -> None:
    assert leads(np.array([[3.0, 1.0, 2.0], [5.0, 5.0, 0.0]])).tolist() == [[1, -2, -1], [0, 0, -5]]
    odds = log_odds(np.array([0.5, 0.9, 0.0, 1.0]))
    assert odds[:2].tolist() == [0, pytest.approx(np.log(9))]
    assert np.isfinite(odds).all()


def test_a_region_without_an_answer_has_a_smooth_edge() -> None:
    # relu(x − y) alone: 0 on one half of the plane, where both classes are equally probable.
    weight, biases = np.array([[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]]), np.array([0.0, -1.0, -1.0])
    tensors = TENSORS | {"layers.0.weight": weight, "layers.0.bias": biases, "layers.1.bias": np.zeros(1)}
    line = answer_cut(story(TWO, tensors, moments=(0,)))
    assert line
    # The line follows the diagonal, and not the steps of the grid, which are 0.13 across and 0.07 up.
    assert np.abs([x - y for x, y in line]).max() < 0.01


def test_values_of_all_moments_have_one_scale() -> None:
    flat = TENSORS | {"layers.1.weight": np.zeros((1, 3)), "layers.1.bias": np.array([30.0])}
    # The mean of the training rows is 20, and their largest distance from it, as of all rows, 20.
    told = PlaneStory(plane_of(VALUES, TENSORS, (0, 20, 40, 10), ()), {0: flat})
    image = image_of(next(Drawn(told.answer.chart).all("g", "moment")[0].iter(f"{NAMESPACE}image")))
    np.testing.assert_allclose(image[..., 3] / 255, 0.62 * 0.5, atol=0.5 / 39 + 0.002)
