"""What a shell offers after TAB: verbs, options, their values, runs, parts, and the settings of specs.

Typer finds the parameter that is being typed, whose own function, in `arguments` and beside the verbs, returns what can
be typed. All that these functions need is here, without importing a part: parts and keys are those of the JSON Schema.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from typer._completion_classes import BashComplete

from specnet.cli.application import VERBS, specnet_command
from specnet.cli.schema_keys import Keys, Settings, shipped_schema
from specnet.errors import FileError
from specnet.files.run_files import folders_of_runs, spec_file

_SPECIAL = re.compile(r"[^\w@%+=:,./-]")
"""Characters that a shell does not read as a part of a word."""


def complete(shell: str, line: str) -> None:
    """Print what can complete a command line, in the form that a shell expects; for nothing the shell offers files.

    Parameters
    ----------
    shell : {"bash", "zsh", "fish"}
    line : str
        The command up to the cursor.
    """
    words, current = _split(line)
    verbs = tuple(word for word in words[1:2] if word in VERBS) or tuple(VERBS)
    # For ``--option=value`` Typer returns values alone.
    option = re.match(r"-[^=]*=|", current)[0]  # type: ignore[index] # it matches always
    # For readline the current word begins behind the last of these characters.
    breaks = os.environ.get("COMP_WORDBREAKS", "") if shell == "bash" else ""
    done = max((current.rfind(character) + 1 for character in "=:" if character in breaks), default=0)
    for item in BashComplete(specnet_command(verbs), {}, "specnet", "").get_completions(words[1:], current):
        value = option + item.value
        if item.type == "plain" and value.startswith(current) and value.isprintable():
            word = _SPECIAL.sub(r"\\\g<0>", value[done:])
            sys.stdout.write(f"{word}\n" if shell == "bash" else f"{value}\t{item.help or ''}\n")


def _split(line: str) -> tuple[list[str], str]:
    """Return the words of a line that are finished, and the one that is not."""
    words: list[str] = []
    for closing in ("", "'", '"'):
        with suppress(ValueError):  # of a quote that is still open
            words = shlex.split(line + closing)
            break
    return (words, "") if not words or line[-1].isspace() else (words[:-1], words[-1])


def settings_for(arguments: Iterable[Any], current: str) -> list[tuple[str, str]]:
    """Return how a setting can continue, by the first spec among arguments and lists of arguments."""
    data: Any = {}
    for each in arguments:
        for word in each if isinstance(each, list | tuple) else [each]:
            with suppress(OSError, ValueError, RecursionError, FileError):
                text = Path(spec_file(str(word))).read_text(encoding="utf-8-sig")
                data = data or (json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text))
    return [*Settings(Keys(shipped_schema()), data if isinstance(data, Mapping) else {}).candidates(current)]


def runs_below(current: str, *, with_files: bool = False, with_series: bool = False) -> list[tuple[str, str]]:
    """Return the folders of runs, then other folders and files, which a shell no longer offers; nothing without runs.

    Parameters
    ----------
    current : str
        The beginning of the path.
    with_files : bool
        Return files too.
    with_series : bool
        Return folders of several runs too.
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
    """Yield the names that `specnet parts` explains."""
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
"""The script by which each shell asks `complete` what can follow; it sets ``_SPECNET_COMPLETE`` to its own name."""
