"""Falls of rounded predictions: none to the last bit where a program promises it, and how others are found."""

import shutil

import numpy as np
import pytest

import specnet
from specnet.data import RawColumns
from specnet.exporting import find_target
from specnet.model import Model
from specnet.model.decoder import Answers
from specnet.model.directions import largest_fall, outputs_of, promise
from specnet.model.error_quantiles import ErrorQuantiles
from tests.benchmarks.falls import count_falls
from tests.compiling import compiles
from tests.network.test_monotone import BODIES, DIRECTIONS, dense, moved, spec_of, training_rows

MIXED = {"type": "activation", "activation": {"type": "mish", "parametric": True}, "monotone": "elu"}
KINDS = {
    "relu": ("float64", [*BODIES["batch_normalization"], dense(1)]),
    "elu": (
        "float32",
        [{"type": "periodic_embedding", "columns": [1, 3]}, dense(12), MIXED, dense(12, "tanh"), dense(1)],
    ),
    "softplus": ("float32", [dense(12, "softplus"), dense(1)]),
}
"""Precision and layers of networks, by their activation."""
WITHOUT_FALLS = {"c": ("relu", "elu"), "javascript": ("relu",), "numpy": ("relu", "elu"), "onnx": ()}
"""The networks of which exports keep the last bit, by target."""
PROGRAMS = {"c": "cc", "javascript": "node"}


@pytest.fixture(scope="module", params=KINDS)
def trained(request) -> Model:
    """A model with two monotone columns."""
    dtype, layers = KINDS[request.param]
    X, y = training_rows(np.random.default_rng(0))
    spec = spec_of(layers, epochs=2, ensemble=2)
    spec["network"] |= {"dtype": dtype, "preprocessing": ["robust"], "target_preprocessing": ["clip", "standardize"]}
    model = specnet.fit(spec | {"name": request.param}, X, y)
    low, high = moved(np.random.default_rng(0))
    assert (model.predict(low) - model.predict(high)).max() <= 4 * np.spacing(np.abs(y).max().astype(dtype))
    return model


@pytest.mark.parametrize("target", ["numpy", "javascript", "onnx", pytest.param("c", marks=compiles)])
def test_an_export_says_whether_it_keeps_the_last_bit(target: str, trained: Model, tmp_path):
    if target in PROGRAMS and shutil.which(PROGRAMS[target]) is None:
        pytest.skip(f"there is no {PROGRAMS[target]}")
    if target == "onnx":
        pytest.importorskip("onnx")
    keeps, path = trained.spec.name in WITHOUT_FALLS[target], tmp_path / f"net{find_target(target).suffix}"
    proof = specnet.export(trained, target, path).proof
    assert proof.difference < (1e-12 if trained.network.dtype == np.float64 else 1e-4)
    assert proof.never_falls == keeps
    assert 0 <= proof.fall <= (0 if keeps else 4)
    assert ("none to the last bit" if keeps else "at most 4 are allowed") in str(proof)
    words = "Predictions do not fall if 0 rises or 2 falls, "
    words += "not even in the last bit." if keeps else "except by rounding, by at most 4 units of the last place."
    assert promise(trained, never_falls=keeps) == words
    assert words.encode() in path.read_bytes()
    assert target != "numpy" or (b"def dense(" in path.read_bytes()) == keeps


@pytest.mark.parametrize("at", ["within", "beyond", "bend", "beside"])
def test_falls_are_found_where_they_are(at: str):
    """An answer that bends at 0.3 falls by a trillionth in its range, beyond it, at the bend, or between numbers."""
    X, y = training_rows(np.random.default_rng(0))
    model = specnet.fit(spec_of([dense(4, "relu"), dense(1)], epochs=1), X, y)
    rows = RawColumns(X)

    def bent(rows: RawColumns) -> np.ndarray:
        return np.interp(rows.X[:, :1], [0.3, 1, 50], [1, 2, 3])

    def falling(rows: RawColumns) -> np.ndarray:
        x = rows.X[:, :1]
        dips = {"within": x > -0.5, "beyond": x > 100, "bend": (x > 0.2999) & (x < 0.3)}
        dips["beside"] = np.frexp(x)[0] * 2**53 % 2 == 1
        return bent(rows) - 1e-12 * dips[at]

    model.predict = bent
    assert largest_fall(model, rows, np.dtype(np.float64), bent) <= 4
    assert largest_fall(model, rows, np.dtype(np.float64), falling) > 1000


def test_falls_have_the_units_of_the_falling_prediction():
    X, y = training_rows(np.random.default_rng(0))
    model, rows = specnet.fit(spec_of([dense(4, "relu"), dense(1)], epochs=1), X, y), RawColumns(X)

    def fall_of(size: float) -> float:
        """Return the fall by 2⁻⁴⁰ of predictions of this size, beside others of 1024."""

        def answer(rows: RawColumns) -> np.ndarray:
            falling = size - 2.0**-40 * (rows.X[:, :1] > 0)
            return np.where(rows.X[:, 1:2] > 0, 1024.0, falling)

        return largest_fall(model, rows, np.dtype(np.float64), answer)

    assert fall_of(1024.0) == 4
    assert fall_of(512.0) == 8
    assert fall_of(1.0) == 16  # as if it were a quarter of the largest


def test_a_run_moves_its_columns_and_refuses_falls(tmp_path, monkeypatch):
    X, y = training_rows(np.random.default_rng(0))
    lines = "\n".join(",".join(map(repr, row)) for row in np.column_stack([X, y]).tolist())
    (tmp_path / "rows.csv").write_text(f"a,b,c,d,y\n{lines}\n")
    data = {"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "y"}
    network = {"hidden_layer_sizes": [8], "activations": "relu", "monotone": {"a": "increasing", "c": "decreasing"}}
    spec = {"data": data, "network": network, "training": {"loss": "mean_squared_error", "epochs": 2}}
    found = specnet.run(spec, report=False).evaluation["monotone"]
    assert found.keys() == {"largest_fall"}
    assert 0 <= found["largest_fall"] <= 4
    monkeypatch.setattr(specnet.Model, "predict", lambda self, rows: -rows.X[:, 0])
    with pytest.raises(specnet.errors.TrainingError, match="falls by"):
        specnet.run(spec, report=False)


@pytest.mark.parametrize("is_monotone", [True, False])
def test_ends_of_intervals_fall_only_in_networks_without_directions(is_monotone: bool):
    rng = np.random.default_rng(0)
    prediction = np.sort(rng.random(2000))
    size = np.where(prediction < 0.5, 0.05, 2.0) * np.where(prediction > 0.8, 0.05, 1)
    target = prediction + size * rng.normal(size=2000)
    answers = Answers(target, target[:, np.newaxis], np.abs(target), prediction, None, None)
    quantiles = ErrorQuantiles.of(answers, "values", is_monotone=is_monotone)
    assert quantiles.knots.size
    line = np.unique(rng.uniform(-0.5, 1.5, 20_000))
    low, high = quantiles.ends(line, 0.95).T
    falls = [-np.diff(end).min() for end in (low, high)]
    assert [fall <= 4 * np.spacing(np.abs(high).max()) for fall in falls] == [is_monotone] * 2
    covered = np.abs(target - prediction) <= np.diff(quantiles.ends(prediction, 0.95))[:, 0] / 2
    assert covered.mean() >= 0.94


@pytest.mark.parametrize("name", ["numpy engine", pytest.param("compiled engine", marks=compiles), "numpy"])
def test_no_prediction_falls_far_at_another_position_of_a_batch(name: str):
    assert count_falls([name], ["mixed"], pairs=8000, draws=2)


@pytest.mark.parametrize("engine", ["numpy", pytest.param("compiled", marks=compiles)])
@pytest.mark.parametrize("loss", ["mean_squared_error", "binary_crossentropy"])
def test_teams_temperature_ranges_and_ends_keep_directions(loss: str, engine: str):
    rng = np.random.default_rng(0)
    X, y = training_rows(rng)
    models = []
    for activation in ("relu", "tanh"):
        spec = spec_of([dense(8, activation), dense(1)], loss, epochs=3, ensemble=2, engine=engine)
        if loss == "mean_squared_error":
            spec["network"]["target_range"] = [-1, 1.5]
        else:
            spec["training"]["calibration"] = "temperature"
        models.append(specnet.fit(spec, X, y if loss == "mean_squared_error" else (y > 0.5).astype(int)))
    low, high = moved(rng)
    for model in (*models, Model.joined(models, [1, 2])):
        before, after = (outputs_of(model, rows) for rows in (low, high))
        assert (before - after)[:, -1].max() <= 4e-16
        assert (after - before)[:, -1].max() > 1e-3
        assert largest_fall(model, RawColumns(X), np.dtype(np.float64), lambda rows, m=model: outputs_of(m, rows)) <= 4
        assert promise(model, never_falls=True)
        if loss == "mean_squared_error":
            assert before.min() >= -1
            assert after.max() <= 1.5
        if loss == "mean_squared_error" and len(model.networks) == 1:
            ends, moved_ends = (model.predict_interval(rows) for rows in (low, high))
            assert (ends - moved_ends).max() <= 1e-15
    free = spec_of([dense(1)], loss, monotone={"0": "increasing"}, epochs=1)
    other = specnet.fit(free, X, y if loss == "mean_squared_error" else (y > 0.5).astype(int))
    assert "if 0 rises, " in promise(Model.of([models[0].networks[0], other.networks[0]], [1, 1]), never_falls=True)


@pytest.mark.parametrize("is_classifier", [True, False])
def test_estimators_have_directions_by_the_numbers_of_columns(is_classifier: bool):
    rng = np.random.default_rng(0)
    X, y = training_rows(rng)
    spec = {"network": {"hidden_layer_sizes": [8], "activations": "relu", "monotone": DIRECTIONS}}
    estimator = (specnet.SpecClassifier if is_classifier else specnet.SpecRegressor)(spec, epochs=3, random_state=0)
    estimator.fit(X, y > 0.5 if is_classifier else y)
    low, high = moved(rng)
    before, after = (estimator.predict_proba(X)[:, 1] if is_classifier else estimator.predict(X) for X in (low, high))
    assert (before - after).max() <= 1e-6
    assert (after - before).max() > 1e-3
