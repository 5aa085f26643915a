"""The statement of a program: from the rows of a table to predictions, probabilities and the ends of intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from specnet.compiler.expressions import CALL, NAME, Text
from specnet.errors import UnsupportedError
from specnet.exporting.model_program import Program
from specnet.exporting.sql.dialects import SqlDialect, joined, nested
from specnet.exporting.sql.query import Cell, Query, cell_of, mean_of, network_cells
from specnet.exporting.sql.table_cells import column_cells, column_names, is_complete

ROW = "r"
"""The alias of the table."""


def statement(program: Program, dialect: SqlDialect, table: str, view: str | None, keep: Sequence[str]) -> str:
    """Return the statement that predicts the rows of a table, or defines a view with the predictions.

    Parameters
    ----------
    program : Program
    dialect : SqlDialect
    table : str
        Name of the table.
    view : str or None
        Name of the view; None for a query.
    keep : sequence of str
        Columns of the table that stand before the predictions.

    Raises
    ------
    UnsupportedError
        If the database cannot express the program.
    """
    _check_names(program, dialect, [table, *([view] if view else []), *keep])
    query = Query(dialect, [ROW, table, *keep, *column_names(program)])
    kept = {name: query.stored(Cell(Text(f"{ROW}.{dialect.name(name)}")), dialect.name(name)) for name in keep}
    columns, conditions = column_cells(program, query, ROW)
    answers = [network_cells(query, network, columns, conditions) for network in program.networks]
    outputs = mean_of(query, answers, [network.share for network in program.networks])
    valid = query.stored(is_complete(list(dict.fromkeys(conditions))))
    guarded = [_guarded(query, valid, cell) for cell in outputs]
    named = {**kept, **answer_cells(program, dialect, [cell.code for cell in guarded], guarded)}
    unique = _distinct(dialect, list(named))
    quoted = {dialect.name(name): cell for name, cell in zip(unique, named.values(), strict=True)}
    body = query.written(f"{dialect.name(table)} AS {ROW}", quoted)
    head = [f"-- {_comment(line)}" for line in _facts(program, dialect, table)]
    start = [dialect.view.format(dialect.name(view))] if view else []
    return "\n".join([*head, *start, f"{body};", ""])


def answer_names(program: Program, dialect: SqlDialect, keep: Sequence[str]) -> list[str]:
    """Return the names of the statement's columns, without those of the table."""
    nothing = [Cell(Text("NULL"))] * program.outputs
    return _distinct(dialect, [*keep, *answer_cells(program, dialect, ["NULL"] * program.outputs, nothing)])[
        len(keep) :
    ]


def _guarded(query: Query, valid: Cell, cell: Cell) -> Cell:
    """Return a cell that is missing in rows that cannot be predicted, as a column."""
    code = f"CASE WHEN {valid.code} THEN {cell.code} END"
    return query.stored(cell_of(Text(code, CALL), [valid, cell], "outputs"))


def answer_cells(program: Program, dialect: SqlDialect, outputs: list[str], cells: list[Cell]) -> dict[str, Cell]:
    """Return the columns of answers by name, as `specnet predict` writes them."""
    model = program.model
    labels: Sequence[Any] = program.labels or []
    targets = list(model.target_names)
    names = [str(name) for name in targets or range(program.outputs)]
    boundary = dialect.number(float(model.boundary)).code
    found: dict[str, str] = {}
    match program.answer:
        case "value":
            found["prediction"] = outputs[0]
        case "values":
            found |= {f"prediction_{name}": code for name, code in zip(names, outputs, strict=True)}
        case "multilabel":
            for name, code in zip(names, outputs, strict=True):
                words = model.target_words.get(name, (0, 1))
                found[f"prediction_{name}"] = _either(program, dialect, code, boundary, words)
        case "binary":
            found["prediction"] = _either(program, dialect, outputs[-1], boundary, labels)
        case _:
            cases = [
                f"WHEN {code} THEN {_literal(dialect, label)}" for code, label in zip(outputs, labels, strict=True)
            ]
            found["prediction"] = f"CASE {nested(dialect.largest, outputs)} {' '.join(cases)} END"
    if program.task != "values":
        title = "probability" if model.gives_probabilities else "margin"
        if program.task == "binary" and model.gives_probabilities:
            pair = [f"1 - {outputs[0]}", outputs[0]]
            found |= {f"{title}_{label}": code for label, code in zip(labels, pair, strict=True)}
        elif program.task == "binary":
            found[title] = outputs[0]
        else:
            every = labels if program.task == "classes" else names
            found |= {f"{title}_{name}": code for name, code in zip(every, outputs, strict=True)}
    found |= _ends(program, dialect, outputs, names)
    return {name: cell_of(Text(code, CALL), cells, "") for name, code in found.items()}


def _either(program: Program, dialect: SqlDialect, code: str, boundary: str, labels: Sequence[Any]) -> str:
    """Return the first or second label, by whether an output is above the boundary; missing if it is missing."""
    first, second = (_literal(dialect, label) for label in labels)
    return f"CASE WHEN {code} {program.above} {boundary} THEN {second} WHEN {code} IS NOT NULL THEN {first} END"


def _literal(dialect: SqlDialect, label: int | str) -> str:
    return dialect.literal(label) if isinstance(label, str) else str(label)


def _ends(program: Program, dialect: SqlDialect, outputs: list[str], names: list[str]) -> dict[str, str]:
    """Return the ends of intervals by the names of their columns."""
    interval, found = program.interval, dict[str, str]()
    if interval is None:
        return found
    for number, (value, name) in enumerate(zip(outputs, names, strict=True)):
        terms = [dialect.number(interval.reach[number, 0]).code]
        if interval.follows:
            for knot, gap, slope in zip(
                interval.knots[number], interval.gaps[number], interval.slopes[number], strict=False
            ):
                passed = f"{dialect.largest}({value} - {dialect.number(knot).within(NAME)}, {dialect.number(0.0).code})"
                terms.append(f"{dialect.weight(slope)} * {dialect.smallest}({passed}, {dialect.number(gap).code})")
        reach = f"({joined(terms, '+')})" if len(terms) > 1 else terms[0]
        for title, sign in (("lower", "-"), ("upper", "+")):
            end = f"{value} {sign} {reach}"
            if number in interval.not_negative:
                end = f"CASE WHEN {value} IS NOT NULL THEN {dialect.largest}({end}, {dialect.number(0.0).code}) END"
            found[title if program.outputs == 1 else f"{title}_{name}"] = end
    return found


def _distinct(dialect: SqlDialect, names: Iterable[str]) -> list[str]:
    """Return names that the database distinguishes: of equal ones, the later ones get numbers."""
    taken, found = set[str](), []
    for name in names:
        made, number = name, 2
        while dialect.folded(made) in taken:
            made, number = f"{name}_{number}", number + 1
        taken.add(dialect.folded(made))
        found.append(made)
    return found


def _check_names(program: Program, dialect: SqlDialect, names: Sequence[str]) -> None:
    """Refuse names and texts that the database has no literals for, and columns that it does not distinguish.

    Raises
    ------
    UnsupportedError
    """
    columns, seen = column_names(program), dict[str, str]()
    for name in columns:
        other = seen.setdefault(dialect.folded(name), name)
        if other is not name:
            message = f'{dialect.title} does not distinguish the columns "{other}" and "{name}"'
            raise UnsupportedError(message, hint="rename one of them, and train with `specnet run`")
    texts = [text for column in program.columns for text in column.codes or ()]
    labels = [label for label in program.labels or () if isinstance(label, str)]
    for text in [*columns, *names, *texts, *labels]:
        if "\0" in text:
            raise UnsupportedError(f"SQL has no texts with null characters: {text!r}")


def _facts(program: Program, dialect: SqlDialect, table: str) -> Iterable[str]:
    """Yield the lines at the beginning of the file."""
    yield f"{program.name}: {program.summary}, for {dialect.title}."
    yield program.origin
    yield f"The columns of {table}: {', '.join(column_names(program))}."
    if program.promise:
        yield program.promise


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
