"""Each loss against its formula written by hand, stable at extreme outputs, with the derivative that belongs to it."""

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax

from specnet.compiler import BATCH, gradients, input_value, sum_over
from specnet.parts.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss, MeanSquaredError
from specnet.parts.registry import built_in_registry
from tests.engine import STEP, evaluate

LOSSES = [
    MeanSquaredError(),
    BinaryCrossentropy(),
    BinaryCrossentropy(label_smoothing=0.2),
    BinaryCrossentropy(positive_weight=3.0),
    BinaryCrossentropy(label_smoothing=0.1, positive_weight=0.5),
    CategoricalCrossentropy(),
    CategoricalCrossentropy(label_smoothing=0.1),
]


def by_hand(loss: Loss, z: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's loss and its derivative by z."""
    outputs = len(z)
    if isinstance(loss, MeanSquaredError):
        return ((z - t) ** 2).mean(0), 2 * (z - t) / outputs
    if isinstance(loss, BinaryCrossentropy):
        t = t * (1 - loss.label_smoothing) + loss.label_smoothing / 2
        weight = loss.positive_weight
        rows = -(weight * t * log_expit(z) + (1 - t) * log_expit(-z)).mean(0)
        return rows, (-weight * t * expit(-z) + (1 - t) * expit(z)) / outputs
    hot = np.eye(outputs)[:, t[0]] * (1 - loss.label_smoothing) + loss.label_smoothing / outputs
    return -(hot * log_softmax(z, axis=0)).sum(0), softmax(z, axis=0) - hot


def symbols(loss: Loss, outputs: int):
    z = input_value("z", (outputs, BATCH))
    target = input_value("t", (1, BATCH), "index") if loss.target == "classes" else input_value("t", (outputs, BATCH))
    return z, loss.expression(z, target)


def targets(loss: Loss, outputs: int, batch: int, rng: np.random.Generator) -> np.ndarray:
    if loss.target == "classes":
        return rng.integers(0, outputs, (1, batch))
    return rng.integers(0, 2, (outputs, batch)) * 1.0 if loss.target == "binary" else rng.normal(size=(outputs, batch))


def test_every_loss_is_tried_here():
    assert {type(loss) for loss in LOSSES} == set(built_in_registry().of_kind("loss"))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_value_and_derivative(loss: Loss, outputs: int, scale: float):
    rng = np.random.default_rng(0)
    z = np.concatenate([np.zeros((outputs, 2)), rng.normal(0, scale, (outputs, 30))], axis=1)
    t = targets(loss, outputs, 32, rng)
    symbol, rows = symbols(loss, outputs)
    slope = gradients(sum_over(rows, "all"), [symbol])[symbol]
    found, gradient = evaluate([rows, slope], {"z": z, "t": t})
    expected, truth = by_hand(loss, z, t)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(found[0], expected, rtol=1e-12, atol=1e-12 * scale)
    np.testing.assert_allclose(gradient, truth, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_derivative_by_the_complex_step(loss: Loss):
    rng = np.random.default_rng(1)
    z, t = rng.normal(0, 2, (3, 20)), targets(loss, 3, 20, rng)
    symbol, rows = symbols(loss, 3)
    slope = gradients(sum_over(rows, "all"), [symbol])[symbol]
    (gradient,) = evaluate([slope], {"z": z, "t": t})
    for output in range(3):
        moved = z.astype(complex)
        moved[output] += 1j * STEP
        (value,) = evaluate([rows], {"z": moved, "t": t}, np.complex128)
        np.testing.assert_allclose(gradient[output], value[0].imag / STEP, rtol=1e-12, atol=1e-13)


def test_smoothing_is_left_out_of_evaluation():
    for loss in LOSSES:
        z = np.random.default_rng(2).normal(size=(2, 9))
        t = targets(loss, 2, 9, np.random.default_rng(3))
        _, rows = symbols(loss.for_evaluation(), 2)
        plain = type(loss)(**loss.model_dump(exclude={"type", "label_smoothing"}))
        np.testing.assert_allclose(evaluate([rows], {"z": z, "t": t})[0][0], by_hand(plain, z, t)[0], rtol=1e-12)
