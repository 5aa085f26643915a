"""Tokens of texts: words, pairs of words, and the character n-grams of words, each as a hash of 32 bits.

A text is folded (`folding`); its words are what stands between separators. The hash of a token is FNV-1a of 32 bits
over bytes (Fowler, Noll and Vo; RFC 9923), a loop of two operations in every language:

    hash = 2166136261;  for each byte:  hash = (hash xor byte) · 16777619 mod 2³²

The bytes of a word are its UTF-8. A pair is two words that follow each other, with a space between them. An n-gram is n
code points that follow each other in the word with a space before and behind it, as scikit-learn's analyzer ``char_wb``
has them, with a byte 0 before its UTF-8, so that it is never the token of a word. Words and pairs are one group of
tokens, n-grams the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from specnet.parts.preprocessing.folding import folded

TokenCounts = tuple[NDArray[np.int32], NDArray[np.uint32], NDArray[np.uint32]]
"""The index of the text, the hash of the token, and how often it occurs there, of each token of each text."""

START, PRIME, MASK = 2166136261, 16777619, 2**32 - 1
"""The offset basis and the prime of FNV-1a, and the mask of its 32 bits."""
GRAM = b"\0"
"""The byte before the characters of an n-gram."""
GROUPS = 2
"""Words with pairs of words, and n-grams."""
_AT_ONCE = 2**14
"""Number of texts whose tokens are counted at once."""


def fnv1a(data: bytes, start: int = START) -> int:
    """Return the 32-bit FNV-1a hash of bytes; `start` is the hash of the bytes before them."""
    value = start
    for byte in data:
        value = (value ^ byte) * PRIME & MASK
    return value


class Tokenizer:
    """Counts tokens of texts; the hashes of a word are computed once.

    Parameters
    ----------
    pairs : bool
        Whether pairs of words are tokens.
    shortest, longest : int
        Lengths of n-grams in code points; none if `longest` is 0.
    """

    def __init__(self, *, pairs: bool, shortest: int, longest: int) -> None:
        self._pairs = pairs
        self._lengths = range(shortest, longest + 1) if longest else range(0)
        self._words: dict[str, tuple[int, list[int]]] = {}
        self._known_pairs: dict[tuple[str, str], int] = {}

    def tokens(self, text: str) -> tuple[list[int], list[int]]:
        """Return the hashes of a text's words and pairs, and of its n-grams, each as often as it occurs."""
        words, grams = list[int](), list[int]()
        split = [word for word in folded(text).split(" ") if word]
        for word in split:
            own, inner = self._hashes(word)
            words.append(own)
            grams += inner
        if self._pairs:
            words += [self._pair(*pair) for pair in pairwise(split)]
        return words, grams

    def counts(self, texts: Iterable[str]) -> list[TokenCounts]:
        """Return for each group of tokens the index of the text, the hash, and how often it occurs there.

        Entries are in the order of texts, and of hashes within a text.
        """
        found: list[list[NDArray[np.uint64]]] = [[], []]
        times: list[list[NDArray[np.intp]]] = [[], []]
        pending: tuple[list[int], list[int]] = [], []

        def count() -> None:
            for group, listed in enumerate(pending):
                keys, often = np.unique(np.array(listed, np.uint64), return_counts=True)
                found[group].append(keys)
                times[group].append(often)
                listed.clear()

        for index, text in enumerate(texts):
            for listed, hashes in zip(pending, self.tokens(text), strict=True):
                listed += [index << 32 | value for value in hashes]
            if (index + 1) % _AT_ONCE == 0:
                count()
        count()
        return [
            (
                (keys >> np.uint64(32)).astype(np.int32),
                (keys & np.uint64(MASK)).astype(np.uint32),
                np.concatenate(often).astype(np.uint32),
            )
            for keys, often in ((np.concatenate(each), often) for each, often in zip(found, times, strict=True))
        ]

    def _hashes(self, word: str) -> tuple[int, list[int]]:
        """Return the hash of a word, and the hashes of its n-grams."""
        if word not in self._words:
            around = f" {word} "
            grams = [
                fnv1a(GRAM + around[start : start + length].encode())
                for length in self._lengths
                for start in range(len(around) - length + 1)
            ]
            self._words[word] = fnv1a(word.encode()), grams
        return self._words[word]

    def _pair(self, first: str, second: str) -> int:
        key = first, second
        if key not in self._known_pairs:
            self._known_pairs[key] = fnv1a(b" " + second.encode(), self._hashes(first)[0])
        return self._known_pairs[key]
