"""Data sources that read tables with named columns from files. Paths are relative to the spec's folder.

The loss of the spec, not the file, decides whether the target is labels or numbers.
"""

from __future__ import annotations

import codecs
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints

from specnet.errors import DataError, Diagnostic
from specnet.files.plain_data import toml_value
from specnet.parts.arrays import RowView
from specnet.parts.data.base import Data, DataSizes, Split, Table, TargetKind
from specnet.parts.data.column_kinds import ColumnKind, kind_of
from specnet.parts.data.notations import BooleanWords, notations_of
from specnet.parts.data.tables.cells import number, trimmed
from specnet.parts.data.tables.csv_files import CsvSource
from specnet.parts.data.tables.faults import Dialect
from specnet.parts.data.tables.json_files import JsonLinesSource
from specnet.parts.data.tables.parquet_files import ParquetSource
from specnet.parts.data.tables.roles import Roles, below_each_other
from specnet.parts.data.tables.setting_hints import how_to_convert, setting
from specnet.parts.data.tables.sources import ColumnCells, Mistake, TableSource, matching, refuse_bytes, unknown_columns
from specnet.parts.data.tables.table import TableReader
from specnet.parts.fields import ColumnName, ColumnNames, FilePaths, NonNegativeInteger, OneOrSeveralNames
from specnet.parts.part import FieldProblem, named_twice
from specnet.parts.splits import PARTS, TRAIN

MAX_LISTED = 12
"""Maximum number of features that a hint lists."""
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")


class TableFile(Data):
    """Files of a table whose columns have names: features of several kinds, and a target."""

    source_field = "path"
    suffixes: ClassVar[tuple[str, ...]]
    """The suffixes of these files; ``.gz`` may follow."""

    path: FilePaths = Field(
        description="path of the file, relative to the spec; also a pattern such as data/*.csv, or a list"
    )
    target: OneOrSeveralNames = Field(description="name of the column to predict, or a list of several")
    features: ColumnNames | None = Field(None, description="names of the input columns; default: all others")
    columns: dict[ColumnName, ColumnKind] = Field(
        default_factory=dict,
        description="kinds of columns by name: numeric, boolean, datetime, category, text or ignore, or a table with "
        "the notation of dates or numbers; others are judged by all their cells; where the target is listed, all "
        "must be",
    )
    missing_target: Literal["error", "drop"] = Field("error", description="what to do about rows without a target")
    sample_weight: ColumnName | None = Field(None, description="name of a column with the weight of each row")
    teacher_columns: ColumnNames | None = Field(
        None,
        description="names of columns with predictions of another model, which replace the targets: the probability of "
        "each class in ascending order, or the value of each target; cross-validated for training rows",
    )

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the columns to predict."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def target_words(self) -> dict[str, tuple[str, str]]:
        """The words for false and true in each target column that has such words, by column name."""
        kinds = ((name, self.columns.get(name)) for name in self.targets)
        return {name: kind.words for name, kind in kinds if isinstance(kind, BooleanWords)}

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        if self.features is not None or self.column_kinds is None:
            return self.features
        return tuple(self.kinds_in(list(self.columns)))

    def kinds_in(self, names: Sequence[str]) -> dict[str, ColumnKind | None]:
        """Return the features among a data frame's column names, each with its kind, or None if none is specified."""
        left_out = {
            *self.targets,
            *self._roles.names,
            *(name for name, kind in self.columns.items() if kind == "ignore"),
        }
        features = [name for name in names if name not in left_out] if self.features is None else self.features
        return {name: self.columns.get(name) for name in features}

    @property
    def column_kinds(self) -> Mapping[str, ColumnKind] | None:
        return self.columns if self.columns.keys() >= {*self.targets} else None

    @property
    def _roles(self) -> Roles:
        return Roles(self.split, self.sample_weight, self.teacher_columns or ())

    @property
    def has_teacher(self) -> bool:
        return self.teacher_columns is not None

    def sizes(self) -> DataSizes:
        names = self.feature_names
        return DataSizes(inputs=len(names) if names else None, outputs=len(self.targets))

    def load(self, folder: Path, target: TargetKind) -> Table:
        table = self._load(folder, target)
        parts = {TRAIN: table}
        for part in PARTS[1:]:
            path = getattr(self.split, part)
            if path is None:
                continue
            other = self.with_columns(table)._for_file(path, self.teacher_columns)
            if other is None:
                message, hint = not_a_table(path)
                raise DataError(Diagnostic("data", f'"{path}" is not a table; {message}', ("split", part), hint=hint))
            try:
                parts[part] = other._load(folder, target)
            except DataError as error:
                problems = (each if each.source else replace(each, path=("split", part)) for each in error.diagnostics)
                raise DataError(*problems) from None
        return table if len(parts) == 1 else below_each_other(parts)

    def _load(self, folder: Path, target: TargetKind) -> Table:
        source, roles = self._source(folder), self._roles
        found = self._read(source, self.targets, target == "classes")
        others = {*roles.names}.difference(self.features or ())
        indices = [index for index, column in enumerate(found.columns) if column.name not in others]
        are_all = len(indices) == len(found.columns)
        return replace(
            found,
            warnings=(*found.warnings, *self._left_out(found, indices, source)),
            X=found.X if are_all else np.asarray(RowView(found.X, None, tuple(indices))),
            sample_weight=roles.weights(found, source),
            teacher=roles.predictions(found, source),
            split_by=roles.split_by(found, source),
            columns=tuple(found.columns[index] for index in indices),
        )

    def _left_out(self, found: Table, indices: Sequence[int], source: TableSource) -> Iterator[Diagnostic]:
        """Yield the warning about a time column that is not a feature because the split uses it.

        Raises
        ------
        DataError
            If no feature remains.
        """
        paths, time = self._roles.paths, self.split.time
        if self.features is not None or not paths:
            return
        used = [column.name for column in found.columns if column.name in paths]
        if not indices:
            named = ", ".join(f'"{name}" ({".".join(map(str, paths[name]))})' for name in used)
            hint = f"to use it as a feature too, {setting('features', toml_value(used))}"
            raise DataError(
                Diagnostic("no-features", f"no features are left beside {named}", paths[used[0]], hint=hint)
            )
        if time is not None:
            names = [column.name for column in found.columns if column.name == time or column.name not in paths]
            listed = setting("features", toml_value(names)) if len(names) <= MAX_LISTED else "list all in data.features"
            message, hint = f'column "{time}" is ignored: the split goes by it', f"to use it as a feature too, {listed}"
            yield Diagnostic("ignored-column", message, source=source.paths[0], hint=hint)

    def read_features(self, folder: Path) -> Table:
        """Return a table of the features without a target; the files need no target column.

        Raises
        ------
        DataError, FileError
            As in `load`.
        """
        return self._read(self._source(folder), (), False)

    def read_cells(self, folder: Path, names: Sequence[str], rows: int) -> Iterator[dict[str, ColumnCells]]:
        """Return an iterator of named columns, unchanged from the files, over `rows` rows at a time.

        Raises
        ------
        DataError, FileError
            If a column is missing, or the files cannot be read.
        """
        return self._with(names, folder).cells(names, rows)

    def read_lines(
        self, folder: Path, names: Sequence[str]
    ) -> tuple[list[tuple[str, int | None]], dict[str, list[str | None]]]:
        """Return for each row its file and its line, None if the file has no lines, and the cells of named columns.

        Raises
        ------
        DataError, FileError
            As in `read_cells`.
        """
        source = self._with(names, folder)
        indices = [source.names.index(name) for name in names] or [0]
        with closing(source.cell_rows(indices)) as rows:
            found = list(rows)
        columns = zip(names, zip(*found, strict=True), strict=False) if found else ()
        return list(islice(source.row_lines(), len(found))), {name: list(cells) for name, cells in columns}

    def cell_problem(self, folder: Path, name: str, value: float, message: str, hint: str) -> Diagnostic | None:
        """Return a diagnostic at the first cell of a column that means the number `value`, or None if no cell does."""
        paths = (path for path in (self.split.validation, self.split.test) if path is not None)
        for part in (self, *filter(None, map(self.for_file, paths))):
            source = part._source(folder)
            index = source.names.index(name)
            with closing(source.cell_rows([index])) as rows:
                for row, (cell,) in enumerate(rows):
                    if value in _numbers(trimmed(str(cell)), self.columns.get(name), source.decimal):
                        return source.located([Mistake(row, index, "too-large", message, hint)])[0]
        return None

    def read_all(self, folder: Path) -> Table:
        """Return a table of all columns, including the target; a kind that is not specified is judged by the cells.

        Raises
        ------
        DataError, FileError
            As in `load`.
        """
        source = self._with(self.targets, folder)
        return TableReader(source, None, specified=self.columns, predicted=self.targets).read()

    def with_target(self, content: Table, target: TargetKind, folder: Path = Path()) -> Table:
        """Return a table of `read_all` in the form that `load` returns, without rows whose target is missing.

        Labels are integers; labels that are texts are replaced by the indices of their texts. If the split goes by a
        column that `read_all` ignores, such as groups of few rows each, the file is read again.
        """
        indices = {column.name: index for index, column in enumerate(content.columns)}
        if self.split.group is not None and self.split.group not in indices:
            return self.load(folder, target)
        y = content.X[:, [indices[name] for name in self.targets]]
        rows = np.flatnonzero(~np.isnan(y).any(axis=1))
        y = y[rows, 0] if len(self.targets) == 1 else y[rows]
        has_labels = target == "classes" and y.ndim == 1
        specified = self.kinds_in(list(indices))
        roles = self._roles
        known = {*specified, *self.targets, *roles.names}
        kinds = {name: kind if name in known else "ignore" for name, kind in content.kinds.items()}
        if target == "classes":
            kinds |= dict.fromkeys(self.targets, "category" if has_labels else "boolean")
        features = [indices[name] for name in specified]
        split_by = roles.split_by(content, self._source(folder)) if roles.split.by_column is not None else None
        return Table(
            np.asarray(RowView(content.X, rows, tuple(features))),
            y.astype(np.int64) if has_labels else y,
            target,
            split_by=None if split_by is None else split_by[rows],
            columns=tuple(content.columns[index] for index in features),
            kinds=kinds,
        )

    def _with(self, names: Sequence[str], folder: Path) -> TableSource:
        """Return the source of the files after checking that it has the named columns."""
        source = self._source(folder)
        if missing := [name for name in names if name not in source.names]:
            raise DataError(unknown_columns(source, missing))
        return source

    def _source(self, folder: Path) -> TableSource:
        return self.source(matching(folder, self.path))

    def _read(self, source: TableSource, targets: tuple[str, ...], labels: bool) -> Table:
        features, roles = self.features if targets else self.feature_names, self._roles
        if targets:
            roles.refuse_unknown(source)
            kinds = roles.kinds() | self.columns
            features = None if features is None else tuple(dict.fromkeys((*features, *roles.names)))
        else:
            unread = self.targets if features is None else self.columns.keys() - features
            kinds = {name: kind for name, kind in self.columns.items() if name not in unread}
        drops = self.missing_target == "drop"
        return TableReader(source, features, targets, kinds, labels=labels, drops=drops).read()

    @abstractmethod
    def source(self, paths: list[str]) -> TableSource:
        """Return the source that reads the files at the given paths."""

    def with_columns(self, table: Table) -> Self:
        return self.model_copy(update={"columns": dict(table.kinds)})

    def for_file(self, path: str) -> TableFile | None:
        return self._for_file(path, None)

    def _for_file(self, path: str, teacher: tuple[str, ...] | None) -> TableFile | None:
        """Return a part as `for_file` does, which also reads the columns of a teacher."""
        part = table_file_type(path)
        if part is None:
            return None
        names = self.feature_names
        used = {*(names or ()), *self.targets, self.sample_weight, *(teacher or ())}
        # A model without column kinds has numeric features only.
        kinds: dict[str, ColumnKind] = dict.fromkeys(names or (), "numeric")
        kinds |= {name: kind for name, kind in self.columns.items() if name in used}
        changed = {"path": path, "features": names, "columns": kinds, "split": Split(), "teacher_columns": teacher}
        if isinstance(self, part):
            return self.model_copy(update=changed)
        same = {name: getattr(self, name) for name in ("target", "missing_target", "sample_weight")}
        return part(path=path, **same).model_copy(update=changed)

    def labels_like(self, y: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
        return y.astype(np.str_) if labels.dtype.kind == "U" else y

    def handed_on(self) -> Self:
        path = self.path
        names = Path(path).name if isinstance(path, str) else tuple(Path(each).name for each in path)
        return self.model_copy(update={"path": names})

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        targets = self.targets
        yield from named_twice("target", targets)
        for index, name in enumerate(self.features or ()):
            if name in targets:
                yield FieldProblem(("features", index), f'"{name}" is the target and cannot also be a feature')
            elif self.columns.get(name) == "ignore":
                yield FieldProblem(("features", index), f'"{name}" is to be ignored and cannot also be a feature')
        yield from named_twice("features", self.features or ())
        yield from named_twice("teacher_columns", self.teacher_columns or ())
        roles = [("split", self.split.by_column), ("sample_weight", self.sample_weight)]
        for field, role in (*roles, *(("teacher_columns", name) for name in self.teacher_columns or ())):
            if role is not None and role in targets:
                yield FieldProblem((field,), f'"{role}" is the target and cannot be used here')
            elif role is not None and self.columns.get(role) == "ignore":
                yield FieldProblem(("columns", role), f'"{role}" is used by {field} and cannot be ignored')
        for name in targets:
            if self.columns.get(name) == "ignore":
                yield FieldProblem(("columns", name), f'"{name}" is the target and cannot be ignored')
            elif kind_of(self.columns.get(name, "numeric")) == "datetime":
                yield FieldProblem(("columns", name), f'"{name}" is the target and cannot be a datetime', "column-kind")
        for name, kind in self.columns.items():
            if isinstance(kind, BooleanWords) and (name not in targets or len(targets) == 1):
                message = f'words has no effect: "{name}" is not one of several targets'
                yield FieldProblem(("columns", name, "words"), message)
        yield from self._roles.problems(self.columns)


class Csv(TableFile):
    """Files of delimiter-separated text with a header: numbers, booleans, dates, categories, and a target.

    For a classification loss the target holds labels: integers if every cell is one, else text. Otherwise it holds
    numbers. A cell that does not fit its column is an error with its location.
    """

    example = 'path = "rows.csv", target = "price"'
    suffixes = (".csv", ".tsv")
    type: Literal["csv"] = "csv"
    delimiter: Annotated[str, StringConstraints(pattern='^[^\\r\\n"]$')] | None = Field(
        None,
        description="character between cells; default: a tab for .tsv, else the most frequent of , ; tab | in the "
        "first record",
    )
    quote: Annotated[str, StringConstraints(pattern="^[!-/:-@\\[-`{-~]$")] = Field(
        '"', description="character around quoted cells"
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="character before the fraction of a number; default: the one that the cells of the file show"
    )
    encoding: Annotated[str, Field(min_length=1)] = Field("utf-8", description="encoding of the text")
    header: bool = Field(True, description="the first row holds the names; false: they are column_1, column_2, …")
    skip: NonNegativeInteger = Field(0, description="lines to skip before the header")
    missing_values: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        MISSING, description="cells that mean that a value is missing; an empty one always does"
    )

    def source(self, paths: list[str]) -> TableSource:
        dialect = Dialect(self.delimiter or "", self.quote, self.encoding, self.header, self.skip)
        # A default text is not used if it contains the delimiter or the quote.
        characters = {self.delimiter, self.quote}
        possible = [text for text in self.missing_values if text not in MISSING or not characters & {*text}]
        return CsvSource(paths, dialect, possible, self.decimal)

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        if not is_text_encoding(self.encoding):
            yield FieldProblem(("encoding",), f'unknown encoding "{self.encoding}"')
        for name, taken in (("quote", self.quote), ("decimal", self.decimal)):
            if taken is not None and self.delimiter == taken:
                yield FieldProblem(("delimiter",), f"delimiter and {name} are the same")


class Parquet(TableFile):
    """Parquet files, whose columns keep their types: numbers, booleans, dates, categories, and a target."""

    example = 'path = "rows.parquet", target = "price"'
    suffixes = (".parquet", ".pq")
    type: Literal["parquet"] = "parquet"

    def source(self, paths: list[str]) -> TableSource:
        return ParquetSource(paths)


class Jsonl(TableFile):
    """Files of JSON objects, one to a line: numbers, booleans, dates, categories, and a target."""

    example = 'path = "rows.jsonl", target = "price"'
    suffixes = (".jsonl", ".ndjson")
    type: Literal["jsonl"] = "jsonl"

    def source(self, paths: list[str]) -> TableSource:
        return JsonLinesSource(paths, [name for name, kind in self.columns.items() if kind == "ignore"])


def is_text_encoding(name: str) -> bool:
    """Return whether Python has a text encoding with this name."""
    try:
        return getattr(codecs.lookup(name), "_is_text_encoding", True)
    except (LookupError, ValueError):
        return False


def _numbers(text: str, kind: ColumnKind | None, decimal: str) -> list[float | None]:
    """Return the numbers that a cell can mean in a column of a kind; None for an unknown kind."""
    notations = [*notations_of([text])] if kind is None else [] if isinstance(kind, str) else [kind]
    return [number(text, decimal), *(each.value(text) for each in notations)]


def table_file_type(path: str | os.PathLike[str]) -> type[Csv] | type[Parquet] | type[Jsonl] | None:
    """Return the class of the part that reads a file, chosen by its suffix, or None if the file is not a table.

    Raises
    ------
    FileError
        If the file is a table whose path is not UTF-8.
    """
    name = os.fspath(path).lower()
    for part in (Csv, Parquet, Jsonl):
        if name.endswith(part.suffixes) or (part is not Parquet and name.removesuffix(".gz").endswith(part.suffixes)):
            refuse_bytes(path, name)
            return part
    return None


def not_a_table(path: str | os.PathLike[str], others: str = "") -> tuple[str, str]:
    """Return the message about a file that has no suffix of a table, and the hint how to convert it to a table.

    Parameters
    ----------
    path : str or path-like
    others : str
        Further alternatives for the message, in addition to the suffixes of tables.
    """
    packed = (f"{suffix}.gz" for part in (Csv, Jsonl) for suffix in part.suffixes)
    known = [*(suffix for part in (Csv, Parquet, Jsonl) for suffix in part.suffixes), *packed, *(others and [others])]
    message = f"expected {', '.join(known[:-1])} or {known[-1]}"
    if os.path.isdir(path):
        return message, "it is a folder; choose a file in it"
    return message, how_to_convert(path)
