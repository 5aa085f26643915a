"""The sets that rows are split into, those that figures are of, and which of them a figure is shown of."""

from __future__ import annotations

from collections.abc import Container

TRAIN, OUT_OF_FOLD, VALIDATION, TEST = "train", "out_of_fold", "validation", "test"
PARTS = (TRAIN, VALIDATION, TEST)
"""The sets that rows are split into."""
SPLITS = (TRAIN, OUT_OF_FOLD, VALIDATION, TEST)
"""The sets that figures are of, in the order of tables: those that training has seen least of last.

``out_of_fold`` are training rows, each answered by the member of an ensemble that was not trained on it.
"""


def best_split(figures: Container[str]) -> str:
    """Return the set of rows whose figures are most informative about new rows: the last one in `SPLITS`."""
    return next((split for split in reversed(SPLITS) if split in figures), TEST)


def adjective(split: str) -> str:
    """Return what a set of rows is called in a sentence: ``training``, ``out-of-fold``, ``validation`` or ``test``."""
    return "training" if split == TRAIN else split.replace("_", "-")
