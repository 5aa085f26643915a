"""The head of every C text: types, vectors, and functions that transpose matrices."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

_TYPES = {np.dtype(np.float32): ("float", "int32_t"), np.dtype(np.float64): ("double", "int64_t")}

_HEAD = """\
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef {real} real;
typedef {integer} integer __attribute__((may_alias));
typedef int64_t index64;
#define VECTOR {numbers}
typedef real vector __attribute__((vector_size({vector_bytes}), aligned(sizeof(real)), may_alias));
#define LOAD(address) (*(const vector *)(address))
#define STORE(address, numbers) (*(vector *)(address) = (numbers))
#define PADDED(count) (((count) + VECTOR - 1) / VECTOR * VECTOR)
#define PIECE 1024  /* numbers that are added up apart */
#define WITHIN(index, count) ((index) < 0 ? 0 : (index) >= (count) ? (count) - 1 : (index))
static const real one __attribute__((unused)) = 1;
#define INLINE static inline __attribute__((always_inline, unused))
#define OUTLINE static __attribute__((noinline, unused))
/* Padding holds anything, and not every number has an integer. */
INLINE integer index_of(real x)
{{
  const real limit = (uint64_t)1 << (8 * sizeof(integer) - 1);
  return x > -limit && x < limit ? (integer)x : -1;
}}
#define PRAGMA(text) _Pragma(#text)
#define SIMD(clauses) PRAGMA(omp simd clauses)
#if defined __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef SHUFFLE
typedef integer lanes __attribute__((vector_size({vector_bytes})));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (lanes){{__VA_ARGS__}})
#endif
"""

_TRANSPOSE_SQUARE = """\
/* A square of numbers, transposed. */
INLINE void transpose_square(const real *const *row, long from, real *to, long to_row)"""
_TRANSPOSE_PARAMETERS = (
    "const real *from, long from_row, const index64 *indices, long rows, long columns, real *to, long to_row"
)
_TRANSPOSE = f"""
/* to[c, r] = from[r, c] for rows of `from`, some of them by their indices; a square of vectors at a time. */
OUTLINE void transpose({_TRANSPOSE_PARAMETERS})
{{
  if (columns < VECTOR || rows < VECTOR) {{
    for (long r = 0; r < rows; r++) {{
      const real *row = from + (indices ? indices[r] : r) * from_row;
      for (long c = 0; c < columns; c++) to[c * to_row + r] = row[c];
    }}
    return;
  }}
  for (long r = 0; r < rows; r += VECTOR) {{
    const long first = r + VECTOR <= rows ? r : rows - VECTOR;  /* the last square lies over the one before */
    const real *row[VECTOR];
    /* Two loops: one would read indices by a mask, and CPUs are slow where that is all zeros and the address null. */
    for (long k = 0; k < VECTOR; k++) row[k] = from + (first + k) * from_row;
    if (indices) {{
      for (long k = 0; k < VECTOR; k++) row[k] = from + indices[first + k] * from_row;
      for (long k = r + VECTOR; k < r + 2 * VECTOR && k < rows; k++)
        for (long c = 0; c < columns; c += 64 / (long)sizeof(real))
          __builtin_prefetch(from + indices[k] * from_row + c);
    }}
    for (long c = 0; c < columns; c += VECTOR) {{
      const long second = c + VECTOR <= columns ? c : columns - VECTOR;
      transpose_square(row, second, to + second * to_row + first, to_row);
    }}
  }}
}}
"""


def packed(name: str, parameters: str) -> tuple[str, str]:
    """Return the C struct of a function's parameters, and the statements that read them from `arguments`."""
    kinds = [(kind.rstrip(), field) for kind, field in re.findall(r"([\w *]+?[ *])(\w+)(?:, |$)", parameters)]
    fields = "".join(f" {kind} {field};" for kind, field in kinds)
    taken = "".join(f" {kind} {field} = q->{field}; (void){field};" for kind, field in kinds)
    return f"typedef struct {{{fields} }} {name};\n", f"const {name} *const q = arguments;{taken}"


_TRANSPOSE_STRUCT, _UNPACKED_TRANSPOSE = packed("Transpose", _TRANSPOSE_PARAMETERS)
SHARED_TRANSPOSE_TEXT = f"""
/* The same, by threads, of which each takes some of the rows. */
{_TRANSPOSE_STRUCT}static void transpose_part(const void *arguments, long part, long parts)
{{
  {_UNPACKED_TRANSPOSE}
  const long squares = rows / VECTOR, first = squares * part / parts * VECTOR;
  const long last = part + 1 == parts ? rows : squares * (part + 1) / parts * VECTOR;
  const real *const begin = indices ? from : from + first * from_row;
  transpose(begin, from_row, indices ? indices + first : 0, last - first, columns, to + first, to_row);
}}
OUTLINE void shared_transpose({_TRANSPOSE_PARAMETERS})
{{
  const Transpose q = {{from, from_row, indices, rows, columns, to, to_row}};
  in_parts(transpose_part, &q, 1);
}}
"""


def head_text(dtype: np.dtype[Any], vector_bytes: int) -> str:
    """Return the C types and macros for real numbers of a dtype and vectors of `vector_bytes`."""
    real, integer = _TYPES[dtype]
    return _HEAD.format(real=real, integer=integer, vector_bytes=vector_bytes, numbers=vector_bytes // dtype.itemsize)


def transposing_text(numbers: int) -> str:
    """Return the C functions that transpose matrices, in squares of `numbers` rows and columns.

    A square is transposed in registers, in one round for each bit of a row's index: the round exchanges this bit of the
    row's index with the same bit of the column's index.
    """
    loads = ", ".join(f"v{row} = LOAD(row[{row}] + from)" for row in range(numbers))
    lines = [_TRANSPOSE_SQUARE, "{", f"  vector a, b, {loads};"]
    step = 1
    while step < numbers:
        for row in range(numbers):
            if row & step:
                continue
            low = [k if not k & step else numbers + k - step for k in range(numbers)]
            high = [k + step if not k & step else numbers + k for k in range(numbers)]
            lines.append(f"  a = v{row}; b = v{row + step};")
            lines.append(f"  v{row} = SHUFFLE(a, b, {', '.join(map(str, low))});")
            lines.append(f"  v{row + step} = SHUFFLE(a, b, {', '.join(map(str, high))});")
        step *= 2
    lines += [f"  STORE(to + {row} * to_row, v{row});" for row in range(numbers)]
    return "\n".join([*lines, "}"]) + "\n" + _TRANSPOSE
