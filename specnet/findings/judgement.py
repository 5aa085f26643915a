"""All rules in order, and the earlier findings after which a rule is skipped.

Some causes have many consequences: a rule is skipped if an earlier finding already explains its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from specnet.findings import class_findings, data_findings, result_findings, step_findings
from specnet.findings.evidence import Evidence, UntestableError
from specnet.findings.expected_effects import with_effect
from specnet.findings.finding import Finding

Find = Callable[[Evidence], Iterator[Finding]]
"""Yields the findings of one rule, given evidence; raises `UntestableError` if there is nothing to test."""

UNSCALED = frozenset({"unscaled-columns", "unscaled-target"})
UNSTABLE = UNSCALED | {"large-first-weights", "rate-too-high"}
STUCK = UNSTABLE | {"saturated-units", "equal-units", "vanishing-gradients"}
WITHOUT_ANSWER = STUCK | {"rate-too-low", "class-imbalance", "no-signal"}
UNFINISHED = WITHOUT_ANSWER | {"too-few-epochs"}

RULES: dict[str, tuple[Find, frozenset[str]]] = {
    "constant-column": (data_findings.constant_column, frozenset()),
    "unscaled-columns": (data_findings.unscaled_columns, frozenset()),
    "unscaled-target": (data_findings.unscaled_target, frozenset()),
    "leakage": (data_findings.leakage, frozenset()),
    "shared-rows": (data_findings.shared_rows, frozenset()),
    "large-first-weights": (step_findings.large_first_weights, UNSCALED),
    "rate-too-high": (step_findings.rate_too_high, UNSCALED | {"large-first-weights"}),
    "dead-units": (step_findings.dead_units, UNSTABLE),
    "saturated-units": (step_findings.saturated_units, UNSTABLE),
    "equal-units": (step_findings.equal_units, UNSCALED),
    "vanishing-gradients": (step_findings.vanishing_gradients, UNSCALED),
    "rate-too-low": (step_findings.rate_too_low, STUCK),
    "class-imbalance": (class_findings.class_imbalance, UNSCALED),
    "no-signal": (result_findings.no_signal, UNSCALED | {"class-imbalance"}),
    "low-recall": (class_findings.low_recall, STUCK | {"rate-too-low", "no-signal"}),
    "too-few-epochs": (result_findings.too_few_epochs, WITHOUT_ANSWER),
    "overfitting": (result_findings.overfitting, UNSTABLE),
    "underfitting": (result_findings.underfitting, UNFINISHED | {"overfitting"}),
    "overconfident": (result_findings.overconfident, UNFINISHED),
    "underconfident": (result_findings.underconfident, UNFINISHED),
}
"""By code: the function that yields the findings, and the codes of earlier findings after which it is skipped."""


class Judgement(NamedTuple):
    """The findings about a run.

    Attributes
    ----------
    findings : tuple of Finding
        Causes before consequences.
    tests : int or None
        Number of rules that had something to test; None if it was not recorded.
    """

    findings: tuple[Finding, ...]
    tests: int | None


def judge(evidence: Evidence) -> Judgement:
    """Return the findings about a run; a run that ended in its first epoch is not tested."""
    found: list[Finding] = []
    if not len(evidence.losses) and not evidence.has_failed:
        return Judgement((), 0)
    codes, tests = set[str](), 0
    for find, unless in RULES.values():
        if unless.isdisjoint(codes):
            with suppress(UntestableError):
                more = [*map(with_effect, find(evidence))]
                tests += 1
                found += more
                codes |= {each.code for each in more}
    return Judgement(tuple(found), tests)
