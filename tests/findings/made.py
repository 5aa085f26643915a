"""Evidence made by hand: of a healthy run by default, with whatever a test changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from specnet.data import Labels, Repeated
from specnet.findings import RULES, Evidence, Finding, Held
from specnet.findings.evidence import UntestableError
from specnet.network import Network
from specnet.parts.data import Column
from specnet.spec import parse_spec, resolve

ROWS, HELD_ROWS, LINES, LOOKS = 200, 100, 100, 6
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
    for name in ("network", "training"):
        sections[name] = {key: value for key, value in sections[name].items() if value is not None}
    outputs = 3 if sections["training"]["loss"] == "categorical_crossentropy" else 1
    return Network(resolve(parse_spec(sections), inputs=3, outputs=outputs))


def sgd(rate: float) -> dict[str, Any]:
    return {"type": "sgd", "learning_rate": rate}


def adam(rate: float) -> dict[str, Any]:
    return {"type": "adam", "learning_rate": rate}


def columns(*names: str, category: str = "") -> tuple[Column, ...]:
    return tuple(Column(name, "category" if name == category else "numeric") for name in names)


def looks(
    hidden: int = 1, first: Mapping[str, Any] | None = None, last: Mapping[str, Any] | None = None, **always: Any
) -> list[dict[str, Any]]:
    """Return looks of which the first layer of the first or the last one, or all layers of all of them, are changed."""

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


def held(
    score: float = 0.9, constant: float = 0.5, linear: float = 0.9, neighbours: float = 0.9, **changes: Any
) -> Held:
    target = np.arange(HELD_ROWS) % 2
    baselines = {"constant": constant, "linear": linear, "neighbours": neighbours}
    return replace(Held("test", target, target, score, HELD_ROWS, baselines, gained(0.4)), **changes)


def with_independent_rows(count: int, given: Evidence) -> Evidence:
    """Return evidence whose held rows come in groups, and are worth so many."""
    assert given.held is not None
    return replace(given, held=replace(given.held, independent_rows=count))


HELD, NETWORK = held(), network()
LEARNING = np.geomspace(HALF, 0.1, LINES)
VALUES = network(training={"loss": "mean_squared_error"})


def evidence(
    *,
    losses: Any = LEARNING,
    held_losses: Any = None,
    train_score: float | None = 0.92,
    held: Held | None = HELD,
    out_of_fold: Held | None = None,
    **changes: Any,
) -> Evidence:
    """Return the evidence of a run with these losses and scores, of which other fields are changed."""
    inputs = np.random.default_rng(0).normal(size=(ROWS, 3))
    history: list[dict[str, Any]] = [{"epoch": number, "loss": loss} for number, loss in enumerate(losses, 1)]
    for line, loss in zip(history, [] if held_losses is None else held_losses, strict=held_losses is not None):
        line["validation_loss"] = loss
    given = Evidence(
        network=NETWORK,
        labels=Labels(np.array(["no", "yes"])),
        kinds=columns("a", "b", "c"),
        cells=inputs,
        inputs=inputs,
        target=np.arange(ROWS) % 2,
        history=history,
        looks=looks(),
        first_loss=HALF,
        constant_loss=HALF,
        has_failed=False,
        train_score=train_score,
        held=held,
        out_of_fold=out_of_fold,
        repeated=None,
    )
    return replace(given, **changes)


def values(**changes: Any) -> Evidence:
    """Return the evidence of a healthy run that predicts values."""
    rng = np.random.default_rng(2)
    target = rng.normal(size=ROWS)
    some = held(0.9, 0.0, 0.9, 0.9, target=rng.normal(size=HELD_ROWS), prediction=rng.normal(size=HELD_ROWS))
    given = {"network": VALUES, "labels": None, "target": target, "held": some, "constant_loss": 1.0, "first_loss": 1.0}
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


def constant(value: float, last: float) -> Evidence:
    cells = NORMAL.copy()
    cells[:, 1], cells[-1, 1] = value, last
    return with_columns(cells)


def pixels(side: int) -> Evidence:
    cells = np.round(np.abs(RNG.normal(size=(ROWS, side * side))) * 5)
    cells[:, 0] = 0
    return evidence(
        kinds=columns(*(f"pixel {number}" for number in range(side * side))), cells=cells, inputs=cells / 20
    )


def scaled(*largest: float) -> Evidence:
    cells = NORMAL / np.abs(NORMAL).max(axis=0) * np.array(largest)
    return with_columns(cells)


def of_mean(mean: float, spread: float = 1.0, **changes: Any) -> Evidence:
    return values(target=np.tile([-1.0, 1.0], ROWS // 2) * spread + mean, **changes)


def giving(noise: float, following: float = 0.0, **changes: Any) -> Evidence:
    """Columns of which the first has the correlation √(1 − noise) with the values, and the second another."""
    rng = np.random.default_rng(5)
    basis, _ = np.linalg.qr(rng.normal(size=(ROWS, 4)) - rng.normal(size=(ROWS, 4)).mean(axis=0))
    basis -= basis.mean(axis=0)
    basis, _ = np.linalg.qr(basis)
    target, first, second = basis.T[:3]
    cells = np.column_stack(
        [
            np.sqrt(1 - noise) * target + np.sqrt(noise) * first,
            np.sqrt(following) * target + np.sqrt(1 - following) * second,
        ]
    )
    return values(kinds=columns("a", "b"), cells=cells, target=target, **changes)


def sharing(others: int) -> Evidence:
    return evidence(repeated=Repeated(6, HELD_ROWS, "test", others))


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
    return evidence(losses=[], has_failed=True, train_score=None, held=None, looks=looks()[:1], **changes)


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
    given = looks(first={"dead": before}, last={"dead": now})
    given[1]["layers"][0]["step"] = step
    return evidence(looks=given)


def saturating(before: float, now: float, activation: str = "tanh") -> Evidence:
    given = looks(first={"saturated": before}, last={"saturated": now})
    return evidence(looks=given, network=network(network={"activations": activation}))


def vanishing(ratio: float, hidden: int = 4, end: float = 0.6, **changes: Any) -> Evidence:
    given = looks(hidden)
    for look in given[1:]:
        look["layers"][0]["gradient"] = 0.1 * ratio
    return evidence(**{"looks": given, "network": network(hidden), "losses": np.linspace(0.7, end, LINES), **changes})


def crawling(step: float, end: float = 0.6, start: float = 0.7, **changes: Any) -> Evidence:
    return evidence(looks=looks(step=step), losses=np.linspace(start, end, LINES), **changes)


def falling(last: float, lines: int = 10, simple: float = 0.9, score: float = 0.6, **changes: Any) -> Evidence:
    losses = np.full(lines, 0.3)
    losses[-1] = 0.3 / (1 + last)
    return evidence(losses=losses, held=held(score, linear=0.6, neighbours=simple), **changes)


def slowly_falling(fraction: float) -> Evidence:
    losses = np.concatenate([np.full(LINES - 10, 0.4), 0.4 * (1 - fraction * np.arange(10) / 10)])
    return evidence(losses=losses, held=held(0.6, neighbours=0.9))


def rare(count: int, found: int, **changes: Any) -> Evidence:
    target = np.repeat([0, 1], [ROWS - count, count])
    its = np.repeat([0, 1], [HELD_ROWS - 10, 10])
    prediction = its.copy()
    prediction[its == 1] = np.arange(10) < found
    return evidence(target=target, held=held(target=its, prediction=prediction), **changes)


def without_signal(score: float, simple: float, **gains: Any) -> Evidence:
    return evidence(held=held(score, linear=0.5, neighbours=simple, gains=gained(**gains)))


def gapped(
    train: float, score: float, least: float = 0.5, last: float = 0.5, at: float = 0.5, **changes: Any
) -> Evidence:
    losses = np.linspace(0.7, last, LINES)
    losses[int(at * LINES)] = least
    return evidence(
        train_score=train,
        held=held(score, linear=0.7, neighbours=0.7, name="validation"),
        held_losses=losses,
        **changes,
    )


def unfolded(train: float, score: float, rows: float = 400.0, **changes: Any) -> Evidence:
    """An ensemble that reaches a score on training rows, and another out of fold."""
    return evidence(**{"train_score": train, "out_of_fold": out_of_fold(score, rows), "held": None, **changes})


def out_of_fold(score: float, rows: float) -> Held:
    return Held("out_of_fold", np.arange(ROWS) % 2, np.arange(ROWS) % 2, score, rows)


def confident(excess: float, error: float = 0.01, **changes: Any) -> Evidence:
    """A run whose mean probability of the predicted class is above the accuracy by so much."""
    return evidence(**{"held": held(overconfidence=(excess, error)), **changes})


def behind(train: float, score: float, simple: float, **changes: Any) -> Evidence:
    return evidence(train_score=train, held=held(score, linear=0.6, neighbours=simple), **changes)


FLAT = np.full(LINES, 0.3)
RISING = np.linspace(0.49, 0.5, 10)
