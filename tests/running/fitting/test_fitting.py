"""Fitting a spec to arrays: labels, targets, preprocessing, validation, weights, and what is refused."""

import math

import numpy as np
import pandas
import pytest
from sklearn.linear_model import LinearRegression

import specnet
from specnet import DataError, Observer, SpecError, TrainingError
from tests.running.moons import Interrupting
from tests.texts.pinned import Refused


def spec_of(loss: str, **sections) -> dict:
    network = {"dtype": "float64", "hidden_layer_sizes": [8], "preprocessing": ["standardize"]} | sections.pop(
        "network", {}
    )
    training = {"loss": loss, "optimizer": {"type": "adam", "learning_rate": 0.02}, "epochs": 60, "batch_size": 16}
    return {"network": network, "training": training | sections.pop("training", {}), **sections}


def blobs(labels, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows around a centre for each label, in units of which the first is a thousand times the second."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, len(labels), 120)
    X = np.array([[0, 0], [4, 0], [0, 4]])[classes] + rng.normal(0, 0.5, (120, 2))
    return X * [1000, 1] + [5000, -3], np.asarray(labels)[classes]


@pytest.mark.parametrize(
    "labels", [["no", "yes"], [3, 7], [False, True], [0, 1], ["a", "b", "c"], [0, 1, 2], [-5, 0, 9]]
)
def test_classes_of_any_labels(labels: list):
    X, y = blobs(labels)
    loss, outputs = ("binary_crossentropy", 1) if len(labels) == 2 else ("categorical_crossentropy", 3)
    model = specnet.fit(spec_of(loss), X, y)
    assert model.network.outputs == outputs
    assert (model.predict(X) == y).mean() > 0.95
    assert model.predict_proba(X).shape == (120, len(labels))
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1)
    assert model.labels.tolist() == sorted(map(type(model.labels.tolist()[0]), labels))


def test_integers_within_the_classes_are_indices_whether_or_not_all_occur(refused: Refused):
    X, y = blobs([0, 1, 3])
    spec = spec_of("categorical_crossentropy", network={"output_size": 4})
    assert specnet.fit(spec, X, y).labels.tolist() == [0, 1, 2, 3]
    with refused(DataError):
        specnet.fit(spec, X, np.array(["a", "b", "c", "d"])[y])


def test_one_hot_rows_and_several_binary_outputs():
    X, y = blobs([0, 1, 2])
    one_hot = specnet.fit(spec_of("categorical_crossentropy"), X, np.eye(3)[y])
    assert (one_hot.predict(X) == y).mean() > 0.95
    several = specnet.fit(spec_of("binary_crossentropy"), X, np.stack([y == 1, y == 2, y > 0], axis=1))
    assert several.predict(X).shape == (120, 3)
    assert (several.predict(X)[:, 0] == (y == 1)).mean() > 0.95


@pytest.mark.parametrize("outputs", [1, 2])
def test_values_come_back_in_their_own_units(outputs: int):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3)) * [1, 100, 0.01]
    y = X @ rng.normal(size=(3, outputs)) * [1, 0.01, 100][:outputs] * 500 + 2000
    y = y[:, 0] if outputs == 1 else y
    network = {"layers": [{"type": "dense", "units": outputs}], "target_preprocessing": ["standardize"]}
    spec = spec_of("mean_squared_error", training={"epochs": 300})
    spec["network"] = {"dtype": "float64", "preprocessing": ["standardize"], **network}
    model = specnet.fit(spec, X, y)
    expected = LinearRegression().fit(X, y).predict(X)
    assert model.predict(X).shape == y.shape
    np.testing.assert_allclose(model.predict(X), expected, atol=0.01 * y.std())


def test_validation_stands_in_the_history_without_smoothing():
    X, y = blobs([0, 1])
    spec = spec_of("binary_crossentropy", training={"loss": {"type": "binary_crossentropy", "label_smoothing": 0.2}})
    model = specnet.fit(spec, X, y, validation=(X[:30], y[:30]))
    assert [list(record) for record in model.history] == [["epoch", "loss", "validation_loss"]] * 60
    assert model.history[-1]["validation_loss"] == pytest.approx(model.evaluate(X[:30], y[:30])["loss"])
    assert model.history[-1]["validation_loss"] < model.history[-1]["loss"]


@pytest.mark.parametrize("loss", ["binary_crossentropy", "mean_squared_error"])
def test_validation_weights_count_in_the_loss_and_in_what_is_monitored(loss: str):
    X, y = blobs([0, 1])
    score = "accuracy" if loss == "binary_crossentropy" else "r2"
    y = y if score == "accuracy" else y + 5.0 * X[:, 1]
    held = X[:30], y[:30], np.arange(30.0)
    watched = {"monitor": f"validation_{score}", "patience": 99, "restore_best": False}
    spec = spec_of(loss, training={"metrics": [score], "early_stopping": watched, "epochs": 3})
    if score == "r2":
        spec["network"]["target_preprocessing"] = ["standardize"]
    model = specnet.fit(spec, X, y, validation=held)
    figures = model.evaluate(*held)
    assert model.history[-1]["validation_loss"] == pytest.approx(figures["loss"])
    assert model.history[-1][f"validation_{score}"] == pytest.approx(figures[score])


def test_full_batch_weights_are_repetitions():
    X, y = blobs([0, 1])
    times = np.random.default_rng(1).integers(0, 3, len(X))
    spec = spec_of("binary_crossentropy", training={"batch_size": "full"})
    del spec["network"]["preprocessing"]
    X = (X - X.mean(0)) / X.std(0)
    weighted = specnet.fit(spec, X, y, sample_weight=times)
    repeated = specnet.fit(spec, np.repeat(X, times, 0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.theta, repeated.theta, rtol=1e-8, atol=1e-10)


def test_batches_of_weight_0_are_passed_over():
    X, y = blobs([0, 1])
    weight = np.zeros(len(X))
    weight[:3] = 1
    model = specnet.fit(spec_of("binary_crossentropy", training={"batch_size": 2}), X, y, sample_weight=weight)
    assert np.isfinite(model.theta).all()
    assert all(np.isfinite(record["loss"]) for record in model.history)


def test_the_same_fit_twice_is_the_same_model_bit_for_bit():
    X, y = blobs([0, 1, 2])
    spec = spec_of("categorical_crossentropy")
    first, second = (specnet.fit(spec, X, y) for _ in range(2))
    np.testing.assert_array_equal(first.theta, second.theta)
    assert first.history == second.history
    assert not np.array_equal(specnet.fit(spec | {"seed": 1}, X, y).theta, first.theta)


def test_arrays_in_place_of_the_spec_s_data():
    X, y = blobs([0, 1])
    spec = spec_of("binary_crossentropy", data={"type": "digits"})
    spec["training"]["loss"] = "categorical_crossentropy"
    assert specnet.fit(spec, X, y).spec.data is None


def test_arguments_stay_as_they_are():
    X, y = blobs(["no", "yes"])
    X.flags.writeable = y.flags.writeable = False
    specnet.fit(spec_of("binary_crossentropy"), X, y)


SINGLE = spec_of("binary_crossentropy", network={"dtype": "float32", "preprocessing": []})


@pytest.mark.parametrize(
    ("arguments", "error", "code", "at"),
    [
        ({"y": np.zeros(7)}, DataError, "data", ""),
        ({"X": np.zeros((0, 2)), "y": np.zeros(0)}, DataError, "data", ""),
        ({"X": np.full((120, 2), np.nan)}, DataError, "data", ""),
        ({"X": np.full((120, 2), "a")}, DataError, "data", ""),
        ({"y": np.full(120, 0.5)}, DataError, "data", ""),
        ({"y": np.arange(120)}, DataError, "loss-target", "training.loss"),
        ({"y": [[0], [1, 0]] * 60}, DataError, "data", ""),
        ({"validation": (np.zeros((2, 2)), [[0], [1, 0]])}, DataError, "data", ""),
        ({"X": np.ma.masked_greater(np.ones((120, 2)), 0)}, DataError, "data", ""),
        ({"y": np.ma.masked_equal([0, 1] * 60, 1)}, DataError, "data", ""),
        ({"sample_weight": np.ma.masked_equal([1, 2] * 60, 2)}, DataError, "data", ""),
        ({"X": np.ones((120, 2), object)}, DataError, "data", ""),
        ({"X": np.full((120, 2), None)}, DataError, "data", ""),
        ({"X": None}, DataError, "data", ""),
        ({"X": np.nan}, DataError, "data", ""),
        ({"sample_weight": np.ma.masked}, DataError, "data", ""),
        ({"sample_weight": np.ones(3)}, DataError, "data", ""),
        ({"validation": (np.zeros((3, 2)), np.zeros(2))}, DataError, "data", ""),
        ({"validation": np.zeros((3, 2))}, DataError, "data", ""),
        ({"validation": (np.zeros((3, 5)), np.zeros(3))}, DataError, "data", ""),
        ({"validation": (np.zeros((3, 2)), np.full(3, 2))}, DataError, "data", ""),
        (
            {"spec": spec_of("binary_crossentropy", network={"input_size": 3})},
            SpecError,
            "size-clash",
            "network.input_size",
        ),
        ({"y": ["red"] * 120}, DataError, "loss-target", "training.loss"),
        ({"spec": SINGLE, "X": np.full((120, 2), 1e300)}, DataError, "data", ""),
        ({"spec": SINGLE, "validation": (np.full((3, 2), 1e300), np.zeros(3))}, DataError, "data", ""),
        ({"spec": spec_of("mean_squared_error"), "y": ["a", "b"] * 60}, DataError, "loss-target", "training.loss"),
        ({"spec": spec_of("categorical_crossentropy"), "y": [0] * 120}, DataError, "loss-target", "training.loss"),
    ],
)
def test_what_does_not_fit_is_named(arguments: dict, error: type[Exception], code: str, at: str, refused: Refused):
    X, y = blobs([0, 1])
    with refused(error, code=code, at=at):
        specnet.fit(**({"spec": spec_of("binary_crossentropy"), "X": X, "y": y} | arguments))


def test_a_loss_that_is_not_finite_stops_with_the_epoch_and_a_remedy(refused: Refused):
    X, y = blobs([0, 1])
    spec = spec_of("mean_squared_error", training={"optimizer": {"type": "sgd", "learning_rate": 1e6}})
    with refused(TrainingError) as caught:
        specnet.fit(spec, X, y * 1.0)
    assert "training.optimizer.learning_rate" in caught.value.diagnostics[0].hint


def test_labels_that_differ_by_a_null_character_do_not_become_one(refused: Refused):
    X, spec = np.eye(4), spec_of("binary_crossentropy", training={"epochs": 1})
    labels = ["lab", "lab\0", "lab", "lab\0"]
    for y in (labels, np.array(labels, object), pandas.Series(labels), np.array(labels, np.dtypes.StringDType())):
        with refused(DataError):
            specnet.fit(spec, X, y)
        with refused(ValueError):
            specnet.SpecClassifier(epochs=1).fit(X, y)
    model = specnet.fit(spec, X, ["l\0b", "lab"] * 2)
    assert model.labels.tolist() == ["l\0b", "lab"]
    with refused(DataError):
        model.evaluate(X, ["lab", "lab", "lab", "lab\0"])


SPLIT = {"test_size": 0.0, "validation_size": 0.3, "random_state": 5}
STOPPED = {"epochs": 40, "early_stopping": {"patience": 2}}


@pytest.mark.parametrize("labels", [np.array([0, 1]), np.array(["no", "yes"])])
@pytest.mark.parametrize("split", [SPLIT, {**SPLIT, "stratify": False}, {"test_size": 0.0, "validation_size": 0.3}])
def test_validation_rows_are_set_aside_as_a_run_does_it(tmp_path, labels, split):
    X, y = blobs(labels)
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    data = {"type": "npz", "path": str(tmp_path / "rows.npz"), "split": split}
    spec = {**spec_of("binary_crossentropy", training=STOPPED), "data": data}
    model, ran = specnet.fit(spec, X, y), specnet.run(spec, observer=Observer())
    assert model.spec.data is None
    assert model.history == ran.history
    np.testing.assert_array_equal(model.theta, ran.model.theta)


def test_a_fit_has_no_test_rows_and_given_validation_rows_come_first(refused: Refused):
    X, y = blobs([0, 1])
    sizes = []

    class Listening(Observer):
        def started(self, network, rows, epochs):
            sizes.append(dict(rows))

    data = {"type": "make_moons", "split": {**SPLIT, "test_size": 0.2}}
    spec = {**spec_of("binary_crossentropy", training={"epochs": 1}), "data": data}
    specnet.fit(spec, X, y, observer=Listening())
    specnet.fit(spec, X, y, validation=(X[:7], y[:7]), observer=Listening())
    held_out = math.ceil(0.3 * len(X))
    assert sizes == [{"train": len(X) - held_out, "validation": held_out}, {"train": len(X), "validation": 7}]
    with refused(DataError, code="split", at="data.split.stratify") as caught:
        specnet.fit(spec, X[:2], [0, 1])
    assert caught.value.diagnostics[0].path == ("data", "split", "stratify")


def test_ctrl_c_in_a_fit_goes_on_to_the_caller():
    X, y = blobs([0, 1])
    with pytest.raises(KeyboardInterrupt):
        specnet.fit(spec_of("binary_crossentropy"), X, y, observer=Interrupting(1))


def test_a_masked_array_without_a_masked_number_is_an_array(refused: Refused):
    X, y = blobs([0, 1])
    spec = spec_of("binary_crossentropy", training={"epochs": 2})
    model, expected = specnet.fit(spec, np.ma.array(X), np.ma.array(y)), specnet.fit(spec, X, y)
    np.testing.assert_array_equal(model.theta, expected.theta)
    with refused(DataError):
        model.evaluate(X, np.ma.masked_array(y, np.arange(120) == 3))


@pytest.mark.parametrize("missing", [None, float("nan"), pandas.NA, pandas.NaT])
def test_a_label_that_is_missing_has_its_place(missing, refused: Refused):
    X, _ = blobs([0, 1])
    y = np.array(["no", "yes"] * 60, dtype=object)
    y[7] = missing
    with refused(DataError):
        specnet.fit(spec_of("binary_crossentropy"), X, pandas.Series(y))
