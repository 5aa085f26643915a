"""What several verbs understand in the same way."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from specnet.spec import Limits


class OutputFormat(StrEnum):
    """How results and mistakes are printed."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    OutputFormat,
    typer.Option(
        "--format",
        show_default=False,
        help="text (the default), or json: one document on standard output, with the mistakes under errors.",
    ),
]


class CatalogueFormat(StrEnum):
    """How `show` prints; Markdown is for the catalogue."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


CatalogueFormatOption = Annotated[
    CatalogueFormat,
    typer.Option(
        "--format",
        show_default=False,
        help="text (the default), json: one document on standard output, with the mistakes under errors; or markdown, "
        "for parts.",
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print mistakes, and data that was asked for; nothing else.")
]
SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", show_default=False, help="A spec, TOML or JSON.")]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", show_default=False, help="A model.safetensors file.")]
AnyModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        show_default=False,
        help="A model.safetensors file, or an .onnx, .keras or .skops file that export has written.",
    ),
]
DataArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A .npz file with X (and y, and optionally sample_weight), or a .csv file with the model's columns.",
    ),
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=NUMBER",
        help="Allow a larger network: layers, parameters, or bytes of memory. As often as needed.",
    ),
]


def read_limits(settings: Sequence[str] | None) -> "Limits":
    """Return the caps on a network, with those that the command line sets in place of the usual ones.

    Raises
    ------
    UsageError
        If a setting is no ``NAME=NUMBER``, or the name is no cap's.
    """
    from dataclasses import fields, replace

    from specnet.cli.output import UsageError
    from specnet.spec import Limits

    limits = Limits()
    names = [field.name for field in fields(Limits)]
    for setting in settings or ():
        name, _, number = setting.partition("=")
        if name not in names or not number.isdecimal():
            hint = f"write it as in --limit {names[0]}=5000; the names are {', '.join(names)}"
            raise UsageError(f'"{setting}" is no cap', hint=hint, source="--limit")
        limits = replace(limits, **{name: int(number)})
    return limits
