"""The training step as loops over the features of a row, for C and JavaScript."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from specnet.compiler import operations
from specnet.compiler.expressions import CALL, CHOICE, Text, number_literal
from specnet.exporting.array_functions import filled
from specnet.exporting.export_plan import Operand, Stage, Step
from specnet.exporting.learning.learning_plan import ADD_PRODUCTS, ADD_TO, LearningPlan
from specnet.exporting.learning.scalar_texts import scalar_texts
from specnet.exporting.loops.c_arrays import function_statements
from specnet.exporting.loops.language import Variable
from specnet.exporting.loops.row_loops import Loops, Routine, StageLoops
from specnet.network.programs import CLIPPING, INPUTS, INVERSE_WEIGHT, TARGET
from specnet.parts.arrays import FLOAT64, Array

LEARNING_NAMES = """
theta gradient initial trained inverse target rate step loss rows affine transposed add_products has_bias start d state
squares clipping
"""
"""The names in the code of training that its templates give."""

_LOCAL_DOUBLES = 24
"""The most doubles of local arrays in a training step, whose many other variables are on the stack too."""


class _TrainingStage(StageLoops):
    """The loops of a stage that reads blocks of parameters, and adds to the gradient."""

    def _affine(self, step: Step) -> Variable:
        block, x = (self._variables[operand] for operand in step.operands)
        target = self._array(step)
        self._call("affine", x.features, step.features, "1", block, x, target)
        return target

    def _product(self, step: Step) -> Variable:
        """Add the product with a weight (inputs, outputs), which is transposed for a layer's values."""
        block, x = (self._variables[operand] for operand in step.operands)
        target = self._array(step)
        if step.attributes:
            self._call("affine", x.features, step.features, "0", block, x, target)
        else:
            self.lines.append(
                f"transposed({step.features}, {x.features}, {block.name}, {block.low}, "
                f"{self.language.argument(x)}, {target.name});"
            )
        return target

    def _call(
        self, name: str, inputs: int, outputs: int, has_bias: str, block: Variable, x: Variable, y: Variable
    ) -> None:
        sizes = f"{inputs}, {outputs}, {has_bias}"
        self.lines.append(f"{name}({sizes}, {block.name}, {block.low}, {self.language.argument(x)}, {y.name});")

    def _one_hot(self, step: Step) -> Variable:
        index, target = self._variables[step.operands[0]], self._array(step)
        one, zero = (self.language.number(number).code for number in (1.0, 0.0))
        whole = self.language.whole.format(index.at(1).code)
        self._fill(target, Text(f"{whole} == i ? {one} : {zero}", CHOICE))
        return target

    def _added_products(self, step: Step) -> Variable:
        start, has_bias = step.attributes
        x, d = (self._variables[operand] for operand in step.operands)
        arrays = f"{self.language.argument(x)}, {self.language.argument(d)}"
        self.lines.append(f"add_products({x.features}, {d.features}, {int(has_bias)}, {arrays}, gradient, {start});")
        return _gradient(start, step.features)

    def _added(self, step: Step) -> Variable:
        body: list[str] = []
        value, to = self._value(step.operands[0], step.features, body), _gradient(step.attributes, step.features)
        element = to.at(step.features).code
        self.lines += self.language.loop(step.features, [*body, f"{element} += {value.code};"])
        return to

    writers = MappingProxyType(
        {
            **StageLoops.writers,
            operations.AFFINE: _affine,
            operations.MATMUL: _product,
            operations.ONE_HOT: _one_hot,
            ADD_PRODUCTS: _added_products,
            ADD_TO: _added,
        }
    )
    whole: ClassVar = (*StageLoops.whole, operations.AFFINE, operations.MATMUL, operations.ONE_HOT, ADD_PRODUCTS)


def _gradient(start: int, size: int) -> Variable:
    return Variable("gradient", size, low=start)


class _Learning(Routine):
    """A routine that reads parameters from an array, `theta`."""

    def __init__(self, loops: Loops, learning: LearningPlan) -> None:
        super().__init__(loops)
        self.learning, self.language = learning, loops.computed

    def _prepared(self) -> Variable:
        """Add the preprocessing of a row's columns, and return its result."""
        program, network = self.loops.program, self.loops.program.networks[0]
        columns = Variable("x", program.starts[-1], is_wide=program.columns_are_wide)
        if network.prepare.is_identity:
            return columns
        return self._stage(network.prepare, [columns], self.loops.prepared)

    def _trained_stage(self, stage: Stage, given: Mapping[str, Variable]) -> Variable:
        """Add the loops of a stage whose sources are the parameters and some variables by name."""
        starts, variables = self.learning.starts, []
        for step in stage.sources:
            name = step.attributes
            variables.append(given.get(name) or Variable("theta", step.features, low=starts.get(name, 0)))
        self._shared = frozenset(each.name for each in variables)
        written = _TrainingStage(stage, variables, self.language, self)
        self.lines += written.lines
        return written.result


class TrainingRoutine(_Learning):
    """The statements of a training step.

    Parameters
    ----------
    loops : Loops
    learning : LearningPlan
    power : str
        The template of a power of two numbers.
    single : str
        The conversion of a number in float64 to one of the network.

    Attributes
    ----------
    lines : list of str
        The statements for each row.
    after : list of str
        Those after all rows, with the penalties and the update.
    states : dict of str to float
        The names of the arrays with the optimizer's states, and their initial number.
    tables : dict of str to ndarray
        Constants of the update by name.
    """

    def __init__(self, loops: Loops, learning: LearningPlan, power: str, single: str) -> None:
        super().__init__(loops, learning)
        prepared = self._prepared()
        target = Variable("target", learning.targets, is_wide=loops.program.answers_are_wide)
        self._shared = {prepared.name}
        if not learning.target.is_identity:
            target = self._stage(learning.target, [target], loops.prepared)
        inverse = Variable("inverse", 1, is_array=False)
        result = self._trained_stage(learning.row, {INPUTS: prepared, TARGET: target, INVERSE_WEIGHT: inverse})
        self.lines.append(f"loss += {loops.prepared.read(result.at(1)).code};")
        rows, self.lines = self.lines, []
        if learning.penalty is not None:
            penalty = self._trained_stage(learning.penalty, {})
            self.lines.append(f"loss += {loops.prepared.read(penalty.at(1)).code};")
        names = {name: loops.names.new(name) for name in (*learning.states, *learning.arrays)}
        self.states = {names[name]: start for name, start in learning.states.items()}
        self.tables = {names[name]: array for name, array in learning.arrays.items()}
        self._clip(single)
        self._update(names, power, single)
        self.after, self.lines = self.lines, rows

    def _clip(self, single: str) -> None:
        """Add the factor that limits the Euclidean norm of the gradient."""
        longest, learning, wide = self.learning.clip_norm, self.learning, self.loops.prepared
        if longest is None:
            return
        self.lines.append(wide.variable.format("squares", wide.number(0.0).code))
        element = wide.read(Text("gradient[i]")).code
        self.lines += wide.loop(learning.trainable_size, [f"squares += {element} * {element};"])
        root, number = wide.forms[operations.SQRT].write([Text("squares")]).code, wide.number(longest).code
        one = self.language.number(1.0).code
        factor = single.format(f"({number} / {root})")
        self.lines.append(self.language.constant.format("clipping", f"{root} > {number} ? {factor} : {one}"))

    def _update(self, names: Mapping[str, str], power: str, single: str) -> None:
        """Add the loop of the optimizer's update: all new numbers of a parameter are computed before one is stored."""
        learning, language, loops = self.learning, self.language, self.loops
        assert learning.optimizer is not None, "it was checked"
        scalars = {CLIPPING: "clipping"}
        texts = scalar_texts(learning.optimizer, "step", "rate", loops.prepared, power) if learning.scalars else {}
        for name in learning.scalars:
            scalars[name] = loops.names.new(f"step_{name}")
            code = texts[name].within(CALL) if single != "{}" else texts[name].code
            self.lines.append(language.constant.format(scalars[name], single.format(code)))
        size, stage, body = learning.trainable_size, learning.update, list[str]()
        known: dict[Operand, Text] = {}

        def array(name: str) -> str:
            return names.get(name.removeprefix("optimizer."), name)

        for step in stage.sources:
            is_scalar = step.attributes in scalars
            known[step] = Text(scalars[step.attributes]) if is_scalar else Text(f"{array(step.attributes)}[i]")
        uses, stored = stage.uses(), []
        for name, value in learning.commits:
            if isinstance(value, Step) and value not in known:
                chain = _behind(stage, value, known)
                made = language.expression(
                    chain, uses, lambda x: language.number(x) if isinstance(x, float) else known[x], body, loops.names
                )
                known[value] = Text(loops.names.new("new"))
                body.append(language.constant.format(known[value].code, made.code))
            number = language.number(value) if isinstance(value, float) else known[value]
            stored.append(f"{array(name)}[i] = {number.code};")
        self.lines += language.loop(size, [*body, *stored])


class LearnedRoutine(_Learning):
    """The statements from a row to its answer by the parameters of a network that learns."""

    def __init__(self, loops: Loops, learning: LearningPlan) -> None:
        super().__init__(loops, learning)
        finish, answer = loops.program.networks[0].finish, self.answer
        result = self._trained_stage(learning.answer, {INPUTS: self._prepared()})
        self._shared = frozenset()
        if not finish.is_identity:
            result = self._stage(finish, [result], loops.prepared)
        self.lines += self.language.fill(answer, result.at(answer.features))


def _behind(stage: Stage, value: Step, known: Mapping[Operand, Text]) -> list[Step]:
    """Return, in order, the steps that a value needs and that are not known, and the value last."""
    needed, waiting = set[Step](), [value]
    while waiting:
        step = waiting.pop()
        needed.add(step)
        waiting += [x for x in step.operands if isinstance(x, Step) and x not in known]
    return [step for step in stage.steps if step in needed]


def learning_in_c(loops: Loops, learning: LearningPlan) -> dict[str, Any]:
    """Return the variables of the template for training in C."""
    is_single = loops.program.dtype != FLOAT64
    training = TrainingRoutine(loops, learning, "pow({}, {})", "(real){}" if is_single else "{}")
    learned = LearnedRoutine(loops, learning)
    (declared, used), (answer, used_by_answer) = (_declared(each, loops.program.dtype) for each in (training, learned))
    tables = {"initial": learning.initial, "trained": learning.trained.theta, **training.tables}
    starts = [learning.size + learning.trainable_size * number for number in range(len(training.states) + 2)]
    return {
        "plan": learning,
        "tables": [_table(name, array.astype(loops.program.dtype)) for name, array in tables.items()],
        "states": [
            (name, start, number) for start, (name, number) in zip(starts[1:], training.states.items(), strict=False)
        ],
        "size": starts[-1] + 1,
        "bytes": sum(array.size for array in tables.values()) * loops.program.dtype.itemsize,
        "declared": declared,
        "row": training.lines,
        "after": training.after,
        "answer": [*answer, *learned.lines],
        "lines": [*training.lines, *training.after, *learned.lines],
        "workspace": max(used, used_by_answer),
    }


def _table(name: str, array: Array) -> str:
    """Return the definition of a table in C."""
    numbers = filled(list(map(number_literal, array)), "    ")
    return "\n".join([f"static const real {name}[{len(array)}] = {{", *numbers, "};"])


def _declared(routine: Routine, dtype: Any) -> tuple[list[str], int]:
    """Return the declarations of a function's arrays, and the doubles of the workspace that they take."""
    lines, used = function_statements(routine, dtype, local_doubles=_LOCAL_DOUBLES)
    return lines[: len(lines) - len(routine.lines)], used
