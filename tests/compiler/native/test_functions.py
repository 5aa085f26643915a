"""The elementary functions: within 3 ulp of mpmath's, special values as NumPy's, vectorised, nothing undefined."""

import platform
import subprocess
from functools import cache

import numpy as np
import pytest

from tests.compiler.native.elementary import (
    COMPILER,
    EXACT,
    NUMPY,
    NUMPY_PAIRS,
    OWN_LEVEL,
    SEMANTICS,
    applied,
    arguments,
    compiled,
    exact_values,
    program_text,
    ulp_errors,
)
from tests.compiling import PROCESSORS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(COMPILER is None, reason="there is no C compiler called cc")]

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
UNCONTRACTED = ("-O2", "-ftree-vectorize", "-ffp-contract=off")
TARGETS = {"native": "-march=native"}
if platform.machine() in {"x86_64", "AMD64"}:  # of which "native" is one
    TARGETS = {"SSE2": "-march=x86-64", "AVX2": "-march=x86-64-v3", "AVX-512": "-march=x86-64-v4"}
FEWEST, *_ = TARGETS
LEVELS = {"O2": UNCONTRACTED, "O3": ("-O3",)}
OPTIONS = {name: (*OWN_LEVEL, target) for name, target in TARGETS.items()}
OPTIONS |= {kind.name: (*OWN_LEVEL, *kind.flags) for kind in PROCESSORS if kind.name in TARGETS}
OPTIONS |= {f"{FEWEST}-{name}": (TARGETS[FEWEST], *level) for name, level in LEVELS.items()}
"""The engine's level for each set of instructions, and higher ones for the one with which most is left as it is."""
RUN = [*(name for name in TARGETS if name in ["native", *(kind.name for kind in PROCESSORS)]), f"{FEWEST}-O2"]
"""Those whose functions are called here."""
MAIN = """
#include <stdio.h>
int main(void) {
  static real x[SIZE], z[SIZE], y[SIZE];
  if (fread(x, sizeof(real), SIZE, stdin) != SIZE || fread(z, sizeof(real), SIZE, stdin) != SIZE) return 1;
  CALLS
  return 0;
}
"""


@pytest.fixture(scope="module", params=DTYPES, ids=str)
def dtype(request):
    return request.param


@pytest.fixture(scope="module")
def made(dtype, tmp_path_factory):
    """The library that some options make of all functions, and the compiler's remarks."""
    folder, text = tmp_path_factory.mktemp("functions"), program_text(dtype)
    remarks = ["-fopt-info-vec-optimized"] if tells_vectorised() else []
    return cache(lambda name: compiled(text, folder / f"{name}.so", (*OPTIONS[name], *remarks)))


@cache
def tells_vectorised():
    """Whether the compiler is gcc, which says which loops it has vectorised."""
    version = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True).stdout
    return "Free Software Foundation" in version


@pytest.fixture(scope="module")
def libraries(made):
    return [made(name)[0] for name in RUN]


def special_values(dtype):
    info = np.finfo(dtype)
    magnitudes = [0, info.smallest_subnormal, info.tiny / 3, info.tiny, 1e-20, 0.3, 1, 1.5, 30, 100, 1000, 1e10]
    values = np.array([*magnitudes, info.max, np.inf], dtype)
    return np.concatenate([values, -values, np.array([np.nan], dtype)])


@pytest.mark.parametrize("name", EXACT)
def test_errors_are_at_most_three_ulp(name, dtype, libraries):
    x = arguments(name, dtype, 15_000, np.random.default_rng(0))
    assert x.size > 10_000
    if dtype == np.float64:
        exact = exact_values(name, x)
    else:
        with np.errstate(over="ignore"):
            exact = NUMPY[name](x.astype(np.float64)), 0.0  # exact to a millionth of the last place of float32
    for library in libraries:
        errors = ulp_errors(applied(library, name, x), *exact)
        worst = np.argmax(errors)
        assert errors[worst] <= 3, f"{name}({x[worst]!r}) is {errors[worst]:.2f} ulp off"


def test_errors_are_measured_in_units_of_the_last_place(dtype):
    info = np.finfo(dtype)
    high = np.array([1.0, 1.0, info.tiny, info.smallest_subnormal, np.inf, info.max])
    y = np.array([1 + 2 * info.eps, 1.0, info.tiny, 3 * info.smallest_subnormal, np.inf, np.inf], dtype)
    low = np.array([0, info.eps / 2, 0, 0, 0, 0])
    assert ulp_errors(y, high, low).tolist() == [2, 0.5, 0, 2, 0, np.inf]


@pytest.mark.parametrize("name", ["exp", "expm1", "tanh", "sigmoid"])
def test_no_function_falls_between_adjacent_numbers(name, dtype, libraries):
    """In float64 by at most an ulp; `python -m tests.benchmarks.falls functions` tests all numbers in float32."""
    x = arguments(name, dtype, 2_000, np.random.default_rng(0))
    bits = x.view(f"i{dtype.itemsize}")[:, np.newaxis] + np.arange(-32, 33)
    lines = bits.astype(f"i{dtype.itemsize}").view(dtype)
    lines = np.sort(lines[np.isfinite(lines).all(axis=1)], axis=1)
    for library in libraries:
        y = applied(library, name, lines.ravel()).reshape(lines.shape)
        with np.errstate(invalid="ignore"):
            falls = (y[:, :-1] - y[:, 1:]) / np.spacing(np.abs(y[:, 1:]))
        assert np.nanmax(falls) <= (0 if dtype == np.float32 else 1)


@pytest.mark.parametrize("name", NUMPY)
def test_special_values_are_numpys(name, dtype, libraries):
    x = special_values(dtype)
    with np.errstate(all="ignore"):
        expected = NUMPY[name](x)
    for library in libraries:
        y = applied(library, name, x)
        np.testing.assert_array_max_ulp(y, expected, 4)
        zeros = expected == 0
        np.testing.assert_array_equal(np.signbit(y[zeros]), np.signbit(expected[zeros]), str(x[zeros]))


@pytest.mark.parametrize("name", ["sqrt", "abs", "sign", "floor"])
def test_simple_functions_are_exact(name, dtype, libraries):
    x = np.concatenate([arguments(name, dtype, 20_000, np.random.default_rng(0)), np.arange(-4, 4.25, 0.25, dtype)])
    with np.errstate(invalid="ignore"):
        expected = NUMPY[name](x)
    for library in libraries:
        np.testing.assert_array_equal(applied(library, name, x), expected)


@pytest.mark.parametrize("name", NUMPY_PAIRS)
def test_a_nan_in_either_operand_is_the_maximum_and_the_minimum(name, dtype, libraries):
    x, z = (part.ravel() for part in np.meshgrid(special_values(dtype), special_values(dtype)))
    for library in libraries:
        np.testing.assert_array_equal(applied(library, name, x, z), NUMPY_PAIRS[name](x, z))


def test_nothing_is_undefined(dtype, tmp_path):
    x = np.concatenate(
        [special_values(dtype), *(arguments(name, dtype, 4000, np.random.default_rng(1)) for name in NUMPY)]
    )
    calls = "".join(f"loop_{name}(x, z, y, SIZE);" for name in [*NUMPY, *NUMPY_PAIRS])
    source, program = tmp_path / "all.c", tmp_path / "all"
    source.write_text(program_text(dtype) + MAIN.replace("CALLS", calls))
    sanitizers = ["-fsanitize=undefined,float-cast-overflow,address", "-fno-sanitize-recover=all"]
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-pass-failed"]  # clang's, of loops that it has not vectorised
    flags = [*SEMANTICS, *sanitizers, *warnings, "-O1", "-g", f"-DSIZE={x.size}"]
    subprocess.run([COMPILER, *flags, source, "-o", program, "-lm"], check=True)
    ran = subprocess.run([program], input=x.tobytes() + x[::-1].tobytes(), capture_output=True)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("options", OPTIONS)
def test_loops_over_every_function_are_vectorised(options, dtype, made):
    if not tells_vectorised():
        pytest.skip("only gcc tells which loops it has vectorised")
    lines, remarks = program_text(dtype).splitlines(), made(options)[1].splitlines()
    told = {int(remark.split(":")[1]) for remark in remarks if "loop vectorized" in remark}
    wanted = {number: line for number, line in enumerate(lines, 1) if "y[i] = r_" in line}
    assert len(wanted) == len(NUMPY) + len(NUMPY_PAIRS)
    assert [line for number, line in wanted.items() if number not in told] == []
