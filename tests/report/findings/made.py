"""Evidence made by hand: of a healthy run by default, with whatever a test changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from specnet.report.findings import RULES, Columns, Evidence, Finding, Held, LayerFacts, SpecFacts

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
        epochs=100,
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
    facts = Held("test", np.random.default_rng(1).normal(size=(HELD_ROWS, 3)), target, target, score, baselines)
    return replace(facts, **changes)


def evidence(**changes: Any) -> Evidence:
    inputs = np.random.default_rng(0).normal(size=(ROWS, 3))
    facts = Evidence(
        task="binary",
        columns=Columns(("a", "b", "c"), inputs, (False, False, False)),
        inputs=inputs,
        target=np.arange(ROWS) % 2,
        held=held(),
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
    return next(list(rule.find(given)) for rule in RULES if rule.code == code)


def codes(found: Sequence[Finding]) -> list[str]:
    return [each.code for each in found]
