"""The page of a team, collected from its folder and those of its trials."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from specnet.data import RawColumns
from specnet.errors import FileError
from specnet.files import write_file
from specnet.files.run_files import BEST, MODEL, REPORT, SWEEP, kind_of
from specnet.model import load_model
from specnet.parts.arrays import as_array
from specnet.parts.part import Part
from specnet.report.pages.team_page import TeamMember, TeamRecord, team_page
from specnet.running.data_rows import SpecData
from specnet.running.reports.asking import PageNames
from specnet.running.reports.importance import permutation_importance
from specnet.running.reports.responses import responses_of
from specnet.running.reports.run_report import (
    class_names,
    column_names,
    output_names,
    rows_again,
    target_name,
)
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
    path = folder / REPORT
    data, absent = rows_again(SavedRun(folder.parent / BEST, parts=parts, limits=limits))
    write_file(path, team_page(_record(folder, data, absent, tuple(parts), limits)).encode())
    return path


def _record(
    folder: Path, data: SpecData | None, absent: str | None, parts: tuple[type[Part], ...], limits: Limits | None
) -> TeamRecord:
    model, shares = load_model(folder / MODEL, parts=parts, limits=limits), read_shares(folder)
    test = None if data is None else data.splits.get("test")
    each, members = len(model.networks) // len(shares), []
    for place, (trial, share) in enumerate(shares.items()):
        own = model.networks[place * each : (place + 1) * each]
        sizes = sum(len(found.members) for found in own), sum(found.theta.size for found in own)
        members.append(TeamMember(int(trial), share / sum(shares.values()), own[0].network.resolved, *sizes))
    answers = None
    if test is not None:
        rows = RawColumns(as_array(test.columns, "X"), test.kinds)
        answers = model.answers(rows, test.y, test.weight)
    if model.network.task == "values" and not SavedRun(folder.parent / BEST).stores_rows:
        answers = None
    names = PageNames(column_names(model, data), class_names(model), output_names(model))
    importance = None if test is None else permutation_importance(model, test, names.columns)
    return TeamRecord(
        resolved=model.network.resolved,
        evaluation=SavedRun(folder).evaluation.record(),
        task=model.network.task,
        classes=names.classes,
        outputs=names.outputs,
        target=target_name(model),
        answers=answers,
        absent=absent,
        errors=model.error_quantiles,
        importance=importance,
        responses=None if data is None or importance is None else responses_of(model, data, importance, names),
        members=members,
    )
