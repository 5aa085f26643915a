"""What no engine can do without: a step's products with their sums, as fast as one core can make any.

An engine's ratio to another one cannot be smaller than this time's, whatever is written.
"""

import ctypes
from itertools import pairwise

import numpy as np

from specnet.compiler.native.toolchain.libraries import library
from tests.benchmarks.steps.cases import Case
from tests.benchmarks.timing import Run
from tests.compiling import native_processor

SUMS = 16
"""Vectors that are added to in turn: enough that no addition waits for another one."""


def sums_of_products(case: Case) -> int:
    """How many numbers a step multiplies and adds: forward, of weights, and of all inputs but the network's."""
    each = [inputs * outputs for inputs, outputs in pairwise(case.sizes)]
    return case.batch * (3 * sum(each) - each[0])


def peak_run(case: Case) -> Run:
    """Multiply and add as many numbers as a step does, all of them in registers of one core."""
    target, dtype = native_processor(), np.dtype(case.dtype)
    numbers, real = target.vector_bytes // dtype.itemsize, "float" if dtype == np.float32 else "double"
    names = [f"s{k}" for k in range(SUMS)]
    text = f"""
    typedef {real} vector __attribute__((vector_size({target.vector_bytes})));
    void spend(long rounds, vector *from) {{
      vector {", ".join(f"{name} = from[{k}]" for k, name in enumerate(names))};
      const vector factor = from[{SUMS}], more = from[{SUMS + 1}];
      for (long k = 0; k < rounds; k++) {{
        {" ".join(f"{name} = {name} * factor + more;" for name in names)}
      }}
      {" ".join(f"from[{k}] = {name};" for k, name in enumerate(names))}
    }}
    """
    spend = library(text, ("spend",), target)["spend"]
    spend.argtypes, spend.restype = [ctypes.c_long, ctypes.c_void_p], None
    room = np.zeros((SUMS + 3) * numbers, dtype)
    start = -room.ctypes.data % target.vector_bytes
    rounds = -(-sums_of_products(case) // (SUMS * numbers))

    def run(count: int) -> int:
        spend(rounds * count, room.ctypes.data + start)
        return count

    return run
