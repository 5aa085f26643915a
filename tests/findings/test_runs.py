"""Runs that go wrong on purpose are named by their cause, and healthy ones by nothing.

``python -m tests.findings`` says the same for more seeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.findings import RULES
from specnet.findings.expected_effects import EFFECTS
from tests.findings.trials import BAD, HEALTHY, OTHER_SEEDS, SEEN_SEEDS, bad_trials, falls_silent, healthy_codes, run

ROOT = Path(__file__).parents[2]


def test_each_finding_has_a_run_that_it_must_name():
    assert {code for code, _, _ in BAD} == RULES.keys()
    assert len(BAD) >= 30
    assert len(HEALTHY) == 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEN_SEEDS[:1])
def test_causes_are_named_and_most_remedies_help(seed: int):
    trials, effects = bad_trials(seed)
    missed = [bad[:2] for bad, trial in zip(BAD, trials, strict=True) if bad[0] not in trial[0]]
    assert len(missed) <= len(BAD) / 10, missed
    advised = [trial for trial in trials if len(trial) > 1]
    assert sum(map(falls_silent, advised)) >= 0.8 * len(advised)
    # The effects that findings expect, on runs of one seed, of which some have only one.
    measured = {code: found for code, found in effects.items() if code in EFFECTS}
    assert measured.keys() >= EFFECTS.keys() - {"underconfident"}
    falls = [ratio < 1 for found in measured.values() for ratio in found]
    assert np.mean(falls) >= 0.85


OF_CLASSES = {"class-imbalance", "low-recall"}


@pytest.mark.parametrize("held_out", [0.0, 0.2])
@pytest.mark.parametrize(("cause", "case"), [(cause, case) for code, cause, case in BAD if code in OF_CLASSES])
def test_advice_about_classes_is_followed_by_no_complaint_about_it(cause: str, case: dict[str, Any], held_out: float):
    """With validation rows, which choose a threshold, and without."""
    settings, followed = [f"data.split.validation_size={held_out}"], 0
    for seed in SEEN_SEEDS:
        found, loss = run(case, seed, settings)
        for finding in (each for each in found if each.code in OF_CLASSES and each.changes):
            assert finding.changes.keys() == {"training.decision_threshold"}
            assert " rather than " in finding.effect
            after, same = run(case, seed, [*settings, *finding.settings])
            assert {each.code for each in after} <= {each.code for each in found} - OF_CLASSES
            assert same == loss, "a threshold trains nothing"
            followed += 1
    assert (followed > 0) == (cause == "4 % of the rows")


@pytest.mark.slow
@pytest.mark.parametrize("seed", OTHER_SEEDS[:1])
def test_healthy_runs_have_no_findings(seed: int):
    found = [(name, codes) for name, runs in healthy_codes(seed, 5).items() for codes in runs if codes]
    assert len(found) <= 1, found


@pytest.mark.slow
def test_the_reference_run_is_told_what_more_units_and_a_higher_rate_would_do():
    (found,) = specnet.run(ROOT / "specs/moons.toml").findings
    assert found.code == "underfitting"
    assert found.sentence == "85.4 % on training rows; nearest neighbours reach 100.0 % on test rows"
    assert found.remedy == "network.layer_sizes = [2, 16, 1], training.optimizer.learning_rate = 0.3"
    better = specnet.run(ROOT / "specs/moons.toml", overrides=found.settings)
    assert better.findings == ()
    assert better.metrics["train"]["loss"] == pytest.approx(0.045, abs=5e-4)
    assert better.metrics["test"]["accuracy"] == 1.0
