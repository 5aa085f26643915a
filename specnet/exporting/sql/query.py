"""The statement of a program: expressions of columns, in as many common table expressions as they depend on each other.

A database computes each expression as often as it is written. What is read several times becomes a column of a common
table expression, which later ones pass on as long as it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from specnet.compiler import operations
from specnet.compiler.expressions import ARITHMETIC, CALL, NAME, Form, Text, number_text
from specnet.compiler.expressions import SUM as SUM_LEVEL
from specnet.compiler.value import DIVIDE, SUM
from specnet.errors import UnsupportedError
from specnet.exporting.export_plan import GROUPED, LINEAR, LOOKUP, Constants, NetworkPlan, Operand, Stage, Step
from specnet.exporting.sql.dialects import SqlDialect, joined, nested
from specnet.parts.arrays import Array

MOST_CASES = 16
"""The largest number of rows of a table that are compared one after the other; larger ones are searched by halves."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The value of a feature for a row: an expression of columns.

    Attributes
    ----------
    text : Text
    depth : int
        The number of common table expressions that must be computed before.
    reads : frozenset of str
        The columns that it reads.
    title : str
        What it is a part of, for comments.
    """

    text: Text
    depth: int = 0
    reads: frozenset[str] = frozenset()
    title: str = ""

    @property
    def code(self) -> str:
        """The expression."""
        return self.text.code


Cells = list[Cell]


class Query:
    """The common table expressions of a program.

    Parameters
    ----------
    dialect : SqlDialect
    taken : iterable of str
        Names that are not available for columns and common table expressions.
    """

    def __init__(self, dialect: SqlDialect, taken: Sequence[str]) -> None:
        self.dialect = dialect
        self._taken = {dialect.folded(name) for name in taken}
        self._levels: list[dict[str, str]] = []
        self._titles: list[dict[str, None]] = []
        self._last: dict[str, int] = {}
        self._known: dict[str, Cell] = {}
        self._numbers = (name for number in count(1) if (name := f"v{number}") not in self._taken)

    def stored(self, cell: Cell, name: str = "") -> Cell:
        """Return a cell as a column of a common table expression, with a given name or a new one.

        A number or a column is returned unchanged, unless a name is given.
        """
        if not name and (cell.text.level == NAME or not cell.reads):
            return cell
        known = self._known.get(cell.code)
        if known is not None and not name:
            return known
        while len(self._levels) <= cell.depth:
            self._levels.append({})
            self._titles.append({})
        made = name or self.new_name()
        self._levels[cell.depth][made] = cell.code
        self._titles[cell.depth][cell.title] = None
        self._read(cell)
        found = Cell(Text(made), cell.depth + 1, frozenset([made]), cell.title)
        if not name:
            self._known[cell.code] = found
        return found

    def new_name(self) -> str:
        """Return a name that is not in use."""
        return next(self._numbers)

    def _read(self, cell: Cell) -> None:
        for name in cell.reads:
            self._last[name] = max(self._last.get(name, 0), cell.depth)

    def written(self, source: str, answers: Mapping[str, Cell]) -> str:
        """Return the statement from a source, a quoted table and its alias, to answers by their quoted names.

        Raises
        ------
        UnsupportedError
            If a query has more columns than the database supports.
        """
        depth = len(self._levels)
        for cell in answers.values():
            for name in cell.reads:
                self._last[name] = depth
        names = [name for number in range(depth) if (name := self._step(number))]
        lines, kept, most = ["WITH"], list[str](), 0
        for number, (level, titles) in enumerate(zip(self._levels, self._titles, strict=True)):
            passed = [name for name in kept if self._last.get(name, 0) > number]
            columns = [*passed, *(f"{code} AS {name}" for name, code in level.items())]
            most = max(most, len(columns))
            lines += [f"  -- {title}" for title in titles if title]
            lines += [f"  {names[number]} AS (", "    SELECT", *_listed(columns, "      ")]
            lines.append(f"    FROM {names[number - 1] if number else source}")
            lines += [f"    {self.dialect.fence}"] if self.dialect.fence else []
            lines.append("  )," if number < depth - 1 else "  )")
            kept = [*passed, *level]
        if most > self.dialect.most_columns:
            limit = f"{self.dialect.title} supports {self.dialect.most_columns}"
            raise UnsupportedError(
                f"the network has {most} numbers side by side; {limit}", hint="use the dialect duckdb"
            )
        lines += ["SELECT", *_listed([f"{cell.code} AS {name}" for name, cell in answers.items()], "  ")]
        lines.append(f"FROM {names[-1]}")
        return "\n".join(lines)

    def _step(self, number: int) -> str:
        name = f"step_{number}"
        while self.dialect.folded(name) in self._taken:
            name += "_"
        return name


def _listed(items: Sequence[str], indent: str) -> list[str]:
    """Return items with commas between them, in lines that are filled where items are short."""
    lines, width = [""], 112
    for item in items:
        if lines[-1] and len(indent) + len(lines[-1]) + len(item) + 2 > width:
            lines.append("")
        lines[-1] += f"{item}, "
    lines[-1] = lines[-1].removesuffix(", ")
    return [indent + line.rstrip() for line in lines]


class StageWriter:
    """The expressions of a stage for each feature.

    Parameters
    ----------
    query : Query
    stage : Stage
    member : int
        The index of the ensemble member.
    title : str
        What the stage is, for comments.
    is_strict : bool
        Whether operands may be missing.
    conditions : list of Cell
        List to which the condition is appended that a number is a category.
    """

    def __init__(
        self, query: Query, stage: Stage, member: int, title: str, conditions: Cells, *, is_strict: bool = False
    ) -> None:
        self.query, self.stage, self.member, self.title = query, stage, member, title
        self.dialect, self.conditions, self.is_strict = query.dialect, conditions, is_strict

    def cells(self, sources: Sequence[Cells]) -> Cells:
        """Return the result of the stage for its sources."""
        values: dict[Operand, Cells] = dict(zip(self.stage.sources, sources, strict=True))
        steps = self.stage.steps
        uses = [operand for step in steps for operand in step.operands] + [self.stage.output]
        for operand in self.stage.sources:
            if uses.count(operand) > 1:
                values[operand] = self._stored(values[operand])
        for step in steps:
            operands = [self._cells(operand, values) for operand in step.operands]
            found = self._step(step, operands)
            values[step] = self._stored(found) if uses.count(step) > 1 else found
        return self._cells(self.stage.output, values)

    def _stored(self, cells: Cells) -> Cells:
        return [self.query.stored(cell) for cell in cells]

    def _cells(self, operand: Operand, values: Mapping[Operand, Cells]) -> Cells:
        match operand:
            case float():
                return [self._number(operand)]
            case Constants():
                return [] if operand.array.ndim > 1 else [self._number(each) for each in self._array(operand).tolist()]
            case _:
                return values[operand]

    def _number(self, number: float) -> Cell:
        return Cell(self.dialect.number(number))

    def _array(self, table: Constants) -> Array:
        return table.arrays[self.member if table.has_members else 0]

    def _step(self, step: Step, operands: Sequence[Cells]) -> Cells:
        operation, at = step.operation, step.attributes
        x = operands[0]
        if operation is LINEAR:
            return self._linear(x, self._array_of(step, 1), self._array_of(step, 2) if len(step.operands) > 2 else None)
        if operation is GROUPED:
            weight = self._array_of(step, 1)
            groups = weight.shape[2]
            parts = [self._linear(x[group::groups], weight[:, :, group], None) for group in range(groups)]
            return [cell for each in zip(*parts, strict=True) for cell in each]
        if operation is LOOKUP:
            return self._lookup(x, self._array_of(step, 1))
        if operation is operations.ROWS:
            return x[at[0] : at[1]]
        if operation is operations.CONCATENATE:
            return [cell for cells in operands for cell in cells]
        if operation is operations.REPEAT:
            count, each = at
            x = self._stored(x)
            return [cell for cell in x for _ in range(count)] if each else x * count
        if operation is operations.PAD:
            low, high, size = at
            zero = self._number(0.0)
            return [zero] * low + x + [zero] * (size - high)
        if operation is operations.FOLD:
            count, each = at
            size = step.features
            return [self._sum(x[i * count : (i + 1) * count] if each else x[i::size]) for i in range(size)]
        if operation is SUM and at == "features":
            return [self._sum(x)]
        if operation is operations.MAX and at == "features":
            code = nested(self.dialect.largest, [cell.code for cell in x])
            return [self._cell(Text(code, CALL), x)]
        return self._elementwise(step, operands)

    def _array_of(self, step: Step, position: int) -> Array:
        table = step.operands[position]
        assert isinstance(table, Constants), "a product with a table"
        return self._array(table)

    def _elementwise(self, step: Step, operands: Sequence[Cells]) -> Cells:
        form = self._form(step)
        size, is_repeated = step.features, "{0}" in form.template
        columns = []
        for cells in operands:
            if is_repeated or (len(cells) == 1 and size > 1):
                cells = self._stored(cells)
            columns.append(cells * size if len(cells) == 1 else cells)
        return [self._cell(form.write([cell.text for cell in cells]), cells) for cells in zip(*columns, strict=True)]

    def _form(self, step: Step) -> Form:
        operation = step.operation
        if operation is DIVIDE and not isinstance(step.operands[1], Step):
            return ARITHMETIC[DIVIDE]
        if self.is_strict and operation in self.dialect.strict_forms:
            return self.dialect.strict_forms[operation]
        if operation not in self.dialect.forms:
            raise UnsupportedError(f"{self.dialect.title} has no function {operation.name}{self._hint()}")
        return self.dialect.forms[operation]

    def _hint(self) -> str:
        part = self.stage.part
        return f", which {part.type} needs" if part is not None else ""

    def _cell(self, text: Text, operands: Sequence[Cell]) -> Cell:
        return cell_of(text, operands, self.title)

    def _sum(self, cells: Sequence[Cell]) -> Cell:
        return self._cell(Text(joined([cell.text.within(SUM_LEVEL + 1) for cell in cells], "+"), SUM_LEVEL), cells)

    def _linear(self, x: Cells, weight: Array, bias: Array | None) -> Cells:
        """Return the sums of cells times a weight (outputs, inputs), plus a bias."""
        outputs, inputs = weight.shape
        weight = weight.astype(np.float64)
        if outputs > 1:
            x = self._stored(x)
        offsets = (
            [""] * outputs if bias is None else [self.dialect.weight(each) for each in bias.astype(float).tolist()]
        )
        if self.dialect.lists(inputs, outputs):
            whole = self.query.stored(self._cell(Text(f"[{', '.join(cell.code for cell in x)}]", CALL), x))
            # As a text, a list of numbers is read in a hundredth of the time of an expression.
            rows = [f"'[{', '.join(map(number_text, row))}]'::DOUBLE[]" for row in weight.tolist()]
            codes = [f"list_dot_product({whole.code}, {row})" for row in rows]
            sums = [" + ".join(filter(None, each)) for each in zip(codes, offsets, strict=True)]
            return [self._cell(Text(each, SUM_LEVEL), [whole]) for each in sums]
        names = [cell.text.within(SUM_LEVEL + 2) for cell in x]
        found = []
        for row, offset in zip(weight, offsets, strict=True):
            terms = [f"{self.dialect.weight(each)} * {name}" for each, name in zip(row.tolist(), names, strict=True)]
            terms += filter(None, [offset])
            found.append(self._cell(Text(joined(terms, "+"), SUM_LEVEL), x))
        return found

    def _lookup(self, x: Cells, table: Array) -> Cells:
        """Return the rows of a table (categories, features) at a number."""
        (code,) = self._stored(x)
        last, name = len(table) - 1, code.code
        condition = f"{name} >= 0 AND {name} <= {last} AND {name} = floor({name})"
        self.conditions.append(self._cell(Text(condition, 0), [code]))

        def rows(low: int, numbers: list[float]) -> str:
            if len(numbers) <= MOST_CASES:
                cases = [f"WHEN {low + index} THEN {self._number(number).code}" for index, number in enumerate(numbers)]
                return f"CASE {name} {' '.join(cases)} ELSE {self._number(0.0).code} END"
            half = len(numbers) // 2
            first, second = rows(low, numbers[:half]), rows(low + half, numbers[half:])
            return f"CASE WHEN {name} < {low + half} THEN {first} ELSE {second} END"

        return [self._cell(Text(rows(0, column), CALL), [code]) for column in table.T.astype(float).tolist()]


def cell_of(text: Text, operands: Sequence[Cell], title: str) -> Cell:
    """Return an expression of other cells."""
    depth = max((cell.depth for cell in operands), default=0)
    return Cell(text, depth, frozenset().union(*(cell.reads for cell in operands)), title)


def network_cells(query: Query, network: NetworkPlan, columns: Cells, conditions: Cells) -> Cells:
    """Return the answers of a network for raw columns."""

    def of(stage: Stage, sources: Sequence[Cells], member: int, title: str, is_strict: bool = False) -> Cells:
        if stage.is_identity:
            return list(sources[0])
        found = StageWriter(query, stage, member, title, conditions, is_strict=is_strict).cells(sources)
        return found * network.outputs if len(found) == 1 and stage is network.finish else found

    prepared = of(network.prepare, [columns], 0, f"{network.prefix}preprocessing", is_strict=True)
    answers = []
    for member, prefix in enumerate(network.members):
        results = {-1: prepared}
        for number, layer in enumerate(network.layers):
            cells = [results[source] for source in layer[0].node.inputs]
            for stage in layer:
                cells = [of(stage, cells, member, prefix + layer[0].title)]
            results[number] = cells[0]
        answers.append(of(network.finish, [results[len(network.layers) - 1]], member, f"{prefix}target_preprocessing"))
    return mean_of(query, answers, [1] * len(answers))


def mean_of(query: Query, answers: Sequence[Cells], shares: Sequence[int]) -> Cells:
    """Return the mean of several answers, weighted by their shares."""
    if len(answers) == 1:
        return answers[0]
    title, total = f"mean of {len(answers)} networks", query.dialect.number(float(sum(shares)))

    def mean(cells: Sequence[Cell]) -> Cell:
        stored = [query.stored(cell) for cell in cells]
        terms = [
            f"{query.dialect.weight(float(share))} * {cell.code}" if share != 1 else cell.text.within(SUM_LEVEL + 1)
            for cell, share in zip(stored, shares, strict=True)
        ]
        return cell_of(Text(f"({joined(terms, '+')}) / {total.code}", SUM_LEVEL + 1), stored, title)

    return [mean(cells) for cells in zip(*answers, strict=True)]
