"""Specs with all their sizes, and those in the folders of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from specnet.errors import SpecError
from specnet.files.run_files import FACTS, RESOLVED, written_spec
from specnet.parts.part import Part
from specnet.running.data_rows import read_data
from specnet.running.run_folder import RunFolder
from specnet.spec import Limits, Resolved, Spec, parse_spec, resolve


def resolved_with_data(spec: Spec) -> Resolved:
    """Return a spec with its sizes; the data are read only if the sizes depend on them.

    Raises
    ------
    SpecError, DataError, FileError
        If a size is not known, or the data cannot be read.
    """
    try:
        return resolve(spec)
    except SpecError as error:
        if spec.data is None or any(diagnostic.code != "unknown-size" for diagnostic in error.diagnostics):
            raise
    return read_data(spec).resolved


def given_spec(
    folder: Path,
    overrides: Sequence[str] = (),
    limits: Limits | None = None,
    *,
    parts: Iterable[type[Part]] = (),
) -> Spec | None:
    """Return the spec that a run was given, with the settings of its command line and others; None if there is none.

    Raises
    ------
    SpecError, FileError
        If it, or ``run.json``, cannot be read.
    """
    written = written_spec(folder)
    if written is None or not (folder / FACTS).is_file():
        return None
    settings = [*RunFolder(folder).overrides(), *overrides]
    return parse_spec(written, overrides=settings, parts=parts, limits=limits)


def resolved_spec(folder: Path, limits: Limits | None = None, *, parts: Iterable[type[Part]] = ()) -> Spec:
    """Return the resolved spec of a run.

    Raises
    ------
    SpecError, FileError
        If it cannot be read.
    """
    return parse_spec(folder / RESOLVED, parts=parts, limits=limits)
