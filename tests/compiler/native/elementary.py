"""The elementary functions of compiled programs, compiled alone: their exact values, hard arguments and errors."""

import ctypes
import math
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path

import mpmath
import numpy as np
from scipy import special

from specnet.compiler.native.c_text.c_functions import functions_text

COMPILER = shutil.which("cc")
SEMANTICS = ("-std=gnu99", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math")
OWN_LEVEL = ("-O1", "-ftree-vectorize", "-fexpensive-optimizations")
"""At -O1, gcc contracts to fused multiply-adds only with -fexpensive-optimizations."""
NATIVE = (*OWN_LEVEL, "-march=native")

SHARED = "exp expm1 log log1p tanh sin cos"
EXACT: dict[str, Callable[[mpmath.mpf], mpmath.mpf]] = {
    **{name: getattr(mpmath, name) for name in f"{SHARED} erf".split()},
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}
NUMPY: dict[str, Callable[..., np.ndarray]] = {
    **{name: getattr(np, name) for name in f"{SHARED} sqrt abs sign floor".split()},
    "erf": special.erf,
    "sigmoid": lambda x: special.expit(x, dtype=np.float64).astype(x.dtype),  # in float32 it is 27 ulp off
    "softplus": lambda x: np.logaddexp(0, x, dtype=x.dtype),
}
NUMPY_PAIRS: dict[str, Callable[..., np.ndarray]] = {"max": np.maximum, "min": np.minimum}
LOWEST = {"log": 0.0, "log1p": -1.0}
"""Functions that are finite only above an argument."""

TYPES = {"float32": {"real": "float", "integer": "int32_t"}, "float64": {"real": "double", "integer": "int64_t"}}
HEAD = """
#include <stdint.h>
#include <string.h>
#include <math.h>
typedef {real} real;
typedef {integer} integer;
#define INLINE static inline __attribute__((always_inline, unused))
"""
LOOP = """
void loop_{name}(const real *restrict x, const real *restrict z, real *restrict y, long n) {{
  (void)z;
  #pragma omp simd
  for (long i = 0; i < n; i++) y[i] = {value};
}}
"""


def program_text(dtype: np.dtype) -> str:
    """A loop over each function, named after it."""
    values = {name: f"r_{name}(x[i])" for name in NUMPY} | {name: f"r_{name}(x[i], z[i])" for name in NUMPY_PAIRS}
    return HEAD.format(**TYPES[dtype.name]) + functions_text(dtype) + loops(values)


def loops(values: Mapping[str, str]) -> str:
    """Loops that compute C expressions of x[i] and z[i]."""
    return "".join(LOOP.format(name=name, value=value) for name, value in values.items())


def compiled(text: str, path: Path, flags: Iterable[str]) -> tuple[ctypes.CDLL, str]:
    """The library made of a C text, and the compiler's remarks."""
    path.with_suffix(".c").write_text(text)
    command = [COMPILER, *SEMANTICS, *flags, "-fPIC", "-shared", path.with_suffix(".c"), "-o", path, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return ctypes.CDLL(str(path)), done.stderr


def bound_loop(library: ctypes.CDLL, name: str, *arrays: np.ndarray) -> Callable[[], None]:
    """A call of one loop with contiguous vectors that must live as long: x, the second operand (or x), the result."""
    pointers = (ctypes.c_void_p(array.ctypes.data) for array in arrays)
    return partial(getattr(library, f"loop_{name}"), *pointers, ctypes.c_long(arrays[0].size))


def applied(library: ctypes.CDLL, name: str, x: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
    """A function of the library for each element of x, and of z if it has two operands."""
    y = np.empty_like(x)
    bound_loop(library, name, x, x if z is None else z, y)()
    return y


def arguments(name: str, dtype: np.dtype, count: int, generator: np.random.Generator) -> np.ndarray:
    """About `count` finite arguments of the whole range, more of them where functions are hard or change their form."""
    info, each = np.finfo(dtype), count // 8
    bits = np.dtype(f"u{dtype.itemsize}")
    smallest, largest = np.log(float(info.smallest_subnormal)), np.log(float(info.max))
    magnitudes = 10 ** generator.uniform(-12, 4, each)
    signs = generator.choice([-1, 1], each)
    turns = [smallest, largest, 0, -1, 0.625, 1, 4, 6, 10, 20, 8192, 65536, float(info.tiny), float(info.max) * 0.999]
    turns += [2**0.5, 2**-0.5, 2**0.5 - 1, 2**-0.5 - 1]
    places = [generator.choice(turns, each // 2), generator.integers(-2200, 2200, each // 2) * (np.log(2) / 4)]
    near = np.concatenate([*places, generator.choice(near_right_angles(dtype), each)]).astype(dtype)
    x = np.concatenate(
        [
            generator.integers(0, np.iinfo(bits).max, 2 * each, bits, endpoint=True).view(dtype),
            generator.uniform(smallest * 1.05, largest * 1.05, each),
            generator.standard_normal(each) * 3,
            signs * magnitudes,
            signs * (1 + magnitudes / 1e4),
            near + (generator.standard_normal(near.size) * 4).round().astype(dtype) * np.spacing(near),
        ],
        dtype=dtype,
        casting="same_kind",
    )
    x = np.abs(x) if name == "log" else x
    return x[np.isfinite(x) & (x > LOWEST.get(name, -np.inf)) & (x != 0)]


@cache
def near_right_angles(dtype: np.dtype) -> np.ndarray:
    """Numbers next to multiples of π/2: q·2^e for all exponents, q a denominator of the convergents of 2^e·2/π."""
    info, found, one = np.finfo(dtype), [], 2**2500
    with mpmath.workprec(2600):
        ratio = int(mpmath.floor(2 / mpmath.pi * one))
    for exponent in range(-info.nmant, info.maxexp - info.nmant):
        above, below = one, (ratio << exponent if exponent >= 0 else ratio >> -exponent) % one
        denominators = [1]
        before, denominator = 1, above // below
        above, below = below, above % below
        while denominator < 2 ** (info.nmant + 1):
            denominators.append(denominator)
            quotient, rest = divmod(above, below)
            above, below = below, rest
            before, denominator = denominator, quotient * denominator + before
        found += [math.ldexp(last, exponent) for last in denominators[-2:]]
    return np.array(found, dtype)


def exact_values(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact values as sums of two float64 arrays, the second far smaller."""
    with mpmath.workdps(40):
        exact = [EXACT[name](mpmath.mpf(float(value))) for value in x]
        high = np.array([float(value) for value in exact])
        pairs = zip(exact, high, strict=True)
        low = [float(value - rounded) if np.isfinite(rounded) else 0.0 for value, rounded in pairs]
    return high, np.array(low)


def ulp_errors(y: np.ndarray, high: np.ndarray, low: np.ndarray | float) -> np.ndarray:
    """Distances to exact values in units of the last place of y's dtype; denormal numbers are one unit apart."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = high.astype(y.dtype)
        errors = np.abs((y - high) - low) / np.spacing(np.abs(rounded)).astype(np.float64)
    return np.where(np.isfinite(rounded) & np.isfinite(y), errors, np.where(y == rounded, 0, np.inf))
