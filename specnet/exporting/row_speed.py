"""The time for a row in the exported C of a model, measured on this machine."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import numpy as np

from specnet.compiler.native.toolchain.libraries import library
from specnet.data import RawColumns
from specnet.errors import ExportError
from specnet.exporting.target import Target
from specnet.exporting.targets.c import TARGET, number_types
from specnet.files.large import LARGEST_IN_MEMORY
from specnet.model import Model

ROWS = 1024
"""Maximum number of different rows."""
SECONDS, ROUNDS = 0.02, 5
"""Minimum time of a round in seconds, and the number of rounds, the fastest of which counts."""
_STEM = "measured"


def microseconds_per_row(model: Model, columns: RawColumns) -> float:
    """Return the microseconds of processor time for a row in the exported C, compiled for this CPU.

    Parameters
    ----------
    model : Model
    columns : RawColumns
        Raw rows, such as test rows; a category is the index of its text.

    Raises
    ------
    UnsupportedError
        If the model cannot be exported to C.
    BuildError
        If there is no C compiler.
    """
    target: Target = TARGET
    program, path = target.program(model, model.network.dtype), Path(f"{_STEM}.c")
    files = target.render(program, path)
    source, header = (files[each].decode() for each in (path, path.with_suffix(".h")))
    kinds, macro = number_types(program), _STEM.upper()
    loop = (
        f"void measured_rows(const {kinds['columns']} *x, {kinds['answers']} *y, double *workspace, long rows)\n"
        f"{{\n    for (long row = 0; row < rows; row++)\n"
        f"        {_STEM}_forward_work(x + row * {macro}_INPUTS, y, workspace);\n}}\n"
        f"long measured_workspace(void) {{ return {macro}_WORKSPACE; }}\n"
    )
    text = source.replace(f'#include "{_STEM}.h"', header) + loop
    made = library(text, ("measured_rows", "measured_workspace"))
    size = made.function("measured_workspace", gives=ctypes.c_long)()
    if not 0 < size * 8 <= LARGEST_IN_MEMORY:
        raise ExportError(f"the exported C needs a workspace of {size} numbers, too large to measure it")
    call = made.function("measured_rows", *[ctypes.c_void_p] * 3, ctypes.c_long)
    x = np.ascontiguousarray(columns.X[:ROWS], program.column_dtype)
    y, workspace = np.empty(max(1, program.outputs), program.answer_dtype), np.empty(size)
    pointers = [each.ctypes.data for each in (x, y, workspace)]
    call(*pointers, len(x))
    best, repeats = float("inf"), 1
    for _ in range(ROUNDS):
        while True:
            begin = time.thread_time()
            for _ in range(repeats):
                call(*pointers, len(x))
            seconds = time.thread_time() - begin
            if seconds >= SECONDS:
                break
            repeats *= 2
        best = min(best, seconds / repeats / len(x))
    return 1e6 * best
