"""The spec files in a run's folder: which there are, and where relative paths in them start."""

import os
from pathlib import Path as FilePath

from specnet.errors import FileError
from specnet.files import read_file
from specnet.tensor_file import parse_object

FACTS = "run.json"
RESOLVED = "spec.resolved.json"
WRITTEN = ("spec.toml", "spec.json")
SPEC_FOLDER = "spec_folder"
"""The key in a run's facts for the folder of the spec that was run, seen from the run's folder."""
LARGEST_FACTS = 2**30


def paths_start(path: str) -> FilePath:
    """Return where relative paths in a spec file start.

    That is its folder; for a file in a run's folder, it is the folder of the spec that was run.
    """
    folder = FilePath(path).parent
    if FilePath(path).name not in (RESOLVED, *WRITTEN):
        return folder
    try:
        facts = parse_object(read_file(folder / FACTS, LARGEST_FACTS), "the record of a run")
    except FileError:  # no run's folder
        return folder
    start = facts.get(SPEC_FOLDER)
    return FilePath(os.path.realpath(folder), start) if isinstance(start, str) else folder


def spec_folder(spec: FilePath, run: FilePath) -> str:
    """Return the folder of a spec as seen from that of a run."""
    return FilePath(os.path.relpath(os.path.realpath(spec), os.path.realpath(run))).as_posix()
