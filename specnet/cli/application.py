"""The verbs put together."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from specnet.cli.check import check
from specnet.cli.evaluate import evaluate
from specnet.cli.export import export
from specnet.cli.import_ import import_
from specnet.cli.init import init
from specnet.cli.predict import predict
from specnet.cli.run import run
from specnet.cli.schema import schema
from specnet.cli.show import show
from specnet.cli.validate import validate

_SECTION = "\n\nExamples\n--------\n"

application = typer.Typer(
    help="Small and middle-sized neural networks from a spec: checked, trained, evaluated, saved.",
    epilog="Exit status: 0 done; 1 the spec, the data, a file or the training is at fault; 2 the command line is; "
    "130 after Ctrl-C.",
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: rich's costs as much time as all the rest together.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from specnet.version import __version__

        typer.echo(f"specnet {__version__}")
        raise typer.Exit


@application.callback(invoke_without_command=True)
def _without_verb(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def _register(verb: Callable[..., Any]) -> None:
    """Add a verb, named as its function, whose help is its docstring; the section Examples stands below the options."""
    text, _, examples = (inspect.getdoc(verb) or "").partition(_SECTION)
    lines = "\n".join(f"  {line}" for line in examples.splitlines())
    application.command(verb.__name__.rstrip("_"), help=text, epilog=f"\b\nExamples:\n{lines}")(verb)


for _verb in (run, validate, show, check, predict, evaluate, export, import_, schema, init):
    _register(_verb)
