"""Reading files of JSON objects, one object per line. Values become text cells, which are read like cells of CSV files.

A cell is missing if the line lacks the name, or if the value is null or an empty text.

Python's ``json`` reads small files, and DuckDB reads large ones. DuckDB accepts some texts that are not JSON, and its
errors have no location. Python therefore reads a file again if DuckDB refuses it or if it may contain such texts.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any

from specnet.errors import DataError, Diagnostic, Position
from specnet.files.plain_data import json_mistake
from specnet.parts.data.progress import Progress, current_progress
from specnet.parts.data.tables.duck import Duck, DuckError, file_size, opened
from specnet.parts.data.tables.faults import LARGEST_CELL, Dialect, too_long, undecodable, unpacked
from specnet.parts.data.tables.setting_hints import column_key, setting
from specnet.parts.data.tables.sources import (
    FIRST_ROWS,
    MAX_COLUMNS,
    Mistake,
    TextSource,
    copied,
    refuse_wildcards,
    trimmed_texts,
)

_ONE_OBJECT = (
    "write one object to a line, without [ ] around them and commas between them,"
    ' such as by pandas.read_json(FILE).to_json(FILE, orient="records", lines=True)'
)
_OPTIONS = f"maximum_object_size = {LARGEST_CELL}, compression = 'none', hive_partitioning = false"
# Lines to check in Python: invalid JSON that DuckDB accepts, null characters, nested values. Valid texts may match too.
_DOUBTFUL = r'(?i)[:,\[]\s*(-?(nan|inf(inity)?)\s*[,}\]]|[}\]])|\\u0000|"\s*:\s*[\[{]'
# One row for each list of names, with the number of the first line that has it.
_LINES = f"""
    CREATE OR REPLACE TABLE lines AS SELECT names, min(line) AS line, bool_or(doubtful) AS doubtful FROM (
        SELECT json_keys(json) AS names, row_number() OVER () AS line, NOT starts_with(json, '{{')
            OR strlen(json) > {LARGEST_CELL} OR regexp_matches(json, $doubtful) AS doubtful
        FROM read_ndjson_objects($path, {_OPTIONS})
    ) GROUP BY names
"""
_NAMES = """
    SELECT name FROM (SELECT unnest(names) AS name, line, unnest(range(len(names))) AS index FROM lines)
    GROUP BY name ORDER BY min(line), arg_min(index, line)
"""
_IS_DOUBTFUL = """
    SELECT bool_or(doubtful OR len(list_distinct(names)) < len(names) OR list_contains(names, '')) FROM lines
"""

_NUMBERS = f"""
    SELECT DISTINCT index FROM (
        SELECT unnest(json_type(json, $pointers)) AS type, unnest(range(len($pointers))) AS index
        FROM read_ndjson_objects($path, {_OPTIONS})
    ) WHERE type NOT IN ('VARCHAR', 'NULL')
"""


class JsonLinesSource(TextSource):
    """One or several files of JSON objects, one object per line.

    Parameters
    ----------
    paths : sequence of str
    ignored : collection of str
        Names of columns that are not used; their values may be nested.
    """

    damage_code = "json"

    def __init__(self, paths: Sequence[str], ignored: Collection[str] = ()) -> None:
        super().__init__(paths)
        self._ignored = frozenset(ignored)
        self._literals: set[str] = set()
        self._objects_of_small: list[dict[str, str]] = []
        names: dict[str, None] = {}
        if self.is_small:
            for path in self.paths:
                _refuse_wildcards(path)
                found = [values for _, values in self._objects(path)]
                self._objects_of_small += found
                names |= self._not_too_many(path, dict.fromkeys(chain.from_iterable(found)))
        else:
            with opened(self.real_paths(), 0) as duck:
                for index in range(len(paths)):
                    names |= self._names_in(index, duck)
        if not names:
            raise DataError(Diagnostic("empty", "no rows", source=self.paths[0]))
        self.names = list(names)

    def _not_too_many(self, path: str, names: dict[str, None]) -> dict[str, None]:
        if len(names) > MAX_COLUMNS:
            message = f"{len(names)} columns exceed the limit of {MAX_COLUMNS}"
            raise DataError(Diagnostic("too-large", message, source=path))
        return names

    def listed(self) -> list[list[str | None]] | None:
        if not self.is_small:
            return None
        size = sum(map(file_size, self.paths))
        current_progress()(size, size)
        rows = self._objects_of_small
        return [trimmed_texts([values.get(name) or None for values in rows], ("",)) for name in self.names]

    def _names_in(self, index: int, duck: Duck) -> dict[str, None]:
        path = self.paths[index]
        try:
            duck.rows(_LINES, {"path": _readable(path, duck.folder), "doubtful": _DOUBTFUL})
        except DuckError as error:
            self._refuse_faulty(index)
            raise self.damaged(path, error) from None
        if duck.rows(_IS_DOUBTFUL)[0][0]:
            self._refuse_faulty(index)
        return self._not_too_many(path, {name: None for (name,) in duck.rows(_NAMES)})

    def _store_file(self, number_of_file: int, selected: str, duck: Duck, progress: Progress) -> None:
        path, (rows, parameters) = self.paths[number_of_file], _rows(self.names)
        parameters["path"] = _readable(path, duck.folder)
        duck.columns(f"{selected} {rows}", parameters, progress, os.path.getsize(path))

    def number_texts(self, indices: Sequence[int], duck: Duck | None = None) -> Sequence[int]:
        if duck is None:
            return [index for index in indices if self.names[index] not in self._literals]
        found = [*indices]
        for path in self.paths:
            pointers = _pointers([self.names[index] for index in found])
            parameters = {"path": _readable(path, duck.folder), "pointers": pointers}
            numbers = {index for (index,) in duck.rows(_NUMBERS, parameters)}
            found = [index for n, index in enumerate(found) if n not in numbers]
        return found

    def _first_cells(self, index: int) -> list[str]:
        return [values.get(self.names[index], "") for values in self._first_rows]

    @cached_property
    def _first_rows(self) -> list[dict[str, str]]:
        return [values for path in self.paths for _, values in islice(self._objects(path), FIRST_ROWS)]

    def cell_rows(self, indices: Sequence[int]) -> Generator[Sequence[str | None], None, None]:
        names = [self.names[index] for index in indices]
        for path in self.paths:
            for _, values in self._objects(path):
                yield [values.get(name) or None for name in names]

    def row_lines(self) -> Iterator[tuple[str, int]]:
        return ((path, line) for path in self.paths for line, _ in _lines(path))

    def located(self, mistakes: Sequence[Mistake]) -> list[Diagnostic]:
        rows = list(islice(self.row_lines(), mistakes[-1].row + 1))
        return [
            Diagnostic(mistake.code, mistake.message, (), source, Position(line, 1), hint=mistake.hint)
            for mistake in mistakes
            for source, line in [rows[mistake.row]]
        ]

    def _refuse_faulty(self, number_of_file: int) -> None:
        for _ in self._objects(self.paths[number_of_file]):
            pass

    def _objects(self, path: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield for each object in a file its line number and its values as texts by name."""
        for line, content in _lines(path):
            yield line, self._read(path, line, content)

    def _read(self, path: str, line: int, content: str) -> dict[str, str]:
        def refused(message: str, code: str = "json", hint: str | None = None, column: int = 1) -> DataError:
            shown, position = content.rstrip("\r\n"), Position(line, column)
            return DataError(Diagnostic(code, message, source=path, position=position, line_text=shown, hint=hint))

        def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            counts = Counter(name for name, _ in pairs)
            if repeated := [name for name, count in counts.items() if count > 1]:
                raise refused(f'duplicate name "{repeated[0]}"', "repeated-column")
            return dict(pairs)

        def constant(word: str) -> str:
            raise refused(f"{word} is not JSON", hint="write null for a missing value")

        try:
            found = json.loads(
                content, object_pairs_hook=members, parse_float=_Literal, parse_int=_Literal, parse_constant=constant
            )
        except json.JSONDecodeError as error:
            hint = _ONE_OBJECT if content.lstrip().startswith("[") else None
            wrong, index = json_mistake(content, error)
            column = index - content.rfind("\n", 0, index)
            raise refused(f"not JSON: {wrong}", hint=hint, column=column) from None
        except RecursionError:
            raise refused("nested too deeply") from None
        if not isinstance(found, dict):
            raise refused("expected an object in each line", hint=_ONE_OBJECT)
        values, has_escapes = {}, "\\u" in content
        for name, value in found.items():
            if not name:
                raise refused("a name is empty", "unnamed-column")
            if isinstance(value, dict | list) and name not in self._ignored:
                message = f'column "{name}": a nested value'
                hint = "list the columns to use in features, or " + setting(column_key(name), '"ignore"')
                position = Position(line, 1)
                raise DataError(Diagnostic("nested-value", message, source=path, position=position, hint=hint))
            if isinstance(value, bool | _Literal):
                self._literals.add(name)
            text = "" if value is None or isinstance(value, dict | list) else value
            values[name] = text = str(text).lower() if isinstance(text, bool) else text
            if "\0" in name + text:
                raise refused(f'column "{name}": a null character', "encoding")
            if has_escapes and re.search("[\ud800-\udfff]", name + text):
                raise refused("half a surrogate pair", "encoding")
        return values


class _Literal(str):
    """The text of a number in a file; the type distinguishes it from a JSON string."""

    __slots__ = ()


def _readable(path: str, folder: str) -> str:
    """Return the path of a file that DuckDB can read: the file itself, or an unpacked copy in `folder`."""
    with unpacked(path) as stream:
        _refuse_wildcards(path)
        return copied(stream, ".jsonl", folder) if path.lower().endswith(".gz") else os.path.realpath(path)


def _refuse_wildcards(path: str) -> None:
    if not path.lower().endswith(".gz"):
        refuse_wildcards(path, os.path.realpath(path))


def _rows(names: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the FROM clause that provides the values of some names as c0, c1, …, and its query parameters."""
    columns = [f"c{index}" for index in range(len(names))]
    if len({name.lower() for name in names}) == len(names):
        options = "format = 'newline_delimited', records = true, auto_detect = false, columns = $types"
        types = dict.fromkeys(names, "VARCHAR")
        return f"FROM read_json($path, {options}, {_OPTIONS}) AS t({', '.join(columns)})", {"types": types}
    # DuckDB cannot have two columns whose names differ only in case, so JSON pointers select the values.
    cells = ", ".join(f"cells[{index}] AS {column}" for index, column in enumerate(columns, 1))
    listed = f"SELECT json_extract_string(json, $pointers) AS cells FROM read_ndjson_objects($path, {_OPTIONS})"
    return f"FROM (SELECT {cells} FROM ({listed}))", {"pointers": _pointers(names)}


def _pointers(names: Sequence[str]) -> list[str]:
    return ["/" + name.replace("~", "~0").replace("/", "~1") for name in names]


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line of a file that is not blank."""
    try:
        with unpacked(path) as stream:
            for number, line in enumerate(iter(lambda: stream.readline(LARGEST_CELL + 1), b""), 1):
                if len(line) > LARGEST_CELL:
                    message = too_long("a line", LARGEST_CELL, "bytes")
                    raise DataError(Diagnostic("too-large", message, source=path, position=Position(number, 1)))
                if line.strip(b" \t\r\n"):
                    yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeError:
        raise DataError(undecodable(path, Dialect())) from None
