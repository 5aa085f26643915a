"""How many rows intervals and sets cover, from end to end: `python -m tests.benchmarks.tables.coverage FOLDER …`.

    python -m tests.benchmarks.tables.coverage FOLDER OTHER          all tables of two folders
    python -m tests.benchmarks.tables.coverage FOLDER mpg abalone    some of them
    python -m tests.benchmarks.tables.coverage FOLDER --kind values --mode quick --splits 2 --runs RUNS

A folder has CSV files and `tables.json`, which says of each table its `target`, its `kind`, values or classes, and
maybe a `group` or a `time` that rows depend on. On splits 0 to 4, which hold out a fifth of the rows at random, whole
groups where there are some, and where there is a time also on one that holds out the latest fifth, it writes the spec
of `specnet new`, with and without `--quick`, runs it, and predicts the test rows with `--interval` or `--set`. What
the files of `specnet predict` cover is printed for each level, with the mean width over the standard deviation of the
target, or the mean number of classes; and for 90 % by thirds of the prediction, or of the largest probability. A level
for which too few rows were held out is nan.

The exit status is 1 if `metrics.json` says anything else than the files, if a mean over the tables is more than 2
points off its level, or if less than 80 % of a third of a table is covered for 90 %. The latest rows have a mean of
their own, and no bounds: they are not like those before, which nothing makes up for. Runs stay in the folder `--runs`,
and are not trained again. Run it with one thread (`OMP_NUM_THREADS=1`).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray

from tests.benchmarks.report import Report, plain
from tests.made import data_of

LEVELS = (0.5, 0.8, 0.9, 0.95)
SPLITS = 5
OFF, LEAST_OF_THIRD = 0.02, 0.8
MODES, KINDS = ("recipe", "quick"), ("values", "classes")


def called_process(folder: Path, *arguments: str) -> None:
    """Call the command line in a folder."""
    command = [sys.executable, "-c", "from specnet.cli import main; main()", *arguments, "-q"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {ended.stderr}")


class CoveredTable(NamedTuple):
    """A table in a file, what is known of its columns, and whether its latest rows are held out."""

    name: str
    path: Path
    about: dict[str, Any]
    is_later: bool

    @property
    def kind(self) -> str:
        """Whether the target is ``values`` or ``classes``."""
        return str(self.about["kind"])

    @property
    def rows(self) -> str:
        """The kind, and whether the test rows are later than all others."""
        return f"{self.kind}, later" if self.is_later else self.kind

    @property
    def splits(self) -> range:
        """Of which there is one where the latest rows are held out."""
        return range(1 if self.is_later else SPLITS)

    def settings(self, split: int, mode: str) -> list[str]:
        """Return the settings of `specnet run` that hold out the rows of a split."""
        settings = [f"seed={split}"]
        if self.about.get("group"):
            settings.append(f'data.split.group="{self.about["group"]}"')
        if self.is_later:
            settings.append(f'data.split.time="{self.about["time"]}"')
        else:
            settings.append(f"data.split.random_state={split}")
        return settings

    def covered(
        self, folder: Path, split: int, mode: str, specnet: Callable[..., None] = called_process
    ) -> NDArray[np.float64]:
        """Return what files cover for each level, the size of intervals or sets, and what they cover by third.

        The array is (levels, 5); the run is in the folder, or comes there. ``ValueError`` if ``metrics.json`` has other
        figures.
        """
        folder.mkdir(parents=True, exist_ok=True)
        settings = self.settings(split, mode)
        if not (folder / "run/metrics.json").exists():
            quick = ["--quick"] if mode == "quick" else []
            given = ["--data", str(self.path), "--target", self.about["target"], *quick]
            specnet(folder, "new", "spec.toml", *given, "--force")
            options = [f"--set={each}" for each in settings]
            specnet(folder, "run", "spec.toml", "-o", "run", "--no-report", *options)
        y, found = self._write_test_rows(folder, settings), np.full((len(LEVELS), 5), np.nan)
        option = "--interval" if self.kind == "values" else "--set"
        for stated in json.loads((folder / "run/metrics.json").read_text("utf-8"))["tables"]["test"]["coverage"]:
            level = f"{100 * stated['level']:g}"
            specnet(folder, "predict", "run", "test.csv", option, level, "-o", "out.csv", "--force")
            rows = pandas.read_csv(folder / "out.csv", dtype=str, keep_default_na=False)  # numbers to the last bit
            figures = _of_values(rows, y) if self.kind == "values" else _of_classes(rows, y)
            if stated["covered"] != figures[:1]:
                found_in = f"the file covers {figures[0]} for {level} %, metrics.json says {stated['covered'][0]}"
                raise ValueError(f"{folder}: {found_in}")
            found[LEVELS.index(stated["level"])] = figures
        return found

    def _write_test_rows(self, folder: Path, settings: list[str]) -> NDArray[Any]:
        """Write the test rows of a run, and return their targets, numbers or texts."""
        chosen = data_of(folder / "spec.toml", overrides=settings).splits["test"].chosen
        rows = pandas.read_csv(self.path, dtype=str, keep_default_na=False).iloc[chosen]
        rows.to_csv(folder / "test.csv", index=False, lineterminator="\n")
        return rows[self.about["target"]].to_numpy(np.float64 if self.kind == "values" else np.str_)


def _of_values(rows: pandas.DataFrame, y: NDArray[Any]) -> list[float]:
    low, high, value = (rows[name].to_numpy(np.float64) for name in ("lower", "upper", "prediction"))
    return _figures((low <= y) & (y <= high), (high - low) / y.std(), value)


def _of_classes(rows: pandas.DataFrame, y: NDArray[Any]) -> list[float]:
    sets = [labels.split("|") if labels else [] for labels in rows["set"]]
    largest = rows[[name for name in rows if name.startswith("probability_")]].to_numpy(np.float64).max(axis=1)
    inside = np.array([label in labels for label, labels in zip(y.tolist(), sets, strict=True)])
    return _figures(inside, np.array([float(len(labels)) for labels in sets]), largest)


def _figures(inside: NDArray[np.bool_], sizes: NDArray[np.float64], by: NDArray[np.float64]) -> list[float]:
    thirds = np.array_split(np.argsort(by, kind="stable"), 3)
    return [float(inside.mean()), float(sizes.mean()), *(float(inside[rows].mean()) for rows in thirds)]


def covered_tables(folders: list[Path], names: list[str]) -> Iterator[CoveredTable]:
    """Yield the tables with these names in folders, all if there are none; twice where rows are of a time alone."""
    for folder in folders:
        for name, about in json.loads((folder / "tables.json").read_text("utf-8")).items():
            if not names or name in names:
                later = [False, True] if about.get("time") and not about.get("group") else [False]
                yield from (CoveredTable(name, (folder / f"{name}.csv").resolve(), about, each) for each in later)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="+", help="folders of tables, and names of tables")
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--runs", type=Path)
    given = parser.parse_intermixed_args(arguments)
    folders = [Path(each) for each in given.what if Path(each).is_dir()]
    names = [each for each in given.what if not Path(each).is_dir()]
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        runs = (given.runs or Path(temporary)).resolve()
        show(report, measured(covered_tables(folders, names), given.kind, given.mode, given.splits, runs))
    return report.exit_status()


def measured(
    tables: Iterable[CoveredTable], kind: str | None, mode: str | None, splits: int, runs: Path
) -> Iterator[tuple[str, str, str, NDArray[np.float64]]]:
    """Yield the name of each table of a kind, its rows, the mode, and the mean over splits of what is covered."""
    for table in tables:
        for each in ([mode] if mode else MODES) if kind in (None, table.kind) else ():
            suffix = "-later" if table.is_later else ""
            numbers = [split for split in table.splits if split < splits]
            found = [table.covered(runs / f"{table.name}-{each}-{n}{suffix}", n, each) for n in numbers]
            yield table.name, table.rows, each, np.nanmean(found, axis=0)


def show(report: Report, measured: Iterable[tuple[str, str, str, NDArray[np.float64]]]) -> None:
    """Print a row for each table, and the means over all of them, and judge both."""
    means = dict[tuple[str, str], list[NDArray[np.float64]]]()
    report.table("table", "kind", "mode", *(f"{level:.0%}" for level in LEVELS), "90 % by third")

    def row(name: str, rows: str, mode: str, found: NDArray[np.float64], thirds: str) -> None:
        report.row(name, rows, mode, *(f"{covered:.1%} ({plain(size)})" for covered, size in found[:, :2]), thirds)

    for name, rows, mode, found in measured:
        means.setdefault((rows, mode), []).append(found)
        thirds = found[LEVELS.index(0.9), 2:]
        row(name, rows, mode, found, " ".join(f"{third:.1%}" for third in thirds))
        title = f"{name}, {mode}: {min(thirds):.1%} of a third for 90%"
        report.judge(title, rows not in KINDS or bool(min(thirds) >= LEAST_OF_THIRD))
    for (rows, mode), every in means.items():
        mean = np.nanmean(every, axis=0)
        row("mean", rows, mode, mean, "")
        for level, covered in zip(LEVELS, mean[:, 0], strict=True):
            title = f"mean of {rows}, {mode}: {covered:.1%} for {level:.0%}"
            report.judge(title, rows not in KINDS or bool(abs(covered - level) <= OFF))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
