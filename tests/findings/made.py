"""Evidence made by hand, of a healthy run by default, with whatever a test changes; and what is found in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from specnet import Network, parse_spec, resolve
from specnet.data import Labels
from specnet.findings import RULES, Evidence, Finding, UnseenRows
from specnet.findings.evidence import UntestableError
from specnet.parts.data import Column

ROWS, UNSEEN_ROWS, LINES, LOOKS = 200, 100, 100, 6
HALF = np.log(2.0)


def network(hidden: int = 1, **changes: Any) -> Network:
    """Return the network of a spec for three columns with so many hidden layers of 10 units, and other settings.

    Parameters
    ----------
    hidden : int
    **changes
        Of the spec: its sections are merged; what is None is removed.
    """
    sections: dict[str, Any] = {
        "network": {"hidden_layer_sizes": [10] * hidden, "dtype": "float64"},
        "training": {"loss": "binary_crossentropy", "optimizer": sgd(0.01), "epochs": 100, "engine": "numpy"},
    }
    for name, section in changes.items():
        merged = {**sections.get(name, {}), **section} if isinstance(section, Mapping) else section
        sections[name] = merged
    sections["network"] = {key: value for key, value in sections["network"].items() if value is not None}
    outputs = 3 if sections["training"]["loss"] == "categorical_crossentropy" else 1
    return Network(resolve(parse_spec(sections), inputs=3, outputs=outputs))


def sgd(rate: float) -> dict[str, Any]:
    return {"type": "sgd", "learning_rate": rate}


def adam(rate: float) -> dict[str, Any]:
    return {"type": "adam", "learning_rate": rate}


def columns(*names: str, category: str = "") -> tuple[Column, ...]:
    return tuple(Column(name, "category" if name == category else "numeric") for name in names)


def records(
    hidden: int = 1, first: Mapping[str, Any] | None = None, last: Mapping[str, Any] | None = None, **always: Any
) -> list[dict[str, Any]]:
    """Return records whose first layer is changed in the first or last one, or all layers in all of them."""

    def look(epoch: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        numbers = {"weight": 1.0, "gradient": 0.1, "step": 0.01, "dead": 0.0, "saturated": 0.0, **always}
        layers = [{"layer": f"layers.{number}", **numbers} for number in range(hidden + 1)]
        layers[0] |= changes
        return {"epoch": epoch, "layers": layers}

    made = [look(epoch, {}) for epoch in range(LOOKS)]
    made[0] = look(0, {"gradient": None, "step": None, **(first or {})})
    made[-1] = look(LOOKS - 1, {"parallel": 0.0, **(last or {})})
    return made


def gained(network: float = 0.0, linear: float = 0.0, error: float = 0.05) -> dict[str, tuple[float, float]]:
    """Return gains over the loss of a constant prediction, nothing of nearest neighbours."""
    return {"network": (network, error), "linear": (linear, error), "neighbours": (0.0, error)}


def unseen(
    score: float = 0.9, constant: float = 0.5, linear: float = 0.9, neighbours: float = 0.9, **changes: Any
) -> UnseenRows:
    target = np.arange(UNSEEN_ROWS) % 2
    baselines = {"constant": constant, "linear": linear, "neighbours": neighbours}
    return replace(UnseenRows("test", target, target, score, UNSEEN_ROWS, baselines, gained(0.4)), **changes)


def with_independent_rows(count: int, given: Evidence) -> Evidence:
    """Return evidence whose unseen rows come in groups, and are worth so many."""
    assert given.unseen is not None
    return replace(given, unseen=replace(given.unseen, independent_rows=count))


UNSEEN, NETWORK = unseen(), network()
LEARNING = np.geomspace(HALF, 0.1, LINES)
VALUES = network(training={"loss": "mean_squared_error"})


def evidence(*, losses: Any = LEARNING, validation_losses: Any = None, **changes: Any) -> Evidence:
    """Return the evidence of a run with these losses, of which other fields are changed."""
    inputs = np.random.default_rng(0).normal(size=(ROWS, 3))
    history: list[dict[str, Any]] = [{"epoch": number, "loss": loss} for number, loss in enumerate(losses, 1)]
    for line, loss in zip(
        history, [] if validation_losses is None else validation_losses, strict=validation_losses is not None
    ):
        line["validation_loss"] = loss
    given = {"network": NETWORK, "kinds": columns("a", "b", "c"), "cells": inputs, "inputs": inputs, "history": history}
    given |= {
        "labels": Labels(np.array(["no", "yes"])),
        "target": np.arange(ROWS) % 2,
        "records": records(),
    }
    given |= {"first_loss": HALF, "constant_loss": HALF, "has_failed": False, "train_score": 0.92, "unseen": UNSEEN}
    return Evidence(**given | {"out_of_fold": None, "repeated": None} | changes)


def values(**changes: Any) -> Evidence:
    """Return the evidence of a healthy run that predicts values."""
    rng = np.random.default_rng(2)
    target = rng.normal(size=ROWS)
    some = unseen(0.9, 0.0, 0.9, 0.9, target=rng.normal(size=UNSEEN_ROWS), prediction=rng.normal(size=UNSEEN_ROWS))
    given = {
        "network": VALUES,
        "labels": None,
        "target": target,
        "unseen": some,
        "constant_loss": 1.0,
        "first_loss": 1.0,
    }
    return evidence(**given | {"losses": np.geomspace(1.0, 0.1, LINES)} | changes)


def found_by(code: str, given: Evidence) -> list[Finding]:
    """Return what the rule of a code finds by itself."""
    find, _ = RULES[code]
    try:
        return list(find(given))
    except UntestableError:
        return []


def codes(found: Sequence[Finding]) -> list[str]:
    return [each.code for each in found]


RNG = np.random.default_rng(3)
NORMAL = np.random.default_rng(0).normal(size=(ROWS, 3))


def with_columns(cells: np.ndarray, **changes: Any) -> Evidence:
    return evidence(kinds=columns(*"abcdefgh"[: cells.shape[1]]), cells=cells, inputs=cells, **changes)


def constant(value: float, last: float, **changes: Any) -> Evidence:
    cells = NORMAL.copy()
    cells[:, 1], cells[-1, 1] = value, last
    return with_columns(cells, **changes)


def pixels(side: int) -> Evidence:
    cells = np.round(np.abs(RNG.normal(size=(ROWS, side * side))) * 5)
    cells[:, 0] = 0
    names = [f"pixel {number}" for number in range(side * side)]
    return evidence(kinds=columns(*names), cells=cells, inputs=cells / 20)


def scaled(*largest: float, **changes: Any) -> Evidence:
    return with_columns(NORMAL / np.abs(NORMAL).max(axis=0) * np.array(largest), **changes)


def of_mean(mean: float, spread: float = 1.0, **changes: Any) -> Evidence:
    return values(target=np.tile([-1.0, 1.0], ROWS // 2) * spread + mean, **changes)


def giving(noise: float, following: float = 0.0, **changes: Any) -> Evidence:
    """Columns of which the first has the correlation √(1 − noise) with the values, and the second another."""
    rng = np.random.default_rng(5)
    basis, _ = np.linalg.qr(rng.normal(size=(ROWS, 4)) - rng.normal(size=(ROWS, 4)).mean(axis=0))
    basis -= basis.mean(axis=0)
    basis, _ = np.linalg.qr(basis)
    target, first, second = basis.T[:3]
    one = np.sqrt(1 - noise) * target + np.sqrt(noise) * first
    cells = np.column_stack([one, np.sqrt(following) * target + np.sqrt(1 - following) * second])
    return values(kinds=columns("a", "b"), cells=cells, target=target, **changes)


def starting(first: float, tenth: float = 2.0, **changes: Any) -> Evidence:
    """A loss of so much before the first step, and so many times the constant's after a tenth of all epochs."""
    losses = np.linspace(tenth * HALF, 0.1, LINES)
    losses[: LINES // 10 + 1] = tenth * HALF
    return evidence(losses=losses, first_loss=first, **changes)


def ending(end: float, **changes: Any) -> Evidence:
    losses = np.concatenate([np.full(LINES // 2, 1.0), np.linspace(1.0, end, LINES // 2 - 6), np.full(6, end)])
    return evidence(losses=losses, **changes)


def failed(**changes: Any) -> Evidence:
    """A loss that was never finite."""
    return evidence(losses=[], has_failed=True, train_score=None, unseen=None, records=records()[:1], **changes)


def jumping(at: int, to: float, end: float = 1.01) -> Evidence:
    """A loss that jumps and ends at so many times the loss of a constant prediction."""
    losses = np.linspace(1.0, end * HALF, LINES)
    losses[at] = to
    return evidence(losses=losses)


def wild(size: float, level: float, *, rises: bool = True, **changes: Any) -> Evidence:
    """A loss whose second half swings by a size relative to its level, mostly upwards or mostly downwards."""
    swings = np.array([-1.0, 0.0, 1.0] if rises else [1.0, 0.5, 0.0, -0.5, -1.0])
    half = LINES // 2 // len(swings) * len(swings)
    level_of = level * (1 + size / 2 * np.resize(swings, half))
    losses = np.concatenate([np.linspace(1.0, level, half), level_of])
    return evidence(losses=losses, **changes)


def spiking(level: float) -> Evidence:
    """A loss that has reached a level, from which every third line of its second half is far away."""
    losses = np.concatenate([np.linspace(1.0, level, LINES // 2), np.resize([level, level, 1.0], LINES // 2)])
    return evidence(losses=losses)


def dying(now: float, before: float, step: float) -> Evidence:
    given = records(first={"dead": before}, last={"dead": now})
    given[1]["layers"][0]["step"] = step
    return evidence(records=given)


def saturating(before: float, now: float, activation: str = "tanh") -> Evidence:
    given = records(first={"saturated": before}, last={"saturated": now})
    return evidence(records=given, network=network(network={"activations": activation}))


def vanishing(ratio: float, hidden: int = 4, end: float = 0.6, **changes: Any) -> Evidence:
    given = records(hidden)
    for look in given[1:]:
        look["layers"][0]["gradient"] = 0.1 * ratio
    return evidence(**{"records": given, "network": network(hidden), "losses": np.linspace(0.7, end, LINES), **changes})


def crawling(step: float, end: float = 0.6, start: float = 0.7, **changes: Any) -> Evidence:
    return evidence(records=records(step=step), losses=np.linspace(start, end, LINES), **changes)


def falling(last: float, lines: int = 10, simple: float = 0.9, score: float = 0.6, **changes: Any) -> Evidence:
    losses = np.full(lines, 0.3)
    losses[-1] = 0.3 / (1 + last)
    return evidence(losses=losses, unseen=unseen(score, linear=0.6, neighbours=simple), **changes)


def slowly_falling(fraction: float) -> Evidence:
    losses = np.concatenate([np.full(LINES - 10, 0.4), 0.4 * (1 - fraction * np.arange(10) / 10)])
    return evidence(losses=losses, unseen=unseen(0.6, neighbours=0.9))


def rare(count: int, found: int, **changes: Any) -> Evidence:
    target = np.repeat([0, 1], [ROWS - count, count])
    its = np.repeat([0, 1], [UNSEEN_ROWS - 10, 10])
    prediction = its.copy()
    prediction[its == 1] = np.arange(10) < found
    return evidence(target=target, unseen=unseen(target=its, prediction=prediction), **changes)


THREE = network(training={"loss": "categorical_crossentropy"})


def weather(drizzle: int, rows: int = 11, fog: int = 20) -> Evidence:
    """Evidence of so many right of some rows of drizzle, the rest predicted as rain; and of all, or no, rows of fog."""
    target = np.repeat([0, 1, 2], [rows, 20, 100 - rows - 20])
    prediction = target.copy()
    prediction[:rows] = np.where(np.arange(rows) < drizzle, 0, 2)
    prediction[rows : rows + 20 - fog] = 2
    labels = Labels(np.array(["drizzle", "fog", "rain"]))
    rows_of_training = np.resize([0, 1, 2], ROWS)
    found = unseen(float((target == prediction).mean()), target=target, prediction=prediction)
    return evidence(network=THREE, labels=labels, target=rows_of_training, unseen=found)


def with_probabilities(name: str, *, gap: float = 0.1, seed: int = 0) -> UnseenRows:
    """Return 200 rows, of which 20 are of the second class; their probability is about 0.25, or less by a gap."""
    rng = np.random.default_rng(seed)
    target = np.repeat([0, 1], [180, 20])
    second = np.clip(rng.normal(0.25 - gap * (target == 0), 0.04), 0.01, 0.49)
    return unseen(name=name, target=target, prediction=np.zeros(200, int), second=second)


def without_signal(score: float, simple: float, **gains: Any) -> Evidence:
    return evidence(unseen=unseen(score, linear=0.5, neighbours=simple, gains=gained(**gains)))


def gapped(
    train: float, score: float, least: float = 0.5, last: float = 0.5, at: float = 0.5, **changes: Any
) -> Evidence:
    losses = np.linspace(0.7, last, LINES)
    losses[int(at * LINES)] = least
    watched = unseen(score, linear=0.7, neighbours=0.7, name="validation")
    return evidence(train_score=train, unseen=watched, validation_losses=losses, **changes)


def unfolded(train: float, score: float, rows: float = 400.0, **changes: Any) -> Evidence:
    """An ensemble that reaches a score on training rows, and another out of fold."""
    return evidence(**{"train_score": train, "out_of_fold": out_of_fold(score, rows), "unseen": None, **changes})


def out_of_fold(score: float, rows: float) -> UnseenRows:
    return UnseenRows("out_of_fold", np.arange(ROWS) % 2, np.arange(ROWS) % 2, score, rows)


def confident(excess: float, error: float = 0.01, **changes: Any) -> Evidence:
    """A run whose mean probability of the predicted class is above the accuracy by so much."""
    return evidence(**{"unseen": unseen(overconfidence=(excess, error)), **changes})


def behind(train: float, score: float, simple: float, **changes: Any) -> Evidence:
    return evidence(train_score=train, unseen=unseen(score, linear=0.6, neighbours=simple), **changes)


FLAT = np.full(LINES, 0.3)
RISING = np.linspace(0.49, 0.5, 10)
BOUNDED = network(network={"activations": ["relu", "sigmoid"]}, training={"loss": "mean_squared_error"})
ENDS_LOW = network(training={"optimizer": {"type": "sgd", "schedule": "cosine_decay"}})
ADAPTIVE = network(training={"optimizer": "adam"})
RESTORES = network(training={"early_stopping": True})
BOUNDARIES = [
    ("constant-column", constant(7.0, 7.0), constant(7.0, 7.0000001)),
    ("constant-column", constant(np.nan, np.nan), constant(np.nan, 0.0)),
    ("constant-column", pixels(5), pixels(6)),
    ("unscaled-columns", scaled(10.0, 10.0, 1001.0), scaled(10.0, 10.0, 999.0)),
    ("unscaled-columns", scaled(0.09, 1.0, 101.0), scaled(0.09, 1.0, 99.0)),
    ("unscaled-columns", scaled(0.08, 1.0, 150.0), scaled(0.3, 1.0, 150.0)),
    ("unscaled-target", of_mean(30.1), of_mean(29.9)),
    ("unscaled-target", of_mean(-30.1), of_mean(-29.9)),
    ("unscaled-target", of_mean(0.0, 30.1), of_mean(0.0, 29.9)),
    ("unscaled-target", of_mean(99.0), of_mean(99.0, network=BOUNDED)),
    ("leakage", giving(0.0095), giving(0.0105)),
    ("leakage", giving(0.009), giving(0.009, unseen=unseen(0.0, 0.0))),
    ("shared-rows", evidence(repeated=("6 test rows repeat training rows", "remove them")), evidence()),
    ("large-first-weights", starting(10.1 * HALF), starting(9.9 * HALF)),
    ("large-first-weights", starting(99.0, 1.01), starting(99.0, 0.99)),
    ("large-first-weights", starting(np.inf), starting(10 * HALF)),
    ("rate-too-high", evidence(has_failed=True, train_score=None, unseen=None), evidence()),
    ("rate-too-high", ending(2.1), ending(1.9)),
    ("rate-too-high", jumping(9, 3.1), jumping(9, 2.9)),
    ("rate-too-high", jumping(9, 3.1), jumping(11, 3.1)),
    ("rate-too-high", jumping(9, 3.1), jumping(9, 3.1, 0.99)),
    ("rate-too-high", wild(0.52, 0.3), wild(0.48, 0.3)),
    ("rate-too-high", wild(0.6, 0.3), wild(0.6, 0.3, rises=False)),
    ("rate-too-high", wild(0.6, 0.3), wild(0.6, 0.3, network=ENDS_LOW)),
    ("rate-too-high", wild(1.0, 0.21 * HALF), wild(1.0, 0.19 * HALF)),
    ("rate-too-high", spiking(0.06 * HALF), spiking(0.04 * HALF)),
    ("rate-too-high", dying(0.41, 0.0, 0.4), dying(0.4, 0.0, 0.4)),
    ("rate-too-high", dying(0.5, 0.29, 0.4), dying(0.5, 0.3, 0.4)),
    ("rate-too-high", dying(0.5, 0.0, 0.31), dying(0.5, 0.0, 0.3)),
    ("dead-units", evidence(records=records(last={"dead": 0.41})), evidence(records=records(last={"dead": 0.4}))),
    ("saturated-units", saturating(0.0, 0.71), saturating(0.0, 0.7)),
    ("saturated-units", saturating(0.51, 0.51), saturating(0.5, 0.51)),
    ("saturated-units", saturating(0.6, 0.6), saturating(0.6, 0.6, "relu")),
    ("equal-units", *(evidence(records=records(last={"parallel": share})) for share in (0.51, 0.5))),
    ("vanishing-gradients", vanishing(0.9e-3), vanishing(1.1e-3)),
    ("vanishing-gradients", vanishing(0.9e-3), vanishing(0.9e-3, hidden=3)),
    ("vanishing-gradients", vanishing(0.9e-3, end=0.51 * HALF), vanishing(0.9e-3, end=0.45 * HALF)),
    ("rate-too-low", crawling(0.9e-4), crawling(1.1e-4)),
    ("rate-too-low", crawling(2.9e-5, network=ADAPTIVE), crawling(3.1e-5, network=ADAPTIVE)),
    ("rate-too-low", crawling(1e-6, 0.55 * HALF), crawling(1e-6, 0.45 * HALF)),
    ("rate-too-low", crawling(1e-6, 0.7, start=1.3), crawling(1e-6, 0.6, start=1.3)),
    ("too-few-epochs", falling(0.051), falling(0.049)),
    ("too-few-epochs", slowly_falling(0.013), slowly_falling(0.009)),
    ("too-few-epochs", falling(0.1, simple=0.74), falling(0.1, simple=0.72)),
    ("too-few-epochs", *(falling(0.1, validation_losses=losses) for losses in (np.geomspace(1, 0.5, 10), RISING))),
    ("class-imbalance", rare(29, 4), rare(30, 4)),
    ("class-imbalance", rare(20, 4), rare(20, 5)),
    ("low-recall", weather(1), weather(5)),
    ("low-recall", weather(0, rows=8), weather(0, rows=7)),
    ("no-signal", without_signal(0.5, 0.59), without_signal(0.5, 0.61)),
    ("no-signal", without_signal(0.59, 0.5), without_signal(0.61, 0.5)),
    ("no-signal", without_signal(0.5, 0.5), replace(without_signal(0.5, 0.5), target=np.arange(ROWS) < 20)),
    ("no-signal", without_signal(0.5, 0.5, network=0.09), without_signal(0.5, 0.5, network=0.11)),
    ("no-signal", without_signal(0.5, 0.5, linear=0.03, error=0.02), without_signal(0.5, 0.5, linear=0.03, error=0.01)),
    ("no-signal", without_signal(0.5, 0.5, error=0.124 * HALF), without_signal(0.5, 0.5, error=0.126 * HALF)),
    ("overfitting", gapped(1.0, 0.79), gapped(1.0, 0.81)),
    ("overfitting", gapped(0.96, 0.8, 0.4, 0.47), gapped(0.94, 0.8, 0.4, 0.47)),
    ("overfitting", gapped(0.98, 0.8, 0.4, 0.47), gapped(0.98, 0.8, 0.4, 0.45)),
    ("overfitting", gapped(0.98, 0.8, 0.1, 0.14), gapped(0.98, 0.8, 0.1, 0.13)),
    ("overfitting", gapped(0.98, 0.8, 0.4, 0.47, 0.79), gapped(0.98, 0.8, 0.4, 0.47, 0.81)),
    ("overfitting", gapped(0.98, 0.8, 0.4, 0.47), with_independent_rows(50, gapped(0.98, 0.8, 0.4, 0.47))),
    ("overfitting", gapped(0.96, 0.8, 0.4, 0.47), gapped(0.96, 0.8, 0.4, 0.47, network=RESTORES)),
    ("overfitting", unfolded(0.83, 0.67), unfolded(0.83, 0.69)),
    ("overfitting", unfolded(0.83, 0.67), unfolded(0.83, 0.67, 100)),
    ("overfitting", unfolded(0.83, 0.53), unfolded(0.83, 0.53, unseen=without_signal(0.5, 0.5).unseen)),
    ("overconfident", confident(0.051), confident(0.049)),
    ("overconfident", confident(0.08, 0.026), confident(0.08, 0.027)),
    ("underconfident", confident(-0.051), confident(-0.049)),
    ("underconfident", confident(-0.08, 0.026), confident(-0.08, 0.027)),
    ("no-signal", with_independent_rows(50, without_signal(0.5, 0.61)), without_signal(0.5, 0.61)),
    ("underfitting", behind(0.8, 0.7, 0.9), with_independent_rows(9, behind(0.8, 0.7, 0.9))),
    ("underfitting", behind(0.8, 0.7, 0.9), behind(0.85, 0.7, 0.9)),
    ("underfitting", behind(0.7, 0.77, 0.9), behind(0.7, 0.8, 0.9)),
]  # fmt: skip
"""The code, evidence in which it is found, and evidence in which it is just not."""

NO_HIDDEN = {"hidden_layer_sizes": None, "layer_sizes": [3, 1], "activations": ["sigmoid"]}
LAYERS = [{"type": "dense", "units": 10, "activation": "relu"}, {"type": "dense", "units": 1}]
DRAWN: dict[str, Any] = {"network": {"weight_initializer": "random_normal"}}
LEGACY = {"type": "variance_scaling", "scale": 2.0, "distribution": "untruncated_normal"}
NEGATIVE = {"bias_initializer": {"type": "constant", "value": -5.0}}
STOPPED = {"early_stopping": True}
TABLE = {"type": "csv", "path": "rows.csv", "target": "y"}
RATE = "training.optimizer.learning_rate"


def at_rate(optimizer: dict[str, Any] | str) -> Network:
    return network(training={"optimizer": optimizer})


def of(**sections: Any) -> dict[str, Any]:
    """Return a network of other settings, as a change of evidence."""
    return {"network": network(**sections)}


def tanh(hidden: int = 1) -> Network:
    return network(hidden, network={"activations": "tanh"})


REMEDIES = [
    ("underfitting", behind(0.6, 0.6, 0.95, losses=FLAT), {"network.hidden_layer_sizes": [32]}),
    ("underfitting", behind(0.6, 0.6, 0.95, records=records(step=5e-4)),
     {"network.hidden_layer_sizes": [32], RATE: 1.0}),
    ("underfitting", behind(0.6, 0.6, 0.95, records=records(0), **of(network=NO_HIDDEN)),
     {"network.layer_sizes": [3, 16, 1], "network.activations": ["relu", "sigmoid"]}),
    ("underfitting", behind(0.6, 0.6, 0.95, **of(network={"hidden_layer_sizes": None, "layers": LAYERS})),
     {"network.layers.0.units": 32}),
    ("rate-too-low", crawling(1e-6), {RATE: 0.3}),
    ("rate-too-low", crawling(1e-6, network=at_rate("lbfgs")), {}),
    ("rate-too-high", ending(9.0), {RATE: 0.001}),
    ("rate-too-high", ending(9.0, network=at_rate(sgd(10.0))), {RATE: 1.0}),
    ("rate-too-high", ending(9.0, network=at_rate(sgd(11.0))), {RATE: 0.01}),
    ("rate-too-high", ending(9.0, network=at_rate(adam(1e3))), {RATE: 0.001}),
    ("rate-too-high", failed(network=at_rate(sgd(1000.0))), {RATE: 0.01}),
    ("rate-too-high", failed(network=at_rate(sgd(10.0))), {RATE: 0.1}),
    ("rate-too-high", ending(9.0, network=at_rate("lbfgs")), {}),
    ("too-few-epochs", falling(0.1), {"training.epochs": 500}),
    ("class-imbalance", rare(10, 0), {}),
    ("large-first-weights", starting(99.0), {"network.weight_initializer": "lecun_normal"}),
    ("large-first-weights", starting(99.0, **of(**DRAWN)), {"network.weight_initializer": "he_normal"}),
    ("large-first-weights", starting(99.0, **of(**DRAWN, random_generator="legacy")),
     {"network.weight_initializer": LEGACY}),
    ("large-first-weights", starting(99.0, network=tanh()), {"training.clip_norm": 1.0}),
    ("dead-units", evidence(records=records(last={"dead": 0.9})), {RATE: 0.001}),
    ("dead-units", evidence(records=records(dead=0.9), **of(network=NEGATIVE)), {"network.bias_initializer": "zeros"}),
    ("vanishing-gradients", vanishing(1e-5), {}),
    ("vanishing-gradients", vanishing(1e-5, network=tanh(4)), {"network.activations": "relu"}),
    ("overfitting", gapped(1.0, 0.6), {"training.early_stopping": True}),
    ("overfitting", gapped(1.0, 0.6, **of(training=STOPPED)), {"training.l2": 0.003}),
    ("overfitting", gapped(1.0, 0.6, **of(training={**STOPPED, "l2": 0.03})), {"network.hidden_layer_sizes": [5]}),
    ("unscaled-columns", scaled(1.0, 1.0, 1e6), {"network.preprocessing": ["standardize"]}),
    ("unscaled-columns", scaled(1.0, 1.0, 1e6, **of(network={"preprocessing": ["log"]})),
     {"network.preprocessing": ["log", "standardize"]}),
    ("constant-column", constant(1.0, 1.0, **of(data=TABLE)), {"data.columns.b": "ignore"}),
    ("constant-column", constant(1.0, 1.0), {}),
    ("constant-column", constant(1.0, 1.0, **of(data={**TABLE, "features": ["a", "b", "c"]})),
     {"data.features": ["a", "c"]}),
]  # fmt: skip
"""The code, evidence in which it is found, and the settings of its remedy."""
