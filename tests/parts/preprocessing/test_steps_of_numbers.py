"""Steps for numbers against scikit-learn's, and against NumPy where it has none or another rule."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler

from specnet import DataError
from specnet.parts.preprocessing.base import quantiles
from tests.registry import part
from tests.texts.pinned import Refused

step_of = partial(part, "preprocessing")
impute, quantile_ranks = partial(step_of, "impute"), partial(step_of, "quantile")
RNG = np.random.default_rng(0)
TABLES = {
    "normal": RNG.normal(3, 7, (57, 4)),
    "skewed": np.exp(RNG.normal(0, 3, (200, 2))),
    "far from zero": 1e8 + RNG.normal(0, 1, (100, 3)),
    "small": RNG.normal(0, 1e-5, (20, 2)),
    "large": RNG.normal(0, 1e150, (21, 2)),
    "ties": RNG.integers(0, 12, (60, 3)).astype(float),
}
OTHERS = {name: np.concatenate([table, 1.5 * table, -table]) for name, table in TABLES.items()}
every_table = pytest.mark.parametrize("table", TABLES)


def applied(step, training, rows):
    known, learned = step.fit(training)
    return known.apply(rows, learned)


ORACLES = [
    ("robust", lambda rows, others: RobustScaler().fit(rows).transform(others)),
    ("minmax", lambda rows, others: MinMaxScaler().fit(rows).transform(others)),
    ("clip", lambda rows, others: np.clip(others, rows.min(0), rows.max(0))),
    ("log", lambda rows, others: np.sign(others) * np.log1p(abs(others))),
    ("smooth_clip", lambda rows, others: others / np.sqrt(1 + (others / 3) ** 2)),
]


@every_table
@pytest.mark.parametrize(("name", "oracle"), ORACLES, ids=[name for name, _ in ORACLES])
def test_steps_are_scikit_learns_numpys_or_their_formulas(name, oracle, table):
    """Robust is scikit-learn's where quartiles differ, but for rounding of the quartiles."""
    rows, expected = TABLES[table], oracle(TABLES[table], OTHERS[table])
    spread = np.subtract(*np.quantile(rows, [0.75, 0.25], axis=0)).min()
    rounding = 4 * np.finfo(float).eps * abs(rows).max() / spread if name in ("robust", "minmax") else 0
    found = applied(step_of(name), rows, OTHERS[table])
    np.testing.assert_allclose(found, expected, rtol=1e-12 + rounding, atol=rounding)


def test_robust_takes_the_range_where_quartiles_are_equal_and_makes_a_constant_column_0():
    rows = np.column_stack([[0.0] * 9 + [4.0], [7.0] * 10, [1.0, 3.0] * 5])
    known, learned = step_of("robust").fit(rows)
    np.testing.assert_array_equal(learned["center"], [0, 7, 2])
    np.testing.assert_array_equal(learned["scale"], [0.5, 0, 0.5])
    np.testing.assert_array_equal(known.apply(np.array([[4.0, 8.0, 3.0]]), learned), [[2, 0, 0.5]])
    np.testing.assert_array_equal(known.invert(np.array([[2.0, 5.0, 0.5]]), learned), [[4, 7, 3]])


@every_table
def test_minmax_takes_training_rows_to_0_and_1(table):
    found = applied(step_of("minmax"), TABLES[table], TABLES[table])
    assert found.min() == 0
    np.testing.assert_allclose(found.max(0), 1, rtol=1e-15)


def test_minmax_makes_a_constant_column_0_whatever_comes_later():
    assert applied(step_of("minmax"), np.full((3, 1), 5.0), np.array([[5.0], [9.0]])).tolist() == [[0], [0]]


@pytest.mark.parametrize("step", [step_of("robust"), step_of("minmax")])
def test_a_range_beyond_all_numbers_is_no_constant_and_one_without_an_inverse_is(step):
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(step.fit(np.array([[-1e308], [-1e308], [1e308], [1e308]]))[1]["scale"])
    assert step.fit(np.array([[0.0], [5e-324]]))[1]["scale"] == 0


def test_smooth_clip_is_its_limit_at_numbers_whose_squares_overflow_and_x_near_0():
    x = np.array([[1e300, -1e308, 1e-300, 0.0, 5e-324]])
    np.testing.assert_allclose(
        applied(step_of("smooth_clip", limit=2), x, x), [[2, -2, 1e-300, 0, 0]], rtol=1e-15, atol=5e-324
    )
    with np.errstate(over="ignore"):
        assert applied(step_of("smooth_clip", limit=1e-300), x, x)[0, 0] == 1e-300


@every_table
def test_quantile_is_the_mean_rank_where_there_are_as_many_points_as_rows(table):
    rows = TABLES[table]
    expected = 2 * (scipy.stats.rankdata(rows, "average", axis=0) - 1) / (len(rows) - 1) - 1
    np.testing.assert_allclose(applied(quantile_ranks(), rows, rows), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("table", [table for table in TABLES if table != "ties"])
@pytest.mark.parametrize("points", [5, 257])
def test_quantile_is_scikit_learns_where_no_rows_are_equal(table, points):
    rows, others = TABLES[table], OTHERS[table]
    count = min(points, len(rows))
    oracle = QuantileTransformer(n_quantiles=count, subsample=None).fit(rows)
    known, learned = quantile_ranks(points=points).fit(rows)
    assert known.points == count
    np.testing.assert_allclose(learned["knots"], oracle.quantiles_, rtol=1e-12)
    expected = 2 * oracle.transform(others) - 1
    inside = (others > rows.min(0)) & (others < rows.max(0))
    found = known.apply(others, learned)
    np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found[others < rows.min(0)], -1)
    np.testing.assert_array_equal(found[others > rows.max(0)], 1)


def test_quantile_gives_a_value_of_many_rows_the_mean_of_both_ends_also_at_the_ends():
    rows = np.array([0.0, 0, 0, 1, 2, 2, 2, 2, 2])[:, None]  # ranks 0 1 2 | 3 | 4 5 6 7 8
    known, learned = quantile_ranks().fit(rows)
    found = known.apply(np.array([[0.0], [0.5], [1], [2], [9], [-9]]), learned)[:, 0]
    np.testing.assert_array_equal(found, [2 / 8 - 1, 5 / 8 - 1, 6 / 8 - 1, 12 / 8 - 1, 1, -1])


def test_quantile_is_exact_for_few_values_of_many_rows():
    values = np.array([0.1, 0.2, 0.30000000000000004])
    rows = values.repeat([256, 512, 257])[:, None]  # the 257 knots are every fourth row
    _, learned = quantile_ranks().fit(RNG.permutation(rows))
    assert np.unique(learned["knots"]).tolist() == values.tolist()
    found = quantile_ranks().apply(values[:, None], learned)[:, 0]
    np.testing.assert_allclose(found, [63 / 256 - 1, (64 + 191) / 256 - 1, (192 + 256) / 256 - 1], rtol=1e-15)


@pytest.mark.parametrize("parts", [2, 4, 20])
@every_table
def test_weighted_quantiles_are_means_over_what_one_row_weighs_on_average(table, parts):
    """Of the numbers in order, each repeated as often as it weighs."""
    for values in TABLES[table].T:
        times = np.random.default_rng(5).integers(1, 80, len(values))
        order = np.argsort(values)
        sums = np.concatenate([[0], np.cumsum(values[order].repeat(times[order]))])
        starts = np.arange(1, parts) * (len(values) - 1) / parts * times.mean()
        below, above = (np.interp(at, np.arange(len(sums)), sums) for at in (starts, starts + times.mean()))
        expected = [values.min(), *(above - below) / times.mean(), values.max()]
        found = quantiles(values, times / 7, parts)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11 * abs(values).max())


@pytest.mark.parametrize("weight", [0.3, 1 / 300, 1.0, 2.0**30])
def test_a_number_far_away_has_no_part_in_quantiles_beside_it(weight):
    values = np.array([3.0, -1e20, 1.0, 2.0, 1e30, 2.0])
    assert quantiles(values, np.full(6, weight), 5).tolist() == [-1e20, 1, 2, 2, 3, 1e30]
    assert quantiles(values, None, 5).tolist() == [-1e20, 1, 2, 2, 3, 1e30]


def test_quantile_of_a_single_number_tells_what_is_below_and_above():
    assert applied(quantile_ranks(), np.array([[3.0]]), np.array([[2.0], [3.0], [4.0]])).tolist() == [[-1], [0], [1]]


def with_gaps(table: str) -> np.ndarray:
    rows = TABLES[table].copy()
    rows[RNG.random(rows.shape) < 0.3] = np.nan
    return rows


@every_table
@pytest.mark.parametrize("strategy", ["median", "mean", "most_frequent", "constant"])
def test_impute_is_scikit_learns(table, strategy):
    rows, value = with_gaps(table), 4.5 if strategy == "constant" else None
    known, learned = impute(strategy=strategy, value=value, indicator=True).fit(rows)
    oracle = SimpleImputer(strategy=strategy, fill_value=value).fit(rows)
    np.testing.assert_allclose(learned["fill"], oracle.statistics_.astype(float), rtol=1e-13)
    flags = MissingIndicator(features="all").fit(rows).transform(rows)
    np.testing.assert_allclose(known.apply(rows, learned), np.hstack([oracle.transform(rows), flags]), rtol=1e-13)


@pytest.mark.parametrize("strategy", ["median", "mean", "most_frequent"])
def test_a_column_that_is_empty_in_training_rows_is_filled_with_0(strategy):
    rows = np.column_stack([np.full(4, np.nan), [1.0, np.nan, 1.0, 3.0]])
    known, learned = impute(strategy=strategy).fit(rows)
    assert learned["fill"][0] == 0
    assert known.apply(np.array([[np.nan, 2.0], [5.0, 2.0]]), learned).tolist() == [[0, 2], [5, 2]]


@pytest.mark.parametrize(
    ("rows", "gaps", "expected"),
    [(400, 4, False), (400, 5, (1,)), (500, 5, (1,)), (501, 5, False), (501, 6, (1,)), (5, 5, (1,))],
)
def test_auto_adds_an_indicator_where_5_rows_and_one_in_a_hundred_miss_the_column(rows, gaps, expected):
    columns = np.ones((rows, 3))
    columns[:gaps, 1] = np.nan
    step = impute()
    assert step.output_size(3) is None
    known, _ = step.fit(columns)
    assert known.indicator == expected
    assert known.output_size(3) == 3 + bool(expected)
    weight = np.ones(rows)
    weight[:gaps] = 1e-3  # rows are counted
    assert step.fit(columns, weight)[0] == known


def test_error_refuses_the_first_missing_cell_of_the_training_rows(refused: Refused):
    rows = np.ones((4, 3))
    known, learned = impute(strategy="error").fit(rows)
    np.testing.assert_array_equal(known.apply(rows, learned), rows)
    rows[2, 1] = np.nan
    np.testing.assert_array_equal(known.apply(rows, learned), rows)
    with refused(DataError):
        impute(strategy="error").fit(rows)


def test_an_indicator_for_a_column_that_is_not_there_is_refused(refused: Refused):
    with refused(DataError):
        impute(indicator=(0, 7)).fit(np.ones((4, 3)))
    with refused(DataError):
        impute(indicator=(0, 3)).check({"fill": np.zeros(3)})


def test_the_columns_that_training_rows_miss_are_known(refused: Refused):
    columns = np.ones((6, 4))
    columns[2, 1] = columns[:, 2] = np.nan
    for strategy in ("median", "mean", "most_frequent"):
        known, learned = impute(strategy=strategy, missing=(3,)).fit(columns)
        assert known.trained_gaps(learned) == known.missing == (1, 2)
    known, _ = impute().fit(columns, np.array([1.0, 2, 0, 1, 1, 1]))
    assert known.missing == (2,), "a row of weight 0 counts as none"
    with refused(DataError):
        known.model_copy(update={"missing": (4,)}).check(learned)


def test_calendar_is_what_pandas_and_numpy_say_of_each_day_of_800_years():
    days = np.arange(-200_000.0, 92_000.0)
    days += 0.25 * (np.arange(len(days)) % 4)
    date = np.floor(days).astype(np.int64).astype("datetime64[D]")
    year = date.astype("datetime64[Y]")
    january, next_january = (each.astype("datetime64[D]") for each in (year, year + np.timedelta64(1, "Y")))
    weekday = pd.DatetimeIndex(date.astype("datetime64[s]")).day_of_week.to_numpy()
    turns = 2 * np.pi * np.array([(date - january) / (next_january - january), weekday / 7, days % 1])
    known, learned = step_of("calendar").fit(days[:, None])
    assert known.counts == (7,)
    expected = [days, *np.stack([np.sin(turns), np.cos(turns)], axis=1).reshape(6, -1)]
    np.testing.assert_allclose(known.apply(days[:, None], learned).T, expected, atol=1e-9)


@pytest.mark.parametrize("times", [1, 30_000])
def test_calendar_has_the_cycles_that_vary_for_each_column(times: int):
    """Also where the rows that are read at once are all of one day."""
    day, week = np.arange(3.0).repeat(times), 7 * np.arange(3.0).repeat(times)
    columns = np.column_stack([day, week, week + 0.25 * day, np.full(len(day), 9.5), np.where(day, 2.5, np.nan)])
    known, learned = step_of("calendar").fit(columns)
    assert learned["kept"].T.tolist() == [[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert known.counts == (5, 3, 5, 1, 1)
    prepared = known.apply(columns, learned)
    np.testing.assert_array_equal(prepared[:, :5], columns)
    of_year = 2 * np.pi * np.column_stack([day, week, week]) / 365
    of_week = 2 * np.pi * (day + 3) / 7
    of_day = 2 * np.pi * 0.25 * day
    expected = np.column_stack(
        [np.sin(of_year), np.cos(of_year), *(f(c) for c in (of_week, of_day) for f in (np.sin, np.cos))]
    )
    np.testing.assert_allclose(prepared[:, 5:], expected, atol=1e-15)
    assert known.fit(columns, np.array([0.0, 1.0, 1.0]).repeat(times))[0].counts == (5, 3, 5, 1, 1)
    assert known.fit(columns, np.array([0.0, 0.0, 1.0]).repeat(times))[0].counts == (1, 1, 1, 1, 1)


def test_calendar_leaves_a_missing_date_missing_and_bears_dates_beyond_all_years():
    days = np.array([[19_000.0], [np.nan], [19_003.5], [1e300], [-1e12]])
    known, learned = step_of("calendar").fit(days[:3])
    prepared = known.apply(days, learned)
    assert np.isnan(prepared[1]).all()
    assert np.isfinite(np.delete(prepared, 1, axis=0)).all()
