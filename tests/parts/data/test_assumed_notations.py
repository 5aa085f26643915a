"""What the cells of a column leave open: decided by the file's other columns and said, or refused with all readings."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from specnet.errors import DataError
from specnet.parts.data import Csv, Jsonl, Parquet, Table, frame_table, kind_of
from specnet.parts.data.notations import DatetimeFormat, DurationFormat, Notation, NumberFormat

pytestmark = pytest.mark.usefixtures("one_duckdb")

File = Callable[..., Path]
COMMA, POINT = NumberFormat(type="numeric", decimal=","), NumberFormat(type="numeric")
ROWS = range(60)


def german(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


THOUSANDS = [german(1000 + 77 * row, 0) for row in ROWS]
"""1.000, 1.077, …: with a point before a fraction they are numbers as well."""
PRICES = [german(1 + row / 7, 2) for row in ROWS]


def table(file: File, target: str = "y", loss: str = "classes", **columns: Any) -> Table:
    """Return a table of columns of cells, with classes as its target; fields of the part begin with ``data_``."""
    fields = {name.removeprefix("data_"): columns.pop(name) for name in [*columns] if name.startswith("data_")}
    columns = {**columns, **({} if target in columns else {target: ["ab"[row % 2] for row in ROWS]})}
    lines = [";".join(columns), *(";".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path = file("\n".join(lines) + "\n")
    return Csv(path=path.name, target=target, **fields).load(path.parent, loss)  # type: ignore[arg-type]


def assumed(table: Table) -> dict[str, str]:
    """Return what the readings of columns assume, by the columns' names."""
    found = [
        re.fullmatch('column "(.*?)": (.*)', each.message) for each in table.warnings if each.code == "assumed-notation"
    ]
    return {match[1]: match[2] for match in found if match}


def test_thousands_are_read_as_the_other_columns_of_the_file_write_numbers(file: File) -> None:
    found = table(file, menge=THOUSANDS, preis=PRICES, filiale=list(ROWS))
    np.testing.assert_array_equal(found.X[:, 0], 1000 + 77 * np.arange(60))
    np.testing.assert_allclose(found.X[:, 1], np.round(1 + np.arange(60) / 7, 2), rtol=1e-12)
    assert assumed(found).keys() == {"menge"}
    assert re.fullmatch(r'"(\d)\.(\d{3})" is read as \1\2, as in column "preis"', assumed(found)["menge"])
    # A later 1.877 of a column of whole numbers is 1877 as well.
    assert found.kinds == {"menge": COMMA, "preis": COMMA, "filiale": COMMA, "y": "category"}
    again = table(file, menge=THOUSANDS, preis=PRICES, filiale=list(ROWS), data_columns=found.kinds)
    np.testing.assert_array_equal(again.X, found.X)
    assert again.warnings == ()


def test_points_of_other_columns_decide_too(file: File) -> None:
    found = table(file, a=THOUSANDS, b=[f"{row / 8}" for row in ROWS])
    np.testing.assert_allclose(found.X[:, 0], 1 + 0.077 * np.arange(60), rtol=1e-12)
    assert found.kinds["a"] == "numeric"
    assert 'as in column "b"' in assumed(found)["a"]
    english = table(file, a=[cell.replace(".", ",") for cell in THOUSANDS], b=[f"{row / 8}" for row in ROWS])
    np.testing.assert_array_equal(english.X[:, 0], 1000 + 77 * np.arange(60))
    assert english.kinds["a"] == POINT


@pytest.mark.parametrize("row", [0, 55])
def test_a_cell_of_the_column_itself_decides_first(file: File, row: int) -> None:
    cells = [*THOUSANDS]
    cells[row] = "1.5"
    found = table(file, a=cells, preis=PRICES)
    assert (found.kinds["a"], assumed(found)) == ("numeric", {})
    assert found.X[row, 0] == 1.5
    assert found.X[1 if row == 0 else 0, 0] in (1.077, 1.0)


@pytest.mark.parametrize(
    "others", [{"b": list(ROWS)}, {"b": PRICES, "c": [f"{row / 8}" for row in ROWS]}], ids=["nothing", "both"]
)
@pytest.mark.parametrize("late", [False, True], ids=["from the first row on", "below many rows"])
def test_where_nothing_decides_both_readings_are_said_and_neither_is_taken(
    file: File, others: dict[str, list[Any]], late: bool
) -> None:
    cells = [str(row) for row in ROWS[:55]] + ["1.877", "2.000", "3.456", "5", "6"] if late else THOUSANDS
    found = table(file, a=cells, **others)
    assert found.kinds["a"] == "ignore"
    (warning,) = [each for each in found.warnings if each.code == "other-notation"]
    assert re.search(r'"(\d)\.(\d{3})" can be \1(\.\2)? or \1(\.?\2)', warning.message)
    assert warning.hint == f"set data.columns.a = {POINT.written()} or {COMMA.written()}"
    # What is written is taken, for the column or for the file.
    for column, file_wide in (("numeric", "."), (COMMA, ",")):
        assert table(file, a=cells, data_columns={"a": column}, **others).kinds["a"] == column
        settled = table(file, a=cells, data_decimal=file_wide, **others)
        assert settled.kinds["a"] == column
        assert [each for each in settled.warnings if 'column "a"' in each.message] == []


@pytest.mark.parametrize("mixed", [False, True])
def test_a_target_that_can_be_either_is_refused(file: File, mixed: bool) -> None:
    others = {"b": [f"{row},5" for row in ROWS], "c": [f"{row}.5" for row in ROWS]} if mixed else {"b": list(ROWS)}
    with pytest.raises(DataError) as caught:
        table(file, "y", "values", y=THOUSANDS, **others)
    (problem,) = caught.value.diagnostics
    assert problem.path == ("target",)
    assert re.search(r'the target "y" is unclear: "\d\.\d{3}" can be', problem.message)
    decided = table(file, "y", "values", y=THOUSANDS, b=PRICES)
    np.testing.assert_array_equal(decided.y, 1000 + 77 * np.arange(60))
    assert decided.kinds["y"] == COMMA


def test_numbers_at_once_do_not_pass_thousands(file: File) -> None:
    """Files of numbers alone are read in one go, in which texts are not looked at."""
    x = [f"{row + 0.5}" for row in ROWS]
    assert table(file, x=x, a=list(ROWS)).kinds["a"] == "numeric"
    found = table(file, x=x, a=[*range(1, 59), "2.000", "7"])
    assert (found.kinds["a"], "as in column" in assumed(found)["a"]) == ("numeric", True)


@pytest.mark.parametrize("marker", ["n/a", "#N/A", "None", "-", ".", "?"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_usual_markers_are_missing_where_the_rest_is_numbers(file: File, marker: str, share: float) -> None:
    cells = [marker if row < share * 60 else f"{row * 1.25}" for row in ROWS]
    texts = [marker if row < 6 else ["red", "blue"][row % 2] for row in ROWS]
    found = table(file, a=cells, b=texts)
    assert found.kinds["a"] == POINT.with_missing([marker])
    np.testing.assert_array_equal(np.isnan(found.X[:, 0]), [cell == marker for cell in cells])
    assert found.kinds["b"] == "category"
    assert found.columns[1].texts is not None
    assert marker in found.columns[1].texts
    assert found.warnings == ()
    # Predictions read the same way, and no other cell as a missing one.
    resolved = Csv(path="rows.csv", target="y", columns=found.kinds)
    path = file(f"a;b\n{marker};red\n1.5;{marker}\n")
    again = resolved.for_file(str(path)).read_features(path.parent)
    np.testing.assert_array_equal(again.X[:, 0], [np.nan, 1.5])
    path = file("a;b\nnone;red\n")
    with pytest.raises(DataError, match="expected a finite number"):
        resolved.for_file(str(path)).read_features(path.parent)


def test_markers_beside_other_notations(file: File) -> None:
    found = table(file, a=["-" if row % 4 == 0 else cell for row, cell in enumerate(PRICES)], b=["?", "5 %"] * 30)
    assert found.kinds["a"] == COMMA.with_missing(["-"])
    assert found.kinds["b"] == NumberFormat(type="numeric", unit="%", missing_values=("?",))


@pytest.mark.parametrize("rows", [2, 8, 30])
def test_an_unknown_marker_is_named_with_the_line_that_mends_it_at_any_share(file: File, rows: int) -> None:
    cells = ["k.A." if row < rows else f"{row * 1.25}" for row in ROWS]
    if rows < 6:  # a mistake among numbers
        with pytest.raises(DataError, match=r'got "k\.A\." in row 1, and in 1 more') as caught:
            table(file, a=cells, b=list(ROWS))
        assert 'add "k.A." to data.missing_values' in (caught.value.diagnostics[0].hint or "")
        return
    (warning,) = table(file, a=cells, b=list(ROWS)).warnings
    assert re.search(
        rf'is (ignored|a category): its cells are numbers such as "[\d.]+", but for "k.A." in {rows} rows',
        warning.message,
    )
    marked = POINT.with_missing(["k.A."])
    assert warning.hint == f"set data.columns.a = {marked.written()}"
    mended = table(file, a=cells, b=list(ROWS), data_columns={"a": marked})
    np.testing.assert_array_equal(np.isnan(mended.X[:, 0]), [row < rows for row in ROWS])


@pytest.mark.parametrize(
    "cells",
    [["1", "2", "3", "X", "Y"] * 12, ["A 1", "B 2", "C3"] * 20, ["12", "rome", "oslo"] * 20],
    ids=["codes", "texts with digits", "one number"],
)
def test_codes_are_no_numbers_with_markers(file: File, cells: list[str]) -> None:
    found = table(file, a=cells, b=list(ROWS))
    assert (found.kinds["a"], found.warnings) == ("category", ())


DAYS = [datetime.date(1955, 1, 1) + datetime.timedelta(days=300 * row) for row in ROWS]


def test_years_of_two_digits_are_of_one_range(file: File) -> None:
    """Born from 1955 to 2003: years up to 68 would be in the next century."""
    found = table(file, born=[f"{day:%d.%m.%y}" for day in DAYS], b=list(ROWS))
    expected = [(day - datetime.date(1970, 1, 1)).days for day in DAYS]
    np.testing.assert_array_equal(found.X[:, 0], expected)
    kind = found.kinds["born"]
    assert isinstance(kind, DatetimeFormat)
    assert kind.format == "%d.%m.%y"
    assert kind.last_year is not None
    assert 2003 < kind.last_year < 2055
    assert re.fullmatch(r'"(\d\d\.\d\d\.)(\d\d)" is read as 19\2-\d\d-\d\d', assumed(found)["born"])


@pytest.mark.parametrize(
    ("years", "is_said"), [(range(2001, 2023), False), (range(1970, 2020), False), (range(2040, 2064), True)]
)
def test_years_of_two_digits_in_the_future_are_said(file: File, years: range, is_said: bool) -> None:
    cells = [f"{1 + row % 28:02}.04.{years[row % len(years)] % 100:02}" for row in ROWS]
    found = table(file, day=cells, b=list(ROWS))
    assert found.kinds["day"] == DatetimeFormat(type="datetime", format="%d.%m.%y")
    assert bool(assumed(found)) == is_said
    if is_said:
        hint = next(each.hint or "" for each in found.warnings)
        last_year = int(re.search(r"last_year = (\d+)", hint)[1])  # type: ignore[index]
        other = {"day": DatetimeFormat(type="datetime", format="%d.%m.%y", last_year=last_year)}
        np.testing.assert_array_equal(
            table(file, day=cells, b=list(ROWS), data_columns=other).X[:, 0] - found.X[:, 0],
            [-36_525] * 60,
        )


@pytest.mark.parametrize("other", [None, "%d/%m/%Y", "%m-%d-%y", "both"])
def test_a_day_that_is_always_the_month_is_no_format(file: File, other: str | None) -> None:
    """The cells are the same days in both orders, and later ones are not."""
    cells = [f"{1 + row % 12:02}/{1 + row % 12:02}/2021" for row in ROWS]
    formats = {"both": ["%d/%m/%Y", "%m-%d-%y"], None: []}.get(other, [other])
    days = [datetime.date(2001, 1, 1) + datetime.timedelta(days=100 * row) for row in ROWS]
    others = {f"c{at}": [day.strftime(form or "") for day in days] for at, form in enumerate(formats)}
    found = table(file, a=cells, b=list(ROWS), **others)
    if len(formats) == 1:
        order = "%d/%m/%Y" if other == "%d/%m/%Y" else "%m/%d/%Y"
        assert found.kinds["a"] == DatetimeFormat(type="datetime", format=order)
        assert 'as in column "c0"' in assumed(found)["a"]
        return
    assert found.kinds["a"] == "category"
    (warning,) = found.warnings
    assert 'is a category: "01/01/2021" can be %d/%m/%Y or %m/%d/%Y' in warning.message
    assert all(form in (warning.hint or "") for form in ("%d/%m/%Y", "%m/%d/%Y"))


@pytest.mark.parametrize("zoned", [0, 20, 60])
def test_times_with_and_without_a_zone_are_said(file: File, zoned: int) -> None:
    cells = [f"2024-01-{1 + row % 28:02}T10:00:00{'Z' if row < zoned else ''}" for row in ROWS]
    found = table(file, t=cells, b=list(ROWS))
    assert kind_of(found.kinds["t"]) == "datetime"
    said = {"t": "40 of 60 times have no zone, and are read as UTC"} if zoned == 20 else {}
    assert assumed(found) == said


DURATIONS: list[tuple[list[str], str, list[float]]] = [
    (["13:02", "0:45", "-1:30"], "minutes", [782, 45, -90]),
    (["1:02:03", "0:00:59.5", "100:00:00"], "seconds", [3723, 59.5, 360_000]),
    (["4h 30m", "2 h", "45m"], "minutes", [270, 120, 45]),
    (["1 day 2 hours", "3 Days", "5h"], "hours", [26, 72, 5]),
    (["90 min", "1.5 min", "2,5 min"], "minutes", [90, 1.5, 2.5]),
    (["2m 30s", "45s", "1h"], "seconds", [150, 45, 3600]),
]


@pytest.mark.parametrize(("cells", "unit", "values"), DURATIONS)
def test_durations_are_numbers_of_their_smallest_unit(
    file: File, cells: list[str], unit: str, values: list[float]
) -> None:
    found = table(file, a=cells * 20, b=list(ROWS))
    assert found.kinds["a"] == DurationFormat(type="numeric", duration=unit)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.X[:3, 0], values)
    # Hours and minutes may be minutes and seconds, or a time of the day.
    assert bool(assumed(found)) == (cells[0] == "13:02")


def test_a_unit_of_one_letter_is_no_duration(file: File) -> None:
    assert table(file, a=["5 m", "12 m", "7 s"] * 20, b=list(ROWS)).kinds["a"] == "category"
    hours = DurationFormat(type="numeric", duration="hours")
    assert table(file, a=["30 m"] * 60, b=list(ROWS), data_columns={"a": hours}).X[0, 0] == 0.5


SPECIFIED: list[tuple[Notation, list[str]]] = [
    (DurationFormat(type="numeric", duration="seconds"), ["13:02", "1:00:00,5", "1d 2h 3m 4.5s", "-2 h", "+5s", "90"]),
    (DurationFormat(type="numeric", duration="days"), ["36h", "1:30", "1 day 12 hours", "30m 2h", "1:60", "h", ""]),
    (DatetimeFormat(type="datetime", format="%d.%m.%y", last_year=1999), ["04.04.63", "01.01.00", "29.02.00", "1.1.1"]),
    (DatetimeFormat(type="datetime", format="%y%%%m-%d", last_year=2030), ["31%01-02", "30%1-2", "30-01-02"]),
    (DatetimeFormat(type="datetime", format="%d.%m.%y", missing_values=("-",)), ["04.04.63", "-", "?"]),
    (NumberFormat(type="numeric", missing_values=("-", "-999")), ["-999", "-999.0", "-999.5", "-", "?", "7"]),
    (NumberFormat(type="numeric", unit="€", decimal=",", missing_values=("9.999,00 €",)), ["9999 €", "€ 9.999", "1 €"]),
]


@pytest.mark.parametrize(("notation", "cells"), SPECIFIED)
def test_python_and_duckdb_read_what_a_spec_specifies_alike(notation: Notation, cells: list[str]) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for cell in (*cells, *(each for text in cells for each in (text[1:], text[:-1], f"{text}0", text.upper()))):
            query = f"SELECT {notation.sql('t')} FROM (SELECT ? AS t)"
            (found,) = connection.execute(query, [cell]).fetchone() or ()
            value = notation.value(cell)
            assert repr(found) == repr(value), cell
    assert any(notation.value(cell) is None for cell in cells) or notation.value("x") is None


def test_a_marker_that_is_a_number_means_the_number(file: File) -> None:
    marked = POINT.with_missing(["-999"])
    found = table(file, a=[["-999", "-999.0", "5"][row % 3] for row in ROWS], b=list(ROWS), data_columns={"a": marked})
    np.testing.assert_array_equal(found.X[:3, 0], [math.nan, math.nan, 5])


@pytest.mark.parametrize(
    ("first", "rows", "names"),
    [
        ("No;Yes;0.0;13911.44", "Yes;No;{x};{x}1.5", ["No", "Yes", "0.0", "13911.44"]),
        ("red;Oslo;S", "{c};{d};S", ["red", "Oslo"]),
        ("2024-01-01;5.5;u", "2024-01-{day};{x};u", ["2024-01-01", "5.5"]),
        ("colour;town;S", "{c};{d};S", []),
        ("country;2019;2020;y", "{c};{x};{x};u", []),
        ("400.5;401.0;401.5;402;y", "{x};{x};{x};{x};u", []),
        ("a;y", "a;u", []),
        ("no;amount;y", "{x};{x};u", []),
    ],
)
def test_a_first_line_like_the_rows_below_is_perhaps_no_header(
    file: File, first: str, rows: str, names: list[str]
) -> None:
    def row(number: int) -> str:
        words = {"x": f"{number * 37 % 100}.25", "c": ["red", "blue"][number % 2], "day": f"{1 + number % 28:02}"}
        return rows.format(**words, d=["Oslo", "Rome", "Bonn"][number % 3])

    path = file("\n".join([first, *map(row, ROWS)]) + "\n")
    warnings = Csv(path=path.name, target=first.rpartition(";")[2]).load(path.parent, "classes").warnings
    found = [each for each in warnings if each.code == "missing-header"]
    if first.startswith("No;"):
        names = names[:3]  # the last one is the target
    shown = ", ".join(f'"{name}"' for name in names)
    expected = [f"the first line is perhaps no header: {shown} are like the cells below"] if names else []
    assert [each.message for each in found] == expected
    assert all(each.position is not None and each.position.line == 1 for each in found)
    assert all("data.header = false" in (each.hint or "") for each in found)


def test_texts_of_data_frames_share_a_notation_too(file: File) -> None:
    columns = {
        "menge": THOUSANDS,
        "preis": PRICES,
        "day": [f"{1 + row % 12:02}.{1 + row % 12:02}.2021" for row in ROWS],
    }
    frame = pd.DataFrame({**columns, "born": [f"{day:%d.%m.%Y}" for day in DAYS], "a": ["-", "5"] * 30})
    X, found, warnings = frame_table(frame)
    of_file = table(file, **{name: frame[name].tolist() for name in frame})
    np.testing.assert_array_equal(X, of_file.X)
    assert {column.name: column.written for column in found} | {"y": "category"} == of_file.kinds
    assert [each.message for each in warnings] == [each.message for each in of_file.warnings]
    # Numbers that are no texts are certain, and so is a marker that is a number.
    mixed = pd.DataFrame({"a": pd.Series([1.877, None, 2.5 - 0.044], dtype=object), "b": PRICES[:3]})
    assert frame_table(mixed)[0][0, 0] == 1.877
    marked = frame_table(pd.DataFrame({"a": [-999.0, 1.5]}), {"a": POINT.with_missing(["-999"])})[0]
    np.testing.assert_array_equal(marked, [[np.nan], [1.5]])


@pytest.mark.parametrize("text", [False, True])
def test_the_notation_of_a_target_is_that_of_its_kind(tmp_path: Path, text: bool):
    """Whether the table is read at once, as numbers alone are, or with texts."""
    lines = (f"{row},{1 + row % 9}.{100 + row},{'ab'[row % 2]}" for row in range(30))
    (tmp_path / "rows.csv").write_text("\n".join(["a,y,b", *lines]))
    columns = {"a": "numeric", "y": {"type": "numeric", "decimal": ","}, "b": "category" if text else "ignore"}
    table = Csv.model_validate({"path": "rows.csv", "target": "y", "columns": columns}).load(tmp_path, "values")
    assert table.y.tolist() == [1000 * (1 + row % 9) + 100 + row for row in range(30)]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_texts_of_json_and_parquet_share_a_notation_and_numbers_do_not(tmp_path: Path, suffix: str) -> None:
    rows = [
        {
            "menge": whole,
            "anzahl": str(row % 3),
            "zahl": 1.001 + row / 1000,
            "preis": price,
            "Preis": str(row % 7),
            "y": "ab"[row % 2],
        }
        for row, whole, price in zip(ROWS, THOUSANDS, PRICES, strict=True)
    ]
    del rows[0]["anzahl"], rows[1]["menge"]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    part: Csv | Jsonl | Parquet = Jsonl(path="t.jsonl", target="y")
    if suffix == ".parquet":
        texts = [{**row, "z": row.pop("Preis")} for row in rows]  # names that differ in case alone
        pd.DataFrame(texts).astype({"menge": object}).to_parquet(tmp_path / "t.parquet")
        part = Parquet(path="t.parquet", target="y")
    found = part.load(tmp_path, "classes")
    kinds = {name: found.kinds[name] for name in ("menge", "anzahl", "zahl", "preis")}
    assert kinds == {"menge": COMMA, "anzahl": COMMA, "zahl": "numeric", "preis": COMMA}
    cells = {column.name: found.X[:, place] for place, column in enumerate(found.columns)}
    np.testing.assert_array_equal(np.delete(cells["menge"], 1), np.delete(1000 + 77 * np.arange(60), 1))
    np.testing.assert_array_equal(cells["zahl"], 1.001 + np.arange(60) / 1000)
    assert assumed(found).keys() == {"menge"}


def test_a_json_number_is_no_text_in_another_notation(tmp_path: Path) -> None:
    """Also where only the last of many cells is one."""
    rows = [
        {"menge": whole, "preis": price, "y": "ab"[row % 2]}
        for row, whole, price in zip(ROWS, THOUSANDS, PRICES, strict=True)
    ]
    lines = [json.dumps(row) for row in [*rows, {"menge": 1.877, "preis": "1,5", "y": "a"}]]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    found = Jsonl(path="t.jsonl", target="y").load(tmp_path, "classes")
    assert (found.kinds["menge"], found.kinds["preis"]) == ("numeric", COMMA)
    assert found.X[-1].tolist() == [1.877, 1.5]
