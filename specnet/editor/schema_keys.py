"""The keys that a spec may have, with their paths and values, read from the JSON Schema without importing parts."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Schema = Mapping[str, Any]

ROOT = "spec"
"""Name of the whole spec as a section."""

ENTRY = "N"
"""Placeholder for the index of a list entry in a path."""

_FILE = "schemas/specnet.schema.json"


class Key(NamedTuple):
    """A key of a section or of a part.

    Attributes
    ----------
    path : str
        Dotted path of the key, such as ``training.optimizer.learning_rate``.
    owner : str
        Section or part that has the key.
    kind : str
        ``section``, or the kind of the part.
    schema : mapping
        JSON Schema of the key's values.
    required : bool
    """

    path: str
    owner: str
    kind: str
    schema: Schema
    required: bool

    @property
    def name(self) -> str:
        """The last step of the path."""
        return self.path.rpartition(".")[2]


class _Table(NamedTuple):
    path: tuple[str, ...]
    owner: str
    kind: str
    schema: Schema


class Keys:
    """The sections and keys of specs.

    Parameters
    ----------
    schema : mapping
        JSON Schema of specs, from `specnet.spec.json_schema.json_schema`.

    Attributes
    ----------
    definitions : mapping
        Schemas of sections, kinds and parts, by name.
    tables : dict
        Schemas of the whole spec and of its tables that are not parts, by name of the definition.
    kinds : tuple of str
        Kinds of parts.
    sections : dict
        Schema of each section by its path, first of the whole spec.
    """

    def __init__(self, schema: Schema) -> None:
        self.definitions: Schema = schema["definitions"]
        self.kinds = tuple(dict.fromkeys(name.partition(".")[0] for name in self.definitions if "." in name))
        inner = {name: table for name, table in self.definitions.items() if "." not in name and "properties" in table}
        self.tables: dict[str, Schema] = {ROOT: schema, **inner}
        self.sections: dict[str, Schema] = {}
        self._keys = list(self._walk(_Table((), ROOT, "section", schema)))

    def __iter__(self) -> Iterator[Key]:
        """Yield every key once for each owner, from outer to inner sections."""
        return iter(self._keys)

    def find(self, name: str) -> list[Key]:
        """Return the keys with this name, or whose path ends with it."""
        paths = ((key, (key.path, f"{key.owner}.{key.name}", f"{key.kind}.{key.name}")) for key in self)
        return [key for key, (path, *others) in paths if f".{path}".endswith(f".{name}") or name in others]

    def parts(self, kind: str) -> dict[str, Schema]:
        """Return the schemas of a kind's parts by name; empty for an unknown kind."""
        of_kind = [(name, part) for name, part in self.definitions.items() if name.startswith(f"{kind}.")]
        return {name.removeprefix(f"{kind}."): part for name, part in of_kind if "properties" in part}

    def names(self, kind: str) -> list[str]:
        """Return the names and aliases of a kind's parts that need no settings and can be written as a name."""
        alternatives = self.definitions.get(kind, {}).get("anyOf", ())
        return [name for alternative in alternatives for name in alternative.get("enum", ())]

    def _walk(self, root: _Table) -> Iterator[Key]:
        tables, seen = deque([root]), set()
        while tables:
            table = tables.popleft()
            if table.kind == "section":
                self.sections[".".join(table.path) or ROOT] = table.schema
            for name, schema in table.schema["properties"].items():
                if name in ("type", "$schema"):
                    continue
                path = (*table.path, name)
                yield Key(".".join(path), table.owner, table.kind, schema, name in table.schema.get("required", ()))
                for reference, in_list in references(schema):
                    if reference not in seen:
                        seen.add(reference)
                        tables += self._tables(reference, (*path, ENTRY) if in_list else path)

    def _tables(self, reference: str, path: tuple[str, ...]) -> Iterator[_Table]:
        if reference in self.tables:
            yield _Table(path, ".".join(path), "section", self.tables[reference])
        for name, part in self.parts(reference).items():
            yield _Table(path, name, reference, part)


def references(schema: Schema, in_list: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield (name, in_list) of each definition to which a schema refers; `in_list` if it describes list entries."""
    if "$ref" in schema:
        yield schema["$ref"].removeprefix("#/definitions/"), in_list
    for joined in ("allOf", "anyOf"):
        for member in schema.get(joined, ()):
            yield from references(member, in_list)
    items = schema.get("items", ())
    for item in items if isinstance(items, list) else [items] if items else ():
        yield from references(item, True)


def shipped_schema() -> Schema:
    """Return the JSON Schema of the built-in parts from the installed file; no part is imported."""
    package = Path(__file__).parents[1]
    # In a wheel the file is in the package, in a checkout in the parent folder.
    file = next(folder / _FILE for folder in (package, package.parent) if (folder / _FILE).is_file())
    schema: Schema = json.loads(file.read_text(encoding="utf-8"))
    return schema


class _Node(NamedTuple):
    """A location in a spec: the schema of its allowed values, and the present value."""

    schema: Schema
    data: Any


class Settings:
    """The settings ``KEY=VALUE`` that can change a spec, for completion.

    Parameters
    ----------
    keys : Keys
        All keys that a spec may have.
    data : mapping
        Present content of the spec.
    """

    def __init__(self, keys: Keys, data: Mapping[str, Any]) -> None:
        self._keys = keys
        self._root = _Node({"$ref": f"#/definitions/{ROOT}"}, data)

    def candidates(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield the completions of a setting with their meanings: keys that end in ``.`` or ``=``, or ``KEY=VALUE``."""
        key, equals, _ = text.partition("=")
        *steps, last = key.split(".")
        nodes = self._at((*steps, last) if equals else steps)
        if equals:
            found = [(f"{key}={value}", "") for node in nodes for value in self._values(node.schema)]
        else:
            before = "".join(f"{step}." for step in steps)
            found = [candidate for node in nodes for candidate in self._keys_of(before, node)]
        yield from dict(found).items()

    def keys_in(self, path: Iterable[str | int]) -> dict[str, Schema]:
        """Return the schemas of the keys that the table at a path may have, by name."""
        return {name: node.schema for table in self._at(path) for name, node in self._inner(table)}

    def needed_in(self, path: Iterable[str | int]) -> set[str]:
        """Return the keys that the table at a path must have."""
        return {name for node in self._at(path) for table in self._tables(node) for name in table.get("required", ())}

    def schemas_of(self, path: Iterable[str | int]) -> list[Schema]:
        """Return the schemas that describe a value at a path: one, or one for each part that may have the key."""
        return [node.schema for node in self._at(path)]

    def values_of(self, path: Sequence[str | int]) -> list[str]:
        """Return the words and other single values that a path may have; the default if it has no others."""
        found = [value for schema in self.schemas_of(path) for value in self._values(schema)]
        if path and isinstance(path[-1], int):
            lists = [member for schema in self.schemas_of(path[:-1]) for member in (schema, *schema.get("anyOf", ()))]
            items = (each["items"] for each in lists if isinstance(each.get("items"), Mapping))
            found += [value for item in items for value in self._values(item)]
        return [*dict.fromkeys(found)]

    def _at(self, path: Iterable[str | int]) -> list[_Node]:
        nodes = [self._root]
        for step in map(str, path):
            nodes = [inner for node in nodes for name, inner in self._inner(node) if name == step]
        return nodes

    def _keys_of(self, before: str, node: _Node) -> Iterator[tuple[str, str]]:
        for name, inner in self._inner(node):
            meaning = inner.schema.get("description", "")
            if any(self._inner(inner)):
                yield f"{before}{name}.", meaning
            is_table = any(reference in self._keys.tables for reference, _ in references(inner.schema))
            if "anyOf" in inner.schema or not is_table:
                yield f"{before}{name}=", meaning

    def _inner(self, node: _Node) -> Iterator[tuple[str, _Node]]:
        """Yield the keys of a table or the indices of a list, each with its node."""
        for table in self._tables(node):
            for name, schema in table["properties"].items():
                if name != "$schema":
                    yield name, _Node(schema, node.data.get(name) if isinstance(node.data, Mapping) else None)
        if isinstance(node.data, list):
            kinds = [reference for reference, in_list in references(node.schema) if in_list]
            items: Schema = {"anyOf": [{"$ref": f"#/definitions/{kind}"} for kind in kinds]}
            yield from ((str(number), _Node(items, entry)) for number, entry in enumerate(node.data))

    def _tables(self, node: _Node) -> Iterator[Schema]:
        """Yield the schemas of allowed tables; of parts, only the part in the spec or the default, if any."""
        named = node.data if node.data is not None else node.schema.get("default")
        named = named.get("type") if isinstance(named, Mapping) else named
        for reference, in_list in references(node.schema):
            if in_list:
                continue
            if reference in self._keys.tables:
                yield self._keys.tables[reference]
            parts = self._keys.parts(reference).values()
            yield from [part for part in parts if named in part["properties"]["type"]["enum"]] or parts

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
