"""The uniform numbers that compiled steps draw are those of NumPy's generator, bit for bit."""

import ctypes

import numpy as np
import pytest

from specnet.compiler.native.c_text.c_head import head_text
from specnet.compiler.native.toolchain.libraries import library
from specnet.compiler.native.training_steps import DRAWN_TOO_MANY, drawing_text, words_of
from specnet.network.random import StepNoise
from tests.compiling import compiles

pytestmark = compiles
SEED = 12
FUNCTION = """
void drawn(const uint64_t *walk, long steps, real *to, long count)
{
  wide state = WIDE(walk, 0);
  for (; steps--; state = state * WIDE(walk, 2) + WIDE(walk, 3)) draw(state, WIDE(walk, 1), to, count);
}
"""


def drawn(dtype: np.dtype, first: int, steps: int, count: int) -> np.ndarray:
    """What C draws for the last of some steps, with what it writes behind."""
    made = library(head_text(dtype, 16) + drawing_text(dtype) + FUNCTION, ("drawn",))
    function = made.function("drawn", ctypes.c_void_p, ctypes.c_long, ctypes.c_void_p, ctypes.c_long)
    room, walk = np.full(count + DRAWN_TOO_MANY + 1, 7, dtype), words_of(*StepNoise(SEED, 1).walk(first))
    function(walk.ctypes.data, steps, room.ctypes.data, count)
    return room


@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(np.float64)], ids=str)
@pytest.mark.parametrize("count", [1, 7, 8, 9, 1_000_003])
@pytest.mark.parametrize("steps", [1, 3])
def test_numbers_are_those_of_the_generator(dtype: np.dtype, count: int, steps: int):
    wanted = np.empty(count, dtype)
    StepNoise(SEED, 1).fill({"uniform.a": wanted[: count // 3], "uniform.b": wanted[count // 3 :]}, 40 + steps - 1)
    found = drawn(dtype, 40, steps, count)
    np.testing.assert_array_equal(found[:count], wanted)
    assert found[-1] == 7


def test_the_generator_is_the_one_that_c_has():
    """Its multiplier and its mixing, by the definition, in Python's numbers of any length."""
    bits = np.random.PCG64(5)
    state, increment = (bits.state["state"][name] for name in ("state", "inc"))
    for word in bits.random_raw(100).tolist():
        state = (state * 0x2360ED051FC65DA44385DF649FCCF645 + increment) % 2**128
        mixed, turn = (state >> 64) ^ (state % 2**64), state >> 122
        assert word == (mixed >> turn | mixed << (64 - turn)) % 2**64
