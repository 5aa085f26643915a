"""`specnet schema`: the JSON Schema of specs."""

from specnet.cli.options import FormatOption, OutputFormat, QuietOption
from specnet.cli.output import reporting


def schema(output_format: FormatOption = OutputFormat.TEXT, quiet: QuietOption = False) -> None:
    """Print the JSON Schema of specs.

    An editor completes and checks specs by it. The parts of installed plugins are in it.

    Examples
    --------
    specnet schema > specnet.schema.json
    """
    with reporting(output_format, quiet) as output:
        from specnet.parts.registry import installed_registry
        from specnet.spec.schema import schema_text

        output.document(schema_text(installed_registry()))
