"""A document before its meaning is checked: plain data, and the location at which each value was written.

A spec is written in several texts: the document itself and the ``--set`` settings. The tree-sitter grammars of TOML and
JSON are only used to find the position of each path in a text; `tomllib` and `json` decide whether a text is valid, and
parse its data.
"""

import json
import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

from specnet.errors import Diagnostic, Path, Position, SpecError
from specnet.suggestions import Removed, Suggestion

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


Format = Literal["toml", "json"]


@dataclass(frozen=True)
class SourceText:
    """A text written by a user, with its name in errors."""

    name: str
    content: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines without line ends."""
        return [line.removesuffix("\r") for line in self.content.split("\n")]

    def position(self, index: int) -> Position:
        """Return the line and column of a character, given its index."""
        return Position(self.content.count("\n", 0, index) + 1, index - self.content.rfind("\n", 0, index))

    def diagnostic(
        self,
        code: str,
        message: str,
        position: Position | None,
        path: Path = (),
        hint: str | None = None,
        notes: Iterable[Diagnostic] = (),
    ) -> Diagnostic:
        """Return a diagnostic at a position of the text, with the text of its line."""
        line = self.lines[position.line - 1] if position and position.line <= len(self.lines) else None
        return Diagnostic(code, message, path, self.name, position, line, hint, tuple(notes))


class Location(NamedTuple):
    """The location of a value: its text, its position, and the position of its key if it has one."""

    text: SourceText
    value: Position
    key: Position | None = None


class Override(NamedTuple):
    """A ``--set KEY=VALUE`` that has been applied.

    Attributes
    ----------
    text : SourceText
        The setting as the user typed it, named ``--set #1``, ``--set #2``, …
    path : tuple of str and int
        Path of the value in the document.
    keys : tuple of Position
        Positions in the text of the steps of the path.
    value : Position
        Position of the value in the text.
    removed : bool
        Whether the setting removed the key.
    """

    text: SourceText
    path: Path
    keys: tuple[Position, ...]
    value: Position
    removed: bool = False

    def replay(self, locations: dict[Path, Location], tables: bool) -> dict[Path, Location]:
        """Return the locations of a document after this setting; if `tables`, new tables around it have one too."""
        path = self.path
        locations = {known: location for known, location in locations.items() if known[: len(path)] != path}
        if not self.removed:
            for depth in range(1 if tables else len(path), len(path) + 1):
                locations.setdefault(path[:depth], Location(self.text, self.value, self.keys[depth - 1]))
        elif isinstance(path[-1], int):
            locations = {_moved_up(known, path): location for known, location in locations.items()}
        return locations


def _moved_up(path: Path, removed: Path) -> Path:
    """Return the new path of a value after the list entry at the path `removed` was removed."""
    *parent, entry = removed
    depth = len(parent)
    match path[depth : depth + 1]:
        case (int(later),) if isinstance(entry, int) and list(path[:depth]) == parent and later > entry:
            return (*path[:depth], later - 1, *path[depth + 1 :])
    return path


_JSON_CONSTANT = re.compile(rb'"(?:[^"\\]|\\.)*+"|NaN|Infinity', re.DOTALL)
"""Strings, and constants that only Python's `json` accepts. Numbers replace the constants, so that the grammar parses
them."""


def locate(text: SourceText, language: Format) -> "LocatedText":
    """Return the locations of all paths in a text, which may have at most 64 levels."""
    source = text.content.encode()
    if language == "json":
        source = _JSON_CONSTANT.sub(lambda match: match[0] if match[0][:1] == b'"' else b"1" * len(match[0]), source)
    found = LocatedText(text, source)
    found.add_document(parser(language).parse(source).root_node)
    return found


def parser(language: Format) -> "Parser":
    """Return a new parser for a format; parsers cannot be shared between threads."""
    import tree_sitter

    if language == "json":
        from tree_sitter_json import language as grammar
    else:
        from tree_sitter_toml import language as grammar
    return tree_sitter.Parser(tree_sitter.Language(grammar()))


class LocatedText:
    """The locations of all paths in a text, found by walking its syntax tree.

    Attributes
    ----------
    locations : dict of path to Location
        First location of each path.
    duplicates : list of (path, Location, Location)
        Paths that are defined twice, with both locations.
    """

    def __init__(self, text: SourceText, source: bytes) -> None:
        self.text = text
        self.source = source
        self.line_ends = [match.start() for match in re.finditer(rb"\n", source)] + [len(source)]
        # Columns are counted in characters, so that only the first byte of each character counts.
        self.inner_bytes = [match.start() for match in re.finditer(rb"[\x80-\xbf]", source)]
        self.locations: dict[Path, Location] = {}
        self.duplicates: list[tuple[Path, Location, Location]] = []
        self.lengths: dict[Path, int] = {}
        self.headers: dict[Path, Location] = {}

    def add_document(self, root: "Node") -> None:
        for child in root.named_children:
            if child.type == "pair":
                self.pair(child, ())
            elif child.type in ("table", "table_array_element"):
                self.table(child)
            else:
                self.value(child, ())

    def position(self, node: "Node") -> Position:
        """Return the position of a node; its length ends at the end of its first line."""
        row, start = node.start_point[0], node.start_byte
        line_start = self.line_ends[row - 1] + 1 if row else 0
        end = min(node.end_byte, self.line_ends[row])
        return Position(row + 1, self.characters(line_start, start) + 1, max(1, self.characters(start, end)))

    def characters(self, start: int, end: int) -> int:
        """Return the number of characters between two byte indices."""
        return end - start - bisect_left(self.inner_bytes, end) + bisect_left(self.inner_bytes, start)

    def location(self, value: "Node", key: "Node | None" = None) -> Location:
        return Location(self.text, self.position(value), key and self.position(key))

    def define(self, path: Path, location: Location) -> None:
        """Add a path that a text may define only once; a second definition is a duplicate."""
        if path in self.locations:
            self.duplicates.append((path, self.locations[path], location))
        else:
            self.locations[path] = location

    def value(self, node: "Node", path: Path) -> None:
        """Add the paths of a list's entries, or of the keys of an inline table or an object."""
        if node.type in ("array", "object", "inline_table"):
            index = 0
            for child in node.named_children:
                if child.type == "pair":
                    self.pair(child, path)
                elif node.type == "array" and child.type not in ("comment", "ERROR"):
                    self.define((*path, index), self.location(child))
                    self.value(child, (*path, index))
                    index += 1

    def table(self, node: "Node") -> None:
        """Add a table with a header, or an entry of a list of tables."""
        header = next((child for child in node.named_children if child.type != "comment"), None)
        if header is None or not header.type.endswith("_key"):
            return
        keys = key_nodes(header)
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, self.name(key))
            self.locations.setdefault(path, self.location(key, key))
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
        path = (*path, self.name(keys[-1]))
        whole = Location(self.text, self.position(header), self.position(keys[-1]))
        if node.type == "table_array_element":
            self.locations.setdefault(path, whole)
            index = self.lengths.get(path, 0)
            self.lengths[path] = index + 1
            path = (*path, index)
            self.locations[path] = whole
        elif path in self.headers or path in self.lengths:
            self.duplicates.append((path, self.locations[path], whole))
        else:
            self.headers[path] = self.locations[path] = whole
        for child in node.named_children:
            if child.type == "pair":
                self.pair(child, path)

    def pair(self, node: "Node", path: Path) -> None:
        """Add a key of the table at a path, with all steps of a dotted key, and its value."""
        children = [child for child in node.named_children if child.type not in ("comment", "ERROR")]
        if len(children) != 2:
            return
        header, value = children
        keys = key_nodes(header)
        for key in keys[:-1]:
            path = (*path, self.name(key))
            self.locations.setdefault(path, self.location(key, key))
        path = (*path, self.name(keys[-1]))
        self.define(path, self.location(value, keys[-1]))
        self.value(value, path)

    def name(self, key: "Node") -> str:
        return key_name(key, self.source)


def key_name(key: "Node", source: bytes) -> str:
    """Return the text of one step of a key, without quotes."""
    token = source[key.start_byte : key.end_byte].decode()
    if key.type == "string":  # JSON
        return str(json.loads(token))
    return token if key.type == "bare_key" else str(next(iter(tomllib.loads(f"{token} = 0"))))


def key_nodes(key: "Node") -> "list[Node]":
    """Return the nodes of the steps of a TOML key; the grammar nests dotted keys to the left."""
    steps = []
    while key.type == "dotted_key":
        children = key.named_children
        steps.append(children[-1])
        key = children[0]
    return [key, *reversed(steps)]


MAX_REPORTED = 100
"""Maximum number of mistakes of one stage that are reported; further mistakes are only counted."""


class Details(TypedDict, total=False):
    """Optional arguments of a diagnostic besides its code, message and path."""

    at_key: bool
    hint: str | None
    notes: Iterable[Diagnostic]


@dataclass(frozen=True)
class Document:
    """The data of a spec before their meaning is checked, with their locations.

    Attributes
    ----------
    data : mapping
        Tables, lists, texts, numbers and booleans.
    text : SourceText or None
        The text from which the data were read; None for a mapping.
    format : "toml", "json" or None
        Format of the text.
    folder : pathlib.Path or None
        Folder to which paths in the data are relative; None for the working directory.
    overrides : tuple of Override
        The applied settings ``KEY=VALUE``.
    """

    data: Mapping[str, Any]
    text: SourceText | None = None
    format: Format | None = None
    folder: FilePath | None = None
    overrides: tuple[Override, ...] = field(default=())

    @cached_property
    def locations(self) -> dict[Path, Location]:
        """The location of each path, computed when it is first needed."""
        locations: dict[Path, Location] = {}
        if self.text is not None and self.format is not None:
            locations = locate(self.text, self.format).locations
        for override in self.overrides:
            # The tables of a mapping have no location; a setting that changes one of their keys does not add one.
            locations = override.replay(locations, tables=self.text is not None)
        return locations

    def without(self, key: str) -> "Document":
        """Return the document without a top-level key, which may be missing."""
        return replace(self, data={name: value for name, value in self.data.items() if name != key})

    def location(self, path: Path) -> tuple[Location | None, bool]:
        """Return the location of a path or of the nearest written table around it, and whether it is the path's own."""
        for depth in range(len(path), 0, -1):
            if path[:depth] in self.locations:
                return self.locations[path[:depth]], depth == len(path)
        return None, False

    def diagnostic(
        self,
        code: str,
        message: str,
        path: Path,
        *,
        at_key: bool = False,
        hint: str | None = None,
        notes: Iterable[Diagnostic] = (),
    ) -> Diagnostic:
        """Return a diagnostic at the value or key of a path, or at the nearest written table around it."""
        if hint is None and " no effect" in message:
            hint = Suggestion("remove it", Removed())
        location, own = self.location(path)
        if location is not None:
            position = location.key if at_key and own and location.key else location.value
            return location.text.diagnostic(code, message, position, path, hint, notes)
        if self.text is not None:
            return Diagnostic(code, message, path, self.text.name, Position(1, 1), None, hint, tuple(notes))
        return Diagnostic(code, message, path, hint=hint, notes=tuple(notes), at_key=at_key)

    def located(self, found: Diagnostic) -> Diagnostic:
        """Return a diagnostic about this document's data with its location added if it has none."""
        if found.position is not None or not found.path:
            return found
        located = self.diagnostic(found.code, found.message, found.path, hint=found.hint, notes=found.notes)
        return replace(located, of_many=found.of_many)

    def error(self, diagnostics: Iterable[Diagnostic], left_out: int = 0) -> SpecError:
        """Return a `SpecError` with diagnostics in the order of their locations.

        Diagnostics beyond `MAX_REPORTED` and `left_out` further mistakes are only counted.
        """
        sources = [text.name for text in self._texts()]

        def rank(diagnostic: Diagnostic) -> tuple[int, ...]:
            if diagnostic.position is None:
                return self._rank_in_data(diagnostic.path)
            source = sources.index(diagnostic.source) if diagnostic.source in sources else 0
            return source, diagnostic.position.line, diagnostic.position.column

        ordered = sorted(diagnostics, key=rank)
        left_out += max(0, len(ordered) - MAX_REPORTED)
        if left_out:
            name = self.text.name if self.text else None
            ordered[MAX_REPORTED:] = [Diagnostic("more", f"{left_out} more mistakes", source=name)]
        return SpecError(*ordered)

    def rank(self, path: Path) -> tuple[int, ...]:
        """Return a sort key for paths: the order in the texts, or in the data if there is no text."""
        location, _ = self.location(path)
        if location is None:
            return () if self.text else self._rank_in_data(path)
        return self._texts().index(location.text), location.value.line, location.value.column

    def _texts(self) -> list[SourceText]:
        return [*([self.text] if self.text else []), *(override.text for override in self.overrides)]

    def _rank_in_data(self, path: Path) -> tuple[int, int]:
        """Return a sort key for paths in the order of the data; a missing path follows the table around it."""
        depth = next(depth for depth in range(len(path), -1, -1) if path[:depth] in self._numbers)
        return self._numbers[path[:depth]], len(path) - depth

    @cached_property
    def _numbers(self) -> dict[Path, int]:
        return {path: number for number, path in enumerate(_paths(self.data, ()))}


def _paths(value: Any, path: Path) -> Iterator[Path]:
    """Yield the paths of a value and of all its inner values."""
    yield path
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for step, inner in items:
        yield from _paths(inner, (*path, step))
