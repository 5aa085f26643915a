"""Checks by kind of part: activations, losses, layers, optimizers, schedules and initializers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from specnet.checking.derivatives import Floats, Function, noise_of
from specnet.checking.point import made_target
from specnet.compiler import BATCH, FLAT, input_value, state_value
from specnet.compiler.numpy import bind
from specnet.network import build
from specnet.network.programs import INVERSE_ROWS, LayerRequests, LayerScope
from specnet.parts import Activation, Fans, Initializer, Layer, Loss, Optimizer, Schedule, SteppingOptimizer, Value
from specnet.parts.arrays import Array
from specnet.parts.part import Part
from specnet.spec.resolving.graph import Node
from specnet.testing.common import unregistered
from specnet.testing.numbers import (
    FLOAT64_TOLERANCE,
    Reference,
    agree,
    called,
    check_at,
    check_line,
    computes_in_float64,
    fail,
)

FEATURES, TARGETS = 6, 3
EDGES = (0.0, 0.5, -0.5, 20.0, -20.0, 1000.0, -1000.0)
"""Inputs at which activations often lose precision, overflow or have a kink."""
SIZES_OF_OUTPUTS = (1.0, 20.0, 1000.0)
"""Sizes of outputs at which losses are compared."""
LAYER = "layer"
PARAMETERS, STEPS, DOWNHILL_STEPS = 5, 10, 200
"""Number of parameters of a `Walk`, and numbers of steps: with random gradients, and downhill."""
LENGTH = 100
"""Length of schedules in steps."""
SHAPE = (300, 200)
"""Shape of the array whose mean and standard deviation are compared for initializers."""


def check_activation(
    subject: str, activation: Activation, forward: Reference | None, settings: Mapping[str, Any]
) -> None:
    """Check an activation: its values and derivatives, also at kinks and at `EDGES`, and its dtypes."""
    generator = np.random.default_rng(0)
    try:
        size = activation.output_size(FEATURES)
    except ValueError as error:
        raise AssertionError(f"{subject}: it takes no {FEATURES} features: {error}") from None
    x = input_value("x", (FEATURES, BATCH))
    parameters = {f"block {number}": block for number, block in enumerate(activation.parameters(FEATURES))}
    blocks = {name: state_value(name, block.shape) for name, block in parameters.items()}
    value = activation.apply(x, list(blocks.values()))
    if not isinstance(value, Value) or value.shape != (size, BATCH):
        fail(subject, f"expected a value of shape {(size, BATCH)}, got {value!r}")
    learned = {name: generator.uniform(0.1, 0.9, block.shape) for name, block in parameters.items()}
    named = {tensor.name: tensor.view(learned[name]) for name, block in parameters.items() for tensor in block.tensors}

    def at(rows: Array) -> Function:
        return Function(value, {"x": rows.T, **learned}, {"x": x, **blocks})

    def expected(rows: Array) -> Array | None:
        return None if forward is None else called(forward, rows, parameters=named, **settings).T

    for rows in (1, 2, 7):
        drawn = generator.normal(0, 2, (rows, FEATURES))
        check_at(subject, at(drawn), expected(drawn), generator)
    edges = np.array([np.full(FEATURES, edge) for edge in EDGES] + [np.resize(EDGES, FEATURES)])
    values, plain = at(edges).values(), expected(edges)
    slopes = at(edges).gradients(np.ones_like(values))["x"]
    if plain is not None:
        agree(subject, f"its value at the edges {EDGES}", values, plain, FLOAT64_TOLERANCE)
    finite = np.isfinite(values if plain is None else plain).all(0)
    if np.isnan(slopes[:, finite]).any():
        edge = edges[finite][np.isnan(slopes[:, finite]).any(0)][0]
        fail(subject, f"its slope at {edge.tolist()} is not a number")
    if activation.elementwise:
        check_line(subject, "x", lambda numbers: at(np.repeat(numbers[:, None], FEATURES, axis=1)), 0, (-1, 0, 1))


def check_loss(subject: str, loss: Loss, forward: Reference | None, settings: Mapping[str, Any]) -> None:
    """Check a loss: its values and derivatives, also at kinks and for large outputs, and its dtypes."""
    generator = np.random.default_rng(0)
    classes = loss.target == "classes"
    outputs = TARGETS if classes else TARGETS * loss.outputs_per_target
    output = input_value("output", (outputs, BATCH))
    target = input_value("target", (1, BATCH), "index") if classes else input_value("target", (TARGETS, BATCH))
    value = loss.expression(output, target)
    if not isinstance(value, Value) or value.shape != (1, BATCH):
        fail(subject, f"expected a value of shape {(1, BATCH)}, one number per row, got {value!r}")

    def at(rows: Array, truth: Array) -> Function:
        return Function(value, {"output": rows.T, "target": truth}, {"output": output})

    def expected(rows: Array, truth: Array) -> Array | None:
        truth = truth[0] if classes else truth.T
        return None if forward is None else called(forward, rows, truth, parameters={}, **settings)[None, :]

    for rows in (1, 2, 7):
        drawn, truth = generator.normal(0, 1.5, (rows, outputs)), _target(loss, rows, generator)
        check_at(subject, at(drawn, truth), expected(drawn, truth), generator)
    for edge in SIZES_OF_OUTPUTS:
        for sign in (0, 1, -1):
            rows_at_edge = np.concatenate([drawn * edge * sign, np.full((1, outputs), sign * edge)])
            truth = _target(loss, len(rows_at_edge), generator)
            values, plain = at(rows_at_edge, truth).values(), expected(rows_at_edge, truth)
            slopes = at(rows_at_edge, truth).gradients(np.ones_like(values))["output"]
            if plain is not None:
                agree(subject, f"its value at outputs around {sign * edge:g}", values, plain, FLOAT64_TOLERANCE)
                values = plain
            if np.isnan(slopes[:, np.isfinite(values[0])]).any():
                fail(subject, f"its slope at outputs around {sign * edge:g} is not a number")
    for number in range(outputs):
        along = partial(_along, at, drawn[0], _target(loss, 1, generator), number)
        check_line(subject, f"output {number}", along, number, (0, float(drawn[0, number])))


def _target(loss: Loss, rows: int, generator: np.random.Generator) -> Array:
    """Return random targets in the form that the engine reads: features first."""
    target = made_target(loss, rows, TARGETS, generator)
    return target[None, :] if target.ndim == 1 else target.T


def _along(at: Callable[[Array, Array], Function], row: Array, target: Array, number: int, numbers: Floats) -> Function:
    """Return a loss of copies of a row in which one output has these numbers."""
    rows = np.repeat(row[None, :], len(numbers), axis=0)
    rows[:, number] = numbers
    return at(rows, np.repeat(target, len(numbers), axis=1))


def check_values_and_gradients(
    subject: str, layer: Layer, forward: Reference | None, settings: Mapping[str, Any], given: Sequence[ArrayLike]
) -> None:
    """Check a layer by itself on these inputs, (rows, features) each, in evaluation mode and in training mode."""
    generator = np.random.default_rng(0)
    inputs = [np.asarray(array, np.float64) for array in given]
    rows, sizes = len(inputs[0]), tuple(array.shape[1] for array in inputs)
    layer = _resolved(layer, sizes[0])
    node = Node(layer, LAYER, (), tuple(range(len(inputs))), sizes, layer.output_size(sizes))
    reads = {f"input {number}": array.T for number, array in enumerate(inputs, 1)}
    leaves = {name: input_value(name, (array.shape[0], BATCH)) for name, array in reads.items()}
    blocks: dict[str, Value] = {}
    named: dict[str, Array] = {}
    for number, block in enumerate(layer.parameters(sizes)):
        name, numbers = f"block {number}", np.arange(block.size).reshape(block.shape)
        covered = [tensor.view(numbers).reshape(-1) for tensor in block.tensors]
        if not np.array_equal(np.sort(np.concatenate(covered)), np.arange(block.size)):
            fail(subject, f"the tensors must cover their block of shape {block.shape} exactly once")
        blocks[name], reads[name] = state_value(name, block.shape), np.zeros(block.shape)
        for tensor in block.tensors:
            drawn = tensor.initializer.draw(generator, tensor.shape, tensor.fans)
            view = named[tensor.name] = tensor.view(reads[name])
            view[...] = drawn + generator.normal(0, 0.2, tensor.shape)  # a start at 0 or 1 would hide mistakes
    for state in layer.states(sizes):
        start = named[state.name] = np.broadcast_to(np.asarray(state.start, np.float64), state.user_shape).copy()
        reads[f"state.{LAYER}.{state.name}"] = start.reshape(state.shape)
    reads[INVERSE_ROWS] = np.array(1 / rows)
    # Fields that all layers have, such as a name, do not change the result.
    fields = {name: value for name, value in settings.items() if name not in Layer.model_fields}
    expected = None if forward is None else called(forward, *inputs, parameters=named, **fields).T
    for training in (False, True):
        value = layer.apply(LayerScope(LayerRequests(training), node), list(leaves.values()), list(blocks.values()))
        if not isinstance(value, Value) or value.shape != (node.size, BATCH):
            fail(subject, f"expected a value of shape {(node.size, BATCH)} from output_size, got {value!r}")
        function = Function(value, {**reads, **noise_of(value, rows, np.random.default_rng(1))}, {**leaves, **blocks})
        check_at(subject, function, None if training else expected, generator, 1e-11)


def _resolved(layer: Layer, inputs: int) -> Layer:
    """Return a layer with the defaults that a network sets."""
    if layer.input_count != "one":
        return layer
    spec = {"network": {"input_size": inputs, "layers": [Part.dump(layer)]}, "training": {"loss": "mse"}}
    return build(spec, parts=unregistered(type(layer))).nodes[0].layer


class Walk:
    """A sequence of steps by an optimizer: its update program, bound to a vector of parameters."""

    def __init__(self, optimizer: SteppingOptimizer, theta: Array) -> None:
        self.theta, self.gradient, self.optimizer = theta, np.zeros_like(theta), optimizer
        spec = {"network": {"layer_sizes": [1, 1]}, "training": {"loss": "mse", "batch_size": "full"}}
        parsed = build(spec).spec
        training = parsed.training.model_copy(update={"optimizer": optimizer})
        update = build(parsed.model_copy(update={"training": training})).blueprint.update
        arrays = {"theta": theta, "gradient": self.gradient, "decay_factors": np.ones_like(theta)}
        arrays |= {f"optimizer.{name}": np.full_like(theta, start) for name, start in update.states.items()}
        self.scalars = {name: np.zeros((), theta.dtype) for name in update.scalars}
        self.bound = bind(update.plan, theta.dtype, {FLAT: theta.size}, arrays | self.scalars)
        self.steps = 0

    def step(self, gradient: Array) -> None:
        self.steps += 1
        self.gradient[:] = gradient
        rate = self.optimizer.learning_rate
        numbers = self.optimizer.scalars(self.steps, rate) | {"decay": rate * self.optimizer.decay}
        for name, scalar in self.scalars.items():
            scalar[()] = numbers[name]
        with np.errstate(all="ignore"):
            self.bound.run()


def check_optimizer(subject: str, part: Optimizer, forward: Reference | None, settings: Mapping[str, Any]) -> None:
    """Check an optimizer that makes steps: against the plain function, on a parabola, at gradient 0, and its dtypes."""
    optimizer = part.stepping
    if optimizer is None:
        return
    generator = np.random.default_rng(0)
    if optimizer.scalars(7, 0.1) != optimizer.scalars(7, 0.1):
        fail(subject, "its scalars must depend only on the step; a resumed run would differ")
    start, drawn = generator.normal(size=PARAMETERS), generator.normal(size=(STEPS, PARAMETERS))
    walk = Walk(optimizer, start.copy())
    for gradient in drawn:
        walk.step(gradient)
    if forward:
        expected = np.asarray(forward(start.copy(), drawn.copy(), **settings), np.float64)
        agree(subject, f"theta after {STEPS} steps", walk.theta, expected, 1e-9)
    downhill, rest = (Walk(optimizer, np.ones(PARAMETERS, np.float32)) for _ in range(2))
    if computes_in_float64(rest.bound.calls):
        fail(subject, "its update in float32 computes in float64")
    for _ in range(DOWNHILL_STEPS):
        downhill.step(downhill.theta)
        rest.step(np.zeros(PARAMETERS, np.float32))
    if not (np.abs(downhill.theta) < 1).all():
        reached = f"from 1 to {float(downhill.theta[0]):g} in {DOWNHILL_STEPS} steps on a parabola"
        fail(subject, f"does not descend: {reached}")
    if not np.isfinite(rest.theta).all():
        fail(subject, f"a gradient of 0 moves the parameter to {float(rest.theta[0])}")


def check_schedule(subject: str, schedule: Schedule, forward: Reference | None, settings: Mapping[str, Any]) -> None:
    """Check that a schedule depends only on the position, and that its factors are finite and not negative."""
    positions = range(LENGTH)
    factors = np.array([schedule.multiplier(position, LENGTH) for position in positions], np.float64)
    for position in np.flatnonzero(~(np.isfinite(factors) & (factors >= 0))):
        fail(subject, f"the factor at {position} of {LENGTH} is {factors[position]}")
    again = [schedule.multiplier(position, LENGTH) for position in reversed(positions)][::-1]
    if factors.tolist() != again:
        fail(subject, "its factors must depend only on the position; a resumed run would differ")
    if not np.isfinite(schedule.multiplier(0, 1)):
        fail(subject, "the factor of a run of one step is not finite")
    if forward:
        expected = np.array([forward(position, LENGTH, **settings) for position in positions], np.float64)
        agree(subject, "the factor", factors, expected, 1e-12)


def check_initializer(
    subject: str, initializer: Initializer, forward: Reference | None, settings: Mapping[str, Any]
) -> None:
    """Check that an initializer draws finite arrays of each shape, equal for equal seeds, with the expected spread."""
    rows, columns = SHAPE
    shapes = [SHAPE, (3, 5), (5, 3), (1, 1), *([] if initializer.needs_matrix else [(4,)])]
    for shape in shapes:
        fans = Fans(shape[-1], shape[0])
        drawn, again = (initializer.draw(np.random.default_rng(0), shape, fans) for _ in range(2))
        if drawn.shape != shape or drawn.dtype != np.float64:
            fail(subject, f"draws {drawn.dtype} of shape {drawn.shape}; expected float64 of shape {shape}")
        if not np.isfinite(drawn).all():
            fail(subject, f"draws numbers that are not finite for shape {shape}")
        if not np.array_equal(drawn, again):
            fail(subject, "draws different numbers from the same seed")
        if initializer.legacy:
            initializer.draw(np.random.RandomState(0), shape, fans)
    if forward:
        mean, deviation = (float(number) for number in np.asarray(forward(columns, rows, **settings)))
        drawn = initializer.draw(np.random.default_rng(0), SHAPE, Fans(columns, rows))
        spread = 5 * max(deviation, 1e-12) / np.sqrt(drawn.size)
        agree(subject, "the mean of what it draws", np.asarray(drawn.mean()), np.array(mean), spread, 1.0)
        agree(subject, "the deviation of what it draws", np.asarray(drawn.std()), np.array(deviation), spread, 1.0)
