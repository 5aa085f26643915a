"""Folds and seeds of `specnet run`: many runs of one spec."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specnet.cli.inputs import parse
from specnet.cli.output import Output, UsageError, stopped_by
from specnet.cli.training.verb_folders import new_or, resume_command

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from specnet.training import Observer


@dataclass(frozen=True)
class Many:
    """What the command line says of many runs."""

    folds: int | None
    seeds: int | None
    jobs: int
    dask: str | None
    force: bool
    resume: bool
    report: bool

    def words(self, limit: Sequence[str] | None) -> list[str]:
        """Return the options as they are written."""
        given = {"--folds": self.folds, "--seeds": self.seeds, "--dask": self.dask}
        given["--jobs"] = self.jobs if self.jobs > 1 else None
        words = [word for option, value in given.items() if value is not None for word in (option, str(value))]
        words += [word for number in limit or () for word in ("--limit", number)]
        return words if self.report else [*words, "--no-report"]


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
    spec: Path,
    out: Path | None,
    output: Output,
    overrides: Sequence[str] | None,
    limit: Sequence[str] | None,
    many: Many,
) -> None:
    """Run a spec many times, and print what the runs come to."""
    from specnet.data import load_table
    from specnet.data.suspicious_targets import parsed_for_target
    from specnet.number_texts import counted
    from specnet.report.terminal.scores import spread_table
    from specnet.running.many.repeated_runs import FILES
    from specnet.running.many.repeated_runs import run_many as run_specs
    from specnet.running.runner import RunInterrupted

    parsed = parsed_for_target(lambda settings: parse(spec, [*(overrides or ()), *settings], limit), load_table)
    with ExitStack() as stack:
        executor = cluster(stack, many.dask, many.jobs)
        folder = stack.enter_context(new_or(out, parsed.name))
        output.data["folder"] = str(folder)
        try:
            result = run_specs(
                parsed,
                folder,
                folds=many.folds,
                seeds=many.seeds,
                jobs=many.jobs,
                executor=executor,
                force=many.force,
                resume=many.resume,
                observer=series_warnings(output),
                verbose=output.speaks,
                report=many.report,
            )
        except RunInterrupted as stopped:
            again = resume_command("run", spec, folder, overrides, many.words(limit), stands=False)
            raise stopped_by(stopped.signal, str(stopped), f"to resume: {again}") from None
    output.data["runs"] = [run.as_dict() for run in result.runs]
    output.data["summary"] = result.summary
    output.table(spread_table(result.summary))
    output.parts(
        str(folder),
        counted(len(result.runs), "run"),
        f"{', '.join(name for name in FILES if (folder / name).is_file())}, …",
    )
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
    if jobs not in (None, 1):
        raise UsageError("--jobs cannot be combined with --dask")
    from specnet.running.many.workers import dask_executor

    return stack.enter_context(dask_executor(address))
