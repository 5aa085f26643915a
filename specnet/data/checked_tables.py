"""Loading and checking of rows for training and prediction; errors point to the location in the spec or the file.

Cells that become too large for a network after preprocessing are also errors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from specnet.data.labels import check_labels
from specnet.data.preparation import Preparation, RawTable, StepGroup
from specnet.data.raw_columns import RawColumns, raw_columns
from specnet.data.target_errors import is_number, is_text, text_for_numbers
from specnet.errors import DataError, Diagnostic
from specnet.errors import Path as Keys
from specnet.parts import data as data_parts  # most of whose names are imported when they are used
from specnet.parts.arrays import (
    FLOAT64,
    Array,
    as_dtype,
    as_numbers,
    check_inputs,
    check_target_axes,
    check_weights,
    first_few,
    pieces,
)
from specnet.parts.data import Data, Table, TargetKind
from specnet.spec import Resolved, Spec


class LargeCell(NamedTuple):
    """A raw cell: its row and column, from 0, and its number."""

    row: int
    column: int
    number: float


def large_rows(preparation: Preparation, columns: RawTable, dtype: np.dtype[np.floating]) -> NDArray[np.bool_]:
    """Return a mask of raw rows with prepared numbers that are not finite in a data type, except missing cells."""
    found = np.zeros(len(columns), np.bool_)
    for piece in pieces(columns):
        for _, _, large in _prepared(preparation, columns[piece], dtype):
            found[piece] |= large.any(axis=1)
    return found


def first_large_cell(preparation: Preparation, columns: RawTable, dtype: np.dtype[np.floating]) -> LargeCell | None:
    """Return the first cell that `large_rows` would report, or None; the largest one if several become one column."""
    for piece in pieces(columns):
        for indices, raw, large in _prepared(preparation, columns[piece], dtype):
            if large.any():
                row = int(large.any(axis=1).argmax())
                own = large[row] if large.shape == raw.shape else np.nan_to_num(np.abs(raw[row]))
                column = int(own.argmax())
                return LargeCell(piece.start + row, indices[column], float(raw[row, column]))
    return None


def largest_cell(columns: RawTable, indices: Sequence[int]) -> LargeCell:
    """Return the cell with the largest absolute number in the given raw columns."""
    found = LargeCell(0, indices[0], 0.0)
    for piece in pieces(columns):
        numbers = np.nan_to_num(columns[piece][:, indices].astype(np.float64))
        row, index = divmod(int(np.abs(numbers).argmax()), len(indices))
        if abs(numbers[row, index]) > abs(found.number):
            found = LargeCell(piece.start + row, indices[index], float(numbers[row, index]))
    return found


def large_cell_problem(cell: LargeCell, name: str, data: Data | None, folder: Path) -> Diagnostic | None:
    """Return the diagnostic for a cell of a named column, with its location in the files; None without files."""
    if not isinstance(data, data_parts.TableFile):
        return None
    message = f'column "{name}": {cell.number:g} is too large for the network'
    hint = 'correct it, or begin network.preprocessing with "quantile"'
    return data.cell_problem(folder, name, cell.number, message, hint)


def _prepared(
    preparation: Preparation, rows: Array, dtype: np.dtype[np.floating]
) -> Iterator[tuple[tuple[int, ...], Array, NDArray[np.bool_]]]:
    """Yield for each group of numeric columns the indices, the raw columns, and a mask of not finite results."""
    for group in preparation.groups or (StepGroup(None, ()),):
        if group.steps and group.steps[0].reads_texts:
            continue
        indices = tuple(group.among(rows.shape[1]))
        raw = rows[:, indices].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            made = np.asarray(group.apply(rows.astype(np.float64)))
            is_finite = np.isfinite(made.astype(dtype))
        yield indices, raw, ~is_finite & ~(np.isnan(made) & np.isnan(raw).any(axis=1, keepdims=True))


PathLike = str | os.PathLike[str]
AnyData = TypeVar("AnyData", bound=Data)

MOST_LABELS = 6
"""The largest number of a model's labels in a message."""
_CELL = "correct the cell, or leave it empty"
_HINTS_WITHOUT_SPEC = {
    **dict.fromkeys(("not-a-number", "not-a-boolean", "not-a-datetime", "too-large"), _CELL),
    "missing-target": "fill it in, or remove the row",
    "missing-header": "begin the file with the names of its columns",
}
"""Replacements, by diagnostic code, of hints that name a key of a spec."""


def load_table(spec: Spec) -> Table:
    """Make or read the rows that a spec's data part describes.

    Parameters
    ----------
    spec : Spec

    Returns
    -------
    Table
        X is float64 (rows, columns), with NaN for missing cells where the table has columns. y is int64 or text (rows,)
        for classes, float64 (rows, outputs) for one-hot rows and for several numbers 0 and 1 per row, and float64
        (rows,) or (rows, outputs) for values.

    Raises
    ------
    SpecError
        If the spec has no data.
    DataError
        If the rows cannot be made or read; errors caused by a field of the spec point to it.
    FileError
        If a file cannot be read.
    """
    data, target = spec.data, spec.target_kind
    if data is None:
        hint = 'add [data] with a type, such as "csv"; `specnet new --data FILE --target NAME` writes it for a table'
        raise spec.error("missing-key", "a run needs data", (), hint=hint)
    whole: Keys = ("data",) if data.source_field is None else ("data", data.source_field)
    try:
        return check_table(data.with_defaults(spec.seed, target).load(spec.folder, target))
    except MemoryError:
        raise DataError(spec.diagnostic("too-large", "the rows do not fit into memory", whole)) from None
    except DataError as error:
        labels = _words_for_numbers(spec) if target == "values" else None
        if labels is not None:
            raise text_for_numbers(spec, labels) from None
        raise DataError(*(_placed(problem, spec, whole) for problem in error.diagnostics)) from None


def _words_for_numbers(spec: Spec) -> Array | None:
    """Return the target if it consists of texts instead of numbers and everything else is valid; otherwise None."""
    with suppress(DataError):
        assert spec.data is not None, "it has been read"
        y = np.asarray(spec.data.with_defaults(spec.seed, "classes").load(spec.folder, "classes").y)
        if is_text(y) and not any(map(is_number, y.flat)):
            return y
    return None


def read_inputs(path: PathLike, resolved: Resolved, encoding: str | None = None) -> RawColumns:
    """Return the rows of a file for prediction by a model.

    Parameters
    ----------
    path : str or path-like
        A ``.npz`` file with X, or, for a model with named columns, a CSV, Parquet or JSON lines file with these columns
        in any order; other columns are ignored.
    resolved : Resolved
        The model's spec.
    encoding : str, optional
        Of a CSV file; default: that of the spec.

    Returns
    -------
    RawColumns

    Raises
    ------
    DataError
        If the file lacks columns.
    FileError
        If it cannot be read.
    """
    source, spec = os.fspath(path), resolved.spec
    try:
        if (part := _features_of(source, spec, encoding)) is not None:
            found = part.read_features(Path())
            return RawColumns(found.X, found.columns)
        if not source.lower().endswith(".npz"):
            raise _unreadable(source, spec)
        X = data_parts.read_arrays(source, ("X",))["X"]
        return raw_columns(X, spec.feature_kinds, resolved.columns, spec.feature_names)
    except DataError as error:
        raise about_file(error, source) from None


def read_cells(
    path: PathLike, resolved: Resolved, names: Sequence[str], rows: int, encoding: str | None = None
) -> Iterator[dict[str, data_parts.ColumnCells]]:
    """Return an iterator over the original cells of a table's columns by name, for the rows of `read_inputs`.

    Each item has `rows` rows; the last one may have fewer.

    Raises
    ------
    DataError
        If the file is not a table, or lacks a column.
    FileError
        If it cannot be read.
    """
    source, spec = os.fspath(path), resolved.spec
    part = _features_of(source, spec, encoding)
    if part is None:
        raise _unreadable(source, spec)
    try:
        return part.read_cells(Path(), names, rows)
    except DataError as error:
        raise about_file(error, source) from None


def large_cell_in(
    path: PathLike,
    resolved: Resolved,
    raw: RawColumns,
    preparations: Sequence[Preparation],
    encoding: str | None = None,
) -> Diagnostic | None:
    """Return the diagnostic for the first cell that is too large for a model, with its location in the file.

    `preparations` are those of the model's networks. Return None if no cell is too large, or if the rows do not come
    from a table with column names.
    """
    source, spec = os.fspath(path), resolved.spec
    part = _features_of(source, spec, encoding) if raw.kinds else None
    dtype = np.dtype(spec.network.dtype)
    cells = (first_large_cell(each, raw.X, dtype) for each in preparations)
    cell = None if part is None else next((cell for cell in cells if cell is not None), None)
    if part is None or cell is None:
        return None
    problem = large_cell_problem(cell, raw.kinds[cell.column].name, part, Path())
    return None if problem is None else about_file(DataError(problem), source).diagnostics[0]


def _features_of(source: str, spec: Spec, encoding: str | None) -> data_parts.TableFile | None:
    """Return the part that reads a model's columns from a table; None if the columns have no names.

    Columns without kinds in the spec are read as numbers.
    """
    table = data_parts.table_file_type(source)
    if table is None or spec.feature_names is None:
        return None
    part = spec.data.for_file(source) if spec.data is not None else None
    if isinstance(part, data_parts.TableFile):
        return _encoded(part, encoding)
    unnamed = "target"
    while unnamed in spec.feature_names:
        unnamed += "_"
    kinds = spec.feature_kinds or dict.fromkeys(spec.feature_names, "numeric")
    # The target is not read.
    return _encoded(table(path=source, target=unnamed, features=spec.feature_names, columns=kinds), encoding)


def _encoded(part: AnyData, encoding: str | None) -> AnyData:
    """Return a data part with the given encoding if it reads CSV files and the encoding is not None."""
    if encoding is None or not isinstance(part, data_parts.Csv):
        return part
    return part.model_copy(update={"encoding": encoding})


def read_table(path: PathLike, resolved: Resolved, labels: Array | None = None, encoding: str | None = None) -> Table:
    """Return the rows of a file for the evaluation of a model.

    Parameters
    ----------
    path : str or path-like
        A ``.npz`` file with X, y and optionally sample_weight, or a CSV, Parquet or JSON lines file with the model's
        columns and target.
    resolved : Resolved
        The model's spec.
    labels : ndarray (classes,) or None
        Labels of the model. If they are text, labels in a table are read as text.
    encoding : str, optional
        Of a CSV file; default: that of the spec.

    Returns
    -------
    Table
        As `load_table` returns it.

    Raises
    ------
    DataError
        If the file lacks columns or the target.
    FileError
        If it cannot be read.
    """
    source, part = os.fspath(path), table_part(path, resolved, encoding)
    try:
        table = check_table(part.load(Path(), resolved.spec.target_kind))
        if not table.columns:
            spec = resolved.spec
            raw_columns(table.X, spec.feature_kinds, resolved.columns, spec.feature_names)  # refuses other columns
    except DataError as error:
        raise about_file(error, source) from None
    if labels is None:
        return table
    y = part.labels_like(table.y, labels)
    if y.ndim == 1 and y.dtype.kind == labels.dtype.kind:
        _refuse_unknown_labels(y, labels, source)
    return replace(table, y=y)


def _refuse_unknown_labels(y: Array, labels: Array, source: str) -> None:
    unknown = y[~np.isin(y, labels)]
    if len(unknown):
        message = f"{len(unknown)} of {len(y)} rows have a label that the model does not know, the first {unknown[0]}"
        hint = f"expected {first_few(labels, MOST_LABELS)}"
        raise DataError(Diagnostic("unknown-label", message, source=source, hint=hint))


def table_part(path: PathLike, resolved: Resolved, encoding: str | None = None) -> Data:
    """Return the data part that reads a file as the spec's data part would; parameters as for `read_table`.

    Raises
    ------
    DataError
        If it is no file of rows that the model can read.
    """
    source, spec = os.fspath(path), resolved.spec
    if source.lower().endswith(".npz"):
        data_parts.refuse_bytes(source, source)
        return data_parts.Npz(path=source)
    part = spec.data.for_file(source) if spec.data is not None else None
    if part is None:
        raise _unreadable(source, spec)
    return _encoded(part, encoding)


def _unreadable(source: str, spec: Spec) -> DataError:
    """Return the error for a file that the model of a spec cannot read."""
    if data_parts.table_file_type(source) is None:
        message, hint = data_parts.not_a_table(source, ".npz")
        return DataError(message, source=source, hint=hint)
    missing = "columns are" if spec.feature_names is None else "target is"
    message = f"the model's {missing} unnamed; it was not trained on a table with names"
    return DataError(message, source=source, hint="use a .npz file with X, and y if needed")


def check_table(table: Table) -> Table:
    """Return a checked table: X is float64, and y has labels or float64.

    In a table with `columns`, whose cells are already checked, NaN is a missing cell.

    Raises
    ------
    DataError
        If X or y holds anything else, or their numbers of rows differ.
    """
    X = table.X if table.columns else as_dtype(check_inputs(table.X, None), FLOAT64, "X")
    y = np.asarray(table.y)
    check_target_axes(y, len(X))
    weight = check_weights(table.sample_weight, len(X))
    return replace(table, X=X, y=table_target(y, table.target), sample_weight=weight)


def table_target(y: Array, target: TargetKind) -> Array:
    """Return a checked target: int64 or text for classes, else float64.

    Raises
    ------
    DataError
        If it holds anything else.
    """
    if target == "classes" and (y.ndim == 1 or y.shape[1] == 1):
        return check_labels(y)
    return as_dtype(as_numbers(y, "y"), FLOAT64, "y")


def _placed(problem: Diagnostic, spec: Spec, whole: Keys) -> Diagnostic:
    """Return a diagnostic with its location in the spec, unless it already has a location in a file."""
    if problem.source is not None:
        return problem
    path = ("data", *problem.path) if problem.path else whole
    return spec.diagnostic(problem.code, problem.message, path, hint=problem.hint)


def about_file(error: DataError, source: str) -> DataError:
    """Return a copy of an error that names a file as its source; its hints mention no settings of a spec."""

    def hint(each: Diagnostic) -> str | None:
        if each.code == "unknown-column" and each.path[:1] == ("target",):
            return f"{each.hint}; rows without the target can be predicted: `specnet predict`"
        return _HINTS_WITHOUT_SPEC.get(each.code, each.hint)

    return DataError(
        *(replace(each, source=each.source or source, path=(), hint=hint(each)) for each in error.diagnostics)
    )
