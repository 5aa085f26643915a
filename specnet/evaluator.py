"""One of a network's programs bound to arrays of its own."""

from __future__ import annotations

import numpy as np

from specnet.builder import INVERSE_ROWS, NOISE, Blueprint
from specnet.compiler import BATCH, Plan, bind


class Evaluator:
    """A program bound to a number of rows, with parameters, a gradient and layers' states of its own."""

    def __init__(self, blueprint: Blueprint, program: Plan, rows: int) -> None:
        layout, dtype = blueprint.layout, np.dtype(blueprint.spec.network.dtype)
        self.rows = rows
        self.theta, self.gradient = np.zeros(layout.size, dtype), np.zeros(layout.size, dtype)
        self.state = layout.initial_state(dtype)
        arrays = layout.arrays(self.theta, "theta") | layout.arrays(self.gradient, "gradient")
        arrays |= layout.state_arrays(self.state)
        bound = bind(program, dtype, {BATCH: rows}, arrays)
        self.inputs, self.outputs = bound.inputs, bound.outputs
        for array in self.inputs.values():
            array[...] = 0
        if INVERSE_ROWS in self.inputs:
            self.inputs[INVERSE_ROWS][...] = 1 / rows
        self.noise = {name: array for name, array in bound.inputs.items() if name.startswith(NOISE)}
        self._calls = bound.calls

    def run(self) -> None:
        for call in self._calls:
            call()
