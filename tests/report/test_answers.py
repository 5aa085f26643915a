"""What charts of answers say in numbers, against the rows that they are of, scikit-learn and plain sums."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn import metrics

from specnet import number_texts
from specnet.model import Answers
from specnet.report import class_charts, value_charts
from specnet.report.class_charts import calibration, precision_recall_curve, roc_curve, thresholds
from tests.report.drawn import Drawn, place_of

RNG = np.random.default_rng(0)


def rows(count: int, levels: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes, scores that tell something of them, of only so many levels, and weights."""
    positive = RNG.random(count) < 0.3
    score = np.clip(RNG.normal(0.4 + 0.2 * positive, 0.2), 0, 1)
    if levels is not None:
        score = np.round(score * levels) / levels
    return positive, score, RNG.integers(1, 4, count).astype(np.float64)


@pytest.mark.parametrize("levels", [None, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_curves_are_those_of_scikit_learn(levels: int | None, weighted: bool) -> None:
    positive, score, weight = rows(500, levels)
    weights = weight if weighted else None
    alarms, hits, area = roc_curve(positive, score, weights)
    assert area == pytest.approx(metrics.roc_auc_score(positive, score, sample_weight=weights))
    expected = metrics.roc_curve(positive, score, sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose([alarms, hits], expected[:2])
    recall, _, mean = precision_recall_curve(positive, score, weights)
    assert mean == pytest.approx(metrics.average_precision_score(positive, score, sample_weight=weights))
    assert np.all(np.diff(recall) >= 0)


def test_curves_need_what_they_are_about() -> None:
    score, none, all_rows = RNG.random(9), np.zeros(9, bool), np.ones(9, bool)
    assert [roc_curve(none, score), roc_curve(all_rows, score), precision_recall_curve(none, score)] == [None] * 3
    assert thresholds(all_rows, score) is None


@pytest.mark.parametrize(("count", "bins"), [(3, 3), (60, 3), (150, 5), (3000, 10)])
def test_bins_have_about_as_many_rows_and_their_means(count: int, bins: int) -> None:
    positive, score, weight = rows(count)
    sizes, predicted, observed, _, _ = calibration(positive, score, weight)
    assert (len(sizes), sizes.sum()) == (bins, count)
    assert np.ptp(sizes) <= 1
    order = np.argsort(score)
    for number, part in enumerate(np.split(order, sizes.cumsum().astype(int)[:-1])):
        assert predicted[number] == pytest.approx(np.average(score[part], weights=weight[part]))
        assert observed[number] == pytest.approx(np.average(positive[part], weights=weight[part]))


def test_equal_probabilities_are_in_one_bin() -> None:
    positive = RNG.random(300) < 0.5
    assert calibration(positive, np.full(300, 0.7))[0] == [300]
    score = np.repeat([0.1, 0.9], [200, 100])
    assert calibration(positive, score)[1] == pytest.approx([0.1, 0.9])


def test_bins_have_the_intervals_of_rows_that_count_alike() -> None:
    positive, score, _ = rows(90)
    for weight in (None, np.full(90, 0.5)):
        order = np.argsort(score).reshape(3, 30)
        for ends, part in zip(calibration(positive, score, weight)[3:].T, order, strict=True):
            expected = binomtest(int(positive[part].sum()), 30).proportion_ci(0.95, "wilson")
            assert ends == pytest.approx(list(expected))


def test_rows_of_unequal_weight_tell_less() -> None:
    """Both ends are as far from the fraction as chance goes there, among as many rows as Kish counts."""
    positive, score, weight = rows(90)
    order = np.argsort(score).reshape(3, 30)
    for (observed, *ends), part in zip(calibration(positive, score, weight)[2:].T, order, strict=True):
        effective = weight[part].sum() ** 2 / np.sum(weight[part] ** 2)
        assert effective < 30
        for end in ends:
            if 0 < end < 1:
                chance = norm.ppf(0.975) * np.sqrt(end * (1 - end) / effective)
                assert abs(observed - end) == pytest.approx(chance)
    assert calibration(positive, score, np.zeros(90)).shape == (5, 0)


@pytest.mark.parametrize("levels", [None, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_thresholds_count_the_rows_above_them(levels: int | None, weighted: bool) -> None:
    positive, score, weight = rows(5000, levels)
    score = score.astype(np.float32)
    weight = weight / weight.mean() if weighted else np.ones(5000)
    found = thresholds(positive, score, weight if weighted else None)
    assert len(found["at"]) == (9 if levels else pytest.approx(200, abs=15))
    assert (found["at"][0], found["at"][-1], found["at"][found["start"]]) == (0, 1, 0.5)
    for at, hits, alarms in zip(found["at"], found["hits"], found["alarms"], strict=True):
        above = score > at if at in (0.0, 0.5, 1.0) else score.astype(np.float64) >= at
        expected = weight[above & positive].sum(), weight[above & ~positive].sum()
        assert (hits, alarms) == (pytest.approx(expected, rel=1e-9) if weighted else expected)
    assert found["positives"] == pytest.approx(weight[positive].sum(), rel=1e-9)
    assert found["others"] == pytest.approx(weight[~positive].sum(), rel=1e-9)
    if levels:  # each level can be left out
        assert len(set(zip(found["hits"], found["alarms"], strict=True))) == levels + 1


ROWS = 400


def answers(classes: int) -> Answers:
    """Answers of a model that is right as often as it says."""
    rng = np.random.default_rng(classes)
    probability = rng.dirichlet(np.ones(classes), ROWS)
    target = np.array([rng.choice(classes, p=each) for each in probability])
    losses = -np.log(probability[np.arange(ROWS), target])
    return Answers(target, target, losses, probability.argmax(axis=1), probability, None)


def figures(classes: int, names: list[str]) -> dict[str, class_charts.Figure]:
    return {figure.title: figure for figure in class_charts.class_figures(None, names, answers(classes))}


@pytest.mark.parametrize("classes", [2, 3])
def test_calibration_has_a_bar_of_rows_for_each_probability(classes: int) -> None:
    figure = figures(classes, ["a", "b", "c"][:classes])["Calibration"]
    given = answers(classes).probability
    probability = given[:, 1] if classes == 2 else given.max(axis=1)
    expected = np.array([np.sum((probability >= k / 20) & (probability < (k + 1) / 20)) for k in range(20)])
    drawn = Drawn(figure.chart)
    bars = drawn.all("rect", "quiet")
    told = [re.fullmatch(r"(\d+) rows?: probability (\d+) to (\d+) %", bar[0].text or "") for bar in bars]
    found = {int(each[2]) // 5: int(each[1]) for each in told if each}
    assert found == {place: count for place, count in enumerate(expected.tolist()) if count}
    tops = np.array([place_of(bar)[3] for bar in bars])
    np.testing.assert_allclose(tops / max(tops), expected[expected > 0] / expected.max(), atol=0.005)
    assert f"Grey bars: how many rows have such a probability, at most {expected.max()}." in figure.note


def test_points_of_calibration_stand_in_their_intervals() -> None:
    drawn = Drawn(figures(2, ["a", "b"])["Calibration"].chart)
    whiskers, points = drawn.lines("whisker"), drawn.all("circle", "dot")
    assert len(whiskers) == len(points) == 10
    for ((x, low), (same, high)), point in zip(whiskers, points, strict=True):
        assert x == same == float(point.attrib["cx"])
        assert high < float(point.attrib["cy"]) < low
        assert re.search(r"came true [\d.]+ %, 95 % Wilson interval [\d.]+–[\d.]+ %", point[0].text or "")


@pytest.mark.parametrize(
    ("probabilities", "bars", "last"),
    [
        ((0.002, 0.14), (0.0, 0.2), "20"),
        ((0.002, 0.3), (0.0, 0.4), "40"),
        ((0.91, 1.0), (0.8, 1.0), "100"),
        ((0.3, 0.7), (0.0, 1.0), "100"),
    ],
)
def test_axes_of_calibration_show_the_probabilities_large(
    probabilities: tuple[float, float], bars: tuple[float, float], last: str
) -> None:
    """Rare and sure classes would otherwise be in one corner: their axes are a fifth or two fifths as long."""
    probability = np.linspace(*probabilities, 2000)
    came_true = (np.arange(2000) * 0.6180339887 % 1 < probability).astype(np.intp)
    both = np.column_stack([1 - probability, probability])
    given = Answers(came_true, came_true, probability, both.argmax(axis=1), both, None)
    chart = next(
        each for each in class_charts.class_figures(None, ["a", "b"], given) if each.title == "Calibration"
    ).chart
    drawn = Drawn(chart)
    assert drawn.texts().count(last) == 2
    (guide,) = drawn.lines("guide")
    (left, bottom), (right, top) = guide[0], guide[-1]
    for bar in drawn.all("rect", "quiet"):
        low, high = map(float, re.search(r"probability ([\d.]+) to ([\d.]+) %", bar[0].text or "").groups())
        x, y, width, height = place_of(bar)
        ends = [left + (right - left) * (end / 100 - bars[0]) / (bars[1] - bars[0]) for end in (low, high)]
        np.testing.assert_allclose([x, x + width], ends, atol=0.2)
        assert y + height == pytest.approx(bottom, abs=0.2)
        assert y > top


def test_small_confusion_matrices_have_a_0_where_no_row_is() -> None:
    for count, zeros in ((2, 2), (4, 12), (5, 0)):
        names = [f"c{k}" for k in range(count)]
        (figure,) = class_charts.class_figures((3 * np.eye(count)).tolist(), names, None)
        assert Drawn(figure.chart).texts("strong").count("0") == zeros


def importance_of(score: str, *mean: float, half: float = 0.0123) -> class_charts.Figure:
    names = [f"x{place}" for place in range(len(mean))]
    means = value_charts.Importance(score, 100, 5, names, np.array(mean), np.array(mean) - half, np.array(mean) + half)
    return value_charts.importance_figure(means)


@pytest.mark.parametrize(
    ("score", "mean", "fall"),
    [("accuracy", 0.0004, "the accuracy falls by 0.0 percentage points"), ("r2", 0.0, "the R² falls by 0.")],
)
def test_columns_of_no_importance_have_a_sentence_and_no_chart(score: str, mean: float, fall: str) -> None:
    figure = importance_of(score, mean, -mean)
    assert not figure.chart
    assert figure.note.startswith("None of 2 columns matters")
    assert fall in figure.note


def test_columns_whose_importance_is_0_as_shown_have_no_bar() -> None:
    figure = importance_of("accuracy", 0.249, *[0.0004] * 20, -0.012)
    assert Drawn(figure.chart).texts()[:2] == ["x0", "x21"]
    assert figure.note.endswith("; 20 columns with 0.0 are left out.")
    assert importance_of("accuracy", *[0.1] * 13).note.endswith("; the first 12 of 13 columns.")


def test_importance_is_in_percentage_points() -> None:
    chart = importance_of("accuracy", 0.249, -0.0004, -0.012).chart
    assert "Permutation importance: x0 24.9, x2 −1.2" in chart
    assert "fall of accuracy in percentage points" in chart
    assert "x0: 24.9 percentage points, 95 % interval 23.7 to 26.1" in chart
    assert "-" not in Drawn(importance_of("r2", 0.9, -0.01).chart).root.attrib["aria-label"]


@pytest.mark.parametrize("count", [3, 9, 30])
def test_columns_of_a_confusion_matrix_can_be_told_apart(count: int) -> None:
    """Names that do not fit beside each other are numbers, which stand after the names of the rows."""
    names = [f"animation of kind {k}" for k in range(count)]
    for shown, numbered in ((names, True), ([name[-2:].strip() for name in names], False)):
        (figure,) = class_charts.class_figures(np.eye(count).tolist(), shown, None)
        drawn = Drawn(figure.chart)
        columns = [t.text for t in drawn.all("text") if t.get("text-anchor") == "middle" and not t.get("class")]
        rows = [t for t in drawn.all("text") if t.get("text-anchor") == "end" and not t.get("class")]
        whole = [t[0].text if len(t) else t.text for t in rows]
        assert len(set(columns)) == len(columns) >= (count if count < 30 else 8)
        assert len(rows) == count
        assert whole == [f"{name} {k + 1}" if numbered else name for k, name in enumerate(shown)]
        assert set(columns) <= {str(k + 1) for k in range(count)} if numbered else set(columns) <= {*shown}
        assert ("Columns have the numbers of the rows" in figure.note) == numbered


def test_residuals_are_told_of_all_rows_where_some_are_drawn() -> None:
    rng = np.random.default_rng(4)
    target, prediction = rng.standard_t(2, 3600), np.zeros(3600)
    residuals = Answers(target, target[:, np.newaxis], np.square(target), prediction, None, None)
    _, figure = value_charts.value_figures(residuals, ["y"])
    assert figure.chart.count("<circle") == value_charts.MAX_POINTS
    both = float(np.mean(target)), float(np.std(target))
    mean, deviation = (number_texts.page_figure(each, *both) for each in both)
    assert figure.note.startswith(f"Mean {mean}, standard deviation {deviation} of 3 600 test rows.")
    assert f"mean {mean}, standard deviation {deviation}" in figure.chart


def test_the_thresholds_of_a_model_with_its_own_start_there() -> None:
    given = answers(2)
    own = float(given.probability[7, 1])  # which the model includes
    found = class_charts.class_thresholds(given, own)
    assert found["at"][found["start"]] == own
    assert found["hits"][found["start"]] == (given.probability[given.target == 1, 1] >= own).sum()
    assert found["alarms"][found["start"]] == (given.probability[given.target == 0, 1] >= own).sum()
    (roc,) = (
        each for each in class_charts.class_figures(None, ["a", "b"], given, None, own) if each.title == "ROC curve"
    )
    assert f"At the threshold {own:g}, the point" in roc.note
