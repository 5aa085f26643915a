"""Tables as people have them: each is read right, or is one mistake at its place, which says what mends it."""

import csv

import numpy as np
import pytest

from specnet.errors import DataError
from specnet.parts.data import Csv
from specnet.parts.data.tables.csv import csv_records
from tests.texts.mistakes import mistake
from tests.texts.pinned import Refused

pytestmark = pytest.mark.usefixtures("one_duckdb")


def load(path, target="y", **fields):
    return Csv(path=path.name, target=target, **fields).load(path.parent, "classes")


def mistake_of(path):
    with pytest.raises(DataError) as caught:
        load(path)
    return caught.value.diagnostics


NUMBERS = "".join(f"{row},{row % 2}\n" for row in range(20))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "fields", "X", "y"),
    [
        ("a;b;y\n1,5;2;0\n2,5;3;1\n", {"decimal": ","}, [[1.5, 2], [2.5, 3]], [0, 1]),
        ("a;b;y\n1,5;2;0\n2;3;1\n", {}, [[1.5, 2], [2, 3]], [0, 1]),
        ("a;b;y\n1;2;0\n", {}, [[1, 2]], [0]),
        ("a\tb\ty\n1\t2\t0\n", {}, [[1, 2]], [0]),
        ("a|b|y\n1|2|0\n", {}, [[1, 2]], [0]),
        ('"a,b,c";y\n1;0\n', {}, [[1]], [0]),
        ("a,b;y\n1,0\n", {"target": "b;y"}, [[1]], [0]),
        ("a^y\n1^0\n", {"delimiter": "^"}, [[1]], [0]),
        ("a,y\n'1',0\n'2,5',1\n", {"quote": "'", "decimal": ","}, [[1], [2.5]], [0, 1]),
        ("ä,y\n1,é\n".encode("latin-1"), {"encoding": "latin-1"}, [[1]], ["é"]),
        ("ä,y\r\n1,é\r\n".encode("utf-16"), {"encoding": "utf-16"}, [[1]], ["é"]),
        ("€,y\n1,“x”\n".encode("cp1252"), {"encoding": "cp1252"}, [[1]], ["“x”"]),
        ("a report\n\na,y\n1,0\n", {"skip": 2}, [[1]], [0]),
        ("1,2,0\n3,4,1\n", {"header": False, "target": "column_3"}, [[1, 2], [3, 4]], [0, 1]),
        ("\N{BYTE ORDER MARK}1,0\n", {"header": False, "target": "column_2"}, [[1]], [0]),
        (",y\n1,0\n", {"columns": {"column_1": "numeric"}}, [[1]], [0]),
        ('"a ""b"";c","x\'y",y\n1,2,0\n', {}, [[1, 2]], [0]),
        (" a , y\n1, 0\n", {}, [[1]], [0]),
        ("a,y\n# 1,0\n2,1\n", {"missing_values": ["# 1"]}, [[np.nan], [2]], [0, 1]),
        ("a,y\nNaN,0\n1,1\nN/A,1\n", {}, [[np.nan], [1], [np.nan]], [0, 1, 1]),
        ("a,b,y\n-999,1,0\n5,2,1\n", {"missing_values": ["-999"]}, [[np.nan, 1], [5, 2]], [0, 1]),
        ("a,y\n1,0\n2,\n", {"missing_target": "drop"}, [[1]], [0]),
        ("a/y\n1/0\nNA/1\n", {"delimiter": "/"}, [[1], [np.nan]], [0, 1]),
    ],
)
def test_tables_that_are_read(file, content, fields, X, y):
    table = load(file(content), **fields)
    np.testing.assert_array_equal(table.X, X)
    assert table.y.tolist() == y


@pytest.mark.parametrize("row", [10, 80])
def test_large_cells_are_read_wherever_they_are(file, row):
    texts = ["red", "blue"] * 45
    texts[row] = "x" * 200_000
    limit = csv.field_size_limit()
    path = file("a,y\n" + "".join(f"{text},{number % 2}\n" for number, text in enumerate(texts)))
    (column,) = load(path).columns
    assert sorted(map(len, column.texts)) == [3, 4, 200_000]
    path.write_text(path.read_text() + "red,\n")
    assert mistake(DataError, lambda: load(path)).position.line == 92
    path.write_text("a,y\n1,0\n" + "x" * 2_100_000 + ",1\n")
    problem = mistake(DataError, lambda: load(path))
    assert (problem.code, problem.position.line) == ("csv-syntax", 3)
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("before", ["", "a,y\n1,0\n"])
def test_a_record_ends_within_ten_million_characters(file, before, refused: Refused):
    with refused(DataError, code="too-large"):
        load(file(before + "," * 10_000_001))


@pytest.mark.slow
def test_millions_of_blank_lines_are_passed_over(file, monkeypatch):
    """More than DuckDB takes in a record: it refuses them or, at other numbers, loses the rows behind them."""
    made, original = [0], csv_records.CsvRecord

    def counted(*args):
        made[0] += 1
        return original(*args)

    monkeypatch.setattr(csv_records, "CsvRecord", counted)
    path = file("a,y\n1,0\n" + "\n" * 2_100_000 + "2,1\n")
    table = load(path)
    assert (table.X.tolist(), table.y.tolist()) == ([[1], [2]], [0, 1])
    assert made[0] < 20
    path.write_text(path.read_text() + "x,1\n")
    assert mistake(DataError, lambda: load(path, columns={"a": "numeric", "y": "category"})).position.line == 2_100_004


def test_the_suffix_tells_of_tabs(tmp_path):
    (tmp_path / "rows.tsv").write_text("a,b,c\ty\n1\t0\n")
    assert Csv(path="rows.tsv", target="y").load(tmp_path, "classes").feature_names == ("a,b,c",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "fields", "code"),
    [
        ("a,b,y\n1,2,0\n# a comment\n3,4,1\n", {}, "ragged-row"),
        ('a,b,y\n1,2,0\n3,"4,1\n5,6,0\n', {}, "csv-syntax"),
        ("a,y\r\n1,0\n2,1\n", {}, "csv-syntax"),
        ("ä,y\n1,0\n".encode("latin-1"), {}, "encoding"),
        ("ä,y\n1,0\n".encode("utf-16"), {}, "encoding"),
        ("a,y\n1,0\n".encode("utf-16-le"), {}, "encoding"),
        (b"\xff\xfea", {"encoding": "utf-16"}, "encoding"),
        (b"PK\x03\x04\x14\0\0\0\x08\0\xe9\xff", {}, "encoding"),
        ("1,2\n3,4\n", {}, "missing-header"),
        ("column_2,,y\n1,2,0\n", {}, "repeated-column"),
        ("a;b;y\n1;2;0\n", {"delimiter": ","}, "unknown-column"),
        ("a,y\n" + NUMBERS + "00123,0\n", {}, "not-a-number"),
        ("a;y\n0.5;0\n" + NUMBERS.replace(",", ";") + "1,5;0\n", {}, "not-a-number"),
        ("a;y\n1,500;0\n2,500;1\n", {}, "no-features"),
        ("a,y\n" + NUMBERS + "1_000,0\n", {}, "not-a-number"),
        ("my column,y\n" + NUMBERS + "x,0\n", {}, "not-a-number"),
        ("a,y\n1,0\n2,\n", {}, "missing-target"),
        ("a,y\nx,0\nz,1\n", {}, "no-features"),
        ("a,y\n1,0\n", {"missing_values": ['"?"']}, "missing-values"),
        ("a;y\n1;0\n", {"missing_values": ["-", "1;2"]}, "missing-values"),
    ],
)
def test_tables_that_are_one_mistake(file, content, fields, code, refused: Refused):
    path = file(content)
    with refused(DataError, code=code) as caught:
        load(path, **fields)
    (problem,) = caught.value.diagnostics
    assert (problem.source == str(path)) == (problem.path == ())


@pytest.mark.parametrize(
    ("content", "encoding", "cell"),
    [
        ("a;y\né;0\n4,50 €;1\n".encode("cp1252"), "cp1252", "4,50 €"),
        ('a,y\n"é, ü",0\n'.encode("cp1252"), "cp1252", "é"),
        ("a\ty\n“x”\t0\nü\t1\n".encode("cp1252"), "cp1252", "“x”"),
        (b"a,y\n\xe9t\xe9,0\n\x81,1\n", "latin-1", "été"),  # Windows has nothing at 81
    ],
)
def test_windows_encoding_is_tried_before_latin_1_and_a_cell_shows_it(file, content, encoding, cell):
    path = file(content)
    (problem,) = mistake_of(path)
    assert problem.hint == f'set data.encoding = "{encoding}", in which a cell is "{cell}", or save the file as UTF-8'
    table = load(path, encoding=encoding, columns={"a": "category", "y": "category"})
    assert cell in [*table.columns[0].texts, *(text.split(",")[0] for text in table.columns[0].texts)]


@pytest.mark.parametrize("name", ["rows.xlsx", "rows.json", "rows.dat", "rows.tab", "rows.parquet", "rows.csv"])
def test_a_file_that_is_no_text_says_how_it_is_read(tmp_path, name, refused: Refused):
    (tmp_path / name).write_bytes(b"PK\x03\x04\x14\0\0\0\x08\0\xe9\xff")
    with refused(DataError, code="encoding"):
        Csv(path=name, target="y").load(tmp_path, "classes")


@pytest.mark.slow
def test_many_columns_of_any_kind_are_judged(file):
    """More columns than a query may have expressions, one of them a category and one with a gap."""
    names = [f"x{number}" for number in range(2100)]
    rows = [
        ["red" if row % 2 else "blue", *("" if (row, n) == (3, 7) else f"{row * n}" for n in range(1, 2100))]
        for row in range(12)
    ]
    path = file(",".join([*names, "y"]) + "\n" + "".join(",".join([*row, "0"]) + "\n" for row in rows))
    table = load(path)
    assert [column.kind for column in table.columns] == ["category", *["numeric"] * 2099]
    expected = np.outer(np.arange(12.0), np.arange(2100))
    expected[:, 0] = np.arange(12) % 2
    expected[3, 7] = np.nan
    np.testing.assert_array_equal(table.X, expected)
