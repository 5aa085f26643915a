"""How rows are split into training, validation and test sets."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specnet.data.suspicions import looks_like_numbers, other_kind_hint
from specnet.errors import DataError, Diagnostic
from specnet.parts.data import Split, Table

RowNumbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class RowSplit:
    """Row indices of each part of a table, in order of use; None for a part that the split does not have."""

    train: RowNumbers
    validation: RowNumbers | None
    test: RowNumbers | None

    def parts(self) -> dict[str, RowNumbers]:
        """Return the existing parts by name."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: rows for name, rows in parts.items() if rows is not None}


def split_rows(table: Table, split: Split, seed: int) -> RowSplit:
    """Split the rows of a table as scikit-learn's ``train_test_split`` does.

    The test set is that of ``train_test_split(X, y, test_size, random_state, stratify)``. The validation set, a
    fraction of all rows, is then split from the others in the same way.

    Parameters
    ----------
    table : Table
    split : Split
    seed : int
        Seed of a split without a random_state.

    Raises
    ------
    DataError
        If the table or a class has too few rows for the split.
    """
    rows = len(table.X)
    split = split.with_defaults(seed, table.target)
    if split.stratify and table.target == "values":
        raise _error("stratify", "stratify needs classes, but the target is numeric")
    train, validation, test = np.arange(rows), None, None
    if split.test_size:
        train, test = _cut(table, train, math.ceil(split.test_size * rows), "test", split)
    if split.validation_size:
        count = math.ceil(split.validation_size * rows)
        train, validation = _cut(table, train, count, "validation", split)
    return RowSplit(train, validation, test)


def _cut(table: Table, rows: RowNumbers, count: int, part: str, split: Split) -> tuple[RowNumbers, RowNumbers]:
    if count >= len(rows):
        message = f"{part}_size takes {count} of {len(rows)} rows and leaves none for training"
        raise _error(f"{part}_size", message)
    labels = table.y[rows] if split.stratify else None
    if labels is not None:
        distinct, sizes = np.unique(labels, axis=0, return_counts=True)
        if sizes.min() < 2:
            message = f"stratified split: class {distinct[sizes.argmin()]} has only one row, needs at least two"
            if looks_like_numbers(labels):
                message = f"most of the {len(distinct)} classes of the target have a single row"
                raise DataError(Diagnostic("loss-target", message, ("training", "loss"), hint=other_kind_hint(labels)))
            raise _error("stratify", message)
        if min(count, len(rows) - count) < len(distinct):
            message = (
                f"stratified split: {count} of {len(rows)} rows for {part} cannot cover all {len(distinct)} classes"
            )
            raise _error("stratify", message)

    from sklearn.model_selection import train_test_split

    kept, cut = train_test_split(rows, test_size=count, random_state=split.random_state, stratify=labels)
    return kept, cut


def _error(key: str, message: str) -> DataError:
    hint = "set split.stratify = false to ignore the classes" if key == "stratify" else None
    return DataError(Diagnostic("split", message, ("data", "split", key), hint=hint))
