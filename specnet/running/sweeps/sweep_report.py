"""The pages of a sweep and of a sweep for each fold, collected from their folders."""

from __future__ import annotations

from pathlib import Path

from specnet.files import write_file
from specnet.files.run_files import (
    BEST,
    BEST_SPECS,
    NESTED,
    REPORT,
    RUN,
    SWEEP,
    TEAM,
    TEAM_OF_SWEEP,
    kind_of,
    page_of,
    parts_of,
)
from specnet.report.pages.series_page import series_page
from specnet.report.pages.series_record import SeriesRecord
from specnet.report.pages.sweep_page import sweep_page
from specnet.report.svg.overlays import MOST_POINTS
from specnet.report.terminal.run_table import RunRecord
from specnet.running.many.fold_statistics import with_statistics
from specnet.running.many.series_report import baselines_of, run_facts, run_name
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_series import read_summary
from specnet.saved.saved_sweep import SavedSweep, SweepFacts
from specnet.saved.saved_trials import best_trial, read_trials


def write_sweep_report(folder: Path) -> Path:
    """Write the page of a sweep, and return its path.

    Raises
    ------
    FileError
        If something in it cannot be read, or the page not be written.
    """
    path = folder / REPORT
    write_file(path, sweep_page(SavedSweep(folder)).encode())
    return path


def write_nested_report(folder: Path) -> Path:
    """Write the page of a folder with a sweep for each fold, and return its path.

    Raises
    ------
    FileError
        If something in it cannot be read, or the page not be written.
    """
    path = folder / REPORT
    write_file(path, series_page(with_statistics(nested_record(folder))).encode())
    return path


def nested_record(folder: Path) -> SeriesRecord:
    """Return what a folder with a sweep for each fold says.

    Raises
    ------
    FileError
    """
    sweeps = [path for path in parts_of(folder, NESTED) if kind_of(path) is SWEEP]
    runs = [_fold(path, fold) for fold, path in enumerate(sweeps)]
    first = next((folder / run.name for run in runs if run.state == FINISHED), None)
    if first is None:
        return SeriesRecord("", runs, read_summary(folder, has_finished=False))
    spec = next(name for name in BEST_SPECS if (first / name).is_file())
    return SeriesRecord(
        run_name(first / BEST),
        runs,
        read_summary(folder, has_finished=True),
        f"specnet run {first.name}/{spec}",
        list(run_facts(first / BEST)),
        SweepFacts.of(first).metric.removeprefix("validation_"),
        baselines_of(runs),
    )


def _fold(folder: Path, fold: int) -> RunRecord:
    """Return the best run of a fold's sweep, with the metrics of its team."""
    facts = SweepFacts.of(folder)
    trials = read_trials(folder, facts.trials)
    best = best_trial(trials, facts.larger_is_better)
    run = folder / BEST
    if best is None or best.figure is None or kind_of(run) is not RUN:
        return RunRecord(folder.name, "unfinished", fold=fold)
    of_run, team = SavedRun(run), folder / TEAM
    evaluation = of_run.evaluation
    return RunRecord(
        folder.name,
        metrics=SavedRun(team).evaluation.metrics if kind_of(team) is TEAM_OF_SWEEP else evaluation.metrics,
        baselines=evaluation.baselines,
        epochs=of_run.epochs,
        trials=len(trials),
        fold=fold,
        trial=best.number,
        figure=best.figure,
        settings=best.settings,
        curves=of_run.curves(MOST_POINTS),
        page=page_of(folder, folder.parent),
    )
