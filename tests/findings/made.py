"""Evidence made by hand: of a healthy run by default, with whatever a test changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from specnet.data import Repeated
from specnet.findings import RULES, Evidence, Finding, Gap, Held, LayerFacts, OutOfFold, SpecFacts, TrainingColumns
from specnet.findings.evidence import UntestableError

ROWS, HELD_ROWS, LINES, LOOKS = 200, 100, 100, 6
HALF = np.log(2.0)


def layer(number: int, **changes: Any) -> LayerFacts:
    facts = LayerFacts(
        name=f"layers.{number}",
        units=10,
        activation="relu",
        is_rectifier=True,
        initializer="he_normal",
        usual_initializer="he_normal",
        paths={
            "units": ("network", "hidden_layer_sizes", number),
            "weight_initializer": ("network", "weight_initializer"),
            "bias_initializer": ("network", "bias_initializer"),
            "activation": ("network", "activations"),
        },
    )
    return replace(facts, **changes)


def spec_facts(hidden: int = 1, of_layer: Mapping[str, Any] | None = None, **changes: Any) -> SpecFacts:
    output = layer(hidden, units=1, activation="sigmoid", is_rectifier=False, initializer="glorot_uniform")
    facts = SpecFacts(
        optimizer="sgd",
        is_adaptive=False,
        learning_rate=0.01,
        default_rate=0.01,
        rate_ends_low=False,
        epochs=100,
        restores_best=False,
        layers=(
            *(layer(number, **(of_layer or {})) for number in range(hidden)),
            replace(output, usual_initializer="glorot_uniform"),
        ),
        labels=("no", "yes"),
        takes_any_target=False,
        has_table=False,
        has_legacy_generator=False,
        written={"network": {"hidden_layer_sizes": [10] * hidden}, "training": {}},
    )
    return replace(facts, **changes)


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


def held(
    score: float = 0.9, constant: float = 0.5, linear: float = 0.9, neighbours: float = 0.9, **changes: Any
) -> Held:
    target = np.arange(HELD_ROWS) % 2
    baselines = {"constant": constant, "linear": linear, "neighbours": neighbours}
    inputs, gains = np.random.default_rng(1).normal(size=(HELD_ROWS, 3)), gained(0.4)
    facts = Held("test", inputs, target, target, score, baselines, gains, HELD_ROWS)
    return replace(facts, **changes)


def with_independent_rows(count: int, facts: Evidence) -> Evidence:
    """Return evidence whose held rows come in groups, and are worth so many."""
    assert facts.held is not None
    return replace(facts, held=replace(facts.held, independent_rows=count))


def evidence(**changes: Any) -> Evidence:
    inputs = np.random.default_rng(0).normal(size=(ROWS, 3))
    facts = Evidence(
        task="binary",
        columns=TrainingColumns(("a", "b", "c"), inputs, (False, False, False)),
        inputs=inputs,
        target=np.arange(ROWS) % 2,
        held=held(),
        repeated=None,
        out_of_fold=None,
        epochs=np.arange(1, LINES + 1),
        losses=np.geomspace(HALF, 0.1, LINES),
        held_losses=None,
        has_failed=False,
        first_loss=HALF,
        constant_loss=HALF,
        train_score=0.92,
        looks=looks(),
        spec=spec_facts(),
    )
    return replace(facts, **changes)


def values(**changes: Any) -> Evidence:
    """Return the evidence of a healthy run that predicts values."""
    rng = np.random.default_rng(2)
    target = rng.normal(size=ROWS)
    some = held(0.9, 0.0, 0.9, 0.9, target=rng.normal(size=HELD_ROWS), prediction=rng.normal(size=HELD_ROWS))
    facts = spec_facts(labels=(), takes_any_target=True)
    given = {"task": "values", "target": target, "held": some, "constant_loss": 1.0, "first_loss": 1.0, "spec": facts}
    return evidence(**given | {"losses": np.geomspace(1.0, 0.1, LINES), "train_score": 0.92} | changes)


def found_by(code: str, given: Evidence) -> list[Finding]:
    """Return what the rule of a code finds by itself."""
    (rule,) = (rule for rule in RULES if rule.code == code)
    try:
        return list(rule.find(given))
    except UntestableError:
        return []


def codes(found: Sequence[Finding]) -> list[str]:
    return [each.code for each in found]


RNG = np.random.default_rng(3)
NORMAL = np.random.default_rng(0).normal(size=(ROWS, 3))


def with_columns(cells: np.ndarray, **changes: Any) -> Evidence:
    count = cells.shape[1]
    return evidence(
        columns=TrainingColumns(tuple("abcdefgh"[:count]), cells, (False,) * count), inputs=cells, **changes
    )


def constant(value: float, last: float) -> Evidence:
    cells = NORMAL.copy()
    cells[:, 1], cells[-1, 1] = value, last
    return with_columns(cells)


def pixels(side: int) -> Evidence:
    cells = np.round(np.abs(RNG.normal(size=(ROWS, side * side))) * 5)
    cells[:, 0] = 0
    names = tuple(f"pixel {place}" for place in range(side * side))
    return evidence(columns=TrainingColumns(names, cells, (False,) * len(names)), inputs=cells / 20)


def scaled(*largest: float) -> Evidence:
    cells = NORMAL / np.abs(NORMAL).max(axis=0) * np.array(largest)
    return with_columns(cells)


def of_mean(mean: float, spread: float = 1.0, **facts: Any) -> Evidence:
    target = np.tile([-1.0, 1.0], ROWS // 2) * spread + mean
    return values(target=target, spec=spec_facts(labels=(), **{"takes_any_target": True, **facts}))


def giving(noise: float, following: float = 0.0, **changes: Any) -> Evidence:
    """TrainingColumns of which the first has the correlation √(1 − noise) with the values, and the second another."""
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
    return values(columns=TrainingColumns(("a", "b"), cells, (False, False)), target=target, **changes)


def sharing(others: int) -> Evidence:
    return evidence(repeated=Repeated(6, HELD_ROWS, "test", others))


def with_losses(losses: Any, **changes: Any) -> Evidence:
    losses = np.asarray(losses, np.float64)
    return evidence(losses=losses, epochs=np.arange(1, len(losses) + 1), **changes)


def starting(first: float, tenth: float = 2.0, **changes: Any) -> Evidence:
    """A loss of so much before the first step, and so many times the constant's after a tenth of all epochs."""
    losses = np.linspace(tenth * HALF, 0.1, LINES)
    losses[: LINES // 10 + 1] = tenth * HALF
    return with_losses(losses, first_loss=first, **changes)


def ending(end: float, **spec: Any) -> Evidence:
    losses = np.concatenate([np.full(LINES // 2, 1.0), np.linspace(1.0, end, LINES // 2 - 6), np.full(6, end)])
    return with_losses(losses, spec=spec_facts(**spec))


def failed(**spec: Any) -> Evidence:
    """A loss that was never finite."""
    return with_losses([], has_failed=True, looks=looks()[:1], held=None, train_score=None, spec=spec_facts(**spec))


def jumping(at: int, to: float, end: float = 1.01) -> Evidence:
    """A loss that jumps and ends at so many times the loss of a constant prediction."""
    losses = np.linspace(1.0, end * HALF, LINES)
    losses[at] = to
    return with_losses(losses)


def wild(size: float, level: float, *, rises: bool = True, **spec: Any) -> Evidence:
    """A loss whose second half swings by a size relative to its level, mostly upwards or mostly downwards."""
    swings = np.array([-1.0, 0.0, 1.0] if rises else [1.0, 0.5, 0.0, -0.5, -1.0])
    half = LINES // 2 // len(swings) * len(swings)
    level_of = level * (1 + size / 2 * np.resize(swings, half))
    losses = np.concatenate([np.linspace(1.0, level, half), level_of])
    return replace(with_losses(losses), spec=spec_facts(**spec))


def spiking(level: float) -> Evidence:
    """A loss that has reached a level, from which every third line of its second half is far away."""
    return with_losses(
        np.concatenate([np.linspace(1.0, level, LINES // 2), np.resize([level, level, 1.0], LINES // 2)])
    )


def dying(now: float, before: float, step: float) -> Evidence:
    given = looks(first={"dead": before}, last={"dead": now})
    given[1]["layers"][0]["step"] = step
    return evidence(looks=given)


def saturating(before: float, now: float, **facts: Any) -> Evidence:
    of_layer = {"activation": "tanh", "is_rectifier": False, **facts}
    return evidence(
        looks=looks(first={"saturated": before}, last={"saturated": now}), spec=spec_facts(of_layer=of_layer)
    )


def vanishing(ratio: float, hidden: int = 4, end: float = 0.6) -> Evidence:
    given = looks(hidden)
    for look in given[1:]:
        look["layers"][0]["gradient"] = 0.1 * ratio
    return evidence(looks=given, spec=spec_facts(hidden), losses=np.linspace(0.7, end, LINES))


def crawling(step: float, end: float = 0.6, start: float = 0.7, **facts: Any) -> Evidence:
    return evidence(looks=looks(step=step), losses=np.linspace(start, end, LINES), spec=spec_facts(**facts))


def falling(last: float, lines: int = 10, simple: float = 0.9, score: float = 0.6, **changes: Any) -> Evidence:
    losses = np.full(lines, 0.3)
    losses[-1] = 0.3 / (1 + last)
    return with_losses(losses, held=held(score, linear=0.6, neighbours=simple), **changes)


def slowly_falling(fraction: float) -> Evidence:
    losses = np.concatenate([np.full(LINES - 10, 0.4), 0.4 * (1 - fraction * np.arange(10) / 10)])
    return with_losses(losses, held=held(0.6, neighbours=0.9))


def rare(count: int, found: int, **changes: Any) -> Evidence:
    target = np.repeat([0, 1], [ROWS - count, count])
    its = np.repeat([0, 1], [HELD_ROWS - 10, 10])
    prediction = its.copy()
    prediction[its == 1] = np.arange(10) < found
    return evidence(target=target, held=held(target=its, prediction=prediction), **changes)


def without_signal(score: float, simple: float, **gains: Any) -> Evidence:
    return evidence(held=held(score, linear=0.5, neighbours=simple, gains=gained(**gains)))


def gained(network: float = 0.0, linear: float = 0.0, error: float = 0.05) -> dict[str, Gap]:
    """Return gains over the loss of a constant prediction, nothing of nearest neighbours."""
    return {"network": Gap(network, error), "linear": Gap(linear, error), "neighbours": Gap(0.0, error)}


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
    return evidence(**{"train_score": train, "out_of_fold": OutOfFold(score, rows), "held": None, **changes})


def confident(excess: float, error: float = 0.01, **changes: Any) -> Evidence:
    """A run whose mean probability of the predicted class is above the accuracy by so much."""
    return evidence(**{"held": held(overconfidence=Gap(excess, error)), **changes})


def behind(train: float, score: float, simple: float, **changes: Any) -> Evidence:
    return evidence(train_score=train, held=held(score, linear=0.6, neighbours=simple), **changes)


FLAT = np.full(LINES, 0.3)
RISING = np.linspace(0.49, 0.5, 10)
