"""Each loss against its formula written by hand, figures of other libraries, and the complex step."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, logsumexp, softmax, xlogy

from specnet.compiler import BATCH, gradients, input_value, sum_over
from specnet.parts.losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    Huber,
    Loss,
    Quantile,
    Tweedie,
)
from specnet.parts.registry import built_in_registry
from tests.engine import STEP, evaluate

NAMES = {
    "mean_squared_error",
    "mse",
    "squared_error",
    "mean_absolute_error",
    "mae",
    "huber",
    "log_cosh",
    "mean_squared_logarithmic_error",
    "msle",
    "quantile",
    "pinball",
    "poisson",
    "gamma",
    "tweedie",
    "gaussian_nll",
    "binary_crossentropy",
    "bce",
    "log_loss",
    "categorical_crossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "kl_divergence",
    "cosine_similarity",
}
OUTPUT_ACTIVATIONS = {
    "sigmoid": {"binary_crossentropy", "binary_focal_crossentropy"},
    "softmax": {"categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence"},
    "exponential": {"poisson", "gamma", "tweedie"},
    "softplus": {"mean_squared_logarithmic_error"},
}
FIGURES = json.loads((Path(__file__).parents[1] / "figures" / "losses.json").read_text())["losses"]
REGISTRY = built_in_registry()
PARTS = REGISTRY.of_kind("loss")
LOSSES = [
    *(part() for part in PARTS),
    Huber(delta=0.3),
    Quantile(quantile=0.9),
    Tweedie(power=1.2),
    BinaryCrossentropy(label_smoothing=0.2),
    BinaryCrossentropy(positive_weight=3.0),
    BinaryCrossentropy(label_smoothing=0.1, positive_weight=0.5),
    BinaryFocalCrossentropy(gamma=0.0, alpha=0.5),
    BinaryFocalCrossentropy(gamma=1.5),
    CategoricalCrossentropy(label_smoothing=0.1),
    CategoricalFocalCrossentropy(gamma=0.0, alpha=1.0),
    CategoricalFocalCrossentropy(gamma=1.5),
]
KINKS = (0.0, 0.7, 1.0, 1.3, 2.0, -1.0, np.log(1e-6))
OVERFLOWING = {"poisson", "gamma", "tweedie"}
"""At 1000, as they must."""


def binary_crossentropy(loss, z, t):
    t = t * (1 - loss.label_smoothing) + loss.label_smoothing / 2
    weight = loss.positive_weight
    rows = -(weight * t * log_expit(z) + (1 - t) * log_expit(-z))
    return rows, -weight * t * expit(-z) + (1 - t) * expit(z)


def binary_focal_crossentropy(loss, z, t):
    gamma, margin = loss.gamma, np.where(t == 1, z, -z)
    weight, right, wrong = np.where(t == 1, loss.alpha, 1 - loss.alpha), log_expit(margin), expit(-margin)
    slope = weight * wrong**gamma * (gamma * expit(margin) * right - wrong)
    return -weight * wrong**gamma * right, slope * np.where(t == 1, 1, -1)


def gaussian_nll(loss, z, t):
    d, s = z[: len(t)] - t, np.maximum(z[len(t) :], np.log(1e-6))
    by_variance = (1 - d * d * np.exp(-s)) / 2 * (z[len(t) :] > np.log(1e-6))
    return (s + d * d * np.exp(-s)) / 2, np.concatenate([d * np.exp(-s), by_variance])


def huber(loss, z, t):
    d, delta = z - t, loss.delta
    return np.where(abs(d) <= delta, d * d / 2, delta * (abs(d) - delta / 2)), np.clip(d, -delta, delta)


def msle(loss, z, t):
    d = np.log1p(np.maximum(z, 0)) - np.log1p(t)
    return d * d, np.where(z > 0, 2 * d / (1 + np.maximum(z, 0)), 0)


def quantile(loss, z, t):
    q = loss.quantile
    return np.where(t > z, q * (t - z), (q - 1) * (t - z)), np.where(t > z, -q, 1 - q)


def tweedie(loss, z, t):
    p = loss.power
    return np.exp((2 - p) * z) / (2 - p) - t * np.exp((1 - p) * z) / (1 - p), np.exp((2 - p) * z) - t * np.exp(
        (1 - p) * z
    )


# By name, for losses that are a mean over the targets: the terms and their derivatives by z.
MEANS = {
    "mean_squared_error": lambda loss, z, t: ((z - t) ** 2, 2 * (z - t)),
    "mean_absolute_error": lambda loss, z, t: (abs(z - t), np.sign(z - t)),
    "huber": huber,
    "log_cosh": lambda loss, z, t: (np.logaddexp(z - t, t - z) - np.log(2), np.tanh(z - t)),
    "mean_squared_logarithmic_error": msle,
    "quantile": quantile,
    "poisson": lambda loss, z, t: (np.exp(z) - t * z, np.exp(z) - t),
    "gamma": lambda loss, z, t: (t * np.exp(-z) + z, 1 - t * np.exp(-z)),
    "tweedie": tweedie,
    "gaussian_nll": gaussian_nll,
    "binary_crossentropy": binary_crossentropy,
    "binary_focal_crossentropy": binary_focal_crossentropy,
    "hinge": lambda loss, z, t: (np.maximum(1 - (2 * t - 1) * z, 0), np.where((2 * t - 1) * z < 1, 1 - 2 * t, 0)),
    "squared_hinge": lambda loss, z, t: (
        np.maximum(1 - (2 * t - 1) * z, 0) ** 2,
        2 * np.maximum(1 - (2 * t - 1) * z, 0) * (1 - 2 * t),
    ),
}


def categorical_crossentropy(loss, z, t):
    hot = np.eye(len(z))[:, t[0]] * (1 - loss.label_smoothing) + loss.label_smoothing / len(z)
    return -(hot * log_softmax(z, axis=0)).sum(0), softmax(z, axis=0) - hot


def categorical_focal_crossentropy(loss, z, t):
    hot, log_p, gamma = np.eye(len(z))[:, t[0]], log_softmax(z, axis=0), loss.gamma
    right = (hot * log_p).sum(0)
    wrong = np.exp(logsumexp(np.where(hot == 1, -np.inf, z), axis=0) - logsumexp(z, axis=0))
    by_right = gamma * wrong ** (gamma - 1) * np.exp(right) * right - wrong**gamma if gamma else -1
    return -loss.alpha * wrong**gamma * right, loss.alpha * by_right * (hot - np.exp(log_p))


def categorical_hinge(loss, z, t):
    hot = np.eye(len(z))[:, t[0]]
    others = (1 - hot) * z
    rows = np.maximum(1 + others.max(0) - (hot * z).sum(0), 0)
    highest = (others == others.max(0)) / (others == others.max(0)).sum(0)
    return rows, np.where(rows > 0, highest * (1 - hot) - hot, 0)


def kl_divergence(loss, z, t):
    return (xlogy(t, t) - t * log_softmax(z, axis=0)).sum(0), softmax(z, axis=0) - t


def cosine_similarity(loss, z, t):
    of_z, of_t = (np.maximum(np.sqrt((x * x).sum(0)), 1e-8) for x in (z, t))
    cosine = (z * t).sum(0) / (of_z * of_t)
    return -cosine, -t / (of_z * of_t) + cosine * z / of_z**2 * (of_z > 1e-8)


# By name, for the others: each row's loss and its derivatives by z.
ROWS = {
    "categorical_crossentropy": categorical_crossentropy,
    "categorical_focal_crossentropy": categorical_focal_crossentropy,
    "categorical_hinge": categorical_hinge,
    "kl_divergence": kl_divergence,
    "cosine_similarity": cosine_similarity,
}


def by_hand(loss: Loss, z: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's loss and its derivative by z."""
    if loss.type in ROWS:
        return ROWS[loss.type](loss, z, t)
    terms, slopes = MEANS[loss.type](loss, z, t)
    return terms.mean(0), slopes / len(t)


def symbols(loss: Loss, outputs: int):
    z = input_value("z", (outputs * loss.outputs_per_target, BATCH))
    target = input_value("t", (1, BATCH), "index") if loss.target == "classes" else input_value("t", (outputs, BATCH))
    return z, loss.expression(z, target)


def targets(loss: Loss, outputs: int, batch: int, rng: np.random.Generator) -> np.ndarray:
    if loss.target == "classes":
        return rng.integers(0, outputs, (1, batch))
    if loss.target == "binary":
        return rng.integers(0, 2, (outputs, batch)) * 1.0
    if loss.domain == "distribution":
        return rng.dirichlet(np.ones(outputs), batch).T * 1.0
    if loss.domain == "not negative":
        return rng.poisson(1.0, (outputs, batch)) * 1.0
    return rng.gamma(1.0, 1.0, (outputs, batch)) if loss.domain == "positive" else rng.normal(size=(outputs, batch))


def test_no_name_of_the_catalogue_is_missing():
    assert set(REGISTRY.names("loss")) == NAMES
    found = {alias: REGISTRY.find("loss", alias).part_name() for part in PARTS for alias in part.aliases}
    assert found == {
        "mse": "mean_squared_error",
        "squared_error": "mean_squared_error",
        "mae": "mean_absolute_error",
        "msle": "mean_squared_logarithmic_error",
        "pinball": "quantile",
        "bce": "binary_crossentropy",
        "log_loss": "binary_crossentropy",
    }


def test_every_loss_has_a_formula_and_figures_here():
    names = {part.part_name() for part in PARTS}
    assert names == {*MEANS, *ROWS} == {entry["loss"]["type"] for entry in FIGURES}


def test_output_activations():
    for part in PARTS:
        name = part.part_name()
        known = next((activation for activation, names in OUTPUT_ACTIVATIONS.items() if name in names), "linear")
        assert part.output_activation == known
        assert part.accepted_activations in (None, {known})
        assert REGISTRY.find("activation", known) is not None


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_value_and_derivative(loss: Loss, outputs: int, scale: float):
    if outputs == 1 and loss.target == "classes":
        outputs = 2
    scale = min(scale, 20) if loss.type in OVERFLOWING else scale
    rng = np.random.default_rng(0)
    size = outputs * loss.outputs_per_target
    z = np.concatenate([np.zeros((size, 2)), rng.normal(0, scale, (size, 30))], axis=1)
    t = targets(loss, outputs, 32, rng)
    symbol, rows = symbols(loss, outputs)
    slope = gradients(sum_over(rows, "all"), [symbol])[symbol]
    found, gradient = evaluate([rows, slope], {"z": z, "t": t})
    expected, truth = by_hand(loss, z, t)
    assert np.isfinite(found).all()
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(found[0], expected, rtol=1e-12, atol=1e-12 * scale)
    np.testing.assert_allclose(gradient, truth, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("figures", FIGURES, ids=lambda figures: str(figures["loss"]))
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-5)])
def test_figures_of_the_libraries(figures: dict, dtype, tolerance):
    fields = dict(figures["loss"])
    loss = REGISTRY.find("loss", fields["type"])(**fields)
    z, t = np.array(figures["output"]), np.array(figures["target"])
    symbol, rows = symbols(loss, len(z) // loss.outputs_per_target)
    slope = gradients(sum_over(rows, "all"), [symbol])[symbol]
    t = t.argmax(0)[None] if loss.target == "classes" else t
    found, gradient = evaluate([rows, slope], {"z": z, "t": t}, dtype)
    compare(found[0], figures["rows"], tolerance, dtype)
    compare(gradient, figures["gradient"], tolerance, dtype)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_derivative_by_the_complex_step(loss: Loss):
    rng = np.random.default_rng(1)
    z, t = rng.normal(0, 2, (3 * loss.outputs_per_target, 20)), targets(loss, 3, 20, rng)
    symbol, rows = symbols(loss, 3)
    slope = gradients(sum_over(rows, "all"), [symbol])[symbol]
    (gradient,) = evaluate([slope], {"z": z, "t": t})
    for output in range(len(z)):
        moved = z.astype(complex)
        moved[output] += 1j * STEP
        (value,) = evaluate([rows], {"z": moved, "t": t}, np.complex128)
        np.testing.assert_allclose(gradient[output], value[0].imag / STEP, rtol=1e-12, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_derivative_at_a_kink_lies_between_the_one_sided_differences(loss: Loss):
    h = 1e-7
    outputs = 2 if loss.target == "classes" or loss.domain == "distribution" else 1
    t = np.zeros((1, 1), int) if loss.target == "classes" else np.eye(outputs)[:1].T
    symbol, rows = symbols(loss, outputs)
    slope = gradients(sum_over(rows, "all"), [symbol])[symbol]
    for kink in KINKS[loss.type == "cosine_similarity" :]:  # its derivative at 0 holds up to a length of 1e-8 only
        at_kink = np.full((outputs * loss.outputs_per_target, 1), kink)
        middle, gradient = evaluate([rows, slope], {"z": at_kink, "t": t})
        for place in range(len(at_kink)):
            step = h * (np.arange(len(at_kink)) == place)[:, None]
            right, left = (evaluate([rows], {"z": at_kink + sign * step, "t": t})[0] for sign in (1, -1))
            low, high = sorted(((middle - left).item() / h, (right - middle).item() / h))
            slack = 1e-6 * max(1, abs(low), abs(middle.item()))
            assert low - slack <= gradient[place, 0] <= high + slack


def test_smoothing_is_left_out_of_evaluation():
    for loss in LOSSES:
        z = np.random.default_rng(2).normal(size=(2 * loss.outputs_per_target, 9))
        t = targets(loss, 2, 9, np.random.default_rng(3))
        _, rows = symbols(loss.for_evaluation(), 2)
        plain = type(loss)(**loss.model_dump(exclude={"type", "label_smoothing"}))
        np.testing.assert_allclose(evaluate([rows], {"z": z, "t": t})[0][0], by_hand(plain, z, t)[0], rtol=1e-12)


def compare(ours: np.ndarray, theirs: list, tolerance: float, dtype: type) -> None:
    """Hold ours to a library's figures where these are finite: relative to each, or a few units of rounding at 1."""
    with np.errstate(over="ignore"):
        expected = np.array(theirs, float).astype(dtype)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(ours[finite], expected[finite], rtol=tolerance, atol=8 * np.finfo(dtype).eps)
