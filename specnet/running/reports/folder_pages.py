"""The page of a folder, whatever it holds: a run, runs on folds or with seeds, a sweep, or a sweep for each fold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from specnet.files import PathLike
from specnet.files.locks import locked_folder
from specnet.files.run_files import NESTED, RUN, SERIES, SWEEP, TEAM_OF_SWEEP, kind_of
from specnet.parts.part import Part
from specnet.running.many.series_report import write_series_report
from specnet.running.reports.run_report import report_again
from specnet.running.sweeps.sweep_report import write_nested_report, write_sweep_report
from specnet.running.sweeps.team_report import write_team_report
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
    path, write = Path(folder), {SWEEP: write_sweep_report, SERIES: write_series_report, NESTED: write_nested_report}
    kind = kind_of(path)
    if kind is None or kind is RUN:
        return report_again(folder, parts=parts, limits=limits, with_rows=with_rows)
    with locked_folder(path):
        if kind is TEAM_OF_SWEEP:
            return write_team_report(path.absolute(), parts=tuple(parts), limits=limits)
        return write[kind](path)
