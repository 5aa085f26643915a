"""The page of a run: collected from its folder, with its rows from memory or read again."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from specnet.data import RawColumns, load_table
from specnet.errors import Diagnostic, FileError, SpecnetError, is_memory_shortage, out_of_memory
from specnet.files import PathLike, file_errors, write_file
from specnet.files.locks import locked_folder
from specnet.files.run_files import REPORT, check_run
from specnet.model import Answers, Model
from specnet.parts.arrays import as_array
from specnet.parts.part import Part
from specnet.report.pages.page_record import Images, PageRecord, WrittenSpec
from specnet.running.calibration import with_temperature
from specnet.running.data_rows import SpecData, data_hash, split_data
from specnet.running.reports.asking import PageNames, panel_of
from specnet.running.reports.importance import permutation_importance
from specnet.running.reports.responses import responses_of
from specnet.running.reports.two_columns import plane_of
from specnet.saved.saved_run import SavedRun
from specnet.spec import Limits
from specnet.spec.meaning.explanation import explanation_rows
from specnet.spec.resolving.origins import explain
from specnet.training import Observer
from specnet.training.steps.step_sizes import WeightSizes

if TYPE_CHECKING:
    from specnet.running.data_rows import Rows

NAMED_CLASSES = 4
"""Up to so many integer labels are called class 0, class 1, …; more are only numbers."""


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
    failures = attempted(lambda _: _write(run, data, None, answers), run.path)
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
        # Python's development mode is for whoever looks for the fault.
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
        data, absent = rows_again(run)
        _write(run, data, absent, with_rows=with_rows)
    return path / REPORT


def _write(
    run: SavedRun,
    data: SpecData | None,
    absent: str | None,
    answers: Answers | None = None,
    *,
    with_rows: bool = True,
) -> None:
    from specnet.report.pages.run_page import page

    record = record_of(run, data, absent, answers, with_rows=with_rows)
    write_file(run.path / REPORT, page(record).encode())


def _failure(error: Exception, folder: Path) -> Diagnostic:
    """Return what to say where the page of a run could not be written."""
    if is_memory_shortage(error):
        error = out_of_memory()
    if isinstance(error, SpecnetError):
        cause, hint = error.diagnostics[0].message, f"use {shlex.join(['specnet', 'report', str(folder)])} to try again"
    else:
        cause, hint = f"{type(error).__name__}: {error}", "this is a bug in specnet; the run itself is complete"
    return Diagnostic("report", f"the report could not be written: {cause}", source=str(folder / REPORT), hint=hint)


def record_of(
    run: SavedRun,
    data: SpecData | None,
    absent: str | None = None,
    answers: Answers | None = None,
    *,
    with_rows: bool = True,
) -> PageRecord:
    """Return what the page of a run is made from, the same at the end of the run and at any later time.

    Parameters
    ----------
    run : SavedRun
    data : SpecData or None
        The rows of the run; None where they cannot be read again.
    absent : str or None
        Why not.
    answers : Answers, optional
        What the model answers for test rows, where it was just computed.
    with_rows : bool
        Whether the page shows rows one by one: to ask about, as points, and as pictures. A run without rows has none.
    """
    model, evaluation = run.model, run.evaluation
    theta, _ = model.members[0]
    names, classes = column_names(model, data), class_names(model)
    test = None if data is None else data.splits.get("test")
    if test is not None and answers is None:
        answers = _answers(model, test)
    temperature = evaluation.calibration.get("temperature")
    before = with_temperature(model, 1 / temperature) if isinstance(temperature, float) and temperature != 1 else None
    facts = run.checked_facts(end=str, epochs=int, steps=int, versions=dict, seed=int | None)
    with_rows = with_rows and run.stores_rows
    importance = None if test is None else permutation_importance(model, test, names)
    outputs = output_names(model)
    asked = PageNames(names, classes, outputs)
    return PageRecord(
        resolved=model.network.resolved,
        parameters=model.network.parameters(theta),
        weights=WeightSizes(model.network.layout)(theta),
        members=len(model.members),
        facts=facts,
        evaluation=evaluation.record(),
        history=run.history,
        looks=run.looks,
        **run.judgement._asdict(),
        task=model.network.task,
        inputs=model.preprocessing.named(names),
        classes=classes,
        outputs=outputs,
        target=target_name(model),
        spec=WrittenSpec(run.written.name, run.written_text, run.overrides),
        settings=_settings(run),
        answers=answers if with_rows or model.network.task != "values" else None,
        uncalibrated=None if test is None or before is None else _answers(before, test),
        absent=absent,
        errors=model.error_quantiles,
        importance=importance,
        responses=None if data is None or importance is None else responses_of(model, data, importance, asked),
        images=None if data is None else _images(data, with_rows=with_rows),
        panel=None if data is None else panel_of(model, data, answers if with_rows else None, importance, asked),
        plane=plane_of(model, data, names, classes) if data is not None and with_rows else None,
        snapshots=run.snapshots,
    )


def rows_again(run: SavedRun) -> tuple[SpecData | None, str | None]:
    """Return the data of a run, or why they cannot be read again."""
    sha256 = run.facts.get("data_sha256")
    try:
        table = load_table(run.spec)
        data = split_data(run.spec, table)
    except SpecnetError as error:
        return None, f"The rows cannot be read again: {error.diagnostics[0].message}."
    if data_hash(table) != sha256:
        return None, "The rows that the spec describes have changed since the run."
    return data, None


def _settings(run: SavedRun) -> list[tuple[str, str, str]]:
    """Return every value of the resolved spec, with what in the written spec or its settings says it."""
    return explanation_rows(explain(run.given or run.spec, run.spec))


def _answers(model: Model, rows: Rows) -> Answers:
    return model.answers(RawColumns(as_array(rows.columns, "X"), rows.kinds), rows.y, rows.weight)


def column_names(model: Model, data: SpecData | None) -> tuple[str, ...]:
    """Return the names of the raw columns; x1, x2, … where they have none."""
    unnamed = (f"x{number}" for number in range(1, model.network.resolved.columns + 1))
    given = data.table.feature_names if data is not None and data.table is not None else ()
    return given or model.feature_names or tuple(unnamed)


def class_names(model: Model) -> tuple[str, ...]:
    """Return the names of the classes; none where the model is not a classifier."""
    if model.labels is None:
        return ()
    are_numbers = model.labels.dtype.kind == "i" and len(model.labels) <= NAMED_CLASSES
    return tuple(f"class {label}" if are_numbers else str(label) for label in model.labels)


def output_names(model: Model) -> tuple[str, ...]:
    """Return the names of the columns of the target; ``target``, or y1, y2, …, where they have none."""
    size = model.network.target_size
    if model.target_names:
        return model.target_names
    return ("target",) if size == 1 else tuple(f"y{number}" for number in range(1, size + 1))


def target_name(model: Model) -> str:
    """Return what the model predicts, in words."""
    name = getattr(model.spec.data, "target", None)
    if isinstance(name, str):
        return name
    return (
        "the class" if model.labels is not None else "the target" if model.network.target_size == 1 else "the targets"
    )


def _images(data: SpecData, *, with_rows: bool) -> Images | None:
    from specnet.findings.data_findings import image_side

    if "test" not in data.splits:
        return None
    columns = data.splits["train"].columns
    side = image_side(columns)
    if side is None:
        return None
    rows = np.asarray(data.splits["test"].columns, np.float64).reshape(-1, side, side)[: None if with_rows else 0]
    return Images(rows, float(np.asarray(columns).max(initial=0)))
