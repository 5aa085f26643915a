"""Probabilities of classes as targets: a step of each engine against difference quotients of a loss by hand."""

import numpy as np
import pytest

import specnet
from specnet.training import TrainingRows, train
from tests.compiling import compiles

ENGINES = ["numpy", pytest.param("compiled", marks=compiles)]
ROWS, CLASSES, RATE = 7, 3, 0.5


def network(engine: str, smoothing: float = 0.0) -> specnet.Network:
    """Return a linear model of three classes that takes one step over all rows."""
    return specnet.build(
        {
            "network": {"dtype": "float64", "layer_sizes": [2, CLASSES]},
            "training": {
                "loss": {"type": "categorical_crossentropy", "label_smoothing": smoothing},
                "optimizer": {"type": "sgd", "learning_rate": RATE},
                "epochs": 1,
                "batch_size": "full",
                "engine": engine,
            },
        }
    )


def rows(*, weighted: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    generator = np.random.default_rng(0)
    X, P = generator.normal(size=(ROWS, 2)), generator.dirichlet(np.ones(CLASSES), ROWS)
    return X, P, generator.uniform(0.5, 2, ROWS) if weighted else None


def loss_by_hand(views: dict[str, np.ndarray], X: np.ndarray, P: np.ndarray, weight: np.ndarray | None) -> float:
    """Return the mean cross-entropy −Σ t·ln softmax(z), written out."""
    weights, biases = views.values()
    z = X @ weights.T + biases
    log_p = z - z.max(axis=1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    return float(np.average(-(P * log_p).sum(axis=1), weights=weight))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_step_follows_the_difference_quotients_of_the_loss_by_hand(engine, weighted, smoothing):
    made, (X, P, weight) = network(engine, smoothing), rows(weighted=weighted)
    smooth = (1 - smoothing) * P + smoothing / CLASSES
    theta = made.initial_parameters()
    after = train(made, theta, TrainingRows(X, P, weight)).theta
    slopes = np.empty_like(theta)
    for number in range(len(theta)):
        moved = [theta.copy(), theta.copy()]
        moved[0][number] += 1e-6
        moved[1][number] -= 1e-6
        high, low = (loss_by_hand(made.parameters(each), X, smooth, weight) for each in moved)
        slopes[number] = (high - low) / 2e-6
    np.testing.assert_allclose((theta - after) / RATE, slopes, atol=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_loss_of_an_epoch_is_that_by_hand(engine):
    made, (X, P, _) = network(engine), rows()
    theta = made.initial_parameters()
    (record,) = train(made, theta, TrainingRows(X, P)).history
    assert record["loss"] == pytest.approx(loss_by_hand(made.parameters(theta), X, P, None), rel=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_certain_classes_are_class_indices(engine):
    made, (X, P, _) = network(engine), rows()
    classes, theta = P.argmax(axis=1), made.initial_parameters()
    soft, hard = (train(made, theta, TrainingRows(X, each)).theta for each in (np.eye(CLASSES)[classes], classes))
    np.testing.assert_array_equal(soft, hard)
