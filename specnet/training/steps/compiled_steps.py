"""Training by the compiled engine: many steps in one call, up to where something looks at them."""

from __future__ import annotations

import numpy as np

from specnet.compiler import BATCH, FLAT, Plan, UnavailableError
from specnet.compiler.native.toolchain.processors import Processor, native_processor
from specnet.compiler.native.training_steps import BoundSteps, CompiledSteps, StepPrograms
from specnet.compiler.value import INPUT
from specnet.files.interruptions import Interruptions
from specnet.network import Network
from specnet.network.engine_backends import not_available
from specnet.network.programs import (
    AVERAGE_SHARE,
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
from specnet.training.steps.stepper import DENORMAL_INTERVAL, Stepper
from specnet.training.steps.trainer import AfterEpoch, Ended, Epoch

VECTOR_ROOM = 16
"""Numbers of the longest vector."""
WORK_AT_ONCE = 2**29
"""Multiplications after which a signal is looked for: some hundredths of a second."""
MOST_AT_ONCE = 4096
"""Steps of one call."""
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
        self._library = self._compiled.library()  # what cannot be made is found out before training begins
        self._random = StepNoise(network.spec.seed, member)
        self._bound: dict[int, BoundSteps] = {}
        self._all = np.arange(feed.rows)
        self._arrays = self.arrays() | self._vectors()
        if self._average and self.layer_state:
            arrays = layout.state_arrays({name: self._average[name] for name in self.layer_state})
            self._arrays |= {name.replace("state", "average", 1): array for name, array in arrays.items()}

    def run(self, epoch: Epoch, after_epoch: AfterEpoch, interruptions: Interruptions) -> Ended | None:
        following: Epoch | None = epoch
        while following is not None:
            if following.unseen and self._feed.batches_per_epoch == 1 and not self.so_far.batches:
                following = after_epoch(0.0, self._unseen_epochs(following))
                if interruptions.pending is not None:
                    interruptions.deliver()
            else:
                following = after_epoch(self._loss_of(following, interruptions))
        return None

    def _unseen_epochs(self, epoch: Epoch) -> int:
        """Train for several epochs of one step, and return their number."""
        count = min(epoch.unseen, self.most_at_once)
        self.rate_factor, self.is_whole = epoch.rate_factor, False
        self.make_whole(count)
        self.is_whole = True
        return count

    def _loss_of(self, epoch: Epoch, interruptions: Interruptions) -> float:
        so_far = self.so_far
        done, total, total_weight = so_far.batches, so_far.loss, so_far.weight
        self.rate_factor, most = epoch.rate_factor, self.most_at_once
        for run in self._feed.runs(epoch.number, done):
            start = 0
            while start < len(run):
                is_measured = epoch.is_measured and not done
                some = run[start : start + (1 if is_measured else most)]
                start += len(some)
                self.is_whole = False
                if is_measured:
                    self.meter.before_step(self.theta)
                losses, weights = self.make(some, epoch.with_loss)
                if is_measured:
                    self.meter.after_step(epoch.number + 1, self.theta, self.gradient)
                for loss, weight in zip(losses.tolist(), weights.tolist(), strict=True):
                    total += loss * weight
                    total_weight += weight
                done += len(losses)
                so_far.set(done, total, total_weight)
                self.is_whole = True
                if interruptions.pending is not None:
                    interruptions.deliver()
        return total / total_weight if total_weight else 0.0

    @property
    def most_at_once(self) -> int:
        """How many steps are made in one call, at most."""
        work, noise = 6 * self.theta.size * self._feed.size, self._steps_of(self._feed.size).noise_size
        return max(1, min(MOST_AT_ONCE, WORK_AT_ONCE // max(1, work), NOISE_AT_ONCE // max(1, noise)))

    def make_whole(self, count: int) -> None:
        """Make steps on all rows."""
        self.make(np.broadcast_to(self._all, (count, len(self._all))), with_loss=False)

    def make(self, places: Array, with_loss: bool) -> tuple[Array, Array]:
        """Make a step on each of several batches.

        Parameters
        ----------
        places : (steps, rows)
            Indices of rows; all rows are in their own order.
        with_loss : bool

        Returns
        -------
        (steps,), (steps,)
            Mean losses before the steps (0 without `with_loss`), and sums of weights, both float64.
        """
        losses, weights = np.zeros(len(places)), self._weights(places)
        done = 0
        while done < len(places):
            if not weights[done]:
                self._pass_over()
                done += 1
                continue
            count = min(len(places) - done, DENORMAL_INTERVAL - self.step_number % DENORMAL_INTERVAL)
            nothing = np.flatnonzero(weights[done : done + count] == 0)
            some = slice(done, done + (int(nothing[0]) if len(nothing) else count))
            self._run(places[some], weights[some], losses[some] if with_loss else None)
            done = some.stop
        return losses, weights

    def _weights(self, places: Array) -> Array:
        """The sum of the weights of each batch."""
        if self._feed.weight is None:
            return np.full(len(places), float(places.shape[1]))
        # All rows are the same ones again.
        some = places[:1] if places.shape[1] == self._feed.rows else places
        sums: Array = self._feed.sources[self._feed.weight][some].astype(np.float64).sum(axis=1)
        return np.repeat(sums, len(places) // len(sums))

    def _run(self, places: Array, weights: Array, losses: Array | None) -> None:
        count, bound = len(places), self._steps_of(places.shape[1])
        numbers = self._numbers_of(count, weights)
        noise, dtype = None, self.theta.dtype
        if self._compiled.programs.noise:
            noise = self._noise_of(bound, count)
        whole = places.shape[1] == self._feed.rows
        bound.run(count, None if whole else np.ascontiguousarray(places), numbers.astype(dtype), noise, losses)
        self.step_number += count
        self.updates += count
        if not self.step_number % DENORMAL_INTERVAL:
            self._flush_denormals()

    def _steps_of(self, rows: int) -> BoundSteps:
        if rows not in self._bound:
            sizes = {BATCH: rows, FLAT: self.network.layout.trainable_size}
            sources = self._feed.sources
            bound = self._bound[rows] = BoundSteps(self._compiled, self._library, sizes, self._arrays, sources)
            for name in (INVERSE_ROWS, INVERSE_WEIGHT):
                if name in bound.leaves:
                    bound.leaves[name][...] = 1 / rows
            if rows == self._feed.rows:  # always the same rows, in their own order
                bound.feed(self._all)
        return self._bound[rows]

    def _numbers_of(self, count: int, weights: Array) -> Array:
        """Return the numbers of the next steps, (steps, numbers), or (1, numbers) if they are the same in all."""
        optimizer, first = self._optimizer, self.step_number
        length = self._total_steps, self._steps_per_epoch
        rate: float | Array = self._learning_rate * self.rate_factor
        if not self._constant_rate:
            factors = [optimizer.schedule.factor_at(step, *length) for step in range(first, first + count)]
            rate = rate * np.array(factors)
        found: dict[str, float | Array] = {"decay": rate * self._decay, INVERSE_WEIGHT: 1 / weights}
        found |= optimizer.scalars_of(np.arange(self.updates + 1, self.updates + 1 + count), rate)
        averaging = self.network.spec.training.average_weights
        if averaging is not None:
            shares = [averaging.share(step, *length) for step in range(first, first + count)]
            found[AVERAGE_SHARE] = np.array(shares)
        columns = [found[name] for name in self._compiled.programs.numbers]
        numbers = np.empty((count if any(np.ndim(column) for column in columns) else 1, len(columns)))
        for k, column in enumerate(columns):
            numbers[:, k] = column
        return numbers

    def _noise_of(self, bound: BoundSteps, count: int) -> Array:
        """Return the random numbers of the next steps, (steps, numbers)."""
        # A vector is read as a whole where a row ends, and there is room for one behind the last.
        room = np.zeros(count * bound.noise_size + VECTOR_ROOM, self.theta.dtype)
        noise = room[: count * bound.noise_size].reshape(count, bound.noise_size)
        for step, row in enumerate(noise):
            self._random.fill(bound.noise_arrays(row), self.step_number + step)
        return noise
