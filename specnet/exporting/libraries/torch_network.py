"""What a network of PyTorch keeps: modules, parameters and buffers, each made by a line and filled by a state dict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np

from specnet.exporting.formula import LINEAR, Constants, Formula, FreeNames, Step
from specnet.exporting.model_steps import LayerStep, ModelSteps, Stage
from specnet.exporting.target import required
from specnet.parts.arrays import Array
from specnet.parts.layers import Layer

_FAR = 8.0
"""Standard deviations from 0 to a mean, beyond which PyTorch's batch normalization needs more than float32."""


class Modules:
    """What one class of modules keeps.

    Parameters
    ----------
    model : ModelSteps
        That it is of.
    formulas : iterable of Formula
        Those whose tables are not learned.
    steps : iterable of LayerStep
    in_double : set of str
        The layers that need more than float32, as `far_normalizations` names them.

    Attributes
    ----------
    setup : list of str
        Lines that make what is kept.
    state : dict
        That, by its name in the state dict.
    references : dict of Constants to str
        How each table is written where it is read.
    calls : dict of Stage to str
        Templates of calls of the layers that are modules as a whole.
    """

    def __init__(
        self, model: ModelSteps, formulas: Iterable[Formula], steps: Iterable[LayerStep], in_double: Set[str]
    ) -> None:
        self.model, self.dtype, self._in_double = model, f"torch.{model.dtype.name}", in_double
        self.setup: list[str] = []
        self.state: dict[str, Array] = {}
        self.references: dict[Constants, str] = {}
        self.calls: dict[Stage, str] = {}
        self._attributes = FreeNames({*dir(required("torch", "torch").nn.Module), "predict", "interval"})
        for formula in formulas:
            self._keep(formula, frozenset())
        for step in steps:
            for stage in step.stages:
                self._place(stage, step.node.key)

    def _place(self, stage: Stage, key: str) -> None:
        """Give all that a stage learned and keeps its place: in a module of PyTorch's, or by itself."""
        part: Any = stage.part
        arrays = _by_last_word(stage.arrays)
        if isinstance(part, Layer) and part.names.torch[1]:
            self._made(stage, key, arrays)
        else:
            for step in stage.formula.steps if len(stage.formula.steps) <= 2 else ():
                if step.operation is LINEAR:
                    self._linear(step, key)
            self._keep(stage.formula, stage.arrays.keys(), arrays if part.type == "periodic_embedding" else {})

    def _made(self, stage: Stage, key: str, arrays: Mapping[str, Array]) -> None:
        """Make the module of a part that is one as a whole."""
        part, dtype, call = stage.part, self.model.dtype, "self.{name}({{}})"
        if key in self._in_double:
            dtype, call = np.dtype(np.float64), "self.{name}({{}}.to(torch.float64)).to(torch.float32)"
        size, fields = len(next(iter(arrays.values()))), {name: getattr(part, name) for name in type(part).model_fields}
        made = part.names.torch[1].format(size=size, dtype=dtype.name, **fields)
        kept = zip(part.names.torch[2:], arrays.values(), strict=True)
        state = {name: array.astype(dtype) for name, array in kept}
        if part.type == "batch_normalization":
            state["num_batches_tracked"] = np.array(0)
        self.calls[stage] = call.format(name=self._module(key, made, state))

    def _linear(self, step: Step, key: str) -> None:
        weight, *bias = (operand for operand in step.operands if isinstance(operand, Constants))
        outputs, inputs = weight.array.shape
        made = f"nn.Linear({inputs}, {outputs}{'' if bias else ', bias=False'}, dtype={self.dtype})"
        name = self._module(key, made, {"weight": weight.array} | ({"bias": bias[0].array} if bias else {}))
        self.references |= {weight: f"self.{name}.weight"} | dict.fromkeys(bias, f"self.{name}.bias")

    def _module(self, key: str, made: str, state: Mapping[str, Array]) -> str:
        """Make a module of PyTorch's with a state, and return its name."""
        name = self._attributes.new(key)
        self.setup.append(f"self.{name} = {made}")
        self.state |= {f"{name}.{each}": array for each, array in state.items()}
        return name

    def _keep(self, formula: Formula, names: Set[str], waves: Mapping[str, Array] | None = None) -> None:
        """Keep a formula's tables: as parameters what was learned, and as buffers what was not.

        Parameters
        ----------
        formula : Formula
        names : set of str
            Of what its layer learned and keeps. Where all that is learned, what is computed from it counts so too.
        waves : mapping, optional
            The arrays of a periodic embedding.
        """
        kept = self.model.trained.state.keys() & names
        for table in formula.tables:
            if table not in self.references:
                wish, array, form = _of_waves(table, waves) if waves else (table.name, table.array, "{}")
                name = self._attributes.new(wish)
                zeros = f"torch.zeros({', '.join(map(str, array.shape))}, dtype=torch.{array.dtype.name})"
                if wish in names - kept or (names and not kept):
                    self.setup.append(f"self.{name} = nn.Parameter({zeros})")
                else:
                    self.setup.append(f'self.register_buffer("{name}", {zeros})')
                self.state[name] = array
                self.references[table] = form.format(f"self.{name}")


def _of_waves(table: Constants, arrays: Mapping[str, Array]) -> tuple[str, Array, str]:
    """Return which of a periodic embedding's arrays a table was computed from, and how, so that it can be learned."""
    key, _, word = table.name.rpartition(".")
    frequency, bias = arrays["frequency"].reshape(-1), arrays["bias"].reshape(-1)
    if word == "weight" and table.array.shape != arrays["weight"].shape:
        return table.name, arrays["weight"], f"{{}}.expand(-1, -1, {table.array.shape[2]})"
    if word in arrays:
        return table.name, table.array, "{}"
    if np.array_equal(table.array, frequency * (2 * math.pi)):
        return f"{key}.frequency", frequency, "{}.mul(2 * torch.pi)"
    return f"{key}.bias", bias, f"{{}}.repeat_interleave({table.array.size // bias.size})"


def far_normalizations(model: ModelSteps) -> set[str]:
    """Return the batch normalizations in float32 that take differences of numbers far larger than they are.

    Members of an ensemble compute alike, so one of them is enough.
    """
    if model.dtype != np.float32:
        return set()
    return {
        step.node.key
        for member in model.members
        for step in member.steps
        for stage in step.stages
        if stage.part.type == "batch_normalization" and _is_far(stage.part, _by_last_word(stage.arrays))
    }


def _is_far(part: Any, arrays: Mapping[str, Array]) -> bool:
    deviation = np.sqrt(arrays["running_variance"] + part.epsilon)
    return bool((abs(arrays["running_mean"] * arrays["scale"]) / deviation).max() > _FAR)


def _by_last_word(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.rpartition(".")[2]: array for name, array in arrays.items()}
