"""The catalogue of parts, sections and keys, made from the docstrings of parts and the JSON Schema."""

from __future__ import annotations

import inspect
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from specnet.editor.schema_keys import ROOT, Key, Keys
from specnet.parts.initializers import Initializer
from specnet.parts.part import Part
from specnet.parts.registry import Registry, origin
from specnet.report.terminal.terminal_output import MIN_GAP, TextTable
from specnet.spec.json_schema import json_schema
from specnet.spec.reading.hints import KEYS
from specnet.suggestions import did_you_mean

NEEDED = "needed"
"""Text in the column of defaults for a required field."""

_LOWER = {"minimum": ("≤", "≥"), "exclusiveMinimum": ("<", ">")}  # with an upper bound (before the word), or without
_UPPER = {"maximum": "≤", "exclusiveMaximum": "<"}

_EXAMPLES = {
    "activation": "network.activations = {}",
    "averaging": "training.average_weights = {}",
    "data": "data = {}",
    "initializer": "network.weight_initializer = {}",
    "initializer of biases": "network.bias_initializer = {}",
    "layer": "network.layers = [{}]",
    "loss": "training.loss = {}",
    "metric": "training.metrics = [{}]",
    "optimizer": "training.optimizer = {}",
    "preprocessing": "network.preprocessing = [{}]",
    "pruner": "sweep.pruner = {}",
    "sampler": "sweep.sampler = {}",
    "schedule": 'training.optimizer = {{ type = "adam", schedule = {} }}',
}
"""Example line of a spec for a part of each kind."""


class FieldEntry(NamedTuple):
    """A field of a part: name, allowed values, default and description."""

    name: str
    values: str
    default: str
    description: str


class Entry(NamedTuple):
    """A part or a section in the catalogue.

    Attributes
    ----------
    kind, name, aliases
        Kind, name and aliases in a spec. The kind of a section is ``section``, and its name is its path.
    origin : str
        ``built-in``, or name and version of the distribution that provides the part.
    description : str
        Docstring; its first line is the formula if the part has one.
    example : str
        Line of a spec in TOML.
    fields : tuple of FieldEntry
    """

    kind: str
    name: str
    aliases: tuple[str, ...]
    origin: str
    description: str
    example: str
    fields: tuple[FieldEntry, ...]

    @property
    def summary(self) -> str:
        """The first paragraph of the description, on one line."""
        return " ".join(self.description.split("\n\n")[0].split())

    def lines(self) -> list[str]:
        """Return the heading, the whole description and the example."""
        aliases = f"   also called {', '.join(self.aliases)}" if self.aliases else ""
        heading = f"{self.name}   {self.kind}{aliases}   {self.origin}"
        return [heading, "", *self.description.splitlines(), "", f"    {self.example}"]

    def table(self) -> TextTable:
        """Return a table of the fields with their values and defaults."""
        return TextTable(("field", "values", "default", "meaning"), self.fields, folded=frozenset({1, 2, 3}))

    def markdown(self, shown: Sequence[str] = (), *, of_kind: bool = False) -> list[str]:
        """Return the entry as a section of a Markdown page, as lines.

        Parameters
        ----------
        shown : sequence of str
            Lines between the description and the example, such as a formula.
        of_kind : bool
            Whether the page contains only built-in parts of this kind: then kind and origin are left out, and the
            heading is one level higher.
        """
        facts = [] if of_kind else [self.kind, self.origin]
        facts += [f"also called {', '.join(f'`{alias}`' for alias in self.aliases)}"] if self.aliases else []
        lines = [f"{'##' if of_kind else '###'} `{self.name}`", "", *([" · ".join(facts), ""] if facts else [])]
        lines += [*map(escaped, self.description.splitlines()), "", *shown, "```toml", self.example, "```", ""]
        return [*lines, *_markdown_table(self.table())] if self.fields else lines

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as plain data for ``--format json``."""
        return {**self._asdict(), "fields": [field._asdict() for field in self.fields]}


class KeyEntry(NamedTuple):
    """A key in the catalogue.

    Attributes
    ----------
    path : str
        Dotted path of the key.
    owners : tuple of str
        Sections or parts that have the key with the same values, default and meaning.
    field : FieldEntry
    """

    path: str
    owners: tuple[str, ...]
    field: FieldEntry

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as plain data for ``--format json``."""
        return {"path": self.path, "owners": list(self.owners), **self.field._asdict()}


class Catalogue:
    """The catalogue: the sections of a spec, and all parts of a registry in the order of the registry."""

    def __init__(self, registry: Registry) -> None:
        self._keys = Keys(json_schema(registry))
        definitions = self._keys.definitions
        sections = [_section(path, schema, definitions) for path, schema in self._keys.sections.items()]
        self._entries = [*sections, *(_entry(part, definitions) for part in registry)]
        self.kinds = tuple(dict.fromkeys(entry.kind for entry in self._entries))

    def entries(self, kind: str | None) -> list[Entry]:
        """Return the entries of a kind, or all entries if `kind` is None."""
        return [entry for entry in self._entries if kind in (None, entry.kind)]

    def find(self, name: str) -> list[Entry]:
        """Return the parts with this name or alias, of any kind, and the sections whose path ends in this name."""
        return [
            entry
            for entry in self._entries
            if name in (entry.name, *entry.aliases) or (entry.kind == "section" and entry.name.endswith(f".{name}"))
        ]

    def keys(self, name: str) -> list[KeyEntry]:
        """Return the keys with this name or path; keys with the same path, values and meaning are one entry."""
        owners: dict[tuple[str, FieldEntry], list[str]] = {}
        for key in self._keys.find(name):
            owners.setdefault((key.path, _field(key, self._keys.definitions)), []).append(key.owner)
        return [KeyEntry(path, tuple(owner), field) for (path, field), owner in owners.items()]

    def hint(self, name: str) -> str:
        """Return a hint for an unknown name: a similar name, or how to list all names."""
        names = [*self.kinds, *(name for entry in self._entries for name in (entry.name, *entry.aliases))]
        names += [key.name for key in self._keys]
        known = KEYS.get(name, name)
        return did_you_mean(known, names) or "list them with `specnet parts`"


def kinds_table(entries: Iterable[Entry]) -> TextTable:
    """Return a table with a row for each kind: its name, and the names of its entries."""
    kinds = itertools.groupby(entries, lambda entry: entry.kind)
    rows = [(kind, ", ".join(entry.name for entry in group)) for kind, group in kinds]
    return TextTable(("kind", "names"), rows, folded=frozenset({1}), gap=MIN_GAP)


def parts_table(kind: str, entries: Iterable[Entry]) -> TextTable:
    """Return a table with a row for each entry of a kind, which is one line also in a narrow window."""
    rows = []
    for entry in entries:
        aliases = f" Also called {', '.join(entry.aliases)}." if entry.aliases else ""
        rows.append((entry.name, f"{entry.summary}{aliases}"))
    return TextTable((kind, "description"), rows, folded=frozenset({0}), cut=frozenset({1}))


def keys_table(entries: Iterable[KeyEntry]) -> TextTable:
    """Return a table with a row for each key."""
    rows = [(entry.path, ", ".join(entry.owners), *entry.field[1:]) for entry in entries]
    return TextTable(("key", "of", "values", "default", "meaning"), rows, folded=frozenset({1, 2, 3, 4}))


def keys_page(entries: Iterable[KeyEntry]) -> str:
    """Return keys as a Markdown page."""
    return "\n".join(["# Keys", "", *_markdown_table(keys_table(entries))])


def parts_page(entries: Iterable[Entry]) -> str:
    """Return entries as a Markdown page with a chapter for each kind."""
    lines = ["# Parts", ""]
    for kind, group in itertools.groupby(entries, lambda entry: entry.kind):
        lines += [f"## {kind}", "", *(line for entry in group for line in entry.markdown())]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_table(table: TextTable) -> list[str]:
    rows = [[f"`{name}`", *map(escaped, others)] for name, *others in table.rows]
    return [_row(table.header), _row(["---"] * len(table.header)), *map(_row, rows), ""]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Return a text escaped for Markdown, except for code between backticks."""
    return "`".join(
        piece if inside else re.sub(r"([\\*_<>|\[\]])", r"\\\1", piece)
        for piece, inside in zip(text.split("`"), itertools.cycle((False, True)), strict=False)
    )


def _entry(part: type[Part], definitions: Mapping[str, Any]) -> Entry:
    fields = _fields(definitions[f"{part.kind}.{part.part_name()}"], definitions)
    # Required fields are first; fields of a table within the part are last.
    ordered = sorted(fields, key=lambda field: (field.default != NEEDED, "." in field.name))
    text = (inspect.getdoc(part) or "").replace("``", "`")
    name = json.dumps(part.part_name())
    written = f"{{ type = {name}, {part.example} }}" if part.example else name
    needs_vector = issubclass(part, Initializer) and part.needs_vector
    example = _EXAMPLES["initializer of biases" if needs_vector else part.kind].format(written)
    return Entry(part.kind, part.part_name(), part.aliases, origin(part), text, example, tuple(ordered))


def _section(path: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Entry:
    """Return the entry of a section with its keys and the keys of tables in it; for the whole spec, only its keys."""
    fields = tuple(_fields(schema, definitions, inner=path != ROOT))
    example = "seed = 1" if path == ROOT else f"[{path}]"
    return Entry("section", path, (), "built-in", schema.get("description", ""), example, fields)


def _field(key: Key, definitions: Mapping[str, Any]) -> FieldEntry:
    table = {"properties": {key.name: key.schema}, "required": [key.name] if key.required else []}
    return next(_fields(table, definitions, inner=False))


def _fields(
    definition: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str = "", *, inner: bool = True
) -> Iterator[FieldEntry]:
    """Yield the fields of a table and, if `inner`, also the fields of tables within it, with dotted keys.

    If `inner`, a key whose only possible value is a table is left out itself.
    """
    for name, schema in definition["properties"].items():
        values = values_in_words(schema)
        tables = [word for word in values.split(" or ") if "properties" in definitions.get(word, {})]
        if name not in ("type", "$schema") and not (inner and tables == [values]):
            needed = name in definition.get("required", ())
            default = json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else ""
            words = ["table" if word in tables else word for word in values.split(" or ")]
            default, meaning = NEEDED if needed else default, schema.get("description", "")
            yield FieldEntry(f"{prefix}{name}", " or ".join(words), default, meaning)
        for table in tables if inner else ():
            yield from _fields(definitions[table], definitions, f"{prefix}{name}.")


def values_in_words(schema: Mapping[str, Any]) -> str:
    """Return in words the values that a JSON Schema allows."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix("#/definitions/")
    for joined in ("anyOf", "oneOf", "allOf"):
        if joined in schema:
            return " or ".join(dict.fromkeys(map(values_in_words, schema[joined])))
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    kind = schema.get("type", "any value")
    if kind == "array":
        items = schema.get("items", {})
        return (
            f"[{', '.join(map(values_in_words, items))}]"
            if isinstance(items, list)
            else f"list of {values_in_words(items)}"
        )
    of_each = schema.get("additionalProperties")
    if kind == "object" and isinstance(of_each, Mapping):
        return f"table of {values_in_words(of_each)}"
    words = {"string": "text", "boolean": "true or false", "object": "table"}.get(kind, kind)
    lower = [(schema[bound], symbols) for bound, symbols in _LOWER.items() if bound in schema]
    upper = [f" {symbol} {schema[bound]}" for bound, symbol in _UPPER.items() if bound in schema]
    if not upper:
        return "".join([words, *(f" {after} {bound}" for bound, (_, after) in lower)])
    return "".join([*(f"{bound} {before} " for bound, (before, _) in lower), words, *upper])
