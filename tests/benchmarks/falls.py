"""Falls of rounded predictions in networks with directions: `python -m tests.benchmarks.falls`, in the repository.

Networks of two hidden layers with random parameters predict a million pairs of rows, of which the second must not be
lower, by each engine and each export that can be run. Half of the pairs differ by an ulp to 10⁻⁶ of the range. All rows
are predicted at two positions of a batch, and each of the lower ones is compared with each of the higher ones. The exit
status is 1 if a prediction falls where the last bit is promised, or elsewhere by more than 4 units of the last place of
the largest prediction. The last column has the largest fall in units of the falling prediction itself.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import specnet
from specnet.data import RawColumns
from specnet.exporting import TARGETS, find_target
from specnet.exporting.target import CannotRunError, Target
from specnet.model.directions import MOST_ULPS, keeps_last_bit
from specnet.running.calibration import with_parameters
from tests.benchmarks.report import Report, installed_versions

ACTIVATIONS, DTYPES, ENGINES = ("relu", "elu", "softplus", "tanh"), ("float32", "float64"), ("numpy", "compiled")
PAIRS, DRAWS = 1_000_000, 5
"""Number of pairs for each engine and export, and of networks for each activation and type."""
COLUMNS = 4

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
    """Return the number of pairs that fall, and the largest fall in units of the largest and of its own prediction."""
    both, found = np.concatenate(pairs(rng, rows, dtype)), np.empty((2, 2 * rows), dtype)
    for position in found:
        order = rng.permutation(2 * rows)
        position[order] = answers(both[order])
    before, after = found[:, :rows].max(axis=0), found[:, rows:].min(axis=0)
    fall = np.maximum(before.astype(np.float64) - after, 0)
    own = np.spacing(np.maximum(np.abs(before), np.abs(after)))
    return int((fall > 0).sum()), float(fall.max() / np.spacing(np.abs(found).max())), float((fall / own).max())


def exported(target: Target, model: specnet.Model, folder: str) -> Answers:
    """Return the answers of an export for rows."""
    program = target.program(model, model.network.dtype)
    main = Path(folder) / f"net{target.suffix}"
    for path, content in target.render(program, main).items():
        path.write_bytes(content)
    return lambda rows: target.run(program, main, RawColumns(rows.astype(np.float64))).outputs[:, 0]


def trained(activation: str, dtype: str, engine: str) -> specnet.Model:
    network = {"hidden_layer_sizes": [32, 32], "activations": activation, "dtype": dtype}
    spec = {
        "network": network | {"monotone": {"0": "increasing", "2": "decreasing"}},
        "training": {"loss": "mean_squared_error", "engine": engine, "epochs": 1},
    }
    X = np.random.default_rng(0).normal(size=(64, COLUMNS)).astype(dtype)
    return specnet.fit(spec, X, X[:, 0])


def main() -> int:
    report, is_right, rows = Report(), True, PAIRS // (len(ACTIVATIONS) * len(DTYPES) * DRAWS)
    print(installed_versions())
    report.table(
        "computed by", "activation", "dtype", "last bit", "pairs", "falls", "largest fall in ulps", "of its own"
    )
    for name in (*ENGINES, *TARGETS):
        for activation, dtype in ((a, d) for a in ACTIVATIONS for d in DTYPES):
            model, rng = trained(activation, dtype, name if name in ENGINES else "numpy"), np.random.default_rng(0)
            made = []
            try:
                for _ in range(DRAWS):
                    drawn = with_parameters(model, rng.normal(size=model.theta.shape).astype(dtype))
                    with tempfile.TemporaryDirectory() as folder:
                        answers = drawn.predict if name in ENGINES else exported(find_target(name), drawn, folder)
                        made.append(falls(answers, rng, rows, dtype))
            except (CannotRunError, specnet.SpecnetError) as error:
                report.row(name, activation, dtype, "", "0", "", "", str(error).splitlines()[0])
                continue
            counts, largest, own = zip(*made, strict=True)
            is_exact = name not in ENGINES and find_target(name).adds_in_order and keeps_last_bit(model)
            is_right &= max(largest) <= (0 if is_exact else MOST_ULPS)
            words = "yes" if is_exact else "no"
            shown = (str(rows * DRAWS), str(sum(counts)), f"{max(largest):.2g}", f"{max(own):.2g}")
            report.row(name, activation, dtype, words, *shown)
    return int(not is_right)


if __name__ == "__main__":
    sys.exit(main())
