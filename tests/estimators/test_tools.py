"""Estimators in scikit-learn's tools: searches, folds, pipelines, data frames, routing, copies, processes, displays."""

import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas
import pytest
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

import specnet
from specnet import SpecClassifier, SpecError, SpecRegressor
from tests.estimators.test_answers import QUICK

SPECS = Path(__file__).parents[2] / "specs"

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
SETTINGS = {**QUICK, "epochs": 30}


@pytest.mark.slow
def test_a_grid_over_paths_of_a_spec():
    spec = {"network": {"hidden_layer_sizes": [8], "preprocessing": ["standardize"]}}
    spec["training"] = {"optimizer": "adam", "epochs": 20}
    grid = {
        "spec__training__optimizer__learning_rate": [1e-5, 0.03],
        "spec__network__hidden_layer_sizes": [[4], [16, 8]],
        "spec__training__clip_norm": [None, 1.0],
    }
    search = GridSearchCV(SpecClassifier(spec, random_state=0), grid, cv=3).fit(*IRIS)
    assert search.best_params_["spec__training__optimizer__learning_rate"] == 0.03
    assert search.best_score_ > 0.9
    best = search.best_estimator_.model_.spec
    assert best.training.optimizer.learning_rate == 0.03
    sizes = search.best_params_["spec__network__hidden_layer_sizes"]
    assert [layer.units for layer in best.network.layers] == [*sizes, 3]
    by_rate = search.cv_results_["param_spec__training__optimizer__learning_rate"] == 0.03
    scores = search.cv_results_["mean_test_score"]
    assert scores[by_rate].min() > scores[~by_rate].max()
    assert spec["training"] == {"optimizer": "adam", "epochs": 20}


@pytest.mark.slow
def test_searches_are_the_same_in_two_processes():
    space = {"spec__training__optimizer__learning_rate": np.geomspace(1e-4, 1e-1, 6), "activations": ["relu", "tanh"]}
    searches = [
        RandomizedSearchCV(SpecRegressor(epochs=10, random_state=0), space, n_iter=4, cv=3, random_state=0, n_jobs=jobs)
        for jobs in (1, 2)
    ]
    scores = [search.fit(*DIABETES).cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_array_equal(*scores)


def test_a_grid_in_a_pipeline_over_a_file():
    pipeline = make_pipeline(MinMaxScaler(), SpecClassifier(SPECS / "iris.json", epochs=5))
    assert pipeline.get_params()["specclassifier__spec__training__epochs"] == 5
    search = GridSearchCV(pipeline, {"specclassifier__spec__training__batch_size": [8, 150]}, cv=2).fit(*IRIS)
    assert search.best_params_ == {"specclassifier__spec__training__batch_size": 8}


@pytest.mark.slow
def test_other_estimators_around_it():
    X, y = IRIS
    X, y = X[50:], y[50:]
    voting = VotingClassifier(
        [("a", SpecClassifier(**SETTINGS)), ("b", SpecClassifier(epochs=9, random_state=1))], voting="soft"
    )
    assert voting.fit(X, y).score(X, y) > 0.9
    calibrated = CalibratedClassifierCV(SpecClassifier(**{**SETTINGS, "loss": "hinge"}), cv=3).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(1), 1)
    importances = permutation_importance(SpecClassifier(**SETTINGS).fit(X, y), X, y, random_state=0, n_jobs=2)
    assert importances.importances_mean[2:].min() > importances.importances_mean[:2].max()


def frame():
    """Return a table with a column of text, and what is to be predicted."""
    rng = np.random.default_rng(0)
    table = pandas.DataFrame({"size": rng.normal(50, 9, 300), "colour": rng.choice(["red", "green", "blue"], 300)})
    return table, np.where((table["size"] > 50) ^ (table["colour"] == "red"), "yes", "no")


def test_a_pipeline_with_columns_of_a_frame():
    table, y = frame()
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["size"]), ("text", OneHotEncoder(sparse_output=False), ["colour"])]
    )
    classifier = SpecClassifier(**{**SETTINGS, "epochs": 100})
    pipeline = Pipeline([("columns", columns), ("network", classifier)]).set_output(transform="pandas")
    pipeline.fit(table, y)
    assert pipeline.score(table, y) > 0.95
    assert pipeline.n_features_in_ == 2
    names = ["numbers__size", "text__colour_blue", "text__colour_green", "text__colour_red"]
    assert pipeline["network"].feature_names_in_.tolist() == names
    pipeline.set_output(transform="default").fit(table, y)
    assert pipeline["network"].n_features_in_ == 4
    assert not hasattr(pipeline["network"], "feature_names_in_")


@pytest.mark.slow
def test_names_of_features_are_the_models_and_its_files(tmp_path, refused):
    data = load_wine(as_frame=True)
    classifier = SpecClassifier(**{**SETTINGS, "epochs": 3}, warm_start=True).fit(data.data, data.target)
    names = tuple(data.feature_names)
    assert classifier.model_.feature_names == names
    classifier.fit(data.data, data.target).partial_fit(data.data, data.target)
    assert classifier.model_.feature_names == names
    classifier.model_.save(tmp_path / "wine.safetensors")
    model = specnet.load_model(tmp_path / "wine.safetensors")
    assert model.feature_names == names
    for target, suffix in (("numpy", ".py"), ("c", ".c"), ("javascript", ".mjs"), ("onnx", ".onnx")):
        written = specnet.export(model, target, tmp_path / f"wine_{target}{suffix}").files
        text = "".join(path.read_bytes().decode(errors="replace") for path in written)
        assert all(name in text for name in names)
    assert clone(classifier).fit(data.data.to_numpy(), data.target).model_.feature_names is None
    with refused(SpecError, code="feature-names", at="network.feature_names.0"):
        SpecClassifier(model.spec).fit(data.data[data.feature_names[::-1]], data.target)


def test_weights_are_routed():
    X, y = IRIS
    weight = np.where(y == 2, 0.0, 1.0)
    with config_context(enable_metadata_routing=True):
        asking = SpecClassifier(**SETTINGS).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), asking)
        answers = pipeline.fit(X, y, sample_weight=weight).predict(X)
        assert 2 not in answers
        search = GridSearchCV(asking, {"epochs": [30]}, cv=3).fit(X, y, sample_weight=weight)
        assert 2 not in search.predict(X)
        request = SpecClassifier().set_partial_fit_request(classes=True, sample_weight=True).get_metadata_routing()
        assert request.partial_fit.requests == {"classes": True, "sample_weight": True}
    np.testing.assert_array_equal(SpecClassifier(**SETTINGS).fit(X, y, sample_weight=weight).predict(X), answers)


FITTED = {
    "classifier": (SpecClassifier(specnet.parse_spec(SPECS / "iris.json"), epochs=5), IRIS),
    "regressor": (SpecRegressor(**SETTINGS), DIABETES),
}


@pytest.mark.parametrize(("estimator", "data"), FITTED.values(), ids=FITTED)
def test_copies(estimator, data, tmp_path):
    estimator, X = clone(estimator).fit(*data), data[0]
    joblib.dump(estimator, tmp_path / "estimator")
    for copy in (pickle.loads(pickle.dumps(estimator)), joblib.load(tmp_path / "estimator")):
        np.testing.assert_array_equal(copy.predict(X), estimator.predict(X))
        assert copy.history_ == estimator.history_
        assert copy.get_params() == estimator.get_params()
    fresh = clone(estimator)
    assert not hasattr(fresh, "model_")
    assert fresh.get_params(deep=False) == estimator.get_params(deep=False)
    with pytest.raises(NotFittedError):
        fresh.predict(X)


def test_tags():
    classifier, regressor = get_tags(SpecClassifier()), get_tags(SpecRegressor())
    assert is_classifier(SpecClassifier())
    assert is_regressor(SpecRegressor())
    assert classifier.classifier_tags.multi_label
    assert classifier.classifier_tags.multi_class
    assert regressor.target_tags.multi_output
    assert not classifier.input_tags.sparse


def test_displays():
    spec = {"network": {"hidden_layer_sizes": [4]}, "training": {"epochs": 9}}
    classifier = SpecClassifier(spec, random_state=0)
    assert repr(SpecClassifier()) == "SpecClassifier()"
    assert repr(classifier).startswith("SpecClassifier(random_state=0,")
    for words in ("Not fitted", "Fitted"):
        page = classifier._repr_html_()
        assert "SpecClassifier" in page
        assert "hidden_layer_sizes" in page
        assert f"<span>{words}</span>" in page
        assert "SpecClassifier" in make_pipeline(StandardScaler(), classifier)._repr_html_()
        classifier.fit(*IRIS)
