"""The page of a folder, whatever it holds: a run, runs on folds or with seeds, a sweep, or a sweep for each fold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from specnet.files import PathLike, write_file
from specnet.files.locks import locked_folder
from specnet.files.run_files import REPORT, RUN, SWEEP, TEAM_OF_SWEEP, kind_of
from specnet.parts.part import Part
from specnet.running.reports.run_report import report_again
from specnet.running.sweeps.team_report import write_team_report
from specnet.saved.saved_series import SavedSeries
from specnet.saved.saved_sweep import SavedSweep
from specnet.spec import Limits


def page_again(
    folder: PathLike, *, parts: Iterable[type[Part]] = (), limits: Limits | None = None, with_rows: bool = True
) -> Path:
    """Write the page of a folder anew and return its path; it is the same as before, byte for byte.

    Parameters
    ----------
    folder : path
        Of a run, of runs on folds or with seeds, of a sweep, of its team, or of a sweep for each fold.
    parts, limits : optional
        As for `load_model`.
    with_rows : bool
        Whether the page of a run shows rows one by one.

    Raises
    ------
    FileError
        If it is none of these, or something in it is damaged or missing.
    TakenError
        If something is being written there.
    """
    path = Path(folder)
    kind = kind_of(path)
    if kind is None or kind is RUN:
        return report_again(folder, parts=parts, limits=limits, with_rows=with_rows)
    with locked_folder(path):
        if kind is TEAM_OF_SWEEP:
            return write_team_report(path.absolute(), parts=tuple(parts), limits=limits)
        return write_page(path)


def write_page(folder: Path) -> Path:
    """Write the page of a folder with several runs, which this process has locked, and return its path.

    Raises
    ------
    FileError
        If something in it cannot be read, or the page not be written.
    """
    from specnet.report.pages.series_page import series_page
    from specnet.report.pages.sweep_page import sweep_page

    page = sweep_page(SavedSweep(folder)) if kind_of(folder) is SWEEP else series_page(SavedSeries(folder))
    write_file(folder / REPORT, page.encode())
    return folder / REPORT
