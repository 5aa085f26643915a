"""What an editor shows about a key or a value: its meaning, its bounds, and the value in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from specnet.editor.analysis import Analysis
from specnet.editor.catalogue import Catalogue, escaped, values_in_words
from specnet.editor.schema_keys import Keys, Schema, Settings, references
from specnet.errors import Path, Position, SpecError
from specnet.files.plain_data import value_at
from specnet.spec import Spec, resolve
from specnet.spec.origins import origin_text, origins_of, value_text
from specnet.spec.reading.source_document import Document


class Meanings:
    """The meanings of keys, and the descriptions of parts."""

    def __init__(self, keys: Keys, catalogue: Catalogue) -> None:
        self._keys, self._catalogue = keys, catalogue

    def at(self, found: Analysis, line: int, column: int) -> tuple[Position, str] | None:
        """Return the position of the key or value at a line and column, from 1, and what is known of it, as Markdown.

        None if there is no key and no value.
        """
        if found.document is None:
            return None
        located = _path_at(found.document, line, column)
        if located is None:
            return None
        path, position = located
        data = _plain(found.document.data)
        schemas = Settings(self._keys, data).schemas_of(path)
        lines = [*self._part(path, data, schemas), *self._key(path, schemas), *_in_force(found, path)]
        return (position, "\n".join(lines).strip()) if lines else None

    def _key(self, path: Path, schemas: list[Schema]) -> Iterator[str]:
        for schema in schemas[:1]:
            words = escaped(values_in_words(schema))
            default = f", default: `{schema['default']}`" if "default" in schema else ""
            yield from (
                f"**{escaped(str(path[-1]))}**: {words}{default}",
                "",
                escaped(schema.get("description", "")),
                "",
            )

    def _part(self, path: Path, data: Mapping[str, Any], schemas: list[Schema]) -> Iterator[str]:
        """Yield the description of the part that a value names, as `specnet parts` shows it."""
        value, kinds = value_at(data, path), [name for schema in schemas for name, _ in references(schema)]
        if path[-1] == "type":
            schemas = Settings(self._keys, data).schemas_of(path[:-1])
            kinds = [name for schema in schemas for name, _ in references(schema)]
        elif isinstance(value, Mapping):
            value = value.get("type")
        for entry in self._catalogue.find(value) if isinstance(value, str) else ():
            if entry.kind in kinds:
                yield from entry.markdown()


def _path_at(document: Document, line: int, column: int) -> tuple[Path, Position] | None:
    """Return the path whose key or value is at a position, the innermost if there are several."""
    found = []
    for path, location in document.locations.items():
        for position in (location.key, location.value):
            if position is not None and position.line == line and location.text == document.text:
                start = position.column
                if start <= column <= start + position.length:
                    found.append((position.length, -len(path), path, position))
    if not found:
        return None
    _, _, path, position = min(found)
    return path, position


def resolved_spec(found: Analysis) -> Spec | None:
    """Return the spec with all defaults and sizes, as far as they are known without training; None if they are not."""
    if found.data is not None:
        return found.data.resolved.spec
    with suppress(SpecError):
        return None if found.spec is None else resolve(found.spec).spec
    return None


def _in_force(found: Analysis, path: Path) -> Iterator[str]:
    """Yield the values in force at a path and below it, with their origins, as `specnet show --origins`."""
    known = resolved_spec(found)
    if found.spec is None or known is None:
        return
    values = [each for each in origins_of(found.spec, known) if each.path[: len(path)] == path]
    if len(values) == 1 or (values and len(values) <= _MOST_VALUES):
        yield ""
        yield from (f"- `{each.key} = {value_text(each.value)}` ({origin_text(each)})" for each in values)


_MOST_VALUES = 12
"""Maximum number of values in force that are shown of a table."""


def _plain(value: Any) -> Any:
    """Return data with lists for tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
