"""What a spec says before anything is known about its meaning: plain data, and where each value was written.

A spec is made of texts: the document itself, and what ``--set`` adds. The position of each path in a text is found by
the tree-sitter grammars of TOML and JSON. Only the positions come from these trees. What a document says, and whether
it is valid, `tomllib` and `json` decide.
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

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


Format = Literal["toml", "json"]


@dataclass(frozen=True)
class SourceText:
    """A text that a user wrote, and the name by which errors call it."""

    name: str
    content: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return [line.removesuffix("\r") for line in self.content.split("\n")]

    def position(self, index: int) -> Position:
        """Return the place of a character."""
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
        """Return a mistake at a place of the text, with its line."""
        line = self.lines[position.line - 1] if position and position.line <= len(self.lines) else None
        return Diagnostic(code, message, path, self.name, position, line, hint, tuple(notes))


class Location(NamedTuple):
    """Where a text says something: the key, where it has one, and the value."""

    text: SourceText
    value: Position
    key: Position | None = None


class Override(NamedTuple):
    """A ``--set KEY=VALUE`` that has been applied.

    Attributes
    ----------
    text : SourceText
        The setting as it was typed, named ``--set #1``, ``--set #2``, …
    path : tuple of str and int
        What was set, and for each of its steps the place in the text.
    removed : bool
        Whether the setting took the key away.
    """

    text: SourceText
    path: Path
    keys: tuple[Position, ...]
    value: Position
    removed: bool = False

    def replay(self, places: dict[Path, Location], tables: bool) -> dict[Path, Location]:
        """Return the places of a document after this setting, the `tables` around it too if they have none."""
        path = self.path
        places = {known: place for known, place in places.items() if known[: len(path)] != path}
        if not self.removed:
            for depth in range(1 if tables else len(path), len(path) + 1):
                places.setdefault(path[:depth], Location(self.text, self.value, self.keys[depth - 1]))
        elif isinstance(path[-1], int):
            places = {_moved_up(known, path): place for known, place in places.items()}
        return places


def _moved_up(path: Path, removed: Path) -> Path:
    """Return where an entry stands after an earlier entry of its list was removed."""
    *parent, entry = removed
    depth = len(parent)
    match path[depth : depth + 1]:
        case (int(later),) if isinstance(entry, int) and list(path[:depth]) == parent and later > entry:
            return (*path[:depth], later - 1, *path[depth + 1 :])
    return path


_JSON_CONSTANT = re.compile(rb'"(?:[^"\\]|\\.)*+"|NaN|Infinity', re.DOTALL)
"""Strings, and what Python's `json` reads beside JSON; a number of the same length lets the grammar go on."""


@dataclass
class Locations:
    """The place of each path, and the pairs of places at which one path is defined twice."""

    places: dict[Path, Location] = field(default_factory=dict)
    duplicates: list[tuple[Path, Location, Location]] = field(default_factory=list)

    def define(self, path: Path, place: Location) -> None:
        """Add a path that a text may define once."""
        if path in self.places:
            self.duplicates.append((path, self.places[path], place))
        else:
            self.places[path] = place


def locate(text: SourceText, language: Format) -> Locations:
    """Return the places of all paths in a text of at most 64 levels."""
    source = text.content.encode()
    if language == "json":
        source = _JSON_CONSTANT.sub(lambda match: match[0] if match[0][:1] == b'"' else b"1" * len(match[0]), source)
    root = parser(language).parse(source).root_node
    walk = _Walk(text, source)
    walk.document(root)
    return walk.locations


def parser(language: Format) -> "Parser":
    """Return a parser of one's own: they are not for several threads, and cost nothing."""
    import tree_sitter

    if language == "json":
        from tree_sitter_json import language as grammar
    else:
        from tree_sitter_toml import language as grammar
    return tree_sitter.Parser(tree_sitter.Language(grammar()))


class _Walk:
    """Goes through a text's tree: values in lists and tables, and what only TOML has.

    That are headers, dotted keys, and lists of tables that grow from header to header.
    """

    def __init__(self, text: SourceText, source: bytes) -> None:
        self.text = text
        self.source = source
        self.line_ends = [match.start() for match in re.finditer(rb"\n", source)] + [len(source)]
        # Columns are characters: of a character's bytes all but the first are left out when counting.
        self.inner_bytes = [match.start() for match in re.finditer(rb"[\x80-\xbf]", source)]
        self.locations = Locations()
        self.lengths: dict[Path, int] = {}
        self.headers: dict[Path, Location] = {}

    def document(self, root: "Node") -> None:
        for child in root.named_children:
            if child.type == "pair":
                self.pair(child, ())
            elif child.type in ("table", "table_array_element"):
                self.table(child)
            else:
                self.value(child, ())

    def position(self, node: "Node") -> Position:
        """Return the place of a node, at most to the end of its line."""
        row, start = node.start_point[0], node.start_byte
        line_start = self.line_ends[row - 1] + 1 if row else 0
        end = min(node.end_byte, self.line_ends[row])
        return Position(row + 1, self.characters(line_start, start) + 1, max(1, self.characters(start, end)))

    def characters(self, start: int, end: int) -> int:
        """Return the number of characters between two places in the bytes."""
        return end - start - bisect_left(self.inner_bytes, end) + bisect_left(self.inner_bytes, start)

    def place(self, value: "Node", key: "Node | None" = None) -> Location:
        return Location(self.text, self.position(value), key and self.position(key))

    def value(self, node: "Node", path: Path) -> None:
        """Add what stands inside a list or a table."""
        if node.type in ("array", "object", "inline_table"):
            index = 0
            for child in node.named_children:
                if child.type == "pair":
                    self.pair(child, path)
                elif node.type == "array" and child.type not in ("comment", "ERROR"):
                    self.locations.define((*path, index), self.place(child))
                    self.value(child, (*path, index))
                    index += 1

    def table(self, node: "Node") -> None:
        header = next((child for child in node.named_children if child.type != "comment"), None)
        if header is None or not header.type.endswith("_key"):
            return
        keys = key_nodes(header)
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, self.name(key))
            self.locations.places.setdefault(path, self.place(key, key))
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
        path = (*path, self.name(keys[-1]))
        whole = Location(self.text, self.position(header), self.position(keys[-1]))
        if node.type == "table_array_element":
            self.locations.places.setdefault(path, whole)
            index = self.lengths.get(path, 0)
            self.lengths[path] = index + 1
            path = (*path, index)
            self.locations.places[path] = whole
        elif path in self.headers or path in self.lengths:
            self.locations.duplicates.append((path, self.locations.places[path], whole))
        else:
            self.headers[path] = self.locations.places[path] = whole
        for child in node.named_children:
            if child.type == "pair":
                self.pair(child, path)

    def pair(self, node: "Node", path: Path) -> None:
        children = [child for child in node.named_children if child.type not in ("comment", "ERROR")]
        if len(children) != 2:
            return
        header, value = children
        keys = key_nodes(header)
        for key in keys[:-1]:
            path = (*path, self.name(key))
            self.locations.places.setdefault(path, self.place(key, key))
        path = (*path, self.name(keys[-1]))
        self.locations.define(path, self.place(value, keys[-1]))
        self.value(value, path)

    def name(self, key: "Node") -> str:
        return key_name(key, self.source)


def key_name(key: "Node", source: bytes) -> str:
    """Return what a step of a key says."""
    token = source[key.start_byte : key.end_byte].decode()
    if key.type == "string":  # of JSON
        return str(json.loads(token))
    return token if key.type == "bare_key" else str(next(iter(tomllib.loads(f"{token} = 0"))))


def key_nodes(key: "Node") -> "list[Node]":
    """Return the steps of a TOML key; the grammar nests dotted ones to the left."""
    steps = []
    while key.type == "dotted_key":
        children = key.named_children
        steps.append(children[-1])
        key = children[0]
    return [key, *reversed(steps)]


MOST_SHOWN = 100
"""Mistakes of one stage that are told one by one; a text with more of them is no spec."""


class Details(TypedDict, total=False):
    """What a mistake may have beside its code, message and path."""

    at_key: bool
    hint: str | None
    notes: Iterable[Diagnostic]


@dataclass(frozen=True)
class Document:
    """What a spec says before anything is known about its meaning.

    Attributes
    ----------
    data : mapping
        Tables, tuples, texts and numbers.
    text : SourceText or None
        The text it was read from; None for a mapping.
    format : "toml", "json" or None
        What the text is written in.
    folder : pathlib.Path or None
        Where relative paths start; None means the working directory.
    overrides : tuple of Override
        What was set on the command line.
    """

    data: Mapping[str, Any]
    text: SourceText | None = None
    format: Format | None = None
    folder: FilePath | None = None
    overrides: tuple[Override, ...] = field(default=())

    @cached_property
    def places(self) -> dict[Path, Location]:
        """The place of each path, found when the first error asks for one."""
        places = {}
        if self.text is not None and self.format is not None:
            places = locate(self.text, self.format).places
        for override in self.overrides:
            # The tables of a mapping stand nowhere, and not where a setting changes one of their keys.
            places = override.replay(places, tables=self.text is not None)
        return places

    def without(self, key: str) -> "Document":
        """Return the document without one of its keys at the top level, if it has it."""
        return replace(self, data={name: value for name, value in self.data.items() if name != key})

    def place(self, path: Path) -> tuple[Location | None, bool]:
        """Return the place of a path, or of the nearest table around it that was written, and whether it is its own."""
        for depth in range(len(path), 0, -1):
            if path[:depth] in self.places:
                return self.places[path[:depth]], depth == len(path)
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
        """Return a mistake at a path's value or key, or at the nearest table around it that was written."""
        place, own = self.place(path)
        if place is not None:
            position = place.key if at_key and own and place.key else place.value
            return place.text.diagnostic(code, message, position, path, hint, notes)
        if self.text is not None:
            return Diagnostic(code, message, path, self.text.name, Position(1, 1), None, hint, tuple(notes))
        return Diagnostic(code, message, path, hint=hint, notes=tuple(notes), at_key=at_key)

    def placed(self, diagnostic: Diagnostic) -> Diagnostic:
        """Return a mistake that was found in this document's data alone, at its place."""
        found = diagnostic
        if found.position is not None or not found.path:
            return found
        placed = self.diagnostic(found.code, found.message, found.path, hint=found.hint, notes=found.notes)
        return replace(placed, of_many=found.of_many)

    def error(self, diagnostics: Iterable[Diagnostic], left_out: int = 0) -> SpecError:
        """Return an error of these mistakes, in the order in which a reader meets their places.

        `left_out` more are only counted, and so are those beyond `MOST_SHOWN`.
        """
        sources = [text.name for text in self._texts()]

        def rank(diagnostic: Diagnostic) -> tuple[int, ...]:
            if diagnostic.position is None:
                return self._rank_in_data(diagnostic.path)
            source = sources.index(diagnostic.source) if diagnostic.source in sources else 0
            return source, diagnostic.position.line, diagnostic.position.column

        ordered = sorted(diagnostics, key=rank)
        left_out += max(0, len(ordered) - MOST_SHOWN)
        if left_out:
            name = self.text.name if self.text else None
            ordered[MOST_SHOWN:] = [Diagnostic("more", f"{left_out} more mistakes", source=name)]
        return SpecError(*ordered)

    def rank(self, path: Path) -> tuple[int, ...]:
        """Return what sorts paths in the order of the texts, or of the data where there is no text."""
        place, _ = self.place(path)
        if place is None:
            return () if self.text else self._rank_in_data(path)
        return self._texts().index(place.text), place.value.line, place.value.column

    def _texts(self) -> list[SourceText]:
        return [*([self.text] if self.text else []), *(override.text for override in self.overrides)]

    def _rank_in_data(self, path: Path) -> tuple[int, int]:
        """Return what sorts paths in the order of the data; one that is not there follows what is around it."""
        depth = next(depth for depth in range(len(path), -1, -1) if path[:depth] in self._numbers)
        return self._numbers[path[:depth]], len(path) - depth

    @cached_property
    def _numbers(self) -> dict[Path, int]:
        return {path: number for number, path in enumerate(_paths(self.data, ()))}


def _paths(value: Any, path: Path) -> Iterator[Path]:
    """Yield the paths of plain data and of all that is in it."""
    yield path
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for step, inner in items:
        yield from _paths(inner, (*path, step))


LARGEST_TEXT = 1_000_000
"""Bytes."""
DEEPEST = 64
"""Levels of tables and lists, whether brackets or the dots of keys make them."""
MOST_TOKENS = 50_000
"""Keys, values, lists and tables, and lines: parsers spend their time on these."""

_TOKEN = re.compile(
    r"""
      \#[^\n]*
    | \"{3} [^"\\]*+ (?: (?: \\. | "(?!"") ) [^"\\]*+ )*+ (?: \"{3} | \Z )
    | '{3} .*? (?: '{3} | \Z )
    | (?P<word> " (?: \\. | [^"\\\n] )*+ "? | ' [^'\n]*+ '? | [\w+-]++ )
    | (?P<sign> [\[\]{}] | =++ | \.++ | \n\s*+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class TextCapError(Exception):
    """A text goes beyond a cap; says which, and where."""

    def __init__(self, code: str, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.position = code, message, position


def check_caps(text: SourceText) -> None:
    """Refuse what would be too large, too deep or too much for a parser.

    Parameters
    ----------
    text : SourceText
        TOML or JSON, valid or not. Where it is not valid the pass may lose its way, but only after the place at which
        a parser stops.

    Raises
    ------
    TextCapError
        At the first place beyond a cap.
    """
    size = len(text.content.encode())
    if size > LARGEST_TEXT:
        raise TextCapError("too-large", f"the spec has {size} bytes; the limit is {LARGEST_TEXT}")
    if len(text.lines) > MOST_TOKENS:
        raise TextCapError("too-large", f"more than {MOST_TOKENS} lines", Position(MOST_TOKENS + 1, 1))
    tokens = 0
    header = 0  # levels of the table whose header was last seen
    open_levels: list[int] = []  # what each open bracket adds: the steps of the key before it, or one for an entry
    depth = 0  # what they add together
    steps = 0  # of the key or value that was read last
    before: str | None = "\n"  # the sign that was read last, None after a word
    in_header = False
    for match in _TOKEN.finditer(text.content):
        sign = match["sign"] and match["sign"][0]
        if sign is None and match["word"] is None:
            continue
        tokens += sign is None or sign in "[{"
        if sign is None:
            steps = steps + 1 if before == "." else 1
        elif sign in "[{":
            first = not open_levels and before == "\n"  # of a header, or of JSON's outermost table
            if first:
                in_header, header = sign == "[", 0
            open_levels.append(0 if first else max(steps, 1))
            depth += open_levels[-1]
            steps = 0
        elif sign in "]}":
            if in_header and before != sign:
                header = depth + steps
            if open_levels:
                depth -= open_levels.pop()
            in_header = in_header and bool(open_levels)
            steps = 0
        if header + depth + steps > DEEPEST:
            raise TextCapError("too-deep", f"more than {DEEPEST} levels of nesting", text.position(match.start()))
        if tokens > MOST_TOKENS:
            message = f"more than {MOST_TOKENS} keys, values, lists and tables"
            raise TextCapError("too-large", message, text.position(match.start()))
        before = sign
