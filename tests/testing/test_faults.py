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
from specnet.parts.registry import built_in_registry
from specnet.testing import check_layer, check_part
from specnet.testing.numbers import arrays_of
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


class Silent(Snake):
    type: Literal["silent"] = "silent"


class Undescribed(Snake):
    """A field without a description."""

    type: Literal["undescribed"] = "undescribed"
    phase: float = 0.0


class Nameless(Activation):
    """A type that is any text."""

    type: str = "nameless"

    def expression(self, x):
        return x


class FalseRelu(Snake):
    """A name that is taken."""

    type: Literal["relu"] = "relu"


class Forgetful(Snake):
    """A field that is not what was written."""

    type: Literal["forgetful"] = "forgetful"

    def model_post_init(self, context: Any) -> None:
        object.__setattr__(self, "frequency", self.frequency * 2)


class Unbounded(Snake):
    """A bound that the schema does not know."""

    type: Literal["unbounded"] = "unbounded"
    frequency: float = Field(1.0, description="a", json_schema_extra={"exclusiveMinimum": 0})


class NoExample(Snake):
    """An example that is no TOML."""

    type: Literal["no_example"] = "no_example"
    example = "frequency: 2"


class WrongExample(Snake):
    """An example that is refused."""

    type: Literal["wrong_example"] = "wrong_example"
    example = "frequency = -2"


class WrongSlope(Snake):
    """A derivative that is off by a thousandth."""

    type: Literal["wrong_slope"] = "wrong_slope"

    def value(self, x, own):
        y = self.expression(x)
        return custom(y, [x], lambda d: (d * 1.001 * (1 + sin(2 * self.frequency * x)),))


class Glued(Activation):
    """Softplus from max and |x|: its derivative at 0 is 0 or 1, and should be ½."""

    type: Literal["glued"] = "glued"

    def expression(self, x):
        return maximum(x, 0) + log(1 + exp(-absolute(x)))


class WrongTie(Activation):
    """Slope 3 at its kink at 2, between slopes 0 and 1."""

    type: Literal["wrong_tie"] = "wrong_tie"

    def expression(self, x):
        return maximum(x - 2, 0)

    def value(self, x, own):
        slope = where(greater(x, 2), 1.0, where(greater(2, x), 0.0, 3.0))
        return custom(self.expression(x), [x], lambda d: (d * slope,))


class Overflowing(Activation):
    """Softplus that overflows."""

    type: Literal["overflowing"] = "overflowing"

    def expression(self, x):
        return log(1 + exp(x))


class NoNumber(Activation):
    """x·sigmoid(x) whose slope is ∞·0 at −1000."""

    type: Literal["no_number"] = "no_number"

    def expression(self, x):
        return x / (1 + exp(minimum(-x, 800)))


class Shrinking(Activation):
    """Half of its features, without saying so."""

    type: Literal["shrinking"] = "shrinking"
    elementwise = False

    def expression(self, x):
        return sum_over(x, "features")


class Numeric(Activation):
    """A number in place of a symbol."""

    type: Literal["numeric"] = "numeric"

    def expression(self, x):
        return 1.0


class WrongLoss(Loss):
    """A mean that is a sum."""

    target = "values"
    output_activation = "linear"
    type: Literal["wrong_loss"] = "wrong_loss"

    def expression(self, output, target):
        return sum_over((output - target) ** 2, "features")


class WideLoss(WrongLoss):
    """One number for each output."""

    type: Literal["wide_loss"] = "wide_loss"

    def expression(self, output, target):
        return output - target


class WrongLossTie(WrongLoss):
    """|d| whose derivative at 0 is 2."""

    type: Literal["wrong_loss_tie"] = "wrong_loss_tie"

    def expression(self, output, target):
        d = output - target
        slope = where(greater(d, 0), 1.0, where(greater(0, d), -1.0, 2.0))
        return mean_over_outputs(custom(absolute(d), [d], lambda seed: (seed * slope,)))


class Uphill(SteppingOptimizer):
    """Along the gradient."""

    type: Literal["uphill"] = "uphill"
    learning_rate: PositiveNumber = Field(0.01, description="lr")

    def update(self, theta, gradient, state, scalar):
        return [(theta, theta + gradient * scalar("rate"))]


class Restless(Uphill):
    """The sign by division, which is 0/0 at rest."""

    type: Literal["restless"] = "restless"

    def update(self, theta, gradient, state, scalar):
        return [(theta, theta - gradient / absolute(gradient) * scalar("rate"))]


class Negative(Schedule):
    """1 − n/10."""

    type: Literal["negative"] = "negative"

    def multiplier(self, position: int, length: int) -> float:
        return 1 - position / 10


class Counting(Schedule):
    """Halves with each question."""

    type: Literal["counting"] = "counting"

    def multiplier(self, position: int, length: int) -> float:
        asked.append(position)
        return 1 / len(asked)


asked: list[int] = []


class Transposed(Initializer):
    """The wrong way round."""

    type: Literal["transposed"] = "transposed"

    def draw(self, generator, shape, place):
        return generator.normal(size=shape[::-1])


class Seedless(Initializer):
    """Its own generator."""

    type: Literal["seedless"] = "seedless"

    def draw(self, generator, shape, place):
        return np.random.default_rng().normal(size=shape)


class Normal(Initializer):
    """N(0, 1)."""

    type: Literal["normal"] = "normal"

    def draw(self, generator, shape, place):
        return generator.normal(size=shape)


class Shift(Layer):
    """x + s with a learned s."""

    type: Literal["shift"] = "shift"

    def parameters(self, input_sizes):
        return (per_feature("shift", input_sizes[0], Ones()),)

    def apply(self, scope, inputs, parameters):
        return inputs[0] + parameters[0]


class WrongShift(Shift):
    """A derivative that is off by a thousandth, while training only."""

    type: Literal["wrong_shift"] = "wrong_shift"

    def apply(self, scope, inputs, parameters):
        (x,), (s,) = inputs, parameters
        return custom(x + s, [x, s], lambda d: (d, sum_over(d, "batch") * (1.001 if scope.training else 1)))


class Widening(Shift):
    """More outputs than it says."""

    type: Literal["widening"] = "widening"

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return input_sizes[0] + 1


FAULTS: list[tuple[type, Any]] = [
    (Silent, None),
    (Undescribed, None),
    (Nameless, None),
    (FalseRelu, None),
    (int, None),
    (Activation, None),
    (Forgetful, snake),
    (NoExample, None),
    (WrongExample, None),
    (Unbounded, snake),
    (Snake, lambda x: x + np.sin(x) ** 2 * 1.001),
    (Snake, lambda x: x.T),
    (WrongSlope, snake),
    (Glued, None),
    (WrongTie, None),
    (Overflowing, lambda x: np.logaddexp(0, x)),
    (NoNumber, lambda x: x * (x > -700) / (1 + np.exp(-np.maximum(x, -700)))),
    (Shrinking, None),
    (Numeric, None),
    (WrongLoss, lambda output, target: ((output - target) ** 2).mean(1)),
    (WideLoss, None),
    (WrongLossTie, None),
    (Uphill, None),
    (Restless, None),
    (Uphill, lambda theta, gradients: theta - 0.01 * gradients.sum(0)),
    (Negative, None),
    (Counting, None),
    (Transposed, None),
    (Seedless, None),
    (Normal, lambda fan_in, fan_out: (0, 1.05)),
    (Shift, lambda x, parameters: x),
    (WrongShift, lambda x, parameters: x + parameters["shift"]),
    (Widening, None),
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
        check_part(built_in_registry().find("activation", "tanh"), np.tanh)
