"""The folders of runs, series and sweeps: names of their files, kinds of folders, and the files ``--force`` removes."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specnet.errors import FileError
from specnet.files import PathLike, file_errors, is_temporary, read_file, refuse_link, remove_temporary_files

MODEL = "model.safetensors"
RUNS = "runs"
"""The default parent folder of runs."""
FACTS = "run.json"
RESOLVED = "spec.resolved.json"
WRITTEN = ("spec.toml", "spec.json")
"""The spec as the user gave it; a run has one of these files."""
HISTORY = "history.jsonl"
LAYERS = "layers.jsonl"
SNAPSHOTS = "snapshots.safetensors"
BACKGROUND = "background.safetensors"
"""Training rows to which explained rows are compared."""
HELD_OUT = "held_out.safetensors"
"""The outputs of a trial for held-out rows."""
METRICS = "metrics.json"
FINDINGS = "findings.json"
EXPECTATIONS = "expectations.json"
CHECKPOINT = "checkpoint.safetensors"
REPORT = "report.html"
RUN_FILES = (
    *WRITTEN,
    RESOLVED,
    MODEL,
    HISTORY,
    LAYERS,
    SNAPSHOTS,
    BACKGROUND,
    METRICS,
    FINDINGS,
    EXPECTATIONS,
    FACTS,
    CHECKPOINT,
    REPORT,
)
"""All files that a run writes."""

RUNS_TABLE = "runs.csv"
SUMMARY = "summary.json"
"""Mean metrics over folds and seeds, or over the best runs of a nested sweep."""

SWEEPS = "sweeps"
"""The default parent folder of sweeps."""
SWEEP_FACTS = "sweep.json"
TRIALS = "trials"
TRIALS_TABLE = "trials.csv"
BEST_SPECS = ("best.toml", "best.json")
"""The spec of the best trial; a sweep has one of these files."""
BEST = "best"
TEAM = "team"
TEAM_FACTS = "team.json"
"""The members of the team of a sweep."""
JOURNAL = "study.journal"

SPEC_FOLDER = "spec_folder"
"""The key in a run's facts for the folder of its spec, relative to the run's folder."""

TRAINING_ROWS = "training_rows"
"""The key in a run's facts for the hashes of its training rows; null if they are not stored."""
WITH_ROWS = "with_rows"
"""The key in a run's facts that is true if the file of its model has training rows; otherwise it is missing."""

LARGEST_RECORD = 2**30
_PARTS = re.compile(r"\d+|\D+")
_NAMED = 3
"""Maximum number of runs that a hint names."""
_REPETITION = r"(?:seed(\d+)(?:_fold(\d+))?|fold(\d+))"


@dataclass(frozen=True, eq=False)
class FolderKind:
    """A kind of folder that specnet writes.

    Attributes
    ----------
    name : str
        Name of the kind in messages.
    markers : tuple of str
        Names of the files that identify a folder of this kind, unless an earlier kind in `KINDS` matches.
    files : str
        Regular expression for the names of files in the folder.
    folders : mapping
        Kinds of subfolders by regular expressions for their names, in the order in which they are removed.
    """

    name: str
    markers: tuple[str, ...]
    files: str
    folders: Mapping[str, FolderKind] = field(default_factory=dict)

    def has_file(self, name: str) -> bool:
        """Return whether folders of this kind have a file with this name."""
        return re.fullmatch(self.files, name) is not None

    def has_folder(self, name: str) -> bool:
        """Return whether folders of this kind have a subfolder with this name."""
        return any(re.fullmatch(pattern, name) for pattern in self.folders)


def _names(*names: str) -> str:
    return "|".join(map(re.escape, names))


RUN = FolderKind("a run", (FACTS,), _names(*RUN_FILES))
TEAM_OF_SWEEP = FolderKind(
    "the team of a sweep", (TEAM_FACTS,), _names(MODEL, METRICS, EXPECTATIONS, TEAM_FACTS, REPORT)
)
_TRIAL_FILES = rf"{_names(*RUN_FILES, HELD_OUT)}|{_REPETITION}\.({_names(MODEL, HELD_OUT)})"
TRIAL = FolderKind("a trial", (FACTS,), _TRIAL_FILES)
_TRIALS = FolderKind("trials", (), "(?!)", {r"\d{4,}": TRIAL})
SWEEP = FolderKind(
    "a sweep",
    (SWEEP_FACTS,),
    _names(*WRITTEN, SWEEP_FACTS, TRIALS_TABLE, *BEST_SPECS, JOURNAL, REPORT),
    {BEST: RUN, TEAM: TEAM_OF_SWEEP, TRIALS: _TRIALS},
)
SERIES = FolderKind(
    "runs on folds or with seeds", (SUMMARY, RUNS_TABLE), _names(SUMMARY, RUNS_TABLE, REPORT), {_REPETITION: RUN}
)
NESTED = FolderKind("a sweep for each fold", (SUMMARY,), _names(SUMMARY, REPORT), {_REPETITION: SWEEP})
KINDS = (RUN, TEAM_OF_SWEEP, SWEEP, SERIES, NESTED)
BEGUN_FILES = {CHECKPOINT, RESOLVED}
"""The first files of a run; a folder that has only one of them belongs to an unfinished run."""


def kind_of(folder: PathLike) -> FolderKind | None:
    """Return the kind of a folder, or None if specnet has not written it or its run is unfinished."""
    return next(kinds_in(folder), None)


def trial_name(number: int) -> str:
    """Return the path of a trial's folder relative to the folder of its sweep."""
    return f"{TRIALS}/{number:04}"


def seed_and_fold(name: str) -> tuple[int | None, int | None] | None:
    """Return the seed and the fold in the name of a repetition's folder, such as ``seed1_fold0``; None without either.

    The result is None for any other name.
    """
    found = re.fullmatch(_REPETITION, name)
    if found is None:
        return None
    seed, fold, alone = (None if number is None else int(number) for number in found.groups())
    return seed, alone if fold is None else fold


def holds_trials(folder: PathLike) -> bool:
    """Return whether a folder is the folder of a sweep's trials, which users do not name as runs."""
    before, name = os.path.split(os.path.abspath(folder))
    return name == TRIALS and kind_of(before) is SWEEP


def kinds_in(folder: PathLike) -> Iterator[FolderKind]:
    """Yield all kinds whose markers are in a folder (the first is its kind); none for a temporary folder."""
    for kind in KINDS if not is_temporary(os.path.basename(folder)) else ():
        if all(os.path.isfile(os.path.join(folder, name)) for name in kind.markers):
            yield kind


def parts_of(folder: Path, kind: FolderKind) -> list[Path]:
    """Return the subfolders that a folder of this kind has, sorted by name with numbers by size.

    Raises
    ------
    FileError
        If the folder cannot be read.
    """
    with file_errors(folder):
        found = [path for path in folder.iterdir() if kind.has_folder(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: by_numbers(path.name))


def written_in(folder: Path, kind: FolderKind, spared: Container[str] = ()) -> Iterator[Path]:
    """Yield the files and folders to remove, in order, before a result of a given kind is written to a folder.

    These are the files and subfolders of the given kind and of the folder's current kinds. The files that mark a result
    as finished come first, so that the rest at any moment is either the complete old result or an unfinished one. The
    file that marks a sweep comes last, because without it its trials could be taken for runs. A folder comes after its
    contents.

    Parameters
    ----------
    folder : Path
        Folder to clear.
    kind : FolderKind
        Kind of the new result.
    spared : container of str
        Names of files in the folder that stay.

    Raises
    ------
    TakenError
        If one of them is a symbolic link, which specnet never creates.
    """
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        found, kinds = list(entries), dict.fromkeys([kind, *kinds_in(folder)])
        for entry in found:
            if any(each.has_file(entry.name) or each.has_folder(entry.name) for each in kinds):
                refuse_link(entry.path)
        names = {
            entry.name
            for entry in found
            if entry.is_file() and entry.name not in spared and any(each.has_file(entry.name) for each in kinds)
        }
        markers = [name for name in (FACTS, TEAM_FACTS, SUMMARY) if name in names]
        yield from (folder / name for name in markers)
        for each in kinds:
            for pattern, inner in each.folders.items():
                for entry in found:
                    if entry.is_dir() and re.fullmatch(pattern, entry.name):
                        yield from written_in(folder / entry.name, inner)
                        yield folder / entry.name
        yield from (folder / name for name in sorted(names.difference(markers), key=lambda name: name == SWEEP_FACTS))


def clear(folder: Path, kind: FolderKind, spared: Container[str] = ()) -> None:
    """Remove the files that specnet has written from a folder, but no other files; parameters as for `written_in`.

    Raises
    ------
    FileError
        If a file cannot be removed, or is a symbolic link.
    """
    with file_errors(folder):
        for path in list(written_in(folder, kind, spared)):
            if not path.is_dir():
                path.unlink(missing_ok=True)
            else:
                remove_temporary_files(path)
                with suppress(OSError):  # it contains other files
                    path.rmdir()


def model_file(path: PathLike) -> PathLike:
    """Return the path of a model file, given this path or the folder of a run or of a sweep's team.

    Raises
    ------
    FileError
        If the path is another folder.
    """
    if not os.path.isdir(path):
        return path
    if kind_of(path) is not TEAM_OF_SWEEP:
        check_run(path, "model")
    return Path(path) / MODEL


def spec_file(path: PathLike) -> PathLike:
    """Return the path of a spec file, given this path or the folder of a run.

    For a run, this is the spec as the user gave it, or the resolved spec if the run overrode settings.

    Raises
    ------
    FileError
        If the path is another folder, or the ``run.json`` in it cannot be read.
    """
    if not os.path.isdir(path):
        return path
    check_run(path, "spec")
    folder = Path(path)
    written = written_spec(folder)
    return folder / RESOLVED if written is None or _facts(folder).get("overrides") else written


def written_spec(folder: Path) -> Path | None:
    """Return the path of the spec, as the user gave it, in a run's folder; None if it is missing."""
    return next((folder / name for name in WRITTEN if (folder / name).is_file()), None)


def folders_of_runs(start: str, *, many: bool = False) -> list[str]:
    """Return the paths of run folders that start with a text, for shell completion.

    Folders are searched up to three levels deep, and the runs of folds and seeds in them too. An empty text stands for
    the current folder and for ``runs`` and ``sweeps`` in it. A sweep contributes the run of its best trial.

    Parameters
    ----------
    start : str
        Start of the paths.
    many : bool
        Whether to return the folders of sweeps and series too.
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
    kind = kind_of(folder)
    if kind is RUN or (many and kind in (SWEEP, SERIES, NESTED)):
        yield folder
    if kind is SWEEP:
        if kind_of(os.path.join(folder, BEST)) is RUN:
            yield f"{folder}/{BEST}"
    elif kind is not RUN and (deepest or kind in (SERIES, NESTED)) and not holds_trials(folder):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _folders_of_runs(f"{folder}/{entry.name}", max(deepest - 1, 0), many=many)


def page_of(folder: Path, start: Path) -> str:
    """Return the URL of a folder's report relative to another folder; an empty text if the report is missing."""
    from urllib.parse import quote

    page = folder / REPORT
    return quote(os.fsencode(os.path.relpath(page, start))) if page.is_file() else ""


def by_numbers(path: str) -> list[list[tuple[int, str]]]:
    """Return a sort key for paths: folder by folder, numbers by size and before letters."""
    return [
        [(int(part), "") if part.isdecimal() and len(part) < 19 else (2**63, part) for part in _PARTS.findall(step)]
        for step in path.split("/")
    ]


def paths_start(path: str) -> Path:
    """Return the folder to which paths in a spec file are relative.

    This is the folder of the file; for a spec in a run's folder, it is the folder of the original spec.
    """
    folder = Path(path).parent
    if Path(path).name not in (RESOLVED, *WRITTEN):
        return folder
    try:
        facts = _facts(folder)
    except FileError:  # not the folder of a run
        return folder
    start = facts.get(SPEC_FOLDER)
    return Path(os.path.realpath(folder), start) if isinstance(start, str) else folder


def folder_of(model: PathLike) -> Path:
    """Return the folder of a model, given this folder or a file in it."""
    return Path(os.path.abspath(model)) if os.path.isdir(model) else Path(os.path.abspath(model)).parent


def training_rows(model: PathLike) -> Any:
    """Return the stored hashes of a run's training rows, given its folder or a file in it; None if nothing is stored.

    For the team of a sweep, these are the hashes of the best trial's run.

    Raises
    ------
    FileError
        If the ``run.json`` of the run cannot be read.
    """
    folder = folder_of(model)
    if kind_of(folder) is TEAM_OF_SWEEP:
        folder = folder.parent / BEST
    return _facts(folder).get(TRAINING_ROWS) if kind_of(folder) is RUN else None


def spec_folder(spec: Path, run: Path) -> str:
    """Return the path of a spec's folder relative to the folder of a run, with forward slashes."""
    return Path(os.path.relpath(os.path.realpath(spec), os.path.realpath(run))).as_posix()


def check_run(folder: PathLike, other: str | None = None) -> None:
    """Raise an error if a path is not the folder of a run.

    Parameters
    ----------
    folder : path
        Path to check.
    other : str, optional
        Kind of file that the user could also have given: ``model`` or ``spec``.

    Raises
    ------
    FileError
        If the path is missing, a file, or another folder.
    """
    if not os.path.exists(folder):
        raise FileError("no such folder", source=os.fspath(folder))
    if os.path.isfile(folder):
        is_spec = os.fspath(folder).lower().endswith((".toml", ".json"))
        hint = f"train it first: `{shlex.join(['specnet', 'run', os.fspath(folder)])}`" if is_spec else None
        raise FileError("is a file; expected the folder of a run", hint=hint, source=os.fspath(folder))
    if kind_of(folder) is not RUN:
        either = f"a {other} file or " if other else ""
        message = f"is a folder without {FACTS}; expected {either}the folder of a run"
        raise FileError(message, hint=_runs_hint(Path(folder), other), source=os.fspath(folder))


def resume_hint(folder: PathLike) -> str:
    """Return the hint with the command that resumes an interrupted run in its folder."""
    command = ["specnet", "run", os.fspath(spec_file(folder)), "--out", os.fspath(folder), "--resume"]
    return f"resume it first: `{shlex.join(command)}`"


def _runs_hint(folder: Path, other: str | None) -> str | None:
    """Return a hint that names the latest runs below a folder, after the model of a sweep's team if it fits."""
    with suppress(OSError):
        found = [*folder.glob(f"*/{FACTS}")] or [*folder.glob(f"*/*/{FACTS}")]
        found = [facts for facts in found if not holds_trials(facts.parent.parent)]
        runs = [str(facts.parent) for facts in sorted(found, key=lambda facts: facts.stat().st_mtime_ns, reverse=True)]
        models = [str(folder / TEAM)] if other == "model" and kind_of(folder / TEAM) is TEAM_OF_SWEEP else []
        if named := [*models, *runs]:
            what = "models" if models else "runs"
            return f"choose one of its {what}: {', '.join(named[:_NAMED])}{', …' * (len(named) > _NAMED)}"
    return None


def _facts(folder: Path) -> dict[str, Any]:
    # Imported here, because callers that only pass the path of a file do not need NumPy.
    from specnet.files.tensors import parse_object

    with file_errors(folder / FACTS):
        return parse_object(read_file(folder / FACTS, LARGEST_RECORD), "the record of a run")
