"""One training step, bound to its arrays: rows are gathered, the gradient is taken, the optimizer moves theta.

Gradient and update are bound programs, the first made once for each size of batch. Nothing is allocated while they
run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from specnet.compiler import BATCH, FLAT
from specnet.network import Network
from specnet.network.blueprint import (
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
from specnet.parts.optimizers import SteppingOptimizer
from specnet.parts.schedules import Constant

Call = Callable[[], object]

BLOCKED_ABOVE = 200_000
"""Parameters from which the optimizer goes through its vectors in blocks."""
UPDATE_BLOCK = 48 * 1024
"""Numbers in such a block, so that theta, gradient, states and scratch of a block stay in the second-level cache."""
DENORMAL_INTERVAL = 512
"""Steps after which the optimizer's tiny numbers become 0."""
TINY = 1e-30
FLUSH_BLOCK = 1024


@dataclass(frozen=True)
class TrainingRows:
    """Rows as the network reads them.

    Attributes
    ----------
    X : (rows, inputs)
        Preprocessed, C-contiguous, of the run's dtype.
    target : (rows,) or (rows, outputs)
        Class indices (intp), or numbers of the run's dtype.
    weight : (rows,) or None
        The rows' weights, of the run's dtype.
    """

    X: Array
    target: Array
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.X)


class BoundBatch:
    """The gradient program bound to a number of rows, and what brings rows into its inputs."""

    def __init__(self, network: Network, size: int, rows: TrainingRows, arrays: dict[str, Array]) -> None:
        program = network.plan("step" + ", weighted" * (rows.weight is not None))
        bound = network.blueprint.backend.bind(program, rows.X.dtype, {BATCH: size}, arrays)
        self.indices = np.arange(size, dtype=np.intp)
        self.loss = bound.outputs[0]
        self.noise = {name: array for name, array in bound.inputs.items() if name.startswith(NOISE)}
        if INVERSE_ROWS in bound.inputs:
            bound.inputs[INVERSE_ROWS][...] = 1 / size
        self.weight = bound.inputs[ROW_WEIGHT] if rows.weight is not None else None
        self.inverse_weight = bound.inputs[INVERSE_WEIGHT]
        self.inverse_weight[...] = 1 / size
        feed = [
            *self._gather(rows.X, bound.inputs[INPUTS]),
            *self._gather(rows.target, bound.inputs[TARGET]),
            *(self._gather(rows.weight, bound.inputs[ROW_WEIGHT]) if rows.weight is not None else ()),
        ]
        if size == len(rows):  # always the same rows, in their own order
            for call in feed:
                call()
            feed = []
        self.feed = tuple(feed)
        self.run, self.run_with_loss = bound.run_commits, bound.run

    def _gather(self, source: Array, target: Array) -> list[Call]:
        if source.ndim == 1:
            return [partial(source.take, self.indices, 0, target[0], "clip")]
        taken = np.empty((len(self.indices), source.shape[1]), source.dtype)
        # Gathering whole rows and transposing a copy is an order of magnitude faster than gathering columns.
        return [partial(source.take, self.indices, 0, taken, "clip"), partial(np.copyto, target, taken.T)]


class Stepper:
    """Makes training steps on a parameter vector.

    Parameters
    ----------
    network : Network
    theta : (parameter_count,)
        Changed in place; C-contiguous and of the network's dtype.
    rows : TrainingRows
    steps_per_epoch, total_steps : int
        What the schedule of the learning rate goes by.

    Attributes
    ----------
    step_number : int
        How many steps have been made, those included that were passed over because all rows had a weight of 0.
    states : dict
        The optimizer's vectors by name, of what learns.
    layer_state : dict
        What layers keep, by name.
    rate_factor : float
        Multiplies the learning rate, beside what the schedule says for a step.
    """

    def __init__(
        self, network: Network, theta: Array, rows: TrainingRows, *, steps_per_epoch: int = 1, total_steps: int = 1
    ) -> None:
        layout = network.layout
        self.theta, self.step_number, self.rate_factor = theta, 0, 1.0
        self.gradient = np.zeros(layout.trainable_size, theta.dtype)
        information = np.finfo(theta.dtype)
        self._least_square = float(information.tiny / information.eps)
        self.layer_state = network.fitted_state(rows.X)
        self._network, self._rows = network, rows
        self._steps_per_epoch, self._total_steps = steps_per_epoch, total_steps
        optimizer = network.spec.training.optimizer
        assert isinstance(optimizer, SteppingOptimizer), "the others make no steps"
        self._optimizer, self._constant_rate = optimizer, isinstance(optimizer.schedule, Constant)
        self._noise = StepNoise(network.spec.seed)
        self._arrays = layout.arrays(theta, "theta") | layout.arrays(self.gradient, "gradient")
        self._arrays |= layout.state_arrays(self.layer_state)
        self._passed_over = np.zeros((), np.int64)
        self._average: dict[str, Array] = {}
        if network.spec.training.average_weights is not None:
            self._average = {"theta": theta.copy(), **{name: kept.copy() for name, kept in self.layer_state.items()}}
        self.states, self._scalars, self._update = self._bind_update()
        self._batches: dict[int, BoundBatch] = {}

    def set_layer_state(self, state: Mapping[str, Array]) -> None:
        """Let the layers start with what they kept earlier, by name."""
        for name, kept in state.items():
            self.layer_state[name][...] = kept

    def batch(self, size: int) -> BoundBatch:
        """Return the program bound to a number of rows."""
        if size not in self._batches:
            self._batches[size] = BoundBatch(self._network, size, self._rows, self._arrays)
        return self._batches[size]

    def step(self, indices: Array, with_loss: bool = False) -> tuple[float, float]:
        """Make a step on the rows of these indices.

        Returns
        -------
        float, float
            The mean loss before the step (0 without `with_loss`), and the sum of the rows' weights. A batch whose
            weights are all 0 is passed over.
        """
        size = len(indices)
        batch = self.batch(size)
        if batch.feed:
            batch.indices[:] = indices
            for call in batch.feed:
                call()
        weight: float = size
        if batch.weight is not None:
            weight = float(batch.weight.sum(dtype=np.float64))
            if not weight:
                self._pass_over()
                return 0.0, 0.0
            batch.inverse_weight[...] = 1 / weight
        if batch.noise:
            self._noise.fill(batch.noise, self.step_number)
        if with_loss:
            batch.run_with_loss()
        else:
            batch.run()
        self._set_scalars()
        for run in self._update:
            run()
        if self._average and self.layer_state:
            self._average_layer_state()
        self.step_number += 1
        if not self.step_number % DENORMAL_INTERVAL:
            self._flush_denormals()
        return float(batch.loss) if with_loss else 0.0, weight

    def _pass_over(self) -> None:
        """Let the time of a step pass: for the schedule and the average, but not for the optimizer."""
        share = self._average_share() if self._average else 0.0
        for name, current in {"theta": self.theta, **self.layer_state}.items() if share else ():
            self._average[name] += (current - self._average[name]) * share
        self.step_number += 1
        self._passed_over += 1

    def _set_scalars(self) -> None:
        optimizer = self._optimizer
        rate = optimizer.learning_rate * self.rate_factor
        if not self._constant_rate:
            rate *= optimizer.schedule.factor_at(self.step_number, self._total_steps, self._steps_per_epoch)
        if optimizer.decay:
            self._scalars["decay"][()] = rate * optimizer.decay
        updates = self.step_number - int(self._passed_over)
        for name, number in optimizer.scalars(updates + 1, rate).items():
            self._scalars[name][()] = number
        if CLIPPING in self._scalars:
            self._scalars[CLIPPING][()] = self._clipping()
        if self._average:
            self._scalars[AVERAGE_SHARE][()] = self._average_share()

    def _clipping(self) -> float:
        """Return what makes the gradient no longer than the spec allows."""
        longest = self._network.spec.training.clip_norm
        assert longest is not None, "the update asks for it"
        squared = float(np.dot(self.gradient, self.gradient))
        if not self._least_square <= squared < math.inf:
            return self._clipping_of_extremes(longest)
        length = math.sqrt(squared)
        return longest / length if length > longest else 1.0

    def _clipping_of_extremes(self, longest: float) -> float:
        """Return the same for a gradient whose squares overflow or vanish, which is brought near 1 if it is too long.

        One that is not finite stays as it is: the next loss shows it.
        """
        largest = np.abs(self.gradient).max(initial=0)
        if not 0 < largest < math.inf:
            return 1.0
        scaled = self.gradient / largest
        length = math.sqrt(float(np.dot(scaled, scaled)))
        if float(largest) * length <= longest:
            return 1.0
        self.gradient[...] = scaled  # the factor alone may be beyond the dtype
        return longest / length

    def _average_share(self) -> float:
        averaging = self._network.spec.training.average_weights
        assert averaging is not None, "there is an average"
        return averaging.share(self.step_number, self._total_steps, self._steps_per_epoch)

    def _average_layer_state(self) -> None:
        share = self._average_share()
        for name, kept in self.layer_state.items():
            self._average[name] += (kept - self._average[name]) * share

    def kept(self) -> tuple[Array, dict[str, Array]]:
        """Return the parameters and layers' states that a model would have now: their averages, once there are any."""
        averaging = self._network.spec.training.average_weights
        if averaging is None or self.step_number <= averaging.begins(self._total_steps, self._steps_per_epoch):
            return self.theta, self.layer_state
        return self._average["theta"], {name: self._average[name] for name in self.layer_state}

    def tensors(self) -> dict[str, Array]:
        """Return all that the steps to come depend on, by name: arrays to be saved, or filled with what was saved."""
        return {
            "theta": self.theta,
            "passed_over": self._passed_over,
            **{f"optimizer.{name}": array for name, array in self.states.items()},
            **{f"state.{name}": array for name, array in self.layer_state.items()},
            **{f"average.{name}": array for name, array in self._average.items()},
        }

    def _flush_denormals(self) -> None:
        """Set the optimizer's tiny numbers to 0: arithmetic with denormal numbers takes several times as long."""
        for state in self.states.values():
            for start in range(0, state.size, FLUSH_BLOCK):  # what compares a whole vector would be as long as it
                block = state[start : start + FLUSH_BLOCK]
                block[np.abs(block) < TINY] = 0

    def _bind_update(self) -> tuple[dict[str, Array], dict[str, Array], list[Call]]:
        update, layout = self._network.blueprint.update, self._network.layout
        bind = self._network.blueprint.backend.bind
        theta = self.theta[: layout.trainable_size]
        states = {name: np.full_like(theta, start) for name, start in update.states.items()}
        vectors = {"theta": theta, "gradient": self.gradient}
        vectors |= {f"optimizer.{name}": array for name, array in states.items()}
        if self._average:
            vectors["average"] = self._average["theta"][: theta.size]
        vectors["decay_factors"] = layout.decay_factors().astype(theta.dtype)
        vectors["rate_factors"] = layout.rate_factors().astype(theta.dtype)
        scalars = {name: np.zeros((), theta.dtype) for name in update.scalars}
        width = theta.size if theta.size <= BLOCKED_ABOVE else UPDATE_BLOCK
        runs: list[Call] = []
        for start in range(0, theta.size, max(width, 1)):
            block = {name: vector[start : start + width] for name, vector in vectors.items()}
            bound = bind(update.program, theta.dtype, {FLAT: block["theta"].size}, block | scalars)
            runs.append(bound.run)
        return states, scalars, runs
