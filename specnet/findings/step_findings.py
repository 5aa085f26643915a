"""Findings about the optimizer's steps and about hidden units.

Steps may be too large from the start, too large later, or too small. Units may get no gradient, or be all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from specnet.findings.evidence import MAX_DEAD, Evidence, Numbers, UntestableError
from specnet.findings.finding import (
    Changes,
    Finding,
    lower_rate,
    other_rate,
    rectifiers,
    smaller_weights,
    standardized_columns,
    usual_weights,
    zero_biases,
)
from specnet.number_texts import figure, percent, short
from specnet.spec.resolving.graph import Node

MANY_TIMES = 10.0
"""The loss before any step is too large if it exceeds this multiple of the constant prediction's loss."""
FEW_LINES = 6
"""A history of at most this number of lines is too short to judge how the loss moves."""
LARGEST_RATE = 0.1
"""Largest learning rate that is advised if the loss was finite in at most one line of the history."""
JUMP = 3.0
"""A loss jumps if it exceeds this multiple of its start and of the constant prediction's loss."""
SWING, LEAST_SWING, LEAST_LEVEL = 0.5, 0.2, 0.05
"""A loss does not settle if its range exceeds the first fraction of its median and the second fraction of the constant
prediction's loss, and its median exceeds the third fraction of the latter. Minibatches alone move a small loss by more
than half of its value."""
OFTEN = 0.3
"""Fraction of upward changes above which a loss is not just falling slowly."""
LOW = 0.1
"""A learning rate that has fallen below this fraction of its value hardly moves the weights any more."""
ADAPTIVE_STEP, PLAIN_STEP = 3e-5, 1e-4
"""Sizes of a step relative to the weights below which a network learns nothing: with optimizers like Adam, whose steps
hardly depend on the size of the gradient, and with plain gradient descent."""


def large_first_weights(evidence: Evidence) -> Iterator[Finding]:
    """A loss before any step of over ten times a constant prediction's loss, unless it soon falls below the latter."""
    first, constant = evidence.first_loss, evidence.constant_loss
    if np.isfinite(first) and first <= MANY_TIMES * constant:
        return
    if len(evidence.losses) and evidence.losses[len(evidence.losses) // 10] <= constant:
        return
    sentence = f"before the first step the loss is {short(first)}; a constant prediction has {short(constant)}"
    usual = {**usual_weights(evidence), **zero_biases(evidence)}
    changes = usual or smaller_weights(evidence) or {"training.clip_norm": 1.0}
    yield Finding("large-first-weights", "error", sentence, changes)


def rate_too_high(evidence: Evidence) -> Iterator[Finding]:
    """A loss that is no longer finite, ends above its start, jumps or never settles, or units that die at once."""
    sentence = _failure(evidence) if evidence.has_failed else _instability(evidence)
    if sentence is None:
        return
    is_hopeless = evidence.has_failed and len(evidence.losses) < 2
    changes = lower_rate(evidence, 1 / 100, LARGEST_RATE) if is_hopeless else lower_rate(evidence)
    yield Finding("rate-too-high", "error", sentence, changes, "" if changes else "take smaller steps")


def rate_too_low(evidence: Evidence) -> Iterator[Finding]:
    """Steps that hardly change the weights, while under half of the constant prediction's loss has been learned."""
    least = PLAIN_STEP if evidence.network.spec.training.optimizer.type == "sgd" else ADAPTIVE_STEP
    step = evidence.median_step
    if step is None:
        raise UntestableError
    drop = (evidence.start - evidence.end) / max(evidence.start, 1e-12)
    if step >= least or evidence.learned >= 0.5 or drop >= 0.5 or evidence.most_units_are_dead:
        return
    sentence = (
        f"a step changes the weights by {short(step)} of their size; the loss went from {figure(evidence.start)} "
        f"to {figure(evidence.end)}, a constant prediction has {figure(evidence.constant_loss)}"
    )
    changes = other_rate(evidence, 30)
    yield Finding("rate-too-low", "error", sentence, changes, "" if changes else "take larger steps")


def _failure(evidence: Evidence) -> str:
    """Describe the loss of a failed run until it was no longer finite."""
    match len(evidence.losses):
        case 0:
            return "the loss was not finite in the first epoch"
        case 1:
            return f"the loss was {figure(evidence.start)} in epoch 1, and then no longer finite"
    last = f"{figure(float(evidence.losses[-1]))} in epoch {evidence.epochs[-1]}"
    return f"the loss is {figure(evidence.start)} at first and {last}, before it was no longer finite"


def _instability(evidence: Evidence) -> str | None:
    """Describe evidence of too large steps in a finite loss or in units; return None if there is no evidence."""
    losses = evidence.losses
    start, end, constant = (figure(loss) for loss in (evidence.start, evidence.end, evidence.constant_loss))
    if evidence.end > 2 * evidence.start and evidence.end > evidence.constant_loss:
        return f"the loss is {start} at first and {end} at the end; a constant prediction has {constant}"
    if (peak := _jump(evidence)) is not None:
        jump = f"jumps from {start} to {figure(float(losses[peak]))} in epoch {evidence.epochs[peak]}"
        return f"the loss {jump} and ends at {end}; a constant prediction has {constant}"
    if _is_wild(evidence):
        low, high = (figure(float(extreme(_last_quarter(losses)))) for extreme in (np.min, np.max))
        upwards = percent(_rises(evidence))
        return (
            f"in the last quarter of its history the loss moves between {low} and {high}; {upwards} of the changes in "
            "its second half are upwards"
        )
    return _killing(evidence)


def _jump(evidence: Evidence) -> int | None:
    """Return the index of a line in the first tenth of the history to which the loss jumps, or None.

    The loss there is over three times its start and the constant prediction's loss. Return None too if the loss ends
    below that of a constant prediction: a high rate that falls later may begin with such a jump.
    """
    peak = int(evidence.losses[: max(2, len(evidence.losses) // 10 + 1)].argmax())
    jumps = evidence.losses[peak] > JUMP * max(evidence.start, evidence.constant_loss)
    return peak if jumps and evidence.end >= evidence.constant_loss else None


def _is_wild(evidence: Evidence) -> bool:
    """Return whether the loss still moves far in the last quarter of the history, and often upwards.

    It is false for a short history, for a loss far below that of a constant prediction, and if the learning rate ends
    below a tenth of its value: then the rate is not the reason why the loss does not settle.
    """
    losses, constant, training = evidence.losses, evidence.constant_loss, evidence.network.spec.training
    stepping, epochs = training.optimizer.stepping, training.epochs
    rate_ends_low = stepping is not None and stepping.schedule.factor_at(epochs - 1, epochs, 1) < LOW
    if len(losses) <= FEW_LINES or rate_ends_low:
        return False
    quarter = _last_quarter(losses)
    middle = float(np.median(quarter))
    most = max(SWING * abs(middle), LEAST_SWING * abs(constant))
    return middle > LEAST_LEVEL * constant and float(np.ptp(quarter)) > most and _rises(evidence) > OFTEN


def _last_quarter(losses: Numbers) -> Numbers:
    return losses[-max(3, len(losses) // 4) :]


def _killing(evidence: Evidence) -> str | None:
    """Describe units that died after a large first step; return None if there are few."""
    shares = evidence.of_hidden("dead")
    if not shares:
        return None
    before, now = max(first for _, first, _ in shares), max(last for _, _, last in shares)
    step = evidence.largest_step(evidence.steps[0])
    if now <= MANY_DEAD or before >= FEW_DEAD or step <= LARGE_STEP:
        return None
    dead = f"{percent(now)} of the units of a layer are 0 for every row looked at ({percent(before)} before it)"
    return f"the first step changes the weights of a layer by {short(step)} of their size, and in the end {dead}"


def _rises(evidence: Evidence) -> float:
    """Return the fraction of changes of the loss in the second half of the history that are upwards."""
    losses = evidence.losses
    if len(losses) <= FEW_LINES:
        return 0.0
    return float(np.mean(np.diff(losses[len(losses) // 2 :]) > 0))


MANY_DEAD, FEW_DEAD = 0.4, 0.3
"""A layer suffers above the first fraction of dead units, and did not suffer before training below the second."""
LARGE_STEP = 0.3
"""Size of a step relative to the weights that can kill units at once."""
MANY_SATURATED, MAX_SATURATED = 0.5, 0.7
MANY_EQUAL = 0.5
DEEP = 4
"""Least number of hidden layers in which gradients may vanish."""
VANISHED = 1e-3


def dead_units(evidence: Evidence) -> Iterator[Finding]:
    """A layer of which over 40 % of the units have the same output on every examined row."""
    for layer, first, share in _hidden(evidence, "dead"):
        if share <= MANY_DEAD:
            continue
        sentence = (
            f"{layer.key}: {percent(share)} of {layer.size} units are 0 for every row looked at "
            f"({percent(first)} before the first step)"
        )
        if first > MANY_DEAD / 2:  # smaller steps do not revive units that were dead before the first one
            changes: Changes = {**zero_biases(evidence), **usual_weights(evidence)}
            words = "" if changes else "use fewer layers, or an activation that passes negative values, such as selu"
        else:
            changes = lower_rate(evidence)
            words = "" if changes else 'bias_initializer = "zeros" and weight_initializer = "he_normal"'
        yield Finding("dead-units", "error" if share > MAX_DEAD else "warning", sentence, changes, words)


def saturated_units(evidence: Evidence) -> Iterator[Finding]:
    """A layer of which over half of the units are flat on 9 of 10 rows at first and in the end, or over 70 %."""
    for layer, first, share in _hidden(evidence, "saturated"):
        if evidence.is_rectified(layer) or share <= (MANY_SATURATED if first > MANY_SATURATED else MAX_SATURATED):
            continue
        activation = evidence.activation(layer)
        name = "linear" if activation is None else activation.part_name()
        sentence = (
            f"{layer.key}: {percent(share)} of {layer.size} {name} units have under 5 % of their "
            f"largest slope on 9 of 10 rows"
        )
        changes = usual_weights(evidence) or standardized_columns(evidence) or lower_rate(evidence)
        words = "" if changes else 'standardize the inputs, or weight_initializer = "glorot_uniform"'
        yield Finding("saturated-units", "error" if share > MAX_SATURATED else "warning", sentence, changes, words)


def equal_units(evidence: Evidence) -> Iterator[Finding]:
    """A layer of which over half of the units have the same weights but for a factor, or whose weights are all 0."""
    share = max(now for _, _, now in _hidden(evidence, "parallel"))
    if share > MANY_EQUAL and not evidence.has_failed:
        changes = usual_weights(evidence)
        sentence = f"{percent(share)} of the units of a layer have the same weights"
        yield Finding("equal-units", "error", sentence, changes, "" if changes else "draw weights at random")


def vanishing_gradients(evidence: Evidence) -> Iterator[Finding]:
    """A deep network whose first layer has a thousandth of the last one's gradient after a third of the records."""
    if len(evidence.hidden) < DEEP or not evidence.steps:
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


def _hidden(evidence: Evidence, field: str) -> list[tuple[Node, float, float]]:
    """Return the result of `Evidence.of_hidden`; raise `UntestableError` if it is empty."""
    if not (found := evidence.of_hidden(field)):
        raise UntestableError
    return found
