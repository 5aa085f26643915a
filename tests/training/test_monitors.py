"""Metrics of the validation rows that are monitored, who acts on them, and why training ends."""

import re
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

import specnet
from specnet import DataError, TrainingError
from tests.networks import TrainingRows, dense, document, network_of, rows_of, trained
from tests.registry import REGISTRY
from tests.texts.pinned import Refused

ROWS = 80
SGD = {"batch_size": 5, "epochs": 9}


def classes(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(ROWS) % count
    return rng.normal(size=(ROWS, 3)) + 0.7 * np.eye(3)[y], np.array(["ant", "bee", "cow"])[y]


def spec_of(loss: str, monitor: str, epochs: int = 6, **training: Any) -> dict[str, Any]:
    stopping = {"monitor": monitor, "patience": 50}
    network = {"hidden_layer_sizes": [4], "preprocessing": ["standardize"]}
    return {"network": network, "training": {"loss": loss, "epochs": epochs, "early_stopping": stopping} | training}


class Figures:
    """Monitors that give a validation loss from a list, and remember theta after each epoch."""

    def __init__(self, *figures: float) -> None:
        self.figures, self.thetas = list(figures), []

    def __call__(self, theta, state):
        self.thetas.append(theta.copy())
        return self.figures[len(self.thetas) - 1]


def error_of(model: specnet.Model, X: np.ndarray, y: np.ndarray, weight: Any) -> float:
    return float(metrics.mean_absolute_error(y, model.predict(X)))


def auc_of(model: specnet.Model, X: np.ndarray, y: np.ndarray, weight: Any) -> float:
    return float(metrics.roc_auc_score(y, model.predict_proba(X)[:, 1], sample_weight=weight))


def accuracy_of(model: specnet.Model, X: np.ndarray, y: np.ndarray, weight: Any) -> float:
    return float(np.mean(model.predict(X) == y))


@pytest.mark.parametrize(
    ("loss", "metric", "score", "weighted", "close"),
    [
        ("binary_crossentropy", "roc_auc", auc_of, False, 1e-12),
        ("binary_crossentropy", "roc_auc", auc_of, True, 1e-12),
        ("categorical_crossentropy", {"type": "top_k_accuracy", "k": 1}, accuracy_of, False, 1e-12),
        ("mse", "mean_absolute_error", error_of, False, 1e-6),  # in the units of the target, which is standardized
    ],
)
def test_a_metric_is_that_of_scikit_learn_after_each_epoch(loss, metric, score, weighted, close):
    X, y = classes(3 if loss.startswith("categorical") else 2)
    name = f"validation_{metric if isinstance(metric, str) else metric['type']}"
    spec = spec_of(loss, name, batch_size=8, epochs=3, metrics=[metric])
    if loss == "mse":
        rng = np.random.default_rng(0)
        X = rng.normal(size=(ROWS, 3))
        y = 1000 + 300 * X[:, 0] + 10 * rng.normal(size=ROWS)
        spec["network"]["target_preprocessing"] = ["standardize"]
    weight = (np.random.default_rng(1).uniform(0.5, 2, 30),) if weighted else ()
    history = specnet.fit(spec, X[30:], y[30:], validation=(X[:30], y[:30], *weight)).history
    del spec["training"]["early_stopping"]
    expected = []
    for epochs in (1, 2, 3):
        model = specnet.fit({**spec, "training": {**spec["training"], "epochs": epochs}}, X[30:], y[30:])
        expected.append(score(model, X[:30], y[:30], *(weight or (None,))))
    assert [list(record) for record in history] == [["epoch", "loss", "validation_loss", name]] * 3
    assert [record[name] for record in history] == pytest.approx(expected, rel=close)


@pytest.mark.parametrize(
    ("monitor", "figures", "fields", "best", "end"),
    [
        *(
            (f"validation_{monitor}", (0.5, 0.9, 0.1, 0.3, 0.7)[: best + 2], {}, best,
             f"early stopping after epoch {best + 2}, weights of epoch {best} restored")
            for monitor, best in (("r2", 2), ("neg_mean_squared_error", 2), ("mean_squared_error", 3), ("loss", 3))
        ),
        ("validation_loss", (5, 6, 4, 5, 4.5), {}, 3, "early stopping after epoch 5, weights of epoch 3 restored"),
        ("validation_loss", (5, 4, 3, 3.5, 3.2), {}, 3, "early stopping after epoch 5, weights of epoch 3 restored"),
        ("validation_loss", (5, 4, 3, 4, 5), {"restore_best": False}, 5, "early stopping after epoch 5"),
        ("validation_loss", (5, 4, 3, 2), {}, 4, "all epochs"),
        ("validation_loss", (5, 4, 3, 2, 1, 2), {}, 5, "all epochs, weights of epoch 5 restored"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("log_every", [1, 3])
def test_early_stopping_keeps_the_best_weights_and_says_why_it_ends(monitor, figures, fields, best, end, log_every):
    stopping, epochs = {"monitor": monitor, "patience": 2, **fields}, len(figures) + 4 * end.startswith("early")
    network = network_of("sgd", batch_size=5, epochs=epochs, log_every=log_every, early_stopping=stopping)
    given = Figures(*figures)
    result = trained(network, rows_of(20), monitors={monitor: given})
    assert (result.epochs, result.end) == (len(figures), end)
    logged = [epoch for epoch in range(1, len(figures) + 1) if (epoch - 1) % log_every == 0 or epoch == len(figures)]
    assert [record["epoch"] for record in result.history] == logged
    assert [record[monitor] for record in result.history] == [figures[epoch - 1] for epoch in logged]
    np.testing.assert_array_equal(result.theta, given.thetas[best - 1])


@pytest.mark.parametrize(("monitor", "sign"), [("validation_loss", -1), ("validation_r2", 1)])
def test_an_improvement_has_a_least_size_either_way(monitor: str, sign: int):
    network = network_of("sgd", **SGD, early_stopping={"monitor": monitor, "patience": 2, "min_delta": 0.1})
    figures = Figures(*(sign * figure for figure in (0.1, 0.25, 0.3, 0.34, 0.9)))
    result = trained(network, rows_of(20), monitors={monitor: figures})
    assert result.end == "early stopping after epoch 4, weights of epoch 2 restored"
    (memory,) = result.reached.facts["watchers"].values()
    assert (memory["best"], memory["waited"], memory["ends"]) == (-0.25, 2, True)


@pytest.mark.parametrize(
    ("monitor", "warmup", "figures", "halvings"),
    [
        ("validation_loss", False, (3, 3, 2, 2), (0, 0, 1, 1)),
        ("validation_r2", False, (0.2, 0.6, 0.6, 0.4, 0.9), (0, 0, 0, 1, 2)),
        ("validation_r2", True, (0.2, 0.6, 0.6, 0.4, 0.9), (0, 0, 0, 1, 2)),
    ],
)
def test_a_plateau_of_what_is_better_less_or_more(monitor: str, warmup: bool, figures: Any, halvings: Any):
    schedule: dict[str, Any] = {"type": "reduce_on_plateau", "monitor": monitor, "factor": 0.5, "patience": 0}
    schedule |= {"threshold": 0}
    if warmup:
        schedule = {"type": "warmup", "length": 1, "then": schedule}
    network = network_of({"type": "sgd", "schedule": schedule}, batch_size="full", epochs=len(figures))
    rows, theta = rows_of(8), network.initial_parameters()
    result = trained(network, rows, monitors={monitor: Figures(*figures)})
    for halved in halvings:
        theta = theta - 0.01 * 0.5**halved * network.loss_and_gradient(theta, rows.X, rows.target)[1]
    np.testing.assert_allclose(result.theta, theta, rtol=1e-12)


@pytest.mark.parametrize(
    ("stopping", "asked", "epochs"),
    [
        (None, 4, [1, 5, 9, 12]),
        ({"monitor": "loss", "patience": 12}, 4, [1, 5, 9, 12]),
        ({"patience": 12}, 12, [1, 5, 9, 12]),
        ({"monitor": "loss", "patience": 1, "min_delta": 1e9}, 2, [1, 2]),
    ],
)
def test_the_validation_loss_is_computed_where_it_is_logged_or_watched(stopping, asked, epochs):
    settings = {} if stopping is None else {"early_stopping": stopping}
    network = network_of("sgd", batch_size=5, epochs=12, log_every=4, **settings)
    figures = Figures(*(1.0 / count for count in range(1, 13)))
    history = trained(network, rows_of(20), monitors={"validation_loss": figures}).history
    assert len(figures.thetas) == asked
    assert [record["epoch"] for record in history] == epochs
    assert all(set(record) == {"epoch", "loss", "validation_loss"} for record in history)


@pytest.mark.parametrize(
    ("optimizer", "end"),
    [
        ({"type": "lbfgs", "tolerance": 1e3}, "converged after epoch 1"),
        ({"type": "lbfgs", "max_evaluations": 3}, r"max_evaluations reached after epoch \d"),
        ("lbfgs", "all epochs"),
    ],
)
def test_lbfgs_says_why_it_ends(optimizer, end):
    assert re.fullmatch(end, trained(network_of(optimizer, epochs=4), rows_of(20)).end)


def test_what_is_not_finite_says_what_may_help(refused: Refused):
    rows = rows_of(8)
    for steps in ([], ["standardize"]):
        for optimizer in ({"type": "adam", "learning_rate": 0.5}, "lbfgs"):
            spec = document(dense(2), optimizer=optimizer)
            spec["network"]["preprocessing"] = steps
            with refused(TrainingError):
                trained(specnet.build(spec), TrainingRows(rows.X, rows.target * np.inf))
    network = network_of("sgd", epochs=3)
    for name in ("validation_loss", "validation_r2"):
        with refused(TrainingError):
            trained(network, rows, monitors={name: Figures(1.0, np.nan)})
    fast = network_of({"type": "sgd", "learning_rate": 1e300}, batch_size="full", epochs=1)
    with refused(TrainingError):
        trained(fast, TrainingRows(rows.X, rows.target * 1e10))


def test_less_is_better_for_errors_by_their_own_names_alone():
    smaller = {"mean_squared_error", "root_mean_squared_error", "mean_absolute_error", "expected_calibration_error"}
    # Metrics that scikit-learn brings are all of the larger kind.
    found = [part for part in REGISTRY.of_kind("metric") if not part.larger_is_better]
    assert {part.part_name() for part in found} == smaller


def test_monitors_need_validation_rows_for_which_they_are_defined(refused: Refused):
    X, y = classes(2)
    alike = y == "ant"
    for monitor in ("validation_loss", "validation_roc_auc"):
        with refused(DataError):
            specnet.fit(spec_of("binary_crossentropy", monitor), X, y)
    with refused(TrainingError):
        specnet.fit(spec_of("binary_crossentropy", "validation_roc_auc"), X, y, validation=(X[alike], y[alike]))
