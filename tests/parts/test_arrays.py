"""Arrays from outside: what is accepted and how it is read, and the whole message about the rest."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from specnet import DataError
from specnet.parts import arrays
from tests.texts.pinned import Refused

F16, F32, F64 = map(np.dtype, (np.float16, np.float32, np.float64))
TABLE = np.arange(6.0).reshape(3, 2)


def objects(*items: Any) -> np.ndarray:
    return np.array(items, np.object_)


def with_a_bad_one(bad: float, place: tuple[int, ...]) -> np.ndarray:
    table = np.zeros((7, 2, 2))
    table[place] = bad
    return table


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


TWICE = pd.DataFrame([["a", 1.0, 2.0]], columns=["x", "y", "y"])
FEW, OBJECTS = frame(a=[1], b=[2]), frame(a=[1, None, 2], b=[True, False, True]).astype(object)
COMPLEX_FIELDS = np.zeros(2, [("a", int)])
CHANCES = np.array([[1.0, 0.0], [0.5, 0.50003], [0.4, 0.5]])
REFUSED: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("as_array", [(np.ma.masked_equal(TABLE, 3), "X"), (np.ma.masked_equal([5, 1], 1), "y"), ([[1, 2], [3]], "X")]),
    ("as_array", [(["a", "b\0"], "y"), (objects("a", "b", "c\0"), "y"), ([["a", "b"], ["c", "d\0"]], "labels")]),
    ("as_array", [("a\0", "label")]),
    ("as_numbers", [(objects(1, None), "y"), ([[1, 2], [np.nan, None]], "X"), (objects([1], [None, 2]), "X")]),
    ("as_numbers", [(objects(1, 2), "X"), (objects(1, "b"), "X"), (["a"], "X"), ([b"a"], "X"), ([1j], "X")]),
    ("as_numbers", [(np.zeros(2, "M8[D]"), "X"), (np.zeros(2, "m8[D]"), "X"), (COMPLEX_FIELDS, "X")]),
    (
        "as_numbers",
        [(np.zeros((3, 0)), "X"), (np.inf, "y"), ([1.0, np.nan], "y"), (np.ma.masked_equal([5, 1], 1), "z")],
    ),
    ("check_inputs", [([np.inf], None, "z"), ([["a"]], None, "z")]),
    ("check_target", [([np.inf], "values", 1, 1, "z"), (["a", "b\0"], "values", 2, 1, "z")]),
    ("check_target_axes", [(TABLE, 2), (TABLE, 2, "labels", "rows"), (TABLE[None], 1)]),
    ("check_finite", [(with_a_bad_one(-np.inf, (5, 0, 1)), "X", 10), (with_a_bad_one(np.nan, (6, 1, 0)), "X")]),
    ("select_columns", [(FEW, ["b", "c"]), (FEW, ["c", "b", "d"], "rows"), (TWICE, ["x", "y"])]),
    ("check_count", [(True, "epochs"), (2.0, "epochs"), (-1, "epochs"), (2, "folds", 3), (2**63, "seed")]),
    ("check_inputs", [(frame(a=[None, "b"]), 1), (TABLE, 3), (TABLE[0], None), (TABLE[None], 2, "rows")]),
    ("check_inputs", [(frame(a=[1.0], b=["x"]), 2), (frame(a=[1.0], b=["x"]), 2, "rows")]),
    ("check_inputs", [(frame(a=[1.0, 2.0, np.nan], b=[1, 2, 3]), 2), (frame(a=[1, 2], b=[1.0, np.inf]), 2)]),
    ("check_inputs", [(OBJECTS, 2), (frame(a=objects(1, 2, pd.NA)), 1), (TWICE, None), (frame(a=[1.0]), 2)]),
    ("check_inputs", [(pd.DataFrame({"a": []}), 1)]),
    ("check_row_count", [(TABLE, 2, "y"), (TABLE, 1, "y", "rows")]),
    (
        "check_weights",
        [([1.0, 1.0], 3), ([[1.0], [1.0]], 2), ([1.0, 0.0, -0.5], 3, "weights"), ([0, 0], 2), (["a"], 1)],
    ),
    ("as_dtype", [(np.array([[1.0, 1e300]]), F32, "X", 4), (np.array([70_000.0], np.float32), F16, "y")]),
    ("check_target", [(TABLE, "values", 3, 3), (TABLE, "values", 2, 2), (TABLE, "values", 3, 1, "labels")]),
    ("check_target", [([0, 1], "values", 2, 2), ([0, 1, 2, 0.5], "binary", 4, 1)]),
    ("check_target", [(labels, "classes", 3, 3) for labels in ([0, 1, 3], [0, -1, 5])]),
    ("check_target", [([0, 1.5, -1], "classes", 3, 3, "labels"), ([0, 1e300], "classes", 2, 3)]),
    ("check_target", [(labels, "classes", 2, 3) for labels in ([[0, 1, 1], [1, 0, 0]], [[0, 2, -1], [1, 0, 0]])]),
    ("check_target", [([[0, 1], [1, 0]], "classes", 2, 3), ([[0], [1]], "classes", 2, 1)]),
    ("check_domain", [(np.array([1.0, -1.0]), "not negative"), (np.array([1.0, 0.0]), "positive", "labels")]),
    ("check_domain", [(np.array([[1.0], [-2.0]]), "not negative"), (np.array([[1.0, 2.0], [3.0, -2.0]]), "positive")]),
    ("check_domain", [(each, "distribution") for each in (CHANCES, np.array([[1.5, -0.5]]), np.array([1.0, 1.5]))]),
]


def test_what_is_refused_is_named_with_its_place(refused: Refused):
    for name, calls in REFUSED:
        for arguments in calls:
            with refused(DataError):
                getattr(arrays, name)(*arguments)


ACCEPTED: list[tuple[str, list[tuple[tuple[Any, ...], Any]]]] = [
    ("as_array", [((np.ma.masked_equal([1, 2], 5), "X"), [1, 2]), ((["a", "\0b"], "y"), ["a", "\0b"])]),
    ("as_array", [((np.array(["a\0"]), "y"), ["a"]), ((objects(1, None), "y"), [1, None])]),
    ("as_numbers", [(([True, False], "y"), [1, 0]), ((np.uint8(3), "y"), 3)]),
    ("select_columns", [((TABLE, ["a", "b"]), TABLE), ((frame(a=[1], b=[2], c=[3]), ["c", "a"]), [[3, 1]])]),
    ("select_columns", [((FEW, None), [[1, 2]]), ((pd.DataFrame([[1, 2, 3]], columns=["x", "y", "y"]), ["x"]), [[1]])]),
    ("select_columns", [((pd.DataFrame([[1, 2]], columns=["y", "y"]), ["y", "y"]), [[1, 2]])]),
    ("check_inputs", [((TABLE, 2), TABLE), (([[1, 2]], None), [[1, 2]])]),
    ("check_inputs", [((frame(a=[1, 2], b=[0.5, 1.0]), 2), [[1, 0.5], [2, 1]])]),
    ("check_inputs", [((frame(a=[True, False], b=pd.array([1, 2], "Int64")), 2), [[1, 1], [0, 2]])]),
    ("check_inputs", [((frame(a=objects(1, 2**40), b=objects(0.5, True)), 2), [[1, 0.5], [2**40, 1]])]),
    ("check_inputs", [((frame(a=objects(1.5, None)).dropna(), 1), [[1.5]])]),
    ("check_weights", [(([1, 3, 0], 3), [0.5, 1.5, 0]), (([True], 1), [1])]),
    ("check_weights", [((np.array([1, 3], np.float32), 2), [0.5, 1.5])]),
    ("as_dtype", [((np.array([1, 2]), F32, "X"), [1, 2])]),
    ("as_dtype", [((np.array([3.0e38], np.float32), F64, "X"), np.array([3.0e38], np.float32))]),
    ("check_target", [((row, "values", 2, 1), [row]) for row in ([1, 2], [0, 2], [1.0, -1.0])]),
    ("check_target", [((TABLE, "values", 3, 2), TABLE.T), (([0, 1], "binary", 2, 1), [[0, 1]])]),
    ("check_target", [(([[0, 1, 0], [1, 0, 0]], "classes", 2, 3), [[1, 0]])]),
    ("check_target", [((labels, "classes", 2, 3), [[2, 0]]) for labels in ([[2], [0]], [2.0, 0.0])]),
    ("check_target", [((labels, "classes", 2, 1), [[0, 0]]) for labels in ([0, 0], [[0], [0]])]),
    ("check_target", [(([[0, 1], [1, 0]], "classes", 2, 2), [[1, 0]])]),
    ("check_count", [((2**40, "seed"), 2**40)]),
]


def test_what_is_accepted_is_read_as_it_is():
    for name, calls in ACCEPTED:
        for arguments, expected in calls:
            assert np.asarray(getattr(arrays, name)(*arguments)).tolist() == np.asarray(expected).tolist()


def test_numbers_beyond_float64_are_refused_where_the_platform_has_them():
    wide = np.array([np.longdouble("1e400")])
    if np.isfinite(wide).all():
        for call in (lambda: arrays.as_dtype(wide, F64, "z"), lambda: arrays.check_weights(wide, 1, "z")):
            with pytest.raises(DataError) as caught:
                call()
            assert str(caught.value) == "error[data]: z has 1e+400 at row 0, beyond the range of float64"


def test_numbers_are_copied_and_converted_only_where_they_must_be():
    for same in (
        arrays.check_inputs(TABLE, 2),
        arrays.as_numbers(TABLE, "X"),
        arrays.as_dtype(TABLE, F64, "X"),
        arrays.select_columns(TABLE, None),
    ):
        assert same is TABLE
    assert arrays.as_dtype(TABLE, F32, "X").dtype == F32
    assert arrays.check_target([1.0, 0.0], "classes", 2, 3).dtype == np.intp
    assert (
        arrays.check_inputs(frame(a=[1], b=[2]), 2).dtype
        == arrays.check_inputs(frame(a=objects(1, 2)), 1).dtype
        == np.int64
    )
    assert arrays.check_weights(None, 3) is None
    assert type(arrays.check_count(np.int32(3), "epochs", 3)) is int


@pytest.mark.parametrize("wide", [np.array([3.0, 1.0, 0.0]), np.array([1e308, 1e308, 0, 5e307]), np.array([5e-324, 0])])
def test_weights_mean_their_ratios_alone(wide: np.ndarray):
    weights = arrays.relative_weights(wide)
    assert weights[weights > 0].mean() == pytest.approx(1, rel=1e-15)
    np.testing.assert_allclose(weights * wide.max(), wide * weights.max(), rtol=1e-15)
    for power in (-3, 5):
        assert arrays.relative_weights(np.array([3.0, 1.0]) * 2.0**power).tolist() == [1.5, 0.5]
    assert arrays.relative_weights(np.zeros(2)).tolist() == [0, 0]


def test_domains_hold_what_their_losses_are_defined_for():
    arrays.check_domain(np.array([-1.0]), "any")
    arrays.check_domain(np.array([0.0, 2.0]), "not negative")
    arrays.check_domain(np.array([[1e-9, 2.0]]), "positive")
    arrays.check_domain(np.array([[0.0, 1.0], [0.5, 0.500009]]), "distribution")
    arrays.check_domain(np.array([1.0, 1.0]), "distribution")


@pytest.mark.parametrize("place", [(0, 0, 1), (3, 1, 1), (6, 0, 0)])
@pytest.mark.parametrize("numbers", [1, 8, 2**16])
def test_few_numbers_are_looked_at_together(place: tuple[int, ...], numbers: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(arrays, "NUMBERS_AT_ONCE", numbers)
    assert arrays.first_not_finite(with_a_bad_one(np.nan, place)) == place
    assert arrays.first_not_finite(with_a_bad_one(0, place)) is None
    rows = [len(range(7)[piece]) for piece in arrays.pieces(with_a_bad_one(0, place))]
    assert rows == {1: [1] * 7, 8: [2, 2, 2, 1]}.get(numbers, [7])


def test_single_numbers_integers_and_empty_arrays_have_no_place():
    assert arrays.first_not_finite(np.array(1.0)) is None
    assert arrays.first_not_finite(np.array(np.nan)) == ()
    assert arrays.first_not_finite(np.array([1, 2])) is None
    assert list(arrays.pieces(np.zeros((0, 3)))) == []
    assert list(arrays.pieces(np.zeros((2, 0)))) == [slice(0, 2**17)]


def test_names_of_columns_are_those_of_a_frame_if_all_are_text():
    assert arrays.column_names(frame(a=[1], b=[2])) == ("a", "b")
    for other in (TABLE, [[1]], pd.DataFrame(TABLE), pd.DataFrame(), pd.DataFrame([[1, 2]], columns=["a", 2])):
        assert arrays.column_names(other) is None
    assert arrays.column_names(type("Odd", (), {"columns": 3})) is None


def test_words_about_arrays():
    assert arrays.first_few(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
    assert arrays.first_few(range(13)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …"
    assert arrays.first_few("abc", 2) == "a, b, …"
    assert [arrays.described_dtype(np.dtype(each)) for each in ("U3", "f4")] == ["text", "float32"]
    missing = (None, np.nan, np.float32("nan"), pd.NA, pd.NaT)
    assert [arrays.is_missing(item) for item in (*missing, 0, "", "nan", np.zeros(2))] == [True] * 5 + [False] * 4


# ------------------------------------------------------------------------- rows that are copied when they are read

WIDE = np.arange(60.0).reshape(12, 5)
ROWS = np.array([7, 2, 2, 11])
COLUMNS = [(0, 1, 2), (4, 1), (2,), ()]
KEYS = [
    slice(None),
    slice(1, 3),
    slice(3, 3),
    np.array([True, False, True, False]),
    np.array([3, 0]),
    (slice(None), slice(0, 2)),
    (slice(1, 4), slice(1, None)),
]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("columns", [None, *COLUMNS])
@pytest.mark.parametrize("rows", [None, ROWS])
def test_it_is_read_as_an_array_is(rows: np.ndarray | None, columns: tuple[int, ...] | None, order: str):
    table = np.array(WIDE[:4] if rows is None else WIDE, order=order)
    some = table if rows is None else table[rows]
    expected = some if columns is None else some[:, columns]
    view = arrays.RowView(table, rows, columns)
    assert (view.shape, view.size, len(view), view.dtype) == (expected.shape, expected.size, 4, expected.dtype)
    for key in KEYS:
        read = view[key]
        np.testing.assert_array_equal(read, expected[key])
        assert read.flags.c_contiguous
        assert not np.shares_memory(read, table)
    np.testing.assert_array_equal(np.asarray(view, np.float32), expected.astype(np.float32))
    assert np.asarray(arrays.RowView(table.astype(np.int32), rows, columns)).dtype == np.int32
    for place in range(expected.shape[1]):
        np.testing.assert_array_equal(view[:, place], expected[:, place])


def test_columns_of_a_view_are_a_view():
    view = arrays.RowView(WIDE, ROWS).taken((4, 0, 2))
    np.testing.assert_array_equal(view[:], WIDE[ROWS][:, [4, 0, 2]])
    np.testing.assert_array_equal(view.taken((2, 0))[:], WIDE[ROWS][:, [2, 4]])
