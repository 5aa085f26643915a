"""The verbs put together."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from inspect import Parameter, Signature
from itertools import chain
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from specnet.cli.models.evaluate import evaluate
from specnet.cli.models.export import export
from specnet.cli.models.import_ import import_
from specnet.cli.models.predict import predict
from specnet.cli.options import CatalogueFormat, OutputFormat, QuietOption, format_option
from specnet.cli.output import reporting
from specnet.cli.shells import SCRIPTS
from specnet.cli.specs.check import check
from specnet.cli.specs.diff import diff
from specnet.cli.specs.new import new
from specnet.cli.specs.parts import parts
from specnet.cli.specs.schema import schema
from specnet.cli.specs.show import show
from specnet.cli.specs.validate import validate
from specnet.cli.training.compare import compare
from specnet.cli.training.report import report
from specnet.cli.training.run import run
from specnet.cli.training.runs import runs
from specnet.cli.training.sweep import sweep
from specnet.cli.training.verify import verify
from specnet.cli.usage import Fault
from specnet.cli.usage import report as report_fault

_SECTION = "\n\nExamples\n--------\n"


class Verb(TyperCommand):
    """A verb whose help shows arguments as a user writes them."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what follows the verb in its usage line."""
        return ["[OPTIONS]", *(name for name, _ in self._arguments())]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the help of arguments and options."""
        if arguments := self._arguments():
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        options = [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == "option"]
        with formatter.section("Options"):
            formatter.write_dl([option.get_help_record(ctx) for option in options])

    def _arguments(self) -> list[tuple[str, str]]:
        arguments: list[Any] = [parameter for parameter in self.params if parameter.param_type_name == "argument"]
        return [(str(argument.metavar), argument.help or "") for argument in arguments]


class Verbs(TyperGroup):
    """All verbs, whose help lists them by what they are for."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write what each verb does."""
        widest = max(map(len, self.commands))
        for use, verbs in _VERBS.items():
            names = list(map(_name, verbs))
            told = [(f"{name:{widest}}", self.commands[name].get_short_help_str(80)) for name in names]
            with formatter.section(use):
                formatter.write_dl(told)


application = typer.Typer(
    cls=Verbs,
    help="Check, train, evaluate and export small neural networks described by a spec.",
    epilog="Exit status: 0 success; 1 error in the spec, the data, a file or the training; 2 error in the command "
    "line; 130 after Ctrl-C; 143 after SIGTERM; 129 after SIGHUP; 141 if the output is closed early.",
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


def _print_completion(shell: str | None) -> None:
    if shell is None:
        return
    if shell not in SCRIPTS:
        raise typer.BadParameter(shell)
    typer.echo(SCRIPTS[shell])
    raise typer.Exit


@application.callback(invoke_without_command=True)
def _without_verb(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    completion: Annotated[
        str | None,
        typer.Option(
            "--completion",
            metavar="|".join(SCRIPTS),
            callback=_print_completion,
            is_eager=True,
            help="Print the completion script of a shell.",
        ),
    ] = None,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def _register(verb: Callable[..., None], formats: type[StrEnum]) -> None:
    """Add a verb, named as its function, whose help is its docstring; the section Examples stands below the options.

    The function takes an `Output`, and what the command line says; how it is printed are options of all verbs.
    """

    def called(output_format: StrEnum, quiet: bool, **said: Any) -> None:
        with reporting(output_format, quiet, verb in _ANSWERING) as output:
            verb(output, **said)

    (_, *own) = inspect.signature(verb, eval_str=True).parameters.values()
    format_and_quiet = (("output_format", format_option(formats), formats("text")), ("quiet", QuietOption, False))
    common = [Parameter(name, _BY_NAME, default=default, annotation=kind) for name, kind, default in format_and_quiet]
    parameters = [*(each.replace(kind=_BY_NAME) for each in own), *common]
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # Typer reads it
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    text, _, examples = (inspect.getdoc(verb) or "").partition(_SECTION)
    lines = "\n".join(f"  {line}" for line in examples.splitlines())
    application.command(_name(verb), cls=Verb, help=text, epilog=f"\b\nExamples:\n{lines}")(called)


def _name(verb: Callable[..., None]) -> str:
    return verb.__name__.rstrip("_")


_BY_NAME = Parameter.KEYWORD_ONLY
_VERBS: dict[str, tuple[Callable[..., None], ...]] = {
    "Start": (new, validate, parts, schema),
    "Train": (run, sweep),
    "Look": (show, report, runs, compare, diff),
    "Prove": (check, evaluate, verify),
    "Use": (predict, export, import_),
}
"""All verbs by what they are for, in the order of the help."""
_ANSWERING = (parts, show, runs, diff, evaluate)
"""Verbs that are asked for what they print; the words of others are about what they have written or proved."""
for _verb in chain.from_iterable(_VERBS.values()):
    _register(_verb, CatalogueFormat if _verb is parts else OutputFormat)


@cache
def _command() -> Any:
    return get_command(application)


def call(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit status."""
    command = _command()
    try:
        try:
            with command.make_context("specnet", [*arguments]) as context:
                command.invoke(context)
        except Fault as error:
            report_fault(error, arguments)
    except typer.Exit as ended:
        return ended.exit_code
    return 0
