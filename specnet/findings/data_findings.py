"""Findings about the rows: columns and targets that cannot be learned from, or too well."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data.suspicious_columns import add_cells
from specnet.data.suspicious_targets import FAR_FROM_ZERO
from specnet.findings.evidence import Evidence, Numbers, UntestableError
from specnet.findings.finding import Finding
from specnet.findings.remedies import ignored_column, standardized_columns
from specnet.number_texts import count, percent, short
from specnet.parts.arrays import Array, pieces
from specnet.parts.row_view import RowView

SMALLEST_SIDE = 6
"""Pixels of the smallest images that are taken for such."""
MOST_NAMED = 3
"""Constant columns that a sentence names."""
LARGE, VERY_LARGE, SPREAD_FACTOR = 100.0, 1000.0, 1000.0
GIVEN_AWAY, NEXT_FACTOR = 0.98, 0.2
SHARED, DISTINCT = 0.05, 0.5
MOST_RANKED = 20_000
"""Training rows that a single column is compared with the target on; of more, evenly spaced ones."""


def constant_column(evidence: Evidence) -> Iterator[Finding]:
    """Columns with one value in all training rows, unless they are pixels."""
    columns = evidence.columns
    rows, flat = len(columns.cells), _constant_columns(evidence)
    if rows < 2 or (flat and image_side(columns.cells) is not None):
        raise UntestableError
    if not flat:
        return
    named = f"column{'s' * (len(flat) > 1)} {', '.join(columns.names[place] for place in flat[:MOST_NAMED])}"
    more = f" and {len(flat) - MOST_NAMED} more" if len(flat) > MOST_NAMED else ""
    changes: dict[str, Any] = {}
    for place in flat:
        changes |= ignored_column(evidence, columns.names[place])
    sentence = f"{named}{more}: the same value in all {count(rows)} training rows"
    advice = (changes, "") if len(changes) == len(flat) else ({}, "leave it out of data.features")
    yield Finding("constant-column", "warning", sentence, *advice)


def image_side(columns: Array | RowView) -> int | None:
    """Return the side of the square grey images that rows (rows, columns) are, None where they are no images.

    Their grey values are whole numbers from 0 on, and there are at least 6 × 6.
    """
    side = math.isqrt(columns.shape[1])
    if side < SMALLEST_SIDE or side * side != columns.shape[1]:
        return None
    for piece in pieces(columns):
        values = np.asarray(columns[piece], np.float64)
        with np.errstate(invalid="ignore"):
            if not np.all((values >= 0) & (values == np.rint(values))):
                return None
    return side


def unscaled_columns(evidence: Evidence) -> Iterator[Finding]:
    """Inputs beyond 100 whose spreads differ 1000-fold, or beyond 1000."""
    largest = max((float(abs(evidence.inputs[piece]).max(initial=0)) for piece in pieces(evidence.inputs)), default=0.0)
    if largest <= LARGE:
        return
    spreads = evidence.inputs.std(axis=0, dtype=np.float64)
    spreads = spreads[spreads > 0]
    factor = float(spreads.max() / spreads.min()) if spreads.size else 1.0
    if factor > SPREAD_FACTOR or largest > VERY_LARGE:
        sentence = f"inputs reach {short(largest)}; the spreads of their columns differ by a factor of {short(factor)}"
        changes = standardized_columns(evidence)
        words = "" if changes else "standardize them in network.preprocessing"
        yield Finding("unscaled-columns", "warning", sentence, changes, words)


def unscaled_target(evidence: Evidence) -> Iterator[Finding]:
    """A target whose mean or spread is beyond 30, which takes many steps to reach from initial weights."""
    if evidence.task != "values" or not evidence.spec.takes_any_target:
        raise UntestableError
    values = np.asarray(evidence.target, np.float64).reshape(len(evidence.target), -1)
    means, spreads = values.mean(axis=0), values.std(axis=0)
    worst = int(np.maximum(abs(means), spreads).argmax())
    if max(abs(means[worst]), spreads[worst]) > FAR_FROM_ZERO:
        whose = f"target {worst}" if values.shape[1] > 1 else "the target"
        sentence = f"{whose} has mean {short(means[worst])} and standard deviation {short(spreads[worst])}"
        changes = {"network.target_preprocessing": ["standardize"]}
        yield Finding("unscaled-target", "warning", sentence, changes)


def leakage(evidence: Evidence) -> Iterator[Finding]:
    """A column that alone gives the target, as no other does: |2·AUC − 1| of two classes, else η² or r² over 0.98."""
    held, columns = evidence.known_held, evidence.columns
    if evidence.target.ndim > 1:
        raise UntestableError
    if held.score <= held.baselines.get("constant", -np.inf):
        return
    rows = slice(None, None, -(-len(evidence.target) // MOST_RANKED))
    target = np.asarray(evidence.target[rows], np.float64)
    cells = columns.cells[rows]
    numeric = np.flatnonzero(~np.array(columns.are_categories, np.bool_)).tolist()
    powers = [(column_power(_filled(cells[:, place]), target, evidence.task), place) for place in numeric]
    powers.sort(key=lambda pair: -pair[0])
    if len(powers) < 2 or powers[0][0] <= GIVEN_AWAY or 1 - powers[0][0] >= NEXT_FACTOR * (1 - powers[1][0]):
        return
    (power, place), (following, _) = powers[:2]
    if evidence.task == "classes" and not _tells_classes(_filled(cells[:, place]), target):
        return
    name = columns.names[place]
    sentence = f"column {name} alone gives the target ({power:.3f} of 1; the next column {following:.2f})"
    words = "leave it out unless it is known before the answer is"
    yield Finding("leakage", "error", sentence, ignored_column(evidence, name), words)


def shared_rows(evidence: Evidence) -> Iterator[Finding]:
    """Over 5 % of the held rows that are training rows, where most of these are distinct."""
    held = evidence.known_held
    if len(evidence.columns.names) < 2:
        raise UntestableError
    known = np.unique(row_numbers(evidence.inputs))
    if len(known) <= DISTINCT * len(evidence.inputs):
        return
    share = float(np.isin(row_numbers(held.inputs), known).mean())
    if share > SHARED:
        sentence = f"{percent(share)} of the {held.rows} are training rows too"
        words = "remove duplicate rows, or keep them together with data.split.group"
        yield Finding("shared-rows", "error", sentence, {}, words)


def column_power(column: Numbers, target: Numbers, task: str) -> float:
    """Return how well one column alone gives the target, from 0 to 1.

    |2·AUC − 1| of two classes, η² of more, the square of Pearson's correlation with values.
    """
    if not np.ptp(column) or not np.ptp(target):
        return 0.0
    if task == "values":
        return float(np.corrcoef(column, target)[0, 1] ** 2)
    _, members = np.unique(target, return_inverse=True)
    if task == "binary":
        _, places, repeats = np.unique(column, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(repeats) - (repeats - 1) / 2)[places]
        ones = float(np.count_nonzero(members))
        zeros = len(target) - ones
        area = (float(ranks[members == 1].sum()) - ones * (ones + 1) / 2) / (ones * zeros)
        return abs(2 * area - 1)
    sizes = np.bincount(members)
    means = np.bincount(members, column) / sizes
    between = float(sizes @ (means - column.mean()) ** 2)
    return between / float(((column - column.mean()) ** 2).sum())


def _tells_classes(column: Numbers, target: Numbers) -> bool:
    """Return whether nearly all rows are nearest to the mean of their class: η² is also 1 where classes share one."""
    _, members = np.unique(target, return_inverse=True)
    means = np.bincount(members, column) / np.bincount(members)
    order = np.argsort(means, kind="stable")
    middles = (means[order][1:] + means[order][:-1]) / 2
    return bool(np.mean(order[np.searchsorted(middles, column)] == members) > GIVEN_AWAY)


def row_numbers(rows: NDArray[np.floating]) -> NDArray[np.uint64]:
    """Return a number for each row (rows, columns) that equal rows share, and hardly any others."""
    numbers = np.zeros(len(rows), np.uint64)
    for piece in pieces(rows):
        part = numbers[piece]
        for column in np.asarray(rows[piece], np.float64).T:
            add_cells(part, np.ascontiguousarray(column + 0.0))  # a zero has no sign
    return numbers


def _constant_columns(evidence: Evidence) -> list[int]:
    cells = evidence.columns.cells
    flat = np.ones(len(evidence.columns.names), np.bool_)
    first = np.asarray(cells[:1], np.float64)
    for piece in pieces(cells):
        rows = np.asarray(cells[piece], np.float64)
        flat &= ((rows == first) | (np.isnan(rows) & np.isnan(first))).all(axis=0)
        if not flat.any():
            break
    return [int(place) for place in np.flatnonzero(flat)]


def _filled(column: NDArray[np.floating]) -> Numbers:
    """Return a column with the mean of its cells in place of missing ones."""
    numbers = np.asarray(column, np.float64)
    missing = np.isnan(numbers)
    if missing.all():
        return np.zeros(len(numbers))
    return np.where(missing, numbers[~missing].mean(), numbers) if missing.any() else numbers
