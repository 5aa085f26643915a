"""Tables that were made to be something: `new` and `run` read each as that, say so, and say no more."""

import datetime
import json
import re

import numpy as np
import pytest

from specnet import parse_spec
from specnet.files.plain_data import toml_key
from tests.journeys.made_tables import TABLES

OF_TWO_EPOCHS = frozenset({"too-few-epochs", "low-recall"})
"""What is true of all short runs whose loss falls."""


def read_as(found, texts):
    """Return a column of a table as its cells are, None where one is missing."""
    if texts is not None:
        return [None if np.isnan(code) else str(texts[int(code)]) for code in found]
    return [None if np.isnan(cell) else float(cell) for cell in found]


def as_cells(column):
    """Return what the cells of a column are, as a table holds them."""
    epoch = datetime.datetime(1970, 1, 1)
    return [
        (value - epoch) / datetime.timedelta(days=1)
        if isinstance(value, datetime.datetime)
        else float(value)
        if isinstance(value, bool | float)
        else value
        for value in column.values or ()
    ]


def make(name, folder, specnet, pinned):
    """Write a table and its spec, ``table.toml``; return None where that is refused."""
    table = TABLES[name]
    (folder / "table.csv").write_bytes(table.content)
    made = specnet("new", "table.toml", "--data", "table.csv", "--target", table.target, "--quick", *table.options)
    if made.err:
        pinned(made.err)
    if table.refused:
        assert made.status == 1
        assert not (folder / "table.toml").exists()
        for text in table.refused:
            assert text in made.err
        return None
    assert made.status == 0, made.err
    remarks = re.findall(r"warning\[([a-z-]+)\]: (.*)", made.err)
    assert [code for code, _ in remarks] == [code for code, _ in table.remarks], made.err
    for (_, line), (_, text) in zip(remarks, table.remarks, strict=True):
        assert text in line
    return table


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_as_what_it_was_made_to_be(name, specnet, folder, pinned):
    table = make(name, folder, specnet, pinned)
    if table is None:
        return
    lines = (folder / "table.toml").read_text(encoding="utf-8").splitlines()
    names = [column.strip() or f"column_{place}" for place, column in enumerate(table.columns, 1)]
    kinds = dict(zip(names, table.columns.values(), strict=True))
    for column, made in kinds.items():
        (line,) = (line for line in lines if line.startswith(f"{toml_key(column)} = "))
        if column != table.target or made.kind != '"numeric"':
            assert line.partition(" = ")[2].startswith(made.kind)
    data = parse_spec(folder / "table.toml").data
    read = data.read_all(folder)
    assert read.warnings == ()
    for place, column in enumerate(read.columns):
        values = kinds[column.name].values
        assert values is not None, f"{column.name} is used"
        assert read_as(read.X[:, place], column.texts) == as_cells(kinds[column.name])
    settings = [part for setting in ("training.epochs=2", *table.settings) for part in ("--set", setting)]
    ended = specnet("run", "table.toml", "-o", "run", "--format", "json", "--no-report", *settings)
    document = json.loads(ended.out)
    assert (ended.status, document["errors"]) == (0, [])
    assert sorted(warning["code"] for warning in document.get("warnings", [])) == sorted(table.warnings)
    found = [finding["code"] for finding in document["findings"] if finding["code"] not in OF_TWO_EPOCHS]
    assert found == [*table.findings]
