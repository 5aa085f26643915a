"""No page scolds a user for following another: each finding has a run whose command is followed, and the next one's."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from specnet.findings import RULES
from specnet.report.next_step import LINEAR
from tests.findings.followed import followed, is_worse
from tests.findings.trials import BAD

WORDS_ONLY = {"shared-rows", "no-signal", "class-imbalance", "low-recall"}
"""Findings whose cases have advice in words; thresholds for classes have a test of their own."""
WORSE_BY_INTENTION = {"leakage"}
"""Findings that announce a higher loss."""


def test_each_finding_has_a_case():
    assert {code for code, _, _ in BAD} == RULES.keys()


@pytest.mark.slow
@pytest.mark.trains
@pytest.mark.parametrize(("code", "cause", "case"), BAD, ids=[f"{code}: {cause}" for code, cause, _ in BAD])
def test_advice_is_followed_by_no_reproach(
    code: str, cause: str, case: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    steps = [*followed(case, 0, tmp_path, capsys.readouterr)]
    assert code in {each.code for each in steps[0].findings} or code in steps[0].shown
    values: dict[str, list[str]] = {}
    for before, after in pairwise(steps):
        assert after.status == 0, after.shown
        acted = [each for each in before.findings if each.changes.keys() <= before.settings.keys()]
        assert not is_worse(before, after) or WORSE_BY_INTENTION & {each.code for each in acted}
        assert after.command != before.command, "the same advice again"
        repeated = {(each.code, each.sentence) for each in acted if each.changes}
        assert not repeated & {(each.code, each.sentence) for each in after.findings}, "what was followed has no effect"
        for key, value in before.settings.items():
            values.setdefault(key, []).append(value)
    for key, found in values.items():
        distinct = [value for number, value in enumerate(found) if value not in found[number - 1 : number]]
        assert len({*distinct}) == len(distinct), f"{key} is changed back: {distinct}"
        if key not in LINEAR and all(re.fullmatch(r"[\d.e-]+", value) for value in distinct):
            numbers = [*map(float, distinct)]
            assert numbers in (sorted(numbers), sorted(numbers, reverse=True)), f"{key} is moved up and down: {numbers}"
    left = [each for each in steps[-1].findings if each.code == code and each.changes]
    assert not left or code in WORDS_ONLY or len(steps) > 1, "advice without a command"
