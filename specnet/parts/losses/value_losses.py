"""Losses of numbers: how far an output is from its target, or minus the logarithm of a likelihood.

Distances see the output activated, by whatever it is. The outputs of a likelihood are a distribution's numbers; those
of rates see the logarithm of the mean, the value before the activation `exponential`. At an output of ±1000 they
overflow, as they must: training that comes there has diverged.
"""

import math
from typing import ClassVar, Literal

from pydantic import Field

from specnet.compiler import (
    Value,
    absolute,
    custom,
    exp,
    greater,
    log,
    log1p,
    maximum,
    minimum,
    rows,
    softplus,
    sqrt,
    sum_over,
    tanh,
    where,
)
from specnet.parts.activations.curves import log_softmax
from specnet.parts.arrays import Domain
from specnet.parts.fields import PositiveNumber
from specnet.parts.losses.base import Loss, count_outputs, mean_over_outputs


class _OfNumbers(Loss):
    """A loss of numbers."""

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


class _OfLogMean(Loss):
    """A loss that sees the logarithm of the mean."""

    target = "values"
    domain: ClassVar[Domain] = "not negative"
    output_activation = "exponential"
    accepted_activations = frozenset({"exponential"})


class Poisson(_OfLogMean):
    """exp(x) − t·x, the mean over outputs: for counts t with mean exp(x).

    The negative log-likelihood without the constant ln t!, as in PyTorch by default. Keras's takes the mean instead of
    its logarithm and adds 1e-7.
    """

    type: Literal["poisson"] = "poisson"

    def expression(self, output: Value, target: Value) -> Value:
        return mean_over_outputs(exp(output) - target * output)


class Gamma(_OfLogMean):
    """t·exp(−x) + x, the mean over outputs: for positive amounts t with mean exp(x) and a deviation that grows with it.

    Half the gamma deviance, up to a constant.
    """

    domain = "positive"
    type: Literal["gamma"] = "gamma"

    def expression(self, output: Value, target: Value) -> Value:
        return mean_over_outputs(target * exp(-output) + output)


class Tweedie(_OfLogMean):
    """exp((2 − p)·x)/(2 − p) − t·exp((1 − p)·x)/(1 − p), the mean over outputs: for amounts that are often 0.

    Half the Tweedie deviance (Jørgensen 1987) of a Poisson number of gamma amounts, up to a constant; the mean is
    exp(x). The powers 1 and 2 are poisson and gamma.
    """

    type: Literal["tweedie"] = "tweedie"
    power: float = Field(1.5, gt=1, lt=2, description="p, power of the mean that the variance is proportional to")

    def expression(self, output: Value, target: Value) -> Value:
        of_mean, of_target = 2 - self.power, 1 - self.power
        weighted = exp(of_target * output + log(target))  # 0 for a target of 0, where the product may be 0 · ∞
        return mean_over_outputs(exp(of_mean * output) / of_mean - weighted / of_target)


class GaussianNll(Loss):
    """½(s + (μ − t)²·exp(−s)), the mean over targets: learns a mean μ and a log-variance s (Nix and Weigend 1994).

    Two outputs per target: all means, then all log-variances. The variance is at least 1e-6, with derivative 0 below
    that. The constant ½·ln 2π is omitted, as in PyTorch, which takes the variance itself. A model predicts the means.
    """

    LOWEST: ClassVar[float] = math.log(1e-6)
    target = "values"
    output_activation = "linear"
    accepted_activations = frozenset({"linear"})
    outputs_per_target = 2
    type: Literal["gaussian_nll"] = "gaussian_nll"

    def expression(self, output: Value, target: Value) -> Value:
        count = count_outputs(target)
        difference = rows(output, 0, count) - target
        log_variance = maximum(rows(output, count, 2 * count), self.LOWEST)
        return mean_over_outputs(0.5 * (log_variance + difference * difference * exp(-log_variance)))


class KlDivergence(Loss):
    """Σ t·ln(t/q), q = softmax(z): divergence of the predicted distribution over classes from the target distribution.

    (Kullback and Leibler 1951.) Computed by log-sum-exp; a target of 0 adds 0. Equal to categorical_crossentropy minus
    the entropy of the target, so the minimum is 0. PyTorch's divides by the number of elements unless its reduction
    is batchmean; Keras's clips both to [1e-7, 1].
    """

    target = "values"
    domain = "distribution"
    output_activation = "softmax"
    accepted_activations = frozenset({"softmax"})
    type: Literal["kl_divergence"] = "kl_divergence"

    def expression(self, output: Value, target: Value) -> Value:
        own = where(greater(target, 0.0), target * log(target), 0.0)
        return sum_over(own - target * log_softmax(output), "features")
