"""Many training steps in one call of C: gather rows, compute their gradient, clip it, and update the states."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from specnet.compiler.lowering import Array, Plan
from specnet.compiler.native.allocate import Matrix
from specnet.compiler.native.binding import BoundArrays, function_of
from specnet.compiler.native.c_plan import no_form
from specnet.compiler.native.c_text.c_forms import block
from specnet.compiler.native.c_text.c_head import packed
from specnet.compiler.native.c_text.emit_function import CFunction, CText
from specnet.compiler.native.toolchain.libraries import LoadedLibrary, library
from specnet.compiler.native.toolchain.processors import Processor
from specnet.compiler.value import BATCH, FLAT, INPUT, Shape

Clipping = tuple[str, str, float]
"""The name of a vector, the name of the number that is set to its factor, and the maximum norm of the vector."""

_CLIPPING = """
/* The factor that limits the length of a vector. One whose squares are out of range is scaled first, to be near 1. */
OUTLINE real clipping_factor(real *v, long count, double longest)
{{
  double squares = 0;
  SIMD(reduction(+:squares))
  for (long j = 0; j < count; j++) squares += (double)v[j] * v[j];
  if (squares >= {smallest!r} && squares <= {largest!r})
    return sqrt(squares) > longest ? (real)(longest / sqrt(squares)) : 1;
  real size = 0;
  for (long j = 0; j < count; j++) size = r_max(size, r_abs(v[j]));
  if (!(size > 0 && size < (real)INFINITY)) return 1;
  squares = 0;
  for (long j = 0; j < count; j++) squares += (double)(v[j] / size) * (v[j] / size);
  if (size * sqrt(squares) <= longest) return 1;
  for (long j = 0; j < count; j++) v[j] /= size;
  return (real)(longest / sqrt(squares));
}}
"""
# --------------------------------------------------------------------------------------------- uniform random numbers
# The same bits as from NumPy's Generator(PCG64).random. PCG64 is a linear congruential generator of 128 bits whose
# state is mixed to a word (O'Neill 2014, "PCG: a family of simple fast space-efficient statistically good algorithms
# for random number generation", XSL RR). Each multiplication waits for the result of the previous one, so four states
# advance in parallel, each by four numbers at a time.

DRAWN_TOO_MANY = 8
"""Maximum number of elements that `draw` writes beyond the requested ones."""
_WORDS_TEXT = """
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
_DRAW_TEXT = """
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
    """Return the C code of `draw` for a dtype, and of `WIDE`, which reads a number from the result of `words_of`."""
    per_word, *written = _WRITTEN[dtype.itemsize]
    return _WORDS_TEXT + _DRAW_TEXT.format(per_word=per_word, written="\n".join(f"      {line}" for line in written))


def words_of(*numbers: int) -> Array:
    """Return numbers of 128 bits as 64-bit words for `WIDE`, (2 × numbers,)."""
    return np.array([word for number in numbers for word in (number % 2**64, number >> 64)], np.uint64)


# ------------------------------------------------------------------------------------------------------------ steps

DRAWN = "drawn"
"""The name of the array for the random numbers that a step draws."""
SHARED_ABOVE = 2**17
"""Minimum length of a vector for which threads share its update."""
_PARAMETERS = (
    "void **p, const index64 *likely, index64 rows, index64 done, index64 count, const index64 *indices,"
    " const real *numbers, index64 numbers_step, const void *noise, index64 noise_step, const uint8_t *with_loss,"
    " double *losses"
)


@dataclass(frozen=True)
class StepPrograms:
    """The programs of a training step.

    Attributes
    ----------
    gradient
        Program that commits the gradient; its first output is the loss.
    updates
        Programs to run after the gradient, in order.
    gathered
        Names of the gradient's inputs that are filled with rows of a source.
    numbers
        Names of the inputs of shape () whose value changes in each step.
    inverses
        Names of the inputs of shape () that are 1 over the number of rows in a batch.
    noise
        Names of the inputs that are filled with random numbers in each step.
    draws
        Whether all noise is uniform, so that the C code draws it.
    clipping
        Vector, factor and maximum norm to clip the gradient before the updates; None without clipping.
    likely
        The usual lengths of named axes, for which matrix products are optimized.
    """

    gradient: Plan
    updates: tuple[Plan, ...]
    gathered: tuple[str, ...]
    numbers: tuple[str, ...]
    inverses: tuple[str, ...]
    noise: tuple[str, ...]
    draws: bool
    clipping: Clipping | None
    likely: Mapping[str, int]


class CompiledSteps:
    """The C code of training steps for any number of rows, and its library.

    Attributes
    ----------
    text
        The C code.
    """

    def __init__(self, programs: StepPrograms, dtype: npt.DTypeLike, target: Processor) -> None:
        self.programs, self._target = programs, target
        self.source = CText(np.dtype(dtype), target, programs.likely)
        self.gradient = self.source.add(programs.gradient, "gradient")
        self.updates = [self.source.add(plan, f"update_{k}") for k, plan in enumerate(programs.updates)]
        self._inputs = {call.attributes: call for call in programs.gradient.calls if call.operation is INPUT}
        steps, feed, shared = self._steps(), self._feed(), self._shared_updates()
        head = "void **p, const index64 *sizes, const index64 *indices"
        limits = np.finfo(self.source.dtype)
        clipping = _CLIPPING.format(smallest=float(limits.tiny / limits.eps), largest=float(limits.max))
        drawing = [drawing_text(self.source.dtype)] if programs.draws else []
        lines = [
            *([clipping] if programs.clipping else []),
            *drawing,
            *shared,
            *block(f"static void feed({head})", feed),
        ]
        lines += block(f"void feed_once({head})", ["feed(p, sizes, indices);"])
        self.source.shares = bool(shared)
        self.text = self.source.text("\n".join([*lines, *block(f"index64 steps({_PARAMETERS})", steps), ""]))

    def library(self) -> LoadedLibrary:
        """Return the compiled library, which stays loaded as long as it is referenced.

        Raises
        ------
        BuildError
            If the library cannot be compiled or loaded.
        """
        return library(self.text, ("steps", "feed_once"), self._target)

    def noise_shapes(self) -> list[tuple[str, Shape]]:
        """Return the name and shape of each input of random numbers, in order."""
        return [(name, self._inputs[name].shape) for name in self.programs.noise]

    def _is_shared(self, function: CFunction) -> bool:
        """Return whether threads share an update: its vectors are long, and it is elementwise without a workspace."""
        plan = function.plan
        is_alone = {plan.role(n) for n in range(len(plan.calls))} <= {"leaf", "element"} and not function.extent.total()
        return is_alone and plan.axes == [FLAT] and self.source.likely[FLAT] >= SHARED_ABOVE

    def _shared_updates(self) -> list[str]:
        """Return the C functions that update parts of the vectors, one for each shared update."""
        source, (struct, unpacked) = self.source, packed("Update", "void *const *all, const index64 *lengths")
        lines, flat = [struct], source.axes.index(FLAT)
        for k, function in enumerate(self.updates):
            if not self._is_shared(function):
                continue
            vectors = {call.attributes for call in function.plan.calls if call.shape == (FLAT,)} & set(source.table)
            body = [
                f"{unpacked} void *p[{len(source.table)}]; index64 sizes[{len(source.axes)}];",
                "memcpy(p, all, sizeof p);",
                "memcpy(sizes, lengths, sizeof sizes);",
                f"const long flat = sizes[{flat}], first = flat * part / parts / 64 * 64;",
                f"sizes[{flat}] = (part + 1 == parts ? flat : flat * (part + 1) / parts / 64 * 64) - first;",
                *(f"{source.pointer(name)} = (real *){source.pointer(name)} + first;" for name in sorted(vectors)),
                f"update_{k}(p, sizes, 0);",
            ]
            lines += block(f"static void part_of_{k}(const void *arguments, long part, long parts)", body)
        return lines if len(lines) > 1 else []

    def _feed(self) -> list[str]:
        """Return the C statements that gather rows by their indices."""
        lines = [f"const long batch = sizes[{self.source.axes.index(BATCH)}];"]
        for name in self.programs.gathered:
            if name not in self._inputs:
                continue
            call, target, source = self._inputs[name], self.source.pointer(name), self.source.pointer(f"source {name}")
            kind = "index64" if call.kind == "index" else "real"
            columns = call.shape[0]
            assert isinstance(columns, int), "rows have so many numbers"
            if columns == 1:
                copied = f"(({kind} *){target})[j] = ((const {kind} *){source})[indices[j]];"
                lines.append(f"for (long j = 0; j < batch; j++) {copied}")
            else:
                of_rows = Matrix(source, BATCH, columns, str(columns))
                lines.append(self.source.products.transpose(of_rows, Matrix(target, columns, BATCH, BATCH), "indices"))
        return lines

    def _steps(self) -> list[str]:
        source, programs = self.source, self.programs
        offset = self.gradient.allocation.offset(programs.gradient.outputs[0])
        assert offset is not None, "a loss is computed"
        # A batch of fewer rows uses the first part of the same arrays.
        axis = source.axes.index(BATCH)
        body = [
            f"sizes[{axis}] = rows - done < likely[{axis}] ? rows - done : likely[{axis}];",
            f"done = done + sizes[{axis}] == rows ? 0 : done + sizes[{axis}];",
            *source.lengths(),
            *block("if (indices)", ["feed(p, sizes, indices);", "indices += batch;"]),
        ]
        inverses = [name for name in programs.inverses if name in self._inputs]
        body += [f"*(real *){source.pointer(name)} = (real)(1.0 / batch);" for name in inverses]
        body += [f"{source.pointer(name)} = (void *)(numbers + {k});" for k, name in enumerate(programs.numbers)]
        noise = f"(real *){source.pointer(DRAWN)}" if programs.draws else "of_step"
        fixed, by_row = 0, 0
        for name, shape in self.noise_shapes():
            body.append(f"{source.pointer(name)} = (void *)({noise} + {by_row} * batch + {fixed});")
            if shape.count(BATCH) > 1:
                raise no_form(shape)
            count = math.prod(axis for axis in shape if isinstance(axis, int))
            fixed, by_row = (fixed, by_row + count) if BATCH in shape else (fixed + count, by_row)
        if programs.draws:
            body += [f"draw(state, WIDE(walk, 1), {noise}, {by_row} * batch + {fixed});"]
            body += ["state = state * WIDE(walk, 2) + WIDE(walk, 3);"]
        body.append("gradient(p, sizes, with_loss[step]);")
        body.append(f"if (with_loss[step]) losses[step] = ((real *)p[0])[{offset.text()}];")
        if programs.clipping:
            vector, factor, longest = programs.clipping
            factor_of = f"clipping_factor({source.pointer(vector)}, flat, {longest!r})"
            body.append(f"*(real *){source.pointer(factor)} = {factor_of};")
        for k, function in enumerate(self.updates):
            if self._is_shared(function):
                body += block("", ["const Update q = {p, sizes};", f"in_parts(part_of_{k}, &q, 1);"])
            else:
                body.append(f"update_{k}(p, sizes, 0);")
        body += ["numbers += numbers_step;", "of_step += noise_step;", "if (!isfinite(losses[step])) return step + 1;"]
        begin = [f"index64 sizes[{len(source.axes)}];", "memcpy(sizes, likely, sizeof sizes);"]
        begin += ["const real *of_step = noise;"]
        if programs.draws:
            begin += ["const uint64_t *const walk = noise;", "wide state = WIDE(walk, 0);"]
        return [*begin, *block("for (index64 step = 0; step < count; step++)", body), "return count;"]


def _check_source(name: str, source: Array, leaf: Array) -> None:
    """Check that C can read the rows of a source through a pointer.

    Raises
    ------
    ValueError
        If dtype, size or memory layout do not fit the input.
    """
    features = math.prod(source.shape[1:])
    if source.dtype != leaf.dtype or features != len(leaf) or not source.flags.c_contiguous:
        expected = f"rows of {len(leaf)} {leaf.dtype}, C-contiguous"
        raise ValueError(f"the source of {name} is {expected}, not {source.dtype} of {source.shape}")


class BoundSteps:
    """Training steps bound to arrays.

    Parameters
    ----------
    compiled
    sizes
        The lengths of the named axes; the last batch of an epoch may have fewer rows.
    arrays
        Arrays of states, and of inputs that no step fills, by name.
    sources
        Rows to gather, (rows,) or (rows, features), by the names of inputs: C-contiguous, of the input's dtype. If a
        batch has all rows, they are gathered only once, in order.

    Attributes
    ----------
    noise_size
        Maximum number of random numbers that the caller provides for each step.

    Raises
    ------
    BuildError
        If the library cannot be compiled or loaded.
    ValueError
        If an array does not fit its leaf, or a source does not fit its input.
    """

    def __init__(
        self,
        compiled: CompiledSteps,
        sizes: Mapping[str, int],
        arrays: Mapping[str, Array],
        sources: Mapping[str, Array],
    ) -> None:
        self._rows, self._batch = len(next(iter(sources.values()))), sizes[BATCH]
        self._noise = compiled.noise_shapes()
        self.noise_size = sum(math.prod(shape) for shape in self._noise_shapes(self._batch).values())
        others = {f"source {name}": rows for name, rows in sources.items()}
        if compiled.programs.draws:
            others[DRAWN] = np.zeros(
                self.noise_size + DRAWN_TOO_MANY + compiled.source.vector_numbers, compiled.source.dtype
            )
            self.noise_size = 0
        self._arrays = bound_arrays = BoundArrays(compiled.source, sizes, arrays, others)
        for name in compiled.programs.gathered:
            if name in bound_arrays.leaves:
                _check_source(name, sources[name], bound_arrays.leaves[name])
        pointer, number, made = ctypes.c_void_p, ctypes.c_int64, compiled.library()
        types = [pointer] * 2 + [number] * 3 + [pointer] * 2 + [number, pointer, number] + [pointer] * 2
        self._steps = function_of(compiled.source, made, "steps", *types, gives=number)
        if self._batch == self._rows:
            feed = function_of(compiled.source, made, "feed_once", *[pointer] * 3)
            all_rows = np.arange(self._rows)
            feed(*bound_arrays.pointers, all_rows.ctypes.data)

    def _noise_shapes(self, rows: int) -> dict[str, tuple[int, ...]]:
        return {name: tuple(rows if isinstance(axis, str) else axis for axis in shape) for name, shape in self._noise}

    def noise_arrays(self, numbers: Array, rows: int) -> dict[str, Array]:
        """Return views of a step's random numbers by the names of inputs, in order.

        Parameters
        ----------
        numbers : (noise_size,)
        rows : int
            Number of rows in the step's batch.
        """
        found, start = {}, 0
        for name, shape in self._noise_shapes(rows).items():
            end = start + math.prod(shape)
            found[name], start = numbers[start:end].reshape(shape), end
        return found

    def run(self, first: int, indices: Array | None, numbers: Array, noise: Array | None, with_loss: Array) -> Array:
        """Make steps, and return their losses, 0 if a loss is not needed; stop after a loss that is not finite.

        Parameters
        ----------
        first : int
            Index of the first batch in its epoch.
        indices : (rows of all steps,) or None
            Indices of the rows, batch after batch; None if each batch has all rows.
        numbers : (steps, numbers)
            Values of the inputs `StepPrograms.numbers`; additional columns are not read.
        noise : (steps, noise_size) or None
            Random numbers; if the C code draws them, the result of `StepNoise.walk` as words from `words_of`.
        with_loss : (steps,) of bool
            Whether the loss of each step is needed.
        """
        losses = np.zeros(len(with_loss))
        made = self._steps(
            *self._arrays.pointers,
            self._rows,
            first * self._batch,
            len(losses),
            None if indices is None else indices.ctypes.data,
            numbers.ctypes.data,
            numbers.shape[1],
            None if noise is None else noise.ctypes.data,
            self.noise_size,
            with_loss.ctypes.data,
            losses.ctypes.data,
        )
        return losses[:made]
