"""What tests of parts share."""

import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from specnet.parts.data.tables import duck


@pytest.fixture
def file(tmp_path):
    """Writes a CSV file, of text or bytes, and returns its path."""

    def written(content):
        path = tmp_path / "rows.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


class _Cursor:
    """What reads a table of a DuckDB that has its settings: it is told them again, and its table goes with it."""

    def __init__(self, database: Any) -> None:
        self._cursor = database.cursor()

    def execute(self, query: str, parameters: Any = None) -> Any:
        return None if query.strip().startswith("SET ") else self._cursor.execute(query, parameters)

    def close(self) -> None:
        self._cursor.execute("DROP TABLE IF EXISTS cells")
        self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with duckdb.connect() as made:
        made.execute(duck.PROGRESS)
        made.execute("SET memory_limit = '400MB'")
        made.execute(re.sub("SET (enable_external_access|lock_configuration).*", "", duck.SETTINGS))
        yield made


@pytest.fixture
def one_duckdb(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start DuckDB once for a module, for tests of what is read: that takes longer than to read a small table.

    Small tables alone are in memory. Which files a connection may read is what others are tested for.
    """
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda *path: _Cursor(database) if path == (":memory:",) else connect(*path))
