"""`specnet run`: train, evaluate, save."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from specnet.cli.options import FormatOption, LimitOption, OutputFormat, QuietOption, SpecArgument, read_limits
from specnet.cli.output import Output, UsageError, reporting


def run(
    spec: SpecArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The folder to write; runs/<name>/<number> where nothing is said."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Put a value in place of the spec's, as often as needed; KEY= removes the key.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the files of an earlier run in --out.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the checkpoint in --out, which training.checkpoint_every asks for; begin if none.",
        ),
    ] = False,
    limit: LimitOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Train a network, evaluate and save it.

    The model, its history, its figures on every split and the resolved spec go into one folder, each file whole or not
    at all.

    Examples
    --------
    specnet run specs/moons.toml
    specnet run specs/moons.toml --out moons --set training.epochs=100 --set network.activations.0=tanh
    """
    with reporting(output_format, quiet) as output:
        for number, setting in enumerate(overrides or (), 1):
            if "=" not in setting:
                hint = "write it as in --set training.epochs=100"
                raise UsageError(f'"{setting}" has no "="', hint=hint, source=f"--set #{number}")
        if resume and (force or out is None):
            raise UsageError("--resume goes on in the folder that --out names, and does not go with --force")

        from specnet.report.progress import RunProgress
        from specnet.report.scores import scores_table
        from specnet.runner import run as run_spec
        from specnet.spec import parse_spec

        parsed = parse_spec(spec, overrides=tuple(overrides or ()), limits=read_limits(limit))
        with _folder(out, parsed.name, output) as folder, RunProgress(sys.stderr) as progress:
            observer = progress if output.speaks else None
            result = run_spec(parsed, folder, force=force, resume=resume, observer=observer)
        output.data |= {"folder": str(folder), "metrics": result.metrics}
        output.remark("")
        output.table(scores_table(result.metrics))
        output.line()
        output.line(f"{folder}   model.safetensors, metrics.json, history.jsonl, …")


@contextmanager
def _folder(out: Path | None, name: str | None, output: Output) -> Iterator[Path]:
    """Give the folder to write, and say how it was left if the run does not end well."""
    from specnet.run_folder import new_folder

    folder = out or new_folder(name)
    before = _written(folder)
    try:
        yield folder
    except KeyboardInterrupt:
        if _written(folder) == before:
            raise
        output.data["folder"] = str(folder)
        raise KeyboardInterrupt(f"what was reached is in {folder}") from None
    finally:
        if out is None:
            # Where nothing was written, no empty folders stay.
            with suppress(OSError):
                folder.rmdir()
                folder.parent.rmdir()
                folder.parent.parent.rmdir()


def _written(folder: Path) -> int | None:
    """Return when the last file of a run was written, or None if it is not there."""
    record = folder / "run.json"
    return record.stat().st_mtime_ns if record.is_file() else None
