"""What several verbs understand in the same way."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print mistakes and nothing else.")]
SpecArgument = Annotated[Path, typer.Argument(metavar="SPEC", show_default=False, help="A spec, TOML or JSON.")]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", show_default=False, help="A model.safetensors file.")]
DataArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A .npz file with X (and y, and optionally sample_weight), or a .csv file with the model's columns.",
    ),
]
