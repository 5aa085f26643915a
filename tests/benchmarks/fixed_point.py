"""Fixed point: the bound beside the largest difference on a million rows, and accuracies on test rows.

Run with ``python -m tests.benchmarks.fixed_point [TABLE.csv …]``, tables whose columns are numbers but for the last
one, the label; the exit status is 1 if a bound is missed. It takes some minutes.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

from specnet import Model, SpecClassifier, SpecnetWarning
from specnet.exporting.fixed.fixed_c import label_threshold
from specnet.exporting.fixed.fixed_network import WIDTHS, FixedNetwork
from specnet.parts.arrays import Array

ROWS, PIECE = 1_000_000, 50_000
MAX_RATIO, MAX_LOSS = 20.0, 0.2
"""The largest bound, in multiples of the largest difference, and the largest loss of accuracy in int16, in points."""


def tables(files: list[str]) -> Iterator[tuple[str, Array, Array]]:
    """Yield the name, the columns and the labels of tables."""
    for load in (load_breast_cancer, load_wine, load_digits):
        X, y = load(return_X_y=True)
        yield load.__name__.removeprefix("load_"), X, y
    for file in files:
        table = pandas.read_csv(file).dropna()
        yield Path(file).stem, table.iloc[:, :-1].to_numpy(np.float64), table.iloc[:, -1].to_numpy(str)


def trained(X: Array, y: Array) -> Model:
    """Return a network of two hidden layers of 32 units."""
    spec = {
        "seed": 0,
        "network": {"hidden_layer_sizes": [32, 32], "preprocessing": ["standardize"]},
        "training": {"epochs": 60},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecnetWarning)
        return SpecClassifier(spec).fit(X, y).model_


def largest_difference(network: FixedNetwork) -> Array:
    """Return the largest difference of each output from the model's, on random rows within the box."""
    generator, found = np.random.default_rng(0), np.zeros(len(network.bound))
    for _ in range(ROWS // PIECE):
        rows = generator.uniform(network.low, network.high, (PIECE, len(network.low)))
        found = np.maximum(found, np.abs(network.differences(rows)).max(axis=0))
    return found


def accuracy(network: FixedNetwork, X: Array, labels: Array) -> float:
    """Return the accuracy in percent of what a network in fixed point predicts."""
    outputs = network.emulated(network.integers(X))
    classes = network.model.labels
    assert classes is not None, "it is a classifier"
    is_two = outputs.shape[1] == 1
    index = (outputs[:, 0] >= label_threshold(network)).astype(int) if is_two else outputs.argmax(axis=1)
    return float(100 * (classes[index] == labels).mean())


def main() -> int:
    """Print the figures."""
    is_met = True
    for name, X, y in tables(sys.argv[1:]):
        train_rows, test_rows, train_labels, test_labels = train_test_split(X, y, random_state=0, stratify=y)
        model = trained(train_rows, train_labels)
        percent = float(100 * (model.predict(test_rows) == test_labels).mean())
        for kind in WIDTHS:
            network = FixedNetwork(model, kind, train_rows)
            seen, own = largest_difference(network), accuracy(network, test_rows, test_labels)
            ratio = float((network.bound / seen).max())
            is_met &= (seen <= network.bound).all() and ratio <= MAX_RATIO
            is_met &= kind != "int16" or abs(own - percent) <= MAX_LOSS
            figures = f"bound {network.bound.max():.2g}, seen {seen.max():.2g}, {ratio:.1f} ×"
            print(f"{name:14} {kind:5} {figures}; test accuracy {percent:.2f} % → {own:.2f} %", flush=True)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
