"""Groups of columns, each with its steps: fitted to training rows, and the same for all others."""

from datetime import date, timedelta
from functools import partial

import numpy as np
import pytest

import specnet
from specnet import DataError, SpecError
from specnet.data import Preparation, StepGroup, column_groups, tensor_forms, unfitted, with_fitted_steps
from specnet.parts.arrays import RowView
from specnet.parts.data import Column
from specnet.parts.preprocessing import ONE_HOT_CODES, Standardize
from specnet.spec import ColumnGroup
from tests.registry import part
from tests.texts.pinned import Refused

step_of = partial(part, "preprocessing")
impute, one_hot, ordinal = partial(step_of, "impute"), partial(step_of, "one_hot"), partial(step_of, "ordinal")
NUMBERS = np.random.default_rng(3).normal([5.0, -2.0, 0.0, 9.0], [1.0, 3.0, 0.1, 7.0], (60, 4))
STEPS = (Standardize(), Standardize())


def test_a_chain_fits_each_step_to_what_the_ones_before_make_and_comes_back_from_its_tensors():
    columns = NUMBERS.astype(np.float32)
    preparation = Preparation.fit(unfitted(STEPS), columns)
    prepared = preparation.prepare(columns)
    np.testing.assert_array_equal(prepared, preparation.apply(columns.astype(np.float64)))
    fitted = preparation.groups[0].fitted
    np.testing.assert_allclose(fitted[1]["mean"], 0, atol=1e-14)
    np.testing.assert_allclose(fitted[1]["scale"], 1, rtol=1e-14)
    np.testing.assert_allclose(preparation.invert(prepared), columns, rtol=1e-12)

    tensors = preparation.tensors()
    shapes = {name: shape for name, (_, shape) in tensor_forms(unfitted(STEPS), 4).items()}
    assert {name: array.shape for name, array in tensors.items()} == shapes
    assert list(tensors) == ["0.0.mean", "0.0.scale", "0.1.mean", "0.1.scale"]
    again = Preparation.from_tensors(unfitted(STEPS), tensors)
    np.testing.assert_array_equal(again.prepare(columns), prepared)


class OfArrays(Standardize):
    """A step that is fitted to arrays alone, as those of others are unless they say otherwise."""

    fits_views = False

    def fit(self, columns, weight=None, texts=None):
        assert isinstance(columns, np.ndarray)
        return super().fit(columns, weight, texts)


def test_a_step_that_needs_arrays_has_its_own_columns_as_one():
    (learned,) = Preparation.fit([StepGroup((2, 0), (OfArrays(),))], NUMBERS).groups[0].fitted
    np.testing.assert_allclose(learned["mean"], NUMBERS[:, [2, 0]].mean(0), rtol=1e-12)


def test_fitting_computes_in_float64():
    columns = (1e4 + np.arange(1000.0)).astype(np.float32).reshape(-1, 1)
    (learned,) = Preparation.fit(unfitted([Standardize()]), columns).groups[0].fitted
    assert learned["mean"] == 1e4 + 499.5
    np.testing.assert_allclose(learned["scale"], np.arange(1000.0).std(), rtol=1e-15)


def test_no_steps_change_nothing():
    preparation = Preparation.fit((), NUMBERS)
    assert preparation.apply(NUMBERS) is preparation.prepare(NUMBERS) is NUMBERS
    assert preparation.tensors() == {}


class Reader:
    """A network that reads single precision, and keeps what it is told."""

    dtype = np.dtype(np.float32)

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def read_inputs(self, X: np.ndarray, name: str, first_row: int = 0) -> np.ndarray:
        self.told.append((name, first_row))
        return X.astype(np.float32)


@pytest.mark.parametrize("steps", [(), (Standardize(),)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("is_view", [False, True])
def test_a_network_reads_prepared_rows_in_its_dtype(steps, dtype, is_view, numbers_at_once):
    numbers_at_once(100)
    columns, reader = NUMBERS.astype(dtype), Reader()
    preparation = Preparation.fit(unfitted(steps) if steps else (), columns)
    given = RowView(columns, np.arange(60)[::-1]) if is_view else columns
    expected = preparation.prepare(np.asarray(given).astype(np.float64)).astype(np.float32)
    found = preparation.prepare(given, reader=reader)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32
    at_once = not steps and dtype is np.float32 and not is_view
    assert reader.told == [("X", start) for start in ([0] if at_once else [0, 25, 50])]


def test_what_was_learned_can_be_replaced_by_name():
    X, texts = mixed()
    groups = [StepGroup((0, 2), (impute(), Standardize())), StepGroup((1,), (one_hot(minimum_count=1),))]
    preparation = Preparation.fit(groups, X, texts=(None, texts, None))
    fixed = {"0.0.columns"} | {name for name in preparation.tensors() if name.startswith("1.0.")}
    replaced: list[str] = []

    def doubled(name: str, array: np.ndarray) -> np.ndarray:
        replaced.append(name)
        return 2 * array

    found = preparation.replaced(doubled).tensors()
    own = preparation.tensors()
    assert list(found) == list(own)
    for name, array in found.items():
        np.testing.assert_array_equal(array.reshape(own[name].shape), own[name] * (2 if name in replaced else 1))
    assert {*replaced} == {*own} - fixed
    assert {name for name in own if name.rpartition(".")[2] in ("mean", "scale", "fill")} <= {*replaced}


@pytest.mark.parametrize("order", ["C", "F"])
def test_columns_are_not_written_over(order: str):
    columns = np.array(NUMBERS, order=order)
    given = columns.copy(order="K")
    prepared = Preparation.fit(unfitted([Standardize()]), columns).prepare(columns)
    np.testing.assert_array_equal(columns, given)
    assert not np.shares_memory(prepared, columns)


def test_numbers_too_large_are_refused_with_their_column(refused: Refused):
    with refused(DataError, code="too-large"):
        Preparation.fit(unfitted([Standardize()]), np.array([[0.0, 1e300], [1.0, -1e300]]))
    with refused(DataError, code="too-large"):
        Preparation.fit(unfitted(STEPS), np.array([[0.0, 2e-308], [1.0, 0.0], [1e308, 1.0]]))
    with refused(DataError, code="too-large"):
        Preparation.fit(
            unfitted([step_of("robust"), Standardize()]), np.array([[0.0, 1e308], *([0.0, i / 1e9] for i in range(5))])
        )
    preparation = Preparation.fit(unfitted([Standardize()]), NUMBERS / 1e3)
    with refused(DataError):
        preparation.prepare(np.where(NUMBERS[7, 2] == NUMBERS, 1e307, NUMBERS), name="test X")


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
            ColumnGroup(columns=("kind",), steps=(one_hot(minimum_count=1),)),
            ColumnGroup(columns=("length", "width"), steps=(impute(indicator=False), Standardize())),
        ],
        ["length", "kind", "width"],
    )
    preparation = Preparation.fit(groups, X, texts=(None, texts, None))
    prepared = preparation.prepare(X, texts=(None, texts, None))
    hot = np.column_stack([*(X[:, 1] == code for code in range(3)), np.isnan(X[:, 1])]).astype(float)
    filled = np.where(np.isnan(X), np.nanmedian(X, axis=0), X)[:, [0, 2]]
    np.testing.assert_array_equal(prepared[:, :4], hot)
    np.testing.assert_allclose(prepared[:, 4:], (filled - filled.mean(0)) / filled.std(0), rtol=1e-12, atol=1e-14)
    names = "0.0.categories 0.0.offsets 0.0.starts 1.0.fill 1.1.mean 1.1.scale"
    assert " ".join(preparation.tensors()) == names
    sized = [StepGroup(group.indices, group.steps) for group in preparation.groups]
    again = Preparation.from_tensors(sized, preparation.tensors())
    np.testing.assert_array_equal(again.prepare(X, texts=(None, texts, None)), prepared)


def test_categories_are_known_by_their_texts_and_not_by_their_places():
    X, texts = mixed()
    groups = [StepGroup((1,), (ordinal(minimum_count=1),))]
    preparation = Preparation.fit(groups, X, texts=(None, texts, None))
    other = np.array(["Z", "b", "c", "d"])
    rows = np.array([[0.0, index, 0.0] for index in (0, 1, 2, 3, np.nan)])
    codes = preparation.prepare(rows, texts=(None, other, None))
    np.testing.assert_array_equal(codes[:, 0], [0, 2, 3, 0, 4])


def test_fitted_state_depends_on_the_given_rows_alone():
    X, texts = mixed(80)
    groups = [StepGroup((0, 2), (impute(indicator=False), Standardize())), StepGroup((1,), (ordinal(minimum_count=1),))]

    def learned(rows):
        preparation = Preparation.fit(groups, rows, texts=(None, texts, None))
        return {name: bytes(array) for name, array in preparation.tensors().items()}

    there = learned(X[:40])
    X[40:] = 1.0
    assert learned(X[:40]) == there != learned(X), "a leak would show"


@pytest.mark.parametrize("names", [(), ("length", "kind", "width")])
@pytest.mark.parametrize("steps", [(), (Standardize(),)])
def test_a_missing_cell_that_nothing_fills_is_refused_with_its_place(steps, names, refused: Refused, numbers_at_once):
    numbers_at_once(3)
    X, _ = mixed()
    with refused(DataError):
        Preparation.fit([StepGroup((2,), steps)], X, names=names)


FILLED = "impute standardize"
DATED = f"calendar {FILLED}"
ENCODED = "city: target_encoding"
ALL = "size city flag day: "
SIZE, NOTHING = "{{ columns = ['size'], steps = ['{}'] }}", "{ columns = ['size'], steps = [] }"
KINDS = {"size": "numeric", "city": "category", "flag": "boolean", "day": "datetime"}


def groups_of(written: str, codes=2, names=tuple(KINDS)):
    """Return the groups of columns of all kinds, or of none, by the preprocessing of a spec as TOML, or by none."""
    preprocessing = f"network.preprocessing = {written}\n" if written else ""
    spec = specnet.parse_spec(f"network.layer_sizes = [2, 1]\ntraining.loss = 'mse'\n{preprocessing}")
    columns = [Column(name, KINDS[name]) for name in names]
    return column_groups(spec, columns, names, {names.index("city"): codes}.get if names else len)


@pytest.mark.parametrize(
    ("written", "codes", "expected"),
    [
        ("", ONE_HOT_CODES, f"size flag: {FILLED}; city: one_hot; day: {DATED}"),
        ("", ONE_HOT_CODES + 1, f"size flag: {FILLED}; day: {DATED}; city: embedding"),
        ("[]", 2, "size flag day: ; city: one_hot"),
        ("['minmax']", 2, "size flag day: minmax; city: one_hot"),
        ("['ordinal', 'standardize']", 2, "size flag day: standardize; city: ordinal"),
        ("[{ columns = ['city'], steps = ['target_encoding'] }]", 99, f"size flag: {FILLED}; {ENCODED}; day: {DATED}"),
        ("['calendar', 'minmax']", 2, "size flag: minmax; city: one_hot; day: calendar minmax"),
        (f"[{SIZE.format('quantile')}]", 2, f"size: quantile; city: one_hot; flag: {FILLED}; day: {DATED}"),
        ("[{ columns = ['size', 'day'], steps = [] }, 'minmax']", 2, "size day: ; city: one_hot; flag: minmax"),
        ("[{ columns = ['city'], steps = [] }, { columns = ['flag', 'day', 'size'], steps = [] }]", 2, ALL),
    ],
)
def test_a_column_that_nothing_is_written_for_has_the_steps_of_its_kind(written, codes, expected):
    found = [(group.columns, [step.type for step in group.steps]) for group in groups_of(written, codes)]
    assert "; ".join(f"{' '.join(columns)}: {' '.join(steps)}" for columns, steps in found) == expected


@pytest.mark.parametrize(
    ("written", "code", "at"),
    [
        ("['minmax', { columns = ['size', 'sise'], steps = [] }]", "unknown-column", "1.columns.1"),
        ("[{ columns = ['weather'], steps = [] }]", "unknown-column", "0.columns.0"),
        (f"[{NOTHING}, {{ columns = ['flag', 'size'], steps = [] }}]", "field-clash", "1.columns.1"),
        ("[{ columns = ['city'], steps = ['impute', 'minmax'] }]", "column-kind", "0"),
        (f"[{{ columns = ['flag'], steps = [] }}, {SIZE.format('calendar')}]", "column-kind", "1"),
        ("['ordinal', 'one_hot']", "column-kind", ""),
    ],
)
def test_groups_that_do_not_fit_the_columns_are_refused(written, code, at, refused: Refused):
    with refused(SpecError, code=code, at=f"network.preprocessing.{at}".rstrip(".")):
        groups_of(written)


def test_arrays_have_the_plain_steps_alone(refused: Refused):
    with refused(SpecError, code="unknown-column", at="network.preprocessing.0.columns.0"):
        groups_of(f"[{NOTHING}]", names=())
    assert [step.type for step in groups_of("['impute', 'minmax']", names=())] == ["impute", "minmax"]
    assert groups_of("", names=()) == ()


def test_a_spec_has_the_sizes_that_its_steps_were_fitted_with():
    X, texts = mixed()
    written = [
        ColumnGroup(columns=("length",), steps=(Standardize(),)),
        ColumnGroup(columns=("kind",), steps=(step_of("embedding", minimum_count=1),)),
        ColumnGroup(columns=("width",), steps=(impute(), Standardize())),
    ]
    spec = specnet.parse_spec({"network": {"layer_sizes": [2, 1]}, "training": {"loss": "mse"}})
    X[:, 0], names = 1.0, ["length", "kind", "width"]
    preparation = Preparation.fit(unfitted(written, names), X, texts=(None, texts, None))
    sized = with_fitted_steps(spec, (*written[:1], *written[1:]), preparation).network.preprocessing
    assert [group.columns for group in sized] == [("length",), ("kind",), ("width",)]
    assert sized[0].steps == (Standardize(),)
    assert sized[1].steps == (step_of("embedding", minimum_count=1, counts=preparation.groups[1].steps[0].counts),)
    assert sized[2].steps == preparation.groups[2].steps != written[2].steps
    alone = Preparation.fit(unfitted([impute()]), X[:, 2:])
    assert with_fitted_steps(spec, (impute(),), alone).network.preprocessing == alone.groups[0].steps != (impute(),)


def test_groups_of_columns_are_undone():
    preparation = Preparation.fit(
        [StepGroup((2, 0), (Standardize(),)), StepGroup((3,), (Standardize(),) * 2), StepGroup((1,), ())], NUMBERS
    )
    prepared = preparation.prepare(NUMBERS)
    np.testing.assert_array_equal(prepared[:, 3], NUMBERS[:, 1])
    np.testing.assert_allclose(preparation.invert(prepared), NUMBERS, rtol=1e-12)
    np.testing.assert_array_equal(preparation.apply(NUMBERS), prepared)
    np.testing.assert_array_equal(Preparation.fit((), NUMBERS).invert(prepared), prepared)
    assert not preparation.is_one_chain(4)
    assert StepGroup((2, 0), ()).among(4) == (2, 0)


def test_an_embedding_has_its_codes_as_inputs():
    (group,) = unfitted([ColumnGroup(columns=("kind",), steps=(step_of("embedding", minimum_count=2),))], ["kind"])
    assert group.steps == (ordinal(minimum_count=2),)


def test_prepared_columns_are_named_for_what_they_hold():
    random = np.random.default_rng(2)
    cities, day, age = random.choice(3, 80).astype(float), 19_000 + np.arange(80.0), random.normal(40, 9, 80)
    cities[::9], age[::4] = np.nan, np.nan
    columns, texts = np.column_stack([age, cities, day]), [None, np.array(["Bonn", "Oslo", "São Paulo"]), None]
    steps = one_hot(), step_of("calendar"), impute(value=-1.0, strategy="constant")
    groups = [StepGroup((column,), (step,)) for column, step in zip((1, 2, 0), steps, strict=True)]
    names = ["age", "city", "since"]
    preparation = Preparation.fit(groups, columns, texts=texts, names=names)
    prepared = dict(zip(preparation.named(names), preparation.prepare(columns, texts=texts).T, strict=True))
    for place, city in enumerate(texts[1]):
        np.testing.assert_array_equal(prepared.pop(f"city = {city}"), cities == place)
    np.testing.assert_array_equal(prepared.pop("city missing"), np.isnan(cities))
    np.testing.assert_array_equal(prepared.pop("since"), day)
    dates = [date(1970, 1, 1) + timedelta(days=each) for each in day.tolist()]
    weekday = np.array([each.weekday() for each in dates]) / 7
    of_year = np.array([each.timetuple().tm_yday - 1 for each in dates]) / 365  # all in 2022
    for cycle, fraction in (("day of year", of_year), ("weekday", weekday)):
        for wave, function in (("sine", np.sin), ("cosine", np.cos)):
            found = prepared.pop(f"since: {wave} of {cycle}")
            np.testing.assert_allclose(found, function(2 * np.pi * fraction), atol=1e-12)
    np.testing.assert_array_equal(prepared.pop("age"), np.where(np.isnan(age), -1, age))
    np.testing.assert_array_equal(prepared.pop("age missing"), np.isnan(age))
    assert not prepared
    assert Preparation(groups).named(names) == ["city", "since", "age"]
    assert Preparation().named(names) == names
    assert preparation.named([]) == []


@pytest.mark.parametrize(
    ("dates", "cycle"), [("1990-01-01 1991-01-01", "cycle of years"), ("1990-01-01 1990-01-02", "weekday")]
)
def test_a_weekday_that_only_tells_years_apart_is_not_called_one(dates: str, cycle: str):
    days = np.array(dates.split(), "datetime64[D]").astype(np.float64)[:, np.newaxis]
    preparation = Preparation.fit([StepGroup((0,), (step_of("calendar"),))], days)
    names = preparation.named(["since"])
    assert f"since: sine of {cycle}" in names
    assert ("weekday" in " ".join(names)) == (cycle == "weekday")


class Squared(Standardize):
    """A step that adds columns and does not name them."""

    def output_size(self, columns):
        return 2 * columns


def test_columns_of_a_step_that_does_not_name_them_are_numbered():
    fitted = StepGroup(None, (Squared(), impute(indicator=(3,))), ({}, {}))
    names = [*(f"standardize {number}" for number in range(1, 5)), "standardize 4 missing"]
    assert Preparation((fitted,)).named(["a", "b"]) == names
