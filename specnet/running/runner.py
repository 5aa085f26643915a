"""The two functions that train: `fit` on arrays returns a model; `run` on a spec's own data writes a run's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data import frame_columns, load_table, split_rows, table_target
from specnet.data.raw_columns import raw_columns
from specnet.data.target_errors import parsed_for_target
from specnet.errors import DataError, Diagnostic, FileError, signal_of
from specnet.files import PathLike
from specnet.files.interruptions import Interruptions
from specnet.files.plain_data import json_text
from specnet.findings import Finding
from specnet.model import Answers, Model
from specnet.parts.arrays import as_array, column_names, select_columns
from specnet.parts.data import ColumnKind, Data, Split, Table
from specnet.parts.part import Part
from specnet.parts.splits import TEST
from specnet.report.terminal.run_progress import shown_progress
from specnet.run_files import EXPECTATIONS, FACTS, MODEL, REPORT, RUN, WITH_ROWS
from specnet.running.data_rows import (
    SpecData,
    check_rows,
    prepare,
    read_data,
    read_target,
    spec_of_arrays,
    split_errors_at,
)
from specnet.running.evaluation.evaluation import explaining
from specnet.running.expectations.judging import check_labels, judge_run
from specnet.running.fitting import FitResult, fit_rows
from specnet.running.run_folder import START_ANEW, RunFolder, reserved
from specnet.running.training_run import RunOutcome, train_run
from specnet.saved.expectations_file import JudgedExpectation
from specnet.saved.metrics_file import Metrics
from specnet.saved.saved_run import SavedRun
from specnet.spec import Limits, Spec, SpecSource, text_saying, with_engine
from specnet.spec.expectations import EXPECT
from specnet.spec.file_paths import input_files
from specnet.training import Observer
from specnet.training.checkpoint import LayerRecord, Snapshots
from specnet.training.observer import check_observer, closing


def fit(
    spec: SpecSource | Spec,
    X: ArrayLike,
    y: ArrayLike,
    validation: tuple[ArrayLike, ...] | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
    engine: str | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
) -> Model:
    """Train the network of a spec on arrays.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
        In its ``data``, ``features`` and ``columns`` select the columns of a data frame, and their kinds. Without
        `validation`, ``split`` selects the validation rows and the folds of an ensemble as ``specnet run`` does, by the
        same ``random_state`` and ``stratify``. There are no test rows: all other rows train. The model's spec has no
        ``data``.
    X : (rows, columns)
        Raw columns. The spec's preprocessing is fitted on them and becomes part of the model, as do the column names of
        a data frame. If the spec names columns, these are selected from the frame, in the spec's order. A data frame of
        pandas or Polars, or an Arrow table, is read like a file with the same table.
    y : (rows,) or (rows, outputs)
        Values, 0 and 1 for several outputs, or labels: integers within 0…K−1 are class indices, otherwise the sorted
        distinct labels are the K classes. One-hot rows are class indices too.
    validation : (X, y) or (X, y, sample_weight), optional
        Validation set; all rows of `X` are then used for training.
    sample_weight : (rows,), optional
        Multiplies each row's loss.
    parts, overrides, limits : optional
        As for `parse_spec`.
    engine : {"auto", "numpy", "compiled"}, optional
        Overrides ``training.engine``.
    observer : Observer, optional
        Follows the training, and receives warnings about rows. Without it, each is a `SpecnetWarning`.
    verbose : bool
        Show the progress on standard error.

    Returns
    -------
    Model
        The trained model, with the history of its training.

    Raises
    ------
    SpecError
        If the spec, or its sizes with these arrays, is invalid.
    DataError
        If the arrays do not fit.
    TrainingError
        If the loss is no longer finite.
    """
    check_observer(observer)
    parsed = parsed_for_target(
        spec,
        lambda parsed: read_target(parsed, as_array(y, "y")),
        parts=parts,
        overrides=with_engine(overrides, engine),
        limits=limits,
    )
    data = parsed.data
    split_by = None if data is None else _split_by(X, data)
    X = select_columns(X, parsed.feature_names)
    located, parsed = parsed, parsed.model_copy(update={"data": None})
    from specnet.parts.data import TableFile  # imports the readers of files

    written: Mapping[str, ColumnKind | None] | None = parsed.network.feature_kinds
    if written is None and isinstance(located.data, TableFile):
        written = located.data.kinds_in(column_names(X) or ())
    frame, warnings = frame_columns(X, written)
    rows = check_rows(X if frame is None else frame, y, sample_weight)
    if data is not None and data.split.group is not None:
        rows = replace(rows, groups=split_by)
    elif data is not None and data.split.time is not None:
        rows = replace(rows, times=split_by)
    parsed = spec_of_arrays(parsed, rows, column_names(X))
    splits = {"train": rows}
    if validation is not None:
        if not isinstance(validation, tuple) or len(validation) not in (2, 3):
            raise DataError("validation must be a tuple (X, y) or (X, y, sample_weight)")
        ensemble = parsed.training.ensemble
        if ensemble is not None and ensemble.validation != "split":
            message = f'validation has no effect with training.ensemble.validation = "{ensemble.validation}"'
            raise DataError(message, hint=ensemble.validated_together())
        columns, kinds = rows.table.shape[1], parsed.network.feature_kinds if rows.kinds else None
        names = column_names(X) if kinds is None else tuple(kinds)
        held_out = raw_columns(validation[0], kinds, columns, names, "validation X")
        splits["validation"] = check_rows(held_out, *validation[1:], columns=columns, prefix="validation ")
    labels, outputs = read_target(parsed, rows.y)
    kind = parsed.target_kind
    split = (Split() if data is None else data.split).with_defaults(parsed.seed, kind)
    if validation is None and ((data is not None and split.validation_fraction) or parsed.training.folds):
        with split_errors_at(located):
            table = Table(rows.table, table_target(rows.y, kind), kind, split_by=split_by)
            splits = rows.split(split_rows(table, split.without_test(), parsed.seed, parsed.training.ensemble))
    made = prepare(parsed, splits, labels, outputs, warnings=warnings)
    with shown_progress(observer, verbose, calls=2) as observer:
        with closing(observer), explaining():
            fitted = fit_rows(made, observer)
        observer.closed(fitted.result.interruption)
    if fitted.result.interruption is not None:
        raise fitted.result.interruption
    fitted.model.background = made.splits["train"].background()
    return fitted.model


def _split_by(X: Any, data: Data) -> NDArray[np.float64] | None:
    """Return the group or the time of each row of a data frame, (rows,); None if the split does not need it."""
    name = data.split.group or data.split.time
    if name is None or name not in (column_names(X) or ()):
        return None
    kind = (data.column_kinds or {}).get(name, "category" if data.split.group is not None else None)
    frame, _ = frame_columns(select_columns(X, (name,)), {name: kind})
    assert frame is not None, "X has named columns"
    return np.nan_to_num(frame.X[:, 0], nan=-1.0)


class RunInterrupted(KeyboardInterrupt):
    """A run was interrupted, and its state so far has been saved.

    Attributes
    ----------
    signal : str
        ``Ctrl-C``, ``SIGTERM`` or ``SIGHUP``.
    end : str
        Description of its progress.
    folder : Path
        Folder of the run; with a checkpoint to resume from, unless the run had finished.
    finished : bool
    """

    def __init__(self, cause: KeyboardInterrupt, end: str, folder: Path, *, finished: bool) -> None:
        self.signal = signal_of(cause)
        self.end, self.folder, self.finished = end, folder, finished
        super().__init__(f"{end}; the state so far is saved in {folder}")


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes
    ----------
    model : Model
    history : list of dict
        A record for each logged epoch.
    metrics : dict
        The model's metrics by split and name. ``out_of_fold`` is for training rows, each predicted by the ensemble
        member that was not trained on it. None for an undefined metric, such as R² of one row.
    evaluation : dict
        The contents of ``metrics.json`` as plain data: the metrics, ``rows``, and for test rows ``baselines``,
        ``tables``, ``intervals`` and ``gains``.
    folder : Path or None
        The folder of the run; None if nothing was saved.
    warnings : tuple of Diagnostic
        Warnings about suspicious training rows, and about a report that could not be written.
    layer_records : list of dict
        The contents of ``layers.jsonl``: sizes of weights, gradients and steps of each layer, and fractions of dead and
        saturated units, before training, at up to 20 epochs, and at the end. For an ensemble, of its first member.
    snapshots : dict
        The contents of ``snapshots.safetensors``: parameters and layer states by name, by the number of finished
        epochs. Empty unless the network has two inputs and at most 10 000 parameters.
    findings : tuple of Finding
        Problems of the run, with settings that solve them; causes before consequences.
    members : list of dict
        ``end``, ``epochs`` and ``training_seconds`` of each member of an ensemble, or of the only network.
    expectations : list of dict
        The contents of ``expectations.json``: the outcome of each expectation of the spec.
    """

    model: Model
    history: list[dict[str, Any]] = field(repr=False)
    metrics: Metrics
    evaluation: dict[str, Any] = field(repr=False)
    folder: Path | None
    warnings: tuple[Diagnostic, ...] = ()
    layer_records: list[LayerRecord] = field(default_factory=list, repr=False)
    snapshots: Snapshots = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()
    members: list[dict[str, Any]] = field(default_factory=list, repr=False)
    expectations: list[JudgedExpectation] = field(default_factory=list)

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows."""
        from specnet.report.notebook import run_html

        return run_html(self.model.network.resolved, self.history, self.evaluation, self.findings)


def run(
    spec: SpecSource | Spec,
    out: PathLike | None = None,
    *,
    force: bool = False,
    resume: bool = False,
    jobs: int | None = None,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
    engine: str | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
    threads: int | None = None,
    rows: bool = True,
    with_rows: bool = False,
) -> RunResult:
    """Train and evaluate the network of a spec on its own data.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
    out : path, optional
        The folder to write; nothing is written if None.
    force : bool
        Overwrite the files of an earlier run in `out`; other files stay.
    resume : bool
        Resume from the checkpoint in `out`; start anew if `out` has no run. A finished run is not trained again, but
        its report is written if it is missing.
    jobs : int, optional
        Number of ensemble members to train in parallel: in threads if they are compiled, otherwise each in a separate
        process. The files are the same for any number; only the seconds in ``run.json`` differ. Default: no processes;
        threads, if they are faster, as many as processors or `threads`.
    parts, overrides, limits : optional
        As for `parse_spec`. In processes, custom parts must be defined at the top level of a module.
    engine : {"auto", "numpy", "compiled"}, optional
        Overrides ``training.engine``.
    observer : Observer, optional
        Follows the training, and receives warnings about rows. Without it, each is a `SpecnetWarning`. It receives the
        epochs of one ensemble member after the other. An observer that overrides ``trained`` does not support several
        jobs.
    verbose : bool
        Show the progress on standard error, as the command line does.
    report : bool
        Write ``report.html`` into `out`, after all other files. If that fails, the run does not fail: the observer
        receives a warning, or a `SpecnetWarning` is issued.
    threads : int, optional
        Number of threads of BLAS and of compiled functions, in the whole process during training and evaluation.
        Default: one for a small network, otherwise their usual number. The last bits of a result depend on it.
    rows : bool
        Store rows: the rows that the page shows one by one, and hashes of the training rows, by which
        `specnet evaluate` recognizes them.
    with_rows : bool
        Store up to 100 training rows in the file of the model in `out` too, as `Model.save` does: `contributions` then
        needs nothing but the file, and everyone who has it can read these rows.

    Returns
    -------
    RunResult
        The model, its history and its metrics on every split.

    Raises
    ------
    SpecError, DataError, TrainingError
        If there is an error in the spec, the data or the training.
    FileError
        If a file cannot be read or written.
    TakenError
        If `out` is not empty and may not be overwritten.
    RunInterrupted
        After Ctrl-C, SIGTERM or SIGHUP, in the main thread; the results so far and a checkpoint are written to `out`
        first. Without `out`, a plain KeyboardInterrupt is raised.

    Notes
    -----
    A run locks `out` against other runs. After any other error, `out` has no new files except the last checkpoint.

    The processes of several jobs import the main module: a script must call `run` below ``if __name__ == "__main__":``.
    """
    check_resume(out, force=force, resume=resume)
    if with_rows and (out is None or not rows):
        raise DataError("with_rows needs out and cannot be combined with rows=False")
    check_observer(observer)
    parsed = parsed_for_target(spec, load_table, parts=parts, overrides=with_engine(overrides, engine), limits=limits)
    check_count("threads", threads)
    check_jobs(jobs, parsed, observer)
    return run_data(parsed, None, out, force, resume, jobs, observer, verbose, report, threads, rows, with_rows)


def run_data(
    parsed: Spec,
    data: SpecData | None,
    out: PathLike | None,
    force: bool = False,
    resume: bool = False,
    jobs: int | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
    threads: int | None = None,
    rows: bool = True,
    with_rows: bool = False,
) -> RunResult:
    """Run a parsed spec, as `run` does, on its data; the data are read and split if None."""
    with ExitStack() as stack:
        folder = None
        if out is not None:
            path = stack.enter_context(reserved(out, RUN, (), input_files(parsed), force=force, resume=resume))
            folder = RunFolder(path, resumes=resume)
        interruptions = stack.enter_context(Interruptions(terminates=folder is not None))
        observer = stack.enter_context(shown_progress(observer, verbose, calls=4))
        if folder is not None:
            stack.enter_context(_nothing_saved_before_training(interruptions))
        begin = time.perf_counter()
        data = read_data(parsed) if data is None else data
        identity = data.identity()
        if folder is not None and folder.is_finished(identity):
            # The page may be missing because of --no-report, or because it was deleted.
            run = SavedRun(folder.path, parts=parsed.registry.added, limits=parsed.origin.limits)
            if with_rows and not run.facts.get(WITH_ROWS):
                message = f"the run in this folder has finished, and its {MODEL} has no rows"
                raise FileError(message, hint=START_ANEW, source=str(folder.path))
            language, text = text_saying(parsed)
            judge_again(folder, parsed, run, data, {f"spec.{language}": text})  # removes a page with other expectations
            is_missing = report and not (folder.path / REPORT).exists()
            return _finished(run, _report(run, data, observer) if is_missing else ())
        checkpoint = None
        if folder is not None:
            checkpoint = folder.checkpoint(identity, data.resolved.spec)
        with closing(observer):
            observer.opened(None if folder is None else folder.path, None if checkpoint is None else checkpoint.history)
            outcome, fitted = train_run(
                parsed,
                data,
                identity,
                observer,
                begin=begin,
                folder=None if folder is None else folder.path,
                rows=rows,
                with_rows=with_rows,
                keep_checkpoint=folder and partial(folder.keep, identity),
                checkpoint=checkpoint,
                jobs=jobs,
                threads=threads,
                interruptions=interruptions,
            )
            observer.evaluated(outcome.metrics)
            result, warnings = fitted.result, outcome.warnings
            if folder is not None:
                saved = _write(folder, parsed, outcome, fitted)
                outcome = replace(outcome, files={})  # dropped: as large as the model
                # A run that was interrupted before its first epoch has no page.
                warnings += (
                    _report(saved, data, observer, outcome.answers.get(TEST)) if report and result.history else ()
                )
        observer.closed(result.interruption)
        try:
            if result.interruption is not None:
                raise result.interruption
            if folder is not None:
                interruptions.deliver()
        except KeyboardInterrupt as cause:
            if folder is None:
                raise
            raise RunInterrupted(cause, result.end, folder.path, finished=result.interruption is None) from None
        return RunResult(
            fitted.model,
            result.history,
            outcome.metrics,
            outcome.evaluation.record(),
            None if folder is None else folder.path,
            warnings,
            layer_records=result.layer_records,
            snapshots=result.snapshots,
            findings=outcome.judgement.findings,
            members=[
                {"end": each.end, "epochs": each.epochs, "training_seconds": each.seconds} for each in fitted.members
            ],
            expectations=outcome.expectations,
        )


def _finished(run: SavedRun, warnings: tuple[Diagnostic, ...]) -> RunResult:
    """Return the result of a finished run from its folder."""
    evaluation, kinds = run.evaluation, {"end": str, "epochs": int, "training_seconds": int | float}
    return RunResult(
        run.model,
        [*map(dict, run.history)],
        evaluation.metrics,
        evaluation.record(),
        run.path,
        warnings,
        layer_records=[*run.layer_records],
        snapshots=run.snapshots,
        findings=run.findings,
        members=[{name: each[name] for name in kinds} for each in run.checked_members(**kinds)],
        expectations=[*run.expectations],
    )


def judge_again(folder: RunFolder, parsed: Spec, run: SavedRun, data: SpecData, written: Mapping[str, str]) -> None:
    """Judge a finished run by a spec's expectations; if an outcome is new, write them and remove the run's page.

    Parameters
    ----------
    folder : RunFolder
    parsed : Spec
    run : SavedRun
        The run in the folder; its expectations are replaced.
    data : SpecData
        The data of the spec.
    written : mapping
        The spec's text by the name of its file, which is written too.
    """
    known = run.expectations
    if not parsed.expect and not known:
        return
    check_labels(parsed, data)
    found: list[JudgedExpectation] = []
    if parsed.expect:
        test = data.splits.get(TEST)
        answers = None if test is None else run.model.answers(test.raw, test.y, test.weight)
        gains = run.evaluation.deciding, run.evaluation.gains
        found = judge_run(parsed, run.model, data, answers, gains)
    if found != known:
        folder.rewrite({**written, EXPECTATIONS: json_text({EXPECT: found}) if found else "", REPORT: ""})
        run.expectations = found


def check_resume(out: PathLike | None, *, force: bool, resume: bool) -> None:
    """Check that `resume` has a folder and is not combined with `force`.

    Raises
    ------
    DataError
        If `resume` is set without `out` or with `force`.
    """
    if resume and (force or out is None):
        raise DataError("resume needs out and cannot be combined with force")


def check_count(name: str, count: Any) -> None:
    """Check that an argument is None or an integer of at least 1.

    Raises
    ------
    DataError
        If it is anything else.
    """
    if count is not None and (not isinstance(count, int | np.integer) or isinstance(count, bool) or count < 1):
        raise DataError(f"{name} must be an integer of at least 1, got {count!r}")


def check_jobs(jobs: int | None, spec: Spec, observer: Observer | None) -> None:
    """Raise DataError if the number of jobs is invalid, or if spec or observer do not support several jobs."""
    check_count("jobs", jobs)
    jobs = jobs or 1
    if jobs > 1 and spec.training.ensemble is None:
        message = "several jobs train the members of an ensemble at once, but the spec has only one network"
        raise DataError(message, hint="set training.ensemble = 5, or use one job (--jobs 1)")
    if jobs > 1 and observer is not None and observer.takes_snapshots:
        message = "an observer that overrides trained is not supported with several jobs"
        raise DataError(message, hint="use jobs=1")


@contextmanager
def _nothing_saved_before_training(interruptions: Interruptions) -> Iterator[None]:
    """Set the message of an interruption before training begins: nothing was saved."""
    try:
        yield
    except KeyboardInterrupt as cause:
        if not interruptions.begun:
            cause.args = ("training had not begun; nothing was saved",)
        raise


def _write(folder: RunFolder, parsed: Spec, outcome: RunOutcome, fitted: FitResult) -> SavedRun:
    """Write the files of a run into its folder, and return the saved run with attributes from memory."""
    result, (language, text) = fitted.result, text_saying(parsed)
    folder.write({f"spec.{language}": text, **outcome.files})
    run = SavedRun(folder.path, parts=parsed.registry.added, limits=parsed.origin.limits)
    run.facts, run.spec, run.written_text = json.loads(outcome.files[FACTS]), fitted.data.resolved.spec, text
    run.model, run.evaluation, run.judgement = fitted.model, outcome.evaluation, outcome.judgement
    run.history, run.layer_records, run.snapshots = result.history, result.layer_records, result.snapshots
    # If the spec was not read from such a file (standard input, a mapping), its errors name the file in the folder.
    source = parsed.document.text
    if source is not None and source.content == text and Path(source.name).suffix == f".{language}":
        run.given = parsed
    return run


def _report(
    run: SavedRun, data: SpecData, observer: Observer, answers: Answers | None = None
) -> tuple[Diagnostic, ...]:
    """Write the page of a run that is otherwise complete; return the warnings if that fails."""
    from specnet.running.folder_pages import write_report

    return write_report(run, data, observer, answers)
