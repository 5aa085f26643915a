"""A run in a sentence: how good its network is beside simpler predictors on the same rows, as far as chance allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from specnet.number_texts import counted, interval, page_metric, true_minus
from specnet.parts.metrics import Metric, main_metric
from specnet.parts.splits import OUT_OF_FOLD, SPLITS, TEST, VALIDATION, best_split
from specnet.parts.watchers import LOSS
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.terminal.scores import CONSTANT, scores_table
from specnet.report.terminal.terminal_output import TextTable

if TYPE_CHECKING:
    pass


BASELINES = {
    "linear": "a linear model",
    "neighbours": "the 15 nearest neighbours",
    "trees": "gradient-boosted trees",
    "constant": "a constant answer",
}
"""Simpler predictors in words, in the order in which pages name them."""
MIN_LEAN = 0.25
"""Of the 95 % interval of a gain, about a standard error: what the main metric differs by to stand for the loss."""
_ROWS = {TEST: "test rows", OUT_OF_FOLD: "training rows out of fold", VALIDATION: "validation rows"}
VERDICTS = {-1: "Worse than", 0: "As good as", 1: "Better than"}
_WORDS = {"r2": "R²", "f1": "F1", "roc_auc": "ROC AUC"}


def rows_of(split: str) -> str:
    """Return the rows of a split in words: ``test rows``."""
    return _ROWS.get(split, "training rows")


def network(members: int) -> str:
    """Return network for one member, ensemble for more."""
    return "network" if members == 1 else "ensemble"


def score_name(evaluation: Mapping[str, Any]) -> str:
    """Return the metric by which a run is judged: accuracy or R², else the spec's first one, else the loss."""
    return main_metric(evaluation[best_split(evaluation)]) or LOSS


def words(name: str) -> str:
    """Return a metric's name in words."""
    return _WORDS.get(name, name.replace("_", " "))


def in_words(table: TextTable) -> TextTable:
    """Return a table of metrics as pages have it: with names in words, and with true minus signs."""
    rows = [[words(name), *map(true_minus, cells)] for name, *cells in table.rows]
    return replace(table, header=[*map(words, table.header)], rows=rows)


def verdict(evaluation: Mapping[str, Any]) -> str:
    """Return in a sentence how good a network is, beside a simpler predictor where chance is known.

    Parameters
    ----------
    evaluation : mapping
        What ``metrics.json`` says.
    """
    split, beside = best_split(evaluation), comparison(evaluation)
    if beside is None:
        return _alone(evaluation, split)
    outcome, baseline, name = beside
    other, gain = evaluation["baselines"][baseline], evaluation["gains"][baseline][name]
    own, its = (page_metric(name, figures[split].get(name), gain) for figures in (evaluation, other))
    text = _values_text(name, f"{own} against {its}", evaluation, split)
    return f"{VERDICTS[outcome]} {BASELINES.get(baseline, baseline)}: {text}."


def comparison(evaluation: Mapping[str, Any]) -> tuple[int, str, str] | None:
    """Return how a network compares with a simpler predictor on test rows; None where chance is not known.

    That is a constant answer if the network is worse, else what is better than the network, else a constant answer if
    the network is only as good, else the best of all.

    Returns
    -------
    tuple or None
        1 where the network is better, -1 where it is worse, 0 where chance alone may explain the difference; the
        predictor's name; and the metric that says so.
    """
    found = []
    for baseline, gains in evaluation.get("gains", {}).items():
        # By the main metric, and by the loss where that leaves it open.
        its = evaluation.get("baselines", {}).get(baseline, {}).get("test", {})
        names = [name for name in dict.fromkeys((score_name(evaluation), LOSS)) if name in gains and name in its]
        known = [name for name in names if None not in map(gains[name].get, ("low", "value", "high"))]
        if not known:
            continue
        outcomes = {name: int(gains[name]["low"] > 0) - int(gains[name]["high"] < 0) for name in known}
        decisive = next((name for name in known if outcomes[name]), known[0])
        first, outcome = gains[known[0]], outcomes[decisive]
        leans = not outcome or first["value"] * outcome > MIN_LEAN * (first["high"] - first["low"])
        rank = 2 * outcome + 2 if baseline == CONSTANT else 1 if outcome < 0 else 3
        both = first["value"], gains[known[-1]]["value"]
        found.append((rank, both, outcome, baseline, known[0] if leans else decisive))
    return min(found)[2:] if found else None


def _alone(evaluation: Mapping[str, Any], split: str) -> str:
    """Return a sentence with the main metric of a network that cannot be compared with a simpler predictor."""
    name = score_name(evaluation)
    bounds = evaluation.get("intervals", {}).get(split, {}).get(name)
    text = _values_text(name, page_metric(name, evaluation[split].get(name), bounds), evaluation, split)
    text = f"{text} are right" if name == "accuracy" else f"{text[0].upper()}{text[1:]}"
    return f"{text}." if split == "test" else f"{text}. No rows were held out for testing."


def _values_text(name: str, values: str, evaluation: Mapping[str, Any], split: str) -> str:
    """Return values of a metric with their rows in words: ``94.7 % of 114 test rows``, ``R² 0.86 on …``."""
    counts, plural = evaluation.get("rows", {}), rows_of(split)
    number = counts.get(split, counts.get("train"))
    rows = plural if number is None else counted(number, plural.replace("rows", "row", 1), plural)
    if name == "accuracy":
        return f"{values} of {rows}"
    return f"{'a loss of' if name == LOSS else words(name)} {values} on {rows}"


NOTHING: Mapping[str, Any] = MappingProxyType({})
STRIP_HEIGHT, STRIP_LINE = 52.0, 24.0
"""Units of a strip of scores beside its lines, and of each of these."""


class Score(NamedTuple):
    """A metric of a predictor with its interval, the value as text, and both as text on hover."""

    value: float
    low: float
    high: float
    text: str
    hover: str


def score_strip(split: str, name: str, scores: Mapping[str, Score], note: str) -> Figure:
    """Return a chart of the scores of predictors on one axis: a dot and a line over the interval for each.

    Parameters
    ----------
    split, name : str
        The rows, and the metric.
    scores : mapping of str to Score
        By the names of the predictors.
    note : str
        The sentence below the title.
    """
    scale, label = (100.0, f"{words(name)} in %") if name.endswith("accuracy") else (1.0, words(name))
    x = Axis.over(*([scale * each.low, scale * each.high] for each in scores.values()), margin=0.05, label=label)
    title, texts = f"{split.replace('_', ' ').capitalize()} {words(name)}", [f"{n} {s.text}" for n, s in scores.items()]
    height = STRIP_HEIGHT + STRIP_LINE * len(scores)
    chart = Chart(f"{title}: {', '.join(texts)}", x, Axis.of_names(texts), height=height)
    for index, (predictor, score) in enumerate(scores.items()):
        if score.low < score.high:
            chart.line([scale * score.low, scale * score.high], [index, index], "whisker")
        chart.points([scale * score.value], [index], radius=4.5, hover=[f"{predictor} {score.hover}"])
    return Figure(title, note, chart.svg())


def beginning_of(evaluation: Mapping[str, Any], metrics: Iterable[Metric], network: str) -> dict[str, Any]:
    """Return the beginning of a page: a network beside simpler predictors in a sentence, a chart and a table.

    Parameters
    ----------
    evaluation : mapping
        What ``metrics.json`` says.
    metrics : iterable of Metric
        Of the spec.
    network : str
        What the network is called.
    """
    scores = {split: evaluation[split] for split in SPLITS if split in evaluation}
    table = scores_table(scores, evaluation.get("intervals", {}), evaluation.get("baselines", {}), metrics)
    return {
        "verdict": verdict(evaluation),
        "strip": strip_of(evaluation, network),
        "scores": in_words(table),
    }


def strip_of(evaluation: Mapping[str, Any], network: str, others: Mapping[str, Mapping[str, Any]] = NOTHING) -> Figure:
    """Return the main metric of a network and of simpler predictors on one axis, with 95 % intervals.

    Parameters
    ----------
    evaluation : mapping
        What ``metrics.json`` says.
    network : str
        What the network is called.
    others : mapping, optional
        What ``metrics.json`` says of other networks, by what they are called.
    """
    split, name = best_split(evaluation), score_name(evaluation)
    baselines = evaluation.get("baselines", {})
    networks = {called: each for called, each in {network: evaluation, **others}.items() if split in each}
    figures = {called: each[split] for called, each in networks.items()}
    figures |= {other: baselines[other][split] for other in BASELINES if split in baselines.get(other, ())}
    spreads = {called: each.get("intervals", {}).get(split, {}) for called, each in networks.items()}
    if split == TEST:
        spreads |= evaluation.get("baseline_intervals", {})
    bounds = spreads[network].get(name)
    scores = {
        other: _score(name, each[name], spreads.get(other, {}).get(name), bounds)
        for other, each in figures.items()
        if each.get(name) is not None
    }
    note = "The lines are 95\N{NO-BREAK SPACE}% intervals." if bounds else "The network beside simpler predictors."
    return score_strip(split, name, scores, note)


def _score(name: str, value: float, ends: Mapping[str, Any] | None, bounds: Mapping[str, Any] | None) -> Score:
    """Return a metric with its interval if it has one, with the digits that the bounds of the first one leave."""
    text = page_metric(name, value, bounds)
    if not ends or ends["low"] == ends["high"]:
        return Score(value, value, value, text, text)
    around = true_minus(interval(name, ends["low"], ends["high"]))
    return Score(value, ends["low"], ends["high"], text, f"{text}, 95 % interval {around}")
