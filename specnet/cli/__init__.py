"""The command line: each verb parses its arguments, calls the public interface, and prints results.

`main` takes the words of a command line. It prints results on standard output and messages on standard error, and ends
with an exit status. Start with `application`, which creates the commands. Each of the modules `start`, `train`, `look`,
`prove` and `use` contains the verbs of one heading of the help. A verb is a function of an `Output` and the values from
the command line. `arguments` has the arguments and options that verbs share. The files of ``specnet predict`` are in
`prediction_files`. `completion` completes words in a shell, without importing parts.

Little is imported before `main` runs, because until then Ctrl-C prints Python's traceback.
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
"""Thresholds of the garbage collector: allocations before a young collection, young collections before an older one."""
COMPLETION_VARIABLE = "_SPECNET_COMPLETE"
"""Environment variable with the name of the completing shell; the only argument is the line up to the cursor."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command ``specnet`` and exit with its status; Ctrl-C is ignored after the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``specnet``; by default the arguments of the process.

    Raises
    ------
    SystemExit
        Always. Its code is 0 for success; 1 for an error in the spec, the data, a file or the training; 2 for an error
        in the command line; 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP; 141 if the reader closed the output.
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
    # Pydantic would search all installed packages for plugins, which no spec needs.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Imported objects are not freed. Garbage collection of them, during a command and at its end, would take longer
    # than most verbs.
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
                # The usual printing of errors might need more memory than there is.
                sys.stderr.write(f"{out_of_memory()}\n")
                return 1
            if not isinstance(error, OSError):
                raise
            # Standard output or standard error cannot be written.
            from specnet.cli.output import abandon

            return abandon(error)


def _prepare_streams() -> None:
    """Make the standard streams accept every text: question marks replace characters that they cannot encode.

    Closed streams are replaced by the null device.
    """
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until the end
        elif isinstance(getattr(stream, "buffer", None), io.RawIOBase):
            # With PYTHONUNBUFFERED, text that the system does not write at once would be lost without an error.
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

    # If standard error cannot be written, the warning is lost and the work continues.
    with suppress(OSError):
        write_line(sys.stderr, f"warning: {message}")
