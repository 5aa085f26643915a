"""What a sweep is worth: `python -m tests.benchmarks.tables.sweep_worth --out FOLDER`, in the repository.

On five public tables, and on those of up to 2 000 rows in a folder of --tables: the team and the best trial of the
sweep that `specnet new --sweep` writes, and the recipe alone, with a temperature for classes, are judged on the same
outer folds, whose test rows none of them has seen. Differences are paired by fold; of all tables together, they are the
logarithms of ratios of losses.

Nothing that is in FOLDER is computed again, so that a stopped benchmark goes on where it was. Three folds of five
tables take about an hour of one core; --only chooses tables, --trials their number, --repeats cuts others with further
split seeds, and --table prints the table of what is there so far.
"""

import argparse
import json
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
from sklearn import datasets

import specnet
from tests.benchmarks.processes import run_process, specnet_command
from tests.benchmarks.report import Report, installed_versions
from tests.benchmarks.tables.recipe import TABLES, VALUES, paired

TEAM, BEST, RECIPE = "team", "best trial", "recipe"
WAYS = (TEAM, BEST, RECIPE)
MOST_ROWS = 2_000
SEED, FOLDS = 11, 3
"""The first split seed, and how many folds it cuts."""
RESULTS = "results.jsonl"


class Source(NamedTuple):
    """The target of a table, whether it is not classes, and the CSV file; None for a table of scikit-learn."""

    target: str
    is_values: bool
    file: Path | None = None


def sources(folder: Path | None) -> dict[str, Source]:
    """Return scikit-learn's tables, and the small ones of a folder with a ``tables.json``."""
    found = {name: Source("y", name in VALUES) for name in TABLES}
    about = {} if folder is None else json.loads((folder / "tables.json").read_text(encoding="utf-8"))
    for name, each in about.items():
        file = folder / f"{name}.csv"
        if len(file.read_text(encoding="utf-8").splitlines()) <= MOST_ROWS + 1:
            found[name] = Source(each["target"], each["kind"] == "values", file)
    return found


class Case(NamedTuple):
    """A way to come to a model, on an outer fold of a table."""

    table: str
    seed: int
    fold: int
    way: str

    def settings(self) -> list[str]:
        """Return what cuts the fold, and what draws: alike for all ways."""
        split = f"data.split={{folds={FOLDS}, fold={self.fold}, random_state={self.seed}}}"
        return [split, f"seed={self.seed * FOLDS + self.fold}"]


class Outcome(NamedTuple):
    """Accuracy or R², log loss or mean squared error, on the fold's test rows; and the CPU seconds that it took.

    Score and loss are None if the case was stopped; its seconds count none the less.
    """

    score: float | None
    loss: float | None
    seconds: float


def planned(repeats: int, tables: Iterable[str]) -> list[Case]:
    """Return all cases, fold by fold, so that a stopped benchmark has all tables."""
    return [
        Case(table, SEED + repeat, fold, way)
        for repeat in range(repeats)
        for fold in range(FOLDS)
        for table in tables
        for way in WAYS
    ]


def write_spec(table: str, source: Source, folder: Path) -> Path:
    """Write the spec that `specnet new` writes for a table, and the table as CSV where it is not a file."""
    data, spec = source.file or folder / f"{table}.csv", folder / f"{table}.toml"
    if not data.exists():
        X, y = getattr(datasets, f"load_{table}")(return_X_y=True)
        columns = {f"x{number}": column for number, column in enumerate(X.T)} | {"y": y}
        pandas.DataFrame(columns).to_csv(data, index=False)
    if not spec.exists():
        options = ["--data", str(data.resolve()), "--target", source.target, "--sweep", "--quiet"]
        run_process([specnet_command(), "new", str(spec.resolve()), *options])
    return spec


def computed(case: Case, source: Source, folder: Path, trials: int | None) -> Outcome:
    """Return what a case comes to; the team and the best trial are of one sweep, which the first of them pays for."""
    spec = write_spec(case.table, source, folder)
    begin = time.process_time()
    options: dict[str, Any] = {"overrides": case.settings(), "report": False}
    try:
        if case.way == RECIPE:
            if not source.is_values:
                options["overrides"].append('training.calibration="temperature"')
            metrics = specnet.run(spec, threads=1, **options).metrics["test"]
        else:
            out = folder / case.table / f"{case.seed}_{case.fold}"
            team = specnet.sweep(spec, out, jobs=1, trials=trials, resume=True, **options).team
            metrics = (team.best if case.way == BEST else team.metrics)["test"]
    except KeyboardInterrupt:
        return Outcome(None, None, time.process_time() - begin)
    seconds = time.process_time() - begin
    if source.is_values:
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


def compute(
    folder: Path,
    cases: list[Case],
    tables: Mapping[str, Source],
    trials: int | None = None,
    by: Callable[[Case, Source, Path, int | None], Outcome] = computed,
) -> None:
    """Compute the cases that are not there yet, one after the other."""
    results = folder / RESULTS
    known = read_results(results.read_text(encoding="utf-8").splitlines()) if results.exists() else {}
    for count, case in enumerate(cases, 1):
        if case in known and known[case].score is not None:
            continue
        print(f"{count} of {len(cases)}: {case}", file=sys.stderr, flush=True)
        outcome = by(case, tables[case.table], folder, trials)
        with results.open("a", encoding="utf-8") as file:
            print(json.dumps({"case": case._asdict(), "outcome": outcome._asdict()}), file=file)
        if outcome.score is None:
            raise SystemExit(130)


def tell(found: Mapping[Case, Outcome], tables: Mapping[str, Source]) -> None:
    """Print a row for each way on each table, of the folds that all ways have finished, and for all tables together."""
    folds: dict[tuple[str, int, int], dict[str, Outcome]] = defaultdict(dict)
    for case, outcome in found.items():
        if outcome.score is not None:
            folds[case.table, case.seed, case.fold][case.way] = outcome
    report = Report()
    score, loss = "accuracy or R²", "log loss or MSE"
    report.table("table", "folds", "way", score, "team − it ± standard error", loss, "team − it", "CPU s")
    ratios = defaultdict[str, list[float]](list)
    for table, source in tables.items():
        whole = [ways for key, ways in folds.items() if key[0] == table and len(ways) == len(WAYS)]
        for way in WAYS if whole else ():
            cells = []
            for field in ("score", "loss"):
                ours, its = ([getattr(ways[name], field) for ways in whole] for name in (TEAM, way))
                digits = 1 if field == "loss" and source.is_values else 4
                cells += [f"{np.mean(its):.{digits}f}", _gain(ours, its, digits) if way != TEAM else "–"]
            ratios[way].append(float(np.mean(np.log(np.divide(ours, its)))))
            seconds = np.mean([ways[way].seconds for ways in whole])
            report.row(table, str(len(whole)), way, *cells, f"{seconds:.1f}")
    for way in (BEST, RECIPE) if ratios else ():
        logarithms = ratios[way]
        gain = f", logarithm {_gain(logarithms, [0.0] * len(logarithms), 3)}" if len(logarithms) > 1 else ""
        report.row("all", str(len(logarithms)), way, "–", "–", "–", f"{np.exp(np.mean(logarithms)):.3f} ×{gain}", "–")


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
    parser.add_argument("--tables", type=Path, metavar="FOLDER", help="CSV files with a tables.json about them")
    parser.add_argument("--only", nargs="+", metavar="TABLE", help="names of tables; default: all")
    parser.add_argument("--trials", type=int, help="default: the recipe's")
    arguments = parser.parse_args()
    tables = sources(arguments.tables)
    tables = {name: tables[name] for name in arguments.only or tables}
    if not arguments.table:
        arguments.out.mkdir(parents=True, exist_ok=True)
        warnings.simplefilter("ignore", specnet.SpecnetWarning)
        compute(arguments.out, planned(arguments.repeats, tables), tables, arguments.trials)
    print(f"{installed_versions()}, optuna {version('optuna')}; {FOLDS} folds of each split seed from {SEED}.")
    tell(read_results((arguments.out / RESULTS).read_text(encoding="utf-8").splitlines()), tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
