"""What kind a column is of: judged on all its cells, as a slow reading of the rules says."""

import datetime
import math
import re
from collections import Counter
from itertools import zip_longest

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specnet import DataError
from specnet.parts.data import kind_of
from tests.cases.reading import source

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
    """Return whether Python's own reader takes a cell, which has one of the supported forms."""
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


CELLS = [
    *("", " ", "1", "2.50", "-3e2", "007", "1_0", "1e999", "9007199254740993", "nan", "NA", "x", "x ", "red"),
    *("Yes", "no", "true", "T", "2024-01-31", "2024-01-31 10:00", "2024-02-30", "2024-01-31T10:00:00+05:30"),
    *("5.0", "5", "inf", "0"),
]
COLUMN = st.lists(st.sampled_from(CELLS), min_size=1, max_size=4, unique=True).flatmap(
    lambda cells: st.lists(st.sampled_from(cells), min_size=1, max_size=40)
)


@given(st.lists(COLUMN, min_size=8, max_size=8))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_column_is_judged_as_the_rules_say_and_read_the_same_again(file, columns):
    """Several of a file at once; what is a mistake is left out to see the others."""
    rows = zip_longest(*columns, range(max(map(len, columns))), fillvalue="")
    names = [f"a{place}" for place in range(len(columns))]
    lines = [[*names, "b", "y"], *([*(f'"{cell}"' for cell in row), "0"] for row in rows)]
    path = file("".join(",".join(line) + "\n" for line in lines))
    part, wrong = source(type="csv", path=path.name, target="y"), {}
    try:
        table = part.load(path.parent, "classes")
    except DataError as error:
        wrong = {re.search('column "(a.)"', problem.message)[1]: problem.code for problem in error.diagnostics}
        part = part.model_copy(update={"columns": dict.fromkeys(wrong, "ignore")})
        table = part.load(path.parent, "classes")
    kinds = {name: kind_of(kind) for name, kind in table.kinds.items()}
    assert [wrong.get(name, kinds[name]) for name in names] == [judged(cells) for cells in columns]
    again = part.with_columns(table).load(path.parent, "classes")
    assert (again.kinds, again.warnings) == (table.kinds, ())
    np.testing.assert_array_equal(again.X, table.X)


def test_what_was_found_reads_other_files(file):
    cells = ["red", "blue", "", "blue", "red"] * 5
    path = file("a,b,c,y\n" + "".join(f"{cell},yes,2024-01-0{row % 9 + 1},u\n" for row, cell in enumerate(cells)))
    part = source(type="csv", path=path.name, target="y")
    table = part.load(path.parent, "classes")
    assert part.sizes().inputs is None
    resolved = part.with_columns(table)
    assert resolved.features is None
    assert (resolved.feature_names, resolved.sizes().inputs) == (("a", "b", "c"), 3)
    assert resolved.columns == {"a": "category", "b": "boolean", "c": "datetime", "y": "category"}
    assert resolved.with_columns(resolved.load(path.parent, "classes")) == resolved
    path.write_text("c,extra,b,a\n2024-01-01,x,no,green\n")
    other = resolved.for_file(str(path)).read_features(path.parent)
    np.testing.assert_array_equal(other.X, [[0, 0, 19723]])
    assert other.columns[0].texts.tolist() == ["green"]
