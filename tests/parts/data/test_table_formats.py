"""The same table from csv, parquet, jsonl and a data frame, and the targets that a table can have."""

import gzip
import json

import duckdb
import numpy as np
import pandas as pd
import pytest

from specnet.errors import DataError
from specnet.parts.data import Csv, Jsonl, Parquet, frame_table
from tests.texts.mistakes import mistake
from tests.texts.pinned import Refused

pytestmark = pytest.mark.usefixtures("one_duckdb")

ROWS = 40
PARTS = {"csv": Csv, "gz": Csv, "parquet": Parquet, "jsonl": Jsonl}


def parquet(path, query):
    duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


@pytest.fixture
def frame():
    """Return a data frame with a column of each kind, and gaps."""
    rows = np.arange(ROWS)
    gap = rows % 7 == 3
    return pd.DataFrame(
        {
            "whole": rows,
            "real": np.where(gap, np.nan, rows / 7),
            "flag": rows % 3 == 0,
            "words": np.where(gap, None, np.where(rows % 2, "yes", "no")),
            "day": pd.to_datetime("2024-01-30") + pd.to_timedelta(rows, unit="D"),
            "moment": pd.to_datetime("2024-01-30 10:00:00.25") + pd.to_timedelta(rows * 1001, unit="s"),
            "colour": np.where(gap, None, np.array(["red", "äpfel", 'b,"lue'])[rows % 3]),
            "empty": [None] * ROWS,
            "y": np.array(["u", "v"])[rows % 2],
        }
    )


def written(frame, path):
    if path.suffix == ".parquet":
        texts = {name: object for name in frame if frame[name].dtype == "str"}  # of which older DuckDBs know nothing
        duckdb.from_df(frame.astype(texts)).write_parquet(str(path))
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, date_format="iso", double_precision=15)
    else:
        frame.to_csv(path, index=False)


def of_file(path, **fields):
    return PARTS[path.suffix[1:]](path=path.name, target="y", **fields).load(path.parent, "classes")


@pytest.mark.slow
def test_a_table_is_the_same_from_everywhere(frame, tmp_path):
    X, columns, _ = frame_table(frame.drop(columns="y"))
    kinds = ["numeric", "numeric", "boolean", "boolean", "datetime", "datetime", "category"]
    assert [column.kind for column in columns] == kinds
    for suffix in ("csv", "parquet", "jsonl"):
        written(frame, tmp_path / f"rows.{suffix}")
        table = of_file(tmp_path / f"rows.{suffix}")
        assert [column.name for column in table.columns] == [column.name for column in columns]
        assert [column.kind for column in table.columns] == kinds
        np.testing.assert_allclose(table.X, X, rtol=0 if suffix != "jsonl" else 1e-14)
        assert table.columns[-1].texts.tolist() == columns[-1].texts.tolist() == sorted(["red", "äpfel", 'b,"lue'])
        assert table.y.tolist() == frame["y"].tolist()
        assert table.kinds["empty"] == "ignore"


def test_types_of_parquet_files_are_kept(tmp_path):
    path = parquet(
        tmp_path / "rows.parquet",
        """SELECT i::TINYINT a, (i / 4)::DECIMAL(6, 2) b, i::FLOAT * 0.1::FLOAT c, i::HUGEINT d,
        CASE WHEN i = 3 THEN 'nan'::DOUBLE ELSE i END e, 9007199254740993 + i f, i::VARCHAR g,
        TIMESTAMPTZ '2024-01-31 12:00:00+02:00' h, DATE '1970-01-01' + i::INTEGER "A", i % 2 y
        FROM range(10) t(i)""",
    )
    table = of_file(path)
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
        of_file(path)
    assert of_file(path, columns={"a": "ignore"}).X.tolist() == [[1]]


NO_JSON = [
    '{"a": 1, "y": 0,}',
    '{"a": 1, "y": 0 , }',
    '{"a": nan, "y": 0}',
    '{"a": -Infinity, "y": 0}',
    '{"a": 1, "y":inf}',
    "{'a': 1, 'y': 0}",
    '{"a": 01, "y": 0}',
    '{"a": 1, "y": 0} {"a": 1, "y": 0}',
    '{"a": 1}\r{"a": 2}',
    '{"a": "\t", "y": 0}',
    "null",
    "5",
]
"""Some of it is JSON for DuckDB."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('{"a": 1, "y": 0}\n{"a": [1], "y": 0}\n', "nested-value", 2),
        ('{"a": 1, "y": 0}\n\n{"a": {"b": 1}, "y": 0}\n', "nested-value", 3),
        ('{"a": 1, "a": 2, "y": 0}\n', "repeated-column", 1),
        ('{"a": NaN, "y": 0}\n', "json", 1),
        ('{"a": 1, "y": 0}\n{"": 1, "y": 0}\n', "unnamed-column", 2),
        ('{"a": 1, "y": 0}\n[1, 0]\n', "json", 2),
        ('{"a": 1, "y": 0}\n{"a": 1, "y"\n', "json", 2),
        *(('{"a": 1, "y": 0}\n' + line + "\n", "json", 2) for line in NO_JSON),
        ('{"a": 1, "y": 0}\r\n\r\n{"a": 1, "\\u0000": 2, "y": 0}\r\n', "encoding", 3),
        ('{"a": 1, "y": 0}\n{"a": "' + "x" * 2_000_000 + '", "y": 0}\n', "too-large", 2),
        ("[" * 100_000, "json", 1),
        ('{"a": "x\\u0000", "y": 0}\n', "encoding", 1),
        ('{"a": 1, "y": 0}\n{"a": "\\ud800", "y": 0}\n', "encoding", 2),
        ('{"\\udfff": 1, "y": 0}\n', "encoding", 1),
        ('[{"a": 1, "y": 0},\n {"a": 2, "y": 1}]\n', "json", 1),
        ('{"a": 1, "y": 0}\n{"a": 1}\n', "missing-target", 2),
        ('{"a": 1, "y": 0}\n' * 20 + '{"a": "x", "y": 1}\n', "not-a-number", 21),
        ("{}\n" * 3 + '{"a": 1, "y": 0}\n', "missing-target", 1),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mistakes_in_json_lines_are_found_at_their_lines(tmp_path, text, code, line, refused: Refused):
    (tmp_path / "rows.jsonl").write_text(text)
    with refused(DataError, code=code, varying=r"not JSON: .*") as caught:
        of_file(tmp_path / "rows.jsonl")
    assert [problem.position.line for problem in caught.value.diagnostics] == [line]


def test_json_lines_are_read_by_duckdb_and_their_first_rows_by_python(tmp_path, monkeypatch):
    read, original = [0], json.loads

    def counted(*args, **options):
        read[0] += 1
        return original(*args, **options)

    rows = [{"a": row, "b": None if row % 9 else "", "text": "uv"[row % 2], "y": row % 3} for row in range(1000)]
    (tmp_path / "rows.jsonl").write_text("\ufeff" + "".join(json.dumps(row) + "\n\n" for row in rows))
    monkeypatch.setattr(json, "loads", counted)
    table = of_file(tmp_path / "rows.jsonl")
    assert table.X.tolist() == [[row["a"], row["a"] % 2] for row in rows]
    assert table.y.tolist() == [row["y"] for row in rows]
    assert table.kinds == {"a": "numeric", "b": "ignore", "text": "category", "y": "category"}
    assert read[0] <= 50
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('{"a": "x", "y": 0}\n')
    assert mistake(DataError, lambda: of_file(tmp_path / "rows.jsonl")).position.line == 2001


@pytest.mark.parametrize("text", [",}", '": [', ": nan,", "\\u0000", "[,]", '{"a": NaN}', "a\nb", "é😀"])
def test_texts_that_look_like_mistakes_in_json_are_texts(tmp_path, text):
    rows = "".join(json.dumps({"a": row, "y": text if row % 2 else "x"}) + "\n" for row in range(10))
    (tmp_path / "rows.jsonl").write_text(rows)
    assert of_file(tmp_path / "rows.jsonl").y.tolist() == ["x", text] * 5


def test_names_in_json_lines_are_told_apart_to_the_sign(tmp_path):
    names = ["b", "B", "é", "É", 'q"', "q'", "/0", "$.x", "x.y", "~1", "lower", "LOWER", "Lower"]
    rows = [{name: 100 * row + place for place, name in enumerate(names)} | {"y": row} for row in range(3)]
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write("{}\n" + "".join(json.dumps(row) + "\n" for row in [{"B": 1, "y": 9}, *rows]))
    part = Jsonl(path="rows.jsonl.gz", target="y", missing_target="drop")
    table = part.load(tmp_path, "values")
    order = ["B", *(name for name in names if name != "B")]  # as they come first
    assert table.feature_names == tuple(order)
    assert table.y.tolist() == [9, 0, 1, 2]
    assert table.X[1:].tolist() == [[row[name] for name in order] for row in rows]
    assert np.isnan(table.X[0]).tolist() == [False, *[True] * 12]


def test_numbers_in_json_lines_keep_all_their_digits(tmp_path):
    numbers = ["0.1", "-0.0", "1e-7", "123456789.123456789", "2.5E3", "9007199254740992", "1e308", "4.9e-324", "1.00"]
    rows = "".join(f'{{"a": {number}, "whole": {2**53 + 1 + row}, "y": 0}}\n' for row, number in enumerate(numbers))
    (tmp_path / "rows.jsonl").write_text(rows)
    table = of_file(tmp_path / "rows.jsonl")
    assert table.X[:, 0].tobytes() == np.array([float(number) for number in numbers]).tobytes()
    assert table.kinds["whole"] == "ignore"


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
    table = PARTS[suffix](path=f"part*.{suffix}", target="y", columns=kinds).load(tmp_path, "classes")
    np.testing.assert_array_equal(table.X, [[1, 0], [2, 1], [3, 1], [4, 0]])
    assert table.y.tolist() == [0, 1, 0, 1]


def test_files_of_other_columns_are_refused(tmp_path, refused: Refused):
    (tmp_path / "1.csv").write_text("a,y\n1,0\n")
    (tmp_path / "2.csv").write_text("b,y\n1,0\n")
    with refused(DataError, code="unknown-column", at="2.csv"):
        Csv(path=["1.csv", "2.csv"], target="y").load(tmp_path, "classes")


def test_a_mistake_in_a_later_file_is_found_there(tmp_path, refused: Refused):
    (tmp_path / "1.csv").write_text("a,y\n" + "1,0\n" * 20)
    (tmp_path / "2.csv").write_text("y,a\n0,1\n0,x\n")
    with refused(DataError, code="not-a-number", at="2.csv:3:3"):
        Csv(path="*.csv", target="y").load(tmp_path, "classes")


def test_packed_files_are_read(tmp_path, refused: Refused):
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"a,y\n1,0\n2,1\n"))
    assert of_file(tmp_path / "rows.csv.gz").X.tolist() == [[1], [2]]
    (tmp_path / "rows.csv.gz").write_bytes(b"a,y\n1,0\n2,1\n")
    with refused(DataError, at="rows.csv.gz"):
        of_file(tmp_path / "rows.csv.gz")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "kind", "target", "expected"),
    [
        ("a,y,z\n1,0,yes\n2,1,no\n", "classes", ["y", "z"], [[0, 1], [1, 0]]),
        ("a,y,z\n1,0,1\n2,1,1\n", "classes", ["z", "y"], [[1, 0], [1, 1]]),
        ("a,y,z\n1,0.5,1\n2,1,-1\n", "values", ["y", "z"], [[0.5, 1], [1, -1]]),
        ("a,y\n1,0.5\n2,1\n", "values", ["y"], [0.5, 1]),
        ("a,y\n1,2.0\n2,1\n", "classes", "y", [2, 1]),
        ("a,y\n1,2.5\n2,1\n", "classes", "y", ["2.5", "1"]),
        ("a,y\n1,\n2,1\n3,0\n", "classes", "y", [1, 0]),
        ("a,y\n1,NA\n2,1.5\n3,\n", "values", "y", [1.5]),
        ("a,y,z\n1,,1\n2,1,2\n3,1,\n", "values", ["y", "z"], [[1, 2]]),
    ],
)
def test_targets(file, text, kind, target, expected):
    path = file(text)
    table = Csv(path=path.name, target=target, missing_target="drop").load(path.parent, kind)
    assert table.y.tolist() == expected
    assert len(table.X) == len(table.y)


def test_a_frame_by_said_kinds(frame):
    X, columns, _ = frame_table(frame, {"colour": "category", "whole": "numeric", "y": "ignore", "real": "category"})
    assert [column.name for column in columns] == ["colour", "whole", "real"]
    np.testing.assert_array_equal(X[:, 1], frame["whole"])
    assert columns[2].texts[int(X[1, 2])] == json.dumps(1 / 7)
    assert np.isnan(X[3, 2])


@pytest.mark.parametrize(
    ("columns", "kinds", "code"),
    [
        ({"a": ["x", "1"]}, {"a": "numeric"}, "not-a-number"),
        ({"a": ["x", "1"]}, {"b": "numeric"}, "data"),
        ({"a": [1.0, np.inf]}, {"a": "numeric"}, "data"),
        ({"a": [[1], [2]]}, None, "data"),
        ({"a": ["x", "z"]}, None, "data"),
        ({"a": []}, None, "data"),
        ({"a": ["x\0", "z"]}, None, "data"),
    ],
)
def test_frames_that_are_refused(columns, kinds, code, refused: Refused):
    with refused(DataError, code=code):
        frame_table(pd.DataFrame(columns), kinds)


def test_what_a_frame_is_advised_mends_a_cell_that_is_no_number(refused: Refused):
    cells = pd.Series([*map(str, range(19)), "n/k"], dtype=object)
    with refused(DataError, code="not-a-number"):
        frame_table(pd.DataFrame({"a": cells}))
    for mended, kind in [(cells.replace("n/k", None), "numeric"), (cells.astype("category"), "category")]:
        assert [column.kind for column in frame_table(pd.DataFrame({"a": mended}))[1]] == [kind]
    with refused(DataError, code="not-a-number"):  # a model's columns are of its kinds
        frame_table(pd.DataFrame({"a": cells}), {"a": "numeric"})


def test_frames_of_several_libraries_own_types():
    frame = pd.DataFrame(
        {
            "a": pd.array([1, None, 3], "Int64"),
            "b": pd.array([True, None, False], "boolean"),
            "c": pd.Categorical(["u", None, "v"]),
            "d": pd.to_datetime(["2024-01-31 12:00"] * 3).tz_localize("Europe/Berlin"),
            "e": [2**53 + 1] * 3,
            "f": pd.Series([None, False, True], dtype=object),
            "g": pd.Series([" 1", 2, None], dtype=object),
        }
    )
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
        of_file(path)
    with refused(DataError, code="unnamed-column"):
        frame_table(pd.DataFrame({"": ["red", "blue"] * 10}))


@pytest.mark.parametrize("of", ["BIGINT", "DECIMAL(38,0)"])
def test_whole_numbers_that_floats_do_not_tell_apart_are_no_numbers(tmp_path, of, refused: Refused):
    for number, path in enumerate(("rows.parquet", "more.parquet")):
        kind = of if number else "BIGINT"
        rows = "SELECT (9007199254740992 + i)::{} AS a, i::DECIMAL(9,0) AS b, i % 2 AS y FROM range(10) t(i)"
        parquet(tmp_path / path, rows.format(kind))
    table = Parquet(path=("rows.parquet", "more.parquet"), target="y").load(tmp_path, "classes")
    assert table.kinds == {"a": "ignore", "b": "numeric", "y": "category"}
    for path in ("rows.parquet", "more.parquet"):
        with refused(DataError, code="not-a-number", at=path, varying=r"\w+\.parquet"):
            of_file(tmp_path / path, columns={"a": "numeric", "b": "numeric", "y": "category"})


@pytest.mark.parametrize("column", ["a", "y"])
def test_texts_that_numpy_would_make_one_are_refused(tmp_path, column, refused: Refused):
    texts = {"a": "'x'", "y": "'y'"} | {column: "CASE WHEN i % 2 = 0 THEN 'y' ELSE 'y' || chr(0) END"}
    rows = f"SELECT {texts['a']} AS a, i AS b, {texts['y']} AS y FROM range(20) t(i)"
    with refused(DataError, code="encoding", at="rows.parquet"):
        of_file(parquet(tmp_path / "rows.parquet", rows))
