"""Charts of training: curves of one or several runs, and the step sizes and gradients of the layers of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.number_texts import count, page_metric, rounded
from specnet.parts.arrays import spaced_indices
from specnet.parts.splits import VALIDATION, adjective, best_split
from specnet.parts.watchers import LOSS, VALIDATION_LOSS
from specnet.report.pages.headline import BASELINES, network, on_axis, rows_of, words
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.colours import CLASS_COUNT
from specnet.saved.saved_run import Curve
from specnet.training.checkpoint import MEMBER, history_of

MAX_POINTS = 300
MAX_NAMED = 8
"""Most curves that have names at their ends; more curves are named only in the list of runs."""
LOG_RATIO = 30
"""A loss that changes by a larger factor has a logarithmic axis."""
OUTER = 0.02
"""Fraction of values at each end that is ignored to find the range of an axis."""
EXTRA, LOG_EXTRA = 1.0, 0.25
"""By which multiple of the inner values' range an axis may extend beyond them, if linear and if logarithmic."""
BESIDE = 0.5
"""Largest distance of other values from the curves, in lengths of the axis, for which the axis includes them."""
MAX_LAYERS = 8
EARLY = 0.95
"""The lowest validation loss is marked if it is before this fraction of the epochs."""
MANY_EPOCHS = 200
"""With more epochs, charts of layers have a logarithmic axis of epochs, since most records are early."""
KINDS = {LOSS: ("train", "quiet-line"), VALIDATION_LOSS: ("validation", "plain")}
"""Names and curve styles of the losses in the history; classes have the colours."""
OWN = "network"
"""Name of the network's loss among those of simpler predictors."""

History = Sequence[Mapping[str, Any]]
Numbers = NDArray[np.float64]


def member_curves(history: History, name: str) -> list[Curve]:
    """Return the curve of a figure for each ensemble member (or the single network), at evenly spaced epochs."""
    curves = []
    for member in dict.fromkeys(record.get(MEMBER, 0) for record in history):
        records = [record for record in history_of(history, member) if name in record]
        chosen = [records[index] for index in spaced_indices(len(records), MAX_POINTS)]
        if chosen:
            curves.append(Curve([record["epoch"] for record in chosen], [record[name] for record in chosen]))
    return curves


def curve_title(name: str) -> str:
    """Return the chart title of a figure of the history, such as ``Training loss`` or ``Validation F1``."""
    return "Training loss" if name == LOSS else f"Validation {words(name.removeprefix(f'{VALIDATION}_'))}"


def rows_note(name: str) -> str:
    """Return a sentence about the rows on which a figure of the history is measured."""
    if name != LOSS:
        return "Of the validation rows."
    return "The training loss is measured during each epoch, with dropout and label smoothing if there are any."


def curve_style(index: int) -> str:
    """Return the style of the curves of a run: one of ten colours, and dashed for every second ten runs."""
    return f"series-{index % CLASS_COUNT}" + " dashed" * (index // CLASS_COUNT % 2)


_loss_text = partial(page_metric, LOSS)


def at_epoch(name: str, text: Callable[[float], str] = _loss_text) -> Callable[[float, float], str]:
    """Return a function from epoch and value to the hover text of a point of a curve."""
    return lambda epoch, value: f"{name}, epoch {count(round(epoch))}: {text(value)}"


def curves_chart(
    description: str,
    curves: Sequence[Curve],
    name: str,
    label: str,
    *,
    is_whole: bool = False,
    near: Sequence[float] = (),
) -> Chart:
    """Return an empty chart with axes for curves; a few outlying values are cut off.

    Parameters
    ----------
    description : str
    curves : sequence of Curve
    name : str
        Name of the figure. The axis of a loss may start at 0, or be logarithmic if the values differ by a large factor.
    label : str
        Label of the values.
    is_whole : bool
        Whether to show all values, including outlying ones.
    near : sequence of float
        Other values to include, if they are within half an axis beyond the curves.
    """
    values = np.concatenate([np.asarray(curve.values, np.float64) for curve in curves])
    is_loss = name.endswith(LOSS)
    log = is_loss and is_wide(values)
    label, unit = on_axis(name, label)
    shown = values if is_whole else _inner(values, log=log)
    x = Axis.over(*(curve.epochs for curve in curves), label="epoch", unit="whole")
    positions = Axis.over(shown, log=log).positions(near)
    more = np.asarray(near, np.float64)[np.abs(positions - 0.5) <= 0.5 + BESIDE]
    return Chart(description, x, Axis.over(shown, more, label=label, log=log, unit=unit, margin=0.03, zero=is_loss))


def is_wide(values: Numbers) -> bool:
    """Return whether positive values differ by a large factor."""
    return bool(values.min() > 0 and values.max() > LOG_RATIO * values.min())


def _inner(values: Numbers, *, log: bool) -> Numbers:
    scaled = np.log(values) if log else values
    low, high = np.quantile(scaled, [OUTER, 1 - OUTER])
    margin = (LOG_EXTRA if log else EXTRA) * (high - low)
    inner: Numbers = values[(scaled >= low - margin) & (scaled <= high + margin)]
    return inner


def training_figures(
    history: History,
    layer_records: Sequence[Mapping[str, Any]],
    evaluation: Mapping[str, Any],
    delivered: Sequence[int] = (),
    members: int = 1,
) -> Iterator[Figure]:
    """Yield the charts of training.

    Parameters
    ----------
    history : sequence of mapping
        Records of the logged epochs; of an ensemble, of each member.
    layer_records : sequence of mapping
        Statistics of layers: ``epoch``, and ``layers`` with ``layer``, ``step`` and ``gradient`` of each.
    evaluation : mapping
        Contents of ``metrics.json``.
    delivered : sequence of int
        For each network, the epoch of its delivered weights; empty if unknown.
    members : int
        Number of trained networks.
    """
    if history:
        yield _loss(history, evaluation, delivered, members)
    of = " of the first member" if members > 1 else ""
    note = f"Size of one step ÷ size of the weights{of}; 0.0001 to 0.01 is usual"
    yield from _layers("How far one step moves the weights", note, layer_records, "step", "step ÷ weights")
    note = f"Root mean square{of}; layers far apart learn at different speeds"
    yield from _layers("Gradient of each layer", note, layer_records, "gradient", "root mean square of the gradient")


def _loss(history: History, evaluation: Mapping[str, Any], delivered: Sequence[int], members: int) -> Figure:
    kinds = {key: about for key, about in KINDS.items() if key in history[0]}
    curves = {key: member_curves(history, key) for key in kinds}
    ends = [(name, *(_loss_text(curves[key][0].values[end]) for end in (0, -1))) for key, (name, _) in kinds.items()]
    texts = [f"{name} {first} at first, {last} at last" for name, first, last in ends]
    split, losses = _compared(evaluation, VALIDATION_LOSS in kinds)
    rows, which = rows_of(split), network(members)
    if losses:
        texts.append(f"on {rows} {', '.join(f'{name} {_loss_text(loss)}' for name, loss in losses.items())}")
    every = [curve for of_kind in curves.values() for curve in of_kind]
    near = list(losses.values())
    chart = curves_chart(f"Loss by epoch: {'; '.join(texts)}", every, LOSS, "loss", is_whole=True, near=near)
    drawn = {name: loss for name, loss in losses.items() if chart.y.low <= loss <= chart.y.high}
    for name, loss in drawn.items():
        style = f"reference{' plain' * (name == OWN)}"
        ending, value = which if name == OWN else name, f"{adjective(split)} {_loss_text(loss)}"
        chart.line([chart.x.low, chart.x.high], [loss] * 2, style, name=ending, value=value)
    for key, (name, style) in kinds.items():
        for member, curve in enumerate(curves[key]):
            last, hover = _loss_text(curve.values[-1]), at_epoch(f"{name} loss")
            faint = " faint" * (members > 1)
            chart.line(*curve, f"{style}{faint}", name="" if member else name, value=last, hover=hover)
    note = f"The {members} networks of the ensemble, a line each. " if members > 1 else ""
    note += rows_note(LOSS)
    restored = any(epoch < curve.epochs[-1] for epoch, curve in zip(delivered, curves[LOSS], strict=False))
    own = page_metric(LOSS, evaluation.get("train", {}).get(LOSS))
    if restored:
        for epoch in delivered:
            chart.line([epoch] * 2, [chart.y.low, chart.y.high], "guide faint" if members > 1 else "guide")
        note += f" The delivered {which} has the weights of {_epochs(delivered)}."
    note += f" The loss of the delivered {which} on the training rows is {own}."
    if VALIDATION_LOSS in kinds:
        note += " The network is not trained on validation rows."
        best = min(history, key=lambda record: float(record[VALIDATION_LOSS]))
        if members == 1 and not restored and best["epoch"] < EARLY * history[-1]["epoch"]:
            chart.line([best["epoch"]] * 2, [chart.y.low, best[VALIDATION_LOSS]], "guide")
            least = _loss_text(best[VALIDATION_LOSS])
            note += f" Their loss was lowest at epoch {count(best['epoch'])} (dashed line): {least}."
    if drawn:
        beside = "the validation line" if split == VALIDATION else f"the {which}, not with the training line"
        note += f" Dotted lines: losses on {rows}. Compare simpler predictors with {beside}."
    if beyond := [f"{name} {_loss_text(loss)}" for name, loss in losses.items() if name not in drawn]:
        note += f" Beyond the chart, on {rows}: {', '.join(beyond)}."
    return Figure("Loss", note, chart.svg(), "loss")


def _compared(evaluation: Mapping[str, Any], has_validation_curve: bool) -> tuple[str, dict[str, float]]:
    """Return the losses of simpler predictors on a split, by name, and the split.

    It is the validation split if the losses of simpler predictors stand beside a curve of the same rows. Otherwise it
    is the test or the out-of-fold split, which has no curve, and the losses include the one of the network.
    """
    baselines = evaluation.get("baselines", {})
    for split in [VALIDATION] * has_validation_curve + [best_split(evaluation)]:
        losses = {words(name): baselines[name].get(split, {}).get(LOSS) for name in BASELINES if name in baselines}
        others = {name: loss for name, loss in losses.items() if loss is not None}
        if others:
            own = evaluation[split].get(LOSS)
            return split, others if split == VALIDATION or own is None else {OWN: own} | others
    return best_split(evaluation), {}


def _epochs(delivered: Sequence[int]) -> str:
    """Return in words the epochs of the delivered weights, which dashed lines mark."""
    first, last = min(delivered), max(delivered)
    if len(delivered) == 1:
        return f"epoch {count(first)}, the dashed line"
    return f"epochs {count(first)} to {count(last)}, the dashed lines"


def _layers(title: str, note: str, records: Sequence[Mapping[str, Any]], key: str, label: str) -> Iterator[Figure]:
    """Yield the chart of a statistic of each layer by epoch, or nothing if no record has it."""
    seen = [record for record in records if any(layer[key] is not None for layer in record["layers"])]
    if not seen:
        return
    epochs = [record["epoch"] for record in seen]
    layers = np.array([[layer[key] for layer in record["layers"]] for record in seen], np.float64).T
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(MAX_LAYERS, len(layers))).round().astype(np.intp))
    if len(chosen) < len(layers):
        note += f"; {len(chosen)} of {len(layers)} layers"
    shown = {seen[0]["layers"][index]["layer"]: layers[index] for index in chosen}
    x = Axis.over(epochs, label="epoch", log=epochs[-1] > MANY_EPOCHS, unit="whole")
    ends = ", ".join(f"{name} {rounded(values[-1])}" for name, values in shown.items())
    y = Axis.over(*shown.values(), label=label, log=True, margin=0.05)
    chart = Chart(f"{title}, at the end: {ends}", x, y)
    for index, (name, values) in enumerate(shown.items()):
        chart.line(epochs, values, curve_style(index), name=name, hover=at_epoch(name, rounded))
    yield Figure(title, f"{note}.", chart.svg(), "layers")
