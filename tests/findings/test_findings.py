"""Each finding by itself, on evidence made by hand: just on this side of its threshold, and just on the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from specnet.data import Labels
from specnet.findings import RULES, Evidence, Finding, judge
from specnet.findings.finding import read_finding
from tests.findings.boundaries import BOUNDARIES
from tests.findings.made import (
    FLAT,
    HALF,
    HELD_ROWS,
    LINES,
    NORMAL,
    RNG,
    ROWS,
    codes,
    columns,
    confident,
    dying,
    ending,
    evidence,
    failed,
    found_by,
    gained,
    gapped,
    giving,
    held,
    jumping,
    looks,
    network,
    out_of_fold,
    starting,
    unfolded,
    values,
    wild,
)


def judged(given: Evidence) -> tuple[Finding, ...]:
    return judge(given).findings


@pytest.mark.parametrize("place", range(len(BOUNDARIES)), ids=lambda place: f"{BOUNDARIES[place][0]}-{place}")
def test_a_finding_is_found_on_one_side_of_its_threshold_only(place: int):
    code, there, not_there = BOUNDARIES[place]
    assert codes(found_by(code, there)) == [code]
    assert found_by(code, not_there) == []


def test_each_finding_has_a_boundary_and_a_name_of_its_own():
    assert len(RULES) == 19
    assert {code for code, _, _ in BOUNDARIES} == RULES.keys()


def test_what_explains_a_finding_comes_before_it():
    earlier = set[str]()
    for code, (_, unless) in RULES.items():
        assert unless <= earlier
        earlier.add(code)


def test_a_healthy_run_has_no_findings():
    assert judged(evidence()) == judged(values()) == ()


def test_a_rare_class_without_held_rows_is_said_to_have_none():
    target = np.repeat([0, 1], [ROWS - 10, 10])
    (found,) = found_by("class-imbalance", evidence(target=target, held=held(target=np.zeros(HELD_ROWS, int))))
    assert found.sentence.endswith("of the training rows, and none of the test rows is of it")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (ending(2.1), "the loss is 1.0000 at first and 2.1000 at the end; a constant prediction has 0.6931"),
        (jumping(9, 3.5), "the loss jumps from 1.0000 to 3.5000 in epoch 10 and ends at "),
        (wild(0.6, 0.3), "in the last quarter of its history the loss moves between 0.2100 and 0.3900; "),
        (
            dying(0.5, 0.1, 0.4),
            "the first step changes the weights of a layer by 0.4 of their size, and in the end 50.0",
        ),
    ],
)
def test_a_rate_that_is_too_high_is_told_by_what_it_did(given: Evidence, told: str):
    (found,) = found_by("rate-too-high", given)
    assert found.sentence.startswith(told)


THREE = network(training={"loss": "categorical_crossentropy"})


@pytest.mark.parametrize("count", [0, 1])
def test_no_setting_is_advised_for_a_class_with_a_single_training_row_or_none(count: int):
    given = evidence(
        network=THREE,
        labels=Labels(np.array(["a", "b", "c"])),
        target=np.repeat([0, 1, 2], [ROWS // 2, ROWS // 2 - count, count]),
        held=held(target=np.repeat([0, 1, 2], [48, 48, 4]), prediction=np.zeros(HELD_ROWS, int)),
    )
    assert found_by("class-imbalance", given) == []


def test_a_number_that_classes_share_does_not_give_them_away():
    """Each class has a number of its own in the first table, and two of three share one in the other."""
    target = np.arange(ROWS) % 3
    noise = RNG.normal(size=ROWS)
    for numbers, expected in [([0.0, 1.0, 2.0], ["leakage"]), ([0.0, 1.0, 1.0], [])]:
        cells = np.column_stack([np.take(numbers, target), noise])
        given = evidence(network=THREE, kinds=columns("a", "b"), cells=cells, target=target)
        assert codes(found_by("leakage", given)) == expected


@pytest.mark.parametrize(
    ("training", "whose"), [({}, "the validation loss"), ({"ensemble": 5}, "the first member's validation loss")]
)
def test_overfitting_says_whose_validation_loss_rises(training: dict[str, int], whose: str):
    (found,) = found_by("overfitting", gapped(0.98, 0.8, 0.4, 0.47, network=network(training=training)))
    assert f"; {whose} was least (0.4000) at epoch 51" in found.sentence


def test_overfitting_of_an_ensemble_is_found_out_of_fold():
    (found,) = found_by("overfitting", unfolded(0.83, 0.53))
    assert found.sentence == "83.0 % on training rows, 53.0 % on these rows out of fold"
    assert found.changes == {"training.l2": 0.003}
    (both,) = found_by("overfitting", unfolded(0.83, 0.53, held=held(0.55, 0.4)))
    assert both.sentence.endswith("53.0 % on these rows out of fold and 55.0 % on test rows")
    beyond = values(train_score=0.9, held=None, out_of_fold=out_of_fold(0.59, 400.0))
    assert codes(found_by("overfitting", beyond)) == ["overfitting"]


def test_probabilities_that_are_off_are_told_beside_what_is_right():
    (found,) = judged(confident(-0.19, held=held(0.9, overconfidence=(-0.19, 0.02))))
    assert found.code == "underconfident"
    assert found.sentence == "the mean probability of the predicted class is 71.0 %; 90.0 % of the test rows are right"
    assert not found.changes
    assert found.words == 'set training.calibration = "temperature", which needs validation rows'
    (watched,) = judged(confident(-0.19, held_losses=np.geomspace(HALF, 0.1, LINES)))
    assert watched.changes == {"training.calibration": "temperature"}
    calibrated = network(training={"calibration": "temperature"})
    assert not found_by("underconfident", confident(-0.19, network=calibrated))[0].changes


NEEDS_HELD = ("leakage", "shared-rows", "class-imbalance", "no-signal", "overfitting", "underfitting", "overconfident")
NEEDS_STEPS = ("dead-units", "saturated-units", "equal-units", "rate-too-low")


def test_tests_are_counted_that_had_something_to_test():
    """A target of classes needs no scaling, and one hidden layer does not make gradients vanish."""
    tests = len(RULES) - len(("unscaled-target", "vanishing-gradients"))
    assert judge(confident(0.0)).tests == tests
    tests -= len((*NEEDS_HELD, "underconfident"))
    assert judge(evidence(held=None)).tests == tests
    assert judge(evidence(held=None, looks=looks()[:1])).tests == tests - len(NEEDS_STEPS)
    silenced = ("rate-too-high", "dead-units", "saturated-units", "rate-too-low", "too-few-epochs")
    assert judge(starting(99.0, held=None)).tests == tests - len(silenced)
    assert judge(evidence(losses=[])) == ((), 0)


def test_values_have_their_own_thresholds():
    error = 1.4 / np.sqrt(HELD_ROWS)

    def unlearned(neighbours: float) -> Evidence:
        return values(held=held(0.0, 0.0, 0.0, neighbours, gains=gained()))

    for code, there, not_there in [
        ("no-signal", unlearned(1.9 * error), unlearned(2.1 * error)),
        ("overfitting", values(train_score=0.91, held=held(0.6, 0.0)), values(train_score=0.89, held=held(0.6, 0.0))),
        ("underfitting", values(train_score=0.3, held=held(0.3, 0.0)), values(train_score=0.71, held=held(0.3, 0.0))),
    ]:
        assert codes(found_by(code, there)) == [code]
        assert found_by(code, not_there) == []


CAUSES = {
    "unscaled-columns": {"kinds": columns("a"), "cells": NORMAL[:, :1], "inputs": NORMAL * 1e4},
    "large-first-weights": {"first_loss": 100.0, "losses": np.full(LINES, 2 * HALF)},
    "rate-too-high": {"losses": np.linspace(1.0, 9.0, LINES)},
    "equal-units": {"looks": looks(last={"parallel": 1.0})},
    "class-imbalance": {"target": np.repeat([0, 1], [190, 10]), "held": held(prediction=np.zeros(HELD_ROWS, int))},
}
SYMPTOMS = {
    "dead-units": {"looks": looks(last={"dead": 0.9, "parallel": 1.0})},
    "too-few-epochs": {"losses": np.linspace(1.0, 0.5, LINES)},
    "underfitting": {"train_score": 0.5, "losses": FLAT},
}


@pytest.mark.parametrize(
    ("cause", "symptom", "is_told"),
    [
        ("unscaled-columns", "dead-units", False),
        ("unscaled-columns", "underfitting", False),
        ("large-first-weights", "dead-units", False),
        ("rate-too-high", "dead-units", False),
        ("equal-units", "dead-units", True),
        ("equal-units", "underfitting", False),
        ("class-imbalance", "too-few-epochs", False),
        ("class-imbalance", "underfitting", False),
    ],
)
def test_a_cause_silences_its_symptoms(cause: str, symptom: str, is_told: bool):
    poor = {"held": held(0.6, linear=0.95, neighbours=0.95)} if symptom != "dead-units" else {}
    assert symptom in codes(found_by(symptom, evidence(**poor | SYMPTOMS[symptom])))
    both = codes(judged(evidence(**poor | SYMPTOMS[symptom] | CAUSES[cause])))
    if cause == "equal-units" and symptom == "dead-units":
        both = codes(judged(evidence(**SYMPTOMS[symptom])))
    assert cause in both
    assert (symptom in both) == is_told


def test_units_that_are_mostly_dead_explain_what_came_out():
    poor = {"train_score": 0.5, "held": held(0.5, linear=0.95, neighbours=0.95), "losses": FLAT}
    assert codes(judged(evidence(**poor, looks=looks(last={"dead": 0.71})))) == ["dead-units"]
    assert codes(judged(evidence(**poor, looks=looks(last={"dead": 0.69})))) == ["dead-units", "underfitting"]


def test_a_run_without_rows_held_out_or_baselines_is_judged_by_its_training():
    poor = {"train_score": 0.5, "losses": FLAT}
    assert judged(evidence(**poor, held=None)) == ()
    assert judged(evidence(**poor, held=held(0.5, baselines={}))) == ()
    assert codes(judged(starting(99.0, train_score=0.5, held=None))) == ["large-first-weights"]


def test_a_failed_run_without_any_history_is_judged():
    nothing = failed()
    (found,) = judged(nothing)
    assert (found.code, found.changes) == ("rate-too-high", {"training.optimizer.learning_rate": 0.0001})
    assert found.sentence == "the loss was not finite in the first epoch"
    (found,) = judged(replace(nothing, first_loss=1e9))
    assert found.code == "large-first-weights"
    (found,) = judged(replace(nothing, inputs=NORMAL * 1e6))
    assert found.code == "unscaled-columns"


def test_a_category_and_missing_cells_give_nothing_away_by_their_numbers():
    target = np.arange(ROWS) % 2
    cells = np.column_stack([target + 0.01 * RNG.normal(size=ROWS), RNG.normal(size=ROWS)])
    cells[::7, 0] = np.nan
    given: dict[str, Any] = {"target": target, "cells": cells}
    numbers, category = {"kinds": columns("a", "b")}, {"kinds": columns("a", "b", category="a")}
    assert codes(found_by("leakage", evidence(**numbers, **given))) == []  # the missing cells lie in the middle
    cells[::7, 0] = target[::7]
    assert codes(found_by("leakage", evidence(**numbers, **given))) == ["leakage"]
    assert found_by("leakage", evidence(**category, **given)) == []


def test_a_sentence_begins_with_a_word_and_not_with_a_name_which_a_page_would_change():
    given = giving(0.005)
    (found,) = found_by("leakage", given)
    assert found.sentence.startswith(f"column {given.column_names[0]} determines the target")


def test_names_stand_in_sentences_as_they_are():
    cells = NORMAL.copy()
    cells[:, 0] = 1
    given = evidence(kinds=columns('<b>&"]]>', "b", "c"), cells=cells)
    (found,) = found_by("constant-column", given)
    assert found.sentence.startswith('column <b>&"]]>: ')


def test_a_finding_is_plain_data():
    finding = Finding("too-few-epochs", "warning", "…", {"training.epochs": 500, "training.l2": 0.1}, "or none; at all")
    assert finding.settings == ["training.epochs = 500", "training.l2 = 0.1"]
    assert finding.remedy == "training.epochs = 500, training.l2 = 0.1; or none; at all"
    assert read_finding(finding.as_dict()) == finding


@pytest.mark.parametrize("changes", [{}, {"training.epochs": 500}, {"training.epochs": 500, "training.l2": 0.1}])
@pytest.mark.parametrize("words", ["", "or dropout"])
def test_a_finding_of_an_earlier_version_has_its_words_in_the_remedy_only(changes: dict[str, float], words: str):
    finding = Finding("overfitting", "warning", "…", changes, words)
    record = finding.as_dict()
    del record["words"]
    assert read_finding(record) == finding
