"""The base class of losses, and functions that several losses use."""

from typing import ClassVar, Literal, Self

from specnet.compiler import Value, sum_over
from specnet.parts.arrays import Domain
from specnet.parts.registry import PartKind


class Loss(PartKind):
    """A loss function to minimize."""

    kind: ClassVar[str] = "loss"
    target: ClassVar[Literal["values", "binary", "classes"]]
    """The kind of target: numbers, 0 or 1 per output, or one class index per row."""
    domain: ClassVar[Domain] = "any"
    """The numbers that a target of values may contain."""
    output_activation: ClassVar[str]
    """The default activation of the output."""
    accepted_activations: ClassVar[frozenset[str] | None] = None
    """Accepted output activations, if the loss reads the output before activation. None: any, and it reads it after."""
    outputs_per_target: ClassVar[int] = 1
    """Number of outputs per target value; the first outputs are the predictions."""
    gives_probabilities: ClassVar[bool] = True
    """Whether the activated outputs are probabilities, if the target is binary or classes."""
    takes_soft_targets: ClassVar[bool] = False
    """Whether a loss of binary targets or classes is also defined for probabilities as targets."""
    predicts_mean: ClassVar[bool] = True
    """Whether predictions approximate the mean of a target of values, so that R² measures their quality."""

    def expression(self, output: Value, target: Value) -> Value:
        """Return each row's loss, (1, batch), from the output (outputs, batch).

        The target is (outputs, batch), or (1, batch) class indices for losses of classes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no expression")

    def soft_expression(self, output: Value, target: Value) -> Value:
        """Return the loss of each row, (1, batch), for probabilities as targets, (outputs, batch).

        For probabilities of 0 and 1 it is equal to `expression`. A loss of classes with `takes_soft_targets` defines
        it.
        """
        return self.expression(output, target)

    def for_evaluation(self) -> Self:
        """Return the loss for evaluation: the same without regularization such as label smoothing."""
        return self


def mean_over_outputs(x: Value) -> Value:
    """Return the mean of (outputs, batch) over the outputs, (1, batch)."""
    return sum_over(x, "features") / count_outputs(x)


def count_outputs(x: Value) -> int:
    """Return the number of outputs of (outputs, batch)."""
    outputs = x.shape[0]
    assert isinstance(outputs, int), "outputs are the first axis"
    return outputs
