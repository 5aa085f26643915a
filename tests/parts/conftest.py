"""What tests of parts share."""

import pytest


@pytest.fixture
def file(tmp_path):
    """Writes a CSV file, of text or bytes, and returns its path."""

    def written(content):
        path = tmp_path / "rows.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


@pytest.fixture
def by_duckdb(monkeypatch):
    """DuckDB reads all tables, small ones too, and counts their texts."""
    monkeypatch.setattr("specnet.parts.data.tables.sources.SMALL_BYTES", -1)
    monkeypatch.setattr("specnet.parts.data.tables.columns.FEW_ROWS", 10)
