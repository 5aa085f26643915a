"""Which rows a model was trained on, by their hashes."""

from __future__ import annotations

import json

import numpy as np

from specnet.data import RowSet, row_hashes
from specnet.data.row_hashes import MOST_HASHES
from specnet.parts.data import Column

NUMBERS = np.random.default_rng(0).normal(size=(3 * MOST_HASHES, 2))


def hashes(X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    return row_hashes(X, (), np.zeros(len(X)) if y is None else y)


def test_rows_are_known_by_their_cells_and_target():
    X, y = NUMBERS[:1000], np.arange(1000.0)
    found = hashes(X, y)
    assert len(np.unique(found)) == 1000
    np.testing.assert_array_equal(hashes(X[::-1], y[::-1]), found[::-1])
    np.testing.assert_array_equal(hashes(np.asfortranarray(X), y.astype(np.int64)), found)
    for other in (hashes(X[:, ::-1], y), hashes(X, y + 1), hashes(np.nextafter(X, 9), y)):
        assert not np.isin(other, found).any()
    bits = np.unpackbits(found.view(np.uint8).reshape(1000, 8), axis=1).mean(0)
    assert (abs(bits - 0.5) < 0.1).all(), "each bit is 1 in half of the rows, within six standard errors"


def test_a_zero_has_no_sign_and_a_gap_is_a_gap():
    there = hashes(np.array([[0.0, np.nan], [-0.0, -np.nan], [0.0, 0.0]]))
    assert there[0] == there[1] != there[2]


def test_texts_are_known_in_whatever_order_a_file_has_them():
    def read(cells: list[float], texts: list[str], y: list[str]) -> np.ndarray:
        columns = (Column("city", "category", np.array(texts)),)
        return row_hashes(np.array(cells)[:, np.newaxis], [column.texts for column in columns], np.array(y))

    first = read([0, 1, np.nan], ["oslo", "rome"], ["a", "b", "a"])
    again = read([1, 2, np.nan], ["bonn", "oslo", "rome"], ["a", "b", "a"])
    np.testing.assert_array_equal(first, again)
    assert not np.isin(read([1, 2, 0], ["bonn", "oslo", "rome"], ["b", "a", "a"]), first).any()


def test_a_set_counts_its_rows_also_after_it_was_written():
    found = hashes(NUMBERS[:1000])
    known = RowSet.from_data(json.loads(json.dumps(RowSet.of(found).to_data())))
    assert known is not None
    assert known.count(found[:7]) == 7
    assert known.count(hashes(NUMBERS[990:1010])) == 10
    assert known.count(np.repeat(found[:1], 3)) == 3
    assert known.count(hashes(NUMBERS[1000:])) == 0


def test_of_many_rows_a_sample_tells_about_how_many():
    found = hashes(NUMBERS)
    known = RowSet.of(found)
    assert (len(known.hashes), known.is_complete) == (MOST_HASHES, False)
    assert known.count(found) == len(NUMBERS)
    mixed = np.concatenate([found[:3000], hashes(NUMBERS[:3000] + 1)])
    assert abs(known.count(mixed) - 3000) < 240, (
        "six standard errors of 2000 rows of which one in two is known, times 3"
    )
    assert known.count(hashes(NUMBERS + 1)) == 0


def test_anything_else_is_no_set():
    whole = RowSet.of(hashes(NUMBERS[:3])).to_data()
    for damaged in (None, [], "x", {}, {**whole, "complete": 1}, {**whole, "hashes": "?"}, {**whole, "hashes": "AAAA"}):
        assert RowSet.from_data(damaged) is None
