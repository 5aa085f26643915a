"""Charts of the course of training: the loss, how far steps move the weights, the gradients of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from specnet.number_texts import count, figure, metric, rounded
from specnet.parts.splits import best_split
from specnet.parts.watchers import LOSS, VALIDATION_LOSS
from specnet.report.pages.headline import BASELINES, network, rows_of, words
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.overlays import History, at_epoch, curve_style, curves_chart, member_curves, rows_note

MOST_LAYERS = 8
EARLY = 0.95
"""A least loss before this fraction of the epochs is pointed out."""
MANY_EPOCHS = 200
"""Above so many epochs looks at layers, most of them early, have a logarithmic axis."""
KINDS = {LOSS: ("train", "series-0"), VALIDATION_LOSS: ("validation", "series-1 held")}
"""The losses in the history, with their names and the styles of their curves."""


def training_figures(
    history: History,
    looks: Sequence[Mapping[str, Any]],
    evaluation: Mapping[str, Any],
    delivered: Sequence[int] = (),
    members: int = 1,
) -> Iterator[Figure]:
    """Yield the charts of training.

    Parameters
    ----------
    history : sequence of mapping
        The records of logged epochs, of each member of an ensemble.
    looks : sequence of mapping
        The looks at layers: ``epoch``, and of ``layers`` the ``layer``, ``step`` and ``gradient``.
    evaluation : mapping
        What ``metrics.json`` says.
    delivered : sequence of int
        The epochs whose weights the networks have, where that is known.
    members : int
        The number of networks that were trained.
    """
    if history:
        yield _loss(history, evaluation, delivered, members)
    of = " of the first member" if members > 1 else ""
    note = f"Size of one step ÷ size of the weights{of}; 0.0001 to 0.01 is usual"
    yield from _layers("How far one step moves the weights", note, looks, "step")
    note = f"Root mean square{of}; layers far apart learn at different speeds"
    yield from _layers("Gradient of each layer", note, looks, "gradient")


def _loss(history: History, evaluation: Mapping[str, Any], delivered: Sequence[int], members: int) -> Figure:
    kinds = {key: told for key, told in KINDS.items() if key in history[0]}
    curves = {key: member_curves(history, key) for key in kinds}
    ends = [(name, *(figure(curves[key][0].values[end]) for end in (0, -1))) for key, (name, _) in kinds.items()]
    told = [f"{name} {first} at first, {last} at last" for name, first, last in ends]
    split, others = best_split(evaluation), _losses_of_others(evaluation)
    rows = rows_of(split)
    if others:
        told.append(f"on {rows} {', '.join(f'{words(name)} {figure(loss)}' for name, loss in others.items())}")
    every = [curve for of_kind in curves.values() for curve in of_kind]
    near = list(others.values())
    chart = curves_chart(f"Loss by epoch: {'; '.join(told)}", every, "loss", is_loss=True, is_whole=True, near=near)
    drawn = {name: loss for name, loss in others.items() if chart.y.low <= loss <= chart.y.high}
    for name, loss in drawn.items():
        chart.line([chart.x.low, chart.x.high], [loss] * 2, "reference", name=words(name), value=figure(loss))
    for member in range(len(curves[LOSS])):
        for key, (name, style) in reversed(kinds.items()):
            curve = curves[key][member]
            last, hover = figure(curve.values[-1]), at_epoch(f"{name} loss")
            chart.line(*curve, style, name="" if member else name, value=last, hover=hover)
    note = f"The {members} networks of the ensemble, a line each. " if members > 1 else ""
    note += rows_note(LOSS)
    which = f"The delivered {network(members)}"
    restored = any(epoch < curve.epochs[-1] for epoch, curve in zip(delivered, curves[LOSS], strict=False))
    if restored:
        for epoch in delivered:
            chart.line([epoch] * 2, [chart.y.low, chart.y.high], "guide faint" if members > 1 else "guide")
        which += f" has the weights of {_epochs(delivered)}, and"
    own = evaluation.get("train", {}).get(LOSS)
    note += f" {which} has a loss of {metric(LOSS, own)} on the training rows, without either."
    if VALIDATION_LOSS in kinds:
        note += " Validation rows take no part in the steps."
        best = min(history, key=lambda record: float(record[VALIDATION_LOSS]))
        if members == 1 and not restored and best["epoch"] < EARLY * history[-1]["epoch"]:
            chart.line([best["epoch"]] * 2, [chart.y.low, best[VALIDATION_LOSS]], "guide")
            least = figure(best[VALIDATION_LOSS])
            note += f" Their loss was least, {least}, at epoch {count(best['epoch'])}, the dashed line."
    if drawn:
        own = metric(LOSS, evaluation[split].get(LOSS))
        note += f" Dotted lines are the losses of simpler predictors on {rows}, where the {network(members)} has {own}."
    if beyond := [f"{words(name)} {figure(loss)}" for name, loss in others.items() if name not in drawn]:
        note += f" Beyond the chart, on {rows}: {', '.join(beyond)}."
    return Figure("Loss", note, chart.svg())


def _losses_of_others(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return the losses of simpler predictors on the rows held out, by their names."""
    known, split = evaluation.get("baselines", {}), best_split(evaluation)
    losses = {name: known[name].get(split, {}).get(LOSS) for name in BASELINES if name in known}
    return {name: loss for name, loss in losses.items() if loss is not None}


def _epochs(delivered: Sequence[int]) -> str:
    """Return in words where lines are."""
    first, last = min(delivered), max(delivered)
    if len(delivered) == 1:
        return f"epoch {count(first)}, the dashed line"
    return f"epochs {count(first)} to {count(last)}, the dashed lines"


def _layers(title: str, note: str, looks: Sequence[Mapping[str, Any]], key: str) -> Iterator[Figure]:
    """Yield the chart of what looks say of each layer, NaN where there is nothing; none if nothing is known."""
    seen = [look for look in looks if any(layer[key] is not None for layer in look["layers"])]
    if not seen:
        return
    epochs = [look["epoch"] for look in seen]
    layers = np.array([[layer[key] for layer in look["layers"]] for look in seen], np.float64).T
    places = np.unique(np.linspace(0, len(layers) - 1, min(MOST_LAYERS, len(layers))).round().astype(np.intp))
    if len(places) < len(layers):
        note += f"; {len(places)} of {len(layers)} layers"
    shown = {seen[0]["layers"][place]["layer"]: layers[place] for place in places}
    x = Axis.over(epochs, label="epoch", log=epochs[-1] > MANY_EPOCHS)
    ends = ", ".join(f"{name} {rounded(values[-1])}" for name, values in shown.items())
    chart = Chart(f"{title}, at the last look: {ends}", x, Axis.over(*shown.values(), log=True, margin=0.05))
    for place, (name, values) in enumerate(shown.items()):
        chart.line(epochs, values, curve_style(place), name=name, hover=at_epoch(name, rounded))
    yield Figure(title, f"{note}.", chart.svg())
