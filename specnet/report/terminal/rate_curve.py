"""The learning rate over a run, as a curve in plain characters and as numbers."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

from specnet.number_texts import count, counted, short
from specnet.parts.optimizers import SteppingOptimizer
from specnet.parts.part import described
from specnet.parts.schedules import Schedule

WIDTH, HEIGHT = 61, 11
"""Size of the curve in characters; both are odd, so that the curve has a middle."""
MAX_EVALUATED = 100_000
"""Most steps at which the learning rate is computed."""
MAX_POINTS = 1000
"""Most points in the plain data."""


class RateCurve:
    """The learning rate at each step of a run.

    Parameters
    ----------
    optimizer : SteppingOptimizer
    epochs, steps_per_epoch : int

    Attributes
    ----------
    steps : list of int
        Indices of steps from 0: all steps of the run, or evenly spaced steps and the last.
    rates : list of float
        Learning rate at each of these steps, without reductions at a plateau.
    """

    def __init__(self, optimizer: SteppingOptimizer, epochs: int, steps_per_epoch: int) -> None:
        self.optimizer, self.epochs, self.steps_per_epoch = optimizer, epochs, steps_per_epoch
        self.total = epochs * steps_per_epoch
        self.steps = _spaced(self.total, MAX_EVALUATED)
        factors = (optimizer.schedule.factor_at(step, self.total, steps_per_epoch) for step in self.steps)
        self.rates = [optimizer.learning_rate * factor for factor in factors]

    def summary(self) -> str:
        """Return the optimizer, its schedule and the length of the run in one line."""
        start = f"{self.optimizer.type} at {short(self.optimizer.learning_rate)}"
        length = f"{counted(self.epochs, 'epoch')} of {counted(self.steps_per_epoch, 'step')}"
        return f"{start}, {described(self.optimizer.schedule)}, {length}"

    def lines(self) -> list[str]:
        """Return the lines of the curve with its axes, its lowest and highest rate, and plateaus that may reduce it."""
        scale = max(filter(math.isfinite, self.rates), default=0.0) or 1.0
        labels = {0: "0", HEIGHT // 2: short(scale / 2), HEIGHT - 1: short(scale)}
        margin = max(map(len, [*labels.values(), "epoch"]))
        reaches = [self._reach(column, scale) for column in range(WIDTH)]
        lines = ["learning rate"]
        for height in reversed(range(HEIGHT)):
            marks = "".join("*" if low <= height <= high else " " for low, high in reaches)
            lines.append(f"{labels.get(height, ''):>{margin}} |{marks}".rstrip())
        lines.append(f"{'':{margin}} +{'-' * WIDTH}")
        ends = (0, (self.total - 1) // 2, self.total - 1)
        lines.append(f"{'step':>{margin}}  {_spread([count(step + 1) for step in ends])}")
        lines.append(f"{'epoch':>{margin}}  {_spread([count(step // self.steps_per_epoch + 1) for step in ends])}")
        lines += ["", f"lowest {self._at(min(self.rates))}, highest {self._at(max(self.rates))}"]
        for _, plateau in self.optimizer.plateaus():
            lines.append(f"and times {plateau.factor} whenever {plateau.monitor} has reached a plateau")
        return lines

    def factors_of(self, schedule: Schedule) -> tuple[float, float, float]:
        """Return the factors of another schedule, such as that of a dropout, at the first, middle and last step."""
        first, middle, last = (
            schedule.factor_at(step, self.total, self.steps_per_epoch) for step in (0, self.total // 2, self.total - 1)
        )
        return first, middle, last

    def as_dict(self) -> dict[str, Any]:
        """Return the curve as plain data; steps and epochs count from 1, and an infinite or NaN rate is None."""
        points = list(zip(self.steps, self.rates, strict=True))
        return {
            "optimizer": self.optimizer.model_dump(mode="json", exclude_none=True),
            "epochs": self.epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "lowest": _finite(min(self.rates)),
            "highest": _finite(max(self.rates)),
            "points": [
                {"step": step + 1, "epoch": step // self.steps_per_epoch + 1, "rate": _finite(rate)}
                for step, rate in (points[index] for index in _spaced(len(points), MAX_POINTS))
            ],
        }

    def _reach(self, column: int, scale: float) -> tuple[int, int]:
        """Return the lowest and the highest row that the curve touches in a column."""
        begin = bisect_left(self.steps, column * self.total // WIDTH)
        end = bisect_left(self.steps, (column + 1) * self.total // WIDTH)
        rates = self.rates[begin : max(end, begin + 1)]
        low, high = (round(min(rate / scale, 1.0) * (HEIGHT - 1)) for rate in (min(rates), max(rates)))
        return low, high

    def _at(self, rate: float) -> str:
        return f"{short(rate)} at step {count(self.steps[self.rates.index(rate)] + 1)}"


def _spaced(length: int, most: int) -> list[int]:
    """Return the indices below a length, or about `most` evenly spaced indices; always with the last index."""
    return [*range(0, length - 1, math.ceil(length / most)), length - 1]


def _spread(words: list[str]) -> str:
    """Return one line with three words: at the left end, the middle and the right end of the curve."""
    left, middle, right = words
    half = WIDTH // 2
    return f"{left:<{half - len(middle) // 2}}{middle}".ljust(WIDTH - len(right)) + right


def _finite(rate: float) -> float | None:
    return rate if math.isfinite(rate) else None
