"""Files of JSON objects, one to a line: their values become cells of text, which the same rules read as a CSV file's.

A name that a line lacks is a missing cell there, and so are null and empty text.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from specnet.errors import DataError, Diagnostic, Position
from specnet.files.large import room_needed
from specnet.parts.data.progress import Progress
from specnet.parts.data.tables.csv_files import CsvSource
from specnet.parts.data.tables.duck import Duck
from specnet.parts.data.tables.places import Dialect, opened_text
from specnet.parts.data.tables.settings import column_key, setting
from specnet.parts.data.tables.source import Mistake, Source

_CELLS = Dialect()
_ONE_OBJECT = (
    "write one object to a line, without [ ] around them and commas between them,"
    ' such as by pandas.read_json(FILE).to_json(FILE, orient="records", lines=True)'
)


class JsonLinesSource(Source):
    """Several files of JSON objects.

    Parameters
    ----------
    paths : sequence of str
    ignored : collection of str
        Names whose values are not looked at.
    """

    def __init__(self, paths: Sequence[str], ignored: Collection[str] = ()) -> None:
        super().__init__(paths)
        self._ignored = frozenset(ignored)
        names: dict[str, None] = {}
        for _, _, values in self._objects():
            names.update(dict.fromkeys(values))
        if not names:
            raise DataError(Diagnostic("empty", "no rows", source=self.paths[0]))
        self.names = list(names)
        self._types = ["VARCHAR"] * len(self.names)

    @property
    def types(self) -> list[str]:
        return self._types

    def store(self, duck: Duck, progress: Progress, numbers: Collection[int] = ()) -> None:
        copy = os.path.join(duck.folder, "rows.csv")
        with room_needed(), open(copy, "w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL)
            writer.writerow([f"c{place}" for place in range(len(self.names))])
            for _, _, values in self._objects():
                writer.writerow([values.get(name, "") for name in self.names])
        cells = CsvSource([copy], _CELLS, self.missing)
        cells.store(duck, progress, numbers)
        self.plain_numbers, self._types = cells.plain_numbers, cells.types

    def cell_rows(self, places: Sequence[int]) -> Iterator[Sequence[str | None]]:
        names = [self.names[place] for place in places]
        for _, _, values in self._objects():
            yield [values.get(name) or None for name in names]

    def located(self, mistakes: Sequence[Mistake]) -> list[Diagnostic]:
        lines = {mistake.row: ("", 0) for mistake in mistakes}
        for row, (path, line, _) in enumerate(self._objects()):
            if row in lines:
                lines[row] = path, line
        return [
            Diagnostic(
                mistake.code,
                mistake.message,
                source=lines[mistake.row][0],
                position=Position(lines[mistake.row][1], 1),
                hint=mistake.hint,
            )
            for mistake in sorted(mistakes, key=lambda mistake: (mistake.row, mistake.place))
        ]

    def _objects(self) -> Iterator[tuple[str, int, dict[str, str]]]:
        """Yield each object's file, line, and values as texts."""
        for path in self.paths:
            with opened_text(path, Dialect()) as text:
                for line, content in enumerate(text, 1):
                    if content.strip():
                        yield path, line, self._read(path, line, content)

    def _read(self, path: str, line: int, content: str) -> dict[str, str]:
        def refused(message: str, column: int = 1, code: str = "json", hint: str | None = None) -> DataError:
            shown = content.rstrip("\r\n")
            return DataError(
                Diagnostic(code, message, source=path, position=Position(line, column), line_text=shown, hint=hint)
            )

        def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            found = dict(pairs)
            if len(found) < len(pairs):
                names = [name for name, _ in pairs]
                repeated = next(name for name in names if names.count(name) > 1)
                raise refused(f'duplicate name "{repeated}"', code="repeated-column")
            return found

        def constant(word: str) -> str:
            raise refused(f"{word} is not JSON", hint="write null for a missing value")

        try:
            found = json.loads(
                content, object_pairs_hook=members, parse_float=str, parse_int=str, parse_constant=constant
            )
        except json.JSONDecodeError as error:
            hint = _ONE_OBJECT if content.lstrip().startswith("[") else None
            raise refused(f"not JSON: {error.msg}", error.colno, hint=hint) from None
        except RecursionError:
            raise refused("nested too deeply") from None
        if not isinstance(found, dict):
            raise refused("expected an object in each line", hint=_ONE_OBJECT)
        values, has_escapes = {}, "\\u" in content
        for name, value in found.items():
            if not name:
                raise refused("a name is empty", code="unnamed-column")
            if isinstance(value, dict | list) and name not in self._ignored:
                message = f'column "{name}": a nested value'
                hint = "list the columns to use in features, or " + setting(column_key(name), '"ignore"')
                position = Position(line, 1)
                raise DataError(Diagnostic("nested-value", message, source=path, position=position, hint=hint))
            text = "" if value is None or isinstance(value, dict | list) else value
            text = str(text).lower() if isinstance(text, bool) else text
            if "\0" in text:
                raise refused(f'column "{name}": a null character', code="encoding")
            if has_escapes and not _is_unicode(name + text):
                raise refused("half a surrogate pair", code="encoding")
            values[name] = text
        return values


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
