"""Findings about the hidden units: those that no gradient reaches, and those that are all the same."""

from __future__ import annotations

from collections.abc import Iterator

from specnet.findings.evidence import Evidence, LayerFacts, UntestableError
from specnet.findings.finding import Finding
from specnet.findings.remedies import lower_rate, rectifiers, standardized_columns, usual_weights, zero_biases
from specnet.number_texts import percent, short

MANY_DEAD, MOST_DEAD = 0.4, 0.7
MANY_SATURATED, MOST_SATURATED = 0.5, 0.7
MANY_EQUAL = 0.5
DEEP = 4
"""Hidden layers from which on gradients vanish."""
VANISHED = 1e-3


def dead_units(evidence: Evidence) -> Iterator[Finding]:
    """A layer of which over 40 % of the units have the same output on every row looked at."""
    for layer, first, share in _hidden(evidence, "dead"):
        if share <= MANY_DEAD:
            continue
        sentence = (
            f"{layer.name}: {percent(share)} of {layer.units} units are 0 for every row looked at "
            f"({percent(first)} before the first step)"
        )
        from_start = {**zero_biases(evidence), **usual_weights(evidence)} if first > MANY_DEAD / 2 else {}
        changes = from_start or lower_rate(evidence)
        words = "" if changes else 'bias_initializer = "zeros" and weight_initializer = "he_normal"'
        yield Finding("dead-units", "error" if share > MOST_DEAD else "warning", sentence, changes, words)


def saturated_units(evidence: Evidence) -> Iterator[Finding]:
    """A layer of which over half of the units are flat on 9 of 10 rows at the first and the last look, or over 70 %."""
    for layer, first, share in _hidden(evidence, "saturated"):
        if layer.is_rectifier or share <= (MANY_SATURATED if first > MANY_SATURATED else MOST_SATURATED):
            continue
        sentence = (
            f"{layer.name}: {percent(share)} of {layer.units} {layer.activation} units have under 5 % of their "
            f"largest slope on 9 of 10 rows"
        )
        changes = usual_weights(evidence) or standardized_columns(evidence) or lower_rate(evidence)
        words = "" if changes else 'standardize the inputs, or weight_initializer = "glorot_uniform"'
        yield Finding("saturated-units", "error" if share > MOST_SATURATED else "warning", sentence, changes, words)


def equal_units(evidence: Evidence) -> Iterator[Finding]:
    """A layer of which over half of the units have the same weights but for a factor, or whose weights are all 0."""
    share = max(now for _, _, now in _hidden(evidence, "parallel"))
    if share > MANY_EQUAL and not evidence.has_failed:
        changes = usual_weights(evidence)
        sentence = f"{percent(share)} of the units of a layer have the same weights"
        yield Finding("equal-units", "error", sentence, changes, "" if changes else "draw weights at random")


def vanishing_gradients(evidence: Evidence) -> Iterator[Finding]:
    """A deep network whose first layer has a thousandth of the last one's gradient after a third of the looks."""
    if len(evidence.spec.hidden) < DEEP or not evidence.steps:
        raise UntestableError
    if evidence.has_failed or evidence.learned >= 0.5:
        return
    layers = evidence.steps[len(evidence.steps) // 3]["layers"]
    first, last = float(layers[0]["gradient"] or 0.0), float(layers[-1]["gradient"] or 0.0)
    if first < VANISHED * last:
        sentence = f"the gradient of the first layer is {short(first / last)} of that of the last layer"
        changes = rectifiers(evidence) or usual_weights(evidence)
        words = "or selu, fewer layers, or residual connections" if changes else "use fewer layers or add layers"
        yield Finding("vanishing-gradients", "error", sentence, changes, words)


def _hidden(evidence: Evidence, field: str) -> list[tuple[LayerFacts, float, float]]:
    """Return what `Evidence.of_hidden` does, of at least one layer."""
    if not (found := evidence.of_hidden(field)):
        raise UntestableError
    return found
