"""The base classes of optimizers: update rules for the flat parameter vector, as symbolic arrays of the compiler."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.compiler import Value
from specnet.errors import Path
from specnet.parts.fields import NonNegativeNumber, PositiveNumber
from specnet.parts.part import FieldProblem
from specnet.parts.registry import PartKind
from specnet.parts.schedules import ConstantRate, Schedule, metric_problems

if TYPE_CHECKING:
    from specnet.parts.schedules import ReduceOnPlateau

Commits = list[tuple[Value, Value]]
ScalarLookup = Callable[[str], Value]
Numbers = float | NDArray[Any]
"""One number, or one for each of several steps."""


class StateLookup(Protocol):
    """A function that returns the states of an optimizer by name."""

    def __call__(self, name: str, start: float = 0.0) -> Value:
        """Return a state vector with theta's layout, whose initial values are all `start`."""


class Optimizer(PartKind):
    """An update rule for the parameters."""

    kind: ClassVar[str] = "optimizer"
    full_batch_only: ClassVar[bool] = False
    """Whether each step needs the gradient over all rows."""

    @property
    def stepping(self) -> "SteppingOptimizer | None":
        """The optimizer itself if it makes one step per gradient, else None."""
        return None

    def minimize_arguments(self, epochs: int) -> dict[str, Any]:
        """Return the arguments of `scipy.optimize.minimize`, for an optimizer that is not stepping."""
        raise NotImplementedError(f"{type(self).__name__} has no minimize_arguments")

    @property
    def decay(self) -> float:
        """The fraction of each weight that a step subtracts, before multiplication by the learning rate."""
        return 0.0

    @property
    def decay_schedule(self) -> Schedule:
        """The schedule of `decay`, a factor on it in addition to the learning rate."""
        return ConstantRate()

    def plateaus(self) -> "Iterator[tuple[Path, ReduceOnPlateau]]":
        """Yield each schedule, or part of a schedule, that reads a metric after each epoch, with its path."""
        yield from ()


class SteppingOptimizer(Optimizer):
    """An optimizer that makes one step per gradient.

    All values are flat vectors of the trainable parameters' layout: theta, the gradient, and the optimizer's own
    states. Numbers that change with the step come from `scalars` and are inputs of the update.
    """

    learning_rate: PositiveNumber
    schedule: Schedule = Field(ConstantRate(), description="learning-rate schedule, a factor on learning_rate")

    @property
    def stepping(self) -> Self:
        return self

    def plateaus(self) -> "Iterator[tuple[Path, ReduceOnPlateau]]":
        for path, plateau in self.schedule.plateaus():
            yield ("schedule", *path), plateau

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        """Return the scalars of a step (from 1) for the learning rate `rate`, by name."""
        return {"rate": rate}

    def scalars_of(self, steps: Numbers, rate: Numbers) -> Mapping[str, Numbers]:
        """Return the scalars of several steps by name: each an array (steps,), or one number for all steps.

        Parameters
        ----------
        steps : (steps,) of int
            Counted from 1.
        rate : float or (steps,)
        """
        if type(self).scalars is SteppingOptimizer.scalars:
            return {"rate": rate}
        rates = np.broadcast_to(rate, np.shape(steps)).tolist()
        each = [self.scalars(step, rate) for step, rate in zip(np.asarray(steps).tolist(), rates, strict=True)]
        return {name: np.array([numbers[name] for numbers in each]) for name in each[0]}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        """Return the updates of theta and the states, as pairs of the old and the new value."""
        raise NotImplementedError(f"{type(self).__name__} has no update")


WEIGHT_DECAY = (
    "decoupled weight decay: fraction of each weight subtracted per step, times the learning rate; biases do not "
    "decay. PyTorch's λ, but for AdamW, is an L2 penalty on weights and biases: use training.l2 = λ/2"
)


class DecayingOptimizer(SteppingOptimizer):
    """A stepping optimizer that also shrinks the weights, apart from the gradient (Loshchilov and Hutter 2019)."""

    weight_decay: NonNegativeNumber = Field(0.0, description=WEIGHT_DECAY)
    weight_decay_schedule: Schedule | None = Field(
        None,
        description="schedule of the weight decay, a factor on weight_decay; default: none, so that the decay follows "
        "the learning rate alone",
    )

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        if self.weight_decay_schedule is not None:
            yield from metric_problems("weight_decay_schedule", self.weight_decay_schedule)

    @property
    def decay(self) -> float:
        return self.weight_decay

    @property
    def decay_schedule(self) -> Schedule:
        return self.weight_decay_schedule or ConstantRate()


def nearer(old: Value, new: Value, share: float) -> Value:
    """Return old + share · (new − old)."""
    return old + (new - old) * share
