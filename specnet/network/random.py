"""Named streams of random numbers from one seed; each use of randomness has a separate stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

Purpose = Literal[
    "initial weights",
    "shuffling",
    "dropout",
    "resampling",
    "baselines",
    "importance",
    "mixtures",
    "contributions",
    "exchanges",
]
_NUMBERS: dict[Purpose, int] = {
    "initial weights": 0,
    "shuffling": 1,
    "dropout": 2,
    "resampling": 3,
    "baselines": 4,
    "importance": 5,
    "mixtures": 6,
    "contributions": 7,
    "exchanges": 8,
}
_STEP_STRIDE = 2**64
_STEP_FACTOR = pow(0x2360ED051FC65DA44385DF649FCCF645, _STEP_STRIDE, 2**128)
"""PCG64's multiplier to the power of the stride, which moves the generator from one step's numbers to the next."""
_MADE_AT_ONCE = 256
_POOL, _WORDS, _HALF = 4, 8, 16
"""Number of 32-bit words in a seed sequence's state, number in a generator's first state, and half the bits of a
word."""
_LEFT, _RIGHT = np.array([0xCA01F9DD, 0x4973F715], np.uint32)


def stream(seed: int, purpose: Purpose, *keys: int) -> np.random.Generator:
    """Return a generator that depends only on the seed, the purpose and the keys."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_NUMBERS[purpose], *keys))))


class NumberedStreams:
    """Generators of streams whose last key is a number, the same as by `stream`, but in a third of the time.

    The state of NumPy's `SeedSequence` before the last key is the same for all numbers. The key is mixed into the
    state, and words are drawn from it, for many numbers at once (O'Neill 2015, "Developing a seed_seq alternative").

    Parameters
    ----------
    seed : int
        Below 2¹²⁸.
    purpose : str
    keys : int
        Each below 2³².
    """

    def __init__(self, seed: int, purpose: Purpose, *keys: int) -> None:
        before = (_NUMBERS[purpose], *keys)
        self._pool = np.random.SeedSequence(seed, spawn_key=before).pool
        # Number of hashes so far: _POOL² to fill the state and mix its words, and _POOL for each key.
        mixed = _POOL * (_POOL + len(before))
        self._mixing = _powers(0x43B0D7E5, 0x931E8875, mixed + _POOL + 1)[mixed:]
        self._drawing = _powers(0x8B51F9DD, 0x58F38DED, _WORDS + 1)
        self._first, self._words = 0, np.empty((0, _POOL), np.uint64)

    def __call__(self, number: int) -> np.random.Generator:
        """Return the generator for a number below 2³¹."""
        if not 0 <= number - self._first < len(self._words):
            numbers = np.arange(number, number + _MADE_AT_ONCE, dtype=np.uint32)
            self._first, self._words = number, self._words_of(numbers)
        known: Any = _KnownWords(self._words[number - self._first])  # Any, since NumPy's annotations do not allow it
        return np.random.Generator(np.random.PCG64(known))

    def _words_of(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint64]:
        state = _LEFT * self._pool - _RIGHT * _hashed(numbers[:, np.newaxis], self._mixing)
        state ^= state >> _HALF
        return _hashed(np.tile(state, _WORDS // _POOL), self._drawing).view(np.uint64)


class _KnownWords(ISeedSequence):
    """A seed sequence that returns given words."""

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        return self._words


def _powers(first: int, factor: int, count: int) -> NDArray[np.uint32]:
    return np.array([first * pow(factor, k, 2**32) % 2**32 for k in range(count)], np.uint32)


def _hashed(words: NDArray[np.uint32], constants: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the hashes of words, (…, 1 or constants − 1); each is hashed with two successive constants."""
    hashed = (words ^ constants[:-1]) * constants[1:]
    hashed ^= hashed >> _HALF
    return hashed


def member_keys(member: int | None) -> tuple[int, ...]:
    """Return the first keys of a network's streams: the number of the ensemble member, or none without an ensemble."""
    return () if member is None else (member,)


class StepNoise:
    """Random numbers of training steps, which depend only on the seed, the ensemble member and the step's number.

    Each step has a separate range of 2⁶⁴ numbers. Advancing the generator to them is much faster than seeding a new
    one.
    """

    def __init__(self, seed: int, member: int | None = None) -> None:
        key = (_NUMBERS["dropout"], *member_keys(member))
        self._bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key))
        self._generator = np.random.Generator(self._bits)
        self._start = self._bits.state

    def fill(self, arrays: Mapping[str, NDArray[Any]], step: int) -> None:
        """Fill float arrays in order: with normal numbers if the name begins with "normal", else uniform in [0, 1)."""
        self._go_to(step)
        for name, array in arrays.items():
            draw = self._generator.standard_normal if name.startswith("normal") else self._generator.random
            draw(dtype=array.dtype.type, out=array)

    def walk(self, step: int) -> tuple[int, int, int, int]:
        """Return four numbers of 128 bits: PCG64's state before a step's numbers, its increment, a factor, a summand.

        The state before the numbers of the next step is the factor times this state plus the summand.
        """
        self._go_to(step + 1)
        following = self._bits.state["state"]["state"]
        self._go_to(step)
        now = self._bits.state["state"]
        return now["state"], now["inc"], _STEP_FACTOR, (following - _STEP_FACTOR * now["state"]) % 2**128

    def _go_to(self, step: int) -> None:
        self._bits.state = self._start
        self._bits.advance(step * _STEP_STRIDE)
