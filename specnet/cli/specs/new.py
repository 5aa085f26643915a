"""`specnet new`: a spec to start from, for a table or without one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specnet.cli.inputs import check_suffix
from specnet.cli.options import ForceOption, argument, word_option
from specnet.cli.output import Output, UsageError

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
    output: Output,
    file: Annotated[Path, argument("[FILE]", "Spec to write. Default: spec.toml.")] = Path("spec.toml"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Table to learn from: .csv, .parquet or .jsonl.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", metavar="NAME", help="Column to predict (repeatable).")
    ] = None,
    template: Annotated[
        TemplateName | None,
        word_option("--template", TemplateName, "Spec to write without a table. Default: classification."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One network, which trains in about a tenth of the time.")
    ] = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="Add a search over settings, for specnet sweep.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="How the table is read, such as data.skip=2 (repeatable)."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Write a commented spec to start from.

    The spec is ready to run. With --data it lists the kind of every column and
    has settings that suit the table, and says about how long training will
    take; with --sweep also ranges around them, which `specnet sweep` searches.
    Writes specnet.schema.json beside it for the editor.

    Examples
    --------
    specnet new penguins.toml --data specs/data/penguins.csv --target species
    specnet new search.toml --data specs/data/penguins.csv --target species --sweep
    specnet new first.toml --data specs/data/penguins.csv --target species --quick
    specnet new residual.toml --template residual
    """
    from specnet.files import refuse_taken, write_files
    from specnet.parts.fields import spec_name
    from specnet.parts.registry import installed_registry
    from specnet.recipes import TEMPLATES
    from specnet.report.terminal.terminal_output import visible
    from specnet.spec.json_schema import schema_text

    check_suffix(file, (".toml",), "the name of the spec")
    _check_choice(data, target, template, {"--set": settings, "--quick": quick, "--sweep": sweep})
    schema_file = file.with_name(SCHEMA_NAME)
    schema = schema_text(installed_registry())
    kept = schema_file.is_file() and schema_file.read_bytes() == schema.encode()
    if not force:
        refuse_taken(file, *([] if kept else [schema_file]))
    name, shown = spec_name(file.stem), visible(str(file))
    if data is not None and target:
        text = _for_table(
            output, file, _table(data, _named_once(target), settings or ()), name, shown, sweep=sweep, quick=quick
        )
    else:
        text = TEMPLATES[template or TemplateName.CLASSIFICATION].substitute(name=name, file=shown)
    write_files({file: text, **({} if kept else {schema_file: schema})})
    written = [str(path) for path in (file, *([] if kept else [schema_file]))]
    output.data["written"] = written
    output.line(", ".join(written))
    if data is not None and (output.speaks or output.as_json):  # the table is read once more
        _tell_seconds(output, file)


def _check_choice(
    data: Path | None, target: Sequence[str] | None, template: TemplateName | None, others: Mapping[str, object]
) -> None:
    """Refuse options that are only of use with others, or not with them."""
    if data is not None and template is not None:
        raise UsageError("--data and --template exclude each other")
    given = [option for option, value in {"--target": target, **others}.items() if value]
    if data is None and given:
        raise UsageError(f"{given[-1]} needs a table", hint="add --data FILE")
    if data is not None and not target:
        raise UsageError("--data needs a column to predict", hint="add --target NAME")


def _for_table(output: Output, file: Path, table: TableFile, name: str, shown: str, **options: bool) -> str:
    """Return the spec for a table, and tell of its warnings."""
    from specnet.errors import DataError
    from specnet.parts.data import settings_as_options
    from specnet.recipes import recipe, table_facts

    path = str(table.path)
    try:
        with settings_as_options("new"):
            facts = table_facts(table, Path())
    except DataError as error:
        problems = (replace(each, source=each.source or path, path=()) for each in error.diagnostics)
        raise DataError(*problems) from None
    output.data["warnings"] = []
    output.warnings(*facts.warnings)
    return recipe(
        facts,
        name=name,
        file=shown,
        data_type=table.type,
        path=Path(os.path.relpath(path, file.parent)).as_posix(),
        target=table.targets,
        reading={name: getattr(table, name) for name in _ways_of_reading(table) if name in table.model_fields_set},
        **options,
    )


def _tell_seconds(output: Output, file: Path) -> None:
    """Say how long training will take, if a run on these rows can begin; else the run says why not."""
    from specnet.errors import SpecnetError
    from specnet.network import Network
    from specnet.running.data_rows import read_data
    from specnet.spec import parse_spec
    from specnet.training.steps.engine_choice import about, expected_seconds

    with suppress(SpecnetError):
        data = read_data(parse_spec(file))
        seconds = expected_seconds(Network(data.resolved), len(data.splits["train"]))
        output.data["expected_seconds"] = seconds
        output.line(f"training takes {about(seconds)}")


def _named_once(targets: Sequence[str]) -> str | tuple[str, ...]:
    """Return the columns to predict as a spec has them."""
    if repeated := [name for place, name in enumerate(targets) if name in targets[:place]]:
        raise UsageError(f'duplicate name "{repeated[0]}"', source="--target")
    return targets[0] if len(targets) == 1 else tuple(targets)


def _table(data: Path, target: str | tuple[str, ...], settings: Sequence[str]) -> TableFile:
    """Return what reads a table, with settings of how it is read."""
    from specnet.parts.data import not_a_table, table_file_type
    from specnet.spec import parse_spec

    part = table_file_type(data)
    if part is None:
        message, hint = not_a_table(data)
        raise UsageError(message, hint=hint, source=str(data))
    table = part(path=str(data), target=target)
    known = [f"data.{name}" for name in _ways_of_reading(table)]
    for number, setting in enumerate(settings, 1):
        key, sign, _ = setting.partition("=")
        if not sign or not (key in known or key.startswith("data.columns.")):
            hint = f"choose from {', '.join([*known, 'data.columns.NAME'])}"
            message = f'"{key}" does not say how a {table.type} file is read'
            message = message if sign else f'expected KEY=VALUE, got "{key}"'
            raise UsageError(message, hint=hint, source=f"--set #{number}")
    if not settings:
        return table
    any_other = {"network": {"hidden_layer_sizes": [1]}, "training": {"loss": "mean_squared_error"}}
    read = {"type": table.type, "path": str(data), "target": target}
    spec = parse_spec({"data": read, **any_other}, overrides=settings)
    assert isinstance(spec.data, part), "its type is said"
    return spec.data


def _ways_of_reading(table: TableFile) -> list[str]:
    """Return the keys that only such files have."""
    from specnet.parts.data import TableFile

    return [name for name in type(table).model_fields if name not in (*TableFile.model_fields, "type")]
