"""Columns that are fitted to the target, in training: of the ensemble's folds, or of folds by the seed."""

import numpy as np
import pytest

from specnet import load_model
from specnet.running.fitting import fit_rows
from tests.made import data_of
from tests.running.specs import csv_file

WORDS = [f"{first}{second}" for first in ("ka", "lo", "mi", "nu", "pe") for second in ("ran", "sol", "tif", "vus")]
TEXT = {"type": "text_vectors", "size": 3, "longest": 0, "answers": True}
CATEGORY = {"type": "target_encoding", "minimum_count": 2}
STEPS = pytest.mark.parametrize("step", [TEXT, CATEGORY], ids=["text", "category"])
LOSSES = {"binary_crossentropy": ["no", "yes"], "categorical_crossentropy": ["a", "b", "c"], "mse": None}


def spec_of(folder, loss, step=TEXT, rows=120, seed=0, changed=(), **training):
    """Return a spec on a table whose target has nothing to do with its texts, changed in some rows of the table.

    With the step for categories, a text is a single word.
    """
    rng = np.random.default_rng(seed)
    kind, words = ("text", 4) if step is TEXT else ("category", 1)
    texts = [" ".join(rng.choice(WORDS, words)) for _ in range(rows)]
    labels = LOSSES[loss]
    y = rng.normal(size=rows).round(3).tolist() if labels is None else rng.choice(labels, rows).tolist()
    for row in changed:
        y[row] = 9.5 if labels is None else labels[(labels.index(y[row]) + 1) % len(labels)]
    split = {"split": {"test_size": 0.2, "stratify": False}}
    data = csv_file(folder / "rows.csv", "text,y", zip(texts, y, strict=True), columns={"text": kind}, **split)
    network = {"hidden_layer_sizes": [4], "preprocessing": [step]}
    return {"data": data, "network": network, "training": {"loss": loss, "epochs": 2, **training}}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("ensemble", [{"ensemble": 3}, {}])
@STEPS
def test_the_target_of_a_row_is_not_in_its_columns(tmp_path, step, loss, ensemble):
    """Nor is it in those of any row of its fold: neither a member's rows held out, nor others."""
    fitted = fit_rows(data_of(spec_of(tmp_path, loss, step, **ensemble)))
    rows = fitted.data.splits["train"]
    same_fold = np.flatnonzero(rows.in_fold(1)) if ensemble else np.arange(1)
    changed = fit_rows(data_of(spec_of(tmp_path, loss, step, changed=rows.chosen[same_fold], **ensemble)))
    before, after = fitted.training.X, changed.training.X
    answers = fitted.data.preparation.steps[0].outputs
    np.testing.assert_array_equal(after[same_fold], before[same_fold])
    assert (after[:, -answers:] != before[:, -answers:]).any()
    assert (changed.encoder.inputs(rows)[same_fold] != fitted.encoder.inputs(rows)[same_fold]).any()


@pytest.mark.parametrize("ensemble", [{"ensemble": 3}, {}])
def test_rows_of_other_splits_have_the_answers_of_all_training_rows(tmp_path, ensemble):
    fitted = fit_rows(data_of(spec_of(tmp_path, "mse", **ensemble)))
    rows, test = (fitted.data.splits[name] for name in ("train", "test"))
    both = fit_rows(data_of(spec_of(tmp_path, "mse", changed=test.chosen, **ensemble)))
    np.testing.assert_array_equal(both.prepared("test"), fitted.prepared("test"))
    np.testing.assert_array_equal(fitted.prepared("train"), fitted.training.X)
    other = fit_rows(data_of(spec_of(tmp_path, "mse", changed=rows.chosen[:5], **ensemble)))
    assert (other.prepared("test") != fitted.prepared("test")).any()


@pytest.mark.parametrize("distinct", [120, 3])
def test_folds_of_a_split_by_time_are_blocks_of_times(tmp_path, distinct):
    """The columns of a row do not depend on targets of its block, which by hand is a fifth of the ordered rows."""
    order = np.random.default_rng(3).permutation(120)
    time = order if distinct == 120 else order * distinct // 120
    document = spec_of(tmp_path, "mse")
    path = tmp_path / "rows.csv"

    def training_rows(changed=()):
        spec_of(tmp_path, "mse", changed=changed)
        lines = path.read_text().splitlines()
        path.write_text("\n".join([f"{lines[0]},t", *(f"{line},{t}" for line, t in zip(lines[1:], time, strict=True))]))
        document["data"]["split"] = {"test_size": 0.2, "time": "t"}
        return fit_rows(data_of(document))

    before = training_rows()
    rows = before.data.splits["train"]
    own = time[rows.chosen]
    block = own < np.quantile(own, 0.2) if distinct == 120 else own == own.min()
    after = training_rows(rows.chosen[np.flatnonzero(block)[:7]])
    same = (after.training.X == before.training.X).all(axis=1)
    assert same[block].all()
    assert not same[~block].any()


@STEPS
def test_noise_stays_noise(tmp_path, step):
    """In the columns of a fit that has seen the rows, noise correlates with the answer; out of fold it does not."""
    fitted = fit_rows(data_of(spec_of(tmp_path, "mse", step, rows=400, ensemble=4)))
    rows = fitted.data.splits["train"]
    seen, unseen = (
        np.corrcoef(X[:, -1], rows.y.reshape(-1))[0, 1] for X in (fitted.encoder.inputs(rows), fitted.training.X)
    )
    assert seen > 0.2
    assert abs(unseen) < 0.15


@STEPS
def test_the_file_is_the_model_and_training_goes_on_with_it(tmp_path, step):
    document = spec_of(tmp_path, "categorical_crossentropy", step, ensemble=3)
    fitted = fit_rows(data_of(document))
    fitted.model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    raw = fitted.data.splits["test"].raw
    np.testing.assert_array_equal(again.predict_proba(raw), fitted.model.predict_proba(raw))
