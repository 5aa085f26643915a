"""`specnet report`: the page of a run, or of many runs, made again."""

from typing import Annotated

import typer

from specnet.cli.inputs import read_limits
from specnet.cli.options import LimitOption, OpenOption, RunsArgument
from specnet.cli.output import Output


def report(
    output: Output,
    run: RunsArgument,
    no_rows: Annotated[bool, typer.Option("--no-rows", help="Show no rows one by one.")] = False,
    open_page: OpenOption = False,
    limit: LimitOption = None,
) -> None:
    """Write the report of a run or a sweep again.

    The rows of a run are read again from its spec. If they are gone or have changed, report.html is written without the
    charts that need them.

    Examples
    --------
    specnet report runs/moons_2_5_1/1
    specnet report runs/moons_2_5_1/1 --no-rows
    specnet report sweeps/sweep_digits/1
    """
    from specnet.running.reports.folder_pages import page_again

    written = page_again(run, limits=read_limits(limit), with_rows=not no_rows)
    output.data["report"] = str(written)
    output.page(written, is_opened=open_page)
