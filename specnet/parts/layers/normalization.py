"""Layers that scale or normalize features or rows."""

from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field

from specnet.compiler import Value, custom, greater, maximum, sqrt, sum_over
from specnet.parts.fields import Fraction, PositiveNumber
from specnet.parts.initializers import Ones, Zeros
from specnet.parts.layers.base import LearningLayer, Scope
from specnet.parts.orders import Orders, not_negative
from specnet.parts.parameters import ParameterBlock, StateTensor, per_feature
from specnet.parts.part import Names

_KERAS_FLAGS = {"scale": "scale", "shift": "center"}


class Scale(LearningLayer):
    """x·s with a learned factor s per feature, starting at 1.

    Used before the first dense layer of RealMLP (Holzmüller et al. 2024). The factors are weights, subject to decay
    and penalties; with an l1 penalty they select columns. The optional shift starts at 0 and does not decay.
    """

    keeps_order = True
    example = "use_shift = true"
    type: Literal["scale"] = "scale"
    use_shift: bool = Field(False, description="add a learned shift for each feature after scaling")

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        (features,) = input_sizes
        shift = (per_feature("shift", features, Zeros()),) if self.use_shift else ()
        return (per_feature("factor", features, Ones(), decays=True), *shift)

    def ordered(self, parameters: Sequence[Value], inputs: Sequence[Orders], outputs: Orders) -> Sequence[Value]:
        return (not_negative(parameters[0], outputs), *parameters[1:])

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,), (factor, *shift) = inputs, parameters
        return x * factor + shift[0] if shift else x * factor


class _Normalization(LearningLayer):
    """A layer that learns a scale and a shift for each feature, neither of which decays."""

    epsilon: PositiveNumber = Field(1e-5, description="constant added to the variance for stability")

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        (features,) = input_sizes
        return (per_feature("scale", features, Ones()), per_feature("shift", features, Zeros()))


class BatchNormalization(_Normalization):
    """(x − mean)/√(variance + ε)·scale + shift per feature, scale and shift being learned (Ioffe and Szegedy 2015).

    Training uses the mean and variance of the batch, ignoring sample weights; evaluation uses running averages, updated
    by each step: running ← m·running + (1 − m)·batch, from mean 0 and variance 1. As in PyTorch, the variance of the
    batch divides by the number of rows n, the running one by n − 1; Keras uses n in both. m is `momentum` as in Keras;
    PyTorch's is 1 − m. A batch of one row, an error in PyTorch, leaves the running variance unchanged. With
    ``trainable = false`` scale and shift stay fixed, as in PyTorch; a frozen layer of Keras also uses the running
    averages during training.
    """

    keeps_order = True
    onnx = ("BatchNormalization", {"epsilon": "epsilon"})
    names = Names(
        keras_layer=("BatchNormalization", "momentum", "epsilon"),
        torch=(
            "BatchNorm1d",
            "nn.BatchNorm1d({size}, eps={epsilon}, momentum=1 - {momentum}, dtype=torch.{dtype})",
            *("weight", "bias", "running_mean", "running_var"),
        ),
        keras_flags=_KERAS_FLAGS,
    )
    type: Literal["batch_normalization"] = "batch_normalization"
    momentum: Fraction = Field(0.99, description="fraction of the running averages kept at each step")

    def ordered(self, parameters: Sequence[Value], inputs: Sequence[Orders], outputs: Orders) -> Sequence[Value]:
        return (not_negative(parameters[0], outputs), *parameters[1:])

    def states(self, input_sizes: tuple[int, ...]) -> tuple[StateTensor, ...]:
        (features,) = input_sizes
        return (StateTensor("running_mean", (features, 1), 0.0), StateTensor("running_variance", (features, 1), 1.0))

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,), (scale, shift) = inputs, parameters
        running_mean, running_variance = scope.state("running_mean"), scope.state("running_variance")
        if not scope.training:
            return (x - running_mean) * (scale / sqrt(running_variance + self.epsilon)) + shift
        mean, centred = _centred(x, scope.batch_mean)
        variance = scope.batch_mean(centred * centred)
        inverse = 1 / sqrt(variance + self.epsilon)
        self._keep(scope, running_mean, mean, 1 - self.momentum)
        one_over_n = scope.inverse_rows
        # n/(n − 1) for several rows; a single row has 1 − 1/n = 0 and does not change the running variance.
        unbiased = variance / maximum(1 - one_over_n, one_over_n)
        self._keep(scope, running_variance, unbiased, greater(1, one_over_n) * (1 - self.momentum))

        def backward(d: Value) -> tuple[Value, Value, Value]:
            return self.backward(d, scope, centred, inverse, scale)

        return custom(centred * (inverse * scale) + shift, [x, scale, shift], backward)

    def backward(
        self, d: Value, scope: Scope, centred: Value, inverse: Value, scale: Value
    ) -> tuple[Value, Value, Value]:
        """Return the derivatives by x, scale and shift, given d by the output, in a third of the usual operations."""
        d_shift, d_factor = sum_over(d, "batch"), sum_over(d * centred, "batch")
        mean, slope = d_shift * scope.inverse_rows, d_factor * scope.inverse_rows * (inverse * inverse)
        return (d - centred * slope - mean) * (inverse * scale), d_factor * inverse, d_shift

    def _keep(self, scope: Scope, running: Value, value: Value, share: Value | float) -> None:
        scope.commit(running, running + (value - running) * share)


class LayerNormalization(_Normalization):
    """(x − mean)/√(variance + ε)·scale + shift, with the mean and variance over the features of a row (Ba et al. 2016).

    Scale and shift are learned per feature. The variance divides by the number of features, as in PyTorch and Keras,
    whose ε is 0.001. With a single feature the output is the shift alone.
    """

    onnx = ("LayerNormalization", {"epsilon": "epsilon"})
    names = Names(
        keras_layer=("LayerNormalization", "epsilon"),
        torch=("LayerNorm", "nn.LayerNorm({size}, eps={epsilon}, dtype=torch.{dtype})", "weight", "bias"),
        keras_flags=_KERAS_FLAGS,
    )
    type: Literal["layer_normalization"] = "layer_normalization"

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,), (scale, shift) = inputs, parameters
        _, centred = _centred(x, _feature_mean)
        inverse = 1 / sqrt(_feature_mean(centred * centred) + self.epsilon)
        normal = centred * inverse

        def backward(d: Value) -> tuple[Value, Value, Value]:
            return self.backward(d, normal, inverse, scale)

        return custom(normal * scale + shift, [x, scale, shift], backward)

    def backward(self, d: Value, normal: Value, inverse: Value, scale: Value) -> tuple[Value, Value, Value]:
        """Return the derivatives by x, scale and shift, given the derivative d by the output."""
        d_normal = d * scale
        d_x = (d_normal - normal * _feature_mean(d_normal * normal) - _feature_mean(d_normal)) * inverse
        return d_x, sum_over(d * normal, "batch"), sum_over(d, "batch")


def _centred(x: Value, mean_of: Callable[[Value], Value]) -> tuple[Value, Value]:
    """Return the mean and x less it, taken twice: what the first leaves of large numbers is rounding, and no variance.

    Equal numbers would else differ from their mean by as much as from each other, and become 1.
    """
    mean = mean_of(x)
    centred = x - mean
    rest = mean_of(centred)
    return mean + rest, centred - rest


def _feature_mean(x: Value) -> Value:
    return sum_over(x, "features") / int(x.shape[0])
