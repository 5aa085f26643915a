"""`specnet export`: a model as a file for another place."""

import pkgutil
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from specnet.cli.inputs import check_suffix, load
from specnet.cli.options import ForceOption, LimitOption, ModelArgument, level_option, out_option
from specnet.cli.output import Output, UsageError

TARGETS = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parents[2] / "exporting/targets")]))
"""As `specnet.exporting` has them, which takes longer to import."""


def export(
    output: Output,
    model: ModelArgument,
    target: Annotated[
        str,
        typer.Option("--to", metavar="FORMAT", show_default=False, help=f"Format of the export: {', '.join(TARGETS)}."),
    ],
    out: Annotated[
        Path | None, out_option("FILE", "File to write. Default: the network's name in the working directory.")
    ] = None,
    float32: Annotated[
        bool, typer.Option("--float32", help="Store a float64 model as float32, if the format supports it.")
    ] = False,
    interval: Annotated[
        int | None,
        level_option(
            "--interval", "Add intervals that cover this percentage of true values, if the format supports it."
        ),
    ] = None,
    force: ForceOption = False,
    limit: LimitOption = None,
) -> None:
    """Export a model to another format.

    The export takes raw columns and returns labels or values. It is run on 256 rows and compared with the model first,
    if the tool to run it is installed; an export that differs is not written.

    Examples
    --------
    specnet export runs/moons_2_5_1/1 --to onnx
    specnet export runs/moons_2_5_1/1/model.safetensors --to c -o moons.c
    specnet export runs/prices/1 --to javascript --interval 90
    """
    from specnet.exporting import export as export_model
    from specnet.exporting import find_target

    if target not in TARGETS:
        close = get_close_matches(target, TARGETS, n=1)
        hint = f'did you mean "{close[0]}"?' if close else None
        raise UsageError(f'unknown format "{target}"; choose from {", ".join(TARGETS)}', hint=hint, source="--to")
    if out is not None:
        kind = find_target(target)
        check_suffix(out, (kind.suffix, *kind.other_suffixes), f"the file name of a {target} export")
    level = interval and interval / 100
    written = export_model(load(model, limit), target, out, float32=float32, interval=level, overwrite=force)
    names = ", ".join(map(str, written.files))
    output.data |= {
        "files": [str(file) for file in written.files],
        "dtype": written.dtype,
        "rows": written.proof.rows,
        "difference": written.proof.difference,
        "note": written.note or None,
    }
    output.parts(names, written.note or written.dtype, str(written.proof))
