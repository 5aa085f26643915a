"""How a page of a model begins, and what it says of the model's answers for test rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from specnet.number_texts import interval, page_metric, true_minus
from specnet.parts.losses import Quantile
from specnet.parts.metrics import Metric
from specnet.parts.splits import SPLITS, TEST, best_split
from specnet.report.answers.class_charts import class_figures, class_thresholds
from specnet.report.answers.uses_charts import importance_figure, response_figures
from specnet.report.answers.value_charts import coverage_sentence, drawn_coverage, output_table, value_figures
from specnet.report.pages.headline import BASELINES, in_words, score_name, verdict
from specnet.report.svg.charts import Figure
from specnet.report.svg.overlays import Score, score_strip
from specnet.report.terminal.scores import scores_table

if TYPE_CHECKING:
    from specnet.report.pages.model_answers import ModelAnswers

NOTHING: Mapping[str, Any] = MappingProxyType({})


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
    classes = shown.classes
    return {
        "results": list(_results(shown, evaluation)),
        "thresholds": class_thresholds(shown.answers) if len(classes) == 2 else None,
        "classes": classes,
        **_uses(shown),
        "covered": _covered(shown, evaluation),
        "outputs": output_table(evaluation, shown.outputs, shown.model.network.task),
        "left_out": list(_left_out(shown, evaluation)),
    }


def _uses(shown: ModelAnswers) -> dict[str, Any]:
    """Return charts of what the model uses, and in words what is asked of it for them."""
    if shown.importance is None:
        return {"uses": [], "responded": ""}
    figures, responses, told = [importance_figure(shown.importance)], shown.responses, ""
    if responses is None:
        told = "How predictions respond to each column is left out: too many parameters, or no probabilities."
    elif responses:
        are_probabilities = shown.model.network.task != "values"
        figures += response_figures(responses, shown.classes or shown.outputs, are_probabilities=are_probabilities)
        of = " for the class that moves most" if len(shown.classes) > 2 else ""
        told = (
            f"Each of the other charts moves one column, and leaves the others as they are in {responses[0].rows} test "
            f"rows: the mean of the predictions, and where four fifths of them lie{of}."
        )
    return {"uses": figures, "responded": told}


def _results(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> Iterator[Figure]:
    tables = evaluation.get("tables", {}).get("test", {})
    if shown.classes:
        yield from class_figures(tables.get("confusion"), shown.classes, shown.answers, shown.uncalibrated)
    elif shown.model.network.task == "values" and shown.answers is not None:
        loss = shown.model.spec.training.loss
        quantile = loss.quantile if isinstance(loss, Quantile) else None
        covered = drawn_coverage(evaluation)
        yield from value_figures(shown.answers, shown.outputs, quantile, covered, shown.model.error_quantiles)


def _covered(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> str:
    """Return what intervals or sets cover, in words, and whether rows have weights; nothing if there are none."""
    covered = drawn_coverage(evaluation)
    told = "" if covered is None else coverage_sentence(covered, shown.outputs, shown.model.network.task)
    is_weighted = shown.answers is not None and shown.answers.weight is not None
    return told + " Rows count by their weights: numbers of rows are sums of these." * is_weighted


def _left_out(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is left out of the results, and why."""
    if "test" not in evaluation:
        yield "No rows were held out for testing: set data.split.test_size to a fraction of the rows, such as 0.2."
    elif shown.absent is not None:
        yield f"{shown.absent} The charts that need them are left out."
    elif shown.importance is None:
        yield "What the model uses is left out: too few test rows, or too many columns and parameters."
