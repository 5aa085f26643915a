"""A run in a sentence and in tiles."""

from __future__ import annotations

from typing import Any

import pytest

from specnet import parse_spec, resolve
from specnet.report.pages import headline

EVALUATION: dict[str, Any] = {
    "rows": {"train": 240, "test": 60},
    "train": {"loss": 0.2993, "accuracy": 0.8541666},
    "test": {"loss": 0.2667, "accuracy": 0.85},
    "baselines": {
        "constant": {"test": {"loss": 0.71, "accuracy": 0.3833}},
        "linear": {"test": {"loss": 0.27, "accuracy": 0.8833}},
        "neighbours": {"test": {"loss": 0.07, "accuracy": 1.0}},
    },
    "intervals": {"test": {"loss": None, "accuracy": {"low": 0.739, "high": 0.919, "method": "wilson"}}},
}
RESIDUAL = [
    {"type": "dense", "units": 3, "name": "first"},
    {"type": "add", "inputs": ["input", "first"]},
    {"type": "dense", "units": 1},
]
HISTORY = [{"epoch": 1, "loss": 0.8440}, {"epoch": 20000, "loss": 0.2993}]


def test_sentence_says_what_how_good_and_what_simpler_predictors_reach() -> None:
    assert headline.sentence("2–5–1 network", EVALUATION, "the class") == (
        "A 2–5–1 network predicts the class correctly for 85.0 % of the test rows. On the same rows a linear model "
        "reaches 88.3 %, the 15 nearest neighbours 100.0 %, a constant answer 38.3 %."
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "correctly for 85.0 % of the test rows."),
        ({"test": {"loss": 0.2667, "roc_auc": None}}, "with ROC AUC – on test rows."),
        ({"test": {"loss": -1.5}}, "with a loss of −1.5000 on test rows."),
    ],
)
def test_sentence_without_what_is_not_known(change: dict[str, Any], expected: str) -> None:
    told = headline.sentence("2–5–1 network", EVALUATION | {"baselines": {}} | change, "the class")
    assert told == f"A 2–5–1 network predicts the class {expected}"


def test_without_test_rows_other_rows_are_named() -> None:
    trained = {"rows": {"train": 9}, "train": {"loss": 0.5, "accuracy": 1.0}}
    assert headline.sentence("8–1 network", trained, "y") == (
        "An 8–1 network predicts y correctly for 100.0 % of the training rows. No rows were held out."
    )
    assert [tile.label for tile in headline.tiles(trained, HISTORY)] == ["train accuracy", "training loss"]
    watched = trained | {"validation": {"loss": 0.5, "accuracy": 0.9}}
    assert "90.0 % of the validation rows" in headline.sentence("8–1 network", watched, "y")


def test_tiles() -> None:
    assert headline.tiles(EVALUATION, HISTORY) == [
        ("test accuracy", "85.0 %", "95 %: 74–92 %"),
        ("train accuracy", "85.4 %", "240 rows"),
        ("linear model", "88.3 %", "on the same test rows"),
        ("training loss", "0.2993", "from 0.8440 in epoch 1"),
    ]


@pytest.mark.parametrize(
    ("network", "members", "name"),
    [
        ({"layer_sizes": [2, 5, 1]}, 1, "2–5–1 network"),
        ({"layer_sizes": [2, 5, 1]}, 4, "ensemble of 4 networks (2–5–1)"),
        ({"layer_sizes": [2, 3, 4, 5, 6, 7, 1]}, 1, "network with 6 trained layers"),
        ({"input_size": 3, "layers": RESIDUAL}, 1, "network with 2 trained layers"),
    ],
)
def test_names_of_networks(network: dict[str, Any], members: int, name: str) -> None:
    resolved = resolve(parse_spec({"network": network, "training": {"loss": "mse"}}))
    assert headline.network_name(resolved, members) == name
