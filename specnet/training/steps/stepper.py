"""Training steps on batches: copy a batch's rows, compute the gradient of their loss, clip it, update the parameters.

Gradient and update are bound programs; the gradient is bound once per batch size. Steps allocate no memory. Gradients
are clipped by norm without overflow or underflow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from specnet.compiler import FLAT, BoundPlan
from specnet.data.feed import Feed
from specnet.files.interruptions import Interruptions
from specnet.network import Network
from specnet.network.programs import AVERAGE_SHARE, CLIPPING
from specnet.parts.arrays import Array
from specnet.parts.optimizers.base import Numbers, SteppingOptimizer
from specnet.parts.schedules import Schedule
from specnet.training.steps.trainer import Ended, EpochSpan, Gradients, Progress, State, Trainer

_MIN_SQUARE = {np.dtype(dtype): float(np.finfo(dtype).tiny / np.finfo(dtype).eps) for dtype in (np.float32, np.float64)}
"""By dtype, the smallest sum of squares that has lost no digits to underflow."""


def clipping_factor(gradient: Array, longest: float) -> float:
    """Return the factor that limits the Euclidean norm of a gradient to `longest`.

    A gradient above the limit whose squares overflow or underflow is first scaled in place to numbers of at most 1,
    since the factor alone may exceed the range of the dtype. A gradient that is not finite is not changed; the next
    loss will not be finite either.
    """
    squared = float(np.dot(gradient, gradient))
    if not _MIN_SQUARE[gradient.dtype] <= squared < math.inf:
        return _factor_of_extremes(gradient, longest)
    length = math.sqrt(squared)
    return longest / length if length > longest else 1.0


def _factor_of_extremes(gradient: Array, longest: float) -> float:
    largest = np.abs(gradient).max(initial=0)
    if not 0 < largest < math.inf:
        return 1.0
    scaled = gradient / largest
    length = math.sqrt(float(np.dot(scaled, scaled)))
    if float(largest) * length <= longest:
        return 1.0
    gradient[...] = scaled
    return longest / length


BLOCKED_ABOVE = 200_000
"""Number of parameters above which the optimizer updates its vectors in blocks."""
UPDATE_BLOCK = 48 * 1024
"""Size of a block: its parameters, gradient, states and scratch fit into the second-level cache."""
DENORMAL_INTERVAL = 512
"""Number of steps between two flushes of the optimizer's denormal numbers to 0."""
WORK_AT_ONCE, WORK_OF_ROW = 2**28, 2**8
"""Maximum number of multiplications in one call, unless a single step has more: signals and observers wait for its end.
At least `WORK_OF_ROW` are counted for each row, to limit the memory for row indices."""
TINY = 1e-30
"""Numbers of the optimizer's states with a smaller absolute value are set to 0."""
FLUSH_BLOCK = 1024
"""Number of elements of a state that are compared with `TINY` at once."""


class Stepper(Trainer):
    """Makes a training step on a parameter vector for each batch of a feed.

    Parameters
    ----------
    network : Network
    theta : (parameter_count,)
        Initial parameters; changed in place. C-contiguous and of the network's dtype.
    feed : Feed
    layer_state : mapping
        Initial layer states by name; changed in place.
    member : int, optional
        Number of an ensemble member; it selects the member's random numbers.

    Attributes
    ----------
    states : dict
        State vectors of the optimizer by name.
    rate_factor : float
        Factor on the learning rate in addition to the schedule's factor.
    """

    resumes = True
    _scalars_of = staticmethod(SteppingOptimizer.scalars_of)
    """Function that returns the scalars of an optimizer's steps; Python's own math gives the same bits on every CPU."""

    def __init__(
        self, network: Network, theta: Array, feed: Feed, layer_state: State, member: int | None = None
    ) -> None:
        training, optimizer = network.spec.training, network.spec.training.optimizer.stepping
        assert optimizer is not None, "the others make no steps"
        super().__init__(network, theta, layer_state)
        self.rate_factor, self._feed, self._steps_per_epoch = 1.0, feed, feed.batches_per_epoch
        self._total_steps = feed.batches_per_epoch * training.epochs
        self._optimizer, self._constant_rate = optimizer, optimizer.schedule.is_constant
        self._learning_rate, self._decay, self._longest = optimizer.learning_rate, optimizer.decay, training.clip_norm
        self._numbers = network.blueprint.step_numbers
        self._table_begins, self._table_since = 0, (0, 0.0)
        self._table: Any = []
        self._all, self._interruptions = np.arange(feed.rows), Interruptions()
        self._average: dict[str, Array] = {}
        if training.average_weights is not None:
            self._average = {"theta": theta.copy(), **{name: array.copy() for name, array in layer_state.items()}}
        starts = network.blueprint.update.states
        self.states = {name: np.full_like(self.gradient, start) for name, start in starts.items()}
        self._bind(member)

    def run(self, span: EpochSpan, progress: Progress, interruptions: Interruptions) -> Ended | None:
        self._interruptions, self._order = interruptions, self._feed.order(span.first, self.so_far.batches)
        left: EpochSpan | None = span
        while left is not None:
            if left.epochs == 1 and self.so_far.batches == self._steps_per_epoch:
                left = progress.after_epoch(self.so_far.mean())
                continue
            self.is_whole = False
            losses = self._go_on(left)
            self.is_whole = True
            if len(losses):
                progress.passed(losses)
                left = left.after(len(losses))
            if interruptions.pending is not None:
                interruptions.deliver()
        return None

    def _go_on(self, span: EpochSpan) -> Array:
        """Make the next steps of a span, and return the losses of the epochs that they end, except its last epoch.

        The loss of an epoch is the weighted mean of its batches' losses, each before the step on the batch. The weight
        of a batch is the sum of its row weights.
        """
        so_far, per_epoch = self.so_far, self._steps_per_epoch
        is_measured = span.is_measured and not so_far.batches
        # No epoch is trained after an epoch that has failed.
        epochs = span.epochs if math.isfinite(so_far.loss) else 1
        left = epochs * per_epoch - so_far.batches
        count = 1 if is_measured else min(left, self.max_steps_per_call, self._steps_to_flush)
        if span.epochs == 1:
            with_loss = np.full(count, span.with_loss(span.first))
        else:
            numbers = span.first + np.arange(so_far.batches, so_far.batches + count) // per_epoch
            with_loss = span.with_loss(numbers)
        self.rate_factor = span.rate_factor
        if is_measured:
            self.meter.before_step(self.theta)
        losses, weights = self._make_next(with_loss)
        if is_measured:
            self.meter.after_step(span.first + 1, self.theta, self.gradient)
        return self._ended(losses, weights, span.epochs)

    def _make_next(self, with_loss: Array) -> tuple[Array, Array]:
        """Make the next steps on the next rows of the epoch, and return the result of `make`."""
        if self._steps_per_epoch == 1:
            return self.make(None, with_loss)
        first = self.step_number
        losses, weights = self.make(self._order.ahead(self._feed.row_count(first, len(with_loss))), with_loss)
        self._order.advance(self._feed.row_count(first, len(losses)))
        return losses, weights

    def _ended(self, losses: Array, weights: Array, epochs: int) -> Array:
        """Add steps to the epoch so far; return the losses of the finished epochs, except the last one of a span.

        Parameters
        ----------
        losses, weights : (steps,)
            The result of `make`.
        epochs : int
            Number of epochs left in the span.
        """
        so_far, per_epoch, found, ending = self.so_far, self._steps_per_epoch, np.zeros(0), 0
        if whole := min((so_far.batches + len(losses)) // per_epoch, epochs - 1):
            ending = whole * per_epoch - so_far.batches
            found = so_far.means(losses[:ending], weights[:ending], per_epoch)
        for loss, weight in zip(losses[ending:].tolist(), weights[ending:].tolist(), strict=True):
            so_far.add(loss, weight)
        return found

    @cached_property
    def max_steps_per_call(self) -> int:
        """The maximum number of steps in one call of `make`."""
        return max(1, WORK_AT_ONCE // (self._feed.size * max(6 * self.theta.size, WORK_OF_ROW)))

    @property
    def _steps_to_flush(self) -> int:
        return DENORMAL_INTERVAL - self.step_number % DENORMAL_INTERVAL

    def make(self, row_indices: Array | None, with_loss: Array) -> tuple[Array, Array]:
        """Make the next steps, which may be in several epochs, and return their losses and weights.

        Stops early, after at least one step, if an interruption is pending, a loss is not finite, or a batch has no
        weight.

        Parameters
        ----------
        row_indices : (rows of all steps,) or None
            Indices of rows, batch after batch; None if each step is on all rows, in order.
        with_loss : (steps,) of bool
            Whether the loss of each step is needed.

        Returns
        -------
        losses : (steps,)
            The mean loss of each batch before its step; 0 if it was not needed.
        weights : (steps,)
            The sum of the row weights of each batch.
        """
        losses, weights = list[float](), list[float]()
        row = self._table_row(len(with_loss))
        for batch, is_needed in zip(self._batches(row_indices, len(with_loss)), with_loss.tolist(), strict=True):
            gradient = self._gradients[len(batch)]
            weight = gradient.feed(batch)
            if not weight:
                if not losses:
                    return self._pass_over()
                break
            for name, number in zip(self._numbers, self._table[row + len(losses)], strict=True):
                self._scalars[name][()] = number
            losses.append(gradient.take(self.step_number, is_needed))
            weights.append(weight)
            self._clip()
            self._update()
            if self._interruptions.pending is not None or not math.isfinite(losses[-1]):
                break
        return np.array(losses), np.array(weights)

    def _batches(self, row_indices: Array | None, count: int) -> Iterator[Array]:
        """Yield the row indices of the batch of each of the next `count` steps."""
        if row_indices is None:
            yield from [self._all] * count
            return
        start = 0
        for rows in self._feed.lengths(self.step_number, count).tolist():
            yield row_indices[start : start + rows]
            start += rows

    def _clip(self) -> None:
        """Compute the factor that clips the norm of the gradient."""
        if self._longest is not None:
            self._scalars[CLIPPING][()] = clipping_factor(self.gradient, self._longest)

    def _update(self) -> None:
        """Update the parameters by the gradient, and the averages of parameters and layer states."""
        for block in self._blocks:
            block.run()
        if self._average and self.layer_state:
            self._average_layer_state()
        self._count(1)

    def _count(self, updates: int) -> None:
        self.step_number += updates
        self.updates += updates
        if not self.step_number % DENORMAL_INTERVAL:
            self._flush_denormals()

    def _pass_over(self) -> tuple[Array, Array]:
        """Skip a step: it counts for the schedule and the average, but not for the optimizer."""
        share = self._average_share(self.step_number) if self._average else 0.0
        for name, current in {"theta": self.theta, **self.layer_state}.items() if share else ():
            self._average[name] += (current - self._average[name]) * share
        self.step_number += 1
        return np.zeros(1), np.zeros(1)

    def _numbers_of(self, count: int) -> Array:
        """Return the scalars of the next `count` updates, (count, scalars)."""
        steps, optimizer = range(self.step_number, self.step_number + count), self._optimizer
        rate: Numbers = self._learning_rate * self.rate_factor
        if not self._constant_rate:
            rate = rate * self._factors(optimizer.schedule, steps)
        updates = np.arange(self.updates + 1, self.updates + 1 + count)
        found = {"decay": rate * self._decay, **self._scalars_of(optimizer, updates, rate)}
        if not optimizer.decay_schedule.is_constant:
            found["decay"] = found["decay"] * self._factors(optimizer.decay_schedule, steps)
        for schedule, name in self.network.blueprint.layer_schedules.items():
            found[name] = self._factors(schedule, steps)
        if self._average:
            found[AVERAGE_SHARE] = np.array([self._average_share(step) for step in steps])
        table = np.empty((count, len(self._numbers)))
        for k, name in enumerate(self._numbers):
            table[:, k] = found[name]
        return table

    def _factors(self, schedule: Schedule, steps: Iterable[int]) -> Array:
        """Return the factor of a schedule at each step, (steps,)."""
        length = self._total_steps, self._steps_per_epoch
        return np.array([schedule.factor_at(step, *length) for step in steps])

    def _table_row(self, steps: int) -> int:
        """Return the row of the next update in the table of scalars, after which at least `steps` rows are available.

        The table is computed anew when its rows are used up, a step is skipped, or `rate_factor` changes.
        """
        since = self.step_number - self.updates, self.rate_factor
        row = self.step_number - self._table_begins
        if since != self._table_since or not 0 <= row <= len(self._table) - steps:
            self._table_since, self._table_begins, row = since, self.step_number, 0
            left = max(steps, min(self._total_steps - self.step_number, self._steps_to_flush))
            self._table = self._prepared(self._numbers_of(left))
        return row

    def _prepared(self, table: Array) -> Any:
        return table.tolist()

    def _average_share(self, step: int) -> float:
        averaging = self.network.spec.training.average_weights
        assert averaging is not None, "there is an average"
        return averaging.share(step, self._total_steps, self._steps_per_epoch)

    def _average_layer_state(self) -> None:
        share = self._average_share(self.step_number)
        for name, array in self.layer_state.items():
            self._average[name] += (array - self._average[name]) * share

    def model_state(self) -> tuple[Array, dict[str, Array]]:
        """Return the parameters and layer states of the model; their averages if averaging has begun."""
        averaging = self.network.spec.training.average_weights
        if averaging is None or self.step_number <= averaging.begins(self._total_steps, self._steps_per_epoch):
            return self.theta, self.layer_state
        return self._average["theta"], {name: self._average[name] for name in self.layer_state}

    def tensors(self) -> dict[str, Array]:
        return {
            "theta": self.theta,
            **{f"optimizer.{name}": array for name, array in self.states.items()},
            **{f"state.{name}": array for name, array in self.layer_state.items()},
            **{f"average.{name}": array for name, array in self._average.items()},
        }

    def _flush_denormals(self) -> None:
        """Set tiny numbers in the optimizer's states to 0: arithmetic with denormal numbers is several times slower."""
        for state in self.states.values():
            for start in range(0, state.size, FLUSH_BLOCK):  # in blocks, to need little temporary memory
                block = state[start : start + FLUSH_BLOCK]
                block[np.abs(block) < TINY] = 0

    def _vectors(self) -> dict[str, Array]:
        """Return the vectors of the update by their names in its program, each (trainable parameters,)."""
        layout = self.network.layout
        theta = self.theta[: layout.trainable_size]
        vectors = {"theta": theta, "gradient": self.gradient}
        vectors |= {f"optimizer.{name}": array for name, array in self.states.items()}
        if self._average:
            vectors["average"] = self._average["theta"][: theta.size]
        vectors["decay_factors"] = layout.decay_factors().astype(theta.dtype)
        vectors["rate_factors"] = layout.rate_factors().astype(theta.dtype)
        return vectors

    def _bind(self, member: int | None) -> None:
        """Bind the programs of a step: the gradient, and the update in blocks."""
        update, bind, size = self.network.blueprint.update, self.network.blueprint.backend.bind, self.gradient.size
        names = (*update.scalars, *self.network.blueprint.layer_schedules.values())
        self._scalars = {name: np.zeros((), self.theta.dtype) for name in names}
        self._gradients = Gradients(self, self._feed, member, self._scalars)
        vectors, width = self._vectors(), size if size <= BLOCKED_ABOVE else UPDATE_BLOCK
        self._blocks: list[BoundPlan] = []
        for start in range(0, size, max(width, 1)):
            block = {name: vector[start : start + width] for name, vector in vectors.items()}
            self._blocks.append(bind(update.plan, self.theta.dtype, {FLAT: block["theta"].size}, block | self._scalars))
