"""Hashes of a model's training rows, few enough to be saved with the model."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from specnet.data.preparation import ColumnTexts
from specnet.parts.arrays import RowView
from specnet.parts.data.column_kinds import as_indices

MOST_HASHES = 100_000
"""Maximum number of hashes; of more rows, the smallest hashes are retained, which is a random sample."""

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class RowSet:
    """A set of rows, represented by hashes of their inputs and targets.

    Attributes
    ----------
    hashes : ndarray
        Distinct hashes in ascending order.
    is_complete : bool
        Whether `hashes` contains every row. If False, it contains the smallest hashes, a random sample.
    """

    hashes: Hashes
    is_complete: bool = True

    @classmethod
    def of(cls, hashes: Hashes) -> Self:
        """Return the set of rows with these hashes."""
        distinct = np.unique(hashes)
        return cls(distinct[:MOST_HASHES], len(distinct) <= MOST_HASHES)

    def count(self, hashes: Hashes) -> int:
        """Return the number of rows with the given hashes that are in the set; an estimate if it is not complete."""
        if not len(self.hashes):
            return 0
        known = hashes if self.is_complete else hashes[hashes <= self.hashes[-1]]
        found = int(np.isin(known, self.hashes).sum())
        return found if self.is_complete or not found else round(found / len(known) * len(hashes))

    def to_data(self) -> dict[str, Any]:
        """Return the set as plain data."""
        text = b64encode(self.hashes.astype("<u8").tobytes()).decode()
        return {"hashes": text, "complete": self.is_complete}

    @classmethod
    def from_data(cls, data: Any) -> Self | None:
        """Return the set from the result of `to_data`, or None if the data is invalid."""
        match data:
            case {"hashes": str(text), "complete": bool(is_complete)}:
                try:
                    return cls(np.frombuffer(b64decode(text, validate=True), "<u8").astype(np.uint64), is_complete)
                except (binascii.Error, ValueError):
                    return None
        return None


def row_hashes(columns: NDArray[Any] | RowView, texts: ColumnTexts, y: NDArray[Any]) -> Hashes:
    """Return a hash of each row's cells and target; it depends on numbers and texts only, not on their source.

    Parameters
    ----------
    columns : (rows, columns)
        Raw columns.
    texts : sequence
        Texts of each column; see `ColumnTexts`.
    y : (rows,) or (rows, outputs)
    """
    state = np.zeros(len(columns), np.uint64)
    for values in _values(columns, texts, y):
        state = _mixed(state ^ values)
    return state


def _values(columns: NDArray[Any] | RowView, texts: ColumnTexts, y: NDArray[Any]) -> Iterator[Hashes]:
    """Yield an array of 64-bit integers that represent the cells, (rows,), for each column and target."""
    for index, distinct in enumerate(texts or [None] * columns.shape[1]):
        column = columns[:, index]
        if distinct is None:
            yield by_value(column).view(np.uint64)
        else:
            known = np.append(_of_texts(distinct), np.uint64(0))
            yield known[as_indices(column)]
    for target in y.reshape(len(y), -1).T:
        if target.dtype.kind == "U":
            distinct, positions = np.unique(target, return_inverse=True)
            yield _of_texts(distinct)[positions]
        else:
            yield by_value(target).view(np.uint64)


def by_value(column: NDArray[Any]) -> NDArray[np.float64]:
    """Return a copy in which equal numbers have equal bits: zeros are +0, and all missing cells are the same NaN."""
    numbers = np.array(column, np.float64)
    numbers += 0.0
    missing = np.isnan(numbers)
    if missing.any():
        numbers[missing] = np.nan
    return numbers


def _of_texts(texts: NDArray[np.str_]) -> Hashes:
    digests = (blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts.tolist())
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _mixed(state: Hashes) -> Hashes:
    """Return the state after a step of SplitMix64, by Steele, Lea and Flood."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = state ^ (state >> np.uint64(31))
    return mixed
