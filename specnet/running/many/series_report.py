"""The page of runs on folds or with seeds, collected from their folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from specnet.files import file_errors, read_file, write_file
from specnet.files.run_files import LARGEST_RECORD, REPORT, RESOLVED, page_of, written_spec
from specnet.files.tensors import parse_object
from specnet.report.pages.series_page import series_page
from specnet.report.pages.series_record import SeriesRecord
from specnet.report.svg.overlays import MOST_POINTS
from specnet.report.terminal.run_table import RunRecord
from specnet.running.many.fold_statistics import with_statistics
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_series import read_runs, read_summary
from specnet.saved.summary import Summary, summarized

MOST_DRAWN = 6000
"""Points of all curves of a chart."""


def write_series_report(folder: Path) -> Path:
    """Write the page of the runs that `run_many` has written into a folder, and return its path.

    Raises
    ------
    FileError
        If something in it cannot be read, or the page not be written.
    """
    path = folder / REPORT
    write_file(path, series_page(with_statistics(series_record(folder))).encode())
    return path


def series_record(folder: Path) -> SeriesRecord:
    """Return what a folder of runs on folds or with seeds says.

    Raises
    ------
    FileError
    """
    runs = list(_runs(folder))
    first = next((folder / run.name for run in runs if run.state == FINISHED), None)
    summary = read_summary(folder, has_finished=first is not None)
    if first is None:
        return SeriesRecord("", runs, summary)
    spec = written_spec(first)
    command = "" if spec is None else f"specnet run {spec.relative_to(folder).as_posix()}"
    facts = list(run_facts(first))
    return SeriesRecord(run_name(first), runs, summary, command, facts, baselines=baselines_of(runs))


def baselines_of(runs: Sequence[RunRecord]) -> dict[str, Summary]:
    """Return what the simpler predictors beside runs come to, by their names."""
    names = dict.fromkeys(name for run in runs for name in run.baselines)
    return {name: summarized([run.baselines[name] for run in runs if name in run.baselines]) for name in names}


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
    facts = SavedRun(run).facts
    versions = facts.get("versions")
    if isinstance(versions, Mapping):
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "threads", str(facts.get("threads", ""))
    yield "SHA-256 of the data", str(facts.get("data_sha256", ""))


def _runs(folder: Path) -> Iterator[RunRecord]:
    """Yield what ``runs.csv`` says, with the curves of those that have finished."""
    found = read_runs(folder)
    most = max(min(MOST_POINTS, MOST_DRAWN // max(len(found), 1)), 8)
    for row in found:
        run = RunRecord(row.name, row.state, row.message, row.metrics, epochs=row.epochs, seed=row.seed, fold=row.fold)
        if run.state == FINISHED:
            own = SavedRun(folder / run.name)
            baselines, curves = own.evaluation.baselines, own.curves(most)
            run = replace(run, curves=curves, baselines=baselines, page=page_of(own.path, folder))
        yield run
