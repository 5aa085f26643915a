"""Preprocessing of raw columns for a network: groups of columns with their steps and the fitted state of each step.

A fitted preparation also knows which columns may have missing cells, and which texts have codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic
from specnet.files.large import new_array
from specnet.parts.arrays import FLOAT64, Array, RowView, check_finite, pieces
from specnet.parts.preprocessing import CategoryEmbedding, CategoryStep, Fitted, Preprocessing, TargetArray, Texts
from specnet.parts.preprocessing.column_operations import joined, picked
from specnet.spec import ColumnGroup

RawTable = Array | RowView
"""Raw columns (rows, columns)."""
ColumnTexts = Sequence[NDArray[np.str_] | None]
"""For each raw column the distinct texts that its cells are indices of; None for a column of numbers."""


class InputReader(Protocol):
    """Protocol of a network that reads prepared rows."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The data type of the network's inputs."""

    def read_inputs(self, X: Array, name: str, first_row: int = 0) -> Array:
        """Return checked rows in the network's data type; row numbers in errors start at `first_row`."""


@dataclass(frozen=True, slots=True, eq=False)
class StepGroup:
    """Raw columns that go through the same steps.

    Attributes
    ----------
    indices : tuple of int or None
        Indices of raw columns, from 0; None for all columns in order.
    steps : tuple of Preprocessing
    fitted : tuple of mappings
        The fitted state of each step: arrays by name. Empty until the group has been fitted.
    """

    indices: tuple[int, ...] | None
    steps: tuple[Preprocessing, ...]
    fitted: tuple[Mapping[str, NDArray[Any]], ...] = ()

    def among(self, columns: int) -> Sequence[int]:
        """Return the indices of the group's columns, given the number of raw columns."""
        return range(columns) if self.indices is None else self.indices

    def taken(self, columns: RawTable) -> RawTable:
        """Return the group's columns: the given table if these are all columns, otherwise a view."""
        if self.indices is None:
            return columns
        return columns.taken(self.indices) if isinstance(columns, RowView) else RowView(columns, None, self.indices)

    def texts(self, texts: ColumnTexts) -> Texts | None:
        """Return the texts of the group's columns, or None if these are numbers."""
        own = texts if self.indices is None else [texts[index] for index in self.indices if texts]
        return tuple(text for text in own if text is not None) or None

    def fit(
        self,
        columns: RawTable,
        texts: Texts | None,
        weight: NDArray[np.float64] | None,
        names: Sequence[str],
        target: TargetArray | None = None,
    ) -> StepGroup:
        """Return the group fitted to training rows, given the group's own columns.

        Raises
        ------
        DataError
            If a cell that the first step needs is missing, or numbers are too large to prepare.
        """
        steps, fitted = [], []
        if not self.steps or not self.steps[0].takes_missing:
            _refuse_missing(self.steps, columns, names)
        for index, step in enumerate(self.steps):
            with np.errstate(over="ignore", invalid="ignore"):
                given = columns if step.fits_views else np.asarray(columns)
                step, learned = step.fit(given, weight, texts)
                if step.reads_target:
                    assert target is not None, "the target of training rows is known"
                    step, learned = step.fit_to_target(given, learned, target, weight, texts)
            for array in learned.values():
                _check_finite(step, array)
            steps.append(step)
            fitted.append(learned)
            if index + 1 < len(self.steps):
                columns = _made(step, learned, columns, texts)
        return replace(self, steps=tuple(steps), fitted=tuple(fitted))

    def preparer(self, texts: ColumnTexts, name: str) -> Callable[[Array, int], Array]:
        """Return a function that prepares rows by the fitted steps.

        Its arguments are all raw columns and the number of the first row. It raises a DataError with the location of
        the first number that becomes too large, or of the first missing cell.
        """
        applied = [_applier(*pair, self.texts(texts)) for pair in zip(self.steps, self.fitted, strict=True)]

        def prepared(columns: Array, first_row: int) -> Array:
            made = columns if self.indices is None else columns[:, self.indices]
            for index, (step, apply) in enumerate(zip(self.steps, applied, strict=True), 1):
                made = apply(made)
                if index == len(self.steps) or not step.takes_missing:
                    check_finite(made, name, first_row)
            return made.astype(FLOAT64, copy=False)

        return prepared

    def out_of_fold(
        self,
        columns: RawTable,
        texts: Texts | None,
        target: TargetArray,
        folds: NDArray[np.intp],
        weight: NDArray[np.float64] | None,
    ) -> Array:
        """Return the prepared training rows of a group whose first step reads the target, as its `out_of_fold`."""
        first, learned = self.steps[0], self.fitted[0]
        made: Array = first.out_of_fold(columns, learned, target, folds, weight, texts)
        for step, own in zip(self.steps[1:], self.fitted[1:], strict=True):
            made = np.asarray(step.apply(made, own))
        check_finite(made, "X", 0)
        return made

    def apply(self, columns: Any) -> Any:
        """Apply the fitted steps to the group's columns, given all raw columns, and return the result."""
        columns = columns if self.indices is None else picked(columns, self.indices)
        for step, learned in zip(self.steps, self.fitted, strict=True):
            columns = step.apply(columns, learned)
        return columns

    def invert(self, prepared: Any) -> Any:
        """Return raw columns from prepared ones, approximately: not every step can be inverted."""
        for step, learned in zip(reversed(self.steps), reversed(self.fitted), strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                prepared = step.invert(prepared, learned)
        return prepared

    def named(self, columns: Sequence[str]) -> list[str]:
        """Return the names of the group's prepared columns, given the names of all raw columns.

        Before fitting, these are the names of the group's raw columns.
        """
        names = [columns[index] for index in self.among(len(columns))]
        for step, learned in zip(self.steps, self.fitted, strict=False):
            names = step.named(names, learned)
        return names

    def output_size(self, columns: int) -> int:
        """Return the number of prepared columns of a fitted group, given the number of all raw columns."""
        size = len(self.among(columns))
        for step in self.steps:
            made = step.output_size(size)
            assert made is not None, "a fitted step has all its sizes"
            size = made
        return size


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """Fitted preprocessing of inputs or of a target; without groups it changes nothing.

    Attributes
    ----------
    groups : tuple of StepGroup
        Groups of columns, whose results are concatenated in this order.
    """

    groups: tuple[StepGroup, ...] = ()

    @classmethod
    def fit(
        cls,
        groups: Sequence[StepGroup],
        columns: RawTable,
        weight: NDArray[np.float64] | None = None,
        *,
        texts: ColumnTexts = (),
        names: Sequence[str] = (),
        target: TargetArray | None = None,
    ) -> Self:
        """Return a preparation fitted to training rows; each step is fitted to the results of the previous steps.

        Parameters
        ----------
        groups : sequence of StepGroup
            Groups that are not fitted yet.
        columns : (rows, columns)
            Raw columns; missing cells are NaN.
        weight : (rows,), optional
            Weight of each row.
        texts : sequence, optional
            Texts of each column; see `ColumnTexts`.
        names : sequence of str, optional
            Names of the columns, for errors.
        target : array, optional
            The target of the rows, required by steps that read it.

        Raises
        ------
        DataError
            If a cell that a step needs is missing, or numbers are too large to prepare.
        """
        fitted = []
        for group in groups:
            named = [names[index] for index in group.among(len(names)) if names]
            fitted.append(group.fit(group.taken(columns), group.texts(texts), weight, named, target))
        return cls(tuple(fitted))

    @property
    def steps(self) -> tuple[Preprocessing, ...]:
        """The steps of all groups."""
        return tuple(step for group in self.groups for step in group.steps)

    @property
    def fitted(self) -> tuple[Mapping[str, NDArray[Any]], ...]:
        """The fitted state of each of the `steps`."""
        return tuple(learned for group in self.groups for learned in group.fitted)

    @property
    def reads_target(self) -> bool:
        """Whether a step was fitted with the target, so that training rows are prepared by `out_of_fold`."""
        return any(step.reads_target for step in self.steps)

    @property
    def is_plain(self) -> bool:
        """Whether all columns have the same steps and stay in order, without an explicit group."""
        return not self.groups or (len(self.groups) == 1 and self.groups[0].indices is None)

    def is_one_chain(self, columns: int) -> bool:
        """Return whether all columns have the same steps and stay in order, perhaps as an explicit group."""
        return self.is_plain or [group.indices for group in self.groups] == [tuple(range(columns))]

    def prepare(
        self, columns: RawTable, *, texts: ColumnTexts = (), name: str = "X", reader: InputReader | None = None
    ) -> Array:
        """Return the prepared columns of raw columns (rows, columns); the given array if nothing changes.

        Rows are processed in pieces, so that only the result needs much memory.

        Parameters
        ----------
        columns : (rows, columns)
        texts : sequence, optional
            Texts of each column; see `ColumnTexts`.
        name : str
            Name of the prepared rows in errors.
        reader : InputReader, optional
            The network that reads the result and determines its data type; float64 by default.

        Raises
        ------
        DataError
            If numbers become too large or a cell is missing, with the location of the first one.
        """
        dtype = FLOAT64 if reader is None else reader.dtype
        if not self.groups and not isinstance(columns, RowView) and (reader is None or columns.dtype == dtype):
            return columns if reader is None else reader.read_inputs(columns, name)
        groups = self.groups or (StepGroup(None, ()),)
        preparers = [group.preparer(texts, name) for group in groups]
        result = new_array((len(columns), sum(group.output_size(columns.shape[1]) for group in groups)), dtype)
        for piece in pieces(columns):
            rows = columns[piece]
            made = [prepared(rows, piece.start) for prepared in preparers]
            joint = made[0] if len(made) == 1 else np.concatenate(made, axis=1)
            result[piece] = joint if reader is None else reader.read_inputs(joint, name, piece.start)
        return result

    def out_of_fold(
        self,
        prepared: Array,
        columns: RawTable,
        target: TargetArray,
        folds: NDArray[np.intp],
        weight: NDArray[np.float64] | None = None,
        *,
        texts: ColumnTexts = (),
    ) -> Array:
        """Return prepared training rows in which columns that depend on the target are from fits to other folds.

        Parameters
        ----------
        prepared : (rows, inputs)
            The result of `prepare` for the same rows, which is not changed.
        columns, weight, texts
            As in `fit`: the rows to which this preparation was fitted, or new ones with which a training continues.
        target : (rows,) or (rows, values)
        folds : (rows,)
            The fold of each row.
        """
        result, start = prepared.copy(), 0
        for group in self.groups:
            stop = start + group.output_size(columns.shape[1])
            if group.steps and group.steps[0].reads_target:
                result[:, start:stop] = group.out_of_fold(
                    group.taken(columns), group.texts(texts), target, folds, weight
                )
            start = stop
        return result

    def named(self, columns: Sequence[str]) -> list[str]:
        """Return the names of prepared columns, such as ``city = Oslo``, given the names of raw columns.

        The result is empty if the raw columns have no names.
        """
        groups = self.groups or (StepGroup(None, ()),)
        return [name for group in groups for name in group.named(columns)] if columns else []

    def apply(self, columns: Any) -> Any:
        """Return the prepared columns of numbers: an array, or symbolic values (columns, rows)."""
        made = [group.apply(columns) for group in self.groups]
        return joined(*made) if len(made) > 1 else made[0] if made else columns

    def invert(self, columns: Any) -> Any:
        """Return prepared columns (rows, inputs) in their original units; with groups of columns, only for arrays."""
        if self.is_plain:
            for group in self.groups:
                columns = group.invert(columns)
            return columns
        raw, start = np.empty((len(columns), sum(len(group.among(0)) for group in self.groups))), 0
        for group in self.groups:
            stop = start + group.output_size(len(group.among(0)))
            raw[:, group.indices] = group.invert(columns[:, start:stop])
            start = stop
        return raw

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the fitted state by names such as ``0.1.mean``: index of the group, index of the step, and name."""
        return {
            f"{number}.{index}.{name}": array
            for number, group in enumerate(self.groups)
            for index, learned in enumerate(group.fitted)
            for name, array in learned.items()
        }

    @classmethod
    def from_tensors(cls, groups: Sequence[StepGroup], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Return the preparation with the given `tensors`, which must be complete and match `tensor_forms`.

        Raises
        ------
        DataError
            If they are not a valid state of a step.
        """

        def learned(prefix: str, step: Preprocessing) -> Fitted:
            state = {name: tensors[prefix + name] for name in step.learned}
            step.check(state)
            return state

        return cls(_refitted(groups, learned))

    def replaced(self, replacement: Callable[[str, NDArray[Any]], Any]) -> Self:
        """Return a copy in which `replacement(name, array)` replaces each array that is not `fixed`.

        Arrays are given as columns (length, 1), except the step's `tables`.
        """
        own = self.tensors()

        def learned(prefix: str, step: Preprocessing) -> Fitted:
            state = {name.removeprefix(prefix): array for name, array in own.items() if name.startswith(prefix)}
            return {
                name: array
                if name in step.fixed
                else replacement(prefix + name, array if name in step.tables else array.reshape(-1, 1))
                for name, array in state.items()
            }

        return type(self)(_refitted(self.groups, learned))


TensorForm = tuple[np.dtype[Any], tuple[int | None, ...]]
"""A data type, and a shape in which None stands for any length."""


def tensor_forms(groups: Sequence[StepGroup], columns: int) -> dict[str, TensorForm]:
    """Return the data type and shape of each tensor of a preparation by name, given the number of raw columns."""
    forms: dict[str, TensorForm] = {}
    for number, group in enumerate(groups):
        size = len(group.among(columns))
        for index, step in enumerate(group.steps):
            for name, shape in step.shapes(size).items():
                forms[f"{number}.{index}.{name}"] = np.dtype(step.dtypes.get(name, "float64")), shape
            size = step.output_size(size) or 0
    return forms


def unfitted(written: Sequence[Preprocessing | ColumnGroup], names: Sequence[str] = ()) -> tuple[StepGroup, ...]:
    """Return the unfitted groups of a spec's preprocessing, given the names of raw columns.

    The network's input for an embedded category is its code.
    """
    plain = tuple(step for step in written if isinstance(step, Preprocessing))
    indices = {name: index for index, name in enumerate(names)}
    groups = [group for group in written if isinstance(group, ColumnGroup)]
    found = [StepGroup(tuple(indices[name] for name in group.columns), _coded(group.steps)) for group in groups]
    return (*([StepGroup(None, plain)] if plain else []), *found)


def _refitted(groups: Sequence[StepGroup], learned: Callable[[str, Preprocessing], Fitted]) -> tuple[StepGroup, ...]:
    """Return groups with new fitted states; `learned` returns the state for a prefix of tensor names and a step."""
    return tuple(
        replace(group, fitted=tuple(learned(f"{number}.{index}.", step) for index, step in enumerate(group.steps)))
        for number, group in enumerate(groups)
    )


def _coded(steps: Sequence[Preprocessing]) -> tuple[Preprocessing, ...]:
    return tuple(step.ordinal() if isinstance(step, CategoryEmbedding) else step for step in steps)


def _made(step: Preprocessing, learned: Fitted, columns: RawTable, texts: Texts | None) -> Array:
    """Apply a fitted step to columns (rows, columns), and return the result in float64."""
    size = step.output_size(columns.shape[1])
    assert size is not None, "a fitted step has all its sizes"
    result, apply = new_array((len(columns), size)), _applier(step, learned, texts)
    for piece in pieces(columns):
        made = apply(columns[piece])
        _check_finite(step, np.where(np.isnan(made), 0.0, made) if step.takes_missing else made)
        result[piece] = made
    return result


def _applier(step: Preprocessing, learned: Fitted, texts: Texts | None) -> Callable[[Array], Array]:
    """Return a function that applies a fitted step to rows, with a result in float64."""
    coded = None
    if step.reads_texts:
        assert texts is not None, "a step for texts begins a group of them"
        coded = step.coder(texts, learned)

    def apply(columns: Array) -> Array:
        numbers = columns.astype(FLOAT64, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(step.apply(numbers if coded is None else coded(numbers), learned))

    return apply


def _check_finite(step: Preprocessing, numbers: Array) -> None:
    finite = np.isfinite(numbers)
    if not finite.all():
        column = int(finite.reshape(-1).argmin()) % numbers.shape[-1]
        raise DataError(Diagnostic("too-large", f"{step.type}: the numbers in column {column} are too large"))


def _refuse_missing(steps: Sequence[Preprocessing], columns: RawTable, names: Sequence[str]) -> None:
    for piece in pieces(columns) if columns.dtype.kind == "f" else ():
        missing = np.argwhere(np.isnan(columns[piece]))
        if len(missing):
            row, index = (int(index) for index in missing[0])
            column = f'column "{names[index]}"' if names else f"column {index}"
            whose = steps[0].type if steps else "the network"
            hint = f'put "impute" before {whose}' if steps else 'use "impute" in network.preprocessing'
            message = f"{column} is empty at training row {piece.start + row}, and {whose} needs every cell"
            raise DataError(message, hint=hint)


def trained_gaps(preparation: Preparation, columns: int) -> NDArray[np.bool_]:
    """Return a mask of the raw columns that had missing cells in training rows, as far as the steps recorded it."""
    found = np.zeros(columns, np.bool_)
    for group in preparation.groups:
        indices = group.among(columns)
        found[[indices[index] for index in _group_gaps(group) if index < len(indices)]] = True
    return found


def filled_gaps(preparation: Preparation, columns: int) -> NDArray[np.bool_]:
    """Return a mask of the raw columns whose missing cells are filled or coded, even if training rows had none."""
    found = np.full(columns, bool(preparation.groups))
    for group in preparation.groups:
        indices = list(group.among(columns))
        found[indices] &= _fills_gaps(group, len(indices))
    return found


def known_texts(preparation: Preparation, columns: int) -> dict[int, list[str]]:
    """Return the texts that have codes, in order, by the index of their raw column."""
    found: dict[int, list[str]] = {}
    for group in preparation.groups:
        found |= zip(group.among(columns), group_texts(group), strict=False)
    return found


def group_texts(group: StepGroup) -> list[list[str]]:
    """Return the texts that have codes, in order, for each column of a group; an empty list for numbers."""
    first = group.steps[0] if group.steps else None
    return first.texts_of(group.fitted[0]) if isinstance(first, CategoryStep) else []


def _group_gaps(group: StepGroup) -> tuple[int, ...]:
    """Return the indices of the group's columns with missing cells in training rows; added columns come last."""
    for step, learned in zip(group.steps, group.fitted, strict=True):
        if (found := step.trained_gaps(learned)) is not None:
            return found
    return ()


def _fills_gaps(group: StepGroup, columns: int) -> bool:
    """Return whether a group's steps replace missing cells before a step that does not accept them."""
    row = np.full((1, columns), np.nan)
    for step, learned in zip(group.steps, group.fitted, strict=True):
        if step.reads_texts or not step.takes_missing:
            return step.reads_texts
        row = step.apply(row, learned)
        if not np.isnan(row).any():
            return True
    return False
