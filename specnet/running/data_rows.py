"""Rows as the caller has them: checked, split, with their labels; specs with the sizes that their rows give."""

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
from specnet.model import Model
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
from specnet.saved.saved_run import SavedRun
from specnet.spec import Resolved, Spec, known_outputs, resolve, with_feature_names
from specnet.spec.resolving.agreement import Given
from specnet.spec.resolving.resolve import partly_resolved
from specnet.training import RunIdentity

Made = TypeVar("Made")


@dataclass(frozen=True)
class Rows:
    """Rows as they come from outside, checked; the columns of some of them are not copied until they are read.

    Attributes
    ----------
    table : (all rows, columns)
        Raw numbers; of a category the indices of its texts, and NaN where a cell is missing.
    y : (rows,) or (rows, outputs)
        Labels where the loss has classes, else numbers.
    weight : (rows,) or None
        With a mean of 1 over those that count.
    chosen : (rows,) or None
        Which rows of the table these are; all of them if None.
    kinds : tuple of Column
        The table's columns, where the rows come from a table that has kinds of columns.
    folds : (rows,) or None
        The member of an ensemble that each row is for the validation of; all others are trained on it.
    groups : (rows,) or None
        The group of each row, where the split keeps groups whole.
    known : dict
        What `once` has made of them.
    """

    table: Array
    y: Array
    weight: NDArray[np.float64] | None = None
    chosen: NDArray[np.intp] | None = None
    kinds: tuple[Column, ...] = ()
    folds: NDArray[np.intp] | None = None
    groups: NDArray[np.generic] | None = None
    known: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.y)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what is made of these rows, made once for many runs on them: it follows from the rows and the key."""
        if key not in self.known:
            self.known[key] = make()
        made: Made = self.known[key]
        return made

    @property
    def columns(self) -> Array | RowView:
        """The raw columns of the rows, (rows, columns)."""
        return self.table if self.chosen is None else RowView(self.table, self.chosen)

    @property
    def texts(self) -> ColumnTexts:
        """The texts of each raw column."""
        return [column.texts for column in self.kinds]

    def in_fold(self, member: int) -> NDArray[np.bool_]:
        """Return which rows a member of an ensemble is validated on, (rows,)."""
        assert self.folds is not None, "the rows are cut into folds"
        return np.equal(self.folds, member)

    def split(self, split: RowSplit) -> dict[str, Rows]:
        """Return the parts of a split of all rows."""
        parts = {name: self._part(indices) for name, indices in split.parts().items()}
        return {**parts, TRAIN: replace(parts[TRAIN], folds=split.folds)}

    def _part(self, indices: NDArray[np.intp]) -> Rows:
        row, column = self.table.strides
        # Sums go in memory's order, and a copy has whole rows: the same split gives the same bits.
        if row >= column and len(indices) == len(self) and np.array_equal(indices, np.arange(len(self))):
            return self
        weight = None if self.weight is None else relative_weights(self.weight[indices])
        groups = None if self.groups is None else self.groups[indices]
        return replace(self, y=self.y[indices], weight=weight, chosen=indices, groups=groups)

    @property
    def own_bytes(self) -> int:
        """The bytes of what these rows hold beside the table."""
        arrays = (self.y, self.weight, self.chosen, self.folds, self.groups)
        return sum(array.nbytes for array in arrays if array is not None)


def check_rows(
    X: ArrayLike | RawColumns,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    columns: int | None = None,
    prefix: str = "",
) -> Rows:
    """Return arrays as rows that belong together, of so many columns if that is known; errors begin with the prefix."""
    raw = X if isinstance(X, RawColumns) else RawColumns(check_inputs(X, columns, f"{prefix}X"))
    target = as_array(y, f"{prefix}y")
    check_target_axes(target, len(raw), f"{prefix}y", f"{prefix}X")
    return Rows(raw.X, target, check_weights(sample_weight, len(raw), f"{prefix}sample_weight"), kinds=raw.kinds)


def read_target(spec: Spec, y: Array, training: Callable[[], Array] | None = None) -> tuple[Labels | None, int]:
    """Return the labels of a target, where the spec's loss has labels, and the number of outputs that it needs.

    Parameters
    ----------
    spec : Spec
    y : array
    training : callable, optional
        Returns the target of the training rows; errors say which labels these do not have.

    Raises
    ------
    DataError
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
    """Return the labels that no training row has, none if the rows cannot be split."""
    with suppress(SpecnetError):
        return np.setdiff1d(labels, labels if training is None else check_labels(training()))
    return labels[:0]


@dataclass(frozen=True)
class SpecData:
    """What a network is trained on and measured by: a spec with its sizes, and the rows in their parts.

    Attributes
    ----------
    resolved : Resolved
        With the sizes and the columns of the data.
    labels : Labels or None
        Of the target, where the loss has labels.
    preparation : Preparation
        Of the columns, fitted to the training rows.
    splits : dict of str to Rows
        ``train``, and ``validation`` and ``test`` where the spec asks for them.
    warnings : tuple of Diagnostic
        About the rows, as they were read.
    table : Table or None
        All rows, as they were read; None for arrays.
    """

    resolved: Resolved
    labels: Labels | None
    preparation: Preparation
    splits: dict[str, Rows]
    warnings: tuple[Diagnostic, ...] = ()
    table: Table | None = None

    @cached_property
    def network(self) -> Network:
        """The network, one for all that are trained on these rows, such as the members of an ensemble."""
        return Network(self.resolved)

    @property
    def held_out(self) -> str:
        """The part whose rows networks answer that were not trained on them: of an ensemble on folds ``train``."""
        return VALIDATION if self.splits[TRAIN].folds is None else TRAIN

    def identity(self, sha256: str | None = None) -> RunIdentity:
        """Return what a run on these rows is about, given the hash of the table where it is known."""
        assert self.table is not None, "runs have a table"
        return RunIdentity(self.resolved.spec.to_json(), sha256 or data_hash(self.table))


def fit_preparation(spec: Spec, rows: Rows, preparation: Preparation | None = None) -> tuple[Spec, Preparation]:
    """Return a spec whose preprocessing has all sizes that training rows tell, and what was fitted to them.

    Nothing is fitted where there is something to keep, which was fitted to other rows for the same preprocessing.

    Raises
    ------
    SpecError
        If columns are named that do not exist, or a step cannot be used for a column of its kind.
    DataError
        If a cell is missing that a step needs, or numbers are too large to prepare.
    """
    names = [column.name for column in rows.kinds] or list(spec.feature_names or ())
    columns, texts = rows.columns, rows.texts

    def count_codes(index: int) -> int:
        text = texts[index]
        assert text is not None, "a category has texts"
        step, _ = OneHot().fit(columns[:, index : index + 1], rows.weight, (text,))
        return step.output_size(1) or 0

    def fitted() -> Preparation:
        return Preparation.fit(unfitted(written, names), columns, rows.weight, texts=texts, names=names)

    written = column_groups(
        spec, rows.kinds, names, lambda index: rows.once(("codes", index), lambda: count_codes(index))
    )
    try:
        preparation = preparation or rows.once(("preparation", written, tuple(names)), fitted)
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
        If there are none, or they do not fit; errors about fields of the spec have their location in it.
    """
    return split_data(spec, load_table(spec))


def split_data(spec: Spec, table: Table, *, has_test: bool = True) -> SpecData:
    """Split a table that was read as a parsed spec says.

    Parameters
    ----------
    spec : Spec
    table : Table
    has_test : bool
        Whether the test rows are among the splits; without them nobody can look at them.

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
    return prepare(spec, splits, labels, outputs, data=data, warnings=table.warnings, table=table)


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
        Raw; ``train`` is one of them.
    labels : Labels or None
    outputs : int
        Number of outputs of the network.
    data : Data, optional
        Replaces the spec's data: the same part with what is known after reading it.
    preparation : Preparation, optional
        Replaces the one that would be fitted.
    warnings, table : optional
        As in `SpecData`.

    Raises
    ------
    SpecError, DataError
        If the rows do not fit.
    """
    training = splits[TRAIN]
    prepared, preparation = fit_preparation(spec, training, preparation)
    resolved = resolve(prepared, inputs=training.table.shape[1], outputs=outputs, data=data, rows=len(training))
    return SpecData(resolved, labels, preparation, splits, warnings, table)


def spec_of_arrays(spec: Spec, rows: Rows, names: Sequence[str] | None) -> Spec:
    """Return a spec without its data, with the names of the columns of arrays, or the names and kinds of a frame's."""
    kinds = {column.name: column.written for column in rows.kinds} or None
    return with_feature_names(spec.model_copy(update={"data": None}), names if kinds is None else [*kinds], kinds)


_all_rows: WeakKeyDictionary[Table, Rows] = WeakKeyDictionary()
"""Those of each table, as long as there is the table."""


def _rows_of(table: Table, split: Split) -> Rows:
    """Return all rows of a table that was read for a split, with what earlier runs on it have made of them."""
    if table not in _all_rows:
        groups = None if split.group is None else table.split_by
        _all_rows[table] = Rows(table.X, table.y, table.sample_weight, kinds=table.columns, groups=groups)
    return _all_rows[table]


def _splits(rows: Rows, table: Table, split: Split, spec: Spec) -> dict[str, Rows]:
    """Return the parts of a table's rows by name; those of a few splits are cached, as far as memory suffices."""
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
    """Return a hash of all that a result depends on: cells, targets, weights, what a split goes by, and the columns."""
    columns = [(column.name, column.kind) for column in table.columns]
    # That no time has a zone, and what targets have for true, follow from the cells, and were not found out before.
    found_out = (LocalDatetime, BooleanWords)
    kinds = {name: kind.type if isinstance(kind, found_out) else kind for name, kind in table.kinds.items()}
    digest = hashlib.sha256(repr((table.target, table.names, columns, kinds)).encode())
    arrays = {"X": table.X, "y": table.y, "sample_weight": table.sample_weight, "split_by": table.split_by}
    for name, array in (*arrays.items(), *((column.name, column.texts) for column in table.columns)):
        if array is not None:
            digest.update(f"{name} {array.dtype.str}{array.shape}".encode())
            for piece in pieces(array):
                digest.update(array[piece].tobytes())
    return digest.hexdigest()


@contextmanager
def split_errors_at(spec: Spec) -> Iterator[None]:
    """Give errors about the split the location of the split in the spec."""
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
    """Return a spec with its sizes; the data are read only if the sizes depend on them.

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
    """Return the resolved specs of two that are compared; of two specs with what they search, which no run has.

    Data are read where a spec depends on them, but not where both have the same data and nothing else is unknown.

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
    """Return a resolved spec with all that reading its data tells, if there is more than its fields say."""
    if spec.data is None or spec.data.row_count is not None:
        return resolved_with_data(spec).spec
    return read_data(spec).resolved.spec
