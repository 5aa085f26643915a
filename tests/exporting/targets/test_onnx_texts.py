"""The tokens that ONNX files take: what they are, one input for each kind of them, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pandas
import pytest

from specnet import FileError, Model
from specnet.exporting.export_columns import columns_of
from specnet.exporting.onnx_inputs import token_inputs
from specnet.importing import open_model
from tests.exporting import tokens_of_file
from tests.exporting.models import exported
from tests.exporting.tables import CLASSES, fitted, group
from tests.exporting.test_texts import KINDS, WORDS, model_of, rows_of

HASHES = {"a": 0xE40C292C, "b": 0xE70C2DE5, "foobar": 0xBF9CF968}
"""FNV-1a of 32 bits, from the authors' test vectors (draft-eastlake-fnv, appendix C)."""


def test_tokens_are_hashes_of_folded_words():
    said, b = token_inputs(columns_of(model_of()))
    assert (said.name, b.name) == ("tokens.said", "tokens.b")
    found = said.tokens(["FOOBÁR, b", "", "a"])
    assert found.dtype == np.int64
    assert (found[1] == -1).all()
    assert [found[2, 0], *found[0, :2]] == [HASHES["a"], HASHES["foobar"], HASHES["b"]]
    assert said.tokens(["", ""]).shape == (2, 0)
    words, grams = found[0][found[0] < 2**32], found[0][found[0] >= 2**32]
    assert len(words) == 2 + 1, "a pair"
    assert len(grams) == sum(len(" foobar ") + 1 - length for length in (3, 4, 5)) + 1
    assert {*b.tokens(["a b"])[0].tolist()} > {HASHES["a"], HASHES["b"]}


def other_tokens() -> Model:
    """Return a team whose networks have other tokens of the same column, between columns of all kinds."""
    steps = [
        group("said", {"type": "text_vectors", "size": 4, "pairs": False, "longest": 0}),
        group("kind", "one_hot"),
        group("b", {"type": "text_vectors", "size": 3, "pairs": False, "shortest": 1, "longest": 2}),
        group("a", "impute", "standardize"),
    ]
    other = fitted(steps, rows_of(3), "float64", CLASSES, feature_kinds=KINDS)
    return Model.joined([model_of(), other], [1, 2])


def of_unusual_columns(second: str) -> tuple[Model, pandas.DataFrame]:
    """Return a model with texts that are all the same, or of which no word occurs twice, between two other columns."""
    rng = np.random.default_rng(4)
    unusual = [f"unique{number}" if second == "unique" else "same words" for number in range(60)]
    rows = pandas.DataFrame({"first": [" ".join(rng.choice(WORDS, 4)) for _ in range(60)], "second": unusual})
    rows["third"] = [" ".join(rng.choice(WORDS[:5], 3)) for _ in range(60)]
    step = {"type": "text_vectors", "size": 3, "longest": 0, "answers": second == "unique"}
    model = fitted(
        [group("first second third", step)], rows, "float64", CLASSES, feature_kinds=dict.fromkeys(rows, "text")
    )
    return model, rows


@pytest.mark.parametrize("case", ["tokens", "unique", "same"])
def test_answers_and_import(case: str, tmp_path: Path):
    """The file's own description of tokens is all that is needed, and it is read back to the same numbers."""
    model, rows = (other_tokens(), rows_of(9)) if case == "tokens" else of_unusual_columns(case)
    path = exported(model, "onnx", tmp_path / "m.onnx").files[0]
    names = [each.name for each in onnx.load(path).graph.input]
    if case == "tokens":
        assert names == ["numbers", "texts", "tokens.said", "tokens.said.2", "tokens.b"]
    else:
        assert names == ["tokens.first", "tokens.second", "tokens.third"]
        (step,) = model.preprocessing.groups[0].steps
        assert step.counts[1] == (3 if case == "unique" else 0)
    expected = model.predict_proba(rows)
    assert len(np.unique(expected.round(9), axis=0)) > 40
    np.testing.assert_allclose(tokens_of_file.answers(path, rows), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(open_model(path).predict_proba(rows), expected)


def test_a_changed_token_is_seen_when_the_file_is_read(tmp_path: Path):
    path = exported(model_of(), "onnx", tmp_path / "m.onnx").files[0]
    changed = onnx.load(path)
    node = next(node for node in changed.graph.node if node.op_type == "TfIdfVectorizer")
    pool = next(attribute for attribute in node.attribute if attribute.name == "pool_int64s")
    pool.ints[0] += 1
    onnx.save(changed, path)
    with pytest.raises(FileError, match="other nodes, inputs or outputs than its spec"):
        open_model(path)
