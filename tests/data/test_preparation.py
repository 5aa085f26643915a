"""Groups of columns, each with its steps: fitted to training rows, and the same for all others."""

import numpy as np
import pytest

import specnet
from specnet.data import (
    Preparation,
    StepGroup,
    column_groups,
    filled_gaps,
    known_texts,
    tensor_forms,
    trained_gaps,
    unfitted,
)
from specnet.errors import DataError
from specnet.parts.data import Column
from specnet.parts.preprocessing import Calendar, CategoryEmbedding, Impute, OneHot, Ordinal, Standardize
from specnet.spec import ColumnGroup
from tests.mistakes import mistake

NUMBERS = np.random.default_rng(3).normal([5.0, -2.0, 0.0, 9.0], [1.0, 3.0, 0.1, 7.0], (60, 4))
STEPS = (Standardize(), Standardize())


def plain(*steps):
    return unfitted(steps)


def test_a_chain_fits_each_step_to_what_the_ones_before_make_and_comes_back_from_its_tensors():
    columns = NUMBERS.astype(np.float32)
    preparation = Preparation.fit(plain(*STEPS), columns)
    prepared = preparation.prepare(columns)
    np.testing.assert_array_equal(prepared, preparation.apply(columns.astype(np.float64)))
    fitted = preparation.groups[0].fitted
    np.testing.assert_allclose(fitted[1]["mean"], 0, atol=1e-14)
    np.testing.assert_allclose(fitted[1]["scale"], 1, rtol=1e-14)
    np.testing.assert_allclose(preparation.invert(prepared), columns, rtol=1e-12)

    tensors = preparation.tensors()
    assert {name: array.shape for name, array in tensors.items()} == {
        name: shape for name, (_, shape) in tensor_forms(plain(*STEPS), 4).items()
    }
    assert list(tensors) == ["0.0.mean", "0.0.scale", "0.1.mean", "0.1.scale"]
    again = Preparation.from_tensors(plain(*STEPS), tensors)
    np.testing.assert_array_equal(again.prepare(columns), prepared)


def test_fitting_computes_in_float64():
    columns = (1e4 + np.arange(1000.0)).astype(np.float32).reshape(-1, 1)
    (learned,) = Preparation.fit(plain(Standardize()), columns).groups[0].fitted
    assert learned["mean"] == 1e4 + 499.5
    np.testing.assert_allclose(learned["scale"], np.arange(1000.0).std(), rtol=1e-15)


def test_no_steps_change_nothing():
    preparation = Preparation.fit((), NUMBERS)
    assert preparation.apply(NUMBERS) is preparation.prepare(NUMBERS) is NUMBERS
    assert preparation.tensors() == {}


@pytest.mark.parametrize("order", ["C", "F"])
def test_columns_are_not_written_over(order: str):
    columns = np.array(NUMBERS, order=order)
    given = columns.copy(order="K")
    prepared = Preparation.fit(plain(Standardize()), columns).prepare(columns)
    np.testing.assert_array_equal(columns, given)
    assert not np.shares_memory(prepared, columns)


def test_numbers_too_large_are_refused_with_their_column():
    with pytest.raises(DataError) as caught:
        Preparation.fit(plain(Standardize()), np.array([[0.0, 1e300], [1.0, -1e300]]))
    assert "column 1" in str(caught.value)


def mixed(rows: int = 40):
    """Return two numbers with gaps and a category with gaps beside each other, and the category's texts."""
    generator = np.random.default_rng(0)
    X = generator.normal(5, 2, (rows, 3))
    X[:, 1] = generator.integers(0, 3, rows)
    X[generator.random((rows, 3)) < 0.2] = np.nan
    return X, np.array(["a", "b", "c"])


def test_groups_have_their_own_steps_and_stand_in_their_order():
    X, texts = mixed()
    groups = unfitted(
        [
            ColumnGroup(columns=("kind",), steps=(OneHot(minimum_count=1),)),
            ColumnGroup(columns=("length", "width"), steps=(Impute(indicator=False), Standardize())),
        ],
        ["length", "kind", "width"],
    )
    preparation = Preparation.fit(groups, X, texts=(None, texts, None))
    prepared = preparation.prepare(X, texts=(None, texts, None))
    hot = np.column_stack([*(X[:, 1] == code for code in range(3)), np.isnan(X[:, 1])]).astype(float)
    filled = np.where(np.isnan(X), np.nanmedian(X, axis=0), X)[:, [0, 2]]
    np.testing.assert_array_equal(prepared[:, :4], hot)
    np.testing.assert_allclose(prepared[:, 4:], (filled - filled.mean(0)) / filled.std(0), rtol=1e-12, atol=1e-14)
    assert list(preparation.tensors()) == [
        "0.0.categories",
        "0.0.offsets",
        "0.0.starts",
        "1.0.fill",
        "1.1.mean",
        "1.1.scale",
    ]
    sized = [StepGroup(group.places, group.steps) for group in preparation.groups]
    again = Preparation.from_tensors(sized, preparation.tensors())
    np.testing.assert_array_equal(again.prepare(X, texts=(None, texts, None)), prepared)


def test_categories_are_known_by_their_texts_and_not_by_their_places():
    X, texts = mixed()
    groups = [StepGroup((1,), (Ordinal(minimum_count=1),))]
    preparation = Preparation.fit(groups, X, texts=(None, texts, None))
    other = np.array(["Z", "b", "c", "d"])
    codes = preparation.prepare(
        np.array([[0.0, place, 0.0] for place in (0, 1, 2, 3, np.nan)]), texts=(None, other, None)
    )
    np.testing.assert_array_equal(codes[:, 0], [0, 2, 3, 0, 4])


def test_fitted_state_depends_on_the_given_rows_alone():
    X, texts = mixed(80)
    groups = [StepGroup((0, 2), (Impute(indicator=False), Standardize())), StepGroup((1,), (Ordinal(minimum_count=1),))]
    there = Preparation.fit(groups, X[:40], texts=(None, texts, None)).tensors()
    X[40:] = 1.0
    again = Preparation.fit(groups, X[:40], texts=(None, texts, None)).tensors()
    assert {name: array.tobytes() for name, array in there.items()} == {
        name: array.tobytes() for name, array in again.items()
    }
    whole = Preparation.fit(groups, X, texts=(None, texts, None)).tensors()
    assert any(whole[name].tobytes() != array.tobytes() for name, array in there.items()), "a leak would show"


def test_a_missing_cell_that_a_step_needs_is_refused_with_its_place():
    X, _ = mixed()
    group = StepGroup((2,), (Standardize(),))
    problem = mistake(DataError, lambda: Preparation.fit([group], X, names=["length", "kind", "width"]))
    assert '"width"' in problem.message
    assert f"row {int(np.isnan(X[:, 2]).argmax())}" in problem.message
    assert "impute" in problem.hint


def test_a_missing_cell_that_no_step_fills_is_refused_with_its_place():
    X = np.array([[0.0, 1.0], [0.0, np.nan]])
    problem = mistake(DataError, lambda: Preparation.fit([StepGroup((1,), ())], X, names=["length", "width"]))
    assert problem.message.startswith('column "width" is empty at training row 1')
    assert "impute" in problem.hint


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        (None, ["impute", "standardize"]),
        ([], []),
        (["minmax"], ["minmax"]),
        ([{"columns": ["year"], "steps": ["quantile"]}], ["impute", "standardize"]),
        ([{"columns": ["year"], "steps": ["quantile"]}, "minmax"], ["minmax"]),
        ([{"columns": ["year"], "steps": ["quantile"]}, {"columns": ["size"], "steps": []}], []),
    ],
)
def test_a_column_that_nothing_is_written_for_has_the_steps_of_its_kind(written, steps):
    spec = {"network": {"layer_sizes": [2, 1]}, "training": {"loss": "mse"}}
    if written is not None:
        spec["network"]["preprocessing"] = written
    columns = [Column(name, "numeric") for name in ("year", "size")]
    groups = column_groups(specnet.parse_spec(spec), columns, ["year", "size"], lambda _: 2)
    (found,) = [group for group in groups if "size" in group.columns]
    assert [step.type for step in found.steps] == steps


def test_it_is_known_which_raw_columns_had_gaps_in_training():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.integers(0, 2, 60), *rng.normal(9000, 400, (4, 60)), rng.integers(0, 2, 60)]).astype(float)
    X[:9, [0, 2, 3]] = np.nan
    texts = (np.array(["a", "b"]), None, None, None, None, np.array(["c", "d"]))
    groups = [
        StepGroup((1, 3), (Calendar(), Impute(), Standardize())),
        StepGroup((4, 2), (Impute(indicator=True), Standardize())),
        StepGroup((0, 5), (OneHot(),)),
    ]
    preparation = Preparation.fit(groups, X, texts=texts)
    assert trained_gaps(preparation, 6).tolist() == [True, False, True, True, False, False]
    assert not trained_gaps(Preparation.fit(plain(Standardize()), X[10:, 1:3]), 2).any()
    assert not trained_gaps(Preparation(), 2).any()


def test_gaps_are_filled_where_the_steps_fill_or_code_them_whatever_training_had():
    X = np.random.default_rng(3).integers(0, 2, (60, 5)).astype(float)
    groups = [
        StepGroup((3, 1), (Calendar(), Impute(), Standardize())),
        StepGroup((2,), (Standardize(),)),
        StepGroup((4,), (Impute(strategy="error"),)),
        StepGroup((0,), (OneHot(),)),
    ]
    preparation = Preparation.fit(groups, X, texts=(np.array(["a", "b"]), None, None, None, None))
    assert filled_gaps(preparation, 5).tolist() == [True, True, False, True, False]
    assert not filled_gaps(Preparation(), 2).any()
    assert known_texts(preparation, 5) == {0: ["a", "b"]}


def test_an_embedding_has_its_codes_as_inputs():
    (group,) = unfitted([ColumnGroup(columns=("kind",), steps=(CategoryEmbedding(minimum_count=2),))], ["kind"])
    assert group.steps == (Ordinal(minimum_count=2),)
