"""Losses that are negative log-likelihoods, up to a constant.

The outputs are parameters of a distribution. Losses of rates read the logarithm of the mean, the value before the
activation `exponential`. They overflow at an output of ±1000, where training has diverged anyway.
"""

import math
from typing import ClassVar, Literal

from pydantic import Field

from specnet.compiler import (
    Value,
    exp,
    greater,
    log,
    maximum,
    rows,
    sum_over,
    where,
)
from specnet.parts.activations.softmaxes import log_softmax
from specnet.parts.arrays import Domain
from specnet.parts.losses.base import Loss, count_outputs, mean_over_outputs


class _OfLogMean(Loss):
    """A loss that reads the logarithm of the mean."""

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
        weighted = exp(of_target * output + log(target))  # 0 for a target of 0, where a product could be 0 · ∞
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
