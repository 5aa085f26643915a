"""`specnet import`: a spec and a model from another tool's file."""

from pathlib import Path
from typing import Annotated

import typer

from specnet.cli.inputs import check_suffix, read_limits
from specnet.cli.options import ForceOption, LimitOption, argument, out_option
from specnet.cli.output import Output


def import_(
    output: Output,
    file: Annotated[Path, argument("FILE", "An .onnx, .keras or .skops file.")],
    out: Annotated[
        Path, out_option("NAME.toml", "Spec to write; the model is written beside it, as NAME.safetensors.")
    ],
    force: ForceOption = False,
    limit: LimitOption = None,
    chosen: Annotated[
        str | None, typer.Option("--output", metavar="NAME", help="Output to import, of an ONNX file with several.")
    ] = None,
) -> None:
    """Import a model from another tool.

    An ONNX file is run on random rows and compared with the imported model if onnxruntime is installed. No code in the
    file is executed. If anything is not supported, it is reported and nothing is written.

    Examples
    --------
    specnet import network.onnx -o network.toml
    specnet import policy.onnx -o policy.toml --output action
    """
    from specnet.importing import read_network, weights_path, write_network
    from specnet.report.overview import Overview

    check_suffix(file, (".onnx", ".keras", ".skops"), "the name of the file to import")
    check_suffix(out, (".toml",), "the name of the spec")
    imported = read_network(file, limits=read_limits(limit), output=chosen)
    write_network(imported, out, overwrite=force)
    network = imported.model.network
    plan = Overview(network.resolved)
    files = [str(out), str(weights_path(out))]
    output.warnings(*imported.warnings)
    output.data |= {"written": files, "proof": imported.proof or None, **plan.as_dict()}
    output.parts(str(network.spec.name), plan.summary(), plan.totals(), network.spec.network.dtype)
    output.parts(f"{out}, {weights_path(out)}", imported.proof or "")
