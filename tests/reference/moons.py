"""The reference run in twenty lines of NumPy, nothing shared with specnet: what `specs/moons.toml` must reproduce."""

import numpy as np
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split


def reference_run(steps: int = 20_000, rate: float = 0.003) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The final parameters by specnet's names, and the loss before each update and after the last, (steps + 1,)."""
    X, y = make_moons(300, noise=0.20, random_state=0)
    X, _, y, _ = train_test_split(X, y, test_size=0.2, random_state=0)
    draw = np.random.RandomState(0).randn
    W, w = draw(5, 2) / np.sqrt(2), draw(1, 5) / np.sqrt(5)
    b, c = np.zeros(5), np.zeros(1)
    losses = []
    while True:
        Z = X @ W.T + b  # (rows, 5)
        z = (np.maximum(Z, 0) @ w.T + c)[:, 0]  # (rows,)
        losses.append(np.mean(np.logaddexp(0, z) - y * z))
        if len(losses) > steps:
            names = ("layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias")
            return dict(zip(names, (W, b, w, c), strict=True)), np.array(losses)
        d = (1 / (1 + np.exp(-z)) - y) / len(y)  # dloss/dz
        D = np.outer(d, w) * (Z > 0)  # dloss/dZ
        w, c = w - rate * (d @ np.maximum(Z, 0))[None], c - rate * d.sum(keepdims=True)
        W, b = W - rate * D.T @ X, b - rate * D.sum(0)
