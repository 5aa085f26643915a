"""Weights of rows: only their ratios mean anything, on every way that they take through a run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer
from tests.made import data_of
from tests.registry import REGISTRY
from tests.running.specs import spec_on

pytestmark = [pytest.mark.slow, pytest.mark.trains]

FACTORS = (1e-6, 1 / 300, 1e6)
POWERS = (2.0**-20, 2.0**20)
LOSSES = REGISTRY.of_kind("loss")


def target_of(loss: Any, rng: np.random.Generator, score: np.ndarray) -> np.ndarray:
    if loss.target == "classes":
        return np.digitize(score, [-0.5, 0.5])
    if loss.target == "binary":
        return (score > 0).astype(int)
    if loss.domain == "distribution":
        return rng.dirichlet(np.ones(3), len(score))
    if loss.part_name() == "cosine_similarity":
        return np.column_stack([score, score**2, np.ones(len(score))])
    return np.exp(score) if loss.domain != "any" else score


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.part_name())
def test_every_loss_is_trained_and_watched_by_ratios_of_weights(loss: Any):
    rng = np.random.default_rng(3)
    X, weight = rng.normal(size=(40, 3)), rng.integers(0, 4, 40) / 7
    y = target_of(loss, rng, X[:, 0] + 0.3 * rng.normal(size=40))
    clipped = ["clip"] if loss.target == "values" and loss.domain == "any" else []
    network = {"dtype": "float64", "preprocessing": ["quantile", "standardize"], "target_preprocessing": clipped}
    spec = spec_on(None, 3, network, loss=loss.part_name(), epochs=2, batch_size=16, l2=0.01)
    if loss.target != "values" and y.ndim == 1:
        spec["training"]["class_weight"] = "balanced"

    def fitted(factor: float) -> specnet.Model:
        own, held = factor * weight[:30], factor * weight[30:]
        return specnet.fit(spec, X[:30], y[:30], (X[30:], y[30:], held), own, observer=Observer())

    model = fitted(1.0)
    figures = model.evaluate(X, y, weight)
    for factor in FACTORS:
        scaled = fitted(factor)
        np.testing.assert_allclose(scaled.theta, model.theta, rtol=1e-9, atol=1e-12)
        assert [*scaled.history[-1].values()] == pytest.approx([*model.history[-1].values()], rel=1e-9)
        assert scaled.evaluate(X, y, factor * weight) == pytest.approx(figures, rel=1e-9)
    for factor in POWERS:
        scaled = fitted(factor)
        np.testing.assert_array_equal(scaled.theta, model.theta)
        assert scaled.history == model.history
        assert scaled.evaluate(X, y, factor * weight) == figures


COLUMNS = 'columns = { city = "category", day = "datetime" }'
NUMBERS = '{ columns = ["%s"], steps = ["impute", "%s"] }'
SPEC = f"""
[data]
type = "csv"
path = "rows.csv"
target = "y"
sample_weight = "w"
{COLUMNS}
split = {{ test_size = 0.25, validation_size = 0.25 }}
[network]
dtype = "float64"
hidden_layer_sizes = [6]
preprocessing = [
  {NUMBERS % ("a", "quantile")}, {NUMBERS % ("b", "robust")}, {NUMBERS % ("c", "standardize")},
  {{ columns = ["city"], steps = ["embedding"] }},
]
[training]
epochs = 8
batch_size = 16
optimizer = {{ type = "adam", learning_rate = 0.02 }}
early_stopping = {{ patience = 3 }}
ENDS
"""
ENDS = {
    "classes": """loss = "binary_crossentropy"\nclass_weight = "balanced"\nmetrics = ["accuracy", "roc_auc"]""",
    "values": """loss = "mse"\nmetrics = ["r2"]\nensemble = { members = 2, validation = "split" }""",
}


def written(path: Path, kind: str, factor: float | None) -> Path:
    """Write a spec and its rows, weighted unless the factor is None."""
    rng = np.random.default_rng(5)
    a, b, c, noise = rng.normal(size=(4, 160))
    gaps = rng.random((3, 160)) < 0.1
    weight = np.ones(160) if factor is None else factor * rng.uniform(0.2, 4, 160)
    cities = np.array(["Oslo", "Rome", "Lima", "Bonn"])[rng.integers(0, 4, 160)]
    score = a + (cities == "Oslo") - (cities == "Rome") + 0.3 * noise
    y = [str(value) for value in (score if kind == "values" else np.where(score > 0, "yes", "no"))]
    lines = ["a,b,c,city,day,w,y"]
    for row in range(160):
        cells = ["" if gap[row] else repr(float(x[row])) for gap, x in zip(gaps, (a, b, c), strict=True)]
        day = f"2024-{1 + row % 12:02}-{1 + row % 28:02}"
        lines.append(",".join([*cells, str(cities[row]), day, repr(float(weight[row])), y[row]]))
    (path / "rows.csv").write_text("\n".join(lines) + "\n")
    text = SPEC.replace("ENDS", ENDS[kind])
    (path / "spec.toml").write_text(text.replace('sample_weight = "w"\n', "") if factor is None else text)
    return path / "spec.toml"


def ran(path: Path, kind: str, factor: float | None, out: str = "out", *overrides: str) -> specnet.RunResult:
    spec = written(path, kind, factor)
    return specnet.run(spec, path / out, observer=Observer(), report=False, threads=1, overrides=overrides)


def numbers(found: Any) -> Any:
    """Return plain data with its numbers close to others."""
    if isinstance(found, dict):
        return {name: numbers(value) for name, value in found.items()}
    if isinstance(found, list):
        return [numbers(value) for value in found]
    return pytest.approx(found, rel=1e-6, abs=1e-9) if isinstance(found, float) else found


@pytest.mark.parametrize("kind", ENDS)
def test_a_whole_run_is_the_same_whatever_its_weights_are_multiplied_by(tmp_path: Path, kind: str):
    """Its preprocessing, its stop, its baselines, its tables and its intervals."""
    first = ran(tmp_path, kind, 1.0)
    assert first.evaluation["intervals"]["test"]["loss"]
    assert first.evaluation["baselines"].keys() == {"constant", "linear", "neighbours"}
    names = ("model.safetensors", "metrics.json", "history.jsonl", "findings.json")
    files = {name: (tmp_path / "out" / name).read_bytes() for name in names}
    for factor in FACTORS[::2]:
        other = ran(tmp_path, kind, factor, str(factor))
        assert other.evaluation == numbers(first.evaluation)
        assert other.model.network.resolved == first.model.network.resolved
        np.testing.assert_allclose(other.model.theta, first.model.theta, rtol=1e-6, atol=1e-9)
    for factor in POWERS[:1]:
        ran(tmp_path, kind, factor, str(factor))
        assert {name: (tmp_path / str(factor) / name).read_bytes() for name in names} == files


def test_equal_weights_change_nothing(tmp_path: Path):
    """Weights of 1/300 took all categories and gaps away, and all quantiles became the least number."""
    (tmp_path / "plain").mkdir()
    plain = ran(tmp_path / "plain", "values", None, "out", 'data.features=["a","b","c","city","day"]')
    text = (tmp_path / "plain" / "rows.csv").read_text()
    spec = written(tmp_path, "values", 1.0)
    (tmp_path / "rows.csv").write_text(text.replace(",1.0,", f",{1 / 300},"))
    weighted = specnet.run(spec, observer=Observer(), threads=1)
    for found in (weighted, plain):
        del found.evaluation["tables"]["test"]["residual_quantiles"]  # interpolated between rows without weights alone
    assert weighted.evaluation == numbers(plain.evaluation)
    assert plain.metrics["test"]["r2"] > 0.5


def test_rows_of_test_that_weigh_much_change_nothing_in_training(tmp_path: Path):
    first = ran(tmp_path, "values", 1.0)
    test = json.loads((tmp_path / "out" / "metrics.json").read_text())["test"]
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    chosen = data_of(tmp_path / "spec.toml").splits["test"].chosen
    for row in chosen:
        cells = lines[row + 1].split(",")
        cells[5] = repr(float(cells[5]) * 1e30)
        lines[row + 1] = ",".join(cells)
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    other = specnet.run(tmp_path / "spec.toml", observer=Observer(), threads=1)
    np.testing.assert_allclose(other.model.theta, first.model.theta, rtol=1e-6, atol=1e-9)
    assert other.metrics["test"] == pytest.approx(test, rel=1e-6)
