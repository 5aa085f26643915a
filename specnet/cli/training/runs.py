"""`specnet runs`: the runs in a folder as a table."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from specnet.cli.inputs import check_page
from specnet.cli.options import ForceOption, OpenOption, argument, out_option
from specnet.cli.output import Output, UsageError
from specnet.cli.training.verb_folders import option_words


def runs(
    output: Output,
    folder: Annotated[Path, argument("[FOLDER]", "Folder to search. Default: runs.")] = Path("runs"),
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="COLUMN", help="Sort by a column of the table; in descending order after -, as in -loss."
        ),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Write a page that leads to those of the runs.")] = False,
    out: Annotated[Path | None, out_option("FILE", "File to write with --html. Default: runs.html.")] = None,
    force: ForceOption = False,
    open_page: OpenOption = False,
) -> None:
    """List the runs in a folder with their scores.

    Shows the main metric and the loss of the test set (without one those out of fold, of the validation or of the
    training set), the time of the training and the codes of the findings, and which runs were interrupted, have not
    finished, or cannot be read. A sweep is one row, with the run of its best trial; folds and seeds are one, with means
    and standard deviations: name their folder to list its runs. Searches the folder and three levels below. With --html
    the table is an HTML file that needs nothing else, in which the name of each row leads to its report.

    Examples
    --------
    specnet runs
    specnet runs runs/moons_2_5_1 --sort -accuracy
    specnet runs sweeps
    specnet runs --sort time --format json
    specnet runs --html --sort -accuracy -o best.html
    """
    if (out is not None or open_page) and not html:
        raise UsageError(f"{'--open' if out is None else '--out'} needs --html")
    page = out or Path("runs.html")
    if html:
        check_page(page, force=force)
    from specnet.report.terminal.run_table import RunTable
    from specnet.saved.finding_runs import find_runs, saved_in

    found = find_runs(folder)
    names = [str(run.relative_to(folder)) if run != folder else str(run) for run in found]
    table = RunTable([saved_in(run, name) for run, name in zip(found, names, strict=True)])
    if sort is not None:
        try:
            table = table.sorted_by(sort)
        except KeyError as error:
            raise UsageError(f'unknown column "{sort}"', hint=error.args[0], source="--sort") from None
    output.data["runs"] = [record.row() for record in table.records]
    if html:
        from specnet.files import write_file
        from specnet.report.pages.comparison_page import runs_page

        command = shlex.join(["specnet", "runs", str(folder), *option_words(html=html, sort=sort, out=page)])
        write_file(page, runs_page(table, command, page.parent))
        output.data["file"] = str(page)
        output.page(page, is_opened=open_page)
    elif table.records:
        output.table(table.table())
    else:
        output.line(f"no runs in {folder}")
