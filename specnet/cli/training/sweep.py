"""`specnet sweep`: search over keys of a spec."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specnet.cli.inputs import parse_for_target
from specnet.cli.options import (
    DaskOption,
    JobsOption,
    LimitOption,
    NoReportOption,
    NoRowsOption,
    OpenOption,
    SetOption,
    SpecArgument,
    count_option,
    out_option,
)
from specnet.cli.output import Output
from specnet.cli.training.folds_and_seeds import cluster, series_warnings
from specnet.cli.training.verb_folders import ResumeCommand, check_page_wanted, tell_folder, verb_folder

if TYPE_CHECKING:
    from specnet.running.sweeps.sweep_results import NestedResult, SweepResult


def sweep(
    output: Output,
    spec: SpecArgument,
    out: Annotated[Path | None, out_option("DIR", "Folder to write. Default: sweeps/<name>/<number>.")] = None,
    overrides: SetOption = None,
    trials: Annotated[int | None, count_option("--trials", "Number of trials. Default: the spec's.")] = None,
    folds: Annotated[int | None, count_option("--folds", "Nested: one sweep per fold, whose team it tests.", 2)] = None,
    jobs: JobsOption = None,
    dask: DaskOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an earlier sweep in --out.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the trials in --out and compute the others.")] = False,
    no_report: NoReportOption = False,
    no_rows: NoRowsOption = False,
    open_page: OpenOption = False,
    limit: LimitOption = None,
) -> None:
    """Search over keys of a spec, as its [sweep] says.

    Trials are trained without test rows and compared on validation rows. The best one is written as a spec of its own,
    best.toml, and run; the best ones together are a model, in team/. They are the same for any number of processes.

    Examples
    --------
    specnet sweep specs/sweep_digits.toml
    specnet sweep specs/sweep_digits.toml -o digits --trials 20 --jobs 2
    specnet sweep specs/sweep_digits.toml -o digits --trials 30 --resume
    specnet sweep specs/sweep_digits.toml --folds 3 --trials 10 --set sweep.sampler=random
    """
    command = ResumeCommand(
        "sweep",
        spec,
        overrides,
        trials=trials,
        folds=folds,
        jobs=jobs,
        dask=dask,
        limit=limit,
        no_report=no_report,
        no_rows=no_rows,
        open=open_page,
    )
    check_page_wanted(is_opened=open_page, no_report=no_report)
    command.check(Path("DIR"), out, resume=resume, force=force)

    from specnet.running.sweeps.sweeping import searched
    from specnet.spec import parse_sweep

    settings = [*(overrides or ()), *([] if trials is None else [f"sweep.trials={trials}"])]
    parsed = parse_for_target(spec, settings, limit, parse_sweep)
    with ExitStack() as stack:
        executor = cluster(stack, dask, jobs)
        folder = stack.enter_context(verb_folder(output, out, parsed.name, command, "sweeps"))
        options: dict[str, Any] = {"observer": series_warnings(output), "verbose": output.speaks, "rows": not no_rows}
        options |= {"jobs": jobs, "executor": executor, "resume": resume, "force": force, "report": not no_report}
        found = searched(parsed, folder, folds, **options)
        written = _show(found.sweeps[0], folder, output) if folds is None else _show_nested(found, output)
        tell_folder(output, folder, *written, is_opened=open_page)


def _show(result: SweepResult, folder: Path, output: Output) -> list[str]:
    """Print what a sweep has come to; return what it has written in its folder."""
    from specnet.files.run_files import BEST, BEST_SPECS, TEAM
    from specnet.number_texts import counted
    from specnet.report.terminal.scores import scores_table

    best = result.best
    spec = next(name for name in BEST_SPECS if (folder / name).exists())
    output.data["trials"] = [trial.facts() for trial in result.trials]
    output.data["best"] = {"trial": best.number, "figure": best.figure, "spec": spec}
    output.data["metrics"] = result.run.evaluation
    output.table(scores_table(result.metrics))
    output.parts(*result.best_in_words())
    if result.team is not None:
        output.data["team"] = {"shares": result.team.shares, "metrics": result.team.metrics}
        output.parts(*result.team_in_words())
    written = [spec, f"{BEST}/", *([] if result.team is None else [f"{TEAM}/"]), "…"]
    return [counted(len(result.trials), "trial"), ", ".join(written)]


def _show_nested(result: NestedResult, output: Output) -> list[str]:
    """Print what sweeps on folds have come to; return what they have written in their folder."""
    from specnet.files.run_files import SUMMARY
    from specnet.number_texts import counted
    from specnet.report.terminal.scores import spread_table

    output.data["folds"] = [
        {"fold": fold, "trial": each.best.number, "figure": each.best.figure, "metrics": each.worth}
        for fold, each in enumerate(result.sweeps)
    ]
    output.data["summary"] = result.summary
    output.table(spread_table(result.summary))
    return [counted(len(result.sweeps), "sweep"), f"{SUMMARY}, …"]
