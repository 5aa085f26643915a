"""Parts of one's own: right ones pass the public checks, train and are saved; of faults it is said which and where."""

import inspect
import re
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import Field

import specnet
from specnet import SpecnetError, parts
from specnet.exporting.targets.numpy import NumpyTarget
from specnet.testing import check_layer, check_part
from specnet.testing.numbers import computes_in_float64
from tests.exporting.at_home import javascript_at_home, node, numpy_at_home
from tests.registry import find

__all__ = ["javascript_at_home", "node", "numpy_at_home"]


class Snake(parts.Activation):
    """x + sin²(a·x)/a."""

    type: Literal["snake"] = "snake"
    frequency: parts.PositiveNumber = Field(1.0, description="a")

    def expression(self, x):
        return x + parts.sin(self.frequency * x) ** 2 / self.frequency


def snake(x, frequency=1.0):
    return x + np.sin(frequency * x) ** 2 / frequency


def prelu(x, parameters):
    return np.where(x > 0, x, parameters["negative_slope"] * x)


def glu(x):
    return x[:, : x.shape[1] // 2] / (1 + np.exp(-x[:, x.shape[1] // 2 :]))


def huber(output, target, delta=1.0):
    size = abs(output - target)
    return np.where(size < delta, size**2 / 2, delta * (size - delta / 2)).mean(1)


def crossentropy(output, target, label_smoothing=0.0):
    logs = output - output.max(1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(1, keepdims=True))
    picked = logs[np.arange(len(target)), target]
    return -(1 - label_smoothing) * picked - label_smoothing * logs.mean(1)


def sgd(theta, gradients, learning_rate=0.01, momentum=0.0, weight_decay=0.0):
    velocity = np.zeros_like(theta)
    for gradient in gradients:
        velocity = momentum * velocity + gradient
        theta = theta * (1 - learning_rate * weight_decay) - learning_rate * velocity
    return theta


PLAIN: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "activation relu": (lambda x: x * (x > 0), [{}]),
    "activation prelu": (prelu, [{}]),
    "activation glu": (glu, [{}]),
    "loss huber": (huber, [{}, {"delta": 0.2}]),
    "loss categorical_crossentropy": (crossentropy, [{}, {"label_smoothing": 0.2}]),
    "optimizer sgd": (sgd, [{}, {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.01}]),
    "schedule step_decay": (lambda n, length, factor, every: factor ** (n // every), [{"factor": 0.5, "every": 7}]),
    "initializer he_uniform": (lambda fan_in, fan_out: (0, np.sqrt(2 / fan_in)), [{}]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAIN)
def test_a_part_is_what_plain_numpy_says(name):
    forward, settings = PLAIN[name]
    check_part(find(*name.split()), forward, settings=settings)


@pytest.mark.slow
def test_parts_of_ones_own_and_layers_are_what_plain_numpy_says():
    check_part(Snake, snake, settings=[{}, {"frequency": 3}])
    check_layer(find("layer", "scale"), lambda x, parameters: x * parameters["factor"], settings=[{}])
    check_layer(find("layer", "add"), lambda a, b: a + b)
    check_layer(find("layer", "dropout"), lambda x: x)
    check_layer(Shift, lambda x, parameters: x + parameters["shift"], inputs=[np.eye(3)])


def test_a_part_takes_at_most_12_lines_with_its_imports():
    lines = [line for line in inspect.getsource(Snake).splitlines() if line.strip() and '"""' not in line]
    assert 3 + len(lines) <= 12


SPEC = {
    "network": {"dtype": "float64", "layer_sizes": [1, 6, 1], "activations": {"type": "snake", "frequency": 2}},
    "training": {"loss": "mse", "optimizer": {"type": "adam", "learning_rate": 0.02}, "epochs": 300},
}


def test_it_is_met_in_training_and_in_the_model_file(tmp_path, refused):
    X = np.linspace(-2, 2, 80)[:, None]
    y = X[:, 0] + np.sin(3 * X[:, 0])
    model = specnet.fit(specnet.parse_spec(SPEC, parts=[Snake]), X, y)
    assert model.history[-1]["loss"] < 0.2 * model.history[0]["loss"]
    weights = model.network.parameters(model.theta)
    inner = X @ weights["layers.0.weight"].T + weights["layers.0.bias"]
    expected = (inner + np.sin(2 * inner) ** 2 / 2) @ weights["layers.1.weight"].T + weights["layers.1.bias"]
    np.testing.assert_allclose(model.predict(X), expected[:, 0], rtol=1e-12)
    model.save(tmp_path / "m.safetensors")
    again = specnet.load_model(tmp_path / "m.safetensors", parts=[Snake])
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    with refused(specnet.FileError, at="m.safetensors"):
        specnet.load_model(tmp_path / "m.safetensors")


class Forgetful(parts.Loss):
    """The sum of squares of the outputs, whatever they should be."""

    type: Literal["forgetful"] = "forgetful"
    target = "values"
    output_activation = "linear"

    def expression(self, output, target):
        return parts.sum_over(output * output, "features")


class Constant(parts.Activation):
    """0, whatever it is given."""

    type: Literal["constant"] = "constant"

    def expression(self, x):
        return parts.expand(parts.constant(0.0), x.shape)


@pytest.mark.parametrize(
    "spec", [{"layers": ["linear"], "loss": "forgetful"}, {"layers": ["constant", "linear"], "loss": "mse"}]
)
def test_a_part_that_leaves_out_what_it_should_read_is_told_so(spec, refused):
    network = {"layer_sizes": [2, *(1 for _ in spec["layers"])], "activations": spec["layers"]}
    document = {"network": network, "training": {"loss": spec["loss"]}}
    parsed = specnet.parse_spec(document, parts=[Forgetful, Constant])
    with refused(SpecnetError):
        specnet.fit(parsed, np.ones((4, 2)), np.ones(4))
    built = specnet.build(document, parts=[Forgetful, Constant])
    with refused(SpecnetError):
        built.loss_and_gradient(built.initial_parameters(), np.ones((4, 2)), np.ones(4))


def part(title, base, description, **members):
    """Return a part as a class statement would make it, named as its title, in small letters."""
    name = re.sub(r"(?<=.)(?=[A-Z])", "_", title).lower()
    annotations = {"type": Literal[name], **members.pop("annotations", {})}
    own = {"__doc__": description, "__module__": __name__, "__annotations__": annotations, "type": name}
    return type(base)(title, (base,), own | members)


class Nameless(parts.Activation):
    """A type that is any text."""

    type: str = "nameless"

    def expression(self, x):
        return x


class FalseRelu(Snake):
    """A name that is taken."""

    type: Literal["relu"] = "relu"


def doubled(self, context):
    object.__setattr__(self, "frequency", self.frequency * 2)


def off_by_a_thousandth(self, x, own):
    return parts.custom(self.expression(x), [x], lambda d: (d * 1.001 * (1 + parts.sin(2 * self.frequency * x)),))


def wrong_at_2(self, x, own):
    slope = parts.where(parts.greater(x, 2), 1.0, parts.where(parts.greater(2, x), 0.0, 3.0))
    return parts.custom(self.expression(x), [x], lambda d: (d * slope,))


def wrong_at_0(self, output, target):
    d = output - target
    slope = parts.where(parts.greater(d, 0), 1.0, parts.where(parts.greater(0, d), -1.0, 2.0))
    return parts.mean_over_outputs(parts.custom(parts.absolute(d), [d], lambda seed: (seed * slope,)))


def wrong_while_training(self, scope, inputs, parameters):
    (x,), (s,) = inputs, parameters
    return parts.custom(x + s, [x, s], lambda d: (d, parts.sum_over(d, "batch") * (1.001 if scope.training else 1)))


class Shift(parts.Layer):
    """x + s with a learned s."""

    type: Literal["shift"] = "shift"

    def parameters(self, input_sizes):
        return (parts.per_feature("shift", input_sizes[0], find("initializer", "ones")()),)

    def apply(self, scope, inputs, parameters):
        return inputs[0] + parameters[0]


def activation(title, expression, description="A fault.", **members):
    return part(title, parts.Activation, description, expression=expression, **members)


def loss(title, expression):
    return part(title, parts.Loss, "A fault.", target="values", output_activation="linear", expression=expression)


def initializer(title, draw):
    return part(title, parts.Initializer, "A fault.", draw=draw)


def optimizer(title, change):
    members = {"annotations": {"learning_rate": parts.PositiveNumber}, "learning_rate": Field(0.01, description="lr")}
    update = {"update": lambda self, theta, g, state, scalar: [(theta, theta + change(g) * scalar("rate"))]}
    return part(title, parts.SteppingOptimizer, "A fault.", **members, **update)


asked: list[int] = []


def counting(self, position, length):
    asked.append(position)
    return 1 / len(asked)


UNBOUNDED = Field(1.0, description="a", json_schema_extra={"exclusiveMinimum": 0})  # a bound in the schema alone
UPHILL = optimizer("Uphill", lambda gradient: gradient)
FAULTS: list[tuple[type, Any]] = [
    (part("Silent", Snake, None), None),
    (part("Undescribed", Snake, "A fault.", annotations={"phase": float}, phase=0.0), None),
    (Nameless, None),
    (FalseRelu, None),
    (int, None),
    (parts.Activation, None),
    (part("Forgetful", Snake, "A fault.", model_post_init=doubled), snake),
    (part("NoExample", Snake, "A fault.", example="frequency: 2"), None),
    (part("WrongExample", Snake, "A fault.", example="frequency = -2"), None),
    (part("Unbounded", Snake, "A fault.", annotations={"frequency": float}, frequency=UNBOUNDED), snake),
    (Snake, lambda x: x + np.sin(x) ** 2 * 1.001),
    (Snake, lambda x: x.T),
    (part("WrongSlope", Snake, "A fault.", value=off_by_a_thousandth), snake),
    # Softplus from max and |x|: its derivative at 0 is 0 or 1, and should be ½.
    (activation("Glued", lambda self, x: parts.maximum(x, 0) + parts.log(1 + parts.exp(-parts.absolute(x)))), None),
    (activation("WrongTie", lambda self, x: parts.maximum(x - 2, 0), value=wrong_at_2), None),
    (activation("Overflowing", lambda self, x: parts.log(1 + parts.exp(x))), lambda x: np.logaddexp(0, x)),
    (  # whose slope is ∞·0 at −1000
        activation("NoNumber", lambda self, x: x / (1 + parts.exp(parts.minimum(-x, 800)))),
        lambda x: x * (x > -700) / (1 + np.exp(-np.maximum(x, -700))),
    ),
    (activation("Shrinking", lambda self, x: parts.sum_over(x, "features"), elementwise=False), None),
    (activation("Numeric", lambda self, x: 1.0), None),
    (
        loss("WrongLoss", lambda self, output, target: parts.sum_over((output - target) ** 2, "features")),
        lambda output, target: ((output - target) ** 2).mean(1),
    ),
    (loss("WideLoss", lambda self, output, target: output - target), None),
    (loss("WrongLossTie", wrong_at_0), None),
    (UPHILL, None),
    (optimizer("Restless", lambda gradient: -gradient / parts.absolute(gradient)), None),  # 0/0 at rest
    (UPHILL, lambda theta, gradients: theta - 0.01 * gradients.sum(0)),
    (part("Negative", parts.Schedule, "A fault.", multiplier=lambda self, position, length: 1 - position / 10), None),
    (part("Counting", parts.Schedule, "A fault.", multiplier=counting), None),
    (initializer("Transposed", lambda self, generator, shape, place: generator.normal(size=shape[::-1])), None),
    (initializer("Seedless", lambda self, generator, shape, place: np.random.default_rng().normal(size=shape)), None),
    (
        initializer("Normal", lambda self, generator, shape, place: generator.normal(size=shape)),
        lambda fan_in, fan_out: (0, 1.05),
    ),
    (Shift, lambda x, parameters: x),
    (part("WrongShift", Shift, "A fault.", apply=wrong_while_training), lambda x, parameters: x + parameters["shift"]),
    (part("Widening", Shift, "A fault.", output_size=lambda self, sizes: sizes[0] + 1), None),
]

NUMBERS = re.compile(r"-?\d+\.[\d.e+-]*|-?\d+e[+-]?\d+|nan| at \[[\d, ]*\]")
"""What the faults come to and where they are the largest, which may differ from one CPU to another."""


@pytest.mark.parametrize(("part", "forward"), FAULTS, ids=lambda item: getattr(item, "__name__", ""))
def test_a_fault_is_found_and_told(part, forward, pinned):
    with pytest.raises(AssertionError) as caught:
        check_part(part, forward)
    pinned(NUMBERS.sub("…", str(caught.value)))


def test_settings_that_the_part_refuses_are_told(refused):
    with refused(AssertionError):
        check_part(Snake, snake, settings=[{"frequency": -1}])


def test_the_arrays_of_a_call_are_seen_wherever_they_stand():
    from functools import partial

    found, out = np.ones(2), np.ones((2, 2), np.float32)
    for call in (partial(np.add, found, 1), partial(np.add, out, out, out=found), partial(found.fill, 0), found.sum):
        assert computes_in_float64([call])
    assert not computes_in_float64([partial(np.add, out, out, out)])


def test_an_export_that_answers_otherwise_is_found(monkeypatch, refused):
    run = NumpyTarget.run

    def wrong(self, program, path, X):
        answers = run(self, program, path, X)
        return replace(answers, outputs=answers.outputs + 1e-6)

    monkeypatch.setattr(NumpyTarget, "run", wrong)
    with refused(AssertionError, varying=r"by .* \(.*\)"):
        check_part(find("activation", "tanh"), np.tanh)
