"""The tables of examples are those that their script makes."""

import csv

from tests.docs.site.tables import DATA, tables


def test_each_file_is_what_is_made() -> None:
    for name, rows in tables():
        with (DATA / name).open(encoding="utf-8", newline="") as file:
            assert [*csv.reader(file)] == [[*map(str, row)] for row in rows], name
