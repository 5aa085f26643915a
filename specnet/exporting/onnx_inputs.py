"""The inputs of an ONNX graph: numbers, categories, and the tokens of columns of words.

ONNX has no operator that replaces code points or hashes words, so a graph takes the tokens of a text as integers. The
description of such an input says how they are computed, and the metadata have the table by which case and accents are
ignored: the file needs nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.exporting.export_columns import RawColumn, texts_of
from specnet.exporting.text_tables import TokenVectors
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.preprocessing.folding import folding_table
from specnet.parts.preprocessing.tokens import MASK, Tokenizer

INPUT, NUMBERS_INPUT, TEXTS_INPUT, TOKENS_INPUT = "X", "numbers", "texts", "tokens"
GRAMS = MASK + 1
"""What is added to the hash of an n-gram, so that it is never the token of a word or pair."""
PADDING = -1
TOKENS, FOLDING = "tokens", "folding"
"""Keys of the metadata: which tokens each input has, and the replacement of code points, both in JSON."""


class TokenInput:
    """The input for the tokens of a column of words, as int64 (rows, tokens).

    Parameters
    ----------
    name : str
        Name of the input.
    column : RawColumn
    index : int
        Index of the column.
    table : TokenVectors
        A table of these tokens. Other networks may have tables of other tokens, and need an input of their own.
    """

    def __init__(self, name: str, column: RawColumn, index: int, table: TokenVectors) -> None:
        self.name, self.index, self.pairs, self.lengths = name, index, table.pairs, table.lengths
        self._column = column.name

    def has_tokens_of(self, index: int, table: TokenVectors) -> bool:
        """Return whether a table of the column with an index reads this input."""
        return (self.index, self.pairs, self.lengths) == (index, table.pairs, table.lengths)

    @property
    def settings(self) -> dict[str, Any]:
        """The tokens of this input: the column, whether pairs of words are tokens, and the lengths of n-grams."""
        shortest, longest = self.lengths
        return {"column": self._column, "pairs": self.pairs, "shortest": shortest, "longest": longest}

    @property
    def meaning(self) -> str:
        """A description from which the tokens of a text can be computed."""
        shortest, longest = self.lengths
        pairs = " and of each two words that follow each other, with a space between them," if self.pairs else ""
        steps = [
            f"tokens of {self._column}, each as often as it occurs, in any order; {PADDING} fills up rows, and is all "
            "that a missing cell has",
            f"the words of a text are what stands between spaces after each code point has been replaced as `{FOLDING}`"
            " in the metadata says (in JSON; a code point that is not a key remains)",
            f"of each word{pairs} the token is the FNV-1a hash of 32 bits of its UTF-8",
        ]
        if longest:
            steps.append(
                f"of each {shortest} to {longest} code points that follow each other in a word with a space before and "
                "behind it, the token is 2^32 plus the hash of a null byte and their UTF-8"
            )
        return "; ".join(steps)

    def tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the tokens of texts (texts, largest number of tokens)."""
        shortest, longest = self.lengths
        tokenizer, found = Tokenizer(pairs=self.pairs, shortest=shortest, longest=longest), []
        for text in texts:
            words, grams = tokenizer.tokens(text)
            found.append([*words, *(GRAMS + gram for gram in grams)])
        return np.array(list(zip_longest(*found, fillvalue=PADDING)), np.int64).reshape(-1, len(texts)).T


def token_inputs(columns: Sequence[RawColumn]) -> list[TokenInput]:
    """Return the inputs for columns of words: one for each column, or more if networks have other tokens of it."""
    found: list[TokenInput] = []
    for index, column in enumerate(columns):
        for table in column.tables:
            if not any(given.has_tokens_of(index, table) for given in found):
                taken, name, number = {given.name for given in found}, f"{TOKENS_INPUT}.{column.name}", 2
                while name in taken:
                    name, number = f"{TOKENS_INPUT}.{column.name}.{number}", number + 1
                found.append(TokenInput(name, column, index, table))
    return found


def token_facts(inputs: Sequence[TokenInput]) -> dict[str, str]:
    """Return the metadata by which the tokens of texts are computed; empty without such inputs."""
    if not inputs:
        return {}
    settings = {given.name: given.settings for given in inputs}
    return {TOKENS: json.dumps(settings), FOLDING: json.dumps(folding_table(), separators=(",", ":"))}


def inputs_of(columns: Sequence[RawColumn], dtype: np.dtype[Any]) -> list[tuple[str, np.dtype[Any], list[int], str]]:
    """Return for each input of numbers or categories its name, data type, raw columns (indices), and a description."""
    texts = [index for index, column in enumerate(columns) if column.is_text]
    numbers = [index for index, column in enumerate(columns) if not (column.is_text or column.has_words)]
    if len(numbers) == len(columns):
        return [(INPUT, dtype, numbers, _described(columns))]
    inputs = [(NUMBERS_INPUT, FLOAT64, numbers), (TEXTS_INPUT, np.dtype(np.str_), texts)]
    return [
        (name, dtype, indices, _described([columns[index] for index in indices]))
        for name, dtype, indices in inputs
        if indices
    ]


def fed(columns: Sequence[RawColumn], dtype: np.dtype[Any], rows: RawColumns) -> dict[str, Array]:
    """Return the arrays of raw rows by the names of the graph's inputs."""
    texts = texts_of(columns, rows)
    found = {
        name: np.array([texts[index] for index in indices], np.object_).T
        if kind.kind == "U"
        else rows.X[:, indices].astype(kind)
        for name, kind, indices, _ in inputs_of(columns, dtype)
    }
    return found | {given.name: given.tokens(texts[given.index]) for given in token_inputs(columns)}


def _described(columns: Sequence[RawColumn]) -> str:
    """Return a description of an input's columns, which are all numbers or all texts."""
    words, are_numbers = "raw columns", all(column.kind == "numeric" for column in columns)
    missing = any(column.takes_missing for column in columns)
    if missing:
        words += f", {'an empty text' if columns[0].is_text else 'NaN'} where a cell is missing"
    if not columns[0].name:
        return words
    if are_numbers and not missing:
        return f"{words}: {', '.join(column.name for column in columns)}"
    return f"{words}: {'; '.join(f'{column.name}: {column.meaning}' for column in columns)}"
