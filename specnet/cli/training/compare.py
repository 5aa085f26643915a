"""`specnet compare`: several runs in one page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from specnet.cli.inputs import check_page, read_limits
from specnet.cli.options import ForceOption, LimitOption, OpenOption, argument, out_option
from specnet.cli.output import Output, UsageError


def compare(
    output: Output,
    runs: Annotated[list[Path], argument("RUN...", "Folders of runs, of folds or seeds, or of sweeps.")],
    out: Annotated[Path, out_option("FILE", "File to write. Default: compare.html.")] = Path("compare.html"),
    force: ForceOption = False,
    open_page: OpenOption = False,
    limit: LimitOption = None,
) -> None:
    """Compare runs in one page.

    Writes their scores, their curves laid over each other, and the settings that differ into one HTML file that needs
    nothing else. A folder of folds or seeds stands for its runs, a sweep for the run of its best trial.

    Examples
    --------
    specnet compare runs/moons_2_5_1/1 moons
    specnet compare runs/moons_2_5_1/1 moons -o moons.html
    specnet compare runs/digits/1 sweeps/sweep_digits/1 -o digits.html
    """
    from specnet.saved.finding_runs import runs_for

    found = [run for folder in runs for run in runs_for(folder)]
    if len(found) < 2:
        hint = f"use `specnet report {shlex.quote(str(runs[0]))}`"
        raise UsageError("expected at least two runs, got one", hint=hint)
    check_page(out, force=force)
    from specnet.errors import FileError
    from specnet.files import write_file
    from specnet.files.run_files import check_run
    from specnet.report.pages.comparison_page import comparison_page
    from specnet.saved.saved_run import SavedRun

    words = ["specnet", "compare", *map(str, runs), "-o", str(out)]
    saved = [SavedRun(run, limits=read_limits(limit)) for run in found]
    for run in saved:
        check_run(run.path)
        run.check()
        if not run.history:
            raise FileError("the history of the run is empty", source=str(run.path))
    write_file(out, comparison_page(saved, shlex.join(words), out.parent))
    output.data["file"] = str(out)
    output.page(out, is_opened=open_page)
