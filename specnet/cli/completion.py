"""What a shell offers after TAB: verbs, options, their values, parts, and the keys of specs.

It has to be quick, so that parts and keys come from the JSON Schema that is shipped.

A setting ``KEY=VALUE`` is completed by the schema too, and by what the spec has already.
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
from typing import Any, NamedTuple

from typer.main import get_command

from specnet.cli.application import application
from specnet.cli.models.export import TARGETS
from specnet.cli.schema_keys import ROOT, Keys, Schema, references, shipped_schema
from specnet.cli.shells import VARIABLE
from specnet.cli.training.run import PLACES
from specnet.errors import FileError
from specnet.files.run_files import folders_of_runs, spec_file

Candidate = tuple[str, str]
"""A text, and what it means."""


class _Node(NamedTuple):
    schema: Schema
    data: Any


class Settings:
    """The settings that change a spec.

    Parameters
    ----------
    keys : Keys
        What a spec may have.
    data : mapping
        What the spec has.
    """

    def __init__(self, keys: Keys, data: Mapping[str, Any]) -> None:
        self._keys = keys
        self._root = _Node({"$ref": f"#/definitions/{ROOT}"}, data)

    def candidates(self, text: str) -> Iterator[Candidate]:
        """Yield how a setting can go on: a key that ends in ``.`` or ``=``, or a key with a value."""
        key, equals, _ = text.partition("=")
        *steps, last = key.split(".")
        nodes = [self._root]
        for step in (*steps, last) if equals else steps:
            nodes = [inner for node in nodes for name, inner in self._inner(node) if name == step]
        if equals:
            found = [(f"{key}={value}", "") for node in nodes for value in self._values(node.schema)]
        else:
            before = "".join(f"{step}." for step in steps)
            found = [candidate for node in nodes for candidate in self._below(before, node)]
        yield from dict(found).items()

    def _below(self, before: str, node: _Node) -> Iterator[Candidate]:
        for name, inner in self._inner(node):
            meaning = inner.schema.get("description", "")
            if any(self._inner(inner)):
                yield f"{before}{name}.", meaning
            if not self._is_table_alone(inner.schema):
                yield f"{before}{name}=", meaning

    def _inner(self, node: _Node) -> Iterator[tuple[str, _Node]]:
        """Yield the keys of a table, or the numbers of a list's entries."""
        for table in self._tables(node):
            for name, schema in table["properties"].items():
                if name != "$schema":
                    yield name, _Node(schema, node.data.get(name) if isinstance(node.data, Mapping) else None)
        if isinstance(node.data, list):
            kinds = [reference for reference, in_list in references(node.schema) if in_list]
            items: Schema = {"anyOf": [{"$ref": f"#/definitions/{kind}"} for kind in kinds]}
            yield from ((str(number), _Node(items, entry)) for number, entry in enumerate(node.data))

    def _tables(self, node: _Node) -> Iterator[Schema]:
        """Yield the tables that may stand there: of parts the one that the spec or the default names, if one does."""
        named = node.data if node.data is not None else node.schema.get("default")
        named = named.get("type") if isinstance(named, Mapping) else named
        for reference, in_list in references(node.schema):
            if in_list:
                continue
            if reference in self._keys.tables:
                yield self._keys.tables[reference]
            parts = self._keys.parts(reference).values()
            yield from [part for part in parts if named in part["properties"]["type"]["enum"]] or parts

    def _is_table_alone(self, schema: Schema) -> bool:
        return "anyOf" not in schema and any(reference in self._keys.tables for reference, _ in references(schema))

    def _values(self, schema: Schema) -> Iterator[str]:
        if "enum" in schema:
            yield from map(str, schema["enum"])
        if "const" in schema:
            yield str(schema["const"])
        if schema.get("type") == "boolean":
            yield from ("true", "false")
        elif not isinstance(schema.get("default", ""), str | dict | list):
            yield json.dumps(schema["default"])
        for member in schema.get("anyOf", ()):
            if "$ref" not in member:
                yield from self._values(member)
        for reference, in_list in references(schema):
            if not in_list:
                yield from self._keys.names(reference)


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
    group: Any = get_command(application())
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
