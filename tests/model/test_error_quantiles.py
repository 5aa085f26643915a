"""Quantiles of errors on rows held out, against their definition, and what they cover."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from specnet import DataError, Model, load_model
from specnet.model import Answers, ErrorQuantiles
from tests.model.models import make_model, make_rows
from tests.texts.pinned import Refused


def of_values(errors: np.ndarray, weight: np.ndarray | None = None) -> ErrorQuantiles:
    """Return the quantiles of these errors, (rows,) or (rows, outputs), some of them below and some above."""
    signs = np.where(np.arange(len(errors)) % 2, -1, 1).reshape(-1, *[1] * (errors.ndim - 1))
    answers = Answers(signs * errors, signs * errors, np.zeros(len(errors)), np.zeros_like(errors), None, weight)
    return ErrorQuantiles.of(answers, "values")


@pytest.mark.parametrize("rows", [1, 2, 9, 19, 20, 98, 99, 100, 150])
def test_of_the_next_row_as_many_errors_are_covered_as_the_level_says(rows: int):
    """Each of n + 1 numbers in turn is the next one: the share that is covered is exact, however few they are."""
    numbers = np.random.default_rng(rows).permutation(rows + 1).astype(float)
    found = [of_values(np.delete(numbers, place)) for place in range(rows + 1)]
    levels = [Fraction(percent, 100) for percent in range(1, 100) if Fraction(percent, 100) <= Fraction(rows, rows + 1)]
    assert {quantiles.values.shape for quantiles in found} == {(1, len(levels))}
    for level in levels:
        covered = sum(numbers[place] <= quantiles.at(float(level))[0] for place, quantiles in enumerate(found))
        assert level <= Fraction(int(covered), rows + 1) < level + Fraction(1, rows + 1)


def test_each_output_has_its_own_and_infinite_errors_are_never_covered():
    errors = np.random.default_rng(0).exponential(size=(40, 2))
    both = of_values(errors)
    for output in range(2):
        np.testing.assert_array_equal(both.values[[output]], of_values(errors[:, output]).values)
    errors[:4, 1] = np.inf
    np.testing.assert_array_equal(of_values(errors).values[0], both.values[0, :87])  # ⌊100 · 36 / 41⌋


def test_weights_are_summed_up_to_the_level():
    generator = np.random.default_rng(0)
    errors, weight = generator.exponential(size=60), generator.integers(0, 5, 60)
    exact = [Fraction(int(each)) for each in weight]
    like_them = sum(each**2 for each in exact) / sum(exact)
    expected = []
    for percent in range(1, 100):
        wanted = Fraction(percent, 100) * (sum(exact) + like_them)
        enough = [
            error
            for error in errors
            if sum(each for each, other in zip(exact, errors, strict=True) if other <= error) >= wanted
        ]
        expected += [min(enough)] if enough else []
    np.testing.assert_array_equal(of_values(errors, weight / 3).values, [expected])
    np.testing.assert_array_equal(of_values(errors, np.full(60, 1 / 3)).values, of_values(errors).values)
    kept = weight > 0
    np.testing.assert_array_equal(
        of_values(errors, weight.astype(float)).values, of_values(errors[kept], weight[kept].astype(float)).values
    )


def test_the_error_of_a_class_is_what_its_probability_lacks():
    probability = np.random.default_rng(0).dirichlet([1, 1, 1], 30).astype(np.float32)
    target = np.arange(30) % 3
    answers = Answers(target, target, np.zeros(30), probability.argmax(axis=1), probability, None)
    expected = np.sort([1 - float(row[true]) for row, true in zip(probability, target, strict=True)])
    found = ErrorQuantiles.of(answers, "classes").values
    np.testing.assert_array_equal(found, [[expected[-(-31 * percent // 100) - 1] for percent in range(1, 97)]])
    several = Answers(target, target, np.zeros(30), target, probability, None)
    margins = Answers(target, target, np.zeros(30), target, None, None)
    assert not ErrorQuantiles.of(several, "multilabel")
    assert not ErrorQuantiles.of(margins, "classes")


@pytest.mark.parametrize("again", [lambda model: model, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_intervals_and_sets_are_as_large_as_the_errors(dtype: str, again: Callable[[Model], Model]):
    model = again(make_model("values", dtype).astype("float64").astype(dtype))
    X, _ = make_rows(model)
    found, values = model.predict_interval(X, 0.09), model.predict(X)
    assert (found.shape, found.dtype) == ((len(X), 2, 2), np.float64)
    np.testing.assert_allclose(found.mean(axis=-1), values, rtol=1e-6)
    np.testing.assert_allclose(found[..., 1] - found[..., 0], np.broadcast_to([16, 160], values.shape), rtol=1e-4)
    model = again(make_model("classes, integers", dtype).astype("float64").astype(dtype))
    for percent, error in ((1, 0.0), (50, 0.5), (99, 1.0)):
        sets = model.predict_set(X, percent / 100)
        np.testing.assert_array_equal(sets, model.predict_proba(X) >= np.float64(1 - error))
    assert sets.all()


@pytest.mark.parametrize("level", [0, 1, 90, -0.5, 0.905, 0.001, 0.995, np.nan, True, "0.9"])
def test_levels_that_are_none(level: object, refused: Refused):
    with refused(DataError):
        make_model("values").predict_interval(np.ones((1, 3)), level)  # type: ignore[arg-type] # also what is no number


def test_what_no_interval_or_set_can_be_had_of(refused: Refused):
    for kind in ("value", "classes", "values"):
        with refused(DataError):
            make_model(kind).predict_interval(np.ones((1, 3)))
    for kind in ("classes", "value", "multilabel"):
        with refused(DataError):
            make_model(kind).predict_set(np.ones((1, 3)))
    with refused(DataError):
        make_model("binary", loss="hinge").predict_set(np.ones((1, 3)))


def following(rows: int, seed: int, *, by: float = 1.0) -> tuple[ErrorQuantiles, Answers]:
    """Return quantiles of errors that grow by a factor over the range of the predictions, and the answers."""
    generator = np.random.default_rng(seed)
    prediction = generator.uniform(0, 1, rows)
    target = prediction + (1 + (by - 1) * prediction) * generator.standard_t(4, rows)
    answers = Answers(target, target, np.zeros(rows), prediction, None, None)
    return ErrorQuantiles.of(answers, "values"), answers


def covered_by_third(quantiles: ErrorQuantiles, answers: Answers, level: float) -> np.ndarray:
    low, high = quantiles.ends(answers.prediction, level).T
    inside = (low <= answers.target) & (answers.target <= high)
    return np.array([part.mean() for part in np.array_split(inside[np.argsort(answers.prediction)], 3)])


def test_widths_follow_the_prediction_where_errors_do():
    """With one width, the third of the largest errors is covered too rarely."""
    covered, evenly = [], []
    for seed in range(20):
        quantiles, test = following(400, seed, by=8)[0], following(2000, 100 + seed, by=8)[1]
        assert quantiles.knots.size
        covered.append(covered_by_third(quantiles, test, 0.9))
        evenly.append(covered_by_third(ErrorQuantiles(quantiles.values.mean(axis=2)), test, 0.9))
    np.testing.assert_allclose(np.mean(covered, axis=0), 0.9, atol=0.025)
    assert np.mean(evenly, axis=0)[2] < 0.8


@pytest.mark.parametrize("rows", [40, 160, 640])
def test_noise_bends_widths_of_one_model_in_ten_at_most(rows: int):
    bent = sum(bool(following(rows, seed)[0].knots.size) for seed in range(100))
    assert bent <= 10


def test_thresholds_of_classes_follow_the_largest_probability():
    """With one threshold, sets of 90 % have the true class in 76 % of the rows that are least sure."""

    def answers(rows: int, seed: int) -> Answers:
        generator = np.random.default_rng(seed)
        top = generator.uniform(0.4, 1, rows)
        probability = np.stack([top, 0.7 * (1 - top), 0.3 * (1 - top)], axis=1)
        target = (generator.random((rows, 1)) > np.cumsum(probability, axis=1)).sum(axis=1)
        return Answers(target, target, np.zeros(rows), np.zeros(rows), probability, None)

    found, test = ErrorQuantiles.of(answers(1000, 0), "classes"), answers(6000, 1)
    assert test.probability is not None
    order = np.argsort(test.probability[:, 0])

    def by_third(quantiles: ErrorQuantiles) -> list[float]:
        right = quantiles.sets(test.probability, 0.9)[np.arange(6000), test.target]
        return [part.mean() for part in np.array_split(right[order], 3)]

    assert found.knots.shape == (1, 8)
    assert min(by_third(found)) > 0.85
    assert min(by_third(ErrorQuantiles(found.values.mean(axis=2)))) < 0.8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_an_interval_has_each_target_whose_error_is_no_larger_than_the_quantile(offset: float, dtype: str):
    """Ties are frequent: targets and predictions are multiples of a tenth, which no float is exactly."""
    generator = np.random.default_rng(0)
    target = offset + generator.integers(0, 30, 200) / 10
    prediction = (target + generator.integers(-9, 10, 200) / 10).astype(dtype)
    answers = Answers(target, target, np.zeros(200), prediction, None, None)
    quantiles = ErrorQuantiles.of(answers, "values")
    assert not quantiles.knots.size
    for percent in (1, 10, 50, 80, 99):
        low, high = quantiles.ends(prediction, percent / 100).T
        inside = (low <= target) & (target <= high)
        exact = [abs(Fraction(t) - Fraction(float(p))) for t, p in zip(target, prediction, strict=True)]
        quantile, rounding = (Fraction(each) for each in (quantiles.at(percent / 100)[0], np.spacing(offset + 30)))
        assert inside[[error <= quantile for error in exact]].all()
        assert not inside[[error > quantile + rounding for error in exact]].any()
        assert inside.sum() >= -(-201 * percent // 100)


def test_ends_are_not_negative_where_no_target_is():
    answers = following(60, 0)[1]
    plain = ErrorQuantiles.of(answers, "values")
    limited = ErrorQuantiles.of(answers, "values", not_negative=np.array([True]))
    prediction = np.array([-9.0, 0.1, 2.0, 50.0])
    assert (plain.ends(prediction, 0.9)[:2, 0] < 0).all()
    np.testing.assert_array_equal(limited.ends(prediction, 0.9), np.maximum(plain.ends(prediction, 0.9), 0))
    model = make_model("values that errors follow")
    ends = model.predict_interval(np.random.default_rng(0).normal(5, 3, (50, 3)), 0.5)
    assert (ends[:, 1] >= 0).all()
    assert (ends[:, 0] < 0).any()


def test_a_file_of_the_formats_before_gives_the_intervals_that_it_gave(tmp_path: Path):
    for kind in ("plain values", "classes, integers"):
        model = make_model(kind)
        model.save(tmp_path / "model")
        with safe_open(tmp_path / "model", framework="numpy") as file:
            metadata = json.loads(file.metadata()["specnet"])
        (described,) = metadata["models"]
        tensors = load_file(tmp_path / "model")
        first = {"format_version": 1, "spec": described["spec"]}
        both = {"format_version": 2, "models": [{"share": 3, "spec": described["spec"]}, described]}
        (tmp_path / "first").write_bytes(save(tensors, {"specnet": json.dumps(first)}))
        quantiles = {"error_quantiles": tensors["error_quantiles"]}
        two = {f"models.{number}.{name}": tensor for number in range(2) for name, tensor in tensors.items()}
        (tmp_path / "second").write_bytes(save(quantiles | two, {"specnet": json.dumps(both)}))
        X = np.random.default_rng(0).normal(5, 3, (20, 3))
        for name in ("first", "second"):
            again = load_model(tmp_path / name)
            if kind == "plain values":
                ends, value = again.predict_interval(X, 0.02), model.predict(X)
                expected = np.stack([value - [0.5, 2.5], np.add(value, [0.5, 2.5])], axis=-1)
                np.testing.assert_allclose(ends, expected, rtol=1e-12, atol=1e-12)
            else:
                np.testing.assert_array_equal(
                    again.predict_set(X, 0.7), 1 - model.predict_proba(X) <= np.linspace(0, 1, 99)[69]
                )
