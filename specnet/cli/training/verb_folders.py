"""Folders that verbs make for what they write, and how to go on in them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from specnet.cli.inputs import STANDARD_INPUT


@contextmanager
def new_or(out: Path | None, name: str | None, top: str = "runs") -> Iterator[Path]:
    """Give the folder to write, by default the next number of a name; where nothing was written, no empty ones stay."""
    from specnet.running.run_folder import new_folder

    folder = out or new_folder(name, top)
    try:
        yield folder
    finally:
        if out is None:
            with suppress(OSError):
                folder.rmdir()
                folder.parent.rmdir()
                folder.parent.parent.rmdir()


def resume_command(
    verb: str, spec: Path, folder: Path, overrides: Sequence[str] | None, options: Sequence[str], *, stands: bool = True
) -> str:
    """Return the command that goes on with what was interrupted.

    Parameters
    ----------
    verb : str
    spec, folder : Path
    overrides, options : sequence of str
    stands : bool
        Whether the folder can stand for a spec that was read from standard input.
    """
    settings = [word for setting in overrides or () for word in ("--set", setting)]
    if spec == STANDARD_INPUT and stands:  # which is read and gone; the folder has what was run
        spec, settings = folder, []
    return shlex.join(["specnet", verb, str(spec), "--out", str(folder), *settings, *options, "--resume"])
