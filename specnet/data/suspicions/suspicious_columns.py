"""Columns that teach nothing, or more than they should, and rows that a split should not tear apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import add
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from specnet.data.labels import Labels
from specnet.data.row_hashes import by_value
from specnet.data.suspicions.dependent_rows import Dependence, dependent_rows, numbers_rows
from specnet.data.suspicions.leakage import ClassTarget, Target, ValueTarget, linear_leak
from specnet.data.suspicions.repeated_rows import RawRows, repeated_rows
from specnet.errors import Diagnostic, OneOfMany, Path
from specnet.files.plain_data import toml_key, toml_text
from specnet.number_texts import counted, percent
from specnet.parts.arrays import Array
from specnet.parts.data import Column
from specnet.parts.data.column_kinds import are_frequent
from specnet.spec import Spec

LEAST_IDENTIFIER_ROWS = 20
REPEATED_SHARE = 0.1
"""Of test rows: more that training rows are equal to make figures too good."""
_ADVICE = {
    "constant": ("it teaches nothing: ", "they teach nothing: "),
    "gives-target-away": ("if it is not known beforehand, ", "if they are not known beforehand, "),
}
"""Before how a column, or several, are left out, by the code of the warning."""
_SPLIT_ADVICE = {"group": "to hold out whole groups", "time": "to test on the latest rows"}


def column_suspicions(
    spec: Spec,
    labels: Labels | None,
    splits: Mapping[str, RawRows],
    kinds: Sequence[Column] = (),
    names: Mapping[str, NDArray[np.float64]] = MappingProxyType({}),
) -> tuple[Diagnostic, ...]:
    """Return warnings about the columns of training rows, a random split of them, and test rows that repeat some.

    A column has the first warning that applies to it; what a split should go by comes after those.

    Parameters
    ----------
    spec : Spec
    labels : Labels or None
        Of the target, where the loss has labels.
    splits : mapping of str to RawRows
        ``train``, and the others by name.
    kinds : sequence of Column
        The columns; empty where they are mere numbers.
    names : mapping of str to ndarray (all rows,), optional
        Indices of the texts in columns that are ignored, NaN for missing ones, where they may name groups of rows.
    """
    rows = {name: _InOrder(part) for name, part in splits.items()}
    train, held_out = rows["train"], [part for name, part in rows.items() if name != "train"]
    targets = dict(_targets(spec, labels, splits["train"].y[train.order]))
    split_by = _dependent(kinds, names, train, targets) if kinds and _is_random(spec, splits) else {}
    known: dict[bytes, str] = {}
    found, numbers = list[Diagnostic](), list[int]()
    for index in range(splits["train"].table.shape[1]):
        column = _Column(spec, index, train.column(index), kinds[index] if kinds else None)
        if column.is_constant:
            found += _constant(column, held_out) if train.count > 1 else ()
        elif suspicions := list(_of_column(column, known, targets)):
            if suspicions[0].code == "gives-target-away" and index in split_by and split_by[index].key == "time":
                del split_by[index]  # rows that are sorted by their target
            found += [each for each in suspicions if each.code != "identifier" or index not in split_by]
        elif column.kind != "category":
            numbers.append(index)
    found += _linear(spec, kinds, train, targets, numbers)
    for each in split_by.values():
        name = [*(column.name for column in kinds), *names][each.column]
        hint = f"set data.split.{each.key} = {toml_text(name)} {_SPLIT_ADVICE[each.key]}"
        found.append(spec.diagnostic("random-split", each.sentence, ("data", "split"), hint=hint))
    if "test" in splits:
        repeated = repeated_rows(splits["train"], splits["test"], "test", kinds, REPEATED_SHARE)
        if repeated is not None:
            found.append(spec.diagnostic("rows-in-both", repeated.sentence, _data_path(spec), hint=repeated.advice))
    return tuple(found)


class _InOrder:
    """Rows in the order of their table, whatever the order in which they train."""

    def __init__(self, rows: RawRows) -> None:
        self._table = rows.table
        self.order = slice(None) if rows.chosen is None else np.argsort(rows.chosen, kind="stable")
        self._chosen = None if rows.chosen is None else rows.chosen[self.order]
        self.count = len(rows.y)

    def column(self, index: int) -> NDArray[np.float64]:
        """Return a column of the rows, a copy; a zero has no sign, and a missing cell is one NaN."""
        return by_value(self.some(self._table[:, index]))

    def some(self, column: Array) -> Array:
        """Return the cells of a whole column that are in these rows."""
        return column if self._chosen is None else column.take(self._chosen)


@dataclass(frozen=True, eq=False)
class _Column:
    """A column of training rows, in the order of their table.

    Attributes
    ----------
    spec : Spec
    index : int
    cells : ndarray (rows,)
    described : Column or None
        What it is, where that is known.
    """

    spec: Spec
    index: int
    cells: NDArray[np.float64]
    described: Column | None

    @property
    def kind(self) -> str:
        """What its numbers stand for."""
        return "numeric" if self.described is None else self.described.kind

    @property
    def name(self) -> str | None:
        """Its name, where it has one."""
        if self.described is not None:
            return self.described.name
        names = self.spec.feature_names
        return names[self.index] if names else None

    @property
    def label(self) -> str:
        """How messages call it."""
        return str(self.index) if self.name is None else f'"{self.name}"'

    @cached_property
    def is_missing(self) -> NDArray[np.bool_]:
        """Where its cells are missing."""
        return np.isnan(self.cells)

    @property
    def is_constant(self) -> bool:
        """Whether all cells are equal, missing ones to each other."""
        return bool(self.is_missing.all() or (self.cells == self.cells[0]).all())

    def fingerprint(self) -> bytes:
        """Return what equal columns have in common, and only they: of categories, those with the same texts."""
        digest = hashlib.blake2b(digest_size=16)
        cells = self.cells
        if self.described is not None and self.described.texts is not None:
            there, places = np.unique(cells, return_inverse=True)
            texts = [None if np.isnan(code) else str(self.described.texts[int(code)]) for code in there]
            digest.update(repr(texts).encode())
            cells = places.astype(np.float64)
        digest.update(cells.tobytes())
        return digest.digest()

    @property
    def path(self) -> Path:
        """Where a spec says what the column is."""
        is_named = self.spec.data is not None and self.described is not None
        return (*_data_path(self.spec), "columns") if is_named else _data_path(self.spec)

    @property
    def omission(self) -> tuple[str, str, str]:
        """How the column is left out, and how several are: what to do, and behind that what to set for each."""
        if self.spec.data is None or not hasattr(self.spec.data, "features"):
            return "leave it out", "leave them out", ""
        if self.described is None:
            return "leave it out of data.features", "leave them out of data.features", ""
        if self.name in (self.spec.data.features or ()):
            return f"take {self.label} out of data.features", "take these out of data.features:", self.label
        setting = f'data.columns.{toml_key(self.described.name)} = "ignore"'
        return f"set {setting}", "set", setting

    def warning(self, code: str, message: str, of_many: str, what: str = "") -> Diagnostic:
        """Return a warning about the column, and by which key it can be left out.

        `of_many` is what is said of several, beside `what` of each.
        """
        *ways, settings = self.omission
        alone, together = map(add, _ADVICE.get(code, ("", "")), ways)
        found = self.spec.diagnostic(code, f"column {self.label} {message}", self.path, hint=alone)
        return replace(found, of_many=OneOfMany(self.label + what, of_many, together, settings))


def _targets(spec: Spec, labels: Labels | None, y: Array) -> Iterator[tuple[str, Target]]:
    """Yield each column of a target, and how messages call it."""
    if labels is not None:
        yield "the target", ClassTarget(labels.encode(y))
        return
    columns = np.asarray(y).reshape(len(y), -1).T
    for number, values in enumerate(columns):
        name = "the target" if len(columns) == 1 else f"target {number}"
        is_binary = spec.training.loss.target == "binary"
        yield name, ClassTarget(values.astype(np.intp)) if is_binary else ValueTarget(values.astype(np.float64))


def _constant(column: _Column, held_out: Sequence[_InOrder]) -> Iterator[Diagnostic]:
    """Yield the warning about a column that is constant in training rows, unless rows held out have other values.

    A value that is rare is no constant; but a column that is empty where the network trains is none that it can use.
    """
    first = column.cells[0]
    if np.isnan(first):
        yield column.warning("constant", "is empty in all training rows", "are empty in all training rows")
    elif all((rows.column(column.index) == first).all() for rows in held_out):
        shown = f"{first:.6g}" if column.described is None else column.described.cell_text(first)
        yield column.warning("constant", f"is {shown} in all rows", "are constant in all rows")


def _of_column(column: _Column, known: dict[bytes, str], targets: Mapping[str, Target]) -> Iterator[Diagnostic]:
    """Yield the warning about a column, if there is one; remember its name by its fingerprint."""
    twin = known.setdefault(column.fingerprint(), column.label)
    if twin != column.label:
        equal = "equal others in all training rows"
        yield column.warning("duplicate-column", f"equals column {twin} in all training rows", equal, f" = {twin}")
        return
    leaks = list(_given_away(column, targets))
    if not leaks and (why := _identifies(column)) is not None:
        yield column.warning("identifier", f"looks like an identifier: {why}", "look like identifiers")
    yield from leaks[:1]


def _given_away(column: _Column, targets: Mapping[str, Target]) -> Iterator[Diagnostic]:
    """Yield the warning about each target that the column almost determines."""
    missing = column.is_missing
    for name, target in targets.items():
        determined = f"{name}: {target.reason}"
        if not target.is_given_away(column.cells, is_category=column.kind == "category"):
            determined = f"{name} by being empty or not"
            if not missing.any() or not target.is_given_away(missing.astype(np.float64)):
                continue
        yield column.warning("gives-target-away", f"almost determines {determined}", f"almost determine {name}")


def _linear(
    spec: Spec, kinds: Sequence[Column], train: _InOrder, targets: Mapping[str, Target], numbers: Sequence[int]
) -> Iterator[Diagnostic]:
    """Yield the warning about each target of values that a linear model of some of these columns explains."""
    for name, target in targets.items():
        terms, explained = (
            linear_leak(train.column, numbers, target.values) if isinstance(target, ValueTarget) else ([], 0)
        )
        if not terms:
            continue
        columns = [_Column(spec, term, train.column(term), kinds[term] if kinds else None) for term in terms]
        named, determine, left_out = f"column {columns[0].label}", "almost determines", columns[0].omission[0]
        if len(columns) > 1:
            named = f"columns {' and '.join(column.label for column in columns)}"
            determine = "together almost determine"
            settings = ", ".join(filter(None, (column.omission[2] for column in columns)))
            left_out = f"{columns[0].omission[1]} {settings}".rstrip()
        message = f"{named} {determine} {name}: a linear model explains {percent(explained)}"
        hint = _ADVICE["gives-target-away"][len(columns) > 1] + left_out
        yield spec.diagnostic("gives-target-away", message, columns[0].path, hint=hint)


def _is_random(spec: Spec, splits: Mapping[str, RawRows]) -> bool:
    """Return whether chance decides which rows are held out, or which member of an ensemble trains on them."""
    if spec.data is None or spec.data.split.by_column is not None or spec.data.split.says_parts:
        return False
    ensemble = spec.training.ensemble
    return len(splits) > 1 or (ensemble is not None and bool(ensemble.folds))


def _dependent(
    kinds: Sequence[Column],
    names: Mapping[str, NDArray[np.float64]],
    train: _InOrder,
    targets: Mapping[str, Target],
) -> dict[int, Dependence]:
    """Return the columns that a split should go by, instead of chance: one of groups and one of times at most.

    Those that are ignored are counted behind the others.
    """
    columns, more = [*kinds, *(Column(name, "category") for name in names)], [*names.values()]

    def cells(index: int) -> NDArray[np.float64]:
        return train.column(index) if index < len(kinds) else train.some(more[index - len(kinds)])

    found = [each for target in targets.values() for each in dependent_rows(columns, cells, target)]
    first = {each.key: each for each in reversed(found)}
    return {each.column: each for each in first.values()}


def _identifies(column: _Column) -> str | None:
    """Return why a column looks like an identifier, None if it does not."""
    cells, rows = column.cells, len(column.cells)
    if column.kind == "category":
        there = cells[~column.is_missing]
        counts = np.unique(there, return_counts=True)[1]
        return None if are_frequent(counts) else f"{counted(len(counts), 'text')} in {counted(len(there), 'row')}"
    return numbers_rows(cells) if column.kind == "numeric" and rows >= LEAST_IDENTIFIER_ROWS else None


def _data_path(spec: Spec) -> Path:
    return ("data",) if spec.data is not None else ()
