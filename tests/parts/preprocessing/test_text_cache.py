"""What is computed from texts is computed once, as long as these exist, and never taken for other texts or fits."""

import gc
from collections.abc import Iterable

import numpy as np
import pytest

from specnet.parts.preprocessing.text_cache import cached
from specnet.parts.preprocessing.tokens import TokenCounts, Tokenizer
from tests.registry import part

TEXTS = np.array(["a dog", "a lazy dog", "a lazy fox", "the dog", "the fox"])
CODES = np.array([[0.0], [1], [2], [2], [3], [4], [np.nan]])
TARGET = np.array([0, 1, 1, 0, 0, 1, 0])
FOLDS = np.array([0, 1, 0, 1, 0, 1, 1])


@pytest.fixture
def counted(monkeypatch):
    """The number of texts of each call that counts tokens."""
    numbers, counts = list[int](), Tokenizer.counts

    def counts_of(self: Tokenizer, texts: Iterable[str]) -> list[TokenCounts]:
        found = list(texts)
        numbers.append(len(found))
        return counts(self, found)

    monkeypatch.setattr(Tokenizer, "counts", counts_of)
    return numbers


def test_tokens_are_counted_once_for_all_fits_folds_and_predictions(counted):
    texts, step = (TEXTS.copy(),), part("preprocessing", "text_vectors", size=2, answers=True)
    for size in (2, 3):
        fitted, learned = step.model_copy(update={"size": size}).fit(CODES, None, texts)
        fitted, learned = fitted.fit_to_target(CODES, learned, TARGET, None, texts)
        fitted.out_of_fold(CODES, learned, TARGET, FOLDS, None, texts)
        first, second = (fitted.coder(texts, learned)(CODES) for _ in range(2))
        np.testing.assert_array_equal(first, second)
    assert counted == [len(TEXTS)]
    part("preprocessing", "text_vectors", pairs=False).fit(CODES, None, texts)
    fitted.coder((TEXTS.copy(),), learned)
    assert counted == [len(TEXTS)] * 3, "other tokens, and an array of its own"


def test_each_fit_to_the_same_texts_has_vectors_of_its_own():
    texts, step = (TEXTS.copy(),), part("preprocessing", "text_vectors", size=2)
    fits = [step.fit(CODES[rows], None, texts) for rows in (slice(5), slice(1, 7), slice(5))]
    shared = [one.coder(texts, learned)(CODES) for one, learned in fits]
    alone = [one.coder((TEXTS.copy(),), learned)(CODES) for one, learned in fits]
    np.testing.assert_array_equal(shared, alone)
    np.testing.assert_array_equal(shared[0], shared[2])
    assert np.abs(shared[0] - shared[1]).max() > 0.1


def test_a_result_is_that_of_the_latest_inputs_and_of_arrays_that_exist():
    texts, one, other, calls = TEXTS.copy(), np.ones(2), np.ones(2), list[str]()
    for name, inputs in (("one", one), ("one", one), ("other", other), ("one", one)):
        assert cached(texts, "name", lambda name=name: calls.append(name) or name, [inputs]) == name
    assert calls == ["one", "other", "one"]
    for number in range(20):  # an array of the same address as a deleted one
        texts = TEXTS.copy()
        assert cached(texts, "number", lambda number=number: number) == number
        del texts
        gc.collect()
