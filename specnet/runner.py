"""A run: the spec's data are read and split, its network is trained and measured, and a folder keeps all of it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from specnet.data import load_table, split_rows
from specnet.errors import DataError, FileError, TrainingError
from specnet.files import PathLike, file_errors, write_file
from specnet.fitting import Rows, check_rows, fit_rows, read_target
from specnet.model import Model
from specnet.parts.part import Part
from specnet.spec import Spec, SpecSource, parse_spec, resolve
from specnet.training import Observer, TrainingResult

Metrics = dict[str, dict[str, float | None]]

RUN_FILES = (
    "spec.toml",
    "spec.json",
    "spec.resolved.json",
    "model.safetensors",
    "history.jsonl",
    "metrics.json",
    "run.json",
)
"""All that a run writes; what `force` may replace."""


class FolderTakenError(FileError):
    """The folder that a run should write has something in it."""

    code = "folder-taken"


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
    overrides : iterable of str
        Settings ``KEY=VALUE``, as ``specnet run --set`` takes them.
    parts : iterable of part classes
        What the spec can name beside the built-in and installed parts.
    observer : Observer, optional
        Is told of the course of training.

    Raises
    ------
    SpecError, DataError, TrainingError
        If the spec, the data or the training is at fault; nothing is written then.
    FolderTakenError
        If `out` has something in it, and may not be replaced.
    KeyboardInterrupt
        After Ctrl-C; what was reached is written first.
    """
    overrides = tuple(overrides)
    parsed = parse_spec(spec, parts=parts, overrides=overrides)
    with _reserved(out, force) as folder:
        begin = time.perf_counter()
        table = load_table(parsed)
        rows = check_rows(table.X, table.y, table.sample_weight)
        labels, outputs = read_target(parsed, rows.y)
        assert parsed.data is not None, "load_table refuses a spec without data"
        data = parsed.data.with_columns(table)
        resolved = resolve(parsed, inputs=rows.X.shape[1], outputs=outputs, data=data)
        with _placed(parsed):
            split = split_rows(table, data.split, parsed.seed)
        splits = {name: rows.take(indices) for name, indices in split.parts().items()}
        model, result = fit_rows(resolved, labels, splits, observer)
        metrics = {name: _measured(model, part) for name, part in splits.items()}
        if folder is not None:
            facts = {
                "end": "interrupted" if result.interrupted else "finished",
                "epochs": result.epochs,
                "steps": result.steps,
                "training_seconds": result.seconds,
                "seconds": time.perf_counter() - begin,
                "overrides": list(overrides),
                "data_sha256": _data_hash(rows),
            }
            _write(folder, parsed, model, result, metrics, facts)
    if result.interrupted:
        raise KeyboardInterrupt
    return RunResult(model, result.history, metrics, folder)


def new_folder(name: str | None) -> Path:
    """Make and return the folder of the next run of that name: ``runs/<name>/<number>``."""
    runs = Path("runs") / (name or "unnamed")
    with file_errors(runs):
        runs.mkdir(parents=True, exist_ok=True)
        number = 1 + max((int(entry.name) for entry in runs.iterdir() if entry.name.isdecimal()), default=0)
        while True:
            try:
                (runs / str(number)).mkdir()
            except FileExistsError:
                number += 1
            else:
                return runs / str(number)


@contextmanager
def _reserved(out: PathLike | None, force: bool) -> Iterator[Path | None]:
    """Give the folder to write, made if it is missing, and take it away again if the run writes nothing."""
    if out is None:
        yield None
        return
    folder = Path(out)
    with file_errors(folder):
        is_file = folder.exists() and not folder.is_dir()
        taken = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    if is_file:
        raise FolderTakenError("this is a file, and a run writes a folder", source=os.fspath(out))
    if taken and not force:
        what = f"the folder has {taken[0]}" + (f" and {len(taken) - 1} more" if len(taken) > 1 else "") + " in it"
        hint = "give another --out, or --force to replace the files of an earlier run"
        raise FolderTakenError(what, hint=hint, source=os.fspath(out))
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


@contextmanager
def _placed(spec: Spec) -> Iterator[None]:
    """Point errors about the split at the place in the spec where it says so."""
    try:
        yield
    except DataError as error:
        raise DataError(
            *(
                replace(item, source=None)
                if item.position or item.source
                else spec.diagnostic(item.code, item.message, item.path, hint=item.hint)
                for item in error.diagnostics
            )
        ) from error


def _measured(model: Model, rows: Rows) -> dict[str, float | None]:
    figures = model.evaluate(rows.X, rows.y, rows.weight)
    if not math.isfinite(figures["loss"]):
        raise TrainingError(
            f"the trained model's loss is {figures['loss']}", hint="lower training.optimizer.learning_rate"
        )
    return {name: figure if math.isfinite(figure) else None for name, figure in figures.items()}


def _write(
    folder: Path, spec: Spec, model: Model, result: TrainingResult, metrics: Metrics, facts: Mapping[str, Any]
) -> None:
    resolved, document = model.spec.to_json(), spec.document
    versions = {name: version(name) for name in ("specnet", "numpy", "scipy", "scikit-learn")}
    record = {
        **facts,
        "seed": model.spec.seed,
        "spec_sha256": hashlib.sha256(resolved.encode()).hexdigest(),
        "versions": {**versions, "python": platform.python_version()},
    }
    given = (
        ("spec.json", spec.to_json()) if document.text is None else (f"spec.{document.format}", document.text.content)
    )
    texts = {
        given[0]: given[1],
        "spec.resolved.json": resolved,
        "history.jsonl": "".join(json.dumps(line) + "\n" for line in result.history),
        "metrics.json": _json(metrics),
        "run.json": _json(record),
    }
    model.save(folder / "model.safetensors")
    for name, text in texts.items():
        write_file(folder / name, text)
    for stale in set(RUN_FILES) - {*texts, "model.safetensors"}:
        (folder / stale).unlink(missing_ok=True)


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _data_hash(rows: Rows) -> str:
    """Return a hash of what was read: shapes, types and numbers of X, y and weights."""
    digest = hashlib.sha256()
    for array in (rows.X, rows.y, rows.weight):
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
