"""The point at which a network is checked: initial parameters, some rows of the spec's data, and random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from specnet.checking.derivatives import evaluate
from specnet.compiler import BATCH, Value
from specnet.errors import DataError
from specnet.network import Network
from specnet.network.programs import INPUTS, INVERSE_ROWS, INVERSE_WEIGHT, NOISE, ROW_WEIGHT, TARGET, Forward
from specnet.network.random import StepNoise
from specnet.parts.arrays import Array, check_target
from specnet.parts.losses import Loss
from specnet.running.data_rows import read_data
from specnet.running.encoding import Encoder
from specnet.spec import Spec, resolve

ROWS = 16


@dataclass(frozen=True)
class Point:
    """The point at which a network is checked: rows, initial parameters and layer states, and the noise of step 0.

    Attributes
    ----------
    network : Network
        The network in float64.
    X : (rows, inputs)
        Preprocessed rows.
    y : (rows,) or (rows, outputs)
        Targets of the rows.
    weight : (rows,) or None
        Weights of the rows.
    state : dict of str to array
        Layer states at the start of training, by name.
    source : str
        Description of the rows for users.
    """

    network: Network
    X: Array
    y: Array
    weight: Array | None
    state: dict[str, Array]
    source: str

    def __len__(self) -> int:
        return len(self.X)

    @cached_property
    def theta(self) -> Array:
        """The initial parameters, (parameter_count,)."""
        return self.network.initial_parameters()

    @cached_property
    def training(self) -> Forward:
        """Symbolic expressions of the network's values in training mode (with dropout and batch statistics)."""
        return self.network.blueprint.forward(training=True)

    @cached_property
    def evaluation(self) -> Forward:
        """Symbolic expressions of the network's values in evaluation mode (no dropout, stored statistics)."""
        return self.network.blueprint.forward(training=False)

    def loss(self, outputs: Sequence[Value], blocks: Sequence[Value]) -> Value:
        """Return the symbolic mean loss of the rows, weighted if they have weights; arguments as of the blueprint."""
        return self.network.blueprint.mean_loss(outputs, blocks, weighted=self.weight is not None)

    @cached_property
    def states(self) -> dict[str, Array]:
        """The blocks of theta, as views, and the initial layer states, by their names in programs."""
        layout = self.network.layout
        return layout.arrays(self.theta, "theta") | layout.state_arrays(self.state)

    @cached_property
    def inputs(self) -> dict[str, Array]:
        """The arrays for the inputs of the network's programs, by name."""
        loss = self.network.spec.training.loss
        columns = self.network.outputs if loss.target == "classes" else self.network.target_size
        return {
            INPUTS: self.X.T,
            TARGET: check_target(self.y, loss.target, len(self), columns),
            INVERSE_WEIGHT: np.array(1 / (len(self) if self.weight is None else self.weight.sum())),
            INVERSE_ROWS: np.array(1 / len(self)),
            **({} if self.weight is None else {ROW_WEIGHT: self.weight[None, :]}),
            **self._noise(),
        }

    @property
    def numbers(self) -> dict[str, Array]:
        """The arrays for the inputs and states of the network's programs, by name."""
        return {**self.inputs, **self.states}

    @cached_property
    def outputs(self) -> list[Array]:
        """The output of each layer in training mode, (features, rows)."""
        return self.evaluate([layer.output for layer in self.training.layers])

    def evaluate(self, outputs: list[Value]) -> list[Array]:
        """Return the arrays of symbolic values of the network."""
        return evaluate(outputs, self.numbers, len(self))

    def _noise(self) -> dict[str, Array]:
        """Return the noise of step 0 as training draws it: in the order of the inputs of its program."""
        weighted = ", weighted" * (self.weight is not None)
        bind = self.network.blueprint.backend.bind
        bound = bind(self.network.plan(f"gradient, training{weighted}"), np.float64, {BATCH: len(self)})
        noise = {name: array for name, array in bound.inputs.items() if name.startswith(NOISE)}
        StepNoise(self.network.spec.seed).fill(noise, 0)
        return noise


def point_of(spec: Spec) -> Point:
    """Return the point at which the network of a parsed spec is checked, with at most 16 rows drawn with its seed.

    They are training rows of the spec's data, preprocessed and weighted as for training; random rows without data.

    Raises
    ------
    SpecError, DataError, FileError
        If the spec's data cannot be read, or if the spec has no data and does not specify its sizes.
    """
    generator = np.random.default_rng(spec.seed)
    if spec.data is None:
        return _made(Network(resolve(spec).with_dtype("float64")), generator)
    data = read_data(spec)
    network = Network(data.resolved.with_dtype("float64"))
    rows = data.splits["train"]
    training = Encoder.fit(network, data.labels, data.preparation, rows).training_rows(rows)
    heavy = np.arange(len(training)) if training.weight is None else np.flatnonzero(training.weight)
    chosen = np.sort(generator.choice(heavy, min(ROWS, heavy.size), replace=False))
    weight = None if training.weight is None else training.weight[chosen]
    source = f"{chosen.size} of {len(training)} training rows of {spec.data.type}"
    X, y = training.X[chosen], training.target[chosen]
    return Point(network, X, y, weight, training.layer_state(network), source)


def _made(network: Network, generator: np.random.Generator) -> Point:
    """Return a point with random rows: standard normal numbers, but 0 and 1 in columns of categories."""
    X = np.zeros((ROWS, network.inputs))
    for column in X.T:
        column[:] = generator.standard_normal(ROWS)
        try:
            network.check_inputs(X)
        except DataError:
            column[:] = generator.integers(0, 2, ROWS)
    loss = network.spec.training.loss
    columns = network.outputs if loss.target == "classes" else network.target_size
    X, y = network.check_inputs(X), made_target(loss, ROWS, columns, generator)
    source = f"{ROWS} random rows (the spec has no data)"
    return Point(network, X, y, None, network.fitted_state(X, y), source)


def made_target(loss: Loss, rows: int, columns: int, generator: np.random.Generator) -> Array:
    """Return a random target for a loss: class indices below `columns`, (rows,), or numbers, (rows, columns)."""
    shape = (rows, columns)
    if loss.target == "classes":
        return generator.integers(0, columns, rows)
    if loss.target == "binary":
        return generator.integers(0, 2, shape)
    if loss.domain == "any":
        return generator.standard_normal(shape)
    positive = generator.uniform(0.1, 2, shape)
    return positive / positive.sum(1, keepdims=True) if loss.domain == "distribution" else positive
