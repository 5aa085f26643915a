"""Pictures of a plane: cuts, sums, answers and learning, against networks that are worked out by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from specnet import Network, Resolved
from specnet.report.plane.plane_story import PlaneStory
from specnet.report.plane.surfaces import Plane, leads, log_odds
from specnet.report.svg.charts import Figure
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


def plane_of(
    resolved: Resolved,
    tensors: Mapping[str, np.ndarray],
    target: Any = (0, 0, 1, 1),
    classes: tuple[str, ...] = ("no", "yes"),
    **fields: Any,
) -> Plane:
    held_out = np.array([False, False, False, True])
    return Plane(
        Network(resolved, "numpy"), tensors, CORNERS, np.asarray(target), held_out, ("x", "y"), classes, **fields
    )


def all_pictures(told: PlaneStory) -> list[Figure]:
    return [told.rows, told.answer, *(picture for _, _, pictures in told.sections for picture in pictures)]


def section(told: PlaneStory, title: str) -> list[Figure]:
    (found,) = [pictures for heading, _, pictures in told.sections if heading.startswith(title)]
    return found


def cut(picture: Figure) -> list[tuple[float, float]]:
    """Return the points of a strong line in the values of the plane."""
    drawn = Drawn(picture.chart)
    width, height = drawn.size
    points = [point for line in drawn.cuts() for point in line]
    # A small picture has a frame of its own of 4 units.
    return [(-0.8 + 11.6 * (x - 4) / (width - 8), 5.4 - 5.8 * (y - 4) / (height - 8)) for x, y in points]


def answer_cut(told: PlaneStory, moment: int = -1) -> list[tuple[float, float]]:
    """Return the points of the strong line of the answer at a moment, in the values of the plane."""
    drawn = Drawn(told.answer.chart)
    left, top, width, height = place_of(drawn.windows()[0])
    group = drawn.all("g", "moment")[moment]
    lines = [line for line in group.iter(f"{NAMESPACE}path") if line.attrib["class"] == "line"]
    points = [point for line in lines for piece in pieces(line.attrib["d"]) for point in piece]
    return [(-0.8 + 11.6 * (x - left) / width, 5.4 - 5.8 * (y - top) / height) for x, y in points]


def apart(points: list[tuple[float, float]], line: list[tuple[float, float]]) -> float:
    """Return how far the farthest of some points is from a line through others."""
    starts, ends = np.array(line[:-1]), np.array(line[1:])
    steps = ends - starts
    found = []
    for point in np.array(points):
        along = ((point - starts) * steps).sum(axis=1) / np.maximum((steps**2).sum(axis=1), 1e-12)
        found.append(np.linalg.norm(starts + np.clip(along, 0, 1)[:, None] * steps - point, axis=1).min())
    return float(max(found))


def test_each_unit_has_its_line_what_it_fires_on_and_its_weight() -> None:
    cuts = section(PlaneStory(plane_of(TWO, TENSORS), {}), "Each first-layer unit")
    assert {picture.title: picture.note for picture in cuts} == {
        "unit 1": "fires on 50 % of rows, towards yes (1)",
        "unit 2": "fires on 50 % of rows, towards no (−2)",
        "unit 3": "fires on no row",
    }
    assert np.allclose([x for x, _ in cut(cuts[0])], 4, atol=0.05)
    assert np.allclose([y for _, y in cut(cuts[1])], 2, atol=0.05)
    assert cut(cuts[2]) == []


def test_units_that_give_negative_values_are_not_called_silent() -> None:
    tanh = network(dense(3, "tanh"), dense(1))
    told = PlaneStory(plane_of(tanh, TENSORS), {})
    assert section(told, "Each first-layer")[0].note.startswith("sum positive on 50 %")
    assert "violet" in told.sections[0][1]


def test_the_output_adds_the_units_from_the_strongest_on() -> None:
    told = PlaneStory(plane_of(TWO, TENSORS), {})
    sums = section(told, "The output adds")
    # Mean |weight · activation| over the rows: 3 for unit 1 and for unit 2, 0 for unit 3.
    assert [picture.title for picture in sums] == ["bias and unit 1", "+ unit 2", "+ unit 3"]
    assert np.allclose([x for x, _ in cut(sums[0])], 4.5, atol=0.1)
    for x, y in cut(sums[1]):
        assert max(x - 4, 0) - 2 * max(y - 2, 0) - 0.5 == pytest.approx(0, abs=0.15)
    # Sums at the rows: −0.5, −6.5, 5.5, −0.5.
    assert [picture.note for picture in sums] == ["100 % of rows right", "75 % of rows right", "75 % of rows right"]
    assert " The sigmoid turns it into a probability: 0 becomes ½, 2.2 becomes 0.9" in told.sections[1][1]


def test_the_last_sum_and_the_answer_have_the_same_line() -> None:
    told = PlaneStory(plane_of(TWO, TENSORS), {7: TENSORS})
    assert apart(cut(section(told, "The output adds")[-1]), answer_cut(told)) < 0.05
    assert told.moments == ["epoch 7: 75 % of rows right"]


def test_the_answer_has_each_moment_and_last_the_delivered_network() -> None:
    other = TENSORS | {"layers.1.weight": np.zeros((1, 3)), "layers.1.bias": np.array([-3.0])}
    moved = TENSORS | {"layers.0.bias": np.array([-5.0, -2.0, -100.0])}
    told = PlaneStory(plane_of(TWO, TENSORS), {20: moved, 0: other})
    assert [moment.partition(":")[0] for moment in told.moments] == [
        "before training",
        "epoch 20",
        "the delivered network",
    ]
    drawn = Drawn(told.answer.chart)
    groups = drawn.all("g", "moment")
    assert [group.attrib["class"] for group in groups] == ["moment", "moment", "moment delivered shown"]
    assert answer_cut(told, 0) == []
    for moment, bias in ((1, -5.0), (2, -4.0)):
        for x, y in answer_cut(told, moment):
            assert max(x + bias, 0) - 2 * max(y - 2, 0) - 0.5 == pytest.approx(0, abs=0.15)
    assert drawn.root.attrib["aria-label"].endswith(told.moments[-1].partition(":")[2])
    # The same probability everywhere: opacity 0.62·|2p − 1|.
    (flat,) = groups[0].iter(f"{NAMESPACE}image")
    probability = 1 / (1 + np.exp(3))
    np.testing.assert_allclose(image_of(flat)[..., 3] / 255, 0.62 * (1 - 2 * probability), atol=0.5 / 39 + 0.002)


def test_the_answer_has_lines_at_probabilities() -> None:
    drawn = Drawn(PlaneStory(plane_of(TWO, TENSORS), {}).answer.chart)
    hovers = [contour[0].text for contour in drawn.all("path", "contour")]
    assert hovers == ["0.1", "0.25", "0.75", "0.9"]
    assert len(drawn.cuts()) == 1
    assert drawn.root.attrib["aria-label"] == "Probability of yes over x and y: 75 % of rows right"
    assert drawn.size == (440, 330)


def test_parametrizations_and_missing_biases_are_counted() -> None:
    ntk = network(dense(3, "relu"), dense(1, use_bias=False, parametrization="ntk"))
    tensors = {name: array for name, array in TENSORS.items() if name != "layers.1.bias"}
    told = PlaneStory(plane_of(ntk, tensors), {3: tensors})
    assert section(told, "Each first-layer")[0].note == "fires on 50 % of rows, towards yes (0.58)"
    sums = section(told, "The output adds")
    assert sums[0].title == "unit 1"
    assert apart(cut(sums[-1]), answer_cut(told)) < 0.05


def test_lines_of_several_classes_are_where_two_tie() -> None:
    three = network(dense(3, "softmax"), loss="categorical_crossentropy")
    tensors = {
        "layers.0.weight": np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]),
        "layers.0.bias": np.array([-5.0, -5.0, 0.0]),
    }
    told = PlaneStory(plane_of(three, tensors, (2, 1, 0, 0), ("a", "b", "c")), {1: tensors})
    assert answer_cut(told)
    for x, y in answer_cut(told):
        best, second, _ = sorted((x - 5, 2 * y - 5, 0.0), reverse=True)
        assert best - second == pytest.approx(0, abs=0.12)
    assert told.moments == ["epoch 1: 100 % of rows right"]
    assert not any(title.startswith(("Each", "The output")) for title, _, _ in told.sections)
    assert [name for _, name in told.marks] == ["a", "b", "c"]
    assert "two classes tie" in told.answer.note


def test_a_regression_has_the_mean_on_its_line() -> None:
    values = network(dense(3, "relu"), dense(1), loss="mean_squared_error")
    # Standardized by mean 20 and deviation 10: the mean of the training rows, 25, is an output of 0.5.
    plane = plane_of(values, TENSORS, (10, 20, 45, 0), (), decode=lambda output: 20 + 10 * output)
    told = PlaneStory(plane, {1: TENSORS})
    assert [name for _, name in told.marks] == ["less than 25", "more than 25"]
    assert answer_cut(told)
    for x, y in answer_cut(told):
        assert 20 + 10 * (max(x - 4, 0) - 2 * max(y - 2, 0) - 0.5) == pytest.approx(25, abs=1.5)
    sums = section(told, "The output adds")
    assert apart(cut(sums[-1]), answer_cut(told)) < 0.05
    predicted = np.array([15.0, -45.0, 75.0, 15.0])
    target = np.array([10.0, 20.0, 45.0, 0.0])
    r2 = 1 - ((target - predicted) ** 2).sum() / ((target - target.mean()) ** 2).sum()
    assert told.moments == [f"epoch 1: R² {r2:.3g}".replace("-", "−")]
    assert section(told, "Each first-layer")[1].note == "fires on 50 % of rows, lowers it (−2)"


def test_a_target_that_is_not_decoded_linearly_has_no_sums() -> None:
    values = network(dense(3, "relu"), dense(1), loss="mean_squared_error")
    told = PlaneStory(plane_of(values, TENSORS, (1, 2, 3, 4), (), decode=np.exp), {})
    assert [title[:4] for title, _, _ in told.sections] == ["Each"]


def test_margins_have_their_own_lines() -> None:
    hinge = network(dense(3, "relu"), dense(1), loss="hinge")
    told = PlaneStory(plane_of(hinge, TENSORS), {1: TENSORS})
    hovers = [contour[0].text for contour in Drawn(told.answer.chart).all("path", "contour")]
    assert hovers == ["−1", "1"]
    assert not any("sigmoid" in text for _, text, _ in told.sections)
    assert told.moments == ["epoch 1: 75 % of rows right"]


def test_of_deep_networks_the_first_cuts_and_the_answer_are_shown() -> None:
    deep = network(*[dense(20, "relu") for _ in range(6)], dense(1))
    told = PlaneStory(plane_of(deep, initial(deep)), {})
    ((_, text, pictures),) = told.sections
    assert len(pictures) == 16
    assert "The first 16 of 20 units." in text
    assert "weight in the output" not in text
    assert len(told.moments) == 1


def test_a_unit_behind_a_norm_is_cut_where_its_activation_turns() -> None:
    norm = network(dense(2), {"type": "batch_normalization"}, {"type": "activation", "activation": "relu"}, dense(1))
    tensors = initial(norm) | {
        "layers.0.weight": np.eye(2),
        "layers.0.bias": np.zeros(2),
        "layers.1.running_mean": np.array([3.0, 1.0]),
    }
    cuts = section(PlaneStory(plane_of(norm, tensors), {}), "Each first-layer")
    assert np.allclose([x for x, _ in cut(cuts[0])], 3, atol=0.05)
    assert np.allclose([y for _, y in cut(cuts[1])], 1, atol=0.05)


def test_columns_may_be_prepared() -> None:
    plane = plane_of(TWO, TENSORS, prepare=lambda points: points * [2.0, 1.0])
    cuts = section(PlaneStory(plane, {}), "Each first-layer")
    assert np.allclose([x for x, _ in cut(cuts[0])], 2, atol=0.05)


def test_networks_without_a_first_dense_layer_have_no_cuts() -> None:
    periodic = {"type": "periodic_embedding", "size": 3}
    for resolved in (network(dense(1)), network(periodic, dense(4, "relu"), dense(1))):
        told = PlaneStory(plane_of(resolved, initial(resolved)), {})
        assert not any(title.startswith(("Each", "The output")) for title, _, _ in told.sections)


def test_networks_with_shortcuts_have_cuts_and_no_sums() -> None:
    joined = {"type": "concatenate", "inputs": ["a", "input"]}
    resolved = network(dense(3, "relu", name="a"), joined, dense(1))
    titles = [title for title, _, _ in PlaneStory(plane_of(resolved, initial(resolved)), {}).sections]
    assert titles == ["Each first-layer unit makes one straight cut"]


def test_rows_are_drawn_once_and_reused() -> None:
    told = PlaneStory(plane_of(TWO, TENSORS), {0: TENSORS, 5: TENSORS})
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
    plane = plane_of(TWO, TENSORS, prepare=np.nan_to_num)
    target, held_out = rng.integers(0, 2, 5000), rng.random(5000) < 0.2
    told = PlaneStory(replace(plane, columns=rows, target=target, held_out=held_out), {})
    drawn = Drawn(told.rows.chart)
    assert len(drawn.all("path", "point")) == 400
    assert "400 of 5 000 rows" in told.rows.note
    assert "held-out" in told.rows.note
    small = Drawn(section(told, "Each first-layer")[0].chart)
    assert sum(path.attrib["d"].count("M") for path in small.all("path", "point")) == 150


@pytest.mark.parametrize("name", CLUMSY)
def test_names_are_text(name: str) -> None:
    plane = replace(plane_of(TWO, TENSORS, classes=(name, "other")), column_names=(name, name))
    told = PlaneStory(plane, {0: TENSORS})
    drawn = [Drawn(picture.chart) for picture in all_pictures(told)]
    assert all(name not in ("script", "b") for picture in drawn for name in [e.tag for e in picture.root.iter()])
    assert drawn[0].texts("axis-label").count(name) == 2
    assert any(hover.startswith(name) for hover in drawn[0].hovers())
    assert told.marks[0][1] == name


@pytest.mark.slow
def test_a_story_is_small() -> None:
    large = network(dense(64, "relu"), dense(64, "relu"), dense(10, "softmax"), loss="categorical_crossentropy")
    rng = np.random.default_rng(0)
    target, held_out = rng.integers(0, 10, 1000), rng.random(1000) < 0.2
    plane = plane_of(large, initial(large), classes=tuple(f"class {k}" for k in range(10)))
    plane = replace(plane, columns=rng.normal(size=(1000, 2)), target=target, held_out=held_out)
    moments = {epoch: initial(large) for epoch in (0, 1, 5, 20, 100)}
    assert sum(len(picture.chart) for picture in all_pictures(PlaneStory(plane, moments))) < 250_000


def test_every_picture_is_described() -> None:
    told = PlaneStory(plane_of(TWO, TENSORS), {0: TENSORS})
    descriptions = [Drawn(picture.chart).root.attrib["aria-label"] for picture in all_pictures(told)]
    assert len(set(descriptions)) == len(descriptions)
    assert descriptions[0] == "4 rows by x and y, 1 of them held out"
    assert descriptions[2] == "Unit 1 over the plane: fires on 50 % of rows, towards yes (1)"


def test_what_leads_and_log_odds_are() -> None:
    assert leads(np.array([[3.0, 1.0, 2.0], [5.0, 5.0, 0.0]])).tolist() == [[1, -2, -1], [0, 0, -5]]
    probability = np.array([0.5, 0.9, 0.0, 1.0])
    odds = log_odds(probability)
    assert odds[:2].tolist() == [0, pytest.approx(np.log(9))]
    assert np.isfinite(odds).all()


def test_a_region_without_an_answer_has_a_smooth_edge() -> None:
    # relu(x − y) alone: 0 on one side of the diagonal, where both classes are equally probable.
    tensors = TENSORS | {
        "layers.0.weight": np.array([[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]]),
        "layers.0.bias": np.array([0.0, -1.0, -1.0]),
        "layers.1.bias": np.array([0.0]),
    }
    line = answer_cut(PlaneStory(plane_of(TWO, tensors), {0: tensors}))
    assert line
    # The line follows the diagonal, and not the steps of the grid, which are 0.13 across and 0.07 up.
    assert np.abs([x - y for x, y in line]).max() < 0.01


def test_values_of_all_moments_have_one_scale() -> None:
    values = network(dense(3, "relu"), dense(1), loss="mean_squared_error")
    flat = TENSORS | {"layers.1.weight": np.zeros((1, 3)), "layers.1.bias": np.array([30.0])}
    # The mean of the training rows is 20, and their largest distance from it, as of all rows, 20.
    told = PlaneStory(plane_of(values, TENSORS, (0, 20, 40, 10), ()), {0: flat})
    image = image_of(next(Drawn(told.answer.chart).all("g", "moment")[0].iter(f"{NAMESPACE}image")))
    np.testing.assert_allclose(image[..., 3] / 255, 0.62 * 0.5, atol=0.5 / 39 + 0.002)
