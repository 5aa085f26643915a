"""What every loss is, and what several of them say."""

from typing import ClassVar, Literal, Self

from specnet.compiler import Value, sum_over
from specnet.parts.arrays import Domain
from specnet.parts.registry import PartKind


class Loss(PartKind):
    """A loss function to minimize."""

    kind: ClassVar[str] = "loss"
    target: ClassVar[Literal["values", "binary", "classes"]]
    """Numbers, numbers 0 and 1 per output, or one class index per row."""
    domain: ClassVar[Domain] = "any"
    """Which numbers the target may hold, where it is values."""
    output_activation: ClassVar[str]
    """The activation of the output where a spec names none."""
    accepted_activations: ClassVar[frozenset[str] | None] = None
    """What the output may be activated by, if the loss sees the value before; None: by any, and the loss sees it."""
    outputs_per_target: ClassVar[int] = 1
    """How many outputs belong to a number of the target; the first of them are the predictions."""
    gives_probabilities: ClassVar[bool] = True
    """Whether the activated outputs are probabilities, where the target is binary or classes."""
    predicts_mean: ClassVar[bool] = True
    """Whether predictions are near the mean of a target of values, so that R² says how good they are."""

    def expression(self, output: Value, target: Value) -> Value:
        """Return each row's loss, (1, batch), from the output (outputs, batch).

        The target is (outputs, batch), or (1, batch) class indices for losses of classes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no expression")

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
