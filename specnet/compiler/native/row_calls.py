"""A program on a few rows as one C call from Python, which checks its arguments in C.

Copying rows into a program's inputs and out of its outputs takes longer than a small network. Here C reads the arrays
with the functions of the buffer protocol, which it receives as pointers, so that no Python header is needed to compile
it. The interpreter's lock is not released, and each thread has its own workspace.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from specnet.compiler.lowering import Array, Plan
from specnet.compiler.native.c_text.c_forms import block
from specnet.compiler.native.c_text.emit_function import CText
from specnet.compiler.native.toolchain.libraries import LoadedLibrary, library
from specnet.compiler.native.toolchain.processors import native_processor
from specnet.compiler.value import BATCH, INPUT, STATE, size_of

MAX_ROWS = 16
MAX_BYTES = 2**20
"""Maximum size of a thread's workspace."""

_API = """
/* A Py_buffer, which is the same in all versions of Python from 3.11 on. */
typedef struct {
  void *data, *owner;
  long length, item;
  int readonly, axes;
  char *format;
  long *shape, *strides, *suboffsets;
  void *internal;
} Buffer;
enum { STRIDES_AND_FORMAT = 0x1c, WRITABLE = 0x1d };
static int (*get_buffer)(void *, Buffer *, int);
static void (*release_buffer)(Buffer *), (*clear_error)(void);

void set_api(void *get, void *release, void *clear)
{
  get_buffer = get;
  release_buffer = release;
  clear_error = clear;
}

static int is_matrix(const Buffer *b, long columns)
{
  return b->axes == 2 && b->shape[1] == columns && b->shape[0] > 0 && b->shape[0] <= MAX_ROWS && !b->format[1];
}

static int is_contiguous(const Buffer *b, long item)
{
  return b->strides[b->axes - 1] == item && (b->axes == 1 || b->strides[0] == b->shape[1] * item);
}

/* Rows as columns; 0 if one is not finite in the program's precision. */
static int read_rows(const Buffer *b, real *to)
{
  const long rows = b->shape[0], columns = b->shape[1];
  int finite = 1;
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c++) {
      const char *address = (const char *)b->data + r * b->strides[0] + c * b->strides[1];
      const real x = b->format[0] == 'd' ? (real)*(const double *)address : (real)*(const float *)address;
      finite &= x - x == 0;
      to[c * rows + r] = x;
    }
  return finite;
}
"""

FewRows = Callable[[Array, Array], Array | None]
"""Function that takes the vector of states and rows (rows, features), and returns the rows of the output, or None if it
does not accept these arrays."""


def few_rows(plan: Plan, dtype: np.dtype[Any], starts: Mapping[str, int], size: int) -> FewRows | None:
    """Return a program with one input and one output as a function of rows; None for other programs or large ones.

    The function takes arrays of finite float32 or float64 numbers of the right shape, of at most `MAX_ROWS` rows, and
    a vector that is C-contiguous and of the program's dtype.

    Parameters
    ----------
    plan
    dtype
        The dtype of the program.
    starts
        The index of each state's first element in the vector.
    size
        The length of the vector.

    Raises
    ------
    BuildError
        If the program cannot be compiled.
    """
    inputs = [call for call in plan.calls if call.operation is INPUT]
    states = [call.attributes for call in plan.calls if call.operation is STATE]
    output = plan.calls[plan.outputs[0]]
    if len(inputs) != 1 or inputs[0].shape[1:] != (BATCH,) or not set(states) <= starts.keys():
        return None
    target = native_processor()
    source = CText(dtype, target, {BATCH: MAX_ROWS})
    function = source.add(plan, "program")
    length = -(-MAX_ROWS // source.vector_numbers) * source.vector_numbers
    columns, made = size_of(inputs[0].shape), size_of(output.shape)
    input_size = columns * MAX_ROWS + source.vector_numbers
    cells = function.extent.at({BATCH: length})
    offset = function.allocation.offset(plan.outputs[0])
    if offset is None or output.shape[1:] != (BATCH,) or (input_size + cells) * dtype.itemsize > MAX_BYTES:
        return None
    first = f"{function.allocation.first_row(plan.outputs[0])} * batch_row + {offset.text()}"
    code = "d" if dtype == np.float64 else "f"
    tables = [f"{source.pointer(name)} = theta + {starts[name]};" for name in states]
    answer = block(
        "static int answer(real *theta, const Buffer *x, real *y)",
        [
            f"static _Thread_local real columns[{input_size}] __attribute__((aligned(64)));",
            f"static _Thread_local real workspace[{cells + source.vector_numbers}] __attribute__((aligned(64)));",
            "const index64 sizes[1] = {x->shape[0]};",
            *source.lengths(),
            f"void *p[{len(source.table)}];",
            "if (!read_rows(x, columns)) return 1;",
            "p[0] = workspace;",
            f"{source.pointer(inputs[0].attributes)} = columns;",
            *tables,
            "program(p, sizes, 1);",
            f"for (long r = 0; r < batch; r++) for (long c = 0; c < {made}; c++)",
            f"  y[r * {made} + c] = workspace[{first} + c * batch_row + r];",
            "return 0;",
        ],
    )
    of_rows = block(
        "int rows(void *vector, void *matrix, void *output)",
        [
            "Buffer theta, x, y;",
            "int refused = 1;",
            "if (get_buffer(vector, &theta, STRIDES_AND_FORMAT)) { clear_error(); return 1; }",
            "if (get_buffer(matrix, &x, STRIDES_AND_FORMAT)) { clear_error(); release_buffer(&theta); return 1; }",
            "if (get_buffer(output, &y, WRITABLE)) clear_error();",
            "else {",
            f"  const int right = theta.axes == 1 && theta.shape[0] == {size} && theta.format[0] == '{code}'",
            f"    && !theta.format[1] && is_contiguous(&theta, sizeof(real)) && is_matrix(&x, {columns})",
            f"    && (x.format[0] == 'd' || x.format[0] == 'f') && is_matrix(&y, {made})",
            f"    && y.shape[0] == x.shape[0] && y.format[0] == '{code}' && is_contiguous(&y, sizeof(real));",
            "  if (right) refused = answer(theta.data, &x, y.data);",
            "  release_buffer(&y);",
            "}",
            "release_buffer(&x);",
            "release_buffer(&theta);",
            "return refused;",
        ],
    )
    text = source.text(f"enum {{ MAX_ROWS = {MAX_ROWS} }};", _API, "\n".join(answer), "\n".join(of_rows), "")
    rows, empty = _rows_of(library(text, ("rows", "set_api"), target)), np.empty

    def answered(theta: Array, X: Array) -> Array | None:
        if X.ndim != 2:
            return None
        y = empty((len(X), made), dtype)
        return None if rows(theta, X, y) else y

    return answered


def _rows_of(made: LoadedLibrary) -> Any:
    api = (ctypes.pythonapi.PyObject_GetBuffer, ctypes.pythonapi.PyBuffer_Release, ctypes.pythonapi.PyErr_Clear)
    set_api = made.function("set_api", *[ctypes.c_void_p] * len(api))
    set_api(*(ctypes.cast(function, ctypes.c_void_p) for function in api))
    # The same library, opened so that its functions do not release the interpreter's lock.
    locked: Any = ctypes.PyDLL(made._name, handle=made._handle)
    locked.library = made  # so that it stays open as long as the function is in use
    call = locked["rows"]
    call.argtypes, call.restype = [ctypes.py_object] * 3, ctypes.c_int
    return call
