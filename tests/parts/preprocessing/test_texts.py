"""Folding against Unicode's own data, hashes against published ones, tokens and weights against scikit-learn's."""

import unicodedata
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from specnet import DataError
from specnet.parts.preprocessing.folding import folded, folding_table
from specnet.parts.preprocessing.tokens import GRAM, Tokenizer, fnv1a
from tests.figures.make_folding import VERSION, without_case_and_accents
from tests.registry import part

TEXTS = [
    "The quick brown fox jumps over the lazy dog",
    "A quick dog, a lazy FOX",
    "Crème brûlée & café: das Straßenfest",
    "creme brulee und Cafe auf der STRASSE",
    "the the the dog",
    "",
    "fox",
    "дом ДОМА и Ёлка; елка",
    "東京 日本 東京",
    "🔥🔥 fire in the house 🔥",
]
TEXTS += TEXTS[:8] * 2 + TEXTS[8:9] * 3
"""No two directions have the same variance, so that they are unique but for their signs."""


def column(texts):
    """Return one column of texts: indices of distinct texts, and these."""
    distinct, codes = np.unique(np.array([text for text in texts if text], np.str_), return_inverse=True)
    found = np.full((len(texts), 1), np.nan)
    found[[index for index, text in enumerate(texts) if text], 0] = codes
    return found, (distinct,)


def vectors(step, learned, texts):
    codes, known = column(texts)
    return step.apply(step.coder(known, learned)(codes), learned)


def test_every_code_point_is_folded_as_unicode_says():
    running = tuple(map(int, unicodedata.unidata_version.split(".")[:2]))
    table = folding_table()
    for point in range(0x110000):
        character = chr(point)
        if unicodedata.category(character) == "Cn" or (running > VERSION and point not in table):
            continue  # a code point that only one of the two versions has
        assert table.get(point, character) == without_case_and_accents(character), hex(point)


def test_folding_twice_changes_nothing_more():
    table = folding_table()
    assert [point for point, text in table.items() if folded(text) != text] == []
    assert folded("Ünïcödé É ſtraße") == "unicode e strasse" == folded(unicodedata.normalize("NFD", "Ünïcödé É ſtraße"))
    assert folded("don't_stop#now\ud800x").split() == ["don", "t", "stop", "now", "x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0x811C9DC5), ("a", 0xE40C292C), ("b", 0xE70C2DE5), ("foo", 0xA9F37ED7), ("foobar", 0xBF9CF968)],
)
def test_hashes_are_those_that_their_authors_publish(text, expected):
    """http://www.isthe.com/chongo/src/fnv/test_fnv.c"""
    assert fnv1a(text.encode()) == expected


@pytest.mark.parametrize("lengths", [(3, 5), (2, 2), (1, 4)])
def test_tokens_are_those_of_scikit_learns_analyzers(lengths):
    tokenizer = Tokenizer(pairs=True, shortest=lengths[0], longest=lengths[1])
    words = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\S+").build_analyzer()
    for text in TEXTS:
        plain = folded(text)
        inner = [
            f" {word} "[start : start + length]
            for word in plain.split()
            for length in range(lengths[0], lengths[1] + 1)
            for start in range(len(word) + 3 - length)
        ]
        own, grams = tokenizer.tokens(text)
        assert Counter(own) == Counter(fnv1a(token.encode()) for token in words(plain))
        assert Counter(grams) == Counter(fnv1a(GRAM + token.encode()) for token in inner)
    assert Tokenizer(pairs=False, shortest=3, longest=0).tokens("one two") == ([fnv1a(b"one"), fnv1a(b"two")], [])


def test_counts_are_those_of_each_text():
    tokenizer = Tokenizer(pairs=True, shortest=3, longest=5)
    for group, (at, hashes, times) in enumerate(tokenizer.counts(TEXTS)):
        for index, text in enumerate(TEXTS):
            own = at == index
            assert dict(zip(hashes[own].tolist(), times[own].tolist(), strict=True)) == Counter(
                tokenizer.tokens(text)[group]
            )


@pytest.mark.parametrize("minimum", [1, 3])
def test_vectors_are_the_principal_directions_of_scikit_learns_weights(minimum):
    step, learned = part("preprocessing", "text_vectors", size=6, longest=0, minimum_count=minimum).fit(
        column(TEXTS)[0], None, column(TEXTS)[1]
    )
    plain = [folded(text) for text in TEXTS]
    options = {"token_pattern": r"\S+", "ngram_range": (1, 2), "min_df": minimum, "sublinear_tf": True}
    weights = TfidfVectorizer(**options).fit_transform(plain).toarray()
    _, _, basis = np.linalg.svd(weights, full_matrices=False)
    expected = weights @ basis[:6].T
    expected = (expected - expected.mean(0)) / expected.std(0)
    found = vectors(step, learned, TEXTS)
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found * signs, expected, atol=2e-5)  # its vectors are float32
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(0), 1, atol=1e-5)


def test_a_text_has_the_vector_of_its_known_tokens_whatever_else_is_there():
    codes, texts = column(TEXTS)
    step, learned = part("preprocessing", "text_vectors", size=5, pairs=False).fit(codes, None, texts)
    alone, *others = vectors(step, learned, ["lazy fox", "LÁZY, fox!", "fox lazy", "qqq lazy xyzzy fox"])
    for other in others[:2]:
        np.testing.assert_allclose(other, alone, rtol=1e-12)
    words_only, learned = part("preprocessing", "text_vectors", size=5, pairs=False, longest=0).fit(codes, None, texts)
    alone, more = vectors(words_only, learned, ["lazy fox", "qqq lazy xyzzy fox"])
    np.testing.assert_allclose(more, alone, rtol=1e-12)
    missing, unknown = vectors(words_only, learned, ["", "qqq xyzzy"])
    np.testing.assert_array_equal(missing, unknown)


def test_columns_have_tables_of_their_own():
    codes, (texts,) = column(TEXTS)
    others = np.array([text[::-1] for text in texts.tolist()])
    step = part("preprocessing", "text_vectors", size=4)
    both, learned = step.fit(np.hstack([codes, codes]), None, (texts, others))
    first, own = step.fit(codes, None, (texts,))
    found = both.coder((texts, others), learned)(np.hstack([codes, codes]))
    np.testing.assert_array_equal(found[:, : sum(first.counts)], first.coder((texts,), own)(codes))
    assert found.shape[1] == sum(both.counts) == len(learned["means"])


@pytest.mark.parametrize("texts", [[""] * 4, ["!", "?", "...", "- -"], ["one"] * 4])
def test_texts_that_say_nothing_become_no_columns(texts):
    codes, known = column(texts)
    step, learned = part("preprocessing", "text_vectors").fit(codes, None, known)
    assert step.counts == (0,)
    assert vectors(step, learned, texts).shape == (4, 0)


DAMAGES = {
    "hashes": [lambda hashes: hashes[::-1], lambda hashes: hashes + 2**40, lambda hashes: hashes - 2**40],
    "starts": [lambda starts: starts + 1, lambda starts: starts[::-1], lambda starts: starts * 2],
    "idf": [lambda idf: idf[:-1], lambda idf: idf * np.nan, lambda idf: idf - 9],
    "vectors": [lambda vectors: vectors[:-1], lambda vectors: vectors * np.inf],
    "means": [lambda means: means * np.nan],
}


@pytest.mark.parametrize("key", DAMAGES)
def test_planted_damage_is_refused(key):
    codes, texts = column(TEXTS)
    step, learned = part("preprocessing", "text_vectors", size=4).fit(codes, None, texts)
    step.check(learned)
    for damage in DAMAGES[key]:
        with pytest.raises(DataError, match="text_vectors: "), np.errstate(invalid="ignore"):
            step.check(learned | {key: damage(learned[key])})
