"""Where a text says what: the position of each path, found by the tree-sitter grammars of TOML and JSON.

Only the positions come from these trees. What a document says, and whether it is valid, `tomllib` and `json` decide.
"""

import json
import re
import tomllib
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specnet.errors import Path, Position
from specnet.spec.reading.source_text import Format, Location, SourceText

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


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
