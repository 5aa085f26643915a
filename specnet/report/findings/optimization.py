"""Findings about the optimizer's steps: too large from the start, too large later, too small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from specnet.report.figures import figure, percent, short
from specnet.report.findings.evidence import Evidence
from specnet.report.findings.finding import Finding
from specnet.report.findings.remedies import other_rate, smaller_weights, usual_weights, zero_biases

MANY_TIMES = 10.0
"""Times the loss of a constant prediction that the loss before any step is too large by."""
FEW_LINES = 6
"""A history of no more lines says nothing of how the loss moves."""
LARGEST_RATE = 0.1
"""Advised where the loss was never finite."""
SWING, LEAST_SWING, LEAST_LEVEL = 0.5, 0.2, 0.05
"""Fractions of its median and of a constant prediction's loss by which a loss that does not settle moves, and of the
latter where its median is at least. Minibatches alone move a small loss by more than half of itself."""
ADAPTIVE_STEP, PLAIN_STEP = 3e-5, 1e-4
"""Sizes of a step relative to the weights below which nothing is learned."""


def large_first_weights(evidence: Evidence) -> Iterator[Finding]:
    """A loss before any step over ten times that of a constant prediction."""
    first, constant = evidence.first_loss, evidence.constant_loss
    if np.isfinite(first) and first <= MANY_TIMES * constant:
        return
    sentence = f"before the first step the loss is {short(first)}; a constant prediction has {short(constant)}"
    usual = {**usual_weights(evidence), **zero_biases(evidence)}
    changes = usual or smaller_weights(evidence) or {"training.clip_norm": 1.0}
    yield Finding("large-first-weights", "error", sentence, changes)


def rate_too_high(evidence: Evidence) -> Iterator[Finding]:
    """A loss that is no longer finite, ends above its start, jumps or never settles, or units that die at once."""
    if not (evidence.has_failed or _ends_high(evidence) or _jumps(evidence) or _is_wild(evidence) or _kills(evidence)):
        return
    if evidence.has_failed and len(evidence.losses) < 2:
        before = f"was {figure(evidence.start)} in epoch 1, and then no longer finite" if len(evidence.losses) else ""
        sentence = f"the loss {before or 'was not finite in the first epoch'}"
        changes = other_rate(evidence, 1 / 100, LARGEST_RATE)
    else:
        last = figure(float(evidence.losses[-1]))
        when = (
            f"in epoch {evidence.epochs[-1]}, before it was no longer finite" if evidence.has_failed else "at the end"
        )
        upwards = percent(_rises(evidence))
        sentence = (
            f"the loss is {figure(evidence.start)} at first and {last} {when}; {upwards} of its changes are upwards"
        )
        changes = other_rate(evidence, 1 / 10)
    yield Finding("rate-too-high", "error", sentence, changes, "" if changes else "take smaller steps")


def rate_too_low(evidence: Evidence) -> Iterator[Finding]:
    """Steps that hardly change the weights, while under half of the constant prediction's loss has been learned."""
    least = ADAPTIVE_STEP if evidence.spec.is_adaptive else PLAIN_STEP
    step = evidence.median_step
    drop = (evidence.start - evidence.end) / max(evidence.start, 1e-12)
    if step is None or step >= least or evidence.learned >= 0.5 or drop >= 0.5 or most_units_are_dead(evidence):
        return
    sentence = (
        f"a step changes the weights by {short(step)} of their size; the loss went from {figure(evidence.start)} "
        f"to {figure(evidence.end)}, a constant prediction has {figure(evidence.constant_loss)}"
    )
    changes = other_rate(evidence, 30)
    yield Finding("rate-too-low", "error", sentence, changes, "" if changes else "take larger steps")


def most_units_are_dead(evidence: Evidence) -> bool:
    """Return whether over 70 % of the units of a hidden layer are dead in the end: nothing else can be told then."""
    return bool(evidence.steps) and max(evidence.of_hidden(evidence.looks[-1], "dead"), default=0.0) > 0.7


def _ends_high(evidence: Evidence) -> bool:
    return evidence.end > 2 * evidence.start and evidence.end > evidence.constant_loss


def _jumps(evidence: Evidence) -> bool:
    """Return whether the loss is over three times its start, or the constant prediction's, in the first tenth."""
    tenth = evidence.losses[: max(2, len(evidence.losses) // 10 + 1)]
    return float(tenth.max()) > 3 * max(evidence.start, evidence.constant_loss)


def _is_wild(evidence: Evidence) -> bool:
    """Return whether the loss still moves far in the last quarter, often upwards."""
    losses, constant = evidence.losses, evidence.constant_loss
    if len(losses) <= FEW_LINES:
        return False
    quarter = losses[-max(3, len(losses) // 4) :]
    middle = float(np.median(quarter))
    most = max(SWING * abs(middle), LEAST_SWING * abs(constant))
    return middle > LEAST_LEVEL * constant and float(np.ptp(quarter)) > most and _rises(evidence) > 0.3


def _kills(evidence: Evidence) -> bool:
    """Return whether many units are dead that were not before a first step which moved the weights far."""
    if not evidence.steps:
        return False
    before, now = (
        max(evidence.of_hidden(look, "dead"), default=0.0) for look in (evidence.looks[0], evidence.looks[-1])
    )
    return now > 0.4 and before < 0.3 and evidence.largest_step(evidence.steps[0]) > 0.3


def _rises(evidence: Evidence) -> float:
    """Return the fraction of changes of the loss that are upwards, in the second half."""
    losses = evidence.losses
    if len(losses) <= FEW_LINES:
        return 0.0
    return float(np.mean(np.diff(losses[len(losses) // 2 :]) > 0))
