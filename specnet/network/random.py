"""Named streams of random numbers from one seed; each use of randomness has its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Purpose = Literal["initial weights", "shuffling", "dropout", "resampling", "baselines", "importance"]
_NUMBERS: dict[Purpose, int] = {
    "initial weights": 0,
    "shuffling": 1,
    "dropout": 2,
    "resampling": 3,
    "baselines": 4,
    "importance": 5,
}
_STEP_STRIDE = 2**64
_STEP_FACTOR = pow(0x2360ED051FC65DA44385DF649FCCF645, _STEP_STRIDE, 2**128)
"""Of PCG64's multiplier, once for each number of a step."""


def stream(seed: int, purpose: Purpose, *keys: int) -> np.random.Generator:
    """Return a generator that depends only on the seed, the purpose and the keys."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_NUMBERS[purpose], *keys))))


def member_keys(member: int | None) -> tuple[int, ...]:
    """Return the first keys of the streams of a network: none, or its number among the members of an ensemble."""
    return () if member is None else (member,)


class StepNoise:
    """Random numbers that depend only on the seed, the member of an ensemble if any, and the number of the step.

    Each step has 2⁶⁴ numbers of its own. Advancing the generator to them is much faster than seeding a new one.
    """

    def __init__(self, seed: int, member: int | None = None) -> None:
        key = (_NUMBERS["dropout"], *member_keys(member))
        self._bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key))
        self._generator = np.random.Generator(self._bits)
        self._start = self._bits.state

    def fill(self, arrays: Mapping[str, NDArray[Any]], step: int) -> None:
        """Fill float arrays in order: uniform numbers from [0, 1), or normal ones if the name begins with normal."""
        self._go_to(step)
        for name, array in arrays.items():
            draw = self._generator.standard_normal if name.startswith("normal") else self._generator.random
            draw(dtype=array.dtype.type, out=array)

    def walk(self, step: int) -> tuple[int, int, int, int]:
        """Return PCG64's state before the numbers of a step, its increment, and a factor and a summand, of 128 bits.

        The state before those of the next step is the factor times this one plus the summand.
        """
        self._go_to(step + 1)
        following = self._bits.state["state"]["state"]
        self._go_to(step)
        now = self._bits.state["state"]
        return now["state"], now["inc"], _STEP_FACTOR, (following - _STEP_FACTOR * now["state"]) % 2**128

    def _go_to(self, step: int) -> None:
        self._bits.state = self._start
        self._bits.advance(step * _STEP_STRIDE)
