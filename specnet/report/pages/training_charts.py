"""Charts of the course of training: the loss, how far steps move the weights, the gradients of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from specnet.number_texts import count, figure, rounded
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.epoch_curves import History, curve, member_histories, values_axis
from specnet.report.svg.style import CLASS_COUNT

MOST_LAYERS = 8
MANY_EPOCHS = 200
"""Above so many epochs looks at layers, most of them early, have a logarithmic axis."""
EARLY = 0.95
"""A least loss before this fraction of the epochs is pointed out."""


class _Kind(NamedTuple):
    """A kind of loss in the history."""

    key: str
    name: str
    style: str


_TRAINING = _Kind("loss", "train", "series-0")
_VALIDATION = _Kind("validation_loss", "validation", "series-1 held")


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
    curves = member_histories(history)
    kinds = [_TRAINING, *([_VALIDATION] if "validation_loss" in history[0] else [])]
    values = [record[kind.key] for record in history for kind in kinds]
    last_epoch = max(record["epoch"] for record in history)
    x = Axis.over([history[0]["epoch"], last_epoch], label="epoch")
    y = values_axis(values, "loss", is_loss=True)
    ends = (
        f"{kind.name} {figure(curves[0][0][kind.key])} at first, {_last(curves[0], kind)} at last" for kind in kinds
    )
    chart = Chart(f"Loss by epoch: {'; '.join(ends)}", x, y)
    for member, records in enumerate(curves):
        for kind in reversed(kinds):
            chart.line(
                *curve(records, kind.key),
                kind.style,
                name="" if member else kind.name,
                value="" if member else _last(records, kind),
                hover=partial(_hover, f"{kind.name} loss", figure),
            )
    note = f"The {members} networks of the ensemble, a line each." if members > 1 else "Mean over the training rows."
    if _VALIDATION in kinds:
        note = f"{note} Validation rows take no part in the steps."
        best = min(curves[0], key=lambda record: float(record[_VALIDATION.key]))
        if members == 1 and best["epoch"] < EARLY * last_epoch:
            chart.line([best["epoch"]] * 2, [y.low, best[_VALIDATION.key]], "guide")
            least = figure(best[_VALIDATION.key])
            note += f" Their loss was least, {least}, at epoch {count(best['epoch'])}, the dashed line."
    return Figure("Loss", note, chart.svg())


def _last(records: History, kind: _Kind) -> str:
    return figure(records[-1][kind.key])


def _hover(name: str, text: Callable[[float], str], epoch: float, value: float) -> str:
    return f"{name}, epoch {count(round(epoch))}: {text(value)}"


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
            f"series-{place % CLASS_COUNT}",
            name=name,
            hover=partial(_hover, name, rounded),
        )
    return Figure(title, note, chart.svg())
