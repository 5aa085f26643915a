"""The base classes of layers: sizes, parameters, states, and the output as a function of the inputs."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol, Self

from numpy.typing import NDArray
from pydantic import Field

from specnet.compiler import Shape, Value
from specnet.parts.activations import Activation
from specnet.parts.fields import LayerName, NonNegativeNumber
from specnet.parts.initializers import Initializer
from specnet.parts.orders import Orders
from specnet.parts.parameters import ParameterBlock, StateTensor
from specnet.parts.part import OnnxOperator, described
from specnet.parts.registry import PartKind
from specnet.parts.schedules import Schedule


class Scope(Protocol):
    """The interface through which a layer uses the program that contains it."""

    @property
    def training(self) -> bool:
        """Whether the program is for training."""

    @property
    def inverse_rows(self) -> Value:
        """1 over the number of rows of the batch."""

    def uniform(self, shape: Shape) -> Value:
        """Return uniform random numbers from [0, 1), which the host draws again before each step."""

    def normal(self, shape: Shape) -> Value:
        """Return standard normal random numbers, which the host draws again before each step."""

    def factor(self, schedule: Schedule) -> Value:
        """Return the factor of a schedule, of shape (), which the host sets before each step."""

    def batch_mean(self, x: Value) -> Value:
        """Return the mean over the batch, (features, 1)."""

    def state(self, name: str) -> Value:
        """Return a state of the layer by name, in the shape of the engine."""

    def commit(self, state: Value, value: Value) -> None:
        """Set a state to a new value after the step."""


class LayerContext(Protocol):
    """The interface through which a layer reads its spec to determine its defaults."""

    @property
    def activation_after(self) -> Activation | None:
        """The activation that follows the layer, if the next layer is only an activation; None otherwise."""

    def initializer(self, field: str, own: Initializer | None, default: Initializer) -> Initializer:
        """Return the initializer of a field: the layer's own, else the network's for this field, else the default."""

    def initializer_before(self, activation: Activation) -> Initializer:
        """Return the default initializer of weights before an activation."""


class LearningRules(NamedTuple):
    """Whether parameters are trained, and their factors on the learning rate and on weight decay."""

    trainable: bool = True
    learning_rate_factor: float = 1.0
    weight_decay_factor: float = 1.0


class Layer(PartKind):
    """A step from one or several arrays to one."""

    kind: ClassVar[str] = "layer"
    input_count: ClassVar[Literal["one", "several"]] = "one"
    onnx: ClassVar[OnnxOperator | None] = None
    """The ONNX operator that computes the layer outside of training; without it, an export writes the value's nodes."""
    reads_columns: ClassVar[bool] = False
    """Whether the layer can only read the network's columns, so that it cannot follow another layer."""
    reads_passed_columns: ClassVar[bool] = False
    """Whether the layer may also read columns that earlier layers pass through unchanged."""
    keeps_order: ClassVar[bool] = False
    """Whether each output rises or stays where the input features at the same position rise, given `ordered` blocks."""
    size_field: ClassVar[str | None] = None
    """The field that determines `declared_size`."""
    separates_losses: ClassVar[bool] = False
    """Whether training minimizes the mean of the losses of the layer's inputs, each as the output of the network."""
    layers_field: ClassVar[str | None] = None
    """The field with the layers of a group."""
    training_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that only training needs."""

    name: LayerName | None = Field(None, description="name used by other layers and in the names of the weights")
    inputs: Annotated[tuple[LayerName, ...], Field(min_length=1, strict=False)] | None = Field(
        None, description="layers it reads from, `input` being the network's input; default: the previous layer"
    )

    def with_defaults(self, context: LayerContext) -> Self:
        """Return the layer with its defaults filled in."""
        return self

    def with_activation(self, activation: Activation) -> Self | None:
        """Return the layer with this activation at its end, if it has none yet; None if it does not support one."""
        return None

    @property
    def inner_layers(self) -> "tuple[Layer, ...]":
        """The layers of a group; empty for a layer that computes something."""
        return () if self.layers_field is None else getattr(self, self.layers_field)

    @property
    def repetitions(self) -> int:
        """Number of times that the layers of a group follow each other."""
        return 1

    def with_inner_layers(self, layers: "tuple[Layer, ...]") -> Self:
        """Return a group with other layers."""
        return self if self.layers_field is None else self.model_copy(update={self.layers_field: layers})

    def declared_size(self) -> int | None:
        """Return the number of output features that the fields set; None if it follows from the inputs.

        Raises
        ------
        ValueError
            If no size is possible; the message has the reason.
        """
        return None

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        """Return the number of output features.

        Raises
        ------
        ValueError
            If inputs of these sizes do not fit; the message has the reason.
        """
        (size,) = input_sizes
        return size

    def value_count(self, input_sizes: tuple[int, ...]) -> int:
        """Return the approximate number of values per row that the layer computes: outputs and larger intermediates."""
        return self.output_size(input_sizes)

    def origins(self, input_sizes: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the index of the one input that each output depends on; None if outputs depend on several."""
        return None

    def passed(self, input_sizes: tuple[int, ...]) -> tuple[int | None, ...]:
        """Map each output to the input that it passes through unchanged, or to None; empty if no input is."""
        return ()

    def orders(self, inputs: Sequence[Orders]) -> Orders | None:
        """Return the orders of the outputs, given those of each input; None if the layer does not keep them.

        It is called if a feature of an input has an order.
        """
        return inputs[0] if self.keeps_order else None

    def ordered(self, parameters: Sequence[Value], inputs: Sequence[Orders], outputs: Orders) -> Sequence[Value]:
        """Return the blocks that `apply` uses instead of the learned ones, so that outputs have these orders."""
        return parameters

    def chosen(self, size: int) -> tuple[int, ...]:
        """Return the indices of the columns that the layer transforms, given the number of columns."""
        return tuple(range(size))

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        """Return the blocks of parameters for inputs of these sizes."""
        return ()

    def states(self, input_sizes: tuple[int, ...]) -> tuple[StateTensor, ...]:
        """Return the states that the layer updates from batch to batch."""
        return ()

    def tensor_shapes(self, input_sizes: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all parameters and states by name, in the form that users see."""
        blocks, states = self.parameters(input_sizes), self.states(input_sizes)
        learned = {tensor.name: tensor.shape for block in blocks for tensor in block.tensors}
        return learned | {state.name: state.user_shape for state in states}

    def check_columns(self, X: NDArray[Any], name: str, first_row: int) -> None:
        """Refuse rows (rows, columns) of the network's input that the layer cannot read; called if `reads_columns`.

        Raises
        ------
        DataError
            With the name of the argument and the location; `first_row` is the number of the first row.
        """

    def fitted_states(
        self, X: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return states that are fitted to training rows, in the user's form; called if `reads_columns`.

        Parameters
        ----------
        X : (rows, columns)
        target : (rows,) or (rows, outputs)
            The target as the loss reads it: class indices of an integer type, or prepared numbers.
        weight : (rows,), optional
            Weights of the rows.
        """
        return {}

    @property
    def fits_weights(self) -> bool:
        """Whether the weights of the layer's inputs are fitted to held-out rows; for `separates_losses`."""
        return False

    @property
    def rules(self) -> "LearningRules":
        """Whether the layer's parameters are trained, and their factors."""
        return LearningRules()

    def parameter_count(self, input_sizes: tuple[int, ...]) -> int:
        """Return the number of the layer's parameters."""
        return sum(block.size for block in self.parameters(input_sizes))

    def split_activation(self) -> tuple["Layer | None", Activation | None]:
        """Return the layer without the activation that it ends in, and that activation; either may be None."""
        return self, None

    def short(self) -> dict[str, Any]:
        return {"type": self.type, **self._short_fields()}

    @property
    def activation_field(self) -> str | None:
        """The field of the activation that the layer ends in; None if there is none."""
        _, activation = self.split_activation()
        fields = (name for name in type(self).model_fields if getattr(self, name) is activation)
        return None if activation is None else next(fields, None)

    @property
    def initializers_by_field(self) -> dict[str, Initializer]:
        """The initializers that the layer's fields hold, by field."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in found.items() if isinstance(value, Initializer)}

    @property
    def schedules(self) -> dict[str, Schedule]:
        """The schedules that the layer's fields hold, by field."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in found.items() if isinstance(value, Schedule)}

    def summary(self, *, training: bool = True) -> str:
        """Return the layer's type and settings, without its size, activation and initializers.

        Parameters
        ----------
        training : bool
            Whether to include settings that only training needs.
        """
        elsewhere = {self.size_field, self.activation_field, *self.initializers_by_field, *Layer.model_fields}
        return described(self, elsewhere if training else elsewhere | self.training_fields)

    def category_counts(self, columns: int) -> dict[int, int]:
        """Return the number of categories by index of the input column, for columns with codes of categories."""
        return {}

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        """Return the output (features, batch) from the inputs and the parameters' blocks."""
        raise NotImplementedError(f"{type(self).__name__} has no apply")


class LearningLayer(Layer):
    """A layer with parameters."""

    training_fields = frozenset({"trainable", "learning_rate_factor", "weight_decay_factor"})

    trainable: bool = Field(True, description="train the parameters of this layer")
    learning_rate_factor: NonNegativeNumber = Field(1.0, description="learning-rate multiplier for this layer")
    weight_decay_factor: NonNegativeNumber = Field(1.0, description="weight-decay multiplier for this layer")

    @property
    def rules(self) -> LearningRules:
        return LearningRules(self.trainable, self.learning_rate_factor, self.weight_decay_factor)
