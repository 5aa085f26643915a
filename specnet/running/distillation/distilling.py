"""`distill`: from the folder of a trained ensemble to the run of a small network, trained on its predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from specnet.compiler import UnavailableError
from specnet.data import RawColumns
from specnet.errors import DataError, SpecnetError
from specnet.exporting.row_speed import microseconds_per_row
from specnet.files import PathLike, read_file
from specnet.files.tensors import parse_object
from specnet.model import Model, load_model
from specnet.parts.arrays import as_array
from specnet.parts.part import Part
from specnet.parts.splits import TEST, TRAIN
from specnet.run_files import LARGEST_RECORD, METRICS
from specnet.running.data_rows import read_data
from specnet.running.distillation.student_spec import student_document, teacher_files
from specnet.running.distillation.teacher import Teacher
from specnet.running.runner import RunResult, run
from specnet.spec import Limits, Spec, parse_spec
from specnet.training import Observer


def student_spec(
    teacher: PathLike,
    out: PathLike,
    *,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
) -> Spec:
    """Return the spec of a small network for a teacher, to be run in a folder.

    Parameters are those of `distill`.
    """
    parts = tuple(parts)
    model_path, spec_path = teacher_files(Path(teacher))
    model = load_model(model_path, parts=parts, limits=limits)
    spec = parse_spec(spec_path, parts=parts, limits=limits)
    if spec.data is None:
        hint = "add [data] to it, and train the teacher with `specnet run`"
        raise DataError("the spec of the teacher has no data", hint=hint, source=str(spec_path))
    record = parse_object(read_file(model_path.with_name(METRICS), LARGEST_RECORD), "the record of metrics")
    rows = record.get("rows")
    count = rows.get(TRAIN) if isinstance(rows, dict) else None
    document = student_document(model, model_path, spec, count if isinstance(count, int) else 0, Path(out))
    return parse_spec(document, parts=parts, overrides=overrides, limits=limits)


def distill(
    teacher: PathLike,
    out: PathLike,
    *,
    force: bool = False,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
    threads: int | None = None,
    rows: bool = True,
) -> RunResult:
    """Train one small network on the predictions of a trained ensemble.

    The result is a run with ``training.teacher`` in its spec. Its folder can be resumed, verified and exported like
    that of any other run. ``teacher`` in its ``metrics.json`` compares both.

    Parameters
    ----------
    teacher : path
        Folder of a run with an ensemble on folds, of a sweep with a team, or of the team.
    out : path
        Folder to write.
    force, parts
        As for `run`.
    overrides : iterable of str
        Settings ``KEY=VALUE`` of the student's spec, such as ``training.mixtures=9``.
    limits, observer, verbose, report, threads, rows
        As for `run`.

    Returns
    -------
    RunResult
        As for `run`; ``evaluation["teacher"]`` compares teacher and student.

    Raises
    ------
    FileError
        If `teacher` is another folder.
    SpecError, DataError, TrainingError
        If the teacher has no out-of-fold predictions for the training rows, or was trained on other data, or as for
        `run`.
    """
    spec = student_spec(teacher, out, parts=parts, overrides=overrides, limits=limits)
    options: dict[str, Any] = {"force": force, "observer": observer, "verbose": verbose, "report": report}
    return run(spec, out, threads=threads, rows=rows, **options)


def row_speeds(spec: Spec, student: Model) -> Mapping[str, float | None]:
    """Return the microseconds for a row in the exported C, ``teacher`` and ``student``; None if unknown.

    Parameters
    ----------
    spec : Spec
        Spec of the student.
    student : Model
    """
    data = read_data(spec)
    assert isinstance(data.teacher, Teacher), "the spec has a teacher"
    rows = data.splits.get(TEST, data.splits[TRAIN])
    columns = RawColumns(np.asarray(as_array(rows.columns, "X")), rows.kinds)
    found: dict[str, float | None] = {}
    for name, model in (("teacher", data.teacher.model), ("student", student)):
        try:
            found[name] = microseconds_per_row(model, columns)
        except (SpecnetError, UnavailableError):  # no C compiler, or a part without a form in C
            found[name] = None
    return found
