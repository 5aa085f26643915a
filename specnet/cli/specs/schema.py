"""`specnet schema`: the JSON Schema of specs."""

from pathlib import Path
from typing import Annotated

from specnet.cli.inputs import check_suffix
from specnet.cli.options import ForceOption, out_option
from specnet.cli.output import Output


def schema(
    output: Output,
    out: Annotated[Path | None, out_option("FILE.json", "File to write. Default: standard output.")] = None,
    force: ForceOption = False,
) -> None:
    """Print the JSON Schema of specs.

    Editors use it to complete and check specs. It includes the parts of installed plugins.

    Examples
    --------
    specnet schema > specnet.schema.json
    specnet schema -o specnet.schema.json --force
    """
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
    output.written(out)
