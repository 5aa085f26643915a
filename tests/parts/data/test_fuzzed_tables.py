"""A sample of random tables; ``python -m tests.parts.data.fuzz`` reads 2350."""

from __future__ import annotations

from pathlib import Path

from tests.parts.data.fuzz import read_files


def test_random_tables_are_read_as_they_were_drawn(tmp_path: Path) -> None:
    """By Python and by DuckDB; some have a fault, and are refused by both."""
    found = list(read_files(25, 1, tmp_path))
    assert [wrong for wrong, _, _ in found] == [0] * 25
    assert 0 < sum(is_refused for _, is_refused, _ in found) < 15
