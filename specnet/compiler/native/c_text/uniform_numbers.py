"""Uniform random numbers in C, in the bits of NumPy's `Generator(PCG64).random`.

PCG64 is a linear congruential generator of 128 bits whose state is mixed to a word (O'Neill 2014, "PCG: a family of
simple fast space-efficient statistically good algorithms for random number generation", XSL RR). A multiplication
waits for the one before, so four states go side by side, each four numbers ahead of itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from specnet.compiler.backend import Array

DRAWN_TOO_MANY = 8
"""Numbers that `draw` may write behind the last one."""
_TEXT = """
typedef unsigned __int128 wide;
#define WIDE(words, k) ((wide)(words)[2 * (k) + 1] << 64 | (words)[2 * (k)])
#define MULTIPLIER ((wide)0x2360ed051fc65da4u << 64 | 0x4385df649fccf645u)
INLINE uint64_t word_of(wide state)
{
  const uint64_t mixed = (uint64_t)(state >> 64) ^ (uint64_t)state;
  const unsigned turn = state >> 122;
  return mixed >> turn | mixed << (-turn & 63);
}
"""
_DRAW = """
/* The numbers after a state of the generator with this increment. */
OUTLINE void draw(wide state, wide increment, real *to, long count)
{{
  const wide twice = MULTIPLIER * MULTIPLIER, ahead = twice * twice;
  const wide increment_ahead = increment * (MULTIPLIER + 1) * (twice + 1);
  wide states[4];
  for (int k = 0; k < 4; k++) states[k] = state = state * MULTIPLIER + increment;
  for (long j = 0; j < count; j += 4 * {per_word}) {{
    for (int k = 0; k < 4; k++) {{
      const uint64_t word = word_of(states[k]);
      states[k] = states[k] * ahead + increment_ahead;
{written}
    }}
  }}
}}
"""
_WRITTEN = {
    4: (
        2,
        "to[j + 2 * k] = ((uint32_t)word >> 8) * 0x1p-24f;",
        "to[j + 2 * k + 1] = (uint32_t)(word >> 40) * 0x1p-24f;",
    ),
    8: (1, "to[j + k] = (word >> 11) * 0x1p-53;"),
}


def drawing_text(dtype: np.dtype[Any]) -> str:
    """Return the C text of `draw` in one precision, and of `WIDE`, which reads one of the numbers of `words_of`."""
    per_word, *written = _WRITTEN[dtype.itemsize]
    return _TEXT + _DRAW.format(per_word=per_word, written="\n".join(f"      {line}" for line in written))


def words_of(*numbers: int) -> Array:
    """Return numbers of 128 bits as `WIDE` reads them, (2 × numbers,)."""
    return np.array([word for number in numbers for word in (number % 2**64, number >> 64)], np.uint64)
