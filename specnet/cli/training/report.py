"""`specnet report`: the page of a run, or of many runs, made again."""

from pathlib import Path
from typing import Annotated

import typer

from specnet.cli.inputs import read_limits
from specnet.cli.options import FormatOption, LimitOption, OutputFormat, QuietOption
from specnet.cli.output import reporting


def report(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", show_default=False, help="Folder of a run, of folds or seeds, or of a sweep."),
    ],
    limit: LimitOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Write the report of a run or a sweep again.

    The rows of a run are read again from its spec. If they are gone or have changed, report.html is written without the
    charts that need them.

    Examples
    --------
    specnet report runs/moons_2_5_1/1
    specnet report sweeps/sweep_digits/1
    """
    with reporting(output_format, quiet) as output:
        from specnet.running.reports.folder_pages import page_again

        written = page_again(run, limits=read_limits(limit))
        output.data["report"] = str(written)
        output.line(str(written))
