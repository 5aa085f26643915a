"""Charts of the course of training: the loss, how far steps move the weights, the gradients of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.report.axes import Axis
from specnet.report.charts import Chart
from specnet.report.figures import count, figure, rounded
from specnet.report.results import Figure

MOST_LAYERS = 8
MOST_POINTS = 300
LOG_RATIO = 30
"""A loss that changes by a larger factor has a logarithmic axis."""
MANY_EPOCHS = 200
"""Above so many epochs looks at layers, most of them early, have a logarithmic axis."""
EARLY = 0.95
"""A least loss before this fraction of the epochs is pointed out."""

History = Sequence[Mapping[str, Any]]


def training_figures(history: History, looks: Sequence[Mapping[str, Any]], members: int = 1) -> Iterator[Figure]:
    """Yield the charts of training.

    Parameters
    ----------
    history : sequence of mapping
        The records of logged epochs, of each member of an ensemble.
    looks : sequence of mapping
        The looks at layers: ``epoch``, and of ``layers`` the ``layer``, ``step`` and ``gradient``.
    members : int
        The number of networks that were trained.
    """
    if history:
        yield _loss(history, members)
    of = " of the first member" if members > 1 else ""
    if steps := _by_layer(looks, "step"):
        note = f"Size of one step ÷ size of the weights{of}; 0.0001 to 0.01 is usual."
        yield _layers("How far one step moves the weights", note, *steps)
    if gradients := _by_layer(looks, "gradient"):
        note = f"Root mean square{of}; layers far apart learn at different speeds."
        yield _layers("Gradient of each layer", note, *gradients)


def _loss(history: History, members: int) -> Figure:
    curves = [[record for record in history if record.get("member", 0) == member] for member in range(members)]
    watched = "validation_loss" if any("validation_loss" in record for record in history) else None
    values = [record[key] for record in history for key in ("loss", watched) if key in record]
    positive = [value for value in values if value > 0]
    log = len(positive) == len(values) and max(values) > LOG_RATIO * min(values)
    last_epoch = max(record["epoch"] for record in history)
    x = Axis.over([history[0]["epoch"], last_epoch], label="epoch")
    y = Axis.over(values, label="loss", log=log, margin=0.03, zero=True)
    first, last = curves[0][0], curves[0][-1]
    description = f"Loss by epoch: training {figure(first['loss'])} at first, {figure(last['loss'])} at last"
    if watched:
        description += f"; validation {figure(first[watched])} at first, {figure(last[watched])} at last"
    chart = Chart(description, x, y)
    for member, curve in enumerate(each for each in curves if each):
        named = member == 0
        for key, style, name in ((watched, "series-1 held", "validation"), ("loss", "series-0", "train")):
            if key is None or key not in curve[0]:
                continue
            kept = _kept(len(curve))
            epochs, losses = ([curve[k][each] for k in kept] for each in ("epoch", key))
            chart.line(
                epochs,
                losses,
                style,
                name=name if named else "",
                value=figure(losses[-1]) if named else "",
                hover=lambda epoch, loss, name=name: f"epoch {count(int(epoch))}: {name} loss {figure(loss)}",
            )
    note = f"The {members} networks of the ensemble, each in its own line." if members > 1 else "Mean over the rows."
    if watched:
        note = f"{note} Validation rows take no part in the steps."
        best = min(curves[0], key=lambda record: float(record[watched]))
        if members == 1 and best["epoch"] < EARLY * last_epoch:
            chart.line([best["epoch"]] * 2, [y.low, best[watched]], "guide")
            note += f" Their loss was least, {figure(best[watched])}, at epoch {count(best['epoch'])}."
    return Figure("Loss", note, chart.svg())


def _by_layer(looks: Sequence[Mapping[str, Any]], key: str) -> tuple[list[int], dict[str, list[float]]] | None:
    """Return the epochs of looks, and each layer's values there, NaN where there is none; None if nothing is known."""
    seen = [look for look in looks if any(layer[key] is not None for layer in look["layers"])]
    if not seen:
        return None
    names = [layer["layer"] for layer in seen[0]["layers"]]
    values = {
        name: [np.nan if (value := look["layers"][place][key]) is None else float(value) for look in seen]
        for place, name in enumerate(names)
    }
    return [look["epoch"] for look in seen], values


def _layers(title: str, note: str, epochs: list[int], values: Mapping[str, list[float]]) -> Figure:
    shown = list(values)
    if len(shown) > MOST_LAYERS:
        places = np.unique(np.linspace(0, len(shown) - 1, MOST_LAYERS).round().astype(np.intp))
        note = f"{note[:-1]}; {len(places)} of {len(shown)} layers."
        shown = [shown[place] for place in places]
    many = epochs[-1] > MANY_EPOCHS
    x = Axis.over(epochs, label="epoch", log=many)
    y = Axis.over(*(values[name] for name in shown), log=True, margin=0.05)
    ends = ", ".join(f"{name} {rounded(values[name][-1])}" for name in shown)
    chart = Chart(f"{title}, at the last look: {ends}", x, y)
    for place, name in enumerate(shown):
        chart.line(
            epochs,
            values[name],
            f"series-{place % 10}",
            name=name,
            hover=lambda epoch, value, name=name: f"{name}, epoch {count(int(epoch))}: {rounded(value)}",
        )
    return Figure(title, note, chart.svg())


def _kept(points: int) -> NDArray[np.intp]:
    """Return which of a curve's points are drawn."""
    return np.unique(np.linspace(0, points - 1, min(points, MOST_POINTS)).astype(np.intp))
