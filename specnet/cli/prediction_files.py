"""The files that `specnet predict` writes; predictions are written in chunks, so that files can have many rows."""

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
EXPLAINED_AT_ONCE = 16
"""Number of rows that are explained and written together."""
LARGEST_EXACT = 2**53
"""Largest integer up to which float64 represents all integers exactly."""
MAX_NAMES = 5
"""Most columns that the warning about missing cells names."""
SEPARATOR = "|"
"""Separator of the labels of a set, the default of pandas' ``str.get_dummies``."""

Part = tuple[dict[str, ColumnCells], dict[str, Array]]
"""Columns of a chunk of rows by name: copied from the file, and predicted; rows without a prediction are masked."""


class Predictions:
    """Predictions for rows, in chunks; an iterable that can be used once.

    Parameters
    ----------
    model : Model
    raw : RawColumns
    source : str
        Name of the rows in messages.
    copied : iterator of dict or None
        Columns of the file to write before the predictions, in chunks of `ROWS_AT_ONCE` rows.
    progress : callable
        Function that is called with the number of finished rows and of all rows; if rows are explained, with numbers of
        predictions.
    locate : callable
        Function that returns the error of the first cell that is too large, with its location in the file, or None.
    strict : bool
        Whether rows with missing cells in columns that had none in training get no prediction.
    interval, classes : float or None
        Levels of intervals and of sets of classes to write with the predictions.
    is_explained : bool
        Whether to write the contributions of the columns with the predictions.

    Raises
    ------
    DataError
        If not `strict` and a cell is missing that the model does not fill.
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
        is_explained: bool = False,
    ) -> None:
        self._model, self._raw, self._source, self._progress, self._strict = model, raw, source, progress, strict
        self._interval, self._classes, self._is_explained = interval, classes, is_explained
        self._copied = repeat({}) if copied is None else copied
        at_once = EXPLAINED_AT_ONCE if is_explained else ROWS_AT_ONCE
        self.slices = [slice(start, start + at_once) for start in range(0, len(raw), at_once)]
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
            if not self._is_explained:
                self._progress(min(some.stop, len(self)), len(self))

    def warnings(self) -> Iterator[Diagnostic]:
        """Yield the warnings about rows without a prediction, and about cells unlike the cells in training."""
        if self._is_large.any():
            yield self._too_large()
        if self._strict and self._has_gaps.any():
            yield self._not_predicted()
        yield from self._unfamiliar.warnings(self._source, missing=not self._strict)

    def _not_predicted(self) -> Diagnostic:
        """Return the diagnostic of rows that the model cannot predict, or must not predict with ``--strict``."""
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
        """Return the diagnostic of rows with numbers too large for the network, with the location of the first."""
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
        """Return the columns of predictions for a chunk of rows, by name."""
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
            model.interval_quantiles(self._interval)  # raises an error for a model without intervals
            ends = np.moveaxis(model.error_quantiles.ends(prediction, self._interval), -1, 0)
            pairs = (_columns(title, end, targets).items() for title, end in zip(("lower", "upper"), ends, strict=True))
            columns |= dict(chain.from_iterable(zip(*pairs, strict=True)))
        if self._classes is not None:
            model.check_sets()
            sets = model.error_quantiles.sets(decoder.probabilities(outputs), self._classes)
            columns["set"] = _joined(sets, model.labels)
        if self._is_explained:

            def show(done: int, total: int) -> None:
                """Count the predictions of all chunks: each row has the same number."""
                each = total // len(rows)
                self._progress(some.start * each + done, len(self) * each)

            columns |= _explained(model, rows, labels or targets, show)
        if complete.all():
            return columns
        for name, values in columns.items():
            all_values = np.zeros(len(complete), values.dtype)
            all_values[complete] = values
            columns[name] = np.ma.MaskedArray(all_values, ~complete)
        return columns


def _columns(title: str, values: Array, names: Sequence[Any]) -> dict[str, Array]:
    """Return predictions (rows,) or (rows, outputs) as columns: ``title``, or ``title_<name>`` for each output.

    Names are labels or targets; without names, outputs are numbered from 0.
    """
    if values.ndim == 1:
        return {title: values}
    return {f"{title}_{name}": column for name, column in zip(names or range(len(values.T)), values.T, strict=True)}


def _explained(
    model: Model, rows: RawColumns, names: Sequence[Any], progress: Callable[[int, int], None]
) -> dict[str, Array]:
    """Return the base and the contribution of each column to the outputs for rows, as columns by name."""
    values, base, _ = model.contributions(rows, progress=progress)
    every = np.concatenate([np.broadcast_to(base, (len(values), 1, len(base))), values], axis=1)
    titles = ["base", *(f"contribution_{name}" for name in explained_names(model))]
    columns: dict[str, Array] = {}
    for index, title in enumerate(titles):
        own = every[:, index]
        columns |= _columns(title, own[:, 0] if len(base) == 1 else own, names)
    return columns


def explained_names(model: Model) -> Sequence[str]:
    """Return the names of the raw columns; x1, x2, … if they have none."""
    unnamed = tuple(f"x{number}" for number in range(1, model.network.resolved.columns + 1))
    return model.feature_names or tuple(model.spec.feature_kinds or ()) or unnamed


def _joined(sets: Array, labels: Array | None) -> Array:
    """Return the labels in each set (rows, classes) as one text for each row (rows,)."""
    assert labels is not None, "sets are of classes"
    texts = list(map(str, labels.tolist()))
    if taken := [text for text in texts if SEPARATOR in text]:
        hint = "use Model.predict_set in Python"
        message = f'the label "{taken[0]}" has {SEPARATOR}, which separates labels'
        raise UsageError(message, hint=hint, source="--confidence-set")
    return np.array([SEPARATOR.join(compress(texts, row)) for row in sets.tolist()], np.str_)


def exact(part: Part) -> dict[str, ColumnCells]:
    """Return the columns of a chunk as Python values: floats with the digits of their dtype, masked values as None."""
    copied, columns = part
    return copied | {name: _exact(values) for name, values in columns.items()}


def _exact(values: Array) -> ColumnCells:
    if values.dtype.kind == "f":
        pairs = zip(np.ma.getdata(values), np.ma.getmaskarray(values), strict=True)
        return ColumnCells([None if hidden else float(str(value)) for value, hidden in pairs], "DOUBLE")
    return ColumnCells(values.tolist(), "VARCHAR" if values.dtype.kind == "U" else "BIGINT")


def csv_bytes(predictions: Predictions, formulas: Formulas) -> Iterator[bytes]:
    """Yield the chunks of a CSV file of predictions."""
    for index, part in enumerate(predictions):
        text, columns = io.StringIO(), exact(part)
        writer = csv.writer(text, lineterminator="\n")
        if not index:
            writer.writerow(formulas.written(columns))
        kinds = columns.values()
        writer.writerows(zip(*(formulas.written(cells.texts) for cells in kinds), strict=True))
        yield text.getvalue().encode()


def _npy_bytes(predictions: Predictions, _: Formulas) -> Iterator[bytes]:
    """Yield the chunks of a .npy file of predictions (rows,) or (rows, outputs).

    The value of rows without a prediction is NaN, or an empty text.
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
    """Return the predictions of a chunk as an array; with `has_gaps`, numbers are float64 in all chunks."""
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
"""Functions that yield the chunks of a file, by its suffix."""


_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Formulas:
    """A counter of cells that spreadsheets would compute as formulas; it can escape them with an apostrophe.

    Parameters
    ----------
    escape : bool
        Whether to escape these cells.
    """

    def __init__(self, escape: bool) -> None:
        self._escape = escape
        self._count, self._first = 0, ""

    def written(self, cells: Iterable[Any]) -> list[Any]:
        """Return cells as they are written: formulas are escaped or counted."""
        return [self._written(cell) if isinstance(cell, str) and cell.startswith(_STARTS) else cell for cell in cells]

    def warnings(self, source: str) -> Iterator[Diagnostic]:
        """Yield a warning about formulas that were written without an apostrophe, if any."""
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
