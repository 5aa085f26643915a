"""Falls of rounded predictions in networks with directions: `python -m tests.benchmarks.falls`, in the repository.

Networks of two hidden layers with random parameters predict a million pairs of rows, of which the second must not be
lower, by each engine and each export that can be run; those called mixed have free units with mish beside elu, and an
embedding of the free columns, as recipes. Half of the pairs differ by an ulp to 10⁻⁶ of the range. All rows are
predicted at two positions of a batch, and each of the lower ones is compared with each of the higher ones. The exit
status is 1 if a prediction falls where the last bit is promised, or elsewhere by more than 4 units of the last place of
the falling prediction, of which one below a quarter of the largest counts as that quarter. The last column has the
largest fall in units of the falling prediction itself, however small it is.

With names of engines or targets only these are tried. `python -m tests.benchmarks.falls functions` counts the falls of
the compiled engine's exp, expm1, tanh and sigmoid between all adjacent numbers in float32 instead; it takes minutes.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import specnet
from specnet.data import RawColumns
from specnet.exporting import TARGETS, find_target
from specnet.exporting.target import CannotRunError, Target
from specnet.model.directions import MOST_ULPS
from specnet.running.calibration import with_parameters
from tests.benchmarks.report import Report, installed_versions
from tests.compiler.native.elementary import NATIVE, applied, compiled, program_text

ACTIVATIONS = ("relu", "elu", "softplus", "tanh", "mixed")
DTYPES, ENGINES, BY_ENGINE = ("float32", "float64"), ("numpy", "compiled"), "{} engine"
PAIRS, DRAWS = 1_000_000, 5
"""Number of pairs for each engine and export, and of networks for each activation and type."""
COLUMNS = 4

AT_ONCE = 2**24
"""Number of adjacent numbers in one array."""

Answers = Callable[[np.ndarray], np.ndarray]


def pairs(rng: np.random.Generator, rows: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, and rows with a higher first and a lower third column."""
    low = rng.normal(size=(rows, COLUMNS)).astype(dtype)
    tiny = 6 * 10 ** rng.uniform(-6 if dtype == "float32" else -15, -6, rows)
    step = np.where(rng.random(rows) < 0.5, tiny, rng.random(rows)).astype(dtype)
    high = low.copy()
    high[:, 0] = np.maximum(np.nextafter(low[:, 0], np.inf, dtype=low.dtype), low[:, 0] + step)
    high[:, 2] -= step
    return low, high


def falls(answers: Answers, rng: np.random.Generator, rows: int, dtype: str) -> tuple[int, float, float]:
    """Return the number of pairs that fall, and the largest fall in units of the prediction, also a small one."""
    both, found = np.concatenate(pairs(rng, rows, dtype)), np.empty((2, 2 * rows), dtype)
    for position in found:
        order = rng.permutation(2 * rows)
        position[order] = answers(both[order])
    before, after = found[:, :rows].max(axis=0), found[:, rows:].min(axis=0)
    fall = np.maximum(before.astype(np.float64) - after, 0)
    larger = np.maximum(np.abs(before), np.abs(after))
    units = np.spacing(np.maximum(larger, np.abs(found).max() / 4))
    return int((fall > 0).sum()), float((fall / units).max()), float((fall / np.spacing(larger)).max())


def exported(target: Target, model: specnet.Model, folder: str) -> Answers:
    """Return the answers of an export for rows."""
    program = target.program(model, model.network.dtype)
    main = Path(folder) / f"net{target.suffix}"
    for path, content in target.render(program, main).items():
        path.write_bytes(content)
    return lambda rows: target.run(program, main, RawColumns(rows.astype(np.float64))).outputs[:, 0]


def trained(activation: str, dtype: str, engine: str) -> specnet.Model:
    network: dict[str, Any] = {"hidden_layer_sizes": [32, 32], "activations": activation}
    if activation == "mixed":
        hidden = [{"type": "dense", "units": 32}, {"type": "activation", "activation": "mish", "monotone": "elu"}]
        network = {"layers": [{"type": "periodic_embedding", "columns": [1, 3]}, *hidden, *hidden]}
        network["layers"].append({"type": "dense", "units": 1})
    spec = {
        "network": network | {"dtype": dtype, "monotone": {"0": "increasing", "2": "decreasing"}},
        "training": {"loss": "mean_squared_error", "engine": engine, "epochs": 1},
    }
    X = np.random.default_rng(0).normal(size=(64, COLUMNS)).astype(dtype)
    return specnet.fit(spec, X, X[:, 0])


def count_falls(
    names: Sequence[str], activations: Sequence[str] = ACTIVATIONS, pairs: int = PAIRS, draws: int = DRAWS
) -> bool:
    """Print a row for each engine and export, activation and precision; return whether nothing falls too far."""
    report, is_right, rows = Report(), True, max(1, pairs // (len(activations) * len(DTYPES) * draws))
    report.table(
        "computed by", "activation", "dtype", "last bit", "pairs", "falls", "largest fall in ulps", "of small ones"
    )
    for name in names:
        target = None if name in map(BY_ENGINE.format, ENGINES) else find_target(name)
        for activation, dtype in ((a, d) for a in activations for d in DTYPES):
            engine = "numpy" if target else name.partition(" ")[0]
            model, rng, made = trained(activation, dtype, engine), np.random.default_rng(0), []
            try:
                for _ in range(draws):
                    drawn = with_parameters(model, rng.normal(size=model.theta.shape).astype(dtype))
                    with tempfile.TemporaryDirectory() as folder:
                        answers = exported(target, drawn, folder) if target else drawn.predict
                        made.append(falls(answers, rng, rows, dtype))
            except (CannotRunError, specnet.SpecnetError) as error:
                report.row(name, activation, dtype, "", "0", "", "", str(error).splitlines()[0])
                continue
            counts, largest, own = zip(*made, strict=True)
            is_exact = target is not None and target.never_falls(model, model.network.dtype)
            is_right &= max(largest) <= (0 if is_exact else MOST_ULPS)
            shown = (str(rows * draws), str(sum(counts)), f"{max(largest):.2g}", f"{max(own):.2g}")
            report.row(name, activation, dtype, "yes" if is_exact else "no", *shown)
    return is_right


def count_falls_of_functions() -> bool:
    """Print a row for each compiled function in float32; return whether none falls between any adjacent numbers."""
    report, is_right, infinity = Report(), True, int(np.float32(np.inf).view(np.uint32))
    report.table("function", "numbers", "falls")
    with tempfile.TemporaryDirectory() as folder:
        library, _ = compiled(program_text(np.dtype(np.float32)), Path(folder) / "functions.so", NATIVE)
        for name in ("exp", "expm1", "tanh", "sigmoid"):
            found = 0
            for start in range(0, infinity, AT_ONCE):
                numbers = np.arange(start, min(start + AT_ONCE, infinity) + 1, dtype=np.uint32).view(np.float32)
                found += sum(
                    int((sign * np.diff(applied(library, name, sign * numbers)) < 0).sum()) for sign in (1, -1)
                )
            report.row(name, str(2 * infinity), str(found))
            is_right &= not found
    return is_right


def main(names: Sequence[str]) -> int:
    print(installed_versions())
    if [*names] == ["functions"]:
        return int(not count_falls_of_functions())
    return int(not count_falls(names or (*map(BY_ENGINE.format, ENGINES), *TARGETS)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
