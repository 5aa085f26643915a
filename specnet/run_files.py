"""The folders that runs, series and sweeps write: their files, which kind one is, and what ``--force`` removes."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specnet.errors import FileError
from specnet.files import PathLike, file_errors, is_temporary, read_file, refuse_link, remove_temporary_files

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
"""Of a trial: its answers for held-out rows."""
METRICS = "metrics.json"
FINDINGS = "findings.json"
CHECKPOINT = "checkpoint.safetensors"
REPORT = "report.html"
RUN_FILES = (*WRITTEN, RESOLVED, MODEL, HISTORY, LAYERS, SNAPSHOTS, METRICS, FINDINGS, FACTS, CHECKPOINT, REPORT)
"""All that a run writes."""

RUNS_TABLE = "runs.csv"
SUMMARY = "summary.json"
"""Means of runs on folds and with seeds, or of the best ones of a nested sweep."""

SWEEPS = "sweeps"
"""The folder in which sweeps are filed."""
SWEEP_FACTS = "sweep.json"
TRIALS = "trials"
TRIALS_TABLE = "trials.csv"
BEST_SPECS = ("best.toml", "best.json")
"""The spec of the best trial; a sweep has one of them."""
BEST = "best"
TEAM = "team"
TEAM_FACTS = "team.json"
"""Which trials are in the team of a sweep."""
JOURNAL = "study.journal"

SPEC_FOLDER = "spec_folder"
"""The key in a run's facts for the folder of the spec that was run, seen from the run's folder."""

TRAINING_ROWS = "training_rows"
"""The key in a run's facts for the hashes of the rows that its model was trained on; null where no rows are stored."""

LARGEST_RECORD = 2**30
_PARTS = re.compile(r"\d+|\D+")
_NAMED = 3
"""How many of the runs in a folder a hint names."""
_REPETITION = r"(seed\d+|(seed\d+_)?fold\d+)"


@dataclass(frozen=True, eq=False)
class FolderKind:
    """A kind of folder that specnet writes.

    Attributes
    ----------
    name : str
        For messages.
    markers : tuple of str
        The files that make a folder one of this kind, if it is none of a kind before it in `KINDS`.
    files : str
        A regular expression for the names of the files in it.
    folders : mapping
        The kinds of the folders in it, by regular expressions for their names, in the order in which they are removed.
    """

    name: str
    markers: tuple[str, ...]
    files: str
    folders: Mapping[str, FolderKind] = field(default_factory=dict)

    def has_file(self, name: str) -> bool:
        """Return whether a file in it has this name."""
        return re.fullmatch(self.files, name) is not None

    def has_folder(self, name: str) -> bool:
        """Return whether a folder in it has this name."""
        return any(re.fullmatch(pattern, name) for pattern in self.folders)


def _names(*names: str) -> str:
    return "|".join(map(re.escape, names))


RUN = FolderKind("a run", (FACTS,), _names(*RUN_FILES))
TEAM_OF_SWEEP = FolderKind("the team of a sweep", (TEAM_FACTS,), _names(MODEL, METRICS, TEAM_FACTS, REPORT))
_TRIAL_FILES = rf"{_names(*RUN_FILES, HELD_OUT)}|{_REPETITION}\.({_names(MODEL, HELD_OUT)})"
_TRIALS = FolderKind("trials", (), "(?!)", {r"\d{4,}": FolderKind("a trial", (FACTS,), _TRIAL_FILES)})
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
"""Files without which no run begins: with one of them alone, a folder is that of a run that has not finished."""


def kind_of(folder: PathLike) -> FolderKind | None:
    """Return the kind of a folder; None if it is none that specnet has written, or what was begun has no result."""
    return next(kinds_in(folder), None)


def trial_name(number: int) -> str:
    """Return the folder of a trial, as seen from that of its sweep."""
    return f"{TRIALS}/{number:04}"


def holds_trials(folder: PathLike) -> bool:
    """Return whether a folder is the one in which a sweep keeps its trials, which are no runs to go on with."""
    before, name = os.path.split(os.path.abspath(folder))
    return name == TRIALS and kind_of(before) is SWEEP


def kinds_in(folder: PathLike) -> Iterator[FolderKind]:
    """Yield all kinds whose markers are in a folder, the first of which decides; none of one that is being written."""
    for kind in KINDS if not is_temporary(os.path.basename(folder)) else ():
        if all(os.path.isfile(os.path.join(folder, name)) for name in kind.markers):
            yield kind


def parts_of(folder: Path, kind: FolderKind) -> list[Path]:
    """Return the folders in one that its kind has, in the order of their names, numbers by size.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    with file_errors(folder):
        found = [path for path in folder.iterdir() if kind.has_folder(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: by_numbers(path.name))


def written_in(folder: Path, kind: FolderKind, spared: Container[str] = ()) -> Iterator[Path]:
    """Yield the files and folders that are to be removed from a folder which becomes one of a kind, in this order.

    They are all that this kind has, and those kinds that the folder is of. What makes a result finished comes first,
    and what makes a folder a sweep last: without it, its trials could be taken for runs. So whatever is left at any
    moment is the earlier result, or an unfinished one. A folder comes after what is in it.

    Parameters
    ----------
    folder : Path
    kind : FolderKind
    spared : container of str
        Names of files in the folder that stay.

    Raises
    ------
    TakenError
        If a link is among them, which specnet has not made.
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
    """Remove from a folder what specnet has written there, but no other files; parameters as for `written_in`.

    Raises
    ------
    FileError
    """
    with file_errors(folder):
        for path in list(written_in(folder, kind, spared)):
            if not path.is_dir():
                path.unlink(missing_ok=True)
            else:
                remove_temporary_files(path)
                with suppress(OSError):  # something else is in it
                    path.rmdir()


def model_file(path: PathLike) -> PathLike:
    """Return the path of a model; the folder of a run, or of a sweep's team, stands for the model in it.

    Raises
    ------
    FileError
        If it is a folder, and no run's.
    """
    if not os.path.isdir(path):
        return path
    if kind_of(path) is not TEAM_OF_SWEEP:
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
    """Return the address of the page of a folder, as seen from another one; empty where there is none."""
    from urllib.parse import quote

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
    """Return what a run has stored of its training rows, for its folder or a file in it; None if there is nothing.

    The team of a sweep was trained on those of the best trial's run.

    Raises
    ------
    FileError
        If its ``run.json`` cannot be read.
    """
    folder = Path(os.path.abspath(model)) if os.path.isdir(model) else Path(os.path.abspath(model)).parent
    if kind_of(folder) is TEAM_OF_SWEEP:
        folder = folder.parent / BEST
    return _facts(folder).get(TRAINING_ROWS) if kind_of(folder) is RUN else None


def spec_folder(spec: Path, run: Path) -> str:
    """Return the folder of a spec as seen from that of a run."""
    return Path(os.path.relpath(os.path.realpath(spec), os.path.realpath(run))).as_posix()


def check_run(folder: PathLike, other: str | None = None) -> None:
    """Check that a folder is that of a run.

    Parameters
    ----------
    folder : path
    other : str, optional
        What else could have been given: ``model`` or ``spec``.

    Raises
    ------
    FileError
    """
    if not os.path.exists(folder):
        raise FileError("no such folder", source=os.fspath(folder))
    if os.path.isfile(folder):
        raise FileError("is a file; expected the folder of a run", source=os.fspath(folder))
    if kind_of(folder) is not RUN:
        either = f"a {other} file or " if other else ""
        message = f"is a folder without {FACTS}; expected {either}the folder of a run"
        raise FileError(message, hint=_runs_hint(Path(folder), other), source=os.fspath(folder))


def _runs_hint(folder: Path, other: str | None) -> str | None:
    """Return the runs that lie in a folder or in its folders, the latest first; before them a model of several runs."""
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
    # Imported late: a caller with a plain file's path has no use for NumPy.
    from specnet.files.tensors import parse_object

    with file_errors(folder / FACTS):
        return parse_object(read_file(folder / FACTS, LARGEST_RECORD), "the record of a run")
