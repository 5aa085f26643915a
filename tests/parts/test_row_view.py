"""Rows and columns of a table that are copied only when they are read."""

import numpy as np
import pytest

from specnet.parts.arrays import RowView

TABLE = np.arange(60.0).reshape(12, 5)
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
    table = np.array(TABLE[:4] if rows is None else TABLE, order=order)
    some = table if rows is None else table[rows]
    expected = some if columns is None else some[:, columns]
    view = RowView(table, rows, columns)
    assert (view.shape, view.size, len(view), view.dtype) == (expected.shape, expected.size, 4, expected.dtype)
    for key in KEYS:
        read = view[key]
        np.testing.assert_array_equal(read, expected[key])
        assert read.flags.c_contiguous
        assert not np.shares_memory(read, table)
    np.testing.assert_array_equal(np.asarray(view, np.float32), expected.astype(np.float32))
    assert np.asarray(RowView(table.astype(np.int32), rows, columns)).dtype == np.int32
    for place in range(expected.shape[1]):
        np.testing.assert_array_equal(view[:, place], expected[:, place])


def test_columns_of_a_view_are_a_view():
    view = RowView(TABLE, ROWS).taken((4, 0, 2))
    np.testing.assert_array_equal(view[:], TABLE[ROWS][:, [4, 0, 2]])
    np.testing.assert_array_equal(view.taken((2, 0))[:], TABLE[ROWS][:, [2, 4]])
