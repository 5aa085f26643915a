"""One formula as loops over a row: a chain of elementwise steps is one expression in one loop.

`LoopPlan` says which steps share a loop, and `FormulaLoops` writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from specnet.compiler import Operation, operations
from specnet.compiler.expressions import CHOICE, NAME, Text
from specnet.compiler.value import EXPAND, SUM
from specnet.errors import UnsupportedError
from specnet.exporting.formula import GROUPED, LINEAR, LOOKUP, Constants, Formula, FreeNames, Operand, Source, Step
from specnet.exporting.languages.language import Language, Scratch, Variable

_WHOLE = (LINEAR, GROUPED, operations.ROWS, operations.REPEAT)
"""Operations that read arrays, and not numbers one by one."""
_OWN_LENGTH = (SUM, operations.MAX, LOOKUP, operations.CONCATENATE)
"""Operations that read numbers in loops as long as what they read."""


class LoopPlan:
    """The steps of a formula whose results have a place of their own, each with the loop that fills it.

    A loop computes all that only it needs. What other loops read too, what has another length, and what a product
    reads is kept.

    Parameters
    ----------
    formula : Formula

    Attributes
    ----------
    kept : dict of Step to bool
        The steps with a place, in order, and whether that must be an array.
    """

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        found = _kept(formula)
        self.kept = {step: found[step] for step in formula.steps if step in found}
        self._reads = {step: self._behind(step.operands) for step in self.kept}
        self._last = {operand: step for step, operands in self._reads.items() for operand in operands}
        self._order = {step: number for number, step in enumerate(self.kept)}

    def reads(self, step: Step) -> list[Operand]:
        """Return the sources and kept steps that the loop of a kept step reads."""
        return [operand for operand in self._reads[step] if self._has_place(operand)]

    def read_after(self, step: Step) -> list[Operand]:
        """Return the sources and kept steps that are still read when a kept step has its result."""
        number = self._order[step]
        return [x for x, last in self._last.items() if self._has_place(x) and self._order[last] > number]

    def chain(self, step: Step) -> list[Step]:
        """Return the steps that a loop computes, in order, for one of them or for what it keeps."""
        behind = self._behind(step.operands)
        return [other for other in self.formula.steps if other in behind and other not in self.kept] + [step]

    def _has_place(self, operand: Operand) -> bool:
        return isinstance(operand, Source) or operand in self.kept

    def _behind(self, operands: Iterable[Operand]) -> dict[Operand, None]:
        """Return what operands are made of, themselves included, down to what has a place."""
        found: dict[Operand, None] = {}
        waiting = list(reversed(list(operands)))
        while waiting:
            operand = waiting.pop()
            if isinstance(operand, (Step, Source)) and operand not in found:
                found[operand] = None
                if isinstance(operand, Step) and operand not in self.kept:
                    waiting += reversed(operand.operands)
        return found


def _kept(formula: Formula) -> dict[Step, bool]:
    kept: dict[Step, bool] = {}
    loops: dict[Step, set[tuple[Step, int, int]]] = {step: set() for step in formula.steps}  # a length each
    arrays = {operand for step in formula.steps if step.operation in _WHOLE for operand in step.operands}
    arrays.add(formula.output)
    for step in reversed(formula.steps):
        inside = step.operation.elementwise or step.operation is EXPAND
        lengths = {length for _, _, length in loops[step]}
        if not inside or step in arrays or len(loops[step]) > 1 or lengths - {step.features}:
            kept[step] = step in arrays
        for position, operand in enumerate(step.operands):
            if isinstance(operand, Step):
                if step not in kept:
                    loops[operand] |= loops[step]
                else:
                    part = position if step.operation is operations.CONCATENATE else 0
                    loops[operand].add(
                        (step, part, operand.features if step.operation in _OWN_LENGTH else step.features)
                    )
    return kept


class FormulaLoops:
    """Writes the statements of one formula.

    Parameters
    ----------
    formula : Formula
    sources : sequence of Variable
        Where what it reads lies.
    tables : mapping
        How each table is written where it is read.
    language : Language
    scratch : Scratch
    names : FreeNames

    Attributes
    ----------
    lines : list of str
        The statements.
    result : Variable
        Where the formula's result lies: in an array.
    """

    def __init__(
        self,
        formula: Formula,
        sources: Sequence[Variable],
        tables: Mapping[Constants, str],
        language: Language,
        scratch: Scratch,
        names: FreeNames,
    ) -> None:
        self.formula, self.tables, self.language = formula, tables, language
        self.scratch, self.names = scratch, names
        self.lines: list[str] = []
        self._plan = LoopPlan(formula)
        self._narrow = _narrow(formula)
        if scratch.answer.is_wide and scratch.can_be_answer(formula.output):
            self._narrow.discard(formula.output)
        self._places: dict[Operand, Variable] = {source: sources[source.number] for source in formula.sources}
        for step in self._plan.kept:
            self._places[step] = _WRITERS.get(step.operation, FormulaLoops._elementwise)(self, step)
        if formula.output not in self._places:
            raise UnsupportedError(f"{language.name} does not support a layer whose output is the same for all rows")
        self.result = self._places[formula.output]

    def _linear(self, step: Step) -> Variable:
        x, weight, *bias = step.operands
        source, target = self._places[x], self._array(step)
        self.lines += self.language.dense(source, target, self._table(weight), self._table(bias[0]) if bias else None)
        return target

    def _grouped(self, step: Step) -> Variable:
        x, weight = step.operands
        assert isinstance(weight, Constants)
        source, target = self._places[x], self._array(step)
        outputs, inputs, groups = weight.array.shape
        arguments = f"{self._table(weight)}, {self.language.argument(source)}, {target.name}"
        self.lines.append(f"grouped({groups}, {inputs}, {outputs}, {arguments});")
        return target

    def _lookup(self, step: Step) -> Variable:
        number, table = step.operands
        assert isinstance(table, Constants)
        target, language = self._array(step), self.language
        body: list[str] = []
        category = self.names.new("category")
        code = self._value(number, 1, body).code
        self.lines += [*body, language.constant.format(category, code)]
        categories, features = table.array.shape
        place = language.whole.format(category) + (f" * {features} + i" if features > 1 else "")
        found = {"table": self._table(table), "place": place, "category": category, "categories": categories}
        self._fill(target, Text(language.lookup.format(**found), CHOICE))
        return target

    def _repeated(self, step: Step) -> Variable:
        count, each = step.attributes
        source, target = self._places[step.operands[0]], self._array(step)
        element = self.language.repeated(source, count, each)
        self._fill(target, element if source.is_wide else self.language.read(element))
        return target

    def _rows(self, step: Step) -> Variable:
        source = self._places[step.operands[0]]
        return replace(source, features=step.features, low=source.low + step.attributes[0])

    def _concatenated(self, step: Step) -> Variable:
        target, low = self._array(step), 0
        for operand in step.operands:
            assert isinstance(operand, (Step, Source))
            body: list[str] = []
            value = self._value(operand, operand.features, body)
            self._fill(replace(target, features=operand.features, low=low), value, body)
            low += operand.features
        return target

    def _total(self, step: Step) -> Variable:
        name = self.names.new("total")
        start = self.language.number(0.0).code
        return self._reduced(step, name, start, lambda value, body: f"{name} += {value.code};")

    def _largest(self, step: Step) -> Variable:
        name = self.names.new("largest")

        def change(value: Text, body: list[str]) -> str:
            item = value.code
            if value.level < NAME:  # it is written twice
                item = self.names.new("t")
                body.append(self.language.constant.format(item, value.code))
            return f"{name} = {name} < {item} ? {item} : {name};"

        return self._reduced(step, name, self.language.smallest, change)

    def _reduced(self, step: Step, name: str, start: str, change: Callable[[Text, list[str]], str]) -> Variable:
        """Write the loop that changes a number with each of those that are read."""
        (operand,) = step.operands
        if step.attributes != "features" or not isinstance(operand, (Step, Source)):
            raise self._refusal(step)
        body: list[str] = []
        changed = change(self._value(operand, operand.features, body), body)
        self.lines += [
            self.language.variable.format(name, start),
            *self.language.loop(operand.features, [*body, changed]),
        ]
        return Variable(name, 1, is_array=False)

    def _elementwise(self, step: Step) -> Variable:
        if not (step.operation.elementwise or step.operation is EXPAND):
            raise self._refusal(step)
        body: list[str] = []
        value = self._value(step, step.features, body)
        if step.features == 1 and not self._plan.kept[step]:
            name = self.names.new("t")
            self.lines += [*body, self.language.constant.format(name, value.code)]
            return Variable(name, 1, is_array=False)
        target = self._array(step, in_turn=True)
        self._fill(target, value, body)
        return target

    def _array(self, step: Step, in_turn: bool = False) -> Variable:
        """Return an array for a step's result.

        Parameters
        ----------
        step : Step
        in_turn : bool
            Whether the loop reads number `i` of arrays, and later ones, before it writes number `i` of the result.
        """
        read = [self._places[operand] for operand in self._plan.reads(step)]
        # In a loop the only number of an array is read in each round.
        fixed = {place.name for place in read if not in_turn or (place.features == 1 and step.features > 1)}
        later = {self._places[x].name for x in self._plan.read_after(step) if x in self._places}
        over = [place.name for place in read if place.name not in fixed]
        is_wide = bool(self.language.storing) and step not in self._narrow
        return self.scratch.place(step, step.features, over, fixed | later, is_wide=is_wide)

    def _table(self, operand: Operand) -> str:
        assert isinstance(operand, Constants)
        return self.tables[operand]

    def _fill(self, target: Variable, value: Text, before: Sequence[str] = ()) -> None:
        self.lines += self.language.fill(target, value, before)

    def _value(self, operand: Operand, count: int, body: list[str]) -> Text:
        """Return the text of an operand inside a loop of so many, after lines for the variables that it needs."""

        def leaf(operand: Operand) -> Text:
            if isinstance(operand, float):
                return self.language.number(operand)
            if isinstance(operand, Constants):
                return Variable(self.tables[operand], operand.array.size).at(count)
            place = self._places[operand]
            narrow = place.is_array and not place.is_wide
            return self.language.read(place.at(count)) if narrow else place.at(count)

        if not isinstance(operand, Step) or operand in self._places:
            return leaf(operand)
        return self.language.expression(self._plan.chain(operand), self.formula.uses(), leaf, body, self.names)

    def _refusal(self, step: Step) -> UnsupportedError:
        return UnsupportedError(f"{self.language.name} has no equivalent of the operation {step.operation.name}")


def _narrow(formula: Formula) -> set[Operand]:
    """Return the steps whose arrays cannot be wide: the output, and what products read and make."""
    found: set[Operand] = {formula.output}
    for step in reversed(formula.steps):
        if step.operation in (LINEAR, GROUPED):
            found |= {step, step.operands[0]}
        elif step.operation is operations.ROWS and step in found:
            found.add(step.operands[0])  # which it is a part of
    return found


_WRITERS: Mapping[Operation, Callable[[FormulaLoops, Step], Variable]] = {
    LINEAR: FormulaLoops._linear,
    GROUPED: FormulaLoops._grouped,
    LOOKUP: FormulaLoops._lookup,
    operations.REPEAT: FormulaLoops._repeated,
    operations.ROWS: FormulaLoops._rows,
    operations.CONCATENATE: FormulaLoops._concatenated,
    SUM: FormulaLoops._total,
    operations.MAX: FormulaLoops._largest,
}
"""How operations are written that are not elementwise."""
