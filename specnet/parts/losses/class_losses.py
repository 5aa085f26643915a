"""Classification losses based on class probabilities. All read raw outputs (logits)."""

from typing import Literal, Self

from pydantic import Field

from specnet.compiler import Value, exp, log, max_over, maximum, one_hot, softplus, stop_gradient, sum_over, where
from specnet.parts.activations.softmaxes import shifted
from specnet.parts.fields import Fraction, NonNegativeNumber, PositiveNumber, Share
from specnet.parts.losses.base import Loss, count_outputs, mean_over_outputs

LEAST_LOGIT = -69.0
"""Minimum difference between a logit and the largest one. Below it, the probability (at most 1e-30) has gradient 0.

The probability is too small to change any sum. In backpropagation, gradients this small become denormal numbers, which
are several times slower on many CPUs; a network that had learned its rows had them in a tenth of all vectors.
"""


class _Smoothed(Loss):
    """A loss that can mix the same for all classes into the target while training (Szegedy et al. 2016)."""

    label_smoothing: Fraction = Field(0.0, description="s, weight of the uniform target during training")

    def for_evaluation(self) -> Self:
        return self.model_copy(update={"label_smoothing": 0.0})


class _OfProbabilities(Loss):
    """A loss for targets of 0 and 1 that reads logits."""

    target = "binary"
    output_activation = "sigmoid"
    accepted_activations = frozenset({"sigmoid"})


class _OfClasses(Loss):
    """A loss for class indices that reads logits."""

    target = "classes"
    output_activation = "softmax"
    accepted_activations = frozenset({"softmax"})


class BinaryCrossentropy(_Smoothed, _OfProbabilities):
    """−t·ln p − (1 − t)·ln(1 − p) with p = sigmoid(z), the mean over outputs; computed as softplus(z) − t·z.

    positive_weight w multiplies the first term; label_smoothing s replaces t by t·(1 − s) + s/2.
    """

    aliases = ("bce", "log_loss")
    takes_soft_targets = True
    type: Literal["binary_crossentropy"] = "binary_crossentropy"
    positive_weight: PositiveNumber = Field(1.0, description="w, weight of targets of 1")

    def expression(self, output: Value, target: Value) -> Value:
        if self.label_smoothing:
            target = target * (1 - self.label_smoothing) + self.label_smoothing / 2
        if self.positive_weight == 1:
            return mean_over_outputs(softplus(output) - target * output)
        weight = target * (self.positive_weight - 1) + 1
        return mean_over_outputs(weight * softplus(output) - self.positive_weight * target * output)


class CategoricalCrossentropy(_Smoothed, _OfClasses):
    """−ln pₜ with p = softmax(z) and t the row's class; computed by log-sum-exp.

    label_smoothing s replaces the target t by (1 − s)·t + s/K for K classes (Szegedy et al. 2016).
    """

    takes_soft_targets = True
    type: Literal["categorical_crossentropy"] = "categorical_crossentropy"

    def expression(self, output: Value, target: Value) -> Value:
        return self.soft_expression(output, one_hot(target, count_outputs(output)))

    def soft_expression(self, output: Value, target: Value) -> Value:
        """Return −Σₖ tₖ·ln pₖ for probabilities t of the classes (Hinton et al. 2015, without their temperature)."""
        logits = shifted(output)
        picked = sum_over(target * logits, "features")
        if self.label_smoothing:
            uniform = sum_over(logits, "features") * (self.label_smoothing / count_outputs(output))
            picked = picked * (1 - self.label_smoothing) + uniform
        return log(sum_over(exp(maximum(logits, LEAST_LOGIT)), "features")) - picked


class BinaryFocalCrossentropy(_OfProbabilities):
    """−α·(1 − p)^γ·ln p for a target of 1, −(1 − α)·p^γ·ln(1 − p) for 0, p = sigmoid(z), the mean over outputs.

    A crossentropy that gives little weight to rows already classified well (Lin et al. 2017). Keras omits α unless
    apply_class_balancing is set.
    """

    type: Literal["binary_focal_crossentropy"] = "binary_focal_crossentropy"
    gamma: NonNegativeNumber = Field(2.0, description="γ, focusing parameter; 0 gives the plain crossentropy")
    alpha: Share = Field(0.25, description="α, weight of targets of 1; targets of 0 weigh 1 − α")

    def expression(self, output: Value, target: Value) -> Value:
        weight = target * (2 * self.alpha - 1) + (1 - self.alpha)
        return mean_over_outputs(weight * _focal((1 - 2 * target) * output, self.gamma))


class CategoricalFocalCrossentropy(_OfClasses):
    """−α·(1 − pₜ)^γ·ln pₜ with p = softmax(z) and t the row's class.

    A crossentropy that gives little weight to rows already classified well (Lin et al. 2017). α is the same for all
    classes, as in Keras by default.
    """

    type: Literal["categorical_focal_crossentropy"] = "categorical_focal_crossentropy"
    gamma: NonNegativeNumber = Field(2.0, description="γ, focusing parameter; 0 gives the plain crossentropy")
    alpha: PositiveNumber = Field(0.25, description="α, factor of the loss")

    def expression(self, output: Value, target: Value) -> Value:
        hot = one_hot(target, count_outputs(output))
        others = where(hot, -1e30, output)
        largest = stop_gradient(max_over(others, "features"))
        all_others = log(sum_over(exp(others - largest), "features")) + largest
        return self.alpha * _focal(all_others - sum_over(hot * output, "features"), self.gamma)


def _focal(margin: Value, gamma: float) -> Value:
    """Return −(1 − p)^γ·ln p with p = sigmoid(−margin)."""
    return exp(-gamma * softplus(-margin)) * softplus(margin)
