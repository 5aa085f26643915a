"""The same table from CSV, Parquet, JSON lines and a data frame, and what is of one of these alone."""

import datetime
import gzip
import json

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specnet import DataError
from specnet.parts.data import frame_table
from tests.cases.reading import load
from tests.texts.pinned import Refused

ROWS = 20


def parquet(path, query):
    duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def written(frame, path):
    if path.suffix == ".parquet":
        texts = {name: object for name in frame if frame[name].dtype == "str"}  # of which older DuckDBs know nothing
        duckdb.from_df(frame.astype(texts)).write_parquet(str(path))
    elif path.suffix == ".jsonl":
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        path.write_text("".join(json.dumps(row, default=lambda moment: moment.isoformat()) + "\n" for row in rows))
    else:
        frame.to_csv(path, index=False)


def cells(values, gaps=True):
    """Draw the cells of a column: any of some values, with gaps behind the first row."""
    rest = st.none() | values if gaps else values
    return st.tuples(values, st.lists(rest, min_size=ROWS - 1, max_size=ROWS - 1)).map(
        lambda drawn: [drawn[0], *drawn[1]]
    )


def moments(**options):
    return st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1), **options)


COLUMNS = {
    "whole": cells(st.integers(-(2**53), 2**53), gaps=False),
    "real": cells(st.floats(allow_nan=False, allow_infinity=False)),
    "flag": cells(st.booleans(), gaps=False),
    "words": cells(st.sampled_from(["yes", "no"])),
    "day": cells(moments().map(lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0)), gaps=False),
    "moment": cells(moments()),
    "colour": cells(st.sampled_from(["red", "äpfel", 'b,"lue'])),
    "empty": st.just([None] * ROWS),
    "y": st.just(["u", "v"] * (ROWS // 2)),
}


@given(st.fixed_dictionaries(COLUMNS))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_table_is_the_same_from_everywhere(tmp_path, columns):
    frame = pd.DataFrame({name: columns[name] for name in COLUMNS}).astype(
        {"words": object, "colour": object, "real": float}
    )
    X, found, _ = frame_table(frame.drop(columns="y"))
    kinds = ["numeric", "numeric", "boolean", "boolean", "datetime", "datetime"]
    assert [column.kind for column in found[:6]] == kinds
    np.testing.assert_array_equal(X[:, 0], columns["whole"])
    np.testing.assert_array_equal(X[:, 1], [np.nan if cell is None else cell for cell in columns["real"]])
    for suffix in ("csv", "parquet", "jsonl"):
        written(frame, tmp_path / f"rows.{suffix}")
        table = load(tmp_path / f"rows.{suffix}")
        described = [[(column.name, column.kind) for column in columns] for columns in (table.columns, found)]
        assert described[0] == described[1]
        np.testing.assert_array_equal(table.X, X, suffix)
        np.testing.assert_array_equal(table.columns[-1].texts, found[-1].texts)
        assert table.y.tolist() == columns["y"]
        assert table.kinds["empty"] == "ignore"


def test_types_of_parquet_files_are_kept(tmp_path):
    path = parquet(
        tmp_path / "rows.parquet",
        """SELECT i::TINYINT a, (i / 4)::DECIMAL(6, 2) b, i::FLOAT * 0.1::FLOAT c, i::HUGEINT d,
        CASE WHEN i = 3 THEN 'nan'::DOUBLE ELSE i END e, 9007199254740993 + i f, i::VARCHAR g,
        TIMESTAMPTZ '2024-01-31 12:00:00+02:00' h, DATE '1970-01-01' + i::INTEGER "A", i % 2 y
        FROM range(10) t(i)""",
    )
    table = load(path)
    rows = np.arange(10.0)
    expected = [rows, rows / 4, np.float32(rows) * np.float32(0.1), rows, np.where(rows == 3, np.nan, rows), rows]
    np.testing.assert_array_equal(table.X[:, :6].T, expected)
    assert table.kinds["f"] == "ignore"
    np.testing.assert_array_equal(table.X[:, 6], [19753 + 10 / 24] * 10)
    np.testing.assert_array_equal(table.X[:, 7], rows)


@pytest.mark.slow
@pytest.mark.parametrize("of", ["[1, 2]", "{'a': 1}", "'x'::BLOB", "MAP {'a': 1}"])
def test_nested_values_are_refused_where_they_are_wanted(tmp_path, of, refused: Refused):
    path = parquet(tmp_path / "rows.parquet", f"SELECT {of} AS a, 1 AS b, 0 AS y")
    with refused(DataError, code="nested-value", at="rows.parquet"):
        load(path)
    assert load(path, columns={"a": "ignore"}).X.tolist() == [[1]]


def test_names_in_json_lines_are_told_apart_to_the_sign(tmp_path):
    names = ["b", "B", "é", "É", 'q"', "q'", "/0", "$.x", "x.y", "~1", "lower", "LOWER", "Lower"]
    rows = [{name: 100 * row + place for place, name in enumerate(names)} | {"y": row} for row in range(3)]
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write("{}\n" + "".join(json.dumps(row) + "\n" for row in [{"B": 1, "y": 9}, *rows]))
    table = load(tmp_path / "rows.jsonl.gz", "values", missing_target="drop")
    order = ["B", *(name for name in names if name != "B")]  # as they come first
    assert table.feature_names == tuple(order)
    assert table.y.tolist() == [9, 0, 1, 2]
    assert table.X[1:].tolist() == [[row[name] for name in order] for row in rows]
    assert np.isnan(table.X[0]).tolist() == [False, *[True] * 12]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_several_files_are_one_table_whatever_the_order_of_their_columns(tmp_path, suffix):
    whole = pd.DataFrame({"a": [1, 2, 3, 4], "A": ["p", "q", "q", "p"], "y": [0, 1, 0, 1]})
    written(whole[:2], tmp_path / f"part1.{suffix}")
    if suffix == "parquet":  # DuckDB's names ignore case, and the file's do not
        whole = whole.rename(columns={"A": "b"})
        written(whole[:2], tmp_path / f"part1.{suffix}")
    written(whole[2:][["y", whole.columns[1], "a"]], tmp_path / f"part2.{suffix}")
    kinds = {whole.columns[1]: "category"}
    table = load(tmp_path / f"part*.{suffix}", columns=kinds)
    np.testing.assert_array_equal(table.X, [[1, 0], [2, 1], [3, 1], [4, 0]])
    assert table.y.tolist() == [0, 1, 0, 1]


def test_files_of_other_columns_are_refused(tmp_path, refused: Refused):
    (tmp_path / "1.csv").write_text("a,y\n1,0\n")
    (tmp_path / "2.csv").write_text("b,y\n1,0\n")
    with refused(DataError, code="unknown-column", at="2.csv"):
        load(tmp_path / "1.csv", path=["1.csv", "2.csv"])


def test_a_mistake_in_a_later_file_is_found_there(tmp_path, refused: Refused):
    (tmp_path / "1.csv").write_text("a,y\n" + "1,0\n" * 20)
    (tmp_path / "2.csv").write_text("y,a\n0,1\n0,x\n")
    with refused(DataError, code="not-a-number", at="2.csv:3:3"):
        load(tmp_path / "*.csv")


def test_packed_files_are_read(tmp_path, refused: Refused):
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"a,y\n1,0\n2,1\n"))
    assert load(tmp_path / "rows.csv.gz").X.tolist() == [[1], [2]]
    (tmp_path / "rows.csv.gz").write_bytes(b"a,y\n1,0\n2,1\n")
    with refused(DataError, at="rows.csv.gz"):
        load(tmp_path / "rows.csv.gz")


def test_a_frame_by_specified_kinds():
    frame = pd.DataFrame({"whole": range(5), "real": [0.5, 1 / 7, 2, None, 3], "colour": list("rgbrg")})
    X, columns, _ = frame_table(frame, {"colour": "category", "whole": "numeric", "y": "ignore", "real": "category"})
    assert [column.name for column in columns] == ["colour", "whole", "real"]
    np.testing.assert_array_equal(X[:, 1], frame["whole"])
    assert columns[2].texts[int(X[1, 2])] == json.dumps(1 / 7)
    assert np.isnan(X[3, 2])


def test_frames_that_are_refused(refused: Refused):
    for kinds, code in (({"a": "numeric"}, "not-a-number"), ({"b": "numeric"}, "data")):
        with refused(DataError, code=code):
            frame_table(pd.DataFrame({"a": ["x", "1"]}), kinds)
    for cells, kind in (([1.0, np.inf], {"a": "numeric"}), *((c, None) for c in ([[1], [2]], ["x", "z"], [], ["x\0"]))):
        with refused(DataError, code="data"):
            frame_table(pd.DataFrame({"a": cells}), kind)


def test_what_a_frame_is_advised_mends_a_cell_that_is_no_number(refused: Refused):
    cells = pd.Series([*map(str, range(19)), "n/k"], dtype=object)
    with refused(DataError, code="not-a-number"):
        frame_table(pd.DataFrame({"a": cells}))
    for mended, kind in [(cells.replace("n/k", None), "numeric"), (cells.astype("category"), "category")]:
        assert [column.kind for column in frame_table(pd.DataFrame({"a": mended}))[1]] == [kind]
    with refused(DataError, code="not-a-number"):  # a model's columns are of its kinds
        frame_table(pd.DataFrame({"a": cells}), {"a": "numeric"})


def test_frames_of_several_libraries_own_types():
    columns = {
        "a": pd.array([1, None, 3], "Int64"),
        "b": pd.array([True, None, False], "boolean"),
        "c": pd.Categorical(["u", None, "v"]),
        "d": pd.to_datetime(["2024-01-31 12:00"] * 3).tz_localize("Europe/Berlin"),
        "e": [2**53 + 1] * 3,
        "f": pd.Series([None, False, True], dtype=object),
        "g": pd.Series([" 1", 2, None], dtype=object),
    }
    frame = pd.DataFrame(columns)
    X, columns, _ = frame_table(frame)
    kinds = ["numeric", "boolean", "category", "datetime", "boolean", "numeric"]
    assert [column.kind for column in columns] == kinds
    nan = np.nan
    expected = [[1, nan, 3], [1, nan, 0], [0, nan, 1], [19753 + 11 / 24] * 3, [nan, 0, 1], [1, 2, nan]]
    np.testing.assert_array_equal(X, np.transpose(expected))


def test_a_column_without_a_name_is_refused(tmp_path, refused: Refused):
    path = parquet(tmp_path / "rows.parquet", "SELECT 'red' AS a, 0 AS y")
    content = path.read_bytes()
    unnamed = content.replace(b"\x18\x01a", b"\x18\x00")  # Thrift's field 4, a text of one byte
    length = int.from_bytes(content[-8:-4], "little") - (len(content) - len(unnamed))
    path.write_bytes(unnamed[:-8] + length.to_bytes(4, "little") + unnamed[-4:])
    with refused(DataError, code="unnamed-column", at="rows.parquet"):
        load(path)
    with refused(DataError, code="unnamed-column"):
        frame_table(pd.DataFrame({"": ["red", "blue"] * 10}))


@pytest.mark.parametrize("of", ["BIGINT", "DECIMAL(38,0)"])
def test_whole_numbers_that_floats_do_not_tell_apart_are_no_numbers(tmp_path, of, refused: Refused):
    for number, path in enumerate(("rows.parquet", "more.parquet")):
        kind = of if number else "BIGINT"
        rows = "SELECT (9007199254740992 + i)::{} AS a, i::DECIMAL(9,0) AS b, i % 2 AS y FROM range(10) t(i)"
        parquet(tmp_path / path, rows.format(kind))
    table = load(tmp_path / "rows.parquet", path=["rows.parquet", "more.parquet"])
    assert table.kinds == {"a": "ignore", "b": "numeric", "y": "category"}
    for path in ("rows.parquet", "more.parquet"):
        with refused(DataError, code="not-a-number", at=path, varying=r"\w+\.parquet"):
            load(tmp_path / path, columns={"a": "numeric", "b": "numeric", "y": "category"})


@pytest.mark.parametrize("column", ["a", "y"])
def test_texts_that_numpy_would_make_one_are_refused(tmp_path, column, refused: Refused):
    texts = {"a": "'x'", "y": "'y'"} | {column: "CASE WHEN i % 2 = 0 THEN 'y' ELSE 'y' || chr(0) END"}
    rows = f"SELECT {texts['a']} AS a, i AS b, {texts['y']} AS y FROM range(20) t(i)"
    with refused(DataError, code="encoding", at="rows.parquet"):
        load(parquet(tmp_path / "rows.parquet", rows))
