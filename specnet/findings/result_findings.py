"""Findings about results: scores of the network on each split, compared with simple predictors."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from specnet.findings.class_findings import rare_class
from specnet.findings.evidence import Evidence, UntestableError
from specnet.findings.finding import Changes, Finding, fewer_units, more_units, other_rate
from specnet.number_texts import figure, metric, percent
from specnet.parts.watchers import LOSS

MOST_HIDDEN = 0.25
"""Largest gain of a simple predictor that chance may hide, as a fraction of the constant prediction's loss."""
LONG_HISTORY = 20
"""Least number of lines of a history whose last tenth is examined; of a shorter one, the last line is."""
FIRST_PENALTY, LARGEST_PENALTY = 0.003, 0.03
"""Factor of the L2 penalty that is advised first, and the factor from which on fewer units are advised instead."""
LEAST_EXCESS = 0.05
"""Least reported difference between the mean probability of the predicted class and the accuracy."""
LEAST_GAP, LEAST_R2_GAP = 0.03, 0.05
"""Least difference of two accuracies, and of two R², that counts, however many rows there are."""
ERRORS_WHILE_RISING, GAP_WHILE_RISING = 3.0, 0.05
"""Overfitting, if the validation loss rises too: the score on training rows is higher than on other rows by this number
of standard errors, and by at least this gap. The standard error of an R² is half the result of `_error`, which is
made for an R² near 0."""
ERRORS, GAP, R2_GAP = 4.0, 0.15, 0.3
"""The same if the validation loss does not rise. The gap is larger: a network always fits its training rows better."""
SMALL_STEP = 1e-3
"""A step of this size, relative to the weights, allows a larger learning rate."""


def no_signal(evidence: Evidence) -> Iterator[Finding]:
    """Neither the network nor a simple predictor is better than a constant prediction, by score and by loss.

    Not reported if a class is rare: its few rows are no evidence.
    """
    unseen = evidence.known_unseen
    if unseen.simple is None:
        raise UntestableError
    if not has_no_signal(evidence) or rare_class(evidence) is not None:
        return
    names = [name for name in ("linear", "neighbours") if name in unseen.baselines]
    others = ", ".join(f"{name} {_score(evidence, unseen.baselines[name])}" for name in names)
    gain, error = unseen.gains["network"]
    sentence = (
        f"{_score(evidence, unseen.score)} on {unseen.name} rows; a constant prediction "
        f"{_score(evidence, unseen.baselines['constant'])}, {others}; the network's loss is "
        f"{figure(abs(gain))} ± {figure(2 * error)} {'below' if gain > 0 else 'above'} the constant's"
    )
    words = "check that each target belongs to its row, and that the columns can tell it"
    yield Finding("no-signal", "error", sentence, {}, words)


def has_no_signal(evidence: Evidence) -> bool:
    """Return whether network and simple predictors are no better than a constant prediction.

    Their scores are within max(2e, 0.02) of its score, with the standard error e. No loss is smaller by more than
    chance explains: an accuracy near the share of the largest class is no evidence. Neither are few rows, among which
    chance may hide a large gain.
    """
    unseen = evidence.unseen
    if unseen is None or unseen.simple is None or "constant" not in unseen.baselines:
        return False
    hidden = max((gain + 2 * error for name, (gain, error) in unseen.gains.items() if name != "network"), default=0.0)
    if any(gain > 2 * error for gain, error in unseen.gains.values()) or hidden > MOST_HIDDEN * evidence.constant_loss:
        return False
    constant, most = unseen.baselines["constant"], max(2 * _error(evidence, unseen.independent_rows), 0.02)
    return unseen.simple[1] - constant < most and unseen.score - constant < most


def too_few_epochs(evidence: Evidence) -> Iterator[Finding]:
    """A loss that still falls, while the network is behind a simple predictor or has learned little."""
    still, validation_losses = _still_falls(evidence), evidence.validation_losses
    minimum, part = (0.01, "tenth") if len(evidence.losses) >= LONG_HISTORY else (0.05, "line")
    validation_falls = (
        validation_losses is None
        or len(validation_losses) < 3
        or validation_losses[-1] <= validation_losses.min() * 1.02
    )
    if evidence.most_units_are_dead or not validation_falls or evidence.end <= 0.02 * evidence.constant_loss:
        return
    if still > minimum and (_is_behind(evidence) or evidence.learned < 0.3):
        sentence = f"the loss still fell by {percent(still)} in the last {part} of its history"
        yield Finding(
            "too-few-epochs", "warning", sentence, {"training.epochs": evidence.network.spec.training.epochs * 5}
        )


def overfitting(evidence: Evidence) -> Iterator[Finding]:
    """A validation loss that rises again, or a score on training rows not reached on rows held out or out of fold."""
    unseen, folds, train = evidence.unseen, evidence.out_of_fold, evidence.train_score
    others = [] if folds is None else [("these rows out of fold", folds.score, folds.independent_rows)]
    others += [] if unseen is None else [(f"{unseen.name} rows", unseen.score, unseen.independent_rows)]
    if train is None or not others:
        raise UntestableError
    rises = _validation_loss_rises(evidence)
    worse = [
        f"{_score(evidence, score)} on {rows}"
        for rows, score, count in others
        if train - score > _usual_gap(evidence, count, is_rising=rises)
    ]
    if not worse or has_no_signal(evidence):
        return
    sentence = f"{_score(evidence, train)} on training rows, {' and '.join(worse)}"
    losses = evidence.validation_losses
    if losses is not None and rises:
        best = int(np.argmin(losses))
        whose = "the" if evidence.written("training", "ensemble") is None else "the first member's"
        least_loss = f"{whose} validation loss was least ({figure(losses[best])}) at epoch {evidence.epochs[best]}"
        sentence += f"; {least_loss} and ended at {figure(losses[-1])}"
    yield Finding("overfitting", "warning", sentence, *_against_overfitting(evidence))


def underfitting(evidence: Evidence) -> Iterator[Finding]:
    """A simple predictor that is better than the network, even on the rows that this was trained on."""
    unseen, train = evidence.known_unseen, evidence.train_score
    if train is None or unseen.simple is None:
        raise UntestableError
    if has_no_signal(evidence) or evidence.most_units_are_dead:
        return
    words, simple = unseen.simple
    margin = max(2 * math.sqrt(_row_variance(evidence, simple) / unseen.independent_rows), _least_gap(evidence))
    if simple - train > margin and _is_behind(evidence):
        sentence = (
            f"{_score(evidence, train)} on training rows; {words} {_score(evidence, simple)} on {unseen.name} rows"
        )
        changes = dict(more_units(evidence))
        if evidence.median_step is not None and evidence.median_step < SMALL_STEP:
            changes |= other_rate(evidence, 100)
        yield Finding("underfitting", "warning", sentence, changes, "" if changes else "more units or layers")


def overconfident(evidence: Evidence) -> Iterator[Finding]:
    """Probabilities that are higher than the predictions are right."""
    yield from _miscalibrated(evidence, "overconfident", 1)


def underconfident(evidence: Evidence) -> Iterator[Finding]:
    """Probabilities that are lower than the predictions are right."""
    yield from _miscalibrated(evidence, "underconfident", -1)


def _miscalibrated(evidence: Evidence, code: str, sign: int) -> Iterator[Finding]:
    """Yield a finding if confidence is too high (sign 1) or low (−1) by over 3 standard errors and 5 %."""
    unseen = evidence.known_unseen
    if unseen.overconfidence is None:
        raise UntestableError
    excess, error = unseen.overconfidence
    if sign * excess > max(3 * error, LEAST_EXCESS):
        confidence, right = percent(unseen.score + excess), percent(unseen.score)
        sentence = (
            f"the mean probability of the predicted class is {confidence}; {right} of the {unseen.name} rows are right"
        )
        yield Finding(code, "warning", sentence, *_calibrated(evidence))


def _calibrated(evidence: Evidence) -> tuple[Changes, str]:
    """Return changes that calibrate the probabilities, and advice in words."""
    if evidence.written("training", "calibration") is not None:
        return {}, "collect more rows, or change the loss function"
    has_rows = evidence.validation_losses is not None or evidence.out_of_fold is not None
    changes = {"training.calibration": "temperature"}
    return (changes, "") if has_rows else ({}, 'set training.calibration = "temperature", which needs validation rows')


def _against_overfitting(evidence: Evidence) -> tuple[Changes, str]:
    """Return changes against overfitting, and further advice in words."""
    if evidence.validation_losses is not None and evidence.written("training", "early_stopping") is None:
        return {"training.early_stopping": True}, "or try dropout, or fewer units"
    strength = evidence.written("training", "l2") or 0.0
    fewer = fewer_units(evidence) if strength >= LARGEST_PENALTY else {}
    return fewer or {"training.l2": float(f"{max(10 * strength, FIRST_PENALTY):.2g}")}, "or try dropout"


def _score(evidence: Evidence, value: float) -> str:
    return percent(value) if evidence.has_classes else f"R² {metric('r2', value)}"


def _error(evidence: Evidence, rows: float) -> float:
    """Return the standard error of a score on n rows: of the constant prediction's accuracy, or 1.4/√n for R²."""
    if not evidence.has_classes:
        return 1.4 / math.sqrt(rows)
    constant = 0.5 if evidence.unseen is None else evidence.unseen.baselines.get("constant", 0.5)
    return math.sqrt(max(constant * (1 - constant), 1e-3) / rows)


def _usual_gap(evidence: Evidence, rows: float, *, is_rising: bool) -> float:
    """Return the largest usual difference between the score on training rows and the score on other rows.

    It is smaller if the validation loss rises, which is evidence of overfitting by itself.
    """
    error = _error(evidence, rows)
    if not evidence.has_classes:
        return max(ERRORS_WHILE_RISING * error / 2, GAP_WHILE_RISING) if is_rising else R2_GAP
    return max(ERRORS_WHILE_RISING * error, GAP_WHILE_RISING) if is_rising else max(ERRORS * error, GAP)


def _least_gap(evidence: Evidence) -> float:
    return LEAST_GAP if evidence.has_classes else LEAST_R2_GAP


def _row_variance(evidence: Evidence, score: float) -> float:
    """Return the variance of a score on one row: 1 for R²; p(1 − p) for an accuracy, with p from 2 % to 98 %."""
    if not evidence.has_classes:
        return 1.0
    inner = min(max(score, 0.02), 0.98)
    return inner * (1 - inner)


def _is_behind(evidence: Evidence) -> bool:
    """Return whether a simple predictor is better than the network on held-out rows, by more than chance explains."""
    unseen = evidence.unseen
    if unseen is None or unseen.simple is None:
        return False
    variance = _row_variance(evidence, unseen.simple[1]) + _row_variance(evidence, unseen.score)
    return unseen.simple[1] - unseen.score > max(
        2 * math.sqrt(variance / unseen.independent_rows), _least_gap(evidence)
    )


def _still_falls(evidence: Evidence) -> float:
    """Return the relative decrease of the loss over the last tenth of the history, or its last line if it is short."""
    losses, end = evidence.losses, max(evidence.end, 1e-12)
    if len(losses) < 2:
        return 0.0
    if len(losses) < LONG_HISTORY:
        return float((losses[-2] - losses[-1]) / max(losses[-1], 1e-12))
    tenth = losses[-max(2, len(losses) // 10) :]
    return float((tenth[0] - tenth[-1]) / (len(tenth) - 1) * len(tenth) / end)


def _validation_loss_rises(evidence: Evidence) -> bool:
    """Return whether the validation loss was least before 80 % of the history and ends clearly above its minimum.

    It is false if the weights of the best epoch are restored: later epochs do not count then.
    """
    losses, stopping = evidence.validation_losses, evidence.network.spec.training.early_stopping
    restores = stopping is not None and stopping.restore_best and stopping.monitor != LOSS
    if losses is None or len(losses) <= 5 or restores:
        return False
    best = int(losses.argmin())
    least, last = float(losses[best]), float(losses[-1])
    return best < 0.8 * len(losses) and last > 1.15 * least and last - least > 0.05 * evidence.constant_loss
