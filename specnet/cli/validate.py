"""`specnet validate`: every mistake in many specs."""

from pathlib import Path
from typing import Annotated

import typer

from specnet.cli.options import FormatOption, LimitOption, OutputFormat, QuietOption, read_limits
from specnet.cli.output import reporting


def validate(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...", show_default=False, help="Specs, TOML or JSON.")],
    limit: LimitOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Find every mistake in specs.

    No data is read, and nothing is trained or written.

    Examples
    --------
    specnet validate specs/moons.toml
    specnet validate --format json specs/moons.toml specs/iris.json
    """
    with reporting(output_format, quiet) as output:
        from specnet.errors import SpecnetError
        from specnet.spec import parse_spec

        limits = read_limits(limit)
        valid = output.data["valid"] = []
        for source in specs:
            try:
                parse_spec(source, limits=limits)
            except SpecnetError as error:
                output.mistakes(error)
            else:
                valid.append(str(source))
                output.line(f"{source}: ok")
