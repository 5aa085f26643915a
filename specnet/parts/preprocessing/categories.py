"""Steps for columns of categories: codes for texts, and columns or vectors for codes."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.errors import DataError
from specnet.parts.fields import Counts, PositiveInteger
from specnet.parts.preprocessing.base import Columns, Fitted, Learned, Preprocessing, Texts, Weight
from specnet.parts.preprocessing.column_operations import equal, numbered, repeated, where

ONE_HOT_CODES = 8
"""Largest number of codes of a column that are one-hot columns by default; more codes are embedded."""
_TEXTS_AT_ONCE = 2**16
"""Number of texts that are searched at once."""
MISSING = ""
"""The text of a missing cell: no category is empty."""


class CategoryStep(Preprocessing):
    """A step for categories, whose codes `coder` computes.

    Codes 1…k of a column are its categories of at least `minimum_count` training rows, of these the most frequent
    `maximum_categories` (the first at a tie), in the order of their UTF-8 bytes. Missing is a category too, the
    last one, however few training rows miss the cell; an empty text is a missing cell. Code 0 are all others: rare
    categories, and those that no training row has.

    What is learned: `categories` are the bytes of all texts, one after the other and column after column, the texts
    themselves begin at `offsets` (which end with the number of bytes), and each column's begin at `starts` among them
    (which end with the number of texts). Missing is an empty text at a column's end.
    """

    learned: ClassVar[tuple[str, ...]] = ("categories", "offsets", "starts")
    takes = frozenset({"category"})
    takes_missing = True
    reads_texts = True
    fits_views = True
    fixed = frozenset(learned)
    dtypes: ClassVar[Mapping[str, str]] = {"categories": "uint8", "offsets": "int64", "starts": "int64"}
    minimum_count: PositiveInteger = Field(5, description="training rows that a category needs for a code of its own")
    maximum_categories: PositiveInteger = Field(
        1000, description="largest number of codes of a column, for its most frequent categories"
    )
    counts: Counts | None = Field(None, description="number of codes of each column; found when the step is fitted")

    def shapes(self, columns: int) -> dict[str, tuple[int | None, ...]]:
        offsets = None if self.counts is None else sum(self.counts) + 1
        return {"categories": (None,), "offsets": (offsets,), "starts": (columns + 1,)}

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        self.require(texts is not None, "needs columns of categories, got numbers")
        assert texts is not None
        coded = [self._coded(columns[:, index], own, weight) for index, own in enumerate(texts)]
        counts = tuple(map(len, coded))
        try:
            encoded = [text.encode() for column in coded for text in column]
        except UnicodeEncodeError as error:
            raise DataError(f"{self.type}: the text {error.object!r} is not valid Unicode") from None
        learned: Learned = {
            "categories": np.frombuffer(b"".join(encoded), np.uint8),
            "offsets": np.cumsum([0, *map(len, encoded)], dtype=np.int64),
            "starts": np.cumsum([0, *counts], dtype=np.int64),
        }
        return self.model_copy(update={"counts": counts}), learned

    def check(self, fitted: Fitted) -> None:
        offsets, starts = fitted["offsets"], fitted["starts"]
        for name, ends, last in (("offsets", offsets, len(fitted["categories"])), ("starts", starts, len(offsets) - 1)):
            divides = ends[0] == 0 and ends[-1] == last and (ends[1:] >= ends[:-1]).all()
            self.require(bool(divides), f"{name} do not divide what they are for")
        counts = tuple(np.diff(starts).tolist())
        self.require(counts == self.counts, f"counts are {self.counts}, but starts say {counts}")
        self.require(max(counts) <= self.maximum_categories, "a column has more than maximum_categories")
        try:
            columns = self.texts_of(fitted)
        except UnicodeDecodeError:
            self.require(False, "a category is not valid UTF-8")
        for texts in columns:
            present = texts[:-1] if texts and texts[-1] == MISSING else texts
            ascends = all(text < other for text, other in pairwise(present)) and MISSING not in present
            self.require(ascends, "categories are not in ascending order, each once")
            self.require(not any(text.endswith("\0") for text in texts), "a category ends in a null character")

    def coder(self, texts: Texts, fitted: Fitted) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
        """Return a function from text indices (rows, columns) to codes; NaN is a missing cell.

        The texts may differ from the texts of `fit`, and be in any order.
        """
        tables = [_code_table(*pair) for pair in zip(self.texts_of(fitted), texts, strict=True)]

        def codes(columns: NDArray[Any]) -> NDArray[np.float64]:
            made = np.empty(columns.shape)
            for index, table in enumerate(tables):
                column = columns[:, index]
                made[:, index] = table[np.where(np.isnan(column), len(table) - 1, column).astype(np.intp)]
            return made

        return codes

    def texts_of(self, fitted: Fitted) -> list[list[str]]:
        """Return each column's categories in the order of their codes; a missing cell is an empty text."""
        data = fitted["categories"].tobytes()
        texts = [data[begin:end].decode() for begin, end in pairwise(fitted["offsets"].tolist())]
        return [texts[begin:end] for begin, end in pairwise(fitted["starts"].tolist())]

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        return columns

    def trained_gaps(self, fitted: Fitted) -> tuple[int, ...] | None:
        return tuple(index for index, texts in enumerate(self.texts_of(fitted)) if texts and texts[-1] == MISSING)

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        return columns

    def _coded(self, column: NDArray[Any], texts: NDArray[np.str_], weight: Weight) -> list[str]:
        """Return the categories of a column that get a code, in the order of their codes."""
        indices = np.where(np.isnan(column), len(texts), column).astype(np.intp)
        if weight is not None:
            indices = indices[weight > 0]
        rows = np.bincount(indices, minlength=len(texts) + 1)
        empty = np.flatnonzero(texts == MISSING)
        rows[-1] += rows[empty].sum()
        rows[empty] = 0
        has_gaps = bool(rows[-1] > 0)
        frequent = np.flatnonzero(rows[:-1] >= self.minimum_count)
        most = frequent[np.argsort(-rows[frequent], kind="stable")[: self.maximum_categories - has_gaps]]
        return [*sorted(texts[most].tolist()), *[MISSING] * has_gaps]


class Ordinal(CategoryStep):
    """Code of each category: 1…k in the order of their UTF-8 bytes, 0 for rare and unseen categories.

    A category gets a code of its own if at least `minimum_count` training rows have it, and if it is among the most
    frequent `maximum_categories`. Missing is a category too if a training row misses the cell, with the last code.
    """

    type: Literal["ordinal"] = "ordinal"


class OneHot(CategoryStep):
    """One column per code of `ordinal`, 1…k: 1 in rows of that category, 0 in all others.

    Rare and unseen categories are 0 in every column. Missing is a category too if a training row misses the cell, with
    the last column.
    """

    type: Literal["one_hot"] = "one_hot"

    def output_size(self, columns: int) -> int | None:
        return None if self.counts is None else sum(self.counts)

    def input_size(self, outputs: int) -> int:
        return outputs if self.counts is None else len(self.counts)

    def named(self, columns: Sequence[str], fitted: Fitted) -> list[str]:
        known = zip(columns, self.texts_of(fitted), strict=True)
        return [f"{name} missing" if text == MISSING else f"{name} = {text}" for name, texts in known for text in texts]

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        assert self.counts is not None, "fitted"
        codes = [code + 1 for count in self.counts for code in range(count)]
        return where(equal(repeated(columns, self.counts), numbered(columns, codes)), 1.0, 0.0)

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        assert self.counts is not None, "fitted"
        ends = np.cumsum(self.counts)
        pieces = [columns[:, end - count : end] for end, count in zip(ends, self.counts, strict=True)]
        return np.stack([_hottest(piece) for piece in pieces], 1)


class CategoryEmbedding(CategoryStep):
    """A learned vector for each of the codes 0…k that `ordinal` gives.

    A resolved spec has `ordinal` instead, and a first layer `embedding` that has the vectors.
    """

    type: Literal["embedding"] = "embedding"
    size: PositiveInteger = Field(8, description="size of each vector")

    def ordinal(self) -> Ordinal:
        """Return the step that it resolves to, which is fitted instead."""
        fields = {name: getattr(self, name) for name in CategoryStep.model_fields if name != "type"}
        return Ordinal(**fields)

    def layer(self, counts: Sequence[int], first: int = 0) -> dict[str, Any]:
        """Return the fields of a layer `embedding` for the codes of these categories, in columns from `first` on."""
        return {
            "type": "embedding",
            "columns": tuple(range(first, first + len(counts))),
            "categories": tuple(count + 1 for count in counts),
            "size": (self.size,),
        }


def _code_table(known: Sequence[str], texts: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return the code of each text, and at the end the code of a missing cell: (texts + 1,)."""
    missing = float(len(known)) if known and known[-1] == MISSING else 0.0
    width = texts.dtype.itemsize // 4  # a longer category is none of these, and would widen them all
    fitting = [(text, code) for code, text in enumerate(known, 1) if text != MISSING and len(text) <= width]
    table = np.zeros(len(texts) + 1)
    table[-1] = missing
    if fitting:
        names, codes = np.array([text for text, _ in fitting], texts.dtype), np.array([code for _, code in fitting])
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            piece = slice(start, min(start + _TEXTS_AT_ONCE, len(texts)))
            index = np.searchsorted(names, texts[piece]).clip(max=len(names) - 1)
            table[piece] = np.where(names[index] == texts[piece], codes[index], 0)
    table[:-1][texts == MISSING] = missing
    return table


def _hottest(columns: NDArray[Any]) -> NDArray[np.float64]:
    """Return the code of each row whose one-hot columns are nearest to the given ones."""
    if not columns.shape[1]:
        return np.zeros(len(columns))
    return np.where(columns.max(1) > 0.5, columns.argmax(1) + 1.0, 0.0)
