"""One of many runs, as it is sent to whoever computes it, and what comes back: bytes, and no files.

Every run has one thread for BLAS and compiled functions, so that its bits depend on neither the number of cores nor on
who shares them.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Self, cast

from specnet.compiler.thread_limits import limited_threads
from specnet.errors import DataError, SpecnetError, TrainingError
from specnet.files.large import Shared
from specnet.parts.blame import part_behind, part_error
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.parts.registry import installed_registry
from specnet.running.data_rows import split_data
from specnet.running.machine import BLAS, CPU_FEATURES, machine_facts
from specnet.running.training_run import RunOutcome, train_run
from specnet.saved.saved_trials import State
from specnet.spec import Limits, Spec, parse_spec
from specnet.spec.reading.source_document import Document
from specnet.training import Observer
from specnet.training.observer import Beginning, StopAfter

THREADS = 1
MACHINE = (BLAS, CPU_FEATURES)
"""What has to be equal on all machines for equal bits."""


@dataclass(frozen=True)
class Task:
    """A run to be computed.

    Attributes
    ----------
    data : mapping
        The document of its spec.
    sha256 : str
        The hash of the table of its rows.
    parts : tuple of part classes
        Custom parts: built-in and installed ones are wherever specnet is.
    limits : Limits or None
    rows : bool
        Whether it stores hashes of its training rows.
    beginning : Beginning or None
        Where it stops; None for the whole run.
    known : dict
        What has been made of the document in this process, also for other tasks of the same run; it is not sent.
    """

    data: Mapping[str, Any]
    sha256: str
    parts: tuple[type[Part], ...] = ()
    limits: Limits | None = None
    rows: bool = field(default=True, kw_only=True)
    beginning: Beginning | None = field(default=None, kw_only=True)
    known: dict[str, Any] = field(default_factory=dict, kw_only=True, repr=False, compare=False)

    @classmethod
    def of(cls, data: Mapping[str, Any], spec: Spec, sha256: str, **others: Any) -> Self:
        """Return the run of a document with the custom parts and the limits of a spec."""
        installed = set(installed_registry())
        custom = tuple(part for part in spec.registry if part not in installed)
        return cls(data, sha256, custom, spec.origin.limits, **others)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "known": {}}

    def spec(self, table: Table) -> Spec:
        """Return the run's spec.

        Raises
        ------
        SpecError
        DataError
            If its loss needs another kind of target than the table has.
        """
        if "spec" in self.known:
            return cast(Spec, self.known["spec"])
        spec = parse_spec(Document(self.data), parts=self.parts, limits=self.limits)
        if spec.target_kind != table.target:
            message = f"the loss needs {spec.target_kind} as the target, but the rows were read with {table.target}"
            raise DataError(spec.diagnostic("loss-target", message, ("training", "loss")))
        self.known["spec"] = spec
        return spec

    def observer(self) -> Observer:
        """Return what follows the training."""
        return Observer() if self.beginning is None else StopAfter(self.beginning)

    def computed(self, table: Table) -> RunOutcome:
        """Return what the run comes to: an ordinary one, with all of its files.

        Raises
        ------
        SpecnetError
        KeyboardInterrupt
        """
        begin, spec = time.perf_counter(), self.spec(table)
        data = split_data(spec, table)
        given: dict[str, Any] = {"begin": begin, "folder": spec.folder, "rows": self.rows}
        outcome, fitted = train_run(spec, data, data.identity(self.sha256), self.observer(), **given)
        fitted.check_whole()
        return replace(outcome, answers={})  # as large as the rows


def perform(task: Task, table: Table) -> RunOutcome:
    """Return what a task comes to, on this machine.

    Raises
    ------
    KeyboardInterrupt
    """
    begin = time.perf_counter()
    with limited_threads(THREADS):
        try:
            outcome = task.computed(table)
        except SpecnetError as error:
            state: State = "diverged" if isinstance(error, TrainingError) else "refused"
            outcome = RunOutcome(state, message=error.diagnostics[0].message)
        except Exception as error:
            part = part_behind(error)
            if part is None:
                raise
            outcome = RunOutcome("refused", message=part_error(part, error).diagnostics[0].message)
    return replace(outcome, seconds=time.perf_counter() - begin, machine=this_machine())


@cache
def this_machine() -> dict[str, Any]:
    """Return what has to be equal on all machines for equal bits."""
    facts = machine_facts()
    return {name: facts[name] for name in MACHINE}


class RowsNeeded:
    """The answer of a worker that does not have the rows of a task yet."""


_tables: dict[str, Table] = {}
"""The rows that this process has got last, by their hash."""


def work(content: bytes, rows: bytes | None) -> RunOutcome | RowsNeeded:
    """Perform a pickled task in a worker, which gets the rows of a coordinator once.

    Parameters
    ----------
    content : bytes
        The task.
    rows : bytes or None
        Its table; None if the worker may have it already.

    Raises
    ------
    DataError
        If the task has parts that this process cannot import.
    """
    try:
        task: Task = pickle.loads(content)
    except (AttributeError, ImportError) as error:
        raise cannot_be_sent(error) from error
    if rows is not None:
        keep_rows(task.sha256, pickle.loads(rows))
    table = _tables.get(task.sha256)
    return RowsNeeded() if table is None else perform(task, table)


def begin_tasks(rows: Shared) -> None:
    """Prepare a process for tasks on rows, given with their hash."""
    keep_rows(*rows.value())


def keep_rows(sha256: str, table: Table) -> None:
    """Keep the rows of the tasks to come in this process, in place of others."""
    _tables.clear()
    _tables[sha256] = table


def cannot_be_sent(error: Exception) -> DataError:
    """Return the error for a task that cannot be pickled, or cannot be read by a worker."""
    hint = "use one job, or define custom parts at the top level of a module that workers can import"
    return DataError(f"the run cannot be sent to a worker: {error}", hint=hint)
