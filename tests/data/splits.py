"""Tables to be split, and what a split is compared with."""

from dataclasses import dataclass

import numpy as np

from specnet.parts.data import Table


def table(y, target="classes", split_by=None):
    y = np.asarray(y)
    return Table(np.arange(2 * len(y), dtype=float).reshape(-1, 2), y, target, split_by=split_by)


def assert_parts(split, **expected):
    """Check that a split has these parts alone, with these rows in this order."""
    assert split.parts().keys() == expected.keys()
    for name, rows in split.parts().items():
        np.testing.assert_array_equal(rows, expected[name], name)


@dataclass
class Rows:
    """Rows of a table, as a split has them."""

    table: np.ndarray
    y: np.ndarray
    chosen: np.ndarray | None = None
