"""Layers: from inputs of known sizes to an output, with the parameters they need.

Inside the engine an activation is (features, batch). A layer declares its parameters as blocks, arrays in the engine's
form, and says for each block which arrays a user sees in it under which name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import Field

from specnet.compiler import Shape, Value, affine, concatenate, greater, linear_map
from specnet.parts.activations import Activation
from specnet.parts.fields import Fraction, LayerName, NonNegativeNumber, PositiveInteger
from specnet.parts.initializers import Initializer, Place
from specnet.parts.parameters import ParameterBlock, StateTensor, Tensor
from specnet.parts.part import FieldProblem, Part


class Scope(Protocol):
    """What a layer can ask of the program in which it is placed."""

    @property
    def training(self) -> bool:
        """Whether the program is one that trains."""

    def uniform(self, shape: Shape) -> Value:
        """Return numbers from [0, 1) that the host draws anew before each step."""

    def normal(self, shape: Shape) -> Value:
        """Return standard normal numbers that the host draws anew before each step."""

    def batch_mean(self, x: Value) -> Value:
        """Return the mean over the batch, (features, 1)."""

    def state(self, name: str) -> Value:
        """Return one of the layer's states, in its engine's shape."""

    def commit(self, state: Value, value: Value) -> None:
        """Set a state, when the step has been made, to a new value."""


@dataclass(frozen=True, slots=True)
class LearningRules:
    """How parameters learn: whether at all, and the factors on the learning rate and on weight decay."""

    trainable: bool = True
    learning_rate_factor: float = 1.0
    weight_decay_factor: float = 1.0


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

    def states(self, input_sizes: tuple[int, ...]) -> tuple[StateTensor, ...]:
        """Return what the layer keeps from batch to batch."""
        return ()

    @property
    def rules(self) -> "LearningRules":
        """How the layer's parameters learn."""
        return LearningRules()

    def parameter_count(self, input_sizes: tuple[int, ...]) -> int:
        """Return how many numbers the layer learns."""
        return sum(block.size for block in self.parameters(input_sizes))

    def split_activation(self) -> tuple["Layer | None", Activation | None]:
        """Return the layer without the activation that it ends in, and that activation; either may be None."""
        return self, None

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        """Return the output (features, batch) from the inputs and the parameters' blocks."""
        raise NotImplementedError(f"{type(self).__name__} has no apply")


class LearningLayer(Layer):
    """A layer with parameters."""

    trainable: bool = Field(True, description="whether its parameters learn, or stay as they are drawn or loaded")
    learning_rate_factor: NonNegativeNumber = Field(1.0, description="times the learning rate, for its parameters")
    weight_decay_factor: NonNegativeNumber = Field(1.0, description="times the weight decay, for its weights")

    @property
    def rules(self) -> LearningRules:
        return LearningRules(self.trainable, self.learning_rate_factor, self.weight_decay_factor)


class Dense(LearningLayer):
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

    def problems(self) -> Iterator[FieldProblem]:
        if self.bias_initializer is not None and self.bias_initializer.needs_matrix:
            message = f"{self.bias_initializer.type} draws matrices, and a bias is none"
            yield FieldProblem(("bias_initializer",), message, "bias-initializer")

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return self.activation.output_size(self.units) if self.activation else self.units

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
        block = ParameterBlock((inputs + self.use_bias, self.units), tuple(tensors))
        return (block, *(self.activation.parameters(self.units) if self.activation else ()))

    def split_activation(self) -> tuple[Layer | None, Activation | None]:
        return self.model_copy(update={"activation": None}), self.activation

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,), (block, *learned) = inputs, parameters
        z = affine(block, x) if self.use_bias else linear_map(block, x)
        return self.activation.apply(z, learned) if self.activation else z


class ActivationLayer(LearningLayer):
    """An activation by itself."""

    type: Literal["activation"] = "activation"
    activation: Activation = Field(description="the function that is applied")

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return self.activation.output_size(*input_sizes)

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        return self.activation.parameters(*input_sizes)

    def split_activation(self) -> tuple[Layer | None, Activation | None]:
        return None, self.activation

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return self.activation.apply(inputs[0], parameters)


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
