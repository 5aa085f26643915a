"""Raw columns as a network reads them: groups of columns, each with its steps and what these learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError
from specnet.parts.arrays import FLOAT64, Array, as_dtype, check_finite, pieces
from specnet.parts.preprocessing import CategoryStep, Embedding, Fitted, Preprocessing, Texts
from specnet.parts.preprocessing.operations import joined, picked
from specnet.spec import ColumnGroup

ColumnTexts = Sequence[NDArray[np.str_] | None]
"""For each raw column the distinct texts that its cells are indices of; None for a column of numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Raw columns that go through the same steps.

    Attributes
    ----------
    places : tuple of int or None
        Which raw columns, counted from 0; all of them, in their order, if None.
    steps : tuple of Preprocessing
    fitted : tuple of mappings
        What each step learned: arrays by name. Empty until the group has been fitted.
    """

    places: tuple[int, ...] | None
    steps: tuple[Preprocessing, ...]
    fitted: tuple[Mapping[str, NDArray[Any]], ...] = ()

    def count(self, columns: int) -> int:
        """Return the number of the group's raw columns, among so many."""
        return columns if self.places is None else len(self.places)

    def taken(self, columns: Array) -> Array:
        """Return the group's own columns: the same array if these are all, else a copy."""
        return columns if self.places is None else columns[:, self.places]

    def texts(self, texts: ColumnTexts) -> Texts | None:
        """Return the texts of the group's own columns, None where these are numbers."""
        own = texts if self.places is None else [texts[place] for place in self.places if texts]
        return tuple(text for text in own if text is not None) or None

    def fit(
        self, columns: Array, texts: Texts | None, weight: NDArray[np.float64] | None, names: Sequence[str]
    ) -> Group:
        """Return the group as it is after learning from training rows, its own columns being given.

        Raises
        ------
        DataError
            If a cell is missing that the first step needs, or numbers are too large to prepare.
        """
        steps, fitted = [], []
        if not self.steps or not self.steps[0].takes_missing:
            _refuse_missing(self.steps, columns, names)
        for index, step in enumerate(self.steps):
            with np.errstate(over="ignore", invalid="ignore"):
                step, learned = step.fit(columns, weight, texts)
            for array in learned.values():
                _check_finite(step, array)
            steps.append(step)
            fitted.append(learned)
            if index + 1 < len(self.steps):
                made = np.concatenate([numbers for _, numbers in _applied(step, learned, columns, texts)])
                _check_finite(step, np.where(np.isnan(made), 0.0, made) if step.takes_missing else made)
                columns = made
        return replace(self, steps=tuple(steps), fitted=tuple(fitted))

    def apply(self, columns: Any) -> Any:
        """Return what the fitted steps make of the group's columns, among all raw ones."""
        columns = columns if self.places is None else picked(columns, self.places)
        for step, learned in zip(self.steps, self.fitted, strict=True):
            columns = step.apply(columns, learned)
        return columns

    def invert(self, prepared: Any) -> Any:
        """Return what the fitted steps make the given columns of, about: not every step can be undone."""
        for step, learned in zip(reversed(self.steps), reversed(self.fitted), strict=True):
            prepared = step.invert(prepared, learned)
        return prepared

    def output_size(self, columns: int) -> int:
        """Return how many columns a fitted group makes, among so many raw ones."""
        size = self.count(columns)
        for step in self.steps:
            made = step.output_size(size)
            assert made is not None, "a fitted step has all its sizes"
            size = made
        return size


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """What was fitted to prepare inputs or a target; without groups it changes nothing.

    Attributes
    ----------
    groups : tuple of Group
        Their results stand beside each other, in this order.
    """

    groups: tuple[Group, ...] = ()

    @classmethod
    def fit(
        cls,
        groups: Sequence[Group],
        columns: Array,
        weight: NDArray[np.float64] | None = None,
        *,
        texts: ColumnTexts = (),
        names: Sequence[str] = (),
    ) -> Self:
        """Return groups fitted to training rows, each step to what the ones before it make of them.

        Parameters
        ----------
        groups : sequence of Group
            Not fitted yet.
        columns : (rows, columns)
            Raw columns; missing cells are NaN.
        weight : (rows,), optional
            How much each row counts.
        texts : sequence, optional
            Of each column; see `ColumnTexts`.
        names : sequence of str, optional
            Of the columns, for errors.

        Raises
        ------
        DataError
            If a cell is missing that a step needs, or numbers are too large to prepare.
        """
        fitted = []
        for group in groups:
            named = names if group.places is None or not names else [names[place] for place in group.places]
            fitted.append(group.fit(group.taken(columns), group.texts(texts), weight, named))
        return cls(tuple(fitted))

    @property
    def steps(self) -> tuple[Preprocessing, ...]:
        """The steps of all groups."""
        return tuple(step for group in self.groups for step in group.steps)

    @property
    def fitted(self) -> tuple[Mapping[str, NDArray[Any]], ...]:
        """What each of the `steps` learned."""
        return tuple(learned for group in self.groups for learned in group.fitted)

    @property
    def is_plain(self) -> bool:
        """Whether all columns go through the same steps, in their order."""
        return not self.groups or (len(self.groups) == 1 and self.groups[0].places is None)

    def prepare(
        self,
        columns: Array,
        *,
        texts: ColumnTexts = (),
        dtype: np.dtype[Any] = FLOAT64,
        name: str = "X",
        overwrite: bool = False,
    ) -> Array:
        """Return raw columns (rows, columns) as the network sees them; the columns themselves without steps.

        Parameters
        ----------
        columns : (rows, columns)
        texts : sequence, optional
            Of each column; see `ColumnTexts`.
        dtype : numpy.dtype
            Dtype of the result.
        name : str
            Name of the prepared rows in errors.
        overwrite : bool
            Allow overwriting the columns; the result then reuses their memory if possible.

        Raises
        ------
        DataError
            If numbers become too large or a cell is missing, with the place of the first one.
        """
        if self.is_plain:
            for group in self.groups:
                columns = _prepared(group, columns, group.texts(texts), dtype, name, overwrite)
            return columns
        sizes = [group.output_size(columns.shape[1]) for group in self.groups]
        result, start = np.empty((len(columns), sum(sizes)), dtype), 0
        for group, size in zip(self.groups, sizes, strict=True):
            made = _prepared(group, group.taken(columns), group.texts(texts), dtype, name, True)
            result[:, start : start + size] = made
            start += size
        return result

    def apply(self, columns: Any) -> Any:
        """Return columns of numbers as the network sees them: an array, or symbolic values (columns, rows)."""
        made = [group.apply(columns) for group in self.groups]
        return joined(*made) if len(made) > 1 else made[0] if made else columns

    def invert(self, columns: Any) -> Any:
        """Return prepared columns (rows, inputs) in their own units; arrays alone where there are groups of columns."""
        if self.is_plain:
            for group in self.groups:
                columns = group.invert(columns)
            return columns
        raw, start = np.empty((len(columns), sum(group.count(0) for group in self.groups))), 0
        for group in self.groups:
            stop = start + group.output_size(group.count(0))
            raw[:, group.places] = group.invert(columns[:, start:stop])
            start = stop
        return raw

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, by names such as ``0.1.mean``: group of columns, step, and what it is."""
        return {
            _tensor_name(place, index, name): array
            for place, group in enumerate(self.groups)
            for index, learned in enumerate(group.fitted)
            for name, array in learned.items()
        }

    @classmethod
    def from_tensors(cls, groups: Sequence[Group], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Return the preparation whose `tensors` are given, complete and of the shapes that `tensor_forms` says.

        Raises
        ------
        DataError
            If they are no state that a step can have.
        """
        fitted = []
        for place, group in enumerate(groups):
            learned = tuple(
                {name: tensors[_tensor_name(place, index, name)] for name in step.learned}
                for index, step in enumerate(group.steps)
            )
            for step, state in zip(group.steps, learned, strict=True):
                step.check(state)
            fitted.append(replace(group, fitted=learned))
        return cls(tuple(fitted))

    def replaced(self, replacement: Callable[[str, NDArray[Any]], Any]) -> Self:
        """Return the preparation with something in place of all arrays that are not `fixed`, by name and array."""
        groups = []
        for place, group in enumerate(self.groups):
            learned = tuple(
                {
                    name: array if name in step.fixed else replacement(_tensor_name(place, index, name), array)
                    for name, array in state.items()
                }
                for index, (step, state) in enumerate(zip(group.steps, group.fitted, strict=True))
            )
            groups.append(replace(group, fitted=learned))
        return type(self)(tuple(groups))


TensorForm = tuple[np.dtype[Any], tuple[int | None, ...]]
"""A dtype, and a shape in which None is a free length."""


def tensor_forms(groups: Sequence[Group], columns: int) -> dict[str, TensorForm]:
    """Return what the tensors of a preparation of so many columns are, by name."""
    forms: dict[str, TensorForm] = {}
    for place, group in enumerate(groups):
        size = group.count(columns)
        for index, step in enumerate(group.steps):
            for name, shape in step.shapes(size).items():
                forms[_tensor_name(place, index, name)] = np.dtype(step.dtypes.get(name, "float64")), shape
            size = step.output_size(size) or 0
    return forms


def unfitted(written: Sequence[Preprocessing | ColumnGroup], names: Sequence[str] = ()) -> tuple[Group, ...]:
    """Return the groups that a spec writes, of raw columns with these names, with nothing learned.

    What is embedded has its codes as inputs of the network.
    """
    plain = tuple(step for step in written if isinstance(step, Preprocessing))
    places = {name: place for place, name in enumerate(names)}
    groups = [group for group in written if isinstance(group, ColumnGroup)]
    found = [Group(tuple(places[name] for name in group.columns), _coded(group.steps)) for group in groups]
    return (*([Group(None, plain)] if plain else []), *found)


def _tensor_name(place: int, index: int, name: str) -> str:
    return f"{place}.{index}.{name}"


def _coded(steps: Sequence[Preprocessing]) -> tuple[Preprocessing, ...]:
    return tuple(step.ordinal() if isinstance(step, Embedding) else step for step in steps)


def _prepared(
    group: Group, columns: Array, texts: Texts | None, dtype: np.dtype[Any], name: str, overwrite: bool
) -> Array:
    """Return a group's own columns as its fitted steps make them."""
    steps = list(zip(group.steps, group.fitted, strict=True))
    for index, (step, learned) in enumerate(steps):
        is_last = index + 1 == len(steps)
        made = dtype if is_last else FLOAT64
        result = _result(step, columns, made, overwrite)
        for piece, numbers in _applied(step, learned, columns, texts):
            if is_last or not step.takes_missing:
                check_finite(numbers, name, piece.start)
            result[piece] = numbers if not is_last else as_dtype(numbers, made, name, piece.start)
        columns, overwrite = result, True
    return columns


def _result(step: Preprocessing, columns: Array, dtype: np.dtype[Any], overwrite: bool) -> Array:
    """Return the array for the result of a step: that of the columns if it fits and may be overwritten."""
    size = step.output_size(columns.shape[1])
    if size != columns.shape[1]:
        assert size is not None, "a fitted step has all its sizes"
        return np.empty((len(columns), size), dtype)
    in_place = overwrite and columns.dtype == dtype and columns.flags.writeable
    return columns if in_place else np.empty_like(columns, dtype)


def _applied(
    step: Preprocessing, learned: Fitted, columns: Array, texts: Texts | None
) -> Iterator[tuple[slice, Array]]:
    """Yield what a step makes of columns, in float64 and some rows after the other, so that temporaries are small."""
    for piece in pieces(columns):
        numbers = columns[piece].astype(FLOAT64, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            if isinstance(step, CategoryStep):
                assert texts is not None, "a step for categories begins a group of them"
                numbers = step.codes(numbers, texts, learned)
            made = step.apply(numbers, learned)
        yield piece, made


def _check_finite(step: Preprocessing, numbers: Array) -> None:
    finite = np.isfinite(numbers)
    if not finite.all():
        column = int(finite.reshape(-1).argmin()) % numbers.shape[-1]
        raise DataError(f"{step.type}: the numbers in column {column} are too large")


def _refuse_missing(steps: Sequence[Preprocessing], columns: Array, names: Sequence[str]) -> None:
    missing = np.isnan(columns) if columns.dtype.kind == "f" else np.zeros((0, 0), np.bool_)
    if missing.any():
        row, place = (int(index) for index in np.argwhere(missing)[0])
        column = f'column "{names[place]}"' if names else f"column {place}"
        whose = steps[0].type if steps else "the network"
        hint = f'put "impute" before {whose}' if steps else 'use "impute" in network.preprocessing'
        raise DataError(f"{column} is empty at training row {row}, and {whose} needs every cell", hint=hint)
