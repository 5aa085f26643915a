"""Facts about a table for a recipe: the kinds of its columns, and whether its target is classes or values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import ClassTarget, Target, ValueTarget, ignored_groups
from specnet.errors import DataError, Diagnostic
from specnet.files.plain_data import toml_text
from specnet.number_texts import are_years, counted
from specnet.parts.data import KINDS_IN_WORDS, Column, Kind, Notation, Table, TableFile, TargetKind
from specnet.parts.data.notations import LocalDatetime, NumberFormat
from specnet.parts.data.tables.kinds import RARE_TEXT, feature_hint
from specnet.parts.data.tables.setting_hints import column_key, longer, setting
from specnet.parts.layers import PiecewiseLinearEmbedding
from specnet.parts.preprocessing import Calendar, OneHot, TextVectors
from specnet.recipes.row_structure import RowStructure, row_structure
from specnet.recipes.text_columns import read_with_texts

FEWEST_ROWS = 10
"""Smallest number of rows; fewer cannot be split into test rows and five folds."""
MOST_NUMBERS, ROWS_TO_A_NUMBER = 20, 5
"""Integers are classes if they have at most MOST_NUMBERS distinct values, each in at least ROWS_TO_A_NUMBER rows."""
ROWS_WITH_DECIMALS = 10_000
"""Number of rows of a file that are searched for decimals in a column."""
MANY_NUMBERS = PiecewiseLinearEmbedding().bins
"""Number of distinct values of a column above which a very frequent value hides the differences of the rest."""
_INDEX_NAMES = r"Unnamed: [0-9.]+|__index_level_[0-9]+__|level_[0-9]+|index"
"""Names that pandas gives to an unnamed index when it reads or writes a file or turns the index into a column."""
_MOST_SHOWN, _LONGEST_SHOWN = 4, 50


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """Facts about a column.

    Attributes
    ----------
    name : str
    kind : str
    words : str
        Description of the cells for a comment.
    columns : int
        Number of columns after coding: one per sufficiently frequent category, several for dates and
        texts, else 1.
    notation : Notation or None
        Notation of the cells; None for plain numbers, dates or texts.
    numbers : int
        Number of distinct numbers; 0 for other kinds.
    is_spiked : bool
        Whether one of many distinct numbers fills at least a third of the cells.
    is_year : bool
        Whether all cells are dates of January 1, which have no cycles.
    """

    name: str
    kind: Kind
    words: str
    columns: int = 1
    notation: Notation | None = None
    numbers: int = 0
    is_spiked: bool = False
    is_year: bool = False


@dataclass(frozen=True, slots=True)
class TableFacts:
    """Facts about a table.

    Attributes
    ----------
    rows : int
        Number of rows that have a target.
    missing_targets : int
        Number of rows without a target.
    target : "classes" or "values"
    classes : int
        Number of distinct labels; 0 for values.
    columns : tuple of ColumnFacts
        All columns of the table, in its order.
    warnings : tuple of Diagnostic
    outputs : int
        Number of values to predict for a row, or of labels if a row may have several.
    structure : RowStructure
        Groups and times that the split respects.
    """

    rows: int
    missing_targets: int
    target: TargetKind
    classes: int
    columns: tuple[ColumnFacts, ...]
    warnings: tuple[Diagnostic, ...] = ()
    outputs: int = 1
    structure: RowStructure = field(default_factory=RowStructure)


def table_facts(data: TableFile, folder: Path, content: Table | None = None) -> TableFacts:
    """Return the facts that a recipe depends on, for the table in a file.

    Parameters
    ----------
    data : TableFile
        Description of the file. Several targets must all be values, or each true or false.
    folder : Path
        Folder to which the path of the file is relative.
    content : Table, optional
        Result of `read_with_texts`, if the table has already been read.

    Raises
    ------
    DataError, FileError
        If the table cannot be read, has too few rows or no usable features, or its target is unsuitable.
    """
    content, targets = content or read_with_texts(data, folder), data.targets
    indices = {column.name: index for index, column in enumerate(content.columns)}
    for target in targets:
        _refuse_target(data, target, content, indices)
    columns = [content.columns[indices[name]] for name in targets]
    cells = content.X[:, [indices[name] for name in targets]]
    present = ~np.isnan(cells).any(axis=1)
    rows = int(present.sum())
    if rows < FEWEST_ROWS:
        raise _error(data, "empty", f"only {counted(rows, 'row')} with a target; a recipe needs at least {FEWEST_ROWS}")
    row_indices, constants = _row_indices(data, content), _constants(data, content, present)
    if indices.keys() <= {*targets, *row_indices, *constants}:
        names = " and ".join(f'"{name}"' for name in targets)
        raise _error(data, "no-features", f"no usable columns besides {names}", feature_hint(content.warnings))
    distinct = [np.unique(each, return_counts=True) for each in cells[present].T]
    for target, (values, _) in zip(targets, distinct, strict=True):
        if len(values) == 1:
            raise _error(data, "target", f'the target "{target}" has the same value in all rows')
    if len(targets) == 1:
        is_classes = _are_classes(data, folder, columns[0], *distinct[0])
    else:
        is_classes = _are_labels(data, columns, [values for values, _ in distinct])
    described = {name: _described(content.columns[at], content.X[present, at]) for name, at in indices.items()}
    for name in row_indices:
        words = f"{described[name].words}: an index of the rows, no feature"
        described[name] = ColumnFacts(name, "ignore", words)
    for name, cell in constants.items():
        described[name] = ColumnFacts(name, "ignore", f"not used: {cell} in all rows")
    for name in content.kinds.keys() - described.keys():
        ignored = _warning(content, name, "other-notation", "ignored-column")
        why = ignored.message.partition(" is ignored: ")[2] if ignored else "empty"
        reason = "" if name in data.columns else f"not used: {why}"
        described[name] = ColumnFacts(name, "ignore", reason)
    not_features = {*targets, *row_indices, *constants}
    structure = _structure_of_file(data, folder, content, np.flatnonzero(present), is_classes, not_features)
    described |= _used_by_split(described, structure)
    described = {name: _with_assumption(facts, content) for name, facts in described.items()}
    doubts = [
        each for name, at in indices.items() for each in _perhaps_missing(data, content.columns[at], content.X[:, at])
    ]
    kind: Kind = "numeric" if not is_classes else "category" if len(targets) == 1 else "boolean"
    for target, column, (values, _) in zip(targets, columns, distinct, strict=True):
        if is_classes and column.notation is not None and column.notation.missing_values:
            raise _marked_classes(data, target, column.notation.missing_values)
        if is_classes and column.kind == "numeric" and len(values) > 2:
            doubts.append(_whole_classes(data, target, values))
        words = f"to predict: {len(values)} classes" if is_classes else f"to predict: {_range(column, values)}"
        described[target] = ColumnFacts(target, kind, words, notation=None if is_classes else column.notation)
    return TableFacts(
        rows,
        len(cells) - rows,
        "classes" if is_classes else "values",
        len(distinct[0][0]) if is_classes else 0,
        tuple(described[name] for name in content.kinds),
        (*content.warnings, *doubts),
        outputs=len(targets),
        structure=structure,
    )


def _structure_of_file(
    data: TableFile,
    folder: Path,
    content: Table,
    rows: NDArray[np.intp],
    is_classes: bool,
    not_features: set[str],
) -> RowStructure:
    """Return the structure of the given rows, of which columns that are no features say nothing.

    A column of texts that few rows share, which is ignored, may name groups.
    """
    names = {column.name: index for index, column in enumerate(content.columns)}
    used = [index for name, index in names.items() if name not in not_features]
    kinds = {name: kind for name, kind in content.kinds.items() if name not in data.columns}
    ignored = ignored_groups(data, folder, kinds, len(content.X))
    columns = [*(content.columns[index] for index in used), *(Column(name, "category") for name in ignored)]

    def cells(index: int) -> NDArray[np.float64]:
        column = content.X[:, used[index]] if index < len(used) else ignored[columns[index].name]
        return np.asarray(column[rows], np.float64)

    y = content.X[:, [names[name] for name in data.targets]]
    return row_structure(columns, cells, _targets(y[rows], is_classes))


def _targets(y: NDArray[Any], is_classes: bool) -> list[Target]:
    """Return each column of a target, (rows, outputs)."""
    if is_classes:
        return [ClassTarget(np.unique(column, return_inverse=True)[1]) for column in y.T]
    return [ValueTarget(column.astype(np.float64)) for column in y.T]


def _used_by_split(described: Mapping[str, ColumnFacts], structure: RowStructure) -> dict[str, ColumnFacts]:
    """Return the facts about columns whose use the split changes, by name."""
    found = {}
    for name, facts in described.items():
        if words := structure.words(name):
            if name == structure.time:
                found[name] = replace(facts, words=f"{facts.words}; {words}")
            elif name in structure.further_names:
                found[name] = replace(facts, kind="ignore", words=words)
            else:  # a column that the split goes by cannot be ignored, and its texts are names
                is_name = facts.kind in ("ignore", "text")
                found[name] = replace(facts, kind="category" if is_name else facts.kind, words=words)
    return found


def _refuse_target(data: TableFile, target: str, content: Table, indices: Mapping[str, int]) -> None:
    """Raise an error for a target that is neither numbers nor labels."""
    unclear = _warning(content, target, "other-notation")
    if unclear is not None:
        raise _unusable(data, target, f"unclear: {unclear.message.partition(': ')[2]}", unclear.hint)
    if target not in indices:
        raise _unusable(data, target, f"{RARE_TEXT}, or empty")
    if content.columns[indices[target]].kind == "datetime":
        raise _unusable(data, target, "dates")


def _are_classes(
    data: TableFile, folder: Path, column: Column, values: NDArray[np.float64], counts: NDArray[np.intp]
) -> bool:
    """Return whether a single target is classes: not numeric, or a few repeated integers written without decimals."""
    if column.kind != "numeric" or column.name in data.columns:
        return column.kind != "numeric"
    repeat = len(values) <= MOST_NUMBERS and counts.min() >= ROWS_TO_A_NUMBER and (values == np.floor(values)).all()
    return bool(repeat) and not _has_decimals(data, folder, column.name)


def _has_decimals(data: TableFile, folder: Path, name: str) -> bool:
    """Return whether a text file writes numbers of a column as 5.0, as data frames do for integers with gaps."""
    first = next(data.read_cells(folder, [name], ROWS_WITH_DECIMALS))[name]
    texts = first.texts if first.type == "VARCHAR" else ()
    return any(re.fullmatch(r"[+-]?[0-9]+[.,][0-9]*", str(text).strip()) for text in texts)


def _are_labels(data: TableFile, columns: Sequence[Column], values: Sequence[NDArray[np.float64]]) -> bool:
    """Return True if several targets are each true or false, and False if all are values.

    Raises
    ------
    DataError
        If the targets are neither.
    """
    pairs = zip(columns, values, strict=True)
    if all(
        column.kind == "boolean" or (column.kind == "numeric" and np.isin(each, (0, 1)).all()) for column, each in pairs
    ):
        return True
    other = next((column for column in columns if column.kind != "numeric"), None)
    if other is None:
        return False
    words = (
        f'several targets are all numbers, or each true or false, but "{other.name}" is {KINDS_IN_WORDS[other.kind]}'
    )
    raise _error(data, "target", words, "use one --target, and a spec for each")


def _whole_classes(data: TableFile, target: str, values: NDArray[np.float64]) -> Diagnostic:
    """Return the warning that a target of integers is interpreted as classes."""
    message = f'the target "{target}" is {len(values)} classes, the whole numbers {values[0]:.0f} to {values[-1]:.0f}'
    hint = f"to predict values, {setting(column_key(target), toml_text('numeric'))}"
    return Diagnostic("whole-classes", message, source=str(data.path), hint=hint)


def array_facts(
    X: NDArray[np.float64], columns: Sequence[Column], y: NDArray[Any], targets: Sequence[str], kind: TargetKind
) -> TableFacts:
    """Return the facts that a recipe depends on, for validated arrays.

    Parameters
    ----------
    X : ndarray (rows, columns)
        Features, with NaN for missing cells.
    columns : sequence of Column
        Descriptions of the columns of X.
    y : ndarray (rows,) or (rows, outputs)
        For classes labels, or 0 and 1 for each of several labels; otherwise numbers.
    targets : sequence of str
        Names of the columns of y in the recipe, different from those of X.
    kind : "classes" or "values"

    Raises
    ------
    DataError
        If there are too few rows or only one class.
    """
    labels = [np.unique(column, return_counts=True)[1] for column in np.atleast_2d(y.T)] if kind == "classes" else []
    if len(labels) == 1 and len(labels[0]) == 1:
        raise DataError("y has only one class in the rows that count; a recipe needs at least two")
    if len(X) < FEWEST_ROWS:
        raise DataError(f"X has n_samples={len(X)}; a recipe needs at least {FEWEST_ROWS} rows")
    facts = {column.name: _described(column, X[:, index]) for index, column in enumerate(columns)}
    structure = RowStructure()
    if any(column.kind in ("category", "datetime") for column in columns):  # numbers alone have no telling names
        structure = row_structure(
            columns, lambda index: X[:, index], _targets(y.reshape(len(y), -1), kind == "classes")
        )
    described = [*(facts | _used_by_split(facts, structure)).values()]
    written: Kind = "numeric" if kind == "values" else "category" if len(targets) == 1 else "boolean"
    described += [ColumnFacts(target, written, "to predict") for target in targets]
    return TableFacts(
        len(X),
        0,
        kind,
        max((len(counts) for counts in labels), default=0),
        tuple(described),
        outputs=1 if y.ndim == 1 else y.shape[1],
        structure=structure,
    )


def _row_indices(data: TableFile, content: Table) -> set[str]:
    """Return the names of columns that are row indices of a data frame, which are not features.

    Such a column has no name or a default name of pandas, and a different integer in each row. Columns whose kind the
    spec sets are skipped.
    """
    numbered = [name for name in content.kinds if re.fullmatch("column_[0-9]+", name)]
    # If several columns have no name, or the file has no header, they are ordinary columns.
    unnamed = set(numbered) if len(numbered) == 1 and getattr(data, "header", True) else set[str]()
    found = set()
    for index, column in enumerate(content.columns):
        is_named_so = column.name in unnamed or re.fullmatch(_INDEX_NAMES, column.name)
        if is_named_so and column.kind == "numeric" and column.name not in (*data.targets, *data.columns):
            cells = content.X[:, index]
            if (cells == np.floor(cells)).all() and len(np.unique(cells)) == len(cells):
                found.add(column.name)
    return found


def _constants(data: TableFile, content: Table, rows: NDArray[np.bool_]) -> dict[str, str]:
    """Return the columns that have the same cell in all selected rows, with this cell as text.

    Columns whose kind the spec sets are skipped.
    """
    found = {}
    for index, column in enumerate(content.columns):
        cells = content.X[rows, index]
        if column.name not in (*data.targets, *data.columns) and len(cells) and (cells == cells[0]).all():
            text = column.cell_text(cells[0])
            found[column.name] = text if text.isprintable() and len(text) <= _LONGEST_SHOWN else "one text"
    return found


def _described(column: Column, cells: NDArray[np.float64]) -> ColumnFacts:
    present = cells[~np.isnan(cells)]
    missing = len(cells) - len(present)
    words, columns, numbers, is_spiked, is_year = [], 1, 0, False, False
    if column.kind == "text":
        assert column.texts is not None, "a column of texts"
        columns = TextVectors().size
        words.append(f"{counted(len(column.texts), 'text')} of words")
    elif column.texts is not None:
        counts = np.bincount(present.astype(np.intp), minlength=len(column.texts))
        columns = int((counts >= OneHot().minimum_count).sum()) + (missing > 0)
        shown = ", ".join(column.texts.tolist())
        fits = len(column.texts) <= _MOST_SHOWN and len(shown) <= _LONGEST_SHOWN and shown.isprintable()
        words.append(shown if fits else f"{len(column.texts)} categories")
    elif len(present) and column.kind != "boolean":
        words.append(_range(column, present))
        is_year = column.kind == "datetime" and are_years(np.unique(present).tolist())
        if column.kind == "datetime" and not is_year:
            (columns,) = Calendar().fit(present[:, np.newaxis])[0].counts or (1,)
        counts = np.unique(present, return_counts=True)[1]
        numbers = len(counts) if column.kind == "numeric" else 0
        is_spiked = len(counts) > MANY_NUMBERS and bool(counts.max() >= len(present) / 3)
    if missing:
        words.append(f"{missing} missing")
    notation = None if isinstance(column.notation, LocalDatetime) else column.notation  # runs detect it themselves
    return ColumnFacts(column.name, column.kind, "; ".join(words), columns, notation, numbers, is_spiked, is_year)


def _range(column: Column, present: NDArray[np.float64]) -> str:
    least, largest = float(present.min()), float(present.max())
    if column.kind != "datetime":
        return f"{least:.6g} to {largest:.6g}"
    days = np.floor([least, largest]).astype(np.int64).astype("datetime64[D]")
    return f"{days[0]} to {days[1]}"


def _warning(content: Table, name: str, *codes: str) -> Diagnostic | None:
    """Return the first warning about a column that has one of the codes, or None."""
    return next((each for each in content.warnings if each.table_column == name and each.code in codes), None)


def _with_assumption(facts: ColumnFacts, content: Table) -> ColumnFacts:
    """Return the facts about a column, with the assumption made when reading it added to their words."""
    assumed = _warning(content, facts.name, "assumed-notation")
    text = assumed and assumed.message.removeprefix(f'column "{facts.name}": ')
    return replace(facts, words=f"{facts.words}; {text}") if text else facts


def _perhaps_missing(data: TableFile, column: Column, cells: NDArray[np.float64]) -> Iterator[Diagnostic]:
    """Yield a warning if the extreme of a column is an outlier such as -999, which often marks missing values."""
    present = cells[~np.isnan(cells)]
    for end in ("min", "max"):
        if column.kind != "numeric" or column.name in data.columns or len(present) < FEWEST_ROWS:
            return
        value = float(getattr(present, end)())
        others = present[present != value]
        least, largest = (float(others.min()), float(others.max())) if len(others) else (value, value)
        distance = max(least - value, value - largest)
        if re.fullmatch("-?99+", f"{value:.0f}") and float(f"{value:.0f}") == value and distance > largest - least > 0:
            rows = counted(len(present) - len(others), "row")
            message = (
                f'column "{column.name}": {value:.0f} in {rows} is far from the others, {least:.6g} to {largest:.6g}'
            )
            plain = NumberFormat(type="numeric", decimal=getattr(data, "decimal", None) or ".")
            marked = (column.notation or plain).with_missing([f"{value:.0f}"])
            hint = f"if it means a missing value, {setting(column_key(column.name), marked.written())}"
            yield Diagnostic("perhaps-missing", message, source=str(data.path), hint=hint)
            present = others


def _marked_classes(data: TableFile, target: str, markers: Sequence[str]) -> DataError:
    """Return the error for a target of classes with texts that perhaps mark missing values."""
    known = getattr(data, "missing_values", ())
    hint = longer("missing_values", known, markers) if known else "leave such rows out of the file"
    return _error(
        data,
        "target",
        f'the target "{target}" is numbers beside {" and ".join(map(toml_text, markers))}',
        hint,
    )


def _unusable(data: TableFile, target: str, what: str, hint: str | None = None) -> DataError:
    hint = hint or "choose a target of numbers, true and false, or labels that repeat"
    return _error(data, "target", f'the target "{target}" is {what}', hint)


def _error(data: TableFile, code: str, message: str, hint: str | None = None) -> DataError:
    assert isinstance(data.path, str), "one file"
    return DataError(Diagnostic(code, message, source=data.path, hint=hint))
