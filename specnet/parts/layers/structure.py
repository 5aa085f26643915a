"""Layers that combine several branches, or several layers in sequence."""

from collections.abc import Sequence
from functools import reduce
from operator import add, mul
from typing import Annotated, Literal

from pydantic import Field

from specnet.compiler import Value, concatenate
from specnet.parts.fields import PositiveInteger
from specnet.parts.layers.base import Layer, Scope
from specnet.parts.orders import Orders
from specnet.parts.part import Names


class _Elementwise(Layer):
    """A layer with several inputs of equal size."""

    input_count = "several"

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        if len(set(input_sizes)) > 1:
            raise ValueError(f"{self.type} needs inputs of equal size, got {' and '.join(map(str, input_sizes))}")
        return input_sizes[0]

    def orders(self, inputs: Sequence[Orders]) -> Orders | None:
        if not self.keeps_order:
            return None
        found = [{*each} - {0} for each in zip(*inputs, strict=True)]
        return tuple(each.pop() if each else 0 for each in found) if all(len(each) < 2 for each in found) else None


class Add(_Elementwise):
    """Sum of its inputs, such as a residual branch and its shortcut (He et al. 2016)."""

    keeps_order = True
    example = 'inputs = ["branch", "input"]'
    names = Names(keras_layer=("Add",))
    type: Literal["add"] = "add"

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return reduce(add, inputs)


class Multiply(_Elementwise):
    """Product of its inputs, such as a branch and its gate."""

    example = 'inputs = ["branch", "input"]'
    names = Names(keras_layer=("Multiply",))
    type: Literal["multiply"] = "multiply"

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return reduce(mul, inputs)


class Average(_Elementwise):
    """Mean of the outputs of several networks, each trained by its own loss; the last layer.

    Training minimizes the mean of the losses of its inputs, as if each were the output. Validation and predictions use
    the mean of its inputs. So it is an ensemble of networks of different layers within one network.
    """

    keeps_order = True
    separates_losses = True
    example = 'inputs = ["branch", "input"]'
    names = Names(keras_layer=("Average",))
    training_fields = frozenset({"weights"})
    type: Literal["average"] = "average"
    weights: Literal["equal", "held_out"] = Field(
        "equal",
        description="weights of the inputs in predictions; held_out: at least 0, with a sum of 1 and the smallest loss "
        "of rows that the networks were not trained on: the validation set, or the folds of an ensemble",
    )

    @property
    def fits_weights(self) -> bool:
        return self.weights == "held_out"

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return reduce(add, inputs) * (1 / len(inputs))


class Concatenate(Layer):
    """Features of all its inputs, in order."""

    keeps_order = True
    input_count = "several"
    example = 'inputs = ["branch", "input"]'
    names = Names(keras_layer=("Concatenate",))
    type: Literal["concatenate"] = "concatenate"

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return sum(input_sizes)

    def orders(self, inputs: Sequence[Orders]) -> Orders:
        return tuple(order for each in inputs for order in each)

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return concatenate(*inputs)


class Block(Layer):
    """A group of layers, repeated in sequence: its first layer reads the input, its last one gives the output."""

    example = 'layers = [{ type = "dense", units = 16, activation = "relu" }], repeat = 2'
    layers_field = "layers"
    type: Literal["block"] = "block"
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, strict=False)] = Field(
        description="layers of the block; their names are local, and `input` is the input of the block"
    )
    repeat: PositiveInteger = Field(1, description="number of repetitions, each with its own parameters")

    @property
    def repetitions(self) -> int:
        return self.repeat

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        raise NotImplementedError("a block's size follows from its layers, which walk() visits")
