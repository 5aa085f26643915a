"""The benchmark of large tables makes the table that it says, and measures processes."""

import sys
from pathlib import Path

import pytest

from specnet.parts.data import Csv
from tests.benchmarks.tables.large import feeding_seconds, make_table, measured, partial_fit_seconds


def test_the_table_has_24_columns_of_all_kinds(tmp_path: Path):
    make_table(tmp_path / "rows.csv", 500)
    table = Csv(path="rows.csv", target="y").load(tmp_path, "classes")
    kinds = [column.kind for column in table.columns]
    assert [kinds.count(kind) for kind in ("numeric", "category", "datetime")] == [20, 2, 1]
    assert set(table.y) == {"no", "yes"}


@pytest.mark.slow
def test_a_process_is_measured_and_the_others_do_their_work(tmp_path: Path):
    code = "import tempfile, time; f = tempfile.TemporaryFile(); f.write(bytes(2 * 10**7)); f.flush()"
    found = measured([sys.executable, "-c", f"{code}; held = b'1' * 10**8; time.sleep(1); print(7)"], tmp_path)
    assert found.printed == "7\n"
    assert 10**8 <= found.memory < 2 * 10**8
    assert found.disk >= 10**7
    make_table(tmp_path / "rows.csv", 500)
    assert partial_fit_seconds(tmp_path / "rows.csv")[0] == 500
    assert min(feeding_seconds(1000, 3)) > 0
