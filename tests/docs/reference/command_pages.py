"""A page for each verb of the command line, from the application itself."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specnet.cli.application import specnet_command
from specnet.editor.catalogue import escaped
from tests.texts.calling import called

VARIABLES: dict[str, str] = tomllib.loads(Path(__file__).with_name("written.toml").read_text("utf-8"))["variables"]
"""What each environment variable changes that a user may set."""


def verbs() -> dict[str, Any]:
    """Return the commands by their names."""
    return specnet_command().commands


def command_pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page, the index first."""
    yield "commands/index", "\n".join(_overview())
    for name, command in verbs().items():
        yield f"commands/{name}", "\n".join(_page(name, command))


def _overview() -> Iterator[str]:
    group = specnet_command()
    context = group.make_context("specnet", [], resilient_parsing=True)
    yield from ["# Commands", "", escaped(group.help), "", "```text", "specnet VERB [OPTIONS] …", "```", ""]
    for name, command in group.commands.items():
        yield from [f"[`specnet {name}`]({name}.md)", f": {escaped(command.help.partition(chr(10))[0])}", ""]
    yield from ["## Options of the command itself", ""]
    yield from _records([option.get_help_record(context) for option in group.get_params(context)])
    yield from ["## Shell completion", "", "`--completion` prints a script. To keep it:", ""]
    scripts = [called("--completion", shell).out for shell in ("bash", "zsh", "fish")]
    kept = [re.search(r"# To keep it: (.*)", script) for script in scripts]
    yield from ["```bash", *(found[1] for found in kept if found), "```", ""]
    yield from ["## Exit status", "", "| status | meaning |", "| --- | --- |"]
    for status, meaning in re.findall(r"(\d+) ([^;.]+)", group.epilog):
        yield f"| {status} | {meaning} |"
    yield from ["", "## Environment variables", ""]
    for name, meaning in VARIABLES.items():
        yield from [f"`{name}`", f": {meaning}", ""]
    yield from ["```{toctree}", ":hidden:", *group.commands, "```", ""]


def _page(name: str, command: Any) -> Iterator[str]:
    context = command.make_context(f"specnet {name}", [], resilient_parsing=True)
    parameters = command.get_params(context)
    arguments = [(each.metavar, each.help) for each in parameters if each.param_type_name == "argument"]
    options = [each.get_help_record(context) for each in parameters if each.param_type_name == "option"]
    usage = " ".join([f"specnet {name}", *command.collect_usage_pieces(context)])
    yield from [f"# `specnet {name}`", "", *map(escaped, command.help.splitlines()), "", "```text", usage, "```", ""]
    yield from ["```{eval-rst}", ".. index::"]
    yield from [f"   ! single: {word}" for option in options for word in re.findall(r"--[\w-]+", option[0])]
    yield from ["```", ""]
    if arguments:
        yield from ["## Arguments", "", *_records(arguments)]
    yield from ["## Options", "", *_records(options)]
    _, _, examples = command.epilog.partition("Examples:\n")
    yield from ["## Examples", "", "```bash", *(line.removeprefix("  ") for line in examples.splitlines()), "```", ""]


def _records(records: list[tuple[str, str]]) -> Iterator[str]:
    """Return arguments or options with what they mean, as a list of definitions."""
    for names, meaning in records:
        least = re.sub(r" +\[x>=(\d+)\]", r" At least \1.", meaning)
        options = re.sub(r"(?<!\S)--[a-z][a-z-]*", r"`\g<0>`", escaped(least))
        yield from [f"`{names}`", f": {options}", ""]
