"""The page of each kind of folder, ``report.html``: collected from the folder, with its rows from memory or read again.

It is the same whenever it is made. `write_report` is for a run that has just ended, `page_again` for any folder.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns, load_table
from specnet.errors import Diagnostic, FileError, SpecnetError, is_memory_shortage, out_of_memory
from specnet.files import PathLike, file_errors, write_file
from specnet.files.locks import locked_folder
from specnet.model import Answers, Model
from specnet.parts.arrays import as_array
from specnet.parts.part import Part
from specnet.parts.splits import TEST, TRAIN, VALIDATION
from specnet.report.pages.model_answers import ModelAnswers
from specnet.report.plane_story import Plane
from specnet.run_files import BEST, REPORT, RUN, SWEEP, TEAM_OF_SWEEP, check_run, kind_of
from specnet.running.calibration import with_temperature
from specnet.running.data_rows import Rows, SpecData, data_hash, split_data
from specnet.running.explanations import panel_of, permutation_importance, responses_of
from specnet.saved.saved_run import SavedRun
from specnet.spec import Limits
from specnet.training import Observer


def write_report(
    run: SavedRun, data: SpecData, observer: Observer, answers: Answers | None = None
) -> tuple[Diagnostic, ...]:
    """Write the page of a run that has just written its folder; if that fails, tell the observer, and return why.

    Parameters
    ----------
    run : SavedRun
        Whose folder is locked by this process.
    data : SpecData
        The run's, so that they need not be read again.
    observer : Observer
    answers : Answers, optional
        What the model answers for test rows, where it was just computed.
    """
    failures = attempted(lambda _: _write(run, data, answers), run.path)
    if failures:
        observer.warned(failures)
    return failures


def attempted(write: Callable[[Path], object], folder: Path) -> tuple[Diagnostic, ...]:
    """Write the page of a folder that is complete without it; return why that failed, if it did.

    Parameters
    ----------
    write : callable
        Takes the folder.
    folder : Path
    """
    try:
        write(folder)
    except Exception as error:
        # Python's development mode is for developers, who need the traceback.
        if sys.flags.dev_mode:
            raise
        return (_failure(error, folder),)
    return ()


def remove_report(folder: Path) -> None:
    """Remove a page that is out of date as soon as something is written beside it.

    Raises
    ------
    FileError
    """
    with file_errors(folder / REPORT):
        (folder / REPORT).unlink(missing_ok=True)


def report_again(
    folder: PathLike, *, parts: Iterable[type[Part]] = (), limits: Limits | None = None, with_rows: bool = True
) -> Path:
    """Write the page of a run anew and return its path; it is the same that the run wrote, byte for byte.

    The rows are made or read again as the run's spec says. If they are gone or have changed since, the page says so
    and leaves out what needs them.

    Parameters
    ----------
    folder : path
        Of a run.
    parts, limits : optional
        As for `load_model`.
    with_rows : bool
        Whether the page shows rows one by one: to ask about, as points, and as pictures. A run without rows has none.

    Raises
    ------
    FileError
        If it is not the folder of a run, or something in it is damaged or missing.
    TakenError
        If a run is writing there.
    """
    check_run(folder)
    path = Path(folder)
    with locked_folder(path):
        run = SavedRun(path, parts=parts, limits=limits)
        if not run.history:
            hint = "resume it first"
            raise FileError("the run was interrupted before its first epoch", hint=hint, source=os.fspath(path))
        _write(run, rows_again(run), with_rows=with_rows)
    return path / REPORT


def _write(run: SavedRun, data: SpecData | str, answers: Answers | None = None, *, with_rows: bool = True) -> None:
    from specnet.report.pages.run_page import page

    shown = answers_shown(run, data, answers, with_rows=with_rows)
    write_file(run.path / REPORT, page(run, shown).encode())


def _failure(error: Exception, folder: Path) -> Diagnostic:
    """Return what to say where the page of a run could not be written."""
    if is_memory_shortage(error):
        error = out_of_memory()
    if isinstance(error, SpecnetError):
        cause, hint = error.diagnostics[0].message, f"use {shlex.join(['specnet', 'report', str(folder)])} to try again"
    else:
        cause, hint = f"{type(error).__name__}: {error}", "this is a bug in specnet; the run itself is complete"
    return Diagnostic("report", f"the report could not be written: {cause}", source=str(folder / REPORT), hint=hint)


def answers_shown(
    run: SavedRun, data: SpecData | str, answers: Answers | None = None, *, with_rows: bool = True
) -> ModelAnswers:
    """Return what the page of a run shows of its model's answers, the same at the end of the run and at any later time.

    Parameters
    ----------
    run : SavedRun
    data : SpecData or str
        The rows of the run, or in a sentence why they cannot be read again.
    answers : Answers, optional
        What the model answers for test rows, where it was just computed.
    with_rows : bool
        Whether the page shows rows one by one: to ask about, as points, and as pictures. A run without rows has none.
    """
    model, with_rows = run.model, with_rows and run.stores_rows
    shown = model_answers(model, data, answers, with_rows=with_rows)
    if isinstance(data, str):
        return shown
    test, temperature = data.splits.get("test"), run.evaluation.calibration.get("temperature")
    before = with_temperature(model, 1 / temperature) if isinstance(temperature, float) and temperature != 1 else None
    return replace(
        shown,
        uncalibrated=None if test is None or before is None else _answers(before, test),
        images=_images(data, with_rows=with_rows),
        panel=panel_of(shown, data, with_rows=with_rows),
        plane=_plane(shown, data) if with_rows else None,
    )


def model_answers(
    model: Model, data: SpecData | str, answers: Answers | None = None, *, with_rows: bool
) -> ModelAnswers:
    """Return what a page shows of the answers of any model, be it of a run or of several networks.

    Parameters
    ----------
    model : Model
    data, answers, with_rows
        As for `answers_shown`.
    """
    columns = _column_names(model, data)
    if isinstance(data, str):
        return ModelAnswers(model=model, columns=columns, absent=data, answers=None)
    if (test := data.splits.get("test")) is None:
        return ModelAnswers(model=model, columns=columns, answers=None)
    if not with_rows and model.network.task == "values":
        answers = None
    elif answers is None:
        answers = _answers(model, test)
    importance = permutation_importance(model, test, columns)
    responses = None if importance is None else responses_of(model, data, importance)
    return ModelAnswers(model=model, columns=columns, answers=answers, importance=importance, responses=responses)


def rows_again(run: SavedRun) -> SpecData | str:
    """Return the data of a run, or in a sentence why they cannot be read again."""
    sha256 = run.facts.get("data_sha256")
    try:
        table = load_table(run.spec)
        data = split_data(run.spec, table)
    except SpecnetError as error:
        return f"The rows cannot be read again: {error.diagnostics[0].message}."
    if data_hash(table) != sha256:
        return "The rows that the spec describes have changed since the run."
    return data


def _answers(model: Model, rows: Rows) -> Answers:
    return model.answers(RawColumns(as_array(rows.columns, "X"), rows.kinds), rows.y, rows.weight)


def _column_names(model: Model, data: SpecData | str) -> Sequence[str]:
    """Return what a page calls the raw columns: x1, x2, … where they have no names."""
    given = () if isinstance(data, str) or data.table is None else data.table.feature_names
    unnamed = tuple(f"x{number}" for number in range(1, model.network.resolved.columns + 1))
    return given or model.feature_names or unnamed


def _plane(shown: ModelAnswers, data: SpecData) -> Plane | None:
    """Return what is seen of a model over the plane of its columns; None if they are no plane.

    There are two columns, both of numbers, and one target. Of an ensemble it is the first member. Rows that it was not
    trained on count as unseen.
    """
    model, network = shown.model, shown.model.network
    has_categories = any(text is not None for text in data.splits["train"].texts) or network.resolved.category_counts
    several_targets = network.task == "values" and network.target_size > 1
    if network.resolved.columns != 2 or has_categories or network.task == "multilabel" or several_targets:
        return None
    parts = [data.splits[name] for name in (TRAIN, VALIDATION, TEST) if name in data.splits]
    theta, state = model.members[0]
    y = np.concatenate([part.y for part in parts])
    return Plane(
        network.run_by("numpy"),
        {**network.parameters(theta), **state},
        np.concatenate([np.asarray(part.columns, np.float64) for part in parts]),
        y.reshape(-1) if data.labels is None else data.labels.encode(y),
        np.arange(len(y)) >= len(parts[0]),
        (shown.columns[0], shown.columns[1]),
        shown.classes,
        prepare=lambda points: model.preprocessing.prepare(points, reader=network),
        decode=lambda values: model.target_preprocessing.invert(values.reshape(-1, 1))[:, 0],
    )


def _images(data: SpecData, *, with_rows: bool) -> NDArray[np.float64] | None:
    from specnet.findings.data_findings import image_side

    if "test" not in data.splits:
        return None
    columns = data.splits["train"].columns
    side = image_side(columns)
    if side is None:
        return None
    rows = np.asarray(data.splits["test"].columns, np.float64).reshape(-1, side, side)[: None if with_rows else 0]
    return rows / (float(np.asarray(columns).max(initial=0)) or 1.0)


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
    # Imported late: the page of a run needs none of them.
    from specnet.report.pages.series_page import series_page
    from specnet.report.pages.sweep_page import sweep_page
    from specnet.saved.saved_series import SavedSeries
    from specnet.saved.saved_sweep import SavedSweep

    page = sweep_page(SavedSweep(folder)) if kind_of(folder) is SWEEP else series_page(SavedSeries(folder))
    write_file(folder / REPORT, page.encode())
    return folder / REPORT


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
    from specnet.report.pages.run_page import team_page
    from specnet.saved.saved_sweep import read_shares

    if kind_of(folder.parent) is not SWEEP:
        raise FileError("the page cannot be made: the team is not in the folder of its sweep", source=str(folder))
    best = SavedRun(folder.parent / BEST, parts=parts, limits=limits)
    team = SavedRun(folder, parts=parts, limits=limits)
    if model is not None:
        team.model = model
    shown = model_answers(team.model, rows_again(best) if data is None else data, with_rows=best.stores_rows)
    write_file(folder / REPORT, team_page(shown, team.evaluation.record(), read_shares(folder)).encode())
    return folder / REPORT
