"""`specnet verify`: repeat a run and compare it with its folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specnet.cli.inputs import read_limits
from specnet.cli.options import JobsOption, LimitOption, RunsArgument, count_option, out_option
from specnet.cli.output import Output

if TYPE_CHECKING:
    from specnet.errors import SpecnetError
    from specnet.running.verification.result import Verification, VerifiedRun


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
    _show(found, output)
    if not found.holds:
        output.mistakes(_fault(found, run))


def _show(found: Verification, output: Output) -> None:
    from specnet.number_texts import count, counted
    from specnet.running.verification.result import unchecked_text

    for verified in found.runs:
        if len(found.runs) == 1 or not verified.is_same:
            _show_run(verified, found.tolerance, output)
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


def _show_run(verified: VerifiedRun, tolerance: float | None, output: Output) -> None:
    from specnet.report.spec_differences import joined_rows

    output.parts(verified.name, str(verified))
    if not verified.is_same and verified.is_within(tolerance):
        output.line(f"only rounding differs, by at most {verified.largest:.1e} (tolerance {tolerance:g})")
    for difference in verified.differences:
        output.parts(str(difference))
    if verified.predictions is not None:
        output.parts(str(verified.predictions))
    output.rows(joined_rows([*verified.inputs, *verified.machine]))


def _fault(found: Verification, folder: Path) -> SpecnetError:
    """Return the error of runs that are not the same."""
    from specnet.errors import Diagnostic, SpecnetError

    sources = ((each, str(folder / each.name)) for each in found.others)
    return SpecnetError(
        *(Diagnostic("different", _told(each), source=source, hint=_hint(each)) for each, source in sources)
    )


def _told(verified: VerifiedRun) -> str:
    first = next(iter(verified.differences), None)
    return str(verified) if first is None else f"{verified}; {first}"


def _hint(verified: VerifiedRun) -> str | None:
    """Return why a run may differ, or what accepts that it does."""
    if any(each.is_changed for each in verified.differences):
        return "restore the file, or run the spec again"
    changes = ", ".join(each.key for each in (*verified.inputs, *verified.machine))
    if verified.is_rounded and verified.largest and math.isfinite(verified.largest):
        needed = f"{10.0 ** math.ceil(math.log10(verified.largest)):.0e}"
        earlier = "" if verified.beginning else ", or --epochs to compare the first ones"
        return f"rounding differs with {changes}; use --tolerance {needed} to accept what became of it{earlier}"
    if changes:
        return f"what else differs: {changes}"
    if verified.message:
        return None
    told = "spec, rows and machine are the same: a file was changed after the run, or the run resumed with more epochs"
    return f"{told}; otherwise this is a bug in specnet"
