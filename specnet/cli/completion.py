"""Completion of words in a shell: verbs, options, their values, runs, parts, and the settings of specs.

Parameters have completion functions, in `arguments` and in the modules of the verbs, which use the functions of this
module. They import no parts, but read the names of parts and keys from the JSON Schema. Typer could find the completed
parameter too, but it converts all values before it, for which it imports pydantic.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer

from specnet.editor.schema_keys import Keys, Settings, shipped_schema
from specnet.errors import FileError
from specnet.run_files import folders_of_runs, spec_file

HELP_OPTIONS = ["-h", "--help"]
"""Names of the help option, the same as in the command, which retains the names from the first context."""
_SPECIAL = re.compile(r"[^\w@%+=:,./-]")
"""Characters that must be escaped in a word of a shell."""


def complete(shell: str, line: str, verbs: Sequence[str], command_of: Callable[[tuple[str, ...]], Any]) -> None:
    """Print the completions of a command line in the format of a shell; if there are none, the shell offers files.

    Parameters
    ----------
    shell : {"bash", "zsh", "fish"}
    line : str
        Command line up to the cursor.
    verbs : sequence of str
        All verbs.
    command_of : callable
        Function from verbs to the command ``specnet`` with these verbs; it imports their modules.
    """
    words, current = _split(line)
    # For readline the current word begins after the last of these characters.
    breaks = os.environ.get("COMP_WORDBREAKS", "") if shell == "bash" else ""
    done = max((current.rfind(character) + 1 for character in "=:" if character in breaks), default=0)
    words = words[1:]
    index = next((number for number, word in enumerate(words) if word in verbs), None)
    command = command_of(tuple(verbs)) if index is None else command_of((words[index],)).commands[words[index]]
    for value, meaning in _candidates(command, index, words, current):
        if value.startswith(current) and value.isprintable():
            word = _SPECIAL.sub(r"\\\g<0>", value[done:])
            sys.stdout.write(f"{word}\n" if shell == "bash" else f"{value}\t{meaning}\n")


def _split(line: str) -> tuple[list[str], str]:
    """Return the finished words of a command line, and the unfinished last word."""
    words: list[str] = []
    for closing in ("", "'", '"'):
        with suppress(ValueError):  # raised for an open quote
            words = shlex.split(line + closing)
            break
    return (words, "") if not words or line[-1].isspace() else (words[:-1], words[-1])


def _candidates(command: Any, verb: int | None, words: Sequence[str], current: str) -> Iterator[tuple[str, str]]:
    """Yield the completions of the last word of a command line, with their meanings.

    Parameters
    ----------
    command : Command
        Command of the verb, or ``specnet``.
    verb : int or None
        Index of the verb among the words; None if no verb has been typed.
    words : sequence of str
        Words before the last word.
    current : str
        Beginning of the last word.
    """
    context = typer.Context(command, help_option_names=HELP_OPTIONS)
    context.args = [*words]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    with_values = {name: option for option in options if not option.is_flag for name in option.opts}
    option, equals, value = current.partition("=")
    before, typed = "", current
    if words and words[-1] in with_values:
        completed = with_values[words[-1]]
    elif equals and option in with_values:
        completed, before, typed = with_values[option], f"{option}=", value
    elif verb is None or current.startswith("-"):
        completed = command
    else:
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        index = sum(
            not word.startswith("-") and words[number - 1] not in with_values
            for number, word in enumerate(words)
            if number > verb
        )
        if arguments and arguments[-1].nargs == -1:
            index = min(index, len(arguments) - 1)
        if index >= len(arguments):
            return
        completed = arguments[index]
    for item in completed.shell_complete(context, typed):
        yield before + item.value, item.help or ""


def settings_for(words: Sequence[str], current: str) -> list[tuple[str, str]]:
    """Return completions of a setting for the first of the words that names a spec."""
    data: Any = {}
    for word in words:
        with suppress(OSError, ValueError, RecursionError, FileError):
            text = Path(spec_file(word)).read_text(encoding="utf-8-sig")
            data = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
            break
    return [*Settings(Keys(shipped_schema()), data if isinstance(data, Mapping) else {}).candidates(current)]


def runs_below(current: str, *, with_files: bool = False, with_series: bool = False) -> list[tuple[str, str]]:
    """Return completions of a path: folders of runs, then other folders and files; empty if no folder is a run.

    Other folders are included because a shell offers its own completions only if this list is empty.

    Parameters
    ----------
    current : str
        Beginning of the path.
    with_files : bool
        Whether to return files too.
    with_series : bool
        Whether to return folders of several runs too.
    """
    runs = folders_of_runs(current, many=with_series)
    found = [(run, "run") for run in runs]
    before = current[: current.rfind("/") + 1]
    with suppress(OSError), os.scandir(before or ".") as entries:
        for entry in sorted(entries, key=lambda entry: entry.name) if runs else ():
            is_folder, path = entry.is_dir(), before + entry.name
            leads_to_run = any(f"{run}/".startswith(f"{path}/") for run in runs)
            if not leads_to_run and not entry.name.startswith(".") and (is_folder or with_files):
                found.append((f"{path}/", "folder") if is_folder else (path, "file"))
    return found


def names_of_parts(*, with_keys: bool) -> Iterator[tuple[str, str]]:
    """Yield the names that `specnet parts` explains, each with its kind; keys only if `with_keys`."""
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


SCRIPTS = {
    "bash": """\
_specnet() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDBREAKS=$COMP_WORDBREAKS _SPECNET_COMPLETE=bash "$1" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    case ${COMPREPLY[0]} in *[=./]) compopt -o nospace ;; esac
}
complete -o default -F _specnet specnet
# To keep it: echo 'eval "$(specnet --completion bash)"' >> ~/.bashrc""",
    "zsh": """\
#compdef specnet
_specnet() {
    local line
    local -a open closed
    for line in "${(@f)$(_SPECNET_COMPLETE=zsh ${words[1]} "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}"; do
        case ${line%%$'\\t'*} in
            '') ;;
            *[=./]) open+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}") ;;
            *) closed+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}") ;;
        esac
    done
    if (( ! $#open && ! $#closed )); then
        _files
        return
    fi
    (( $#closed )) && _describe specnet closed
    (( $#open )) && _describe specnet open -S ''
}
compdef _specnet specnet
# To keep it: echo 'eval "$(specnet --completion zsh)"' >> ~/.zshrc, below compinit""",
    "fish": """\
function __specnet_complete
    set -l line (commandline --cut-at-cursor --current-process | string collect)
    set -l found (_SPECNET_COMPLETE=fish command specnet $line 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline --current-token)
    end
end
complete --command specnet --no-files --arguments '(__specnet_complete)'
# To keep it: specnet --completion fish > ~/.config/fish/completions/specnet.fish""",
}
"""Completion script of each shell, which calls `complete` by setting ``_SPECNET_COMPLETE`` to the shell's name."""
