"""What a shell offers after TAB: verbs, options, their values, parts, and the keys of specs.

It has to be quick, so that parts and keys come from the JSON Schema that is shipped.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from typer.main import get_command

from specnet.cli.application import application
from specnet.cli.models.export import TARGETS
from specnet.cli.schema_keys import Keys, shipped_schema
from specnet.cli.setting_completion import Candidate, Settings
from specnet.cli.shells import VARIABLE
from specnet.cli.training.chosen_loggers import PLACES
from specnet.errors import FileError
from specnet.files.run_files import folders_of_runs, spec_file

_TAKES_RUNS = re.compile(r"\bfolders? of (?:a run|runs)\b", re.IGNORECASE)
"""What the help of an argument says that can be a run."""
_TAKES_MANY = re.compile(r"\bsweeps?\b")
"""What it says that can be the folder of many runs, too."""
_SPECIAL = re.compile(r"[^\w@%+=:,./-]")
"""What a shell takes for something else than a part of a word."""


def complete(line: str) -> None:
    """Print what can end a command line, in the way of the shell that asks; the shell offers files if that is nothing.

    Parameters
    ----------
    line : str
        The command up to the cursor.
    """
    words, current = _split(line)
    shell = os.environ[VARIABLE]
    # What readline takes for the current word begins behind the last of these signs.
    breaks = os.environ.get("COMP_WORDBREAKS", "") if shell == "bash" else ""
    done = max((current.rfind(sign) + 1 for sign in "=:" if sign in breaks), default=0)
    for value, meaning in _candidates(words[1:], current):
        if value.startswith(current) and value.isprintable():
            word = _SPECIAL.sub(r"\\\g<0>", value[done:])
            sys.stdout.write(f"{word}\n" if shell == "bash" else f"{value}\t{meaning}\n")


def _split(line: str) -> tuple[list[str], str]:
    """Return the words of a line that are finished, and the one that is not."""
    words: list[str] = []
    for closing in ("", "'", '"'):
        with suppress(ValueError):  # of a quote that is still open
            words = shlex.split(line + closing)
            break
    return (words, "") if not words or line[-1].isspace() else (words[:-1], words[-1])


def _candidates(words: Sequence[str], current: str) -> Iterator[Candidate]:
    group: Any = get_command(application)
    place = next((place for place, word in enumerate(words) if word in group.commands), None)
    command = group if place is None else group.commands[words[place]]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    with_values = {name: option for option in options if not option.is_flag for name in option.opts}
    before, equals, value = current.partition("=")
    if words and words[-1] in with_values:
        yield from _values(with_values[words[-1]], words, current)
    elif equals and before in with_values:
        for text, meaning in _values(with_values[before], words, value):
            yield f"{before}={text}", meaning
    elif current.startswith("-"):
        for option in options:
            yield from ((name, option.help or "") for name in option.opts)
        yield "--help", "Show this message and exit."
    elif place is None:
        yield from ((name, verb.get_short_help_str(80)) for name, verb in group.commands.items())
    elif command.name == "parts":
        yield from _names(with_keys=bool(current))
    elif (argument := _argument(command, words[place + 1 :], with_values)) and _TAKES_RUNS.search(argument.help):
        many = bool(_TAKES_MANY.search(argument.help))
        yield from _runs(current, with_files=not argument.metavar.startswith("RUN"), many=many)


def _argument(command: Any, words: Sequence[str], with_values: Mapping[str, Any]) -> Any:
    """Return the argument for which the next word stands; None if there is none."""
    given = sum(
        not word.startswith("-") and (number == 0 or words[number - 1] not in with_values)
        for number, word in enumerate(words)
    )
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    if arguments and arguments[-1].nargs == -1:
        given = min(given, len(arguments) - 1)
    return arguments[given] if given < len(arguments) else None


def _runs(current: str, *, with_files: bool, many: bool) -> Iterator[Candidate]:
    """Yield folders of runs, then files and folders, which a shell no longer offers; nothing if there are no runs."""
    found = folders_of_runs(current, many=many)
    yield from ((run, "run") for run in found)
    if not found:
        return
    before = current[: current.rfind("/") + 1]
    with suppress(OSError), os.scandir(before or ".") as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            is_folder, path = entry.is_dir(), before + entry.name
            leads_to_run = any(f"{run}/".startswith(f"{path}/") for run in found)
            if not leads_to_run and not entry.name.startswith(".") and (is_folder or with_files):
                yield (f"{path}/", "folder") if is_folder else (path, "file")


def _values(option: Any, words: Sequence[str], current: str) -> Iterator[Candidate]:
    """Yield what can stand behind an option."""
    if "--set" in option.opts:
        yield from Settings(Keys(shipped_schema()), _spec(words)).candidates(current)
    elif "--log" in option.opts:
        yield from ((f"{name}:", f"{name}:{target}") for name, target in PLACES.items())
    else:
        # Where an option has only some values, its help shows them; but formats of exports would be too many.
        choices = TARGETS if "--to" in option.opts else option.metavar.split("|") if "|" in option.metavar else []
        yield from ((choice, "") for choice in choices)


def _names(*, with_keys: bool) -> Iterator[Candidate]:
    """Yield what `specnet parts` explains."""
    keys = Keys(shipped_schema())
    for section in keys.sections:
        yield section, "section"
    for kind in keys.kinds:
        yield kind, "kind"
        for part in keys.parts(kind).values():
            yield from ((name, kind) for name in part["properties"]["type"]["enum"])
    yield from ((point.name, "plugin") for point in entry_points(group="specnet.parts"))
    if with_keys:
        yield from dict.fromkeys((key.name, "key") for key in keys)


def _spec(words: Sequence[str]) -> Mapping[str, Any]:
    """Return what the first spec says that is named; nothing where it cannot be read."""
    for word in words:
        with suppress(OSError, ValueError, RecursionError, FileError):
            file = Path(spec_file(word))
            text = file.read_text(encoding="utf-8-sig")
            data = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
            return data if isinstance(data, Mapping) else {}
    return {}
