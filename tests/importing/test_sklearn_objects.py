"""scikit-learn's networks, alone and behind its transformers: models of both answer as the pipeline does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn import preprocessing as steps
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.compose import make_column_transformer as of_columns
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

import specnet
from specnet import export
from tests.importing.answers import TOLERANCE, difference, outputs
from tests.texts.pinned import Refused

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, (120, 4))
TWO, THREE = (X[:, 0] > X[:, 1]).astype(int), np.digitize(X[:, 0] + X[:, 2], [4, 8])
WORDS = np.array(["dog", "cat", "emu"])
SMALL: dict[str, Any] = {"hidden_layer_sizes": (6, 5), "max_iter": 3, "random_state": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "dtype"),
    [("relu", np.float64), ("tanh", np.float32), ("logistic", np.float64), ("identity", np.float32)],
)
@pytest.mark.parametrize(
    "y", [TWO, TWO == 1, THREE, THREE * 5.0 - 2, WORDS[TWO], WORDS[THREE], np.stack([TWO, THREE > 1, THREE > 0], 1)]
)
def test_classifiers(y: np.ndarray, activation: str, dtype: Any):
    table = X.astype(dtype)
    estimator = make_pipeline(StandardScaler(), MLPClassifier(**SMALL, activation=activation)).fit(table, y)
    model = specnet.import_model(estimator)
    assert model.network.dtype == dtype
    assert difference(model.predict_proba(table), estimator.predict_proba(table)) <= TOLERANCE[model.network.dtype.name]
    np.testing.assert_array_equal(model.predict(table), estimator.predict(table))
    if y.ndim == 1:
        np.testing.assert_array_equal(model.labels, np.unique(y))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_files_of_skops_are_their_estimators(solver: str, tmp_path: Path):
    estimator = make_pipeline(StandardScaler(), MLPClassifier(**SMALL, solver=solver)).fit(X, WORDS[THREE])
    skops.io.dump(estimator, tmp_path / "words.skops")
    found = specnet.import_model(tmp_path / "words.skops")
    np.testing.assert_array_equal(found.predict_proba(X), specnet.import_model(estimator).predict_proba(X))
    assert found.labels is not None
    np.testing.assert_array_equal(found.labels, np.unique(WORDS))
    assert found.spec.name == "words"


ROWS = 90
DRAWN = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "number": DRAWN.normal(5, 3, ROWS),
        "text": DRAWN.choice(["x", "y", "z", "w w"], ROWS),
        "code": DRAWN.choice([1, 2, 10, 3.5], ROWS),
        "skewed": DRAWN.lognormal(1, 1, ROWS),
        "flag": DRAWN.choice([True, False], ROWS),
    }
)
WHOLE = TABLE[["number", "skewed"]].copy()
TABLE.loc[::7, "number"] = np.nan
TABLE.loc[::9, "text"] = None
TABLE.loc[::11, "code"] = np.nan
Y = DRAWN.choice(["p", "q", "s"], ROWS)


NETWORK = MLPClassifier((5,), max_iter=2, random_state=0)
IGNORING = OneHotEncoder(handle_unknown="ignore")
SCALERS: dict[str, Any] = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "minmax to other ends": MinMaxScaler((-1, 3)),
    "maxabs": steps.MaxAbsScaler(),
    "robust": RobustScaler(),
    "robust alone": RobustScaler(with_centering=False),
    "two scalers": make_pipeline(MinMaxScaler(), StandardScaler()),
    "nothing": steps.FunctionTransformer(),
}
FILLED = SimpleImputer(strategy="most_frequent")
MEDIAN = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
INDICATED = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
CODED = make_pipeline(steps.OrdinalEncoder(), SimpleImputer())
UNKNOWN = {"handle_unknown": "use_encoded_value", "unknown_value": -1, "encoded_missing_value": -2}
RARE = {"min_frequency": 20, "handle_unknown": "infrequent_if_exist"}


def constant(value: Any) -> SimpleImputer:
    return SimpleImputer(strategy="constant", fill_value=value)


TRANSFORMERS: dict[str, Any] = {
    "gaps with indicators": of_columns((INDICATED, ["number", "skewed"])),
    "gaps behind a scaler": of_columns((make_pipeline(RobustScaler(), constant(2)), ["number", "code"])),
    "all kinds": of_columns((MEDIAN, ["number"]), (IGNORING, ["text", "code", "flag"]), (MinMaxScaler(), [3])),
    "in another order": of_columns(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), slice(1, 2)),
        *((steps.MaxAbsScaler(), ["skewed"]), (SimpleImputer(), ["code"])),
    ),
    "filled texts, without the first": of_columns(
        (make_pipeline(FILLED, OneHotEncoder(drop="first")), ["text", "code"]), remainder="drop"
    ),
    "texts filled twice": of_columns((make_pipeline(FILLED, constant("x"), IGNORING), ["text"])),
    "texts filled with a new one": of_columns(
        (make_pipeline(constant("none"), OneHotEncoder()), ["text"]), (MinMaxScaler(), ["skewed"])
    ),
    "ordinal, scaled": of_columns(
        *((steps.OrdinalEncoder(**UNKNOWN), ["text", "flag"]), (CODED, ["code"]), (SimpleImputer(), ["number"]))
    ),
    "rare ones together": of_columns((OneHotEncoder(**RARE), ["text"]), ("passthrough", ["skewed"])),
}


def behind(*before: Any, rows: Any = TABLE) -> Any:
    """Return a fitted pipeline of steps and a network."""
    return make_pipeline(*map(clone, before), clone(NETWORK)).fit(rows, Y)


def agree(pipeline: Any, table: Any, model: specnet.Model) -> None:
    np.testing.assert_allclose(model.predict_proba(table), pipeline.predict_proba(table), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(model.predict(table), pipeline.predict(table))


@pytest.mark.parametrize("rows", [WHOLE, WHOLE.to_numpy()], ids=["frame", "array"])
@pytest.mark.parametrize("name", SCALERS)
def test_scalers(name: str, rows: Any):
    pipeline = behind(SCALERS[name], rows=rows)
    model = specnet.import_model(pipeline)
    agree(pipeline, rows, model)
    assert (model.feature_names is None) == isinstance(rows, np.ndarray)


@pytest.mark.parametrize("is_scaled", [False, True], ids=["at once", "scaled once more"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_columns_with_transformers_of_their_own(name: str, is_scaled: bool, tmp_path: Path):
    pipeline = behind(TRANSFORMERS[name], *[StandardScaler(with_mean=name == "ordinal, scaled")] * is_scaled)
    model = specnet.import_model(pipeline)
    agree(pipeline, TABLE, model)
    agree(pipeline, TABLE.iloc[::-1], model)
    skops.io.dump(pipeline, tmp_path / "pipeline.skops")
    agree(pipeline, TABLE, specnet.import_model(tmp_path / "pipeline.skops"))
    model.save(tmp_path / "model.safetensors")
    agree(pipeline, TABLE, specnet.load_model(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("name", ["all kinds", "ordinal, scaled", "rare ones together"])
def test_categories_that_no_training_row_has(name: str):
    pipeline = behind(TRANSFORMERS[name])
    new = TABLE.assign(text=np.where(np.arange(ROWS) % 2, "new", TABLE["text"]))
    model = specnet.import_model(pipeline)
    with pytest.warns(specnet.SpecnetWarning, match='"text": 45 of 90 cells have a rare or unseen category'):
        agree(pipeline, new, model)


def test_columns_of_arrays_are_counted():
    rows = WHOLE.to_numpy()
    pipeline = behind(of_columns((MinMaxScaler(), [1])), rows=rows)
    model = specnet.import_model(pipeline)
    assert model.feature_names == ("x0", "x1")
    agree(pipeline, rows, model)


COLUMNS = of_columns((RobustScaler(), [1]), remainder="passthrough")
ROW = make_pipeline(StandardScaler(with_std=False), "passthrough", StandardScaler(), MLPRegressor(**SMALL))
REGRESSORS: dict[str, tuple[Any, np.ndarray]] = {
    **{
        f"{y.ndim} {hidden}": (MLPRegressor(**{**SMALL, "hidden_layer_sizes": hidden}), y)
        for hidden in ((), (3,), (8, 4))
        for y in (X[:, 0] * X[:, 1], X[:, :2] * 100)
    },
    "poisson": (MLPRegressor(**SMALL, loss="poisson"), np.abs(X[:, 0])),
    "scalers in a row and of the target": (
        TransformedTargetRegressor(make_pipeline(ROW), transformer=StandardScaler()),
        100 * X[:, 0] + 7,
    ),
    "a scaler that does nothing": (
        make_pipeline(StandardScaler(with_mean=False, with_std=False), MLPRegressor(**SMALL)),
        100 * X[:, 0] + 7,
    ),
    "columns of their own and a target between ends": (
        TransformedTargetRegressor(make_pipeline(COLUMNS, MLPRegressor(**SMALL)), transformer=MinMaxScaler()),
        100 * X[:, 0] + 7,
    ),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str):
    estimator, y = REGRESSORS[name]
    estimator = clone(estimator).fit(X, y)
    model, expected = specnet.import_model(estimator), estimator.predict(X)
    assert model.predict(X).shape == expected.shape
    assert difference(outputs(model, X), expected.reshape(len(X), -1)) <= 1e-12
    assert model.spec.training.loss.type == ("poisson" if name == "poisson" else "mean_squared_error")
    target = getattr(estimator, "transformer", None)
    assert len(model.spec.network.target_preprocessing) == (target is not None)


def test_what_comes_in_goes_out_again(tmp_path: Path):
    model = specnet.import_model(behind(TRANSFORMERS["all kinds"]))
    proof = export(model, "numpy", tmp_path / "model.py").proof
    assert proof.difference is not None
    assert proof.difference < 1e-12


class Mine(MLPRegressor):
    """A class of one's own, which may do anything."""


def other_labels() -> MLPClassifier:
    """A classifier whose labels are no whole numbers."""
    estimator = MLPClassifier(**SMALL).fit(X, TWO * 1)
    estimator.classes_ = np.array([0.5, 1.5])
    return estimator


OBJECTS: dict[str, Any] = {
    "a classifier": MLPClassifier(),
    "a pipeline": make_pipeline(StandardScaler(), MLPClassifier()),
    "of a target": TransformedTargetRegressor(MLPRegressor()),
    "another model": LinearRegression(),
    "a scaled regressor": make_pipeline(MinMaxScaler(), MLPRegressor()),
    "a scaler alone": make_pipeline(StandardScaler()),
    "a class of one's own": Mine(),
    "object": object(),
    "None": None,
    "bytes": b"bytes",
    "labels": other_labels,
    "functions of the target": TransformedTargetRegressor(MLPRegressor(**SMALL), func=np.log1p, inverse_func=np.expm1),
}
UNSUPPORTED: dict[str, Any] = {
    "polynomial": steps.PolynomialFeatures(),
    "bins": steps.KBinsDiscretizer(3),
    "unit rows": steps.Normalizer(),
    "power": steps.PowerTransformer(),
    "quantiles": steps.QuantileTransformer(n_quantiles=10),
    "a function": steps.FunctionTransformer(np.abs),
    "clipped": MinMaxScaler(clip=True),
    "an encoder behind a scaler": make_pipeline(StandardScaler(), IGNORING),
    "in two ways": of_columns((StandardScaler(), ["number"]), (MinMaxScaler(), ["number"])),
    "as number and category": of_columns((StandardScaler(), ["number"]), (IGNORING, ["number"])),
    "other gaps": SimpleImputer(missing_values=-1),
}


@pytest.mark.parametrize("name", [*OBJECTS, *UNSUPPORTED])
def test_what_is_not_understood_is_named(name: str, refused: Refused):
    source = OBJECTS[name] if name in OBJECTS else behind(UNSUPPORTED[name], rows=WHOLE)
    if name == "labels":
        source = other_labels()
    if name == "functions of the target":
        source.fit(X, np.abs(X[:, 0]))
    with refused(specnet.DataError):
        specnet.import_model(source)


def test_transformers_that_are_not_fitted(refused: Refused):
    fitted = clone(NETWORK).fit(WHOLE.to_numpy(), Y)
    for step in (MinMaxScaler(), clone(IGNORING), SimpleImputer(), of_columns((MinMaxScaler(), [0]))):
        with refused(specnet.DataError):
            specnet.import_model(make_pipeline(step, fitted))
