"""Random networks, and what must hold for each: right derivatives, and the same bits wherever the values lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from specnet import compiler as c
from tests.compiler.running import Array, complex_step, fill


def guarded(x: c.Value) -> c.Value:
    """The branch that is not taken is NaN, and has a NaN derivative."""
    return c.where(c.greater(x, 0.0), x * c.sqrt(x), c.tanh(x))


def staircase(x: c.Value) -> c.Value:
    """Nested branches, each with a factor of its own outside."""
    inner = c.where(c.greater(x, 0.7), c.sin(x) * 3.0, 1 / (x - 9.0))
    return 0.5 * c.where(c.greater(x, 0.2), inner * x, c.expm1(x)) - x


def gelu(x: c.Value) -> c.Value:
    return 0.5 * x * (1 + c.erf(x * 0.5**0.5))


def batch_norm_rule(d: c.Value, normal: c.Value, one_over_n: c.Value) -> tuple[c.Value, c.Value]:
    """Derivatives by the centred and scaled values' input (but for its scale) and by the gain."""
    d_gain = c.sum_over(d * normal, "batch")
    return d - c.sum_over(d, "batch") * one_over_n - normal * (d_gain * one_over_n), d_gain


ACTIVATIONS: list[Callable[[c.Value], c.Value]] = [
    lambda x: c.maximum(x, 0.0),
    c.tanh,
    gelu,
    c.softplus,
    guarded,
    staircase,
    lambda x: c.with_local_derivative(gelu(x), x),
    lambda x: c.with_local_derivative(x * c.sigmoid(x), x),
    lambda x: c.maximum(x, 0.0) + c.expm1(c.minimum(0.0, x)),
    lambda x: c.absolute(x) ** 3 - c.cos(2 * x) / 4,
    lambda x: x - c.maximum(x, 0.0) * 0.25 + c.sin(x),
]


class Network:
    """Declares leaves while random layers are applied."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.parameters: list[c.Value] = []
        self.running: list[tuple[c.Value, c.Value]] = []
        self.one_over_n = c.input_value("1/n", ())
        self.counts = 0

    def name(self, group: str) -> str:
        self.counts += 1
        return f"{group}.{self.counts}"

    def parameter(self, *shape: int) -> c.Value:
        self.parameters.append(c.state_value(self.name("theta"), shape))
        return self.parameters[-1]

    def dense(self, x: c.Value, units: int) -> c.Value:
        if self.rng.random() < 0.2:
            return c.linear_map(self.parameter(x.shape[0], units), x)
        return c.affine(self.parameter(x.shape[0] + 1, units), x)

    def dropout(self, x: c.Value) -> c.Value:
        return x * c.input_value(self.name("mask"), x.shape)

    def batch_norm(self, x: c.Value) -> c.Value:
        gain, shift = self.parameter(x.shape[0], 1), self.parameter(x.shape[0], 1)
        mean = c.sum_over(x, "batch") * self.one_over_n
        centred = x - mean
        variance = c.sum_over(centred * centred, "batch") * self.one_over_n
        scale = 1 / c.sqrt(variance + 1e-5)
        normal = centred * scale
        for new in (mean, variance):
            old = c.state_value(self.name("running"), new.shape)
            self.running.append((old, old + (new - old) * 0.1))
        if self.rng.random() < 0.3:
            return normal * gain + shift

        def backward(d: c.Value) -> tuple[c.Value, c.Value, c.Value]:
            dx, d_gain = batch_norm_rule(d, normal, self.one_over_n)
            return dx * (gain * scale), d_gain, c.sum_over(d, "batch")

        return c.custom(normal * gain + shift, (x, gain, shift), backward)

    def layer(self, x: c.Value) -> c.Value:
        rng, width = self.rng, x.shape[0]
        activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
        kinds = "dense dense activation dropout norm residual branch gate slice pool tied columns"
        kind = rng.choice(kinds.split())
        if kind == "dense":
            return activation(self.dense(x, int(rng.integers(1, 6))))
        if kind == "residual":
            return x + activation(self.dense(x, width))
        if kind == "branch" and width < 12:
            return c.concatenate(activation(self.dense(x, 2)), x, c.tanh(x))
        if kind == "slice" and width > 1:
            return c.rows(x, 1, width)
        if kind == "gate" and width > 1:
            return c.rows(x, 0, width // 2) * c.sigmoid(c.rows(x, width - width // 2, width))
        if kind == "pool":
            return x - c.max_over(x, "features") * 0.5
        if kind == "tied":
            block = self.parameter(width + 1, width)
            return c.affine(block, c.tanh(c.affine(block, x)))
        if kind == "columns":
            each = bool(rng.random() < 0.5)
            many = activation(c.repeat(x, 3, each) * self.parameter(3 * width, 1))
            mapped = c.grouped_matmul(self.parameter(3 * width, 2), many, width, flip_a=True)
            return c.tanh(c.fold(mapped, 2, each)) + x
        return self.batch_norm(x) if kind == "norm" else self.dropout(x) if kind == "dropout" else activation(x)

    def loss(self, x: c.Value) -> c.Value:
        head = self.rng.choice(["binary", "classes", "automatic classes", "numbers"])
        z = self.dense(x, 1 if head == "binary" else 3)
        if head == "binary":
            losses = c.softplus(z) - c.input_value("t", z.shape) * z
        elif head == "numbers":
            losses = (z - c.input_value("t", z.shape)) ** 2 / 3
        else:
            hot, shifted = c.one_hot(c.input_value("label", (1, c.BATCH), "index"), 3), z - c.max_over(z, "features")
            powers = c.exp(shifted)
            total = c.sum_over(powers, "features")
            losses = c.log(total) - c.sum_over(hot * shifted, "features")
            if head == "classes":
                losses = c.custom(losses, (z,), lambda d: ((powers / total - hot) * d,))
        return c.sum_over(losses, "all") * self.one_over_n


class RandomNetwork(NamedTuple):
    loss: c.Value
    parameters: list[c.Value]
    running: list[tuple[c.Value, c.Value]]
    arrays: dict[str, Array]
    """For every leaf, by name."""
    batch: int

    def commits(self) -> list[tuple[c.Value, c.Value]]:
        """Gradients, running averages, and a step of gradient descent on half of the parameters."""
        found = c.gradients(self.loss, self.parameters)
        slots = [(c.state_value(f"d{p.attributes}", p.shape), d) for p, d in found.items()]
        return [*slots, *self.running, *((p, p - found[p] * 0.1) for p in self.parameters[::2])]


def random_network(seed: int, batch: int = 5) -> RandomNetwork:
    network = Network(seed)
    rng = network.rng
    x = c.input_value("x", (int(rng.integers(2, 6)), c.BATCH))
    if rng.random() < 0.3:
        x = c.concatenate(x, c.gather(network.parameter(4, 3), c.input_value("index", (1, c.BATCH), "index")))
    for _ in range(rng.integers(1, 7)):
        x = network.layer(x)
    loss = network.loss(x)
    arrays = draw(loss, network.running, rng, batch)
    return RandomNetwork(loss, network.parameters, network.running, arrays, batch)


def draw(
    loss: c.Value, running: list[tuple[c.Value, c.Value]], rng: np.random.Generator, batch: int
) -> dict[str, Array]:
    """Numbers for every leaf of a network."""
    calls = c.plan([loss, *(value for _, value in running)]).calls
    leaves = {call.attributes: call for call in calls if call.operation.name in ("input", "state")}
    arrays: dict[str, Array] = {}
    for name, value in sorted(leaves.items()):
        shape = tuple({c.BATCH: batch}.get(axis, axis) for axis in value.shape)
        if name == "1/n":
            arrays[name] = np.array(1 / batch)
        elif value.kind == "index":
            arrays[name] = rng.integers(0, 3, shape)
        elif name.startswith("mask"):
            arrays[name] = (rng.random(shape) < 0.7) / 0.7
        else:
            arrays[name] = rng.standard_normal(shape) * (0.5 if name.startswith("theta") else 1)
    return arrays


def bind_training(network: RandomNetwork, *, dtype: Any = np.float64, **options: Any) -> Any:
    """The network's commits and loss, bound and filled."""
    commits = network.commits()
    program = c.plan([network.loss], commits, expansions=c.NUMPY.expansions)
    states = {state.attributes: network.arrays.get(state.attributes) for state, _ in commits}
    states |= {parameter.attributes: network.arrays[parameter.attributes] for parameter in network.parameters}
    given = {name: array.astype(dtype) for name, array in states.items() if array is not None}
    bound = c.NUMPY.bind(program, dtype, {c.BATCH: network.batch}, given, **options)
    fill(bound, network.arrays)
    return bound


def gradient_error(network: RandomNetwork) -> float:
    """Largest error against the complex step, relative to the largest derivative."""
    bound = bind_training(network, check=True)
    bound.run()
    truth = complex_step(network.loss, network.parameters, network.arrays, {c.BATCH: network.batch})
    ours = [bound.states[f"d{parameter.attributes}"] for parameter in network.parameters]
    largest = max(np.abs(t).max() for t in truth)
    errors = [np.abs(o - t).max() for o, t in zip(ours, truth, strict=True)]
    return float(max(errors) / max(largest, 1e-3))  # a NaN, read from storage before any write, stays one


def storage_is_right(network: RandomNetwork) -> bool:
    """Do two runs leave the same bits as with a storage for each value?"""
    shared, separate = (bind_training(network, reuse=reuse, check=True) for reuse in (True, False))
    for _ in range(2):
        shared.run()
        separate.run()
    same = [np.array_equal(array, separate.states[name]) for name, array in shared.states.items()]
    return all(same) and np.array_equal(shared.outputs[0], separate.outputs[0])


SQUARES, FLAT_ONES = "abcd", "ef"
Program = tuple[list[c.Value], list[tuple[c.Value, c.Value]], dict[str, "np.ndarray"]]


def random_program(seed: int) -> Program:
    """Outputs, commits, and the states' numbers at the start."""
    rng = np.random.default_rng(seed)
    squares = [c.state_value(name, (3, 3)) for name in SQUARES]
    flats = [c.state_value(name, (2, 3)) for name in FLAT_ONES]
    values = list(squares)
    for _ in range(rng.integers(2, 12)):
        a, b = (values[k] for k in rng.integers(0, len(values), 2))
        choices = [
            lambda a, b: a - b,
            lambda a, b: c.tanh(a),
            lambda a, b: c.matmul(a, b),
            lambda a, b: c.maximum(a, b),
            lambda a, b: a * c.rows(b, 1, 2),
            lambda a, b: a + c.sum_over(b, "batch"),
            lambda a, b: c.affine(c.concatenate(a, c.rows(b, 0, 1)), c.tanh(b)),
            lambda a, b: c.where(c.greater(a, b), c.tanh(b), a),
            lambda a, b: c.concatenate(c.rows(c.tanh(a), 1, 3), c.tanh(c.rows(b, 0, 1))),
            lambda a, b: c.concatenate(
                c.tanh(c.rows(a, 0, 1)), c.rows(b, 1, 2) - c.rows(a, 2, 3), c.tanh(c.rows(b, 1, 2))
            ),
        ]
        values.append(choices[rng.integers(len(choices))](a, b))
    pick = [values[k] for k in rng.integers(0, len(values), 9)]
    commits = [(s, value) for s, value in zip(squares, pick, strict=False) if rng.random() < 0.8]
    commits += [(s, c.rows(value, 1, 3)) for s, value in zip(flats, pick[4:], strict=False) if rng.random() < 0.5]
    outputs = [values[-1], c.stop_gradient(pick[6]), c.rows(pick[7], 0, 2)]
    start = {s.attributes: rng.standard_normal(s.shape) for s in (*squares, *flats)}
    return outputs, commits, start


def commits_are_right(seed: int) -> bool:
    """Do states and outputs get the same bits as by hand from values that were all computed first?"""
    outputs, commits, start = random_program(seed)
    arrays = {name: array.copy() for name, array in start.items()}
    bound = c.NUMPY.bind(c.plan(outputs, commits), np.float64, {}, arrays, check=True)
    quiet = {name: array.copy() for name, array in start.items()}
    without_outputs = c.NUMPY.bind(c.plan(outputs, commits), np.float64, {}, quiet, check=True)
    pure = c.plan([*outputs, *(value for _, value in commits)])
    reference = c.NUMPY.bind(pure, np.float64, {}, start, check=True, reuse=False)
    bound.run()
    reference.run()
    without_outputs.run_commits()
    expected = start | {
        state.attributes: array for (state, _), array in zip(commits, reference.outputs[len(outputs) :], strict=True)
    }
    return all(
        np.array_equal(ours, theirs)
        for ours, theirs in [
            *((arrays[name], expected[name]) for name in expected),
            *((quiet[name], expected[name]) for name in expected),
            *zip(bound.outputs, reference.outputs, strict=False),
        ]
    )
