"""Regression losses: the distance between an activated output and its target."""

import math
from typing import Literal

from pydantic import Field

from specnet.compiler import (
    Value,
    absolute,
    custom,
    log1p,
    maximum,
    minimum,
    softplus,
    sqrt,
    sum_over,
    tanh,
)
from specnet.parts.fields import PositiveNumber
from specnet.parts.losses.base import Loss, mean_over_outputs


class _OfNumbers(Loss):
    """A loss for targets that are numbers."""

    target = "values"
    output_activation = "linear"


class MeanSquaredError(_OfNumbers):
    """(y − t)², the mean over outputs; without the ½ of scikit-learn's MLP."""

    aliases = ("mse", "squared_error")
    type: Literal["mean_squared_error"] = "mean_squared_error"

    def expression(self, output: Value, target: Value) -> Value:
        difference = output - target
        return mean_over_outputs(difference * difference)


class MeanAbsoluteError(_OfNumbers):
    """|y − t|, the mean over outputs: predicts the median; robust to outliers.

    Its derivative at 0 is 0.
    """

    aliases = ("mae",)
    type: Literal["mean_absolute_error"] = "mean_absolute_error"

    def expression(self, output: Value, target: Value) -> Value:
        return mean_over_outputs(absolute(output - target))


class Huber(_OfNumbers):
    """½d² for |d| ≤ δ, else δ·(|d| − δ/2), d = y − t: quadratic near the target, linear far from it (Huber 1964).

    Computed as c·(|d| − c/2), c = min(|d|, δ). PyTorch's smooth_l1_loss is this divided by δ.
    """

    type: Literal["huber"] = "huber"
    delta: PositiveNumber = Field(1.0, description="δ, distance up to which the loss is quadratic")

    def expression(self, output: Value, target: Value) -> Value:
        distance = absolute(output - target)
        clipped = minimum(distance, self.delta)
        return mean_over_outputs(clipped * (distance - 0.5 * clipped))


class LogCosh(_OfNumbers):
    """ln cosh(y − t), the mean over outputs: like huber, but smooth everywhere.

    Computed as |d| + ln(1 + exp(−2|d|)) − ln 2, d = y − t, with the derivative tanh(d).
    """

    type: Literal["log_cosh"] = "log_cosh"

    def expression(self, output: Value, target: Value) -> Value:
        difference = output - target
        distance = absolute(difference)
        value = distance + softplus(-2.0 * distance) - math.log(2)
        return mean_over_outputs(custom(value, [difference], lambda d: (d * tanh(difference),)))


class MeanSquaredLogarithmicError(_OfNumbers):
    """(ln(1 + max(y, 0)) − ln(1 + t))², the mean over outputs: relative errors, for non-negative targets.

    An output below 0 counts as 0 and has the derivative 0; the default output activation is softplus. Keras clips
    outputs and targets at 1e-7.
    """

    aliases = ("msle",)
    domain = "not negative"
    output_activation = "softplus"
    type: Literal["mean_squared_logarithmic_error"] = "mean_squared_logarithmic_error"

    def expression(self, output: Value, target: Value) -> Value:
        difference = log1p(maximum(output, 0.0)) - log1p(target)
        return mean_over_outputs(difference * difference)


class Quantile(_OfNumbers):
    """max(q·d, (q − 1)·d), d = t − y, the mean over outputs: predicts the q-quantile (Koenker and Bassett 1978).

    At d = 0 the derivative with respect to y is 1 − q; scikit-learn's boosting uses −q.
    """

    aliases = ("pinball",)
    predicts_mean = False
    type: Literal["quantile"] = "quantile"
    quantile: float = Field(0.5, gt=0, lt=1, description="quantile to predict")

    def expression(self, output: Value, target: Value) -> Value:
        difference = target - output
        return mean_over_outputs(maximum(self.quantile * difference, (self.quantile - 1) * difference))


class CosineSimilarity(_OfNumbers):
    """−y·t/(|y|·|t|): the negative cosine of the angle between output and target.

    Lengths are at least 1e-8, as in PyTorch; 1e-6 in Keras. The loss of a row is not a mean over its outputs.
    """

    predicts_mean = False
    type: Literal["cosine_similarity"] = "cosine_similarity"

    def expression(self, output: Value, target: Value) -> Value:
        product = sum_over(output * target, "features")
        squares = (sum_over(x * x, "features") for x in (output, target))
        of_output, of_target = (sqrt(maximum(square, 1e-16)) for square in squares)
        return -product / (of_output * of_target)
