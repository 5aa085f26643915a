"""What kind a column is of: judged on all its cells, and the same by a slow reading of the rules."""

import datetime
import math
import re
from collections import Counter
from itertools import zip_longest

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specnet.errors import DataError, render
from specnet.parts.data import Csv, Split
from specnet.parts.data.notations import LocalDatetime
from tests.texts.mistakes import mistake
from tests.texts.pinned import Pinned, Refused

pytestmark = pytest.mark.usefixtures("one_duckdb")

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")


def is_number(cell):
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", cell, re.ASCII):
        return False
    digits = cell.lstrip("+-")
    if digits[0] == "0" and digits[1:2].isdigit():
        return False
    if digits.isdigit():
        return int(digits) <= 2**53
    return math.isfinite(float(cell))


def is_date(cell):
    """Return whether Python's own reader takes a cell, which has one of the forms that are meant."""
    form = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?"
    if not re.fullmatch(form, cell, re.ASCII):
        return False
    try:
        datetime.datetime.fromisoformat(cell.replace(" +", "+").replace(" -", "-").replace(" Z", "Z"))
    except ValueError:
        return False
    return True


def judged(cells):
    """Return the kind of a column, or the code of its mistake."""
    present = [cell.strip(" \t") for cell in cells if cell.strip(" \t") not in MISSING]
    if not present:
        return "ignore"
    for pair in (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f")):
        if all(cell.lower() in pair for cell in present):
            return "boolean"
    numbers, dates = sum(map(is_number, present)), sum(map(is_date, present))
    if numbers == len(present):
        return "numeric"
    if dates == len(present):
        return "datetime"
    if numbers >= 0.9 * len(present):
        return "not-a-number"
    if dates >= 0.9 * len(present):
        return "not-a-datetime"
    rows = Counter(re.sub(r"^([+-]?\d+)\.0$", r"\1", cell) for cell in present)
    return "category" if sum(count for count in rows.values() if count >= 5) >= len(present) / 2 else "ignore"


def read(file, cells, **fields):
    """Return a table with the cells as its column ``a``, beside one of numbers."""
    rows = "".join(f'"{cell}",{row},{row % 2}\n' for row, cell in enumerate(cells))
    path = file(f"a,b,y\n{rows}")
    return Csv(path=path.name, target="y", **fields).load(path.parent, "classes")


def found(file, cells):
    try:
        return read(file, cells).kinds["a"]
    except DataError as error:
        (problem,) = error.diagnostics
        return problem.code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "-.5e3", "+7.", "0", "0.5", "-0"], "numeric"),
        (["1", " 2 ", "\t3"], "numeric"),
        (["9007199254740992", "-9007199254740992"], "numeric"),
        (["1e300", "9007199254740993.0", "1e-400"], "numeric"),
        (["1", "NA", "", " nan ", "3"], "numeric"),
        (["", "NA", " NULL "], "ignore"),
        (["true", "False", "TRUE", ""], "boolean"),
        (["yes", "No"], "boolean"),
        (["Y", "n", "N/A"], "boolean"),
        (["t", "F"], "boolean"),
        (["0", "1"], "numeric"),
        (["true", "no"], "ignore"),
        (["true", "no"] * 5, "category"),
        (["2024-01-31", "2024-02-29T12:30", "2024-01-31 12:30:15.25+02:00", "1970-01-01T00:00Z"], "datetime"),
        (["2024-01-31", "2024-02-30"], "ignore"),
        (["2024-01-31"] * 9 + ["2024-02-30"], "not-a-datetime"),
        (["2024-01-31"] * 9 + ["24:00"], "not-a-datetime"),
        (["31/41/2024"] * 5, "category"),
        (["red"] * 5, "category"),
        (["red"] * 4, "ignore"),
        (["red", "blue"] * 5, "category"),
        (["red", "blue"] * 5 + ["green"], "category"),
        (["red"] * 5 + [f"red {row}" for row in range(5)], "category"),
        (["red"] * 5 + [f"red {row}" for row in range(6)], "ignore"),
        (["red"] * 4 + ["blue"] * 4, "ignore"),
        (["2007", "2007.0", "x", "x ", " x"] * 2, "category"),
        (["1"] * 9 + ["x"], "not-a-number"),
        (["1"] * 8 + ["x", "x"], "category"),
        (["1"] * 9 + ["", "", "x"], "not-a-number"),
        *((["1"] * 20 + [cell], "not-a-number") for cell in ("1_000", "00123", "1e400", "inf", "-Inf", "+-1", "0x1F")),
        *((["1"] * 20 + [cell], "not-a-number") for cell in ("9007199254740993", "1,5;", "1.5.2", "1e", "e5", "..")),
        (["1"] * 20 + ["١"], "not-a-number"),
        (["00123", "00124"], "ignore"),
        (["+00.5", "1"], "ignore"),
    ],
)
def test_a_column_is_of_the_first_kind_that_fits_all_its_cells(file, cells, kind):
    assert judged(cells) == kind
    assert found(file, cells) == kind


CELLS = [
    *("", " ", "1", "2.50", "-3e2", "007", "1_0", "1e999", "9007199254740993", "nan", "NA", "x", "x ", "red"),
    *("Yes", "no", "true", "T", "2024-01-31", "2024-01-31 10:00", "2024-02-30", "2024-01-31T10:00:00+05:30"),
    *("5.0", "5", "inf", "0"),
]


COLUMN = st.lists(st.sampled_from(CELLS), min_size=1, max_size=4, unique=True).flatmap(
    lambda cells: st.lists(st.sampled_from(cells), min_size=1, max_size=40)
)


@pytest.mark.slow
@given(st.lists(COLUMN, min_size=8, max_size=8))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_column_is_judged_as_the_rules_say(file, columns):
    """Several of a file at once; what is a mistake is left out to see the others."""
    rows = zip_longest(*columns, range(max(map(len, columns))), fillvalue="")
    names = [f"a{place}" for place in range(len(columns))]
    lines = [[*names, "b", "y"], *([*(f'"{cell}"' for cell in row), "0"] for row in rows)]
    path = file("".join(",".join(line) + "\n" for line in lines))
    part, wrong = Csv(path=path.name, target="y"), {}
    try:
        kinds = part.load(path.parent, "classes").kinds
    except DataError as error:
        wrong = {re.search('column "(a.)"', problem.message)[1]: problem.code for problem in error.diagnostics}
        left_out = part.model_copy(update={"columns": dict.fromkeys(wrong, "ignore")})
        kinds = left_out.load(path.parent, "classes").kinds
    kinds = {name: "datetime" if isinstance(kind, LocalDatetime) else kind for name, kind in kinds.items()}
    assert [wrong.get(name, kinds[name]) for name in names] == [judged(cells) for cells in columns]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "kind"), [("word", "not-a-number"), ("00123", "not-a-number"), ("2.5", "numeric"), ("", "numeric")]
)
def test_the_judgement_rests_on_all_rows(file, cell, kind, refused: Refused):
    """Nothing is taken from the first rows: what differs stands in row 30 001."""
    rows = ["1"] * 30_000 + [cell] + ["2"] * 10
    path = file("a,y\n" + "".join(f"{row},0\n" for row in rows))
    part = Csv(path=path.name, target="y")
    if kind == "numeric":
        X = part.load(path.parent, "classes").X
        np.testing.assert_array_equal(X[30_000, 0], float(cell or "nan"))
        return
    with refused(DataError, code=kind, at="rows.csv:30002:1"):
        part.load(path.parent, "classes")


def test_cells_become_numbers_of_their_kind(file):
    days = ["1970-01-02", "2024-01-31T12:00:00+02:00", "1969-12-31 18:00Z", ""]
    X = read(file, days).X[:, 0]
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    for cell, value in zip(days[:3], X[:3], strict=True):
        moment = datetime.datetime.fromisoformat(cell)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        assert value == (moment - epoch) / datetime.timedelta(days=1)
    assert np.isnan(X[3])
    np.testing.assert_array_equal(read(file, ["YES", "no", "NA"]).X[:, 0], [1, 0, np.nan])


def test_a_category_is_the_place_of_its_text_among_all(file):
    cells = [" b", "ä", "a ", "2007.0", "2007", "NA", "Z", "\N{GRINNING FACE}", "\ufffd"] * 5
    table = read(file, cells, columns={"a": "category"})
    column = table.columns[0]
    assert column.texts.tolist() == sorted({"b", "ä", "a", "2007", "Z", "\N{GRINNING FACE}", "\ufffd"})
    assert column.texts.tolist() == sorted(column.texts.tolist(), key=str.encode)
    texts = ["" if np.isnan(code) else column.texts[int(code)] for code in table.X[:, 0]]
    assert texts == ["b", "ä", "a", "2007", "2007", "", "Z", "\N{GRINNING FACE}", "\ufffd"] * 5


def test_a_format_says_how_dates_are_written(file, refused: Refused):
    kinds = {"a": {"type": "datetime", "format": "%d/%m/%Y %H:%M"}}
    assert read(file, ["02/01/1970 12:00", ""], columns=kinds).X[0, 0] == 1.5
    with refused(DataError, code="not-a-datetime", at="rows.csv:3:1"):
        read(file, ["02/01/1970 12:00", "01/13/1970 12:00"], columns=kinds)


def test_said_kinds_are_kept_and_others_are_judged(file):
    table = read(file, ["1", "2", "3"], columns={"a": "category"})
    assert table.kinds == {"a": "category", "b": "numeric", "y": "category"}
    assert [column.kind for column in table.columns] == ["category", "numeric"]
    table = read(file, ["x", "y", "z"], columns={"a": "ignore"})
    assert table.kinds == {"a": "ignore", "b": "numeric", "y": "category"}
    assert table.warnings == ()


def test_text_that_is_ignored_is_a_warning(file, refused: Refused, pinned: Pinned):
    table = read(file, ["x", "y", "z"])
    assert table.feature_names == ("b",)
    (warning,) = table.warnings
    pinned(render(warning, "warning"))
    with refused(DataError, code="ignored-column", at="features.1"):
        read(file, ["x", "y", "z"], features=["b", "a"])


@pytest.mark.parametrize("first", [2**53 + 1, 10**30])
def test_numbers_that_are_not_exact_are_not_called_text(file, first, pinned: Pinned):
    path = file("a,b,y\n" + "".join(f"{first + row},{row},{row % 2}\n" for row in range(40)))
    (warning,) = Csv(path=path.name, target="y").load(path.parent, "classes").warnings
    pinned(render(warning, "warning"))


def test_a_category_may_have_a_long_tail(file):
    cells = ["rome", "oslo", "bonn", "lima", "kyiv"] * 160 + [f"village {row}" for row in range(200)]
    table = read(file, cells)
    assert (table.kinds["a"], table.warnings) == ("category", ())
    assert len(table.columns[0].texts) == 205


@pytest.mark.slow
def test_a_misfit_names_the_keys_that_mend_it(file):
    hint = 'add "n/k" to data.missing_values, or set data.columns.a = "category" or "ignore"'
    assert mistake(DataError, lambda: read(file, ["1"] * 20 + ["n/k"])).hint == hint
    for cell, missing in (("?", "?"), (" -999 ", "-999")):
        assert np.isnan(read(file, ["1"] * 20 + [cell], missing_values=[missing]).X[20:, 0]).all()


@pytest.mark.slow
def test_what_was_judged_reads_the_same_again(file):
    cells = ["red", "blue", "", "blue", "red"] * 5
    path = file("a,b,c,y\n" + "".join(f"{cell},yes,2024-01-0{row % 9 + 1},u\n" for row, cell in enumerate(cells)))
    part = Csv(path=path.name, target="y")
    table = part.load(path.parent, "classes")
    resolved = part.with_columns(table)
    assert resolved.columns == {"a": "category", "b": "boolean", "c": "datetime", "y": "category"}
    again = resolved.load(path.parent, "classes")
    np.testing.assert_array_equal(again.X, table.X)
    assert resolved.with_columns(again) == resolved
    path.write_text("c,extra,b,a\n2024-01-01,x,no,green\n")
    other = resolved.for_file(str(path)).read_features(path.parent)
    np.testing.assert_array_equal(other.X, [[0, 0, 19723]])
    assert other.columns[0].texts.tolist() == ["green"]


@pytest.mark.parametrize("cells", [["red", "blue"] * 5, ["yes", "no"], ["x", "z"]])
def test_a_time_is_a_number_or_a_date(file, cells, refused: Refused):
    with refused(DataError, code="split", at="split.time"):
        read(file, cells, split=Split(time="a"))


def test_columns_that_list_the_target_list_all(file, refused: Refused):
    with refused(DataError, code="unlisted-column", at="columns"):
        read(file, ["1"], columns={"y": "category", "b": "numeric"})
