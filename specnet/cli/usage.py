"""What the command line gets wrong: typer's errors in the form of all others, with what may have been meant."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

import typer

from specnet.cli.options import COUNT, SETTING, OutputFormat
from specnet.cli.output import UsageError, reporting

Fault: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's error of a command line, which has no public name."""

_UNEXPECTED = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", re.DOTALL)

_OTHERS = {
    "new": "create init",
    "--help": "help",
    "export": "convert",
    "evaluate": "eval measure score test",
    "run": "fit train",
    "validate": "lint",
    "parts": "list",
    "import": "load",
    "show": "plan summary",
}
_MEANT = {other: verb for verb, others in _OTHERS.items() for other in others.split()}
"""From a verb of other tools to ours."""


def report(error: Any, arguments: Sequence[str]) -> None:
    """Print a mistake of the command line below the usage of the verb, or as data.

    Parameters
    ----------
    error : Fault
    arguments : sequence of str
        The command line.

    Raises
    ------
    typer.Exit
        With 2.
    """
    as_json = "--format=json" in arguments or ("--format", "json") in pairwise(arguments)
    with reporting(OutputFormat.JSON if as_json else OutputFormat.TEXT, quiet=False) as output:
        if error.ctx is not None:
            output.remark(f"{error.ctx.get_usage()}\nTry `{error.ctx.command_path} --help` for help.\n")
        raise _explained(error, arguments)


def _explained(error: Any, arguments: Sequence[str]) -> UsageError:
    if type(error).__name__ == "NoSuchOption":
        return UsageError(f'unknown option "{error.option_name}"', hint=_option_hint(error, arguments))
    message = error.format_message().rstrip(".")
    if message.startswith("No such command"):
        return _unknown_verb(next(word for word in arguments if word[:1] != "-"), [*error.ctx.command.commands])
    parameter = getattr(error, "param", None)
    if found := _UNEXPECTED.match(message):
        shows_parts = [*arguments[:2]] == ["show", "parts"]
        hint = f"use `specnet {shlex.join(arguments[1:])}`" if shows_parts else None
        if "=" in found[1] and _takes_settings(error):
            hint = f"use --set {shlex.quote(found[1])}"
        return UsageError(f'unexpected argument "{found[1]}"', hint=hint)
    if message.startswith("Invalid") and parameter is not None and "|" in str(parameter.metavar):
        option, choices = parameter.opts[0], str(parameter.metavar).split("|")
        close = get_close_matches(_value(option, arguments), choices, n=1)
        hint = f'did you mean "{close[0]}"?' if close else None
        return UsageError(f"unknown value of {option}; choose from {', '.join(choices)}", hint=hint, source=option)
    if message.startswith("Invalid") and parameter is not None and parameter.metavar == COUNT:
        option = parameter.opts[0]
        least = getattr(parameter, "min", None) or parameter.type.min  # by the version of typer
        return UsageError(f"expected an integer of at least {least}, got {_value(option, arguments)}", source=option)
    return UsageError((message[:1].lower() + message[1:]).replace("'", ""))


def _unknown_verb(name: str, verbs: Sequence[str]) -> UsageError:
    close = get_close_matches(name, [*verbs, *_MEANT], n=1)
    hint = f'did you mean "{_MEANT.get(close[0], close[0])}"?' if close else f"choose from {', '.join(verbs)}"
    return UsageError(f'unknown command "{name}"', hint=hint)


def _option_hint(error: Any, arguments: Sequence[str]) -> str | None:
    """Return what to type in place of an unknown option: a setting of a key of specs, or an option with a like name."""
    if error.ctx is not None and error.ctx.info_name == "predict" and error.option_name == "--set":
        return f"use --confidence-set {_value('--set', arguments)}"
    takes_settings = _takes_settings(error)
    name = error.option_name.lstrip("-").replace("-", "_")
    path = _path(name, exactly=True) if takes_settings and len(name) > 1 else None
    if path is None and (close := get_close_matches(error.option_name, error.possibilities or (), n=1)):
        return f"did you mean {close[0]}?"
    if path is None and takes_settings and len(name) > 1:
        path = _path(name, exactly=False)
    return f"use --set {path}={_value(error.option_name, arguments)}" if path else None


def _takes_settings(error: Any) -> bool:
    return error.ctx is not None and any(parameter.metavar == SETTING for parameter in error.ctx.command.params)


def _path(name: str, *, exactly: bool) -> str | None:
    """Return where a key stands that has this name or, if not `exactly`, one like it; None where that is in a list."""
    from specnet.cli.schema_keys import ENTRY, Keys, shipped_schema
    from specnet.spec.reading.hints import KEYS, close_match

    keys = [key for key in Keys(shipped_schema()) if ENTRY not in key.path.split(".")]
    names = [key.name for key in keys]
    meant = name if name in names else KEYS.get(name) if exactly else close_match(name, names)
    return next((key.path for key in keys if key.name == meant), None)


def _value(option: str, arguments: Sequence[str]) -> str:
    """Return the value that was given to an option, as a shell takes it."""
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option:
            following = arguments[place + 1] if place + 1 < len(arguments) else ""
            value = value if equals else "" if re.match(r"-\D", following) else following
            return shlex.quote(value) if value else "VALUE"
    return "VALUE"
