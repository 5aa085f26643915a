"""Data frames with more than complete numbers, by the rules of tables."""

import pickle

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_score

import specnet
from specnet import DataError, SpecClassifier, SpecnetWarning, SpecRegressor

RNG = np.random.default_rng(0)
SIZE, COLOUR = RNG.normal(50, 9, 200), RNG.choice(["red", "green", "blue"], 200)
FRAME = pandas.DataFrame({"size": np.where(np.arange(200) % 7, SIZE, np.nan), "colour": COLOUR})
Y = np.where((COLOUR == "red") ^ (SIZE > 50), "yes", "no")
STEPS = {"spec__network__preprocessing": ["impute", "standardize"], "epochs": 150, "random_state": 0}


def test_gaps_and_categories_are_learned_from():
    classifier = SpecClassifier().set_params(**STEPS).fit(FRAME, Y)
    assert classifier.score(FRAME, Y) > 0.85
    assert classifier.n_features_in_ == 2
    np.testing.assert_array_equal(classifier.feature_names_in_, ["size", "colour"])
    copy = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(copy.predict_proba(FRAME[:9]), classifier.predict_proba(FRAME)[:9])
    two = SpecRegressor().set_params(**STEPS).fit(FRAME, np.column_stack([SIZE, Y == "yes"]))
    assert two.predict(FRAME[:1]).shape == (1, 2)


def test_the_defaults_prepare_gaps_texts_and_dates_as_tables_do():
    table = FRAME.assign(day=pandas.Timestamp("2024-01-01") + pandas.to_timedelta(np.arange(200) % 90, "D"))
    for estimator, y in ((SpecClassifier(epochs=9, random_state=0), Y), (SpecRegressor(epochs=2), SIZE)):
        fitted = estimator.fit(table, y)
        spec = {"network": {"hidden_layer_sizes": [2]}, "training": {"loss": "mse", "epochs": 1}}
        usual = specnet.fit(spec, table, SIZE - 50, observer=specnet.Observer())
        assert fitted.model_.spec.network.preprocessing == usual.spec.network.preprocessing
        assert fitted.predict(table).shape == (200,)
        copy = clone(estimator).set_params(warm_start=True)
        assert copy.fit(table, y).fit(table, y).n_features_in_ == 3
        assert copy.partial_fit(table, y).n_iter_
    assert SpecClassifier(random_state=0).fit(table, Y).score(table, Y) > 0.85


NUMBERS = FRAME[["size"]].assign(age=np.where(np.arange(200) == 7, np.nan, SIZE)).fillna({"size": 50})
"""Numbers of which a single one is missing."""


@pytest.mark.parametrize("table", [FRAME.assign(age=NUMBERS.age), NUMBERS], ids=["kinds", "numbers"])
@pytest.mark.parametrize("spec", [None, "recipe"])
def test_a_fold_with_a_columns_only_gap_has_a_score(spec, table):
    classifier = SpecClassifier(spec, epochs=1, random_state=0, engine="numpy")
    with pytest.warns(SpecnetWarning, match='"age": 1 of 100 cells is missing'):
        scores = cross_val_score(classifier, table, Y, cv=KFold(2), error_score="raise")
    assert np.isfinite(scores).all()
    fitted = classifier.fit(table[100:], Y[100:])
    with pytest.warns(SpecnetWarning, match='"age": 1 of 100'):
        missing = fitted.predict_proba(table[:100])[7]
    filled = table.assign(age=table.age.fillna(np.median(SIZE[100:])))
    np.testing.assert_allclose(fitted.predict_proba(filled[:100])[7], missing, rtol=1e-6)


def test_arrays_may_have_no_gaps():
    fitted = SpecClassifier(epochs=1).fit(NUMBERS.to_numpy()[8:], Y[8:])
    with pytest.raises(ValueError, match="contains NaN"):
        fitted.predict(NUMBERS.to_numpy())
    assert [step.type for step in fitted.model_.spec.network.preprocessing] == ["standardize"]


def test_training_goes_on_with_texts_in_another_order():
    classifier = SpecClassifier(warm_start=True).set_params(**{**STEPS, "epochs": 1})
    for _ in range(2):
        classifier.fit(FRAME, Y)
        classifier.partial_fit(FRAME[FRAME["colour"] != "blue"], Y[COLOUR != "blue"])
    assert classifier.model_.spec.feature_kinds == {"size": "numeric", "colour": "category"}


def test_columns_that_no_one_can_use_are_told_of():
    table = FRAME.assign(name=[f"n{row}" for row in range(200)])
    with pytest.warns(SpecnetWarning, match='column "name" is ignored'):
        classifier = SpecClassifier().set_params(**{**STEPS, "epochs": 1}).fit(table, Y)
    assert classifier.n_features_in_ == 3
    assert classifier.model_.feature_names == ("size", "colour")
    assert len(classifier.predict(table[:5])) == 5


def test_what_does_not_fit(refused):
    classifier = SpecClassifier().set_params(**{**STEPS, "epochs": 1})
    with refused(DataError):
        SpecClassifier(epochs=1).set_params(spec__network__preprocessing=["standardize"]).fit(FRAME, Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier.fit(FRAME, Y[:-1])
    with pytest.raises(ValueError, match="contains NaN"):
        SpecRegressor(epochs=1).fit(FRAME, np.where(SIZE > 50, np.nan, SIZE))
    fitted = clone(classifier).fit(FRAME, Y)
    with refused(DataError), pytest.warns(UserWarning, match="valid feature names"):
        fitted.predict(FRAME.to_numpy())
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(FRAME[["colour", "size"]])
