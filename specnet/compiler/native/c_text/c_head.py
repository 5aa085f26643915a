"""The head of every C text: types, vectors, and rows turned into columns."""

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
#define LOAD(place) (*(const vector *)(place))
#define STORE(place, numbers) (*(vector *)(place) = (numbers))
#define PADDED(count) (((count) + VECTOR - 1) / VECTOR * VECTOR)
#define PIECE 1024  /* numbers that are added up apart */
#define WITHIN(place, count) ((place) < 0 ? 0 : (place) >= (count) ? (count) - 1 : (place))
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

_TURNS_SQUARE = """\
/* A square of numbers, turned. */
INLINE void turn_square(const real *const *row, long from, real *to, long to_row)"""
_TURN_PARAMETERS = (
    "const real *from, long from_row, const index64 *places, long rows, long columns, real *to, long to_row"
)
_TURNS = f"""
/* to[c, r] = from[r, c] for rows of `from`, some of them by their places; a square of vectors at a time. */
OUTLINE void turn({_TURN_PARAMETERS})
{{
  if (columns < VECTOR || rows < VECTOR) {{
    for (long r = 0; r < rows; r++) {{
      const real *row = from + (places ? places[r] : r) * from_row;
      for (long c = 0; c < columns; c++) to[c * to_row + r] = row[c];
    }}
    return;
  }}
  for (long r = 0; r < rows; r += VECTOR) {{
    const long first = r + VECTOR <= rows ? r : rows - VECTOR;  /* the last square lies over the one before */
    const real *row[VECTOR];
    /* Two loops: one would read places by a mask, and CPUs are slow where that is all zeros and the address null. */
    for (long k = 0; k < VECTOR; k++) row[k] = from + (first + k) * from_row;
    if (places) {{
      for (long k = 0; k < VECTOR; k++) row[k] = from + places[first + k] * from_row;
      for (long k = r + VECTOR; k < r + 2 * VECTOR && k < rows; k++)
        for (long c = 0; c < columns; c += 64 / (long)sizeof(real)) __builtin_prefetch(from + places[k] * from_row + c);
    }}
    for (long c = 0; c < columns; c += VECTOR) {{
      const long second = c + VECTOR <= columns ? c : columns - VECTOR;
      turn_square(row, second, to + second * to_row + first, to_row);
    }}
  }}
}}
"""


def packed(name: str, parameters: str) -> tuple[str, str]:
    """Return a struct that has a function's parameters, and the statements that take them from `arguments`."""
    kinds = [(kind.rstrip(), field) for kind, field in re.findall(r"([\w *]+?[ *])(\w+)(?:, |$)", parameters)]
    fields = "".join(f" {kind} {field};" for kind, field in kinds)
    taken = "".join(f" {kind} {field} = q->{field}; (void){field};" for kind, field in kinds)
    return f"typedef struct {{{fields} }} {name};\n", f"const {name} *const q = arguments;{taken}"


_TURN, _UNPACKED_TURN = packed("Turn", _TURN_PARAMETERS)
SHARED_TURN_TEXT = f"""
/* The same, by threads, of which each takes some of the rows. */
{_TURN}static void turn_part(const void *arguments, long part, long parts)
{{
  {_UNPACKED_TURN}
  const long squares = rows / VECTOR, first = squares * part / parts * VECTOR;
  const long last = part + 1 == parts ? rows : squares * (part + 1) / parts * VECTOR;
  const real *const begin = places ? from : from + first * from_row;
  turn(begin, from_row, places ? places + first : 0, last - first, columns, to + first, to_row);
}}
OUTLINE void shared_turn({_TURN_PARAMETERS})
{{
  const Turn q = {{from, from_row, places, rows, columns, to, to_row}};
  in_parts(turn_part, &q, 1);
}}
"""


def head_text(dtype: np.dtype[Any], vector_bytes: int) -> str:
    """Return the types and macros for real numbers of a dtype and vectors of so many bytes."""
    real, integer = _TYPES[dtype]
    return _HEAD.format(real=real, integer=integer, vector_bytes=vector_bytes, numbers=vector_bytes // dtype.itemsize)


def turning_text(numbers: int) -> str:
    """Return the functions that turn rows into columns, in squares of so many numbers.

    A square is turned in registers, in as many rounds as a number's place has bits: each round exchanges one bit of
    the row with the same bit of the column.
    """
    loads = ", ".join(f"v{row} = LOAD(row[{row}] + from)" for row in range(numbers))
    lines = [_TURNS_SQUARE, "{", f"  vector a, b, {loads};"]
    step = 1
    while step < numbers:
        for row in range(numbers):
            if row & step:
                continue
            low = [place if not place & step else numbers + place - step for place in range(numbers)]
            high = [place + step if not place & step else numbers + place for place in range(numbers)]
            lines.append(f"  a = v{row}; b = v{row + step};")
            lines.append(f"  v{row} = SHUFFLE(a, b, {', '.join(map(str, low))});")
            lines.append(f"  v{row + step} = SHUFFLE(a, b, {', '.join(map(str, high))});")
        step *= 2
    lines += [f"  STORE(to + {row} * to_row, v{row});" for row in range(numbers)]
    return "\n".join([*lines, "}"]) + "\n" + _TURNS
