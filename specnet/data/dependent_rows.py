"""Detection of dependent rows: rows of the same person, store or session, or rows close to each other in time.

A random split distributes dependent rows over training and test sets. A model that memorizes their common properties
then seems better than it is for new groups or later times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.data.leakage import Target, explained_fraction
from specnet.number_texts import counted
from specnet.parts.arrays import pieces
from specnet.parts.data import Column

MIN_ROWS, MIN_UNORDERED = 50, 150
"""The least number of rows, and of rows with dates in no order, of which few show no curved trend."""
MIN_GROUPS, ROWS_TO_A_GROUP = 10, (2, 50)
"""The least number of groups, and the range of their mean size; larger groups need a name such as ``patient_id``."""
NAMED_GROUPS, SIMILAR, SAME = 0.05, 0.2, 0.9
"""Least explained fractions of the target: for groups with a typical name, with shared columns, and for others."""
SHARED_BITS, SHARED_FRACTION = 2.5, {"category": 0.7, "numeric": 0.95}
"""Least entropy of a column, in bits, that groups explain, and the least fraction of the column's entropy."""
NEIGHBOURS, WIDE_BLOCKS = 8, 10
"""The number of rows in a block of neighbours, and the number of wide blocks."""
NOISE, PERMUTATIONS, CLEAR = 3.5, 1000, 4.0
"""Significance threshold, in standard errors of a normal distribution; the number of permutations of the target that
must all explain less; and the multiple of the threshold above which permutations are not needed."""
DRIFT = 0.03
"""Fraction of the target explained by wide blocks of numbered rows above which the numbers are treated as times."""
ORDERS, YEARS = 0.995, (1800, 2100)
"""Rank correlation above which a column orders numbered rows, and the range of whole numbers that are years."""
LARGE = 20_000
"""The number of rows above which only a sample of the groups or blocks is examined."""
CLASS_GROUPS = 3.0
"""Least effective number of groups in which a class occurs; otherwise the column is a feature that tells the class, and
a split by it would leave classes without training rows."""
BEYOND, BEYOND_ROWS = 0.2, 3000
"""Least fraction of what groups without a typical name explain that a model of the other columns cannot predict for new
groups, and the number of rows that the model reads."""
LEVELS, TREES, BEYOND_FOLDS, MOST_TRIED = 30, 30, 5, 40
"""The number of levels of a column in the model, of its trees and its folds, and of columns that a node tries."""
FOLLOWS, OWN = 0.95, 0.5
"""Least fractions of rows whose category follows from their group, and whose category occurs in no other group."""

_ENTITIES = (
    "patient|subject|participant|person|individual|user|customer|client|member|student|pupil|household|family|session|"
    "visit|store|shop|site|device|machine|sensor|station|kunde|filiale|proband"
)
_GROUP_NAME = re.compile(rf"(.*[_ .-])?(?:{_ENTITIES})s?([_ .-]?(id|no|nr|number|name|code|key))?|.*[_ .-]id", re.I)
_CAMEL_CASE_ID = re.compile(r".*[a-z](Id|ID)")

Cells = NDArray[np.float64]
Codes = NDArray[np.intp]


class Dependence(NamedTuple):
    """A column by which rows depend on each other.

    Attributes
    ----------
    column : int
        The column's index.
    key : "group" or "time"
        The key of ``data.split`` that names the column in a split that respects it.
    reason : str
        A sentence, without its first capital and its full stop.
    """

    column: int
    key: Literal["group", "time"]
    reason: str

    @property
    def held_out(self) -> str:
        """What a split that respects the column holds out."""
        return "whole groups" if self.key == "group" else "the latest rows"


def dependences(
    columns: Sequence[Column], cells: Callable[[int], Cells], targets: Iterable[Target]
) -> list[Dependence]:
    """Return at most one column of groups and one column of times that the split should respect for any target.

    Parameters
    ----------
    columns, cells
        As for `dependent_rows`.
    targets : iterable of Target
        The columns of the target; the first one for which groups or times are found decides.
    """
    found = dict[str, Dependence]()
    for target in targets:
        for each in dependent_rows(columns, cells, target):
            found.setdefault(each.key, each)
    return [*found.values()]


def names_of_groups(columns: Sequence[Column], cells: Callable[[int], Cells], group: int) -> list[int]:
    """Return the categories that are further names of the groups in a column, such as the name beside a number.

    A model cannot use them for rows of new groups, whose categories it has never seen: they follow from the group, and
    most rows have a category that occurs in no other group. Categories that several groups share, such as a country,
    are left out, and numbers, which have an order.

    Parameters
    ----------
    columns, cells
        As for `dependent_rows`.
    group : int
        Index of the column of groups.
    """
    groups, found = np.unique(cells(group), return_inverse=True)[1], []
    for index, column in enumerate(columns):
        if index == group or column.kind != "category":
            continue
        values = np.unique(cells(index), return_inverse=True)[1]
        width = int(values.max()) + 1
        pairs, sizes = np.unique(groups * width + values, return_counts=True)
        most = np.zeros(int(groups.max()) + 1, np.intp)
        np.maximum.at(most, pairs // width, sizes)
        largest = np.zeros(width, np.intp)
        np.maximum.at(largest, pairs % width, sizes)
        own = largest == np.bincount(values)
        if most.sum() >= FOLLOWS * len(groups) and own[values].mean() >= OWN:
            found.append(index)
    return found


def dependent_rows(columns: Sequence[Column], cells: Callable[[int], Cells], target: Target) -> Iterator[Dependence]:
    """Yield a column of groups and a column of times that the split should respect, if they exist.

    Parameters
    ----------
    columns : sequence of Column
    cells : callable
        Function that returns the cells of a column by index, (rows,), with NaN for missing cells.
    target : ClassTarget or ValueTarget

    Notes
    -----
    Groups are texts or unordered whole numbers that explain part of the target. In addition, the column has a name such
    as ``patient_id`` (which free text must have), rows of a group share the values of another column, or, for numbers,
    they have nearly the same target. Without a typical name, groups must also explain clearly more than a model of the
    other columns predicts for groups that it has not seen, or the column may be made from others, such as a cross of
    two categories or the bins of a number; and a class must occur in several groups, or the column is a feature that
    tells the class. Of several such columns, the one with the most groups is chosen. Times are dates
    whose neighbours are more similar than distant rows (slow changes alone may come from an age), or row numbers along
    which the target drifts, unless the rows are ordered by the target, or by another column that explains the drift.
    All similarities are adjusted for chance.
    """
    groups, times = list[tuple[int, int, str]](), list[tuple[float, int, str]]()
    for index, column in enumerate(columns):
        if column.kind in ("category", "text", "numeric"):
            groups += _group(columns, cells, index, target)
        if column.kind in ("datetime", "numeric"):
            times += _time(columns, cells, index, target)
    if groups:
        _, index, sentence = max(groups, key=lambda each: each[0])
        yield Dependence(index, "group", sentence)
    if times:
        _, index, sentence = max(times, key=lambda each: each[0])
        if not target.is_given_away(cells(index)):  # rows that are sorted by their target
            yield Dependence(index, "time", sentence)


def names_a_group(name: str) -> bool:
    """Return whether a column's name is typical of groups, such as persons, stores or sessions, or of an identifier."""
    return bool(_GROUP_NAME.fullmatch(name) or _CAMEL_CASE_ID.fullmatch(name))


def _group(
    columns: Sequence[Column], cells: Callable[[int], Cells], index: int, target: Target
) -> Iterator[tuple[int, int, str]]:
    """Yield the number of groups, the index and a sentence if a column names groups of rows."""
    column = columns[index]
    numbers = cells(index)
    present = np.flatnonzero(~np.isnan(numbers))
    is_named = names_a_group(column.name)
    if len(present) < MIN_ROWS or (column.kind == "numeric" and (numbers[present] % 1).any()):
        return
    if column.kind == "text" and not is_named:
        return
    values, codes = np.unique(numbers[present], return_inverse=True)
    count, (minimum, maximum) = len(values), ROWS_TO_A_GROUP
    if count < MIN_GROUPS or not minimum * count <= len(present) <= (np.inf if is_named else maximum * count):
        return
    if len(present) > LARGE:
        some = codes % -(-len(present) // LARGE) == 0
        present, codes = present[some], np.unique(codes[some], return_inverse=True)[1]
    known = target.some(present)
    explained = known.explained_by(codes)
    if explained < NAMED_GROUPS or _may_be_chance(explained, codes, known, lambda some: some.explained_by(codes)):
        return
    if column.kind == "numeric" and _explained_by_order(codes, known) > explained / 2:
        return  # a measurement, whose neighbouring values have similar targets too
    alike = "nearly the same target" if explained >= SAME else "similar targets"
    is_same = explained >= SAME and column.kind == "numeric"  # a category may say what the target is
    if not is_named and not is_same:
        shared = _shared(columns, cells, index, present, codes) if explained >= SIMILAR else ""
        if not shared:
            return
        alike += f" and mostly the same {shared}"
    if not is_named:
        others = (cells(other)[present] for other in range(len(columns)) if other != index)
        if (
            known.groups_of_a_class(codes) < CLASS_GROUPS
            or _explained_beyond(others, codes, known) < BEYOND * explained
        ):
            return  # a feature, perhaps one that follows from others, such as a cross of two categories
    groups = f"{counted(count, 'value')} in {counted(len(numbers), 'row')}"
    yield count, index, f'rows with the same "{column.name}" have {alike} ({groups})'


def _explained_beyond(others: Iterable[Cells], codes: Codes, known: Target) -> float:
    """Return the fraction of the target that groups explain beyond what other columns predict for new groups.

    It is 0 if groups of unrelated rows might explain as much of what the other columns leave.

    Parameters
    ----------
    others : iterable of ndarray (rows,)
        The other columns.
    codes : ndarray (rows,)
        The group of each row.
    known : ClassTarget or ValueTarget

    Notes
    -----
    The groups explain residuals of models that are fitted to the rows of other groups: a random forest, which finds
    interactions, and one of what a sum of terms for each column (ridge regression) leaves, which predicts new pairs of
    categories. The better of the two decides.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    count = int(codes.max()) + 1
    order = np.random.default_rng(0).permutation(count)[codes]  # groups drawn at random, at least one for each fold
    drawn = np.flatnonzero(order < max(BEYOND_FOLDS, count * BEYOND_ROWS // len(codes)))
    columns = [np.unique(cells[drawn], return_inverse=True)[1] for cells in others]  # ranks; missing cells are the last
    if not columns:
        return 1.0
    X, groups, answers = np.column_stack(columns), np.unique(codes[drawn], return_inverse=True)[1], known.answers[drawn]
    levels = X * LEVELS // np.maximum(X.max(axis=0) + 1, LEVELS)
    sums = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge(solver="lsqr"))
    forest = RandomForestRegressor(
        TREES, min_samples_leaf=3, max_features=min(-(-len(columns) // 2), MOST_TRIED), random_state=0
    )
    alone, after = answers.copy(), answers.copy()
    for training, unseen in GroupKFold(BEYOND_FOLDS).split(X, groups=groups):
        alone[unseen] -= forest.fit(X[training], answers[training]).predict(X[unseen])
        left = answers[training] - sums.fit(levels[training], answers[training]).predict(levels[training])
        after[unseen] -= sums.predict(levels[unseen]) + forest.fit(X[training], left).predict(X[unseen])
    variance = float(answers.var(axis=0).sum())
    if not variance:
        return 0.0  # a rare class in none of the drawn rows
    return min(_clearly_explained(residuals, groups) for residuals in (alone, after)) / variance


def _clearly_explained(residuals: Cells, groups: Codes) -> float:
    """Return the variance of residuals, (rows,) or (rows, answers), that groups explain; 0 if it may be chance."""
    variances = np.atleast_1d(residuals.var(axis=0))
    explained = float(variances @ [explained_fraction(each, groups) for each in np.atleast_2d(residuals.T)])
    return explained if explained >= _chance(groups) * variances.sum() else 0.0


def _explained_by_order(codes: Codes, target: Target) -> float:
    """Return the fraction of the target explained by blocks of neighbouring values; large for a measurement."""
    return target.explained_by(codes // max(2, -(-(int(codes.max()) + 1) // WIDE_BLOCKS)))


def _shared(columns: Sequence[Column], cells: Callable[[int], Cells], index: int, present: Codes, codes: Codes) -> str:
    """Return the names of up to two informative columns whose values rows of a group share; empty if none exists."""
    names = []
    shuffled = np.random.default_rng(0).permutation(len(codes))
    for other, column in enumerate(columns):
        others = np.unique(cells(other)[present], return_inverse=True)[1]
        if other == index or others.max() >= codes.max():  # as many values: another identifier of the groups
            continue
        by_chance = _entropy_within(codes, others[shuffled])
        fraction = 1 - _entropy_within(codes, others) / by_chance if by_chance > 0 else 0.0
        if fraction >= SHARED_FRACTION[columns[index].kind] and fraction * _entropy(np.bincount(others)) >= SHARED_BITS:
            names.append(f'"{column.name}"')
    return " and ".join(names[:2])


def _entropy_within(groups: Codes, values: Codes) -> float:
    """Return the conditional entropy of values given their group, in bits."""
    pairs = np.unique(groups * (int(values.max()) + 1) + values, return_counts=True)[1]
    return _entropy(pairs) - _entropy(np.bincount(groups))


def _entropy(counts: NDArray[np.intp]) -> float:
    """Return the entropy of counts in bits."""
    shares = counts[counts > 0] / counts.sum()
    return -float(shares @ np.log2(shares))


def _time(
    columns: Sequence[Column], cells: Callable[[int], Cells], index: int, target: Target
) -> Iterator[tuple[float, int, str]]:
    """Yield the fraction of the target that neighbours share, the index and a sentence if a column contains times."""
    times, is_number = cells(index), columns[index].kind == "numeric"
    present = np.flatnonzero(~np.isnan(times))
    if len(present) < MIN_ROWS or (is_number and numbers_rows(times) is None):
        return
    times, known = times[present], target.some(present)
    steps = np.diff(times)
    if not is_number and len(times) < MIN_UNORDERED and (steps > 0).any() and (steps < 0).any():
        return
    near, far = (_blocks(times, size) for size in (NEIGHBOURS, max(len(times) / WIDE_BLOCKS, 5 * NEIGHBOURS)))
    if len(times) > LARGE:
        some = np.flatnonzero(near % -(-len(times) // LARGE) == 0)
        near, far, known = np.unique(near[some], return_inverse=True)[1], far[some], known.some(some)
    close, distant = known.explained_by(near), known.explained_by(far)
    if is_number:
        is_chance = distant < DRIFT or _may_be_chance(distant, far, known, lambda some: some.explained_by(far))
    else:
        is_chance = _may_be_chance(
            close - distant, near, known, lambda some: some.explained_by(near) - some.explained_by(far)
        )
    if not is_chance and not (is_number and _are_ordered(columns, cells, index, target)):
        yield close, index, f'rows near each other in "{columns[index].name}" have similar targets'


def _are_ordered(columns: Sequence[Column], cells: Callable[[int], Cells], index: int, target: Target) -> bool:
    """Return whether numbered rows are ordered by another column, which explains the drift of the target along them.

    A column of numbers with more values than wide blocks explains any drift. Columns of dates and years order the rows
    in time.
    """
    order = np.argsort(cells(index))
    wide = np.arange(len(order)) * WIDE_BLOCKS // len(order)
    known = target.some(order)
    for other, column in enumerate(columns):
        values = cells(other)[order]
        if other == index or column.kind == "datetime" or np.isnan(values).any() or _are_years(values):
            continue
        codes = np.unique(values, return_inverse=True)[1]
        count = int(codes.max()) + 1
        runs = 1 + np.count_nonzero(codes[1:] != codes[:-1])
        if 1 < count == runs:
            beyond = known.explained_by(codes * WIDE_BLOCKS + wide) - known.explained_by(codes)
            if count > WIDE_BLOCKS or beyond < DRIFT:
                return True
    return False


def _are_years(values: Cells) -> bool:
    return bool((values % 1 == 0).all() and YEARS[0] <= values.min() and values.max() <= YEARS[1])


def numbers_rows(cells: Cells) -> str | None:
    """Return the reason why cells seem to number the rows (distinct whole numbers), or None if they do not."""
    if np.isnan(cells).any() or not all((cells[piece] == np.floor(cells[piece])).all() for piece in pieces(cells)):
        return None
    minimum = cells.min()
    if (cells[1:] > cells[:-1]).all():
        return "whole numbers that increase from row to row"
    if cells.max() - minimum < 2 * len(cells) and np.bincount((cells - minimum).astype(np.intp)).max() == 1:
        return "whole numbers, all different"
    return None


def _blocks(cells: Cells, size: float) -> Codes:
    """Return the block of each row, from 0: blocks of successive rows in the order of cells; equal cells share one."""
    values, codes, counts = np.unique(cells, return_inverse=True, return_counts=True)
    blocks, filled = np.empty(len(values), np.intp), 0
    block = 0
    for value, count in enumerate(counts.tolist()):
        blocks[value] = block
        filled += count
        if filled >= size:
            block, filled = block + 1, 0
    return blocks[codes]


def _may_be_chance(explained: float, groups: Codes, known: Target, statistic: Callable[[Target], float]) -> bool:
    """Return whether unrelated rows might explain as much of the target.

    Parameters
    ----------
    explained : float
        The statistic of the target.
    groups : ndarray (rows,)
        The group of each row.
    known : ClassTarget or ValueTarget
    statistic : callable
        Function that returns the explained fraction of a target; it decides by permutations near the threshold, because
        rare classes and groups of different sizes have heavier tails than a chi-squared distribution.
    """
    threshold = _chance(groups)
    if not threshold <= explained < CLEAR * threshold:
        return explained < threshold
    rng, rows = np.random.default_rng(0), len(groups)
    return any(statistic(known.some(rng.permutation(rows))) >= explained for _ in range(PERMUTATIONS))


def _chance(groups: Codes) -> float:
    """Return the fraction of the target that groups of unrelated rows explain at most, up to `NOISE` standard errors.

    The fraction of a target with a normal distribution is that of a chi-squared distribution with about one degree of
    freedom per group, whose quantile is approximated as in Wilson and Hilferty (1931).
    """
    rows, count = len(groups), int(groups.max()) + 1
    others = max(rows / count - 1, 1)
    spread = 2 / (9 * count)
    quantile = count * (1 - spread + NOISE * np.sqrt(spread)) ** 3
    return float(np.sqrt(2 / (rows * others)) * (quantile - count) / np.sqrt(2 * count))
