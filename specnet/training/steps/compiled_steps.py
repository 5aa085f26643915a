"""Training by the compiled engine: many steps in one call, up to where something looks at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from specnet.compiler import BATCH, FLAT, Plan, UnavailableError
from specnet.compiler.native.toolchain.processors import Processor, native_processor
from specnet.compiler.native.training_steps import BoundSteps, CompiledSteps, StepPrograms
from specnet.compiler.value import INPUT
from specnet.network import Network
from specnet.network.engine_backends import not_available
from specnet.network.programs import (
    CLIPPING,
    INPUTS,
    INVERSE_ROWS,
    INVERSE_WEIGHT,
    NOISE,
    ROW_WEIGHT,
    TARGET,
)
from specnet.network.random import StepNoise
from specnet.parts.arrays import Array
from specnet.parts.optimizers.base import Numbers, SteppingOptimizer
from specnet.training.steps.stepper import DENORMAL_INTERVAL, Stepper

VECTOR_ROOM = 16
"""Numbers of the longest vector."""
WORK_AT_ONCE = 2**28
"""Multiplications after which a signal is looked for: a hundredth of a second or two."""
NOISE_AT_ONCE = 2**20
"""Random numbers that are drawn for one call, unless a single step needs more."""


def step_programs(network: Network, rows: int, *, weighted: bool) -> StepPrograms:
    """Return what the steps of a network compute, on batches of so many rows as a rule."""
    training, blueprint = network.spec.training, network.blueprint
    gradient, updates = network.plan("step, weighted" if weighted else "step"), [blueprint.update.plan]
    if training.average_weights is not None and network.layout.states:
        updates.append(blueprint.state_average())
    noise = [name for name in _inputs(gradient) if name.startswith(NOISE)]
    numbers = [name for name in blueprint.update.scalars if name != CLIPPING]
    return StepPrograms(
        gradient,
        tuple(updates),
        (INPUTS, TARGET, *([ROW_WEIGHT] if weighted else [])),
        tuple([*numbers, INVERSE_WEIGHT] if weighted else numbers),
        (INVERSE_ROWS,) if weighted else (INVERSE_ROWS, INVERSE_WEIGHT),
        tuple(noise),
        None if training.clip_norm is None else ("gradient", CLIPPING, training.clip_norm),
        {BATCH: rows, FLAT: network.layout.trainable_size},
    )


def _inputs(program: Plan) -> list[str]:
    return [str(call.attributes) for call in program.calls if call.operation is INPUT]


def steps_text(network: Network, rows: int) -> str:
    """Return the C text of a network's steps, on batches of so many rows as a rule.

    Raises
    ------
    SpecError
        If a part has no form in C.
    """
    compiled = network.run_by("compiled")
    programs = step_programs(compiled, rows, weighted=False)
    try:
        return CompiledSteps(programs, network.dtype, native_processor()).text
    except UnavailableError as error:
        raise not_available(network.spec, error) from error


class CompiledStepper(Stepper):
    """Makes the steps of a `Stepper`, many in one call."""

    @property
    def target(self) -> Processor:
        """The CPU that is compiled for."""
        return native_processor()

    def _bind(self, member: int | None) -> None:
        feed, network, layout = self._feed, self.network, self.network.layout
        programs = step_programs(network, feed.size, weighted=feed.weight is not None)
        self._compiled = CompiledSteps(programs, self.theta.dtype, self.target)
        self._random = StepNoise(network.spec.seed, member)
        arrays = self.arrays() | self._vectors()
        if self._average and self.layer_state:
            averages = layout.state_arrays({name: self._average[name] for name in self.layer_state})
            arrays |= {name.replace("state", "average", 1): array for name, array in averages.items()}
        # What cannot be made is found out before training begins.
        self._bound = BoundSteps(self._compiled, {BATCH: feed.size, FLAT: layout.trainable_size}, arrays, feed.sources)

    @property
    def most_at_once(self) -> int:
        work, noise = 6 * self.theta.size * self._feed.size, self._bound.noise_size
        return max(1, min(super().most_at_once, WORK_AT_ONCE // max(1, work), NOISE_AT_ONCE // max(1, noise)))

    def make(self, places: Array | None, with_loss: Array) -> tuple[Sequence[float], Sequence[float]]:
        lengths = self._feed.lengths(self.step_number, len(with_loss))
        weights = self._weights(places, lengths)
        if not weights[0]:
            return self._pass_over()
        count = min(len(weights), DENORMAL_INTERVAL - self.step_number % DENORMAL_INTERVAL)
        nothing = np.flatnonzero(weights[:count] == 0)
        count = int(nothing[0]) if len(nothing) else count
        losses = self._run(places, lengths[:count], weights[:count], with_loss[:count])
        return losses, weights[: len(losses)].tolist()

    def _weights(self, places: Array | None, lengths: Array) -> Array:
        """The sum of the weights of each batch, given how many rows they have."""
        if self._feed.weight is None:
            return lengths.astype(np.float64)
        weights, sums = self._feed.sources[self._feed.weight].astype(np.float64), np.empty(len(lengths))
        if places is None:
            sums[:] = weights.sum()
            return sums
        lengths_of_rows = np.repeat(lengths, lengths)
        for length in set(lengths.tolist()):
            sums[lengths == length] = weights[places[lengths_of_rows == length]].reshape(-1, length).sum(axis=1)
        return sums

    def _run(self, places: Array | None, lengths: Array, weights: Array, with_loss: Array) -> list[float]:
        numbers = self._table_of(weights)
        noise = self._noise_of(lengths) if self._compiled.programs.noise else None
        losses = self._bound.run(self.step_number % self._steps_per_epoch, places, numbers, noise, with_loss)
        self._count(len(losses))
        return losses

    @staticmethod
    def _scalars_of(optimizer: SteppingOptimizer, steps: Numbers, rate: Numbers) -> Mapping[str, Numbers]:
        return optimizer.scalars_of(steps, rate)

    def _table_of(self, weights: Array) -> Array:
        """Return the numbers of the next steps, (steps, numbers), or (1, numbers) if they are the same in all."""
        found = self._numbers_of(len(weights)) | {INVERSE_WEIGHT: 1 / weights}
        columns = [found[name] for name in self._compiled.programs.numbers]
        table = np.empty((len(weights) if any(np.ndim(column) for column in columns) else 1, len(columns)))
        for k, column in enumerate(columns):
            table[:, k] = column
        return table.astype(self.theta.dtype)

    def _noise_of(self, lengths: Array) -> Array:
        """Return the random numbers of the next steps, (steps, numbers), given how many rows they have."""
        # A vector is read as a whole where a row ends, and there is room for one behind the last.
        size = self._bound.noise_size
        room = np.zeros(len(lengths) * size + VECTOR_ROOM, self.theta.dtype)
        noise = room[: len(lengths) * size].reshape(-1, size)
        for step, (row, rows) in enumerate(zip(noise, lengths.tolist(), strict=True)):
            self._random.fill(self._bound.noise_arrays(row, rows), self.step_number + step)
        return noise
