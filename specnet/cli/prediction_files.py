"""The files that `specnet predict` writes: predictions part by part, so that a file may have any number of rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, compress, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.cli.output import UsageError
from specnet.data import RawColumns, large_rows
from specnet.errors import DataError, Diagnostic
from specnet.model import Model, UnfamiliarCells, unfilled_missing_values, untrained_missing_values
from specnet.number_texts import count, counted
from specnet.parts.arrays import Array, first_few
from specnet.parts.data import ColumnCells, parquet_pieces
from specnet.parts.data.column_kinds import shown_cell
from specnet.parts.data.tables.cells import number, trimmed

ROWS_AT_ONCE = 2**14
"""Number of rows that are predicted and written together."""
LARGEST_EXACT = 2**53
"""Up to here, float64 has all integers."""
MAX_NAMES = 5
"""Columns that the warning about missing cells names, at most."""
SEPARATOR = "|"
"""Separates the labels of a set, as pandas' ``str.get_dummies`` expects it."""

Part = tuple[dict[str, ColumnCells], dict[str, Array]]
"""Columns of some rows by name: those of the file, and what is predicted, masked where a row has a gap."""


class Predictions:
    """Predictions of rows, part by part; an iterator that can be used once.

    Parameters
    ----------
    model : Model
    raw : RawColumns
    source : str
        The name of the rows in messages.
    copied : iterator of dict or None
        Columns of the file to write beside the predictions, `ROWS_AT_ONCE` rows at a time.
    progress : callable
        Called with the number of rows that are done, and of all.
    locate : callable
        Returns the error of the first cell that is too large, with its location in the file; None if it has none.
    strict : bool
        Leave out rows with missing cells in columns that had none in training.
    interval, classes : float or None
        The levels of intervals and of sets of classes to write beside the predictions.

    Raises
    ------
    DataError
        If a cell is missing that the model does not fill, and not `strict`.
    """

    def __init__(
        self,
        model: Model,
        raw: RawColumns,
        source: str,
        copied: Iterator[dict[str, ColumnCells]] | None,
        progress: Callable[[int, int], None],
        locate: Callable[[], Diagnostic | None],
        *,
        strict: bool,
        interval: float | None = None,
        classes: float | None = None,
    ) -> None:
        self._model, self._raw, self._source, self._progress, self._strict = model, raw, source, progress, strict
        self._interval, self._classes = interval, classes
        self._copied = repeat({}) if copied is None else copied
        self.slices = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(raw), ROWS_AT_ONCE)]
        self._unfamiliar = UnfamiliarCells(model.preparations, raw.kinds)
        gaps = np.zeros(raw.X.shape[1], np.bool_)
        self._has_gaps, self._is_large = (np.zeros(len(raw), np.bool_) for _ in range(2))
        for some in self.slices:
            part = raw.part(some)
            self._unfamiliar.add(part)
            found = (untrained_missing_values if strict else unfilled_missing_values)(model.preparations, part)
            gaps |= found.any(axis=0)
            self._has_gaps[some] = found.any(axis=1)
            for each in model.networks:
                self._is_large[some] |= large_rows(each.preprocessing, part.X, each.network.dtype)
        self._gaps = [f'"{raw.kinds[column].name}"' for column in np.flatnonzero(gaps)]
        if self._has_gaps.any() and not strict:
            raise DataError(self._not_predicted())
        self.missing = int((self._has_gaps | self._is_large).sum())
        self._large = locate() if self._is_large.any() else None

    def __len__(self) -> int:
        return len(self._raw)

    def __iter__(self) -> Iterator[Part]:
        for some, copied in zip(self.slices, self._copied, strict=False):
            columns = self._predicted(some)
            if taken := [name for name in copied if name in columns]:
                raise UsageError(f'column "{taken[0]}" clashes with a column of the predictions', source="--keep")
            yield copied, columns
            self._progress(min(some.stop, len(self)), len(self))

    def warnings(self) -> Iterator[Diagnostic]:
        """Yield the warnings about rows without a prediction, and about cells unlike those in training."""
        if self._is_large.any():
            yield self._too_large()
        if self._strict and self._has_gaps.any():
            yield self._not_predicted()
        yield from self._unfamiliar.warnings(self._source, missing=not self._strict)

    def _not_predicted(self) -> Diagnostic:
        """Return the problem of rows that the model cannot predict, or may not with ``--strict``."""
        rows = self._so_many(self._has_gaps)
        names = first_few(self._gaps, MAX_NAMES)
        if self._strict:
            message = f"{rows} no prediction: missing cells in {names}, which had none in training"
            hint = "fill them in, or predict without --strict"
            return Diagnostic("not-predicted", message, source=self._source, hint=hint)
        message = f"{rows} missing cells in {names}, which the model does not fill"
        hint = 'fill them in, use --strict to skip such rows, or train with "impute" in network.preprocessing'
        return Diagnostic("missing-cell", message, source=self._source, hint=hint)

    def _too_large(self) -> Diagnostic:
        """Return the problem of rows whose numbers the network cannot read, with the location of the first one."""
        message = f"{self._so_many(self._is_large)} no prediction"
        if self._large is not None:
            message = f"{message}: {self._large.message}"
            return replace(self._large, code="not-predicted", message=message, source=self._source)
        message = f"{message}: the numbers in row {int(self._is_large.argmax())} are too large for the network"
        return Diagnostic("not-predicted", message, source=self._source, hint="rows count from 0")

    def _so_many(self, rows: NDArray[np.bool_]) -> str:
        number = int(rows.sum())
        return f"{count(number)} of {counted(len(self), 'row')} {'has' if number == 1 else 'have'}"

    def _predicted(self, some: slice) -> dict[str, Array]:
        """Return the columns of predictions for some rows, by name."""
        model, raw = self._model, self._raw.part(some)
        complete = ~(self._has_gaps | self._is_large)[some]
        rows = raw if complete.all() else raw.part(complete)
        targets, labels = model.target_names, () if model.labels is None else model.labels.tolist()
        outputs, decoder = model.member_outputs(rows), model.decoder
        prediction = decoder.predictions(outputs)
        columns = _columns("prediction", prediction, targets)
        for name, words in model.target_words.items():
            columns[f"prediction_{name}"] = np.array(words)[columns[f"prediction_{name}"]]
        if model.gives_probabilities:
            columns |= _columns("probability", decoder.probabilities(outputs), labels or targets)
        elif model.network.task == "values" and model.is_ensemble:
            columns |= _columns("spread", decoder.spread(outputs), targets)
        if self._interval is not None:
            model.interval_quantiles(self._interval)  # refuses what has no intervals
            ends = np.moveaxis(model.error_quantiles.ends(prediction, self._interval), -1, 0)
            pairs = (_columns(title, end, targets).items() for title, end in zip(("lower", "upper"), ends, strict=True))
            columns |= dict(chain.from_iterable(zip(*pairs, strict=True)))
        if self._classes is not None:
            model.check_sets()
            sets = model.error_quantiles.sets(decoder.probabilities(outputs), self._classes)
            columns["set"] = _joined(sets, model.labels)
        if complete.all():
            return columns
        for name, values in columns.items():
            all_values = np.zeros(len(complete), values.dtype)
            all_values[complete] = values
            columns[name] = np.ma.MaskedArray(all_values, ~complete)
        return columns


def _columns(title: str, values: Array, names: Sequence[Any]) -> dict[str, Array]:
    """Return predictions (rows,) or (rows, outputs) as columns: ``title``, or ``title_<name>`` for each output.

    Names are labels or targets; outputs without one are counted from 0.
    """
    if values.ndim == 1:
        return {title: values}
    return {f"{title}_{name}": column for name, column in zip(names or range(len(values.T)), values.T, strict=True)}


def _joined(sets: Array, labels: Array | None) -> Array:
    """Return the labels of each set (rows, classes) in a text, (rows,)."""
    assert labels is not None, "sets are of classes"
    texts = list(map(str, labels.tolist()))
    if taken := [text for text in texts if SEPARATOR in text]:
        hint = "use Model.predict_set in Python"
        message = f'the label "{taken[0]}" has {SEPARATOR}, which separates labels'
        raise UsageError(message, hint=hint, source="--confidence-set")
    return np.array([SEPARATOR.join(compress(texts, row)) for row in sets.tolist()], np.str_)


def exact(part: Part) -> dict[str, ColumnCells]:
    """Return columns of Python values: floats with the digits of their precision, None where masked."""
    copied, columns = part
    return copied | {name: _exact(values) for name, values in columns.items()}


def _exact(values: Array) -> ColumnCells:
    if values.dtype.kind == "f":
        pairs = zip(np.ma.getdata(values), np.ma.getmaskarray(values), strict=True)
        return ColumnCells([None if hidden else float(str(value)) for value, hidden in pairs], "DOUBLE")
    return ColumnCells(values.tolist(), "VARCHAR" if values.dtype.kind == "U" else "BIGINT")


def csv_bytes(predictions: Predictions, formulas: Formulas) -> Iterator[bytes]:
    """Yield the pieces of a CSV file."""
    for index, part in enumerate(predictions):
        text, columns = io.StringIO(), exact(part)
        writer = csv.writer(text, lineterminator="\n")
        if not index:
            writer.writerow(formulas.written(columns))
        kinds = columns.values()
        writer.writerows(zip(*(formulas.written(cells.texts) for cells in kinds), strict=True))
        yield text.getvalue().encode()


def _npy_bytes(predictions: Predictions, _: Formulas) -> Iterator[bytes]:
    """Yield the pieces of an array of the predictions, (rows,) or (rows, outputs).

    Rows without a prediction have NaN, or an empty text.
    """
    arrays = map(_array, predictions, repeat(predictions.missing > 0))
    first = next(arrays)
    header = io.BytesIO()
    form = {"descr": first.dtype.str, "fortran_order": False, "shape": (len(predictions), *first.shape[1:])}
    np.lib.format.write_array_header_1_0(header, form)
    yield header.getvalue()
    for array in chain((first,), arrays):
        yield array.tobytes()


def _array(part: Part, has_gaps: bool) -> Array:
    """Return the predictions of a part, of one dtype in all parts of predictions that have gaps."""
    _, columns = part
    found = [column for name, column in columns.items() if name.partition("_")[0] == "prediction"]
    array = found[0] if "prediction" in columns else np.ma.stack(found, axis=1)
    if not has_gaps or array.dtype.kind == "U":
        return np.ma.filled(array, "") if has_gaps else np.asarray(array)
    if array.dtype.kind == "i" and np.any((array > LARGEST_EXACT) | (array < -LARGEST_EXACT)):
        hint = "write a .csv or .parquet file"
        raise DataError("labels above 2⁵³ lose digits beside the NaN of rows without a prediction", hint=hint)
    return np.ma.filled(array.astype(np.float64), np.nan)


WRITERS = {
    ".csv": csv_bytes,
    ".parquet": lambda predictions, _: parquet_pieces(map(exact, predictions)),
    ".npy": _npy_bytes,
}
"""By the suffix of the file."""


_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Formulas:
    """Counts cells that spreadsheets would compute as formulas, or writes an apostrophe before them.

    Parameters
    ----------
    escape : bool
    """

    def __init__(self, escape: bool) -> None:
        self._escape = escape
        self._count, self._first = 0, ""

    def written(self, cells: Iterable[Any]) -> list[Any]:
        """Return cells in the form in which they are written."""
        return [self._written(cell) if isinstance(cell, str) and cell.startswith(_STARTS) else cell for cell in cells]

    def warnings(self, source: str) -> Iterator[Diagnostic]:
        """Yield the warning about cells that were written as they are, if there were any."""
        if not self._count:
            return
        cells = f"{counted(self._count, 'cell')} {'is a formula' if self._count == 1 else 'are formulas'}"
        message = f'{cells} to spreadsheets, such as "{shown_cell(self._first)}"'
        hint = "use --escape-formulas to write an apostrophe before them"
        yield Diagnostic("formula", message, source=source, hint=hint)

    def _written(self, cell: str) -> str:
        if number(trimmed(cell)) is not None:
            return cell
        if self._escape:
            return f"'{cell}"
        self._first = self._first or cell
        self._count += 1
        return cell
