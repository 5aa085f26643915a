"""A decision threshold in models, in their files, and in every export that gives labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score
from sklearn.model_selection import FixedThresholdClassifier

import specnet
from specnet import DataError, Model, SpecError, load_model, parse_spec
from specnet.data import RawColumns
from specnet.errors import UnsupportedError
from specnet.exporting import TARGETS, find_target
from specnet.importing import open_model
from tests.exporting import tools
from tests.exporting.models import ensemble_of, exported
from tests.model.models import make_model

TWO = ("binary", "binary, text", "two classes")
X = np.random.default_rng(5).normal(5, 3, (40, 3))
MARKS = {
    "c": tools.needs_compiler,
    "javascript": tools.needs_node,
    **dict.fromkeys(("torch", "keras"), tools.PEER),
}


def with_threshold(kind: str, dtype: str = "float64") -> tuple[Model, float]:
    """Return a model whose threshold is exactly the second class's probability of one of the rows `X`."""
    threshold = float(np.sort(make_model(kind, dtype).predict_proba(X)[:, 1])[11])
    return make_model(kind, dtype, decision_threshold=threshold), threshold


def by_hand(model: Model, threshold: float) -> Any:
    assert model.labels is not None
    return model.labels[(model.predict_proba(X)[:, 1] >= threshold).astype(int)]


@pytest.mark.parametrize("kind", TWO)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_second_class_is_predicted_from_the_threshold_on(kind: str, dtype: str):
    model, threshold = with_threshold(kind, dtype)
    plain = make_model(kind, dtype)
    predicted, before = model.predict(X), plain.predict(X)
    np.testing.assert_array_equal(predicted, by_hand(model, threshold))
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert (predicted == model.labels[1]).sum() == 29, "the row on the threshold is one of them"
    assert (predicted != before).any()
    found = model.evaluate(X, before, metrics=["accuracy", "balanced_accuracy", "roc_auc"])
    own = plain.evaluate(X, before, metrics=["roc_auc"])
    assert found["accuracy"] == pytest.approx(accuracy_score(before, predicted))
    recalls = recall_score(before, predicted, average=None)
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert (found["loss"], found["roc_auc"]) == (own["loss"], own["roc_auc"])


@pytest.mark.parametrize("target", [pytest.param(name, marks=MARKS.get(name, ())) for name in TARGETS])
@pytest.mark.parametrize("kind", TWO)
def test_exports_give_the_labels_of_the_model(kind: str, target: str, tmp_path: Path):
    for dtype in ("float64", "float32"):
        model, threshold = with_threshold(kind, dtype)
        path = tmp_path / f"m_{dtype}{find_target(target).suffix}"
        try:
            exported(model, target, path)
        except UnsupportedError:  # of two outputs for two classes, by name
            assert (target, kind) == ("sklearn", "two classes")
            return
        rows = RawColumns(X, ())
        found = tools.run_export(target, model, path, rows)
        near = abs(model.predict_proba(X)[:, 1] - threshold) < 1e-6  # rounding decides there
        np.testing.assert_array_equal(found.predictions[~near], by_hand(model, threshold)[~near])


@pytest.mark.parametrize("target", ["onnx", "sklearn"])
def test_imports_keep_it(target: str, tmp_path: Path):
    model, threshold = with_threshold("binary, text")
    path = tmp_path / f"m{find_target(target).suffix}"
    exported(model, target, path)
    again = open_model(path)
    assert again.spec.training.decision_threshold == threshold
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_files_and_ensembles_keep_it_and_older_readers_refuse_it(tmp_path: Path):
    model, threshold = with_threshold("binary, text")
    ensemble = ensemble_of(model)
    for number, each in enumerate((model, ensemble, Model.joined([model, ensemble], [1, 2]))):
        each.save(tmp_path / f"{number}.safetensors")
        again = load_model(tmp_path / f"{number}.safetensors")
        np.testing.assert_array_equal(again.predict(X), by_hand(each, threshold))
        assert b'needs\\":[\\"decision_threshold\\"]' in (tmp_path / f"{number}.safetensors").read_bytes()
    make_model("binary, text").save(tmp_path / "plain.safetensors")
    assert b'needs\\":[]' in (tmp_path / "plain.safetensors").read_bytes()


def test_models_with_other_thresholds_are_not_averaged():
    model, _ = with_threshold("binary")
    with pytest.raises(DataError, match="different kinds"):
        Model.joined([model, make_model("binary")], [1, 1])


def test_scikit_learn_decides_alike():
    model, threshold = with_threshold("binary")
    spec = {"network": {"hidden_layer_sizes": [3]}, "training": {"epochs": 1, "decision_threshold": threshold}}
    y = model.predict(X)
    own = specnet.SpecClassifier(spec, random_state=0).fit(X, y)
    del spec["training"]["decision_threshold"]
    plain = specnet.SpecClassifier(spec, random_state=0)
    fixed = FixedThresholdClassifier(plain, threshold=threshold, response_method="predict_proba").fit(X, y)
    np.testing.assert_array_equal(own.predict(X), fixed.predict(X))


@pytest.mark.parametrize("written", ["0", "1", "1.5", "-0.1", "'half'"])
def test_a_threshold_is_between_0_and_1(written: str):
    with pytest.raises(SpecError):
        parse_spec(f"network.layer_sizes = [2, 1]\ntraining.decision_threshold = {written}")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_foreign_threshold_is_refused_by_name():
    model, _ = with_threshold("binary")
    assert model.labels is not None
    from sklearn.neural_network import MLPClassifier

    fitted = MLPClassifier((2,), max_iter=1).fit(X, model.predict(X))
    with pytest.raises(DataError, match="FixedThresholdClassifier"):
        specnet.import_model(FixedThresholdClassifier(fitted, threshold=0.2))
