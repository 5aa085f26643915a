"""Named streams of random numbers off one seed, so that no use of randomness disturbs another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Purpose = Literal["initial weights", "shuffling", "dropout"]
_NUMBERS: dict[Purpose, int] = {"initial weights": 0, "shuffling": 1, "dropout": 2}
_STEP_STRIDE = 2**64


def stream(seed: int, purpose: Purpose, *keys: int) -> np.random.Generator:
    """Return a generator that depends on the seed, the purpose and the keys alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_NUMBERS[purpose], *keys))))


class StepNoise:
    """Random numbers that depend on the seed and a step's number alone, whatever was drawn before.

    The generator jumps to the step's own stretch of 2⁶⁴ numbers, which takes a fraction of what seeding anew takes.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_NUMBERS["dropout"],)))
        self._generator = np.random.Generator(self._bits)
        self._start = self._bits.state

    def fill(self, arrays: Mapping[str, NDArray[Any]], step: int) -> None:
        """Fill float arrays, one after the other: with numbers from [0, 1), or normal ones if the name begins so."""
        self._bits.state = self._start
        self._bits.advance(step * _STEP_STRIDE)
        for name, array in arrays.items():
            draw = self._generator.standard_normal if name.startswith("normal") else self._generator.random
            draw(dtype=array.dtype.type, out=array)
