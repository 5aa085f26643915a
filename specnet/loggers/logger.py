"""The interface of a logger, with the methods `start`, `log` and `finish`, and a logger that writes JSON lines."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, final

from specnet import extras
from specnet.errors import FileError, LoggerError, SpecnetError, SpecnetWarning
from specnet.files import PathLike, check_path, file_errors, read_file, refuse_inputs, refuse_taken, write_file
from specnet.files.plain_data import json_lines
from specnet.run_files import LARGEST_RECORD, RUN
from specnet.spec.file_paths import input_files
from specnet.training.checkpoint import MEMBER, history_of
from specnet.training.observer import Observer

if TYPE_CHECKING:
    from specnet.network import Network
    from specnet.spec import Spec


Status = Literal["finished", "interrupted", "failed"]
Metrics = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class LoggedRun:
    """A run at the start of its training.

    Attributes
    ----------
    spec : Spec
        The resolved spec.
    rows : mapping of str to int
        Number of rows of each split.
    folder : Path or None
        Folder to which the run writes its files.
    history : list of dict or None
        Records up to the checkpoint from which the run resumes; None for a new run.
    """

    spec: Spec
    rows: Mapping[str, int]
    folder: Path | None
    history: list[dict[str, Any]] | None

    @property
    def name(self) -> str:
        """The name of the spec; ``unnamed`` if it has none."""
        return self.spec.name or "unnamed"

    def reached(self, member: int | None) -> int:
        """Return the last epoch of a member that was logged before the run resumed; 0 if there is none."""
        records = history_of(self.history or [], member or 0)
        return records[-1]["epoch"] if records else 0


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    Attributes
    ----------
    status : {"finished", "interrupted", "failed"}
    metrics : mapping
        Metrics of the model by split and name; empty for `fit`, and for a run that failed.
    """

    status: Status
    metrics: Metrics


class Logger(Observer, ABC):
    """Writes the records of a run to another system while it trains.

    Implement `start`, `log` and `finish`. An error in `start` ends the run before it trains. A later error becomes a
    `SpecnetWarning`, and the run continues without the logger. A logger can log one run at a time. The epochs of a
    small network are logged some hundredths of a second late, several at once.
    """

    follows_log = False
    # Mangled names cannot clash with the attributes of subclasses.
    __folder: Path | None = None
    __history: list[dict[str, Any]] | None = None
    __metrics: Metrics = MappingProxyType({})
    __is_open = False

    @abstractmethod
    def start(self, run: LoggedRun) -> None:
        """Begin the log of a run; continue the existing log if the run resumes."""

    @abstractmethod
    def log(self, record: Mapping[str, Any]) -> None:
        """Log the record of an epoch: ``epoch`` from 1, ``member`` of an ensemble, ``loss`` and other metrics."""

    @abstractmethod
    def finish(self, outcome: Outcome) -> None:
        """End the log with the outcome of the run."""

    @final
    def opened(self, folder: Path | None, history: Sequence[Mapping[str, Any]] | None) -> None:
        self.__folder = folder
        self.__history = None if history is None else [dict(record) for record in history]

    @final
    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        try:
            self.start(LoggedRun(network.spec, rows, self.__folder, self.__history))
        except SpecnetError:
            raise
        except Exception as error:
            raise LoggerError(f"{type(self).__name__} cannot start: {_in_words(error)}") from error
        self.__is_open = True

    @final
    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        self._attempt(self.log, record)

    @final
    def evaluated(self, metrics: Metrics) -> None:
        self.__metrics = metrics

    @final
    def closed(self, error: BaseException | None) -> None:
        status: Status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed" if error else "finished"
        self._attempt(self.finish, Outcome(status, self.__metrics))
        self.__folder, self.__history, self.__metrics, self.__is_open = None, None, {}, False

    def _attempt(self, method: Callable[[Any], None], argument: Any) -> None:
        """Call a method of an open log; on an error, warn and close the log."""
        if not self.__is_open:
            return
        try:
            method(argument)
        except Exception as error:
            self.__is_open = False
            message = f"{type(self).__name__} stopped: {_in_words(error)}; the run continues without it"
            warnings.warn(message, SpecnetWarning, stacklevel=2)


def metrics_in(record: Mapping[str, Any]) -> dict[str, float]:
    """Return all values of a record except its epoch and member."""
    return {name: float(value) for name, value in record.items() if name not in ("epoch", MEMBER)}


def required(module: str, extra: str) -> Any:
    """Import and return a module that an extra of the package installs.

    Raises
    ------
    LoggerError
    """
    return extras.required(module, extra, LoggerError)


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__


class JsonLinesLogger(Logger):
    """Writes each record to a file at once; at the end, the file equals ``history.jsonl`` byte for byte.

    A run that resumes continues the file from its checkpoint.

    Parameters
    ----------
    path : str or path-like
        Path of the file; missing folders are created.
    overwrite : bool
        Whether to overwrite an existing file that is not the log of a resumed run.
    """

    def __init__(self, path: PathLike, *, overwrite: bool = True) -> None:
        self._path, self._overwrite = Path(path), overwrite

    def start(self, run: LoggedRun) -> None:
        check_path(self._path)
        hint = "choose another file for the log"
        refuse_inputs([self._path], input_files(run.spec), hint)
        if (
            run.folder is not None
            and RUN.has_file(self._path.name)
            and self._path.parent.resolve() == run.folder.resolve()
        ):
            raise FileError("the run writes this file itself", hint=hint, source=str(self._path))
        so_far = json_lines(run.history or ())
        if not self._overwrite and not (run.history is not None and self._continues(so_far)):
            refuse_taken(self._path)
        with file_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self._path, so_far)

    def _continues(self, so_far: str) -> bool:
        """Return whether the file is missing or the log of this run: its lines begin with these, or these with its."""
        if not self._path.exists():
            return True
        there, lines = read_file(self._path, LARGEST_RECORD), so_far.encode()
        return there.startswith(lines) or lines.startswith(there)

    def log(self, record: Mapping[str, Any]) -> None:
        # Opening the file for each line writes the line at once and leaves no open file if the run is killed.
        with self._path.open("ab") as file:
            file.write(json_lines([record]).encode())

    def finish(self, outcome: Outcome) -> None:
        """Do nothing, for any outcome: each line is written already."""
