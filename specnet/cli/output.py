"""Output and end of a verb: results on standard output, messages on standard error, and one exit status."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

import typer

from specnet.cli.startup import was_interrupted
from specnet.errors import (
    Diagnostic,
    FileError,
    SpecnetError,
    TakenError,
    is_memory_shortage,
    out_of_memory,
    rendered,
    signal_of,
)
from specnet.report.terminal.terminal_output import (
    TextTable,
    write_command,
    write_line,
    write_mistakes,
    write_parts,
    write_prose,
    write_rows,
    write_table,
)

if TYPE_CHECKING:
    from specnet.saved.expectations_file import JudgedExpectation

MAX_IN_MEMORY = 2**24
"""Most bytes of data that are retained in memory until they are printed; more bytes go to a temporary file."""


class OutputFormat(StrEnum):
    """Formats in which results and mistakes are printed."""

    TEXT = "text"
    JSON = "json"


class CatalogueFormat(StrEnum):
    """Formats in which `parts` prints."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class MistakesFormat(StrEnum):
    """Formats in which `validate` prints."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


class UsageError(SpecnetError):
    """The command line is wrong, or requests something impossible."""

    code = "usage"


class _StoppedError(SpecnetError):
    code = "interrupted"
    status = 130


_STOPPED = {"Ctrl-C": 130, "SIGTERM": 143, "SIGHUP": 129}
"""Exit status after each signal that stops a verb."""
EXPECTATION_BROKEN = 3
"""Exit status if an expectation of a spec is broken; all files are written."""


class _OutputError(Exception):
    """Standard output or standard error cannot be written."""

    def __init__(self, cause: OSError) -> None:
        self.cause = cause
        super().__init__(str(cause))


class Output:
    """The printed output and the exit status of a verb.

    Attributes
    ----------
    format : StrEnum
        Format requested by ``--format``.
    quiet : bool
        Whether only mistakes and requested results are printed.
    answers : bool
        Whether the printed text is the requested result, and not a report on files that the verb wrote or checked.
    context : typer.Context
        Context of the called verb; None if the command line is wrong.
    as_json : bool
        Whether everything goes into one JSON document.
    data : dict
        Content of the document except its ``errors``.
    status : int
        Exit status so far.
    """

    def __init__(self, output_format: StrEnum, quiet: bool, answers: bool = False, context: Any = None) -> None:
        self.format, self.quiet, self.answers, self.context = output_format, quiet, answers, context
        self.as_json = output_format == OutputFormat.JSON
        self.data: dict[str, Any] = {}
        self.status = 0
        self._errors: list[dict[str, Any]] = []
        self._document: str | None = None
        self._stream: IO[bytes] | None = None

    @property
    def speaks(self) -> bool:
        """Whether remarks and progress are printed as text."""
        return not (self.quiet or self.as_json)

    @property
    def mistake_count(self) -> int:
        """The number of mistakes so far."""
        return len(self._errors)

    def line(self, text: str = "") -> None:
        """Print a line of a result as text."""
        self._print(write_line, text)

    def parts(self, *parts: str, label: str = "") -> None:
        """Print a line of a result, broken between parts on a narrow terminal; the label is highlighted."""
        self._print(write_parts, *parts, label=label)

    def command(self, text: str) -> None:
        """Print a command that can be copied."""
        self._print(write_command, text)

    def prose(self, text: str) -> None:
        """Print paragraphs of a result, whose lines are broken to fit a terminal."""
        self._print(write_prose, text)

    def table(self, table: TextTable) -> None:
        """Print a table of results as text."""
        self._print(write_table, table)

    def rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Print rows of results without a header as text."""
        self._print(write_rows, rows)

    def written(self, file: Path) -> None:
        """Print the path of a written file, alone on a line."""
        if self.speaks:
            self.line(str(file))

    def page(self, file: Path, *, is_opened: bool) -> None:
        """Print the path of a page, alone on a line, so that terminals make it a link; open it if `is_opened`."""
        self.written(file)
        if is_opened:
            import webbrowser

            sys.stdout.flush()
            if not webbrowser.open(file.resolve().as_uri()):
                self.warnings(Diagnostic("browser", "no browser to open the page", source=str(file)), always=True)

    def _print(self, write: Callable[..., None], *content: Any, **options: Any) -> None:
        if self.speaks or (self.answers and not self.as_json):
            with _writing():
                write(sys.stdout, *content, **options)

    def remark(self, text: str) -> None:
        """Print a text on standard error."""
        self._print_beside(self.speaks, write_line, text)

    def warnings(self, *diagnostics: Diagnostic, always: bool = False) -> None:
        """Print warnings on standard error (if `always`, also with ``--quiet``), or as ``warnings`` in the document."""
        for diagnostic in diagnostics:
            self.data.setdefault("warnings", []).append(diagnostic.as_dict())
        for text in rendered(diagnostics):
            self._print_beside(not self.as_json if always else self.speaks, write_mistakes, text)

    def _print_beside(self, is_shown: bool, write: Callable[[TextIO, str], None], text: str) -> None:
        if is_shown:
            with _writing():
                sys.stdout.flush()
                write(sys.stderr, text)

    def document(self, text: str) -> None:
        """Set the text that is printed at the end as data: exactly, in UTF-8, also with ``--quiet``."""
        self._document = text if not text or text.endswith("\n") else text + "\n"

    def data_stream(self) -> IO[bytes]:
        """Return a temporary file for large data; its content is printed at the end, unless there are errors."""
        from tempfile import SpooledTemporaryFile

        self._stream = SpooledTemporaryFile(MAX_IN_MEMORY, prefix="specnet-")  # noqa: SIM115 - `close` closes it
        return self._stream

    def mistakes(self, error: SpecnetError) -> None:
        """Print the mistakes of an error; the exit status becomes the largest status so far."""
        status = error.status if isinstance(error, _StoppedError) else 1 + isinstance(error, UsageError | TakenError)
        self.status = max(self.status, status)
        self._errors += [diagnostic.as_dict() for diagnostic in error.diagnostics]
        self._print_beside(not self.as_json, write_mistakes, str(error))

    def close(self) -> None:
        """Print the data, the text or the JSON document; after mistakes, only the JSON document if requested."""
        with _writing(), self._stream or nullcontext():
            if self._stream is not None and not self._errors:
                self._stream.seek(0)
                shutil.copyfileobj(self._stream, sys.stdout.buffer)
            elif self._document is not None and not self._errors:
                _write_data(self._document)
            elif self.as_json:
                document = _without_nan({"errors": self._errors, **self.data})
                _write_data(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
            sys.stdout.flush()
            sys.stderr.flush()


def show_expectations(judged: Sequence[JudgedExpectation], output: Output, of: str = "") -> None:
    """Print how many expectations are met, and each that is not; a broken one makes the exit status 3.

    `of` says what is judged, unless it is the model.
    """
    from specnet.saved.expectations_file import fails, not_met, summary

    if not judged:
        return
    output.data["expectations"] = [*judged]
    output.parts(f"{of}: {summary(judged)}" if of else summary(judged))
    for line in not_met(judged):
        output.parts(line, label=f"{line.partition(':')[0]}:")
    if fails(judged):
        output.status = EXPECTATION_BROKEN


def stopped_by(signal: str, reached: str = "", hint: str | None = None) -> SpecnetError:
    """Return the error of a verb stopped by ``Ctrl-C``, ``SIGTERM`` or ``SIGHUP``; `reached` describes its progress."""
    error = _StoppedError("; ".join(filter(None, [f"stopped by {signal}", reached])), hint=hint)
    error.status = _STOPPED[signal]
    return error


@contextmanager
def reporting(output_format: StrEnum, quiet: bool, answers: bool = False, context: Any = None) -> Iterator[Output]:
    """Yield the output of a verb, and turn any error that ends the verb into a message and an exit status.

    The parameters are the same as in `Output`.

    Raises
    ------
    typer.Exit
        With 1 or 2 after mistakes; with 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP; with 141 if the
        reader closed the output.
    """
    output = Output(output_format, quiet, answers, context)
    try:
        try:
            yield output
        except _OutputError:
            raise
        except GeneratorExit:
            raise
        except BaseException as error:  # also a part's SystemExit, which must not end the command
            # A library may raise any error for Ctrl-C.
            stopped = was_interrupted() and not isinstance(error, KeyboardInterrupt | _StoppedError)
            output.mistakes(_for_user(KeyboardInterrupt() if stopped else error))
        output.close()
    except _OutputError as error:
        raise typer.Exit(abandon(error.cause)) from None
    if output.status:
        raise typer.Exit(output.status)


def abandon(error: OSError) -> int:
    """Report that standard output or standard error cannot be written, and redirect them to the null device.

    Returns
    -------
    int
        Exit status. If a reader such as ``head`` closed the output, nothing is reported, and the status is 141, as of a
        process ended by SIGPIPE.
    """
    status = 128 + 13 if error.errno == errno.EPIPE else 1
    if status == 1:
        with suppress(OSError):
            write_line(sys.stderr, f"error[file]: cannot write the output: {error.strerror or error}")
            sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    return status


def _for_user(error: BaseException) -> SpecnetError:
    """Return the error that a user sees, for any exception that ended a verb."""
    if is_memory_shortage(error):
        return out_of_memory()
    if isinstance(error, SpecnetError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return stopped_by(signal_of(error), str(error))
    if isinstance(error, OSError):
        return FileError(error.strerror or str(error), source=error.filename and os.fsdecode(error.filename))
    from specnet.parts.blame import part_behind, part_error

    # In Python's development mode, the traceback helps to find the bug.
    if sys.flags.dev_mode:
        raise error
    part = part_behind(error)
    if part is not None:
        return part_error(part, error)
    hint = "this is a bug in specnet; set PYTHONDEVMODE=1 for a traceback"
    return SpecnetError(Diagnostic("internal", f"{type(error).__name__}: {error}", hint=hint))


@contextmanager
def _writing() -> Iterator[None]:
    """Convert an OSError within this context to `_OutputError`: output failed, and no other file."""
    try:
        yield
    except OSError as error:
        raise _OutputError(error) from error


def _without_nan(data: Any) -> Any:
    """Return data in which None replaces NaN and infinities, which JSON does not have."""
    if isinstance(data, dict):
        return {key: _without_nan(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_without_nan(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _write_data(text: str) -> None:
    # A lone surrogate, as in a file name that is not UTF-8, becomes its escape in JSON.
    data = text.encode(errors="backslashreplace")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
