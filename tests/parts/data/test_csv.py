"""What of CSV files takes many cells or rows to see; ``tests/cases/tables`` has small ones."""

import csv
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from specnet import DataError
from specnet.parts.data.tables.csv_bytes import PIECE
from specnet.parts.data.tables.faults import Dialect, refuse_faulty
from tests.cases.reading import load
from tests.texts.pinned import Refused

pytestmark = pytest.mark.usefixtures("by_duckdb")


def mistakes(path, **fields):
    with pytest.raises(DataError) as caught:
        load(path, **fields)
    return [problem.code for problem in caught.value.diagnostics]


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


def test_twenty_mistakes_are_reported_and_no_more(file):
    names = [f"x{number}" for number in range(30)]
    path = file(",".join([*names, "y"]) + "\n" + ",".join(["?"] * 30 + ["0"]) + "\n")
    assert mistakes(path, columns=dict.fromkeys(names, "numeric")) == ["not-a-number"] * 20


@pytest.mark.slow
@pytest.mark.parametrize("after", range(1, 6))
@pytest.mark.parametrize(
    ("row", "code"),
    [
        ('3,4,1,""\n', "ragged-row"),
        ("3,4,1,\n", "ragged-row"),
        ("3,4,1,", "ragged-row"),
        ("3,4,1,,\n", "ragged-row"),
        ("1,+-2,0\n", "not-a-number"),
        ("1,007,0\n", "not-a-number"),
        ("1,1_0,0\n", "not-a-number"),
        ("1,2,0\r\n", "csv-syntax"),
        ("1,2\0,0\n", "encoding"),
    ],
)
def test_characters_are_seen_wherever_the_file_is_cut(file, row, code, after):
    """The first piece of the file below its header ends so many characters before the last row does."""
    fill = PIECE - len(row) + after
    line = f"1,{'2.'.ljust(1000, '0')},0\n"
    rows = line * (fill // len(line) - 1)
    text = f"a,b,y\n{rows}1,{'2.'.ljust(fill - len(rows) - 5, '0')},0\n{row}"
    assert len(text) == 6 + PIECE + after
    assert mistakes(file(text), columns={"a": "numeric", "b": "numeric"}) == [code]


def test_more_columns_than_are_supported_are_refused_at_the_header(file, refused: Refused):
    with refused(DataError, code="too-large", at="rows.csv:1:1"):
        load(file(",".join(f"x{number}" for number in range(30_000)) + ",y\n"))
    path = file("{" + ",".join(f'"x{number}": 0' for number in range(30_000)) + ', "y": 0}\n')
    with refused(DataError, code="too-large"):
        load(path, type="jsonl")


def test_a_line_end_that_differs_is_found_where_duckdb_refuses_it(file):
    """Some versions of DuckDB read such a file, and others refuse it without saying where."""
    assert load(file('a,y\r\n1,"x\ny"\r\n2,1\r\n')).y.tolist() == ["x\ny", "1"]
    with pytest.raises(DataError, match=r"rows.csv:2:1: .*'\\r\\n'.*'\\n'"):
        refuse_faulty(file("a,y\n1,0\r\n2,1\n"), Dialect(), 2)
    refuse_faulty(file('a,y\r\n1,"x\ny"\r\n2,1'), Dialect(), 2)


def test_large_cells_leave_the_limit_of_other_programs(file):
    limit = csv.field_size_limit()
    texts = ["red", "blue"] * 40 + ["x" * 200_000] + ["red", "blue"] * 4
    (column,) = load(file("a,y\n" + "".join(f"{text},{number % 2}\n" for number, text in enumerate(texts)))).columns
    assert sorted(map(len, column.texts)) == [3, 4, 200_000]
    assert csv.field_size_limit() == limit


@pytest.mark.slow
def test_many_columns_of_any_kind_are_judged(file):
    """More columns than a query may have expressions, one of them a category and one with a gap."""
    names = [f"x{number}" for number in range(1100)]
    rows = [
        ["red" if row % 2 else "blue", *("" if (row, n) == (3, 7) else f"{row * n}" for n in range(1, 1100))]
        for row in range(12)
    ]
    path = file(",".join([*names, "y"]) + "\n" + "".join(",".join([*row, "0"]) + "\n" for row in rows))
    table = load(path)
    assert [column.kind for column in table.columns] == ["category", *["numeric"] * 1099]
    expected = np.outer(np.arange(12.0), np.arange(1100))
    expected[:, 0] = np.arange(12) % 2
    expected[3, 7] = np.nan
    np.testing.assert_array_equal(table.X, expected)
