"""What a fitted preparation knows of the cells of raw columns: which may be missing, and which texts have codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specnet.data.preparation import Preparation, StepGroup
from specnet.parts.preprocessing import CategoryStep


def trained_gaps(preparation: Preparation, columns: int) -> NDArray[np.bool_]:
    """Return which of so many raw columns had missing cells in training rows that the steps have learned from."""
    found = np.zeros(columns, np.bool_)
    for group in preparation.groups:
        places = group.among(columns)
        found[[places[place] for place in _group_gaps(group) if place < len(places)]] = True
    return found


def filled_gaps(preparation: Preparation, columns: int) -> NDArray[np.bool_]:
    """Return of which of so many raw columns the steps fill or code missing cells, whatever training had."""
    found = np.full(columns, bool(preparation.groups))
    for group in preparation.groups:
        places = list(group.among(columns))
        found[places] &= _fills_gaps(group, len(places))
    return found


def known_texts(preparation: Preparation, columns: int) -> dict[int, list[str]]:
    """Return the texts that have codes, in their order, by the places of their columns among so many raw ones."""
    found: dict[int, list[str]] = {}
    for group in preparation.groups:
        found |= zip(group.among(columns), group_texts(group), strict=False)
    return found


def group_texts(group: StepGroup) -> list[list[str]]:
    """Return for each of a group's columns the texts that have codes, in their order; none for numbers."""
    first = group.steps[0] if group.steps else None
    return first.texts_of(group.fitted[0]) if isinstance(first, CategoryStep) else []


def _group_gaps(group: StepGroup) -> tuple[int, ...]:
    """Return which of the group's columns had missing cells in training rows; those that a step added come last."""
    for step, learned in zip(group.steps, group.fitted, strict=True):
        if (found := step.trained_gaps(learned)) is not None:
            return found
    return ()


def _fills_gaps(group: StepGroup, columns: int) -> bool:
    """Return whether a group's steps make numbers of missing cells, before one that needs them all."""
    row = np.full((1, columns), np.nan)
    for step, learned in zip(group.steps, group.fitted, strict=True):
        if isinstance(step, CategoryStep) or not step.takes_missing:
            return isinstance(step, CategoryStep)
        row = step.apply(row, learned)
        if not np.isnan(row).any():
            return True
    return False
