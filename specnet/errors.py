"""All errors for users: each says what is wrong, where, and what to write instead."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from unicodedata import category, east_asian_width

Path = tuple[str | int, ...]


class Position(NamedTuple):
    """A position in a text: line and column from 1, and the length of the value, all columns in characters."""

    line: int
    column: int
    length: int = 1


MAX_LISTED = 12
"""Maximum number of columns that a merged warning lists."""


class OneOfMany(NamedTuple):
    """Texts with which a warning about one column is merged with warnings of the same kind about other columns.

    Attributes
    ----------
    item : str
        The column as an item of the list of columns, with details of this column.
    message : str
        The message about all listed columns, such as ``are empty in all training rows``.
    hint : str or None
        The advice for all listed columns.
    settings : str
        The setting for this column; the settings of all listed columns are added to the hint.
    """

    item: str
    message: str
    hint: str | None = None
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake, with its position and a hint.

    Attributes
    ----------
    code : str
        A stable name for the kind of mistake, such as ``unknown-part``.
    message : str
        The mistake, in one sentence that names the value.
    path : tuple of str and int
        Keys and indices that lead to the value in the document; empty for the whole document.
    source : str or None
        The file as the user named it, or ``--set #2``, or ``<text>``; None if there is no text.
    position : Position or None
        The position of the value in the source.
    line_text : str or None
        The source's line at that position.
    hint : str or None
        Advice on what to write instead.
    notes : tuple of Diagnostic
        Notes about other values that the mistake concerns.
    at_key : bool
        Whether the key at the path is wrong, not the value; set if there is no text.
    of_many : OneOfMany or None
        Texts for merging a warning that several columns may have.
    table_column : str or None
        The column of the user's table whose reading a warning is about.
    """

    code: str
    message: str
    path: Path = ()
    source: str | None = None
    position: Position | None = None
    line_text: str | None = None
    hint: str | None = None
    notes: tuple[Diagnostic, ...] = ()
    at_key: bool = False
    of_many: OneOfMany | None = None
    table_column: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the diagnostic as plain data for ``--format json``."""
        position = self.position
        data: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "source": self.source,
            "path": list(self.path),
            "line": position and position.line,
            "column": position and position.column,
            "length": position and position.length,
            "hint": self.hint,
        }
        if self.notes:
            data["notes"] = [note.as_dict() for note in self.notes]
        return data


class SpecnetError(Exception):
    """Base of all errors that specnet raises for a user to read.

    Attributes
    ----------
    diagnostics : tuple of Diagnostic
        The mistakes, in the order of the document; never empty.
    """

    code = "error"

    def __init__(self, *problems: str | Diagnostic, hint: str | None = None, source: str | None = None) -> None:
        self.diagnostics = tuple(
            problem if isinstance(problem, Diagnostic) else Diagnostic(self.code, problem, hint=hint, source=source)
            for problem in problems
        )
        super().__init__(*problems)

    def __str__(self) -> str:
        return "\n".join(render(diagnostic) for diagnostic in self.diagnostics)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.diagnostics, vars(self)


class SpecError(SpecnetError):
    """A spec is not valid."""

    code = "spec"


class SpecnetWarning(UserWarning):
    """A spec or its data look suspicious but can be trained."""


class DataError(SpecnetError, ValueError):
    """Arrays, tables or other arguments are not valid."""

    code = "data"


class TrainingError(SpecnetError):
    """Training failed, for example because the loss is no longer finite.

    Attributes
    ----------
    history : list of dict
        The records of the epochs before the failure.
    layer_records : list of dict
        Statistics of the layers until the failure, the last ones for the final parameters; empty if the run was not
        recorded.
    """

    code = "training"

    def __init__(self, *problems: str | Diagnostic, hint: str | None = None, source: str | None = None) -> None:
        super().__init__(*problems, hint=hint, source=source)
        self.history: list[dict[str, Any]] = []
        self.layer_records: list[dict[str, Any]] = []


class NotFiniteError(TrainingError):
    """The loss or a parameter is no longer finite.

    Attributes
    ----------
    findings : list of dict
        The causes, in the format of ``findings.json``.
    fitted : tuple or None
        The encoder, the training rows and the split of the failed training, from which the causes are found.
    """

    def __init__(self, *problems: str | Diagnostic, hint: str | None = None, source: str | None = None) -> None:
        super().__init__(*problems, hint=hint, source=source)
        self.findings: list[dict[str, Any]] = []
        self.fitted: tuple[Any, Any, Any] | None = None


class FileError(SpecnetError):
    """A file is missing, damaged or of the wrong kind."""

    code = "file"


class PartError(SpecnetError):
    """A part from another package raises an error or returns the wrong kind of value."""

    code = "broken-part"


class TakenError(FileError):
    """A file or folder to write already exists and may not be overwritten."""

    code = "taken"


class LoggerError(SpecnetError):
    """A log cannot be started, for example because a package that it needs is not installed."""

    code = "logger"


class ExportError(SpecnetError, ValueError):
    """A model cannot be exported, or the exported file does not predict as the model does."""

    code = "export"


class UnsupportedError(ExportError):
    """The export format does not support a feature of the model."""


class MissingPackageError(ExportError):
    """A package that an export needs is not installed."""


def install_hint(extra: str) -> str:
    """Return the hint that says how to install the packages of an extra."""
    return f"run pip install '.[{extra}]' in a clone of the repository"


class Terminated(KeyboardInterrupt):
    """The process has received a signal to end other than SIGINT (Ctrl-C).

    Attributes
    ----------
    signal : str
        ``SIGTERM``, or ``SIGHUP`` if the terminal was closed.
    """

    def __init__(self, signal: str) -> None:
        super().__init__()
        self.signal = signal


def signal_of(interruption: KeyboardInterrupt) -> str:
    """Return the signal of an interruption as a user knows it: ``Ctrl-C``, ``SIGTERM`` or ``SIGHUP``."""
    return interruption.signal if isinstance(interruption, Terminated) else "Ctrl-C"


_NO_MEMORY = re.compile(
    "failed to map segment|cannot allocate memory(?! in static)|can't start new thread", re.IGNORECASE
)
"""Messages of the system's loader and of Python's threads; exhausted static thread-local storage is excluded."""


def is_memory_shortage(error: BaseException | None) -> bool:
    """Return whether an error, or one of its causes, means that the system has refused more memory."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        if isinstance(error, ImportError | RuntimeError) and _NO_MEMORY.search(str(error)):
            return True
        # Python raises SystemError if an extension fails without setting its MemoryError.
        if isinstance(error, SystemError) and not _can_allocate(2**26):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


def _can_allocate(size: int) -> bool:
    try:
        bytearray(size)
    except MemoryError:
        return False
    return True


def out_of_memory() -> SpecnetError:
    """Return the error for a lack of memory; it names the memory limit of this process (``ulimit -v``), if any."""
    limit = _memory_limit()
    if limit is None:
        return SpecnetError(Diagnostic("memory", "not enough memory"))
    message = f"not enough memory: this process is limited to {limit // 2**20} MiB"
    hint = "raise the limit with `ulimit -v`, or set OPENBLAS_NUM_THREADS=1: libraries take memory for each thread"
    return SpecnetError(Diagnostic("memory", message, hint=hint))


def _memory_limit() -> int | None:
    """Return the limit on the address space of this process in bytes, or None if it is unlimited or unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def rendered(warnings: Iterable[Diagnostic]) -> list[str]:
    """Return warnings as texts; warnings of one kind about several columns are merged into the first of them."""
    groups: dict[object, list[tuple[str, Diagnostic]]] = {}
    for number, each in enumerate(warnings):
        item, message, hint = each.of_many[:3] if each.of_many else ("", number, None)
        groups.setdefault((each.code, each.source, each.path, message, hint), []).append((item, each))
    return [render(_together(*zip(*group, strict=True)), "warning") for group in groups.values()]


def _together(items: Sequence[str], warnings: Sequence[Diagnostic]) -> Diagnostic:
    """Merge warnings of one kind about several columns into one warning."""
    first, of_many = warnings[0], warnings[0].of_many
    if len(warnings) == 1 or of_many is None:
        return first
    listed = ", ".join(items[:MAX_LISTED]) + ", …" * (len(items) > MAX_LISTED)
    settings = [each.of_many.settings for each in warnings[:MAX_LISTED] if each.of_many and each.of_many.settings]
    hint = " ".join(filter(None, [of_many.hint, ", ".join(settings)]))
    if settings and len(items) > MAX_LISTED:
        hint += ", …"
    return replace(first, message=f"{len(items)} columns {of_many.message}: {listed}", hint=hint or None)


def render(diagnostic: Diagnostic, level: str = "error") -> str:
    """Return a diagnostic as text: location, code, message, the line with the value underlined, and the hint."""
    position = diagnostic.position
    location = (diagnostic.source, position and position.line, position and position.column)
    where = [str(part) for part in location if part is not None]
    if not where and diagnostic.path:
        where = [".".join(map(str, diagnostic.path))]
    label = level if level == "note" else f"{level}[{diagnostic.code}]"
    lines = _visible(
        ": ".join(
            [
                *([":".join(where).replace("\n", "\N{REPLACEMENT CHARACTER}")] if where else []),
                label,
                diagnostic.message,
            ]
        )
    ).split("\n")
    hint = _visible(diagnostic.hint or "")
    if position is not None and diagnostic.line_text is not None:
        number = str(position.line)
        text, marks = _underlined(diagnostic.line_text, position.column - 1, position.length)
        lines += [f"{'':3}{number} | {text}", f"{'':{len(number) + 3}} | {marks}"]
        if hint:
            lines[-1] += f" {hint}"
    elif hint:
        lines.append(f"    {hint}")
    lines += [render(note, "note") for note in diagnostic.notes]
    return "\n".join(lines)


_WIDEST_LINE = 160
_SHOWN_BEFORE = 60


def _underlined(line: str, start: int, length: int) -> tuple[str, str]:
    """Return a printable line, shortened to a window around the value, and the line of carets that underlines it."""
    low = max(0, start - _SHOWN_BEFORE) if len(line) > _WIDEST_LINE else 0
    high = min(len(line), low + _WIDEST_LINE)
    before, value, after = line[low:start], line[start : min(start + length, high)], line[start + length : high]
    before, value, after = _visible(before), _visible(value), _visible(after)
    if low > 0:
        before = "…" + before
    if high < len(line):
        after += "…"
    return before + value + after, " " * _columns(before) + "^" * max(1, _columns(value))


def _visible(text: str) -> str:
    """Return lines with tabs as spaces and with control and unprintable characters replaced, safe for a terminal."""
    safe = (
        "\N{REPLACEMENT CHARACTER}" if category(each) in _UNSAFE and each != "\n" else each
        for each in text.replace("\t", "    ")
    )
    return "".join(safe)


_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_WITHOUT_WIDTH = ("Mn", "Me")


def _columns(text: str) -> int:
    """Return the width of a text in terminal columns: East Asian characters take two, combining characters none."""
    return sum(0 if category(each) in _WITHOUT_WIDTH else 2 if east_asian_width(each) in "WF" else 1 for each in text)
