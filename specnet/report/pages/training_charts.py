"""Charts of the course of training: the loss, how far steps move the weights, the gradients of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from specnet.number_texts import count, figure, metric, rounded
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.overlays import History, at_epoch, curve_style, curves_chart, member_curves, rows_note
from specnet.report.terminal.run_table import LOSS

MOST_LAYERS = 8
EARLY = 0.95
"""A least loss before this fraction of the epochs is pointed out."""
MANY_EPOCHS = 200
"""Above so many epochs looks at layers, most of them early, have a logarithmic axis."""
VALIDATION_LOSS = "validation_loss"
KINDS = {LOSS: ("train", "series-0"), VALIDATION_LOSS: ("validation", "series-1 held")}
"""The losses in the history, with their names and the styles of their curves."""


class Delivered(NamedTuple):
    """What training has delivered.

    Attributes
    ----------
    loss : float or None
        Of the model on the training rows, as it is used: without dropout and label smoothing.
    epochs : sequence of int
        Those whose weights its networks have, where that is known.
    """

    loss: float | None
    epochs: Sequence[int] = ()


def training_figures(
    history: History, looks: Sequence[Mapping[str, Any]], delivered: Delivered, members: int = 1
) -> Iterator[Figure]:
    """Yield the charts of training.

    Parameters
    ----------
    history : sequence of mapping
        The records of logged epochs, of each member of an ensemble.
    looks : sequence of mapping
        The looks at layers: ``epoch``, and of ``layers`` the ``layer``, ``step`` and ``gradient``.
    delivered : Delivered
    members : int
        The number of networks that were trained.
    """
    if history:
        yield _loss(history, delivered, members)
    of = " of the first member" if members > 1 else ""
    note = f"Size of one step ÷ size of the weights{of}; 0.0001 to 0.01 is usual"
    yield from _layers("How far one step moves the weights", note, looks, "step")
    note = f"Root mean square{of}; layers far apart learn at different speeds"
    yield from _layers("Gradient of each layer", note, looks, "gradient")


def _loss(history: History, delivered: Delivered, members: int) -> Figure:
    kinds = {key: told for key, told in KINDS.items() if key in history[0]}
    curves = {key: member_curves(history, key) for key in kinds}
    ends = [(name, *(figure(curves[key][0].values[end]) for end in (0, -1))) for key, (name, _) in kinds.items()]
    told = "; ".join(f"{name} {first} at first, {last} at last" for name, first, last in ends)
    every = [curve for of_kind in curves.values() for curve in of_kind]
    chart = curves_chart(f"Loss by epoch: {told}", every, "loss", is_loss=True, is_whole=True)
    for member in range(len(curves[LOSS])):
        for key, (name, style) in reversed(kinds.items()):
            curve = curves[key][member]
            last, hover = figure(curve.values[-1]), at_epoch(f"{name} loss")
            chart.line(*curve, style, name="" if member else name, value=last, hover=hover)
    note = f"The {members} networks of the ensemble, a line each. " if members > 1 else ""
    note += rows_note(LOSS)
    which, reached = ("ensemble", 0) if members > 1 else ("network", history[-1]["epoch"])
    is_earlier = bool(delivered.epochs) and delivered.epochs[0] < reached
    if is_earlier:
        chart.line([delivered.epochs[0]] * 2, [chart.y.low, chart.y.high], "guide")
        which += f" has the weights of epoch {count(delivered.epochs[0])}, the dashed line, and"
    loss = metric(LOSS, delivered.loss)
    note += f" The delivered {which} has a loss of {loss} on the training rows, without either."
    if VALIDATION_LOSS in kinds:
        note += " Validation rows take no part in the steps."
        best = min(history, key=lambda record: float(record[VALIDATION_LOSS]))
        if members == 1 and not is_earlier and best["epoch"] < EARLY * reached:
            chart.line([best["epoch"]] * 2, [chart.y.low, best[VALIDATION_LOSS]], "guide")
            least = figure(best[VALIDATION_LOSS])
            note += f" Their loss was least, {least}, at epoch {count(best['epoch'])}, the dashed line."
    return Figure("Loss", note, chart.svg())


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
