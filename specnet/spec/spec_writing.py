"""Writing of a spec's document with changed values, for another folder.

A TOML text is edited, not written anew: only the values that the syntax tree locates are replaced, so that comments,
order and layout stay. The edits are computed from the data before and after the changes.
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
"""Maximum length of a list that is edited entry by entry if its length changes; longer lists are written anew."""

_END_OF_LINE = re.compile(rb"\r?\n|\Z")
_AFTER_EMPTY_LINE = re.compile(rb"(?:\A|\n)\r?\n\Z|\A\Z")


@dataclass(frozen=True, slots=True)
class _Item:
    """The extent of a key-value pair or a list entry, in byte indices from its start to the end of its value.

    For lines, it starts with the comments directly above; `end` is the end of the line, `next` the start of the next.
    """

    start: int
    end: int
    next: int = 0


@dataclass(eq=False)
class _Holder:
    """A container of items: the lines below a header, an inline table or an array.

    An `implied` table has no header of its own and no items; only headers of its inner tables name it. A header is
    written with its first item.
    """

    kind: Literal["lines", "inline", "array", "implied"]
    start: int = 0
    end: int = 0
    items: list[_Item] = field(default_factory=list)
    header: _Item | None = None
    name: tuple[str, ...] = ()


@dataclass(eq=False)
class _Node:
    """A value of the data, with its extents in the text.

    Attributes
    ----------
    span : tuple of int or None
        Start and end of the value in bytes, if it is written in one piece.
    items : list
        Items that contain the value; several for a table of dotted keys.
    section : _Holder or None
        Lines below the value's own header.
    holder : _Holder or None
        Container to which new keys of the table are added, each after the keys of `prefix`.
    """

    span: tuple[int, int] | None = None
    items: list[tuple[_Holder, int]] = field(default_factory=list)
    children: dict[str, "_Node"] | None = None
    entries: list["_Node"] | None = None
    section: _Holder | None = None
    holder: _Holder | None = None
    prefix: tuple[str, ...] = ()

    def child(self, name: str) -> "_Node":
        """Return the node of a key's value; a new node is created for a new key."""
        if self.children is None:
            self.children = {}
        return self.children.setdefault(name, _Node())


class TomlText:
    """A valid TOML text that is parsed once and can be changed repeatedly.

    Parameters
    ----------
    content : str
        The text.
    """

    def __init__(self, content: str) -> None:
        self.source = content.encode()
        self.newline = b"\r\n" if b"\r\n" in self.source else b"\n"
        self.sections: list[_Holder] = []

    @cached_property
    def root(self) -> _Node:
        """The node of the whole document."""
        lines = _Holder("lines")
        root = _Node(section=lines, holder=lines, children={})
        for child in parser("toml").parse(self.source).root_node.named_children:
            if child.type == "pair":
                self._pair(child, root, lines)
            elif child.type in ("table", "table_array_element"):
                self._section(child, root)
        return root

    def with_data(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """Return the text edited so that its data change from `old` to `new`."""
        changes = _Changes(self)
        changes.table(self.root, old, new)
        return changes.applied().decode()

    def line_start(self, index: int) -> int:
        """Return the index of the first byte of the line that contains a byte."""
        return self.source.rfind(b"\n", 0, index) + 1

    def _line(self, node: "Node", end: int, bound: int) -> _Item:
        """Return the lines of a pair or a header, with the comments directly above it that begin after `bound`.

        Comments at the start of the text are not included, because they concern the whole text.
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
    """The edits that change a text from its old data to new data.

    Attributes
    ----------
    cuts : list of (start, end, bytes)
        Byte ranges and the bytes that replace them.
    removed : dict of holder to set of int
        Indices of the removed items of each container.
    added : dict of holder to list of (bytes, set of int)
        New keys, each inserted after the last remaining item of the set, or after the last item if none remains.
    removed_sections : set of holder
        Sections that are removed as a whole.
    values : dict of holder to plain data
        New values of the tables.
    """

    def __init__(self, text: TomlText) -> None:
        self.text = text
        self.cuts: list[tuple[int, int, bytes]] = []
        self.removed: dict[_Holder, set[int]] = defaultdict(set)
        self.added: dict[_Holder, list[tuple[bytes, frozenset[int]]]] = defaultdict(list)
        self.removed_sections: set[_Holder] = set()
        self.values: dict[_Holder, Any] = {}

    def table(self, node: _Node, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Add the edits that change the keys of a table."""
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
        """Add the edits that replace a value; return whether that is possible in the text."""
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
        """Add the edits that change a list entry by entry or remove entries; return whether that is possible."""
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
        """Add the edits that remove a value with its key and all inner values."""
        for holder, number in node.items:
            self.removed[holder].add(number)
        if node.section is not None:
            self.removed_sections.add(node.section)
        if node.span is None:
            for inner in (*(node.children or {}).values(), *(node.entries or ())):
                self.remove(inner)

    def add(self, node: _Node, key: str, value: Any) -> None:
        """Add the edit that inserts a new key at the end of a table."""
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
            # Before the first header, and after comments at the start of the text.
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
        """Cut items out of brackets, each with the comma after it; the last items with the comma before them."""
        items, source = holder.items, self.text.source
        for number in sorted(self.removed[holder]):
            if number < remaining[-1]:
                self.cuts.append((items[number].start, items[number + 1].start, b""))
        start, end = items[remaining[-1]].end, items[-1].end
        if remaining[-1] == len(items) - 1:
            return
        if holder.kind == "array" and b"\n" in source[start : items[remaining[-1] + 1].start]:
            # Cut whole lines, so that comments stay beside their values; a trailing comma is allowed in an array.
            start = source.find(b"\n", start)
            stop = source.find(b"\n", end, holder.end)
            end = holder.end - 1 if stop < 0 else stop
        self.cuts.append((start, end, b""))


def _matching_entries(old: tuple[Any, ...], new: tuple[Any, ...]) -> dict[int, int] | None:
    """Map indices of a list to indices of a list of at most its length; None if a new entry has no counterpart."""
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
"""The section that is omitted from the spec of a run."""


class Change(NamedTuple):
    """A change as by ``--set``: a new value at a path, or the removal of the path if `removed`."""

    path: Path
    value: Any = None
    removed: bool = False


class Written(NamedTuple):
    """A document written for a folder: its text and its data."""

    text: str
    data: Mapping[str, Any]


class SpecWriter:
    r"""A writer of variants of a document, which is parsed once.

    Parameters
    ----------
    document : Document
        The document as read, with its overrides applied; ``[sweep]`` is omitted.
    registry : Registry
        Parts that the document may name.

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
        """The format of `text`: that of the document, or JSON for a mapping."""
        return "json" if self._toml is None else "toml"

    def text(self, changes: Iterable[Change], folder: FilePath) -> str:
        """Return the text of the document with changes; parameters as for `written`."""
        return self.written(changes, folder).text

    def written(self, changes: Iterable[Change], folder: FilePath) -> Written:
        """Return the document with changes, written for a file in a folder.

        Comments, order and layout of a TOML text stay; new keys are added at the end of their tables. Relative paths
        are rewritten so that they lead from the folder to the same files.

        Parameters
        ----------
        changes : iterable of Change
            Changes, applied in order.
        folder : pathlib.Path
            Folder of the file.

        Raises
        ------
        SpecError
            If the changed document is not a valid spec.
        CannotSetError
            If a path does not exist.
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
        if again != spec or again.to_json() != spec.to_json():  # only the JSON shows the order of columns
            raise AssertionError(f"the text differs from the changed document:\n{text}")
        return Written(text, data)

    def _moved(self, data: Mapping[str, Any], folder: FilePath) -> tuple[Mapping[str, Any], Spec]:
        """Return data with file paths made relative to a folder, and the spec of these data."""
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
    """Return a path relative to `start`, a real path without links, as a path relative to `folder`."""
    if posixpath.isabs(path):
        return path
    # Only leading ".." are resolved: after a symbolic link, ".." does not lead back to the folder of the link.
    first, _, rest = path.partition("/")
    while first in ("..", ".") and rest.strip("/"):
        start = os.path.dirname(start) if first == ".." else start
        first, _, rest = rest.lstrip("/").partition("/")
    return posixpath.normpath(spec_folder(FilePath(start), folder)) + f"/{first}" + (f"/{rest}" if rest else "")
