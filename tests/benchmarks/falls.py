"""Falls of rounded predictions in networks with directions: `python -m tests.benchmarks.falls`, in the repository.

Networks of two hidden layers with random parameters predict pairs of rows of which the second must not be lower. Half
of the pairs differ by an ulp to 10⁻⁶, and both are at the same position of a batch. The exit status is 1 if a
prediction falls by more than 4 units of its last place.
"""

import sys

import numpy as np

import specnet
from tests.benchmarks.report import Report, installed_versions

ACTIVATIONS, DTYPES, ENGINES = ("relu", "elu", "softplus", "tanh"), ("float32", "float64"), ("numpy", "compiled")
ROWS, DRAWS = 20_000, 5
MOST = 4


def pairs(rng: np.random.Generator, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, and rows with a higher first and a lower third column."""
    low = rng.normal(size=(ROWS, 4)).astype(dtype)
    step = (rng.random(ROWS) * np.where(rng.random(ROWS) < 0.5, 1e-6, 1)).astype(dtype)
    high = low.copy()
    high[:, 0] = np.maximum(np.nextafter(low[:, 0], np.inf, dtype=low.dtype), low[:, 0] + step)
    high[:, 2] -= step
    return low, high


def main() -> int:
    report, worst = Report(), 0.0
    print(installed_versions())
    report.table("activation", "dtype", "engine", "pairs", "falls", "largest fall in ulps")
    for activation, dtype, engine in ((a, d, e) for a in ACTIVATIONS for d in DTYPES for e in ENGINES):
        sizes = {"input_size": 4, "hidden_layer_sizes": [32, 32], "output_size": 1}
        network = {
            **sizes,
            "activations": activation,
            "dtype": dtype,
            "monotone": {"0": "increasing", "2": "decreasing"},
        }
        net = specnet.build({"network": network, "training": {"loss": "mean_squared_error", "engine": engine}})
        rng, falls = np.random.default_rng(0), []
        for _ in range(DRAWS):
            theta = rng.normal(size=net.parameter_count).astype(dtype)
            before, after = (net.predict(theta, rows)[:, 0] for rows in pairs(rng, dtype))
            falls.append((before - after) / np.spacing(np.maximum(np.abs(before), np.abs(after))))
        found = np.concatenate(falls)
        worst = max(worst, float(found.max()))
        report.row(activation, dtype, engine, str(len(found)), str((found > 0).sum()), f"{max(found.max(), 0):.0f}")
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
