"""The page of a team, collected from its folder and those of its trials."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from specnet.errors import FileError
from specnet.files import write_file
from specnet.files.run_files import BEST, REPORT, SWEEP, kind_of
from specnet.model import Model
from specnet.parts.part import Part
from specnet.report.pages.run_page import team_page
from specnet.running.data_rows import SpecData
from specnet.running.reports.run_report import model_answers, rows_again
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_sweep import read_shares
from specnet.spec import Limits


def write_team_report(
    folder: Path,
    *,
    parts: Iterable[type[Part]] = (),
    limits: Limits | None = None,
    model: Model | None = None,
    data: SpecData | None = None,
) -> Path:
    """Write the page of a team, and return its path.

    The rows are those of the best trial's run, beside it.

    Parameters
    ----------
    folder : Path
        Of the team.
    parts, limits : optional
        As for `load_model`.
    model : Model, optional
        The team, where it was just put together.
    data : SpecData, optional
        The rows, where they are in memory.

    Raises
    ------
    FileError
        If something in it cannot be read, or the page not be written.
    """
    if kind_of(folder.parent) is not SWEEP:
        raise FileError("the page cannot be made: the team is not in the folder of its sweep", source=str(folder))
    best = SavedRun(folder.parent / BEST, parts=parts, limits=limits)
    team = SavedRun(folder, parts=parts, limits=limits)
    if model is not None:
        team.model = model
    shown = model_answers(team.model, rows_again(best) if data is None else data, with_rows=best.stores_rows)
    write_file(folder / REPORT, team_page(shown, team.evaluation.record(), read_shares(folder)).encode())
    return folder / REPORT
