"""The step that fills missing cells."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_core import PydanticCustomError

from specnet.parts.arrays import pieces
from specnet.parts.fields import Indices, ListOr, NonNegativeInteger
from specnet.parts.part import FieldProblem, written
from specnet.parts.preprocessing.base import (
    Columns,
    Fitted,
    Learned,
    Preprocessing,
    Texts,
    Weight,
    float64_blocks,
    present_cells,
    quantiles,
)
from specnet.parts.preprocessing.column_operations import count_of, equal, joined, picked, where

_FEWEST_ROWS, _SMALLEST_SHARE = 5, 0.01
"""Least number and fraction of training rows with a missing cell for which "auto" adds an indicator."""
_TIE = 1 - 1e-9
"""Sums of weights that are at least this fraction of the largest sum are equal to it up to rounding."""


def _indicator(value: Any) -> Any:
    """Validate the value of `indicator` if it is not a list of columns."""
    if isinstance(value, bool) or value == "auto":
        return value
    words = 'true, false, "auto" or a list of columns'
    raise PydanticCustomError("unknown-value", "no such form", {"words": words})


class Impute(Preprocessing):
    """Fill missing cells with one value per column, and add indicator columns that are 1 where a cell was missing.

    The value is the median, mean or most frequent number (the least at a tie) of the column's training rows, or the
    constant `value`; with `error` missing cells are an error. A column that is empty in the training rows is filled
    with 0, or with `value`.

    Indicator columns come after all others: for each column that at least 5 rows and 1 % of the training rows miss
    (`auto`), for every column (`true`), or for those that are listed, counted from 0 among the step's columns.
    """

    learned = ("fill",)
    takes_missing = True
    keeps_order = True
    keeps_last_bit = True
    fits_views = True
    type: Literal["impute"] = "impute"
    strategy: Literal["median", "mean", "most_frequent", "constant", "error"] = Field(
        "median", description="what missing cells are filled with; error refuses them"
    )
    value: float | None = Field(None, description="value of the strategy constant, for all columns")
    indicator: Annotated[
        bool | tuple[int, ...] | Literal["auto"], ListOr(Indices, _indicator, {"const": "auto"}, {"type": "boolean"})
    ] = Field("auto", description="columns with an indicator column; auto is replaced when the step is fitted")
    missing: Annotated[tuple[NonNegativeInteger, ...], Field(strict=False)] = Field(
        (), description="columns with missing cells in the training rows; found when the step is fitted"
    )

    def problems(self) -> Iterator[FieldProblem]:
        if (self.strategy == "constant") != (self.value is not None):
            message = 'the strategy "constant" needs a value'
            if self.value is not None:
                message = f'value has no effect with the strategy "{self.strategy}"'
            yield FieldProblem((written(self, "value", "strategy"),), message)
        if self.strategy == "error" and self.indicator not in ("auto", False):
            yield FieldProblem(("indicator",), 'indicator has no effect with the strategy "error"')
        indicator = self.indicator if isinstance(self.indicator, tuple) else ()
        for field, listed in (("indicator", indicator), ("missing", self.missing)):
            for index, (before, after) in enumerate(pairwise(listed), 1):
                if after <= before:
                    yield FieldProblem((field, index), "expected columns in ascending order, each once")

    def output_size(self, columns: int) -> int | None:
        flagged = self._flagged(columns)
        return None if flagged is None else columns + len(flagged)

    def input_size(self, outputs: int) -> int:
        if isinstance(self.indicator, tuple):
            return outputs - len(self.indicator)
        return outputs // 2 if self.indicator is True else outputs

    def named(self, columns: Sequence[str], fitted: Fitted) -> list[str]:
        return [*columns, *(f"{columns[index]} missing" for index in self._flagged(len(columns)) or ())]

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        if self.strategy == "error":
            self._refuse_missing(columns)
        self._check_columns("indicator", self._flagged(columns.shape[1]), columns.shape[1])
        fill, gaps = [], []
        for block in float64_blocks(columns):
            fill += [self._fill(*cells) for cells in present_cells(block, weight)]
            gaps.append((np.isnan(block) if weight is None else np.isnan(block[weight > 0])).sum(0))
        total, count = len(columns) if weight is None else np.count_nonzero(weight), np.concatenate(gaps)
        found: dict[str, Any] = {"missing": tuple(np.flatnonzero(count > 0).tolist())}
        if self.indicator == "auto":  # replaced by the columns that enough training rows miss
            often = np.flatnonzero((count >= _FEWEST_ROWS) & (count >= _SMALLEST_SHARE * total))
            found["indicator"] = tuple(often.tolist()) or False
        return self.model_copy(update=found), {"fill": np.array(fill)}

    def check(self, fitted: Fitted) -> None:
        super().check(fitted)
        count = len(fitted["fill"])
        self._check_columns("indicator", self._flagged(count), count)
        self._check_columns("missing", self.missing, count)

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        if self.strategy == "error":
            return columns
        filled = where(equal(columns, columns), columns, fitted["fill"])
        flagged = self._flagged(count_of(columns))
        if not flagged:
            return filled
        marked = picked(columns, flagged)
        return joined(filled, where(equal(marked, marked), 0.0, 1.0))

    def trained_gaps(self, fitted: Fitted) -> tuple[int, ...] | None:
        return self.missing

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        return picked(columns, range(len(fitted["fill"])))

    def _flagged(self, count: int) -> tuple[int, ...] | None:
        """Return the indices of the columns, of `count`, with an indicator; None if only known after a fit."""
        if self.indicator == "auto":
            return () if self.strategy == "error" else None
        return self.indicator if isinstance(self.indicator, tuple) else tuple(range(count * self.indicator))

    def _check_columns(self, field: str, flagged: tuple[int, ...] | None, count: int) -> None:
        """Raise an error if an index is not below the number of columns."""
        last = max(flagged or (0,))
        self.require(last < count, f"{field} has column {last} of {count}")

    def _refuse_missing(self, columns: Columns) -> None:
        for piece in pieces(columns):
            missing = np.argwhere(np.isnan(columns[piece]))
            if len(missing):
                row, column = missing[0]
                self.require(False, f"missing value at row {piece.start + row}, column {column}")

    def _fill(self, values: NDArray[np.float64], weight: Weight) -> Any:
        """Return the value that fills a column, given its present numbers and their weights."""
        if self.strategy == "constant":
            return self.value
        if not len(values):
            return 0.0
        match self.strategy:
            case "median":
                return quantiles(values, weight, 2)[1]
            case "mean":
                return np.average(values, weights=weight)
            case _:
                numbers, codes = np.unique(values, return_inverse=True)
                totals = np.bincount(codes, weight)
                return numbers[(totals >= _TIE * totals.max()).argmax()]
