"""Training by the compiled engine: many steps in one call, up to where something looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from specnet.compiler import BATCH, FLAT, Plan, UnavailableError
from specnet.compiler.native.c_text.uniform_numbers import words_of
from specnet.compiler.native.toolchain.processors import Processor, native_processor
from specnet.compiler.native.training_steps import BoundSteps, CompiledSteps, StepPrograms
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

VECTOR_ROOM = 16
"""Numbers of the longest vector."""
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
        bool(noise) and all(name.startswith(UNIFORM) for name in noise),
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
        weights = None if feed.weight is None else feed.sources[feed.weight]
        self._weight_of_all = float(feed.rows if weights is None else weights.astype(np.float64).sum())
        self._random = StepNoise(network.spec.seed, member)
        arrays = self.arrays() | self._vectors()
        if self._average and self.layer_state:
            averages = layout.state_arrays({name: self._average[name] for name in self.layer_state})
            arrays |= {name.replace("state", "average", 1): array for name, array in averages.items()}
        # What cannot be made is found out before training begins.
        self._bound = BoundSteps(self._compiled, {BATCH: feed.size, FLAT: layout.trainable_size}, arrays, feed.sources)

    @cached_property
    def most_at_once(self) -> int:
        return max(1, min(super().most_at_once, NOISE_AT_ONCE // max(1, self._bound.noise_size)))

    def make(self, places: Array | None, with_loss: Array) -> tuple[Array, Array]:
        weights = self._weights(places, len(with_loss))
        if not weights.all():
            if not weights[0]:
                return self._pass_over()
            weights = weights[: weights.argmin()]
        losses = self._run(places, weights, with_loss[: len(weights)])
        return losses, weights[: len(losses)]

    def _weights(self, places: Array | None, count: int) -> Array:
        """The sum of the weights of each of the next batches."""
        if places is None:
            return np.full(count, self._weight_of_all)
        lengths = self._feed.lengths(self.step_number, count)
        if self._feed.weight is None:
            return lengths.astype(np.float64)
        weights, sums = self._feed.sources[self._feed.weight][places].astype(np.float64), np.empty(count)
        lengths_of_rows = np.repeat(lengths, lengths)
        for length in set(lengths.tolist()):
            sums[lengths == length] = weights[lengths_of_rows == length].reshape(-1, length).sum(axis=1)
        return sums

    def _run(self, places: Array | None, weights: Array, with_loss: Array) -> Array:
        count = len(with_loss)
        place = self._place_in_table(count)
        numbers: Array = self._table[place : place + count]
        if self._feed.weight is not None:
            numbers[:, -1] = 1 / weights
        noise = self._noise_of(count) if self._compiled.programs.noise else None
        losses = self._bound.run(self.step_number % self._steps_per_epoch, places, numbers, noise, with_loss)
        self._count(len(losses))
        return losses

    @staticmethod
    def _scalars_of(optimizer: SteppingOptimizer, steps: Numbers, rate: Numbers) -> Mapping[str, Numbers]:
        return optimizer.scalars_of(steps, rate)

    def _prepared(self, table: Array) -> Any:
        """Return the numbers with a last column for 1 over the sum of the weights."""
        return np.column_stack([table, np.ones(len(table))]).astype(self.theta.dtype)

    def _noise_of(self, count: int) -> Array:
        """Return the random numbers of the next steps, (steps, numbers), or what they draw them by."""
        if self._compiled.programs.draws:
            return words_of(*self._random.walk(self.step_number))
        # A vector is read as a whole where a row ends, and there is room for one behind the last.
        size, lengths = self._bound.noise_size, self._feed.lengths(self.step_number, count).tolist()
        room = np.zeros(count * size + VECTOR_ROOM, self.theta.dtype)
        noise = room[: count * size].reshape(-1, size)
        for step, (row, rows) in enumerate(zip(noise, lengths, strict=True)):
            self._random.fill(self._bound.noise_arrays(row, rows), self.step_number + step)
        return noise
