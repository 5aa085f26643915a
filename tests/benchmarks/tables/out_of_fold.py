"""How much `out_of_fold` is flattered by preprocessing that all folds have fitted.

Run it with `python -m tests.benchmarks.tables.out_of_fold [FILE:TARGET …]`, in the repository.

An ensemble on folds prepares rows by one preprocessing, fitted to all training rows, those of a member's own fold
included. Here each member is trained again on the same rows, from the same initial weights and in the same order, but
its preprocessing, and the scale of the target, have other rows of the table in place of the fold's. So as many rows fit
it, and none of them is judged. The losses of rows out of fold are compared row by row: log loss of classes, squared
errors of values over their variance. If having seen a row flatters, the difference is positive.

Three tables are made: pure noise, rare categories without meaning, and values over several orders of magnitude. Of
other CSV files up to 400 rows train, as few rows show the most. The exit status is 1 if all tables together say that a
loss is flattered by more than a fifth of its own standard error.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet import Network, Observer, Spec, SpecnetError, parse_spec, resolve
from specnet.compiler.thread_limits import limited_threads
from specnet.data import RowSplit
from specnet.running.data_rows import Rows, SpecData, fit_preparation, read_target
from specnet.running.encoding import Encoder
from specnet.running.fitting import fit_rows
from tests.benchmarks.report import Report
from tests.made import data_of
from tests.networks import trained

ROWS, SEEDS, MEMBERS, EPOCHS = 480, 8, 5, 40
SPARE = 1 / (MEMBERS + 1)
"""Of all rows: as many as a fold has."""
MOST_CLASSES = 10
MOST = 0.2
"""Of a loss's own standard error."""
Lines = list[str]
Numbers = NDArray[np.float64]


def noise(rng: np.random.Generator) -> Lines:
    rows = (",".join([*map(repr, rng.normal(size=12).tolist()), "ab"[rng.integers(2)]]) for _ in range(ROWS))
    return [",".join([*(f"x{place}" for place in range(12)), "y"]), *rows]


def rare_categories(rng: np.random.Generator) -> Lines:
    return ["u,v,y", *(f"u{rng.integers(60)},v{rng.integers(30)},{'ab'[rng.integers(2)]}" for _ in range(ROWS))]


def far_values(rng: np.random.Generator) -> Lines:
    x = rng.normal(size=(240, 3))
    values = np.exp(2 * x[:, 0] + rng.normal(size=240))
    return ["a,b,c,y", *(",".join(map(repr, row)) for row in np.column_stack([np.exp(x), values]).tolist())]


Draw = Callable[[np.random.Generator], Lines]
MADE: dict[str, Draw] = {"noise": noise, "rare categories": rare_categories, "far values": far_values}


def write_rows(path: Path, draw: Draw, *seed: int) -> Path:
    path.write_text("\n".join(draw(np.random.default_rng(seed))) + "\n")
    return path


def spec_on(path: Path, target: str, seed: int) -> Spec:
    """Return the spec of an ensemble: of classes, unless the target has many numbers."""
    optimizer = {"type": "adamw", "learning_rate": 0.003}
    common: dict[str, Any] = {"epochs": EPOCHS, "ensemble": MEMBERS, "optimizer": optimizer}
    data = {"type": "csv", "path": str(path), "target": target, "split": {"test_size": SPARE, "stratify": False}}

    def spec(loss: str, **network: Any) -> Spec:
        layers = {"hidden_layer_sizes": [32], **network}
        return parse_spec({"seed": seed, "data": data, "network": layers, "training": {"loss": loss, **common}})

    values = spec("mean_squared_error", target_preprocessing=["clip", "standardize"])
    try:
        has_classes = len(np.unique(data_of(values).table.y)) <= MOST_CLASSES
    except SpecnetError:
        has_classes = True
    return spec("categorical_crossentropy") if has_classes else values


def own_answers(spec: Spec, data: SpecData, member: int) -> Any:
    """Return what a member answers for its fold, of which its preprocessing has seen the spare rows instead."""
    rows, spare = data.splits["train"], data.splits["test"]
    mine = rows.in_fold(member)
    others, own, instead = rows.chosen[~mine], rows.chosen[mine], spare.chosen[: mine.sum()]
    every = Rows(data.table.X, data.table.y, kinds=data.table.columns)
    parts = every.split(RowSplit(others, own, np.concatenate([others, instead])))
    prepared, preparation = fit_preparation(spec, parts["test"], data.labels)
    sizes = {"inputs": data.table.X.shape[1], "outputs": read_target(spec, data.table.y)[1], "rows": len(rows)}
    resolved = resolve(prepared, data=data.resolved.spec.data, **sizes).with_members(1)
    encoder = Encoder.fit(Network(resolved), data.labels, preparation, parts["test"])
    start = encoder.network.initial_parameters(member)
    found = trained(encoder.network, encoder.training_rows(parts["train"]), start, member=member)
    return encoder.model(found.theta, found.state).answers(encoder.inputs(parts["validation"]), data.table.y[own])


def compared(spec: Spec) -> tuple[Numbers, Numbers]:
    """Return the loss of each row out of fold, with preprocessing that has seen it and with one that has not."""
    data = data_of(spec)
    rows = data.splits["train"]
    fitted = fit_rows(replace(data, splits={"train": rows}), Observer())
    spread = None if data.labels is not None else float(rows.y.var())
    own = np.empty(len(rows))
    for member in range(MEMBERS):
        own[rows.in_fold(member)] = losses(own_answers(spec, data, member), spread)
    return losses(fitted.held_out[1], spread), own


def losses(answers: Any, spread: float | None) -> Numbers:
    """Return the log loss of each row, or its squared error over the variance of all rows."""
    return answers.losses if spread is None else np.square(answers.prediction - answers.target) / spread


def of_table(name: str, draw: Draw, target: str, folder: Path) -> list[Numbers]:
    """Return for each seed the mean loss out of fold, its standard error, and how much it is flattered."""
    found = []
    for seed in range(SEEDS):
        path = write_rows(folder / f"{seed}.csv", draw, seed, len(name))
        shared, own = compared(spec_on(path, target, seed))
        found.append(np.array([shared.mean(), shared.std(ddof=1) / np.sqrt(len(shared)), (own - shared).mean()]))
    return found


def sampled(path: Path) -> Draw:
    """Return what draws rows of a file whose records are lines."""
    header, *lines = path.read_text().splitlines()
    return lambda rng: [header, *(lines[row] for row in rng.permutation(len(lines))[:ROWS])]


def main(arguments: list[str]) -> int:
    tables = {name: (draw, "y") for name, draw in MADE.items()}
    for file, target in (each.split(":") for each in arguments):
        tables[Path(file).stem] = sampled(Path(file)), target
    print(f"{SEEDS} seeds, {MEMBERS} members, at most {ROWS} rows, of which {SPARE:.0%} are spare.")
    report, ratios = Report(), []
    report.table("table", "loss out of fold", "its standard error", "flattered by ± standard error", "of its error")
    with tempfile.TemporaryDirectory() as folder, limited_threads(1):
        for name, (draw, target) in tables.items():
            loss, error, gap = np.transpose(of_table(name, draw, target, Path(folder)))
            ratios.append((gap / error).mean())
            shown = f"{gap.mean():+.4f} ± {gap.std(ddof=1) / np.sqrt(SEEDS):.4f}"
            report.row(name, f"{loss.mean():.4f}", f"{error.mean():.4f}", shown, f"{ratios[-1]:+.2f}")
    mean, error = np.mean(ratios), np.std(ratios, ddof=1) / np.sqrt(len(ratios))
    report.row("all", "–", "–", "–", f"{mean:+.3f} ± {error:.3f}")
    report.judge(f"flattered by at most {MOST} of a standard error", bool(mean <= MOST))
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
