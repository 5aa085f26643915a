"""The tables of columns of texts in exports: what a file needs to make the vectors of a text.

A file has the folding of code points once (the lines of `specnet/parts/preprocessing/folding.txt`), and for each column
and network the arrays of a `TokenVectors`. From a text it computes, for each of the two groups of tokens:

1. the words between separators of the folded text; tokens and hashes as in `specnet.parts.preprocessing.tokens`,
2. count c of each hash that is in the group's `hashes` (ascending: by bisection); weight w = (1 + ln c) · idf,
3. the sum of w · vector over these hashes, divided by the root of the sum of w²; nothing if there are none.

The sums of both groups minus `means` are the features of the text. Nothing depends on what the vectors are, or how many
numbers they have. ONNX can get the hashes of tokens as its input, from step 2 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from string import ascii_lowercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import StepGroup
from specnet.parts.preprocessing import TextVectors
from specnet.parts.preprocessing.folding import SEPARATOR, folding_table
from specnet.parts.preprocessing.tokens import GRAM, GROUPS, fnv1a

_FEW = 40
"""Number of short words of which pairs are looked for."""
_WORDS_IN_A_TEXT = 12
_UNKNOWN = [
    "",
    "!?",
    "qqqxxzz vvkkqq",
    "ÀÉÎ ßtraße Œuvre",
    "東京 日本",
    "🔥 on\n\tfire 🔥",
    "\\n \"quoted\" 'text'",
    "Ёлка ДОМ",
]
"""Texts of other alphabets, of no words, and such as need escapes."""


class TokenVectors:
    """The hashes, weights and vectors of a column's tokens, in one network.

    Parameters
    ----------
    step : TextVectors
        The fitted step.
    hashes : list of ndarray (tokens,)
        The hashes of words and pairs, and those of n-grams, ascending.
    idf : list of ndarray (tokens,)
    vectors : ndarray (tokens, size)
        Vectors of the words and pairs, then of the n-grams.
    means : ndarray (size,)
    """

    def __init__(
        self,
        step: TextVectors,
        hashes: list[NDArray[np.int64]],
        idf: list[NDArray[np.float64]],
        vectors: NDArray[np.float32],
        means: NDArray[np.float64],
    ) -> None:
        self.pairs, self.lengths = step.pairs, (step.shortest, step.longest)
        self.hashes, self.idf, self.vectors, self.means = hashes, idf, vectors, means

    def __eq__(self, other: object) -> bool:
        """Return whether another table makes the same features of each text: networks of a team often share theirs."""
        if not isinstance(other, TokenVectors):
            return NotImplemented
        settings, others = (self.words, self.pairs, self.lengths), (other.words, other.pairs, other.lengths)
        arrays = other.arrays()
        return settings == others and all(np.array_equal(array, arrays[key]) for key, array in self.arrays().items())

    @property
    def size(self) -> int:
        """The number of features of a text."""
        return len(self.means)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the table: hashes and idf of both groups, where the second begins, vectors, means."""
        return {
            "hashes": np.concatenate(self.hashes).astype(np.uint32),
            "idf": np.concatenate(self.idf),
            "vectors": self.vectors,
            "means": self.means,
        }

    @property
    def words(self) -> int:
        """The number of words and pairs, before the n-grams."""
        return len(self.hashes[0])

    def texts(self, count: int, generator: np.random.Generator) -> list[str]:
        """Return random texts with known and unknown tokens: the table has no words, so short ones are tried.

        They are strings of known n-grams, and known words and pairs of up to three letters.
        """
        inside = [set(group.tolist()) for group in self.hashes]
        short = ["".join(letters) for length in (1, 2, 3) for letters in product(ascii_lowercase, repeat=length)]
        words = [word for word in short if fnv1a(word.encode()) in inside[0]]
        pairs = [
            f"{first} {second}"
            for first, second in product(words[:_FEW], repeat=2)
            if fnv1a(f"{first} {second}".encode()) in inside[0]
        ]
        grams = [word for word in short if fnv1a(GRAM + word.encode()) in inside[GROUPS - 1]]
        known = [*words, *pairs, *grams] or short[:26]
        found = list(_UNKNOWN)
        while len(found) < count:
            chosen = generator.choice(len(known), 1 + int(generator.integers(_WORDS_IN_A_TEXT)))
            pieces = [known[index] for index in chosen.tolist()]
            text = "".join(piece + generator.choice(["", " ", ", "]) for piece in pieces)
            found.append(text.upper() if generator.random() < 0.2 else text)
        return found[:count]


def folding_ranges() -> Iterator[tuple[int, int, int, str]]:
    """Yield the folding as ranges that do not overlap, ascending, for a search by bisection.

    Yields
    ------
    first, last, step : int
        The code points of the range; those between two of its steps remain as they are.
    replacement : str
        ``separator``, ``nothing``, the distance to another code point, or several code points, in decimal.
    """
    found = {point: _replacement(point, text) for point, text in folding_table().items()}
    points = sorted(found)
    while points:
        first, *others = points[:3]
        step = others[0] - first if others and others[0] - first <= 2 and found[others[0]] == found[first] else 1
        last, count = first, 1
        while count < len(points) and points[count] == last + step and found[points[count]] == found[first]:
            last, count = points[count], count + 1
        yield first, last, step, found[first]
        points = points[count:]


def _replacement(point: int, text: str) -> str:
    if len(text) == 1 and text != SEPARATOR:
        return str(ord(text) - point)
    return "separator" if text == SEPARATOR else " ".join(str(ord(letter)) for letter in text) or "nothing"


def text_tables(group: StepGroup, indices: range | tuple[int, ...]) -> Iterator[tuple[int, TokenVectors]]:
    """Yield the index of each raw column of texts of a group, with its table."""
    step = group.steps[0] if group.steps else None
    if isinstance(step, TextVectors):
        for index, arrays in zip(indices, step.parts(group.fitted[0]), strict=True):
            yield index, TokenVectors(step, *arrays)
