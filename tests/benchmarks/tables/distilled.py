"""Small networks beside the ensembles that taught them: `python -m tests.benchmarks.tables.distilled FOLDER …`.

    python -m tests.benchmarks.tables.distilled FOLDER               all tables of a folder
    python -m tests.benchmarks.tables.distilled FOLDER car abalone   some of them
    python -m tests.benchmarks.tables.distilled FOLDER --splits 2 --runs RUNS --set training.mixtures=19

A folder has CSV files and `tables.json`, as for `tests.benchmarks.tables.coverage`. On each split, `specnet new`,
`specnet run` and `specnet distill` are called, and their test losses compared: 100 % of the gain is the difference of
the linear model and the ensemble. Then come the agreement of both, the ratio of their parameters, and microseconds per
row in C. The last lines have the mean of the gains over tables, each the mean of its splits, with its standard error,
then the smallest ratio and the most microseconds. Splits on which the ensemble is not better than the linear model have
no gain, and are left out. Tables with a time have one split, whose test rows are the latest.
Runs stay in the folder `--runs`; ensembles there are not trained again. Run it with one thread (`OMP_NUM_THREADS=1`).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.benchmarks.report import plain
from tests.benchmarks.tables.coverage import CoveredTable, called_process, covered_tables


class Distilled(NamedTuple):
    """Figures of a student: gain and agreement as fractions, the ratio of parameters, and microseconds per row."""

    gain: float
    agreement: float
    ratio: float
    microseconds: float


def distilled(table: CoveredTable, folder: Path, split: int, changes: list[str]) -> Distilled:
    """Return the figures of a table's split; the runs are in the folder, or come there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "run/metrics.json").exists():
        called_process(
            folder, "new", "spec.toml", "--data", str(table.path), "--target", table.about["target"], "--force"
        )
        settings = [f"--set={each}" for each in table.settings(split, "recipe")]
        called_process(folder, "run", "spec.toml", "-o", "run", "--no-report", *settings)
    options = [*(f"--set={each}" for each in changes), "--force", "--no-report", "--format", "json"]
    command = [sys.executable, "-c", "from specnet.cli import main; main()", "distill", "run", "-o", "small", *options]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{folder}: {ended.stderr}")
    printed = json.loads(ended.stdout)
    metrics, found = printed["metrics"], printed["distilled"]
    linear, own = metrics["baselines"]["linear"]["test"]["loss"], metrics["test"]["loss"]
    gain = linear - found["metrics"]["test"]["loss"]
    (agreement,) = found["agreement"]["test"].values()
    return Distilled(
        (linear - own) / gain if gain > 0 else np.nan,
        agreement,
        found["parameters"] / found["own_parameters"],
        found["microseconds"]["student"],
    )


def _gains(found: list[Distilled]) -> list[float]:
    """Return the gains of splits on which the ensemble is better than the linear model."""
    return [each.gain for each in found if not np.isnan(each.gain)]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="+", help="folders of tables, and names of tables")
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    given = parser.parse_intermixed_args(arguments)
    folders = [Path(each) for each in given.what if Path(each).is_dir()]
    names = [each for each in given.what if not Path(each).is_dir()]
    found = dict[str, list[Distilled]]()
    print("| table | split | gain | agreement | ratio of parameters | µs |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        runs = (given.runs or Path(temporary)).resolve()
        tables = {table.name: table for table in covered_tables(folders, names)}  # with a time, that of the latest rows
        for table in tables.values():
            for split in table.splits[: given.splits]:
                own = distilled(table, runs / table.name / str(split), split, given.changes)
                cells = f"{own.gain:.1%} | {own.agreement:.3f} | {plain(own.ratio)} | {plain(own.microseconds)}"
                print(f"| {table.name} | {split} | {cells} |", flush=True)
                found.setdefault(table.name, []).append(own)
    gains = np.array([np.mean(known) for own in found.values() if (known := _gains(own))])
    error = gains.std(ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else np.nan
    every = _gains([each for own in found.values() for each in own])
    print(f"\n{len(gains)} tables, {len(every)} splits: mean of the gains {gains.mean():.1%} ± {error:.1%}")
    print(f"Median of the splits {np.median(every):.1%}, from {min(every):.1%} to {max(every):.1%}")
    ratios, times = zip(*((each.ratio, each.microseconds) for own in found.values() for each in own), strict=True)
    print(f"Ratio of parameters at least {plain(min(ratios))}, at most {plain(max(times))} µs per row")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
