"""`specnet new`: a spec to start from, for a table or without one."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specnet.cli.inputs import check_suffix
from specnet.cli.options import ForceOption, FormatOption, OutputFormat, QuietOption
from specnet.cli.output import Output, UsageError, reporting

if TYPE_CHECKING:
    from specnet.parts.data import TableFile

SCHEMA_NAME = "specnet.schema.json"


class TemplateName(StrEnum):
    """What is written without a table."""

    MOONS = "moons"
    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    RESIDUAL = "residual"


def new(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", show_default=False, help="Spec to write. Default: spec.toml.")
    ] = Path("spec.toml"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Table to learn from: .csv, .parquet or .jsonl.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="NAME", help="Column to predict.")] = None,
    template: Annotated[
        TemplateName | None,
        typer.Option(
            "--template",
            metavar="moons|classification|regression|residual",
            show_default=False,
            help="Spec to write without a table. Default: classification.",
        ),
    ] = None,
    force: ForceOption = False,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Write a commented spec to start from.

    The spec is ready to run. With --data it lists the kind of every column and
    has settings that suit the table. Writes specnet.schema.json beside it for
    the editor.

    Examples
    --------
    specnet new penguins.toml --data specs/data/penguins.csv --target species
    specnet new residual.toml --template residual
    """
    with reporting(output_format, quiet) as output:
        from specnet.files import refuse_taken, write_file
        from specnet.parts.fields import spec_name
        from specnet.parts.registry import installed_registry
        from specnet.recipes import TEMPLATES
        from specnet.report.terminal import visible
        from specnet.spec.schema import schema_text

        check_suffix(file, (".toml",), "the name of the spec")
        _check_choice(data, target, template)
        schema_file = file.with_name(SCHEMA_NAME)
        schema = schema_text(installed_registry())
        kept = schema_file.is_file() and schema_file.read_bytes() == schema.encode()
        if not force:
            refuse_taken(file, *([] if kept else [schema_file]))
        name, shown = spec_name(file.stem), visible(str(file))
        if data is not None and target is not None:
            text = _for_table(output, file, data, target, name, shown)
        else:
            text = TEMPLATES[template or TemplateName.CLASSIFICATION].substitute(name=name, file=shown)
        write_file(file, text)
        written = [str(file)]
        if not kept:
            write_file(schema_file, schema)
            written.append(str(schema_file))
        output.data["written"] = written
        output.line(", ".join(written))


def _check_choice(data: Path | None, target: str | None, template: TemplateName | None) -> None:
    """Refuse options that are only of use with others, or not with them."""
    if data is not None and template is not None:
        raise UsageError("--data and --template exclude each other")
    if target is not None and data is None:
        raise UsageError("--target needs a table", hint="add --data FILE")
    if data is not None and not target:
        raise UsageError("--data needs a column to predict", hint="add --target NAME")


def _for_table(output: Output, file: Path, data: Path, target: str, name: str, shown: str) -> str:
    """Return the spec for a table, and tell of its warnings."""
    from specnet.data import about_file
    from specnet.errors import DataError, render
    from specnet.recipes import recipe, table_facts

    table = _table(data, target)
    try:
        facts = table_facts(table, Path())
    except DataError as error:
        raise about_file(error, str(data)) from None
    for warning in facts.warnings:
        output.remark(render(warning, "warning"))
    output.data["warnings"] = [warning.as_dict() for warning in facts.warnings]
    return recipe(
        facts,
        name=name,
        file=shown,
        data_type=table.type,
        path=Path(os.path.relpath(data, file.parent)).as_posix(),
        target=target,
    )


def _table(data: Path, target: str) -> TableFile:
    from specnet.parts.data import table_file_type

    part = table_file_type(data)
    if part is None:
        raise UsageError("expected a .csv, .parquet or .jsonl file", source=str(data))
    return part(path=str(data), target=target)
