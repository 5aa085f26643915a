"""A model as every target reads it: how columns are prepared, each layer in order, and how outputs become answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from specnet.compiler import Expansions, Operation, Value, rows, state_value
from specnet.data import Preparation
from specnet.exporting.export_columns import columns_of
from specnet.exporting.formula import Constants, Formula, FormulaReader, sources_of
from specnet.exporting.layer_steps import LayerStep, members_of
from specnet.model import Model
from specnet.parts.arrays import Array
from specnet.parts.metrics.base import Task


class ExportInterval(NamedTuple):
    """Intervals that an export gives beside values.

    Attributes
    ----------
    level : float
    reach : ndarray (outputs,)
        How far they reach to each side, float64.
    """

    level: float
    reach: Array

    @property
    def meaning(self) -> str:
        """What they are, in words."""
        return f"lower and upper end of the interval that covers {100 * self.level:.0f} % of true values"


class Program:
    """A model in steps.

    Parameters
    ----------
    model : Model
    dtype : numpy.dtype
        In which the target computes.
    expansions : mapping
        What the target lacks, in terms of what it has.
    note : str, optional
        What whoever exports the model should know.

    Attributes
    ----------
    inputs, outputs : int
        Numbers of raw columns, and of what is answered: probabilities or margins, or values.
    columns : tuple of RawColumn
        The raw columns.
    prepare : Formula
        From raw columns, with the codes of texts, to the network's inputs, in float64.
    members : tuple of Member
        The members of an ensemble, or the only network.
    finish : Formula
        From a network's outputs to what is answered, values in the target's units, in float64. What an ensemble
        answers is the mean of these.
    interval : ExportInterval or None
    """

    def __init__(self, model: Model, dtype: np.dtype[Any], expansions: Expansions, note: str = "") -> None:
        self.model, self.dtype, self.note = model, dtype, note
        network, float64 = model.network, np.dtype(np.float64)
        self.inputs = network.resolved.columns
        self.columns = columns_of(model)
        self.outputs = network.target_size if self.task == "values" else network.outputs
        (x,), (y,) = sources_of([self.inputs]), sources_of([network.outputs])
        prepare, arrays = symbolic(model.preprocessing, self.inputs, "preprocessing")
        self.prepare = FormulaReader(arrays, float64, expansions).read(prepare.apply(x), [x], "preprocessing")
        finish, arrays = symbolic(model.target_preprocessing, self.outputs, "target_preprocessing")
        value = finish.invert(rows(y, 0, self.outputs))
        self.finish = FormulaReader(arrays, float64, expansions).read(value, [y], "target_preprocessing")
        self.members = members_of(model, expansions)
        self.interval: ExportInterval | None = None

    def with_interval(self, level: float | None) -> Self:
        """Add the intervals of a level, unless that is None; return the program.

        Raises
        ------
        DataError
            If the model has no such intervals.
        """
        if level is not None:
            self.interval = ExportInterval(level, self.model.interval_reach(level))
        return self

    @property
    def steps(self) -> tuple[LayerStep, ...]:
        """The layers, with the numbers of the first member."""
        return self.members[0].steps

    @property
    def is_averaged(self) -> bool:
        """Whether the answer is the mean of several members' answers."""
        return len(self.members) > 1

    @property
    def texts(self) -> list[int]:
        """Which of the columns hold texts."""
        return [place for place, column in enumerate(self.columns) if column.is_text]

    @property
    def gaps(self) -> list[int]:
        """Which of the columns hold numbers that may be missing."""
        return [place for place, column in enumerate(self.columns) if column.takes_missing and not column.is_text]

    @property
    def has_cells(self) -> bool:
        """Whether a raw row is more than numbers that are all there."""
        return bool(self.texts or self.gaps)

    @property
    def task(self) -> Task:
        """What the model answers."""
        return self.model.network.task

    @property
    def answer(self) -> str:
        """What is predicted: ``value``, ``values``, or what the task is called."""
        return "value" if self.task == "values" and self.outputs == 1 else self.task

    def answered(self, forms: Mapping[str, str]) -> str:
        """Return how that is computed, of a language's forms of all answers."""
        return forms[self.answer].format(boundary=self.model.boundary)

    @property
    def prediction(self) -> str:
        """What is predicted, in words."""
        words = {"multilabel": "0 or 1 for each output", "binary": "the more probable label"}
        return words.get(self.task, "the most probable label" if self.task == "classes" else self.meaning)

    @property
    def origin(self) -> str:
        """Where the file comes from, in a sentence."""
        return f"Written by specnet from the spec with SHA-256 {self.model.spec.sha256}."

    @property
    def meaning(self) -> str:
        """What the outputs are, in words."""
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
    def labels(self) -> list[int] | list[str] | None:
        """The label of each class, None where it tells no classes apart."""
        return None if self.model.labels is None else self.model.labels.tolist()

    @property
    def name(self) -> str:
        """What the spec calls the network."""
        return self.model.spec.name or "network"

    @property
    def formulas(self) -> list[Formula]:
        """All that is computed, in order."""
        layers = [stage.formula for step in self.steps for stage in step.stages]
        return [self.prepare, *layers, self.finish]

    @property
    def operations(self) -> set[Operation]:
        """All operations that occur."""
        return {step.operation for formula in self.formulas for step in formula.steps}

    @property
    def tables(self) -> list[Constants]:
        """All numbers that were learned, in order; of an ensemble those of the first member."""
        return [table for formula in self.formulas for table in formula.tables]

    def numbers(self, table: Constants) -> Array:
        """Return a table's numbers, with the members as the first axis where each has its own."""
        members = self._tables_of_members.get(table)
        return table.array if members is None else np.stack([member.array for member in members])

    def has_members(self, table: Constants) -> bool:
        """Whether each member has numbers of its own in a table."""
        return table in self._tables_of_members

    @cached_property
    def _tables_of_members(self) -> dict[Constants, tuple[Constants, ...]]:
        """The tables of all members by those of the first, if there are several."""
        layers = [[stage.formula for step in member.steps for stage in step.stages] for member in self.members]
        tables = [[table for formula in formulas for table in formula.tables] for formulas in layers]
        return {found[0]: found for found in zip(*tables, strict=True)} if self.is_averaged else {}

    @property
    def summary(self) -> str:
        """What the model answers, in words."""
        means = f", by the mean of {len(self.members)} networks" if self.is_averaged else ""
        match self.task:
            case "binary" | "classes":
                return f"{self.inputs} columns to one of {len(self.labels or ())} classes{means}"
            case "multilabel":
                return f"{self.inputs} columns to {self.outputs} times 0 or 1{means}"
            case "values":
                return f"{self.inputs} columns to {self.outputs} value{'s' * (self.outputs > 1)}{means}"

    def readers(self) -> dict[int, list[int]]:
        """Return which layers read each layer's result, -1 being the prepared columns; the end reads the last."""
        found: dict[int, list[int]] = {number: [] for number in range(-1, len(self.steps))}
        for number, step in enumerate(self.steps):
            for source in step.node.inputs:
                found[source].append(number)
        found[len(self.steps) - 1].append(len(self.steps))
        return found


def symbolic(preparation: Preparation, columns: int, key: str) -> tuple[Preparation, dict[str, Array]]:
    """Return a preparation of symbolic arrays, which begins behind the codes of texts, and what they stand for."""
    arrays: dict[str, Array] = {}

    def symbol(name: str, array: Array) -> Value:
        leaf = f"state.{key}.{name}"
        arrays[leaf] = array.reshape(-1, 1)
        return state_value(leaf, arrays[leaf].shape)

    made = [group for group in preparation.replaced(symbol).groups if group.output_size(columns)]
    return Preparation(tuple(made)), arrays
