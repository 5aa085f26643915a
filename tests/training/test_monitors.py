"""Metrics of the validation rows that are monitored: against scikit-learn after each epoch, and who acts on them."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

import specnet
from specnet import DataError, SpecError, TrainingError
from specnet.parts.metrics import Metric
from specnet.training import train
from tests.registry import REGISTRY
from tests.texts.pinned import Refused
from tests.training.test_course import Figures
from tests.training.test_loop import network_of, rows_of

ROWS = 80


def classes(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(ROWS) % count
    return rng.normal(size=(ROWS, 3)) + 0.7 * np.eye(3)[y], np.array(["ant", "bee", "cow"])[y]


def spec_of(loss: str, monitor: str, epochs: int = 6, **training: Any) -> dict[str, Any]:
    return {
        "network": {"hidden_layer_sizes": [4], "preprocessing": ["standardize"]},
        "training": {"loss": loss, "epochs": epochs, "early_stopping": {"monitor": monitor, "patience": 50}} | training,
    }


def models_by_epoch(spec: dict[str, Any], *rows: Any, **arguments: Any) -> list[specnet.Model]:
    """Return the models of runs that end after the first epoch, the second, and so on, with their last weights."""
    models = []
    for epochs in range(1, spec["training"]["epochs"] + 1):
        training = {**spec["training"], "epochs": epochs}
        del training["early_stopping"]
        models.append(specnet.fit({**spec, "training": training}, *rows, **arguments))
    return models


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
    rng = np.random.default_rng(0)
    X, y = classes(3 if loss.startswith("categorical") else 2)
    weight = np.random.default_rng(1).uniform(0.5, 2, 30) if weighted else None
    name = f"validation_{metric if isinstance(metric, str) else metric['type']}"
    spec = spec_of(loss, name, batch_size=8, epochs=3, metrics=[metric])
    if loss == "mse":
        X = rng.normal(size=(ROWS, 3))
        y = 1000 + 300 * X[:, 0] + 10 * rng.normal(size=ROWS)
        spec["network"]["target_preprocessing"] = ["standardize"]
    history = specnet.fit(spec, X[30:], y[30:], validation=(X[:30], y[:30], weight)[: 3 if weighted else 2]).history
    expected = [score(model, X[:30], y[:30], weight) for model in models_by_epoch(spec, X[30:], y[30:])]
    assert [list(record) for record in history] == [["epoch", "loss", "validation_loss", name]] * 3
    assert [record[name] for record in history] == pytest.approx(expected, rel=close)


@pytest.mark.parametrize(
    ("monitor", "loss", "best", "end"),
    [
        ("validation_r2", "mse", 2, "early stopping after epoch 4, weights of epoch 2 restored"),
        ("validation_neg_mean_squared_error", "mse", 2, "early stopping after epoch 4, weights of epoch 2 restored"),
        ("validation_mean_squared_error", "mse", 3, "early stopping after epoch 5, weights of epoch 3 restored"),
        ("validation_loss", "mse", 3, "early stopping after epoch 5, weights of epoch 3 restored"),
    ],
)
def test_early_stopping_keeps_the_epoch_of_the_best_figure(monitor: str, loss: str, best: int, end: str):
    stopping = {"monitor": monitor, "patience": 2}
    network, rows = network_of("sgd", batch_size=5, epochs=9, early_stopping=stopping), rows_of(20)
    figures = Figures(0.5, 0.9, 0.1, 0.3, 0.7)
    result = train(network, network.initial_parameters(), rows, monitors={monitor: figures})
    assert result.end == end
    np.testing.assert_array_equal(result.theta, figures.thetas[best - 1])
    assert [record[monitor] for record in result.history] == figures.figures[: best + 2]


@pytest.mark.parametrize(
    ("monitor", "warmup", "told", "halvings"),
    [
        ("validation_loss", False, (3, 3, 2, 2), (0, 0, 1, 1)),
        ("validation_r2", False, (0.2, 0.6, 0.6, 0.4, 0.9), (0, 0, 0, 1, 2)),
        ("validation_r2", True, (0.2, 0.6, 0.6, 0.4, 0.9), (0, 0, 0, 1, 2)),
    ],
)
def test_a_plateau_of_what_is_better_less_or_more(monitor: str, warmup: bool, told: Any, halvings: Any):
    schedule: dict[str, Any] = {"type": "reduce_on_plateau", "monitor": monitor, "factor": 0.5, "patience": 0}
    schedule |= {"threshold": 0}
    if warmup:
        schedule = {"type": "warmup", "length": 1, "then": schedule}
    network = network_of({"type": "sgd", "schedule": schedule}, batch_size="full", epochs=len(told))
    rows = rows_of(8)
    result = train(network, network.initial_parameters(), rows, monitors={monitor: Figures(*told)})
    theta = network.initial_parameters()
    for halved in halvings:
        theta = theta - 0.01 * 0.5**halved * network.loss_and_gradient(theta, rows.X, rows.target)[1]
    np.testing.assert_allclose(result.theta, theta, rtol=1e-12)


@pytest.mark.parametrize(("monitor", "sign"), [("validation_loss", -1), ("validation_r2", 1)])
def test_an_improvement_has_a_least_size_either_way(monitor: str, sign: int):
    stopping = {"monitor": monitor, "patience": 2, "min_delta": 0.1}
    network, rows = network_of("sgd", batch_size=5, epochs=9, early_stopping=stopping), rows_of(20)
    figures = Figures(*(sign * figure for figure in (0.1, 0.25, 0.3, 0.34, 0.9)))
    result = train(network, network.initial_parameters(), rows, monitors={monitor: figures})
    assert result.end == "early stopping after epoch 4, weights of epoch 2 restored"
    (memory,) = result.reached.facts["watchers"].values()
    assert memory["best"] == -0.25
    assert (memory["waited"], memory["ends"]) == (2, True)


def test_less_is_better_for_errors_by_their_own_names_alone():
    found = REGISTRY.of_kind("metric")
    assert {part.part_name() for part in found if issubclass(part, Metric) and not part.larger_is_better} == {
        "mean_squared_error",
        "root_mean_squared_error",
        "mean_absolute_error",
        "expected_calibration_error",
    }


def mistakes(training: str, split: str = "{ validation_size = 0.2 }", loss: str = "binary_crossentropy") -> list[Any]:
    data = f"[data]\ntype = 'make_moons'\nsplit = {split}\n"
    with pytest.raises(SpecError) as caught:
        specnet.build(f"{data}[network]\nhidden_layer_sizes = [3]\n[training]\nloss = '{loss}'\n{training}\n")
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("validation_roc_acu", "validation_roc_auc"),
        ("roc_auc", "validation_roc_auc"),
        ("validation_mse", "validation_mean_squared_error"),
        ("val_loss", "validation_loss"),
        ("accuracy", "validation_accuracy"),
        ("weather", "validation_loss"),
    ],
)
def test_an_unknown_name_is_told_what_is_meant(written: str, meant: str):
    (mistake,) = mistakes(f"early_stopping = {{ monitor = '{written}' }}")
    assert (mistake.code, mistake.path) == ("unknown-value", ("training", "early_stopping", "monitor"))
    assert meant in mistake.hint
    assert mistake.position is not None


@pytest.mark.parametrize("monitor", ["validation_r2", "validation_f1_samples"])
@pytest.mark.parametrize(
    ("training", "path"),
    [
        ("early_stopping = {{ monitor = '{}' }}", ("early_stopping", "monitor")),
        (
            "optimizer = {{ type = 'sgd', schedule = {{ type = 'reduce_on_plateau', monitor = '{}' }} }}",
            ("optimizer", "schedule", "monitor"),
        ),
        (
            "optimizer = {{ type = 'sgd', schedule = {{ type = 'warmup', length = 2, then = {{ type = "
            "'reduce_on_plateau', monitor = '{}' }} }} }}",
            ("optimizer", "schedule", "then", "monitor"),
        ),
    ],
)
def test_a_metric_of_another_task_is_refused_at_its_place(monitor: str, training: str, path: tuple[str, ...]):
    (mistake,) = mistakes(training.format(monitor))
    assert (mistake.code, mistake.path) == ("metric-task", ("training", *path))
    assert mistake.position is not None
    assert "validation_" in mistake.hint


def test_a_metric_of_probabilities_does_not_go_with_margins():
    (mistake,) = mistakes("early_stopping = { monitor = 'validation_roc_auc' }", loss="hinge")
    assert mistake.code == "metric-task"
    assert "validation_accuracy" in mistake.hint


@pytest.mark.parametrize(
    ("metric", "meant"),
    [("f1", {"f1_macro", "f1_micro", "f1_weighted"}), ("roc_auc", {"roc_auc_ovr"}), ("r2", {"accuracy"})],
)
def test_a_metric_of_two_classes_is_told_what_there_is_for_more(metric: str, meant: set[str]):
    spec = {"network": {"layer_sizes": [2, 3]}, "training": {"loss": "categorical_crossentropy", "metrics": [metric]}}
    spec["training"]["early_stopping"] = {"monitor": f"validation_{metric}"}
    with pytest.raises(SpecError) as caught:
        specnet.parse_spec(spec)
    of_metrics, of_monitor = (mistake.hint for mistake in caught.value.diagnostics)
    assert all(f'"{name}"' in of_metrics and f'"validation_{name}"' in of_monitor for name in meant)


def test_a_metric_needs_validation_rows(refused: Refused):
    (mistake,) = mistakes("early_stopping = { monitor = 'validation_roc_auc' }", split="{}")
    assert (mistake.code, mistake.path) == ("no-validation", ("training", "early_stopping"))
    X, y = classes(2)
    with refused(DataError):
        specnet.fit(spec_of("binary_crossentropy", "validation_roc_auc"), X, y)


def test_a_metric_that_is_not_defined_for_the_validation_rows_is_an_error(refused: Refused):
    X, y = classes(2)
    alike = y == "ant"
    with refused(TrainingError):
        specnet.fit(spec_of("binary_crossentropy", "validation_roc_auc"), X, y, validation=(X[alike], y[alike]))
