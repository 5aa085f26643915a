"""The course of a run: its data are split, its network is trained and measured, and its files are made.

Nothing is read or written here: whoever asks has the rows and keeps the files.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from specnet.compiler.thread_limits import available_threads, limited_threads
from specnet.data import RowSet, row_hashes
from specnet.files.plain_data import json_lines, json_text
from specnet.files.run_files import (
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
)
from specnet.files.tensors import encode
from specnet.findings import Judgement, judge
from specnet.model import Answers
from specnet.running.data_rows import SpecData
from specnet.running.evaluation.evaluation import evaluate_run
from specnet.running.fitting import FitResult, fit_rows
from specnet.running.machine import COMPILER, compiler_facts, library_versions, machine_facts
from specnet.running.run_evidence import explaining, run_evidence
from specnet.saved.metrics_file import Evaluation
from specnet.spec import Spec
from specnet.training import Observer, RunIdentity
from specnet.training.steps.engine_choice import threads_worth

Contents = dict[str, str | bytes]
"""Files by name."""


@dataclass(frozen=True)
class RunOutcome:
    """What a run has come to.

    Attributes
    ----------
    parsed : Spec
    identity : RunIdentity
    begin : float
        When it began, by `time.perf_counter`.
    fitted : FitResult
    evaluation : Evaluation
    answers : dict of str to Answers
        What the model answers for rows held out, by the part of the split.
    judgement : Judgement
        What went wrong.
    machine : dict
        What else its bits depend on, with the versions of the libraries.
    """

    parsed: Spec
    identity: RunIdentity
    begin: float
    fitted: FitResult
    evaluation: Evaluation
    answers: dict[str, Answers]
    judgement: Judgement
    machine: dict[str, Any]

    def files(self, spec_folder: str, earlier: float = 0.0, *, rows: bool = True) -> Contents:
        """Return the files of the run's folder but its spec and its page.

        Parameters
        ----------
        spec_folder : str
            Where relative paths of the spec start, as seen from the run's folder.
        earlier : float
            Seconds of the run before it was resumed.
        rows : bool
            Whether there are hashes of the training rows.

        Raises
        ------
        FileError
            If the model is too large for its format.
        """
        result = self.fitted.result
        content = self.fitted.model.to_bytes()
        files: Contents = {
            MODEL: content,
            RESOLVED: self.identity.spec,
            HISTORY: json_lines(result.history),
            METRICS: json_text(self.evaluation.record()),
            LAYERS: json_lines(result.looks),
            FINDINGS: json_text(
                {"findings": [each.as_dict() for each in self.judgement.findings], "tests": self.judgement.tests}
            ),
            FACTS: json_text(self._facts(spec_folder, earlier, hashlib.sha256(content).hexdigest(), rows=rows)),
        }
        if result.snapshots:
            files[SNAPSHOTS] = encode(result.record.tensors(), "")
        if result.interruption is not None:
            files[CHECKPOINT] = replace(result.reached, run=self.identity).to_bytes()
        return files

    def _facts(self, spec_folder: str, earlier: float, model_sha256: str, *, rows: bool) -> dict[str, Any]:
        result, data = self.fitted.result, self.fitted.data
        train = data.splits["train"]
        facts = {
            "end": result.end,
            "finished": result.interruption is None,
            "epochs": result.epochs,
            "steps": result.steps,
            "training_seconds": result.seconds,
            "seconds": earlier + time.perf_counter() - self.begin,
            "warnings": [diagnostic.as_dict() for diagnostic in result.warnings],
            "overrides": [override.text.content for override in self.parsed.document.overrides],
            SPEC_FOLDER: spec_folder,
            "spec_sha256": self.identity.spec_sha256,
            "data_sha256": self.identity.data_sha256,
            "seed": self.fitted.model.spec.seed,
            **result.engine.facts(),
            COMPILER: compiler_facts() if result.engine.engine == "compiled" else None,
            **self.machine,
            TRAINING_ROWS: RowSet.of(row_hashes(train.columns, train.texts, train.y)).to_data() if rows else None,
        }
        if data.resolved.spec.training.ensemble is not None:
            facts["members"] = [
                {"end": each.end, "epochs": each.epochs, "steps": each.steps, "training_seconds": each.seconds}
                for each in self.fitted.members
            ]
        return facts | {"model_sha256": model_sha256}


def train_run(
    parsed: Spec,
    data: SpecData,
    identity: RunIdentity,
    begin: float,
    observer: Observer | None,
    threads: int | None = None,
    cores: int | None = None,
    **options: Any,
) -> RunOutcome:
    """Train a run's network, from a checkpoint on if there is one, measure it on every part of the split, and judge.

    Parameters
    ----------
    parsed : Spec
    data : SpecData
        Its rows.
    identity : RunIdentity
    begin : float
        When it began, by `time.perf_counter`.
    observer : Observer or None
    threads : int, optional
        Number of threads of BLAS and compiled functions; default: as `threads_worth` finds.
    cores : int, optional
        As for `train_members`; default: as many as there are threads to be, or may be if nobody says it.
    **options
        As for `fit_rows`.
    """
    if cores is None:
        cores = available_threads() if threads is None else threads
    if threads is None:
        threads = threads_worth(data.resolved, len(data.splits["train"]))
    with limited_threads(threads):
        machine = {**machine_facts(), "versions": library_versions()}
        with explaining():
            fitted = fit_rows(data, observer, cores=cores, records=True, **options)
        with np.errstate(over="ignore", invalid="ignore"):  # figures of enormous losses are told of as such
            evaluation, comparison, answers = evaluate_run(fitted)
            history, looks = fitted.result.history, fitted.result.looks
            evidence = run_evidence(fitted.encoder, fitted.training, data.splits, history, looks, comparison)
            return RunOutcome(parsed, identity, begin, fitted, evaluation, answers, judge(evidence), machine)
