"""Each finding by itself, on evidence made by hand: on both sides of its threshold, and what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from specnet.data import Labels
from specnet.findings import RULES, Evidence, Finding, judge
from specnet.findings.finding import read_finding
from tests.findings import made
from tests.findings.made import (
    codes,
    columns,
    confident,
    evidence,
    found_by,
    network,
    records,
    unfolded,
    unseen,
    values,
)

THREE = network(training={"loss": "categorical_crossentropy"})


def judged(given: Evidence) -> tuple[Finding, ...]:
    return judge(given).findings


@pytest.mark.parametrize("place", range(len(made.BOUNDARIES)), ids=lambda place: f"{made.BOUNDARIES[place][0]}-{place}")
def test_a_finding_is_found_on_one_side_of_its_threshold_only(place: int):
    code, there, not_there = made.BOUNDARIES[place]
    assert codes(found_by(code, there)) == [code]
    assert found_by(code, not_there) == []


@pytest.mark.parametrize(("code", "given", "changes"), made.REMEDIES, ids=range(len(made.REMEDIES)))
def test_a_remedy_is_settings_of_the_spec_as_it_was_written(code: str, given: Evidence, changes: dict[str, Any]):
    (found,) = found_by(code, given)
    assert found.changes == changes
    assert found.remedy
    for path in changes:
        assert f"{path} = " in found.remedy


def test_each_finding_has_a_boundary_and_comes_after_what_explains_it():
    assert len(RULES) == 20
    assert {code for code, _, _ in made.BOUNDARIES} == RULES.keys()
    earlier = set[str]()
    for code, (_, unless) in RULES.items():
        assert unless <= earlier
        earlier.add(code)


def test_a_healthy_run_has_no_findings():
    assert judged(evidence()) == judged(values()) == ()


def rising(**training: Any) -> Evidence:
    return made.gapped(0.98, 0.8, 0.4, 0.47, network=network(training=training))


NO_UNSEEN = {
    "target": np.repeat([0, 1], [made.ROWS - 10, 10]),
    "unseen": unseen(target=np.zeros(made.UNSEEN_ROWS, int)),
}
MARKUP = {"kinds": columns('<b>&"]]>', "b", "c"), "cells": made.NORMAL * [0.0, 1.0, 1.0]}
SENTENCES = [
    ("rate-too-high", made.ending(2.1), "the loss is 1.000 at first and 2.100 at the end; a constant prediction has "
     "0.6931"),
    ("rate-too-high", made.jumping(9, 3.5), "the loss jumps from 1.000 to 3.500 in epoch 10 and ends at "),
    ("rate-too-high", made.wild(0.6, 0.3), "in the last quarter of its history the loss moves between 0.2100 and "
     "0.3900; "),
    ("rate-too-high", made.dying(0.5, 0.1, 0.4), "the first step changes the weights of a layer by 0.4 of their size, "
     "and in the end 50.0"),
    ("class-imbalance", evidence(**NO_UNSEEN), "of the training rows, and none of the test rows is of it"),
    ("class-imbalance", made.rare(10, 0), "the network never predicts it: 0 of 10 test rows found"),
    ("class-imbalance", made.rare(10, 1), "1 of its 10 test rows is found"),
    ("low-recall", made.weather(1, fog=4), "of the test rows, 4 of 20 fog are found (mistaken most often for rain), "
     "1 of 11 drizzle are found (mistaken most often for rain)"),
    ("low-recall", made.weather(0),
     "0 of 11 drizzle are found, which is never predicted (mistaken most often for rain)"),
    ("overfitting", rising(), "; the validation loss was least (0.4000) at epoch 51"),
    ("overfitting", rising(ensemble=5), "; the first member's validation loss was least (0.4000) at epoch 51"),
    ("overfitting", unfolded(0.83, 0.53), "83.0 % on training rows, 53.0 % on these rows out of fold"),
    ("overfitting", unfolded(0.83, 0.53, unseen=unseen(0.55, 0.4)), "53.0 % on these rows out of fold and 55.0 % on "
     "test rows"),
    ("overfitting", values(train_score=0.9, unseen=None, out_of_fold=made.out_of_fold(0.59, 400.0)), " out of fold"),
    ("underconfident", confident(-0.19, unseen=unseen(0.9, overconfidence=(-0.19, 0.02))), "the mean probability of "
     "the predicted class is 71.0 %; 90.0 % of the test rows are right"),
    ("leakage", made.giving(0.005), "column a determines the target"),
    ("constant-column", evidence(**MARKUP), 'column <b>&"]]>: '),
]  # fmt: skip
"""The code, evidence in which it is found, and a part of what is said; pages would change a name at the beginning."""


@pytest.mark.parametrize(("code", "given", "text"), SENTENCES, ids=range(len(SENTENCES)))
def test_a_finding_says_what_was_seen(code: str, given: Evidence, text: str):
    (found,) = found_by(code, given)
    assert text in found.sentence
    assert code not in ("rate-too-high", "leakage", "constant-column") or found.sentence.startswith(text)


RARE = np.repeat([0, 1], [made.ROWS - 10, 10])


def test_a_threshold_is_chosen_on_rows_out_of_training_and_measured_on_test_rows():
    """Its F1 is the largest of scikit-learn's, over all thresholds; the effect counts test rows."""
    chooses, measures = made.with_probabilities("validation"), made.with_probabilities("test", seed=1)
    for rows in ({"unseen": chooses}, {"out_of_fold": replace(chooses, name="out_of_fold"), "unseen": measures}):
        (found,) = found_by("class-imbalance", evidence(target=RARE, test=measures, **rows))
        threshold = found.changes["training.decision_threshold"]
        scores = [f1_score(chooses.target, chooses.second >= each) for each in np.unique(chooses.second)]
        assert f1_score(chooses.target, chooses.second >= threshold) >= max(scores) - 0.03, "of two digits only"
        hits, alarms = (int((measures.second[measures.target == kind] >= threshold).sum()) for kind in (1, 0))
        assert f"finds {hits} of 20 yes rather than 0, at {alarms} false alarm" in found.effect
        assert found.effect.startswith("on 200 test rows")
        assert read_finding(found.as_dict()) == found


def test_no_effect_is_promised_that_was_not_measured():
    chooses, useless = made.with_probabilities("validation"), made.with_probabilities("test", gap=-0.1)
    (alone,) = found_by("class-imbalance", evidence(target=RARE, unseen=chooses))
    assert "expect less on new rows" in alone.effect
    (none,) = found_by(
        "class-imbalance", evidence(target=RARE, unseen=chooses, test=replace(useless, second=1e-3 * useless.second))
    )
    assert none.changes == {}
    assert not none.effect
    (only,) = found_by("class-imbalance", evidence(target=RARE, unseen=useless))
    assert "training.decision_threshold" not in only.changes
    assert only.changes == {}
    assert "documentation" in only.words


def test_without_rows_that_choose_the_threshold_is_the_share_of_the_second_class():
    """Test rows measure it: they choose nothing."""
    rows = made.with_probabilities("test")
    share = np.repeat([0, 1], [made.ROWS - 27, 27])
    (found,) = found_by("class-imbalance", evidence(target=share, unseen=rows, test=rows))
    assert found.changes == {"training.decision_threshold": 0.14}
    hits, alarms = (int((rows.second[rows.target == kind] >= 0.14).sum()) for kind in (1, 0))
    assert f"finds {hits} of 20 yes rather than 0, at {alarms} false alarm" in found.effect
    assert "fraction of the second class in the training rows" in found.effect
    weighted = network(training={"class_weight": "balanced"})
    (none,) = found_by("class-imbalance", evidence(target=share, unseen=rows, test=rows, network=weighted))
    assert none.changes == {}


def test_with_a_threshold_only_a_class_that_is_never_predicted_is_reported():
    """A threshold is a choice between misses and false alarms, which is nobody's mistake."""
    rows, decided = made.with_probabilities("validation"), network(training={"decision_threshold": 0.3})
    (never,) = found_by("class-imbalance", evidence(target=RARE, unseen=rows, network=decided))
    assert never.changes == {}
    for kind in (0, 1):
        some = replace(rows, prediction=np.where(np.arange(200) % 20 == 0, kind, 1 - kind))
        for code in ("class-imbalance", "low-recall"):
            assert found_by(code, evidence(target=RARE, unseen=some, network=decided)) == []


@pytest.mark.parametrize("count", [0, 1])
def test_no_setting_is_advised_for_a_class_with_a_single_training_row_or_none(count: int):
    rows = unseen(target=np.repeat([0, 1, 2], [48, 48, 4]), prediction=np.zeros(made.UNSEEN_ROWS, int))
    target, labels = (
        np.repeat([0, 1, 2], [made.ROWS // 2, made.ROWS // 2 - count, count]),
        Labels(np.array(["a", "b", "c"])),
    )
    assert found_by("class-imbalance", evidence(network=THREE, labels=labels, target=target, unseen=rows)) == []


@pytest.mark.parametrize(("numbers", "expected"), [([0.0, 1.0, 2.0], ["leakage"]), ([0.0, 1.0, 1.0], [])])
def test_a_number_that_classes_share_does_not_give_them_away(numbers: list[float], expected: list[str]):
    target = np.arange(made.ROWS) % 3
    cells = np.column_stack([np.take(numbers, target), made.RNG.normal(size=made.ROWS)])
    given = evidence(network=THREE, kinds=columns("a", "b"), cells=cells, target=target)
    assert codes(found_by("leakage", given)) == expected


def test_a_category_and_missing_cells_give_nothing_away_by_their_numbers():
    target = np.arange(made.ROWS) % 2
    cells = np.column_stack([target + 0.01 * made.RNG.normal(size=made.ROWS), made.RNG.normal(size=made.ROWS)])

    def found(category: str = "") -> list[str]:
        kinds = columns("a", "b", category=category)
        return codes(found_by("leakage", evidence(kinds=kinds, target=target, cells=cells)))

    cells[::7, 0] = np.nan
    assert found() == []  # the missing cells lie in the middle
    cells[::7, 0] = target[::7]
    assert found() == ["leakage"]
    assert found("a") == []


def test_overfitting_of_an_ensemble_that_does_not_watch_is_answered_by_decay():
    assert found_by("overfitting", unfolded(0.83, 0.53))[0].changes == {"training.l2": 0.003}


def test_calibration_is_advised_where_there_are_rows_for_it():
    (found,) = judged(confident(-0.19))
    assert (found.code, found.changes) == ("underconfident", {})
    assert found.words == 'set training.calibration = "temperature", which needs validation rows'
    (watched,) = judged(confident(-0.19, validation_losses=np.geomspace(made.HALF, 0.1, made.LINES)))
    assert watched.changes == {"training.calibration": "temperature"}
    calibrated = network(training={"calibration": "temperature"})
    assert not found_by("underconfident", confident(-0.19, network=calibrated))[0].changes


NEEDS_UNSEEN = (
    "leakage",
    "shared-rows",
    "class-imbalance",
    "no-signal",
    "low-recall",
    "overfitting",
    "underfitting",
    "overconfident",
)
NEEDS_STEPS = ("dead-units", "saturated-units", "equal-units", "rate-too-low")


def test_tests_are_counted_that_had_something_to_test():
    """A target of classes needs no scaling, and one hidden layer does not make gradients vanish."""
    tests = len(RULES) - len(("unscaled-target", "vanishing-gradients"))
    assert judge(confident(0.0)).tests == tests
    tests -= len((*NEEDS_UNSEEN, "underconfident"))
    assert judge(evidence(unseen=None)).tests == tests
    assert judge(evidence(unseen=None, records=records()[:1])).tests == tests - len(NEEDS_STEPS)
    silenced = ("rate-too-high", "dead-units", "saturated-units", "rate-too-low", "too-few-epochs")
    assert judge(made.starting(99.0, unseen=None)).tests == tests - len(silenced)
    assert judge(evidence(losses=[])) == ((), 0)


def unlearned(neighbours: float) -> Evidence:
    error = 1.4 / np.sqrt(made.UNSEEN_ROWS)
    return values(unseen=unseen(0.0, 0.0, 0.0, neighbours * error, gains=made.gained()))


@pytest.mark.parametrize(
    ("code", "there", "not_there"),
    [
        ("no-signal", unlearned(1.9), unlearned(2.1)),
        ("overfitting", *(values(train_score=score, unseen=unseen(0.6, 0.0)) for score in (0.91, 0.89))),
        ("underfitting", *(values(train_score=score, unseen=unseen(0.3, 0.0)) for score in (0.3, 0.71))),
    ],
)
def test_values_have_their_own_thresholds(code: str, there: Evidence, not_there: Evidence):
    assert codes(found_by(code, there)) == [code]
    assert found_by(code, not_there) == []


CAUSES = {
    "unscaled-columns": {"kinds": columns("a"), "cells": made.NORMAL[:, :1], "inputs": made.NORMAL * 1e4},
    "large-first-weights": {"first_loss": 100.0, "losses": np.full(made.LINES, 2 * made.HALF)},
    "rate-too-high": {"losses": np.linspace(1.0, 9.0, made.LINES)},
    "equal-units": {"records": records(last={"parallel": 1.0})},
    "class-imbalance": {
        "target": np.repeat([0, 1], [190, 10]),
        "unseen": unseen(prediction=np.zeros(made.UNSEEN_ROWS, int)),
    },
}
SYMPTOMS = {
    "dead-units": {"records": records(last={"dead": 0.9, "parallel": 1.0})},
    "too-few-epochs": {"losses": np.linspace(1.0, 0.5, made.LINES)},
    "underfitting": {"train_score": 0.5, "losses": made.FLAT},
}


@pytest.mark.parametrize(
    ("cause", "symptom"),
    [
        ("unscaled-columns", "dead-units"),
        ("unscaled-columns", "underfitting"),
        ("large-first-weights", "dead-units"),
        ("rate-too-high", "dead-units"),
        ("equal-units", "underfitting"),
        ("class-imbalance", "too-few-epochs"),
        ("class-imbalance", "underfitting"),
    ],
)
def test_a_cause_silences_its_symptoms(cause: str, symptom: str):
    poor = {"unseen": unseen(0.6, linear=0.95, neighbours=0.95)} if symptom != "dead-units" else {}
    assert symptom in codes(found_by(symptom, evidence(**poor | SYMPTOMS[symptom])))
    both = codes(judged(evidence(**poor | SYMPTOMS[symptom] | CAUSES[cause])))
    assert cause in both
    assert symptom not in both


def test_equal_units_may_be_dead_too():
    assert {"equal-units", "dead-units"} <= {*codes(judged(evidence(**SYMPTOMS["dead-units"])))}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"records": records(last={"dead": 0.71})}, ["dead-units"]),
        ({"records": records(last={"dead": 0.69})}, ["dead-units", "underfitting"]),
        ({"unseen": None}, []),
        ({"unseen": unseen(0.5, baselines={})}, []),
    ],
)
def test_a_poor_score_is_explained_by_dead_units_or_needs_a_better_one(changes: dict[str, Any], expected: list[str]):
    poor = {"train_score": 0.5, "unseen": unseen(0.5, linear=0.95, neighbours=0.95), "losses": made.FLAT}
    assert codes(judged(evidence(**poor | changes))) == expected


def test_a_failed_run_without_any_history_is_judged():
    nothing = made.failed()
    (found,) = judged(nothing)
    assert (found.code, found.changes) == ("rate-too-high", {"training.optimizer.learning_rate": 0.0001})
    assert found.sentence == "the loss was not finite in the first epoch"
    assert codes(judged(replace(nothing, first_loss=1e9))) == ["large-first-weights"]
    assert codes(judged(replace(nothing, inputs=made.NORMAL * 1e6))) == ["unscaled-columns"]
    assert codes(judged(made.starting(99.0, train_score=0.5, unseen=None))) == ["large-first-weights"]


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
