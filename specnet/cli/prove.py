"""Verbs that test specs, models and runs: `specnet check`, `evaluate` and `verify`."""

from __future__ import annotations

import math
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specnet.cli.arguments import (
    AnyModelArgument,
    DataArgument,
    EncodingOption,
    JobsOption,
    LimitOption,
    RunsArgument,
    SetOption,
    SpecArgument,
    check_model_and_data,
    count_option,
    load_any,
    out_option,
    parse,
    read_limits,
    rows_file,
    rows_name,
)
from specnet.cli.output import Output, show_expectations
from specnet.errors import DataError, Diagnostic, SpecnetError
from specnet.number_texts import count, counted, figure

if TYPE_CHECKING:
    from specnet.checking import GradientCheck
    from specnet.report.terminal.terminal_output import TextTable
    from specnet.running.verification.result import Verification, VerifiedRun


def check(output: Output, spec: SpecArgument, overrides: SetOption = None, limit: LimitOption = None) -> None:
    """Check the gradient of a network numerically.

    Compares the gradient with respect to each parameter tensor and the input with central differences, in float64, at
    the initial parameters. It uses 16 training rows, or random rows for a spec without data, and up to 200 coordinates
    per tensor. Coordinates that cross a kink are excluded and counted. If an error exceeds 1e-7 of the largest
    gradient of the tensor, each layer is checked separately to find the wrong one.

    The first table shows each layer before training: dead units (slope 0 in every row), saturated units (slope below
    0.001 in every row), mean and standard deviation of the outputs, and the root mean square of the gradient.

    Examples
    --------
    specnet check specs/moons.toml
    specnet check specs/digits.toml --set network.dtype=float64 --format json
    """
    from specnet.checking import check_spec
    from specnet.report.terminal.bars import CountProgress

    parsed = parse(spec, overrides, limit)
    with CountProgress(sys.stderr if output.speaks else None, "coordinates compared") as progress:
        found = check_spec(parsed, progress.show)
    output.data |= found.as_dict()
    _show_check(found, output)
    if not found.agrees:
        output.mistakes(_wrong_gradients(found))


def _show_check(found: GradientCheck, output: Output) -> None:
    from specnet.checking import STEP, TOLERANCE
    from specnet.report.overview import Overview

    plan = Overview(found.network.resolved)
    head = [plan.spec.name, plan.summary(), counted(plan.parameter_count, "parameter"), found.source]
    output.parts(*(part or "" for part in head))
    output.line()
    output.table(_start_table(found))
    output.line()
    output.table(_comparison_table(found))
    output.line()
    compared = sum(comparison.compared for comparison in found.comparisons)
    left_out = sum(comparison.left_out for comparison in found.comparisons)
    output.parts(
        f"central differences with step {STEP:g} in float64, loss {figure(found.loss)}: "
        f"{counted(compared, 'coordinate')} compared, {count(left_out)} excluded at kinks"
    )
    if found.agrees:
        worst = found.worst
        output.parts(
            f"gradient check passed: max error {worst.share:.1e} relative to the largest gradient of {worst.name} "
            f"(tolerance {TOLERANCE:g})"
        )


def _start_table(found: GradientCheck) -> TextTable:
    """Return a table with a row for each layer: statistics of its outputs and its gradient before the first step."""
    from specnet.report.terminal.terminal_output import TextTable

    header = ("layer", "units", "dead", "saturated", "mean", "std", "gradient")
    rows = [
        (
            f"{start.key} {start.layer}",
            count(start.units),
            *("" if number is None else count(number) for number in (start.dead, start.saturated)),
            figure(start.mean),
            figure(start.deviation),
            "" if start.gradient is None else f"{start.gradient:.1e}",
        )
        for start in found.start
    ]
    return TextTable(header, rows, right=frozenset(range(1, 7)), folded=frozenset({0}))


def _comparison_table(found: GradientCheck) -> TextTable:
    """Return a table with a row for each tensor: number of compared coordinates, error and verdict.

    The error is relative to the tensor's largest gradient.
    """
    from specnet.report.terminal.terminal_output import TextTable

    rows = [
        (
            comparison.name,
            f"{count(comparison.compared)} of {count(comparison.compared + comparison.left_out)}",
            f"{comparison.share:.0e}" if comparison.largest else "",
            comparison.verdict,
        )
        for comparison in found.comparisons
    ]
    return TextTable(("tensor", "compared", "error", "verdict"), rows, right=frozenset({1, 2}))


def _wrong_gradients(found: GradientCheck) -> SpecnetError:
    from specnet.checking import TOLERANCE

    tensors = [
        Diagnostic(
            "wrong-gradient",
            f"wrong gradient of {wrong.name}: error {wrong.share:.1e} of its largest entry (tolerance {TOLERANCE:g})",
        )
        for wrong in found.wrong
    ]
    layers = [
        Diagnostic(
            "wrong-derivative",
            f"{wrong.key} ({wrong.described}): wrong derivative of {wrong.worst.name}, error {wrong.worst.share:.1e}",
        )
        for wrong in found.wrong_layers
    ]
    return SpecnetError(*tensors, *layers)


def evaluate(
    output: Output,
    model: AnyModelArgument,
    data: DataArgument,
    encoding: EncodingOption = None,
    limit: LimitOption = None,
) -> None:
    """Evaluate a model on rows.

    Prints the loss and the metrics of the spec of the model, and warns about rows of its training set if MODEL is the
    folder of a run or a file in it. The expectations of such a run are judged on these rows, except the comparison with
    baselines; the exit status is 3 if one is broken. MODEL can also be an .onnx, .keras or .skops file written by
    export.

    Examples
    --------
    specnet evaluate runs/moons_2_5_1/1 rows.npz
    specnet evaluate moons_2_5_1.onnx rows.npz
    """
    from specnet.data import RawColumns, large_cell_in, read_table, table_part
    from specnet.data.row_hashes import RowSet, row_hashes
    from specnet.model import unfamiliar_cells
    from specnet.parts.data import settings_as_options
    from specnet.report.terminal.bars import reading_shown
    from specnet.report.terminal.scores import scores_table
    from specnet.run_files import folder_of, training_rows
    from specnet.running.data_rows import check_rows
    from specnet.running.expectations.judging import expectations_of, judged
    from specnet.running.panel.row_names import names_in_file

    check_model_and_data(model, data)
    loaded = load_any(model, limit)
    with reading_shown(sys.stderr if output.speaks else None), rows_file(data) as file:
        with settings_as_options("predict"):
            rows = read_table(file, loaded.network.resolved, loaded.labels, encoding)
        raw = RawColumns(rows.X, rows.columns)
        try:
            figures = loaded.evaluate(raw, rows.y, rows.sample_weight)
        except DataError:
            problem = large_cell_in(file, loaded.network.resolved, raw, loaded.preparations, encoding)
            if problem is not None:
                raise DataError(problem) from None
            raise
        expectations = [each for each in expectations_of(loaded, folder_of(model)) if each.better_than is None]
        checked, answers = check_rows(raw, rows.y, rows.sample_weight), None
        if expectations:
            answers = loaded.answers(raw, rows.y, rows.sample_weight)
        names = partial(names_in_file, table_part(file, loaded.network.resolved, encoding), rows)
        found = judged(expectations, loaded, checked, answers, names=names)
    output.warnings(*unfamiliar_cells(loaded.preparations, raw, rows_name(data)))
    output.data |= {"rows": len(raw), "metrics": figures}
    if known := RowSet.from_data(training_rows(model)):
        repeated = known.count(row_hashes(raw.X, raw.texts, rows.y))
        if repeated:
            verb = "occurs" if repeated == 1 else "occur"
            message = f"{count(repeated)} of {counted(len(raw), 'row')} also {verb} in the training set"
            message = message if known.is_complete else f"about {message}"
            command = shlex.join(["specnet", "evaluate", str(model), "FILE"])
            hint = f"evaluate rows that were not used for training: `{command}`"
            output.warnings(Diagnostic("training-rows", message, source=rows_name(data), hint=hint))
    output.table(scores_table({rows_name(data): figures}))
    show_expectations(found, output)


def verify(
    output: Output,
    run: RunsArgument,
    out: Annotated[Path | None, out_option("DIR", "Folder to write the new run to. Default: none.")] = None,
    epochs: Annotated[int | None, count_option("--epochs", "Train and compare only the first N epochs.")] = None,
    sample: Annotated[int | None, count_option("--sample", "Verify only N runs of many. Default: all.")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            metavar="X",
            help="Accept relative differences up to X where the machine or the libraries differ.",
        ),
    ] = None,
    jobs: JobsOption = None,
    threads: Annotated[
        int | None, count_option("--threads", "Number of BLAS threads. Default: that of the run.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the files of an earlier run in --out.")] = False,
    limit: LimitOption = None,
) -> None:
    """Repeat a run and compare its files byte for byte.

    Runs the spec in the folder again and compares every file except report.html; times do not count. What cannot be
    computed again, such as a comment in a spec, is compared with the SHA-256 that the run recorded. The exit status is
    1 if a file differs or is missing. The output names the first epoch and tensor that differ, how far, and possible
    causes, then and now: the spec, rows, versions, BLAS, CPU, threads, engine and compiler.

    --epochs stops training early; an interrupted run is trained as far as it got. Of folds and seeds, tables are
    written again too; of a sweep, the trials, the best run, the team and all that follows from them. --tolerance
    accepts small differences if the machine or the libraries differ: relative to the largest value of a tensor, or to
    the number itself in all other files.

    Examples
    --------
    specnet verify runs/moons_2_5_1/1
    specnet verify runs/digits/1 --epochs 5
    specnet verify sweeps/sweep_digits/1 --sample 5 --jobs 2
    specnet verify runs/digits/1 --tolerance 1e-6
    """
    from specnet.running.verification.verifying import verify as verify_run

    found = verify_run(
        run,
        out,
        epochs=epochs,
        sample=sample,
        tolerance=tolerance,
        jobs=jobs,
        threads=threads,
        force=force,
        limits=read_limits(limit),
        verbose=output.speaks,
    )
    output.data |= found.as_dict()
    _show_verification(found, output)
    if not found.holds:
        output.mistakes(_differences(found, run))


def _show_verification(found: Verification, output: Output) -> None:
    from specnet.running.verification.result import unchecked_text

    for verified in found.runs:
        if len(found.runs) == 1 or not verified.is_same:
            _show_verified_run(verified, found.tolerance, output)
    if len(found.runs) > 1:
        others = sum(not verified.is_same for verified in found.runs)
        files = counted(sum(len(verified.files) for verified in found.runs), "file")
        drawn = f"{count(len(found.runs))} of " if found.total > len(found.runs) else ""
        folders = f"{drawn}{counted(found.total, 'folder')}"
        output.line(
            f"{count(others)} of {counted(len(found.runs), 'folder')} differ{'s' * (others == 1)}"
            if others
            else f"the same {files} in {folders}"
        )
        unchecked = list(dict.fromkeys(name for verified in found.runs for name in verified.unchecked))
        if unchecked:
            output.line(unchecked_text(unchecked))


def _show_verified_run(verified: VerifiedRun, tolerance: float | None, output: Output) -> None:
    from specnet.report.spec_differences import joined_rows

    output.parts(verified.name, str(verified))
    if not verified.is_same and verified.is_within(tolerance):
        output.line(f"only rounding differs, by at most {verified.largest:.1e} (tolerance {tolerance:g})")
    for difference in verified.differences:
        output.parts(str(difference))
    if verified.predictions is not None:
        output.parts(str(verified.predictions))
    output.rows(joined_rows([*verified.inputs, *verified.machine]))


def _differences(found: Verification, folder: Path) -> SpecnetError:
    """Return the error that lists the runs that differ."""
    problems = []
    for each in found.others:
        first = next(iter(each.differences), None)
        text = str(each) if first is None else f"{each}; {first}"
        problems.append(Diagnostic("different", text, source=str(folder / each.name), hint=_difference_hint(each)))
    return SpecnetError(*problems)


def _difference_hint(verified: VerifiedRun) -> str | None:
    """Return a hint with the likely reason why a run differs, or the option that accepts the difference."""
    if any(each.is_changed for each in verified.differences):
        return "restore the file, or repeat the run with `specnet run` (a sweep with `specnet sweep`)"
    changes = ", ".join(each.key for each in (*verified.inputs, *verified.machine))
    if verified.is_rounded and verified.largest and math.isfinite(verified.largest):
        needed = f"{10.0 ** math.ceil(math.log10(verified.largest)):.0e}"
        earlier = "" if verified.beginning else ", or --epochs to compare the first ones"
        return f"rounding differs with {changes}; use --tolerance {needed} to accept what became of it{earlier}"
    if changes:
        return f"what else differs: {changes}"
    if verified.message:
        return None
    unchanged = (
        "spec, rows and machine are the same: a file was changed after the run, or the run resumed with more epochs"
    )
    return f"{unchanged}; otherwise this is a bug in specnet"
