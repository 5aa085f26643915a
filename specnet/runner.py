"""A run: the spec's data are read and split, its network is trained and measured, and a folder keeps all of it."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from specnet.arrays import Array
from specnet.errors import DataError, TrainingError
from specnet.files import PathLike, file_errors
from specnet.fitting import Rows, fit_rows, read_data
from specnet.model import Model, load_model
from specnet.parts.part import Part
from specnet.run_folder import FACTS, HISTORY, METRICS, MODEL, RESOLVED, RunFolder, RunIdentity, reserved_folder
from specnet.spec import Spec, SpecSource, parse_spec
from specnet.training import Checkpoint, Observer, TrainingResult

Metrics = dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class RunResult:
    """What a run reached.

    Attributes
    ----------
    model : Model
    history : list of dict
        A record for each logged epoch.
    metrics : dict
        The kept model's figures by split and name; None for a figure that cannot be told, such as a score of one row.
    folder : Path or None
        Where the run was written.
    """

    model: Model
    history: list[dict[str, Any]]
    metrics: Metrics
    folder: Path | None


def run(
    spec: SpecSource | Spec,
    out: PathLike | None = None,
    *,
    force: bool = False,
    resume: bool = False,
    overrides: Iterable[str] = (),
    parts: Iterable[type[Part]] = (),
    observer: Observer | None = None,
) -> RunResult:
    """Train and measure the network of a spec on its own data.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
    out : path, optional
        The folder to write; nothing is written where it is None.
    force : bool
        Replace the files of an earlier run in `out`. Other files stay.
    resume : bool
        Go on from the checkpoint in `out`; begin where there is none, and train no more where the run has ended.
    overrides : iterable of str
        Settings ``KEY=VALUE``, as ``specnet run --set`` takes them.
    parts : iterable of part classes
        What the spec can name beside the built-in and installed parts.
    observer : Observer, optional
        Is told of the course of training.

    Raises
    ------
    SpecError, DataError, TrainingError
        If the spec, the data or the training is at fault.
    FileError
        If a file cannot be read or written.
    TakenError
        If `out` has something in it, and may not be replaced.
    KeyboardInterrupt
        After Ctrl-C; what was reached is written first.

    Notes
    -----
    After any other error there is nothing in `out` that was not there before, but for the last checkpoint.
    """
    if resume and (force or out is None):
        raise DataError("resume goes on in the folder that out names, and does not go with force")
    parsed = parse_spec(spec, parts=parts, overrides=overrides)
    if out is None:
        return _run(parsed, None, observer)
    with reserved_folder(out, force=force, resume=resume) as folder:
        return _run(parsed, folder, observer, resume=resume)


def _run(parsed: Spec, folder: RunFolder | None, observer: Observer | None, *, resume: bool = False) -> RunResult:
    begin = time.perf_counter()
    read = read_data(parsed)
    data_hash = _data_hash(read.rows)
    identity = RunIdentity(read.spec.sha256, data_hash)

    def keep(tensors: Mapping[str, Array], facts: Mapping[str, Any], history: list[dict[str, Any]]) -> None:
        if folder is not None:
            folder.keep(Checkpoint(tensors, facts, history, str(identity)))

    if resume and folder is not None and folder.is_finished:
        folder.check_same(identity)
        model = load_model(folder.path / MODEL, parts=parsed.registry)
        return RunResult(model, folder.history(), folder.metrics(), folder.path)
    checkpoint = None if folder is None else folder.checkpoint(identity, read.spec.training)
    model, result = fit_rows(read.spec, read.labels, read.splits, observer, keep_checkpoint=keep, checkpoint=checkpoint)
    metrics = {name: _measured(model, part) for name, part in read.splits.items()}
    if folder is not None:
        facts = {
            "end": "interrupted" if result.interrupted else "finished",
            "epochs": result.epochs,
            "steps": result.steps,
            "training_seconds": result.seconds,
            "seconds": time.perf_counter() - begin,
            "overrides": [override.text.content for override in parsed.document.overrides],
            **identity._asdict(),
        }
        with file_errors(folder.path / MODEL):
            content = model.to_bytes()
        folder.write({MODEL: content, **_texts(parsed, model, result, metrics, facts)})
        if not result.interrupted:
            folder.end()
    if result.interrupted:
        raise KeyboardInterrupt
    return RunResult(model, result.history, metrics, None if folder is None else folder.path)


def _measured(model: Model, rows: Rows) -> dict[str, float | None]:
    figures = model.evaluate(rows.X, rows.y, rows.weight)
    if not math.isfinite(figures["loss"]):
        raise TrainingError(
            f"the trained model's loss is {figures['loss']}", hint="lower training.optimizer.learning_rate"
        )
    return {name: figure if math.isfinite(figure) else None for name, figure in figures.items()}


def _texts(
    spec: Spec, model: Model, result: TrainingResult, metrics: Metrics, facts: Mapping[str, Any]
) -> dict[str, str]:
    """Return what is written beside the model, by name of file."""
    resolved, document = model.spec.to_json(), spec.document
    versions = {name: version(name) for name in ("specnet", "numpy", "scipy", "scikit-learn")}
    record = {
        **facts,
        "seed": model.spec.seed,
        "versions": {**versions, "python": platform.python_version()},
    }
    name, text = "spec.json", spec.to_json()
    if document.text is not None:
        name, text = f"spec.{document.format}", document.text.content
    return {
        name: text,
        RESOLVED: resolved,
        HISTORY: "".join(json.dumps(line) + "\n" for line in result.history),
        METRICS: _json(metrics),
        FACTS: _json(record),
    }


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _data_hash(rows: Rows) -> str:
    """Return a hash of what was read: shapes, types and numbers of X, y and weights."""
    digest = hashlib.sha256()
    for array in (rows.X, rows.y, rows.weight):
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()
