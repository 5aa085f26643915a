"""`specnet runs`: the runs in a folder as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specnet.cli.options import argument
from specnet.cli.output import Output, UsageError


def runs(
    output: Output,
    folder: Annotated[Path, argument("[FOLDER]", "Folder to search. Default: runs.")] = Path("runs"),
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="COLUMN", help="Sort by a column of the table; in descending order after -, as in -loss."
        ),
    ] = None,
) -> None:
    """List the runs in a folder with their scores.

    Shows the main metric of the test set, the training loss, the time of the training and the codes of the findings,
    and which runs were interrupted, have not finished, or cannot be read. A sweep is one row, with the run of its best
    trial. Searches the folder and three levels below.

    Examples
    --------
    specnet runs
    specnet runs runs/moons_2_5_1 --sort -accuracy
    specnet runs sweeps
    specnet runs --sort time --format json
    """
    from specnet.report.terminal.run_table import RunTable
    from specnet.running.saved_runs import find_runs, read_record

    found = find_runs(folder)
    names = [str(run.relative_to(folder)) if run != folder else str(run) for run in found]
    table = RunTable([read_record(run, name) for run, name in zip(found, names, strict=True)])
    if sort is not None:
        try:
            table = table.sorted_by(sort)
        except KeyError as error:
            raise UsageError(f'unknown column "{sort}"', hint=error.args[0], source="--sort") from None
    output.data["runs"] = [record.as_dict() for record in table.records]
    if table.records:
        output.table(table.table())
    else:
        output.line(f"no runs in {folder}")
