"""Parts with one fault each: the public checks find it, and say which part and where."""

import re
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import Field

from specnet.compiler import custom, exp, log, maximum, minimum, sin, sum_over, where
from specnet.exporting.targets.numpy import NumpyTarget
from specnet.parts import (
    Activation,
    Initializer,
    Layer,
    Loss,
    PositiveNumber,
    Schedule,
    SteppingOptimizer,
    absolute,
    greater,
    mean_over_outputs,
    per_feature,
)
from specnet.parts.initializers import Ones
from specnet.parts.part import Part
from specnet.testing import check_layer, check_part
from specnet.testing.numbers import arrays_of
from tests.registry import find
from tests.texts.pinned import Pinned, Refused


class Snake(Activation):
    """x + sin²(a·x)/a."""

    type: Literal["snake"] = "snake"
    frequency: PositiveNumber = Field(1.0, description="a")

    def expression(self, x):
        return x + sin(self.frequency * x) ** 2 / self.frequency


def snake(x, frequency=1.0):
    return x + np.sin(frequency * x) ** 2 / frequency


@pytest.mark.slow
def test_a_right_part_passes():
    check_part(Snake, snake, settings=[{}, {"frequency": 3}])


def part(title: str, base: type[Part], description: str | None, **members: Any) -> type[Part]:
    """Return a part as a class statement would make it, named as its title, in small letters."""
    name = re.sub(r"(?<=.)(?=[A-Z])", "_", title).lower()
    annotations = {"type": Literal[name], **members.pop("annotations", {})}
    own = {"__doc__": description, "__module__": __name__, "__annotations__": annotations, "type": name}
    return type(base)(title, (base,), own | members)


class Nameless(Activation):
    """A type that is any text."""

    type: str = "nameless"

    def expression(self, x):
        return x


class FalseRelu(Snake):
    """A name that is taken."""

    type: Literal["relu"] = "relu"


def doubled(self, context: Any) -> None:
    object.__setattr__(self, "frequency", self.frequency * 2)


def off_by_a_thousandth(self, x, own):
    return custom(self.expression(x), [x], lambda d: (d * 1.001 * (1 + sin(2 * self.frequency * x)),))


def wrong_at_2(self, x, own):
    slope = where(greater(x, 2), 1.0, where(greater(2, x), 0.0, 3.0))
    return custom(self.expression(x), [x], lambda d: (d * slope,))


def wrong_at_0(self, output, target):
    d = output - target
    slope = where(greater(d, 0), 1.0, where(greater(0, d), -1.0, 2.0))
    return mean_over_outputs(custom(absolute(d), [d], lambda seed: (seed * slope,)))


def wrong_while_training(self, scope, inputs, parameters):
    (x,), (s,) = inputs, parameters
    return custom(x + s, [x, s], lambda d: (d, sum_over(d, "batch") * (1.001 if scope.training else 1)))


class Shift(Layer):
    """x + s with a learned s."""

    type: Literal["shift"] = "shift"

    def parameters(self, input_sizes):
        return (per_feature("shift", input_sizes[0], Ones()),)

    def apply(self, scope, inputs, parameters):
        return inputs[0] + parameters[0]


def activation(title: str, expression: Any, description: str = "A fault.", **members: Any) -> type[Part]:
    return part(title, Activation, description, expression=expression, **members)


def loss(title: str, expression: Any) -> type[Part]:
    return part(title, Loss, "A fault.", target="values", output_activation="linear", expression=expression)


def initializer(title: str, draw: Any) -> type[Part]:
    return part(title, Initializer, "A fault.", draw=draw)


def optimizer(title: str, change: Any) -> type[Part]:
    members = {"annotations": {"learning_rate": PositiveNumber}, "learning_rate": Field(0.01, description="lr")}
    update = {"update": lambda self, theta, g, state, scalar: [(theta, theta + change(g) * scalar("rate"))]}
    return part(title, SteppingOptimizer, "A fault.", **members, **update)


asked: list[int] = []


def counting(self, position: int, length: int) -> float:
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
    (Activation, None),
    (part("Forgetful", Snake, "A fault.", model_post_init=doubled), snake),
    (part("NoExample", Snake, "A fault.", example="frequency: 2"), None),
    (part("WrongExample", Snake, "A fault.", example="frequency = -2"), None),
    (part("Unbounded", Snake, "A fault.", annotations={"frequency": float}, frequency=UNBOUNDED), snake),
    (Snake, lambda x: x + np.sin(x) ** 2 * 1.001),
    (Snake, lambda x: x.T),
    (part("WrongSlope", Snake, "A fault.", value=off_by_a_thousandth), snake),
    # Softplus from max and |x|: its derivative at 0 is 0 or 1, and should be ½.
    (activation("Glued", lambda self, x: maximum(x, 0) + log(1 + exp(-absolute(x)))), None),
    (activation("WrongTie", lambda self, x: maximum(x - 2, 0), value=wrong_at_2), None),
    (activation("Overflowing", lambda self, x: log(1 + exp(x))), lambda x: np.logaddexp(0, x)),
    (  # whose slope is ∞·0 at −1000
        activation("NoNumber", lambda self, x: x / (1 + exp(minimum(-x, 800)))),
        lambda x: x * (x > -700) / (1 + np.exp(-np.maximum(x, -700))),
    ),
    (activation("Shrinking", lambda self, x: sum_over(x, "features"), elementwise=False), None),
    (activation("Numeric", lambda self, x: 1.0), None),
    (
        loss("WrongLoss", lambda self, output, target: sum_over((output - target) ** 2, "features")),
        lambda output, target: ((output - target) ** 2).mean(1),
    ),
    (loss("WideLoss", lambda self, output, target: output - target), None),
    (loss("WrongLossTie", wrong_at_0), None),
    (UPHILL, None),
    (optimizer("Restless", lambda gradient: -gradient / absolute(gradient)), None),  # 0/0 at rest
    (UPHILL, lambda theta, gradients: theta - 0.01 * gradients.sum(0)),
    (part("Negative", Schedule, "A fault.", multiplier=lambda self, position, length: 1 - position / 10), None),
    (part("Counting", Schedule, "A fault.", multiplier=counting), None),
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
def test_a_fault_is_found_and_told(part: type, forward: Any, pinned: Pinned):
    with pytest.raises(AssertionError) as caught:
        check_part(part, forward)
    pinned(NUMBERS.sub("…", str(caught.value)))


def test_settings_that_the_part_refuses_are_told(refused: Refused):
    with refused(AssertionError):
        check_part(Snake, snake, settings=[{"frequency": -1}])


def test_a_layer_can_be_checked_on_inputs_of_ones_own():
    check_layer(Shift, lambda x, parameters: x + parameters["shift"], inputs=[np.eye(3)])


def test_the_arrays_of_a_call_are_seen_wherever_they_stand():
    from functools import partial

    found, out = np.ones(2), np.ones((2, 2), np.float32)
    for call in (partial(np.add, found, 1), partial(np.add, out, out, out=found), partial(found.fill, 0), found.sum):
        assert any(array.dtype == np.float64 for array in arrays_of(call))
    assert not any(array.dtype == np.float64 for array in arrays_of(partial(np.add, out, out, out)))


def test_an_export_that_answers_otherwise_is_found(monkeypatch, refused: Refused):
    run = NumpyTarget.run

    def wrong(self, program, path, X):
        answers = run(self, program, path, X)
        return replace(answers, outputs=answers.outputs + 1e-6)

    monkeypatch.setattr(NumpyTarget, "run", wrong)
    with refused(AssertionError, varying=r"by .* \(.*\)"):
        check_part(find("activation", "tanh"), np.tanh)
