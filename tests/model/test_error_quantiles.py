"""Quantiles of errors on rows held out, against their definition, and what they cover."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from specnet.errors import DataError
from specnet.model import Answers, ErrorQuantiles, Model
from specnet.parts.arrays import Array
from tests.model.models import make_model, make_rows
from tests.texts.pinned import Refused


def of_values(errors: Array, weight: Array | None = None) -> ErrorQuantiles:
    """Return the quantiles of these errors, (rows,) or (rows, outputs), some of them below and some above."""
    signs = np.where(np.arange(len(errors)) % 2, -1, 1).reshape(-1, *[1] * (errors.ndim - 1))
    answers = Answers(signs * errors, signs * errors, np.zeros(len(errors)), np.zeros_like(errors), None, weight)
    return ErrorQuantiles.of(answers, "values")


@pytest.mark.parametrize("rows", [1, 2, 9, 19, 20, 98, 99, 100, 250])
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
    assert (found.shape, found.dtype) == ((len(X), 2, 2), values.dtype)
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
        make_model("values").predict_interval(np.ones((1, 3)), level)  # type: ignore[arg-type]


def test_what_no_interval_or_set_can_be_had_of(refused: Refused):
    for kind in ("value", "classes", "values"):
        with refused(DataError):
            make_model(kind).predict_interval(np.ones((1, 3)))
    for kind in ("classes", "value", "multilabel"):
        with refused(DataError):
            make_model(kind).predict_set(np.ones((1, 3)))
    with refused(DataError):
        make_model("binary", loss="hinge").predict_set(np.ones((1, 3)))
