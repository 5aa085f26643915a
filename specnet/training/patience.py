"""How long training goes on without an improvement."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """The best figure so far, and the epochs since then.

    Attributes
    ----------
    best : float
        The smallest figure; infinite at first.
    waited : int
        Epochs since the best one.
    """

    best: float = math.inf
    waited: int = 0

    def after(self, figure: float, min_delta: float) -> Patience:
        """Return the memory after another epoch with this figure, which improves if it is smaller by min_delta."""
        return Patience(figure) if figure < self.best - min_delta else Patience(self.best, self.waited + 1)
