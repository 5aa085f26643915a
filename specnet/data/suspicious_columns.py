"""Columns that teach nothing, or more than they should: constants, identifiers, copies, what gives the target away."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import add
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from specnet.data.labels import Labels
from specnet.data.leakage import ClassTarget, Target, ValueTarget
from specnet.data.row_hashes import by_value
from specnet.errors import Diagnostic, OneOfMany, Path
from specnet.files.toml import toml_key
from specnet.number_texts import count, counted
from specnet.parts.arrays import Array, pieces
from specnet.parts.data import Column
from specnet.parts.data.tables.judging import are_frequent
from specnet.spec import Spec

LEAST_IDENTIFIER_ROWS = 20
REPEATED_SHARE = 0.1
"""Of test rows: more that training rows are equal to make figures too good."""
_ADVICE = {
    "constant": ("it teaches nothing: ", "they teach nothing: "),
    "gives-target-away": ("if it is not known beforehand, ", "if they are not known beforehand, "),
}
"""Before how a column, or several, are left out, by the code of the warning."""
_FACTOR, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)
"""Odd, and about half the bits: all bits of a cell get into all bits of a row's number."""


class RawRows(Protocol):
    """Some rows of a table."""

    @property
    def table(self) -> Array:
        """Numbers (all rows, columns); NaN where a cell is missing, and a category's indices of its texts."""

    @property
    def y(self) -> Array:
        """The target of these rows."""

    @property
    def chosen(self) -> NDArray[np.intp] | None:
        """Which rows of the table these are; all of them if None."""


def column_suspicions(
    spec: Spec, labels: Labels | None, splits: Mapping[str, RawRows], kinds: Sequence[Column] = ()
) -> tuple[Diagnostic, ...]:
    """Return warnings about the columns of training rows, and about test rows that training rows are equal to.

    A column has the first warning that applies to it.

    Parameters
    ----------
    spec : Spec
    labels : Labels or None
        Of the target, where the loss has labels.
    splits : mapping of str to RawRows
        ``train``, and the others by name.
    kinds : sequence of Column
        The columns; empty where they are mere numbers.
    """
    rows = {name: _InOrder(part) for name, part in splits.items()}
    train, held_out = rows["train"], [part for name, part in rows.items() if name != "train"]
    test = rows.get("test")
    hashes, test_hashes = np.zeros(train.count, np.uint64), np.zeros(0 if test is None else test.count, np.uint64)
    targets = dict(_targets(spec, labels, splits["train"].y[train.order]))
    known: dict[bytes, str] = {}
    found: list[Diagnostic] = []
    for index in range(splits["train"].table.shape[1]):
        column = _Column(spec, index, train.column(index), kinds[index] if kinds else None)
        if test is not None:
            add_cells(hashes, column.cells)
            add_cells(test_hashes, test.column(index))
        if not column.is_constant:
            found += _of_column(column, known, targets)
        elif train.count > 1:
            found += _constant(column, held_out)
    repeated = int(np.isin(test_hashes, hashes).sum())
    if repeated > REPEATED_SHARE * len(test_hashes):
        message = f"{count(repeated)} of {counted(len(test_hashes), 'test row')} also occur in the training set"
        hint = "remove duplicate rows; they make the test figures look too good"
        found.append(spec.diagnostic("rows-in-both", message, _data_path(spec), hint=hint))
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
        whole = self._table[:, index]
        return by_value(whole if self._chosen is None else whole.take(self._chosen))


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

    def said(self, cell: float) -> str:
        """Return a cell as messages say it."""
        if self.kind == "boolean":
            return "true" if cell else "false"
        if self.kind == "datetime":
            return str(np.datetime64(int(cell // 1), "D"))
        if self.described is not None and self.described.texts is not None:
            return f'"{self.described.texts[int(cell)]}"'
        return f"{cell:.6g}"

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

    def warning(self, code: str, message: str, of_many: str, what: str = "") -> Diagnostic:
        """Return a warning about the column, and by which key it can be left out.

        `of_many` is what is said of several, beside `what` of each.
        """
        data, path, ways = self.spec.data, _data_path(self.spec), ["leave it out", "leave them out"]
        if data is not None and self.described is not None:
            path = (*path, "columns")
            ways = [f'set data.columns.{key} = "ignore"' for key in (toml_key(self.described.name), "NAME")]
        elif data is not None and "features" in type(data).model_fields:
            ways = [f"{way} of data.features" for way in ways]
        alone, together = map(add, _ADVICE.get(code, ("", "")), ways)
        found = self.spec.diagnostic(code, f"column {self.label} {message}", path, hint=alone)
        return replace(found, of_many=OneOfMany(self.label + what, of_many, together))


def add_cells(numbers: NDArray[np.uint64], cells: NDArray[np.float64]) -> None:
    """Take a column's cells into the numbers of rows, (rows,) both: equal rows share one, and hardly any others."""
    numbers ^= cells.view(np.uint64)
    numbers *= _FACTOR
    numbers ^= numbers >> _SHIFT


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
        yield column.warning("constant", f"is {column.said(first)} in all rows", "are constant in all rows")


def _of_column(column: _Column, known: dict[bytes, str], targets: Mapping[str, Target]) -> Iterator[Diagnostic]:
    """Yield the warning about a column, if there is one; remember its name by its fingerprint."""
    cells, missing = column.cells, column.is_missing
    twin = known.setdefault(column.fingerprint(), column.label)
    if twin != column.label:
        equal = "equal others in all training rows"
        yield column.warning("duplicate-column", f"equals column {twin} in all training rows", equal, f" = {twin}")
    elif (why := _identifies(column)) is not None:
        yield column.warning("identifier", f"looks like an identifier: {why}", "look like identifiers")
    else:
        for name, target in targets.items():
            told = f"{name}: {target.reason}"
            if not target.is_given_away(cells, is_category=column.kind == "category"):
                told = f"{name} by being empty or not"
                if not missing.any() or not target.is_given_away(missing.astype(np.float64)):
                    continue
            yield column.warning("gives-target-away", f"almost determines {told}", f"almost determine {name}")
            return


def _identifies(column: _Column) -> str | None:
    """Return why a column looks like an identifier, None if it does not."""
    cells, rows = column.cells, len(column.cells)
    if column.kind == "category":
        there = cells[~column.is_missing]
        counts = np.unique(there, return_counts=True)[1]
        return None if are_frequent(counts) else f"{counted(len(counts), 'text')} in {counted(len(there), 'row')}"
    if column.kind != "numeric" or rows < LEAST_IDENTIFIER_ROWS or column.is_missing.any():
        return None
    if not all((cells[piece] == np.floor(cells[piece])).all() for piece in pieces(cells)):
        return None
    least = cells.min()
    if (cells[1:] > cells[:-1]).all():
        return "whole numbers that increase from row to row"
    if cells.max() - least < 2 * rows and np.bincount((cells - least).astype(np.intp)).max() == 1:
        return "whole numbers, all different"
    return None


def _data_path(spec: Spec) -> Path:
    return ("data",) if spec.data is not None else ()
