"""Rows for runs that go right or wrong: X, y and what the loss is, as functions of a seed."""

from __future__ import annotations

import numpy as np
from sklearn import datasets

Rows = tuple[np.ndarray, np.ndarray, str]
"""X, y, and the loss that suits y."""

BINARY, CLASSES, VALUES = "binary_crossentropy", "categorical_crossentropy", "mean_squared_error"


def moons(seed: int) -> Rows:
    return *datasets.make_moons(300, noise=0.2, random_state=seed), BINARY


def circles(seed: int) -> Rows:
    return *datasets.make_circles(300, noise=0.1, factor=0.4, random_state=seed), BINARY


def blobs(seed: int) -> Rows:
    return *datasets.make_blobs(240, 3, centers=4, cluster_std=1.5, random_state=seed), CLASSES


def iris(seed: int) -> Rows:
    return *datasets.load_iris(return_X_y=True), CLASSES


def wine(seed: int) -> Rows:
    return *datasets.load_wine(return_X_y=True), CLASSES


def cancer(seed: int) -> Rows:
    return *datasets.load_breast_cancer(return_X_y=True), BINARY


def digits(seed: int) -> Rows:
    X, y = datasets.load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(X))[:600]
    return X[chosen], y[chosen], CLASSES


def diabetes(seed: int) -> Rows:
    return *datasets.load_diabetes(return_X_y=True), VALUES


def friedman(seed: int) -> Rows:
    return *datasets.make_friedman1(400, 6, noise=1.0, random_state=seed), VALUES


def sine(seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-3, 3, (300, 2))
    return X, np.sin(X[:, 0]) + 0.3 * X[:, 1] + 0.1 * rng.normal(size=len(X)), VALUES


def linear(seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 4))
    return X, X @ [1.0, -0.5, 0.25, 0.0] + 0.2 * rng.normal(size=len(X)), VALUES


def linear_far_from_zero(seed: int) -> Rows:
    X, y, loss = linear(seed)
    return X, 5000 + 400 * y, loss


def wine_with_a_constant(seed: int) -> Rows:
    X, y, loss = wine(seed)
    return np.column_stack([X, np.full(len(X), 7.0)]), y, loss


def sine_with_constants(seed: int) -> Rows:
    X, y, loss = sine(seed)
    return np.column_stack([X, np.zeros(len(X)), np.ones(len(X))]), y, loss


def moons_given_away(seed: int) -> Rows:
    X, y, loss = moons(seed)
    return np.column_stack([X, y + 0.1 * np.random.default_rng(seed).normal(size=len(y))]), y, loss


def friedman_given_away(seed: int) -> Rows:
    X, y, loss = friedman(seed)
    return np.column_stack([X, 2 * y + 0.5 * np.random.default_rng(seed).normal(size=len(y))]), y, loss


def moons_twice(seed: int) -> Rows:
    X, y, loss = moons(seed)
    again = np.random.default_rng(seed).permutation(len(X))[:100]
    return np.concatenate([X, X[again]]), np.concatenate([y, y[again]]), loss


def friedman_twice(seed: int) -> Rows:
    X, y, loss = friedman(seed)
    return np.concatenate([X, X[:120]]), np.concatenate([y, y[:120]]), loss


def sine_in_millions(seed: int) -> Rows:
    X, y, loss = sine(seed)
    return X * [1.0, 1e6], y, loss


def sine_around_90(seed: int) -> Rows:
    X, y, loss = sine(seed)
    return 90 + 3 * X, y, loss


def rare_class(seed: int) -> Rows:
    kind = {"n_informative": 3, "weights": [0.96], "class_sep": 0.7, "flip_y": 0.01}
    return *datasets.make_classification(1000, 6, **kind, random_state=seed), BINARY


def rare_third_class(seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1, 2], [290, 290, 20]))
    centers = np.array([[0.0, 0.0], [3.0, 0.0], [1.5, 1.5]])
    return centers[y] + rng.normal(size=(len(y), 2)), y, CLASSES


def class_like_another(seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1, 2], [240, 240, 120]))
    centers = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 0.0]])
    return centers[y] + rng.normal(size=(len(y), 2)), y, CLASSES


def noise_for_labels(seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(300, 5)), rng.permutation(np.arange(300) % 2), BINARY


def noise_for_values(seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(300, 5)), rng.normal(size=300), VALUES


def shuffled_diabetes(seed: int) -> Rows:
    X, y, loss = diabetes(seed)
    return X, np.random.default_rng(seed).permutation(y), loss


def noisy_classes(seed: int, rows: int = 300) -> Rows:
    return *datasets.make_classification(rows, 15, n_informative=5, flip_y=0.2, random_state=seed), BINARY


def many_noisy_classes(seed: int) -> Rows:
    return noisy_classes(seed, 2_000)


def few_noisy_values(seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(150, 10))
    return X, X[:, 0] + 0.7 * rng.normal(size=len(X)), VALUES
