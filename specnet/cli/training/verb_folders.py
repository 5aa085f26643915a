"""Folders that verbs make for what they write, and how to go on in them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from specnet.cli.inputs import STANDARD_INPUT
from specnet.cli.output import Output, UsageError, stopped_by


@contextmanager
def verb_folder(
    output: Output, out: Path | None, name: str | None, command: ResumeCommand, top: str = "runs"
) -> Iterator[Path]:
    """Give the folder to write, by default the next number of a name; where nothing was written, no empty ones stay.

    Raises
    ------
    SpecnetError
        If a run in it is interrupted: with the command that goes on.
    """
    from specnet.running.run_folder import new_folder
    from specnet.running.runner import RunInterrupted

    folder = out or new_folder(name, top)
    output.data["folder"] = str(folder)
    try:
        yield folder
    except RunInterrupted as stopped:
        going_on = None if stopped.finished else f"to resume: {command.words(folder)}"
        raise stopped_by(stopped.signal, str(stopped), going_on) from None
    finally:
        if out is None:
            with suppress(OSError):
                folder.rmdir()
                folder.parent.rmdir()
                folder.parent.parent.rmdir()


def check_page_wanted(*, is_opened: bool, no_report: bool) -> None:
    """Refuse to open a page that is not to be written.

    Raises
    ------
    UsageError
    """
    if is_opened and no_report:
        raise UsageError("--open cannot be combined with --no-report")


def tell_folder(output: Output, folder: Path, *parts: str, is_opened: bool) -> None:
    """Print what a verb has written into a folder, then where its page is if it has one, which may be opened."""
    from specnet.files.run_files import REPORT

    output.parts(str(folder), *parts)
    if (folder / REPORT).is_file():
        output.page(folder / REPORT, is_opened=is_opened)


class ResumeCommand:
    """The command that goes on with what was interrupted.

    Parameters
    ----------
    verb : str
    spec : Path
    overrides : sequence of str
    stands : bool
        Whether the folder can stand for a spec that was read from standard input.
    **options
        As the verb has them.
    """

    def __init__(
        self, verb: str, spec: Path, overrides: Sequence[str] | None = None, *, stands: bool = False, **options: Any
    ) -> None:
        self.verb, self.spec, self.options = verb, spec, options
        self.settings = [*(overrides or ())]
        self.folder_stands = stands and spec == STANDARD_INPUT  # which is read and gone; the folder has what was run

    def words(self, folder: Path) -> str:
        """Return the command for a folder."""
        what = [str(folder)] if self.folder_stands else [str(self.spec)]
        settings = [] if self.folder_stands else option_words(set=self.settings)
        options = [*settings, *option_words(**self.options)]
        return shlex.join(["specnet", self.verb, *what, "--out", str(folder), *options, "--resume"])

    def check(self, folder: Path, out: Path | None, *, resume: bool, force: bool) -> None:
        """Refuse to resume without a folder, of which one is proposed, or with what replaces it.

        Raises
        ------
        UsageError
        """
        if resume and force:
            raise UsageError("--resume cannot be combined with --force")
        if resume and out is None:
            bare = ResumeCommand(self.verb, self.spec)
            raise UsageError("--resume needs --out", hint=f"use {bare.words(folder)}")


def option_words(**options: Any) -> list[str]:
    """Return options as they are typed: none for None and False, one without a value for True, several for a list."""
    words = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        values = value if isinstance(value, list) else [] if value in (None, False) else [value]
        words += [word for each in values for word in ([option] if each is True else [option, str(each)])]
    return words
