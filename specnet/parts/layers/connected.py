"""Layers that connect features by learned weights, and activations by themselves."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, Self

from pydantic import Field

from specnet.compiler import Value, absolute, affine, linear_map, matmul
from specnet.parts.activations import Activation, Linear
from specnet.parts.fields import NonNegativeNumber, PositiveInteger
from specnet.parts.initializers import Fans, Initializer, RandomNormal, Zeros
from specnet.parts.layers.base import Layer, LayerContext, LearningLayer, Scope
from specnet.parts.orders import Orders, numbers_by_feature
from specnet.parts.parameters import ParameterBlock, Tensor
from specnet.parts.part import FieldProblem

_RISING_TOGETHER = 1 / 3
"""Mean product of two features with an order at the start of training, as a fraction of their mean square."""


class Dense(LearningLayer):
    """W·x + b, then an activation: every output sees every input.

    In the ntk parametrization it is W·x/√n + b, n being the number of inputs: weights drawn from N(0, 1) then keep the
    values' size, and learn at a rate that does not depend on n (Jacot et al. 2018). Biases are drawn from N(0, 1) too,
    as in RealMLP (Holzmüller et al. 2024).
    """

    example = 'units = 16, activation = "relu"'
    size_field = "units"
    training_fields = LearningLayer.training_fields | {"bias_learning_rate_factor"}
    type: Literal["dense"] = "dense"
    units: PositiveInteger = Field(description="number of outputs")
    activation: Activation | None = Field(None, description="activation of the outputs; default: linear")
    use_bias: bool = Field(True, description="add a learned bias b")
    weight_initializer: Initializer | None = Field(
        None,
        description="initializer of the weights; default: he_normal before rectifiers, lecun_normal before selu, else "
        "glorot_uniform; with ntk N(0, 1)",
    )
    bias_initializer: Initializer | None = Field(
        None,
        description="initializer of the biases; default: zeros, or set by the weight initializer; with ntk N(0, 1)",
    )
    parametrization: Literal["standard", "ntk"] = Field(
        "standard", description="standard weights, or weights divided by the square root of the number of inputs (ntk)"
    )
    bias_learning_rate_factor: NonNegativeNumber | None = Field(
        None, description="learning-rate multiplier for the biases, times that of the layer; default: 1"
    )

    def problems(self) -> Iterator[FieldProblem]:
        if self.bias_learning_rate_factor is not None and not self.use_bias:
            message = "bias_learning_rate_factor has no effect with use_bias = false"
            yield FieldProblem(("bias_learning_rate_factor",), message, "bias-rate")
        if self.weight_initializer is not None and self.weight_initializer.needs_vector:
            message = f"{self.weight_initializer.type} is for biases and cannot initialize weights"
            yield FieldProblem(("weight_initializer",), message, "weight-initializer")
        if self.bias_initializer is not None and not self.use_bias:
            message = "bias_initializer has no effect with use_bias = false"
            yield FieldProblem(("bias_initializer",), message, "bias-initializer")
        elif self.bias_initializer is not None and self.bias_initializer.needs_matrix:
            message = f"{self.bias_initializer.type} needs a matrix and cannot initialize a bias"
            yield FieldProblem(("bias_initializer",), message, "bias-initializer")

    def with_defaults(self, context: LayerContext) -> Self:
        activation = self.activation or Linear()
        before = (context.activation_after or activation) if activation.is_identity else activation
        ntk = RandomNormal(stddev=1.0) if self.parametrization == "ntk" else None
        usual = ntk or context.initializer_before(before)
        weight = context.initializer("weight_initializer", self.weight_initializer, usual)
        bias = None
        if self.use_bias:
            usual = weight if weight.decides_bias else ntk or Zeros()
            bias = context.initializer("bias_initializer", self.bias_initializer, usual)
        filled = {"activation": activation, "weight_initializer": weight, "bias_initializer": bias}
        return self.model_copy(update=filled)

    def with_activation(self, activation: Activation) -> Self:
        return self if self.activation else self.model_copy(update={"activation": activation})

    def declared_size(self) -> int:
        return self.activation.output_size(self.units) if self.activation else self.units

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return self.declared_size()

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        (inputs,) = input_sizes
        fans = Fans(inputs, self.units, self.activation.part_name() if self.activation else "linear")
        assert self.weight_initializer is not None, "a resolved layer has initializers"
        tensors = [Tensor("weight", (self.units, inputs), (0, inputs), self.weight_initializer, fans, decays=True)]
        if self.use_bias:
            assert self.bias_initializer is not None, "a resolved layer has initializers"
            last, rate = (inputs, inputs + 1), self.bias_learning_rate_factor
            bias = Tensor("bias", (self.units,), last, self.bias_initializer, fans, decays=False)
            tensors.append(bias if rate is None else bias._replace(rate_factor=rate))
        block = ParameterBlock((inputs + self.use_bias, self.units), tuple(tensors))
        return (block, *(self.activation.parameters(self.units) if self.activation else ()))

    def ordered(self, parameters: Sequence[Value], inputs: Sequence[Orders], outputs: Orders) -> Sequence[Value]:
        """Return the block with 0 from features with an order to units without, and |w| · c to the others, by sign.

        Features with an order rise together, so that their sum with n weights |w| would grow like n. For normal weights
        and products of two features that are r of the square of one in the mean, c = 1/√(1 + (n − 1)·r·2/π) gives it
        the mean square that it has with weights of either sign. In networks of three layers r is about a third, because
        the mirrored forms of activations cancel in part.
        """
        (orders,), (block, *learned) = inputs, parameters
        rows = (*orders, 0) if self.use_bias else orders
        factors = [factor * bool(order) for factor, order in zip(self.order_factors(rows), rows, strict=True)]
        signs = matmul(numbers_by_feature(factors), numbers_by_feature(outputs), flip_b=True)
        is_free = numbers_by_feature([not order for order in rows])
        return (block * is_free + absolute(block) * signs, *learned)

    def order_factors(self, orders: Orders) -> list[float]:
        """Return ±c for each feature with an order, and 1 for others: the weight of rising outputs is |w| times it."""
        factor = 1 / math.sqrt(1 + (sum(map(abs, orders)) - 1) * _RISING_TOGETHER * 2 / math.pi)
        return [factor * order if order else 1.0 for order in orders]

    def split_activation(self) -> tuple[Layer | None, Activation | None]:
        return self.model_copy(update={"activation": None}), self.activation

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,), (block, *learned) = inputs, parameters
        if self.parametrization == "ntk":
            x = x * (1 / math.sqrt(int(x.shape[0])))
        z = affine(block, x) if self.use_bias else linear_map(block, x)
        return self.activation.apply(z, learned) if self.activation else z


class ActivationLayer(LearningLayer):
    """An activation by itself."""

    keeps_order = True

    example = 'activation = "tanh"'
    type: Literal["activation"] = "activation"
    activation: Activation = Field(description="activation to apply")
    monotone: Activation | None = Field(
        None,
        description="activation of the units that a column of [network.monotone] moves; default: the same as of others",
    )

    def with_activation(self, activation: Activation) -> Self:
        return self

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return self.activation.output_size(*input_sizes)

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        return self.activation.parameters(*input_sizes)

    def split_activation(self) -> tuple[Layer | None, Activation | None]:
        return None, self.activation

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return self.activation.apply(inputs[0], parameters)
