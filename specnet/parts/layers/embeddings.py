"""Layers that turn each column of a table into several numbers: of categories, and of numbers.

The numbers of one column are not adjacent: the first numbers of all columns come first, then the second ones.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.compiler import (
    Value,
    concatenate,
    cos,
    gather,
    greater,
    grouped_matmul,
    maximum,
    minimum,
    repeat,
    rows,
    sin,
    to_index,
    where,
)
from specnet.errors import DataError
from specnet.parts.fields import Indices, PositiveInteger, PositiveIntegers, PositiveNumber
from specnet.parts.initializers import Fans, Initializer, PytorchLinear, RandomNormal, RandomUniform
from specnet.parts.layers.base import LearningLayer, Scope
from specnet.parts.layers.bins import quantile_edges, tree_edges
from specnet.parts.orders import Orders
from specnet.parts.parameters import ParameterBlock, StateTensor, Tensor
from specnet.parts.part import FieldProblem, written
from specnet.parts.preprocessing.column_operations import picked, runs


class _ColumnLayer(LearningLayer):
    """A layer that transforms some columns and passes the others through unchanged."""

    columns: Indices | None = Field(None, description="columns to embed, counted from 0; default: all")
    keep_others: bool = Field(True, description="pass the other columns through, before the embedded ones")

    def problems(self) -> Iterator[FieldProblem]:
        columns = self.columns or ()
        for index, column in enumerate(columns):
            if column in columns[:index]:
                yield FieldProblem(("columns", index), f"duplicate column {column}", "duplicate-column")

    def chosen(self, size: int) -> tuple[int, ...]:
        return super().chosen(size) if self.columns is None else self.columns

    def others(self, size: int) -> list[int]:
        """Return the indices of the columns that pass through unchanged."""
        chosen = set(self.chosen(size))
        return [column for column in range(size) if column not in chosen] if self.keep_others else []

    def made_size(self, count: int) -> int:
        """Return the number of features that the layer makes from a number of columns."""
        raise NotImplementedError(f"{type(self).__name__} has no made_size")

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        (size,) = input_sizes
        chosen = self.chosen(size)
        if max(chosen) >= size:
            raise ValueError(f"column {max(chosen)} out of range: there are {size} columns, counted from 0")
        return len(self.others(size)) + self.made_size(len(chosen))

    def made_origins(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        """Return the column of each feature: the first feature of every column, then the second of every column, …"""
        return columns * (self.made_size(len(columns)) // len(columns))

    def origins(self, input_sizes: tuple[int, ...]) -> tuple[int, ...]:
        (size,) = input_sizes
        return (*self.others(size), *self.made_origins(self.chosen(size)))

    def passed(self, input_sizes: tuple[int, ...]) -> tuple[int | None, ...]:
        (size,) = input_sizes
        others = self.others(size)
        return (*others, *[None] * (self.output_size(input_sizes) - len(others)))

    def orders(self, inputs: Sequence[Orders]) -> Orders | None:
        (columns,) = inputs
        is_kept = self.keeps_order or not any(columns[index] for index in self.chosen(len(columns)))
        return tuple(columns[index] for index in self.origins((len(columns),))) if is_kept else None

    def joined(self, x: Value, made: Sequence[Value]) -> Value:
        """Return the unchanged columns of x, followed by the features of the transformed columns."""
        return concatenate(*runs(x, self.others(int(x.shape[0]))), *made)


class Embedding(_ColumnLayer):
    """A learned vector for each category of a column with codes 0, 1, … (Guo and Berkhahn 2016).

    Each column has its own table. Values other than integers from 0 to categories − 1 are errors, in prediction too.
    Tables start as N(0, 1), as in PyTorch; Keras's start within ±0.05.
    """

    reads_columns = True
    example = "columns = [0], categories = 5, size = 2"
    type: Literal["embedding"] = "embedding"
    categories: PositiveIntegers = Field(description="number of categories, one for all columns or one per column")
    size: PositiveIntegers = Field(description="size of the embedding, one for all columns or one per column")
    weight_initializer: Initializer = Field(RandomNormal(stddev=1.0), description="initializer of the embedding tables")

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        for name, given in (("categories", self.categories), ("size", self.size)):
            if self.columns is not None and len(given) not in (1, len(self.columns)):
                message = f"got {len(given)} numbers for {len(self.columns)} columns"
                yield FieldProblem((written(self, name),), message, "column-count")
        if self.weight_initializer.reads_outputs:
            message = f"{self.weight_initializer.type} is for dense layers only"
            yield FieldProblem(("weight_initializer",), message, "weight-initializer")

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        count = len(self.chosen(*input_sizes))
        for name, given in (("categories", self.categories), ("size", self.size)):
            if len(given) not in (1, count):
                raise ValueError(f"{name} has {len(given)} numbers for {count} columns")
        return super().output_size(input_sizes)

    def made_size(self, count: int) -> int:
        return sum(_for_each(self.size, count))

    def made_origins(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        sizes = _for_each(self.size, len(columns))
        return tuple(column for column, size in zip(columns, sizes, strict=True) for _ in range(size))

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        (size,) = input_sizes
        draw = self.weight_initializer
        return tuple(_table(f"table_{column}", count, width, draw) for column, count, width in self._tables(size))

    def category_counts(self, columns: int) -> dict[int, int]:
        return {column: categories for column, categories, _ in self._tables(columns)}

    def check_columns(self, X: NDArray[Any], name: str, first_row: int) -> None:
        for column, categories, _ in self._tables(X.shape[1]):
            given = X[:, column]
            wrong = np.flatnonzero((given != np.floor(given)) | (given < 0) | (given >= categories))
            if wrong.size:
                location = f"row {first_row + wrong[0]}, column {column}"
                expected = f"its embedding expects categories from 0 to {categories - 1}"
                raise DataError(f"{name} has {float(given[wrong[0]])} at {location}; {expected}")

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        chosen = self.chosen(int(x.shape[0]))
        indices = [to_index(rows(x, column, column + 1)) for column in chosen]
        return self.joined(x, [gather(table, index) for table, index in zip(parameters, indices, strict=True)])

    def _tables(self, size: int) -> Iterator[tuple[int, int, int]]:
        chosen = self.chosen(size)
        return zip(chosen, _for_each(self.categories, len(chosen)), _for_each(self.size, len(chosen)), strict=True)


class PeriodicEmbedding(_ColumnLayer):
    """Sines and cosines of learned frequencies for each numeric column, then a linear map (Gorishniy et al. 2022).

    - plr: relu(W·[sin(2πf·x), cos(2πf·x)] + b), with W and b per column;
    - plr_lite: the same with one W and b for all columns;
    - pbld: W·cos(2πf·x + p) + b, followed by x itself (RealMLP, Holzmüller et al. 2024).

    Frequencies f are drawn from N(0, frequency_stddev²), a hyperparameter worth tuning, and p uniformly from ±π;
    neither decays. W and b start uniformly within ±1/√n with n frequencies. The defaults are those of the authors'
    package.
    """

    type: Literal["periodic_embedding"] = "periodic_embedding"
    variant: Literal["plr", "plr_lite", "pbld"] = Field("plr", description="form of the embedding, as listed above")
    frequencies: PositiveInteger = Field(48, description="number of frequencies per column")
    frequency_stddev: PositiveNumber = Field(0.01, description="standard deviation of the initial frequencies")
    size: PositiveInteger = Field(24, description="size of the embedding per column; at least 2 for pbld")

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        if self.variant == "pbld" and self.size < 2:
            message = "pbld needs a size of at least 2: its last number is the column itself"
            yield FieldProblem((written(self, "size", "variant"),), message, "embedding-size")

    def made_size(self, count: int) -> int:
        return self.size * count

    def value_count(self, input_sizes: tuple[int, ...]) -> int:
        inside = (self.frequencies + self._waves) * len(self.chosen(*input_sizes))
        return inside + self.output_size(input_sizes)

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        count, waves = len(self.chosen(*input_sizes)), self._waves
        frequency = RandomNormal(stddev=self.frequency_stddev)
        blocks = [_of_columns("frequency", self.frequencies, count, frequency, waves)]
        if self.variant == "pbld":
            phase = RandomUniform(minval=-math.pi, maxval=math.pi)
            blocks.append(_of_columns("phase", self.frequencies, count, phase, 1))
        groups, outputs = 1 if self.variant == "plr_lite" else count, self.size - (self.variant == "pbld")
        return (*blocks, *_linear(waves, outputs, groups))

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,), (frequency, *phases, weight, bias) = inputs, parameters
        chosen = self.chosen(int(x.shape[0]))
        column = picked(x, chosen)
        angle = repeat(column, self.frequencies) * (frequency * (2 * math.pi))
        if self.variant == "pbld":
            return self.joined(x, [_mapped(weight, bias, cos(angle + phases[0]), len(chosen)), column])
        if self.variant == "plr_lite":
            weight, bias = repeat(weight, len(chosen), each=True), repeat(bias, len(chosen), each=True)
        waves = concatenate(sin(angle), cos(angle))
        return self.joined(x, [maximum(_mapped(weight, bias, waves, len(chosen)), 0.0)])

    @property
    def _waves(self) -> int:
        return self.frequencies if self.variant == "pbld" else 2 * self.frequencies


class PiecewiseLinearEmbedding(_ColumnLayer):
    """Position of each numeric column within each of its bins, from 0 to 1 (Gorishniy et al. 2022).

    For edges b₀ < … < bₜ: (x − bₖ₋₁)/(bₖ − bₖ₋₁), not below 0 but in the first bin, not above 1 but in the last. Edges
    are found in the training rows when a model is fitted; before that they lie evenly within ±2. With fewer distinct
    edges there are fewer bins, and 0 instead of the others. With a `size`, relu(W·bins + b) follows, with a W and b for
    each column. The authors' package calls the first form an encoding, the second an embedding.

    - quantile: edges are quantiles. A number that more rows share than a bin should have, such as a frequent 0, is one
      edge, and the others are quantiles of the remaining rows.
    - tree: edges are the thresholds of a decision tree that predicts the target from the column, by scikit-learn
      (PLE-T). A network of an ensemble on folds has trees of its own training rows.

    Columns may be the data's, or those that an embedding of categories in front passes on.
    """

    reads_columns = True
    reads_passed_columns = True
    keeps_order = True
    type: Literal["piecewise_linear_embedding"] = "piecewise_linear_embedding"
    bins: PositiveInteger = Field(16, description="number of bins per column")
    strategy: Literal["quantile", "tree"] = Field("quantile", description="how edges are found, as listed above")
    size: PositiveInteger | None = Field(
        None, description="size of the embedding per column; default: the bins themselves"
    )

    def orders(self, inputs: Sequence[Orders]) -> Orders | None:
        (columns,) = inputs
        is_weighted = self.size is not None and any(columns[index] for index in self.chosen(len(columns)))
        return None if is_weighted else super().orders(inputs)

    def made_size(self, count: int) -> int:
        return (self.size or self.bins) * count

    def value_count(self, input_sizes: tuple[int, ...]) -> int:
        return self.bins * len(self.chosen(*input_sizes)) + self.output_size(input_sizes)

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        return _linear(self.bins, self.size, len(self.chosen(*input_sizes))) if self.size else ()

    def states(self, input_sizes: tuple[int, ...]) -> tuple[StateTensor, ...]:
        count = len(self.chosen(*input_sizes))
        start = np.repeat(np.linspace(-2, 2, self.bins + 1), count)
        return (StateTensor("edges", ((self.bins + 1) * count, 1), start),)

    def fitted_states(
        self, X: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None = None
    ) -> dict[str, NDArray[Any]]:
        columns = (X[:, column].astype(np.float64) for column in self.chosen(X.shape[1]))
        if self.strategy == "tree":
            edges = [tree_edges(column, self.bins, target, weight) for column in columns]
        else:
            edges = [quantile_edges(column, self.bins) for column in columns]
        return {"edges": np.stack(edges, axis=1).reshape(-1)}

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        chosen = self.chosen(int(x.shape[0]))
        count, edges = len(chosen), scope.state("edges")
        low = rows(edges, 0, self.bins * count)
        width = rows(edges, count, (self.bins + 1) * count) - low
        filled = repeat(picked(x, chosen), self.bins) - low
        filled = filled * where(greater(width, 0.0), 1 / width, 0.0)
        last, pieces = (self.bins - 1) * count, [filled]
        if self.bins > 1:
            pieces = [minimum(rows(filled, 0, count), 1.0), maximum(rows(filled, last, last + count), 0.0)]
        if self.bins > 2:
            pieces.insert(1, minimum(maximum(rows(filled, count, last), 0.0), 1.0))
        if self.size is None:
            return self.joined(x, pieces)
        weight, bias = parameters
        return self.joined(x, [maximum(_mapped(weight, bias, concatenate(*pieces), count), 0.0)])


def _for_each(given: tuple[int, ...], count: int) -> tuple[int, ...]:
    return given * count if len(given) == 1 else given


def _table(name: str, categories: int, width: int, initializer: Initializer) -> ParameterBlock:
    """Return a block for a table of vectors (categories, width), which the engine stores transposed."""
    tensor = Tensor(name, (categories, width), (0, width), initializer, Fans(categories, width), decays=True)
    return ParameterBlock((width, categories), (tensor,))


def _of_columns(name: str, count: int, columns: int, initializer: Initializer, fan_in: int) -> ParameterBlock:
    """Return a block of `count` numbers for each column, without decay: (count, columns)."""
    tensor = Tensor(name, (count, columns), (0, count * columns), initializer, Fans(fan_in, count), decays=False)
    return ParameterBlock((count * columns, 1), (tensor,))


def _linear(inputs: int, outputs: int, groups: int) -> tuple[ParameterBlock, ParameterBlock]:
    """Return a weight (outputs, inputs, groups) and a bias (outputs, groups)."""
    fans, shape = Fans(inputs, outputs), (outputs, inputs, groups)
    weight = Tensor("weight", shape, (0, inputs * groups), PytorchLinear(), fans, decays=True)
    bias = _of_columns("bias", outputs, groups, PytorchLinear(), inputs)
    return ParameterBlock((inputs * groups, outputs), (weight,)), bias


def _mapped(weight: Value, bias: Value, x: Value, groups: int) -> Value:
    return grouped_matmul(weight, x, groups, flip_a=True) + bias
