"""Conversion of scikit-learn's transformers into preprocessing and changed weights of the first layer.

Each column that a network reads is a filled and scaled number, a flag of a missing cell, or one of finitely many values
of a category. Everything that is linear in these is moved into the weights of the network's first layer: the order of
columns, columns that are left out, and the values of a category's codes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.draft import Prepared, Scaling
from specnet.parts.arrays import Array
from specnet.parts.data.tables.cells import category, trimmed
from specnet.parts.preprocessing.categories import MISSING

_STRATEGIES = ("mean", "median", "most_frequent", "constant")


@dataclass(frozen=True)
class Filling:
    """The value that replaces missing cells: a number, or the text of a category."""

    value: Any
    strategy: str


Steps = tuple[Filling | Scaling, ...]


@dataclass(frozen=True)
class Number:
    """A raw column that steps fill and scale."""

    index: int
    steps: Steps = ()


@dataclass(frozen=True)
class Flag:
    """An indicator of missing cells of a raw column (1, else 0), times a factor, plus a shift."""

    index: int
    factor: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True)
class Coded:
    """A number for each category of a raw column, by its text, and one number for all other categories."""

    index: int
    values: Mapping[str, float]
    other: float

    def changed(self, change: Callable[[float], float]) -> Coded:
        """Return the column with `change` applied to its numbers."""
        values = {text: change(number) for text, number in self.values.items()}
        return Coded(self.index, values, change(self.other))


Column = Number | Flag | Coded


def raw_columns(count: int) -> list[Column]:
    """Return `count` raw columns without steps."""
    return [Number(index) for index in range(count)]


def transformed(step: Any, columns: Sequence[Column]) -> list[Column]:
    """Return the columns after a fitted transformer or pipeline, given the columns before it.

    Raises
    ------
    FileError
        If the transformer is not supported or not fitted; the message names it.
    """
    from sklearn import compose, impute, pipeline, preprocessing

    kind = type(step)
    if kind is pipeline.Pipeline:
        for _, inner in step.steps:
            columns = transformed(inner, columns)
        return list(columns)
    if step in (None, "passthrough") or (kind is preprocessing.FunctionTransformer and step.func is None):
        return list(columns)
    if kind is compose.ColumnTransformer:
        check_fitted(step, "transformers_")
        parts = _parts(step, len(columns))
        return [made for inner, indices in parts for made in transformed(inner, [columns[index] for index in indices])]
    if kind is impute.SimpleImputer:
        check_fitted(step, "statistics_")
        return _filled(step, columns)
    if kind in (preprocessing.OneHotEncoder, preprocessing.OrdinalEncoder):
        check_fitted(step, "categories_")
        return _encoded(step, columns)
    scaling = scaling_of(step, ", SimpleImputer, OneHotEncoder, OrdinalEncoder, ColumnTransformer")
    pairs = zip(np.broadcast_to(scaling.mean, len(columns)), np.broadcast_to(scaling.scale, len(columns)), strict=True)
    return [_scaled(column, Scaling(*pair)) for column, pair in zip(columns, pairs, strict=True)]


def scaling_of(step: Any, others: str = "") -> Scaling:
    """Return a fitted scaler as (x − mean)/scale.

    Raises
    ------
    FileError
        If it is not fitted or not supported; the message names supported scalers, and `others`.
    """
    from sklearn import preprocessing

    zero, one = np.zeros(()), np.ones(())
    known: dict[type, tuple[str, Callable[[], tuple[Array, Array]]]] = {
        preprocessing.StandardScaler: (
            "n_features_in_",
            lambda: (step.mean_ if step.with_mean else zero, step.scale_ if step.with_std else one),
        ),
        preprocessing.MinMaxScaler: (
            "scale_",
            lambda: (step.data_min_ - step.feature_range[0] / step.scale_, 1 / step.scale_),
        ),
        preprocessing.MaxAbsScaler: ("scale_", lambda: (zero, step.scale_)),
        preprocessing.RobustScaler: (
            "n_features_in_",
            lambda: (step.center_ if step.with_centering else zero, step.scale_ if step.with_scaling else one),
        ),
    }
    if type(step) not in known:
        supported = ", ".join(kind.__name__ for kind in known) + others
        raise FileError(f"the step {class_name(step)} is not supported; choose from {supported}")
    attribute, learned = known[type(step)]
    check_fitted(step, attribute)
    if getattr(step, "clip", False):
        raise FileError("a MinMaxScaler that clips is not supported")
    return Scaling(*learned())


def check_fitted(estimator: Any, attribute: str) -> None:
    """Raise an error if an estimator is not fitted."""
    if not hasattr(estimator, attribute):
        raise FileError(f"{class_name(estimator)} is not fitted")


def class_name(estimator: Any) -> str:
    """Return the name of an estimator's class."""
    return type(estimator).__name__


def _parts(step: Any, count: int) -> Iterator[tuple[Any, Array]]:
    """Yield the transformers of a ColumnTransformer with the indices of their columns, without dropped columns."""
    names = list(getattr(step, "feature_names_in_", ()))
    for _, inner, chosen in step.transformers_:
        if isinstance(inner, str) and inner == "drop":
            continue
        listed: Any = [chosen] if isinstance(chosen, str | int) else chosen
        if not isinstance(listed, slice):
            listed = [names.index(each) if isinstance(each, str) else each for each in listed]
        yield inner, np.arange(count)[listed].astype(np.intp)


def _filled(step: Any, columns: Sequence[Column]) -> list[Column]:
    gap = step.missing_values
    if not (gap is None or (isinstance(gap, float) and np.isnan(gap))) or step.strategy not in _STRATEGIES:
        raise FileError("a SimpleImputer of other gaps than NaN and None, or with its own strategy, is not supported")
    made = list[Column]()
    for column, value in zip(columns, step.statistics_, strict=True):
        if isinstance(value, float) and np.isnan(value):
            raise FileError("a SimpleImputer that leaves out a column without numbers is not supported")
        if isinstance(column, Coded):
            made.append(column.changed(partial(_filled_number, fill=float(value))))
        elif isinstance(column, Number):
            made.append(replace(column, steps=_with_filling(column.steps, Filling(value, step.strategy))))
        else:
            made.append(column)
    flagged = step.indicator_.features_ if step.add_indicator else ()
    for index in flagged:
        column = columns[index]
        if not isinstance(column, Number) or any(isinstance(before, Filling) for before in column.steps):
            raise FileError("an indicator of missing cells behind an encoder or another imputer is not supported")
        made.append(Flag(column.index))
    return made


def _with_filling(steps: Steps, filling: Filling) -> Steps:
    """Append a filling to steps; insert it before a final scaling, which does not accept missing cells."""
    *before, last = steps or (None,)
    if not isinstance(last, Scaling):
        return (*steps, filling)
    return (*before, replace(filling, value=float(filling.value * last.scale + last.mean)), last)


def _filled_number(number: float, fill: float) -> float:
    return fill if np.isnan(number) else number


def _scaled(column: Column, scaling: Scaling) -> Column:
    if isinstance(column, Coded):
        return column.changed(lambda number: float((number - scaling.mean) / scaling.scale))
    if isinstance(column, Flag):
        factor, shift = column.factor / scaling.scale, (column.shift - scaling.mean) / scaling.scale
        return replace(column, factor=float(factor), shift=float(shift))
    *before, last = column.steps or (None,)
    if isinstance(last, Scaling):
        return replace(column, steps=(*before, last.then(scaling)))
    return replace(column, steps=(*column.steps, scaling))


def _encoded(step: Any, columns: Sequence[Column]) -> list[Column]:
    """Return the output columns of an encoder, found by encoding each category of each column."""
    first = [categories[0] for categories in step.categories_]
    base = _answers(step, [first])[0]
    made: list[Column] = [Coded(columns[0].index, {}, float(value)) for value in base]  # for constant outputs
    for number, (column, categories) in enumerate(zip(columns, step.categories_, strict=True)):
        if not isinstance(column, Number) or not all(isinstance(before, Filling) for before in column.steps):
            raise FileError(f"{class_name(step)} behind a scaler or another encoder is not supported")
        texts = [_text(each, class_name(step)) for each in categories]
        rows = [[*first[:number], each, *first[number + 1 :]] for each in [*categories, _unknown(categories)]]
        answers = _answers(step, rows if step.handle_unknown != "error" else rows[:-1])
        own = np.flatnonzero((answers != base).any(axis=0))
        for index in own:
            values = dict(zip(texts, answers[:, index].tolist(), strict=False))
            other = 0.0 if step.handle_unknown == "error" else float(answers[-1, index])
            if column.steps:  # the first of several fillings leaves no gaps
                assert isinstance(column.steps[0], Filling)
                values[MISSING] = values.get(_text(column.steps[0].value, class_name(step)), other)
            made[index] = Coded(column.index, values, other)
    return made


def _answers(step: Any, rows: list[list[Any]]) -> Array:
    """Return the output of an encoder for rows, without its warnings about names and unknown categories."""
    given = np.empty((len(rows), len(rows[0])), np.object_)
    given[:] = rows
    with warnings.catch_warnings(action="ignore"):
        made = step.transform(given)
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made, np.float64)


def _unknown(categories: Array) -> Any:
    """Return a value that is not among these categories."""
    if categories.dtype.kind in "biuf":
        return float(np.nanmax(np.append(categories.astype(np.float64), 0))) + 1
    return max(map(str, categories), key=len) + "?"


def _text(value: Any, whose: str) -> str:
    """Return the text of a category in a table."""
    if value is None or value != value:
        return MISSING
    text = str(bool(value)).lower() if isinstance(value, bool | np.bool_) else str(value)
    if trimmed(text) != text or text.endswith("\0"):
        raise FileError(f"{whose} has the category {shown(text)}, which begins or ends in a blank")
    return category(text)


class Assembly:
    """Preprocessing that, with changed weights of the first layer, is equivalent to scikit-learn's transformers.

    Parameters
    ----------
    columns : sequence of Column
        Columns that the first layer reads.
    count : int
        Number of raw columns.
    names : sequence of str or None
        Names of the raw columns, if they have any.

    Raises
    ------
    FileError
        If a raw column is prepared in two different ways, or is a text without an encoder.
    """

    def __init__(self, columns: Sequence[Column], count: int, names: Sequence[str] | None) -> None:
        self._columns, self._count, self._is_named = columns, count, names is not None
        self._names = names or [f"x{index}" for index in range(count)]
        self._numbers: dict[int, Steps] = {}
        self._texts: dict[int, list[str]] = {}
        for column in columns:
            if isinstance(column, Number) and self._numbers.setdefault(column.index, column.steps) != column.steps:
                raise FileError(f"column {shown(self._names[column.index])} is prepared twice, differently")
            if isinstance(column, Coded):
                known = {*self._texts.get(column.index, ()), *column.values}
                self._texts[column.index] = sorted(known, key=lambda text: (text == MISSING, text))
        if both := self._numbers.keys() & self._texts.keys():
            name = shown(self._names[min(both)])
            raise FileError(f"column {name} is prepared twice, differently, as numbers and as categories")
        if names is None:  # columns without names are identified by position, so unread ones must be present
            unread = set(range(count)) - self._numbers.keys() - self._texts.keys()
            self._numbers |= dict.fromkeys(unread, (Filling(0.0, "constant"),))
        self._flags = {column.index for column in columns if isinstance(column, Flag)}
        self._groups = self._grouped()

    def weighted(self, weight: Array, bias: Array) -> tuple[Array, Array]:
        """Convert weight and bias of a first layer from the original columns to the prepared columns."""
        rows: dict[Any, Array] = {}
        bias = bias.astype(np.float64)
        for column, own in zip(self._columns, weight.astype(np.float64), strict=True):
            shift, factors = 0.0, dict[Any, float]()
            if isinstance(column, Number):
                factors = {column.index: 1.0}
            elif isinstance(column, Flag):
                shift, factors = column.shift, {(column.index, None): column.factor}
            else:
                shift = column.other
                factors = {(column.index, text): value - shift for text, value in column.values.items()}
            bias += shift * own
            for key, factor in factors.items():
                rows[key] = rows.get(key, 0.0) + factor * own
        nothing = np.zeros(weight.shape[1])
        made = np.array([rows.get(key, nothing) for key in self._keys()])
        return made.astype(weight.dtype), bias.astype(weight.dtype)

    def prepared(self) -> Prepared:
        """Return the preprocessing in the notation of a spec, with its fitted arrays."""
        written: list[dict[str, Any]] = []
        tensors: dict[str, Array] = {}
        for number, indices in enumerate(self._groups):
            steps = self._steps(indices)
            written.append({"columns": [self._names[index] for index in indices], "steps": [step for step, _ in steps]})
            for index, (_, learned) in enumerate(steps):
                tensors |= {f"{number}.{index}.{name}": array for name, array in learned.items()}
        names = [self._names[index] for index in sorted({*self._numbers, *self._texts})]
        has_gaps = any(isinstance(step, Filling) for steps in self._numbers.values() for step in steps)
        if not self._texts and not has_gaps and self._groups == [list(range(self._count))]:
            return Prepared(written[0]["steps"], tensors, names if self._is_named else None)
        kinds = {self._names[index]: "category" if index in self._texts else "numeric" for index in range(self._count)}
        return Prepared(written, tensors, names, {name: kinds[name] for name in names})

    def _grouped(self) -> list[list[int]]:
        """Return the indices of raw columns, grouped by their steps; categories come last."""
        found: dict[tuple[Any, ...], list[int]] = {}
        for index in sorted(self._numbers):
            found.setdefault(tuple(map(_form, self._numbers[index])), []).append(index)
        return [*found.values(), *([sorted(self._texts)] if self._texts else [])]

    def _keys(self) -> Iterator[Any]:
        """Yield a key for each prepared column: a raw column's index, with a category's text, or None for a flag."""
        for indices in self._groups:
            if indices[0] in self._texts:
                yield from ((index, text) for index in indices for text in self._texts[index])
            else:
                yield from indices
                yield from ((index, None) for index in indices if index in self._flags)

    def _steps(self, indices: Sequence[int]) -> list[_Fitted]:
        if indices[0] in self._texts:
            return [_one_hot([self._texts[index] for index in indices])]
        made = list[_Fitted]()
        flagged = [number for number, index in enumerate(indices) if index in self._flags]
        flags = 0
        for each in zip(*(self._numbers[index] for index in indices), strict=True):
            if isinstance(each[0], Scaling):
                learned = {"mean": [0.0] * flags, "scale": [1.0] * flags}
                for name, others in learned.items():
                    learned[name] = [*(float(getattr(step, name)) for step in each), *others]
                made.append(({"type": "standardize"}, {name: np.array(row) for name, row in learned.items()}))
                continue
            flags = len(flagged)
            filling = {"type": "impute", "strategy": each[0].strategy, "indicator": flagged or False}
            if each[0].strategy == "constant":
                filling["value"] = float(each[0].value)
            filling["missing"] = list(range(len(indices)))
            made.append((filling, {"fill": np.array([float(step.value) for step in each])}))
        return made


_Fitted = tuple[dict[str, Any], dict[str, Array]]
"""A step in the notation of a spec, and its fitted arrays."""


def _form(step: Filling | Scaling) -> tuple[Any, ...]:
    """Return a key that is equal for steps that can be merged into one step of several columns."""
    if isinstance(step, Scaling):
        return ("standardize",)
    if isinstance(step.value, str):
        raise FileError("a column of texts is filled but not encoded; put a OneHotEncoder behind its SimpleImputer")
    return ("impute", step.strategy, *([float(step.value)] if step.strategy == "constant" else []))


def _one_hot(columns: Sequence[Sequence[str]]) -> _Fitted:
    counts = [len(texts) for texts in columns]
    encoded = [text.encode() for texts in columns for text in texts]
    most = max(1000, *counts)
    written = {"type": "one_hot", "minimum_count": 1, "maximum_categories": most, "counts": counts}
    learned: dict[str, Array] = {
        "categories": np.frombuffer(b"".join(encoded), np.uint8),
        "offsets": np.cumsum([0, *map(len, encoded)], dtype=np.int64),
        "starts": np.cumsum([0, *counts], dtype=np.int64),
    }
    return written, learned
