"""Slices: rows that share a value of a column, on which a model fails more often than on the others.

Every value of a category, the missing cells of each column, and quarters of numbers and dates by the training rows are
tested. A p-value is that of Fisher's exact test (1935) for wrong classes, and of the rank test of Mann and Whitney
(1947) for the size of errors; if rows come in groups, it is that of Student's t with the variance between groups (Liang
and Zeger 1986). All are one-sided, and Holm's correction (1979) over all slices of all columns limits the probability
of any false slice to 5 %. Slices of one column are those of Slice Finder (Chung et al. 2019), whose sequential
correction allows more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat
from typing_extensions import TypedDict

from specnet.number_texts import cell_text, count, day_text, page_figure, percent
from specnet.parts.data import OF_TEXTS, Column

LEVEL = 0.05
"""The largest probability that any slice is found if errors do not depend on the columns."""
MIN_ROWS = 10
"""The minimum number of rows or groups in a slice, and of those outside."""
MAX_SLICES = 5
FEW_VALUES = 4
"""A column of at most this number of different numbers has a slice for each of them, not for each quarter."""

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
InWords = Callable[[Column, float], str]
Measure = Literal["wrong", "absolute_error", "loss"]
"""``wrong`` is 1 for a wrong class and 0 otherwise."""


class Slice(TypedDict):
    """Rows on which a model fails more often than on the others.

    Attributes
    ----------
    column : str
    where : str
        The condition on the column in words, such as ``island = Torgersen``.
    rows : int
    measure : "wrong", "absolute_error" or "loss"
    mean, elsewhere : float
        Mean of the measure on these rows, and on the others.
    p_value : float
        Corrected for the number of slices.
    """

    column: str
    where: str
    rows: int
    measure: Measure
    mean: FiniteFloat
    elsewhere: FiniteFloat
    p_value: FiniteFloat


@dataclass(frozen=True, eq=False)
class Errors:
    """The errors of a model on test rows.

    Attributes
    ----------
    measure : "wrong", "absolute_error" or "loss"
    values : ndarray (rows,)
        The measure on each row.
    groups : ndarray (rows,) or None
        The group of each row, if rows of a group are not independent.
    """

    measure: Measure
    values: Numbers
    groups: NDArray[Any] | None = None


def cell_in_words(column: Column | None, cell: float) -> str:
    """Return a raw cell of a column as text (None for plain numbers); a missing cell is ``missing``."""
    if np.isnan(cell):
        return "missing"
    if column is None:
        return cell_text(cell)
    if column.texts is not None:
        return str(column.texts[int(cell)])
    if column.kind == "boolean":
        return "true" if cell else "false"
    return day_text(cell) if column.kind == "datetime" else cell_text(cell)


def slices_of(
    errors: Errors, columns: Sequence[Column], cells: Any, trained: Any, in_words: InWords = cell_in_words
) -> list[Slice]:
    """Return the slices on which errors are larger than chance explains, at most `MAX_SLICES`, the clearest first.

    Parameters
    ----------
    errors : Errors
    columns : sequence of Column
    cells, trained : array_like (rows, columns)
        Raw columns of the test rows, and of the training rows, whose quantiles bound the quarters of numbers.
    in_words : callable (Column, float) -> str
        The text of a cell.
    """
    values = errors.values
    if np.ptp(values) == 0:
        return []
    test = _Test(errors)
    found: dict[bytes, tuple[float, Slice]] = {}
    tests = 0
    for index, column in enumerate(columns):
        its, known = (np.asarray(each[:, index], np.float64) for each in (cells, trained))
        for where, mask in _masks(column, its, known, partial(in_words, column)):
            p_value = test.p_value(mask)
            if p_value is None:
                continue
            tests += 1
            inside, outside = float(values[mask].mean()), float(values[~mask].mean())
            if p_value < LEVEL and inside > outside:
                entry: Slice = {
                    "column": column.name,
                    "where": f"{column.name} {where}",
                    "rows": int(mask.sum()),
                    "measure": errors.measure,
                    "mean": inside,
                    "elsewhere": outside,
                    "p_value": p_value,
                }
                # Columns that say the same have the same slices.
                found.setdefault(mask.tobytes(), (p_value, entry))
    return list(_significant(sorted(found.values(), key=lambda each: each[0]), tests))[:MAX_SLICES]


def _significant(ordered: Sequence[tuple[float, Slice]], tests: int) -> Iterator[Slice]:
    """Yield the slices that Holm's correction leaves, with corrected p-values; `ordered` ascends by p-value."""
    largest = 0.0
    for number, (p_value, entry) in enumerate(ordered):
        largest = max(largest, (tests - number) * p_value)
        if largest > LEVEL:
            return
        yield {**entry, "p_value": largest}


def _masks(
    column: Column, cells: Numbers, trained: Numbers, in_words: Callable[[float], str]
) -> Iterator[tuple[str, Mask]]:
    """Yield the slices of a column: the condition in words, and a mask of rows."""
    missing = np.isnan(cells)
    yield "missing", missing
    if column.kind in OF_TEXTS or column.kind == "boolean":
        # Free texts are all different.
        for value in np.unique(cells[~missing]).tolist() if column.kind != "text" else ():
            yield f"= {in_words(value)}", cells == value
        return
    known = trained[~np.isnan(trained)]
    if not len(known):
        return
    if len(values := np.unique(known)) <= FEW_VALUES:
        for value in values.tolist():
            yield f"= {in_words(value)}", cells == value
        return
    edges = np.unique(np.quantile(known, (0.25, 0.5, 0.75), method="inverted_cdf"))
    # Quarters begin and end with values that occur.
    starts = [float(values[values > edge][0]) for edge in edges.tolist() if edge < values[-1]]
    for start, end in zip((None, *starts), (*edges.tolist(), None), strict=False):
        if start is None or end is None:
            words = f"up to {in_words(end)}" if start is None else f"from {in_words(start)}"
        elif start == end:
            words = f"= {in_words(start)}"
        else:
            words = f"from {in_words(start)} to {in_words(end)}"
        low, high = -np.inf if start is None else start, np.inf if end is None else end
        yield words, (cells >= low) & (cells <= high)


class _Test:
    """The one-sided test whether errors are larger inside a mask than outside."""

    def __init__(self, errors: Errors) -> None:
        self.is_wrong, self.values, self.groups = errors.measure == "wrong", errors.values, errors.groups
        if self.groups is not None:
            self.groups = np.unique(self.groups, return_inverse=True)[1]
        elif self.is_wrong:
            self.log_factorials = np.cumsum(np.log(np.maximum(np.arange(len(self.values) + 1), 1)))
        else:
            _, first, self.counts = np.unique(self.values, return_inverse=True, return_counts=True)
            self.ranks = (np.cumsum(self.counts) - (self.counts - 1) / 2)[first]

    def p_value(self, mask: Mask) -> float | None:
        """Return the p-value of a mask, or None if it has too few rows or groups, or the others have."""
        inside = int(mask.sum())
        if min(inside, len(mask) - inside) < MIN_ROWS:
            return None
        if self.groups is not None:
            return self._between_groups(mask, self.groups)
        return self._exact(mask, inside) if self.is_wrong else self._of_ranks(mask, inside)

    def _exact(self, mask: Mask, inside: int) -> float:
        """Return the probability of as many wrong rows inside, if the wrong rows were drawn from all."""
        rows, wrong, found = len(mask), int(self.values.sum()), int(self.values[mask].sum())

        def log_choices(among: Any, chosen: Any) -> Any:
            return self.log_factorials[among] - self.log_factorials[chosen] - self.log_factorials[among - chosen]

        possible = np.arange(found, min(inside, wrong) + 1)
        logs = log_choices(wrong, possible) + log_choices(rows - wrong, inside - possible) - log_choices(rows, inside)
        return min(1.0, float(np.exp(logs).sum()))

    def _of_ranks(self, mask: Mask, inside: int) -> float:
        """Return the probability of ranks as high, by the normal distribution with a correction for ties."""
        rows = len(mask)
        ties = float((self.counts.astype(np.float64) ** 3 - self.counts).sum())
        variance = inside * (rows - inside) / 12 * (rows + 1 - ties / (rows * (rows - 1)))
        excess = float(self.ranks[mask].sum()) - inside * (rows + 1) / 2 - 0.5
        return math.erfc(excess / math.sqrt(2 * variance)) / 2 if variance > 0 else 1.0

    def _between_groups(self, mask: Mask, groups: NDArray[np.intp]) -> float | None:
        """Return the probability of a difference of means as large, from the sums of each group's deviations."""
        from scipy.special import stdtr

        parts = mask, ~mask
        freedom = min(len(np.unique(groups[part])) for part in parts) - 1
        if freedom + 1 < MIN_ROWS:
            return None
        means = [self.values[part].mean() for part in parts]
        deviations = np.where(mask, (self.values - means[0]) / mask.sum(), (means[1] - self.values) / (~mask).sum())
        sums = np.bincount(groups, deviations)
        error = np.sqrt(np.square(sums).sum() * len(sums) / (len(sums) - 1))
        return float(stdtr(freedom, -(means[0] - means[1]) / error)) if error > 0 else 1.0


def slice_sentence(found: Slice) -> str:
    """Return a slice as a sentence, such as ``Rows with island = Torgersen: 40 % wrong, elsewhere 4 %.``"""
    where, rows = found["where"], count(found["rows"])
    if found["measure"] == "wrong":
        elsewhere = percent(found["elsewhere"])
        if found["mean"] == 1:
            return f"All {rows} rows with {where} are wrong; elsewhere {elsewhere}."
        return f"Rows with {where}: {percent(found['mean'])} of {rows} are wrong, elsewhere {elsewhere}."
    name = "mean absolute error" if found["measure"] == "absolute_error" else "loss"
    both = found["mean"], found["elsewhere"]
    mean, other = (page_figure(each, *both) for each in both)
    return f"Rows with {where}: {name} {mean} on {rows}, elsewhere {other}."
