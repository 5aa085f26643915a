"""The training step of a network as stages, for exports that learn.

The programs are those of the engine: the gradient of the mean loss, and the optimizer's update. A row is computed
alone, and adds to the gradient; the update follows when all rows of a step have done so. So the memory does not depend
on the number of rows, and sums have the order of the rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from specnet.compiler import BATCH, FLAT, Operation, Plan, Value, gradients, operations, plan, state_value
from specnet.compiler.lowering import Call
from specnet.compiler.value import ADD, CONSTANT, EXPAND, INPUT, STATE, SUM
from specnet.errors import UnsupportedError
from specnet.exporting.export_plan import Operand, Stage, Step, sources_of, stage_of
from specnet.exporting.expression_text import TEXT_EXPANSIONS
from specnet.model import TrainedNetwork
from specnet.model.symbolic import symbolic
from specnet.network.programs import CLIPPING, LayerRequests, LayerScope
from specnet.parts.arrays import FLOAT64
from specnet.spec.resolving.graph import Node

ADD_TO = Operation("add_to")
"""Adds x to the gradient from an index on, which is the attribute."""
ADD_PRODUCTS = Operation("add_products")
"""Adds the product of each number of x with each of d to the gradient, from an index on.

The attributes are the index, and whether d itself is added behind the products, for biases.
"""


class LearningPlan:
    """The training step of a network.

    Parameters
    ----------
    trained : TrainedNetwork

    Attributes
    ----------
    initial : ndarray (parameter_count,)
        The parameters with which training begins.
    arrays : dict of str to ndarray
        Constants of the update by their names in its stage.
    states : dict of str to float
        The initial number of the optimizer's states by name; each has one number per trainable parameter.
    target : Stage
        The preprocessing of the target in float64.
    row : Stage
        From a prepared row, its target, the parameters and 1 over the number of rows to the row's share of the mean
        loss. Its steps `ADD_TO` and `ADD_PRODUCTS` add to the gradient.
    penalty : Stage or None
        From the parameters to the penalties on weights, whose gradient is added too; None if there are none.
    update : Stage
        From parameters, gradient, states and scalars to new numbers, one for each trainable parameter.
    commits : list of (str, Operand)
        The names of what the update changes, with their new numbers.
    answer : Stage
        From a prepared row and the parameters to the outputs.

    Raises
    ------
    UnsupportedError
        If a part of the network or of its training cannot be exported.
    """

    def __init__(self, trained: TrainedNetwork) -> None:
        network, blueprint = trained.network, trained.network.blueprint
        _check(trained)
        self.trained, self.initial = trained, network.initial_parameters()
        self.size, self.trainable_size = network.layout.size, network.layout.trainable_size
        self.optimizer = network.spec.training.optimizer.stepping
        self.starts = {f"theta.{placed.name}": placed.start for placed in network.layout.blocks}
        forward = blueprint.forward(training=True)
        blocks = dict(zip(forward.blocks, network.layout.blocks, strict=True))
        learning = [block for block, placed in blocks.items() if placed.rules.trainable]

        def stage(value: Value) -> Stage:
            found = gradients(value, learning)
            starts = {f"gradient.{blocks[block].name}": blocks[block].start for block in found}
            commits = [(state_value(name, d.shape), d) for name, d in zip(starts, found.values(), strict=True)]
            lowered = plan([value], commits, expansions=TEXT_EXPANSIONS)
            sums = [(number, starts[str(lowered.calls[state].attributes)]) for state, number in lowered.commits]
            return _Steps(lowered).stage(lowered.outputs[0], sums)

        self.row = stage(blueprint.mean_row_loss(blueprint.trained_outputs(forward), weighted=False))
        penalties = list(blueprint.penalties(forward.blocks))
        self.penalty = stage(sum(penalties[1:], penalties[0])) if penalties else None
        lowered = plan([blueprint.forward(training=False).output], expansions=TEXT_EXPANSIONS)
        self.answer = _Steps(lowered).stage(lowered.outputs[0])
        made = blueprint.update
        steps = _Steps(made.plan, self.trainable_size)
        values = [steps.operand(number) for _, number in made.plan.commits]
        self.update = steps.stage(made.plan.commits[-1][1])
        names = [str(made.plan.calls[state].attributes) for state, _ in made.plan.commits]
        self.commits = list(zip(names, values, strict=True))
        self.states, self.scalars = made.states, [name for name in made.scalars if name != CLIPPING]
        self.clip_norm = network.spec.training.clip_norm
        factors = {"rate_factors": network.layout.rate_factors(), "decay_factors": network.layout.decay_factors()}
        self.arrays = {
            name: array for name, array in factors.items() if name in {each.attributes for each in self.update.sources}
        }
        (y,) = sources_of([network.target_size if network.spec.training.loss.target != "classes" else 1])
        prepared, arrays = symbolic(trained.target_preprocessing, network.target_size, "target_preprocessing")
        value = prepared.apply(y) if trained.target_preprocessing.groups else y
        self.target = stage_of(value, [y], "target_preprocessing", [arrays], FLOAT64, TEXT_EXPANSIONS)

    @property
    def targets(self) -> int:
        """The number of targets of a row."""
        return self.target.sources[0].features

    @property
    def target_meaning(self) -> str:
        """A description of the targets of a row."""
        kinds = {"binary": "0 or 1 for each output", "classes": "the index of the class"}
        return kinds.get(self.trained.network.spec.training.loss.target, "the values, in their units")

    @property
    def rate(self) -> float:
        """The learning rate of the spec, without its schedule."""
        assert self.optimizer is not None, "it was checked"
        return self.optimizer.learning_rate

    @property
    def stages(self) -> list[Stage]:
        """The stages of a step, and that of an answer."""
        return [self.target, self.row, *([self.penalty] if self.penalty else []), self.update, self.answer]


class _Steps:
    """The conversion of a plan's calls to steps, whose values of a row have one number per feature.

    Parameters and the rows of blocks are flat, in the order of the engine's memory.

    Parameters
    ----------
    lowered : Plan
    flat : int
        The length of flat vectors.
    """

    def __init__(self, lowered: Plan, flat: int = 0) -> None:
        self._calls, self._flat = lowered.calls, flat
        self._sources: dict[str, Step] = {}
        self._found: dict[int, Operand] = {}
        self._steps: list[Step] = []

    def stage(self, output: int, sums: Sequence[tuple[int, int]] = ()) -> Stage:
        """Return the stage that computes an output, and adds values to the gradient.

        Parameters
        ----------
        output : int
            The number of a value.
        sums : sequence of (int, int)
            The numbers of further values, each with the index in the gradient from which on it is added.
        """
        sinks = [sink for number, start in sums for sink in self._sinks(number, start)]
        for operation, numbers, attributes in sorted(sinks, key=lambda sink: max(sink[1])):
            operands = tuple(map(self.operand, numbers))
            self._steps.append(Step(operation, operands, attributes, self._size(self._calls[numbers[0]])))
        result = self.operand(output)
        return Stage(tuple(self._sources.values()), tuple(self._steps), result)

    def operand(self, number: int) -> Operand:
        """Return the step of a value after adding it, and all that it needs."""
        waiting = [number]
        while waiting:
            missing = [each for each in self._calls[waiting[-1]].arguments if each not in self._found]
            if missing:
                waiting += missing[::-1]
            elif (each := waiting.pop()) not in self._found:
                self._found[each] = self._converted(self._calls[each])
        return self._found[number]

    def _size(self, call: Call) -> int:
        lengths = {BATCH: 1, FLAT: self._flat}
        return math.prod(lengths[axis] if isinstance(axis, str) else axis for axis in call.shape)

    def _sinks(self, number: int, start: int) -> Iterator[tuple[Operation, tuple[int, ...], Any]]:
        """Yield the operations that add a value to the gradient, with the numbers of their operands."""
        call = self._calls[number]
        operation, arguments, columns = call.operation, call.arguments, call.shape[-1] if call.shape else 1
        of_rows = [BATCH in self._calls[each].shape for each in arguments]
        if operation is operations.AFFINE_GRADIENT:
            yield ADD_PRODUCTS, arguments, (start, True)
        elif operation is operations.MATMUL and all(of_rows) and call.attributes == (False, True):
            yield ADD_PRODUCTS, arguments, (start, False)
        elif (
            operation is ADD
            and not any(of_rows)
            and {self._size(self._calls[x]) for x in arguments} == {self._size(call)}
        ):
            for each in arguments:
                yield from self._sinks(each, start)
        elif operation is operations.PAD and not any(of_rows):
            assert isinstance(columns, int), "a block has no batch"
            yield from self._sinks(arguments[0], start + call.attributes[0] * columns)
        elif operation is SUM and call.attributes == "batch" and all(of_rows):
            yield ADD_TO, arguments, start
        elif not (operation is EXPAND and self._calls[arguments[0]].attributes == 0.0):
            yield ADD_TO, (number,), start

    def _converted(self, call: Call) -> Operand:
        operation, attributes, size = call.operation, call.attributes, self._size(call)
        calls = [self._calls[each] for each in call.arguments]
        operands = tuple(self._found[each] for each in call.arguments)
        if operation in (INPUT, STATE):
            return self._sources.setdefault(attributes, Step(INPUT, (), attributes, size))
        if operation is CONSTANT:
            return float(attributes)
        of_rows = [BATCH in each.shape for each in calls]
        if operation is operations.TO_INDEX or (operation is EXPAND and size == self._size(calls[0])):
            return operands[0]
        if operation in (SUM, operations.MAX):
            is_flat = of_rows[0] or attributes == "all" or (attributes == "features" and calls[0].shape[1] == 1)
            if not is_flat:
                raise _refusal(operation)
            if self._size(calls[0]) == 1 or attributes == "batch":
                return operands[0]
            attributes = "features"
        elif operation in (operations.ROWS, operations.PAD) and not of_rows[0]:
            attributes = tuple(each * self._size(calls[0]) // calls[0].shape[0] for each in attributes)
        elif operation is operations.MATMUL:
            if attributes[1] or of_rows != [False, True]:
                raise _refusal(operation)
            attributes = attributes[0]
        elif operation.elementwise:
            if any(self._size(each) not in (1, size) for each in calls):
                raise _refusal(operation)
        elif operation not in _KNOWN:
            raise _refusal(operation)
        step = Step(operation, operands, attributes, size)
        self._steps.append(step)
        return step


_KNOWN = (
    EXPAND,
    operations.AFFINE,
    operations.CONCATENATE,
    operations.FOLD,
    operations.ONE_HOT,
    operations.PAD,
    operations.REPEAT,
    operations.ROWS,
)
"""The operations, beside elementwise and converted ones, of which exports can write the training step."""


def _refusal(operation: Operation) -> UnsupportedError:
    return UnsupportedError(f"the training step cannot be exported: its operation {operation.name} has no equivalent")


class _LearningScope(LayerScope):
    """The scope of a layer whose training does not depend on other rows, random numbers or the number of the step."""

    def _refuse(self, what: str) -> NoReturn:
        raise UnsupportedError(f"the training step cannot be exported: {self.node.layer.type} {what}")

    @property
    def inverse_rows(self) -> NoReturn:
        self._refuse("computes with all rows of a batch")

    def batch_mean(self, x: Value) -> NoReturn:
        self._refuse("computes with all rows of a batch")

    def commit(self, state: Value, value: Value) -> NoReturn:
        self._refuse("changes a state")

    def state(self, name: str) -> NoReturn:
        self._refuse("has a state that is fitted to rows")

    def factor(self, schedule: Any) -> NoReturn:
        self._refuse("has a schedule")

    def _noise(self, distribution: str, shape: Any) -> NoReturn:
        self._refuse("draws random numbers")


def _check(trained: TrainedNetwork) -> None:
    """Refuse a training whose step cannot be exported.

    Raises
    ------
    UnsupportedError
        The message lists all reasons.
    """
    network, training = trained.network, trained.network.spec.training
    stepping = training.optimizer.stepping
    reasons = [
        (trained.is_ensemble, "training.ensemble"),
        (stepping is None, f"training.optimizer {training.optimizer.type}"),
        (bool(stepping and not stepping.decay_schedule.is_constant), "training.optimizer.weight_decay_schedule"),
        (training.average_weights is not None, "training.average_weights"),
        (training.class_weight is not None, "training.class_weight"),
        (training.teacher is not None, "training.teacher"),
        (training.calibration is not None, "training.calibration"),
        (network.is_monotone, "network.monotone"),
        (network.begins_with_rows, "an initializer that is fitted to rows"),
        (any(step.reads_target for step in trained.preprocessing.steps), "preprocessing that reads the target"),
    ]
    found = [what for is_there, what in reasons if is_there]
    if found:
        raise UnsupportedError(f"the training step cannot be exported with {', '.join(found)}")
    for number, node in enumerate(network.nodes):
        _check_layer(
            node, [state_value(f"theta.{each.name}", each.block.shape) for each in network.layout.of_node(number)]
        )


def _check_layer(node: Node, blocks: Sequence[Value]) -> None:
    layer, _ = node.split_activation()
    if layer is not None:
        count = len(layer.parameters(node.input_sizes))
        layer.apply(_LearningScope(LayerRequests(training=True), node), sources_of(node.input_sizes), blocks[:count])
