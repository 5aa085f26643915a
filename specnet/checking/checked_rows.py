"""The rows on which a network is checked: some of the spec's own, or made ones where it has no data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specnet.errors import DataError
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.running.data_rows import read_data
from specnet.running.encoding import Encoder
from specnet.spec import Spec, resolve

ROWS = 16


@dataclass(frozen=True)
class CheckedRows:
    """A network in float64, and rows as it reads them.

    Attributes
    ----------
    network : Network
    X : (rows, inputs)
        Preprocessed.
    y : (rows,) or (rows, outputs)
    weight : (rows,) or None
    state : dict of str to array
        What the layers keep at the start of training.
    source : str
        Where the rows come from, in words.
    """

    network: Network
    X: Array
    y: Array
    weight: Array | None
    state: dict[str, Array]
    source: str

    def __len__(self) -> int:
        return len(self.X)


def rows_to_check(spec: Spec) -> CheckedRows:
    """Return at most 16 rows for a parsed spec, chosen or made by its seed.

    The spec's own are training rows, prepared and weighted as training would have them.

    Raises
    ------
    SpecError, DataError, FileError
        If the spec has data that cannot be read, or has none and leaves its sizes open.
    """
    generator = np.random.default_rng(spec.seed)
    if spec.data is None:
        return _made(Network(resolve(spec).with_dtype("float64")), generator)
    data = read_data(spec)
    network = Network(data.resolved.with_dtype("float64"))
    _, training = Encoder.fit(network, data.labels, data.preparation, data.splits["train"])
    heavy = np.arange(len(training)) if training.weight is None else np.flatnonzero(training.weight)
    chosen = np.sort(generator.choice(heavy, min(ROWS, heavy.size), replace=False))
    weight = None if training.weight is None else training.weight[chosen]
    source = f"{chosen.size} of {len(training)} training rows of {spec.data.type}"
    X, y = training.X[chosen], training.target[chosen]
    return CheckedRows(network, X, y, weight, network.fitted_state(training.X), source)


def _made(network: Network, generator: np.random.Generator) -> CheckedRows:
    X = _made_columns(network, generator)
    source = f"{ROWS} random rows (the spec has no data)"
    return CheckedRows(network, X, made_target(network, ROWS, generator), None, network.fitted_state(X), source)


def _made_columns(network: Network, generator: np.random.Generator) -> Array:
    """Return rows of standard normal numbers; of 0 and 1 in columns where a layer wants categories."""
    X = np.zeros((ROWS, network.inputs))
    for column in X.T:
        column[:] = generator.standard_normal(ROWS)
        if not _are_readable(network, X):
            column[:] = generator.integers(0, 2, ROWS)
    return network.check_inputs(X)


def _are_readable(network: Network, X: Array) -> bool:
    try:
        network.check_inputs(X)
    except DataError:
        return False
    return True


def made_target(network: Network, rows: int, generator: np.random.Generator) -> Array:
    """Return a target that a network's loss takes."""
    loss = network.spec.training.loss
    if loss.target == "classes":
        return generator.integers(0, network.outputs, rows)
    shape = (rows, network.target_size)
    if loss.target == "binary":
        return generator.integers(0, 2, shape)
    if loss.domain == "any":
        return generator.standard_normal(shape)
    positive = generator.uniform(0.1, 2, shape)
    return positive / positive.sum(1, keepdims=True) if loss.domain == "distribution" else positive
