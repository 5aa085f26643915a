"""The roles of other columns than features and targets: a split's column, row weights, predictions of a teacher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic, Path
from specnet.files.large import new_array
from specnet.parts.data.base import Split, Table
from specnet.parts.data.column_kinds import KINDS, KINDS_IN_WORDS, Column, ColumnKind, Kind, as_indices, kind_of
from specnet.parts.data.notations import DatetimeFormat
from specnet.parts.data.tables.setting_hints import column_key, setting
from specnet.parts.data.tables.sources import Mistake, TableSource, unknown_columns, unused_delimiter
from specnet.parts.part import FieldProblem
from specnet.parts.splits import PARTS

_NEEDED: dict[str | int, tuple[tuple[Kind, ...], str]] = {
    "time": (("numeric", "datetime"), "a split by time needs numbers or dates"),
    "column": (("category",), "a split by column needs texts"),
    "sample_weight": (("numeric", "boolean"), "weights need numbers"),
    "teacher_columns": (("numeric", "boolean"), "predictions are numbers"),
}
"""The kinds that a column may have, and the message about other kinds, by the key that gives the column its role."""


class Roles(NamedTuple):
    """The columns that the split uses, of row weights, and of a teacher's predictions.

    Attributes
    ----------
    split : Split
    weight : str or None
        The column of weights.
    teacher : tuple of str
        The columns of predictions.
    """

    split: Split
    weight: str | None
    teacher: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, without repetition."""
        return tuple(self.paths)

    @property
    def paths(self) -> dict[str, Path]:
        """The path of the key that names each column, from the data part on, by column name."""
        split: dict[Path, str | None] = {
            ("split", key): getattr(self.split, key) for key in ("group", "time", "column")
        }
        teacher: dict[Path, str] = {("teacher_columns", index): name for index, name in enumerate(self.teacher)}
        paths = {**teacher, ("sample_weight",): self.weight, **split}
        return {name: path for path, name in paths.items() if name is not None}

    def problems(self, kinds: Mapping[str, ColumnKind]) -> Iterator[FieldProblem]:
        """Yield a problem for each column whose specified kind does not fit its role."""
        for name, path in self.paths.items():
            key = path[0] if path[0] in _NEEDED else path[-1]
            kind, (needed, words) = kind_of(kinds.get(name, "ignore")), _NEEDED.get(key, (KINDS, ""))
            if kind not in (*needed, "ignore"):
                yield FieldProblem(("columns", name), f'"{name}" is {KINDS_IN_WORDS[kind]}; {words}', "column-kind")

    def refuse_unknown(self, source: TableSource) -> None:
        """Raise a DataError for columns that a source lacks, with the paths of the keys that name them."""
        names = set(source.names)
        problems = [
            replace(unknown_columns(source, [name]), path=path, source=None)
            for name, path in self.paths.items()
            if name not in names
        ]
        if problems:
            raise DataError(*(problems[:1] if unused_delimiter(source.names) else problems))

    def kinds(self) -> dict[str, ColumnKind]:
        """Return the default kinds of the columns; the time column has none, because its cells decide."""
        split = None if self.split.time is not None else self.split.by_column
        kinds: dict[str | None, ColumnKind] = {split: "category", self.weight: "numeric"}
        kinds |= dict.fromkeys(self.teacher, "numeric")
        return {name: kind for name, kind in kinds.items() if name is not None}

    def split_by(self, content: Table, source: TableSource) -> NDArray[Any] | None:
        """Return the cells of the column that the split uses, (rows,), or None if it uses no column.

        Raises
        ------
        DataError
            If a time is missing, the time column has no times, or a text is not the name of a set.
        """
        name = self.split.by_column
        if name is None:
            return None
        column, cells = _found(content, name)
        if self.split.time is not None:
            return _times(column, cells, content, source)
        if self.split.group is not None:
            return np.where(np.isnan(cells), -1, np.unique(cells, return_inverse=True)[1])
        assert column.texts is not None, "it is a category"
        words = np.append(column.texts, "")[as_indices(cells)]
        wrong = ~np.isin(words, PARTS)
        if wrong.any():
            first = int(wrong.argmax())
            expected = ", ".join(f'"{part}"' for part in PARTS)
            what = f'expected {expected}, got "{words[first]}"'
            raise _wrong_cell(name, first, what, "split", content, source)
        return words

    def weights(self, content: Table, source: TableSource) -> NDArray[np.float64] | None:
        """Return the weights of the rows, (rows,), or None if no column has weights.

        Raises
        ------
        DataError
            If a weight is missing or negative.
        """
        if self.weight is None:
            return None
        _, cells = _found(content, self.weight)
        if np.isnan(cells).any():
            first = int(np.isnan(cells).argmax())
            raise _wrong_cell(self.weight, first, "the weight is missing", "missing-cell", content, source)
        if (cells < 0).any():
            what = f"expected a weight that is not negative, got {cells.min():.6g}"
            raise _wrong_cell(self.weight, int(cells.argmin()), what, "sample-weight", content, source)
        return cells

    def predictions(self, content: Table, source: TableSource) -> NDArray[np.float64] | None:
        """Return the predictions of a teacher, (rows, columns), or None without columns of predictions.

        Raises
        ------
        DataError
            If a prediction is missing.
        """
        if not self.teacher:
            return None
        found = np.column_stack([_found(content, name)[1] for name in self.teacher])
        if np.isnan(found).any():
            row, column = (int(each) for each in np.argwhere(np.isnan(found))[0])
            raise _wrong_cell(self.teacher[column], row, "the prediction is missing", "missing-cell", content, source)
        return found


def _found(content: Table, name: str) -> tuple[Column, NDArray[np.float64]]:
    for index, column in enumerate(content.columns):
        if column.name == name:
            return column, content.X[:, index]
    message = f'column "{name}" is neither numbers nor dates that a split could go by'
    raise DataError(Diagnostic("split", message, ("split", "time")))  # only a time column has no default kind


def _wrong_cell(name: str, row: int, what: str, code: str, content: Table, source: TableSource) -> DataError:
    """Return the error about a cell, given by column name and table row, with its location in the files."""
    file_row = row if content.file_rows is None else int(content.file_rows[row])
    message = f'column "{name}": {what} in row {file_row + 1}'
    return source.refusal([Mistake(file_row, source.names.index(name), code, message)])


def _times(column: Column, cells: NDArray[np.float64], content: Table, source: TableSource) -> NDArray[np.float64]:
    if column.kind not in ("numeric", "datetime"):
        message = f'column "{column.name}" is {KINDS_IN_WORDS[column.kind]}; a split by time needs numbers or dates'
        hint = setting(column_key(column.name), DatetimeFormat(type="datetime", format="%d/%m/%Y").written())
        raise DataError(Diagnostic("split", message, ("split", "time"), hint=hint))
    if np.isnan(cells).any():
        first = int(np.isnan(cells).argmax())
        raise _wrong_cell(column.name, first, "the time is missing", "missing-cell", content, source)
    return cells


def below_each_other(parts: dict[str, Table]) -> Table:
    """Stack tables with the same columns, given by set name, into one table; `split_by` has the set of each row."""
    first, *_ = tables = list(parts.values())
    columns = []
    X = new_array((sum(len(table.X) for table in tables), len(first.columns)))
    for index, column in enumerate(first.columns):
        cells = [table.X[:, index] for table in tables]
        if column.texts is not None:
            own = [np.asarray(table.columns[index].texts) for table in tables]
            texts = np.unique(np.concatenate(own))
            positions = [np.append(np.searchsorted(texts, each).astype(np.float64), np.nan) for each in own]
            cells = [to[as_indices(each)] for to, each in zip(positions, cells, strict=True)]
            column = replace(column, texts=texts)
        columns.append(column)
        np.concatenate(cells, out=X[:, index])
    labels = [table.y for table in tables]
    if {y.dtype.kind for y in labels} == {"i", "U"}:
        labels = [y.astype(np.str_) for y in labels]
    weights = [np.ones(len(table.X)) if table.sample_weight is None else table.sample_weight for table in tables]
    return Table(
        X,
        np.concatenate(labels),
        first.target,
        sample_weight=None if first.sample_weight is None else np.concatenate(weights),
        teacher=None if first.teacher is None else np.concatenate([table.teacher for table in tables]),
        split_by=np.concatenate([np.full(len(table.X), name) for name, table in parts.items()]),
        columns=tuple(columns),
        kinds=first.kinds,
        warnings=first.warnings,
    )
