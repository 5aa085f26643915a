"""Hinge losses, whose outputs are margins instead of probabilities."""

from typing import Literal

from specnet.compiler import Value, max_over, maximum, one_hot, sum_over
from specnet.parts.losses.base import Loss, count_outputs, mean_over_outputs


class _OfMargins(Loss):
    """A loss whose outputs are margins: their order or sign decides the class, and they are not probabilities."""

    output_activation = "linear"
    accepted_activations = frozenset({"linear"})
    gives_probabilities = False


class Hinge(_OfMargins):
    """max(1 − s·z, 0), s = 2t − 1, the mean over outputs: asks for a margin of 1 (Vapnik 1995).

    Targets are 0 and 1; the sign of z is the prediction. Its derivative at the margin is 0.
    """

    target = "binary"
    type: Literal["hinge"] = "hinge"

    def expression(self, output: Value, target: Value) -> Value:
        return mean_over_outputs(maximum(1 - (2 * target - 1) * output, 0.0))


class SquaredHinge(_OfMargins):
    """max(1 − s·z, 0)², s = 2t − 1, the mean over outputs: a hinge smooth at the margin.

    Targets are 0 and 1; the sign of z is the prediction.
    """

    target = "binary"
    type: Literal["squared_hinge"] = "squared_hinge"

    def expression(self, output: Value, target: Value) -> Value:
        missing = maximum(1 - (2 * target - 1) * output, 0.0)
        return mean_over_outputs(missing * missing)


class CategoricalHinge(_OfMargins):
    """max(1 + maxⱼ z′ⱼ − zₜ, 0), where z′ is z with 0 at the class t of the row, as in Keras.

    The form of Crammer and Singer (2001), used by scikit-learn's hinge_loss, excludes class t instead of using 0.
    """

    target = "classes"
    type: Literal["categorical_hinge"] = "categorical_hinge"

    def expression(self, output: Value, target: Value) -> Value:
        hot = one_hot(target, count_outputs(output))
        largest_other = max_over((1 - hot) * output, "features")
        return maximum(1 + largest_other - sum_over(hot * output, "features"), 0.0)
