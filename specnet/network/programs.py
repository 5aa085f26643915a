"""From a resolved spec to the programs of its network.

A `Blueprint` has the network's layers in order and the layout of its flat parameter vector, and writes the network's
programs in the compiler's language: predictions, losses of rows, gradients and the optimizer's step. It does not bind
them to arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import NamedTuple

from specnet.compiler import (
    BATCH,
    FLAT,
    NUMPY,
    Backend,
    Plan,
    Shape,
    ShapeError,
    Value,
    absolute,
    concatenate,
    gradients,
    input_value,
    maximum,
    minimum,
    plan,
    rows,
    state_value,
    sum_over,
)
from specnet.compiler.value import INPUT
from specnet.errors import PartError
from specnet.network.layout import Layout
from specnet.parts.blame import ask, ask_value, part_error
from specnet.parts.losses import Loss
from specnet.parts.optimizers import Commits
from specnet.parts.schedules import Schedule
from specnet.spec import Resolved
from specnet.spec.resolving.graph import Node, separating_node

INPUTS = "x"
TARGET = "target"
ROW_WEIGHT = "row_weight"
INVERSE_WEIGHT = "inverse_weight"
"""1 over the sum of the row weights in the batch; without weights, 1 over its number of rows."""
INVERSE_ROWS = "inverse_rows"
"""1 over the number of rows in the batch."""
CLIPPING = "clipping"
"""Factor on the gradient that limits its norm."""
AVERAGE_SHARE = "average_share"
"""Weight of the new parameters in their average."""
SCHEDULE = "schedule."
"""Prefix of the inputs that are factors of layers' schedules at a step."""
UNIFORM = "uniform."
NOISE = (UNIFORM, "normal.")
"""Prefixes of the inputs that are filled with random numbers before each step."""


@dataclass
class LayerRequests:
    """The number of random inputs, the schedules and the commits that layers of one program have requested so far."""

    training: bool
    drawn: int = 0
    schedules: dict[Schedule, str] = field(default_factory=dict)
    commits: Commits = field(default_factory=list)


@dataclass(frozen=True)
class LayerScope:
    """The interface of a program for one of its layers: random inputs, batch statistics and layer states."""

    requests: LayerRequests
    node: Node

    @property
    def training(self) -> bool:
        return self.requests.training

    @property
    def inverse_rows(self) -> Value:
        return input_value(INVERSE_ROWS, ())

    def uniform(self, shape: Shape) -> Value:
        return self._noise("uniform", shape)

    def normal(self, shape: Shape) -> Value:
        return self._noise("normal", shape)

    def factor(self, schedule: Schedule) -> Value:
        names = self.requests.schedules
        return input_value(names.setdefault(schedule, f"{SCHEDULE}{len(names) + 1}"), ())

    def batch_mean(self, x: Value) -> Value:
        return sum_over(x, "batch") * self.inverse_rows

    def state(self, name: str) -> Value:
        (shape,) = (tensor.shape for tensor in self.node.layer.states(self.node.input_sizes) if tensor.name == name)
        return state_value(f"state.{self.node.key}.{name}", shape)

    def commit(self, state: Value, value: Value) -> None:
        self.requests.commits.append((state, value))

    def _noise(self, distribution: str, shape: Shape) -> Value:
        self.requests.drawn += 1
        return input_value(f"{distribution}.{self.requests.drawn}", shape)


class AppliedLayer(NamedTuple):
    """A layer in a program: its inputs, its value before and after its last activation, and its parameters."""

    inputs: tuple[Value, ...]
    raw: Value
    output: Value
    blocks: tuple[Value, ...]


class Forward(NamedTuple):
    """The network applied to its input x, layer by layer.

    The new values of the layers' states, and the names of the inputs for schedules of layers, are from all layers.
    """

    x: Value
    layers: tuple[AppliedLayer, ...]
    commits: Commits
    schedules: Mapping[Schedule, str]

    @property
    def output(self) -> Value:
        """The network's activated output, (outputs, batch)."""
        return self.layers[-1].output

    @property
    def blocks(self) -> tuple[Value, ...]:
        """The blocks of parameters, in the order of the layers."""
        return tuple(block for layer in self.layers for block in layer.blocks)


class Update(NamedTuple):
    """The optimizer's program, the initial values of its states, and the names of its scalars."""

    plan: Plan
    states: dict[str, float]
    scalars: tuple[str, ...]


class Blueprint:
    """The programs of a network.

    Parameters
    ----------
    resolved : Resolved
    backend : Backend
        The backend that runs the programs.
    """

    def __init__(self, resolved: Resolved, backend: Backend = NUMPY) -> None:
        self.backend = backend
        self.spec, self.nodes = resolved.spec, resolved.nodes
        self.inputs, self.outputs = resolved.inputs, resolved.outputs
        self.layout = Layout(self.nodes)

    @property
    def target_size(self) -> int:
        """The number of values in a row's numeric target: one per output, or one per group of outputs."""
        return self.outputs // self.loss.outputs_per_target

    @property
    def loss(self) -> Loss:
        """The loss function that training minimizes."""
        return self.spec.training.loss

    def widest(self) -> int:
        """Return the largest number of features that any layer reads or writes."""
        return max([self.inputs, *(node.size for node in self.nodes)])

    def plan(self, name: str) -> Plan:
        """Return a program by its name, such as ``predict`` or ``gradient, training, weighted``.

        Raises
        ------
        PartError
            If the program does not read the columns, or its loss does not read the target, because a part ignores them.
        """
        kind, *options = name.split(", ")
        training, weighted, soft = (option in options for option in ("training", "weighted", "soft"))
        makers: dict[str, Callable[[], Plan]] = {
            "predict": self.predict,
            "raw outputs": self.raw_outputs,
            "trained outputs": lambda: self._plan([concatenate(*self.trained_outputs(self.forward(training=False)))]),
            "layer outputs": self.layer_outputs,
            "row losses": lambda: self.row_losses(evaluation="data only" in options),
            "gradient": lambda: self.gradient(training=training, weighted=weighted),
            "step": lambda: self.gradient(training=True, weighted=weighted, frozen=False, soft=soft),
            "input gradient": lambda: self.input_gradient(weighted=weighted),
            "jacobian": self.jacobian,
        }
        return self._checked(makers[kind]())

    def predict(self) -> Plan:
        """Return the program of the activated output, (outputs, batch)."""
        return self._plan([self.forward(training=False).output])

    def layer_outputs(self) -> Plan:
        """Return the program of each layer's value before and after its last activation, both (features, batch)."""
        layers = self.forward(training=False).layers
        return self._plan([value for layer in layers for value in (layer.raw, layer.output)])

    def raw_outputs(self) -> Plan:
        """Return the program of the output that the loss reads, (outputs, batch)."""
        return self._plan([self.seen_by_loss(self.forward(training=False))])

    def row_losses(self, *, evaluation: bool) -> Plan:
        """Return the program of each row's loss, (1, batch); with `evaluation`, without regularization."""
        loss = self.loss.for_evaluation() if evaluation else self.loss
        forward = self.forward(training=False)
        outputs = (self.seen_by_loss(forward),) if evaluation else self.trained_outputs(forward)
        return self._plan([self._row_losses(outputs, loss)])

    def gradient(self, *, training: bool, weighted: bool, frozen: bool = True, soft: bool = False) -> Plan:
        """Return the program that commits the gradient of each block, with the mean loss as its output.

        Without `frozen`, only trainable blocks have a gradient. With `training`, new layer states are committed too.
        With `soft`, the target is a probability of each class instead of a class index.
        """
        forward = self.forward(training=training)
        loss = self.mean_loss(self.trained_outputs(forward), forward.blocks, weighted=weighted, soft=soft)
        names = {
            parameter: f"gradient.{placed.name}"
            for parameter, placed in zip(forward.blocks, self.layout.blocks, strict=True)
            if frozen or placed.rules.trainable
        }
        found = gradients(loss, names)
        commits = [(state_value(names[parameter], parameter.shape), d) for parameter, d in found.items()]
        return self._plan([loss], [*commits, *forward.commits])

    def input_gradient(self, *, weighted: bool) -> Plan:
        """Return the program of the gradient of the mean loss with respect to the input, (inputs, batch)."""
        forward = self.forward(training=False)
        loss = self.mean_loss(self.trained_outputs(forward), forward.blocks, weighted=weighted)
        return self._plan([gradients(loss, [forward.x])[forward.x]])

    def jacobian(self) -> Plan:
        """Return the program of the gradient of a weighted sum of the outputs, (inputs, batch).

        The target is the weight of each output, (outputs, batch). The outputs are computed too, so that the program
        reads the columns even if the gradient does not depend on them.
        """
        forward = self.forward(training=False)
        total = sum_over(forward.output * input_value(TARGET, (self.outputs, BATCH)), "all")
        return self._plan([gradients(total, [forward.x])[forward.x], forward.output])

    @cached_property
    def update(self) -> Update:
        """The optimizer's program over flat vectors of trainable parameters, with the scalars of a step as inputs."""
        optimizer = self.spec.training.optimizer.stepping
        assert optimizer is not None, "the others have no program"
        theta, gradient = state_value("theta", (FLAT,)), state_value("gradient", (FLAT,))
        states: dict[str, float] = {}
        scalars: dict[str, Value] = {}
        leaves: dict[str, Value] = {}
        rates_differ = bool((self.layout.rate_factors() != 1).any())

        def state(name: str, start: float = 0.0) -> Value:
            states[name] = start
            return leaves.setdefault(name, state_value(f"optimizer.{name}", (FLAT,)))

        def scalar(name: str) -> Value:
            value = scalars.setdefault(name, input_value(name, ()))
            return value * state_value("rate_factors", (FLAT,)) if name == "rate" and rates_differ else value

        training = self.spec.training
        if training.clip_norm is not None:
            gradient = gradient * scalar(CLIPPING)
        if training.clip_value is not None:
            gradient = maximum(minimum(gradient, training.clip_value), -training.clip_value)
        shrunk = theta
        if optimizer.decay:
            shrunk = theta * (1 - state_value("decay_factors", (FLAT,)) * scalar("decay"))
        commits = ask(optimizer, optimizer.update, shrunk, gradient, state, scalar)
        commits = [(theta if target is shrunk else target, value) for target, value in commits]
        if training.average_weights is not None:
            average, new_theta = state_value("average", (FLAT,)), dict(commits)[theta]
            commits.append((average, average + (new_theta - average) * scalar(AVERAGE_SHARE)))
        return Update(self._plan([], commits), states, tuple(scalars))

    @cached_property
    def layer_schedules(self) -> Mapping[Schedule, str]:
        """The schedules of layers, with the names of the inputs for their factors in programs for training."""
        if not any(node.layer.schedules for node in self.nodes):
            return {}
        return self.forward(training=True).schedules

    @property
    def step_numbers(self) -> list[str]:
        """The names of the inputs, except the factor of clipping, whose values depend only on the step's number."""
        return [*(name for name in self.update.scalars if name != CLIPPING), *self.layer_schedules.values()]

    def state_average(self) -> Plan:
        """Return the program that moves the averages of layer states towards the current layer states."""
        share, commits = input_value(AVERAGE_SHARE, ()), []
        for placed in self.layout.states:
            state, average = (state_value(f"{of}.{placed.name}", placed.tensor.shape) for of in ("state", "average"))
            commits.append((average, average + (state - average) * share))
        return self._plan([], commits)

    def _checked(self, program: Plan) -> Plan:
        """Check that a program reads the columns, and the target if it has a loss; return the program."""
        read = {call.attributes for call in program.calls if call.operation is INPUT}
        if INVERSE_WEIGHT in read and TARGET not in read:
            raise part_error(type(self.loss), ShapeError("its value does not depend on the target"))
        if INPUTS not in read:
            raise PartError("the network's output does not depend on its columns: a part leaves out what it reads")
        return program

    def forward(self, *, training: bool, x: Value | None = None) -> Forward:
        """Return the symbolic values of each layer, in training or evaluation mode.

        `x` (inputs, "batch") are the prepared columns, by default an input of the program.
        """
        requests = LayerRequests(training)
        x = input_value(INPUTS, (self.inputs, BATCH)) if x is None else x
        applied: list[AppliedLayer] = []
        for number, node in enumerate(self.nodes):
            inputs = [x if source < 0 else applied[source].output for source in node.inputs]
            blocks = [state_value(f"theta.{placed.name}", placed.block.shape) for placed in self.layout.of_node(number)]
            layer, activation = node.split_activation()
            used = node.used(blocks)
            count = len(layer.parameters(node.input_sizes)) if layer else 0
            raw = output = inputs[0]
            if layer is not None:
                scope, shape = LayerScope(requests, node), (layer.output_size(node.input_sizes), BATCH)
                raw = output = ask_value(layer, shape, layer.apply, scope, inputs, used[:count])
            if activation is not None:
                output = ask_value(activation, (node.size, BATCH), activation.apply, raw, used[count:])
            applied.append(AppliedLayer(tuple(inputs), raw, output, tuple(blocks)))
        return Forward(x, tuple(applied), requests.commits, requests.schedules)

    def seen_by_loss(self, forward: Forward) -> Value:
        """Return the output that the loss reads: without the last activation if the loss includes it."""
        last = forward.layers[-1]
        return last.output if self.loss.accepted_activations is None else last.raw

    def trained_outputs(self, forward: Forward) -> tuple[Value, ...]:
        """Return the outputs, as the loss reads them, whose losses training minimizes.

        There are several if the last layer separates the losses of its inputs.
        """
        number = separating_node(self.nodes)
        if number is None:
            return (self.seen_by_loss(forward),)
        outputs, (node, last) = forward.layers[number].inputs, (self.nodes[-1], forward.layers[-1])
        _, activation = node.layer.split_activation()
        if activation is None or self.loss.accepted_activations is not None:
            return outputs
        return tuple(ask_value(activation, (node.size, BATCH), activation.apply, each, last.blocks) for each in outputs)

    def mean_loss(
        self, outputs: Sequence[Value], blocks: Sequence[Value], *, weighted: bool, soft: bool = False
    ) -> Value:
        """Return the mean loss of the rows plus the penalties, of shape ().

        Parameters
        ----------
        outputs : sequence of Value
            As from `trained_outputs`; their losses are averaged.
        blocks : sequence of Value
            The blocks of parameters, in the order of the layers.
        weighted, soft : bool
            As for `gradient`.
        """
        loss = self.mean_row_loss(outputs, weighted=weighted, soft=soft)
        for penalty in self.penalties(blocks):
            loss = loss + penalty
        return loss

    def mean_row_loss(self, outputs: Sequence[Value], *, weighted: bool, soft: bool = False) -> Value:
        """Return the mean loss of the rows without the penalties, of shape (); arguments are those of `mean_loss`."""
        losses = self._row_losses(outputs, self.loss, soft=soft)
        if weighted:
            losses = losses * input_value(ROW_WEIGHT, (1, BATCH))
        return sum_over(losses, "all") * input_value(INVERSE_WEIGHT, ())

    def _row_losses(self, outputs: Sequence[Value], loss: Loss, *, soft: bool = False) -> Value:
        """Return the mean over outputs of each row's loss, (1, batch)."""
        if soft:
            target, expression = input_value(TARGET, (self.outputs, BATCH)), loss.soft_expression
        elif loss.target == "classes":
            target, expression = input_value(TARGET, (1, BATCH), "index"), loss.expression
        else:
            target, expression = input_value(TARGET, (self.target_size, BATCH)), loss.expression
        losses = [ask_value(loss, (1, BATCH), expression, output, target) for output in outputs]
        return losses[0] if len(losses) == 1 else reduce(add, losses) * (1 / len(losses))

    def penalties(self, parameters: Sequence[Value]) -> Iterator[Value]:
        """Yield the penalties on the weights, each of shape ()."""
        l1, l2 = self.spec.training.l1, self.spec.training.l2
        for block, placed in zip(parameters, self.layout.blocks, strict=True):
            for tensor in placed.block.tensors if l1 or l2 else ():
                if tensor.decays:
                    weights = rows(block, *tensor.rows)
                    if l1:
                        yield sum_over(absolute(weights), "all") * l1
                    if l2:
                        yield sum_over(weights * weights, "all") * l2

    def _plan(self, outputs: list[Value], commits: Sequence[tuple[Value, Value]] = ()) -> Plan:
        return plan(outputs, commits, expansions=self.backend.expansions)
