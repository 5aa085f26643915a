"""The effect that the remedy of a finding had in runs that were made to go wrong.

``python -m tests.findings 101 102 103 201 202 203`` repeats these runs and prints the effects.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from specnet.findings.finding import Finding


class Effect(NamedTuple):
    """The effect of a remedy on the loss of test rows.

    Attributes
    ----------
    better : int
        Number of runs in which the loss fell.
    runs : int
        Number of runs.
    fall : int
        Median fall of the loss, in percent.
    """

    better: int
    runs: int
    fall: int


EFFECTS = {
    "unscaled-columns": Effect(12, 12, 84),
    "unscaled-target": Effect(12, 12, 99),
    "large-first-weights": Effect(13, 13, 99),
    "rate-too-high": Effect(13, 15, 95),
    "dead-units": Effect(12, 15, 80),
    "saturated-units": Effect(13, 15, 23),
    "equal-units": Effect(12, 12, 49),
    "vanishing-gradients": Effect(11, 11, 76),
    "rate-too-low": Effect(22, 22, 17),
    "too-few-epochs": Effect(74, 74, 47),
    "overfitting": Effect(27, 28, 35),
    "underconfident": Effect(13, 20, 35),
    "underfitting": Effect(39, 43, 86),
}
"""By code, the measured effects; without those of findings that are not about the loss."""
IN_WORDS = {"leakage": "expect a higher loss, which holds for new rows"}
"""Expected effects that no test loss shows."""


def with_effect(finding: Finding) -> Finding:
    """Return a finding with the expected effect of its changes, if it has changes and no measured effect."""
    effect = EFFECTS.get(finding.code)
    if finding.effect or not finding.changes:
        return finding
    if effect is None:
        return replace(finding, effect=IN_WORDS.get(finding.code, ""))
    text = f"in {effect.better} of {effect.runs} experiments with this finding, the change lowered the test loss"
    return replace(finding, effect=f"{text}, by a median of {effect.fall} %")
