"""What a loss says of targets and outputs, met in fitting, answers, evaluation, files and refusals."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import mean_poisson_deviance, r2_score

import specnet
from specnet import DataError
from tests.networks import dense
from tests.texts.calling import called
from tests.texts.pinned import Refused

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (300, 2))
NOISE = RNG.normal(size=300)


def document(loss: str | dict[str, Any], sizes: list[int], epochs: int = 200, **network: Any) -> dict[str, Any]:
    return {
        "network": {"dtype": "float64", "layer_sizes": sizes, **network},
        "training": {"loss": loss, "optimizer": {"type": "adam", "learning_rate": 0.02}, "epochs": epochs},
    }


@pytest.fixture(scope="module")
def spread() -> specnet.Model:
    """A model of means and variances, of a target whose noise grows along the first column."""
    y = 100 + 40 * X[:, 1] + 10 * np.exp(X[:, 0]) * NOISE
    spec = document("gaussian_nll", [2, 16, 2], target_preprocessing=["standardize"])
    return specnet.fit(spec, X, y)


def test_means_and_variances_are_learned(spread: specnet.Model):
    grid = np.array([[-0.8, 0.5], [0.8, 0.5], [-0.8, -0.5], [0.8, -0.5]])
    means = spread.predict(grid)
    assert means.shape == (4,)
    np.testing.assert_allclose(means, [120, 120, 80, 80], atol=10)
    outputs = spread.network.predict(spread.theta, grid)
    assert outputs.shape == (4, 2)
    ratios = np.exp((outputs[[1, 3], 1] - outputs[[0, 2], 1]) / 2)
    np.testing.assert_allclose(ratios, np.exp(1.6), rtol=0.5)


def test_metrics_see_the_means(spread: specnet.Model):
    y = 100 + 40 * X[:, 1]
    found = spread.evaluate(X, y, metrics=["r2"])
    assert found["r2"] == pytest.approx(r2_score(y, spread.predict(X)), rel=1e-12)
    outputs = spread.network.predict(spread.theta, X)
    scaled = spread.target_preprocessing.apply(y[:, None])[:, 0]
    expected = (outputs[:, 1] + (outputs[:, 0] - scaled) ** 2 * np.exp(-outputs[:, 1])) / 2
    assert found["loss"] == pytest.approx(expected.mean(), rel=1e-12)


@pytest.mark.slow
def test_means_of_several_targets_come_first(tmp_path: Path):
    y = np.stack([5 + X[:, 0], 9 - X[:, 1], X[:, 0] * X[:, 1]], axis=1)
    spec = document("gaussian_nll", [2, 8, 6], epochs=300, target_preprocessing=["standardize"])
    model = specnet.fit(spec, X, y)
    assert model.predict(X).shape == (300, 3)
    assert model.network.target_size == 3
    assert model.evaluate(X, y, metrics=["r2"])["r2"] > 0.8
    model.save(tmp_path / "m.safetensors")
    again = specnet.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_outputs_follow_from_the_targets():
    written = {"network": {"hidden_layer_sizes": [4]}, "training": {"loss": "gaussian_nll", "epochs": 1}}
    assert specnet.fit(written, X, np.ones((300, 3)) + X[:, :1]).network.outputs == 6
    assert specnet.build({**written, "data": "diabetes"}).outputs == 2


def test_counts():
    y = np.random.default_rng(1).poisson(np.exp(1 + X[:, 0]))
    model = specnet.fit(document("poisson", [2, 8, 1]), X, y)
    rates = model.predict(X)
    assert rates.min() > 0
    assert mean_poisson_deviance(y, rates) < 0.8 * mean_poisson_deviance(y, np.full(300, y.mean()))
    assert model.evaluate(X, y)["loss"] == pytest.approx((rates - y * np.log(rates)).mean(), rel=1e-12)
    assert model.spec.network.layers[-1].activation.type == "exponential"


@pytest.mark.parametrize(("loss", "value"), [("poisson", -1.0), ("tweedie", -0.5), ("msle", -0.5), ("gamma", 0.0)])
def test_targets_outside_a_domain_are_refused(loss: str, value: float, refused: Refused):
    y = np.abs(X[:, 0]) + 0.1
    wrong = y.copy()
    wrong[7] = value
    spec = document(loss, [2, 3, 1], epochs=2)
    model = specnet.fit(spec, X, y)
    for call in (
        lambda: specnet.fit(spec, X, wrong),
        lambda: specnet.fit(spec, X, y, validation=(X, wrong)),
        lambda: model.evaluate(X, wrong),
        lambda: model.network.loss_and_gradient(model.theta, X, wrong),
    ):
        with refused(DataError):
            call()


def test_distributions(refused: Refused):
    logits = np.stack([X[:, 0], X[:, 1], -X[:, 0]], axis=1) * 2
    y = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    model = specnet.fit(document("kl_divergence", [2, 8, 3]), X, y)
    answers = model.predict(X)
    np.testing.assert_allclose(answers.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(answers, y, atol=0.1)
    assert 0 <= model.evaluate(X, y)["loss"] < 0.01
    with refused(DataError):
        model.evaluate(X, y * np.where(np.arange(300) == 4, 2, 1)[:, None])
    with refused(DataError):
        model.evaluate(X, y * 0 + [0.5, -0.5, 1.0])


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_the_sign_of_a_margin_says_the_class(loss: str, tmp_path: Path, refused: Refused):
    y = np.where(X[:, 0] + X[:, 1] > 0.2, "yes", "no")
    model = specnet.fit(document(loss, [2, 8, 1]), X, y)
    margins = model.network.predict(model.theta, X)[:, 0]
    assert margins.min() < 0 < margins.max()
    np.testing.assert_array_equal(model.predict(X), np.where(margins > 0, "yes", "no"))
    assert model.evaluate(X, y, metrics=["accuracy"])["accuracy"] > 0.97
    with refused(DataError):
        model.predict_proba(X)
    with refused(DataError):
        model.evaluate(X, y, metrics=["roc_auc"])
    path, rows, answers = (tmp_path / name for name in ("m.safetensors", "rows.npz", "answers.csv"))
    model.save(path)
    np.testing.assert_array_equal(specnet.load_model(path).predict(X), model.predict(X))
    np.savez(rows, X=X)
    called("predict", path, rows, "-o", answers).ok()
    header, *lines = csv.reader(answers.read_text().splitlines())
    assert header == ["prediction"]
    assert [line[0] for line in lines] == model.predict(X).tolist()


@pytest.mark.slow
def test_margins_of_several_outputs_and_of_classes(refused: Refused):
    several = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)
    model = specnet.fit(document("hinge", [2, 8, 2]), X, several)
    assert (model.predict(X) == several).mean() > 0.95
    quadrants = np.array(["a", "b", "c", "d"])[several @ [1, 2]]
    model = specnet.fit(document("categorical_hinge", [2, 16, 4]), X, quadrants)
    assert (model.predict(X) == quadrants).mean() > 0.9
    with refused(DataError):
        model.predict_proba(X)


def test_activations_with_parameters_and_of_halves(tmp_path: Path):
    layers = [dense(8, "glu"), dense(6, "prelu"), dense(5, {"type": "mish", "parametric": True}), dense(1)]
    spec = document("mse", [], epochs=60)
    spec["network"] = {"dtype": "float64", "layers": layers}
    y = X[:, 0] * X[:, 1]
    model = specnet.fit(spec, X, y)
    views = model.network.parameters(model.theta)
    prelu, mish = (view for name, view in views.items() if not name.endswith(("weight", "bias")))
    assert (prelu.shape, mish.shape, views["layers.1.weight"].shape) == ((6,), (5,), (6, 4))
    assert (prelu != 0.25).all()
    assert (mish != 1).all()
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(specnet.load_model(tmp_path / "m.safetensors").predict(X), model.predict(X))
