"""From a path, a text or a mapping, and settings ``KEY=VALUE``, to a document: plain data with locations.

The values are texts, finite numbers, booleans, lists and tables, within size limits; their meaning is checked later.
"""

import json
import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from specnet.errors import DataError, Diagnostic, FileError, Path, Position, SpecError
from specnet.files import read_file
from specnet.files.plain_data import json_mistake
from specnet.number_texts import counted
from specnet.run_files import paths_start, spec_file
from specnet.spec.document import default_part
from specnet.spec.reading.hints import shown
from specnet.spec.reading.source_document import MAX_REPORTED, Document, Format, Override, SourceText, locate

MAX_BYTES = 1_000_000
"""Largest size of a text in bytes."""
MAX_DEPTH = 64
"""Maximum nesting of tables and lists, both by brackets and by dotted keys."""
MAX_TOKENS = 50_000
"""Maximum number of keys, values, lists and tables together, and of lines; these determine the parsing time."""
MAX_INTEGER = 2**63 - 1
"""Largest integer, as in TOML."""

_TOKEN = re.compile(
    r"""
      \#[^\n]*
    | \"{3} [^"\\]*+ (?: (?: \\. | "(?!"") ) [^"\\]*+ )*+ (?: \"{3} | \Z )
    | '{3} .*? (?: '{3} | \Z )
    | (?P<word> " (?: \\. | [^"\\\n] )*+ "? | ' [^'\n]*+ '? | [\w+-]++ )
    | (?P<mark> [\[\]{}] | =++ | \.++ | \n\s*+ )
    """,
    re.VERBOSE | re.DOTALL,
)

SpecSource = str | os.PathLike[str] | Mapping[str, Any]
"""A path, a text that has a line break, or a mapping."""


def read(source: SpecSource | Document, overrides: Iterable[str] = ()) -> Document:
    """Read a document.

    Parameters
    ----------
    source : str, path-like, mapping or Document
        A string with a line break is a text, otherwise a path. A text that starts with ``{`` and a file whose name ends
        in ``.json`` are JSON, others TOML. The folder of a run stands for its spec.
    overrides : iterable of str
        Settings ``KEY=VALUE``, applied in order.

    Raises
    ------
    SpecError
        With every mistake that is visible without knowing the meaning of a spec.
    FileError
        If the file cannot be read.
    """
    if isinstance(source, Document):
        document = source
    elif isinstance(source, Mapping):
        document = Document(source)
    elif isinstance(source, str) and "\n" in source:
        document = _parsed(SourceText("<text>", source), "toml", None)
    elif isinstance(source, str | os.PathLike):
        document = _read_file(os.fsdecode(spec_file(source)))
    else:
        raise DataError(f"expected a path, a text or a mapping as spec, got {type(source).__name__}")
    data, applied = apply_overrides(document.data, overrides)
    document = replace(document, data=data, overrides=(*document.overrides, *applied))
    return plain(document)


def _read_file(path: str) -> Document:
    try:
        content = read_file(path, MAX_BYTES)
    except UnicodeEncodeError:
        raise FileError("invalid file name", source=path) from None
    except FileError as error:
        if "=" in path or path.lstrip().startswith("{"):
            hint = "to pass a spec as text, include a line break"
            raise FileError(*(problem.message for problem in error.diagnostics), source=path, hint=hint) from None
        raise
    return document_of(content, path, paths_start(path))


def document_of(content: bytes, name: str, folder: FilePath | None = None) -> Document:
    """Return the document in the content of a file.

    Parameters
    ----------
    content : bytes
        JSON if it starts with ``{`` or the name ends in ``.json``; otherwise TOML.
    name : str
        Name of the file in errors.
    folder : Path, optional
        Folder to which paths in the document are relative. Default: the working directory.

    Raises
    ------
    SpecError
        If the content is not UTF-8, or not valid TOML or JSON.
    """
    try:
        text = SourceText(name, content.decode())
    except UnicodeDecodeError as error:
        start = SourceText(name, content[: error.start].decode())
        position, hint = start.position(len(start.content)), "save it as UTF-8"
        raise SpecError(Diagnostic("encoding", "not valid UTF-8", source=name, position=position, hint=hint)) from None
    return _parsed(text, "json" if name.endswith(".json") else "toml", folder)


def _parsed(text: SourceText, language: Format, folder: FilePath | None) -> Document:
    text = SourceText(text.name, text.content.removeprefix("\N{BYTE ORDER MARK}"))
    if text.content.lstrip().startswith("{"):
        language = "json"
    try:
        check_caps(text)
        data = _json(text) if language == "json" else tomllib.loads(text.content)
    except UnicodeEncodeError as error:
        message = "invalid Unicode: unpaired surrogate"
        raise SpecError(text.diagnostic("encoding", message, text.position(error.start))) from None
    except _DuplicateKeyError:
        raise Document({}, text).error(_duplicates(text, language)) from None
    except json.JSONDecodeError as error:
        message, index = json_mistake(text.content, error)
        raise SpecError(text.diagnostic("syntax", _sentence(message), text.position(index))) from None
    except tomllib.TOMLDecodeError as error:
        raise Document({}, text).error(_toml_problems(text, str(error))) from None
    except RecursionError:
        raise SpecError(text.diagnostic("too-deep", "nested too deeply for the remaining stack", None)) from None
    except ValueError:  # raised by Python for an integer with thousands of digits
        digits = re.search(r"[0-9][0-9_]{4000,}", text.content)
        position = text.position(digits.start()) if digits else None
        raise SpecError(text.diagnostic("number-range", "number has too many digits", position)) from None
    if not isinstance(data, dict):
        raise SpecError(text.diagnostic("wrong-type", "expected a table at the top level", Position(1, 1)))
    return Document(data, text, language, folder)


_LONGEST_MESSAGE = 200


class _DuplicateKeyError(ValueError):
    """A JSON object has a duplicate key."""


def _json(text: SourceText) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise _DuplicateKeyError
        return table

    return json.loads(text.content, object_pairs_hook=unique)


def _toml_problems(text: SourceText, message: str) -> Sequence[Diagnostic]:
    """Return the mistakes of an invalid TOML text: its duplicate keys, or the first syntax error."""
    message, _, location = message.rpartition(" (at ")
    numbers = [int(number) for number in re.findall(r"\d+", location)]
    lines = text.content.rstrip("\n").split("\n")
    position = Position(*numbers) if len(numbers) == 2 else Position(len(lines), len(lines[-1]) + 1)
    # A little beyond the mistake, so that the last key and its value are included.
    end = sum(len(line) + 1 for line in lines[: position.line - 1]) + position.column + len("]]\n")
    syntax = text.diagnostic("syntax", _sentence(message), position, hint=_yaml_hint(text))
    return _duplicates(text, "toml", end) or [syntax]


_YAML = re.compile(r"^(?:---\s*$|%YAML\b|(?:- +)?[A-Za-z_][\w-]*:(?:\s|$))")


def _yaml_hint(text: SourceText) -> str | None:
    """Return the hint for a text that is YAML according to its name or first line; None for other texts."""
    first = next((line for line in text.lines if line.strip() and not line.lstrip().startswith("#")), "")
    is_yaml = text.name.lower().endswith((".yaml", ".yml")) or _YAML.match(first)
    return "this looks like YAML; write specs in TOML or JSON" if is_yaml else None


def _duplicates(text: SourceText, language: Format, end: int | None = None) -> list[Diagnostic]:
    """Return a mistake for each duplicate key in a text, up to the index `end` if it is given."""
    found = []
    for path, first, second in locate(SourceText(text.name, text.content[:end]), language).duplicates:
        message = f"duplicate key {shown(path[-1])}"
        note = text.diagnostic("note", "first defined here", first.key or first.value)
        found.append(text.diagnostic("duplicate-key", message, second.key or second.value, path, notes=[note]))
    return found


def _sentence(message: str) -> str:
    """Return a parser's message in specnet's style: short, lower-case at the start, with dotted keys."""
    message = message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + "…"
    message = re.sub(r"\('.*',?\)", lambda keys: '"' + ".".join(re.findall(r"'(.*?)'", keys[0])) + '"', message)
    return message[:1].lower() + message[1:]


def check_caps(text: SourceText) -> None:
    """Raise an error if a text is too large or too deeply nested for a parser.

    Parameters
    ----------
    text : SourceText
        TOML or JSON, valid or not. In an invalid text the counts may be wrong, but only after the location at which a
        parser stops.

    Raises
    ------
    SpecError
        At the first location beyond a limit.
    """
    size = len(text.content.encode())
    if size > MAX_BYTES:
        raise SpecError(text.diagnostic("too-large", f"the spec has {size} bytes; the limit is {MAX_BYTES}", None))
    if len(text.lines) > MAX_TOKENS:
        raise SpecError(text.diagnostic("too-large", f"more than {MAX_TOKENS} lines", Position(MAX_TOKENS + 1, 1)))
    tokens = 0
    header = 0  # depth of the last table header
    open_levels: list[int] = []  # levels that each open bracket adds: the steps of its key, or one for an entry
    depth = 0  # the sum of these levels
    steps = 0  # steps of the last key or value
    before: str | None = "\n"  # the last bracket or separator, None after a word
    in_header = False
    for match in _TOKEN.finditer(text.content):
        mark = match["mark"] and match["mark"][0]
        if mark is None and match["word"] is None:
            continue
        tokens += mark is None or mark in "[{"
        if mark is None:
            steps = steps + 1 if before == "." else 1
        elif mark in "[{":
            first = not open_levels and before == "\n"  # the start of a header, or of JSON's outermost table
            if first:
                in_header, header = mark == "[", 0
            open_levels.append(0 if first else max(steps, 1))
            depth += open_levels[-1]
            steps = 0
        elif mark in "]}":
            if in_header and before != mark:
                header = depth + steps
            if open_levels:
                depth -= open_levels.pop()
            in_header = in_header and bool(open_levels)
            steps = 0
        if header + depth + steps > MAX_DEPTH:
            message = f"more than {MAX_DEPTH} levels of nesting"
            raise SpecError(text.diagnostic("too-deep", message, text.position(match.start())))
        if tokens > MAX_TOKENS:
            message = f"more than {MAX_TOKENS} keys, values, lists and tables"
            raise SpecError(text.diagnostic("too-large", message, text.position(match.start())))
        before = mark


def plain(document: Document) -> Document:
    """Return a document with lists as tuples, after checking that a spec may contain all its values.

    Raises
    ------
    SpecError
        With a mistake for every value that is null, not finite, not valid Unicode, or of an unsupported type.
    """
    check = _Check(document)
    data = check.table(document.data, ())
    if check.problems:
        raise document.error(check.problems, check.left_out)
    return replace(document, data=data)


class _Check:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Diagnostic] = []
        self.left_out = 0
        self.count = 0

    def table(self, table: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        checked = {}
        for key, value in table.items():
            if not isinstance(key, str) or not _is_text(key):
                self.refuse("key", f"invalid key {shown(key)}", (*path, str(key)), at_key=True)
            else:
                checked[key] = self.value(value, (*path, key))
        return checked

    def value(self, value: Any, path: Path) -> Any:
        self.count += 1
        if len(path) > MAX_DEPTH:
            raise SpecError(self.document.diagnostic("too-deep", f"more than {MAX_DEPTH} levels of nesting", path))
        if self.count > MAX_TOKENS:
            raise SpecError(self.document.diagnostic("too-large", f"more than {MAX_TOKENS} values", path))
        if isinstance(value, np.generic | np.ndarray):
            value = value.tolist()
        if isinstance(value, Mapping):
            return self.table(value, path)
        if isinstance(value, list | tuple):
            return tuple(self.value(item, (*path, index)) for index, item in enumerate(value))
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str):
            if not _is_text(value):
                self.refuse("encoding", "invalid Unicode: unpaired surrogate", path)
        elif isinstance(value, float):
            if not math.isfinite(value):
                self.refuse("not-finite", f"expected a finite number, got {value}", path)
        elif isinstance(value, int):
            if not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
                self.refuse("number-range", "expected an integer of at most 64 bits", path)
        elif value is None:
            self.refuse("null", "null is not supported", path, hint="omit the key")
        else:
            self.refuse("wrong-type", f"values of type {type(value).__name__} are not supported", path)
        return value

    def refuse(self, code: str, message: str, path: Path, *, at_key: bool = False, hint: str | None = None) -> None:
        if len(self.problems) == MAX_REPORTED:
            self.left_out += 1
        else:
            self.problems.append(self.document.diagnostic(code, message, path, at_key=at_key, hint=hint))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_ESCAPE = r'\\(?:["\\btnfr]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})'
_QUOTED = re.compile(rf"""\s*("(?:[^"\\\x00-\x1f\x7f]|{_ESCAPE})*"|'[^'\x00-\x1f\x7f]*')\s*(?=[.=]|\Z)""")
_BARE = re.compile(r"\s*([^.=]*)")


class CannotSetError(Exception):
    """The key of a setting does not lead to a value; `depth` is the index of the failing step."""

    def __init__(self, depth: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.depth, self.message, self.hint = depth, message, hint


def settings_of(overrides: Iterable[str]) -> tuple[str, ...]:
    """Return overrides as a tuple; a single text is one override."""
    return (overrides,) if isinstance(overrides, str) else tuple(overrides)


def apply_overrides(data: Mapping[str, Any], settings: Iterable[str]) -> tuple[Mapping[str, Any], tuple[Override, ...]]:
    """Return data changed by settings ``KEY=VALUE``, and the applied changes.

    Names in the key may be quoted, as in ``data.columns."a.b"``; digits are indices of lists. The value is parsed as
    TOML; if it is not valid TOML, it is a text. A part given by name, or a table switched on by true, becomes a table
    when one of its fields is set. An empty value removes the key with its content.

    Raises
    ------
    SpecError
        With a mistake for each setting whose key does not lead to a value.
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
        except SpecError as error:  # beyond a size limit
            problems += [text.diagnostic(each.code, each.message, whole_key) for each in error.diagnostics]
        except CannotSetError as error:
            problems.append(text.diagnostic("override", error.message, keys[error.depth], hint=error.hint))
        else:
            position = Position(1, end + 2, max(1, len(value_text.split("\n")[0])))
            applied.append(Override(text, path, tuple(keys), position, removed))
    if problems:
        raise SpecError(*problems)
    return data, tuple(applied)


def _key(setting: str) -> tuple[list[str], list[Position], int]:
    """Return the names in a setting's key, their positions, and the index of the key's end.

    Quoted names are parsed as TOML. A quote that does not enclose a whole name belongs to the name.
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
    except ValueError:  # from tomllib, or from Python for an integer with thousands of digits
        return value
    return read["value"] if len(read) == 1 else value


def with_change(data: Mapping[str, Any], names: list[str], value: Any, removed: bool) -> tuple[dict[str, Any], Path]:
    """Return a copy of data with the value at the path of `names` set or removed, and this path.

    Raises
    ------
    CannotSetError
        If the names do not lead to a value.
    """
    # The containers along the path are copied, so that the data of the caller do not change.
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
        elif isinstance(inner, bool):  # a table that is switched on or off: start from its defaults
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
