"""A run in a sentence: which of a network and simpler predictors is better, as far as chance allows."""

from __future__ import annotations

from typing import Any

import pytest

from specnet.report.pages import headline

EVALUATION: dict[str, Any] = {
    "rows": {"train": 455, "test": 114},
    "train": {"loss": 0.05, "accuracy": 0.98},
    "test": {"loss": 0.117, "accuracy": 108 / 114},
    "baselines": {
        "constant": {"test": {"loss": 0.66, "accuracy": 0.63}},
        "linear": {"test": {"loss": 0.081, "accuracy": 111 / 114}},
        "neighbours": {"test": {"loss": 0.13, "accuracy": 107 / 114}},
    },
    "intervals": {"test": {"loss": None, "accuracy": {"low": 0.89, "high": 0.98, "method": "wilson"}}},
    "gains": {
        "constant": {
            "loss": {"value": 0.543, "low": 0.4, "high": 0.6},
            "accuracy": {"value": 0.32, "low": 0.2, "high": 0.4},
        },
        "linear": {
            "loss": {"value": -0.036, "low": -0.075, "high": -0.004},
            "accuracy": {"value": -3 / 114, "low": -0.06, "high": 0.0},
        },
        "neighbours": {
            "loss": {"value": 0.013, "low": -0.02, "high": 0.04},
            "accuracy": {"value": 1 / 114, "low": -0.03, "high": 0.04},
        },
    },
}


def with_gain(baseline: str, **changes: Any) -> dict[str, Any]:
    """Return what is said where gains over a baseline are others."""
    gains = {name: dict(zip(("low", "value", "high"), ends, strict=True)) for name, ends in changes.items()}
    return {**EVALUATION, "gains": EVALUATION["gains"] | {baseline: EVALUATION["gains"][baseline] | gains}}


def test_a_network_that_loses_beyond_chance_is_called_worse_though_its_accuracy_alone_may_be_chance() -> None:
    told = "Worse than a linear model: 94.7 % against 97.4 % of 114 test rows."
    assert headline.verdict(EVALUATION) == told
    assert headline.comparison(EVALUATION) == (-1, "linear", "accuracy")


def test_a_difference_that_chance_explains_is_none() -> None:
    told = headline.verdict(with_gain("linear", loss=(-0.075, -0.036, 0.0)))
    assert told == "As good as a linear model: 94.7 % against 97.4 % of 114 test rows."


def test_what_a_network_is_worse_than_comes_before_the_best() -> None:
    """The linear model is the best one, and the neighbours are worse than it; only these are surely better."""
    by_loss = with_gain("linear", loss=(-0.075, -0.036, 0.004))["gains"]["linear"]
    changed = with_gain("neighbours", loss=(-0.2, -0.1, -0.01), accuracy=(-0.03, -0.01, 0.04))
    told = headline.verdict(changed | {"gains": changed["gains"] | {"linear": by_loss}})
    assert told == "Worse than the 15 nearest neighbours: a loss of 0.12 against 0.13 on 114 test rows."


@pytest.mark.parametrize(
    ("loss", "accuracy", "told"),
    [
        ((0.01, 0.02, 0.03), (0.01, 0.03, 0.05), "Better than a linear model: 94.7 % against 97.4 % of 114 test rows."),
        ((-0.2, -0.1, 0.1), (0.01, 0.03, 0.05), "Better than a linear model: 94.7 %"),
        ((-0.2, -0.1, -0.05), (0.01, 0.03, 0.05), "Better than a linear model: 94.7 %"),
        ((0.01, 0.02, 0.03), (-0.02, 0.011, 0.02), "Better than a linear model: 94.7 %"),
        ((0.01, 0.02, 0.03), (-0.02, 0.009, 0.02), "Better than a linear model: a loss of 0.117 against 0.081 on 114"),
        ((0.01, 0.02, 0.03), (-0.06, -0.03, 0.0), "Better than a linear model: a loss of 0.117 against 0.081 on 114"),
        ((-0.03, -0.02, -0.01), (0.0, 0.0, 0.0), "Worse than a linear model: a loss of 0.117 against 0.081 on 114"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "As good as a linear model: 94.7 %"),
    ],
)
def test_the_main_metric_decides_and_else_the_loss_which_is_shown_where_the_metric_says_little(
    loss: tuple[float, ...], accuracy: tuple[float, ...], told: str
) -> None:
    evaluation = with_gain("linear", loss=loss, accuracy=accuracy)
    del evaluation["gains"]["neighbours"]
    assert headline.verdict(evaluation).startswith(told)


def test_worse_than_a_constant_is_the_first_thing_said() -> None:
    """One class has 99.8 % of the rows."""
    rare = with_gain("constant", loss=(-0.06, -0.0395, -0.02), accuracy=(0.0, 0.0, 0.0))
    rare["test"], rare["baselines"] = {"loss": 0.041, "accuracy": 0.998}, dict(rare["baselines"])
    rare["baselines"]["constant"] = {"test": {"loss": 0.0015, "accuracy": 0.998}}
    told = "Worse than a constant answer: a loss of 0.041 against 0.002 on 114 test rows."
    assert headline.verdict(rare) == told


def test_no_better_than_a_constant_is_said_unless_a_simple_model_is_better() -> None:
    """One class has 99.8 % of the rows, and all predictors find it."""
    rare = with_gain("constant", loss=(-0.01, 0.001, 0.02), accuracy=(0.0, 0.0, 0.0))
    rare["gains"]["linear"] = rare["gains"]["neighbours"] = rare["gains"]["constant"]
    assert headline.verdict(rare).startswith("As good as a constant answer: ")
    behind = with_gain("constant", loss=(-0.01, 0.001, 0.02), accuracy=(0.0, 0.0, 0.0))
    assert headline.verdict(behind).startswith("Worse than ")


def test_figures_of_a_regression_have_as_many_digits_as_chance_leaves() -> None:
    evaluation = {
        "rows": {"train": 300, "test": 80},
        "test": {"loss": 0.2, "r2": 0.812345},
        "baselines": {"constant": {"test": {"loss": 1.0, "r2": -4.026e-06}}},
        "gains": {
            "constant": {"r2": {"value": 0.812, "low": 0.7, "high": 0.9}, "loss": {"value": 0.8, "low": 0.6, "high": 1}}
        },
    }
    assert headline.verdict(evaluation) == "Better than a constant answer: R² 0.81 against 0.00 on 80 test rows."
    evaluation["gains"]["constant"]["r2"] |= {"low": 0.811, "high": 0.813}
    assert "R² 0.8123 against 0.0000 on" in headline.verdict(evaluation)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"baselines": {}}, "94.7 % of 114 test rows are right."),
        ({"rows": {}, "baselines": {}}, "94.7 % of test rows are right."),
        (
            {"gains": {"linear": {"loss": {"value": -0.1, "low": None, "high": None}}}},
            "94.7 % of 114 test rows are right.",
        ),
        ({"test": {"loss": 0.2667, "roc_auc": None}, "baselines": {}}, "ROC AUC – on 114 test rows."),
        ({"test": {"loss": -1.5}, "baselines": {}}, "A loss of −1.5000 on 114 test rows."),
    ],
)
def test_without_intervals_there_is_no_verdict(change: dict[str, Any], expected: str) -> None:
    assert headline.verdict({**EVALUATION, "gains": {}, **change}) == expected


def test_without_test_rows_other_rows_are_named() -> None:
    trained = {"rows": {"train": 9}, "train": {"loss": 0.5, "accuracy": 1.0}}
    assert headline.verdict(trained) == "100.0 % of 9 training rows are right. No rows were held out for testing."
    folds = headline.verdict(trained | {"out_of_fold": {"loss": 0.5, "accuracy": 0.8}})
    assert folds.startswith("80.0 % of 9 training rows out of fold are right.")
    watched = trained | {"rows": {"train": 9, "validation": 6}, "validation": {"loss": 0.5, "accuracy": 0.9}}
    beside = {"linear": {"validation": {"loss": 0.4, "accuracy": 0.8}}}
    assert headline.verdict(watched | {"baselines": beside}) == (
        "90.0 % of 6 validation rows are right. No rows were held out for testing."
    )
