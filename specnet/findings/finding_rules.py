"""All findings in their order, and which of them keep others from being looked for.

Some causes have many consequences: a finding is not looked for where one of those before it already explains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from specnet.findings import data_findings, result_findings, step_findings
from specnet.findings.evidence import Evidence, UntestableError
from specnet.findings.finding import Finding

Find = Callable[[Evidence], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """How a finding is found.

    Attributes
    ----------
    code : str
    find : callable
        Yields the findings of that code in the evidence; raises `UntestableError` where there is nothing to test.
    unless : frozenset of str
        Codes that explain it, of rules before this one.
    """

    code: str
    find: Find
    unless: frozenset[str] = frozenset()


UNSCALED = frozenset({"unscaled-columns", "unscaled-target"})
UNSTABLE = UNSCALED | {"large-first-weights", "rate-too-high"}
STUCK = UNSTABLE | {"saturated-units", "equal-units", "vanishing-gradients"}
WITHOUT_ANSWER = STUCK | {"rate-too-low", "class-imbalance", "no-signal"}
UNFINISHED = WITHOUT_ANSWER | {"too-few-epochs"}

RULES = (
    Rule("constant-column", data_findings.constant_column),
    Rule("unscaled-columns", data_findings.unscaled_columns),
    Rule("unscaled-target", data_findings.unscaled_target),
    Rule("leakage", data_findings.leakage),
    Rule("shared-rows", data_findings.shared_rows),
    Rule("large-first-weights", step_findings.large_first_weights, UNSCALED),
    Rule("rate-too-high", step_findings.rate_too_high, UNSCALED | {"large-first-weights"}),
    Rule("dead-units", step_findings.dead_units, UNSTABLE),
    Rule("saturated-units", step_findings.saturated_units, UNSTABLE),
    Rule("equal-units", step_findings.equal_units, UNSCALED),
    Rule("vanishing-gradients", step_findings.vanishing_gradients, UNSCALED),
    Rule("rate-too-low", step_findings.rate_too_low, STUCK),
    Rule("class-imbalance", result_findings.class_imbalance, UNSCALED),
    Rule("no-signal", result_findings.no_signal, UNSCALED | {"class-imbalance"}),
    Rule("too-few-epochs", result_findings.too_few_epochs, WITHOUT_ANSWER),
    Rule("overfitting", result_findings.overfitting, UNSTABLE),
    Rule("underfitting", result_findings.underfitting, UNFINISHED | {"overfitting"}),
    Rule("overconfident", result_findings.overconfident, UNFINISHED),
    Rule("underconfident", result_findings.underconfident, UNFINISHED),
)


class Judgement(NamedTuple):
    """What is wrong with a run.

    Attributes
    ----------
    findings : tuple of Finding
        Causes before consequences.
    tests : int or None
        How many rules had something to test; None where that was not recorded.
    """

    findings: tuple[Finding, ...]
    tests: int | None


def judge(evidence: Evidence) -> Judgement:
    """Return what is wrong with a run: nothing, by no test, if it ended before its first epoch did."""
    found: list[Finding] = []
    if not len(evidence.losses) and not evidence.has_failed:
        return Judgement((), 0)
    codes, tests = set[str](), 0
    for rule in RULES:
        if rule.unless.isdisjoint(codes):
            with suppress(UntestableError):
                more = list(rule.find(evidence))
                tests += 1
                found += more
                codes |= {each.code for each in more}
    return Judgement(tuple(found), tests)
