"""Export to one SQL statement for DuckDB, SQLite or PostgreSQL, in double precision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from specnet.data import RawColumns
from specnet.errors import ExportError
from specnet.exporting.export_columns import texts_of
from specnet.exporting.model_program import Program
from specnet.exporting.sql.databases import RUNS
from specnet.exporting.sql.dialects import DIALECTS, EXPANSIONS
from specnet.exporting.sql.statement import answer_names, statement
from specnet.exporting.sql.table_cells import column_names
from specnet.exporting.target import ExportAnswers, Target
from specnet.model import Model
from specnet.parts.arrays import FLOAT64, Array

DIALECT, TABLE = "duckdb", "data"
"""The defaults."""


@dataclass(frozen=True)
class SqlTarget(Target):
    """A statement for one database and one table.

    Attributes
    ----------
    dialect : str
        The name of the dialect.
    table : str
        The name of the table.
    view : str or None
        The name of the view that the statement defines; None for a query.
    keep : tuple of str
        Columns of the table that stand before the predictions.
    """

    title = "SQL"
    suffix = ".sql"
    is_program = True
    gives_intervals = True
    takes_teams = True

    dialect: str = DIALECT
    table: str = TABLE
    view: str | None = None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ExportError(f'unknown dialect "{self.dialect}"; choose from {", ".join(DIALECTS)}')

    def of_table(self, **settings: Any) -> SqlTarget:
        return replace(self, **settings)

    def program(self, model: Model, dtype: np.dtype[Any]) -> Program:
        """Return the program of a model in float64, in which databases compute."""
        return Program(model if dtype == FLOAT64 else model.astype("float64"), FLOAT64, EXPANSIONS)

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        text = statement(program, DIALECTS[self.dialect], self.table, self.view, self.keep)
        return {path: text.encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        dialect, names = DIALECTS[self.dialect], column_names(program)
        texts = texts_of(program.columns, rows)
        columns = [texts[index] if index in texts else _cells(rows.X[:, index]) for index in range(program.inputs)]
        kinds = [dialect.string if index in texts else dialect.double for index in range(program.inputs)]
        known = set(map(dialect.folded, names))
        others = [name for name in self.keep if dialect.folded(name) not in known]
        typed = zip([*names, *others], [*kinds, *(dialect.string for _ in others)], strict=True)
        table = dialect.name(self.table)
        create = f"CREATE TABLE {table} ({', '.join(f'{dialect.name(name)} {kind}' for name, kind in typed)})"
        given = [(*row, *(None for _ in others)) for row in zip(*columns, strict=True)]
        query = f"SELECT * FROM {dialect.name(self.view)}" if self.view else ""
        found = RUNS[self.dialect](create, table, given, path.read_bytes().decode(), query)
        cells = list(zip(*found, strict=True))[len(self.keep) :]
        return _answers(program, dict(zip(answer_names(program, dialect, self.keep), cells, strict=True)))


TARGET = SqlTarget()


def _cells(column: Array) -> list[float | None]:
    return [None if cell != cell else cell for cell in column.tolist()]


def _answers(program: Program, columns: dict[str, tuple[Any, ...]]) -> ExportAnswers:
    """Return the answers in the columns of a statement."""
    names, model = list(columns), program.model
    count = program.outputs if program.answer in ("values", "multilabel") else 1
    first, others = names[:count], names[count:]

    def numbers(names: list[str]) -> Array:
        return np.array([[np.nan if cell is None else cell for cell in columns[name]] for name in names], np.float64).T

    if program.task == "values":
        ends = [numbers(others[start::2]) for start in (0, 1)] if program.interval else None
        return ExportAnswers(numbers(first), None, None if ends is None else np.stack(ends, axis=2))
    outputs = numbers(others)[:, -program.outputs :]
    if program.task == "multilabel":
        words = [model.target_words.get(name, (0, 1)) for name in model.target_names or [""] * count]
        found = [[pair.index(cell) for cell in columns[name]] for name, pair in zip(first, words, strict=True)]
        return ExportAnswers(outputs, np.array(found).T)
    labels = program.labels or [0]
    return ExportAnswers(outputs, np.array([labels[0] if cell is None else cell for cell in columns[first[0]]]))
