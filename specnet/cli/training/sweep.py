"""`specnet sweep`: search over keys of a spec."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specnet.cli.inputs import parse
from specnet.cli.options import (
    COUNT,
    DaskOption,
    FormatOption,
    LimitOption,
    OutputFormat,
    QuietOption,
    SetOption,
    SpecArgument,
)
from specnet.cli.output import Output, UsageError, reporting, stopped_by
from specnet.cli.training.folds_and_seeds import cluster, series_warnings
from specnet.cli.training.verb_folders import new_or, resume_command

if TYPE_CHECKING:
    from specnet.running.sweeps.sweep_results import NestedResult, SweepResult


def sweep(
    spec: SpecArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Folder to write. Default: sweeps/<name>/<number>."),
    ] = None,
    overrides: SetOption = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar=COUNT, min=1, help="Number of trials. Default: the spec's.")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option("--folds", metavar=COUNT, min=2, help="Nested: one sweep per fold, whose best it tests."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", metavar=COUNT, min=1, help="Number of processes. Default: physical cores.")
    ] = None,
    dask: DaskOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an earlier sweep in --out.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the trials in --out and compute the others.")] = False,
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Keep the model of every trial.")] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Do not write report.html.")] = False,
    limit: LimitOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Search over keys of a spec, as its [sweep] says.

    Trials are trained without test rows and compared on validation rows. The best one is written as a spec of its own,
    best.toml, and run. The trials are the same for any number of processes.

    Examples
    --------
    specnet sweep specs/sweep_digits.toml
    specnet sweep specs/sweep_digits.toml -o digits --trials 20 --jobs 2
    specnet sweep specs/sweep_digits.toml -o digits --trials 30 --resume
    specnet sweep specs/sweep_digits.toml --folds 3 --trials 10 --set sweep.sampler=random
    """
    with reporting(output_format, quiet) as output:
        if resume and force:
            raise UsageError("--resume cannot be combined with --force")
        if resume and out is None:
            again = resume_command("sweep", spec, Path("DIR"), None, [], stands=False)
            raise UsageError("--resume needs --out", hint=f"use {again}")

        from specnet.data import load_table
        from specnet.data.suspicious_targets import parsed_for_target
        from specnet.running.runner import RunInterrupted
        from specnet.running.sweeps.sweeping import SweepOptions, nested_sweep_parsed, sweep_parsed
        from specnet.spec import parse_sweep

        given = {"--trials": trials, "--folds": folds, "--jobs": jobs, "--dask": dask}
        words = [word for option, value in given.items() if value is not None for word in (option, str(value))]
        words += [word for number in limit or () for word in ("--limit", number)]
        words += [option for option, is_set in (("--keep-models", keep_models), ("--no-report", no_report)) if is_set]
        settings = [*(overrides or ()), *([] if trials is None else [f"sweep.trials={trials}"])]
        parsed = parsed_for_target(lambda more: parse(spec, [*settings, *more], limit, parse_sweep), load_table)
        with ExitStack() as stack:
            executor = cluster(stack, dask, jobs)
            folder = stack.enter_context(new_or(out, parsed.name, "sweeps"))
            output.data["folder"] = str(folder)
            options = SweepOptions(
                jobs, executor, resume, force, keep_models, series_warnings(output), output.speaks, not no_report
            )
            try:
                if folds is None:
                    _show(sweep_parsed(parsed, folder, options), output)
                else:
                    _show_nested(nested_sweep_parsed(parsed, folder, folds, options), output)
            except RunInterrupted as stopped:
                again = resume_command("sweep", spec, folder, overrides, words, stands=False)
                raise stopped_by(stopped.signal, str(stopped), f"to resume: {again}") from None


def _show(result: SweepResult, output: Output) -> None:
    from specnet.files.run_files import REPORT
    from specnet.files.series_files import BEST, BEST_SPECS
    from specnet.number_texts import counted
    from specnet.report.terminal.scores import scores_table

    best, folder = result.best, result.folder
    assert folder is not None, "it was written"
    spec = next(name for name in BEST_SPECS if (folder / name).exists())
    output.data["trials"] = [trial.facts() for trial in result.trials]
    output.data["best"] = {"trial": best.number, "figure": best.figure, "spec": spec}
    output.data["metrics"] = result.run.evaluation
    output.table(scores_table(result.metrics))
    output.parts(*result.best_in_words())
    named = [REPORT] if (folder / REPORT).exists() else []
    output.parts(str(folder), counted(len(result.trials), "trial"), ", ".join([*named, spec, f"{BEST}/", "…"]))


def _show_nested(result: NestedResult, output: Output) -> None:
    from specnet.number_texts import counted
    from specnet.report.terminal.scores import spread_table

    output.data["folds"] = [
        {"fold": fold, "trial": each.best.number, "figure": each.best.figure, "metrics": each.metrics}
        for fold, each in enumerate(result.sweeps)
    ]
    output.data["summary"] = result.summary
    output.table(spread_table(result.summary))
    output.parts(str(result.folder), counted(len(result.sweeps), "sweep"), "summary.json, …")
