"""`specnet run`: train, evaluate, save."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from specnet.cli.training.chosen_loggers import LogOption, loggers
from specnet.cli.training.folds_and_seeds import Many, refuse_beside_many, run_many
from specnet.cli.training.verb_folders import new_or, resume_command

if TYPE_CHECKING:
    from specnet.running.runner import RunResult

MOST_NAMED = 2
"""Files of a run that its last line names."""
MOST_FINDINGS = 2
"""Of a run that are told below its table; its files have all of them."""


def run(
    spec: SpecArgument,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder to write. Default: runs/<name>/<number>.")
    ] = None,
    overrides: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the files of an earlier run in --out.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Resume the interrupted run in --out from its checkpoint; start anew if there is none."
        ),
    ] = False,
    folds: Annotated[
        int | None,
        typer.Option("--folds", metavar=COUNT, min=2, help="Cross-validate: one run per fold, which is its test set."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar=COUNT, min=1, help="One run per seed, on the same rows.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", metavar=COUNT, min=1, help="Number of runs, or ensemble members, to train at once.")
    ] = 1,
    dask: DaskOption = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", metavar=COUNT, min=1, help="Number of BLAS threads. Default: one for small networks, else all."
        ),
    ] = None,
    log: LogOption = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Do not write report.html.")] = False,
    limit: LimitOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Train, evaluate and save a network.

    Writes the model, its history, its metrics on every split, the resolved spec and a report into one folder. Files
    are written atomically.

    Examples
    --------
    specnet run specs/moons.toml
    specnet run specs/moons.toml -o moons --set training.epochs=100 --set network.activations.0=tanh
    specnet run specs/wine_csv.toml --set training.ensemble=5 --jobs 2
    specnet run specs/digits.toml --folds 5 --seeds 2 --jobs 2
    specnet run specs/moons.toml --log jsonl:moons.jsonl
    """
    with reporting(output_format, quiet) as output:
        if resume and force:
            raise UsageError("--resume cannot be combined with --force")
        if resume and out is None:
            used = str(spec) if spec.is_dir() else "DIR"
            again = shlex.join(["specnet", "run", str(spec), "--out", used, "--resume"])
            raise UsageError("--resume needs --out", hint=f"use {again}")

        if folds is not None or seeds is not None:
            refuse_beside_many(threads=threads, log=log)
            run_many(spec, out, output, overrides, limit, Many(folds, seeds, jobs, dask, force, resume, not no_report))
            return
        if dask is not None:
            raise UsageError("--dask needs --folds or --seeds")

        from specnet.data import load_table
        from specnet.data.suspicious_targets import parsed_for_target
        from specnet.errors import render
        from specnet.report.terminal.counting import reading_shown
        from specnet.report.terminal.terminal_output import write_mistakes
        from specnet.running.runner import RunInterrupted
        from specnet.running.runner import run as run_spec
        from specnet.training import Observers, WarningRecorder

        extra = loggers(log, overwrite=force)
        parsed = parsed_for_target(lambda settings: parse(spec, [*(overrides or ()), *settings], limit), load_table)
        with new_or(out, parsed.name) as folder:
            output.data["folder"] = str(folder)
            recorder = WarningRecorder(output.data.setdefault("warnings", []))
            observer = Observers(recorder, *extra)
            try:
                with reading_shown(sys.stderr if output.speaks else None):
                    result = run_spec(
                        parsed,
                        folder,
                        force=force,
                        resume=resume,
                        jobs=jobs,
                        threads=threads,
                        observer=observer,
                        verbose=output.speaks,
                        report=not no_report,
                    )
            except RunInterrupted as stopped:
                options = [
                    *(word for number in limit or () for word in ("--limit", number)),
                    *(["--jobs", str(jobs)] if jobs > 1 else []),
                    *([] if threads is None else ["--threads", str(threads)]),
                    *(word for target in log or () for word in ("--log", target)),
                    *(["--no-report"] if no_report else []),
                ]
                again = resume_command("run", spec, folder, overrides, options)
                going_on = None if stopped.finished else f"to resume: {again}"
                raise stopped_by(stopped.signal, str(stopped), going_on) from None
        if output.quiet:
            for warning in result.warnings:
                if warning.code == "report":  # of a finished run, who sees no warnings would miss it
                    write_mistakes(sys.stderr, render(warning, "warning"))
        _show(result, folder, output)


def _show(result: RunResult, folder: Path, output: Output) -> None:
    from specnet.files.run_files import HISTORY, METRICS, MODEL, REPORT, RUN_FILES
    from specnet.number_texts import counted
    from specnet.report.terminal.scores import scores_table
    from specnet.running.run_folder import RunFolder

    figures = result.evaluation
    output.data["members"] = list(_members(RunFolder(folder).facts(), result.history))
    output.data["metrics"] = figures
    output.data["files"] = files = sorted(name for name in RUN_FILES if (folder / name).is_file())
    metrics = result.model.spec.training.metrics
    output.table(scores_table(result.metrics, figures["intervals"], figures["baselines"], metrics))
    output.data["findings"] = [finding.as_dict() for finding in result.findings]
    worst_first = sorted(result.findings, key=lambda finding: finding.severity != "error")
    for finding in worst_first[:MOST_FINDINGS]:
        output.parts(f"{finding.code}: {finding.sentence}", label=f"{finding.code}:")
    if more := worst_first[MOST_FINDINGS:]:
        output.parts(f"{counted(len(more), 'more finding')}: {', '.join(finding.code for finding in more)}")
    named = [name for name in (REPORT, MODEL, METRICS, HISTORY) if name in files][:MOST_NAMED]
    output.parts(str(folder), f"{', '.join(named)}, …")


def _members(facts: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield how far each network of a run came."""
    for number, member in enumerate(facts.get("members", [facts])):
        losses = [record["loss"] for record in history if record.get("member", 0) == number]
        told = {name: member[name] for name in ("end", "epochs", "training_seconds")}
        yield {**told, "first_loss": losses[0], "last_loss": losses[-1]}
