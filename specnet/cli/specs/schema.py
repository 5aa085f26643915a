"""`specnet schema`: the JSON Schema of specs."""

from pathlib import Path
from typing import Annotated

import typer

from specnet.cli.inputs import check_suffix
from specnet.cli.options import ForceOption, FormatOption, OutputFormat, QuietOption
from specnet.cli.output import reporting


def schema(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.json", help="File to write. Default: standard output.")
    ] = None,
    force: ForceOption = False,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Print the JSON Schema of specs.

    Editors use it to complete and check specs. It includes the parts of installed plugins.

    Examples
    --------
    specnet schema > specnet.schema.json
    specnet schema -o specnet.schema.json --force
    """
    with reporting(output_format, quiet) as output:
        from specnet.files import refuse_taken, write_file
        from specnet.parts.registry import installed_registry
        from specnet.spec.json_schema import schema_text

        if out is not None:
            check_suffix(out, (".json",), "the name of the schema")
            if not force:
                refuse_taken(out)
        text = schema_text(installed_registry())
        if out is None:
            output.document(text)
            return
        write_file(out, text)
        output.data["file"] = str(out)
        output.line(str(out))
