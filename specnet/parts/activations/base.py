"""What every activation is: an expression, and what follows from it; and the identity."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from specnet.compiler import Value, custom, with_local_derivative
from specnet.parts.initializers import Ones
from specnet.parts.parameters import ParameterBlock, per_feature
from specnet.parts.part import FieldProblem, Names, OnnxOperator
from specnet.parts.registry import PartKind


class Activation(PartKind):
    """A function of a layer's values."""

    kind: ClassVar[str] = "activation"
    elementwise: ClassVar[bool] = True
    """Whether each output depends only on the input at the same position."""
    is_identity: ClassVar[bool] = False
    """Whether it returns x unchanged."""
    keeps_last_bit: ClassVar[bool] = False
    """Whether its rounded output never falls, in any of the forms that networks with monotone columns use."""
    keeps_last_bit_rounded_once: ClassVar[bool] = False
    """Whether this is so in float32 if each function such as exp is computed in float64 and rounded."""
    is_one_sided: ClassVar[bool] = False
    """Whether it is convex, or nearly so, so that sums of it with weights that are not negative are too."""
    default_initializer: ClassVar[str] = "glorot_uniform"
    """The initializer of a dense layer's weight in front of it, where a spec names none."""
    onnx: ClassVar[OnnxOperator | None] = None
    """The ONNX operator that computes it, where there is one; an export writes the expression's own nodes else."""

    parametric: bool = Field(False, description="learn a weight α per feature in x + α·(f(x) − x), starting at 1")

    def problems(self) -> Iterator[FieldProblem]:
        if self.parametric and not self.elementwise:
            message = f"parametric needs an elementwise activation; {self.type} is not"
            yield FieldProblem(("parametric",), message, "parametric")

    def output_size(self, size: int) -> int:
        """Return the number of output features for a number of input features.

        Raises
        ------
        ValueError
            If the activation does not take so many; the message says why.
        """
        return size

    @property
    def keeps_order(self) -> bool:
        """Whether no output falls if the input at the same position rises; False unless an activation says so."""
        return False

    def own_parameters(self, size: int) -> tuple[ParameterBlock, ...]:
        """Return the activation's own parameters for a number of features."""
        return ()

    def parameters(self, size: int) -> tuple[ParameterBlock, ...]:
        """Return all parameters for a number of features: the activation's own, and the weight of its mixture."""
        mixture = (per_feature("mixture", size, Ones()),) if self.parametric else ()
        return (*self.own_parameters(size), *mixture)

    def expression(self, x: Value) -> Value:
        """Return the value at x, of shape (features, batch)."""
        raise NotImplementedError(f"{type(self).__name__} has no expression")

    def derivative_from_output(self, y: Value) -> Value | None:
        """Return the derivative as a function of the output y, or None if that is not cheaper than the derived one."""
        return None

    def apply(self, x: Value, parameters: Sequence[Value] = ()) -> Value:
        """Return the value at x, mixed with x where the activation is parametric."""
        if self.parametric:
            *own, mixture = parameters
            return x + mixture * (self.value(x, own) - x)
        return self.value(x, parameters)

    def value(self, x: Value, own: Sequence[Value]) -> Value:
        """Return the value at x with the activation's own parameters, and the cheapest derivative that it knows."""
        y = self.expression(x)
        slope = self.derivative_from_output(y)
        return with_local_derivative(y, x) if slope is None else custom(y, [x], lambda d: (d * slope,))


class Ordered(Activation):
    """An activation that does not fall, unless a learned mixture makes it steeper."""

    @property
    def keeps_order(self) -> bool:
        return not self.parametric


class Linear(Ordered):
    """x: the identity."""

    aliases = ("identity",)
    is_identity = True
    keeps_last_bit = True
    names = Names(keras="linear", sklearn="identity")
    type: Literal["linear"] = "linear"

    def expression(self, x: Value) -> Value:
        return x


class Rectifier(Activation):
    """An activation that passes positive values, and little of negative ones."""

    default_initializer = "he_normal"
