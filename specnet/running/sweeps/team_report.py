"""The page of a team, collected from its folder and those of its trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from specnet.data import RawColumns
from specnet.errors import FileError
from specnet.files import write_file
from specnet.files.run_files import BEST, REPORT, SWEEP, kind_of
from specnet.model import Model
from specnet.parts.arrays import as_array
from specnet.parts.part import Part
from specnet.report.pages.model_answers import ModelAnswers
from specnet.report.pages.team_page import TeamMember, team_page
from specnet.running.data_rows import SpecData
from specnet.running.reports.importance import permutation_importance
from specnet.running.reports.responses import responses_of
from specnet.running.reports.run_report import page_names, rows_again
from specnet.running.sweeps.sweep_report import read_shares
from specnet.saved.saved_run import SavedRun
from specnet.spec import Limits


def write_team_report(folder: Path, *, parts: Iterable[type[Part]] = (), limits: Limits | None = None) -> Path:
    """Write the page of a team, and return its path.

    The rows are those of the best trial's run, beside it.

    Parameters
    ----------
    folder : Path
        Of the team.
    parts, limits : optional
        As for `load_model`.

    Raises
    ------
    FileError
        If something in it cannot be read, or the page not be written.
    """
    if kind_of(folder.parent) is not SWEEP:
        raise FileError("the page cannot be made: the team is not in the folder of its sweep", source=str(folder))
    best = SavedRun(folder.parent / BEST, parts=parts, limits=limits)
    team = SavedRun(folder, parts=parts, limits=limits)
    data, absent = rows_again(best)
    shown = _shown(team.model, data, absent, with_rows=best.stores_rows)
    page = team_page(shown, team.evaluation.record(), list(_members(team.model, read_shares(folder))))
    write_file(folder / REPORT, page.encode())
    return folder / REPORT


def _members(model: Model, shares: Mapping[str, int]) -> Iterator[TeamMember]:
    """Yield the trials with their shares and networks."""
    each = len(model.networks) // len(shares)
    for place, (trial, share) in enumerate(shares.items()):
        own = model.networks[place * each : (place + 1) * each]
        sizes = sum(len(found.members) for found in own), sum(found.theta.size for found in own)
        yield TeamMember(int(trial), share / sum(shares.values()), own[0].network.resolved, *sizes)


def _shown(model: Model, data: SpecData | None, absent: str | None, *, with_rows: bool) -> ModelAnswers:
    names = page_names(model, data)
    test = None if data is None else data.splits.get("test")
    if data is None or test is None:
        return ModelAnswers(model=model, names=names, absent=absent, answers=None)
    answers = None
    if with_rows or model.network.task != "values":
        rows = RawColumns(as_array(test.columns, "X"), test.kinds)
        answers = model.answers(rows, test.y, test.weight)
    importance = permutation_importance(model, test, names.columns)
    responses = None if importance is None else responses_of(model, data, importance, names)
    return ModelAnswers(
        model=model, names=names, absent=absent, answers=answers, importance=importance, responses=responses
    )
