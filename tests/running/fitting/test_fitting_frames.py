"""Fits on data frames: columns by name, of any kind, with gaps."""

from pathlib import Path

import numpy as np
import pandas
import pytest

import specnet
from specnet import DataError, SpecError
from specnet.data import read_inputs
from tests.running.fitting.test_fitting import blobs, spec_of
from tests.running.specs import spec_on
from tests.texts.pinned import Pinned, Refused


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


@pytest.mark.parametrize("column", [[1.0, np.nan], [None, 1], pandas.array([1, None], "Int64"), [1.0, np.inf]])
def test_what_is_wrong_with_a_column_is_said_by_its_name(column, refused: Refused):
    table = pandas.DataFrame({"mean radius": column, "sick": [True, False]})
    with refused(DataError):
        specnet.fit(spec_of("binary_crossentropy"), table, [0, 1])


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


def test_dates_in_a_data_frame_have_the_format_of_the_training_file(tmp_path: Path, refused: Refused):
    table = dated()
    table[["day", "y"]].to_csv(tmp_path / "rows.csv", index=False)
    data = {"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "y", "columns": {"day": GERMAN}}
    specnet.run(spec_on(data, 4, loss="mse", epochs=2), tmp_path / "out", observer=specnet.Observer())
    model = specnet.load_model(tmp_path / "out" / "model.safetensors")
    expected = model.predict(read_inputs(tmp_path / "rows.csv", model.network.resolved))
    assert np.ptp(expected) > 0
    np.testing.assert_array_equal(model.predict(table[["day"]]), expected)
    np.testing.assert_array_equal(model.predict(table[["date"]].rename(columns={"date": "day"})), expected)
    with refused(DataError, code="not-a-datetime"):
        model.predict(pandas.DataFrame({"day": ["31/01/2024", "01/31/2024"]}))


def test_a_data_frame_may_have_dates_in_a_format_of_their_own(tmp_path: Path):
    table = dated()
    spec = spec_on(None, 4, loss="mse", epochs=2)
    plain = specnet.fit(spec, table[["date"]].rename(columns={"date": "day"}), table.y, observer=specnet.Observer())
    spec["network"]["feature_kinds"] = {"day": GERMAN}
    model = specnet.fit(spec, table, table.y, observer=specnet.Observer())
    model.save(tmp_path / "m.safetensors")
    for each in (model, specnet.load_model(tmp_path / "m.safetensors")):
        np.testing.assert_array_equal(each.predict(table), plain.predict(table[["date"]].set_axis(["day"], axis=1)))
