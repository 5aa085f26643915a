"""How pages begin: a verdict, the gains over other predictors on one axis with 0 in its middle, a table of scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from specnet.number_texts import difference, on_page, page_metric, signed
from specnet.parts.metrics import Metric, larger_is_better
from specnet.parts.splits import SPLITS, TEST, best_split
from specnet.report.pages.headline import (
    BASELINES,
    UNPAIRED,
    beside_teacher,
    compared_values,
    comparison,
    in_words,
    known_gains,
    rival_of,
    rows_of,
    score_name,
    verdict,
    words,
)
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.markup import text_width
from specnet.report.terminal.scores import scores_table

HEIGHT, LINE = 52.0, 24.0
"""Height of a chart without its lines, and of each line."""
MAX_REACH = 4.0
"""The axis ends at this multiple of the gain to be read first, or where two of three gains are within it; larger gains
are arrows."""
LABEL_WIDTH = 280.0
"""Width of the axis; a wider label would be cut."""
EDGE = 0.95
"""A dot beyond this part of the axis is left out, because the arrow at the end is there."""
PAIRED = "Lines are 95\N{NO-BREAK SPACE}% intervals of paired differences (bootstrap of {})."
WITHOUT_INTERVALS = "The dots have no intervals."
FROM_SCORES = "Lines are 95\N{NO-BREAK SPACE}% intervals from those of both scores, wider than paired ones."


def beginning_of(evaluation: Mapping[str, Any], metrics: Iterable[Metric], network: str) -> dict[str, Any]:
    """Return the beginning of a page: a network compared with simpler predictors in a sentence, a chart and a table.

    Parameters
    ----------
    evaluation : mapping
        Contents of ``metrics.json``.
    metrics : iterable of Metric
        Metrics of the spec.
    network : str
        Name of the network in the chart.
    """
    scores = {split: evaluation[split] for split in SPLITS if split in evaluation}
    beside = evaluation.get("intervals", {}), evaluation.get("baselines", {})
    table = scores_table(scores, *beside, metrics, rival_of(evaluation))
    return {
        "verdict": verdict(evaluation),
        "teacher": beside_teacher(evaluation),
        "strip": strip_of(evaluation, network),
        "scores": in_words(table),
    }


class Gain(NamedTuple):
    """The gain of a model over another predictor, larger than 0 if the model is better.

    Attributes
    ----------
    its : float
        The score of the other predictor.
    value : float
    low, high : float or None
        The ends of the interval; None without one.
    """

    its: float
    value: float
    low: float | None = None
    high: float | None = None

    @property
    def reach(self) -> float:
        """The largest distance from 0."""
        return max(abs(each) for each in (self.value, self.low, self.high) if each is not None)


def gain_text(name: str, value: float, *beside: float) -> str:
    """Return a difference of a metric with its sign: accuracies in percentage points, without the unit."""
    return signed(on_page(difference(name, value, *beside)))


def gains_chart(
    title: str, note: str, name: str, gains: Mapping[str, Gain], first: str, *, is_reduction: bool
) -> Figure:
    """Return a chart of gains over other predictors, each with a dot and a line over its interval.

    Parameters
    ----------
    title, note : str
        Title in a few words, and sentences below it.
    name : str
        Name of the metric.
    gains : mapping of str to Gain
        Gains by name of the other predictor, in the order of lines.
    first : str
        The predictor whose gain should be readable; much larger gains are beyond the axis.
    is_reduction : bool
        Whether smaller values of the metric are better.
    """
    scale, unit = (100.0, " points") if name.endswith("accuracy") else (1.0, "")
    what, of = ("points", "of") if unit else ("reduction", "of") if is_reduction else ("gain", "in")
    measured = f"{what} {of} {words(name)} · better →"
    labels = (f"← worse · {measured}", measured, f"← worse · {what} · better →")
    label = next((each for each in labels if text_width(each) <= LABEL_WIDTH), labels[-1])
    reaches = sorted(each.reach for each in gains.values())
    nearest = gains[first].reach if first in gains else 0.0
    least = reaches[-(-2 * len(reaches) // 3) - 1]
    end = scale * min(reaches[-1], max(MAX_REACH * nearest, least)) * 1.06 or 1.0
    texts = {other: gain_text(name, each.value, each.its) for other, each in gains.items()}
    rivals = {other: f"{other} {page_metric(name, each.its, each.value)}" for other, each in gains.items()}
    described = [f"{rivals[other]}: {text}{unit}" for other, text in texts.items()]
    x = Axis(-end, end, label)
    y = Axis.of_names(rivals.values())
    chart = Chart(f"{title}: {', '.join(described)}", x, y, height=HEIGHT + LINE * len(gains))
    chart.line([0, 0], [-0.5, len(gains) - 0.5], "quiet-line thin")
    for index, (other, gain) in enumerate(gains.items()):
        hover = f"{described[index]}{_interval(name, gain, unit)}"
        ends = [gain.value if each is None else each for each in (gain.low, gain.high)]
        drawn = [min(max(scale * each, -end), end) for each in ends]
        chart.line(drawn, [index, index], "whisker", name=texts[other], title=hover)
        if abs(scale * gain.value) < EDGE * end:
            chart.points([scale * gain.value], [index], radius=4.5, hover=[hover])
        for right, is_beyond in ((False, scale * ends[0] < -end), (True, scale * ends[1] > end)):
            if is_beyond:
                chart.beyond_x(index, right=right, style="whisker", hover=hover)
    return Figure(title, note, chart.svg(), "gains")


def _interval(name: str, gain: Gain, unit: str) -> str:
    if gain.low is None or gain.high is None:
        return ""
    low, high = (gain_text(name, end, gain.its) for end in (gain.low, gain.high))
    return f", 95 % interval {low} to {high}{unit}"


def strip_of(evaluation: Mapping[str, Any], network: str) -> Figure | None:
    """Return a chart of a network's gains over simpler predictors in the statistic that decides; None without any.

    The gains have paired intervals on test rows; without them, they are differences of the main metric.

    Parameters
    ----------
    evaluation : mapping
        Contents of ``metrics.json``.
    network : str
        Name of the network in texts.
    """
    beside, split = comparison(evaluation), best_split(evaluation)
    if beside is not None:
        _, first, name = beside
        gains = dict(paired_gains(evaluation, name))
        value, gain = compared_values(evaluation, first, name)[0], evaluation["gains"][first][name]
        drawn = "groups of test rows" if evaluation.get("groups") else "the test rows"
        note = FROM_SCORES if gain.get("method") == UNPAIRED else PAIRED.format(drawn)
        is_reduction = any(_is_reduction(evaluation, rival, name) for rival in gains)
    else:
        name = score_name(evaluation)
        value, first = evaluation[split].get(name), ""
        if value is None:
            return None
        is_reduction = not larger_is_better(name)
        gains = dict(_unpaired(evaluation, split, name, is_reduction))
        note = WITHOUT_INTERVALS if split == TEST else f"{WITHOUT_INTERVALS[:-1]}: no rows were held out for testing."
    if not gains:
        return None
    score = page_metric(name, value)
    title = words(name)
    note = f"{title[:1].upper()}{title[1:]} of the {network} on {rows_of(split)}: {score}. {note}"
    return gains_chart("Gain over simpler predictors", note, name, gains, first, is_reduction=is_reduction)


def _is_reduction(evaluation: Mapping[str, Any], baseline: str, name: str) -> bool:
    """Return whether a gain over a baseline is a smaller value of the statistic."""
    own, its = compared_values(evaluation, baseline, name)
    assert own is not None and its is not None, "the gain is known"
    return bool(evaluation["gains"][baseline][name]["value"] * (own - its) < 0)


def paired_gains(evaluation: Mapping[str, Any], name: str) -> Iterator[tuple[str, Gain]]:
    """Yield the gains with intervals in a statistic, in the order in which pages name baselines."""
    known = known_gains(evaluation, name)
    for baseline in in_order(known):
        gain = known[baseline]
        its = compared_values(evaluation, baseline, name)[1]
        assert its is not None, "the gain is known"
        yield baseline, Gain(its, gain["value"], gain["low"], gain["high"])


def _unpaired(evaluation: Mapping[str, Any], split: str, name: str, is_reduction: bool) -> Iterator[tuple[str, Gain]]:
    """Yield the differences of a metric on a split, without intervals."""
    baselines, own = evaluation.get("baselines", {}), evaluation[split][name]
    for baseline in in_order(baselines):
        its = baselines[baseline].get(split, {}).get(name)
        if its is not None:
            yield baseline, Gain(its, its - own if is_reduction else own - its)


def in_order(baselines: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of baselines in the order in which pages name them."""
    return [name for name in BASELINES if name in baselines] + [name for name in baselines if name not in BASELINES]
