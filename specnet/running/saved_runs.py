"""Runs as their folders keep them, for tables, comparisons and pages: found, read, and their specs.

A broken one is told as such in a table, and is no error there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specnet.errors import FileError, SpecError, SpecnetError
from specnet.files import PathLike, file_errors, is_temporary
from specnet.files.locks import LOCK_NAME
from specnet.files.run_files import (
    BEST,
    NESTED,
    RESOLVED,
    RUN,
    SERIES,
    SWEEP,
    TRIALS_TABLE,
    UNFINISHED,
    FolderKind,
    by_numbers,
    check_run,
    holds_trials,
    kind_of,
    parts_of,
    written_spec,
)
from specnet.model import load_model, models_of
from specnet.number_texts import count, counted
from specnet.parts.part import Part
from specnet.report.terminal.run_table import FINISHED, RunRecord, loss_in_words
from specnet.running.data_rows import read_data
from specnet.running.many.series_folder import read_runs, read_summary
from specnet.running.many.summary import read_csv
from specnet.running.run_folder import RunFolder
from specnet.running.sweeps.sweep_folder import read_facts
from specnet.spec import Limits, Resolved, Spec, parse_spec, resolve
from specnet.spec.resolving.resolve import partly_resolved
from specnet.spec.resolving.sizes import Given

DEEPEST = 3
"""Folders below the one that is searched: ``runs/<name>/<number>`` from the folder of ``runs`` on."""


def find_runs(folder: PathLike) -> list[Path]:
    """Return the folders of runs in a folder and those below it, in the order of their names, numbers by size.

    A sweep counts as one, and so do runs on folds or with seeds unless their folder is the one that is searched. Links
    to folders are not followed.

    Raises
    ------
    FileError
        If there is no such folder.
    """
    top = Path(folder)
    with file_errors(top):
        if not top.is_dir():
            message = "is a file; expected a folder of runs" if top.exists() else "no such folder"
            raise FileError(message, source=str(top))
        os.listdir(top)  # which may not be allowed
    found = _runs_in(top, DEEPEST) if kind_of(top) in (SERIES, NESTED) else _runs_below(top, DEEPEST)
    return sorted(found, key=lambda run: by_numbers(run.relative_to(top).as_posix()))


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder if it is a run or several, else those that are below it."""
    try:
        names = set(os.listdir(folder))
    except OSError:
        return
    if kind_of(folder) in _RECORDS or names & {*UNFINISHED, LOCK_NAME}:
        yield folder
    elif depth and not holds_trials(folder):
        yield from _runs_in(folder, depth)


def _runs_in(folder: Path, depth: int) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False) and not is_temporary(entry.name):
            yield from _runs_below(folder / entry.name, depth - 1)


def read_record(folder: Path, name: str | None = None) -> RunRecord:
    """Return what the folder of a run, of runs on folds or with seeds, or of a sweep says, whatever is in it."""
    name = str(folder) if name is None else name
    read = _RECORDS.get(kind_of(folder))
    if read is None:
        return RunRecord(name, "unfinished")
    try:
        return read(folder, name)
    except (SpecnetError, OSError) as error:
        return RunRecord(name, "broken", _problem(error, folder))


def run_record(folder: Path, name: str | None = None) -> RunRecord:
    """Return what the folder of a run says.

    Raises
    ------
    FileError
        If a file of it cannot be read.
    """
    run = RunFolder(folder)
    facts = run.facts()
    epochs, sha256 = facts.get("epochs"), facts.get("data_sha256")
    return RunRecord(
        str(folder) if name is None else name,
        "finished" if facts["finished"] else "interrupted",
        metrics=run.evaluation().metrics,
        seconds=_number(facts.get("training_seconds")),
        epochs=epochs if isinstance(epochs, int) and not isinstance(epochs, bool) else None,
        findings=tuple(finding.code for finding in run.judgement().findings),
        data_sha256=sha256 if isinstance(sha256, str) else None,
        loss=loss_in_words(run.spec()),
    )


def runs_for(folder: Path) -> list[Path]:
    """Return the runs for which a folder stands: itself, those on folds or with seeds, or the best one of a sweep.

    Raises
    ------
    FileError
        If it is one of folds or seeds, and none of them has finished.
    """
    kind = kind_of(folder)
    if kind is SWEEP:
        return [folder / BEST]
    if kind is not SERIES and kind is not NESTED:
        return [folder]
    runs = [path / BEST if kind is NESTED else path for path in parts_of(folder, kind)]
    found = [run for run in runs if kind_of(run) is RUN]
    if not found:
        raise FileError("none of the runs in this folder has finished", source=str(folder))
    return found


def _sweep_record(folder: Path, name: str) -> RunRecord:
    """Return what a sweep has come to: the metrics of the run of its best trial, and the seconds of all trials."""
    facts, path = read_facts(folder), folder / TRIALS_TABLE
    trials, seconds = 0, 0.0
    if path.is_file():
        each = read_csv(path, "table of trials", lambda row: float(row["seconds"]))
        trials, seconds = len(each), sum(each)
    if facts.get("finished") is True and kind_of(folder / BEST) is RUN:
        return replace(run_record(folder / BEST, name), seconds=seconds, epochs=None, trials=trials)
    return RunRecord(name, "unfinished", seconds=seconds, trials=trials)


def _series_record(folder: Path, name: str) -> RunRecord:
    """Return what runs on folds or with seeds, or a sweep on each fold, come to: means, and the seconds of all."""
    found = [read_record(run, run.name) for run in find_runs(folder)]
    runs = read_runs(folder) if kind_of(folder) is SERIES else found
    summary = read_summary(folder, runs)
    others = [run.state for run in (*runs, *found) if run.state != FINISHED]
    state, message = (others[0], f"{count(len(others))} of {counted(len(runs), 'run')}") if others else (FINISHED, "")
    if (folder / LOCK_NAME).is_file():
        state, message = "unfinished", ""
    return RunRecord(
        name,
        state,
        message,
        {split: {each: said["mean"] for each, said in names.items()} for split, names in summary.items()},
        seconds=sum(known) if (known := [run.seconds for run in found if run.seconds is not None]) else None,
        findings=tuple(dict.fromkeys(code for run in found for code in run.findings)),
        runs=len(runs),
        loss=losses.pop() if len(losses := {run.loss for run in found}) == 1 else "",
        deviations={split: {each: said["std"] for each, said in names.items()} for split, names in summary.items()},
    )


_RECORDS: dict[FolderKind | None, Callable[[Path, str], RunRecord]] = {
    RUN: run_record,
    SWEEP: _sweep_record,
    SERIES: _series_record,
    NESTED: _series_record,
}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if is_number and math.isfinite(value) else None
    except OverflowError:  # an integer of hundreds of digits
        return None


def _problem(error: Exception, folder: Path) -> str:
    if not isinstance(error, SpecnetError):
        return str(error)
    diagnostic = error.diagnostics[0]
    file = Path(diagnostic.source).name if diagnostic.source else ""
    return f"{file}: {diagnostic.message}" if file and file != folder.name else diagnostic.message


def resolved_with_data(spec: Spec) -> Resolved:
    """Return a spec with its sizes; the data are read only if the sizes depend on them.

    Raises
    ------
    SpecError, DataError, FileError
        If a size is not known, or the data cannot be read.
    """
    try:
        return resolve(spec)
    except SpecError as error:
        if spec.data is None or any(diagnostic.code != "unknown-size" for diagnostic in error.diagnostics):
            raise
    return read_data(spec).resolved


def given_spec(
    folder: Path,
    overrides: Sequence[str] = (),
    limits: Limits | None = None,
    *,
    parts: Iterable[type[Part]] = (),
) -> Spec | None:
    """Return the spec that a run was given, with the settings of its command line and others; None if there is none.

    Raises
    ------
    SpecError, FileError
        If it, or ``run.json``, cannot be read.
    """
    written = written_spec(folder)
    if written is None or kind_of(folder) is not RUN:
        return None
    settings = [*RunFolder(folder).overrides(), *overrides]
    return parse_spec(written, overrides=settings, parts=parts, limits=limits)


def resolved_spec(folder: Path, limits: Limits | None = None, *, parts: Iterable[type[Part]] = ()) -> Spec:
    """Return the resolved spec of a run.

    Raises
    ------
    SpecError, FileError
        If it cannot be read.
    """
    return parse_spec(folder / RESOLVED, parts=parts, limits=limits)


@dataclass(frozen=True)
class Side:
    """One of two that are compared.

    Attributes
    ----------
    spec : Spec
    is_resolved : bool
        Whether it is known what the data say.
    record : RunRecord or None
        Of a run.
    networks : sequence of (Spec, int)
        The specs of the networks of a team with their shares; empty for what is no team.
    """

    spec: Spec
    is_resolved: bool = False
    record: RunRecord | None = None
    networks: Sequence[tuple[Spec, int]] = ()

    @property
    def data_sha256(self) -> str | None:
        """The hash of a run's data."""
        return None if self.record is None else self.record.data_sha256


def side_of_run(folder: Path, limits: Limits | None = None) -> Side:
    """Return what the folder of a run says.

    Raises
    ------
    SpecError, FileError
        If it is not the folder of a run, or a file of it cannot be read.
    """
    return Side(resolved_spec(folder, limits), True, run_record(folder))


def side_of_model(path: PathLike, limits: Limits | None = None) -> Side:
    """Return what a model file says.

    Raises
    ------
    SpecError, FileError
        If it is not a model.
    """
    model = load_model(path, limits=limits)
    models = models_of(model)
    networks = [(each.spec, share) for each, share in models] if len(models) > 1 else ()
    return Side(model.spec, True, networks=networks)


def resolved_sides(first: Side, second: Side) -> tuple[Side, Side]:
    """Return both sides with resolved specs; those of two specs keep what they search, which no run has.

    Data are read where a spec depends on them, but not where both have the same data and nothing else is unknown.

    Raises
    ------
    SpecError, DataError, FileError
        If the data cannot be read.
    """
    sides = first, second
    if first.is_resolved or second.is_resolved:
        before, after = (side if side.is_resolved else replace(side, spec=_with_data(side.spec)) for side in sides)
        return before, after
    is_same = first.spec.data == second.spec.data and first.spec.folder == second.spec.folder
    partly = [partly_resolved(side.spec, Given()) for side in sides] if is_same else []
    is_known = bool(partly) and all(each.inputs and each.outputs for each in partly)
    specs = [each.spec for each in partly] if is_known else [_with_data(side.spec) for side in sides]
    before, after = (
        replace(side, spec=spec.model_copy(update={"sweep": side.spec.sweep}))
        for side, spec in zip(sides, specs, strict=True)
    )
    return before, after


def _with_data(spec: Spec) -> Spec:
    """Return a resolved spec with all that reading its data tells, if there is more than its fields say."""
    if spec.data is None or spec.data.row_count is not None:
        return resolved_with_data(spec).spec
    return read_data(spec).resolved.spec


def compared_run(folder: Path, limits: Limits | None = None) -> RunRecord:
    """Return what the folder of a run says.

    Raises
    ------
    SpecError, FileError
        If it is not the folder of a run, or a file of it cannot be read.
    """
    check_run(folder)
    run = RunFolder(folder)
    record, history = run_record(folder), run.history()
    if not history:
        raise FileError("the history of the run is empty", source=str(folder))
    return replace(record, spec=resolved_spec(folder, limits), history=history)
