"""The base class of schedules, and the constant rate."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from specnet.errors import Path
from specnet.parts.part import FieldProblem
from specnet.parts.registry import PartKind


class Schedule(PartKind):
    """A factor on the learning rate that changes over the run."""

    kind: ClassVar[str] = "schedule"

    is_constant: ClassVar[bool] = False
    """Whether the factor is 1 throughout."""

    unit: Literal["step", "epoch"] = Field(
        "step", description="unit of time: the factor changes with each step or each epoch"
    )

    def depends_on_length(self) -> bool:
        """Return whether the factors at the start of a run depend on its length."""
        return True

    def multiplier(self, position: int, length: int) -> float:
        """Return the factor at a position, counted from 0, in a run of the given length, both in units."""
        raise NotImplementedError(f"{type(self).__name__} has no multiplier")

    def factor_at(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return the factor at a step, counted from 0, whatever the unit."""
        if self.unit == "step":
            return self.multiplier(step, total_steps)
        return self.multiplier(step // steps_per_epoch, math.ceil(total_steps / steps_per_epoch))

    def plateaus(self) -> Iterator[tuple[Path, Any]]:
        """Yield each `ReduceOnPlateau` in this schedule, with its path under the schedule."""
        yield from ()


def metric_problems(field: str, schedule: Schedule) -> Iterator[FieldProblem]:
    """Yield an error for each part of the schedule in a field that reads a metric, as only learning rates can."""
    for path, plateau in schedule.plateaus():
        message = f"{plateau.type} is for learning rates only, since it depends on a metric after each epoch"
        yield FieldProblem((field, *path), message, "schedule")


class AnyLength(Schedule):
    """A schedule whose factors do not depend on the length of the run."""

    def depends_on_length(self) -> bool:
        return False


class ConstantRate(AnyLength):
    """1 throughout: a constant learning rate."""

    is_constant = True
    type: Literal["constant"] = "constant"

    def multiplier(self, position: int, length: int) -> float:
        return 1.0
