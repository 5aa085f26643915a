"""A run: the spec's data are read and split, its network is trained and measured, and a folder keeps all of it."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from specnet.data import RowSet, load_table, row_hashes
from specnet.errors import DataError, Diagnostic, Terminated
from specnet.files import PathLike, file_errors
from specnet.files.json_lines import json_lines
from specnet.files.runs import (
    CHECKPOINT,
    FACTS,
    FINDINGS,
    HISTORY,
    LAYERS,
    METRICS,
    MODEL,
    RESOLVED,
    SNAPSHOTS,
    SPEC_FOLDER,
    TRAINING_ROWS,
    spec_folder,
)
from specnet.files.tensors import encode
from specnet.model import Model, load_model
from specnet.parts.part import Part
from specnet.report.findings import Finding, findings
from specnet.report.progress import shown_progress
from specnet.running.evaluation.evaluation import Evaluation, Metrics, evaluate_run
from specnet.running.evidence import run_evidence
from specnet.running.fitting import FitResult, fit_rows
from specnet.running.folder import RunFolder, reserved_folder
from specnet.running.rows import Rows, SpecData, data_hash, parsed_with_target, read_data
from specnet.spec import Limits, Spec, SpecSource, says_its_document, with_engine
from specnet.training import Checkpoint, Observer, RunIdentity, TrainingResult
from specnet.training.interruptions import Interruptions
from specnet.training.observer import check_observer, closing
from specnet.training.record import Look, Snapshots
from specnet.version import __version__


class RunInterrupted(KeyboardInterrupt):
    """A run was interrupted, and its state so far has been saved.

    Attributes
    ----------
    signal : str
        ``Ctrl-C`` or ``SIGTERM``.
    end : str
        How far it came, in words.
    folder : Path
        Where it was written; with a checkpoint to resume from, unless the run had finished.
    finished : bool
    """

    def __init__(self, cause: KeyboardInterrupt, end: str, folder: Path, *, finished: bool) -> None:
        self.signal = "SIGTERM" if isinstance(cause, Terminated) else "Ctrl-C"
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
        The kept model's figures by split and name, ``out_of_fold`` for training rows, each predicted by the member of
        an ensemble that was not trained on it; None for a figure that cannot be told, such as a score of one row.
    evaluation : dict
        What ``metrics.json`` says, as plain data: the metrics, ``rows``, and of the test rows ``baselines``,
        ``tables``, ``intervals`` and ``gains``.
    folder : Path or None
        Where the run was written.
    warnings : tuple of Diagnostic
        What looked suspicious about the training rows, and why there is no report where it could not be written.
    looks : list of dict
        What ``layers.jsonl`` says: the sizes of weights, gradients and steps of each layer, and fractions of dead and
        saturated units, before training, at up to 20 epochs, and at the end; of an ensemble, of its first member.
    snapshots : dict
        What ``snapshots.safetensors`` holds: parameters and layer states by name, by the number of finished epochs;
        empty unless the network has two inputs and at most 10 000 parameters.
    findings : tuple of Finding
        What went wrong, and what to set instead; causes before consequences.
    """

    model: Model
    history: list[dict[str, Any]] = field(repr=False)
    metrics: Metrics
    evaluation: dict[str, Any] = field(repr=False)
    folder: Path | None
    warnings: tuple[Diagnostic, ...] = ()
    looks: list[Look] = field(default_factory=list, repr=False)
    snapshots: Snapshots = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from specnet.report.notebook import run_html

        return run_html(self.model.network.resolved, self.history, self.evaluation, self.findings)


def run(
    spec: SpecSource | Spec,
    out: PathLike | None = None,
    *,
    force: bool = False,
    resume: bool = False,
    jobs: int = 1,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    engine: str | None = None,
    limits: Limits | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
    report: bool = True,
) -> RunResult:
    """Train and evaluate the network of a spec on its own data.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
    out : path, optional
        The folder to write; nothing is written if None.
    force : bool
        Overwrite the files of an earlier run in `out`; other files are kept.
    resume : bool
        Resume from the checkpoint in `out`; start anew if there is no run, and do not train a finished one.
    jobs : int
        Number of members of an ensemble to train at once, each in its own process. The files are the same for any
        number; only the seconds in ``run.json`` differ.
    parts, overrides, limits : optional
        As for `parse_spec`. With several jobs, custom parts must be defined at the top level of a module.
    engine : {"auto", "numpy", "compiled"}, optional
        Overrides ``training.engine``.
    observer : Observer, optional
        Is told of the course of training, and of rows that look as if it made no sense; without one these are a
        `SpecnetWarning`. Several jobs are told of one after the other, and not supported if it overrides ``trained``.
    verbose : bool
        Show the progress on standard error, as the command line does.
    report : bool
        Write ``report.html`` into `out`, once all other files are there. If that fails, the run does not: the observer
        is told, or there is a `SpecnetWarning`.

    Raises
    ------
    SpecError, DataError, TrainingError
        If there is an error in the spec, the data or the training.
    FileError
        If a file cannot be read or written.
    TakenError
        If `out` is not empty and may not be overwritten.
    RunInterrupted
        After Ctrl-C or SIGTERM, in the main thread; what was reached, and a checkpoint, are written to `out` first. It
        is a KeyboardInterrupt, which is raised without `out`.

    Notes
    -----
    While it writes, a run holds a lock in `out` against other runs. After any other error there is nothing in `out`
    that was not there before, but for the last checkpoint.

    The processes of several jobs import the main module: a script must call `run` below ``if __name__ == "__main__":``.
    """
    if resume and (force or out is None):
        raise DataError("resume needs out and cannot be combined with force")
    check_observer(observer)
    parsed = parsed_with_target(spec, load_table, parts=parts, overrides=with_engine(overrides, engine), limits=limits)
    _check_jobs(jobs, parsed, observer)
    with ExitStack() as stack:
        folder = None
        if out is not None:
            folder = stack.enter_context(reserved_folder(out, force=force, resume=resume))
        interruptions = stack.enter_context(Interruptions(terminates=folder is not None))
        observer = stack.enter_context(shown_progress(observer, verbose, calls=3))
        if folder is not None:
            stack.enter_context(_said_before_training(interruptions))
        started = _read(parsed)
        if folder is not None and folder.is_finished(started.identity):
            model = load_model(folder.path / MODEL, parts=parsed.registry, limits=parsed.origin.limits)
            kept = folder.evaluation()
            return RunResult(
                model,
                folder.history(),
                kept.metrics,
                kept.record(),
                folder.path,
                looks=folder.looks(),
                snapshots=folder.snapshots(),
                findings=folder.findings(),
            )
        checkpoint = (
            None if folder is None else folder.checkpoint(started.identity, started.data.resolved.spec.training)
        )
        with closing(observer):
            observer.opened(None if folder is None else folder.path, None if checkpoint is None else checkpoint.history)
            fitted, evaluation, found = _train(started, folder, checkpoint, jobs, observer, interruptions)
            observer.evaluated(evaluation.metrics)
            result, warnings = fitted.result, fitted.result.warnings
            if folder is not None:
                _write(started, folder, checkpoint, fitted, evaluation, found)
                # A run that was interrupted before its first epoch has nothing to show.
                warnings += _report(started, folder, observer) if report and result.history else ()
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
            evaluation.metrics,
            evaluation.record(),
            None if folder is None else folder.path,
            warnings,
            looks=result.looks,
            snapshots=result.snapshots,
            findings=found,
        )


def _check_jobs(jobs: Any, spec: Spec, observer: Observer | None) -> None:
    """Refuse a number of jobs that there cannot be."""
    if not isinstance(jobs, int | np.integer) or isinstance(jobs, bool) or jobs < 1:
        raise DataError(f"jobs must be an integer of at least 1, got {jobs!r}")
    if jobs > 1 and spec.training.ensemble is None:
        message = "several jobs train the members of an ensemble at once, but the spec has only one network"
        raise DataError(message, hint="set training.ensemble to a number of networks, or use one job")
    if jobs > 1 and observer is not None and observer.takes_snapshots:
        message = "an observer that overrides trained is not supported with several jobs"
        raise DataError(message, hint="use jobs=1")


@contextmanager
def _said_before_training(interruptions: Interruptions) -> Iterator[None]:
    """Let an interruption before training begins say that there is nothing to resume."""
    try:
        yield
    except KeyboardInterrupt as cause:
        if not interruptions.begun:
            cause.args = ("training had not begun; nothing was saved",)
        raise


@dataclass(frozen=True)
class _Run:
    """What a run is about, once its data have been read.

    Attributes
    ----------
    parsed : Spec
    data : SpecData
    identity : RunIdentity
    begin : float
        When it began, by `time.perf_counter`.
    versions : dict
        Of the libraries that were there then.
    """

    parsed: Spec
    data: SpecData
    identity: RunIdentity
    begin: float
    versions: dict[str, str]


def _read(parsed: Spec) -> _Run:
    """Read the data of a run."""
    begin, versions = time.perf_counter(), _versions()
    data = read_data(parsed)
    return _Run(parsed, data, RunIdentity(data.resolved.spec.to_json(), data_hash(data.rows)), begin, versions)


def _train(
    started: _Run,
    folder: RunFolder | None,
    checkpoint: Checkpoint | None,
    jobs: int,
    observer: Observer | None,
    interruptions: Interruptions,
) -> tuple[FitResult, Evaluation, tuple[Finding, ...]]:
    """Train a run's network, from a checkpoint on if there is one, measure it on every part of the split, and judge."""

    def keep(reached: Checkpoint) -> None:
        if folder is not None:
            folder.keep(replace(reached, run=started.identity))

    fitted = fit_rows(
        started.data.resolved,
        started.data.labels,
        started.data.preparation,
        started.data.splits,
        observer,
        keep_checkpoint=keep,
        checkpoint=checkpoint,
        jobs=jobs,
        interruptions=interruptions,
        records=True,
        warnings=started.data.warnings,
    )
    evaluation, comparison = evaluate_run(fitted, started.data.splits)
    history, looks = fitted.result.history, fitted.result.looks
    rows = started.data.splits["train"]
    evidence = run_evidence(fitted.encoder, fitted.training, rows, history, looks, comparison)
    return fitted, evaluation, findings(evidence)


def _write(
    started: _Run,
    folder: RunFolder,
    checkpoint: Checkpoint | None,
    fitted: FitResult,
    evaluation: Evaluation,
    found: tuple[Finding, ...],
) -> None:
    """Write what a run has reached into its folder."""
    parsed, model, result = started.parsed, fitted.model, fitted.result
    earlier = 0.0 if checkpoint is None else checkpoint.seconds
    facts = {
        "end": result.end,
        "finished": result.interruption is None,
        "epochs": result.epochs,
        "steps": result.steps,
        "training_seconds": result.seconds,
        "seconds": earlier + time.perf_counter() - started.begin,
        "warnings": [diagnostic.as_dict() for diagnostic in result.warnings],
        "overrides": [override.text.content for override in parsed.document.overrides],
        SPEC_FOLDER: spec_folder(parsed.folder, folder.path),
        "spec_sha256": started.identity.spec_sha256,
        "data_sha256": started.identity.data_sha256,
        "seed": model.spec.seed,
        **result.engine.facts(),
        "versions": started.versions,
        TRAINING_ROWS: _hashes(started.data.splits["train"]).to_data(),
    }
    if started.data.resolved.spec.training.ensemble is not None:
        facts["members"] = [
            {"end": each.end, "epochs": each.epochs, "steps": each.steps, "training_seconds": each.seconds}
            for each in fitted.members
        ]
    with file_errors(folder.path / MODEL):
        content = model.to_bytes()
    facts["model_sha256"] = hashlib.sha256(content).hexdigest()
    contents = {MODEL: content, **_texts(parsed, started.identity.spec, result, evaluation, facts)}
    contents[FINDINGS] = _json({"findings": [each.as_dict() for each in found]})
    if result.snapshots:
        contents[SNAPSHOTS] = encode(result.record.tensors(), "")
    if result.interruption is not None:
        contents[CHECKPOINT] = replace(result.reached, run=started.identity).to_bytes()
    folder.write(contents)


def _report(started: _Run, folder: RunFolder, observer: Observer) -> tuple[Diagnostic, ...]:
    """Write the page of a run, which is complete without it; return what went wrong."""
    from specnet.running.reports import write_report

    return write_report(folder, started.data, started.parsed, observer)


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}
    return {"specnet": __version__, **libraries, "python": platform.python_version()}


def _texts(
    spec: Spec, resolved: str, result: TrainingResult, evaluation: Evaluation, facts: Mapping[str, Any]
) -> dict[str, str | bytes]:
    """Return what is written beside the model, by name of file."""
    document = spec.document
    name, text = "spec.json", spec.to_json()
    if document.text is not None and says_its_document(spec):
        name, text = f"spec.{document.format}", document.text.content
    return {
        name: text,
        RESOLVED: resolved,
        HISTORY: json_lines(result.history),
        METRICS: _json(evaluation.record()),
        LAYERS: json_lines(result.looks),
        FACTS: _json(facts),
    }


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _hashes(rows: Rows) -> RowSet:
    return RowSet.of(row_hashes(rows.columns, rows.texts, rows.y))
