"""A run in a sentence and four figures: how good its model is, beside simpler ones on the same rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from specnet.number_texts import count, counted, figure, interval, page_metric, true_minus

if TYPE_CHECKING:
    from specnet.spec import Resolved

MOST_SIZES = 6
"""Sizes that a network's name lists."""
PREFERRED = ("accuracy", "r2")
"""Metrics that come first where the spec has them, as most people know them."""
BASELINES = {
    "linear": "a linear model",
    "neighbours": "the 15 nearest neighbours",
    "trees": "gradient-boosted trees",
    "constant": "a constant answer",
}
"""Simpler predictors in words, in the order in which a sentence names them."""
_ROWS = {
    "test": "test rows",
    "validation": "validation rows",
    "out_of_fold": "rows of the other folds",
    "train": "training rows",
}
_WORDS = {"r2": "R²", "f1": "F1", "roc_auc": "ROC AUC"}


class Tile(NamedTuple):
    """A figure with what it is and what belongs to it."""

    label: str
    value: str
    note: str


def network_name(resolved: Resolved, members: int = 1) -> str:
    """Return a network by its sizes, ``2–5–1 network``, where it is a plain stack, else by the number of its layers."""
    trained = [node for node in resolved.nodes if node.layer.parameter_count(node.input_sizes)]
    chained = all(node.inputs == (place - 1,) for place, node in enumerate(resolved.nodes))
    sizes = (resolved.inputs, *(node.size for node in trained))
    if chained and len(sizes) <= MOST_SIZES and all(node.layer.type == "dense" for node in trained):
        name = "–".join(map(str, sizes))
        return f"{name} network" if members == 1 else f"ensemble of {members} networks ({name})"
    layers = counted(len(trained), "trained layer")
    return f"network with {layers}" if members == 1 else f"ensemble of {members} networks with {layers} each"


def score_name(evaluation: Mapping[str, Any]) -> str:
    """Return the metric by which a run is judged: accuracy or R², else the spec's first one, else the loss."""
    return main_metric(_best_split(evaluation)[1]) or "loss"


def main_metric(names: Iterable[str]) -> str | None:
    """Return the metric that comes first: accuracy or R², else the first one but the loss, None if there is none."""
    metrics = [name for name in names if name != "loss"]
    return next((name for name in PREFERRED if name in metrics), metrics[0] if metrics else None)


def words(name: str) -> str:
    """Return a metric's name in words."""
    return _WORDS.get(name, name.replace("_", " "))


def sentence(network: str, evaluation: Mapping[str, Any], target: str) -> str:
    """Return what a run has reached: what, how good, and what simpler predictors reach on the same rows.

    Parameters
    ----------
    network : str
        As `network_name` returns it.
    evaluation : mapping
        What ``metrics.json`` says.
    target : str
        The name of what is predicted.
    """
    split, scores = _best_split(evaluation)
    name = score_name(evaluation)
    # As it is said: an ensemble, 8, 11, 18, 800.
    article = "An" if re.match(r"[aeiou8]|1[18](?!\d)", network) else "A"
    shown, rows = page_metric(name, scores.get(name)), _ROWS[split]
    told = f"with {'a loss of' if name == 'loss' else words(name)} {shown} on {rows}"
    if name == "accuracy":
        told = f"correctly for {shown} of the {rows}"
    told = f"{article} {network} predicts {target} {told}."
    if split == "train":
        return f"{told} No rows were held out."
    compared = [
        (BASELINES.get(other, other), page_metric(name, figures[split].get(name)))
        for other, figures in sorted(evaluation.get("baselines", {}).items(), key=lambda item: _place(item[0]))
        if split in figures
    ]
    others = ", ".join(
        f"{other}{' ' if place else ' reaches '}{value}" for place, (other, value) in enumerate(compared)
    )
    return f"{told} On the same rows {others}." if compared else told


def tiles(evaluation: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[Tile]:
    """Return the score on test rows with its 95 % interval, that on training rows, a linear model's, and the loss."""
    split, scores = _best_split(evaluation)
    name, rows = score_name(evaluation), evaluation.get("rows", {})
    label = f"{split.replace('_', ' ')} {words(name)}"
    spread = evaluation.get("intervals", {}).get(split, {}).get(name)
    bounds = spread and true_minus(interval(name, spread["low"], spread["high"]))
    note = f"95 %: {bounds}" if bounds else counted(rows[split], "row") if split in rows else ""
    found = [Tile(label, page_metric(name, scores.get(name)), note)]
    if split != "train":
        own = page_metric(name, evaluation["train"].get(name))
        found.append(Tile(f"train {words(name)}", own, counted(rows["train"], "row") if "train" in rows else ""))
    baselines = evaluation.get("baselines", {})
    other = next((each for each in ("linear", "constant") if each in baselines), None)
    if other is not None and split in baselines[other]:
        value = page_metric(name, baselines[other][split].get(name))
        found.append(Tile(BASELINES[other].removeprefix("a "), value, f"on the same {_ROWS[split]}"))
    if history:
        first, last = (true_minus(figure(history[end]["loss"])) for end in (0, -1))
        found.append(Tile("training loss", last, f"from {first} in epoch {count(history[0]['epoch'])}"))
    return found


def _best_split(evaluation: Mapping[str, Any]) -> tuple[str, Mapping[str, float | None]]:
    """Return the name and the figures of the rows that tell most: those that training has seen least of."""
    name = next(split for split in ("test", "out_of_fold", "validation", "train") if split in evaluation)
    return name, evaluation[name]


def _place(baseline: str) -> int:
    return [*BASELINES, baseline].index(baseline)
