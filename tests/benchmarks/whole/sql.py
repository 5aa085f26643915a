"""Rows per second of exported SQL in each database, beside ONNX Runtime and beside moving the rows to it and back.

Run with ``python -m tests.benchmarks.whole.sql``.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

import specnet
from specnet import Model, export
from specnet.exporting.sql.databases import _server
from specnet.exporting.target import CannotRunError
from tests.importing.answers import session_of

NETWORKS = {
    "2-5-1": ([2, 5, 1], 200_000),
    "8-32-32-1": ([8, 32, 32, 1], 20_000),
    "16-128-128-1": ([16, 128, 128, 1], 1000),
}
"""Sizes of layers, and the number of rows."""


def main() -> None:
    """Print the figures."""
    for name, (sizes, rows) in NETWORKS.items():
        spec = {"network": {"layer_sizes": sizes, "dtype": "float64"}, "training": {"loss": "mean_squared_error"}}
        network = specnet.build(spec)
        model = Model(network, network.initial_parameters())
        X = np.random.default_rng(0).normal(size=(rows, sizes[0]))
        for what, speed in speeds(model, X).items():
            print(f"{name:14} {what:38} {speed}")


def speeds(model: Model, X: np.ndarray) -> dict[str, str]:
    """Return the rows per second of each way to predict rows, planning included."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        export(model, "onnx", Path(folder) / "m.onnx")
        session = session_of(Path(folder) / "m.onnx")
        found["ONNX Runtime, rows in memory"] = _speed(lambda: session.run(None, {"X": X}), len(X))
        for dialect, opened in {"duckdb": _duckdb, "sqlite": _sqlite, "postgres": _postgres}.items():
            export(model, "sql", Path(folder) / "m.sql", dialect=dialect)
            statement = (Path(folder) / "m.sql").read_text(encoding="utf-8")
            try:
                run, fetch, store = opened(X)
            except CannotRunError as error:
                found[dialect] = str(error)
                continue
            found[f"{dialect}, SQL"] = _speed(lambda run=run, statement=statement: run(statement), len(X))

            def moved(fetch: Any = fetch, store: Any = store) -> None:
                store(session.run(None, {"X": np.asarray(fetch(), np.float64)})[0])

            found[f"{dialect}, moved to ONNX Runtime and back"] = _speed(moved, len(X))
    return found


def _speed(run: Callable[[], Any], rows: int) -> str:
    begin = time.perf_counter()
    run()
    return f"{rows / (time.perf_counter() - begin):12,.0f} rows/s"


def _columns(X: np.ndarray) -> list[str]:
    return [f"x{number}" for number in range(1, X.shape[1] + 1)]


def _duckdb(X: np.ndarray) -> tuple[Callable[..., Any], ...]:
    connection = duckdb.connect(config={"threads": 1})
    given = dict(zip(_columns(X), X.T, strict=True))  # read by name in the next line
    assert given
    connection.execute("CREATE TABLE data AS SELECT * FROM given")

    def store(answers: np.ndarray) -> None:
        found = {"y": answers[:, 0].copy()}
        assert found
        connection.execute("CREATE OR REPLACE TABLE answers AS SELECT * FROM found")

    def run(statement: str) -> None:
        connection.execute(f"CREATE OR REPLACE TABLE answers AS {statement}")

    return run, lambda: np.stack([*connection.execute("SELECT * FROM data").fetchnumpy().values()], axis=1), store


def _sqlite(X: np.ndarray) -> tuple[Callable[..., Any], ...]:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE data ({', '.join(f'{name} REAL' for name in _columns(X))})")
    connection.executemany(f"INSERT INTO data VALUES ({', '.join('?' * X.shape[1])})", X.tolist())
    connection.execute("CREATE TABLE answers (y REAL)")

    def store(answers: np.ndarray) -> None:
        connection.executemany("INSERT INTO answers VALUES (?)", answers.tolist())

    def run(statement: str) -> None:
        connection.execute(f"CREATE TABLE predictions AS {statement}")

    return run, lambda: connection.execute("SELECT * FROM data").fetchall(), store


def _postgres(X: np.ndarray) -> tuple[Callable[..., Any], ...]:
    psycopg, address = _server()
    cursor = psycopg.connect(address).cursor()  # nothing is committed
    cursor.execute(f"CREATE TABLE data ({', '.join(f'{name} float8' for name in _columns(X))})")
    with cursor.copy("COPY data FROM STDIN") as copy:
        for row in X.tolist():
            copy.write_row(row)
    cursor.execute("CREATE TABLE answers (y float8)")

    def store(answers: np.ndarray) -> None:
        with cursor.copy("COPY answers FROM STDIN") as copy:
            for row in answers.tolist():
                copy.write_row(row)

    def run(statement: str) -> None:
        cursor.execute(f"CREATE TABLE predictions AS {statement}")

    return run, lambda: cursor.execute("SELECT * FROM data").fetchall(), store


if __name__ == "__main__":
    main()
