"""The verbs put together: each is a function in a module of its own, which is imported when it is used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from importlib import import_module
from inspect import Parameter, Signature
from itertools import chain
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from specnet.cli.options import CatalogueFormat, OutputFormat, QuietOption, format_option
from specnet.cli.output import reporting
from specnet.cli.shells import SCRIPTS
from specnet.cli.usage import Fault, report

_SECTION = "\n\nExamples\n--------\n"
_BY_NAME = Parameter.KEYWORD_ONLY

USES = {
    "Start": ("specs.new", "specs.validate", "specs.parts", "specs.schema"),
    "Train": ("training.run", "training.sweep"),
    "Look": ("specs.show", "training.report", "training.runs", "training.compare", "specs.diff"),
    "Prove": ("specs.check", "models.evaluate", "training.verify"),
    "Use": ("models.predict", "models.export", "models.import_"),
}
"""The modules of all verbs by what they are for, in the order of the help; a module's function is called alike."""
VERBS = {module.rpartition(".")[2].rstrip("_"): module for module in chain.from_iterable(USES.values())}
"""The module of each verb."""
_ANSWERING = ("parts", "show", "runs", "diff", "evaluate")
"""Verbs that are asked for what they print; the words of others are about what they have written or proved."""


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
        widest = max(map(len, VERBS))
        for use, modules in USES.items():
            names = [name for name, module in VERBS.items() if module in modules]
            told = [(f"{name:{widest}}", self.commands[name].get_short_help_str(80)) for name in names]
            with formatter.section(use):
                formatter.write_dl(told)


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


def _register(application: typer.Typer, name: str) -> None:
    """Add a verb, whose help is its function's docstring; the section Examples stands below the options.

    The function takes an `Output`, and what the command line says; how it is printed are options of all verbs.
    """
    module = VERBS[name]
    verb: Callable[..., None] = getattr(import_module(f"specnet.cli.{module}"), module.rpartition(".")[2])
    formats: type[StrEnum] = CatalogueFormat if name == "parts" else OutputFormat

    def called(output_format: StrEnum, quiet: bool, **said: Any) -> None:
        with reporting(output_format, quiet, name in _ANSWERING) as output:
            verb(output, **said)

    (_, *own) = inspect.signature(verb, eval_str=True).parameters.values()
    format_and_quiet = (("output_format", format_option(formats), formats("text")), ("quiet", QuietOption, False))
    common = [Parameter(name, _BY_NAME, default=default, annotation=kind) for name, kind, default in format_and_quiet]
    parameters = [*(each.replace(kind=_BY_NAME) for each in own), *common]
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # Typer reads it
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    text, _, examples = (inspect.getdoc(verb) or "").partition(_SECTION)
    lines = "\n".join(f"  {line}" for line in examples.splitlines())
    application.command(name, cls=Verb, help=text, epilog=f"\b\nExamples:\n{lines}")(called)


@cache
def application(verbs: tuple[str, ...] = tuple(VERBS)) -> typer.Typer:
    """Return the application with these verbs, whose modules are imported."""
    made = typer.Typer(
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
    made.callback(invoke_without_command=True)(_without_verb)
    for name in verbs:
        _register(made, name)
    return made


@cache
def _command(verbs: tuple[str, ...]) -> Any:
    return get_command(application(verbs))


def call(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit status."""
    # Only the module of the verb is imported, which nearly all lines begin with.
    command = _command(tuple(name for name in arguments[:1] if name in VERBS) or tuple(VERBS))
    try:
        try:
            with command.make_context("specnet", [*arguments]) as context:
                command.invoke(context)
        except Fault as error:
            report(error, arguments)
    except typer.Exit as ended:
        return ended.exit_code
    return 0
