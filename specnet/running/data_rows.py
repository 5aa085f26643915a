"""Unprepared rows: checked, split, with labels; and specs resolved with the sizes of their rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data import (
    Labels,
    Preparation,
    RawColumns,
    RowSplit,
    check_labels,
    column_groups,
    large_cell_problem,
    largest_cell,
    load_table,
    split_rows,
    unfitted,
    with_fitted_steps,
)
from specnet.data.preparation import ColumnTexts
from specnet.data.target_errors import is_text, more_than_two_classes, one_class, text_for_numbers
from specnet.errors import DataError, Diagnostic, SpecError, SpecnetError
from specnet.files.large import LARGEST_IN_MEMORY
from specnet.model import Background, Model
from specnet.model.background import BACKGROUND_ROWS, background_of
from specnet.network import Network
from specnet.parts.arrays import (
    Array,
    RowView,
    as_array,
    check_inputs,
    check_target_axes,
    check_weights,
    pieces,
    relative_weights,
)
from specnet.parts.data import Column, Data, Split, Table
from specnet.parts.data.notations import BooleanWords, LocalDatetime
from specnet.parts.preprocessing import OneHot
from specnet.parts.splits import TEST, TRAIN, VALIDATION
from specnet.running.distillation.foreign_teacher import ForeignTeacher
from specnet.running.distillation.teacher import Teacher
from specnet.saved.saved_run import SavedRun
from specnet.spec import Resolved, Spec, known_outputs, resolve, with_feature_names
from specnet.spec.resolving.agreement import Given
from specnet.spec.resolving.resolve import partly_resolved
from specnet.training import RunIdentity

Made = TypeVar("Made")


@dataclass(frozen=True)
class Rows:
    """Checked rows before preprocessing; columns of a selection of rows are copied only when they are read.

    Attributes
    ----------
    table : (all rows, columns)
        Raw numbers; for a category the index of its text; NaN for a missing cell.
    y : (rows,) or (rows, outputs)
        Labels if the loss has classes, otherwise numbers.
    weight : (rows,) or None
        Weights, with a mean of 1 over rows with a weight above 0.
    chosen : (rows,) or None
        Indices of these rows in the table; None for all rows.
    kinds : tuple of Column
        The table's columns, if the rows come from a table with kinds of columns.
    folds : (rows,) or None
        The ensemble member that each row validates; all other members are trained on it.
    groups : (rows,) or None
        The group of each row, if the split does not divide groups.
    times : (rows,) or None
        The time of each row, if the split goes by times.
    known : dict
        The cached results of `once`.
    """

    table: Array
    y: Array
    weight: NDArray[np.float64] | None = None
    chosen: NDArray[np.intp] | None = None
    kinds: tuple[Column, ...] = ()
    folds: NDArray[np.intp] | None = None
    groups: NDArray[np.generic] | None = None
    times: NDArray[np.generic] | None = None
    known: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.y)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return the cached result of `make` for a key; it must depend only on these rows and the key."""
        if key not in self.known:
            self.known[key] = make()
        made: Made = self.known[key]
        return made

    @property
    def columns(self) -> Array | RowView:
        """The raw columns of the rows, (rows, columns)."""
        return self.table if self.chosen is None else RowView(self.table, self.chosen)

    @property
    def raw(self) -> RawColumns:
        """The raw columns of the rows with their kinds, as a model reads them."""
        return RawColumns(as_array(self.columns, "X"), self.kinds)

    @property
    def texts(self) -> ColumnTexts:
        """The texts of each raw column."""
        return [column.texts for column in self.kinds]

    def in_fold(self, member: int) -> NDArray[np.bool_]:
        """Return a mask of the rows that an ensemble member is validated on, (rows,)."""
        assert self.folds is not None, "the rows are cut into folds"
        return np.equal(self.folds, member)

    def split(self, split: RowSplit) -> dict[str, Rows]:
        """Return the rows of each part of a split, by name."""
        parts = {name: self.some(indices) for name, indices in split.parts().items()}
        return {**parts, TRAIN: replace(parts[TRAIN], folds=split.folds)}

    def some(self, indices: NDArray[np.intp]) -> Rows:
        """Return the rows with these indices; weights are relative to the mean of the weights of these rows."""
        row, column = self.table.strides
        # Sums follow the memory order, and a copy stores whole rows: only a table that does so gives the same bits.
        if row >= column and len(indices) == len(self) and np.array_equal(indices, np.arange(len(self))):
            return self
        weight = None if self.weight is None else relative_weights(self.weight[indices])
        names = ("folds", "groups", "times")
        others = {name: array[indices] for name in names if (array := getattr(self, name)) is not None}
        return replace(self, y=self.y[indices], weight=weight, chosen=self.numbers[indices], **others)

    def background(self, count: int = BACKGROUND_ROWS) -> Background:
        """Return at most `count` rows that stand for all, as `background_of` chooses them."""
        return background_of(self.columns, self.kinds, self.y, self.weight, count)

    @property
    def numbers(self) -> NDArray[np.intp]:
        """Index of each row in the table, (rows,)."""
        return np.arange(len(self)) if self.chosen is None else self.chosen

    @property
    def own_bytes(self) -> int:
        """The bytes of the arrays of these rows, without the table."""
        arrays = (self.y, self.weight, self.chosen, self.folds, self.groups, self.times)
        return sum(array.nbytes for array in arrays if array is not None)


def check_rows(
    X: ArrayLike | RawColumns,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    columns: int | None = None,
    prefix: str = "",
) -> Rows:
    """Return arrays as checked rows; `columns` is the expected number of columns, and errors begin with `prefix`."""
    raw = X if isinstance(X, RawColumns) else RawColumns(check_inputs(X, columns, f"{prefix}X"))
    target = as_array(y, f"{prefix}y")
    check_target_axes(target, len(raw), f"{prefix}y", f"{prefix}X")
    return Rows(raw.X, target, check_weights(sample_weight, len(raw), f"{prefix}sample_weight"), kinds=raw.kinds)


def read_target(spec: Spec, y: Array, training: Callable[[], Array] | None = None) -> tuple[Labels | None, int]:
    """Return the labels of a target (None if the spec's loss has no labels) and the number of outputs that it needs.

    Parameters
    ----------
    spec : Spec
    y : array
    training : callable, optional
        Returns the target of the training rows; errors name labels that these do not have.

    Raises
    ------
    DataError
        If the target does not fit the loss.
    """
    kind = spec.training.loss.target
    columns = 1 if y.ndim == 1 else y.shape[1]
    if kind == "values" and is_text(y):
        raise text_for_numbers(spec, y)
    if kind == "values" or (kind == "binary" and columns > 1):
        return None, columns * spec.training.loss.outputs_per_target
    if kind == "binary":
        distinct = np.unique(check_labels(y))
        if len(distinct) > 2:
            raise more_than_two_classes(spec, distinct, _unseen(distinct, training))
        if len(distinct) == 1 and is_text(distinct):
            raise one_class(spec, distinct)
    labels = Labels.from_target(y, 2 if kind == "binary" else known_outputs(spec))
    if kind == "classes" and len(labels) == 1:
        raise one_class(spec, labels.values)
    return labels, 1 if kind == "binary" else len(labels)


def _unseen(labels: NDArray[np.generic], training: Callable[[], Array] | None) -> NDArray[np.generic]:
    """Return the labels that no training row has; empty if the rows cannot be split."""
    with suppress(SpecnetError):
        return np.setdiff1d(labels, labels if training is None else check_labels(training()))
    return labels[:0]


@dataclass(frozen=True)
class SpecData:
    """The data of a run: a spec resolved with its sizes, and the rows by split.

    Attributes
    ----------
    resolved : Resolved
        The spec, with the sizes and the columns of the data.
    labels : Labels or None
        Labels of the target; None if the loss has no labels.
    preparation : Preparation
        Preprocessing of the columns, fitted to the training rows.
    splits : dict of str to Rows
        ``train``, and ``validation`` and ``test`` if the spec sets them.
    warnings : tuple of Diagnostic
        Warnings about the rows from reading them.
    table : Table or None
        All rows as they were read; None for arrays.
    teacher : Teacher, ForeignTeacher or None
        The ensemble or the other model whose predictions are the targets, if the spec has one.
    """

    resolved: Resolved
    labels: Labels | None
    preparation: Preparation
    splits: dict[str, Rows]
    warnings: tuple[Diagnostic, ...] = ()
    table: Table | None = None
    teacher: Teacher | ForeignTeacher | None = None

    @cached_property
    def network(self) -> Network:
        """The network; it is shared by all trainings on these rows, such as ensemble members."""
        return Network(self.resolved)

    @property
    def held_out(self) -> str:
        """The split with predictions by networks that were not trained on it; ``train`` for an ensemble on folds."""
        return VALIDATION if self.splits[TRAIN].folds is None else TRAIN

    def identity(self, sha256: str | None = None) -> RunIdentity:
        """Return the identity of a run on these rows; `sha256` is the hash of the table, if known."""
        assert self.table is not None, "runs have a table"
        teacher = self.teacher.sha256 if isinstance(self.teacher, Teacher) else None
        return RunIdentity(self.resolved.spec.to_json(), sha256 or data_hash(self.table), teacher)


def target_of_steps(labels: Labels | None, rows: Rows) -> NDArray[Any]:
    """Return the target as steps of preprocessing read it: class indices (rows,), or values (rows, values)."""
    if labels is not None:
        return labels.encode(rows.y, "y")
    return np.asarray(rows.y, np.float64).reshape(len(rows), -1)


def fit_preparation(
    spec: Spec, rows: Rows, labels: Labels | None, preparation: Preparation | None = None
) -> tuple[Spec, Preparation]:
    """Return a spec whose preprocessing has all sizes from training rows, and the preprocessing fitted to them.

    If `preparation` is given, it is used instead; it was fitted to other rows with the same preprocessing.

    Raises
    ------
    SpecError
        If a named column does not exist, or a step cannot be applied to the kind of a column.
    DataError
        If a step needs a cell that is missing, or numbers are too large to prepare.
    """
    names = [column.name for column in rows.kinds] or list(spec.feature_names or ())
    columns, texts = rows.columns, rows.texts

    def count_codes(index: int) -> int:
        text = texts[index]
        assert text is not None, "a category has texts"
        step, _ = OneHot().fit(columns[:, index : index + 1], rows.weight, (text,))
        return step.output_size(1) or 0

    def fitted() -> Preparation:
        target = target_of_steps(labels, rows) if of_target else None
        return Preparation.fit(unfitted(written, names), columns, rows.weight, texts=texts, names=names, target=target)

    written = column_groups(
        spec, rows.kinds, names, lambda index: rows.once(("codes", index), lambda: count_codes(index))
    )
    of_target = any(step.reads_target for group in unfitted(written, names) for step in group.steps)
    classes = None if labels is None or not of_target else tuple(labels.values.tolist())
    try:
        preparation = preparation or rows.once(("preparation", written, tuple(names), classes), fitted)
    except DataError as error:
        numbers = [index for index, kind in enumerate(rows.kinds) if kind.texts is None]
        if error.diagnostics[0].code != "too-large" or not numbers:
            raise
        cell = largest_cell(columns, numbers)
        problem = large_cell_problem(cell, names[cell.column], spec.data, spec.folder)
        raise (error if problem is None else DataError(problem)) from None
    if preparation.groups and not any(group.output_size(columns.shape[1]) for group in preparation.groups):
        message, hint = "preprocessing leaves no inputs: no category is in enough training rows", "lower minimum_count"
        raise DataError(spec.diagnostic("no-features", message, ("network", "preprocessing"), hint=hint))
    return with_fitted_steps(spec, written, preparation), preparation


def read_data(spec: Spec) -> SpecData:
    """Read and split the data of a parsed spec.

    Raises
    ------
    SpecError, DataError, FileError
        If the spec has no data, or the rows do not fit; errors about fields of the spec have their location.
    """
    return split_data(spec, load_table(spec))


def split_data(spec: Spec, table: Table, *, has_test: bool = True) -> SpecData:
    """Return the data of a parsed spec, given its table.

    Parameters
    ----------
    spec : Spec
    table : Table
    has_test : bool
        Whether the result has the test rows; without them, no caller can use them by mistake.

    Raises
    ------
    SpecError, DataError
        If the rows do not fit; errors about fields of the spec have their location in it.
    """
    assert spec.data is not None, "load_table refuses a spec without data"
    rows, data = _rows_of(table, spec.data.split), spec.data.with_columns(table)
    labels, outputs = read_target(spec, rows.y, lambda: _splits(rows, table, data.split, spec)[TRAIN].y)
    splits = _splits(rows, table, data.split, spec)
    if not has_test:
        splits.pop(TEST, None)
    made = prepare(spec, splits, labels, outputs, data=data, warnings=table.warnings, table=table)
    return replace(made, teacher=_teacher(made, table))


def _teacher(data: SpecData, table: Table) -> Teacher | ForeignTeacher | None:
    """Return the teacher of a spec, after checking that it fits the rows; None without a teacher."""
    spec, numbers = data.resolved.spec, {name: each.numbers for name, each in data.splits.items()}
    if table.teacher is not None:
        return ForeignTeacher.of(spec, table, data.labels, numbers)
    if spec.training.teacher is not None:
        return Teacher.of(spec, table, data_hash(table)).checked(spec, numbers)
    return None


def prepare(
    spec: Spec,
    splits: dict[str, Rows],
    labels: Labels | None,
    outputs: int,
    *,
    data: Data | None = None,
    preparation: Preparation | None = None,
    warnings: tuple[Diagnostic, ...] = (),
    table: Table | None = None,
) -> SpecData:
    """Fit a spec's preprocessing to the training rows, and resolve the spec with the sizes of its rows.

    Parameters
    ----------
    spec : Spec
    splits : dict of str to Rows
        Unprepared rows by split; ``train`` is required.
    labels : Labels or None
    outputs : int
        Number of outputs of the network.
    data : Data, optional
        Replaces the spec's data: the same part, completed after reading it.
    preparation : Preparation, optional
        Used instead of fitting the spec's preprocessing.
    warnings, table : optional
        As in `SpecData`.

    Raises
    ------
    SpecError, DataError
        If the rows do not fit.
    """
    training = splits[TRAIN]
    spec = _with_numbered_labels(spec, labels)
    prepared, preparation = fit_preparation(spec, training, labels, preparation)
    resolved = resolve(prepared, inputs=training.table.shape[1], outputs=outputs, data=data, rows=len(training))
    return SpecData(resolved, labels, preparation, splits, warnings, table)


def _with_numbered_labels(spec: Spec, labels: Labels | None) -> Spec:
    """Return a spec in which the labels of monotone columns have their numbers.

    Raises
    ------
    DataError
        If there is no such label.
    """
    monotone = spec.network.monotone
    if labels is None or not monotone:
        return spec
    names, found = [str(label) for label in labels.values], {}
    for key, column in monotone.items():
        if column.of is not None and column.of not in names:
            message = f'no label "{column.of}"; the labels are {labels}'
            raise DataError(spec.diagnostic("monotone", message, ("network", "monotone", key)))
        found[key] = column.model_copy(update={"output": None if column.of is None else names.index(column.of)})
    return spec.with_network(monotone=found)


def spec_of_arrays(spec: Spec, rows: Rows, names: Sequence[str] | None) -> Spec:
    """Return a spec without data, with the column names of arrays, or the names and kinds of a data frame's columns."""
    kinds = {column.name: column.written for column in rows.kinds} or None
    return with_feature_names(spec.model_copy(update={"data": None}), names if kinds is None else [*kinds], kinds)


_all_rows: WeakKeyDictionary[Table, Rows] = WeakKeyDictionary()
"""All rows of each table, cached as long as the table exists."""


def _rows_of(table: Table, split: Split) -> Rows:
    """Return all rows of a table that was read for a split, with the cached results of earlier runs."""
    if table not in _all_rows:
        groups = None if split.group is None else table.split_by
        times = None if split.time is None else table.split_by
        _all_rows[table] = Rows(table.X, table.y, table.sample_weight, kinds=table.columns, groups=groups, times=times)
    return _all_rows[table]


def _splits(rows: Rows, table: Table, split: Split, spec: Spec) -> dict[str, Rows]:
    """Return a table's rows by split; the rows of several splits are cached, up to a memory limit."""
    cached: dict[Hashable, dict[str, Rows]] = rows.once("splits", dict)
    key = split.with_defaults(spec.seed, table.target), spec.training.ensemble
    parts = cached.get(key)
    if parts is None:
        with split_errors_at(spec):
            parts = rows.split(split_rows(table, split, spec.seed, spec.training.ensemble))
        if sum(part.own_bytes for each in (*cached.values(), parts) for part in each.values()) <= LARGEST_IN_MEMORY:
            cached[key] = parts
    return dict(parts)


def data_hash(table: Table) -> str:
    """Return a hash of all data that a result depends on: cells, targets, weights, columns, and values to split by."""
    columns = [(column.name, column.kind) for column in table.columns]
    # Of these kinds only the type counts: the rest follows from the cells, and earlier versions did not detect it.
    found_out = (LocalDatetime, BooleanWords)
    kinds = {name: kind.type if isinstance(kind, found_out) else kind for name, kind in table.kinds.items()}
    digest = hashlib.sha256(repr((table.target, table.names, columns, kinds)).encode())
    names = ("X", "y", "sample_weight", "split_by", "teacher")
    arrays = {name: getattr(table, name) for name in names}
    for name, array in (*arrays.items(), *((column.name, column.texts) for column in table.columns)):
        if array is not None:
            digest.update(f"{name} {array.dtype.str}{array.shape}".encode())
            for piece in pieces(array):
                digest.update(array[piece].tobytes())
    return digest.hexdigest()


@contextmanager
def split_errors_at(spec: Spec) -> Iterator[None]:
    """Add the location of the split in the spec to errors about the split."""
    try:
        yield
    except DataError as error:
        raise DataError(
            *(
                item
                if item.position or item.source
                else spec.diagnostic(item.code, item.message, item.path, hint=item.hint)
                for item in error.diagnostics
            )
        ) from error


def resolved_with_data(spec: Spec) -> Resolved:
    """Return a spec resolved with its sizes; the data are read only if the sizes depend on them.

    Raises
    ------
    SpecError, DataError, FileError
        If a size is not known, or the data cannot be read.
    """
    try:
        return resolve(spec)
    except SpecError as error:
        if spec.data is None or any(diagnostic.code != "unknown-size" for diagnostic in error.diagnostics):
            raise
    return read_data(spec).resolved


def comparable_specs(first: Spec | SavedRun | Model, second: Spec | SavedRun | Model) -> tuple[Spec, Spec]:
    """Return the resolved specs of two specs, runs or models to compare; two specs retain their ``[sweep]``.

    Data are read if a spec depends on them, unless both have the same data and inputs and outputs are known.

    Raises
    ------
    SpecError, DataError, FileError
        If the data cannot be read.
    """
    if not isinstance(first, Spec) or not isinstance(second, Spec):
        before, after = (_with_data(each) if isinstance(each, Spec) else each.spec for each in (first, second))
        return before, after
    is_same = first.data == second.data and first.folder == second.folder
    partly = [partly_resolved(each, Given()) for each in (first, second)] if is_same else []
    is_known = bool(partly) and all(each.inputs and each.outputs for each in partly)
    specs = [each.spec for each in partly] if is_known else [_with_data(each) for each in (first, second)]
    before, after = (
        spec.model_copy(update={"sweep": each.sweep}) for spec, each in zip(specs, (first, second), strict=True)
    )
    return before, after


def _with_data(spec: Spec) -> Spec:
    """Return a resolved spec; its data are read unless its fields determine them."""
    if spec.data is None or spec.data.row_count is not None:
        return resolved_with_data(spec).spec
    return read_data(spec).resolved.spec
