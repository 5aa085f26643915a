"""``--set KEY=VALUE``: what a command line changes in a document before it is validated."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from specnet.errors import Path, Position, SpecError
from specnet.number_texts import counted
from specnet.spec.document import default_part
from specnet.spec.reading.source_document import Override, SourceText, TextCapError, check_caps
from specnet.spec.reading.words import shown

_ESCAPE = r'\\(?:["\\btnfr]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})'
_QUOTED = re.compile(rf"""\s*("(?:[^"\\\x00-\x1f\x7f]|{_ESCAPE})*"|'[^'\x00-\x1f\x7f]*')\s*(?=[.=]|\Z)""")
_BARE = re.compile(r"\s*([^.=]*)")


class CannotSetError(Exception):
    """A key of a setting that leads nowhere; `depth` is its step."""

    def __init__(self, depth: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.depth, self.message, self.hint = depth, message, hint


def settings_of(overrides: Iterable[str]) -> tuple[str, ...]:
    """Return overrides as a tuple: a single text is one of them."""
    return (overrides,) if isinstance(overrides, str) else tuple(overrides)


def apply_overrides(data: Mapping[str, Any], settings: Iterable[str]) -> tuple[Mapping[str, Any], tuple[Override, ...]]:
    """Return the data with the settings made, and what each of them did.

    Names in the key may be in quotes, as in ``data.columns."a.b"``. The value is read as TOML, and is a text where it
    is no TOML. Digits in the key index lists. A part that is given by name, or a table that is switched on by true,
    becomes a table when one of its fields is set. An empty value removes the key, with all that is in it.

    Raises
    ------
    SpecError
        With a mistake for each setting whose key leads nowhere.
    """
    applied, problems = [], []
    for number, setting in enumerate(settings, 1):
        text = SourceText(f"--set #{number}", setting)
        names, keys, end = _key(setting)
        equals, value_text = setting[end : end + 1], setting[end + 1 :]
        whole_key = Position(1, 1, end or 1)
        try:
            if not equals or not all(names):
                raise CannotSetError(0, "expected KEY=VALUE", "write it as in training.epochs=100")
            value, removed = _value(text, value_text), not value_text.strip()
            data, path = with_change(data, names, value, removed)
        except UnicodeEncodeError:
            problems.append(text.diagnostic("encoding", "invalid Unicode: unpaired surrogate", whole_key))
        except TextCapError as cap:
            problems.append(text.diagnostic(cap.code, cap.message, whole_key))
        except CannotSetError as error:
            problems.append(text.diagnostic("override", error.message, keys[error.depth], hint=error.hint))
        else:
            place = Position(1, end + 2, max(1, len(value_text.split("\n")[0])))
            applied.append(Override(text, path, tuple(keys), place, removed))
    if problems:
        raise SpecError(*problems)
    return data, tuple(applied)


def _key(setting: str) -> tuple[list[str], list[Position], int]:
    """Return the names of a setting's key, their positions, and where the key ends; names in quotes are read as TOML.

    A quote that does not end where a name does is a part of the name.
    """
    names, positions, start = list[str](), list[Position](), 0
    while True:
        found = _QUOTED.match(setting, start) or _BARE.match(setting, start)
        assert found is not None, "a bare name may be empty"
        name = found[1].rstrip()
        names.append(next(iter(tomllib.loads(f"{name} = 0"))) if found.re is _QUOTED else name)
        positions.append(Position(1, found.start(1) + 1, max(1, len(name))))
        if setting[found.end() : found.end() + 1] != ".":
            return names, positions, found.end()
        start = found.end() + 1


def _value(text: SourceText, value: str) -> Any:
    assignment = f"value = {value}"
    check_caps(SourceText(text.name, assignment))
    try:
        read = tomllib.loads(assignment)
    except ValueError:  # tomllib's own, or Python's for an integer of thousands of digits
        return value
    return read["value"] if len(read) == 1 else value


def with_change(data: Mapping[str, Any], names: list[str], value: Any, removed: bool) -> tuple[dict[str, Any], Path]:
    """Return a copy of the data with the change, and the path that was changed.

    Raises
    ------
    CannotSetError
        If the names lead nowhere.
    """
    # The containers along the way are copied, so that the data which was given stays as it was.
    changed = dict(data)
    container: Any = changed
    path: Path = ()
    for depth, name in enumerate(names):
        step: str | int = name
        if isinstance(container, list):
            step = _index(container, name, depth)
        path = (*path, step)
        if depth == len(names) - 1:
            break
        inner = container[step] if isinstance(step, int) else container.get(step, default_part(path) or {})
        if isinstance(inner, str):
            inner = {"type": inner}
        elif isinstance(inner, bool):  # of a table that is switched on or off: its defaults
            inner = {}
        elif isinstance(inner, Mapping):
            inner = dict(inner)
        elif isinstance(inner, list | tuple):
            inner = list(inner)
        else:
            raise CannotSetError(depth + 1, f'"{name}" is {shown(inner)} and has no keys')
        container[step] = inner
        container = inner
    if not removed:
        container[step] = value
    elif isinstance(step, str) and step not in container:
        raise CannotSetError(len(names) - 1, f'cannot remove "{step}": no such key')
    else:
        del container[step]
    return changed, path


def _index(container: list[Any], name: str, depth: int) -> int:
    if not name.isdecimal() or not name.isascii():
        raise CannotSetError(depth, f'expected an index into the list, got "{name}"', "count entries from 0")
    if len(name) > 9 or int(name) >= len(container):
        message = f"index {name[:20]} out of range: the list has {counted(len(container), 'entry', 'entries')}"
        raise CannotSetError(depth, message, "count entries from 0")
    return int(name)
