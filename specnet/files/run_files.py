"""The files of a run's folder, and the spec and the model for which the folder stands."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from specnet.errors import FileError
from specnet.files import PathLike, file_errors, read_file
from specnet.files.series_files import BEST, SWEEPS, TEAM_FACTS, holds_trials, is_series, is_sweep

MODEL = "model.safetensors"
RUNS = "runs"
"""The folder in which runs are filed."""
FACTS = "run.json"
RESOLVED = "spec.resolved.json"
WRITTEN = ("spec.toml", "spec.json")
"""The spec as it was given; a run has one of them."""
HISTORY = "history.jsonl"
LAYERS = "layers.jsonl"
SNAPSHOTS = "snapshots.safetensors"
HELD_OUT = "held_out.safetensors"
"""Of a trial: its answers for rows held out."""
METRICS = "metrics.json"
FINDINGS = "findings.json"
CHECKPOINT = "checkpoint.safetensors"
REPORT = "report.html"
RUN_FILES = (*WRITTEN, RESOLVED, MODEL, HISTORY, LAYERS, SNAPSHOTS, METRICS, FINDINGS, FACTS, CHECKPOINT, REPORT)
"""All that a run writes; what `force` may replace."""
SPEC_FOLDER = "spec_folder"
"""The key in a run's facts for the folder of the spec that was run, seen from the run's folder."""

TRAINING_ROWS = "training_rows"
"""The key in a run's facts for the hashes of the rows that its model was trained on."""

LARGEST_RECORD = 2**30
_PARTS = re.compile(r"\d+|\D+")
_NAMED = 3
"""How many of the runs in a folder a hint names."""


def model_file(path: PathLike) -> PathLike:
    """Return the path of a model; the folder of a run, or of a sweep's team, stands for the model in it.

    Raises
    ------
    FileError
        If it is a folder, and no run's.
    """
    if not os.path.isdir(path):
        return path
    if not os.path.isfile(os.path.join(path, TEAM_FACTS)):
        check_run(path, "model")
    return Path(path) / MODEL


def spec_file(path: PathLike) -> PathLike:
    """Return the path of a spec; the folder of a run stands for the spec that was run.

    That is the spec as it was given, or the resolved one where settings changed it.

    Raises
    ------
    FileError
        If it is a folder, and no run's, or its ``run.json`` cannot be read.
    """
    if not os.path.isdir(path):
        return path
    check_run(path, "spec")
    folder = Path(path)
    written = written_spec(folder)
    return folder / RESOLVED if written is None or _facts(folder).get("overrides") else written


def written_spec(folder: Path) -> Path | None:
    """Return the file in a run's folder with the spec as it was given; None if there is none."""
    return next((folder / name for name in WRITTEN if (folder / name).is_file()), None)


def folders_of_runs(start: str, *, many: bool = False) -> list[str]:
    """Return the paths of runs' folders that begin with a text, as a shell completes them.

    These are folders up to three levels below what the text leads to, and those of folds and seeds in them; for an
    empty text those that lie here and in ``runs`` and ``sweeps``, where runs are filed. Of a sweep it is the run of its
    best trial.

    Parameters
    ----------
    start : str
    many : bool
        Return the folders of sweeps, folds and seeds too.
    """
    before, last = start[: start.rfind("/") + 1], start[start.rfind("/") + 1 :]
    found: list[str] = []
    if holds_trials(before or "."):
        return found
    with suppress(OSError), os.scandir(before or ".") as entries:
        for entry in entries:
            if entry.name.startswith(last) and (last or not entry.name.startswith(".")) and entry.is_dir():
                deepest = 2 if start or entry.name in (RUNS, SWEEPS) else 0
                found += _folders_of_runs(before + entry.name, deepest, many=many)
    return sorted(found, key=by_numbers)


def _folders_of_runs(folder: str, deepest: int, *, many: bool) -> Iterator[str]:
    if os.path.isfile(os.path.join(folder, FACTS)):
        yield folder
        return
    sweeps, series = is_sweep(folder), is_series(folder)
    if many and (sweeps or series):
        yield folder
    if sweeps:
        if os.path.isfile(os.path.join(folder, BEST, FACTS)):
            yield f"{folder}/{BEST}"
    elif (deepest or series) and not holds_trials(folder):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _folders_of_runs(f"{folder}/{entry.name}", max(deepest - 1, 0), many=many)


def page_of(folder: Path, start: Path) -> str:
    """Return the address of the page of a folder, as seen from another one; empty where there is none."""
    page = folder / REPORT
    return quote(os.fsencode(os.path.relpath(page, start))) if page.is_file() else ""


def by_numbers(path: str) -> list[list[tuple[int, str]]]:
    """Return what sorts paths by their steps, numbers in them by size and before letters."""
    return [
        [(int(part), "") if part.isdecimal() and len(part) < 19 else (2**63, part) for part in _PARTS.findall(step)]
        for step in path.split("/")
    ]


def paths_start(path: str) -> Path:
    """Return where relative paths in a spec file start.

    That is its folder; for a file in a run's folder, it is the folder of the spec that was run.
    """
    folder = Path(path).parent
    if Path(path).name not in (RESOLVED, *WRITTEN):
        return folder
    try:
        facts = _facts(folder)
    except FileError:  # no run's folder
        return folder
    start = facts.get(SPEC_FOLDER)
    return Path(os.path.realpath(folder), start) if isinstance(start, str) else folder


def training_rows(model: PathLike) -> Any:
    """Return what a run has kept of its training rows, for its folder or a file in it; None if there is nothing.

    The team of a sweep was trained on those of the best trial's run.

    Raises
    ------
    FileError
        If its ``run.json`` cannot be read.
    """
    folder = Path(os.path.abspath(model)) if os.path.isdir(model) else Path(os.path.abspath(model)).parent
    if (folder / TEAM_FACTS).is_file():
        folder = folder.parent / BEST
    return _facts(folder).get(TRAINING_ROWS) if (folder / FACTS).is_file() else None


def spec_folder(spec: Path, run: Path) -> str:
    """Return the folder of a spec as seen from that of a run."""
    return Path(os.path.relpath(os.path.realpath(spec), os.path.realpath(run))).as_posix()


def check_run(folder: PathLike, wanted: str | None = None) -> None:
    """Check that a folder is that of a run.

    Parameters
    ----------
    folder : path
    wanted : str, optional
        What else could have been given: ``model`` or ``spec``.

    Raises
    ------
    FileError
    """
    if not os.path.exists(folder):
        raise FileError("no such folder", source=os.fspath(folder))
    if os.path.isfile(folder):
        raise FileError("is a file; expected the folder of a run", source=os.fspath(folder))
    if not os.path.isfile(os.path.join(folder, FACTS)):
        either = f"a {wanted} file or " if wanted else ""
        message = f"is a folder without {FACTS}; expected {either}the folder of a run"
        raise FileError(message, hint=_runs_hint(Path(folder)), source=os.fspath(folder))


def _runs_hint(folder: Path) -> str | None:
    """Return the runs that lie in a folder or in its folders, the latest first."""
    with suppress(OSError):
        found = [*folder.glob(f"*/{FACTS}")] or [*folder.glob(f"*/*/{FACTS}")]
        found = [facts for facts in found if not holds_trials(facts.parent.parent)]
        runs = [str(facts.parent) for facts in sorted(found, key=lambda facts: facts.stat().st_mtime_ns, reverse=True)]
        if runs:
            return f"choose one of its runs: {', '.join(runs[:_NAMED])}{', …' * (len(runs) > _NAMED)}"
    return None


def _facts(folder: Path) -> dict[str, Any]:
    # Imported late: whoever asks for a plain file's path has no use for NumPy.
    from specnet.files.tensors import parse_object

    with file_errors(folder / FACTS):
        return parse_object(read_file(folder / FACTS, LARGEST_RECORD), "the record of a run")
