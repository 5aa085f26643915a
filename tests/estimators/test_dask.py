"""Estimators and models on the workers of a dask cluster: the results are those of one process."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

import specnet
from specnet import SpecClassifier
from tests.running.many.executors import dask_address

distributed = pytest.importorskip("distributed", reason="needs pip install '.[dask]'")
pytestmark = pytest.mark.slow

IRIS = load_iris(return_X_y=True)
GRID = {"spec__training__optimizer__learning_rate": [1e-5, 0.03], "hidden_layer_sizes": [[4], [8, 4]]}
NAMES = list("abcd")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Two processes, which all tests of this file use."""
    with dask_address() as address, distributed.Client(address), threadpool_limits(1):
        yield


def test_a_grid_on_workers():
    search = GridSearchCV(SpecClassifier(epochs=10, random_state=0), GRID, cv=3, scoring="neg_log_loss")
    alone = search.fit(*IRIS).cv_results_["mean_test_score"]
    with parallel_config("dask"):
        search.fit(*IRIS)
    assert np.array_equal(search.cv_results_["mean_test_score"], alone)
    assert search.best_params_["spec__training__optimizer__learning_rate"] == 0.03


def test_partitions_of_a_table_on_workers():
    frames = pytest.importorskip("dask.dataframe", reason="needs pip install 'dask[dataframe]'")
    X, y = IRIS
    known = pd.DataFrame(X, columns=NAMES)
    spec = {"network": {"hidden_layer_sizes": [4]}, "training": {"loss": "categorical_crossentropy", "epochs": 5}}
    model = specnet.fit(spec, known, y)
    # Another order of columns: they are found by their names.
    rows = frames.from_pandas(known[NAMES[::-1]], npartitions=4)
    scores = rows.map_partitions(
        lambda part, model: pd.Series(model.predict_proba(part)[:, 0], part.index), model, meta=("score", "f4")
    ).compute()
    assert len(scores) == len(X)
    np.testing.assert_allclose(scores, model.predict_proba(known)[:, 0], rtol=0, atol=2e-6)
