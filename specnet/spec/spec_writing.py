"""A spec's document written with other values, for another folder.

A TOML text with other values keeps every character that is not changed: it is not written anew but cut around the
values that its syntax tree locates. So comments, order and layout stay. Each edit follows from the data before and
after.
"""

import json
import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from specnet.errors import Path
from specnet.files.plain_data import toml_key, toml_value
from specnet.parts.registry import Registry
from specnet.run_files import spec_folder
from specnet.spec.document import Spec
from specnet.spec.file_paths import file_paths
from specnet.spec.parsing import validated
from specnet.spec.reading.reader import document_of, plain, with_change
from specnet.spec.reading.source_document import Document, Format, key_name, key_nodes, parser

if TYPE_CHECKING:
    from tree_sitter import Node


_MAX_COMPARED = 1000
"""Entries of lists whose lengths differ; longer lists are written anew."""

_END_OF_LINE = re.compile(rb"\r?\n|\Z")
_AFTER_EMPTY_LINE = re.compile(rb"(?:\A|\n)\r?\n\Z|\A\Z")


@dataclass(frozen=True, slots=True)
class _Item:
    """A pair or an entry: from its first character to the end of its value.

    In lines it begins with the comments right above it, and there is the `end` of the line and the start of the `next`.
    """

    start: int
    end: int
    next: int = 0


@dataclass(eq=False)
class _Holder:
    """What lists items: the lines below a header, an inline table, an array.

    `implied` is a table that only the headers of tables in it name; it has no items, and gets a header with its first.
    """

    kind: Literal["lines", "inline", "array", "implied"]
    start: int = 0
    end: int = 0
    items: list[_Item] = field(default_factory=list)
    header: _Item | None = None
    name: tuple[str, ...] = ()


@dataclass(eq=False)
class _Node:
    """A value of the data in the text.

    Attributes
    ----------
    span : tuple of int or None
        Where it stands, if it stands there in one piece.
    items : list
        The items in which it stands, several for a table of dotted keys.
    section : _Holder or None
        The lines below its own header.
    holder : _Holder or None
        Where new keys of a table go, with these `prefix` steps before them.
    """

    span: tuple[int, int] | None = None
    items: list[tuple[_Holder, int]] = field(default_factory=list)
    children: dict[str, "_Node"] | None = None
    entries: list["_Node"] | None = None
    section: _Holder | None = None
    holder: _Holder | None = None
    prefix: tuple[str, ...] = ()

    def child(self, name: str) -> "_Node":
        """Return the value of a key, made if it is new."""
        if self.children is None:
            self.children = {}
        return self.children.setdefault(name, _Node())


class TomlText:
    """A valid TOML text, taken apart once and changed as often as needed.

    Parameters
    ----------
    content : str
    """

    def __init__(self, content: str) -> None:
        self.source = content.encode()
        self.newline = b"\r\n" if b"\r\n" in self.source else b"\n"
        self.sections: list[_Holder] = []

    @cached_property
    def root(self) -> _Node:
        """The table of the whole document."""
        lines = _Holder("lines")
        root = _Node(section=lines, holder=lines, children={})
        for child in parser("toml").parse(self.source).root_node.named_children:
            if child.type == "pair":
                self._pair(child, root, lines)
            elif child.type in ("table", "table_array_element"):
                self._section(child, root)
        return root

    def with_data(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """Return the text changed from its own, old data to new ones."""
        changes = _Changes(self)
        changes.table(self.root, old, new)
        return changes.applied().decode()

    def line_start(self, index: int) -> int:
        """Return the index at which the line of a byte starts."""
        return self.source.rfind(b"\n", 0, index) + 1

    def _line(self, node: "Node", end: int, bound: int) -> _Item:
        """Return a pair or a header as lines: with the comments right above it, but not above a bound.

        Comments with which the text begins are about the whole of it.
        """
        line = start = self.line_start(node.start_byte)
        while start > bound:
            above = max(bound, self.line_start(start - 1))
            if not self.source[above:start].lstrip().startswith(b"#"):
                break
            start = above
        found = _END_OF_LINE.search(self.source, end)
        assert found is not None, "it finds the end of the text at last"
        return _Item(line if start == 0 else start, found.start(), found.end())

    def _section(self, node: "Node", root: _Node) -> None:
        header = next(child for child in node.named_children if child.type != "comment")
        before = self.sections[-1] if self.sections else root.section
        assert before is not None
        last = before.items[-1] if before.items else before.header
        line = self._line(node, header.end_byte, last.next if last else 0)
        lines = _Holder("lines", line.start, len(self.source), header=line)
        if self.sections:
            before.end = line.start
        self.sections.append(lines)
        keys = [key_name(key, self.source) for key in key_nodes(header)]
        table = root
        for depth, key in enumerate(keys[:-1], 1):
            table = table.child(key)
            if table.entries is not None:
                table = table.entries[-1]
            elif table.holder is None:
                table.holder = _Holder("implied", line.start, name=tuple(keys[:depth]))
        table = table.child(keys[-1])
        if node.type == "table_array_element":
            table.entries = [] if table.entries is None else table.entries
            table.entries.append(_Node())
            table = table.entries[-1]
        table.children = table.children or {}
        table.section = table.holder = lines
        for child in node.named_children:
            if child.type == "pair":
                self._pair(child, table, lines)

    def _pair(self, node: "Node", table: _Node, holder: _Holder) -> None:
        header, value = (child for child in node.named_children if child.type != "comment")
        number = len(holder.items)
        if holder.kind == "lines":
            last = holder.items[-1] if holder.items else holder.header
            holder.items.append(self._line(node, value.end_byte, last.next if last else 0))
        else:
            holder.items.append(_Item(node.start_byte, value.end_byte))
        *steps, last_step = (key_name(key, self.source) for key in key_nodes(header))
        for depth, step in enumerate(steps, 1):
            table = table.child(step)
            table.items.append((holder, number))
            table.holder, table.prefix = holder, tuple(steps[:depth])
        self._value(value, table.child(last_step), (holder, number))

    def _value(self, value: "Node", node: _Node, item: tuple[_Holder, int]) -> None:
        node.span = (value.start_byte, value.end_byte)
        node.items.append(item)
        if value.type == "inline_table":
            node.children = {}
            node.holder = _Holder("inline", *node.span)
            for child in value.named_children:
                if child.type == "pair":
                    self._pair(child, node, node.holder)
        elif value.type == "array":
            node.entries = []
            node.holder = _Holder("array", *node.span)
            for child in value.named_children:
                if child.type != "comment":
                    node.holder.items.append(_Item(child.start_byte, child.end_byte))
                    node.entries.append(_Node())
                    self._value(child, node.entries[-1], (node.holder, len(node.entries) - 1))


class _Changes:
    """The edits of a text that change its data into other data.

    Attributes
    ----------
    cuts : list of (start, end, bytes)
        What is replaced by other bytes.
    removed : dict of holder to set of int
        Indices of items.
    added : dict of holder to list of (bytes, set of int)
        New keys, each to be put after the last of these items that remains, or of all items.
    removed_sections : set of holder
        Those that are removed as a whole.
    values : dict of holder to plain data
        The new values of tables.
    """

    def __init__(self, text: TomlText) -> None:
        self.text = text
        self.cuts: list[tuple[int, int, bytes]] = []
        self.removed: dict[_Holder, set[int]] = defaultdict(set)
        self.added: dict[_Holder, list[tuple[bytes, frozenset[int]]]] = defaultdict(list)
        self.removed_sections: set[_Holder] = set()
        self.values: dict[_Holder, Any] = {}

    def table(self, node: _Node, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Change the keys of a table."""
        assert node.children is not None and node.holder is not None
        self.values[node.holder] = new
        for key in old.keys() - new.keys():
            self.remove(node.children[key])
        for key, value in new.items():
            if key not in old:
                self.add(node, key, value)
            elif not self.value(node.children[key], old[key], value):
                self.remove(node.children[key])
                self.add(node, key, value)

    def value(self, node: _Node, old: Any, new: Any) -> bool:
        """Replace a value, and return whether that is possible."""
        if repr(old) == repr(new):  # tells 1 from 1.0 and true
            return True
        if isinstance(new, Mapping) and node.children is not None and (new or node.section or node.span):
            self.table(node, old, new)
        elif not (isinstance(new, tuple) and node.entries is not None and self.entries(node, old, new)):
            if node.span is None:
                return False
            self.cuts.append((*node.span, toml_value(new).encode()))
        return True

    def entries(self, node: _Node, old: tuple[Any, ...], new: tuple[Any, ...]) -> bool:
        """Change a list entry by entry, removing those that are left out, and return whether that is possible."""
        assert node.entries is not None
        if not 0 < len(new) <= len(old) or (node.span is None and not all(isinstance(each, Mapping) for each in new)):
            return False
        matches = _matching_entries(old, new)
        if matches is None:
            return False
        for index, entry in enumerate(node.entries):
            if index not in matches:
                self.remove(entry)
            else:
                self.value(entry, old[index], new[matches[index]])
        return True

    def remove(self, node: _Node) -> None:
        """Remove a value, with its key and all that is in it."""
        for holder, number in node.items:
            self.removed[holder].add(number)
        if node.section is not None:
            self.removed_sections.add(node.section)
        if node.span is None:
            for inner in (*(node.children or {}).values(), *(node.entries or ())):
                self.remove(inner)

    def add(self, node: _Node, key: str, value: Any) -> None:
        """Put a new key at the end of a table."""
        assert node.holder is not None
        text = f"{'.'.join(map(toml_key, (*node.prefix, key)))} = {toml_value(value)}"
        after = frozenset(number for holder, number in node.items if holder is node.holder and node.prefix)
        self.added[node.holder].append((text.encode(), after))

    def applied(self) -> bytes:
        """Return the changed text."""
        for holder in {**self.removed, **self.added}:
            if holder not in self.removed_sections:
                brackets = dict.fromkeys(("inline", "array"), self._brackets)
                {"lines": self._lines, "implied": self._implied, **brackets}[holder.kind](holder)
        for section in self.text.sections:
            if section in self.removed_sections:
                self.cuts.append((section.start, section.end, b""))
        source, result, end = self.text.source, bytearray(), 0
        # At the same index insertions come before cuts.
        for start, stop, text in sorted(self.cuts, key=lambda cut: (cut[0], cut[1] > cut[0])):
            result += source[end:start] + text
            end = stop
            if not text and _AFTER_EMPTY_LINE.search(result[-4:]):  # one empty line is enough
                while source[end : end + 1] in (b"\r", b"\n"):
                    end += 1
        if self.cuts and end == len(source) and result.endswith(b"\n"):
            return bytes(result.rstrip() + self.text.newline)
        return bytes(result + source[end:])

    def _remaining(self, holder: _Holder) -> list[int]:
        return [number for number in range(len(holder.items)) if number not in self.removed[holder]]

    def _lines(self, holder: _Holder) -> None:
        newline, source, remaining = self.text.newline, self.text.source, self._remaining(holder)
        for number in sorted(self.removed[holder]):
            self.cuts.append((holder.items[number].start, holder.items[number].next, b""))
        if not remaining and holder.header is None:
            # Before the first header, and after comments with which the text begins.
            start = self.text.sections[0].start if self.text.sections else len(source)
            lines = [text for text, _ in self.added[holder]]
            self.cuts.append((start, start, newline.join([*lines, b"", b""] if lines else [])))
            return
        for text, items in self.added[holder]:
            after = [number for number in remaining if number in items] or remaining
            anchor = holder.items[after[-1]] if after else holder.header
            assert anchor is not None
            line = source[self.text.line_start(anchor.end) : anchor.end]
            indent = line[: len(line) - len(line.lstrip())]
            self.cuts.append((anchor.end, anchor.end, newline + indent + text))

    def _implied(self, holder: _Holder) -> None:
        header = f"[{'.'.join(map(toml_key, holder.name))}]".encode()
        lines = [header, *(text for text, _ in self.added[holder]), b"", b""]
        self.cuts.append((holder.start, holder.start, self.text.newline.join(lines)))

    def _brackets(self, holder: _Holder) -> None:
        remaining = self._remaining(holder)
        if not remaining:
            self.cuts.append((holder.start, holder.end, toml_value(self.values[holder]).encode()))
            return
        self._cut_items(holder, remaining)
        for text, items in self.added[holder]:
            after = [number for number in remaining if number in items] or remaining
            end = holder.items[after[-1]].end
            self.cuts.append((end, end, b", " + text))

    def _cut_items(self, holder: _Holder, remaining: list[int]) -> None:
        """Cut items out of brackets, each with the comma behind it, the last ones with the comma before them."""
        items, source = holder.items, self.text.source
        for number in sorted(self.removed[holder]):
            if number < remaining[-1]:
                self.cuts.append((items[number].start, items[number + 1].start, b""))
        start, end = items[remaining[-1]].end, items[-1].end
        if remaining[-1] == len(items) - 1:
            return
        if holder.kind == "array" and b"\n" in source[start : items[remaining[-1] + 1].start]:
            # From line to line, so that comments stay beside what they are about; a comma may stay behind in an array.
            start = source.find(b"\n", start)
            stop = source.find(b"\n", end, holder.end)
            end = holder.end - 1 if stop < 0 else stop
        self.cuts.append((start, end, b""))


def _matching_entries(old: tuple[Any, ...], new: tuple[Any, ...]) -> dict[int, int] | None:
    """Map indices of a list to those of a shorter list; None if entries of the latter have no counterpart."""
    if len(old) == len(new):
        return {index: index for index in range(len(old))}
    if len(old) > _MAX_COMPARED:
        return None
    matches: dict[int, int] = {}
    matcher = SequenceMatcher(None, [*map(repr, old)], [*map(repr, new)], autojunk=False)
    for _, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if new_end - new_start > old_end - old_start:
            return None
        matches |= zip(range(old_start, old_end), range(new_start, new_end), strict=False)
    return matches


SWEEP = "sweep"
"""The table of a document that no run has."""


class Change(NamedTuple):
    """A setting as ``--set`` makes it: a value at a path, or the path `removed`."""

    path: Path
    value: Any = None
    removed: bool = False


class Written(NamedTuple):
    """A document as it is written for a folder: its text and its data."""

    text: str
    data: Mapping[str, Any]


class SpecWriter:
    r"""Writes a document with other values as often as needed; it is taken apart once.

    Parameters
    ----------
    document : Document
        As read, with its overrides made; ``[sweep]`` is left out.
    registry : Registry
        The parts that it can name.

    Examples
    --------
    >>> from pathlib import Path
    >>> from specnet.spec import parse_spec
    >>> spec = parse_spec("training.loss = 'mse' # squared\nnetwork.layer_sizes = [2, 1]\n")
    >>> writer = SpecWriter(spec.document, spec.registry)
    >>> print(writer.text([Change(("training", "optimizer", "learning_rate"), 0.1)], Path()), end="")
    training.loss = 'mse' # squared
    training.optimizer = { type = "adam", learning_rate = 0.1 }
    network.layer_sizes = [2, 1]
    """

    def __init__(self, document: Document, registry: Registry) -> None:
        self._registry = registry
        self._data = document.without(SWEEP).data
        self._document = document
        self._toml: TomlText | None = None
        if document.text is not None and document.format == "toml":
            self._written = _read(document.text.content, "toml")
            self._toml = TomlText(document.text.content)

    @property
    def format(self) -> Format:
        """What `text` is written in: as the document, JSON for a mapping."""
        return "json" if self._toml is None else "toml"

    def text(self, changes: Iterable[Change], folder: FilePath) -> str:
        """Return the text of `written`."""
        return self.written(changes, folder).text

    def written(self, changes: Iterable[Change], folder: FilePath) -> Written:
        """Return the document with changes, as a file of a folder.

        TOML keeps its comments, order and layout; new keys stand at the end of their tables. Relative paths lead from
        the folder to where they led before.

        Parameters
        ----------
        changes : iterable of Change
            Made in order.
        folder : pathlib.Path

        Raises
        ------
        SpecError
            If the changed document is no spec.
        CannotSetError
            If a path leads nowhere.
        """
        data: Mapping[str, Any] = self._data
        for change in changes:
            data, _ = with_change(data, list(map(str, change.path)), change.value, change.removed)
        data, spec = self._moved(plain(Document(data)).data, folder)
        if self._toml is None:
            text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        else:
            text = self._toml.with_data(self._written.data, data)
        again = validated(_read(text, self.format), self._registry)
        if again != spec or again.to_json() != spec.to_json():  # the order of columns only shows in the latter
            raise AssertionError(f"the text differs from the changed document:\n{text}")
        return Written(text, data)

    def _moved(self, data: Mapping[str, Any], folder: FilePath) -> tuple[Mapping[str, Any], Spec]:
        """Return data whose paths of files lead from a folder, and their spec."""
        spec = self._spec(data)
        start = os.path.realpath(self._document.folder or FilePath())
        files = [*file_paths(spec)] if start != os.path.realpath(folder) else []
        if not files:
            return data, spec
        for path, value in files:
            data, _ = with_change(data, list(map(str, path)), _seen_from(folder, start, value), removed=False)
        data = plain(Document(data)).data
        return data, self._spec(data)

    def _spec(self, data: Mapping[str, Any]) -> Spec:
        return validated(replace(self._document, data=data), self._registry)


def _read(text: str, language: Format) -> Document:
    return plain(document_of(text.encode(), f"spec.{language}"))


def _seen_from(folder: FilePath, start: str, path: str) -> str:
    """Return a path that starts at a directory, without links, as one that starts at a folder."""
    if posixpath.isabs(path):
        return path
    # Only steps up at the start are taken together: behind a link they lead elsewhere than they seem to.
    first, _, rest = path.partition("/")
    while first in ("..", ".") and rest.strip("/"):
        start = os.path.dirname(start) if first == ".." else start
        first, _, rest = rest.lstrip("/").partition("/")
    return posixpath.normpath(spec_folder(FilePath(start), folder)) + f"/{first}" + (f"/{rest}" if rest else "")
