"""Steps for categories against scikit-learn's encoders, and what they say of texts they were not fitted to."""

import tracemalloc
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from specnet import DataError
from tests.registry import part
from tests.texts.pinned import Refused

ordinal, one_hot = (partial(part, "preprocessing", name) for name in ("ordinal", "one_hot"))
RNG = np.random.default_rng(0)
NAN = np.nan


def table(*columns):
    """Return columns of texts, None being a missing cell, as places in each column's distinct texts."""
    texts = tuple(np.array(sorted({text for text in column if text is not None}), np.str_) for column in columns)
    rows = [
        [NAN if text is None else float(np.searchsorted(known, text)) for text in column]
        for column, known in zip(columns, texts, strict=True)
    ]
    return np.array(rows).T, texts


def learned_texts(learned):
    data, offsets, starts = (learned[key] for key in ("categories", "offsets", "starts"))
    texts = [data[begin:end].tobytes().decode() for begin, end in pairwise(offsets)]
    return [texts[begin:end] for begin, end in pairwise(starts)]


def codes(step, columns, texts, others=None, other_texts=None):
    known, learned = step.fit(columns, None, texts)
    return known.coder(other_texts or texts, learned)(columns if others is None else others)


LETTERS = [RNG.permutation(RNG.permutation(list("abcdefghij")).repeat(np.arange(1, 20, 2))).tolist() for _ in range(3)]
"""Columns of letters of which no two are equally frequent: scikit-learn has a rule of its own for these."""


@pytest.mark.parametrize("minimum", [1, 5, 18])
@pytest.mark.parametrize("maximum", [3, 7, 1000])
def test_codes_and_columns_are_scikit_learns(minimum, maximum):
    columns, texts = table(*LETTERS)
    options = {"min_frequency": minimum, "max_categories": maximum + 1}
    rows = np.array(LETTERS).T
    oracle = OneHotEncoder(**options, handle_unknown="infrequent_if_exist", sparse_output=False).fit(rows)
    expected = oracle.transform(rows)
    names = oracle.get_feature_names_out()
    known, learned = one_hot(minimum_count=minimum, maximum_categories=maximum).fit(columns, None, texts)
    found = known.apply(known.coder(texts, learned)(columns), learned)
    np.testing.assert_array_equal(found, expected[:, [not name.endswith("infrequent_sklearn") for name in names]])

    expected = OrdinalEncoder(**options).fit_transform(rows)
    found = codes(ordinal(minimum_count=minimum, maximum_categories=maximum), columns, texts)
    last = expected.max(0)  # scikit-learn's code of rare categories, where there are any
    rare = (found == 0).any(0)
    np.testing.assert_array_equal(found, np.where(rare & (expected == last), 0, expected + 1))


def test_codes_follow_utf8_bytes_with_missing_at_the_end():
    words = ["é", "Z", "a", "𝄞", "￿", None, "ab", "10", "9"]
    columns, texts = table(words)
    known, learned = ordinal(minimum_count=1).fit(columns, None, texts)
    expected = sorted(filter(None, words), key=str.encode)
    assert learned_texts(learned) == [[*expected, ""]]
    found = known.coder(texts, learned)(columns)[:, 0].tolist()
    assert found == [9 if word is None else expected.index(word) + 1 for word in words]


def test_the_first_in_order_is_kept_where_categories_are_equally_frequent_and_missing_always():
    columns, texts = table(["c", "b", "a", None] * 2 + ["d"] * 3)
    for most, kept in [(1, [""]), (2, ["d", ""]), (4, ["a", "b", "d", ""]), (5, ["a", "b", "c", "d", ""])]:
        _, learned = ordinal(minimum_count=2, maximum_categories=most).fit(columns, None, texts)
        assert learned_texts(learned) == [kept]
    frequent, texts = table(["a", "b"] * 2 + [None] * 3)
    _, learned = ordinal(minimum_count=2, maximum_categories=2).fit(frequent, None, texts)
    assert learned_texts(learned) == [["a", ""]]


def test_texts_of_another_table_are_found_whatever_their_order_and_unseen_ones_are_0():
    columns, texts = table(["red", "green", "blue", None], ["x", "y", "x", "y"])
    others = (np.array(["violet, but longer than all", "blue", "red", "gree", "green"]), np.array(["z"]))
    rows = np.array([[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [NAN, NAN]])
    found = codes(ordinal(minimum_count=1), columns, texts, rows, others)
    assert found.tolist() == [[0, 0], [1, 0], [3, 0], [0, 0], [2, 0], [4, 0]]
    short = (np.array(["b", "re"]), np.array(["y", "x"]))
    assert codes(ordinal(minimum_count=1), columns, texts, rows[:2], short).tolist() == [[0, 2], [0, 2]]


def test_a_column_without_texts_has_missing_cells_alone():
    columns, texts = table([None] * 5, ["a"] * 5)
    found = codes(ordinal(), columns, texts)
    assert found.tolist() == [[1, 1]] * 5
    assert codes(ordinal(minimum_count=6), columns, texts).tolist() == [[1, 0]] * 5


def test_a_single_gap_in_training_has_a_code_unless_its_row_weighs_nothing():
    columns, texts = table(["a"] * 5 + [None])
    for step in (ordinal(), one_hot()):
        assert step.fit(columns, None, texts)[0].counts == (2,)
        assert step.fit(columns, np.array([1.0] * 5 + [0]), texts)[0].counts == (1,)


def test_an_empty_text_is_a_missing_cell():
    columns, texts = table(["", None, "a", "", "a"])
    known, learned = ordinal(minimum_count=3).fit(columns, None, texts)
    assert learned_texts(learned) == [[""]]
    assert known.coder(texts, learned)(columns).ravel().tolist() == [1, 1, 0, 1, 0]
    assert known.trained_gaps(learned) == (0,)
    step = ordinal(minimum_count=1)
    assert learned_texts(step.fit(columns, None, texts)[1]) == [["a", ""]]
    of_both, texts = table(["", "a", "a"], ["b", "b", "c"])
    known, learned = step.fit(of_both, np.array([0.0, 1, 1]), texts)
    assert learned_texts(learned) == [["a"], ["b", "c"]]
    assert known.trained_gaps(learned) == ()
    assert known.coder(texts, learned)(np.array([[0.0, NAN]])).tolist() == [[0, 0]]


def test_a_column_that_is_all_rare_has_no_columns_and_one_code():
    columns, texts = table(list("abcdef"), ["x"] * 6)
    known, learned = one_hot().fit(columns, None, texts)
    assert known.counts == (0, 1)
    known.check(learned)
    assert known.apply(known.coder(texts, learned)(columns), learned).tolist() == [[1.0]] * 6
    assert known.invert(np.ones((2, 1)), learned).tolist() == [[0, 1]] * 2
    alone, learned = one_hot().fit(columns[:, :1], None, texts[:1])
    assert alone.apply(alone.coder(texts[:1], learned)(columns[:, :1]), learned).shape == (6, 0)


def test_one_hot_columns_are_turned_back_to_the_code_they_are_nearest_to():
    columns, texts = table(["a", "b", "c"], ["x", "y", "y"])
    known, learned = one_hot(minimum_count=1).fit(columns, None, texts)
    rows = [[1, 0, 0, 0, 1], [0.5, 0, 0, 0.51, 0.49], [0.2, 0.1, 0.9, 0.5, 0.5], [0, 0, 0, -1, 2]]
    assert known.invert(np.array(rows), learned).tolist() == [[1, 2], [0, 1], [3, 0], [0, 2]]


def test_codes_that_the_fields_do_not_allow_are_refused(refused: Refused):
    columns, texts = table(["a", "b"], ["x", "x"])
    known, learned = ordinal(minimum_count=1).fit(columns, None, texts)
    for changed in ({"counts": (1, 2)}, {"maximum_categories": 1}):
        with refused(DataError):
            known.model_copy(update=changed).check(learned)
    known.model_copy(update={"maximum_categories": 2}).check(learned)
    with refused(DataError):
        known.check(learned | {"categories": np.frombuffer(b"a\0y", np.uint8), "offsets": np.array([0, 2, 2, 3])})
    with refused(DataError):  # a text that no file can hold
        ordinal(minimum_count=1).fit(np.zeros((1, 1)), None, (np.array(["\ud800"]),))


def test_embedding_resolves_to_ordinal_and_a_layer_of_a_vector_for_each_code():
    columns, texts = table(["a", "b"] * 5, ["x"] * 9 + ["y"])
    embedding = part("preprocessing", "embedding", size=3, minimum_count=2, maximum_categories=7)
    assert embedding.ordinal() == ordinal(minimum_count=2, maximum_categories=7)
    step, _ = embedding.ordinal().fit(columns, None, texts)
    layer = part("layer", embedding.layer(step.counts, 4))
    assert layer.columns == (4, 5)
    assert [array.shape for array in layer.parameters((6,))] == [(3, 3), (3, 2)]
    assert layer.output_size((6,)) == 4 + 2 * 3


@pytest.mark.slow
def test_a_million_different_texts_take_little_memory_beside_their_own():
    rows = 1_000_000
    texts = np.sort(np.arange(rows).astype(np.str_))
    columns = np.arange(rows, dtype=np.float64)[:, None]
    tracemalloc.start()
    known, learned = ordinal(minimum_count=1).fit(columns, None, (texts,))
    found = known.coder((texts,), learned)(columns)
    assert tracemalloc.get_traced_memory()[1] < 5e7
    tracemalloc.stop()
    np.testing.assert_array_equal(found[:, 0], np.where(np.arange(rows) < 1000, np.arange(rows) + 1, 0))
