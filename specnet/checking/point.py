"""A network at its initial parameters: the arrays that its programs read, filled once for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np

from specnet.checking.checked_rows import CheckedRows
from specnet.compiler import BATCH, NUMPY, Value, plan
from specnet.network.programs import INPUTS, INVERSE_ROWS, INVERSE_WEIGHT, NOISE, ROW_WEIGHT, TARGET, Forward
from specnet.network.random import StepNoise
from specnet.parts.arrays import Array, check_target


class Point:
    """The place at which a network is looked at: rows, initial parameters and states, and the noise of step 0.

    Attributes
    ----------
    rows : CheckedRows
    theta : (parameter_count,)
    training, evaluation : Forward
        The network's values while training, and otherwise.
    """

    def __init__(self, rows: CheckedRows) -> None:
        self.rows, self.network = rows, rows.network
        self.theta = self.network.initial_parameters()
        blueprint = self.network.blueprint
        self.training, self.evaluation = blueprint.forward(training=True), blueprint.forward(training=False)

    def loss(self, forward: Forward) -> Value:
        """Return the mean loss of the rows, as they are weighted."""
        return self.network.blueprint.mean_loss(forward, weighted=self.rows.weight is not None)

    def states(self) -> dict[str, Array]:
        """Return theta's blocks, as views of it, and the layers' initial states, by the names that programs use."""
        layout = self.network.layout
        return layout.arrays(self.theta, "theta") | layout.state_arrays(self.rows.state)

    @cached_property
    def inputs(self) -> dict[str, Array]:
        """What the inputs of the network's programs hold, by name."""
        rows = self.rows
        total = len(rows) if rows.weight is None else rows.weight.sum()
        loss = self.network.spec.training.loss
        columns = self.network.outputs if loss.target == "classes" else self.network.target_size
        return {
            INPUTS: rows.X.T,
            TARGET: check_target(rows.y, loss.target, len(rows), columns),
            INVERSE_WEIGHT: np.array(1 / total),
            INVERSE_ROWS: np.array(1 / len(rows)),
            **({} if rows.weight is None else {ROW_WEIGHT: rows.weight[None, :]}),
            **self._noise(),
        }

    @cached_property
    def outputs(self) -> list[Array]:
        """What each layer gives while training, (features, rows)."""
        return self.evaluate([layer.output for layer in self.training.layers])

    def fill(self, inputs: Mapping[str, Array], others: Mapping[str, Array] = MappingProxyType({})) -> None:
        """Fill the inputs of a bound program: those that are the network's own, and others."""
        for name, array in inputs.items():
            array[...] = others[name] if name in others else self.inputs[name]

    def evaluate(self, outputs: list[Value], others: Mapping[str, Array] = MappingProxyType({})) -> list[Array]:
        """Return values of the network at this point; `others` are further inputs, by name."""
        program = plan(outputs, expansions=NUMPY.expansions)
        bound = NUMPY.bind(program, np.float64, {BATCH: len(self.rows)}, self.states())
        self.fill(bound.inputs, others)
        with np.errstate(all="ignore"):
            bound.run()
        return [output.copy() for output in bound.outputs]

    def _noise(self) -> dict[str, Array]:
        """Return the noise of step 0 as training draws it: in the order in which its program has its inputs."""
        weighted = ", weighted" * (self.rows.weight is not None)
        bind = self.network.blueprint.backend.bind
        bound = bind(self.network.plan(f"gradient, training{weighted}"), np.float64, {BATCH: len(self.rows)})
        noise = {name: array for name, array in bound.inputs.items() if name.startswith(NOISE)}
        StepNoise(self.network.spec.seed).fill(noise, 0)
        return noise
