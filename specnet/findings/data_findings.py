"""Findings about the data: constant columns, unsuitable scales, leakage, and rows that splits share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from specnet.data.data_warnings import far_from_zero
from specnet.data.leakage import ClassTarget, ValueTarget, linear_leak
from specnet.data.row_hashes import by_value
from specnet.findings.evidence import Evidence, Numbers, UntestableError
from specnet.findings.finding import Finding, ignored_columns, standardized_columns
from specnet.number_texts import count, percent, short
from specnet.parts.arrays import Array, RowView, pieces
from specnet.parts.data import OF_TEXTS

MIN_PIXELS = 6
"""Width in pixels of the smallest images that are recognized."""
MAX_NAMED = 3
"""Largest number of constant columns that a sentence names."""
LARGE, VERY_LARGE, SPREAD_FACTOR = 100.0, 1000.0, 1000.0
SHARED = 0.05
MAX_RANKED = 20_000
"""Largest number of training rows on which columns are compared with the target; of more, an evenly spaced sample."""


def constant_column(evidence: Evidence) -> Iterator[Finding]:
    """Columns with one value in all training rows, unless they are pixels."""
    rows, flat = len(evidence.cells), _constant_columns(evidence)
    if rows < 2 or (flat and image_width(evidence.cells) is not None):
        raise UntestableError
    if not flat:
        return
    names = [evidence.column_names[column] for column in flat]
    named = _named(names[:MAX_NAMED], len(flat))
    more = f" and {len(flat) - MAX_NAMED} more" if len(flat) > MAX_NAMED else ""
    sentence = f"{named}{more}: the same value in all {count(rows)} training rows"
    changes = ignored_columns(evidence, names)
    yield Finding("constant-column", "warning", sentence, changes, "" if changes else "leave it out of data.features")


def image_width(columns: Array | RowView) -> int | None:
    """Return the width of the square grey images whose pixels are the columns, or None if the columns are no pixels.

    Grey values are nonnegative whole numbers, and an image has at least 6 × 6 pixels.
    """
    width = math.isqrt(columns.shape[1])
    if width < MIN_PIXELS or width * width != columns.shape[1]:
        return None
    for piece in pieces(columns):
        values = np.asarray(columns[piece], np.float64)
        with np.errstate(invalid="ignore"):
            if not np.all((values >= 0) & (values == np.rint(values))):
                return None
    return width


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
    loss, (_, last) = evidence.network.spec.training.loss, evidence.network.nodes[-1].layer.split_activation()
    has_no_bounds = loss.domain == "any" and (last is None or last.is_identity)
    if evidence.has_classes or loss.target != "values" or not has_no_bounds:
        raise UntestableError
    if (found := far_from_zero(evidence.target)) is not None:
        name, mean, deviation = found
        sentence = f"{name} has mean {short(mean)} and standard deviation {short(deviation)}"
        changes = {"network.target_preprocessing": ["standardize"]}
        yield Finding("unscaled-target", "warning", sentence, changes)


def leakage(evidence: Evidence) -> Iterator[Finding]:
    """A column, or a linear model of several, that explains all but 1 % of the target."""
    unseen = evidence.known_unseen
    if evidence.target.ndim > 1:
        raise UntestableError
    if unseen.score <= unseen.baselines.get("constant", -np.inf):
        return
    rows = slice(None, None, -(-len(evidence.target) // MAX_RANKED))
    target, cells = evidence.target[rows], evidence.cells[rows]
    categories = {index for index, column in enumerate(evidence.kinds) if column.kind in OF_TEXTS}
    indices = range(cells.shape[1])

    def column(index: int) -> Numbers:
        return by_value(cells[:, index])

    known = ClassTarget(target.astype(np.intp)) if evidence.has_classes else ValueTarget(target.astype(np.float64))
    leaks = [index for index in indices if known.is_given_away(column(index), is_category=index in categories)]
    how = "determines the target alone" if len(leaks) == 1 else "determine the target, each alone"
    if not leaks and isinstance(known, ValueTarget):
        numbers = [index for index in indices if index not in categories]
        leaks, explained = linear_leak(column, numbers, known.values)
        how = f"determine{'s' * (len(leaks) == 1)} the target: a linear model explains {percent(explained)} of it"
    if not leaks:
        return
    names = [evidence.column_names[index] for index in leaks]
    sentence = f"{_named(names)} {how}"
    words = "leave them out unless they are known before the answer is"
    if len(leaks) == 1:
        words = "leave it out unless it is known before the answer is"
    yield Finding("leakage", "error", sentence, ignored_columns(evidence, names), words)


def shared_rows(evidence: Evidence) -> Iterator[Finding]:
    """Over 5 % of the rows held out are training rows, or have the inputs of one more often than by chance."""
    if evidence.unseen is None or len(evidence.column_names) < 2:
        raise UntestableError
    if (found := evidence.repeated) is not None:
        yield Finding("shared-rows", "error", found[0], {}, found[1])


def _named(names: Sequence[str], count: int | None = None) -> str:
    """Return column names as the beginning of a sentence; `count` is the number of columns if not all are named."""
    word = "" if names[0].startswith("column ") else "column " if (count or len(names)) == 1 else "columns "
    return word + ", ".join(names)


def _constant_columns(evidence: Evidence) -> list[int]:
    cells = evidence.cells
    flat = np.ones(cells.shape[1], np.bool_)
    first = np.asarray(cells[:1], np.float64)
    for piece in pieces(cells):
        rows = np.asarray(cells[piece], np.float64)
        flat &= ((rows == first) | (np.isnan(rows) & np.isnan(first))).all(axis=0)
        if not flat.any():
            break
    found: list[int] = np.flatnonzero(flat).tolist()
    return found
