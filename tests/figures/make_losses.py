"""Losses of rows and their derivatives from PyTorch, scikit-learn and Keras, in float64.

`python tests/figures/make_losses.py`, in an environment with the `peers` extra, writes `losses.json` beside this file.
Arrays are (outputs, rows). A figure that is not finite, or whose derivative a library takes from the other side of a
kink, is written as null.

What PyTorch has no function for is composed of its functions, and the values are compared with those of scikit-learn or
Keras, where these do not clip.
"""

import json
import os
from collections.abc import Callable
from itertools import product
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import sklearn
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from sklearn._loss.loss import HalfGammaLoss, HalfTweedieLoss, PinballLoss

keras.config.set_floatx("float64")
POINTS = [0.0, 1e-8, -1e-8, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 20.0, -20.0, 1000.0, -1000.0]
Figures = tuple[np.ndarray, np.ndarray]


def ordinary(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.round(rng.normal(0, 2, shape) * 64) / 64  # exact in float32 too


def cases_of_numbers(*targets: float) -> list[Figures]:
    """One output at every point with each target, and three outputs at ordinary points."""
    rng = np.random.default_rng(0)
    z, t = np.array([*product(POINTS, targets)]).T[:, None]
    return [(z, t), (ordinary(rng, 3, 8), rng.choice(targets, (3, 8)))]


def cases_of_vectors() -> list[Figures]:
    """Two outputs: equal ones at every point, and one of them with 3; three at ordinary points."""
    rng = np.random.default_rng(3)
    z = np.array([[point, other] for point in POINTS for other in (point, 3.0)]).T
    t = np.array([[1.0, 2.0], [0.0, 0.5], [0.0, 0.0]])[np.arange(z.shape[1]) % 3].T
    return [(z, t), (ordinary(rng, 3, 8), ordinary(rng, 3, 8))]


def cases_of_classes() -> list[Figures]:
    """Three outputs, the target as one-hot columns."""
    rng = np.random.default_rng(1)
    extreme = np.array([[0.5, 0, -0.5], [20, -20, 3], [1000, -1000, 1], [-1000, 1000, 0], [1, -3, 20]])
    z = np.concatenate([np.repeat(extreme, 3, 0).T, ordinary(rng, 3, 9)], axis=1)
    return [(z, np.eye(3)[:, np.arange(z.shape[1]) % 3])]


def cases_of_distributions() -> list[Figures]:
    ((z, hot),) = cases_of_classes()
    soft = np.array([[0.25, 0.25, 0.5], [0, 0.125, 0.875], [1, 0, 0]])
    return [(z, hot), (z, soft[np.arange(z.shape[1]) % 3].T)]


def cases_of_means_and_variances() -> list[Figures]:
    means, log_variances, targets = np.array([*product(POINTS, [0.0, 0.5, -3.0, 3.0, 20.0, -20.0, 1000.0], [0, 3])]).T
    rng = np.random.default_rng(2)
    one = (np.stack([means, log_variances]), targets[None])
    return [one, (ordinary(rng, 4, 8), ordinary(rng, 2, 8))]


NUMBERS = cases_of_numbers(0.0, 0.5, -3.0)
COUNTS = cases_of_numbers(0.0, 1.0, 3.0)
AMOUNTS = cases_of_numbers(0.5, 1.0, 3.0)
BINARY = cases_of_numbers(0.0, 1.0)
CLASSES = cases_of_classes()


def mean(function: Callable, **options: object) -> Callable:
    """The mean over outputs of a PyTorch function of numbers."""
    return lambda z, t: function(z, t, reduction="none", **options).mean(0)


def kl_divergence(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return F.kl_div(F.log_softmax(z, 0), t, reduction="none").sum(0)


def smoothed_binary(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return mean(F.binary_cross_entropy_with_logits, pos_weight=torch.tensor(3.0))(z, t * 0.75 + 0.125)


def categorical(smoothing: float) -> Callable:
    return lambda z, t: F.cross_entropy(z.T, t.argmax(0), reduction="none", label_smoothing=smoothing)


def log_cosh(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return (torch.logaddexp(z - t, t - z) - np.log(2)).mean(0)


def cosine_similarity(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return -F.cosine_similarity(z, t, dim=0)


def msle(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(torch.log1p(F.relu(z)), torch.log1p(t), reduction="none").mean(0)


def gaussian_nll(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    means, log_variances = z.chunk(2)
    return F.gaussian_nll_loss(means, t, log_variances.exp().clamp_min(1e-6), eps=1e-6, reduction="none").mean(0)


def binary_focal(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    p = torch.sigmoid(z)
    wrong = t * torch.sigmoid(-z) + (1 - t) * p
    weight = 0.25 * t + 0.75 * (1 - t)
    return (weight * wrong**2 * F.binary_cross_entropy_with_logits(z, t, reduction="none")).mean(0)


def categorical_focal(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    log_p = F.log_softmax(z, 0)
    return -(t * 0.25 * (1 - log_p.exp()) ** 2 * log_p).sum(0)


def hinge(power: int) -> Callable:
    return lambda z, t: (F.relu(1 - (2 * t - 1) * z) ** power).mean(0)


def categorical_hinge(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return F.relu(1 + ((1 - t) * z).amax(0) - (t * z).sum(0))


def by_torch(function: Callable) -> Callable[[np.ndarray, np.ndarray], Figures]:
    """Rows and derivatives of a function of PyTorch's arrays."""

    def figures(z: np.ndarray, t: np.ndarray) -> Figures:
        x = torch.tensor(z, requires_grad=True)
        rows = function(x, torch.tensor(t))
        assert rows.dtype == torch.float64
        (gradient,) = torch.autograd.grad(rows.sum(), x)
        return rows.detach().numpy(), gradient.numpy()

    return figures


def by_scikit_learn(loss: object) -> Callable[[np.ndarray, np.ndarray], Figures]:
    """Rows and derivatives, the mean over outputs, of one of the losses of scikit-learn's own models."""

    def figures(z: np.ndarray, t: np.ndarray) -> Figures:
        value, gradient = loss.loss_gradient(y_true=t.ravel().copy(), raw_prediction=z.ravel().copy())
        gradient[(z == t).ravel() & isinstance(loss, PinballLoss)] = np.nan  # taken from the other side
        return value.reshape(z.shape).mean(0), gradient.reshape(z.shape) / len(z)

    return figures


FUNCTIONS = [
    ({"type": "mean_squared_error"}, by_torch(mean(F.mse_loss)), NUMBERS),
    ({"type": "mean_absolute_error"}, by_torch(mean(F.l1_loss)), NUMBERS),
    ({"type": "huber"}, by_torch(mean(F.huber_loss)), NUMBERS),
    ({"type": "huber", "delta": 0.5}, by_torch(mean(F.huber_loss, delta=0.5)), NUMBERS),
    ({"type": "log_cosh"}, by_torch(log_cosh), NUMBERS),
    ({"type": "mean_squared_logarithmic_error"}, by_torch(msle), COUNTS),
    ({"type": "quantile"}, by_scikit_learn(PinballLoss(quantile=0.5)), NUMBERS),
    ({"type": "quantile", "quantile": 0.9}, by_scikit_learn(PinballLoss(quantile=0.9)), NUMBERS),
    ({"type": "cosine_similarity"}, by_torch(cosine_similarity), cases_of_vectors()),
    ({"type": "poisson"}, by_torch(mean(F.poisson_nll_loss)), COUNTS),
    ({"type": "gamma"}, by_scikit_learn(HalfGammaLoss()), AMOUNTS),
    ({"type": "tweedie"}, by_scikit_learn(HalfTweedieLoss(power=1.5)), COUNTS),
    ({"type": "tweedie", "power": 1.25}, by_scikit_learn(HalfTweedieLoss(power=1.25)), COUNTS),
    ({"type": "gaussian_nll"}, by_torch(gaussian_nll), cases_of_means_and_variances()),
    ({"type": "kl_divergence"}, by_torch(kl_divergence), cases_of_distributions()),
    ({"type": "binary_crossentropy"}, by_torch(mean(F.binary_cross_entropy_with_logits)), BINARY),
    (
        {"type": "binary_crossentropy", "label_smoothing": 0.25, "positive_weight": 3.0},
        by_torch(smoothed_binary),
        BINARY,
    ),
    ({"type": "binary_focal_crossentropy"}, by_torch(binary_focal), BINARY),
    ({"type": "hinge"}, by_torch(hinge(1)), BINARY),
    ({"type": "squared_hinge"}, by_torch(hinge(2)), BINARY),
    ({"type": "categorical_crossentropy"}, by_torch(categorical(0.0)), CLASSES),
    ({"type": "categorical_crossentropy", "label_smoothing": 0.25}, by_torch(categorical(0.25)), CLASSES),
    ({"type": "categorical_focal_crossentropy"}, by_torch(categorical_focal), CLASSES),
    ({"type": "categorical_hinge"}, by_torch(categorical_hinge), CLASSES),
]


def focal_of_keras(t: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return keras.losses.binary_focal_crossentropy(t, z, from_logits=True, apply_class_balancing=True)


COMPOSED = [
    (log_cosh, keras.losses.log_cosh, NUMBERS, {}),
    (msle, keras.losses.mean_squared_logarithmic_error, COUNTS, {}),
    (binary_focal, focal_of_keras, BINARY, {}),
    (categorical_focal, keras.losses.categorical_focal_crossentropy, CLASSES, {"from_logits": True}),
    (hinge(1), keras.losses.hinge, BINARY, {}),
    (hinge(2), keras.losses.squared_hinge, BINARY, {}),
    (categorical_hinge, keras.losses.categorical_hinge, CLASSES, {}),
]


def check_what_is_composed() -> None:
    """Compare with Keras where it does not clip: at numbers up to 5, and to its 1e-7."""
    for function, of_keras, cases, options in COMPOSED:
        for z, t in cases:
            near = (abs(z) < 5).all(0)
            outputs, targets = torch.tensor(z[:, near]), torch.tensor(t[:, near])
            expected = of_keras(targets.T, outputs.T, **options)  # rows come first
            torch.testing.assert_close(function(outputs, targets), expected, rtol=1e-5, atol=1e-6, check_dtype=False)


def listed(array: np.ndarray) -> list:
    """The numbers, null for those that are not finite."""
    return np.where(np.isfinite(array), array, None).tolist()


def main() -> None:
    check_what_is_composed()
    versions = {module.__name__: module.__version__ for module in (torch, keras, sklearn, np)}
    losses = []
    for spec, function, cases in FUNCTIONS:
        for z, t in cases:
            with np.errstate(all="ignore"):
                rows, gradient = function(z, t)
            figures = {"output": z.tolist(), "target": t.tolist(), "rows": listed(rows), "gradient": listed(gradient)}
            losses.append({"loss": spec, **figures})
    Path(__file__).with_name("losses.json").write_text(json.dumps({"versions": versions, "losses": losses}) + "\n")


if __name__ == "__main__":
    main()
