"""Rows from CSV files: nothing is guessed, and each mistake is found at its place."""

import csv
import io
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specnet.errors import DataError
from specnet.parts.data import Csv
from specnet.parts.data.tables import table_reading
from specnet.parts.data.tables.csv import csv_files, csv_signs
from specnet.parts.data.tables.csv.csv_records import Dialect, refuse_faulty
from tests.texts.pinned import Pinned, Refused

pytestmark = pytest.mark.usefixtures("one_duckdb")


def load(path, kind="classes", target="y", **fields):
    return Csv(path=path.name, target=target, **fields).load(path.parent, kind)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "X", "y"),
    [
        ("a,b,y\n1,2,0\n3,4,1\n", [[1, 2], [3, 4]], [0, 1]),
        ("a,y,b\n1,0,2\n3,1,4", [[1, 2], [3, 4]], [0, 1]),
        ("\N{BYTE ORDER MARK}a,y\r\n1,0\r\n", [[1]], [0]),
        ('"a","y"\n"1","0"\n', [[1]], [0]),
        ('"a\nb","y,z",y\n1,2,0\n', [[1, 2]], [0]),
        ("a,y\n1,0\n\n\n2,1\n\n", [[1], [2]], [0, 1]),
        ("a,y\n 1 ,0\n+2.50,1\n-.5e-1,2\n3.,3\n", [[1], [2.5], [-0.05], [3]], [0, 1, 2, 3]),
        ("a,y\n1,00123\n1,7\n", [[1], [1]], ["00123", "7"]),
        ("a,y\n1,1.0\n", [[1]], [1]),
        ("a,y\n1,1.00\n", [[1]], ["1.00"]),
        ("a,y\n1, x \n", [[1]], ["x"]),
        ("a,y\n1,-3\n2,5\n", [[1], [2]], [-3, 5]),
        ("a,y\n1\v,1\n\f2,0\n", [[1], [2]], [1, 0]),
        ('a,y\n1,0\n"2\n",1\n', [[1], [2]], [0, 1]),
        ("a,y\n1,99999999999999999999\n", [[1]], ["99999999999999999999"]),
        ('a,y\n1,"say ""hi"", you"\n', [[1]], ['say "hi", you']),
        ("a,y\n1,N.A.\n2,#x\n3,nAn\n", [[1], [2], [3]], ["N.A.", "#x", "nAn"]),
        ("A,a,y\n1,2,ä\n", [[1, 2]], ["ä"]),
        ("a,y\n1,-9223372036854775808\n2,9223372036854775807\n", [[1], [2]], [-(2**63), 2**63 - 1]),
        ("a,y\n1e-400,0\n-0,1\n", [[0], [0]], [0, 1]),
        *(
            (f'\N{BYTE ORDER MARK}"a{end}{end}b","y"{end}1,0{end}2,1{end}', [[1], [2]], [0, 1])
            for end in ("\n", "\r\n", "\r")
        ),
    ],
)
def test_what_a_csv_file_says(file, text, X, y):
    table = load(file(text))
    np.testing.assert_array_equal(table.X, X)
    assert table.y.tolist() == y


def test_columns_are_found_by_name(file):
    table = load(file("a,text,b,y\n1,hello,2,0.5\n3,,4,-1e3\n"), "values", features=["b", "a"])
    np.testing.assert_array_equal(table.X, [[2, 1], [4, 3]])
    np.testing.assert_array_equal(table.y, [0.5, -1000])
    assert table.feature_names == ("b", "a")


def test_features_that_were_found_can_be_kept(file):
    path = file("a,y,b\n1,0,2\n")
    source = Csv(path=path.name, target="y")
    assert source.sizes().inputs is None
    kept = source.with_columns(source.load(path.parent, "classes"))
    assert kept.features is None
    assert kept.columns == {"a": "numeric", "y": "category", "b": "numeric"}
    assert kept.feature_names == ("a", "b")
    assert kept.sizes().inputs == 2


@pytest.mark.slow
def test_decimals_halfway_between_floats_are_rounded_as_python_rounds_them(file):
    """The longest and the closest decimals: a sloppy conversion is off in the last digit."""
    generator = np.random.default_rng(0)
    cells = ["2.4703282292062327208e-324", "2.2250738585072011e-308", "9007199254740993.0", "1.7976931348623158e308"]
    for number in np.abs(generator.integers(1, 2**63 - 2**53, 3000).view(np.float64)):
        above = math.nextafter(number, math.inf)
        if math.isfinite(number) and math.isfinite(above):
            half = (Fraction(float(number)) + Fraction(above)) / 2
            with localcontext(prec=1200):
                digits, _, exponent = f"{Decimal(half.numerator) / Decimal(half.denominator):e}".partition("e")
            cells += [f"{digits}{more}e{exponent}" for more in ("", "00001")]
            cells += [f"{digits[:length]}e{exponent}" for length in (17, 19, 21, 40)]
    assert len(cells) > 10_000
    path = file("a,y\n" + "".join(f"{cell},0\n" for cell in cells))
    np.testing.assert_array_equal(load(path).X[:, 0], [float(cell) for cell in cells])


def test_reading_carefully_changes_no_number(file):
    """A quoted cell, far away, has every cell looked at as text first."""
    numbers = np.random.default_rng(0).standard_normal((500, 3))
    text = "a,b,c,y\n" + "".join(",".join(map(repr, row)) + ",0\n" for row in numbers.tolist())
    plain, careful = (load(file(text + last)).X for last in ("1,2,3,0\n", '1,2,"3",0\n'))
    np.testing.assert_array_equal(plain, [*numbers, [1, 2, 3]])
    np.testing.assert_array_equal(careful, plain)


def test_the_first_mistake_of_each_column_is_told(file, refused: Refused):
    path = file("a,b,y\n1,2,0\n" + "x,2,0\n" * 2 + "x,z,0\n" + "x,2,1\n")
    kinds = {"a": "numeric", "b": "numeric"}
    assert mistakes(path, columns=kinds) == [("not-a-number", (3, 1, 1)), ("not-a-number", (5, 3, 1))]
    with refused(DataError, code="not-a-number", at="rows.csv:3:1") as caught:
        load(path, columns=kinds)
    assert len(caught.value.diagnostics) == 2


@pytest.mark.slow
def test_so_many_mistakes_are_told_and_no_more(file):
    names = [f"x{number}" for number in range(30)]
    path = file(",".join([*names, "y"]) + "\n" + ",".join(["?"] * 30 + ["0"]) + "\n")
    assert len(mistakes(path, columns=dict.fromkeys(names, "numeric"))) == table_reading.MOST_MISTAKES


@pytest.mark.slow
@pytest.mark.parametrize("piece", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('a,b,y\n"1",2,0\n3,4,1,""\n', "ragged-row"),
        ('a,b,y\n"1",2,0\n3,4,1,\n', "ragged-row"),
        ('a,b,y\n"1",2,0\n3,4,1,', "ragged-row"),
        ("a,b,y\n1,2,0\n3,4,1,,\n", "ragged-row"),
        ("a,b,y\n1,+-2,0\n", "not-a-number"),
        ("a,b,y\n1,007,0\n", "not-a-number"),
        ("a,b,y\n1,1_0,0\n", "not-a-number"),
        ("a,b,y\n1,2,0\r\n", "csv-syntax"),
        ("a,b,y\n1,2\0,0\n", "encoding"),
    ],
)
def test_signs_are_seen_wherever_the_file_is_cut(file, monkeypatch, text, code, piece):
    monkeypatch.setattr(csv_signs, "PIECE", piece)
    assert [found for found, _ in mistakes(file(text), columns={"a": "numeric", "b": "numeric"})] == [code]


def test_more_columns_than_are_supported_are_refused_at_the_header(file, refused: Refused):
    names = ",".join(f"x{number}" for number in range(csv_files.MOST_COLUMNS))
    with refused(DataError, code="too-large", at="rows.csv:1:1"):
        load(file(f"{names},y\n"))


@pytest.mark.slow
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=150))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_come_back_bit_for_bit(file, numbers):
    path = file("a,y\n" + "".join(f"{number!r},{number!r}\n" for number in numbers))
    table = load(path, "values")
    np.testing.assert_array_equal(table.X[:, 0], numbers)
    np.testing.assert_array_equal(table.y, numbers)


@pytest.mark.slow
def test_nothing_is_guessed_far_down_and_rows_keep_their_order(file):
    """DuckDB's own guess reads the 1.5 in row 30 001 as 2."""
    rows = [["1", f"{row:05}"] for row in range(70_000)]
    rows[30_000][0] = "1.5"
    text = io.StringIO()
    csv.writer(text).writerows([["a", "y"], *rows])
    table = load(file(text.getvalue()))
    assert table.X.sum() == 70_000.5
    assert table.X[30_000, 0] == 1.5
    assert table.y.tolist() == [label for _, label in rows]


NO_NUMBERS = (
    *("1 2", "inf", "Infinity", "1e999", "1_0", "1e1_0", "+-1", "0x1"),
    *("1;5", "−1", "٣", "1e", "--1", "00123", "9007199254740993"),
)


def mistakes(path, kind="classes", told=str, **fields):
    with pytest.raises(DataError) as caught:
        load(path, kind, **fields)
    told(caught.value)
    return [
        (problem.code, problem.position and (problem.position.line, problem.position.column, problem.position.length))
        for problem in caught.value.diagnostics
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("", "classes", [("missing-header", (1, 1, 1))]),
        ("\n1,2\n", "classes", [("missing-header", (1, 1, 1))]),
        ("1,2\n3,4\n", "classes", [("missing-header", (1, 1, 1))]),
        ('a,"b\nc",y\r\n1,2,0\r\n', "classes", [("csv-syntax", (1, 3, 2))]),
        ('a,"",y,a\n1,2,0,1\n', "classes", [("repeated-column", (1, 8, 1))]),
        ("a,y\n", "classes", [("empty", None)]),
        ("y\n1\n", "classes", [("no-features", None)]),
        ("a,y\n1,0\n2\n", "classes", [("ragged-row", (3, 1, 1))]),
        ("a,y\n1,0\n2,1,3\n", "classes", [("ragged-row", (3, 1, 5))]),
        ("a,b,y\n1,2,0,\n3,4,1\n", "classes", [("ragged-row", (2, 1, 6))]),
        ("a,b,y\n1,2,0\n3,4,1,,\n", "classes", [("ragged-row", (3, 1, 7))]),
        ("a,b,y\r\n1,2,0,\r\n", "classes", [("ragged-row", (2, 1, 6))]),
        ("a,b,y\n1,2,0,", "classes", [("ragged-row", (2, 1, 6))]),
        ('a,b,y\n"1,5",2,0\n3,4,1,\n', "classes", [("ragged-row", (3, 1, 6))]),
        ('a,b,y\n1,2,0\n3,4,1,""\n', "classes", [("ragged-row", (3, 1, 8))]),
        ("a,y\n1,lab\n2,lab\0\n", "classes", [("encoding", (3, 3, 4))]),
        ("a,y\n1,0\n2,\n", "classes", [("missing-target", (3, 3, 1))]),
        ("a,y\n1,0\n2, NA \n", "values", [("missing-target", (3, 3, 4))]),
        ("a,y\n1,0\nabc,1\n", "classes", [("not-a-number", (3, 1, 3))]),
        ("a,y\n1,0\n2,abc\n", "values", [("not-a-number", (3, 3, 3))]),
        ("a,b,y\n1,2,0\nx,2,0\ny,z,\n", "classes", [("not-a-number", (3, 1, 1)), ("not-a-number", (4, 3, 1))]),
        ('a,b,y\n1,"2\n3",0\n', "classes", [("not-a-number", (2, 3, 2))]),
        ('a,b,y\n"1\n\n2",x,0\n', "classes", [("not-a-number", (2, 1, 2)), ("not-a-number", (4, 4, 1))]),
        ("a,y\n\n1,0\n\n\nx,1\n", "classes", [("not-a-number", (6, 1, 1))]),
        ('a,y\n1,"x"z\n', "classes", [("csv-syntax", (2, 1, 6))]),
        ('a,y\n1,"x\n', "classes", [("csv-syntax", (2, 1, 4))]),
        (b"a,y\n1,\xe4\n", "classes", [("encoding", (2, 3, 1))]),
        (b"a,\xe4,y\n1,2,0\n", "classes", [("encoding", (1, 3, 1))]),
        (b"a,y\n1,0\n\x00,1\n", "classes", [("encoding", (3, 1, 1))]),
        *((f"a,y\n1,0\n{cell},1\n", "classes", [("not-a-number", (3, 1, len(cell)))]) for cell in NO_NUMBERS),
    ],
)
def test_mistakes_in_a_file_are_found_at_their_places(file, text, kind, expected, pinned: Pinned):
    first = (text.decode("latin-1") if isinstance(text, bytes) else text).partition("\n")[0].split(",")
    columns = {name: "numeric" for name in "ab" if name in first}
    assert mistakes(file(text), kind, pinned, columns=columns) == expected


def test_a_line_end_that_differs_is_found_where_duckdb_refuses_it(file):
    """Some versions of DuckDB read such a file, and others refuse it without saying where."""
    assert mistakes(file("a,y\n1,0\r\n2,1\n")) == [("csv-syntax", (2, 1, 3))]
    assert load(file('a,y\r\n1,"x\ny"\r\n2,1\r\n')).y.tolist() == ["x\ny", "1"]
    with pytest.raises(DataError, match=r"rows.csv:2:1: .*'\\r\\n'.*'\\n'"):
        refuse_faulty(file("a,y\n1,0\r\n2,1\n"), Dialect(), 2)
    refuse_faulty(file('a,y\r\n1,"x\ny"\r\n2,1'), Dialect(), 2)


@pytest.mark.slow
def test_a_mistake_far_down_is_found_at_its_line(file):
    assert mistakes(file("a,y\n" + "1,0\n\n" * 25_000 + "x,0\n")) == [("not-a-number", (50_002, 1, 1))]


def test_the_row_is_counted_and_the_column_named(file, refused: Refused):
    with refused(DataError, code="not-a-number", at="rows.csv:4:3"):
        load(file("a,b,y\n1,2,0\n\n1,x,0\n"), columns={"b": "numeric"})


@pytest.mark.parametrize(
    "header", ["a,b,yy", "a,b,target", "a;b;y", "a\ty", ",".join(f"column_{number}" for number in range(20))]
)
def test_a_target_that_is_not_there(file, header, refused: Refused):
    with refused(DataError, code="unknown-column", at="target") as caught:
        load(file(header + "\n"), delimiter=",")
    assert len(caught.value.diagnostics) == 1
