"""From split rows to the outcome of a run: its network is trained and measured, and its files are made.

Nothing is read or written here: the caller has the rows and writes the files. The facts in ``run.json`` say what the
bits of a run depend on beside its spec and its data: libraries, their threads and the processor.
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
from specnet.run_files import (
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
from specnet.running.data_rows import SpecData
from specnet.running.evaluation.evaluation import evaluate_run, explaining
from specnet.running.fitting import FitResult, fit_rows
from specnet.saved.metrics_file import Evaluation, Metrics
from specnet.spec import Spec
from specnet.training import Checkpoint, Observer, RunIdentity, TrainingResult
from specnet.training.steps.engine_choice import threads_worth
from specnet.version import __version__

if TYPE_CHECKING:
    from specnet.saved.saved_sweep import RungLosses, State


THREADS, BLAS, CPU_FEATURES = "threads", "blas", "cpu_features"
"""Keys of what `machine_facts` tells."""
COMPILER = "compiler"
"""The key in a run's facts for what `compiler_facts` tells; null where nothing was compiled."""


def library_versions() -> dict[str, str]:
    """Return the versions of specnet, Python and the libraries whose results go into a run's."""
    return {"specnet": __version__, **_installed_versions(), "python": platform.python_version()}


def machine_facts() -> dict[str, Any]:
    """Return the number of BLAS threads, NumPy's BLAS (name, version, architecture), and the CPU features it uses.

    Two processes where these are equal give the same bits, with the same versions of the libraries.
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


# A process keeps what it has loaded, and to look for it takes milliseconds, of which a series of short runs has few.
@cache
def _installed_versions() -> dict[str, str]:
    return {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}


@cache
def _blas() -> Any:
    """Return threadpoolctl's controller of NumPy's BLAS, None if it knows none."""
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    ours = [library for library in libraries if "numpy" in library.filepath]  # SciPy may have brought another one
    return next(iter(ours or libraries), None)


def _cpu_features() -> list[str]:
    """Return the groups of instructions that NumPy was built for and finds here."""
    core: Any = import_module("numpy._core._multiarray_umath")  # where numpy.show_runtime has them from
    features: dict[str, bool] = core.__cpu_features__
    names: list[str] = [*core.__cpu_baseline__, *core.__cpu_dispatch__]
    return [name for name in names if features[name]]


Contents = dict[str, str | bytes]
"""Files by name."""


class HeldOutAnswers(NamedTuple):
    """What is answered for rows by networks that were not trained on them, as other networks' answers are comparable.

    Attributes
    ----------
    name : str
        The part of the split that the rows are of.
    rows : ndarray (rows,)
        Their indices in it.
    kind : str
        What the outputs are, as `Decoder.kind` says.
    outputs : ndarray (rows, outputs)
        As `Decoder.comparable` returns them.
    """

    name: str
    rows: NDArray[np.intp]
    kind: str
    outputs: NDArray[np.float64]


@dataclass(frozen=True)
class RunOutcome:
    """What a run comes to: a single one, one on a fold or with a seed, one of a trial, or one that is verified.

    Attributes
    ----------
    state : "finished", "pruned", "diverged" or "refused"
        ``diverged``: its loss was not finite; ``refused``: its spec, its data or its training had an error. A run that
        was interrupted has finished as far as it came; its files say so.
    message : str
        Why it has not finished.
    files : dict
        The files of its folder but its spec and its page; of a trial its model alone.
    evaluation : Evaluation
        Of a trial its metrics alone.
    judgement : Judgement
        What went wrong.
    answers : dict of str to Answers
        What the model answers for held-out rows, by the part of the split, in the process that has computed them.
    held_out : HeldOutAnswers or None
        Of a trial: what is answered for rows that the answering networks were not trained on.
    machine : dict
        What else its bits depend on.
    history : list of dict
    epochs : int
    seconds : float
    warnings : tuple of Diagnostic
        About its rows.
    curve : dict
        Validation losses by rung, where a pruner has looked at them.
    trained : TrainingResult or None
        Of a task that trains one member of an ensemble: that member.
    """

    state: State = "finished"
    message: str = ""
    files: Contents = field(default_factory=dict)
    evaluation: Evaluation = field(default_factory=lambda: Evaluation({}, {}))
    judgement: Judgement = field(default_factory=lambda: Judgement((), None))
    answers: dict[str, Answers] = field(default_factory=dict)
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
        """Return that of a run that was trained, with other fields."""
        result = fitted.result
        return cls(history=result.history, epochs=result.epochs, warnings=result.warnings, **others)

    @property
    def metrics(self) -> Metrics:
        """Its figures by part of the split and name."""
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
    threads: int | None = None,
    cores: int | None = None,
    checkpoint: Checkpoint | None = None,
    **options: Any,
) -> tuple[RunOutcome, FitResult]:
    """Train a run's network, from a checkpoint on if there is one, measure it on every part of the split, and judge.

    Parameters
    ----------
    parsed : Spec
    data : SpecData
        Its rows.
    identity : RunIdentity
    observer : Observer or None
    begin : float
        When it began, by `time.perf_counter`.
    folder : Path, optional
        The folder that its files are for; without one, none are made.
    rows : bool
        Whether the files have hashes of the training rows.
    threads : int, optional
        Number of threads of BLAS and compiled functions; default: as `threads_worth` finds.
    cores : int, optional
        As for `train_members`; default: as many as there are threads to be, or may be if nobody says it.
    checkpoint, **options
        As for `fit_rows`.

    Raises
    ------
    FileError
        If the model is too large for its format.
    """
    if cores is None:
        cores = available_threads() if threads is None else threads
    if threads is None:
        threads = threads_worth(data.resolved, len(data.splits["train"]))
    with limited_threads(threads):
        machine = {**machine_facts(), "versions": library_versions()}
        with explaining():
            fitted = fit_rows(data, observer, cores=cores, records=True, checkpoint=checkpoint, **options)
        with np.errstate(over="ignore", invalid="ignore"):  # enormous losses have such metrics
            evaluation, judgement, answers = evaluate_run(fitted)
    known: dict[str, Any] = {"evaluation": evaluation, "judgement": judgement, "answers": answers, "machine": machine}
    outcome = RunOutcome.of(fitted, **known)
    if folder is None:
        return outcome, fitted
    earlier = 0.0 if checkpoint is None else checkpoint.seconds
    facts = {
        "overrides": [override.text.content for override in parsed.document.overrides],
        SPEC_FOLDER: spec_folder(parsed.folder, folder),
        "spec_sha256": identity.spec_sha256,
        "data_sha256": identity.data_sha256,
    }
    with file_errors(folder / MODEL):
        files = _files(outcome, fitted, identity, facts, earlier + time.perf_counter() - begin, rows=rows)
    return replace(outcome, files=files), fitted


def _files(
    outcome: RunOutcome, fitted: FitResult, identity: RunIdentity, given: dict[str, Any], seconds: float, *, rows: bool
) -> Contents:
    """Return the files of a run's folder; `given` are facts about its spec and its data, `seconds` those of the run."""
    result, content = fitted.result, fitted.model.to_bytes()
    facts = _facts(outcome, fitted, given, seconds, rows=rows) | {"model_sha256": hashlib.sha256(content).hexdigest()}
    judgement = outcome.judgement
    files: Contents = {
        MODEL: content,
        RESOLVED: identity.spec,
        HISTORY: json_lines(result.history),
        METRICS: json_text(outcome.evaluation.record()),
        LAYERS: json_lines(result.looks),
        FINDINGS: json_text({"findings": [each.as_dict() for each in judgement.findings], "tests": judgement.tests}),
        FACTS: json_text(facts),
    }
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
