"""From a path, a text or a mapping to a document: plain data, and the places of what it says.

Whatever its values mean, they are text, finite numbers, true and false, lists and tables.
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
from specnet.files.run_files import paths_start, spec_file
from specnet.spec.reading.overrides import apply_overrides
from specnet.spec.reading.source_document import (
    DEEPEST,
    LARGEST_TEXT,
    MOST_SHOWN,
    MOST_TOKENS,
    Document,
    Format,
    SourceText,
    TextCapError,
    check_caps,
    locate,
)
from specnet.spec.reading.words import shown

LARGEST_INTEGER = 2**63 - 1
"""As in TOML."""


def plain(document: Document) -> Document:
    """Return the document with lists as tuples, and without anything that a spec may not hold.

    Raises
    ------
    SpecError
        With every value that is null, not finite, no text, or nothing that a spec knows.
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
        if len(path) > DEEPEST:
            raise SpecError(self.document.diagnostic("too-deep", f"more than {DEEPEST} levels of nesting", path))
        if self.count > MOST_TOKENS:
            raise SpecError(self.document.diagnostic("too-large", f"more than {MOST_TOKENS} values", path))
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
            if not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
                self.refuse("number-range", "expected an integer of at most 64 bits", path)
        elif value is None:
            self.refuse("null", "null is not supported", path, hint="omit the key")
        else:
            self.refuse("wrong-type", f"values of type {type(value).__name__} are not supported", path)
        return value

    def refuse(self, code: str, message: str, path: Path, *, at_key: bool = False, hint: str | None = None) -> None:
        if len(self.problems) == MOST_SHOWN:
            self.left_out += 1
        else:
            self.problems.append(self.document.diagnostic(code, message, path, at_key=at_key, hint=hint))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


SpecSource = str | os.PathLike[str] | Mapping[str, Any]
"""A path, a text that has a line break, or a mapping."""


def read(source: SpecSource | Document, overrides: Iterable[str] = ()) -> Document:
    """Read a document.

    Parameters
    ----------
    source : str, path-like, mapping or Document
        A text is told from a path by its line break; it is JSON where it starts with ``{``, and so is a file whose name
        ends in ``.json``. The folder of a run stands for its spec.
    overrides : iterable of str
        Settings ``KEY=VALUE`` that are made in order, after reading.

    Raises
    ------
    SpecError
        With every mistake that can be seen without knowing what a spec means.
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
        content = read_file(path, LARGEST_TEXT)
    except UnicodeEncodeError:
        raise FileError("invalid file name", source=path) from None
    except FileError as error:
        if "=" in path or path.lstrip().startswith("{"):
            hint = "to pass a spec as text, include a line break"
            raise FileError(*(problem.message for problem in error.diagnostics), source=path, hint=hint) from None
        raise
    return document_of(content, path, paths_start(path))


def document_of(content: bytes, name: str, folder: FilePath | None = None) -> Document:
    """Return the document in the bytes of a file.

    Parameters
    ----------
    content : bytes
        JSON where it starts with ``{`` or the name ends in ``.json``; else TOML.
    name : str
        By which errors call it.
    folder : Path, optional
        Where its relative paths start, if not in the working directory.

    Raises
    ------
    SpecError
        If it is no text, or neither TOML nor JSON.
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
    except TextCapError as cap:
        raise SpecError(text.diagnostic(cap.code, cap.message, cap.position)) from None
    except UnicodeEncodeError as error:
        message = "invalid Unicode: unpaired surrogate"
        raise SpecError(text.diagnostic("encoding", message, text.position(error.start))) from None
    except _DuplicateKeyError:
        raise Document({}, text).error(_duplicates(text, language)) from None
    except json.JSONDecodeError as error:
        message, place = json_mistake(text.content, error)
        raise SpecError(text.diagnostic("syntax", _sentence(message), text.position(place))) from None
    except tomllib.TOMLDecodeError as error:
        raise Document({}, text).error(_toml_problems(text, str(error))) from None
    except RecursionError:
        raise SpecError(text.diagnostic("too-deep", "nested too deeply for the remaining stack", None)) from None
    except ValueError:  # Python's, for an integer of thousands of digits
        digits = re.search(r"[0-9][0-9_]{4000,}", text.content)
        position = text.position(digits.start()) if digits else None
        raise SpecError(text.diagnostic("number-range", "number has too many digits", position)) from None
    if not isinstance(data, dict):
        raise SpecError(text.diagnostic("wrong-type", "expected a table at the top level", Position(1, 1)))
    return Document(data, text, language, folder)


_LONGEST_MESSAGE = 200


class _DuplicateKeyError(ValueError):
    """A JSON object names a key twice."""


def _json(text: SourceText) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise _DuplicateKeyError
        return table

    return json.loads(text.content, object_pairs_hook=unique)


def _toml_problems(text: SourceText, message: str) -> Sequence[Diagnostic]:
    """Return what is wrong with a text that is no TOML: keys that stand twice, or the first mistake of the syntax."""
    message, _, place = message.rpartition(" (at ")
    numbers = [int(number) for number in re.findall(r"\d+", place)]
    lines = text.content.rstrip("\n").split("\n")
    position = Position(*numbers) if len(numbers) == 2 else Position(len(lines), len(lines[-1]) + 1)
    # A little more than what was read before the mistake, so that the last key and its value are in it.
    end = sum(len(line) + 1 for line in lines[: position.line - 1]) + position.column + len("]]\n")
    syntax = text.diagnostic("syntax", _sentence(message), position, hint=_yaml_hint(text))
    return _duplicates(text, "toml", end) or [syntax]


_YAML = re.compile(r"^(?:---\s*$|%YAML\b|(?:- +)?[A-Za-z_][\w-]*:(?:\s|$))")


def _yaml_hint(text: SourceText) -> str | None:
    """Return what to say of a text that is YAML by its name or its first line."""
    first = next((line for line in text.lines if line.strip() and not line.lstrip().startswith("#")), "")
    looks_so = text.name.lower().endswith((".yaml", ".yml")) or _YAML.match(first)
    return "this looks like YAML; write specs in TOML or JSON" if looks_so else None


def _duplicates(text: SourceText, language: Format, end: int | None = None) -> list[Diagnostic]:
    """Return the keys that stand twice before an end."""
    found = []
    for path, first, second in locate(SourceText(text.name, text.content[:end]), language).duplicates:
        message = f"duplicate key {shown(path[-1])}"
        note = text.diagnostic("note", "first defined here", first.key or first.value)
        found.append(text.diagnostic("duplicate-key", message, second.key or second.value, path, notes=[note]))
    return found


def _sentence(message: str) -> str:
    """Return a parser's message as ours look: short, small at the start, and keys as a document writes them."""
    message = message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + "…"
    message = re.sub(r"\('.*',?\)", lambda keys: '"' + ".".join(re.findall(r"'(.*?)'", keys[0])) + '"', message)
    return message[:1].lower() + message[1:]
