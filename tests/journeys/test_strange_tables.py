"""Strange tables: `new` and `run` say of each what it was made to be, and end in no error that names no way out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from specnet.spec import parse_spec
from tests.cli.conftest import Specnet
from tests.journeys.strange import TABLES

pytestmark = pytest.mark.slow
OF_ROWS = frozenset({"leakage", "shared-rows"})
"""Findings about rows and columns alone."""


@pytest.mark.parametrize("name", TABLES)
def test_a_strange_table(name: str, specnet: Specnet, folder: Path) -> None:
    table = TABLES[name]
    (folder / "table.csv").write_text(table.text, encoding="utf-8")
    # One network says the same of a table, but for what goes wrong in training.
    quick = ["--quick"] if OF_ROWS.issuperset(table.findings) else []
    made = specnet("new", "table.toml", "--data", "table.csv", "--target", "y", *quick, *table.options)
    if table.refused:
        assert made.status == 1
        assert not (folder / "table.toml").exists()
        for text in table.refused:
            assert text in made.err
        return
    assert made.status == 0, made.err
    assert re.findall(r"warning\[([a-z-]+)\]", made.err) == list(table.new)
    written = parse_spec(folder / "table.toml")
    lines = (folder / "table.toml").read_text(encoding="utf-8").splitlines()
    for column, kind in table.kinds.items():
        (line,) = (line for line in lines if line.startswith(f"{column} = "))
        assert kind in line
    assert written.data is not None
    ended = specnet("run", "table.toml", "-o", "run", "--format", "json", "--no-report")
    document = json.loads(ended.out)
    assert (ended.status, document["errors"]) == (0, [])
    assert sorted(warning["code"] for warning in document.get("warnings", [])) == sorted(table.warnings)
    assert sorted(finding["code"] for finding in document["findings"]) == sorted(table.findings)
    for split, metrics in document["metrics"].items():
        for metric, value in metrics.items():
            assert value is None or value == value, (split, metric)
