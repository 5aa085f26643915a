"""One model of a program in steps: how columns are prepared, each layer, and how outputs become answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from specnet.compiler import Expansions, Value, rows, state_value
from specnet.compiler.operations import concatenate, gather, to_index
from specnet.data import Preparation
from specnet.exporting.export_columns import RawColumn, codes_among, network_columns
from specnet.exporting.formula import GROUPED, LINEAR, Constants, Formula, FormulaReader, Source, sources_of
from specnet.exporting.layer_steps import LayerStep, members_of
from specnet.model import TrainedNetwork
from specnet.parts.arrays import Array


class ModelSteps:
    """A network of a model in steps.

    Parameters
    ----------
    trained : TrainedNetwork
    columns : sequence of RawColumn
        The program's raw columns, whose codes may be those of other models too.
    dtype : numpy.dtype
        In which the target computes.
    expansions : mapping
        What the target lacks, in terms of what it has.
    prefix : str
        What stands before the names of its numbers in the file of a team: ``models.0.``; empty for a model alone.
    share : int
        How much its answer counts.

    Attributes
    ----------
    outputs : int
        Number of what is answered: probabilities or margins, or values.
    prepare : Formula
        From raw columns, with the codes of texts, to the network's inputs, in float64.
    members : tuple of Member
        The members of an ensemble, or the only network.
    finish : Formula
        From a network's outputs to what is answered, values in the target's units, in float64. What an ensemble
        answers is the mean of these.
    """

    def __init__(
        self,
        trained: TrainedNetwork,
        columns: Sequence[RawColumn],
        dtype: np.dtype[Any],
        expansions: Expansions,
        prefix: str = "",
        share: int = 1,
    ) -> None:
        self.trained, self.dtype, self.prefix, self.share = trained, dtype, prefix, share
        network, float64 = trained.network, np.dtype(np.float64)
        self.outputs = network.target_size if network.task == "values" else network.outputs
        (x,), (y,) = sources_of([len(columns)]), sources_of([network.outputs])
        prepare, arrays = symbolic(trained.preprocessing, len(columns), "preprocessing")
        coded, tables = _recoded(x, columns, network_columns(trained))
        self.prepare = FormulaReader(arrays | tables, float64, expansions).read(
            prepare.apply(coded), [x], "preprocessing"
        )
        finish, arrays = symbolic(trained.target_preprocessing, self.outputs, "target_preprocessing")
        value = finish.invert(rows(y, 0, self.outputs))
        self.finish = FormulaReader(arrays, float64, expansions).read(value, [y], "target_preprocessing")
        self.members = members_of(trained, expansions, prefix)

    @property
    def steps(self) -> tuple[LayerStep, ...]:
        """The layers, with the numbers of the first member."""
        return self.members[0].steps

    @property
    def is_averaged(self) -> bool:
        """Whether the answer is the mean of several members' answers."""
        return len(self.members) > 1

    @property
    def multiplies_columns(self) -> bool:
        """Whether a product of the preparation reads raw columns themselves."""
        products = [step for step in self.prepare.steps if step.operation in (LINEAR, GROUPED)]
        return any(isinstance(step.operands[0], Source) for step in products)

    @property
    def formulas(self) -> list[Formula]:
        """All that is computed, in order."""
        layers = [stage.formula for step in self.steps for stage in step.stages]
        return [self.prepare, *layers, self.finish]

    @cached_property
    def tables_of_members(self) -> dict[Constants, tuple[Constants, ...]]:
        """The tables of all members by those of the first, if there are several."""
        layers = [[stage.formula for step in member.steps for stage in step.stages] for member in self.members]
        tables = [[table for formula in formulas for table in formula.tables] for formulas in layers]
        return {found[0]: found for found in zip(*tables, strict=True)} if self.is_averaged else {}

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


def _recoded(x: Value, columns: Sequence[RawColumn], own: Sequence[RawColumn]) -> tuple[Value, dict[str, Array]]:
    """Return columns with a model's own codes of texts in place of those of a team, and the tables of these codes."""
    arrays: dict[str, Array] = {}

    def table_of(place: int) -> str:
        """Return the name of the table of a column's codes; empty where they are the same."""
        codes = codes_among(own[place], columns[place])
        if codes == list(range(len(codes))):
            return ""
        name = f"state.codes.{place}"
        arrays[name] = np.array([codes], np.float64)
        return name

    found = []
    for name, run in groupby(range(len(columns)), table_of):
        first, *others = run
        part = rows(x, first, first + 1 + len(others))
        found.append(gather(state_value(name, arrays[name].shape), to_index(part)) if name else part)
    return (concatenate(*found), arrays) if arrays else (x, arrays)
