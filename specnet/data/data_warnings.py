"""Warnings about training data, from checks of the target, of each column, and of all rows.

`TrainingData` has the sets of a split and the spec; the checks return diagnostics. `CHECKS` has an entry for each
warning: its subject, its code, and the function that yields the findings. The statistics are in `leakage`,
`dependent_rows` and `repeated_rows`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data.dependent_rows import Dependence, dependences, numbers_rows
from specnet.data.labels import Labels
from specnet.data.leakage import ClassTarget, Target, ValueTarget, linear_leak
from specnet.data.repeated_rows import RawRows, repeated_rows
from specnet.data.row_hashes import by_value
from specnet.data.target_errors import looks_like_numbers, other_kind_hint
from specnet.errors import Diagnostic, OneOfMany, Path
from specnet.files.plain_data import toml_key, toml_text
from specnet.number_texts import count, counted, percent
from specnet.parts.arrays import Array, first_few
from specnet.parts.data import OF_TEXTS, Column
from specnet.parts.data.column_kinds import are_frequent
from specnet.spec import Resolved, Spec

FAR_FROM_ZERO = 30.0
"""Mean or standard deviation of a target above which training from initial weights takes many steps."""
MIN_IDENTIFIER_ROWS = 20
REPEATED_SHARE = 0.1
"""Fraction of test rows that repeat training rows above which metrics are too optimistic."""

_LOSS: Path = ("training", "loss")
_SPLIT: Path = ("data", "split")
_UNKNOWN_BEFOREHAND = "if it is not known beforehand, ", "if they are not known beforehand, "


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The data that the checks examine.

    Attributes
    ----------
    resolved : Resolved
    labels : Labels or None
        Labels of the target; None if the loss has no labels.
    splits : mapping of str to RawRows
        The rows of ``train`` and of other sets by name.
    kinds : sequence of Column
        The columns; empty if all columns are plain numbers.
    ignored : mapping of str to ndarray (all rows,)
        Ignored columns that may name groups of rows: indices of their texts, with NaN for missing cells.
    codes : dict of int to str
        The code of the first warning about each column that has been checked.
    labels_by_content : dict of bytes to str
        The label in messages of the first column with a content, by fingerprint.
    """

    resolved: Resolved
    labels: Labels | None
    splits: Mapping[str, RawRows]
    kinds: Sequence[Column] = ()
    ignored: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict)
    labels_by_content: dict[bytes, str] = field(default_factory=dict)

    @property
    def spec(self) -> Spec:
        """The spec."""
        return self.resolved.spec

    @property
    def data_path(self) -> Path:
        """The path of the data section in the spec."""
        return () if self.spec.data is None else ("data",)

    @cached_property
    def order(self) -> slice | NDArray[np.intp]:
        """The index that sorts the training rows into the order of their table."""
        chosen = self.splits["train"].chosen
        return slice(None) if chosen is None else np.argsort(chosen, kind="stable")

    def column(self, index: int) -> NDArray[np.float64]:
        """Return a copy of a column of the training rows in the table's order; zeros are +0, missing cells one NaN."""
        return by_value(self._in_order(self.splits["train"].table[:, index]))

    def _in_order(self, column: Array) -> Array:
        chosen = self.splits["train"].chosen
        return column if chosen is None else column.take(chosen[self.order])

    @cached_property
    def classes(self) -> dict[str, NDArray[np.intp]]:
        """The class index of each row, by set name; empty for a target without labels."""
        return {} if self.labels is None else {name: self.labels.encode(rows.y) for name, rows in self.splits.items()}

    @cached_property
    def class_counts(self) -> dict[str, NDArray[np.intp]]:
        """The number of rows of each class, (classes,), by set name."""
        count = 0 if self.labels is None else len(self.labels)
        return {name: np.bincount(classes, minlength=count) for name, classes in self.classes.items()}

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Each column of the target, in the table's order, by its name in messages."""
        y = self.splits["train"].y[self.order]
        if self.labels is not None:
            return {"the target": ClassTarget(self.labels.encode(y))}
        columns = np.asarray(y).reshape(len(y), -1).T
        names = ["the target"] if len(columns) == 1 else [f"target {number}" for number in range(len(columns))]
        if self.spec.training.loss.target == "binary":
            return {name: ClassTarget(column.astype(np.intp)) for name, column in zip(names, columns, strict=True)}
        return {name: ValueTarget(column.astype(np.float64)) for name, column in zip(names, columns, strict=True)}

    @cached_property
    def split_by(self) -> dict[int, Dependence]:
        """Columns to split by instead of at random, by their index: at most one column of groups and one of times.

        Ignored columns have the last indices.
        """
        if not self.kinds or not self._is_random:
            return {}
        columns, ignored = [*self.kinds, *(Column(name, "category") for name in self.ignored)], [*self.ignored.values()]

        def cells(index: int) -> NDArray[np.float64]:
            return self.column(index) if index < len(self.kinds) else self._in_order(ignored[index - len(self.kinds)])

        return {each.column: each for each in dependences(columns, cells, self.targets.values())}

    def orders_rows(self, index: int) -> bool:
        """Return whether the split goes by a column as the time of the rows."""
        return bool(self.kinds) and self.spec.data is not None and self.kinds[index].name == self.spec.data.split.time

    @property
    def _is_random(self) -> bool:
        """Whether held-out rows, or the folds of ensemble members, are chosen at random."""
        data, ensemble = self.spec.data, self.spec.training.ensemble
        if data is None or data.split.by_column is not None or data.split.says_parts:
            return False
        return len(self.splits) > 1 or (ensemble is not None and bool(ensemble.folds))


@dataclass(frozen=True, eq=False)
class CheckedColumn:
    """A column of the training rows."""

    data: TrainingData
    index: int

    @cached_property
    def cells(self) -> NDArray[np.float64]:
        """The column's cells (rows,), in the order of the table."""
        return self.data.column(self.index)

    @property
    def described(self) -> Column | None:
        """The description of the column, or None if unknown."""
        return self.data.kinds[self.index] if self.data.kinds else None

    @property
    def kind(self) -> str:
        """The kind of the column."""
        return "numeric" if self.described is None else self.described.kind

    @property
    def name(self) -> str | None:
        """The name of the column, or None."""
        if self.described is not None:
            return self.described.name
        names = self.data.spec.feature_names
        return names[self.index] if names else None

    @property
    def label(self) -> str:
        """The label of the column in messages."""
        return str(self.index) if self.name is None else f'"{self.name}"'

    @cached_property
    def is_missing(self) -> NDArray[np.bool_]:
        """The mask of missing cells, (rows,)."""
        return np.isnan(self.cells)

    @cached_property
    def is_constant(self) -> bool:
        """Whether all cells are equal; missing cells count as equal to each other."""
        return bool(self.is_missing.all() or (self.cells == self.cells[0]).all())

    def fingerprint(self) -> bytes:
        """Return a hash that only equal columns share; categories are compared by their texts."""
        digest = hashlib.blake2b(digest_size=16)
        cells = self.cells
        if self.described is not None and self.described.texts is not None:
            values, codes = np.unique(cells, return_inverse=True)
            texts = [None if np.isnan(code) else str(self.described.texts[int(code)]) for code in values]
            digest.update(repr(texts).encode())
            cells = codes.astype(np.float64)
        digest.update(cells.tobytes())
        return digest.digest()

    @property
    def path(self) -> Path:
        """The path in the spec of the setting that describes the column."""
        is_named = self.data.spec.data is not None and self.described is not None
        return (*self.data.data_path, "columns") if is_named else self.data.data_path

    @property
    def omission(self) -> tuple[str, str, str]:
        """Hints: how to leave the column out, how to leave several out, and the setting for each of several."""
        data = self.data.spec.data
        if data is None or not hasattr(data, "features"):
            return "leave it out", "leave them out", ""
        if self.described is None:
            return "leave it out of data.features", "leave them out of data.features", ""
        if self.name in (data.features or ()):
            return f"take {self.label} out of data.features", "take these out of data.features:", self.label
        setting = f'data.columns.{toml_key(self.described.name)} = "ignore"'
        return f"set {setting}", "set", setting


class Suspicion(NamedTuple):
    """A finding of a check.

    Attributes
    ----------
    message : str
    path : tuple
        Path in the spec that the message concerns.
    hint : str
    of_many : OneOfMany or None
        Texts for a joint warning with the same finding about other columns.
    """

    message: str
    path: Path
    hint: str
    of_many: OneOfMany | None = None


def target_warnings(data: TrainingData) -> tuple[Diagnostic, ...]:
    """Return warnings about the target of training rows."""
    return tuple(_diagnostic(data, *each) for each in _found("target", data))


def column_warnings(data: TrainingData) -> tuple[Diagnostic, ...]:
    """Return warnings about the columns of training rows, a random split, and test rows that repeat training rows.

    Each column has only the first warning that applies to it. Warnings about all rows come last.
    """
    found: list[tuple[str, Suspicion]] = []
    for index in range(data.splits["train"].table.shape[1]):
        column = CheckedColumn(data, index)
        code, first = next(_found("constant" if column.is_constant else "column", column), ("", None))
        if column.is_constant or first is not None:
            data.codes[index] = code or "constant"
        if first is not None and not (code == "identifier" and (index in data.split_by or data.orders_rows(index))):
            found.append((code, first))
    return tuple(_diagnostic(data, *each) for each in (*found, *_found("rows", data)))


def _found(subject: str, checked: TrainingData | CheckedColumn) -> Iterator[tuple[str, Suspicion]]:
    """Yield the warning code and the finding for each check of a subject."""
    for each, code, find in CHECKS:
        if each == subject:
            yield from ((code, found) for found in find(checked))


def _diagnostic(data: TrainingData, code: str, found: Suspicion) -> Diagnostic:
    return replace(data.spec.diagnostic(code, found.message, found.path, hint=found.hint), of_many=found.of_many)


def _many_single_rows(data: TrainingData) -> Iterator[Suspicion]:
    """Check for a target whose classes mostly have a single row, as if it were numeric."""
    if data.labels is None or not looks_like_numbers(data.classes["train"]):
        return
    counts = data.class_counts["train"]
    message = (
        f"{count(int((counts == 1).sum()))} of {count(int((counts > 0).sum()))} classes have a single training row"
    )
    yield Suspicion(message, _LOSS, other_kind_hint(data.labels.values))


def _one_class(data: TrainingData) -> Iterator[Suspicion]:
    """Check for a target with the same class in all training rows."""
    if data.labels is not None and np.count_nonzero(counts := data.class_counts["train"]) == 1:
        message = f"all training rows have the same label, {data.labels.values[counts.argmax()]}"
        yield Suspicion(message, _LOSS, "add rows of the other classes")


def _unseen_class(data: TrainingData) -> Iterator[Suspicion]:
    """Check for classes that occur only in held-out rows."""
    if data.labels is None:
        return
    trained, held_out = _trained_and_held_out(data)
    unseen = np.flatnonzero((trained == 0) & (sum(held_out.values()) > 0))
    if len(unseen):
        rows = " and ".join(
            counted(int(each[unseen].sum()), f"{name} row") for name, each in held_out.items() if each[unseen].any()
        )
        message = f"{_named(data.labels, unseen)} in {rows} and in no training row: the network cannot learn it"
        yield Suspicion(message, _SPLIT, "add training rows of it; each of its rows now counts as a mistake")


def _single_row(data: TrainingData) -> Iterator[Suspicion]:
    """Check for classes whose only row is a training row, although rows are held out."""
    if data.labels is None or len(data.splits) < 2:
        return
    trained, held_out = _trained_and_held_out(data)
    single = np.flatnonzero((trained == 1) & (sum(held_out.values()) == 0))
    if len(single) and not looks_like_numbers(data.classes["train"]):
        message = f"{_named(data.labels, single)} in one row, which is a training row"
        yield Suspicion(message, _SPLIT, "add rows of it; no metric tells how well it is predicted")


def _trained_and_held_out(data: TrainingData) -> tuple[NDArray[np.intp], dict[str, NDArray[np.intp]]]:
    """Return the number of training rows of each class, and the numbers of rows in other sets by set name."""
    counts = dict(data.class_counts)
    return counts.pop("train"), counts


def _named(labels: Labels, classes: NDArray[np.intp]) -> str:
    """Return class names with a verb: ``class a is``, ``each of 2 classes (a, b) is``."""
    names = first_few(labels.decode(classes), 6)
    return f"class {names} is" if len(classes) == 1 else f"each of {len(classes)} classes ({names}) is"


def _unscaled_target(data: TrainingData) -> Iterator[Suspicion]:
    """Check for a target of numbers that is far from the outputs of an untrained network."""
    spec = data.spec
    if data.labels is not None or spec.training.loss.domain != "any" or spec.network.target_preprocessing:
        return
    activation = data.resolved.nodes[-1].layer.split_activation()[1]
    if activation is not None and not activation.is_identity:  # it may have been chosen for the target's units
        return
    if (found := far_from_zero(data.splits["train"].y)) is not None:
        name, mean, deviation = found
        message = f"{name} is not scaled: mean {mean:.3g}, standard deviation {deviation:.3g}"
        yield Suspicion(message, _LOSS, 'use network.target_preprocessing = ["standardize"]')


def far_from_zero(target: ArrayLike) -> tuple[str, float, float] | None:
    """Return the column of a target that is farthest from 0, or None if no column is beyond `FAR_FROM_ZERO`.

    Parameters
    ----------
    target : array_like (rows,) or (rows, outputs)

    Returns
    -------
    tuple or None
        The column's name in messages, its mean, and its standard deviation.
    """
    columns = np.asarray(target).astype(np.float64)
    columns = columns.reshape(len(columns), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        means, deviations = columns.mean(0), columns.std(0)
    worst = int(np.maximum(abs(means), deviations).argmax())
    if not max(abs(means[worst]), deviations[worst]) > FAR_FROM_ZERO:
        return None
    return f"target {worst}" if len(means) > 1 else "the target", float(means[worst]), float(deviations[worst])


def _constant(column: CheckedColumn) -> Iterator[Suspicion]:
    """Check for a column that is empty in all training rows, or has one value in all rows of all sets.

    A column whose other values occur only in held-out rows is not constant. A column without training values, however,
    is useless.
    """
    data, first = column.data, column.cells[0]
    advice = "it teaches nothing: ", "they teach nothing: "
    if len(column.cells) < 2:
        return
    if np.isnan(first):
        empty = "empty in all training rows"
        yield _of_column(column, f"is {empty}", f"are {empty}", advice=advice)
        return
    for name, rows in data.splits.items():
        if name != "train":
            cells = rows.table[:, column.index]
            if not ((cells if rows.chosen is None else cells.take(rows.chosen)) == first).all():
                return
    shown = f"{first:.6g}" if column.described is None else column.described.cell_text(first)
    yield _of_column(column, f"is {shown} in all rows", "are constant in all rows", advice=advice)


def _duplicate(column: CheckedColumn) -> Iterator[Suspicion]:
    """Check for a column that equals an earlier one."""
    twin = column.data.labels_by_content.setdefault(column.fingerprint(), column.label)
    if twin != column.label:
        equal = "in all training rows"
        yield _of_column(column, f"equals column {twin} {equal}", f"equal others {equal}", f" = {twin}")


def _gives_target_away(column: CheckedColumn) -> Iterator[Suspicion]:
    """Check for a column that almost determines a target, by its values or by its missing cells."""
    missing = column.is_missing
    for name, target in column.data.targets.items():
        determined = f"{name}: {target.reason}"
        if not target.is_given_away(column.cells, is_category=column.kind in OF_TEXTS):
            determined = f"{name} by being empty or not"
            if not missing.any() or not target.is_given_away(missing.astype(np.float64)):
                continue
        message, of_many = f"almost determines {determined}", f"almost determine {name}"
        yield _of_column(column, message, of_many, advice=_UNKNOWN_BEFOREHAND)


def _identifier(column: CheckedColumn) -> Iterator[Suspicion]:
    """Check for an identifier: a column of rare texts, or of whole numbers that number the rows."""
    reason, rows = None, len(column.cells)
    if column.kind == "category":
        present = column.cells[~column.is_missing]
        counts = np.unique(present, return_counts=True)[1]
        if not are_frequent(counts):
            reason = f"{counted(len(counts), 'text')} in {counted(len(present), 'row')}"
    elif column.kind == "numeric" and rows >= MIN_IDENTIFIER_ROWS:
        reason = numbers_rows(column.cells)
    if reason is not None:
        yield _of_column(column, f"looks like an identifier: {reason}", "look like identifiers")


def _of_column(
    column: CheckedColumn, message: str, of_many: str, item: str = "", *, advice: tuple[str, str] = ("", "")
) -> Suspicion:
    """Return a finding about a column.

    Parameters
    ----------
    column : CheckedColumn
    message, of_many : str
        The message about this column alone, and about several columns.
    item : str
        Text after the column's label in a list of several columns.
    advice : tuple of str
        The beginning of the hint for one column and for several; the way to leave them out follows.
    """
    alone, together, settings = column.omission
    several = OneOfMany(column.label + item, of_many, advice[1] + together, settings)
    return Suspicion(f"column {column.label} {message}", column.path, advice[0] + alone, several)


def _linear_leak(data: TrainingData) -> Iterator[Suspicion]:
    """Check for numeric columns without another warning whose linear model explains almost all of a target."""
    columns = [CheckedColumn(data, index) for index in range(data.splits["train"].table.shape[1])]
    numbers = [each.index for each in columns if each.index not in data.codes and each.kind not in OF_TEXTS]
    for name, target in data.targets.items():
        if not isinstance(target, ValueTarget):
            continue
        terms, explained = linear_leak(data.column, numbers, target.values)
        if not terms:
            continue
        first, labels = columns[terms[0]], [columns[term].label for term in terms]
        named, determine, left_out = f"column {first.label}", "almost determines", first.omission[0]
        if len(terms) > 1:
            named, determine = f"columns {' and '.join(labels)}", "together almost determine"
            settings = ", ".join(filter(None, (columns[term].omission[2] for term in terms)))
            left_out = f"{first.omission[1]} {settings}".rstrip()
        message = f"{named} {determine} {name}: a linear model explains {percent(explained)}"
        yield Suspicion(message, first.path, _UNKNOWN_BEFOREHAND[len(terms) > 1] + left_out)


def _random_split(data: TrainingData) -> Iterator[Suspicion]:
    """Check for rows of one group, or close in time, that a random split separates."""
    names = [*(column.name for column in data.kinds), *data.ignored]
    for index, (_, key, reason) in data.split_by.items():
        advice = {"group": "to hold out whole groups", "time": "to test on the latest rows"}[key]
        yield Suspicion(reason, _SPLIT, f"set data.split.{key} = {toml_text(names[index])} {advice}")


def _rows_in_both(data: TrainingData) -> Iterator[Suspicion]:
    """Check for test rows that repeat training rows."""
    train, test = data.splits["train"], data.splits.get("test")
    repeated = None if test is None else repeated_rows(train, test, "test", data.kinds, REPEATED_SHARE)
    if repeated is not None:
        yield Suspicion(repeated[0], data.data_path, repeated[1])


CHECKS: tuple[tuple[str, str, Callable[[Any], Iterator[Suspicion]]], ...] = (
    ("target", "single-rows", _many_single_rows),
    ("target", "one-class", _one_class),
    ("target", "unseen-class", _unseen_class),
    ("target", "single-row", _single_row),
    ("target", "unscaled-target", _unscaled_target),
    ("constant", "constant", _constant),
    ("column", "duplicate-column", _duplicate),
    ("column", "gives-target-away", _gives_target_away),
    ("column", "identifier", _identifier),
    ("rows", "gives-target-away", _linear_leak),
    ("rows", "random-split", _random_split),
    ("rows", "rows-in-both", _rows_in_both),
)
"""The subject, the warning code and the function of each check, in the order of the warnings.

``target`` and ``rows`` concern all `TrainingData`, ``constant`` a column with a single value, and ``column`` any other
column.
"""
