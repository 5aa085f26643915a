"""Completion: what may be written at the cursor of an editor, in a text that is not finished."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from specnet.editor.cursor import Cursor, cursor_at
from specnet.editor.schema_keys import Keys, Schema, Settings, references
from specnet.errors import Path, SpecnetError
from specnet.files.plain_data import toml_key, value_at
from specnet.parts.data.table_files import table_file_type
from specnet.parts.data.tables.sources import matching
from specnet.spec.reading.source_document import Format

_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".jsonl")
_MOST_FILES = 100
_COLUMNS = frozenset(
    [
        "target",
        "features",
        "sample_weight",
        "teacher_columns",
        "group",
        "time",
        "column",
        "increasing",
        "decreasing",
        "unchanged_by",
        "by",
    ]
)
"""Keys whose values are names of columns."""
_BY_COLUMN = (("data", "columns"), ("network", "monotone"))
"""Tables whose keys are names of columns."""
_NAMED_BY_COLUMN = ("where", "row")
"""Tables of expectations whose keys are names of columns."""


class Candidate(NamedTuple):
    """What may be written.

    Attributes
    ----------
    label : str
        The key or the value.
    text : str
        What is written, with quotes and the sign behind a key.
    meaning : str
        The description of the key.
    is_key : bool
        Whether it is a key or a header, and not a value.
    is_needed : bool
        Whether the table must have the key.
    """

    label: str
    text: str
    meaning: str = ""
    is_key: bool = False
    is_needed: bool = False


def data_in(content: str, index: int, language: Format) -> Mapping[str, Any]:
    """Return the data of a text that may not be finished at the line of a character, or an empty table."""
    start, end = content.rfind("\n", 0, index) + 1, content.find("\n", index)
    for text in (content, content[:start] + (content[end:] if end >= 0 else ""), content[:start]):
        try:
            read = json.loads(text) if language == "json" else tomllib.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(read, dict):
            return read
    return {}


class Completion:
    """The completion of specs.

    Parameters
    ----------
    keys : Keys
        All keys that a spec may have.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def candidates(
        self, content: str, index: int, language: Format, folder: FilePath, labels: Sequence[str] = ()
    ) -> tuple[int, list[Candidate]]:
        """Return the index from which a candidate replaces the text up to the cursor, and the candidates.

        Parameters
        ----------
        content : str
            The text.
        index : int
            Index of the character behind the cursor.
        language : "toml" or "json"
        folder : pathlib.Path
            Folder to which paths in the spec are relative.
        labels : sequence of str
            Labels of the target, if they are known.
        """
        cursor = cursor_at(content, index, language)
        if cursor is None:
            return index, []
        data = _with_path(data_in(content, index, language), cursor)
        settings, columns = Settings(self._keys, data), _columns(data, folder)
        if cursor.is_key:
            return cursor.start, [*self._keys_at(cursor, settings, data, language, columns, labels)]
        return cursor.start, [*self._values_at(cursor, settings, folder, columns, labels)]

    def _keys_at(
        self,
        cursor: Cursor,
        settings: Settings,
        data: Mapping[str, Any],
        language: Format,
        columns: Sequence[str],
        labels: Sequence[str],
    ) -> Iterator[Candidate]:
        path = cursor.path
        here = value_at(data, path)
        written = {**(here if isinstance(here, Mapping) else {}), **cursor.values}
        for name in _names_of_keys(path, columns, labels):
            if name not in written:
                yield Candidate(name, _key_text(name, language), is_key=True)
        if cursor.in_header:
            for name, schema in settings.keys_in(path).items():
                if self._is_table(schema):
                    yield Candidate(name, name + "]", schema.get("description", ""), is_key=True)
            return
        needed = settings.needed_in(path)
        for name, schema in settings.keys_in(path).items():
            if name not in written:
                text = _key_text(name, language)
                yield Candidate(name, text, schema.get("description", ""), True, name in needed)
        if cursor.begins_line and not cursor.typed.startswith(("'", '"')):
            yield from self._headers(Settings(self._keys, data), data)

    def _headers(self, settings: Settings, data: Mapping[str, Any]) -> Iterator[Candidate]:
        """Yield the header of each table at the top level that is not written yet."""
        needed = settings.needed_in(())
        for name, schema in settings.keys_in(()).items():
            if self._is_table(schema) and name not in data:
                text = f"[[{name}]]" if schema.get("type") == "array" else f"[{name}]"
                yield Candidate(text, f"{text}\n", schema.get("description", ""), True, name in needed)

    def _is_table(self, schema: Schema) -> bool:
        names = [name for name, _ in references(schema)]
        return any(name in self._keys.tables or name in self._keys.kinds for name in names)

    def _values_at(
        self,
        cursor: Cursor,
        settings: Settings,
        folder: FilePath,
        columns: Sequence[str],
        labels: Sequence[str],
    ) -> Iterator[Candidate]:
        path = cursor.path
        for name in _names(path, columns, labels):
            yield Candidate(name, _text(name))
        if path[-1:] == ("path",) or path[-2:-1] == ("path",):
            for name in _files(folder):
                yield Candidate(name, _text(name))
        parts = self._keys.definitions
        for value in settings.values_of(path):
            is_bare = value in ("true", "false") or _is_number(value)
            meanings = (parts.get(f"{kind}.{value}", {}).get("description", "") for kind in self._keys.kinds)
            meaning = "" if is_bare else next((each for each in meanings if each), "")
            yield Candidate(value, value if is_bare else _text(value), meaning)
        if not cursor.typed:
            schemas = [each for schema in settings.schemas_of(path) for each in (schema, *schema.get("anyOf", ()))]
            if any(schema.get("type") == "array" for schema in schemas):
                yield Candidate("[]", "[]")


def _with_path(data: Mapping[str, Any], cursor: Cursor) -> dict[str, Any]:
    """Return a copy of data in which the tables and lists around a cursor exist, with the values that are known."""
    changed = json.loads(json.dumps(data, default=str))
    here: Any = changed
    around = cursor.path if cursor.is_key else cursor.path[:-1]
    for step, following in zip(
        around, [*around[1:], cursor.path[-1] if len(around) < len(cursor.path) else ""], strict=False
    ):
        made: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int) and isinstance(here, list):
            here += [{} for _ in range(step + 1 - len(here))]
            if not isinstance(here[step], dict | list):
                here[step] = made
        elif isinstance(here, dict) and not isinstance(here.get(str(step)), type(made)):
            here[str(step)] = made
        here = here[step if isinstance(here, list) else str(step)]
    if isinstance(here, dict):
        here |= cursor.values
    elif isinstance(here, list) and not cursor.is_key and isinstance(cursor.path[-1], int):
        here += [None] * (cursor.path[-1] + 1 - len(here))
    return dict(changed)


def _names(path: Path, columns: Sequence[str], labels: Sequence[str]) -> Sequence[str]:
    """Return the columns or labels that the value at a path may be."""
    keys = [step for step in path if isinstance(step, str)]
    if keys[-1:] in (["of"], ["predicts"]):
        return labels
    is_list = path[:1] == ("network",) and keys[-1:] == ["columns"]
    return columns if is_list or (keys[-1:] and keys[-1] in _COLUMNS and keys[0] in ("data", "expect")) else ()


def _names_of_keys(path: Path, columns: Sequence[str], labels: Sequence[str]) -> Sequence[str]:
    """Return the columns or labels that the keys of the table at a path may be."""
    if path == ("training", "class_weight"):
        return labels
    return columns if path in _BY_COLUMN or (path[:1] == ("expect",) and path[-1] in _NAMED_BY_COLUMN) else ()


def _key_text(name: str, language: Format) -> str:
    return f"{json.dumps(name, ensure_ascii=False)}: " if language == "json" else f"{toml_key(name)} = "


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _columns(data: Mapping[str, Any], folder: FilePath) -> Sequence[str]:
    """Return the names of the columns of a spec's data, empty if the files cannot be read."""
    name = value_at(data, ("data", "path"))
    names = value_at(data, ("network", "feature_names"))
    if not isinstance(name, str):
        return [each for each in names if isinstance(each, str)] if isinstance(names, list) else ()
    file = folder / name
    try:
        status = file.stat()
    except (OSError, ValueError):
        return ()
    return _columns_of(str(folder), name, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _columns_of(folder: str, name: str, size: int, time: int) -> tuple[str, ...]:
    """Return the names of the columns of a file of this size and time."""
    try:
        part = table_file_type(name)
        if part is None:
            return ()
        data = part(path=name, target="-")
        return tuple(data.source(matching(FilePath(folder), name)).names)
    except (SpecnetError, OSError):
        return ()


def _files(folder: FilePath) -> Iterator[str]:
    """Yield the tables in a folder and in the folders within it."""
    found = (file for pattern in ("*", "*/*") for file in sorted(folder.glob(pattern)))
    tables = (file for file in found if file.name.endswith(_SUFFIXES) and not file.name.startswith("."))
    for _, file in zip(range(_MOST_FILES), tables, strict=False):
        yield file.relative_to(folder).as_posix()
