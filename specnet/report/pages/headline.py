"""The summary of a run: a network compared with simpler predictors on the same rows, with the role of chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from specnet.number_texts import counted, interval, page_metric, true_minus
from specnet.parts.metrics import Metric, main_metric
from specnet.parts.splits import OUT_OF_FOLD, SPLITS, TEST, VALIDATION, best_split
from specnet.parts.watchers import LOSS
from specnet.report.terminal.scores import CONSTANT, scores_table
from specnet.report.terminal.terminal_output import TextTable

if TYPE_CHECKING:
    from specnet.report.svg.charts import Figure

BASELINES = {
    "linear": "a linear model",
    "neighbours": "the 15 nearest neighbours",
    "trees": "gradient-boosted trees",
    "constant": "a constant answer",
}
"""Names of simpler predictors in words, in the order in which pages name them."""
MIN_LEAN = 0.25
"""Smallest gain in the main metric, as a fraction of its 95 % interval (about a standard error), for which it is shown
although only the loss is decisive."""
_ROWS = {TEST: "test rows", OUT_OF_FOLD: "training rows out of fold", VALIDATION: "validation rows"}
VERDICTS = {-1: "Worse than", 0: "As good as", 1: "Better than"}
_WORDS = {"r2": "R²", "f1": "F1", "roc_auc": "ROC AUC"}


def rows_of(split: str) -> str:
    """Return the rows of a split in words, such as ``test rows``."""
    return _ROWS.get(split, "training rows")


def network(members: int) -> str:
    """Return "network" for one member, "ensemble" for more."""
    return "network" if members == 1 else "ensemble"


def score_name(evaluation: Mapping[str, Any]) -> str:
    """Return the metric by which a run is judged: accuracy or R², else the spec's first one, else the loss."""
    return main_metric(evaluation[best_split(evaluation)]) or LOSS


def words(name: str) -> str:
    """Return a metric's name in words."""
    return _WORDS.get(name, name.replace("_", " "))


def in_words(table: TextTable) -> TextTable:
    """Return a table of metrics with names in words and typographic minus characters, as on pages."""
    rows = [[words(name), *map(true_minus, cells)] for name, *cells in table.rows]
    return replace(table, header=[*map(words, table.header)], rows=rows)


def verdict(evaluation: Mapping[str, Any]) -> str:
    """Return a sentence about the quality of a network, compared with a simpler predictor if `comparison` has one.

    Parameters
    ----------
    evaluation : mapping
        Contents of ``metrics.json``.
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
    """Return the comparison of a network with one simpler predictor on test rows; None without intervals of gains.

    The predictor is the constant if the network is worse than it; else a predictor that is better than the network;
    else the constant if the network is only as good as it; else the best predictor.

    Returns
    -------
    tuple or None
        Outcome: 1 if the network is better, -1 if it is worse, 0 if chance alone may explain the difference. Then the
        name of the predictor, and the metric that decides.
    """
    found = []
    for baseline, gains in evaluation.get("gains", {}).items():
        # The loss decides if the main metric does not.
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
    """Return a sentence with the main metric of a network without a comparison."""
    name = score_name(evaluation)
    bounds = evaluation.get("intervals", {}).get(split, {}).get(name)
    text = _values_text(name, page_metric(name, evaluation[split].get(name), bounds), evaluation, split)
    text = f"{text} are right" if name == "accuracy" else f"{text[0].upper()}{text[1:]}"
    return f"{text}." if split == "test" else f"{text}. No rows were held out for testing."


def _values_text(name: str, values: str, evaluation: Mapping[str, Any], split: str) -> str:
    """Return values of a metric with the rows in words, such as ``94.7 % of 114 test rows`` or ``R² 0.86 on …``."""
    counts, plural = evaluation.get("rows", {}), rows_of(split)
    number = counts.get(split, counts.get("train"))
    rows = plural if number is None else counted(number, plural.replace("rows", "row", 1), plural)
    if name == "accuracy":
        return f"{values} of {rows}"
    return f"{'a loss of' if name == LOSS else words(name)} {values} on {rows}"


def beside_teacher(evaluation: Mapping[str, Any]) -> str:
    """Return a sentence about a network and its teacher, an empty text without a teacher.

    If the linear model is among the baselines and worse than the teacher in loss, the sentence says which fraction of
    the teacher's gain the network has.
    """
    teacher = evaluation.get("teacher")
    if not teacher:
        return ""
    if "networks" in teacher:
        ratio = teacher["parameters"] / max(1, teacher["own_parameters"])
        networks = counted(teacher["networks"], "network")
        text, its = f"Trained on the predictions of {networks} with {ratio:.0f} × its parameters", "their"
    else:
        text, its = "Trained on the predictions of another model", "its"
    split = best_split(teacher["agreement"])
    if split not in teacher["agreement"]:
        return f"{text}."
    ((name, value),) = teacher["agreement"][split].items()
    agreement = "" if value is None else f"R² {value:.3f}" if name == "r2" else f"{100 * value:.1f} % agreement"
    linear = evaluation.get("baselines", {}).get("linear", {}).get(split, {}).get(LOSS)
    loss, own = teacher["metrics"][split].get(LOSS), evaluation[split].get(LOSS)
    gain = ""
    if None not in (linear, loss, own) and linear > loss:
        gain = f"{100 * (linear - own) / (linear - loss):.0f} % of {its} gain over a linear model"
    found = ", ".join(filter(None, (agreement, gain)))
    return f"{text}: {found} on {rows_of(split)}." if found else f"{text}."


NOTHING: Mapping[str, Any] = MappingProxyType({})
STRIP_HEIGHT, STRIP_LINE = 52.0, 24.0
"""Height of a strip of scores without its lines, and of each line."""


class Score(NamedTuple):
    """A metric of a predictor: value, ends of its interval, text of the value, and hover text with the interval."""

    value: float
    low: float
    high: float
    text: str
    hover: str


def score_strip(split: str, name: str, scores: Mapping[str, Score], note: str) -> Figure:
    """Return a chart of the scores of predictors on one axis, each with a dot and a line over its interval.

    Parameters
    ----------
    split, name : str
        Name of the split, and of the metric.
    scores : mapping of str to Score
        Scores by name of the predictor.
    note : str
        Sentence below the title.
    """
    # Only pages draw: a run without a page prints its verdict, and needs no markup.
    from specnet.report.svg.axes import Axis
    from specnet.report.svg.charts import Chart, Figure

    scale, label = (100.0, f"{words(name)} in %") if name.endswith("accuracy") else (1.0, words(name))
    x = Axis.over(*([scale * each.low, scale * each.high] for each in scores.values()), margin=0.05, label=label)
    title, texts = f"{split.replace('_', ' ').capitalize()} {words(name)}", [f"{n} {s.text}" for n, s in scores.items()]
    height = STRIP_HEIGHT + STRIP_LINE * len(scores)
    chart = Chart(f"{title}: {', '.join(texts)}", x, Axis.of_names(texts), height=height)
    for index, (predictor, score) in enumerate(scores.items()):
        if score.low < score.high:
            chart.line([scale * score.low, scale * score.high], [index, index], "whisker")
        chart.points([scale * score.value], [index], radius=4.5, hover=[f"{predictor} {score.hover}"])
    return Figure(title, note, chart.svg(), "scores")


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
    table = scores_table(scores, evaluation.get("intervals", {}), evaluation.get("baselines", {}), metrics)
    return {
        "verdict": verdict(evaluation),
        "teacher": beside_teacher(evaluation),
        "strip": strip_of(evaluation, network),
        "scores": in_words(table),
    }


def strip_of(evaluation: Mapping[str, Any], network: str, others: Mapping[str, Mapping[str, Any]] = NOTHING) -> Figure:
    """Return a chart of the main metric of a network and of simpler predictors on one axis, with 95 % intervals.

    Parameters
    ----------
    evaluation : mapping
        Contents of ``metrics.json``.
    network : str
        Name of the network in the chart.
    others : mapping, optional
        Contents of the ``metrics.json`` of other networks, by their names.
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
    """Return a metric with its interval, if it has one; `bounds`, the network's interval, determine its digits."""
    text = page_metric(name, value, bounds)
    if not ends or ends["low"] == ends["high"]:
        return Score(value, value, value, text, text)
    around = true_minus(interval(name, ends["low"], ends["high"]))
    return Score(value, ends["low"], ends["high"], text, f"{text}, 95 % interval {around}")
