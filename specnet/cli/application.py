"""The Typer commands, made from the functions of the verbs, and the messages about mistakes of a command line."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from importlib import import_module
from inspect import Parameter, Signature
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from specnet.cli.arguments import COUNT, SETTING, QuietOption, format_option
from specnet.cli.output import CatalogueFormat, MistakesFormat, OutputFormat, UsageError, reporting
from specnet.suggestions import close_match, did_you_mean

_SECTION = "\n\nExamples\n--------\n"
_BY_NAME = Parameter.KEYWORD_ONLY
SHELLS = ("bash", "zsh", "fish")
USES = {
    "Start": ("new", "validate", "parts", "schema", "lsp"),
    "Train": ("run", "sweep", "distill"),
    "Look": ("show", "report", "runs", "compare", "diff"),
    "Prove": ("check", "evaluate", "verify"),
    "Use": ("predict", "explain", "export", "import"),
}
"""All verbs by heading of the help; the functions of ``Start`` are in the module ``start``, and so on."""
VERBS = {verb: use.lower() for use, verbs in USES.items() for verb in verbs}
"""Name of each verb's module, in the order of the help."""
_ANSWERING = ("parts", "show", "runs", "diff", "evaluate", "explain")
"""Verbs whose result is the printed text; other verbs print a report on files that they wrote or checked."""
_FORMATS = {"parts": CatalogueFormat, "validate": MistakesFormat}
"""Formats of verbs that have others than text and JSON."""
_OTHER_TOOLS = {
    "new": "create init",
    "--help": "help",
    "export": "convert",
    "evaluate": "eval measure score test",
    "run": "fit launch start train",
    "validate": "lint",
    "parts": "list",
    "import": "load",
    "show": "plan summary",
}
"""Names of the verbs in other tools."""

Fault: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's error of a command line, which has no public name."""
_UNEXPECTED = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", re.DOTALL)


class Verb(TyperCommand):
    """A command whose help shows arguments by their metavars, such as ``SPEC``."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words that follow the verb in its usage line."""
        return ["[OPTIONS]", *(name for name, _ in self._arguments())]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the help of arguments and options."""
        if arguments := self._arguments():
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        options = [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == "option"]
        with formatter.section("Options"):
            formatter.write_dl([option.get_help_record(ctx) for option in options])

    def get_short_help_str(self, limit: int = 80) -> str:
        """Return the first sentence of the help."""
        return super().get_short_help_str(80)

    def _arguments(self) -> list[tuple[str, str]]:
        arguments: list[Any] = [parameter for parameter in self.params if parameter.param_type_name == "argument"]
        return [(str(argument.metavar), argument.help or "") for argument in arguments]


class Verbs(TyperGroup):
    """The group of all verbs; its help lists them by purpose."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the name and the first sentence of each verb, by heading."""
        width = max(map(len, VERBS))
        for use, verbs in USES.items():
            with formatter.section(use):
                formatter.write_dl([(f"{name:{width}}", self.commands[name].get_short_help_str()) for name in verbs])


def _print_version(is_requested: bool) -> None:
    if is_requested:
        from specnet.version import __version__

        typer.echo(f"specnet {__version__}")
        raise typer.Exit


def _print_completion(shell: str | None) -> None:
    if shell is None:
        return
    if shell not in SHELLS:
        raise typer.BadParameter(shell)
    from specnet.cli.completion import SCRIPTS

    typer.echo(SCRIPTS[shell])
    raise typer.Exit


def _complete_shells() -> Sequence[str]:
    return SHELLS


def _without_verb(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    completion: Annotated[
        str | None,
        typer.Option(
            "--completion",
            metavar="|".join(SHELLS),
            callback=_print_completion,
            is_eager=True,
            help="Print the completion script of a shell.",
            autocompletion=_complete_shells,
        ),
    ] = None,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def _register(application: typer.Typer, name: str) -> None:
    """Add a verb to the application; its help is the docstring of its function, with the examples after the options.

    The function takes an `Output` and the values of its parameters. Each verb also gets the options ``--format`` and
    ``--quiet``.
    """
    # `import` is a keyword of Python.
    verb: Callable[..., None] = getattr(
        import_module(f"specnet.cli.{VERBS[name]}"), "import_" if name == "import" else name
    )
    formats: type[StrEnum] = _FORMATS.get(name, OutputFormat)

    def called(context: typer.Context, output_format: StrEnum, quiet: bool, **values: Any) -> None:
        with reporting(output_format, quiet, name in _ANSWERING, context) as output:
            verb(output, **values)

    (_, *own) = inspect.signature(verb, eval_str=True).parameters.values()
    parameters = [
        Parameter("context", _BY_NAME, annotation=typer.Context),
        *(each.replace(kind=_BY_NAME) for each in own),
        Parameter("output_format", _BY_NAME, default=formats("text"), annotation=format_option(formats)),
        Parameter("quiet", _BY_NAME, default=False, annotation=QuietOption),
    ]
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # Typer reads it
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    text, _, examples = (inspect.getdoc(verb) or "").partition(_SECTION)
    lines = "\n".join(f"  {line}" for line in examples.splitlines())
    application.command(name, cls=Verb, help=text, epilog=f"\b\nExamples:\n{lines}")(called)


@cache
def specnet_command(verbs: tuple[str, ...] = tuple(VERBS)) -> Any:
    """Return the command ``specnet`` with the given verbs; their modules are imported."""
    made = typer.Typer(
        cls=Verbs,
        help="Check, train, evaluate and export small neural networks described by a spec.",
        epilog="Exit status: 0 success; 1 error in the spec, the data, a file or the training; 2 error in the command "
        "line; 3 an expectation of the spec is broken; 130 after Ctrl-C; 143 after SIGTERM; 129 after SIGHUP; 141 if "
        "the output is closed early.",
        add_completion=False,
        pretty_exceptions_enable=False,
        # Plain help: formatting by rich takes as much time as everything else together.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback(invoke_without_command=True)(_without_verb)
    for name in verbs:
        _register(made, name)
    return get_command(made)


def call(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit status."""
    # Only the module of the verb is imported. The verb is the first word of nearly all command lines.
    called = specnet_command(tuple(name for name in arguments[:1] if name in VERBS) or tuple(VERBS))
    try:
        try:
            with called.make_context("specnet", [*arguments]) as context:
                called.invoke(context)
        except Fault as error:
            _report(error, arguments)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def _report(error: Any, arguments: Sequence[str]) -> None:
    """Print an error of the command line below the usage of the verb, or as JSON; exit with status 2."""
    as_json = "--format=json" in arguments or ("--format", "json") in pairwise(arguments)
    with reporting(OutputFormat.JSON if as_json else OutputFormat.TEXT, quiet=False) as output:
        if error.ctx is not None:
            output.remark(f"{error.ctx.get_usage()}\nTry `{error.ctx.command_path} --help` for help.\n")
        raise _usage_error(error, arguments)


def _usage_error(error: Any, arguments: Sequence[str]) -> UsageError:
    """Return a Typer error as a `UsageError`, with a hint on the correct command line."""
    if type(error).__name__ == "NoSuchOption":
        return UsageError(f'unknown option "{error.option_name}"', hint=_option_hint(error, arguments))
    message, hint = error.format_message().rstrip("."), None
    parameter: Any = getattr(error, "param", None)
    option = "" if parameter is None else parameter.opts[0]
    if message.startswith("No such command"):
        name, verbs = next(word for word in arguments if word[:1] != "-"), [*error.ctx.command.commands]
        others = {other: verb for verb, names in _OTHER_TOOLS.items() for other in names.split()}
        close = close_match(name, [*verbs, *others])
        hint = f'did you mean "{others.get(close, close)}"?' if close else f"choose from {', '.join(verbs)}"
        return UsageError(f'unknown command "{name}"', hint=hint)
    if found := _UNEXPECTED.match(message):
        if "=" in found[1] and _takes_settings(error):
            hint = f"use --set {shlex.quote(found[1])}"
        elif [*arguments[:2]] == ["show", "parts"]:
            hint = f"use `specnet {shlex.join(arguments[1:])}`"
        return UsageError(f'unexpected argument "{found[1]}"', hint=hint)
    if message.startswith("Invalid") and "|" in str(parameter.metavar):
        choices = parameter.metavar.split("|")
        hint = did_you_mean(_value(option, arguments), choices)
        return UsageError(f"unknown value of {option}; choose from {', '.join(choices)}", hint=hint, source=option)
    if message.startswith("Invalid") and parameter.metavar == COUNT:
        minimum = getattr(parameter, "min", None) or parameter.type.min  # by the version of typer
        return UsageError(f"expected an integer of at least {minimum}, got {_value(option, arguments)}", source=option)
    return UsageError((message[:1].lower() + message[1:]).replace("'", ""))


def _option_hint(error: Any, arguments: Sequence[str]) -> str | None:
    """Return a hint for an unknown option: a setting of a spec, or an option with a similar name."""
    if error.ctx is not None and error.ctx.info_name == "predict" and error.option_name == "--set":
        return f"use --confidence-set {_value('--set', arguments)}"
    if error.ctx is not None and error.ctx.info_name == "show" and error.option_name == "--explain":
        return "use --origins"
    name = error.option_name.lstrip("-").replace("-", "_")
    takes_settings = len(name) > 1 and _takes_settings(error)
    path = _path_of_key(name, exactly=True) if takes_settings else None
    if path is None and (close := close_match(error.option_name, error.possibilities or ())):
        return f"did you mean {close}?"
    if path is None and takes_settings:
        path = _path_of_key(name, exactly=False)
    return f"use --set {path}={_value(error.option_name, arguments)}" if path else None


def _takes_settings(error: Any) -> bool:
    return error.ctx is not None and any(parameter.metavar == SETTING for parameter in error.ctx.command.params)


def _path_of_key(name: str, *, exactly: bool) -> str | None:
    """Return the path of the key with this name, or a similar name if not `exactly`; None if unknown or in a list."""
    from specnet.editor.schema_keys import ENTRY, Keys, shipped_schema
    from specnet.spec.reading.hints import KEYS

    keys = [key for key in Keys(shipped_schema()) if ENTRY not in key.path.split(".")]
    names = [key.name for key in keys]
    found = name if name in names else KEYS.get(name) if exactly else close_match(name, names)
    return next((key.path for key in keys if key.name == found), None)


def _value(option: str, arguments: Sequence[str]) -> str:
    """Return the value of an option on the command line, quoted for a shell; VALUE if it has none."""
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option:
            following = arguments[index + 1] if index + 1 < len(arguments) else ""
            value = value if equals else "" if re.match(r"-\D", following) else following
            return shlex.quote(value) if value else "VALUE"
    return "VALUE"
