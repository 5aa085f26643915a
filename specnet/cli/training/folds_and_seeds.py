"""Folds and seeds of `specnet run`: many runs of one spec."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from specnet.cli.output import Output, UsageError
from specnet.cli.training.verb_folders import tell_folder

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager
    from pathlib import Path

    from specnet.spec import Spec
    from specnet.training import Observer


def refuse_beside_many(**options: Any) -> None:
    """Refuse options that many runs do not have.

    Raises
    ------
    UsageError
    """
    hints = {"threads": "each run has one thread; use --jobs for several runs at once"}
    for name, value in options.items():
        if value is not None:
            message = f"--{name} cannot be combined with --folds or --seeds"
            raise UsageError(message, hint=hints.get(name))


def run_many(
    output: Output,
    spec: Spec,
    place: AbstractContextManager[Path],
    dask: str | None,
    jobs: int | None,
    *,
    is_opened: bool,
    **options: Any,
) -> None:
    """Run a spec many times in a folder, and print what the runs come to."""
    from specnet.files.run_files import RUNS_TABLE, SUMMARY
    from specnet.number_texts import counted
    from specnet.report.terminal.scores import spread_table
    from specnet.running.many.repeated_runs import run_many as run_specs

    with ExitStack() as stack:
        options["executor"] = cluster(stack, dask, jobs)
        folder = stack.enter_context(place)
        observer = series_warnings(output)
        result = run_specs(spec, folder, jobs=jobs, observer=observer, verbose=output.speaks, **options)
    output.data["runs"] = [run.as_dict() for run in result.runs]
    output.data["summary"] = result.summary
    output.table(spread_table(result.summary))
    tell_folder(output, folder, counted(len(result.runs), "run"), f"{RUNS_TABLE}, {SUMMARY}, …", is_opened=is_opened)
    if result.failed:
        output.mistakes(result.failure)


def series_warnings(output: Output) -> Observer:
    """Return what keeps the warnings of a series of runs as data, and tells of a missing report however quietly."""
    from specnet.errors import Diagnostic, render
    from specnet.report.terminal.terminal_output import write_mistakes
    from specnet.training import WarningRecorder

    class Warnings(WarningRecorder):
        def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
            super().warned(diagnostics)
            for diagnostic in diagnostics:
                if output.quiet and diagnostic.code == "report":
                    write_mistakes(sys.stderr, render(diagnostic, "warning"))

    return Warnings(output.data.setdefault("warnings", []))


def cluster(stack: ExitStack, address: str | None, jobs: int | None) -> Executor | None:
    """Return the executor of a dask cluster, None without an address.

    Raises
    ------
    UsageError
        If a number of jobs is given too.
    """
    if address is None:
        return None
    if jobs is not None:
        raise UsageError("--jobs cannot be combined with --dask")
    from specnet.running.many.workers import dask_executor

    return stack.enter_context(dask_executor(address))
