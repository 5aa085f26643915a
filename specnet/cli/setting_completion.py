"""How a setting ``KEY=VALUE`` can go on, by the JSON Schema and by what a spec says already."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from specnet.cli.schema_keys import ROOT, Keys, Schema, references

Candidate = tuple[str, str]
"""A text, and what it means."""


class _Node(NamedTuple):
    schema: Schema
    data: Any


class Settings:
    """The settings that change a spec.

    Parameters
    ----------
    keys : Keys
        What a spec may have.
    data : mapping
        What the spec has.
    """

    def __init__(self, keys: Keys, data: Mapping[str, Any]) -> None:
        self._keys = keys
        self._root = _Node({"$ref": f"#/definitions/{ROOT}"}, data)

    def candidates(self, text: str) -> Iterator[Candidate]:
        """Yield how a setting can go on: a key that ends in ``.`` or ``=``, or a key with a value."""
        key, equals, _ = text.partition("=")
        *steps, last = key.split(".")
        nodes = [self._root]
        for step in (*steps, last) if equals else steps:
            nodes = [inner for node in nodes for name, inner in self._inner(node) if name == step]
        if equals:
            found = [(f"{key}={value}", "") for node in nodes for value in self._values(node.schema)]
        else:
            before = "".join(f"{step}." for step in steps)
            found = [candidate for node in nodes for candidate in self._below(before, node)]
        yield from dict(found).items()

    def _below(self, before: str, node: _Node) -> Iterator[Candidate]:
        for name, inner in self._inner(node):
            meaning = inner.schema.get("description", "")
            if any(self._inner(inner)):
                yield f"{before}{name}.", meaning
            if not self._is_table_alone(inner.schema):
                yield f"{before}{name}=", meaning

    def _inner(self, node: _Node) -> Iterator[tuple[str, _Node]]:
        """Yield the keys of a table, or the numbers of a list's entries."""
        for table in self._tables(node):
            for name, schema in table["properties"].items():
                if name != "$schema":
                    yield name, _Node(schema, node.data.get(name) if isinstance(node.data, Mapping) else None)
        if isinstance(node.data, list):
            kinds = [reference for reference, in_list in references(node.schema) if in_list]
            items: Schema = {"anyOf": [{"$ref": f"#/definitions/{kind}"} for kind in kinds]}
            yield from ((str(number), _Node(items, entry)) for number, entry in enumerate(node.data))

    def _tables(self, node: _Node) -> Iterator[Schema]:
        """Yield the tables that may stand there: of parts the one that the spec or the default names, if one does."""
        named = node.data if node.data is not None else node.schema.get("default")
        named = named.get("type") if isinstance(named, Mapping) else named
        for reference, in_list in references(node.schema):
            if in_list:
                continue
            if reference in self._keys.tables:
                yield self._keys.tables[reference]
            parts = self._keys.parts(reference).values()
            yield from [part for part in parts if named in part["properties"]["type"]["enum"]] or parts

    def _is_table_alone(self, schema: Schema) -> bool:
        return "anyOf" not in schema and any(reference in self._keys.tables for reference, _ in references(schema))

    def _values(self, schema: Schema) -> Iterator[str]:
        if "enum" in schema:
            yield from map(str, schema["enum"])
        if "const" in schema:
            yield str(schema["const"])
        if schema.get("type") == "boolean":
            yield from ("true", "false")
        elif not isinstance(schema.get("default", ""), str | dict | list):
            yield json.dumps(schema["default"])
        for member in schema.get("anyOf", ()):
            if "$ref" not in member:
                yield from self._values(member)
        for reference, in_list in references(schema):
            if not in_list:
                yield from self._keys.names(reference)
