"""Checks of optimizers, schedules and initializers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from specnet.compiler import FLAT
from specnet.compiler.numpy import bind
from specnet.network import build
from specnet.parts import Initializer, Optimizer, Place, Schedule, SteppingOptimizer
from specnet.parts.arrays import Array
from specnet.testing.numbers import Reference, agree, arrays_of, fail

NUMBERS = 5
STEPS = 10
DOWNHILL_STEPS = 200
LENGTH = 100
SHAPE = (300, 200)


class Walk:
    """An optimizer's update, bound to vectors of its own."""

    def __init__(self, optimizer: SteppingOptimizer, theta: Array) -> None:
        self.theta, self.gradient, self.optimizer = theta, np.zeros_like(theta), optimizer
        spec = {"network": {"layer_sizes": [1, 1]}, "training": {"loss": "mse", "batch_size": "full"}}
        parsed = build(spec).spec
        training = parsed.training.model_copy(update={"optimizer": optimizer})
        update = build(parsed.model_copy(update={"training": training})).blueprint.update
        arrays = {"theta": theta, "gradient": self.gradient, "decay_factors": np.ones_like(theta)}
        arrays |= {f"optimizer.{name}": np.full_like(theta, start) for name, start in update.states.items()}
        self.scalars = {name: np.zeros((), theta.dtype) for name in update.scalars}
        self.bound = bind(update.plan, theta.dtype, {FLAT: theta.size}, arrays | self.scalars)
        self.steps = 0

    def step(self, gradient: Array) -> None:
        self.steps += 1
        self.gradient[:] = gradient
        rate = self.optimizer.learning_rate
        numbers = self.optimizer.scalars(self.steps, rate) | {"decay": rate * self.optimizer.decay}
        for name, scalar in self.scalars.items():
            scalar[()] = numbers[name]
        with np.errstate(all="ignore"):
            self.bound.run()


def check_optimizer(subject: str, part: Optimizer, forward: Reference | None, settings: Mapping[str, Any]) -> None:
    """Check an optimizer that makes steps: against the plain function, downhill, at rest, and its types."""
    optimizer = part.stepping
    if optimizer is None:
        return
    generator = np.random.default_rng(0)
    if optimizer.scalars(7, 0.1) != optimizer.scalars(7, 0.1):
        fail(subject, "its scalars must depend only on the step; a resumed run would differ")
    start, drawn = generator.normal(size=NUMBERS), generator.normal(size=(STEPS, NUMBERS))
    walk = Walk(optimizer, start.copy())
    for gradient in drawn:
        walk.step(gradient)
    if forward:
        expected = np.asarray(forward(start.copy(), drawn.copy(), **settings), np.float64)
        agree(subject, f"theta after {STEPS} steps", walk.theta, expected, 1e-9)
    downhill, rest = (Walk(optimizer, np.ones(NUMBERS, np.float32)) for _ in range(2))
    if any(array.dtype == np.float64 for call in rest.bound.calls for array in arrays_of(call)):
        fail(subject, "its update in float32 computes in float64")
    for _ in range(DOWNHILL_STEPS):
        downhill.step(downhill.theta)
        rest.step(np.zeros(NUMBERS, np.float32))
    if not (np.abs(downhill.theta) < 1).all():
        reached = f"from 1 to {float(downhill.theta[0]):g} in {DOWNHILL_STEPS} steps on a parabola"
        fail(subject, f"does not descend: {reached}")
    if not np.isfinite(rest.theta).all():
        fail(subject, f"a gradient of 0 moves the parameter to {float(rest.theta[0])}")


def check_schedule(subject: str, schedule: Schedule, forward: Reference | None, settings: Mapping[str, Any]) -> None:
    """Check that a schedule is a function of its position, with finite factors that are not negative."""
    positions = range(LENGTH)
    factors = np.array([schedule.multiplier(position, LENGTH) for position in positions], np.float64)
    for place in np.flatnonzero(~(np.isfinite(factors) & (factors >= 0))):
        fail(subject, f"the factor at {place} of {LENGTH} is {factors[place]}")
    again = [schedule.multiplier(position, LENGTH) for position in reversed(positions)][::-1]
    if factors.tolist() != again:
        fail(subject, "its factors must depend only on the position; a resumed run would differ")
    if not np.isfinite(schedule.multiplier(0, 1)):
        fail(subject, "the factor of a run of one step is not finite")
    if forward:
        expected = np.array([forward(position, LENGTH, **settings) for position in positions], np.float64)
        agree(subject, "the factor", factors, expected, 1e-12)


def check_initializer(
    subject: str, initializer: Initializer, forward: Reference | None, settings: Mapping[str, Any]
) -> None:
    """Check that an initializer draws finite arrays of each shape, the same from the same seed, of the right spread."""
    rows, columns = SHAPE
    shapes = [SHAPE, (3, 5), (5, 3), (1, 1), *([] if initializer.needs_matrix else [(4,)])]
    for shape in shapes:
        place = Place(shape[-1], shape[0])
        drawn, again = (initializer.draw(np.random.default_rng(0), shape, place) for _ in range(2))
        if drawn.shape != shape or drawn.dtype != np.float64:
            fail(subject, f"draws {drawn.dtype} of shape {drawn.shape}; expected float64 of shape {shape}")
        if not np.isfinite(drawn).all():
            fail(subject, f"draws numbers that are not finite for shape {shape}")
        if not np.array_equal(drawn, again):
            fail(subject, "draws different numbers from the same seed")
        if initializer.legacy:
            initializer.draw(np.random.RandomState(0), shape, place)
    if forward:
        mean, deviation = (float(number) for number in np.asarray(forward(columns, rows, **settings)))
        drawn = initializer.draw(np.random.default_rng(0), SHAPE, Place(columns, rows))
        spread = 5 * max(deviation, 1e-12) / np.sqrt(drawn.size)
        agree(subject, "the mean of what it draws", np.asarray(drawn.mean()), np.array(mean), spread, 1.0)
        agree(subject, "the deviation of what it draws", np.asarray(drawn.std()), np.array(deviation), spread, 1.0)
