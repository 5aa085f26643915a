"""The command line: each verb parses its arguments, calls the public interface, and prints.

In come words, out go results on standard output, all else on standard error, and an exit status. Start at
`application`, where the verbs of `specs`, `training` and `models` are put together: each is a function of an `Output`
and of what the command line says. `inputs` and `options` are what verbs share, `usage` tells what a line gets wrong.
Keys of specs are read here from the JSON Schema alone (`schema_keys`), without importing a part: the shell completes
them.

Little is imported before `main` runs: until then Ctrl-C ends in Python's own traceback.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import warnings

from specnet.cli import interrupts
from specnet.cli.memory_limit import check_imports
from specnet.cli.shells import VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn, TextIO

RARE_COLLECTIONS = 300_000, 100
"""Allocations before new objects are looked through, and how often that happens before older ones are."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command ``specnet`` and end with its exit status; Ctrl-C is ignored from then on.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind ``specnet``; by default the process's own arguments.

    Raises
    ------
    SystemExit
        Always. Its code is 0 when all was done; 1 when the spec, the data, a file or the training is at fault; 2 when
        the command line is; 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP; 141 when whoever read the output has
        gone.
    """
    try:
        interrupts.install()
        status = _status(sys.argv[1:] if arguments is None else arguments)
        interrupts.ignore()
    except KeyboardInterrupt:
        interrupts.ignore()
        status = 130
    raise SystemExit(status)


def _status(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    # Pydantic's plugins, which no spec needs, would be looked for in all installed packages.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # What a command imports stays. Looking through it for cycles, now and then and at the end, would take longer than
    # most verbs do.
    gc.set_threshold(*RARE_COLLECTIONS)
    atexit.register(gc.freeze)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            _prepare_streams()
            check_imports()
            if VARIABLE in os.environ:
                from specnet.cli.completion import complete

                complete(arguments[-1] if arguments else "")
                sys.stdout.flush()
                return 0
            from specnet.cli.application import call

            return call(arguments)
        except (OSError, ImportError, MemoryError, RuntimeError) as error:
            from specnet.errors import is_memory_shortage, out_of_memory

            if is_memory_shortage(error):
                # Not even what prints an error for people may be there.
                sys.stderr.write(f"{out_of_memory()}\n")
                return 1
            if not isinstance(error, OSError):
                raise
            # Standard output or standard error cannot be written.
            from specnet.cli.output import abandon

            return abandon(error)


def _prepare_streams() -> None:
    """Let every text be printed: signs that the encoding lacks become question marks, closed streams swallow it."""
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until the end
        elif isinstance(getattr(stream, "buffer", None), io.RawIOBase):
            # Unbuffered, as PYTHONUNBUFFERED asks for: what does not go in at once would be dropped without a word.
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

    # Nobody is left to be warned where standard error cannot be written, and the work goes on.
    with suppress(OSError):
        write_line(sys.stderr, f"warning: {message}")
