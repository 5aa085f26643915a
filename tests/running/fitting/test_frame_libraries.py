"""Tables in memory of several libraries: each gives the model of the file with the same table, or one clear error."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import scipy.sparse

import specnet
from specnet import DataError, SpecClassifier, SpecRegressor
from tests.running.specs import spec_on
from tests.texts.pinned import Refused

ROWS = 120
RNG = np.random.default_rng(0)
DAYS = np.datetime64("2023-01-01") + RNG.integers(0, 700, ROWS)
X = RNG.normal(size=ROWS).round(3)
Y = (np.sin(2 * np.pi * (DAYS - np.datetime64("2023-01-01")).astype(int) / 365.25) + X / 10).round(3)
COLUMNS: dict[str, list[Any]] = {
    "town": [["rome", "oslo", None][row % 3] for row in range(ROWS)],
    "day": DAYS.tolist(),
    "x": [None if row % 9 == 4 else value for row, value in enumerate(X.tolist())],
    "count": [row * 7 % 11 for row in range(ROWS)],
    "open": [row % 4 == 1 for row in range(ROWS)],
}
ORDERS = [["day", "x"], ["x", "count"], ["count", "open"], ["day", "town", "x"], list(COLUMNS), list(COLUMNS)[::-1]]


def of_pandas(columns: dict[str, list[Any]]) -> pandas.DataFrame:
    table = pandas.DataFrame(columns)
    return table.assign(day=pandas.to_datetime(table["day"])) if "day" in table else table


LIBRARIES: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "pandas": of_pandas,
    "pandas with Arrow": lambda columns: of_pandas(columns).convert_dtypes(dtype_backend="pyarrow"),
    "pandas, all objects": lambda columns: pandas.DataFrame(columns, dtype=object),
    "Polars": polars.DataFrame,
    "Arrow": pyarrow.table,
}


@pytest.mark.parametrize("names", ORDERS, ids=" ".join)
def test_a_table_gives_the_model_of_its_file(names: list[str], tmp_path: Path):
    columns = {name: COLUMNS[name] for name in names}
    polars.DataFrame(columns | {"y": Y}).write_csv(tmp_path / "rows.csv")
    data = {"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "y", "split": {"test_size": 0.0}}
    spec = spec_on(data, 4, loss="mse", epochs=2)
    expected = specnet.run(spec, tmp_path / "out", observer=specnet.Observer()).model
    kinds = {"town": "category", "day": "datetime", "x": "numeric", "count": "numeric", "open": "boolean"}
    assert expected.spec.feature_kinds == {name: kinds[name] for name in names}
    for library, make in LIBRARIES.items():
        table = make(columns)
        model = specnet.fit(spec, table, Y, observer=specnet.Observer())
        assert model.spec.feature_kinds == expected.spec.feature_kinds, library
        assert model.theta.tobytes() == expected.theta.tobytes(), library
        for each in (model, expected):
            assert each.predict(table).tobytes() == expected.predict(of_pandas(columns)).tobytes(), library


@pytest.mark.parametrize("library", LIBRARIES)
def test_estimators_take_tables_of_any_library(library: str):
    table, expected = LIBRARIES[library](COLUMNS), of_pandas(COLUMNS)
    for estimator, y in ((SpecRegressor(epochs=2), Y), (SpecClassifier(epochs=2), np.where(Y > 0, "up", "down"))):
        fitted = estimator.set_params(random_state=0).fit(table, y)
        answers = fitted.predict(table)
        assert list(fitted.feature_names_in_) == list(COLUMNS)
        np.testing.assert_array_equal(fitted.predict(expected), answers)
        np.testing.assert_array_equal(estimator.fit(expected, y).predict(table), answers)


def test_columns_of_the_spec_are_those_of_the_frame(tmp_path: Path):
    polars.DataFrame(COLUMNS | {"y": Y}).write_csv(tmp_path / "rows.csv")
    data = {"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "y", "split": {"test_size": 0.0}}
    table = polars.read_csv(tmp_path / "rows.csv", try_parse_dates=True)
    for said in ({"columns": {"count": "category", "x": "ignore"}}, {"features": ["x", "day"]}):
        spec = spec_on(data | said, 4, loss="mse")
        expected = specnet.run(spec, tmp_path / "out", observer=specnet.Observer(), force=True).model
        model = specnet.fit(spec, table, Y)
        assert model.spec.feature_kinds == expected.spec.feature_kinds
        assert model.theta.tobytes() == expected.theta.tobytes()


def in_polars(column: Any, of: Any = None) -> polars.DataFrame:
    return polars.DataFrame({"c": polars.Series(column, dtype=of), "x": X[: len(column)]})


ZONED = [datetime(2024, 1, 1 + row % 28, row % 24) for row in range(ROWS)]
NUMBERS = np.arange(ROWS)
TYPES: dict[str, tuple[Any, str, Any]] = {
    "Int128": (in_polars(range(ROWS), polars.Int128), "numeric", NUMBERS),
    "Decimal": (in_polars(NUMBERS).cast({"c": polars.Decimal(10, 2)}), "numeric", NUMBERS),
    "UInt8": (in_polars(NUMBERS).cast({"c": polars.UInt8}), "numeric", NUMBERS),
    "Enum": (in_polars(["ab"[row % 2] for row in range(ROWS)], polars.Enum("ba")), "category", NUMBERS % 2),
    "date64": (pyarrow.table({"c": pyarrow.array(DAYS.astype("M8[ms]")).cast(pyarrow.date64())}), "datetime", DAYS),
    "decimal256": (pyarrow.table({"c": pyarrow.array(NUMBERS).cast(pyarrow.decimal256(30, 2))}), "numeric", NUMBERS),
    "float16": (pyarrow.table({"c": NUMBERS.astype(np.float16)}), "numeric", NUMBERS),
    "dictionary": (
        pyarrow.table({"c": pyarrow.array(["ab"[row % 2] for row in range(ROWS)]).dictionary_encode()}),
        "category",
        NUMBERS % 2,
    ),
    "sparse": (pandas.DataFrame({"c": pandas.arrays.SparseArray(NUMBERS % 5)}), "numeric", NUMBERS % 5),
    "sparse gaps": (
        pandas.DataFrame({"c": pandas.arrays.SparseArray(np.where(NUMBERS % 5, np.nan, NUMBERS))}),
        "numeric",
        np.where(NUMBERS % 5, np.nan, NUMBERS),
    ),
    "UTC": (in_polars(ZONED).with_columns(polars.col("c").dt.replace_time_zone("UTC")), "datetime", np.array(ZONED)),
    "dates before 1970": (
        in_polars([date(1700, 1, 1) + timedelta(days=41 * row) for row in range(ROWS)]),
        "datetime",
        np.datetime64("1700-01-01") + 41 * NUMBERS,
    ),
}


@pytest.mark.parametrize("name", TYPES)
def test_types_of_columns(name: str):
    table, kind, numbers = TYPES[name]
    days = (
        (np.asarray(numbers, "M8[us]") - np.datetime64(0, "us")) / np.timedelta64(1, "D") if kind == "datetime" else 0
    )
    plain = {"numeric": numbers, "datetime": days, "category": np.where(numbers, "b", "a")}[kind]
    rest = {} if isinstance(table, pyarrow.Table | pandas.DataFrame) else {"x": X}
    expected = pandas.DataFrame({"c": plain} | rest)
    spec = spec_on(None, 4, loss="mse", network={"preprocessing": ["impute", "standardize"]})
    model, other = specnet.fit(spec, table, Y), specnet.fit(spec, expected, Y)
    assert model.spec.feature_kinds["c"] == kind
    if kind != "datetime":  # whose steps are others
        assert model.theta.tobytes() == other.theta.tobytes()
    else:
        np.testing.assert_array_equal(specnet.data.raw_columns.raw_columns(table, {"c": kind}, 1, ("c",)).X[:, 0], days)


DURATIONS = [timedelta(hours=row) for row in range(ROWS)]
FAR = polars.DataFrame({"c": polars.Series([2_932_896 + row for row in range(ROWS)], dtype=polars.Int32)})
MASKED = np.ma.MaskedArray(np.column_stack([X, X]), mask=np.arange(2 * ROWS).reshape(ROWS, 2) == 7)
UNREADABLE: dict[str, Any] = {
    "struct": in_polars([{"a": 1}] * ROWS),
    "list": in_polars([[1, 2]] * ROWS),
    "bytes": in_polars([b"a"] * ROWS),
    "duration": in_polars(DURATIONS),
    "far dates": FAR.cast({"c": polars.Date}).with_columns(x=X),
    "far times": (FAR.cast({"c": polars.Int64}) * 86_400_000_000).cast({"c": polars.Datetime("us")}),
    "lazy": polars.DataFrame({"x": X}).lazy(),
    "arrays in pandas": pandas.DataFrame({"c": [np.zeros(2)] * ROWS, "x": X}),
    "timedelta in pandas": pandas.DataFrame({"c": pandas.to_timedelta(np.arange(ROWS), "h"), "x": X}),
    "timedelta objects": pandas.DataFrame({"c": pandas.Series(DURATIONS, dtype=object), "x": X}),
    "complex": pandas.DataFrame({"c": X + 1j, "x": X}),
    "struct in Arrow": pyarrow.table({"c": [{"a": 1}] * ROWS}),
    "map in Arrow": pyarrow.table(
        {"c": pyarrow.array([[("a", 1)]] * ROWS, pyarrow.map_(pyarrow.string(), pyarrow.int8()))}
    ),
    "bytes in Arrow": pyarrow.table({"c": [b"a"] * ROWS}),
    "duration in Arrow": pyarrow.table({"c": DURATIONS}),
    "record batch": pyarrow.record_batch({"x": X}),
    "masked": MASKED,
    "dates": np.column_stack([DAYS, DAYS]),
    "dates without names": pandas.DataFrame(np.column_stack([DAYS, DAYS])),
}


def plain(table: Any) -> Any:
    """Return numbers, with the same names of columns if there are some."""
    if isinstance(table, np.ndarray | pandas.DataFrame) and getattr(table, "columns", [0])[0] == 0:
        return np.column_stack([X, X])
    names = table.collect_schema() if hasattr(table, "collect_schema") else getattr(table, "column_names", None)
    return pandas.DataFrame(dict.fromkeys(table.columns if names is None else names, X))


@pytest.mark.filterwarnings("error::polars.exceptions.PerformanceWarning")
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_one_error_everywhere(name: str, refused: Refused):
    table, numbers = UNREADABLE[name], plain(UNREADABLE[name])
    spec, regressor, classifier = spec_on(None, 2, loss="mse"), SpecRegressor(epochs=1), SpecClassifier(epochs=1)
    model, fitted = specnet.fit(spec, numbers, Y), SpecRegressor(epochs=1).fit(numbers, Y)
    for call in (
        lambda: specnet.fit(spec, table, Y),
        lambda: regressor.fit(table, Y),
        lambda: classifier.fit(table, np.where(Y > 0, "up", "down")),
        lambda: model.predict(table),
        lambda: fitted.predict(table),
    ):
        with refused(DataError, code={"not-a-datetime"} if name.startswith("far") else {"data"}):
            call()


@pytest.mark.parametrize("y", [np.ma.MaskedArray(Y, mask=Y > 0.9), DAYS, polars.Series(DURATIONS)], ids=range(3))
def test_targets_that_are_no_numbers(y: Any, refused: Refused):
    for call in (specnet.fit, lambda _, *rows: SpecRegressor(epochs=1).fit(*rows)):
        with refused(DataError):
            call(spec_on(None, 2, loss="mse"), X[:, None], y)


def test_weights_and_sparse_matrices(refused: Refused):
    weights = np.ma.MaskedArray(np.ones(ROWS), mask=np.arange(ROWS) == 3)
    for call in (
        lambda: specnet.fit(spec_on(None, 2, loss="mse"), X[:, None], Y, sample_weight=weights),
        lambda: SpecRegressor(epochs=1).fit(X[:, None], Y, sample_weight=weights),
        lambda: specnet.fit(spec_on(None, 2, loss="mse"), scipy.sparse.csr_matrix(X[:, None]), Y),
    ):
        with refused(DataError):
            call()


def test_times_of_day_are_durations_as_in_a_file():
    table = polars.DataFrame({"c": [time(row % 4) for row in range(ROWS)], "x": X})
    kinds = specnet.fit(spec_on(None, 2, loss="mse"), table, Y).spec.feature_kinds
    assert (kinds["c"].type, kinds["c"].duration, kinds["x"]) == ("numeric", "seconds", "numeric")
