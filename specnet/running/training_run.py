"""From split rows to the outcome of a run: its network is trained and evaluated, and its files are made in memory.

This module reads and writes nothing: the caller has the rows and writes the files. The facts in ``run.json`` record
what exact results depend on besides the spec and the data: libraries, their threads and the processor.
"""

from __future__ import annotations

import hashlib
import platform
import time
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.compiler.native.toolchain.compilers import compiler_name
from specnet.compiler.thread_limits import available_threads, limited_threads
from specnet.data.row_hashes import RowSet, row_hashes
from specnet.errors import Diagnostic
from specnet.files import file_errors
from specnet.files.plain_data import json_lines, json_text
from specnet.files.tensors import encode
from specnet.findings import Judgement
from specnet.model import Answers
from specnet.model.background import background_tensors
from specnet.parts.splits import TEST
from specnet.run_files import (
    BACKGROUND,
    CHECKPOINT,
    EXPECTATIONS,
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
    WITH_ROWS,
    spec_folder,
)
from specnet.running.data_rows import SpecData
from specnet.running.evaluation.evaluation import evaluate_run, explaining
from specnet.running.expectations.judging import check_labels, judge_run
from specnet.running.fitting import FitResult, fit_rows
from specnet.saved.expectations_file import JudgedExpectation
from specnet.saved.metrics_file import Evaluation, Metrics
from specnet.spec import Spec
from specnet.spec.expectations import EXPECT
from specnet.training import Checkpoint, Observer, RunIdentity, TrainingResult
from specnet.training.steps.engine_choice import threads_worth
from specnet.version import __version__

if TYPE_CHECKING:
    from specnet.saved.saved_sweep import RungLosses, State


THREADS, BLAS, CPU_FEATURES = "threads", "blas", "cpu_features"
"""Keys of the result of `machine_facts`."""
COMPILER = "compiler"
"""The key in a run's facts for the result of `compiler_facts`; null if nothing was compiled."""


def library_versions() -> dict[str, str]:
    """Return the versions of specnet, Python and the libraries that a run's results depend on."""
    return {"specnet": __version__, **_installed_versions(), "python": platform.python_version()}


def machine_facts() -> dict[str, Any]:
    """Return the number of BLAS threads, NumPy's BLAS (name, version, architecture), and the CPU features it uses.

    Two processes with equal facts and the same versions of libraries give the same bits.
    """
    blas = _blas()
    return {
        THREADS: blas and blas.num_threads,
        BLAS: {
            "name": blas and blas.internal_api,
            "version": blas and blas.version,
            "architecture": getattr(blas, "architecture", None),
        },
        CPU_FEATURES: _cpu_features(),
    }


def compiler_facts() -> dict[str, str | None]:
    """Return the name and version of the C compiler, and the kind of CPU that it compiles for."""
    from specnet.compiler.native.toolchain.processors import native_processor

    return {"name": compiler_name(), "target": native_processor().name}


# Cached: loaded libraries do not change in a process, and a search takes milliseconds, which matters for short runs.
@cache
def _installed_versions() -> dict[str, str]:
    return {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}


@cache
def _blas() -> Any:
    """Return threadpoolctl's controller of NumPy's BLAS, or None if it finds none."""
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    ours = [library for library in libraries if "numpy" in library.filepath]  # SciPy may have brought another one
    return next(iter(ours or libraries), None)


def _cpu_features() -> list[str]:
    """Return the CPU features that NumPy was built for and that this processor has."""
    core: Any = import_module("numpy._core._multiarray_umath")  # the source of numpy.show_runtime
    features: dict[str, bool] = core.__cpu_features__
    names: list[str] = [*core.__cpu_baseline__, *core.__cpu_dispatch__]
    return [name for name in names if features[name]]


Contents = dict[str, str | bytes]
"""Files by name."""


class HeldOutAnswers(NamedTuple):
    """Outputs for rows by networks that were not trained on them, in a form that is comparable between networks.

    Attributes
    ----------
    name : str
        The split of the rows.
    rows : ndarray (rows,)
        The indices of the rows in the split.
    kind : str
        The kind of outputs, as in `Decoder.kind`.
    outputs : ndarray (rows, outputs)
        The outputs as `Decoder.comparable` returns them.
    """

    name: str
    rows: NDArray[np.intp]
    kind: str
    outputs: NDArray[np.float64]


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run: a single run, one on a fold or with a seed, one of a trial, or a verified one.

    Attributes
    ----------
    state : "finished", "pruned", "diverged" or "refused"
        ``diverged``: its loss was not finite; ``refused``: its spec, its data or its training had an error. An
        interrupted run counts as finished here; its files record the interruption.
    message : str
        The reason why it has not finished.
    files : dict
        The files of its folder except its spec and its page; for a trial only its model.
    evaluation : Evaluation
        The evaluation of the model; for a trial only its metrics.
    judgement : Judgement
        The findings about the run.
    answers : dict of str to Answers
        The answers for held-out rows by split; only in the process that has computed them.
    expectations : list of JudgedExpectation
        The outcome of each expectation of the spec.
    held_out : HeldOutAnswers or None
        For a trial, the outputs for held-out rows.
    machine : dict
        The facts about the machine that exact results depend on.
    history : list of dict
    epochs : int
    seconds : float
    warnings : tuple of Diagnostic
        Warnings about the rows.
    curve : dict
        Validation losses by rung, if a pruner has received them.
    trained : TrainingResult or None
        The trained ensemble member, for a task that trains only one.
    """

    state: State = "finished"
    message: str = ""
    files: Contents = field(default_factory=dict)
    evaluation: Evaluation = field(default_factory=lambda: Evaluation({}, {}))
    judgement: Judgement = field(default_factory=lambda: Judgement((), None))
    answers: dict[str, Answers] = field(default_factory=dict)
    expectations: list[JudgedExpectation] = field(default_factory=list)
    held_out: HeldOutAnswers | None = None
    machine: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    epochs: int = 0
    seconds: float = 0.0
    warnings: tuple[Diagnostic, ...] = ()
    curve: RungLosses = field(default_factory=dict)
    trained: TrainingResult | None = None

    @classmethod
    def of(cls, fitted: FitResult, **others: Any) -> RunOutcome:
        """Return the outcome of a trained run, with further fields from `others`."""
        result = fitted.result
        return cls(history=result.history, epochs=result.epochs, warnings=result.warnings, **others)

    @property
    def metrics(self) -> Metrics:
        """The metrics of the run by split and name."""
        return self.evaluation.metrics


def train_run(
    parsed: Spec,
    data: SpecData,
    identity: RunIdentity,
    observer: Observer | None,
    *,
    begin: float,
    folder: Path | None = None,
    rows: bool = True,
    with_rows: bool = False,
    threads: int | None = None,
    cores: int | None = None,
    checkpoint: Checkpoint | None = None,
    **options: Any,
) -> tuple[RunOutcome, FitResult]:
    """Train a run's network, optionally from a checkpoint, and return its outcome: metrics, findings and files.

    Parameters
    ----------
    parsed : Spec
    data : SpecData
        The data of the spec.
    identity : RunIdentity
    observer : Observer or None
    begin : float
        Start of the run, by `time.perf_counter`.
    folder : Path, optional
        The folder that the files are made for; no files are made if None.
    rows : bool
        Whether the files have hashes of the training rows.
    with_rows : bool
        Whether the model's file has training rows.
    threads : int, optional
        Number of threads of BLAS and compiled functions. Default: the result of `threads_worth`.
    cores : int, optional
        As for `train_members`. Default: `threads`, or all available threads if that is None.
    checkpoint, **options
        As for `fit_rows`.

    Raises
    ------
    FileError
        If the model is too large for its format.
    """
    check_labels(parsed, data)
    if cores is None:
        cores = available_threads() if threads is None else threads
    if threads is None:
        threads = threads_worth(data.resolved, len(data.splits["train"]))
    with limited_threads(threads):
        machine = {**machine_facts(), "versions": library_versions()}
        with explaining():
            fitted = fit_rows(data, observer, cores=cores, records=True, checkpoint=checkpoint, **options)
        with np.errstate(over="ignore", invalid="ignore"):  # metrics of enormous losses may overflow
            evaluation, judgement, answers = evaluate_run(fitted)
            gains = evaluation.deciding, evaluation.gains
            expectations = judge_run(parsed, fitted.model, data, answers.get(TEST), gains) if parsed.expect else []
    fitted.model.background = fitted.data.splits["train"].background()
    known: dict[str, Any] = {"evaluation": evaluation, "judgement": judgement, "answers": answers, "machine": machine}
    known["expectations"] = expectations
    outcome = RunOutcome.of(fitted, **known)
    if folder is None:
        return outcome, fitted
    earlier = 0.0 if checkpoint is None else checkpoint.seconds
    facts = {
        "overrides": [override.text.content for override in parsed.document.overrides],
        SPEC_FOLDER: spec_folder(parsed.folder, folder),
        "spec_sha256": identity.spec_sha256,
        "data_sha256": identity.data_sha256,
        **({} if identity.teacher_sha256 is None else {"teacher_sha256": identity.teacher_sha256}),
        **({WITH_ROWS: True} if with_rows else {}),
    }
    with file_errors(folder / MODEL):
        seconds = earlier + time.perf_counter() - begin
        files = _files(outcome, fitted, identity, facts, seconds, rows=rows, with_rows=with_rows)
    return replace(outcome, files=files), fitted


def _files(
    outcome: RunOutcome,
    fitted: FitResult,
    identity: RunIdentity,
    given: dict[str, Any],
    seconds: float,
    *,
    rows: bool,
    with_rows: bool,
) -> Contents:
    """Return the files of a run's folder, with facts about spec and data (`given`) and the run's duration."""
    result, content = fitted.result, fitted.model.to_bytes(with_rows=with_rows)
    facts = _facts(outcome, fitted, given, seconds, rows=rows) | {"model_sha256": hashlib.sha256(content).hexdigest()}
    judgement = outcome.judgement
    files: Contents = {
        MODEL: content,
        RESOLVED: identity.spec,
        HISTORY: json_lines(result.history),
        METRICS: json_text(outcome.evaluation.record()),
        LAYERS: json_lines(result.layer_records),
        FINDINGS: json_text({"findings": [each.as_dict() for each in judgement.findings], "tests": judgement.tests}),
        FACTS: json_text(facts),
    }
    if outcome.expectations:
        files[EXPECTATIONS] = json_text({EXPECT: outcome.expectations})
    if rows and fitted.model.background is not None:
        files[BACKGROUND] = encode(background_tensors(fitted.model.background), "")
    if result.snapshots:
        files[SNAPSHOTS] = encode(result.record.tensors(), "")
    if result.interruption is not None:
        files[CHECKPOINT] = replace(result.reached, run=identity).to_bytes()
    return files


def _facts(
    outcome: RunOutcome, fitted: FitResult, given: dict[str, Any], seconds: float, *, rows: bool
) -> dict[str, Any]:
    result, train = fitted.result, fitted.data.splits["train"]
    facts = {
        "end": result.end,
        "finished": result.interruption is None,
        "epochs": result.epochs,
        "steps": result.steps,
        "training_seconds": result.seconds,
        "seconds": seconds,
        "warnings": [diagnostic.as_dict() for diagnostic in result.warnings],
        **given,
        "seed": fitted.model.spec.seed,
        **result.engine.facts(),
        COMPILER: compiler_facts() if result.engine.engine == "compiled" else None,
        **outcome.machine,
        TRAINING_ROWS: RowSet.of(row_hashes(train.columns, train.texts, train.y)).to_data() if rows else None,
    }
    if fitted.data.resolved.spec.training.ensemble is not None:
        facts["members"] = [
            {"end": each.end, "epochs": each.epochs, "steps": each.steps, "training_seconds": each.seconds}
            for each in fitted.members
        ]
    return facts
