"""The proof of an import: where the network it was made of can be run, both answer the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from specnet.errors import DataError, FileError
from specnet.exporting.proof import outputs_of, put_categories
from specnet.model import Model
from specnet.parts.arrays import Array

ROWS, SPREADS = 80, (0.5, 1.0, 3.0)
"""Rows of each spread, in standard deviations of the columns where the model knows them."""
_MOST_NUMBERS = 4_000_000
"""Of all rows of a spread: a network of many columns is compared on fewer."""
_TOLERANCES = {"float32": (1e-3, 2e-6), "float64": (1e-9, 1e-12)}
"""What rounding does not reach: a share of an output's spread over the rows, plus one of its largest value, or of 1.

Activations that a file writes out in operators lose most of their digits far from 0, as log(sigmoid(x)) does.
"""
_MOST_OTHERS = 0.02
"""The share of rows that may be beyond it: near a jump a rounding decides."""


def prove(model: Model, precision: str, answers: Callable[[Array], list[Array]], judge: str) -> str:
    """Return in words how far a network and the model that was made of it agree.

    Parameters
    ----------
    model : Model
    precision : str
        The lowest one in which either computes, or takes its columns.
    answers : callable
        Gives all that the network answers about raw columns (rows, inputs), which that precision holds exactly.
    judge : str
        Who runs it.

    Raises
    ------
    FileError
        If they do not agree.
    """
    with np.errstate(all="ignore"):
        X = [_rows(model, spread, seed).astype(precision).astype(np.float64) for seed, spread in enumerate(SPREADS)]
        given = [answers(rows) for rows in X]
        try:
            numbers = _numbers_compared(given, model, X, precision, judge)
            labels = _labels_compared(given, model, X, judge)
        except DataError:
            return "not compared: prepared columns are beyond what the network computes in"
    return numbers or labels or "not compared: the outputs have another form"


def _rows(model: Model, spread: float, seed: int) -> Array:
    """Return raw columns, (rows, inputs), whose standard deviation is so many of those that the model knows."""
    generator = np.random.default_rng(seed)
    rows = max(2, min(ROWS, _MOST_NUMBERS // model.network.inputs))
    prepared = spread * generator.standard_normal((rows, model.network.inputs))
    put_categories(prepared, model, generator)
    raw: Array = model.preprocessing.invert(prepared)
    return raw


def _numbers_compared(given: list[list[Array]], model: Model, X: list[Array], precision: str, judge: str) -> str | None:
    """Return how far the numbers agree, None where there are none, or of another form."""
    found = [_pair(answers, model, rows) for answers, rows in zip(given, X, strict=True)]
    pairs = [pair for pair in found if pair is not None]
    if not pairs:
        return None
    compared = [_compared(*pair, *_TOLERANCES[precision]) for pair in pairs]
    if not any(np.isfinite(answer).any() for answer, _ in pairs):
        return "not compared: the outputs overflow"
    rows, others = sum(len(answer) for answer, _ in pairs), sum(count for count, _ in compared)
    if others > _MOST_OTHERS * rows:
        raise FileError(f"outputs differ from {judge} on {others} of {rows} rows: part of it was misread")
    difference = max(largest for _, largest in compared)
    return f"compared with {judge} on {rows} rows: max difference {difference:.2g}"


def _pair(answers: list[Array], model: Model, X: Array) -> tuple[Array, Array] | None:
    """Return the numbers that the file and the model answer, in one shape; None where the file's have another one."""
    found = [answer for answer in answers if answer.dtype.kind == "f"]
    if not found:
        return None
    numbers = found[0]
    given = numbers.reshape(len(numbers), -1)
    X = X[: len(given)]
    are_flags = model.network.task == "multilabel" and np.isin(given, (0, 1)).all()
    expected = model.predict(X) if are_flags else outputs_of(model, X)
    if given.shape[1] == 1:
        expected = expected[:, -1:]
    return (given, expected) if given.shape == expected.shape else None


def _compared(given: Array, expected: Array, of_spread: float, of_largest: float) -> tuple[int, float]:
    """Return how many rows differ by more than rounding, and the largest difference of the others.

    Where the file's own numbers overflow there is nothing to compare.
    """
    known = np.isfinite(given)
    highest, lowest = np.where(known, given, -np.inf).max(axis=0), np.where(known, given, np.inf).min(axis=0)
    spread = np.maximum(0.0, highest - lowest)  # 0 where no number is known
    largest = np.where(known, abs(given), 0.0).max(axis=0)
    difference = np.where(known, abs(given.astype(np.float64) - expected), 0.0)
    near = (difference <= of_spread * spread + of_largest * np.maximum(1.0, largest)).all(axis=1)  # false for no number
    return int((~near).sum()), float(difference[near].max(initial=0.0))


def _labels_compared(given: list[list[Array]], model: Model, X: list[Array], judge: str) -> str | None:
    """Return how many labels agree, None where there are none, or of another form."""
    agree = [
        agreeing
        for answers, rows in zip(given, X, strict=True)
        for labels in answers
        if (agreeing := _labels_agree(labels, model, rows)) is not None
    ]
    if not agree:
        return None
    known = np.concatenate(agree)
    differing = int((~known).sum())
    if differing > _MOST_OTHERS * len(known):
        raise FileError(f"labels differ from {judge} on {differing} of {len(known)} rows: part of it was misread")
    said = f"{differing} labels differ" if differing else "all labels agree"
    return f"compared with {judge} on {len(known)} rows: {said}"


def _labels_agree(labels: Array, model: Model, X: Array) -> Array | None:
    """Return which rows of those with finite outputs get the model's label; None for what are no labels."""
    if labels.dtype.kind not in "biuO" or model.network.task == "values":
        return None
    X = X[: len(labels)]
    expected = model.predict(X)
    if labels.size != expected.size:
        return None
    given = labels.astype(np.int64) if labels.dtype.kind == "b" else labels
    same = (given.reshape(len(X), -1).astype(str) == expected.reshape(len(X), -1).astype(str)).all(axis=1)
    agree: Array = same[np.isfinite(outputs_of(model, X)).all(axis=1)]
    return agree
