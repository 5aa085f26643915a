"""`specnet export`: a model as a file for another place."""

import pkgutil
from pathlib import Path
from typing import Annotated

import typer

from specnet.cli.options import FormatOption, ModelArgument, OutputFormat, QuietOption
from specnet.cli.output import UsageError, reporting

_TARGETS = sorted(
    module.name for module in pkgutil.iter_modules([str(Path(__file__).parents[1] / "exporting/targets")])
)
"""As `specnet.exporting` has them, which takes longer to import."""


def export(
    model: ModelArgument,
    target: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="TARGET",
            show_default=False,
            help=f"What to write: {', '.join(_TARGETS)}.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The file to write; the network's name in this folder if none is named."
        ),
    ] = None,
    float32: Annotated[
        bool, typer.Option("--float32", help="Store a float64 model as float32, where the target can.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Write a model as a file for another place.

    Raw columns go in, and labels or values come out. Before it takes its place the file is run on 256 rows, where what
    runs it is installed, and compared with the model; one that differs is not kept.

    Examples
    --------
    specnet export runs/moons_2_5_1/1/model.safetensors --to onnx
    specnet export runs/moons_2_5_1/1/model.safetensors --to c -o moons.c
    """
    with reporting(output_format, quiet) as output:
        from specnet.exporting import TARGETS
        from specnet.exporting import export as export_model
        from specnet.model import load_model

        if target not in TARGETS:
            raise UsageError(f'"{target}" is no target; there are {", ".join(TARGETS)}')
        written = export_model(load_model(model), target, out, float32=float32, overwrite=force)
        names = ", ".join(map(str, written.files))
        output.data |= {
            "files": [str(file) for file in written.files],
            "dtype": written.dtype,
            "rows": written.proof.rows,
            "difference": written.proof.difference,
            "note": written.note or None,
        }
        output.line(f"{names}   {written.note or written.dtype}   {written.proof}")
