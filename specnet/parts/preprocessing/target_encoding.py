"""The step that replaces each category by the mean of the target in training rows of that category."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import NonNegativeNumber, PositiveInteger
from specnet.parts.forms import or_word
from specnet.parts.preprocessing.base import Columns, Fitted, Learned, TargetArray, Texts, Weight
from specnet.parts.preprocessing.categories import CategoryStep
from specnet.parts.preprocessing.column_operations import looked_up
from specnet.parts.preprocessing.linear_answers import answers_of

Smooth = Annotated[float | Literal["auto"], or_word(NonNegativeNumber, "a number", "auto")]


class TargetEncoding(CategoryStep):
    """Mean of the target in training rows of the same category, shrunk towards the mean over all training rows.

    Each column becomes as many columns as the target: the fraction of the second of two classes, the fraction of each
    class if there are more, or the mean of each value. Rare and unseen categories get the mean over all training rows.
    Missing is a category too if a training row misses the cell. In training rows, the means are those of the rows of
    other folds, so that no row's own target is in its columns.

    A mean of n rows has the weight n/(n + m), and the mean over all rows has the rest. With a number, m is `smooth`.
    With `auto`, m is the variance of the target within the category divided by its variance over all rows, an empirical
    Bayes estimate (Micci-Barreca 2001), as in scikit-learn's TargetEncoder.
    """

    type: Literal["target_encoding"] = "target_encoding"
    learned = (*CategoryStep.learned, "means")
    tables: ClassVar[frozenset[str]] = frozenset({"means"})
    smooth: Smooth = Field(
        "auto", description="number of rows that the mean over all training rows counts for; auto: by the variances"
    )
    outputs: PositiveInteger | None = Field(
        None, description="number of columns made of each column; found when the step is fitted"
    )

    def output_size(self, columns: int) -> int | None:
        return None if self.outputs is None else columns * self.outputs

    def input_size(self, outputs: int) -> int:
        return outputs // (self.outputs or 1)

    def shapes(self, columns: int) -> dict[str, tuple[int | None, ...]]:
        entries = None if self.counts is None else sum(self.counts) + columns
        return {**super().shapes(columns), "means": (self.outputs, entries)}

    def named(self, columns: Sequence[str], fitted: Fitted) -> list[str]:
        numbers = [""] if self.outputs == 1 else [f" {number}" for number in range(1, (self.outputs or 0) + 1)]
        return [f"{name}: mean target{number}" for name in columns for number in numbers]

    @property
    def reads_target(self) -> bool:
        return True

    def fit_to_target(
        self, columns: Columns, fitted: Fitted, target: TargetArray, weight: Weight = None, texts: Texts | None = None
    ) -> tuple[Self, Learned]:
        step = self.model_copy(update={"outputs": answers_of(target)})
        means = step._means(step._entries(columns, fitted, texts), target, weight)
        return step, {**fitted, "means": means}

    def out_of_fold(
        self,
        columns: Columns,
        fitted: Fitted,
        target: TargetArray,
        folds: NDArray[np.intp],
        weight: Weight = None,
        texts: Texts | None = None,
    ) -> NDArray[np.float64]:
        assert self.outputs is not None, "fitted"
        entries = self._entries(columns, fitted, texts)
        made = np.empty((len(columns), entries.shape[1] * self.outputs))
        for fold in np.unique(folds):
            own = folds == fold
            means = self._means(entries[~own], target[~own], None if weight is None else weight[~own])
            made[own] = looked_up(entries[own], means, np.zeros(entries.shape[1]))
        return made

    def check(self, fitted: Fitted) -> None:
        super().check(fitted)
        self.require(bool(np.isfinite(fitted["means"]).all()), "means is not finite")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        return looked_up(columns, fitted["means"], self._starts)

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        """Return the codes of the categories with the nearest means."""
        assert self.counts is not None and self.outputs is not None, "fitted"
        nearest = []
        for index, (start, count) in enumerate(zip(self._starts.tolist(), self.counts, strict=True)):
            means = fitted["means"][:, start : start + count + 1]
            own = columns[:, index * self.outputs : (index + 1) * self.outputs, np.newaxis]
            nearest.append(np.abs(own - means).max(1).argmin(1))
        return np.stack(nearest, 1).astype(np.float64)

    @property
    def _starts(self) -> NDArray[np.intp]:
        """Where the means of each column begin: its code 0, then its categories."""
        assert self.counts is not None, "fitted"
        return np.cumsum([0, *(count + 1 for count in self.counts[:-1])])

    def _entries(self, columns: Columns, fitted: Fitted, texts: Texts | None) -> NDArray[np.intp]:
        """Return the index in the means of each cell: (rows, columns)."""
        assert texts is not None, "`fit` requires them"
        codes = self.coder(texts, fitted)(np.asarray(columns[:, :], np.float64))
        return codes.astype(np.intp) + self._starts

    def _means(self, entries: NDArray[np.intp], target: TargetArray, weight: Weight) -> NDArray[np.float64]:
        """Return the shrunk means (outputs, entries) of rows; 0 if there are none."""
        assert self.counts is not None and self.outputs is not None, "fitted"
        size = sum(self.counts) + len(self.counts)
        if weight is None:
            rows = np.ones(len(target))
        else:
            used = weight > 0
            entries, target, rows = entries[used], target[used], weight[used]
            rows = rows * (len(rows) / rows.sum())
        if not len(rows):
            return np.zeros((self.outputs, size))
        values, made = _values(target, self.outputs), np.empty((self.outputs, size))
        overall = rows @ values / len(rows)
        for output, mean in enumerate(overall):
            apart = values[:, output] - mean
            for index, start in enumerate(self._starts.tolist()):
                codes = entries[:, index] - start
                end = start + self.counts[index] + 1
                made[output, start:end] = mean + self._distances(codes, apart, rows, end - start)
                made[output, start] = mean
        return made

    def _distances(
        self, codes: NDArray[np.intp], apart: NDArray[np.float64], rows: NDArray[np.float64], size: int
    ) -> NDArray[np.float64]:
        """Return the shrunk means by code (size,) of distances from the overall mean; `rows` are weights."""
        counts, sums = (np.bincount(codes, weights, size) for weights in (rows, rows * apart))
        shrunk = np.zeros(size)
        if self.smooth != "auto":
            np.divide(sums, counts + self.smooth, out=shrunk, where=counts > 0)
            return shrunk
        means = np.divide(sums, counts, out=np.zeros(size), where=counts > 0)
        squares = np.bincount(codes, rows * (apart - means[codes]) ** 2, size)
        within = np.divide(squares, counts, out=np.zeros(size), where=counts > 0)
        between = (rows @ apart**2 / len(rows)) * counts
        np.divide(between, between + within, out=shrunk, where=between > 0)
        shrunk *= means
        return shrunk


def _values(target: TargetArray, outputs: int) -> NDArray[np.float64]:
    """Return what is averaged: values, or for classes 1 in rows of the class and 0 in others (rows, outputs)."""
    if target.dtype.kind == "f":
        return np.asarray(target, np.float64)
    classes = [1] if outputs == 1 else np.arange(outputs)
    made: NDArray[np.float64] = (target[:, np.newaxis] == classes).astype(np.float64)
    return made
