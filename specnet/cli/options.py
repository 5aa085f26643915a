"""What several verbs understand in the same way."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

COUNT = "N"
"""The metavar of an option that takes an integer of at least 1."""


class OutputFormat(StrEnum):
    """How results and mistakes are printed."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    OutputFormat,
    typer.Option(
        "--format",
        metavar="text|json",
        show_default=False,
        help="Output format; json prints one document, with mistakes under errors. Default: text.",
    ),
]


class CatalogueFormat(StrEnum):
    """How `parts` prints."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


CatalogueFormatOption = Annotated[
    CatalogueFormat,
    typer.Option(
        "--format",
        metavar="text|json|markdown",
        show_default=False,
        help="Output format; json prints one document, with mistakes under errors. Default: text.",
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors and requested output.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
SpecArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC", show_default=False, help="Spec, TOML or JSON; folder of a run; or - for standard input."
    ),
]
ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", show_default=False, help="Folder of a run, or a .safetensors file.")
]
AnyModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        show_default=False,
        help="Folder of a run, a .safetensors file, or an .onnx, .keras or .skops file written by export.",
    ),
]
DataArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help=".csv file with the model's columns, .npz file with X (and y, sample_weight), or - for CSV from standard "
        "input.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a spec value (repeatable); KEY= removes it."),
]
DaskOption = Annotated[
    str | None, typer.Option("--dask", metavar="ADDRESS", help="Scheduler of a dask cluster that computes the runs.")
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=NUMBER",
        help="Allow a larger network: layers, parameters, or bytes of memory (repeatable).",
    ),
]
