"""The recipe as a spec: what `specnet new` writes for the same rows, with arguments in its place."""

import pickle
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, load_linnerud, make_multilabel_classification
from sklearn.utils.estimator_checks import parametrize_with_checks

import specnet
from specnet import DataError, SpecClassifier, SpecRegressor
from tests.texts.calling import called

PENGUINS = pandas.read_csv(Path(__file__).parents[2] / "specs" / "data" / "penguins.csv")
X, Y = load_iris(return_X_y=True)


@pytest.fixture
def new(tmp_path):
    """Return the path of the spec that `specnet new` writes for a data frame and one of its columns."""

    def written(table, target):
        table.to_csv(tmp_path / "table.csv", index=False)
        path = tmp_path / "recipe.toml"
        called("new", path, "--data", tmp_path / "table.csv", "--target", target, "--quiet").ok()
        return path

    return written


@pytest.mark.slow
def test_an_array_gets_what_new_writes(new):
    path = new(pandas.DataFrame(X).assign(kind=Y).rename(columns=str), "kind")
    recipe = SpecClassifier("recipe", epochs=1).fit(X, Y)
    model = specnet.fit(path, X, Y, overrides=["training.epochs=1"])
    assert recipe.model_.spec.training.ensemble.members == 8
    assert recipe.model_.spec == model.spec
    np.testing.assert_array_equal(recipe.model_.theta, model.theta)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "estimator"), [("species", SpecClassifier), ("body_mass_g", SpecRegressor)])
def test_a_frame_gets_what_new_writes(new, target, estimator):
    table = PENGUINS[PENGUINS[target].notna()]
    columns, y = table.drop(columns=target), table[target]
    fitted = estimator("recipe", epochs=1).fit(columns, y)
    model = specnet.fit(new(table, target), columns, y, overrides=["training.epochs=1"])
    assert fitted.model_.spec == model.spec
    np.testing.assert_array_equal(fitted.predict(columns), model.predict(columns))


@pytest.mark.slow
def test_many_rows_get_one_network_and_validation_rows():
    x, noise = np.random.default_rng(0).normal(size=(2, 10_000))
    estimator = SpecRegressor("recipe", epochs=1).fit(x[:, np.newaxis], x + noise)
    assert estimator.model_.spec.training.ensemble is None
    assert "validation_loss" in estimator.history_[-1]


def test_arguments_take_the_place_of_what_the_recipe_says():
    estimator = SpecRegressor("recipe", hidden_layer_sizes=[4], optimizer="adam", loss="poisson", epochs=2)
    for copy in (clone(estimator), pickle.loads(pickle.dumps(estimator))):
        spec = copy.set_params(random_state=5).fit(X, X[:, 0]).model_.spec
        assert [layer.units for layer in spec.network.layers] == [4, 1]
        assert (spec.training.loss.type, spec.training.epochs, spec.seed) == ("poisson", 2, 5)
        assert not spec.network.target_preprocessing
        assert spec.training.ensemble.members == 8


def test_its_parameters_are_unknown_before_it_has_rows(refused):
    estimator = SpecClassifier("recipe")
    assert estimator.get_params() == estimator.get_params(deep=False)
    assert not hasattr(estimator, "partial_fit")
    with refused(ValueError):
        estimator.set_params(spec__training__epochs=3)
    assert hasattr(estimator.set_params(spec=None), "partial_fit")


@pytest.mark.slow
def test_several_outputs_and_several_labels():
    columns, y = load_linnerud(return_X_y=True)
    assert SpecRegressor("recipe", epochs=2).fit(columns, y).predict(columns).shape == y.shape
    columns, y = make_multilabel_classification(60, random_state=0)
    assert SpecClassifier("recipe", epochs=2).fit(columns, y).predict_proba(columns).shape == y.shape


def test_rows_that_no_recipe_can_be_made_of(refused):
    for step, weight in ((17, None), (1, Y == 1)):
        with refused(DataError):
            SpecClassifier("recipe").fit(X[::step], Y[::step], sample_weight=weight)


FAILING = {
    "check_methods_sample_order_invariance": "in single precision a row's last digits depend on the rows beside it",
    "check_sample_weight_equivalence_on_dense_data": "folds and batches are made of rows, whatever these weigh",
}


RECIPES = [
    SpecClassifier("recipe", hidden_layer_sizes=[16], epochs=12, batch_size=16),
    SpecRegressor("recipe", hidden_layer_sizes=[16], epochs=6, batch_size=32),
]


@pytest.mark.slow
@parametrize_with_checks(RECIPES, expected_failed_checks=lambda _: FAILING)
def test_a_check_of_scikit_learn(estimator, check):
    check(estimator)
