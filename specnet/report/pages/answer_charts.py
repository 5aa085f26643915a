"""How a page of a model begins, and what it says of the model's answers for test rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from specnet.number_texts import interval, page_metric, true_minus
from specnet.parts.metrics import Metric
from specnet.parts.splits import SPLITS, TEST, best_split
from specnet.report.answers.class_charts import class_figures, class_thresholds
from specnet.report.answers.uses_charts import importance_figure, response_figures
from specnet.report.answers.value_charts import coverage_sentence, drawn_coverage, output_table, value_figures
from specnet.report.pages.headline import BASELINES, in_words, score_name, verdict, words
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.terminal.scores import scores_table

if TYPE_CHECKING:
    from specnet.report.pages.model_answers import ModelAnswers

NOTHING: Mapping[str, Any] = MappingProxyType({})
STRIP_HEIGHT, STRIP_LINE = 52.0, 24.0
"""Units of a strip of scores beside its lines, and of each of these."""


class Score(NamedTuple):
    """A metric of a predictor, how far it may be off, and both as texts: in short, and on hover."""

    value: float
    low: float
    high: float
    text: str
    hover: str


def score_strip(split: str, name: str, scores: Mapping[str, Score], note: str) -> Figure:
    """Return the scores of predictors on one axis, a dot each, with a line as far as it may be off.

    Parameters
    ----------
    split, name : str
        The rows, and the metric.
    scores : mapping of str to Score
        By the names of the predictors.
    note : str
        What is said below the title.
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
    """Return what a page begins with: how good a network is beside simpler predictors, in words, drawn, and in full.

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


def results_of(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template ``results.html.j2`` needs: charts and words on answers for test rows.

    Parameters
    ----------
    shown : ModelAnswers
    evaluation : mapping
        What ``metrics.json`` says.
    """
    classes, covered = shown.classes, drawn_coverage(evaluation)
    return {
        "results": list(_results(shown, evaluation)),
        "thresholds": class_thresholds(shown.answers) if len(classes) == 2 else None,
        "classes": classes,
        "uses": _uses(shown),
        "responses": shown.responses,
        "covered": "" if covered is None else coverage_sentence(covered, shown.outputs, shown.model.network.task),
        "is_weighted": shown.answers is not None and shown.answers.weight is not None,
        "outputs": output_table(evaluation, shown.outputs, shown.model.network.task),
        "has_test_rows": TEST in evaluation,
        "absent": shown.absent,
    }


def _uses(shown: ModelAnswers) -> list[Figure]:
    """Return charts of how much each column matters, and of what is predicted as the first ones move."""
    if shown.importance is None:
        return []
    are_probabilities, outputs = shown.model.network.task != "values", shown.classes or shown.outputs
    responses = response_figures(shown.responses or (), outputs, are_probabilities=are_probabilities)
    return [importance_figure(shown.importance), *responses]


def _results(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> Iterator[Figure]:
    tables = evaluation.get("tables", {}).get("test", {})
    if shown.classes:
        yield from class_figures(tables.get("confusion"), shown.classes, shown.answers, shown.uncalibrated)
    elif shown.model.network.task == "values" and shown.answers is not None:
        from specnet.parts.losses import Quantile

        loss = shown.model.spec.training.loss
        quantile = loss.quantile if isinstance(loss, Quantile) else None
        covered = drawn_coverage(evaluation)
        yield from value_figures(shown.answers, shown.outputs, quantile, covered, shown.model.error_quantiles)
