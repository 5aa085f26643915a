"""Layers that make one of several: of branches, and of layers in a row."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from specnet.compiler import Value, concatenate
from specnet.parts.fields import PositiveInteger
from specnet.parts.layers.base import Layer, Scope


class _Elementwise(Layer):
    """A layer of several inputs of one size."""

    input_count = "several"

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        if len(set(input_sizes)) > 1:
            raise ValueError(f"the inputs of {self.type} must have one size, and have {_listed(input_sizes)}")
        return input_sizes[0]


class Add(_Elementwise):
    """The sum of its inputs, such as a residual branch and what it leads around (He et al. 2016)."""

    example = 'inputs = ["branch", "input"]'
    type: Literal["add"] = "add"

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Multiply(_Elementwise):
    """The product of its inputs, such as a branch and its gate."""

    example = 'inputs = ["branch", "input"]'
    type: Literal["multiply"] = "multiply"

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        product = inputs[0]
        for x in inputs[1:]:
            product = product * x
        return product


class Concatenate(Layer):
    """Its inputs' features, one after the other."""

    input_count = "several"
    example = 'inputs = ["branch", "input"]'
    type: Literal["concatenate"] = "concatenate"

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return sum(input_sizes)

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return concatenate(*inputs)


class Block(Layer):
    """Layers as one, repeated in a row: the first reads the block's input, the last one's output is the block's."""

    example = 'layers = [{ type = "dense", units = 16, activation = "relu" }], repeat = 2'
    type: Literal["block"] = "block"
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, strict=False)] = Field(
        description="the layers; their names hold inside, where `input` is the block's input"
    )
    repeat: PositiveInteger = Field(1, description="how many times, each with parameters of its own")

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        raise NotImplementedError("a block's size follows from its layers, which walk() visits")


def _listed(sizes: Sequence[int]) -> str:
    return " and ".join(str(size) for size in sizes)
