"""Notations of numbers, dates and durations: files and data frames read them alike, and models retain them."""

from __future__ import annotations

import datetime
import json
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import specnet
from specnet import DataError
from specnet.parts.data import frame_table
from specnet.parts.data.notations import SECONDS, DatetimeFormat, DurationFormat, NumberFormat, notations_of
from tests.cases.reading import cases, listed, load, source
from tests.cases.test_tables import content, plain
from tests.running.specs import spec_on

CASES = {name: case for name, case in cases("tables/columns").items() if "text" not in case and "mistakes" not in case}
NOTATIONS: list[tuple[dict[str, Any], list[str]]] = [
    *((case["kind"], listed(case["cells"])) for case in CASES.values() if isinstance(case.get("kind"), dict)),
    ({"type": "numeric", "unit": "e"}, ["5e", "1e5", "-2.5e2 e", "e 7"]),
    ({"type": "numeric", "unit": "kg"}, ["1e300 kg", "3 kg"]),
    ({"type": "numeric", "duration": "seconds"}, ["13:02", "1:00:00,5", "1d 2h 3m 4.5s", "-2 h", "+5s", "90"]),
    ({"type": "numeric", "duration": "days"}, ["36h", "1:30", "1 day 12 hours", "30m 2h", "1:60", "h", ""]),
    ({"type": "datetime", "format": "%d.%m.%y", "last_year": 1999}, ["04.04.63", "01.01.00", "29.02.00", "1.1.1"]),
    ({"type": "datetime", "format": "%y%%%m-%d", "last_year": 2030}, ["31%01-02", "30%1-2", "30-01-02"]),
    ({"type": "datetime", "format": "%d.%m.%y", "missing_values": ["-"]}, ["04.04.63", "-", "?"]),
    ({"type": "numeric", "missing_values": ["-", "-999"]}, ["-999", "-999.0", "-999.5", "-", "?", "7"]),
    ({"type": "numeric", "unit": "€", "decimal": ",", "missing_values": ["9.999,00 €"]}, ["9999 €", "€ 9.999", "1 €"]),
]
OTHERS = ["", "0", "1,23", "12,345", "1.23", "0,5", "007", "00/00/0000", "29/02/2021", "15/03/21", "-", "$", "1e5"]


@pytest.mark.parametrize(("kind", "cells"), NOTATIONS, ids=lambda value: str(value)[:60])
def test_a_notation_reads_what_duckdb_and_fractions_read(kind: dict[str, Any], cells: list[str]) -> None:
    """Also what is nearly in the notation: dates by DuckDB's own reader, numbers as sums of exact fractions."""
    model = DatetimeFormat if kind["type"] == "datetime" else DurationFormat if "duration" in kind else NumberFormat
    notation = model.model_validate(kind)
    near = [
        each
        for text in dict.fromkeys(cells)
        for each in (f"{text} ", text[1:], text[:-1], f"{text}0", text.upper(), text.replace("0", "9"))
    ]
    texts = list(dict.fromkeys([*cells, *near, *OTHERS]))
    found = {text: notation.value(text) for text in texts}
    missing = notation.missing_values or ()
    assert all(math.isnan(found[text]) for text in missing if text in found)
    present = {text: value for text, value in found.items() if value is not None and not math.isnan(value)}
    assert present
    assert None in found.values()
    if isinstance(notation, DatetimeFormat):
        assert present == {text: days for text in present if (days := duckdb_days(notation, text)) is not None}
    elif isinstance(notation, NumberFormat):
        unit = re.escape(notation.unit or "")
        for text, value in present.items():
            digits = re.sub(r"[^0-9eE.,+-]", "", re.sub(rf"^([+-]?){unit}|{unit}$", r"\1", text))
            plain = digits.replace("," if notation.decimal == "." else ".", "").replace(",", ".")
            assert value == float(Fraction(plain)), text
    else:
        for text, value in present.items():
            seconds = sum(Fraction(part.replace(",", ".")) * unit for part, unit in duration_parts(text, notation))
            assert math.isclose(value, seconds * (-1) ** text.startswith("-") / SECONDS[notation.duration])


def duckdb_days(notation: DatetimeFormat, text: str) -> float | None:
    """Return the days since 1970 of a date that DuckDB reads, its year moved to the century of the notation."""
    plain = text.replace("Z", "+0000") if notation.format.endswith("%z") else text
    query = "SELECT try_strptime(?, ?)::TIMESTAMP"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        (moment,) = connection.execute(query, [plain, notation.format]).fetchone() or (None,)
    if moment is None:
        return None
    if notation.last_year is not None:  # in both centuries the year has the day, or the text is no date
        moment = moment.replace(year=notation.last_year - (notation.last_year - moment.year) % 100)
    return (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)


def duration_parts(text: str, notation: DurationFormat) -> list[tuple[str, int]]:
    """Return the numbers in a duration, and the seconds of their units."""
    numbers = re.findall("[0-9]+(?:[.,][0-9]+)?", text)
    if ":" in text:
        units = [3600, 60, 1] if len(numbers) == 3 or notation.duration != "seconds" else [60, 1]
        return list(zip(numbers, units, strict=False))
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    letters = [word[0].lower() for word in re.findall("[a-zA-Z]+", text)]
    return [(part, units[letter]) for part, letter in zip(numbers, letters, strict=True)]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not {"data", "loss"} & case.keys()])
def test_texts_of_data_frames_are_read_as_those_of_files(name: str) -> None:
    """Their kinds, numbers and warnings are those of the same cells in a CSV file."""
    case = CASES[name]
    header, *rows = [line.split(";") for line in content(case).splitlines()]
    rows = [[None if cell.strip() in ("", "NA", "N/A", "nan", "NULL") else cell for cell in row] for row in rows]
    frame = pd.DataFrame(rows, columns=header, dtype=object)
    X, columns, warnings = frame_table(frame.drop(columns="y"))
    kinds = {column.name: plain(column.written or column.kind) for column in columns}
    expected = case.get("kinds", {"a": case["kind"]} if "kind" in case else {})
    assert kinds == kinds | {key: kind for key, kind in expected.items() if key != "y" and kind != "ignore"}
    if "values" in case and "a" in kinds:
        np.testing.assert_array_equal(X[: len(case["values"]), 0], case["values"])
    assert [warning.code for warning in warnings] == case.get("warnings", [])


def test_a_run_saves_the_formats_and_predicts_by_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    moments = [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(day)) for day in rng.integers(0, 700, 60)]
    rows = [f'{moment:%d/%m/%Y},"${1000 + moment.day:,}.5",{moment.month}' for moment in moments]
    (tmp_path / "rows.csv").write_text("\n".join(["day,price,y", *rows]) + "\n")
    spec = spec_on({"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "y"}, 4, loss="mse", epochs=2)
    specnet.run(spec, tmp_path / "run", report=False)
    columns = json.loads((tmp_path / "run" / "spec.resolved.json").read_text())["data"]["columns"]
    assert columns["day"] == {"type": "datetime", "format": "%d/%m/%Y"}
    assert columns["price"] == {"type": "numeric", "decimal": ".", "unit": "$"}
    model = specnet.load_model(tmp_path / "run")
    frame = pd.read_csv(tmp_path / "rows.csv")
    # The same moments as datetimes and numbers.
    prices = [1000.5 + moment.day for moment in moments]
    known = frame.assign(day=pd.to_datetime(frame.day, format="%d/%m/%Y"), price=prices)
    np.testing.assert_array_equal(model.predict(frame), model.predict(known))
    with pytest.raises(DataError, match='got "2020-01-31"'):
        model.predict(frame.assign(day="2020-01-31"))


def test_fit_saves_the_formats_of_a_data_frame() -> None:
    frame = pd.DataFrame({"day": [f"{1 + row % 28}.{1 + row % 12}.2020" for row in range(60)], "x": range(60)})
    model = specnet.fit(spec_on(None, 2, loss="mse", epochs=1), frame, np.arange(60.0))
    assert model.spec.feature_kinds is not None
    assert plain(model.spec.feature_kinds["day"]) == {"type": "datetime", "format": "%d.%m.%Y"}
    assert model.predict(frame).shape == (60,)


def test_notations_of_texts_are_common_ones() -> None:
    assert [each.written() for each in notations_of(["01/02/20"])] == [
        '{ type = "datetime", format = "%d/%m/%y" }',
        '{ type = "datetime", format = "%m/%d/%y" }',
    ]
    assert notations_of(["red", "1st", "", "1,2,3"]) == []


def test_numbers_of_data_frames_that_are_no_texts_are_certain() -> None:
    mixed = pd.DataFrame({"a": pd.Series([1.877, None, 2.456], dtype=object), "b": ["1,25", "2,5", "3,75"]})
    assert frame_table(mixed)[0][0, 0] == 1.877
    marked = NumberFormat(type="numeric", missing_values=("-999",))
    cells = frame_table(pd.DataFrame({"a": [-999.0, 1.5]}), {"a": marked})[0]
    np.testing.assert_array_equal(cells, [[np.nan], [1.5]])


def test_predictions_read_markers_as_the_table_had_them(tmp_path: Path) -> None:
    """And no other cell as a missing one."""
    (tmp_path / "rows.csv").write_text("a;b;y\n" + "n/a;red;u\n1.5;blue;v\n" * 10)
    part = source(type="csv", path="rows.csv", target="y")
    resolved: Any = part.with_columns(part.load(tmp_path, "classes"))
    (tmp_path / "new.csv").write_text("a;b\nn/a;red\n1.5;n/a\n")
    np.testing.assert_array_equal(resolved.for_file("new.csv").read_features(tmp_path).X[:, 0], [np.nan, 1.5])
    (tmp_path / "new.csv").write_text("a;b\nnone;red\n")
    with pytest.raises(DataError, match="expected a finite number"):
        resolved.for_file("new.csv").read_features(tmp_path)


@pytest.mark.parametrize("others", ["category", "ignore"])
def test_the_notation_of_a_target_is_that_of_its_kind(tmp_path: Path, others: str) -> None:
    """Whether the table is read at once, as numbers alone are, or with texts."""
    lines = (f"{row},{1 + row % 9}.{100 + row},{'ab'[row % 2]}" for row in range(30))
    (tmp_path / "rows.csv").write_text("\n".join(["a,y,b", *lines]))
    columns = {"a": "numeric", "y": {"type": "numeric", "decimal": ","}, "b": others}
    table = load(tmp_path / "rows.csv", "values", columns=columns)
    assert table.y.tolist() == [1000 * (1 + row % 9) + 100 + row for row in range(30)]


def test_texts_of_json_and_parquet_share_a_notation_and_numbers_do_not(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"menge": f"{1 + row % 9}.{100 + row}", "zahl": 1.001 + row / 1000, "preis": f"{row},25", "y": "ab"[row % 2]}
        for row in range(60)
    ]
    del rows[1]["menge"]
    comma = {"type": "numeric", "decimal": ","}
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pd.DataFrame(rows).astype({"menge": object}).to_parquet(tmp_path / "rows.parquet")
    for table in (load(tmp_path / "rows.jsonl"), load(tmp_path / "rows.parquet")):
        kinds = {name: plain(kind) for name, kind in table.kinds.items()}
        assert kinds == {"menge": comma, "zahl": "numeric", "preis": comma, "y": "category"}
        whole = [np.nan if row == 1 else 1000 * (1 + row % 9) + 100 + row for row in range(60)]
        np.testing.assert_array_equal(table.X[:, 0], whole)
        np.testing.assert_array_equal(table.X[:, 1], [row["zahl"] for row in rows])
        assert [warning.code for warning in table.warnings] == ["assumed-notation"]
    # A number is no text in another notation, also where only the last of many cells is one.
    rows.append({"menge": 1.877, "zahl": 7, "preis": "1,5", "y": "a"})
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    table = load(tmp_path / "rows.jsonl")
    assert (table.kinds["menge"], plain(table.kinds["preis"])) == ("numeric", comma)
    assert table.X[-1].tolist() == [1.877, 7, 1.5]
