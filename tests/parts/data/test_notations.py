"""Dates and numbers in other notations: taken where all cells are in one alone, else told of, and read as is said."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import specnet
from specnet.errors import DataError
from specnet.parts.data import Csv, Jsonl, Parquet, Table, frame_table
from specnet.parts.data.notations import DatetimeFormat, NumberFormat, notations_of
from specnet.spec import parse_spec

pytestmark = pytest.mark.usefixtures("one_duckdb")

File = Callable[..., Path]


def days(*moment: int) -> float:
    return (datetime.datetime(*moment) - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)


def date(form: str) -> dict[str, str]:
    return {"type": "datetime", "format": form}


def plain(kind: Any) -> Any:
    return kind if isinstance(kind, str) else kind.model_dump(exclude_none=True)


WRITTEN: list[tuple[list[str], dict[str, str], list[float]]] = [
    (["2012/01/01", "2012/1/31"], date("%Y/%m/%d"), [days(2012, 1, 1), days(2012, 1, 31)]),
    (["15/03/2021", "1/2/2020"], date("%d/%m/%Y"), [days(2021, 3, 15), days(2020, 2, 1)]),
    (["1/2/20", "12/31/99"], date("%m/%d/%y"), [days(2020, 1, 2), days(1999, 12, 31)]),
    (
        ["31.12.2020 9:05", "01.02.2020 23:59"],
        date("%d.%m.%Y %H:%M"),
        [days(2020, 12, 31, 9, 5), days(2020, 2, 1, 23, 59)],
    ),
    (["3/15/2021, 12:05:00 AM"] * 2, date("%m/%d/%Y, %I:%M:%S %p"), [days(2021, 3, 15, 0, 5)] * 2),
    (["15-MAR-21", "1-May-19"], date("%d-%b-%y"), [days(2021, 3, 15), days(2019, 5, 1)]),
    (["May 5, 2020", "May 6, 2020"], date("%B %d, %Y"), [days(2020, 5, 5), days(2020, 5, 6)]),
    (["2024-1-5", "2024-10-15"], date("%Y-%m-%d"), [days(2024, 1, 5), days(2024, 10, 15)]),
    (
        ["2012/01/01 10:00:00+02:00", "2012/01/01 10:00:00Z"],
        date("%Y/%m/%d %H:%M:%S%z"),
        [days(2012, 1, 1, 8), days(2012, 1, 1, 10)],
    ),
    (["2021-03-15 10:00:00 UTC"] * 2, date("%Y-%m-%d %H:%M:%S UTC"), [days(2021, 3, 15, 10)] * 2),
    (
        ["2021/03/15T09:05:07.25 -0130"] * 2,
        date("%Y/%m/%dT%H:%M:%S.%f %z"),
        [days(2021, 3, 15, 10, 35, 7, 250_000)] * 2,
    ),
    (["$1,200.50", "-$3"], {"type": "numeric", "decimal": ".", "unit": "$"}, [1200.5, -3.0]),
    (["5%", "12.5 %"], {"type": "numeric", "decimal": ".", "unit": "%"}, [5.0, 12.5]),
    (["5%", "7%"], {"type": "numeric", "decimal": ".", "unit": "%"}, [5.0, 7.0]),
    (["1.234,5", "2"], {"type": "numeric", "decimal": ","}, [1234.5, 2.0]),
    (["1,5", "-2,25"], {"type": "numeric", "decimal": ","}, [1.5, -2.25]),
    (["85,076", "1,234,567"], {"type": "numeric", "decimal": "."}, [85_076.0, 1_234_567.0]),
    (["85.076,0 €", "€ 1"], {"type": "numeric", "decimal": ",", "unit": "€"}, [85_076.0, 1.0]),
    (["1 234", "5\N{NO-BREAK SPACE}678.5"], {"type": "numeric", "decimal": "."}, [1234.0, 5678.5]),
    (["1'234'567.5", "1"], {"type": "numeric", "decimal": "."}, [1_234_567.5, 1.0]),
]
"""Two cells, the kind of a column of such, and what they are."""
SPECIFIED: list[tuple[list[str], dict[str, Any], list[float]]] = [
    (["5e", "1e5", "-2.5e2 e", "e 7"], {"type": "numeric", "unit": "e"}, [5.0, 1e5, -250.0, 7.0]),
    (["1e300 kg", "3 kg"], {"type": "numeric", "unit": "kg"}, [1e300, 3.0]),
]
"""Notations that a spec alone can have."""


def csv_of(file: File, cells: list[str], **fields: Any) -> Table:
    path = file("a;b;y\n" + "".join(f"{cell};{row};{row % 2}\n" for row, cell in enumerate(cells)))
    return Csv(path=path.name, target="y", **fields).load(path.parent, "classes")


@pytest.mark.parametrize(("cells", "kind", "values"), WRITTEN)
def test_a_notation_is_taken_where_every_cell_is_in_it_alone(
    file: File, cells: list[str], kind: dict[str, str], values: list[float]
) -> None:
    """The same in CSV files, JSON lines, texts of Parquet files and data frames; what is said then reads the same."""
    table = csv_of(file, [*cells, "", *cells * 20])
    assert plain(table.kinds["a"]) == kind
    assert table.warnings == ()
    np.testing.assert_array_equal(table.X[:3, 0], [*values, np.nan])
    np.testing.assert_array_equal(csv_of(file, [*cells, "", *cells * 20], columns=table.kinds).X, table.X)
    X, columns, warnings = frame_table(pd.DataFrame({"a": [*cells, None, *cells]}))
    assert (plain(columns[0].written), warnings) == (kind, ())
    np.testing.assert_array_equal(X[:, 0], [*values, np.nan, *values])


@pytest.mark.parametrize(("cells", "kind", "values"), [WRITTEN[1], WRITTEN[11]])
def test_a_notation_is_taken_in_files_of_any_kind(
    tmp_path: Path, cells: list[str], kind: dict[str, str], values: list[float]
) -> None:
    pd.DataFrame({"a": cells, "y": [0, 1]}).to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    duckdb.sql("SELECT unnest($cells) AS a, unnest([0, 1]) AS y", params={"cells": cells}).write_parquet(
        str(tmp_path / "rows.parquet")
    )
    for part in (Jsonl(path="rows.jsonl", target="y"), Parquet(path="rows.parquet", target="y")):
        table = part.load(tmp_path, "classes")
        assert plain(table.kinds["a"]) == kind
        np.testing.assert_array_equal(table.X[:, 0], values)


@pytest.mark.parametrize(
    ("cells", "message", "hints"),
    [
        (
            ["01/02/2020", "03/04/2021"],
            'is ignored: "01/02/2020" can be 2020-02-01 or 2020-01-02',
            ["%d/%m/%Y", "%m/%d/%Y"],
        ),
        (["01/02/2020", "03/04/2021"] * 9, 'is a category: "01/02/2020" can be', ["%d/%m/%Y", "%m/%d/%Y"]),
        (["85,076", "12,500"], '"85,076" can be 85076 or 85.076', ['decimal = "." }', 'decimal = "," }']),
        (["$85,076", "$1"], '"$85,076" can be 85076 or 85.076', ['decimal = ",", unit = "$" }']),
        (
            ["15/03/2021"] * 30 + ["soon"],
            'most of its cells, but not all, are dates such as "15/03/2021"',
            ["%d/%m/%Y"],
        ),
        ([f"$1,{row}.50" for row in range(100, 140)] + ["soon"], "but not all, are numbers", ['unit = "$"']),
        (["10%"] * 20 + ["0.1"], "is a category", ['unit = "%"']),
        (["20-01-15", "20-01-16"], "can be 2015-01-20 or 2020-01-15", ["%d-%m-%y", "%y-%m-%d"]),
    ],
)
def test_what_no_cell_decides_is_told_with_what_to_write(
    file: File, cells: list[str], message: str, hints: list[str]
) -> None:
    table = csv_of(file, cells)
    (warning,) = table.warnings
    assert warning.code == "other-notation"
    assert message in warning.message
    assert "set data.columns.a = { type = " in warning.hint
    assert all(hint in warning.hint for hint in hints)
    *_, (other,) = frame_table(pd.DataFrame({"a": cells, "b": range(len(cells))}))
    assert (other.code, other.message) == (warning.code, warning.message)
    assert 'convert X["a"] to ' in other.hint
    # What is said is not told of again.
    assert csv_of(file, cells, columns={"a": "category"}).warnings == ()


@pytest.mark.parametrize(
    "cells", [["007", "123"], ["1,2,3", "4,5,6"], ["3:1", "2:0"], ["1.2.3.4", "5"], ["A 1", "B 2"]]
)
def test_other_texts_are_in_no_notation(file: File, cells: list[str]) -> None:
    table = csv_of(file, cells * 5)
    assert (table.kinds["a"], table.warnings) == ("category", ())


def test_a_cell_far_below_decides(file: File) -> None:
    cells = ["01/02/2020"] * 5_000 + ["13/02/2020"] + ["01/02/2020"] * 5_000
    assert plain(csv_of(file, cells).kinds["a"]) == date("%d/%m/%Y")


@pytest.mark.parametrize(("cells", "kind", "values"), [*WRITTEN, *SPECIFIED])
def test_python_and_duckdb_read_alike(cells: list[str], kind: dict[str, Any], values: list[float]) -> None:
    """Also what is nearly in the notation."""
    form = (DatetimeFormat if kind["type"] == "datetime" else NumberFormat).model_validate(kind)
    others = [cell for text in cells for cell in (f"{text} ", text[1:], text[:-1], f"{text}0", text.replace("0", "9"))]
    others += ["", "0", "1,23", "12,345", "1.23", "0,5", "007", "00/00/0000", "29/02/2021", "15/03/21", "-", "$", "1e5"]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for text in [*cells, *others]:
            (found,) = connection.execute(f"SELECT {form.sql('t')} FROM (SELECT ? AS t)", [text]).fetchone() or ()
            assert found == form.value(text), text
    assert [form.value(text) for text in cells] == values


def test_a_year_of_two_digits_is_none_of_four(file: File) -> None:
    with pytest.raises(DataError, match='got "15/03/21"'):
        csv_of(file, ["15/03/2021", "15/03/21"], columns={"a": date("%d/%m/%Y")})


def test_the_target_is_read_in_its_notation(file: File) -> None:
    rows = "".join(f"{row};${1000 + row:,}.50\n" for row in range(20))
    path = file(f"a;y\n{rows}")
    part = Csv(path=path.name, target="y")
    table = part.load(path.parent, "values")
    assert plain(table.kinds["y"]) == {"type": "numeric", "decimal": ".", "unit": "$"}
    np.testing.assert_array_equal(table.y, np.arange(20) + 1000.5)
    np.testing.assert_array_equal(part.with_columns(table).load(path.parent, "values").y, table.y)
    path.write_text("a;y\n1;85,076\n2;12,500\n")
    with pytest.raises(DataError) as caught:
        part.load(path.parent, "values")
    hint = caught.value.diagnostics[0].hint
    assert hint.startswith('set data.columns.y = { type = "numeric", decimal = "." } or { type')


def test_a_run_keeps_the_formats_and_predicts_by_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    moments = [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(day)) for day in rng.integers(0, 700, 60)]
    rows = [f'{moment:%d/%m/%Y},"${1000 + moment.day:,}.5",{moment.month}' for moment in moments]
    (tmp_path / "rows.csv").write_text("\n".join(["day,price,y", *rows]) + "\n")
    spec = {
        "data": {"type": "csv", "path": "rows.csv", "target": "y"},
        "network": {"hidden_layer_sizes": [4]},
        "training": {"loss": "mse", "epochs": 2},
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    specnet.run(tmp_path / "spec.json", tmp_path / "run", report=False)
    columns = parse_spec(tmp_path / "run" / "spec.resolved.json").data.columns
    assert columns["day"] == DatetimeFormat(type="datetime", format="%d/%m/%Y")
    assert columns["price"] == NumberFormat(type="numeric", unit="$")
    model = specnet.load_model(tmp_path / "run")
    frame = pd.read_csv(tmp_path / "rows.csv")
    # The same moments as datetimes and numbers.
    known = frame.assign(
        day=pd.to_datetime(frame.day, format="%d/%m/%Y"), price=[1000.5 + moment.day for moment in moments]
    )
    np.testing.assert_array_equal(model.predict(frame), model.predict(known))
    with pytest.raises(DataError, match='got "2020-01-31"'):
        model.predict(frame.assign(day="2020-01-31"))


def test_fit_keeps_the_formats_of_a_data_frame() -> None:
    frame = pd.DataFrame({"day": [f"{1 + row % 28}.{1 + row % 12}.2020" for row in range(60)], "x": range(60)})
    spec = {"network": {"hidden_layer_sizes": [2]}, "training": {"loss": "mse", "epochs": 1}}
    model = specnet.fit(spec, frame, np.arange(60.0))
    assert model.spec.feature_kinds is not None
    assert plain(model.spec.feature_kinds["day"]) == date("%d.%m.%Y")
    assert model.predict(frame).shape == (60,)


def test_notations_of_texts_are_common_ones() -> None:
    assert [each.written() for each in notations_of(["01/02/20"])] == [
        '{ type = "datetime", format = "%d/%m/%y" }',
        '{ type = "datetime", format = "%m/%d/%y" }',
    ]
    assert notations_of(["red", "1st", "", "1,2,3"]) == []
