"""The names of rows on pages, against the lines of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from specnet.running.data_rows import SpecData
from specnet.running.panel.row_names import names_of_rows
from tests.made import data_of

ROWS = 40


def data(folder: Path, file: str, **more: Any) -> SpecData:
    """Return the data of a spec on a file."""
    split = more.pop("split", {"test_size": 0.5})
    source = {"type": Path(file).suffix[1:], "path": str(folder / file), "target": "y", "split": split, **more}
    training = {"loss": "mean_squared_error", "epochs": 1}
    return data_of({"data": source, "network": {"hidden_layer_sizes": [2]}, "training": training})


def named(data: SpecData, part: str = "test") -> list[tuple[str, float]]:
    """Return the name and the target of each row of a split."""
    rows = data.splits[part]
    return list(zip(names_of_rows(data, rows, range(len(rows))), rows.y.tolist(), strict=True))


def test_rows_are_named_by_their_line_and_identifier(tmp_path: Path) -> None:
    """Each row says in a cell of its own on which line it is: below quoted line ends and blank lines."""
    lines, places = ["note,x,shop,customer_id,y"], {}
    for row in range(ROWS):
        lines += [""] * (row % 7 == 3)
        target = "" if row % 5 == 1 else str(row)
        places[float(row)] = (len(lines) + 1, f"c{row:03}")
        lines += [f'"a long note {row}, of two', f'lines",{row % 3},s{row % 2},c{row:03},{target}']
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    ignored = dict.fromkeys(["note", "shop", "customer_id"], "ignore")
    found = named(data(tmp_path, "rows.csv", columns=ignored, missing_target="drop"))
    assert len(found) == 16
    for name, target in found:
        line, customer = places[target]
        assert name == f"line {line} (customer_id {customer})"


@pytest.mark.parametrize("ids", [["a", "a", *"bcd"], ["a", None, *"bcd"], ["x" * 41, *"abcd"]])
def test_a_column_that_does_not_identify_rows_is_no_identifier(tmp_path: Path, ids: list[str | None]) -> None:
    frame = pd.DataFrame({"x": range(5), "id": ids, "y": [0.5, 1.5, 2.5, 3.5, 4.5]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for name, target in named(data(tmp_path, "rows.csv", columns={"id": "ignore"})):
        assert name == f"line {int(target) + 2}"


def test_rows_of_other_kinds_of_files(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [f"i{row}" for row in range(10)], "x": range(10), "y": [row / 2 for row in range(10)]})
    frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    ignored = {"columns": {"id": "ignore"}}
    for file, name in {"rows.jsonl": "line {0} (id i{1})", "rows.parquet": "row {0} (id i{1})"}.items():
        for found, target in named(data(tmp_path, file, **ignored)):
            assert found == name.format(int(2 * target) + 1, int(2 * target))
    later = named(data(tmp_path, "rows.csv", **ignored, split={"test": str(tmp_path / "rows.jsonl")}))
    assert later == [(f"line {row + 1} of rows.jsonl (id i{row})", row / 2) for row in range(10)]


def test_rows_without_a_file_have_their_number() -> None:
    made = data_of("specs/moons.toml")
    rows = made.splits["test"]
    assert names_of_rows(made, rows, [0, 3]) == [f"row {rows.numbers[row] + 1}" for row in (0, 3)]
