"""`specnet run`: train, evaluate, save."""

from __future__ import annotations

import sys
from collections.abc import Sequence
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
from specnet.cli.output import Output, UsageError
from specnet.cli.training.folds_and_seeds import refuse_beside_many, run_many, series_warnings
from specnet.cli.training.verb_folders import ResumeCommand, check_page_wanted, tell_folder, verb_folder

if TYPE_CHECKING:
    from specnet.loggers import Logger
    from specnet.running.runner import RunResult


PLACES = {"jsonl": "FILE", "mlflow": "URI", "tensorboard": "DIR"}
"""What stands behind the colon, by the name of the logger."""

LogOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="LOGGER:TARGET",
        show_default=False,
        help="Also log to jsonl:FILE, tensorboard:DIR or mlflow:URI (repeatable).",
    ),
]


def loggers(texts: Sequence[str] | None, *, overwrite: bool) -> list[Logger]:
    """Return the loggers that are asked for.

    Parameters
    ----------
    texts : sequence of str, optional
        As given to ``--log``.
    overwrite : bool
        Overwrite existing files.

    Raises
    ------
    UsageError
        If there is no such logger, or it lacks its target.
    LoggerError
        If a package is not installed.
    """
    return [_logger(text, overwrite) for text in texts or ()]


def _logger(text: str, overwrite: bool) -> Logger:
    name, _, target = text.partition(":")
    if name not in PLACES:
        raise UsageError(f'--log: unknown logger "{name}"', hint=f"choose from {', '.join(PLACES)}")
    if not target and name != "mlflow":  # which has a setting of its own
        raise UsageError(f"--log {name} needs a target", hint=f"use --log {name}:{PLACES[name]}")

    from specnet.loggers import JsonLinesLogger, MLflowLogger, TensorBoardLogger

    if name == "jsonl":
        return JsonLinesLogger(target, overwrite=overwrite)
    return TensorBoardLogger(target) if name == "tensorboard" else MLflowLogger(target or None)


MOST_FINDINGS = 2
"""Of a run that are told below its table; its files have all of them."""


def run(
    output: Output,
    spec: SpecArgument,
    out: Annotated[Path | None, out_option("DIR", "Folder to write. Default: runs/<name>/<number>.")] = None,
    overrides: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the files of an earlier run in --out.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Resume the interrupted run in --out from its checkpoint; start anew if there is none."
        ),
    ] = False,
    folds: Annotated[
        int | None, count_option("--folds", "Cross-validate: one run per fold, which is its test set.", 2)
    ] = None,
    seeds: Annotated[int | None, count_option("--seeds", "One run per seed, on the same rows.")] = None,
    jobs: JobsOption = None,
    dask: DaskOption = None,
    threads: Annotated[
        int | None, count_option("--threads", "Number of BLAS threads. Default: one for small networks, else all.")
    ] = None,
    log: LogOption = None,
    no_report: NoReportOption = False,
    no_rows: NoRowsOption = False,
    open_page: OpenOption = False,
    limit: LimitOption = None,
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
    command = ResumeCommand(
        "run",
        spec,
        overrides,
        stands=folds is None and seeds is None,
        folds=folds,
        seeds=seeds,
        dask=dask,
        jobs=jobs,
        limit=limit,
        threads=threads,
        log=log,
        no_report=no_report,
        no_rows=no_rows,
        open=open_page,
    )
    check_page_wanted(is_opened=open_page, no_report=no_report)
    command.check(spec if spec.is_dir() else Path("DIR"), out, resume=resume, force=force)
    ways: dict[str, Any] = {"force": force, "resume": resume, "report": not no_report, "rows": not no_rows}
    if folds is not None or seeds is not None:
        refuse_beside_many(threads=threads, log=log)
        parsed = parse_for_target(spec, overrides, limit)
        place = verb_folder(output, out, parsed.name, command)
        run_many(output, parsed, place, dask, jobs, is_opened=open_page, folds=folds, seeds=seeds, **ways)
        return
    if dask is not None:
        raise UsageError("--dask needs --folds or --seeds")

    from specnet.files.run_files import METRICS, MODEL
    from specnet.report.terminal.bars import reading_shown
    from specnet.running.runner import run as run_spec
    from specnet.training import Observers

    extra = loggers(log, overwrite=force)
    parsed = parse_for_target(spec, overrides, limit)
    with verb_folder(output, out, parsed.name, command) as folder:
        ways |= {"observer": Observers(series_warnings(output), *extra), "verbose": output.speaks}
        with reading_shown(sys.stderr if output.speaks else None):
            result = run_spec(parsed, folder, jobs=jobs, threads=threads, **ways)
    _show(result, folder, output)
    tell_folder(output, folder, f"{MODEL}, {METRICS}, …", is_opened=open_page)


def _show(result: RunResult, folder: Path, output: Output) -> None:
    from specnet.files.run_files import RUN_FILES
    from specnet.number_texts import counted
    from specnet.report.pages.headline import verdict
    from specnet.report.terminal.scores import scores_table

    figures = result.evaluation
    output.data["members"] = []
    for number, member in enumerate(result.members):
        losses = [record["loss"] for record in result.history if record.get("member", 0) == number]
        output.data["members"].append({**member, "first_loss": losses[0], "last_loss": losses[-1]})
    output.data["metrics"] = figures
    output.data["files"] = sorted(name for name in RUN_FILES if (folder / name).is_file())
    metrics = result.model.spec.training.metrics
    output.table(scores_table(result.metrics, figures["intervals"], figures["baselines"], metrics))
    output.parts(verdict(figures))
    output.data["findings"] = [finding.as_dict() for finding in result.findings]
    worst_first = sorted(result.findings, key=lambda finding: finding.severity != "error")
    for finding in worst_first[:MOST_FINDINGS]:
        output.parts(f"{finding.code}: {finding.sentence}", label=f"{finding.code}:")
    if more := worst_first[MOST_FINDINGS:]:
        output.parts(f"{counted(len(more), 'more finding')}: {', '.join(finding.code for finding in more)}")
