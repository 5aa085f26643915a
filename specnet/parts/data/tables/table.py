"""Reading files as a table: one float64 matrix, whose columns have specified kinds or kinds judged by their cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic
from specnet.files.large import new_array
from specnet.files.plain_data import toml_text
from specnet.parts.arrays import RowView, first_few
from specnet.parts.data.base import Table
from specnet.parts.data.column_kinds import OF_TEXTS, Column, ColumnKind, Kind, as_indices, column_of, kind_of
from specnet.parts.data.notations import BooleanWords, Notation, NumberFormat, notations_of
from specnet.parts.data.progress import current_progress
from specnet.parts.data.tables.cells import (
    Reader,
    are_pair,
    boolean,
    category,
    coded,
    codes_of,
    days,
    has_zone,
    number,
    values_of,
)
from specnet.parts.data.tables.columns import Columns, DuckColumns
from specnet.parts.data.tables.duck import Duck, DuckError, is_nested, opened
from specnet.parts.data.tables.kinds import (
    EXPECTED,
    USELESS,
    Verdict,
    assumed,
    doubt,
    feature_hint,
    left_as_text,
    mistaken,
    notation_hint,
    reader_of,
    verdicts,
    without_zone,
)
from specnet.parts.data.tables.setting_hints import column_key, longer, no_header, setting
from specnet.parts.data.tables.sources import (
    MAX_MISTAKES,
    Mistake,
    TableSource,
    trimmed_texts,
    unknown_columns,
    unused_delimiter,
)
from specnet.suggestions import close_match

LARGEST_TEXTS = 2**30
"""Maximum size in bytes of the distinct texts of a category column."""


class TableReader:
    """Reader of the columns of a source that a spec or a model names.

    Parameters
    ----------
    source : TableSource
    names : sequence of str or None
        The features. If None, all columns except the targets and the ignored columns.
    targets : tuple of str
    specified : mapping of str to ColumnKind
        The kinds of columns by name. The kind of any other column is judged by its cells.
    labels : bool
        Whether the target is labels in one column, or 0 or 1 in each of several columns. False: numbers.
    drops : bool
        Whether rows without a target are left out.
    predicted : tuple of str
        Columns that are read like features and become the target later.
    """

    def __init__(
        self,
        source: TableSource,
        names: Sequence[str] | None,
        targets: tuple[str, ...] = (),
        specified: Mapping[str, ColumnKind] | None = None,
        *,
        labels: bool = False,
        drops: bool = False,
        predicted: tuple[str, ...] = (),
    ) -> None:
        self.source, self.names, self.targets, self.specified = source, names, targets, specified or {}
        self.labels, self.drops, self.predicted = labels, drops, predicted
        self.warnings: list[Diagnostic] = []
        self.zoned: set[str] = set()
        self.indices = {name: index for index, name in enumerate(self.source.names)}
        if missing := list(self._unknown()):
            raise DataError(*missing[: 1 if unused_delimiter(self.source.names) else MAX_MISTAKES])
        self.features = self._features()
        self.judged = [name for name in self.features if name not in self.specified]
        self.kinds = {name: self.specified[name] for name in self.features if name in self.specified}
        self.label = self.targets[0] if self.labels and len(self.targets) == 1 else None
        usual: Kind = "category" if self.label else "boolean" if self.labels else "numeric"
        self.target_kinds: dict[str, ColumnKind] = dict.fromkeys(self.targets, usual)
        if not self.label:
            self.target_kinds |= {
                name: kind
                for name in self.targets
                if isinstance(kind := self.specified.get(name), Notation)
                and isinstance(kind, BooleanWords) == self.labels
            }

    def read(self) -> Table:
        """Return the table.

        Raises
        ------
        FileError
            If a file cannot be read.
        DataError
            If a column is missing, or a cell does not fit its column's kind. An error that a key of the spec causes
            has the path of the key from the data part on; any other error has its location in a file.
        """
        cells = self.source.listed()
        if cells is not None:
            return self._read(Columns(self.source, cells))
        with opened(self.source.real_paths(), len(self.source.names)) as duck:
            table = self._read_at_once(duck)
            if table is None:
                undecided = [name for name in self.features if self.kinds.get(name, "numeric") == "numeric"]
                numbers = [*undecided, *(name for name, kind in self.target_kinds.items() if kind == "numeric")]
                indices = {self.indices[name] for name in numbers}
                self.source.store(duck, current_progress(), indices, self._judged_indices())
                try:
                    table = self._read(DuckColumns(self.source, duck))
                except DuckError as error:
                    raise DataError(Diagnostic("format", f"DuckDB cannot convert the cells: {error}")) from None
            return table

    def _unknown(self) -> Iterator[Diagnostic]:
        """Yield the errors of missing columns, with their paths in the spec.

        Missing features that have no similar name in the file share one error.
        """

        def error(names: Sequence[str], *path: str | int) -> Diagnostic:
            found = unknown_columns(self.source, names)
            return replace(found, path=path, source=None, hint=self._hint_for_model(names) or found.hint)

        for index, name in enumerate(self.targets):
            if name not in self.indices:
                yield error([name], *(("target",) if len(self.targets) == 1 else ("target", index)))
        features = self.names or ()
        missing = [index for index, name in enumerate(features) if name not in self.indices]
        unlike = {n: features[n] for n in missing if close_match(features[n], self.source.names) is None}
        for index in missing:
            if index not in unlike or len(unlike) == 1:
                yield error([features[index]], "features", index)
        if len(unlike) > 1:
            yield error(list(unlike.values()), "features")
        reported = {*features, *self.targets}
        for name, kind in self.specified.items():
            if kind != "ignore" and name not in self.indices and name not in reported:
                yield error([name], "columns", name)

    def _hint_for_model(self, missing: Sequence[str]) -> str | None:
        """Return a hint for columns that a model needs and a file to predict lacks, or None if no model reads it."""
        if self.targets or self.predicted or unused_delimiter(self.source.names):
            return None
        needed = [*dict.fromkeys([*(self.names or ()), *self.specified])]
        others = [name for name in self.source.names if name not in needed]
        similar = {name: close_match(name, others) for name in missing}
        if renamed := [f'"{own}" to "{name}"' for name, own in similar.items() if own is not None]:
            return f"rename {first_few(renamed)} in the file if it is the same column"
        return f"the model needs the columns {first_few(needed)}; the file has {first_few(self.source.names)}"

    def _features(self) -> list[str]:
        if self.names is not None:
            return list(self.names)
        complete = bool(self.targets) and all(name in self.specified for name in self.targets)
        unlisted = [name for name in self.source.names if name not in self.specified] if complete else []
        if unlisted:
            message = f'column "{unlisted[0]}" has no kind: where columns lists the target, it lists every column'
            hint = setting(column_key(unlisted[0]), '"numeric"', '"category"', '"ignore"')
            raise DataError(Diagnostic("unlisted-column", message, ("columns",), hint=hint))
        left_out = {*self.targets, *(name for name, kind in self.specified.items() if kind == "ignore")}
        found = [name for name in self.source.names if name not in left_out]
        if not found:
            raise self._no_features()
        return found

    def _no_features(self) -> DataError:
        others = " and ".join(f'"{name}"' for name in self.targets)
        usable = "usable " if len(self.source.names) > len(self.targets) else ""
        message = f"{self.source.paths[0]} has no {usable}columns{f' besides {others}' if others else ''}"
        return DataError(Diagnostic("no-features", message, ("target",), hint=feature_hint(self.warnings)))

    def _read_at_once(self, duck: Duck) -> Table | None:
        """Return the table from a single reading, or None unless all its columns are numbers without missing cells."""
        targets = () if self.labels else self.target_kinds.values()
        if any(kind != "numeric" for kind in (*self.kinds.values(), *targets)):
            return None
        names = [*self.features, *(() if self.label else self.targets)]
        texts = [self.indices[self.label]] if self.label else []
        found = self.source.numbers_at_once(
            duck, [self.indices[name] for name in names], texts, current_progress(), self._judged_indices()
        )
        if found is None:
            return None
        table, cells = found
        self._check_rows(len(table))
        self.kinds |= dict.fromkeys(self.judged, "numeric")
        count = len(self.features)
        if not self.label:
            return self._table(table[:, :count], {}, table[:, count:])
        return self._table(table[:, :count], {}, *_labels(*coded(trimmed_texts(cells[0], self.source.missing))))

    def _judged_indices(self) -> list[int]:
        """Return the indices of the columns whose notation is judged by their cells."""
        targets = [] if self.labels else [name for name in self.targets if name not in self.specified]
        return [self.indices[name] for name in (*self.judged, *targets)]

    def _read(self, columns: Columns) -> Table:
        """Return the table; a kind that is not specified is judged by all cells of the column."""
        self._check_rows(columns.rows)
        self._refuse_nested()
        almost = self._judge(columns)
        targets = [] if self.label else list(self.targets)
        filled = {name: index for index, name in enumerate(self.features) if self.kinds[name] not in OF_TEXTS}
        X, y = new_array((columns.rows, len(self.features))), np.empty((columns.rows, len(targets)))
        to = {name: (X, index) for name, index in filled.items()}
        to |= {name: (y, index) for index, name in enumerate(targets)}
        self._fill(columns, to, almost)
        texts: dict[str, NDArray[np.str_]] = {}
        for index, name in enumerate(self.features):
            if name not in filled:
                X[:, index], texts[name] = self._codes(columns, name)
        for name, index in filled.items():
            self.kinds[name] = without_zone(self.kinds[name], X[:, index], name in self.zoned)
        if self.label:
            return self._table(X, texts, *_labels(*self._codes(columns, self.label)))
        for name in targets:
            if self.target_kinds[name] == "boolean" and (words := _boolean_words(columns, self.indices[name])):
                self.target_kinds[name] = BooleanWords(type="boolean", words=words)
        return self._table(X, texts, y)

    def _judge(self, columns: Columns) -> dict[str, Verdict]:
        """Set the kinds that are not specified, and remove ignored features.

        Returns
        -------
        dict of str to Verdict
            The verdicts on targets, and on features that almost fit another kind or notation, by column name.
        """
        almost: dict[str, Verdict] = {}
        judged = columns.judged(self._judged_indices())
        found_of = verdicts(
            {self.source.names[index]: each for index, each in judged.items()},
            self.source.decimal if self.source.specifies_decimal else None,
        )
        for name, found in found_of.items():
            self.warnings += assumed(name, found, self.source.paths[0])
        refused = []
        for name in self.targets:
            if name not in found_of:
                continue
            found = almost[name] = found_of[name]
            if found.is_open:
                refused.append(self._open_target(name, found))
            if not isinstance(found.kind, str) and found.kind.type == "numeric":
                self.target_kinds[name] = found.kind
        for name in self.judged:
            found = found_of[name]
            warning = left_as_text(name, found, self.source.paths[0])
            if warning is not None:
                self.warnings.append(warning)
            if found.kind == "ignore":
                if self.names is not None:
                    refused.append(self._refused_feature(name, found))
                continue
            self.kinds[name] = found.kind
            if found.reason:
                almost[name] = found
        if refused:
            raise DataError(*refused[:MAX_MISTAKES])
        self.features = [name for name in self.features if name in self.kinds]
        if not self.features:
            raise self._no_features()
        return almost

    def _open_target(self, name: str, found: Verdict) -> Diagnostic:
        path = ("target",) if len(self.targets) == 1 else ("target", self.targets.index(name))
        message = f'the target "{name}" is unclear: {doubt(found)}'
        return Diagnostic("other-notation", message, path, hint=notation_hint(name, found.notations))

    def _refused_feature(self, name: str, found: Verdict) -> Diagnostic:
        why = "has no cell that is present" if found.reason == "empty" else f"is {USELESS[found.reason]}"
        hints = ["remove it"] if found.reason == "empty" else ["remove it", setting(column_key(name), '"category"')]
        assert self.names is not None
        path = ("features", list(self.names).index(name))
        return Diagnostic("ignored-column", f'column "{name}" {why}', path, hint=", or ".join(hints))

    def _fill(
        self, columns: Columns, to: Mapping[str, tuple[NDArray[np.float64], int]], almost: Mapping[str, Verdict]
    ) -> None:
        """Write the numbers of each named column into the given array and array column; NaN for a missing cell.

        Raises
        ------
        DataError
            If a cell does not fit its column's kind.
        """
        kinds = {name: self.target_kinds.get(name, self.kinds.get(name, "numeric")) for name in to}
        may_be_plain = [
            name
            for name, kind in kinds.items()
            if kind == "numeric" or (kind_of(kind) == "numeric" and columns.has_numbers(self.indices[name]))
        ]
        plain = columns.plain_numbers([self.indices[name] for name in may_be_plain])
        numbers = {name: self.indices[name] for name in may_be_plain if self.indices[name] in plain}
        texts = {name: self._reader(name, kinds[name]) for name in to if name not in numbers}
        for rows, fetched in columns.numbers([*numbers.values()]):
            for name, own_numbers in zip(numbers, fetched, strict=True):
                table, index = to[name]
                table[rows, index] = np.ma.filled(own_numbers, np.nan)
        for name in numbers:
            table, index = to[name]
            if missing := getattr(kinds[name], "missing_numbers", ()):
                table[np.isin(table[:, index], missing), index] = np.nan
        wrong: dict[str, tuple[int, list[str], int]] = {}
        for rows, found in columns.texts([self.indices[name] for name in texts]) if texts else ():
            for (name, read), column in zip(texts.items(), found, strict=True):
                table, index = to[name]
                table[rows, index], wrong_rows = values_of(column, read)
                if wrong_rows:
                    some = [text for row in wrong_rows if (text := column[row]) is not None]
                    first, cells, count = wrong.get(name, (rows.start + wrong_rows[0], [some[0]] * 3, 0))
                    cells = [cells[0], min(cells[1], *some), max(cells[2], *some)]
                    wrong[name] = first, cells, count + len(wrong_rows)
        if wrong:
            raise self._refusal(wrong, almost)

    def _reader(self, name: str, kind: ColumnKind) -> Reader:
        """Return the function that reads a cell of a column; if targets are several labels, numbers or booleans."""
        read = reader_of(kind, self.source.decimal)
        if kind == "datetime":

            def date(text: str) -> float | None:
                if has_zone(text):
                    self.zoned.add(name)
                return days(text)

            return date
        if name not in self.targets or not self.labels:
            return read
        plain = reader_of("numeric", self.source.decimal)

        def either(text: str) -> float | None:
            found = plain(text)
            return read(text) if found is None else found

        return either

    def _refusal(self, wrong: Mapping[str, tuple[int, list[str], int]], almost: Mapping[str, Verdict]) -> DataError:
        """Return the error about cells that do not fit their columns' kinds.

        `wrong` has, by column name, the first such row, some of the texts, and the number of such cells.
        """
        mistakes = []
        named = list(wrong.items())[:MAX_MISTAKES]
        every = [cell for _, (_, cells, _) in named for cell in dict.fromkeys(cells)]
        for name, (row, cells, count) in named:
            written = (self.target_kinds if name in self.target_kinds else self.kinds)[name]
            kind, message = kind_of(written), mistaken(name, written, cells[0], row + 1, count)
            hints = [*self._notation_hint(name, kind, cells[0], almost.get(name))]
            if self.source.has_dialect:
                hints.append(longer("missing_values", self.source.missing[1:], tuple(dict.fromkeys(cells)), every))
            if name not in (*self.targets, *self.predicted):
                hints.append(setting(column_key(name), '"category"', '"ignore"'))
            hint = ", or ".join(hints) or None
            mistakes.append(Mistake(row, self.indices[name], EXPECTED[kind][0], message, hint))
        return self.source.refusal(mistakes)

    def _notation_hint(self, name: str, kind: Kind, text: str, found: Verdict | None) -> Iterator[str]:
        """Yield the hint with the setting by which a numeric column reads a cell that is not a plain number."""
        if kind != "numeric":
            return
        notations = (
            found.notations if found else [each for each in notations_of([text]) if isinstance(each, NumberFormat)]
        )
        other = "," if self.source.decimal == "." else "."
        if self.source.has_dialect and len(notations) == 1 and number(text, other) is not None:
            yield setting("decimal", toml_text(other))
        elif notations:
            yield notation_hint(name, notations)

    def _codes(self, columns: Columns, name: str) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
        """Return each cell's index into the distinct texts, NaN for a missing cell, and the distinct texts."""
        index = self.indices[name]
        count, longest = columns.size_of_texts(index)
        if count * longest * 4 > LARGEST_TEXTS:
            message = f'column "{name}": {count} texts of up to {longest} characters do not fit into memory'
            raise DataError(Diagnostic("too-large", message, source=self.source.paths[0]))
        distinct = np.empty(count, f"U{longest}")
        last = 0
        for some in columns.sorted_texts(index):
            if any(text.endswith("\0") for text in some):  # NumPy drops null characters at the end of a text
                raise self._null_end(columns, name)
            distinct[last : last + len(some)] = some
            last += len(some)
        if any(text.endswith(".0") for text in distinct.tolist()):
            distinct = np.unique(np.array([category(text) for text in distinct.tolist()], np.str_))
        codes = np.empty(columns.rows)
        for rows, (texts,) in columns.texts([index]):
            codes[rows] = codes_of(texts, distinct)
        return codes, distinct

    def _null_end(self, columns: Columns, name: str) -> DataError:
        index = self.indices[name]
        some = (enumerate(texts, rows.start) for rows, (texts,) in columns.texts([index]))
        row = next(row for texts in some for row, text in texts if text and text.endswith("\0"))
        message = f'column "{name}": text ends in a null character in row {row + 1}'
        return self.source.refusal([Mistake(row, index, "encoding", message)])

    def _table(
        self,
        X: NDArray[np.float64],
        texts: Mapping[str, NDArray[np.str_]],
        y: NDArray[Any],
        missing: NDArray[np.bool_] | None = None,
    ) -> Table:
        """Return the table without the rows whose target is missing, or raise an error about these rows.

        `missing` has the shape (rows, targets).
        """
        file_rows, missing = None, np.isnan(y) if missing is None else missing
        if missing.any():
            if not self.drops:
                self._refuse_missing(missing)
            file_rows = np.flatnonzero(~missing.any(axis=1))
            self._check_rows(len(file_rows), "no rows with a target")
            X, y = np.asarray(RowView(X, file_rows)), y[file_rows]
        chosen = {name: self.kinds[name] for name in self.features} | self.target_kinds
        columns = tuple(column_of(name, self.kinds[name], texts.get(name)) for name in self.features)
        judged = {*self.judged}
        self.warnings += self._header_doubts([column for column in columns if column.name in judged])
        return Table(
            X,
            y[:, 0] if y.shape[1] == 1 else y,
            "classes" if self.labels else "values",
            columns=columns,
            kinds={name: chosen.get(name, "ignore") for name in self.source.names},
            warnings=tuple(self.warnings),
            file_rows=file_rows,
        )

    def _header_doubts(self, columns: Sequence[Column]) -> Iterator[Diagnostic]:
        """Yield a warning if the column names in the header resemble the cells below them."""
        position = self.source.header_position
        names = [column.name for column in columns if _is_like_cells(column)]
        numbers = [found for column in columns if (found := number(column.name)) is not None]
        are_series = len(names) == len(numbers) and _is_series(numbers)
        if position is None or 2 * len(names) < len(columns) or are_series:
            return
        if len(names) > 1 or numbers:
            shown = first_few([f'"{name}"' for name in names])
            verb = "is" if len(names) == 1 else "are"
            message = f"the first line is perhaps no header: {shown} {verb} like the cells below"
            yield Diagnostic(
                "missing-header", message, source=self.source.paths[0], position=position, hint=no_header()
            )

    def _refuse_missing(self, missing: NDArray[np.bool_]) -> None:
        mistakes = []
        for index in np.flatnonzero(missing.any(axis=0)):
            name, row, count = self.targets[index], int(missing[:, index].argmax()), int(missing[:, index].sum())
            more = f", and in {count - 1} more" if count > 1 else ""
            message = f'column "{name}": the target is missing in row {row + 1}{more}'
            hint = setting("missing_target", '"drop"') + " to leave such rows out"
            mistakes.append(Mistake(row, self.indices[name], "missing-target", message, hint))
        raise self.source.refusal(mistakes)

    def _check_rows(self, rows: int, message: str = "no rows below the header") -> None:
        if not rows:
            raise DataError(Diagnostic("empty", message, source=self.source.paths[0]))

    def _refuse_nested(self) -> None:
        types = self.source.types
        problems = [
            Diagnostic(
                "nested-value",
                f'column "{name}": nested values and bytes are not supported ({types[self.indices[name]]})',
                source=self.source.paths[0],
                hint=setting(column_key(name), '"ignore"'),
            )
            for name in (*self.features, *self.targets)
            if is_nested(types[self.indices[name]])
        ]
        if problems:
            raise DataError(*problems[:MAX_MISTAKES])


def _is_like_cells(column: Column) -> bool:
    """Return whether the name of a column could be one of its cells."""
    name = column.name
    if column.notation is not None:
        return column.notation.reads(name)
    if column.texts is not None:
        return bool(np.isin(name, column.texts))
    return reader_of(column.kind)(name) is not None


def _is_series(numbers: Sequence[float]) -> bool:
    """Return whether numbers that are column names form a series, such as years or wavelengths."""
    steps = np.diff(numbers)
    if len(numbers) < 4:
        return all(number == int(number) for number in numbers) and len(np.unique(steps)) < 2
    return bool((steps > 0).all() or (steps < 0).all())


def _labels(codes: NDArray[np.float64], texts: NDArray[np.str_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return labels (rows, 1) and a mask of missing ones; integers if all texts are integers as Python prints them."""
    labels: NDArray[Any] = texts
    with suppress(ValueError, OverflowError):
        integers = texts.astype(np.int64)
        if (integers.astype(np.str_) == texts).all():
            labels = integers
    missing = np.isnan(codes)
    found = labels[as_indices(codes)] if len(texts) else np.zeros(len(codes), np.int64)
    return found[:, np.newaxis], missing[:, np.newaxis]


def _boolean_words(columns: Columns, index: int) -> tuple[str, str] | None:
    """Return the most frequent texts for false and true if all cells are of one pair of words, else None."""
    if columns.has_numbers(index):
        return None
    found: dict[float | None, list[str]] = {}
    for text, _ in sorted(columns.counts(index), key=lambda each: (-each[1], each[0])):
        found.setdefault(boolean(text), []).append(text)
    if found.keys() != {0.0, 1.0}:
        return None
    pairs = {(false.lower(), true.lower()) for false in found[0.0] for true in found[1.0]}
    return (found[0.0][0], found[1.0][0]) if len(pairs) == 1 and are_pair(*pairs) else None
