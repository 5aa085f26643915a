"""What tests of parts share."""

import pytest

from tests.cases import reading


@pytest.fixture
def file(tmp_path):
    """Writes a CSV file, of text or bytes, and returns its path."""

    def written(content):
        path = tmp_path / "rows.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


@pytest.fixture
def by_duckdb():
    """DuckDB reads all tables, small ones too, and counts their texts."""
    with reading.by_duckdb():
        yield
