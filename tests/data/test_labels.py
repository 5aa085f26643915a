"""Which labels stand for which classes."""

import numpy as np
import pytest

from specnet.data import Labels, check_labels
from specnet.errors import DataError


class Frame:
    """Something that NumPy can turn into an array, as a data frame's column."""

    def __init__(self, values, dtype=object):
        self.values = np.array(values, dtype=dtype)

    def __array__(self, dtype=None, copy=None):
        return self.values


@pytest.mark.parametrize(
    ("y", "count", "labels", "indices"),
    [
        ([0, 2, 1], 3, [0, 1, 2], [0, 2, 1]),
        ([0, 2, 0], 3, [0, 1, 2], [0, 2, 0]),  # within 0 … K − 1: indices, though 1 does not occur
        ([1, 3, 2], 3, [1, 2, 3], [0, 2, 1]),
        ([-1, 1, 1], 2, [-1, 1], [0, 1, 1]),
        ([0, 2, 0], None, [0, 2], [0, 1, 0]),
        ([0, 2, 0], 2, [0, 2], [0, 1, 0]),
        ([True, False], 2, [0, 1], [1, 0]),
        ([1.0, 0.0], 2, [0, 1], [1, 0]),
        (["b", "a", "b"], 2, ["a", "b"], [1, 0, 1]),
        (Frame(["b", "a"]), 2, ["a", "b"], [1, 0]),
        (np.array([[7], [5]]), 2, [5, 7], [1, 0]),
        (np.array([[0, 0, 1], [1, 0, 0]]), 3, [0, 1, 2], [2, 0]),
        (np.array([[0, 0, 1], [1, 0, 0]]), None, [0, 1, 2], [2, 0]),
        (np.array([2**62, 0], np.uint64), 2, [0, 2**62], [1, 0]),
    ],
)
def test_labels_of_a_target(y, count, labels, indices):
    found = Labels.from_target(y, count)
    assert found.values.tolist() == labels
    assert found.values.dtype.kind in "iU"
    encoded = found.encode(y)
    assert encoded.dtype == np.intp
    assert encoded.tolist() == indices
    assert found.decode(encoded).tolist() == [labels[index] for index in indices]
    assert len(found) == len(labels)


@pytest.mark.parametrize(
    ("y", "count", "message"),
    [
        ([1, 2, 3], 2, r"y has 3 distinct labels \(1, 2, 3\).* 2 classes"),
        (list("abcdefgh"), 2, r"y has 8 distinct labels \(a, b, c, d, e, f, …\)"),
        (["a", "a"], 2, r"y has 1 distinct labels \(a\)"),
        (np.eye(4), 3, "y has 4 distinct labels"),
        ([0.5, 1.0], 2, r"y has 0\.5 at row 0"),
        ([0, np.nan], 2, "y has nan at row 1"),
        ([1e300, 0], 2, r"y has 1e\+300 at row 0"),
        (np.array([2**63 + 5, 1], np.uint64), 2, f"y has {2**63 + 5} at row 0"),
        ([1j, 0], 2, "y .* complex numbers"),
        ([b"a", b"b"], 2, "y .* bytes"),
        (np.array(["a", 1], object), 2, "y .* objects"),
        (np.array(["2020-01-01"], "M8[D]"), 2, "y .* dates"),
        ([], 2, r"y .*\(0,\)"),
        (np.array([], "U1"), 2, "y is empty"),
        (3, 2, r"y has shape \(\).*\(rows,\)"),
        (np.zeros((2, 2, 2)), 2, r"y has shape \(2, 2, 2\)"),
        ([[1, 2], [3]], 2, "y .* array"),
    ],
)
def test_what_is_no_target_of_classes(y, count, message):
    with pytest.raises(DataError, match=message):
        Labels.from_target(y, count)


@pytest.mark.parametrize(
    ("labels", "y", "message"),
    [
        ([1, 3], [1, 2], r"target has 2 at row 1.* 1, 3$"),
        ([1, 3], [5, 1], "target has 5 at row 0"),
        ([1, 3], [-5, 1], "target has -5 at row 0"),
        (["a", "b"], ["b", "c"], r"target has c at row 1.* a, b$"),
        (["a", "b"], [0, 1], r"target .*integers.*text: a, b"),
        ([0, 1], ["0", "1"], r"target .*text.*integers: 0, 1"),
        ([0, 1, 2], [[0, 1], [1, 0]], "target has shape"),
        ([0, 1], [[1, 1], [1, 0]], "one-hot"),
    ],
)
def test_labels_that_are_not_known(labels, y, message):
    with pytest.raises(DataError, match=message):
        Labels(np.array(labels)).encode(np.array(y), "target")


def test_text_keeps_every_sign():
    assert check_labels([" a", "a ", "00", "ä"]).tolist() == [" a", "a ", "00", "ä"]
