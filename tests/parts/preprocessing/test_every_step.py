"""What holds for every preprocessing step of the registry, each in the forms that are listed here."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from specnet import DataError
from specnet.compiler import BATCH, NUMPY, input_value, plan, state_value
from specnet.parts.preprocessing import CategoryStep, column_operations, prepared_size, raw_size
from tests.registry import REGISTRY, part
from tests.texts.pinned import Refused

step_of = partial(part, "preprocessing")
impute, one_hot, ordinal = partial(step_of, "impute"), partial(step_of, "one_hot"), partial(step_of, "ordinal")
STEPS = [
    *map(step_of, ["standardize", "robust", "minmax", "clip", "smooth_clip", "log", "quantile", "calendar"]),
    step_of("smooth_clip", limit=0.5),
    step_of("quantile", points=4),
    impute(indicator=False),
    impute(strategy="mean", indicator=True),
    impute(strategy="most_frequent", indicator=(1,)),
    impute(strategy="constant", value=-1.5),
    impute(strategy="error"),
    ordinal(minimum_count=1),
    ordinal(minimum_count=2, maximum_categories=2),
    one_hot(minimum_count=1),
    one_hot(minimum_count=3),
    step_of("embedding", size=3),
    step_of("target_encoding", minimum_count=1),
    step_of("target_encoding", minimum_count=2, smooth=1.5),
    step_of("text_vectors", size=3, minimum_count=1),
    step_of("text_vectors", size=2, pairs=False, longest=0),
]
RNG = np.random.default_rng(0)
TABLES = {
    "normal": RNG.normal(3, 7, (50, 3)),
    "one row": np.array([[1.0, -2.0, 0.0]]),
    "two rows": np.array([[1.0, -2.0, 0.0], [3.0, -2.0, 1.0]]),
    "constant": np.column_stack([np.full(9, 0.1), np.arange(9.0), np.zeros(9)]),
    "few values": RNG.integers(0, 3, (40, 3)).astype(float),
    "far from zero": 1e8 + RNG.normal(0, 1e-3, (100, 3)),
    "small": RNG.normal(0, 1e-150, (20, 3)),
    "large": RNG.normal(0, 1e150, (20, 3)),
    "whole numbers": RNG.integers(-9, 9, (30, 3)),
    "one column": RNG.normal(0, 1, (12, 1)).repeat(2, axis=1),
}
WORDS = tuple(np.array(words) for words in (["a", "b", "bb", "é", "𝄞"], ["no", "yes"], ["x"]))
DATES = 19_000.25 + RNG.normal(0, 400, (30, 3))


def places(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return places in `WORDS`, some of them missing in the first column."""
    columns = np.column_stack([rng.integers(0, len(words), rows) for words in WORDS]).astype(float)
    columns[rng.random(rows) < 0.3, 0] = np.nan
    return columns


def named(step: Any) -> str:
    return "-".join(map(str, step.model_dump(exclude_defaults=True).values())) or step.type


def training(step: Any) -> dict[str, np.ndarray]:
    """Return tables that the step can be fitted to, by names."""
    if step.reads_texts:
        return {f"{rows} rows": places(rows, np.random.default_rng(rows)) for rows in (1, 7, 60)}
    if "numeric" not in step.takes:
        gaps = DATES.copy()
        gaps[3:9, 1] = np.nan
        return {"dates": DATES, "gaps": gaps, "one date": DATES[:1], "same date": DATES[:1].repeat(5, axis=0)}
    if not step.takes_missing or getattr(step, "strategy", "") == "error":
        return TABLES
    gaps = {}
    for name, table in TABLES.items():
        gaps[f"{name} with gaps"] = with_gaps = table.astype(float)
        with_gaps[np.random.default_rng(1).random(table.shape) < 0.3] = np.nan
    return TABLES | gaps | {"empty": np.full((6, 3), np.nan)}


CASES = [(step, name, columns) for step in STEPS for name, columns in training(step).items()]
IDS = [f"{named(step)}-{name}" for step, name, _ in CASES]
EVERY = pytest.mark.parametrize(("step", "name", "columns"), CASES, ids=IDS)


def fitted(step: Any, columns: np.ndarray, weight: np.ndarray | None = None):
    texts = WORDS[: columns.shape[1]] if step.reads_texts else None
    known, learned = step.fit(columns, weight, texts)
    if known.reads_target:
        cells = np.nan_to_num(columns, nan=7).sum(1)
        target = np.column_stack([np.sin(3 * cells), 20 + np.cos(cells)])
        return known.fit_to_target(columns, learned, target, weight, texts)
    return known, learned


def read(step: Any, columns: np.ndarray, learned) -> np.ndarray:
    """Return columns as `apply` reads them."""
    return step.coder(WORDS, learned)(columns) if step.reads_texts else columns.astype(float)


def same(learned, other, rtol: float = 1e-12) -> None:
    assert list(learned) == list(other)
    for key, array in learned.items():
        np.testing.assert_allclose(array, other[key], rtol=rtol, atol=1e-160, err_msg=key)


def test_no_step_escapes():
    assert {type(step) for step in STEPS} == set(REGISTRY.of_kind("preprocessing"))


STANDARDIZE, CALENDAR = step_of("standardize"), step_of("calendar")
SIZES: list[tuple[list[Any], int, int | None]] = [
    *(([step], 3, 3) for step in (STANDARDIZE, impute(indicator=False), impute(strategy="error"))),
    *(([step], 3, None) for step in (impute(), one_hot(), CALENDAR)),
    ([impute(indicator=True)], 3, 6),
    ([impute(indicator=(0, 2))], 3, 5),
    ([one_hot(counts=(2, 3))], 2, 5),
    ([ordinal(counts=(2, 3))], 2, 2),
    ([step_of("calendar", counts=(3, 1, 7))], 3, 11),
    ([impute(indicator=True), STANDARDIZE, impute(indicator=(5,))], 3, 7),
    ([impute(indicator=True), impute()], 3, None),
    ([impute(), impute(indicator=True)], 3, None),
    ([], 3, 3),
]


@pytest.mark.parametrize(("steps", "columns", "made"), SIZES)
def test_sizes_follow_from_fields_alone_where_they_can(steps, columns, made):
    assert prepared_size(steps, columns) == made
    if made is not None:
        assert raw_size(steps, made) == columns


def test_sizes_that_no_columns_have_are_unknown():
    none = ((impute(indicator=True), 5), (impute(indicator=(0, 1)), 2), (one_hot(counts=(2, 3)), 4))
    unknown = ((one_hot(), 4), (CALENDAR, 4), (impute(), 4))
    assert {raw_size([step], size) for step, size in none + unknown} == {None}
    assert ordinal().shapes(3) == {"categories": (None,), "offsets": (None,), "starts": (4,)}
    assert ordinal(counts=(2, 0, 3)).shapes(3) == {"categories": (None,), "offsets": (6,), "starts": (4,)}
    assert STANDARDIZE.shapes(3) == {"mean": (3,), "scale": (3,)}


def test_gaps_that_training_rows_had_are_known_or_left_to_a_later_step():
    for step in STEPS:
        if not step.takes_missing:
            assert step.trained_gaps({}) == ()
    assert CALENDAR.trained_gaps({}) is None


@EVERY
def test_what_is_learned_has_the_shapes_that_the_step_says_and_makes_as_many_columns(step, name, columns):
    known, learned = fitted(step, columns)
    shapes = known.shapes(columns.shape[1])
    assert tuple(learned) == tuple(shapes) == step.learned
    for key, array in learned.items():
        assert array.dtype == np.dtype(step.dtypes.get(key, "float64"))
        assert array.ndim == len(shapes[key])
        assert all(length in (None, size) for length, size in zip(shapes[key], array.shape, strict=True))
    known.check(learned)
    prepared = known.apply(read(known, columns, learned), learned)
    assert prepared.dtype == np.float64
    assert prepared.shape == (len(columns), known.output_size(columns.shape[1]))
    called = known.named([f"column {place}" for place in range(columns.shape[1])], learned)
    assert len({*called}) == len(called) == prepared.shape[1]
    if not np.isnan(columns).any() or step.type != "calendar":
        assert np.isfinite(prepared).all()


@EVERY
def test_a_fitted_step_is_a_spec_that_fits_to_the_same(step, name, columns):
    known, learned = fitted(step, columns)
    written = type(step).model_validate_json(known.model_dump_json(exclude_none=True))
    assert written == known
    again, same_learned = fitted(written, columns)
    assert again == known
    same(learned, same_learned, rtol=0)
    single, _ = fitted(step, columns[:1])  # a step is not changed by a fit
    assert fitted(step, columns)[0] == known
    assert single.type == step.type


@EVERY
def test_only_the_ratios_of_weights_mean_anything_and_a_row_of_weight_0_counts_as_none(step, name, columns):
    weight = np.random.default_rng(4).integers(0, 4, len(columns)) * 0.3
    weight[0] = 0.6
    rtol = 1e-4 if name == "far from zero" else 1e-9  # numbers of 1e8 are rounded by 1e-8, which range over 1e-3
    weighted, learned = fitted(step, columns, weight)
    for factor in np.geomspace(1e-6, 1e6, 5):
        scaled, other = fitted(step, columns, factor * weight)
        assert scaled == weighted
        same(other, learned, rtol)
    for factor in (2.0**-20, 2.0**20):
        same(fitted(step, columns, factor * weight)[1], learned, rtol=0)
    without, other = fitted(step, columns[weight > 0], weight[weight > 0])
    assert without == weighted
    same(other, learned, rtol)
    for equal in (1.0, 1 / 300):
        alike, other = fitted(step, columns, np.full(len(columns), equal))
        unweighted, expected = fitted(step, columns)
        assert alike == unweighted
        same(other, expected, rtol)
        assert all(bytes(other[key]) == bytes(expected[key]) for key in step.fixed)


@EVERY
def test_what_is_no_count_of_rows_and_no_quantile_takes_a_row_of_weight_2_as_two(step, name, columns):
    if step.reads_texts or getattr(step, "strategy", step.type) in ("quantile", "robust", "median"):
        return
    weight = np.random.default_rng(4).integers(0, 4, len(columns)).astype(float)
    weight[0] = 2
    same(fitted(step, columns, weight)[1], fitted(step, columns.repeat(weight.astype(int), axis=0))[1], rtol=1e-9)


@EVERY
def test_what_is_prepared_comes_back(step, name, columns):
    known, learned = fitted(step, columns)
    if (np.isnan(columns).any() and not step.reads_texts) or step.type == "text_vectors":
        return  # a vector does not tell its text
    codes = read(known, columns, learned)
    prepared = known.apply(codes, learned)
    again = known.invert(prepared, learned)
    if step.invertible:
        np.testing.assert_allclose(again, codes, rtol=1e-12, atol=1e-14 * abs(codes).max())
    assert again.shape == codes.shape
    if step.type == "smooth_clip":  # a number near the limit says little of what it was made of
        prepared = np.clip(prepared, -0.999 * step.limit, 0.999 * step.limit)
    np.testing.assert_allclose(known.apply(again, learned), prepared, rtol=1e-9, atol=1e-12 + 1e-14 * abs(codes).max())


@EVERY
def test_symbolic_values_can_take_the_arrays_place(step, name, columns):
    known, learned = fitted(step, columns)
    size = known.output_size(columns.shape[1])
    if not size:
        return
    rows = np.concatenate([read(known, columns, learned)] * 2)
    if not step.reads_texts:
        rows[len(columns) :] += 0.3 * np.nanmax(abs(rows), initial=0)
        rows[-1] *= -9
    prepared = known.apply(rows, learned)
    assert_symbolic(known, known.apply, rows, learned, prepared)
    if step.invertible:
        assert_symbolic(known, known.invert, prepared, learned, known.invert(prepared, learned))


def assert_symbolic(step, function, rows, learned, expected):
    x = input_value("x", (rows.shape[1], BATCH))
    symbolic = {key: array for key, array in learned.items() if key not in step.fixed}
    arrays = {key: array if key in step.tables else array.reshape(-1, 1) for key, array in symbolic.items()}
    states = {key: state_value(key, array.shape) for key, array in arrays.items()}
    program = plan([function(x, learned | states)], [], expansions=NUMPY.expansions)
    with np.errstate(all="ignore"):
        needed = {key: arrays[key] for key in arrays if any(call.attributes == key for call in program.calls)}
        bound = NUMPY.bind(program, np.float64, {BATCH: len(rows)}, needed)
        bound.inputs["x"][:] = rows.T
        bound.run()
    assert bound.outputs[0].shape == expected.T.shape
    np.testing.assert_allclose(
        bound.outputs[0].T, expected, rtol=1e-12, atol=1e-13 * np.nanmax(abs(expected), initial=0)
    )


@pytest.mark.parametrize("places", [(0,), (1, 2), (0, 2, 4), (0, 1, 3, 4), (0, 1, 2, 3, 4)])
def test_columns_are_picked_repeated_and_joined_of_values_as_of_arrays(places):
    rows = RNG.normal(size=(4, 5))
    counts = (2, 0, 1, 3, 1)

    def made(columns):
        some = column_operations.picked(columns, places)
        several = column_operations.repeated(columns, counts) + column_operations.numbered(columns, range(7))
        return column_operations.joined(some, several, column_operations.within(columns, -0.5, 0.5))

    expected = [rows[:, list(places)], rows.repeat(counts, axis=1) + np.arange(7), np.clip(rows, -0.5, 0.5)]
    np.testing.assert_array_equal(made(rows), np.hstack(expected))
    assert_symbolic(step_of("log"), lambda columns, _: made(columns), rows, {}, made(rows))
    assert column_operations.count_of(rows) == column_operations.count_of(input_value("x", (5, BATCH))) == 5


def put(place, value):
    """Return what puts a value into an array."""

    def damage(array):
        array = array.astype(float) if isinstance(value, float) else array
        array[place] = value
        return array

    return damage


DAMAGES = {
    "standardize": [("mean", put(0, np.nan)), ("scale", put(0, 0.0)), ("scale", put(0, np.inf))],
    "robust": [("center", put(0, -np.inf)), ("scale", put(1, -1.0))],
    "minmax": [("minimum", put(0, np.nan)), ("scale", put(1, -1.0))],
    "clip": [("minimum", put(0, 1e9)), ("maximum", put(0, np.nan))],
    "impute": [("fill", put(1, np.nan))],
    "quantile": [("knots", put((1, 0), np.nan)), ("knots", put((1, 0), 1e9)), ("knots", lambda knots: knots[::-1])],
    "target_encoding": [("means", put((0, 2), np.nan)), ("means", put((1, 0), np.inf))],
    "calendar": [("kept", put(0, 0.5)), ("kept", put((0, 0), np.nan)), ("kept", lambda kept: 1 - kept)],
}
OF_CATEGORIES = [
    *(("categories", put(0, byte)) for byte in (0xFF, 0)),
    ("categories", put(slice(None), ord("a"))),
    ("categories", lambda data: data[:-1]),
    ("categories", lambda data: data[::-1].copy()),
    *(("offsets", put(*damage)) for damage in ((0, 1), (-1, 10**15), (1, -(2**63)), (1, 0), (2, 99))),
    *(("starts", put(*damage)) for damage in ((0, -1), (1, 10**15), (-1, 0), (1, 0))),
]


@pytest.mark.parametrize("step", STEPS, ids=named)
def test_planted_damage_is_refused(step, refused: Refused):
    if step.type == "text_vectors":
        return  # in test_texts
    name, damages = "normal", DAMAGES.get(step.type, [])
    if isinstance(step, CategoryStep):
        step = type(step)(minimum_count=1)
        name, damages = "60 rows", [*OF_CATEGORIES, *damages]
    elif step.type == "calendar":
        name = "dates"
    known, learned = fitted(step, training(step)[name])
    assert {key for key, _ in damages} == set(step.learned)
    for key, damage in damages:
        with refused(DataError):
            known.check(learned | {key: damage(learned[key].copy())})


@pytest.mark.parametrize("step", [step for step in STEPS if isinstance(step, CategoryStep)], ids=named)
def test_numbers_are_no_categories(step, refused: Refused):
    with refused(DataError):
        step.fit(np.zeros((3, 1)))
