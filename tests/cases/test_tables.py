"""Tables as files have them, and what is read of each.

A case of ``tables/`` has

- its file: as a ``text``; as the ``cells`` of a column "a" beside numbers "b" and a target "y"; or as ``columns``.
  Its name, ``rows.csv``, and its ``encoding``, UTF-8, may be others.
- how it is read: ``data`` has fields of a spec's [data] beside the type, the path and ``target = "y"``; ``loss``
  is "classes" or "values".
- what comes of it: the first rows ``X`` and ``y``, the ``sum`` of X, the ``names`` of features, all ``kinds``; of
  column "a" the ``kind``, the first ``values`` and the ``texts``; codes of ``warnings``. Or codes of ``mistakes``,
  which may be followed by line, column and length, or by the key that is to blame.
"""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import DataError
from specnet.errors import Diagnostic, render
from tests.cases.reading import by_duckdb, cases, joined, listed, load
from tests.texts.pinned import Pinned


def content(case: dict[str, Any]) -> str:
    """Return the file of a case."""
    if "text" in case:
        return joined(case["text"])
    columns = {name: listed(cells) for name, cells in case.get("columns", {}).items()}
    if "cells" in case:
        cells = listed(case["cells"])
        columns = {"a": cells, "b": [*map(str, range(len(cells)))], "y": ["uv"[row % 2] for row in range(len(cells))]}
    written = io.StringIO()
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    csv.writer(written, delimiter=";", lineterminator="\n").writerows(rows)
    return written.getvalue()


def read(case: dict[str, Any], folder: Path) -> Any:
    """Write the file of a case and read it as its spec says."""
    name = case.get("file", "rows.csv")
    (folder / name).write_bytes(content(case).encode(case.get("encoding", "utf-8")))
    given = {"type": case["type"]} if "type" in case else {}
    return load(folder / name, case.get("loss", "classes"), **given, **case.get("data", {}))


def where(problem: Diagnostic, expected: str) -> str:
    """Return the code of a mistake, and its position or key as far as these are expected."""
    place = expected.partition(" ")[2]
    position = problem.position
    found = ".".join(map(str, problem.path)) if position is None else ":".join(map(str, position))
    if place.isdecimal():
        found = found.partition(":")[0]
    return f"{problem.code} {found}" if place else problem.code


def plain(kind: Any) -> Any:
    """Return a kind as a spec has it."""
    written = kind if isinstance(kind, str) else kind.model_dump(mode="json", exclude_none=True)
    return written.get("type") if isinstance(written, dict) and "zone" in written else written


@pytest.mark.parametrize("name", cases("tables"))
def test_a_table(name: str, tmp_path: Path, pinned: Pinned):
    """Also where DuckDB reads it, as it does large files."""
    case = cases("tables")[name]
    check(case, tmp_path, pinned)
    with by_duckdb():
        check(case, tmp_path, pinned)


def check(case: dict[str, Any], tmp_path: Path, pinned: Pinned) -> None:
    """Compare what is read with what a case expects."""
    if "mistakes" in case:
        with pytest.raises(DataError) as caught:
            read(case, tmp_path)
        problems = caught.value.diagnostics
        expected = case["mistakes"]
        assert [where(*each) for each in zip(problems, expected, strict=True)] == expected
        pinned(caught.value)
        return
    table = read(case, tmp_path)
    for key, found in (("X", table.X), ("y", table.y)):
        if key in case:
            np.testing.assert_array_equal(found[: len(case[key])], case[key])
            assert key == "X" or found[: len(case[key])].tolist() == case[key]
    assert len(table.X) == len(table.y)
    if "sum" in case:
        assert table.X.sum() == case["sum"]
    if "names" in case:
        assert list(table.feature_names) == case["names"]
    kinds = {column: plain(kind) for column, kind in table.kinds.items()}
    assert kinds == case.get("kinds", kinds)
    assert kinds.get("a") == case.get("kind", kinds.get("a"))
    if "values" in case:
        np.testing.assert_array_equal(table.X[: len(case["values"]), 0], case["values"])
    if "texts" in case:
        assert table.columns[0].texts.tolist() == case["texts"]
    assert [warning.code for warning in table.warnings] == case.get("warnings", [])
    for warning in table.warnings:
        pinned(render(warning, "warning"))
