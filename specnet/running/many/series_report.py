"""The page of runs on folds or with seeds, collected from their folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from specnet.errors import FileError
from specnet.files import file_errors, read_file, write_file
from specnet.files.run_files import HISTORY, LARGEST_RECORD, REPORT, RESOLVED, written_spec
from specnet.files.series_files import RUNS_TABLE, SUMMARY
from specnet.files.tensors import parse_object
from specnet.report.pages.series_page import series_page
from specnet.report.pages.series_record import SeriesRecord, SeriesRun, Summary
from specnet.report.svg.overlays import MOST_POINTS
from specnet.report.terminal.run_table import FINISHED
from specnet.running.evaluation.evaluation import SPLITS, Metrics
from specnet.running.many.run_curves import read_curves
from specnet.running.run_folder import RunFolder
from specnet.training.checkpoint import is_finite

MOST_DRAWN = 6000
"""Points of all curves of a chart."""
STATISTICS = ("mean", "std", "min", "max")


def write_series_report(folder: Path) -> Path:
    """Write the page of the runs that `run_many` has written into a folder, and return its path.

    Raises
    ------
    FileError
        If something in it cannot be read, or the page not be written.
    """
    path = folder / REPORT
    write_file(path, series_page(series_record(folder)).encode())
    return path


def series_record(folder: Path) -> SeriesRecord:
    """Return what a folder of runs on folds or with seeds says.

    Raises
    ------
    FileError
    """
    runs = list(_runs(folder))
    first = next((folder / run.name for run in runs if run.state == FINISHED), None)
    summary = read_summary(folder)
    if first is None:
        return SeriesRecord("", runs, summary)
    spec = written_spec(first)
    command = "" if spec is None else f"specnet run {spec.relative_to(folder).as_posix()}"
    return SeriesRecord(run_name(first), runs, summary, command, list(run_facts(first)))


def read_summary(folder: Path) -> Summary:
    """Return what ``summary.json`` says.

    Raises
    ------
    FileError
    """
    path = folder / SUMMARY
    with file_errors(path):
        summary = parse_object(read_file(path, LARGEST_RECORD), "the summary of the runs")
        if not all(
            isinstance(figures, dict) and all(map(_is_summary, figures.values())) for figures in summary.values()
        ):
            raise FileError("not a valid summary of runs")
    return summary


def _is_summary(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and all(name in found and (found[name] is None or is_finite(found[name])) for name in STATISTICS)
        and type(found.get("runs")) is int
    )


def run_name(run: Path) -> str:
    """Return the name that the spec of a run says.

    Raises
    ------
    FileError
    """
    with file_errors(run / RESOLVED):
        return str(parse_object(read_file(run / RESOLVED, LARGEST_RECORD), "the spec").get("name") or "unnamed")


def run_facts(run: Path) -> Iterator[tuple[str, str]]:
    """Yield what it takes to do runs like this one again, by name.

    Raises
    ------
    FileError
    """
    facts = RunFolder(run).facts()
    versions = facts.get("versions")
    if isinstance(versions, Mapping):
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "threads", str(facts.get("threads", ""))
    yield "SHA-256 of the data", str(facts.get("data_sha256", ""))


def _runs(folder: Path) -> Iterator[SeriesRun]:
    """Yield what ``runs.csv`` says, with the curves of those that have finished."""
    path = folder / RUNS_TABLE
    with file_errors(path):
        try:
            rows = list(csv.DictReader(io.StringIO(read_file(path, LARGEST_RECORD).decode(), newline="")))
            found = [_run(row) for row in rows]
        except KeyError as error:
            raise FileError(f"not a valid table of runs: column {error} is missing") from error
        except (TypeError, ValueError, csv.Error) as error:  # ValueError: of a number, or no UTF-8
            raise FileError(f"not a valid table of runs: {error}") from error
    most = max(min(MOST_POINTS, MOST_DRAWN // max(len(found), 1)), 8)
    for name, values in found:
        finished = values["state"] == FINISHED
        yield SeriesRun(name, **values, curves=read_curves(folder / name / HISTORY, most) if finished else {})


def _run(row: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    metrics: Metrics = {}
    for column, cell in row.items():
        split, dot, name = column.partition(".")
        if dot and split in SPLITS and cell:
            metrics.setdefault(split, {})[name] = float(cell)
    if Path(row["run"]).name != row["run"]:
        raise ValueError(f"{row['run']!r} is not the name of a folder")
    seed, fold = (int(row[name]) if row[name] else None for name in ("seed", "fold"))
    told = {"state": row["state"], "message": row["message"]}
    return row["run"], {"seed": seed, "fold": fold, **told, "metrics": metrics, "epochs": int(row["epochs"])}
