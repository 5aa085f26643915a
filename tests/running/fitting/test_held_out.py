"""The errors on rows held out that a model keeps, against those that its networks make there."""

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import KFold

import specnet
from specnet import Observer
from specnet.running.fitting import fit_rows
from tests.made import data_of
from tests.running.ensembles.test_ensembles import MOONS, VALUES
from tests.running.moons import Interrupting

SINGLE = {"network": {"hidden_layer_sizes": [4]}, "training": {"loss": "mse", "epochs": 3}}


def rows(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(count, 3))
    return X, X @ [1, 2, -1]


def quantile(errors: np.ndarray, percent: int) -> float:
    return float(np.sort(errors)[-(-(len(errors) + 1) * percent // 100) - 1])


def test_an_ensemble_keeps_the_errors_of_each_member_on_the_fold_that_it_left_out():
    spec: dict[str, Any] = {**VALUES, "training": {"loss": "mse", "epochs": 3, "ensemble": 4}}
    fitted = fit_rows(data_of({**spec, "data": {"type": "diabetes"}}))
    train, model = fitted.data.splits["train"], fitted.model
    errors = np.empty(len(train))
    for member, (theta, _) in enumerate(model.members):
        fold = train.in_fold(member)
        outputs = model.network.predict(theta, model.preprocessing.prepare(np.asarray(train.columns)[fold]))
        errors[fold] = np.abs(train.y[fold] - model.target_preprocessing.invert(outputs)[:, 0])
    for percent in (1, 50, 90, 99):
        assert model.error_quantiles.at(percent / 100) == pytest.approx([quantile(errors, percent)], rel=1e-12)
    copies = specnet.Model(model.network, model.theta, error_quantiles=model.error_quantiles), model.astype("float32")
    assert all(copy.error_quantiles is model.error_quantiles for copy in copies)


def test_a_single_network_keeps_those_on_its_validation_set():
    (X, y), (held, true) = rows(60), rows(30, seed=1)
    model = specnet.fit(SINGLE, X, y, validation=(held, true))
    errors = np.abs(true - model.predict(held).astype(float))
    assert model.error_quantiles.at(0.8) == [quantile(errors, 80)]
    assert model.error_quantiles.values.shape[:2] == (1, 96)  # ⌊100 · 30 / 31⌋
    weight = np.repeat([1.0, 0.0], 15)
    weighted = specnet.fit(SINGLE, X, y, validation=(held, true, weight))
    assert weighted.error_quantiles.at(0.8) == [quantile(errors[:15], 80)]
    cut = specnet.fit({**SINGLE, "data": {"type": "npz", "path": "-", "split": {"validation_size": 0.5}}}, X, y)
    assert cut.error_quantiles.values.shape[:2] == (1, 96)


def test_without_rows_held_out_and_after_an_interruption_there_are_none():
    assert not specnet.fit(SINGLE, *rows(40)).error_quantiles
    together = {**SINGLE, "training": {**SINGLE["training"], "ensemble": {"members": 2, "validation": "none"}}}
    assert not specnet.fit(together, *rows(40)).error_quantiles
    data = data_of(MOONS)
    assert fit_rows(data).model.error_quantiles
    for member, epoch in ((1, 2), (2, 3)):
        assert not fit_rows(data, Interrupting(epoch, member)).model.error_quantiles


@pytest.mark.trains
@pytest.mark.slow
def test_intervals_and_sets_cover_rows_like_the_training_rows():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(1200, 2))
    y = X[:, 0] + generator.exponential(size=1200)
    covered = []
    for train, test in KFold(4).split(X):
        adam = {"type": "adam", "learning_rate": 0.01}
        spec = {**SINGLE, "training": {"loss": "mse", "optimizer": adam, "epochs": 40, "ensemble": 5}}
        low, high = specnet.fit(spec, X[train], y[train], observer=Observer()).predict_interval(X[test], 0.8).T
        spec["training"] |= {"loss": "binary_crossentropy"}
        sets = specnet.fit(spec, X[train], y[train] > 1, observer=Observer()).predict_set(X[test], 0.8)
        covered.append(((low <= y[test]) & (y[test] <= high), sets[np.arange(len(test)), (y[test] > 1).astype(int)]))
    # 1 200 independent rows would be covered to 1.2 points; networks on overlapping rows to little more.
    np.testing.assert_allclose(np.mean(np.concatenate(covered, axis=1), axis=1), 0.8, atol=0.035)
