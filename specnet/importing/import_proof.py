"""The proof of an import: comparison of the model's outputs with those of the original network, if that can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from specnet.data import RawColumns
from specnet.errors import DataError, FileError
from specnet.exporting.export_columns import columns_of, with_texts
from specnet.exporting.export_proof import put_categories
from specnet.model import Model
from specnet.model.directions import outputs_of
from specnet.parts.arrays import Array

ROWS, SPREADS = 80, (0.5, 1.0, 3.0)
"""Number of rows for each spread, and the spreads, in standard deviations of the columns if the model knows them."""
_MAX_CELLS = 4_000_000
"""Largest number of cells for each spread; a network with many columns is compared on fewer rows."""
_TOLERANCES = {"float32": (1e-3, 2e-6), "float64": (1e-9, 1e-12)}
"""Largest rounding errors: a fraction of an output's range over the rows, plus a fraction of its largest value or of 1.

Activations that a file composes of operators, such as log(sigmoid(x)), lose most of their digits far from 0.
"""
_MAX_DIFFERENT = 0.02
"""Largest fraction of rows with larger differences: near a jump of the function, rounding decides."""


def prove(model: Model, precision: str, answers: Callable[[RawColumns], list[Array]], judge: str) -> str:
    """Compare an original network with the imported model, and return the result in words.

    `answers` returns all outputs of the network for raw rows; `precision` is the lowest dtype in which the network or
    the model computes or reads its columns; `judge` is the name of the tool that runs the network.

    Raises
    ------
    FileError
        If the outputs or labels do not agree.
    """
    with np.errstate(all="ignore"):
        X = [_rows(model, spread, seed, precision) for seed, spread in enumerate(SPREADS)]
        given = [answers(rows) for rows in X]
        pairs: list[tuple[Array, Array]] = []
        labels: list[Array] = []
        try:
            for found, rows in zip(given, X, strict=True):
                pairs += _pairs(found, model, rows)
                labels += _labels_agree(found, model, rows)
        except DataError:
            return "not compared: prepared columns are beyond what the network computes in"
        compared = [_compared(*pair, *_TOLERANCES[precision]) for pair in pairs]
    results = ["not compared: the outputs overflow"] if pairs else []
    if any(np.isfinite(answer).any() for answer, _ in pairs):
        count, _ = _counted("outputs", [near for near, _ in compared], judge)
        largest = max(difference for _, difference in compared)
        results = [f"compared with {judge} on {count} rows: max difference {largest:.2g}"]
    if labels:
        count, others = _counted("labels", labels, judge)
        verdict = f"{others} labels differ" if others else "all labels agree"
        results.append(f"compared with {judge} on {count} rows: {verdict}")
    return results[0] if results else "not compared: the outputs have another form"


def _counted(what: str, agree: list[Array], judge: str) -> tuple[int, int]:
    """Return the number of rows and the number of rows that differ; raise an error if many rows differ."""
    rows, others = sum(map(len, agree)), sum(int((~each).sum()) for each in agree)
    if others > _MAX_DIFFERENT * rows:
        raise FileError(f"{what} differ from {judge} on {others} of {rows} rows: part of it was misread")
    return rows, others


def _rows(model: Model, spread: float, seed: int, precision: str) -> RawColumns:
    """Return random raw rows whose standard deviations are `spread` times those in the model's preprocessing."""
    generator = np.random.default_rng(seed)
    rows = max(2, min(ROWS, _MAX_CELLS // model.network.inputs))
    prepared = spread * generator.standard_normal((rows, model.network.inputs))
    put_categories(prepared, model, generator)
    raw = model.preparations[0].invert(prepared).astype(precision).astype(np.float64)
    return with_texts(columns_of(model), raw, generator)


def _pairs(answers: list[Array], model: Model, rows: RawColumns) -> Iterator[tuple[Array, Array]]:
    """Yield the numeric outputs of the file and of the model in the same shape, if the file has numeric outputs."""
    numbers = next((answer for answer in answers if answer.dtype.kind == "f"), None)
    if numbers is None:
        return
    given = numbers.reshape(len(numbers), -1)
    rows = rows.part(slice(len(given)))
    are_flags = model.network.task == "multilabel" and np.isin(given, (0, 1)).all()
    expected = model.predict(rows) if are_flags else outputs_of(model, rows)
    if given.shape[1] == 1:
        expected = expected[:, -1:]
    if given.shape == expected.shape:
        yield given, expected


def _compared(given: Array, expected: Array, of_spread: float, of_largest: float) -> tuple[Array, float]:
    """Return a mask of the rows that differ by no more than rounding, and the largest difference in these rows.

    Outputs of the file that overflow are not compared.
    """
    known = np.ma.masked_invalid(given.astype(np.float64))
    spread, largest = (found.filled(0.0) for found in (np.ma.ptp(known, axis=0), abs(known).max(axis=0)))
    difference = abs(known - expected).filled(0.0)
    near = (difference <= of_spread * spread + of_largest * np.maximum(1.0, largest)).all(axis=1)  # false for no number
    return near, float(difference[near].max(initial=0.0))


def _labels_agree(answers: list[Array], model: Model, raw: RawColumns) -> Iterator[Array]:
    """Yield, for each output of labels, a mask of the rows with the model's label, among rows with finite outputs."""
    for labels in answers:
        if labels.dtype.kind not in "biuO" or model.network.task == "values":
            continue
        rows = raw.part(slice(len(labels)))
        expected = model.predict(rows)
        if labels.size == expected.size:
            given = labels.astype(np.int64) if labels.dtype.kind == "b" else labels
            same = given.reshape(len(rows), -1).astype(str) == expected.reshape(len(rows), -1).astype(str)
            yield same.all(axis=1)[np.isfinite(outputs_of(model, rows)).all(axis=1)]
