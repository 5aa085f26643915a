"""The keys that a spec may have, and where they stand, read from the JSON Schema alone."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Schema = Mapping[str, Any]

ROOT = "spec"
"""The name of the section that holds all others."""

ENTRY = "N"
"""In place of the number of a list's entry."""

_FILE = "schemas/specnet.schema.json"


class Key(NamedTuple):
    """A key of a section or of a part.

    Attributes
    ----------
    path : str
        Where it stands: ``training.optimizer.learning_rate``.
    owner : str
        The section or the part that has it.
    kind : str
        ``section``, or the part's kind.
    schema : mapping
        What it may hold.
    required : bool
    """

    path: str
    owner: str
    kind: str
    schema: Schema
    required: bool

    @property
    def name(self) -> str:
        """Return the last step of the path."""
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
        As `specnet.spec.json_schema.json_schema` makes it.

    Attributes
    ----------
    definitions : mapping
        The schemas of sections, kinds and parts.
    tables : dict
        The schema of the whole spec, and those of the tables in it that are no parts, by the names of definitions.
    kinds : tuple of str
        The kinds of parts.
    sections : dict
        The schema of each section by its path, that of the whole spec first.
    """

    def __init__(self, schema: Schema) -> None:
        self.definitions: Schema = schema["definitions"]
        self.kinds = tuple(dict.fromkeys(name.partition(".")[0] for name in self.definitions if "." in name))
        inner = {name: table for name, table in self.definitions.items() if "." not in name and "properties" in table}
        self.tables: dict[str, Schema] = {ROOT: schema, **inner}
        self.sections: dict[str, Schema] = {}
        self._keys = list(self._walk(_Table((), ROOT, "section", schema)))

    def __iter__(self) -> Iterator[Key]:
        """Yield every key once for each owner, those that stand highest first."""
        return iter(self._keys)

    def find(self, name: str) -> list[Key]:
        """Return the keys with this name, or with this path, from any step of it on."""
        paths = ((key, (key.path, f"{key.owner}.{key.name}", f"{key.kind}.{key.name}")) for key in self)
        return [key for key, (path, *others) in paths if f".{path}".endswith(f".{name}") or name in others]

    def parts(self, kind: str) -> dict[str, Schema]:
        """Return the schemas of a kind's parts by their names; of no parts where it is no kind."""
        of_kind = [(name, part) for name, part in self.definitions.items() if name.startswith(f"{kind}.")]
        return {name.removeprefix(f"{kind}."): part for name, part in of_kind if "properties" in part}

    def names(self, kind: str) -> list[str]:
        """Return the names and aliases of the kind's parts that can do without a table."""
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
    """Yield the definitions to which a schema refers, and whether they describe the entries of a list."""
    if "$ref" in schema:
        yield schema["$ref"].removeprefix("#/definitions/"), in_list
    for joined in ("allOf", "anyOf"):
        for member in schema.get(joined, ()):
            yield from references(member, in_list)
    items = schema.get("items", ())
    for item in items if isinstance(items, list) else [items] if items else ():
        yield from references(item, True)


def shipped_schema() -> Schema:
    """Return the JSON Schema of the built-in parts as it is shipped; that is quick, since no part is imported."""
    package = Path(__file__).parents[1]
    # In a wheel it lies within the package, in a checkout beside it.
    file = next(folder / _FILE for folder in (package, package.parent) if (folder / _FILE).is_file())
    schema: Schema = json.loads(file.read_text(encoding="utf-8"))
    return schema
