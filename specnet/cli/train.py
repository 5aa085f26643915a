"""Verbs that train: `specnet run` and `specnet sweep`, with the folders to write and the command to resume."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from specnet.cli.arguments import (
    STANDARD_INPUT,
    DaskOption,
    JobsOption,
    LimitOption,
    NoReportOption,
    NoRowsOption,
    OpenOption,
    SetOption,
    SpecArgument,
    argument,
    complete_runs,
    count_option,
    out_option,
    parse_for_target,
)
from specnet.cli.output import Output, UsageError, show_expectations, stopped_by
from specnet.errors import Diagnostic, render
from specnet.number_texts import counted

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from specnet.loggers import Logger
    from specnet.running.runner import RunResult
    from specnet.running.sweeps.teams import NestedResult, SweepResult
    from specnet.saved.expectations_file import JudgedExpectation
    from specnet.spec import Spec
    from specnet.training import Observer


LOGGERS = {"jsonl": "FILE", "mlflow": "URI", "tensorboard": "DIR"}
"""Metavar of the target after the colon in ``--log``, by name of the logger."""
MAX_FINDINGS = 2
"""Most findings of a run that are printed in full below its table; its files contain all findings."""


def _complete_loggers() -> list[tuple[str, str]]:
    return [(f"{name}:", f"{name}:{target}") for name, target in LOGGERS.items()]


LogOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="LOGGER:TARGET",
        show_default=False,
        help="Also log to jsonl:FILE, tensorboard:DIR or mlflow:URI (repeatable).",
        autocompletion=_complete_loggers,
    ),
]


def _logger(text: str, *, overwrite: bool) -> Logger:
    """Return the logger for a value of ``--log``."""
    name, _, target = text.partition(":")
    if name not in LOGGERS:
        raise UsageError(f'--log: unknown logger "{name}"', hint=f"choose from {', '.join(LOGGERS)}")
    if not target and name != "mlflow":  # mlflow has its own setting for the target
        raise UsageError(f"--log {name} needs a target", hint=f"use --log {name}:{LOGGERS[name]}")

    from specnet.loggers import JsonLinesLogger, MLflowLogger, TensorBoardLogger

    if name == "jsonl":
        return JsonLinesLogger(target, overwrite=overwrite)
    return TensorBoardLogger(target) if name == "tensorboard" else MLflowLogger(target or None)


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
    with_rows: Annotated[
        bool,
        typer.Option(
            "--with-rows",
            help="Store 100 training rows in the model's file too, for explain: all who have the file can read them.",
        ),
    ] = False,
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
    _check_options(output, spec, out, resume=resume, force=force, no_report=no_report, open_page=open_page)
    options: dict[str, Any] = {"force": force, "resume": resume, "report": not no_report, "rows": not no_rows}
    if with_rows and no_rows:
        raise UsageError("--with-rows cannot be combined with --no-rows")
    if folds is not None or seeds is not None:
        if with_rows:
            hint = "use --with-rows for a run without them, whose model is to be used"
            raise UsageError("--with-rows cannot be combined with --folds or --seeds", hint=hint)
        if threads is not None:
            hint = "each run has one thread; use --jobs for several runs at once"
            raise UsageError("--threads cannot be combined with --folds or --seeds", hint=hint)
        if log is not None:
            raise UsageError("--log cannot be combined with --folds or --seeds")
        parsed = parse_for_target(spec, overrides, limit)
        folder_to_write = _verb_folder(output, out, parsed.name)
        options |= {"folds": folds, "seeds": seeds, "jobs": jobs}
        _run_many(output, parsed, folder_to_write, dask, is_opened=open_page, **options)
        return
    if dask is not None:
        raise UsageError("--dask needs --folds or --seeds")

    from specnet.report.terminal.bars import reading_shown
    from specnet.run_files import METRICS, MODEL
    from specnet.running.runner import run as run_spec
    from specnet.training import Observers

    loggers = [_logger(text, overwrite=force) for text in log or ()]
    parsed = parse_for_target(spec, overrides, limit)
    # The folder contains the spec that was read from standard input, and can be resumed from it.
    with _verb_folder(output, out, parsed.name, is_spec=spec == STANDARD_INPUT) as folder:
        options |= {"observer": Observers(_warnings_of_runs(output), *loggers), "verbose": output.speaks}
        with reading_shown(sys.stderr if output.speaks else None):
            result = run_spec(parsed, folder, jobs=jobs, threads=threads, with_rows=with_rows, **options)
    source = folder / "spec.toml" if spec == STANDARD_INPUT else spec
    _show_run(result, folder, output, parsed, source, overrides or ())
    _print_folder(output, folder, f"{MODEL}, {METRICS}, …", is_opened=open_page)


def _show_run(
    result: RunResult, folder: Path, output: Output, spec: Spec, source: Path | str = "", settings: Sequence[str] = ()
) -> None:
    """Print the scores, the verdict and the findings of a run; with the path of its spec also commands to go on."""
    from specnet.findings.slices import slice_sentence
    from specnet.report.pages.headline import beside_teacher, rival_of, verdict
    from specnet.report.terminal.scores import scores_table
    from specnet.run_files import RUN_FILES

    figures = result.evaluation
    output.data["members"] = []
    for number, member in enumerate(result.members):
        losses = [record["loss"] for record in result.history if record.get("member", 0) == number]
        output.data["members"].append({**member, "first_loss": losses[0], "last_loss": losses[-1]})
    output.data["metrics"] = figures
    output.data["files"] = sorted(name for name in RUN_FILES if (folder / name).is_file())
    metrics = result.model.spec.training.metrics
    beside = figures["intervals"], figures["baselines"]
    output.table(scores_table(result.metrics, *beside, metrics, rival_of(figures)))
    output.parts(verdict(figures))
    if sentence := beside_teacher(figures):
        output.parts(sentence)
    show_expectations(result.expectations, output)
    if monotone := figures.get("monotone"):
        fall = monotone["largest_fall"]
        words = f"falls by {fall:.2g} units of the last place, by rounding" if fall else "falls"
        output.parts(f"monotone columns: {'a' if fall else 'no'} prediction {words}")
    output.data["findings"] = [finding.as_dict() for finding in result.findings]
    _show_next_step(result, folder, output, spec, source, settings)
    if slices := figures["tables"].get("test", {}).get("slices"):
        output.parts(slice_sentence(slices[0]))


def _show_next_step(
    result: RunResult, folder: Path, output: Output, spec: Spec, source: Path | str, settings: Sequence[str]
) -> None:
    """Print the next step of a run, as its page has it, and the findings; commands only with the path of the spec."""
    from specnet.findings.class_findings import DECISION_THRESHOLD
    from specnet.report.next_step import as_sentence, next_step, ranked
    from specnet.saved.expectations_file import fails

    findings, to_run = ranked(result.findings), (str(source), settings, str(folder))
    step = next_step(findings, result.evaluation, spec.document.data, *to_run, result.expectations)

    def show_command() -> None:
        if source and step.command:
            output.command(step.command)
            if step.finding and DECISION_THRESHOLD in step.finding.changes:  # measured in this run
                output.parts(as_sentence(step.finding.effect))

    if step.is_end:
        output.parts(step.headline)
    elif step.finding is None or fails(result.expectations):
        if not step.command.startswith("specnet predict"):
            output.parts(" ".join(filter(None, (step.headline, step.text))))
            show_command()
        findings = [finding for finding in findings if finding is not step.finding]
    for finding in findings[:MAX_FINDINGS]:
        output.parts(f"{finding.code}: {finding.sentence}", label=f"{finding.code}:")
        if finding is step.finding:
            show_command()
    if more := findings[MAX_FINDINGS:]:
        output.parts(f"{counted(len(more), 'more finding')}: {', '.join(finding.code for finding in more)}")


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
    _check_options(output, spec, out, resume=resume, force=force, no_report=no_report, open_page=open_page)

    from specnet.running.sweeps.sweeping import searched
    from specnet.spec import parse_sweep

    settings = [*(overrides or ()), *([] if trials is None else [f"sweep.trials={trials}"])]
    parsed = parse_for_target(spec, settings, limit, parse_sweep)
    with ExitStack() as stack:
        executor = _cluster(stack, dask, jobs)
        folder = stack.enter_context(_verb_folder(output, out, parsed.name, "sweeps"))
        found = searched(
            parsed,
            folder,
            folds,
            observer=_warnings_of_runs(output),
            verbose=output.speaks,
            rows=not no_rows,
            jobs=jobs,
            executor=executor,
            resume=resume,
            force=force,
            report=not no_report,
        )
        written = _show_sweep(found.sweeps[0], folder, output) if folds is None else _show_nested(found, output)
        _print_folder(output, folder, *written, is_opened=open_page)


def distill(
    output: Output,
    run: Annotated[
        Path, argument("RUN", "Folder of a run with an ensemble, of a sweep or of its team.", complete_runs)
    ],
    out: Annotated[Path | None, out_option("DIR", "Folder to write. Default: runs/<name>/<number>.")] = None,
    overrides: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the files of an earlier run in --out.")] = False,
    no_report: NoReportOption = False,
    no_rows: NoRowsOption = False,
    open_page: OpenOption = False,
    limit: LimitOption = None,
) -> None:
    """Train one small network on the predictions of an ensemble.

    Training rows have out-of-fold predictions as targets, further rows are mixed from neighbouring training rows.
    Writes a run with training.teacher in its spec, and compares metrics, agreement, size and speed of both.

    Examples
    --------
    specnet distill runs/penguins/1
    specnet distill runs/penguins/1 -o small --set training.mixtures=9
    """
    if open_page and no_report:
        raise UsageError("--open cannot be combined with --no-report")

    from specnet.cli.arguments import read_limits
    from specnet.report.terminal.bars import reading_shown
    from specnet.run_files import METRICS, MODEL
    from specnet.running.distillation.distilling import row_speeds, student_spec
    from specnet.running.runner import run as run_spec

    limits = read_limits(limit)
    name = student_spec(run, Path(), overrides=overrides or (), limits=limits).name
    with _verb_folder(output, out, name, is_spec=True, verb="run") as folder:
        spec = student_spec(run, folder, overrides=overrides or (), limits=limits)
        options: dict[str, Any] = {"force": force, "report": not no_report, "rows": not no_rows}
        options["verbose"] = output.speaks
        with reading_shown(sys.stderr if output.speaks else None):
            result = run_spec(spec, folder, observer=_warnings_of_runs(output), **options)
    _show_run(result, folder, output, spec)
    _show_lost(result, row_speeds(spec, result.model), folder, output)
    _print_folder(output, folder, f"{MODEL}, {METRICS}, …", is_opened=open_page)


def _show_lost(result: RunResult, speeds: Mapping[str, float | None], folder: Path, output: Output) -> None:
    """Print a teacher beside its student: metrics, agreement, sizes and times for a row."""
    from specnet.report.terminal.scores import teacher_table
    from specnet.run_files import MODEL

    found = result.evaluation["teacher"]
    sizes = {"teacher": found["bytes"], "student": (folder / MODEL).stat().st_size}
    output.data["distilled"] = {**found, "own_bytes": sizes["student"], "microseconds": dict(speeds)}
    output.line()
    output.table(teacher_table(result.evaluation, sizes, speeds))


def _show_sweep(result: SweepResult, folder: Path, output: Output) -> list[str]:
    """Print the results of a sweep; return the number of trials and the names of the written files as texts."""
    from specnet.report.terminal.scores import scores_table
    from specnet.run_files import BEST, BEST_SPECS, TEAM

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
    show_expectations(result.expectations, output)
    written = [spec, f"{BEST}/", *([] if result.team is None else [f"{TEAM}/"]), "…"]
    return [counted(len(result.trials), "trial"), ", ".join(written)]


def _show_nested(result: NestedResult, output: Output) -> list[str]:
    """Print the results of a nested sweep; return the number of sweeps and the names of the written files as texts."""
    from specnet.report.terminal.scores import spread_table
    from specnet.run_files import SUMMARY
    from specnet.saved.expectations_file import over_runs

    output.data["folds"] = [
        {"fold": fold, "trial": each.best.number, "figure": each.best.figure, "metrics": each.worth}
        for fold, each in enumerate(result.sweeps)
    ]
    output.data["summary"] = result.summary
    output.table(spread_table(result.summary))
    _show_judged(over_runs([each.expectations for each in result.sweeps]), result.folder, output)
    return [counted(len(result.sweeps), "sweep"), f"{SUMMARY}, …"]


def _run_many(
    output: Output,
    spec: Spec,
    folder_to_write: AbstractContextManager[Path],
    dask: str | None,
    *,
    is_opened: bool,
    **options: Any,
) -> None:
    """Run a spec for each fold or seed, and print the results."""
    from specnet.report.terminal.scores import spread_table
    from specnet.run_files import RUNS_TABLE, SUMMARY
    from specnet.running.repeated_runs import run_many as run_specs

    with ExitStack() as stack:
        options["executor"] = _cluster(stack, dask, options["jobs"])
        folder = stack.enter_context(folder_to_write)
        result = run_specs(spec, folder, observer=_warnings_of_runs(output), verbose=output.speaks, **options)
    output.data["runs"] = [run.as_dict() for run in result.runs]
    output.data["summary"] = result.summary
    output.table(spread_table(result.summary))
    _show_judged(result.expectations, folder, output)
    _print_folder(output, folder, counted(len(result.runs), "run"), f"{RUNS_TABLE}, {SUMMARY}, …", is_opened=is_opened)
    if result.failed:
        output.mistakes(result.failure)


def _show_judged(judged: Sequence[JudgedExpectation], folder: Path | None, output: Output) -> None:
    """Print the expectations of a series, and the next step if they end it with status 3."""
    from specnet.report.next_step import step_of_series
    from specnet.saved.expectations_file import fails
    from specnet.saved.saved_series import SavedSeries

    show_expectations(judged, output)
    if not fails(judged) or folder is None or (step := step_of_series(SavedSeries(folder), str(folder))) is None:
        return
    output.parts(f"{step.headline} {step.text}")
    if step.command:
        output.command(step.command)


def _warnings_of_runs(output: Output) -> Observer:
    """Return an observer that records warnings of runs as data; also with ``--quiet`` it prints missing reports."""
    from specnet.report.terminal.terminal_output import write_mistakes
    from specnet.training import WarningRecorder

    class Warnings(WarningRecorder):
        def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
            super().warned(diagnostics)
            for diagnostic in diagnostics:
                if output.quiet and diagnostic.code == "report":
                    write_mistakes(sys.stderr, render(diagnostic, "warning"))

    return Warnings(output.data.setdefault("warnings", []))


def _cluster(stack: ExitStack, address: str | None, jobs: int | None) -> Executor | None:
    """Return the executor of a dask cluster, which `stack` closes; None without an address."""
    if address is None:
        return None
    if jobs is not None:
        raise UsageError("--jobs cannot be combined with --dask")
    from specnet.running.workers import dask_executor

    return stack.enter_context(dask_executor(address))


@contextmanager
def _verb_folder(
    output: Output,
    out: Path | None,
    name: str | None,
    top: str = "runs",
    *,
    is_spec: bool = False,
    verb: str | None = None,
) -> Iterator[Path]:
    """Yield the folder to write, by default a new numbered folder for `name`; remove the new folder if it is empty.

    If the run is interrupted, the error contains the command that resumes it, of the verb `verb` or of the called one.
    With `is_spec`, this command names the folder as the spec.
    """
    from specnet.running.run_folder import new_folder
    from specnet.running.runner import RunInterrupted

    folder = out or new_folder(name, top)
    output.data["folder"] = str(folder)
    try:
        yield folder
    except RunInterrupted as stopped:
        command = f"to resume: {resume_command(output.context, folder, is_spec=is_spec, verb=verb)}"
        raise stopped_by(stopped.signal, str(stopped), None if stopped.finished else command) from None
    finally:
        if out is None:
            with suppress(OSError):
                folder.rmdir()
                folder.parent.rmdir()
                folder.parent.parent.rmdir()


def resume_command(context: typer.Context, folder: Path, *, is_spec: bool = False, verb: str | None = None) -> str:
    """Return the command that resumes a verb in a folder, with all other options of the first call.

    Parameters
    ----------
    context : typer.Context
        Context of the called verb.
    folder : Path
    is_spec : bool
        Whether the command names the folder instead of the spec and its overrides.
    verb : str, optional
        The verb that resumes. Default: the called one.
    """
    spec = folder if is_spec else context.params["spec"]
    words = ["specnet", verb or str(context.info_name), str(spec), "--out", str(folder)]
    omitted = ["spec", "run", "out", "force", "resume", "output_format", "quiet", *["overrides"] * is_spec]
    for parameter in context.command.params:
        given = None if parameter.name in omitted else context.params[str(parameter.name)]
        option = parameter.opts[0]
        for value in given if isinstance(given, list | tuple) else [given]:
            words += [option] if value is True else [] if value in (None, False) else [option, str(value)]
    return shlex.join([*words, "--resume"])


def _check_options(
    output: Output, spec: Path, out: Path | None, *, resume: bool, force: bool, no_report: bool, open_page: bool
) -> None:
    """Raise UsageError for options that cannot be combined, and for ``--resume`` without a folder."""
    if open_page and no_report:
        raise UsageError("--open cannot be combined with --no-report")
    if resume and force:
        raise UsageError("--resume cannot be combined with --force")
    if resume and out is None:
        verb = output.context.info_name
        folder = str(spec) if verb == "run" and spec.is_dir() else "DIR"
        command = shlex.join(["specnet", verb, str(spec), "--out", folder, "--resume"])
        raise UsageError("--resume needs --out", hint=f"use `{command}`")


def _print_folder(output: Output, folder: Path, *parts: str, is_opened: bool) -> None:
    """Print a written folder with `parts`, then the path of its report, if any; open the report if `is_opened`."""
    from specnet.run_files import REPORT

    output.parts(str(folder), *parts)
    if (folder / REPORT).is_file():
        output.page(folder / REPORT, is_opened=is_opened)
