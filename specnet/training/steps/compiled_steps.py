"""Training by the compiled engine: many steps in one call of a C function, up to the next observed epoch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from specnet.compiler import BATCH, FLAT, Plan, UnavailableError
from specnet.compiler.native.toolchain.processors import Processor, native_processor
from specnet.compiler.native.training_steps import BoundSteps, CompiledSteps, StepPrograms, words_of
from specnet.compiler.value import INPUT
from specnet.network import Network
from specnet.network.bound import not_available
from specnet.network.programs import (
    CLIPPING,
    INPUTS,
    INVERSE_ROWS,
    INVERSE_WEIGHT,
    NOISE,
    ROW_WEIGHT,
    TARGET,
    UNIFORM,
)
from specnet.network.random import StepNoise
from specnet.parts.arrays import Array
from specnet.parts.optimizers.base import Numbers, SteppingOptimizer
from specnet.training.steps.stepper import Stepper
from specnet.training.steps.trainer import step_name

VECTOR_PADDING = 16
"""Numbers in the longest vector register: at the end of a row of random numbers, C reads a whole vector."""
NOISE_AT_ONCE = 2**20
"""Maximum number of random numbers that are drawn for one call, unless a single step needs more."""


def step_programs(network: Network, rows: int, step: str = "step") -> StepPrograms:
    """Return the programs of a network's training steps.

    Parameters
    ----------
    network : Network
    rows : int
        The usual number of rows in a batch.
    step : str
        The name of the program of a step, as `step_name` returns it.
    """
    training, blueprint, weighted = network.spec.training, network.blueprint, "weighted" in step
    gradient, updates = network.plan(step), [blueprint.update.plan]
    if training.average_weights is not None and network.layout.states:
        updates.append(blueprint.state_average())
    noise = [name for name in _inputs(gradient) if name.startswith(NOISE)]
    numbers = blueprint.step_numbers
    return StepPrograms(
        gradient,
        tuple(updates),
        (INPUTS, TARGET, *([ROW_WEIGHT] if weighted else [])),
        tuple([*numbers, INVERSE_WEIGHT] if weighted else numbers),
        (INVERSE_ROWS,) if weighted else (INVERSE_ROWS, INVERSE_WEIGHT),
        tuple(noise),
        bool(noise) and all(name.startswith(UNIFORM) for name in noise),
        None if training.clip_norm is None else ("gradient", CLIPPING, training.clip_norm),
        {BATCH: rows, FLAT: network.layout.trainable_size},
    )


def _inputs(plan: Plan) -> list[str]:
    return [str(call.attributes) for call in plan.calls if call.operation is INPUT]


def steps_text(network: Network, rows: int) -> str:
    """Return the C code of a network's training steps; `rows` is the usual number of rows in a batch.

    Raises
    ------
    SpecError
        If a part has no form in C.
    """
    compiled = network.run_by("compiled")
    programs = step_programs(compiled, rows)
    try:
        return CompiledSteps(programs, network.dtype, native_processor()).text
    except UnavailableError as error:
        raise not_available(network.spec, error) from error


class CompiledStepper(Stepper):
    """A `Stepper` that makes many steps in one call of a compiled function."""

    @property
    def target(self) -> Processor:
        """The CPU for which functions are compiled."""
        return native_processor()

    def _bind(self, member: int | None) -> None:
        feed, network, layout = self._feed, self.network, self.network.layout
        programs = step_programs(network, feed.size, step_name(network, feed))
        self._compiled = CompiledSteps(programs, self.theta.dtype, self.target)
        weights = None if feed.weight is None else feed.sources[feed.weight]
        self._weight_of_all = float(feed.rows if weights is None else weights.astype(np.float64).sum())
        self._random = StepNoise(network.spec.seed, member)
        arrays = self.arrays() | self._vectors()
        if self._average and self.layer_state:
            averages = layout.state_arrays({name: self._average[name] for name in self.layer_state})
            arrays |= {name.replace("state", "average", 1): array for name, array in averages.items()}
        # Compiles the functions, so that a part without a compiled form is an error before training begins.
        self._bound = BoundSteps(self._compiled, {BATCH: feed.size, FLAT: layout.trainable_size}, arrays, feed.sources)

    @cached_property
    def max_steps_per_call(self) -> int:
        return max(1, min(super().max_steps_per_call, NOISE_AT_ONCE // max(1, self._bound.noise_size)))

    def make(self, row_indices: Array | None, with_loss: Array) -> tuple[Array, Array]:
        weights = self._weights(row_indices, len(with_loss))
        if not weights.all():
            if not weights[0]:
                return self._pass_over()
            weights = weights[: weights.argmin()]
        losses = self._run(row_indices, weights, with_loss[: len(weights)])
        return losses, weights[: len(losses)]

    def _weights(self, row_indices: Array | None, count: int) -> Array:
        """Return the sum of the row weights for each of the next `count` batches, (count,)."""
        if row_indices is None:
            return np.full(count, self._weight_of_all)
        lengths = self._feed.lengths(self.step_number, count)
        if self._feed.weight is None:
            return lengths.astype(np.float64)
        weights, sums = self._feed.sources[self._feed.weight][row_indices].astype(np.float64), np.empty(count)
        lengths_of_rows = np.repeat(lengths, lengths)
        for length in set(lengths.tolist()):
            sums[lengths == length] = weights[lengths_of_rows == length].reshape(-1, length).sum(axis=1)
        return sums

    def _run(self, row_indices: Array | None, weights: Array, with_loss: Array) -> Array:
        count = len(with_loss)
        row = self._table_row(count)
        numbers: Array = self._table[row : row + count]
        if self._feed.weight is not None:
            numbers[:, -1] = 1 / weights
        noise = self._noise_of(count) if self._compiled.programs.noise else None
        losses = self._bound.run(self.step_number % self._steps_per_epoch, row_indices, numbers, noise, with_loss)
        self._count(len(losses))
        return losses

    @staticmethod
    def _scalars_of(optimizer: SteppingOptimizer, steps: Numbers, rate: Numbers) -> Mapping[str, Numbers]:
        return optimizer.scalars_of(steps, rate)

    def _prepared(self, table: Array) -> Any:
        """Return the table in the network's dtype, with a last column for 1 over the sum of the weights."""
        return np.column_stack([table, np.ones(len(table))]).astype(self.theta.dtype)

    def _noise_of(self, count: int) -> Array:
        """Return the random numbers of the next steps, (steps, numbers), or the state of their generator for C."""
        if self._compiled.programs.draws:
            return words_of(*self._random.walk(self.step_number))
        size, lengths = self._bound.noise_size, self._feed.lengths(self.step_number, count).tolist()
        padded = np.zeros(count * size + VECTOR_PADDING, self.theta.dtype)
        noise = padded[: count * size].reshape(-1, size)
        for step, (row, rows) in enumerate(zip(noise, lengths, strict=True)):
            self._random.fill(self._bound.noise_arrays(row, rows), self.step_number + step)
        return noise
