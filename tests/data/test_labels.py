"""Which labels stand for which classes."""

from typing import Any

import numpy as np
import pytest

from specnet import DataError
from specnet.data import Labels, check_labels
from tests.texts.pinned import Refused


class Frame:
    """Something that NumPy can turn into an array, as a data frame's column."""

    def __init__(self, values, dtype=object):
        self.values = np.array(values, dtype=dtype)

    def __array__(self, dtype=None, copy=None):
        return self.values


ONE_HOT = np.array([[0, 0, 1], [1, 0, 0]])
LABELS: list[tuple[Any, int | None, list[Any], list[int]]] = [
    *(
        ([0, index, 1], 3, [0, 1, 2], [0, index, 1]) for index in (2, 0)
    ),  # within 0 … K − 1: indices, though 2 may not occur
    ([1, 3, 2], 3, [1, 2, 3], [0, 2, 1]),
    ([-1, 1, 1], 2, [-1, 1], [0, 1, 1]),
    *(([0, 2, 0], count, [0, 2], [0, 1, 0]) for count in (None, 2)),
    *((y, 2, [0, 1], [1, 0]) for y in ([True, False], [1.0, 0.0])),
    (["b", "a", "b"], 2, ["a", "b"], [1, 0, 1]),
    (Frame(["b", "a"]), 2, ["a", "b"], [1, 0]),
    (np.array([[7], [5]]), 2, [5, 7], [1, 0]),
    *((ONE_HOT, count, [0, 1, 2], [2, 0]) for count in (3, None)),
    (np.array([2**62, 0], np.uint64), 2, [0, 2**62], [1, 0]),
]


@pytest.mark.parametrize(("y", "count", "labels", "indices"), LABELS)
def test_labels_of_a_target(y, count, labels, indices):
    found = Labels.from_target(y, count)
    assert found.values.tolist() == labels
    assert found.values.dtype.kind in "iU"
    encoded = found.encode(y)
    assert encoded.dtype == np.intp
    assert encoded.tolist() == indices
    assert found.decode(encoded).tolist() == [labels[index] for index in indices]
    assert len(found) == len(labels)


NO_LABELS: list[list[Any]] = [
    [[1, 2, 3], list("abcdefgh"), ["a", "a"], [0.5, 1.0], [0, np.nan], [1e300, 0], [1j, 0], [b"a", b"b"], []],
    [np.array([2**63 + 5, 1], np.uint64), np.array(["a", 1], object), np.array(["2020-01-01"], "M8[D]")],
    [np.array([], "U1"), 3, np.zeros((2, 2, 2)), [[1, 2], [3]]],
]


def test_what_is_no_target_of_classes(refused: Refused):
    for y, count in [(np.eye(4), 3), *((y, 2) for several in NO_LABELS for y in several)]:
        with refused(DataError):
            Labels.from_target(y, count)


UNKNOWN: list[tuple[list[Any], list[Any]]] = [
    ([1, 3], [[1, 2], [5, 1], [-5, 1]]),
    (["a", "b"], [["b", "c"], [0, 1]]),
    ([0, 1], [["0", "1"], [[1, 1], [1, 0]]]),
    ([0, 1, 2], [[[0, 1], [1, 0]]]),
]


def test_labels_that_are_not_known(refused: Refused):
    for labels, targets in UNKNOWN:
        for y in targets:
            with refused(DataError):
                Labels(np.array(labels)).encode(np.array(y), "target")


def test_text_keeps_every_sign():
    assert check_labels([" a", "a ", "00", "ä"]).tolist() == [" a", "a ", "00", "ä"]
