"""Fitting a spec to arrays and data frames: labels, targets, preprocessing, validation, weights, and errors."""

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas
import pytest
from sklearn.linear_model import LinearRegression

import specnet
from specnet import DataError, Observer, SpecError, TrainingError
from specnet.checking import check_spec
from specnet.parts import Preprocessing
from tests.running.moons import Interrupting
from tests.running.specs import cells, csv_file, spec_on
from tests.texts.pinned import Pinned, Refused


def spec_of(loss: str, network: Any = (), training: Any = (), **sections: Any) -> dict[str, Any]:
    plain = {"dtype": "float64", "hidden_layer_sizes": [8], "preprocessing": ["standardize"]}
    adam = {"optimizer": {"type": "adam", "learning_rate": 0.02}, "epochs": 60, "batch_size": 16}
    return {"network": plain | dict(network), "training": {"loss": loss} | adam | dict(training), **sections}


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


def test_arguments_stay_as_they_are():
    X, y = blobs(["no", "yes"])
    X.flags.writeable = y.flags.writeable = False
    specnet.fit(spec_of("binary_crossentropy"), X, y)


SINGLE = spec_of("binary_crossentropy", network={"dtype": "float32", "preprocessing": []})
ODD = [[0], [1, 0]]
WRONG: list[dict[str, Any]] = [
    *({"y": y} for y in (np.zeros(7), np.full(120, 0.5), ODD * 60, np.ma.masked_equal([0, 1] * 60, 1))),
    {"X": np.zeros((0, 2)), "y": np.zeros(0)},
    *({"X": np.full((120, 2), cell)} for cell in (np.nan, "a", None)),
    *({"X": X} for X in (np.ma.masked_greater(np.ones((120, 2)), 0), np.ones((120, 2), object), None, np.nan)),
    *({"sample_weight": weight} for weight in (np.ma.masked_equal([1, 2] * 60, 2), np.ma.masked, np.ones(3))),
    *({"validation": (np.zeros((rows, 2)), y)} for rows, y in ((2, ODD), (3, np.zeros(2)), (3, np.full(3, 2)))),
    *({"validation": held} for held in (np.zeros((3, 2)), (np.zeros((3, 5)), np.zeros(3)))),
    {"spec": SINGLE, "X": np.full((120, 2), 1e300)},
    {"spec": SINGLE, "validation": (np.full((3, 2), 1e300), np.zeros(3))},
]
TWO = [True, False]
TABLES: list[dict[str, Any]] = [
    *({"y": pandas.Series(["no", missing] * 60, dtype=object)} for missing in (None, np.nan, pandas.NA, pandas.NaT)),
    *(
        {"X": pandas.DataFrame({"mean radius": column, "sick": TWO}), "y": [0, 1]}
        for column in ([1.0, np.nan], [None, 1], pandas.array([1, None], "Int64"), [1.0, np.inf])
    ),
]
UNFIT: list[dict[str, Any]] = [
    *({"y": y} for y in (np.arange(120), ["red"] * 120)),
    {"spec": spec_of("mean_squared_error"), "y": ["a", "b"] * 60},
    {"spec": spec_of("categorical_crossentropy"), "y": [0] * 120},
]


CASES = [
    *((arguments, "data", "") for arguments in WRONG),
    *((arguments, "data", None) for arguments in TABLES),
    *((arguments, "loss-target", "training.loss") for arguments in UNFIT),
]


@pytest.mark.parametrize(("arguments", "code", "at"), CASES, ids=range(len(CASES)))
def test_what_does_not_fit_is_named(arguments: dict[str, Any], code: str, at: str | None, refused: Refused):
    X, y = blobs([0, 1])
    with refused(DataError, code=code, at=at):
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
    sizes, observer = [], Observer()
    observer.started = lambda network, rows, epochs: sizes.append(dict(rows))
    data = {"type": "make_moons", "split": {**SPLIT, "test_size": 0.2}}
    spec = {**spec_of("binary_crossentropy", training={"epochs": 1}), "data": data}
    specnet.fit(spec, X, y, observer=observer)
    specnet.fit(spec, X, y, validation=(X[:7], y[:7]), observer=observer)
    held_out = math.ceil(0.3 * len(X))
    assert sizes == [{"train": len(X) - held_out, "validation": held_out}, {"train": len(X), "validation": 7}]
    with refused(DataError, code="split", at="data.split.stratify"):
        specnet.fit(spec, X[:2], [0, 1])


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


def frame(*names) -> tuple[pandas.DataFrame, np.ndarray]:
    X, y = blobs([0, 1])
    any_names = pandas.Index(names, dtype=object)  # where pyarrow is installed, pandas refuses some as texts
    return pandas.DataFrame(X, columns=any_names), y


def test_names_of_a_frames_columns_belong_to_the_model(tmp_path):
    table, y = frame("length", 'width "cm"')
    spec = spec_of("binary_crossentropy", training={"epochs": 2})
    model = specnet.fit(spec, table, y)
    assert model.feature_names == ("length", 'width "cm"')
    np.testing.assert_allclose(model.theta, specnet.fit(spec, table.to_numpy(), y).theta, rtol=1e-11)
    model.save(tmp_path / "model")
    assert specnet.load_model(tmp_path / "model").feature_names == model.feature_names
    assert specnet.fit(model.spec, table.to_numpy(), y).feature_names == model.feature_names
    assert specnet.fit(spec, table.to_numpy(), y).feature_names is None


@pytest.mark.parametrize("names", [("a", "a"), ("a", ""), ("a", 2), (0, 1), ("a", "\ud800"), ("a", "b" * 500_000)])
def test_names_that_a_spec_may_not_have_are_left_out(names, tmp_path):
    model = specnet.fit(spec_of("binary_crossentropy", training={"epochs": 1}), *frame(*names))
    assert model.feature_names is None
    model.save(tmp_path / "model")


def test_columns_are_taken_by_the_names_in_the_spec(refused: Refused):
    table, y = frame("a", "b")
    spec = spec_of("binary_crossentropy", network={"feature_names": ["b", "a"]}, training={"epochs": 2})
    model = specnet.fit(spec, table.assign(c="text"), y)
    assert model.feature_names == ("b", "a")
    np.testing.assert_array_equal(model.theta, specnet.fit(spec, table[["b", "a"]], y).theta)
    with refused(DataError) as caught:
        specnet.fit(spec, *frame("c", "d"))
    assert "c, d" in (caught.value.diagnostics[0].hint or "")
    spec["network"]["feature_names"] = ["a", "b", "c"]
    with refused(SpecError, code="size-clash", at="network.feature_names"):
        specnet.fit(spec, table.to_numpy(), y)


def test_a_model_takes_its_columns_by_name(refused: Refused):
    table, y = frame("a", "b")
    spec = spec_of("binary_crossentropy", training={"epochs": 1})
    model = specnet.fit(spec, table, y)
    np.testing.assert_array_equal(model.predict_proba(table), model.predict_proba(table.to_numpy()))
    other = table.assign(id=[f"row {row}" for row in range(len(table))])[["b", "id", "a"]]
    for answer in (model.predict, model.predict_proba, lambda X: model.evaluate(X, y)["loss"]):
        np.testing.assert_array_equal(answer(other), answer(table))
        with refused(DataError):
            answer(table.rename(columns={"b": "c"}))
    with refused(DataError):
        model.predict(pandas.concat([table, table], axis=1))
    watched = specnet.fit(spec, table, y, validation=(other, y))
    assert watched.history == specnet.fit(spec, table, y, validation=(table, y)).history
    with refused(DataError):
        specnet.fit(spec, table, y, validation=(table[["a"]], y))


@pytest.mark.parametrize(
    "column", [[True, False] * 2, pandas.array([1, 0, 1, 0], "Int64"), pandas.array([True, False] * 2, "boolean")]
)
def test_columns_of_several_types_are_numbers(column):
    table = pandas.DataFrame({"a": column, "b": [0.5, 1.5, 2.5, 3.5]})
    spec = spec_of("binary_crossentropy", training={"epochs": 1})
    model = specnet.fit(spec, table, [0, 1, 0, 1])
    numbers = np.array([[1, 0.5], [0, 1.5], [1, 2.5], [0, 3.5]])
    np.testing.assert_array_equal(model.predict_proba(table), model.predict_proba(numbers))


FILLED = {"preprocessing": ["impute", "standardize"]}


def animals(rows: int = 60) -> tuple[pandas.DataFrame, np.ndarray]:
    """Return a table of numbers with gaps, texts with gaps, dates and names, and classes that it tells apart."""
    random = np.random.default_rng(0)
    legs = random.choice([2.0, 4.0, np.nan], rows)
    colour = random.choice(["red", "blue"], rows).astype(object)
    colour[::7] = None
    seen = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(random.integers(0, 400, rows), "D")
    names = [f"animal {number}" for number in range(rows)]
    table = pandas.DataFrame({"name": names, "legs": legs, "colour": colour, "seen": seen})
    return table, np.where(legs == 2, "bird", "other")


def test_a_data_frame_with_texts_gaps_and_dates_is_a_table():
    table, y = animals()
    spec = spec_on(None, 8, epochs=60, optimizer={"type": "adam", "learning_rate": 0.05})
    with pytest.warns(specnet.SpecnetWarning) as told:
        model = specnet.fit(spec, table, y)
    assert ["name" in str(each.message) for each in told] == [True], "names say nothing of other animals"
    assert model.feature_names == ("legs", "colour", "seen")
    assert model.spec.network.feature_kinds == {"legs": "numeric", "colour": "category", "seen": "datetime"}
    assert (model.predict(table) == y).mean() > 0.9
    again = specnet.fit(spec, table[["seen", "colour", "legs"]], y, validation=(table, y))
    assert "validation_loss" in again.history[-1]
    np.testing.assert_array_equal(model.predict(table.iloc[::-1, ::-1]), model.predict(table)[::-1])


def test_a_model_of_texts_needs_a_table(tmp_path: Path, refused: Refused):
    table, y = animals()
    model = specnet.fit(spec_on(), table.drop(columns="name"), y)
    model.save(tmp_path / "m.safetensors")
    again = specnet.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    with refused(DataError):
        model.predict(np.zeros((3, 3)))
    with refused(DataError):
        model.predict(table.drop(columns="legs"))


def test_unseen_categories_are_predicted_alike_and_counted(pinned: Pinned):
    table, y = animals()
    model = specnet.fit(spec_on(), table.drop(columns="name"), y)
    answers = []
    for colour in ("green", "RED"):
        with pytest.warns(specnet.SpecnetWarning) as told:
            answers.append(model.predict_proba(table.assign(colour=table.colour.where(table.index > 2, colour))))
        assert len(told) == 1
        pinned(told[0].message)
    np.testing.assert_array_equal(*answers)
    np.testing.assert_allclose(answers[0][3:], model.predict_proba(table)[3:], rtol=1e-6)


def test_a_gap_in_a_column_that_was_trained_without_gaps_is_filled_all_the_same(tmp_path: Path, pinned: Pinned):
    table, y = animals()
    table["shape"] = np.where(table.index % 2, "round", "long")
    specnet.fit(spec_on(network=FILLED), table.drop(columns="name"), y).save(tmp_path / "m.safetensors")
    model = specnet.load_model(tmp_path / "m.safetensors")
    late = table.assign(seen=table.seen.where(table.index != 7), shape=table["shape"].where(table.index != 8))
    likely = table.copy()
    likely.loc[7, "seen"], likely.loc[8, "shape"] = table.seen.sort_values().iloc[29:31].mean(), "square"
    with pytest.warns(specnet.SpecnetWarning) as told:
        found = model.predict_proba(late)
    assert len(told) == 1
    pinned(told[0].message)
    with pytest.warns(specnet.SpecnetWarning, match='such as "square"'):
        np.testing.assert_allclose(found, model.predict_proba(likely), rtol=1e-6)
    with pytest.warns(specnet.SpecnetWarning):
        assert model.evaluate(late, y) != model.evaluate(table, y), "a metric is of all rows"


def test_a_gap_that_no_step_fills_is_told_of(refused: Refused):
    table, y = animals()
    late = table[["colour", "seen"]].assign(seen=table.seen.where(table.index != 7))
    model = specnet.fit(spec_on(network={"preprocessing": ["standardize"]}), table[["colour", "seen"]], y)
    for predict in (model.predict, model.predict_proba, lambda X: model.evaluate(X, y)):
        with refused(DataError):
            predict(late)


def test_a_frame_of_numbers_may_have_gaps_later_if_the_model_fills_them(refused: Refused):
    rows = np.random.default_rng(0).normal(size=(41, 2)).round(3)
    table, y = pandas.DataFrame(rows, columns=["a", "b"]), rows[:, 0] > 0
    model = specnet.fit(spec_on(network=FILLED), table, y)
    late, likely = table.copy(), table.copy()
    late.loc[3, "b"], likely.loc[3, "b"] = np.nan, np.median(rows[:, 1])
    with pytest.warns(specnet.SpecnetWarning, match='"b": 1 of 41'):
        np.testing.assert_array_equal(model.predict_proba(late), model.predict_proba(likely))
    for wrong, code in ((late.to_numpy(), "data"), (table.assign(b="text"), "not-a-number")):
        with refused(DataError, code=code):
            model.predict(wrong)


def dated(rows: int = 60) -> pandas.DataFrame:
    """Return a table with a date as a text, on which the target depends, and with the same date as a date."""
    day = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(np.random.default_rng(0).integers(0, 400, rows), "D")
    return pandas.DataFrame({"day": day.strftime("%d/%m/%Y"), "date": day, "y": np.sin(day.day_of_year / 60)})


GERMAN = {"type": "datetime", "format": "%d/%m/%Y"}


def test_a_data_frame_may_have_dates_in_a_format_of_their_own(tmp_path: Path):
    table = dated()
    spec = spec_on(None, 4, loss="mse", epochs=2)
    plain = specnet.fit(spec, table[["date"]].rename(columns={"date": "day"}), table.y, observer=specnet.Observer())
    spec["network"]["feature_kinds"] = {"day": GERMAN}
    model = specnet.fit(spec, table, table.y, observer=specnet.Observer())
    model.save(tmp_path / "m.safetensors")
    for each in (model, specnet.load_model(tmp_path / "m.safetensors")):
        np.testing.assert_array_equal(each.predict(table), plain.predict(table[["date"]].set_axis(["day"], axis=1)))


def spec_with(dtype: str = "float64", split: float = 0.0, **network: Any) -> dict[str, Any]:
    data = {"type": "make_moons", "split": {"validation_size": split}}
    return spec_on(data, 4, {"dtype": dtype, **network}, loss="mse", epochs=2)


def numbers(rows: int = 50) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(3, 2, (rows, 3))
    return X, X[:, 0]


class WithSquares(Preprocessing):
    """Columns, and their squares beside them."""

    learned = ("largest",)
    type: Literal["with_squares"] = "with_squares"

    def output_size(self, columns: int) -> int:
        return 2 * columns

    def fit(self, columns, weight=None, texts=None):
        return self, {"largest": abs(columns).max(0)}

    def apply(self, columns, fitted):
        scaled = columns / fitted["largest"]
        return np.concatenate([scaled, scaled**2], axis=1)


def test_preprocessing_may_change_the_number_of_columns(tmp_path: Path):
    X, y = numbers()
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    steps = ["standardize", "with_squares", "standardize"]
    model = specnet.fit(spec_with("float32", 0.2, preprocessing=steps), frame, y, parts=[WithSquares])
    resolved = model.network.resolved
    assert (resolved.columns, resolved.inputs, resolved.spec.network.input_size) == (3, 6, 6)
    shapes = {name: array.shape for name, array in model.preprocessing.tensors().items()}
    three, six = ("0.0.mean", "0.0.scale", "0.1.largest"), ("0.2.mean", "0.2.scale")
    assert shapes == dict.fromkeys(three, (3,)) | dict.fromkeys(six, (6,))
    model.save(tmp_path / "model.safetensors")
    again = specnet.load_model(tmp_path / "model.safetensors", parts=[WithSquares])
    np.testing.assert_array_equal(again.predict(frame), model.predict(X))
    assert again.evaluate(X, y) == model.evaluate(X, y)


def test_a_run_and_a_check_of_such_a_network(tmp_path: Path):
    X, y = numbers()
    spec = spec_with(preprocessing=["with_squares"])
    spec["data"] = csv_file(tmp_path / "rows.csv", "a,b,c,y", cells(np.column_stack([X, y])))
    result = specnet.run(spec, parts=[WithSquares], observer=specnet.Observer())
    assert set(result.metrics) == {"train", "test"}
    assert result.model.network.inputs == 6
    assert check_spec(specnet.parse_spec(spec, parts=[WithSquares])).agrees


def test_sizes_that_disagree_with_what_preprocessing_makes_are_errors(refused: Refused):
    X, y = numbers()
    spec = spec_with(preprocessing=["with_squares"])
    del spec["data"]
    assert specnet.build(spec, 3, 1, parts=[WithSquares]).inputs == 6
    spec["network"]["input_size"] = 3
    with refused(SpecError, code="size-clash", at="network.input_size"):
        specnet.fit(spec, X, y, parts=[WithSquares])
    with refused(SpecError, code="unknown-size", at="network"):
        specnet.build(spec, outputs=1, parts=[WithSquares])


@pytest.mark.parametrize("verb", ["fit", "run", "build"])
def test_parts_overrides_and_limits_are_the_same_everywhere(verb: str, refused: Refused):
    X, y = numbers()
    spec = spec_with(preprocessing=["with_squares"])
    if verb != "fit":
        spec["data"] = {"type": "make_regression", "n_features": 3, "n_informative": 0}
    call = {
        "fit": lambda **options: specnet.fit(spec, X, y, **options).network,
        "run": lambda **options: specnet.run(spec, **options).model.network,
        "build": lambda **options: specnet.build(spec, **options),
    }[verb]
    settings = ["network.hidden_layer_sizes=[7]"]
    assert call(parts=[WithSquares], overrides=settings).spec.network.layers[0].units == 7
    assert call(parts=[WithSquares], overrides=settings[0]).spec.network.layers[0].units == 7
    with refused(SpecError, code="too-many-parameters", at="network.hidden_layer_sizes.0"):
        call(parts=[WithSquares], limits=specnet.Limits(parameters=10))
