"""The table that files hold: columns found by name, each of the kind that is said or judged, as one float64 matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic
from specnet.files.large import new_array
from specnet.files.plain_data import toml_text
from specnet.parts.arrays import RowView, first_few
from specnet.parts.data.base import Table
from specnet.parts.data.column_kinds import Column, ColumnKind, Kind, as_indices, column_of, kind_of
from specnet.parts.data.notations import BooleanWords, Notation, NumberFormat, notations_of
from specnet.parts.data.progress import current_progress
from specnet.parts.data.tables.cells import boolean, coded, days, number
from specnet.parts.data.tables.duck import Duck, DuckError, opened
from specnet.parts.data.tables.judging import (
    EXPECTED,
    USELESS,
    Verdict,
    assumed,
    doubt,
    feature_hint,
    left_as_text,
    mistaken,
    notation_hint,
    without_zone,
)
from specnet.parts.data.tables.setting_hints import column_key, longer, no_header, setting
from specnet.parts.data.tables.source import MOST_MISTAKES, Mistake, TableSource, meant, undivided, unknown_columns
from specnet.parts.data.tables.store import Store
from specnet.parts.data.tables.types import is_nested


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read of a table.

    Attributes
    ----------
    features : tuple of str or None
        All columns but the targets, and but what is ignored, where None.
    targets : tuple of str
    kinds : mapping of str to ColumnKind
        What is said of columns; the kinds of others are judged.
    labels : bool
        The target is labels, or 0 or 1 in each of several columns; else numbers.
    drops : bool
        Rows without a target are left out.
    predicted : tuple of str
        Columns that are read as others are, and are to be a target.
    """

    features: tuple[str, ...] | None
    targets: tuple[str, ...] = ()
    kinds: Mapping[str, ColumnKind] = field(default_factory=dict)
    labels: bool = False
    drops: bool = False
    predicted: tuple[str, ...] = ()

    @property
    def label(self) -> str | None:
        """The one column of labels."""
        return self.targets[0] if self.labels and len(self.targets) == 1 else None


def read(source: TableSource, wanted: Wanted) -> Table:
    """Return what is wanted of a table.

    Raises
    ------
    FileError
        If a file cannot be read.
    DataError
        If there is no such column, or a cell is not what it should be. What a spec's key is to blame for has its path
        from the data part on, everything else its place in a file.
    """
    reading = _Reading(source, wanted)
    with opened(source.real_paths(), len(source.names)) as duck:
        return reading.at_once(duck) or reading.stored(duck)


class _Reading:
    def __init__(self, source: TableSource, wanted: Wanted) -> None:
        self.source, self.wanted = source, wanted
        self.warnings: list[Diagnostic] = []
        self.places = {name: place for place, name in enumerate(source.names)}
        if missing := list(self._unknown()):
            raise DataError(*missing[: 1 if undivided(source.names) else MOST_MISTAKES])
        self.features = self._features()
        self.judged = [name for name in self.features if name not in wanted.kinds]
        self.kinds = {name: wanted.kinds[name] for name in self.features if name in wanted.kinds}
        kind: Kind = "category" if wanted.label else "boolean" if wanted.labels else "numeric"
        self.target_kinds: dict[str, ColumnKind] = dict.fromkeys(wanted.targets, kind)
        if not wanted.label:
            self.target_kinds |= {
                name: specified
                for name in wanted.targets
                if isinstance(specified := wanted.kinds.get(name), Notation)
                and isinstance(specified, BooleanWords) == wanted.labels
            }

    def _unknown(self) -> Iterator[Diagnostic]:
        """Yield the errors of columns that are missing, at their places in the spec; one for all unlike any other."""

        def error(names: Sequence[str], *path: str | int) -> Diagnostic:
            found = unknown_columns(self.source, names)
            return replace(found, path=path, source=None, hint=self._hint_for_model(names) or found.hint)

        wanted = self.wanted
        for index, name in enumerate(wanted.targets):
            if name not in self.places:
                yield error([name], *(("target",) if len(wanted.targets) == 1 else ("target", index)))
        features = wanted.features or ()
        missing = [index for index, name in enumerate(features) if name not in self.places]
        unlike = {index: features[index] for index in missing if meant(self.source.names, features[index]) is None}
        for index in missing:
            if index not in unlike or len(unlike) == 1:
                yield error([features[index]], "features", index)
        if len(unlike) > 1:
            yield error(list(unlike.values()), "features")
        told = {*features, *wanted.targets}
        for name, kind in wanted.kinds.items():
            if kind != "ignore" and name not in self.places and name not in told:
                yield error([name], "columns", name)

    def _hint_for_model(self, missing: Sequence[str]) -> str | None:
        """Return what to do about columns that a file to predict lacks, since the model needs them; else None."""
        if self.wanted.targets or self.wanted.predicted or undivided(self.source.names):
            return None
        needed = [*dict.fromkeys([*(self.wanted.features or ()), *self.wanted.kinds])]
        others = [name for name in self.source.names if name not in needed]
        similar = {name: meant(others, name) for name in missing}
        if renamed := [f'"{own}" to "{name}"' for name, own in similar.items() if own is not None]:
            return f"rename {first_few(renamed)} in the file if it is the same column"
        return f"the model needs the columns {first_few(needed)}; the file has {first_few(self.source.names)}"

    def _features(self) -> list[str]:
        wanted = self.wanted
        if wanted.features is not None:
            return list(wanted.features)
        complete = bool(wanted.targets) and all(name in wanted.kinds for name in wanted.targets)
        unlisted = [name for name in self.source.names if name not in wanted.kinds] if complete else []
        if unlisted:
            message = f'column "{unlisted[0]}" has no kind: where columns lists the target, it lists every column'
            hint = setting(column_key(unlisted[0]), '"numeric"', '"category"', '"ignore"')
            raise DataError(Diagnostic("unlisted-column", message, ("columns",), hint=hint))
        left_out = {*wanted.targets, *(name for name, kind in wanted.kinds.items() if kind == "ignore")}
        found = [name for name in self.source.names if name not in left_out]
        if not found:
            raise self._no_features()
        return found

    def _no_features(self) -> DataError:
        others = " and ".join(f'"{name}"' for name in self.wanted.targets)
        usable = "usable " if len(self.source.names) > len(self.wanted.targets) else ""
        message = f"{self.source.paths[0]} has no {usable}columns{f' besides {others}' if others else ''}"
        return DataError(Diagnostic("no-features", message, ("target",), hint=feature_hint(self.warnings)))

    def at_once(self, duck: Duck) -> Table | None:
        """Return the table if it is numbers without gaps: one reading tells."""
        targets = () if self.wanted.labels else self.target_kinds.values()
        if any(kind != "numeric" for kind in (*self.kinds.values(), *targets)):
            return None
        label = self.wanted.label
        names = [*self.features, *(() if label else self.wanted.targets)]
        texts = [self.places[label]] if label else []
        found = self.source.numbers_at_once(
            duck, [self.places[name] for name in names], texts, current_progress(), self._judged_places()
        )
        if found is None:
            return None
        table, cells = found
        self._check_rows(len(table))
        self.kinds |= dict.fromkeys(self.judged, "numeric")
        count = len(self.features)
        if not label:
            return self._table(table[:, :count], {}, table[:, count:])
        return self._table(table[:, :count], {}, *_labels(*coded(cells[0], self.source.missing)))

    def _judged_places(self) -> list[int]:
        """Return the columns whose notation is judged."""
        targets = [] if self.wanted.labels else [name for name in self.wanted.targets if name not in self.wanted.kinds]
        return [self.places[name] for name in (*self.judged, *targets)]

    def stored(self, duck: Duck) -> Table:
        """Return the table, whose cells are judged where DuckDB has stored them."""
        undecided = [name for name in self.features if self.kinds.get(name, "numeric") == "numeric"]
        numbers = [*undecided, *(name for name, kind in self.target_kinds.items() if kind == "numeric")]
        places = {self.places[name] for name in numbers}
        self.source.store(duck, current_progress(), places, self._judged_places())
        store = Store(duck, self.source)
        self._check_rows(store.rows)
        self._refuse_nested()
        broken = self._judge(store)
        columns = [self.places[name] for name in self.features]
        targets = [] if self.wanted.label else self.wanted.targets
        kinds = {self.places[name]: kind for name, kind in self.kinds.items() if kind != "category"}
        target = {self.places[name]: self._target_value(store, name) for name in targets}
        values = {place: store.value(place, kind) for place, kind in kinds.items()} | target
        try:
            self._refuse_misfits(store, values, broken)
            texts: dict[str, NDArray[np.str_]] = {}
            X, y = new_array((store.rows, len(columns))), np.empty((store.rows, len(target)))
            store.fill(X, [(index, place, values[place]) for index, place in enumerate(columns) if place in kinds])
            for index, name in enumerate(self.features):
                if columns[index] not in kinds:
                    X[:, index], texts[name] = store.codes(columns[index])
                else:
                    self.kinds[name] = without_zone(self.kinds[name], X[:, index], partial(store.zones, columns[index]))
            if self.wanted.label:
                return self._table(X, texts, *_labels(*store.codes(self.places[self.wanted.label])))
            store.fill(y, [(index, *value) for index, value in enumerate(target.items())])
            for name in targets:
                if self.target_kinds[name] == "boolean" and (words := store.boolean_words(self.places[name])):
                    self.target_kinds[name] = BooleanWords(type="boolean", words=words)
        except DuckError as error:
            raise DataError(Diagnostic("format", f"DuckDB cannot convert the cells: {error}")) from None
        return self._table(X, texts, y)

    def _judge(self, store: Store) -> dict[int, Verdict]:
        """Fill in the kinds that nobody has said, leave ignored features out, and return what is almost of a kind."""
        broken: dict[int, Verdict] = {}
        verdicts = store.verdicts(self._judged_places())
        for place, found in verdicts.items():
            self.warnings += assumed(self.source.names[place], found, self.source.paths[0])
        refused = []
        for name in self.wanted.targets:
            place = self.places[name]
            if place not in verdicts:
                continue
            found = broken[place] = verdicts[place]
            if found.is_open:
                refused.append(self._open_target(name, found))
            if not isinstance(found.kind, str) and found.kind.type == "numeric":
                self.target_kinds[name] = found.kind
        for name in self.judged:
            found = verdicts[self.places[name]]
            warning = left_as_text(name, found, self.source.paths[0])
            if warning is not None:
                self.warnings.append(warning)
            if found.kind == "ignore":
                if self.wanted.features is not None:
                    refused.append(self._refused_feature(name, found))
                continue
            self.kinds[name] = found.kind
            if found.reason:
                broken[self.places[name]] = found
        if refused:
            raise DataError(*refused[:MOST_MISTAKES])
        self.features = [name for name in self.features if name in self.kinds]
        if not self.features:
            raise self._no_features()
        return broken

    def _open_target(self, name: str, found: Verdict) -> Diagnostic:
        targets = self.wanted.targets
        path = ("target",) if len(targets) == 1 else ("target", targets.index(name))
        message = f'the target "{name}" is unclear: {doubt(found)}'
        return Diagnostic("other-notation", message, path, hint=notation_hint(name, found.notations))

    def _refused_feature(self, name: str, found: Verdict) -> Diagnostic:
        why = "has no cell that is present" if found.reason == "empty" else f"is {USELESS[found.reason]}"
        ways = ["remove it"] if found.reason == "empty" else ["remove it", setting(column_key(name), '"category"')]
        assert self.wanted.features is not None
        return Diagnostic(
            "ignored-column",
            f'column "{name}" {why}',
            ("features", self.wanted.features.index(name)),
            hint=", or ".join(ways),
        )

    def _refuse_misfits(self, store: Store, values: dict[int, str], broken: Mapping[int, Verdict]) -> None:
        judged = set(self.judged)
        said = {self.places[name] for name in (*self.kinds, *self.wanted.targets) if name not in judged}
        asked = {place: value for place, value in values.items() if place in said or place in broken}
        mistakes = []
        misfits = store.misfits(asked, MOST_MISTAKES)
        every = [cell for misfit in misfits.values() for cell in misfit.cells]
        for place, misfit in misfits.items():
            name = self.source.names[place]
            written = (self.target_kinds if name in self.target_kinds else self.kinds)[name]
            kind, message = kind_of(written), mistaken(name, written, misfit.cells[0], misfit.row + 1, misfit.count)
            ways = [*self._notation_hint(name, kind, misfit.cells[0], broken.get(place))]
            if self.source.has_dialect:
                ways.append(longer("missing_values", self.source.missing[1:], misfit.cells, every))
            if name not in (*self.wanted.targets, *self.wanted.predicted):
                ways.append(setting(column_key(name), '"category"', '"ignore"'))
            mistakes.append(Mistake(misfit.row, place, EXPECTED[kind][0], message, ", or ".join(ways) or None))
        if mistakes:
            raise self.source.refusal(mistakes)

    def _notation_hint(self, name: str, kind: Kind, text: str, judged: Verdict | None) -> Iterator[str]:
        """Yield how a column is read so that a cell which is no plain number is one, as all others are."""
        if kind != "numeric":
            return
        found = (
            judged.notations if judged else [each for each in notations_of([text]) if isinstance(each, NumberFormat)]
        )
        other = "," if self.source.decimal == "." else "."
        if self.source.has_dialect and len(found) == 1 and number(text, other) is not None:
            yield setting("decimal", toml_text(other))
        elif found:
            yield notation_hint(name, found)

    def _target_value(self, store: Store, name: str) -> str:
        place = self.places[name]
        if not self.wanted.labels:
            return store.value(place, self.target_kinds[name])
        return f"coalesce({store.value(place, 'numeric')}, {store.value(place, self.target_kinds[name])})"

    def _table(
        self,
        X: NDArray[np.float64],
        texts: Mapping[str, NDArray[np.str_]],
        y: NDArray[Any],
        gaps: NDArray[np.bool_] | None = None,
    ) -> Table:
        """Return the table without the rows that have gaps in the target, (rows, targets); or refuse these."""
        kept, gaps = None, np.isnan(y) if gaps is None else gaps
        if gaps.any():
            if not self.wanted.drops:
                self._refuse_gaps(gaps)
            kept = np.flatnonzero(~gaps.any(axis=1))
            self._check_rows(len(kept), "no rows with a target")
            X, y = np.asarray(RowView(X, kept)), y[kept]
        chosen = {name: self.kinds[name] for name in self.features} | self.target_kinds
        columns = tuple(column_of(name, self.kinds[name], texts.get(name)) for name in self.features)
        self.warnings += self._header_doubts([column for column in columns if column.name in {*self.judged}])
        return Table(
            X,
            y[:, 0] if y.shape[1] == 1 else y,
            "classes" if self.wanted.labels else "values",
            columns=columns,
            kinds={name: chosen.get(name, "ignore") for name in self.source.names},
            warnings=tuple(self.warnings),
            kept=kept,
        )

    def _header_doubts(self, columns: Sequence[Column]) -> Iterator[Diagnostic]:
        """Yield the warning that the names of columns are like the cells below them, if a header has such."""
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

    def _refuse_gaps(self, gaps: NDArray[np.bool_]) -> None:
        mistakes = []
        for index in np.flatnonzero(gaps.any(axis=0)):
            name, row, count = self.wanted.targets[index], int(gaps[:, index].argmax()), int(gaps[:, index].sum())
            more = f", and in {count - 1} more" if count > 1 else ""
            message = f'column "{name}": the target is missing in row {row + 1}{more}'
            hint = setting("missing_target", '"drop"') + " to leave such rows out"
            mistakes.append(Mistake(row, self.places[name], "missing-target", message, hint))
        raise self.source.refusal(mistakes)

    def _check_rows(self, rows: int, message: str = "no rows below the header") -> None:
        if not rows:
            raise DataError(Diagnostic("empty", message, source=self.source.paths[0]))

    def _refuse_nested(self) -> None:
        types = self.source.types
        problems = [
            Diagnostic(
                "nested-value",
                f'column "{name}": nested values and bytes are not supported ({types[self.places[name]]})',
                source=self.source.paths[0],
                hint=setting(column_key(name), '"ignore"'),
            )
            for name in (*self.features, *self.wanted.targets)
            if is_nested(types[self.places[name]])
        ]
        if problems:
            raise DataError(*problems[:MOST_MISTAKES])


def _is_like_cells(column: Column) -> bool:
    """Return whether the name of a column could be one of its cells."""
    name = column.name
    if column.notation is not None:
        return column.notation.reads(name)
    if column.texts is not None:
        return bool(np.isin(name, column.texts))
    return {"numeric": number, "boolean": boolean, "datetime": days}[column.kind](name) is not None


def _is_series(numbers: Sequence[float]) -> bool:
    """Return whether numbers that are names of columns count something, as years and wavelengths do."""
    steps = np.diff(numbers)
    if len(numbers) < 4:
        return all(number == int(number) for number in numbers) and len(np.unique(steps)) < 2
    return bool((steps > 0).all() or (steps < 0).all())


def _labels(codes: NDArray[np.float64], texts: NDArray[np.str_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return labels (rows, 1), integers if every text is one as Python writes it, and where they are missing."""
    labels: NDArray[Any] = texts
    with suppress(ValueError, OverflowError):
        integers = texts.astype(np.int64)
        if (integers.astype(np.str_) == texts).all():
            labels = integers
    gaps = np.isnan(codes)
    found = labels[as_indices(codes)] if len(texts) else np.zeros(len(codes), np.int64)
    return found[:, np.newaxis], gaps[:, np.newaxis]
