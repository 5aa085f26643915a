"""Where in a spec the cursor of an editor is, also in a text that is not finished."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from specnet.errors import Path
from specnet.spec.reading.source_document import Format

_TOKEN = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<word> \"{3} .*? (?: \"{3} | \Z ) | '{3} .*? (?: '{3} | \Z )
        | " (?: \\. | [^"\\\n] )* "? | ' [^'\n]* '? | [^\s\[\]{}=,:."'\#]+ (?: (?<=\d) \. \d* [\w+-]* )? )
    | (?P<mark> [\[\]{}=,:.\n] )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass
class _Container:
    """An open table or list: its path, the next index of a list, and the values of a table that are known."""

    path: Path
    index: int | None = None
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cursor:
    """The location of a cursor.

    Attributes
    ----------
    path : tuple of str and int
        Path of the table of the key that is typed, or of the value that is typed.
    is_key : bool
        Whether a key is typed.
    typed : str
        What is typed of the key or the value, with an opening quote.
    start : int
        Index of its first character.
    in_header : bool
        Whether the key is that of a header.
    begins_line : bool
        Whether the cursor is at the first key of a line, where a header may begin.
    values : dict
        Further values of the inline table around the cursor.
    """

    path: Path
    is_key: bool
    typed: str
    start: int
    in_header: bool = False
    begins_line: bool = False
    values: dict[str, Any] = field(default_factory=dict)


class _Scan:
    """A walk over the tokens of a text up to the cursor."""

    def __init__(self, language: Format) -> None:
        self.is_json = language == "json"
        self.base: Path = ()
        self.lengths: dict[Path, int] = {}
        self.open: list[_Container] = []
        self.keys: list[str] = []
        self.header = 0  # brackets of a header that is open
        self.is_key = not self.is_json

    @property
    def container(self) -> Path:
        """The path of the table or list around the cursor."""
        if not self.open:
            return self.base
        last = self.open[-1]
        return last.path if last.index is None else (*last.path, last.index)

    def mark(self, mark: str) -> None:
        if self.header:
            self._in_header(mark)
        elif mark == "\n":
            if not self.open and not self.is_json:
                self.keys, self.is_key = [], True
        elif mark in "=:":
            self.is_key = False
        elif mark == "[" and not self.open and self.is_key and not self.keys:
            self.header = 1
        elif mark in "[{":
            path = (*self.container, *self.keys) if self.open or not self.is_json else ()
            self.open.append(_Container(path, 0 if mark == "[" else None))
            self.keys, self.is_key = [], mark == "{"
        elif mark in "]}" and self.open:
            self.open.pop()
            self.is_key = False
        elif mark == "," and self.open:
            last = self.open[-1]
            last.index = last.index if last.index is None else last.index + 1
            self.keys, self.is_key = [], last.index is None

    def _in_header(self, mark: str) -> None:
        if mark == "[":
            self.header = 2
        elif mark in "]\n":
            path: Path = ()
            for step in self.keys[:-1]:
                path = (*path, step)
                path = (*path, self.lengths[path] - 1) if path in self.lengths else path
            path = (*path, *self.keys[-1:])
            if self.header == 2:
                self.lengths[path] = self.lengths.get(path, 0) + 1
                path = (*path, self.lengths[path] - 1)
            self.base, self.header, self.keys, self.is_key = path, 0, [], mark == "\n"

    def word(self, token: str) -> None:
        if self.header or self.is_key:
            self.keys.append(str(read(token)))
        elif self.open and self.open[-1].index is None and len(self.keys) == 1:
            self.open[-1].values[self.keys[0]] = read(token)


def read(token: str) -> Any:
    """Return the value of a token; a text that is not finished ends with the token."""
    with suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(f"value = {token}")["value"]
    return token.strip("\"'")


def cursor_at(content: str, index: int, language: Format) -> Cursor | None:
    """Return the location of a cursor before a character of a text; None in a comment."""
    scan, last = _Scan(language), None
    for token in _TOKEN.finditer(content, 0, index):
        if last is not None:
            scan.word(last[0])
            last = None
        if token["comment"] and token.end() == index:
            return None
        if token["mark"]:
            scan.mark(token["mark"])
        elif token["word"]:
            last = token
    typed, start = "", index
    if last is not None and last.end() == index:
        typed, start = last[0], last.start()
    elif last is not None:
        scan.word(last[0])
    around = scan.open[-1].values if scan.open else {}
    if scan.header:
        return Cursor(tuple(scan.keys), True, typed, start, True)
    if scan.is_key:
        begins = not (scan.open or scan.keys or scan.is_json)
        return Cursor((*scan.container, *scan.keys), True, typed, start, begins_line=begins, values=around)
    return Cursor((*scan.container, *scan.keys), False, typed, start, values=around)
