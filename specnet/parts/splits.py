"""The names of dataset splits, those for which there are figures, and the choice of the split to show."""

from __future__ import annotations

from collections.abc import Container

TRAIN, OUT_OF_FOLD, VALIDATION, TEST = "train", "out_of_fold", "validation", "test"
PARTS = (TRAIN, VALIDATION, TEST)
"""The splits of a dataset."""
SPLITS = (TRAIN, OUT_OF_FOLD, VALIDATION, TEST)
"""The sets of rows with figures, in the order of tables: the set that training has used least is last.

``out_of_fold`` are training rows, each predicted by the member of an ensemble that was not trained on it.
"""


def best_split(figures: Container[str]) -> str:
    """Return the split whose figures are most informative about new rows: the last one of `SPLITS` in `figures`."""
    return next((split for split in reversed(SPLITS) if split in figures), TEST)


def adjective(split: str) -> str:
    """Return the name of a split in a sentence: ``training``, ``out-of-fold``, ``validation`` or ``test``."""
    return "training" if split == TRAIN else split.replace("_", "-")
