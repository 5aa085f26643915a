"""The description of a model for all targets: raw columns, a plan of each network, and the way to answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from specnet.compiler import Expansions, Operation
from specnet.errors import UnsupportedError
from specnet.exporting.export_columns import columns_of
from specnet.exporting.export_plan import GROUPED, LINEAR, Constants, NetworkPlan, Stage, Step
from specnet.exporting.learning.learning_plan import LearningPlan
from specnet.model import Model
from specnet.model.directions import promise
from specnet.model.file import name_prefixes
from specnet.parts.arrays import Array


class ExportInterval(NamedTuple):
    """Intervals that an export returns in addition to values, computed in float64.

    Attributes
    ----------
    level : float
    reach : ndarray (outputs, knots)
        The distance from a predicted value to each end of its interval, given for the values in `knots`. It is
        interpolated between knots, and constant beyond them.
    knots : ndarray (outputs, knots)
        Predicted values in ascending order; ignored if there is only one.
    not_negative : list of int
        Indices of the outputs whose intervals are cut off at 0.
    """

    level: float
    reach: NDArray[np.float64]
    knots: NDArray[np.float64]
    not_negative: list[int]

    @classmethod
    def of(cls, model: Model, level: float) -> Self:
        """Return the intervals of a model; raise the errors of `Model.predict_interval`."""
        found = model.error_quantiles
        reach = model.interval_quantiles(level).reshape(model.network.target_size, -1)
        knots = found.knots if found.knots.size else np.zeros_like(reach)
        return cls(level, reach, knots, np.flatnonzero(found.not_negative).tolist())

    @property
    def follows(self) -> bool:
        """Whether the reach depends on the predicted value."""
        return bool(self.reach.shape[1] > 1)

    @property
    def gaps(self) -> NDArray[np.float64]:
        """The distance from each knot to the next one, (outputs, knots - 1)."""
        return np.diff(self.knots)

    @property
    def slopes(self) -> NDArray[np.float64]:
        """The slope of the reach between knots, (outputs, knots - 1).

        The reach at a value is the reach at the first knot plus, for each gap, its slope times its part below the
        value.
        """
        return np.diff(self.reach) / self.gaps

    @property
    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays from which targets compute the reach at a value, by their names."""
        found = {"reach": self.reach[:, 0]}
        return (
            found | {"knots": self.knots[:, :-1], "gaps": self.gaps, "slopes": self.slopes} if self.follows else found
        )

    @property
    def meaning(self) -> str:
        """A description of the intervals."""
        return f"lower and upper end of the interval that covers {100 * self.level:.0f} % of true values"


class Program:
    """A model as raw columns, steps of its networks and answers.

    Parameters
    ----------
    model : Model
    dtype : numpy.dtype
        The precision in which the target computes.
    expansions : mapping
        For each operation that the target lacks, a replacement by operations that it has.
    note : str, optional
        A remark for the user who exports the model.
    takes_words : bool
        Whether the target has code for columns of texts that become vectors.
    never_falls : bool
        Whether predictions keep the directions of monotone columns to the last bit, by how the target computes.

    Attributes
    ----------
    columns : tuple of RawColumn
        The raw columns.
    networks : tuple of NetworkPlan
        The networks of a team, whose answers are averaged with their shares as weights, or the only network.
    interval : ExportInterval or None
        None if no intervals are exported.
    has_derivatives : bool
        Whether the derivatives of answers by columns are exported.
    learning : LearningPlan or None
        None if the training step is not exported.
    task : str
        The task of the model.
    is_team : bool
        Whether the answer is the mean of several models' answers.
    inputs, outputs : int
        Number of raw columns, and of answers per row.
    starts : list of int
        The index of each column's first feature among those of all columns, and the number of features.
    shares : int
        The sum of all models' shares.
    name : str
        The name of the network in the spec.
    labels : list or None
        The label of each class, or None if the model is no classifier.
    texts, words, missing : list of int
        The indices of columns of texts that have codes, of columns of texts that become vectors, and of other columns
        that may have missing values.
    has_cells : bool
        Whether rows may have texts or missing values.

    Raises
    ------
    UnsupportedError
        If models of a team differ in precision, a category has codes that no target can express, or the target has no
        code for a column.
    """

    def __init__(
        self,
        model: Model,
        dtype: np.dtype[Any],
        expansions: Expansions,
        note: str = "",
        *,
        takes_words: bool = False,
        never_falls: bool = False,
    ) -> None:
        self.model, self.dtype, self.note, self.never_falls = model, dtype, note, never_falls
        if len({each.network.dtype for each in model.networks}) > 1:
            raise UnsupportedError("a team of networks in float32 and in float64 cannot be exported")
        self.columns = columns_of(model)
        self.words = [index for index, column in enumerate(self.columns) if column.has_words]
        if self.words and not takes_words:
            raise UnsupportedError(f"columns of texts cannot be exported: {self.named(self.words)}")
        prefixes = name_prefixes(len(model.networks))
        self.networks = tuple(
            NetworkPlan(each, self.columns, dtype, expansions, prefix, share, number)
            for number, (each, prefix, share) in enumerate(zip(model.networks, prefixes, model.shares, strict=True))
        )
        self.interval: ExportInterval | None = None
        self.has_derivatives = False
        self.learning: LearningPlan | None = None
        self.task, self.is_team = model.network.task, len(self.networks) > 1
        self.inputs, self.outputs = len(self.columns), self.networks[0].outputs
        self.starts = list(accumulate((column.features for column in self.columns), initial=0))
        self.shares = sum(each.share for each in self.networks)
        self.name = model.spec.name or "network"
        self.labels: list[int] | list[str] | None = None if model.labels is None else model.labels.tolist()
        self.texts = [index for index, column in enumerate(self.columns) if column.is_text]
        missing = [index for index, column in enumerate(self.columns) if column.takes_missing]
        self.missing = [index for index in missing if index not in (*self.texts, *self.words)]
        self.has_cells = bool(self.texts or self.missing or self.words)

    @property
    def stages(self) -> list[Stage]:
        """The stages of all networks in order, and those of derivatives and of training behind them."""
        stages = [stage for each in self.networks for stage in each.stages]
        stages += [each.gradient for each in self.networks if each.gradient]
        return stages + (self.learning.stages if self.learning else [])

    @property
    def operations(self) -> set[Operation]:
        """The operations of all stages."""
        return {step.operation for stage in self.stages for step in stage.steps}

    @property
    def row_operations(self) -> int:
        """The number of operations for a row's answer: a multiplication with its addition is one."""

        def of_stage(stage: Stage) -> int:
            return sum(_matrix_size(step) or step.features for step in stage.steps)

        return sum(
            of_stage(each.prepare)
            + len(each.members) * sum(of_stage(stage) for layer in each.layers for stage in layer)
            + of_stage(each.finish)
            for each in self.networks
        )

    @property
    def tables(self) -> dict[Constants, str]:
        """The names of the tables of all stages, in order, by table."""
        tables = ((each.prefix, table) for each in self.networks for stage in each.stages for table in stage.tables)
        found = {table: prefix + table.name for prefix, table in tables}
        others = [*(each.gradient for each in self.networks), *(self.learning.stages if self.learning else ())]
        own = (table for stage in others if stage for table in stage.tables)
        return found | {table: table.name for table in own if table not in found}

    def with_derivatives(self, expansions: Expansions, *, shares_float32: bool = True) -> Self:
        """Add derivatives, and return the program.

        `expansions` are those of a program in float64. `shares_float32` says whether its computations can read tables
        in float32.
        """
        self.has_derivatives = True
        for each in self.networks:
            each.add_gradient(expansions, shares_float32=shares_float32)
        return self

    def with_training(self) -> Self:
        """Add the training step, and return the program.

        Raises
        ------
        UnsupportedError
            If a part of the network or of its training cannot be exported.
        """
        if self.is_team:
            raise UnsupportedError("the training step of a team of networks cannot be exported")
        self.learning = LearningPlan(self.networks[0].trained)
        return self

    def with_interval(self, level: float | None) -> Self:
        """Add the intervals of a level unless it is None, and return the program.

        Raises
        ------
        DataError
            If the model has no intervals of this level.
        """
        if level is not None:
            self.interval = ExportInterval.of(self.model, level)
        return self

    def named(self, indices: Sequence[int]) -> str:
        """Return the quoted names of columns."""
        return ", ".join(f'"{self.columns[index].name}"' for index in indices)

    @property
    def interval_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays of the intervals by name; empty without intervals."""
        return self.interval.arrays if self.interval else {}

    @cached_property
    def columns_are_wide(self) -> bool:
        """Whether raw columns are float64 although the network is float32, which is too imprecise for them.

        This concerns dates, for which float32 resolves about 3 minutes today, columns far from 0, and the features of
        texts, which a network in float32 reads once rounded.
        """
        if self.dtype == np.float64 or any(
            each.prepare.is_identity or each.multiplies_columns for each in self.networks
        ):
            return False
        around = np.outer([-1.0, 0.0, 1.0], np.ones(self.model.network.inputs))
        with np.errstate(all="ignore"):
            raw = self.networks[0].trained.preprocessing.invert(around)
        return any(column.kind in ("datetime", "text") for column in self.columns) or _is_beyond_float32(raw)

    @cached_property
    def answers_are_wide(self) -> bool:
        """Whether answers are float64 although the network is float32, which is too imprecise for them."""
        if self.dtype == np.float64 or self.task != "values" or any(each.finish.is_identity for each in self.networks):
            return False
        around = np.outer([-1.0, 0.0, 1.0], np.ones(self.outputs))
        with np.errstate(all="ignore"):
            return any(_is_beyond_float32(each.trained.target_preprocessing.invert(around)) for each in self.networks)

    @property
    def column_dtype(self) -> np.dtype[Any]:
        """The data type of raw columns."""
        return np.dtype(np.float64) if self.columns_are_wide else self.dtype

    @property
    def answer_dtype(self) -> np.dtype[Any]:
        """The data type of answers."""
        return np.dtype(np.float64) if self.answers_are_wide else self.dtype

    @property
    def answer(self) -> str:
        """The kind of answer: ``value``, ``values``, or the name of the task; ``binary`` if a threshold decides."""
        if self.model.decoder.includes_boundary:
            return "binary"
        return "value" if self.task == "values" and self.outputs == 1 else self.task

    def answered(self, forms: Mapping[str, str], literal: Callable[[Any], str] = str) -> str:
        """Return the expression for this model's kind of answer, given a language's expressions by kind.

        `literal` returns the text of a number in the network's dtype.
        """
        above = f"{self.above} {literal(self.dtype.type(self.model.boundary))}"
        return forms[self.answer].format(last=self.outputs - 1, above=above)

    @property
    def above(self) -> str:
        """The comparison of an output with the model's boundary that predicts 1 or the second class."""
        return ">=" if self.model.decoder.includes_boundary else ">"

    @property
    def prediction(self) -> str:
        """A description of the prediction for a row."""
        if self.model.decoder.includes_boundary:
            return f"the second label if its probability is at least {self.model.boundary}, else the first"
        words = {"multilabel": "0 or 1 for each output", "binary": "the more probable label"}
        return words.get(self.task, "the most probable label" if self.task == "classes" else self.meaning)

    @property
    def origin(self) -> str:
        """A sentence on the origin of an exported file."""
        return f"Written by specnet from the spec with SHA-256 {self.model.spec.sha256}."

    @property
    def promise(self) -> str:
        """A sentence on monotone columns; empty if there are none."""
        return promise(self.model, never_falls=self.never_falls)

    @property
    def meaning(self) -> str:
        """A description of the outputs."""
        match self.task:
            case "values":
                return "the values" if self.outputs > 1 else "the value"
            case "binary" if self.model.gives_probabilities:
                return "the probability of the second class"
            case "binary":
                return "the margin of the second class"
            case task:
                kind = "probability" if self.model.gives_probabilities else "margin"
                return f"the {kind} of each {'class' if task == 'classes' else 'output'}"

    @property
    def summary(self) -> str:
        """A description of the model: its number of columns, its answers and its number of networks."""
        networks = sum(len(each.members) for each in self.networks)
        means = f", by the {'weighted ' * self.is_team}mean of {networks} networks" if networks > 1 else ""
        match self.task:
            case "binary" | "classes":
                return f"{self.inputs} columns to one of {len(self.labels or ())} classes{means}"
            case "multilabel":
                return f"{self.inputs} columns to {self.outputs} times 0 or 1{means}"
            case "values":
                return f"{self.inputs} columns to {self.outputs} value{'s' * (self.outputs > 1)}{means}"


def _matrix_size(step: Step) -> int:
    """Return the number of multiplications of a product with a table, 0 for other steps."""
    weights = step.operands[1:2] if step.operation in (LINEAR, GROUPED) else ()
    return sum(operand.array.size for operand in weights if isinstance(operand, Constants))


def _is_beyond_float32(values: Array) -> bool:
    """Return whether float32 rounds any column (rows, columns) by more than a thousandth of the column's range."""
    with np.errstate(all="ignore"):
        rounding = np.spacing(np.abs(values).max(axis=0).astype(np.float32))
        apart = np.ptp(values, axis=0)
    return bool((np.isfinite(rounding) & (rounding > apart / 1000) & (apart > 0)).any())
