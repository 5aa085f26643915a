"""scikit-learn's transformers before its networks: the model that is made of both answers as the pipeline does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

import specnet
from specnet import export
from tests.texts.pinned import Refused

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning"),
]

ROWS = 90
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "number": RNG.normal(5, 3, ROWS),
        "text": RNG.choice(["x", "y", "z", "w w"], ROWS),
        "code": RNG.choice([1, 2, 10, 3.5], ROWS),
        "skewed": RNG.lognormal(1, 1, ROWS),
        "flag": RNG.choice([True, False], ROWS),
    }
)
WHOLE = TABLE[["number", "skewed"]].copy()
TABLE.loc[::7, "number"] = np.nan
TABLE.loc[::9, "text"] = None
TABLE.loc[::11, "code"] = np.nan
Y = RNG.choice(["p", "q", "s"], ROWS)


def network() -> MLPClassifier:
    return MLPClassifier((5,), max_iter=2, random_state=0)


def ignoring(**settings: Any) -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", **settings)


def of_columns(*pairs: Any, **settings: Any) -> ColumnTransformer:
    return make_column_transformer(*pairs, **settings)


SCALERS: dict[str, Callable[[], Any]] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "minmax to other ends": lambda: MinMaxScaler((-1, 3)),
    "maxabs": MaxAbsScaler,
    "robust": RobustScaler,
    "robust alone": lambda: RobustScaler(with_centering=False),
    "two scalers": lambda: make_pipeline(MinMaxScaler(), StandardScaler()),
    "nothing": lambda: FunctionTransformer(),
}
TRANSFORMERS: dict[str, Callable[[], Any]] = {
    "gaps with indicators": lambda: of_columns(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["number", "skewed"])
    ),
    "gaps behind a scaler": lambda: of_columns(
        (make_pipeline(RobustScaler(), SimpleImputer(strategy="constant", fill_value=2)), ["number", "code"])
    ),
    "all kinds": lambda: of_columns(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["number"]),
        (ignoring(), ["text", "code", "flag"]),
        (MinMaxScaler(), [3]),
    ),
    "in another order": lambda: of_columns(
        (ignoring(sparse_output=False), slice(1, 2)), (MaxAbsScaler(), ["skewed"]), (SimpleImputer(), ["code"])
    ),
    "filled texts, without the first": lambda: of_columns(
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(drop="first")), ["text", "code"]),
        remainder="drop",
    ),
    "texts filled twice": lambda: of_columns(
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), SimpleImputer(strategy="constant", fill_value="x"), ignoring()
            ),
            ["text"],
        )
    ),
    "texts filled with a new one": lambda: of_columns(
        (make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder()), ["text"]),
        (MinMaxScaler(), ["skewed"]),
    ),
    "ordinal, scaled": lambda: of_columns(
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
            ["text", "flag"],
        ),
        (make_pipeline(OrdinalEncoder(), SimpleImputer()), ["code"]),
        (SimpleImputer(), ["number"]),
    ),
    "rare ones together": lambda: of_columns(
        (OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist"), ["text"]), ("passthrough", ["skewed"])
    ),
}


def agree(pipeline: Any, table: Any, model: specnet.Model) -> None:
    np.testing.assert_allclose(model.predict_proba(table), pipeline.predict_proba(table), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(model.predict(table), pipeline.predict(table))


@pytest.mark.parametrize("rows", [WHOLE, WHOLE.to_numpy()], ids=["frame", "array"])
@pytest.mark.parametrize("name", SCALERS)
def test_scalers(name: str, rows: Any):
    pipeline = make_pipeline(SCALERS[name](), network()).fit(rows, Y)
    model = specnet.import_model(pipeline)
    agree(pipeline, rows, model)
    assert (model.feature_names is None) == isinstance(rows, np.ndarray)


@pytest.mark.parametrize("behind", ["at once", "scaled once more"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_columns_with_transformers_of_their_own(name: str, behind: str, tmp_path: Path):
    scaler = [] if behind == "at once" else [StandardScaler(with_mean=name == "ordinal, scaled")]
    pipeline = make_pipeline(TRANSFORMERS[name](), *scaler, network()).fit(TABLE, Y)
    model = specnet.import_model(pipeline)
    agree(pipeline, TABLE, model)
    agree(pipeline, TABLE.iloc[::-1], model)
    skops.io.dump(pipeline, tmp_path / "pipeline.skops")
    agree(pipeline, TABLE, specnet.import_model(tmp_path / "pipeline.skops"))
    model.save(tmp_path / "model.safetensors")
    agree(pipeline, TABLE, specnet.load_model(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("name", ["all kinds", "ordinal, scaled", "rare ones together"])
def test_categories_that_no_training_row_has(name: str):
    pipeline = make_pipeline(TRANSFORMERS[name](), network()).fit(TABLE, Y)
    new = TABLE.assign(text=np.where(np.arange(ROWS) % 2, "new", TABLE["text"]))
    model = specnet.import_model(pipeline)
    with pytest.warns(specnet.SpecnetWarning, match='"text": 45 of 90 cells have a rare or unseen category'):
        agree(pipeline, new, model)


def test_columns_of_arrays_are_counted():
    rows = WHOLE.to_numpy()
    pipeline = make_pipeline(of_columns((MinMaxScaler(), [1])), network()).fit(rows, Y)
    model = specnet.import_model(pipeline)
    assert model.feature_names == ("x0", "x1")
    agree(pipeline, rows, model)


def test_targets_are_scaled():
    y = 100 * WHOLE["number"] + 7
    inner = make_pipeline(
        of_columns((RobustScaler(), ["skewed"]), remainder="passthrough"),
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=2),
    )
    estimator = TransformedTargetRegressor(inner, transformer=MinMaxScaler()).fit(WHOLE, y)
    expected = estimator.predict(WHOLE)
    np.testing.assert_allclose(specnet.import_model(estimator).predict(WHOLE), expected, rtol=1e-10)


def test_what_comes_in_goes_out_again(tmp_path: Path):
    model = specnet.import_model(make_pipeline(TRANSFORMERS["all kinds"](), network()).fit(TABLE, Y))
    proof = export(model, "numpy", tmp_path / "model.py").proof
    assert proof.difference is not None
    assert proof.difference < 1e-12


REFUSED: dict[str, Callable[[], Any]] = {
    "polynomial": lambda: PolynomialFeatures(),
    "bins": lambda: KBinsDiscretizer(3),
    "unit rows": lambda: Normalizer(),
    "power": lambda: PowerTransformer(),
    "quantiles": lambda: QuantileTransformer(n_quantiles=10),
    "a function": lambda: FunctionTransformer(np.abs),
    "clipped": lambda: MinMaxScaler(clip=True),
    "an encoder behind a scaler": lambda: make_pipeline(StandardScaler(), ignoring()),
    "in two ways": lambda: of_columns((StandardScaler(), ["number"]), (MinMaxScaler(), ["number"])),
    "as number and category": lambda: of_columns((StandardScaler(), ["number"]), (ignoring(), ["number"])),
    "other gaps": lambda: SimpleImputer(missing_values=-1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_transformers_that_are_not_supported_are_named(name: str, refused: Refused):
    pipeline = make_pipeline(REFUSED[name](), network()).fit(WHOLE, Y)
    with refused(specnet.DataError):
        specnet.import_model(pipeline)


def test_transformers_that_are_not_fitted(refused: Refused):
    fitted = network().fit(WHOLE.to_numpy(), Y)
    for step in (MinMaxScaler(), ignoring(), SimpleImputer(), of_columns((MinMaxScaler(), [0]))):
        with refused(specnet.DataError):
            specnet.import_model(make_pipeline(step, fitted))
