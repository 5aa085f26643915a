"""The step that makes a few numbers of a text: latent semantic analysis of its words and character n-grams.

Design
------
- A raw column of kind ``text`` holds indices of the column's distinct texts, as a category does; a missing cell is a
  text without tokens. `coder` makes the vectors of distinct texts, so an unseen text needs nothing but its tokens.
- Tokens are hashes of 32 bits (`tokens`) of the folded text (`folding`). Each hash that enough training rows have is a
  bucket with a row of its own in the table; all others share one bucket, of weight 0. So the file has no words, and
  its size is limited by `maximum_tokens`.
- The weights are TF-IDF as in scikit-learn's TfidfVectorizer with sublinear_tf: (1 + ln count) · (ln((1 + n)/(1 + d)) +
  1) for n training rows, of which d have the token. The weights of words with pairs of words have the length 1, and so
  have those of n-grams.
- The result is linear in these weights: the sum over the tokens of weight / length · vector, minus the mean over
  training rows. The vectors are the right singular vectors of the training rows' weights (latent semantic analysis,
  Deerwester et al. 1990), scaled so that each number has the standard deviation 1 over the training rows.
- With `answers`, the answers of a linear model of these weights follow: as many columns as `linear_answers` defines. In
  training rows they are out of fold. The directions read no target, so all folds share them.

Exports need the table of `folding`, the two loops of `tokens`, and for each column sorted hashes, `idf`, vectors and
means: see `specnet.exporting.text_tables`. Whatever else reduces texts (with the target, or learned in the network)
ends in the same sum over tokens, so it needs other vectors, and no other export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from annotated_types import Le
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import Counts, NonNegativeInteger, PositiveInteger
from specnet.parts.preprocessing.base import Columns, Fitted, Learned, Preprocessing, TargetArray, Texts, Weight
from specnet.parts.preprocessing.linear_answers import answers_of, linear_model
from specnet.parts.preprocessing.text_cache import cached
from specnet.parts.preprocessing.tokens import GROUPS, MASK, TokenCounts, Tokenizer

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_RANK = 1e-6
"""Smallest standard deviation of a component, relative to the first one's, that is no rounding error."""
_SEED = 0
"""The seed of the random projection that finds the singular vectors."""


class TextVectors(Preprocessing):
    """A vector of each text: latent semantic analysis of its words, pairs of words and character n-grams.

    Tokens that at least `minimum_count` training rows have are weighted by TF-IDF, and the `size` directions that keep
    most of their variance become columns of mean 0 and standard deviation 1. Case and accents are ignored. A missing
    cell is a text without words.
    """

    type: Literal["text_vectors"] = "text_vectors"
    learned = ("hashes", "starts", "idf", "vectors", "means")
    takes = frozenset({"text"})
    takes_missing = True
    reads_texts = True
    fits_views = True
    fixed = frozenset(learned)
    dtypes: ClassVar[dict[str, str]] = {"hashes": "int64", "starts": "int64", "vectors": "float32"}
    size: PositiveInteger = Field(64, description="largest number of columns made of a column")
    minimum_count: PositiveInteger = Field(2, description="training rows that a token needs for a vector of its own")
    maximum_tokens: PositiveInteger = Field(
        8192, description="largest number of words and pairs, and of n-grams, of a column: its most frequent ones"
    )
    pairs: bool = Field(True, description="whether pairs of words that follow each other are tokens")
    shortest: Annotated[PositiveInteger, Le(16)] = Field(3, description="length of the shortest n-grams")
    longest: Annotated[NonNegativeInteger, Le(16)] = Field(5, description="length of the longest n-grams; 0 for none")
    answers: bool = Field(
        False,
        description="whether the answers of a linear model of the weights, fitted to the target, are columns too; in "
        "training rows, by models of the rows of other folds",
    )
    outputs: PositiveInteger | None = Field(
        None, description="number of these answers of a column; found when the step is fitted"
    )
    counts: Counts | None = Field(
        None, description="number of columns made of each column; found when the step is fitted"
    )

    def output_size(self, columns: int) -> int | None:
        return None if self.counts is None else sum(self.counts)

    def input_size(self, outputs: int) -> int:
        return outputs if self.counts is None else len(self.counts)

    def shapes(self, columns: int) -> dict[str, tuple[int | None, ...]]:
        outputs = self.output_size(columns)
        return {
            "hashes": (None,),
            "starts": (GROUPS * columns + 1,),
            "idf": (None,),
            "vectors": (None,),
            "means": (outputs,),
        }

    def named(self, columns: Sequence[str], fitted: Fitted) -> list[str]:
        assert self.counts is not None, "fitted"
        answers = self.outputs or 0
        return [
            f"{name}: component {number}" if number <= count - answers else f"{name}: answer {number - count + answers}"
            for name, count in zip(columns, self.counts, strict=True)
            for number in range(1, count + 1)
        ]

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        self.require(texts is not None, "needs columns of texts, got numbers")
        assert texts is not None
        hashes, sizes, idf, vectors, means, counts = [], [0], [], [], [], []
        for index, own in enumerate(texts):
            rows = _rows_of_texts(columns[:, index], len(own), weight)
            used, found = np.flatnonzero(rows), self._counts(own)
            total = len(columns) if weight is None else int(np.count_nonzero(weight))
            vocabulary = [self._known(at, tokens, rows, total) for at, tokens, _ in found]
            known, weights = [each for each, _ in vocabulary], [own_idf for _, own_idf in vocabulary]
            matrix = _matrix(found, known, weights, len(own))[used]
            basis, mean = _directions(matrix, rows[used], total, self.size)
            hashes += known
            sizes += map(len, known)
            idf += weights
            vectors.append(basis.astype(np.float32).reshape(-1))
            means.append(mean)
            counts.append(len(mean))
        learned: Learned = {
            "hashes": np.concatenate(hashes).astype(np.int64),
            "starts": np.cumsum(sizes, dtype=np.int64),
            "idf": np.concatenate(idf),
            "vectors": np.concatenate(vectors),
            "means": np.concatenate(means),
        }
        return self.model_copy(update={"counts": tuple(counts), "outputs": None}), learned

    @property
    def reads_target(self) -> bool:
        return self.answers

    def fit_to_target(
        self, columns: Columns, fitted: Fitted, target: TargetArray, weight: Weight = None, texts: Texts | None = None
    ) -> tuple[Self, Learned]:
        outputs, every, means, counts = answers_of(target), [], [], []
        for rows, vectors, mean in self._row_weights(columns, fitted, texts):
            coefficients, intercepts = linear_model(rows, target, weight, outputs)
            every.append(np.concatenate([vectors, coefficients.astype(np.float32)], axis=1))
            means.append(np.concatenate([mean, -intercepts]))
            counts.append(len(means[-1]))
        learned = {
            **fitted,
            "vectors": np.concatenate([each.reshape(-1) for each in every]),
            "means": np.concatenate(means),
        }
        return self.model_copy(update={"counts": tuple(counts), "outputs": outputs}), learned

    def out_of_fold(
        self,
        columns: Columns,
        fitted: Fitted,
        target: TargetArray,
        folds: NDArray[np.intp],
        weight: Weight = None,
        texts: Texts | None = None,
    ) -> NDArray[np.float64]:
        outputs, made = self.outputs or 0, []
        for rows, vectors, mean in self._row_weights(columns, fitted, texts):
            answers = np.empty((len(columns), outputs))
            for fold in np.unique(folds):
                own = folds == fold
                others = None if weight is None else weight[~own]
                coefficients, intercepts = linear_model(rows[~own], target[~own], others, outputs)
                answers[own] = rows[own] @ coefficients + intercepts
            made += [rows @ vectors.astype(np.float64) - mean, answers]
        return np.concatenate(made, axis=1)

    def _row_weights(
        self, columns: Columns, fitted: Fitted, texts: Texts | None
    ) -> Iterator[tuple[csr_array, NDArray[np.float32], NDArray[np.float64]]]:
        """Yield each column's weights (rows, tokens), and the vectors and means of its directions."""
        from scipy.sparse import csr_array, vstack

        assert texts is not None, "`fit` requires them"
        for index, (own, (hashes, idf, vectors, means)) in enumerate(zip(texts, self.parts(fitted), strict=True)):
            matrix = _matrix(self._counts(own), hashes, idf, len(own))
            column = np.asarray(columns[:, index], np.float64)
            at = np.where(np.isnan(column), len(own), column).astype(np.intp)
            directions = len(means) - (self.outputs or 0)
            rows = vstack([matrix, csr_array((1, matrix.shape[1]))], format="csr")[at]
            yield rows, vectors[:, :directions], means[:directions]

    def check(self, fitted: Fitted) -> None:
        super().check(fitted)
        hashes, starts = fitted["hashes"], fitted["starts"]
        divides = starts[0] == 0 and starts[-1] == len(hashes) and (starts[1:] >= starts[:-1]).all()
        self.require(bool(divides), "starts do not divide hashes")
        self.require(len(fitted["idf"]) == len(hashes), "idf has not one number for each of the hashes")
        self.require(bool((fitted["idf"] >= 1).all()), "idf is below 1")
        for begin, end in pairwise(starts.tolist()):
            group = hashes[begin:end]
            ascends = (group[1:] > group[:-1]).all() and (group >= 0).all() and (group <= MASK).all()
            self.require(bool(ascends), "hashes are not of 32 bits in ascending order, each once")
            self.require(end - begin <= self.maximum_tokens, "a column has more than maximum_tokens")
        assert self.counts is not None, "checked with the spec"
        answers = self.outputs or 0
        self.require(self.answers == (self.outputs is not None), "outputs do not fit answers")
        fits = all(0 <= count - answers <= self.size for count in self.counts)
        self.require(fits, f"counts are {self.counts}, expected at most size beside the answers")
        tokens = np.diff(starts[::GROUPS])
        self.require(int(tokens @ np.array(self.counts)) == len(fitted["vectors"]), "vectors do not fit the hashes")

    def coder(self, texts: Texts, fitted: Fitted) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
        """Return a function from text indices (rows, columns) to vectors (rows, outputs); NaN is a missing cell.

        The texts may differ from the texts of `fit`, and be in any order.
        """
        arrays = [fitted[name] for name in self.learned]
        tables = [
            cached(own, ("vectors", self, index), partial(self._vectors, own, *of_column), arrays)
            for index, (own, of_column) in enumerate(zip(texts, self.parts(fitted), strict=True))
        ]

        def vectors(columns: NDArray[Any]) -> NDArray[np.float64]:
            made = []
            for index, table in enumerate(tables):
                column = columns[:, index]
                made.append(table[np.where(np.isnan(column), len(table) - 1, column).astype(np.intp)])
            return np.concatenate(made, axis=1)

        return vectors

    def parts(
        self, fitted: Fitted
    ) -> Iterator[tuple[list[NDArray[np.int64]], list[NDArray[np.float64]], NDArray[np.float32], NDArray[np.float64]]]:
        """Yield each column's hashes and idf by group of tokens, its vectors (tokens, size) and its means."""
        assert self.counts is not None, "fitted"
        starts, token_end, vector_end, mean_end = fitted["starts"].tolist(), 0, 0, 0
        for index, count in enumerate(self.counts):
            bounds = list(pairwise(starts[GROUPS * index : GROUPS * (index + 1) + 1]))
            tokens, token_end = bounds[-1][1] - token_end, bounds[-1][1]
            vectors = fitted["vectors"][vector_end : vector_end + tokens * count].reshape(tokens, count)
            means = fitted["means"][mean_end : mean_end + count]
            vector_end, mean_end = vector_end + tokens * count, mean_end + count
            hashes, idf = ([fitted[key][begin:end] for begin, end in bounds] for key in ("hashes", "idf"))
            yield hashes, idf, vectors, means

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        return columns

    def trained_gaps(self, fitted: Fitted) -> tuple[int, ...] | None:
        assert self.counts is not None, "fitted"
        return tuple(range(len(self.counts)))  # a missing cell is like any text without known tokens

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        """Return missing cells: a vector has no text."""
        assert self.counts is not None, "fitted"
        return np.full((len(columns), len(self.counts)), np.nan)

    def _counts(self, texts: NDArray[np.str_]) -> list[TokenCounts]:
        """Return the tokens of texts, which all fits and predictions of the same column share."""
        tokenizer = Tokenizer(pairs=self.pairs, shortest=self.shortest, longest=self.longest)
        key = "tokens", self.pairs, self.shortest, self.longest
        return cached(texts, key, lambda: tokenizer.counts(texts.tolist()))

    def _known(
        self,
        at: NDArray[np.int32],
        hashes: NDArray[np.uint32],
        rows: NDArray[np.intp],
        total: int,
    ) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
        """Return the hashes with a row of their own, ascending, and their idf, given each text's number of rows."""
        distinct, index = np.unique(hashes, return_inverse=True)
        having = np.bincount(index, rows[at], len(distinct))
        frequent = np.flatnonzero(having >= self.minimum_count)
        chosen = np.sort(frequent[np.argsort(-having[frequent], kind="stable")[: self.maximum_tokens]])
        return distinct[chosen], np.log((1 + total) / (1 + having[chosen])) + 1

    def _vectors(
        self,
        texts: NDArray[np.str_],
        hashes: list[NDArray[np.int64]],
        idf: list[NDArray[np.float64]],
        vectors: NDArray[np.float32],
        means: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the vectors of texts, and behind them that of a missing cell: (texts + 1, outputs)."""
        matrix = _matrix(self._counts(texts), hashes, idf, len(texts))
        return np.concatenate([matrix @ vectors.astype(np.float64) - means, -means[np.newaxis]])


def _rows_of_texts(column: NDArray[Any], texts: int, weight: Weight) -> NDArray[np.intp]:
    """Return the number of rows of each text; rows of weight 0 do not count."""
    present = ~np.isnan(column)
    if weight is not None:
        present &= weight > 0
    return np.bincount(column[present].astype(np.intp), minlength=texts)


def _matrix(
    found: Sequence[TokenCounts],
    hashes: Sequence[NDArray[Any]],
    idf: Sequence[NDArray[np.float64]],
    texts: int,
) -> csr_array:
    """Return the weights (texts, tokens) of known tokens; in each group of tokens a text's vector has length 1."""
    from scipy.sparse import csr_array

    entries, start = [], 0
    for (at, own, times), known, weight in zip(found, hashes, idf, strict=True):
        index = np.searchsorted(known, own).clip(max=max(0, len(known) - 1))
        is_known = known[index] == own if len(known) else np.zeros(len(own), np.bool_)
        at, index, times = at[is_known], index[is_known], times[is_known]
        numbers = (1 + np.log(times)) * weight[index]
        length = np.sqrt(np.bincount(at, numbers**2, texts))
        entries.append((numbers / length[at], at, index + start))
        start += len(known)
    numbers, at, index = (np.concatenate(each) for each in zip(*entries, strict=True))
    return csr_array((numbers, (at, index)), shape=(texts, start))


def _directions(
    matrix: csr_array, rows: NDArray[np.intp], total: int, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the vectors of tokens (tokens, directions), and the mean of the training rows (directions,).

    Parameters
    ----------
    matrix : sparse array (texts, tokens)
    rows : ndarray (texts,)
        The number of training rows of each text.
    total : int
        The number of training rows, of which those without a text are 0.
    size : int
        Largest number of directions.
    """
    largest = min(size, *matrix.shape)
    if not matrix.nnz or not largest:
        return np.zeros((matrix.shape[1], 0)), np.zeros(0)
    from scipy.sparse import diags_array
    from sklearn.utils.extmath import randomized_svd

    weighted = (diags_array(np.sqrt(rows.astype(np.float64))) @ matrix).tocsr()
    _, _, found = randomized_svd(weighted, largest, random_state=_SEED)
    basis = found.T
    made = matrix @ basis
    mean = rows @ made / total
    deviation = np.sqrt(np.maximum((rows @ made**2) / total - mean**2, 0))
    chosen = deviation > _RANK * deviation.max(initial=0)
    return basis[:, chosen] / deviation[chosen], (mean / np.where(deviation > 0, deviation, 1))[chosen]
