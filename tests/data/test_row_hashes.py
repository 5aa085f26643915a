"""Which rows a model was trained on, by their hashes."""

from __future__ import annotations

import json
import struct
from hashlib import blake2b

import numpy as np

from specnet.data.row_hashes import MOST_HASHES, RowSet, row_hashes
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


def test_a_hash_is_made_of_bits_and_texts_by_splitmix64():
    """On every system the same: written out in whole numbers."""

    def mixed(state: int) -> int:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
        return state ^ state >> 31

    def text(value: str) -> int:
        return int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), "little")

    def number(value: float) -> int:
        return int.from_bytes(struct.pack("<d", value), "little")

    X, y = np.array([[0.5, 0, -7], [1e300, np.nan, 3]]), np.array([["a", "ä"], ["b", "a"]])
    found = row_hashes(X, [None, np.array(["oslo"]), None], y)
    first = mixed(mixed(mixed(mixed(mixed(number(0.5)) ^ text("oslo")) ^ number(-7)) ^ text("a")) ^ text("ä"))
    second = mixed(mixed(mixed(mixed(mixed(number(1e300))) ^ number(3)) ^ text("b")) ^ text("a"))
    assert found.tolist() == [first, second]
    targets = row_hashes(X[:1, :1], (), np.array([[2.0, 3.0]]))
    assert targets.tolist() == [mixed(mixed(mixed(number(0.5)) ^ number(2)) ^ number(3))]


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
    assert RowSet.of(found[:0]).count(found) == 0
    assert RowSet.of(found[[2, 0, 2]]).hashes.tolist() == sorted(found[[0, 2]].tolist())


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
