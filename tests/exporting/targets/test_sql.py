"""SQL: three databases answer as the model in float64 does, whatever tables and texts are called."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import ExportError, Model, export
from specnet.errors import UnsupportedError
from specnet.exporting.sql import databases
from specnet.exporting.sql.dialects import DIALECTS
from specnet.exporting.sql.notation_cells import notation_cell
from specnet.exporting.target import CannotRunError
from specnet.parts.data.notations import DatetimeFormat, DurationFormat, NumberFormat
from tests.exporting import models
from tests.exporting.models import built, dense, labelled
from tests.exporting.test_intervals import model_of
from tests.exporting.test_matrix import FAMILIES, TABLES
from tests.model.models import make_model
from tests.texts.pinned import Refused

WITHOUT_GELU = ("duckdb", "sqlite")


@pytest.fixture(scope="module", params=[*DIALECTS])
def dialect(request: pytest.FixtureRequest) -> str:
    """Return a dialect whose database runs here; the test is skipped with the reason where PostgreSQL does not."""
    if request.param == "postgres":
        started()
    return str(request.param)


def started() -> None:
    """Start PostgreSQL, or skip the test with the reason why it does not."""
    try:
        databases._server()
    except CannotRunError as error:
        pytest.skip(str(error))


def written(model: Model, dialect: str, folder: Path, **options: Any) -> str:
    """Export a model, which must have been compared, and return the statement."""
    done = export(model, "sql", folder / "m.sql", dialect=dialect, **options)
    assert done.proof.obstacle == ""
    assert done.proof.rows == 256
    assert done.dtype == "float64"
    return (folder / "m.sql").read_bytes().decode()


@contextmanager
def suppress_gelu() -> Iterator[None]:
    """Let a model be refused because of gelu, and nothing else."""
    try:
        yield
    except UnsupportedError as error:
        if not str(error).endswith("has no function erf, which gelu needs"):
            raise


def some(family: str) -> Iterator[Model]:
    """Return a few models of a family: all of its kinds are another test's."""
    return islice(FAMILIES[family](), 0, None, {"kinds": 3, "random networks": 5, "ensembles": 4}.get(family, 2))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_model(family: str, dialect: str, tmp_path: Path):
    for model in some(family):
        with nullcontext() if dialect == "postgres" else suppress_gelu():
            written(model, dialect, tmp_path)


@pytest.mark.parametrize("made", TABLES[::3])
def test_texts_gaps_and_dates(made: Callable[[], Model], dialect: str, tmp_path: Path):
    text = written(made(), dialect, tmp_path)
    assert '"the ""sex"""' in text


@pytest.mark.parametrize("kind", ["value", "values", "values that errors follow"])
def test_intervals(kind: str, dialect: str, tmp_path: Path):
    text = written(model_of(kind), dialect, tmp_path, interval=0.5)
    assert text.count(' AS "lower') == (1 if kind == "value" else model_of(kind).network.target_size)


HOSTILE = ['"; DROP TABLE x; --', "it's", "a\nb", "ünï-日本", "select", "v1", "step_0", " "]


def test_hostile_names_are_names(dialect: str, tmp_path: Path):
    model = models.named(HOSTILE)
    text = written(model, dialect, tmp_path, table='\'); DROP TABLE "x"; --', view='v"1', keep=["V1", "it's", "other"])
    assert text.rstrip().endswith(";")
    written(labelled(['"', "'; --", "\\", "a\r\nb"]), dialect, tmp_path, table="step_0")


def test_names_that_differ_in_case_only(tmp_path: Path, dialect: str, refused: Refused):
    model = models.named(["a", "A"])
    if dialect == "postgres":
        written(model, dialect, tmp_path)
    else:
        with refused(UnsupportedError):
            export(model, "sql", tmp_path / "m.sql", dialect=dialect)
    written(labelled(["a", "A"]), dialect, tmp_path, view="answers")


def test_names_that_differ_after_63_bytes_only(tmp_path: Path, dialect: str):
    """PostgreSQL cuts them off there, so that it has one column of this name."""
    model = models.named(["é" * 31 + end for end in ("xa", "xb")])
    if dialect == "postgres":
        with pytest.raises(UnsupportedError, match="PostgreSQL does not distinguish"):
            export(model, "sql", tmp_path / "m.sql", dialect=dialect)
    else:
        written(model, dialect, tmp_path)


def test_what_no_database_expresses(tmp_path: Path, refused: Refused):
    for dialect in WITHOUT_GELU:
        with refused(UnsupportedError):
            export(built(dense(1, activation="gelu"), input_size=1), "sql", tmp_path / "m.sql", dialect=dialect)
    with refused(UnsupportedError):
        export(labelled(["", "a\0b"]), "sql", tmp_path / "m.sql")
    with refused(ExportError):
        export(make_model("value"), "sql", tmp_path / "m.sql", dialect="oracle")
    with refused(UnsupportedError):
        export(make_model("value"), "numpy", tmp_path / "m.py", table="t", dialect="sqlite")
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    databases._server.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    proof = export(make_model("value"), "sql", tmp_path / "m.sql", dialect="postgres").proof
    assert proof.obstacle.startswith("no PostgreSQL server, which the extra sql has: run pip install '.[sql]'")
    databases._server.cache_clear()


def test_a_wrong_number_is_seen(tmp_path: Path, dialect: str, monkeypatch: pytest.MonkeyPatch):
    right = databases.RUNS[dialect]

    def wrong(create: str, table: str, rows: Any, exported: str, query: str) -> Any:
        return right(create, table, rows, exported.replace(" * v", " * 1.00001 * v"), query)

    monkeypatch.setitem(databases.RUNS, dialect, wrong)
    with pytest.raises(ExportError, match="differs from the model"):
        export(make_model("value"), "sql", tmp_path / "m.sql", dialect=dialect)


def test_rows_that_cannot_be_predicted_have_no_answer(tmp_path: Path):
    """A cell is missing that the model does not fill, or is no number."""
    model = make_model("classes, text")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE data (x1, x2, x3)")
        rows = [(5, "4.5", 6.0), (None, 4.5, 6), ("five", 4.5, 6), (b"5", 4.5, 6), (9e999, 4.5, 6)]
        connection.executemany("INSERT INTO data VALUES (?, ?, ?)", rows)
        first, *others = connection.execute(written(model, "sqlite", tmp_path)).fetchall()
        assert others[2][0] == first[0]
        assert [others[index] for index in (0, 1, 3)] == [(None,) * 4] * 3
        np.testing.assert_allclose(first[1:], model.predict_proba([[5, 4.5, 6]])[0], rtol=0, atol=1e-12)
        assert first[0] == model.predict([[5, 4.5, 6]])[0]
        connection.execute("DELETE FROM data")
        assert connection.execute((tmp_path / "m.sql").read_text()).fetchall() == []


NOTATIONS: list[tuple[Any, list[str]]] = [
    (NumberFormat(type="numeric", decimal=",", unit="€"), ["1.234,5 €", "€ -3", "-€3", "12", "1.23", "1,5e2", "x"]),
    (NumberFormat(type="numeric"), ["1,234,567.25", "1'000", "-7", "1,23", "+0.5"]),
    (
        DurationFormat(type="numeric", duration="minutes"),
        ["13:02:00", "4h 30m", "1:30", "-2H", "90 sec", "1,5 h", "2 days 1 hour", "x"],
    ),
    (DurationFormat(type="numeric", duration="seconds"), ["1:30", "0:00:01.25"]),
    (DatetimeFormat(type="datetime", format="%d/%m/%y"), ["31/01/24", "1/2/70", "31/12/68", "2024-01-31", "x"]),
    (DatetimeFormat(type="datetime", format="%d/%m/%y", last_year=2030), ["31/01/24", "1/2/31"]),
    (DatetimeFormat(type="datetime", format="%d %B %Y"), ["5 MARCH 2021", "17 june 1969"]),
    (DatetimeFormat(type="datetime", format="%b %d, %Y %I:%M %p"), ["Feb 3, 2020 1:05 PM", "Dec 31, 1999 12:00 am"]),
    (DatetimeFormat(type="datetime", format="%Y.%m.%d %H:%M:%S.%f%z"), ["2020.02.29 23:59:59.125+02:30"]),
    (DatetimeFormat(type="datetime", format="%Y/%j"), ["2020/366", "1970/001"]),
    (DatetimeFormat(type="datetime", format="%H:%M"), ["23:15"]),
]


@pytest.mark.parametrize("name", ["duckdb", "postgres"])
def test_texts_in_other_notations(name: str):
    """They become the numbers that the model's own reader makes of them."""
    if name == "postgres":
        started()
    for notation, texts in NOTATIONS:
        sql = DIALECTS[name]
        query = f"SELECT {notation_cell(sql, 'a', notation)} FROM t"
        found = databases.RUNS[name](f"CREATE TABLE t (a {sql.string})", "t", [(text,) for text in texts], query, "")
        for text, (cell,) in zip(texts, found, strict=True):
            expected = notation.value(text)
            assert cell == (expected if expected is None else pytest.approx(expected, rel=1e-15, abs=1e-15)), text
