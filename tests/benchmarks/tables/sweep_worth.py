"""What a sweep is worth: `python -m tests.benchmarks.tables.sweep_worth --out FOLDER`, in the repository.

On five public tables: the sweep that `specnet new --sweep` writes, the same number of random trials, and the recipe
alone are judged on the same outer folds, whose test rows none of them has seen. Differences are paired by fold.

Nothing that is in FOLDER is computed again, so that a stopped benchmark goes on where it was. Three folds take about an
hour of one core; --repeats cuts others with further split seeds, and --table prints the table of what is there so far.
"""

import argparse
import json
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn import datasets

import specnet
from specnet.cli.application import call
from tests.benchmarks.report import Report, installed_versions
from tests.benchmarks.tables.recipe import TABLES, VALUES, paired

SWEEP, RANDOM, RECIPE = "sweep", "random trials", "recipe"
WAYS = (SWEEP, RANDOM, RECIPE)
SEED, FOLDS = 11, 3
"""The first split seed, and how many folds it cuts."""
RESULTS = "results.jsonl"


@dataclass(frozen=True)
class Case:
    """A way to come to a model, on an outer fold of a table."""

    table: str
    seed: int
    fold: int
    way: str

    def settings(self) -> list[str]:
        """Return what cuts the fold, and what draws; both alike for all ways."""
        split = f"data.split={{folds={FOLDS}, fold={self.fold}, random_state={self.seed}}}"
        sampler = ["sweep.sampler=random"] if self.way == RANDOM else []
        return [split, f"seed={self.seed * FOLDS + self.fold}", *sampler]


@dataclass(frozen=True)
class Outcome:
    """Accuracy or R², log loss or mean squared error, on the fold's test rows; and the CPU seconds that it took.

    Attributes
    ----------
    score, loss : float or None
        None if the case was stopped; its seconds count none the less.
    """

    score: float | None
    loss: float | None
    seconds: float


def planned(repeats: int) -> list[Case]:
    """Return all cases, fold by fold, so that a stopped benchmark has all tables."""
    return [
        Case(table, SEED + repeat, fold, way)
        for repeat in range(repeats)
        for fold in range(FOLDS)
        for table in TABLES
        for way in WAYS
    ]


def write_spec(table: str, folder: Path) -> Path:
    """Write a table as CSV, and the spec that `specnet new` writes for it."""
    data, spec = folder / f"{table}.csv", folder / f"{table}.toml"
    if not spec.exists():
        X, y = getattr(datasets, f"load_{table}")(return_X_y=True)
        rows = [
            [*(f"x{place}" for place in range(X.shape[1])), "y"],
            *([*x, label] for x, label in zip(X, y, strict=True)),
        ]
        data.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
        assert call(["new", str(spec), "--data", str(data), "--target", "y", "--sweep", "--force", "--quiet"]) == 0
    return spec


def computed(case: Case, spec: Path, folder: Path) -> Outcome:
    """Return what a case comes to."""
    begin = time.process_time()
    options = {"overrides": case.settings(), "report": False}
    try:
        if case.way == RECIPE:
            metrics = specnet.run(spec, threads=1, **options).metrics["test"]
        else:
            out = folder / case.table / f"{case.way.split()[0]}_{case.seed}_{case.fold}"
            metrics = specnet.sweep(spec, out, jobs=1, resume=True, **options).metrics["test"]
    except KeyboardInterrupt:
        return Outcome(None, None, time.process_time() - begin)
    seconds = time.process_time() - begin
    if case.table in VALUES:
        return Outcome(metrics["r2"], metrics["root_mean_squared_error"] ** 2, seconds)
    return Outcome(metrics["accuracy"], -metrics["neg_log_loss"], seconds)


def read_results(lines: Iterable[str]) -> dict[Case, Outcome]:
    """Return the last outcome of each case, with the seconds of all its parts."""
    found: dict[Case, Outcome] = {}
    for line in lines:
        entry = json.loads(line)
        case = Case(**entry["case"])
        before = found[case].seconds if case in found else 0.0
        outcome = Outcome(**entry["outcome"])
        found[case] = Outcome(outcome.score, outcome.loss, before + outcome.seconds)
    return found


def compute(folder: Path, repeats: int) -> None:
    """Compute the cases that are not there yet, one after the other."""
    warnings.simplefilter("ignore", specnet.SpecnetWarning)
    results = folder / RESULTS
    known = read_results(results.read_text(encoding="utf-8").splitlines()) if results.exists() else {}
    cases = planned(repeats)
    for count, case in enumerate(cases, 1):
        if case in known and known[case].score is not None:
            continue
        print(f"{count} of {len(cases)}: {case}", file=sys.stderr, flush=True)
        outcome = computed(case, write_spec(case.table, folder), folder)
        with results.open("a", encoding="utf-8") as file:
            print(json.dumps({"case": asdict(case), "outcome": asdict(outcome)}), file=file)
        if outcome.score is None:
            raise SystemExit(130)


def tell(found: Mapping[Case, Outcome]) -> None:
    """Print a row for each way on each table, of the folds that all ways have finished."""
    folds: dict[tuple[str, int, int], dict[str, Outcome]] = defaultdict(dict)
    for case, outcome in found.items():
        if outcome.score is not None:
            folds[case.table, case.seed, case.fold][case.way] = outcome
    report = Report()
    score, loss = "accuracy or R²", "log loss or MSE"
    report.table("table", "folds", "way", score, "sweep − it ± standard error", loss, "sweep − it", "CPU s")
    for table in TABLES:
        whole = [ways for key, ways in folds.items() if key[0] == table and len(ways) == len(WAYS)]
        for way in WAYS if whole else ():
            cells = []
            for field in ("score", "loss"):
                ours, its = ([getattr(ways[name], field) for ways in whole] for name in (SWEEP, way))
                digits = 1 if field == "loss" and table in VALUES else 4
                cells += [f"{np.mean(its):.{digits}f}", _gain(ours, its, digits) if way != SWEEP else "–"]
            seconds = np.mean([ways[way].seconds for ways in whole])
            report.row(table, str(len(whole)), way, *cells, f"{seconds:.1f}")


def _gain(ours: list[float], its: list[float], digits: int) -> str:
    if len(ours) < 2:
        return f"{ours[0] - its[0]:+.{digits}f}"
    mean, error = paired(ours, its)
    return f"{mean:+.{digits}f} ± {error:.{digits}f}"


def main() -> int:
    parser = argparse.ArgumentParser(description="what the sweep of specnet new --sweep is worth")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="results; kept to go on")
    parser.add_argument("--repeats", type=int, default=1, help=f"split seeds, from {SEED}; default: 1")
    parser.add_argument("--table", action="store_true", help="print the table of what is there, and compute nothing")
    arguments = parser.parse_args()
    if not arguments.table:
        arguments.out.mkdir(parents=True, exist_ok=True)
        compute(arguments.out, arguments.repeats)
    print(f"{installed_versions()}, optuna {version('optuna')}; {FOLDS} folds of each split seed from {SEED}.")
    tell(read_results((arguments.out / RESULTS).read_text(encoding="utf-8").splitlines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
