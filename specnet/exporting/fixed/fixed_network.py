"""A network in fixed point: integers from rows to outputs, and the bound on their difference from the model's outputs.

A column is rounded to integers over the range of its training rows. A layer multiplies integers, adds its bias, and
divides by a power of two for each unit. All numbers are chosen so that nothing is cut off within the box of the
training rows: the ranges of all columns at once.

The bound is from interval arithmetic. A difference from the model begins with the rounding of a column, and in each
unit with the rounding of its weights, times the model's values over the box, of its bias and of its division. Each of
these errors is in an interval, and reaches a later unit with a factor that is in an interval too: a layer multiplies it
by rounded weights, and relu by an unknown number from 0 to 1, the same for all errors of its input. The sum of all
errors times their factors is the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.errors import UnsupportedError
from specnet.exporting.export_plan import LINEAR, Constants, NetworkPlan, Stage
from specnet.exporting.expression_text import TEXT_EXPANSIONS
from specnet.exporting.model_program import Program
from specnet.model import Model
from specnet.parts.arrays import FLOAT64, Array

MAX_HIDDEN, MAX_UNITS = 2, 32
"""The most hidden layers, and the most units of each."""
OUTPUT_BITS = 30
"""The number of bits of outputs, which are 32-bit integers, without the sign."""
MARGIN = 1.001
"""Free space at the ends of a layer's integers, as a factor, for the rounding."""

Integers = NDArray[np.int64]
Interval = tuple[Array, Array]


class RoundingErrors(NamedTuple):
    """RoundingErrors, and the factors by which they reach some units.

    Attributes
    ----------
    factors : (ndarray, ndarray)
        The ends of the factors, (units, errors).
    sizes : (ndarray, ndarray)
        The ends of the errors, (errors,).
    """

    factors: Interval
    sizes: Interval

    def total(self) -> Interval:
        """Return the interval of each unit's difference from the model."""
        ends = np.stack([factor * size for factor in self.factors for size in self.sizes])
        return ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)

    def behind(self, weight: Array, own: Interval) -> RoundingErrors:
        """Return the errors behind a weight (outputs, inputs), and those of the outputs themselves."""
        low, high = _times(weight, self.factors)
        ones = np.eye(len(weight))
        return RoundingErrors(
            (np.hstack([low, ones]), np.hstack([high, ones])),
            (np.append(self.sizes[0], own[0]), np.append(self.sizes[1], own[1])),
        )

    def behind_relu(self, is_off: NDArray[np.bool_]) -> RoundingErrors:
        """Return the errors behind relu, of units that are 0 without any error if they are off."""
        low, high = (np.where(is_off[:, None], 0.0, each) for each in self.factors)
        return RoundingErrors((np.minimum(low, 0.0), np.maximum(high, 0.0)), self.sizes)


class Widths(NamedTuple):
    """The integers of a kind of fixed point.

    Attributes
    ----------
    limit : int
        Their largest absolute value.
    sum_bits : int
    max_shift : int
        The largest exponent of a power of two that divides a sum.
    span : float
        The range of a column's integers, as a factor on the range of its training rows: other rows are often beyond it.
    """

    limit: int
    sum_bits: int
    max_shift: int
    span: float


WIDTHS = {"int8": Widths(127, 32, 20, 1.0), "int16": Widths(32767, 64, 40, 2.0)}
"""The kinds of fixed point."""


@dataclass(frozen=True, slots=True, eq=False)
class FixedLayer:
    """A layer of integers.

    Attributes
    ----------
    weight : ndarray (outputs, inputs) of int
    bias : ndarray (outputs,) of int
    shift : ndarray (outputs,) of int
        The exponents of the powers of two by which sums are divided.
    is_relu : bool
    limit : int
        Largest absolute value of the outputs.
    """

    weight: Integers
    bias: Integers
    shift: Integers
    is_relu: bool
    limit: int

    def __call__(self, x: Integers) -> Integers:
        """Return the outputs (rows, outputs) for inputs (rows, inputs), as the exported program computes them."""
        half = np.where(self.shift > 0, 1 << np.maximum(self.shift - 1, 0), 0)
        found: Integers = (x @ self.weight.T + self.bias + half) >> self.shift
        return np.clip(found, 0 if self.is_relu else -self.limit, self.limit)


class FixedNetwork:
    """A model in fixed point.

    Parameters
    ----------
    model : Model
    kind : str
        One of `WIDTHS`.
    rows : ndarray (rows, columns)
        The raw training rows.

    Attributes
    ----------
    centers, steps : ndarray (columns,)
        A column's integer is its difference from the centre, divided by the step and rounded.
    layers : list of FixedLayer
    step : float
        What one unit of an output integer stands for: of the value in the target's units, or of the margin.
    offsets : ndarray (outputs,)
        The output is the integer times the step, plus this.
    bound : ndarray (outputs,)
        The largest possible difference of an output from the model's over the box of the training rows.

    Raises
    ------
    UnsupportedError
        If fixed point has no equivalent of a part of the model.
    """

    def __init__(self, model: Model, kind: str, rows: Array) -> None:
        self.kind, self.widths, self.model = kind, WIDTHS[kind], model.astype("float64")
        program = Program(self.model, FLOAT64, TEXT_EXPANSIONS)
        _check(program)
        self.program, (network,) = program, program.networks
        low, high = rows.min(axis=0), rows.max(axis=0)
        self.low, self.high, self.centers = low, high, (low + high) / 2
        within = self.widths.limit / self.widths.span
        self.steps = np.where(high > low, (high - low) / (2 * within), 1.0)
        self.layers: list[FixedLayer] = []
        factor, offset = _line(network.trained.preprocessing.prepare, program.inputs)
        layers = [_dense(layer) for layer in _computing(network)]
        weight, bias, _ = layers[0]
        bias = bias + weight @ (factor * self.centers + offset)
        varies = np.where(high > low, factor * self.steps, 0.0)  # a constant column is in the bias
        layers[0] = (weight * varies, bias, layers[0][2])
        if program.task == "values":
            factor, offset = _line(network.trained.target_preprocessing.invert, network.outputs)
            weight, bias, is_relu = layers[-1]
            layers[-1] = (
                weight[: network.outputs] * factor[:, None],
                bias[: network.outputs] * factor + offset,
                is_relu,
            )
        ends = np.where(high > low, within, 0.0)
        ones, half, values, step = np.eye(len(ends)), 0.5 * (ends > 0), (-ends, ends), 1.0
        errors = RoundingErrors((ones, ones), (-half, half))
        for number, (weight, bias, is_relu) in enumerate(layers):
            is_last = number == len(layers) - 1
            values, errors, step = self._add(weight * step, bias, is_relu, is_last, values, errors)
        below, above = errors.total()
        # The model itself and these intervals are rounded to float64, far below any step.
        slack = 1e-12 * np.maximum(np.abs(values[0]), np.abs(values[1])) + 1e-9 * np.maximum(-below, above)
        self.step, self.bound = step, step * (np.maximum(-below, above) + slack)

    def _add(
        self, weight: Array, bias: Array, is_relu: bool, is_last: bool, x: Interval, errors: RoundingErrors
    ) -> tuple[Interval, RoundingErrors, float]:
        """Add a layer, and return the intervals of its values and their errors in units of its step, and the step.

        Parameters
        ----------
        weight, bias : ndarray (outputs, inputs), (outputs,)
            Those of the model for integers as inputs.
        is_relu, is_last : bool
        x : (ndarray, ndarray)
            The intervals of the model's inputs.
        errors : RoundingErrors
            The errors of the inputs.
        """
        limit = 2**OUTPUT_BITS if is_last else self.widths.limit
        low, high = (end + bias for end in _times(weight, x))
        most = float(high.max()) if is_relu else float(max(-low.min(), high.max()))
        step = max(most * MARGIN, 1e-300) / limit
        step = max(step, np.abs(weight).max() / self.widths.limit, np.abs(bias).max() / 2 ** (self.widths.sum_bits - 4))
        while True:
            layer = self._rounded(weight / step, bias / step, is_relu, limit)
            scale = np.ldexp(1.0, -layer.shift)
            given, exact = layer.weight * scale[:, None], weight / step
            rest, half = layer.bias * scale - bias / step, np.where(layer.shift > 0, 0.5, 0.0)
            by_weight = _times(given - exact, x)
            found = errors.behind(given, (by_weight[0] + rest - half, by_weight[1] + rest + half))
            values, between = (low / step, high / step), found.total()
            ends = values[0] + between[0], values[1] + between[1]
            if ends[1].max() <= limit and (is_relu or -ends[0].min() <= limit):
                break
            step *= 1.01
        if is_relu:
            found = found.behind_relu((values[1] <= 0) & (ends[1] <= 0))
            values = np.maximum(values[0], 0.0), np.maximum(values[1], 0.0)
        self.layers.append(layer)
        return values, found, step

    def _rounded(self, weight: Array, bias: Array, is_relu: bool, limit: int) -> FixedLayer:
        """Return a layer with rounded numbers, each unit with as many binary digits as fit."""
        bits, max_shift = self.widths.sum_bits, self.widths.max_shift
        largest = np.abs(weight).max(axis=1)
        with np.errstate(divide="ignore"):
            shift = np.floor(np.log2(self.widths.limit / largest))
            of_bias = np.floor(np.log2(2.0 ** (bits - 3) / np.abs(bias)))
        shift = np.clip(np.minimum(shift, of_bias), 0, max_shift).astype(np.int64)
        scale = np.ldexp(1.0, shift)
        rounded = np.rint(weight * scale[:, None])
        return FixedLayer(
            np.clip(rounded, -self.widths.limit, self.widths.limit).astype(np.int64),
            np.rint(bias * scale).astype(np.int64),
            shift,
            is_relu,
            limit,
        )

    def integers(self, rows: Array) -> Integers:
        """Return the integers of raw rows (rows, columns), which are cut off at the limit."""
        limit = self.widths.limit
        found: Integers = np.clip(np.rint((rows - self.centers) / self.steps), -limit, limit).astype(np.int64)
        return found

    def emulated(self, x: Integers) -> Integers:
        """Return the integers of the outputs (rows, outputs) for those of rows, exactly as the export computes them."""
        for layer in self.layers:
            x = layer(x)
        return x

    def differences(self, rows: Array) -> Array:
        """Return the differences (rows, outputs) from the model's outputs for raw rows."""
        outputs = self.emulated(self.integers(rows)) * self.step
        model = self.model.raw_outputs(rows) if self.program.task != "values" else self.model.predict(rows)
        found: Array = outputs - np.reshape(model, outputs.shape)
        return found

    @property
    def operations(self) -> int:
        """The number of multiplications and additions for a row."""
        return sum(layer.weight.size for layer in self.layers)

    @property
    def number_bytes(self) -> int:
        """The number of bytes of all constants."""
        width = 1 if self.kind == "int8" else 2
        return sum(
            layer.weight.size * width + layer.bias.size * self.widths.sum_bits // 8 + layer.shift.size
            for layer in self.layers
        )


def _times(weight: Array, interval: Interval) -> Interval:
    """Return the interval of a weight times each number of an interval."""
    low, high = interval
    up, down = np.maximum(weight, 0), np.minimum(weight, 0)
    return up @ low + down @ high, up @ high + down @ low


def _line(function: Callable[[Array], Array], size: int) -> tuple[Array, Array]:
    """Return the factors and offsets of a function that maps each column by a straight line."""
    at_0, at_1 = function(np.zeros((1, size)))[0], function(np.ones((1, size)))[0]
    return at_1 - at_0, at_0


def _computing(network: NetworkPlan) -> list[tuple[Stage, ...]]:
    """Return the layers without those that compute nothing in predictions, such as dropout."""
    return [layer for layer in network.layers if not (len(layer) == 1 and layer[0].is_identity)]


def _dense(layer: tuple[Stage, ...]) -> tuple[Array, Array, bool]:
    """Return the weight, the bias and whether there is a relu."""
    step = layer[0].steps[0]
    weight, *bias = (operand.array for operand in step.operands if isinstance(operand, Constants))
    return weight, bias[0] if bias else np.zeros(len(weight)), len(layer) > 1 and layer[1].part.type == "relu"


def _check(program: Program) -> None:
    """Refuse a model of which fixed point has no equivalent.

    Raises
    ------
    UnsupportedError
        The message lists all reasons.
    """
    network, reasons = program.networks[0], list[str]()
    if program.is_team or network.trained.is_ensemble:
        raise UnsupportedError("fixed point has no equivalent of the mean of several networks")
    if program.has_cells or any(column.kind != "numeric" for column in program.columns):
        reasons.append("columns of texts, dates and missing cells")
    steps = [*network.trained.preprocessing.steps, *network.trained.target_preprocessing.steps]
    reasons += [f"the preprocessing {step.type}" for step in steps if step.type != "standardize"]
    if not network.trained.preprocessing.is_one_chain(program.inputs):
        reasons.append("preprocessing of groups of columns")
    chain = [layer[0].node.inputs for layer in network.layers] == [
        (number - 1,) for number in range(len(network.layers))
    ]
    reasons += [] if chain else ["layers that do not read the one before"]
    layers = _computing(network)
    for number, layer in enumerate(layers):
        is_last = number == len(layers) - 1
        first, *others = layer
        if [step.operation for step in first.steps] != [LINEAR]:
            reasons.append(f"the layer {first.title}")
            continue
        activation = others[0].part.type if others else ""
        kept = program.task != "values" and activation in ("sigmoid", "softmax")  # labels follow from margins
        if activation not in ("", "linear", *(() if is_last else ("relu",))) and not (is_last and kept):
            reasons.append(f"the activation {activation}")
        if not is_last and first.steps[0].features > MAX_UNITS:
            reasons.append(f"layers of more than {MAX_UNITS} units")
    if program.task == "multilabel":
        reasons.append("several binary outputs")
    if len(layers) > MAX_HIDDEN + 1:
        reasons.append(f"more than {MAX_HIDDEN} hidden layers")
    if reasons:
        raise UnsupportedError(f"fixed point has no equivalent of {', '.join(dict.fromkeys(reasons))}")
