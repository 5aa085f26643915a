"""Runs that go wrong on purpose, with the finding that names the cause, and data sets on which runs are healthy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.findings import rows
from tests.findings.rows import Source


@dataclass(frozen=True)
class Case:
    """A run: its rows, as arrays or as a table of named columns, and what its spec says."""

    source: Source
    network: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    is_table: bool = False


@dataclass(frozen=True)
class BadCase:
    """A run that goes wrong: what the finding is, in which words the cause, and the run."""

    code: str
    cause: str
    case: Case


def sgd(rate: float, momentum: float = 0.0, **fields: Any) -> dict[str, Any]:
    return {"optimizer": {"type": "sgd", "learning_rate": rate, "momentum": momentum}, **fields}


def adam(rate: float, **fields: Any) -> dict[str, Any]:
    return {"optimizer": {"type": "adam", "learning_rate": rate}, **fields}


def smoothed(kind: str) -> dict[str, Any]:
    return {"loss": {"type": f"{kind}_crossentropy", "label_smoothing": 0.4}}


def normal(deviation: float) -> dict[str, Any]:
    return {"type": "random_normal", "stddev": deviation}


def constant(value: float) -> dict[str, Any]:
    return {"type": "constant", "value": value}


def dense(units: int, activation: str, **fields: Any) -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": activation, **fields}


def layers(*hidden: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"preprocessing": ["standardize"], "layers": [*hidden, {"type": "dense", "units": 1}], **fields}


def stack(*sizes: int, **fields: Any) -> dict[str, Any]:
    return {"hidden_layer_sizes": list(sizes), "preprocessing": ["standardize"], **fields}


def drawn(deviation: float, *sizes: int, **fields: Any) -> dict[str, Any]:
    return stack(*sizes, weight_initializer=normal(deviation), **fields)


def sigmoids(count: int, **fields: Any) -> dict[str, Any]:
    return stack(*[16] * count, activations="sigmoid", **fields)


SCALED = {"target_preprocessing": ["standardize"]}
UNSCALED = {"hidden_layer_sizes": [16]}
FULL = {"batch_size": "full"}
NEGATIVE = dense(16, "relu", bias_initializer=constant(-5.0))
LARGE = dense(16, "tanh", weight_initializer=normal(20.0))

_CAUSES = {
    "constant-column": {
        "a column of sevens": Case(rows.wine_with_a_constant, stack(16), adam(0.01, epochs=40), is_table=True),
        "zeros and ones": Case(rows.sine_with_constants, stack(16), adam(0.01, epochs=60)),
    },
    "unscaled-columns": {
        "wines as measured": Case(rows.wine, UNSCALED, adam(0.01, epochs=40)),
        "tumours as measured": Case(rows.cancer, {"hidden_layer_sizes": [8]}, adam(0.01, epochs=20)),
        "one column in millions, plain descent": Case(rows.sine_in_millions, UNSCALED, sgd(0.01, epochs=20)),
    },
    "unscaled-target": {
        "prices": Case(rows.linear_far_from_zero, stack(16), adam(0.01, epochs=40)),
        "disease progression": Case(rows.diabetes, stack(16), adam(0.003, epochs=40)),
    },
    "leakage": {
        "the label with noise": Case(rows.moons_given_away, stack(16), adam(0.01, epochs=100), is_table=True),
        "twice the target": Case(rows.friedman_given_away, stack(16, **SCALED), adam(0.01, epochs=60)),
    },
    "shared-rows": {
        "a third of the rows twice": Case(rows.moons_twice, stack(16), adam(0.01, epochs=100)),
        "some rows twice": Case(rows.friedman_twice, stack(16, **SCALED), adam(0.01, epochs=60)),
    },
    "large-first-weights": {
        "deviation 5": Case(rows.moons, drawn(5.0, 32, 32), adam(0.001, epochs=60)),
        "deviation 3, values": Case(rows.friedman, drawn(3.0, 32, **SCALED), adam(0.001, epochs=60)),
        "deviation 10, plain descent": Case(rows.sine, drawn(10.0, 64), sgd(0.01, epochs=40)),
    },
    "rate-too-high": {
        "descent at 30": Case(rows.moons, stack(16), sgd(30.0, epochs=200, **FULL)),
        "adam at 10": Case(rows.digits, stack(32), adam(10.0, epochs=30)),
        "values at 1, not finite": Case(rows.friedman, stack(32, **SCALED), sgd(1.0, epochs=30)),
        "momentum": Case(rows.sine, stack(32), sgd(0.3, momentum=0.95, epochs=60)),
    },
    "dead-units": {
        "biases of −4": Case(rows.moons, stack(16, bias_initializer=constant(-4.0)), adam(0.001, epochs=60)),
        "biases of −5, two layers": Case(rows.friedman, layers(*[NEGATIVE] * 2, **SCALED), adam(0.001, epochs=60)),
    },
    "saturated-units": {
        "deviation 20 before tanh": Case(rows.moons, layers(LARGE, dense(16, "tanh")), adam(0.001, epochs=60)),
        "inputs around 90 into sigmoids": Case(
            rows.sine_around_90, {**UNSCALED, "activations": "sigmoid"}, adam(0.001, epochs=40)
        ),
    },
    "equal-units": {
        "all weights 0.1": Case(rows.moons, stack(16, weight_initializer=constant(0.1)), sgd(0.1, epochs=60)),
        "all weights 0": Case(rows.iris, stack(16, weight_initializer="zeros"), adam(0.01, epochs=40)),
    },
    "vanishing-gradients": {
        "eight layers of sigmoids": Case(rows.moons, sigmoids(8), sgd(0.05, epochs=40)),
        "six layers of sigmoids, values": Case(rows.friedman, sigmoids(6, **SCALED), sgd(0.01, epochs=40)),
    },
    "rate-too-low": {
        "descent at 10⁻⁵": Case(rows.moons, stack(16), sgd(1e-05, epochs=100)),
        "adam at 10⁻⁶": Case(rows.digits, stack(32), adam(1e-06, epochs=15)),
        "values at 10⁻⁶": Case(rows.friedman, stack(16, **SCALED), sgd(1e-06, epochs=60)),
    },
    "too-few-epochs": {
        "two epochs": Case(rows.digits, stack(32), adam(0.001, epochs=2)),
        "forty steps": Case(rows.moons, stack(16), sgd(0.02, epochs=40, **FULL)),
        "values": Case(rows.friedman, stack(32, **SCALED), adam(0.001, epochs=4)),
    },
    "class-imbalance": {
        "4 % of the rows": Case(rows.rare_class, stack(16), adam(0.003, epochs=30)),
        "one of three": Case(rows.rare_third_class, stack(16), adam(0.003, epochs=40)),
    },
    "no-signal": {
        "labels at random": Case(rows.noise_for_labels, stack(4), adam(0.001, epochs=30)),
        "values at random": Case(rows.noise_for_values, stack(4), adam(0.001, epochs=30)),
        "a shuffled target": Case(rows.shuffled_diabetes, stack(4, **SCALED), adam(0.001, epochs=30)),
    },
    "overfitting": {
        "noisy labels": Case(rows.noisy_classes, stack(128), adam(0.01, epochs=100)),
        "few noisy values": Case(rows.few_noisy_values, stack(128), adam(0.01, epochs=150)),
        "a wide network on 442 patients": Case(rows.diabetes, stack(128, **SCALED), adam(0.003, epochs=100)),
    },
    "overconfident": {"more noisy labels": Case(rows.many_noisy_classes, stack(64), adam(0.03, epochs=40))},
    "underconfident": {
        "smoothed labels": Case(rows.digits, stack(32), adam(0.003, epochs=30, **smoothed("categorical"))),
        "smoothed labels of two classes": Case(rows.moons, stack(16), adam(0.01, epochs=100, **smoothed("binary"))),
    },
    "underfitting": {
        "one unit for two circles": Case(rows.circles, stack(1, activations="tanh"), adam(0.03, epochs=100)),
        "no hidden layer": Case(rows.circles, stack(), adam(0.03, epochs=100)),
        "one unit for ten digits": Case(rows.digits, stack(1), adam(0.01, epochs=100)),
    },
}
BAD = [BadCase(code, cause, case) for code, cases in _CAUSES.items() for cause, case in cases.items()]

HEALTHY = {
    "moons": Case(rows.moons, stack(16), adam(0.01, epochs=100)),
    "circles": Case(rows.circles, stack(16), adam(0.01, epochs=100)),
    "blobs": Case(rows.blobs, stack(16), adam(0.01, epochs=40)),
    "iris": Case(rows.iris, stack(16), adam(0.01, epochs=60)),
    "wine": Case(rows.wine, stack(16), adam(0.01, epochs=30)),
    "breast_cancer": Case(rows.cancer, stack(8), adam(0.003, epochs=20)),
    "digits": Case(rows.digits, stack(32), adam(0.003, epochs=30)),
    "diabetes": Case(rows.diabetes, stack(8, **SCALED), adam(0.003, epochs=30)),
    "friedman": Case(rows.friedman, stack(16, **SCALED), adam(0.01, epochs=60)),
    "sine": Case(rows.sine, stack(16, activations="tanh"), adam(0.01, epochs=80)),
}
