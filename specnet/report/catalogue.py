"""The catalogue of parts: what a spec can name, from the parts' docstrings and from the JSON Schema."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specnet.parts.part import Part
from specnet.parts.registry import Registry
from specnet.report.tables import Table
from specnet.spec.schema import json_schema

NEEDED = "needed"
"""In place of the default of a field that has none."""

_LOWER = {"minimum": ("≤", "≥"), "exclusiveMinimum": ("<", ">")}  # before the word between two bounds, or after it
_UPPER = {"maximum": "≤", "exclusiveMaximum": "<"}


@dataclass(frozen=True)
class FieldEntry:
    """A field of a part: what it may hold, and what it holds where a spec says nothing."""

    name: str
    values: str
    default: str
    description: str


@dataclass(frozen=True)
class Entry:
    """A part as the catalogue shows it."""

    kind: str
    name: str
    aliases: tuple[str, ...]
    text: str
    fields: tuple[FieldEntry, ...]

    @property
    def summary(self) -> str:
        """Return the first paragraph of the description, on one line."""
        return " ".join(self.text.split("\n\n")[0].split())

    def lines(self) -> list[str]:
        """Return the heading and the whole description."""
        aliases = f"   also called {', '.join(self.aliases)}" if self.aliases else ""
        return [f"{self.name}   {self.kind}{aliases}", "", *self.text.splitlines()]

    def table(self) -> Table:
        """Return the fields with their values and defaults."""
        rows = [(field.name, field.values, field.default, field.description) for field in self.fields]
        return Table(("field", "values", "default", "meaning"), rows, folded=frozenset({1, 2, 3}))

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as plain data for ``--format json``."""
        return {
            "kind": self.kind,
            "name": self.name,
            "aliases": list(self.aliases),
            "description": self.text,
            "fields": [vars(field) for field in self.fields],
        }


class Catalogue:
    """All parts of a registry, in its order."""

    def __init__(self, registry: Registry) -> None:
        definitions = json_schema(registry)["definitions"]
        self._entries = [_entry(part, definitions) for part in registry]
        self.kinds = tuple(dict.fromkeys(entry.kind for entry in self._entries))

    def entries(self, kind: str | None) -> list[Entry]:
        """Return the entries, of one kind if one is named."""
        return [entry for entry in self._entries if kind in (None, entry.kind)]

    def find(self, name: str) -> list[Entry]:
        """Return the entries with this name or alias: one for each kind that has it."""
        return [entry for entry in self._entries if name == entry.name or name in entry.aliases]

    def hint(self, name: str) -> str:
        """Return what a wrong name was likely meant to be."""
        names = [*self.kinds, *(name for entry in self._entries for name in (entry.name, *entry.aliases))]
        close = difflib.get_close_matches(name, names, n=1)
        return f'did you mean "{close[0]}"?' if close else "`specnet show parts` lists them all"


def parts_table(entries: Iterable[Entry]) -> Table:
    """Return a row for each part."""
    rows = [(entry.kind, entry.name, ", ".join(entry.aliases), entry.summary) for entry in entries]
    return Table(("kind", "name", "aliases", "description"), rows, folded=frozenset({2, 3}))


def _entry(part: type[Part], definitions: Mapping[str, Any]) -> Entry:
    fields = _fields(definitions[f"{part.kind}.{part.part_name()}"], definitions)
    # What has to be said comes first, what belongs to a table within the part's comes last.
    ordered = sorted(fields, key=lambda field: (field.default != NEEDED, "." in field.name))
    text = (inspect.getdoc(part) or "").replace("``", "`")
    return Entry(part.kind, part.part_name(), part.aliases, text, tuple(ordered))


def _fields(definition: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str = "") -> Iterator[FieldEntry]:
    """Yield the fields of a table, those of a table within it by their dotted keys."""
    for name, schema in definition["properties"].items():
        inner = definitions.get(_values(schema), {})
        if "properties" in inner:
            yield from _fields(inner, definitions, f"{prefix}{name}.")
        elif name != "type":
            needed = name in definition.get("required", ())
            default = json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else ""
            yield FieldEntry(
                f"{prefix}{name}", _values(schema), NEEDED if needed else default, schema.get("description", "")
            )


def _values(schema: Mapping[str, Any]) -> str:
    """Return in words what a JSON Schema allows."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix("#/definitions/")
    for joined in ("anyOf", "oneOf", "allOf"):
        if joined in schema:
            return " or ".join(dict.fromkeys(map(_values, schema[joined])))
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    kind = schema.get("type", "any value")
    if kind == "array":
        items = schema.get("items", {})
        return f"[{', '.join(map(_values, items))}]" if isinstance(items, list) else f"list of {_values(items)}"
    words = {"string": "text", "boolean": "true or false", "object": "table"}.get(kind, kind)
    lower = [(schema[bound], signs) for bound, signs in _LOWER.items() if bound in schema]
    upper = [f" {sign} {schema[bound]}" for bound, sign in _UPPER.items() if bound in schema]
    if not upper:
        return "".join([words, *(f" {after} {bound}" for bound, (_, after) in lower)])
    return "".join([*(f"{bound} {before} " for bound, (before, _) in lower), words, *upper])
