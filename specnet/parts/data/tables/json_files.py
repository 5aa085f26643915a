"""Files of JSON objects, one to a line: their values become cells of text, which the same rules read as a CSV file's.

A name that a line lacks is a missing cell there, and so are null and empty text.

DuckDB reads them. It takes more for JSON than what is JSON, and its errors have no place: what it refuses, and what may
be wrong, is read again by Python's ``json``.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from specnet.errors import DataError, Diagnostic, Position
from specnet.files.plain_data import json_mistake
from specnet.parts.data.progress import Progress
from specnet.parts.data.tables.csv.csv_files import MOST_COLUMNS
from specnet.parts.data.tables.csv.csv_records import LARGEST_CELL, Dialect, too_long, undecodable, unpacked
from specnet.parts.data.tables.duck import Duck, DuckError, opened
from specnet.parts.data.tables.setting_hints import column_key, setting
from specnet.parts.data.tables.source import Mistake, copied, refuse_wildcards
from specnet.parts.data.tables.texts import ROWS_LOOKED_AT, TextSource, is_number, shows_a_fraction

_ONE_OBJECT = (
    "write one object to a line, without [ ] around them and commas between them,"
    ' such as by pandas.read_json(FILE).to_json(FILE, orient="records", lines=True)'
)
_OPTIONS = f"maximum_object_size = {LARGEST_CELL}, compression = 'none', hive_partitioning = false"
# What DuckDB takes for JSON though it is none, a null character, a nested value: also where it only looks like one.
_DOUBTFUL = r'(?i)[:,\[]\s*(-?(nan|inf(inity)?)\s*[,}\]]|[}\]])|\\u0000|"\s*:\s*[\[{]'
# Names are told by the first line of those that have the same ones.
_LINES = f"""
    CREATE OR REPLACE TABLE lines AS SELECT names, min(place) AS place, bool_or(doubtful) AS doubtful FROM (
        SELECT json_keys(json) AS names, row_number() OVER () AS place, NOT starts_with(json, '{{')
            OR strlen(json) > {LARGEST_CELL} OR regexp_matches(json, $doubtful) AS doubtful
        FROM read_ndjson_objects($path, {_OPTIONS})
    ) GROUP BY names
"""
_NAMES = """
    SELECT name FROM (SELECT unnest(names) AS name, place, unnest(range(len(names))) AS index FROM lines)
    GROUP BY name ORDER BY min(place), arg_min(index, place)
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
    """Several files of JSON objects.

    Parameters
    ----------
    paths : sequence of str
    ignored : collection of str
        Names whose values are not looked at.
    """

    damage_code = "json"

    def __init__(self, paths: Sequence[str], ignored: Collection[str] = ()) -> None:
        super().__init__(paths)
        self._ignored = frozenset(ignored)
        names: dict[str, None] = {}
        with opened(self.real_paths(), 0) as duck:
            for index in range(len(paths)):
                names |= dict.fromkeys(self._names_in(index, duck))
        if not names:
            raise DataError(Diagnostic("empty", "no rows", source=self.paths[0]))
        self.names = list(names)

    def _names_in(self, index: int, duck: Duck) -> list[str]:
        path = self.paths[index]
        try:
            duck.rows(_LINES, {"path": _readable(path, duck.folder), "doubtful": _DOUBTFUL})
        except DuckError as error:
            self._refuse_faulty(index)
            raise self.damaged(path, error) from None
        if duck.rows(_IS_DOUBTFUL)[0][0]:
            self._refuse_faulty(index)
        names = [name for (name,) in duck.rows(_NAMES)]
        if len(names) > MOST_COLUMNS:
            message = f"{len(names)} columns exceed the limit of {MOST_COLUMNS}"
            raise DataError(Diagnostic("too-large", message, source=path))
        return names

    def _store_file(self, index: int, selected: str, duck: Duck, progress: Progress) -> None:
        path, (rows, parameters) = self.paths[index], _rows(self.names)
        parameters["path"] = _readable(path, duck.folder)
        duck.columns(f"{selected} {rows}", parameters, progress, os.path.getsize(path))

    def _look_like_numbers(self, places: Sequence[int]) -> list[int]:
        some = self._first_rows
        return [place for place in places if all(is_number(row.get(self.names[place], ""), ("",)) for row in some)]

    def number_texts(self, duck: Duck, places: Sequence[int]) -> Sequence[int]:
        found = [*places]
        for path in self.paths:
            pointers = _pointers([self.names[place] for place in found])
            parameters = {"path": _readable(path, duck.folder), "pointers": pointers}
            numbers = {index for (index,) in duck.rows(_NUMBERS, parameters)}
            found = [place for index, place in enumerate(found) if index not in numbers]
        return found

    def _perhaps_grouped(self, places: Collection[int]) -> frozenset[int]:
        some = self._first_rows
        names = {place: self.names[place] for place in places}
        return frozenset(
            place for place, name in names.items() if not shows_a_fraction([row.get(name, "") for row in some])
        )

    @cached_property
    def _first_rows(self) -> list[dict[str, str]]:
        return [values for path in self.paths for _, values in islice(self._objects(path), ROWS_LOOKED_AT)]

    def cell_rows(self, places: Sequence[int]) -> Generator[Sequence[str | None], None, None]:
        names = [self.names[place] for place in places]
        for path in self.paths:
            for _, values in self._objects(path):
                yield [values.get(name) or None for name in names]

    def located(self, mistakes: Sequence[Mistake]) -> list[Diagnostic]:
        places = ((path, Position(line, 1)) for path in self.paths for line, _ in _lines(path))
        rows = list(islice(places, mistakes[-1].row + 1))
        return [
            Diagnostic(mistake.code, mistake.message, (), source, position, hint=mistake.hint)
            for mistake in mistakes
            for source, position in [rows[mistake.row]]
        ]

    def _refuse_faulty(self, index: int) -> None:
        for _ in self._objects(self.paths[index]):
            pass

    def _objects(self, path: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the line of each object in a file, and its values as texts."""
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
                content, object_pairs_hook=members, parse_float=str, parse_int=str, parse_constant=constant
            )
        except json.JSONDecodeError as error:
            hint = _ONE_OBJECT if content.lstrip().startswith("[") else None
            wrong, place = json_mistake(content, error)
            column = place - content.rfind("\n", 0, place)
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
            text = "" if value is None or isinstance(value, dict | list) else value
            values[name] = text = str(text).lower() if isinstance(text, bool) else text
            if "\0" in name + text:
                raise refused(f'column "{name}": a null character', "encoding")
            if has_escapes and re.search("[\ud800-\udfff]", name + text):
                raise refused("half a surrogate pair", "encoding")
        return values


def _readable(path: str, folder: str) -> str:
    """Return a file that DuckDB reads: the file itself, or a copy in a folder."""
    real = os.path.realpath(path)
    with unpacked(path) as stream:
        if not path.lower().endswith(".gz"):
            refuse_wildcards(path, real)
            return real
        return copied(stream, ".jsonl", folder)


def _rows(names: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return from where values of these names are selected as c0, c1, …, and the query's parameters for it."""
    columns = [f"c{place}" for place in range(len(names))]
    if len({name.lower() for name in names}) == len(names):
        options = "format = 'newline_delimited', records = true, auto_detect = false, columns = $types"
        types = dict.fromkeys(names, "VARCHAR")
        return f"FROM read_json($path, {options}, {_OPTIONS}) AS t({', '.join(columns)})", {"types": types}
    # DuckDB has no two columns whose names differ only in case: values are taken by their pointers.
    cells = ", ".join(f"cells[{place}] AS {column}" for place, column in enumerate(columns, 1))
    listed = f"SELECT json_extract_string(json, $pointers) AS cells FROM read_ndjson_objects($path, {_OPTIONS})"
    return f"FROM (SELECT {cells} FROM ({listed}))", {"pointers": _pointers(names)}


def _pointers(names: Sequence[str]) -> list[str]:
    return ["/" + name.replace("~", "~0").replace("/", "~1") for name in names]


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that are not blank, with their numbers."""
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
