"""The page (``report.html``) of each kind of folder, from its files and its rows, in memory or read again.

A page is the same whenever it is made. `write_report` is for a run that has just ended, `page_again` for any folder.
"""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import load_table
from specnet.errors import Diagnostic, FileError, SpecnetError, is_memory_shortage, out_of_memory
from specnet.files import PathLike, file_errors, write_file
from specnet.files.locks import locked_folder
from specnet.model import Answers, Model
from specnet.parts.metrics import Metric, metric_of
from specnet.parts.part import Part
from specnet.parts.splits import TEST, TRAIN, VALIDATION
from specnet.report.pages.headline import UNPAIRED
from specnet.report.pages.model_answers import ModelAnswers
from specnet.report.plane_story import Plane
from specnet.run_files import BEST, REPORT, RUN, SWEEP, TEAM_OF_SWEEP, check_run, kind_of, resume_hint
from specnet.running.calibration import with_temperature
from specnet.running.data_rows import Rows, SpecData, data_hash, split_data
from specnet.running.evaluation.failures import column_names
from specnet.running.explanations import permutation_importance, responses_of
from specnet.running.panel.contents import panel_of
from specnet.running.panel.failing_rows import least_sure_of, mistakes_of
from specnet.saved.saved_run import SavedRun
from specnet.spec import Limits
from specnet.training import Observer

if TYPE_CHECKING:
    from specnet.saved.saved_sweep import SavedSweep


def write_report(
    run: SavedRun, data: SpecData, observer: Observer, answers: Answers | None = None
) -> tuple[Diagnostic, ...]:
    """Write the page of a run that has just written its folder; return a warning, also to the observer, if that fails.

    Parameters
    ----------
    run : SavedRun
        Run whose folder is locked by this process.
    data : SpecData
        Data of the run, so that they are not read again.
    observer : Observer
    answers : Answers, optional
        Answers of the model for test rows, if just computed.
    """
    failures = attempted(lambda _: _write(run, data, answers), run.path)
    if failures:
        observer.warned(failures)
    return failures


def attempted(write: Callable[[Path], object], folder: Path) -> tuple[Diagnostic, ...]:
    """Write the page of a folder that is otherwise complete; return a warning instead of raising an error.

    Parameters
    ----------
    write : callable
        Function of the folder that writes the page.
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
    """Remove the page of a folder, before files are written that the page does not show.

    Raises
    ------
    FileError
        If it cannot be removed.
    """
    with file_errors(folder / REPORT):
        (folder / REPORT).unlink(missing_ok=True)


def _write(run: SavedRun, data: SpecData | str, answers: Answers | None = None, *, with_rows: bool = True) -> None:
    from specnet.report.pages.run_page import page

    shown = answers_shown(run, data, answers, with_rows=with_rows)
    write_file(run.path / REPORT, page(run, shown).encode())


def _failure(error: Exception, folder: Path) -> Diagnostic:
    """Return the warning that the page of a run could not be written."""
    if is_memory_shortage(error):
        error = out_of_memory()
    if isinstance(error, SpecnetError):
        cause, hint = error.diagnostics[0].message, f"try again with `{shlex.join(['specnet', 'report', str(folder)])}`"
    else:
        cause, hint = f"{type(error).__name__}: {error}", "this is a bug in specnet; the run itself is complete"
    return Diagnostic("report", f"the report could not be written: {cause}", source=str(folder / REPORT), hint=hint)


def answers_shown(
    run: SavedRun, data: SpecData | str, answers: Answers | None = None, *, with_rows: bool = True
) -> ModelAnswers:
    """Return the model's answers as the page of a run shows them, the same at the end of the run and later.

    Parameters
    ----------
    run : SavedRun
    data : SpecData or str
        The rows of the run, or a sentence with the reason why they cannot be read again.
    answers : Answers, optional
        Answers of the model for test rows, if just computed.
    with_rows : bool
        Whether the page shows rows one by one: to ask about, as points, and as pictures. A run without rows has none.
    """
    model, with_rows = run.model, with_rows and run.stores_rows
    shown = model_answers(model, data, answers, with_rows=with_rows)
    if isinstance(data, str):
        return shown
    test, temperature = data.splits.get("test"), run.evaluation.calibration.get("temperature")
    before = with_temperature(model, 1 / temperature) if isinstance(temperature, float) and temperature != 1 else None
    shown = replace(shown, images=_images(data, with_rows=with_rows))
    return replace(
        _with_failing_rows(shown, data, with_rows=with_rows),
        uncalibrated=None if test is None or before is None else _answers(before, test),
        panel=panel_of(shown, data, with_rows=with_rows),
        plane=_plane(shown, data) if with_rows else None,
    )


def _with_failing_rows(shown: ModelAnswers, data: SpecData, *, with_rows: bool) -> ModelAnswers:
    if not with_rows:
        return shown
    return replace(shown, mistakes=mistakes_of(shown, data), least_sure=least_sure_of(shown, data))


def model_answers(
    model: Model, data: SpecData | str, answers: Answers | None = None, *, with_rows: bool
) -> ModelAnswers:
    """Return the answers of a run's or a team's model as a page shows them.

    Parameters
    ----------
    model : Model
    data, answers, with_rows
        As for `answers_shown`.
    """
    columns = column_names(model, data)
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
    """Return the data of a run, or a sentence with the reason why they cannot be read again."""
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
    return model.answers(rows.raw, rows.y, rows.weight)


def _plane(shown: ModelAnswers, data: SpecData) -> Plane | None:
    """Return the model as a function of its two columns, with rows as points; None unless it can be drawn so.

    The model must have two columns, both of numbers, and one target. Of an ensemble, the first member is drawn.
    Validation and test rows are marked as unseen.
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
    from specnet.findings.data_findings import image_width

    if "test" not in data.splits:
        return None
    columns = data.splits["train"].columns
    width = image_width(columns)
    if width is None:
        return None
    rows = np.asarray(data.splits["test"].columns, np.float64).reshape(-1, width, width)[: None if with_rows else 0]
    return rows / (float(np.asarray(columns).max(initial=0)) or 1.0)


def page_again(
    folder: PathLike, *, parts: Iterable[type[Part]] = (), limits: Limits | None = None, with_rows: bool = True
) -> Path:
    """Write the page of a folder anew and return its path; it is the same as before, byte for byte.

    For a run, the rows are made or read again by its spec. If they are missing or have changed, the page has a notice
    and omits the sections that need them.

    Parameters
    ----------
    folder : path
        Folder of a run, of runs on folds or with seeds, of a sweep, of its team, or of a sweep for each fold.
    parts, limits : optional
        As for `load_model`.
    with_rows : bool
        Whether the page of a run shows rows one by one: to ask about, as points, and as pictures. A run without rows
        has none.

    Raises
    ------
    FileError
        If it is none of these, or one of its files is damaged or missing.
    TakenError
        If another process is writing to the folder.
    """
    path = Path(folder)
    kind = kind_of(path)
    if kind is None:
        check_run(folder)
    with locked_folder(path):
        if kind is TEAM_OF_SWEEP:
            return write_team_report(path.absolute(), parts=tuple(parts), limits=limits)
        if kind is not RUN:
            return write_page(path)
        run = SavedRun(path, parts=parts, limits=limits)
        if not run.history:
            message = "the run was interrupted before its first epoch"
            raise FileError(message, hint=resume_hint(path), source=os.fspath(path))
        _write(run, rows_again(run), with_rows=with_rows)
    return path / REPORT


def write_page(folder: Path) -> Path:
    """Write the HTML page about the runs in a folder, and return its path.

    This process must hold the lock of the folder.

    Raises
    ------
    FileError
        If a file cannot be read, or the page cannot be written.
    """
    # Imported late: the page of a run does not need these modules.
    from specnet.report.pages.series_page import series_page
    from specnet.report.pages.sweep_page import sweep_page
    from specnet.saved.saved_series import SavedSeries
    from specnet.saved.saved_sweep import SavedSweep

    page = sweep_page(SavedSweep(folder)) if kind_of(folder) is SWEEP else series_page(SavedSeries(folder))
    write_file(folder / REPORT, page.encode())
    return folder / REPORT


def _beside_baselines(team: Mapping[str, Any], sweep: SavedSweep, metrics: Sequence[Metric]) -> dict[str, Any]:
    """Return the evaluation of a team with the simpler predictors of the best trial's run, on the same test rows.

    They are left out if losses of the run have another unit than those of the team. The interval of a gain over them
    is from the intervals of both (Zou and Donner 2008), since rows are not saved. It is too wide, since easy rows are
    easy for both.
    """
    evaluation = sweep.evaluation
    if sweep.has_other_loss or TEST not in team or "baseline_intervals" not in evaluation:
        return dict(team)
    better = {each.type: each.larger_is_better for each in metrics}
    gains: dict[str, dict[str, Any]] = {}
    for baseline, intervals in evaluation["baseline_intervals"].items():
        for name, its in intervals.items():
            own = team.get("intervals", {}).get(TEST, {}).get(name)
            values = team[TEST].get(name), evaluation["baselines"][baseline][TEST].get(name)
            if own and its and None not in values:
                gain = _unpaired(values, (own, its))
                if not better.get(metric_of(name, better) or ""):
                    gain = {"value": -gain["value"], "low": -gain["high"], "high": -gain["low"]}
                gains.setdefault(baseline, {})[name] = gain | {"method": UNPAIRED}
    return {**team, **{key: evaluation[key] for key in ("baselines", "baseline_intervals")}, "gains": gains}


def _unpaired(values: Sequence[float], intervals: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the difference of two figures, with an interval from those of both."""
    (first, second), (own, its) = values, intervals
    difference = first - second
    below = math.hypot(first - own["low"], its["high"] - second)
    above = math.hypot(own["high"] - first, second - its["low"])
    return {"value": difference, "low": difference - below, "high": difference + above}


def write_team_report(
    folder: Path,
    *,
    parts: Iterable[type[Part]] = (),
    limits: Limits | None = None,
    model: Model | None = None,
    data: SpecData | None = None,
) -> Path:
    """Write the page of a team, and return its path.

    The rows are read again by the spec of the best trial's run, unless `data` is given.

    Parameters
    ----------
    folder : Path
        Folder of the team.
    parts, limits : optional
        As for `load_model`.
    model : Model, optional
        Model of the team, if in memory.
    data : SpecData, optional
        Rows of the best trial's run, if in memory.

    Raises
    ------
    FileError
        If a file cannot be read, or the page cannot be written.
    """
    from specnet.report.pages.run_page import team_page
    from specnet.saved.saved_sweep import SavedSweep, read_shares

    if kind_of(folder.parent) is not SWEEP:
        raise FileError("the page cannot be made: the team is not in the folder of its sweep", source=str(folder))
    best = SavedRun(folder.parent / BEST, parts=parts, limits=limits)
    team = SavedRun(folder, parts=parts, limits=limits)
    if model is not None:
        team.model = model
    rows = rows_again(best) if data is None else data
    shown = model_answers(team.model, rows, with_rows=best.stores_rows)
    if not isinstance(rows, str):
        shown = _with_failing_rows(shown, rows, with_rows=best.stores_rows)
        trials = [f"trial {int(trial)}" for trial in read_shares(folder)]
        several = trials if len(trials) > 1 else ()  # a single trial predicts what the team does
        shown = replace(shown, panel=panel_of(shown, rows, with_rows=best.stores_rows, trials=several))
    sweep = SavedSweep(folder.parent, parts=parts, limits=limits)
    evaluation = _beside_baselines(team.evaluation.record(), sweep, team.model.spec.training.metrics)
    text = team_page(shown, evaluation, read_shares(folder), f"../best{best.written.suffix}", team.expectations)
    write_file(folder / REPORT, text.encode())
    return folder / REPORT
