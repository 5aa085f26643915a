"""Layers: from inputs of known sizes to an output, with the parameters they need.

Inside the engine an activation is (features, batch). A layer declares its parameters as blocks, arrays in the engine's
form, and says for each block which arrays a user sees in it under which name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol

from numpy.typing import NDArray
from pydantic import Field

from specnet.compiler import Value, affine, concatenate, greater, linear_map
from specnet.parts.activations import Activation
from specnet.parts.fields import Fraction, LayerName, PositiveInteger
from specnet.parts.initializers import Initializer, Place
from specnet.parts.part import Part


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array that a user sees: some rows of a block, transposed.

    Attributes
    ----------
    name : str
        The last part of its name, such as ``weight``.
    shape : tuple of int
        As a user sees it: a weight is (outputs, inputs), a bias (outputs,).
    rows : tuple of int
        The first row of the block that belongs to it, and the one after its last.
    initializer : Initializer
    place : Place
        What the initializer needs to know.
    decays : bool
        Whether weight decay touches it.
    """

    name: str
    shape: tuple[int, ...]
    rows: tuple[int, int]
    initializer: Initializer
    place: Place
    decays: bool

    def view(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return this array as a view of the block."""
        return block[slice(*self.rows)].T.reshape(self.shape)


@dataclass(frozen=True, slots=True)
class ParameterBlock:
    """Parameters that the engine keeps in one array of this shape, and what a user sees in it."""

    shape: tuple[int, int]
    tensors: tuple[Tensor, ...]

    @property
    def size(self) -> int:
        """Return how many numbers the block holds."""
        return math.prod(self.shape)


class Scope(Protocol):
    """What a layer can ask of the program in which it is placed."""

    @property
    def training(self) -> bool:
        """Whether the program is one that trains."""

    def uniform(self, shape: tuple[int | str, ...]) -> Value:
        """Return numbers from [0, 1) that the host draws anew before each step."""


class Layer(Part):
    """A step from one or several arrays to one."""

    kind: ClassVar[str] = "layer"
    input_count: ClassVar[Literal["one", "several"]] = "one"

    name: LayerName | None = Field(None, description="by which other layers and the model's weights refer to it")
    inputs: Annotated[tuple[LayerName, ...], Field(min_length=1, strict=False)] | None = Field(
        None,
        description="names of the layers it reads; the previous one where nothing is said, `input` for the network's",
    )

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        """Return the number of output features.

        Raises
        ------
        ValueError
            If inputs of these sizes do not fit; the message says why.
        """
        (size,) = input_sizes
        return size

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        """Return the blocks of parameters for inputs of these sizes."""
        return ()

    def parameter_count(self, input_sizes: tuple[int, ...]) -> int:
        """Return how many numbers the layer learns."""
        return sum(block.size for block in self.parameters(input_sizes))

    def split_activation(self) -> tuple["Layer | None", Activation | None]:
        """Return the layer without the activation that it ends in, and that activation; either may be None."""
        return self, None

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        """Return the output (features, batch) from the inputs and the parameters' blocks."""
        raise NotImplementedError(f"{type(self).__name__} has no apply")


class Dense(Layer):
    """W·x + b, then an activation: every output sees every input."""

    type: Literal["dense"] = "dense"
    units: PositiveInteger = Field(description="the number of outputs")
    activation: Activation | None = Field(None, description="applied to the outputs; linear where nothing is said")
    use_bias: bool = Field(True, description="whether b is learned, or left out")
    weight_initializer: Initializer | None = Field(
        None, description="he_normal before rectifiers, lecun_normal before selu, else glorot_uniform"
    )
    bias_initializer: Initializer | None = Field(
        None, description="zeros, unless the weight's initializer decides it too"
    )

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return self.units

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        (inputs,) = input_sizes
        place = Place(inputs, self.units, self.activation.part_name() if self.activation else "linear")
        assert self.weight_initializer is not None, "a resolved layer has initializers"
        tensors = [Tensor("weight", (self.units, inputs), (0, inputs), self.weight_initializer, place, decays=True)]
        if self.use_bias:
            assert self.bias_initializer is not None, "a resolved layer has initializers"
            tensors.append(
                Tensor("bias", (self.units,), (inputs, inputs + 1), self.bias_initializer, place, decays=False)
            )
        return (ParameterBlock((inputs + self.use_bias, self.units), tuple(tensors)),)

    def split_activation(self) -> tuple[Layer | None, Activation | None]:
        return self.model_copy(update={"activation": None}), self.activation

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,), (block,) = inputs, parameters
        z = affine(block, x) if self.use_bias else linear_map(block, x)
        return self.activation.apply(z) if self.activation else z


class ActivationLayer(Layer):
    """An activation by itself."""

    type: Literal["activation"] = "activation"
    activation: Activation = Field(description="the function that is applied")

    def split_activation(self) -> tuple[Layer | None, Activation | None]:
        return None, self.activation

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return self.activation.apply(inputs[0])


class Dropout(Layer):
    """A share of the values becomes 0 while training, the rest is divided by what is kept (Srivastava et al. 2014)."""

    type: Literal["dropout"] = "dropout"
    rate: Fraction = Field(0.5, description="the share that is dropped")

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        if not scope.training or not self.rate:
            return x
        kept = greater(1 - self.rate, scope.uniform(x.shape))
        return x * (kept * (1 / (1 - self.rate)))


class _Elementwise(Layer):
    """A layer of several inputs of one size."""

    input_count = "several"

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        if len(set(input_sizes)) > 1:
            raise ValueError(f"the inputs of {self.type} must have one size, and have {_listed(input_sizes)}")
        return input_sizes[0]


class Add(_Elementwise):
    """The sum of its inputs, such as a residual branch and what it leads around (He et al. 2016)."""

    type: Literal["add"] = "add"

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Multiply(_Elementwise):
    """The product of its inputs, such as a branch and its gate."""

    type: Literal["multiply"] = "multiply"

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        product = inputs[0]
        for x in inputs[1:]:
            product = product * x
        return product


class Concatenate(Layer):
    """Its inputs' features, one after the other."""

    input_count = "several"
    type: Literal["concatenate"] = "concatenate"

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return sum(input_sizes)

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return concatenate(*inputs)


class Block(Layer):
    """Layers as one, repeated in a row: the first reads the block's input, the last one's output is the block's."""

    type: Literal["block"] = "block"
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, strict=False)] = Field(
        description="the layers; their names hold inside, where `input` is the block's input"
    )
    repeat: PositiveInteger = Field(1, description="how many times, each with parameters of its own")

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        raise NotImplementedError("a block's size follows from its layers, which walk() visits")


def _listed(sizes: Sequence[int]) -> str:
    return " and ".join(str(size) for size in sizes)
