"""The command line: each verb parses its arguments, calls the public interface, and prints.

`main` takes the words of a command line; it prints results on standard output, all else on standard error, and ends
with an exit status. Start at `application`, which makes the commands. The verbs of one heading of the help are in one
module: `start`, `train`, `look`, `prove` and `use`. Each is a function of an `Output` and of what the command line
gives. `arguments` has the arguments and options that verbs share. The catalogue of ``specnet parts`` is in
`catalogue`, the files of ``specnet predict`` in `prediction_files`. `completion` and `schema_keys` complete words in a
shell: they read the keys of specs from the JSON Schema alone, without importing a part.

Little is imported before `main` runs: until then Ctrl-C ends in Python's own traceback.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import warnings

from specnet.cli.startup import check_imports, ignore_interrupts, take_interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn, TextIO

COLLECTION_THRESHOLDS = 300_000, 100
"""Allocations before young objects are searched for cycles, and how often that happens before older ones are."""
COMPLETION_VARIABLE = "_SPECNET_COMPLETE"
"""The variable with the name of the shell that completes a line; the only argument is the line up to the cursor."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command ``specnet`` and end with its exit status; Ctrl-C is ignored from then on.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``specnet``; by default the process's own arguments.

    Raises
    ------
    SystemExit
        Always. Its code is 0 when all was done; 1 when the spec, the data, a file or the training is at fault; 2 when
        the command line is; 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP; 141 when the reader of the output
        has gone.
    """
    try:
        take_interrupts()
        status = _status(sys.argv[1:] if arguments is None else arguments)
        ignore_interrupts()
    except KeyboardInterrupt:
        ignore_interrupts()
        status = 130
    raise SystemExit(status)


def _status(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    # Pydantic's plugins, which no spec needs, would be looked for in all installed packages.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # What a command imports is not freed. To search it for cycles, now and then and at the end, would take longer than
    # most verbs do.
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    atexit.register(gc.freeze)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            _prepare_streams()
            check_imports()
            if shell := os.environ.get(COMPLETION_VARIABLE):
                from specnet.cli.application import VERBS, specnet_command
                from specnet.cli.completion import complete

                complete(shell, arguments[-1] if arguments else "", tuple(VERBS), specnet_command)
                sys.stdout.flush()
                return 0
            from specnet.cli.application import call

            return call(arguments)
        except (OSError, ImportError, MemoryError, RuntimeError) as error:
            from specnet.errors import is_memory_shortage, out_of_memory

            if is_memory_shortage(error):
                # There may be too little memory even for what prints errors.
                sys.stderr.write(f"{out_of_memory()}\n")
                return 1
            if not isinstance(error, OSError):
                raise
            # Standard output or standard error cannot be written.
            from specnet.cli.output import abandon

            return abandon(error)


def _prepare_streams() -> None:
    """Make streams accept every text: characters that they lack become question marks, closed ones take anything."""
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until the end
        elif isinstance(getattr(stream, "buffer", None), io.RawIOBase):
            # Unbuffered, as PYTHONUNBUFFERED requests: what is not written at once would be lost without an error.
            number, encoding = stream.fileno(), stream.encoding
            buffered = open(number, "w", 1, encoding, errors="replace", closefd=False)  # noqa: SIM115 - as above
            setattr(sys, name, buffered)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    from contextlib import suppress

    from specnet.report.terminal.terminal_output import write_line

    # Where standard error cannot be written nobody can be warned, and the work goes on.
    with suppress(OSError):
        write_line(sys.stderr, f"warning: {message}")
