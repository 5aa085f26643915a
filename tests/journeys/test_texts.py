"""A table with free text, from 'new' to the export: words decide the answer, also of texts that nobody has seen."""

import csv
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from specnet import Model, SpecClassifier, load_model
from specnet.errors import UnsupportedError
from specnet.exporting import TARGETS, export, find_target
from specnet.recipes.text_columns import has_words

RNG = np.random.default_rng(0)
GOOD = ["great", "lovely", "tasty", "excellent", "wonderful", "crispy", "fresh", "superb"]
BAD = ["awful", "stale", "bland", "horrid", "soggy", "dreadful", "bitter", "rotten"]
OTHER = [
    "the",
    "noodles",
    "were",
    "and",
    "soup",
    "with",
    "a",
    "bit",
    "of",
    "broth",
    "on",
    "my",
    "plate",
    "today",
    "again",
]


def review(words: list[str]) -> str:
    """Return a text of ten words, of which three are among the given ones."""
    chosen = [*RNG.choice(OTHER, 7), *RNG.choice(words, 3)]
    return " ".join(RNG.permutation(chosen).tolist()).capitalize() + "."


def table(rows: int) -> pd.DataFrame:
    """Return rows whose label is told by the words of a text."""
    labels = RNG.random(rows) < 0.5
    texts = [review(GOOD if label else BAD) for label in labels]
    return pd.DataFrame(
        {"price": RNG.normal(5, 1, rows), "review": texts, "kind": RNG.choice(["cup", "bowl"], rows), "likes": labels}
    )


TRAIN, NEW = table(300), table(60)
FEATURES = ["price", "review", "kind"]


@pytest.fixture(scope="module")
def model() -> Model:
    fitted = SpecClassifier("recipe", random_state=0).fit(TRAIN[FEATURES], TRAIN["likes"].astype(str))
    return fitted.model_


def test_the_recipe_reads_columns_of_words(model):
    assert model.spec.feature_kinds == {"price": "numeric", "kind": "category", "review": "text"}
    assert (model.predict(NEW[FEATURES]) == NEW["likes"].astype(str).to_numpy()).mean() > 0.95


def test_case_accents_and_punctuation_do_not_matter(model):
    other = NEW[FEATURES].assign(review=[text.upper().replace("E", "É").replace(".", " !") for text in NEW["review"]])
    np.testing.assert_allclose(model.predict_proba(other), model.predict_proba(NEW[FEATURES]), rtol=1e-5)


def test_a_row_has_the_same_answer_whatever_other_rows_there_are(model):
    whole = model.predict_proba(NEW[FEATURES])
    alone = np.concatenate([model.predict_proba(NEW[FEATURES].iloc[[row]]) for row in range(5)])
    np.testing.assert_allclose(alone, whole[:5], rtol=1e-5)


def test_a_missing_text_has_an_answer(model):
    rows = NEW[FEATURES].head(3).assign(review=[None, "", "qqqq"])
    answers = model.predict_proba(rows)
    assert np.isfinite(answers).all()
    none, empty = (model.predict_proba(rows.assign(review=text)) for text in (None, ""))
    np.testing.assert_array_equal(none, empty)


def test_the_file_is_the_model(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(NEW[FEATURES]), model.predict_proba(NEW[FEATURES]))


def test_numpy_takes_texts(model, tmp_path):
    done = export(model, "numpy", tmp_path / "likes.py")
    assert done.proof.rows == 256
    NEW[FEATURES].to_csv(tmp_path / "new.csv", index=False)
    run = [sys.executable, "-I", tmp_path / "likes.py", tmp_path / "new.csv"]
    ended = subprocess.run(run, capture_output=True, text=True, check=True)
    rows = list(csv.DictReader(ended.stdout.splitlines()))
    found = [[float(row["probability_False"]), float(row["probability_True"])] for row in rows]
    np.testing.assert_allclose(found, model.predict_proba(NEW[FEATURES]), atol=1e-5)


@pytest.mark.parametrize("target", [name for name in TARGETS if not find_target(name).takes_words])
def test_others_refuse_by_name(model, target, tmp_path):
    with pytest.raises(UnsupportedError) as refused:
        export(model, target, tmp_path / f"likes{find_target(target).suffix}")
    assert f'{target} has no equivalent of columns of words: "review"' in str(refused.value)
    assert "choose from c, javascript, numpy, onnx, or set" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (TRAIN["review"].tolist(), True),
        ([f"A{number:05}" for number in range(200)], False),
        ([f"order {number}" for number in range(200)], False),
        ([f"first{number} last{number}" for number in range(200)], False),
        (["one", "two", "three"] * 50, False),
    ],
)
def test_texts_are_distinguished_from_names_and_codes(texts, expected):
    distinct, rows = np.unique(texts, return_counts=True)
    assert has_words(distinct, rows) == expected


def test_new_writes_what_run_and_verify_read(specnet, folder):
    TRAIN.to_csv(folder / "likes.csv", index=False)
    specnet("new", "likes.toml", "--data", "likes.csv", "--target", "likes", "--quick", "-q").ok()
    assert 'review = "text"' in (folder / "likes.toml").read_text()
    specnet("run", "likes.toml", "-o", "run", "-q").ok()
    specnet("verify", "run", "-q").ok()
    NEW[FEATURES].to_csv(folder / "new.csv", index=False)
    answers = specnet("predict", "run", "new.csv", "-q").ok()
    assert len(answers.out.splitlines()) == len(NEW) + 1


def test_a_page_without_rows_has_no_text_of_a_row(specnet, folder):
    TRAIN.to_csv(folder / "likes.csv", index=False)
    specnet("new", "likes.toml", "--data", "likes.csv", "--target", "likes", "--quick", "-q").ok()
    for folder_name, options in (("with", ()), ("without", ("--no-rows",))):
        specnet("run", "likes.toml", "-o", folder_name, "-q", *options).ok()
        page = (folder / folder_name / "report.html").read_text(encoding="utf-8")
        assert any(text in page for text in TRAIN["review"]) == (folder_name == "with")
