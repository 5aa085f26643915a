"""Losses, each written for one row; what is minimised is their mean, weighted where rows have weights.

Losses whose name says a distribution see the network's raw output (logits), so that value and gradient stay finite and
keep their digits; the activation that belongs to them is applied for predictions only.
"""

from typing import ClassVar, Literal, Self

from pydantic import Field

from specnet.compiler import Value, exp, log, max_over, one_hot, softplus, stop_gradient, sum_over
from specnet.parts.fields import Fraction, PositiveNumber
from specnet.parts.part import Part


class Loss(Part):
    """What training makes small."""

    kind: ClassVar[str] = "loss"
    target: ClassVar[Literal["values", "binary", "classes"]]
    """Numbers, numbers 0 and 1 per output, or one class index per row."""
    output_activation: ClassVar[str]
    """The activation of the output where a spec names none."""
    accepted_activations: ClassVar[frozenset[str] | None] = None
    """What the output may be activated by, if the loss sees the value before; None: by any, and the loss sees it."""

    def expression(self, output: Value, target: Value) -> Value:
        """Return each row's loss, (1, batch), from the output (outputs, batch).

        The target is (outputs, batch), or (1, batch) class indices for losses of classes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no expression")

    def for_evaluation(self) -> Self:
        """Return the loss that measures a model: the same without what only regularises, such as label smoothing."""
        return self


def mean_over_outputs(x: Value) -> Value:
    """Return the mean of (outputs, batch) over the outputs, (1, batch)."""
    return sum_over(x, "features") / count_outputs(x)


def count_outputs(x: Value) -> int:
    """Return the number of outputs of (outputs, batch)."""
    outputs = x.shape[0]
    assert isinstance(outputs, int), "outputs are the first axis"
    return outputs


class MeanSquaredError(Loss):
    """(y − t)², the mean over outputs. No ½, which scikit-learn's MLP has."""

    aliases = ("mse", "squared_error")
    target = "values"
    output_activation = "linear"
    type: Literal["mean_squared_error"] = "mean_squared_error"

    def expression(self, output: Value, target: Value) -> Value:
        difference = output - target
        return mean_over_outputs(difference * difference)


class BinaryCrossentropy(Loss):
    """−t·ln p − (1 − t)·ln(1 − p) with p = sigmoid(z), the mean over outputs; computed as softplus(z) − t·z.

    positive_weight w multiplies the first term; label_smoothing s replaces t by t·(1 − s) + s/2.
    """

    aliases = ("bce", "log_loss")
    target = "binary"
    output_activation = "sigmoid"
    accepted_activations = frozenset({"sigmoid"})
    type: Literal["binary_crossentropy"] = "binary_crossentropy"
    label_smoothing: Fraction = Field(0.0, description="s, how far targets are moved towards one half while training")
    positive_weight: PositiveNumber = Field(1.0, description="w, how many times a target of 1 counts")

    def expression(self, output: Value, target: Value) -> Value:
        if self.label_smoothing:
            target = target * (1 - self.label_smoothing) + self.label_smoothing / 2
        if self.positive_weight == 1:
            return mean_over_outputs(softplus(output) - target * output)
        weight = target * (self.positive_weight - 1) + 1
        return mean_over_outputs(weight * softplus(output) - self.positive_weight * target * output)

    def for_evaluation(self) -> Self:
        return self.model_copy(update={"label_smoothing": 0.0})


class CategoricalCrossentropy(Loss):
    """−ln pₜ with p = softmax(z) and t the row's class; computed by log-sum-exp.

    label_smoothing s mixes in, with share s, the same of a target that is uniform over classes (Szegedy et al. 2016).
    """

    target = "classes"
    output_activation = "softmax"
    accepted_activations = frozenset({"softmax"})
    type: Literal["categorical_crossentropy"] = "categorical_crossentropy"
    label_smoothing: Fraction = Field(0.0, description="s, the share of the uniform target while training")

    def expression(self, output: Value, target: Value) -> Value:
        classes = count_outputs(output)
        shifted = output - stop_gradient(max_over(output, "features"))
        hot = one_hot(target, classes)
        picked = sum_over(hot * shifted, "features")
        if self.label_smoothing:
            uniform = sum_over(shifted, "features") * (self.label_smoothing / classes)
            picked = picked * (1 - self.label_smoothing) + uniform
        return log(sum_over(exp(shifted), "features")) - picked

    def for_evaluation(self) -> Self:
        return self.model_copy(update={"label_smoothing": 0.0})
